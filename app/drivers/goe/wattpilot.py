"""Fronius Wattpilot: the keys of a go-e over a WebSocket with a login of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from app.driver.web import PROBE_LIMIT, PROBE_S, text_of, web_driver
from app.drivers.goe.keys import SECRET_KEYS, identity_of
from app.drivers.goe.session import OFFERS, KeySession
from app.drivers.goe.talk import Talk, is_wattpilot, next_message
from app.errors import Garbled, LinkError, LinkLost, NotReachable, TimedOut, ValueRejected
from app.links.link import HttpLink, HttpManner, Login
from app.model.profile import Profile
from app.model.unit import Identity

VENDOR = "Fronius"
PATH = "/ws"
MESSAGE_LIMIT = 300_000
LOGIN_S = 5.0


class Wattpilot(KeySession):
    """One session over the WebSocket: values are told, not asked for."""

    driver_id: ClassVar[str] = "wattpilot"
    vendor: ClassVar[str] = VENDOR
    pause_s: ClassVar[float] = 0.5
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE, secret_keys=frozenset({*SECRET_KEYS, "hash", "hmac"}))

    def __init__(self, address: Any, profile: Profile, links: Any) -> None:
        super().__init__(address, profile, links)
        self._talk: Talk | None = None

    async def look(self) -> None:
        """Open the WebSocket, log in, and wait for the first full set of values."""
        self._talk = Talk(await self.http.channel(PATH, limit=MESSAGE_LIMIT), str(self.address))
        try:
            await self._talk.begin(self._links.credentials(self._net), LOGIN_S)
        except TimeoutError as error:
            raise TimedOut(
                f"{self.address} did not finish the login within {LOGIN_S:.0f} s.", "Wait a moment, then try again."
            ) from error
        self.serial = text_of(self._talk.hello, "serial")
        self.offers = OFFERS

    async def _close(self) -> None:
        if self._talk is not None:
            await self._talk.close()
        await super()._close()

    async def read(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return keys as told last."""
        told = self._told()
        return {key: told[key] for key in keys if key in told}

    async def put(self, key: str, value: Any) -> None:
        """Ask for a change; raises ValueRejected with the charger's words."""
        self._told()
        assert self._talk is not None
        answer = await self._talk.set_value(key, value)
        if answer.get("success") is not True:
            words = text_of(answer, "message") or "it gives no reason"
            raise ValueRejected(f"The charger refused “{key}”: {words}", "Look at the value; the app may say more.")

    def _told(self) -> dict[str, Any]:
        if self._talk is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return self._talk.now()


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Open ``/ws`` and read its greeting; it needs no login for that."""
    try:
        channel = await http.channel(PATH, limit=MESSAGE_LIMIT)
    except NotReachable:
        # Refused, or nobody there? A plain request tells; it raises where there is nobody.
        await http.request("GET", "/", timeout_s=PROBE_S, limit=PROBE_LIMIT)
        return None
    try:
        hello = await next_message(channel, PROBE_S)
    except (LinkError, Garbled):
        return None
    finally:
        with suppress(LinkError, asyncio.TimeoutError):
            await channel.close()
    if not is_wattpilot(hello):
        return None
    told = {"sse": "serial", "typ": "devicetype", "fwv": "version", "fna": "friendly_name"}
    return identity_of({key: hello.get(name) for key, name in told.items()}, profile, VENDOR)


DRIVER = web_driver(
    Wattpilot,
    title="Fronius Wattpilot (WebSocket)",
    capabilities=OFFERS,
    recognise=recognise,
    asks=(f"GET {PATH} (a WebSocket; it only listens to the greeting)", "GET /"),
)

"""go-e chargers over the local HTTP API v2: status by filter, settings as JSON in the query of a GET."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from app.driver.web import PROBE_LIMIT, PROBE_S, as_object, text_of, web_driver
from app.drivers.goe.keys import IDENTITY_KEYS, SECRET_KEYS, identity_of, version_of
from app.drivers.goe.session import OFFERS, KeySession
from app.errors import AppError, Busy, Garbled, LinkLost, NotReachable, Unexpected, ValueRejected
from app.links.link import HttpAnswer, HttpLink, HttpManner, Login
from app.model.profile import Profile
from app.model.unit import Identity

VENDOR = "go-e"
COMMAS_FROM = (51, 4)
"""From this firmware on a filter is ``a,b,c``; before it is a JSON array of at most about ten entries (http-en.md)."""

BATCH = 30
LEGACY_BATCH = 10

LOCKED = b"api lock"
"""“couldn't take api lock in 3s, please try again later” (go-eCharger-API-v1 issue 64)."""

KEY_LIMIT = 1000
"""Firmware 60.4 has about 320 keys."""


class GoE(KeySession):
    """One session over HTTP. Success is what stands under each key of an answer, never the HTTP status."""

    driver_id: ClassVar[str] = "go-e"
    vendor: ClassVar[str] = VENDOR
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE, secret_keys=frozenset(SECRET_KEYS))
    login_advice: ClassVar[str] = (
        "Its maker documents no login for the local interface: look in the go-e app whether one is switched on, or "
        "type the backend in there (Internet › OCPP)."
    )

    def __init__(self, address: Any, profile: Profile, links: Any) -> None:
        super().__init__(address, profile, links)
        self._has_commas = True

    async def look(self) -> None:
        """Find out which form of filter this firmware takes, and that it is a go-e."""
        values = await self._first()
        if not _is_goe(values):
            raise Unexpected(f"{self.address} answers, but not like a go-e charger.", "Check the address.")
        self.serial = text_of(values, "sse")
        self._has_commas = version_of(text_of(values, "fwv")) >= COMMAS_FROM
        self.offers = OFFERS

    async def _first(self) -> dict[str, Any]:
        try:
            values = await self._object(_filtered(IDENTITY_KEYS, has_commas=True))
        except (Unexpected, Garbled):
            values = {}
        return values if _is_goe(values) else await self._object(_filtered(IDENTITY_KEYS, has_commas=False))

    async def read(self, keys: Iterable[str]) -> dict[str, Any]:
        """Read keys, as many at a time as the firmware takes."""
        wanted, found = list(keys), dict[str, Any]()
        size = BATCH if self._has_commas else LEGACY_BATCH
        for start in range(0, len(wanted), size):
            part = wanted[start : start + size]
            answer = await self._object(_filtered(part, has_commas=self._has_commas))
            found |= {key: answer[key] for key in part if key in answer}
        return found

    async def put(self, key: str, value: Any) -> None:
        """Write one key; raises ValueRejected with the charger's words, Unexpected where it says neither yes nor no."""
        text = urllib.parse.quote(json.dumps(value, ensure_ascii=False), safe="")
        said = (await self._object(f"/api/set?{key}={text}", is_order=True)).get(key)
        if said is True:
            return
        if isinstance(said, str):
            raise ValueRejected(
                f"The charger refused “{key}”: {said[:200]}", "Look at the value; the app may say more."
            )
        raise Unexpected(
            f"The charger said neither yes nor no to “{key}”.", "Read the settings again before you go on."
        )

    async def _object(self, path: str, *, is_order: bool = False) -> dict[str, Any]:
        """Ask for an object; of an order the HTTP status says nothing, what stands under the key does."""
        answer = await self.fetch("GET", path)
        if answer.status == 404:
            raise self._switched_off()
        if answer.status in (413, 414, 431):
            raise ValueRejected(
                f"The request is longer than {self.address} takes (HTTP {answer.status}).", "Shorten the value."
            )
        if LOCKED in answer.body[:200]:
            raise _locked(self.address)
        if answer.status != 200 and not (is_order and answer.body[:1] == b"{"):
            raise Unexpected(f"{self.address} answered with HTTP {answer.status}.", "Note the firmware version.")
        values = as_object(answer)
        if len(values) > KEY_LIMIT:
            raise Garbled(f"{self.address} sent {len(values)} keys.", "This is no go-e charger: check the address.")
        return values

    def _switched_off(self) -> AppError:
        if not self.is_open:
            return NotReachable(
                f"{self.address} answers, but its local HTTP interface is switched off.",
                "Switch on “local HTTP API v2” in the go-e app, then try again. Or type the backend into the app: "
                "Internet › OCPP.",
            )
        return LinkLost(
            f"The local HTTP interface of {self.address} has vanished while it was in use.",
            "Firmware 60.1 and some betas after it lose it after minutes: restart the charger in the go-e app, then go "
            "on. If it was switched off there, switch “local HTTP API v2” on again.",
        )


def _filtered(keys: Sequence[str], *, has_commas: bool) -> str:
    text = ",".join(keys) if has_commas else json.dumps(list(keys), separators=(",", ":"))
    return f"/api/status?filter={urllib.parse.quote(text, safe=',')}"


def _is_goe(values: Mapping[str, Any]) -> bool:
    is_named = text_of(values, "oem") == "go-e" and text_of(values, "typ").startswith("go-eCharger")
    return is_named and bool(text_of(values, "sse"))


def _locked(where: object) -> Busy:
    return Busy(
        f"{where} is busy with another program (“couldn't take api lock”).",
        "Wait a moment and try again; stop what else asks it all the time (home automation), or restart it.",
    )


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask for serial, type and maker, first as new firmware wants it, then as old."""
    for has_commas in (True, False):
        path = _filtered(IDENTITY_KEYS, has_commas=has_commas)
        answer = await http.request("GET", path, timeout_s=PROBE_S, limit=PROBE_LIMIT)
        if LOCKED in answer.body[:200]:
            raise _locked("It")
        if answer.status in (401, 403, 404):
            return None
        values = _values(answer)
        if _is_goe(values):
            return identity_of(values, profile, VENDOR)
    return None


def _values(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        found = answer.json() if answer.status == 200 else {}
    except Garbled:
        return {}
    return found if isinstance(found, dict) else {}


DRIVER = web_driver(
    GoE,
    title="go-e charger (local HTTP API v2)",
    capabilities=OFFERS,
    recognise=recognise,
    asks=("GET /api/status?filter=…",),
)

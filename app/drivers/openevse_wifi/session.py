"""A session with one gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.described import written
from app.driver.session import Session
from app.driver.web import as_object, object_in
from app.drivers.openevse_wifi.authkey import KeyForm, key_form, read_key
from app.drivers.openevse_wifi.configuration import descriptions, excluded, identity_of, setting_of, typed
from app.drivers.openevse_wifi.repointing import backend_of, planned, wanted_keys
from app.drivers.openevse_wifi.status import RELEVANT, news, status_of
from app.errors import AuthFailed, Busy, Garbled, LinkLost, NotReachable, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpAnswer, HttpLink, Links
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity

POLL_S = 2.0
"""How often /status is asked where the status stream is refused; the gateway serves one request at a time."""

LOG_LIMIT = 256_000
KEY_COUNT_LIMIT = 1000
"""Head has about 130 keys."""

BODY_LIMIT = 8_000
"""The gateway takes requests of at most 8196 bytes, headers included (facts, OpenEVSE quirk 8)."""


class OpenEvseWifi(Session):
    """A gateway that answers HTTP. ``/config`` is read on opening and again whenever ``config_version`` moved."""

    driver_id: ClassVar[str] = "openevse-wifi"

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._http: HttpLink | None = None
        self._config: dict[str, Any] = {}
        self._config_version: int | None = None

    @property
    def form(self) -> KeyForm:
        """Return how this firmware keeps the backend's password."""
        return key_form(str(self._config.get("version", "")), self._config)

    async def _open(self) -> None:
        self._http = await self._links.http(self._net)
        await self._read_config()
        offers: set[type] = {Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, WritesSettings, Reboots}
        if "ocpp_server" in self._config:
            offers.add(SetsBackend)
        if (await self._request("GET", "/debug", limit=LOG_LIMIT)).status == 200:
            offers.add(ExportsLog)
        self.offers = frozenset(offers)

    async def _close(self) -> None:
        if self._http is not None:
            await self._http.close()

    # Identifies

    async def identify(self) -> Identity:
        """Read ``/config`` and name the gateway by its MAC, the controller by its MCU id."""
        async with self.call("identify"):
            return identity_of(await self._read_config(), self._profile)

    # ReportsStatus, Meters

    async def status(self) -> Status:
        """Read ``/status``, and ``/config`` when it changed since: it alone says whether OCPP is on."""
        async with self.call("status"):
            found = await self._object("/status")
            version = found.get("config_version")
            if version != self._config_version or not isinstance(version, int):
                await self._read_config()
                self._config_version = version
            return status_of(found, self._config, datetime.now(UTC))

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Stream ``/ws``: a full status object, then parts of it. Where it is refused, ask ``/status`` instead."""
        merged: dict[str, Any] = {}
        shown: dict[Measurand | str, Any] = {}
        async for part in self._status_stream():
            merged.update({field: part[field] for field in RELEVANT & part.keys()})
            for item in news(merged, shown, datetime.now(UTC)):
                yield item
        raise LinkLost(f"The status stream of {self.address} ended.", "The charger may be restarting.")

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read ``/config``; masked passwords and write-once values are named in ``excluded``."""
        async with self.call("read the settings"):
            config = await self._read_config()
        settings = tuple(setting_of(key, value) for key, value in config.items())
        return Snapshot(taken_at=datetime.now(UTC), settings=settings, excluded=excluded(config))

    async def read_setting(self, key: str) -> Setting | None:
        """Read one key again."""
        async with self.call(f"read {key}"):
            config = await self._read_config()
        return setting_of(key, config[key]) if key in config else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Post one key (a partial object) and read it back. Raises ValueRejected, Busy, NotSupported, AuthFailed."""
        async with self.call(f"write {change.key}", deadline_s=15.0):
            body = self._body_for(change)
            answer = await self._request("POST", "/config", json=body)
            message = _accepted(answer, change)
            if change.key.startswith("www_"):
                return WriteResult(key=change.key, is_accepted=True, note="The login changed: open the charger again.")
            back = setting_of(change.key, (await self._read_config()).get(change.key))
        read_back = back.value if back.is_readable else None
        return WriteResult(key=change.key, is_accepted=True, read_back=read_back, note=message)

    # SetsBackend

    async def read_backend(self) -> Backend | None:
        """Read where it dials; an empty address means that OCPP was never set up."""
        async with self.call("read the backend"):
            config = await self._read_config()
        return backend_of(config, self.form)

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected where the password or the login line exceeds the unit's limits."""
        return planned(wanted_keys(backend, self.form, self._profile), snapshot)

    # Reboots, ExportsLog

    async def restart(self) -> None:
        """Restart the gateway, about a second after its answer; never ``/reset``, which erases everything."""
        async with self.call("restart"):
            answer = await self._request("POST", "/restart", json={"device": "gateway"})
            if answer.status != 200:
                raise Unexpected(
                    f"{self.address} did not take the restart (HTTP {answer.status}).", "Switch it off and on again."
                )

    async def read_log(self) -> str:
        """Read the gateway's debug log, the backend's password masked."""
        async with self.call("read the log"):
            answer = await self._request("GET", "/debug", limit=LOG_LIMIT)
            if answer.status != 200:
                raise NotSupported("This gateway keeps no log.", "Look at its web page.")
        text = answer.body.decode("utf-8", "replace")
        stored = str(self._config.get("ocpp_authkey", ""))
        for secret in (Secret(stored), read_key(stored, self.form)):
            text = secret.redact(text)
        return text

    # Inside

    async def _status_stream(self) -> AsyncIterator[dict[str, Any]]:
        if not self._is_open or self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        try:
            async for text in self._http.websocket("/ws"):
                yield object_in(text)
        except NotReachable:
            while True:
                async with self.call("status"):
                    found = await self._object("/status")
                yield found
                await asyncio.sleep(POLL_S)

    async def _read_config(self) -> dict[str, Any]:
        config = await self._object("/config")
        if len(config) > KEY_COUNT_LIMIT:
            raise Garbled(f"{self.address} sent {len(config)} settings.", "This is no OpenEVSE: check the address.")
        if "wifi_serial" not in config and "espinfo" not in config and "firmware" not in config:
            raise Unexpected(f"{self.address} answers, but not like an OpenEVSE gateway.", "Check the address.")
        self._config = config
        return config

    async def _object(self, path: str) -> dict[str, Any]:
        answer = await self._request("GET", path)
        if answer.status != 200:
            raise Unexpected(
                f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version and report it."
            )
        return as_object(answer)

    async def _request(self, method: str, path: str, **options: Any) -> HttpAnswer:
        if self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        answer = await self._http.request(method, path, timeout_s=self.deadline_s, **options)
        if answer.status in (401, 403):
            raise AuthFailed(
                f"{self.address} asks for a login.",
                "Enter the user name and password of the charger's own web page (without a user name: openevseadmin).",
            )
        if answer.status == 429:
            raise AuthFailed(f"{self.address} is locked after wrong passwords.", "Wait ten minutes, then try again.")
        return answer

    def _body_for(self, change: Change) -> dict[str, Any]:
        key = change.key
        known = descriptions().get(key)
        if key not in self._config:
            raise NotSupported(f"This charger has no setting “{key}”.", "Its firmware may be older than the setting.")
        if known is not None and known.readonly:
            raise ValueRejected(f"“{known.label}” can't be written.", known.not_restored or "It is shown only.")
        body = {key: typed(key, change.after, self._config.get(key))}
        for twin in {"scale", "offset"} - {key} if key in ("scale", "offset") else ():
            body[twin] = self._config.get(twin)
        if len(json.dumps(body)) > BODY_LIMIT:
            raise ValueRejected(f"The value of “{key}” is longer than this charger can take.", "Shorten it.")
        return body


def _accepted(answer: HttpAnswer, change: Change) -> str:
    if answer.status == 200:
        return written(as_object(answer).get("msg"))
    if answer.status == 423:
        raise Busy("The factory settings of this charger are locked.", "Write the ordinary setting instead.")
    if answer.status == 400:
        raise ValueRejected(f"The charger could not read the value for “{change.key}”.", "Shorten or correct it.")
    raise Unexpected(f"The charger answered HTTP {answer.status} to a change of “{change.key}”.", "Try again.")

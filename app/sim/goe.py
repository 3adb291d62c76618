"""A simulated go-e charger: the local HTTP API v2 of each firmware era, and its OCPP client.

Sources: goecharger/go-eCharger-API-v2 (http-en.md, ocpp-en.md, issues 274, 287, 299), go-eCharger-API-v1 issue 64.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.dialtls import DialTls, NameCheck
from app.sim.fault import Fault
from app.sim.goe_keys import MODELS, complaint, defaults, error_number, understood, version_of
from app.sim.webunit import Answer, WebUnit, drop

SETTLE_S = 1.0
"""The firmware's logic runs once a second."""

LEGACY_ENTRIES = 10
TRUNCATED_LENGTH = 24
OCPP_WORDS = (
    *("Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV"),
    *("Finishing", "Reserved", "Unavailable", "Faulted"),
)
MDNS = {"go-eCharger": "_go-e_go-eCharger._tcp", "go-eCharger_V4": "_go-e_go-eCharger_V4._tcp"}
"""Named by a go-e developer (issue 108); those of later hardware are not known."""


class GoEUnit(WebUnit):
    """One charger. ``keys`` prepares values before it starts; ``held`` are its present ones.

    ``lose_api`` is what firmware 60.1 does after minutes, ``is_locked`` another program asking all the time.
    ``error_status`` is the HTTP status of a refused setting: no document names one.
    """

    oem = "go-e"
    body_limit = 20_000

    def __init__(
        self,
        firmware: str = "59.4",
        *,
        typ: str = "go-eCharger_V4",
        serial: str = "237512",
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        keys: Mapping[str, Any] | None = None,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
        error_status: int = 200,
    ) -> None:
        super().__init__(
            f"{self.oem}-{serial}",
            host=host,
            port=port,
            time_scale=time_scale,
            announce=announce,
            label=label,
            faults=faults,
        )
        self.firmware = firmware
        self.held: dict[str, Any] = defaults(firmware, typ, self.oem, serial) | dict(keys or {})
        self.is_locked = False
        self.error_status = error_status
        self.sets: list[str] = []
        self.wrote = asyncio.Event()
        self._stored = dict(self.held)
        self._is_lost = False
        self._error = 0
        self._began_s = time.monotonic()
        if "ocppu" in self.held:
            self.point = self._charge_point(serial)

    def _charge_point(self, serial: str) -> ChargePoint:
        configuration = standard_keys() | {"MinChargingCurrent": ConfigKey("6"), "RequestedCurrent": ConfigKey("16")}
        boot = {
            "chargePointVendor": self.oem,
            "chargePointModel": str(self.held["typ"]),
            "chargePointSerialNumber": serial,
            "firmwareVersion": self.firmware,
        }
        return ChargePoint(
            serial,
            "",
            boot=boot,
            configuration=configuration,
            time_scale=self.time_scale,
            boots_on_redial=True,
            faults=self.faults,
            on_reset=lambda _kind: self.restart_soon(),
        )

    # What it does

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Return the type of its hardware; earlier firmware was announced as a web page only."""
        kind = MDNS.get(str(self.held["typ"]), "_http._tcp")
        return {kind if version_of(self.firmware) >= (55, 0) else "_http._tcp": {}}

    def started(self) -> None:
        """Start with what is stored."""
        self.held = dict(self._stored)
        self._is_lost = False
        self._began_s = time.monotonic()
        self._dial()

    def lose_api(self) -> None:
        """Let the local interface vanish until the next restart."""
        self._is_lost = True

    def fail(self, meaning: str) -> None:
        """Show an error: ``ground``, ``hot``, ``lock open`` or ``no comm``; the empty text ends it."""
        self._error = error_number(meaning, self.firmware) if meaning else 0

    def live(self) -> dict[str, Any]:
        """Return what it measures and how it is."""
        plain: dict[str, Any] = {"car": 1, "err": self._error, "modelStatus": 15, "alw": True, "acu": self.held["amp"]}
        plain |= {"eto": 100_000, "wh": 0.0, "fhz": 50.01, "rssi": -61, "tma": [28.5, 27.0], "wst": 3, "rbc": 12}
        plain["rbt"] = round((time.monotonic() - self._began_s) * 1000 / self.time_scale)
        plain["nrg"] = [230, 231, 229, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        return plain | (self._charging(self.point) if self.point is not None else {})

    def _charging(self, point: ChargePoint) -> dict[str, Any]:
        outlet, transaction = point.outlet(1), point.outlet(1).transaction
        lies = Fault.LIES_CONNECTED in self.faults
        is_up = (point.is_connected and point.booted.is_set()) or lies
        amps = round(outlet.current_a, 1)
        power = round(outlet.power_w)
        car = 1 if not outlet.is_plugged else 2 if outlet.is_charging else 4 if outlet.status == "Finishing" else 3
        found: dict[str, Any] = {
            "nrg": [230, 231, 229, 0, amps, 0, 0, power, 0, 0, 0, power, 100, 0, 0, 0],
            **{"car": car, "eto": round(outlet.energy_wh, 3), "wh": round(outlet.session_wh, 3)},
            **{"ocpps": self.held["ocppe"], "ocppc": point.is_connected or lies},
            "ocppcs": OCPP_WORDS.index(outlet.status) if outlet.status in OCPP_WORDS else 0,
        }
        if self.oem == "go-e":
            found |= {"ocppa": is_up, "ocpple": point.last_error or None, "ocpplea": None}
            found["ocppti"] = transaction.transaction_id if transaction is not None else None
        if car in (3, 4) and self.held["ocppe"]:
            found["modelStatus"] = 28
        return found

    def told(self) -> dict[str, Any]:
        """Return all keys."""
        return {**self.held, **self.live()}

    # The web interface

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request."""
        if not self.held["hai"] or self._is_lost or request.path not in ("/api/status", "/api/set"):
            return web.Response(status=404, text="Nothing matches the given URI")
        if self.is_locked:
            return web.Response(status=500, text="couldn't take api lock in 3s, please try again later")
        if request.path == "/api/status":
            return self._status(request)
        return self._set(request)

    def _status(self, request: web.Request) -> Answer:
        told = self.told()
        if "filter" not in request.query:
            return _json(told)
        wanted = self._filter(request.query["filter"])
        if wanted is None:
            return web.Response(status=400, text="filter: InvalidInput")
        return _json({key: told[key] for key in wanted if key in told})

    def _filter(self, text: str) -> list[str] | None:
        """Read a filter as this firmware does; ``None`` where it can't."""
        if version_of(self.firmware) >= (51, 4):
            return text.split(",")
        try:
            found = json.loads(text)
        except ValueError:
            return None
        return found if isinstance(found, list) and len(found) <= LEGACY_ENTRIES else None

    def _set(self, request: web.Request) -> Answer:
        said = {key: self.take(key, text) for key, text in request.query.items()}
        self.wrote.set()
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        is_content = all(answer is True for answer in said.values())
        return _json(said, status=200 if is_content else self.error_status)

    def take(self, key: str, text: str) -> bool | str:
        """Take one JSON value; it settles within a second. Returns true or a complaint."""
        self.sets.append(key)
        value, trouble = understood(key, text)
        if key == "rst" and not trouble:
            self.restart_soon()
            return True
        trouble = trouble or complaint(key, value, self.held)
        if Fault.REFUSES in self.faults:
            trouble = trouble or f"{key}: not allowed"
        if trouble:
            return trouble
        if Fault.ACCEPTS_AND_IGNORES not in self.faults:
            self.scope.isolated("settle", self._settle(key, value))
        return True

    async def _settle(self, key: str, value: Any) -> None:
        await asyncio.sleep(SETTLE_S * self.time_scale)
        if Fault.TRUNCATES in self.faults and isinstance(value, str):
            value = value[:TRUNCATED_LENGTH]
        self.held[key] = value
        if Fault.REVERTS not in self.faults:
            self._stored[key] = value
        if key.startswith("ocpp") or key == "acs":
            self._dial()
            if self.point is not None and key.startswith("ocpp"):
                await self.point.redial()

    def _dial(self) -> None:
        """Dial what stands in ``ocppu``, to the letter: nothing is appended, no header sent."""
        if self.point is None:
            return
        held, point = self.held, self.point
        point.dial_url = str(held["ocppu"]) if held["ocppe"] else ""
        point.free_vend_tag = str(held.get("ocppd", "wattpilot")) if held["acs"] == 0 else ""
        own = str(held.get("ocppsc", ""))
        point.tls = DialTls(
            roots=(own,) if own else (),
            verifies=not held.get("ocppss", False),
            names=NameCheck.NONE if held.get("ocppcn") else NameCheck.STANDARD,
            chain=str(held.get("ocppcc", "")),
            key=str(held.get("ocppck", "")),
        )

    @property
    def model(self) -> str:
        """Return its marketing generation."""
        return MODELS.get(str(self.held["typ"]), "")


def _json(found: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(dict(found)), content_type="application/json")

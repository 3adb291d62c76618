"""A simulated Tinkerforge WARP or ELTAKO wallbox: HTTP API, ``/ws``, its own OCPP client, its habits by firmware.

Sources: Tinkerforge/esp32-firmware (tags warp2-2.1.0 to warp3-2.12.1), Tinkerforge/tfocpp (src/ocpp/Connection.cpp).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from app.sim import warp_api
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.login import basic
from app.sim.webunit import Answer, WebUnit, drop

MODELS = {
    "warp": "WARP Charger Pro 11kW +NFC",
    "warp2": "WARP2 Charger Pro 11kW +RTC",
    "warp3": "WARP3 Charger Pro 22kW",
    "warp4": "WARP4 Charger Pro 22kW",
    "wallbox": "ELTAKO Wallbox 11kW",
}
MANAGER_PORT = 34127
BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
NO_TRANSACTION = 2147483647
SETTLE_S = 0.25
"""Its charge controller is asked four times a second: a slot shows its new state that much later."""
TICK_S = 1.0
LOCKED = "OCPP config may not be updated while a transaction is in progress! Unplug the vehicle."
CHARGER_STATES = {"Available": 0, "Preparing": 1, "SuspendedEVSE": 1, "SuspendedEV": 2, "Charging": 3, "Finishing": 1}
STATUSES = ("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved")
ENERGY_ID, POWER_ID = 209, 74
VALUE_IDS = (1, 2, 3, 13, 17, 21, 39, 48, 57, POWER_ID, ENERGY_ID, 364)


class WarpWallbox(WebUnit):
    """One wallbox. ``kind`` is the beginning of its name, ``uid`` the rest of it.

    ``ocpp`` prepares fields of ``ocpp/config``, ``login`` guards its pages. ``broken`` sets fields of ``evse/state``.
    ``has_manager`` announces the charge manager's service as well, at its own port. Certificates are verified by
    ``roots`` (PEM) alone.
    """

    body_limit = 10_240
    service_ports: ClassVar[Mapping[str, int]] = {"_tf-warp-cm._udp": MANAGER_PORT}

    def __init__(
        self,
        firmware: str = "2.12.1+6a4f3c2e",
        *,
        kind: str = "warp3",
        uid: str = "25qR",
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
        ocpp: Mapping[str, Any] | None = None,
        slot: bool = False,
        login: tuple[str, str] | None = None,
        has_manager: bool = False,
        evse_version: int | None = None,
        roots: tuple[str, ...] = (),
    ) -> None:
        name = f"{kind}-{uid}"
        super().__init__(
            name, host=host, port=port, time_scale=time_scale, announce=announce, label=label, faults=faults
        )
        found = re.match(r"(\d+)\.(\d+)\.(\d+)", firmware)
        self.version = tuple(int(part) for part in found.groups()) if found else (99, 0, 0)
        self.firmware, self.kind, self.uid = firmware, kind, uid
        self.objects = warp_api.objects(
            name, has_ocpp=kind != "warp", has_certificates=self.version >= (2, 1, 5), external=16000
        )
        if kind != "warp":
            self.objects["ocpp/config"] |= dict(ocpp or {})
            self.objects["evse/ocpp_enabled"]["enabled"] = slot
        self._stored = {path: dict(fields) for path, fields in self.objects.items()}
        self.login, self.roots = login, roots
        self.broken: dict[str, int] = {}
        self.evse_version = evse_version or (30 if kind in ("warp3", "warp4", "wallbox") else 20)
        self.languages: list[str] = []
        self.called: list[str] = []
        self.log = ["2026-01-02 03:04:05,678 | booted"]
        self._nonce = secrets.token_hex(16)
        self._has_manager = has_manager
        self._streams: set[asyncio.Event] = set()
        self.refuses_stream = False
        self.point: Client | None = None if kind == "warp" else self._client()

    # What a family says

    @property
    def applies_at_once(self) -> bool:
        """Say whether a change of ``ocpp/config`` counts without a restart."""
        return self.version >= (2, 10)

    def started(self) -> None:
        """Read what is stored and dial by it."""
        self.objects = {path: dict(fields) for path, fields in self._stored.items()}
        self._use_config()

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Announce its web page (with TXT from 2.12 on); on request also the charge manager's service."""
        txt = {}
        if self.version >= (2, 12):
            brand = "ELTAKO" if self.kind == "wallbox" else "Tinkerforge"
            model = "ELTAKO Wallbox" if self.kind == "wallbox" else f"{self.kind.upper()} Charger"
            txt = {
                "firmware_version": self.firmware,
                "txtvers": "1",
                "brand": brand,
                "model": model,
                "uid": str(uid_number(self.uid)),
            }
        manager = {"version": f"{MANAGER_PORT}.5", "enabled": "false", "display_name": self.name}
        return {"_http._tcp": txt} | ({"_tf-warp-cm._udp": manager} if self._has_manager else {})

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request to the API."""
        if not self._is_allowed(request):
            if request.path == "/login_state" and self.version >= (2, 3):
                return web.Response(text="Not logged in")
            challenge = f'Digest realm="esp32-lib", qop="auth", nonce="{self._nonce}", opaque="{self._nonce}"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        path = request.path.lstrip("/")
        if path == "ws":
            return await self._stream(request)
        if request.method == "GET" and path == "event_log":
            return web.Response(text="\n".join(self.log))
        if request.method == "GET":
            return self._told(path)
        if request.method == "PUT" or (request.method == "POST" and self.version >= (2, 1)):
            return await self._commanded(request, path)
        return web.Response(status=405, text="Method not allowed for API path")

    def _told(self, path: str) -> Answer:
        found = self.states().get(path)
        if found is None:
            return web.Response(status=404, text="Nothing found at this path")
        return web.json_response(found, content_type="application/json")

    async def _commanded(self, request: web.Request, path: str) -> Answer:
        self.languages.append(request.headers.get("Accept-Language", ""))
        try:
            body = await request.read()
            sent = json.loads(body) if body else None
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        except (ValueError, RecursionError):
            return web.Response(status=400, text="Failed to deserialize: InvalidInput")
        self.called.append(path)
        if path == "reboot":
            self.restart_soon()
            return web.Response()
        if path == "ocpp/reset" and self.point is not None:
            return web.Response()
        present = self.objects.get(path.removesuffix("_update"))
        if present is None:
            return web.Response(status=404, text="Nothing found at this path")
        return self._updated(request, path.removesuffix("_update"), present, sent)

    def _updated(self, request: web.Request, path: str, present: dict[str, Any], sent: Any) -> Answer:
        refusal = warp_api.complaints(present, sent)
        if Fault.REFUSES in self.faults:
            is_german = "en" not in request.headers.get("Accept-Language", "de")
            refusal = "Kann nicht gespeichert werden" if is_german else "Can not be saved"
        elif not refusal and path == "ocpp/config" and self.applies_at_once and self._transaction is not None:
            refusal = LOCKED
        if refusal:
            return web.Response(status=400, text=refusal)
        self._take(path, warp_api.merged(present, sent))
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        return web.Response()

    def _take(self, path: str, fields: dict[str, Any]) -> None:
        if Fault.TRUNCATES in self.faults:
            fields = {field: value[:24] if isinstance(value, str) else value for field, value in fields.items()}
        if Fault.REVERTS not in self.faults:
            self._stored[path] = dict(fields)
        if path.startswith("evse/"):
            self.scope.isolated(f"settle/{path}", self._settle(path, fields))
            return
        self.objects[path] = fields
        if path == "ocpp/config" and self.applies_at_once:
            self._use_config()
            if self.point is not None:
                self.point.redial_soon(0.1)
        self._tell()

    async def _settle(self, path: str, fields: dict[str, Any]) -> None:
        await asyncio.sleep(SETTLE_S * self.time_scale)
        self.objects[path] = fields
        self._tell()

    # What it tells

    def states(self) -> dict[str, Any]:
        """Return every object of the API as it is told now."""
        own = {path: warp_api.shown(path, fields) for path, fields in self.objects.items()}
        return own | self._info() | self._condition() | self._metered() | (self._ocpp() if self.point else {})

    def _info(self) -> dict[str, Any]:
        name = {"name": self.name, "type": self.kind, "display_type": MODELS[self.kind], "uid": self.uid}
        return {
            "info/name": name,
            "info/version": {"firmware": self.firmware, "config": self.firmware.partition("+")[0], "config_type": "w"},
            "info/features": ["evse", "meter", "meters", "nfc"],
            "wifi/state": {"connection_state": 3, "sta_rssi": -58, "sta_ip": self.host},
            "certs/state": {"certs": []},
        }

    def _condition(self) -> dict[str, Any]:
        status = self.point.outlet(1).status if self.point else "Available"
        state = {
            "iec61851_state": 2 if status == "Charging" else 0,
            "charger_state": CHARGER_STATES.get(status, 0),
            "contactor_state": 3 if status == "Charging" else 1,
            "contactor_error": 0,
            "allowed_charging_current": 16000,
            "error_state": 0,
            "lock_state": 0,
            "dc_fault_current_state": 0,
        }
        return {
            "evse/state": state | self.broken,
            "evse/low_level_state": {"uptime": 123456, "temperature": 2820},
            "evse/hardware_configuration": {"evse_version": self.evse_version, "has_lock_switch": False},
        }

    def _metered(self) -> dict[str, Any]:
        outlet = self.point.outlet(1) if self.point else None
        power, current = (outlet.power_w, outlet.current_a) if outlet else (0.0, 0.0)
        energy = round((outlet.energy_wh if outlet else 100_000.0) / 1000, 6)
        if self.version < (2, 3):
            return {"meter/values": {"power": power, "energy_rel": None, "energy_abs": energy}}
        values = [230.0, 230.0, 230.0, current, 0.0, 0.0, power, 0.0, 0.0, power, energy, 50.0]
        return {"meters/0/value_ids": list(VALUE_IDS), "meters/0/values": values}

    def _ocpp(self) -> dict[str, Any]:
        assert self.point is not None
        status = self.point.outlet(1).status
        is_accepted = self.point.is_connected and self.point.registration == "Accepted"
        lies = Fault.LIES_CONNECTED in self.faults
        state = {
            "charge_point_state": 2 if is_accepted or lies else 3 if self.point.registration == "Pending" else 0,
            "charge_point_status": 0,
            "connector_state": 8 if self._transaction else 0,
            "connector_status": STATUSES.index(status) if status in STATUSES else 8,
            "txn_id": NO_TRANSACTION if self._transaction is None else self._transaction.transaction_id or -1,
            "connected": self.point.is_connected or lies,
        }
        return {"ocpp/state": state, "ocpp/configuration": {"HeartbeatInterval": "60", "WebSocketPingInterval": "10"}}

    @property
    def _transaction(self) -> Any:
        return self.point.outlet(1).transaction if self.point else None

    # Its OCPP client

    def _client(self) -> Client:
        keys = standard_keys()
        keys["SupportedFeatureProfiles"] = ConfigKey("Core,SmartCharging", readonly=True)
        vendor = "ELTAKO GmbH" if self.kind == "wallbox" else "Tinkerforge GmbH"
        boot = {
            "chargePointVendor": vendor,
            "chargePointModel": MODELS[self.kind].replace(" Charger", "").replace(" Wallbox", "")[:20],
            "chargePointSerialNumber": self.name,
            "firmwareVersion": self.firmware,
        }
        return Client(
            self.name,
            "",
            boot=boot,
            configuration=keys,
            on_reset=lambda _kind: self.restart_soon(),
            redial_s=10.0,
            time_scale=self.time_scale,
            faults=self.faults,
            boots_on_redial=True,
            tls=DialTls(roots=self.roots),
        )

    def _use_config(self) -> None:
        if self.point is None:
            return
        config = self.objects["ocpp/config"]
        self.point.dial_url, self.point.headers, self.point.spare = dialled(config), (), ()
        if not config["enable_auth"]:
            return
        spellings = [basic(config["identity"], raw) for raw in self._passwords(config["pass"])]
        self.point.headers, self.point.spare = spellings[0], spellings[-1] if spellings[1:] else ()

    def _passwords(self, text: str) -> list[bytes]:
        """Return what it sends: 40 hexadecimal digits decoded, from 2.5 on in turn with the text itself."""
        if re.fullmatch(r"[0-9A-Fa-f]{40}", text) is None:
            return [text.encode()]
        return [bytes.fromhex(text), text.encode()] if self.version >= (2, 5) else [bytes.fromhex(text)]

    # Its login and its stream

    def _is_allowed(self, request: web.Request) -> bool:
        if self.login is None:
            return True
        header = request.headers.get("Authorization", "")
        if not header.startswith("Digest "):
            return False
        fields = dict(re.findall(r'(\w+)=(?:"([^"]*)"|[^,\s]+)', header)) | dict(
            re.findall(r"(nc|qop|algorithm)=([^\",\s]+)", header)
        )
        user, password = self.login
        first = _md5(f"{user}:esp32-lib:{password}")
        second = _md5(f"{request.method}:{fields.get('uri', '')}")
        parts = (first, *(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")), second)
        return fields.get("username") == user and fields.get("response") == _md5(":".join(parts))

    async def _stream(self, request: web.Request) -> Answer:
        if self.refuses_stream:
            return web.Response(status=404)
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        told: dict[str, Any] = {}
        news = asyncio.Event()
        self._streams.add(news)
        try:
            while not stream.closed:
                now = {"info/keep_alive": {"uptime": 1}} | self.states()
                lines = [json.dumps({"topic": key, "payload": now[key]}) for key in now if told.get(key) != now[key]]
                told = now
                await stream.send_str("\n".join([*lines, ""]))
                news.clear()
                await self._until(news)
        except ConnectionError:
            pass
        finally:
            self._streams.discard(news)
        return stream

    async def _until(self, news: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(max(TICK_S * self.time_scale, 0.02)):
                await news.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        for news in self._streams:
            news.set()


class Client(ChargePoint):
    """An OCPP client that has two spellings of one password and takes the other one after each failure."""

    spare: tuple[tuple[str, str], ...] = ()

    def dial_failed(self) -> None:
        """Count it, and change the spelling."""
        super().dial_failed()
        if self.spare:
            self.headers, self.spare = self.spare, self.headers


def uid_number(uid: str) -> int:
    """Return a UID as mDNS tells it: the number that its base58 digits stand for."""
    number = 0
    for digit in uid:
        number = number * len(BASE58) + BASE58.index(digit)
    return number


def dialled(config: Mapping[str, Any]) -> str:
    """Join as tfocpp does: always a slash, the identity percent-encoded. Empty = don't dial."""
    if not config["enable"] or not config["url"]:
        return ""
    return f"{config['url']}/{urllib.parse.quote(config['identity'], safe='-_.~')}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

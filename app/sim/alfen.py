"""A simulated Alfen Eve: its local web interface, one session at a time, and its own OCPP client.

Sources: app/drivers/alfen. Two things nobody has published are our own assumption: that a second program finds its
connection closed (``Lockout.DROPS``) or its login forbidden (``Lockout.FORBIDS``), and that a foreign preset puts its
address back at the next start.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from aiohttp import web

from app.sim.alfen_live import live
from app.sim.alfen_store import READ_ONLY, TEXT, Era, Property, era_of, properties
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault
from app.sim.login import basic
from app.sim.selfsigned import self_signed
from app.sim.webunit import Answer, WebUnit, drop

PAGE = 12
"""Properties a page of a category holds."""
BATCH = 15
"""Writes one request may carry (pbasista/alfenctl, docs/how-it-works.md)."""
LOG_PAGE = 8
OWNER = "owner-pass-1"

MIME = "alfen/json"
"""The content type of every answer (leeyuentuen/alfen_wallbox, doc/alfen_props.md)."""


class Lockout(Enum):
    """What another program meets while one is logged in."""

    DROPS = "drops"
    FORBIDS = "forbids"


class AlfenStation(WebUnit):
    """One station. ``stored`` are its properties; what it dials is what was stored when it last started."""

    def __init__(
        self,
        firmware: str = "6.6.0-4252",
        *,
        serial: str = "ACE0674793",
        identity: str = "",
        model: str = "NG910-60027",
        sockets: int = 1,
        password: str = OWNER,
        preset: str = "",
        lockout: Lockout = Lockout.DROPS,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        self.era = era_of(firmware)
        super().__init__(
            f"alfen-{serial.lower()}",
            host=host,
            port=port,
            time_scale=time_scale,
            announce=announce,
            label=label,
            faults=faults,
            tls=None if self.era is Era.HTTP else self_signed("Alfen"),
        )
        self.serial, self.firmware, self.model, self.sockets = serial, firmware, model, sockets
        self.password, self.lockout = password, lockout
        self.stored = properties(serial, identity or serial, firmware, model, sockets)
        self.hidden: dict[int, bytes] = {}
        self.log: list[str] = [f"{number}_2026-01-01T00:00:{number:02}:INFO:start" for number in range(20)]
        self.logins = self.logouts = self.refused = self.writes = self._left_open = 0
        self.free = asyncio.Event()
        self.free.set()
        self._holder: asyncio.BaseTransport | None = None
        self._held_since = 0
        self._pass = ""
        self._preset: dict[str, Any] = {}
        if preset:
            self.stored["2076_0"].value = preset
            self._preset = {key: self.stored[key].value for key in ("2071_1", "2071_2", "20F0_3") if key in self.stored}
        self.point = self._charge_point()

    # What it is

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Return the service type of its generation."""
        return {"_lolo3._http._tcp" if self.era is Era.HTTP else "_alfen._tcp": {}}

    @property
    def left_open(self) -> int:
        """Return how many sessions somebody walked away from without a logout, or still holds."""
        return self._left_open + (self._held_by() is not None)

    def started(self) -> None:
        """Dial what is stored; a foreign preset has its own address back."""
        for name, value in self._preset.items():
            self.stored[name].value = value
        self._holder = None
        self.free.set()
        assert self.point is not None
        self.point.identity = str(self.stored["2053_0"].value)
        self.point.dial_url = self.dial_url()
        secret = self.hidden.get(0, b"")
        has_login = bool(secret) and self._level() in (1, 2)
        self.point.headers = basic(self.point.identity, secret) if has_login else ()

    def dial_url(self) -> str:
        """Join as it dials: address, path, identity."""
        found = {key: item.value for key, item in self.stored.items()}
        if "20F0_3" in found:
            base = str(found["20F0_3"]) if found["20F0_E"] else ""
        else:
            host, path = str(found["2071_1"]), str(found["2071_2"]).strip("/")
            scheme = "" if "://" in host else "wss://" if self._level() >= 2 else "ws://"
            base = f"{scheme}{host.rstrip('/')}/{path}" if host and found["2077_0"] else ""
        return f"{base.rstrip('/')}/{found['2053_0']}" if base else ""

    def _level(self) -> int:
        key = "20F0_5" if "20F0_5" in self.stored else "2723_0"
        return int(self.stored[key].value) if key in self.stored else 0

    def _charge_point(self) -> ChargePoint:
        keys = standard_keys()
        keys["NumberOfConnectors"] = ConfigKey(str(self.sockets), readonly=True)
        boot = {
            "chargePointVendor": "Alfen BV",
            "chargePointModel": self.model,
            "chargePointSerialNumber": self.serial,
            "firmwareVersion": self.firmware,
        }
        return ChargePoint(
            str(self.stored["2053_0"].value),
            "",
            boot=boot,
            configuration=keys,
            on_reset=lambda _kind: self.restart_soon(),
            redial_s=10.0,
            time_scale=self.time_scale,
            connectors=self.sockets,
            faults=self.faults,
        )

    # Its web interface

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request; while somebody is logged in, nobody else is served."""
        holder = self._held_by()
        if holder not in (None, request.transport) and self.lockout is Lockout.DROPS:
            drop(request)
            return web.Response(status=500)
        path = request.path.removeprefix("/api/")
        if path == "info" and request.method == "GET":
            return reply(self._info())
        if path == "login":
            return await self._log_in(request, holder)
        if not self._may(request, holder):
            return web.Response(status=401)
        if path == "logout":
            self._let_go()
            self.logouts += 1
            return web.Response()
        return await self._inside(request, path)

    async def _inside(self, request: web.Request, path: str) -> Answer:
        if (request.method, path) == ("GET", "prop"):
            return self._read(request)
        if (request.method, path) == ("GET", "log"):
            offset = int(request.query.get("offset", "0") or 0)
            end = len(self.log) - offset
            return web.Response(text="\n".join(self.log[max(0, end - LOG_PAGE) : max(0, end)]))
        if request.method == "POST" and path in ("prop", "domain", "cmd"):
            body = await body_of(request)
            return {"prop": self._write, "domain": self._install, "cmd": self._command}[path](request, body)
        return web.Response(status=404)

    def _info(self) -> dict[str, str]:
        return {
            "Identity": str(self.stored["2053_0"].value),
            "FWVersion": self.firmware,
            "Model": self.model,
            "ObjectId": self.serial,
            "Type": f"{self.sockets}.0.1",
        }

    async def _log_in(self, request: web.Request, holder: asyncio.BaseTransport | None) -> Answer:
        body = await body_of(request)
        if holder not in (None, request.transport):
            return web.Response(status=403)
        if body.get("username") != "admin":
            return web.Response(status=400)
        if body.get("password") != self.password:
            self.refused += 1
            return web.Response(status=403)
        self.logins += 1
        self._holder, self._held_since, self._pass = request.transport, self.restarts, secrets.token_hex(16)
        self.free.clear()
        if self.era is Era.TOKENS:
            return reply({"access": self._pass, "refresh": secrets.token_hex(16)})
        answer = web.Response()
        answer.set_cookie("session", self._pass)
        return answer

    def _may(self, request: web.Request, holder: asyncio.BaseTransport | None) -> bool:
        if holder is None or holder is not request.transport:
            return False
        header = request.headers.get("Authorization", "")
        if self.era is Era.TOKENS:
            return header == f"Bearer {self._pass}"
        if self.era is Era.HTTP and header != dict(basic("admin", self.password.encode()))["Authorization"]:
            return False
        return request.cookies.get("session") == self._pass

    def _read(self, request: web.Request) -> Answer:
        now = {**self.stored, **live(self)}
        ids, category = request.query.get("ids"), request.query.get("cat")
        if ids is not None:
            found = [now[key] for key in ids.split(",") if key in now]
            return reply(page(found, 0, len(found)))
        found = [item for item in now.values() if item.category == category]
        offset = int(request.query.get("offset", "0") or 0)
        return reply(page(found[offset : offset + PAGE], offset, len(found)))

    def _write(self, request: web.Request, body: dict[str, Any]) -> Answer:
        if Fault.REFUSES in self.faults or not body or len(body) > BATCH:
            return web.Response(status=400)
        for key, entry in body.items():
            item = self.stored.get(key)
            if item is None or item.access == READ_ONLY or not isinstance(entry, dict):
                return web.Response(status=400)
            if not self._store(item, entry.get("value")):
                return web.Response(status=400)
        self.writes += 1
        if Fault.DROPS_MID_WRITE in self.faults:
            self._let_go()
            drop(request)
        return self._close_session(web.Response())

    def _store(self, item: Property, value: Any) -> bool:
        if (item.type == TEXT) != isinstance(value, str):
            return False
        if item.id in ("2723_0", "20F0_5") and value < item.value:
            return False
        if isinstance(value, str) and Fault.TRUNCATES in self.faults:
            value = value[:8]
        if Fault.ACCEPTS_AND_IGNORES not in self.faults:
            item.value = value
        return True

    def _install(self, _request: web.Request, body: dict[str, Any]) -> Answer:
        if body.get("cmd") != "add" or not isinstance(body.get("type"), int):
            return web.Response(status=400)
        try:
            self.hidden[body["type"]] = bytes.fromhex(str(body.get("data", "")))
        except ValueError:
            return web.Response(status=400)
        self.writes += 1
        return self._close_session(web.Response())

    def _command(self, _request: web.Request, body: dict[str, Any]) -> Answer:
        if body.get("command") != "reboot":
            return web.Response(status=400)
        self.restart_soon(0.5)
        return web.Response()

    def _close_session(self, answer: web.Response) -> Answer:
        """End the session, as the station does after every write."""
        self._let_go()
        answer.force_close()
        return answer

    def _held_by(self) -> asyncio.BaseTransport | None:
        if self._holder is not None and self._holder.is_closing():
            self._left_open += self._held_since == self.restarts and not self._down.is_set()
            self._let_go()
        return self._holder

    def _let_go(self) -> None:
        self._holder, self._pass = None, ""
        self.free.set()


def page(found: list[Property], offset: int, total: int) -> dict[str, Any]:
    """Return one page of properties."""
    return {"version": 2, "properties": [item.shown() for item in found], "offset": offset, "total": total}


def reply(content: dict[str, Any]) -> web.Response:
    """Answer JSON as the station labels it."""
    return web.Response(text=json.dumps(content), content_type=MIME)


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request, empty where it is none."""
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

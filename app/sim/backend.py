"""A simulated backend to move chargers to: strict where ours is tolerant, and built on another code path.

It knows its chargers by provisioning: an unknown identity gets 404, a wrong or missing password 401, a missing
subprotocol 400 (connection-failures, "HTTP answer to an upgrade"). ``GET /api/stations`` tells what it saw.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import http
import itertools
import json
import logging
import urllib.parse
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from app.sim.backend2 import entered2

log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("ocpp1.6")
SUBPROTOCOLS = {"1.6": SUBPROTOCOL, "2.0.1": Subprotocol("ocpp2.0.1"), "2.1": Subprotocol("ocpp2.1")}
CALL_LIMIT_S = 30.0
MAX_FRAME = 1_000_000
MAX_SAMPLES = 10_000


@dataclass(slots=True)
class Seen:
    """What the backend knows of one identity. Energies in Wh as sent, times in UTC."""

    identity: str
    is_connected: bool = False
    connected_at: datetime | None = None
    booted_at: datetime | None = None
    boot: dict[str, Any] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)
    transaction_id: int | str | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    samples_wh: list[float] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    @property
    def charged_wh(self) -> float:
        """Return the energy of the present or last session."""
        if self.meter_start_wh is None:
            return 0.0
        last = self.meter_stop_wh if self.meter_stop_wh is not None else max(self.samples_wh, default=0.0)
        return max(0.0, last - self.meter_start_wh)

    def told(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "identity": self.identity,
            "connected": self.is_connected,
            "connected_at": _stamp(self.connected_at),
            "booted_at": _stamp(self.booted_at),
            "boot": self.boot,
            "statuses": {str(connector): status for connector, status in self.statuses.items()},
            "transaction_id": self.transaction_id,
            "started_at": _stamp(self.started_at),
            "stopped_at": _stamp(self.stopped_at),
            "charged_wh": self.charged_wh,
            "samples": len(self.samples_wh),
            "refusals": self.refusals,
        }


class NewBackend:
    """The backend. Use it as an async context manager; ``url`` is known inside.

    ``passwords`` maps provisioned identities to passwords; an empty password means that none is asked.
    """

    def __init__(
        self, passwords: dict[str, str] | None = None, *, host: str = "127.0.0.1", port: int = 0, path: str = "/ocpp"
    ) -> None:
        self.passwords: dict[str, str] = dict(passwords or {})
        self.versions: dict[str, str] = {}
        self.stations: dict[str, Seen] = {}
        self._host = host
        self._port = port
        self._path = path.rstrip("/")
        self._server: Server | None = None
        self._links: dict[str, ServerConnection] = {}
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._numbers = itertools.count(1)
        self._transactions = itertools.count(7001)

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._admit,
            select_subprotocol=self._agree,
            compression=None,
            max_size=MAX_FRAME,
            server_header="NewBackend (simulated)",
            close_timeout=1,
            logger=_quiet(),
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return the base URL, without an identity."""
        return f"ws://{self._host}:{self._port}{self._path}"

    @property
    def api(self) -> str:
        """Return where its HTTP interface tells what it saw."""
        return f"http://{self._host}:{self._port}/api/stations"

    def provision(self, identity: str, password: str = "", *, version: str = "1.6") -> None:
        """Make an identity known, with the one version it is to speak (``1.6``, ``2.0.1``, ``2.1``)."""
        self.passwords[identity] = password
        self.versions[identity] = version

    async def arrival(self, identity: str, *, timeout_s: float, after: datetime | None = None) -> Seen:
        """Wait until the unit has booted here (after a time); raises TimeoutError."""

        def is_there() -> bool:
            seen = self.stations.get(identity)
            booted_at = seen.booted_at if seen else None
            return booted_at is not None and (after is None or booted_at > after)

        await self._until(is_there, timeout_s)
        return self.stations[identity]

    async def charged(self, identity: str, *, samples: int = 2, timeout_s: float) -> Seen:
        """Wait until a session runs and so many meter values have come; raises TimeoutError."""

        def is_enough() -> bool:
            seen = self.stations.get(identity)
            return seen is not None and seen.transaction_id is not None and len(seen.samples_wh) >= samples

        await self._until(is_enough, timeout_s)
        return self.stations[identity]

    async def start(self, identity: str, connector: int = 1, tag: str = "REHOME") -> str:
        """Start a charge from afar and return the status."""
        if self._speaks_2(identity):
            token = {"idToken": tag, "type": "Central"}
            order = {"evseId": connector, "idToken": token, "remoteStartId": next(self._numbers)}
            return str((await self.call(identity, "RequestStartTransaction", order)).get("status"))
        answer = await self.call(identity, "RemoteStartTransaction", {"connectorId": connector, "idTag": tag})
        return str(answer.get("status"))

    async def stop(self, identity: str) -> str:
        """Stop the running session from afar and return the status."""
        transaction_id = self.stations[identity].transaction_id
        action = "RequestStopTransaction" if self._speaks_2(identity) else "RemoteStopTransaction"
        answer = await self.call(identity, action, {"transactionId": transaction_id})
        return str(answer.get("status"))

    async def call(self, identity: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a call; raises KeyError (not connected), TimeoutError, or RuntimeError on a CALLERROR."""
        uid = f"nb-{next(self._numbers)}"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[uid] = future
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await self._links[identity].send(json.dumps([2, uid, action, payload]))
                return await future
        finally:
            self._waiting.pop(uid, None)

    # The handshake ------------------------------------------------------------------------------------------------

    def _admit(self, _link: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path.startswith("/api/"):
            return self._tell(path)
        base, _, last = path.rpartition("/")
        identity = urllib.parse.unquote(last)
        if base != self._path:
            return self._refusal(identity, http.HTTPStatus.NOT_FOUND, b"no such path")
        if identity not in self.passwords:
            return self._refusal(identity, http.HTTPStatus.NOT_FOUND)
        if not self._is_welcome(identity, request.headers.get("Authorization", "")):
            return self._refusal(identity, http.HTTPStatus.UNAUTHORIZED)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if self._wanted(identity) not in [part.strip() for part in offered.split(",")]:
            return self._refusal(identity, http.HTTPStatus.BAD_REQUEST)
        return None

    def _is_welcome(self, identity: str, header: str) -> bool:
        wanted = self.passwords[identity]
        if not wanted:
            return True
        scheme, _, token = header.partition(" ")
        try:
            sent = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and sent == f"{identity}:{wanted}".encode()

    def _refusal(self, identity: str, status: http.HTTPStatus, body: bytes = b"") -> Response:
        if identity in self.passwords:
            self._seen(identity).refusals.append(int(status))
            del self._seen(identity).refusals[:-50]
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        if status is http.HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return Response(int(status), status.phrase, headers, body)

    def _tell(self, path: str) -> Response:
        wanted = path.removeprefix("/api/stations").strip("/")
        seen = [station.told() for name, station in sorted(self.stations.items()) if wanted in ("", name)]
        body = json.dumps(seen, indent=1).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(200, "OK", headers, body)

    def _agree(self, link: ServerConnection, offered: Any) -> Subprotocol | None:
        assert link.request is not None
        wanted = self._wanted(urllib.parse.unquote(link.request.path.partition("?")[0].rpartition("/")[2]))
        return wanted if wanted in offered else None

    def _wanted(self, identity: str) -> Subprotocol:
        return SUBPROTOCOLS[self.versions.get(identity, "1.6")]

    def _speaks_2(self, identity: str) -> bool:
        return self.versions.get(identity, "1.6") != "1.6"

    # The conversation ---------------------------------------------------------------------------------------------

    async def _serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        identity = urllib.parse.unquote(link.request.path.partition("?")[0].rpartition("/")[2])
        seen = self._seen(identity)
        seen.is_connected, seen.connected_at = True, datetime.now(UTC)
        self._links[identity] = link
        try:
            async for text in link:
                await self._received(link, seen, text)
                await self._notify()
        except ConnectionClosed:
            pass
        finally:
            if self._links.get(identity) is link:
                del self._links[identity]
                seen.is_connected = False

    async def _received(self, link: ServerConnection, seen: Seen, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            await link.close(1007, "not JSON")
            return
        match message:
            case [2, str(uid), str(action), dict(payload)]:
                await link.send(json.dumps(self._answered(seen, uid, action, payload)))
            case [3, str(uid), dict(payload)] if uid in self._waiting:
                self._waiting[uid].set_result(payload)
            case [4, str(uid), code, *_] if uid in self._waiting:
                self._waiting[uid].set_exception(RuntimeError(str(code)))
            case _:
                await link.close(1002, "not OCPP")

    def _answered(self, seen: Seen, uid: str, action: str, payload: dict[str, Any]) -> list[Any]:
        if action == "BootNotification":
            seen.boot, seen.booted_at = payload, datetime.now(UTC)
            return [3, uid, {"currentTime": _now(), "interval": 60, "status": "Accepted"}]
        if seen.booted_at is None and action not in ("Heartbeat", "StatusNotification"):
            return [4, uid, "SecurityError", "boot first", {}]
        try:
            enter = entered2 if self._speaks_2(seen.identity) else self._entered
            answer = enter(seen, action, payload)
        except (KeyError, TypeError, ValueError) as error:
            return [4, uid, "FormationViolation", str(error), {}]
        return [4, uid, "NotImplemented", action, {}] if answer is None else [3, uid, answer]

    def _entered(self, seen: Seen, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        match action:
            case "Heartbeat":
                return {"currentTime": _now()}
            case "StatusNotification":
                seen.statuses[int(payload["connectorId"])] = str(payload["status"])
                return {}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                return self._started(seen, payload)
            case "MeterValues":
                seen.samples_wh += _energies(payload)
                del seen.samples_wh[:-MAX_SAMPLES]
                return {}
            case "StopTransaction":
                seen.meter_stop_wh, seen.stopped_at = float(payload["meterStop"]), datetime.now(UTC)
                seen.transaction_id = None
                return {"idTagInfo": {"status": "Accepted"}}
            case "DataTransfer":
                return {"status": "UnknownVendorId"}
            case _:
                return None

    def _started(self, seen: Seen, payload: dict[str, Any]) -> dict[str, Any]:
        seen.transaction_id = next(self._transactions)
        seen.meter_start_wh, seen.meter_stop_wh = float(payload["meterStart"]), None
        seen.started_at, seen.stopped_at = datetime.now(UTC), None
        seen.samples_wh.clear()
        return {"transactionId": seen.transaction_id, "idTagInfo": {"status": "Accepted"}}

    def _seen(self, identity: str) -> Seen:
        return self.stations.setdefault(identity, Seen(identity))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, is_true: Any, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(is_true)


def _energies(payload: dict[str, Any]) -> list[float]:
    found = []
    for value in payload["meterValue"]:
        for sample in value["sampledValue"]:
            if sample.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register":
                found.append(float(sample["value"]) * (1000 if sample.get("unit") == "kWh" else 1))
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None


def _quiet() -> logging.Logger:
    """Return a logger that keeps to itself what strangers do at the port."""
    quiet = logging.getLogger("app.sim.backend.wire")
    quiet.setLevel(logging.CRITICAL)
    return quiet

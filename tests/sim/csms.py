"""A central system that is not ours: the ``ocpp`` package's own classes on a ``websockets`` server, validation on.

What fails its validation is logged as an error, and the root conftest fails the test for that.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import ocpp.v16
import ocpp.v21
import ocpp.v201
from jsonschema import Draft7Validator
from ocpp.charge_point import camel_to_snake_case
from ocpp.messages import Call, CallError, validate_payload
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

Json = dict[str, Any]

KINDS = {"ocpp1.6": ocpp.v16.ChargePoint, "ocpp2.0.1": ocpp.v201.ChargePoint, "ocpp2.1": ocpp.v21.ChargePoint}

SAID_16 = [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
]
SAID_2 = [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "ClearedChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
    "StatusNotification",
    "TransactionEvent",
    "OpenPeriodicEventStream",
    "NotifySettlement",
]


SEND = Draft7Validator(
    json.loads((Path(ocpp.v21.__file__).parent / "schemas/NotifyPeriodicEventStream.json").read_text("utf-8-sig"))
)
"""The package knows no SEND yet; its schema does."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CallRefused(Exception):
    """The station answered with a CALLERROR."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.error_code, error.error_description)
        self.code = error.error_code


class Csms:
    """One central system; ``said`` holds all it heard, in order, as (action, payload)."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Json]] = []
        self.headers: list[Any] = []
        self.paths: list[str] = []
        self.boot_statuses: list[str] = []
        self.interval = 300
        self.token_status = "Accepted"
        self.answers: dict[str, Callable[[Json], Json]] = {}
        self.port = 0
        self.scheme = "ws"
        self._point: Any = None
        self._link: ServerConnection | None = None
        self._changed = asyncio.Condition()
        self._transactions = 100
        self._orders = 0
        self._pinged = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/ocpp"

    async def order(
        self, action: str, payload: Json | None = None, *, timeout_s: float = 5, is_checked: bool = True
    ) -> Json:
        """Send a command as the package would, both ways validated, and return the answer."""
        point = self._point
        self._orders += 1
        call = Call(unique_id=f"c-{self._orders}", action=action, payload=payload or {})
        if is_checked:
            await validate_payload(call, point._ocpp_version)
        async with point._call_lock:
            await point._send(call.to_json())
            answer = await point._get_specific_response(call.unique_id, timeout_s)
        if isinstance(answer, CallError):
            raise CallRefused(answer)
        answer.action = action
        await validate_payload(answer, point._ocpp_version)
        return answer.payload

    async def hears(self, action: str, is_it: Callable[[Json], bool] = lambda _: True, *, after: int = 0) -> Json:
        """Wait until it was told something fitting, and return that."""

        def found() -> Json | None:
            return next((told for name, told in self.said[after:] if name == action and is_it(told)), None)

        async with asyncio.timeout(8), self._changed:
            await self._changed.wait_for(lambda: found() is not None)
        got = found()
        assert got is not None
        return got

    def all(self, action: str) -> list[Json]:
        return [told for name, told in self.said if name == action]

    @property
    def mark(self) -> int:
        """Where it is now, for ``hears(after=...)``."""
        return len(self.said)

    async def drop(self) -> None:
        assert self._link is not None
        self._link.transport.abort()

    async def ping(self) -> asyncio.Future[float]:
        """Send a WebSocket ping; what it returns is done when the pong comes."""
        assert self._link is not None
        return cast("asyncio.Future[float]", await self._link.ping())

    async def pinged(self) -> None:
        """Wait for a ping of the station."""
        async with asyncio.timeout(5):
            await self._pinged.wait()

    def note_ping(self) -> None:
        self._pinged.set()

    # What it answers

    def answer(self, action: str, told: Json) -> Json:
        if action in self.answers:
            return self.answers[action](told)
        info = {"status": self.token_status}
        match action:
            case "BootNotification":
                status = self.boot_statuses.pop(0) if self.boot_statuses else "Accepted"
                return {"currentTime": now(), "interval": self.interval, "status": status}
            case "Heartbeat":
                return {"currentTime": now()}
            case "Authorize":
                return {"idTagInfo" if "idTag" in told else "idTokenInfo": info}
            case "StartTransaction":
                self._transactions += 1
                return {"transactionId": self._transactions, "idTagInfo": info}
            case "TransactionEvent":
                return {"idTokenInfo": info} if "idToken" in told else {}
            case "SignCertificate":
                return {"status": "Accepted"}
            case "DataTransfer":
                return {"status": "UnknownVendorId"}
            case _:
                return {}

    async def serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        self.paths.append(link.request.path)
        self.headers.append(link.request.headers)
        kind = KINDS[link.subprotocol or "ocpp1.6"]
        point = kind(link.request.path.rpartition("/")[2], link)
        said = SAID_16 if kind is ocpp.v16.ChargePoint else SAID_2
        point.route_map = {
            action: {"_on_action": self._hook(point, action)} for action in said if hasattr(point._call_result, action)
        }
        self._point, self._link = point, link
        listener = _Listener(point, self)
        with suppress(ConnectionClosed):
            await listener.run()

    async def heard(self, action: str, payload: Json) -> None:
        async with self._changed:
            self.said.append((action, payload))
            self._changed.notify_all()

    def _hook(self, point: Any, action: str) -> Callable[..., Any]:
        made = getattr(point._call_result, action)
        return lambda **_fields: made(**camel_to_snake_case(self.answer(action, point.last_told)))


class _Listener:
    """Feeds the package's ChargePoint and notes the raw payloads before it turns their names around."""

    def __init__(self, point: Any, csms: Csms) -> None:
        self._point, self._csms = point, csms

    async def run(self) -> None:
        handle = self._point._handle_call

        async def noted(msg: Call) -> None:
            self._point.last_told = msg.payload
            await handle(msg)
            await self._csms.heard(msg.action, msg.payload)

        route = self._point.route_message

        async def routed(raw: str) -> None:
            try:
                message = json.loads(raw)
            except ValueError:
                return  # a message that was cut: nobody can answer it
            if message[0] == 5:
                await self._csms.heard("CALLRESULTERROR", {"code": message[2]})
            elif message[0] == 6:
                SEND.validate(message[3])
                await self._csms.heard(message[2], message[3])
            else:
                await route(raw)

        self._point._handle_call = noted
        self._point.route_message = routed
        await self._point.start()


class _Link(ServerConnection):
    """Notes pings."""

    def __init__(self, central: Csms, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._central = central

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self._central.note_ping()
        super().process_event(event)


@asynccontextmanager
async def csms(
    version: str = "ocpp2.0.1", *, context: ssl.SSLContext | None = None, port: int = 0, **options: Any
) -> AsyncIterator[Csms]:
    """A running central system of one version."""
    central = Csms()
    server: Server
    async with serve(
        central.serve,
        "127.0.0.1",
        port,
        subprotocols=[version],
        ssl=context,
        compression=None,
        ping_interval=None,
        close_timeout=0.2,
        create_connection=partial(_Link, central),
        **options,
    ) as server:
        central.port = server.sockets[0].getsockname()[1]
        central.scheme = "wss" if context else "ws"
        yield central
        server.close(close_connections=True)

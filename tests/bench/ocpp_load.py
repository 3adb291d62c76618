"""A crowd of charge points on raw sockets, for benchmarks: prepared frames, answers counted, nothing parsed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

BOOT = {
    "chargePointVendor": "Acme",
    "chargePointModel": "Wall 1",
    "chargePointSerialNumber": "SN-0001",
    "firmwareVersion": "1.4.2",
    "iccid": "89490200001234567890",
    "meterType": "M1",
}
PHASES = ("L1", "L2", "L3")
MEASURANDS = (
    ("Energy.Active.Import.Register", "", "Wh"),
    ("SoC", "", "Percent"),
    ("Frequency", "", "Hertz"),
    *(("Current.Import", phase, "A") for phase in PHASES),
    *(("Voltage", f"{phase}-N", "V") for phase in PHASES),
    *(("Power.Active.Import", phase, "W") for phase in PHASES),
)
AT = "{now}"
"""Stands for the time of sending: an old stamp would be another story (failures 13)."""
METER = {
    "connectorId": 1,
    "transactionId": 1,
    "meterValue": [
        {
            "timestamp": AT,
            "sampledValue": [
                {"value": "230.1", "context": "Sample.Periodic", "format": "Raw", "measurand": name}
                | ({"unit": unit} if name != "Frequency" else {})
                | ({"phase": phase} if phase else {})
                for name, phase, unit in MEASURANDS
            ],
        }
    ],
}
EVENT = {
    "eventType": "Updated",
    "timestamp": AT,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 5,
    "transactionInfo": {"transactionId": "T-0001", "chargingState": "Charging"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [
        {
            "timestamp": AT,
            "sampledValue": [
                {"value": 230.1, "context": "Sample.Periodic", "measurand": name, "unitOfMeasure": {"unit": unit}}
                | ({"phase": phase} if phase else {})
                for name, phase, unit in MEASURANDS
            ],
        }
    ],
}
MESSAGES: dict[str, dict[str, Any]] = {
    "BootNotification": BOOT,
    "Heartbeat": {},
    "MeterValues": METER,
    "TransactionEvent": EVENT,
}
"""What is sent: 1.6, but for TransactionEvent (2.0.1). Twelve sampled values in each of the last two."""


STARTED = EVENT | {
    "eventType": "Started",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 1000, "context": "Transaction.Begin"}]}],
}
BOOT_2 = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Wall 2"}}
"""What a charge point says before it goes on with the rest."""


def subprotocol(action: str) -> str:
    """Return what a crowd that sends this action speaks."""
    return "ocpp2.0.1" if action == "TransactionEvent" else "ocpp1.6"


def frame(text: str) -> bytes:
    """Write a masked client frame (mask zero)."""
    data = text.encode()
    size = len(data)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + data


def request(uid: str, action: str, payload: dict[str, Any] | None = None) -> str:
    """Write a CALL of now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
    return json.dumps([2, uid, action, MESSAGES[action] if payload is None else payload]).replace(AT, now)


def dial(port: int, identity: str, protocol: str = "ocpp1.6") -> socket.socket:
    """Open one WebSocket; raises ConnectionError where it is refused."""
    link = socket.create_connection(("127.0.0.1", port), timeout=30)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(
        f"GET /{identity} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = link.recv(4096)
        if not part:
            break
        answer += part
    if b" 101 " not in answer:
        raise ConnectionError(answer[:200].decode(errors="replace"))
    return link


class Crowd:
    """Charge points that send one message each, take every answer, and begin again: a closed loop in rounds."""

    def __init__(self, port: int, action: str, size: int) -> None:
        self.size = size
        self._action = action
        self._links = [dial(port, f"CP-{action}-{number}", subprotocol(action)) for number in range(size)]
        self._round = 0
        is_newer = subprotocol(action) != "ocpp1.6"
        self._all(frame(request("boot", "BootNotification", BOOT_2 if is_newer else BOOT)))
        if is_newer:
            self._all(frame(request("start", action, STARTED)))

    def close(self) -> None:
        """Hang up, all of them."""
        for link in self._links:
            link.close()

    def round(self) -> None:
        """Send and take one message each; raises ConnectionError for a wrong answer."""
        self._round += 1
        uid = f"{self._round:08d}"
        answer = self._all(frame(request(uid, self._action)))
        if self._round <= 2 and (uid.encode() not in answer or b"[3," not in answer):
            raise ConnectionError(f"{self._action} was answered {answer[:200]!r}")

    def _all(self, message: bytes) -> bytes:
        """Let everybody send, and take every answer; returns the first one's."""
        answer = b""
        for link in self._links:
            link.sendall(message)
        for link in reversed(self._links):  # the last answer first: one wake-up of ours for each round, not a hundred
            answer = link.recv(65_536)
        return answer

    def rate(self, seconds: float, cpu: Callable[[], float]) -> float:
        """Return answers per second of the server's CPU time, after a warm-up."""
        self._for(seconds / 4)
        before = cpu()
        rounds = self._for(seconds)
        return rounds * self.size / max(cpu() - before, 1e-9)

    def _for(self, seconds: float) -> int:
        until, rounds = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            self.round()
            rounds += 1
        return rounds

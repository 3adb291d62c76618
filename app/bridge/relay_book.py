"""What a relay knows of a unit over all its connections: its Boot, who accepted it, what runs and in which state. Pure.

Boot, acceptance and running transactions outlive a restart of the bridge (``Memory``): without them it could not tell a
unit that must be announced from one that is known, nor keep a transaction at the backend that gave it its number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from app.bridge.relay_order import RelayOrder
from app.bridge.session import Memory
from app.bridge.target import Target
from app.model.backend import redact_url
from app.model.bridge import SessionShown
from app.ocpp import stamps

_BOOT, _ACCEPTED, _RUNNING = "relay.boot", "relay.accepted", "relay.running"
MOST_RUNNING = 64
"""Transactions remembered for a unit [OURS]: it has at most a few connectors."""
MOST_STATES = 64
LONGEST_BOOT = 4_096
"""Characters of a Boot that are remembered."""


@dataclass(slots=True, kw_only=True)
class Running:
    """A transaction that was begun and not ended. ``number`` is the backend's (1.6) or the unit's own (2.x)."""

    number: str
    connector: int = 0
    began_at: str = ""
    start_wh: int = 0
    last_wh: int = 0
    id_tag: str = ""
    is_metered: bool = False
    """``start_wh`` was told; else it is the first register heard."""


class UnitBook:
    """One unit's lasting facts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.boot: dict[str, Any] | None = _mapping(memory.get(_BOOT))
        self.accepted_by = memory.get(_ACCEPTED) or ""
        self.running: dict[str, Running] = _transactions(memory.get(_RUNNING))
        self.states: dict[int, str] = {}
        self.powers_w: dict[int, float] = {}
        self.delivered = 0
        """Its messages of transactions that the backend has answered."""

    def booted(self, payload: dict[str, Any]) -> None:
        """Remember what the unit said of itself."""
        text = json.dumps(payload)
        if payload != self.boot and len(text) <= LONGEST_BOOT:
            self.boot = payload
            self._memory.put(_BOOT, text)

    def accepted(self, by: str) -> None:
        """Note that a backend took the unit in."""
        if by != self.accepted_by:
            self.accepted_by = by
            self._memory.put(_ACCEPTED, by)

    def boot_for(self, version: str, order: RelayOrder) -> tuple[dict[str, Any], str] | None:
        """Return a BootNotification to send for the unit, and it in words; ``None`` where nothing is known.

        The reason is told as ``Unknown`` in 2.x (P2-201 §3.7): the unit has not restarted.
        """
        known, shape = self.boot, "chargingStation" if version != "1.6" else "chargePointModel"
        if known is not None and shape in known:
            told = known if version == "1.6" else {**known, "reason": "Unknown"}
            return told, f"{_named(told)}, as it last told"
        if not order.vendor or not order.model:
            return None
        if version == "1.6":
            made = {"chargePointVendor": order.vendor, "chargePointModel": order.model}
            return made, f"{_named(made)}, as the plan says"
        station = {"vendorName": order.vendor, "model": order.model}
        return {"reason": "Unknown", "chargingStation": station}, f"{_named(station)}, as the plan says"

    def state(self, connector: int, status: str) -> None:
        """Note the state of a connector."""
        if connector in self.states or len(self.states) < MOST_STATES:
            self.states[connector] = status[:30]
        if status not in ("Charging", "Occupied"):
            self.powers_w.pop(connector, None)

    def began(self, transaction: Running) -> None:
        """Note a transaction; it takes the place of another at its connector."""
        if transaction.connector:
            for number in [one.number for one in self.running.values() if one.connector == transaction.connector]:
                del self.running[number]
        self.running[transaction.number] = transaction
        while len(self.running) > MOST_RUNNING:
            del self.running[next(iter(self.running))]
        self._keep_running()

    def ended(self, number: str) -> None:
        """Note that a transaction is over, its end being answered."""
        over = self.running.pop(number, None)
        if over is not None:
            self.powers_w.pop(over.connector, None)
            self._keep_running()

    def metered(self, number: str, connector: int, register_wh: float | None, power_w: float | None) -> None:
        """Take values of a connector, within a transaction or not (empty ``number``)."""
        if power_w is not None and (connector in self.powers_w or len(self.powers_w) < MOST_STATES):
            self.powers_w[connector] = power_w
        known = self.running.get(number)
        if known is None or register_wh is None:
            return
        if not known.is_metered:
            known.start_wh, known.is_metered = round(register_wh), True
        known.last_wh = max(known.last_wh, round(register_wh))

    @property
    def shown_state(self) -> str:
        """Return the state worth showing: of the first connector that does something, else of the first."""
        busy = [status for number, status in sorted(self.states.items()) if number and status != "Available"]
        return (busy or [status for _, status in sorted(self.states.items(), reverse=True)] or [""])[0]

    @property
    def session(self) -> SessionShown | None:
        """Return the transaction that began last."""
        if not self.running:
            return None
        last = next(reversed(self.running.values()))
        return SessionShown(
            number=last.number,
            began_at=_moment(last.began_at),
            start_wh=last.start_wh,
            energy_wh=max(0, last.last_wh - last.start_wh),
            transaction=last.number,
            id_tag=last.id_tag,
            is_delivered=True,
        )

    def _keep_running(self) -> None:
        kept = [asdict(one) for one in self.running.values()]
        self._memory.put(_RUNNING, json.dumps(kept) if kept else None)


def backend_key(target: Target) -> str:
    """Return what names a backend in a unit's book: where it is, and as whom the unit is known there."""
    return f"{redact_url(target.url)} {target.identity}"


class InMemory:
    """A ``Memory`` for a bridge that keeps nothing."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """Return a value."""
        return self._values.get(key)

    def put(self, key: str, value: str | None) -> None:
        """Keep or forget a value."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value


def _mapping(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "null")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _transactions(text: str | None) -> dict[str, Running]:
    try:
        value = json.loads(text or "[]")
        kept = [Running(**entry) for entry in value] if isinstance(value, list) else []
    except (ValueError, TypeError):
        return {}
    usual = asdict(Running(number=""))
    is_whole = all(type(entry) is type(usual[name]) for one in kept for name, entry in asdict(one).items())
    return {one.number: one for one in kept} if is_whole else {}


def _moment(text: str) -> datetime:
    try:
        return stamps.read(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _named(payload: dict[str, Any]) -> str:
    inner = payload.get("chargingStation", payload)
    inner = inner if isinstance(inner, dict) else {}
    vendor = inner.get("chargePointVendor", inner.get("vendorName", ""))
    return f"{vendor} {inner.get('chargePointModel', inner.get('model', ''))}".strip()


def started(payload: Mapping[str, Any], number: object) -> Running:
    """Read a StartTransaction of 1.6 (§6.45) whose answer named ``number``."""
    connector, meter = payload.get("connectorId"), payload.get("meterStart")
    return Running(
        number=str(number),
        connector=connector if isinstance(connector, int) else 0,
        began_at=str(payload.get("timestamp", ""))[:40],
        start_wh=meter if isinstance(meter, int) else 0,
        last_wh=meter if isinstance(meter, int) else 0,
        id_tag=str(payload.get("idTag", ""))[:36],
        is_metered=isinstance(meter, int),
    )

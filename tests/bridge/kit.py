"""What the bridge's tests share: an outlet that does as it is told, and kept things in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.bridge.message import Message
from app.bridge.outlet import OutletState
from app.bridge.session import Session
from app.bridge.station import Equipment, Kept, Start

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
VOLTAGE_V = 230.0


class MemoryOutbox:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.delivered: list[Message] = []

    def put(self, message: Message) -> None:
        self.messages.append(message)

    def head(self) -> Message | None:
        return self.messages[0] if self.messages else None

    def attempted(self, message: Message) -> None:
        message.attempts += 1

    def done(self, message: Message) -> None:
        self.messages.remove(message)
        self.delivered.append(message)

    def __len__(self) -> int:
        return len(self.messages)


class MemorySessions:
    """Gives out copies, as a store on disk does."""

    def __init__(self) -> None:
        self.saved: dict[str, Session] = {}

    def running(self) -> Session | None:
        return next((replace(one) for one in self.saved.values() if one.is_open), None)

    def get(self, number: str) -> Session | None:
        found = self.saved.get(number)
        return replace(found) if found else None

    def save(self, session: Session) -> None:
        self.saved[session.number] = replace(session)


class MemoryMemory:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def put(self, key: str, value: str | None) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value


def kept() -> Kept:
    return Kept(outbox=MemoryOutbox(), sessions=MemorySessions(), memory=MemoryMemory())


def equipment(
    identity: str = "BOX-1", start: Start = Start.REMOTE, id_tag: str = "BOXTAG", **more: object
) -> Equipment:
    told = {"vendor": "Enel X", "model": "JuiceBox 40", "serial": "10000000001", "firmware": "1.4.0.28"}
    return Equipment(identity=identity, start=start, id_tag=id_tag, **(told | more))  # type: ignore[arg-type]


class FakeOutlet:
    """A box and a car, without a line between them. The car draws what is allowed; time comes from the test."""

    def __init__(
        self,
        now: datetime = NOW,
        *,
        ceiling_a: float = 32.0,
        register_wh: float = 1000.0,
        voltage_v: float = VOLTAGE_V,
    ) -> None:
        self.ceiling_a = ceiling_a
        self.voltage_v = voltage_v
        self.allowed_a = 0.0
        self.allowances: list[float] = []
        self.at = now
        self.exact_wh = register_wh
        self.is_plugged = False
        self.is_present = True
        self.wants_current = True
        self.fault = ""
        self.plug = 0
        self.plug_began_wh = int(register_wh)

    def allow(self, limit_a: float) -> None:
        self.allowed_a = min(limit_a, self.ceiling_a)
        self.allowances.append(self.allowed_a)

    @property
    def current_a(self) -> float:
        flows = self.is_plugged and self.wants_current and self.allowed_a >= 6.0 and not self.fault
        return min(self.allowed_a, 32.0) if flows else 0.0

    @property
    def state(self) -> OutletState:
        return OutletState(
            at=self.at,
            is_present=self.is_present,
            is_plugged=self.is_plugged,
            is_charging=self.current_a > 0,
            plug=self.plug,
            plug_began_wh=self.plug_began_wh,
            register_wh=int(self.exact_wh),
            fault=self.fault,
            voltage_v=self.voltage_v,
            current_a=self.current_a,
            power_w=self.current_a * self.voltage_v,
            frequency_hz=60.0,
            temperature_c=31.0,
            limit_a=self.allowed_a,
        )

    def run(self, now: datetime) -> OutletState:
        """Let time pass until then."""
        self.exact_wh += self.current_a * self.voltage_v * max((now - self.at) / timedelta(hours=1), 0.0)
        self.at = now
        return self.state

    def plug_in(self) -> OutletState:
        if not self.is_plugged:
            self.is_plugged, self.plug, self.plug_began_wh = True, self.plug + 1, int(self.exact_wh)
        return self.state

    def unplug(self) -> OutletState:
        self.is_plugged = False
        return self.state

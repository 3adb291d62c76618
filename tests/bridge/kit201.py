"""A bridged 2.0.1 station: pure, with a backend of a few lines; and on a real line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.message import Message, Payload
from app.bridge.station import Answer, Kept, Start
from app.bridge.station201 import Station201
from app.bridge.target import Target
from app.bridge.uplink import Rhythm, Uplink
from app.model.frame import Direction
from app.ocpp import schema
from app.ocpp.stamps import written
from app.scope import Scope
from tests.bridge.kit import NOW, FakeOutlet, MemoryOutbox, equipment, kept

VERSION = "2.0.1"
QUICK = Rhythm(least_s=0.05, most_s=0.2, restart_s=0.05, first_s=0.0)
ACCEPTED: Payload = {"idTokenInfo": {"status": "Accepted"}}


@dataclass
class Desk:
    """A station and a backend without a line between them. ``answers``: action → what the backend answers."""

    start: Start = Start.REMOTE
    id_tag: str = "BOXTAG"
    stored: Kept = field(default_factory=kept)
    outlet: FakeOutlet = field(default_factory=FakeOutlet)
    answers: dict[str, Callable[[Payload], Payload]] = field(default_factory=dict)
    now: datetime = NOW
    connected: bool = True

    def __post_init__(self) -> None:
        self.told: list[Message] = []
        self.restarts: list[str] = []
        self.boots: list[Payload] = []
        self._said: list[Message] = []
        self.station = Station201(
            equipment(start=self.start, id_tag=self.id_tag), self.outlet, self.stored, now=self.now
        )
        self.station.say = self._said.append
        self.station.restart = self._restart
        self.outlet.at = self.now
        if self.connected:
            self.connect()

    # The line

    def connect(self, status: str = "Accepted", interval: int = 300) -> None:
        self.connected = True
        self.station.opened(self.now)
        if not self.station.is_accepted:
            self.boot(status, interval)
        self.settle()

    def boot(self, status: str = "Accepted", interval: int = 300) -> float | None:
        payload = self.station.boot(self.now)
        must_fit("BootNotification", payload)
        self.boots.append(payload)
        answer = {"currentTime": written(self.now), "interval": interval, "status": status}
        wait_s = self.station.boot_answered(answer, self.now)
        self.settle()
        return wait_s

    def drop(self) -> None:
        self.connected = False
        self._said.clear()
        self.station.closed(self.now)

    def settle(self) -> None:
        """Let all that is to be said go out and be answered."""
        while self.connected:
            head = self._said.pop(0) if self._said else self.stored.outbox.head()
            if head is None or (head.is_kept and not self.station.is_accepted):
                return
            self._exchange(head)

    def _exchange(self, message: Message) -> None:
        payload = self.station.rendered(message)
        if payload is not None:
            must_fit(message.action, payload)
            self.told.append(message)
        answer = self.answers.get(message.action, _usual)(message.payload)
        if message.is_kept:
            self.stored.outbox.attempted(message)
        if payload is not None:
            self.station.answered(message, {"currentTime": written(self.now)} | answer, self.now)
        if message.is_kept:
            self.stored.outbox.done(message)

    def _restart(self, reason: str) -> None:
        self.restarts.append(reason)

    # Orders

    def ask(self, action: str, /, **payload: Any) -> Payload:
        answer = self.ask_raw(action, payload)
        assert answer.payload is not None, answer.error
        return answer.payload

    def ask_raw(self, action: str, payload: Payload) -> Answer:
        answer = self.station.asked(action, payload, self.now)
        if answer.payload is not None:
            must_fit(action, answer.payload, is_request=False)
        if answer.after is not None:
            answer.after()
        self.settle()
        return answer

    def remote_start(self, tag: str = "DRIVER", number: int = 1, **more: Any) -> str:
        token = {"idToken": tag, "type": "Central"}
        return str(self.ask("RequestStartTransaction", idToken=token, remoteStartId=number, **more)["status"])

    def set(self, path: str, value: str) -> str:
        component, _, rest = path.partition(".")
        name, _, instance = rest.partition("/")
        variable = {"name": name} | ({"instance": instance} if instance else {})
        data = {"component": {"name": component}, "variable": variable, "attributeValue": value}
        return str(self.ask("SetVariables", setVariableData=[data])["setVariableResult"][0]["attributeStatus"])

    # The unit and time

    def wait(self, seconds: float) -> None:
        """Let time pass as the clockwork does."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            due_at = self.station.due(self.now)
            self.settle()
            self.now = min(until, max(due_at, self.now + timedelta(milliseconds=10)))
            self.station.noted(self.outlet.run(self.now), self.now)
            self.settle()
        self.station.due(self.now)
        self.settle()

    def plug_in(self) -> None:
        self.station.noted(self.outlet.plug_in(), self.now)
        self.settle()

    def unplug(self) -> None:
        self.station.noted(self.outlet.unplug(), self.now)
        self.settle()

    def note(self) -> None:
        self.station.noted(self.outlet.state, self.now)
        self.settle()

    # What came

    def events(self, *kinds: str) -> list[Payload]:
        found = [one.payload for one in self.told if one.action == "TransactionEvent"]
        return [event for event in found if not kinds or event["eventType"] in kinds]

    def heard(self, action: str) -> list[Payload]:
        return [one.payload for one in self.told if one.action == action]

    def again(self, **changes: Any) -> Desk:
        """Start the bridge anew over what was kept."""
        return Desk(
            start=self.start,
            id_tag=self.id_tag,
            stored=self.stored,
            outlet=self.outlet,
            answers=self.answers,
            now=self.now,
            **changes,
        )


def _usual(payload: Payload) -> Payload:
    return ACCEPTED if "idToken" in payload else {}


def must_fit(action: str, payload: Payload, *, is_request: bool = True) -> None:
    faults = schema.violations(VERSION, action, payload, is_request=is_request)
    assert not faults, f"{action}: {faults}"


def registers(event: Payload, context: str = "") -> list[float]:
    """Return the energy registers of an event."""
    return [
        sample["value"]
        for value in event.get("meterValue", [])
        for sample in value["sampledValue"]
        if sample["measurand"] == "Energy.Active.Import.Register" and context in ("", sample["context"])
    ]


@dataclass
class Unit:
    """A bridged station on a real line."""

    uplink: Uplink
    station: Station201
    outlet: FakeOutlet
    stored: Kept
    texts: list[tuple[Direction, str]]
    changed: asyncio.Event
    passwords: list[str] = field(default_factory=list)
    """What the backend set, as whoever runs the bridge would keep it."""
    leaves_offline: bool = False
    """The car leaves as soon as the line is away."""

    def plug_in(self, _connector: int = 1) -> None:
        self.uplink.noted(self.outlet.plug_in())

    def unplug(self, _connector: int = 1) -> None:
        self.outlet.run(utc_now())
        self.uplink.noted(self.outlet.unplug())

    def live(self) -> None:
        if self.leaves_offline and not self.station.is_open:
            self.leaves_offline = False
            self.outlet.unplug()
        self.uplink.noted(self.outlet.run(utc_now()))

    @property
    def outbox(self) -> MemoryOutbox:
        found = self.stored.outbox
        assert isinstance(found, MemoryOutbox)
        return found

    async def until(self, is_true: Callable[[], Any], *, timeout_s: float = 8.0) -> None:
        """Wait until something is true; looked at with every text and, for what has none, 50 times a second."""
        async with asyncio.timeout(timeout_s):
            while not is_true():
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self.changed.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def living(
    url: str,
    identity: str = "BOX-1",
    *,
    start: Start = Start.REMOTE,
    pace: float = 1.0,
    stored: Kept | None = None,
    outlet: FakeOutlet | None = None,
    reports: bool = True,
    **target: Any,
) -> AsyncIterator[Unit]:
    """Let a station live inside the block."""
    stored, outlet = stored or kept(), outlet or FakeOutlet(utc_now())
    aim = Target(url=url, identity=identity, subprotocol=Station201.subprotocol, **target)
    profile = int(aim.security_profile)
    station = Station201(equipment(identity, start), outlet, stored, now=utc_now(), security_profile=profile, pace=pace)
    texts: list[tuple[Direction, str]] = []
    changed = asyncio.Event()

    def heard(direction: Direction, text: str) -> None:
        texts.append((direction, text))
        changed.set()

    clockwork = Clockwork()
    async with Scope("bridge") as scope:
        uplink = Uplink(aim, station, clockwork, heard=heard, rhythm=QUICK)
        unit = Unit(uplink, station, outlet, stored, texts, changed)
        uplink.rekeyed = lambda password: unit.passwords.append(password.reveal())
        scope.required("clock", clockwork.run())
        scope.required("line", uplink.run())
        if reports:
            scope.required("meter", _metered(unit))
        yield unit


async def _metered(unit: Unit) -> None:
    """Report as a box does: again and again."""
    while True:
        await asyncio.sleep(0.02)
        unit.live()

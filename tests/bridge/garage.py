"""A garage in compressed time: boxes, an unreliable network, a bridge that gets killed, a backend that goes away.

Everything between the box's meter and the backend's book is the product's own: codec, book, outlet, stations, store.
Only sockets and clocks are left out. The boxes are those of ``app.sim``.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.bridge.boxes import BoxOutlet
from app.bridge.keeping import StateStore
from app.bridge.message import Message, Payload
from app.bridge.station import Equipment, Kept, Start, Station
from app.bridge.station16 import Station16
from app.bridge.station201 import Station201
from app.juicenet.peer import JuicePeer
from app.model.juicebox import Adoption
from app.sim.juicebox_datagram import Form, Told, debug, order, report
from app.sim.juicebox_power import Power

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STARTS = (Start.FREE, Start.TAG, Start.REMOTE)
KINDS = {"16": Station16, "201": Station201}


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """How often things go wrong: per datagram, per round of a box, or per round of all."""

    lost: float = 0.12
    doubled: float = 0.05
    late: float = 0.05
    deaf: float = 0.004
    """A box is not heard for up to two hours."""
    box_restarts: float = 0.01
    bridge_killed: float = 0.02
    backend_gone: float = 0.02
    question_lost: float = 0.02
    answer_lost: float = 0.03
    refused: float = 0.01


class Box:
    """A box with cars that come and go, and the way of its datagrams."""

    def __init__(self, number: int, draw: random.Random, odds: Odds) -> None:
        self.serial = f"{number + 1:028d}"
        self.source = (f"192.0.2.{number + 1}", 8042)
        self.form = (Form.V07, Form.V09U)[number % 2]
        self.power = Power(lifetime=float(draw.randrange(0, 9_000_000)), offline_a=32)
        self.stays = 0
        self.lost = 0
        self.told_wh: int | None = None
        self.base_wh: int | None = None
        self.is_known = False
        """It was ever heard by a bridge that had time to write that down."""
        self._draw, self._odds = draw, odds
        self._counter, self._loop = draw.randrange(1, 999), draw.randrange(100, 50_000)
        self._change_in = draw.randrange(1, 6)
        self._deaf_for = 0
        self._held: deque[bytes] = deque()

    def live(self, now_s: float) -> None:
        """Let time pass; cars come and go, power fails."""
        self.power.pass_time(now_s)
        self._change_in -= 1
        if self._change_in <= 0:
            self._change()
        if self.power.is_plugged and self._draw.random() < 0.05:
            self.power.wants_current = not self.power.wants_current
        self.power.settle()

    def leave(self) -> None:
        """The car leaves, and no other comes."""
        self.power.is_plugged, self._change_in, self._deaf_for = False, 1_000_000, 0
        self.power.settle()

    def _change(self) -> None:
        self.power.is_plugged = not self.power.is_plugged
        self.power.wants_current = True
        self.stays += self.power.is_plugged
        self._change_in = self._draw.randrange(2, 14) if self.power.is_plugged else self._draw.randrange(1, 5)

    def sends(self, *, clean: bool = False) -> list[bytes]:
        """Return what arrives at the bridge in this round, in order."""
        if clean:
            self._held.clear()
            return [self._words()]
        arrives: list[bytes] = []
        if self._draw.random() < self._odds.box_restarts:
            self.power.lose_power()
            self._counter, self._loop = 0, 0
            arrives += self._through(debug(self.serial, "NFO", "BOT:EMWERK-JB_1_1-1.4.0.28"))
        if self._draw.random() < self._odds.deaf:
            self._deaf_for = self._draw.randrange(2, 60)
        arrives += self._through(self._words())
        if self._deaf_for:
            self._deaf_for -= 1
            self.lost += len(arrives)
            return []
        return arrives

    def _through(self, data: bytes) -> list[bytes]:
        late = [self._held.popleft()] if self._held and self._draw.random() < 0.5 else []
        chance = self._draw.random()
        if chance < self._odds.lost:
            self.lost += 1
            return late
        if chance < self._odds.lost + self._odds.late:
            self._held.append(data)
            return late
        if chance < self._odds.lost + self._odds.late + self._odds.doubled:
            return [data, *late, data]
        return [data, *late]

    def _words(self) -> bytes:
        self._counter = self._counter % 999 + 1
        self._loop += self._draw.randrange(1, 9)
        power = self.power
        told = Told(
            mode=power.mode,
            counter=self._counter,
            loop=self._loop,
            voltage_v=power.voltage_v,
            lifetime_wh=int(power.lifetime),
            session_wh=int(power.session),
            current_a=power.current_a,
            temperature_c=21,
            online_a=power.online_a if power.online_a is not None else power.offline_a,
            offline_a=power.offline_a,
            rating_a=power.rating_a,
            period_s=9,
            interval=3,
        )
        return report(self.serial, self.form, told)

    def takes(self, reply: bytes) -> None:
        """Obey a command, unless it gets lost."""
        if self._draw.random() >= self._odds.lost:
            said = order(reply)
            assert said is not None, reply
            self.power.obey(said.a, said.m)


@dataclass(slots=True)
class Told1:
    """A session in the backend's book."""

    number: int
    start_wh: int
    stop_wh: int | None = None
    events: list[int] = field(default_factory=list)


class Backend:
    """Writes down what it is told; a message id that comes again gets the same answer and is not booked again."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.sessions: dict[str, list[Told1]] = {}
        self.again = 0
        self.wrong: list[str] = []
        self._answers: dict[str, Payload] = {}

    def asked(self, identity: str, message: Message, payload: Payload) -> Payload:
        """Answer a CALL."""
        if message.uid in self._answers:
            self.again += 1
            return self._answers[message.uid]
        book = getattr(self, f"_{message.action}", None)
        answer: Payload = book(identity, payload) if book else self._others(message.action)
        self._answers[message.uid] = answer
        return answer

    def running(self, identity: str) -> Told1 | None:
        """Return the session that is open in the book."""
        told = self.sessions.get(identity, [])
        return told[-1] if told and told[-1].stop_wh is None else None

    def _others(self, action: str) -> Payload:
        if action == "BootNotification":
            return {"status": "Accepted", "interval": 3600, "currentTime": self.now.isoformat()}
        if action == "Heartbeat":
            return {"currentTime": self.now.isoformat()}
        return (
            {"idTagInfo": {"status": "Accepted"}, "idTokenInfo": {"status": "Accepted"}}
            if action == "Authorize"
            else {}
        )

    def _begin(self, identity: str, start_wh: int) -> Told1:
        if self.running(identity) is not None:
            self.wrong.append(f"{identity}: a session begins while another runs")
        told = self.sessions.setdefault(identity, [])
        if told and told[-1].stop_wh is not None and start_wh < told[-1].stop_wh:
            self.wrong.append(f"{identity}: energy sold twice: {start_wh} after {told[-1].stop_wh}")
        told.append(Told1(sum(map(len, self.sessions.values())) + 1, start_wh))
        return told[-1]

    def _end(self, identity: str, stop_wh: int) -> None:
        running = self.running(identity)
        if running is None or stop_wh < running.start_wh:
            self.wrong.append(f"{identity}: a session ends that does not run, or backwards")
        else:
            running.stop_wh = stop_wh

    def _StartTransaction(self, identity: str, payload: Payload) -> Payload:
        told = self._begin(identity, payload["meterStart"])
        return {"transactionId": told.number, "idTagInfo": {"status": "Accepted"}}

    def _StopTransaction(self, identity: str, payload: Payload) -> Payload:
        running = self.running(identity)
        if running is None or running.number != payload["transactionId"]:
            self.wrong.append(f"{identity}: stop of {payload['transactionId']}, but {running} runs")
        self._end(identity, payload["meterStop"])
        return {}

    def _MeterValues(self, identity: str, payload: Payload) -> Payload:
        running = self.running(identity)
        if running is not None and payload.get("transactionId", running.number) != running.number:
            self.wrong.append(f"{identity}: meter values of another session")
        return {}

    def _TransactionEvent(self, identity: str, payload: Payload) -> Payload:
        kind, number = payload["eventType"], payload["seqNo"]
        if kind == "Started":
            self._begin(identity, _register(payload, "Transaction.Begin"))
        running = self.running(identity)
        if running is None or number != len(running.events):
            self.wrong.append(f"{identity}: event {number} after {running}")
        else:
            running.events.append(number)
        if kind == "Ended":
            self._end(identity, _register(payload, "Transaction.End"))
        return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in payload else {}


def _register(payload: Payload, context: str) -> int:
    values = [value for meter in payload["meterValue"] for value in meter["sampledValue"]]
    found = [
        value["value"]
        for value in values
        if value.get("context") == context and value["measurand"] == "Energy.Active.Import.Register"
    ]
    assert len(found) == 1, payload
    return int(found[0])


class Line:
    """A line as ``Uplink`` keeps it, without a socket: one CALL at a time; what gets no answer is said again."""

    def __init__(
        self, station: Station, backend: Backend, draw: random.Random, odds: Odds, flush: Callable[[], Awaitable[None]]
    ) -> None:
        self.station = station
        self._flush = flush
        self._is_new = False
        self._backend, self._draw, self.odds = backend, draw, odds
        self._said: deque[Message] = deque()
        self.is_open = False
        station.say = self._said.append
        station.woken = self._woken

    def opens(self, now: datetime) -> None:
        self.is_open = True
        self.station.opened(now)
        if not self.station.is_accepted:
            boot = Message(action="BootNotification", payload=self.station.boot(now), at=now)
            answer = self._call(boot, boot.payload, now)
            if answer is not None:
                self.station.boot_answered(answer, now)

    def closes(self, now: datetime) -> None:
        if self.is_open:
            self.is_open = False
            self._said.clear()
            self.station.closed(now)

    def _woken(self) -> None:
        self._is_new = True

    async def pump(self, now: datetime) -> None:
        """Say all there is, until the line breaks; nothing of a transaction before it is on disk."""
        station, outbox = self.station, self.station.kept.outbox
        while self.is_open and station.is_accepted:
            message = self._said.popleft() if self._said else outbox.head()
            if message is None:
                return
            if self._is_new and message.is_kept:
                self._is_new = False
                await self._flush()
            payload = station.rendered(message)
            if payload is None:
                outbox.done(message)
            elif message.is_kept and self._draw.random() < self.odds.refused and message.attempts < 2:
                outbox.attempted(message)
                is_again = station.refused(message, "InternalError", now)
                assert is_again or message.action == "SecurityEventNotification"
                if not is_again:
                    outbox.done(message)
            elif (answer := self._call(message, payload, now)) is not None:
                station.answered(message, answer, now)
                if message.is_kept:
                    outbox.done(message)

    def _call(self, message: Message, payload: Payload, now: datetime) -> Payload | None:
        """Ask the backend; ``None`` and a broken line where question or answer got lost."""
        if message.is_kept:
            self.station.kept.outbox.attempted(message)
        if self._draw.random() < self.odds.question_lost:
            return self._broken(message, now)
        answer = self._backend.asked(self.station.equipment.identity, message, payload)
        return self._broken(message, now) if self._draw.random() < self.odds.answer_lost else answer

    def _broken(self, message: Message, now: datetime) -> None:
        self.station.refused(message, "", now)
        self.closes(now)


class Garage:
    """Boxes, one bridge, one backend; one round after another."""

    def __init__(self, path: Path, *, boxes: int, seed: int, odds: Odds | None = None) -> None:
        self.draw, self.odds = random.Random(seed), odds or Odds()
        self.path = path
        self.at = BEGIN
        self.backend = Backend()
        self.counts: Counter[str] = Counter()
        self.boxes = [Box(number, self.draw, self.odds) for number in range(boxes)]
        self._gone_for = 0
        self._open()

    @property
    def stays(self) -> int:
        """Return how many cars have come."""
        return sum(box.stays for box in self.boxes)

    def start_of(self, number: int) -> Start:
        """Return the start rule of a box; each is there in both versions and both forms."""
        return STARTS[number // 4 % 3]

    def _open(self) -> None:
        self.peer = JuicePeer("127.0.0.1", (), clock=lambda: self.at)
        self.store = StateStore.open(self.path)
        self.outlets: list[BoxOutlet] = []
        self.lines: list[Line] = []
        for number, box in enumerate(self.boxes):
            adoption = Adoption(box_id=box.serial, circuit_a=32, rating_a=40, known_a=None, at=BEGIN)
            self.peer.adopt(adoption, is_kept=True)
            kept = self._kept(number)
            outlet = BoxOutlet(self.peer, box.serial, kept, now=self.at)
            equipment = Equipment(
                identity=f"CP{number}",
                vendor="V",
                model="M",
                serial=box.serial,
                firmware="1",
                start=self.start_of(number),
                id_tag="TAG",
            )
            station = KINDS["16" if number // 2 % 2 else "201"](equipment, outlet, kept, now=self.at)  # type: ignore[abstract]
            self.outlets.append(outlet)
            self.lines.append(Line(station, self.backend, self.draw, self.odds, self.store.flush))

    def _kept(self, number: int) -> Kept:
        name = f"CP{number}"
        return Kept(outbox=self.store.outbox(name), sessions=self.store.sessions(name), memory=self.store.memory(name))

    async def restart(self, *, killed: bool) -> None:
        """End the bridge and begin it anew; a killed one writes nothing any more."""
        self.counts["killed" if killed else "restarted"] += 1
        if killed:
            kill(self.store)
            for box in self.boxes:
                box.base_wh = box.base_wh if box.is_known else None
        else:
            await self.store.close()
        self._open()

    async def round(self, *, clean: bool = False) -> None:
        """Let a minute or three pass."""
        self.at += timedelta(seconds=self.draw.randrange(30, 200))
        self.backend.now = self.at
        if not clean and self.draw.random() < self.odds.bridge_killed:
            await self.restart(killed=self.draw.random() < 0.8)
        self._fail(clean=clean)
        for number, box in enumerate(self.boxes):
            if clean:
                box.power.pass_time((self.at - BEGIN).total_seconds())
                box.leave()
            else:
                box.live((self.at - BEGIN).total_seconds())
            self._arrive(number, box.sends(clean=clean))
            line, outlet = self.lines[number], self.outlets[number]
            outlet.due(self.at, lambda state, line=line: line.station.noted(state, self.at))  # type: ignore[misc]
            line.station.due(self.at)
            self._order(number)
        if not clean and self.draw.random() < self.odds.bridge_killed:
            await self.restart(killed=True)  # nothing of this round is on disk, nor was anything of it said
        await self.store.flush()
        for box in self.boxes:
            box.is_known = box.base_wh is not None
        for line in self.lines:
            await line.pump(self.at)

    def _arrive(self, number: int, datagrams: list[bytes]) -> None:
        box, outlet, station = self.boxes[number], self.outlets[number], self.lines[number].station
        for data in datagrams:
            self.counts["datagrams"] += 1
            self.at += timedelta(milliseconds=1)
            heard = self.peer.book.received(data, box.source, self.at)
            if heard.report is not None:
                if box.base_wh is None:
                    box.base_wh = heard.report.lifetime_wh
                box.told_wh = heard.report.lifetime_wh
                outlet.heard(heard.report, lambda state: station.noted(state, self.at))
            if heard.reply is not None:
                box.takes(heard.reply)

    def _fail(self, *, clean: bool) -> None:
        """Let the backend go away and come back."""
        if clean:
            self._gone_for = 0
        elif not self._gone_for and self.draw.random() < self.odds.backend_gone:
            self._gone_for = self.draw.randrange(1, 80)
            self.counts["outages"] += 1
        self._gone_for = max(0, self._gone_for - 1)
        for line in self.lines:
            if self._gone_for:
                line.closes(self.at)
            elif not line.is_open:
                line.opens(self.at)

    def _order(self, number: int) -> None:
        """The backend lets cars charge and stops them where that is its part."""
        line = self.lines[number]
        if not line.is_open or not line.station.is_accepted or self.start_of(number) is Start.FREE:
            return
        chance, is_16 = self.draw.random(), line.station.version == "1.6"
        running = line.station.kept.sessions.running()
        action, payload = "", {}
        if (
            running is None
            and chance < 0.6
            and self.start_of(number) is Start.REMOTE
            and self.outlets[number].state.is_plugged
        ):
            action = "RemoteStartTransaction" if is_16 else "RequestStartTransaction"
            token = {"idToken": "REMOTE", "type": "Central"}
            payload = {"idTag": "REMOTE"} if is_16 else {"idToken": token, "remoteStartId": 7, "evseId": 1}
        elif running is not None and running.transaction_id and chance < 0.04:
            action = "RemoteStopTransaction" if is_16 else "RequestStopTransaction"
            payload = {"transactionId": int(running.transaction_id) if is_16 else running.transaction_id}
        if action:
            answer = line.station.asked(action, payload, self.at)
            assert answer.payload is not None, answer
            self.counts[action] += 1
            if answer.after is not None:
                answer.after()

    @property
    def told(self) -> int:
        """Return how many sessions stand in the backend's book."""
        return sum(map(len, self.backend.sessions.values()))

    async def run(self, sessions: int) -> None:
        """Go on until the backend knows of that many sessions, then let all cars leave, and everything be told."""
        while self.told < sessions:
            self.counts["rounds"] += 1
            await self.round()
        self.odds = Odds(**dict.fromkeys(Odds.__dataclass_fields__, 0.0))
        for line in self.lines:
            line.odds = self.odds
        for _ in range(8):
            await self.round(clean=True)

    def figures(self) -> dict[str, int]:
        """Add up the energy, all in Wh."""
        told = [session for sessions in self.backend.sessions.values() for session in sessions]
        return {
            "counters": sum((box.told_wh or 0) - (box.base_wh or 0) for box in self.boxes),
            "sold": sum((one.stop_wh or 0) - one.start_wh for one in told),
            "unmetered": sum(self.unmetered(number) for number in range(len(self.boxes))),
            "sessions": len(told),
            "stays": self.stays,
            "again": self.backend.again,
            "lost": sum(box.lost for box in self.boxes),
        }

    def unmetered(self, number: int) -> int:
        """Return what flowed outside of sessions, as the bridge reports it."""
        return self.outlets[number].unmetered_wh(self.store.metered_wh(f"CP{number}"))

    def mismatches(self) -> list[str]:
        """List what is not as it must be; empty = all is well."""
        wrong = list(self.backend.wrong)
        for number, box in enumerate(self.boxes):
            name = f"CP{number}"
            told = self.backend.sessions.get(name, [])
            sold = sum((one.stop_wh or 0) - one.start_wh for one in told)
            counter = (box.told_wh or 0) - (box.base_wh or 0)
            free = self.unmetered(number)
            if sold + free != counter:
                wrong.append(f"{name}: {sold} Wh sold and {free} Wh unmetered, but the box counted {counter} Wh")
            station = self.lines[number].station
            if isinstance(station, Station16) and station.sessions.unsold_wh != free:
                wrong.append(f"{name}: {free} Wh unmetered, but its station says {station.sessions.unsold_wh}")
            if self.start_of(number) is Start.FREE and free:
                wrong.append(f"{name}: {free} Wh unmetered although everybody may charge")
            if box.told_wh != int(box.power.lifetime):
                wrong.append(f"{name}: the last report was not heard")
            if len(self.store.outbox(name)) or any(one.stop_wh is None for one in told):
                wrong.append(f"{name}: not everything was told")
        return wrong


def kill(store: StateStore) -> None:
    """Leave a store as a killed process does: what was not flushed is gone, the lock is free."""
    store._thread.shutdown(wait=True)
    store._writer.close()
    store._reader.close()
    store._lock.release()
    store._is_closed = True


def shown(figures: dict[str, Any], counts: Counter[str]) -> str:
    """Word the figures."""
    return ", ".join(f"{name} {value}" for name, value in (figures | dict(counts)).items())

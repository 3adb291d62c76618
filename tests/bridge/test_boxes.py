"""A JuiceBox as an outlet: what it may draw, what is told of it, what outlives the bridge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.bridge.boxes import BoxOutlet
from app.bridge.keeping import StateStore
from app.bridge.outlet import OutletState
from app.bridge.session import Session
from app.bridge.station import Kept
from app.juicenet.peer import JuicePeer
from app.model.juicebox import Adoption
from app.sim.juicebox_datagram import Form, Told, report

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIAL = "0910000000000000000000000001"
SOURCE = ("192.0.2.9", 8042)


class Rig:
    """A peer without sockets, a box's words, and an outlet with a real store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at, self.number = NOON, 0
        self.told: list[OutletState] = []
        self.open()

    def open(self) -> None:
        self.peer = JuicePeer("127.0.0.1", (), clock=lambda: self.at)
        self.store = StateStore.open(self.path)
        name = "CP"
        self.kept = Kept(
            outbox=self.store.outbox(name), sessions=self.store.sessions(name), memory=self.store.memory(name)
        )
        self.outlet = BoxOutlet(self.peer, SERIAL, self.kept, now=self.at)

    async def restart(self) -> None:
        await self.store.close()
        self.open()

    def adopt(self, *, circuit_a: float = 20) -> None:
        self.peer.adopt(
            Adoption(box_id=SERIAL, circuit_a=circuit_a, rating_a=40, known_a=None, at=self.at), is_kept=True
        )

    def says(self, mode: int, lifetime_wh: int, session_wh: int = 0, *, after_s: float = 10) -> str:
        """Let the box report; return the command it gets, without its checksum."""
        self.at += timedelta(seconds=after_s)
        self.number += 1
        heard = self.peer.book.received(self.words(mode, lifetime_wh, session_wh), SOURCE, self.at)
        assert heard.report is not None
        self.outlet.heard(heard.report, self.note)
        return (heard.reply or b"").decode().partition("!")[0]

    def words(self, mode: int, lifetime_wh: int, session_wh: int = 0) -> bytes:
        told = Told(
            mode=mode,
            counter=self.number,
            loop=1000 + self.number,
            voltage_v=240.0,
            lifetime_wh=lifetime_wh,
            session_wh=session_wh,
            current_a=16.0,
            temperature_c=20,
            online_a=40,
            offline_a=40,
            rating_a=40,
            period_s=9,
            interval=3,
        )
        return report(SERIAL, Form.V09U, told)

    def note(self, state: OutletState) -> None:
        assert state is self.outlet.state
        self.told.append(state)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "state.sqlite")


async def test_a_box_nobody_adopted_is_told_nothing_until_somebody_does(rig: Rig) -> None:
    rig.outlet.allow(32)
    assert (rig.outlet.ceiling_a, rig.outlet.allowed_a) == (0, 0)
    assert rig.says(1, 5000) == ""
    rig.adopt(circuit_a=20)
    rig.says(1, 5000)
    assert (rig.outlet.ceiling_a, rig.outlet.allowed_a) == (20, 20)
    assert "A0020M020" in rig.says(1, 5000, after_s=90)
    await rig.store.close()


async def test_less_than_six_amperes_is_none(rig: Rig) -> None:
    rig.adopt()
    rig.outlet.allow(5.9)
    assert rig.outlet.allowed_a == 0
    assert "A0000M000" in rig.says(1, 5000)
    rig.outlet.allow(-3)
    assert rig.outlet.allowed_a == 0
    await rig.store.close()


async def test_other_boxes_reports_are_not_its_own(rig: Rig) -> None:
    rig.says(1, 5000)
    other = BoxOutlet(rig.peer, "0910000000000000000000000002", rig.kept, now=rig.at)
    state = rig.peer.book.state(SERIAL)
    assert state is not None
    assert state.report is not None
    other.heard(state.report, lambda _state: pytest.fail("told"))
    assert not other.state.is_present
    await rig.store.close()


async def test_each_change_is_told_in_order_and_silence_too(rig: Rig) -> None:
    rig.says(0, 5000)
    rig.says(0, 7000, after_s=4000)
    assert [(state.plug, state.is_plugged, state.register_wh) for state in rig.told] == [
        (0, False, 5000),
        (1, True, 5000),
        (1, False, 7000),
        (1, False, 7000),
    ]
    rig.outlet.due(rig.at + timedelta(seconds=60), rig.note)
    assert rig.outlet.state.is_present
    rig.outlet.due(rig.at + timedelta(seconds=600), rig.note)
    assert not rig.outlet.state.is_present
    assert len(rig.told) == 5
    await rig.store.close()


async def test_the_bridge_may_restart_in_the_middle_of_a_session(rig: Rig) -> None:
    rig.says(0, 5000)
    rig.says(2, 5100, 100)
    session = Session(identity="CP", plug=1, began_at=rig.at, start_wh=5000, id_tag="T", last_wh=5400)
    rig.kept.sessions.save(session)
    await rig.restart()
    state = rig.outlet.state
    assert (state.plug, state.is_plugged, state.is_present, state.register_wh) == (1, True, False, 5400)
    rig.says(2, 5600, 600, after_s=3000)
    assert (rig.outlet.state.plug, rig.outlet.state.register_wh) == (1, 5600)
    await rig.store.close()


async def test_energy_outside_of_sessions_is_counted(rig: Rig) -> None:
    rig.says(0, 5000)
    rig.says(2, 5100, 100)
    assert rig.outlet.unmetered_wh(rig.store.metered_wh("CP")) == 100
    session = Session(identity="CP", plug=1, began_at=rig.at, start_wh=5100, id_tag="T")
    rig.kept.sessions.save(session)
    rig.says(2, 5600, 600)
    assert rig.outlet.unmetered_wh(rig.store.metered_wh("CP")) == 100
    session.ended_at, session.stop_wh = rig.at, 5600
    rig.kept.sessions.save(session)
    rig.outlet.allow(0)
    rig.says(2, 5650, 650)
    assert rig.outlet.unmetered_wh(rig.store.metered_wh("CP")) == 150
    await rig.restart()
    assert rig.outlet.state.register_wh == 5600
    assert rig.outlet.unmetered_wh(rig.store.metered_wh("CP")) == 100  # what nobody kept, the box's counter brings back
    rig.says(0, 5650)
    assert rig.outlet.unmetered_wh(rig.store.metered_wh("CP")) == 150
    await rig.store.close()


async def test_little_is_written_while_nothing_changes(rig: Rig) -> None:
    rig.says(2, 5000)
    await rig.store.flush()
    made = rig.store._made
    for number in range(30):
        rig.says(2, 5000 + number * 20, number * 20)
    assert rig.store._made == made
    rig.says(2, 6000, 1000, after_s=900)
    assert rig.store._made == made + 1
    await rig.store.close()


async def test_a_board_that_was_swapped_is_noted_and_the_register_goes_on(
    rig: Rig, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("lifetime energy fell from 5000 to 12 Wh")
    rig.says(0, 5000)
    for _ in range(40):  # an old count is refused until the box has not been believed for ten minutes
        rig.at += timedelta(seconds=20)
        rig.number += 1
        heard = rig.peer.book.received(rig.words(0, 12), SOURCE, rig.at)
        if heard.report is not None:
            rig.outlet.heard(heard.report, rig.note)
    assert rig.outlet.state.register_wh == 5000
    assert "fell from 5000 to 12 Wh" in rig.outlet.notes[-1]
    rig.says(2, 112, 100)
    assert rig.outlet.state.register_wh == 5100
    await rig.store.close()

"""The RAPI driver against a controller on a real serial line, and its reader against noise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.driver.capability import Identifies, Meters, ReadsSettings, ReportsStatus, SetsBackend, WritesSettings
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import openevse_rapi
from app.drivers.openevse_rapi import ASKED, COMMAND_LIMIT, LINE_LIMIT, RapiReader, checksum, frame, parse
from app.errors import Garbled, LinkLost, NotSupported, TimedOut
from app.links.real import RealLinks
from app.model.reading import Measurand, StateChange
from app.model.unit import Claim, ClaimKind
from app.sim.fault import Fault
from app.sim.rapi import RapiController, SocketWire, additive_sum, xor_sum
from tests.conftest import TIME_UNIT_S

PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "openevse-rapi")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")


@asynccontextmanager
async def controller(**options: Any) -> AsyncIterator[RapiController]:
    async with RapiController(time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: RapiController) -> Session:
    return openevse_rapi.open_session(unit.address, PROFILE, RealLinks())


# The reader, pure


@pytest.mark.parametrize(
    ("text", "word", "words", "sequence"),
    [
        ("$OK 8.2.3 5.2.1^2F", "OK", ("8.2.3", "5.2.1"), 0),
        ("$OK  ABCDEF00112233^27", "OK", ("ABCDEF00112233",), 0),
        ("$OK 03 1500 03 0140^21", "OK", ("03", "1500", "03", "0140"), 0),
        ("$NK^21", "NK", (), 0),
        ("$OK 8.2.3 5.2.1", "OK", ("8.2.3", "5.2.1"), 0),
    ],
)
def test_lines_of_the_documents_are_read(text: str, word: str, words: tuple[str, ...], sequence: int):
    line = parse(text)
    assert line is not None
    assert (line.word, line.words, line.sequence) == (word, words, sequence)


def test_both_checksums_are_checked():
    body = "$OK 1 2"
    assert parse(f"{body}^{xor_sum(body)}") is not None
    assert parse(f"{body}*{additive_sum(body)}") is not None
    assert parse(f"{body}^{additive_sum(body)}") is None
    assert parse(f"{body}*{xor_sum(body)}") is None
    assert parse(f"{body}^") is None
    assert parse(f"{body}^ZZ") is None


def test_the_first_thing_sent_is_the_documented_one():
    assert frame("GV") == b"$GV^35\r"
    for number, command in enumerate(ASKED, 1):
        assert len(frame(command, number)) <= COMMAND_LIMIT + 1
        assert command.startswith("G")


def test_a_dollar_starts_anew_and_notices_interleave():
    notice = "$AT 03 03 16 0140"
    stream = f"junk$OK 1$OK 2^{xor_sum('$OK 2')}\r\n{notice}^{xor_sum(notice)}\rmore"
    reader = RapiReader()
    lines = list(reader.feed(stream.encode()))
    assert [(line.word, line.words) for line in lines] == [("OK", ("2",)), ("AT", ("03", "03", "16", "0140"))]
    assert reader.noise > 0


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_noise_never_breaks_the_reader_and_a_good_line_gets_through(noise: bytes, size: int):
    reader = RapiReader()
    for start in range(0, len(noise), size):
        list(reader.feed(noise[start : start + size]))
    assert len(reader._text) <= LINE_LIMIT
    good = list(reader.feed(b"$OK 8.2.3 5.2.1^2F\r"))
    assert good[-1].words == ("8.2.3", "5.2.1")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="$^*: "), min_size=1, max_size=12))
def test_what_is_framed_is_read_whole_however_it_is_cut(word: str):
    body = f"$OK {word} :1F"
    data = f"{body}^{checksum(body):02X}\r".encode()
    for cut in range(len(data)):
        reader = RapiReader()
        lines = [*reader.feed(data[:cut]), *reader.feed(data[cut:])]
        assert [(line.words, line.sequence) for line in lines] == [((word,), 0x1F)]


# The session


async def test_identity_claims_the_mcu_that_the_gateway_reports_too():
    async with controller(mcu_id="OEVSE1A7D4B2C3") as unit, session_of(unit) as session:
        identity = await session.ask(Identifies).identify()
        assert identity.claims == (Claim(ClaimKind.MCU, "OEVSE1A7D4B2C3"),)
        assert identity.firmware == "8.2.3"


async def test_values_are_si_units_and_the_car_is_seen():
    async with controller() as unit, session_of(unit) as session:
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        values = {reading.measurand: reading.value for reading in status.readings}
        assert status.state == "Charging"
        assert (values[Measurand.CURRENT], values[Measurand.VOLTAGE], values[Measurand.POWER]) == (16.0, 230.0, 3680.0)
        assert values[Measurand.TEMPERATURE] == 28.2
        assert values[Measurand.ENERGY] >= 100_000


async def test_what_is_not_fitted_is_left_out():
    found = openevse_rapi.measured(
        meter=("-1", "0"), temperatures=("-2560", "-2560", "-2560"), energy=(), limits=("x", "", "99999999999")
    )
    assert found == {}


async def test_settings_are_shown_only():
    async with controller() as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert all(setting.is_readonly for setting in snapshot.settings)
        assert set(snapshot.excluded) == {setting.key for setting in snapshot.settings}
        limit = snapshot.get("current_hardware_max")
        assert limit is not None
        assert limit.value == "48"
        for capability in (WritesSettings, SetsBackend):
            with pytest.raises(NotSupported):
                session.ask(capability)


async def test_nothing_is_ever_sent_that_could_change_a_unit():
    async with controller() as unit:
        await openevse_rapi.probe(unit.address, PROFILE, RealLinks())
        assert unit.commands[0] == "GV"
        async with session_of(unit) as session:
            await session.ask(Identifies).identify()
            await session.ask(ReportsStatus).status()
            await session.ask(ReadsSettings).read_settings()
        assert {command[0] for command in unit.commands} == {"G"}


async def test_a_probe_sends_the_version_question_only_until_it_is_answered():
    async with controller(faults={Fault.SILENT}) as unit:
        with pytest.raises(TimedOut):
            await openevse_rapi.probe(unit.address, PROFILE, RealLinks())
        assert set(unit.commands) == {"GV"}


async def test_a_fault_told_unasked_is_in_the_stream():
    async with controller() as unit, session_of(unit) as session:
        stream = session.ask(Meters).watch()
        states = []
        async with asyncio.timeout(5):
            async for item in stream:
                if isinstance(item, StateChange):
                    states.append((item.state, item.detail))
                    unit.trip(6)
                if len(states) == 2:
                    break
        await stream.aclose()
        assert states == [("Available", ""), ("Faulted", "Residual current detected.")]


async def test_notices_and_noise_between_question_and_answer_do_no_harm():
    async with controller() as unit, session_of(unit) as session:

        def disturb(_line: str) -> None:
            unit.noise(b"\x00\xff$OK 99")
            unit.say(unit.controller.state_line())
            unit.noise(b"\n\n")

        unit.on_line = disturb
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Available"


async def test_an_answer_spoilt_once_is_asked_for_again():
    async with controller() as unit, session_of(unit) as session:
        asked: list[str] = []

        def spoil(line: str) -> None:
            asked.append(line)
            unit.faults = {Fault.SILENT} if len(asked) == 1 else set()

        unit.on_line = spoil
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        assert asked[0] == asked[1]


async def test_old_firmware_without_ids_and_mcu_is_read():
    async with controller(firmware="4.8.0", rapi="2.0.1") as unit, session_of(unit) as session:
        unit.controller.unknown = {"GI", "GC"}
        identity = await session.ask(Identifies).identify()
        assert (identity.firmware, identity.claims) == ("4.8.0", ())
        status = await session.ask(ReportsStatus).status()
        assert Measurand.CURRENT_OFFERED not in {reading.measurand for reading in status.readings}


async def test_an_emulator_that_ignores_ids_is_understood_and_a_late_answer_is_not():
    async with controller() as unit, session_of(unit) as session:
        late = "$OK 06 0 06 0080 :01"
        unit.on_line = lambda _line: unit.say(f"{late}^{xor_sum(late)}")
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        unit.controller.returns_ids = False
        assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_a_unit_without_settings_does_not_offer_them():
    async with controller() as unit:
        unit.controller.unknown = {"GE"}
        async with session_of(unit) as session:
            assert not session.has(ReadsSettings)


@pytest.mark.parametrize("call", [ReportsStatus, Meters])
async def test_a_pulled_cable_is_link_lost(call: type):
    async with controller() as unit, session_of(unit) as session:
        stream = session.ask(Meters).watch()
        await anext(stream)
        unit.pull_cable()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(5):
                if call is Meters:
                    async for _ in stream:
                        pass
                else:
                    await session.ask(ReportsStatus).status()
        await stream.aclose()


async def test_a_slow_unit_is_waited_for():
    async with controller(faults={Fault.SLOW}) as unit, session_of(unit) as session:
        assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_a_console_that_echoes_is_no_controller():
    async with controller(faults={Fault.SILENT}) as unit:
        unit.on_line = lambda line: unit.noise(line.encode() + b"\r\nash: $GV: not found\r\n")
        with pytest.raises(Garbled):
            async with session_of(unit):
                pass


async def test_the_line_of_windows_works_too():
    async with RapiController(wire=SocketWire()) as unit, session_of(unit) as session:
        assert (await session.ask(ReportsStatus).status()).state == "Available"

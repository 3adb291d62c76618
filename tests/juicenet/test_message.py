"""What boxes were heard to say, and what they were told: the published samples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.errors import NotSupported, ValueRejected
from app.juicenet import message
from app.juicenet.message import DebugText, Nonsense, Sealed
from app.model.juicebox import BoxMode, BoxReport

AT = datetime(2026, 11, 22, 22, 10, tzinfo=UTC)
BOX = "0910000000000000000000000000"
V09U = (
    f"{BOX}:v09u,s001,F31,u00412974,V1366,L00004262804,S02,T28,M0024,C0024,m0032,t09,i23,e-0001,f5990,r99,b000,"
    "B0000000,P0,E0004501,A00161,p0996!ZW5:"
)
V07 = f"{BOX}:v07,s0001,u30048,V2400,L0024880114,S2,T62,M40,m40,t09,i78,e-001,f6001,X0,Y0,E006804,A0394,p0992!KKD:"
IDLE = (
    f"{BOX}:v09u,s627,F10,u01254993,V2414,L00004555804,S01,T08,M0040,C0040,m0040,t29,i75,e00000,f5999,r61,b000,"
    "B0000000!S1H:"
)
SHORT = "000000000000000000000000000:v07,s0,u6623,V2479,L20710648,S1,T25,M24,m32,t30,i50,e0,f6002,X0,Y0!JLA:\n"


def read(text: str | bytes) -> message.Message:
    return message.read(text if isinstance(text, bytes) else text.encode(), AT)


def report(text: str | bytes) -> BoxReport:
    found = read(text)
    assert isinstance(found, BoxReport), found
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CMD62210A20M18C006S006", "31Y"),
        ("CMD41325A0040M040C006S638", "5N5"),
        ("CMD31353A0000M010C244S741", "2B3"),
        ("CMD62207A20M20C008S996", "ZI4"),
        (V09U.partition("!")[0], "ZW5"),
        (V07.partition("!")[0], "KKD"),
        ("CMD52324A0000M000C006S001", "ETK"),
        ("CMD41302A40M40C008S080", "S9E"),
    ],
)
def test_checksums_equal_the_published_ones(text: str, expected: str):
    assert message.checksum(text) == expected


def test_v09u_is_scaled():
    found = report(V09U)
    assert (found.version, found.mode, found.voltage_v, found.current_a) == ("v09u", BoxMode.CHARGING, 136.6, 16.1)
    assert (found.online_limit_a, found.offline_limit_a, found.rating_a) == (24, 24, 32)
    assert (found.session_wh, found.lifetime_wh, found.temperature_c) == (4501, 4262804, 28)
    assert (found.frequency_hz, found.power_factor, found.counter, found.loop) == (59.9, 0.996, 1, 412974)
    assert found.period_s == 9
    assert found.others["F"] == "31"
    assert found.others["e"] == "-0001"


def test_v07_does_not_tell_its_offline_limit():
    found = report(V07)
    assert (found.version, found.voltage_v, found.current_a, found.session_wh) == ("v07", 240.0, 39.4, 6804)
    assert (found.online_limit_a, found.offline_limit_a, found.rating_a) == (40, None, 40)


def test_what_an_idle_box_does_not_say_is_not_known():
    found = report(IDLE)
    assert (found.mode, found.current_a, found.session_wh, found.voltage_v) == (BoxMode.PLUGGED, None, None, 241.4)


def test_a_line_feed_behind_it_does_no_harm():
    assert report(SHORT).counter == 0


@pytest.mark.parametrize(
    ("fields", "mode", "session_wh"),
    [
        ("V247,L11097,S0,T34,E14,i84,e1,t30", BoxMode.UNPLUGGED, None),
        ("V247,L11156,E13322,A138,T28,t10,E14,i41,e1", BoxMode.CHARGING, 13322),
        ("V247,L11097,E60,A137,T20,t10,E14,i94,e2", BoxMode.CHARGING, 60),
        ("V247,L11097,E67,A0,T20,t10,E14,i49,e1", BoxMode.PLUGGED, 67),
    ],
)
def test_the_oldest_form(fields: str, mode: BoxMode, session_wh: int | None):
    found = report(f"{BOX}:{fields}:")
    assert (found.version, found.mode, found.session_wh, found.voltage_v) == ("", mode, session_wh, 247.0)
    assert found.lifetime_wh is None, "its L is no Wh: the session of a sample exceeds it"
    assert found.others["L"]


@pytest.mark.parametrize(
    ("text", "level", "is_boot"),
    [
        ("DBG,NFO:BOT:EMWERK-JB_1_1-1.4.0.28, 2021-04-27T20:39:50Z, ZentriOS-WZ-3.6.4.0:", "info", True),
        ("DBG,ERR:Miss CRC 'CMD01216A27M30C006S23':", "error", False),
        ("DBG,WRN:Events_03_04e22Z-01-01 Open Err 7034:", "warning", False),
    ],
)
def test_debug_texts(text: str, level: str, is_boot: bool):
    found = read(f"{BOX}:{text}")
    assert isinstance(found, DebugText)
    assert (found.level, found.is_boot) == (level, is_boot)
    assert not found.text.endswith(":")


@pytest.mark.parametrize(
    "datagram",
    [
        BOX.encode() + b":v08\x9a\xa0\x1d\x00\x00\x00\x00\x94",
        BOX.encode() + b":v09e" + bytes.fromhex("b10a000000716b1493270404a809cbcbb7995f"),
    ],
)
def test_encrypted_ones_are_recognised(datagram: bytes):
    found = read(datagram)
    assert isinstance(found, Sealed)
    assert found.box_id == BOX
    assert "power off and on" in found.WAY_OUT


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "no serial"),
        (b"g4rbl3d", "no serial"),
        (b"CMD41325A0040M040C006S638!5N5$", "no serial"),
        (V09U.replace("ZW5", "ZW6").encode(), "wrong checksum"),
        (V09U.replace("M0024", "M0040").encode(), "wrong checksum"),
        (V09U.partition("!")[0].encode(), "without a checksum"),
        (b"0\xc300000000000000000000000000:v07,s0,u6623!JLA:\n", "no serial"),
        (f"{BOX}:v07,\xff".encode("latin-1"), "no text"),
        (f"{BOX}:".encode(), "neither"),
        (f"{BOX}:hello".encode(), "neither"),
        (b"1" * 2000, "longer"),
        (f"{BOX}:{','.join(['A1'] * 100)}:".encode(), "neither"),
    ],
)
def test_everything_else_is_nonsense_with_a_reason(datagram: bytes, reason: str):
    found = read(datagram)
    assert isinstance(found, Nonsense)
    assert reason in found.reason


def test_absurd_values_are_told_and_not_believed():
    text = f"{BOX}:v09u,s627,u1,V99999,S07,T999,M9999,m0040,A99999999"
    found = report(f"{text}!{message.checksum(text)}:")
    assert (found.mode, found.voltage_v, found.temperature_c, found.online_limit_a) == (None, None, None, None)
    assert found.rating_a == 40
    assert found.others["M"] == "9999"


SUNDAY = datetime(2026, 11, 22, 7, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "limit_a", "expected"),
    [
        ("v09u", 40, b"CMD00705A0040M040C006S638!"),
        ("v09u", 0, b"CMD00705A0000M000C006S638!"),
        ("v07", 20, b"CMD00705A20M20C006S638!"),
        ("", 6, b"CMD00705A06M06C006S638!"),
    ],
)
def test_commands_have_the_width_of_the_version(version: str, limit_a: int, expected: bytes):
    told = message.command(version, limit_a, SUNDAY, 638)
    assert told.startswith(expected)
    text, _, check = told.decode().rstrip("$").partition("!")
    assert message.checksum(text) == check


def test_a_published_command_is_written_as_it_was():
    assert (
        message.command("v09u", 40, datetime(2024, 3, 14, 13, 25, tzinfo=UTC), 638) == b"CMD41325A0040M040C006S638!5N5$"
    )
    assert message.command("v07", 40, datetime(2024, 3, 14, 13, 2, tzinfo=UTC), 82) == b"CMD41302A40M40C006S082!KQL$"


def test_numbers_begin_again_behind_999():
    assert b"S999!" in message.command("v07", 0, SUNDAY, 999)
    assert b"S001!" in message.command("v07", 0, SUNDAY, 1000)


@pytest.mark.parametrize("limit_a", [-1, 1, 5, 81, 999])
def test_limits_no_box_may_be_told_are_refused(limit_a: int):
    with pytest.raises(ValueRejected):
        message.command("v09u", limit_a, SUNDAY, 1)


def test_versions_nobody_published_are_told_nothing():
    with pytest.raises(NotSupported):
        message.command("v10u", 20, SUNDAY, 1)

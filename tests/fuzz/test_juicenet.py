"""Any bytes in a datagram: read without an exception, within bounds, and told back to nobody."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from app.juicenet import message
from app.juicenet.book import BoxBook
from app.juicenet.message import DebugText, Nonsense, Sealed, checksum
from app.model.juicebox import BoxReport
from tests.juicenet.kit import BOX, oldest, said

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
FIELDS = st.lists(
    st.tuples(st.sampled_from("ACELMSTVXfimpstu"), st.integers(-(10**13), 10**13)).map(
        lambda item: f"{item[0]}{item[1]}"
    ),
    max_size=80,
).map(",".join)


@given(st.binary(max_size=2000) | st.binary(max_size=300).map(lambda tail: BOX.encode() + b":" + tail))
@example(b"1" * 41 + b":v07,")
@example(BOX.encode() + b":DBG," + b"\x1b[31m" * 30)
def test_any_bytes_are_read(data: bytes):
    found = message.read(data, AT)
    assert isinstance(found, BoxReport | DebugText | Sealed | Nonsense)
    if isinstance(found, DebugText):
        assert len(found.text) <= message.TEXT_LIMIT
        assert found.text.isprintable()
    heard = BoxBook().received(data, ("192.0.2.1", 1), AT)
    assert heard.reply is None


@given(FIELDS, st.sampled_from(("v07", "v09u", "v55z")))
def test_any_fields_with_a_right_checksum_stay_within_what_a_box_can_be(fields: str, version: str):
    text = f"{BOX}:{version},{fields}"
    found = message.read(f"{text}!{checksum(text)}:".encode(), AT)
    if not isinstance(found, BoxReport):
        return
    for value, most in (
        (found.voltage_v, 1000),
        (found.current_a, 200),
        (found.rating_a, 255),
        (found.online_limit_a, 255),
        (found.lifetime_wh, 10**11),
        (found.power_factor, 1),
    ):
        assert value is None or 0 <= value <= most


@given(st.sampled_from((said(), said(version="v07"), oldest())), st.data())
def test_a_flipped_byte_is_never_taken_for_another_report(data: bytes, draw: st.DataObject):
    place = draw.draw(st.integers(0, len(data) - 1))
    value = draw.draw(st.integers(0, 255))
    flipped = data[:place] + bytes([value]) + data[place + 1 :]
    found = message.read(flipped, AT)
    if isinstance(found, BoxReport) and found.version:
        original = message.read(data, AT)
        assert isinstance(original, BoxReport)
        assert found == original

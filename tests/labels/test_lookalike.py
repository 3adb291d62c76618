"""What a person takes for the same is seen as such."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labels.lookalike import compared, folded, is_alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CP-0O1", "CP-001"),
        ("CP-1", "cp-I"),
        ("WALLB0X-l2", "wallbox-12"),
        ("AB5", "ABS"),
        ("EV8", "EVB"),
        ("Z7000", "27000"),
        ("barn-12", "bam-12"),
        ("CP 001", "CP-001"),
        ("CP_001", "CP001"),
        ("СР-001", "CP-001"),  # the first is Cyrillic
        ("ΑΒΧ1", "ABX1"),  # the first is Greek
        ("ＣＰ００１", "CP001"),
        ("CP–001", "CP-001"),  # a dash
        ("CP\u200b001", "CP001"),
        ("ÉV-01", "EV-01"),
    ],
)
def test_these_look_alike(one: str, other: str) -> None:
    assert is_alike(one, other)
    assert is_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("CP-001", "CP-001"), ("CP-001", "CP-002"), ("A1", "Al"), ("BARN12", "BAM12")]
)
def test_these_do_not(one: str, other: str) -> None:
    assert not is_alike(one, other)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(TEXTS, TEXTS)
def test_the_compared_parts_are_the_texts(one: str, other: str) -> None:
    parts = compared(one, other)
    assert "".join(part.one for part in parts) == one
    assert "".join(part.other for part in parts) == other
    assert any(part.differs for part in parts) == (one != other)


@given(st.text("ABCXYZ0123456789-", min_size=4, max_size=20), st.data())
def test_mixing_up_any_letter_still_looks_alike(text: str, data: st.DataObject) -> None:
    swaps = {
        "0": "Oo",
        "1": "Il",
        "5": "Ss",
        "8": "B",
        "B": "8b",
        "2": "Zz",
        "Z": "2",
        "A": "aА",
        "C": "cС",
        "-": " _–",
    }
    other = "".join(data.draw(st.sampled_from(char + swaps.get(char, ""))) for char in text)
    assert folded(text) == folded(other)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert is_alike(text, text) is False
    assert folded(text) == folded(text.strip())

"""What a plan says of firmware and doors before it is carried out."""

from __future__ import annotations

from app.jobs.limits import warnings
from tests.triage.test_judging import FACT, profile

RULES = [
    {"needs": "it takes a foreign backend", "minimum": "2.0", "update": "By its app."} | FACT,
    {"needs": "its web page is open", "maximum": "3.9"} | FACT,
]
DOORS = [{"id": "fuse", "text": "It can be set once."} | FACT]


def test_a_limit_that_is_met_is_not_said():
    assert list(warnings(profile(firmware=RULES), "3.1", is_by_hand=False)) == []


def test_a_limit_that_is_not_met_or_not_known_is_said_with_its_source():
    (old,) = warnings(profile(firmware=RULES), "1.9", is_by_hand=False)
    assert old == ("Firmware from 2.0: it takes a foreign backend. It has 1.9. By its app.", "vendor handbook")
    unknown = [text for text, _ in warnings(profile(firmware=RULES), "", is_by_hand=False)]
    assert len(unknown) == 2
    assert all("not known" in text for text in unknown)


def test_doors_are_said_where_nothing_else_stops_at_them():
    family = profile(one_way_doors=DOORS)
    assert list(warnings(family, "1", is_by_hand=False)) == []
    assert [text for text, _ in warnings(family, "1", is_by_hand=True)] == ["Can't be undone: It can be set once."]
    assert list(warnings(None, "1", is_by_hand=True)) == []

"""The rows of the Site page: order, filter, groups, least change, next step; and the list import."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QObject, QPersistentModelIndex, Qt

from app.model.address import NetAddress, OcppAddress
from app.model.job import JobState
from app.model.unit import Adoption, Claim, ClaimKind, Health, Identity, SourceKind, Unit, Way
from ui.models.sitelist import ROW_LIMIT, matches, read
from ui.models.units import (
    SORTS,
    Group,
    Grouping,
    JobMark,
    UnitRow,
    UnitsModel,
    ago,
    describe,
    model_line,
    newest_ways,
    next_step,
)

NOW = datetime.now(UTC)


def row(
    name, adoption=Adoption.UNKNOWN, *, health=Health.GOOD, family="F", job=None, source=SourceKind.MDNS, present=True
):
    address = OcppAddress(identity=name) if source is SourceKind.DIAL_IN else NetAddress(host="10.0.0.1")
    way = Way(driver_id="d", address=address, source=source, seen_at=NOW, is_present=present)
    unit = Unit(
        unit_id=name, identity=Identity(name=name, serial=f"SN-{name}"), ways=(way,), adoption=adoption, health=health
    )
    return UnitRow(unit=unit, family=family, job=job)


@pytest.fixture
def model(qapp):
    owner = QObject()
    yield UnitsModel(owner)
    owner.deleteLater()


def shown(model):
    return [
        item.text if isinstance(item, Group) else item.key
        for item in (model.index(place, 0).data(0x0101) for place in range(model.rowCount()))
    ]


def test_orphans_come_first(model):
    model.put([row("a", Adoption.OURS), row("b", Adoption.ORPHANED), row("c", Adoption.FREE)])
    assert shown(model) == ["b", "c", "a"]


def test_the_filter_finds_every_word_anywhere(model):
    model.put([row("alpha"), row("beta")])
    model.show(text="sn beta")
    assert shown(model) == ["beta"]
    assert (model.total, model.shown) == (2, 1)
    model.show(text="")
    assert model.shown == 2


def test_filtering_by_adoption_and_grouping(model):
    model.put([row("a", Adoption.OURS), row("b", Adoption.ORPHANED), row("c", Adoption.OURS)])
    model.show(grouping=Grouping.ADOPTION)
    assert shown(model) == ["Orphaned", "b", "Ours", "a", "c"]
    assert not model.flags(model.index(0, 0))
    model.show(adoptions=frozenset({Adoption.OURS}))
    assert shown(model) == ["Ours", "a", "c"]


def test_a_selection_survives_change_insertion_and_reorder(model):
    model.put([row("b"), row("c")])
    kept = QPersistentModelIndex(model.index(model.row_of("c"), 0))
    model.put([row("a", Adoption.ORPHANED)])
    model.put([row("c", Adoption.ORPHANED)])
    model.drop(["b"])
    assert model.at(kept).key == "c"
    assert shown(model) == ["a", "c"]


def test_only_what_changed_is_announced(model):
    model.put([row("a"), row("b")])
    changed = []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    model.put([row("a"), replace(row("b"), family="G")])
    assert changed == [(1, 1)]


@pytest.mark.parametrize(
    ("item", "text", "verb"),
    [
        (row("x", Adoption.ORPHANED), "Rehome", "job"),
        (row("x", Adoption.FREE), "Give it a backend", "job"),
        (row("x", Adoption.MANAGED), "Open", "unit"),
        (row("x", Adoption.OURS), "Open", "unit"),
        (row("x", Adoption.OURS, source=SourceKind.DIAL_IN), "Rehome", "job"),
        (
            row("x", Adoption.OURS, source=SourceKind.DIAL_IN, job=JobMark(job_id="j", state=JobState.DONE)),
            "Open",
            "unit",
        ),
        (row("x", Adoption.ORPHANED, present=False), "Why is it gone?", "unit"),
        (row("x", Adoption.OURS, job=JobMark(job_id="j", state=JobState.PAUSED)), "Resume the job", "resume"),
        (row("x", Adoption.OURS, job=JobMark(job_id="j", state=JobState.ACTIVE)), "Continue the job", "resume"),
    ],
)
def test_one_next_step(item, text, verb):
    step = next_step(item)
    assert (step.text, step.verb) == (text, verb)


def test_a_charger_is_told_whole_to_a_screen_reader():
    text = describe(row("stall", Adoption.ORPHANED, health=Health.FAULT))
    for word in ("stall", "S/N SN-stall", "Orphaned", "Fault", "mDNS 10.0.0.1", "Next: Rehome"):
        assert word in text


def test_ages_are_short():
    assert ago(NOW, NOW) == "now"
    assert ago(NOW - timedelta(seconds=50), NOW) == "50 s"
    assert ago(NOW - timedelta(hours=3), NOW) == "3 h"
    assert ago(NOW - timedelta(days=9), NOW) == "9 d"
    assert ago(NOW + timedelta(seconds=9), NOW) == "now"


def test_the_order_of_a_column_ends_with_the_next_choice_of_order(model):
    model.put([row("a"), row("b"), row("c")])
    model.sort(0, Qt.SortOrder.DescendingOrder)
    assert shown(model) == ["c", "b", "a"]
    model.show(sort=SORTS["Name"])
    assert shown(model) == ["a", "b", "c"]


def test_one_way_per_source_is_shown_the_present_one_first():
    old = Way(driver_id="d", address=NetAddress(host="10.0.0.9"), source=SourceKind.MDNS, seen_at=NOW, is_present=False)
    new = replace(old, address=NetAddress(host="10.0.0.2"), is_present=True, seen_at=NOW - timedelta(seconds=9))
    unit = Unit(unit_id="u", ways=(old, new))
    assert newest_ways(unit) == [new]


def test_a_model_that_names_its_vendor_is_not_doubled():
    assert model_line(Unit(unit_id="u", identity=Identity(vendor="Acme", model="ACME One"))) == "ACME One"


def test_hostile_names_stay_one_line_of_text():
    unit = Unit(unit_id="u", identity=Identity(name="<img src=x>\n\u202egnp" + "x" * 9999))
    text = describe(UnitRow(unit=unit))
    assert "\n" not in text
    assert "\u202e" not in text
    assert len(text) < 5000


# The list


def test_a_list_with_heading_in_any_order_and_separator():
    text = "\ufeffBackend;Password;ID;Serial number\nws://csms.example/ocpp;s3cret;CP-1;SN1\n"
    (only,) = read(text.encode())
    assert (only.serial, only.identity, only.backend) == ("SN1", "CP-1", "ws://csms.example/ocpp")
    assert only.password.reveal() == "s3cret"
    assert only.is_usable
    assert "s3cret" not in repr(only)


def test_a_list_without_heading_is_read_in_the_usual_order():
    (only,) = read(b"SN1,CP-1,pw,ws://csms.example/ocpp\n")
    assert (only.serial, only.identity) == ("SN1", "CP-1")


def test_every_bad_line_is_kept_and_says_why():
    rows = read(b"SN1,CP-1,,ws://a.example\n,,pw,\nSN1,CP-2,,\nSN3,CP/3,,\nSN4,CP-4,,http://b.example\n")
    assert [item.line for item in rows] == [1, 2, 3, 4, 5]
    assert [item.is_usable for item in rows] == [True, False, False, False, False]
    assert "Neither" in rows[1].problems[0]
    assert "line 1" in rows[2].problems[0]
    assert "slash" in rows[3].problems[0]
    assert "ws://" in rows[4].problems[0]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe\x00\x01", b'"unclosed\nSN1', b"\0" * 50, b"," * 5000])
def test_no_file_breaks_the_reader(data):
    for item in read(data):
        assert item.line >= 1


def test_long_lists_are_cut_and_say_so():
    rows = read(b"".join(b"S%d,I%d\n" % (n, n) for n in range(ROW_LIMIT + 5)))
    assert len(rows) == ROW_LIMIT + 1
    assert not rows[-1].is_usable
    assert not read(b"x" * 3_000_000)[0].is_usable


def test_a_line_finds_its_charger_however_the_serial_is_written():
    (line,) = read(b"24:0a:c4:11,CP-1,,\n")
    unit = Unit(unit_id="u", identity=Identity(serial="240AC411", claims=(Claim(ClaimKind.SERIAL, "240AC411"),)))
    assert matches(line, unit)
    assert not matches(line, Unit(unit_id="v"))

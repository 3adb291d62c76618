"""Reports: true, self-contained, valid by the published schema, and without secrets or foreign markup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from app import resources
from app.driver.registry import Registry
from app.jobs import commands
from app.jobs.machine import applied, create, created, decide
from app.model.backend import Backend, SecurityProfile
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Direction, Frame, FrameKind
from app.model.job import (
    STEPS,
    Door,
    Job,
    JobEvent,
    ShownChange,
    StepKind,
    Strength,
    Target,
    UndoLimit,
)
from app.model.reading import Measurand, Reading
from app.model.secret import Secret
from app.report.build import Report, build
from app.report.chart import chart
from app.report.text import html, json_text, schema
from app.storage.db import Store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NASTY = "<img src=x onerror=alert(1)>{{ 7*7 }}</td>\u202eevil"
SECRET = Secret("zebra-Crossing/9")


class History:
    """Write a lawful history without a unit."""

    def __init__(self, title: str = "Garage left") -> None:
        self.events: list[JobEvent] = [
            create(job_id="j1", at=NOW, unit_id="u1", unit_title=title, profile_id="", version="0.1.0")
        ]
        self.job: Job = created(self.events[0])

    def do(self, command: commands.Command) -> None:
        event = decide(self.job, command, NOW + timedelta(seconds=len(self.events)))
        self.events.append(event)
        self.job = applied(self.job, event)

    def step(self, kind: StepKind, *more: commands.Command, text: str = "seen") -> None:
        if kind is StepKind.CHOOSE:
            backend = Backend(
                url="ws://new.example/ocpp", identity="CP1", security_profile=SecurityProfile.BASIC, secret=SECRET
            )
            self.do(commands.Choose(backend=backend))
        self.do(commands.Start(step=kind))
        for command in more:
            self.do(command)
        self.do(commands.Note(step=kind, text=text, detail="GET /CP1 HTTP/1.1"))
        self.do(commands.Complete(step=kind))


def change(target: Target, key: str, before: str, after: str) -> ShownChange:
    return ShownChange(key=key, before=before, after=after, target=target)


def finished(title: str = "Garage left", *, is_charged: bool = True) -> History:
    history = History(title)
    identity = {"vendor": "OpenEVSE", "model": title, "serial": "240AC411A7D4", "firmware": "v5.1.5"}
    before = {"url": "ws://old.example/ocpp", "identity": "OLD", "security_profile": 0, "secret": None, "name": ""}
    facts = {"identity": identity, "backend_before": before, "backup": {"excluded": {"pass": "never shown"}}}
    history.step(StepKind.IDENTIFY, commands.Note(step=StepKind.IDENTIFY, text="It is there.", facts=facts))
    history.step(StepKind.BACK_UP)
    history.step(StepKind.CHOOSE)
    plan = commands.Plan(
        changes=(change(Target.ENDPOINT, "url", "ws://old.example/ocpp", "ws://10.0.0.2:8180/"),),
        restarts=1,
        doors=(Door(id="d", text="no way back"),),
        undo_limits=(UndoLimit(key="key", reason="write-only"),),
    )
    history.step(StepKind.PLAN, plan)
    history.do(commands.Acknowledge(doors=("d",)))
    for kind, target, after in (
        (StepKind.APPLY, Target.ENDPOINT, "ws://10.0.0.2:8180/"),
        (StepKind.RESTART, None, ""),
        (StepKind.PROVE, None, ""),
        (StepKind.SWITCH, Target.BACKEND, "ws://new.example/ocpp"),
    ):
        more: list[commands.Command] = []
        if target is not None:
            more += [
                commands.Intend(step=kind, change=change(target, "url", "ws://old.example/ocpp", after)),
                commands.Wrote(step=kind, key="url", is_accepted=True, read_back=after),
            ]
        if kind is StepKind.PROVE:
            finding = Finding(
                code="URL-COMPOSE",
                severity=Severity.WARNING,
                evidence=(Evidence(label="request line", text=NASTY),),
                details={"identity": NASTY, "found": NASTY},
            )
            more += [
                commands.Report(step=kind, finding=finding),
                commands.Note(step=kind, facts={"arrival": {"identity": "CP1"}}),
            ]
        if kind is StepKind.SWITCH:
            text = "It says that it is connected to the new backend."
            more.append(commands.Note(step=kind, text=text, strength=Strength.CLAIMED))
        history.step(kind, *more)
    if is_charged:
        charged = {"session": {"energy_wh": 412.0}}
        history.step(StepKind.SESSION, commands.Note(step=StepKind.SESSION, text="It charges.", facts=charged))
    else:
        history.do(commands.Skip(step=StepKind.SESSION, reason="no car here"))
    history.step(StepKind.HAND_OVER)
    history.do(commands.Finish())
    return history


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "rehome.db")
    yield opened
    opened.close()


def report_of(history: History, store: Store) -> Report:
    frames = [
        Frame(
            seq=number,
            at=NOW + timedelta(seconds=number),
            identity="CP1",
            connection=1,
            direction=Direction.IN,
            text=f'[2,"{number}","BootNotification",{{"chargePointVendor":"{NASTY}"}}]',
            kind=FrameKind.CALL,
            uid=str(number),
            action="BootNotification",
        )
        for number in range(1, 30)
    ]
    readings = [
        Reading(
            unit_id="ocpp:CP1",
            measurand=measurand,
            value=7000.0 + number,
            at=NOW + timedelta(milliseconds=20 * number),
            phase=phase,
        )
        for number in range(1000)
        for measurand, phase in ((Measurand.POWER, ""), (Measurand.CURRENT, "L1"), (Measurand.CURRENT, "L2"))
    ]
    store.traffic.add(frames)
    store.samples.add(readings)
    store.traffic.flush()
    return build(
        history.job,
        history.events,
        store=store,
        unit=None,
        registry=Registry([], []),
        version="0.1.0",
        site_name="Elm St",
    )


def test_the_json_follows_the_published_schema(store: Store) -> None:
    validator = jsonschema_rs.validator_for(schema(), validate_formats=True)
    for history in (finished(), finished(is_charged=False), History()):
        document = orjson.loads(json_text(report_of(history, store)))
        assert [str(error) for error in validator.iter_errors(document)] == []
        broken = {**document, "extra": 1}
        assert not validator.is_valid(broken)


def test_the_verdict_says_no_more_than_what_is_proved(store: Store) -> None:
    charged = report_of(finished(), store).verdict
    assert (charged.level, charged.title) == ("proved", "Moved and charging")
    assert "0.412 kWh" in charged.text
    moved = report_of(finished(is_charged=False), store).verdict
    assert moved.level == "claimed"
    assert "No charge was seen" in moved.text
    assert report_of(History(), store).verdict.level == "open"


def test_a_charge_of_a_unit_pointed_elsewhere_by_hand_does_not_prove_whom_it_dials(store: Store) -> None:
    history = History()
    for kind in (StepKind.IDENTIFY, StepKind.BACK_UP, StepKind.CHOOSE):
        history.step(kind)
    for kind in (StepKind.PLAN, StepKind.APPLY, StepKind.RESTART, StepKind.PROVE, StepKind.SWITCH):
        history.do(commands.Skip(step=kind, reason="typed in by hand"))
    charged = {"session": {"energy_wh": 412.0}}
    history.step(StepKind.SESSION, commands.Note(step=StepKind.SESSION, text="It charges.", facts=charged))
    history.step(StepKind.HAND_OVER)
    history.do(commands.Finish())
    verdict = report_of(history, store).verdict
    assert (verdict.level, verdict.title) == ("claimed", "Charging")
    assert "0.412 kWh" in verdict.text
    assert "nor see that it dials there" in verdict.text


def test_a_setting_is_shown_as_it_was_found_and_as_it_was_left(store: Store) -> None:
    (line,) = report_of(finished(), store).changes
    assert (line.key, line.before, line.after) == ("url", "ws://old.example/ocpp", "ws://new.example/ocpp")
    assert line.outcome == "read back and equal"


def test_an_interrupted_write_is_named(store: Store) -> None:
    history = finished()
    job = history.job
    cut = replace(job.writes[-1], ended_at=None, is_accepted=None)
    history.job = replace(job, writes=(*job.writes[:-1], cut))
    (line,) = report_of(history, store).changes
    assert "either value" in line.outcome


class Tags(HTMLParser):
    """Collect tags and attributes, and check that they nest."""

    VOID = frozenset({"meta", "br", "img", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


@pytest.mark.parametrize("for_print", [False, True])
def test_the_html_stands_alone_and_renders_no_foreign_markup(store: Store, for_print: bool) -> None:
    text = html(report_of(finished(NASTY), store), for_print=for_print)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "iframe", "object", "form"}
    for tag, attrs in tags.seen:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href"):
            assert (attrs.get(name) or "data:").startswith("data:image/svg+xml;base64,") or name not in attrs, tag
    assert "{{ 7*7 }}" in text
    assert "\u202e" not in text
    assert "&lt;img" in text


def test_no_secret_and_no_password_field_is_in_any_form(store: Store) -> None:
    history = finished()
    report = report_of(history, store)
    for text in (html(report), html(report, for_print=True), json_text(report), repr(report), repr(history.events)):
        for form in SECRET.spellings():
            assert form not in text


def test_frames_and_curves_are_bounded(store: Store) -> None:
    report = report_of(finished(), store)
    assert len(report.frames) <= 24
    assert [len(curve.points) for curve in report.curves] == [400, 400, 400]
    assert report.curves[0].points[0][1] == 7000.0
    assert report.curves[0].points[-1][1] == 7999.0


def test_the_chart_has_one_panel_per_measurand_and_names_the_phases(store: Store) -> None:
    drawn = chart(report_of(finished(), store).curves)
    assert drawn.count("<polyline") == 3
    assert "Power, W" in drawn
    assert ">L2<" in drawn
    assert chart(()) == ""


def test_what_was_tried_and_failed_on_the_way_is_told(store: Store) -> None:
    history = History()
    history.do(commands.Start(step=STEPS[0]))
    history.do(commands.Fail(step=STEPS[0], message="It did not answer.", advice="Look at the cable."))
    history.step(StepKind.IDENTIFY)
    report = report_of(history, store)
    assert [item.value for item in report.attempts] == ["It did not answer."]
    assert "It did not answer." in html(report)


def test_the_schema_file_is_a_valid_schema() -> None:
    assert jsonschema_rs.meta.is_valid(schema())
    assert resources.path("report", "report.schema.json").is_file()

"""The guided rescue: what is seen decides where a box stands, and the one thing to do next."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import ProfileError
from app.juicenet import rescuetexts
from app.juicenet.rescue import REFUSED, ConsoleSeen, Known, Step, StepState, next_step, steps
from app.model.bridge import LineState, SessionShown, UnitKind, UnitStatus
from app.model.garage import Asked, Stand
from app.model.juicebox import Adoption, BoxMode, BoxReport, BoxState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OURS, BOX_IP, BOX_ID = "192.168.7.2", "192.168.7.31", "0910042001260572196022692123"
DEFAULT, DIRECTORY = "jbv1.emotorwerks.com", "directory-api.emotorwerks.com"
JB1, JB2 = "EMWERK-JB_1_1-1.4.0.28", "EMWERK-JB201-1.0.46"
ORDER = ["identify", "dials", "network", "cycle", "heard", "limit", "charges", "bridged", "proof", "remains"]
BARE = Known(at=NOW, our_address=OURS)


def console(dials: str = "", default_at: str | None = None, directory_at: str | None = "") -> ConsoleSeen:
    return ConsoleSeen(box_id=BOX_ID, software=JB2, dials=dials, default_at=default_at, directory_at=directory_at)


def asked(name: str, answer: str, ago_s: float = 10) -> Asked:
    at = NOW - timedelta(seconds=ago_s)
    return Asked(at=at, stand=Stand.DNS, client=BOX_IP, name=name, kind="A", answer=answer)


def report(**facts: object) -> BoxReport:
    usual = {"version": "v09u", "mode": BoxMode.UNPLUGGED, "online_limit_a": 32, "offline_limit_a": 32, "rating_a": 40}
    return BoxReport(box_id=BOX_ID, at=NOW, **{**usual, **facts})  # type: ignore[arg-type]


def box(seen: BoxReport | None = None, **facts: object) -> BoxState:
    return BoxState(
        box_id=BOX_ID,
        address=f"{BOX_IP}:26674",
        first_heard=NOW,
        last_heard=NOW,
        report=seen,
        datagrams=7,
        **facts,  # type: ignore[arg-type]
    )


def adoption(
    circuit_a: float = 32, *, known_a: float | None = 32, is_revived: bool = False, ago_s: float = 600
) -> Adoption:
    at = NOW - timedelta(seconds=ago_s)
    return Adoption(box_id=BOX_ID, circuit_a=circuit_a, rating_a=40, known_a=known_a, at=at, is_revived=is_revived)


def bridge(line: LineState = LineState.ONLINE, trouble: str = "", session: SessionShown | None = None) -> UnitStatus:
    return UnitStatus(
        identity="STALL-7",
        kind=UnitKind.BOX,
        unit=BOX_ID,
        backend="wss://csms.example/ocpp",
        version="1.6",
        security_profile=2,
        line=line,
        line_since=NOW,
        trouble=trouble,
        session=session,
    )


def session(*, energy_wh: int = 400, is_over: bool = True, is_delivered: bool = True) -> SessionShown:
    return SessionShown(
        number="12",
        began_at=NOW,
        start_wh=1000,
        energy_wh=energy_wh,
        ended_at=NOW if is_over else None,
        transaction="77",
        is_delivered=is_delivered,
    )


CHARGING = report(mode=BoxMode.CHARGING, current_a=32.0)
ADOPTED = box(CHARGING, adoption=adoption(), allowed_a=32.0)

CASES: dict[str, tuple[Known, str, StepState, str]] = {
    "nothing known": (BARE, "identify", StepState.NOW, "TCP 2000"),
    "the console is shut": (replace(BARE, console=REFUSED), "identify", StepState.NOW, "usual with later software"),
    "at Voltie": (
        replace(BARE, console=console("dummy.voltie.us:8055")),
        "dials",
        StepState.PROBLEM,
        "Ask the owner",
    ),
    "at Enel X": (
        replace(BARE, console=console("juicenet-udp-prod3-usa.enelx.com:8047")),
        "network",
        StepState.NOW,
        OURS,
    ),
    "released by Voltie": (
        replace(BARE, console=console("dummy.voltie.us:8055"), is_released=True),
        "network",
        StepState.NOW,
        "Block everything else",
    ),
    "another DNS server": (
        replace(BARE, console=console(f"{DEFAULT}:8042", default_at="158.47.1.128")),
        "network",
        StepState.PROBLEM,
        "another DNS server",
    ),
    "the directory answers": (
        replace(BARE, console=console(default_at=OURS, directory_at="52.1.2.3")),
        "network",
        StepState.PROBLEM,
        "no address",
    ),
    "the directory is forwarded": (
        replace(BARE, asked=(asked(DEFAULT, OURS), asked(DIRECTORY, "52.1.2.3 from 9.9.9.9"))),
        "network",
        StepState.PROBLEM,
        "block its way out",
    ),
    "the override is proved by the console": (
        replace(BARE, console=console(f"{DEFAULT}:8042", default_at=OURS)),
        "cycle",
        StepState.NOW,
        "breaker off",
    ),
    "it has just asked": (
        replace(BARE, asked=(asked(DEFAULT, OURS), asked(DIRECTORY, "no such name"))),
        "heard",
        StepState.WAITING,
        "two minutes",
    ),
    "it asked and is silent": (
        replace(BARE, asked=(asked(DEFAULT, OURS, 600),)),
        "heard",
        StepState.PROBLEM,
        "firewall",
    ),
    "it only debugs": (replace(BARE, box=box(notes=("BOT: x",))), "heard", StepState.WAITING, "30 seconds"),
    "sealed": (replace(BARE, box=box(is_encrypted=True)), "heard", StepState.PROBLEM, "Block directory-api"),
    "heard": (replace(BARE, box=box(report())), "limit", StepState.NOW, "80 %"),
    "at 0 A": (
        replace(BARE, box=box(report(offline_limit_a=0, online_limit_a=0))),
        "limit",
        StepState.NOW,
        "confirm that it shall charge again",
    ),
    "limited too low": (
        replace(BARE, box=box(report(), adoption=adoption(known_a=4))),
        "limit",
        StepState.PROBLEM,
        "electrician",
    ),
    "adopted": (replace(BARE, box=box(report(), adoption=adoption())), "charges", StepState.NOW, "Plug a car in"),
    "faulty": (
        replace(BARE, box=box(report(mode=BoxMode.ERROR), adoption=adoption())),
        "charges",
        StepState.PROBLEM,
        "electrician",
    ),
    "plugged in, drawing nothing": (
        replace(BARE, box=box(report(mode=BoxMode.PLUGGED), adoption=adoption(), allowed_a=32.0)),
        "charges",
        StepState.WAITING,
        "wants current",
    ),
    "held at 0 A by us": (
        replace(
            BARE,
            box=box(
                report(mode=BoxMode.PLUGGED, online_limit_a=0, offline_limit_a=0), adoption=adoption(), allowed_a=0.0
            ),
        ),
        "charges",
        StepState.WAITING,
        "from the backend",
    ),
    "does not obey": (
        replace(BARE, box=box(report(mode=BoxMode.CHARGING), adoption=adoption(), allowed_a=16.0)),
        "charges",
        StepState.PROBLEM,
        "does not hear us",
    ),
    "charges freely": (replace(BARE, box=ADOPTED), "bridged", StepState.NOW, "identity"),
    "a wrong password": (
        replace(BARE, box=ADOPTED, bridge=bridge(LineState.DIALLING, "The backend refuses the password.")),
        "bridged",
        StepState.PROBLEM,
        "password",
    ),
    "not accepted yet": (
        replace(BARE, box=ADOPTED, bridge=bridge(LineState.PENDING)),
        "bridged",
        StepState.WAITING,
        "accepted",
    ),
    "online": (replace(BARE, box=ADOPTED, bridge=bridge()), "proof", StepState.NOW, "few minutes"),
    "proving": (
        replace(BARE, box=ADOPTED, bridge=bridge(session=session(is_over=False))),
        "proof",
        StepState.WAITING,
        "stop it",
    ),
    "proved": (
        replace(BARE, box=ADOPTED, bridge=bridge(session=session())),
        "remains",
        StepState.NOW,
        "must stay on the site",
    ),
    "an EO Mini Pro": (
        replace(BARE, box=box(report(version="v07"), software="EMWERK-JEO2-1.0.0.36")),
        "limit",
        StepState.NOT_POSSIBLE,
        "metered",
    ),
}


def named(shown: tuple[Step, ...], step_id: str) -> Step:
    return next(step for step in shown if step.id == step_id)


@pytest.mark.parametrize("name", CASES)
def test_what_is_seen_decides_what_to_do_next(name: str) -> None:
    known, step_id, state, words = CASES[name]
    shown = steps(known)
    assert [step.id for step in shown] == ORDER
    step = named(shown, step_id)
    assert step.state is state
    assert words in step.next or words in step.seen


@pytest.mark.parametrize("name", CASES)
def test_the_next_step_is_the_one_a_person_must_look_at(name: str) -> None:
    known, step_id, _, _ = CASES[name]
    found = next_step(steps(known))
    assert found is not None
    assert found.id == step_id


@pytest.mark.parametrize("name", CASES)
def test_never_are_two_things_to_be_done_at_once_and_each_says_something_with_its_source(name: str) -> None:
    shown = steps(CASES[name][0])
    assert sum(step.state is StepState.NOW for step in shown) <= 1
    for step in shown:
        assert step.title
        assert step.source
        assert step.seen if step.state is StepState.DONE else step.next or step.seen
        assert "{" not in step.seen + step.next


def test_a_later_proof_counts_for_what_came_before_it() -> None:
    shown = steps(replace(BARE, box=ADOPTED, console=REFUSED))
    assert {step.id for step in shown if step.state is StepState.DONE} == set(ORDER[:7])


@pytest.mark.parametrize(
    "profile", ["juicebox-kickstarter", "juicebox-cellular", "juicebox-ocpp", "juicepump", "waybox"]
)
def test_what_can_not_be_rescued_is_said_at_once_with_what_is_left_to_try(profile: str) -> None:
    shown = steps(replace(BARE, profile_id=profile))
    assert {step.state for step in shown} == {StepState.NOT_POSSIBLE}
    told = next_step(shown)
    assert told is not None
    assert told.seen
    assert told.next
    assert told.grade == "reported"
    # what is heard all the same counts more than what was believed
    assert named(steps(replace(BARE, profile_id=profile, box=box(report()))), "limit").state is StepState.NOW


def test_what_the_box_says_itself_counts_before_what_a_person_chose() -> None:
    known = replace(BARE, profile_id="juicebox-kickstarter", console=console(f"{DEFAULT}:8042", OURS))
    assert known.generation == "juicebox-jb2"
    assert named(steps(known), "cycle").state is StepState.NOW
    assert "JuiceRescueController" in named(steps(known), "remains").next


def test_every_step_has_its_texts_and_they_hold_only_plain_facts() -> None:
    texts = rescuetexts.guide()
    assert list(texts.titles) == ORDER
    for words in texts.words.values():
        for part in (words.seen, words.next):
            assert all(field is None or field.isidentifier() for _, field, _, _ in string.Formatter().parse(part))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "steps = 1\nbarred = {}\nswappable = []",
        'swappable = []\n[barred]\n[steps.a]\ntitle = "A"\n[steps.a.b]\nsource = "x"\ngrade = "source"',
        'swappable = []\n[barred]\n[steps.a]\ntitle = "A"\n[steps.a.b]\nseen = "x"\ngrade = "source"',
        'swappable = []\n[barred]\n[steps.a]\ntitle = "A"\n[steps.a.b]\nseen = "x"\nsource = "x"\ngrade = "sure"',
        "swappable = []\nmore = 1\n[barred]\n[steps]",
    ],
)
def test_a_broken_file_of_texts_is_named(text: str) -> None:
    with pytest.raises(ProfileError, match=r"rescue\.toml"):
        rescuetexts.parse(text)

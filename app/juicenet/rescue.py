"""The guided rescue of a JuiceBox: from what was seen to where it stands and the one next thing to do. Pure.

The order of the steps is the order of the work. A later proof counts for what came before it: a box whose reports we
read has found us, whatever the console kept to itself. Texts stand in ``resources/juicebox/rescue.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from app.juicenet import hosts
from app.juicenet.families import ANY, family
from app.juicenet.rescuetexts import Guide, Words, guide
from app.model.bridge import LineState, UnitStatus
from app.model.garage import Asked, Stand
from app.model.juicebox import LEAST_A, BoxMode, BoxState
from app.model.setting import Snapshot
from app.model.unit import Identity

FIRST_REPORT = timedelta(minutes=2)
"""From asking for its name to the first report: four idle periods [OURS]."""

OBEYS_WITHIN = timedelta(minutes=3)
"""A box that was told a limit shows it by then [OURS]: a rise waits a minute, a report 30 s."""

SEEN_LIMIT = 300
"""Characters of one piece of evidence."""


class StepState(Enum):
    """How a step stands. Exactly one step is ``NOW``, unless all is done, or somebody or something is waited for."""

    DONE = "done"
    NOW = "now"
    WAITING = "waiting"
    """For the box, the backend, or the steps before it."""
    PROBLEM = "problem"
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it is, how it stands, what proves that, and what to do next. In plain words."""

    id: str
    title: str
    state: StepState
    seen: str = ""
    next: str = ""
    source: str = ""
    grade: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSeen:
    """What the box's console told. ``is_refused``: it was tried, and nobody answered."""

    is_refused: bool = False
    box_id: str = ""
    software: str = ""
    dials: str = ""
    default_at: str | None = None
    """Where the box itself finds its built-in name; empty = nowhere; ``None`` = not asked."""
    directory_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known of one box. ``asked`` are its own questions; ``our_address`` is where its names shall lead.

    ``profile_id`` says which generation a person chose, where it told nothing itself. ``is_released``: the owner says
    that nobody else serves it any more.
    """

    at: datetime
    our_address: str
    profile_id: str = ANY
    console: ConsoleSeen | None = None
    asked: tuple[Asked, ...] = ()
    box: BoxState | None = None
    bridge: UnitStatus | None = None
    is_released: bool = False

    @property
    def software(self) -> str:
        """Return what it says it runs."""
        told = self.box.software if self.box is not None else ""
        return told or (self.console.software if self.console is not None else "")

    @property
    def generation(self) -> str:
        """Return its profile: what it said itself counts before what a person chose."""
        told = family(self.software)
        return self.profile_id if told == ANY else told

    @property
    def is_heard(self) -> bool:
        """Say whether we read what it sends."""
        return self.box is not None and not self.box.is_encrypted

    def asks(self, kind: str) -> tuple[Asked, ...]:
        """Return its DNS questions for names of a kind of host, the oldest first."""
        names = (item for item in self.asked if item.stand is Stand.DNS and item.kind in ("", "A"))
        return tuple(item for item in names if (host := hosts.whose(item.name)) is not None and host.id == kind)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a step found: ``None`` as state = it is to be done. ``words`` names its text."""

    state: StepState | None
    words: str
    facts: Mapping[str, object] = field(default_factory=dict)


def steps(known: Known) -> tuple[Step, ...]:
    """Return the steps in order."""
    texts = guide()
    found = [(step_id, find(known)) for step_id, find in _STEPS.items()]
    barred = texts.barred.get(known.generation)
    if barred is not None and known.box is None:
        return _barred(texts, found, barred)
    shown: list[Step] = []
    is_free = True
    for step_id, finding in found:
        step, is_free = _placed(texts, step_id, finding, is_free)
        shown.append(step)
    return tuple(shown)


def next_step(shown: Iterable[Step]) -> Step | None:
    """Return the one a person should look at: a problem first, then what is to be done, then what is waited for."""
    order = (StepState.PROBLEM, StepState.NOT_POSSIBLE, StepState.NOW, StepState.WAITING)
    listed = list(shown)
    return next((step for state in order for step in listed if step.state is state), None)


def console_seen(identity: Identity, snapshot: Snapshot) -> ConsoleSeen:
    """Read what a session with the console told (driver ``juicebox-console``)."""

    def value(key: str) -> str | None:
        setting = snapshot.get(key)
        return setting.value if setting is not None else None

    return ConsoleSeen(
        box_id=identity.serial,
        software=(value("version") or "").partition(",")[0],
        dials=value("dials") or "",
        default_at=value("lookup.default"),
        directory_at=value("lookup.directory"),
    )


REFUSED = ConsoleSeen(is_refused=True)


def _placed(texts: Guide, step_id: str, finding: _Finding, is_free: bool) -> tuple[Step, bool]:
    """Word a step; ``is_free`` says whether nothing before it holds it up, and is returned for the next one."""
    state = finding.state
    if state is None:
        state = StepState.NOW if is_free else StepState.WAITING
    holds = finding.state is not StepState.DONE and step_id not in _ASIDE
    return _step(texts, step_id, finding, state), is_free and not holds


def _barred(texts: Guide, found: Iterable[tuple[str, _Finding]], reason: Words) -> tuple[Step, ...]:
    """Word the steps of a unit that can't be rescued this way: what was seen, and why not."""
    shown = []
    for step_id, finding in found:
        if step_id == "identify" and finding.state is StepState.DONE:
            shown.append(_step(texts, step_id, finding, StepState.DONE))
        else:
            no = StepState.NOT_POSSIBLE
            shown.append(Step(id=step_id, title=texts.titles[step_id], state=no))
    first = next(index for index, step in enumerate(shown) if step.state is StepState.NOT_POSSIBLE)
    barred = shown[first]
    shown[first] = Step(
        id=barred.id,
        title=barred.title,
        state=barred.state,
        seen=reason.seen,
        next=reason.next,
        source=reason.source,
        grade=reason.grade,
    )
    return tuple(shown)


def _step(texts: Guide, step_id: str, finding: _Finding, state: StepState) -> Step:
    words = texts.words[step_id, finding.words]
    return Step(
        id=step_id,
        title=texts.titles[step_id],
        state=state,
        seen=words.seen.format_map(finding.facts)[:SEEN_LIMIT],
        next=words.next.format_map(finding.facts),
        source=words.source,
        grade=words.grade,
    )


def _identify(known: Known) -> _Finding:
    console, box = known.console, known.box
    if box is not None:
        facts = {"box": box.box_id, "where": box.address, "software": known.software or "not told yet"}
        return _Finding(StepState.DONE, "heard", facts)
    if console is not None and not console.is_refused:
        return _Finding(StepState.DONE, "console", {"box": console.box_id or "?", "software": console.software})
    if known.asked:
        last = known.asked[-1]
        return _Finding(StepState.DONE, "asked", {"client": last.client, "name": last.name})
    return _Finding(None, "refused" if console is not None else "look")


def _dials(known: Known) -> _Finding:
    console = known.console
    if known.is_heard:
        return _Finding(StepState.DONE, "ours")
    voltie = known.asks(hosts.VOLTIE)
    if console is not None and console.dials:
        kind = hosts.whose(console.dials.rpartition(":")[0])
        if kind is not None and kind.id == hosts.VOLTIE and not known.is_released:
            return _Finding(StepState.PROBLEM, "voltie", {"dials": console.dials})
        facts = {"dials": console.dials, "whose": kind.whose if kind else "nobody known", "means": _means(kind)}
        return _Finding(StepState.DONE, "console", facts)
    if voltie and not known.is_released:
        return _Finding(StepState.PROBLEM, "voltie", {"dials": voltie[-1].name})
    if console is not None and not console.is_refused:
        return _Finding(StepState.DONE, "nowhere")
    if known.asked:
        return _Finding(StepState.DONE, "asked", {"names": ", ".join(dict.fromkeys(item.name for item in known.asked))})
    return _Finding(StepState.WAITING, "unseen")


def _means(kind: hosts.Host | None) -> str:
    return kind.means if kind is not None else "No such host was seen in the field before."


def _network(known: Known) -> _Finding:
    console, ours = known.console, known.our_address
    asked, directory = known.asks(hosts.DEFAULT), known.asks(hosts.DIRECTORY)
    leads = _led(directory[-1]) if directory else (console.directory_at or "") if console else ""
    if _is_address(leads) and leads != ours:
        return _Finding(StepState.PROBLEM, "directory", {"leads": leads})
    if known.is_heard:
        return _Finding(StepState.DONE, "heard")
    if asked and _led(asked[-1]) == ours:
        return _Finding(StepState.DONE, "asked", {"name": asked[-1].name, "client": asked[-1].client, "ours": ours})
    if console is not None and console.default_at == ours:
        return _Finding(StepState.DONE, "console", {"ours": ours})
    if console is not None and console.default_at:
        return _Finding(StepState.PROBLEM, "elsewhere", {"leads": console.default_at, "ours": ours})
    return _Finding(None, "prepare", {"ours": ours})


def _led(asked: Asked) -> str:
    """Return the address of an answer, which may go on with where it came from; else its first word."""
    return asked.answer.partition(" ")[0]


def _is_address(text: str) -> bool:
    return text.count(".") == 3 and text.replace(".", "").isdecimal() and text != "0.0.0.0"


def _cycle(known: Known) -> _Finding:
    if known.box is not None and known.box.is_encrypted:
        return _Finding(None, "sealed")
    if known.is_heard:
        return _Finding(StepState.DONE, "heard")
    asked = known.asks(hosts.DEFAULT)
    if asked:
        return _Finding(StepState.DONE, "asked", {"name": asked[-1].name, "at": _clock(asked[-1].at)})
    return _Finding(None, "cycle")


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _heard(known: Known) -> _Finding:
    box = known.box
    if box is not None and box.is_encrypted:
        return _Finding(StepState.PROBLEM, "sealed", {"box": box.box_id})
    if box is not None and box.is_absent:
        return _Finding(StepState.PROBLEM, "gone", {"at": _clock(box.last_heard)})
    if box is not None and box.report is not None:
        facts = {"version": box.report.version or "the oldest form", "count": box.datagrams, "where": box.address}
        return _Finding(StepState.DONE, "heard", facts)
    if box is not None:
        return _Finding(StepState.WAITING, "debug", {"note": box.notes[-1] if box.notes else "a datagram"})
    asked = known.asks(hosts.DEFAULT)
    if not asked:
        return _Finding(None, "awaited")
    is_late = known.at - asked[-1].at > FIRST_REPORT
    state, words = (StepState.PROBLEM, "silent") if is_late else (StepState.WAITING, "awaited")
    return _Finding(state, words, {"at": _clock(asked[-1].at)})


def _limit(known: Known) -> _Finding:
    box = known.box
    adoption = box.adoption if box is not None else None
    if known.generation == "juicebox-eo":
        return _Finding(StepState.NOT_POSSIBLE, "deaf")
    if box is None or adoption is None:
        return _Finding(None, "locked" if box is not None and box.is_locked else "enter")
    facts = {"ceiling": f"{adoption.ceiling_a:g}", "circuit": f"{adoption.circuit_a:g}"}
    if adoption.ceiling_a < LEAST_A:
        return _Finding(StepState.PROBLEM, "low", facts)
    return _Finding(StepState.DONE, "revived" if adoption.is_revived else "entered", facts)


def _charges(known: Known) -> _Finding:
    box = known.box
    report = box.report if box is not None else None
    if box is None or report is None or box.adoption is None:
        return _Finding(None, "plug")
    if report.mode is BoxMode.ERROR:
        return _Finding(StepState.PROBLEM, "error")
    if _ignores(box):
        facts = {"told": f"{box.allowed_a:g}", "says": report.online_limit_a}
        return _Finding(StepState.PROBLEM, "ignores", facts)
    if report.mode is BoxMode.CHARGING:
        return _Finding(StepState.DONE, "charging", {"current": f"{report.current_a or 0:g}"})
    if known.bridge is not None and known.bridge.session is not None and known.bridge.session.energy_wh > 0:
        return _Finding(StepState.DONE, "charged", {"energy": known.bridge.session.energy_wh})
    if report.mode is BoxMode.PLUGGED:
        is_held = box.allowed_a is not None and box.allowed_a < LEAST_A
        return _Finding(StepState.WAITING, "held" if is_held else "plugged")
    return _Finding(None, "plug")


def _ignores(box: BoxState) -> bool:
    """Say whether it was told a limit long ago and still reports another one."""
    report, adoption = box.report, box.adoption
    if report is None or adoption is None or box.allowed_a is None or report.online_limit_a is None:
        return False
    is_long_ago = report.at - adoption.at > OBEYS_WITHIN and box.wanted_a is None and box.waits_until is None
    shown = {report.online_limit_a, report.offline_limit_a}
    return is_long_ago and round(box.allowed_a) not in shown


def _bridged(known: Known) -> _Finding:
    bridge = known.bridge
    if bridge is None:
        return _Finding(None, "set_up")
    facts = {"identity": bridge.identity, "backend": bridge.backend, "trouble": bridge.trouble}
    if bridge.line is LineState.ONLINE:
        return _Finding(StepState.DONE, "online", facts)
    if bridge.trouble:
        return _Finding(StepState.PROBLEM, "trouble", facts)
    pending = bridge.line is LineState.PENDING
    return _Finding(StepState.WAITING, "pending" if pending else "dialling", facts)


def _proof(known: Known) -> _Finding:
    session = known.bridge.session if known.bridge is not None else None
    if session is None:
        return _Finding(None, "prove")
    facts = {"number": session.number, "energy": f"{session.energy_wh / 1000:.2f}", "transaction": session.transaction}
    if session.ended_at is None:
        return _Finding(StepState.WAITING, "running", facts)
    if session.energy_wh <= 0:
        return _Finding(None, "empty", facts)
    if not session.is_delivered:
        return _Finding(StepState.WAITING, "undelivered", facts)
    return _Finding(StepState.DONE, "proved", facts)


def _remains(known: Known) -> _Finding:
    return _Finding(None, "swap" if known.generation in guide().swappable else "stay")


_STEPS: Mapping[str, Callable[[Known], _Finding]] = {
    "identify": _identify,
    "dials": _dials,
    "network": _network,
    "cycle": _cycle,
    "heard": _heard,
    "limit": _limit,
    "charges": _charges,
    "bridged": _bridged,
    "proof": _proof,
    "remains": _remains,
}
_ASIDE = frozenset({"dials"})
"""Steps that hold nothing up while nothing is known of them; a problem shows itself."""

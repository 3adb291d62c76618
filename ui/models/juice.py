"""JuiceBoxes as a list: who was heard, who was only seen some other way, how each stands, what is wrong with it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.juicenet import hosts
from app.juicenet.families import ANY, family
from app.juicenet.readings import power_w
from app.juicenet.rescue import ConsoleSeen, Known
from app.model.address import JuiceAddress, NetAddress
from app.model.bridge import LineState, UnitKind, UnitStatus
from app.model.garage import Asked, Stand
from app.model.juicebox import LEAST_A, Adoption, BoxMode, BoxState
from app.model.unit import Unit
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import counted, span_text, visible

if TYPE_CHECKING:
    from app.workbench import Workbench

CONSOLES = frozenset({"juicebox-console", "juicebox-serial"})
"""Drivers that read a box's own command line."""
UNLISTED = ""
"""The key of the row that leads through the rescue of a box nobody has seen yet."""
DOUBTED = 3
"""Datagrams not believed before that is worth a word: a network may double one, or bring two in the wrong order."""
MOST_ASKERS = 50
"""Clients shown that asked for a box's names and were never heard: anybody can ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person said or tried of one box: nothing of it changes the box."""

    profile_id: str = ANY
    is_released: bool = False
    console: ConsoleSeen | None = None
    trouble: str = ""
    """Why its console did not answer."""


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One box of the list, by whatever was seen of it. ``host`` is its IP address, empty where unknown."""

    key: str
    box_id: str = ""
    host: str = ""
    box: BoxState | None = None
    adoption: Adoption | None = None
    asked: tuple[Asked, ...] = ()
    unit_id: str = ""
    """The unit of the Site page that its datagrams made."""
    console_id: str = ""
    """The unit whose console it is."""
    bridge: UnitStatus | None = None
    is_followed: bool = True
    """We listen now: what is shown is not from before."""
    seen_s: float | None = None
    """Since it was heard, in s."""

    @property
    def name(self) -> str:
        """Return what it is called on screen."""
        if self.key == UNLISTED:
            return worded("A box that is not listed")
        return visible(self.box_id, 40) or worded("Box at {host}", host=visible(self.host, 60))

    @property
    def can_be_told(self) -> bool:
        """Say whether a limit can be entered for it now."""
        box = self.box
        return self.is_followed and box is not None and box.report is not None and not box.is_encrypted

    def known(self, said: Said, *, at: datetime, our_address: str) -> Known:
        """Return all that is known of it, for the guided rescue."""
        box = self.box
        return Known(
            at=at,
            our_address=our_address,
            profile_id=said.profile_id,
            console=said.console,
            asked=self.asked,
            box=box if self.is_followed else None,
            bridge=self.bridge,
            is_released=said.is_released,
        )

    def family_id(self, said: Said) -> str:
        """Return its profile: what it said itself counts before what a person chose."""
        told = self.box.software if self.box is not None else ""
        console = said.console.software if said.console is not None else ""
        return family(told or console, said.profile_id)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word about a box with its tone; ``sense`` says what it means."""

    word: str
    tone: str
    sense: str = ""


def cases_of(bench: Workbench) -> list[Case]:
    """List all boxes: those heard, adopted ones that are silent, those that only asked for names, and the unlisted."""
    states = bench.juice.boxes
    asked = _askers(bench.garage.log)
    consoles = _consoles(bench.finder.units.values())
    found = [*_heard(bench, states, asked, consoles), *_silent(bench, states, consoles)]
    seen = {case.host for case in found}
    others = [host for host in asked if host not in seen][-MOST_ASKERS:]
    for host in others:
        found.append(Case(key=f"ip:{host}", host=host, asked=tuple(asked[host]), console_id=consoles.get(host, "")))
    return [*found, Case(key=UNLISTED)]


def _heard(
    bench: Workbench,
    states: Mapping[str, BoxState],
    asked: Mapping[str, Sequence[Asked]],
    consoles: Mapping[str, str],
) -> Iterator[Case]:
    now, bridges, is_followed = bench.now(), bridged(bench), bench.juice.state.is_listening
    shared = _shared_hosts(states.values())
    for box_id, box in sorted(states.items()):
        host = host_of(box)
        unit = bench.finder.at(JuiceAddress(box_id=box_id))
        yield Case(
            key=box_id,
            box_id=box_id,
            host=host,
            box=box,
            adoption=box.adoption,
            asked=() if host in shared else tuple(asked.get(host, ())),
            unit_id=unit.unit_id if unit is not None else "",
            console_id=consoles.get(box_id) or ("" if host in shared else consoles.get(host, "")),
            bridge=bridges.get(box_id),
            is_followed=is_followed,
            seen_s=(now - box.last_heard).total_seconds(),
        )


def _silent(bench: Workbench, states: Mapping[str, BoxState], consoles: Mapping[str, str]) -> Iterator[Case]:
    for item in sorted(bench.juice.adopted, key=lambda item: item.box_id):
        if item.box_id not in states:
            yield Case(key=item.box_id, box_id=item.box_id, adoption=item, console_id=consoles.get(item.box_id, ""))


def host_of(box: BoxState) -> str:
    """Return the IP address its datagrams come from."""
    return box.address.rpartition(":")[0].strip("[]")


def _shared_hosts(boxes: Iterable[BoxState]) -> frozenset[str]:
    """Return addresses that several boxes send from: which of them asked for a name nobody can tell."""
    seen: dict[str, int] = {}
    for box in boxes:
        seen[host_of(box)] = seen.get(host_of(box), 0) + 1
    return frozenset(host for host, count in seen.items() if count > 1)


def _askers(log: Sequence[Asked]) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for item in log:
        if item.stand is Stand.DNS and _is_of_a_box(item.name):
            found.setdefault(item.client, []).append(item)
    return found


@functools.lru_cache(maxsize=4096)
def _is_of_a_box(name: str) -> bool:
    return hosts.whose(name) is not None


def _consoles(units: Iterable[Unit]) -> dict[str, str]:
    """Return the units whose console answers, by serial number and by address."""
    found: dict[str, str] = {}
    for unit in units:
        for way in unit.ways:
            if way.driver_id in CONSOLES:
                if unit.identity.serial:
                    found[unit.identity.serial] = unit.unit_id
                if isinstance(way.address, NetAddress):
                    found[way.address.host] = unit.unit_id
    return found


def bridged(bench: Workbench) -> Mapping[str, UnitStatus]:
    """Return the boxes the bridge speaks for, by serial number."""
    status = bench.bridge.status
    return {unit.unit: unit for unit in (status.units if status is not None else ()) if unit.kind is UnitKind.BOX}


# In words


def state_mark(case: Case) -> Mark:
    """Say in a word or two how a box stands."""
    box = case.box
    if case.key == UNLISTED:
        return Mark(worded("Guide"), "accent")
    if box is None:
        return Mark(worded("Not heard"), "idle", worded("Nothing of it has come here yet."))
    if not case.is_followed:
        return Mark(worded("Not listened to"), "idle")
    if box.is_absent:
        return Mark(worded("Silent"), "fault", worded("It has not reported for four idle periods."))
    if box.is_encrypted:
        return Mark(worded("Encrypted"), "fault", worded("It sends, and nobody can read it."))
    return _mode_mark(box)


def _mode_mark(box: BoxState) -> Mark:
    mode = box.report.mode if box.report is not None else None
    if mode is BoxMode.CHARGING:
        return Mark(worded("Charging"), "good")
    if mode is BoxMode.PLUGGED:
        return Mark(worded("Car plugged in"), "working")
    if mode is BoxMode.ERROR:
        return Mark(worded("Fault"), "fault", worded("The box itself reports a fault."))
    if mode is BoxMode.UNPLUGGED:
        return Mark(worded("No car"), "idle")
    return Mark(worded("Heard"), "working", worded("It spoke, and has not reported yet."))


def warnings_of(case: Case) -> tuple[Mark, ...]:
    """List what is wrong with a box, the worst first."""
    box = case.box
    if box is None or not case.is_followed:
        return ()
    found = []
    if box.is_encrypted:
        found.append(Mark(worded("Encrypted"), "fault", worded("Block its directory, then switch it off and on.")))
    if box.is_locked:
        found.append(Mark(worded("Locked at 0 A"), "attention", worded("Its former backend left it at 0 A.")))
    if box.adoption is not None and box.adoption.ceiling_a < LEAST_A:
        found.append(Mark(worded("Limit below 6 A"), "attention", worded("Below 6 A it does not charge.")))
    if box.refused >= DOUBTED:
        text = worded("{count} datagrams under its serial were not believed: ", count=str(box.refused))
        text += worded("sent from another address, sent again, or damaged.")
        found.append(Mark(worded("Another sender?"), "attention", text))
    if case.bridge is not None and case.bridge.trouble:
        found.append(Mark(worded("Bridge trouble"), "attention", visible(case.bridge.trouble, 200)))
    return tuple(found)


def power_text(box: BoxState | None) -> str:
    """Write the power it draws; a dash where it tells none."""
    power = power_w(box.report) if box is not None and box.report is not None else None
    return f"{power / 1000:.2f} kW" if power is not None else "–"


def heard_text(case: Case) -> str:
    """Say when it was heard last."""
    return worded("heard {when}", when=span_text(max(0.0, case.seen_s))) if case.seen_s is not None else ""


def told_text(box: BoxState) -> str:
    """Write the limits it reports."""
    report = box.report
    if report is None:
        return worded("reports nothing yet")
    online, offline = report.online_limit_a, report.offline_limit_a
    if online is None and offline is None:
        return worded("tells no limit")
    if offline is None:
        return worded("reports {online} A, offline not told", online=str(online))
    if online is None or online == offline:
        return worded("reports {online} A", online=str(offline))
    return worded("reports {online} A, offline {offline} A", online=str(online), offline=str(offline))


def sent_text(box: BoxState) -> str:
    """Write what we send."""
    if box.adoption is None or box.allowed_a is None:
        return worded("nothing is sent")
    if box.wanted_a is not None and box.wanted_a != box.allowed_a:
        return worded("we send {now} A, then {next} A", now=f"{box.allowed_a:g}", next=f"{box.wanted_a:g}")
    return worded("we send {now} A", now=f"{box.allowed_a:g}")


def changes_text(box: BoxState) -> str:
    """Write how often that changed today."""
    return counted(box.changes_today, worded("1 change today"), worded("{count} changes today"))


def line_state(status: UnitStatus) -> Mark:
    """Say how the bridge's line to the backend stands."""
    return {
        LineState.OFF: Mark(worded("Bridge off"), "idle"),
        LineState.DIALLING: Mark(worded("Bridge dials"), "working"),
        LineState.PENDING: Mark(worded("Bridge: pending"), "attention"),
        LineState.ONLINE: Mark(worded("Bridged"), "good"),
    }[status.line]


def state_line(case: Case) -> str:
    """Write the first line below a box's name."""
    if case.key == UNLISTED:
        return worded("What to do until it is heard")
    if case.box is None and case.asked:
        return worded("asked for {name}", name=visible(case.asked[-1].name, 60))
    parts = [state_mark(case).word, power_text(case.box) if case.box is not None else "", heard_text(case)]
    return " · ".join(part for part in parts if part and part != "–")


def limit_line(case: Case) -> str:
    """Write the second line below a box's name."""
    box = case.box
    if box is None:
        return worded("Its circuit allows {amps} A", amps=f"{case.adoption.circuit_a:g}") if case.adoption else ""
    parts = [told_text(box), sent_text(box), changes_text(box) if box.changes_today else ""]
    return " · ".join(part for part in parts if part)


def row_text(case: Case) -> str:
    """Write all of a row, for screen readers and for the search."""
    warnings = ", ".join(mark.word for mark in warnings_of(case))
    return ". ".join(part for part in (case.name, state_line(case), limit_line(case), warnings) if part)


BOX_FIELDS: tuple[Field[Case], ...] = (Field("Box", row_text, 40),)

"""The stand-in services in words, and who asked them for what, as rows."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from app.model.address import JuiceAddress, NetAddress, OcppAddress
from app.model.frame import Adapter
from app.model.garage import Asked, Landing, NameSet, OldBackendState, Privilege, Saved, Stand, StandState
from app.model.proof import host_of
from app.model.unit import Unit
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import clock_text, counted, visible

if TYPE_CHECKING:
    from app.standin.names import Choice, KnownHost, NameBook

TIME_PORT = 123
DEAD = ("closed", "replaced")
"""States of a known host that make it worth standing in for."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A service: its title, its short name, what it does for a garage in one sentence, icon, and its usual ports."""

    title: str
    short: str
    what: str
    icon: str
    ports: str


SERVICES: Mapping[Stand, Words] = {
    Stand.DNS: Words(
        title="Names (DNS)",
        short="DNS",
        what="Chargers that look for their dead backend find this computer instead.",
        icon="waypoints",
        ports="53",
    ),
    Stand.NTP: Words(
        title="Time (NTP)",
        short="Time",
        what="Chargers that reach no time server get this computer's time.",
        icon="clock",
        ports="123",
    ),
    Stand.DHCP: Words(
        title="Addresses (DHCP)",
        short="DHCP",
        what="A charger on a direct cable gets an address. Never where a router does that.",
        icon="cable",
        ports="67",
    ),
    Stand.WEB: Words(
        title="Web answers",
        short="Web",
        what="Internet checks succeed; chargers that land here reach the endpoint.",
        icon="globe",
        ports="80, 443",
    ),
}
ORDER = (Stand.DNS, Stand.NTP, Stand.DHCP, Stand.WEB)


def service_title(stand: Stand) -> str:
    """Return a service's title."""
    return worded(SERVICES[stand].title)


def service_short(stand: Stand) -> str:
    """Return a service's short name."""
    return worded(SERVICES[stand].short)


def place_text(state: StandState) -> str:
    """Say at which port a running service listens."""
    if state.secure_port:
        return worded("Ports {port} and {secure_port}", port=state.port, secure_port=state.secure_port)
    return worded("Port {port}", port=state.port)


def count_text(state: StandState) -> str:
    """Say how often a service was asked."""
    if not state.asked:
        return worded("No question yet") if state.is_on else ""
    return counted(state.asked, worded("1 question"), worded("{count} questions"))


def chosen_text(answered: int, refused: int, *, forward_to: str) -> str:
    """Say in one line what becomes of names."""
    rest = worded("others asked at {resolver}", resolver=forward_to) if forward_to else worded("others refused")
    if not answered and not refused:
        if forward_to:
            return worded("No names chosen: all are asked at {resolver}.", resolver=forward_to)
        return worded("No names chosen: all are refused, and the log shows whom chargers dial.")
    parts = [counted(answered, worded("1 name answered"), worded("{count} names answered"))]
    if refused:
        parts.append(counted(refused, worded("1 kept without an address"), worded("{count} kept without an address")))
    return ", ".join([*parts, rest]) + "."


def lacks_right(stand: Stand, privileges: Iterable[Privilege]) -> bool:
    """Say whether this program may not open the ports of a service."""
    return any(item.stand is stand and not item.is_granted for item in privileges)


def bindable(adapters: Iterable[Adapter], stand: Stand) -> list[Adapter]:
    """Pick the adapters a service can be bound to: those with an IPv4 address, and for DHCP no loopback."""
    listed = [item for item in adapters if ":" not in item.address]
    return [item for item in listed if stand is not Stand.DHCP or not item.is_loopback]


def set_names(item: NameSet) -> str:
    """List the names of a ready set: those answered, and those kept without an address."""
    lines = list(item.answered)
    lines += [worded("{name} (gets no address)", name=name) for name in item.refused]
    return "\n".join(lines)


# Standing in


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of the DNS, as the desk's ``choose`` takes it."""

    sets: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    forward_to: str = ""

    @classmethod
    def of(cls, choice: Choice) -> Wish:
        """Return the wish that makes this choice."""
        sets = tuple(item.id for item in choice.sets)
        return cls(sets=sets, names=choice.names, refused=choice.refused, forward_to=choice.forward_to)


def can_stand_in(book: NameBook, choice: Choice, name: str) -> bool:
    """Say whether a name could get our address: not yet answered, and none that a ready set keeps without one."""
    if not name or "." not in name.strip("."):
        return False
    is_kept_out = any(name in item.refused for item in book.sets)
    return not is_kept_out and choice.verdict(name).value != "answered"


def set_of(book: NameBook, name: str) -> NameSet | None:
    """Find the first ready set that answers a name."""
    return next((item for item in book.sets if name in item.answered), None)


def standing_in(book: NameBook, choice: Choice, name: str) -> Wish:
    """Return the wish that also answers a name: its ready set where there is one, else the name alone."""
    wish = Wish.of(choice)
    found = set_of(book, name)
    refused = tuple(item for item in wish.refused if item != name)
    if found is not None and found.id not in wish.sets:
        return replace(wish, sets=(*wish.sets, found.id), refused=refused)
    return replace(wish, names=(*wish.names, name), refused=refused)


class Kin(Enum):
    """What whoever asks for a name will want next."""

    TIME = "time"
    JUICEBOX = "juicebox"
    OCPP = "ocpp"


NEXT: Mapping[Kin, str] = {
    Kin.TIME: "Names and time are started where they are off. Chargers then take this computer's clock for right.",
    Kin.JUICEBOX: (
        "Names and web answers are started where they are off, and Rehome listens for JuiceBoxes: they appear in the "
        "tab “JuiceBoxes”. Nothing is sent to a box before you adopt it there."
    ),
    Kin.OCPP: (
        "Names and the endpoint are started where they are off, with the ports the charger dials. One that dials over "
        "ws, or over wss without checking the certificate, then appears on the endpoint, ready to be moved for good."
    ),
}


def kin_of(found: NameSet | None) -> Kin:
    """Tell what a ready set's families want next by the UDP ports they dial; a name of no set is a backend's."""
    if found is None or not found.ports:
        return Kin.OCPP
    return Kin.TIME if TIME_PORT in found.ports else Kin.JUICEBOX


def standing_text(state: OldBackendState) -> str:
    """Say whom we stand in for, and on which ports."""
    names = visible(", ".join(state.names), 200)
    ports = [str(item.port) for item in state.ports if item.is_open]
    if not ports:
        return worded("Standing in for {names}; no port is open for it", names=names)
    text = "Standing in for {names} on port {ports}" if len(ports) == 1 else "Standing in for {names} on ports {ports}"
    return worded(text, names=names, ports=", ".join(ports))


def trouble_text(state: OldBackendState) -> str:
    """Say which ports could not be opened, why, and what to do; empty where all are."""
    lines = [
        worded("Port {port}: {trouble} {advice}", port=item.port, trouble=item.trouble, advice=item.advice)
        for item in state.ports
        if not item.is_open and item.trouble
    ]
    if not state.dns.is_on and state.dns.trouble:
        lines.append(f"{state.dns.trouble} {state.dns.advice}")
    return "\n".join(visible(line).strip() for line in lines)


def landed_text(landing: Landing) -> str:
    """Say who came by an old name, and what can be done with it."""
    if landing.refusal:
        words = (
            "{who} came by {name}, but checks certificates and refused ours ({why}). Standing in ends here for it; "
            "the Knocks of the endpoint say what else can be tried."
        )
        return worded(words, who=_who(landing), name=visible(landing.name, 80), why=visible(landing.refusal, 120))
    words = "{who} came by {name} and is on the endpoint now, ready to be moved for good. It dials {url}"
    return worded(words, who=_who(landing), name=visible(landing.name, 80), url=visible(landing.url, 200))


def _who(landing: Landing) -> str:
    return visible(landing.identity or landing.remote, 80)


def saved_text(saved: Saved) -> str:
    """Say what became of saving who landed."""
    who = visible(saved.identity, 80)
    if saved.trouble:
        why = visible(f"{saved.trouble} {saved.advice}")
        return worded("{who} could not be saved: {why}", who=who, why=why)
    return worded("{who} is saved: {count} settings, in a backup of its own", who=who, count=saved.settings)


# Who asked


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A question with what we make of it: the charger at that address, and whether a dead backend betrayed itself."""

    asked: Asked
    charger: str = ""
    unit_id: str = ""
    is_dead: bool = False

    @property
    def client(self) -> str:
        """Return who asked: the address, and the charger there."""
        return f"{self.asked.client} · {self.charger}" if self.charger else self.asked.client

    @property
    def name(self) -> str:
        """Return the DNS name asked for; empty for anything else."""
        return self.asked.name if self.asked.stand is Stand.DNS else ""


def host_named(book: NameBook, name: str) -> KnownHost | None:
    """Find the known host a name belongs to: itself, else the longest domain above it."""
    found = {host.name: host for host in book.hosts}
    name = name.lower().rstrip(".")
    if name in found:
        return found[name]
    while name:
        if (host := found.get(f"*.{name}")) is not None:
            return host
        name = name.partition(".")[2]
    return None


def name_of(asked: Asked) -> str:
    """Return the host a question was about: the DNS name, or the URL's host."""
    return asked.name.partition("://")[2].partition("/")[0] if "://" in asked.name else asked.name


def is_betrayed(book: NameBook, asked: Asked) -> bool:
    """Say whether a question betrays a backend that is gone."""
    host = host_named(book, name_of(asked)) if asked.knows else None
    return host is not None and host.state.value in DEAD


def chargers_by_host(
    units: Iterable[Unit], dialled: Mapping[str, str], boxes: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Find the one charger at each address: its id and title. Two at one address are told of none.

    ``dialled`` and ``boxes`` give ``host:port`` by OCPP identity and by JuiceBox serial.
    """
    found: dict[str, tuple[str, str]] = {}
    shared = set()
    for unit in units:
        for host in {_host(way.address, dialled, boxes) for way in unit.ways} - {""}:
            if found.setdefault(host, (unit.unit_id, unit.title))[0] != unit.unit_id:
                shared.add(host)
    return {host: entry for host, entry in found.items() if host not in shared}


def _host(address: object, dialled: Mapping[str, str], boxes: Mapping[str, str]) -> str:
    host = ""
    if isinstance(address, NetAddress):
        host = address.host.partition("%")[0]
    elif isinstance(address, OcppAddress):
        host = host_of(dialled.get(address.identity, ""))
    elif isinstance(address, JuiceAddress):
        host = host_of(boxes.get(address.box_id, ""))
    return "" if _is_loopback(host) else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def row_key(row: LogRow) -> object:
    """Return what tells questions apart: the log and the rows keep each alive, so its id is its own."""
    return id(row.asked)


LOG_FIELDS: tuple[Field[LogRow], ...] = (
    Field("Time", lambda row: clock_text(row.asked.at), 15, is_mono=True),
    Field("Service", lambda row: service_short(row.asked.stand), 7),
    Field("Client", lambda row: visible(row.client, 80), 20),
    Field("Asked for", lambda row: visible(row.asked.name, 260), 34, is_mono=True),
    Field("Kind", lambda row: visible(row.asked.kind, 24), 9),
    Field("Answer", lambda row: visible(row.asked.answer, 120), 18),
    Field(
        "What it betrays",
        lambda row: visible(row.asked.knows, 160),
        40,
        lambda row: "attention" if row.is_dead else "",
        help="Whose name was asked for, as far as it is known",
    ),
)


def narrowed(rows: Iterable[LogRow], *, text: str, stand: Stand | None, is_known: bool) -> list[LogRow]:
    """Pick the questions that hold every word, came to that service, and (if wanted) betray something."""
    words = text.lower().split()
    return [
        row
        for row in rows
        if (stand is None or row.asked.stand is stand)
        and (not is_known or row.asked.knows)
        and all(word in _found_by(row) for word in words)
    ]


def _found_by(row: LogRow) -> str:
    asked = row.asked
    return " ".join((row.client, asked.name, asked.kind, asked.answer, asked.knows)).lower()


def log_csv(rows: Iterable[LogRow]) -> str:
    """Write questions as CSV, the times in UTC; what a spreadsheet would take for a formula gets an apostrophe."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("time", "service", "client", "charger", "asked_for", "kind", "answer", "betrays"))
    writer.writerows([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in _cells(row)] for row in rows)
    return file.getvalue()


def log_text(rows: Iterable[LogRow]) -> str:
    """Write questions as lines with tabs, to paste."""
    return "\n".join("\t".join(visible(cell, 260) for cell in _cells(row)) for row in rows)


def _cells(row: LogRow) -> tuple[str, ...]:
    asked = row.asked
    at = asked.at.isoformat(timespec="milliseconds")
    return at, asked.stand.value, asked.client, row.charger, asked.name, asked.kind, asked.answer, asked.knows

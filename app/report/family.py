"""Everything known of one product family, part by part: the one content of help page, sheet and text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.diagnosis.ways import Way, ways
from app.driver.registry import Driver
from app.model.backend import JoinRule
from app.model.guidance import RESTARTS
from app.model.profile import Approach, Evidence, FirmwareRule, Grade, GuideField, Profile, UrlHabit
from app.model.unit import SourceKind
from app.triage.judging import HEADLINES

APPROACHES: Mapping[Approach, tuple[str, str]] = {
    Approach.DIRECT: ("Rehome moves it", "Rehome writes the backend address over the charger's own interface."),
    Approach.OCPP: ("Moved over OCPP", "Rehome writes the backend address over OCPP, while the charger dials Rehome."),
    Approach.GUIDED: ("By hand, guided", "A person types the address; Rehome says exactly what, and proves it."),
    Approach.BRIDGE: ("Bridged", "It can't be repointed: Rehome's bridge stays at the site and is its charge point."),
    Approach.DIAGNOSE: ("Read only", "Rehome reads it. No way to change its backend from here is known."),
    Approach.NONE: ("No way known", "Nobody is known to have moved it. What is left to try is named."),
}
"""How a family's address is changed: in two words, and in one sentence."""

GRADES: Mapping[Grade, str] = {
    Grade.PROVED: "proved",
    Grade.SOURCE: "from source",
    Grade.REPORTED: "reported",
    Grade.UNVERIFIED: "unverified",
}

CAPABILITIES: Mapping[str, str] = {
    "SetsBackend": "moves it",
    "WritesSettings": "writes settings",
    "ReadsSettings": "reads settings",
    "ReportsStatus": "reads its state",
    "Meters": "reads its meter",
    "Reboots": "restarts it",
    "RunsSessions": "lets it charge",
    "ExportsLog": "reads its log",
    "Identifies": "identifies it",
}
"""What a session's capability means for a technician, the most wanted first."""

WRITES = frozenset({"SetsBackend", "WritesSettings"})

JOINS: Mapping[JoinRule, str] = {
    JoinRule.APPEND: "Always adds “/” and the identity to the address; an address ending in “/” becomes “//”",
    JoinRule.APPEND_IF_MISSING: "Adds the identity, with a “/” only where the address does not end in one",
    JoinRule.AS_IS: "Dials the address as typed: the identity must stand in it",
}

TRUST: Mapping[str, str] = {
    "unverified": "Takes any certificate",
    "public": "Trusts public authorities",
    "upload": "Takes a root certificate of ours",
    "fixed": "Trusts its maker's authority alone",
    "": "Not known",
}

HOLDS: Mapping[str, str] = {
    "url": "the backend's address",
    "host": "the backend's host name",
    "port": "the backend's port",
    "host-port": "host name and port",
    "path": "the path of the address",
    "identity": "the identity",
    "secret": "the password",
    "subprotocol": "the OCPP version",
    "certificate": "the root certificate",
    "choice": "a choice",
    "switch": "on or off",
    "priority": "which address counts",
    "network-profile": "a connection profile with the address in it",
    "apn": "the access point name",
    "apn-user": "user name of the access point",
    "apn-secret": "password of the access point",
}

FORMS: Mapping[str, str] = {
    "no-scheme": "without ws:// or wss://",
    "trailing-slash": "ending in “/”",
    "no-trailing-slash": "without a “/” at the end",
    "scheme-by-profile": "ws:// or wss:// by its security profile",
    "text": "as text",
    "text16": "as text of at least 16 characters",
    "hex": "as hexadecimal digits",
    "hex40": "as exactly 40 hexadecimal digits",
    "s-if-tls": "with an “s” before it where TLS is used",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact. With a ``label`` it is a labelled value, with a ``number`` a step, else a statement of its own."""

    text: str
    label: str = ""
    number: int = 0
    notes: tuple[str, ...] = ()
    evidence: Evidence | None = None
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A titled group of facts. ``id`` is steady; titles are for people."""

    id: str
    title: str
    icon: str
    rows: tuple[Row, ...]
    tone: str = ""


def duration(seconds: float) -> str:
    """Write a time in seconds as words: ``45 s``, ``19 min``, ``1 h 30 min``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def verdict(profile: Profile) -> str:
    """Return what a visit to this family means in general, in words."""
    return HEADLINES[profile.outlook.verdict] if profile.outlook else ""


def does(profile: Profile, driver: Driver) -> str:
    """Say what Rehome can do with a family, and where that needs it on our endpoint."""
    if driver.only_listens:
        return "knows it by its announcement alone"
    if driver.sources == {SourceKind.DIAL_IN}:
        moves = "moves it, and does " if profile.approach is Approach.OCPP else ""
        return f"{moves}all that OCPP offers, once it dials Rehome"
    names = {kind.__name__ for kind in driver.capabilities}
    if profile.approach is not Approach.DIRECT:
        names -= WRITES
    return ", ".join(word for name, word in CAPABILITIES.items() if name in names)


def firmware_rule(rule: FirmwareRule) -> str:
    """Say a firmware limit in words."""
    limits = [f"{rule.minimum} or newer" if rule.minimum else "", f"{rule.maximum} or older" if rule.maximum else ""]
    return f"{' and '.join(limit for limit in limits if limit)}: {rule.needs}"


def parts(profile: Profile, driver: Driver) -> tuple[Part, ...]:
    """Return everything known of a family in the order a technician needs it; empty parts are left out."""
    made = (
        Part(id="outlook", title="What a visit means", icon="flag", rows=tuple(_outlook(profile))),
        Part(id="guide", title="How it is moved", icon="list-checks", rows=tuple(_guide(profile, driver))),
        Part(id="fields", title="What is typed where", icon="keyboard", rows=tuple(_fields(profile))),
        Part(id="firmware", title="Firmware", icon="cpu", rows=tuple(_firmware(profile))),
        Part(
            id="doors",
            title="One-way doors: can't be undone",
            icon="door-open",
            rows=tuple(Row(text=door.text, evidence=door.evidence) for door in profile.one_way_doors),
            tone="attention",
        ),
        Part(id="dialling", title="How it dials its backend", icon="route", rows=tuple(_dialling(profile))),
        Part(id="quirks", title="Quirks", icon="puzzle", rows=tuple(_quirks(profile))),
        Part(id="tries", title="What is left to try", icon="wrench", rows=tuple(_tries(profile))),
        Part(id="times", title="How long it takes", icon="timer", rows=tuple(_times(profile))),
        Part(id="recognition", title="How it is recognised", icon="scan-line", rows=tuple(_recognition(profile))),
        Part(id="keys", title="OCPP keys that hold the backend", icon="key-round", rows=tuple(_keys(profile))),
        Part(id="evidence", title="Where we know it from", icon="book-open", rows=tuple(_evidence(profile))),
    )
    return tuple(part for part in made if part.rows)


def plain_text(profile: Profile, driver: Driver) -> str:
    """Return everything known of a family as plain text, for a message to a colleague."""
    approach, sentence = APPROACHES[profile.approach]
    lines = [f"{profile.family} ({profile.vendor})", f"{approach}. {sentence}", profile.summary]
    lines += [f"Also: {', '.join(profile.models)}"] if profile.models else []
    for part in parts(profile, driver):
        lines += ["", part.title.upper(), *(line for row in part.rows for line in _plain(row))]
    return "\n".join(lines).strip() + "\n"


def _plain(row: Row) -> Iterator[str]:
    head = f"{row.number}. " if row.number else f"{row.label}: " if row.label else "- "
    source = f" [{row.evidence.source}; {GRADES[row.evidence.grade]}]" if row.evidence else ""
    yield f"{head}{row.text}{source}"
    yield from (f"  {note}" for note in row.notes)


def _labelled(pairs: Iterable[tuple[str, str]], *, is_code: bool = False) -> Iterator[Row]:
    yield from (Row(label=label, text=text, is_code=is_code) for label, text in pairs if text)


def _outlook(profile: Profile) -> Iterator[Row]:
    outlook = profile.outlook
    if outlook is None:
        return
    yield Row(label="In general", text=verdict(profile))
    yield Row(label="Why", text=outlook.reason, evidence=outlook.evidence)
    visits = "1 visit" if outlook.visits == 1 else f"{outlook.visits} visits"
    yield from _labelled((("Needs", "; ".join(outlook.needs)), ("Planned", f"{outlook.minutes} min, {visits}")))


def _guide(profile: Profile, driver: Driver) -> Iterator[Row]:
    yield Row(label="Way", text=APPROACHES[profile.approach][1])
    yield Row(label="Rehome", text=f"{does(profile, driver)} ({driver.title})")
    guide = profile.guide
    if guide is not None:
        yield Row(label="With", text=guide.tool, evidence=guide.evidence)
        yield Row(label="Where", text=guide.place)
        yield from _labelled((("Page", guide.default_address),), is_code=True)
        yield from _labelled((("Login", guide.login),))
    steps = guide.steps if guide else profile.instructions
    yield from (Row(number=number, text=text) for number, text in enumerate(steps, start=1))
    if guide is not None:
        yield Row(label="Restart", text=RESTARTS[guide.restart])


def _fields(profile: Profile) -> Iterator[Row]:
    for item in profile.guide.fields if profile.guide else ():
        text = f"“{item.value}”" if item.holds == "choice" and item.value else HOLDS[item.holds]
        typed = ", ".join(_typed(item, text, profile.url))
        yield Row(label=item.label, text=typed, notes=_notes(item.note), evidence=item.evidence)


def _typed(item: GuideField, text: str, habit: UrlHabit | None) -> Iterator[str]:
    yield text
    if item.holds == "url" and habit is not None and habit.join is JoinRule.AS_IS:
        yield "the identity at its end"
    if item.form:
        yield FORMS[item.form]
    if item.limit is not None:
        yield f"at most {item.limit} characters"


def _notes(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _firmware(profile: Profile) -> Iterator[Row]:
    for rule in profile.firmware:
        update = f"Update: {rule.update}" if rule.update else ""
        yield Row(text=firmware_rule(rule), notes=_notes(update), evidence=rule.evidence)


def _dialling(profile: Profile) -> Iterator[Row]:
    habit = profile.url
    if habit is None:
        yield Row(text="How it joins address and identity is not known: what it really dials is seen when it arrives.")
        return
    limit = habit.secret_limit_bytes
    password = "" if limit is None else f"at most {limit} bytes" if limit else "takes none"
    yield from _labelled(
        (
            ("Address", JOINS[habit.join]),
            ("Schemes", ", ".join(f"{scheme}://" for scheme in habit.schemes)),
            ("Longest address", f"{habit.limit} characters" if habit.limit is not None else ""),
            ("Password", password),
            ("Certificates", TRUST[habit.trust] if "wss" in habit.schemes else ""),
            ("Note", habit.note),
        )
    )


def _quirks(profile: Profile) -> Iterator[Row]:
    for quirk in profile.quirks:
        firmware = f"Firmware {quirk.firmware}" if quirk.firmware else ""
        yield Row(text=quirk.text, notes=_notes(firmware), evidence=quirk.evidence)


def _tries(profile: Profile) -> Iterator[Row]:
    known = ways()
    for item in profile.tries:
        way = known[item.way]
        yield Row(text=way.title, notes=_notes(item.note, *_told(way)), evidence=item.evidence)


def _told(way: Way) -> Iterator[str]:
    if not way.is_for_the_field:
        yield "Not something to do at a charger."
    yield f"Works when: {way.works_when}"
    yield f"Fails when: {way.fails_when}"
    yield f"Risk: {way.risk}"
    if way.needs:
        yield f"Needs: {'; '.join(way.needs)}"


def _times(profile: Profile) -> Iterator[Row]:
    timing = profile.timing
    yield from _labelled(
        (
            ("Restart", duration(timing.restart_s)),
            ("Dials again after", duration(timing.redial_s)),
            ("Worry after", duration(timing.patience_s)),
        )
    )


def _recognition(profile: Profile) -> Iterator[Row]:
    rules = profile.match
    ports = ", ".join(f"{port} ({rules.scheme})" for port in rules.ports)
    yield from _labelled(
        (
            ("Announces itself as", ", ".join(rules.mdns_types)),
            ("… with a name like", rules.mdns_name_like),
            ("Ports", ports),
            ("USB ids", ", ".join(rules.usb_ids)),
            ("Boot vendor", rules.boot_vendor_like),
            ("Boot model", rules.boot_model_like),
            ("Serial number", rules.serial_like),
            ("Own Wi-Fi", rules.ssid_like),
            ("Address on its own Wi-Fi", ", ".join(rules.access_point_hosts)),
            ("MAC begins with", ", ".join(rules.mac_prefixes)),
            ("Bluetooth name", rules.ble_name_like),
            ("Bluetooth services", ", ".join(rules.ble_services)),
        ),
        is_code=True,
    )


def _keys(profile: Profile) -> Iterator[Row]:
    for key in profile.backend_keys:
        value = f"must be “{key.value}”" if key.value else ""
        holds = ", ".join(part for part in (HOLDS.get(key.holds, key.holds), FORMS.get(key.form, ""), value) if part)
        yield Row(text=key.key, notes=_notes(holds, key.note), evidence=key.evidence, is_code=True)


def _evidence(profile: Profile) -> Iterator[Row]:
    yield from (Row(text=item.source, evidence=item, is_code=True) for item in profile.evidence)

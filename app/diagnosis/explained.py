"""A configuration explained key by key: what each setting means, what is odd about it, what is missing. Pure.

What nobody has written down is said to be unknown; nothing is guessed from a name.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from app.diagnosis import catalogue
from app.diagnosis.dump import Dump, Entry
from app.diagnosis.keys import BASE_CONTROLLERS, StandardKey, keys2, keys16, standard_key
from app.diagnosis.settings import at_settings
from app.diagnosis.stacks import Offered, Recognition, Stack, VendorKey, recognise, vendor_key
from app.diagnosis.thresholds import standard
from app.model.backend import redact_url
from app.model.masking import is_secret_key
from app.model.observation import SettingsSeen
from app.model.profile import BackendKey, Evidence, Grade, Profile
from app.model.secret import MASK
from app.model.setting import SettingKind

WHOLE = 0.5
"""Part of the required settings from which on a dump counts as the whole configuration [OURS]."""
KEY_LIMIT = 50
VALUE_LIMIT = 500
"""GetConfiguration.conf (OCPP 1.6 §7.29 KeyValue): CiString50 and CiString500."""
_PLACE = re.compile(r"@\d+(\.\d+)?(?=\.)")
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}([.,][0-9]{1,12})?\s*\Z")
_PHASE = re.compile(r"\.(N|L[123](-(N|L[123]))?)\Z")
_INNER_SECRET = re.compile(r'("(?:basicAuthPassword|apnPassword|password|simPin|key)"\s*:\s*")[^"]*', re.IGNORECASE)
_BRACED_SECRET = re.compile(r"((?:password|simPin)\{)[^{}]*", re.IGNORECASE)
_NEVER = datetime.min.replace(tzinfo=UTC)
_STANDARD = Evidence(source="OCPP 1.6 part 9 and its security extension; OCPP 2.0.1 appendix 3", grade=Grade.SOURCE)
_HOLDS = {
    "url": ("Backend address", "Where it dials."),
    "host": ("Backend address, host", "The host part of where it dials; the path stands in a key of its own."),
    "path": ("Backend address, path", "The path part of where it dials."),
    "identity": ("Identity", "Name under which it dials the backend."),
    "secret": ("Backend password", "Password it sends to the backend. It can be written, not read."),
    "switch": ("Switch of the backend connection", ""),
    "priority": ("Order of the addresses", "Which of its addresses it tries first."),
    "network-profile": ("Network profile", "One text with address, OCPP version, security profile and interface."),
    "apn": ("Mobile access point (APN)", "Name of the access point its SIM card uses."),
    "apn-user": ("User of the mobile access point", "User name for the access point of its SIM card."),
    "apn-secret": ("Password of the mobile access point", "It can be written, not read."),
}


class Origin(Enum):
    """Who says what a setting means."""

    STANDARD = "standard"
    VENDOR = "vendor"
    ADDRESS = "address"
    """A vendor's key that holds a part of the backend address."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One setting in plain words. ``shown`` is its value as it may be shown; ``oddities`` what is out of the ordinary.

    ``granted`` is the access by the standard or vendor, ``told`` by the unit: r, w, rw, any, or empty = not said.
    """

    key: str
    origin: Origin
    shown: str | None
    label: str = ""
    meaning: str = ""
    kind: SettingKind = SettingKind.TEXT
    unit: str = ""
    granted: str = ""
    told: str = ""
    is_required: bool = False
    danger: str = ""
    oddities: tuple[str, ...] = ()
    evidence: Evidence | None = None
    stack: str = ""
    """Name of the stack whose key it is."""
    holds: str = ""
    """Which part of the backend connection it holds (``BackendKey.holds``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A dump explained. ``missing`` are required settings it does not hold; ``addresses`` keys that hold a ws URL."""

    version: str
    recognition: Recognition
    settings: tuple[Explanation, ...]
    missing: tuple[StandardKey, ...]
    unknown_there: tuple[str, ...]
    """Keys that the unit said it does not know."""
    addresses: tuple[str, ...]
    is_whole: bool
    is_cut: bool = False

    @property
    def address_words(self) -> str:
        """Say whether the address can be moved over OCPP, as far as this configuration and the sources tell."""
        named = [item.key for item in self.settings if item.holds in ("url", "host", "network-profile")]
        shown = [key for key in self.addresses if key not in named]
        stack = self.recognition.stack
        untold = [key for key in named if stack is None or key not in stack.address.text]
        words = [f"Its backend address stands in {', '.join(dict.fromkeys(untold))}."] if untold else []
        if shown:
            words.append(f"A value that starts with ws stands in {', '.join(shown[:5])}: it may be its address.")
        if stack is not None:
            words.append(stack.address.text)
            if stack.address.offered is Offered.KEYS and not named:
                words.append("This configuration shows none of these keys.")
        elif not words:
            words.append("No key that holds its address is to be seen.")
        return " ".join(words)

    def get(self, key: str) -> Explanation | None:
        """Return what is said of a key."""
        return next((item for item in self.settings if item.key == key), None)


def explain(dump: Dump, profiles: Iterable[Profile] = (), *, vendor: str = "") -> Report:
    """Explain a dump. ``profiles`` tell which vendor keys hold the address; ``vendor`` is that of its Boot."""
    values = dump.values
    recognition = recognise(values.keys(), vendor=vendor)
    holding = _holding(tuple(profiles), recognition.stack)
    judged = _judged(dump)
    settings = tuple(
        _with(_explained(entry, dump.version, recognition.stack, holding), judged.get(entry.key, ()))
        for entry in dump.entries
    )
    required = required_keys(dump)
    told = {_bare(key) for key in values}
    missing = tuple(item for item in required if item.key not in told and item.access != "w")
    return Report(
        version=dump.version,
        recognition=recognition,
        settings=settings,
        missing=missing,
        unknown_there=dump.unknown,
        addresses=tuple(entry.key for entry in dump.entries if _is_ws(entry.value)),
        is_whole=is_whole(dump),
        is_cut=dump.is_cut,
    )


def _judged(dump: Dump) -> dict[str, list[str]]:
    """Name what the live detectors would say of these settings, by key (commissioning, part 4)."""
    values = {entry.key: entry.value for entry in dump.entries if entry.value is not None}
    found: dict[str, list[str]] = {}
    for finding in at_settings(SettingsSeen(identity="", settings=values, at=_NEVER), standard()):
        for proof in finding.evidence[:1]:
            found.setdefault(proof.label, []).append(catalogue.explain(finding).title)
    return found


def _with(item: Explanation, oddities: Iterable[str]) -> Explanation:
    more = tuple(dict.fromkeys(oddities))
    return replace(item, oddities=(*item.oddities, *more)) if more else item


def required_keys(dump: Dump) -> tuple[StandardKey, ...]:
    """List what the standard requires of this unit: by its feature profiles (1.6), by its components (2.x)."""
    if dump.version == "1.6":
        offered = {"Core", *re.split(r"[,\s]+", dump.values.get("SupportedFeatureProfiles") or "")}
        return tuple(item for item in keys16().values() if item.is_required and item.group in offered)
    present = {key.partition(".")[0] for key in dump.values} | BASE_CONTROLLERS
    return tuple(item for item in keys2().values() if item.is_required and item.group in present)


def is_whole(dump: Dump) -> bool:
    """Say whether a dump looks like a whole configuration, not like an answer about some keys."""
    told = {_bare(key) for key in dump.values}
    if dump.version == "1.6":
        wanted = [item.key for item in keys16().values() if item.is_required and item.group == "Core"]
    else:
        wanted = [item.key for item in keys2().values() if item.is_required and item.group in BASE_CONTROLLERS]
    return sum(key in told for key in wanted) >= WHOLE * len(wanted)


def _holding(profiles: tuple[Profile, ...], stack: Stack | None) -> Mapping[str, BackendKey]:
    """Return the keys that hold the address: of the recognised stack, else those that only one profile names."""
    if stack is not None and stack.profile:
        return {item.key: item for profile in profiles if profile.id == stack.profile for item in profile.backend_keys}
    counted = Counter(item.key for profile in profiles for item in profile.backend_keys)
    every = (item for profile in profiles for item in profile.backend_keys)
    return {item.key: item for item in every if counted[item.key] == 1 and item.holds in ("url", "network-profile")}


def _explained(entry: Entry, version: str, stack: Stack | None, holding: Mapping[str, BackendKey]) -> Explanation:
    known = standard_key(entry.key, version)
    part = holding.get(entry.key)
    if known is not None and (part is None or part.holds == "secret"):
        return _by_standard(entry, known, part.note if part is not None else "")
    if part is not None:
        return _by_profile(entry, part, stack)
    own = stack.key(entry.key) if stack is not None else None
    found = (stack, own) if stack is not None and own is not None else vendor_key(entry.key)
    if found is not None:
        return _by_vendor(entry, *found)
    odd = [*_spelt(entry.key, version), *_lengths(entry, version)]
    return Explanation(
        key=entry.key,
        origin=Origin.UNKNOWN,
        shown=_shown(entry),
        label="",
        meaning="Unknown: neither the standard nor any source we have says what it does.",
        kind=_kind(entry),
        unit=entry.unit,
        told=_told(entry),
        oddities=tuple(odd),
    )


def _by_standard(entry: Entry, known: StandardKey, note: str = "") -> Explanation:
    kind = known.kind if not entry.kind else _kind(entry)
    return Explanation(
        key=entry.key,
        origin=Origin.STANDARD,
        shown=_shown(entry),
        label=known.label,
        meaning=f"{known.help} {note}".strip(),
        kind=kind,
        unit=entry.unit or known.unit,
        granted=known.access,
        told=_told(entry),
        is_required=known.is_required,
        danger="It can't be taken back over OCPP." if known.is_one_way else "",
        oddities=(*_odd_value(entry, known, kind), *_odd_access(entry, known)),
        evidence=_STANDARD,
    )


def _by_profile(entry: Entry, part: BackendKey, stack: Stack | None) -> Explanation:
    label, meaning = _HOLDS.get(part.holds, ("Part of the backend connection", ""))
    secret = ("apn-secret", "secret")
    return Explanation(
        key=entry.key,
        origin=Origin.ADDRESS,
        shown=_masked(entry.value) if part.holds in secret else _shown(entry),
        label=label,
        meaning=part.note or meaning,
        told=_told(entry),
        danger="A wrong value cuts it off from its backend.",
        oddities=tuple(_lengths(entry, "1.6" if "." not in entry.key else "2.x")),
        evidence=part.evidence,
        stack=stack.name if stack is not None else "",
        holds=part.holds,
    )


def _by_vendor(entry: Entry, stack: Stack, own: VendorKey) -> Explanation:
    odd = tuple(_odd_kind(entry, own.kind)) if entry.value else ()
    return Explanation(
        key=entry.key,
        origin=Origin.VENDOR,
        shown=_shown(entry),
        label=own.label,
        meaning=own.meaning + (" It takes effect after a restart." if own.needs_restart else ""),
        kind=own.kind,
        unit=own.unit or entry.unit,
        granted=own.access,
        told=_told(entry),
        danger=own.danger,
        oddities=odd,
        evidence=own.evidence,
        stack=stack.name,
    )


# What is odd


def _odd_value(entry: Entry, known: StandardKey, kind: SettingKind) -> Iterator[str]:
    value = entry.value
    if value is None:
        if known.access != "w" and not is_secret_key(entry.key):
            yield "The charger knows it and does not tell its value."
        return
    if known.access == "w":
        if value not in ("", MASK):
            yield "The charger shows its password to everybody who asks for it."
        return
    yield from _odd_kind(entry, kind)
    if kind is SettingKind.INTEGER and _WHOLE_NUMBER.match(value):
        number = int(value)
        if known.minimum is not None and number < known.minimum:
            yield f"Below {known.minimum}, the least the standard allows."
        if known.maximum is not None and number > known.maximum:
            yield f"Above {known.maximum}, the most the standard allows."
    if known.items:
        strange = [item for item in _items(value) if _PHASE.sub("", item) not in known.items]
        if strange:
            yield f"Not in the standard's list: {', '.join(strange[:5])[:200]}."
    yield from _lengths(entry, "1.6" if "." not in entry.key else "2.x")


def _odd_kind(entry: Entry, kind: SettingKind) -> Iterator[str]:
    value = entry.value or ""
    if kind is SettingKind.SWITCH and value not in ("true", "false"):
        is_case = value.strip().lower() in ("true", "false")
        yield ("The standard writes true and false in small letters." if is_case else "It should be true or false.")
    elif kind is SettingKind.INTEGER and not _WHOLE_NUMBER.match(value):
        yield "It should be a whole number."
    elif kind is SettingKind.NUMBER and not _NUMBER.match(value):
        yield "It should be a number."


def _odd_access(entry: Entry, known: StandardKey) -> Iterator[str]:
    if entry.is_readonly and known.access == "rw":
        yield "The standard lets it be changed; this charger does not."
    elif entry.is_readonly is False and known.access == "r":
        yield "The standard has it read-only; this charger says that it can be changed."


def _lengths(entry: Entry, version: str) -> Iterator[str]:
    if version == "1.6" and len(entry.key) > KEY_LIMIT:
        yield f"Its name has {len(entry.key)} characters; OCPP 1.6 carries {KEY_LIMIT}."
    if version == "1.6" and entry.value is not None and len(entry.value) > VALUE_LIMIT:
        yield f"Its value has {len(entry.value)} characters; OCPP 1.6 carries {VALUE_LIMIT}."


def _spelt(key: str, version: str) -> Iterator[str]:
    same = _lowered(version).get(_bare(key).strip().lower())
    if same is not None:
        yield f"The standard spells it “{same}”: a backend that asks for that name may get no answer."


@functools.cache
def _lowered(version: str) -> Mapping[str, str]:
    return {name.lower(): name for name in (keys16() if version == "1.6" else keys2())}


# Values and names


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _shown(entry: Entry) -> str | None:
    if entry.value is None or not (is_secret_key(entry.key) or entry.is_write_only):
        return shown_value(entry.value)
    return _masked(entry.value)


def shown_value(value: str | None) -> str | None:
    """Return a value without the passwords that stand inside it (an address with a login, a network profile)."""
    if value is None:
        return None
    value = redact_url(value) if _is_ws(value) else value
    return _BRACED_SECRET.sub(rf"\1{MASK}", _INNER_SECRET.sub(rf"\1{MASK}", value))


def _masked(value: str | None) -> str | None:
    return MASK if value else value


def _told(entry: Entry) -> str:
    if entry.is_write_only:
        return "w"
    return {None: "", True: "r", False: "rw"}[entry.is_readonly]


_KINDS = {
    "boolean": SettingKind.SWITCH,
    "switch": SettingKind.SWITCH,
    "integer": SettingKind.INTEGER,
    "decimal": SettingKind.NUMBER,
    "OptionList": SettingKind.CHOICE,
    "SequenceList": SettingKind.LIST,
    "MemberList": SettingKind.LIST,
}


def _kind(entry: Entry) -> SettingKind:
    return _KINDS.get(entry.kind, SettingKind.TEXT)


def _bare(key: str) -> str:
    return _PLACE.sub("", key) if "@" in key else key


def _is_ws(value: str | None) -> bool:
    return value is not None and value.strip().lower().startswith(("ws://", "wss://"))

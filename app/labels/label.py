"""What a label says: serial number, MAC address, identity, secrets, out of the text of its code.

Only shapes with a public source are taken apart; any other text is one candidate for a serial number, whole:

- a MAC address (IEEE 802);
- ``WIFI:S:…;P:…;;`` (ZXing wiki, “Barcode contents”; Wi-Fi Alliance WPA3 specification 3.0 section 7.1);
- a web or WebSocket address; of the latter the last segment is the identity (OCPP-J 1.6 section 3.1.1), and
  ``/01/…/21/…`` holds a serial number (GS1 Digital Link 1.1 section 4);
- GS1 identifiers in brackets, ``(21)`` is the serial number (GS1 General Specifications section 3.2);
- words and values, ``SN: …; PIN: …``, or the same as JSON.
"""

from __future__ import annotations

import itertools
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app.model.secret import MASK, Secret

TEXT_LIMIT = 1000
"""Characters of a label's text that are looked at."""

CANDIDATE_LIMIT = 20
VALUE_LIMIT = 100
"""Characters of one serial number or identity; OCPP's longest is 50."""


SPREADS = 4
"""Characters from which a secret is masked elsewhere in the text, too; a shorter one would riddle it."""


class Kind(Enum):
    """The shape a label's text has."""

    PLAIN = "plain"
    WORDS = "words"
    URL = "url"
    WIFI = "wifi"
    MAC = "mac"
    GS1 = "gs1"
    ARTICLE = "article"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label. ``shown`` is its text with every secret masked; ``candidates`` are what may name the charger."""

    kind: Kind
    shown: str
    serial: str = ""
    mac: str = ""
    identity: str = ""
    url: str = ""
    ssid: str = ""
    candidates: tuple[str, ...] = ()
    secrets: tuple[tuple[str, Secret], ...] = ()
    """Name on the label (``PIN``, ``P``) and value."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return what may name the charger, the surest first, each once."""
        listed = (self.serial, self.mac, self.identity, *self.candidates)
        return tuple(dict.fromkeys(name for name in listed if name))


@dataclass(slots=True)
class _Draft:
    kind: Kind
    serial: str = ""
    mac: str = ""
    identity: str = ""
    url: str = ""
    ssid: str = ""
    candidates: list[str] = field(default_factory=list)
    secrets: list[tuple[str, Secret]] = field(default_factory=list)
    shown: str = ""
    """The text with its secrets masked where they stand; empty: there are none."""

    def add_loose(self, *texts: str) -> None:
        """Take what no known word announces; where it has a digit it may name the charger."""
        for part in itertools.chain.from_iterable(_ENDS.split(text) for text in texts):
            named = _NAMED.fullmatch(part.strip())
            value = (named[1] if named else part).strip()
            if _may_name(value):
                self.candidates.append(value)

    def take(self, name: str, value: str) -> None:
        """Put a named value where it belongs; of two serial numbers the first stays, the other is a candidate."""
        value = value.strip().strip("\"'")
        place = _meaning(name)
        if not value:
            return
        if place == "secret":
            self.secrets.append((name[:40], Secret(value)))
        elif len(value) > VALUE_LIMIT:
            return
        elif place and not getattr(self, place) and _fits(place, value):
            setattr(self, place, _mac(value) if place == "mac" else value)
        elif _may_name(value):
            self.candidates.append(value)

    def done(self, text: str) -> Label:
        """Close the label over the text it was read from."""
        hidden = [secret for _, secret in self.secrets if len(secret.reveal()) >= SPREADS]
        return Label(
            kind=self.kind,
            shown=_hide(self.shown or text, hidden),
            serial=self.serial,
            mac=self.mac,
            identity=self.identity,
            url=_hide(self.url, hidden),
            ssid=self.ssid,
            candidates=tuple(name for name in dict.fromkeys(self.candidates) if Secret(name) not in hidden)[
                :CANDIDATE_LIMIT
            ],
            secrets=tuple(self.secrets),
        )


_SERIAL = {"sn", "s/n", "snr", "serial", "serialnumber", "serialno", "serialnr", "seriennummer", "ser"}
_IDENTITY = {"id", "identity", "chargepointid", "chargeboxid", "chargepointidentity", "stationid", "cpid", "cbid"}
_SECRET = {"pin", "puk", "password", "passwort", "passwd", "pass", "pwd", "pw", "passphrase", "psk", "key", "secret"}
_SECRET |= {"token", "auth", "wpa", "wpa2", "code", "activationcode", "authorizationkey", "wlankey", "wifikey"}
_WORD = re.compile(r"[A-Za-z0-9/]+")


def _meaning(name: str) -> str:
    """Say what a word on a label announces: a field of Label, ``secret``, or nothing known."""
    words = [word.casefold() for word in _WORD.findall(name)]
    joined = "".join(words)
    if set(words) & _SECRET or joined in _SECRET or "password" in joined or "passwor" in joined:
        return "secret"
    if joined in _SERIAL or joined.startswith("serial"):
        return "serial"
    if "mac" in words or joined in ("macaddress", "macaddr"):
        return "mac"
    if joined in _IDENTITY:
        return "identity"
    return "ssid" if joined == "ssid" else ""


def _fits(place: str, value: str) -> bool:
    return bool(_mac(value)) if place == "mac" else place != "serial" or any(map(str.isdigit, value))


def _may_name(value: str) -> bool:
    """Say whether a value nobody announced may name a charger."""
    return 4 <= len(value) <= VALUE_LIMIT and any(map(str.isdigit, value))


def parse(text: str, *, is_article: bool = False) -> Label:
    """Take a label's text apart. Never raises; what is not understood is a candidate as it stands."""
    text = _tidy(text)
    if not text:
        return Label(kind=Kind.EMPTY, shown="")
    if is_article:
        return Label(kind=Kind.ARTICLE, shown=text)
    for shape in (_wifi, _address, _gs1, _json, _words):
        draft = shape(text)
        if draft is not None:
            return draft.done(text)
    return _plain(text).done(text)


def _tidy(text: str) -> str:
    """Drop what nobody can see, except the ends of lines."""
    lines = re.split(r"[\r\n\x1d\x1e]+", text[:TEXT_LIMIT])
    kept = ("".join(char for char in line.replace("\t", " ") if char.isprintable()).strip() for line in lines)
    return "\n".join(line for line in kept if line)


def _hide(text: str, secrets: Iterable[Secret]) -> str:
    for secret in sorted(secrets, key=lambda item: -len(item.reveal())):
        text = secret.redact(text)
    return text


_MAC = re.compile(
    r"(?:[0-9A-Fa-f]{2}([:-]?))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"
)


def _mac(text: str) -> str:
    """Return a MAC address in capitals with colons, or an empty text."""
    if not _MAC.fullmatch(text):
        return ""
    plain = "".join(char for char in text.upper() if char.isalnum())
    return ":".join(plain[at : at + 2] for at in range(0, 12, 2))


def _plain(text: str) -> _Draft:
    mac = _mac(text)
    draft = _Draft(Kind.MAC if mac else Kind.PLAIN, mac=mac)
    # Twelve hexadecimal digits alone may be a serial number as well.
    draft.candidates += [part for part in text.split("\n") if len(part) <= VALUE_LIMIT]
    return draft


# Wi-Fi --------------------------------------------------------------------------------------------------------------


def _wifi(text: str) -> _Draft | None:
    if text[:5].upper() != "WIFI:":
        return None
    draft = _Draft(Kind.WIFI)
    for part in re.split(r"(?<!\\);", text[5:]):
        name, _, value = part.partition(":")
        value = re.sub(r"\\(.)", r"\1", value)
        if name.upper() == "S":
            draft.ssid = value[:VALUE_LIMIT]
        elif name.upper() == "P" and value:
            draft.secrets.append(("Wi-Fi password", Secret(value)))
    # Not a part of the rest is shown: sloppy codes have passwords with bare semicolons.
    draft.shown = f"WIFI:S:{draft.ssid};P:{MASK};;"
    draft.candidates += _parts_of(draft.ssid)
    return draft


def _parts_of(ssid: str) -> list[str]:
    """List what in a network's name may be the serial number: the whole, and each part with a digit."""
    parts = [part for part in re.split(r"[\s_\-.:/]+", ssid) if len(part) >= 4 and any(map(str.isdigit, part))]
    return [name for name in dict.fromkeys((ssid, *parts)) if name]


# Addresses ----------------------------------------------------------------------------------------------------------


def _address(text: str) -> _Draft | None:
    try:
        parts = urllib.parse.urlsplit(text)
        is_url = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.netloc) and "\n" not in text
        user, password = (parts.username, parts.password) if is_url else (None, None)
    except ValueError:
        return None
    if not is_url:
        return None
    draft = _Draft(Kind.URL)
    place = parts.netloc
    if user or password:
        draft.add_loose(user or "")
        draft.take("password", urllib.parse.unquote(password or ""))
        place = f"{MASK}@{place.rpartition('@')[2]}"
    path = _taken_path(draft, parts.path, is_ocpp=parts.scheme in ("ws", "wss"))
    query, fragment = _taken_query(draft, parts.query), _taken_query(draft, parts.fragment)
    draft.url = draft.shown = urllib.parse.urlunsplit((parts.scheme, place, path, query, fragment))
    return draft


def _taken_query(draft: _Draft, query: str) -> str:
    """Take the values of a query; return it with secrets masked."""
    shown = []
    for part in query.split("&"):
        raw_name, _, raw = part.partition("=")
        name = urllib.parse.unquote_plus(raw_name)
        draft.take(name, urllib.parse.unquote_plus(raw))
        shown.append(f"{raw_name}={MASK}" if raw and _meaning(name) == "secret" else part)
    return "&".join(shown)


def _taken_path(draft: _Draft, path: str, *, is_ocpp: bool) -> str:
    """Take the segments of a path; return it with secrets masked."""
    raw = path.split("/")
    names = [urllib.parse.unquote(part) for part in raw]
    shown = list(raw)
    for at, (before, after) in enumerate(itertools.pairwise(names), start=1):
        if _meaning(before) == "secret" and after:
            draft.take(before, after)
            shown[at] = MASK
        elif before == "21" and "01" in names:
            draft.take("serial", after)
        else:
            draft.take(before if _meaning(before) in ("serial", "mac") else "", after)
    last = max((at for at, name in enumerate(names) if name), default=0)
    if is_ocpp and shown[last] == raw[last]:
        draft.identity = names[last][:VALUE_LIMIT]
    return "/".join(shown)


# GS1, JSON, words ---------------------------------------------------------------------------------------------------

_GS1 = re.compile(r"\((\d{2,4})\)([^()]+)")


def _gs1(text: str) -> _Draft | None:
    if not re.fullmatch(rf"(?:{_GS1.pattern})+", text):
        return None
    draft = _Draft(Kind.GS1)
    for name, value in _GS1.findall(text):
        if name == "21":
            draft.take("serial", value)
    return draft


def _json(text: str) -> _Draft | None:
    if text[0] not in "{[":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    draft = _Draft(Kind.WORDS)
    shown = []
    for name, item in itertools.islice(_leaves(value, "", 0), CANDIDATE_LIMIT):
        draft.take(name, item)
        shown.append(f"{name}: {MASK if _meaning(name) == 'secret' else item}".removeprefix(": "))
    draft.shown = "\n".join(shown) or "{…}"
    return draft


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > 4:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, name if _meaning(name) == "secret" else str(key), depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name, depth + 1)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield name, str(value)


_ALONE = (
    r"serial(?:[ -]?(?:number|num|no|nr))?|seriennummer|s/n|sn|snr|mac(?:[ -]?addr(?:ess)?)?|ssid|charge ?point ?id"
    r"|charge ?box ?id|cpid|cbid|pin|puk|pass ?(?:word|phrase)|passwort|passwd|pwd|psk|activation code"
)
"""Words that announce what follows, even after a blank alone."""

_MARKED = r"(?:[a-z-]+ )?(?:id|identity|ser|pass|pw|key|code|token|secret|auth)"
"""Words that do so before a colon or an equals sign only."""

_KEY = re.compile(rf"(?<![\w/-])(?:({_ALONE})\.?(?:\s*[:=#]\s*|\s+)|({_MARKED})\s*[:=]\s*)", re.IGNORECASE)
_ENDS = re.compile(r"[;|\n]|,(?:\s|$)")


def _words(text: str) -> _Draft | None:
    """Take ``SN: …; PIN: …`` apart, whatever sets the pairs apart: semicolons, bars, commas, blanks or lines."""
    keys = list(_KEY.finditer(text))
    if not keys:
        return None
    draft = _Draft(Kind.WORDS)
    draft.shown = text[: keys[0].start()]
    draft.add_loose(draft.shown)
    for key, follower in itertools.zip_longest(keys, keys[1:]):
        region = text[key.end() : follower.start() if follower else len(text)]
        value, *rest = _ENDS.split(region, maxsplit=1)
        name = key[1] or key[2]
        draft.take(name, value)
        if _meaning(name) == "secret":  # it may hold what looks like the end of one: all is masked up to the next word
            region = MASK + region[len(region.rstrip(" ;|,\n")) :]
        else:
            draft.add_loose(*rest)
        draft.shown += key[0] + region
    return draft


_NAMED = re.compile(r"[^:=\d]{1,30}[:=]\s*(.+)")

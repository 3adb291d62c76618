"""A configuration as somebody saved or pasted it: OCPP answers and frames, exports, tables, plain lines. Pure.

Read as leniently as can be: a dump is evidence, whatever program wrote it. Bounded in everything: it may be hostile.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, overload

from app.errors import Garbled

SIZE_LIMIT = 20_000_000
"""Bytes of a dump."""
MOST_KEYS = 20_000
"""Settings of one dump (``devicemodel.MAX_VARIABLES``)."""
KEY_LIMIT = 300
VALUE_LIMIT = 10_000
MOST_NODES = 1_000_000
DEEPEST = 12
"""Objects and lists inside each other that are looked through [OURS]."""
MOST_ATTEMPTS = 300
ATTEMPT_LENGTH = 2_000_000
"""How often, and in how long a piece, JSON is looked for inside a text [OURS]."""
MOST_LINES = 100_000
_FLAGS = {"r/w": False, "rw": False, "r/o": True, "ro": True, "read-only": True}
_LINE = re.compile(
    r"[\s\-*•|]{0,20}(?P<key>[A-Za-z][\w.\-/@]{1,120}?)\s{0,4}"
    r"(?:\((?P<flag>r/w|rw|r/o|ro|read-only)\))?\s{0,20}(?:=|:(?!//)|\t)\s{0,20}(?P<value>.*)"
)
"""``key = value``, ``key: value`` and evcc's ``Key (r/w): value``."""
_JSON_START = re.compile(r'\[\s{0,20}(?=[234]\s{0,20},|\{)|\{\s{0,200}(?=")')
"""How a frame, a list of settings or an object begins; the ``[main]`` of a log does not."""
TRIES_PER_LINE = 6
"""Logs cut long frames: what stands whole inside one is still read."""
_FRAME = re.compile(r'.{0,300}"(?:configurationKey|reportData|getVariableResult)"', re.DOTALL)
_WORD = re.compile(r"[^a-z]")
_KEYS = ("key", "name", "configurationkey", "setting", "variable")
_VALUES = ("value", "actualvalue", "attributevalue")
_READONLY = ("readonly", "ro")
_IS = {"true": True, "yes": True, "1": True, "x": True, "false": False, "no": False, "0": False, "": False}
_MUTABLE = {"readonly": True, "readwrite": False, "writeonly": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting of a dump. ``value`` ``None`` = not told. ``is_readonly`` ``None`` = the dump does not say.

    A variable of 2.x has its name as ``Component[/instance][@evse[.connector]].Variable[/instance]``; ``kind`` and
    ``unit`` are what the station reports of it.
    """

    key: str
    value: str | None
    is_readonly: bool | None = None
    is_write_only: bool = False
    kind: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A configuration. ``version`` is ``1.6`` or ``2.x``; ``unknown`` are keys the unit said it does not know.

    ``form`` says in words how it was written; ``is_cut``: there was more than is kept.
    """

    version: str
    entries: tuple[Entry, ...]
    unknown: tuple[str, ...] = ()
    form: str = ""
    is_cut: bool = False

    @property
    def values(self) -> dict[str, str | None]:
        """Return key → value."""
        return {entry.key: entry.value for entry in self.entries}


def read(data: bytes | str) -> Dump:
    """Read a dump. Raises Garbled where it holds no settings, or is longer than ``SIZE_LIMIT``."""
    if len(data) > SIZE_LIMIT:
        raise Garbled(f"The file is longer than {SIZE_LIMIT // 1_000_000} MB.", "Choose the configuration alone.")
    text = data if isinstance(data, str) else _decoded(data)
    for form, reader in (("JSON", _from_json), ("a table", _from_table), ("lines", _from_lines)):
        collected = reader(text)
        if collected.entries:
            return collected.dump(form)
    raise Garbled(
        "There are no settings in it.",
        "Take the answer to GetConfiguration, a NotifyReport, an export of Rehome, a table, or lines “key = value”.",
    )


def of_entries(entries: Iterable[Entry], *, unknown: Iterable[str] = (), form: str = "") -> Dump:
    """Make a dump of settings that are known already; which version they are of is told by their names."""
    collected = _Collected()
    for entry in entries:
        collected.add(entry)
    collected.unknown = list(unknown)[:MOST_KEYS]
    return collected.dump(form)


class _Collected:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.unknown: list[str] = []
        self.is_cut = False

    def add(self, entry: Entry) -> None:
        """Take an entry; of two with the same key the later one counts, unless it tells nothing."""
        if entry.key not in self.entries and len(self.entries) >= MOST_KEYS:
            self.is_cut = True
        elif entry.key and (entry.value is not None or entry.key not in self.entries):
            self.entries[_sound(entry.key)] = replace(entry, key=_sound(entry.key), value=_sound(entry.value))

    def dump(self, form: str) -> Dump:
        """Return what was collected."""
        entries = tuple(self.entries.values())
        dotted = sum("." in entry.key for entry in entries)
        version = "2.x" if dotted * 2 > len(entries) else "1.6"
        unknown = tuple(dict.fromkeys(key[:KEY_LIMIT] for key in self.unknown))
        return Dump(version=version, entries=entries, unknown=unknown, form=form, is_cut=self.is_cut)


@overload
def _sound(text: str) -> str: ...
@overload
def _sound(text: None) -> None: ...
def _sound(text: str | None) -> str | None:
    """Replace what no file could hold: halves of characters, which JSON can name."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# JSON, alone or inside a log


def _from_json(text: str) -> _Collected:
    collected = _Collected()
    for document in _documents(text, collected):
        _walk(document, collected)
    return collected


def _documents(text: str, collected: _Collected) -> Iterator[Any]:
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        pass
    decoder, at, failures, broken = json.JSONDecoder(), 0, 0, 0
    while failures < MOST_ATTEMPTS and (start := _JSON_START.search(text, at)) is not None:
        piece = text[start.start() : start.start() + ATTEMPT_LENGTH]
        try:
            document, length = decoder.raw_decode(piece)
        except (ValueError, RecursionError):
            failures, broken = failures + 1, broken + 1
            collected.is_cut |= _FRAME.match(piece) is not None
            at = start.end()
            if broken >= TRIES_PER_LINE:
                end = text.find("\n", start.end())
                at, broken = len(text) if end < 0 else end, 0
            continue
        at, broken = start.start() + length, 0
        yield document


def _walk(document: Any, collected: _Collected) -> None:
    """Look for lists of settings, wherever they stand; otherwise take an object of plain values as settings."""
    waiting, seen, flat = [(document, 0)], 0, []
    while waiting and seen < MOST_NODES:
        node, depth = waiting.pop()
        seen += 1
        if isinstance(node, dict):
            _unknown(node, collected)
            entry = _entry(node)
            if entry is not None:
                collected.add(entry)
                continue
            if not _ours(node, collected) and depth <= 2:
                flat.append(node)
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if depth < DEEPEST:
            waiting += [(item, depth + 1) for item in reversed(list(inner)) if isinstance(item, dict | list)]
    collected.is_cut |= bool(waiting)
    if not collected.entries:
        for node in flat:
            _plain(node, collected)


def _entry(node: Mapping[str, Any]) -> Entry | None:
    component, variable = node.get("component"), node.get("variable", node.get("name"))
    if component is not None and variable is not None:
        return _variable(node, component, variable)
    key = node.get("key")
    if not isinstance(key, str) or not key.strip() or not ({"value", "readonly", "readOnly"} & node.keys()):
        return None
    readonly = node.get("readonly", node.get("readOnly"))
    value = node.get("value")
    return Entry(
        key=key.strip()[:KEY_LIMIT],
        value=None if value is None else _text(value),
        is_readonly=readonly if isinstance(readonly, bool) else _IS.get(str(readonly).lower()) if readonly else None,
    )


def _variable(node: Mapping[str, Any], component: Any, variable: Any) -> Entry | None:
    """Read ReportData, GetVariableResult, or MicroOcpp's own file (``component``, ``name``, ``valActual``)."""
    name, last = _named(component), _named(variable)
    if not name or not last:
        return None
    evse = component.get("evse") if isinstance(component, dict) else None
    place = ""
    if isinstance(evse, dict) and isinstance(evse.get("id"), int):
        connector = evse.get("connectorId")
        place = f"@{evse['id']}" + (f".{connector}" if isinstance(connector, int) else "")
    traits = node.get("variableCharacteristics")
    traits = traits if isinstance(traits, dict) else {}
    value, mutability = _actual(node)
    return Entry(
        key=f"{name}{place}.{last}"[:KEY_LIMIT],
        value=value,
        is_readonly=_MUTABLE.get(mutability.lower()),
        is_write_only=mutability.lower() == "writeonly",
        kind=_text(traits.get("dataType", ""))[:30],
        unit=_text(traits.get("unit", ""))[:30],
    )


def _actual(node: Mapping[str, Any]) -> tuple[str | None, str]:
    attributes = node.get("variableAttribute")
    for item in attributes if isinstance(attributes, list) else [node]:
        if not isinstance(item, dict) or item.get("type", item.get("attributeType", "Actual")) != "Actual":
            continue
        value = next((item[name] for name in ("value", "attributeValue", "valActual") if name in item), None)
        told = None if value is None or item.get("attributeStatus", "Accepted") != "Accepted" else _text(value)
        return told, _text(item.get("mutability", ""))
    return None, ""


def _named(part: Any) -> str:
    if isinstance(part, str):
        return _escaped(part)
    if not isinstance(part, dict) or not isinstance(part.get("name"), str):
        return ""
    instance = part.get("instance")
    return _escaped(part["name"]) + (f"/{_escaped(instance)}" if isinstance(instance, str) and instance else "")


def _escaped(name: str) -> str:
    """Escape what parts of a name are separated by, as ``VariableName.text`` does."""
    return re.sub(r"[/@.%]", lambda match: f"%{ord(match[0]):02X}", name.strip())


def _unknown(node: Mapping[str, Any], collected: _Collected) -> None:
    keys = node.get("unknownKey")
    if isinstance(keys, list):
        collected.unknown += [key for key in keys if isinstance(key, str)][: MOST_KEYS - len(collected.unknown)]


def _ours(node: Mapping[str, Any], collected: _Collected) -> bool:
    """Read what Rehome exports: key → value under ``settings``, name → facts under ``variables``."""
    found = False
    for name in ("settings", "variables"):
        table = node.get(name)
        for key, value in table.items() if isinstance(table, dict) else ():
            if isinstance(value, dict):
                facts = Entry(
                    key=key[:KEY_LIMIT],
                    value=None if value.get("value") is None else _text(value["value"]),
                    is_readonly=_MUTABLE.get(_text(value.get("mutability", "")).lower()),
                    is_write_only=_text(value.get("mutability", "")).lower() == "writeonly",
                    kind=_text(value.get("type", ""))[:30],
                    unit=_text(value.get("unit", ""))[:30],
                )
                collected.add(facts)
            elif not isinstance(value, list):
                collected.add(Entry(key=key[:KEY_LIMIT], value=None if value is None else _text(value)))
            found = True
    return found


def _plain(node: Mapping[str, Any], collected: _Collected) -> None:
    """Take an object's plain values as settings (libocpp keeps its configuration like that, in sections)."""
    for key, value in node.items():
        if key and not isinstance(value, dict | list):
            collected.add(Entry(key=key[:KEY_LIMIT], value=None if value is None else _text(value)))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:VALUE_LIMIT] if not isinstance(value, dict | list) else ""


# Tables and lines


def _from_table(text: str) -> _Collected:
    """Read CSV or what a browser copies from a table (SteVe): a head with key and value, then rows."""
    collected = _Collected()
    head = text.lstrip("\ufeff \r\n").split("\n", 1)[0]
    delimiter = max("\t;,", key=head.count)
    try:
        reader = csv.reader(io.StringIO(text.lstrip("\ufeff \r\n"), newline=""), delimiter=delimiter)
        names = [_WORD.sub("", name.lower()) for name in next(reader, [])]
        at = {kind: _place(names, words) for kind, words in (("key", _KEYS), ("value", _VALUES), ("ro", _READONLY))}
        key, value, readonly = at["key"], at["value"], at["ro"]
        if key is None or value is None:
            return collected
        mutability = _place(names, ("mutability",))
        for row in reader:
            if len(row) > max(key, value) and row[key].strip():
                flag = _cell(row, readonly)
                is_readonly = _IS.get(flag) if flag is not None else _MUTABLE.get(_cell(row, mutability) or "")
                told = _unquoted(row[value])
                collected.add(Entry(key=row[key].strip()[:KEY_LIMIT], value=told, is_readonly=is_readonly))
    except csv.Error:
        collected.is_cut = True
    return collected


def _place(names: list[str], words: tuple[str, ...]) -> int | None:
    return next((names.index(word) for word in words if word in names), None)


def _cell(row: list[str], place: int | None) -> str | None:
    return row[place].strip().lower() if place is not None and place < len(row) else None


def _unquoted(text: str) -> str:
    """Take away the apostrophe that keeps a spreadsheet from calculating (our own CSV has it)."""
    text = text.strip()
    return (text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text)[:VALUE_LIMIT]


def _from_lines(text: str) -> _Collected:
    collected = _Collected()
    lines = [line for line in text.split("\n", MOST_LINES)[:MOST_LINES] if line.strip()]
    for line in lines:
        match = _LINE.match(line[: KEY_LIMIT + VALUE_LIMIT])
        if match is not None:
            value = match["value"].strip().strip('"')[:VALUE_LIMIT]
            collected.add(Entry(key=match["key"], value=value, is_readonly=_FLAGS.get(match["flag"] or "")))
    # A text of which most is something else is no configuration.
    return collected if len(collected.entries) * 2 >= len(lines) or len(collected.entries) > 20 else _Collected()

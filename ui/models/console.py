"""What the console shows: commands to choose from, what is wrong with a request, what an answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.model.exchange import Exchange
from app.ocpp import actions, forms, schema
from app.ocpp.actions import Action
from ui.i18n import worded
from ui.models.plain import clock_text, latency_text, visible

MAX_RAW = 100_000
"""Characters of JSON the raw mode takes."""
SHOWN_LIMIT = 100_000
"""Characters of an answer on screen."""
DEPTH_LIMIT = 12
MOST_STATUSES = 20
_STATUSES = ("status", "attributeStatus")
_GOOD = frozenset({"Accepted", "Unlocked", "Scheduled", "Unpublished", "AcceptedCanceled"})


@dataclass(frozen=True, slots=True)
class Told:
    """One line about an answer: words and tone."""

    text: str
    tone: str = ""


def raw_payload(text: str) -> tuple[dict[str, Any], str]:
    """Read the raw mode's JSON; second, what is wrong."""
    if len(text) > MAX_RAW:
        return {}, worded("Longer than {count} characters.", count=f"{MAX_RAW:,}")
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        return {}, worded("Not JSON: {why}, line {line}, column {column}.", why=error.msg, **place)
    except (RecursionError, ValueError):
        return {}, worded("Nested too deeply, or a number is too long.")
    if not isinstance(value, dict):
        return {}, worded("The payload must be an object: { … }.")
    return value, ""


def pretty(value: Any) -> str:
    """Write a payload over several lines."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (RecursionError, ValueError):
        return worded("(nested too deeply to be shown)")


def breaches(version: str, action: str, made: dict[str, Any]) -> list[str]:
    """Name what the standard objects to in a request."""
    if not action:
        return []
    if action not in schema.actions(version):
        words = worded("OCPP {version} has no action “{action}”.", version=version, action=visible(action, 64))
        return [words]
    form = forms.form(version, action)
    ours = forms.problems(form, made) if form is not None else {}
    if ours:
        return [f"{path}: {words}" if path else words for path, words in ours.items()]
    return [visible(text, 200) for text in schema.violations(version, action, made, is_request=True)]


def explained(version: str, action: str, answer: Mapping[str, Any]) -> list[Told]:
    """Say in plain words what an answer means, status by status, and where it breaks its schema."""
    told = []
    for path, status in _some(_statuses(answer, "", 0)):
        words = actions.meaning(version, action, status)
        tone = "good" if status in _GOOD else "attention"
        told.append(Told(f"{path} {visible(status, 50)}: {words}" if words else f"{path} {visible(status, 50)}", tone))
    if action in schema.actions(version):
        faults = schema.violations(version, action, dict(answer), is_request=False)
        told += [
            Told(worded("Against the standard: {what}", what=visible(fault, 240)), "attention") for fault in faults
        ]
    return told


def _statuses(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_LIMIT:
        return
    if isinstance(value, Mapping):
        name = _named(value)
        for key, item in value.items():
            if key in _STATUSES and isinstance(item, str):
                yield name or path or key, item
            else:
                yield from _statuses(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _statuses(item, f"{path}[{place}]", depth + 1)


def _named(value: Mapping[str, Any]) -> str:
    """Name a result by its component and variable, as GetVariables and SetVariables answer."""
    names = [part.get("name") for part in (value.get("component"), value.get("variable")) if isinstance(part, Mapping)]
    return ".".join(visible(str(name), 50) for name in names) if len(names) == 2 else ""


def _some(items: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return [item for item, _ in zip(items, range(MOST_STATUSES), strict=False)]


def line(exchange: Exchange) -> str:
    """Write an exchange on one line."""
    start = f"{clock_text(exchange.sent_at)[:8]}  {visible(exchange.action, 64)}"
    if exchange.took_s is None:
        return f"{start}  {worded('waiting …')}"
    if exchange.trouble:
        return f"{start}  {visible(exchange.trouble, 160)}"
    return f"{start}  {outcome(exchange.answer)}, {latency_text(exchange.took_s)}"


def tone(exchange: Exchange) -> str:
    """Name the colour of an exchange's line."""
    if exchange.trouble:
        return "fault"
    if exchange.took_s is None:
        return "working"
    return "attention" if outcome(exchange.answer) in ("Rejected", "Failed", "NotSupported", "NotImplemented") else ""


def outcome(answer: str) -> str:
    """Name an answer's first status, or say that there is none."""
    value = answer_of(answer)
    found = next(_statuses(value, "", 0), None)
    return visible(found[1], 50) if found else worded("answered")


def answer_of(answer: str) -> dict[str, Any]:
    """Read an answer's text back; empty where it can't be read."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def is_unlisted(action: Action, promises: frozenset[str] | None) -> bool:
    """Say whether a charger lists nothing that promises this action; unknown promises mark nothing."""
    return promises is not None and bool(action.promise) and action.promise not in promises


def promised_profiles(answer: Mapping[str, Any]) -> frozenset[str] | None:
    """Read the feature profiles out of a GetConfiguration answer of OCPP 1.6; ``None`` where it names none."""
    entries = answer.get("configurationKey")
    values = {
        str(entry.get("key")).lower(): str(entry.get("value") or "")
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
    }
    if "supportedfeatureprofiles" not in values:
        return None
    named = {part.strip() for part in values["supportedfeatureprofiles"].split(",") if part.strip()}
    return frozenset(named | ({"Security"} if "securityprofile" in values else set()))

"""What the console shows: commands to choose from, what is wrong with a request, what an answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.model.exchange import Exchange
from app.ocpp import explain
from app.ocpp.actions import Action
from ui.i18n import worded
from ui.models.plain import clock_text, latency_text, visible, visible_lines

MAX_RAW = 100_000
"""Characters of JSON the raw mode takes."""
SHOWN_LIMIT = 100_000
"""Characters of an answer on screen."""
KEY_LIMIT = 50
MOST_KEYS = 2000
LINE_LIMIT = 4000
"""Characters of one of its lines."""


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


def explained(version: str, action: str, answer: Mapping[str, Any]) -> list[Told]:
    """Say in plain words what an answer means, status by status, and where it breaks its schema."""
    told = [
        Told(visible(status.text, 300), "attention" if status.is_refusal else "good" if status.is_success else "")
        for status in explain.statuses(version, action, answer)
    ]
    faults = explain.faults(version, action, answer)
    return told + [
        Told(worded("Against the standard: {what}", what=visible(fault, 240)), "attention") for fault in faults
    ]


def shown_lines(text: str) -> str:
    """Return a text as a view can lay it out at once: one line of 100,000 characters takes Qt 0.7 s."""
    lines = [_cut(one) for one in text[:SHOWN_LIMIT].split("\n")]
    return visible_lines("\n".join(lines))


def _cut(text: str) -> str:
    if len(text) <= LINE_LIMIT:
        return text
    rest = worded("{count} more characters; copying gives all", count=f"{len(text) - LINE_LIMIT:,}")
    return f"{text[:LINE_LIMIT]} … ({rest})"


def line(exchange: Exchange) -> str:
    """Write an exchange on one line."""
    start = f"{clock_text(exchange.sent_at)[:8]}  {visible(exchange.action, 64)}"
    if exchange.took_s is None:
        return f"{start}  {worded('waiting …')}"
    if exchange.trouble:
        return f"{start}  {visible(exchange.trouble, 160)}"
    if exchange.is_send:
        return f"{start}  {worded('sent; no answer is due')}"
    return f"{start}  {outcome(exchange.answer)}, {latency_text(exchange.took_s)}"


def tone(exchange: Exchange) -> str:
    """Name the colour of an exchange's line."""
    if exchange.trouble:
        return "fault"
    if exchange.took_s is None:
        return "working"
    return "attention" if any(status.is_refusal for status in _statuses(exchange.answer)) else ""


def outcome(answer: str) -> str:
    """Name an answer's first status, or say that there is none."""
    found = _statuses(answer)
    return visible(found[0].word, 50) if found else worded("answered")


def _statuses(answer: str) -> list[explain.Status]:
    return explain.statuses("", "", answer_of(answer))


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


def keys_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys a GetConfiguration answer of OCPP 1.6 tells."""
    entries = answer.get("configurationKey")
    found = [entry for entry in entries[:MOST_KEYS] if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    keys = (entry.get("key") for entry in found)
    return frozenset(key[:KEY_LIMIT] for key in keys if isinstance(key, str) and key)

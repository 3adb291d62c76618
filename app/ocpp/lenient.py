"""Read JSON as chargers really write it. Pure, bounded in depth; each repair is named in a note.

Strict JSON goes through orjson untouched. What orjson refuses is repaired step by step, the least invasive first:
byte order mark, control characters inside texts (NUL bytes, connection-failures 25), wrong escapes, stray commas,
missing closing brackets. A text that stays unreadable raises ``Unreadable`` with the place of the fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import orjson

MAX_DEPTH = 64
"""Deepest nesting that is read. OCPP 1.6 needs 8 (MeterValues, SetChargingProfile)."""

MAX_REPAIR = 200_000
"""Longest text that is repaired, in characters; longer ones must be strict JSON."""

_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = {code: None for code in range(256) if chr(code) not in "[]{}"}
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},]|[^\[\]{},"]+', re.DOTALL)


class Unreadable(ValueError):
    """The text is no JSON, even read with patience. ``reason`` says why, with the byte offset where known."""

    def __init__(self, reason: str, notes: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.notes = notes


def load(text: str) -> tuple[Any, tuple[str, ...]]:
    """Return the value and the notes on what had to be repaired. Raises Unreadable."""
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(text) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", ("TOO-DEEP",))
    try:
        return orjson.loads(text), ()
    except orjson.JSONDecodeError as error:
        offset = len(text[: error.pos].encode(errors="replace"))
        reason = f"not valid JSON at byte {offset}: {error.msg[:120]}"
    except UnicodeEncodeError as error:
        reason = f"a lone surrogate at character {error.start}"
    if len(text) > MAX_REPAIR:
        raise Unreadable(reason, ("NOT-JSON",))
    return _repaired(text, reason)


def depth(text: str) -> int:
    """Return how deep brackets nest in a JSON text, brackets inside texts not counted."""
    brackets = _TEXTS.sub("", text).translate(_NOT_BRACKETS)
    steps = (1 if char in "[{" else -1 if char in "]}" else 0 for char in brackets)
    return max(accumulate(steps), default=0)


def _repaired(text: str, reason: str) -> tuple[Any, tuple[str, ...]]:
    notes: list[str] = []
    for name, mend in _MENDS:
        mended = mend(text)
        if mended != text:
            notes.append(name)
            text = mended
        try:
            return _scrubbed(json.loads(text, strict=False)), ("JSON-BROKEN", *notes)
        except (ValueError, RecursionError):
            continue
    raise Unreadable(reason, ("NOT-JSON",))


def _scrubbed(value: Any) -> Any:
    """Replace halves of surrogate pairs: a text holding one can't be stored, sent or shown."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(item) for key, item in value.items()}
    return value


def _without_marks(text: str) -> str:
    return text.lstrip("\ufeff").strip("\x00 \t\r\n")


def _without_bad_escapes(text: str) -> str:
    return _BAD_ESCAPE.sub(r"\\\\", text)


def _without_stray_commas(text: str) -> str:
    kept: list[str] = []
    for token in _tokens(text):
        if token == "," and (not kept or kept[-1] in ("[", "{", ",")):
            continue
        if token in ("]", "}") and kept and kept[-1] == ",":
            kept.pop()
        kept.append(token)
    return "".join(kept)


def _with_closing_brackets(text: str) -> str:
    open_ones: list[str] = []
    for token in _tokens(text):
        if token in ("[", "{"):
            open_ones.append("]" if token == "[" else "}")
        elif token in ("]", "}") and (not open_ones or open_ones.pop() != token):
            return text
    return text + "".join(reversed(open_ones))


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text) if token.strip() or len(token) > 1]


_MENDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("CONTROL-CHARACTERS", _without_marks),
    ("BAD-ESCAPE", _without_bad_escapes),
    ("STRAY-COMMA", _without_stray_commas),
    ("UNCLOSED", _with_closing_brackets),
)

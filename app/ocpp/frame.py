"""One OCPP-J text: decode it tolerantly, encode it exactly. Pure.

Terms follow OCPP-J 1.6 §4.2: CALL ``[2, id, action, payload]``, CALLRESULT ``[3, id, payload]``, CALLERROR
``[4, id, code, description, details]``; and J201 2.1 §4.2: CALLRESULTERROR ``[5, …]`` (as CALLERROR), SEND ``[6, …]``
(as CALL). Whatever is wrong with a text is named in ``notes`` (short deviation codes);
what can't be used at all becomes ``Malformed`` together with the standard's error answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.model.frame import FrameKind
from app.ocpp.lenient import Unreadable, load

MAX_TEXT = 1_000_000
"""Longest text that is parsed, in characters. Longer ones are kept (cut) and answered with an error."""

MAX_SHOWN = 262_144
"""Longest text kept in a published frame, in characters; the rest is cut and noted."""

MAX_UID = 36
"""OCPP-J 1.6 §4.1.4: "maximum of 36 characters, to allow for GUIDs"."""

MAX_UID_TOLERATED = 128
MAX_ACTION = 64

UNKNOWN_UID = "-1"
"""What answers a message whose id can't be read (OCPP-J 2.0.1 §4.2.3 says so; 1.6 names nothing)."""

# Error codes in the spelling of J201 §4.3; ``spelled_code`` turns them into what a version says.
NO_MESSAGE = "RpcFrameworkError"
"""Not a message at all, or its id can't be read."""
FORMAT = "FormatViolation"
UNKNOWN_KIND = "MessageTypeNotSupported"
SECURITY = "SecurityError"
INTERNAL = "InternalError"
NOT_IMPLEMENTED = "NotImplemented"
"""The action is not known (OCPP-J 1.6 §4.2.3, J201 §4.3)."""
NOT_SUPPORTED = "NotSupported"
"""The action is known but not offered here (OCPP-J 1.6 §4.2.3, J201 §4.3)."""

_CODES_16 = {
    NO_MESSAGE: "FormationViolation",
    FORMAT: "FormationViolation",
    UNKNOWN_KIND: "NotSupported",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
}
"""OCPP-J 1.6 §4.2.3 where it differs, its misspelling included."""


@dataclass(slots=True)
class Call:
    """A request. ``echo`` is the id exactly as sent (some chargers send a number); ``uid`` is its text."""

    uid: str
    echo: Any
    action: str
    payload: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Send(Call):
    """A message of OCPP 2.1 that wants no answer (type 6)."""


@dataclass(slots=True)
class Result:
    """An answer."""

    uid: str
    payload: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Error:
    """A refusal of a CALL, or of a CALLRESULT (``is_of_result``, type 5 of OCPP 2.1).

    ``details`` is whatever was sent: some chargers put a text there instead of an object.
    """

    uid: str
    code: str
    description: str
    details: Any = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_of_result: bool = False


@dataclass(slots=True)
class Malformed:
    """A text that is no message. ``is_answerable`` is false for broken answers: answering those would never end.

    ``is_unknown_kind``: an array with a message type number that OCPP 1.6 ignores and 2.x refuses.
    """

    reason: str
    echo: Any = UNKNOWN_UID
    action: str = ""
    code: str = NO_MESSAGE
    is_answerable: bool = True
    notes: tuple[str, ...] = ()
    is_unknown_kind: bool = False


Message = Call | Result | Error | Malformed

_HEAD = re.compile(
    r'\ufeff?\s*\[\s*([2-6])\s*,\s*(?:"((?:[^"\\]|\\.){0,128})"|(-?\d{1,20}))\s*(?:,\s*"([^"\\]{0,64})"|(?=,|\]))'
)
_KINDS = {
    "2": FrameKind.CALL,
    "3": FrameKind.RESULT,
    "4": FrameKind.ERROR,
    "5": FrameKind.RESULT_ERROR,
    "6": FrameKind.SEND,
}


def head(text: str) -> tuple[FrameKind, str, str]:
    """Tell kind, message id and action (of a CALL or SEND) from the first characters, without parsing the rest."""
    match = _HEAD.match(text[:512])
    if match is None:
        return FrameKind.BROKEN, "", ""
    kind = _KINDS[match[1]]
    uid = match[2] if match[2] is not None else match[3]
    if kind in (FrameKind.CALL, FrameKind.SEND):
        return (kind, uid, match[4]) if match[4] is not None else (FrameKind.BROKEN, uid, "")
    return kind, uid, ""


def decode(text: str) -> Message:
    """Read one text. Never raises: what can't be used comes back as ``Malformed``."""
    if len(text) > MAX_TEXT:
        return _unusable(text, f"longer than {MAX_TEXT} characters", ("TOO-LONG",))
    try:
        value, notes = load(text)
    except Unreadable as error:
        return _unusable(text, error.reason, error.notes)
    if type(value) is not list:
        return Malformed(f"a JSON {_json_name(value)} instead of an array", notes=(*notes, "NO-ARRAY"))
    if not value:
        return Malformed("an empty array", notes=(*notes, "EMPTY-ARRAY"))
    kind = value[0]
    if isinstance(kind, str) and kind in _KINDS:
        kind, notes = int(kind), (*notes, "TYPE-AS-TEXT")
    if type(kind) is int:
        if kind == 2:
            return _call(value, notes)
        if 3 <= kind <= 5:
            return _answer(kind, value, notes)
        if kind == 6:
            return _sent(value, notes)
    return _of_unknown_kind(value, notes)


def spelled_code(code: str, version: str) -> str:
    """Return an error code as the version spells it."""
    return _CODES_16.get(code, code) if version == "1.6" else code


def encode_call(uid: str, action: str, payload: dict[str, Any]) -> str:
    """Write a CALL."""
    return _written([2, uid, action, payload])


def encode_send(uid: str, action: str, payload: dict[str, Any]) -> str:
    """Write a SEND (OCPP 2.1)."""
    return _written([6, uid, action, payload])


def encode_result(echo: Any, payload: dict[str, Any]) -> str:
    """Write a CALLRESULT; ``echo`` is the request's id as it was sent."""
    return _written([3, echo, payload])


def encode_error(echo: Any, code: str, description: str, details: dict[str, Any] | None = None) -> str:
    """Write a CALLERROR; the description is cut to 255 characters (OCPP-J 1.6 §4.2.3)."""
    return _written([4, echo, code, description[:255], details or {}])


def encode_result_error(uid: str, code: str, description: str) -> str:
    """Write a CALLRESULTERROR (OCPP 2.1)."""
    return _written([5, uid, code, description[:255], {}])


def _written(message: list[Any]) -> str:
    try:
        return orjson.dumps(message).decode()
    except TypeError:  # a number beyond 64 bits, half a surrogate pair
        return json.dumps(message, separators=(",", ":"))


def _call(value: list[Any], notes: tuple[str, ...]) -> Message:
    echo, uid, notes = _uid(value, notes)
    if uid is None:
        return Malformed("the message id is missing or unusable", notes=(*notes, "BAD-ID"))
    action = value[2] if len(value) > 2 else None
    if not isinstance(action, str) or not action or len(action) > MAX_ACTION:
        return Malformed("the action is not a text", echo, notes=(*notes, "BAD-ACTION"))
    if len(value) != 4:
        return Malformed(
            f"{len(value)} elements in a CALL instead of 4", echo, action, notes=(*notes, f"ELEMENTS-{len(value)}")
        )
    payload = value[3]
    if type(payload) is not dict:
        reason = f"the payload is a JSON {_json_name(payload)} instead of an object"
        return Malformed(reason, echo, action, FORMAT, notes=(*notes, "BAD-PAYLOAD"))
    return Call(uid, echo, action, payload, notes)


def _sent(value: list[Any], notes: tuple[str, ...]) -> Message:
    call = _call(value, notes)
    if isinstance(call, Call):
        return Send(call.uid, call.echo, call.action, call.payload, call.notes)
    if isinstance(call, Malformed):
        call.is_answerable = False  # nobody waits for an answer to a SEND
    return call


def _of_unknown_kind(value: list[Any], notes: tuple[str, ...]) -> Malformed:
    """OCPP-J 1.6 §4.1.3: to be ignored; J201 §4.3 has an error for it, of use only where an id can be echoed."""
    echo, uid, _ = _uid(value, ())
    return Malformed(
        f"unknown message type {str(value[0])[:20]}",
        UNKNOWN_UID if uid is None else echo,
        code=UNKNOWN_KIND,
        is_answerable=False,
        notes=(*notes, "UNKNOWN-TYPE"),
        is_unknown_kind=uid is not None,
    )


def _answer(kind: int, value: list[Any], notes: tuple[str, ...]) -> Message:
    _, uid, notes = _uid(value, notes)
    if uid is None:
        return Malformed("an answer without a usable id", is_answerable=False, notes=(*notes, "BAD-ID"))
    if kind == 3:
        if len(value) != 3:
            notes = (*notes, f"ELEMENTS-{len(value)}")
        payload = value[2] if len(value) > 2 else None
        if type(payload) is not dict:
            return Result(uid, {}, (*notes, "BAD-PAYLOAD"))
        return Result(uid, payload, notes)
    if len(value) != 5:
        notes = (*notes, f"ELEMENTS-{len(value)}")
    code, description, details = (*value[2:5], "", "", {})[:3]
    return Error(uid, str(code)[:50], str(description)[:255], details, notes, kind == 5)


def _uid(value: list[Any], notes: tuple[str, ...]) -> tuple[Any, str | None, tuple[str, ...]]:
    echo = value[1] if len(value) > 1 else None
    if isinstance(echo, str) and echo and len(echo) <= MAX_UID:
        return echo, echo, notes
    if isinstance(echo, int | float) and not isinstance(echo, bool) and len(str(echo)) <= MAX_UID:
        return echo, str(echo), (*notes, "ID-AS-NUMBER")
    if isinstance(echo, str) and len(echo) <= MAX_UID_TOLERATED:
        return echo, echo, (*notes, "ID-EMPTY" if not echo else "ID-LONG")
    return UNKNOWN_UID, None, notes


def _unusable(text: str, reason: str, notes: tuple[str, ...]) -> Malformed:
    kind, uid, action = head(text)
    is_answerable = kind in (FrameKind.CALL, FrameKind.BROKEN)
    return Malformed(reason, uid or UNKNOWN_UID, action, is_answerable=is_answerable, notes=notes)


def _json_name(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "object", list: "array", str: "text", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "value")

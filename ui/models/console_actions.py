"""The commands of the console: OCPP 1.6 actions a central system sends, with the fields of their forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ui.i18n import worded


class Entry(Enum):
    """How a field is filled in."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    WORDS = "words"
    """Texts separated by blanks or commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field: its JSON name, its label, how it is filled in. An empty optional field is left out."""

    name: str
    label: str
    entry: Entry = Entry.TEXT
    choices: tuple[str, ...] = ()
    default: str = ""
    is_required: bool = True
    hint: str = ""
    limit: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One action. ``warning`` is asked before it is sent: it changes the charger."""

    action: str
    title: str
    fields: tuple[FormField, ...] = ()
    warning: str = ""
    hint: str = ""


_CONNECTOR = FormField(name="connectorId", label="Connector", entry=Entry.NUMBER, default="1", limit=4)
_MAYBE_CONNECTOR = FormField(
    name="connectorId", label="Connector", entry=Entry.NUMBER, is_required=False, hint="empty = any", limit=4
)

COMMANDS: tuple[Command, ...] = (
    Command(
        action="GetConfiguration",
        title="Read settings",
        fields=(
            FormField(
                name="key", label="Keys", entry=Entry.WORDS, is_required=False, hint="separated by blanks; empty = all"
            ),
        ),
    ),
    Command(
        action="ChangeConfiguration",
        title="Change a setting",
        fields=(
            FormField(name="key", label="Key", limit=50),
            FormField(name="value", label="Value", limit=500, is_required=False),
        ),
        warning="The old value is kept first, and the new one is read back. The way back is in the charger's history.",
    ),
    Command(
        action="TriggerMessage",
        title="Ask for a message",
        fields=(
            FormField(
                name="requestedMessage",
                label="Message",
                entry=Entry.CHOICE,
                choices=(
                    "BootNotification",
                    "StatusNotification",
                    "Heartbeat",
                    "MeterValues",
                    "DiagnosticsStatusNotification",
                    "FirmwareStatusNotification",
                ),
            ),
            _MAYBE_CONNECTOR,
        ),
    ),
    Command(
        action="Reset",
        title="Restart",
        fields=(FormField(name="type", label="Kind", entry=Entry.CHOICE, choices=("Soft", "Hard")),),
        warning="The charger restarts; a running charging session may end. It can be gone for minutes.",
    ),
    Command(
        action="RemoteStartTransaction",
        title="Start charging",
        fields=(
            FormField(name="idTag", label="Tag", default="REHOME", limit=20),
            FormField(
                name="connectorId", label="Connector", entry=Entry.NUMBER, default="1", is_required=False, limit=4
            ),
        ),
    ),
    Command(
        action="RemoteStopTransaction",
        title="Stop charging",
        fields=(FormField(name="transactionId", label="Transaction", entry=Entry.NUMBER, limit=12),),
    ),
    Command(
        action="ChangeAvailability",
        title="Switch on or off",
        fields=(
            FormField(name="connectorId", label="Connector", entry=Entry.NUMBER, default="0", hint="0 = all", limit=4),
            FormField(name="type", label="Availability", entry=Entry.CHOICE, choices=("Operative", "Inoperative")),
        ),
    ),
    Command(
        action="UnlockConnector",
        title="Unlock the plug",
        fields=(_CONNECTOR,),
        warning="A running charging session ends and the plug is released.",
    ),
    Command(action="ClearCache", title="Clear the tag cache"),
    Command(
        action="ClearChargingProfile",
        title="Remove charging limits",
        fields=(_MAYBE_CONNECTOR,),
        warning="Limits set by the former backend are removed and can't be restored from here.",
    ),
    Command(
        action="GetCompositeSchedule",
        title="Read the charging limit",
        fields=(
            _CONNECTOR,
            FormField(name="duration", label="Seconds", entry=Entry.NUMBER, default="3600", limit=6),
        ),
    ),
    Command(action="GetLocalListVersion", title="Read the tag list's version"),
    Command(
        action="DataTransfer",
        title="Vendor message",
        fields=(
            FormField(name="vendorId", label="Vendor id", limit=255),
            FormField(name="messageId", label="Message id", limit=50, is_required=False),
            FormField(name="data", label="Data", limit=5000, is_required=False),
        ),
    ),
)
"""OCPP 1.6 §5, the operations initiated by the central system that need no file server or list upload."""

MAX_RAW = 100_000
"""Characters of JSON the raw mode takes."""


def payload(command: Command, values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Make a payload from what was typed; second, what is wrong, by field name."""
    result: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in command.fields:
        text = values.get(field.name, "").strip()
        if not text:
            if field.is_required:
                problems[field.name] = f"{field.label} is missing."
            elif command.action == "ChangeConfiguration" and field.name == "value":
                result[field.name] = ""
            continue
        if len(text) > field.limit:
            problems[field.name] = f"{field.label} holds at most {field.limit} characters."
        elif field.entry is Entry.NUMBER:
            if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
                result[field.name] = int(text)
            else:
                problems[field.name] = f"{field.label} must be a whole number."
        elif field.entry is Entry.WORDS:
            result[field.name] = text.replace(",", " ").split()
        else:
            result[field.name] = text
    return result, problems


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

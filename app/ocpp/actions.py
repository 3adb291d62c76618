"""What a central system may ask of a charger, action by action: purpose, words, dangers, and a form to start from.

The facts stand in ``resources/actions``: who sends an action is data there, tested to cover every schema.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from app import resources
from app.ocpp.forms import Field

Sender = Literal["csms", "station", "both"]

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_MOMENT = re.compile(r"now\s*(?:([+-])\s*(\d{1,6})\s*(s|min|h|d))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A purpose, such as “Charging sessions”."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action. ``warning`` is one sentence to be confirmed before it is sent.

    ``promise`` is the feature profile (1.6) or controller component (2.x) that a charger lists if it knows the action;
    empty means every charger should. ``answers`` explains statuses, ``fields`` describes fields by name.
    """

    name: str
    sender: Sender
    group: str = ""
    title: str = ""
    clause: str = ""
    help: str = ""
    warning: str = ""
    promise: str = ""
    starts: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_command(self) -> bool:
        """Say whether a central system may send it."""
        return self.sender != "station"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a new form is filled from: the time, and what the charger is doing."""

    now: datetime
    connector: int = 1
    evse: int = 1
    transaction: int | str = 0
    tag: str = "REHOME"
    number: int = 1
    files: str = ""
    root: Callable[[], str] = str
    """Gives the PEM of our own root certificate, which is made when it is first asked for."""


def action(version: str, name: str) -> Action | None:
    """Return one action, ``None`` where the version has none of that name."""
    return actions(version).get(name)


@functools.cache
def actions(version: str) -> Mapping[str, Action]:
    """Return every action of a version by its name, also those a charger sends."""
    document = _document("ocpp16" if version == "1.6" else "ocpp2")
    stations = [*document["station"], *(document.get("station_21", []) if version == "2.1" else [])]
    found = {name: Action(name=name, sender="station") for name in stations}
    shared = document["fields"]
    for name, facts in document["actions"].items():
        if facts.get("since") != "2.1" or version == "2.1":
            found[name] = _action(name, facts, shared)
    return found


@functools.cache
def commands(version: str) -> tuple[Action, ...]:
    """Return what a central system may send, in the order of the groups and then of their titles."""
    order = {group.id: place for place, group in enumerate(groups())}
    found = [action for action in actions(version).values() if action.is_command]
    return tuple(sorted(found, key=lambda action: (order[action.group], action.title)))


@functools.cache
def groups() -> tuple[Group, ...]:
    """Return the purposes in the order they are shown."""
    return tuple(Group(id=group["id"], title=group["title"]) for group in _document("_words")["groups"])


def search(version: str, text: str) -> tuple[Action, ...]:
    """Return the commands in whose name or words every word of the text occurs."""
    words = text.casefold().split()
    titles = {group.id: group.title for group in groups()}

    def hay(action: Action) -> str:
        return f"{action.name} {action.title} {action.help} {action.clause} {titles[action.group]}".casefold()

    return tuple(action for action in commands(version) if all(word in hay(action) for word in words))


def start(action: Action, situation: Situation) -> dict[str, Any]:
    """Return the payload a new form starts with."""
    return {name: _filled(value, situation) for name, value in action.starts.items()}


def moment(text: str, now: datetime) -> str | None:
    """Turn ``now``, ``now + 5 min``, ``now - 2 h`` into a time as OCPP writes it; anything else gives ``None``."""
    match = _MOMENT.match(text.strip())
    if match is None:
        return None
    shift = timedelta(seconds=int(match[2]) * UNITS[match[3].lower()]) if match[2] else timedelta()
    at = now.astimezone(UTC)
    try:
        at = at - shift if match[1] == "-" else at + shift
    except OverflowError:
        return None
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def meaning(version: str, name: str, status: str) -> str:
    """Explain a status of an answer in plain words; empty where there is nothing to say."""
    known = action(version, name) if version else None
    own = known.answers.get(status, "") if known is not None else ""
    return own or str(_document("_words")["answers"].get(status, ""))


@functools.cache
def refusals() -> frozenset[str]:
    """Return the statuses with which a charger says that it did not do what it was asked."""
    return frozenset(_document("_words")["refusals"])


@functools.cache
def successes() -> frozenset[str]:
    """Return the statuses with which a charger says that it did what it was asked, or will."""
    return frozenset(_document("_words")["successes"])


def choice_words(value: str) -> str:
    """Explain a choice in plain words; empty where its name says enough."""
    return str(_document("_words")["choices"].get(value, ""))


def field_help(action: Action | None, form_field: Field) -> str:
    """Describe a field: in the standard's words where the schema has them, else in ours."""
    ours = action.fields.get(form_field.name, "") if action is not None else ""
    return ours if form_field.name == "customData" else form_field.help or ours


def _action(name: str, facts: Mapping[str, Any], shared: Mapping[str, str]) -> Action:
    return Action(
        name=name,
        sender=facts.get("sender", "csms"),
        group=facts["group"],
        title=facts["title"],
        clause=facts["clause"],
        help=facts["help"],
        warning=facts.get("warning", ""),
        promise=facts.get("profile", facts.get("component", "")),
        starts=facts.get("starts", {}),
        answers=facts.get("answers", {}),
        fields=shared | facts.get("fields", {}),
    )


def _filled(value: Any, situation: Situation) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, situation) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, situation) for item in value]
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    if value == "@root":
        return situation.root()
    return moment(value[1:], situation.now) or getattr(situation, value[1:])


@functools.cache
def _document(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.path("actions", f"{name}.toml").read_text("utf-8"))

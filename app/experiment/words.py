"""Experiments in words: the settings of their rounds, their results as text to send on."""

from __future__ import annotations

from collections.abc import Callable

from app.experiment.values import Result, State
from app.model.experiment import Experiment
from app.model.listening import PERSONALITIES

Translate = Callable[[str], str]

_SETTINGS = {
    ("plain-instead-of-tls", "ws"): "Without TLS (ws://)",
    ("plain-instead-of-tls", "wss"): "With TLS again (wss://)",
    ("ping-rhythm", "0"): "No pings",
    ("answer-delay", "0"): "Answers at once",
    ("early-command", "0"): "Asked as soon as it connects",
    ("nonsense-identity", "identity"): "An identity nobody has",
    ("nonsense-identity", "path"): "A path nobody has",
    ("big-answer", "1"): "One setting at a time",
    ("big-answer", "all"): "Everything at once",
    ("waiting-room", "Pending"): "Boot answered Pending",
    ("waiting-room", "Rejected"): "Boot answered Rejected",
    ("waiting-room", "Accepted"): "Boot answered Accepted",
    ("redial-rhythm", "refused"): "Dial-ins refused",
    ("redial-rhythm", "cut"): "Line cut",
    ("hold", "idle"): "Held without a word",
}
_COUNTED = {
    "ping-rhythm": "A ping every {n} s",
    "answer-delay": "Answers {n} s late",
    "early-command": "Asked {n} s after it connects",
    "big-answer": "{n} settings at a time",
}


def setting_words(experiment_id: str, setting: str, translate: Translate = str) -> str:
    """Put the setting of a round into words."""
    if experiment_id == "certificate-personality":
        return translate(PERSONALITIES[setting])
    known = _SETTINGS.get((experiment_id, setting))
    return translate(known) if known else translate(_COUNTED[experiment_id]).replace("{n}", setting)


def duration(experiment: Experiment) -> str:
    """Say how long an experiment takes at most."""
    minutes = experiment.longest_s / 60
    return f"{minutes:.0f} min" if minutes >= 2 else f"{experiment.longest_s:.0f} s"


def told(result: Result) -> str:
    """Put a result into lines to copy or print."""
    experiment, outcome = result.experiment, result.outcome
    lines = [f"{experiment.title}: {result.subject.title}", f"Began {result.started_at:%Y-%m-%d %H:%M:%S} UTC"]
    for item in result.rounds:
        seen = item.seen if item.state is State.DONE else "not tried"
        lines.append(f"- {setting_words(result.experiment_id, item.setting)}: {seen}")
    if outcome is not None:
        code = f" [{outcome.code}]" if outcome.code else ""
        lines += [f"Seen: {outcome.seen}", f"Means: {outcome.means}{code}"]
    elif result.why:
        lines.append(f"Nothing follows: {result.why}")
    return "\n".join(lines)

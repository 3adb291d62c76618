"""What the wizard says of each step: its name, what will happen, and how to go back."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.model.job import Job, JobState, StepKind, StepState, Strength


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWords:
    """A step's texts, in English; translated when shown."""

    name: str
    what: str
    back: str
    icon: str


def _words(name: str, what: str, back: str, icon: str) -> StepWords:
    return StepWords(name=name, what=what, back=back, icon=icon)


def QT_TRANSLATE_NOOP(_context: str, text: str) -> str:
    """Mark a text for lupdate (Qt's own has no useful type)."""
    return text


STEP_WORDS = {
    StepKind.IDENTIFY: _words(
        QT_TRANSLATE_NOOP("wizard", "Identify"),
        QT_TRANSLATE_NOOP("wizard", "Rehome asks the charger who it is, which firmware it runs and where it dials now. Nothing is changed."),
        QT_TRANSLATE_NOOP("wizard", "Nothing to take back: this step only reads."),
        "search",
    ),
    StepKind.BACK_UP: _words(
        QT_TRANSLATE_NOOP("wizard", "Back up"),
        QT_TRANSLATE_NOOP("wizard", "Every setting is read and stored on this computer. Without a valid backup nothing is written later."),
        QT_TRANSLATE_NOOP("wizard", "Nothing to take back: this step only reads."),
        "save",
    ),
    StepKind.CHOOSE: _words(
        QT_TRANSLATE_NOOP("wizard", "Choose backend"),
        QT_TRANSLATE_NOOP("wizard", "Say where this charger shall dial from now on. Rehome then knocks there from this computer, as the charger would."),
        QT_TRANSLATE_NOOP("wizard", "You can change the backend until something has been written."),
        "cloud",
    ),
    StepKind.PLAN: _words(
        QT_TRANSLATE_NOOP("wizard", "Plan"),
        QT_TRANSLATE_NOOP("wizard", "These exact texts will be written, in this order. First the charger is sent to this computer for the proof, then to the backend."),
        QT_TRANSLATE_NOOP("wizard", "Nothing is written yet. Go back to choose another backend."),
        "list-checks",
    ),
    StepKind.APPLY: _words(
        QT_TRANSLATE_NOOP("wizard", "Apply"),
        QT_TRANSLATE_NOOP("wizard", "The settings are written one by one and read back. The address comes last."),
        QT_TRANSLATE_NOOP("wizard", "“Undo” writes the backed-up values again and reads them back."),
        "pencil",
    ),
    StepKind.RESTART: _words(
        QT_TRANSLATE_NOOP("wizard", "Restart"),
        QT_TRANSLATE_NOOP("wizard", "The charger restarts once, if it needs that to use the new settings."),
        QT_TRANSLATE_NOOP("wizard", "“Undo” writes the backed-up values again and reads them back."),
        "power",
    ),
    StepKind.PROVE: _words(
        QT_TRANSLATE_NOOP("wizard", "Prove here"),
        QT_TRANSLATE_NOOP("wizard", "The charger now dials this computer. Rehome waits for it, listens, and lets it charge for a moment if a car is connected."),
        QT_TRANSLATE_NOOP("wizard", "“Undo” writes the backed-up values again and reads them back."),
        "shield-check",
    ),
    StepKind.SWITCH: _words(
        QT_TRANSLATE_NOOP("wizard", "Switch over"),
        QT_TRANSLATE_NOOP("wizard", "The address of the real backend is written, read back, and the charger leaves this computer for it."),
        QT_TRANSLATE_NOOP("wizard", "“Undo” writes the backed-up values again and reads them back."),
        "route",
    ),
    StepKind.SESSION: _words(
        QT_TRANSLATE_NOOP("wizard", "Charging test"),
        QT_TRANSLATE_NOOP("wizard", "The finish line: a car charges on the new backend. Start it there or with a card; Rehome watches energy rise."),
        QT_TRANSLATE_NOOP("wizard", "Nothing is changed by this step."),
        "battery-charging",
    ),
    StepKind.HAND_OVER: _words(
        QT_TRANSLATE_NOOP("wizard", "Hand over"),
        QT_TRANSLATE_NOOP("wizard", "The report: what was found, what was changed, what was proved and how to take it back."),
        QT_TRANSLATE_NOOP("wizard", "“Undo” stays available as long as the backup is on this computer."),
        "clipboard-check",
    ),
}  # fmt: skip

STEP_STATES = {
    StepState.WAITING: (QT_TRANSLATE_NOOP("wizard", "Not yet"), "idle", "circle-dashed"),
    StepState.READY: (QT_TRANSLATE_NOOP("wizard", "Next"), "accent", "circle-dot"),
    StepState.RUNNING: (QT_TRANSLATE_NOOP("wizard", "Working"), "working", "loader-circle"),
    StepState.NEEDS_INPUT: (QT_TRANSLATE_NOOP("wizard", "Needs you"), "attention", "hand"),
    StepState.DONE: (QT_TRANSLATE_NOOP("wizard", "Done"), "good", "circle-check"),
    StepState.SKIPPED: (QT_TRANSLATE_NOOP("wizard", "Left out"), "idle", "skip-forward"),
    StepState.FAILED: (QT_TRANSLATE_NOOP("wizard", "Stopped"), "fault", "octagon-x"),
}

JOB_STATES = {
    JobState.ACTIVE: (QT_TRANSLATE_NOOP("wizard", "Open"), "accent", "circle-dot"),
    JobState.PAUSED: (QT_TRANSLATE_NOOP("wizard", "Paused"), "attention", "circle-pause"),
    JobState.DONE: (QT_TRANSLATE_NOOP("wizard", "Done"), "good", "circle-check"),
    JobState.UNDOING: (QT_TRANSLATE_NOOP("wizard", "Undoing"), "working", "undo-2"),
    JobState.UNDONE: (QT_TRANSLATE_NOOP("wizard", "Undone"), "idle", "undo-2"),
    JobState.ABANDONED: (QT_TRANSLATE_NOOP("wizard", "Given up"), "idle", "circle-x"),
}

STRENGTHS = {
    Strength.PROVED: (QT_TRANSLATE_NOOP("wizard", "Proved"), "good", "circle-check"),
    Strength.CLAIMED: (QT_TRANSLATE_NOOP("wizard", "The charger says so"), "attention", "info"),
    Strength.OPEN: (QT_TRANSLATE_NOOP("wizard", "Not proved"), "idle", "circle-dashed"),
}


def translated(text: str) -> str:
    """Translate one of the texts above."""
    return QCoreApplication.translate("wizard", text)


def name_of(step: StepKind) -> str:
    """Return a step's name on screen."""
    return translated(STEP_WORDS[step].name)


def job_status(job: Job) -> tuple[str, str, str]:
    """Return word, tone and icon of a job as a whole: what it needs counts more than that it is open."""
    if job.state is JobState.ACTIVE and job.current is not None:
        state = job.step(job.current).state
        if state in (StepState.RUNNING, StepState.NEEDS_INPUT, StepState.FAILED):
            word, tone, icon = STEP_STATES[state]
            return translated(word), tone, icon
    word, tone, icon = JOB_STATES[job.state]
    return translated(word), tone, icon

"""An explained configuration on screen: rows and words, and dumps made of what the tables hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from app.diagnosis import dump
from app.diagnosis.dump import Dump, Entry
from app.diagnosis.explained import Explanation, Origin, Report
from app.diagnosis.wishes import Answer, Reason, Verdict
from app.errors import Garbled
from app.model.profile import Grade
from app.model.setting import Snapshot
from app.ocpp.devicemodel import Variable
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import visible

_ACCESS = {"r": "read only", "w": "write only", "rw": "read and write", "any": "up to the charger", "": "not said"}
_GRADES = {
    Grade.SOURCE: "read in a source or vendor document",
    Grade.REPORTED: "told by users",
    Grade.PROVED: "seen by us",
    Grade.UNVERIFIED: "not verified",
}
_TONES = {
    Verdict.FITS: "good",
    Verdict.DIFFERS: "attention",
    Verdict.NOT_KNOWN: "idle",
    Verdict.NOT_OFFERED: "fault",
}
MOST_PROOFS = 4


def read_dump(path: Path) -> Dump:
    """Read a configuration from a file. Raises Garbled with what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(dump.SIZE_LIMIT + 1)
    except OSError as error:
        raise Garbled(f"{path.name} can't be read: {error.strerror or error}.", "Choose another file.") from error
    return dump.read(data)


def dump_of_snapshot(snapshot: Snapshot) -> Dump:
    """Return the settings of a 1.6 charger as a dump."""
    entries = (
        Entry(key=one.key, value=one.value if one.is_readable else None, is_readonly=one.is_readonly)
        for one in snapshot.settings
    )
    return dump.of_entries(entries)


def dump_of_variables(variables: Iterable[Variable]) -> Dump:
    """Return the device model of a 2.x station as a dump."""
    return dump.of_entries(
        Entry(
            key=one.name.text,
            value=one.value,
            is_readonly=one.mutability == "ReadOnly",
            is_write_only=one.mutability == "WriteOnly",
            kind=one.type,
            unit=one.unit,
        )
        for one in variables
    )


# Words


def stack_words(report: Report) -> tuple[str, str]:
    """Say in one line which stack it is, and by what; with a tone."""
    stack, candidates = report.recognition.stack, report.recognition.candidates
    if stack is not None:
        return worded("{name}, known by {proofs}", name=stack.name, proofs=_proofs(candidates[0].proofs)), "good"
    if candidates:
        names = worded(" or ").join(item.stack.name for item in candidates[:4])
        return worded("Not sure which make: {names}", names=names), "attention"
    return worded("An unknown make: none of its settings is one that we know of a vendor"), "idle"


def _proofs(keys: tuple[str, ...]) -> str:
    shown = ", ".join(visible(key, 60) for key in keys[:MOST_PROOFS]) or worded("the vendor in its Boot")
    more = len(keys) - MOST_PROOFS
    return shown + (worded(" and {count} more", count=more) if more > 0 else "")


def count_words(report: Report) -> str:
    """Say how much of it is explained."""
    unknown = sum(item.origin is Origin.UNKNOWN for item in report.settings)
    odd = sum(bool(item.oddities) for item in report.settings)
    parts = [worded("{count} settings", count=len(report.settings))]
    parts += [worded("{count} unknown", count=unknown)] if unknown else []
    parts += [worded("{count} with something odd", count=odd)] if odd else []
    parts += [worded("there are more; the rest is left out")] if report.is_cut else []
    return " · ".join(parts)


def missing_words(report: Report) -> str:
    """Name what the standard requires and the charger does not tell; nothing where nothing is missing."""
    if not report.missing:
        return ""
    keys = ", ".join(item.key for item in report.missing)
    if not report.is_whole:
        return worded("A part of a configuration only. Required by the standard and not in it: {keys}", keys=keys)
    return worded("Required by the standard and not told: {keys}", keys=keys)


def short_words(item: Explanation) -> str:
    """Say in two lines what a setting means and who says so."""
    more = [worded("Odd: {what}", what=visible(text, 200)) for text in item.oddities]
    more += [worded("Careful: {what}", what=item.danger)] if item.danger else []
    if item.evidence is not None and item.origin is not Origin.STANDARD:
        more.append(worded("Source: {source}", source=visible(item.evidence.source, 120)))
    return "\n".join([f"{visible(item.key, 80)}: {visible(item.meaning, 300)}", *([" · ".join(more)] if more else [])])


def detail_words(item: Explanation) -> str:
    """Say everything about one setting."""
    lines = [f"{visible(item.key, 120)}: {visible(item.meaning, 500)}"]
    facts = [
        worded("Access by the standard: {access}", access=worded(_ACCESS[item.granted])) if item.granted else "",
        worded("by the charger: {access}", access=worded(_ACCESS[item.told])) if item.told else "",
        worded("required") if item.is_required else "",
        visible(item.kind.value, 20),
        visible(item.unit, 20),
    ]
    if item.origin is not Origin.UNKNOWN:
        lines.append(" · ".join(fact for fact in facts if fact))
    lines += [worded("Careful: {what}", what=item.danger)] if item.danger else []
    lines += [worded("Odd: {what}", what=visible(text, 300)) for text in item.oddities]
    if item.evidence is not None and item.origin is not Origin.STANDARD:
        source, grade = visible(item.evidence.source, 200), worded(_GRADES[item.evidence.grade])
        lines.append(worded("Source: {source} ({grade})", source=source, grade=grade))
    return "\n".join(lines)


def verdict_words(answer: Answer) -> tuple[str, str]:
    """Return a verdict's word and tone."""
    return worded(answer.verdict.value.capitalize()), _TONES[answer.verdict]


def answer_words(answer: Answer) -> str:
    """Say why, and what would change."""
    lines = [line for reason in answer.reasons for line in _reason_words(reason)]
    lines += [
        worded(
            "→ {key}: {before} becomes {after}",
            key=visible(change.key, 80),
            before=visible(change.before or "–", 80),
            after=visible(change.after, 200),
        )
        for change in answer.changes
    ]
    lines += [worded("By hand: {what}", what=visible(worded(text), 300)) for text in answer.by_hand]
    return "\n".join(lines)


def _reason_words(reason: Reason) -> Iterator[str]:
    key, value = visible(reason.key, 160), visible(reason.value or "–", 80)
    if reason.verdict is Verdict.FITS:
        fits = worded("✓ {key} is {value}", key=key, value=value) if reason.value else f"✓ {worded(reason.text)}"
        yield fits if reason.value or not key else worded("✓ {key} is not told, which fits", key=key)
    elif reason.value or reason.verdict is Verdict.DIFFERS:
        yield worded("✗ {key} is {value}; needed: {what}", key=key, value=value, what=worded(reason.text))
    else:
        yield worded("? {key} is not told; needed: {what}", key=key, what=worded(reason.text))


# Rows


def _label(item: Explanation) -> str:
    return worded("Unknown") if item.origin is Origin.UNKNOWN else visible(item.label or item.meaning, 120)


def _remark(item: Explanation) -> str:
    return visible(" ".join(item.oddities) or item.danger, 300)


def _tone(item: Explanation) -> str:
    if item.oddities:
        return "attention"
    return "text2" if item.origin is Origin.UNKNOWN else ""


EXPLAINED_FIELDS: tuple[Field[Explanation], ...] = (
    Field("Key", lambda item: visible(item.key, 120), 34, is_mono=True),
    Field(
        "Value", lambda item: worded("not told") if item.shown is None else visible(item.shown, 200), 24, is_mono=True
    ),
    Field("What it is", _label, 34, _tone),
    Field("Remarks", _remark, 40, lambda item: "attention" if item.oddities else "text2"),
)


def explained_key(item: Explanation) -> object:
    """Return what tells rows apart."""
    return item.key


def report_text(report: Report) -> str:
    """Return the whole explanation as text to copy; secrets are masked."""
    head = [stack_words(report)[0], report.address_words, count_words(report), missing_words(report)]
    body = [f"{detail_words(item)}\n= {visible(item.shown or '–', 300)}" for item in report.settings]
    return "\n\n".join([*(line for line in head if line), *body])

"""What a site wants ("what happens when offline?") against what a configuration says, and what to change. Pure.

Questions, options and the settings that decide them are data (``resources/checks/wishes.toml``). Changes name only
settings that the charger itself told and that can be written.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from app import resources
from app.diagnosis.dump import Dump, Entry
from app.diagnosis.explained import is_whole
from app.errors import ProfileError, ValueRejected
from app.model.setting import Change

_NUMBER = re.compile(r"\s*-?[0-9]{1,15}(\.[0-9]{1,9})?\s*\Z")
LONGEST_WAIT = 1_000_000_000.0


class Verdict(Enum):
    """How a charger stands to a wish."""

    FITS = "fits"
    DIFFERS = "does not fit"
    NOT_KNOWN = "not known"
    NOT_OFFERED = "not offered"


class Absent(Enum):
    """What it means that a whole configuration has none of the keys."""

    IGNORE = "ignore"
    FITS = "fits"
    NOT_KNOWN = "not-known"
    NOT_OFFERED = "not-offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What must hold for an option; the fields are those of the file."""

    keys: tuple[str, ...]
    why: str
    equals: str | None = None
    differs: str | None = None
    least: float | None = None
    most: float | None = None
    contains: str | None = None
    set: str | None = None
    one_of: bool = False
    absent: Absent = Absent.NOT_KNOWN
    offers: bool = False
    by_hand: bool = False
    always: bool = False
    version: str = ""

    def holds(self, value: str) -> bool:
        """Say whether a value is what this needs."""
        text = value.strip()
        if self.equals is not None:
            return text.lower() == self.equals.lower()
        if self.differs is not None:
            return text.lower() != self.differs.lower()
        if self.contains is not None:
            return self.contains in _items(value)
        if not _NUMBER.match(value):
            return False
        low, high = self.least if self.least is not None else -LONGEST_WAIT, self.most or LONGEST_WAIT
        return low <= float(value) <= high

    def target(self, value: str) -> str | None:
        """Return what to write instead; ``None`` where that is not for us to say."""
        if self.contains is not None:
            return ",".join([*_items(value), self.contains])
        if self.set is not None or self.equals is not None:
            return self.set if self.set is not None else self.equals
        return None if self.least is None else f"{self.least:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer a site may wish for."""

    id: str
    title: str
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question a site asks, with its options."""

    id: str
    title: str
    help: str
    options: tuple[Option, ...]

    def option(self, option_id: str) -> Option:
        """Return an option by its id. Raises ValueRejected."""
        found = next((item for item in self.options if item.id == option_id), None)
        if found is None:
            ids = ", ".join(item.id for item in self.options)
            raise ValueRejected(f"“{option_id[:60]}” is no answer to “{self.title}”.", f"Choose one of: {ids}.")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: the setting, its value (empty = absent), what is needed, and the verdict on it."""

    verdict: Verdict
    key: str
    value: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The verdict on one wish. ``changes`` bring the charger to it; ``by_hand`` says what else a person must do."""

    question: Question
    option: Option
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    changes: tuple[Change, ...] = ()
    by_hand: tuple[str, ...] = ()


@functools.cache
def questions() -> tuple[Question, ...]:
    """Return all questions in their order. Raises ProfileError where the file breaks the rules."""
    return parse(resources.path("checks", "wishes.toml").read_text("utf-8"))


def question(question_id: str) -> Question:
    """Return a question by its id. Raises ValueRejected."""
    found = next((item for item in questions() if item.id == question_id), None)
    if found is None:
        ids = ", ".join(item.id for item in questions())
        raise ValueRejected(f"There is no question “{question_id[:60]}”.", f"Ask one of: {ids}.")
    return found


def judge(dump: Dump, asked: Question, option: Option) -> Answer:
    """Judge one wish."""
    # Some chargers spell the standard's names their own way (ABL: HeartBeatInterval, evcc#7458).
    entries, whole = {entry.key.lower(): entry for entry in dump.entries}, is_whole(dump)
    found = [
        _Judged.of(need, entries, dump, is_whole=whole) for need in option.needs if need.version in ("", dump.version)
    ]
    verdicts = [item.verdict for item in found if item.verdict is not None]
    order = (Verdict.NOT_OFFERED, Verdict.DIFFERS, Verdict.NOT_KNOWN, Verdict.FITS)
    verdict = next((item for item in order if item in verdicts), Verdict.NOT_KNOWN)
    changes = [change for item in found for change in item.changes] if verdict is Verdict.DIFFERS else []
    return Answer(
        question=asked,
        option=option,
        verdict=verdict,
        reasons=tuple(reason for item in found for reason in item.reasons),
        changes=tuple(replace(change, order=place) for place, change in enumerate(_each_once(changes))),
        by_hand=tuple(item.by_hand for item in found if item.by_hand),
    )


def present(dump: Dump, asked: Question) -> tuple[Option, ...]:
    """Return the options a charger fits as it is."""
    return tuple(option for option in asked.options if judge(dump, asked, option).verdict is Verdict.FITS)


def judge_all(dump: Dump, wanted: Mapping[str, str]) -> tuple[Answer, ...]:
    """Judge several wishes, question id → option id, in the order of the questions. Raises ValueRejected."""
    for question_id in wanted:
        question(question_id)
    return tuple(judge(dump, item, item.option(wanted[item.id])) for item in questions() if item.id in wanted)


def all_changes(answers: Iterable[Answer]) -> tuple[Change, ...]:
    """Return what would have to be set for all wishes, each setting once."""
    return tuple(_each_once(change for answer in answers for change in answer.changes))


def contradiction(dump: Dump, answers: Sequence[Answer]) -> str:
    """Return the setting about which two wishes contradict each other; empty = none do.

    All changes together must leave every wish fulfilled that is fulfilled or can be.
    """
    changes = all_changes(answers)
    after = {change.key: change.after for change in changes}
    entries = tuple(replace(entry, value=after.get(entry.key, entry.value)) for entry in dump.entries)
    changed = replace(dump, entries=entries)
    for answer in answers:
        is_hoped = answer.verdict is Verdict.FITS or (answer.verdict is Verdict.DIFFERS and not answer.by_hand)
        then = judge(changed, answer.question, answer.option)
        if is_hoped and then.verdict is not Verdict.FITS:
            odd = (reason.key for reason in then.reasons if reason.verdict is not Verdict.FITS and reason.key in after)
            return next(odd, answer.question.title)
    return ""


@dataclass(slots=True)
class _Judged:
    verdict: Verdict | None
    reasons: tuple[Reason, ...] = ()
    changes: tuple[Change, ...] = ()
    by_hand: str = ""

    @classmethod
    def of(cls, need: Need, entries: Mapping[str, Entry], dump: Dump, *, is_whole: bool) -> _Judged:
        if need.always:
            return cls(Verdict.FITS, (_reason(need, Verdict.FITS, "", ""),))
        told = [entries[key.lower()] for key in need.keys if key.lower() in entries]
        if not told:
            return cls._absent(need, dump, is_whole=is_whole)
        fitting = [item for item in told if item.value is not None and need.holds(item.value)]
        if len(fitting) == len(told) or (need.one_of and fitting):
            return cls(Verdict.FITS, tuple(_reason(need, Verdict.FITS, item.key, item.value or "") for item in fitting))
        wrong = [item for item in told if item not in fitting]
        if all(item.value is None for item in wrong):
            return cls(Verdict.NOT_KNOWN, tuple(_reason(need, Verdict.NOT_KNOWN, item.key, "") for item in wrong))
        return cls._differing(need, [item for item in wrong if item.value is not None])

    @classmethod
    def _absent(cls, need: Need, dump: Dump, *, is_whole: bool) -> _Judged:
        if need.absent is Absent.IGNORE:
            return cls(None)
        is_sure = is_whole or set(need.keys) <= set(dump.unknown)
        verdicts = {Absent.FITS: Verdict.FITS, Absent.NOT_OFFERED: Verdict.NOT_OFFERED}
        verdict = verdicts.get(need.absent, Verdict.NOT_KNOWN) if is_sure else Verdict.NOT_KNOWN
        return cls(verdict, (_reason(need, verdict, _name(need.keys, dump.version), ""),))

    @classmethod
    def _differing(cls, need: Need, wrong: list[Entry]) -> _Judged:
        verdict = Verdict.NOT_OFFERED if need.offers else Verdict.DIFFERS
        reasons = tuple(_reason(need, verdict, item.key, item.value or "") for item in wrong)
        if need.offers:
            return cls(verdict, reasons)
        if need.by_hand:
            return cls(verdict, reasons, (), need.why)
        changes = list(_changes(need, wrong))
        stuck = [item.key for item in wrong if item.is_readonly]
        note = f"{', '.join(stuck)}: the charger lets nobody change it over OCPP." if stuck and not changes else ""
        if stuck and not need.one_of:
            note = f"{', '.join(stuck)}: the charger lets nobody change it over OCPP."
        return cls(verdict, reasons, tuple(changes), note)


def _changes(need: Need, wrong: Iterable[Entry]) -> Iterator[Change]:
    for item in wrong:
        after = need.target(item.value or "")
        if item.is_readonly or after is None:
            continue
        yield Change(key=item.key, before=item.value, after=after, reason=need.why)
        if need.one_of:
            return


def _each_once(changes: Iterable[Change]) -> Iterator[Change]:
    told: set[str] = set()
    for change in changes:
        if change.key not in told:
            told.add(change.key)
            yield change


def _reason(need: Need, verdict: Verdict, key: str, value: str) -> Reason:
    return Reason(verdict=verdict, key=key, value=value[:200], text=need.why)


def _name(keys: tuple[str, ...], version: str) -> str:
    """Name the settings of this version that are absent."""
    own = [key for key in keys if ("." in key) is (version != "1.6")]
    return ", ".join(own or keys)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


# The file


def parse(text: str) -> tuple[Question, ...]:
    """Read questions, strictly. Raises ProfileError."""
    try:
        table = tomllib.loads(text)
        found = tuple(_question(dict(item)) for item in table.pop("questions"))
        _must_be_empty(table)
        return found
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"checks/wishes.toml: {error!r}", "Correct the file; its head lists all keys.") from error


def _question(table: dict[str, Any]) -> Question:
    options = tuple(_option(dict(item)) for item in table.pop("options"))
    found = Question(id=table.pop("id"), title=table.pop("title"), help=table.pop("help", ""), options=options)
    _must_be_empty(table)
    return found


def _option(table: dict[str, Any]) -> Option:
    needs = tuple(_need(dict(item)) for item in table.pop("needs"))
    found = Option(id=table.pop("id"), title=table.pop("title"), needs=needs)
    _must_be_empty(table)
    if not needs:
        raise ValueError(f"{found.id}: an option needs something")
    return found


def _need(table: dict[str, Any]) -> Need:
    keys, absent = tuple(table.pop("keys")), Absent(table.pop("absent", "not-known"))
    found = Need(keys=keys, absent=absent, **table)
    conditions = (found.equals, found.differs, found.contains, found.least, found.most)
    is_told = any(item is not None for item in conditions)
    if found.always is is_told or found.always is bool(keys) or not found.why:
        raise ValueError(f"{keys}: a need has keys, a condition and a why")
    return found


def _must_be_empty(table: Mapping[str, Any]) -> None:
    if table:
        raise ValueError(f"unknown key “{sorted(table)[0]}”")

"""``rehome explain``: a saved configuration, explained key by key, checked against the site's wishes, and moved."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app import resources
from app.commands import OK, UNPROVED, USAGE
from app.commands.console import Console, visible
from app.commands.work import add_backend, backend_of, password_of, problems_of
from app.diagnosis import dump, explained, wishes
from app.diagnosis.dump import Dump
from app.diagnosis.explained import Explanation, Report
from app.diagnosis.wishes import Answer, Verdict
from app.driver.registry import load_profiles
from app.errors import Garbled, ValueRejected
from app.model.backend import Backend
from app.model.masking import is_secret_key
from app.model.profile import Profile
from app.model.setting import Change, Setting
from app.ocpp import repoint, repoint2

SHOWN = 100
"""Characters of a value in a terminal."""


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("file", type=Path, help="a saved configuration: JSON, OCPP frames, CSV, a table, key=value")
    parser.add_argument("--vendor", default="", help="the vendor in its BootNotification, where it is known")
    parser.add_argument("--brief", action="store_true", help="leave the settings out that hold nothing odd")
    parser.add_argument(
        "--wish", action="append", default=[], metavar="QUESTION=OPTION", help="check this; may be given several times"
    )
    parser.add_argument("--wishes", action="store_true", help="list all questions, and which options it fits as it is")
    add_backend(parser, required=False)
    parser.add_argument("--apn", default="", help="access point of its new SIM card")
    parser.add_argument("--apn-user", default="", help="user name for the access point")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Read, explain, judge, plan, print. Exit code 5: a wish is not fulfilled."""
    told = dump.read(_bytes(args.file))
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    report = explained.explain(told, profiles, vendor=args.vendor)
    answers = wishes.judge_all(told, _wanted(args.wish))
    changes: Sequence[Change] | None = None
    if args.url or args.apn:
        if not (args.url and args.identity):
            console.progress("A move needs --url and --identity.")
            return USAGE
        changes = _moved(args, told, report, profiles)
    facts, lines = facts_of(report), list(lines_of(report, is_brief=args.brief))
    if args.wishes:
        facts["questions"] = [_question_facts(told, item) for item in wishes.questions()]
        lines += ["", *(line for item in wishes.questions() for line in _question_lines(told, item))]
    if answers:
        facts["wishes"] = [answer_facts(answer) for answer in answers]
        lines += [line for answer in answers for line in ("", *answer_lines(answer))]
    if changes is not None:
        facts["changes"] = [_change_facts(change) for change in changes]
        lines += ["", "To move it, in this order:", *(f"  {line}" for line in change_lines(changes))]
    console.result(facts, "\n".join(lines))
    return OK if all(answer.verdict is Verdict.FITS for answer in answers) else UNPROVED


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(dump.SIZE_LIMIT + 1)
    except OSError as error:
        raise Garbled(f"{path.name} can't be read: {error.strerror or error}.", "Choose another file.") from error


def _wanted(pairs: Sequence[str]) -> dict[str, str]:
    wanted = {}
    for pair in pairs:
        question, sign, option = pair.partition("=")
        if not sign:
            raise ValueRejected(f"“{pair[:60]}” is no wish.", "Write it like offline=known; --wishes lists them all.")
        wishes.question(question).option(option)
        wanted[question] = option
    return wanted


def _moved(args: argparse.Namespace, told: Dump, report: Report, profiles: Sequence[Profile]) -> Sequence[Change]:
    secret = password_of(args)
    backend = backend_of(args, secret)
    blocking = [problem for problem in problems_of(backend) if problem.blocks]
    if blocking:
        raise ValueRejected(blocking[0].message, "Correct the address, identity or password.")
    point = repoint.AccessPoint(name=args.apn, user=args.apn_user) if args.apn else None
    return planned(told, report, profiles, backend, point)


def planned(
    told: Dump,
    report: Report,
    profiles: Sequence[Profile],
    backend: Backend,
    point: repoint.AccessPoint | None = None,
) -> Sequence[Change]:
    """Render the changes that would move the charger of a dump. Raises ValueRejected, NotSupported."""
    settings = {entry.key: _setting(entry) for entry in told.entries}
    stack = report.recognition.stack
    profile = next((item for item in profiles if stack is not None and item.id == stack.profile), None)
    keys = profile.backend_keys if profile is not None else ()
    if told.version != "1.6":
        own = {key: setting for key, setting in settings.items() if key in {item.key for item in keys}}
        identity = (settings.get(repoint2.IDENTITY) or _NO_SETTING).value or backend.identity
        slots = repoint2.Target(identity=identity, version="2.0.1", settings=settings)
        if repoint2.can_repoint(slots):
            return repoint2.plan(slots, backend, point)
        settings = own
    names = [item.key for item in keys if item.holds == "identity" and item.key in settings]
    identity = next((text for name in names if (text := settings[name].value)), backend.identity)
    habit = profile.url if profile is not None else None
    target = repoint.Target(settings=settings, keys=keys, identity=identity, habit=habit)
    return repoint.plan(target, backend, point)


_NO_SETTING = Setting(key="", value=None)


def _setting(entry: dump.Entry) -> Setting:
    value = None if is_secret_key(entry.key) else entry.value
    return Setting(
        key=entry.key, value=value, is_readonly=entry.is_readonly is True, is_secret=is_secret_key(entry.key)
    )


# In a terminal


def lines_of(report: Report, *, is_brief: bool = False) -> Iterator[str]:
    """Lay a report out for a terminal."""
    yield from _head(report)
    for item in report.settings:
        if item.oddities or not is_brief:
            yield ""
            yield from (visible(line).replace("\n", "\\n") for line in _setting_lines(item))
    if report.missing:
        yield ""
        names = ", ".join(item.key for item in report.missing)
        part = "" if report.is_whole else " (this looks like a part only)"
        yield f"Required by the standard and not told{part}: {names}"
    if report.unknown_there:
        yield visible(f"Unknown to the charger: {', '.join(report.unknown_there[:50])}")


def _head(report: Report) -> Iterator[str]:
    stack, candidates = report.recognition.stack, report.recognition.candidates
    if stack is not None:
        proofs = ", ".join(candidates[0].proofs[:5]) or "the vendor in its Boot"
        yield visible(f"{stack.name}, by {proofs}")
    elif candidates:
        yield "Which stack this is can't be told for sure. It may be:"
        for item in candidates[:5]:
            yield visible(f"  {item.stack.name}, by {', '.join(item.proofs[:5]) or 'its vendor'}")
    else:
        yield "An unknown stack: no key of it is one that we know of a vendor."
    yield visible(report.address_words)
    yield f"{len(report.settings)} settings, OCPP {report.version}" + (
        " (cut: there are more)" if report.is_cut else ""
    )


def _setting_lines(item: Explanation) -> Iterator[str]:
    value = "not told" if item.shown is None else item.shown[:SHOWN]
    access = f" [{item.told}]" if item.told else ""
    yield f"{item.key} = {value}{f' {item.unit}' if item.unit and item.shown else ''}{access}"
    yield f"    {f'{item.label}: ' if item.label else ''}{item.meaning}"
    if item.danger:
        yield f"    careful: {item.danger}"
    for text in item.oddities:
        yield f"    odd: {text}"


def answer_lines(answer: Answer) -> Iterator[str]:
    """Lay a verdict out for a terminal."""
    yield visible(f"{answer.question.title} “{answer.option.title}”: {answer.verdict.value}")
    for reason in answer.reasons:
        value = f" = {reason.value}" if reason.value else " is not told"
        needed = f"{reason.key}{value}; needed: {reason.text}" if reason.key else reason.text
        yield visible(f"  {needed} ({reason.verdict.value})")
    for change in answer.changes:
        yield visible(f"  set {change.key}: {change.before} → {change.after}")
    yield from (visible(f"  by hand: {text}") for text in answer.by_hand)


def _question_lines(told: Dump, question: wishes.Question) -> Iterator[str]:
    fitting = {option.id for option in wishes.present(told, question)}
    yield f"{question.title}"
    for option in question.options:
        yield f"  {'*' if option.id in fitting else ' '} {question.id}={option.id}: {option.title}"


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """List changes in their order; secrets are masked."""
    for number, change in enumerate(changes, start=1):
        before, after = change.shown()
        yield visible(f"{number}. {change.key}: {before or '(empty)'} → {after or '(empty)'}   {change.reason}")
        if change.is_one_way:
            yield "   This can't be undone."


# As JSON


def facts_of(report: Report) -> dict[str, Any]:
    """Lay a report out as JSON."""
    stack = report.recognition.stack
    return {
        "ocpp": report.version,
        "stack": stack.id if stack is not None else None,
        "profile": stack.profile if stack is not None else None,
        "candidates": [
            {"stack": item.stack.id, "name": item.stack.name, "weight": item.weight, "proofs": item.proofs}
            for item in report.recognition.candidates
        ],
        "is_tie": report.recognition.is_tie,
        "address": report.address_words,
        "addresses": report.addresses,
        "is_whole": report.is_whole,
        "is_cut": report.is_cut,
        "settings": report.settings,
        "missing": [item.key for item in report.missing],
        "unknown_to_the_charger": report.unknown_there,
    }


def answer_facts(answer: Answer) -> dict[str, Any]:
    """Lay a verdict out as JSON."""
    return {
        "question": answer.question.id,
        "option": answer.option.id,
        "verdict": answer.verdict,
        "reasons": answer.reasons,
        "changes": [_change_facts(change) for change in answer.changes],
        "by_hand": answer.by_hand,
    }


def _question_facts(told: Dump, question: wishes.Question) -> dict[str, Any]:
    return {
        "question": question.id,
        "title": question.title,
        "options": {option.id: option.title for option in question.options},
        "fits_now": [option.id for option in wishes.present(told, question)],
    }


def _change_facts(change: Change) -> dict[str, Any]:
    before, after = change.shown()
    return {
        "key": change.key,
        "before": before,
        "after": after,
        "order": change.order,
        "needs_restart": change.needs_restart,
        "is_one_way": change.is_one_way,
        "reason": change.reason,
    }

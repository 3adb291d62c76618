"""``rehome trace``: write the recorded traffic to a file, convert one, say what one is, check one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from app.commands import NOTHING, OK, UNPROVED
from app.commands.bench import workbench
from app.commands.console import Console, visible
from app.errors import AppError
from app.model.trace import Seal, TraceFormat, TraceInfo
from app.trace.desk import program_start
from app.trace.exporting import Exported, export, format_of
from app.trace.merging import Selection
from app.trace.recording import Recording, Told

FORMATS = {kind.value: kind for kind in TraceFormat}


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("action", choices=("export", "import", "verify", "info"), help="what to do")
    parser.add_argument("file", type=Path, help="the trace file to write (export) or to read")
    parser.add_argument("--to", type=Path, help="import: write what was read to this file (its name says the format)")
    parser.add_argument("--format", choices=FORMATS, help="format to write, whatever the file's name")
    parser.add_argument("--identity", default="", help="only this charger")
    parser.add_argument("--since", type=moment, help="only from this time on (ISO 8601)")
    parser.add_argument("--until", type=moment, help="only up to this time (ISO 8601)")
    parser.add_argument("--hash", default="", help="verify: the last hash the trace must have")


def moment(text: str) -> datetime:
    """Read a time; without a zone it is this computer's."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"“{text}” is no time such as 2026-03-01T14:00") from error


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do it."""
    if args.action == "export":
        return await _export(args, console)
    if args.action == "import":
        return await _import(args, console)
    return await _look(args, console)


def _selection(args: argparse.Namespace) -> Selection:
    return Selection(identity=args.identity, since=args.since, until=args.until)


def _kind(args: argparse.Namespace, path: Path) -> TraceFormat:
    return FORMATS[args.format] if args.format else format_of(path)


def _telling(console: Console, word: str) -> Told:
    last = -1

    def told(count: int, part: float) -> None:
        nonlocal last
        if (tenth := int(part * 10)) > last:
            last = tenth
            console.progress(f"{word}: {count:,} frames, {part:.0%}")

    return told


async def _export(args: argparse.Namespace, console: Console) -> int:
    async with workbench(args, listens=False, searches=False) as bench:
        done = await bench.traces.export(
            args.file, _kind(args, args.file), _selection(args), told=_telling(console, "written")
        )
    return _told_export(done, console)


def _told_export(done: Exported, console: Console) -> int:
    text = f"{done.frames:,} frames and {done.records:,} records written to {done.path}"
    if done.left_out:
        text += f"\n{done.left_out:,} frames left out: the format has no form for them"
    if done.hash:
        text += f"\nlast hash {done.hash}"
    console.result(
        {
            "path": str(done.path),
            "format": done.format,
            "frames": done.frames,
            "records": done.records,
            "left_out": done.left_out,
            "hash": done.hash,
        },
        text,
    )
    return OK if done.frames or done.records else NOTHING


async def _import(args: argparse.Namespace, console: Console) -> int:
    """Read any trace and, with ``--to``, write it in another format. The recorded traffic is not touched."""
    recording = await Recording.load(args.file, _telling(console, "read"))
    try:
        if args.to is None:
            return _told_info(recording.info, console)
        done = await export(
            args.to,
            _kind(args, args.to),
            _selection(args),
            traffic=recording.traffic,
            evidence=recording.evidence,
            start=program_start(adapter=recording.info.adapter),
            told=_telling(console, "written"),
        )
    finally:
        recording.close()
    return _told_export(done, console)


async def _look(args: argparse.Namespace, console: Console) -> int:
    recording = await Recording.load(args.file, _telling(console, "read"))
    recording.close()
    info = recording.info
    if args.action == "info":
        return _told_info(info, console)
    if info.seal is Seal.NONE:
        raise AppError(
            f"{info.name} can't be verified: {info.dialect} has no hash chain.",
            "Only traces that Rehome wrote (.rehome-trace) can be verified.",
        )
    is_other = bool(args.hash) and args.hash.lower() != info.hash
    console.result({**_facts(info), "is_sound": info.is_sound and not is_other}, _verdict(info, is_other=is_other))
    return OK if info.is_sound and not is_other else UNPROVED


def _verdict(info: TraceInfo, *, is_other: bool) -> str:
    if is_other:
        return visible(f"{info.name} is another trace: its last hash is {info.hash}.")
    if info.is_sound:
        return f"whole and unchanged: {info.lines:,} lines, last hash {info.hash}"
    return "\n".join(["not as it was written:", *_flaws(info)])


def _flaws(info: TraceInfo) -> list[str]:
    lines = [f"  line {flaw.line}: {flaw.text}" for flaw in info.flaws]
    if info.flaw_count > len(info.flaws):
        lines.append(f"  … and {info.flaw_count - len(info.flaws)} more")
    return [visible(line) for line in [*lines, *([f"  {info.cut}"] if info.cut else [])]]


def _told_info(info: TraceInfo, console: Console) -> int:
    rows = [
        ("file", info.name),
        ("format", info.dialect),
        ("written by", info.program),
        ("adapter", info.adapter),
        ("clock", info.clock),
        ("frames", f"{info.frames:,}"),
        ("beside them", ", ".join(f"{count} {kind}" for kind, count in sorted(info.records.items()))),
        ("chargers", ", ".join(info.identities[:20])),
        ("from", f"{info.first_at:%Y-%m-%d %H:%M:%S} UTC" if info.first_at else ""),
        ("until", f"{info.last_at:%Y-%m-%d %H:%M:%S} UTC" if info.last_at else ""),
        ("hash chain", info.seal.value),
        ("not understood", f"{info.unread:,} of {info.lines:,} lines" if info.unread else ""),
    ]
    lines = [visible(f"{name:<15} {value}") for name, value in rows if value]
    console.result(_facts(info), "\n".join([*lines, *_flaws(info)[:20]]))
    return OK if info.frames or info.records else NOTHING


def _facts(info: TraceInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "format": info.format,
        "dialect": info.dialect,
        "program": info.program,
        "adapter": info.adapter,
        "clock": info.clock,
        "frames": info.frames,
        "records": info.records,
        "identities": info.identities,
        "first_at": info.first_at,
        "last_at": info.last_at,
        "hash_chain": info.seal,
        "hash": info.hash,
        "lines": info.lines,
        "unread": info.unread,
        "flaws": [{"line": flaw.line, "text": flaw.text} for flaw in info.flaws],
        "flaw_count": info.flaw_count,
        "cut": info.cut,
    }

"""``rehome diagnose``: run the live detectors over a trace or a log file."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.commands import NOTHING, OK, UNPROVED
from app.commands.console import Console, visible
from app.diagnosis.catalogue import explain
from app.model.finding import Severity
from app.trace.judging import Found, Judgement, judge
from app.trace.recording import Recording, Told


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("file", type=Path, help="a trace of Rehome's, OCPP Trace JSONL, or a backend's log")
    parser.add_argument("--identity", default="", help="only this charger")
    parser.add_argument("--brief", action="store_true", help="one line for each finding")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Read, judge, tell. Exit code 0: nothing wrong, 5: faults or warnings, 3: nothing to judge."""
    recording = await Recording.load(args.file, _telling(console, "read"))
    try:
        info = recording.info
        judgement = await judge(recording, identity=args.identity, told=_telling(console, "judged"))
    finally:
        recording.close()
    if info.flaw_count or info.cut:
        console.progress(f"{info.name}: {info.cut or info.flaws[0].text}")
    lines = [_words(found, is_brief=args.brief) for found in judgement.findings]
    head = f"{info.name}: {info.dialect}, {info.frames:,} frames, {len(info.identities)} chargers"
    verdict = "nothing is wrong as far as it tells" if not lines else f"{len(lines)} findings"
    console.result(_facts(judgement, info.name, info.dialect), "\n".join([f"{visible(head)}: {verdict}", *lines]))
    if not info.frames and not info.records:
        return NOTHING
    return UNPROVED if any(found.finding.severity is not Severity.INFO for found in judgement.findings) else OK


def _telling(console: Console, word: str) -> Told:
    last = 0

    def told(count: int, part: float) -> None:
        nonlocal last
        if (tenth := int(part * 10)) > last:
            last = tenth
            console.progress(f"{word}: {count:,}, {part:.0%}")

    return told


def _words(found: Found, *, is_brief: bool) -> str:
    finding = found.finding
    words = explain(finding)
    place = f" frame {found.seq}" if found.seq else ""
    head = f"{found.at:%Y-%m-%d %H:%M:%S} {found.identity or '-'}{place}  {finding.severity.value} {finding.code}"
    if is_brief:
        return visible(f"{head}  {words.title}").replace("\n", " ")
    proof = "; ".join(f"{item.label}: {item.text[:300]}" for item in finding.evidence)
    parts = [
        head,
        f"    {words.title}",
        f"    why: {words.cause or words.symptom}",
        f"    do: {words.remedy}",
        f"    proof: {proof}" if proof else "",
    ]
    return "\n".join(visible(part).replace("\n", " ") for part in parts if part)


def _facts(judgement: Judgement, name: str, dialect: str) -> dict[str, object]:
    return {
        "name": name,
        "format": dialect,
        "codes": judgement.codes,
        "is_cut": judgement.is_cut,
        "findings": [
            {
                "at": found.at,
                "identity": found.identity,
                "frame": found.seq,
                "code": found.finding.code,
                "severity": found.finding.severity,
                "evidence": found.finding.evidence,
                "text": explain(found.finding).title,
                "remedy": explain(found.finding).remedy,
            }
            for found in judgement.findings
        ],
    }

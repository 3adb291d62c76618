"""``rehome label``: codes read from photos, or typed by a barcode reader, matched to the site."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.commands import NOTHING, OK, UNDECIDED
from app.commands.bench import workbench
from app.commands.console import Console, visible
from app.errors import UnreadablePhoto
from app.labels.label import TEXT_LIMIT, parse
from app.labels.matching import Match, Target, Verdict, match
from app.labels.photos import load
from app.labels.reading import Code, read

LINE_LIMIT = 10_000
"""Lines of standard input that are read."""


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="photos (JPEG, PNG, WebP, BMP, GIF); - reads one label per line from standard input",
    )
    parser.add_argument("--text", action="append", default=[], help="a label's text itself; may be given again")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Read, match, print. Exit code 4 where somebody has to look, 3 where no charger was named at all."""
    results: list[Result] = []
    async with workbench(args, listens=False, searches=False) as bench:
        async for source, code in _codes(args, console):
            label = parse(code.text, is_article=code.is_article)
            results.append(Result(source, code, match(label, bench.settings.listed, bench.finder.units.values())))
    console.result([item.value() for item in results], "\n\n".join(item.text() for item in results) or "No code found.")
    verdicts = {item.match.verdict for item in results}
    if verdicts & {Verdict.ALIKE, Verdict.TWICE}:
        return UNDECIDED
    return OK if Verdict.EXACT in verdicts else NOTHING


async def _codes(args: argparse.Namespace, console: Console) -> AsyncIterator[tuple[str, Code]]:
    """Yield every code with its source; a photo that can't be read is said, the others go on."""
    for text in args.text:
        yield "--text", Code(text=text[:TEXT_LIMIT], symbology="typed")
    for name in args.files or ([] if args.text else ["-"]):
        if name == "-":
            for line in await asyncio.to_thread(_lines):
                yield "-", Code(text=line, symbology="typed")
            continue
        try:
            found = await asyncio.to_thread(read, await load(Path(name)))
        except UnreadablePhoto as error:
            console.trouble(error, is_final=False)
            continue
        if not found:
            console.progress(f"{name}: no code found.")
        for code in found:
            yield name, code


def _lines() -> list[str]:
    found: list[str] = []
    while len(found) < LINE_LIMIT and (line := sys.stdin.buffer.readline(TEXT_LIMIT)):
        if text := line.decode("utf-8", "replace").strip():
            found.append(text)
    return found


@dataclass(frozen=True, slots=True)
class Result:
    """One code and what came of it."""

    source: str
    code: Code
    match: Match

    def value(self) -> dict[str, Any]:
        """Return what stands in the JSON; the code's own text is masked where it holds a secret."""
        label = self.match.label
        return {
            "source": self.source,
            "symbology": self.code.symbology,
            "corners": self.code.corners,
            "text": label.shown,
            "kind": label.kind,
            "serial": label.serial,
            "mac": label.mac,
            "identity": label.identity,
            "url": label.url,
            "secrets": [name for name, _ in label.secrets],
            "verdict": self.match.verdict,
            "name": self.match.name,
            "targets": [_target(item) for item in self.match.targets],
            "alike": [
                {"scanned": item.scanned, "stands": item.stands, **_target(item.target)} for item in self.match.alike
            ],
        }

    def text(self) -> str:
        """Lay the result out for a terminal."""
        lines = [f"{self.source}: {self.code.symbology}", f"  says     {visible(self.match.label.shown)}"]
        lines += [f"  holds    {name} (not shown)" for name, _ in self.match.label.secrets]
        lines.append(f"  verdict  {WORDS[self.match.verdict]}")
        lines += [f"  charger  {_words(item)}" for item in self.match.targets]
        lines += [f"  alike    “{visible(item.scanned)}” is not “{visible(item.stands)}”" for item in self.match.alike]
        return "\n".join(lines)


WORDS = {
    Verdict.EXACT: "found",
    Verdict.ALIKE: "STOP: it only looks like one of the site; compare letter by letter",
    Verdict.TWICE: "STOP: more than one charger goes by this",
    Verdict.UNKNOWN: "not on the list, and not found",
    Verdict.NAMELESS: "names no charger",
}


def _target(target: Target) -> dict[str, Any]:
    row, unit = target.row, target.unit
    return {
        "title": target.title,
        "listed": {"serial": row.serial, "identity": row.identity, "backend": row.backend} if row else None,
        "unit": unit.unit_id if unit else None,
    }


def _words(target: Target) -> str:
    parts: Iterable[str] = (
        target.title,
        f"listed as {target.row.identity or target.row.serial}" if target.row else "not on the list",
        f"known as {target.unit.unit_id}" if target.unit else "not seen yet",
    )
    return visible(", ".join(parts))

"""``rehome report``: write a job's report, or list the jobs."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from app.commands import FAILED, NOTHING, OK
from app.commands.bench import workbench
from app.commands.console import Console, table
from app.commands.work import summary
from app.errors import StoreError
from app.report.build import Report
from app.report.text import html, json_text

PDF_LIMIT_S = 120.0


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("job", metavar="JOB", nargs="?", help="the job's id; without it all jobs are listed")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the files (default: here)")


async def run(args: argparse.Namespace, console: Console) -> int:
    """List, or write HTML, PDF and JSON."""
    async with workbench(args, listens=False, searches=False) as bench:
        if args.job is None:
            jobs = sorted(bench.desk.jobs.values(), key=lambda job: job.created_at)
            rows = [(job.id, job.unit_title, job.state.value, f"{job.created_at:%Y-%m-%d %H:%M}") for job in jobs]
            console.result([summary(job) for job in jobs], table(("JOB", "CHARGER", "STATE", "STARTED"), rows))
            return OK if jobs else NOTHING
        report = bench.report(args.job)
    files = await write(report, args.out, f"rehome-{args.job}")
    console.result({kind: str(path) for kind, path in files.items()}, "\n".join(str(path) for path in files.values()))
    return OK if "pdf" in files else FAILED


async def write(report: Report, folder: Path, stem: str) -> dict[str, Path]:
    """Write ``stem``.html, .json and .pdf into a folder and return their paths. Raises StoreError."""
    files = {"html": folder / f"{stem}.html", "json": folder / f"{stem}.json", "pdf": folder / f"{stem}.pdf"}
    try:
        _write_texts(report, folder, files)
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch) / "report.html"
            source.write_text(html(report, for_print=True), encoding="utf-8")
            await _print(source, files["pdf"], stem)
    except OSError as error:
        raise StoreError(
            f"The report can't be written: {error.strerror or error}.", f"Check room and rights of {folder}."
        ) from error
    return files


def _write_texts(report: Report, folder: Path, files: dict[str, Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files["html"].write_text(html(report), encoding="utf-8")
    files["json"].write_text(json_text(report), encoding="utf-8")


async def _print(source: Path, target: Path, title: str) -> None:
    """Let the desktop program draw the PDF: the core knows no Qt."""
    if getattr(sys, "frozen", False):
        twin = Path(sys.executable).with_name("rehome-gui" + Path(sys.executable).suffix)
        words = [str(twin), "--print", str(source), str(target), title]
    else:
        words = [sys.executable, "-m", "ui.printing", str(source), str(target), title]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PDF_LIMIT_S):
            _, told = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        reason = told.decode(errors="replace").strip().splitlines()
        raise StoreError(
            f"The PDF could not be made: {reason[0] if reason else f'exit code {process.returncode}'}.",
            "The HTML report is there; open it in a browser and print it.",
        )

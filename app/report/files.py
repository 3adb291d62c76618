"""Write a report's files. The PDF is drawn by the desktop program in a process of its own: the core knows no Qt."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from app import programs
from app.errors import StoreError
from app.report.build import Report
from app.report.text import html, json_text

PDF_LIMIT_S = 120.0
"""The longest a PDF may take; a 45-page one takes 1.5 s (measured)."""


async def write(report: Report, folder: Path, stem: str) -> dict[str, Path]:
    """Write ``stem``.html, .json and .pdf into a folder and return their paths by kind. Raises StoreError."""
    files = {kind: folder / f"{stem}.{kind}" for kind in ("html", "json", "pdf")}
    try:
        _write_texts(report, folder, files)
        await write_pdf(html(report, for_print=True), files["pdf"], stem)
    except OSError as error:
        raise StoreError(
            f"The report can't be written: {error.strerror or error}.", f"Check room and rights of {folder}."
        ) from error
    return files


async def write_pdf(print_html: str, path: Path, title: str) -> None:
    """Turn HTML that is plain enough for Qt into a PDF. Raises StoreError and OSError."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        source = Path(scratch) / "report.html"
        source.write_text(print_html, encoding="utf-8")
        await _print(source, path, title)


def _write_texts(report: Report, folder: Path, files: dict[str, Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files["html"].write_text(html(report), encoding="utf-8")
    files["json"].write_text(json_text(report), encoding="utf-8")


def _printer() -> list[str]:
    if getattr(sys, "frozen", False):
        return [str(Path(sys.executable).with_name("rehome-print" + Path(sys.executable).suffix))]
    return [sys.executable, "-m", "ui.printing"]


async def _print(source: Path, target: Path, title: str) -> None:
    try:
        ended = await programs.run(*_printer(), str(source), str(target), title, timeout_s=PDF_LIMIT_S)
    except TimeoutError as error:
        raise _not_printed(f"it took longer than {PDF_LIMIT_S:.0f} s") from error
    if ended.code != 0:
        reason = ended.errors.decode(errors="replace").strip().splitlines()
        raise _not_printed(reason[0] if reason else f"exit code {ended.code}")


def _not_printed(why: str) -> StoreError:
    return StoreError(
        f"The PDF could not be made: {why}.", "The HTML report is there; open it in a browser and print it."
    )

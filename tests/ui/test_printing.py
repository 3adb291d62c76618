from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import StoreError
from ui.printing import main, write_pdf

ROWS = "".join(f"<tr><td>key {number}</td><td>value</td></tr>" for number in range(120))
REPORT = f"<h1>Report</h1><table width='100%'><thead><tr><th>Key</th><th>Value</th></tr></thead>{ROWS}</table>"


def test_a_long_report_gets_pages(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    pages = write_pdf(REPORT, target, title="Job 12")
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert pages >= 3
    assert content.count(b"/Type /Page\n") == pages
    assert [file.name for file in tmp_path.iterdir()] == ["report.pdf"]
    assert target.stat().st_mode & 0o044 == source_mode(tmp_path) & 0o044


def source_mode(folder: Path) -> int:
    """Return the rights a new file gets here."""
    probe = folder / "probe"
    probe.touch()
    return probe.stat().st_mode


def test_an_unwritable_place_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(StoreError, match="can't be written"):
        write_pdf(REPORT, blocked / "report.pdf")
    assert blocked.read_text() == "x"


def test_the_program_prints_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "in.html", tmp_path / "out.pdf"
    source.write_text(REPORT, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "ui.printing", str(source), str(target)], capture_output=True, text=True, timeout=50
    )
    assert ran.returncode == 0, ran.stderr
    assert target.read_bytes().startswith(b"%PDF-")


def test_the_program_says_what_it_can_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.html"), str(tmp_path / "out.pdf")]) == 1
    assert "none.html" in capsys.readouterr().err
    assert main([]) == 2

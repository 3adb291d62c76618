"""The recipe of docs/adding-a-charger.md stays as short as it says: its example is held to its size."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "app" / "drivers" / "tesla.py"
PROFILE = ROOT / "resources" / "profiles" / "tesla.toml"
SUBJECT = "Read Tesla Wall Connectors: a family added by the recipe"


@pytest.mark.parametrize(("file", "limit"), [(DRIVER, 60), (PROFILE, 40)])
def test_a_family_fits_in_few_lines(file: Path, limit: int) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) < limit


def test_the_document_names_the_example() -> None:
    text = (ROOT / "docs" / "adding-a-charger.md").read_text(encoding="utf-8")
    assert SUBJECT in " ".join(text.split())
    assert "app/drivers/tesla.py" in text


def test_the_commit_added_a_driver_and_a_simulator_to_the_program_and_nothing_else() -> None:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("an unpacked archive has no history")
    command = ["git", "log", "--fixed-strings", f"--grep={SUBJECT}", "--name-status", "--format="]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    changed = dict(reversed(line.split("\t")) for line in done.stdout.splitlines() if "\t" in line)
    if not changed:
        pytest.skip("a shallow clone has not that commit")
    assert {path for path in changed if path.startswith("app/")} == {"app/drivers/tesla.py", "app/sim/tesla.py"}
    assert set(changed.values()) == {"A"}

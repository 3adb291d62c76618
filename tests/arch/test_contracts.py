"""The import contracts hold, and each of them sees a violation planted against it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

PLANTS = {
    "layers": {"app/model/planted.py": "import app.workbench\n"},
    "no-qt-in-core": {"app/links/planted.py": "import PySide6.QtCore\n"},
    "drivers-independent": {
        "app/drivers/planted_one.py": "",
        "app/drivers/planted_two.py": "import app.drivers.planted_one\n",
    },
    "face-does-no-io": {"ui/planted.py": "import socket\n"},
    "pure": {"app/diagnosis/planted.py": "import asyncio\n"},
    "sim-at-the-edge": {"app/jobs/planted.py": "import app.sim\n"},
}
"""Contract → files that break it."""

SAID = {
    "layers": "app.model.planted -> app.workbench",
    "no-qt-in-core": "app.links.planted -> PySide6",
    "drivers-independent": "app.drivers.planted_two -> app.drivers.planted_one",
    "face-does-no-io": "ui.planted -> socket",
    "pure": "app.diagnosis.planted -> asyncio",
    "sim-at-the-edge": "app.jobs.planted -> app.sim",
}
"""Contract → what the linter must say about its plant."""


def lint(folder: Path) -> tuple[int, str]:
    code = "from importlinter.cli import lint_imports_command as lint; lint()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=50)
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def copy_to(folder: Path) -> Path:
    for name in ("app", "ui"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = copy_to(tmp_path_factory.mktemp("planted"))
    for files in PLANTS.values():
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    code, output = lint(folder)
    assert code != 0
    return output


def test_the_contracts_hold() -> None:
    code, output = lint(ROOT)
    assert code == 0, output


def test_every_contract_has_a_plant() -> None:
    assert {contract["id"] for contract in CONTRACTS} == PLANTS.keys()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_a_violation_is_seen(planted: str, contract: dict[str, object]) -> None:
    assert f"{contract['name']} BROKEN" in planted
    assert SAID[str(contract["id"])] in planted


def test_a_module_without_a_place_is_seen(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    (folder / "app" / "stranger.py").write_text("", encoding="utf-8")
    code, output = lint(folder)
    assert code != 0
    assert "stranger" in output

"""Libraries that only some chargers need are imported when the first of these is met, not when the program starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.commands.drivers import LATE

ROOT = Path(__file__).resolve().parents[2]

START = """
import sys
import app.drivers, app.workbench
from app.driver.registry import load_drivers
load_drivers(app.drivers)
print(*sys.modules)
"""


def test_the_workbench_and_all_drivers_load_without_them() -> None:
    done = subprocess.run([sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert "app" in imported
    assert not {name.partition(".")[0] for name in LATE} & imported

"""The program as a process: what it imports before the first paint, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 30
END_LIMIT_S = 5.0

ALLOWED_APP = {"app", "app.errors", "app.model", "app.model.listening", "app.resources", "app.settings"}
ALLOWED_UI = {
    "ui",
    "ui.guard",
    "ui.i18n",
    "ui.icons",
    "ui.theme",
    "ui.window",
    "ui.pages",
    "ui.pages.catalogue",
    "ui.widgets",
    "ui.models",
    "ui.models.plain",
    "ui.widgets.banner",
    "ui.widgets.chip",
    "ui.widgets.empty",
    "ui.widgets.rail",
    "ui.widgets.skeleton",
    "ui.widgets.topbar",
}
ALLOWED_QT = {"PySide6.QtCore", "PySide6.QtGui", "PySide6.QtWidgets", "PySide6.QtSvg"}
HEAVY = {
    "asyncio",
    "qasync",
    "ssl",
    "sqlite3",
    "zeroconf",
    "aiohttp",
    "websockets",
    "ocpp",
    "numpy",
    "pyqtgraph",
    "serial",
}


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "REHOME_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-m", "ui.main", *arguments]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=pipe, stderr=pipe))
        return started[-1]

    yield go
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_only_qt_and_the_shell_are_imported_before_the_first_paint(start: Start) -> None:
    process = start("--print-import-report")
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    names = set(out.split())
    assert "ui.window" in names
    assert {name for name in names if name.partition(".")[0] == "app"} <= ALLOWED_APP
    assert {name for name in names if name.partition(".")[0] == "ui"} <= ALLOWED_UI
    assert {name for name in names if name.startswith("PySide6.Qt")} <= ALLOWED_QT
    assert not {name.partition(".")[0] for name in names} & HEAVY


def test_help_and_version_need_no_window(start: Start) -> None:
    for argument, word in (("--help", "--demo"), ("--version", "Rehome")):
        process = start(argument)
        out, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert word in out


def test_a_wrong_argument_is_refused(start: Start) -> None:
    process = start("--nonsense")
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "--nonsense" in err


def wait_for_log(home: Path, process: subprocess.Popen[str], text: str) -> None:
    path = home / "log" / "rehome.log"
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if path.exists() and text in path.read_text():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError(f"{text!r} never stood in the log")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_in_order(start: Start, home: Path, number: signal.Signals) -> None:
    process = start()
    wait_for_log(home, process, "the window is open")
    asked = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_S)
    assert time.monotonic() - asked < END_LIMIT_S
    assert process.returncode == 0, err
    assert not err.strip()
    log = (home / "log" / "rehome.log").read_text()
    assert "the window is closed" in log
    assert "ERROR" not in log
    assert not list(home.glob("*-wal"))


def test_smoke_opens_every_page_and_ends(start: Start, home: Path) -> None:
    process = start("--smoke")
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "ERROR" not in (home / "log" / "rehome.log").read_text()

"""Window tests run on the desktop's own loop (fixture ``face``); the headless ones stay on plain asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from tests.e2e.kit import Visit, visit
from ui.loop import QtLoop, new_loop
from ui.theme import theme


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    return ["rehome"]


@pytest.fixture
def qloop(qapp: QApplication) -> Iterator[QtLoop]:
    """Give a fresh loop of the desktop's own kind; the root conftest runs coroutine tests on it."""
    qapp.setQuitOnLastWindowClosed(False)
    theme().choose("light")
    loop = new_loop(qapp)
    asyncio.set_event_loop(loop)
    yield loop
    for window in QApplication.topLevelWidgets():
        window.close()
        window.deleteLater()
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def visiting(
    qloop: QtLoop, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractAsyncContextManager[Visit]]:
    """Return a function that opens the program: ``async with visiting() as visit``."""

    def open_program(**options: Any) -> AbstractAsyncContextManager[Visit]:
        return visit(home, monkeypatch, **options)

    return open_program

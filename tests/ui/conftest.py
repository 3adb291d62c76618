"""How tests of the face run: offscreen, on a fresh loop of our own factory, and no error may reach the sink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from app.errors import AppError
from ui import doors
from ui.loop import QtLoop, new_loop
from ui.theme import theme


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    return ["rehome"]


@pytest.fixture(autouse=True)
def qloop(qapp: QApplication) -> Iterator[QtLoop]:
    """Give a fresh loop of the desktop's own kind; the root conftest runs coroutine tests on it."""
    qapp.setQuitOnLastWindowClosed(False)
    loop = new_loop(qapp)
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(autouse=True)
def look(qapp: QApplication) -> Iterator[None]:
    """Start every test in the light look."""
    theme().choose("light")
    yield
    for window in QApplication.topLevelWidgets():
        window.close()
        window.deleteLater()


class Problems:
    """What reached the sink: ``errors`` (AppErrors) and ``crashes`` (bugs). Allow what a test provokes."""

    def __init__(self) -> None:
        self.errors: list[AppError] = []
        self.crashes: list[doors.Crash] = []
        self.is_expected = False

    def expect(self) -> Problems:
        self.is_expected = True
        return self


@pytest.fixture(autouse=True)
def problems(qapp: QApplication, allowed_log: Callable[[str], None]) -> Iterator[Problems]:
    """Fail a test when an error reached the sink, unless it called ``problems.expect()``."""
    found = Problems()
    sink = doors.Sink()
    sink.problem.connect(lambda error, where: found.errors.append(error))
    sink.crashed.connect(found.crashes.append)
    doors._state.sink = sink
    yield found
    doors._state.sink = None
    sink.deleteLater()
    if not found.is_expected:
        texts = [error.message for error in found.errors] + [crash.details for crash in found.crashes]
        assert not texts, "errors reached the sink:\n" + "\n".join(texts)


@pytest.fixture
def open_bench(home: Path) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """Return a function that opens a real Workbench without discovery: ``async with open_bench() as bench``."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Any]:
        from app.settings import Settings
        from app.workbench import Workbench

        settings = options.pop("settings", Settings(endpoint_on=False))
        options.setdefault("with_discovery", False)
        options.setdefault("is_demo", True)
        async with Workbench(settings, home=home, **options) as bench:
            yield bench

    return opened


@pytest.fixture
def bench(qloop: QtLoop, open_bench: Callable[..., AbstractAsyncContextManager[Any]]) -> Iterator[Any]:
    """Give an open Workbench: real parts, no discovery, the endpoint off, secrets in memory, data in ``home``."""
    context = open_bench()
    opened = qloop.run_until_complete(context.__aenter__())
    yield opened
    qloop.run_until_complete(context.__aexit__(None, None, None))

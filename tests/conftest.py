"""How tests run: coroutines on a fresh loop, nothing left behind, no unexpected warning in the log.

``async def`` tests run on a plain asyncio loop; below ``tests/ui`` and ``tests/e2e`` on the desktop's own Qt loop.
A test that provokes log records of level WARNING or above says so with the ``allowed_log`` fixture.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.ports import free_port

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how fast a busy machine draws and runs examples is nobody's behaviour

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")
os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell, we would have every program under test ignore Ctrl-C, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

TIME_UNIT_S = 0.05
"""The one constant all times in tests are multiples of."""

TEST_LIMIT_S = 50.0
"""No coroutine test runs longer, unless its ``timeout`` mark says more."""
LEFT_S = 10.0


@pytest.fixture
def unit_s() -> float:
    """Give the one time constant of the tests."""
    return TIME_UNIT_S


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own data folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("REHOME_HOME", str(folder))
    return folder


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.allowed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def unexpected(self) -> list[str]:
        texts = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in self.records]
        return [text for text in texts if not any(part in text for part in self.allowed)]


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[_Collector]:
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    yield collector
    root.removeHandler(collector)
    assert not collector.unexpected(), "unexpected log records"


@pytest.fixture
def allowed_log(_quiet_log: _Collector) -> Callable[[str], None]:
    """Return a function that allows log records containing a text."""
    return _quiet_log.allowed.append


@pytest.fixture(autouse=True)
def _no_socket_left() -> Iterator[None]:
    before = _open_sockets()
    yield
    left = _open_sockets() - before
    if left:
        gc.collect()
        left = _open_sockets() - before
    assert not left, f"sockets left open: {sorted(left)}"


def _open_sockets() -> set[str]:
    """List this process's sockets (Linux; elsewhere ResourceWarning as error does the work)."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return set()
    found = set()
    for entry in folder.iterdir():
        try:
            target = os.readlink(entry)  # noqa: PTH115
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """Return a port where nobody listens, and nobody will."""
    return free_port()


def _loop_for(item: Any) -> tuple[asyncio.AbstractEventLoop, bool]:
    if "qloop" in item.fixturenames:
        return item._request.getfixturevalue("qloop"), False
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop, True


def _is_owned(task: asyncio.Task[Any], item: Any) -> bool:
    """Say whether a fixture that opened the Workbench will end this task when it closes it."""
    return "bench" in item.fixturenames and task.get_name().startswith("workbench/")


def _limit_s(item: Any) -> float:
    """Return how long a coroutine test may take: a moment less than its ``timeout`` mark, which kills without a word."""
    mark = item.get_closest_marker("timeout")
    return max(TEST_LIMIT_S, mark.args[0] - LEFT_S) if mark is not None and mark.args else TEST_LIMIT_S


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Run coroutine tests to their end and fail those that leave a task or an unseen exception."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop, own = _loop_for(pyfuncitem)
    args = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    unseen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    left: list[asyncio.Task[Any]] = []

    async def go() -> None:
        try:
            async with asyncio.timeout(_limit_s(pyfuncitem)):
                await pyfuncitem.obj(**args)
        finally:
            others = {task for task in asyncio.all_tasks() if not _is_owned(task, pyfuncitem)}
            others.discard(asyncio.current_task())  # type: ignore[arg-type]
            if others:  # zeroconf keeps an announcement for a moment after closing
                await asyncio.wait(others, timeout=1)
            left.extend(task for task in others if not task.done())
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    try:
        loop.run_until_complete(go())
        if own:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        if own:
            asyncio.set_event_loop(None)
            loop.close()
    assert not left, f"tasks left running: {[task.get_name() for task in left]}"
    assert not unseen, f"exceptions nobody saw: {unseen}"
    return True

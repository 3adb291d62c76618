"""Every way an error can come out leads to the sink; the log is kept and tells of the last crash."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, QTimer, Signal, qWarning

from app.errors import NotReachable, Refused
from app.scope import Trouble
from ui import doors
from ui.logfile import LogFile


@pytest.fixture
def sink(qapp: Any, problems: Any, allowed_log: Callable[[str], None], qloop: Any) -> Iterator[doors.Sink]:
    allowed_log("bug in")
    found = doors.Sink()
    installed = doors.Doors(found)
    installed.watch(qloop)
    yield found
    installed.close()


LIMIT_S = 10


class Heard:
    def __init__(self, sink: doors.Sink) -> None:
        self.problems: list[str] = []
        self.crashes: list[str] = []
        sink.problem.connect(lambda error, _: self.problems.append(error.message))
        sink.crashed.connect(lambda crash: self.crashes.append(crash.summary))

    async def something(self) -> None:
        """Wait until anything was heard."""
        async with asyncio.timeout(LIMIT_S):
            while not self.problems and not self.crashes:  # noqa: ASYNC110  # Qt has no event to wait for
                await asyncio.sleep(0.005)


async def test_a_slot_that_fails(sink: doors.Sink) -> None:
    heard = Heard(sink)

    class Sender(QObject):
        sent = Signal()

    def slot() -> None:
        raise ValueError("in a slot")

    sender = Sender()
    sender.sent.connect(slot)
    sender.sent.emit()
    assert heard.crashes == ["ValueError: in a slot"]


async def test_an_app_error_in_a_slot_is_a_problem_with_advice(sink: doors.Sink) -> None:
    heard = Heard(sink)

    def slot() -> None:
        raise Refused("The charger said no.", "Ask it later.")

    QTimer.singleShot(0, slot)
    await heard.something()
    assert heard.problems == ["The charger said no."]
    assert not heard.crashes


async def test_a_callback_of_the_loop(sink: doors.Sink) -> None:
    heard = Heard(sink)
    loop = asyncio.get_running_loop()
    doors.Doors.watch(_Watcher(sink), loop)  # type: ignore[arg-type]  # the root conftest installed its own handler
    loop.call_soon(lambda: 1 / 0)
    await heard.something()
    assert heard.crashes == ["ZeroDivisionError: division by zero"]


class _Watcher:
    def __init__(self, sink: doors.Sink) -> None:
        self.sink = sink
        self._loops: list[Any] = []

    def _loop(self, loop: Any, context: dict[str, Any]) -> None:
        doors.Doors._loop(self, loop, context)  # type: ignore[arg-type]


async def test_isolated_work_of_a_scope(sink: doors.Sink) -> None:
    heard = Heard(sink)
    doors.trouble(Trouble(name="finder/mdns", error=NotReachable("No network.", "Plug in a cable.")))
    doors.trouble(Trouble(name="finder/mdns", error=ExceptionGroup("two", [KeyError("a"), NotReachable("b", "c")])))
    doors.trouble(Trouble(name="finder/mdns", error=asyncio.CancelledError()))
    assert heard.problems == ["No network.", "b"]
    assert heard.crashes == ["KeyError: 'a'"]


async def test_an_object_that_fails_while_it_is_released(sink: doors.Sink) -> None:
    heard = Heard(sink)

    class Bad:
        def __del__(self) -> None:
            raise OSError("too late")

    Bad()
    gc.collect()
    assert heard.crashes == ["OSError: too late"]


async def test_a_thread_that_fails(sink: doors.Sink) -> None:
    heard = Heard(sink)

    def work() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    await asyncio.to_thread(thread.join)
    await heard.something()
    assert heard.crashes == ["RuntimeError: in a thread"]


async def test_a_warning_of_qt_stands_in_the_log(sink: doors.Sink, caplog: Any, allowed_log: Any) -> None:
    allowed_log("something is odd")
    with caplog.at_level(logging.WARNING, "qt"):
        qWarning("something is odd")
        qWarning("This plugin does not support propagateSizeHints()")
    assert [record.getMessage() for record in caplog.records if record.name == "qt"] == ["something is odd"]


async def test_the_same_bug_is_shown_once_and_the_list_is_bounded(sink: doors.Sink) -> None:
    heard = Heard(sink)
    error = ValueError("again")
    for _ in range(5):
        sink.take(error, "timer")
    for number in range(100):
        sink.take(ValueError(str(number)), "timer")
    assert heard.crashes.count("ValueError: again") == 1
    assert len(sink.crashes) == doors.KEPT_CRASHES


async def test_ctrl_c_inside_a_callback_asks_to_end(sink: doors.Sink) -> None:
    asked: list[bool] = []
    sink.interrupted.connect(lambda: asked.append(True))
    sink.take(KeyboardInterrupt(), "timer")
    assert asked == [True]
    assert not sink.crashes


async def test_guarded_reports_and_goes_on(sink: doors.Sink) -> None:
    heard = Heard(sink)
    with doors.guarded("page site"):
        raise LookupError("broken page")
    assert heard.crashes == ["LookupError: broken page"]
    with pytest.raises(asyncio.CancelledError), doors.guarded("page site"):
        raise asyncio.CancelledError


def test_closing_the_doors_puts_the_old_hooks_back(qapp: Any) -> None:
    before = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    opened = doors.Doors(doors.Sink())
    assert sys.excepthook != before[0]
    opened.close()
    assert (sys.excepthook, sys.unraisablehook, threading.excepthook) == before


@pytest.fixture
def no_faulthandler() -> Iterator[None]:
    yield
    faulthandler.enable()


def test_the_log_is_written_and_closed(home: Path, no_faulthandler: None) -> None:
    log_file = LogFile(home)
    logging.getLogger("app.finder").info("found %s", "a charger")
    log_file.close()
    log_file.close()
    logging.getLogger("app.finder").info("not any more")
    text = (home / "log" / "rehome.log").read_text()
    assert "INFO app.finder: found a charger" in text
    assert "not any more" not in text


def test_a_crash_of_the_interpreter_is_told_at_the_next_start(home: Path, no_faulthandler: None) -> None:
    LogFile(home).close()
    (home / "log" / "crash.txt").write_text("Fatal Python error: Aborted\n")
    log_file = LogFile(home)
    log_file.close()
    assert log_file.last_crash == "Fatal Python error: Aborted"
    assert (home / "log" / "crash-previous.txt").read_text().strip() == "Fatal Python error: Aborted"
    again = LogFile(home)
    again.close()
    assert again.last_crash == ""

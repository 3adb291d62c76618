"""Where errors come out: every door leads to one sink, and the sink to a log file, a banner, or the crash page.

The doors: ``sys.excepthook`` (slots), the loop's exception handler (callbacks, lost tasks), ``Scope`` reports
(``trouble``), Qt's message handler, ``threading.excepthook`` and ``sys.unraisablehook``.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import sys
import threading
import traceback
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler
from shiboken6 import isValid

from app import __version__
from app.errors import AppError
from app.scope import Trouble

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

KEPT_CRASHES = 20
"""How many different bugs are kept for the crash page; a bug in a timer must not fill the memory."""

QT_NOISE = "This plugin does not support "
"""Said by the offscreen platform of sizes, raising and grabbing; it concerns nobody."""

_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A bug: where it came out, what it said, and the text support needs."""

    where: str
    summary: str
    details: str


class Sink(QObject):
    """The one place all errors reach. Listen to ``problem`` (an AppError and where) and ``crashed`` (a Crash)."""

    problem = Signal(object, str)
    crashed = Signal(object)
    interrupted = Signal()
    """Ctrl-C arrived inside a callback."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.crashes: list[Crash] = []
        self._seen: set[str] = set()

    def take(self, error: BaseException, where: str) -> None:
        """Log an error and show it to whoever listens."""
        if isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.interrupted.emit()
        elif isinstance(error, AppError):
            log.info("%s: %s (%s)", where, error.message, type(error).__name__)
            self.problem.emit(error, where)
        elif isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                self.take(part, where)
        else:
            self._bug(error, where)

    def _bug(self, error: BaseException, where: str) -> None:
        log.error("bug in %s", where, exc_info=error)
        crash = Crash(where=where, summary=f"{type(error).__name__}: {error}", details=_details(error, where))
        if crash.details in self._seen or len(self.crashes) >= KEPT_CRASHES:
            return
        self._seen.add(crash.details)
        self.crashes.append(crash)
        self.crashed.emit(crash)


def _details(error: BaseException, where: str) -> str:
    trace = "".join(traceback.format_exception(error))
    versions = f"Rehome {__version__}, Python {platform.python_version()}, PySide6 {pyside_version}"
    return f"{versions}, {platform.platform()}\nin {where}\n\n{trace}"


class Doors:
    """The hooks of this process while installed; ``close`` puts back what was there."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._old = (sys.excepthook, sys.unraisablehook, threading.excepthook)
        sys.excepthook = self._slot
        sys.unraisablehook = self._unraisable
        threading.excepthook = self._thread
        self._old_qt = qInstallMessageHandler(_qt_message)
        _state.sink = sink

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take what reaches a loop's exception handler."""
        loop.set_exception_handler(self._loop)
        self._loops.append(loop)

    def close(self) -> None:
        """Put the old hooks back."""
        sys.excepthook, sys.unraisablehook, threading.excepthook = self._old
        qInstallMessageHandler(self._old_qt)
        for loop in self._loops:
            loop.set_exception_handler(None)
        if _state.sink is self.sink:
            _state.sink = None

    def _slot(self, _kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.sink.take(error.with_traceback(trace), "slot")

    def _loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        where = str(context.get("message") or "event loop")
        error = context.get("exception")
        if error is None:
            log.error("event loop: %s", where)
        else:
            self.sink.take(error, where)

    def _unraisable(self, found: sys.UnraisableHookArgs) -> None:
        if found.exc_value is not None:
            self.sink.take(found.exc_value, found.err_msg or "while an object was released")

    def _thread(self, found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            loop = self._loops[-1] if self._loops else None
            name = found.thread.name if found.thread else "thread"
            if loop is not None and loop.is_running():
                loop.call_soon_threadsafe(self.sink.take, found.exc_value, name)
            else:
                log.error("bug in %s", name, exc_info=found.exc_value)


class _State:
    sink: Sink | None = None


_state = _State()


def report(error: BaseException, *, where: str) -> None:
    """Show an error to the technician: an AppError as a banner with its advice, anything else on the crash page."""
    if _state.sink is not None and is_alive(_state.sink):
        _state.sink.take(error, where)
    elif not isinstance(error, asyncio.CancelledError):
        log.error("%s: %s", where, error, exc_info=error)


def trouble(found: Trouble) -> None:
    """Take the report of a Scope about isolated work that failed."""
    report(found.error, where=found.name)


class guarded:  # noqa: N801  # reads as a word: with guarded("…"):
    """Let a part fail without taking the rest along: an Exception that escapes the block is reported."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        report(error, where=self._where)
        return True


def is_alive(thing: QObject) -> bool:
    """Say whether the C++ half of a QObject still exists."""
    return bool(isValid(thing))


def _qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    if text.startswith(QT_NOISE):
        return
    qt_log.log(_QT_LEVELS.get(kind, logging.WARNING), "%s", text)

"""Serial ports: one reader thread per open port, invisible above this file.

A blocking read that takes whatever waits is the one form that behaves alike on Linux, macOS and Windows
(facts/measured.md part 8).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.errors import AppError, Busy, LinkLost, NotReachable, TimedOut
from app.links.http import reason
from app.model.address import SerialAddress

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.2
WRITE_TIMEOUT_S = 2.0
OPEN_LIMIT_S = 5.0
BACKLOG_LIMIT = 1_000_000
"""Bytes kept unread; of a flood the newest stay."""
READ_SIZE = 65_536


class Backlog:
    """Bytes that one thread puts in and another takes out. At most ``BACKLOG_LIMIT`` are kept: the newest."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._bytes)

    def put(self, data: bytes) -> bool:
        """Add bytes; say whether there were none, so that whoever waits for some must be woken."""
        with self._lock:
            was_empty = not self._bytes
            self._bytes += data
            del self._bytes[:-BACKLOG_LIMIT]
        return was_empty

    def take(self) -> bytes:
        """Remove and return the oldest bytes, at most ``READ_SIZE``; empty: there are none."""
        with self._lock:
            data = bytes(self._bytes[:READ_SIZE])
            del self._bytes[:READ_SIZE]
        return data


class SerialLine:
    """An open serial port as a byte stream.

    States::

        open ──close | unplugged──► closed
    """

    def __init__(self, address: SerialAddress, port: Any) -> None:
        self._address = address
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._unread = Backlog()
        self._news = asyncio.Event()
        self._trouble = ""
        self._closing = threading.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"write {address}")
        self._reader = threading.Thread(target=self._pump, name=f"read {address}", daemon=True)
        self._reader.start()

    @classmethod
    async def open(cls, address: SerialAddress, *, is_ready: bool = False) -> SerialLine:
        """Open the port for us alone; raises NotReachable or Busy, with advice fitting this system."""
        opener = ThreadPoolExecutor(1, thread_name_prefix=f"open {address}")
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                port = await asyncio.get_running_loop().run_in_executor(opener, _open_port, address, is_ready)
        except TimeoutError as error:
            raise Busy(
                f"{address} did not open within {OPEN_LIMIT_S:.0f} s.", "Unplug the adapter and plug it in again."
            ) from error
        finally:
            opener.shutdown(wait=False)
        return cls(address, port)

    async def write(self, data: bytes) -> None:
        """Send bytes; raises LinkLost, also when the port takes nothing."""
        import serial

        self._check()
        try:
            await self._loop.run_in_executor(self._writer, self._port.write, data)
        except (serial.SerialException, OSError, TypeError) as error:
            self._lost(error)
            raise self._gone() from error

    async def read(self, *, timeout_s: float) -> bytes:
        """Return what arrived, at least one byte; raises TimedOut or LinkLost."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (data := self._unread.take()):
                    self._check()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise TimedOut(
                f"{self._address} sent nothing for {timeout_s:g} s.", "Check cable, baud rate and the unit's power."
            ) from error
        return data

    async def close(self) -> None:
        """Close the port and end its threads. Idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._trouble = self._trouble or "closed"
        self._news.set()
        closer = ThreadPoolExecutor(1, thread_name_prefix=f"close {self._address}")
        try:
            await self._loop.run_in_executor(closer, self._shut)
        finally:
            closer.shutdown(wait=False)
            self._writer.shutdown(wait=False)

    def _shut(self) -> None:
        with suppress(AttributeError, OSError):
            self._port.cancel_read()
        self._reader.join(READ_TIMEOUT_S * 5)
        with suppress(AttributeError, OSError):
            # pyserial's socket:// port does not close a socket that its peer has reset
            self._port._socket.close()
        with suppress(OSError):
            self._port.close()

    def _check(self) -> None:
        if self._trouble:
            raise self._gone()

    def _gone(self) -> LinkLost:
        return LinkLost(
            f"{self._address}: the port is closed ({self._trouble}).", "Plug the cable in and open it again."
        )

    def _pump(self) -> None:
        import serial

        port = self._port
        try:
            while not self._closing.is_set():
                data = port.read(min(max(1, port.in_waiting), READ_SIZE))
                if data and self._unread.put(data):
                    self._tell(self._news.set)
        except (serial.SerialException, OSError, TypeError) as error:
            # pyserial raises TypeError when the port is closed under a read
            self._tell(self._lost, error)

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _lost(self, error: Exception) -> None:
        log.info("%s: %s", self._address, error)
        self._trouble = self._trouble or "the adapter was unplugged, or failed"
        self._news.set()


def _open_port(address: SerialAddress, is_ready: bool = False) -> Any:
    import serial

    try:
        port = serial.serial_for_url(address.port, do_not_open=True)
        port.baudrate = address.baud
        port.timeout = READ_TIMEOUT_S
        port.write_timeout = WRITE_TIMEOUT_S
        if "://" not in address.port:
            # asserting DTR would reset an Arduino-like controller on opening; a modem may wait for both
            port.dtr = is_ready
            port.rts = is_ready
            port.exclusive = True
        port.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise _why_not(address, error) from error
    return port


def _why_not(address: SerialAddress, error: Exception) -> AppError:
    code = getattr(error, "errno", None)
    text = str(error).lower()
    denied = code in (errno.EACCES, errno.EPERM) or "permissionerror" in text or "access is denied" in text
    if "exclusively lock" in text or code == errno.EBUSY or (denied and sys.platform == "win32"):
        return Busy(
            f"{address} is in use by another program.",
            "Close the terminal or vendor tool that holds it, then try again.",
        )
    if denied:
        return Busy(f"This user may not open {address}.", _permission_advice(address.port))
    return NotReachable(
        f"{address} can't be opened ({reason(error)}).", "Plug the cable in, then choose the port from the list again."
    )


def _permission_advice(port: str) -> str:
    group = "dialout"
    if sys.platform != "win32":
        import grp

        with suppress(OSError, KeyError):
            group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    user = os.environ.get("USER", "$USER")
    return f"Run “sudo usermod -aG {group} {user}”, then log out and in again."

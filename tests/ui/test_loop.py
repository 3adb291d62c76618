"""The loop: asyncio's promises kept inside Qt's loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import pytest
import qasync
from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal
from PySide6.QtWidgets import QLabel

from ui.guard import TooNewQt, check_versions
from ui.loop import PRUNE_ABOVE, QtLoop, new_loop

LIMIT_S = 10


def test_private_names_of_qasync_are_still_there(qloop: QtLoop) -> None:
    assert isinstance(qloop, qasync.QSelectorEventLoop)
    assert callable(qasync._fileno)
    assert isinstance(qloop._read_notifiers, dict)
    assert isinstance(qloop._write_notifiers, dict)
    for name in ("_add_reader", "_remove_reader", "_add_writer", "_remove_writer"):
        assert callable(getattr(qasync._QEventLoop, name))
    assert "call_soon" in vars(qasync._QEventLoop)


@pytest.mark.parametrize(
    ("pyside", "python", "is_refused"),
    [
        ((6, 12, 0), (3, 11), True),
        ((6, 12, 1), (3, 10), True),
        ((6, 12, 0), (3, 12), False),
        ((6, 11, 3), (3, 11), False),
    ],
)
def test_refuses_the_qt_that_aborts(pyside: Any, python: Any, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(TooNewQt, match=r"3\.12 or newer"):
            check_versions(pyside, python)
    else:
        check_versions(pyside, python)


def test_qt_calls_lose_no_reference_to_none(qapp: Any) -> None:
    class Sender(QObject):
        sent = Signal(bool)

    label = QLabel()
    sender = Sender()
    before_none, before_true = sys.getrefcount(None), sys.getrefcount(True)
    for number in range(1000):
        label.setText(str(number))
        label.parentWidget()
        sender.sent.emit(True)
    assert abs(sys.getrefcount(None) - before_none) < 200
    assert abs(sys.getrefcount(True) - before_true) < 200


async def test_runs_on_our_loop(qloop: QtLoop) -> None:
    assert asyncio.get_running_loop() is qloop


@pytest.mark.parametrize("delay_s", [0.0005, 0.0017, 0.0103, 0.0484])
async def test_timers_are_never_early(delay_s: float) -> None:
    for _ in range(4):
        start = time.monotonic()
        await asyncio.sleep(delay_s)
        assert time.monotonic() - start >= delay_s


async def test_call_later_tells_when(qloop: QtLoop) -> None:
    before = qloop.time()
    handle = qloop.call_later(5, print)
    assert 5 <= handle.when() - before < 5.5
    handle.cancel()
    zero = qloop.call_later(0, lambda: None)
    assert zero.when() >= before


async def test_call_soon_keeps_order_and_context(qloop: QtLoop) -> None:
    seen: list[object] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    for number in range(50):
        qloop.call_soon(seen.append, number)
    qloop.call_soon(lambda: seen.append(variable.get()), context=context)
    await asyncio.sleep(0.01)
    assert seen == [*range(50), "inside"]


async def test_timers_fire_in_the_order_of_their_times(qloop: QtLoop) -> None:
    seen: list[int] = []
    for delay in (30, 10, 20, 5, 15):
        qloop.call_later(delay / 1000, seen.append, delay)
    await asyncio.sleep(0.06)
    assert seen == [5, 10, 15, 20, 30]


async def test_cancelled_timers_do_not_pile_up(qloop: QtLoop) -> None:
    for _ in range(20 * PRUNE_ABOVE):
        qloop.call_later(60, print).cancel()
    assert len(qloop._heap) <= 2 * PRUNE_ABOVE + 2


async def test_a_cancelled_timer_never_runs(qloop: QtLoop) -> None:
    seen: list[str] = []
    first = qloop.call_later(0.005, seen.append, "first")
    qloop.call_later(0.01, seen.append, "second")
    first.cancel()
    await asyncio.sleep(0.03)
    assert seen == ["second"]


async def test_a_busy_loop_lets_qt_timers_through(qloop: QtLoop) -> None:
    ticks: list[float] = []
    timer = QTimer()
    timer.setInterval(1)
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start()
    end = time.monotonic() + 0.1
    while time.monotonic() < end:  # noqa: ASYNC110  # the busy loop is the point
        await asyncio.sleep(0)
    timer.stop()
    assert len(ticks) > 10


async def test_timeout_task_group_and_threads() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.001, number)) for number in range(5)]
    assert [task.result() for task in tasks] == [0, 1, 2, 3, 4]
    assert await asyncio.to_thread(os.getpid) == os.getpid()


async def test_call_soon_threadsafe_from_a_thread(qloop: QtLoop) -> None:
    called = asyncio.Event()

    def work() -> None:
        qloop.call_soon_threadsafe(called.set)

    await asyncio.to_thread(work)
    await asyncio.wait_for(called.wait(), LIMIT_S)


async def test_readers_and_writers(qloop: QtLoop) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    got: list[bytes] = []
    writable = asyncio.Event()
    arrived = asyncio.Event()

    def read() -> None:
        got.append(ours.recv(100))
        arrived.set()

    qloop.add_reader(ours, read)
    qloop.add_writer(theirs, writable.set)
    await asyncio.wait_for(writable.wait(), LIMIT_S)
    assert qloop.remove_writer(theirs)
    assert not qloop.remove_writer(theirs)
    theirs.send(b"one")
    await asyncio.wait_for(arrived.wait(), LIMIT_S)
    arrived.clear()
    theirs.send(b"two")
    await asyncio.wait_for(arrived.wait(), LIMIT_S)
    assert qloop.remove_reader(ours)
    theirs.send(b"three")
    await asyncio.sleep(0.02)
    assert got == [b"one", b"two"]
    ours.close()
    theirs.close()


async def test_replacing_a_reader_silences_the_old_one(qloop: QtLoop) -> None:
    ours, theirs = socket.socketpair()
    old: list[int] = []
    new = asyncio.Event()
    qloop.add_reader(ours, old.append, 1)
    qloop.add_reader(ours, new.set)
    theirs.send(b"x")
    await asyncio.wait_for(new.wait(), LIMIT_S)
    qloop.remove_reader(ours)
    assert old == []
    ours.close()
    theirs.close()


async def test_streams_carry_a_megabyte() -> None:
    payload = os.urandom(1 << 20)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(len(payload)))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(payload)
        assert await asyncio.wait_for(reader.readexactly(len(payload)), LIMIT_S) == payload
        writer.close()
        await writer.wait_closed()


async def test_datagrams(qloop: QtLoop) -> None:
    class Catcher(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.got: asyncio.Future[bytes] = qloop.create_future()

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.got.set_result(data)

    receiver, catcher = await qloop.create_datagram_endpoint(Catcher, local_addr=("127.0.0.1", 0))
    sender, _ = await qloop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=receiver.get_extra_info("sockname")
    )
    sender.sendto(b"hello")
    assert await asyncio.wait_for(catcher.got, LIMIT_S) == b"hello"
    sender.close()
    receiver.close()
    await asyncio.sleep(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for a loop")
async def test_signals_arrive(qloop: QtLoop) -> None:
    arrived = asyncio.Event()
    qloop.add_signal_handler(signal.SIGUSR1, arrived.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(arrived.wait(), LIMIT_S)
    qloop.remove_signal_handler(signal.SIGUSR1)


@pytest.mark.skipif(sys.platform == "win32", reason="the selector loop has no subprocesses on Windows")
async def test_subprocess_with_pipes() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input()[::-1])", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(b"abc\n"), LIMIT_S)
    assert out.strip() == b"cba"


async def test_a_failing_callback_reaches_the_exception_handler(qloop: QtLoop) -> None:
    seen: list[dict[str, Any]] = []
    qloop.set_exception_handler(lambda _, context: seen.append(context))
    qloop.call_soon(lambda: 1 / 0)
    qloop.call_later(0.001, lambda: 1 / 0)
    await asyncio.sleep(0.02)
    assert [type(context["exception"]) for context in seen] == [ZeroDivisionError] * 2


def test_a_closed_loop_takes_nothing(qapp: Any, qloop: QtLoop) -> None:
    other = new_loop(qapp)
    other.close()
    with pytest.raises(RuntimeError):
        other.call_soon(print)
    with pytest.raises(RuntimeError):
        other.call_later(1, print)
    other.close()
    asyncio.set_event_loop(qloop)


def test_turning_qt_alone_runs_nothing_of_ours(qapp: Any, qloop: QtLoop) -> None:
    seen: list[str] = []
    qloop.call_soon(seen.append, "soon")
    qloop.call_later(0.001, seen.append, "later")
    time.sleep(0.01)
    qapp.processEvents()
    assert seen == []
    qloop.run_until_complete(asyncio.sleep(0.01))
    assert seen == ["soon", "later"]


def test_what_a_thread_sends_after_the_end_is_dropped(qapp: Any, qloop: QtLoop) -> None:
    other = new_loop(qapp)
    seen: list[int] = []
    thread = threading.Thread(target=other.call_soon_threadsafe, args=(seen.append, 1))
    thread.start()
    thread.join()
    other.close()
    qapp.processEvents()
    assert seen == []
    with pytest.raises(RuntimeError):
        other.call_soon_threadsafe(seen.append, 2)
    asyncio.set_event_loop(qloop)


async def test_threadsafe_callbacks_keep_their_order_and_context(qloop: QtLoop) -> None:
    seen: list[object] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    done = asyncio.Event()

    def work() -> None:
        for number in range(100):
            qloop.call_soon_threadsafe(seen.append, number)
        qloop.call_soon_threadsafe(lambda: seen.append(variable.get()), context=context)
        qloop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=work)
    thread.start()
    await asyncio.wait_for(done.wait(), LIMIT_S)
    thread.join()
    assert seen == [*range(100), "inside"]


async def test_a_qt_loop_inside_a_callback_pauses_the_others_and_breaks_nothing(qloop: QtLoop) -> None:
    order: list[str] = []

    async def nests() -> None:
        inner = QEventLoop()
        QTimer.singleShot(30, inner.quit)
        qloop.call_soon(order.append, "other")
        inner.exec()
        order.append("nested ended")

    await nests()
    await asyncio.sleep(0)
    assert order == ["nested ended", "other"]

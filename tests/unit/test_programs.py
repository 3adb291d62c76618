"""Other programs are run to their end, in time, or not left behind."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from app import programs

ENDLESS = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)"


def python(code: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *words)


async def is_gone(program: socket.socket) -> bool:
    """Say whether a program that once called has hung up, as a killed one does."""
    with program:
        program.setblocking(False)
        async with asyncio.timeout(10):
            try:
                return await asyncio.get_running_loop().sock_recv(program, 1) == b""
            except ConnectionResetError:
                return True


async def called(server: socket.socket) -> socket.socket:
    server.setblocking(False)
    async with asyncio.timeout(20):
        return (await asyncio.get_running_loop().sock_accept(server))[0]


async def test_output_errors_and_code_come_back():
    code = "import sys; print('said'); print('complained', file=sys.stderr); sys.exit(3)"
    ended = await programs.run(*python(code), timeout_s=20)
    assert (ended.code, ended.output.strip(), ended.errors.strip()) == (3, b"said", b"complained")


async def test_a_program_that_is_not_there_is_an_os_error():
    with pytest.raises(OSError):
        await programs.run("there-is-no-such-program-here", timeout_s=1)


async def test_a_program_that_takes_too_long_is_killed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(TimeoutError):
            await programs.run(*python(ENDLESS, str(server.getsockname()[1])), timeout_s=2.0)
        assert await is_gone(await called(server))


async def test_a_program_ends_with_the_task_that_wanted_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with asyncio.TaskGroup() as group:
            call = python(ENDLESS, str(server.getsockname()[1]))
            task = group.create_task(programs.run(*call, timeout_s=600))
            program = await called(server)
            task.cancel()
        assert task.cancelled()
        assert await is_gone(program)

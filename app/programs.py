"""Run another program and wait for it: the same way on every system and every event loop.

asyncio's own subprocesses need a Proactor loop on Windows, which the desktop program's loop need not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass

REAP_S = 2.0
"""How long a killed program may take to be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that ended by itself."""

    code: int
    output: bytes
    errors: bytes


async def run(*command: str, timeout_s: float) -> Ended:
    """Run a program without a window; raises OSError where it can't start, TimeoutError where it takes too long.

    A program that is not finished by then, or when the caller is cancelled, is killed.
    """
    process = subprocess.Popen(  # noqa: ASYNC220 - it returns once the program is started
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    try:
        return await asyncio.to_thread(_finish, process, timeout_s)
    finally:
        if process.poll() is None:
            process.kill()


def _finish(process: subprocess.Popen[bytes], timeout_s: float) -> Ended:
    with process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=REAP_S)
            raise TimeoutError(f"{process.args!r} took longer than {timeout_s:g} s") from error
    return Ended(code=process.returncode, output=output, errors=errors)

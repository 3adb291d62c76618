"""Say why a port can't be opened: who has it, if the system tells, and which one is free."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import sys
from pathlib import Path

from app import programs
from app.errors import PortInUse, ServerError

TRIES = 50
"""Ports tried for a suggestion, upwards from the wanted one."""
LOOK_S = 2.0
"""How long netstat or lsof may take."""
OPEN_FILES = 16_384
"""Open files this program asks for: each charger holds one, and macOS starts programs with 256, Linux with 1,024."""
_ADDRESS_GONE = {errno.EADDRNOTAVAIL, getattr(errno, "WSAEADDRNOTAVAIL", errno.EADDRNOTAVAIL)}


async def explain(error: Exception, host: str, port: int) -> ServerError:
    """Turn a failed bind into words."""
    if not isinstance(error, OSError):
        return ServerError(f"{host}:{port} is not an address to listen on.", "Choose a port from 1 to 65535.")
    if error.errno == errno.EADDRINUSE:
        name = await owner(port)
        suggestion = free_port(host, port)
        by = f" by {name}" if name else ""
        offer = f" Port {suggestion} is free." if suggestion else ""
        return PortInUse(
            f"Port {port} is already used{by}.",
            f"Stop that program or choose another port.{offer}",
            port=port,
            owner=name,
            suggestion=suggestion,
        )
    if error.errno == errno.EACCES:
        return ServerError(f"The system does not allow port {port}.", "Choose a port above 1023.")
    if error.errno in _ADDRESS_GONE or isinstance(error, socket.gaierror):
        return ServerError(f"This computer has no address {host}.", "Choose a network adapter that is connected.")
    return ServerError(f"Port {port} can't be opened: {error.strerror or error}.", "Choose another port or adapter.")


def allow_many() -> int:
    """Raise the number of files this program may have open, as far as the system lets it; return it (0 = unknown)."""
    try:
        import resource
    except ImportError:  # Windows has no such limit for sockets
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if 0 <= soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_port(host: str, port: int) -> int:
    """Return the next free port above ``port``, or 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port + 1, min(port + TRIES, 65_536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, candidate))
                return candidate
    return 0


async def owner(port: int) -> str:
    """Name the program that listens on a TCP port, or return an empty text where the system does not tell."""
    ask = {"linux": _linux_owner, "win32": _windows_owner}.get(sys.platform, _unix_owner)
    return await ask(port)


async def _windows_owner(port: int) -> str:
    pid = _from_netstat(await _said("netstat", "-ano", "-p", "TCP"), port)
    return _from_tasklist(await _said("tasklist", "/FO", "CSV", "/NH"), pid)


async def _unix_owner(port: int) -> str:
    return _from_lsof(await _said("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"))


async def _linux_owner(port: int) -> str:
    return await asyncio.to_thread(_listener_of, port)


def _listener_of(port: int) -> str:
    wanted = _linux_inodes(port)
    if not wanted:
        return ""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            with contextlib.suppress(OSError):
                return f"{_name_of(process)} (process {process.name})"
    return ""


def _name_of(process: Path) -> str:
    """Return a process's name; any program may call itself anything."""
    text = (process / "comm").read_text(encoding="utf-8", errors="replace")[:40]
    return "".join(char for char in text if char.isprintable()).strip()


def _linux_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                parts = line.split()
                # 0A = TCP_LISTEN (include/net/tcp_states.h); the port stands in hex behind the colon.
                if parts[3] == "0A" and int(parts[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{parts[9]}]")
    return found


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        entries = list((process / "fd").iterdir())
    except OSError:
        return False
    for entry in entries:
        with contextlib.suppress(OSError):
            if str(entry.readlink()) in wanted:
                return True
    return False


def _from_netstat(text: str, port: int) -> str:
    # The state's name is translated; whoever listens has no peer.
    pattern = rf"^\s*TCP\s+\S+:{port}\s+(?:0\.0\.0\.0|\[::\]):0\s+\S+\s+(\d+)"
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else ""


def _from_tasklist(text: str, pid: str) -> str:
    match = re.search(rf'^"([^"]+)","{pid}"', text, re.MULTILINE) if pid else None
    return f"{match[1]} (process {pid})" if match else (f"process {pid}" if pid else "")


def _from_lsof(text: str) -> str:
    pid = re.search(r"^p(\d+)", text, re.MULTILINE)
    name = re.search(r"^c(.+)", text, re.MULTILINE)
    return f"{name[1]} (process {pid[1]})" if pid and name else ""


async def _said(*command: str) -> str:
    try:
        ended = await programs.run(*command, timeout_s=LOOK_S)
    except OSError:  # TimeoutError is one
        return ""
    return ended.output[:1_000_000].decode(errors="replace")

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
_ADDRESS_GONE = {errno.EADDRNOTAVAIL, getattr(errno, "WSAEADDRNOTAVAIL", errno.EADDRNOTAVAIL)}


async def explain(error: Exception, host: str, port: int, *, is_udp: bool = False) -> ServerError:
    """Turn a failed bind into words: of a TCP port, or of a UDP one."""
    if not isinstance(error, OSError):
        return ServerError(f"{host}:{port} is not an address to listen on.", "Choose a port from 1 to 65535.")
    if error.errno == errno.EADDRINUSE:
        name = await owner(port, is_udp=is_udp)
        suggestion = free_port(host, port, is_udp=is_udp)
        by = f" by {name}" if name else ""
        offer = f" Port {suggestion} is free." if suggestion else ""
        return PortInUse(
            f"{'UDP port' if is_udp else 'Port'} {port} is already used{by}.",
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


def free_port(host: str, port: int, *, is_udp: bool = False) -> int:
    """Return the next free port above ``port``, or 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM
    for candidate in range(port + 1, min(port + TRIES, 65_536)):
        with socket.socket(family, kind) as probe:
            if os.name == "posix" and not is_udp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, candidate))
                return candidate
    return 0


async def owner(port: int, *, is_udp: bool = False) -> str:
    """Name the program that listens on a port, or return an empty text where the system does not tell."""
    ask = {"linux": _linux_owner, "win32": _windows_owner}.get(sys.platform, _unix_owner)
    return await ask(port, is_udp)


async def _windows_owner(port: int, is_udp: bool) -> str:
    kind = "UDP" if is_udp else "TCP"
    pid = _from_netstat(await _said("netstat", "-ano", "-p", kind), port, is_udp=is_udp)
    return _from_tasklist(await _said("tasklist", "/FO", "CSV", "/NH"), pid)


async def _unix_owner(port: int, is_udp: bool) -> str:
    what = (f"-iUDP:{port}",) if is_udp else (f"-iTCP:{port}", "-sTCP:LISTEN")
    return _from_lsof(await _said("lsof", "-nP", *what, "-Fpc"))


async def _linux_owner(port: int, is_udp: bool) -> str:
    return await asyncio.to_thread(_listener_of, port, is_udp)


def _listener_of(port: int, is_udp: bool) -> str:
    wanted = _linux_inodes(port, is_udp)
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


def _linux_inodes(port: int, is_udp: bool) -> set[str]:
    found = set()
    # include/net/tcp_states.h: 0A = TCP_LISTEN; an unconnected UDP socket stands as 07 = TCP_CLOSE
    tables, state = (("udp", "udp6"), "07") if is_udp else (("tcp", "tcp6"), "0A")
    for table in tables:
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                parts = line.split()
                # the port stands in hex behind the colon
                if parts[3] == state and int(parts[1].rpartition(":")[2], 16) == port:
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


def _from_netstat(text: str, port: int, *, is_udp: bool = False) -> str:
    # The state's name is translated; whoever listens has no peer. UDP has no state.
    peer = r"\*:\*" if is_udp else r"(?:0\.0\.0\.0|\[::\]):0\s+\S+"
    pattern = rf"^\s*{'UDP' if is_udp else 'TCP'}\s+\S+:{port}\s+{peer}\s+(\d+)"
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

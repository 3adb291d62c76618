"""Dial our own port from a second socket, as a charger would, and say what is in the way (failures 23)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.model.observation import SelfTested

if TYPE_CHECKING:
    from app.ocpp.listener import Listener

LIMIT_S = 3.0
"""How long each step may take on our own computer [OURS]."""

FIREWALL = {
    "win32": "Windows: allow it with “netsh advfirewall firewall add rule name=Rehome dir=in action=allow protocol=TCP "
    "localport={port}” in an administrator's prompt, and set the network to “private”.",
    "darwin": "macOS: System Settings → Network → Firewall → allow incoming connections for Rehome; and Privacy & "
    "Security → Local Network.",
    "linux": "Linux: “sudo ufw allow {port}/tcp”, or “sudo firewall-cmd --add-port={port}/tcp”.",
}
"""How the port is let through, by ``sys.platform``."""


async def of(listener: Listener | None, address: str = "") -> SelfTested:
    """Test an open listener over one address; empty = the one it listens on."""
    if listener is None:
        problem = "The endpoint does not listen."
        return SelfTested(address=address, problem=problem, advice="Start it.", at=datetime.now(UTC))
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return await dial(address or everywhere.get(listener.host, listener.host), listener.port, listener.test_path)


async def dial(address: str, port: int, path: str) -> SelfTested:
    """Ask our own listener for its test path over an adapter's address."""
    problem = ""
    try:
        async with asyncio.timeout(LIMIT_S):
            problem = await _ask(address, port, path)
    except TimeoutError:
        problem = f"{address}:{port} did not answer within {LIMIT_S:.0f} s, not even this computer."
    except OSError as error:
        problem = f"{address}:{port} can't be reached from this computer: {error.strerror or error}."
    return SelfTested(
        address=f"{address}:{port}", problem=problem, advice=advice(port, bool(problem)), at=datetime.now(UTC)
    )


def advice(port: int, is_blocked: bool, platform: str = sys.platform) -> str:
    """Return what to do about a firewall; a passed test can't rule one out, because it stays within this computer."""
    how = FIREWALL.get(platform, FIREWALL["linux"]).format(port=port)
    if is_blocked:
        return f"Choose another adapter, or let the port through. {how}"
    return f"If a charger still does not get here, this computer's firewall keeps it out. {how}"


async def _ask(address: str, port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read(4096)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if path.encode() in answer:
        return ""
    return f"Another program answers on {address}:{port}." if answer else f"{address}:{port} hung up without an answer."

"""Files over FTP (RFC 959, 2428, 3659), as much of it as chargers use: passive and active, with or without a login.

A ticket is opened by its token as user name with its password, or anonymously by the token as first folder of the
path. One command at a time, one data connection at a time, and only with the computer that gave the command.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress

from app.model.transfer import Ticket
from app.scope import Scope
from app.standin.files import FileShelf
from app.standin.ftp_session import FtpSession

log = logging.getLogger(__name__)
LINE_LIMIT = 2_048
LINGER_S = 1.0
"""How long closing waits for clients that still say goodbye."""


class FtpFiles:
    """The FTP side of the file service."""

    def __init__(self, shelf: FileShelf) -> None:
        self._shelf = shelf
        self._server: asyncio.Server | None = None
        self._scope = Scope("ftp")
        self._clients = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.host = ""
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Listen on one address. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=LINE_LIMIT)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop, and end every session. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._is_idle.wait()
        await self._scope.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await server.wait_closed()

    def location(self, ticket: Ticket) -> str:
        """Return the address to hand to a charger."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{ticket.token}:{self._shelf.password(ticket.token)}@{host}:{self.port}/{ticket.name}"

    def open_location(self, ticket: Ticket) -> str:
        """Return the address for chargers that know only anonymous FTP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{host}:{self.port}/{ticket.token}/{ticket.name}"

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= self._shelf.bounds.clients or self._scope.is_closed:
            writer.write(b"421 Too many are connected.\r\n")
            writer.close()
            return
        self._scope.isolated("session", self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        self._is_idle.clear()
        session = FtpSession(self._shelf, reader, writer)
        try:
            await session.run()
        except (OSError, ValueError, socket.gaierror) as error:
            log.debug("an FTP session ended: %s", error)
        finally:
            session.close()
            self._clients -= 1
            if not self._clients:
                self._is_idle.set()

"""The built-in file service: HTTP and FTP on the address a charger reaches us at, while a transfer is under way."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import ServerError, StoreError
from app.feed import Feed
from app.model.transfer import Carrier, FileMove, Received, Ticket
from app.standin.files import FileBounds, FileShelf

if TYPE_CHECKING:
    from app.standin.ftp_files import FtpFiles
    from app.standin.http_files import HttpFiles

PORTS = {Carrier.HTTP: 8181, Carrier.FTP: 2121}
"""Tried first, so that a firewall needs one rule only; any free port where they are taken."""


class FileService:
    """Files to and from chargers. Nothing listens until the first ticket; the last one closed ends it."""

    def __init__(self, folder: Path, *, bounds: FileBounds | None = None) -> None:
        self.shelf = FileShelf(folder, bounds=bounds)
        self._lock = asyncio.Lock()
        self._servers: dict[tuple[str, Carrier], HttpFiles | FtpFiles] = {}
        self._users: dict[tuple[str, Carrier], int] = {}

    @property
    def moves(self) -> Feed[FileMove]:
        """Return the feed of everything that happens to a file."""
        return self.shelf.moves

    def received(self, identity: str = "") -> tuple[Received, ...]:
        """List the files chargers delivered, the newest first."""
        return self.shelf.received(identity)

    async def copy(self, item: Received, path: Path) -> None:
        """Copy a delivered file elsewhere. Raises StoreError."""
        try:
            await asyncio.to_thread(shutil.copyfile, item.path, path)
        except OSError as error:
            raise StoreError(f"{path.name} can't be written: {error.strerror}.", "Choose another folder.") from error

    @asynccontextmanager
    async def offering(
        self, path: Path, *, identity: str, purpose: str, host: str, carrier: Carrier = Carrier.HTTP
    ) -> AsyncIterator[Ticket]:
        """Let a charger fetch a file inside the block. Raises StoreError, ServerError."""
        ticket = await asyncio.to_thread(self.shelf.offer, path, identity, purpose)
        async with self._open(ticket, host, carrier) as opened:
            yield opened

    @asynccontextmanager
    async def expecting(
        self, *, identity: str, purpose: str, host: str, carrier: Carrier = Carrier.HTTP
    ) -> AsyncIterator[Ticket]:
        """Let a charger deliver files inside the block. Raises ServerError, DiskFull."""
        self.shelf.check_room(0)
        async with self._open(self.shelf.expect(identity, purpose), host, carrier) as opened:
            yield opened

    async def close(self) -> None:
        """Stop everything. Idempotent."""
        async with self._lock:
            servers, self._servers = list(self._servers.values()), {}
            self._users.clear()
            for server in servers:
                await server.close()

    @asynccontextmanager
    async def _open(self, ticket: Ticket, host: str, carrier: Carrier) -> AsyncIterator[Ticket]:
        key = (host, carrier)
        try:
            server = await self._used(key)
            yield replace(ticket, location=server.location(ticket))
        finally:
            self.shelf.close(ticket.token)
            await self._left(key)

    async def _used(self, key: tuple[str, Carrier]) -> HttpFiles | FtpFiles:
        async with self._lock:
            self._users[key] = self._users.get(key, 0) + 1
            if key not in self._servers:
                self._servers[key] = await self._started(*key)
            return self._servers[key]

    async def _started(self, host: str, carrier: Carrier) -> HttpFiles | FtpFiles:
        from app.standin.ftp_files import FtpFiles
        from app.standin.http_files import HttpFiles  # aiohttp takes its time to load

        for port in (PORTS[carrier], 0):
            server = HttpFiles(self.shelf) if carrier is Carrier.HTTP else FtpFiles(self.shelf)
            try:
                await server.open(host, port)
            except OSError as error:
                await server.close()
                trouble = error
            else:
                return server
        raise ServerError(
            f"The file service can't listen on {host}: {trouble.strerror or trouble}.",
            "Choose a network adapter that is connected.",
        ) from trouble

    async def _left(self, key: tuple[str, Carrier]) -> None:
        async with self._lock:
            self._users[key] = self._users.get(key, 1) - 1
            if self._users[key] <= 0:
                self._users.pop(key, None)
                server = self._servers.pop(key, None)
                if server is not None:
                    await server.close()

"""Files over HTTP: chargers fetch with GET (also in ranges) and deliver with PUT, POST, or a form.

The address holds a ticket's token; without one there is nothing to see.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from app.errors import DiskFull, StoreError
from app.model.transfer import Carrier, Course, Ticket
from app.standin.files import FileShelf, Incoming, Outgoing, TooLarge

CHUNK = 65_536
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_quiet = logging.getLogger("app.standin.http_files.peer")
_quiet.setLevel(logging.CRITICAL)  # what a broken peer does is told as a move of its file, not in our log
_BODY = ("PUT", "POST")


class _Refusing(asyncio.Protocol):
    """What one client too many gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class HttpFiles:
    """The HTTP side of the file service."""

    def __init__(self, shelf: FileShelf) -> None:
        self._shelf = shelf
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._busy: set[web.RequestHandler] = set()
        self._idle_since: dict[web.RequestHandler, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.host = ""
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Listen on one address. Raises OSError."""
        app = web.Application(client_max_size=CHUNK, logger=_quiet)
        app.router.add_route("*", "/{token}", self._answer)
        app.router.add_route("*", "/{token}/{name:.*}", self._answer)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_quiet,
            handle_signals=False,
            keepalive_timeout=5.0,
            lingering_time=0.5,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._admitted, host, port)
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]
        self._look()

    async def close(self) -> None:
        """Stop. Idempotent."""
        listener, self._listener = self._listener, None
        runner, self._runner = self._runner, None
        if listener is not None:
            listener.close()
        if self._timer is not None:
            self._timer.cancel()
        if runner is not None:
            await runner.cleanup()

    def _admitted(self) -> asyncio.Protocol:
        """Take a connection in, if there are not too many."""
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= 2 * self._shelf.bounds.clients:
            return _Refusing()
        return server()

    def _look(self) -> None:
        """Close connections that have asked for nothing for too long."""
        if self._runner is None or self._runner.server is None:
            return
        loop, idle_s = asyncio.get_running_loop(), self._shelf.bounds.idle_s
        now, before = loop.time(), self._idle_since
        waiting = (item for item in self._runner.server.connections if item not in self._busy)
        self._idle_since = {item: before.get(item, now) for item in waiting}
        for connection, since in self._idle_since.items():
            if now - since >= idle_s and connection.transport is not None:
                connection.transport.abort()
        self._timer = loop.call_later(idle_s / 4, self._look)

    def location(self, ticket: Ticket) -> str:
        """Return the address to hand to a charger."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/{ticket.token}/{quote(ticket.name)}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        ticket = self._shelf.ticket(request.match_info["token"])
        if ticket is None:
            return web.Response(status=404, text="Nothing is here.\n")
        if len(self._busy) >= self._shelf.bounds.clients:
            return web.Response(status=503, headers={"Retry-After": "10"})
        self._busy.add(request.protocol)
        try:
            return await self._of_ticket(request, ticket)
        finally:
            self._busy.discard(request.protocol)

    async def _of_ticket(self, request: web.Request, ticket: Ticket) -> web.StreamResponse:
        if ticket.course is Course.FETCH and request.method in ("GET", "HEAD"):
            return await self._fetch(request, ticket)
        if ticket.course is Course.DELIVER and request.method in _BODY:
            return await self._deliver(request, ticket)
        allowed = "GET, HEAD" if ticket.course is Course.FETCH else ", ".join(_BODY)
        return web.Response(status=405, headers={"Allow": allowed})

    # To the charger

    async def _fetch(self, request: web.Request, ticket: Ticket) -> web.StreamResponse:
        span = _span(request.headers.get("Range", ""), ticket.size)
        if span is None:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{ticket.size}"})
        first, last = span
        is_part = "Range" in request.headers
        response = web.StreamResponse(status=206 if is_part else 200, headers=_headers(ticket, first, last, is_part))
        response.content_length = last - first + 1
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        file = self._shelf.outgoing(ticket.token, Carrier.HTTP, _remote(request))
        if file is None:
            return web.Response(status=404)
        await self._pour(request, response, file, first, last)
        return response

    async def _pour(
        self, request: web.Request, response: web.StreamResponse, file: Outgoing, first: int, last: int
    ) -> None:
        left = last - first + 1
        try:
            await response.prepare(request)
            file.seek(first)
            while left and (data := file.read(min(CHUNK, left))):
                async with asyncio.timeout(self._shelf.bounds.idle_s):
                    await response.write(data)
                left -= len(data)
            await response.write_eof()
        except (OSError, asyncio.CancelledError) as error:
            file.failed("the charger hung up")
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        file.done() if not left else file.failed("the file became shorter")

    # From the charger

    async def _deliver(self, request: web.Request, ticket: Ticket) -> web.StreamResponse:
        status, text = 201, ""
        try:
            if request.content_type == "multipart/form-data":
                await self._take_form(request, ticket)
            else:
                name = request.match_info.get("name", "") or _said_name(request) or ticket.purpose
                await self._take(request.content.readany, self._begin(request, ticket, name, request.content_length))
        except TooLarge as error:
            status, text = 413, error.message
        except DiskFull as error:
            status, text = 507, error.message
        except StoreError as error:
            status, text = 409, error.message
        except TimeoutError:
            status, text = 408, "Nothing came any more."
        except (OSError, ValueError) as error:
            status, text = 400, str(error)[:100]
        response = web.Response(status=status, text=f"{text}\n" if text else None)
        if text:
            response.force_close()
        return response

    def _begin(self, request: web.Request, ticket: Ticket, name: str, total: int | None) -> Incoming:
        return self._shelf.incoming(ticket.token, name, Carrier.HTTP, _remote(request), total or 0)

    async def _take_form(self, request: web.Request, ticket: Ticket) -> None:
        reader: MultipartReader = await request.multipart()
        for _ in range(self._shelf.bounds.files * 4):
            async with asyncio.timeout(self._shelf.bounds.idle_s):
                part = await reader.next()
            if part is None:
                return
            if isinstance(part, BodyPartReader) and part.filename:
                file = self._begin(request, ticket, part.filename, None)
                await self._take(partial(part.read_chunk, CHUNK), file)

    async def _take(self, read: Callable[[], Awaitable[bytes]], file: Incoming) -> None:
        try:
            while True:
                async with asyncio.timeout(self._shelf.bounds.idle_s):
                    data = await read()
                if not data:
                    break
                file.write(data)
            file.done()
        except BaseException as error:
            with suppress(OSError):
                file.failed(_why(error))
            raise


def _why(error: BaseException) -> str:
    if isinstance(error, StoreError):
        return error.message
    return "nothing came any more" if isinstance(error, TimeoutError) else "the charger hung up"


def _span(text: str, size: int) -> tuple[int, int] | None:
    """Read a Range header with one range (RFC 9110 §14.1.2); ``None`` where it can't be satisfied."""
    if not text:
        return 0, size - 1
    match = _RANGE.match(text.strip())
    if match is None or not any(match.groups()) or max(map(len, match.groups())) > 18:
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    return (start, end) if start <= end else None


def _headers(ticket: Ticket, first: int, last: int, is_part: bool) -> dict[str, str]:
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{ticket.name}"',
        "ETag": f'"{ticket.sha256[:32]}"',
    }
    return headers | ({"Content-Range": f"bytes {first}-{last}/{ticket.size}"} if is_part else {})


def _said_name(request: web.Request) -> str:
    match = re.search(r'filename="?([^";]{1,200})', request.headers.get("Content-Disposition", ""))
    return match[1] if match else ""


def _remote(request: web.Request) -> str:
    return str(request.remote or "")

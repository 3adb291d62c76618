"""File servers that are not ours: aiohttp over HTTP and aioftp over FTP, in a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aioftp
from aiohttp import web


@asynccontextmanager
async def http_files(folder: Path) -> AsyncIterator[str]:
    """A server that takes PUT and gives GET; yields its base URL with a final slash."""

    async def put(request: web.Request) -> web.Response:
        (folder / request.match_info["name"]).write_bytes(await request.read())
        return web.Response(status=201)

    async def get(request: web.Request) -> web.Response:
        path = folder / request.match_info["name"]
        return web.Response(body=path.read_bytes()) if path.exists() else web.Response(status=404)

    app = web.Application()
    app.router.add_put("/{name}", put)
    app.router.add_get("/{name}", get)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def ftp_files(folder: Path) -> AsyncIterator[str]:
    """An FTP server; yields its base URL with a final slash."""
    server = aioftp.Server([aioftp.User(login="unit", password="secret", base_path=folder)])
    await server.start("127.0.0.1", 0)
    try:
        yield f"ftp://unit:secret@127.0.0.1:{server.server_port}/"
    finally:
        await server.close()

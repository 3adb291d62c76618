"""How simulated units move files: logs up, firmware down, over HTTP and FTP, with deadlines and bounds."""

from __future__ import annotations

import asyncio
import ssl
import urllib.parse
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager

import aioftp
import aiohttp

LIMIT_S = 20.0
MAX_IMAGE = 64 * 1024 * 1024
CHUNK = 65_536


class TransferFailed(Exception):
    """The file did not get across; the text says why."""


async def upload(location: str, name: str, content: bytes) -> None:
    """Put a file: by PUT to an HTTP address, by STOR to an FTP one; a folder gets the name appended."""
    target = _parsed(location)
    path = target.path if target.path and not target.path.endswith("/") else f"{target.path or '/'}{name}"
    try:
        async with asyncio.timeout(LIMIT_S):
            if target.scheme in ("http", "https"):
                await _put(target._replace(path=path).geturl(), content)
            elif target.scheme == "ftp":
                await _store(target, path, content)
            else:
                raise TransferFailed(f"no client for {target.scheme!r}")
    except (OSError, TimeoutError, aiohttp.ClientError, aioftp.AIOFTPException, ValueError) as error:
        raise TransferFailed(str(error) or type(error).__name__) from error


async def download(location: str) -> bytes:
    """Get a file; raises TransferFailed."""
    target = _parsed(location)
    try:
        async with asyncio.timeout(LIMIT_S):
            if target.scheme in ("http", "https"):
                return await _get(location)
            if target.scheme == "ftp":
                return await _retrieve(target)
            raise TransferFailed(f"no client for {target.scheme!r}")
    except (OSError, TimeoutError, aiohttp.ClientError, aioftp.AIOFTPException, ValueError) as error:
        raise TransferFailed(str(error) or type(error).__name__) from error


def _parsed(location: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(location)
    except ValueError as error:
        raise TransferFailed(str(error)) from error


async def _put(url: str, content: bytes) -> None:
    async with aiohttp.ClientSession() as session, session.put(url, data=content, ssl=_lax(url)) as answer:
        if answer.status >= 300:
            raise TransferFailed(f"HTTP {answer.status}")


async def _get(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=_lax(url)) as answer:
        if answer.status != 200:
            raise TransferFailed(f"HTTP {answer.status}")
        return await _bounded(answer.content.iter_chunked(CHUNK))


async def _store(target: urllib.parse.SplitResult, path: str, content: bytes) -> None:
    async with _ftp(target) as client, client.upload_stream(urllib.parse.unquote(path)) as stream:
        await stream.write(content)


async def _retrieve(target: urllib.parse.SplitResult) -> bytes:
    async with _ftp(target) as client, client.download_stream(urllib.parse.unquote(target.path)) as stream:
        return await _bounded(stream.iter_by_block(CHUNK))


def _ftp(target: urllib.parse.SplitResult) -> AbstractAsyncContextManager[aioftp.Client]:
    user = urllib.parse.unquote(target.username or "anonymous")
    password = urllib.parse.unquote(target.password or "anon@")
    opened: AbstractAsyncContextManager[aioftp.Client] = aioftp.Client.context(
        target.hostname or "", target.port or 21, user, password
    )
    return opened


async def _bounded(chunks: AsyncIterable[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_IMAGE:
            raise TransferFailed("too large")
    return bytes(content)


def _lax(url: str) -> ssl.SSLContext | bool:
    """Small clients verify no file server."""
    if not url.startswith("https:"):
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

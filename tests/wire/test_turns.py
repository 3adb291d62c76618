"""TLS handshakes wait for each other; one that goes wrong keeps nobody waiting for ever."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from typing import Any

import pytest

from app.ocpp.channel import end_writing
from tests.ocpp.endpoint_kit import HOST, site


class Reset:
    """A connection that the peer has reset already, before anybody could know."""

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")


def test_a_connection_that_is_gone_can_be_ended() -> None:
    gone: Any = Reset()
    end_writing(gone)


async def test_a_turn_that_fails_passes_on_to_the_next() -> None:
    async with site() as here:
        listener = here.server._listener
        assert listener is not None
        had_turn = asyncio.Event()

        def fail() -> None:
            raise OSError(errno.ENOTCONN, "gone")

        listener._turns.append(fail)
        listener._turns.append(had_turn.set)
        with pytest.raises(OSError, match="gone"):
            listener._turn()
        async with asyncio.timeout(5):
            await had_turn.wait()
        async with asyncio.timeout(5):
            again = asyncio.Event()
            listener.take_turn(again.set)
            await again.wait()


async def test_peers_that_reset_in_the_middle_are_no_trouble() -> None:
    async with site() as here:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"garbage\r\n"):
            for _ in range(20):
                with socket.create_connection((HOST, here.port)) as peer:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    peer.sendall(data)
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(HOST, here.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 426")
            writer.close()
            await writer.wait_closed()

"""Open the WebSocket of a simulated unit, with the habits its small client library has."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol

from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.juicebox_names import resolved

OPEN_LIMIT_S = 10.0


class Line(ClientConnection):
    """A connection that may leave pings unanswered, or break on them."""

    def __init__(self, faults: set[Fault], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._faults = faults
        self._send_frame = self.protocol.send_frame
        self.protocol.send_frame = self._sent  # type: ignore[method-assign]

    def process_event(self, event: Frame | Response) -> None:  # type: ignore[override]
        """Break the line on a ping where the unit does (connection-failures 11)."""
        if isinstance(event, Frame) and event.opcode is Opcode.PING and Fault.BREAKS_ON_PING in self._faults:
            self.transport.abort()
        super().process_event(event)

    def _sent(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and Fault.NO_PONG in self._faults:
            return
        self._send_frame(frame)


def led(url: str, old: str, here: str) -> str:
    """Lead a URL of the host ``old`` to where ``here`` is, as the DNS of a site would; TLS stays TLS."""
    try:
        target = urlsplit(url)
    except ValueError:
        return url
    if not here or target.netloc.lower() != old:
        return url
    return target._replace(netloc=urlsplit(here).netloc).geturl()


async def opened(
    url: str,
    headers: Sequence[tuple[str, str]],
    subprotocols: Sequence[str],
    tls: DialTls,
    faults: set[Fault],
    *,
    resolver: tuple[str, int] | None = None,
) -> ClientConnection:
    """Dial; ``resolver`` looks the name up, else this computer does.

    Raises OSError (ssl.SSLError too), TimeoutError, ValueError, or a WebSocketException such as InvalidStatus.
    """
    target = urlsplit(url)
    host, is_tls = target.hostname or "", target.scheme.lower() == "wss"
    port = target.port or (443 if is_tls else 80)
    async with asyncio.timeout(OPEN_LIMIT_S):
        # The TCP connection is made here, so that a TLS alert can be sent on it (``dialtls``).
        line = await _reached(await _address(host, resolver), port)
        made: list[Line] = []

        def make(*args: Any, **options: Any) -> Line:
            made.append(Line(faults, *args, **options))
            return made[-1]

        try:
            secured: dict[str, Any] = {}
            if is_tls:
                secured = {"ssl": tls.context(line, host), "server_hostname": host if tls.sends_sni else ""}
            return await connect(
                url,
                sock=line,
                additional_headers=list(headers),
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                compression=None,
                proxy=None,
                ping_interval=None,
                close_timeout=1,
                user_agent_header=None,
                create_connection=make,  # type: ignore[arg-type]
                **secured,
            )
        except BaseException:
            _give_up(line, is_owned=bool(made))
            raise


def _give_up(line: socket.socket, *, is_owned: bool) -> None:
    """End a TCP connection; ``is_owned``: a transport has it already.

    The transport closes it then, having read the end. Closed under it, the number would go to the next socket, and
    asyncio would take that one for this transport's.
    """
    if not is_owned:
        line.close()
        return
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


async def _address(host: str, resolver: tuple[str, int] | None) -> str:
    """Ask the unit's own resolver. Raises OSError where it knows no such name."""
    if resolver is None:
        return host
    found = await resolved(host, resolver, timeout_s=OPEN_LIMIT_S / 2)
    if not found:
        raise OSError(f"the name {host} can't be resolved")
    return found


async def _reached(host: str, port: int) -> socket.socket:
    """Connect a TCP socket to the first address that answers."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, number, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        line = socket.socket(family, kind, number)
        line.setblocking(False)
        try:
            await loop.sock_connect(line, address)
        except OSError as error:
            line.close()
            failure = error
        except asyncio.CancelledError:
            line.close()
            raise
        else:
            with suppress(OSError):
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return line
    raise failure

"""Accept raw TCP, see what the peer speaks, and carry WebSocket texts. The only file that knows the transport.

Each peer goes through::

    first bytes ──GET + upgrade──► open (WebSocket) ──► closing ──► gone
        ├── plain HTTP ──► page ──► gone
        └── TLS hello, SOAP, HTTP/2, garbage, silence ──► knock ──► gone

The upgrade request is parsed by us, so that its exact bytes are ours to show; frames are parsed by the sans-I/O
protocol of ``websockets``. permessage-deflate is never offered (OCPP-J 1.6 §5.1, connection-failures 37).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from websockets.frames import Frame as WsFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from app.errors import LinkLost
from app.model.frame import Handshake
from app.model.secret import Secret
from app.ocpp import pages
from app.ocpp.frame import MAX_SHOWN, MAX_TEXT
from app.ocpp.handshake import (
    HEADER_LIMIT,
    Request,
    accept_key,
    end_of_head,
    parse_request,
    read_handshake,
    speaks_only_other,
    without_password,
)

log = logging.getLogger(__name__)
_wire_log = logging.getLogger("app.ocpp.wire")
_wire_log.setLevel(logging.CRITICAL)

MAX_MESSAGE = 10_000_000
"""Longest WebSocket message in bytes, all fragments together; longer ones end with close code 1009."""
KNOCK_BYTES = 512
TLS_ALERT = bytes.fromhex("15030100020228")
"""A fatal handshake_failure alert (RFC 8446 §6.2), so that the charger's own log shows a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one listener allows. Times in seconds; all values [OURS]."""

    first_s: float = 10.0
    """From accept to the end of the request head: also the bound for a slow-loris."""
    closing_s: float = 1.0
    """How long a peer may take to answer our close."""
    ping_s: float = 60.0
    """A ping goes out after this much silence; some firmware breaks on frequent server pings (failures 11)."""
    silence_s: float = 300.0
    """After this much silence in spite of pings the connection counts as dead."""
    pending: int = 512
    """Peers that have not yet sent a full request; the oldest goes when one more comes."""
    peers: int = 4000


class Text(NamedTuple):
    """One message: the text, the bytes if they were not clean UTF-8 text, and notes."""

    text: str
    raw: bytes | None = None
    notes: tuple[str, ...] = ()


class Receiver(Protocol):
    """Who gets what a peer sends."""

    def received(self, texts: list[Text]) -> None:
        """Take the messages that came together."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """Learn that the peer is gone. Called once."""
        ...


class Channel(Protocol):
    """The way back to one peer; the transport behind it can be replaced."""

    def send(self, text: str) -> None:
        """Send a text; raises LinkLost when the connection is closed."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start closing. Idempotent."""
        ...


class Keeper(Protocol):
    """Who owns a listener."""

    def expected(self, identity: str) -> Secret | None:
        """Return the password that identity should send, if known."""
        ...

    def admit(self, handshake: Handshake, channel: Channel) -> Receiver:
        """Take a WebSocket peer in."""
        ...

    def knocked(self, verdict: str, text: str, remote: str, first: bytes, identity: str) -> None:
        """Learn what became of a peer."""
        ...


class Listener:
    """One open port."""

    def __init__(self, keeper: Keeper, bounds: Bounds) -> None:
        self.keeper = keeper
        self.bounds = bounds
        self.peers: dict[Peer, None] = {}
        self._pending: dict[Peer, None] = {}
        self._server: asyncio.Server | None = None
        self._all_gone = asyncio.Event()
        self.host = ""
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), host, port, backlog=512)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    def stop_accepting(self) -> None:
        """Free the port; open connections stay."""
        if self._server is not None:
            self._server.close()

    async def close(self, reason: str) -> None:
        """Free the port and end all connections (close code 1001), within ``closing_s`` and a moment."""
        self.stop_accepting()
        for peer in list(self.peers):
            peer.close(1001, reason)
        await self._gone(self.bounds.closing_s)
        for peer in list(self.peers):
            peer.abort()
        await self._gone(0.5)

    def joined(self, peer: Peer) -> bool:
        """Count a new peer in; false when there are too many."""
        if len(self.peers) >= self.bounds.peers:
            return False
        self.peers[peer] = None
        self._pending[peer] = None
        if len(self._pending) > self.bounds.pending:
            next(iter(self._pending)).crowded_out()
        return True

    def decided(self, peer: Peer) -> None:
        """Take a peer from the list of those that said nothing useful yet."""
        self._pending.pop(peer, None)

    def left(self, peer: Peer) -> None:
        """Count a peer out."""
        self._pending.pop(peer, None)
        self.peers.pop(peer, None)
        if not self.peers:
            self._all_gone.set()

    async def _gone(self, limit_s: float) -> None:
        if not self.peers:
            return
        self._all_gone.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._all_gone.wait()
        except TimeoutError:
            log.debug("%d peers did not close in time", len(self.peers))


class Peer(asyncio.Protocol):
    """One TCP connection, from its first byte to its end. Is the ``Channel`` of its WebSocket."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._head = bytearray()
        self._ws: ServerProtocol | None = None
        self._receiver: Receiver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_s = 0.0
        self._parts = bytearray()
        self._opcode = Opcode.TEXT
        self._is_corked = False
        self._is_told = False
        self._is_ending = False
        self._close = (1006, "")
        self.remote = ""
        self._local = ""

    # The transport's side -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline for the first bytes."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self.remote = _spelled(transport.get_extra_info("peername"))
        self._local = _spelled(transport.get_extra_info("sockname"))
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self._listener.joined(self):
            self._is_told = True
            self._transport.abort()
            return
        self._timer = self._loop.call_later(self._listener.bounds.first_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Take bytes in: into the request head, or into the WebSocket."""
        if self._ws is not None:
            self._feed(data)
        elif not self._is_told:
            self._head += data
            self._look()

    def eof_received(self) -> bool:
        """End our side too."""
        if self._ws is not None:
            self._ws.receive_eof()
            self._flush()
        return False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell everybody once."""
        if self._timer is not None:
            self._timer.cancel()
        self._listener.left(self)
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            receiver.closed(*self._close)
        elif not self._is_told:
            self._tell(*pages.unfinished(bytes(self._head)))

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not take our answers: its memory, not ours."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # The Channel's side -------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send a text; raises LinkLost when the connection is closed or closing."""
        ws = self._ws
        if ws is None or ws.state is not OPEN:
            raise LinkLost("The connection to the charger is closed.", "Wait until it dials again.")
        ws.send_text(text.encode("utf-8", "replace"))
        if not self._is_corked:
            self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; a peer that does not answer it is cut off."""
        ws = self._ws
        if ws is None:
            self._is_told = True
            self._transport.abort()
        elif ws.state is OPEN:
            self._close = (code, reason)
            ws.send_close(code, reason.encode()[:120].decode(errors="ignore"))
            self._flush()
            self._end_within(self._listener.bounds.closing_s)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def crowded_out(self) -> None:
        """Give way to newer peers."""
        self._tell("crowded", "It said nothing useful while many others came; it was cut off.")
        self._transport.abort()

    # First bytes --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        while self._head.startswith((b"\r", b"\n")):
            del self._head[:1]
        verdict = pages.first_look(self._head)
        if verdict is not None:
            self._tell(*verdict)
            self._end(TLS_ALERT if verdict[0] == "tls" else b"")
            return
        end = end_of_head(self._head)
        if end < 0:
            if len(self._head) > HEADER_LIMIT:
                self._refuse(431, "refused", f"It sent more than {HEADER_LIMIT} bytes without ending its request.")
            return
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        request = parse_request(head)
        if request is None or end > HEADER_LIMIT:
            self._refuse(400, "garbage", "It sent something like HTTP, but no request that can be read.")
        elif request.wants_websocket:
            self._upgrade(request, head, rest)
        else:
            kind, text, answer = pages.plain(request, self._local)
            self._tell(kind, text)
            self._end(answer)

    def _upgrade(self, request: Request, head: bytes, rest: bytes) -> None:
        expected = self._listener.keeper.expected
        shake = read_handshake(head, request, expected, remote=self.remote, local=self._local)
        if not request.get("Sec-WebSocket-Key"):
            self._refuse(400, "refused", "Its upgrade request has no Sec-WebSocket-Key.", shake.identity)
            return
        self._listener.decided(self)
        self._head.clear()
        self._ws = ServerProtocol(state=OPEN, max_size=MAX_MESSAGE, logger=_wire_log)
        self._transport.write(pages.switching(accept_key(request), shake.chosen_subprotocol))
        self._heard_s = self._loop.time()
        self._watch()
        if speaks_only_other(shake.subprotocols):
            offered = ", ".join(shake.subprotocols)[:100]
            self._tell("version", f"It speaks only {offered}; this endpoint speaks OCPP 1.6.", shake.identity, head)
            self.close(1002, "only ocpp1.6 is spoken here")
            return
        self._tell("accepted", f"Connected as “{shake.identity}”.", shake.identity, head)
        self._receiver = self._listener.keeper.admit(shake, self)
        if rest:
            self._feed(rest)

    def _refuse(self, status: int, verdict: str, text: str, identity: str = "") -> None:
        self._tell(verdict, text, identity)
        self._end(pages.answer(status, text))

    def _tell(self, verdict: str, text: str, identity: str = "", first: bytes | None = None) -> None:
        self._is_told = True
        self._listener.decided(self)
        seen = without_password(bytes(self._head[:4096]) if first is None else first)[:KNOCK_BYTES]
        self._listener.keeper.knocked(verdict, text, self.remote, seen, identity)

    def _too_slow(self) -> None:
        verdict, text = pages.unfinished(bytes(self._head))
        self._tell("slow" if self._head else "silent", text if self._head else "It connected and said nothing.")
        log.debug("%s: %s", self.remote, verdict)
        self._end(pages.answer(408, text) if self._head else b"")

    def _end(self, answer: bytes) -> None:
        self._head.clear()
        if answer:
            self._transport.write(answer)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._end_within(self._listener.bounds.closing_s)

    def _end_within(self, limit_s: float) -> None:
        """Cut the connection after a while; a peer can't put that off by going on to talk."""
        if self._is_ending:
            return
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(limit_s, self._transport.abort)

    # WebSocket ----------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        ws = self._ws
        assert ws is not None
        self._heard_s = self._loop.time()
        ws.receive_data(data)
        self._is_corked = True
        try:
            texts = [text for event in ws.events_received() if (text := self._assembled(cast(WsFrame, event)))]
            if texts and self._receiver is not None:
                self._receiver.received(texts)
        finally:
            self._is_corked = False
            self._flush()

    def _assembled(self, frame: WsFrame) -> Text | None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                return _text(bytes(frame.data), opcode)
            self._parts, self._opcode = bytearray(frame.data), opcode
        elif opcode is Opcode.CONT:
            self._parts += frame.data
            if frame.fin:
                whole, self._parts = bytes(self._parts), bytearray()
                return _text(whole, self._opcode)
        return None

    def _flush(self) -> None:
        ws = self._ws
        assert ws is not None
        writes = ws.data_to_send()
        if not writes:
            return
        is_over = not writes[-1]
        self._transport.write(b"".join(writes))
        if is_over or ws.state is not OPEN:
            self._over(ws)

    def _over(self, ws: ServerProtocol) -> None:
        self._parts.clear()
        spoken = ws.close_rcvd or ws.close_sent
        if spoken is not None:
            self._close = (spoken.code, spoken.reason)
        if ws.eof_sent and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        self._end_within(self._listener.bounds.closing_s)

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        ws, bounds = self._ws, self._listener.bounds
        idle_s = self._loop.time() - self._heard_s
        if ws is not None and ws.state is OPEN:
            if idle_s >= bounds.silence_s:
                self.close(1011, "no answer to pings")
                return
            if idle_s >= bounds.ping_s:
                ws.send_ping(b"rehome")
                self._flush()
        self._timer = self._loop.call_later(bounds.ping_s / 2, self._watch)


def _text(data: bytes, opcode: Opcode) -> Text:
    notes = ("BINARY",) if opcode is Opcode.BINARY else ()
    if len(data) > MAX_TEXT:
        return Text(data[:MAX_SHOWN].decode(errors="replace"), None, (*notes, "TOO-LONG", f"CUT-{len(data)}"))
    try:
        return Text(data.decode(), None, notes)
    except UnicodeDecodeError:
        return Text(data.decode(errors="replace"), data, (*notes, "BAD-UTF8"))


def _spelled(name: object) -> str:
    if not isinstance(name, tuple) or len(name) < 2:
        return ""
    host = f"[{name[0]}]" if ":" in str(name[0]) else name[0]
    return f"{host}:{name[1]}"

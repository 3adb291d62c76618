"""One open WebSocket: frames in, texts up; texts down, frames out; who pings, who closes, and what was wrong.

Whole texts take the quick way (``framing``); every other frame goes through the sans-I/O protocol of ``websockets``.
permessage-deflate is never agreed (OCPP-J 1.6 §5.1, connection-failures 37): a frame with its bit set is a fault that
``fault`` tells. All peers read into one buffer: asyncio otherwise asks for 256 kB for each read, which costs more than
everything else that is done with a Heartbeat.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from websockets.frames import Frame as WsFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from app.errors import LinkLost
from app.model.secret import Secret
from app.ocpp.channel import Pipe, Receiver, Text, end_writing
from app.ocpp.frame import MAX_SHOWN, MAX_TEXT
from app.ocpp.framing import Framer, text_frame

if TYPE_CHECKING:
    from app.ocpp.listener import Listener

_wire_log = logging.getLogger("app.ocpp.wire")
_wire_log.setLevel(logging.CRITICAL)

MAX_MESSAGE = 10_000_000
"""Longest WebSocket message in bytes, all fragments together; longer ones end with close code 1009."""
NO_LOGIN = Secret("")
LOOK_S = 30.0
"""How often at least a connection is looked at, to see whether its manner has changed."""


_BUFFER = bytearray(65_536)
_VIEW = memoryview(_BUFFER)


class Peer(asyncio.BufferedProtocol):
    """One WebSocket connection. Is the ``Channel`` of its unit, and the protocol of its pipe."""

    __slots__ = (
        "_close",
        "_framer",
        "_heard_s",
        "_is_corked",
        "_is_ending",
        "_is_held",
        "_listener",
        "_loop",
        "_opcode",
        "_out",
        "_parts",
        "_pinged_s",
        "_pipe",
        "_receiver",
        "_room",
        "_timer",
        "_ws",
        "identity",
        "is_by_us",
        "login",
        "peer_pings",
        "pings",
        "pongs",
    )

    def __init__(self, listener: Listener, pipe: Pipe, identity: str, login: Secret = NO_LOGIN) -> None:
        self._listener = listener
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._ws = ServerProtocol(state=OPEN, max_size=MAX_MESSAGE, logger=_wire_log)
        self._framer = Framer(MAX_MESSAGE)
        self._out: list[bytes] = []
        self._receiver: Receiver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_s = self._pinged_s = self._loop.time()
        self._parts = bytearray()
        self._opcode = Opcode.TEXT
        self._is_corked = False
        self._is_ending = False
        self._is_held = False
        self._room: asyncio.Future[None] | None = None
        self._close = (1006, "")
        self.identity = identity
        self.login = login
        self.is_by_us = False
        self.pings = 0
        self.pongs = 0
        self.peer_pings = 0

    @property
    def silent_s(self) -> float:
        """Return how long the unit has said nothing at all."""
        return self._loop.time() - self._heard_s

    @property
    def fault(self) -> str:
        """Say what the WebSocket layer objected to."""
        error = self._ws.parser_exc
        return "" if error is None or isinstance(error, EOFError) else (str(error) or type(error).__name__)[:200]

    def opened(self, receiver: Receiver) -> None:
        """Begin: from here on ``receiver`` gets what comes."""
        self._receiver = receiver
        self._watch()

    # The transport's side -----------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Lend the buffer; ``buffer_updated`` follows at once."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes in from the buffer."""
        self.data_received(bytes(_VIEW[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self._heard_s = self._loop.time()
        self._is_corked = True
        try:
            texts: list[Text] = []
            for whole, other in self._framer.feed(data):
                if whole is None:
                    texts += self._parsed(other)
                elif self._ws.state is OPEN or self._ws.close_rcvd is None:
                    texts.append(_text(whole, Opcode.TEXT))
            if texts and self._receiver is not None:
                self._receiver.received(texts)
        finally:
            self._is_corked = False
            self._flush()

    def eof_received(self) -> bool:
        """End our side too."""
        self._ws.receive_eof()
        self._flush()
        return False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell everybody once."""
        if self._timer is not None:
            self._timer.cancel()
        self._listener.left(self)
        self._make_room()
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            receiver.closed(*self._close)

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not take our answers: its memory, not ours."""
        if self._room is None:
            self._room = self._loop.create_future()
        self._pipe.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        self._make_room()
        if not self._is_held and not self._pipe.is_closing():
            self._pipe.resume_reading()

    # The Channel's side -------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send a text; raises LinkLost when the connection is closed or closing."""
        if self._ws.state is not OPEN:
            raise LinkLost("The connection to the charger is closed.", "Wait until it dials again.")
        frame = text_frame(text.encode("utf-8", "replace"))
        if self._is_corked:
            self._out.append(frame)
        else:
            self._pipe.write(frame)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; a peer that does not answer it is cut off."""
        ws = self._ws
        if ws.state is OPEN:
            self.is_by_us = True
            self._close = (code, reason)
            ws.send_close(code, reason.encode()[:120].decode(errors="ignore"))
            self._flush()
            self._end_within(self._listener.bounds.closing_s)

    def abort(self) -> None:
        """Cut the connection."""
        self.is_by_us = True
        self._pipe.abort()

    def hold(self) -> None:
        """Read nothing more for now."""
        if not self._is_held:
            self._is_held = True
            self._pipe.pause_reading()

    def release(self) -> None:
        """Read on, unless the unit still has to take in what we sent."""
        if self._is_held:
            self._is_held = False
            if self._room is None and not self._pipe.is_closing():
                self._pipe.resume_reading()

    async def drained(self) -> None:
        """Wait while more lies unsent than the transport likes to keep."""
        if self._room is not None:
            await asyncio.shield(self._room)

    # Inside -------------------------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _parsed(self, data: bytes) -> list[Text]:
        self._ws.receive_data(data)
        return [text for event in self._ws.events_received() if (text := self._assembled(cast(WsFrame, event)))]

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
        elif opcode is Opcode.PING:
            self.peer_pings += 1
        elif opcode is Opcode.PONG:
            self.pongs += 1
        return None

    def _flush(self) -> None:
        ws, out = self._ws, self._out
        if out:
            self._pipe.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()
        writes = ws.data_to_send()
        if not writes:
            return
        is_over = not writes[-1]
        self._pipe.write(b"".join(writes))
        if is_over or ws.state is not OPEN:
            self._over(ws)

    def _over(self, ws: ServerProtocol) -> None:
        self._parts.clear()
        if ws.parser_exc is not None and self.fault:
            self.is_by_us = True
        spoken = ws.close_rcvd or ws.close_sent
        if spoken is not None:
            self._close = (spoken.code, spoken.reason)
        if ws.eof_sent:
            end_writing(self._pipe)
        self._end_within(self._listener.bounds.closing_s)

    def _end_within(self, limit_s: float) -> None:
        """Cut the connection after a while; a peer can't put that off by going on to talk."""
        if self._is_ending:
            return
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(limit_s, self._pipe.abort)

    def _watch(self) -> None:
        """Ping when it is due: after silence, or by the clock where a manner asks for a rhythm."""
        if self._is_ending or self._ws.state is not OPEN:
            return
        manner_s = self._listener.keeper.manner(self.identity).ping_s
        bounds, silent_s = self._listener.bounds, self.silent_s
        every_s = bounds.ping_s if manner_s is None else manner_s
        if every_s and silent_s >= bounds.silence_s:
            self.close(1011, "no answer to pings")
            return
        waited_s = silent_s if manner_s is None else self._loop.time() - self._pinged_s
        if every_s and waited_s >= every_s:
            self.ping()
        look_s = every_s / 2 if manner_s is None else every_s / 10
        self._timer = self._loop.call_later(min(look_s, LOOK_S) if every_s else LOOK_S, self._watch)

    def ping(self) -> None:
        """Ask the unit for a sign of life."""
        self.pings += 1
        self._pinged_s = self._loop.time()
        self._ws.send_ping(b"rehome")
        self._flush()


def _text(data: bytes, opcode: Opcode) -> Text:
    notes = ("BINARY",) if opcode is Opcode.BINARY else ()
    if len(data) > MAX_TEXT:
        return Text(data[:MAX_SHOWN].decode(errors="replace"), None, (*notes, "TOO-LONG", f"CUT-{len(data)}"))
    try:
        return Text(data.decode(), None, notes)
    except UnicodeDecodeError:
        return Text(data.decode(errors="replace"), data, (*notes, "BAD-UTF8"))

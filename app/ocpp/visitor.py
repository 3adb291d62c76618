"""Whoever came to our port, from the first byte until it is known what it speaks.

::

    first bytes ──ClientHello──► TLS (``tls.Front``), then the same again inside
        ├── GET + upgrade ──► WebSocket (``Peer``)
        ├── plain HTTP, SOAP, self-test ──► page ──► gone
        └── HTTP/2, garbage, silence ──► knock ──► gone
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from app.errors import BadCertificate, Garbled
from app.model.finding import Finding
from app.model.frame import Handshake, Hello, TlsSession
from app.model.observation import TlsEnd, TlsFailed
from app.model.secret import Secret
from app.ocpp import pages, strict
from app.ocpp.channel import Pipe, end_writing, spelled
from app.ocpp.handshake import accept_key, read_handshake, speaks_only_other, version_of
from app.ocpp.hello import HELLO_LIMIT, HelloReader
from app.ocpp.peer import NO_LOGIN, Peer
from app.ocpp.request import HEADER_LIMIT, Request, end_of_head, parse_request, without_password
from app.ocpp.tls import Front

if TYPE_CHECKING:
    from app.ocpp.listener import Listener

KNOCK_BYTES = 512


class Visitor(asyncio.Protocol):
    """One TCP connection before it is a WebSocket."""

    __slots__ = (
        "_front",
        "_head",
        "_hello",
        "_is_ending",
        "_is_told",
        "_listener",
        "_local",
        "_loop",
        "_pipe",
        "_reader",
        "_seen",
        "_session",
        "_timer",
        "remote",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._head = bytearray()
        self._seen = 0
        """How much of it was searched already: a peer that sends single bytes must not cost more than one in a go."""
        self._reader = HelloReader()
        self._timer: asyncio.TimerHandle | None = None
        self._front: Front | None = None
        self._session: TlsSession | None = None
        self._hello: Hello | None = None
        self._is_told = False
        self._is_ending = False
        self.remote = ""
        self._local = ""

    # The transport's side -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline for the first bytes."""
        self._pipe: Pipe = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self.remote = spelled(transport.get_extra_info("peername"))
        self._local = spelled(transport.get_extra_info("sockname"))
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self._listener.joined(self):
            self._is_told = True
            self._pipe.abort()
            return
        self._timer = self._loop.call_later(self._listener.bounds.first_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Take bytes in until they make sense."""
        if self._is_told:
            return
        self._head += data
        if self._hello is None or self._front is not None:
            self._look()
        elif len(self._head) > HELLO_LIMIT:  # its handshake has not had its turn yet
            self.close()

    def eof_received(self) -> bool:
        """End our side too."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Tell what it was, once."""
        if self._timer is not None:
            self._timer.cancel()
        self._listener.left(self)
        if self._is_told:
            return
        if self._hello is not None and self._front is None:
            self.tls_failed(TlsEnd.CLOSED_BY_UNIT, reason="it closed the connection", after="")
        elif self._session is not None and not self._head:
            how = "reset" if isinstance(error, ConnectionResetError) else "closed"
            self.tls_failed(TlsEnd.CLOSED_BY_UNIT, reason=f"it {how} the connection", after="Finished")
        else:
            self._tell(*pages.unfinished(bytes(self._head)))

    def close(self, code: int = 1001, reason: str = "") -> None:  # noqa: ARG002 - as a peer's
        """Cut the connection without a word."""
        self._is_told = True
        self._pipe.abort()

    def abort(self) -> None:
        """Cut the connection."""
        self._pipe.abort()

    def crowded_out(self) -> None:
        """Give way to newer peers."""
        self._tell("crowded", "It said nothing useful while many others came; it was cut off.")
        self._pipe.abort()

    # TLS ----------------------------------------------------------------------------------------------------------

    def secured(self, session: TlsSession) -> None:
        """Go on inside TLS."""
        self._session = session
        self._listen_again(self._listener.bounds.first_s)

    def tls_failed(self, end: TlsEnd, *, alert: int | None = None, reason: str = "", after: str | None = None) -> None:
        """Tell that TLS came to nothing."""
        if self._is_told:
            return
        front = self._front
        failed = TlsFailed(
            remote=self.remote,
            end=end,
            hello=self._hello,
            personality=front.outfit.personality if front else self._listener.plan.personality,
            at=datetime.now(UTC),
            alert=alert,
            after=after if after is not None else (front.after if front else ""),
            reason=reason,
            served=front.outfit.served if front else None,
        )
        if reason.startswith("CERTIFICATE_VERIFY_FAILED"):
            self._listener.stop_asking(self.remote)
        found = self._listener.keeper.tls_failed(failed)
        first = self._hello.raw if self._hello else b""
        self._tell("tls-failed", pages.tls_failed(failed), first=first, findings=found)

    def end_tls(self) -> None:
        """End the connection after our last word in TLS."""
        self._end(b"")

    def _look_at_hello(self) -> None:
        fresh = bytes(self._head[self._seen :])
        self._seen = len(self._head)
        try:
            self._hello = self._reader.feed(fresh)
        except Garbled as error:
            self._tell("garbage", f"It began like TLS, but: {error.message}")
            self._end(pages.tls_alert(50))
            return
        if self._hello is not None:
            self._reader = HelloReader()
            self._listen_again(self._listener.bounds.tls_s)
            self._listener.take_turn(self._begin_tls)

    def _begin_tls(self) -> None:
        if self._is_told or self._hello is None:
            return
        try:
            outfit = self._listener.dress(self._hello, self.remote, self._local)
        except BadCertificate as error:
            self._tell("tls", f"It wants TLS (wss), and we have no certificate to show. {error.message} {error.advice}")
            self._end(pages.tls_alert(80))
            return
        raw = bytes(self._head)
        self._head.clear()
        self._seen = 0
        self._front = Front(self, self._pipe, self._hello, outfit)
        self._pipe.set_protocol(self._front)
        self._pipe = self._front
        self._front.take(raw)

    def _listen_again(self, limit_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(limit_s, self._too_slow)

    # First bytes --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        while self._head.startswith((b"\r", b"\n")):
            del self._head[:1]
        if self._head[:1] == b"\x16" and self._session is None and self._listener.has_tls:
            self._look_at_hello()
            return
        verdict = pages.first_look(self._head)
        if verdict is not None:
            self._tell(*verdict)
            self._end(pages.last_words(verdict[0]))
            return
        end = end_of_head(self._head, self._seen)
        self._seen = len(self._head)
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
            self._answer(request)

    def _answer(self, request: Request) -> None:
        if request.target == self._listener.test_path:
            self._is_told = True
            self._end(pages.answer(200, self._listener.test_path))
            return
        kind, text, answer = pages.plain(request, self._local, is_secure=self._session is not None)
        self._tell(kind, text)
        self._end(answer)

    def _upgrade(self, request: Request, head: bytes, rest: bytes) -> None:
        keeper, plan = self._listener.keeper, self._listener.plan
        shake = read_handshake(
            head,
            request,
            keeper.expected,
            remote=self.remote,
            local=self._local,
            tls=self._session,
            is_strict=plan.is_strict,
        )
        manner = keeper.manners.get(shake.identity)
        if manner is not None and manner.refuses_upgrade:
            status = manner.refuses_upgrade
            self._refuse(status, "refused", f"Refused with {status}, as an experiment asks.", shake.identity)
            return
        if manner is not None and manner.subprotocol in shake.subprotocols:
            chosen = manner.subprotocol
            shake = replace(shake, chosen_subprotocol=chosen, version=version_of(chosen))
        if plan.is_strict:
            refusal = strict.refusal(request, shake, plan, peer_name=self._front.peer_name if self._front else "")
            if refusal is not None:
                self._refuse_strictly(refusal, shake)
                return
        self._open(request, shake, head, rest)

    def _refuse_strictly(self, refusal: strict.Refusal, shake: Handshake) -> None:
        """Refuse, and have judged nevertheless what was wrong with the request."""
        found = self._listener.keeper.observed(replace(shake, at=datetime.now(UTC)))
        self._tell("refused", refusal.text, shake.identity, findings=found)
        self._end(pages.answer(refusal.status, refusal.text, extra=refusal.extra))

    def _open(self, request: Request, shake: Handshake, head: bytes, rest: bytes) -> None:
        self._listener.decided(self)
        if self._timer is not None:
            self._timer.cancel()
        self._head.clear()
        self._pipe.write(pages.switching(accept_key(request), shake.chosen_subprotocol))
        login = Secret(request.get("Authorization")) if self._listener.plan.keeps_login else NO_LOGIN
        peer = Peer(self._listener, self._pipe, shake.identity, login)
        self._pipe.set_protocol(peer)
        self._listener.became(self, peer)
        if refused := self._versions_refused(shake):
            self._tell("version", refused, shake.identity, head)
            peer.close(1002, "no common OCPP version")
            return
        self._tell("accepted", pages.accepted(shake, request.get("Sec-WebSocket-Extensions")), shake.identity, head)
        peer.opened(self._listener.keeper.admit(shake, peer))
        if rest:
            peer.data_received(rest)

    def _versions_refused(self, shake: Handshake) -> str:
        spoken = "this endpoint speaks OCPP 1.6, 2.0.1 and 2.1"
        if speaks_only_other(shake.subprotocols):
            return f"It speaks only {', '.join(shake.subprotocols)[:100]}; {spoken}."
        if self._listener.plan.is_strict and strict.lacks_version(shake):
            offered = ", ".join(shake.subprotocols)[:100] or "no subprotocol"
            return f"It offers {offered}; {spoken}. Closed as OCPP-J §3.2 demands."
        return ""

    def _refuse(self, status: int, verdict: str, text: str, identity: str = "") -> None:
        self._tell(verdict, text, identity)
        self._end(pages.answer(status, text))

    def _tell(
        self,
        verdict: str,
        text: str,
        identity: str = "",
        first: bytes | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self._is_told = True
        self._listener.decided(self)
        seen = without_password(bytes(self._head[:4096]) if first is None else first)[:KNOCK_BYTES]
        knocked = self._listener.keeper.knocked
        local, hello = self._local, self._hello
        knocked(verdict, text, self.remote, seen, identity, local=local, hello=hello, findings=findings)

    def _too_slow(self) -> None:
        if self._hello is not None and self._session is None:
            self.tls_failed(TlsEnd.SILENT, reason=f"no answer within {self._listener.bounds.tls_s:.0f} s")
            self._pipe.abort()
            return
        if not self._head:
            how = f"It agreed on {self._session.version} and then said nothing." if self._session else pages.SILENT
            self._tell("silent", how)
            self._end(b"")
            return
        _, text = pages.unfinished(bytes(self._head))
        self._tell("slow", text)
        self._end(pages.answer(408, text))

    def _end(self, answer: bytes) -> None:
        self._head.clear()
        if answer:
            self._pipe.write(answer)
        end_writing(self._pipe)
        if not self._is_ending:
            self._is_ending = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(self._listener.bounds.closing_s, self._pipe.abort)

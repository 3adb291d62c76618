"""TLS in front of a visitor: the library's state machine over memory, so that every raw byte is ours to see.

::

    take ──ClientHello──► shaking ──Finished──► open ──close_notify──► over
                              └──alert, close, silence, refusal──► failed

Plaintext goes to ``inner`` (a ``Visitor``, later a ``Peer``), for which this is the transport; the real transport is
below. Renegotiation and compression are off in every context (``trust.wardrobe``).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import TYPE_CHECKING, Any, cast

from app.errors import BadCertificate, Garbled
from app.model.frame import Certificate, Hello, TlsSession
from app.model.observation import TlsEnd
from app.ocpp.channel import Pipe, end_writing
from app.ocpp.hello import read_alert, sent_messages
from app.ocpp.tlsnames import ALERTS

if TYPE_CHECKING:
    from app.ocpp.visitor import Visitor
    from app.trust.wardrobe import Outfit

HANDSHAKE_LIMIT = 65_536
"""Bytes a unit may send before TLS is open; a chain of client certificates has a few thousand [OURS]."""
FLIGHT_LIMIT = 65_536
CHUNK = 65_536
_VERSIONS = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3", "SSLv3": "SSL 3.0"}
_NUMBERS = {name: number for number, name in ALERTS.items()}
_REASON = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)")


_BUFFER = bytearray(65_536)
_VIEW = memoryview(_BUFFER)


class Front(asyncio.BufferedProtocol):
    """One TLS connection. All read into one buffer; asyncio otherwise asks for 256 kB for each read."""

    __slots__ = ("_below", "_hello", "_incoming", "_inner", "_is_open", "_is_over", "_machine", "_outgoing", "_sent",
                 "_taken", "_visitor", "outfit", "peer_name")  # fmt: skip

    def __init__(self, visitor: Visitor, below: Pipe, hello: Hello, outfit: Outfit) -> None:
        self._visitor = visitor
        self._inner: asyncio.Protocol = visitor
        self._below = below
        self._hello = hello
        self.outfit = outfit
        self.peer_name = ""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._machine = outfit.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sent = bytearray()
        self._taken = 0
        self._is_open = False
        self._is_over = False

    @property
    def after(self) -> str:
        """Name the last of our messages that has gone out: what the unit had seen."""
        with contextlib.suppress(Garbled):
            return sent_messages(bytes(self._sent))
        return ""

    # From the transport below -------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """Lend the buffer; ``buffer_updated`` follows at once."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take encrypted bytes in from the buffer."""
        self.take(_VIEW[:nbytes])

    def take(self, data: bytes | memoryview) -> None:
        """Take encrypted bytes in."""
        if self._is_over:
            return
        self._incoming.write(data)
        if not self._is_open:
            self._taken += len(data)
            self._shake(bytes(data))
        if self._is_open:
            self._read()

    def eof_received(self) -> bool:
        """Learn that the unit ended its side."""
        if self._is_open and not self._is_over:
            self._inner.eof_received()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Say how TLS ended, and pass it on."""
        if not self._is_open and not self._is_over:
            how = "reset the connection" if isinstance(error, ConnectionResetError) else "closed the connection"
            self._fail(TlsEnd.CLOSED_BY_UNIT, reason=f"it {how}")
        self._is_over = True
        self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass on that the unit takes nothing."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that it takes bytes again."""
        self._inner.resume_writing()

    # For the protocol above: a Pipe -------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        rest = memoryview(data)
        try:
            while rest and not self._is_over:
                rest = rest[self._machine.write(rest) :]
        except ssl.SSLError:
            self._is_over = True
        self._send()

    def write_eof(self) -> None:
        """Say goodbye in TLS and in TCP."""
        if not self._is_over:
            with contextlib.suppress(ssl.SSLError):
                self._machine.unwrap()
            self._send()
        end_writing(self._below)

    def can_write_eof(self) -> bool:
        """Say that our side can end alone."""
        return self._below.can_write_eof()

    def abort(self) -> None:
        """Cut the connection."""
        self._below.abort()

    def is_closing(self) -> bool:
        """Say whether it is over."""
        return self._below.is_closing()

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._below.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the plaintext to somebody else."""
        self._inner = cast(asyncio.Protocol, protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell about the socket below."""
        return self._below.get_extra_info(name, default)

    # Inside -------------------------------------------------------------------------------------------------------

    def _shake(self, data: bytes) -> None:
        if self._taken > HANDSHAKE_LIMIT:
            self._fail(TlsEnd.REFUSED_BY_US, reason=f"it sent more than {HANDSHAKE_LIMIT} bytes of handshake")
            self.abort()
            return
        try:
            self._machine.do_handshake()
        except ssl.SSLWantReadError:
            self._send(is_flight=True)
        except ssl.SSLError as error:
            self._broken(error, data)
        else:
            self._send(is_flight=True)
            self._sent.clear()
            self._is_open = True
            self._visitor.secured(self._session())

    def _broken(self, error: ssl.SSLError, data: bytes) -> None:
        alert = alert_in(error, data)
        if alert is not None:
            self._fail(TlsEnd.ALERT_FROM_UNIT, alert=alert, reason=ALERTS.get(alert, ""))
        else:
            self._fail(TlsEnd.REFUSED_BY_US, reason=reason_of(error) + self._whose())
        self._is_over = True
        self._send()
        self._visitor.end_tls()

    def _fail(self, end: TlsEnd, *, alert: int | None = None, reason: str = "") -> None:
        self._visitor.tls_failed(end, alert=alert, reason=reason)

    def _session(self) -> TlsSession:
        cipher = self._machine.cipher()
        peer = self._certificate()
        return TlsSession(
            version=_VERSIONS.get(self._machine.version() or "", self._machine.version() or ""),
            suite=cipher[0] if cipher else "",
            personality=self.outfit.personality,
            hello=self._hello,
            peer=peer,
            is_peer_trusted=peer is not None and self.outfit.trusts(peer.pem),
        )

    def _certificate(self) -> Certificate | None:
        der = self._machine.getpeercert(binary_form=True) if self.outfit.asks else None
        if not der:
            return None
        from app.trust import describe

        try:
            self.peer_name = describe.common_name(der)
            return describe.describe(der)
        except BadCertificate:
            return None

    def _whose(self) -> str:
        """Describe the certificate we refused."""
        if not self.outfit.shown:
            return ""
        from app.trust import describe

        try:
            shown = describe.describe(self.outfit.shown[0])
        except BadCertificate:
            return "; it can't be read"
        until = f", valid until {shown.not_after:%Y-%m-%d}" if shown.not_after else ""
        return f"; it is for {shown.subject}, issued by {shown.issuer}{until}"

    def _read(self) -> None:
        while not self._is_over:
            try:
                data = self._machine.read(CHUNK)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._spoilt(error)
                break
            if not data:
                self._inner.eof_received()
                self.write_eof()
                return
            self._inner.data_received(data)
        self._send()

    def _spoilt(self, error: ssl.SSLError) -> None:
        """End a connection whose records no longer make sense; an alert right after the handshake is its verdict."""
        alert = alert_in(error, b"")
        if alert is not None and self._inner is self._visitor:
            self._visitor.tls_failed(
                TlsEnd.ALERT_FROM_UNIT, alert=alert, reason=ALERTS.get(alert, ""), after="Finished"
            )
        self._send()
        self._is_over = True
        self._below.abort()

    def _send(self, *, is_flight: bool = False) -> None:
        data = self._outgoing.read()
        if data:
            if is_flight and len(self._sent) < FLIGHT_LIMIT:
                self._sent += data
            self._below.write(data)


def alert_in(error: ssl.SSLError, data: bytes) -> int | None:
    """Return the number of the alert the unit sent, by what the library says or by the bytes it came in."""
    match = _REASON.fullmatch(error.reason or "")
    if match and match[1].lower() in _NUMBERS:
        return _NUMBERS[match[1].lower()]
    alert = read_alert(data)
    return alert.number if alert is not None and alert.is_fatal else None


def reason_of(error: ssl.SSLError) -> str:
    """Say why the library refused: its reason, with what it found wrong in a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"CERTIFICATE_VERIFY_FAILED: {error.verify_message}"
    return error.reason or "a TLS error without a name"

"""Read a TLS ClientHello and alerts from raw bytes: what a unit offers before anything is agreed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from app.errors import Garbled
from app.model.frame import Hello
from app.ocpp.tlsnames import ALERTS, GROUPS, SIGNATURES, SUITES, VERSIONS, is_grease, named

HELLO_LIMIT = 32_768
"""Longest ClientHello in bytes, its records included [OURS]; with post-quantum key shares it has about 2,000."""
KEPT = 2048
"""How much of it ``Hello.raw`` keeps."""
RECORD_LIMIT = 16_384
"""RFC 8446 §5.1."""
NAME_LIMIT = 255

HANDSHAKE, ALERT, CHANGE_CIPHER, DATA = 22, 21, 20, 23
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN, SUPPORTED_VERSIONS = 0, 10, 13, 16, 43
"""Extension types (RFC 8446 §4.2, RFC 7301 §3.1)."""


class Alert(NamedTuple):
    """A TLS alert sent in the clear."""

    is_fatal: bool
    number: int

    @property
    def name(self) -> str:
        """Return its registered name."""
        return ALERTS.get(self.number, f"alert {self.number}")


class Record(NamedTuple):
    """One TLS record as it lies on the wire."""

    kind: int
    version: int
    body: bytes


class _Reader:
    """Take numbers and vectors from bytes; whoever asks for more than there is gets Garbled."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise _cut()
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Reader:
        return _Reader(self.take(self.number(size)))

    def numbers(self, size: int = 2) -> tuple[int, ...]:
        found = []
        while self.is_left:
            found.append(self.number(size))
        return tuple(found)

    @property
    def is_left(self) -> bool:
        return self._at < len(self._data)


def record_at(data: bytes | bytearray, at: int) -> Record | None:
    """Return the whole record at a place, ``None`` where it is not whole. Raises Garbled where none can be."""
    if len(data) - at < 5:
        return None
    kind, version, size = data[at], int.from_bytes(data[at + 1 : at + 3]), int.from_bytes(data[at + 3 : at + 5])
    if not CHANGE_CIPHER <= kind <= DATA or version >> 8 != 3 or size > RECORD_LIMIT + 2048:
        raise Garbled("These bytes are no TLS record.", "Look at the first bytes.")
    return Record(kind, version, bytes(data[at + 5 : at + 5 + size])) if len(data) - at - 5 >= size else None


def records(data: bytes) -> list[Record]:
    """Split raw bytes into whole records. Raises Garbled where no TLS record can be."""
    found: list[Record] = []
    at = 0
    while (record := record_at(data, at)) is not None:
        found.append(record)
        at += 5 + len(record.body)
    return found


class HelloReader:
    """Reads the ClientHello at the start of a connection, however it is cut; each byte is looked at once."""

    __slots__ = ("_at", "_message", "raw")

    def __init__(self) -> None:
        self.raw = bytearray()
        self._message = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> Hello | None:
        """Take bytes; return the ClientHello once it is whole. Raises Garbled where they can't become one."""
        self.raw += data
        if len(self.raw) > HELLO_LIMIT:
            raise Garbled(f"Its ClientHello is longer than {HELLO_LIMIT} bytes.", "Look at the first bytes.")
        if self.raw[5:6] not in (b"", bytes((CLIENT_HELLO,))):
            raise Garbled("It began TLS with something else than a ClientHello.", "Look at the first bytes.")
        message = self._message
        while (record := record_at(self.raw, self._at)) is not None:
            if record.kind != HANDSHAKE:
                raise Garbled("It began TLS without a ClientHello.", "Look at the first bytes.")
            message += record.body
            self._at += 5 + len(record.body)
            if len(message) >= 4 and len(message) - 4 >= int.from_bytes(message[1:4]):
                return _hello(bytes(message), bytes(self.raw))
        return None


def read_hello(data: bytes) -> Hello | None:
    """Read a ClientHello; ``None`` where it is not whole. Raises Garbled where the bytes can't become one."""
    return HelloReader().feed(data)


def read_alert(data: bytes) -> Alert | None:
    """Return the last alert that was sent in the clear, if there is one."""
    try:
        whole = records(data)
    except Garbled:
        return None
    clear = [record for record in whole if record.kind == ALERT and len(record.body) == 2]
    return Alert(clear[-1].body[0] == 2, clear[-1].body[1]) if clear else None


def sent_messages(data: bytes) -> str:
    """Name the last of our messages in a flight as ``TlsFailed.after`` does: ``ServerHello``, ``Certificate`` or none.

    From TLS 1.3's ServerHello on everything is encrypted, and the certificate goes with it (RFC 8446 §2).
    """
    last = ""
    for record in records(data):
        if record.kind == DATA and last:
            return "Certificate"
        if record.kind == HANDSHAKE:
            for kind in _kinds(record.body):
                last = {SERVER_HELLO: "ServerHello", CERTIFICATE: "Certificate"}.get(kind, last)
    return last


def is_ssl2(data: bytes) -> bool:
    """Say whether this is an SSL 2.0 ClientHello (RFC 6101 appendix E), as stacks of the nineties sent it."""
    return len(data) >= 5 and data[0] & 0x80 != 0 and data[2] == 1 and data[3:5] in (b"\0\2", b"\3\0", b"\3\1")


def _kinds(body: bytes) -> tuple[int, ...]:
    reader = _Reader(body)
    found: list[int] = []
    try:
        while reader.is_left:
            found.append(reader.number(1))
            reader.vector(3)
    except Garbled:
        return tuple(found[:1])  # a message that goes on in the next record
    return tuple(found)


def _hello(message: bytes, raw: bytes) -> Hello:
    reader = _Reader(message[4 : 4 + int.from_bytes(message[1:4], "big")])
    legacy = reader.number(2)
    reader.take(32)
    reader.vector(1)
    suites = reader.vector(2).numbers()
    reader.vector(1)
    extensions = dict(_extensions(reader)) if reader.is_left else {}
    read = _Extensions(extensions)
    versions = read.numbers(SUPPORTED_VERSIONS, 1) or _up_to(legacy)
    return Hello(
        versions=_names(VERSIONS, tuple(sorted(versions, reverse=True))),
        suites=_names(SUITES, suites),
        groups=_names(GROUPS, read.numbers(SUPPORTED_GROUPS, 2)),
        signatures=_names(SIGNATURES, read.numbers(SIGNATURE_ALGORITHMS, 2)),
        alpn=read.texts(ALPN, _alpn),
        server_name="".join(read.texts(SERVER_NAME, _server_name)[:1]),
        raw=raw[:KEPT],
    )


def _extensions(reader: _Reader) -> list[tuple[int, bytes]]:
    inner, found = reader.vector(2), []
    while inner.is_left:
        kind = inner.number(2)
        found.append((kind, inner.take(inner.number(2))))
    return found[:100]


class _Extensions:
    """Reads single extensions; a broken one counts as not sent, so that the rest can still be told."""

    def __init__(self, found: dict[int, bytes]) -> None:
        self._found = found

    def numbers(self, kind: int, size: int) -> tuple[int, ...]:
        try:
            return _Reader(self._found[kind]).vector(size).numbers()
        except (KeyError, Garbled):
            return ()

    def texts(self, kind: int, read: Callable[[_Reader], tuple[str, ...]]) -> tuple[str, ...]:
        try:
            return read(_Reader(self._found[kind]).vector(2))
        except (KeyError, Garbled):
            return ()


def _alpn(reader: _Reader) -> tuple[str, ...]:
    found: list[str] = []
    while reader.is_left and len(found) < 16:
        found.append(_text(reader.take(reader.number(1))))
    return tuple(found)


def _server_name(reader: _Reader) -> tuple[str, ...]:
    kind = reader.number(1)
    return (_text(reader.take(reader.number(2))),) if kind == 0 else ()


def _text(data: bytes) -> str:
    text = data[:NAME_LIMIT].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "·" for char in text)


def _names(names: dict[int, str], numbers: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(named(names, number) for number in numbers[:256] if not is_grease(number))


def _up_to(version: int) -> tuple[int, ...]:
    """Return the versions an old ClientHello stands for: it names only the highest (RFC 5246 appendix E.1)."""
    return tuple(range(0x0301, version + 1)) if 0x0301 <= version <= 0x0303 else (version,)


def _cut() -> Garbled:
    return Garbled("Its ClientHello is cut or contradicts itself.", "Look at the first bytes.")

"""DNS messages: read a question within bounds, build the answers. Pure.

The question is read here and not by ``dnslib``: its name decoder follows pointers recursively, and a hostile datagram
may hold two thousand of them. Records and answers are dnslib's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dnslib import EDNS0, QTYPE, RR, A, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

from app.errors import Garbled

HEADER = 12
"""RFC 1035 §4.1.1."""
QUERY_LIMIT = 4096
"""Longest question taken in, bytes [OURS]; a question with EDNS and cookies has about 100."""
PLAIN_LIMIT = 512
"""Longest answer over UDP without EDNS (RFC 1035 §4.2.1)."""
OUR_EDNS = 1232
"""What we say we take over UDP: fits every path unfragmented (dnsflagday.net/2020)."""
NAME_LIMIT = 255
TTL_S = 60
"""Short, because the laptop leaves the site again."""

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
WORDS = {FORMERR: "malformed", SERVFAIL: "no answer", NXDOMAIN: "no such name", NOTIMP: "not offered"}
A_, AAAA, OPT, ANY, IN = 1, 28, 41, 255, 1


@dataclass(frozen=True, slots=True)
class Query:
    """One question. ``name`` in lower case without the last dot; ``question`` its bytes as they came."""

    id: int
    flags: int
    labels: tuple[bytes, ...]
    name: str
    kind: int
    kin: int
    """The class; 1 = IN."""
    question: bytes
    room: int = PLAIN_LIMIT
    """How long an answer over UDP may be."""
    edns: int | None = None
    """EDNS version, ``None`` without."""
    wants_proofs: bool = False
    """The EDNS flag DO (RFC 3225)."""

    @property
    def kind_name(self) -> str:
        """Return the type in words, ``A`` or ``TYPE65280``."""
        return str(QTYPE.forward.get(self.kind, f"TYPE{self.kind}"))

    @property
    def wants_recursion(self) -> bool:
        """Say whether the RD flag is set."""
        return bool(self.flags & 0x0100)


class NotAnswered(Garbled):
    """What gets no answer at all: an answer sent to us, or less than a header."""


class Wrong(Garbled):
    """What gets an error code: ``rcode``."""

    def __init__(self, message: str, rcode: int) -> None:
        super().__init__(message, "Nothing to do: the sender speaks broken DNS.")
        self.rcode = rcode


def read(data: bytes) -> Query:
    """Read a question. Raises NotAnswered, Wrong."""
    if len(data) < HEADER or len(data) > QUERY_LIMIT or data[2] & 0x80:
        raise NotAnswered("Not a DNS question.", "Nothing to do.")
    number, flags, questions, answers, authorities, additional = struct.unpack_from("!6H", data)
    if flags >> 11 & 0xF:
        raise Wrong("another operation than a query", NOTIMP)
    if questions != 1 or answers or authorities or additional > 2:
        raise Wrong("not exactly one question", FORMERR)
    labels, at = _name(data, HEADER)
    if len(data) < at + 4:
        raise Wrong("the question is cut", FORMERR)
    kind, kin = struct.unpack_from("!2H", data, at)
    room, edns, wants_proofs = _edns(data, at + 4, additional)
    return Query(number, flags, labels, spelled(labels), kind, kin, data[HEADER : at + 4], room, edns, wants_proofs)


def _name(data: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    labels: list[bytes] = []
    begin = at
    while True:
        if at >= len(data):
            raise Wrong("the name is cut", FORMERR)
        size = data[at]
        if size == 0:
            return tuple(labels), at + 1
        if size > 63 or at + 1 + size - begin >= NAME_LIMIT:  # a question has nothing before it to point at
            raise Wrong("the name is malformed", FORMERR)
        labels.append(bytes(data[at + 1 : at + 1 + size]))
        at += 1 + size


def _edns(data: bytes, at: int, additional: int) -> tuple[int, int | None, bool]:
    """Read an OPT record (RFC 6891 §6.1.2) where it is the first additional one."""
    if not additional or len(data) < at + 11 or data[at] != 0:
        return PLAIN_LIMIT, None, False
    kind, room, _, version, flags, size = struct.unpack_from("!HHBBHH", data, at + 1)
    if kind != OPT:
        return PLAIN_LIMIT, None, False
    if len(data) < at + 11 + size:
        raise Wrong("the EDNS record is cut", FORMERR)
    return min(max(room, PLAIN_LIMIT), QUERY_LIMIT), version, bool(flags & 0x8000)


def spelled(labels: tuple[bytes, ...]) -> str:
    """Write a name in lower case; a dot or an odd byte inside a label is escaped, so that it equals no real name."""
    return ".".join("".join(_char(byte) for byte in label.lower()) for label in labels)


def _char(byte: int) -> str:
    return chr(byte) if 33 <= byte < 127 and byte not in (46, 92) else f"\\{byte:03d}"


def answer(query: Query, address: str) -> bytes:
    """Give our address; for any other type than A the name exists without such a record (NODATA)."""
    reply = _skeleton(query, NOERROR, is_ours=True)
    if query.kind in (A_, ANY):
        reply.add_answer(RR(DNSLabel(query.labels), A_, ttl=TTL_S, rdata=A(address)))
    return _packed(query, reply)


def error(query: Query, rcode: int, *, is_ours: bool = False) -> bytes:
    """Give an error code. Without an SOA record nobody keeps it (RFC 2308 §5): it ends when we leave the site."""
    return _packed(query, _skeleton(query, rcode, is_ours=is_ours))


def bare_error(data: bytes, rcode: int) -> bytes:
    """Give an error code to a question that could not be read: nothing of it is repeated but its number."""
    number, flags = struct.unpack_from("!2H", data)
    return struct.pack("!6H", number, 0x8000 | flags & 0x7900 | rcode, 0, 0, 0, 0)


def truncated(query: Query) -> bytes:
    """Tell the client to ask again over TCP."""
    reply = _skeleton(query, NOERROR, is_ours=False)
    reply.header.tc = 1
    return _packed(query, reply)


def _skeleton(query: Query, rcode: int, *, is_ours: bool) -> DNSRecord:
    header = DNSHeader(id=query.id, qr=1, aa=int(is_ours), rd=int(query.wants_recursion), ra=1, rcode=rcode & 0xF)
    reply = DNSRecord(header, q=DNSQuestion(DNSLabel(query.labels), query.kind, query.kin))
    if query.edns is not None:
        reply.add_ar(EDNS0(udp_len=OUR_EDNS, ext_rcode=rcode >> 4))
    return reply


def _packed(query: Query, reply: DNSRecord) -> bytes:
    data = bytes(reply.pack())
    # The question goes back byte for byte: clients check the letters' case they chose (DNS 0x20).
    return data[:HEADER] + query.question + data[HEADER + len(query.question) :]


def is_answer_to(data: bytes, number: int, question: bytes) -> bool:
    """Say whether a resolver's datagram answers what we asked: number, flag and question."""
    if len(data) < HEADER + len(question):
        return False
    got, flags, questions = struct.unpack_from("!3H", data)
    same = data[HEADER : HEADER + len(question)].lower() == question.lower()
    return got == number and bool(flags & 0x8000) and questions == 1 and same


def onward(query: Query, number: int) -> bytes:
    """Ask the same of a resolver, under another number: nothing of the client's but question and flags goes on."""
    head = struct.pack("!6H", number, 0x0100 | query.flags & 0x0030, 1, 0, 0, 0 if query.edns is None else 1)
    if query.edns is None:
        return head + query.question
    return head + query.question + struct.pack("!BHHIH", 0, OPT, query.room, 0x8000 if query.wants_proofs else 0, 0)


def renumbered(data: bytes, number: int) -> bytes:
    """Put another number into a message."""
    return struct.pack("!H", number) + data[2:]


def rcode_of(data: bytes) -> int:
    """Return the (plain) result code of an answer."""
    return data[3] & 0xF


def first_address(data: bytes, query: Query) -> str:
    """Return the first IPv4 address of an answer for the log, empty where there is none in its first records."""
    at = HEADER + len(query.question)
    for _ in range(min(8, struct.unpack_from("!H", data, 6)[0])):
        if len(data) < at + 12 or data[at] & 0xC0 != 0xC0:  # resolvers compress; the log can do without the others
            return ""
        kind, _, _, size = struct.unpack_from("!HHIH", data, at + 2)
        if kind == A_ and size == 4 and len(data) >= at + 16:
            return ".".join(str(byte) for byte in data[at + 12 : at + 16])
        at += 12 + size
    return ""

"""Take an HTTP request head apart exactly as it was sent; list what breaks HTTP/1.1 or RFC 6455, and where. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass

from app.model.secret import MASK

HEADER_LIMIT = 16_384
"""Longest request head in bytes [OURS]; chargers send about 300."""

MAX_HEADERS = 100

SINGLE = (
    "host",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "authorization",
    "content-length",
)
"""Headers that may stand once only (RFC 9112 §3.2, RFC 6455 §11.3, RFC 9110 §5.3); the first one is read."""

_LINE = re.compile(rb"\r*\n|\r")
END_LENGTH = 6
_END = re.compile(rb"\r{0,2}\n\r{0,2}\n|\r\r(?![\r\n])")
"""At most ``END_LENGTH`` bytes."""
_CREDENTIALS = re.compile(
    rb"((?:authorization|cookie)[ \t]*:[ \t]*)(basic[ \t]+)?[^\r\n]*(?:(?:\r*\n|\r)[ \t][^\r\n]*)*", re.IGNORECASE
)
"""Also where the value goes on in further lines (RFC 9112 §5.2, obsolete but read)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One deviation. ``at`` is the byte in the head where it lies, -1 where something is missing altogether.

    ``status`` is what a strict server answers to it; 0 = the standards let it pass.
    """

    text: str
    at: int = -1
    status: int = 400

    @property
    def place(self) -> str:
        """Say where it lies."""
        return f"byte {self.at}" if self.at >= 0 else "missing from the whole request"


@dataclass(frozen=True, slots=True)
class Request:
    """A request head taken apart. ``headers`` keep order and spelling, ``places`` say at which byte they begin."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    places: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()

    def get(self, name: str) -> str:
        """Return a header's value, several joined by a comma (of ``SINGLE`` ones the first); empty where missing."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ", ".join(values[:1] if wanted in SINGLE else values)

    def place(self, name: str) -> int:
        """Return the byte where a header begins, -1 where there is none."""
        wanted = name.lower()
        return next((at for (key, _), at in zip(self.headers, self.places, strict=False) if key.lower() == wanted), -1)

    @property
    def deviations(self) -> tuple[str, ...]:
        """List the faults of the head's form in words."""
        return tuple(fault.text for fault in self.faults)

    @property
    def wants_websocket(self) -> bool:
        """Say whether this is meant as an upgrade: any of the RFC 6455 headers will do."""
        named = ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol")
        return "websocket" in self.get("Upgrade").lower() or any(self.get(name) for name in named)


def end_of_head(data: bytes | bytearray, start: int = 0) -> int:
    """Return where the head ends (behind the empty line), or -1. Lines may end with LF, CR CR LF or CR alone.

    ``start``: what lies before it was searched already.
    """
    match = _END.search(data, max(0, start - END_LENGTH))
    if match is None:
        return -1
    if match[0] == b"\r\r" and match.end() == len(data) and b"\n" in data:
        return -1  # perhaps the middle of CR CR LF
    return match.end()


def parse_request(head: bytes) -> Request | None:
    """Take a request head apart; ``None`` where the first line is no HTTP request line."""
    lines = _lines(head)
    first = _decoded(lines[0][1]).split(" ") if lines else []
    if len(first) < 2 or not first[0].isalpha():
        return None
    faults = _first_line_faults(head, first, lines[0][1])
    headers: list[tuple[str, str]] = []
    places: list[int] = []
    for at, line in lines[1 : MAX_HEADERS + 1]:
        faults += _header(at, line.decode("latin-1"), headers, places)
    if len(lines) > MAX_HEADERS + 1:
        faults.append(Fault(f"more than {MAX_HEADERS} header lines", lines[MAX_HEADERS + 1][0]))
    version = first[-1] if len(first) > 2 else ""
    target = " ".join(first[1:-1]) if len(first) > 2 else first[1]
    once = {fault.text: fault for fault in reversed(faults)}
    return Request(first[0], target[:2048], version[:16], tuple(headers), tuple(places), tuple(reversed(once.values())))


def upgrade_faults(request: Request) -> tuple[Fault, ...]:
    """List the deviations from RFC 6455 §4.1 in an upgrade request."""
    found = list(request.faults)
    if request.method != "GET":
        found.append(Fault(f"method {request.method[:16]} instead of GET", 0))
    if request.version != "HTTP/1.1":
        found.append(Fault(f"{request.version or 'no version'} instead of HTTP/1.1", len(request.method) + 1))
    if not request.get("Host"):
        found.append(Fault("the Host header is missing", request.place("Host")))
    if "websocket" not in _tokens(request, "Upgrade"):
        found.append(_lacks(request, "Upgrade", "websocket"))
    if "upgrade" not in _tokens(request, "Connection"):
        found.append(_lacks(request, "Connection", "Upgrade"))
    found += _version_fault(request)
    found += _key_fault(request)
    return (*found, *_doubles(request))


def without_password(data: bytes) -> bytes:
    """Mask the credentials in raw request bytes."""
    return _CREDENTIALS.sub(lambda match: match[1] + (match[2] or b"") + MASK.encode(), data)


def _lines(head: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    for match in _LINE.finditer(head):
        found.append((at, head[at : match.start()]))
        at = match.end()
    if at < len(head):
        found.append((at, head[at:]))
    while found and not found[-1][1]:
        found.pop()
    return found


def _first_line_faults(head: bytes, first: list[str], line: bytes) -> list[Fault]:
    found = []
    bare = re.search(rb"(?<!\r)\n", head)
    if bare:
        found.append(Fault("lines end with a bare line feed", bare.start(), 0))  # RFC 9112 §2.2 lets it pass
    lonely = re.search(rb"\r(?!\n)", head)
    if lonely:
        found.append(Fault("a carriage return stands without its line feed", lonely.start()))
    if len(first) != 3:
        found.append(Fault("the request line does not have three parts", 0))
    odd = re.search(rb"[^\x20-\x7e]", line)
    if odd:
        found.append(Fault("the request line holds bytes that must be percent-encoded", odd.start()))
    return found


def _header(at: int, text: str, headers: list[tuple[str, str]], places: list[int]) -> list[Fault]:
    """Read one header line into ``headers`` and return what is wrong with it."""
    if text[:1] in (" ", "\t") and headers:
        headers[-1] = (headers[-1][0], f"{headers[-1][1]} {text.strip()}")
        return [Fault(f"the header {headers[-1][0][:40]} goes on in a second line", at, 0)]
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        return [Fault(f"a header line without a colon: “{_shown(text)}”" if text else "an empty header line", at)]
    headers.append((name.strip(), value.strip()))
    places.append(at)
    if name != name.strip():
        return [Fault(f"a blank before the colon of {_shown(name.strip())}", at + len(name.rstrip()))]
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        return [Fault(f"the header name “{_shown(name)}” holds characters that are not allowed", at)]
    return []


def _tokens(request: Request, name: str) -> set[str]:
    return {token.strip().lower() for token in request.get(name).split(",")}


def _lacks(request: Request, name: str, token: str) -> Fault:
    at = request.place(name)
    if at < 0:
        return Fault(f"the header “{name}: {token}” is missing")
    return Fault(f"the header {name} says “{_shown(request.get(name))}” instead of {token}", at)


def _version_fault(request: Request) -> list[Fault]:
    said = request.get("Sec-WebSocket-Version")
    if said == "13":
        return []
    at = request.place("Sec-WebSocket-Version")
    # RFC 6455 §4.4: the answer names the version that is spoken.
    return [Fault(f"Sec-WebSocket-Version is “{_shown(said)}” instead of 13", at, 426 if at >= 0 else 400)]


def _key_fault(request: Request) -> list[Fault]:
    key, at = request.get("Sec-WebSocket-Key"), request.place("Sec-WebSocket-Key")
    if at < 0:
        return [Fault("Sec-WebSocket-Key is missing")]
    try:
        is_good = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        is_good = False
    return [] if is_good else [Fault("Sec-WebSocket-Key is not the base64 of 16 bytes", at)]


def _doubles(request: Request) -> list[Fault]:
    counts = Counter(name.lower() for name, _ in request.headers)
    spelled = {name.lower(): name for name, _ in reversed(request.headers)}
    return [
        Fault(f"the header {spelled[name]} stands there {counts[name]} times", request.place(name))
        for name in SINGLE
        if counts[name] > 1
    ]


def _shown(text: str) -> str:
    """Return a header's text for a sentence: short, printable, and never credentials."""
    kept = without_password(text.encode("utf-8", "replace")).decode("utf-8", "replace")[:40]
    return "".join(char if char.isprintable() else "·" for char in kept)


def _decoded(line: bytes) -> str:
    """Read a request line: some chargers send UTF-8 where percent-encoding is due."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")

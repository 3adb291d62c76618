"""Read the HTTP request with which a charger knocks: tolerantly, exactly, and without keeping the password. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from app.model.backend import IDENTITY_LIMIT, SAFE_IDENTITY
from app.model.frame import Handshake
from app.model.secret import MASK, Secret

HEADER_LIMIT = 16_384
"""Longest request head in bytes [OURS]; chargers send about 300."""

MAX_HEADERS = 100

WS_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""

SUBPROTOCOLS = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
"""Registered subprotocol → OCPP version (OCPP-J 1.6 §3.1.2, J201 §3.1.2 and J201 2.1 §3.1.2)."""

NOT_IDENTITIES = frozenset({"", ".", "..", "ocpp", "ocppj", "ocpp16", "ocpp1.6", "ws", "wss", "websocket", "services"})
"""Path segments that name a service, never a charger (SteVe, evcc and common CSMS paths)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")
"""RFC 9110 §5.6.2."""
_END = re.compile(rb"\r?\n\r?\n")
_LINE = re.compile(rb"\r?\n")
_CREDENTIALS = re.compile(
    rb"((?:authorization|cookie)[ \t]*:[ \t]*)(basic[ \t]+)?[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE
)
"""Also where the value goes on in further lines (RFC 9112 §5.2, obsolete but read)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request head taken apart. ``headers`` keep their order and spelling."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    deviations: tuple[str, ...]

    def get(self, name: str) -> str:
        """Return all values of a header joined by a comma; an empty text where it is missing."""
        wanted = name.lower()
        return ", ".join(value for key, value in self.headers if key.lower() == wanted)

    @property
    def wants_websocket(self) -> bool:
        """Say whether this is meant as an upgrade: any of the RFC 6455 headers will do."""
        return "websocket" in self.get("Upgrade").lower() or bool(self.get("Sec-WebSocket-Key"))


def end_of_head(data: bytes | bytearray) -> int:
    """Return where the head ends (behind the empty line), or -1. Bare line feeds are tolerated."""
    match = _END.search(data)
    return match.end() if match else -1


def parse_request(head: bytes) -> Request | None:
    """Take a request head apart; ``None`` where the first line is no HTTP request line."""
    lines = _LINE.split(head.rstrip(b"\r\n"))
    first = _decoded(lines[0]).split(" ")
    if len(first) < 2 or not first[0].isalpha():
        return None
    found = _line_faults(head, first)
    headers: list[tuple[str, str]] = []
    for line in lines[1 : MAX_HEADERS + 1]:
        text = line.decode("latin-1")
        name, colon, value = text.partition(":")
        if text[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {text.strip()}")
        elif not colon or not name.strip():
            found.append("a header line without a colon")
        else:
            headers.append((name.strip(), value.strip()))
    version = first[-1] if len(first) > 2 else ""
    target = " ".join(first[1:-1]) if len(first) > 2 else first[1]
    return Request(first[0], target[:2048], version[:16], tuple(headers), tuple(dict.fromkeys(found)))


def upgrade_faults(request: Request) -> tuple[str, ...]:
    """List the deviations from RFC 6455 §4.1 in an upgrade request, in words."""
    found = list(request.deviations)
    if request.method != "GET":
        found.append(f"method {request.method[:16]} instead of GET")
    if request.version != "HTTP/1.1":
        found.append(f"{request.version or 'no version'} instead of HTTP/1.1")
    if not request.get("Host"):
        found.append("the Host header is missing")
    if "websocket" not in request.get("Upgrade").lower():
        found.append("the header “Upgrade: websocket” is missing")
    if "upgrade" not in request.get("Connection").lower():
        found.append("the header “Connection: Upgrade” is missing")
    if request.get("Sec-WebSocket-Version") != "13":
        found.append(f"Sec-WebSocket-Version is “{request.get('Sec-WebSocket-Version')[:16]}” instead of 13")
    if not _is_key(request.get("Sec-WebSocket-Key")):
        found.append("Sec-WebSocket-Key is not the base64 of 16 bytes")
    return tuple(found)


def read_handshake(
    head: bytes, request: Request, expected: Callable[[str], Secret | None], *, remote: str, local: str
) -> Handshake:
    """Gather everything an upgrade request tells. ``expected`` gives the password an identity should send."""
    path = request.target
    user, password = credentials(request)
    identity, habits = identity_of(path)
    if "no-identity" in habits:
        identity = clean_identity(user or "") or f"unnamed@{remote.rpartition(':')[0] or remote}"
    offered = tuple(part.strip() for part in request.get("Sec-WebSocket-Protocol").split(",") if part.strip())[:16]
    return Handshake(
        raw=without_password(head),
        request_line=f"{request.method} {request.target} {request.version}".strip(),
        path=path,
        headers=tuple(_masked_header(name, value) for name, value in request.headers),
        identity=identity,
        subprotocols=offered,
        chosen_subprotocol=choose(offered),
        version=version_of(choose(offered)),
        user=user,
        has_password=password is not None,
        password_reading=reading(password, expected(identity)),
        remote=remote,
        local=local,
        deviations=upgrade_faults(request),
        url_habits=habits,
    )


def identity_of(path: str) -> tuple[str, tuple[str, ...]]:
    """Take the identity from the last path element (OCPP-J 1.6 §3.1.1), decoded and made harmless."""
    habits: list[str] = []
    bare, mark, _ = path.partition("?")
    bare, hash_mark, _ = bare.partition("#")
    if mark or hash_mark:
        habits.append("query")
    bare = re.sub(r"\A[a-z]+://[^/]*", "", bare, flags=re.IGNORECASE)
    if "//" in bare:
        habits.append("double-slash")
    if len(bare) > 1 and bare.endswith("/"):
        habits.append("trailing-slash")
    segments = [segment for segment in bare.split("/") if segment]
    last = segments[-1] if segments else ""
    name = clean_identity(urllib.parse.unquote(last, errors="replace"))
    if name.lower() in NOT_IDENTITIES:
        return "", (*habits, "no-identity")
    if len(segments) > 1 and clean_identity(urllib.parse.unquote(segments[-2], errors="replace")) == name:
        habits.append("doubled")
    if "%" in last:
        habits.append("escaped")
    if not SAFE_IDENTITY.match(urllib.parse.unquote(last, errors="replace")):
        habits.append("unsafe")
    if len(urllib.parse.unquote(last)) > IDENTITY_LIMIT:
        habits.append("cut" if len(urllib.parse.unquote(last)) > 2 * IDENTITY_LIMIT else "long")
    return name, tuple(habits)


def clean_identity(text: str) -> str:
    """Make a name harmless: no control or direction characters, no path separators, bounded."""
    kept = "".join(
        "_" if char in "/\\" or (unicodedata.category(char)[0] in "CZ" and char != " ") else char for char in text
    )
    return kept.strip()[: 2 * IDENTITY_LIMIT]


def credentials(request: Request) -> tuple[str | None, bytes | None]:
    """Decode HTTP Basic: user name as text and password as bytes; ``None`` for what was not sent or can't be read."""
    scheme, _, value = request.get("Authorization").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        decoded = base64.b64decode(value.strip() + "=" * (-len(value.strip()) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None, None
    user, colon, password = decoded.partition(b":")
    return user.decode("utf-8", "replace")[:256], password if colon else None


def reading(password: bytes | None, expected: Secret | None) -> str:
    """Say in which reading a password is the expected one: ``plain``, ``hex``, ``bytes``; else ``wrong`` or ``none``.

    Without an expectation the answer is an empty text for a password that can't be judged. AuthorizationKey travels
    as hex in three dialects (SEC16 §7.2; charge-points-in-practice).
    """
    if not expected:
        return ""
    if password is None:
        return "none"
    secret = expected.reveal()
    if password == secret.encode():
        return "plain"
    if password.lower() == secret.encode().hex().encode():
        return "hex"
    try:
        return "bytes" if password == bytes.fromhex(secret) else "wrong"
    except ValueError:
        return "wrong"


def choose(offered: tuple[str, ...]) -> str:
    """Pick the subprotocol to answer: the one the unit lists first (RFC 6455 §1.9), 1.6 also misspelt, else none."""
    offered = tuple(name for name in offered if _TOKEN.match(name))
    exact = [name for name in offered if name.lower() in SUBPROTOCOLS]
    loose = [name for name in offered if "1.6" in name or name.lower() in ("ocpp16", "ocpp", "ocpp1.6j", "ocpp16j")]
    return (exact or loose or [""])[0]


def version_of(chosen: str) -> str:
    """Return the OCPP version that goes with the chosen subprotocol; 1.6 is assumed where none was."""
    return SUBPROTOCOLS.get(chosen.lower(), "1.6")


def speaks_only_other(offered: tuple[str, ...]) -> bool:
    """Say whether a unit offers OCPP versions, but none that is spoken here."""
    return bool(offered) and not choose(offered) and any(name.lower().startswith("ocpp") for name in offered)


def accept_key(request: Request) -> str:
    """Compute Sec-WebSocket-Accept (RFC 6455 §4.2.2) over the key just as it was sent."""
    key = request.get("Sec-WebSocket-Key").encode("latin-1")
    return base64.b64encode(hashlib.sha1(key + WS_GUID, usedforsecurity=False).digest()).decode()


def without_password(data: bytes) -> bytes:
    """Mask the credentials in raw request bytes."""
    return _CREDENTIALS.sub(lambda match: match[1] + (match[2] or b"") + MASK.encode(), data)


def _decoded(line: bytes) -> str:
    """Read a request line: some chargers send UTF-8 where percent-encoding is due."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _masked_header(name: str, value: str) -> tuple[str, str]:
    if name.lower() not in ("authorization", "proxy-authorization", "cookie"):
        return name, value
    scheme = value.partition(" ")[0]
    return name, f"{scheme} {MASK}" if scheme.lower() == "basic" else MASK


def _line_faults(head: bytes, first: list[str]) -> list[str]:
    found = []
    if re.search(rb"(?<!\r)\n", head):
        found.append("lines end with a bare line feed")
    if len(first) != 3:
        found.append("the request line does not have three parts")
    return found


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False

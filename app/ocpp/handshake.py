"""Gather what an upgrade request tells: identity, versions, credentials; the password itself is not kept. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
import urllib.parse
from collections.abc import Callable

from app.model.backend import IDENTITY_LIMIT, SAFE_IDENTITY
from app.model.frame import Handshake, TlsSession
from app.model.secret import MASK, Secret
from app.ocpp.request import Request, upgrade_faults, without_password

WS_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""

SUBPROTOCOLS = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
"""Registered subprotocol → OCPP version (OCPP-J 1.6 §3.1.2, J201 §3.1.2 and J201 2.1 §3.1.2)."""

NOT_IDENTITIES = frozenset({"", ".", "..", "ocpp", "ocppj", "ocpp16", "ocpp1.6", "ws", "wss", "websocket", "services"})
"""Path segments that name a service, never a charger (SteVe, evcc and common CSMS paths)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")
"""RFC 9110 §5.6.2."""


def read_handshake(
    head: bytes,
    request: Request,
    expected: Callable[[str], Secret | None],
    *,
    remote: str,
    local: str,
    tls: TlsSession | None = None,
    is_strict: bool = False,
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
        deviations=tuple(fault.text for fault in upgrade_faults(request)),
        url_habits=habits,
        tls=tls,
        is_strict=is_strict,
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
    return basic_login(request.get("Authorization"))


def basic_login(field: str) -> tuple[str | None, bytes | None]:
    """Take an Authorization field apart (RFC 7617), in the same way."""
    scheme, _, value = field.partition(" ")
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
    same = hmac.compare_digest
    if same(password, secret.encode()):
        return "plain"
    if same(password.lower(), secret.encode().hex().encode()):
        return "hex"
    try:
        return "bytes" if same(password, bytes.fromhex(secret)) else "wrong"
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


def _masked_header(name: str, value: str) -> tuple[str, str]:
    if name.lower() not in ("authorization", "proxy-authorization", "cookie"):
        return name, value
    scheme = value.partition(" ")[0]
    return name, f"{scheme} {MASK}" if scheme.lower() == "basic" else MASK

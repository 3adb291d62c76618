"""One raw OCPP text, and what is known of the connection it came over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from app.model.finding import Finding


class Direction(Enum):
    """Seen from us."""

    IN = "in"
    OUT = "out"


class FrameKind(Enum):
    """What a frame is (OCPP-J 1.6 §4.2; the last two of J201 2.1 §4), or that it is none of these."""

    CALL = "call"
    RESULT = "result"
    ERROR = "error"
    BROKEN = "broken"
    SEND = "send"
    RESULT_ERROR = "result-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a TLS ClientHello offers (RFC 8446 §4.1.2), read from its bytes. Names as IANA registers them, best first.

    ``versions`` like ``TLS 1.2``; ``server_name`` is the SNI; ``raw`` is the record, at most 2,048 bytes.
    """

    versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    server_name: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What an X.509 certificate says; ``pem`` is its public text. Times UTC, ``fingerprint`` SHA-256 in hex."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    fingerprint: str = ""
    key: str = ""
    """Kind and size of its key: ``RSA 2048``, ``EC P-256``."""
    is_ca: bool = False
    pem: str = ""

    @property
    def fingerprint_text(self) -> str:
        """Return the fingerprint in pairs, as other programs show it."""
        return ":".join(self.fingerprint[at : at + 2] for at in range(0, len(self.fingerprint), 2)).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSession:
    """A TLS session of ours with a unit: what was agreed, and with which certificate of ours (``personality``)."""

    version: str
    suite: str
    personality: str
    hello: Hello
    peer: Certificate | None = None
    """The unit's own certificate (security profile 3)."""
    is_peer_trusted: bool = False
    """Its certificate was issued by our CA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldHost:
    """The name of a former backend under which a unit came to us, because a name server led it here.

    ``told_by`` says what shows it: ``TLS name``, ``Host header`` or ``DNS log``; ``knows`` whose name it is, empty for
    a stranger's.
    """

    name: str
    told_by: str
    knows: str = ""


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Frame:
    """A text as it went over the wire. ``seq`` counts up within this program's database and never repeats.

    To be treated as frozen; it is not, because two are made for every message and freezing takes 1.1 µs each.

    ``text`` is exact; ``raw`` is set only where the bytes never became text. ``action`` of an answer is that of its
    request. ``connection`` numbers the WebSocket connection. ``notes`` are short deviation codes.
    """

    seq: int
    at: datetime
    identity: str
    connection: int
    direction: Direction
    text: str
    kind: FrameKind
    uid: str = ""
    action: str = ""
    raw: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The HTTP upgrade exactly as sent, and what it tells. ``password`` facts never hold the password itself."""

    raw: bytes
    request_line: str
    path: str
    headers: tuple[tuple[str, str], ...]
    identity: str
    subprotocols: tuple[str, ...]
    chosen_subprotocol: str
    user: str | None = None
    has_password: bool = False
    password_reading: str = ""
    """``plain``, ``hex`` or ``bytes`` when it matches the expected secret in that reading; ``none``, ``wrong``."""
    remote: str = ""
    at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    local: str = ""
    """Our own address, to which the unit came."""
    deviations: tuple[str, ...] = ()
    """What in the request breaks HTTP/1.1 or RFC 6455 §4.1, in words."""
    url_habits: tuple[str, ...] = ()
    """What is odd in the dialled path: ``no-identity doubled double-slash trailing-slash query escaped unsafe cut``."""
    version: str = "1.6"
    """The OCPP version agreed, or assumed where none was: ``1.6``, ``2.0.1``, ``2.1``."""
    tls: TlsSession | None = None
    is_strict: bool = False
    """It came to a listener that refuses what the standard refuses."""
    old_host: OldHost | None = None
    """Whose name brought it here, where that is a former backend's."""

    @property
    def host(self) -> str:
        """Return the Host header as sent (RFC 9112 §3.2), empty where there is none."""
        return next((value for name, value in self.headers if name.lower() == "host"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A BootNotification: the standard's fields as sent (OCPP 1.6 §6.3), unit said nothing = empty text."""

    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    at: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """Anything that ever connected to our port and what became of it. ``first_bytes`` is at most 512 bytes."""

    seq: int
    at: datetime
    remote: str
    verdict: str
    """``accepted``, ``http``, ``tls``, ``soap``, ``empty``, ``garbage``, ``refused`` …"""
    text: str
    first_bytes: bytes = b""
    identity: str = ""
    local: str = ""
    """Our own address and port, to which it came."""
    hello: Hello | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MorePort:
    """A further port of our endpoint. If it is not open, ``trouble`` and ``advice`` say why, ``owner`` who has it."""

    port: int
    is_open: bool
    trouble: str = ""
    advice: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenState:
    """Where our endpoint listens. ``trouble``/``advice`` say why it does not; ``suggestion`` is a free port."""

    is_listening: bool
    host: str
    port: int
    connections: int = 0
    trouble: str = ""
    advice: str = ""
    suggestion: int = 0
    has_tls: bool = False
    """TLS is answered on the same port."""
    more: tuple[MorePort, ...] = ()
    """Further ports that were asked for, open or not."""

    @property
    def secure_url(self) -> str:
        """Return the base URL over TLS, empty where TLS is not answered."""
        return self.url.replace("ws://", "wss://", 1) if self.has_tls else ""

    @property
    def url(self) -> str:
        """Return the base URL a charger on this adapter must dial (identity not included)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A network adapter of this computer and one of its addresses."""

    name: str
    address: str
    is_loopback: bool = False

    @property
    def title(self) -> str:
        """Return name and address for a chooser."""
        return f"{self.name} · {self.address}"


class SourceHealth(Enum):
    """How a discovery source is."""

    OFF = "off"
    STARTING = "starting"
    WORKING = "working"
    LIMITED = "limited"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A discovery source's condition, in the technician's words."""

    source: str
    health: SourceHealth
    text: str = ""
    advice: str = ""

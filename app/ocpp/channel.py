"""What lies between a connection's bytes and its owner: messages up, texts down, and who decides."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from app.model.finding import Finding
from app.model.frame import Handshake, Hello
from app.model.observation import Observation, TlsFailed
from app.model.secret import Secret
from app.ocpp.manner import Manner

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one listener allows. Times in seconds; all values [OURS]."""

    first_s: float = 10.0
    """From accept to the end of the request head: also the bound for a slow-loris."""
    tls_s: float = 20.0
    """From accept to the end of the TLS handshake; small controllers compute for seconds."""
    closing_s: float = 1.0
    """How long a peer may take to answer our close."""
    ping_s: float = 60.0
    """A ping goes out after this much silence; some firmware breaks on frequent server pings (failures 11)."""
    silence_s: float = 300.0
    """After this much silence in spite of pings the connection counts as dead."""
    pending: int = 2048
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

    @property
    def pings(self) -> int:
        """Return how many pings we sent."""
        ...

    @property
    def pongs(self) -> int:
        """Return how many pongs came."""
        ...

    @property
    def peer_pings(self) -> int:
        """Return how many pings the unit sent."""
        ...

    @property
    def silent_s(self) -> float:
        """Return how long the unit has said nothing at all, pongs included."""
        ...

    @property
    def fault(self) -> str:
        """Say what the WebSocket layer objected to; empty = nothing."""
        ...

    @property
    def is_by_us(self) -> bool:
        """Say whether we began to close."""
        ...

    @property
    def login(self) -> Secret:
        """Return what the unit sent as ``Authorization``, where the listener keeps that; else an empty secret."""
        ...

    def send(self, text: str) -> None:
        """Send a text; raises LinkLost when the connection is closed."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start closing. Idempotent."""
        ...

    def abort(self) -> None:
        """Cut the connection without a word."""
        ...

    def hold(self) -> None:
        """Read nothing more from the unit for now. Idempotent."""
        ...

    def release(self) -> None:
        """Read on after ``hold``. Idempotent."""
        ...

    async def drained(self) -> None:
        """Wait while the unit takes in less than we send; returns when the connection is gone too."""
        ...


class Pipe(Protocol):
    """Where bytes go: an asyncio transport, or TLS in front of one."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def write_eof(self) -> None:
        """End our side."""
        ...

    def can_write_eof(self) -> bool:
        """Say whether our side can end alone."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...

    def is_closing(self) -> bool:
        """Say whether it is over."""
        ...

    def pause_reading(self) -> None:
        """Read nothing for now."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes in to somebody else."""
        ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell about the socket below."""
        ...


class Keeper(Protocol):
    """Who owns a listener."""

    def expected(self, identity: str) -> Secret | None:
        """Return the password that identity should send, if known."""
        ...

    @property
    def manners(self) -> Mapping[str, Manner]:
        """Return how identities are treated that are known already."""
        ...

    def manner(self, identity: str) -> Manner:
        """Return how an identity that was let in is treated."""
        ...

    def admit(self, handshake: Handshake, channel: Channel) -> Receiver:
        """Take a WebSocket peer in."""
        ...

    def knocked(
        self,
        verdict: str,
        text: str,
        remote: str,
        first: bytes,
        identity: str,
        *,
        local: str,
        hello: Hello | None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        """Learn what became of a peer."""
        ...

    def observed(self, observation: Observation) -> tuple[Finding, ...]:
        """Have something judged; return what it means."""
        ...

    def tls_failed(self, failed: TlsFailed) -> tuple[Finding, ...]:
        """Learn that a TLS handshake came to nothing; return what that means."""
        ...


def end_writing(pipe: Pipe) -> None:
    """End our side of a connection, if it is still there: a peer may have reset it at this very moment."""
    if pipe.can_write_eof() and not pipe.is_closing():
        with contextlib.suppress(OSError):
            pipe.write_eof()


def spelled(name: object) -> str:
    """Write a socket's address as ``host:port``."""
    if not isinstance(name, tuple) or len(name) < 2:
        return ""
    host = f"[{name[0]}]" if ":" in str(name[0]) else name[0]
    return f"{host}:{name[1]}"


def host_of(address: str) -> str:
    """Return the host of ``host:port``, without brackets."""
    return address.rpartition(":")[0].strip("[]") or address

"""Dial a backend over a WebSocket as a charge point does, and say in words why it would not be (J16 §3, SEC16 A00)."""

from __future__ import annotations

import asyncio
import base64
import functools
import logging
import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, NegotiationError, ProtocolError
from websockets.typing import Subprotocol

from app.bridge.target import Target
from app.errors import (
    AppError,
    AuthFailed,
    Busy,
    Garbled,
    NotReachable,
    Refused,
    TimedOut,
    TlsRejected,
    ValueRejected,
)
from app.model.backend import SecurityProfile, redact_url

OPEN_S = 30.0
"""How long TCP, TLS and the upgrade may take in all."""
CLOSE_S = 3.0
MAX_MESSAGE = 262_144
"""Longest message of a backend that is taken, in bytes: local lists and profiles are far shorter [OURS]."""
QUEUE = 8
"""Frames read ahead of what is worked on."""
LOWEST_TLS = ssl.TLSVersion.TLSv1_2
"""SEC16 A00.FR.313."""

E = TypeVar("E", bound=BaseException)

_quiet = logging.getLogger("rehome.bridge.wire")
_quiet.propagate = False
_quiet.addHandler(logging.NullHandler())


class _Dial(connect):
    """A dial that follows no redirection: the password is for the backend that was typed in."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Link(ClientConnection):
    """A connection that tells why TLS ended before the upgrade was answered (client certificates in TLS 1.3)."""

    _lost: Exception | None = None

    async def handshake(self, *args: Any, **options: Any) -> None:
        try:
            await super().handshake(*args, **options)
        except (InvalidHandshake, EOFError) as error:
            if isinstance(self._lost, ssl.SSLError):
                raise error from self._lost
            raise

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc
        super().connection_lost(exc)


async def dial(
    target: Target,
    *,
    local_address: str = "",
    limit_s: float = OPEN_S,
    max_bytes: int = MAX_MESSAGE,
    ping_s: float | None = None,
) -> ClientConnection:
    """Open the WebSocket; the backend has agreed to the subprotocol. Close it, or cancel what reads it.

    ``ping_s``: ping in this rhythm, and hang up where no answer comes within it; ``None`` = whoever dials pings.

    Raises NotReachable, TimedOut, TlsRejected, AuthFailed, Busy, Refused, ValueRejected or Garbled; no text holds the
    password.
    """
    options = await _options(target, local_address)
    try:
        link = await _Dial(
            target.full_url,
            subprotocols=[Subprotocol(target.subprotocol)] if target.subprotocol else None,
            compression=None,
            proxy=None,
            user_agent_header="Rehome",
            open_timeout=limit_s,
            ping_interval=ping_s,
            ping_timeout=ping_s,
            close_timeout=CLOSE_S,
            max_size=max_bytes,
            max_queue=QUEUE,
            logger=_quiet,
            create_connection=_Link,
            **options,
        )
    except (TimeoutError, OSError, InvalidHandshake, InvalidURI, ProtocolError, EOFError, ValueError) as error:
        raise _in_words(error, target) from error
    if (link.subprotocol or "") != target.subprotocol:
        await link.close(1002, "no common subprotocol")
        raise _unspoken(target)
    return link


async def _options(target: Target, local_address: str) -> dict[str, Any]:
    options: dict[str, Any] = {"additional_headers": _login(target)}
    if local_address:
        options["local_addr"] = (local_address, 0)
    is_tls = target.url.lower().startswith("wss:")
    if target.security_profile >= SecurityProfile.TLS_BASIC and not is_tls:
        raise ValueRejected(
            f"Security profile {int(target.security_profile)} needs an address that begins with wss://.",
            "Correct the backend's address in the site's file.",
        )
    if is_tls:
        options["ssl"] = await asyncio.to_thread(context_for, target)
    return options


def _login(target: Target) -> list[tuple[str, str]]:
    """Return the Basic login of profiles 1 and 2 (J16 §6.2.2): the bytes of the password as they are."""
    if target.security_profile not in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        return []
    told = target.secret.reveal()
    try:
        password = bytes.fromhex(told) if target.is_hex else told.encode()
    except ValueError as error:
        raise ValueRejected(
            "The password is meant to be in hexadecimal digits, and is not.", "Correct it in the site's file."
        ) from error
    login = base64.b64encode(target.identity.encode() + b":" + password).decode()
    return [("Authorization", f"Basic {login}")]


# TLS ----------------------------------------------------------------------------------------------------------------


def context_for(target: Target) -> ssl.SSLContext:
    """Return the TLS side of a target: its roots or the system's, the name checked, its certificate on profile 3.

    Raises ValueRejected on certificates or keys that can't be used.
    """
    is_client = target.security_profile == SecurityProfile.TLS_CLIENT
    try:
        if not is_client:
            return _shared(target.roots)
        context = _verifying(target.roots)
        _show(context, target.chain, target.key.reveal())
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ValueRejected(
            "A certificate or key of the site's file can't be used for TLS.",
            "Give the backend's roots, and for security profile 3 the unit's chain and key, as PEM.",
        ) from error
    return context


@functools.lru_cache(maxsize=64)
def _shared(roots: tuple[str, ...]) -> ssl.SSLContext:
    """Make one context for all units of a backend: the system's roots alone take a megabyte and 30 ms."""
    return _verifying(roots)


def _verifying(roots: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata="\n".join(roots) or None)
    context.minimum_version = LOWEST_TLS
    return context


def _show(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Load a client certificate; Python takes it from files only."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("chain.pem", "key.pem")]
        for path, text in zip(paths, (chain, key), strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
        context.load_cert_chain(paths[0], paths[1])


# In words -----------------------------------------------------------------------------------------------------------


def _in_words(error: BaseException, target: Target) -> AppError:
    where = redact_url(target.url)
    cause = _cause(error, ssl.SSLError)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TlsRejected(
            f"The backend's certificate is not trusted: {cause.verify_message}.",
            "Give the backend's root certificate in the site's file, and check its name and this computer's clock.",
        )
    if cause is not None:
        return TlsRejected(
            f"TLS with {where} failed: {_reason(cause)}.",
            "Check the port, and on security profile 3 whether the backend knows the unit's certificate.",
        )
    is_tls = target.url.lower().startswith("wss:")
    if is_tls and (_cause(error, EOFError) or _cause(error, ConnectionResetError)):
        return TlsRejected(
            f"{where} hung up without a word once TLS had begun.",
            "Check the port, and on security profile 3 whether the backend knows the unit's certificate.",
        )
    if isinstance(error, InvalidStatus):
        return _status(error.response.status_code, target)
    if isinstance(error, NegotiationError):
        return _unspoken(target)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where} did not answer in time.", "Check the address, and the way out of this network.")
    if isinstance(error, socket.gaierror):
        return NotReachable(f"The name in {where} can't be resolved.", "Check the name, and this computer's DNS.")
    if isinstance(error, OSError):
        return NotReachable(
            f"{where} can't be reached: {_told(error)}.", "Check the address, and the way out of this network."
        )
    if isinstance(error, InvalidURI) or (isinstance(error, ValueError) and not isinstance(error, InvalidHandshake)):
        return ValueRejected(f"{where} is no address that can be dialled.", "Correct it in the site's file.")
    return Garbled(f"What answers at {where} is no WebSocket server.", "Check port and path of the address.")


def _status(status: int, target: Target) -> AppError:
    """Say what an HTTP answer means (connection-failures, "HTTP answer to an upgrade")."""
    where = redact_url(target.url)
    if status == 401:
        return AuthFailed(
            f"The backend refuses the password of {target.identity} (401).",
            "Set the same password on both sides; some backends want it in hexadecimal.",
        )
    if status == 403:
        return AuthFailed(
            f"The backend lets {target.identity} not in (403).", "Unlock the unit there, or give it its certificate."
        )
    if status == 404:
        return Refused(
            f"The backend knows no {target.identity} at {where} (404).",
            "Create the unit in the backend under this identity, and check the address's path.",
        )
    if status in (429, 503):
        return Busy(f"The backend is overloaded or closed ({status}).", "Nothing to do: it is dialled again.")
    if 300 <= status < 400:
        return Refused(f"The backend sends us elsewhere ({status}).", "Enter the address it really has.")
    return Refused(f"The backend refuses the connection ({status}).", "Ask whoever runs it for the reason.")


def _unspoken(target: Target) -> AppError:
    return Refused(
        f"The backend does not agree to {target.subprotocol}.",
        "Choose the OCPP version that this backend's address is for.",
    )


def _cause(error: BaseException, kind: type[E]) -> E | None:
    """Find what is behind a failure: TLS that ends after its handshake comes wrapped in a broken upgrade."""
    seen: BaseException | None = error
    for _ in range(4):
        if isinstance(seen, kind) or seen is None:
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "the line was cut").replace("_", " ").lower()


def _told(error: OSError) -> str:
    return error.strerror or type(error).__name__

"""The TLS faces we can put on: an SSL context for each personality, strictness and name a unit asks for.

Resumption is off where the library lets us: a unit that resumes a session would not look at our certificate again.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import BadCertificate
from app.model.frame import Certificate, Hello
from app.trust import describe, making
from app.trust.authority import Authority
from app.trust.imported import Imported

KEPT = 64
"""Contexts kept ready; the longest unused goes."""
_NO_CHECK_TIME = 0x200000
_IGNORE_CRITICAL = 0x10
"""X509_V_FLAG_NO_CHECK_TIME and X509_V_FLAG_IGNORE_CRITICAL (openssl/x509_vfy.h); ``ssl`` has no names for them."""
_CLIENT_CERTIFICATE, _HANDSHAKE, _TLS13 = 11, 22, 0x0304
_STRICT_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:RSA+AESGCM"
"""The four suites of SEC16 A00.FR.318 and their modern kin."""
_ALL_SUITES = "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"


@dataclass(slots=True)
class Outfit:
    """A face for one connection. ``shown`` collects the certificates (DER) the unit shows, before they are judged."""

    context: ssl.SSLContext
    personality: str
    served: Certificate
    shown: list[bytes] = field(default_factory=list)
    asks: bool = False
    trusts: Callable[[str], bool] = lambda _: False
    """Says whether our CA signed a certificate (PEM)."""


class Wardrobe:
    """Chooses and keeps contexts."""

    def __init__(self, authority: Authority, names: Callable[[], tuple[str, ...]]) -> None:
        self.authority = authority
        self.imported: Imported | None = None
        self._names = names
        self._kept: OrderedDict[tuple[str, ...], tuple[ssl.SSLContext, Certificate]] = OrderedDict()

    def use(self, imported: Imported | None) -> None:
        """Show this certificate as the personality ``imported``."""
        self.imported = imported
        self._kept.clear()

    def dress(
        self, personality: str, hello: Hello, local: str, *, is_strict: bool = False, asks: bool = False
    ) -> Outfit:
        """Return a face for a unit that sent ``hello`` to our address ``local``; ``asks`` for its certificate.

        Raises BadCertificate.
        """
        face = personality
        if personality == "auto":
            face = "rsa" if can_rsa(hello) else "ec"
        names = self._names_for(hello.server_name, local)
        place = (face, str(is_strict), *(() if face == "imported" else names))
        if asks:  # it learns whom to trust while it shakes hands, so it is nobody else's
            context, served = self._made(face, names, is_strict)
            outfit = Outfit(context, personality, served, asks=True, trusts=self.authority.has_issued)
            self._ask(outfit, is_strict)
            return outfit
        if place not in self._kept or self._is_stale(self._kept[place][1]):
            self._kept[place] = self._made(face, names, is_strict)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return Outfit(self._kept[place][0], personality, self._kept[place][1])

    def _names_for(self, asked: str, local: str) -> tuple[str, ...]:
        """Put the name the unit asked for first, else the address it dialled; behind it all other names of ours."""
        first = asked if making.is_host(asked) else local
        return tuple(dict.fromkeys(name for name in (first, local, *self._names()) if making.is_host(name)))

    def _made(self, face: str, names: tuple[str, ...], is_strict: bool) -> tuple[ssl.SSLContext, Certificate]:
        if face == "imported":
            if self.imported is None:
                raise BadCertificate("No certificate was imported.", "Import one, or choose another TLS personality.")
            chain, key = self.imported.chain_pem, self.imported.key_pem.reveal()
        else:
            chain, key = self.authority.leaf(face, names)
        return _context(face, chain, key, is_strict), describe.describe(chain)

    def _is_stale(self, served: Certificate) -> bool:
        return served.not_after is not None and served.not_after - self.authority.now() < making.RENEW

    def _ask(self, outfit: Outfit, is_strict: bool) -> None:
        context = outfit.context
        if is_strict:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.authority.trusted_pem())
        else:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME | _IGNORE_CRITICAL
        see_certificates(outfit, trusts_them=not is_strict)


def see_certificates(outfit: Outfit, *, trusts_them: bool) -> None:
    """See the certificate a unit shows before the library judges it, and have it taken whoever signed it.

    The debugging hook of ``ssl`` (a private name, pinned by a test) runs before the check, also within TLS 1.3's
    encryption; a certificate that is itself in the store ends the search for an issuer (decision 0017).
    """

    def saw(connection: object, direction: str, version: int, content: int, kind: int, data: bytes) -> None:  # noqa: ARG001
        if direction == "read" and content == _HANDSHAKE and kind == _CLIENT_CERTIFICATE and not outfit.shown:
            der = first_certificate(data, is_13=version == _TLS13)
            if der:
                outfit.shown.append(der)
                if trusts_them:
                    with contextlib.suppress(ssl.SSLError):
                        outfit.context.load_verify_locations(cadata=der)

    outfit.context._msg_callback = saw  # type: ignore[attr-defined]


def first_certificate(message: bytes, *, is_13: bool) -> bytes:
    """Take the unit's own certificate (DER) from a Certificate message (RFC 5246 §7.4.6, RFC 8446 §4.4.2)."""
    at = 4 + (1 + message[4] if is_13 and len(message) > 4 else 0) + 3
    size = int.from_bytes(message[at : at + 3], "big")
    return message[at + 3 : at + 3 + size] if len(message) >= at + 3 + size else b""


def can_rsa(hello: Hello) -> bool:
    """Say whether a unit can work with an RSA certificate; most can, and most backends show one."""
    if "TLS 1.3" in hello.versions and any(name.startswith("rsa_pss_rsae") for name in hello.signatures):
        return True
    return any("_RSA_WITH_" in name and "ECDH_RSA" not in name for name in hello.suites) or not hello.suites


def _context(face: str, chain: str, key: str, is_strict: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_ciphers(_STRICT_SUITES if is_strict else _ALL_SUITES)
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if is_strict else ssl.TLSVersion.MINIMUM_SUPPORTED
    if face == "tls12":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    elif face == "tls13":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_NONE
    _load(context, chain, key)
    return context


def _load(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Give a context its certificate; the library reads files only, so there is one for a moment, for us alone."""
    handle, name = tempfile.mkstemp(prefix="rehome-", suffix=".pem")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(key + chain)
        context.load_cert_chain(name)
    except (ssl.SSLError, OSError) as error:
        raise BadCertificate(f"The certificate can't be used: {error}.", "Choose another one.") from error
    finally:
        Path(name).unlink(missing_ok=True)

"""How a simulated unit speaks TLS: what it trusts, what it checks, what it offers, and how it says no."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import cast

from cryptography import x509
from cryptography.x509.oid import NameOID


class NameCheck(Enum):
    """Which name of the server's certificate a unit compares with the host it dialled."""

    STANDARD = "standard"
    """Subject alternative names, as RFC 6125 and every browser do."""
    COMMON_NAME = "common name"
    """The common name alone, letter for letter: no alternative name, no wildcard (SEC16 A00.FR.510 read literally)."""
    NONE = "none"
    """Any name will do."""


@dataclass(slots=True)
class DialTls:
    """The TLS client of a unit. Roots, certificate and key are PEM texts; ``ciphers`` is an OpenSSL list.

    ``verifies=False`` is a unit that accepts any certificate. TLS 1.2 is what SEC16 A00.FR.313 demands at least.
    """

    roots: tuple[str, ...] = ()
    verifies: bool = True
    names: NameCheck = NameCheck.STANDARD
    sends_sni: bool = True
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    highest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    ciphers: str = ""
    chain: str = ""
    key: str = ""

    def context(self, line: socket.socket, host: str) -> ssl.SSLContext:
        """Build the context for one connection over ``line``; raises ssl.SSLError on unusable certificates."""
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.line = line
        context.awaited_name = host if self.verifies and self.names is NameCheck.COMMON_NAME else ""
        context.check_hostname = self.verifies and self.names is NameCheck.STANDARD
        context.verify_mode = ssl.CERT_REQUIRED if self.verifies else ssl.CERT_NONE
        context.minimum_version = self.lowest
        context.maximum_version = self.highest
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.roots:
            context.load_verify_locations(cadata="\n".join(self.roots))
        if self.chain:
            _load_chain(context, self.chain, self.key)
        return context


class _Object(ssl.SSLObject):
    """A TLS session that sends its alert before it gives up: asyncio would drop it with the connection."""

    line: socket.socket
    outgoing: ssl.MemoryBIO
    awaited_name: str

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            with suppress(OSError):
                self.line.send(self.outgoing.read())
            raise
        self._check_common_name()

    def _check_common_name(self) -> None:
        if not self.awaited_name:
            return
        leaf = x509.load_der_x509_certificate(self.getpeercert(binary_form=True) or b"")
        names = [entry.value for entry in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if self.awaited_name not in names:
            raise ssl.SSLCertVerificationError(f"common name {names} is not {self.awaited_name}")


class _Context(ssl.SSLContext):
    sslobject_class = _Object
    line: socket.socket
    awaited_name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        made = cast(_Object, super().wrap_bio(incoming, outgoing, server_side, server_hostname, session))
        made.line, made.outgoing, made.awaited_name = self.line, outgoing, self.awaited_name
        return made


def _load_chain(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Load a client certificate; Python takes it from files only."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("chain.pem", "key.pem")]  # noqa: PTH118
        for path, text in zip(paths, (chain, key), strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        context.load_cert_chain(*paths)

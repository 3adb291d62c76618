"""Everything about trust as one object: our authority, the faces for TLS, an imported certificate. Loaded when needed.

``cryptography`` takes a tenth of a second to load and our own authority another to be made: neither happens before
somebody speaks TLS to us or asks for a certificate.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import BadCertificate, StoreError
from app.model.frame import Certificate
from app.model.secret import Secret

if TYPE_CHECKING:
    from app.trust.authority import Authority, Keep
    from app.trust.imported import Imported
    from app.trust.wardrobe import Wardrobe

READ_LIMIT = 1_000_001
"""Bytes read of a certificate's file; one more than is accepted."""
NAMES_S = 10.0
"""How long the list of our own addresses is believed."""


class TrustDesk:
    """Certificates of this computer. ``addresses`` lists the addresses of its adapters."""

    def __init__(self, keep: Keep, folder: Path, addresses: Callable[[], Iterable[str]]) -> None:
        self._keep = keep
        self._folder = folder
        self._addresses = addresses
        self._authority: Authority | None = None
        self._wardrobe: Wardrobe | None = None
        self._names: tuple[float, tuple[str, ...]] = (-NAMES_S, ())

    @property
    def authority(self) -> Authority:
        """Return our certificate authority, made when it is first used."""
        if self._authority is None:
            from app.trust.authority import Authority

            self._authority = Authority.open(self._keep, self._folder)
        return self._authority

    def wardrobe(self) -> Wardrobe:
        """Return our faces for TLS."""
        if self._wardrobe is None:
            from app.trust.wardrobe import Wardrobe

            self._wardrobe = Wardrobe(self.authority, self.names)
            self._wardrobe.use(self._kept())
        return self._wardrobe

    @property
    def imported(self) -> Certificate | None:
        """Return what stands in the imported certificate."""
        kept = self.wardrobe().imported
        return kept.certificate if kept else None

    async def prepared(self) -> Certificate:
        """Read or make our authority without holding up anybody else; return its root. Raises BadCertificate."""
        await asyncio.to_thread(self.authority.prepare)
        return self.authority.root

    def save_root(self, path: Path, kind: str = "") -> None:
        """Write the root's certificate; the file's name says the form. Raises BadCertificate, StoreError."""
        data = self.authority.export(kind or path.suffix.lower().lstrip(".") or "pem")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise StoreError(f"{path} can't be written: {error.strerror or error}.", "Choose another place.") from error

    def take_file(self, path: Path, *, key: Path | None = None, password: Secret | None = None) -> Imported:
        """Import a certificate from files. Raises BadCertificate."""
        return self.take(_read(path), key=_read(key) if key else b"", password=password)

    def take(self, data: bytes, *, key: bytes = b"", password: Secret | None = None) -> Imported:
        """Import a certificate with its key (PEM or PKCS#12) and keep it. Raises BadCertificate."""
        from app.trust import imported

        wardrobe = self.wardrobe()
        read = imported.read(data, key=key, password=password, now=self.authority.now())
        imported.save(read, self._path, self.authority.lock())
        wardrobe.use(read)
        return read

    def forget(self) -> None:
        """Drop the imported certificate and its key."""
        self._path.unlink(missing_ok=True)
        self.wardrobe().use(None)

    def check(self, personality: str) -> None:
        """Make sure that a personality can be shown. Raises BadCertificate."""
        if personality == "imported" and self.imported is None:
            raise BadCertificate("No certificate was imported.", "Import one first, or choose another personality.")

    def names(self) -> tuple[str, ...]:
        """List every name and address of this computer that can stand in a certificate."""
        read_s, names = self._names
        if time.monotonic() - read_s > NAMES_S:
            host = socket.gethostname().partition(".")[0]
            names = (*self._addresses(), socket.gethostname(), host, f"{host}.local", "localhost", "127.0.0.1")
            names = tuple(dict.fromkeys(name for name in names if name))
            self._names = (time.monotonic(), names)
        return names

    @property
    def _path(self) -> Path:
        return self._folder / "imported.pem"

    def _kept(self) -> Imported | None:
        from app.trust import imported

        try:
            return imported.read(self._path.read_bytes(), password=self.authority.lock(), now=self.authority.now())
        except (OSError, BadCertificate):
            return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(READ_LIMIT)
    except OSError as error:
        raise BadCertificate(f"{path} can't be read: {error.strerror or error}.", "Check the path.") from error

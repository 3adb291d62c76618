"""The long errands of a simulated unit: uploading a log, updating the firmware. One of each kind at a time.

Sequences: OCPP 1.6 §4.3 and §4.5, SEC16 L01 and N01, 2.0.1 part 2 L01 and N01.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import posixpath
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from app.scope import Scope
from app.sim.certificates import UNREADABLE, certificates_in
from app.sim.clock import Clock
from app.sim.fault import Fault
from app.sim.transfer import TransferFailed, download, upload

STEP_S = 1.0
"""What each stage of an installation takes, unscaled."""
MAX_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogErrand:
    """An upload that was ordered. ``words``: how Uploading, Uploaded and failure are called in this version."""

    location: str
    name: str
    content: bytes
    request_id: int | None = None
    retries: int = 0
    interval_s: float = 10.0
    words: tuple[str, str, str] = ("Uploading", "Uploaded", "UploadFailure")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareErrand:
    """An update that was ordered. ``is_signed``: the sequence with signature and InstallRebooting."""

    location: str
    request_id: int | None = None
    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    retries: int = 0
    interval_s: float = 10.0
    is_signed: bool = False
    certificate: str = ""
    signature: str = ""


class Unit(Protocol):
    """What an errand needs of the unit that runs it."""

    clock: Clock
    time_scale: float
    faults: set[Fault]

    def tell_log(self, status: str, request_id: int | None) -> None:
        """Tell how an upload goes."""

    def tell_firmware(self, status: str, request_id: int | None) -> None:
        """Tell how an update goes."""

    async def restart_with(self, firmware: str) -> None:
        """Restart with a new firmware version (empty = the same), and return once it is accepted again."""


@dataclass(slots=True)
class Errands:
    """Runs errands for a unit in its scope."""

    unit: Unit
    scope: Scope
    log_status: str = "Idle"
    log_id: int | None = None
    firmware_status: str = "Idle"
    firmware_id: int | None = None
    _log: asyncio.Task[None] | None = field(default=None, repr=False)
    _update: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def is_uploading(self) -> bool:
        """Say whether an upload runs."""
        return self._log is not None and not self._log.done()

    @property
    def is_updating(self) -> bool:
        """Say whether an update runs."""
        return self._update is not None and not self._update.done()

    def send_log(self, errand: LogErrand) -> None:
        """Begin to upload; an upload that runs is cancelled."""
        if self._log is not None and not self._log.done():
            self._log.cancel()
        self._log = self.scope.isolated("log", self._upload(errand))

    def update(self, errand: FirmwareErrand) -> None:
        """Begin to update; an update that runs is cancelled."""
        if self._update is not None and not self._update.done():
            self._update.cancel()
        self._update = self.scope.isolated("firmware", self._install(errand))

    # Inside

    async def _upload(self, errand: LogErrand) -> None:
        begins, ends, fails = errand.words
        self._say_log(begins, errand)

        async def attempt() -> None:
            await upload(errand.location, errand.name, errand.content)

        is_there = await self._tried(attempt, errand.retries, errand.interval_s)
        self._say_log(ends if is_there else fails, errand)
        self.log_status, self.log_id = "Idle", None

    async def _install(self, errand: FirmwareErrand) -> None:
        if await self._wait_until(errand.retrieve_at, lambda: self._say_scheduled("DownloadScheduled", errand)):
            return
        self._say("Downloading", errand)
        image = await self._fetched(errand)
        if image is None:
            self._say("DownloadFailed", errand)
            return
        self._say("Downloaded", errand)
        if errand.is_signed and errand.certificate:
            if not is_genuine(image, errand.certificate, errand.signature):
                self._say("InvalidSignature", errand)
                return
            self._say("SignatureVerified", errand)
        if await self._wait_until(errand.install_at, lambda: self._say_scheduled("InstallScheduled", errand)):
            return
        await self._apply(errand)

    async def _apply(self, errand: FirmwareErrand) -> None:
        self._say("Installing", errand)
        await asyncio.sleep(STEP_S * self.unit.time_scale)
        if errand.is_signed:
            self._say("InstallRebooting", errand)
        await asyncio.sleep(STEP_S * self.unit.time_scale)
        await self.unit.restart_with(version_in(errand.location))
        self._say("Installed", errand)
        self.firmware_status, self.firmware_id = "Idle", None

    async def _fetched(self, errand: FirmwareErrand) -> bytes | None:
        found: list[bytes] = []

        async def attempt() -> None:
            found.append(await download(errand.location))

        if await self._tried(attempt, errand.retries, errand.interval_s):
            return found[0]
        return b"" if Fault.CLAIMS_INSTALLED in self.unit.faults else None

    async def _tried(self, attempt: Callable[[], Awaitable[None]], retries: int, interval_s: float) -> bool:
        for number in range(max(0, min(retries, 10)) + 1):
            if number:
                await asyncio.sleep(min(interval_s, MAX_WAIT_S) * self.unit.time_scale)
            try:
                await attempt()
            except TransferFailed:
                continue
            return True
        return False

    async def _wait_until(self, at: datetime | None, tell: Callable[[], None]) -> bool:
        """Wait for a time and say so; tells whether it is too far away to be waited for."""
        left_s = (at - self.unit.clock.now()).total_seconds() if at else 0.0
        if left_s <= 1.0:
            return False
        tell()
        if left_s > MAX_WAIT_S:
            return True
        await asyncio.sleep(left_s)
        return False

    def _say_scheduled(self, status: str, errand: FirmwareErrand) -> None:
        """Tell that it waits; the core of 1.6 has no word for that."""
        if errand.is_signed:
            self._say(status, errand)

    def _say_log(self, status: str, errand: LogErrand) -> None:
        self.log_status, self.log_id = status, errand.request_id
        self.unit.tell_log(status, errand.request_id)

    def _say(self, status: str, errand: FirmwareErrand) -> None:
        self.firmware_status, self.firmware_id = status, errand.request_id
        self.unit.tell_firmware(status, errand.request_id)


def version_in(location: str) -> str:
    """Return the version that an image's name tells, empty where it tells none."""
    name = posixpath.basename(location.partition("?")[0])
    found = re.search(r"\d+(?:\.\d+){1,3}", name)
    return found.group() if found else ""


def is_genuine(image: bytes, certificate: str, signature: str) -> bool:
    """Verify an image's signature over SHA-256: RSA-PSS, RSA PKCS#1 or ECDSA (L01.FR.12)."""
    found = certificates_in(certificate)
    try:
        sign = base64.b64decode(signature, validate=True)
        return bool(found) and _fits(found[0], sign, image)
    except (binascii.Error, *UNREADABLE):
        return False


def _fits(certificate: x509.Certificate, sign: bytes, image: bytes) -> bool:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _is_verified(lambda: key.verify(sign, image, ec.ECDSA(hashes.SHA256())))
    if isinstance(key, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
        return any(
            _is_verified(lambda scheme=scheme: key.verify(sign, image, scheme, hashes.SHA256()))  # type: ignore[misc]
            for scheme in (pss, padding.PKCS1v15())
        )
    return False


def _is_verified(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


def log_text(clock: Clock, kind: str, lines: list[str]) -> bytes:
    """Make a log file of a unit, bounded."""
    head = f"# {kind} of a simulated unit, written {clock.text()}"
    return ("\n".join([head, *lines[-2000:]]) + "\n").encode()

"""Firmware to a charger, and diagnostics and logs from it, watched to the very end.

The charger's word is not enough: some say Uploaded and sent nothing, some say Installed from a dead address
(charge-points-in-practice: “Accepted is not applied”). What counts is what went through our own file service.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from app.errors import NotSupported, Refused, StoreError
from app.feed import Feed
from app.model.transfer import Carrier, FileMove, Received, Stage, Ticket
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.services.following import Back, Following, Gone, Notice, following
from app.ocpp.services.transferwords import BAD, GOOD, StatusSeen, firmware_oddities

_request_ids = itertools.count(int(datetime.now(UTC).timestamp()) & 0x3FFFFFF)

SIGNATURE_LIMIT, CERTIFICATE_LIMIT = 800, 5500
"""Characters of FirmwareType (SEC16, P2-201: the schemas' maxLength)."""
TRIES16 = 1
"""OCPP 1.6 counts in ``retries`` how often it must try; from SEC16 on it is the further tries, and 0 is none."""
FIRMWARE_NOTICES = ("FirmwareStatusNotification", "SignedFirmwareStatusNotification")
LOG_NOTICES = ("DiagnosticsStatusNotification", "LogStatusNotification")


class FileDesk(Protocol):
    """The file service, as far as transfers need it (``standin.fileservice.FileService``)."""

    @property
    def moves(self) -> Feed[FileMove]:
        """Return the feed of what happens to files."""
        ...

    def offering(
        self, path: Path, *, identity: str, purpose: str, host: str, carrier: Carrier = Carrier.HTTP
    ) -> AbstractAsyncContextManager[Ticket]:
        """Let a charger fetch a file inside the block."""
        ...

    def expecting(
        self, *, identity: str, purpose: str, host: str, carrier: Carrier = Carrier.HTTP
    ) -> AbstractAsyncContextManager[Ticket]:
        """Let a charger deliver files inside the block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a transfer takes place: the file service, our address as the charger sees it, who dials."""

    files: FileDesk
    host: str
    arrivals: Feed[Endpoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds [OURS]."""

    quiet_s: float = 180.0
    """Longest silence of status and file alike; a download on a bad line, an installation with a restart."""
    away_s: float = 1200.0
    """Longest absence while it restarts (FoxESS needs 19 minutes)."""
    settle_s: float = 15.0
    """How long file and status wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is, for a bar. Bytes; ``total`` 0 = not known."""

    text: str
    status: str = ""
    bytes: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a transfer ended. ``is_done`` only with proof: the file came, or was fetched whole and Installed was told."""

    is_done: bool
    text: str
    advice: str = ""
    statuses: tuple[StatusSeen, ...] = ()
    received: tuple[Received, ...] = ()
    fetched: int = 0
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Firmware to offer. ``signature`` and ``certificate`` (PEM) for signed updates; ``is_test``: it is none."""

    path: Path
    signature: str = ""
    certificate: str = ""
    is_test: bool = False

    @property
    def is_signed(self) -> bool:
        """Say whether there is something to verify."""
        return bool(self.signature and self.certificate)


async def image_of(path: Path) -> Image:
    """Return an image with the signature and certificate of its maker, where ``<file>.sig`` and ``<file>.pem`` lie by.

    The signature is Base64 (SEC16 L01); one in bytes is turned into it. Raises StoreError.
    """
    signature, certificate = await asyncio.to_thread(_papers, path)
    return Image(path=path, signature=signature, certificate=certificate)


def _papers(path: Path) -> tuple[str, str]:
    files = [path.with_name(path.name + ending) for ending in (".sig", ".pem")]
    if not all(file.is_file() for file in files):
        return "", ""
    try:
        signature, certificate = (_bounded(file) for file in files)
    except OSError as error:
        raise StoreError(f"The signature can't be read: {error.strerror}.", "Check its permissions.") from error
    text = signature.strip()
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        text = base64.b64encode(signature)
    if len(text) > SIGNATURE_LIMIT or len(certificate) > CERTIFICATE_LIMIT:
        raise StoreError("Signature or certificate is too long for OCPP.", "Take the files its maker made for OCPP.")
    return text.decode("ascii"), certificate.decode("ascii", "replace")


def _bounded(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(2 * CERTIFICATE_LIMIT)


Tell = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Tell nobody."""


async def fetch_diagnostics(
    endpoint: Endpoint,
    site: Site,
    *,
    kind: str = "diagnostics",
    carrier: Carrier = Carrier.HTTP,
    since: datetime | None = None,
    tell: Tell = silent,
    patience: Patience | None = None,
) -> Outcome:
    """Ask for a file and wait until it lies here. Cancel the coroutine to give up; then nothing is taken any more.

    ``kind``: ``diagnostics``, or ``security`` for the security log (GetLog; 1.6 with its security extension, and 2.x).
    Raises NotSupported, Refused, LinkError, ServerError, DiskFull.
    """
    patience = patience or Patience()
    async with (
        site.files.expecting(
            identity=endpoint.identity, purpose=f"{kind} log", host=site.host, carrier=carrier
        ) as ticket,
        following(endpoint, site.arrivals, LOG_NOTICES, site.files.moves, ticket.token) as news,
    ):
        named = await _ask_for_log(endpoint, kind, ticket.location, since)
        tell(Progress(text="The charger was asked for its log."))
        return await _Delivery(tell, named, patience).run(news)


async def _ask_for_log(endpoint: Endpoint, kind: str, location: str, since: datetime | None) -> str:
    start = v16.stamp(since) if since is not None else ""
    if endpoint.version == "1.6" and kind == "diagnostics":
        payload: dict[str, Any] = {"location": location, "retries": TRIES16}
        answer = await endpoint.call("GetDiagnostics", payload | ({"startTime": start} if start else {}))
        name = v16.text(answer.get("fileName"), 255)
        if not name:
            raise Refused(
                "The charger names no file, so it has no diagnostics to send (OCPP 1.6 §6.26).",
                "Ask for an earlier start, or take the log at the charger.",
            )
        return name
    log: dict[str, Any] = {"remoteLocation": location}
    request = {
        "logType": "SecurityLog" if kind == "security" else "DiagnosticsLog",
        "requestId": next(_request_ids),
        "retries": 0,
        "log": log | ({"oldestTimestamp": start} if start else {}),
    }
    answer = await endpoint.call("GetLog", request)
    status = v16.text(answer.get("status"), 50)
    if status not in ("Accepted", "AcceptedCanceled"):
        raise Refused(f"The charger refuses to send its log ({status}).", "Try the other kind of log.")
    return v16.text(answer.get("filename"), 255)


class _Watch(ABC):
    """What both directions watch: statuses, restarts, silence."""

    def __init__(self, tell: Tell, patience: Patience) -> None:
        self.tell = tell
        self.patience = patience
        self.statuses: list[StatusSeen] = []
        self.received: list[Received] = []
        self.fetched = 0
        self._is_away = False

    @property
    def status(self) -> str:
        return self.statuses[-1].status if self.statuses else ""

    def _wait_s(self) -> float:
        return self.patience.away_s if self._is_away else self.patience.quiet_s

    async def run(self, news: Following) -> Outcome:
        while True:
            match await news.next(self._wait_s()):
                case None:
                    return self.silence()
                case Notice(payload=payload):
                    self._noticed(v16.text(payload.get("status"), 50))
                case Gone():
                    self._is_away = True
                    self.tell(Progress(text="The charger hung up; waiting for it to dial again.", status=self.status))
                case Back():
                    self._is_away = False
                    self.tell(Progress(text="The charger is back.", status=self.status))
                case FileMove() as move:
                    self._moved(move)
            if (outcome := self.verdict()) is not None:
                return outcome

    def _noticed(self, status: str) -> None:
        seen = StatusSeen(status=status, at=datetime.now(UTC))
        if status != self.status:
            self.statuses.append(seen)
        del self.statuses[:-50]
        self.tell(Progress(text=seen.meaning, status=status, bytes=self.fetched))

    def _moved(self, move: FileMove) -> None:
        self.fetched = max(self.fetched, move.bytes) if move.received is None else move.bytes
        if move.received is not None:
            self.received.append(move.received)
        words = {Stage.STARTED: "The file begins to move.", Stage.DONE: "The file is through."}
        text = words.get(move.stage, "") or (f"The file broke off: {move.text}" if move.stage is Stage.FAILED else "")
        self.tell(Progress(text=text, status=self.status, bytes=move.bytes, total=move.total))

    @abstractmethod
    def verdict(self) -> Outcome | None:
        """Say how it ended, if it did."""

    @abstractmethod
    def silence(self) -> Outcome:
        """Say what to make of it when nothing happens any more."""

    def outcome(self, is_done: bool, text: str, advice: str = "", oddities: tuple[str, ...] = ()) -> Outcome:
        return Outcome(
            is_done=is_done,
            text=text,
            advice=advice,
            statuses=tuple(self.statuses),
            received=tuple(self.received),
            fetched=self.fetched,
            oddities=oddities,
        )


class _Delivery(_Watch):
    """A log on its way to us."""

    def __init__(self, tell: Tell, named: str, patience: Patience) -> None:
        super().__init__(tell, patience)
        self._named = named

    def _wait_s(self) -> float:
        is_half_told = bool(self.received) != (self.status in GOOD)
        return self.patience.settle_s if is_half_told else super()._wait_s()

    def verdict(self) -> Outcome | None:
        if self.received and self.status in GOOD:
            return self.outcome(True, f"{self.received[-1].name} came, {self.received[-1].size:,} bytes.")
        if self.status in BAD and not self.received:
            text = f"The charger gave up: {self.statuses[-1].meaning}"
            return self.outcome(
                False, text, "Try the other way (HTTP or FTP), and check the firewall of this computer."
            )
        return None

    def silence(self) -> Outcome:
        if self.received:
            return self.outcome(
                True,
                f"{self.received[-1].name} came, {self.received[-1].size:,} bytes.",
                oddities=("It never told that the file was sent (Uploaded).",),
            )
        if self.status in GOOD:
            return self.outcome(
                False,
                "The charger says Uploaded, but nothing came here.",
                "It may have sent the file elsewhere: look at the address in its settings.",
            )
        return self.outcome(
            False,
            f"The charger took the order{f' and named {self._named}' if self._named else ''}, but nothing came.",
            "Check that it reaches this computer on the file service's port, or try the other way (HTTP or FTP).",
        )


async def update_firmware(
    endpoint: Endpoint,
    site: Site,
    image: Image,
    *,
    carrier: Carrier = Carrier.HTTP,
    tell: Tell = silent,
    patience: Patience | None = None,
) -> Outcome:
    """Offer an image and watch until the charger runs it or gave up. Cancel the coroutine to withdraw the offer.

    A signed image goes out with SignedUpdateFirmware in 1.6 (SEC16 L01) and with its certificate in 2.x. Raises
    NotSupported, Refused, LinkError, ServerError, StoreError.
    """
    patience = patience or Patience()
    async with (
        site.files.offering(
            image.path, identity=endpoint.identity, purpose="firmware", host=site.host, carrier=carrier
        ) as ticket,
        following(endpoint, site.arrivals, FIRMWARE_NOTICES, site.files.moves, ticket.token) as news,
    ):
        await _order_update(endpoint, image, ticket.location)
        tell(Progress(text="The charger was told where the image is.", total=ticket.size))
        return await _Update(tell, ticket.size, patience, is_test=image.is_test).run(news)


async def _order_update(endpoint: Endpoint, image: Image, location: str) -> None:
    now = v16.stamp(datetime.now(UTC))
    if endpoint.version == "1.6" and not image.is_signed:
        await endpoint.call("UpdateFirmware", {"location": location, "retrieveDate": now, "retries": TRIES16})
        return
    firmware = {"location": location, "retrieveDateTime": now}
    if image.is_signed:
        firmware |= {"signingCertificate": image.certificate, "signature": image.signature}
    action = "SignedUpdateFirmware" if endpoint.version == "1.6" else "UpdateFirmware"
    answer = await endpoint.call(action, {"requestId": next(_request_ids), "retries": 0, "firmware": firmware})
    status = v16.text(answer.get("status"), 50)
    if status in ("InvalidCertificate", "RevokedCertificate"):
        raise Refused(
            f"The charger does not trust who signed this image ({status}).",
            "Use the image and signature of its vendor. For a test image this is the right answer.",
        )
    if status not in ("Accepted", "AcceptedCanceled"):
        raise NotSupported(f"The charger refuses the update ({status}).", "Use the vendor's own way to update it.")


class _Update(_Watch):
    """Firmware on its way to a charger."""

    def __init__(self, tell: Tell, size: int, patience: Patience, *, is_test: bool) -> None:
        super().__init__(tell, patience)
        self._size = size
        self._is_test = is_test

    def _oddities(self) -> tuple[str, ...]:
        found = firmware_oddities(tuple(self.statuses), fetched=self.fetched, size=self._size)
        return (*found, UNCHECKED) if self._is_test and self.status in GOOD else found

    def _wait_s(self) -> float:
        """Some tell of their last update when they connect: the file shows whether this one was meant."""
        return self.patience.settle_s if self.status in GOOD else super()._wait_s()

    def verdict(self) -> Outcome | None:
        if self.status in GOOD and self.fetched >= self._size:
            text = "It fetched the whole image and says it runs it."
            return self.outcome(True, text, oddities=self._oddities())
        if self.status in BAD:
            return self.outcome(False, f"{self.status}: {self.statuses[-1].meaning}", "", self._oddities())
        return None

    def silence(self) -> Outcome:
        if self.status in GOOD:
            return self.outcome(False, "It says Installed without cause.", _LOOK_AT_BOOT, self._oddities())
        told = f"the last it told was {self.status}" if self.status else "it told nothing at all"
        whole = "It fetched the whole image" if self.fetched >= self._size else f"It fetched {self.fetched:,} bytes"
        return self.outcome(False, f"{whole}, then fell silent; {told}.", _LOOK_AT_BOOT, self._oddities())


UNCHECKED = "It installed an image that is no firmware and nobody signed: it does not check what it installs."
_LOOK_AT_BOOT = "Look at the firmware version in its next boot message: that is what it runs."

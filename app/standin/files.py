"""The shelf of files: what chargers may fetch, and where what they deliver is kept. Knows no network.

Everything a charger says is hostile: names become plain ones, sizes are bounded, the disk is never filled.
"""

from __future__ import annotations

import errno
import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from app.errors import DiskFull, StoreError
from app.feed import Feed
from app.model.coding import decode, encode
from app.model.transfer import Carrier, Course, FileMove, Received, Stage, Ticket

NAME_LIMIT = 100
MAX_LISTED = 1_000
SIDECAR = ".from.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", re.IGNORECASE)
"""File names Windows keeps for devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBounds:
    """What a charger may do to us. Bytes and seconds [OURS]."""

    file: int = 200_000_000
    files: int = 8
    """Files delivered on one ticket."""
    spare: int = 200_000_000
    """Room that stays free on the disk."""
    idle_s: float = 60.0
    connect_s: float = 15.0
    clients: int = 32


class TooLarge(StoreError):
    """The charger delivers more than it may."""


@dataclass(slots=True)
class _Place:
    ticket: Ticket
    password: str
    path: Path | None = None
    delivered: int = 0


class FileShelf:
    """Tickets and the files behind them. ``moves`` tells every step of every file."""

    def __init__(
        self,
        folder: Path,
        *,
        bounds: FileBounds | None = None,
        room: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self.folder = folder
        self.bounds = bounds or FileBounds()
        self.moves: Feed[FileMove] = Feed()
        self._room = room
        self._places: dict[str, _Place] = {}

    # Tickets

    def offer(self, path: Path, identity: str, purpose: str) -> Ticket:
        """Let a charger fetch a file. Raises StoreError where it can't be read."""
        try:
            size, digest = path.stat().st_size, _digest(path)
        except OSError as error:
            raise StoreError(f"{path.name} can't be read: {error.strerror}.", "Choose another file.") from error
        ticket = Ticket(
            token=secrets.token_hex(12),
            identity=identity,
            purpose=purpose,
            course=Course.FETCH,
            location="",
            name=safe_name(path.name),
            size=size,
            sha256=digest,
        )
        return self._keep(ticket, path)

    def expect(self, identity: str, purpose: str) -> Ticket:
        """Let a charger deliver files."""
        token = secrets.token_hex(12)
        ticket = Ticket(token=token, identity=identity, purpose=purpose, course=Course.DELIVER, location="")
        return self._keep(ticket, None)

    def _keep(self, ticket: Ticket, path: Path | None) -> Ticket:
        self._places[ticket.token] = _Place(ticket, secrets.token_hex(8), path)
        return ticket

    def close(self, token: str) -> None:
        """Make a ticket worthless. Idempotent."""
        self._places.pop(token, None)

    def ticket(self, token: str) -> Ticket | None:
        """Return an open ticket."""
        place = self._places.get(token)
        return place.ticket if place is not None else None

    def password(self, token: str) -> str:
        """Return the password that goes with a ticket where a protocol wants one."""
        place = self._places.get(token)
        return place.password if place is not None else ""

    def login(self, user: str, password: str) -> Ticket | None:
        """Return the ticket a user name and password open."""
        place = self._places.get(user)
        if place is None or not secrets.compare_digest(place.password.encode(), password.encode(errors="replace")):
            return None
        return place.ticket

    # Files

    def outgoing(self, token: str, carrier: Carrier, remote: str) -> Outgoing | None:
        """Open the file behind a ticket for reading."""
        place = self._places.get(token)
        if place is None or place.path is None:
            return None
        try:
            file = place.path.open("rb")
        except OSError:
            return None
        return Outgoing(self, place.ticket, carrier, remote, file)

    def incoming(self, token: str, name: str, carrier: Carrier, remote: str, total: int = 0) -> Incoming:
        """Begin to take a file in. Raises StoreError (no such ticket), TooLarge, DiskFull."""
        place = self._places.get(token)
        if place is None or place.ticket.course is not Course.DELIVER:
            raise StoreError("Nothing is expected here.", "Ask the charger again.")
        if place.delivered >= self.bounds.files or total > self.bounds.file:
            raise TooLarge("The charger delivers more than it may.", "Ask for a shorter span of time.")
        self.check_room(total)
        place.delivered += 1
        return Incoming(self, place.ticket, safe_name(name), carrier, remote, total)

    def check_room(self, wanted: int) -> None:
        """Raise DiskFull where so many bytes would leave too little room."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._room(self.folder) - wanted < self.bounds.spare:
            raise DiskFull("There is too little room on this computer's disk.", "Free some space, then ask again.")

    def received(self, identity: str = "") -> tuple[Received, ...]:
        """List the files chargers delivered, the newest first."""
        found = [item for path in self.folder.glob(f"*/*{SIDECAR}") if (item := _read_sidecar(path)) is not None]
        wanted = [item for item in found if not identity or item.identity == identity]
        return tuple(sorted(wanted, key=lambda item: item.at, reverse=True)[:MAX_LISTED])

    def remove(self, received: Received) -> None:
        """Delete a delivered file. Raises StoreError."""
        try:
            received.path.unlink(missing_ok=True)
            _sidecar(received.path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{received.path.name} can't be deleted: {error.strerror}.", "Close it first.") from error


class _Moving:
    """What both directions tell."""

    def __init__(self, shelf: FileShelf, ticket: Ticket, carrier: Carrier, remote: str, name: str, total: int) -> None:
        self._shelf = shelf
        self._move = FileMove(
            token=ticket.token,
            identity=ticket.identity,
            course=ticket.course,
            stage=Stage.STARTED,
            carrier=carrier,
            remote=remote,
            name=name,
            total=total,
        )
        shelf.moves.publish(self._move)

    def _tell(self, stage: Stage, done: int, text: str = "", received: Received | None = None) -> None:
        self._shelf.moves.publish(replace(self._move, stage=stage, bytes=done, text=text, received=received))


class Outgoing(_Moving):
    """A file on its way to a charger. Close it with ``done`` or ``failed``."""

    def __init__(self, shelf: FileShelf, ticket: Ticket, carrier: Carrier, remote: str, file: BinaryIO) -> None:
        super().__init__(shelf, ticket, carrier, remote, ticket.name, ticket.size)
        self.size = ticket.size
        self._file = file
        self._at = 0

    def seek(self, offset: int) -> None:
        """Begin later (HTTP Range, FTP REST)."""
        self._at = self._file.seek(min(offset, self.size))

    def read(self, limit: int) -> bytes:
        """Read on; empty at the end."""
        data = self._file.read(limit)
        self._at += len(data)
        self._tell(Stage.MOVING, self._at)
        return data

    def done(self) -> None:
        """Say that it got all of what it asked for."""
        self._file.close()
        self._tell(Stage.DONE, self._at)

    def failed(self, text: str) -> None:
        """Say why it ended early."""
        self._file.close()
        self._tell(Stage.FAILED, self._at, text)


class Incoming(_Moving):
    """A file on its way from a charger, in a ``.part`` file until ``done``; ``failed`` removes it."""

    def __init__(self, shelf: FileShelf, ticket: Ticket, name: str, carrier: Carrier, remote: str, total: int) -> None:
        super().__init__(shelf, ticket, carrier, remote, name, total)
        self._ticket = ticket
        # What is kept beside a file, and what is on its way, have these endings to themselves.
        self._name = name = f"{name}_" if name.lower().endswith((SIDECAR, ".part")) else name
        self._at = datetime.now(UTC)
        self._hash = hashlib.sha256()
        self._size = 0
        folder = shelf.folder / safe_name(ticket.identity)
        self._path = _free_path(folder, f"{self._at:%Y%m%d-%H%M%S}-{name}")
        self._part = self._path.with_name(self._path.name + ".part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("wb")
        except OSError as error:
            raise _full_or_broken(error) from error

    def write(self, data: bytes) -> None:
        """Take more bytes. Raises TooLarge, DiskFull, StoreError; then call ``failed``."""
        before = self._size
        self._size += len(data)
        if self._size > self._shelf.bounds.file:
            raise TooLarge("The charger delivers more than it may.", "Ask for a shorter span of time.")
        if before // _LOOK != self._size // _LOOK:
            self._shelf.check_room(0)
        self._hash.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise _full_or_broken(error) from error
        self._tell(Stage.MOVING, self._size)

    def done(self) -> Received:
        """Keep the file with its source and time. Raises DiskFull, StoreError; then call ``failed``."""
        source = _Source(
            identity=self._ticket.identity,
            purpose=self._ticket.purpose,
            name=self._name,
            size=self._size,
            sha256=self._hash.hexdigest(),
            at=self._at,
            remote=self._move.remote,
            carrier=self._move.carrier,
        )
        try:
            self._file.close()
            _sidecar(self._path).write_bytes(orjson.dumps(encode(source)))
            self._part.replace(self._path)
        except OSError as error:
            raise _full_or_broken(error) from error
        received = source.of(self._path)
        self._tell(Stage.DONE, self._size, received=received)
        return received

    def failed(self, text: str) -> None:
        """Forget what came."""
        self._file.close()
        for path in (self._part, _sidecar(self._path)):
            path.unlink(missing_ok=True)
        self._tell(Stage.FAILED, self._size, text)


_LOOK = 8_000_000
"""Bytes between two looks at the room on the disk."""


def safe_name(name: str) -> str:
    """Turn any text into a plain file name that means no folder, no device and nothing hidden."""
    last = re.split(r"[\\/]", name)[-1]
    plain = _UNSAFE.sub("_", last).strip("._ ")[-NAME_LIMIT:].lstrip(".-")
    return f"file-{plain}" if not plain or _RESERVED.match(plain) else plain


def _free_path(folder: Path, name: str) -> Path:
    path, count = folder / name, 1
    while path.exists() or path.with_name(path.name + ".part").exists():
        count += 1
        path = folder / f"{count}-{name}"
    return path


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR)


def _read_sidecar(path: Path) -> Received | None:
    target = path.with_name(path.name.removesuffix(SIDECAR))
    try:
        source = decode(_Source, orjson.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
    return source.of(target) if target.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where a file came from, as it stands beside it."""

    identity: str
    purpose: str
    name: str
    size: int
    sha256: str
    at: datetime
    remote: str
    carrier: Carrier

    def of(self, path: Path) -> Received:
        return Received(path=path, **{field.name: getattr(self, field.name) for field in fields(self)})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def _full_or_broken(error: OSError) -> StoreError:
    if error.errno in _FULL:
        return DiskFull("This computer's disk is full.", "Free some space, then ask again.")
    return StoreError(f"The file can't be kept: {error.strerror}.", "Check the data folder's permissions.")

"""Files between this computer and a charger: what is offered, what is expected, what came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path


class Carrier(Enum):
    """How a file travels."""

    HTTP = "http"
    FTP = "ftp"


class Course(Enum):
    """Which way a file goes, seen from the charger."""

    FETCH = "fetch"
    DELIVER = "deliver"


class Stage(Enum):
    """How far one file is."""

    STARTED = "started"
    MOVING = "moving"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Leave for one charger to fetch one file, or to deliver files; worthless once it is closed.

    ``location`` is the address to hand to the charger: a file's to fetch, a folder's to deliver to.
    """

    token: str
    identity: str
    purpose: str
    course: Course
    location: str
    name: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A file a charger delivered, where it lies, and where it came from."""

    path: Path
    identity: str
    purpose: str
    name: str
    """As the charger called it."""
    size: int
    sha256: str
    at: datetime
    remote: str
    carrier: Carrier


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMove:
    """Something happened to a file on its way. Bytes; ``total`` 0 = the charger did not say."""

    token: str
    identity: str
    course: Course
    stage: Stage
    carrier: Carrier
    remote: str
    name: str
    bytes: int = 0
    total: int = 0
    text: str = ""
    received: Received | None = None

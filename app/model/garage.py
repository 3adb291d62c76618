"""What stands in for a garage's missing network services, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.model.frame import MorePort


class Stand(Enum):
    """A service that can stand in."""

    DNS = "dns"
    NTP = "ntp"
    DHCP = "dhcp"
    WEB = "web"
    """HTTP and HTTPS answers: captive-portal checks, the JuiceBox directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandState:
    """How one service stands. ``trouble`` and ``advice`` are empty while all is well."""

    stand: Stand
    is_on: bool = False
    host: str = ""
    port: int = 0
    secure_port: int = 0
    """Where the web answers take TLS."""
    asked: int = 0
    """Questions so far."""
    trouble: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSet:
    """A ready set of names of one family, from ``resources/standin/names.toml``.

    ``answered`` get our address, ``refused`` get none (NXDOMAIN). Every set tells its source and grade.
    """

    id: str
    title: str
    answered: tuple[str, ...]
    refused: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    note: str = ""
    source: str = ""
    grade: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asked one of the services. ``name`` is the DNS name, the URL, or empty."""

    at: datetime
    stand: Stand
    client: str
    name: str = ""
    kind: str = ""
    """The DNS type, ``GET``, ``DISCOVER`` …"""
    answer: str = ""
    """What was answered, in words or as an address."""
    knows: str = ""
    """What the name betrays: the title of the name set or known host it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """Whether this program may do what a service needs, and how to allow it. ``commands`` are to be typed."""

    stand: Stand
    is_granted: bool
    why: str
    how: str = ""
    commands: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the site's own router does the same. ``text`` is what to type or click, with our address put in."""

    id: str
    title: str
    text: str
    note: str = ""
    source: str = ""
    grade: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A unit that dialled a former backend's name and came to us. ``refusal`` empty = it was let in.

    ``url`` is what it dials, as far as one can tell from here; ``told_by`` and ``knows`` as in ``OldHost``.
    """

    at: datetime
    remote: str
    name: str
    port: int
    told_by: str
    identity: str = ""
    url: str = ""
    knows: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBackendState:
    """How we stand in for old backends: the names, our ports for them, and the name server (``dns``)."""

    names: tuple[str, ...] = ()
    ports: tuple[MorePort, ...] = ()
    dns: StandState

    @property
    def is_on(self) -> bool:
        """Say whether any name is stood in for."""
        return bool(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A name one could stand in for: of a known host, or of the DNS log. ``asked`` counts the questions for it."""

    name: str
    knows: str = ""
    asked: int = 0
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of saving a unit that landed: how many settings its backup holds, or why there is none."""

    at: datetime
    identity: str
    unit_id: str = ""
    settings: int = 0
    trouble: str = ""
    advice: str = ""

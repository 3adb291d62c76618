"""What stands in for a garage's missing network services, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


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

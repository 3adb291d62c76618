"""Which names we answer, which we refuse, and what a name betrays. Pure but for reading ``resources/standin``."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from app import resources
from app.errors import ValueRejected
from app.model.garage import NameSet
from app.model.profile import Grade

MAX_NAMES = 500
"""Names a person may add; a list longer than that is somebody's block list."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")


class HostState(Enum):
    """Whether the service behind a known name still lives, as far as anybody told."""

    CLOSED = "closed"
    """Its operator gave up; whether a name of theirs still leads anywhere may change any day."""
    REPLACED = "replaced"
    LIVE = "live"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHost:
    """A name (or ``*.domain``) whose owner is known, from ``resources/standin/hosts.toml``."""

    name: str
    title: str
    state: HostState
    note: str
    source: str
    grade: str
    ports: tuple[int, ...] = ()
    """The TCP ports on which it is dialled for OCPP; none where it speaks something else."""

    @property
    def words(self) -> str:
        """Say whose it is and how it stands."""
        said = {HostState.CLOSED: "its operator closed", HostState.REPLACED: "replaced", HostState.LIVE: "alive"}
        return f"{self.title} ({said[self.state]})" if self.state in said else self.title


class Verdict(Enum):
    """What becomes of a name."""

    ANSWERED = "answered"
    REFUSED = "refused"
    OTHER = "other"


class NameMap:
    """Names and ``*.domain`` patterns; a name itself beats a pattern, a longer pattern a shorter one."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, str] = {}
        self._below: dict[str, str] = {}
        for name, value in entries:
            if name.startswith("*."):
                self._below[name[2:]] = value
            else:
                self._exact[name] = value

    def find(self, name: str) -> str | None:
        """Return what stands for a name in lower case without the last dot."""
        if (found := self._exact.get(name)) is not None or not self._below:
            return found
        rest = name
        while "." in rest:
            rest = rest.partition(".")[2]
            if (found := self._below.get(rest)) is not None:
                return found
        return None


@dataclass(frozen=True)
class Choice:
    """What the DNS answers: ids of ready sets, names of one's own, and who is asked about all the others.

    ``forward_to`` is the address of a resolver; empty: other names are refused.
    """

    sets: tuple[NameSet, ...] = ()
    names: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    forward_to: str = ""

    @cached_property
    def _verdicts(self) -> NameMap:
        answered = [*(name for item in self.sets for name in item.answered), *self.names]
        refused = [*(name for item in self.sets for name in item.refused), *self.refused]
        # Later entries win: what is refused anywhere is refused.
        return NameMap(
            [(name, Verdict.ANSWERED.value) for name in answered] + [(name, Verdict.REFUSED.value) for name in refused]
        )

    @property
    def answered(self) -> tuple[str, ...]:
        """List every name that gets our address, once each."""
        found = [*(name for item in self.sets for name in item.answered), *self.names]
        refused = set(self.all_refused)
        return tuple(name for name in dict.fromkeys(found) if name not in refused)

    @property
    def all_refused(self) -> tuple[str, ...]:
        """List every name that gets no address."""
        return tuple(dict.fromkeys([*(name for item in self.sets for name in item.refused), *self.refused]))

    @property
    def ports(self) -> tuple[int, ...]:
        """List the UDP ports the chosen families dial."""
        return tuple(sorted({port for item in self.sets for port in item.ports}))

    def verdict(self, name: str) -> Verdict:
        """Say what becomes of a name in lower case without the last dot."""
        return Verdict(self._verdicts.find(name) or Verdict.OTHER.value)


class NameBook:
    """The ready sets and the known hosts."""

    def __init__(self, sets: Sequence[NameSet], hosts: Sequence[KnownHost]) -> None:
        self.sets = tuple(sets)
        self.hosts = tuple(hosts)
        told = [(name, item.title) for item in sets for name in (*item.answered, *item.refused)]
        self._knows = NameMap([*told, *((host.name, host.words) for host in hosts)])

    def knows(self, name: str) -> str:
        """Return what a name betrays, empty for a stranger."""
        return self._knows.find(name.lower().rstrip(".")) or ""

    def choice(
        self,
        sets: Sequence[str] = (),
        *,
        names: Sequence[str] = (),
        refused: Sequence[str] = (),
        forward_to: str = "",
    ) -> Choice:
        """Make a choice out of ids and names. Raises ValueRejected."""
        known = {item.id: item for item in self.sets}
        if missing := [item for item in sets if item not in known]:
            raise ValueRejected(f"There is no set of names “{missing[0]}”.", "Choose from: " + ", ".join(known) + ".")
        if len(names) + len(refused) > MAX_NAMES:
            raise ValueRejected(f"More than {MAX_NAMES} names.", "Use a pattern such as *.example.com.")
        return Choice(
            sets=tuple(known[item] for item in dict.fromkeys(sets)),
            names=tuple(dict.fromkeys(cleaned(name) for name in names)),
            refused=tuple(dict.fromkeys(cleaned(name) for name in refused)),
            forward_to=_resolver(forward_to),
        )


def cleaned(name: str) -> str:
    """Return a typed name as it is compared; ``*.`` in front means everything below. Raises ValueRejected."""
    text = name.strip().lower().rstrip(".")
    try:
        plain = text.removeprefix("*.").encode("idna").decode("ascii") if text else ""
    except UnicodeError:
        plain = ""
    labels = plain.split(".")
    if not plain or len(plain) > 253 or not all(_LABEL.match(label) for label in labels):
        raise ValueRejected(f"“{name[:80]}” is not a host name.", "Write it like jbv1.emotorwerks.com or *.enelx.com.")
    if text.startswith("*.") and len(labels) < 2:
        raise ValueRejected(f"“{name[:80]}” takes a whole top-level domain.", "Name the domain, like *.enelx.com.")
    return f"*.{plain}" if text.startswith("*.") else plain


def _resolver(text: str) -> str:
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise ValueRejected(f"“{text[:80]}” is not an address.", "Give the resolver as an IP address.") from error
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise ValueRejected(f"{address} can't be a resolver.", "Give the address of the site's router or resolver.")
    return str(address)


def read() -> NameBook:
    """Read the ready sets and the known hosts of this program."""
    texts = resources.texts("standin", ".toml")
    sets = [_name_set(item) for item in tomllib.loads(texts["names"])["sets"]]
    hosts = [_host(item) for item in tomllib.loads(texts["hosts"])["hosts"]]
    return NameBook(sets, hosts)


def _name_set(item: dict[str, Any]) -> NameSet:
    lists: dict[str, Any] = {key: tuple(item.get(key, ())) for key in ("answered", "refused", "ports")}
    found = NameSet(**{**item, **lists})
    Grade(found.grade)
    for name in (*found.answered, *found.refused):
        if cleaned(name) != name:
            raise ValueError(f"{found.id}: {name}")
    return found


def _host(item: dict[str, Any]) -> KnownHost:
    found = KnownHost(**{**item, "state": HostState(item["state"]), "ports": tuple(item.get("ports", ()))})
    Grade(found.grade)
    return found

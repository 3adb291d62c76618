"""What drivers of units share that tell over HTTP and take nothing: who they are, how they are, and what changes.

A driver names the paths and fields, recognises its family, and turns an answer into a state; ``telling_driver`` does
the rest. Times are UTC, values SI units.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver.capability import Identifies, Meters, ReportsStatus, Status
from app.driver.measuring import Field, changes, readings
from app.driver.registry import Driver
from app.driver.web import WebSession, web_driver
from app.errors import NotSupported, ProtocolError, Unexpected
from app.links.link import HttpLink
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.unit import ClaimKind, Identity, SourceKind, claim

TELLS = frozenset({Identifies, ReportsStatus, Meters})
WEB_SOURCES = frozenset({SourceKind.MDNS, SourceKind.LAN, SourceKind.MANUAL})
WATCH_S = 5.0
"""Pause between two rounds of questions."""


class TellingSession(WebSession):
    """One session with a unit that only tells.

    ``paths`` are the JSON objects its status comes from: the first must be readable, what the others say is added
    where they can be read. ``fields`` are the readings in them.
    """

    paths: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[Field, ...]] = ()

    @staticmethod
    async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
        """Ask who is there, changing nothing: ``None`` where something else answers."""
        raise NotImplementedError

    def state(self, found: Mapping[str, Any]) -> tuple[str, str]:
        """Return the OCPP word for what was told, and a detail."""
        raise NotImplementedError

    async def look(self) -> None:
        """Make sure that it tells what the family tells."""
        await self.fetch_object(self.paths[0])
        self.offers = TELLS

    async def identify(self) -> Identity:
        """Say who it is. Raises Unexpected where another unit answers by now."""
        async with self.call("identify"):
            found = await self.recognise(self.http, self._profile)
        if found is None:
            raise Unexpected(f"{self.address} no longer answers as a {self._profile.family}.", "Search again.")
        return found

    async def status(self) -> Status:
        """Say how it is."""
        async with self.call("status"):
            found = await self.fetch_object(self.paths[0])
            for path in self.paths[1:]:
                with suppress(ProtocolError, NotSupported):
                    found |= await self.fetch_object(path)
        word, detail = self.state(found)
        measured = readings(found, self.fields, datetime.now(UTC))
        return Status(state=word, detail=detail[:300], has_fault=word == "Faulted", readings=measured)

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Ask again and again; yield what changed."""
        return changes(self.status, WATCH_S)


def named(profile: Profile, *, model: str, serial: str, firmware: str = "", mac: str = "", name: str = "") -> Identity:
    """Make an identity with its claims: serial number and MAC."""
    found = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, mac))
    claims = tuple(item for item in found if item is not None)
    return Identity(
        vendor=profile.vendor, model=model, serial=serial, firmware=firmware, mac=mac, name=name, claims=claims
    )


def telling_driver(
    kind: type[TellingSession], *, title: str, asks: tuple[str, ...] = (), sources: frozenset[SourceKind] = WEB_SOURCES
) -> Driver:
    """Make the driver of a session class."""
    return web_driver(kind, title=title, capabilities=TELLS, recognise=kind.recognise, asks=asks, sources=sources)

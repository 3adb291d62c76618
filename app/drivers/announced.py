"""Units that are known by their mDNS announcement alone: what they speak is unpublished, or is no way to a backend.

Nothing is ever sent to them. The session repeats who they are and offers nothing else.
"""

from __future__ import annotations

from typing import ClassVar

from app.driver.announcement import announced
from app.driver.capability import Identifies
from app.driver.registry import Driver
from app.driver.session import Session
from app.links.link import Links
from app.model.address import Address
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind


class Announced(Session):
    """A session without a link."""

    driver_id: ClassVar[str] = "announced"

    def __init__(self, address: Address, profile: Profile) -> None:
        super().__init__(address)
        self._profile = profile

    async def _open(self) -> None:
        self.offers = frozenset({Identifies})

    async def _close(self) -> None:
        """Close nothing."""

    async def identify(self) -> Identity:
        """Say what family it is; its announcement said more."""
        async with self.call("identify"):
            return Identity(vendor=self._profile.vendor, model=self._profile.family, profile_id=self._profile.id)


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    del links
    return Announced(address, profile)


async def probe(address: Address, profile: Profile, links: Links) -> None:
    """Recognise nobody: an address alone says nothing about these units, and no question is known."""
    del address, profile, links


DRIVER = Driver(
    id=Announced.driver_id,
    title="Announced on the network only",
    sources=frozenset({SourceKind.MDNS}),
    open=open_session,
    capabilities=frozenset({Identifies}),
    probe=probe,
    announced=announced,
)

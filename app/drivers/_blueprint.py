"""The file to copy for a new charger that can be written: replace every name and fact.

docs/adding-a-charger.md leads through it; a charger that only tells needs less, see ``app/drivers/tesla.py``.
This one drives an imaginary unit that answers ``GET /info``, ``GET /settings`` and ``PUT /settings`` over HTTP. It is
type-checked and run by the tests, but never loaded: file names that begin with ``_`` are not drivers.

Sources: say here where you read the protocol (repository and path, or document and section).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from app.driver.capability import (
    Identifies,
    ReadsSettings,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.measuring import Field, readings
from app.driver.telling import named
from app.driver.web import WebSession, fingerprint, text_of, web_driver
from app.errors import NotSupported, Unexpected, ValueRejected
from app.links.link import HttpLink
from app.model.backend import Backend, JoinRule, dialled_url
from app.model.profile import Profile
from app.model.reading import Measurand
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity, LinkState

URL_KEY = "backend_url"
FIELDS = (Field(("power_kw",), Measurand.POWER, factor=1000.0),)
"""Where the readings stand in an answer, and what makes SI units of them."""

CAPABILITIES = frozenset({Identifies, ReportsStatus, ReadsSettings, WritesSettings, SetsBackend})
"""All that a unit of this family may have."""


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask who is there, changing nothing: ``None`` where something else answers. Any host may be asked: be strict.

    Claims let several sightings become one unit: serial and MAC.
    """
    said = await fingerprint(http, "/info")
    if not isinstance(said, dict) or said.get("maker") != "Blueprint" or not text_of(said, "serial"):
        return None
    return named(
        profile, model=text_of(said, "model"), serial=text_of(said, "serial"), firmware=text_of(said, "firmware")
    )


class Blueprint(WebSession):
    """One session with one unit. Implement a capability by writing its methods and naming it in ``offers``."""

    driver_id: ClassVar[str] = "blueprint"

    async def look(self) -> None:
        """Find out what *this* unit can do; only then set ``offers``."""
        settings = await self.fetch_object("/settings")
        self.offers = CAPABILITIES if URL_KEY in settings else CAPABILITIES - {SetsBackend}

    async def identify(self) -> Identity:
        """Say who it is."""
        async with self.call("identify"):
            found = await recognise(self.http, self._profile)
        if found is None:
            raise Unexpected(f"Something else answers at {self.address} now.", "Search again.")
        return found

    async def status(self) -> Status:
        """Say how it is, in OCPP 1.6 words and SI units."""
        async with self.call("status"):
            found = await self.fetch_object("/info")
        connected = found.get("ocpp_connected")
        return Status(
            state=text_of(found, "state"),
            readings=readings(found, FIELDS, datetime.now(UTC)),
            link=LinkState(is_connected=connected if isinstance(connected, bool) else None),
        )

    async def read_settings(self) -> Snapshot:
        """Read the whole configuration; name in ``excluded`` what a restore can't bring back."""
        async with self.call("read the settings"):
            found = await self.fetch_object("/settings")
        settings = tuple(Setting(key=key, value=text_of(found, key), label=key) for key in found)
        return Snapshot(taken_at=datetime.now(UTC), settings=settings)

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value that the unit has, and read it back: “accepted” is no proof."""
        async with self.call(f"write {change.key}", deadline_s=15.0):
            if change.key not in await self.fetch_object("/settings"):
                raise NotSupported(f"This charger has no setting “{change.key}”.", "It is not written.")
            answer = await self.fetch("PUT", "/settings", json={change.key: change.after})
            after = await self.fetch_object("/settings")
        return WriteResult(key=change.key, is_accepted=answer.status == 200, read_back=text_of(after, change.key))

    async def read_backend(self) -> Backend | None:
        """Read where it dials."""
        async with self.call("read the backend"):
            found = await self.fetch_object("/settings")
        return Backend(url=text_of(found, URL_KEY), identity="")

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the exact strings by the profile's habits, URL last; refuse what the unit would cut."""
        habit = self._profile.url
        url = dialled_url(backend.url, backend.identity, habit.join if habit else JoinRule.APPEND)
        if habit and habit.limit and len(url) > habit.limit:
            raise ValueRejected(
                f"The address has {len(url)} characters; this charger keeps {habit.limit}.", "Use a shorter address."
            )
        before = snapshot.get(URL_KEY)
        return (Change(key=URL_KEY, before=before.value if before else None, after=url, reason="The new backend."),)


DRIVER = web_driver(Blueprint, title="Imaginary charger (HTTP)", capabilities=CAPABILITIES, recognise=recognise)

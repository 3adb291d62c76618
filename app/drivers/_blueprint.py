"""The file to copy for a new charger: replace every name and fact; docs/adding-a-charger.md leads through it.

This one drives an imaginary unit that answers ``GET /info``, ``GET /settings`` and ``PUT /settings`` over HTTP. It is
type-checked and run by the tests, but never loaded: file names that begin with ``_`` are not drivers.

Sources: say here where you read the protocol (repository and path, or document and section).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.driver.capability import (
    Identifies,
    ReadsSettings,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import AuthFailed, Garbled, LinkLost, NotSupported, Unexpected, ValueRejected
from app.links.link import HttpLink, Links
from app.model.address import Address, NetAddress
from app.model.backend import Backend, JoinRule, dialled_url
from app.model.profile import Profile
from app.model.reading import Measurand, Reading
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Claim, ClaimKind, Identity, LinkState, SourceKind, claim

URL_KEY = "backend_url"


class Blueprint(Session):
    """One session with one unit. Implement a capability by writing its methods and naming it in ``offers``."""

    driver_id: ClassVar[str] = "blueprint"

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._http: HttpLink | None = None

    async def _open(self) -> None:
        """Connect and find out what *this* unit can do; only then set ``offers``."""
        self._http = await self._links.http(self._net)
        settings = await self._ask("GET", "/settings")
        offers: set[type] = {Identifies, ReportsStatus, ReadsSettings, WritesSettings}
        if URL_KEY in settings:
            offers.add(SetsBackend)
        self.offers = frozenset(offers)

    async def _close(self) -> None:
        """Close whatever is open; also called when ``_open`` failed half-way."""
        if self._http is not None:
            await self._http.close()

    async def identify(self) -> Identity:
        """Say who it is."""
        async with self.call("identify"):
            return identity_of(await self._ask("GET", "/info"), self._profile)

    async def status(self) -> Status:
        """Say how it is, in OCPP 1.6 words and SI units."""
        async with self.call("status"):
            found = await self._ask("GET", "/info")
        now = datetime.now(UTC)
        power_kw = found.get("power_kw")
        readings: tuple[Reading, ...] = ()
        if isinstance(power_kw, float):
            readings = (Reading(unit_id="", measurand=Measurand.POWER, value=power_kw * 1000, at=now),)
        connected = found.get("ocpp_connected")
        return Status(
            state=str(found.get("state", "")),
            readings=readings,
            link=LinkState(is_connected=connected if isinstance(connected, bool) else None),
        )

    async def read_settings(self) -> Snapshot:
        """Read the whole configuration; name in ``excluded`` what a restore can't bring back."""
        async with self.call("read the settings"):
            found = await self._ask("GET", "/settings")
        settings = tuple(Setting(key=key, value=str(value), label=key) for key, value in found.items())
        return Snapshot(taken_at=datetime.now(UTC), settings=settings)

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value that the unit has, and read it back: “accepted” is no proof."""
        async with self.call(f"write {change.key}", deadline_s=15.0):
            if change.key not in await self._ask("GET", "/settings"):
                raise NotSupported(f"This charger has no setting “{change.key}”.", "It is not written.")
            await self._ask("PUT", "/settings", json={change.key: change.after})
            after = await self._ask("GET", "/settings")
        return WriteResult(key=change.key, is_accepted=True, read_back=str(after.get(change.key)))

    async def read_backend(self) -> Backend | None:
        """Read where it dials."""
        async with self.call("read the backend"):
            found = await self._ask("GET", "/settings")
        return Backend(url=str(found.get(URL_KEY, "")), identity="")

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

    async def _ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        """Make one exchange; turn each way it can fail into an error with advice."""
        if self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        answer = await self._http.request(method, path, json=json, timeout_s=self.deadline_s)
        if answer.status in (401, 403):
            raise AuthFailed(f"{self.address} asks for a login.", "Enter the charger's own user name and password.")
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered HTTP {answer.status}.", "Note the firmware and report it.")
        found = answer.json()
        if not isinstance(found, dict):
            raise Garbled("The charger sent JSON that is not an object.", "Note the firmware and report it.")
        return found


def identity_of(info: dict[str, Any], profile: Profile) -> Identity:
    """Return what the unit says of itself. Claims let several sightings become one unit: serial, MAC, MCU id."""
    found = claim(ClaimKind.SERIAL, str(info.get("serial", "")))
    return Identity(
        vendor=profile.vendor,
        model=str(info.get("model", "")),
        serial=str(info.get("serial", "")),
        firmware=str(info.get("firmware", "")),
        profile_id=profile.id,
        claims=(found,) if isinstance(found, Claim) else (),
    )


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
    return Blueprint(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Ask who is there, changing nothing: ``None`` where something else answers, LinkError where nothing does."""
    if not isinstance(address, NetAddress):
        return None
    http = await links.http(address)
    try:
        answer = await http.request("GET", "/info", timeout_s=3.0, limit=100_000)
        info = answer.json() if answer.status == 200 else None
        return identity_of(info, profile) if isinstance(info, dict) and info.get("maker") == "Blueprint" else None
    except Garbled:
        return None
    finally:
        await http.close()


DRIVER = Driver(
    id="blueprint",
    title="Imaginary charger (HTTP)",
    sources=frozenset({SourceKind.MDNS, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReportsStatus, ReadsSettings, WritesSettings, SetsBackend}),
    probe=probe,
)

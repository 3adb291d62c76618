"""A session with EVerest's OCPP module over its MQTT API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

from app.driver.capability import (
    Identifies,
    ReadsOneSetting,
    ReadsSettings,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.described import Description, cautioned, load
from app.driver.session import Session
from app.drivers.everest.repointing import (
    ACTIVE,
    IDENTITY,
    PASSWORD,
    PRIORITY,
    PROFILES,
    backend_of,
    is_same,
    must_fit,
    planned,
)
from app.drivers.everest.talk import Talk, Told, nobody
from app.errors import LinkLost, NotSupported, Unexpected, ValueRejected
from app.links.link import Links, MqttLink
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import ClaimKind, Identity, LinkState, claim

OFFERS: frozenset[type] = frozenset(
    {Identifies, ReportsStatus, ReadsSettings, ReadsOneSetting, WritesSettings, SetsBackend}
)
"""There is no call to restart it in this API."""

MODEL, VENDOR, SERIAL = "ChargingStation.Model", "ChargingStation.VendorName", "ChargingStation.SerialNumber"
WHO = (MODEL, VENDOR, SERIAL, IDENTITY)
ACCEPTED = "Accepted"


@cache
def descriptions() -> Mapping[str, Description]:
    """Return what is known of the variables."""
    return load("everest")


class Everest(Session):
    """One connection to the broker, and one module on it."""

    driver_id: ClassVar[str] = "everest"
    deadline_s: ClassVar[float] = 12.0

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._link: MqttLink | None = None
        self._talk: Talk | None = None
        self._identity = Identity()

    async def _open(self) -> None:
        self._link = await self._links.mqtt(self._net)
        self._talk = await Talk.find(self._link)
        if self._talk is None:
            raise nobody()
        self._identity = await identity_of(self._talk, self._profile)
        told = await self._talk.get((PROFILES,))
        has_profiles = PROFILES in told and told[PROFILES].status == ACCEPTED
        self.offers = OFFERS if has_profiles else OFFERS - {SetsBackend}

    async def _close(self) -> None:
        if self._link is not None:
            await self._link.close()

    @property
    def talk(self) -> Talk:
        """Return the conversation; raises LinkLost before it is opened."""
        if self._talk is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return self._talk

    async def identify(self) -> Identity:
        """Read vendor, model, serial number and OCPP identity."""
        async with self.call("identify"):
            found = await identity_of(self.talk, self._profile)
        self._must_be_the_same(found)
        return found

    async def status(self) -> Status:
        """Tell whether it is connected to its backend; what it charges is not in this API."""
        async with self.call("status"):
            told = await self.talk.connection()
        known = told.get("connected")
        where = told.get("csms_url")
        detail = f"backend {str(where)[:200]}" if isinstance(where, str) and where else ""
        is_connected = known if isinstance(known, bool) else None
        return Status(detail=detail, link=LinkState(is_enabled=True, is_connected=is_connected))

    async def read_settings(self) -> Snapshot:
        """Read every known variable; one it does not know is left out."""
        async with self.call("read the settings"):
            told = await self.talk.get(descriptions())
        found = [setting for key, item in told.items() if (setting := self._setting(key, item)) is not None]
        notes = {item.key: descriptions()[item.key].not_restored for item in found}
        return Snapshot(
            taken_at=datetime.now(UTC),
            settings=tuple(found),
            excluded={key: note for key, note in notes.items() if note},
        )

    async def read_setting(self, key: str) -> Setting | None:
        """Read one variable again."""
        async with self.call(f"read {key}"):
            if key not in descriptions():
                return None
            told = await self.talk.get((key,))
        return self._setting(key, told[key]) if key in told else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one variable and read it back. Raises ValueRejected, NotSupported, Unexpected (another charger)."""
        known = descriptions().get(change.key)
        async with self.call(f"write {change.key}", deadline_s=3 * self.deadline_s):
            if known is None or await self._held(change.key) is None:
                raise NotSupported(f"This charger has no variable “{change.key}”.", "Its build may leave it out.")
            if known.readonly:
                raise ValueRejected(f"“{known.label}” can't be written.", "It is shown only.")
            must_fit(change.key, change.after)
            status = await self.talk.set(change.key, change.after)
            _must_be_taken(change.key, status)
            told = None if change.key == PASSWORD else await self._held(change.key)
        back = told.value if told is not None else None
        return WriteResult(
            key=change.key,
            is_accepted=True,
            read_back=change.after if is_same(back, change.after) else back,
            needs_restart=status == "RebootRequired" or change.needs_restart,
        )

    async def read_backend(self) -> Backend | None:
        """Read where it dials after its next restart."""
        async with self.call("read the backend"):
            told = await self.talk.get((PROFILES, PRIORITY, ACTIVE, IDENTITY))
        return backend_of({key: item.value for key, item in told.items() if item.status == ACCEPTED})

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes: a free slot, then the order. Raises ValueRejected, NotSupported."""
        if not self.is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return planned(backend, snapshot)

    async def _held(self, key: str) -> Told | None:
        """Ask for what is to be written, and make sure that the same charger answers."""
        told = await self.talk.get(dict.fromkeys((key, SERIAL)))
        serial = told[SERIAL].value if SERIAL in told else None
        self._must_be_the_same(Identity(serial=serial or ""))
        item = told.get(key)
        known = item is not None and (item.status == ACCEPTED or (key == PASSWORD and item.status == "Rejected"))
        return item if known else None

    def _setting(self, key: str, told: Told) -> Setting | None:
        if key == PASSWORD:
            is_there = told.status in (ACCEPTED, "Rejected")
            return descriptions()[key].setting(None, is_readable=False) if is_there else None
        if told.status != ACCEPTED:
            return None
        setting = descriptions()[key].setting(told.value)
        has_secret = key == PROFILES and "assword" in (told.value or "")
        return cautioned(replace(setting, is_secret=setting.is_secret or has_secret), self._profile)

    def _must_be_the_same(self, found: Identity) -> None:
        if found.serial and self._identity.serial and found.serial != self._identity.serial:
            raise Unexpected(
                f"Another charger answers at {self.address} now: {found.serial} instead of {self._identity.serial}.",
                "Nothing was written to it. Look for the charger again; its address has changed.",
            )


async def identity_of(talk: Talk, profile: Profile) -> Identity:
    """Ask who it is; a build that leaves these variables out is known by its OCPP identity."""
    told = await talk.get(WHO)
    text = {key: (item.value or "")[:100] for key, item in told.items() if item.status == ACCEPTED}
    serial, identity = text.get(SERIAL, ""), text.get(IDENTITY, "")
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.IDENTITY, identity))
    return Identity(
        vendor=text.get(VENDOR, "") or profile.vendor,
        model=text.get(MODEL, ""),
        serial=serial,
        name=identity,
        profile_id=profile.id,
        claims=tuple(item for item in claims if item is not None),
        extra={"EVerest module": talk.module},
    )


def _must_be_taken(key: str, status: str) -> None:
    if status in (ACCEPTED, "RebootRequired"):
        return
    if status.startswith("Unknown") or status == "NotSupportedAttributeType":
        raise NotSupported(f"This charger has no variable “{key}”.", "Its build may leave it out.")
    raise ValueRejected(
        f"EVerest refuses this value for “{key}” (“{status[:40]}”).",
        "Its build may make it read-only; then it is set in EVerest's own files.",
    )

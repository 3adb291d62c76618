"""A session with an EVBox charger of the fourth generation over Bluetooth LE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from app.driver.capability import (
    Identifies,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.described import Description, cautioned, load
from app.driver.session import Session
from app.drivers.evbox_ble.repointing import APN, APN_PASSWORD, BOOT, URL, USE, backend_of, must_fit, planned
from app.drivers.evbox_ble.talk import Talk, Variant, variant_of
from app.errors import AuthFailed, LinkLost, NotSupported, Refused, TimedOut, Unexpected, ValueRejected
from app.links.link import BleLink, Links
from app.model.address import BleAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Measurand, Reading
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import ClaimKind, Identity, LinkState, claim

READ_S = 120.0
"""A whole configuration, key by key in pieces of 20 bytes [OURS]."""

OFFERS: frozenset[type] = frozenset(
    {Identifies, ReportsStatus, ReadsSettings, ReadsOneSetting, WritesSettings, SetsBackend, Reboots}
)

BOOT_FIELDS = ("vendor", "model", "serial", "firmware")
WIFI = {"7": "Wi-Fi connected", "6": "Wi-Fi connecting", "4": "wrong Wi-Fi password", "0": "no Wi-Fi connection"}
"""First field of evbWifiStatusGet (CReimer/evbox-g4-ble protocol.py, wifi_status); the fifth is its signal in dBm."""


@cache
def descriptions() -> dict[str, Description]:
    """Return what is known of the keys."""
    return dict(load("evbox-ble"))


class EvboxBle(Session):
    """One connection, logged in once."""

    driver_id: ClassVar[str] = "evbox-ble"
    deadline_s: ClassVar[float] = 25.0

    def __init__(self, address: BleAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._ble = address
        self._profile = profile
        self._links = links
        self._link: BleLink | None = None
        self._talk: Talk | None = None
        self._identity = Identity()

    async def _open(self) -> None:
        code = code_of(self._ble, self._links)
        if code is None:
            raise AuthFailed(
                "This charger's Bluetooth asks for a security code.",
                "Enter the code that came with the charger (the one for the app EVBox Connect) as its password.",
            )
        self._link = await self._links.ble(self._ble)
        self._talk = Talk(self._link, must_be_one(self._link))
        await self._talk.begin()
        await self._talk.log_in(code)
        self._identity = await identity_of(self._talk, self._profile, self._ble)
        self.offers = OFFERS

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
        """Read vendor, model, serial and firmware as it would tell a backend."""
        async with self.call("identify"):
            found = await identity_of(self.talk, self._profile, self._ble)
            self._must_be_the_same(found)
            return found

    async def status(self) -> Status:
        """Read its Wi-Fi and whether a backend is switched on; it tells no more over Bluetooth."""
        async with self.call("status", deadline_s=2 * self.deadline_s):
            used = await self.talk.get(USE)
            wifi = await self._wifi()
        signal = _number(wifi[4]) if len(wifi) > 4 else None
        now = datetime.now(UTC)
        sample = () if signal is None else (Reading(unit_id="", measurand=Measurand.SIGNAL, value=signal, at=now),)
        is_enabled = None if used is None or used[0] is None else used[0].lower() == "true"
        return Status(detail=WIFI.get(wifi[0], ""), readings=sample, link=LinkState(is_enabled=is_enabled))

    async def read_settings(self) -> Snapshot:
        """Read every known key; one that the charger does not know is left out."""
        found: list[Setting] = []
        async with self.call("read the settings", deadline_s=READ_S):
            for key in descriptions():
                if key != APN_PASSWORD and (setting := await self._setting(key)) is not None:
                    found.append(setting)
        if any(setting.key == APN for setting in found):
            found.append(self._described(APN_PASSWORD, None, is_readonly=False))
        notes = {item.key: descriptions()[item.key].not_restored for item in found}
        return Snapshot(
            taken_at=datetime.now(UTC),
            settings=tuple(found),
            excluded={key: note for key, note in notes.items() if note},
        )

    async def read_setting(self, key: str) -> Setting | None:
        """Read one key again."""
        async with self.call(f"read {key}"):
            if key not in descriptions():
                return None
            if key == APN_PASSWORD:
                return self._described(key, None, is_readonly=False) if await self.talk.get(APN) else None
            return await self._setting(key)

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one key and read it back. Raises ValueRejected, NotSupported."""
        known = descriptions().get(change.key)
        is_write_only = change.key == APN_PASSWORD
        async with self.call(f"write {change.key}", deadline_s=3 * self.deadline_s):
            held = await self.talk.get(APN if is_write_only else change.key)
            if held is None or known is None:
                raise NotSupported(f"This charger has no setting “{change.key}”.", "Its firmware may be older.")
            if known.readonly or (held[1] and not is_write_only):
                raise ValueRejected(f"“{known.label}” can't be written.", "It is shown only.")
            must_fit(change.key, change.after, self._profile)
            status = await self.talk.change(change.key, change.after)
            back = None if is_write_only else await self.talk.get(change.key)
        return WriteResult(
            key=change.key,
            is_accepted=True,
            read_back=back[0] if back else None,
            needs_restart=status.lower() == "rebootrequired",
        )

    async def read_backend(self) -> Backend | None:
        """Read where it dials; ``None`` where it does not tell."""
        async with self.call("read the backend"):
            held = await self.talk.get(URL)
        return None if held is None else backend_of({URL: held[0] or ""}, self._identity.serial)

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected: no password, no other identity, form and length of the address."""
        if not self.is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return planned(backend, snapshot, self._profile, self._identity.serial)

    async def restart(self) -> None:
        """Send Reset Hard, as the app does."""
        async with self.call("restart"):
            payload = await self.talk.ask("Reset", {"type": "Hard"})
        if str(payload.get("status", "")).lower() not in ("accepted", "true"):
            raise Refused("The charger refuses to restart.", "Switch its power off and on again.")

    async def _setting(self, key: str) -> Setting | None:
        held = await self.talk.get(key)
        return None if held is None else self._described(key, held[0], is_readonly=held[1])

    def _described(self, key: str, value: str | None, *, is_readonly: bool) -> Setting:
        known = descriptions()[key]
        setting = known.setting(value, is_readable=key != APN_PASSWORD)
        if is_readonly and not setting.is_readonly:
            setting = replace(setting, is_readonly=True)
        return cautioned(setting, self._profile)

    def _must_be_the_same(self, found: Identity) -> None:
        if found.serial and self._identity.serial and found.serial != self._identity.serial:
            raise Unexpected(
                f"Another charger answers now: {found.serial} instead of {self._identity.serial}.",
                "Nothing was written to it. Search for the charger again.",
            )

    async def _wifi(self) -> list[str]:
        try:
            return fields(await self.talk.transfer("evbWifiStatusGet"))
        except (Refused, TimedOut):
            return [""]


def code_of(address: BleAddress, links: Links) -> Secret | None:
    """Return the security code the vault holds."""
    login = links.credentials(address)
    return login.password if login is not None and login.password else None


def must_be_one(link: BleLink) -> Variant:
    """Return the charger's radio; raises NotSupported where it is another device."""
    variant = variant_of(link.services)
    if variant is None:
        raise NotSupported("This Bluetooth device is no EVBox charger.", "Choose another one.")
    return variant


async def identity_of(talk: Talk, profile: Profile, address: BleAddress) -> Identity:
    """Read evb_BootInfo (vendor, model, serial, firmware, …); firmware without it tells its Bluetooth name only."""
    held = await talk.get(BOOT)
    found = fields(held[0] if held else None)
    told = dict(zip(BOOT_FIELDS, (text[:100] for text in found), strict=False))
    serial = told.get("serial", "")
    known = claim(ClaimKind.SERIAL, serial)
    return Identity(
        vendor=told.get("vendor") or profile.vendor,
        model=told.get("model", ""),
        serial=serial,
        firmware=told.get("firmware", ""),
        name=address.name[:100],
        profile_id=profile.id,
        claims=(known,) if known else (),
    )


def fields(value: Any) -> list[str]:
    """Split the maker's comma-separated answers; commas within brackets do not separate."""
    if not isinstance(value, str):
        return [""]
    found, depth = [""], 0
    for char in value.strip()[:4000]:
        depth = max(depth + (char in "{[") - (char in "}]"), 0)
        if char == "," and not depth:
            found.append("")
        else:
            found[-1] += char
    return [text.strip() for text in found]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -150 < value < 0 else None

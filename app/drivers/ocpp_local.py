"""Any unit that dials our endpoint, over OCPP 1.6, 2.0.1 or 2.1: the generic driver.

It asks what the unit reports and writes nothing the unit did not report (chargers-commercial part 3). A family is
recognised by its Boot, and where that tells nothing, by the keys it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

from app import resources
from app.diagnosis import stacks
from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    RunsSessions,
    SetsBackend,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.registry import Driver, load_profiles
from app.driver.session import Session
from app.errors import AppError, LinkLost, NotSupported, Refused, StepBlocked, TimedOut, ValueRejected
from app.links.link import Links, OcppLink
from app.model.address import Address, OcppAddress
from app.model.backend import Backend
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity, LinkState, SourceKind
from app.ocpp import repoint, repoint2
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import MeterSampled, StatusChanged
from app.ocpp.sightings import identity_of

READ_S = 300.0
"""Longest reading of a whole configuration: key by key takes its time on slow units [OURS]."""
LOOK_S = 8.0
"""Longest look for address keys when a session is opened [OURS]."""
WRITE_S = 120.0
RETURN_S = 45.0
"""Longest wait for a unit that hangs up in the middle to dial again: after a new password, profile or certificate many
do so at once (charge-points-in-practice)."""
LOOK_AGAIN_S = 0.1
FAULTED = "Faulted"

_ALWAYS = frozenset(
    {
        Identifies,
        ReportsStatus,
        Meters,
        ReadsSettings,
        ReadsOneSetting,
        WritesSettings,
        Reboots,
        RunsSessions,
    }
)


@cache
def families() -> tuple[Profile, ...]:
    """Return the profiles of this driver, to recognise a family by its keys."""
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    return tuple(profile for profile in profiles if profile.driver == OcppLocal.driver_id)


def family_of(profile: Profile, keys: frozenset[str]) -> Profile:
    """Return the profile whose address keys the unit reported: the one found by Boot if it has any, else the best."""

    def hits(candidate: Profile) -> int:
        return sum(item.key in keys and item.holds in repoint.ADDRESSES for item in candidate.backend_keys)

    return profile if hits(profile) else max((profile, *families()), key=hits)


class OcppLocal(Session):
    """A session over the unit's own connection to us. Closing it leaves that connection as it is."""

    driver_id: ClassVar[str] = "ocpp-local"
    deadline_s: ClassVar[float] = 45.0

    def __init__(self, address: OcppAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._profile = profile
        self._link: OcppLink = links.ocpp(address)

    @property
    def endpoint(self) -> Endpoint:
        """Return the live connection; raises LinkLost where the unit is not connected now."""
        endpoint = self._link.endpoint
        if not isinstance(endpoint, Endpoint):
            raise LinkLost(f"{self.address} is not connected.", "Wait until it dials our endpoint.")
        return endpoint

    async def _open(self) -> None:
        endpoint = self.endpoint
        self.offers = _ALWAYS
        is_known = endpoint.habits.settings is not None or endpoint.habits.is_looked
        if endpoint.is_ready and not is_known and not endpoint.is_left_alone:
            await self._look(endpoint)
        self._judge_offers()

    async def _close(self) -> None:
        return

    # Identifies, ReportsStatus, Meters

    async def identify(self) -> Identity:
        """Tell from its Boot who it is; asks for a Boot where it sent none since it connected."""
        async with self.call("identify"):
            endpoint = self.endpoint
            if endpoint.ledger.boot is None and endpoint.is_ready:
                await self._ask_boot(endpoint)
            return replace(identity_of(endpoint.identity, endpoint.ledger.boot), profile_id=self._family().id)

    async def status(self) -> Status:
        """Return the states it reported; nothing is sent."""
        async with self.call("status"):
            endpoint = self.endpoint
            states = endpoint.statuses
            first = states.get(1) or next(iter(states.values()), None)
            faulted = next((state for state in states.values() if state.state == FAULTED or state.error), None)
            return Status(
                state=first.state if first else "",
                detail=" ".join(part for part in (faulted.error, faulted.detail) if part) if faulted else "",
                has_fault=any(state.state == FAULTED for state in states.values()),
                readings=tuple(endpoint.ledger.latest.values()),
                link=LinkState(is_enabled=True, is_connected=True),
            )

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Yield the present states and readings, then what it sends; ends with LinkLost when the connection does."""
        self._must_be_open()
        endpoint = self.endpoint
        with endpoint.events.subscribe() as events:
            present: list[Reading | StateChange] = [*endpoint.statuses.values(), *endpoint.ledger.latest.values()]
            for known in present:
                yield known
            while endpoint.is_open and self._is_open:
                event = await anext(events)
                if isinstance(event, StatusChanged):
                    yield event.change
                elif isinstance(event, MeterSampled):
                    for reading in event.readings:
                        yield reading
        raise LinkLost(f"{self.address} is not connected any more.", "Wait until it dials again.")

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Read the whole configuration, as gently as this unit needs it."""
        async with self.call("read the settings", deadline_s=READ_S):
            self._spare(self.endpoint)
            found = await self.endpoint.get_settings()
            if self._is_old and not any(setting.key == repoint.AUTHORIZATION_KEY for setting in found):
                found += await self._hidden_key()
            self.endpoint.habits.settings = {setting.key: setting for setting in found}
        self._judge_offers()
        excluded = {setting.key: "The charger never tells this value." for setting in found if not setting.is_readable}
        return Snapshot(taken_at=datetime.now(UTC), settings=found, excluded=excluded)

    async def read_setting(self, key: str) -> Setting | None:
        """Ask for one key again. The slots of a 2.x station can be written and not read."""
        if not self._is_old and (slot := repoint2.slot_of(key)) is not None:
            return Setting(key=key, value=self.endpoint.habits.slots.get(slot), is_readable=False)
        async with self.call(f"read {key}"):
            found = await self.endpoint.get_settings((key,))
            return found[0] if found else None

    async def write_setting(self, change: Change) -> WriteResult:
        """Send ChangeConfiguration or SetVariables, then read the value back.

        Raises ValueRejected (Rejected), NotSupported (the unit does not know the key, or never reported it).
        """
        slot = None if self._is_old else repoint2.slot_of(change.key)
        async with self.call(f"write {change.key}", deadline_s=WRITE_S):
            endpoint = await self._present()
            if slot is not None:
                return await self._write_slot(endpoint, change, slot)
            if not await self._has_reported(endpoint, change.key):
                raise NotSupported(f"This charger never reported the key “{change.key}”.", "It is not written.")
            status = await endpoint.set_setting(change.key, change.after)
            _must_be_taken(change, status)
            try:
                back = await self._read_back(change.key)
            except LinkLost:
                await self._present(after=endpoint)
                back = await self._read_back(change.key)
        return WriteResult(
            key=change.key,
            is_accepted=True,
            read_back=back.value if back is not None and back.is_readable else None,
            needs_restart=status == "RebootRequired" or change.needs_restart,
            note="" if back is not None and back.is_readable else "The value cannot be read back.",
        )

    # SetsBackend

    async def read_backend(self) -> Backend | None:
        """Read from its keys or slots where it dials; ``None`` where nothing tells."""
        if self._is_old:
            return repoint.read(await self._target())
        slots = await self._slots_target()
        own = self._variables_target(self.endpoint)
        return repoint.read(own) if own is not None and not repoint2.can_repoint(slots) else repoint2.read(slots)

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes from the snapshot, URL last. Raises ValueRejected, NotSupported."""
        if not self._is_old:
            return await self._plan_slots(backend, snapshot)
        target = await self._target()
        merged = {**target.settings, **{setting.key: setting for setting in snapshot.settings}}
        return repoint.plan(replace(target, settings=merged), backend)

    # Reboots, RunsSessions

    async def restart(self) -> None:
        """Send Reset Soft (OnIdle), and Hard (Immediate) where that is refused."""
        async with self.call("restart"):
            for kind in ("Soft", "Hard"):
                if await self.endpoint.reset(kind) in ("Accepted", "Scheduled"):
                    return
        raise Refused(f"{self.address} refuses to restart.", "Switch its power off and on again.")

    async def start_charging(self, connector: int, tag: str) -> None:
        """Send RemoteStartTransaction or RequestStartTransaction."""
        async with self.call("start charging"):
            status = await self.endpoint.start(connector, tag)
        if status != "Accepted":
            raise Refused(
                f"{self.address} refuses to start (“{status}”).", "Plug a car or a tester in, then try again."
            )

    async def stop_charging(self, connector: int) -> None:
        """Stop the transaction that runs on the connector."""
        async with self.call("stop charging"):
            running = [item for item in self.endpoint.transactions.values() if item.is_running]
            meant = next((item for item in reversed(running) if item.connector == connector), None)
            if meant is None:
                raise StepBlocked(f"No session runs on connector {connector}.", "Look at its state.")
            status = await self.endpoint.stop(meant.transaction_id)
        if status != "Accepted":
            raise Refused(f"{self.address} refuses to stop (“{status}”).", "Stop it at the charger or unplug the car.")

    # Inside

    @property
    def _is_old(self) -> bool:
        return self.endpoint.version == "1.6"

    async def _present(self, *, after: Endpoint | None = None) -> Endpoint:
        """Return the live connection (a later one than ``after``), waiting for a unit that has just hung up.

        Raises LinkLost.
        """
        try:
            async with asyncio.timeout(RETURN_S):
                while True:
                    with suppress(LinkLost):
                        if (endpoint := self.endpoint).is_open and endpoint is not after:
                            return endpoint
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            return self.endpoint

    def _must_be_open(self) -> None:
        if not self._is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")

    async def _look(self, endpoint: Endpoint) -> None:
        """Ask once for the known address keys only: gentler than the whole configuration, on which some units drop."""
        endpoint.habits.is_looked = True
        known = [key for profile in (self._profile, *families()) for key in profile.backend_keys]
        own = [key.key for key in known if key.holds in repoint.ADDRESSES and ("." in key.key) is not self._is_old]
        keys = own if self._is_old else [*repoint2.NEEDED, *own]
        try:
            async with asyncio.timeout(LOOK_S):
                found = await endpoint.get_settings(tuple(dict.fromkeys(keys)))
        except (AppError, TimeoutError):
            return
        endpoint.habits.addresses |= {setting.key: setting for setting in found}

    async def _target(self) -> repoint.Target:
        self._must_be_open()
        endpoint = self.endpoint
        if endpoint.habits.settings is None:
            await self.read_settings()
        return self._known_target(endpoint)

    def _known_target(self, endpoint: Endpoint) -> repoint.Target:
        family = self._family()
        shake = endpoint.handshake
        host = next((value for name, value in shake.headers if name.lower() == "host"), "")
        return repoint.Target(
            settings=endpoint.habits.settings or endpoint.habits.addresses,
            keys=family.backend_keys,
            identity=endpoint.identity,
            habit=family.url,
            path=shake.path,
            host=host,
        )

    # Repointing over 2.x

    async def _slots_target(self) -> repoint2.Target:
        self._must_be_open()
        endpoint = self.endpoint
        found = await endpoint.get_settings(repoint2.NEEDED)
        endpoint.habits.addresses |= {setting.key: setting for setting in found}
        return self._known_slots(endpoint)

    def _known_slots(self, endpoint: Endpoint) -> repoint2.Target:
        habits, shake = endpoint.habits, endpoint.handshake
        host = next((value for name, value in shake.headers if name.lower() == "host"), "")
        return repoint2.Target(
            identity=endpoint.identity,
            version=endpoint.version,
            settings={**(habits.settings or {}), **habits.addresses},
            host=host,
            path=shake.path,
            is_secure=shake.tls is not None,
            slots=habits.slots,
        )

    def _variables_target(self, endpoint: Endpoint) -> repoint.Target | None:
        """Return how a 2.x station dials that keeps its address in variables of its own; ``None`` for all others."""
        target = self._known_target(endpoint)
        own = {key.key for key in target.keys if "." in key.key}
        settings = {key: item for key, item in {**endpoint.habits.addresses, **target.settings}.items() if key in own}
        target = replace(target, settings=settings)
        return target if repoint.can_repoint(target) else None

    async def _plan_slots(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        target = await self._slots_target()
        told = {setting.key: setting for setting in snapshot.settings}
        own = self._variables_target(self.endpoint)
        if own is not None and not repoint2.can_repoint(target):
            fresh = {key: told.get(key, item) for key, item in own.settings.items()}
            return repoint.plan(replace(own, settings=fresh), backend)
        changes = repoint2.plan(replace(target, settings={**told, **target.settings}), backend)
        if backend.url.lower().startswith("wss:") and not await self._has_root():
            raise ValueRejected(
                "This charger has no root certificate for backends installed; it would refuse wss:// addresses.",
                "Install the root certificate of the backend first (Services, Certificates), then plan again.",
            )
        return changes

    async def _has_root(self) -> bool:
        """Ask for the installed roots (P2-201 M03); a station that does not tell is believed to have one."""
        try:
            answer = await self.endpoint.call(
                "GetInstalledCertificateIds", {"certificateType": ["CSMSRootCertificate"]}
            )
        except (NotSupported, Refused, TimedOut):
            return True
        return answer.get("status") != "NotFound"

    async def _write_slot(self, endpoint: Endpoint, change: Change, slot: int) -> WriteResult:
        """Send SetNetworkProfile; where it is refused over the first interface, over the next."""
        status, reason = "", ""
        for interface in repoint2.interfaces(change.after):
            data = repoint2.profile_data(change.after, interface)
            answer = await endpoint.call("SetNetworkProfile", {"configurationSlot": slot, "connectionData": data})
            status, info = str(answer.get("status", "")), answer.get("statusInfo")
            reason = str(info.get("reasonCode", "")) if isinstance(info, dict) else ""
            if status == "Accepted":
                endpoint.habits.slots[slot] = str(data["ocppCsmsUrl"])
                note = f"Accepted for {interface}; a slot cannot be read back."
                return WriteResult(
                    key=change.key, is_accepted=True, read_back=None, needs_restart=change.needs_restart, note=note
                )
        level = self._known_slots(endpoint).value(repoint2.LEVEL)
        code, what, advice = repoint2.refusal(reason, level)
        raise ValueRejected(f"{what} ({code}, “{status[:20]}”)", advice)

    def _family(self) -> Profile:
        habits = self.endpoint.habits
        return family_of(self._profile, frozenset(habits.settings or habits.addresses))

    def _judge_offers(self) -> None:
        if self._is_old:
            is_possible = repoint.can_repoint(self._known_target(self.endpoint))
        else:
            has_slots = repoint2.can_repoint(self._known_slots(self.endpoint))
            is_possible = has_slots or self._variables_target(self.endpoint) is not None
        self.offers = _ALWAYS | {SetsBackend} if is_possible else _ALWAYS

    def _spare(self, endpoint: Endpoint) -> None:
        """Ask a unit key by key from the start that is known to drop when it is asked for everything."""
        boot = endpoint.ledger.boot
        if boot is not None and self._is_old and stacks.is_read_singly(boot.vendor):
            endpoint.habits.chokes_on_all = True

    async def _hidden_key(self) -> tuple[Setting, ...]:
        """Ask for AuthorizationKey by name: many units leave it out of the list because it can't be read."""
        try:
            return await self.endpoint.get_settings((repoint.AUTHORIZATION_KEY,))
        except (TimedOut, Refused):
            return ()

    async def _has_reported(self, endpoint: Endpoint, key: str) -> bool:
        """Say whether the unit itself told this key; before its configuration was read, it is asked for the one key."""
        known = endpoint.habits.settings
        return key in known if known is not None else bool(await endpoint.get_settings((key,)))

    async def _read_back(self, key: str) -> Setting | None:
        try:
            found = await self.endpoint.get_settings((key,))
        except (TimedOut, Refused):
            return None
        setting = found[0] if found else None
        known = self.endpoint.habits.settings
        if setting is not None and known is not None:
            known[key] = setting
        return setting

    async def _ask_boot(self, endpoint: Endpoint) -> None:
        try:
            await endpoint.trigger("BootNotification")
        except (TimedOut, Refused):
            return


def _must_be_taken(change: Change, status: str) -> None:
    if status in ("Accepted", "RebootRequired"):
        return
    if status == "NotSupported":
        raise NotSupported(f"This charger does not know the key “{change.key}”.", "Its firmware may be older.")
    raise ValueRejected(
        f"The charger refuses this value for “{change.key}” (“{status[:40]}”).",
        "Check the value; some keys can only be changed at the charger itself.",
    )


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Tell who dialled in by its Boot; nothing is sent. Raises LinkLost where it is not connected."""
    if not isinstance(address, OcppAddress):
        return None
    endpoint = links.ocpp(address).endpoint
    if not isinstance(endpoint, Endpoint):
        return None
    return replace(identity_of(endpoint.identity, endpoint.ledger.boot), profile_id=profile.id)


def _opened(address: Address, profile: Profile, links: Links) -> Session:
    if not isinstance(address, OcppAddress):
        raise NotSupported(f"{address} is no unit on our endpoint.", "Choose the way by which it dials in.")
    return OcppLocal(address, profile, links)


DRIVER = Driver(
    id=OcppLocal.driver_id,
    title="OCPP on our endpoint",
    sources=frozenset({SourceKind.DIAL_IN}),
    open=_opened,
    capabilities=_ALWAYS | {SetsBackend},
    probe=probe,
)

"""Charging limits at work: set, list, clear, and ask the charger what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.errors import NotSupported, Refused
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.services.schedule import (
    MAX_PROFILES,
    Composite,
    Disagreement,
    Profile,
    compare,
    compose,
    read_composite,
    read_profile,
    write_profile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A charger's composite schedule beside what the known profiles add up to."""

    expected: Composite
    told: Composite
    disagreements: tuple[Disagreement, ...]

    @property
    def text(self) -> str:
        """Say whether the charger obeys."""
        if not self.disagreements:
            return "The charger does what the limits add up to."
        first = self.disagreements[0]
        told = "nothing" if first.told is None else f"{first.told:g} {self.told.unit}"
        return f"After {first.start_s} s the limits allow {first.expected:g} {self.expected.unit}, it says {told}."


async def set_limit(endpoint: Endpoint, profile: Profile) -> tuple[str, str]:
    """Send a profile; return status and meaning. Raises NotSupported, Refused, LinkError."""
    place = "connectorId" if endpoint.version == "1.6" else "evseId"
    body = "csChargingProfiles" if endpoint.version == "1.6" else "chargingProfile"
    answer = await endpoint.call(
        "SetChargingProfile", {place: profile.connector, body: write_profile(profile, endpoint.version)}
    )
    status = v16.text(answer.get("status"), 30)
    words = {
        "Accepted": "The charger took the limit; ask for the composite schedule to see whether it obeys.",
        "Rejected": "The charger refuses the limit; its stack level, unit or purpose may be beyond what it can.",
        "NotSupported": "The charger has no smart charging.",
    }
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")


async def clear_limits(
    endpoint: Endpoint, *, profile_id: int | None = None, connector: int | None = None, purpose: str = ""
) -> tuple[str, str]:
    """Clear one profile, or all that fit; all of them where nothing is said. Raises NotSupported, LinkError."""
    if endpoint.version == "1.6":
        request = _filled(id=profile_id, connectorId=connector, chargingProfilePurpose=purpose or None)
    else:
        fits = _filled(evseId=connector, chargingProfilePurpose=purpose or None)
        request = _filled(chargingProfileId=profile_id, chargingProfileCriteria=fits or None)
    status = v16.text((await endpoint.call("ClearChargingProfile", request)).get("status"), 30)
    words = {"Accepted": "The charger cleared the limits.", "Unknown": "The charger had no such limit."}
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")


def _filled(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


async def get_limits(endpoint: Endpoint, connector: int | None = None) -> tuple[Profile, ...]:
    """List the profiles a 2.x charger holds. Raises NotSupported for 1.6, which has no such question."""
    if endpoint.version == "1.6":
        raise NotSupported(
            "OCPP 1.6 can't list charging profiles.", "Ask for the composite schedule, or clear all limits."
        )
    request: dict[str, Any] = {"chargingProfile": {}} | _filled(evseId=connector)
    try:
        parts = await endpoint.gather("GetChargingProfiles", request)
    except Refused as error:
        if "NoProfiles" in error.message:
            return ()
        raise
    found: list[Profile] = []
    for part in parts:
        told, evse = part.get("chargingProfile"), v16.number(part.get("evseId"))
        read = (read_profile(item, evse) for item in (told if isinstance(told, list) else ()) if isinstance(item, dict))
        found += [profile for profile in read if profile is not None]
    return tuple(found[:MAX_PROFILES])


async def composite(endpoint: Endpoint, connector: int, duration_s: int, unit: str = "A") -> Composite:
    """Ask what a connector may draw from now on. Raises Refused where the charger has no answer."""
    place = "connectorId" if endpoint.version == "1.6" else "evseId"
    request = {place: connector, "duration": duration_s, "chargingRateUnit": unit}
    answer = await endpoint.call("GetCompositeSchedule", request)
    found = read_composite(answer, datetime.now(UTC))
    if answer.get("status") != "Accepted" or found is None:
        raise Refused(
            f"The charger names no composite schedule ({v16.text(answer.get('status'), 30) or 'no status'}).",
            "Some have none without limits, or answer for connector 0 only.",
        )
    return found


async def judge(
    endpoint: Endpoint, profiles: Iterable[Profile], connector: int, *, duration_s: int = 3600, unit: str = "A"
) -> Judged:
    """Ask for the composite schedule and compare it with what these profiles add up to."""
    told = await composite(endpoint, connector, duration_s, unit)
    running = [item for item in endpoint.transactions.values() if item.is_running and item.connector == connector]
    expected = compose(
        profiles,
        connector,
        at=told.start_at,
        duration_s=duration_s,
        unit=told.unit,
        session_at=running[0].started_at if running else None,
    )
    return Judged(expected=expected, told=told, disagreements=compare(expected, told))

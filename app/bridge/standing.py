"""What a bridged charge point is like on its line: when it dials again, which password it takes, how it stands."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from app.bridge.outlet import OutletState
from app.bridge.station import Station
from app.bridge.target import Target
from app.errors import StoreError
from app.model.backend import redact_url
from app.model.bridge import LineState, SessionShown, UnitKind, UnitStatus

HEX_PASSWORD, TEXT_PASSWORD = (32, 40), (16, 40)
"""Least and most characters of an AuthorizationKey: 16 to 20 bytes in hex, or a text (SEC16 A00.FR.205, A01)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How dialling again is spread (J16 §5.3, RFC 6455 §7.2.3), in seconds."""

    least_s: float = 10.0
    most_s: float = 300.0
    restart_s: float = 2.0
    first_s: float = 1.0
    """Within which all units of a bridge begin."""

    def pause_s(self, failures: int) -> float:
        """Return the pause before the next attempt: doubled with each failure, half of it by chance."""
        longest_s = min(self.most_s, self.least_s * 2.0 ** min(max(failures - 1, 0), 16))
        return longest_s * random.uniform(0.5, 1.0)


RHYTHM = Rhythm()


def fits_as_password(text: str, *, is_hex: bool) -> bool:
    """Say whether a password can be taken, in the spelling this backend's passwords have."""
    if is_hex:
        has_bytes = len(text) % 2 == 0 and all(char in "0123456789abcdefABCDEF" for char in text)
        return has_bytes and HEX_PASSWORD[0] <= len(text) <= HEX_PASSWORD[1]
    return text.isprintable() and TEXT_PASSWORD[0] <= len(text) <= TEXT_PASSWORD[1]


def standing(
    station: Station, target: Target, *, line: LineState, line_since: datetime, trouble: str, delivered: int
) -> UnitStatus:
    """Return how a charge point stands, for the status page."""
    seen = station.outlet.state
    return UnitStatus(
        identity=station.equipment.identity,
        kind=UnitKind.BOX,
        unit=station.equipment.serial,
        backend=redact_url(target.url),
        version=station.version,
        security_profile=int(target.security_profile),
        line=line,
        line_since=line_since,
        trouble=trouble,
        state=station.state,
        is_present=seen.is_present,
        power_w=seen.power_w or 0.0,
        register_wh=seen.register_wh,
        limit_a=seen.limit_a if seen.limit_a is not None else station.outlet.allowed_a,
        ceiling_a=station.outlet.ceiling_a,
        queued=len(station.kept.outbox),
        oldest_queued_at=_oldest(station),
        delivered=delivered,
        session=_session(station, seen),
    )


def _oldest(station: Station) -> datetime | None:
    try:
        head = station.kept.outbox.head()
    except StoreError:  # the line says so; the page must tell it
        return None
    return head.at if head else None


def _session(station: Station, seen: OutletState) -> SessionShown | None:
    session = station.kept.sessions.running()
    if session is None:
        return None
    return SessionShown(
        number=session.number,
        began_at=session.began_at,
        start_wh=session.start_wh,
        energy_wh=max(0, seen.register_wh - session.start_wh),
        transaction=session.transaction_id,
        id_tag=session.id_tag,
    )

"""One charger that answers several drivers at one host, where not all of them learn who it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.discovery.roster import Roster
from app.model.address import NetAddress
from app.model.unit import ClaimKind, Identity, SourceKind, Way, claim

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def way(driver: str, port: int, host: str = "192.168.1.5") -> Way:
    address = NetAddress(host=host, port=port)
    return Way(driver_id=driver, address=address, source=SourceKind.LAN, seen_at=NOW)


def who(serial: str = "", profile: str = "bender-web") -> Identity:
    known = claim(ClaimKind.SERIAL, serial) if serial else None
    return Identity(serial=serial, profile_id=profile, claims=(known,) if known else ())


@pytest.mark.parametrize(("first", "second"), [("", ""), ("GEN3000815", ""), ("", "GEN3000815")])
def test_a_page_and_modbus_at_one_host_are_one_charger(first: str, second: str) -> None:
    roster = Roster()
    roster.observe(who(first), way("page", 80))
    roster.observe(who(second), way("modbus", 502))
    (unit,) = roster.units.values()
    assert {item.driver_id for item in unit.ways} == {"page", "modbus"}
    assert unit.identity.serial == first or unit.identity.serial == second
    roster.observe(who(first), way("page", 80))
    assert len(roster.units) == 1


@pytest.mark.parametrize(
    ("identity", "other"),
    [
        (who("GEN3000999"), way("modbus", 502)),  # another serial number
        (who(profile="peblar"), way("modbus", 502)),  # another family
        (who(), way("page", 8080)),  # the same driver twice: two chargers behind one router
        (who(), way("modbus", 502, "192.168.1.6")),  # another host
    ],
)
def test_others_stay_two(identity: Identity, other: Way) -> None:
    roster = Roster()
    roster.observe(who("GEN3000815"), way("page", 80))
    roster.observe(identity, other)
    assert len(roster.units) == 2

"""Sixty chargers of every family on one network, among printers and routers: each is known for what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.sim.site import ANNOUNCED, DIALLERS, places
from tests.e2e import sixty
from tests.unit.discovery_site import Missing

pytestmark = [pytest.mark.timeout(150), pytest.mark.xdist_group("network namespaces")]


def test_the_site_has_sixty_chargers_of_many_families() -> None:
    assert len(places()) >= 60
    assert len({place.profile for place in places()}) >= 30
    assert len({identity for identity, _, _ in DIALLERS}) == len(DIALLERS)


@pytest.mark.netns
def test_sixty_chargers_are_known_for_what_they_are_and_nothing_else_is(tmp_path: Path) -> None:
    try:
        with sixty.standing() as (site, told, garage):
            result = sixty.found(site, told["placed"])
            heard = {profile for profile, _, _ in ANNOUNCED}
            there = [item for item in told["placed"] if item["way"] == "lan" and item["profile"] not in heard]
            units, said = sixty.searched(site, tmp_path)
            out, err = garage.communicate("\n", timeout=20)
    except Missing as missing:
        pytest.skip(str(missing))
    assert not err
    wanted = {item["where"]: item["profile"] for item in told["placed"]}
    taken = {where: unit["profile"] for unit in result["units"] for where in unit["where"]}
    assert taken == wanted  # decoys are no units, not even unnamed ones
    assert len(result["units"]) == len(told["placed"])  # nobody stands there twice
    unnamed = {item["host"] for item in result["answers"] if not item["unit"]}
    assert unnamed == set(told["decoys"])
    assert result["asked"] == 253
    asked = [line for lines in json.loads(out.splitlines()[-1]).values() for line in lines]
    assert asked
    assert all(line.startswith("GET ") for line in asked)
    alone = {way["address"]["host"]: unit["identity"]["profile_id"] for unit in units for way in unit["ways"]}
    assert alone == {item["where"]: item["profile"] for item in there}  # no announcement is needed
    assert "Asking 253 addresses, 10.77.0.2 to 10.77.0.254. None of these calls can change a charger:" in said
    assert "253 of 253 addresses asked in" in said
    assert result["ended"] < sixty.LIMIT_S  # the figure itself is the benchmark's: bench_site.py

"""Recording a charger that speaks HTTPS and wants a login, as somebody with one on the wall would."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from app import resources
from app.driver.registry import load_profiles
from app.links.link import Credentials
from app.model.address import NetAddress, SerialAddress
from app.model.secret import Secret
from app.sim.alfen import OWNER, AlfenStation
from tests.conftest import TIME_UNIT_S
from tests.drivers.record import address_of, record

PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}


async def test_a_station_behind_https_and_a_login_is_recorded_without_its_password(tmp_path: Path) -> None:
    file = tmp_path / "alfen.jsonl"
    async with AlfenStation(time_scale=TIME_UNIT_S) as unit:
        await record("alfen", unit.address.url, file, Credentials(password=Secret(OWNER)))
        assert (unit.logins, unit.left_open) == (1, 0)
    text = file.read_text(encoding="utf-8")
    assert OWNER not in text
    paths = {orjson.loads(line).get("path", "") for line in text.splitlines()}
    assert {"/api/info", "/api/login", "/api/logout"} <= paths


@pytest.mark.parametrize(
    ("profile", "where", "expected"),
    [
        ("openevse-wifi", "192.168.1.43", NetAddress(host="192.168.1.43", port=80)),
        ("openevse-wifi", "192.168.1.43:8080", NetAddress(host="192.168.1.43", port=8080)),
        ("alfen", "192.168.1.44", NetAddress(host="192.168.1.44", port=443, scheme="https")),
        ("peblar", "https://192.168.1.45", NetAddress(host="192.168.1.45", port=443, scheme="https")),
        ("keba-x", "192.168.1.46", NetAddress(host="192.168.1.46", port=7090, scheme="udp")),
    ],
)
def test_a_place_is_read_as_its_family_listens(profile: str, where: str, expected: NetAddress) -> None:
    assert address_of(where, PROFILES[profile]) == expected


def test_a_serial_port_is_taken_as_it_is() -> None:
    assert address_of("/dev/ttyUSB0", PROFILES["openevse-rapi"], is_serial=True) == SerialAddress(port="/dev/ttyUSB0")

"""Chargers' own access points: what each system tells of the Wi-Fi, and what we make of it."""

import json

import pytest

import app.drivers
from app import resources
from app.discovery.adapters import Network
from app.discovery.airwaves import NO_TOOL, listen, parse_iwgetid, parse_netsh, parse_nmcli, parse_profiler
from app.discovery.hotspots import Hotspots
from app.driver.registry import Registry, load_drivers, load_profiles
from app.model.address import NetAddress
from app.model.frame import Adapter
from app.model.hotspot import Airwaves
from app.model.unit import SourceKind

NMCLI = "*:warp3-aB1\n :My\\:Net\\\\2\n :\n :UC_1234\n"
"""`nmcli -t -f IN-USE,SSID device wifi list`, NetworkManager's nmcli(1): terse mode, `:` and `\\` escaped."""

NETSH_EN = """
There is 1 interface on the system:

    Name                   : Wi-Fi
    Description            : Intel(R) Wi-Fi 6 AX201 160MHz
    GUID                   : 8f2c1a44-1c0e-4a1b-9e3e-2f0b6d5a7c11
    Physical address       : 3c:58:c2:11:22:33
    State                  : connected
    SSID                   : SmartEVSE-config
    AP BSSID               : a4:2b:b0:44:55:66
    Network type           : Infrastructure
    Signal                 : 92%
    Profile                : SmartEVSE-config
"""
"""Layout of Windows 11 23H2 and 24H2 (`AP BSSID`), as people post it."""

NETSH_DE = """
Auf dem System ist eine Schnittstelle vorhanden:

    Name                   : WLAN
    Beschreibung           : Intel(R) Wi-Fi 6 AX201 160MHz
    Physische Adresse      : aa:bb:cc:dd:ee:ff
    Status                 : Verbunden
    SSID                   : Zuhause-24
    BSSID                  : 11:22:33:44:55:66
    Profil                 : Zuhause-24
"""

NETSH_NETWORKS = """
Interface name : Wi-Fi
There are 3 networks currently visible.

SSID 1 : OpenEVSE_12ab
    Network type            : Infrastructure
    Authentication          : WPA2-Personal

SSID 2 :
    Network type            : Infrastructure

SSID 3 : Zuhause-24
    Network type            : Infrastructure
"""

NETSH_OFF = """
There is 1 interface on the system:

    Name                   : WiFi
    Description            : D-Link DWA-132 Wireless N USB Adapter(rev.B)
    State                  : disconnected
    Radio status           : Hardware On
                             Software On
"""

NETSH_LOCKED = """
There is 1 interface on the system:
Network shell commands need location permission to access WLAN information. Turn on Location services on the Location page in Privacy & security settings.

Here is the URI for the Location page in the Settings app:
ms-settings:privacy-location

Function WlanQueryInterface returns error 5:
The requested operation requires elevation (Run as administrator).
"""
"""Windows 11 24H2, location switched off (learn.microsoft.com, Changes to API behavior for Wi-Fi access and location)."""


def profiler(own: str, *others: str) -> str:
    """The shape of `system_profiler SPAirPortDataType -json` on macOS."""
    port: dict[str, object] = {"_name": "en0", "spairport_status_information": "spairport_status_connected"}
    if own:
        port["spairport_current_network_information"] = {"_name": own, "spairport_network_channel": "6 (2GHz, 20MHz)"}
    port["spairport_airport_other_local_wireless_networks"] = [{"_name": name} for name in others]
    return json.dumps({"SPAirPortDataType": [{"spairport_airport_interfaces": [port]}]})


def test_linux_tells_ours_and_the_others():
    told = parse_nmcli(NMCLI.replace("\r", ""))
    assert told.joined == ("warp3-aB1",)
    assert told.nearby == ("My:Net\\2", "UC_1234")
    assert not told.trouble


def test_an_old_linux_tells_ours_alone_and_says_so():
    told = parse_iwgetid("go-e-123456\n")
    assert told.joined == ("go-e-123456",)
    assert "can't be told" in told.trouble
    assert parse_iwgetid("").joined == ()


@pytest.mark.parametrize(("text", "own"), [(NETSH_EN, "SmartEVSE-config"), (NETSH_DE, "Zuhause-24")])
def test_windows_tells_it_in_any_language(text, own):
    told = parse_netsh(text.replace("\n", "\r\n"), NETSH_NETWORKS.replace("\n", "\r\n"))
    assert told.joined == (own,)
    assert "OpenEVSE_12ab" in told.nearby
    assert own not in told.nearby
    assert not any("Network type" in name or ":" in name for name in told.nearby)


def test_windows_without_wifi_or_without_leave():
    assert parse_netsh(NETSH_OFF, "").joined == ()
    locked = parse_netsh(NETSH_LOCKED, NETSH_LOCKED)
    assert "Windows keeps" in locked.trouble
    assert "Location" in locked.advice


def test_macos_tells_it_or_keeps_it():
    told = parse_profiler(profiler("warp-X9z", "UC_77", "UC_77"))
    assert (told.joined, told.nearby) == (("warp-X9z",), ("UC_77",))
    assert "macOS keeps" in parse_profiler(profiler("<redacted>")).trouble
    assert parse_profiler(profiler("", "UC_1")).joined == ()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"SPAirPortDataType": 3}', "[" * 100_000, '{"SPAirPortDataType": [[]]}']
)
def test_nonsense_tells_nothing(text):
    told = parse_profiler(text)
    assert (told.joined, told.nearby) == ((), ())


def test_names_over_the_air_are_bounded_and_clean():
    told = parse_nmcli(
        "*:" + "x" * 500 + "\n" + "".join(f" :n{number}\n" for number in range(1000)) + " :a\x1b[2Jb\u202e\n"
    )
    assert len(told.joined[0]) <= 33  # an ellipsis may follow
    assert len(told.nearby) == 200
    assert not any("\x1b" in name or "\u202e" in name for name in told.nearby)


async def test_a_system_without_the_programs_is_said_not_raised(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.platform", "linux")
    assert await listen() == NO_TOOL
    monkeypatch.setattr("sys.platform", "darwin")
    assert await listen() == NO_TOOL
    monkeypatch.setattr("sys.platform", "win32")
    assert await listen() == NO_TOOL


async def test_real_programs_are_asked(monkeypatch, tmp_path):
    tool = tmp_path / "nmcli"
    tool.write_text('#!/bin/sh\n[ "$7" = --rescan ] && printf "*:warp3-aB1\\n :x\\n"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("sys.platform", "linux")
    assert (await listen()).joined == ("warp3-aB1",)


# What we make of it


@pytest.fixture(scope="module")
def registry():
    return Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))


def network(address: str, prefix: int = 24, name: str = "wlan0") -> Network:
    return Network(adapter=Adapter(name=name, address=address, is_loopback=False), prefix=prefix, index=3)


async def look(registry, air: Airwaves, *own: Network):
    async def told() -> Airwaves:
        return air

    sighted = []
    spots = Hotspots(registry, sighted.append, air=told, own=lambda: own)
    with spots.changes.subscribe() as heard:
        hints = await spots.look()
        assert heard.take() == [hints] == [spots.hints]
    return hints, sighted


async def test_a_charger_whose_wifi_we_are_on_is_named_and_asked(registry):
    hints, sighted = await look(registry, Airwaves(joined=("warp3-aB1",)), network("10.0.0.2"))
    [hint] = hints
    assert "warp" in hint.profile_ids
    assert "warp3-aB1" in hint.text
    assert hint.address == NetAddress(host="10.0.0.1", port=80)
    assert hint.is_joined
    assert {item.address.host for item in sighted} == {"10.0.0.1"}
    assert {item.source for item in sighted} == {SourceKind.LAN}


async def test_without_an_address_yet_nobody_is_asked(registry):
    hints, sighted = await look(registry, Airwaves(joined=("SmartEVSE-config",)))
    assert "no address" in hints[0].text
    assert not sighted


async def test_one_nearby_is_told_and_not_asked(registry):
    hints, sighted = await look(
        registry, Airwaves(joined=("Office",), nearby=("UC_1234", "Shop")), network("192.168.1.7")
    )
    [hint] = hints
    assert (hint.ssid, hint.is_joined, hint.address) == ("UC_1234", False, None)
    assert "Join it" in hint.text
    assert not sighted


async def test_an_address_alone_is_a_weak_hint(registry):
    hints, sighted = await look(registry, Airwaves(trouble="not told"), network("192.168.4.2"))
    [hint] = hints
    assert {"go-e", "smartevse", "openevse-wifi"} <= set(hint.profile_ids)
    assert "Many routers" in hint.text
    assert all(item.address.host == "192.168.4.1" for item in sighted)
    assert sighted


@pytest.mark.parametrize(
    "own",
    [
        network("192.168.1.4"),
        network("192.168.4.1"),  # that is ourselves
        network("10.0.7.4", prefix=8),  # a company's network, not an access point
        network("10.0.0.9", name="docker0"),
    ],
)
async def test_other_networks_hint_at_nothing(registry, own):
    assert await look(registry, Airwaves(), own) == ((), [])

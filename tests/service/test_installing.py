"""What is put in place so that the system keeps the bridge running."""

from __future__ import annotations

import configparser
import plistlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from app.service.installing import KINDS, recipe
from app.service.site import BoxPlan, SitePlan, StandPlan

BOX = BoxPlan(identity="STALL-1", backend="main", box_id="0910042001260513", circuit_a=32.0)
CALLED = ("/opt/re home/rehome",)


def plan(folder: Path = Path("/var/lib/rehome-bridge"), **more: object) -> SitePlan:
    return replace(SitePlan(name="x", address="192.0.2.10", folder=folder, boxes=(BOX,)), **more)  # type: ignore[arg-type]


def unit(text: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser["Service"]


def test_systemd_starts_watches_and_confines_it() -> None:
    service = unit(recipe("systemd", plan(), Path("/etc/rehome/100% site.toml"), CALLED).text)
    assert service["ExecStart"] == '"/opt/re home/rehome" bridge --config "/etc/rehome/100%% site.toml" --log json'
    assert (service["Type"], service["WatchdogSec"], service["Restart"]) == ("notify", "60", "always")
    assert service["ReadWritePaths"] == "/var/lib/rehome-bridge"
    assert service["CapabilityBoundingSet"] == ""
    assert "AmbientCapabilities" not in service


@pytest.mark.parametrize("more", [{"standin": StandPlan(dns=True)}, {"status_port": 80}])
def test_the_right_to_low_ports_is_asked_for_only_where_it_is_needed(more: dict[str, object]) -> None:
    service = unit(recipe("systemd", plan(**more), Path("/etc/site.toml"), CALLED).text)
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_itself_has_nothing_against_it(tmp_path: Path) -> None:
    path = tmp_path / "rehome-bridge.service"
    path.write_text(recipe("systemd", plan(), Path("/etc/site.toml"), ("/bin/true",)).text, encoding="utf-8")
    found = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False)
    told = [line for line in found.stderr.splitlines() if "rehome-bridge" in line and "User" not in line]
    assert told == []


def test_launchd_gets_a_property_list() -> None:
    made = recipe("launchd", plan(), Path("/etc/site.toml"), CALLED)
    document = plistlib.loads(made.text.encode())
    assert document["ProgramArguments"][:4] == ["/opt/re home/rehome", "bridge", "--config", "/etc/site.toml"]
    assert document["KeepAlive"] is True
    assert made.commands[-2].endswith(made.path)


def test_windows_opens_its_firewall_for_the_one_address_and_no_more() -> None:
    made = recipe("windows", plan(), Path("C:/site/site.toml"), CALLED)
    rules = [line for line in made.commands if line.startswith("New-NetFirewallRule")]
    assert len(rules) == 1
    assert "-LocalPort 8042,8043,8047,8051,8055,9004 -LocalAddress 192.0.2.10" in rules[0]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_can_be_taken_away_again(kind: str) -> None:
    made = recipe(kind, plan(), Path("/etc/site.toml"), CALLED)
    assert made.commands
    assert made.undo


def test_an_unknown_system_is_no_recipe() -> None:
    with pytest.raises(ValueError, match="upstart"):
        recipe("upstart", plan(), Path("/etc/site.toml"))

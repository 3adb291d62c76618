"""The recipes for the site's own router, filled in."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.errors import ValueRejected
from app.model.garage import Recipe
from app.standin import names
from app.standin.names import Choice
from app.standin.recipes import options, recipes

BOOK = names.read()
US = BOOK.choice(["juicebox-enel-us"])
WILD = BOOK.choice(names=["*.old-cloud.example", "csms.example"], refused=["*.update.example"])
OURS = "192.168.1.20"


def by_id(choice: Choice) -> dict[str, Recipe]:
    return {item.id: item for item in recipes(OURS, choice)}


@pytest.mark.parametrize("choice", [US, WILD], ids=["juicebox", "own names"])
def test_every_recipe_is_whole_and_tells_its_source(choice: Choice) -> None:
    found = by_id(choice)
    assert {"openwrt", "unbound", "mikrotik", "fritzbox", "unifi", "pihole"} <= set(found)
    for item in found.values():
        assert item.title
        assert item.source
        assert item.grade in ("source", "reported", "unverified")
        assert not re.search(r"[{}]|None|Undefined", item.text)
        assert not re.search(r"\n\n\n|[ \t]\n", item.text), item.id


def test_every_name_and_our_address_stand_in_every_recipe_that_works_by_names() -> None:
    for item in by_id(US).values():
        if item.id in ("mikrotik-nat", "fritzbox"):
            continue
        ours = {"access-point": "192.168.50.1", "windows-hotspot": "192.168.137.1"}.get(item.id, OURS)
        for name in US.answered:
            line = next(line for line in item.text.splitlines() if name in line)
            assert ours in line or item.id == "unbound", item.id
        assert "directory-api.emotorwerks.com" in item.text


def test_ports_are_redirected_for_juiceboxes_only() -> None:
    assert "dst-port=8042,8043,8047" in by_id(US)["mikrotik-nat"].text
    assert "--dports 8042,8043,8047" in by_id(US)["access-point"].text
    assert not {"mikrotik-nat", "access-point"} & set(by_id(WILD))


def test_patterns_become_what_each_router_calls_them() -> None:
    found = by_id(WILD)
    assert "address=/old-cloud.example/192.168.1.20\n" in found["dnsmasq"].text
    assert 'local-zone: "update.example." always_nxdomain' in found["unbound"].text
    assert "name=old-cloud.example address=192.168.1.20 match-subdomain=yes" in found["mikrotik"].text
    assert "add each name below old-cloud.example, update.example" in found["pihole"].text


def test_the_fritzbox_says_that_it_can_not() -> None:
    text = by_id(WILD)["fritzbox"].text
    assert text.startswith("Not possible")
    assert "--name '*.old-cloud.example' --name csms.example --refuse '*.update.example'" in text


def test_options_make_the_same_choice_again() -> None:
    assert options(US) == "--set juicebox-enel-us"


def test_without_names_or_with_a_strange_address_there_is_nothing_to_fill_in() -> None:
    with pytest.raises(ValueRejected, match="No names"):
        recipes(OURS, Choice())
    for address in ("", "router", "fe80::1", "1.2.3.4; rm -rf /"):
        with pytest.raises(ValueRejected, match="IPv4"):
            recipes(address, US)


def test_nat_examples_use_addresses_nobody_has() -> None:
    assert ipaddress.ip_address("192.0.2.1") in ipaddress.ip_network("192.0.2.0/24")
    assert "192.0.2.1" in by_id(US)["windows-hotspot"].text


@pytest.mark.parametrize("choice", [US, WILD], ids=["juicebox", "own names"])
def test_dnsmasq_takes_its_recipe(choice: Choice, tmp_path: Path) -> None:
    _checked(choice, tmp_path, "dnsmasq", ["dnsmasq", "--test", "-C"])


@pytest.mark.parametrize("choice", [US, WILD], ids=["juicebox", "own names"])
def test_unbound_takes_its_recipe(choice: Choice, tmp_path: Path) -> None:
    _checked(choice, tmp_path, "unbound", ["unbound-checkconf"])


def _checked(choice: Choice, folder: Path, recipe: str, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    file = folder / "rehome.conf"
    # Unbound's own check wants folders that only an installed one has.
    before = f'server:\n  chroot: ""\n  username: ""\n  directory: "{folder}"\n' if recipe == "unbound" else ""
    file.write_text(before + by_id(choice)[recipe].text, encoding="utf-8")
    subprocess.run([*command, str(file)], check=True, capture_output=True, timeout=20)

"""mDNS between two network namespaces over virtual cables: several adapters, IPv6 link-local, no default route, avahi.

The garage side is a namespace with a responder of its own; the tool side runs this program's source.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit import discovery_site
from tests.unit.discovery_site import KIND, Missing, Site

pytestmark = pytest.mark.xdist_group("network namespaces")
"""One after the other: they share the multicast groups of this computer's namespaces, and its patience."""


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(discovery_site.site())
        except Missing as missing:
            pytest.skip(str(missing))
        yield made


@pytest.mark.netns
def test_a_cable_without_a_default_route_and_a_second_adapter(site: Site) -> None:
    near, _ = site.cable(1)
    assert near
    site.announce("left", 8001, "10.77.0.2", "10.77.0.2")
    site.announce("right", 8002, "10.77.1.2", "10.77.1.2")
    found = site.result(site.look("left", "right"))["seen"]
    assert found["left"][:2] == ["10.77.0.2", 8001]
    assert found["right"][:2] == ["10.77.1.2", 8002]
    assert found["left"][2].startswith("t0")
    assert found["right"][2].startswith("t1")
    assert found["left"][4] == "240AC411A7D4"


@pytest.mark.netns
def test_ipv6_link_local_only(site: Site) -> None:
    ours, theirs = site.cable(2, ipv4=False)
    address = site.link_local(site.garage, ours)
    site.announce("six", 8006, str(site.index(site.garage, ours)), address)
    found = site.result(site.look("six"))["seen"]
    assert found["six"][0] == f"{address}%{site.index(site.tool, theirs)}"
    assert found["six"][2] == theirs


@pytest.mark.netns
def test_a_host_with_both_is_reached_by_ipv4_and_keeps_the_other(site: Site) -> None:
    ours, theirs = site.cable(3)
    address = site.link_local(site.garage, ours)
    site.announce("both", 8007, f"10.77.3.2 {site.index(site.garage, ours)}", f"{address} 192.0.2.9 10.77.3.2")
    # The first answer may hold one of the addresses only; the next look asks again.
    looks = (site.result(site.look("both"))["seen"]["both"] for _ in range(3))
    wanted = f"{address}%{site.index(site.tool, theirs)}"
    assert any(found[0] == "10.77.3.2" and wanted in found[3].split() for found in looks)


@pytest.mark.netns
def test_an_adapter_plugged_in_later_is_searched(site: Site) -> None:
    looking = site.look("late", seconds=20)
    assert looking.stdout is not None
    assert looking.stdout.readline() == "started\n"
    site.cable(4)
    site.announce("late", 8008, "10.77.4.2", "10.77.4.2")
    assert site.result(looking)["seen"]["late"][0] == "10.77.4.2"


@pytest.mark.netns
def test_avahi_is_understood(site: Site) -> None:
    with tempfile.TemporaryDirectory(prefix="rh") as folder, ExitStack() as stack:
        try:
            prefix = stack.enter_context(discovery_site.avahi(site, site.garage, Path(folder)))
        except Missing as missing:
            pytest.skip(str(missing))
        # Started in vain until the daemon listens; at the end it leaves with the daemon.
        publish = f"until avahi-publish -s 'Hall 3' {KIND} 8009 id=240AC411A7D4; do sleep 0.1; done"
        site.start(site.garage, *prefix, "sh", "-c", publish)
        found = site.result(site.look("Hall 3", seconds=20))["seen"]
        assert found["Hall 3"][:2] == ["10.77.0.2", 8009]
        assert found["Hall 3"][4] == "240AC411A7D4"

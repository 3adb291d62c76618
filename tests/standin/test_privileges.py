"""What each service needs on each system, in commands that can be copied."""

from __future__ import annotations

import socket

import pytest

from app.model.garage import Stand
from app.standin import privileges

SYSTEMS = ("linux", "darwin", "windows")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("is_allowed", [True, False])
def test_every_service_has_an_answer_on_every_system(system: str, is_allowed: bool) -> None:
    found = privileges.read(system=system, program="/opt/re home/rehome", may=lambda *_: is_allowed)
    assert {item.stand for item in found} == set(Stand)
    for item in found:
        assert item.is_granted is is_allowed
        assert item.why
        assert item.source
        assert item.commands
        assert not any(mark in line for line in (item.why, item.how, *item.commands) for mark in "{}")


def commands(system: str, stand: Stand) -> list[str]:
    found = privileges.read(system=system, program="/opt/re home/rehome", may=lambda *_: False)
    return [command for item in found if item.stand is stand for command in item.commands]


def test_linux_names_the_program_the_port_and_the_service_manager() -> None:
    found = commands("linux", Stand.DNS)
    assert "sudo setcap cap_net_bind_service=+ep '/opt/re home/rehome'" in found
    assert "sudo sysctl net.ipv4.ip_unprivileged_port_start=53" in found
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in found
    assert "sudo ufw allow 53/udp" in found
    assert "sudo ufw allow 53/tcp" in found
    assert any("cap_net_raw" in line for line in commands("linux", Stand.DHCP))


def test_windows_opens_its_firewall_for_each_protocol() -> None:
    found = commands("windows", Stand.DNS)
    assert sum("-Protocol UDP -LocalPort 53" in line for line in found) == 1
    assert sum("protocol=TCP localport=53" in line for line in found) == 1
    assert len([line for line in commands("windows", Stand.WEB) if "New-NetFirewallRule" in line]) == 2


def test_macos_says_why_root_is_needed() -> None:
    found = privileges.read(system="darwin", program="/usr/bin/rehome", may=lambda *_: False)
    assert "one adapter only root" in found[0].why
    assert found[0].commands == ("sudo /usr/bin/rehome standin dns",)


def test_the_first_port_that_is_missing_is_named() -> None:
    found = privileges.read(system="linux", may=lambda _, port: port != 443)
    web = [item for item in found if item.stand is Stand.WEB]
    assert all("port 443" in item.why for item in web)
    assert not web[0].is_granted


def test_a_taken_port_is_not_a_missing_right() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert privileges.may_open("TCP", taken.getsockname()[1])


def test_an_unknown_system_is_taken_for_linux() -> None:
    assert [privileges.system_name(name) for name in ("win32", "darwin", "freebsd14")] == ["windows", "darwin", "linux"]

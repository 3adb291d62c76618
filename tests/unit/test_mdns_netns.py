"""mDNS between two network namespaces over virtual cables: several adapters, IPv6 link-local, no default route, avahi.

The garage side is a namespace with a responder of its own; the tool side runs this program's source.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KIND = "_testcharger._tcp"

RESPONDER = """
import asyncio, socket, sys
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

async def main():
    kind, name, port, interfaces, addresses = sys.argv[1:]
    packed = [socket.inet_pton(socket.AF_INET6 if ":" in item else socket.AF_INET, item) for item in addresses.split()]
    zeroconf = AsyncZeroconf(interfaces=[int(item) if item.isdigit() else item for item in interfaces.split()])
    info = AsyncServiceInfo(f"{kind}.local.", f"{name}.{kind}.local.", port=int(port), addresses=packed,
                            server=f"{name}.local.", properties={"id": "240AC411A7D4"})
    await zeroconf.async_register_service(info, cooperating_responders=True, strict=False)
    print("announced", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await zeroconf.async_close()

asyncio.run(main())
"""

TOOL = """
import asyncio, json, sys
from app.discovery.mdns import MdnsSource

async def main():
    seconds, kind, names = float(sys.argv[1]), sys.argv[2], set(sys.argv[3].split("|"))
    done = asyncio.Event()
    seen = {}
    def report(sighting):
        if not sighting.is_gone:
            seen[sighting.hints["name"]] = [sighting.address.host, sighting.address.port, sighting.adapter,
                                            sighting.hints.get("others", ""), sighting.hints.get("txt.id", "")]
        if names <= set(seen):
            done.set()
    states = []
    print("started", flush=True)
    source = asyncio.ensure_future(
        MdnsSource([kind], recheck_s=0.2).run(report, lambda state: states.append([state.health.value, state.text])))
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        pass
    source.cancel()
    await asyncio.gather(source, return_exceptions=True)
    print(json.dumps({"seen": seen, "states": states}), flush=True)

asyncio.run(main())
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


class Site:
    """A garage namespace and a tool namespace; ``cable`` lays a virtual cable between them."""

    def __init__(self) -> None:
        mark = uuid.uuid4().hex[:6]
        self.garage, self.tool = f"rhg{mark}", f"rht{mark}"
        self._mark = mark
        self._processes: list[subprocess.Popen[str]] = []

    def open(self) -> None:
        for space in (self.garage, self.tool):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=10)
        for space in (self.garage, self.tool):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True, timeout=20)

    def cable(self, number: int, *, ipv4: bool = True) -> tuple[str, str]:
        """Connect ``g<number>`` with ``t<number>``; returns their names."""
        ends = [(self.garage, f"g{number}{self._mark}", 2), (self.tool, f"t{number}{self._mark}", 1)]
        run("ip", "link", "add", ends[0][1], "type", "veth", "peer", "name", ends[1][1])
        for space, name, host in ends:
            run("ip", "link", "set", name, "netns", space)
            # Without duplicate address detection the link-local address is usable at once.
            run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv6.conf.{name}.accept_dad=0")
            if ipv4:
                run("ip", "-n", space, "addr", "add", f"10.77.{number}.{host}/24", "dev", name)
            run("ip", "-n", space, "link", "set", name, "up")
        return ends[0][1], ends[1][1]

    def start(self, space: str, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", space, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._processes.append(process)
        return process

    def announce(self, name: str, port: int, interfaces: str, addresses: str) -> None:
        process = self.start(self.garage, sys.executable, "-c", RESPONDER, KIND, name, str(port), interfaces, addresses)
        assert process.stdout is not None
        assert process.stdout.readline() == "announced\n", process.communicate(timeout=5)[1]

    def look(self, *names: str, seconds: float = 10, kind: str = KIND) -> subprocess.Popen[str]:
        return self.start(self.tool, sys.executable, "-c", TOOL, str(seconds), kind, "|".join(names))

    def result(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def index(self, space: str, name: str) -> int:
        shown = subprocess.run(["ip", "-n", space, "-j", "link", "show", name], check=True, capture_output=True)
        return int(json.loads(shown.stdout)[0]["ifindex"])

    def link_local(self, space: str, name: str) -> str:
        shown = subprocess.run(["ip", "-n", space, "-j", "-6", "addr", "show", name], check=True, capture_output=True)
        return next(item["local"] for item in json.loads(shown.stdout)[0]["addr_info"] if item["scope"] == "link")


@contextmanager
def _site() -> Iterator[Site]:
    if not sys.platform.startswith("linux") or shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux, iproute2 and root")
    site = Site()
    try:
        try:
            site.open()
            site.cable(0)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode(errors='replace').strip()}")
        yield site
    finally:
        site.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with _site() as made:
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
    found = site.result(site.look("both"))["seen"]
    assert found["both"][0] == "10.77.3.2"
    assert f"{address}%{site.index(site.tool, theirs)}" in found["both"][3].split()


@pytest.mark.netns
def test_an_adapter_plugged_in_later_is_searched(site: Site) -> None:
    looking = site.look("late", seconds=20)
    assert looking.stdout is not None
    assert looking.stdout.readline() == "started\n"
    site.cable(4)
    site.announce("late", 8008, "10.77.4.2", "10.77.4.2")
    assert site.result(looking)["seen"]["late"][0] == "10.77.4.2"


@contextmanager
def _avahi(site: Site, folder: Path) -> Iterator[dict[str, str]]:
    """Run avahi with a message bus of its own in the garage."""
    tools = ("dbus-daemon", "avahi-daemon", "avahi-publish")
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    bus = folder / "bus"
    (folder / "bus.conf").write_text(
        '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"'
        ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig>'
        f"<type>system</type><listen>unix:path={bus}</listen><policy context='default'><allow user='*'/>"
        "<allow own='*'/><allow send_type='method_call'/><allow send_destination='*'/>"
        "<allow receive_sender='*'/></policy></busconfig>"
    )
    (folder / "avahi.conf").write_text("[server]\nuse-ipv6=no\nenable-dbus=yes\n[rlimits]\n")
    site.start(site.garage, "dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile")
    address = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}
    # A private /run, because a daemon on this computer would be taken for ours.
    daemon = f"mount -t tmpfs none /run && exec avahi-daemon --no-drop-root --no-chroot -f {folder}/avahi.conf"
    waiting = f"until [ -S {bus} ]; do sleep 0.05; done; {daemon}"
    process = site.start(
        site.garage, "env", *(f"{k}={v}" for k, v in address.items()), "unshare", "-m", "sh", "-c", waiting
    )
    yield address
    process.send_signal(signal.SIGTERM)


@pytest.mark.netns
def test_avahi_is_understood(site: Site) -> None:
    with tempfile.TemporaryDirectory(prefix="rh") as folder, _avahi(site, Path(folder)) as address:
        # Started in vain until the daemon listens; at the end it leaves with the daemon.
        publish = f"until avahi-publish -s 'Hall 3' {KIND} 8009 id=240AC411A7D4; do sleep 0.1; done"
        site.start(site.garage, "env", *(f"{k}={v}" for k, v in address.items()), "sh", "-c", publish)
        found = site.result(site.look("Hall 3", seconds=20))["seen"]
        assert found["Hall 3"][:2] == ["10.77.0.2", 8009]
        assert found["Hall 3"][4] == "240AC411A7D4"

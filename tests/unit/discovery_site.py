"""A garage and a laptop as two network namespaces, joined by virtual cables. Linux, iproute2 and root only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KIND = "_testcharger._tcp"


class Missing(Exception):
    """What is needed is not here; the text says what."""


RESPONDER = """
import asyncio, socket, sys
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

async def main():
    kind, names, port, interfaces, addresses = sys.argv[1:]
    packed = [socket.inet_pton(socket.AF_INET6 if ":" in item else socket.AF_INET, item) for item in addresses.split()]
    zeroconf = AsyncZeroconf(interfaces=[int(item) if item.isdigit() else item for item in interfaces.split()])
    for number, name in enumerate(names.split("|")):
        info = AsyncServiceInfo(f"{kind}.local.", f"{name}.{kind}.local.", port=int(port) + number, addresses=packed,
                                server=f"{name}.local.", properties={"id": "240AC411A7D4"})
        last = await zeroconf.async_register_service(info, cooperating_responders=True, strict=False)
    print("announced", flush=True)
    await last
    print("rests", flush=True)
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
    loop = asyncio.get_running_loop()
    began = loop.time()
    source = asyncio.ensure_future(
        MdnsSource([kind], recheck_s=0.2).run(report, lambda state: states.append([state.health.value, state.text])))
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        pass
    took = loop.time() - began
    source.cancel()
    await asyncio.gather(source, return_exceptions=True)
    print(json.dumps({"seen": seen, "states": states, "took": took}), flush=True)

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

    def announce(self, names: str, port: int, interfaces: str, addresses: str) -> subprocess.Popen[str]:
        """Announce services (names separated by ``|``, ports counting up) in the garage."""
        process = self.start(
            self.garage, sys.executable, "-c", RESPONDER, KIND, names, str(port), interfaces, addresses
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "announced\n", process.communicate(timeout=5)[1]
        return process

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
def site() -> Iterator[Site]:
    if not sys.platform.startswith("linux") or shutil.which("ip") is None or os.geteuid() != 0:
        raise Missing("network namespaces need Linux, iproute2 and root")
    made = Site()
    try:
        try:
            made.open()
            made.cable(0)
        except subprocess.CalledProcessError as error:
            text = error.stderr.decode(errors="replace").strip()
            raise Missing(f"no network namespaces here: {text}") from error
        yield made
    finally:
        made.close()


@contextmanager
def avahi(site: Site, space: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Run avahi with a message bus of its own in one of the namespaces; gives the prefix of commands that use it."""
    tools = ("dbus-daemon", "avahi-daemon", "avahi-publish", "avahi-browse")
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise Missing(f"not installed: {', '.join(missing)}")
    bus = folder / "bus"
    (folder / "bus.conf").write_text(
        '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"'
        ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig>'
        f"<type>system</type><listen>unix:path={bus}</listen><policy context='default'><allow user='*'/>"
        "<allow own='*'/><allow send_type='method_call'/><allow send_destination='*'/>"
        "<allow receive_sender='*'/></policy></busconfig>"
    )
    (folder / "avahi.conf").write_text("[server]\nuse-ipv6=no\nenable-dbus=yes\n[rlimits]\n")
    site.start(space, "dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile")
    prefix = ("env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={bus}")
    # A private /run, because a daemon on this computer would be taken for ours.
    daemon = f"mount -t tmpfs none /run && exec avahi-daemon --no-drop-root --no-chroot -f {folder}/avahi.conf"
    waiting = f"until [ -S {bus} ]; do sleep 0.05; done; {daemon}"
    process = site.start(space, *prefix, "unshare", "-m", "sh", "-c", waiting)
    yield prefix
    process.send_signal(signal.SIGTERM)

"""How fast chargers are found.

    python tests/bench/bench_discovery.py [--smoke]

1. 200 services announced by mDNS: all resolved. Wanted: 0.7 s. Measured between two network namespaces joined by a
   virtual cable, beside ``avahi-browse -rt`` with a daemon of its own; without namespaces over loopback.
2. 50 simulated OpenEVSE gateways: all identified, with state and backend, through their own HTTP interface. Wanted: 3 s
   after the start of the search.
3. A new charger: from its first announcement to its unit. Wanted: 0.5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import app.drivers
from app import resources
from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.scope import Scope
from tests.unit import discovery_site
from tests.unit.discovery_site import KIND, Missing, Site

LO = "127.0.0.1"
OPENEVSE = "_openevse._tcp"


def said(name: str, value_s: float, wanted_s: float, note: str = "") -> None:
    """Print one figure with its ratio to what is wanted."""
    print(f"{name}: {value_s:.3f} s (ratio {value_s / wanted_s:.2f} vs wanted {wanted_s} s){note}", flush=True)


# 1. Services


def services(count: int, rounds: int) -> None:
    """Measure resolving ``count`` services, each round with a fresh responder."""
    names = "|".join(f"box-{number}" for number in range(count))
    try:
        with ExitStack() as stack:
            site = stack.enter_context(discovery_site.site())
            ours = [_resolve(site, names) for _ in range(rounds)]
            theirs = _avahi(site, names, count, rounds)
    except Missing as missing:
        print(f"services: {missing}; over loopback instead, no baseline here", flush=True)
        ours, theirs = [asyncio.run(_resolve_on_loopback(count)) for _ in range(rounds)], []
    name = f"{count} services resolved"
    worst = f", worst of {rounds}: {max(ours):.3f} s"
    said(name, statistics.median(ours), 0.7, worst)
    if theirs:
        base = statistics.median(theirs)
        print(f"{name}, avahi-browse -rt: {base:.3f} s (ours ratio {statistics.median(ours) / base:.2f} vs it)")
    else:
        print(f"{name}: no baseline here")


@contextmanager
def _announced(site: Site, names: str) -> Iterator[None]:
    process = site.announce(names, 8000, "10.77.0.2", "10.77.0.2")
    assert process.stdout is not None
    process.stdout.readline()  # it has repeated its announcements: only answers remain to be heard
    try:
        yield
    finally:
        process.communicate("\n", timeout=20)


def _resolve(site: Site, names: str) -> float:
    with _announced(site, names):
        result = site.result(site.look(*names.split("|"), seconds=20))
    if len(result["seen"]) < len(names.split("|")):
        print(f"only {len(result['seen'])} services were resolved", flush=True)
    return float(result["took"])


def _avahi(site: Site, names: str, count: int, rounds: int) -> list[float]:
    took = []
    try:
        with tempfile.TemporaryDirectory(prefix="rh") as folder, ExitStack() as stack:
            prefix = stack.enter_context(discovery_site.avahi(site, site.tool, Path(folder)))
            browse = ["ip", "netns", "exec", site.tool, *prefix, "avahi-browse", "-rtp", KIND]
            _daemon_ready(browse)
            for _ in range(rounds):
                with _announced(site, names):
                    began = time.monotonic()
                    done = subprocess.run(browse, check=True, capture_output=True, text=True, timeout=30)
                    took.append(time.monotonic() - began)
                found = sum(line.startswith("=") for line in done.stdout.splitlines())
                if found < count:
                    print(f"avahi-browse resolved only {found} of {count}", flush=True)
    except Missing as missing:
        print(f"avahi-browse: {missing}", flush=True)
    return took


def _daemon_ready(browse: Sequence[str]) -> None:
    until = time.monotonic() + 10
    while subprocess.run(browse, check=False, capture_output=True, timeout=30).returncode and time.monotonic() < until:
        time.sleep(0.1)


async def _resolve_on_loopback(count: int) -> float:
    seen: set[str] = set()
    done = asyncio.Event()
    async with (
        _announcing([(f"box-{number}", 8000 + number) for number in range(count)], KIND),
        Scope("bench") as scope,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()

        def report(sighting: object) -> None:
            seen.add(sighting.hints["name"])  # type: ignore[attr-defined]
            if len(seen) == count:
                done.set()

        scope.required("mdns", MdnsSource([KIND], [LO]).run(report, lambda _: None))
        async with asyncio.timeout(20):
            await done.wait()
        return loop.time() - began


@asynccontextmanager
async def _announcing(boxes: Sequence[tuple[str, int]], kind: str) -> AsyncIterator[None]:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    zeroconf = AsyncZeroconf(interfaces=[LO])
    try:
        for name, port in boxes:
            info = AsyncServiceInfo(
                f"{kind}.local.",
                f"{name}.{kind}.local.",
                port=port,
                addresses=[socket.inet_aton(LO)],
                server=f"{name}.local.",
                properties={"type": "openevse_wifi_v1"},
            )
            await zeroconf.async_register_service(info, cooperating_responders=True)
        yield
    finally:
        await zeroconf.async_close()


# 2. and 3. Units


async def garage(count: int) -> None:
    """Run gateways in this process until stdin ends; each line on stdin announces one more."""
    from app.sim.openevse import OpenEvseGateway

    async with AsyncExitStack() as stack:
        gateways = [
            await stack.enter_async_context(
                OpenEvseGateway(serial=f"240AC4{n:06X}", config={"evse_serial": f"00A1B2C3{n:04X}"}, name=f"box-{n}")
            )
            for n in range(count)
        ]
        now, later = gateways[: count - count // 6], gateways[count - count // 6 :]
        await stack.enter_async_context(_announcing([(gate.name, gate.address.port) for gate in now], OPENEVSE))
        print(json.dumps([len(now), len(later)]), flush=True)
        loop = asyncio.get_running_loop()
        for gate in later:
            if not await loop.run_in_executor(None, sys.stdin.readline):
                return
            print(json.dumps([gate.name, time.time()]), flush=True)
            await stack.enter_async_context(_announcing([(gate.name, gate.address.port)], OPENEVSE))
        await loop.run_in_executor(None, sys.stdin.readline)


async def units(count: int) -> None:
    """Measure identifying ``count`` units, then a few new ones."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--garage",
        str(count + count // 5),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 20,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    now, later = json.loads(await child.stdout.readline())
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    try:
        async with Scope("bench") as scope:
            finder = Finder(registry=registry, links=RealLinks(), scope=scope, ours=frozenset)
            with finder.changes.subscribe(100_000) as changes:
                began = time.time()
                finder.start([MdnsSource(registry.mdns_types, [LO])])
                named_s = whole_s = 0.0
                async with asyncio.timeout(60):
                    async for _ in changes:
                        found = [unit for unit in finder.units.values() if unit.identity.profile_id]
                        if len(found) >= now and not named_s:
                            named_s = time.time() - began
                        if sum(bool(unit.state) for unit in found) >= now:
                            whole_s = time.time() - began
                            break
                said(f"{now} units identified", named_s, 3.0)
                said(f"{now} units identified, with state and backend", whole_s, 3.0)
                took = []
                for _ in range(later):
                    child.stdin.write(b"\n")
                    name, announced = json.loads(await child.stdout.readline())
                    async with asyncio.timeout(20):
                        while not any(unit.identity.name == name for unit in finder.units.values()):
                            await anext(changes)
                    took.append(time.time() - announced)
                worst = f", worst of {later}: {max(took):.3f} s"
                said("a new charger, announcement to unit", statistics.median(took), 0.5, worst)
    finally:
        child.stdin.close()
        await asyncio.wait_for(child.wait(), 30)


def main(argv: Sequence[str]) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="once, with few services and units")
    parser.add_argument("--garage", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.garage:
        asyncio.run(garage(args.garage))
        return 0
    services(20 if args.smoke else 200, 1 if args.smoke else 7)
    asyncio.run(units(5 if args.smoke else 50))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The mixed site of sixty in one network namespace, and Rehome in another: each a process, both speak JSON lines."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.unit import Unit
from app.settings import Settings
from app.sim.site import MixedSite
from app.workbench import Workbench
from tests.unit import discovery_site
from tests.unit.discovery_site import Site

NET = "10.77.0"
PORT = 8180
OURS = f"{NET}.1"
LIMIT_S = 60.0


async def garage() -> None:
    """Stand there until told to go; then say what the decoys were asked."""
    async with MixedSite(NET, dial=f"ws://{OURS}:{PORT}") as site:
        placed = [{"profile": item.profile, "where": item.where, "way": item.way} for item in site.placed]
        say({"placed": placed, "decoys": site.strangers()})
        await asyncio.to_thread(sys.stdin.readline)
        say({item.kind: item.asked for item in site.decoys})


async def tool() -> None:
    """Find everybody, as the window does; then say who was found where, and when."""
    expected = json.loads(await asyncio.to_thread(sys.stdin.readline))
    wanted = {item["where"]: item["profile"] for item in expected}
    ports = [item["where"] for item in expected if item["way"] == "serial"]
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        began = loop.time()
        bench = Workbench(
            Settings(adapter=OURS, endpoint_on=False), home=Path(folder), list_ports=tuple, serial_ports=ports
        )
        async with bench:
            await bench.start_endpoint(OURS, PORT)
            bench.searches.lan.start(bench.searches.lan.span(adapter=OURS))
            times = await follow(bench, wanted, began)
            await bench.searches.lan.finished()
            ended = loop.time() - began
            units = [
                {"profile": unit.identity.profile_id, "where": wheres(unit)} for unit in bench.finder.units.values()
            ]
            answers = [{"host": item.host, "unit": item.unit_id} for item in bench.searches.lan.answers]
            progress = bench.searches.lan.progress
    say(
        {
            "times": times,
            "ended": ended,
            "units": units,
            "answers": answers,
            "asked": progress.done,
            "lan_s": progress.took_s,
            "rate": progress.rate,
        }
    )


async def follow(bench: Workbench, wanted: dict[str, str], began: float) -> dict[str, float]:
    """Note when each charger is known for what it is, until all are."""
    loop = asyncio.get_running_loop()
    times: dict[str, float] = {}
    with bench.finder.changes.subscribe(20_000) as changes:
        try:
            async with asyncio.timeout(LIMIT_S):
                async for change in changes:
                    for where in wheres(change.unit):
                        if wanted.get(where) == change.unit.identity.profile_id:
                            times.setdefault(where, loop.time() - began)
                    if times.keys() >= wanted.keys():
                        break
        except TimeoutError:
            pass
    return times


def wheres(unit: Unit) -> list[str]:
    """List where a unit is reached: hosts, ports, identities."""
    found = []
    for way in unit.ways:
        match way.address:
            case NetAddress(host=host):
                found.append(host)
            case SerialAddress(port=port):
                found.append(port)
            case OcppAddress(identity=identity):
                found.append(identity)
    return sorted(set(found))


def say(value: Any) -> None:
    """Say one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


@contextmanager
def standing() -> Iterator[tuple[Site, dict[str, Any], subprocess.Popen[str]]]:
    """Build the two namespaces and stand the sixty in one; raises Missing where that can't be."""
    with discovery_site.site() as site:
        name = f"g0{site._mark}"
        for host in MixedSite(NET).hosts():
            discovery_site.run("ip", "-n", site.garage, "addr", "add", f"{host}/24", "dev", name)
        process = site.start(site.garage, sys.executable, "-m", "tests.e2e.sixty", "garage")
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)[1]
        yield site, json.loads(line), process


def found(site: Site, placed: list[dict[str, str]]) -> dict[str, Any]:
    """Run Rehome in the other namespace, until it has found ``placed``."""
    process = site.start(site.tool, sys.executable, "-m", "tests.e2e.sixty", "tool")
    out, err = process.communicate(json.dumps(placed) + "\n", timeout=LIMIT_S + 30)
    assert process.returncode == 0, err
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def searched(site: Site, home: Path) -> tuple[list[dict[str, Any]], str]:
    """Search the LAN by the command, hearing no announcement; returns the units it lists, and what it said."""
    words = ("find", "--lan", "--no-search", "--json", "--seconds", "0", "--home", str(home))
    # Nobody dials that port.
    process = site.start(site.tool, sys.executable, "-m", "app", *words, "--host", OURS, "--port", "0")
    out, err = process.communicate(timeout=LIMIT_S + 30)
    assert process.returncode == 0, err
    units: list[dict[str, Any]] = json.loads(out)
    return units, err


if __name__ == "__main__":
    asyncio.run({"garage": garage, "tool": tool}[sys.argv[1]]())

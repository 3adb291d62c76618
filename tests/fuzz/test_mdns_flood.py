"""Hostile neighbours: random bytes, mutated and endless announcements. The good charger goes on."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.model.address import NetAddress
from app.model.frame import SourceHealth
from app.model.unit import Unit
from tests.unit.discovery_garage import KIND, Charger, finder, mdns, until

pytestmark = pytest.mark.xdist_group("mdns")
"""One after the other: a flood on loopback's one multicast group drowns what is said there once, in every process."""

LO = "127.0.0.1"
GROUP = ("224.0.0.251", 5353)
FLOOD = 5000


def memory() -> int:
    """Return this process's resident bytes (Linux; 0 elsewhere)."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


@contextmanager
def loud_neighbour() -> Iterator[socket.socket]:
    """Open a plain UDP socket that multicasts on loopback: no mDNS library between us and the bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as neighbour:
        neighbour.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LO))
        neighbour.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        # mDNS answers count only when they come from the mDNS port (RFC 6762 §6).
        neighbour.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            neighbour.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        neighbour.bind((LO, 5353))
        yield neighbour


def name(*labels: str) -> bytes:
    return b"".join(bytes([len(label.encode())]) + label.encode() for label in labels) + b"\0"


def record(owner: bytes, kind: int, data: bytes, ttl: int = 120) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def announcement(instance: str, port: int, host: str = LO, *, has_txt: bool = True) -> bytes:
    """Encode an unsolicited mDNS response by hand (RFC 1035 §4.1): PTR, SRV, A and TXT."""
    service = name(*KIND.split("."), "local")
    full = name(instance, *KIND.split("."), "local")
    server = name("host" + host.replace(".", "-"), "local")
    records = [
        record(service, 12, full, 4500),
        record(full, 33, struct.pack("!HHH", 0, 0, port) + server),
        record(server, 1, socket.inet_aton(host)),
    ]
    if has_txt:
        records.append(record(full, 16, b"\0", 4500))
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


@asynccontextmanager
async def announced(charger: Charger, instance: str) -> AsyncIterator[None]:
    zeroconf = AsyncZeroconf(interfaces=[LO])
    info = AsyncServiceInfo(
        f"{KIND}.local.",
        f"{instance}.{KIND}.local.",
        port=charger.address.port,
        server=f"{instance}.local.",
        addresses=[socket.inet_aton(LO)],
        properties={},
    )
    try:
        await zeroconf.async_register_service(info, cooperating_responders=True)
        yield
    finally:
        await zeroconf.async_close()


def identified(found: Finder, instance: str) -> Callable[..., Unit | None]:
    return lambda units: next((u for u in units.values() if u.identity.name == instance and u.state), None)


async def test_random_and_mutated_packets_change_nothing(allowed_log: Callable[[str], None]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)  # noqa: T201
    dice = random.Random(seed)
    sample = announcement("sample", 9)
    async with Charger(name="good") as charger, finder() as found:
        found.start([MdnsSource([KIND], [LO])])
        with loud_neighbour() as neighbour:
            for number in range(1500):
                if number % 2:
                    packet = dice.randbytes(dice.randrange(1, 1400))
                else:
                    mutated = bytearray(sample)
                    for _ in range(dice.randrange(1, 8)):
                        mutated[dice.randrange(len(mutated))] = dice.randrange(256)
                    packet = bytes(mutated[: dice.randrange(1, len(mutated) + 1)])
                neighbour.sendto(packet, GROUP)
                if number % 100 == 0:
                    await asyncio.sleep(0)
        async with announced(charger, "good"):
            await until(found, identified(found, "good"), limit_s=20)
        assert found.sources["mdns"].text


async def test_a_flood_of_services_stays_bounded_and_good_units_go_on(unit_s: float, free_port: int) -> None:
    source = MdnsSource([KIND], [LO], recheck_s=unit_s)
    async with (
        Charger(name="before") as before,
        Charger(name="after") as after,
        finder(refresh_s=20 * unit_s) as found,
    ):
        found.start([source])
        async with announced(before, "before"):
            first = await until(found, identified(found, "before"))
            used = memory()
            with loud_neighbour() as neighbour:
                for number in range(FLOOD):
                    host = f"127.9.{number // 250}.{number % 250 + 1}"
                    neighbour.sendto(announcement(f"flood-{number}", free_port, host), GROUP)
                    for _ in range(2):  # let it in: a full socket buffer would drop it
                        await asyncio.sleep(0)
            async with announced(after, "after"):
                await until(found, identified(found, "after"), limit_s=30)
            before.told["state"] = "Charging"
            await until(found, lambda units: units[first.unit_id].state == "Charging", limit_s=30)
            used = memory() - used
            assert 1900 < source.tracked <= 2000
            assert found.sources["mdns"].health is SourceHealth.LIMITED
            assert len(found.units) <= 203
            assert used < 60_000_000


async def test_a_flood_of_sightings_does_not_starve_a_new_charger(free_port: int) -> None:
    async with Charger(name="good") as charger, finder() as found:
        for number in range(FLOOD):
            found.sighted(mdns(NetAddress(host="127.0.0.1", port=1 + number % 60000), name=f"x{number}"))
        found.sighted(mdns(NetAddress(host="127.0.0.1", port=charger.address.port), name="good"))
        await until(found, identified(found, "good"), limit_s=30)
        assert len(found.units) <= 201


async def working(found: Finder) -> None:
    with found.source_changes.subscribe() as states:
        found.start([MdnsSource([KIND], [LO])])
        async with asyncio.timeout(5):
            async for state in states:
                if state.health is SourceHealth.WORKING:
                    return


async def test_a_service_without_any_text_record_is_found() -> None:
    async with Charger(name="bare") as charger, finder() as found:
        await working(found)
        with loud_neighbour() as neighbour:
            neighbour.sendto(announcement("bare", charger.address.port, has_txt=False), GROUP)
        await until(found, identified(found, "bare"))


@pytest.mark.parametrize("text", ["\x00" * 50, "<script>alert(1)</script>", "..\u2215etc", "A" * 63], ids=range(4))
async def test_strange_instance_names_are_taken_as_text(text: str) -> None:
    async with Charger() as charger, finder() as found:
        await working(found)
        with loud_neighbour() as neighbour:
            neighbour.sendto(announcement(text, charger.address.port), GROUP)
        unit = await until(found, lambda units: next((u for u in units.values() if u.state), None))
        assert all(character.isalnum() or character == "-" for character in unit.unit_id)
        assert unit.title.isprintable()

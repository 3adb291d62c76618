"""A little garage for discovery tests: HTTP servers that say who they are, and a driver that asks them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, cast

from app.discovery.finder import Finder
from app.driver.capability import Identifies, ReportsStatus, SetsBackend, Status
from app.driver.registry import Driver, Registry
from app.driver.session import Session
from app.errors import AuthFailed, Busy, Garbled, NotReachable
from app.links.link import Links
from app.model.address import Address, NetAddress, SerialAddress
from app.model.backend import Backend
from app.model.profile import Approach, Evidence, Grade, Match, Profile
from app.model.unit import ClaimKind, Identity, LinkState, Sighting, SourceKind, Unit, claim
from app.scope import Scope

KIND = f"_rehome-{os.getpid()}._tcp"
"""A type of this process: other test runs on this computer hear each other's announcements."""

ODD_KINDS = (
    f"_much-too-long_odd_name-{os.getpid()}._tcp",
    f"_go-e_go-eCharger{os.getpid()}._tcp",
    f"_sub{os.getpid()}.{KIND}",
)
"""Types that break RFC 6763, as real chargers have them (facts, chargers-open and chargers-commercial)."""


class _NoLinks:
    """Links of drivers that open their own; no login is kept."""

    def credentials(self, address: Address) -> None:
        return None


NO_LINKS = cast(Links, _NoLinks())


class Charger:
    """A real HTTP server on loopback that answers every request with its JSON."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, **told: Any) -> None:
        self.told: dict[str, Any] = {"charger": True, "state": "Available", **told}
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._host, self._port = host, port

    async def __aenter__(self) -> Charger:
        self._server = await asyncio.start_server(self._answer, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.gate.set()
        await self._server.wait_closed()

    @property
    def address(self) -> NetAddress:
        return NetAddress(host=self._host, port=self._port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.gate.wait()
            body = json.dumps(self.told).encode()
            status = self.told.get("http", 200)
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)))
            writer.write(body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _get(address: Address) -> Mapping[str, Any]:
    assert isinstance(address, NetAddress)
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        raise NotReachable(f"Nothing answers at {address}.", "Check its power.") from error
    try:
        writer.write(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 401 " in head.split(b"\r\n")[0]:
        raise AuthFailed("It wants a password.", "Type it.")
    try:
        return cast(Mapping[str, Any], json.loads(body))
    except ValueError as error:
        raise Garbled("Not JSON.", "Look elsewhere.") from error


def identity_of(told: Mapping[str, Any]) -> Identity:
    """Build the identity a charger's JSON tells."""
    found = [
        claim(kind, str(told.get(name, "")))
        for name, kind in (
            ("serial", ClaimKind.SERIAL),
            ("mac", ClaimKind.MAC),
            ("mcu", ClaimKind.MCU),
            ("ocpp", ClaimKind.IDENTITY),
        )
    ]
    fields = {name: str(told.get(name, "")) for name in ("vendor", "model", "serial", "firmware", "mac", "name")}
    return Identity(**fields, claims=tuple(item for item in found if item))


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    told = await _get(address)
    return identity_of(told) if told.get("charger") else None


class TestSession(Session):
    """Reads state and backend over the same HTTP."""

    __test__ = False
    driver_id = "test-http"

    async def _open(self) -> None:
        self._told = await _get(self.address)
        self.offers = frozenset({ReportsStatus, SetsBackend} if "backend" in self._told else {ReportsStatus})

    async def _close(self) -> None:
        return

    async def status(self) -> Status:
        async with self.call("status"):
            link = LinkState(is_enabled=True, is_connected=self._told.get("connected"))
            return Status(state=self._told["state"], has_fault=bool(self._told.get("fault")), link=link)

    async def read_backend(self) -> Backend | None:
        async with self.call("backend"):
            url = self._told["backend"]
            return Backend(url=url, identity=self._told.get("ocpp", "")) if url else None


SERIAL_TOLD: dict[str, Mapping[str, Any]] = {}
"""What stands at the end of each serial line; ``busy`` and ``missing`` raise as a link would."""

SERIAL_ASKED: list[str] = []


async def serial_probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    assert isinstance(address, SerialAddress)
    SERIAL_ASKED.append(address.port)
    told = SERIAL_TOLD.get(address.port, {})
    if told.get("busy"):
        raise Busy(f"Another program uses {address}.", "Close it.")
    if not told:
        raise NotReachable(f"{address} is not there.", "Plug it in.")
    return identity_of(told) if told.get("charger") else None


class SerialSession(Session):
    driver_id = "test-serial"

    async def _open(self) -> None:
        self.offers = frozenset({Identifies})

    async def _close(self) -> None:
        return

    async def identify(self) -> Identity:
        return Identity()


class OcppSession(Session):
    driver_id = "test-ocpp"

    async def _open(self) -> None:
        self.offers = frozenset({ReportsStatus})

    async def _close(self) -> None:
        return

    async def status(self) -> Status:
        async with self.call("status"):
            return Status(state="Preparing")


async def ocpp_probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    raise AssertionError("a unit that dialled in is not probed")


def registry() -> Registry:
    """Build drivers for all three kinds of address, with a profile each."""
    http = Driver(
        id="test-http",
        title="HTTP",
        sources=frozenset({SourceKind.MDNS, SourceKind.MANUAL}),
        open=lambda address, profile, links: TestSession(address),
        capabilities=frozenset({ReportsStatus, SetsBackend}),
        probe=probe,
    )
    serial = Driver(
        id="test-serial",
        title="Serial",
        sources=frozenset({SourceKind.SERIAL, SourceKind.MANUAL}),
        open=lambda address, profile, links: SerialSession(address),
        capabilities=frozenset({Identifies}),
        probe=serial_probe,
    )
    ocpp = Driver(
        id="test-ocpp",
        title="OCPP",
        sources=frozenset({SourceKind.DIAL_IN}),
        open=lambda address, profile, links: OcppSession(address),
        capabilities=frozenset({ReportsStatus}),
        probe=ocpp_probe,
    )
    return Registry(
        [http, serial, ocpp],
        [
            _profile("box", "test-http", Match(mdns_types=(KIND, ODD_KINDS[0])), priority=5),
            _profile("web", "test-http", Match(mdns_types=("_http._tcp",)), priority=1),
            _profile("cable", "test-serial", Match(usb_ids=("10C4:EA60",)), priority=1),
            _profile("anycable", "test-serial", Match(), priority=0),
            _profile("dialler", "test-ocpp", Match(), priority=0),
        ],
    )


def _profile(name: str, driver: str, match: Match, *, priority: int) -> Profile:
    evidence = (Evidence(source="tests", grade=Grade.UNVERIFIED),)
    return Profile(
        approach=Approach.DIRECT,
        id=name,
        family=name,
        vendor="Test",
        driver=driver,
        match=match,
        priority=priority,
        evidence=evidence,
    )


@asynccontextmanager
async def finder(*, ours: frozenset[str] = frozenset(), **options: Any) -> AsyncIterator[Finder]:
    """Open a finder in a scope of its own; probes end with it."""
    async with Scope("test") as scope:
        yield Finder(registry=registry(), links=NO_LINKS, scope=scope, ours=lambda: ours, **options)


async def until(found: Finder, wanted: Callable[[Mapping[str, Unit]], Any], *, limit_s: float = 10) -> Any:
    """Wait for changes until ``wanted(units)`` is truthy and return that."""
    with found.changes.subscribe() as changes:
        async with asyncio.timeout(limit_s):
            if result := wanted(found.units):
                return result
            async for _ in changes:
                if result := wanted(found.units):
                    return result
    raise AssertionError("the feed ended")


def mdns(address: NetAddress, name: str = "box", kind: str = KIND, **hints: str) -> Sighting:
    """Make an mDNS sighting."""
    return Sighting(
        source=SourceKind.MDNS, address=address, at=datetime.now(UTC), hints={"type": kind, "name": name, **hints}
    )

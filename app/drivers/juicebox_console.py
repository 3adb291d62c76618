"""The console of Wi-Fi JuiceBoxes: who it is, where it sends now, what it resolves. Over telnet and a serial line.

Only what tells is ever sent, with one exception that a person asks for: its stream is closed and opened towards another
host, until the next start. Nothing is ever saved, and “get all” is never asked: it would print the Wi-Fi password.

Sources: chargers-commercial 1.4 and 1.5; sessions in home-assistant/core issue 86588, JuiceRescue/juicepassproxy issues
93 and 149, its README and ``juicebox_telnet.py``; potatono/juiceboxservice README (no commands after a repoint);
Silicon Labs, Gecko OS 4 commands and variables.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from app.driver import described
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, Status, WriteResult, WritesSettings
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import Garbled, LinkLost, NotSupported, ProtocolError, TimedOut, Unexpected, ValueRejected
from app.juicenet import hosts
from app.juicenet.families import family
from app.links.link import LineLink, Links
from app.model.address import Address, NetAddress, SerialAddress
from app.model.profile import Profile
from app.model.setting import Change, Snapshot
from app.model.unit import ClaimKind, Identity, SourceKind, claim

BAUD = 9600
"""Of the header inside the box (juicepassproxy issue 39)."""

GREETING = re.compile(r"\[(?:[^\]\n]{0,40}: )?Ready\]|EnelX Web App Console")
PROMPT = re.compile(r"(?:\A|\n)> ")
TELNET = re.compile(r"\xff[\xfb-\xfe].|\xff[\xf0-\xfa]", re.DOTALL)
"""Option negotiation (RFC 854), which no box needs answered: ``nc`` is enough."""

VERSION = re.compile(r"EMWERK-([A-Z0-9_]{2,20})-([0-9][0-9A-Za-z.]{0,20})")
ID = re.compile(r"\d{8,40}")
STREAM = re.compile(r"#\s*(\d{1,3})\s+([A-Z0-9]{2,8})\s+(\S{1,200})(?:\s+\(([^)]{0,40})\))?\s*")
STAMPED = re.compile(r"\[[^\]\n]{0,80}\]")

NETWORK = (
    "wlan.ssid",
    "wlan.mac",
    "wlan.network.ip",
    "wlan.network.gateway",
    "wlan.network.dns",
    "wlan.dhcp.enabled",
    "wlan.static.dns",
)
LOOKUPS = {"lookup.default": "jbv1.emotorwerks.com", "lookup.directory": "directory-api.emotorwerks.com"}
TO = "udp_to"

WAIT_S = 2.5
"""How long greeting and answers may take."""

LOOKUP_S = 8.0
"""How long its own look-up may take: our own assumption; without a DNS server it tries several times."""

ANSWER_LIMIT = 16_000
LINES_LIMIT = 200
ONLY_READ = "Rehome only reads this."
NOTE = (
    "It sends there until its next start. Opened this way it may take no commands: for control, answer its built-in "
    "name by DNS and switch it off and on."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One line of ``list``."""

    handle: int
    kind: str
    info: str
    note: str = ""

    @property
    def is_udp(self) -> bool:
        """Say whether the application sends its reports there."""
        return self.kind == "UDPC"

    def __str__(self) -> str:
        return f"{self.handle} {self.kind} {self.info}" + (f" ({self.note})" if self.note else "")


class Console:
    """Questions and answers over one line. An answer stands between the echo of its question and the next prompt."""

    def __init__(self, line: LineLink, name: str) -> None:
        self._line = line
        self._name = name
        self._text = ""
        self.is_known = False
        """It named itself a JuiceBox: whatever fails from now on is no stranger's doing."""

    async def greeted(self) -> None:
        """Wait for the greeting of a telnet console, sending nothing. Raises TimedOut, Garbled."""
        while not (found := PROMPT.search(self._text)):
            await self._more(WAIT_S)
        greeting, self._text = self._text[: found.start()], self._text[found.end() :]
        if not GREETING.search(greeting):
            raise self.stranger()

    async def woken(self) -> None:
        """Ask a serial console for its prompt with an empty line. Raises TimedOut, Garbled."""
        await self._line.write(b"\r\n")
        while not (found := PROMPT.search(self._text)):
            await self._more(WAIT_S)
        self._text = self._text[found.end() :]

    async def ask(self, command: str, *, timeout_s: float = WAIT_S) -> list[str]:
        """Return the lines of an answer. Raises TimedOut, Garbled, LinkLost."""
        assert command.isprintable()
        await self._line.write(f"{command}\r\n".encode("ascii"))
        echo = re.compile(rf"{re.escape(command)}\s*?\n")
        while True:
            begun = echo.search(self._text)
            ended = PROMPT.search(self._text, begun.end() - 1) if begun else None
            if begun and ended:
                answer, self._text = self._text[begun.end() : ended.start()], self._text[ended.end() :]
                return [line.strip() for line in answer.splitlines()[:LINES_LIMIT] if line.strip()]
            await self._more(timeout_s)

    async def close(self) -> None:
        """Close the line. Idempotent."""
        await self._line.close()

    def stranger(self) -> Garbled:
        """Return the error for whoever is no JuiceBox."""
        return Garbled(
            f"What answers at {self._name} is not a JuiceBox's console.",
            "Check the address; over a cable check its 9600 baud and where it leads.",
        )

    async def _more(self, timeout_s: float) -> None:
        try:
            data = await self._line.read(timeout_s=timeout_s)
        except (TimedOut, LinkLost) as error:
            if self._text and not self.is_known:
                raise self.stranger() from error
            if self.is_known or isinstance(error, LinkLost):
                raise
            raise TimedOut(
                f"{self._name} says nothing.",
                "Some boxes keep their console shut. Go on without it: answer the box's names by DNS and switch it "
                "off and on; what it is then shows in its datagrams.",
            ) from error
        self._text = TELNET.sub("", self._text + data.decode("latin-1")).replace("\r", "")
        if len(self._text) > ANSWER_LIMIT:
            raise self.stranger()


class JuiceBoxConsole(Session):
    """One session with a console."""

    driver_id: ClassVar[str] = "juicebox-console"
    deadline_s: ClassVar[float] = 10.0

    def __init__(self, address: NetAddress | SerialAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._where = address
        self._profile = profile
        self._links = links
        self._console: Console | None = None
        self._serial = ""

    async def _open(self) -> None:
        self._console = await opened(self._where, self._links)
        self._serial = (await identified(self._console, self._profile)).serial
        has_list = bool(await streams(self._console))
        offers = {Identifies, ReportsStatus, ReadsSettings}
        self.offers = frozenset({*offers, WritesSettings} if has_list else offers)

    async def _close(self) -> None:
        if self._console is not None:
            await self._console.close()

    @property
    def console(self) -> Console:
        """Return the open console; raises LinkLost."""
        if self._console is None:
            raise LinkLost(f"{self.address} is closed.", "Open the box again.")
        return self._console

    async def identify(self) -> Identity:
        """Say which box it is. Raises Unexpected where another one answers by now."""
        async with self.call("identify"):
            found = await identified(self.console, self._profile)
        if found.serial != self._serial:
            raise Unexpected(f"Another box answers at {self.address} now.", "Search again and open it anew.")
        return found

    async def status(self) -> Status:
        """Say where it sends now; whether it charges the console does not tell."""
        async with self.call("status"):
            found = await streams(self.console)
        return Status(detail=in_words(found))

    async def read_settings(self) -> Snapshot:
        """Show version, streams, network, and what the box itself resolves."""
        async with self.call("read the settings", deadline_s=45.0):
            values = await self._read()
        known = described.load(self.driver_id)
        shown = [known[key].setting(value) for key, value in values.items()]
        excluded = {item.key: known[TO].not_restored if item.key == TO else ONLY_READ for item in shown}
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(shown), excluded=excluded)

    async def _read(self) -> dict[str, str]:
        console = self.console
        values = {"version": _version_line(await console.ask("ver")) or ""}
        found = await streams(console)
        dials = dialled(found)
        kind = hosts.whose(dials.rpartition(":")[0])
        values |= {"dials": dials, "dials_whose": kind.whose if kind else ""}
        values["streams"] = "; ".join(map(str, found))
        for name in NETWORK:
            value = _value(name, await console.ask(f"get {name}"))
            if value is not None:
                values[name] = value
        names = LOOKUPS | ({"lookup.dials": dials.rpartition(":")[0]} if dials else {})
        for key, host in names.items():
            values[key] = await looked_up(console, host)
        return values | ({TO: dials} if found else {})

    async def write_setting(self, change: Change) -> WriteResult:
        """Open its stream towards ``host:port`` until its next start. Raises ValueRejected, NotSupported."""
        async with self.call("open its stream anew", deadline_s=30.0):
            if change.key != TO:
                raise NotSupported(f"“{change.key}” is not written over this console.", "It is only read.")
            host, port = target(change.after)
            found = await reopened(self.console, host, port)
        return WriteResult(key=TO, is_accepted=True, read_back=dialled(found), note=NOTE)


async def opened(address: NetAddress | SerialAddress, links: Links) -> Console:
    """Open a console and wait until it is ready: whoever does not greet like one is sent nothing."""
    if isinstance(address, NetAddress):
        console = Console(await links.tcp(address), str(address))
        ready = console.greeted
    else:
        console = Console(await links.serial(replace(address, baud=BAUD)), str(address))
        ready = console.woken
    try:
        await ready()
    except BaseException:
        await console.close()
        raise
    return console


async def identified(console: Console, profile: Profile) -> Identity:
    """Ask for version and serial. Raises Garbled where the version is not that of a JuiceBox."""
    line = _version_line(await console.ask("ver"))
    found = VERSION.match(line or "")
    if line is None or found is None:
        raise console.stranger()
    console.is_known = True
    told = await console.ask("get email.name_address")
    serial = next((item for item in map(_unstamped, told) if ID.fullmatch(item)), "")
    known = claim(ClaimKind.SERIAL, serial)
    return Identity(
        vendor=profile.vendor,
        model=f"JuiceBox {found[1].replace('_', ' ')}",
        serial=serial,
        firmware=found[2],
        profile_id=family(found[1]),
        claims=(known,) if known else (),
        extra={"version": line[:200]},
    )


def _version_line(told: Sequence[str]) -> str | None:
    return next((item[:200] for item in told if VERSION.match(item)), None)


def _unstamped(line: str) -> str:
    return STAMPED.sub("", line).strip()


def _value(name: str, told: Sequence[str]) -> str | None:
    """Return the value of a variable, with or without its name before it; ``None`` where it is not known there."""
    lines = [item for item in map(_unstamped, told) if item]
    named = next((item.partition(":")[2].strip() for item in lines if item.startswith(f"{name}:")), None)
    if named is not None:
        return named[:100]
    # An error is a sentence, a value is one word; names of networks alone may have blanks.
    is_plain = len(lines) == 1 and ("ssid" in name or " " not in lines[0])
    return lines[0][:100] if is_plain and not re.match(r"(Unknown|Command|Invalid|Parse)\b", lines[0]) else None


async def streams(console: Console) -> list[Stream]:
    """List its open streams."""
    matches = (STREAM.fullmatch(line) for line in await console.ask("list"))
    return [Stream(handle=int(item[1]), kind=item[2], info=item[3], note=item[4] or "") for item in matches if item]


def dialled(found: Sequence[Stream]) -> str:
    """Return where the newest UDP stream goes, ``host:port``; empty where there is none."""
    return next((item.info for item in reversed(found) if item.is_udp), "")


def in_words(found: Sequence[Stream]) -> str:
    """Say where the box sends now."""
    dials = dialled(found)
    if not dials:
        return "It sends nowhere: it has no stream."
    kind = hosts.whose(dials.rpartition(":")[0])
    return f"It sends to {dials}" + (f" ({kind.whose})." if kind else ".")


async def looked_up(console: Console, host: str) -> str:
    """Return what the box resolves a name to; empty where it gets no address."""
    try:
        told = await console.ask(f"network_lookup {host}", timeout_s=LOOKUP_S)
    except TimedOut:
        return ""
    return next((item for item in map(_unstamped, told) if _is_ipv4(item)), "")


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def target(text: str) -> tuple[str, int]:
    """Read ``host:port``. Raises ValueRejected for anything that could be more than one command."""
    host, _, port = text.strip().rpartition(":")
    is_host = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,98}[A-Za-z0-9])?", host) is not None
    if not is_host or not re.fullmatch(r"[1-9]\d{0,4}", port) or int(port) > 65535:
        raise ValueRejected(f"“{text[:100]}” is no host and port.", "Write it like 192.168.1.20:8042.")
    return host, int(port)


async def reopened(console: Console, host: str, port: int) -> list[Stream]:
    """Close its UDP streams and open one; returns the streams then. Raises ValueRejected."""
    if not _is_ipv4(host) and not await looked_up(console, host):
        raise ValueRejected(f"The box gets no address for “{host}”: nothing was changed.", "Use an IP address.")
    before = [item for item in await streams(console) if item.is_udp]
    for item in before:
        await console.ask(f"stream_close {item.handle}")
    await console.ask(f"udpc {host} {port}", timeout_s=LOOKUP_S)
    after = await streams(console)
    if any(item.is_udp and item.info == f"{host}:{port}" for item in after):
        return after
    raise ValueRejected(
        f"The box did not open a stream to {host}:{port}.",
        "Switch it off and on: it then looks for its server by itself. Use DNS instead.",
    )


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, NetAddress | SerialAddress):
        raise NotSupported(f"{address} has no console.", "Use the box's IP address, or the port of the cable in it.")
    return JuiceBoxConsole(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Wait for the greeting, then ask for version and serial; nothing is sent to whoever does not greet like a box."""
    if not isinstance(address, NetAddress | SerialAddress):
        return None
    try:
        console = await opened(address, links)
    except ProtocolError:
        return None
    try:
        return await identified(console, profile)
    except ProtocolError:
        return None
    finally:
        await console.close()


CAPABILITIES = frozenset({Identifies, ReportsStatus, ReadsSettings, WritesSettings})

DRIVERS = (
    Driver(
        id=JuiceBoxConsole.driver_id,
        title="JuiceBox console (telnet)",
        sources=frozenset({SourceKind.LAN, SourceKind.MANUAL}),
        open=open_session,
        capabilities=CAPABILITIES,
        probe=probe,
        asks=("nothing, until it greets; then “ver”", "“get email.name_address”"),
    ),
    Driver(
        id="juicebox-serial",
        title="JuiceBox console (serial)",
        sources=frozenset({SourceKind.SERIAL}),
        open=open_session,
        capabilities=CAPABILITIES,
        probe=probe,
        asks=("an empty line, “ver” and “get email.name_address” (on a serial port you choose)",),
    ),
)

"""The configuration console of an OpenEVSE gateway on its USB port: one line of JSON writes, and nothing can be read.

Sources: OpenEVSE/openevse_esp32_firmware 1797b7a (src/main.cpp, handle_serial; src/app_config.cpp; src/debug.cpp;
platformio.ini; test/serial_config.txt).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from app.driver import described
from app.driver.capability import Identifies, ReadsSettings, SetsBackend, WriteResult, WritesSettings
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import Garbled, LinkLost, NotSupported, ProtocolError, TimedOut, Unexpected, ValueRejected
from app.links.link import LineLink, Links
from app.model.address import Address, SerialAddress
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.setting import Change, SettingKind, Snapshot
from app.model.unit import Identity, SourceKind

QUESTION = "config:{}"
"""Changes nothing and is answered “no change”. To a controller (RAPI) it is no command: those begin with ``$``."""

ENABLED, SERVER, IDENTITY, KEY = "ocpp_enabled", "ocpp_server", "ocpp_chargeBoxId", "ocpp_authkey"
YOUNGER = frozenset({KEY, "ocpp_idtag", "ocpp_auth_auto", "ocpp_auth_offline"})
"""Keys that firmware 4.1.7 does not know: to an unknown key it answers “no change” too."""
SWITCHES = ("ocpp_auth_auto", "ocpp_auth_offline", "ocpp_suspend_evse", "ocpp_energize_plug")
KEYS = (ENABLED, SERVER, IDENTITY, KEY, "ocpp_idtag", *SWITCHES)

REPLY_S = 2.0
ATTEMPTS = 2
QUIET_S = 0.3
LINE_LIMIT = 4096
VALUE_LIMIT = 200
"""Bytes of a value: a longer line does not fit the port's receive buffer of 256 (Arduino-ESP32 HardwareSerial)."""

UNREAD = "The console has no command to read it, so its old value is not known."
CAUTION = "Its old value can't be read over this cable, and can't be brought back."
REASONS = {
    KEY: "No password is shown.",
    IDENTITY: "The identity under which the backend knows this charger.",
    ENABLED: "OCPP must be switched on.",
    SERVER: "The new backend. The charger dials it as soon as it is written.",
}


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key: the same keys as over Wi-Fi."""
    return described.load("openevse-wifi")


class Console:
    """Lines to and from the gateway. Whatever else it prints there is passed over."""

    def __init__(self, line: LineLink, name: str) -> None:
        self._line = line
        self._name = name
        self._text = ""
        self._is_late = False

    async def ask(self, line: str) -> tuple[int, str]:
        """Send one line and return code and words of its answer.

        Raises TimedOut (silence), Garbled (only something else), LinkLost.
        """
        if self._is_late:
            await self._quiet()
        # an empty line first: it ends whatever stands half-written in the gateway's buffer
        await self._line.write(f"\n{line}\n".encode("ascii"))
        noise = 0
        try:
            while True:
                text = await self._next()
                answer = parse(text)
                if answer is not None:
                    return answer
                noise += len(text.strip())
        except TimedOut as error:
            self._is_late = True
            if noise or self._text:
                raise Garbled(
                    f"{self._name} carries something, but not this console.",
                    "Check what the cable leads to, and that it runs at 115200 baud.",
                ) from error
            raise TimedOut(
                f"{self._name} does not answer.",
                "On most OpenEVSE gateways this port leads to the controller, not to the console: use Wi-Fi there.",
            ) from error

    async def close(self) -> None:
        """Close the port. Idempotent."""
        await self._line.close()

    async def _next(self) -> str:
        while "\n" not in self._text:
            self._text += (await self._line.read(timeout_s=REPLY_S)).decode("latin-1")
            if len(self._text) > LINE_LIMIT:
                raise Garbled(f"{self._name} sends lines without an end.", "Check what the cable leads to.")
        line, _, self._text = self._text.partition("\n")
        return line

    async def _quiet(self) -> None:
        """Let a late answer pass, so that it is not taken for the next one."""
        try:
            for _ in range(100):
                await self._line.read(timeout_s=QUIET_S)
        except TimedOut:
            self._text, self._is_late = "", False


def parse(line: str) -> tuple[int, str] | None:
    """Read ``{"code":200,"msg":"done"}``; ``None`` where it is anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != {"code", "msg"}:
        return None
    code, words = found["code"], found["msg"]
    is_answer = isinstance(code, int) and not isinstance(code, bool) and isinstance(words, str)
    return (code, words[:200]) if is_answer else None


class OpenEvseConsole(Session):
    """A gateway on a serial line. Whatever is written is sent twice: “no change” says that the first one was kept."""

    driver_id: ClassVar[str] = "openevse-console"
    deadline_s: ClassVar[float] = 6.0

    def __init__(self, address: SerialAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._port = address
        self._profile = profile
        self._links = links
        self._console: Console | None = None

    async def _open(self) -> None:
        self._console = Console(await self._links.serial(self._port), str(self._port))
        await greet(self._console)
        self.offers = frozenset({Identifies, ReadsSettings, WritesSettings, SetsBackend})

    async def _close(self) -> None:
        if self._console is not None:
            await self._console.close()

    async def identify(self) -> Identity:
        """Make sure that the console still answers; who it is it does not tell."""
        async with self.call("identify"):
            await greet(self._line)
        return identity_of(self._profile)

    async def read_settings(self) -> Snapshot:
        """List what can be written; no value can be read, and each says why."""
        async with self.call("look for the console"):
            await greet(self._line)
        known = (replace(descriptions()[key], caution=CAUTION) for key in KEYS)
        found = tuple(item.setting(None, is_readable=False) for item in known)
        return Snapshot(taken_at=datetime.now(UTC), settings=found, excluded=dict.fromkeys(KEYS, UNREAD))

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value, then the same again: what it kept it answers with “no change”. Raises ValueRejected."""
        key = change.key
        async with self.call(f"write {key}", deadline_s=2 * REPLY_S + self.deadline_s):
            if key not in KEYS:
                raise NotSupported(f"“{key}” is not written over this cable.", "Use the charger's web page.")
            line = f"config:{json.dumps({key: sent(key, change.after)}, separators=(',', ':'))}"
            first, again = await self._put(line), await self._put(line)
        if again != "no change":
            raise ValueRejected(f"The charger took “{key}” and did not keep it.", "Its text may be too long for it.")
        is_known = first == "done" or key not in YOUNGER
        note = (
            "Sent again it changed nothing." if is_known else "It held this already, or its firmware does not know it."
        )
        return WriteResult(key=key, is_accepted=True, note=note)

    async def read_backend(self) -> Backend | None:
        """Return ``None``: it can't be read."""
        async with self.call("look for the console"):
            await greet(self._line)
        return None

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the changes. Raises ValueRejected for a password: its form hangs on the firmware."""
        return planned(backend, snapshot, self._profile)

    @property
    def _line(self) -> Console:
        if self._console is None:
            raise LinkLost(f"{self.address} is closed.", "Open it again.")
        return self._console

    async def _put(self, line: str) -> str:
        code, words = await self._line.ask(line)
        if code == 200 and words in ("done", "no change"):
            return words
        if code == 400:
            raise ValueRejected(f"The charger could not read the line ({words}).", "Try again, or use a shorter value.")
        raise Unexpected(f"The charger answered {code} {words}.", "Note the firmware version and report it.")


async def greet(console: Console) -> None:
    """Ask what changes nothing; raises Unexpected where something else answers."""
    for attempt in range(ATTEMPTS):
        try:
            answer = await console.ask(QUESTION)
            break
        except TimedOut:
            if attempt == ATTEMPTS - 1:
                raise
    if answer != (200, "no change"):
        raise Unexpected(f"The answer to {QUESTION} is not that of a gateway.", "Check what the cable leads to.")


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order, the address last. What it holds now is not known, so all are written."""
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported("This charger can't show a certificate of its own.", "Use security profile 1 or 2.")
    if backend.url.partition(":")[0].lower() not in (profile.url.schemes if profile.url else ("ws", "wss")):
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    if backend.security_profile is not SecurityProfile.NONE and backend.secret.reveal():
        raise ValueRejected(
            "The password can't be set over this cable: up to firmware 5.1.0 it is text, from 5.1.1 on hexadecimal "
            "digits, and the console does not tell the firmware.",
            "Reach the charger over Wi-Fi, where Rehome reads the firmware and writes the right form; or move it "
            "without a password and write “ocpp_authkey” by hand in the form of its firmware.",
        )
    wanted = {KEY: "", IDENTITY: backend.identity, ENABLED: "true", SERVER: backend.url}
    changes = []
    for order, (key, value) in enumerate(wanted.items()):
        sent(key, value)
        known = snapshot.get(key)
        before = known.value if known is not None else None
        secret = key == KEY
        changes.append(Change(key=key, before=before, after=value, is_secret=secret, order=order, reason=REASONS[key]))
    return tuple(changes)


def sent(key: str, text: str) -> Any:
    """Return the value as it goes into the line. Raises ValueRejected."""
    known = descriptions()[key]
    if known.kind is SettingKind.SWITCH:
        if text not in ("true", "false"):
            raise ValueRejected(f"“{text}” is not a value “{known.label}” can have.", "Use true or false.")
        return text == "true"
    if len(json.dumps(text)) > VALUE_LIMIT:
        raise ValueRejected(
            f"“{known.label}” is too long for this cable: a line holds {VALUE_LIMIT} characters of it.",
            "Use a shorter one, or set it over Wi-Fi.",
        )
    return text


def identity_of(profile: Profile) -> Identity:
    """Return what is known of whoever answers: what it is, not which one."""
    return Identity(vendor=profile.vendor, model="OpenEVSE WiFi gateway", profile_id=profile.id)


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, SerialAddress):
        raise NotSupported(f"{address} is not a serial port.", "Choose the port of the gateway.")
    return OpenEvseConsole(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Send ``config:{}``, on a port that a person has chosen. Nothing that could change a unit is ever sent."""
    if not isinstance(address, SerialAddress):
        return None
    console = Console(await links.serial(address), str(address))
    try:
        await greet(console)
        return identity_of(profile)
    except ProtocolError:
        return None
    finally:
        await console.close()


DRIVER = Driver(
    id="openevse-console",
    title="OpenEVSE gateway (serial console)",
    sources=frozenset({SourceKind.SERIAL, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReadsSettings, WritesSettings, SetsBackend}),
    probe=probe,
    asks=(f"{QUESTION} (on a serial port you choose)",),
)

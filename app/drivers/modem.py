"""Cellular modems on a serial line, asked with AT commands: for diagnosis only.

“A new SIM card” is often the whole repair. Only commands that tell are sent: no PIN is ever tried, nothing is set, not
even the echo or the form of the error codes. The card's subscriber and phone number are not asked for.

Sources: 3GPP TS 27.007 (each command: the section beside it), TS 27.005; what vendors add: ModemManager plugins/ublox
(+UPINCNT), Quectel EC20 AT Commands Manual (+QCCID, +QPINC), SIMCom's +SPIC and +CICCID (captured answers in public
repositories). ITU-T V.250 §5.7 for result codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from app.driver import described
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, Status
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import Garbled, LinkLost, NotSupported, TimedOut, Unexpected
from app.links.link import LineLink, Links
from app.model.address import Address, SerialAddress
from app.model.mobile import MobileLink, Registration, Sim
from app.model.profile import Profile
from app.model.reading import Measurand, Reading
from app.model.setting import Snapshot
from app.model.unit import ClaimKind, Identity, SourceKind, claim

ANSWER_S = 1.5
"""How long one answer may take."""

SLOW_S = 4.0
"""+COPS? may ask the network (27.007 §7.3)."""

LINES_LIMIT = 64
LINE_LIMIT = 512
"""Lines of one answer, and characters of one line, that are kept; more is no modem."""

ASKED = (
    "AT",
    "AT+CGMI",  # §5.1
    "AT+CGMM",  # §5.2
    "AT+CGMR",  # §5.3
    "AT+CGSN",  # §5.4
    "AT+CPIN?",  # §8.3
    "AT+CCID",
    "AT+QCCID",
    "AT+CICCID",
    "AT+ICCID",
    "AT+CPINR",  # §8.65
    "AT+UPINCNT",
    "AT+QPINC?",
    "AT+SPIC",
    "AT+CSQ",  # §8.5
    "AT+CESQ",  # §8.69
    "AT+CREG?",  # §7.2
    "AT+CGREG?",  # §10.1.20
    "AT+CEREG?",  # §10.1.22
    "AT+COPS?",  # §7.3
    "AT+CGDCONT?",  # §10.1.1
    "AT+CGATT?",  # §10.1.9
    "AT+CGPADDR",  # §10.1.14
)
"""Everything this driver ever sends."""

CARD_NUMBER = ("AT+CCID", "AT+QCCID", "AT+CICCID", "AT+ICCID")
"""How vendors name the question for the card's number: the first that is answered counts."""

TRIES_LEFT = ("AT+CPINR", "AT+UPINCNT", "AT+QPINC?", "AT+SPIC")

REGISTRATIONS = {
    0: Registration.OFF,
    1: Registration.HOME,
    2: Registration.SEARCHING,
    3: Registration.DENIED,
    5: Registration.ROAMING,
    6: Registration.LIMITED,
    7: Registration.LIMITED,
    8: Registration.LIMITED,
    9: Registration.HOME,
    10: Registration.ROAMING,
}
"""27.007 §7.2, values of <stat>; 4 = unknown."""

BEST = (
    Registration.HOME,
    Registration.ROAMING,
    Registration.LIMITED,
    Registration.DENIED,
    Registration.SEARCHING,
    Registration.OFF,
)
"""Of several answers (GSM, GPRS, LTE) the first of these counts."""

SIM_ERRORS = {10: Sim.ABSENT, 11: Sim.PIN, 12: Sim.PUK, 13: Sim.FAILED, 15: Sim.FAILED}
"""27.007 §9.2.1. 16 to 18 concern other codes."""

ICCID = re.compile(r"\b(89\d{16,18}F?)\b", re.IGNORECASE)
"""ITU-T E.118: it begins with 89."""

IMEI = re.compile(r"\b(\d{15})\b")
FAILED_ERROR = "+CME ERROR:"
FINAL = ("OK", "ERROR", FAILED_ERROR, "+CMS ERROR:", "NO CARRIER", "COMMAND NOT SUPPORT")


class Refusal(NotSupported):
    """A modem's ``ERROR``; ``code`` is that of ``+CME ERROR``, -1 without one."""

    def __init__(self, command: str, told: str) -> None:
        super().__init__(f"The modem answers {command} with “{told[:80]}”.", "Its firmware may not have this.")
        number = told.removeprefix(FAILED_ERROR).strip()
        self.code = int(number) if number.isdecimal() and len(number) < 5 else _CODES.get(number.upper(), -1)


_CODES = {"SIM NOT INSERTED": 10, "SIM PIN REQUIRED": 11, "SIM PUK REQUIRED": 12, "SIM FAILURE": 13, "SIM WRONG": 15}
"""The same codes in words (+CMEE=2)."""


@dataclass(slots=True)
class Talk:
    """Questions and answers over one line; what the modem says unasked is passed over."""

    line: LineLink
    name: str
    heard: int = 0
    _rest: str = ""

    async def ask(self, command: str, *, timeout_s: float = ANSWER_S) -> list[str]:
        """Return the lines of an answer. Raises Refusal, TimedOut, Garbled, LinkLost."""
        assert command in ASKED
        self._rest = ""
        await self.line.write(command.encode() + b"\r")
        lines: list[str] = []
        while len(lines) < LINES_LIMIT:
            text = await self._line(timeout_s)
            if text.startswith(FINAL):
                if text != "OK":
                    raise Refusal(command, text)
                return _own(command, lines)
            if text and text != command:
                lines.append(text)
        raise self.noise()

    async def told(self, command: str, *, timeout_s: float = ANSWER_S) -> list[str]:
        """Like ``ask``, with no line where the modem refuses."""
        try:
            return await self.ask(command, timeout_s=timeout_s)
        except Refusal:
            return []

    async def _line(self, timeout_s: float) -> str:
        while True:
            text, end, rest = self._rest.partition("\n")
            if end:
                self._rest = rest
                return text.strip()
            if len(self._rest) > LINE_LIMIT:
                raise self.noise()
            data = await self.line.read(timeout_s=timeout_s)
            self.heard += len(data)
            self._rest += data.decode("latin-1")

    def noise(self) -> Garbled:
        """Return the error for bytes that are no modem's."""
        return Garbled(
            f"{self.name} carries something, but no modem's answers.", "Check the baud rate and what the port leads to."
        )


def _own(command: str, lines: Iterable[str]) -> list[str]:
    """Leave out what was said unasked between question and answer.

    An answer to a named question begins with that name, or has none at all; codes said unasked have names of their
    own. ``+CREG: 1`` or ``+CREG: 1,"00C3","4F2A"`` is said unasked; an answer has two figures (27.007 §7.2).
    """
    name = command.removeprefix("AT").rstrip("?") + ":"
    own = [text for text in lines if text.startswith(name)]
    if own:
        return [text for text in own if re.search(r":\s*\d+\s*,\s*\d", text)] if "REG" in name else own
    return [text for text in lines if not re.match(r"[+^*#][A-Z]+:|RING|RDY|SMS |Call |NORMAL POWER|PB DONE", text)] + [
        text for text in lines if text.startswith("+ICCID:") and "CCID" in name
    ]


def figures(lines: Iterable[str]) -> list[list[str]]:
    """Return the values after the colon of each line, without their quotes; commas in quotes stay."""
    return [
        [part.strip().strip('"') for part in re.findall(r'"[^"]*"|[^,]+|(?<=,)(?=,)', text.partition(":")[2])]
        for text in lines
    ]


def number(values: list[str], place: int) -> int | None:
    """Return the whole number at a place, ``None`` where there is none."""
    text = values[place] if place < len(values) else ""
    return int(text) if text.isdecimal() and len(text) < 10 else None


class Modem(Session):
    """One session with a modem."""

    driver_id: ClassVar[str] = "modem"
    deadline_s: ClassVar[float] = 5.0

    def __init__(self, address: SerialAddress, links: Links) -> None:
        super().__init__(address)
        self._serial = address
        self._links = links
        self._talk: Talk | None = None
        self._imei = ""

    async def _open(self) -> None:
        self._talk = await _attention(self._serial, self._links)
        self._imei = (await identified(self._talk)).serial
        self.offers = frozenset({Identifies, ReportsStatus, ReadsSettings})

    async def _close(self) -> None:
        if self._talk is not None:
            await self._talk.line.close()

    @property
    def talk(self) -> Talk:
        """Return the open talk; raises LinkLost."""
        if self._talk is None:
            raise LinkLost(f"{self.address} is closed.", "Open the modem again.")
        return self._talk

    async def identify(self) -> Identity:
        """Say who it is. Raises Unexpected where another modem answers by now."""
        async with self.call("identify"):
            identity = await identified(self.talk)
        if identity.serial != self._imei:
            raise Unexpected(f"Another modem answers at {self.address} now.", "Search again and open it anew.")
        return identity

    async def status(self) -> Status:
        """Say how it stands with its card and its network."""
        async with self.call("status", deadline_s=25.0):
            link = await mobile_link(self.talk)
        now = datetime.now(UTC)
        dbm = link.rsrp_dbm if link.rsrp_dbm is not None else link.rssi_dbm
        strength = [] if dbm is None else [Reading(unit_id="", measurand=Measurand.SIGNAL, value=dbm, at=now)]
        return Status(
            detail=in_words(link),
            has_fault=link.sim not in (Sim.READY, Sim.UNTOLD) or link.registration is Registration.DENIED,
            readings=tuple(strength),
            mobile=link,
        )

    async def read_settings(self) -> Snapshot:
        """Show card, network and access point; nothing of it is written by Rehome."""
        async with self.call("read the settings", deadline_s=25.0):
            link = await mobile_link(self.talk)
        values = shown(link)
        settings = [item.setting(values[key]) for key, item in described.load("modem").items() if key in values]
        excluded = {setting.key: "Rehome only reads modems." for setting in settings}
        return Snapshot(taken_at=datetime.now(UTC), settings=tuple(settings), excluded=excluded)


async def identified(talk: Talk) -> Identity:
    """Ask for maker, model, firmware and IMEI. Raises Unexpected where neither maker nor model is told."""
    maker, model, firmware = [await _text(talk, command) for command in ("AT+CGMI", "AT+CGMM", "AT+CGMR")]
    if not (maker or model):
        raise Unexpected("What answers there does not say which modem it is.", "Note what the port leads to.")
    found = IMEI.search(" ".join(await talk.told("AT+CGSN")))
    imei = found[1] if found else ""
    known = claim(ClaimKind.SERIAL, imei)
    return Identity(
        vendor=maker, model=model, serial=imei, firmware=firmware, claims=(known,) if known else (), extra={}
    )


async def _text(talk: Talk, command: str) -> str:
    lines = await talk.told(command)
    name = command.removeprefix("AT") + ":"
    return lines[0].removeprefix(name).strip().strip('"')[:80] if lines else ""


async def mobile_link(talk: Talk) -> MobileLink:
    """Ask how the modem stands with its card and its network. Raises LinkError, Garbled."""
    sim = await _sim(talk)
    link = replace(await _strength(talk), sim=sim, iccid=await _card(talk))
    if sim not in (Sim.ABSENT, Sim.FAILED):
        pin, puk = await _tries(talk)
        link = replace(link, pin_left=pin, puk_left=puk)
    contexts = figures(await talk.told("AT+CGDCONT?"))
    attached = figures(await talk.told("AT+CGATT?"))
    operator = figures(await talk.told("AT+COPS?", timeout_s=SLOW_S))
    return replace(
        link,
        registration=await _registration(talk),
        operator=operator[0][2][:40] if operator and len(operator[0]) > 2 else "",
        apn=_apn(contexts),
        is_attached=number(attached[0], 0) == 1 if attached else None,
        address=_address(figures(await talk.told("AT+CGPADDR"))),
    )


async def _sim(talk: Talk) -> Sim:
    try:
        text = " ".join(await talk.ask("AT+CPIN?")).upper()
    except Refusal as refusal:
        return SIM_ERRORS.get(refusal.code, Sim.ABSENT if refusal.code == -1 else Sim.UNTOLD)
    said = text.partition("+CPIN:")[2].strip()
    for start, sim in (("READY", Sim.READY), ("SIM PIN", Sim.PIN), ("SIM PUK", Sim.PUK), ("PH-", Sim.LOCKED)):
        if said.startswith(start):
            return sim
    return Sim.ABSENT if "NOT INSERTED" in said or "NOT READY" in said else Sim.UNTOLD


async def _card(talk: Talk) -> str:
    for command in CARD_NUMBER:
        found = ICCID.search(" ".join(await talk.told(command)))
        if found:
            return found[1].rstrip("Ff")
    return ""


async def _tries(talk: Talk) -> tuple[int | None, int | None]:
    """Return how many tries of PIN and PUK are left, in whatever way this vendor tells."""
    for command in TRIES_LEFT:
        rows = figures(await talk.told(command))
        if not rows:
            continue
        if command in ("AT+UPINCNT", "AT+SPIC"):
            place = 2 if command == "AT+UPINCNT" else 1
            return number(rows[0], 0), number(rows[0], place)
        named = {row[0]: row for row in rows if row}
        if "SC" in named:
            return number(named["SC"], 1), number(named["SC"], 2)
        return number(named.get("SIM PIN", []), 1), number(named.get("SIM PUK", []), 1)
    return None, None


async def _strength(talk: Talk) -> MobileLink:
    rows = figures(await talk.told("AT+CSQ"))
    step = number(rows[0], 0) if rows else None
    rssi = -113.0 + 2 * step if step is not None and step <= 31 else None
    rows = figures(await talk.told("AT+CESQ"))
    quality, power = (number(rows[0], 4), number(rows[0], 5)) if rows else (None, None)
    return MobileLink(
        rssi_dbm=rssi,
        rsrp_dbm=power - 141.0 if power is not None and power <= 97 else None,
        rsrq_db=quality / 2 - 20.0 if quality is not None and quality <= 34 else None,
    )


async def _registration(talk: Talk) -> Registration:
    told = set()
    for command in ("AT+CEREG?", "AT+CGREG?", "AT+CREG?"):
        for row in figures(await talk.told(command))[:1]:
            told.add(REGISTRATIONS.get(number(row, 1) if len(row) > 1 else None))  # type: ignore[arg-type]
    return next((item for item in BEST if item in told), Registration.UNTOLD)


def _apn(contexts: list[list[str]]) -> str | None:
    """Return the first access point name; an empty text where contexts name none."""
    names = [row[2].strip() if len(row) > 2 else "" for row in contexts]
    return next((name[:100] for name in names if name), "") if names else None


def _address(rows: list[list[str]]) -> str:
    found = (part for row in rows for part in row[1:])
    return next((part[:45] for part in found if re.search(r"[1-9a-f]", part) and re.search(r"[.:]", part)), "")


def in_words(link: MobileLink) -> str:
    """Put the most telling things into one line."""
    if link.sim is not Sim.READY:
        tries = "try" if link.pin_left == 1 else "tries"
        left = f", {link.pin_left} {tries} left" if link.sim is Sim.PIN and link.pin_left is not None else ""
        return f"SIM: {link.sim.value}{left}"
    parts = [link.registration.value, link.operator, f"APN {link.apn}" if link.apn else "no APN"]
    dbm = link.rsrp_dbm if link.rsrp_dbm is not None else link.rssi_dbm
    return ", ".join(filter(None, [*parts, "" if dbm is None else f"{dbm:.0f} dBm"]))


def shown(link: MobileLink) -> Mapping[str, str]:
    """Return what the modem told, by the keys of ``resources/settings/modem.toml``."""
    values: dict[str, object] = {
        "sim": link.sim.value,
        "iccid": link.iccid or None,
        "pin_left": link.pin_left,
        "puk_left": link.puk_left,
        "registration": link.registration.value,
        "operator": link.operator or None,
        "apn": link.apn,
        "attached": None if link.is_attached is None else str(link.is_attached).lower(),
        "address": link.address or None,
        "rssi": None if link.rssi_dbm is None else f"{link.rssi_dbm:g}",
        "rsrp": None if link.rsrp_dbm is None else f"{link.rsrp_dbm:g}",
        "rsrq": None if link.rsrq_db is None else f"{link.rsrq_db:g}",
    }
    return {key: str(value) for key, value in values.items() if value is not None}


async def _attention(address: SerialAddress, links: Links) -> Talk:
    """Open the port and say AT twice: a modem that finds its baud rate by itself may miss the first."""
    talk = Talk(await links.serial(address, is_ready=True), str(address))
    try:
        with suppress(TimedOut):
            await talk.ask("AT")
            return talk
        try:
            await talk.ask("AT")
        except TimedOut as error:
            if talk.heard:
                raise talk.noise() from error
            raise TimedOut(
                f"{address} does not answer AT.",
                "Check the port (a modem has several; one takes commands), the cable, and that the modem has power.",
            ) from error
    except BaseException:
        await talk.line.close()
        raise
    return talk


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    del profile
    if not isinstance(address, SerialAddress):
        raise NotSupported(f"{address} is not a serial port.", "Choose the port the modem is on.")
    return Modem(address, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Say AT and ask who it is."""
    del profile
    if not isinstance(address, SerialAddress):
        return None
    try:
        talk = await _attention(address, links)
    except (Garbled, Refusal):
        return None
    try:
        return await identified(talk)
    except (Garbled, Unexpected):
        return None
    finally:
        await talk.line.close()


DRIVER = Driver(
    id=Modem.driver_id,
    title="Cellular modem (AT commands)",
    sources=frozenset({SourceKind.SERIAL}),
    open=open_session,
    capabilities=frozenset({Identifies, ReportsStatus, ReadsSettings}),
    probe=probe,
    asks=ASKED,
)

"""A Wi-Fi JuiceBox that sends us its datagrams: state, metering and limits.

Sources: chargers-commercial 1.6; what may be told to a box is decided in ``app/juicenet``, never here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    ReportsStatus,
    Status,
    WriteResult,
    WritesSettings,
)
from app.driver.measuring import News
from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import Garbled, LinkLost, NotSupported, TimedOut, Unexpected, ValueRejected
from app.juicenet.box import Box
from app.juicenet.desk import identity_of, word_of
from app.juicenet.families import family
from app.juicenet.message import MOST_A, Sealed
from app.juicenet.readings import readings_of
from app.links.link import JuiceLink, Links
from app.model.address import Address, JuiceAddress
from app.model.juicebox import LEAST_A, BoxMode, BoxState
from app.model.profile import Profile
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, SettingKind, Snapshot
from app.model.unit import Identity, LinkState, SourceKind

CIRCUIT, ALLOWED, LIFTS, LABEL = "CircuitLimit", "AllowedLimit", "LiftsKnownLimit", "RatingByLabel"

CAUTION = (
    "From now on this box is told a limit, and it keeps one of the values it is told in its memory (EEPROM). Enter the "
    "highest continuous current its circuit allows, as an electrician has confirmed it: in the USA and Canada at most "
    "80 % of the breaker (NEC 625.41). The box then charges for anybody who plugs in."
)
REVIVAL = (
    "This box was left at 0 A: its former backend let it charge only after an unlock. By entering a limit you decide "
    "that it shall charge again. "
)
EEPROM = "The box may keep this value in its memory (EEPROM), which wears with each change."
LIFTING = (
    "The box held a lower limit when it came. It may have been set for its wiring: lift it only if an electrician has "
    "looked at the circuit."
)
LATER = "It is told with the box's next report; more than before only once a minute."

_OFFERS = frozenset({Identifies, ReportsStatus, Meters, ReadsSettings, ReadsOneSetting, WritesSettings})


class JuiceNet(Session):
    """A session with a box. Nothing is sent when it opens: the box speaks first, and only then."""

    driver_id: ClassVar[str] = "juicenet"
    deadline_s: ClassVar[float] = 12.0
    """A box that charges reports every 9 s; an idle one, every 30 s, is known from before."""

    def __init__(self, address: JuiceAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._profile = profile
        self._link: JuiceLink = links.juicenet(address)

    @property
    def box(self) -> Box:
        """Return the live box; raises LinkLost where nobody listens for it."""
        box = self._link.box
        if not isinstance(box, Box):
            raise LinkLost(f"{self.address} does not send to us.", "Check that it has power and Wi-Fi.")
        return box

    async def _open(self) -> None:
        box = self.box
        if box.state.is_encrypted:
            raise Unexpected(f"{self.address} sends encrypted: nobody can read it.", Sealed.WAY_OUT)
        if box.state.report is None:
            await self._first_report(box)
        self.offers = _OFFERS

    async def _close(self) -> None:
        return

    async def _first_report(self, box: Box) -> None:
        refused = box.state.refused
        try:
            with box.keeper.states.subscribe() as states:
                async with asyncio.timeout(self.deadline_s - 1):
                    while box.state.report is None:
                        if box.state.refused > refused:
                            raise Garbled(
                                f"{self.address} sends reports that are none.",
                                "Switch its power off and on; another program may send in its name.",
                            )
                        await anext(states)
        except TimeoutError as error:
            raise TimedOut(
                f"{self.address} has sent no report yet.", "An idle box reports every 30 s: try again in a moment."
            ) from error

    # Identifies, ReportsStatus, Meters

    async def identify(self) -> Identity:
        """Tell by its datagrams who it is."""
        async with self.call("identify"):
            return _identified(self.box.state, self._profile)

    async def status(self) -> Status:
        """Return what it reported last; nothing is sent."""
        async with self.call("status"):
            return status_of(self.box.state)

    async def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Yield what it reports, when it differs from before; ends with LinkLost when the box falls silent."""
        self._must_be_open()
        box, news = self.box, News()
        with box.keeper.states.subscribe() as states:
            while self._is_open and not (state := box.state).is_absent:
                found = status_of(state)
                for item in news.of(found.readings, found.state, found.detail, state.last_heard):
                    yield item
                await anext(states)
        raise LinkLost(f"{self.address} is silent.", "Check that it has power and Wi-Fi.")

    # ReadsSettings, ReadsOneSetting, WritesSettings

    async def read_settings(self) -> Snapshot:
        """Return its limits, and what a person said of them."""
        async with self.call("read the settings"):
            return Snapshot(taken_at=datetime.now(UTC), settings=settings_of(self.box))

    async def read_setting(self, key: str) -> Setting | None:
        """Return one of them; ``None`` for a key it does not have."""
        async with self.call(f"read {key}"):
            return next((item for item in settings_of(self.box) if item.key == key), None)

    async def write_setting(self, change: Change) -> WriteResult:
        """Take a person's word on the box. Raises ValueRejected with advice, NotSupported, StoreError."""
        async with self.call(f"write {change.key}"):
            known = {item.key: item for item in settings_of(self.box)}
            if change.key not in known or known[change.key].is_readonly:
                raise NotSupported(f"“{change.key}” can't be written.", "Write the circuit's or the present limit.")
            self._write(change)
            back = next(item for item in settings_of(self.box) if item.key == change.key)
        return WriteResult(key=change.key, is_accepted=True, read_back=back.value, note=LATER)

    def _write(self, change: Change) -> None:
        box = self.box
        if change.key == LIFTS:
            self._adopt(box, _circuit(box), lifts_known=change.after == "true")
            return
        amps = _amps(change.after)
        if change.key == LABEL:
            box.keeper.labels[box.box_id] = amps
        elif change.key == ALLOWED:
            box.keeper.allow(box.box_id, amps)
        elif amps == 0:
            box.keeper.withdraw(box.box_id)
        else:
            adoption = box.state.adoption
            self._adopt(box, amps, lifts_known=adoption is not None and adoption.lifts_known)

    def _adopt(self, box: Box, circuit_a: float, *, lifts_known: bool) -> None:
        """Adopt by the limit a person entered; who wrote it has accepted the caution, and with it a revival."""
        is_revived = box.keeper.is_locked(box.box_id)
        label = _label(box)
        keeper = box.keeper
        keeper.adopt(
            keeper.propose(box.box_id, circuit_a, rating_a=label, is_revived=is_revived, lifts_known=lifts_known)
        )

    def _must_be_open(self) -> None:
        if not self._is_open:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")


def _circuit(box: Box) -> float:
    adoption = box.state.adoption
    if adoption is None:
        raise ValueRejected("This box is not adopted.", "Enter its circuit's limit first.")
    return adoption.circuit_a


def _label(box: Box) -> float | None:
    """Return the rating a person read from the label: just now, or when the box was adopted."""
    adoption = box.state.adoption
    told = box.keeper.labels.get(box.box_id) or None
    return told if told is not None or adoption is None else adoption.rating_a


def _amps(text: str) -> float:
    try:
        amps = float(text)
    except ValueError:
        amps = -1.0
    if amps != 0 and not LEAST_A <= amps <= MOST_A:
        raise ValueRejected(f"“{text[:20]}” is no current for a JuiceBox.", f"Enter 0, or {LEAST_A:g} to {MOST_A} A.")
    return amps


# What it told, in the words of all chargers


def status_of(state: BoxState) -> Status:
    """Return a box's state and readings."""
    report = state.report
    is_faulty = report is not None and report.mode is BoxMode.ERROR
    return Status(
        state=word_of(state),
        detail=_detail(state),
        has_fault=is_faulty,
        readings=readings_of(report) if report is not None else (),
        link=LinkState(is_enabled=state.adoption is not None, is_connected=not state.is_absent),
    )


def _detail(state: BoxState) -> str:
    if state.is_encrypted:
        return f"It sends encrypted. {Sealed.WAY_OUT}"
    if state.is_locked:
        return "Left at 0 A by its former backend: enter its circuit's limit to let it charge again."
    if state.adoption is None:
        return "Only listened to: nothing is sent before its circuit's limit is entered."
    return f"Another limit waits: {state.wanted_a:g} A." if state.wanted_a is not None else ""


def settings_of(box: Box) -> tuple[Setting, ...]:
    """Return a box's limits as settings, those a person may enter first."""
    state, keeper = box.state, box.keeper
    adoption, report = state.adoption, state.report
    told = state.wanted_a if state.wanted_a is not None else state.allowed_a
    rating = report.rating_a if report is not None else None
    found = [
        _amps_setting(
            CIRCUIT,
            "Circuit's continuous limit",
            adoption.circuit_a if adoption is not None else 0,
            rating or MOST_A,
            caution=(REVIVAL if keeper.is_locked(box.box_id) and adoption is None else "") + CAUTION,
            help_="The highest continuous current. 0 = the box is only listened to, and nothing is sent to it.",
        ),
        _amps_setting(
            ALLOWED,
            "What it may draw now",
            told,
            keeper.ceiling_a(box.box_id),
            caution=EEPROM,
            help_=f"0 pauses it. {LATER}",
            is_readonly=adoption is None,
        ),
    ]
    if rating is None:
        label = _label(box) or 0
        found.append(_amps_setting(LABEL, "Rating on its type label", label, MOST_A, caution="", help_=UNRATED))
    if adoption is not None and adoption.known_a is not None and adoption.known_a < adoption.circuit_a:
        found.append(_lifting(adoption.lifts_known, adoption.known_a))
    return (*found, *_reported(state))


UNRATED = "This box does not tell its rating: read it from the label before you enter the circuit's limit."


def _amps_setting(
    key: str,
    label: str,
    value: float | None,
    most: float,
    *,
    caution: str,
    help_: str,
    is_readonly: bool = False,
) -> Setting:
    return Setting(
        key=key,
        value=None if value is None else f"{value:g}",
        kind=SettingKind.NUMBER,
        label=label,
        unit="A",
        minimum=0,
        maximum=float(most),
        caution=caution,
        help=help_,
        is_readonly=is_readonly,
    )


def _lifting(is_lifted: bool, known_a: float) -> Setting:
    return Setting(
        key=LIFTS,
        value="true" if is_lifted else "false",
        kind=SettingKind.SWITCH,
        label=f"Go above the {known_a:g} A it came with",
        caution=LIFTING,
    )


def _reported(state: BoxState) -> tuple[Setting, ...]:
    report = state.report
    told = {
        "Rating": ("Rating it reports", report.rating_a if report else None, "A"),
        "OnlineLimit": ("Online limit it reports", report.online_limit_a if report else None, "A"),
        "OfflineLimit": ("Offline limit it reports", report.offline_limit_a if report else None, "A"),
        "ChangesToday": ("Changes of its limit today", state.changes_today, ""),
        "Refused": ("Datagrams not believed", state.refused, ""),
    }
    return tuple(
        Setting(
            key=key,
            value=None if value is None else str(value),
            kind=SettingKind.INTEGER,
            label=label,
            unit=unit,
            is_readonly=True,
        )
        for key, (label, value, unit) in told.items()
    )


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Tell by its datagrams who sends to us; nothing is sent. Raises LinkLost where it is silent."""
    if not isinstance(address, JuiceAddress):
        return None
    box = links.juicenet(address).box
    if not isinstance(box, Box):
        return None
    return _identified(box.state, profile)


def _identified(state: BoxState, profile: Profile) -> Identity:
    """Return who it is; of which generation it says when it starts."""
    return replace(identity_of(state), profile_id=family(state.software, profile.id))


def _opened(address: Address, profile: Profile, links: Links) -> Session:
    if not isinstance(address, JuiceAddress):
        raise NotSupported(f"{address} is no JuiceBox that sends to us.", "Choose the way by which it is heard.")
    return JuiceNet(address, profile, links)


DRIVER = Driver(
    id=JuiceNet.driver_id,
    title="JuiceNet datagrams",
    sources=frozenset({SourceKind.JUICENET}),
    open=_opened,
    capabilities=_OFFERS,
    probe=probe,
)

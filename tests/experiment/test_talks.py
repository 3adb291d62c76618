"""Answers that come late, commands that come early, the waiting room, long answers: each behaviour is told apart."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from websockets.exceptions import ConnectionClosed

from app.experiment.values import Tempo
from app.model.frame import Frame
from tests.experiment.lab import Unit, healthy, lab, living
from tests.ocpp.endpoint_kit import BOOT

BRISK = Tempo(pace=0.01, least_s=0.3)


# Late answers -------------------------------------------------------------------------------------------------------


async def test_a_patient_unit() -> None:
    async with lab(tempo=BRISK) as place, living(Unit(place, healthy)):
        result = await place.ends("patient", "answer-delay")
    assert [item.mark for item in result.rounds] == ["fine"] * 5


async def test_a_unit_that_hangs_up_when_an_answer_is_late() -> None:
    async with lab(tempo=BRISK) as place, living(Unit(place, quitter)):
        result = await place.ends("limit", "answer-delay")
    assert [item.mark for item in result.rounds] == ["fine", "fine", "fine", "dropped", "dropped"]


async def quitter(unit: Unit) -> None:
    await unit.boot(limit_s=0.1)
    await unit.ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    await unit.serve()


async def repeater(unit: Unit) -> None:
    """Repeat a Boot that is not answered in time, on the same line."""
    await unit.link.send(json.dumps([2, "first", "BootNotification", BOOT]))
    try:
        async with asyncio.timeout(0.1):
            await unit.link.recv()
    except TimeoutError:
        await unit.boot()
    await unit.ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    await unit.serve()


async def test_a_unit_that_repeats_itself_when_an_answer_is_late() -> None:
    async with lab(tempo=BRISK) as place, living(Unit(place, repeater)):
        result = await place.ends("limit", "answer-delay")
    assert result.rounds[-1].mark == "repeated"


async def test_a_unit_that_can_not_bear_an_answer_at_once() -> None:
    async def startled(unit: Unit) -> None:
        began_s = time.monotonic()
        await unit.boot()
        if time.monotonic() - began_s < 0.03:
            unit.link.transport.abort()
            return
        await unit.ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        await unit.serve()

    # Slower than the others: an answer that comes at once must be told from one that is 50 ms late.
    async with lab(tempo=Tempo(pace=0.05, least_s=0.3)) as place, living(Unit(place, startled)):
        result = await place.ends("too-fast", "answer-delay")
    assert result.rounds[0].mark == "dropped"


# Early commands -----------------------------------------------------------------------------------------------------


async def test_a_unit_that_answers_early_commands() -> None:
    async def ready(unit: Unit) -> None:
        await asyncio.wait_for(first_command(unit), 5)
        await healthy(unit)

    async with lab(tempo=BRISK) as place, living(Unit(place, ready)):
        result = await place.ends("answers", "early-command")
    assert result.rounds[0].numbers["is_early"] == 1


async def first_command(unit: Unit) -> None:
    """Answer whatever comes first, or go on when nothing does."""
    try:
        async with asyncio.timeout(0.05):
            await unit.command(json.loads(await unit.link.recv()))
    except TimeoutError:
        return


async def test_a_unit_that_hangs_up_when_it_is_spoken_to_early() -> None:
    async def touchy(unit: Unit) -> None:
        # It boots a moment after it has connected; what is said before makes it hang up.
        try:
            async with asyncio.timeout(0.03):
                await unit.link.recv()
            unit.link.transport.abort()
        except TimeoutError:
            await healthy(unit)

    async with lab(tempo=BRISK) as place, living(Unit(place, touchy)):
        result = await place.ends("loops", "early-command")
    assert result.rounds[0].mark == "dropped"
    assert result.rounds[-1].mark == "answered"


async def test_a_unit_that_boots_again_when_it_is_spoken_to_early() -> None:
    async def looping(unit: Unit) -> None:
        await unit.link.send(json.dumps([2, "b1", "BootNotification", BOOT]))
        first = json.loads(await unit.link.recv())
        if first[0] == 2:
            await unit.command(first)
            await unit.boot()
        await unit.serve()

    async with lab(tempo=BRISK) as place, living(Unit(place, looping)):
        await place.ends("loops", "early-command")


async def test_a_unit_that_can_not_bear_the_question_at_all() -> None:
    class Brittle(Unit):
        async def command(self, message: list[Any]) -> None:
            self.link.transport.abort()
            raise ConnectionClosed(None, None)

    async with lab(tempo=BRISK) as place, living(Brittle(place, healthy)):
        result = await place.ends("drops", "early-command")
    assert [item.mark for item in result.rounds] == ["dropped"] * 4


async def test_a_unit_that_is_deaf_proves_nothing() -> None:
    class Deaf(Unit):
        async def command(self, message: list[Any]) -> None:
            pass

    async with lab(tempo=BRISK) as place, living(Deaf(place, healthy)):
        result = await place.run("early-command")
    assert result.sign == ""
    assert "unanswered" in result.why


# The waiting room ---------------------------------------------------------------------------------------------------


class Waiter(Unit):
    """A unit that boots when it is asked to, and again while it is not accepted. The pause told is at least 1 s."""

    factor = 1.0
    gives_up = False

    async def command(self, message: list[Any]) -> None:
        await super().command(message)
        if message[2] == "TriggerMessage":
            await self.knock()

    async def knock(self) -> None:
        """Send a Boot and leave its answer to whoever reads."""
        self._uid += 1
        await self.link.send(json.dumps([2, f"boot-{self.dials}-{self._uid}", "BootNotification", BOOT]))

    async def stay(self) -> None:
        """Boot, and again when the pause is over; answer commands meanwhile."""
        await self.knock()
        async for text in self.link:
            message = json.loads(text)
            if message[0] == 2:
                await self.command(message)
            elif message[0] == 3 and message[2].get("status") in ("Pending", "Rejected") and not self.gives_up:
                await asyncio.sleep(message[2]["interval"] * self.factor)  # its own pause
                await self.knock()


async def waits(unit: Unit) -> None:
    assert isinstance(unit, Waiter)
    await unit.stay()


async def test_a_unit_that_waits_as_it_is_told() -> None:
    async with lab(tempo=Tempo(pace=0.03, least_s=0.3)) as place, living(Waiter(place, waits)):
        result = await place.ends("obeys", "waiting-room")
    assert [item.mark for item in result.rounds] == ["obeyed", "obeyed", "let in"]


async def test_a_unit_that_does_not_wait() -> None:
    async with lab() as place:
        unit = Waiter(place, waits)
        unit.factor = 0.1
        async with living(unit):
            await place.ends("hurries", "waiting-room")


async def test_a_unit_that_gives_up() -> None:
    async with lab(tempo=Tempo(pace=0.005, least_s=0.3)) as place:
        unit = Waiter(place, waits)
        unit.gives_up = True
        async with living(unit):
            result = await place.ends("gives-up", "waiting-room")
    assert result.finding is None


# Long answers -------------------------------------------------------------------------------------------------------


class Small(Unit):
    """A unit whose memory, or whose program, is too small for some questions."""

    most = 1000
    poison = ""

    async def command(self, message: list[Any]) -> None:
        keys = message[3].get("key") or ["all"] * 200
        if len(keys) > self.most or self.poison in keys:
            self.link.transport.abort()
            raise ConnectionClosed(None, None)
        await super().command(message)


async def test_a_unit_that_answers_every_batch() -> None:
    async with lab(tempo=BRISK) as place, living(Unit(place, healthy)):
        result = await place.ends("fine", "big-answer")
    assert [item.mark for item in result.rounds] == ["fine"] * 4


async def test_a_unit_whose_memory_is_too_small() -> None:
    async with lab(tempo=BRISK) as place:
        unit = Small(place, healthy)
        unit.most = 10
        async with living(unit):
            result = await place.ends("size", "big-answer")
    assert [item.mark for item in result.rounds] == ["fine", "fine", "failed", ""]


async def test_a_unit_that_crashes_on_one_setting() -> None:
    async with lab(tempo=BRISK) as place:
        unit = Small(place, healthy)
        unit.poison = "ConnectionTimeOut"
        async with living(unit):
            result = await place.ends("key", "big-answer")
    assert "ConnectionTimeOut" in result.rounds[0].seen


async def test_a_unit_that_floods_us_holds_nobody_up() -> None:
    async def flooding(unit: Unit) -> None:
        await unit.boot()
        long = "x" * 60_000
        for number in range(300):
            await unit.link.send(json.dumps([2, f"f{number}", "DataTransfer", {"vendorId": "V", "data": long}]))
        await unit.serve()

    async with lab(tempo=Tempo(pace=0.0005, least_s=0.3)) as place, living(Unit(place, flooding)):
        run = place.desk.prepare("answer-delay", identity="CP-1")
        result = await asyncio.wait_for(run.go(), 15)
        kept = [item for item in run._witness.happened if isinstance(item, Frame)]
    assert kept
    assert max(len(item.text) for item in kept) <= 2000
    assert result.ended_at is not None

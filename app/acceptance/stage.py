"""Where the steps of a case act: on one unit, over our endpoint, with a person nearby. What it changes it restores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.acceptance.facts import Facts
from app.acceptance.prompting import Prompter
from app.acceptance.readmitting import readmitted
from app.acceptance.recorder import Recorder
from app.acceptance.restoring import Restoring, Undo
from app.acceptance.take import ANY, ASKED, Exchange, Message, Take
from app.acceptance.tempo import Tempo
from app.acceptance.tools import NO_TOOLS, Tools, watched
from app.errors import AppError, LinkLost
from app.model.acceptance import Answer, Mark
from app.model.transfer import Carrier

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.ocpp.manner import Manner
    from app.ocpp.server import OcppServer
    from app.ocpp.services.transfer import FileDesk

ANSWER_S = 30.0
"""Longest wait for the answer to a call [OURS]."""
GRACE_S = 15.0
"""How long after a person's “Done” its effect may take to be heard [OURS]."""
PERSON_S = 45.0
AWAY_STATUS = 503
"""What a unit gets that is kept away: Service Unavailable makes every client try again later."""


class NotAsked(Exception):
    """The steps can't be done now; the text says why."""


class NotApplicable(Exception):
    """The unit showed that it does not offer this; the text says why."""


class Interrupted(Exception):
    """The unit went away in the middle and did not come back; what was captured is judged."""


class Stage:
    """One case's hands. Times are the case's own seconds; what is awaited always has an end.

    Captured frames are found with ``heard`` (waits) and ``take`` (looks). ``since`` there defaults to the moment of the
    last ``call``, so that a message which overtakes the answer is not missed.
    """

    def __init__(
        self,
        *,
        server: OcppServer,
        facts: Facts,
        recorder: Recorder,
        prompter: Prompter,
        tempo: Tempo,
        say: Callable[[str], None],
        tools: Tools = NO_TOOLS,
    ) -> None:
        self.facts = facts
        self.identity = facts.identity
        self.version = facts.version
        self.restoring = Restoring()
        self.tempo = tempo
        self.say = say
        """Tell what is going on, in words."""
        self._server = server
        self._recorder = recorder
        self._prompter = prompter
        self._tools = tools
        self._since = recorder.last_seq

    # Looking --------------------------------------------------------------------------------------------------------

    @property
    def connector(self) -> int:
        """Return the connector (1.6) or EVSE (2.x) that is tried: the first."""
        return self.facts.connectors[0]

    @property
    def connection(self) -> Endpoint | None:
        """Return the open connection, ``None`` while the unit is away."""
        return self._server.endpoint(self.identity)

    def now(self) -> datetime:
        """Return this computer's time (UTC)."""
        return datetime.now(UTC)

    @property
    def last_seq(self) -> int:
        """Return the number of the newest frame: a moment to count from."""
        return self._recorder.last_seq

    @property
    def take(self) -> Take:
        """Return everything captured in this case so far."""
        return Take(self._recorder.messages, self._recorder.marks, pace=self.tempo.pace)

    async def endpoint(self, within_s: float = 60.0) -> Endpoint:
        """Return the open connection, waiting for the unit's return. Raises Interrupted where it stays away."""
        there = self.connection
        if there is None or not there.is_open:
            self.say("Waiting for the charger to come back …")
            if not await self.until(lambda: self.connection is not None, within_s):
                raise Interrupted(f"The charger was away for {within_s:.0f} s.")
            there = self.connection
        if there is None:
            raise Interrupted("The charger went away again.")
        return there

    async def until(self, is_there: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is true that a frame, a mark or an answer changes."""
        return await self._recorder.until(is_there, self.tempo.real(within_s))

    async def heard(
        self,
        action: str = "",
        *,
        where: Callable[[Message], bool] = ANY,
        within_s: float = ANSWER_S,
        since: int | None = None,
    ) -> Message | None:
        """Wait for a call of the unit and return it, ``None`` where none came. Counts those after ``since``."""
        start = self._since if since is None else since

        def fits(message: Message) -> bool:
            is_new = message.seq > start and message.is_in and message.is_call
            return is_new and (not action or message.action == action) and where(message)

        def found() -> Message | None:
            return next(filter(fits, self._recorder.messages), None)

        await self.until(lambda: found() is not None, within_s)
        return found()

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(self.tempo.exactly(seconds))

    def mark(self, name: str, text: str = "", /, **facts: object) -> Mark:
        """Note a moment for the judge."""
        return self._recorder.mark(name, text, **facts)

    # Asking ---------------------------------------------------------------------------------------------------------

    async def call(
        self, action: str, payload: Mapping[str, Any] | None = None, *, within_s: float = ANSWER_S
    ) -> Exchange:
        """Send a call and return it with its answer; a CALLERROR and silence are answers too.

        Raises Interrupted where the unit is away and does not come back.
        """
        endpoint = await self.endpoint()
        since = self._since = self._recorder.last_seq
        self.say(f"{action} …")
        told = dict(payload or {})
        with suppress(AppError):  # the frames tell what it was
            await endpoint.call(action, told, timeout_s=max(self.tempo.real(within_s), 0.5))
        return await self._exchange(action, told, since)

    async def _exchange(self, action: str, payload: Mapping[str, Any], since: int) -> Exchange:
        def sent() -> tuple[Exchange, ...]:
            return Take(self._recorder.messages, pace=self.tempo.pace, ours={}).after(since).asked(action)

        def found() -> Exchange | None:
            return next((item for item in sent() if item.request.payload == payload), None)

        await self.until(lambda: (there := found()) is not None and there.answer is not None, 0.2)
        # What is masked in the frames can't be told by its payload.
        exchange = found() or next(iter(sent()), None)
        if exchange is None:
            raise Interrupted(f"{action} could not be sent: the charger went away.")
        self.mark(ASKED, action, seq=exchange.request.seq)
        return exchange

    async def offered(self, action: str, payload: Mapping[str, Any] | None = None) -> Exchange:
        """Send a call for something optional. Raises NotApplicable where the unit does not know it."""
        exchange = await self.call(action, payload)
        if exchange.status in ("NotImplemented", "NotSupported"):
            raise NotApplicable(f"The unit answers {action} with {exchange.status}.")
        return exchange

    async def person(
        self,
        kind: str,
        *,
        until: Callable[[], bool] | None = None,
        within_s: float = PERSON_S,
        **names: object,
    ) -> Answer:
        """Show a prompt with a countdown; it closes by itself as soon as ``until`` holds.

        Raises NotAsked where the person skips, can't, or says nothing.
        """
        if until is not None and until():
            return Answer.DONE
        self.say("Waiting for a person …")
        prompter = self._prompter
        prompter.open(kind, within_s, self.tempo.real(within_s), connector=self.connector, **names)
        try:
            await self.until(lambda: prompter.answer is not None or (until is not None and until()), within_s)
            answer = prompter.answer or (Answer.DONE if until is not None and until() else Answer.NONE)
        finally:
            prompter.close()
        self.mark("person", f"{kind}: {answer.value}", prompt=kind, answer=answer.value)
        if answer is not Answer.DONE:
            raise NotAsked(_UNANSWERED[answer])
        if until is not None:
            await self.until(until, GRACE_S)
        return answer

    # Settings -------------------------------------------------------------------------------------------------------

    async def get(self, *keys: str) -> dict[str, str]:
        """Read settings; those that the unit does not tell are left out."""
        endpoint = await self.endpoint()
        self._since = self._recorder.last_seq
        try:
            found = await endpoint.get_settings(keys)
        except LinkLost as error:
            raise Interrupted(error.message) from error
        except AppError:
            return {}
        return {item.key: item.value for item in found if item.value is not None}

    async def set(self, key: str, value: str) -> str:
        """Write a setting and return the status, ``no answer`` where there was none. The old value comes back."""
        old = self.facts.settings.get(key)
        if old is not None and old.value is not None:
            before = old.value
            self.undo(f"setting {key} to “{before[:60]}”", lambda: self._set_back(key, before))
        endpoint = await self.endpoint()
        self._since = self._recorder.last_seq
        self.say(f"{key} = {value}")
        try:
            return await endpoint.set_setting(key, value)
        except LinkLost as error:
            raise Interrupted(error.message) from error
        except AppError as error:
            return "no answer" if "did not answer" in error.message else "refused"

    async def _set_back(self, key: str, value: str) -> str:
        status = await (await self.endpoint()).set_setting(key, value)
        return "" if status in ("Accepted", "RebootRequired") else f"the unit said {status}"

    def undo(self, name: str, action: Undo) -> None:
        """Have something done when the case is over, whatever becomes of it."""
        self.restoring.add(name, lambda: _contained(action))

    # Our manners ----------------------------------------------------------------------------------------------------

    @property
    def manner(self) -> Manner:
        """Return our manners towards this unit; change them with ``treat``."""
        return self._server.manner(self.identity)

    def treat(self, **manners: Any) -> None:
        """Change our manners (fields of ``Manner``) until the case is over, or until ``treat_usually``."""
        manner = self.manner
        if "boot_status" in manners:
            self.undo("its registration", lambda: readmitted(self))  # done after our manners are the usual ones
        for name, value in manners.items():
            before = getattr(manner, name)

            async def back(name: str = name, before: Any = before) -> str:
                setattr(manner, name, before)
                return ""

            self.undo(f"manner {name}", back)
            setattr(manner, name, value)
            self.mark("manner", f"{name} = {value}", manner=name, value=value)

    def withhold(self, *actions: str) -> None:
        """Take these actions in and never answer them (``Manner.withheld``) until the case is over, or ``answer``."""
        self.treat(withheld={*self.manner.withheld, *actions})

    def answer(self, *actions: str) -> None:
        """Answer again what was withheld."""
        self.manner.withheld.difference_update(actions)

    def reply(self, action: str, payload: Mapping[str, Any]) -> None:
        """Answer an action of this unit so, whatever this program would do about it, until the case is over."""
        repliers, ours = self._server.repliers, self.identity
        usual = repliers.get(action)
        is_over = False

        def answer(endpoint: Endpoint, asked: Mapping[str, Any]) -> dict[str, Any] | None:
            if endpoint.identity == ours and not is_over:
                return dict(payload)
            return usual(endpoint, asked) if usual is not None else None

        async def back() -> str:
            nonlocal is_over
            is_over = True
            if repliers.get(action) is answer:  # another unit's case may have put its own before it
                del repliers[action]
                if usual is not None:
                    repliers[action] = usual
            return ""

        self.undo(f"answers to {action}", back)
        repliers[action] = answer

    def cards(self, status: Callable[[str], str]) -> None:
        """Answer every authorisation of this unit by ``status(tag)`` until the case is over."""
        server, ours, usual = self._server, self.identity, self._server.authorise
        is_over = False

        def decide(identity: str, token: Any) -> str:
            return status(token.value) if identity == ours and not is_over else usual(identity, token)

        async def back() -> str:
            nonlocal is_over
            is_over = True
            if server.authorise is decide:  # another unit's case may have put its own before it
                server.authorise = usual
            return ""

        self.undo("authorisation", back)
        server.authorise = decide
        self.mark("cards", "This computer decides about cards by the case's rule")

    # Files and certificates -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def expecting(self, purpose: str, carrier: Carrier = Carrier.HTTP) -> AsyncIterator[str]:
        """Take files in inside the block; gives the address to tell the unit. Every file becomes a mark ``file``."""
        files = self._files()
        async with (
            files.expecting(identity=self.identity, purpose=purpose, host=self._host, carrier=carrier) as ticket,
            watched(files, ticket.token, self._recorder),
        ):
            yield ticket.location

    @asynccontextmanager
    async def offering(self, path: Path, purpose: str, carrier: Carrier = Carrier.HTTP) -> AsyncIterator[str]:
        """Give a file out inside the block; gives its address. Every fetch becomes a mark ``file``."""
        files = self._files()
        async with (
            files.offering(path, identity=self.identity, purpose=purpose, host=self._host, carrier=carrier) as ticket,
            watched(files, ticket.token, self._recorder),
        ):
            yield ticket.location

    def root_pem(self) -> str:
        """Return this computer's own root certificate, empty where it has none."""
        return self._tools.root_pem()

    def _files(self) -> FileDesk:
        if self._tools.files is None:
            raise NotAsked("This computer's file service is not running.")
        return self._tools.files

    @property
    def _host(self) -> str:
        """Return our address as the unit dials it."""
        return self.facts.handshake.local.rpartition(":")[0].strip("[]") or "127.0.0.1"

    # The connection -------------------------------------------------------------------------------------------------

    async def drop(self, reason: str = "acceptance test") -> None:
        """Close the connection from our side (1001: the unit has to redial)."""
        endpoint = await self.endpoint()
        self.mark("dropped", "We close the connection", connection=endpoint.connection)
        await endpoint.close(1001, reason)

    def keep_away(self) -> None:
        """Refuse its next dial-ins until ``let_in`` or the end of the case."""
        self.treat(refuses_upgrade=AWAY_STATUS)

    def let_in(self) -> None:
        """Let it dial in again."""
        self.manner.refuses_upgrade = 0
        self.mark("let in", "The unit may dial in again")

    async def returned(self, *, after: datetime, within_s: float) -> bool:
        """Wait for a connection that was opened after a moment."""

        def is_back() -> bool:
            there = self.connection
            return there is not None and there.is_open and there.opened_at > after

        self.say("Waiting for the charger to come back …")
        return await self.until(is_back, within_s)


async def _contained(action: Undo) -> str:
    try:
        return await action()
    except (Interrupted, NotAsked, NotApplicable) as outcome:
        return str(outcome)


_UNANSWERED = {
    Answer.SKIP: "The person skipped this.",
    Answer.CANNOT: "The person can't do this here.",
    Answer.NONE: "Nobody answered the prompt in time.",
}

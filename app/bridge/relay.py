"""One OCPP unit's two lines: what the unit says goes to its backend, and what that says to the unit.

Texts pass unchanged, in order, with their ids. Nothing is acknowledged in the backend's stead (docs/bridge.md): a
request that the backend has not answered is lost to nobody, because the unit still has it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from app.bridge import corrections as made
from app.bridge.corrections import Change, Corrections
from app.bridge.relay_aim import Aim
from app.bridge.relay_book import UnitBook, backend_key
from app.bridge.relay_gate import Gate
from app.bridge.relay_line import Dial, Dialler, RelayTimes, hang_up
from app.bridge.relay_order import RelayOrder
from app.bridge.relay_queue import Said, Waiting
from app.bridge.relay_record import Recorder
from app.bridge.relay_talk import ANSWERS, Talk, headed
from app.errors import AppError, LinkLost, Refused
from app.model.bridge import LineState
from app.model.frame import Direction, FrameKind, Handshake
from app.ocpp.channel import Channel, Text
from app.ocpp.frame import Result, decode, encode_call
from app.scope import Scope

LOST_CODES = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1014})
"""Close codes after which the backend may be back in a moment (RFC 6455 §7.4.1; IANA registry)."""
_SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})


class Host(Protocol):
    """Who owns a relay."""

    dial: Dial
    times: RelayTimes
    scope: Scope

    def now(self) -> datetime:
        """Tell the time (UTC)."""
        ...

    def left(self, relay: Relay) -> None:
        """Learn that the unit is gone."""
        ...

    def quiet(self, relay: Relay) -> None:
        """Learn that nobody waits for anybody at this moment."""
        ...


class Relay:
    """A unit that is connected. Is the ``Receiver`` of its channel.

    States of the line to the backend::

        dialling ──► open ──lost, no answer owed──► dialling
           │           └──lost, an answer is owed, or refused──► over (the unit is sent away, and dials again)
           └──a request has waited for grace_s──► over
    """

    def __init__(
        self,
        order: RelayOrder,
        aim: Aim,
        shake: Handshake,
        channel: Channel,
        book: UnitBook,
        corrections: Corrections,
        recorder: Recorder,
        host: Host,
        *,
        after: asyncio.Task[None] | None = None,
    ) -> None:
        self.order = order
        self.aim = aim
        self.shake = shake
        self.channel = channel
        self.book = book
        self.corrections = corrections
        self.opened_at = host.now()
        self.line_since = self.opened_at
        self.trouble = ""
        self.talk = Talk(book)
        self._host = host
        self._times = host.times
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._line: ClientConnection | None = None
        self._queue = Waiting()
        self._filled = asyncio.Event()
        self._dialler = Dialler(host.dial, host.times)
        self._patience: asyncio.TimerHandle | None = None
        is_known = book.accepted_by == self._backend
        self._gate = Gate(self._deliver_command, self._times.short_gate_s if is_known else self._times.gate_s)
        self._is_booting = False
        self._is_known = False
        self._is_over = False
        self._is_leaving = False
        self._is_moving = False
        self._is_new_here = False
        self._close = (1001, "")
        self._after = after
        """The former connection's line to the backend: it must be gone before there is another of the same unit."""
        self._carrying: asyncio.Task[None] = host.scope.isolated(f"carry {order.unit_identity}", self._carry())
        self._speaking: asyncio.Task[None] = host.scope.isolated(f"speak {order.unit_identity}", self._speak())
        self._note_changes()

    # Where it stands ------------------------------------------------------------------------------------------------

    @property
    def line(self) -> LineState:
        """Say how the line to the backend is."""
        if self._line is None:
            return LineState.DIALLING
        is_pending = self._is_booting or self.talk.is_refused
        return LineState.PENDING if is_pending else LineState.ONLINE

    @property
    def held(self) -> int:
        """Return how many messages of the unit wait."""
        return len(self._queue)

    @property
    def is_quiet(self) -> bool:
        """Say whether nothing waits in either direction."""
        return not self._queue and self._gate.is_empty and self.talk.is_quiet(self._loop.time())

    # The unit's side ------------------------------------------------------------------------------------------------

    def received(self, texts: list[Text]) -> None:
        """Take what the unit said."""
        for text in texts:
            if self._is_over:
                return
            if "TOO-LONG" in text.notes:
                self.send_away(1009, "longer than can be passed on")
                return
            self._take(text)

    def closed(self, code: int, reason: str) -> None:
        """Let the backend have what was said before, and hang up there too."""
        self._is_over = True
        self._close = (code if code in _SENDABLE else 1001, reason or "the charger's line is gone")
        self._let_go()
        self._host.left(self)
        if self._line is None or self._is_booting:
            self._stop()
        else:
            self._is_leaving = True
            self._filled.set()

    def send_away(self, code: int, reason: str) -> None:
        """Close the unit's line, so that it keeps by itself what was not answered, and dials again.

        What waits is dropped: the unit will say it again.
        """
        self._is_over = True
        self._queue.clear()
        self._let_go()
        self.channel.close(code, reason)

    def replaced(self) -> asyncio.Task[None]:
        """Give way to a newer connection of the same unit; return what ends with the line to the backend."""
        self._close = (1001, "the charger dialled again")
        self.send_away(1001, "it dialled again")
        self._stop()
        return self._carrying

    def stop_taking(self) -> None:
        """Read nothing more from the unit, before the bridge ends."""
        self.channel.hold()

    def move(self, order: RelayOrder, aim: Aim) -> None:
        """Carry on with another backend; only while ``is_quiet``."""
        self.order, self.aim = order, aim
        self._is_moving = self._is_new_here = True
        self.trouble = ""
        self._note_changes()
        line, self._line = self._line, None  # what the unit says from now on is for the next one
        if line is not None:
            self._host.scope.isolated("move", self._hang_up(line, 1000, "moved"))
        self._dialler.wanted.set()

    def _take(self, text: Text) -> None:
        kind, uid, action = headed(text.text)
        if kind in ANSWERS:
            if self._answers_us(kind, uid, text.text):
                return
            if self.talk.is_stale(uid):
                self._recorder.hear(Direction.IN, text.text, kind, uid, "", notes=("STALE",))
                return
        if self._is_booting and kind in ANSWERS:
            self._queue.put_ahead(Said(text, kind, uid, action))
        else:
            self._queue.put(Said(text, kind, uid, action))
        if self._queue.is_full:
            self.channel.hold()
        if self._line is None or self._is_booting:
            self._be_patient()
        self._filled.set()

    def _be_patient(self) -> None:
        """Give the backend a while from the first message that waits."""
        self._dialler.wanted.set()
        if self._patience is None:
            self._patience = self._loop.call_later(self._times.grace_s, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._queue and (self._line is None or self._is_booting):
            self.send_away(1001, self.trouble or "the backend does not answer")

    def _let_go(self) -> None:
        self._gate.close()
        self._calm()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    # Towards the backend --------------------------------------------------------------------------------------------

    async def _speak(self) -> None:
        while True:
            await self._filled.wait()
            line = self._line
            if line is None or not self._queue or (self._is_booting and self._queue.first.kind not in ANSWERS):
                self._filled.clear()
                if self._is_leaving:
                    self._stop()
                    return
                continue
            if self._must_boot(self._queue.first):
                await self._boot(line)
                continue
            await self._pass_on(line, self._next())

    def _next(self) -> Said:
        said = self._queue.take()
        if not self._queue:
            self.channel.release()
            self._calm()
        return said

    async def _pass_on(self, line: ClientConnection, said: Said) -> None:
        text, kind, uid, action = said
        if kind is FrameKind.CALL:
            self.talk.unit_asks(uid, action, text.text, self._loop.time())
            if action != "BootNotification":
                self._open_gate()
        elif kind in ANSWERS:
            action = self.talk.unit_answers(uid)
        data: str | bytes = text.text if text.raw is None else text.raw
        is_text = True
        notes = tuple(note for note in text.notes if note != "BINARY")
        if "BINARY" in text.notes:
            is_text = self.order.allows(made.BINARY)
            data = data if is_text or isinstance(data, bytes) else data.encode()
            notes += (made.BINARY,) if is_text else ("BINARY",)
            if is_text:
                self.corrections.note(Change(made.BINARY, "binary frame", "text frame"))
        self._recorder.hear(Direction.IN, text.text, kind, uid, action, raw=text.raw, notes=notes)
        await self._send(line, data, is_text=is_text)
        if kind in ANSWERS:
            self._look()

    async def _send(self, line: ClientConnection, data: str | bytes, *, is_text: bool = True) -> None:
        """Send; a line that breaks here is noticed by who reads from it."""
        try:
            async with asyncio.timeout(self._times.send_s):
                await line.send(data, text=is_text)
        except ConnectionClosed:
            return
        except TimeoutError:
            line.transport.abort()

    # A Boot for the unit --------------------------------------------------------------------------------------------

    def _must_boot(self, said: Said) -> bool:
        if self._is_known or said.kind is not FrameKind.CALL:
            return False
        if said.action == "BootNotification" or not self.order.allows(made.BOOT):
            self._is_known = True
        return not self._is_known

    async def _boot(self, line: ClientConnection) -> None:
        """Announce the unit to a backend that never heard its Boot; ask the unit for it where we know nothing."""
        self._is_known = True
        found = self.book.boot_for(self.aim.version, self.order)
        if found is None:
            self._ask("BootNotification", made.BOOT, "no BootNotification", "the charger was asked for it")
            return
        payload, words = found
        uid = self.talk.new_uid()
        self.talk.own_up[uid] = "BootNotification"
        self._is_booting = True
        self.corrections.note(Change(made.BOOT, "no BootNotification", words))
        text = encode_call(uid, "BootNotification", payload)
        self._recorder.hear(Direction.IN, text, FrameKind.CALL, uid, "BootNotification", notes=(made.BOOT,))
        self._be_patient()
        await self._send(line, text)

    def _booted(self, kind: FrameKind, text: str) -> None:
        answer = decode(text)
        status = str(answer.payload.get("status")) if isinstance(answer, Result) else "an error"
        if kind is FrameKind.RESULT and status != "Accepted":
            self.trouble = f"the backend answered the BootNotification with {status[:30]}"
            self._gate.open()  # it may ask and set things meanwhile (OCPP 1.6 §4.2)
            return  # what waits runs out of patience; the unit's next dial tries again
        if status == "Accepted":
            self.book.accepted(self._backend)
        self._is_booting = False
        asks = self.order.allows(made.STATUS) and (self._is_new_here or not self.book.states)
        self._is_new_here = False
        if asks:
            self._ask("StatusNotification", made.STATUS, "no StatusNotification", "the charger was asked for it")
        else:
            self._gate.open()
        self._filled.set()

    def _ask(self, what: str, code: str, before: str, after: str) -> None:
        """Ask the unit to say something by itself; the backend's commands wait for its answer."""
        self._gate.shut()
        uid = self.talk.new_uid()
        payload: dict[str, Any] = {"requestedMessage": what}
        if self.aim.version != "1.6" and what == "StatusNotification":
            payload["evse"] = {"id": 1, "connectorId": 1}  # P2-201 F06.FR.12
        text = encode_call(uid, "TriggerMessage", payload)
        self.talk.own_down[uid] = "TriggerMessage"
        self.corrections.note(Change(code, before, after))
        self._recorder.hear(Direction.OUT, text, FrameKind.CALL, uid, "TriggerMessage", notes=(code,))
        self._to_unit(text)

    def _answers_us(self, kind: FrameKind, uid: str, text: str) -> bool:
        action = self.talk.own_down.pop(uid, None)
        if action is None:
            return False
        self._recorder.hear(Direction.IN, text, kind, uid, action, notes=("OWN",))
        self._gate.open()
        self._look()
        return True

    # The backend's side ---------------------------------------------------------------------------------------------

    async def _carry(self) -> None:
        if self._after is not None:
            await asyncio.wait({self._after}, timeout=self._times.closing_s)
        while not self._is_over:
            line = await self._dialled()
            if line is None:
                return
            began_s = self._loop.time()
            try:
                self._opened(line)
                if self._is_new_here and not self._is_known and self.order.allows(made.BOOT):
                    await self._boot(line)
                await self._listen(line)
            finally:
                self._line = None
                self.line_since = self._host.now()
                await self._hang_up(line, *self._close)
            self._lost(line.close_code or 1006, line.close_reason or "")
            if not self._is_moving:
                await self._dialler.breathe(self._loop.time() - began_s)

    async def _dialled(self) -> ClientConnection | None:
        """Return a line, or send the unit away as it would be by the backend itself."""
        is_once = self.order.watches_only
        try:
            return await self._dialler.line(lambda: self.aim.target, self._failed, is_once=is_once)
        except AppError as error:
            self._failed(error)
            self.send_away(1008 if isinstance(error, Refused) else 1001, error.message)
            return None

    def _failed(self, error: AppError) -> None:
        self.trouble = error.message

    async def _hang_up(self, line: ClientConnection, code: int, reason: str) -> None:
        await hang_up(line, code, reason, limit_s=self._times.closing_s)

    def _opened(self, line: ClientConnection) -> None:
        self._line = line
        self.line_since = self._host.now()
        self.trouble = ""
        self._is_booting = False
        self._is_known = self.book.accepted_by == self._backend
        self._is_moving = False
        if not self.order.allows(made.COMMANDS):
            self._gate.open()
        self._filled.set()

    async def _listen(self, line: ClientConnection) -> None:
        try:
            while True:
                message = await line.recv()
                if line is not self._line:
                    continue  # moved: nobody answers any more what this backend asks
                self._from_backend(message)
                async with asyncio.timeout(self._times.send_s):
                    await self.channel.drained()
        except ConnectionClosed:
            return
        except TimeoutError:
            self.trouble = "the charger takes nothing in"
            self.channel.abort()

    def _from_backend(self, message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode(errors="replace")
        kind, uid, action = headed(text)
        if kind in ANSWERS:
            own = self.talk.own_up.pop(uid, None)
            if own is not None:
                self._recorder.hear(Direction.OUT, text, kind, uid, own, notes=("OWN",))
                self._booted(kind, text)
                return
            action = self.talk.backend_answers(uid, kind, text, self._backend)
            if action == "BootNotification":
                self._to_unit(text, kind, uid, action)
                self._open_gate()
                return
        elif kind is FrameKind.CALL and not self._gate.is_open:
            self.corrections.note(Change(made.COMMANDS, f"{action} before the charger had booted", "held until then"))
            self._gate.hold(text, uid, action)
            return
        elif kind is FrameKind.CALL:
            self.talk.backend_asks(uid, action, self._loop.time())
        self._to_unit(text, kind, uid, action)
        self._look()

    def _open_gate(self) -> None:
        """Let commands through, unless one of the bridge's own is still to be answered."""
        if not self.talk.own_down:
            self._gate.open()

    def _deliver_command(self, text: str, uid: str, action: str) -> None:
        self.talk.backend_asks(uid, action, self._loop.time())
        self._to_unit(text, FrameKind.CALL, uid, action, (made.COMMANDS,))

    def _to_unit(
        self,
        text: str,
        kind: FrameKind | None = None,
        uid: str = "",
        action: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        if kind is not None:
            self._recorder.hear(Direction.OUT, text, kind, uid, action, notes=notes)
        try:
            self.channel.send(text)
        except LinkLost:
            return  # ``closed`` follows

    def _lost(self, code: int, reason: str) -> None:
        """Decide what a lost line means for the unit."""
        is_owed = self.talk.is_owed
        self.talk.line_lost()
        self._gate.forget()
        self._is_booting = False
        if self._is_over:
            return
        if self._is_moving and not is_owed:
            return
        if is_owed or self.order.watches_only or code not in LOST_CODES:
            passed = code if code in _SENDABLE and code not in LOST_CODES else 1001
            self.send_away(passed, reason or "the backend's line is gone")
            return
        self._queue.drop_answers()
        self.trouble = f"the backend hung up ({code})"
        if self._queue:
            self._be_patient()

    # Inside ---------------------------------------------------------------------------------------------------------

    @property
    def _backend(self) -> str:
        """Return what names the backend in the unit's book."""
        return backend_key(self.aim.target)

    def _note_changes(self) -> None:
        for change in self.aim.changes:
            self.corrections.note(change)

    def _look(self) -> None:
        if self.is_quiet:
            self._host.quiet(self)

    def _stop(self) -> None:
        self._carrying.cancel()
        self._speaking.cancel()

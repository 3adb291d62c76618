"""The conversation with a Wattpilot: greeting, login, and a stream of values that is listened to all the time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from app.driver.web import object_in, text_of
from app.drivers.goe.condition import STATUS_KEYS
from app.drivers.goe.keys import IDENTITY_KEYS, descriptions
from app.drivers.goe.login import key_of, proof, sealed
from app.drivers.goe.session import TRANSACTION_KEYS
from app.errors import AppError, AuthFailed, LinkError, LinkLost, NotSupported, Unexpected
from app.links.link import Credentials, TextChannel
from app.model.secret import Secret
from app.scope import Scope

PASSWORD_ADVICE = "Enter the password of the Wattpilot: the one set in the Solar.wattpilot app. It needs no user name."
GREETING_LIMIT = 20
"""Messages before the login; a unit sends two."""


@cache
def kept() -> frozenset[str]:
    """Return what is kept of the 390 (firmware 36.3) to 558 keys (43.4) it tells."""
    return frozenset({*IDENTITY_KEYS, *STATUS_KEYS, *TRANSACTION_KEYS, *descriptions()})


QUIET_S = 60.0
"""It tells its clock about every second; a line that is silent for so long is dead."""


async def next_message(channel: TextChannel, timeout_s: float) -> dict[str, Any]:
    """Return the next message; raises Garbled where it is no JSON object, LinkError."""
    return object_in(await channel.receive(timeout_s=timeout_s))


def is_wattpilot(hello: Mapping[str, Any]) -> bool:
    """Say whether a first message is a Wattpilot's greeting."""
    is_greeting = hello.get("type") == "hello" and text_of(hello, "devicetype").startswith("wattpilot")
    return is_greeting and text_of(hello, "manufacturer") in ("fronius", "") and bool(text_of(hello, "serial"))


class Talk:
    """One logged-in conversation. ``values`` holds the newest value of every key."""

    def __init__(self, channel: TextChannel, where: str) -> None:
        self.hello: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self._channel = channel
        self._where = where
        self._key = b""
        self._number = 0
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._is_complete = asyncio.Event()
        self._lost: LinkError | None = None
        self._scope = Scope("wattpilot")

    async def begin(self, login: Credentials | None, timeout_s: float) -> None:
        """Greet and log in, then listen until all values are there.

        Raises Unexpected where somebody else answers, AuthFailed without the right password, NotSupported where the
        unit wants a login of another kind, LinkError.
        """
        async with asyncio.timeout(timeout_s):
            await self._log_in(login, timeout_s)
            self._scope.isolated("listen", self._listen())
            await self._is_complete.wait()
        self._must_live()

    async def close(self) -> None:
        """Stop listening and hang up. Idempotent."""
        await self._scope.close()
        self._end(LinkLost(f"The connection to {self._where} is closed.", "Open the charger again."))
        await self._channel.close()

    def now(self) -> dict[str, Any]:
        """Return all values as told last; raises LinkLost where the line is gone."""
        self._must_live()
        return self.values

    async def set_value(self, key: str, value: Any) -> dict[str, Any]:
        """Ask for a change and return the answer; raises TimedOut (by the caller's deadline), LinkLost."""
        self._must_live()
        self._number += 1
        message = {"type": "setValue", "requestId": self._number, "key": key, "value": value}
        is_sealed = bool(self.hello.get("secured"))
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[str(self._number)] = answer
        try:
            await self._send(sealed(self._key, message) if is_sealed else message)
            return await answer
        finally:
            self._answers.pop(str(message["requestId"]), None)
            if answer.done() and not answer.cancelled():
                answer.exception()

    # Logging in

    async def _log_in(self, login: Credentials | None, timeout_s: float) -> None:
        self.hello = await next_message(self._channel, timeout_s)
        if not is_wattpilot(self.hello):
            raise Unexpected(f"{self._where} answers, but not like a Wattpilot.", "Check the address.")
        for _ in range(GREETING_LIMIT):
            message = await next_message(self._channel, timeout_s)
            match message.get("type"):
                case "authRequired":
                    await self._send(await self._proof(message, login))
                case "authSuccess":
                    return
                case "authError":
                    raise AuthFailed(
                        f"{self._where} refuses the password ({text_of(message, 'message') or 'no reason told'}).",
                        PASSWORD_ADVICE,
                    )
                case "fullStatus":
                    self._take(message)
                    return
        raise Unexpected(f"{self._where} never came to the login.", "Note the firmware version and report it.")

    async def _proof(self, challenge: Mapping[str, Any], login: Credentials | None) -> dict[str, Any]:
        if text_of(challenge, "hash") not in ("", "pbkdf2"):
            raise NotSupported(
                f"{self._where} wants a login of a kind that Rehome does not know ({text_of(challenge, 'hash', 40)}).",
                "The Wattpilot Flex does. Type the backend into its app instead; Rehome then proves it.",
            )
        password = login.password if login is not None else Secret("")
        if not password:
            raise AuthFailed(f"{self._where} asks for its password.", PASSWORD_ADVICE)
        self._key = await asyncio.to_thread(key_of, password, text_of(self.hello, "serial"))
        return proof(self._key, text_of(challenge, "token1"), text_of(challenge, "token2"))

    # Listening

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await next_message(self._channel, QUIET_S))
        except AppError as error:
            self._end(error if isinstance(error, LinkError) else LinkLost(error.message, error.advice))

    def _take(self, message: Mapping[str, Any]) -> None:
        status = message.get("status")
        if isinstance(status, dict) and message.get("type") in ("fullStatus", "deltaStatus", "response"):
            self.values.update({key: status[key] for key in kept() & status.keys()})
        if message.get("type") == "fullStatus" and not message.get("partial"):
            self._is_complete.set()
        if message.get("type") == "response":
            answer = self._answers.get(text_of(message, "requestId").removesuffix("sm"))
            if answer is not None and not answer.done():
                answer.set_result(dict(message))

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._channel.send(json.dumps(message))

    def _must_live(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _end(self, error: LinkError) -> None:
        self._lost = self._lost or error
        self._is_complete.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._lost)

"""OCPP-J messages over Bluetooth LE: each with its length in front, cut into the pieces the radio takes.

Source: CReimer/evbox-g4-ble const.py, protocol.py, client.py. Nothing of its code is used.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import AuthFailed, Garbled, NotSupported, Refused, TimedOut, Unexpected, ValueRejected
from app.links.link import BleLink
from app.model.secret import Secret

ANSWER_S = 20.0
SILENCE_S = 5.0
"""Longest pause between two pieces of an answer [OURS]; the app's library waits 30 s for the whole of it."""
MESSAGE_LIMIT = 100_000
PREFIX_LIMIT = 6
STRANGE_LIMIT = 50
"""Messages of the charger's own passed over while one answer is awaited."""

VENDOR = "EV-BOX"
CLIENT = "Android"
"""What the app calls itself; the charger expects this word."""
FIRST_ID = 1_000_000_000_001
"""The app's message ids have 13 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the two radios these chargers were built with."""

    service: str
    write: str
    notify: str
    piece: int


LEGACY = Variant(
    service="2456e1b9-26e2-8f83-e744-f34f01e9d701",
    write="2456e1b9-26e2-8f83-e744-f34f01e9d703",
    notify="2456e1b9-26e2-8f83-e744-f34f01e9d703",
    piece=20,
)
ESP32 = Variant(
    service="0000a002-0000-1000-8000-00805f9b34fb",
    write="0000c304-0000-1000-8000-00805f9b34fb",
    notify="0000c305-0000-1000-8000-00805f9b34fb",
    piece=128,
)


def variant_of(services: frozenset[str]) -> Variant | None:
    """Tell the radio by its services; ``None`` where it is another device."""
    return next((item for item in (ESP32, LEGACY) if item.service in services), None)


class Talk:
    """One conversation over an open connection."""

    def __init__(self, link: BleLink, variant: Variant) -> None:
        self._link = link
        self._variant = variant
        self._ids = itertools.count(FIRST_ID)
        self._heard = b""

    async def begin(self) -> None:
        """Ask for its notifications, once a connection: old firmware allows no second time. Raises NotSupported."""
        await self._link.listen(self._variant.notify)

    async def log_in(self, code: Secret) -> None:
        """Show the security code; raises AuthFailed where it is wrong."""
        try:
            answer = await self.transfer("evbBTConnect", f"{CLIENT},{code.reveal()}")
        except Refused as error:
            raise _wrong_code() from error
        if answer is False or str(answer).strip().lower() == "false":
            raise _wrong_code()

    async def transfer(self, message: str, data: str = "") -> Any:
        """Send one of the maker's own messages (DataTransfer) and return the data it answers."""
        payload = await self.ask("DataTransfer", {"messageId": message, "vendorId": VENDOR, "data": data})
        if payload.get("status") not in (None, True, "Accepted", "accepted"):
            raise Refused(f"The charger refuses “{message}”.", "Its firmware may not know it.")
        return payload.get("data")

    async def get(self, key: str) -> tuple[str | None, bool] | None:
        """Read one key: its value, and whether it is read-only; ``None`` where the charger does not know it.

        One at a time: an Elvi refuses longer lists.
        """
        try:
            payload = await self.ask("GetConfiguration", {"key": [key]})
        except NotSupported:
            return None
        entries = payload.get("configurationKey")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("key") == key:
                return _text(entry.get("value")), entry.get("readonly") is True
        return None

    async def change(self, key: str, value: str) -> str:
        """Write one key and return the status; raises ValueRejected, NotSupported."""
        payload = await self.ask("ChangeConfiguration", {"key": key, "value": value})
        status = str(payload.get("status", ""))
        if status.lower() in ("accepted", "true", "rebootrequired"):
            return status
        if status == "NotSupported":
            raise NotSupported(f"This charger does not know the key “{key}”.", "Its firmware may be older.")
        raise ValueRejected(
            f"The charger refuses this value for “{key}” (“{status[:40]}”).",
            "Check the value in the app EVBox Connect.",
        )

    async def ask(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Send a CALL and return its result. Raises TimedOut, LinkLost, Garbled, NotSupported (an error answer)."""
        number = str(next(self._ids))
        message = json.dumps([2, number, action, payload], ensure_ascii=False, separators=(",", ":")).encode()
        raw = str(len(message)).encode("ascii") + message
        try:
            async with asyncio.timeout(ANSWER_S):
                for start in range(0, len(raw), self._variant.piece):
                    await self._link.write(self._variant.write, raw[start : start + self._variant.piece])
                return _result(action, await self._answer(number))
        except TimeoutError as error:
            raise TimedOut(f"The charger did not answer “{action}” in {ANSWER_S:.0f} s.", "Go nearer to it.") from error

    async def _answer(self, number: str) -> list[Any]:
        for _ in range(STRANGE_LIMIT):
            found = await self._message()
            if found[0] in (3, 4) and str(found[1]) == number:
                return found
        raise Unexpected("The charger talks without answering.", "Switch it off and on, then try again.")

    async def _message(self) -> list[Any]:
        while True:
            length, start = self._prefix()
            if start and len(self._heard) >= start + length:
                message, self._heard = self._heard[start : start + length], self._heard[start + length :]
                return _decoded(message)
            characteristic, value = await self._link.receive(timeout_s=SILENCE_S)
            if characteristic == self._variant.notify:
                self._heard += value

    def _prefix(self) -> tuple[int, int]:
        """Return the length of the next message and where it begins; zeros while the length is not complete."""
        digits = self._heard[: PREFIX_LIMIT + 1]
        count = len(digits) - len(digits.lstrip(b"0123456789"))
        if count == len(digits) and count <= PREFIX_LIMIT:
            return 0, 0
        if not 0 < count <= PREFIX_LIMIT or digits[count : count + 1] not in (b"[", b"{"):
            self._heard = b""
            raise _garbled()
        length = int(digits[:count])
        if not 0 < length <= MESSAGE_LIMIT:
            self._heard = b""
            raise _garbled()
        return length, count


def _decoded(message: bytes) -> list[Any]:
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise _garbled() from error
    if not isinstance(found, list) or len(found) < 3 or isinstance(found[1], list | dict):
        raise _garbled()
    return found


def _result(action: str, found: list[Any]) -> dict[str, Any]:
    if found[0] == 4:
        code = str(found[2])[:60]
        raise NotSupported(f"The charger answers “{action}” with the error {code}.", "Its firmware may not know it.")
    if not isinstance(found[2], dict):
        raise _garbled()
    return found[2]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:2000]


def _garbled() -> Garbled:
    return Garbled(
        "The charger sent over Bluetooth what is no message of its protocol.",
        "Go nearer to it and try again; if it stays so, note its firmware and report it.",
    )


def _wrong_code() -> AuthFailed:
    return AuthFailed(
        "The charger refuses this security code.",
        "Enter the Bluetooth security code: it came with the charger and is the one the app EVBox Connect asks for.",
    )

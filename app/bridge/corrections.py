"""What a relay does for a unit: counted, and told with what must change before the bridge may be taken away. Pure.

The words are data (``resources/bridge/corrections.toml``). ``before`` and ``after`` never hold a secret.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from app import resources
from app.errors import ProfileError
from app.model.bridge import Correction

URL, IDENTITY, USER, SUBPROTOCOL = "URL-CHANGED", "IDENTITY-CHANGED", "USER-CHANGED", "SUBPROTOCOL-ADDED"
TLS_ADDED, TLS_CHANGED, TLS_REMOVED = "TLS-ADDED", "TLS-CHANGED", "TLS-REMOVED"
CERTIFICATE, HANDSHAKE = "CERTIFICATE-ADDED", "HANDSHAKE-MENDED"
PASSWORD_ADDED, PASSWORD_RECODED = "PASSWORD-ADDED", "PASSWORD-RECODED"
PASSWORD_CHANGED, PASSWORD_REMOVED = "PASSWORD-CHANGED", "PASSWORD-REMOVED"
BOOT, STATUS, COMMANDS, BINARY = "BOOT-ADDED", "STATUS-ASKED", "COMMANDS-HELD", "BINARY-FRAME"

UNAVOIDABLE = frozenset({URL, USER, HANDSHAKE})
"""What comes with there being a bridge at all: a plan can't forbid it."""
LIMIT = 300
"""Longest ``before`` or ``after``, in characters: units write into them."""
_FIELDS = {"title", "remedy", "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A correction in words. ``off``: what happens where a plan forbids it."""

    title: str
    remedy: str
    off: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done once."""

    code: str
    before: str = ""
    after: str = ""


@cache
def catalogue() -> dict[str, Words]:
    """Return all corrections there are, by code. Raises ProfileError."""
    try:
        tables = tomllib.loads(resources.path("bridge", "corrections.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _bad(str(error)) from error
    for code, table in tables.items():
        if set(table) != _FIELDS or not all(isinstance(text, str) and text for text in table.values()):
            raise _bad(f"[{code}] needs exactly {', '.join(sorted(_FIELDS))}")
    return {code: Words(**table) for code, table in tables.items()}


class Corrections:
    """What was done for one unit since the bridge knows it, each kind once, with the latest example."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._done: dict[str, Correction] = {}

    def note(self, change: Change) -> None:
        """Count one."""
        known = self._done.get(change.code)
        before, after = _short(change.before), _short(change.after)
        if known is not None:
            self._done[change.code] = replace(known, before=before, after=after, count=known.count + 1)
            return
        words = catalogue()[change.code]
        self._done[change.code] = Correction(
            code=change.code,
            title=words.title,
            remedy=words.remedy,
            before=before,
            after=after,
            first_at=self._now(),
        )

    @property
    def done(self) -> tuple[Correction, ...]:
        """Return them, in the order in which they were first made."""
        return tuple(self._done.values())

    def forget(self) -> None:
        """Begin anew: another backend, or another plan."""
        self._done.clear()


def _short(text: str) -> str:
    shown = "".join(char if char.isprintable() else "·" for char in text)
    return shown if len(shown) <= LIMIT else shown[: LIMIT - 1] + "…"


def _bad(what: str) -> ProfileError:
    return ProfileError(f"bridge/corrections.toml: {what}", "Correct the file.")

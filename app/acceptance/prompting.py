"""Ask a person to do something: the texts, the countdown, the answer."""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import resources
from app.model.acceptance import Answer, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The text of a prompt; ``{names}`` in it are filled in by the case."""

    title: str
    text: str


@functools.cache
def words() -> Mapping[str, Words]:
    """Read all prompt texts. Raises ValueError where one lacks its title or text."""
    table: dict[str, Any] = tomllib.loads(resources.path("acceptance", "prompts.toml").read_text(encoding="utf-8"))
    found = {}
    for kind, entry in table.items():
        if not isinstance(entry, dict) or set(entry) != {"title", "text"}:
            raise ValueError(f"prompt “{kind}” needs exactly a title and a text")
        found[kind] = Words(title=entry["title"], text=entry["text"])
    return found


class Prompter:
    """Holds the one prompt that is open. ``shown`` is told when it changes."""

    def __init__(self, shown: Callable[[], None], *, skips: bool = False) -> None:
        self.prompt: Prompt | None = None
        self.answer: Answer | None = None
        self._shown = shown
        self._skips = skips
        self._numbers = itertools.count(1)

    def open(self, kind: str, within_s: float, real_s: float, **names: object) -> Prompt:
        """Show a prompt; with ``skips`` it is answered at once."""
        text = words()[kind]
        self.answer = Answer.SKIP if self._skips else None
        self.prompt = Prompt(
            number=next(self._numbers),
            kind=kind,
            title=text.title.format(**names),
            text=text.text.format(**names),
            until=datetime.now(UTC) + timedelta(seconds=real_s),
            within_s=within_s,
        )
        if not self._skips:
            self._shown()
        return self.prompt

    def close(self) -> None:
        """Take the prompt away. Idempotent."""
        if self.prompt is not None:
            self.prompt = None
            self._shown()

    def say(self, number: int, answer: Answer) -> bool:
        """Answer the open prompt; false where another one, or none, is open."""
        if self.prompt is None or self.prompt.number != number:
            return False
        self.answer = answer
        return True

"""The experiment at the new backend: does it know the path, or not even that?"""

from __future__ import annotations

import secrets
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Protocol

from app.errors import LinkError
from app.experiment.stage import Stage

SAME, OTHER, NOTHING, FIRST = "same", "other", "nothing", "first"


class Reply(Protocol):
    """A backend's answer, without what names the question: two of them are equal or not."""

    @property
    def words(self) -> str:
        """Say what it answered."""
        ...


Visit = Callable[[str], Awaitable[Reply]]
"""Dials a URL with OCPP's subprotocol and no password. Raises LinkError."""


async def nonsense_identity(stage: Stage, visit: Visit) -> None:
    """Ask for an identity nobody has, then for a path nobody has, and compare the answers."""
    strange = f"REHOME-TEST-{secrets.token_hex(4).upper()}"
    first: Reply | None = None
    for setting in stage.settings():
        url = strange_url(stage.subject.url, strange, keeps_path=setting == "identity")
        stage.say(f"Dialling {url} …", stage.experiment.round_s)
        try:
            reply = await visit(url)
        except LinkError as error:
            stage.mark(NOTHING, error.message)
            return
        if first is None:
            first = reply
            stage.mark(FIRST, f"An identity nobody has: {reply.words}.")
        else:
            mark = SAME if reply == first else OTHER
            stage.mark(mark, f"A path nobody has: {reply.words}.")


def strange_url(url: str, strange: str, *, keeps_path: bool) -> str:
    """Return a backend's URL with an identity nobody has, behind its own path or one nobody has."""
    parts = urllib.parse.urlsplit(url)
    base = parts.path.rpartition("/")[0] if keeps_path else f"/rehome-test-{strange[-8:].lower()}"
    return parts._replace(path=f"{base}/{strange}").geturl()

"""Sessions whose energy no backend took: counted, so that nobody believes they were sold. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from app.bridge.session import Memory, Session

KEY = "untold"
"""Where the count lies in the charge point's memory."""


@dataclass(slots=True)
class _Count:
    sessions: int = 0
    wh: int = 0
    last: str = ""
    """The day on which the last of them began (UTC)."""
    number: str = ""


class Untold:
    """What of a charge point's sessions will never be told: how many, how much energy, and of when the last."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        kept = memory.get(KEY)
        self._count = _Count(**json.loads(kept)) if kept else _Count()

    @property
    def wh(self) -> int:
        """Return their energy."""
        return self._count.wh

    @property
    def words(self) -> str:
        """Say it to a person; empty where all were taken."""
        count = self._count
        if not count.sessions:
            return ""
        what = "1 session, begun on" if count.sessions == 1 else f"{count.sessions} sessions, the last begun on"
        return (
            f"Not in the backend's books: {what} {count.last}, {count.wh / 1000:.3f} kWh in all. It refused to take it."
        )

    def note(self, session: Session | None) -> None:
        """Count a session whose end can't be told, once."""
        count = self._count
        if session is None or session.number == count.number:
            return
        stop_wh = session.last_wh if session.stop_wh is None else session.stop_wh
        energy_wh = max(0, stop_wh - session.start_wh)
        count.sessions, count.wh = count.sessions + 1, count.wh + energy_wh
        count.last, count.number = f"{session.began_at:%Y-%m-%d}", session.number
        self._memory.put(KEY, json.dumps(asdict(count)))

"""The words of a search over the local network."""

from __future__ import annotations

from collections.abc import Sequence

from app.model.hotspot import Airwaves, HotspotHint
from app.model.lan import Answer, Asked, Progress
from ui.i18n import worded
from ui.models.plain import visible

HINTS = 4


def counted(count: int, one: str, many: str) -> str:
    """Return the text for one, or the one for many with its ``{count}`` filled."""
    return one if count == 1 else many.format(count=f"{count:,}")


def asked_lines(asked: Sequence[Asked]) -> list[str]:
    """List what is asked, a driver a line."""
    lines = [worded("One connection per port is opened and closed; where one is open, these questions follow:")]
    return lines + [f"• {item.title}, {item.where}: {', '.join(item.calls)}" for item in asked]


def behind(progress: Progress) -> str:
    """Say how far a search is, or how it ended."""
    if progress.is_running and not progress.done:
        return worded("0 of {total} asked", total=progress.total)
    if progress.is_running:
        return worded(
            "{done} of {total} asked, {answering} answered · {rate} connections/s · about {left} s left",
            done=progress.done,
            total=progress.total,
            answering=progress.answering,
            rate=f"{progress.rate:.0f}",
            left=f"{progress.left_s:.0f}",
        )
    parts = [
        worded("{done} of {total} asked in {took} s", done=progress.done, total=progress.total, took=_s(progress)),
        worded("{answering} answered", answering=progress.answering),
    ]
    if progress.skipped:
        parts.append(worded("{count} known already", count=progress.skipped))
    if progress.done < progress.total:
        parts.append(worded("stopped"))
    return " · ".join(parts)


def _s(progress: Progress) -> str:
    return f"{progress.took_s:.1f}"


def door_text(answer: Answer) -> str:
    """Say where something answers that is no charger Rehome knows."""
    doors = ", ".join(f"{door.port}/{'udp' if door.scheme == 'udp' else 'tcp'}" for door in answer.doors)
    text = f"{answer.host}  {doors}" + (f"  {answer.mac}" if answer.mac else "")
    if not answer.makers:
        return text
    hint = worded("network chip of {maker}: perhaps a charger of theirs", maker=", ".join(answer.makers))
    return f"{text} · {hint}"


def hint_text(hints: Sequence[HotspotHint], air: Airwaves | None) -> str:
    """Say what the Wi-Fi tells, or that it tells nothing."""
    if hints:
        return "\n".join(visible(hint.text, 400) for hint in hints[:HINTS])
    if air is None:
        return ""
    if air.trouble:
        return f"{visible(air.trouble, 300)} {visible(air.advice, 300)}".strip()
    return worded("No Wi-Fi around here has the name of a charger's access point.")

"""Draw readings as an SVG: one panel per measurand over one time axis. No script, no font, no outside file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from app.report.build import Curve

WIDTH = 720
PANEL = 106
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 20, 26
PANEL_LIMIT = 6

COLOURS = ("#0b6b83", "#b3261e", "#8a5700", "#5b3f9e", "#17713b", "#1f5fbf")

TITLES = {
    "Power.Active.Import": "Power",
    "Current.Import": "Current",
    "Current.Offered": "Current offered",
    "Energy.Active.Import.Register": "Energy register",
    "Voltage": "Voltage",
    "Temperature": "Temperature",
    "SoC": "State of charge",
    "Frequency": "Frequency",
    "Signal": "Signal",
}


def chart(curves: Sequence[Curve], *, scale: float = 1.0) -> str:
    """Return the SVG text, empty where there is nothing to draw. ``scale`` enlarges it for print."""
    panels = _panels(curves)
    if not panels:
        return ""
    times = [at for curve in curves for at, _ in curve.points]
    start, end = min(times), max(times)
    height = len(panels) * PANEL + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * scale:.0f}" height="{height * scale:.0f}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Readings over time" '
        'font-family="system-ui, Segoe UI, DejaVu Sans, sans-serif" font-size="11">'
    ]
    for index, (title, own) in enumerate(panels):
        parts += _panel(title, own, index * PANEL, start, end)
    parts += _axis(start, end, len(panels) * PANEL)
    return "".join([*parts, "</svg>"])


def _panels(curves: Iterable[Curve]) -> list[tuple[str, list[Curve]]]:
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.measurand, []).append(curve)
    order = [name for name in TITLES if name in groups]
    return [(f"{TITLES[name]}, {groups[name][0].unit}", groups[name]) for name in order[:PANEL_LIMIT]]


def _panel(title: str, curves: Sequence[Curve], top: int, start: datetime, end: datetime) -> Iterable[str]:
    values = [value for curve in curves for _, value in curve.points]
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    ceiling, floor = top + TOP, top + PANEL - 20
    yield f'<text x="{LEFT}" y="{top + 13}" fill="#18202a" font-weight="600">{escape(title)}</text>'
    for value, y in ((high, ceiling), (low, floor)):
        yield f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#d3dae1"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" fill="#515d6b" text-anchor="end">{_short(value)}</text>'
    span_s = max((end - start).total_seconds(), 1e-6)
    for number, curve in enumerate(curves):
        points = " ".join(
            f"{LEFT + (at - start).total_seconds() / span_s * (WIDTH - LEFT - RIGHT):.1f},"
            f"{floor - (value - low) / (high - low) * (floor - ceiling):.1f}"
            for at, value in curve.points
        )
        colour = COLOURS[number % len(COLOURS)]
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-linejoin="round"/>'
    if len(curves) > 1:
        yield from _legend(curves, top + 13)


def _legend(curves: Sequence[Curve], y: int) -> Iterable[str]:
    x = WIDTH - RIGHT
    for number, curve in reversed(list(enumerate(curves))):
        name = escape(curve.phase or f"connector {curve.connector}")
        colour = COLOURS[number % len(COLOURS)]
        yield f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="end">{name}</text>'
        x -= 14 + 7 * len(name)


def _axis(start: datetime, end: datetime, y: int) -> Iterable[str]:
    for at, x, anchor in ((start, LEFT, "start"), (end, WIDTH - RIGHT, "end")):
        yield f'<text x="{x}" y="{y + 12}" fill="#515d6b" text-anchor="{anchor}">{at:%H:%M:%S} UTC</text>'


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}".removesuffix(".0")

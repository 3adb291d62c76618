"""Show a charger's text as it is: control characters visible, lengths bounded, never markup."""

from __future__ import annotations

import html
from datetime import datetime

CELL_LIMIT = 400
"""Characters of a text that a table cell ever shows."""

LONG_SERIAL = 16
"""Characters of a serial number that a heading shows whole."""


_NAMES = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI"),
    *("DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"),
)


class _Pictures(dict[int, str]):
    """Map what can't be seen to its name in ‹ ›; the pictures of U+2400 are missing in many fonts."""

    def __missing__(self, code: int) -> str:
        if code < 0x20:
            picture = f"‹{_NAMES[code]}›"
        elif code == 0x20 or chr(code).isprintable():
            picture = chr(code)
        else:
            picture = f"‹U+{code:04X}›"
        self[code] = picture
        return picture


_ALL = _Pictures()
_KEEP_LINES = _Pictures({10: "\n"})
_MARKED_LINES = _Pictures({10: "‹LF›\n"})


def visible(text: str, limit: int = CELL_LIMIT) -> str:
    """Return one line of at most ``limit`` characters in which every control character can be seen."""
    cut = text[:limit]
    if not cut.isprintable():
        cut = cut.translate(_ALL)
    return cut + "…" if len(text) > limit else cut


def shortened(text: str, limit: int = 20) -> str:
    """Cut a long number or name in the middle: its beginning and its end are what people compare."""
    if len(text) <= limit:
        return text
    tail = limit // 2
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def visible_lines(text: str, *, mark_breaks: bool = False) -> str:
    """Do the same for a text of several lines; ``mark_breaks`` shows the line feeds themselves too."""
    if mark_breaks:
        return text.translate(_MARKED_LINES)
    return text.translate(_KEEP_LINES)


def tooltip(text: str, limit: int = 600) -> str:
    """Return a tooltip that Qt can't take for markup; nothing for an empty text."""
    if not text:
        return ""
    return f"<span style='white-space:pre-wrap'>{html.escape(visible_lines(text[:limit]))}</span>"


def hex_dump(data: bytes, width: int = 16) -> str:
    """Lay bytes out as offset, hex and text."""
    lines = []
    for start in range(0, len(data), width):
        part = data[start : start + width]
        text = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<{width * 3}} {text}")
    return "\n".join(lines)


def size_text(size: int) -> str:
    """Write a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB"


def latency_text(seconds: float) -> str:
    """Write a duration with the precision that matters."""
    if seconds < 0.0005:
        return "< 1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def clock_text(at: datetime) -> str:
    """Write a time of day in the technician's zone, to the millisecond."""
    return at.astimezone().strftime("%H:%M:%S.%f")[:-3]


def moment_text(at: datetime | None) -> str:
    """Write date and time in the technician's zone; a dash where there is none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "–"


def span_text(seconds: float) -> str:
    """Write how long ago something was, roughly."""
    if seconds < 2:
        return "just now"
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min ago"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h ago"
    return f"{seconds / 86_400:.0f} days ago"


def counted(count: int, one: str, many: str) -> str:
    """Choose the words for a number: ``one`` as it stands, or ``many`` with its ``{count}`` filled."""
    return one if count == 1 else many.format(count=f"{count:,}")

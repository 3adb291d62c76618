"""A card to print: what to type at one charger, one page each, with QR codes. No password unless it is asked for."""

from __future__ import annotations

import asyncio
import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.errors import StoreError, TooMuchText
from app.labels.writing import QUIET_ZONE, Matrix, qr
from app.model.guidance import Guidance, Line
from app.model.profile import Profile
from app.report.family import duration
from app.report.files import write_pdf
from app.report.text import rendered

PIXELS = 8
"""Per module of a code: sharp on paper at any size a page has room for."""

CODE_PX, SMALL_CODE_PX = 166, 112
"""Side of a printed code in CSS pixels: 44 mm, and 30 mm where a page holds more than ``ROOMY`` of them."""
ROOMY = 3

CODED = frozenset({"url", "host", "host-port", "path", "identity", "secret"})
"""Fields worth a code on paper; a port or a choice is typed faster than scanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What stands on one page."""

    title: str
    identity: str
    guidance: Guidance
    facts: tuple[tuple[str, str], ...] = ()
    doors: tuple[str, ...] = ()
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    number: int
    label: str
    text: str
    note: str
    code: str
    is_withheld: bool = False


def card_of(
    guidance: Guidance,
    profile: Profile | None,
    *,
    identity: str,
    title: str = "",
    facts: Sequence[tuple[str, str]] = (),
    site: str = "",
) -> Card:
    """Put a card together; ``title`` names the charger, without one the family does."""
    return Card(
        title=title or guidance.family or "A charger",
        identity=identity,
        guidance=guidance,
        facts=tuple((label, text) for label, text in facts if text),
        doors=tuple(door.text for door in profile.one_way_doors) if profile is not None else (),
        site=site,
    )


def html(cards: Sequence[Card], *, at: datetime, with_secrets: bool = False, for_print: bool = False) -> str:
    """Return all cards as one self-contained document; nothing in it that others wrote is ever markup."""
    sheets = []
    for card in cards:
        fields = tuple(_fields(card.guidance, with_secrets=with_secrets))
        coded = sum(bool(field.code) for field in fields)
        sheets.append((card, fields, CODE_PX if coded <= ROOMY else SMALL_CODE_PX, duration(card.guidance.patience_s)))
    return rendered("card.html", sheets=sheets, at=at, for_print=for_print)


async def save(cards: Sequence[Card], path: Path, *, at: datetime, with_secrets: bool = False) -> None:
    """Write the cards as HTML, or as a PDF where the file's name ends so. Raises StoreError."""
    is_pdf = path.suffix.lower() == ".pdf"
    text = html(cards, at=at, with_secrets=with_secrets, for_print=is_pdf)
    try:
        if is_pdf:
            await write_pdf(text, path, cards[0].title if len(cards) == 1 else f"{len(cards)} cards")
        else:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror or error}.", "Choose another place."
        ) from error


def _fields(guidance: Guidance, *, with_secrets: bool) -> Iterator[_Field]:
    for number, line in enumerate(guidance.lines, start=1):
        is_withheld = line.is_secret and bool(line.text) and not with_secrets
        yield _Field(
            number=number,
            label=line.label,
            text="" if is_withheld or line.is_file else line.text,
            note=line.note,
            code="" if is_withheld or line.is_file or line.holds not in CODED else _code(line),
            is_withheld=is_withheld,
        )


def _code(line: Line) -> str:
    """Return a code as a data URL; an empty text where there is none."""
    try:
        matrix = qr(line.text)
    except TooMuchText:
        return ""
    return f"data:image/png;base64,{base64.b64encode(png(matrix)).decode()}"


def png(matrix: Matrix) -> bytes:
    """Return a code with its quiet zone as a PNG picture of one bit per pixel (ISO/IEC 15948)."""
    light = (False,) * QUIET_ZONE
    blank = (False,) * (len(matrix) + 2 * QUIET_ZONE)
    lines = [blank] * QUIET_ZONE + [(*light, *line, *light) for line in matrix] + [blank] * QUIET_ZONE
    side = len(lines) * PIXELS
    rows = b"".join(_row(line) * PIXELS for line in lines)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _row(line: Sequence[bool]) -> bytes:
    """Return one line of pixels: a filter byte, then bits, 1 is light. Eight pixels a module make a byte each."""
    return b"\x00" + bytes(0x00 if is_dark else 0xFF for is_dark in line)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

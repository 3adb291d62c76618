"""Bender charge controllers' own list of OCPP keys, served as a web page without a login: read, never written.

The page names every key with scope, description, access, type and range or default, but the present value of none. Keys
that look like the backend's address are named as candidates “seen in this controller's own list”.

Sources: /doc/doc_1 of a controller with 5.33.5 (columns and header line); bender.de docs 5.33, OCPP in-depth guide
(what the keys are called on its pages).
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, Status
from app.driver.web import PROBE_S, WebSession, web_driver
from app.errors import Garbled, NotSupported, Unexpected
from app.links.link import HttpAnswer, HttpLink, HttpManner, Login
from app.model.profile import Profile
from app.model.setting import Setting, SettingKind, Snapshot
from app.model.unit import Identity, SourceKind

PAGE = "/doc/doc_1"
PAGE_LIMIT = 2_000_000
KEY_LIMIT = 2000
CELL_LIMIT = 1000
CELL = re.compile(r"<(/?t[rdh])\b", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")
"""Bytes of the page, keys of it, characters of one cell that are looked at."""

FAMILY = "bender-web"
"""The profile that says how the backend is changed."""

HEADER = re.compile(
    r"Charging station interface\s+(\d{1,3}(?:\.\d{1,5}){1,3}(?:-\w{1,12})?)(?:\s*\((\w+) controller\))?"
)
COLUMNS = ("key name", "master/slave scope", "reboot required", "accessibility", "type")
"""Columns that prove the page; others may come and go."""

SECRET = re.compile(r"passw|secret|\bpwd|authori[sz]ationkey|private.?key|\bpin\b|puk", re.IGNORECASE)
ADDRESS = re.compile(
    r"\burl\b|\buri\b|backend.{0,20}(host|address|server)|(host|address) of the backend", re.IGNORECASE
)
ADDRESS_NAME = re.compile(r"url|endpoint|centralsystem|(backend|server).*(host|addr)", re.IGNORECASE)
OTHER_ADDRESS = re.compile(
    r"firmware|update|diagnos|log|ntp|time.?server|proxy|freecharging|ocsp|meter|hotspot", re.IGNORECASE
)
SOCKET = re.compile(r"wss?://", re.IGNORECASE)
DEFAULT = re.compile(r'Def:\s*"?(.*?)"?\s*\Z', re.DOTALL)
KINDS = {"uint": SettingKind.INTEGER, "int": SettingKind.INTEGER, "float": SettingKind.NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One row of the list."""

    name: str
    scope: str
    description: str
    needs_restart: bool
    is_writable: bool
    type: str
    span: str
    """Range, default or example, as the page has it."""

    @property
    def default(self) -> str:
        """Return the default or example; empty where there is none."""
        found = DEFAULT.search(self.span)
        return found[1].strip() if found else ""

    @property
    def is_backend(self) -> bool:
        """Say whether it looks like the address of the backend."""
        told = f"{self.name} {self.description}"
        if not self.is_writable or (OTHER_ADDRESS.search(told) and not SOCKET.search(told + self.span)):
            return False
        return bool(SOCKET.search(self.span) or ADDRESS_NAME.search(self.name) or ADDRESS.search(self.description))


def _rows(page: str) -> list[list[str]]:
    """Return the cells of every table row as plain text, in time that grows with the page's length alone.

    The standard library's parser takes minutes for some 200 kB of broken markup (CVE-2025-6069).
    """
    rows: list[list[str]] = []
    pieces = CELL.split(page)
    for tag, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if tag.lower() == "tr":
            if len(rows) >= KEY_LIMIT + 50:
                break
            rows.append([])
        elif not tag.startswith("/") and rows and len(rows[-1]) < 20:
            inside = TAG.sub("", piece.partition(">")[2][: 20 * CELL_LIMIT])
            rows[-1].append(" ".join(html.unescape(inside).split())[:CELL_LIMIT])
    return rows


def keys_of(page: str) -> list[Key]:
    """Read the list of keys. Raises Garbled where there is none."""
    columns: dict[str, int] = {}
    found: dict[str, Key] = {}
    for row in _rows(page):
        lower = [cell.lower() for cell in row]
        if set(COLUMNS) <= set(lower):
            columns = {name: place for place, name in enumerate(lower)}
        elif columns and len(row) >= len(columns) and re.fullmatch(r"[\w.:-]{1,80}", row[columns["key name"]]):
            found.setdefault(row[columns["key name"]], _key(row, columns))
    if not found:
        raise Garbled("The controller's page has no list of keys.", "Note the firmware version and report it.")
    return list(found.values())[:KEY_LIMIT]


def _key(row: list[str], columns: dict[str, int]) -> Key:
    def cell(name: str) -> str:
        return row[columns[name]] if name in columns else ""

    return Key(
        name=cell("key name"),
        scope=cell("master/slave scope"),
        description=cell("description"),
        needs_restart=cell("reboot required").lower().startswith("yes"),
        is_writable="w" in cell("accessibility").lower(),
        type=cell("type"),
        span=cell("range, default or example"),
    )


def candidates(keys: Iterable[Key]) -> list[str]:
    """Name the keys that look like the backend's address."""
    return [key.name for key in keys if key.is_backend]


def setting_of(key: Key) -> Setting:
    """Describe a key. Its present value stands on no page, so it has none here."""
    is_secret = SECRET.search(key.name) is not None
    hints = [key.description, f"Scope: {key.scope}." if key.scope else ""]
    hints += [] if is_secret or not key.span else [f"Range, default or example: {key.span}"]
    if key.is_backend:
        hints.insert(0, "Seen in this controller's own list: it looks like the backend's address.")
    hints.append("Over OCPP it can be changed." if key.is_writable else "It can only be read.")
    return Setting(
        key=key.name,
        value=None,
        kind=KINDS.get(key.type.lower(), SettingKind.TEXT),
        label=key.name,
        is_readonly=True,
        is_secret=is_secret,
        is_readable=False,
        needs_restart=key.needs_restart,
        help=" ".join(filter(None, hints)),
    )


def text_of(answer: HttpAnswer) -> str:
    """Return a page as text."""
    return answer.body.decode("utf-8", "replace")


def identity_of(page: str) -> Identity | None:
    """Read who serves the page, by its header line and its columns; ``None`` where it is another page."""
    head = HEADER.search(page[:20_000])
    lower = page.lower()
    if head is None or not all(column in lower for column in COLUMNS):
        return None
    return Identity(
        vendor="Bender",
        model="Charge controller",
        firmware=head[1],
        profile_id=FAMILY,
        extra={"role": head[2]} if head[2] else {},
    )


class Bender(WebSession):
    """One session with a controller's web server. The page needs no login, so none is sent."""

    driver_id: ClassVar[str] = "bender"
    deadline_s: ClassVar[float] = 8.0
    manner: ClassVar[HttpManner] = HttpManner(login=Login.NONE)

    async def look(self) -> None:
        """Make sure that the list is there."""
        await self._keys()
        self.offers = frozenset({Identifies, ReportsStatus, ReadsSettings})

    async def _page(self) -> str:
        answer = await self.fetch("GET", PAGE, limit=PAGE_LIMIT)
        if answer.status == 404:
            raise NotSupported(
                f"{self.address} has no list of keys under {PAGE}.",
                "Older firmware may not have it. The backend is set on its operator page all the same.",
            )
        page = text_of(answer)
        if answer.status != 200 or identity_of(page) is None:
            raise Unexpected(f"{self.address} does not show a charge controller's list of keys.", "Check the address.")
        return page

    async def _keys(self) -> list[Key]:
        return await asyncio.to_thread(keys_of, await self._page())

    async def identify(self) -> Identity:
        """Say who it is, with the model that its list names."""
        async with self.call("identify"):
            page = await self._page()
            keys = {key.name: key for key in await asyncio.to_thread(keys_of, page)}
        found = identity_of(page)
        assert found is not None  # _page has looked
        model = keys["ChargePointModel"].default[:60] if "ChargePointModel" in keys else ""
        named = ", ".join(candidates(keys.values()))[:400]
        return Identity(
            vendor=found.vendor,
            model=model or found.model,
            firmware=found.firmware,
            profile_id=found.profile_id,
            extra={**found.extra, **({"backend_keys": named} if named else {})},
        )

    async def status(self) -> Status:
        """Say which keys look like the backend's address; how the charger is, this page does not tell."""
        async with self.call("status"):
            keys = await self._keys()
        named = ", ".join(candidates(keys)[:8])
        told = f"Seen in this controller's own list, like a backend's address: {named}." if named else ""
        return Status(detail=f"{len(keys)} OCPP keys. {told}".strip())

    async def read_settings(self) -> Snapshot:
        """List the keys, those that look like the backend's address first; their values stand on no page."""
        async with self.call("read the keys"):
            keys = await self._keys()
        ordered = sorted(keys, key=lambda key: not key.is_backend)
        excluded = {key.name: "The page names the key, not its value." for key in keys}
        settings = tuple(setting_of(key) for key in ordered)
        return Snapshot(taken_at=datetime.now(UTC), settings=settings, excluded=excluded)


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask for the list; anything but this very page is another's."""
    del profile
    answer = await http.request("GET", PAGE, timeout_s=PROBE_S, limit=PAGE_LIMIT)
    return identity_of(text_of(answer)) if answer.status == 200 else None


DRIVER = web_driver(
    Bender,
    title="Bender charge controllers (list of keys)",
    capabilities=frozenset({Identifies, ReportsStatus, ReadsSettings}),
    recognise=recognise,
    asks=(f"GET {PAGE}",),
    sources=frozenset({SourceKind.LAN, SourceKind.MANUAL}),
)

"""The local authorisation list: what of our cards goes into a charger, in how many messages, and what came of it.

OCPP 1.6 §5.15 and §9.2, P2-201 D01 and D02. The building is pure; ``send_list`` does it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from app.errors import NotSupported, Refused, TimedOut, ValueRejected
from app.model.card import Card, CardStatus, SentList
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.services.carddesk import CardShelf

Entries = dict[str, dict[str, Any]]
"""AuthorizationData without the token itself, by card number as sent."""

MAX_MESSAGES = 500
REPORT_S = 15.0
"""Longest wait for the few variables of the list [OURS]."""
TAG_LIMIT = {"1.6": 20, "2.0.1": 36, "2.1": 255}


class Update(Enum):
    """How a list is brought up to date."""

    FULL = "Full"
    DIFFERENTIAL = "Differential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the charger can take; 0 = it does not say."""

    per_message: int = 0
    entries: int = 0
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What came of sending. ``read_back`` is the version the charger names afterwards, ``None`` = it does not."""

    status: str
    update: Update
    version: int
    messages: int
    entries: int
    left_out: tuple[str, ...] = ()
    read_back: int | None = None
    text: str = ""

    @property
    def is_done(self) -> bool:
        """Say whether the charger has the list, as far as can be seen."""
        return self.status == "Accepted" and self.read_back in (None, self.version)


def version_words(version: int) -> str:
    """Say what a list version means (OCPP 1.6 §6.28: 0 and -1 have a meaning of their own)."""
    if version < 0:
        return "The charger has no local list function."
    return "The charger's local list is empty." if version == 0 else f"The charger has version {version} of a list."


def entries_of(
    cards: Iterable[Card], version: str, now: datetime, spell: Callable[[str], str] = str
) -> tuple[Entries, tuple[str, ...]]:
    """Turn cards into entries, numbers spelled by ``spell``; second: the numbers that don't fit this OCPP version."""
    found: Entries = {}
    left_out = []
    for card in cards:
        uid = spell(card.uid)
        if len(uid) > TAG_LIMIT.get(version, 20):
            left_out.append(card.uid)
        else:
            found[uid] = _info16(card, now) if version == "1.6" else _info2(card, now)
    return found, tuple(left_out)


def _info16(card: Card, now: datetime) -> dict[str, Any]:
    info: dict[str, Any] = {"status": card.status_at(now).wire("1.6")}
    if card.expires_at is not None:
        info["expiryDate"] = v16.stamp(card.expires_at)
    if card.group and len(card.group) <= TAG_LIMIT["1.6"]:
        info["parentIdTag"] = card.group
    return {"idTagInfo": info}


def _info2(card: Card, now: datetime) -> dict[str, Any]:
    info: dict[str, Any] = {"status": card.status_at(now).wire("2.0.1")}
    if card.expires_at is not None and card.status is CardStatus.ACCEPTED:
        info["cacheExpiryDateTime"] = v16.stamp(card.expires_at)
    if card.group:
        info["groupIdToken"] = {"idToken": card.group, "type": "Central"}
    return {"idTokenInfo": info, "kind": card.kind or "ISO14443"}


def difference(old: Mapping[str, Mapping[str, Any]], new: Entries) -> dict[str, dict[str, Any] | None]:
    """Return what to send so that old becomes new; ``None`` = take it out."""
    gone: dict[str, dict[str, Any] | None] = {uid: None for uid in old if uid not in new}
    return gone | {uid: info for uid, info in new.items() if old.get(uid) != info}


def messages(
    changes: Mapping[str, Mapping[str, Any] | None], update: Update, list_version: int, version: str, per_message: int
) -> list[dict[str, Any]]:
    """Write the SendLocalList requests. A full list that needs several goes on differentially, all of one version.

    The version counts up with each message (a differential update has to be newer), so that the last one
    carries ``list_version``. Raises ValueRejected where it takes too many.
    """
    size = per_message or max(1, len(changes))
    items = iter(changes.items())
    parts = [list(itertools.islice(items, size)) for _ in range(-(-len(changes) // size))] or [[]]
    if len(parts) > MAX_MESSAGES:
        raise ValueRejected(
            f"{len(changes):,} cards, {size} in a message, are {len(parts):,} messages.", "Send fewer cards."
        )
    first = list_version - len(parts) + 1
    return [
        _message(part, update if not index else Update.DIFFERENTIAL, first + index, version)
        for index, part in enumerate(parts)
    ]


def _message(
    part: Sequence[tuple[str, Mapping[str, Any] | None]], update: Update, list_version: int, version: str
) -> dict[str, Any]:
    key = "listVersion" if version == "1.6" else "versionNumber"
    request: dict[str, Any] = {key: list_version, "updateType": update.value}
    if part:
        entry = _entry16 if version == "1.6" else _entry2
        request["localAuthorizationList"] = [entry(uid, info) for uid, info in part]
    return request


def _entry16(uid: str, info: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"idTag": uid} | (dict(info) if info is not None else {})


def _entry2(uid: str, info: Mapping[str, Any] | None) -> dict[str, Any]:
    kind = (info or {}).get("kind", "ISO14443")
    data: dict[str, Any] = {"idToken": {"idToken": uid, "type": kind}}
    return data | ({"idTokenInfo": info["idTokenInfo"]} if info is not None else {})


# With a charger ---------------------------------------------------------------------------------------------------


async def list_version(endpoint: Endpoint) -> int:
    """Ask for the version of the local list. Raises NotSupported, Refused, LinkError."""
    answer = await endpoint.call("GetLocalListVersion", {})
    return v16.number(answer.get("listVersion" if endpoint.version == "1.6" else "versionNumber"))


async def limits(endpoint: Endpoint) -> Limits:
    """Ask how long list and messages may be. Raises LinkError."""
    try:
        return await (_limits16(endpoint) if endpoint.version == "1.6" else _limits2(endpoint))
    except (Refused, TimedOut):
        return Limits()


async def _limits16(endpoint: Endpoint) -> Limits:
    keys = ("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength")
    told = {item.key.lower(): item.value for item in await endpoint.get_settings(keys)}
    enabled = str(told.get("localauthlistenabled") or "").lower()
    return Limits(
        per_message=max(0, v16.number(told.get("sendlocallistmaxlength"))),
        entries=max(0, v16.number(told.get("localauthlistmaxlength"))),
        is_enabled=enabled == "true" if enabled in ("true", "false") else None,
    )


async def _limits2(endpoint: Endpoint) -> Limits:
    """Ask for the variables of LocalAuthListCtrlr (P2-201); the room is the limit of its Entries."""
    wanted = {"componentVariable": [{"component": {"name": "LocalAuthListCtrlr"}}]}
    told: dict[str, tuple[str, int]] = {}
    for part in await endpoint.gather("GetReport", wanted, timeout_s=REPORT_S):
        items = part.get("reportData")
        for item in items[:200] if isinstance(items, list) else ():
            name, value, most = _variable(item)
            told[name.lower()] = value, most
    enabled = told.get("enabled", ("", 0))[0].lower()
    return Limits(
        per_message=max(0, v16.number(told.get("itemspermessage", ("", 0))[0])),
        entries=max(0, told.get("entries", ("", 0))[1]),
        is_enabled=enabled == "true" if enabled in ("true", "false") else None,
    )


def _variable(item: object) -> tuple[str, str, int]:
    told = item if isinstance(item, dict) else {}
    variable, attributes, traits = (told.get(key) for key in _PARTS)
    name = v16.text(variable.get("name"), 50) if isinstance(variable, dict) else ""
    first = attributes[0] if isinstance(attributes, list) and attributes else None
    value = v16.text(first.get("value"), 1000) if isinstance(first, dict) else ""
    return name, value, v16.number(traits.get("maxLimit")) if isinstance(traits, dict) else 0


_PARTS = ("variable", "variableAttribute", "variableCharacteristics")


async def send_list(
    endpoint: Endpoint,
    cards: Iterable[Card],
    shelf: CardShelf,
    *,
    full: bool = False,
    spell: Callable[[str], str] = str,
) -> Listed:
    """Bring a charger's local list up to date and read its version back.

    A charger compares what its reader says with its list, and knows only the one spelling: ``spell`` writes numbers
    as it does (``CardDesk.spelled_for``).
    Differentially where it still has what we sent last, else in full. Raises ValueRejected where the list is longer
    than the charger's; NotSupported, Refused, LinkError.
    """
    now = datetime.now(UTC)
    new, left_out = entries_of(cards, endpoint.version, now, spell)
    allowed = await limits(endpoint)
    if allowed.entries and len(new) > allowed.entries:
        raise ValueRejected(
            f"The list has {len(new):,} cards, the charger takes {allowed.entries:,}.", "Send fewer cards."
        )
    there = await list_version(endpoint)
    if there < 0:
        raise NotSupported(version_words(there), "It asks its backend about every card.")
    known = shelf.sent_list(endpoint.identity)
    is_known = known is not None and known.version == there and there > 0 and not full
    update = Update.DIFFERENTIAL if is_known else Update.FULL
    changes = difference(known.entries, new) if known is not None and is_known else dict(new)
    asked = _requests(changes, update, there, endpoint.version, allowed.per_message)
    status, version = await _send_all(endpoint, asked, there)
    read_back = await _read_version(endpoint)
    if status == "Accepted":
        shelf.keep_list(SentList(identity=endpoint.identity, version=version, sent_at=now, entries=new))
    return Listed(
        status=status,
        update=update,
        version=version,
        messages=len(asked),
        entries=len(new),
        left_out=left_out,
        read_back=read_back,
        text=_words(status, read_back, version, allowed),
    )


def _requests(
    changes: Mapping[str, Mapping[str, Any] | None], update: Update, there: int, version: str, per_message: int
) -> list[dict[str, Any]]:
    if update is Update.DIFFERENTIAL and not changes:
        return []
    count = -(-len(changes) // (per_message or max(1, len(changes)))) or 1
    return messages(changes, update, max(0, there) + count, version, per_message)


async def _send_all(endpoint: Endpoint, requests: list[dict[str, Any]], there: int) -> tuple[str, int]:
    version = there
    for request in requests:
        answer = await endpoint.call("SendLocalList", request, timeout_s=60)
        status = v16.text(answer.get("status"), 30)
        if status != "Accepted":
            return status or "no status", version
        version = request.get("listVersion", request.get("versionNumber", 0))
    return "Accepted", version


async def _read_version(endpoint: Endpoint) -> int | None:
    try:
        return await list_version(endpoint)
    except Refused:
        return None


def _words(status: str, read_back: int | None, version: int, allowed: Limits) -> str:
    meaning = {
        "Accepted": "The charger took the list.",
        "Failed": "The charger could not take the list; it may be too long or not allowed now.",
        "NotSupported": "The charger has no local list.",
        "VersionMismatch": "The charger has another version than it said; send the list in full.",
    }.get(status, f"The charger answers {status}.")
    if status == "Accepted" and read_back is not None and read_back != version:
        meaning = f"The charger says Accepted, but names version {read_back}, not {version}."
    off = " It does not use its list: LocalAuthListEnabled is off." if allowed.is_enabled is False else ""
    return meaning + off


async def clear_cache(endpoint: Endpoint) -> tuple[str, str]:
    """Have a charger forget the cards it remembers; return status and meaning. Raises NotSupported, LinkError."""
    status = v16.text((await endpoint.call("ClearCache", {})).get("status"), 30)
    meaning = {
        "Accepted": "The charger forgot the cards of its old operator.",
        "Rejected": "The charger keeps its cache, or has none (OCPP 1.6 §5.4).",
    }
    return status, meaning.get(status, f"The charger answers {status or 'nothing'}.")

"""What answers of other programs mean: HTTP statuses, WebSocket close codes, TLS alerts, first bytes. Pure.

The words are data (``resources/failures/_decode.toml``, after connection-failures, "Decode tables").
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from app import resources
from app.errors import ProfileError

FILE = "_decode"
TABLES = ("http", "close", "alert", "first")


@dataclass(frozen=True, slots=True)
class Meaning:
    """Words for an answer, and the finding it points at (empty = none)."""

    text: str
    code: str = ""


@functools.cache
def tables() -> Mapping[str, Mapping[str, Meaning]]:
    """Return all tables by name, each by its key as text. Raises ProfileError where the file breaks the rules."""
    document = tomllib.loads(resources.texts("failures", ".toml")[FILE])
    try:
        return {
            name: {key: Meaning(**{**entry}) for key, entry in document.pop(name).items()} for name in TABLES
        } | _nothing_left(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ProfileError(f"failures/{FILE}.toml: {error}", "Correct the file.") from error


def _nothing_left(document: Mapping[str, object]) -> dict[str, Mapping[str, Meaning]]:
    if document:
        raise KeyError(f"unknown table {sorted(document)[0]}")
    return {}


def http(status: int) -> Meaning:
    """Explain the HTTP status with which a backend answers an upgrade."""
    return tables()["http"].get(str(status), Meaning("The backend refused."))


def close(code: int) -> str:
    """Explain a WebSocket close code (RFC 6455 §7.4.1), as ``1006: TCP vanished without a word``."""
    meaning = tables()["close"].get(str(code))
    return f"{code}: {meaning.text}" if meaning else f"close code {code}"


def alert(number: int) -> Meaning:
    """Explain a TLS alert (RFC 8446 §6)."""
    return tables()["alert"].get(str(number), Meaning(f"TLS alert {number}"))


def first(data: bytes) -> tuple[str, Meaning]:
    """Tell from its first bytes what a peer speaks: ``tls get post http2 empty foreign``."""
    kinds = {b"\x16\x03": "tls", b"GET ": "get", b"POST": "post", b"PRI *": "http2"}
    kind = next((kind for start, kind in kinds.items() if data.startswith(start)), "foreign") if data else "empty"
    return kind, tables()["first"][kind]

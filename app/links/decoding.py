"""Decode what chargers send, bounded."""

from __future__ import annotations

from typing import Any

import orjson

from app.errors import Garbled


def decode_json(body: bytes) -> Any:
    """Decode JSON bytes (a BOM is tolerated); raises Garbled with the place of the fault."""
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise Garbled(
            f"The charger's answer is not valid JSON: {error}.",
            "Repeat the call. If it stays, note the firmware version and report it to the vendor.",
        ) from error

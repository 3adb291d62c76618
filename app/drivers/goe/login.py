"""How a Wattpilot is logged in to, and how a message to it is sealed (joscha82/wattpilot src/wattpilot/__init__.py)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.model.secret import Secret

ROUNDS = 100_000
KEY_LENGTH = 32
"""The key is the first 32 characters of the derived bytes in Base64: 24 bytes."""

TOKEN_BYTES = 16


@lru_cache(maxsize=64)
def key_of(password: Secret, serial: str) -> bytes:
    """Derive the key (PBKDF2-SHA512, salted with the serial). Takes a tenth of a second: call it in a thread.

    The original derives 256 bytes and uses 24; PBKDF2's first block does not depend on how many follow (RFC 8018 §5.2).
    """
    raw = hashlib.pbkdf2_hmac("sha512", password.reveal().encode(), serial.encode(), ROUNDS, KEY_LENGTH * 3 // 4)
    return base64.b64encode(raw)


def proof(key: bytes, token1: str, token2: str, token3: str = "") -> dict[str, Any]:
    """Return the answer to ``authRequired``. ``token3`` is ours: 32 hexadecimal digits."""
    own = token3 or secrets.token_hex(TOKEN_BYTES)
    inner = hashlib.sha256(token1.encode() + key).hexdigest()
    outer = hashlib.sha256(f"{own}{token2}{inner}".encode()).hexdigest()
    return {"type": "auth", "token3": own, "hash": outer}


def sealed(key: bytes, message: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap a message with its HMAC-SHA256, as a unit wants it that says ``secured``."""
    data = json.dumps(message)
    mac = hmac.new(key, data.encode(), hashlib.sha256).hexdigest()
    return {"type": "securedMsg", "data": data, "requestId": f"{message['requestId']}sm", "hmac": mac}

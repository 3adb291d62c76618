"""How a simulated unit spells its password in the Basic header."""

from __future__ import annotations

import base64
from enum import Enum


class Spelling(Enum):
    """What becomes of a configured AuthorizationKey (charge-points-in-practice, "hex in three dialects")."""

    RAW = "raw"
    """Hexadecimal digits are decoded, and the bytes are sent (MicroOcppMongoose v1.2.0; SEC16 A00.FR.204)."""
    HEX = "hex"
    """The hexadecimal digits themselves are sent."""
    TEXT = "text"
    """The key is no hexadecimal text at all and is sent as it is (2.x: BasicAuthPassword is a passwordString)."""

    def spelt(self, key: str) -> bytes:
        """Return the bytes to send."""
        return bytes.fromhex(key) if self is Spelling.RAW else key.encode()


def basic(identity: str, password: bytes) -> tuple[tuple[str, str], ...]:
    """Return the Basic header."""
    token = base64.b64encode(identity.encode() + b":" + password).decode()
    return (("Authorization", f"Basic {token}"),)

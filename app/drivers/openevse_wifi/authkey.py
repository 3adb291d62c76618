"""What a firmware makes of ``ocpp_authkey``, the backend's password.

By the library in each tag's platformio.ini: ArduinoOcppMongoose up to v5.1.0 (text), MicroOcppMongoose 1.1.0 in v5.1.1
and v5.1.2 (hex, unchecked), 1.2.0 from v5.1.3 on (hex, checked).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from app.errors import ValueRejected
from app.model.secret import Secret

KEY_LIMIT_BYTES = 20
"""MO_AUTHKEY_LEN_MAX (MicroOcppMongooseClient.h)."""


class KeyForm(Enum):
    """What a firmware makes of ``ocpp_authkey``."""

    ABSENT = "absent"
    TEXT = "text"
    HEX_BLIND = "hex, unchecked"
    HEX_CHECKED = "hex"


def key_form(version: str, config: Mapping[str, Any]) -> KeyForm:
    """Tell the form of the key by firmware; a version that is no number is a build newer than any release."""
    if "ocpp_authkey" not in config:
        return KeyForm.ABSENT
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    number = tuple(int(part) for part in found.groups()) if found else (99, 0, 0)
    if number < (5, 1, 1):
        return KeyForm.TEXT
    return KeyForm.HEX_BLIND if number < (5, 1, 3) else KeyForm.HEX_CHECKED


def stored_key(secret: Secret, form: KeyForm) -> str:
    """Return the text ``ocpp_authkey`` must hold for this password. Raises ValueRejected, naming the limit."""
    raw = secret.reveal().encode()
    if not raw:
        return ""
    if form is KeyForm.ABSENT:
        raise ValueRejected(
            "This firmware can't send a password to the backend (it knows no “ocpp_authkey”).",
            "Update the gateway to 4.1.9 or later, or let the backend take this charger without a password.",
        )
    if form is KeyForm.TEXT:
        return secret.reveal()
    if len(raw) > KEY_LIMIT_BYTES:
        raise ValueRejected(
            f"The password has {len(raw)} bytes; this charger holds at most {KEY_LIMIT_BYTES}. It would drop it "
            "without a word and dial without a password.",
            f"Let the backend's operator set a password of at most {KEY_LIMIT_BYTES} characters for this charger.",
        )
    return raw.hex()


def read_key(text: str, form: KeyForm) -> Secret:
    """Return the password that the charger really sends when ``ocpp_authkey`` holds this text."""
    if form in (KeyForm.TEXT, KeyForm.ABSENT):
        return Secret(text)
    is_hex = re.fullmatch(r"(?:[0-9A-Fa-f]{2}){0,20}", text) is not None
    if not is_hex:
        return Secret("" if form is KeyForm.HEX_CHECKED else text)
    return Secret(bytes.fromhex(text).decode("utf-8", "replace"))

"""Keep secrets out of published frames: what a frame carries as a password is masked before anybody sees it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.model import masking
from app.model.masking import mask_secrets
from app.model.secret import MASK, Secret

MIN_SECRET = 6
"""Shorter known secrets are not searched for in texts: they would mask half of everything."""

is_secret_key = masking.is_secret_key
SECRET_FIELDS = ("apnPassword", "basicAuthPassword", "password", "key", "simPin")
"""Fields of SetNetworkProfile's connectionData that are secrets (part 2 §2.5, §2.36, §2.52; 2.1 adds the second)."""
_SPELLED = r'("(?:[^"\\]|\\.)*"|[^",{}\[\]\s]+)'
_FIELDS = (
    re.compile(r'("(?:apnPassword|basicAuthPassword|simPin)"\s*:\s*|"password"\s*:\s*(?=[^{]))' + _SPELLED),
    re.compile(r'("vpn"\s*:\s*\{[^{}]*"key"\s*:\s*)' + _SPELLED),
)
_LISTS = {
    "GetConfiguration": "configurationKey",
    "GetVariables": "getVariableResult",
    "SetVariables": "setVariableData",
    "NotifyReport": "reportData",
}
TRANSFERS = frozenset({"GetDiagnostics", "GetLog", "UpdateFirmware", "SignedUpdateFirmware", "PublishFirmware"})
"""Messages with an address of a file, which may hold a login."""
_LOGIN = re.compile(r'(:(?:\\?/){2}[^/@\s":\\]*:)[^/\s"\\]+(?=@)')
"""Also with an ``@`` in the password, and where slashes are escaped (``:\\/\\/``)."""
CARRIERS = frozenset({"ChangeConfiguration", "SetNetworkProfile", *_LISTS, *TRANSFERS})
"""Messages that may carry a secret."""
_NAME = re.compile(r'"(?:key|name)"\s*:\s*"([^"\\]{1,100})"', re.IGNORECASE)


def masked_request(text: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return a CALL's text as it may be shown: values of secret keys and variables, and passwords, are masked."""
    if action not in CARRIERS:
        return text
    text = _LOGIN.sub(rf"\1{MASK}", text)
    if action in TRANSFERS:
        return text
    text = _without_fields(text)
    secret = {name for name, _ in _pairs(action, payload) if is_secret_key(name)}
    return mask_secrets(text, secret) if secret else text


def masked_answer(text: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return a CALLRESULT's text as it may be shown: values of secret keys and variables are masked."""
    return masked_request(text, action, payload) if action in ("GetConfiguration", "GetVariables") else text


def masked_payload(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a payload as it may be kept and judged."""
    if action not in CARRIERS:
        return payload
    shown: dict[str, Any] = json.loads(masked_request(json.dumps(payload), action, payload))
    return shown


def secret_values(action: str, payload: Mapping[str, Any]) -> list[str]:
    """Return the passwords that a CALL of ours carries."""
    found = [str(value) for name, value in _pairs(action, payload) if is_secret_key(name) and value]
    data = payload.get("connectionData")
    return found + _passwords(data) if action == "SetNetworkProfile" and isinstance(data, dict) else found


def _pairs(action: str, payload: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Name the keys or variables of a message with their values."""
    if action == "ChangeConfiguration":
        yield str(payload.get("key")), payload.get("value")
    entries = payload.get(_LISTS.get(action, ""))
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        variable = entry.get("variable")
        if isinstance(variable, dict):
            name = str(variable.get("name"))
            yield name, entry.get("attributeValue")
            yield from ((name, value) for value in _attributes(entry))
        else:
            yield str(entry.get("key")), entry.get("value")


def _attributes(entry: Mapping[str, Any]) -> list[object]:
    told = entry.get("variableAttribute")
    return [item.get("value") for item in told if isinstance(item, dict)] if isinstance(told, list) else []


def _passwords(data: Mapping[str, Any]) -> list[str]:
    inner = [part for part in data.values() if isinstance(part, dict)]
    return [str(value) for part in (data, *inner) for name, value in part.items() if name in SECRET_FIELDS and value]


def _without_fields(text: str) -> str:
    for field in _FIELDS:
        text = field.sub(lambda match: f'{match[1]}"{MASK}"', text)
    return text


def masked_loosely(text: str) -> str:
    """Mask secret configuration values in a text that could not be parsed, or that nobody asked for."""
    text = _without_fields(_LOGIN.sub(rf"\1{MASK}", text))
    names = [name for name in _NAME.findall(text) if is_secret_key(name)]
    return mask_secrets(text, names) if names else text


def spellings(secret: Secret | None) -> tuple[str, ...]:
    """List the texts to look for in every frame of a unit whose password is known."""
    if not secret or len(secret.reveal()) < MIN_SECRET:
        return ()
    return tuple(secret.spellings())


def masked_known(text: str, forms: tuple[str, ...]) -> str:
    """Mask a known password wherever it stands."""
    for form in forms:
        if form in text:
            text = text.replace(form, MASK)
    return text

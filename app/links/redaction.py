"""Keep secrets out of recordings: by key name, in a query too, by header name, by every spelling of a known secret."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from app.model.secret import MASK, Secret

SECRET_NAME = re.compile(
    r"auth_?key|apikey|api_key|passw|pass\Z|\Apwd|token|secret|authorizationkey|credential|rfid.?tag", re.IGNORECASE
)
"""Names of values that are secrets in the configuration of chargers, and of the cards of those who charge."""

ROW = re.compile(r"<tr\b[^<>]*>\s*<t[dh][^<>]*>([^<]*)(?:[^<]+|<(?!/?tr\b))*", re.IGNORECASE)
"""A row of a table in a page, with its first cell."""

DEFAULT = re.compile(r"(Def:\s*)[^<]*")
"""An example beside a key's name (Bender, /doc/doc_1)."""

CALLERS = re.compile(r"(\+(?:CLIP|CCWA|COLP|CNUM|CMT|CMGR|CMGL|CDS|CUSD|CIMI):)[^\r\n]*")
"""What a modem says of calls, messages and its subscriber: names and numbers of people (3GPP TS 27.005, 27.007)."""

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})

NO_SECRETS = frozenset({"", "_DUMMY_PASSWORD", MASK})
"""Stand-ins a charger sends in place of a password (OpenEVSE, src/app_config.cpp)."""

LEARNED_LENGTH = 4
"""Shorter values met under a secret's name are masked there, but not searched for elsewhere."""

DEPTH_LIMIT = 64


def _row(found: re.Match[str]) -> str:
    """Mask the example of a row that is named after a secret."""
    return DEFAULT.sub(r"\g<1>" + MASK, found[0]) if SECRET_NAME.search(found[1]) else found[0]


class Redactor:
    """Masks secrets; learns those it meets under a telling name."""

    def __init__(self) -> None:
        self._known: set[Secret] = set()
        self._names: set[str] = set()

    def hide(self, secret: Secret) -> None:
        """Mask this secret in everything from now on."""
        if secret:
            self._known.add(secret)

    def know(self, names: Iterable[str]) -> None:
        """Mask what stands under these names too: a family's own names for secrets."""
        self._names.update(names)

    def text(self, text: str) -> str:
        """Return the text with every known secret masked."""
        if "<tr" in text:
            text = ROW.sub(_row, text)
        text = CALLERS.sub(lambda found: found[1] + MASK, text)
        for secret in sorted(self._known, key=lambda item: -len(item.reveal())):
            text = secret.redact(text)
        return text

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers with credentials masked."""
        return {name: MASK if name.lower() in SECRET_HEADERS else self.text(value) for name, value in headers.items()}

    def path(self, path: str) -> str:
        """Return a request's path with every secret of its query masked: some chargers take settings there."""
        base, mark, query = path.partition("?")
        return self.text(base) + mark + "&".join(self._parameter(part) for part in query.split("&"))

    def _parameter(self, part: str) -> str:
        name, mark, value = part.partition("=")
        if not value or (name not in self._names and SECRET_NAME.search(name) is None):
            return self.text(part)
        if len(value) >= LEARNED_LENGTH:
            self.hide(Secret(urllib.parse.unquote_plus(value).strip('"')))
        return name + mark + MASK

    def value(self, value: Any, *, depth: int = 0) -> Any:
        """Return JSON with every secret masked: by key name, and ``{"key": name, "value": …}`` as OCPP writes it."""
        if depth > DEPTH_LIMIT:
            return MASK
        if isinstance(value, dict):
            return {str(key): self._entry(str(key), item, value, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, depth=depth + 1) for item in value]
        return self._inner(value, depth) if isinstance(value, str) else value

    def _inner(self, text: str, depth: int) -> str:
        """Mask what is secret in JSON that stands in a text, as network profiles do (EVerest, OCPP 2.x)."""
        if text[:1] not in ("[", "{") or SECRET_NAME.search(text) is None:
            return self.text(text)
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        return self.text(json.dumps(self.value(held, depth=depth + 1), ensure_ascii=False, separators=(",", ":")))

    def _entry(self, key: str, item: Any, owner: dict[Any, Any], depth: int) -> Any:
        beside = (owner.get("key"), owner.get("id"), _variable(owner))
        name = next((told for told in beside if isinstance(told, str)), key)
        named = name if key == "value" else key
        is_named = named in self._names or SECRET_NAME.search(named) is not None
        if is_named and isinstance(item, str):
            if item in NO_SECRETS:
                return item
            if len(item) >= LEARNED_LENGTH:
                self.hide(Secret(item))
            return MASK
        return self.value(item, depth=depth + 1)


def _variable(owner: Mapping[Any, Any]) -> Any:
    """Return the name of the OCPP 2.x variable whose value stands beside it (SetVariables; EVerest's own form)."""
    place = owner.get("component_variable", owner)
    variable = place.get("variable") if isinstance(place, Mapping) else None
    return variable.get("name") if isinstance(variable, Mapping) else None

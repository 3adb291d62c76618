"""A text that never prints itself."""

from __future__ import annotations

MASK = "•••"
"""What stands in place of a secret on screens, in logs, recordings and reports."""


class Secret:
    """Hold a password; ``reveal()`` is the only way out."""

    __slots__ = ("_spellings", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._spellings: tuple[str, ...] | None = None

    def reveal(self) -> str:
        """Return the text itself. Call it only where it goes on the wire or into the keyring."""
        return self._text

    def redact(self, text: str) -> str:
        """Return ``text`` with every spelling of this secret (plain, hex, Basic, URL- and JSON-escaped) masked."""
        for spelling in self.spellings():
            text = text.replace(spelling, MASK)
        return text

    def spellings(self) -> tuple[str, ...]:
        """List the forms in which it may stand in a text, longest first; worked out once: each stored frame asks."""
        if self._spellings is None:
            self._spellings = self._spelled()
        return self._spellings

    def _spelled(self) -> tuple[str, ...]:
        import json
        import urllib.parse

        raw = self._text
        if not raw:
            return ()
        forms = {
            raw,
            raw.encode().hex(),
            raw.encode().hex().upper(),
            urllib.parse.quote(raw, safe=""),
            urllib.parse.quote_plus(raw),
            json.dumps(raw)[1:-1],
            json.dumps(raw, ensure_ascii=False)[1:-1],
        }
        return tuple(sorted(forms, key=len, reverse=True))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return f"Secret({MASK if self._text else ''})"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        raise TypeError("a Secret is not pickled; keep it in the vault")

"""Where a bridge dials, and how it proves itself there."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.model.backend import JoinRule, SecurityProfile, dialled_url
from app.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A backend for one identity. ``roots``, ``chain`` and ``key`` are PEM; without roots the system's are trusted.

    ``secret`` is sent as Basic password exactly as its UTF-8 bytes (or the bytes of its hex form, ``is_hex``).
    """

    url: str
    identity: str
    subprotocol: str
    security_profile: SecurityProfile = SecurityProfile.NONE
    secret: Secret = field(default_factory=lambda: Secret(""))
    is_hex: bool = False
    roots: tuple[str, ...] = ()
    chain: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    join: JoinRule = JoinRule.APPEND_IF_MISSING

    @property
    def full_url(self) -> str:
        """Return the URL that is dialled."""
        return dialled_url(self.url, self.identity, self.join)

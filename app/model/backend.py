"""The address a charger is to dial: parsed, compared, redacted, rendered per model habit."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum

from app.model.secret import Secret

SAFE_IDENTITY = re.compile(r"[A-Za-z0-9_\-.]+\Z")
"""Characters every backend is known to take in an identity (connection-failures 26, ID-SPELLING)."""

IDENTITY_LIMIT = 48
"""OCPP 2.1 part 2, connectionData.identity. 1.6 names no limit for the identity itself."""


class SecurityProfile(IntEnum):
    """OCPP security profiles (OCA white paper "Improved security for OCPP 1.6-J", 2.3)."""

    NONE = 0
    BASIC = 1
    TLS_BASIC = 2
    TLS_CLIENT = 3


class JoinRule(Enum):
    """How a charger turns its base URL and identity into the URL it dials."""

    APPEND = "append"
    """Always ``url + "/" + identity``; a trailing slash gives ``//`` (WARP)."""
    APPEND_IF_MISSING = "append_if_missing"
    """A ``/`` is put in only if the URL does not end with one (MicroOcpp, OpenEVSE)."""
    AS_IS = "as_is"
    """The URL is dialled as typed; the identity must stand in it (go-e)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A fault in what was typed: the form field, what is wrong, whether it stops the job."""

    field: str
    message: str
    blocks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a charger dials: base URL without identity, the identity, how it proves itself."""

    url: str
    identity: str
    security_profile: SecurityProfile = SecurityProfile.NONE
    secret: Secret = field(default_factory=lambda: Secret(""))
    name: str = ""

    @property
    def host(self) -> str:
        """Return the lower-case host name, or an empty text when the URL has none."""
        try:
            return (urllib.parse.urlsplit(self.url).hostname or "").lower()
        except ValueError:
            return ""

    @property
    def is_tls(self) -> bool:
        """Say whether the URL asks for TLS."""
        return self.url.lower().startswith("wss:")

    @property
    def full_url(self) -> str:
        """Return the URL as OCPP-J 1.6 §3.1.1 composes it: base, one slash, percent-encoded identity."""
        return dialled_url(self.url, self.identity, JoinRule.APPEND_IF_MISSING)

    def same_target(self, other: Backend) -> bool:
        """Say whether both lead to the same place: full URL and identity, ignoring case of scheme and host."""
        return _canonical(self.full_url) == _canonical(other.full_url)

    def without_secret(self) -> Backend:
        """Return a copy that is safe to store and to show."""
        return replace(self, secret=Secret(""), url=redact_url(self.url))


def dialled_url(url: str, identity: str, rule: JoinRule) -> str:
    """Compose the URL a charger with this ``rule`` really dials."""
    quoted = urllib.parse.quote(identity, safe="-_.~")
    if rule is JoinRule.AS_IS or not identity:
        return url
    if rule is JoinRule.APPEND_IF_MISSING and url.endswith("/"):
        return url + quoted
    return f"{url}/{quoted}"


def split_url(url: str) -> tuple[str, str]:
    """Take a full URL apart into base URL and (decoded) identity, its last path segment."""
    base, _, last = url.rpartition("/")
    if not last or base.endswith("/") or not base:
        return url.rstrip("/"), ""
    return base, urllib.parse.unquote(last)


def redact_url(url: str) -> str:
    """Return the URL without user name and password."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check(
    url: str, identity: str, *, profile: SecurityProfile = SecurityProfile.NONE, secret: Secret | None = None
) -> tuple[Problem, ...]:
    """Name everything wrong with a form's content. Fields: ``url``, ``identity``, ``secret``, ``security_profile``."""
    problems = [*_url_problems(url), *_identity_problems(url, identity)]
    tls = url.lower().startswith("wss:")
    if profile >= SecurityProfile.TLS_BASIC and not tls:
        problems.append(
            Problem(field="security_profile", message="This security profile needs an address starting with wss://.")
        )
    if profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC) and not secret:
        problems.append(Problem(field="secret", message="This security profile needs a password."))
    if secret and profile is SecurityProfile.NONE:
        problems.append(
            Problem(field="secret", message="A password is only sent with security profile 1 or 2.", blocks=False)
        )
    if secret and ":" in identity:
        problems.append(Problem(field="identity", message="No colon in the identity: Basic auth splits there."))
    return tuple(problems)


def _url_problems(url: str) -> list[Problem]:
    def bad(message: str, *, blocks: bool = True) -> Problem:
        return Problem(field="url", message=message, blocks=blocks)

    if not url:
        return [bad("Type the address of the backend, for example ws://csms.example:80/ocpp.")]
    if any(char.isspace() or ord(char) < 32 for char in url):
        return [bad("The address contains a blank or a control character.")]
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return [bad("The address is not a valid URL: check the port and any brackets.")]
    if parts.scheme.lower() not in ("ws", "wss"):
        return [bad("The address must start with ws:// or wss://.")]
    if not parts.hostname:
        return [bad("The address names no host.")]
    if port == 0:
        return [bad("Port 0 can't be dialled.")]
    found = []
    if parts.username is not None or parts.password is not None:
        found.append(bad("Leave user name and password out of the address; there is a field for the password."))
    if parts.query or parts.fragment:
        found.append(bad("Many chargers cut an address at ? or #.", blocks=False))
    if len(url) > 500:
        found.append(bad("The address is longer than OCPP 1.6 can carry (500 characters)."))
    return found


def _identity_problems(url: str, identity: str) -> list[Problem]:
    def bad(message: str, *, blocks: bool = True) -> Problem:
        return Problem(field="identity", message=message, blocks=blocks)

    if not identity:
        return [bad("Type the identity under which the backend knows this charger.")]
    if any(ord(char) < 32 for char in identity) or "/" in identity:
        return [bad("The identity can't contain a slash or control characters.")]
    found = []
    if len(identity) > IDENTITY_LIMIT:
        found.append(bad(f"The identity is longer than {IDENTITY_LIMIT} characters."))
    if ":" in identity:
        found.append(bad("A colon is not allowed in an identity."))
    elif not SAFE_IDENTITY.match(identity):
        found.append(bad("Some backends refuse characters other than A-Z, 0-9, - and _.", blocks=False))
    if url.rstrip("/").endswith("/" + urllib.parse.quote(identity, safe="-_.~")):
        found.append(
            Problem(
                field="url",
                message="The address already ends with the identity; it would stand there twice.",
                blocks=False,
            )
        )
    return found


def _canonical(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    default = {"ws": 80, "wss": 443}.get(scheme)
    host = (parts.hostname or "").lower()
    return f"{scheme}://{host}:{port or default}{urllib.parse.unquote(parts.path)}?{parts.query}"

"""What a person types into a charger's own app, portal or page, and what the charger then dials. Pure.

The address a charger will dial is worked out from the very texts to type, by the family's join rule, and compared with
the backend's. Where the two differ, or a text does not fit, the guidance says so and ``is_possible`` is false.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.model.backend import Backend, JoinRule, Problem, SecurityProfile, check, dialled_url, redact_url
from app.model.profile import GuideField, Profile, UrlHabit

HEX40 = re.compile(r"[0-9A-Fa-f]{40}")
HEX40_BYTES = 20
"""40 hexadecimal digits stand for 20 bytes (OCA white paper "Improved security for OCPP 1.6-J", 7.2)."""

ADDRESS_FIELDS = frozenset({"url", "host", "host-port", "path", "port"})
URL_LIKE = frozenset({"url", "host", "host-port"})
"""Fields without which no guide can move a charger."""

DEFAULT_PORTS = {"ws": 80, "wss": 443}
RESTARTS = {
    "none": "It needs no restart.",
    "automatic": "It restarts by itself after saving.",
    "by-hand": "Restart it after saving.",
    "unknown": "Whether it restarts by itself is not known: restart it if it does not dial.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field to fill in. ``text`` is exactly what to type, and what a QR code carries; empty = leave it empty."""

    label: str
    holds: str
    text: str = field(repr=False)
    is_secret: bool = False
    is_file: bool = False
    """The text is the content of a file to choose, not to type."""
    note: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How one charger is brought to one backend by hand."""

    profile_id: str
    family: str
    tool: str = ""
    place: str = ""
    default_address: str = ""
    login: str = ""
    steps: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    restart: str = ""
    restart_s: float = 0.0
    patience_s: float = 0.0
    """Longest wait for its first dial; seconds."""
    dials: str = ""
    """The URL it will dial with these texts; empty where no field takes an address."""
    is_certain: bool = True
    """False where nobody told how the family joins address and identity: then ``dials`` is what it ought to be."""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Say whether these texts can bring it there."""
        return bool(self.dials) and not any(problem.blocks for problem in self.all_problems)

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """List the problems of the whole and of every line."""
        return (*self.problems, *(problem for line in self.lines for problem in line.problems))


def render(profile: Profile, backend: Backend, *, root_pem: str = "") -> Guidance:
    """Render what to type for this family; one that is not guided gets its address alone.

    Args:
        profile: the family.
        backend: where the charger is to dial.
        root_pem: the certificate the backend's chain ends in, for families that want it uploaded.
    """
    guide = profile.guide
    fields = guide.fields if guide is not None else (_address_field(profile),)
    lines = tuple(_line(item, profile.url, backend, root_pem) for item in fields)
    dials = _dialled(lines, profile.url, backend)
    problems = tuple(_problems(profile, backend, fields, dials))
    return Guidance(
        profile_id=profile.id,
        family=profile.family,
        tool=guide.tool if guide else "",
        place=guide.place if guide else "",
        default_address=guide.default_address if guide else "",
        login=guide.login if guide else "",
        steps=guide.steps if guide else profile.instructions,
        lines=lines,
        restart=RESTARTS[guide.restart] if guide else "",
        restart_s=profile.timing.restart_s,
        patience_s=profile.timing.patience_s,
        dials=dials,
        is_certain=profile.url is not None,
        notes=tuple(_notes(profile, backend, fields)),
        problems=problems,
    )


def _address_field(profile: Profile) -> GuideField:
    return GuideField(label="Backend address", holds="url", evidence=profile.evidence[0])


def _line(item: GuideField, habit: UrlHabit | None, backend: Backend, root_pem: str) -> Line:
    text = _text(item, habit, backend, root_pem)
    return Line(
        label=item.label,
        holds=item.holds,
        text=text,
        is_secret=item.holds == "secret",
        is_file=item.holds == "certificate" and bool(text),
        note=" ".join(part for part in (_hint(item, backend, text), item.note) if part),
        problems=tuple(_line_problems(item, habit, backend, text)),
    )


def _text(item: GuideField, habit: UrlHabit | None, backend: Backend, root_pem: str) -> str:
    match item.holds:
        case "url":
            return _typed_url(item.form, habit, backend)
        case "host" | "port" | "host-port" | "path":
            return _part(item.holds, _typed_url("", habit, backend), backend)
        case "identity":
            return backend.identity
        case "secret":
            return _secret(item.form, backend)
        case "certificate":
            return root_pem if backend.is_tls else ""
        case "subprotocol":
            return ("s" if item.form == "s-if-tls" and backend.is_tls else "") + "ocpp1.6"
    return item.value


def _typed_url(form: str, habit: UrlHabit | None, backend: Backend) -> str:
    """Return the address as this field wants it; by the join rule unless its form says otherwise."""
    rule = habit.join if habit is not None else JoinRule.APPEND_IF_MISSING
    if rule is JoinRule.AS_IS:
        url = backend.full_url
    elif form == "no-trailing-slash" or (rule is JoinRule.APPEND and form != "trailing-slash"):
        url = backend.url.removesuffix("/")
    else:
        url = backend.url if backend.url.endswith("/") else f"{backend.url}/"
    if form == "no-scheme":
        return url.partition("://")[2] or url
    return url


def _part(holds: str, url: str, backend: Backend) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 80)
    except ValueError:
        return ""
    host = backend.host
    if ":" in host:
        host = f"[{host}]"
    return {"host": host, "port": str(port), "host-port": f"{host}:{port}", "path": parts.path}[holds]


def _secret(form: str, backend: Backend) -> str:
    if backend.security_profile not in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        return ""
    secret = backend.secret.reveal()
    if form == "text" or not secret or (form == "hex40" and HEX40.fullmatch(secret)):
        return secret
    digits = secret.encode().hex()
    return digits.ljust(2 * HEX40_BYTES, "0") if form == "hex40" else digits


def _hint(item: GuideField, backend: Backend, text: str) -> str:
    if text or item.holds == "path":
        return ""
    if item.holds == "certificate":
        return "Choose the root certificate of the backend." if backend.is_tls else "Not needed without TLS."
    return "Leave this field empty." if item.holds == "secret" else ""


def _line_problems(item: GuideField, habit: UrlHabit | None, backend: Backend, text: str) -> Iterator[Problem]:
    limits = [item.limit, habit.limit if habit is not None and item.holds == "url" else None]
    limit = min((one for one in limits if one is not None), default=None)
    if limit is not None and len(text) > limit:
        yield Problem(field=item.holds, message=f"Too long: it keeps {limit} characters, this is {len(text)}.")
    if item.holds == "secret" and text:
        yield from _secret_problems(item.form, habit, backend)
    if item.holds == "certificate" and backend.is_tls and not text:
        message = "Have the root certificate of the backend at hand as a file."
        yield Problem(field="certificate", message=message, blocks=False)
    if item.holds == "url" and habit is not None and habit.join is JoinRule.AS_IS and _is_quoted(backend):
        message = "The identity holds characters that must be typed as %-codes in the address, as here."
        yield Problem(field="identity", message=message, blocks=False)


def _secret_problems(form: str, habit: UrlHabit | None, backend: Backend) -> Iterator[Problem]:
    is_digits = form == "hex40" and HEX40.fullmatch(backend.secret.reveal()) is not None
    size = HEX40_BYTES if is_digits else len(backend.secret.reveal().encode())
    limit = habit.secret_limit_bytes if habit is not None else None
    if limit is not None and size > limit:
        yield Problem(field="secret", message=f"Too long: it keeps a password of {limit} bytes, this has {size}.")
    if form != "hex40":
        return
    if is_digits:
        message = "Taken as the 20 bytes its 40 digits stand for: the backend must hold those."
        yield Problem(field="secret", message=message, blocks=False)
    elif size > HEX40_BYTES:
        yield Problem(field="secret", message=f"It takes 20 bytes as 40 digits; this password has {size}.")
    elif size < HEX40_BYTES:
        message = "Filled up with zeros to 40 digits: a password of exactly 20 characters leaves no doubt."
        yield Problem(field="secret", message=message, blocks=False)


def _is_quoted(backend: Backend) -> bool:
    return urllib.parse.quote(backend.identity, safe="-_.~") != backend.identity


def _dialled(lines: Sequence[Line], habit: UrlHabit | None, backend: Backend) -> str:
    """Work out what it dials from the texts alone (and the scheme, where no field takes one)."""
    base = _base({line.holds: line.text for line in lines if line.holds in ADDRESS_FIELDS}, backend)
    if not base:
        return ""
    identity = next((line.text for line in lines if line.holds == "identity"), backend.identity)
    return dialled_url(base, identity, habit.join if habit is not None else JoinRule.APPEND_IF_MISSING)


def _base(texts: dict[str, str], backend: Backend) -> str:
    scheme = backend.url.partition("://")[0]
    if texts.get("url"):
        url = texts["url"]
        return url if url.lower().startswith(("ws://", "wss://")) else f"{scheme}://{url}"
    host = texts.get("host-port") or texts.get("host", "")
    if not host:
        return ""
    if "port" in texts and "host-port" not in texts:
        host = f"{host}:{texts['port']}"
    return f"{scheme}://{host}{texts.get('path', '')}"


def _problems(profile: Profile, backend: Backend, fields: Sequence[GuideField], dials: str) -> Iterator[Problem]:
    yield from check(backend.url, backend.identity, profile=backend.security_profile, secret=backend.secret)
    scheme = backend.url.partition(":")[0].lower()
    if profile.url is not None and scheme in DEFAULT_PORTS and scheme not in profile.url.schemes:
        yield Problem(field="url", message=f"This model can't dial {scheme}://.")
    if profile.guide is not None:
        yield from _security_problems(backend, {item.holds for item in fields})
    if dials and not _same(dials, backend):
        message = f"With these fields it would dial {redact_url(dials)}, not {redact_url(backend.full_url)}."
        yield Problem(field="url", message=message)
    if not dials:
        yield Problem(field="url", message="No field for the address of a foreign backend is known.")


def _security_problems(backend: Backend, holds: set[str]) -> Iterator[Problem]:
    profile = backend.security_profile
    if profile is SecurityProfile.TLS_CLIENT:
        message = "It has no field that is known to take a client certificate (security profile 3)."
        yield Problem(field="security_profile", message=message)
    elif profile is not SecurityProfile.NONE and "secret" not in holds:
        message = "It has no field that is known to take a password."
        yield Problem(field="secret", message=message)


def _same(dials: str, backend: Backend) -> bool:
    """Compare whole URLs by target, whatever base and identity they were put together from."""
    return Backend(url=dials, identity="").same_target(Backend(url=backend.full_url, identity=""))


def _notes(profile: Profile, backend: Backend, fields: Sequence[GuideField]) -> Iterator[str]:
    habit = profile.url
    if habit is not None and habit.note:
        yield habit.note
    if habit is None:
        yield "How it joins address and identity is not known: what it really dials is seen when it arrives."
    has_identity = any(item.holds == "identity" for item in fields)
    if profile.guide is not None and not has_identity and (habit is None or habit.join is not JoinRule.AS_IS):
        yield "No field for the identity is known: it uses its own, so the backend must know it by that."
    if has_identity and _is_quoted(backend):
        yield "The identity holds characters that must be %-coded in an address; whether it does so is not known."

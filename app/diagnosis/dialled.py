"""Findings from the way a charger knocks and shakes hands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.diagnosis import decode
from app.diagnosis.naming import found
from app.model.experiment import PLAIN_INSTEAD_OF_TLS
from app.model.finding import Finding, Severity
from app.model.frame import Handshake, Knock

_URL_WORDS = {
    "no-identity": "it names no identity",
    "doubled": "the identity stands there twice",
    "double-slash": "two slashes follow each other",
    "trailing-slash": "it ends with a slash",
    "query": "something follows a ? or #",
}
_GLUED = re.compile(r"/(?:ocpp(?:j|16|1\.6)?|ws|steve|csms)([A-Z0-9][\w-]{2,})\Z")
"""A known service word and an identity without the slash between them: ``/ocppCP-1``."""
_WORDS = frozenset({"ocpp", "ocppj", "ocpp16", "ocpp1.6", "ws", "wss", "steve", "csms"})
_NUMBERED = re.compile(r"/\d{1,2}/[^/]+/?\Z")
"""A lone number before the identity: ``/ocpp/4/CP-1`` (failures 1)."""
_PROXY_HEADERS = frozenset({"via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "cf-ray"})
"""RFC 9110 §7.6.3, RFC 7239, and what nginx and Cloudflare add."""
SHOWN = 200
"""Characters of a header that are shown."""
SPOKEN = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")


def at_handshake(shake: Handshake) -> Iterator[Finding]:
    """Judge an upgrade request."""
    yield from _url(shake)
    yield from _subprotocol(shake)
    yield from _password(shake)
    yield from _user(shake)
    yield from _header(shake)
    yield from _spelling(shake)
    yield from _host(shake)
    yield from _middlebox(shake)


def at_knock(knock: Knock) -> Iterator[Finding]:
    """Judge a peer that did not become an OCPP connection."""
    if knock.verdict == "refused" or (knock.verdict == "version" and "no subprotocol" in knock.text):
        yield from _turned_away(knock)
        return
    judged = _KNOCKS.get(knock.verdict)
    if judged is None or (knock.verdict == "http" and _is_browser(knock)):
        return
    code, severity, case, label = judged
    _, meaning = decode.first(knock.first_bytes)
    first = f"{knock.first_bytes[:48].hex(' ')} ({meaning.text})"
    proofs = {"first bytes": first, "request line": _first_line(knock.first_bytes)}
    proof = (label, proofs.get(label) or knock.text)
    details = {"remote": knock.remote, "identity": knock.identity, "faults": knock.text.rstrip(".")}
    is_tls = knock.verdict == "tls"
    yield found(
        code,
        severity,
        proof,
        at=knock.at,
        case=case,
        alike=("PROFILE-RATCHET",) if is_tls else (),
        experiment=PLAIN_INSTEAD_OF_TLS if is_tls else None,
        details=details,
    )


_KNOCKS = {
    "tls": ("SCHEME-PORT", Severity.FAULT, "", "first bytes"),
    "soap": ("SOAP-LEGACY", Severity.FAULT, "", "request line"),
    "version": ("VERSION-MIX", Severity.FAULT, "", "offered"),
    "garbage": ("SCHEME-PORT", Severity.WARNING, "foreign", "first bytes"),
    "http": ("SCHEME-PORT", Severity.INFO, "http", "request line"),
    "http2": ("SCHEME-PORT", Severity.WARNING, "http2", "first bytes"),
    "slow": ("HS-HEADER", Severity.WARNING, "refused", "what is wrong"),
    "unfinished": ("HS-HEADER", Severity.INFO, "refused", "what is wrong"),
}
"""Verdict → code, severity, case and the label of the proof (connection-failures, "First bytes on our port")."""

_REFUSALS = (
    ("as an experiment asks", "", ""),
    ("names no identity", "URL-COMPOSE", ""),
    ("wants TLS", "SCHEME-PORT", "plain"),
    ("certificate", "AUTH-401", ""),
    ("HTTP Basic", "AUTH-401", ""),
    ("no subprotocol", "SUBPROTO-NONE", ""),
    ("", "HS-HEADER", "refused"),
)
"""What a strict listener says when it turns a unit away (``app.ocpp.strict``) → code and case."""


def _turned_away(knock: Knock) -> Iterator[Finding]:
    code, case = next((code, case) for words, code, case in _REFUSALS if words in knock.text)
    if not code:
        return
    line = _first_line(knock.first_bytes)
    why = knock.text.rstrip(".")
    details = {
        "remote": knock.remote,
        "identity": knock.identity or "no identity",
        "faults": why,
        "reading": why,
        "user": "see the request",
        "path": line.split(" ")[1] if line.count(" ") >= 2 else line or "an unreadable path",
        "offered": "nothing",
    }
    proofs = (("refused", why), ("request line", line or "unreadable"))
    yield found(code, Severity.WARNING, *proofs, at=knock.at, case=case, details=details)


def silent_knocks(knock: Knock, count: int) -> Finding:
    """Judge a peer that came ``count`` times without a byte."""
    return found(
        "SCHEME-PORT",
        Severity.INFO,
        ("connections without a byte", f"{count} from {_bare(knock.remote)}"),
        at=knock.at,
        case="empty",
        remote=_bare(knock.remote),
        count=str(count),
    )


def _url(shake: Handshake) -> Iterator[Finding]:
    faults = [_URL_WORDS[habit] for habit in shake.url_habits if habit in _URL_WORDS]
    path = shake.path.partition("?")[0]
    is_grave = bool(faults) and shake.url_habits != ("query",)
    if _is_glued(shake, path):
        faults.append("the identity is glued to the word before it")
        is_grave = True
    if _NUMBERED.search(path):
        faults.append("a number stands before the identity")
    if faults:
        yield found(
            "URL-COMPOSE",
            Severity.WARNING if is_grave else Severity.INFO,
            _line(shake),
            at=shake.at,
            path=shake.path,
            faults=", ".join(faults),
            identity=shake.identity,
        )


def _is_glued(shake: Handshake, path: str) -> bool:
    """Say whether the path lacks the slash before the identity; the login's user name proves it best."""
    user = shake.user or ""
    if user and shake.identity != user and shake.identity.removesuffix(user).lower() in _WORDS:
        return True
    return bool(_GLUED.search(path)) and path.count("/") == 1


def _subprotocol(shake: Handshake) -> Iterator[Finding]:
    if shake.chosen_subprotocol.lower() not in SPOKEN:
        offered = ", ".join(shake.subprotocols)[:SHOWN]
        yield found(
            "SUBPROTO-NONE",
            Severity.WARNING,
            ("Sec-WebSocket-Protocol", offered or "not sent"),
            at=shake.at,
            offered=offered or "nothing",
            identity=shake.identity,
        )


def _password(shake: Handshake) -> Iterator[Finding]:
    reading = shake.password_reading
    if reading in ("", "plain"):
        return
    is_wrong = reading in ("none", "wrong")
    words = {
        "none": "it sends no password",
        "wrong": "it sends another password than the one set for it",
        "hex": "it sends the password as hexadecimal text",
        "bytes": "it sends the bytes that the hexadecimal key stands for",
    }
    user = "no user name" if shake.user is None else f"user name “{shake.user}”"
    yield found(
        "AUTH-401",
        Severity.WARNING if is_wrong else Severity.INFO,
        ("Authorization", f"{user}; {words[reading]}"),
        at=shake.at,
        reading=words[reading],
        user=shake.user or "",
        identity=shake.identity,
    )


def _user(shake: Handshake) -> Iterator[Finding]:
    if shake.user is not None and shake.user != shake.identity and "no-identity" not in shake.url_habits:
        yield found(
            "AUTH-401",
            Severity.WARNING,
            ("Authorization", f"user name “{shake.user}”, identity “{shake.identity}”"),
            at=shake.at,
            case="user",
            user=shake.user or "an empty one",
            identity=shake.identity,
        )


def _header(shake: Handshake) -> Iterator[Finding]:
    if shake.deviations:
        yield found(
            "HS-HEADER",
            Severity.WARNING,
            _line(shake),
            *(("deviation", text) for text in shake.deviations),
            at=shake.at,
            faults="; ".join(shake.deviations),
            remote=shake.remote,
        )


def _spelling(shake: Handshake) -> Iterator[Finding]:
    odd = {"escaped", "unsafe", "long", "cut"} & set(shake.url_habits)
    if odd:
        yield found(
            "ID-SPELLING",
            Severity.WARNING if odd - {"long"} else Severity.INFO,
            _line(shake),
            at=shake.at,
            identity=shake.identity,
            path=shake.path,
        )


def _host(shake: Handshake) -> Iterator[Finding]:
    """Judge the Host header: it shows the host and port as typed into the charger."""
    host = _value(shake, "host")[:SHOWN]
    if _has_two_ports(host):
        yield found(
            "SCHEME-PORT",
            Severity.WARNING,
            ("Host", host),
            at=shake.at,
            case="port-twice",
            host=host,
            remote=shake.remote,
        )
    if host.partition(":")[0].lower().rstrip(".").endswith(".local"):
        yield found("DNS-FAIL", Severity.INFO, ("Host", host), at=shake.at, case="local", host=host.partition(":")[0])


def _has_two_ports(host: str) -> bool:
    before, _, port = host.rpartition(":")
    name, colon, other = before.rpartition(":")
    return bool(colon) and port.isdigit() and other.isdigit() and (":" not in name or name.endswith("]"))


def _middlebox(shake: Handshake) -> Iterator[Finding]:
    seen = [f"{name}: {value[:80]}" for name, value in shake.headers if name.lower() in _PROXY_HEADERS]
    if seen:
        yield found(
            "PROXY-CDN",
            Severity.INFO,
            *(("header", line) for line in seen[:4]),
            at=shake.at,
            case="here",
            headers="; ".join(seen[:4]),
            identity=shake.identity,
        )


def _value(shake: Handshake, name: str) -> str:
    return next((value for key, value in shake.headers if key.lower() == name), "")


def _line(shake: Handshake) -> tuple[str, str]:
    return ("request line", shake.request_line)


def _first_line(data: bytes) -> str:
    return data.split(b"\r\n", 1)[0][:200].decode("latin-1")


def _is_browser(knock: Knock) -> bool:
    return b"mozilla/" in knock.first_bytes.lower() or b"curl/" in knock.first_bytes.lower()


def _bare(remote: str) -> str:
    return remote.rpartition(":")[0] or remote

"""Findings from the way a charger knocks and shakes hands. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Handshake, Knock

_URL_WORDS = {
    "no-identity": "it names no identity",
    "doubled": "the identity stands there twice",
    "double-slash": "two slashes follow each other",
    "trailing-slash": "it ends with a slash",
    "query": "something follows a ? or #",
}


def at_handshake(shake: Handshake) -> Iterator[Finding]:
    """Judge an upgrade request."""
    yield from _url(shake)
    yield from _subprotocol(shake)
    yield from _password(shake)
    yield from _header(shake)
    yield from _spelling(shake)


def at_knock(knock: Knock) -> Iterator[Finding]:
    """Judge a peer that did not become an OCPP connection."""
    first = Evidence(label="first bytes", text=knock.first_bytes[:48].hex(" "), at=knock.at)
    details = {"remote": knock.remote, "identity": knock.identity}
    if knock.verdict == "tls":
        yield Finding(code="SCHEME-PORT", severity=Severity.FAULT, evidence=(first,), details=details, at=knock.at)
    elif knock.verdict == "soap":
        line = Evidence(label="request line", text=_first_line(knock.first_bytes), at=knock.at)
        yield Finding(code="SOAP-LEGACY", severity=Severity.FAULT, evidence=(line,), details=details, at=knock.at)
    elif knock.verdict == "version":
        line = Evidence(label="offered", text=knock.text, at=knock.at)
        yield Finding(code="VERSION-MIX", severity=Severity.FAULT, evidence=(line,), details=details, at=knock.at)


def _url(shake: Handshake) -> Iterator[Finding]:
    faults = [_URL_WORDS[habit] for habit in shake.url_habits if habit in _URL_WORDS]
    if faults:
        yield Finding(
            code="URL-COMPOSE",
            severity=Severity.INFO if shake.url_habits == ("query",) else Severity.WARNING,
            evidence=(_line(shake),),
            details={"path": shake.path, "faults": ", ".join(faults), "identity": shake.identity},
        )


def _subprotocol(shake: Handshake) -> Iterator[Finding]:
    if not shake.chosen_subprotocol or shake.chosen_subprotocol.lower() != "ocpp1.6":
        offered = ", ".join(shake.subprotocols)
        yield Finding(
            code="SUBPROTO-NONE",
            severity=Severity.WARNING,
            evidence=(Evidence(label="Sec-WebSocket-Protocol", text=offered or "not sent", at=shake.at),),
            details={"offered": offered or "nothing"},
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
    yield Finding(
        code="AUTH-401",
        severity=Severity.WARNING if is_wrong else Severity.INFO,
        evidence=(Evidence(label="Authorization", text=f"{user}; {words[reading]}", at=shake.at),),
        details={"reading": words[reading], "user": shake.user or "", "identity": shake.identity},
    )


def _header(shake: Handshake) -> Iterator[Finding]:
    if shake.deviations:
        yield Finding(
            code="HS-HEADER",
            severity=Severity.WARNING,
            evidence=(_line(shake), *(Evidence(label="deviation", text=text) for text in shake.deviations)),
            details={"faults": "; ".join(shake.deviations)},
        )


def _spelling(shake: Handshake) -> Iterator[Finding]:
    odd = {"escaped", "unsafe", "long", "cut"} & set(shake.url_habits)
    if odd:
        yield Finding(
            code="ID-SPELLING",
            severity=Severity.WARNING if odd - {"long"} else Severity.INFO,
            evidence=(_line(shake),),
            details={"identity": shake.identity, "path": shake.path},
        )


def _line(shake: Handshake) -> Evidence:
    return Evidence(label="request line", text=shake.request_line, at=shake.at)


def _first_line(data: bytes) -> str:
    return data.split(b"\r\n", 1)[0][:200].decode("latin-1")

"""What is answered to peers that do not open a WebSocket, and in which words they are shown. Pure."""

from __future__ import annotations

import html
import http
import re

from app.model.frame import Handshake
from app.model.observation import TlsEnd, TlsFailed
from app.ocpp.hello import is_ssl2
from app.ocpp.request import Request
from app.ocpp.tlsnames import ALERT_WORDS, ALERTS, ON_CERTIFICATE, REFUSALS

_METHOD = re.compile(rb"[A-Za-z]{1,16}( |\Z)")
_LONGEST_METHOD = 17
SILENT = "It connected and said nothing."
_GOAWAY = bytes.fromhex("000000 04 00 00000000" + "000008 07 00 00000000" + "00000000 0000000d")
"""An empty SETTINGS frame and a GOAWAY with HTTP_1_1_REQUIRED (RFC 9113 §3.4, §6.8, §7)."""


def first_look(data: bytes | bytearray) -> tuple[str, str] | None:
    """Judge a peer by its first bytes: verdict and text, or ``None`` while it may still be an HTTP request.

    First bytes by connection-failures, "First bytes on our port".
    """
    if not data or _METHOD.match(data[:_LONGEST_METHOD]):
        if data.startswith(b"PRI * HTTP/2"):
            return "http2", "It speaks HTTP/2. OCPP needs HTTP/1.1 for its WebSocket."
        return None
    if data[0] == 0x16:
        return (
            "tls",
            "This charger tries TLS (wss) here, but this endpoint speaks plain ws. "
            "Change wss:// to ws:// in its address.",
        )
    if is_ssl2(bytes(data[:8])):
        return (
            "tls",
            "It tries SSL 2, which nobody speaks any more. Its firmware is too old for TLS; use ws:// in its address.",
        )
    return "garbage", "It sent bytes that are neither HTTP nor TLS. Check that it speaks OCPP over JSON (OCPP-J)."


def unfinished(data: bytes) -> tuple[str, str]:
    """Describe a peer that left, or ran out of time, before its request was complete."""
    if not data:
        return "empty", "It connected and left without a word: a port check, or a charger that wants TLS."
    return "unfinished", "Its request stopped in the middle."


def tls_alert(number: int) -> bytes:
    """Write a fatal TLS alert in the clear, so that the charger's own log shows a reason (RFC 8446 §6)."""
    return bytes((0x15, 3, 1, 0, 2, 2, number))


def last_words(verdict: str) -> bytes:
    """Return what is answered, in its own language, to a peer that we do not go on with."""
    return {"tls": tls_alert(40), "http2": _GOAWAY}.get(verdict, b"")


def tls_failed(failed: TlsFailed) -> str:
    """Say in words how TLS came to nothing."""
    if failed.end is TlsEnd.ALERT_FROM_UNIT:
        number = failed.alert if failed.alert is not None else -1
        name = ALERTS.get(number, "unknown").replace("_", " ").replace("ca", "CA" if number == 48 else "ca")
        what = "rejected our certificate" if number in ON_CERTIFICATE else "broke off TLS"
        return f"The charger {what}: {name} (alert {number}). {ALERT_WORDS.get(number, '')}".strip()
    if failed.end is TlsEnd.REFUSED_BY_US:
        why = failed.reason.removeprefix("CERTIFICATE_VERIFY_FAILED: ")
        if why != failed.reason:
            return f"We refused its client certificate: {why}."
        return f"We refused it in TLS: {REFUSALS.get(why, why.replace('_', ' ').lower())}."
    seen = {
        "": "before our answer",
        "ServerHello": "after our first answer",
        "Certificate": "after it saw our certificate, without saying why: it probably does not trust it",
        "Finished": "although TLS was agreed: some look only then whether they trust our certificate and know its name",
    }[failed.after]
    if failed.end is TlsEnd.SILENT:
        return f"It fell silent in the middle of TLS {seen.partition(',')[0]}."
    return f"In TLS, {failed.reason} {seen}."


def accepted(shake: Handshake, extensions: str) -> str:
    """Say who came in, and that we take up no compression (OCPP-J 1.6 §5.1)."""
    how = f" over {shake.tls.version}" if shake.tls else ""
    offer = " It offers compression, which is not taken up." if "permessage-deflate" in extensions.lower() else ""
    return f"Connected as “{shake.identity}”{how}.{offer}"


def plain(request: Request, local: str, *, is_secure: bool = False) -> tuple[str, str, bytes]:
    """Answer HTTP that is no upgrade: verdict, text and the bytes of a page that helps."""
    kind = request.get("Content-Type").lower()
    if request.method == "POST" and ("soap" in kind or "xml" in kind or request.get("SOAPAction")):
        text = "It speaks OCPP over SOAP. Choose “OCPP 1.6 JSON” (OCPP-J) in its menu, if its firmware has it."
        return "soap", text, answer(415, _fault(text), kind="application/soap+xml; charset=utf-8")
    scheme, web = ("wss", "https") if is_secure else ("ws", "http")
    text = f"It sent plain HTTP (a browser, or a charger with {web}:// in its address). Use {scheme}:// in the address."
    page = _page(f"{scheme}://{local}/")
    return "http", text, answer(426, page, kind="text/html; charset=utf-8", extra="Upgrade: websocket\r\n")


def switching(accept: str, subprotocol: str) -> bytes:
    """Write the 101 answer (RFC 6455 §4.2.2); no subprotocol header where none was agreed (OCPP-J 1.6 §3.2)."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def answer(status: int, text: str, *, kind: str = "text/plain; charset=utf-8", extra: str = "") -> bytes:
    """Write a complete HTTP answer that closes the connection."""
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {_phrase(status)}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def _fault(text: str) -> str:
    """Write a SOAP 1.2 fault, so that the charger's own log shows the reason (SOAP 1.2 part 1 §5.4)."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason>"
        f'<s:Text xml:lang="en">{html.escape(text)}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>'
    )


def _page(address: str) -> str:
    url = html.escape(address)
    return (
        "<!doctype html><title>Rehome endpoint</title><h1>This is Rehome’s OCPP endpoint</h1>"
        "<p>It works. Chargers reach it with OCPP 1.6, 2.0.1 or 2.1 over JSON; a browser can’t.</p>"
        f"<p>Type this address into the charger: <code>{url}</code> "
        "(most chargers append a slash and their identity by themselves).</p>"
    )

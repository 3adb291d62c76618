"""What is answered to peers that do not open a WebSocket, and in which words they are shown. Pure."""

from __future__ import annotations

import html
import http
import re

from app.ocpp.handshake import Request

_METHOD = re.compile(rb"[A-Za-z]{1,16}( |\Z)")
_LONGEST_METHOD = 17


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
    return "garbage", "It sent bytes that are neither HTTP nor TLS. Check that it speaks OCPP over JSON (OCPP-J)."


def unfinished(data: bytes) -> tuple[str, str]:
    """Describe a peer that left, or ran out of time, before its request was complete."""
    if not data:
        return "empty", "It connected and left without a word: a port check, or a charger that wants TLS."
    return "unfinished", "Its request stopped in the middle."


def plain(request: Request, local: str) -> tuple[str, str, bytes]:
    """Answer HTTP that is no upgrade: verdict, text and the bytes of a page that helps."""
    kind = request.get("Content-Type").lower()
    if request.method == "POST" and ("soap" in kind or "xml" in kind or request.get("SOAPAction")):
        text = "It speaks OCPP over SOAP. Choose “OCPP 1.6 JSON” (OCPP-J) in its menu, if its firmware has it."
        return "soap", text, answer(415, text)
    text = "It sent plain HTTP (a browser, or a charger with http:// in its address). Use ws:// in the address."
    return "http", text, answer(426, _page(local), kind="text/html; charset=utf-8", extra="Upgrade: websocket\r\n")


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
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _page(local: str) -> str:
    url = html.escape(f"ws://{local}/")
    return (
        "<!doctype html><title>Rehome endpoint</title><h1>This is Rehome’s OCPP endpoint</h1>"
        "<p>It works. Chargers reach it with OCPP 1.6 over JSON; a browser can’t.</p>"
        f"<p>Type this address into the charger: <code>{url}</code> "
        "(most chargers append a slash and their identity by themselves).</p>"
    )

"""Dial a backend as a charger would, and name what its answer means (connection-failures, "Decode tables")."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
import urllib.parse
from dataclasses import dataclass

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI, ProtocolError
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from app.model.secret import Secret

CONNECT_S = 8.0
ANSWER_S = 8.0
LIMIT = 65_536
"""Bytes of an answer that are read at most."""

OCPP16 = Subprotocol("ocpp1.6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the backend did. ``verdict``: accepted, refused, unreachable, odd. ``code`` names a catalogued failure."""

    verdict: str
    text: str
    code: str = ""
    lines: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Say whether it took the identity."""
        return self.verdict == "accepted"


async def ask(url: str, *, identity: str, secret: Secret) -> Answer:
    """Make a WebSocket handshake with ``ocpp1.6`` and Basic auth, hang up, and judge the answer.

    Never raises for what the backend or the network does; the password stands in no result.
    """
    try:
        async with asyncio.timeout(CONNECT_S + ANSWER_S):
            return await _ask(url, identity, secret)
    except TimeoutError:
        return Answer(
            verdict="unreachable", text=f"The backend did not answer within {CONNECT_S + ANSWER_S:.0f} s from here."
        )
    except socket.gaierror as error:
        host = urllib.parse.urlsplit(url).hostname or url
        text = f"The name “{host}” can't be resolved from this computer."
        return Answer(verdict="unreachable", text=text, code="BACKEND-DNS", lines=(str(error),))
    except ssl.SSLError as error:
        return _tls(error)
    except (ConnectionResetError, ConnectionAbortedError) as error:
        return judged(None, None, error, secret)
    except OSError as error:
        text = "The backend can't be reached from this computer. That may be only because it is offline here."
        return Answer(verdict="unreachable", text=text, lines=(str(error),))
    except (InvalidHandshake, InvalidURI, ProtocolError, EOFError, ValueError) as error:
        text = "What answers there is not a WebSocket server."
        return Answer(verdict="odd", text=text, code="BACKEND-SCHEME", lines=_lines(error))


async def _ask(url: str, identity: str, secret: Secret) -> Answer:
    uri = parse_uri(url)
    protocol = ClientProtocol(uri, subprotocols=[OCPP16], max_size=LIMIT, logger=_mute())
    request = protocol.connect()
    if secret:
        pair = f"{identity}:{secret.reveal()}".encode()
        request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    protocol.send_request(request)
    async with asyncio.timeout(CONNECT_S):
        context = ssl.create_default_context() if uri.secure else None
        reader, writer = await asyncio.open_connection(uri.host, uri.port, ssl=context)
    try:
        writer.write(b"".join(protocol.data_to_send()))
        async with asyncio.timeout(ANSWER_S):
            response = await _receive(protocol, reader)
        answer = judged(response, protocol.subprotocol, protocol.handshake_exc, secret)
        if answer.is_good:
            protocol.send_close(1000)
            writer.write(b"".join(protocol.data_to_send()))
        return answer
    finally:
        writer.close()
        try:
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        except (TimeoutError, OSError, ssl.SSLError):
            writer.transport.abort()


def _mute() -> logging.Logger:
    """Return a logger that says nothing: at level DEBUG the library's own would write the login line."""
    logger = logging.Logger("backend check")
    logger.disabled = True
    return logger


async def _receive(protocol: ClientProtocol, reader: asyncio.StreamReader) -> Response | None:
    """Feed the protocol until the answer is complete; ``None`` where the peer hung up before."""
    received = 0
    while True:
        data = await reader.read(4096)
        received += len(data)
        if data and received <= LIMIT:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        response = next((event for event in protocol.events_received() if isinstance(event, Response)), None)
        if response is not None or not data or received > LIMIT:
            return response


def judged(response: Response | None, subprotocol: str | None, failure: Exception | None, secret: Secret) -> Answer:
    """Name what an answer to an upgrade request means."""
    if response is None:
        text = "The backend hung up without a word. Does it want wss:// there?"
        return Answer(verdict="odd", text=text, code="BACKEND-SCHEME", lines=_lines(failure))
    lines = _response_lines(response, secret)
    status = response.status_code
    if status == 101 and failure is not None:
        return Answer(verdict="odd", text="The backend's upgrade answer is broken.", code="BACKEND-PROXY", lines=lines)
    if status == 101 and not subprotocol:
        text = "The backend took the connection but did not agree on OCPP 1.6: chargers are told to hang up then."
        return Answer(verdict="refused", text=text, code="BACKEND-VERSION", lines=lines)
    if status == 101:
        return Answer(verdict="accepted", text="The new backend takes this identity from this computer.", lines=lines)
    text, code = _STATUS.get(status, ("The backend refused.", ""))
    if _is_middlebox(response) and status in (400, 426):
        text, code = "A proxy in front of the backend did not pass the WebSocket on.", "BACKEND-PROXY"
    return Answer(verdict="refused", text=f"{text.removesuffix('.')} (HTTP {status}).", code=code, lines=lines)


_STATUS = {
    400: ("The backend does not take this identity's spelling, the OCPP version or the login.", "BACKEND-SPELLING"),
    401: ("The backend refuses the password, wants one, or wants wss://.", "BACKEND-LOGIN"),
    403: ("The backend refuses this identity.", "BACKEND-LOGIN"),
    404: ("The backend does not know this identity, or the path is wrong.", "BACKEND-UNKNOWN"),
    426: ("The backend asks for another protocol version.", "BACKEND-VERSION"),
    500: ("The backend failed; some answer an unregistered identity so.", "BACKEND-UNKNOWN"),
    503: ("The backend is busy, or still holds an old connection of this identity.", "BACKEND-BUSY"),
}
"""connection-failures, "HTTP answer to an upgrade"."""


def _is_middlebox(response: Response) -> bool:
    server = response.headers.get("Server", "").lower()
    return any(name in server for name in ("nginx", "cloudflare", "cloudfront", "varnish", "akamai"))


def _response_lines(response: Response, secret: Secret) -> tuple[str, ...]:
    head = f"HTTP {response.status_code} {response.reason_phrase}"
    shown = [f"{name}: {value}" for name, value in response.headers.raw_items() if name.lower() in _TELLING]
    body = (response.body or b"")[:200].decode("utf-8", "replace").strip()
    return tuple(secret.redact(line)[:300] for line in (head, *shown, body) if line)


_TELLING = frozenset({"server", "sec-websocket-protocol", "www-authenticate", "location", "via"})


def _lines(failure: Exception | None) -> tuple[str, ...]:
    return (f"{type(failure).__name__}: {failure}"[:300],) if failure is not None else ()


def _tls(error: ssl.SSLError) -> Answer:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"This computer does not trust the backend's certificate: {error.verify_message}"
        return Answer(verdict="refused", text=text, code="BACKEND-TLS", lines=(str(error)[:300],))
    if "WRONG_VERSION_NUMBER" in str(error):
        text = "The backend does not speak TLS there: ws:// instead of wss://?"
        return Answer(verdict="odd", text=text, code="BACKEND-SCHEME", lines=(str(error)[:300],))
    text = "The TLS connection to the backend failed."
    return Answer(verdict="refused", text=text, code="BACKEND-TLS", lines=(str(error)[:300],))

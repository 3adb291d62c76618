"""Dial a backend as a charger would, and name what its answer means (connection-failures, "Decode tables").

Where the answer is 404 two more handshakes tell a wrong path from an unknown identity; they never carry the password.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import socket
import ssl
import urllib.parse
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI, ProtocolError
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from app.diagnosis import thresholds, tls
from app.errors import BadCertificate, NotReachable
from app.jobs import verdicts
from app.jobs.verdicts import SHOWN, Answer, Reply
from app.model.finding import Finding
from app.model.secret import Secret
from app.model.triage import Answering
from app.trust.describe import describe

CONNECT_S = 8.0
ANSWER_S = 8.0
LINGER_S = 0.2
"""How long a backend that took us may hang up at once [OURS]."""
LIMIT = 65_536
"""Bytes of an answer that are read at most."""

GONE = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""What a resolver says that answers, and knows no such name (RFC 3493 §6.1)."""

SUBPROTOCOLS = {version: Subprotocol(f"ocpp{version}") for version in ("1.6", "2.0.1", "2.1")}


@dataclass(slots=True)
class _Visit:
    """One handshake. ``close`` is what a backend said that hung up at once."""

    response: Response | None
    subprotocol: str | None
    failure: Exception | None
    close: tuple[int, str] | None = None
    findings: tuple[Finding, ...] = ()


async def ask(url: str, *, identity: str, secret: Secret, version: str = "1.6") -> Answer:
    """Make a WebSocket handshake for an OCPP version (``1.6``, ``2.0.1``, ``2.1``) and Basic auth, judge the answer.

    It hangs up at once. Never raises for what the backend or the network does; the password stands in no result.
    """
    offered = SUBPROTOCOLS.get(version, SUBPROTOCOLS["1.6"])
    answer = replace(await _asked(url, identity, secret, offered), offered=offered)
    if answer.code == "ID-UNKNOWN" and answer.lines[:1] and answer.lines[0].startswith("HTTP 404"):
        return await _told_apart(url, answer, offered)
    return answer


async def _asked(url: str, identity: str, secret: Secret, offered: Subprotocol) -> Answer:
    try:
        async with asyncio.timeout(CONNECT_S + ANSWER_S):
            visit = await _visit(url, identity, secret, offered)
            return _judged(visit, secret, offered)
    except TimeoutError:
        return Answer(
            verdict="unreachable", text=f"The backend did not answer within {CONNECT_S + ANSWER_S:.0f} s from here."
        )
    except socket.gaierror as error:
        host = urllib.parse.urlsplit(url).hostname or url
        text = f"The name “{host}” can't be resolved from this computer."
        return Answer(verdict="unreachable", text=text, code="DNS-FAIL", case="", lines=(str(error),))
    except ssl.SSLError as error:
        return verdicts.tls_failure(error)
    except (ConnectionResetError, ConnectionAbortedError) as error:
        return verdicts.judged(None, None, error, secret)
    except OSError as error:
        text = "The backend can't be reached from this computer. That may be only because it is offline here."
        return Answer(verdict="unreachable", text=text, lines=(str(error),))
    except (InvalidHandshake, InvalidURI, ProtocolError, EOFError, ValueError) as error:
        text = "What answers there is not a WebSocket server."
        return Answer(verdict="odd", text=text, code="SCHEME-PORT", lines=verdicts.error_lines(error))


def _judged(visit: _Visit, secret: Secret, offered: str) -> Answer:
    answer = verdicts.judged(visit.response, visit.subprotocol, visit.failure, secret, offered)
    if answer.is_good and visit.close is not None:
        answer = verdicts.hung_up(*visit.close, answer.lines, secret)
    return replace(answer, others=visit.findings)


async def _told_apart(url: str, first: Answer, offered: Subprotocol) -> Answer:
    """Ask for an identity and for a path that nobody has, without a password; at most these two more handshakes."""
    strange = f"REHOME-TEST-{secrets.token_hex(4).upper()}"
    parts = urllib.parse.urlsplit(url)
    base = parts.path.rpartition("/")[0]
    by_identity = parts._replace(path=f"{base}/{strange}").geturl()
    by_path = parts._replace(path=f"/rehome-test-{secrets.token_hex(4)}/{strange}").geturl()
    try:
        async with asyncio.timeout(CONNECT_S + ANSWER_S):
            replies = [
                Reply.of(
                    (await _visit(asked, strange, Secret(""), offered)).response,
                    asked,
                    urllib.parse.urlsplit(asked).path,
                    strange,
                )
                for asked in (by_identity, by_path)
            ]
    except (TimeoutError, OSError, InvalidHandshake, ProtocolError, EOFError, ValueError):
        return replace(first, case="", alike=("URL-COMPOSE",), experiment="nonsense-identity")
    return replace(verdicts.told_apart(first, *replies), others=first.others, offered=offered)


async def reply(url: str, *, version: str = "1.6") -> Reply:
    """Make a WebSocket handshake for an OCPP version without a password, hang up, and return the answer to compare.

    Raises NotReachable where none came.
    """
    path = urllib.parse.urlsplit(url).path
    try:
        async with asyncio.timeout(CONNECT_S + ANSWER_S):
            visit = await _visit(url, path.rpartition("/")[2], Secret(""), SUBPROTOCOLS[version])
    except (OSError, InvalidHandshake, InvalidURI, ProtocolError, EOFError, ValueError) as error:
        said = str(error) or type(error).__name__
        text = f"The backend did not answer: {said[:SHOWN]}."
        raise NotReachable(text, "Check its address, then try again.") from error
    return Reply.of(visit.response, url, path, path.rpartition("/")[2])


async def answering(url: str) -> Answering:
    """Ask whether a charger's backend still answers, under an identity nobody has: its own session is left alone.

    An answer that a WebSocket server gives to a stranger (101, 400, 401, 403, 404, 426) counts as life. Where nothing
    comes, only a name that is known to be gone or a refused connection is a “no”; all else may be this computer's
    own lack of internet.
    """
    strange = f"REHOME-TEST-{secrets.token_hex(4).upper()}"
    asked = f"{url.rstrip('/')}/{strange}"
    try:
        async with asyncio.timeout(CONNECT_S + ANSWER_S):
            response = (await _visit(asked, strange, Secret(""), SUBPROTOCOLS["1.6"])).response
    except socket.gaierror as error:
        return Answering.NO if error.errno in GONE else Answering.CANT_TELL
    except ConnectionRefusedError:
        return Answering.NO
    except ssl.SSLError:
        return Answering.REFUSES
    except (ConnectionResetError, InvalidHandshake, InvalidURI, ProtocolError, EOFError, ValueError):
        return Answering.REFUSES
    except OSError:
        return Answering.CANT_TELL
    alive = response is not None and response.status_code in (101, 400, 401, 403, 404, 426)
    return Answering.YES if alive else Answering.REFUSES


async def _visit(url: str, identity: str, secret: Secret, offered: Subprotocol) -> _Visit:
    uri = parse_uri(url)
    protocol = ClientProtocol(uri, subprotocols=[offered], max_size=LIMIT, logger=_mute())
    request = protocol.connect()
    if secret:
        pair = f"{identity}:{secret.reveal()}".encode()
        request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    protocol.send_request(request)
    async with asyncio.timeout(CONNECT_S):
        beside = await _looked_up(uri)
        context = ssl.create_default_context() if uri.secure else None
        reader, writer = await asyncio.open_connection(uri.host, uri.port, ssl=context)
    try:
        writer.write(b"".join(protocol.data_to_send()))
        async with asyncio.timeout(ANSWER_S):
            response = await _receive(protocol, reader)
        visit = _Visit(response, protocol.subprotocol, protocol.handshake_exc, findings=(*beside, *_expiry(writer)))
        if response is not None and response.status_code == 101 and protocol.subprotocol:
            visit.close = await _close_at_once(protocol, reader)
            if visit.close is None:
                protocol.send_close(1000)
            writer.write(b"".join(protocol.data_to_send()))
        return visit
    finally:
        writer.close()
        try:
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        except (TimeoutError, OSError, ssl.SSLError):
            writer.transport.abort()


async def _looked_up(uri: WebSocketURI) -> tuple[Finding, ...]:
    """Look the name up, as a charger would have to."""
    if tls.is_address(uri.host):
        return ()
    found = await asyncio.get_running_loop().getaddrinfo(uri.host, uri.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if found and all(entry[0] == socket.AF_INET6 for entry in found):
        return (verdicts.ipv6_only(uri.host, addresses),)
    return ()


def _expiry(writer: asyncio.StreamWriter) -> tuple[Finding, ...]:
    session = writer.get_extra_info("ssl_object")
    data = session.getpeercert(True) if session is not None else None
    try:
        return tuple(tls.expiry(describe(data), datetime.now(UTC), thresholds.standard())) if data else ()
    except BadCertificate:
        return ()


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


async def _close_at_once(protocol: ClientProtocol, reader: asyncio.StreamReader) -> tuple[int, str] | None:
    """Give a backend that took us a moment to think better of it; what it then said, else ``None``."""
    try:
        async with asyncio.timeout(LINGER_S):
            while protocol.close_rcvd is None:
                data = await reader.read(4096)
                if not data:
                    return (1006, "")
                protocol.receive_data(data)
    except (TimeoutError, OSError):
        return None
    return (protocol.close_rcvd.code, protocol.close_rcvd.reason)

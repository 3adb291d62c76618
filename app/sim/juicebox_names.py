"""How a simulated JuiceBox looks names up and asks its directory: a real DNS question, a real TLS connection.

Sources: home-assistant/core issue 86588, JuiceRescue/juicepassproxy PR 69 (boot sequence), issues 116 (the directory's
answer), 93 (the root file ``godaddy_ca.pem``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

DEFAULT = ("jbv1.emotorwerks.com", 8042)
DIRECTORY = "directory-api.emotorwerks.com"
PATH = "/v1/profiles/juicebox/{}/"
ANSWER_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the directory says of a box: where to send, and whether sealed."""

    host: str
    port: int
    encrypts: bool


class _Asking(asyncio.DatagramProtocol):
    """One question: whatever comes back first ends it."""

    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)


async def resolved(name: str, server: tuple[str, int] | None, *, timeout_s: float) -> str:
    """Ask a DNS server for an A record; an IP address is its own answer. Empty where there is none."""
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        if server is None:
            return ""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Asking(answer), remote_addr=server
    )
    question = DNSRecord.question(name, "A")
    try:
        transport.sendto(question.pack())
        async with asyncio.timeout(timeout_s):
            found = DNSRecord.parse(await answer)
    except (OSError, TimeoutError, DNSError):
        return ""
    finally:
        transport.abort()
    if found.header.id != question.header.id or found.header.rcode != RCODE.NOERROR:
        return ""
    return next((str(item.rdata) for item in found.rr if item.rtype == QTYPE.A), "")


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return how the unit checks its directory: against one root file, or (``None``) not at all."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def directed(
    address: str, port: int, serial: str, context: ssl.SSLContext, *, timeout_s: float
) -> Profile | None:
    """Ask the directory at an address for this box's profile; ``None`` where it gives none."""
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=DIRECTORY)
            lines = [f"GET {PATH.format(serial)} HTTP/1.1", f"Host: {DIRECTORY}", "Connection: close", "", ""]
            writer.write("\r\n".join(lines).encode("ascii"))
            return _profile(await _whole(reader))
    except (OSError, TimeoutError, ValueError):
        return None
    finally:
        if writer is not None:
            writer.transport.abort()


async def _whole(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) < ANSWER_LIMIT and (part := await reader.read(ANSWER_LIMIT)):
        answer += part
    return answer


def _profile(answer: bytes) -> Profile | None:
    """Read the answer as issue 116 shows it. Raises ValueError where it is not JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
        return None
    found = json.loads(body)
    host, _, port = str(found.get("device_udp_endpoint", "")).rpartition(":")
    if not host or not port.isdecimal():
        return None
    return Profile(host=host, port=int(port), encrypts=found.get("encrypt") in ("true", True))

"""Addresses a person types: what they mean, and where a name leads."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import urllib.parse
from dataclasses import replace

from app.errors import AppError, NotReachable
from app.model.address import Address, NetAddress, SerialAddress

RESOLVE_S = 4.0
HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?\Z")
COM = re.compile(r"com(\d{1,3})\Z", re.IGNORECASE)
EXAMPLES = "Type an address like 192.168.1.43, 192.168.1.43:8080, [fe80::1%3]:80, openevse.local, COM5 or /dev/ttyUSB0."


def parse(text: str) -> tuple[Address, bool]:
    """Read an address; the flag says whether a port was given. Raises AppError with advice."""
    plain = text.strip()
    if not plain:
        raise AppError("There is no address.", EXAMPLES)
    if len(plain) > 300 or any(ord(char) < 32 for char in plain):
        raise AppError("This is not an address.", EXAMPLES)
    if plain.startswith("/dev/") and ".." not in plain:
        return SerialAddress(port=plain), True
    if com := COM.match(plain):
        return SerialAddress(port=f"COM{com[1]}"), True
    return _net(plain)


def _net(text: str) -> tuple[NetAddress, bool]:
    scheme = "http"
    if "://" in text:
        scheme, _, text = text.partition("://")
        scheme = scheme.lower()
        if scheme in ("ws", "wss"):
            raise AppError(
                "This is a backend's address, not a charger's.", "Type the address of the charger's own web page."
            )
        if scheme not in ("http", "https"):
            raise AppError(f"“{scheme}://” is not a charger's address.", EXAMPLES)
    text = text.split("/", 1)[0].rpartition("@")[2]
    host, port = _split(text)
    if not _is_host(host):
        raise AppError(f"“{text}” is not an address.", EXAMPLES)
    default = 443 if scheme == "https" else 80
    return NetAddress(host=host.rstrip("."), port=port or default, scheme=scheme), port is not None


def _split(text: str) -> tuple[str, int | None]:
    if text.count(":") > 1 and not text.startswith("["):
        return text, None
    try:
        parts = urllib.parse.urlsplit(f"//{text.replace('%', '%25')}")
        port = parts.port
    except ValueError as error:
        raise AppError(f"“{text}” is not an address: check the port and the brackets.", EXAMPLES) from error
    if port == 0:
        raise AppError("Port 0 can't be asked.", EXAMPLES)
    return (parts.hostname or "").replace("%25", "%"), port


def _is_host(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # 1.2.3.400 is a slip of the finger, not a name.
        return HOST.match(host) is not None and re.fullmatch(r"[\d.]+", host) is None
    return not (address.is_unspecified or address.is_multicast)


async def resolve(address: NetAddress) -> NetAddress:
    """Look a name up, IPv4 preferred. Raises NotReachable when no address comes within 4 s."""
    try:
        ipaddress.ip_address(address.host.partition("%")[0])
    except ValueError:
        pass
    else:
        return address
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise NotReachable(
            f"The name “{address.host}” leads nowhere.",
            "Check the spelling, or type the charger's IP address; without a DNS server names do not work.",
        ) from error
    hosts = sorted({_scoped(item[0], item[4]) for item in found}, key=lambda host: (":" in host, host))
    return replace(address, host=hosts[0]) if hosts else address


def _scoped(family: int, target: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    host = str(target[0])
    scope = target[3] if family == socket.AF_INET6 and len(target) == 4 else 0
    return f"{host}%{scope}" if scope and "%" not in host else host

"""Giving out addresses over a virtual cable, to a client that is not ours, beside and against another server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.unit import discovery_site
from tests.unit.discovery_site import Missing, Site

pytestmark = [pytest.mark.netns, pytest.mark.xdist_group("network namespaces")]

TOOL = """
import asyncio, json, sys
from datetime import UTC, datetime
from app.discovery.adapters import networks
from app.errors import AppError
from app.standin.dhcp import DhcpStand

def say(**more):
    print(json.dumps(more), flush=True)

async def main():
    ground = next(item for item in networks() if item.adapter.address == "10.77.0.1")
    gone = asyncio.get_running_loop().create_future()
    tell = lambda asked: say(kind=asked.kind, client=asked.client, name=asked.name, answer=asked.answer)
    stand = DhcpStand(ground, tell=tell, now=lambda: datetime.now(UTC), gave_way=gone.set_result,
                      look_s=0.4, look_again_s=0.2)
    try:
        await stand.open()
        say(on=True)
        async with asyncio.timeout(15):
            say(gone=(await gone).message)
    except AppError as error:
        say(refused=error.message)
    finally:
        await stand.close()

asyncio.run(main())
"""

CLIENT = """
import json, socket, struct, sys
wanted, answers = sys.argv[1], []
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[2].encode())
made.settimeout(5)
made.bind(("", 68))

def ask(kind, *options):
    head = struct.pack("!BBBBIHH16s16s192s", 1, 1, 6, 0, 77, 0, 0x8000, b"", b"\\x02\\0\\0\\0\\0\\x05", b"")
    made.sendto(head + b"\\x63\\x82\\x53\\x63" + bytes([53, 1, kind, 12, 3]) + b"box" + b"".join(options) + b"\\xff",
                ("255.255.255.255", 67))
    data = made.recv(2000)
    fields, at = {}, 240
    while data[at] != 255:
        fields[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return fields[53][0], socket.inet_ntoa(data[16:20]), {key: value.hex() for key, value in fields.items()}

kind, address, options = ask(1)
answers.append([kind, address, options])
if wanted == "lease":
    answers.append(ask(3, bytes([50, 4]) + socket.inet_aton(address), bytes([54, 4]) + bytes.fromhex(options[54])))
print(json.dumps(answers))
"""

RIVAL = """
import socket, struct, sys
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
made.bind(("", 67))
print("ready", flush=True)
while True:
    data = made.recv(2000)
    us = socket.inet_aton("10.77.0.2")
    offer = b"\\2" + data[1:16] + socket.inet_aton("10.77.0.60") + data[20:236] + b"\\x63\\x82\\x53\\x63"
    made.sendto(offer + bytes([53, 1, 2, 54, 4]) + us + b"\\xff", ("255.255.255.255", 68))
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(discovery_site.site())
        except Missing as missing:
            pytest.skip(str(missing))
        yield made


def cable(site: Site) -> str:
    listed = subprocess.run(["ip", "-n", site.garage, "-j", "link"], check=True, capture_output=True).stdout
    return next(str(item["ifname"]) for item in json.loads(listed) if item["ifname"] != "lo")


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=5)[1]
    found: dict[str, Any] = json.loads(line)
    return found


def rival(site: Site) -> None:
    made = site.start(site.garage, sys.executable, "-c", RIVAL, cable(site))
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n", made.communicate(timeout=5)[1]


def test_a_client_on_the_cable_gets_an_address(site: Site) -> None:
    tool = site.start(site.tool, sys.executable, "-c", TOOL)
    assert said(tool) == {"on": True}
    client = site.start(site.garage, sys.executable, "-c", CLIENT, "lease", cable(site))
    out, err = client.communicate(timeout=20)
    assert client.returncode == 0, err
    (offer, offered, options), (ack, address, _) = json.loads(out)
    assert (offer, ack) == (2, 5)
    assert offered == address == "10.77.0.223"
    assert {options[key] for key in ("3", "6", "42", "54")} == {"0a4d0001"}
    told = said(tool)
    assert told == {"kind": "DISCOVER", "client": "02:00:00:00:00:05", "name": "box", "answer": f"OFFER {address}"}
    assert said(tool)["answer"] == f"ACK {address}"


def test_where_another_server_answers_it_does_not_start(site: Site) -> None:
    rival(site)
    tool = site.start(site.tool, sys.executable, "-c", TOOL)
    assert "Another DHCP server answers" in said(tool)["refused"]


def test_when_another_server_shows_up_it_gives_way(site: Site) -> None:
    tool = site.start(site.tool, sys.executable, "-c", TOOL)
    assert said(tool) == {"on": True}
    rival(site)
    assert said(tool)["gone"].endswith(": 10.77.0.2.")

"""Who has the port: read from what each system prints."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys

import pytest

from app.errors import PortInUse, ServerError
from app.links import ports

NETSTAT = """
  Proto  Local Address          Foreign Address        State           PID
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1044
  TCP    127.0.0.1:8180         0.0.0.0:0              LISTENING       7312
  TCP    127.0.0.1:49162        127.0.0.1:8180         ESTABLISHED     99
"""
TASKLIST = '"svchost.exe","1044","Services","0","9,312 K"\r\n"steve.exe","7312","Console","1","88,012 K"\r\n'
LSOF = "p4242\ncjava\n"


def test_windows_names_the_program():
    pid = ports._from_netstat(NETSTAT, 8180)
    assert pid == "7312"
    assert ports._from_tasklist(TASKLIST, pid) == "steve.exe (process 7312)"
    assert ports._from_tasklist("", pid) == "process 7312"
    assert ports._from_netstat(NETSTAT, 9999) == ""
    assert ports._from_netstat(NETSTAT.replace("LISTENING", "ABH\ufffdREN"), 8180) == "7312", "German Windows"


def test_macos_names_the_program():
    assert ports._from_lsof(LSOF) == "java (process 4242)"
    assert ports._from_lsof("") == ""


async def test_a_listener_of_this_program_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "process" in await ports.owner(server.getsockname()[1])


async def test_a_udp_port_is_told_with_its_owner_and_a_free_one():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        found = await ports.explain(OSError(errno.EADDRINUSE, "in use"), "127.0.0.1", port, is_udp=True)
    assert isinstance(found, PortInUse)
    assert found.message.startswith(f"UDP port {port} is already used by ")
    assert found.suggestion not in (0, port)


def test_windows_names_the_program_that_holds_a_udp_port():
    text = "  UDP    0.0.0.0:8042           *:*                                    7312\n"
    assert ports._from_netstat(text, 8042, is_udp=True) == "7312"
    assert ports._from_netstat(text, 8042) == ""


async def test_a_program_that_is_not_there_is_no_error():
    assert await ports._said("there-is-no-such-program-here") == ""


async def test_each_refusal_of_the_system_has_its_advice():
    taken = await ports.explain(OSError(errno.EADDRINUSE, "in use"), "127.0.0.1", 1)
    assert isinstance(taken, PortInUse)
    for code in (errno.EACCES, errno.EADDRNOTAVAIL, errno.EMFILE):
        error = await ports.explain(OSError(code, "no"), "127.0.0.1", 80)
        assert isinstance(error, ServerError)
        assert error.advice


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not count sockets as files")
def test_many_chargers_may_be_open_at_once() -> None:
    code = (
        "import resource; _, hard = resource.getrlimit(resource.RLIMIT_NOFILE);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard));"
        "from app.ocpp.ports import allow_many; print(allow_many(), hard)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    allowed, hard = map(int, done.stdout.split())
    assert allowed == min(16_384, hard) if hard > 0 else allowed == 16_384

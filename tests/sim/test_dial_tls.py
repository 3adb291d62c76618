"""TLS of the simulated units, against ``websockets`` on Python's ssl and against OpenSSL's own server program."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from app.sim.dialtls import DialTls, NameCheck
from app.sim.station2 import Station2
from tests.sim.csms import csms
from tests.sim.pki import Authority, key_pem

NAME = "CS-TLS"
SCALE = 0.01


@asynccontextmanager
async def openssl_server(folder: Path, *options: str) -> AsyncIterator[tuple[int, IO[str]]]:
    """Run ``openssl s_server`` on a free port; what it says of a connection is to be read."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program")
    files = ("-cert", str(folder / "leaf.pem"), "-key", str(folder / "leaf.key"))
    with started(program, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", *files, *options) as process:
        assert process.stdout is not None
        line = await told(process.stdout, r"ACCEPT \S+")
        yield int(line.rpartition(":")[2]), process.stdout
        process.terminate()


def started(*command: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)


async def told(output: IO[str], pattern: str) -> str:
    text = ""
    async with asyncio.timeout(8):
        while not (found := re.search(pattern, text)):
            text += await asyncio.to_thread(output.readline)
    return found.group()


@pytest.mark.parametrize(
    ("options", "alert"),
    [
        ({}, "alert unknown ca"),
        ({"verifies": False, "lowest": ssl.TLSVersion.TLSv1_3}, "alert protocol version|unsupported protocol"),
    ],
)
async def test_a_unit_that_does_not_trust_sends_the_alert(tmp_path: Path, options: dict[str, Any], alert: str):
    Authority().server(tmp_path)
    async with (
        openssl_server(tmp_path, "-tls1_2") as (port, output),
        Station2(
            f"wss://127.0.0.1:{port}/ocpp", NAME, tls=DialTls(**options), time_scale=SCALE, redial_s=600
        ) as station,
    ):
        assert await told(output, alert)
        await station.until(lambda: bool(station.failed_dials))
        assert station.last_error


async def test_an_expired_certificate_gets_its_own_alert(tmp_path: Path):
    root = Authority()
    leaf, key = root.leaf("127.0.0.1", alternative="127.0.0.1", days=-1)
    (tmp_path / "leaf.pem").write_text(leaf)
    (tmp_path / "leaf.key").write_text(key_pem(key))
    tls = DialTls(roots=(root.pem,))
    async with (
        openssl_server(tmp_path, "-tls1_2") as (port, output),
        Station2(f"wss://127.0.0.1:{port}/ocpp", NAME, tls=tls, time_scale=SCALE, redial_s=600),
    ):
        assert await told(output, "alert certificate expired")


@pytest.mark.parametrize(
    ("name", "tls", "connects"),
    [
        ("127.0.0.1", {}, True),
        ("somebody else", {}, True),
        ("127.0.0.1", {"names": NameCheck.COMMON_NAME}, True),
        ("somebody else", {"names": NameCheck.COMMON_NAME}, False),
        ("127.0.0.1", {"highest": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}, True),
        ("127.0.0.1", {"highest": ssl.TLSVersion.TLSv1_2, "ciphers": "AES128-GCM-SHA256"}, False),
    ],
)
async def test_a_unit_checks_what_it_is_built_to_check(tmp_path: Path, name: str, tls: dict[str, Any], connects: bool):
    root = Authority()
    context = root.server(tmp_path, name=name)
    async with csms(context=context) as central:
        line = DialTls(roots=(root.pem,), **tls)
        async with Station2(central.url, NAME, tls=line, time_scale=SCALE, redial_s=5) as station:
            if connects:
                await central.hears("BootNotification")
            else:
                await station.until(lambda: station.failed_dials > 1)
                assert not central.said


async def test_a_wrong_name_is_refused_unless_nobody_looks(tmp_path: Path):
    root = Authority()
    context = root.server(tmp_path, alternative="192.0.2.1")
    async with csms(context=context) as central:
        async with Station2(central.url, NAME, tls=DialTls(roots=(root.pem,)), time_scale=SCALE, redial_s=5) as station:
            await station.until(lambda: station.failed_dials > 1)
        assert not central.said
        lax = DialTls(roots=(root.pem,), names=NameCheck.NONE)
        async with Station2(central.url, NAME, tls=lax, time_scale=SCALE):
            await central.hears("BootNotification")


async def test_profile_3_shows_the_client_certificate_and_no_password(tmp_path: Path):
    root = Authority()
    chain, key = root.leaf(NAME)
    context = root.server(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    tls = DialTls(roots=(root.pem,), chain=chain, key=key_pem(key))
    async with (
        csms(context=context) as central,
        Station2(central.url, NAME, tls=tls, security_profile=3, password="not-for-profile-3", time_scale=SCALE),
    ):
        await central.hears("BootNotification")
        assert "Authorization" not in central.headers[0]


async def test_profile_2_logs_in_and_one_that_believes_everything_connects_too(tmp_path: Path):
    context = Authority().server(tmp_path)
    async with (
        csms(context=context) as central,
        Station2(central.url, NAME, tls=DialTls(verifies=False), password="0123456789abcdef", time_scale=SCALE),
    ):
        await central.hears("BootNotification")
        assert central.headers[0]["Authorization"].startswith("Basic ")

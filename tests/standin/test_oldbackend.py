"""A unit that dials a dead host lands here by DNS, on the port its address names, is recognised and saved."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.diagnosis.catalogue import explain
from app.errors import ValueRejected
from app.model.finding import Finding
from app.model.frame import Knock
from app.model.garage import Landing, Saved, Stand
from app.settings import Settings
from app.sim.dialtls import DialTls
from app.sim.station import Behaviour, OcppStation
from app.workbench import Workbench
from tests.ports import free_port
from tests.standin.kit import HOST

DEAD = "ocpp.dead.example"
ODD = "CP 7;ü%+"
"""An identity that must be escaped in a path."""


@asynccontextmanager
async def garage(home: Path) -> AsyncIterator[Workbench]:
    """A workbench that listens on loopback; its DNS takes a free port."""
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        await bench.start_endpoint(HOST, 0)
        yield bench


async def stand_in(bench: Workbench, port: int, scheme: str = "ws") -> tuple[str, int]:
    """Stand in for the dead host on a port; return our name server."""
    state = await bench.old_backend.names.start([f"{scheme}://{DEAD}:{port}/ocpp"], dns_port=0)
    assert [(item.port, item.is_open) for item in state.ports] == [(port, True)]
    assert state.dns.is_on
    return HOST, state.dns.port


def unit_of(identity: str, url: str, resolver: tuple[str, int], tls: DialTls | None = None) -> OcppStation:
    unit = OcppStation(identity, url, time_scale=0.01, tls=tls)
    unit.resolver = resolver
    return unit


async def landing(bench: Workbench, act: Callable[[], object] = lambda: None) -> Landing:
    with bench.old_backend.names.landed.subscribe() as landed:
        act()
        async with asyncio.timeout(5):
            return await anext(landed)


async def test_a_unit_lands_on_the_port_its_address_names_and_is_recognised(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        resolver = await stand_in(bench, port)
        url = f"ws://{DEAD}:{port}/fleet%20A/v1.6/"
        async with unit_of(ODD, url, resolver) as unit:
            seen = await landing(bench)
            await asyncio.wait_for(unit.booted.wait(), 5)
            assert (seen.name, seen.port, seen.told_by, seen.identity) == (DEAD, port, "Host header", ODD)
            assert seen.url.startswith(f"ws://{DEAD}:{port}/fleet%20A/v1.6/")
            endpoint = bench.server.endpoint(ODD)
            assert endpoint is not None
            assert endpoint.handshake.old_host is not None
            found = {finding.code: finding for finding in endpoint.handshake.findings}
            assert DEAD in explain(found["OLD-BACKEND"]).symptom
            assert [asked.name for asked in bench.garage.log if asked.stand is Stand.DNS] == [DEAD]
            (known,) = bench.finder.units.values()
            assert [str(way.address) for way in known.ways] == [f"ocpp:{ODD}"]


async def test_tls_that_is_not_verified_is_told_by_its_name(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        resolver = await stand_in(bench, port, "wss")
        async with unit_of("CP-8", f"wss://{DEAD}:{port}/ocpp", resolver, DialTls(verifies=False)):
            seen = await landing(bench)
            assert (seen.name, seen.told_by, seen.refusal) == (DEAD, "TLS name", "")
            assert seen.url.startswith(f"wss://{DEAD}:{port}/")
            endpoint = bench.server.endpoint("CP-8")
            assert endpoint is not None
            assert endpoint.handshake.tls is not None


async def test_tls_that_is_verified_ends_here_with_what_else_can_be_tried_and_nothing_is_lost(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        resolver = await stand_in(bench, port, "wss")
        with bench.findings.subscribe() as findings:
            async with unit_of("CP-9", f"wss://{DEAD}:{port}/ocpp", resolver, DialTls(verifies=True)) as unit:
                before = dict(unit.configuration)
                seen = await landing(bench)
                assert seen.name == DEAD
                assert "alert from the unit" in seen.refusal
                finding = await found(findings, "OLD-BACKEND")
                text = explain(finding)
                assert "standing in ends here" in text.title
                assert "install our root" in text.remedy
                knock = await refused(bench)
                assert finding.code in [item.code for item in bench.server.findings_of(knock)]
                assert bench.server.endpoint("CP-9") is None
                assert unit.configuration == before
                # Its owner installs our root: the same unit, the same name, and it is let in.
                unit.tls = DialTls(verifies=True, roots=(bench.authority.root.pem,))
                again = await landing(bench, unit.redial_soon)
                while again.refusal:  # one more try of before may have been on its way
                    again = await landing(bench, unit.redial_soon)
                assert again.identity == "CP-9"


async def found(findings: object, code: str) -> Finding:
    async with asyncio.timeout(5):
        async for finding in findings:  # type: ignore[attr-defined]
            if finding.code == code:
                return finding  # type: ignore[no-any-return]
    raise AssertionError(code)


async def refused(bench: Workbench) -> Knock:
    return next(knock for knock in reversed(bench.server.knock_list) if knock.verdict == "tls-failed")


async def test_foreign_programs_are_recognised_by_host_and_by_tls_name(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        await stand_in(bench, port)
        upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        upgrade += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: ocpp1.6"]
        heads = [part for line in upgrade for part in ("-H", line)]
        curl = ["curl", "-sS", "-N", "--http1.1", "--max-time", "1", *heads]
        plain = [*curl, "--resolve", f"{DEAD}:{port}:{HOST}", f"http://{DEAD}:{port}/ocpp/CURL-1"]
        with bench.old_backend.names.landed.subscribe() as landed:
            await run(*plain)
            first = await asyncio.wait_for(anext(landed), 5)
            assert (first.identity, first.name, first.told_by) == ("CURL-1", DEAD, "Host header")
            strict = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-servername", DEAD, "-verify_return_error"]
            said = await run(*strict)
            assert "verify error" in said
            second = await asyncio.wait_for(anext(landed), 5)
            assert (second.name, second.told_by) == (DEAD, "TLS name")
            assert second.refusal


async def run(*words: str) -> str:
    try:
        done = await asyncio.to_thread(
            subprocess.run, words, capture_output=True, text=True, timeout=10, check=False, input=""
        )
    except FileNotFoundError:
        pytest.skip(f"{words[0]} is not installed")
    return done.stdout + done.stderr


async def test_a_unit_that_names_nobody_is_told_by_what_it_asked(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        names = bench.old_backend.names
        assert names.recognise(HOST, "", "") is None
        resolver = await stand_in(bench, port)
        assert names.recognise(HOST, "", f"{HOST}:{port}") is None
        async with unit_of("CP-1", f"ws://{DEAD}:{port}/", resolver):
            await landing(bench)
        for host in ("", HOST, f"{HOST}:{port}", f"[::1]:{port}"):
            old = names.recognise(HOST, "", host)
            assert old is not None
            assert (old.name, old.told_by) == (DEAD, "DNS log")
        assert names.recognise("127.0.0.2", "", "") is None
        assert names.recognise(HOST, "", "rehome.local:8180") is None


async def test_known_hosts_are_recognised_and_hostile_names_are_not(tmp_path: Path) -> None:
    async with garage(tmp_path) as bench:
        names = bench.old_backend.names
        known = names.recognise(HOST, "EU.Everon.IO", "")
        assert known is not None
        assert "EVBox" in known.knows
        assert "eu.everon.io" in [offer.name for offer in names.offers()]
        for host in ("x" * 400, "*.everon.io", "a b", "é" * 80, "..", "[", "]:", "a@b@", "\x00", "-.-"):
            assert names.recognise(HOST, host, host) is None


async def test_a_port_that_is_taken_is_told_and_stops_none_of_the_others(tmp_path: Path) -> None:
    free = free_port()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        busy = taken.getsockname()[1]
        async with garage(tmp_path) as bench:
            state = await bench.old_backend.names.start([DEAD], [busy, free], dns_port=0)
            first, second = state.ports
            assert not first.is_open
            assert "already used" in first.trouble
            assert first.advice
            assert second.is_open
            assert bench.server.state.more == state.ports
            await bench.old_backend.names.stop()
            assert bench.server.state.more == ()
            assert not bench.garage.states[Stand.DNS].is_on
            assert bench.garage.choice.names == ()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(HOST, free)


async def test_what_is_no_name_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    async with garage(tmp_path) as bench:
        names = bench.old_backend.names
        for hosts, ports in ([], []), (["192.168.1.9"], []), (["ws://[::1]/x"], []), (["a b"], []), ([DEAD], [70_000]):
            with pytest.raises(ValueRejected):
                await names.start(hosts, ports, dns_port=0)  # type: ignore[arg-type]
        with pytest.raises(ValueRejected):
            await names.start([f"{DEAD}:99999"], dns_port=0)
        assert not names.state.is_on
        assert not bench.garage.states[Stand.DNS].is_on


async def test_what_lands_is_saved_once_and_gently(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        resolver = await stand_in(bench, port)
        saver = bench.old_backend.saver
        async with unit_of("CP-3", f"ws://{DEAD}:{port}/ocpp", resolver) as unit:
            await asyncio.wait_for(unit.booted.wait(), 5)
            assert whole_reads(unit) == 0
            saved = await saving(bench, lambda: saver.switch(is_on=True))
            assert (saved.identity, saved.trouble) == ("CP-3", "")
            backup = saver.backup(saved.unit_id)
            assert backup is not None
            assert len(backup.settings) == saved.settings > 20
            assert DEAD in str(next(item.value for item in backup.settings if item.key == "Cst_BackendUrl"))
            assert whole_reads(unit) == 1
            with bench.old_backend.names.landed.subscribe() as landed:
                await unit.redial()
                await asyncio.wait_for(anext(landed), 5)
            await asyncio.wait_for(unit.booted.wait(), 5)
            saver.switch(is_on=False)
            saver.switch(is_on=True)
            await bench.old_backend.saver.idle()
            assert saver.backup(saved.unit_id) == backup
            assert whole_reads(unit) == 1


def whole_reads(unit: OcppStation) -> int:
    return sum(action == "GetConfiguration" and not payload.get("key") for action, payload in unit.heard)


async def saving(bench: Workbench, act: Callable[[], object]) -> Saved:
    with bench.old_backend.saver.saved.subscribe() as news:
        act()
        async with asyncio.timeout(8):
            return await anext(news)


async def test_a_unit_that_shows_nothing_is_told_and_not_asked_for_ever(tmp_path: Path) -> None:
    port = free_port()
    async with garage(tmp_path) as bench:
        bench.server.times = replace(bench.server.times, queue_s=1.0, key_s=0.1)
        resolver = await stand_in(bench, port)
        unit = OcppStation("CP-4", f"ws://{DEAD}:{port}/", time_scale=0.01, behaviour=Behaviour.SILENT)
        unit.resolver = resolver
        async with unit:
            await asyncio.wait_for(unit.booted.wait(), 5)
            saved = await saving(bench, lambda: bench.old_backend.saver.switch(is_on=True))
            assert saved.trouble
            assert saved.settings == 0
            assert bench.old_backend.saver.backup(saved.unit_id) is None

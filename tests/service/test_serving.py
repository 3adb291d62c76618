"""The headless bridge and what stands in beside it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.bridge.uplink import Rhythm
from app.model.garage import Stand
from app.service.reading import load
from app.service.serving import Serving
from app.standin import desk
from tests.service.test_runtime import until
from tests.standin.kit import ask


def free_udp() -> socket.socket:
    item = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    item.bind(("127.0.0.1", 0))
    return item


def site(folder: Path) -> Path:
    with closing(free_udp()) as juice, closing(socket.create_server(("127.0.0.1", 0))) as page:
        ports = juice.getsockname()[1], page.getsockname()[1]
    path = folder / "site.toml"
    path.write_text(
        f"""
        [site]
        address = "127.0.0.1"
        juicenet_ports = [{ports[0]}]
        [status]
        port = {ports[1]}
        [standin]
        ntp = true
        [backend.main]
        url = "ws://127.0.0.1:9/"
        [[box]]
        id = "0910042001260513476122621631"
        identity = "STALL-1"
        circuit_a = 16
        """,
        encoding="utf-8",
    )
    return path


async def test_a_stand_in_whose_port_is_taken_stops_no_bridge_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("serving")
    path, told = site(tmp_path), []
    other = free_udp()
    port = other.getsockname()[1]
    monkeypatch.setitem(desk.PORTS, Stand.NTP, port)  # type: ignore[arg-type]
    serving = Serving(
        path, load(path), lambda event, _: told.append(event["event"]), stand_again_s=0.05, rhythm=Rhythm()
    )
    running = asyncio.ensure_future(serving.run())
    try:
        await until(lambda: told == ["running"])
        assert "ntp does not stand in" in serving.runtime.status.trouble
        assert serving.runtime.peer.state.is_listening
        other.close()
        await until(lambda: not serving.runtime.status.trouble)
        request = bytes([0x23]) + bytes(47)  # RFC 5905 §7.3: version 4, client
        assert await ask(port, request) is not None
    finally:
        other.close()
        serving.stop()
        await running
    assert told == ["running", "stopped"]

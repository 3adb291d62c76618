"""Relayed units in a bridge that runs from a site's plan: its state outlives it, its records hold both directions."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.service.runtime import Runtime
from app.service.site import BackendPlan, RelayPlan, SitePlan
from tests.bridge.relay_kit import BOOT, HOST, Backend, backend, told, until

ACCEPTED = {"status": "Accepted", "interval": 300, "currentTime": "2026-11-22T12:00:00Z"}
START = {"connectorId": 1, "idTag": "CARD", "meterStart": 1200, "timestamp": "2026-11-22T12:00:00Z"}


def plan(csms: Backend, folder: Path, port: int, **relay: Any) -> SitePlan:
    return SitePlan(
        name="Harbour",
        address=HOST,
        folder=folder,
        backends=(BackendPlan(name="new", url=csms.url),),
        relays=(RelayPlan(identity="NEW-1", backend="new", unit_identity="CP-1", **relay),),
        relay_port=port,
    )


def dialled(port: int, name: str = "CP-1") -> connect:
    url = f"ws://{HOST}:{port}/{name}"
    return connect(url, subprotocols=[Subprotocol("ocpp1.6")], compression=None, proxy=None)


async def asked(link: ClientConnection, action: str, payload: Any) -> Any:
    await link.send(json.dumps([2, action, action, payload]))
    return (await told(link))[2]


async def test_a_bridge_started_anew_knows_what_runs_and_boots_for_nobody(tmp_path: Path, free_port: int) -> None:
    async with backend() as csms:
        csms.answers |= {
            "BootNotification": ACCEPTED,
            "StartTransaction": {"transactionId": 17, "idTagInfo": {"status": "Accepted"}},
            "Heartbeat": {"currentTime": "2026-11-22T12:00:00Z"},
        }
        async with Runtime(plan(csms, tmp_path, free_port)) as runtime, dialled(free_port) as link:
            await asked(link, "BootNotification", BOOT)
            await asked(link, "StartTransaction", START)
            await until(lambda: runtime.status.units[0].session is not None)
        async with Runtime(plan(csms, tmp_path, free_port)) as runtime:
            (status,) = runtime.status.units
            assert status.session is not None
            assert (status.session.transaction, status.session.start_wh) == ("17", 1200)
            async with dialled(free_port) as link:
                await asked(link, "Heartbeat", {})
                actions = [json.loads(text)[2] for text in csms.texts]
                assert actions == ["BootNotification", "StartTransaction", "Heartbeat"]
        records = b"".join(path.read_bytes() for path in (tmp_path / "records").rglob("*") if path.is_file())
        assert b"StartTransaction" in records


async def test_a_unit_that_only_dials_with_tls_is_let_in(tmp_path: Path, free_port: int) -> None:
    face = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    face.check_hostname, face.verify_mode = False, ssl.CERT_NONE
    async with backend() as csms, Runtime(plan(csms, tmp_path, free_port)) as runtime:
        csms.answers["Heartbeat"] = {"currentTime": "2026-11-22T12:00:00Z"}
        url = f"wss://{HOST}:{free_port}/CP-1"
        async with connect(url, ssl=face, subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as link:
            await asked(link, "Heartbeat", {})
        assert "TLS-REMOVED" in {one.code for one in runtime.status.units[0].corrections}
    keys = [path for path in (tmp_path / "trust").iterdir() if path.stat().st_mode & 0o077]
    assert not [path for path in keys if b"PRIVATE KEY" in path.read_bytes()]


async def test_a_plan_can_forbid_a_boot_and_shows_who_is_held_off(tmp_path: Path, free_port: int) -> None:
    async with backend() as csms, Runtime(plan(csms, tmp_path, free_port, adds_boot=False)) as runtime:
        csms.answers["Heartbeat"] = {"currentTime": "2026-11-22T12:00:00Z"}
        async with dialled(free_port) as link:
            await asked(link, "Heartbeat", {})
            assert "BOOT-ADDED" not in {one.code for one in runtime.status.units[0].corrections}
        async with dialled(free_port, "STRANGER") as link:
            await asyncio.wait_for(link.wait_closed(), 5)
        assert [knock.name for knock in runtime.status.knocking] == ["STRANGER"]

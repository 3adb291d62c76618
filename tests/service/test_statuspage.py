"""What a browser and a metrics collector get from a running bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.errors import PortInUse
from app.model.bridge import BridgeStatus, Correction, LineState, SessionShown, UnitKind, UnitStatus
from app.service.statuspage import STALE_S, StatusPage

NOW = datetime.now(UTC)
UNIT = UnitStatus(
    identity="STALL-1",
    kind=UnitKind.BOX,
    unit="0910042001260513",
    backend="wss://csms.example",
    version="1.6",
    security_profile=2,
    line=LineState.ONLINE,
    line_since=NOW - timedelta(minutes=3),
    state="Charging",
    is_present=True,
    power_w=7200.0,
    register_wh=1000,
    limit_a=30.0,
    ceiling_a=32.0,
    queued=2,
    oldest_queued_at=NOW - timedelta(hours=2),
    delivered=7,
    session=SessionShown(number="x", began_at=NOW - timedelta(minutes=40), start_wh=0, energy_wh=1234),
    corrections=(Correction(code="TLS-ADDED", title="TLS is added", remedy="<b>Install</b> our root", count=3),),
)
STATUS = BridgeStatus(site="Harbour <garage>", started_at=NOW - timedelta(days=1), units=(UNIT,))


@asynccontextmanager
async def served(
    status: BridgeStatus = STATUS, beat: datetime = NOW
) -> AsyncIterator[tuple[StatusPage, aiohttp.ClientSession]]:
    page = StatusPage(lambda: status, lambda: beat)
    await page.open("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as client:
            yield page, client
    finally:
        await page.close()
        await page.close()


async def test_a_person_sees_what_matters_and_no_markup_of_a_units() -> None:
    async with served() as (page, client), client.get(page.url) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for wanted in (
        "Harbour &lt;garage&gt;",
        "STALL-1",
        "7.2 kW",
        "30 A",
        "1.23 kWh",
        "oldest 2 h",
        "TLS is added",
        "(3×)",
    ):
        assert wanted in text
    assert "<b>Install" not in text


async def test_an_empty_bridge_says_what_to_do() -> None:
    async with served(replace(STATUS, units=())) as (page, client), client.get(page.url) as answer:
        assert "No unit is bridged" in await answer.text()


async def test_metrics_are_openmetrics_by_the_foreign_parser() -> None:
    async with served() as (page, client), client.get(page.url + "metrics") as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text = await answer.text()
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("rehome_bridge_line", "online") == "online"
    }
    assert samples["rehome_bridge_unit_present"] == 1
    assert samples["rehome_bridge_power_watts"] == 7200
    assert samples["rehome_bridge_energy_joules_total"] == 3_600_000
    assert samples["rehome_bridge_delivered_messages_total"] == 7
    assert samples["rehome_bridge_corrections_total"] == 3
    assert samples["rehome_bridge_line"] == 1
    waits_s = (datetime.now(UTC) - NOW + timedelta(hours=2)).total_seconds()
    assert waits_s - 30 <= samples["rehome_bridge_oldest_queued_seconds"] <= waits_s


async def test_json_holds_the_same() -> None:
    async with served() as (page, client), client.get(page.url + "status.json") as answer:
        document = await answer.json()
    assert document["units"][0]["identity"] == "STALL-1"
    assert document["units"][0]["line"] == "online"


@pytest.mark.parametrize(("late_s", "status"), [(0.0, 200), (STALE_S + 60, 503)])
async def test_health_follows_the_round(late_s: float, status: int) -> None:
    beat = datetime.now(UTC) - timedelta(seconds=late_s)
    async with served(beat=beat) as (page, client), client.get(page.url + "healthz") as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:9180", 200), ("[::1]:9180", 200), ("bridge", 200), ("pi.local:9180", 200), ("evil.example", 421)],
)
async def test_a_page_elsewhere_can_not_read_it_under_its_own_name(host: str, status: int) -> None:
    async with served() as (page, client), client.get(page.url, headers={"Host": host}) as answer:
        assert answer.status == status


async def test_nothing_can_be_sent_to_it() -> None:
    async with served() as (page, client):
        for method, path in (("POST", ""), ("PUT", "status.json"), ("DELETE", "metrics")):
            async with client.request(method, page.url + path, data=b"x") as answer:
                assert answer.status == 405


async def test_a_taken_port_is_told() -> None:
    async with served() as (page, _):
        with pytest.raises(PortInUse, match=f"Port {page.port}"):
            await StatusPage(lambda: STATUS, lambda: NOW).open("127.0.0.1", page.port)

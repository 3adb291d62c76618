"""Healthy units raise no finding above INFO, whatever ordinary life brings: reboots, new leases, slow links, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.diagnosis.watch import Watch
from app.model.finding import Finding, Severity
from app.model.observation import Returned
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import StatusChanged, Transaction
from app.sim.openevse import OpenEvseGateway
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.catalogue.seen import NOW, ended, shake
from tests.ocpp.endpoint_kit import QUICK, Site, ask, site, unit

SCALE = 0.02
KNOWN: dict[str, set[str]] = {"openevse": set(), "1.6": set(), "2.0.1": set(), "2.1": set()}
"""What is each simulated family's own quirk, by its profile."""


def openevse(url: str) -> OpenEvseGateway:
    return OpenEvseGateway(
        time_scale=SCALE,
        config={"ocpp_server": url, "ocpp_chargeBoxId": "UNIT-1", "ocpp_enabled": True, "ocpp_auth_auto": True},
    )


UNITS: dict[str, Callable[[str], AbstractAsyncContextManager[Any]]] = {
    "openevse": openevse,
    "1.6": lambda url: OcppStation("UNIT-1", url, time_scale=SCALE),
    "2.0.1": lambda url: Station2(url, "UNIT-1", "2.0.1", time_scale=SCALE),
    "2.1": lambda url: Station2(url, "UNIT-1", "2.1", time_scale=SCALE),
}


@asynccontextmanager
async def standing(kind: str) -> AsyncIterator[tuple[Site, Any, Endpoint]]:
    """A unit that has booted and told its state."""
    async with site(times=replace(QUICK, status_s=5.0, key_s=5.0)) as here, UNITS[kind](here.url) as dialled:
        endpoint = await here.server.arrival("UNIT-1", timeout_s=5)
        if not endpoint.statuses:
            await endpoint.wait_for(StatusChanged, timeout_s=5)
        yield here, dialled, endpoint


def grave(findings: list[Finding], kind: str) -> list[str]:
    return [
        f"{found.code}: {found.evidence}"
        for found in findings
        if found.severity is not Severity.INFO and found.code not in KNOWN[kind]
    ]


@pytest.mark.parametrize("kind", UNITS)
async def test_a_healthy_unit_boots_is_read_and_restarts_unnamed(kind: str) -> None:
    async with standing(kind) as (here, _, endpoint):
        await endpoint.get_settings()
        await endpoint.trigger("BootNotification")
        with here.server.arrivals.subscribe() as arrivals:
            assert await endpoint.reset("Soft") in ("Accepted", "Scheduled")
            async with asyncio.timeout(10):
                again = await anext(arrivals)
        if not again.statuses:
            await again.wait_for(StatusChanged, timeout_s=5)
        assert not grave(here.findings.take(), kind)


@pytest.mark.parametrize("kind", UNITS)
async def test_a_healthy_unit_charges_unnamed(kind: str) -> None:
    async with standing(kind) as (here, dialled, endpoint):
        dialled.plug_in()
        if kind != "openevse":  # that one charges everybody's car as soon as it is plugged in
            assert await endpoint.start(1, "CARD-1") == "Accepted"
        running = await session(endpoint)
        await endpoint.stop(running.transaction_id)
        async with asyncio.timeout(10):
            while any(item.is_running for item in endpoint.transactions.values()):
                await here.frame(identity="UNIT-1")
        assert not grave(here.findings.take(), kind)


@pytest.mark.parametrize("kind", UNITS)
async def test_a_healthy_unit_loses_its_line_once_unnamed(kind: str) -> None:
    async with standing(kind) as (here, _, endpoint):
        with here.server.arrivals.subscribe() as arrivals:
            await endpoint.close(1001, "the endpoint moves")
            async with asyncio.timeout(10):
                again = await anext(arrivals)
            await again.get_settings()
        assert not grave(here.findings.take(), kind)


async def session(endpoint: Endpoint) -> Transaction:
    """Wait for a transaction that runs."""
    async with asyncio.timeout(10):
        while True:
            for item in endpoint.transactions.values():
                if item.is_running:
                    return item
            await endpoint.wait_for(StatusChanged, timeout_s=10)


async def test_a_unit_without_any_oddity_is_told_nothing_at_all() -> None:
    async with site() as here, unit(here) as link:
        await ask(link, "StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}, "u2")
        await ask(link, "Heartbeat", {}, "u3")
        assert here.findings.take() == []


def quiet(*seen: Any) -> bool:
    watch = Watch()
    return not [found for observation in seen for found in watch(observation) if found.severity is not Severity.INFO]


def test_a_new_lease_is_no_twin() -> None:
    assert quiet(shake(remote="10.0.0.1:5"), shake(remote="10.0.0.2:6"), shake(remote="10.0.0.2:7"))


def test_a_restart_and_an_update_are_no_drop() -> None:
    restart = ended(1006, last_sent="Reset", last_sent_s=2.0, is_answered=True)
    assert quiet(restart, Returned(identity="CP-1", gone_s=40, is_after_reset=True))
    assert quiet(ended(1006, last_sent="UpdateFirmware", last_sent_s=1.0, is_answered=False))


def test_a_slow_link_that_drops_now_and_then_is_not_named() -> None:
    drops = [ended(1006, lasted_s=seconds, silent_s=40) for seconds in (1900.0, 5000.0, 86_000.0, 700.0)]
    assert quiet(*drops, *(Returned(identity="CP-1", gone_s=30) for _ in drops))


def test_a_site_that_counts_its_units_is_not_named() -> None:
    assert quiet(*(shake(f"SITE-{number:03}", remote=f"10.0.0.{number}:5", at=NOW) for number in range(1, 100)))

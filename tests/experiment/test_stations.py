"""Healthy simulated stations of every version come out of every experiment as what they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.experiment.values import Tempo
from app.sim.fault import Fault
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.experiment.lab import Lab, lab

PACE = 0.01
HEALTHY = {
    "answer-delay": "patient",
    "early-command": "answers",
    "big-answer": "fine",
    "redial-rhythm": "soon",
    "hold": "stays",
}
Make = Callable[[str, float], Any]
MAKES: dict[str, Make] = {
    "1.6": lambda url, scale: OcppStation("CP-1", url, time_scale=scale),
    "2.0.1": lambda url, scale: Station2(url, "CP-1", "2.0.1", time_scale=scale),
    "2.1": lambda url, scale: Station2(url, "CP-1", "2.1", time_scale=scale),
}


@asynccontextmanager
async def station(version: str, place: Lab, scale: float = PACE) -> AsyncIterator[Any]:
    async with MAKES[version](place.site.url, scale) as unit:
        await place.server.arrival("CP-1", timeout_s=5)
        yield unit


@pytest.mark.parametrize("version", MAKES)
@pytest.mark.parametrize("experiment_id", HEALTHY)
async def test_a_healthy_station(experiment_id: str, version: str) -> None:
    pace = 0.001 if experiment_id == "hold" else PACE
    async with lab(tempo=Tempo(pace=pace, least_s=0.4)) as place, station(version, place):
        await place.ends(HEALTHY[experiment_id], experiment_id)


@pytest.mark.parametrize("version", MAKES)
async def test_a_station_that_drops_when_it_is_pinged(version: str) -> None:
    async with lab(tempo=Tempo(pace=0.003, least_s=1.0)) as place, station(version, place) as unit:
        unit.faults.add(Fault.BREAKS_ON_PING)
        await place.ends("breaks-on-pings", "ping-rhythm")


@pytest.mark.parametrize("version", MAKES)
async def test_a_station_that_waits_as_it_is_told(version: str) -> None:
    """In real time, because no pause can be told that is shorter than a second."""
    async with lab(tempo=Tempo(pace=0.1, least_s=1.0)) as place, station(version, place, 1.0):
        await place.ends("obeys", "waiting-room")

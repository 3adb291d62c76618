"""What was found live is found again in the trace, for every failure of the catalogue that shows on our endpoint."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from app.feed import Subscription
from app.model.finding import Finding
from app.model.frame import Frame
from app.model.trace import Entry, Record
from app.ocpp.endpoint import Endpoint
from app.trace.judging import judge
from app.trace.witness import Witness
from app.trust.wardrobe import Wardrobe
from tests.catalogue.kit import Provocation, Rig, Where, codes, rig
from tests.catalogue.provoke import PROVOCATIONS
from tests.trace.trace_kit import START, loaded, write

HERE = [item for item in PROVOCATIONS if item.where is Where.ENDPOINT]


class Watched:
    """A rig whose every word is written down."""

    def __init__(self, place: Rig) -> None:
        server = place.site.server
        self.witness = Witness(server.now)
        self.witness.started(START)
        server.judge = self.witness.judging(server.judge)
        self.frames: Subscription[Frame] = server.frames.subscribe(100_000)
        self.findings: Subscription[Finding] = server.findings.subscribe(10_000)
        self.arrivals: Subscription[Endpoint] = server.arrivals.subscribe(10_000)

    def entries(self, findings: list[Finding]) -> list[Entry]:
        for arrival in self.arrivals.take():
            self.witness.arrived(arrival.handshake, arrival.connection)
        self.witness.found(findings)
        frames = self.frames.take()
        records = sorted(self.witness.take(), key=lambda record: record.at)
        merged: list[Entry] = [*records, *frames]
        merged.sort(key=lambda entry: (entry.at, isinstance(entry, Frame)))
        start = Record(at=min(entry.at for entry in merged) - timedelta(seconds=1), evidence=START)
        return [start, *(entry for entry in merged if getattr(entry, "evidence", None) is not START)]

    def close(self) -> None:
        for subscription in (self.frames, self.findings, self.arrivals):
            subscription.close()


@pytest.mark.parametrize("provocation", HERE, ids=lambda item: item.name)
async def test_the_trace_tells_what_live_told(provocation: Provocation, wardrobe: Wardrobe, tmp_path: Path) -> None:
    async with rig(provocation, wardrobe) as place:
        watched = Watched(place)
        async with asyncio.timeout(15):
            await provocation.act(place)
            await place.named(provocation.code)
    found = watched.findings.take()
    entries = watched.entries(found)
    watched.close()
    async with loaded(write(tmp_path / "t.rehome-trace", entries)) as recording:
        judgement = await judge(recording, watch=provocation.watch, patience=provocation.times)
    assert provocation.code in judgement.codes
    assert set(judgement.codes) == codes(found)

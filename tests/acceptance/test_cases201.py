"""A healthy 2.x station passes every case, in one run of the whole suite, in compressed time."""

from __future__ import annotations

import pytest

from app.acceptance.suites import suites
from app.acceptance.tools import Tools
from app.model.acceptance import Verdict
from app.sim.dialtls import DialTls
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import central, run_cases, told
from tests.acceptance.kit2 import careful2, helpful2, station2


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_healthy_station_passes_the_whole_suite(
    version: str, wardrobe: Wardrobe, authority: Authority, hands: Tools
):
    tls = DialTls(roots=(authority.root.pem,))
    async with (
        central(wardrobe=lambda: wardrobe) as server,
        station2(server, version, security_profile=2, password="0123456789abcdef", tls=tls) as unit,
    ):
        careful2(unit)
        chosen = suites()["full"].cases(version)
        result = await run_cases(server, chosen, person=helpful2(unit), tools=hands, version=version)
        assert not result.stopped
        bad = [told(item) for item in result.results if item.verdict is not Verdict.PASS or item.unrestored]
        assert not bad, "\n".join(bad)
        assert len(result.results) == len(chosen) >= 40
        assert result.verdict is Verdict.PASS

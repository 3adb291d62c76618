"""A healthy unit passes every case, in one run of the whole suite, in compressed time."""

from __future__ import annotations

from app.acceptance.suites import suites
from app.acceptance.tools import Tools
from app.model.acceptance import Verdict
from app.sim.dialtls import DialTls
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import central, run_cases, station, told
from tests.acceptance.people import careful, helpful


async def test_a_healthy_unit_passes_the_whole_suite(wardrobe: Wardrobe, authority: Authority, hands: Tools):
    tls = DialTls(roots=(authority.root.pem,))
    password = "0123456789abcdef"
    async with (
        central(wardrobe=lambda: wardrobe) as server,
        station(server, security_profile=2, password=password, tls=tls) as unit,
    ):
        careful(unit)
        chosen = suites()["full"].cases("1.6")
        result = await run_cases(server, chosen, person=helpful(unit), tools=hands)
        assert not result.stopped
        bad = [told(item) for item in result.results if item.verdict is not Verdict.PASS or item.unrestored]
        assert not bad, "\n".join(bad)
        assert len(result.results) == len(chosen) >= 40
        assert result.verdict is Verdict.PASS

"""Our own acceptance suite takes a bridged 1.6 charge point for a charger: it passes all that applies to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.acceptance.suites import suites
from app.bridge.clockwork import utc_now
from app.bridge.uplink import Rhythm
from app.model.acceptance import Answer, Prompt, Verdict
from app.model.backend import SecurityProfile
from app.model.secret import Secret
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import PACE, central, run_cases, told
from tests.bridge.kit import FakeOutlet
from tests.bridge.lines import Unit, living

PASSWORD = "0123456789abcdef"
RHYTHM = Rhythm(least_s=10 * PACE, most_s=40 * PACE, restart_s=2 * PACE, first_s=0.0)

QUICKER_V = 23_000.0
"""A second of a case is 20 ms: the box must count enough whole Wh in them to be compared."""
NO_READER = {"A16-AUTH-01", "A16-AUTH-02", "A16-AUTH-03"}
"""Cases of a card: the unit has no reader."""
NO_FILES = {"A16-DIAG-02"}
"""Needs a file service here; the unit would refuse it."""
NOT_OFFERED = ("A16-LIST", "A16-RES-", "A16-FW", "A16-DIAG", "A16-CERT", "A16-TRIG-05", "A16-TRIG-06", "A16-SEC-0")
"""Lists, reservations, firmware, files and certificates: nothing of it makes sense at a unit behind a bridge."""


def with_car(unit: Unit) -> Callable[[Prompt], Answer | None]:
    """Do with the car what a prompt asks; nobody holds a card to a unit without a reader."""

    def act(prompt: Prompt) -> Answer | None:
        match prompt.kind:
            case "plug-in":
                unit.plug_in()
            case "replug":
                unit.unplug()
                unit.plug_in()
            case "unplug" | "unplug-offline":
                unit.unplug()
                return Answer.DONE
            case "card" | "card-stop" | "card-refused" | "card-offline":
                return Answer.SKIP
            case _:
                return Answer.DONE
        return None

    return act


@pytest.mark.timeout(120)
async def test_it_passes_all_cases_that_apply_to_it(wardrobe: Wardrobe, authority: Authority):
    secured: dict[str, Any] = {
        "security_profile": SecurityProfile.TLS_BASIC,
        "secret": Secret(PASSWORD),
        "roots": (authority.root.pem,),
    }
    async with central(wardrobe=lambda: wardrobe) as server:
        url = server.state.url.replace("ws:", "wss:")
        outlet = FakeOutlet(utc_now(), voltage_v=QUICKER_V)
        async with living(url, pace=PACE, rhythm=RHYTHM, outlet=outlet, **secured) as unit:
            await server.arrival("BOX-1", timeout_s=10)
            chosen = suites()["full"].cases("1.6")
            result = await run_cases(server, chosen, person=with_car(unit), identity="BOX-1")
    assert not result.stopped
    others = [item for item in result.results if item.verdict is not Verdict.PASS]
    bad = [told(item) for item in others if item.verdict in (Verdict.FAIL, Verdict.PARTIAL) or item.unrestored]
    assert not bad, "\n".join(bad)
    assert {item.case_id for item in others if item.verdict is Verdict.NOT_ASKED} == NO_READER | NO_FILES
    refused = [item.case_id for item in others if item.verdict is Verdict.NOT_APPLICABLE]
    assert all(case_id.startswith(NOT_OFFERED) for case_id in refused), refused
    assert len(result.results) - len(others) >= 50

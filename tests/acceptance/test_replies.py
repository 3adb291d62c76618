"""A case beside the rest of this program: its answers hold for its own unit and time, others' questions do not count."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.acceptance.cases201.asking import HEARTBEAT, selector
from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, Verdict, must
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import IdToken
from app.ocpp.server import OcppServer
from tests.acceptance.kit import central, known, run_cases, station, told
from tests.acceptance.kit2 import station2
from tests.acceptance.people import CARD, helpful


def signs(server: OcppServer) -> list[str]:
    """Sign whatever is asked for, as the workbench does; returns the list of who asked."""
    asked: list[str] = []

    def answer(endpoint: Endpoint, _payload: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(endpoint.identity)
        return {"status": "Accepted"}

    server.repliers["SignCertificate"] = answer
    return asked


async def test_the_request_of_a_case_is_not_signed_in_16_either():
    async with central() as server, station(server, security_profile=1, password="0123456789abcdef") as unit:
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        asked = signs(server)
        result = await run_cases(server, ["A16-CERT-04"])
        assert result.verdict is Verdict.PASS, told(result.results[0])
        assert not asked


async def test_two_units_at_once_leave_the_usual_answer_behind():
    async with (
        central() as server,
        station2(server, identity="CP-1") as one,
        station2(server, "2.1", identity="CP-2") as other,
    ):
        asked = signs(server)
        runs = await asyncio.gather(
            run_cases(server, ["A201-CERT-05"], identity="CP-1", version="2.0.1"),
            run_cases(server, ["A201-CERT-05"], identity="CP-2", version="2.1"),
        )
        assert [run.verdict for run in runs] == [Verdict.PASS, Verdict.PASS]
        assert not asked
        for unit in (one, other):
            unit.security.sign("ChargingStationCertificate")
            await unit.until(lambda unit=unit: unit.identity in asked)  # type: ignore[misc]
        assert sorted(asked) == ["CP-1", "CP-2"]


async def test_two_units_at_once_leave_the_usual_verdict_on_cards_behind():
    async with (
        central() as server,
        station2(server, identity="CP-1") as one,
        station2(server, "2.1", identity="CP-2") as other,
    ):
        runs = await asyncio.gather(
            run_cases(server, ["A201-AUTH-01"], identity="CP-1", version="2.0.1", person=helpful(one)),
            run_cases(server, ["A201-AUTH-01"], identity="CP-2", version="2.1", person=helpful(other)),
        )
        assert [run.verdict for run in runs] == [Verdict.PASS, Verdict.PASS], "".join(
            told(run.results[0]) for run in runs
        )
        assert [server.authorise(unit.identity, IdToken(CARD, "ISO14443")) for unit in (one, other)] == ["Accepted"] * 2


async def test_what_others_ask_meanwhile_is_no_part_of_a_case():
    seen: list[list[str]] = []

    async def steps(stage: Stage) -> None:
        endpoint = await stage.endpoint()
        await endpoint.get_settings(["OCPPCommCtrlr.OfflineThreshold"])
        reply = await stage.call("GetVariables", {"getVariableData": [selector(HEARTBEAT)]})
        await endpoint.get_settings(["OCPPCommCtrlr.ResetRetries"])
        assert HEARTBEAT.partition(".")[2] in reply.request.frame.text

    def judge(take: Take) -> Iterator[Check]:
        asked = take.asked("GetVariables")
        seen.append([exchange.request.text("getVariableData", 0, "variable", "name") for exchange in asked])
        yield must("It is asked", bool(asked))

    base = known("A201-CONF-06")
    async with central() as server, station2(server):
        result = await run_cases(server, [replace(base, steps=steps, judge=judge)], version="2.0.1")
        assert result.verdict is Verdict.PASS, told(result.results[0])
    assert seen == [["HeartbeatInterval"]]

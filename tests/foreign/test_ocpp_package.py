"""Stations on the ``ocpp`` package pass through handshake, console, device model and acceptance; plain and over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.acceptance.tempo import Tempo
from app.model.acceptance import Answer, Verdict
from app.model.frame import Direction, FrameKind
from app.settings import Settings
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from app.workbench import Workbench
from tests.acceptance.kit import central, run_cases, told
from tests.foreign.package2 import living

VERDICTS = {
    "A201-BOOT-01": Verdict.PASS,
    "A201-STATUS-01": Verdict.PASS,
    "A201-CLOCK-01": Verdict.PASS,
    "A201-CONF-02": Verdict.PASS,
    "A201-CONF-03": Verdict.NOT_APPLICABLE,  # does not offer the summary
    "A201-CONF-04": Verdict.PASS,
    "A201-CONF-06": Verdict.PASS,
    "A201-CONF-09": Verdict.PASS,
    "A201-CONF-10": Verdict.PASS,
    "A201-CONF-11": Verdict.PASS,
    "A201-TRIG-01": Verdict.PASS,
    "A201-TRIG-06": Verdict.PASS,
    "A201-TRIG-07": Verdict.PASS,
    "A201-WIRE-01": Verdict.PARTIAL,  # says NotSupported of what it does not know
    "A201-SESS-01": Verdict.PASS,
    "A201-SESS-02": Verdict.PASS,
    "A201-METER-01": Verdict.NOT_APPLICABLE,  # is told to send no measurands
    "A201-RESET-01": Verdict.PASS,
}
NEVER_ANSWERED = {"A201-WIRE-01": Verdict.FAIL}
"""In 2.1 the package does not answer an action that it does not know (charge_point.py, _raise_key_error)."""
TEMPO = Tempo(pace=0.02, least_s=1.0)


def trusting(authority: Authority) -> ssl.SSLContext:
    """Trust our root and check the name, as Python does by default."""
    return ssl.create_default_context(cadata=authority.root.pem)


@pytest.mark.parametrize(("version", "is_secret"), [("2.0.1", False), ("2.0.1", True), ("2.1", True)])
async def test_a_station_on_the_ocpp_package_gets_the_verdicts_it_earns(
    version: str, is_secret: bool, wardrobe: Wardrobe, authority: Authority, allowed_log: Callable[[str], None]
):
    allowed_log("Error while handling request")
    async with central(wardrobe=lambda: wardrobe) as server:
        url = server.state.url.replace("ws:", "wss:") if is_secret else server.state.url
        async with living(version, f"{url}CP-1", trusting(authority) if is_secret else None):
            endpoint = await server.arrival("CP-1", timeout_s=10)
            assert endpoint.version == version
            assert (endpoint.handshake.tls is not None) is is_secret
            model = await endpoint.device_model()
            assert {variable.name.text for variable in model} >= {"OCPPCommCtrlr.HeartbeatInterval"}
            result = await run_cases(server, list(VERDICTS), tempo=TEMPO, version=version, person=lambda _: Answer.DONE)
        findings = [finding.code for finding in endpoint.findings]
    everything = "\n".join(told(item) for item in result.results)
    wanted = VERDICTS | (NEVER_ANSWERED if version == "2.1" else {})
    assert {item.case_id: item.verdict for item in result.results} == wanted, everything
    assert not findings, findings
    refusals = [
        f.text for item in result.results for f in item.frames if f.direction is Direction.IN and "[4," in f.text
    ]
    assert len(refusals) == (version != "2.1"), (
        refusals
    )  # the package found no message of ours wrong, but the one that is meant to be


async def test_a_program_that_never_boots_again_fails_its_case_and_no_other(
    allowed_log: Callable[[str], None],
):
    allowed_log("Error while handling request")
    async with (
        central() as server,
        living("2.0.1", f"{server.state.url}CP-1", says_boot_again=False) as life,
    ):
        await server.arrival("CP-1", timeout_s=10)
        chosen = ["A201-BOOT-03", "A201-STATUS-01", "A201-CONF-09"]
        result = await run_cases(server, chosen, tempo=TEMPO, version="2.0.1")
    everything = "\n".join(told(item) for item in result.results)
    assert [item.verdict for item in result.results] == [Verdict.FAIL, Verdict.PASS, Verdict.PASS], everything
    assert not result.results[0].unrestored
    assert life.times >= 3  # it was made to dial anew, so that it boots


async def test_nobody_else_asks_a_station_that_is_being_tested(tmp_path: Path):
    """What the program asks of every unit that dials would be judged as if the case had asked it."""
    settings = replace(Settings(), endpoint_on=False)
    async with Workbench(settings, home=tmp_path / "home", with_discovery=False) as bench:
        await bench.server.start("127.0.0.1", 0)
        async with living("2.0.1", f"{bench.server.state.url}CP-1"):
            await bench.server.arrival("CP-1", timeout_s=10)
            chosen = frozenset({"A201-RESET-01", "A201-CONF-06"})
            result = await bench.acceptance.prepare("CP-1", "full", skips_prompts=True, only=chosen).go()
    assert [item.verdict for item in result.results] == [Verdict.PASS, Verdict.PASS]
    back = next(item for item in result.results if item.case_id == "A201-RESET-01")
    said = [frame.action for frame in back.frames if frame.direction is Direction.OUT and frame.kind is FrameKind.CALL]
    assert said == ["Reset"]

"""Stations on npm ``ocpp-rpc`` in strict mode; skipped where node or the package is not installed (NODE_PATH)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from app.acceptance.tempo import Tempo
from app.model.acceptance import Verdict
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import central, run_cases, told

STATION = Path(__file__).with_name("rpc_station.js")
TEMPO = Tempo(pace=0.02, least_s=1.0)
OLD = {
    "A16-BOOT-01": Verdict.PASS,
    "A16-BOOT-02": Verdict.PASS,
    "A16-STATUS-01": Verdict.PASS,
    "A16-CLOCK-01": Verdict.PASS,
    "A16-CONF-01": Verdict.PARTIAL,  # few of the required keys
    "A16-CONF-02": Verdict.PASS,
    "A16-CONF-04": Verdict.PASS,
    "A16-CONF-05": Verdict.PASS,
    "A16-CONF-06": Verdict.PASS,
    "A16-TRIG-02": Verdict.PASS,
    "A16-WIRE-01": Verdict.PASS,
    "A16-WIRE-02": Verdict.PASS,
    "A16-CONN-01": Verdict.PARTIAL,  # says Boot whenever it dials
    "A16-RESET-01": Verdict.PASS,
}
NEW = {
    "A201-BOOT-01": Verdict.PASS,
    "A201-BOOT-02": Verdict.PASS,
    "A201-STATUS-01": Verdict.PASS,
    "A201-CLOCK-01": Verdict.PASS,
    "A201-CONF-02": Verdict.PASS,
    "A201-CONF-06": Verdict.PASS,
    "A201-CONF-09": Verdict.PASS,
    "A201-CONF-10": Verdict.PASS,
    "A201-CONF-11": Verdict.PASS,
    "A201-TRIG-01": Verdict.PASS,
    "A201-TRIG-06": Verdict.PASS,
    "A201-WIRE-01": Verdict.PASS,
    "A201-WIRE-02": Verdict.PASS,
    "A201-RESET-01": Verdict.PASS,
}


def _is_installed() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    asked = [node, "-e", "require.resolve('ocpp-rpc')"]
    return subprocess.run(asked, capture_output=True, timeout=20, cwd=STATION.parent, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _is_installed(), reason="node with ocpp-rpc is not installed (NODE_PATH)")


@asynccontextmanager
async def npm_station(url: str, protocol: str, root: Path | None) -> AsyncIterator[asyncio.subprocess.Process]:
    words = [str(STATION), url, "CP-1", protocol, *([str(root)] if root else [])]
    process = await asyncio.create_subprocess_exec("node", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("is_secret", [False, True])
@pytest.mark.parametrize(("version", "verdicts"), [("1.6", OLD), ("2.0.1", NEW)])
async def test_a_station_on_ocpp_rpc_gets_the_verdicts_it_earns(
    version: str,
    verdicts: dict[str, Verdict],
    is_secret: bool,
    wardrobe: Wardrobe,
    authority: Authority,
    tmp_path: Path,
):
    root = tmp_path / "root.pem"
    root.write_text(authority.root.pem)
    async with central(wardrobe=lambda: wardrobe) as server:
        url = server.state.url.replace("ws:", "wss:") if is_secret else server.state.url
        async with npm_station(url, f"ocpp{version}", root if is_secret else None) as process:
            endpoint = await server.arrival("CP-1", timeout_s=20)
            assert endpoint.version == version
            assert (endpoint.handshake.tls is not None) is is_secret
            result = await run_cases(server, list(verdicts), tempo=TEMPO, version=version)
        said = await process.stdout.read() if process.stdout else b""
    everything = "\n".join(told(item) for item in result.results)
    assert {item.case_id: item.verdict for item in result.results} == verdicts, everything
    strict = [line for line in said.decode().splitlines() if line.startswith("STRICT")]
    assert len(strict) <= 1, strict  # it found no message of ours against the schemas, but the one that is meant to be

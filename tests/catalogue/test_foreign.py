"""Programs not written here play the charger: openssl and curl."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from app.diagnosis.catalogue import experiment_of
from app.model.experiment import CERTIFICATE_PERSONALITY
from app.model.finding import Severity
from app.trust.wardrobe import Wardrobe
from tests.catalogue.kit import Provocation, Rig, is_told_whole, rig
from tests.ocpp.endpoint_kit import HOST

NOBODY = Provocation(code="TLS-TRUST", act=lambda _: asyncio.sleep(0))


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(10):
        said, _ = await process.communicate()
    return said.decode(errors="replace")


def openssl(here: Rig, *options: str) -> tuple[str, ...]:
    where = f"{HOST}:{here.site.port}"
    return ("openssl", "s_client", "-connect", where, "-servername", "rehome.local", "-verify_return_error", *options)


@pytest.fixture
def root(wardrobe: Wardrobe, tmp_path: Path) -> str:
    path = tmp_path / "root.pem"
    path.write_bytes(wardrobe.authority.export("pem"))
    return str(path)


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_without_our_root_does_not_trust_us(version: str, wardrobe: Wardrobe) -> None:
    async with rig(NOBODY, wardrobe) as here:
        said = await run(*openssl(here, version))
        finding = await here.named("TLS-TRUST")
    assert "unable to get local issuer certificate" in said or "self-signed" in said
    assert "48" in finding.evidence[0].text
    assert experiment_of(finding) is None


@needs_openssl
async def test_openssl_that_wants_another_name_leaves_two_causes_and_an_experiment(
    wardrobe: Wardrobe, root: str
) -> None:
    async with rig(NOBODY, wardrobe) as here:
        await run(*openssl(here, "-tls1_2", "-CAfile", root, "-verify_hostname", "other.example"))
        async with asyncio.timeout(5):
            finding = await anext(here.site.findings)
    assert finding.code in ("TLS-TRUST", "TLS-NAME")
    assert experiment_of(finding) is CERTIFICATE_PERSONALITY
    is_told_whole(finding)


@needs_openssl
async def test_openssl_with_an_old_suite_only_finds_nothing_in_common(wardrobe: Wardrobe) -> None:
    async with rig(NOBODY, wardrobe) as here:
        await run(*openssl(here, "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256:@SECLEVEL=0", "-psk", "00"))
        finding = await here.named("TLS-SUITE")
    is_told_whole(finding)


@needs_openssl
async def test_openssl_that_trusts_us_and_says_nothing_leaves_a_doubt_and_no_fault(
    wardrobe: Wardrobe, root: str
) -> None:
    async with rig(NOBODY, wardrobe) as here:
        said = await run(*openssl(here, "-CAfile", root, "-verify_hostname", "rehome.local"))
        assert "Verify return code: 0" in said
        finding = await here.named("TLS-NAME")
    assert finding.severity is Severity.WARNING
    assert experiment_of(finding) is CERTIFICATE_PERSONALITY
    is_told_whole(finding)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl program here")
async def test_curl_is_no_charger(wardrobe: Wardrobe, root: str) -> None:
    async with rig(NOBODY, wardrobe) as here:
        for url in (f"http://{HOST}:{here.site.port}/", f"https://{HOST}:{here.site.port}/"):
            assert await run("curl", "-s", "--cacert", root, url)
        assert not here.site.findings.take()

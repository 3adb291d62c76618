"""The security ladder against our own endpoint: one port, plain and TLS, certificates of our own authority."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.sim.dialtls import DialTls
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from app.storage.vault import MemoryVault
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import HOST
from tests.wire.wire_kit import TlsSite, tls_site

PASSWORD = "0123456789abcdef"
SCALE = 0.02


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(MemoryVault(), tmp_path / "trust")


@pytest.fixture
def wardrobe(authority: Authority) -> Wardrobe:
    return Wardrobe(authority, lambda: (HOST,))


async def accepted(endpoint: Any, action: str, payload: dict[str, Any]) -> None:
    assert (await endpoint.call(action, payload, timeout_s=5))["status"] == "Accepted"


async def back(here: TlsSite, before: Any) -> Any:
    return await here.server.arrival(before.identity, timeout_s=5, after=before.opened_at)


async def test_a_16_station_climbs_from_a_password_to_its_own_certificate(authority: Authority, wardrobe: Wardrobe):
    async with (
        tls_site(wardrobe) as here,
        OcppStation(
            "CP-1", here.inner.url, password=PASSWORD, security_profile=1, tls=DialTls(), time_scale=SCALE
        ) as station,
    ):
        first = await here.server.arrival("CP-1", timeout_s=5)
        await station.booted.wait()
        root = {"certificateType": "CentralSystemRootCertificate", "certificate": authority.export("pem").decode()}
        assert await first.set_setting("SecurityProfile", "2") == "Rejected", "no root yet"
        await accepted(first, "InstallCertificate", root)
        assert await first.set_setting("SecurityProfile", "2") == "Accepted"
        second = await back(here, first)
        assert second.handshake.tls is not None
        assert await second.set_setting("SecurityProfile", "3") == "Rejected", "no certificate of its own yet"
        await accepted(second, "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
        await station.until(lambda: any(action == "SignCertificate" for action, _ in station.said))
        csr = next(told["csr"] for action, told in station.said if action == "SignCertificate")
        await accepted(second, "CertificateSigned", {"certificateChain": authority.issue(csr)})
        await here.plan(security_profile=3)  # the endpoint asks for certificates from now on
        assert await second.set_setting("SecurityProfile", "3") == "Accepted"
        third = await back(here, second)
        assert third.handshake.tls is not None
        assert third.handshake.tls.is_peer_trusted
        assert await third.set_setting("SecurityProfile", "2") == "Rejected", "never downwards"


async def test_a_2_station_moves_to_tls_by_a_network_profile(authority: Authority, wardrobe: Wardrobe):
    async with (
        tls_site(wardrobe) as here,
        Station2(here.inner.url, "CS-1", password=PASSWORD, time_scale=SCALE) as station,
    ):
        first = await here.server.arrival("CS-1", timeout_s=5)
        await station.booted.wait()
        profile = {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": here.url,
            "messageTimeout": 30,
            "securityProfile": 2,
            "ocppInterface": "Wired0",
        }
        order = {"configurationSlot": 2, "connectionData": profile}
        assert (await first.call("SetNetworkProfile", order, timeout_s=5))["status"] == "Rejected", "no root yet"
        root = {"certificateType": "CSMSRootCertificate", "certificate": authority.export("pem").decode()}
        await accepted(first, "InstallCertificate", root)
        await accepted(first, "SetNetworkProfile", order)
        assert await first.set_setting("OCPPCommCtrlr.NetworkConfigurationPriority", "2,1") == "RebootRequired"
        assert await first.reset("Soft") == "Accepted"
        second = await back(here, first)
        assert second.handshake.tls is not None
        await station.booted.wait()
        assert station.network.security_profile == 2

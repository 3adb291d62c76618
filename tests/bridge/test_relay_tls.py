"""Encryption that the bridge adds, makes anew, or takes off; with certificates of a real authority."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from app.bridge.relay_order import RelayOrder
from app.model.backend import SecurityProfile
from app.model.secret import Secret
from app.sim.dialtls import DialTls
from app.sim.station import OcppStation
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.bridge.relay_kit import Backend, backend, bridge, closed, order, unit
from tests.ocpp.endpoint_kit import site
from tests.sim import pki


@pytest.fixture
def root() -> pki.Authority:
    return pki.Authority()


def secured(csms: Backend, root: pki.Authority, **more: object) -> RelayOrder:
    without = more.pop("without", ())
    target = {"roots": (root.pem,), "security_profile": SecurityProfile.TLS_BASIC, "secret": Secret("pass-word-1")}
    return order(csms.url.replace("ws:", "wss:"), target={**target, **more}, without=without)


async def test_a_unit_without_tls_reaches_a_backend_that_demands_its_certificate(
    root: pki.Authority, tmp_path: Path
) -> None:
    context = root.server(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    chain, key = root.leaf("CP-1")
    papers = {"chain": chain, "key": Secret(pki.key_pem(key)), "security_profile": SecurityProfile.TLS_CLIENT}
    async with backend(ssl=context) as csms, bridge(secured(csms, root, **papers)) as between, unit(between):
        line = await csms.line()
        shown = line.transport.get_extra_info("ssl_object").getpeercert()
        assert shown["subject"] == ((("commonName", "CP-1"),),)
        assert {"TLS-ADDED", "CERTIFICATE-ADDED"} <= between.codes
        assert "root certificate" in between.correction("TLS-ADDED").remedy


async def test_a_backend_that_is_not_trusted_is_not_spoken_to(root: pki.Authority, tmp_path: Path) -> None:
    other = pki.Authority("Somebody else")
    async with (
        backend(ssl=other.server(tmp_path)) as csms,
        bridge(secured(csms, root)) as between,
        unit(between) as link,
    ):
        code, reason = await closed(link)
        assert code == 1001
        assert "not trusted" in reason
        assert csms.lines.empty()


async def test_a_unit_is_held_off_where_its_tls_must_not_be_added(root: pki.Authority) -> None:
    async with backend() as csms, bridge(secured(csms, root, without=("TLS-ADDED",))) as between, unit(between) as link:
        assert (await closed(link))[0] == 1008
        assert "TLS-ADDED" in between.status.trouble


@pytest.mark.parametrize("is_secure", [True, False])
async def test_a_station_with_tls_of_its_own_goes_through(
    is_secure: bool, authority: Authority, wardrobe: Wardrobe
) -> None:
    own = DialTls(roots=(authority.root.pem,), highest=ssl.TLSVersion.TLSv1_2)
    async with site(wardrobe=lambda: wardrobe) as csms:
        url = csms.url.replace("ws:", "wss:") if is_secure else csms.url
        plan = order(url, target={"roots": (authority.root.pem,)})
        async with (
            bridge(plan, wardrobe=lambda: wardrobe) as between,
            OcppStation("CP-1", between.url.replace("ws:", "wss:"), time_scale=0.01, tls=own) as station,
        ):
            endpoint = await csms.server.arrival("CP-1", timeout_s=5)
            assert (endpoint.handshake.tls is not None) is is_secure
            code = "TLS-CHANGED" if is_secure else "TLS-REMOVED"
            assert code in between.codes
            assert "TLS 1.2" in between.correction(code).before
            assert between.correction("URL-CHANGED").before.startswith("wss://")
            await station.booted.wait()

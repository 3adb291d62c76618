"""OpenEVSE over its WiFi gateway: HTTP, and a WebSocket for the status.

Sources: OpenEVSE/openevse_esp32_firmware (src/app_config.cpp, web_server.cpp, web_server_config.cpp, ocpp.cpp; tags
4.1.7 to v5.1.5 and head), matth-x/MicroOcppMongoose (src/MicroOcppMongooseClient.cpp v1.0.0 to v1.2.0).
"""

from __future__ import annotations

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WritesSettings,
)
from app.driver.registry import Driver
from app.driver.session import Session
from app.driver.web import as_object
from app.drivers.openevse_wifi.configuration import identity_of
from app.drivers.openevse_wifi.session import OpenEvseWifi
from app.errors import Garbled, NotSupported
from app.links.link import Links
from app.model.address import Address, NetAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind


def open_session(address: Address, profile: Profile, links: Links) -> Session:
    """Make a session (not yet entered)."""
    if not isinstance(address, NetAddress):
        raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
    return OpenEvseWifi(address, profile, links)


async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
    """Ask ``/emoncms/describe`` (it needs no login), then ``/config``; a locked unit is known by vendor only."""
    if not isinstance(address, NetAddress):
        return None
    http = await links.http(address)
    try:
        describe = await http.request("GET", "/emoncms/describe", timeout_s=3.0, limit=10_000)
        if describe.status != 200 or describe.body.strip() != b"openevse":
            return None
        answer = await http.request("GET", "/config", timeout_s=4.0)
        if answer.status in (401, 403, 429):
            return Identity(vendor="OpenEVSE", profile_id=profile.id, extra={"locked": "yes"})
        return identity_of(as_object(answer), profile) if answer.status == 200 else None
    except Garbled:
        return None
    finally:
        await http.close()


DRIVER = Driver(
    id="openevse-wifi",
    title="OpenEVSE gateway (HTTP)",
    sources=frozenset({SourceKind.MDNS, SourceKind.LAN, SourceKind.MANUAL}),
    open=open_session,
    capabilities=frozenset(
        {
            Identifies,
            ReportsStatus,
            Meters,
            ReadsSettings,
            ReadsOneSetting,
            WritesSettings,
            SetsBackend,
            Reboots,
            ExportsLog,
        }
    ),
    probe=probe,
    asks=("GET /emoncms/describe", "GET /config"),
)

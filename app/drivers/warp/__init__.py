"""Tinkerforge WARP and ELTAKO wallboxes over their HTTP API.

Sources: Tinkerforge/esp32-firmware cf4f5b58c and tags warp2-2.1.0 to warp3-2.12.1 (software/src/modules: api/api.cpp,
http/http.cpp, ws/ws.cpp, ocpp/ocpp.cpp, evse_common/evse_common.cpp, evse_v2/evse_v2.cpp, meters/meter_value_id.csv,
device_name/device_name.cpp, authentication/authentication.cpp; software/src/main.cpp; software/src/config/visitors.h).
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
from app.driver.web import web_driver
from app.drivers.warp.identity import recognise
from app.drivers.warp.session import Warp

DRIVER = web_driver(
    Warp,
    title="Tinkerforge WARP, ELTAKO (HTTP)",
    asks=("GET /info/name", "GET /info/version", "GET /info/display_name", "GET /login_state"),
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
    recognise=recognise,
)

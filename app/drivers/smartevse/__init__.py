"""SmartEVSE v3 over its REST interface: one object of settings, written by the query of a POST.

Sources: dingo35/SmartEVSE-3.5 2d95cf08 and tags v3.6.1 to v3.11.1 (SmartEVSE-3/src/esp32.cpp, evse.cpp,
network_common.cpp; docs/REST_API.md, configuration.md), matth-x/MicroOcpp (src/MicroOcpp/Model/Boot/BootService.cpp).
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
from app.drivers.smartevse.session import SmartEvse, recognise

DRIVER = web_driver(
    SmartEvse,
    title="SmartEVSE (HTTP)",
    asks=("GET /settings",),
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

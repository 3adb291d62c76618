"""ChargeLab OpenOCPP's portal: its OCPP keys over HTTP or HTTPS, without a login, staged until a restart.

Sources: ChargeLab/OpenOCPP efdaa21 (v1.0.0): demo-esp32/main/portal_demo.h, include/openocpp/common/settings.h,
module/configuration_module.h, module/boot_notification_module.h, implementation/platform_esp.h.
"""

from __future__ import annotations

from app.driver.capability import (
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
from app.drivers.openocpp.session import CONFIGURATION, OpenOcpp, recognise

DRIVER = web_driver(
    OpenOcpp,
    title="ChargeLab OpenOCPP (portal)",
    asks=(f"GET {CONFIGURATION}",),
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
        }
    ),
    recognise=recognise,
)

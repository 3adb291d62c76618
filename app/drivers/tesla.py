"""Tesla Wall Connector Gen 3: its web interface only tells; no login, nothing to set, no OCPP.

Sources: einarhauks/tesla-wall-connector 1.2.0: api.py, vitals.py, lifetime.py, version.py, tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from app.driver.measuring import Field
from app.driver.telling import TellingSession, named, telling_driver
from app.driver.web import fingerprint, text_of
from app.links.link import HttpLink
from app.model.profile import Profile
from app.model.reading import Measurand
from app.model.unit import Identity


class WallConnector(TellingSession):
    """One session. The unit may take seconds to answer; some firmware's lifetime is no JSON ("nan", a brace lost)."""

    driver_id: ClassVar[str] = "tesla"
    deadline_s: ClassVar[float] = 6.0
    paths = ("/api/1/vitals", "/api/1/lifetime")
    fields = (
        *(Field((f"voltage{p}_v",), Measurand.VOLTAGE, phase=f"L{n}") for n, p in enumerate("ABC", 1)),
        *(Field((f"current{p}_a",), Measurand.CURRENT, phase=f"L{n}") for n, p in enumerate("ABC", 1)),
        Field(("grid_hz",), Measurand.FREQUENCY),
        Field(("handle_temp_c",), Measurand.TEMPERATURE),
        Field(("energy_wh",), Measurand.ENERGY),
    )

    @staticmethod
    async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
        """Ask for the version, then for values that only this family has."""
        said = await fingerprint(http, "/api/1/version")
        if not isinstance(said, dict) or not {"firmware_version", "part_number", "serial_number"} <= said.keys():
            return None
        vitals = await fingerprint(http, "/api/1/vitals")
        if not isinstance(vitals, dict) or not {"contactor_closed", "handle_temp_c"} <= vitals.keys():
            return None
        model, serial = text_of(said, "part_number", 40), text_of(said, "serial_number", 40)
        return named(profile, model=model, serial=serial, firmware=text_of(said, "firmware_version", 60))

    def state(self, found: Mapping[str, Any]) -> tuple[str, str]:
        """Read car and contactor, and name the alerts."""
        alerts = found.get("current_alerts")
        told = ", ".join(str(item)[:40] for item in alerts[:8]) if isinstance(alerts, list) else ""
        if found.get("contactor_closed") is True:
            return "Charging", told
        return "Preparing" if found.get("vehicle_connected") is True else "Available", told


DRIVER = telling_driver(
    WallConnector, title="Tesla Wall Connector Gen 3", asks=("GET /api/1/version", "GET /api/1/vitals")
)

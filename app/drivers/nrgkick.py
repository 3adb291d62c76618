"""NRGkick Gen2 over its local API: read only, for it has no OCPP key. Never ``/control`` with a parameter: it steers.

Sources: DiniTech "NRGkick Gen2 Local API Documentation" (andijakl/nrgkick-api: Documentation), sections 1 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from app.driver.announcement import announced
from app.driver.measuring import Field, at
from app.driver.telling import TellingSession, named, telling_driver
from app.driver.web import fingerprint, text_of
from app.errors import NotSupported
from app.links.link import HttpLink
from app.model.profile import Profile
from app.model.reading import Measurand
from app.model.unit import Identity

INFO = "/info?general=1&network=1&versions=1"
"""Without what is nobody's business here: place, SIM card, attachment."""

STATES = {
    ("STANDBY", "1"): "Available",
    ("CONNECTED", "2"): "Preparing",
    ("WAKEUP", "7"): "Preparing",
    ("CHARGING", "3"): "Charging",
    ("ERROR", "6"): "Faulted",
}
"""The status in words and, in raw mode, as a number."""

NOTHING = ("", "0", "NO_ERROR", "NO_WARNING", "NO_FAULT")


def as_table(found: Any, key: str) -> Mapping[str, Any]:
    """Return a section of an answer, empty where it is none."""
    section = at(found, (key,))
    return section if isinstance(section, dict) else {}


class NrgKick(TellingSession):
    """One session; the app may have put a login before the API, or switched it off."""

    driver_id: ClassVar[str] = "nrgkick"
    login_advice = "Enter the user name and password that were set in the NRGkick app, Local API, BasicAuth."
    paths = ("/values",)
    fields = (
        *(Field(("powerflow", f"l{n}", "voltage"), Measurand.VOLTAGE, phase=f"L{n}") for n in (1, 2, 3)),
        *(Field(("powerflow", f"l{n}", "current"), Measurand.CURRENT, phase=f"L{n}") for n in (1, 2, 3)),
        Field(("powerflow", "total_active_power"), Measurand.POWER),
        Field(("powerflow", "charging_current"), Measurand.CURRENT_OFFERED),
        Field(("powerflow", "grid_frequency"), Measurand.FREQUENCY),
        Field(("energy", "total_charged_energy"), Measurand.ENERGY),
        Field(("temperatures", "housing"), Measurand.TEMPERATURE),
    )

    async def look(self) -> None:
        """Raise NotSupported where the app has switched the API off (nrgkick-api 1.7.0, api.py)."""
        answer = await self.fetch("GET", "/values")
        if b"API must be enabled" in answer.body:
            raise NotSupported(
                "This charger's local API is switched off.", "Switch the JSON API on in the NRGkick app, Local API."
            )
        await super().look()

    @staticmethod
    async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
        """Ask for the sections that say who it is; the model must be the family's own."""
        said = await fingerprint(http, INFO)
        who = as_table(said, "general")
        if not text_of(who, "serial_number") or "NRGKICK" not in text_of(who, "model_type").upper():
            return None
        return named(
            profile,
            model=text_of(who, "model_type", 60),
            serial=text_of(who, "serial_number", 60),
            firmware=text_of(as_table(said, "versions"), "sw_sm", 30),
            mac=text_of(as_table(said, "network"), "mac_address", 30),
            name=text_of(who, "device_name", 60),
        )

    def state(self, found: Mapping[str, Any]) -> tuple[str, str]:
        """Read the status; name error, warning and residual current fault."""
        told = as_table(found, "general")
        status = text_of(told, "status", 20)
        word = next((word for names, word in STATES.items() if status in names), "")
        codes = (text_of(told, key, 60) for key in ("error_code", "warning_code", "rcd_trigger"))
        return word, ", ".join(code for code in codes if code not in NOTHING)


DRIVER = replace(
    telling_driver(NrgKick, title="NRGkick Gen2", asks=(f"GET {INFO}",)),
    announced=announced,  # it says serial and model there, behind a login, too
)

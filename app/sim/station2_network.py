"""Where a simulated 2.x station dials: network connection profiles and their migration (part 2, B09 and B10)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.model.backend import dialled_url
from app.sim.fault import Fault
from app.sim.line import led
from app.sim.login import basic
from app.sim.station2_evse import Json
from app.sim.station2_model import Variable

if TYPE_CHECKING:
    from app.sim.station2 import Station2

OLD_PROFILE_AFTER_S = 60.0
"""A station that clings to its former profile goes back after a minute (connection-failures 14)."""


class NetworkProfiles:
    """The slots, their order, and the one in use.

    Priority is read at the start of the station. Each slot gets NetworkProfileConnectionAttempts attempts, then the
    next one has its turn, and after the last the first again (B10.FR.03 to .07).
    """

    def __init__(self, station: Station2, url: str, profile: int) -> None:
        self._station = station
        self.slots: dict[int, Json] = {1: profile_of(url, profile)} if url else {}
        self.order: tuple[int, ...] = ()
        self.proven = 1
        self._redirect = ("", "")
        self._at = 0

    @property
    def active(self) -> int:
        """Return the slot it dials, 0 where none is set."""
        return self.order[self._at] if self.order else 0

    @property
    def security_profile(self) -> int:
        """Return the security profile in force."""
        return int(self._station.model.number("SecurityCtrlr", "SecurityProfile"))

    def start(self) -> None:
        """Read the priority, as a station does when it starts."""
        wanted = [int(part) for part in self._station.model.members("OCPPCommCtrlr", "NetworkConfigurationPriority")]
        self.order = tuple(slot for slot in wanted if slot in self.slots)
        self._at = 0
        self.show()
        self.aim()

    def failed(self, failures: int) -> None:
        """Count a failed attempt; after the last of a slot the next one has its turn."""
        attempts = int(self._station.model.number("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", default=1.0))
        if len(self.order) > 1 and failures >= max(attempts, 1):
            self._station.failed_dials = 0
            self._next()

    def opened(self) -> None:
        """Note that the slot in use works: it is the active one now."""
        former, self.proven = self.proven, self.active
        model = self._station.model
        model.put("OCPPCommCtrlr", "ActiveNetworkProfile", str(self.active))
        profile = str(self.slots.get(self.active, {}).get("securityProfile", 0))
        model.put("SecurityCtrlr", "SecurityProfile", profile)
        if Fault.OLD_PROFILE in self._station.faults and former != self.proven:
            self._station.later("old profile", OLD_PROFILE_AFTER_S, lambda: self._back_to(former))

    def pause_s(self) -> float:
        """Return the pause before the next attempt: RetryBackOff of part 4 §5.3, doubling, with a random part."""
        model, failures = self._station.model, self._station.failed_dials
        least_s = model.number("OCPPCommCtrlr", "RetryBackOffWaitMinimum", default=10.0)
        doublings = min(failures, int(model.number("OCPPCommCtrlr", "RetryBackOffRepeatTimes")))
        jitter_s = random.uniform(0, model.number("OCPPCommCtrlr", "RetryBackOffRandomRange"))
        return float(least_s * 2**doublings + jitter_s)

    def put(self, slot: int, url: str) -> None:
        """Write an address into a slot at the station's own menu."""
        self.slots[slot] = profile_of(url, int(self.slots.get(slot, {}).get("securityProfile", 0)))
        self.start()

    def lead(self, url: str) -> None:
        """Lead the host of the slot in use to ``url``, as the DNS of a site would."""
        profile = self.slots.get(self.active)
        if profile is not None:
            self._redirect = (urlsplit(str(profile["ocppCsmsUrl"])).netloc.lower(), url)
        self.aim()

    def relogin(self, password: str) -> None:
        """Use a new password from the next connection on."""
        self._station.password = password
        self.aim()

    # What the central system orders

    def set_profile(self, payload: Json) -> Json:
        """B09: refuse what is not allowed or can't work, keep the rest in its slot."""
        slot, wanted = int(payload["configurationSlot"]), dict(payload["connectionData"])
        refusal = self._objection(slot, wanted)
        if refusal:
            return {"status": "Rejected", "statusInfo": {"reasonCode": refusal}}
        if Fault.ACCEPTS_AND_IGNORES not in self._station.faults:
            self.slots[slot] = wanted
            self.show()
        return {"status": "Accepted"}

    def order_objection(self, value: str) -> str:
        """Return the reason code why this priority may not be set (B09.FR.05, B10)."""
        slots = [part.strip() for part in value.split(",") if part.strip()]
        if not slots or not all(part.isdigit() for part in slots):
            return "InvalidValue"
        known = [self.slots.get(int(part)) for part in slots]
        for profile in known:
            if profile is None or self._lacks_certificate(int(profile["securityProfile"])):
                return "InvalidNetworkConf"
        return ""

    def _objection(self, slot: int, wanted: Json) -> str:
        url, profile = str(wanted["ocppCsmsUrl"]), int(wanted["securityProfile"])
        if Fault.REFUSES_NETWORK_PROFILE in self._station.faults:
            return "InvalidNetworkConf"
        allowed = self._station.model.variable("OCPPCommCtrlr", "NetworkConfigurationPriority")
        if str(slot) not in allowed.choices:
            return "InvalidConfSlot"
        if profile < self.security_profile:
            return "NoSecurityDowngrade"
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            return "InvalidNetworkConf"
        if scheme not in ("ws", "wss") or (scheme == "wss") != (profile >= 2):
            return "InvalidNetworkConf"
        if wanted["ocppTransport"] != "JSON" or self._lacks_certificate(profile):
            return "InvalidNetworkConf"
        return ""

    def _lacks_certificate(self, profile: int) -> bool:
        store = self._station.certificates
        if profile >= 2 and not store.roots("CSMSRootCertificate") and self._station.tls.verifies:
            return True
        return profile == 3 and not store.has_client

    # Inside

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self.order)
        self.aim()

    def _back_to(self, slot: int) -> None:
        if slot in self.order:
            self._at = self.order.index(slot)
        elif slot in self.slots:
            self.order, self._at = (slot, *self.order), 0
        self.aim()
        self._station.redial_soon()

    def aim(self) -> None:
        """Set URL, login and TLS of the line to the slot in use."""
        station = self._station
        profile = self.slots.get(self.active)
        if profile is None:
            station.dial_url = ""
            return
        name = str(profile.get("identity", station.identity))
        station.dial_url = dialled_url(led(str(profile["ocppCsmsUrl"]), *self._redirect), name, station.join)
        password = str(profile.get("basicAuthPassword", station.password))
        is_basic = int(profile["securityProfile"]) in (1, 2)
        station.headers = basic(name, password.encode()) if is_basic and password else ()
        station.security.aim(station.tls, int(profile["securityProfile"]))

    def show(self) -> None:
        """Show the slots as NetworkConfiguration components, as 2.1 does (2.1 part 2, B09)."""
        if self._station.version != "2.1":
            return
        for slot in self._station.model.variable("OCPPCommCtrlr", "NetworkConfigurationPriority").choices:
            profile = self.slots.get(int(slot), {})
            for name, field, kind in _SHOWN:
                value = str(profile.get(field, ""))
                self._station.model.add(Variable("NetworkConfiguration", name, value, kind, component_instance=slot))


_SHOWN = (
    ("OcppCsmsUrl", "ocppCsmsUrl", "string"),
    ("OcppInterface", "ocppInterface", "OptionList"),
    ("OcppTransport", "ocppTransport", "OptionList"),
    ("OcppVersion", "ocppVersion", "OptionList"),
    ("SecurityProfile", "securityProfile", "integer"),
    ("MessageTimeout", "messageTimeout", "integer"),
)


def profile_of(url: str, profile: int) -> Json:
    """Return a NetworkConnectionProfileType for a URL."""
    return {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": url,
        "messageTimeout": 30,
        "securityProfile": profile,
        "ocppInterface": "Wired0",
    }

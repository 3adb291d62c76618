"""A simulated charging station that dials a central system over OCPP 2.0.1 or 2.1.

Its parts: device model (``station2_model``, ``station2_inventory``), transactions (``station2_tx``), authorisation
(``station2_auth``), network profiles (``station2_network``), charging profiles, certificates, and what it does
on order (``station2_orders``).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from app.model.backend import JoinRule
from app.sim.answers import Refusal
from app.sim.car import Outlet
from app.sim.certificates import CertificateStore
from app.sim.dialler import Dialler, Reply
from app.sim.dialtls import DialTls
from app.sim.errands import Errands
from app.sim.fault import Fault
from app.sim.station2_auth import Authorisation
from app.sim.station2_charging import Charging
from app.sim.station2_display import Display
from app.sim.station2_errands import Transfers
from app.sim.station2_evse import Evse, IdToken, Json
from app.sim.station2_inventory import inventory
from app.sim.station2_model import DeviceModel, Variable
from app.sim.station2_monitors import Monitors
from app.sim.station2_network import NetworkProfiles
from app.sim.station2_orders import Orders, Result
from app.sim.station2_reservations import Reservations
from app.sim.station2_security import Security
from app.sim.station2_tx import Transactions
from app.sim.station21 import Additions21, lacking
from app.sim.strictness import must_obey

SUBPROTOCOLS = {"2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}

KEPT_OFFLINE = frozenset({"TransactionEvent", "SecurityEventNotification"})
"""What outlives a lost connection (part 2 E04, A04)."""

NOT_SUPPORTED = frozenset({"PublishFirmware", "UnpublishFirmware", "Get15118EVCertificate"})
"""Actions that it knows and has no use for (part 4 §4.3: NotSupported, not NotImplemented)."""

RESET_DELAY_S = 0.5

Answer2 = Callable[[Json], Result]


class Station2(Dialler):
    """One charging station. Use it as an async context manager: inside, it has power and dials ``url``.

    ``url`` is its first network profile, without the identity. ``variables`` sets device model values by
    ``"Component.Variable"`` or ``"Component.Variable/instance"``. ``faults`` may be changed at any time. All times it
    keeps are multiplied by ``time_scale``; its meter runs in real time, so that energy stays power times time.
    """

    kept_offline = KEPT_OFFLINE
    restarts = 0
    boot_reason = "PowerUp"
    whole_reset_planned = False

    def __init__(
        self,
        url: str,
        identity: str,
        version: str = "2.0.1",
        *,
        password: str = "",
        security_profile: int | None = None,
        tls: DialTls | None = None,
        evses: int = 1,
        vendor: str = "Simulated",
        model: str = "Station DC 2",
        firmware: str = "2.3.0",
        serial: str = "",
        variables: Mapping[str, str] | None = None,
        reboot_s: float = 5.0,
        redial_s: float | None = None,
        time_scale: float = 1.0,
        faults: Iterable[Fault] = (),
        join: JoinRule = JoinRule.APPEND_IF_MISSING,
    ) -> None:
        serial = serial or f"SIM{zlib.crc32(identity.encode()):08X}"
        super().__init__(
            identity,
            "",
            headers=(),
            subprotocols=(SUBPROTOCOLS[version],),
            boot={"vendorName": vendor, "model": model, "serialNumber": serial, "firmwareVersion": firmware},
            redial_s=redial_s if redial_s is not None else 10.0,
            time_scale=time_scale,
            faults=set(faults),
            boots_on_redial=False,
            tls=tls or DialTls(),
        )
        self.version = version
        self.join = join
        self.password = password
        self.reboot_s = reboot_s
        self.evses = [Evse(number, Outlet(number, phases=3)) for number in range(1, evses + 1)]
        profile = _profile(url, password) if security_profile is None else security_profile
        named = {"VendorName": vendor, "Model": model, "SerialNumber": serial, "FirmwareVersion": firmware}
        self.model = DeviceModel(inventory(named, evses=evses, identity=identity, profile=profile))
        self._prepare(variables or {})
        self._fixed_redial_s = redial_s
        self._equip(url, profile)
        self.answers: dict[str, Answer2] = self._answers()
        self._kept = self._values()
        self.network.start()

    def _equip(self, url: str, profile: int) -> None:
        """Make its parts."""
        self.authorisation = Authorisation(self)
        self.transactions = Transactions(self)
        self.certificates = CertificateStore(self.tls.roots)
        if self.tls.chain:
            self.certificates.own(self.tls.chain, self.tls.key)
        self.security = Security(self, self.certificates)
        self.charging = Charging(self)
        self.errands = Errands(self, self._scope)
        self.transfers = Transfers(self, self.errands, self.certificates)
        self.reservations = Reservations(self)
        self.display = Display(self)
        self.monitors = Monitors(self)
        self.additions = Additions21(self)
        self.network = NetworkProfiles(self, url, profile)
        self.orders = Orders(self)

    async def __aenter__(self) -> Self:
        self._scope.isolated("meter", self.transactions.run())
        self._scope.isolated("monitors", self.monitors.run())
        self._scope.isolated("limits", self.charging.run())
        self._scope.isolated("aligned", self.transactions.run_aligned())
        return await super().__aenter__()

    # What a person does to it

    def plug_in(self, evse: int = 1) -> None:
        """Put a car on."""
        self.transactions.plugged(self.evse(evse))

    def unplug(self, evse: int = 1) -> None:
        """Take the car away."""
        self.transactions.unplugged(self.evse(evse))

    def swipe(self, tag: str, kind: str = "ISO14443", *, evse: int | None = None) -> None:
        """Hold a card before the reader; the card that began a charge ends it."""
        self.authorisation.present(IdToken(tag, kind), None if evse is None else self.evse(evse))

    def suspend(self, evse: int = 1, *, wants_current: bool = False) -> None:
        """Let the car take no more current, or some again."""
        self.evse(evse).outlet.wants_current = wants_current
        self.transactions.changed(self.evse(evse))

    def remember_session(self, tag: str, *, days_ago: float, energy_wh: float = 7000.0) -> None:
        """Queue a whole session of the past, as one that a dead backend never took (connection-failures 13)."""
        self.transactions.remember(IdToken(tag), days_ago=days_ago, energy_wh=energy_wh)

    def set_fault(self, has_fault: bool = True, evse: int = 1) -> None:
        """Let an EVSE report a fault, or be well again."""
        one = self.evse(evse)
        one.has_fault = has_fault
        if has_fault and one.tx is not None:
            self.transactions.aborted(one, "AbnormalCondition", "GroundFault")
        self.tell_status(one)

    def evse(self, number: int) -> Evse:
        """Return an EVSE; raises KeyError where there is none of that number."""
        for evse in self.evses:
            if evse.number == number:
                return evse
        raise KeyError(number)

    def dial(self, url: str) -> None:
        """Lead the host it is configured for to ``url``, as the DNS of a site would, and let it dial."""
        self.network.lead(url)
        self.redial_soon()

    async def power_cycle(self, off_s: float | None = None, *, reason: str = "PowerUp") -> None:
        """Lose power for ``off_s`` (scaled; default ``reboot_s``) and come back."""
        self.restarts += 1
        for evse in self.evses:
            self.transactions.aborted(evse, "AbnormalCondition", "PowerLoss" if reason == "PowerUp" else "Reboot")
        await self.power_off()
        if Fault.REVERTS in self.faults:
            self._restore(self._kept)
        self._kept = self._values()
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        self.boot_reason = reason
        self.network.start()
        self.power_on()

    async def restart_with(self, firmware: str) -> None:
        """Restart after an update, and tell of it once it is accepted again (L01)."""
        if firmware:
            self.boot["firmwareVersion"] = firmware
            self.model.put("ChargingStation", "FirmwareVersion", firmware)
        await self.power_cycle(reason="FirmwareUpdate")
        await self.booted.wait()
        self.security.tell("FirmwareUpdated")

    def restart_soon(self, reason: str) -> None:
        """Restart a moment from now: usable from inside an answer."""
        self._scope.isolated("reset", self._later(RESET_DELAY_S, lambda: self._restart(reason)))

    async def _restart(self, reason: str) -> None:
        """Restart once the queue is dry, so that no session is told to the next central system (B10)."""
        await self.drained()
        await self.power_cycle(reason=reason)

    # What it says

    def boot_payload(self) -> Json:
        """Return its BootNotification (B01)."""
        if Fault.SPEAKS_16 in self.faults:
            return {"chargePointVendor": self.boot["vendorName"], "chargePointModel": self.boot["model"]}
        nameless = {"vendorName": ""} if Fault.EMPTY_VENDOR in self.faults else {}
        return {"reason": self.boot_reason, "chargingStation": {**self.boot, **nameless}}

    def boot_triggered(self) -> None:
        """Boot because it was asked to."""
        self.boot_reason = "Triggered"
        self.boot_again()

    def say_status(self, evse: Evse, *, is_asked: bool = False) -> None:
        """Tell the state of an EVSE's connector."""
        if Fault.NO_STATUS in self.faults and evse is self.evses[-1]:
            return
        evse.told_status = evse.status
        payload: Json = {"timestamp": self.clock.text(), "connectorStatus": evse.status}
        payload |= {"evseId": evse.number, "connectorId": 1}
        if Fault.SPEAKS_16 in self.faults:
            status = "Charging" if evse.status == "Occupied" else evse.status
            payload = {"connectorId": evse.number, "status": status, "errorCode": "NoError"}
        self.say("StatusNotification", payload, is_asked=is_asked)

    def tell_status(self, evse: Evse) -> None:
        """Tell the state if it changed, and show it in the device model."""
        for component, connector in (("EVSE", 0), ("Connector", 1)):
            self.model.variable(
                component, "AvailabilityState", evse=evse.number, connector=connector
            ).value = evse.status
        self.model.put("EVSE", "Problem", "true" if evse.has_fault else "false", evse=evse.number)
        is_served = any(one.is_available for one in self.evses)
        self.model.put("ChargingStation", "AvailabilityState", "Available" if is_served else "Unavailable")
        if evse.status != evse.told_status:
            self.say_status(evse)

    def say_meter(self, evse: Evse) -> None:
        """Tell the aligned measurands because it was asked to (F06)."""
        wanted = self.model.members("AlignedDataCtrlr", "Measurands") or ("Energy.Active.Import.Register",)
        evse.outlet.spoil(self.faults)
        value = self.transactions.meter_value(evse, wanted, "Trigger")
        self.say("MeterValues", {"evseId": evse.number, "meterValue": [value]}, is_asked=True)

    def tell_log(self, status: str, request_id: int | None) -> None:
        """Tell how an upload goes."""
        self._tell_errand("LogStatusNotification", status, request_id)

    def tell_firmware(self, status: str, request_id: int | None) -> None:
        """Tell how an update goes."""
        self._tell_errand("FirmwareStatusNotification", status, request_id)

    def _tell_errand(self, action: str, status: str, request_id: int | None) -> None:
        told = {"status": status} | ({"requestId": request_id} if request_id is not None and status != "Idle" else {})
        self.say(action, told, is_asked=True)

    def transaction_ended(self, evse: Evse) -> None:
        """Do what waited for the end of a transaction."""
        if evse.planned is not None:
            evse.is_operative, evse.planned = evse.planned, None
        self.charging.ended(evse)
        self.tell_status(evse)
        if evse.planned_reset and all(one.tx is None for one in self.evses):
            for one in self.evses:
                one.planned_reset = False
            if self.whole_reset_planned:
                self.whole_reset_planned = False
                self.restart_soon("ScheduledReset")

    # What the line asks of it

    @property
    def heartbeat_s(self) -> float:
        """Return HeartbeatInterval."""
        return self.model.number("OCPPCommCtrlr", "HeartbeatInterval", default=300.0)

    @property
    def ping_s(self) -> float:
        """Return WebSocketPingInterval."""
        return self.model.number("OCPPCommCtrlr", "WebSocketPingInterval")

    @property
    def attempts(self) -> tuple[int, float]:
        """Return MessageAttempts and MessageAttemptInterval for TransactionEvent (E13)."""
        count = int(self.model.number("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent", default=1))
        return count, self.model.number("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent")

    @property
    def offline_threshold_s(self) -> float:
        """Return OfflineThreshold."""
        return self.model.number("OCPPCommCtrlr", "OfflineThreshold", default=60.0)

    def accepted(self, interval_s: float) -> None:
        """Keep the central system's interval and tell all states (B01.FR.05), then that it was switched on (A04)."""
        if interval_s:
            self.model.put("OCPPCommCtrlr", "HeartbeatInterval", str(round(interval_s)))
        for evse in self.evses:
            self.say_status(evse)
        if self.boot_reason != "Triggered":
            self.security.tell("StartupOfTheDevice")

    def returned(self) -> None:
        """Tell the present state of every connector (B04)."""
        for evse in self.evses:
            self.say_status(evse)

    def lacking(self, action: str, payload: Json) -> str:
        """Return what an answer lacks; only 2.1 can say so."""
        return lacking(action, payload) if self.version == "2.1" else ""

    def dial_opened(self) -> None:
        """Note that the profile in use works."""
        super().dial_opened()
        self.network.opened()

    def dial_failed(self) -> None:
        """Count the attempt against the profile in use."""
        super().dial_failed()
        self.network.failed(self.failed_dials)

    def pause_s(self) -> float:
        """Return a fixed pause where one was given, else the standard's back-off."""
        return self._fixed_redial_s if self._fixed_redial_s is not None else self.network.pause_s()

    def reply(self, action: str, payload: Json) -> Reply:
        """Answer from ``answers``; before acceptance nothing is done in the Rejected state (B03)."""
        if self.registration == "Rejected":
            return [4, "SecurityError", "not accepted", {}], None
        answer = self.answers.get(action)
        if answer is None:
            return [4, "NotSupported" if action in NOT_SUPPORTED else "NotImplemented", "", {}], None
        try:
            must_obey(self.version, action, payload)
            result = answer(payload)
        except Refusal as refusal:
            return [4, refusal.code, refusal.text, {}], None
        except KeyError as error:
            return [4, "OccurrenceConstraintViolation", str(error), {}], None
        except (TypeError, ValueError, ArithmeticError) as error:
            return [4, "PropertyConstraintViolation", str(error)[:255], {}], None
        if isinstance(result, tuple):
            return [3, result[0]], result[1]
        return [3, result], None

    def variables(self) -> list[Variable]:
        """Return the device model as it is now."""
        self.model.put("ClockCtrlr", "DateTime", self.clock.text())
        for evse in self.evses:
            self.model.put("EVSE", "Power", f"{evse.outlet.power_w:.1f}", evse=evse.number)
        return list(self.model)

    def queued_events(self, transaction_id: str | None = None) -> bool:
        """Say whether TransactionEvents (of one transaction) wait to go out."""
        waiting = [message.payload() for message in self._outbox if message.action == "TransactionEvent"]
        return any(transaction_id in (None, event["transactionInfo"]["transactionId"]) for event in waiting)

    # Inside

    def _answers(self) -> dict[str, Answer2]:
        orders, authorisation = self.orders, self.authorisation
        additions = self.additions.answers() if self.version == "2.1" else {}
        return {
            **additions,
            "GetVariables": orders.get_variables,
            "SetVariables": orders.set_variables,
            "GetBaseReport": orders.get_base_report,
            "GetReport": orders.get_report,
            "Reset": orders.reset,
            "TriggerMessage": orders.trigger,
            "ChangeAvailability": orders.change_availability,
            "RequestStartTransaction": orders.request_start,
            "RequestStopTransaction": orders.request_stop,
            "UnlockConnector": orders.unlock,
            "GetTransactionStatus": orders.transaction_status,
            "DataTransfer": orders.data_transfer,
            "SetChargingProfile": self.charging.set_profile,
            "ClearChargingProfile": self.charging.clear,
            "GetChargingProfiles": self.charging.get_profiles,
            "GetCompositeSchedule": self.charging.composite,
            "CertificateSigned": self.security.signed,
            "InstallCertificate": self.security.install,
            "GetInstalledCertificateIds": self.security.installed,
            "DeleteCertificate": self.security.delete,
            "SetNetworkProfile": self.network.set_profile,
            "GetLog": self.transfers.get_log,
            "UpdateFirmware": self.transfers.update_firmware,
            "ReserveNow": self.reservations.reserve,
            "CancelReservation": self.reservations.cancel,
            "SetDisplayMessage": self.display.set_message,
            "GetDisplayMessages": self.display.get_messages,
            "ClearDisplayMessage": self.display.clear_message,
            "CostUpdated": self.display.cost_updated,
            "CustomerInformation": self.display.customer_information,
            "SetVariableMonitoring": self.monitors.set_monitors,
            "ClearVariableMonitoring": self.monitors.clear_monitors,
            "SetMonitoringBase": self.monitors.set_base,
            "SetMonitoringLevel": self.monitors.set_level,
            "GetMonitoringReport": self.monitors.get_report,
            "GetPeriodicEventStream": self.monitors.get_streams,
            "AdjustPeriodicEventStream": self.monitors.adjust_stream,
            "ClearCache": authorisation.clear_cache,
            "SendLocalList": authorisation.list_sent,
            "GetLocalListVersion": authorisation.list_version_told,
        }

    def _prepare(self, variables: Mapping[str, str]) -> None:
        for path, value in variables.items():
            component, _, rest = path.partition(".")
            name, _, instance = rest.partition("/")
            self.model.variable(component, name, instance).value = value

    def _values(self) -> list[tuple[Variable, str | None]]:
        return [(variable, variable.value) for variable in self.model if variable.is_writable]

    def _restore(self, values: list[tuple[Variable, str | None]]) -> None:
        for variable, value in values:
            variable.value = value


def _profile(url: str, password: str) -> int:
    if url.lower().startswith("wss:"):
        return 2
    return 1 if password else 0

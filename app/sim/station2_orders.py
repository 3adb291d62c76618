"""What a simulated 2.x station does when its central system orders something (part 2, blocks B, E, F, G)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.sim.answers import Refusal
from app.sim.fault import Fault
from app.sim.station2_evse import Evse, IdToken, Json
from app.sim.station2_model import Variable

if TYPE_CHECKING:
    from app.sim.station2 import Station2

After = Callable[[], None]
Result = Json | tuple[Json, After]

PART = 20
"""Variables in one NotifyReport."""
TRUNCATED = 20


def rejected(reason: str) -> Json:
    """Return a refusal with its reason code (part 2, appendix 5)."""
    return {"status": "Rejected", "statusInfo": {"reasonCode": reason}}


class Orders:
    """Reset, triggers, availability, remote start and stop, unlock, reports, variables."""

    def __init__(self, station: Station2) -> None:
        self._station = station

    # Variables and reports

    def get_variables(self, payload: Json) -> Json:
        """B06."""
        self._within("GetVariables", payload, payload["getVariableData"])
        self._station.variables()  # what is measured is up to date then
        return {"getVariableResult": [self._station.model.read(asked) for asked in payload["getVariableData"]]}

    def set_variables(self, payload: Json) -> tuple[Json, After]:
        """B05; a new password is used once the answer has gone out (A01)."""
        self._within("SetVariables", payload, payload["setVariableData"])
        station, before = self._station, self._station.password
        results = [station.model.write(asked, self._apply) for asked in payload["setVariableData"]]

        def after() -> None:
            if station.password != before:
                station.network.relogin(station.password)
                station.redial_soon()

        return {"setVariableResult": results}, after

    def get_base_report(self, payload: Json) -> Result:
        """B07."""
        base = payload["reportBase"]
        kept = {
            "ConfigurationInventory": [one for one in self._station.variables() if one.is_writable],
            "FullInventory": self._station.variables(),
            "SummaryInventory": [one for one in self._station.variables() if one.is_summary],
        }.get(base)
        if kept is None:
            return {"status": "NotSupported"}
        return {"status": "Accepted"}, lambda: self._report(int(payload["requestId"]), kept)

    def get_report(self, payload: Json) -> Result:
        """B08: by criteria and by names, both narrow it."""
        wanted = payload.get("componentVariable")
        self._within("GetReport", payload, wanted or [])
        found = self._station.variables()
        if wanted:
            named = [
                one.key
                for want in wanted
                for one in self._station.model.matches(want["component"], want.get("variable"))
            ]
            found = [one for one in found if one.key in named]
        criteria = payload.get("componentCriteria")
        if criteria:
            places = {one.key[:4] for one in self._station.variables() if one.name in criteria and one.value == "true"}
            found = [one for one in found if one.key[:4] in places]
        if not found:
            return {"status": "EmptyResultSet"}
        return {"status": "Accepted"}, lambda: self._report(int(payload["requestId"]), found)

    def _report(self, request_id: int, variables: list[Variable]) -> None:
        parts = [variables[at : at + PART] for at in range(0, len(variables), PART)] or [[]]
        for number, part in enumerate(parts):
            payload: Json = {
                "requestId": request_id,
                "generatedAt": self._station.clock.text(),
                "seqNo": number,
                "tbc": number + 1 < len(parts),
            }
            if part:
                payload["reportData"] = [one.reported() for one in part]
            self._station.say("NotifyReport", payload, is_asked=True)

    def _within(self, message: str, payload: Json, items: list[Json]) -> None:
        model = self._station.model
        if len(items) > model.number("DeviceDataCtrlr", "ItemsPerMessage", message, default=1e9):
            raise Refusal("OccurrenceConstraintViolation", f"more items than ItemsPerMessage[{message}]")
        if len(json.dumps(payload)) > model.number("DeviceDataCtrlr", "BytesPerMessage", message, default=1e9):
            raise Refusal("FormatViolation", f"more bytes than BytesPerMessage[{message}]")

    def _apply(self, variable: Variable, kind: str, value: str) -> tuple[str, str]:
        station, faults = self._station, self._station.faults
        if Fault.REFUSES in faults:
            return "Rejected", "InvalidValue"
        if variable.name == "NetworkConfigurationPriority" and (reason := station.network.order_objection(value)):
            return "Rejected", reason
        if Fault.ACCEPTS_AND_IGNORES not in faults:
            variable.put(kind, value[:TRUNCATED] if Fault.TRUNCATES in faults else value)
            if variable.name == "BasicAuthPassword":
                station.password = value
        restarts = variable.needs_reboot or variable.name == "NetworkConfigurationPriority"
        return ("RebootRequired" if restarts else "Accepted"), ""

    # Reset

    def reset(self, payload: Json) -> Result:
        """B11 and B12: at once, or when no transaction runs; of one EVSE where it is named."""
        station, number = self._station, payload.get("evseId")
        concerned = station.evses if number is None else [self._evse(int(number))]
        if Fault.IGNORES_RESET in station.faults:
            return {"status": "Accepted"}
        busy = [evse for evse in concerned if evse.tx is not None]
        if payload["type"] == "OnIdle" and busy:
            for evse in concerned:
                evse.planned_reset = True
            station.whole_reset_planned = number is None
            return {"status": "Scheduled"}

        def after() -> None:
            for evse in busy:
                station.transactions.aborted(evse, "ResetCommand", "ImmediateReset")
            if number is None:
                station.restart_soon("RemoteReset")

        return {"status": "Accepted"}, after

    # Triggers

    def trigger(self, payload: Json) -> Result:
        """F06."""
        station, evse = self._station, payload.get("evse") or {}
        concerned = station.evses if "id" not in evse else [one for one in station.evses if one.number == evse["id"]]
        if not concerned:
            return rejected("UnknownEvse")
        if payload["requestedMessage"] == "BootNotification" and station.registration == "Accepted":
            return rejected("InvalidMessageSeq")
        if payload["requestedMessage"] == "StatusNotification" and "connectorId" not in evse:
            return rejected("MissingParam")
        running = [one for one in concerned if one.tx is not None]
        if payload["requestedMessage"] == "TransactionEvent" and not running:
            return rejected("TxNotFound")
        saying = self._sayings(concerned, running).get(payload["requestedMessage"])
        return ({"status": "Accepted"}, saying) if saying else {"status": "NotImplemented"}

    def _sayings(self, concerned: list[Evse], running: list[Evse]) -> dict[str, After]:
        station = self._station

        def each(evses: list[Evse], say: Callable[[Evse], None]) -> After:
            def act() -> None:
                for evse in evses:
                    say(evse)

            return act

        return {
            "BootNotification": station.boot_triggered,
            "Heartbeat": lambda: station.say("Heartbeat", {}, is_asked=True),
            "StatusNotification": each(concerned, lambda evse: station.say_status(evse, is_asked=True)),
            "MeterValues": each(concerned, station.say_meter),
            "TransactionEvent": each(running, lambda evse: station.transactions.metered(evse, "Trigger", "Trigger")),
            "LogStatusNotification": station.transfers.say_log_status,
            "FirmwareStatusNotification": station.transfers.say_firmware_status,
            "SignChargingStationCertificate": lambda: station.security.sign("ChargingStationCertificate"),
        }

    # Availability

    def change_availability(self, payload: Json) -> Result:
        """G03 and G04: a running transaction postpones it; it outlives a restart."""
        station, evse = self._station, payload.get("evse") or {}
        concerned = station.evses if "id" not in evse else [self._evse(int(evse["id"]))]
        if evse.get("connectorId", 1) != 1:
            return rejected("UnknownConnectorId")
        operative = payload["operationalStatus"] == "Operative"
        busy = [one for one in concerned if one.tx is not None]

        def after() -> None:
            for one in concerned:
                if one in busy and not operative:
                    one.planned = operative
                else:
                    one.planned = None
                    one.is_operative = operative
                    station.tell_status(one)

        return {"status": "Scheduled" if busy and not operative else "Accepted"}, after

    # Remote control

    def request_start(self, payload: Json) -> Result:
        """F01 and F02; before acceptance nobody charges (B02.FR.05)."""
        if self._station.registration != "Accepted":
            return rejected("CSNotAccepted")
        station, token = self._station, IdToken.of(payload["idToken"])
        number = payload.get("evseId")
        free = [one for one in station.evses if one.tx is None and one.token is None and one.is_available]
        free = [one for one in free if one.reservation is None or token.same(one.reserved_for)]
        free = [one for one in free if number in (None, one.number) and not one.has_fault]
        if not free:
            taken = next((one for one in station.evses if number in (None, one.number) and one.tx is not None), None)
            if taken is not None and taken.token is None:
                return self._start(taken, token, payload)
            return rejected("TxInProgress" if taken else "UnknownEvse")
        return self._start(next((one for one in free if one.outlet.is_plugged), free[0]), token, payload)

    def _start(self, evse: Evse, token: IdToken, payload: Json) -> Result:
        station, start_id = self._station, int(payload["remoteStartId"])
        profile = payload.get("chargingProfile")
        if profile is not None and profile.get("chargingProfilePurpose") != "TxProfile":
            return rejected("InvalidProfile")

        def begin(info: Json) -> None:
            if info.get("status") == "Accepted":
                station.transactions.authorized(evse, token, "RemoteStart", start_id)
                if profile is not None:
                    station.charging.put(evse.number, profile)

        def after() -> None:
            if station.model.is_on("AuthCtrlr", "AuthorizeRemoteStart"):
                station.authorisation.ask(token, begin)
            else:
                begin({"status": "Accepted"})

        running = {"transactionId": evse.tx.transaction_id} if evse.tx is not None else {}
        return {"status": "Accepted", **running}, after

    def request_stop(self, payload: Json) -> Result:
        """F03."""
        if self._station.registration != "Accepted":
            return rejected("CSNotAccepted")
        evse = self._station.transactions.find(str(payload["transactionId"]))
        if evse is None:
            return rejected("TxNotFound")
        return {"status": "Accepted"}, lambda: self._station.transactions.stopped(evse, "RemoteStop", "Remote")

    def unlock(self, payload: Json) -> Result:
        """F05: never during an authorised transaction."""
        evse = next((one for one in self._station.evses if one.number == payload["evseId"]), None)
        if evse is None or payload["connectorId"] != 1:
            return {"status": "UnknownConnector"}
        if evse.tx is not None and evse.token is not None:
            return {"status": "OngoingAuthorizedTransaction"}
        return {"status": "Unlocked"}

    def transaction_status(self, payload: Json) -> Json:
        """E14."""
        wanted = payload.get("transactionId")
        queued = self._station.queued_events(wanted)
        if wanted is None:
            return {"messagesInQueue": queued}
        return {"ongoingIndicator": self._station.transactions.find(wanted) is not None, "messagesInQueue": queued}

    def data_transfer(self, payload: Json) -> Json:
        """P01: it knows no vendor but its own."""
        return {"status": "UnknownMessageId" if payload["vendorId"] == "Rehome" else "UnknownVendorId"}

    def _evse(self, number: int) -> Evse:
        for evse in self._station.evses:
            if evse.number == number:
                return evse
        raise Refusal("PropertyConstraintViolation", f"there is no EVSE {number}")

"""For every 2.x case a station that is sick in just that point. One line of the table per case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.model.acceptance import Answer, Prompt, Verdict
from app.sim.answers import Refusal
from app.sim.fault import Fault
from app.sim.station2 import Station2
from app.sim.station2_evse import IdToken, Json
from tests.acceptance.people import CARD

Sicken = Callable[[Station2], None]
Act = Callable[[Station2], Callable[[Prompt], Answer | None]]


@dataclass(frozen=True)
class Sick:
    """A fault, and the verdict it earns. ``seen`` is part of the sentence that is not met."""

    sicken: Sicken
    seen: str
    verdict: Verdict = Verdict.FAIL
    person: Act | None = None


def says(action: str, **answer: Any) -> Sicken:
    """Always answer so."""
    return lambda unit: unit.answers.__setitem__(action, lambda _payload: dict(answer))


def replies(action: str, **answer: Any) -> Sicken:
    """Answer so whatever was asked, however malformed."""

    def sicken(unit: Station2) -> None:
        usual = unit.reply

        def reply(asked: str, payload: Json) -> Any:
            return ([3, dict(answer)], None) if asked == action else usual(asked, payload)

        unit.reply = reply  # type: ignore[method-assign]

    return sicken


def around(action: str, answer: Callable[[Station2, Any, Json], Any]) -> Sicken:
    """Answer by ``answer(unit, usual, payload)``."""

    def sicken(unit: Station2) -> None:
        usual = unit.answers[action]
        unit.answers[action] = lambda payload: answer(unit, usual, payload)

    return sicken


def bends(action: str, bend: Callable[[Json], Json | None]) -> Sicken:
    """Say it otherwise, or (``None``) not at all."""

    def sicken(unit: Station2) -> None:
        say = unit.say

        def bent(name: str, payload: Any, *args: Any, **options: Any) -> None:
            told = payload() if callable(payload) else payload
            made = bend(dict(told)) if name == action else told
            if made is not None:
                say(name, made, *args, **options)

        unit.say = bent  # type: ignore[method-assign]

    return sicken


def mute(action: str, where: Callable[[Json], bool] = lambda _: True) -> Sicken:
    """Never say this."""
    return bends(action, lambda told: None if where(told) else told)


def fault(kind: Fault) -> Sicken:
    return lambda unit: unit.faults.add(kind)


def value(component: str, name: str, text: str, instance: str = "") -> Sicken:
    return lambda unit: unit.model.put(component, name, text, instance)


def without(part: str, method: str, instead: Callable[..., Any] = lambda *_: None) -> Sicken:
    """Do nothing (or something else) where a healthy station does this."""
    return lambda unit: setattr(getattr(unit, part) if part else unit, method, instead)


def powers_up(unit: Station2) -> None:
    unit.boot_payload = lambda: {"reason": "PowerUp", "chargingStation": dict(unit.boot)}  # type: ignore[method-assign]


def impatient(unit: Station2) -> None:
    """Ask again at once, whatever interval was told."""

    async def wait(*_: Any) -> None:
        return

    unit._wait_room = wait  # type: ignore[method-assign]


def takes_anything(_unit: Station2, _usual: Any, payload: Json) -> Json:
    """Accept every order for a variable, and keep none."""
    return {
        "setVariableResult": [
            {"component": one["component"], "variable": one["variable"], "attributeStatus": "Accepted"}
            for one in payload["setVariableData"]
        ]
    }


def knows_all(_unit: Station2, usual: Any, payload: Json) -> Json:
    told = usual(payload)
    return {"getVariableResult": [{**one, "attributeStatus": "Accepted"} for one in told["getVariableResult"]]}


def reads_five(_unit: Station2, usual: Any, payload: Json) -> Json:
    if len(payload["getVariableData"]) > 5:
        raise Refusal("OccurrenceConstraintViolation", "")
    return dict(usual(payload))


def ignores_type(_unit: Station2, usual: Any, payload: Json) -> Json:
    asked = [{name: one[name] for name in ("component", "variable")} for one in payload["getVariableData"]]
    return dict(usual({"getVariableData": asked}))


def goes_deaf(unit: Station2, usual: Any, payload: Json) -> Any:
    """Answer once, and nothing more."""
    unit.faults.add(Fault.SILENT)
    return usual(payload)


def tells_few(unit: Station2, usual: Any, payload: Json) -> Any:
    if payload["reportBase"] != "ConfigurationInventory":
        return usual(payload)
    few = [one for one in unit.variables() if one.is_writable][:3]
    return {"status": "Accepted"}, lambda: unit.orders._report(int(payload["requestId"]), few)


def tells_all(unit: Station2, _usual: Any, payload: Json) -> Any:
    return {"status": "Accepted"}, lambda: unit.orders._report(int(payload["requestId"]), unit.variables())


def hangs_up(unit: Station2, _usual: Any, payload: Json) -> Json:
    """Drop the line on any text outside ASCII, and on any that is long."""
    text = str(payload)
    if unit._link is not None and (len(text) > 4096 or not text.isascii()):
        unit._link.transport.abort()
    return {"status": "UnknownVendorId"}


def talks(unit: Station2) -> None:
    """Show its password to whoever asks."""
    secret = unit.model.variable("SecurityCtrlr", "BasicAuthPassword")
    secret.mutability, secret.value = "ReadWrite", "0123456789abcdef"


def boots_on_demand(unit: Station2, usual: Any, payload: Json) -> Any:
    if payload["requestedMessage"] != "BootNotification":
        return usual(payload)
    return {"status": "Accepted"}, unit.boot_triggered


def forgets_availability(unit: Station2) -> None:
    usual = unit.power_cycle

    async def cycle(*args: Any, **options: Any) -> None:
        for evse in unit.evses:
            evse.is_operative = True
        await usual(*args, **options)

    unit.power_cycle = cycle  # type: ignore[method-assign]


def drops_profile(_unit: Station2, usual: Any, payload: Json) -> Any:
    return usual({name: item for name, item in payload.items() if name != "chargingProfile"})


def monitors_all(_unit: Station2, _usual: Any, payload: Json) -> Json:
    fields = ("type", "component", "variable", "severity")
    return {
        "setMonitoringResult": [
            {**{name: one[name] for name in fields}, "id": 7, "status": "Accepted"}
            for one in payload["setMonitoringData"]
        ]
    }


def starts_twice(unit: Station2, usual: Any, payload: Json) -> Any:
    return {"status": "Accepted"} if any(evse.tx for evse in unit.evses) else usual(payload)


def same_id(unit: Station2) -> None:
    def bend(told: Json) -> Json:
        return {**told, "transactionInfo": {**told["transactionInfo"], "transactionId": "always-the-same"}}

    def stop(unit: Station2, usual: Any, _payload: Json) -> Any:
        running = next((evse.tx.transaction_id for evse in unit.evses if evse.tx), "none")
        return usual({"transactionId": running})

    bends("TransactionEvent", bend)(unit)
    around("RequestStopTransaction", stop)(unit)


def skips_numbers(told: Json) -> Json:
    return {**told, "seqNo": 2 * told["seqNo"]}


def never_done(told: Json) -> Json:
    """Say for ever that more follows of what a case asked for."""
    return {**told, "tbc": True} if told["requestId"] > 41_000 else told


def silent_start(told: Json) -> Json:
    return {name: item for name, item in told.items() if name != "meterValue" or told["eventType"] != "Started"}


def restarts_whole(unit: Station2, usual: Any, payload: Json) -> Any:
    return usual({name: item for name, item in payload.items() if name != "evseId"})


def claims_upload(unit: Station2, _usual: Any, payload: Json) -> Any:
    """Say Uploaded, and send nothing."""

    def after() -> None:
        for status in ("Uploading", "Uploaded"):
            unit.tell_log(status, int(payload["requestId"]))

    return {"status": "Accepted"}, after


def slow(unit: Station2) -> None:
    unit._fixed_redial_s = 20_000.0


def silent_person(unit: Station2) -> Callable[[Prompt], Answer | None]:
    """Do everything right at a station that does not react, and say so."""

    def act(prompt: Prompt) -> Answer | None:
        if prompt.kind == "plug-in":
            unit.plug_in(1)
            return None
        if prompt.kind == "unplug" and unit.evses[0].outlet.is_plugged:
            unit.unplug(1)
        if prompt.kind == "card":
            unit.swipe(CARD)
        return Answer.DONE

    return act


def pushy_card(unit: Station2) -> Callable[[Prompt], Answer | None]:
    """Hold a card to a station that starts without waiting for leave."""

    def act(prompt: Prompt) -> Answer | None:
        if prompt.kind == "plug-in":
            unit.plug_in(1)
        if prompt.kind == "card-refused":
            unit.transactions.authorized(unit.evses[0], IdToken(CARD))
        return None

    return act


P = Verdict.PARTIAL
ACCEPTED = {"status": "Accepted"}
LIE = fault(Fault.ACCEPTS_AND_IGNORES)

SICK: dict[str, Sick] = {
    "A201-BOOT-01": Sick(powers_up, "reason is RemoteReset"),
    "A201-BOOT-02": Sick(impatient, "not before the"),
    "A201-BOOT-03": Sick(impatient, "not before the"),
    "A201-BOOT-04": Sick(says("RequestStartTransaction", **ACCEPTED), "starts no transaction"),
    "A201-STATUS-01": Sick(fault(Fault.NO_STATUS), "tells its state"),
    "A201-STATUS-02": Sick(
        bends("StatusNotification", lambda told: {**told, "connectorStatus": "Faulted"}), "the same state"
    ),
    "A201-CLOCK-01": Sick(fault(Fault.WRONG_CLOCK), "can be believed"),
    "A201-CLOCK-02": Sick(fault(Fault.WRONG_CLOCK), "is a time"),
    "A201-BEAT-01": Sick(LIE, "Heartbeats come"),
    "A201-CONF-01": Sick(bends("NotifyReport", lambda told: {**told, "seqNo": told["seqNo"] + 1}), "numbered from 0"),
    "A201-CONF-02": Sick(around("GetBaseReport", tells_few), "all of what can be set"),
    "A201-CONF-03": Sick(bends("NotifyReport", never_done), "Only the last"),
    "A201-CONF-04": Sick(around("GetReport", tells_all), "alone"),
    "A201-CONF-05": Sick(says("GetReport", **ACCEPTED), "and not accepted"),
    "A201-CONF-06": Sick(around("GetVariables", knows_all), "nobody knows is not Accepted"),
    "A201-CONF-07": Sick(around("GetVariables", reads_five), "as many as ItemsPerMessage"),
    "A201-CONF-08": Sick(around("SetVariables", goes_deaf), "the station goes on"),
    "A201-CONF-09": Sick(LIE, "read back as written"),
    "A201-CONF-10": Sick(around("SetVariables", takes_anything), "read-only is not set"),
    "A201-CONF-11": Sick(around("SetVariables", takes_anything), "is refused where a number"),
    "A201-CONF-12": Sick(around("GetVariables", ignores_type), "MaxSet it has not"),
    "A201-CONF-13": Sick(talks, "can't be read"),
    "A201-CONF-14": Sick(value("OCPPCommCtrlr", "HeartbeatInterval", "86400"), "shows a dead line", P),
    "A201-TRIG-01": Sick(mute("Heartbeat"), "Heartbeat comes"),
    "A201-TRIG-02": Sick(mute("StatusNotification"), "StatusNotification comes"),
    "A201-TRIG-03": Sick(mute("MeterValues"), "MeterValues comes"),
    "A201-TRIG-04": Sick(mute("LogStatusNotification"), "LogStatusNotification comes"),
    "A201-TRIG-05": Sick(mute("FirmwareStatusNotification"), "FirmwareStatusNotification comes"),
    "A201-TRIG-06": Sick(says("TriggerMessage", **ACCEPTED), "not accepted"),
    "A201-TRIG-07": Sick(around("TriggerMessage", boots_on_demand), "rejects a trigger of the Boot", P),
    "A201-WIRE-01": Sick(fault(Fault.CRASHES_ON_UNKNOWN), "answered with a CALLERROR"),
    "A201-WIRE-02": Sick(replies("TriggerMessage", **ACCEPTED), "not acted on"),
    "A201-WIRE-03": Sick(around("DataTransfer", hangs_up), "UTF-8 text is answered"),
    "A201-WIRE-04": Sick(around("DataTransfer", hangs_up), "stays connected"),
    "A201-DATA-01": Sick(says("DataTransfer", **ACCEPTED), "unknown vendor is refused"),
    "A201-PING-01": Sick(fault(Fault.NO_PONG), "pings are answered"),
    "A201-PING-02": Sick(LIE, "pings of its own"),
    "A201-AVAIL-01": Sick(mute("StatusNotification"), "told as Unavailable"),
    "A201-AVAIL-02": Sick(says("ChangeAvailability", **ACCEPTED), "told as Unavailable"),
    "A201-AVAIL-03": Sick(says("ChangeAvailability", status="Rejected"), "is accepted"),
    "A201-AVAIL-04": Sick(says("ChangeAvailability", **ACCEPTED), "is Scheduled"),
    "A201-AVAIL-05": Sick(says("ChangeAvailability", **ACCEPTED), "out of service is Rejected"),
    "A201-AVAIL-06": Sick(forgets_availability, "out of service still"),
    "A201-LIST-01": Sick(says("GetLocalListVersion"), "with a number"),
    "A201-LIST-02": Sick(says("SendLocalList", status="Failed"), "is accepted"),
    "A201-LIST-03": Sick(says("GetLocalListVersion", versionNumber=0), "version read back"),
    "A201-LIST-04": Sick(says("SendLocalList", **ACCEPTED), "older version is refused"),
    "A201-CACHE-01": Sick(says("ClearCache", status="Rejected"), "with Accepted", P),
    "A201-CACHE-02": Sick(says("ClearCache", **ACCEPTED), "asked for again"),
    "A201-SMART-01": Sick(says("SetChargingProfile", **ACCEPTED), "above our limit", P),
    "A201-SMART-02": Sick(says("ClearChargingProfile", status="Unknown"), "cleared by its id"),
    "A201-SMART-03": Sick(says("SetChargingProfile", **ACCEPTED), "draws at most"),
    "A201-SMART-04": Sick(says("SetChargingProfile", **ACCEPTED), "is not accepted"),
    "A201-SMART-05": Sick(says("SetChargingProfile", status="Rejected"), "is accepted"),
    "A201-SMART-06": Sick(mute("ReportChargingProfiles"), "ReportChargingProfiles comes"),
    "A201-SMART-07": Sick(says("SetChargingProfile", **ACCEPTED), "is not accepted"),
    "A201-SMART-08": Sick(around("RequestStartTransaction", drops_profile), "above our limit", P),
    "A201-RES-01": Sick(says("ReserveNow", **ACCEPTED), "told as Reserved"),
    "A201-RES-02": Sick(says("CancelReservation", **ACCEPTED), "can't be cancelled"),
    "A201-RES-03": Sick(says("ReserveNow", **ACCEPTED), "The start is Rejected", P),
    "A201-MON-01": Sick(mute("NotifyEvent"), "NotifyEvent comes"),
    "A201-MON-02": Sick(mute("NotifyMonitoringReport"), "NotifyMonitoringReport comes"),
    "A201-MON-03": Sick(mute("NotifyEvent"), "tells the change"),
    "A201-MON-04": Sick(around("SetVariableMonitoring", monitors_all), "on an unknown component"),
    "A201-MON-05": Sick(says("SetMonitoringLevel", **ACCEPTED), "is not accepted"),
    "A201-DISP-01": Sick(mute("NotifyDisplayMessages"), "tells ours"),
    "A201-DISP-02": Sick(says("SetDisplayMessage", **ACCEPTED), "is not accepted"),
    "A201-CUST-01": Sick(mute("NotifyCustomerInformation"), "NotifyCustomerInformation comes"),
    "A201-CUST-02": Sick(says("CustomerInformation", status="Rejected"), "is accepted"),
    "A201-AUTH-01": Sick(without("transactions", "_answered"), "on a refused card", person=pushy_card),
    "A201-AUTH-02": Sick(without("transactions", "stopped"), "Its end is told", person=silent_person),
    "A201-AUTH-03": Sick(
        without("authorisation", "_offline", lambda _known: {"status": "Invalid"}), "began offline is told"
    ),
    "A201-AUTH-04": Sick(LIE, "Authorize comes"),
    "A201-AUTH-05": Sick(without("transactions", "_answered"), "ends when its token is refused"),
    "A201-SESS-01": Sick(says("RequestStartTransaction", status="Rejected"), "is accepted"),
    "A201-SESS-02": Sick(says("RequestStopTransaction", **ACCEPTED), "is Rejected"),
    "A201-SESS-03": Sick(without("transactions", "unplugged"), "Its end is told", person=silent_person),
    "A201-SESS-04": Sick(without("transactions", "_too_late"), "does not charge on it"),
    "A201-SESS-05": Sick(
        says("GetTransactionStatus", ongoingIndicator=True, messagesInQueue=False), "the transaction is over"
    ),
    "A201-SESS-06": Sick(around("RequestStartTransaction", starts_twice), "A second start"),
    "A201-SESS-07": Sick(says("RequestStartTransaction", **ACCEPTED), "is not accepted"),
    "A201-TX-01": Sick(bends("TransactionEvent", skips_numbers), "without a gap"),
    "A201-TX-02": Sick(same_id, "an id of its own"),
    "A201-TX-03": Sick(bends("TransactionEvent", silent_start), "Started brings meter values"),
    "A201-TX-04": Sick(mute("TransactionEvent", lambda told: told["triggerReason"] == "Trigger"), "reason Trigger"),
    "A201-METER-01": Sick(fault(Fault.REGISTER_FALLS), "never falls"),
    "A201-METER-02": Sick(fault(Fault.ENERGY_MISMATCH), "within 25%"),
    "A201-METER-03": Sick(LIE, "Clock-aligned"),
    "A201-UNLOCK-01": Sick(says("UnlockConnector", status="UnlockFailed"), "with Unlocked", P),
    "A201-UNLOCK-02": Sick(says("UnlockConnector", status="Unlocked"), "is not Unlocked"),
    "A201-UNLOCK-03": Sick(says("UnlockConnector", status="Unlocked"), "is not unlocked"),
    "A201-QUEUE-01": Sick(fault(Fault.DROPS_QUEUE), "delivered after the return"),
    "A201-QUEUE-02": Sick(value("OCPPCommCtrlr", "MessageAttempts", "1", "TransactionEvent"), "sent again"),
    "A201-CONN-01": Sick(slow, "dials again"),
    "A201-CONN-02": Sick(slow, "dials again"),
    "A201-CONN-03": Sick(without("", "returned"), "state of every connector"),
    "A201-SEC-01": Sick(value("SecurityCtrlr", "SecurityProfile", "3"), "connection is as profile 3"),
    "A201-SEC-02": Sick(mute("SecurityEventNotification"), "comes after a restart"),
    "A201-SEC-03": Sick(says("UpdateFirmware", **ACCEPTED), "false certificate is refused"),
    "A201-CERT-01": Sick(says("GetInstalledCertificateIds", **ACCEPTED), "complete hashes"),
    "A201-CERT-02": Sick(says("InstallCertificate", **ACCEPTED), "is not Accepted"),
    "A201-CERT-03": Sick(says("DeleteCertificate", status="Failed"), "DeleteCertificate is accepted"),
    "A201-CERT-04": Sick(says("DeleteCertificate", **ACCEPTED), "is not deleted"),
    "A201-CERT-05": Sick(mute("SignCertificate"), "SignCertificate comes"),
    "A201-NET-01": Sick(value("OCPPCommCtrlr", "ActiveNetworkProfile", "2"), "is in the order"),
    "A201-NET-02": Sick(says("SetNetworkProfile", **ACCEPTED), "does not exist is refused"),
    "A201-NET-03": Sick(says("SetNetworkProfile", **ACCEPTED), "lower security profile is refused"),
    "A201-NET-04": Sick(around("SetVariables", takes_anything), "empty slot is refused"),
    "A201-DIAG-01": Sick(around("GetLog", claims_upload), "A file arrives"),
    "A201-DIAG-02": Sick(around("GetLog", claims_upload), "A file arrives"),
    "A201-DIAG-03": Sick(around("GetLog", claims_upload), "claim to have uploaded"),
    "A201-RESET-01": Sick(fault(Fault.IGNORES_RESET), "is back"),
    "A201-RESET-02": Sick(says("Reset", **ACCEPTED), "is Scheduled"),
    "A201-RESET-03": Sick(mute("TransactionEvent", lambda told: told["eventType"] == "Ended"), "Its end is told"),
    "A201-RESET-04": Sick(fault(Fault.REVERTS), "still there after the restart"),
    "A201-RESET-05": Sick(around("Reset", restarts_whole), "does not restart"),
    "A201-FW-01": Sick(lambda _: None, "is not Installed"),
    "A201-FW-02": Sick(fault(Fault.CLAIMS_INSTALLED), "claim to have fetched"),
}

"""For every case a unit that is sick in just that point. One line of the table per case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.model.acceptance import Answer, Prompt, Verdict
from app.sim.answers import Refusal
from app.sim.chargepoint import ChargePoint, ConfigKey
from app.sim.fault import Fault
from app.sim.station import OcppStation
from tests.acceptance.people import CARD

Sicken = Callable[[OcppStation], None]
Act = Callable[[OcppStation], Callable[[Prompt], Answer | None]]


@dataclass(frozen=True)
class Sick:
    """A fault, and the verdict it earns. ``seen`` is part of the sentence that is not met."""

    sicken: Sicken
    seen: str
    verdict: Verdict = Verdict.FAIL
    person: Act | None = None


def says(action: str, **answer: Any) -> Sicken:
    """Always answer so."""

    def sicken(unit: OcppStation) -> None:
        unit.answers[action] = lambda _point, _payload: dict(answer)

    return sicken


def refuses(action: str, code: str) -> Sicken:
    def answer(_point: ChargePoint, _payload: Any) -> Any:
        raise Refusal(code, "")

    return lambda unit: unit.answers.__setitem__(action, answer)


def mute(action: str, where: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> Sicken:
    """Never say this."""

    def sicken(unit: OcppStation) -> None:
        say = unit.say

        def quieter(name: str, payload: Any, *args: Any, **options: Any) -> None:
            told = payload() if callable(payload) else payload
            if name != action or not where(told):
                say(name, payload, *args, **options)

        unit.say = quieter  # type: ignore[method-assign]

    return sicken


def fault(kind: Fault) -> Sicken:
    return lambda unit: unit.faults.add(kind)


def key(name: str, value: str | None) -> Sicken:
    """Have a key of that value; ``None``: have no such key."""

    def sicken(unit: OcppStation) -> None:
        if value is None:
            del unit.configuration[name]
        else:
            unit.configuration[name] = ConfigKey(value)

    return sicken


def both(*sickens: Sicken) -> Sicken:
    def sicken(unit: OcppStation) -> None:
        for one in sickens:
            one(unit)

    return sicken


def impatient(unit: OcppStation) -> None:
    """Ask again at once, whatever interval was told."""

    async def wait(*_: Any) -> None:
        return

    unit._wait_room = wait  # type: ignore[method-assign]


def wordless(unit: OcppStation) -> None:
    unit.boot["chargePointVendor"] = ""


def drops_on_long(unit: OcppStation) -> None:
    """Drop the line on a message of more than 4,096 characters."""

    def answer(_point: ChargePoint, payload: Any) -> Any:
        if len(payload.get("data", "")) > 4096 and unit._link is not None:
            unit._link.transport.abort()
        return {"status": "UnknownVendorId"}

    unit.answers["DataTransfer"] = answer


def deaf_to_utf8(unit: OcppStation) -> None:
    """Drop the line on letters outside ASCII."""

    def answer(_point: ChargePoint, payload: Any) -> Any:
        if not str(payload.get("data", "")).isascii() and unit._link is not None:
            unit._link.transport.abort()
        return {"status": "UnknownVendorId"}

    unit.answers["DataTransfer"] = answer


def forgets_unknown(unit: OcppStation) -> None:
    usual = unit.answers["GetConfiguration"]

    def answer(point: ChargePoint, payload: Any) -> Any:
        told = dict(usual(point, payload))  # type: ignore[arg-type]
        told.pop("unknownKey", None)
        return told

    unit.answers["GetConfiguration"] = answer


def chokes(unit: OcppStation) -> None:
    """Bear no question for more than twelve keys."""
    usual = unit.answers["GetConfiguration"]

    def answer(point: ChargePoint, payload: Any) -> Any:
        if len(payload.get("key") or []) > 12:
            raise Refusal("InternalError", "")
        return usual(point, payload)

    unit.answers["GetConfiguration"] = answer


def never_ends(reason: str) -> Sicken:
    """Go on charging whatever should end it."""

    def sicken(unit: OcppStation) -> None:
        finish = unit.finish

        def stubborn(outlet: Any, why: str) -> None:
            if why != reason:
                finish(outlet, why)

        unit.finish = stubborn  # type: ignore[method-assign]

    return sicken


def waits_forever(unit: OcppStation) -> None:
    """Accept a start without a car, and stay so."""

    def answer(point: ChargePoint, _payload: Any) -> Any:
        return {"status": "Accepted"}, lambda: point.set_status(point.outlets[0], "Preparing")

    unit.answers["RemoteStartTransaction"] = answer


def claims_upload(action: str, answer: dict[str, Any], told: str) -> Sicken:
    """Say Uploaded, and send nothing."""

    def sicken(unit: OcppStation) -> None:
        def after() -> None:
            for status in ("Uploading", "Uploaded"):
                unit.say(told, {"status": status})

        unit.answers[action] = lambda _point, _payload: (answer, after)

    return sicken


def slow(unit: OcppStation) -> None:
    unit.redial_s = 20_000.0


def silent_person(unit: OcppStation) -> Callable[[Prompt], Answer | None]:
    """Do everything right at a unit that does not react, and say so."""

    def act(prompt: Prompt) -> Answer | None:
        if prompt.kind == "plug-in":
            unit.plug_in(1)
            return None
        if prompt.kind == "unplug" and unit.outlets[0].is_plugged:
            unit.unplug(1)
        if prompt.kind == "card":
            unit.swipe(CARD)
        return Answer.DONE

    return act


def stubborn_card(unit: OcppStation) -> Callable[[Prompt], Answer | None]:
    """Hold a card to a unit that starts without waiting for leave."""

    def act(prompt: Prompt) -> Answer | None:
        if prompt.kind == "plug-in":
            unit.plug_in(1)
            return None
        unit.begin(unit.outlets[0], CARD)
        return Answer.DONE

    return act


ACCEPTED = {"status": "Accepted"}
P = Verdict.PARTIAL
LIE = says("ChangeConfiguration", **ACCEPTED)

SICK: dict[str, Sick] = {
    "A16-BOOT-01": Sick(wordless, "chargePointVendor is told"),
    "A16-BOOT-02": Sick(impatient, "not before the 10 s"),
    "A16-BOOT-03": Sick(impatient, "not before the 10 s"),
    "A16-STATUS-01": Sick(mute("StatusNotification", lambda told: told["connectorId"] == 0), "connector 0"),
    "A16-CLOCK-01": Sick(fault(Fault.WRONG_CLOCK), "can be believed"),
    "A16-BEAT-01": Sick(LIE, "Heartbeats come"),
    "A16-CONF-01": Sick(key("MeterValueSampleInterval", None), "no backend can do without"),
    "A16-CONF-02": Sick(forgets_unknown, "unknownKey"),
    "A16-CONF-03": Sick(LIE, "NotSupported"),
    "A16-CONF-04": Sick(LIE, "answered Rejected"),
    "A16-CONF-05": Sick(LIE, "read back"),
    "A16-CONF-06": Sick(LIE, "answered Rejected"),
    "A16-CONF-07": Sick(chokes, "keys at once"),
    "A16-CONF-08": Sick(key("TransactionMessageAttempts", "0"), "TransactionMessageAttempts", P),
    "A16-TRIG-01": Sick(says("TriggerMessage", **ACCEPTED), "BootNotification comes"),
    "A16-TRIG-02": Sick(mute("Heartbeat"), "Heartbeat comes"),
    "A16-TRIG-03": Sick(mute("StatusNotification"), "StatusNotification comes"),
    "A16-TRIG-04": Sick(mute("MeterValues"), "MeterValues comes"),
    "A16-TRIG-05": Sick(mute("DiagnosticsStatusNotification"), "comes"),
    "A16-TRIG-06": Sick(says("TriggerMessage", status="NotImplemented"), "is known", P),
    "A16-TRIG-07": Sick(says("TriggerMessage", **ACCEPTED), "not accepted"),
    "A16-WIRE-01": Sick(fault(Fault.CRASHES_ON_UNKNOWN), "unknown action"),
    "A16-WIRE-02": Sick(LIE, "not acted on"),
    "A16-WIRE-03": Sick(deaf_to_utf8, "UTF-8"),
    "A16-WIRE-04": Sick(drops_on_long, "stays connected"),
    "A16-DATA-01": Sick(says("DataTransfer", **ACCEPTED), "UnknownVendorId"),
    "A16-PING-01": Sick(fault(Fault.NO_PONG), "pings are answered"),
    "A16-PING-02": Sick(lambda unit: setattr(unit, "pings", False), "pings of its own"),
    "A16-AVAIL-01": Sick(says("ChangeAvailability", status="Rejected"), "is accepted"),
    "A16-AVAIL-02": Sick(says("ChangeAvailability", **ACCEPTED), "told as Unavailable"),
    "A16-AVAIL-03": Sick(says("ChangeAvailability", **ACCEPTED), "Scheduled"),
    "A16-AVAIL-04": Sick(says("ChangeAvailability", **ACCEPTED), "is Rejected"),
    "A16-UNLOCK-01": Sick(says("UnlockConnector", status="UnlockFailed"), "with Unlocked"),
    "A16-UNLOCK-02": Sick(says("UnlockConnector", status="Unlocked"), "StopTransaction comes"),
    "A16-UNLOCK-03": Sick(says("UnlockConnector", status="Unlocked"), "is not unlocked"),
    "A16-LIST-01": Sick(says("GetLocalListVersion"), "with a number"),
    "A16-LIST-02": Sick(says("SendLocalList", status="Failed"), "is accepted"),
    "A16-LIST-03": Sick(says("GetLocalListVersion", listVersion=0), "version read back"),
    "A16-LIST-04": Sick(says("SendLocalList", **ACCEPTED), "VersionMismatch"),
    "A16-CACHE-01": Sick(says("ClearCache", status="Rejected"), "with Accepted", P),
    "A16-RES-01": Sick(says("ReserveNow", **ACCEPTED), "told as Reserved"),
    "A16-RES-02": Sick(says("CancelReservation", **ACCEPTED), "can't be cancelled"),
    "A16-RES-03": Sick(says("ReserveNow", **ACCEPTED), "The start is Rejected", P),
    "A16-SMART-01": Sick(says("SetChargingProfile", **ACCEPTED), "above our limit", P),
    "A16-SMART-02": Sick(says("ClearChargingProfile", status="Unknown"), "cleared by its id"),
    "A16-SMART-03": Sick(says("SetChargingProfile", **ACCEPTED), "draws at most"),
    "A16-SMART-04": Sick(says("SetChargingProfile", **ACCEPTED), "is not accepted"),
    "A16-SMART-05": Sick(says("SetChargingProfile", status="NotSupported"), "is accepted"),
    "A16-AUTH-02": Sick(never_ends("Local"), "StopTransaction comes", person=silent_person),
    "A16-AUTH-03": Sick(key("AllowOfflineTxForUnknownId", "false"), "told after the return"),
    "A16-AUTH-01": Sick(
        key("StopTransactionOnInvalidId", "false"), "goes on with a refused card", person=stubborn_card
    ),
    "A16-AUTH-04": Sick(LIE, "Authorize comes"),
    "A16-AUTH-05": Sick(never_ends("DeAuthorized"), "ends when its tag is refused"),
    "A16-SESS-01": Sick(says("RemoteStartTransaction", status="Rejected"), "is accepted"),
    "A16-SESS-02": Sick(says("RemoteStopTransaction", **ACCEPTED), "is Rejected"),
    "A16-SESS-03": Sick(never_ends("EVDisconnected"), "StopTransaction comes", person=silent_person),
    "A16-SESS-04": Sick(waits_forever, "is Available again"),
    "A16-METER-01": Sick(fault(Fault.REGISTER_FALLS), "never falls"),
    "A16-METER-02": Sick(fault(Fault.ENERGY_MISMATCH), "within 25%"),
    "A16-METER-03": Sick(LIE, "Clock-aligned"),
    "A16-QUEUE-01": Sick(fault(Fault.DROPS_QUEUE), "delivered after the return"),
    "A16-QUEUE-02": Sick(key("TransactionMessageAttempts", "1"), "sent again"),
    "A16-CONN-01": Sick(slow, "dials again"),
    "A16-CONN-02": Sick(slow, "dials again"),
    "A16-SEC-01": Sick(key("SecurityProfile", "3"), "connection is as profile 3"),
    "A16-SEC-02": Sick(LIE, "is Rejected"),
    "A16-SEC-03": Sick(mute("SecurityEventNotification"), "comes after a restart"),
    "A16-SEC-04": Sick(says("SignedUpdateFirmware", **ACCEPTED), "is refused"),
    "A16-CERT-01": Sick(says("GetInstalledCertificateIds", **ACCEPTED), "complete hashes"),
    "A16-CERT-02": Sick(says("InstallCertificate", **ACCEPTED), "is not Accepted"),
    "A16-CERT-03": Sick(says("DeleteCertificate", status="Failed"), "DeleteCertificate is accepted"),
    "A16-CERT-04": Sick(mute("SignCertificate"), "SignCertificate comes"),
    "A16-DIAG-01": Sick(
        claims_upload("GetDiagnostics", {"fileName": "d.zip"}, "DiagnosticsStatusNotification"), "A file arrives"
    ),
    "A16-DIAG-02": Sick(claims_upload("GetLog", ACCEPTED, "LogStatusNotification"), "A file arrives"),
    "A16-RESET-01": Sick(fault(Fault.IGNORES_RESET), "is back"),
    "A16-RESET-02": Sick(fault(Fault.RETURNS_WITHOUT_BOOT), "BootNotification after the restart"),
    "A16-RESET-03": Sick(mute("StopTransaction"), "StopTransaction comes"),
    "A16-RESET-04": Sick(mute("StopTransaction"), "StopTransaction comes"),
    "A16-RESET-05": Sick(fault(Fault.REVERTS), "still there after the restart"),
    "A16-FW-01": Sick(lambda _: None, "is not Installed"),
    "A16-FW-02": Sick(fault(Fault.CLAIMS_INSTALLED), "claim to have fetched"),
}

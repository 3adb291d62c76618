"""What a 2.x station is asked before its first case (its device model), and what cases need of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from app.acceptance.case import case
from app.acceptance.facts import Claimed, Facts, gathers
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take
from app.errors import LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.ocpp.devicemodel import Variable, VariableName
from app.ocpp.devicemodel import name_of as name_in
from app.ocpp.endpoint import Endpoint

VERSIONS = ("2.0.1", "2.1")
case201 = partial(case, versions=VERSIONS)
"""Register a case for 2.0.1 and 2.1."""

HEARTBEAT = "OCPPCommCtrlr.HeartbeatInterval"
PING = "OCPPCommCtrlr.WebSocketPingInterval"
SAMPLE_S = "SampledDataCtrlr.TxUpdatedInterval"
PROFILE = "SecurityCtrlr.SecurityProfile"
KEYS = (
    HEARTBEAT,
    PING,
    SAMPLE_S,
    PROFILE,
    "OCPPCommCtrlr.ActiveNetworkProfile",
    "OCPPCommCtrlr.FileTransferProtocols",
    "OCPPCommCtrlr.MessageAttempts/TransactionEvent",
    "OCPPCommCtrlr.MessageAttemptInterval/TransactionEvent",
    "OCPPCommCtrlr.NetworkConfigurationPriority",
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts",
    "OCPPCommCtrlr.OfflineThreshold",
    "OCPPCommCtrlr.ResetRetries",
    "OCPPCommCtrlr.RetryBackOffRandomRange",
    "OCPPCommCtrlr.RetryBackOffRepeatTimes",
    "OCPPCommCtrlr.RetryBackOffWaitMinimum",
    "SampledDataCtrlr.TxEndedMeasurands",
    "SampledDataCtrlr.TxStartedMeasurands",
    "SampledDataCtrlr.TxUpdatedMeasurands",
    "AlignedDataCtrlr.Interval",
    "AlignedDataCtrlr.Measurands",
    "AuthCtrlr.AuthorizeRemoteStart",
    "AuthCtrlr.LocalAuthorizeOffline",
    "AuthCtrlr.LocalPreAuthorize",
    "AuthCacheCtrlr.Available",
    "AuthCacheCtrlr.Enabled",
    "TxCtrlr.EVConnectionTimeOut",
    "TxCtrlr.StopTxOnEVSideDisconnect",
    "TxCtrlr.StopTxOnInvalidId",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
    "DeviceDataCtrlr.ItemsPerMessage/GetReport",
    "DeviceDataCtrlr.ItemsPerMessage/GetVariables",
    "DeviceDataCtrlr.ItemsPerMessage/SetVariables",
    "LocalAuthListCtrlr.Available",
    "LocalAuthListCtrlr.Enabled",
    "SmartChargingCtrlr.Available",
    "SmartChargingCtrlr.Enabled",
    "SmartChargingCtrlr.RateUnit",
    "ReservationCtrlr.Available",
    "ReservationCtrlr.Enabled",
    "MonitoringCtrlr.Available",
    "MonitoringCtrlr.Enabled",
    "DisplayMessageCtrlr.Available",
    "DisplayMessageCtrlr.Enabled",
    "SecurityCtrlr.AdditionalRootCertificateCheck",
    "ClockCtrlr.DateTime",
)
"""What the cases look at, spelled as in the appendices of part 2; names are not case-sensitive (part 1 §4.2)."""
_SPELLED = {key.lower(): key for key in KEYS}
MAX_EVSES = 64


@gathers(*VERSIONS)
async def ask(endpoint: Endpoint) -> Facts:
    """Read the device model, or the variables above where there is no report of it. Raises LinkLost."""
    settings = await _reported(endpoint) or await _read(endpoint)
    evses = sorted({place[0] for place in _places(settings)} or {at for at in endpoint.statuses if at} or {1})
    return Facts(
        identity=endpoint.identity,
        version=endpoint.version,
        handshake=endpoint.handshake,
        boot=endpoint.boot or endpoint.ledger.boot,
        settings=settings,
        connectors=tuple(evses[:MAX_EVSES]),
    )


async def _reported(endpoint: Endpoint) -> dict[str, Claimed]:
    try:
        model = await endpoint.device_model()
    except LinkLost:
        raise
    except (TimedOut, NotSupported, Refused):
        return {}
    return {_spelled(variable.name.text): _claimed(variable) for variable in model}


async def _read(endpoint: Endpoint) -> dict[str, Claimed]:
    try:
        found = await endpoint.get_settings(KEYS)
    except LinkLost:
        raise
    except (TimedOut, NotSupported, Refused):
        return {}
    return {_spelled(item.key): Claimed(value=item.value, is_readonly=item.is_readonly) for item in found}


def _claimed(variable: Variable) -> Claimed:
    actual = variable.attribute()
    is_fixed = variable.mutability == "ReadOnly" or (actual is not None and actual.is_constant)
    return Claimed(value=variable.value, is_readonly=is_fixed)


def _spelled(key: str) -> str:
    return _SPELLED.get(key.lower(), key)


def readable(facts: Facts) -> str:
    """Return a variable that can be read: HeartbeatInterval, or (it is optional) the first with a value."""
    plain = (key for key in sorted(facts.settings) if facts.value(key) and not set("@/[") & set(key))
    return HEARTBEAT if facts.value(HEARTBEAT) else next(plain, HEARTBEAT)


def measures(*keys: str) -> Callable[[Facts], str]:
    """Need a list of measurands that is not known to be empty: an empty one asks for no meter values (J01, J02)."""

    def need(facts: Facts) -> str:
        known = [facts.settings.get(key) for key in keys]
        if any(item is None or item.value is None or item.items for item in known):
            return ""
        return f"{', '.join(keys)}: empty, so that no meter values are due."

    return need


def name_of(key: str) -> VariableName | None:
    """Read a key of ``Facts.settings``, ``None`` where it is none."""
    try:
        return VariableName.parse(key)
    except ValueRejected:
        return None


def _places(settings: Iterable[str]) -> set[tuple[int, int]]:
    """Return the EVSEs and connectors of the device model; connector 0 = the EVSE itself."""
    names = [name for key in settings if (name := name_of(key)) is not None]
    return {(name.evse, name.connector or 0) for name in names if name.evse}


def outlets(facts: Facts) -> tuple[tuple[int, int], ...]:
    """Return EVSE and connector of every connector; each EVSE has one at least."""
    told = {place for place in _places(facts.settings) if place[1]}
    bare = {(evse, 1) for evse in facts.connectors if evse not in {place[0] for place in told}}
    return tuple(sorted(place for place in told | bare if place[0] in facts.connectors))


def outlet(stage: Stage) -> dict[str, int]:
    """Return the EVSEType of the first connector of the EVSE that is tried."""
    return {
        "id": stage.connector,
        "connectorId": next(at for evse, at in outlets(stage.facts) if evse == stage.connector),
    }


def about(key: str) -> Callable[[Message], bool]:
    """Take questions and orders for this variable: other parts of this program may ask for theirs meanwhile."""

    def is_about(message: Message) -> bool:
        items = message.get("getVariableData") or message.get("setVariableData")
        named = [name_in(item) for item in items or () if isinstance(item, dict)]
        return any(name is not None and name.text.lower() == key.lower() for name in named)

    return is_about


def selector(key: str, **more: object) -> dict[str, object]:
    """Return the objects by which messages name a variable. Raises ValueRejected."""
    return {**VariableName.parse(key).selector, **more}


def has(controller: str) -> Callable[[Facts], str]:
    """Need a controller that is there and switched on (part 2, appendices: ``Available``, ``Enabled``)."""

    def need(facts: Facts) -> str:
        if not any(key.startswith(f"{controller}.") for key in facts.settings):
            return f"The device model has no {controller}."
        for switch in ("Available", "Enabled"):
            if facts.value(f"{controller}.{switch}").strip().lower() == "false":
                return f"{controller}.{switch} is false."
        return ""

    return need


def is_on(key: str) -> Callable[[Facts], str]:
    """Need a switch that is on."""
    return lambda facts: "" if facts.is_on(key) else f"{key} is not true."


def tell_facts(stage: Stage, **facts: object) -> None:
    """Leave the judge what it can't read from the frames."""
    stage.mark("facts", **facts)


def told_fact(take: Take, name: str) -> str:
    """Return what the steps left, empty where they left nothing."""
    return next((mark.facts[name] for mark in take.marked("facts") if name in mark.facts), "")

"""What a 1.6 unit is asked before its first case, and what cases need of the answers."""

from __future__ import annotations

from collections.abc import Callable

from app.acceptance.facts import Claimed, Facts, gathers
from app.errors import LinkLost, NotSupported, Refused, TimedOut
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import StatusChanged
from app.ocpp.v16 import number

KEYS = (
    "SupportedFeatureProfiles",
    "NumberOfConnectors",
    "GetConfigurationMaxKeys",
    "AllowOfflineTxForUnknownId",
    "AuthorizeRemoteTxRequests",
    "AuthorizationCacheEnabled",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "HeartbeatInterval",
    "LocalAuthListEnabled",
    "LocalAuthListMaxLength",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MeterValueSampleInterval",
    "MeterValuesAlignedData",
    "MeterValuesSampledData",
    "ReserveConnectorZeroSupported",
    "SendLocalListMaxLength",
    "StopTransactionOnEVSideDisconnect",
    "SupportedFileTransferProtocols",
    "StopTransactionOnInvalidId",
    "UnlockConnectorOnEVSideDisconnect",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "SecurityProfile",
    "AdditionalRootCertificateCheck",
    "TransactionMessageRetryInterval",
    "WebSocketPingInterval",
)
"""OCPP 1.6 §9 and SEC16 §7: what the cases look at."""

MAX_CONNECTORS = 64
MOST_ASKED = 8
STATE_S = 5.0
"""How many connectors are asked for their state before the first case, and how long each may take [OURS]."""


@gathers("1.6")
async def ask(endpoint: Endpoint) -> Facts:
    """Read the keys above; a unit that does not tell them claims Core and one connector. Raises LinkLost."""
    settings: dict[str, Claimed] = {}
    try:
        for item in await endpoint.get_settings(KEYS):
            settings[item.key] = Claimed(value=item.value, is_readonly=item.is_readonly)
    except LinkLost:
        raise
    except (TimedOut, NotSupported, Refused):
        settings = {}
    told = number(settings["NumberOfConnectors"].value) if "NumberOfConnectors" in settings else 0
    seen = max(endpoint.statuses, default=0)
    count = min(max(told, seen, 1), MAX_CONNECTORS)
    facts = Facts(
        identity=endpoint.identity,
        version="1.6",
        handshake=endpoint.handshake,
        boot=endpoint.boot or endpoint.ledger.boot,
        settings=settings,
        connectors=tuple(range(1, count + 1)),
    )
    await _learn_states(endpoint, facts)
    return facts


async def _learn_states(endpoint: Endpoint, facts: Facts) -> None:
    """Ask for states that are not known: a unit that only dialled again tells none (J16 §5.4)."""
    if claims("RemoteTrigger")(facts):
        return
    for connector in facts.connectors[:MOST_ASKED]:
        if connector in endpoint.statuses:
            continue
        try:
            await endpoint.trigger("StatusNotification", connector)
            if connector not in endpoint.statuses:
                await endpoint.wait_for(StatusChanged, timeout_s=STATE_S)
        except (TimedOut, NotSupported, Refused):
            return


def profiles(facts: Facts) -> frozenset[str]:
    """Return the claimed feature profiles (§9.1); Core is always there."""
    found = facts.settings.get("SupportedFeatureProfiles")
    return (found.items if found else frozenset()) | {"Core"}


def claims(profile: str) -> Callable[[Facts], str]:
    """Need a feature profile, spelled as in §9.1."""

    def need(facts: Facts) -> str:
        named = {name.lower() for name in profiles(facts)}
        return "" if profile.lower() in named else f"SupportedFeatureProfiles does not name {profile}."

    return need


def has_security(facts: Facts) -> str:
    """Need the security extension: the unit has its key SecurityProfile (SEC16 §7.2)."""
    if "SecurityProfile" in facts.settings:
        return ""
    return "The unit has no key SecurityProfile: it does not claim the security extension."

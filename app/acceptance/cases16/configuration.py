"""Configuration: read, limits, write and read back (OCPP 1.6 §5.3, §5.8, §9.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.acceptance.case import EVERY, case
from app.acceptance.facts import Facts, can_write, claims_setting
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import number

REQUIRED = (
    "AuthorizeRemoteTxRequests",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MeterValuesAlignedData",
    "MeterValuesSampledData",
    "MeterValueSampleInterval",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnSampledData",
    "SupportedFeatureProfiles",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
)
"""Core keys that §9.1 marks as required."""
VITAL = ("SupportedFeatureProfiles", "NumberOfConnectors", "HeartbeatInterval", "MeterValueSampleInterval")
"""Without these no backend can work with it [OURS]."""
UNKNOWN = "RehomeNoSuchKey"


def entries(exchange: Exchange) -> dict[str, dict[str, object]]:
    """Return the keys of a GetConfiguration answer."""
    listed = exchange.get("configurationKey")
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {str(item.get("key")): item for item in found}


def _entries_of(exchanges: Iterable[Exchange]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for exchange in exchanges:
        found.update(entries(exchange))
    return found


def judge_dump(take: Take) -> Iterator[Check]:
    """Look for the required keys in the answer to GetConfiguration without keys."""
    reads = take.asked("GetConfiguration")
    whole = [read for read in reads if not read.request.get("key")]
    if whole:
        first = whole[0]
        yield must("GetConfiguration without keys is answered (§5.8)", first.is_answered, first.status, *first.seqs)
    found = _entries_of(reads)
    evidence = [seq for read in reads for seq in read.seqs]
    missing = [key for key in VITAL if key not in found]
    yield must("It tells the keys no backend can do without", not missing, _listed(missing), *evidence)
    missing = [key for key in REQUIRED if key not in found]
    yield should(f"and all {len(REQUIRED)} that §9.1 requires", not missing, _listed(missing), *evidence)
    bare = [key for key, entry in found.items() if not isinstance(entry.get("readonly"), bool)]
    yield must("Every key says whether it is read-only (§6.24)", not bare, ", ".join(bare[:5]), *evidence)


@case(
    "A16-CONF-01",
    "The whole configuration can be read",
    "OCPP 1.6 §5.8, §9.1",
    judge=judge_dump,
    budget_s=20,
    suites=EVERY,
)
async def dump(stage: Stage) -> None:
    """Read all keys at once."""
    await stage.call("GetConfiguration", {})


def judge_unknown(take: Take) -> Iterator[Check]:
    """Look where the unknown key went."""
    for read in take.asked("GetConfiguration"):
        named = read.get("unknownKey")
        yield must("GetConfiguration for an unknown key is answered", read.is_answered, read.status, *read.seqs)
        yield must(
            "The key comes back as unknownKey (§5.8)",
            isinstance(named, list) and UNKNOWN in named,
            f"unknownKey: {named}"[:80],
            *read.seqs,
        )


@case("A16-CONF-02", "An unknown key is named as unknown", "OCPP 1.6 §5.8", judge=judge_unknown, budget_s=15)
async def unknown_key(stage: Stage) -> None:
    """Ask for a key that no charger has."""
    await stage.call("GetConfiguration", {"key": [UNKNOWN]})


def judge_unknown_write(take: Take) -> Iterator[Check]:
    """Look at the status."""
    for write in take.asked("ChangeConfiguration"):
        yield must(
            "Writing an unknown key is answered NotSupported (§5.3)",
            write.status == "NotSupported",
            write.status,
            *write.seqs,
        )


@case(
    "A16-CONF-03",
    "An unknown key can't be written",
    "OCPP 1.6 §5.3, ConfigurationStatus",
    judge=judge_unknown_write,
    budget_s=15,
)
async def unknown_write(stage: Stage) -> None:
    """Write a key that no charger has."""
    await stage.call("ChangeConfiguration", {"key": UNKNOWN, "value": "1"})


def judge_readonly(take: Take) -> Iterator[Check]:
    """Look at status and value after a write to a read-only key."""
    for write in take.asked("ChangeConfiguration"):
        key = write.request.text("key")
        yield must(f"Writing {key} is answered Rejected (§5.3)", write.status == "Rejected", write.status, *write.seqs)
        value = write.request.text("value")
        for read in take.after(write).asked("GetConfiguration"):
            now = str(entries(read).get(key, {}).get("value", ""))
            yield must("and changes nothing", now != value, f"{key} = “{now}”", *read.seqs)


def has_readonly(facts: Facts) -> str:
    """Need NumberOfConnectors to be read-only, as §9.1 has it."""
    found = facts.settings.get("NumberOfConnectors")
    return "" if found and found.is_readonly else "NumberOfConnectors is not told, or not as read-only."


@case(
    "A16-CONF-04",
    "A read-only key refuses to be written",
    "OCPP 1.6 §5.3, §9.1",
    judge=judge_readonly,
    budget_s=20,
    needs=[has_readonly],
)
async def readonly(stage: Stage) -> None:
    """Write NumberOfConnectors, which says of itself that it is read-only, and read it."""
    await stage.call("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "63"})
    await stage.call("GetConfiguration", {"key": ["NumberOfConnectors"]})


def judge_write(take: Take) -> Iterator[Check]:
    """Compare what was written with what is read afterwards."""
    writes = take.asked("ChangeConfiguration")
    for write in writes[:1]:
        key, value = write.request.text("key"), write.request.text("value")
        yield must(
            f"Writing {key} is accepted", write.status in ("Accepted", "RebootRequired"), write.status, *write.seqs
        )
        yield should("without a restart", write.status != "RebootRequired", write.status, *write.seqs)
        for read in take.after(write).asked("GetConfiguration")[:1]:
            now = str(entries(read).get(key, {}).get("value", ""))
            yield must("and the new value is read back", now == value, f"{key} = “{now}”", *read.seqs)


@case(
    "A16-CONF-05",
    "A written value is kept, and can be put back",
    "OCPP 1.6 §5.3, §9.1",
    judge=judge_write,
    budget_s=15,
    suites=EVERY,
    needs=[can_write("MeterValueSampleInterval")],
)
async def write(stage: Stage) -> None:
    """Write MeterValueSampleInterval, read it, and put the old value back."""
    old = stage.facts.value("MeterValueSampleInterval")
    await stage.set("MeterValueSampleInterval", "30" if old != "30" else "60")
    await stage.call("GetConfiguration", {"key": ["MeterValueSampleInterval"]})


def judge_bad_value(take: Take) -> Iterator[Check]:
    """Look at the status of a value that can't be right."""
    for write in take.asked("ChangeConfiguration")[:1]:
        yield must(
            "A text for a number is answered Rejected (§5.3)", write.status == "Rejected", write.status, *write.seqs
        )
        for read in take.after(write).asked("GetConfiguration")[:1]:
            now = str(entries(read).get("HeartbeatInterval", {}).get("value", ""))
            yield must("and the old value stays", now.isdigit(), f"HeartbeatInterval = “{now}”", *read.seqs)


@case(
    "A16-CONF-06",
    "A value that can't be right is refused",
    "OCPP 1.6 §5.3, ConfigurationStatus",
    judge=judge_bad_value,
    budget_s=20,
    needs=[can_write("HeartbeatInterval")],
)
async def bad_value(stage: Stage) -> None:
    """Write a text into HeartbeatInterval, read it, and put the old value back if it was taken."""
    await stage.set("HeartbeatInterval", "often")
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})


def judge_limit(take: Take) -> Iterator[Check]:
    """Look at an answer to as many keys as the unit says it bears."""
    for read in take.asked("GetConfiguration"):
        asked = read.request.get("key")
        count = len(asked) if isinstance(asked, list) else 0
        known = entries(read)
        named = read.get("unknownKey")
        told = len(known) + (len(named) if isinstance(named, list) else 0)
        yield must(
            f"{count} keys at once (GetConfigurationMaxKeys) are answered", read.is_answered, read.status, *read.seqs
        )
        yield must("and every one of them is told or named as unknown", told >= count, f"{told} of {count}", *read.seqs)


@case(
    "A16-CONF-07",
    "As many keys as it says can be asked at once",
    "OCPP 1.6 §5.8, §9.1",
    judge=judge_limit,
    budget_s=30,
    needs=[claims_setting("GetConfigurationMaxKeys")],
)
async def max_keys(stage: Stage) -> None:
    """Ask for as many keys at once as GetConfigurationMaxKeys allows (at most 60)."""
    limit = int(stage.facts.number("GetConfigurationMaxKeys") or 1)
    names = [*REQUIRED, *(f"{UNKNOWN}{number}" for number in range(60))]
    await stage.call("GetConfiguration", {"key": names[: max(1, min(limit, 60))]})


RULES = (
    ("HeartbeatInterval", 1, 86_400, "comes at least once a day (§4.6)"),
    ("MeterValueSampleInterval", 1, 900, "samples at least every 15 minutes"),
    ("ConnectionTimeOut", 30, 300, "leaves a person time to plug in"),
    ("TransactionMessageAttempts", 3, 1_000, "tries three times or more to deliver a session (0 disables)"),
    ("TransactionMessageRetryInterval", 1, 600, "and soon enough"),
    ("WebSocketPingInterval", 1, 240, "keeps the line alive before a router forgets it (J16-E 3.11)"),
)
"""Key, least, most, why (commissioning §4 [OURS] unless a source stands there)."""


def judge_values(take: Take) -> Iterator[Check]:
    """Compare the behaviour keys with what works in practice."""
    reads = take.asked("GetConfiguration")
    found = _entries_of(reads)
    evidence = [seq for read in reads for seq in read.seqs]
    yield must("The configuration is told", bool(found), f"{len(found)} keys", *evidence)
    for key, least, most, why in RULES:
        value = str(found[key].get("value", "")) if key in found else ""
        if not value:
            continue
        is_good = value.strip().isdigit() and least <= number(value) <= most
        yield should(f"{key} {why}", is_good, f"{value} (good: {least} to {most})", *evidence)
    measurands = str(found.get("MeterValuesSampledData", {}).get("value", ""))
    yield should(
        "MeterValuesSampledData holds the energy register",
        "Energy.Active.Import.Register" in measurands or not measurands,
        measurands[:120],
        *evidence,
    )


@case(
    "A16-CONF-08",
    "The behaviour keys hold values that work in practice",
    "OCPP 1.6 §9.1; J16-E 3.11; commissioning §4",
    judge=judge_values,
    budget_s=15,
    suites=EVERY,
)
async def values(stage: Stage) -> None:
    """Read the keys for heartbeat, metering, retries and pings."""
    await stage.call("GetConfiguration", {"key": [key for key, *_ in RULES] + ["MeterValuesSampledData"]})


def _listed(keys: list[str]) -> str:
    return "missing: " + ", ".join(keys) if keys else ""

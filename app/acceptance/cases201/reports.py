"""Reports of the device model (OCPP 2.0.1 part 2, B07 and B08): whole, complete, numbered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.acceptance.case import COMMISSIONING
from app.acceptance.cases201.asking import case201, readable, selector
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Message, Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.devicemodel import Variable, assemble

REPORT_S = 30.0
"""How long the next part of a report may take [OURS]."""
MAX_PARTS = 2_000
REQUEST = 41_100
REQUIRED = (
    "AuthCtrlr.AuthorizeRemoteStart",
    "AuthCtrlr.LocalAuthorizeOffline",
    "AuthCtrlr.LocalPreAuthorize",
    "ClockCtrlr.DateTime",
    "ClockCtrlr.TimeSource",
    "DeviceDataCtrlr.BytesPerMessage/GetReport",
    "DeviceDataCtrlr.BytesPerMessage/GetVariables",
    "DeviceDataCtrlr.BytesPerMessage/SetVariables",
    "DeviceDataCtrlr.ItemsPerMessage/GetReport",
    "DeviceDataCtrlr.ItemsPerMessage/GetVariables",
    "DeviceDataCtrlr.ItemsPerMessage/SetVariables",
    "OCPPCommCtrlr.FileTransferProtocols",
    "OCPPCommCtrlr.MessageAttemptInterval/TransactionEvent",
    "OCPPCommCtrlr.MessageAttempts/TransactionEvent",
    "OCPPCommCtrlr.MessageTimeout/Default",
    "OCPPCommCtrlr.NetworkConfigurationPriority",
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts",
    "OCPPCommCtrlr.OfflineThreshold",
    "OCPPCommCtrlr.ResetRetries",
    "OCPPCommCtrlr.UnlockOnEVSideDisconnect",
    "SampledDataCtrlr.TxEndedMeasurands",
    "SampledDataCtrlr.TxStartedMeasurands",
    "SampledDataCtrlr.TxUpdatedInterval",
    "SampledDataCtrlr.TxUpdatedMeasurands",
    "SecurityCtrlr.CertificateEntries",
    "SecurityCtrlr.OrganizationName",
    "SecurityCtrlr.SecurityProfile",
    "TxCtrlr.EVConnectionTimeOut",
    "TxCtrlr.StopTxOnEVSideDisconnect",
    "TxCtrlr.StopTxOnInvalidId",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
)
"""Variables that part 2's referenced components mark as required of every station."""


async def reported(stage: Stage, action: str, number: int, **payload: Any) -> Exchange:
    """Ask for a report and wait for its last part."""
    reply = await stage.call(action, {"requestId": number, **payload})
    since = reply.request.seq
    for _ in range(MAX_PARTS if reply.status == "Accepted" else 0):
        part = await stage.heard(
            "NotifyReport", where=lambda m: m.get("requestId") == number, within_s=REPORT_S, since=since
        )
        if part is None or part.get("tbc") is not True:
            break
        since = part.seq
    return reply


def parts_of(take: Take, ask: Exchange, action: str = "NotifyReport") -> tuple[Message, ...]:
    """Return the parts of the report that was asked for."""
    number = ask.request.get("requestId")
    return take.after(ask).heard(action, lambda message: message.get("requestId") == number)


def judge_parts(parts: tuple[Message, ...], action: str = "NotifyReport") -> Iterator[Check]:
    """Look that the parts are numbered from 0 without a gap, and that the last says so."""
    seqs = list(map(seq_of, parts))
    yield must(f"{action} comes", bool(parts), f"{len(parts)} parts", *seqs)
    if not parts:
        return
    numbers = [part.get("seqNo") for part in parts]
    is_counted = numbers == list(range(len(parts)))
    yield must("Its parts are numbered from 0 without a gap (seqNo)", is_counted, f"{numbers}"[:80], *seqs)
    more = [part.get("tbc") is True for part in parts]
    yield must("Only the last says that none follows (tbc)", more == [True] * (len(parts) - 1) + [False], "", *seqs)
    is_dated = all(part.stamp("generatedAt") is not None for part in parts)
    yield must("Every part tells when it was made (generatedAt)", is_dated, "", *seqs)


def model_of(parts: tuple[Message, ...]) -> tuple[Variable, ...]:
    """Return the variables of a report."""
    return assemble(part.payload for part in parts)


def _judge_base(take: Take, base: str) -> Iterator[Check]:
    for ask in take.asked("GetBaseReport")[:1]:
        yield must(f"{base} is accepted (B07)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status == "Accepted":
            yield from judge_parts(parts_of(take, ask))


def judge_full(take: Take) -> Iterator[Check]:
    """Look at the parts, at the variables every station must have, and at what is told of each."""
    yield from _judge_base(take, "FullInventory")
    for ask in take.asked("GetBaseReport")[:1]:
        parts = parts_of(take, ask)
        model = model_of(parts)
        seqs = list(map(seq_of, parts))
        if not model:
            return
        known = {variable.name.text.lower() for variable in model}
        missing = [key for key in REQUIRED if key.lower() not in known]
        seen = f"missing: {', '.join(missing)}" if missing else f"{len(model)} variables"
        yield should("All variables that part 2 requires are there", not missing, seen, *seqs)
        bare = [variable.name.text for variable in model if not variable.attributes]
        yield must("Every variable tells an attribute", not bare, ", ".join(bare[:5]), *seqs)
        evses = {variable.name.evse for variable in model if variable.name.component.lower() == "evse"}
        yield must(
            "The EVSEs are in it (component EVSE)", bool(evses - {None}), f"{sorted(filter(None, evses))}", *seqs
        )
        leaks = [v.name.text for v in model if v.mutability == "WriteOnly" and v.value]
        yield must("What is write-only shows no value", not leaks, ", ".join(leaks[:5]), *seqs)


@case201(
    "A201-CONF-01",
    "The device model is told completely",
    "OCPP 2.0.1 B07",
    judge=judge_full,
    budget_s=40,
    suites=[COMMISSIONING],
)
async def full(stage: Stage) -> None:
    """Ask for GetBaseReport(FullInventory), and take in all its parts."""
    await reported(stage, "GetBaseReport", REQUEST, reportBase="FullInventory")


def judge_configuration(take: Take) -> Iterator[Check]:
    """Look at the parts, and that all that can be set is in it, and nothing else."""
    yield from _judge_base(take, "ConfigurationInventory")
    asks = take.asked("GetBaseReport")
    if len(asks) < 2:
        return
    own, whole = (model_of(parts_of(take, ask)) for ask in asks[:2])
    seqs = [seq for ask in asks[:2] for seq in ask.seqs]
    fixed = [v.name.text for v in own if all(item.mutability == "ReadOnly" for item in v.attributes)]
    yield should("It holds only what can be set (B07)", not fixed, ", ".join(fixed[:5]), *seqs)
    names = {variable.name for variable in own}
    lost = [v.name.text for v in whole if v.mutability != "ReadOnly" and v.name not in names]
    yield must("and all of what can be set", not lost, ", ".join(lost[:5]), *seqs)


@case201(
    "A201-CONF-02",
    "The configuration is told completely",
    "OCPP 2.0.1 B07",
    judge=judge_configuration,
    budget_s=120,
)
async def configuration(stage: Stage) -> None:
    """Ask for ConfigurationInventory and for FullInventory, and compare them."""
    reply = await reported(stage, "GetBaseReport", REQUEST + 1, reportBase="ConfigurationInventory")
    if reply.status == "Accepted":
        await reported(stage, "GetBaseReport", REQUEST + 2, reportBase="FullInventory")


def judge_summary(take: Take) -> Iterator[Check]:
    """Look at the parts, and for the availability in them."""
    yield from _judge_base(take, "SummaryInventory")
    for ask in take.asked("GetBaseReport")[:1]:
        parts = parts_of(take, ask)
        names = {variable.name.variable for variable in model_of(parts)}
        is_told = "AvailabilityState" in names
        yield should("It tells AvailabilityState (B07)", is_told, ", ".join(sorted(names))[:120], *map(seq_of, parts))


@case201(
    "A201-CONF-03",
    "The summary is told",
    "OCPP 2.0.1 B07 (SummaryInventory)",
    judge=judge_summary,
    budget_s=60,
)
async def summary(stage: Stage) -> None:
    """Ask for GetBaseReport(SummaryInventory), which a station need not support."""
    reply = await reported(stage, "GetBaseReport", REQUEST + 3, reportBase="SummaryInventory")
    if reply.status == "NotSupported":
        raise NotApplicable("The station does not support SummaryInventory, as it may.")


def judge_named(take: Take) -> Iterator[Check]:
    """Look that just the named variable comes."""
    for ask in take.asked("GetReport")[:1]:
        yield must("GetReport of one variable is accepted (B08)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status != "Accepted":
            return
        parts = parts_of(take, ask)
        yield from judge_parts(parts)
        names = [variable.name.text for variable in model_of(parts)]
        wanted = ".".join(ask.request.text("componentVariable", 0, part, "name") for part in ("component", "variable"))
        is_alone = [name.lower() for name in names] == [wanted.lower()]
        yield must(
            "It tells the variable that was asked for, alone", is_alone, ", ".join(names[:5]), *map(seq_of, parts)
        )


@case201(
    "A201-CONF-04",
    "A report of one variable tells just that",
    "OCPP 2.0.1 B08",
    judge=judge_named,
    budget_s=60,
)
async def named(stage: Stage) -> None:
    """Ask for GetReport of one variable."""
    await reported(stage, "GetReport", REQUEST + 4, componentVariable=[selector(readable(stage.facts))])


def judge_nothing(take: Take) -> Iterator[Check]:
    """Look at the status of a report about what does not exist."""
    for ask in take.asked("GetReport"):
        is_empty = ask.status == "EmptyResultSet"
        yield must("A report of an unknown component is answered", ask.answer is not None, ask.status, *ask.seqs)
        yield must("and not accepted", ask.status != "Accepted", ask.status, *ask.seqs)
        yield should("but EmptyResultSet (B08)", is_empty, ask.status, *ask.seqs)


@case201(
    "A201-CONF-05",
    "A report of an unknown component is empty",
    "OCPP 2.0.1 B08",
    judge=judge_nothing,
    budget_s=60,
)
async def nothing(stage: Stage) -> None:
    """Ask for GetReport of a component that does not exist."""
    await reported(stage, "GetReport", REQUEST + 5, componentVariable=[{"component": {"name": "RehomeNoSuchCtrlr"}}])

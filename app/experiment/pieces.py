"""The experiment with long answers: settings one by one, in growing batches, and all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.errors import LinkError, NotSupported, Refused, TimedOut
from app.experiment.stage import Stage
from app.ocpp.devicemodel import VariableName
from app.ocpp.endpoint import Endpoint
from app.ocpp.settings16 import known_keys

FINE, FAILED, NOTHING, KEY = "fine", "failed", "nothing", "key"
SILENT, GONE = "it did not answer", "it hung up"
ANSWER_S = 20.0
KEYS = 60
"""Settings that are asked at most [OURS]."""
SUSPECTS = 3
"""After so many settings that fail alone, the question itself is what fails [OURS]."""
VARIABLES = (
    "OCPPCommCtrlr.HeartbeatInterval",
    "OCPPCommCtrlr.MessageTimeout",
    "OCPPCommCtrlr.NetworkConfigurationPriority",
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts",
    "OCPPCommCtrlr.OfflineThreshold",
    "OCPPCommCtrlr.ResetRetries",
    "OCPPCommCtrlr.UnlockOnEVSideDisconnect",
    "OCPPCommCtrlr.WebSocketPingInterval",
    "AuthCtrlr.AuthorizeRemoteStart",
    "AuthCtrlr.LocalAuthorizeOffline",
    "AuthCtrlr.LocalPreAuthorize",
    "ClockCtrlr.DateTime",
    "ClockCtrlr.TimeSource",
    "DeviceDataCtrlr.BytesPerMessage",
    "DeviceDataCtrlr.ItemsPerMessage",
    "SampledDataCtrlr.TxEndedInterval",
    "SampledDataCtrlr.TxEndedMeasurands",
    "SampledDataCtrlr.TxStartedMeasurands",
    "SampledDataCtrlr.TxUpdatedInterval",
    "SampledDataCtrlr.TxUpdatedMeasurands",
    "SecurityCtrlr.OrganizationName",
    "SecurityCtrlr.CertificateEntries",
    "SecurityCtrlr.SecurityProfile",
    "TxCtrlr.EVConnectionTimeOut",
    "TxCtrlr.StopTxOnEVSideDisconnect",
    "TxCtrlr.StopTxOnInvalidId",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
)
"""Variables that OCPP 2.0.1 names (P2-201 §2); a station that lacks one says so."""


async def big_answer(stage: Stage) -> None:
    """Ask for settings in batches that grow; ends at the first size, or setting, that fails."""
    suspects: list[str] = []
    for setting in stage.settings():
        there = await _there(stage)
        if there is None:
            stage.mark(NOTHING, "It is not connected any more.")
            return
        if setting == "1":
            suspects = await _one_by_one(stage, there)
            if suspects:
                return
            continue
        bad = await _in_batches(stage, there, setting)
        if bad:
            stage.mark(FAILED, bad, size=float(setting) if setting.isdigit() else 0.0)
            return
        words = "It answered everything at once." if setting == "all" else f"It answered every batch of {setting}."
        stage.mark(FINE, words)


async def _there(stage: Stage) -> Endpoint | None:
    there = stage.endpoint
    if there is not None:
        return there
    limit_s = stage.tempo.real(stage.experiment.round_s)
    stage.say("Waiting for the charger to return …", limit_s)
    return await stage.arrival(limit_s)


async def _one_by_one(stage: Stage, there: Endpoint) -> list[str]:
    """Ask for each setting alone; one that fails is asked twice, so that chance is not blamed on it."""
    suspects: list[str] = []
    fine = 0
    keys = _keys(there)
    for count, key in enumerate(keys):
        stage.say(f"Asking for {key} alone ({count + 1} of {len(keys)}) …", stage.tempo.real(ANSWER_S))
        if await _fails(stage, key) and await _fails(stage, key):
            suspects.append(key)
        else:
            fine += 1
        if suspects and (fine or len(suspects) >= SUSPECTS):
            break
    if not suspects:
        stage.mark(FINE, f"It answered {len(keys)} settings one by one.")
    elif not fine:
        stage.mark(NOTHING, f"It answers none of {', '.join(suspects)}: the question itself fails.")
    else:
        stage.mark(KEY, f"It fails on “{suspects[0]}”, even alone and twice.")
    return suspects


async def _fails(stage: Stage, key: str) -> bool:
    """Say whether a question for one setting brings silence or the end of the line; a refusal is an answer."""
    there = await _there(stage)
    if there is None:
        return True
    return await _problem(stage, there, *_request(there.version, [key])) in (SILENT, GONE)


async def _in_batches(stage: Stage, there: Endpoint, setting: str) -> str:
    keys = _keys(there)
    size = int(setting) if setting.isdigit() else 0
    if not size:
        stage.say("Asking for everything at once …", stage.tempo.real(3 * ANSWER_S))
        return await _everything(stage, there)
    for start in range(0, len(keys), size):
        stage.say(f"Asking for {size} at a time ({start} of {len(keys)}) …", stage.tempo.real(ANSWER_S))
        bad = await _problem(stage, there, *_request(there.version, keys[start : start + size]))
        if bad:
            return f"A batch of {size}: {bad}."
    return ""


async def _everything(stage: Stage, there: Endpoint) -> str:
    if there.version == "1.6":
        return await _problem(stage, there, "GetConfiguration", {}, factor=3.0)
    try:
        limit_s = stage.tempo.real(ANSWER_S)
        await there.gather("GetBaseReport", {"reportBase": "FullInventory"}, timeout_s=limit_s)
    except NotSupported:
        return ""
    except Refused as error:
        return error.message
    except TimedOut:
        return "the report did not come to its end"
    except LinkError:
        return GONE
    return ""


async def _problem(stage: Stage, there: Endpoint, action: str, payload: dict[str, Any], *, factor: float = 1.0) -> str:
    """Ask, and say what went wrong; empty = it answered."""
    try:
        await there.call(action, payload, timeout_s=stage.tempo.real(ANSWER_S * factor))
    except TimedOut:
        return SILENT
    except Refused as error:
        return f"it refused: {error.message}"
    except LinkError:
        return GONE
    return ""


def _keys(there: Endpoint) -> list[str]:
    if there.version != "1.6":
        model = there.habits.model or ()
        return [variable.name.text for variable in model][:KEYS] or list(VARIABLES)
    seen = list(there.habits.settings or there.habits.addresses)
    return (seen or list(known_keys()))[:KEYS]


def _request(version: str, keys: Sequence[str]) -> tuple[str, dict[str, Any]]:
    if version == "1.6":
        return "GetConfiguration", {"key": list(keys)}
    return "GetVariables", {"getVariableData": [VariableName.parse(key).selector for key in keys]}

"""Variables read and written (OCPP 2.0.1 part 2, B05 and B06): limits, refusals, attribute types."""

from __future__ import annotations

import json
from collections.abc import Iterator

from app.acceptance.case import EVERY, Needs
from app.acceptance.cases201.asking import HEARTBEAT, KEYS, PROFILE, SAMPLE_S, case201, name_of, readable, selector
from app.acceptance.facts import Facts, can_write, claims_setting
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Take
from app.model.acceptance import Check, must, should

PASSWORD = "SecurityCtrlr.BasicAuthPassword"
GET_ITEMS = "DeviceDataCtrlr.ItemsPerMessage/GetVariables"
GET_BYTES = "DeviceDataCtrlr.BytesPerMessage/GetVariables"
SET_ITEMS = "DeviceDataCtrlr.ItemsPerMessage/SetVariables"
FRAME_BYTES = 100
"""Room for what surrounds the variables in a message [OURS]."""
MOST_ITEMS = 200
"""Above it a limit is not tried out [OURS]."""
TOO_MANY = frozenset(
    {"OccurrenceConstraintViolation", "FormatViolation", "PropertyConstraintViolation", "GenericError"}
)
TAKEN = ("Accepted", "RebootRequired")


def results(exchange: Exchange) -> list[dict[str, object]]:
    """Return the results of GetVariables or SetVariables, in the order told."""
    for name in ("getVariableResult", "setVariableResult"):
        found = exchange.get(name)
        if isinstance(found, list):
            return [item for item in found if isinstance(item, dict)]
    return []


def told_status(exchange: Exchange, at: int = 0) -> str:
    """Return the attributeStatus of a result; where there is none, how the question was answered."""
    found = results(exchange)
    return str(found[at].get("attributeStatus", "")) if at < len(found) else exchange.status or "no result"


def told_value(exchange: Exchange, at: int = 0) -> str:
    """Return the attributeValue of a result, empty where there is none."""
    found = results(exchange)
    return str(found[at].get("attributeValue", "")) if at < len(found) else ""


async def read(stage: Stage, *keys: str, **more: object) -> Exchange:
    """Send GetVariables for these keys."""
    return await stage.call("GetVariables", {"getVariableData": [selector(key, **more) for key in keys]})


def judge_read(take: Take) -> Iterator[Check]:
    """Look at the results for what is there and for what is not."""
    for ask in take.asked("GetVariables")[:1]:
        found = results(ask)
        yield must("Every question has its result (B06)", len(found) == 3, f"{len(found)} of 3", *ask.seqs)
        if len(found) != 3:
            return
        yield must("A known variable is Accepted", told_status(ask) == "Accepted", told_status(ask), *ask.seqs)
        yield must("and has a value", bool(told_value(ask)), f"“{told_value(ask)}”", *ask.seqs)
        for at, wanted in ((1, "UnknownVariable"), (2, "UnknownComponent")):
            status = told_status(ask, at)
            yield must(f"{wanted[7:]} nobody knows is not Accepted", status != "Accepted", status, *ask.seqs)
            yield should(f"but {wanted}", status == wanted, status, *ask.seqs)


@case201(
    "A201-CONF-06",
    "Known and unknown variables are told apart",
    "OCPP 2.0.1 B06",
    judge=judge_read,
    budget_s=15,
    suites=EVERY,
)
async def known(stage: Stage) -> None:
    """Read one variable that is there, one of an unknown name, one of an unknown component."""
    await read(stage, readable(stage.facts), "OCPPCommCtrlr.RehomeNoSuchVariable", "RehomeNoSuchCtrlr.Enabled")


def _has_limit(key: str) -> Needs:
    def need(facts: Facts) -> str:
        limit = facts.number(key)
        if limit is None:
            return f"The station does not tell {key}."
        return "" if 1 <= limit <= MOST_ITEMS else f"{key} is {limit:.0f}: that many are not tried."

    return need


def judge_items(take: Take) -> Iterator[Check]:
    """Look at the answers to as many questions as are allowed, and to one more."""
    asks = take.asked("GetVariables")
    for ask in asks[:1]:
        count = len(ask.request.get("getVariableData") or [])
        text = f"{count} variables, as many as ItemsPerMessage allows, are told in one message"
        yield must(text, len(results(ask)) == count, f"{ask.status or len(results(ask))}", *ask.seqs)
    for ask in asks[1:2]:
        count = len(ask.request.get("getVariableData") or [])
        yield must(f"{count}, one too many, are answered", ask.answer is not None, ask.status, *ask.seqs)
        is_fine = ask.status in TOO_MANY or len(results(ask)) == count
        yield should("with a CALLERROR that says so, or all the same", is_fine, ask.status, *ask.seqs)
    for ask in asks[2:3]:
        is_same = ask.request.frame.connection == asks[0].request.frame.connection
        yield must("and the station goes on", ask.is_answered and is_same, ask.status, *ask.seqs)


@case201(
    "A201-CONF-07",
    "As many variables as it claims are read at once; one more does no harm",
    "OCPP 2.0.1 B06 (DeviceDataCtrlr.ItemsPerMessage)",
    judge=judge_items,
    budget_s=60,
    needs=[_has_limit(GET_ITEMS)],
)
async def items(stage: Stage) -> None:
    """Read exactly ItemsPerMessage[GetVariables] variables, then one more, then one."""
    limit = int(stage.facts.number(GET_ITEMS) or 1)
    keys = sorted((key for key in stage.facts.settings if name_of(key) is not None), key=len) or list(KEYS)
    many = (keys * (limit // len(keys) + 1))[: limit + 1]
    size = sum(len(json.dumps(selector(key))) + 2 for key in many) + FRAME_BYTES
    if size > (stage.facts.number(GET_BYTES) or size):
        raise NotApplicable(f"{limit + 1} variables take {size} bytes, more than {GET_BYTES} allows.")
    await read(stage, *many[:limit])
    await read(stage, *many)
    await read(stage, HEARTBEAT)


def judge_writes(take: Take) -> Iterator[Check]:
    """Look at the answer to more orders than are allowed."""
    for write in take.asked("SetVariables")[:1]:
        count = len(write.request.get("setVariableData") or [])
        yield must(f"{count} orders, one too many, are answered", write.answer is not None, write.status, *write.seqs)
        is_fine = write.status in TOO_MANY or len(results(write)) == count
        yield should("with a CALLERROR that says so, or all the same", is_fine, write.status, *write.seqs)
    for ask in take.asked("GetVariables")[:1]:
        is_same = len(take.connections) == 1
        yield must("and the station goes on", ask.is_answered and is_same, ask.status, *ask.seqs)


@case201(
    "A201-CONF-08",
    "One order too many does no harm",
    "OCPP 2.0.1 B05 (DeviceDataCtrlr.ItemsPerMessage)",
    judge=judge_writes,
    budget_s=60,
    needs=[can_write(HEARTBEAT), _has_limit(SET_ITEMS)],
)
async def writes(stage: Stage) -> None:
    """Write HeartbeatInterval as it is once more often than ItemsPerMessage[SetVariables] allows."""
    limit = int(stage.facts.number(SET_ITEMS) or 1)
    value = stage.facts.value(HEARTBEAT) or "300"
    await stage.call("SetVariables", {"setVariableData": [selector(HEARTBEAT, attributeValue=value)] * (limit + 1)})
    await read(stage, HEARTBEAT)


def judge_written(take: Take) -> Iterator[Check]:
    """Look at the status, and compare what was written with what is read."""
    for write in take.asked("SetVariables")[:1]:
        value = write.request.text("setVariableData", 0, "attributeValue")
        status = told_status(write)
        yield must("SetVariables is Accepted (B05)", status in TAKEN, status, *write.seqs)
        for ask in take.after(write).asked("GetVariables")[:1]:
            now = told_value(ask)
            yield must("and read back as written", now == value, f"written {value}, read {now}", *write.seqs, *ask.seqs)


@case201(
    "A201-CONF-09",
    "A variable is written, read back and put back",
    "OCPP 2.0.1 B05, B06",
    judge=judge_written,
    budget_s=25,
    suites=EVERY,
    needs=[can_write(SAMPLE_S)],
)
async def written(stage: Stage) -> None:
    """Write SampledDataCtrlr.TxUpdatedInterval, read it, put the old value back."""
    await stage.set(SAMPLE_S, "45" if stage.facts.value(SAMPLE_S) != "45" else "50")
    await read(stage, SAMPLE_S)


def judge_readonly(take: Take) -> Iterator[Check]:
    """Look at the status of an order for what can't be set."""
    for write in take.asked("SetVariables"):
        status = told_status(write)
        yield must(
            "What is read-only is not set (B05)", write.answer is not None and status not in TAKEN, status, *write.seqs
        )
        yield should("but Rejected", status == "Rejected", status, *write.seqs)


def fixed(facts: Facts) -> str:
    """Return a variable that calls itself read-only and has a value: ItemsPerMessage, or the first; empty = none."""
    keys = (key for key in (GET_ITEMS, *sorted(facts.settings)) if facts.value(key) and name_of(key) is not None)
    return next((key for key in keys if not facts.is_writable(key)), "")


@case201(
    "A201-CONF-10",
    "What is read-only can't be written",
    "OCPP 2.0.1 B05",
    judge=judge_readonly,
    budget_s=20,
    needs=[lambda facts: "" if fixed(facts) else "The station tells no variable that is read-only and has a value."],
)
async def readonly(stage: Stage) -> None:
    """Try to set a read-only variable to the value it has."""
    key = fixed(stage.facts)
    order = selector(key, attributeValue=stage.facts.value(key))
    await stage.call("SetVariables", {"setVariableData": [order]})


def judge_nonsense(take: Take) -> Iterator[Check]:
    """Look at the status of a value that is no number, and that the old one stays."""
    reads = take.asked("GetVariables")
    for write in take.asked("SetVariables")[:1]:
        status = told_status(write)
        is_refused = write.answer is not None and status not in TAKEN
        yield must("“often” is refused where a number belongs (B05)", is_refused, status, *write.seqs)
        yield should("as Rejected", status == "Rejected", status, *write.seqs)
        if len(reads) > 1:
            before, after = told_value(reads[0]), told_value(reads[-1])
            yield must(
                "and the old value stays", before == after, f"{before} → {after}", *reads[0].seqs, *reads[-1].seqs
            )


@case201(
    "A201-CONF-11",
    "A value of the wrong kind is refused",
    "OCPP 2.0.1 B05",
    judge=judge_nonsense,
    budget_s=30,
    needs=[can_write(HEARTBEAT)],
)
async def nonsense(stage: Stage) -> None:
    """Try to set HeartbeatInterval to “often”, and look that the old value stays."""
    await read(stage, HEARTBEAT)
    await stage.set(HEARTBEAT, "often")
    await read(stage, HEARTBEAT)


def judge_attributes(take: Take) -> Iterator[Check]:
    """Look at the results for attribute types."""
    asks = take.asked("GetVariables")
    for ask in asks[:1]:
        status = told_status(ask)
        yield must("The Actual attribute is told by its name (B06)", status == "Accepted", status, *ask.seqs)
        told = str(results(ask)[0].get("attributeType", "Actual")) if results(ask) else ""
        yield should("and named in the result", told == "Actual", told, *ask.seqs)
    for ask in asks[1:2]:
        status = told_status(ask)
        yield must("A MaxSet it has not is not Accepted", status != "Accepted", status, *ask.seqs)
        yield should("but NotSupportedAttributeType", status == "NotSupportedAttributeType", status, *ask.seqs)


@case201(
    "A201-CONF-12",
    "Attribute types are kept apart",
    "OCPP 2.0.1 B06 (AttributeEnum)",
    judge=judge_attributes,
    budget_s=30,
    needs=[claims_setting(PROFILE)],
)
async def attributes(stage: Stage) -> None:
    """Read the Actual, then the MaxSet attribute of SecurityCtrlr.SecurityProfile."""
    await read(stage, PROFILE, attributeType="Actual")
    await read(stage, PROFILE, attributeType="MaxSet")


def judge_secret(take: Take) -> Iterator[Check]:
    """Look that the password stays where it is."""
    for ask in take.asked("GetVariables"):
        status = told_status(ask)
        yield must(
            "The password can't be read (A00, B06)", status != "Accepted" or not told_value(ask), status, *ask.seqs
        )
        yield should("It is Rejected: write-only", status in ("Rejected", "UnknownVariable"), status, *ask.seqs)


@case201(
    "A201-CONF-13",
    "The password can't be read",
    "OCPP 2.0.1 A00, B06 (SecurityCtrlr.BasicAuthPassword)",
    judge=judge_secret,
    budget_s=20,
    needs=[claims_setting(PASSWORD)],
)
async def secret(stage: Stage) -> None:
    """Ask for SecurityCtrlr.BasicAuthPassword."""
    await read(stage, PASSWORD)


RULES: tuple[tuple[str, int, int, str], ...] = (
    (HEARTBEAT, 10, 900, "shows a dead line in time"),
    ("OCPPCommCtrlr.WebSocketPingInterval", 10, 300, "keeps routers from forgetting the line"),
    (SAMPLE_S, 5, 900, "shows a session while it runs"),
    ("OCPPCommCtrlr.MessageAttempts/TransactionEvent", 3, 1000, "survives a moment of deafness"),
    ("OCPPCommCtrlr.MessageAttemptInterval/TransactionEvent", 1, 600, "tries again soon"),
    ("OCPPCommCtrlr.NetworkProfileConnectionAttempts", 1, 100, "gives a profile its chance"),
    ("OCPPCommCtrlr.RetryBackOffWaitMinimum", 1, 120, "brings it back soon"),
    ("OCPPCommCtrlr.OfflineThreshold", 1, 3600, "has states told again after a long silence"),
    ("TxCtrlr.EVConnectionTimeOut", 20, 600, "gives a driver time to plug in"),
)
"""What works in practice (commissioning §4 [OURS])."""


def judge_values(take: Take) -> Iterator[Check]:
    """Compare the behaviour variables with what works in practice."""
    reads = take.asked("GetVariables")
    found: dict[str, str] = {}
    for ask in reads:
        wanted = ask.request.get("getVariableData") or []
        for at, item in enumerate(results(ask)[: len(wanted)]):
            if item.get("attributeStatus") == "Accepted":
                found[_key(item)] = told_value(ask, at)
    evidence = [seq for ask in reads for seq in ask.seqs]
    yield must("The behaviour variables are told", bool(found), f"{len(found)} of {len(RULES)}", *evidence)
    for key, least, most, why in RULES:
        value = found.get(key.lower(), "")
        if value:
            is_good = value.strip().isdigit() and least <= int(value) <= most
            yield should(f"{key} {why}", is_good, f"{value} (good: {least} to {most})", *evidence)


def _key(item: dict[str, object]) -> str:
    component, variable = item.get("component"), item.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return ""
    instance = f"/{variable['instance']}" if variable.get("instance") else ""
    return f"{component.get('name')}.{variable.get('name')}{instance}".lower()


@case201(
    "A201-CONF-14",
    "The behaviour variables hold values that work in practice",
    "OCPP 2.0.1 part 2, referenced components; commissioning §4",
    judge=judge_values,
    budget_s=15,
    suites=EVERY,
)
async def values(stage: Stage) -> None:
    """Read the variables for heartbeat, metering, retries and pings."""
    wanted = [key for key, *_ in RULES if key in stage.facts.settings]
    most = max(1, int(stage.facts.number(GET_ITEMS) or 4))
    for at in range(0, len(wanted), most):
        await read(stage, *wanted[at : at + most])

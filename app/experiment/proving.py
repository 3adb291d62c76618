"""The finding that an experiment proves, with its rounds as evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.diagnosis.naming import found, span
from app.experiment.values import Result, Round, State
from app.experiment.words import setting_words
from app.model.finding import Finding, Severity

_Told = Callable[[Result], dict[str, str]]


def proof(result: Result) -> Finding | None:
    """Return what the outcome proves; ``None`` where it proves nothing."""
    outcome = result.outcome
    if outcome is None or not outcome.code:
        return None
    told = _TOLD[result.experiment_id, result.sign](result)
    title = result.experiment.title
    proofs = [(f"experiment: {title}", outcome.seen), *_rounds(result)]
    return found(
        outcome.code,
        Severity.INFO if result.sign in _HARMLESS else Severity.WARNING,
        *proofs,
        at=result.ended_at,
        case=told.pop("case", ""),
        details={"remote": result.subject.host, "identity": result.subject.title, "proved": title, **told},
    )


def _rounds(result: Result) -> list[tuple[str, str]]:
    done = (item for item in result.rounds if item.state is State.DONE)
    return [(f"experiment: {setting_words(result.experiment_id, item.setting)}", item.seen) for item in done]


_HARMLESS = frozenset({"obeys", "soon", "slow", "identity", "chain"})


def _round(result: Result, *marks: str) -> Round:
    """Return the first round that was marked so, else the last that was done."""
    done = [item for item in result.rounds if item.state is State.DONE]
    return next((item for item in done if item.mark in marks), done[-1])


def _number(item: Round, name: str) -> str:
    return span(item.numbers.get(name, 0.0))


def _faces(result: Result, mark: str) -> str:
    names = [setting_words(result.experiment_id, item.setting) for item in result.rounds if item.mark == mark]
    return "; ".join(names)


def _trust(result: Result) -> dict[str, str]:
    return {"how": f"refused all {len(result.rounds)} certificates that we showed it, whatever their kind"}


def _still(result: Result) -> dict[str, str]:
    last = result.rounds[-1].seen.removeprefix("It ").removesuffix(".")
    return {"how": f"{last} over wss://, although its clock had just been set"}


def _suite(result: Result) -> dict[str, str]:
    return {"case": "proved", "refused": _faces(result, "refused"), "taken": _faces(result, "taken")}


def _visited(_: Result) -> dict[str, str]:
    return {"case": "visited"}


def _expired(result: Result) -> dict[str, str]:
    if _faces(result, "taken"):
        return {"case": "proved"}
    return {"case": "tls", "how": _round(result, "refused").seen.removeprefix("It ").removesuffix(".")}


def _rhythm(result: Result) -> dict[str, str]:
    drops = [item for item in result.rounds if item.mark == "dropped"]
    longest = max((item.numbers.get("lasted", 0.0) for item in drops), default=0.0)
    count = sum(int(item.numbers.get("count", 1)) for item in drops)
    return {"count": str(count), "lasted": span(longest), "closed": "the line vanished"}


def _breaks(result: Result) -> dict[str, str]:
    item = _round(result, "dropped")
    return {"case": "breaks-on-pings", "pings": str(int(item.numbers.get("pings", 1)))}


def _drops(result: Result) -> dict[str, str]:
    drops = [item for item in result.rounds if item.mark == "dropped"]
    told = ", ".join(_number(item, "lasted") for item in drops)
    return {"case": "drops", "lasted": told}


def _loops(result: Result) -> dict[str, str]:
    if result.experiment_id == "answer-delay":
        return {"case": "too-fast"}
    item = _round(result, "looped", "dropped")
    return {"action": "a harmless question", "what": "it booted again" if item.mark == "looped" else "it hung up"}


def _crash(result: Result) -> dict[str, str]:
    action = "a harmless question"
    if result.experiment_id == "big-answer":
        action = f"the question for {_round(result, 'key').seen.split('“')[1].split('”')[0]}"
    return {"action": action, "after": "at once"}


def _size(result: Result) -> dict[str, str]:
    return {"action": "GetConfiguration", "what": _round(result, "failed").seen.removesuffix(".")}


def _waits(result: Result) -> dict[str, str]:
    item = _round(result, "obeyed")
    return {"status": item.setting, "interval": _number(item, "interval")}


def _hurries(result: Result) -> dict[str, str]:
    item = _round(result, "hurried")
    interval, since = _number(item, "interval"), f"{item.numbers.get('gap', 0.0):.1f} s"
    return {"case": "hurries", "status": item.setting, "interval": interval, "since": since}


def _longest(result: Result) -> str:
    return span(max(item.numbers.get("longest", 0.0) for item in result.rounds))


def _slow(result: Result) -> dict[str, str]:
    return {"case": "returned", "waited": _longest(result)}


def _soon(result: Result) -> dict[str, str]:
    return {"case": "redials", "waited": _longest(result)}


def _left(result: Result) -> dict[str, str]:
    item = _round(result, "left")
    return {
        "count": str(int(item.numbers.get("count", 1))),
        "lasted": _number(item, "lasted"),
        "away": _number(item, "away"),
    }


def _elsewhere(result: Result) -> dict[str, str]:
    return {"case": "elsewhere", "away": span(result.experiment.round_s)}


def _backend(result: Result) -> dict[str, str]:
    answer = result.rounds[0].seen.partition(": ")[2].removesuffix(".")
    compared = "A path nobody has got another answer, so the path is right." if result.sign == "identity" else ""
    case = {"case": "backend"} if result.sign == "path" else {"compared": compared}
    return {**case, "url": result.subject.url, "answer": answer}


_TOLD: Mapping[tuple[str, str], _Told] = {
    ("certificate-personality", "none"): _trust,
    ("certificate-personality", "cn"): lambda _: {"case": "proved"},
    ("certificate-personality", "suite"): _suite,
    ("certificate-personality", "expired"): _expired,
    ("certificate-personality", "chain"): lambda _: {"case": "chain"},
    ("plain-instead-of-tls", "works-then"): _visited,
    ("plain-instead-of-tls", "fails-still"): _still,
    ("plain-instead-of-tls", "never-plain"): lambda _: {"what": "it never came over ws:// when it was told to"},
    ("ping-rhythm", "needs-pings"): _rhythm,
    ("ping-rhythm", "breaks-on-pings"): _breaks,
    ("ping-rhythm", "any"): _drops,
    ("answer-delay", "too-fast"): _loops,
    ("early-command", "loops"): _loops,
    ("early-command", "drops"): _crash,
    ("nonsense-identity", "path"): _backend,
    ("nonsense-identity", "identity"): _backend,
    ("big-answer", "size"): _size,
    ("big-answer", "key"): _crash,
    ("waiting-room", "obeys"): _waits,
    ("waiting-room", "hurries"): _hurries,
    ("redial-rhythm", "slow"): _slow,
    ("redial-rhythm", "soon"): _soon,
    ("redial-rhythm", "elsewhere"): _elsewhere,
    ("hold", "leaves"): _left,
    ("hold", "regular"): _rhythm,
    ("hold", "irregular"): _drops,
}

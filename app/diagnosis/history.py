"""Findings that need the past of an identity: twins, rhythms, visits elsewhere, values that did not stay. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.diagnosis import decode
from app.diagnosis.applied import not_applied
from app.diagnosis.commands import written
from app.diagnosis.naming import found, span
from app.diagnosis.settings import short
from app.diagnosis.spoken import early
from app.diagnosis.thresholds import Thresholds
from app.model.experiment import HOLD, PING_RHYTHM, REDIAL_RHYTHM
from app.model.finding import Finding, Severity
from app.model.frame import Handshake
from app.model.observation import Answered, BootSeen, Ended, Replaced, Returned, SettingsSeen
from app.model.secret import MASK

VANISHED = frozenset({1006, 1011})
"""Ends without a goodbye (connection-failures 11)."""
POLITE = frozenset({1000, 1001, 1005})
KEPT_ENDS = 6
KEPT_WRITES = 50
ACTIVE_S = 30.0
"""A connection that spoke so recently is alive [OURS]."""
_FOLDED = str.maketrans({"o": "0", "i": "1", "l": "1", "_": "-", " ": "-", ".": "-"})


@dataclass(slots=True)
class History:
    """What is kept of one identity; everything in it is bounded."""

    hosts: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    serial: str = ""
    ends: deque[Ended] = field(default_factory=lambda: deque(maxlen=KEPT_ENDS))
    visits: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT_ENDS))
    """How long it stayed and how long it was away, of polite leaves."""
    early_drops: int = 0
    wishes: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """What it accepted to set, by key."""
    profile: int | None = None
    is_root_checked: bool = False


def twin_address(history: History, shake: Handshake) -> Iterator[Finding]:
    """See one identity come from two addresses in turn."""
    host = shake.remote.rpartition(":")[0]
    hosts = history.hosts
    if not hosts or hosts[-1] != host:
        hosts.append(host)
    # One change of address is a new DHCP lease; there and back again is two units.
    if len(hosts) == 3 and hosts[0] == hosts[2]:
        yield _twin(shake.identity, "addresses", hosts[1], host)


def twin_serial(history: History, seen: BootSeen) -> Iterator[Finding]:
    """See one identity with two serial numbers."""
    serial = seen.boot.serial
    if serial and history.serial and serial != history.serial:
        yield _twin(seen.handshake.identity, "serial numbers", history.serial, serial)
    history.serial = serial or history.serial


def _twin(identity: str, what: str, one: str, other: str) -> Finding:
    proof = (what, f"{one} and {other}")
    return found("ID-TWIN", Severity.FAULT, proof, identity=identity, what=what, one=one, other=other)


def folded(identity: str) -> str:
    """Fold an identity so that those a person mixes up are equal (failures 26)."""
    return identity.lower().translate(_FOLDED)


def look_alike(identity: str, other: str, shake: Handshake) -> Finding:
    """Name two identities that are easily mixed up."""
    return found(
        "ID-SPELLING",
        Severity.WARNING,
        ("identities", f"“{identity}” and “{other}”"),
        ("request line", shake.request_line),
        at=shake.at,
        case="look-alike",
        identity=identity,
        other=other,
        path=shake.path,
    )


def at_end(history: History, seen: Ended, limits: Thresholds) -> Iterator[Finding]:
    """Judge the end of a connection together with those before it."""
    history.ends.append(seen)
    yield from _early(history, seen)
    yield from _no_pong(seen)
    yield from _rhythm(history, limits)


def _early(history: History, seen: Ended) -> Iterator[Finding]:
    is_early = bool(seen.last_sent) and not seen.has_booted and not seen.is_answered and not seen.is_by_us
    history.early_drops = history.early_drops + 1 if is_early else 0
    if history.early_drops >= 2:
        what = f"it hung up {history.early_drops} times in a row without booting"
        yield early(decode.close(seen.code), what, span(seen.lasted_s), seen.last_sent)


def _no_pong(seen: Ended) -> Iterator[Finding]:
    """See pings without any pong from a unit that spoke meanwhile: a cut cable would have silenced it altogether."""
    if seen.pings >= 2 and seen.pongs == 0 and seen.silent_s < seen.lasted_s / 2:
        yield found(
            "PING-MISMATCH",
            Severity.WARNING,
            ("pings", f"{seen.pings} sent, none answered in {span(seen.lasted_s)}"),
            ("end", decode.close(seen.code)),
            at=seen.at,
            case="no-pong",
            pings=str(seen.pings),
            lasted=span(seen.lasted_s),
        )


def _rhythm(history: History, limits: Thresholds) -> Iterator[Finding]:
    wanted = int(limits.drops_alike)
    ends = list(history.ends)[-wanted:]
    if len(ends) < wanted or not all(end.code in VANISHED for end in ends):
        return
    if any(end.last_sent and not end.is_answered and not end.is_by_us for end in ends):
        return
    times = [end.lasted_s for end in ends]
    mean = sum(times) / wanted
    if not limits.drops_shortest_s <= mean <= limits.drops_longest_s:
        return
    proofs = [(f"connection {end.connection}", f"{end.lasted_s:.0f} s, {decode.close(end.code)}") for end in ends]
    lasted = span(mean)
    if max(abs(time - mean) for time in times) <= limits.drops_spread * mean:
        yield found(
            "PING-MISMATCH",
            Severity.WARNING,
            *proofs,
            at=ends[-1].at,
            experiment=PING_RHYTHM,
            alike=("WIFI", "OLD-PROFILE"),
            count=str(wanted),
            lasted=lasted,
            closed=decode.close(ends[-1].code),
        )
    else:
        told = ", ".join(span(time) for time in times)
        yield found(
            "WIFI",
            Severity.WARNING,
            *proofs,
            at=ends[-1].at,
            case="drops",
            experiment=PING_RHYTHM,
            alike=("PING-MISMATCH", "SIM-APN"),
            lasted=told,
        )


def at_return(history: History, seen: Returned, limits: Thresholds) -> Iterator[Finding]:
    """Judge how long a unit was away."""
    if seen.gone_s >= limits.return_slow_s and not (seen.is_after_reset or seen.is_by_us):
        yield _slow(seen, limits)
    last = history.ends[-1] if history.ends else None
    is_visit = (
        last is not None
        and not (seen.is_by_us or last.is_by_us or seen.is_after_reset)
        and last.code in POLITE
        and last.lasted_s <= limits.visits_longest_s
        and limits.visits_away_s <= seen.gone_s
    )
    if not is_visit or last is None:
        history.visits.clear()
        return
    history.visits.append((last.lasted_s, seen.gone_s))
    if len(history.visits) >= int(limits.visits_alike):
        yield _elsewhere(history, last)


def _slow(seen: Returned, limits: Thresholds) -> Finding:
    return found(
        "SLOW-RETURN",
        Severity.INFO,
        ("gone for", span(seen.gone_s)),
        case="returned",
        waited=span(seen.gone_s),
        usual="a minute",
        patience=span(limits.return_patience_s),
        identity=seen.identity,
    )


def _elsewhere(history: History, last: Ended) -> Finding:
    proofs = [("visit", f"stayed {span(stay)}, away {span(away)}") for stay, away in history.visits]
    stay, away = history.visits[-1]
    return found(
        "OLD-PROFILE",
        Severity.WARNING,
        ("goodbye", decode.close(last.code)),
        *proofs,
        at=last.at,
        experiment=HOLD,
        alike=("WIFI", "SLOW-RETURN"),
        count=str(len(history.visits)),
        lasted=span(stay),
        away=span(away),
    )


def at_replacement(history: History, seen: Replaced) -> Iterator[Finding]:
    """Judge a connection that came while an older one was open."""
    one, other = seen.older_remote.rpartition(":")[0], seen.remote.rpartition(":")[0]
    if one != other and seen.silent_s < ACTIVE_S and history.hosts.count(one) + history.hosts.count(other) >= 3:
        return  # twin_address tells it
    yield found(
        "ZOMBIE-SESSION",
        Severity.INFO,
        ("older connection", f"from {seen.older_remote}, silent for {span(seen.silent_s)}"),
        ("newer connection", f"from {seen.remote}"),
        experiment=REDIAL_RHYTHM,
        alike=("ID-TWIN",) if one != other else (),
        identity=seen.identity,
        older=seen.older_remote,
        silent=span(seen.silent_s),
    )


def remember_writes(history: History, seen: Answered) -> None:
    """Keep what a unit accepted to set, to compare it with what it shows later."""
    for key, value, status in written(seen):
        if status == "Accepted" and key and MASK not in value:
            history.wishes.pop(key, None)
            history.wishes[key] = value
            if len(history.wishes) > KEPT_WRITES:
                history.wishes.popitem(last=False)
        else:
            history.wishes.pop(key, None)


def forget_interval(history: History) -> None:
    """Give up the heartbeat interval that was set: the answer to a Boot sets another (charge-points-in-practice)."""
    for key in [key for key in history.wishes if short(key) == "heartbeatinterval"]:
        del history.wishes[key]


def kept(history: History, seen: SettingsSeen) -> Iterator[Finding]:
    """Compare a reading with what was accepted before; each wish is judged once."""
    for key in [key for key in history.wishes if key in seen.settings]:
        wanted, shown = history.wishes.pop(key), seen.settings[key]
        if MASK in shown or _same(wanted, shown) or short(key) == "authorizationkey":
            continue
        finding = not_applied(key, wanted, shown, when="when it was read again")
        if finding is not None:
            yield finding


def _same(one: str, other: str) -> bool:
    def plain(text: str) -> str:
        return "".join(text.split()).lower().removesuffix(".0")

    return plain(one) == plain(other)

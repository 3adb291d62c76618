"""From what is known of a charger to a verdict. Pure: every reason names a fact of its profile or what it told itself.

The order of the questions is the order of what a technician can do about them: is it known at all, can anybody repoint
it, is it in reach and open, is its firmware fit, can it hold what the new backend wants, and only then: now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from app.diagnosis.ways import Way
from app.model.backend import SecurityProfile
from app.model.firmware import meets
from app.model.profile import Approach, FirmwareRule, Grade, OneWayDoor, Profile, Verdict
from app.model.triage import Answering, Case, FirmwareCheck, Ground, Hand, Judgement, Option

SEEN = "seen on this charger"
ASKED = "asked from this computer"
OURS = "Rehome's own judgement"

HEADLINES: Mapping[Verdict, str] = {
    Verdict.NOW: "Repoint now",
    Verdict.AFTER: "Repoint after something else",
    Verdict.BRIDGE: "Bridge",
    Verdict.SIM: "New SIM",
    Verdict.BOARD: "Board swap",
    Verdict.NOT_HERE: "Cannot be saved here",
    Verdict.UNKNOWN: "Not known",
}
"""Verdicts in a technician's words."""

SET_BACKEND = "SetsBackend"

UNTOUCHED = (Approach.NONE, Approach.DIAGNOSE, Approach.BRIDGE)
"""Ways to deal with a family that change nothing in it."""

WORK_MIN = 10
"""Minutes of work besides restarts and redials [OURS]."""

LOST = (Verdict.NOT_HERE, Verdict.UNKNOWN)
"""Verdicts nobody can act on: they take no time."""


def judge(case: Case, profile: Profile | None, ways: Mapping[str, Way], now: datetime) -> Judgement:
    """Judge one charger."""
    if profile is None or _is_anybody(profile):
        found = _stranger(case, profile)
    else:
        found = _member(case, profile, ways)
    return replace(
        found,
        grounds=(*found.grounds, *case.told, *(() if _is_done(case) else _answering(case))),
        present=case.present,
        answering=case.answering,
        judged_at=now,
        links=_links(case),
        is_done=_is_done(case),
        wanted=case.wanted.without_secret() if case.wanted else None,
        is_asked=case.is_asked,
    )


def _member(case: Case, profile: Profile, ways: Mapping[str, Way]) -> Judgement:
    """Judge a charger whose family is known."""
    checks = tuple(_checked(rule, case.unit.identity.firmware) for rule in profile.firmware)
    verdict, hand, grounds, first = _verdict(case, profile, checks)
    outlook = profile.outlook
    needs = list(outlook.needs) if outlook else []
    if profile.guide is not None:
        needs.insert(0, profile.guide.tool)
    return Judgement(
        unit=case.unit,
        family=profile.family,
        verdict=verdict,
        headline=HEADLINES[verdict],
        hand=hand,
        grounds=grounds,
        first=first,
        needs=tuple(dict.fromkeys([*needs, *_trust_needs(case, profile)])),
        **_time(profile, verdict),
        doors=_doors(profile, case),
        firmware=checks,
        options=tuple(_options(case, profile, ways)),
        unknowns=tuple(_unknowns(case, profile, checks)),
    )


class _Time(TypedDict, total=False):
    minutes: int
    visits: int
    is_time_assumed: bool


def _time(profile: Profile, verdict: Verdict) -> _Time:
    """Return what it takes: the profile's figures, else two restarts, each with a redial, and the work around them."""
    if verdict in LOST:
        return {}
    if profile.outlook is not None:
        return {"minutes": profile.outlook.minutes, "visits": profile.outlook.visits}
    waits_s = 2 * (profile.timing.restart_s + profile.timing.redial_s)
    return {"minutes": WORK_MIN + math.ceil(waits_s / 60), "visits": 1, "is_time_assumed": True}


def _trust_needs(case: Case, profile: Profile) -> Iterator[str]:
    if case.wanted is None or not case.wanted.is_tls or profile.url is None:
        return
    needs = {
        "upload": "The root certificate of the new backend, as a file (PEM)",
        "public": "A certificate of a public authority at the new backend",
    }
    if text := needs.get(profile.url.trust):
        yield text


def _is_done(case: Case) -> bool:
    return case.wanted is not None and case.present is not None and case.present.same_target(case.wanted)


def _is_anybody(profile: Profile) -> bool:
    """Say whether a profile fits every charger that speaks OCPP: it tells nothing of the family."""
    return profile.id == "ocpp-generic"


def _stranger(case: Case, profile: Profile | None) -> Judgement:
    """Judge a charger of no known family: what it proved on our endpoint is all there is."""
    offers = case.offers or frozenset()
    first: tuple[str, ...] = ()
    if SET_BACKEND in offers:
        ground = _seen("It holds its backend address in a setting that Rehome can write over OCPP.")
        verdict, hand = Verdict.NOW, Hand.REHOME
        if case.is_charging:
            verdict, first = Verdict.AFTER, (CHARGING,)
    elif case.is_dialled_in:
        ground = _seen("It speaks OCPP with us, but shows no setting that holds a backend address.")
        verdict, hand, first = Verdict.AFTER, Hand.PERSON, ("Find out how its vendor sets the backend address.",)
    else:
        ground = _seen("Nothing that was seen of it fits a family Rehome knows.")
        verdict, hand = Verdict.UNKNOWN, Hand.NOBODY
    return Judgement(
        unit=case.unit,
        family=profile.family if profile else "",
        verdict=verdict,
        headline=HEADLINES[verdict],
        hand=hand,
        grounds=(ground,),
        first=first,
        doors=_doors(profile, case) if profile else (),
        unknowns=("The family: its firmware limits, habits and one-way doors.", *_unasked(case)),
    )


RUNNING = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
"""States with a session (OCPP 1.6 §4.9)."""

CHARGING = "End the running session and unplug the car."

Answer = tuple[Verdict, Hand, tuple[Ground, ...], tuple[str, ...]]


def _verdict(case: Case, profile: Profile, checks: Iterable[FirmwareCheck]) -> Answer:
    if "SIM-APN" in case.codes:
        return Verdict.SIM, Hand.PERSON, (_seen("Its modem has no working SIM card or access point name."),), ()
    if profile.approach in UNTOUCHED:
        return _hopeless(profile)
    if (barrier := _bridge(case, profile)) is not None:
        return Verdict.BRIDGE, Hand.PERSON, (barrier,), ()
    outlook = profile.outlook
    if outlook is not None and outlook.verdict not in (Verdict.NOW, Verdict.AFTER, Verdict.UNKNOWN):
        return outlook.verdict, _hand_of(outlook.verdict), (Ground.of(outlook.reason, outlook.evidence),), ()
    before = list(_before(case, profile, checks))
    grounds = [ground for ground, _ in before]
    grounds += [Ground.of(outlook.reason, outlook.evidence)] if outlook else [_founded(profile)]
    first = tuple(text for _, text in before)
    if outlook is not None and outlook.verdict is Verdict.AFTER:
        first = (*first, *(f"Have ready: {need}" for need in outlook.needs))
    after = bool(before) or (outlook is not None and outlook.verdict is Verdict.AFTER)
    return (Verdict.AFTER if after else Verdict.NOW), _hand(profile), tuple(grounds), first


def _hopeless(profile: Profile) -> Answer:
    outlook = profile.outlook
    if outlook is None:
        ground = Ground(text="No way to change its backend is known.", grade=profile.grade, source=OURS)
        return Verdict.UNKNOWN, Hand.NOBODY, (ground,), ()
    return outlook.verdict, _hand_of(outlook.verdict), (Ground.of(outlook.reason, outlook.evidence),), ()


def _hand_of(verdict: Verdict) -> Hand:
    return Hand.NOBODY if verdict in LOST else Hand.PERSON


def _hand(profile: Profile) -> Hand:
    return Hand.REHOME if profile.approach in (Approach.DIRECT, Approach.OCPP) else Hand.PERSON


def _founded(profile: Profile) -> Ground:
    best = min(profile.evidence, key=lambda item: list(Grade).index(item.grade))
    texts = {
        Approach.DIRECT: "Rehome can write its backend address over its own interface.",
        Approach.OCPP: "Rehome can write its backend address over OCPP.",
        Approach.GUIDED: "A person can type the new backend address.",
    }
    return Ground(text=texts[profile.approach], grade=profile.grade, source=best.source)


def _before(case: Case, profile: Profile, checks: Iterable[FirmwareCheck]) -> Iterator[tuple[Ground, str]]:
    """Yield what stands in the way for now, each with what to do about it, in the order of doing."""
    if profile.approach is Approach.DIRECT and not case.unit.is_present:
        yield _seen("It is not in reach at the moment."), "Bring it in reach: power, network or cable."
    if profile.approach is Approach.OCPP and not case.is_dialled_in:
        text = "Let it dial Rehome's endpoint once: by its own menu, or by the name of its old backend (DNS)."
        yield Ground(text="It can be written to only while it is on our endpoint.", grade=profile.grade), text
    if case.is_locked:
        yield _seen("It asks for a login."), "Get the login of the charger itself and enter it."
    for check in checks:
        if check.is_met is False:
            yield check.ground, f"Update its firmware. {check.update}".strip()
    if case.is_charging:
        yield _seen("A charging session is running."), CHARGING
    yield from _too_high(case)
    yield from _too_long(case, profile)


def _too_high(case: Case) -> Iterator[tuple[Ground, str]]:
    present, wanted = case.present, case.wanted
    if present is None or wanted is None or present.security_profile <= wanted.security_profile:
        return
    text = (
        f"It is on security profile {present.security_profile.value}; the new backend wants "
        f"{wanted.security_profile.value}, and over OCPP the profile goes only upwards."
    )
    source = "OCA white paper Improved security for OCPP 1.6-J, A00.FR.005"
    yield (
        Ground(text=text, grade=Grade.SOURCE, source=source),
        "Choose a security profile at least as high, or lower it at the charger itself.",
    )


def _too_long(case: Case, profile: Profile) -> Iterator[tuple[Ground, str]]:
    wanted, habit = case.wanted, profile.url
    if wanted is None or habit is None:
        return
    limit = habit.secret_limit_bytes
    if limit is not None and len(wanted.secret.reveal().encode()) > limit:
        yield (
            Ground(text=f"It keeps passwords of at most {limit} bytes.", grade=profile.grade),
            "Agree a shorter password with the backend's operator.",
        )
    if habit.limit is not None and len(wanted.url) > habit.limit:
        yield (
            Ground(text=f"It keeps addresses of at most {habit.limit} characters.", grade=profile.grade),
            "Ask the backend's operator for a shorter address.",
        )


def _bridge(case: Case, profile: Profile) -> Ground | None:
    wanted, habit = case.wanted, profile.url
    if wanted is None or habit is None:
        return None
    scheme = wanted.url.partition(":")[0].lower()
    if scheme in ("ws", "wss") and scheme not in habit.schemes:
        able = " and ".join(f"{item}://" for item in habit.schemes)
        return Ground(text=f"It dials {able} only; the new backend is {scheme}://.", grade=profile.grade)
    if scheme == "wss" and habit.trust == "fixed":
        text = "Over TLS it trusts only its maker's own certificates, and the new backend is wss://."
        return Ground(text=text, grade=profile.grade)
    if wanted.security_profile is SecurityProfile.TLS_CLIENT and habit.schemes == ("ws",):
        return Ground(text="It can't show a certificate of its own.", grade=profile.grade)
    return None


def _checked(rule: FirmwareRule, version: str) -> FirmwareCheck:
    limits = []
    if rule.minimum:
        limits.append(f"from {rule.minimum} on")
    if rule.maximum:
        limits.append(f"up to {rule.maximum}")
    text = f"Firmware {' and '.join(limits)}: {rule.needs.rstrip('.')}."
    is_met = meets(rule, version)
    told = "Its version is not known." if is_met is None else f"It has {version}."
    ground = Ground.of(f"{text} {told}", rule.evidence)
    return FirmwareCheck(text=text, is_met=is_met, update=rule.update, ground=ground)


def _answering(case: Case) -> Iterator[Ground]:
    """Yield what the old backend's silence or answer means."""
    texts = {
        Answering.YES: "Its present backend still answers: ask its operator to move the charger over that "
        "connection, and get the owner's order before taking it away.",
        Answering.REFUSES: "Something answers at its present backend's address, but takes no charger.",
        Answering.NO: "Its present backend answers no more.",
    }
    if text := texts.get(case.answering):
        yield Ground(text=text, grade=Grade.PROVED, source=ASKED, is_seen=True)


def _doors(profile: Profile, case: Case) -> tuple[OneWayDoor, ...]:
    """Return the one-way doors that the move would pass, as far as that can be told."""
    wanted = case.wanted
    raises = wanted is None or wanted.security_profile > (
        case.present.security_profile if case.present else SecurityProfile.NONE
    )
    return tuple(door for door in profile.one_way_doors if raises or door.id != "security-profile-up")


ASK_OLD = "ask-old-backend"
"""The way (resources/rescue/ways.toml) that needs the old backend alive."""


def _options(case: Case, profile: Profile, ways: Mapping[str, Way]) -> Iterator[Option]:
    for item in profile.tries:
        way = ways.get(item.way)
        is_over = way is not None and way.id == ASK_OLD and case.answering is Answering.NO
        if way is not None and not is_over:
            yield Option(
                way=way.id,
                title=way.title,
                works_when=way.works_when,
                fails_when=way.fails_when,
                risk=way.risk,
                ground=Ground.of(way.title, item.evidence),
                note=item.note,
            )


def _unknowns(case: Case, profile: Profile, checks: Iterable[FirmwareCheck]) -> Iterator[str]:
    if not case.unit.identity.firmware:
        yield "Its firmware version."
    elif any(check.is_met is None for check in checks):
        yield "Whether its firmware is new enough: its version can't be compared."
    if case.present is None or not case.present.url:
        yield "Which backend it dials now."
    elif case.answering in (Answering.UNASKED, Answering.CANT_TELL):
        yield "Whether its present backend still answers."
    if case.wanted is not None and case.wanted.is_tls and profile.url is not None and not profile.url.trust:
        yield "Which certificates it trusts."
    if case.wanted is None:
        yield "The new backend: choose one to check lengths, TLS and security profile."
    if profile.approach is Approach.DIRECT:
        yield from _unasked(case)


def _unasked(case: Case) -> Iterator[str]:
    if case.offers is None and case.unit.is_present and not case.is_locked:
        yield f"What this very charger offers: it was not opened. {case.trouble}".strip()


def _links(case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(way.source.value for way in case.unit.ways if way.is_present))


def _seen(text: str) -> Ground:
    return Ground(text=text, grade=Grade.PROVED, source=SEEN, is_seen=True)


def summary(judgements: Iterable[Judgement]) -> Mapping[Verdict, int]:
    """Count the verdicts of a site, in the order of hope."""
    counts = dict.fromkeys(Verdict, 0)
    for item in judgements:
        counts[item.verdict] += 1
    return counts

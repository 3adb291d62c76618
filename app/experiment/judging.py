"""What follows from the rounds of an experiment: the sign of an outcome, or why nothing follows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.experiment import backends, doors, lines, pieces, talks
from app.experiment.values import Round, State, Verdict

Rounds = Sequence[Round]

REGULAR = 0.2
"""Durations that differ by no more than this part of the longest are the same [OURS]."""
SOON_S = 60.0
"""Who returns within that time redials well."""
PING_S = 15.0
"""A line that ends so soon after a ping ended because of it [OURS]."""
AWAY = (
    "It did not dial, so nothing could be seen. Check the address in it, its network, and how long it takes to redial."
)


def judged(experiment_id: str, rounds: Rounds) -> Verdict:
    """Say what follows."""
    return _JUDGES[experiment_id]([item for item in rounds if item.state is State.DONE])


def _certificates(rounds: Rounds) -> Verdict:
    marks = {item.setting: item.mark for item in rounds}
    taken = {setting for setting, mark in marks.items() if mark == doors.TAKEN}
    refused = {setting for setting, mark in marks.items() if mark == doors.REFUSED}
    if doors.PLAIN in marks.values():
        return Verdict("", "It dials ws://: it looks at no certificate. Set wss:// in its address first.")
    if not taken and not refused:
        return Verdict("", AWAY)
    if any(item.numbers.get("alert") == doors.EXPIRED_ALERT for item in rounds) or _only("timeless", taken, refused):
        return Verdict("expired")
    if not taken:
        is_thorough = {"rsa", "cn"} <= refused
        return Verdict("none") if is_thorough else Verdict("", "It dialled too seldom to compare certificates.")
    if _only("cn", taken, refused) or ("san" in refused and taken & {"rsa", "ec", "tls12", "cn"}):
        return Verdict("cn")
    if refused & {"rsa", "ec", "tls12"} and taken & {"rsa", "ec", "tls12"}:
        return Verdict("suite")
    refused -= {"cn"}  # one that reads the alternative names alone is right
    if refused == {"short"}:
        return Verdict("chain")
    if not refused and doors.NOTHING not in marks.values():
        return Verdict("all")
    return Verdict("", "It took some and refused others without a pattern. Run it again.")


def _only(face: str, taken: set[str], refused: set[str]) -> bool:
    """Say whether a certificate was taken that is like the ordinary one in all but one thing."""
    others = {"rsa", "ec", "tls12", "san", "cn", "timeless"} - {face}
    return face in taken and "rsa" in refused and not taken & others


def _plain(rounds: Rounds) -> Verdict:
    marks = [item.mark for item in rounds]
    if marks == [doors.NOTHING]:
        return Verdict("never-plain")
    if marks == [doors.PLAIN, doors.TAKEN]:
        return Verdict("works-then")
    if marks == [doors.PLAIN, doors.REFUSED]:
        return Verdict("fails-still")
    return Verdict("", "After its visit over ws:// it did not try wss:// again.")


def _pings(rounds: Rounds) -> Verdict:
    held = {item.setting for item in rounds if item.mark == lines.HELD}
    dropped = [item for item in rounds if item.mark == lines.DROPPED]
    if len(held) + len(dropped) < len(rounds) or len(rounds) < 2:
        return Verdict("", AWAY)
    if not dropped:
        return Verdict("none")
    if not held:
        if _spread([item.numbers["lasted"] for item in dropped]) > REGULAR:
            return Verdict("any")
        return Verdict("", "It ends after the same time in every rhythm: something counts from the start, not silence.")
    if "0" in held:
        if all(_is_after_ping(item) for item in dropped):
            return Verdict("breaks-on-pings")
        return Verdict("", "It dropped in some rhythms, not after a ping, and held without: run it again.")
    if rounds[-1].setting in held:
        return Verdict("needs-pings")
    return Verdict("", "It held in some rhythms and dropped in others without a pattern: run it again.")


def _is_after_ping(item: Round) -> bool:
    """Say whether a line ended right after a ping; ours go out up to a tenth of their rhythm late."""
    pings = item.numbers["pings"]
    return pings > 0 and item.numbers["since_ping"] <= PING_S + pings * float(item.setting) / 10


def _spread(times: Sequence[float]) -> float:
    return (max(times) - min(times)) / max(*times, 0.001)


def _delay(rounds: Rounds) -> Verdict:
    bad = [item.mark in (talks.REPEATED, talks.DROPPED) for item in rounds]
    if any(item.mark == talks.NOTHING for item in rounds) and not any(bad):
        return Verdict("", "It did not dial, or said nothing that wants an answer, in some of the rounds.")
    if not any(bad):
        return Verdict("patient")
    if all(bad):
        return Verdict("", "It goes wrong with every delay: the delay is not the cause.")
    if bad[0]:
        return Verdict("too-fast")
    return Verdict("limit")


def _early(rounds: Rounds) -> Verdict:
    marks = [item.mark for item in rounds]
    bad = [mark in (talks.DROPPED, talks.LOOPED) for mark in marks]
    if not any(bad):
        if marks and all(mark == talks.ANSWERED for mark in marks):
            return Verdict("answers")
        why = "It left some of the commands unanswered, and went on." if talks.SILENT in marks else AWAY
        return Verdict("", why)
    heard = [is_bad for is_bad, mark in zip(bad, marks, strict=True) if mark != talks.NOTHING]
    if all(heard):
        is_looping = talks.LOOPED in marks or len(heard) < 2
        return Verdict("", "It went wrong, and then did not come back.") if is_looping else Verdict("drops")
    return Verdict("loops") if bad[0] else Verdict("", "It went wrong now and then, without a pattern: run it again.")


def _room(rounds: Rounds) -> Verdict:
    marks = [item.mark for item in rounds]
    if not marks or marks[0] == talks.NOTHING:
        return Verdict("", "It sent no Boot, although it was asked for one.")
    if talks.GAVE_UP in marks:
        return Verdict("gives-up")
    return Verdict("hurries") if talks.HURRIED in marks else Verdict("obeys")


def _redial(rounds: Rounds) -> Verdict:
    if not rounds:
        return Verdict("", AWAY)
    if any(item.mark == lines.AWAY for item in rounds):
        return Verdict("elsewhere")
    longest = max(item.numbers["longest"] for item in rounds)
    return Verdict("soon" if longest <= SOON_S else "slow")


def _hold(rounds: Rounds) -> Verdict:
    if not rounds or rounds[0].mark == lines.NOTHING:
        return Verdict("", AWAY)
    item = rounds[0]
    if item.mark == lines.LEFT:
        return Verdict("leaves")
    if item.mark == lines.HELD:
        return Verdict("stays")
    if item.numbers["count"] < 2:
        return Verdict("", "It vanished once: that is too little to tell a rhythm from chance. Run it again.")
    return Verdict("regular" if item.numbers["spread"] <= REGULAR else "irregular")


def _pieces(rounds: Rounds) -> Verdict:
    marks = [item.mark for item in rounds]
    if pieces.KEY in marks:
        return Verdict("key")
    if pieces.FAILED in marks:
        return Verdict("size")
    if pieces.NOTHING in marks or len(marks) < 2:
        return Verdict("", rounds[-1].seen if rounds else AWAY)
    return Verdict("fine")


def _nonsense(rounds: Rounds) -> Verdict:
    marks = [item.mark for item in rounds]
    if backends.SAME in marks:
        return Verdict("path")
    if backends.OTHER in marks:
        return Verdict("identity")
    return Verdict("", rounds[-1].seen if rounds else "The backend did not answer.")


_JUDGES: Mapping[str, Callable[[Rounds], Verdict]] = {
    "certificate-personality": _certificates,
    "plain-instead-of-tls": _plain,
    "ping-rhythm": _pings,
    "answer-delay": _delay,
    "early-command": _early,
    "nonsense-identity": _nonsense,
    "big-answer": _pieces,
    "waiting-room": _room,
    "redial-rhythm": _redial,
    "hold": _hold,
}

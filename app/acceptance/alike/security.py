"""How the connection was secured, against the security profile a unit claims; security events after a restart."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Message, Take, seq_of
from app.model.acceptance import Check, must, should

HANDSHAKE = "handshake"


def mark_handshake(stage: Stage) -> None:
    """Note for the judge how the unit dialled."""
    handshake = stage.facts.handshake
    tls = handshake.tls
    words = f"{tls.version} {tls.suite}" if tls else "no TLS"
    stage.mark(
        HANDSHAKE,
        f"{words}, {'with' if handshake.has_password else 'without'} password",
        tls=tls is not None,
        password=handshake.has_password,
        certificate=tls is not None and tls.peer is not None,
    )


def judge_profile(take: Take, read: Exchange, claimed: str, clause: str) -> Iterator[Check]:
    """Compare the profile that was read with the handshake."""
    marks = take.marked(HANDSHAKE)
    is_told = len(claimed) == 1 and claimed in "0123456789"
    yield must("SecurityProfile is told", is_told, f"“{claimed}”", *read.seqs)
    if not marks or not is_told:
        return
    shown = marks[0].facts
    is_tls, has_login = shown.get("tls") == "True", shown.get("password") == "True"
    has_papers = shown.get("certificate") == "True"
    is_true = {
        "0": not is_tls,
        "1": not is_tls and has_login,
        "2": is_tls and has_login,
        "3": is_tls and has_papers,
    }.get(claimed, False)
    yield must(f"and the connection is as profile {claimed} says ({clause})", is_true, marks[0].text, *read.seqs)
    # Below them passwords and sessions travel in the clear.
    yield should("It is 2 or 3", claimed in ("2", "3"), f"profile {claimed}", *read.seqs)


def judge_events(events: tuple[Message, ...], clause: str) -> Iterator[Check]:
    """Look for a security event after a restart."""
    names = ", ".join(dict.fromkeys(event.text("type") for event in events))
    yield must(f"SecurityEventNotification comes after a restart ({clause})", bool(events), names, *map(seq_of, events))
    if events:
        is_named = bool({event.text("type") for event in events} & {"StartupOfTheDevice", "ResetOrReboot"})
        yield should("and names it StartupOfTheDevice or ResetOrReboot", is_named, names, *map(seq_of, events))

"""Experiments that tell causes apart which look alike on the wire. Values only; ``app/experiment`` runs them.

A finding names one by ``Finding.details["experiment"]``, and the codes it might also be by ``details["alike"]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Ground(Enum):
    """Where an experiment takes place."""

    ENDPOINT = "endpoint"
    """The unit dials us, and we treat it in another way (``app.ocpp.manner``)."""
    LISTENER = "listener"
    """Our port shows itself in another way (``app.model.listening``): other units notice it too."""
    BACKEND = "backend"
    """We dial the new backend in the charger's stead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One way an experiment may end. ``sign`` is its id, ``seen`` what was observed, ``means`` what follows from it."""

    sign: str
    seen: str
    means: str
    code: str = ""
    """The finding it proves; empty = none, the unit is innocent of all of ``Experiment.separates``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question to a unit, in the technician's words.

    ``rounds`` are the settings tried one after the other: personalities of ``app.model.listening``, seconds, statuses.
    """

    experiment_id: str
    title: str
    does: str
    separates: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    ground: Ground = Ground.ENDPOINT
    rounds: tuple[str, ...] = ()
    round_s: float = 60.0
    """How long one round waits for its sign before it counts as “nothing happened”, seconds."""
    risk: str = ""
    """What the unit may do meanwhile; empty = nothing a driver would notice."""

    @property
    def longest_s(self) -> float:
        """Return how long it takes at most, seconds."""
        return self.round_s * max(1, len(self.rounds))

    def outcome(self, sign: str) -> Outcome:
        """Return the outcome with this sign; raises KeyError for one it does not know."""
        return {outcome.sign: outcome for outcome in self.outcomes}[sign]


CERTIFICATE_PERSONALITY = Experiment(
    experiment_id="certificate-personality",
    title="Show it other certificates",
    does="The endpoint shows one certificate after another and lets the charger dial again each time: another key, "
    "the name in the common name alone or not there at all, an older TLS version, one valid since 1970, a shorter "
    "chain.",
    separates=("TLS-TRUST", "TLS-NAME", "TLS-SUITE", "CLOCK"),
    ground=Ground.LISTENER,
    rounds=("rsa", "ec", "tls12", "cn", "san", "timeless", "short"),
    round_s=90.0,
    risk="Other chargers that dial in meanwhile meet the same certificate.",
    outcomes=(
        Outcome(sign="none", seen="It refuses every one.", means="It does not trust our authority.", code="TLS-TRUST"),
        Outcome(
            sign="cn",
            seen="It takes only those that carry the name in their common name.",
            means="It compares the common name only and does not read alternative names.",
            code="TLS-NAME",
        ),
        Outcome(
            sign="suite",
            seen="It takes one kind of key or one TLS version only.",
            means="Both sides have no other cipher or version in common.",
            code="TLS-SUITE",
        ),
        Outcome(
            sign="expired",
            seen="It takes the one that is valid since 1970 only, or says that the others have expired.",
            means="Its clock is wrong.",
            code="CLOCK",
        ),
        Outcome(
            sign="chain",
            seen="It takes every one but the one without the intermediate certificate.",
            means="The charger's TLS works; its backend must send the whole chain.",
            code="TLS-TRUST",
        ),
        Outcome(sign="all", seen="It takes every one.", means="The charger's TLS works; look at the backend's."),
    ),
)

PLAIN_INSTEAD_OF_TLS = Experiment(
    experiment_id="plain-instead-of-tls",
    title="Let it come without TLS",
    does="You set the charger to ws:// for once. Our answer to its Boot sets its clock. Then you set wss:// again.",
    separates=("CLOCK", "TLS-TRUST", "PROFILE-RATCHET"),
    rounds=("ws", "wss"),
    round_s=600.0,
    risk="Its messages travel in the clear meanwhile.",
    outcomes=(
        Outcome(
            sign="works-then",
            seen="After the visit over ws:// it comes over wss://.",
            means="Only its clock was wrong.",
            code="CLOCK",
        ),
        Outcome(
            sign="fails-still",
            seen="It comes over ws://, and over wss:// it still fails.",
            means="Its clock is right now; it does not trust the certificate.",
            code="TLS-TRUST",
        ),
        Outcome(
            sign="never-plain",
            seen="It never comes over ws://.",
            means="Its security profile does not allow plain connections.",
            code="PROFILE-RATCHET",
        ),
    ),
)

PING_RHYTHM = Experiment(
    experiment_id="ping-rhythm",
    title="Change the ping rhythm",
    does="The endpoint holds the connection without pings, then with one every 240, 60 and 20 seconds, and measures "
    "how long each lasts.",
    separates=("PING-MISMATCH", "WIFI", "SIM-APN"),
    rounds=("0", "240", "60", "20"),
    round_s=300.0,
    outcomes=(
        Outcome(
            sign="needs-pings",
            seen="It drops without pings and stays with frequent ones.",
            means="Something between you forgets silent connections: set the ping interval below the time it held.",
            code="PING-MISMATCH",
        ),
        Outcome(
            sign="breaks-on-pings",
            seen="It stays without pings and drops soon after one.",
            means="Its firmware does not stand pings from the backend: let the charger ping.",
            code="PING-MISMATCH",
        ),
        Outcome(
            sign="any",
            seen="It drops in every rhythm, after different times.",
            means="The pings are innocent: look at the radio link.",
            code="WIFI",
        ),
        Outcome(sign="none", seen="It stays in every rhythm.", means="The old backend's rhythm was the cause."),
    ),
)

ANSWER_DELAY = Experiment(
    experiment_id="answer-delay",
    title="Answer it later",
    does="The endpoint holds its answers back, longer each time, until the charger gives up.",
    separates=("BOOT-LOOP-EARLYCMD", "BOOT-SCHEMA", "PING-MISMATCH"),
    rounds=("0", "1", "5", "15", "30"),
    round_s=90.0,
    risk="Cards are accepted late meanwhile.",
    outcomes=(
        Outcome(
            sign="limit",
            seen="It repeats itself or hangs up from a certain delay on.",
            means="A backend must answer faster than that.",
        ),
        Outcome(
            sign="too-fast",
            seen="It goes wrong at once and works with a delay.",
            means="It can't bear an answer that comes at once.",
            code="BOOT-LOOP-EARLYCMD",
        ),
        Outcome(sign="patient", seen="It waits each time.", means="The speed of answers is not the cause."),
    ),
)

EARLY_COMMAND = Experiment(
    experiment_id="early-command",
    title="Speak before its Boot",
    does="The endpoint sends a harmless command as soon as the charger connects, then after 1, 5 and 15 seconds, and "
    "sees from when on it is answered.",
    separates=("BOOT-LOOP-EARLYCMD", "BOOT-SCHEMA", "PROBE-CRASH"),
    rounds=("0", "1", "5", "15"),
    round_s=120.0,
    risk="The charger may connect anew several times.",
    outcomes=(
        Outcome(
            sign="loops",
            seen="It boots again and again when spoken to early.",
            means="A backend must keep silent until it has accepted its Boot.",
            code="BOOT-LOOP-EARLYCMD",
        ),
        Outcome(
            sign="drops",
            seen="It hangs up on the command whenever that comes.",
            means="It can't bear the command itself.",
            code="PROBE-CRASH",
        ),
        Outcome(sign="answers", seen="It answers early commands too.", means="Early commands are not the cause."),
    ),
)

NONSENSE_IDENTITY = Experiment(
    experiment_id="nonsense-identity",
    title="Ask for an identity that can't exist",
    does="Rehome dials the backend again with an identity nobody has, then with a path nobody has, without a password, "
    "and compares the answers.",
    separates=("ID-UNKNOWN", "URL-COMPOSE", "AUTH-401"),
    ground=Ground.BACKEND,
    rounds=("identity", "path"),
    round_s=16.0,
    outcomes=(
        Outcome(
            sign="path",
            seen="The answers are equal.",
            means="The path of the address is wrong: the backend did not even look at the identity.",
            code="URL-COMPOSE",
        ),
        Outcome(
            sign="identity",
            seen="The answers differ.",
            means="The path is right; the identity is not registered there.",
            code="ID-UNKNOWN",
        ),
    ),
)

BIG_ANSWER = Experiment(
    experiment_id="big-answer",
    title="Ask in small pieces",
    does="The endpoint reads the settings one by one, then in batches that grow, and finds the size at which the "
    "charger gives up.",
    separates=("BIG-MESSAGE", "PROBE-CRASH"),
    rounds=("1", "5", "20", "all"),
    round_s=120.0,
    risk="A charger that crashes on questions restarts; a running session may end.",
    outcomes=(
        Outcome(
            sign="size",
            seen="Small batches work, large ones do not.",
            means="Its memory is too small for long answers.",
            code="BIG-MESSAGE",
        ),
        Outcome(
            sign="key",
            seen="One certain setting makes it fail, even alone.",
            means="It crashes on that question.",
            code="PROBE-CRASH",
        ),
        Outcome(sign="fine", seen="Every batch works.", means="Neither size nor question is the cause."),
    ),
)

WAITING_ROOM = Experiment(
    experiment_id="waiting-room",
    title="Keep it waiting",
    does="The endpoint answers its next Boot with Pending, then with Rejected, each with a short interval, and then "
    "lets it in.",
    separates=("BOOT-PENDING", "BOOT-LOOP-EARLYCMD"),
    rounds=("Pending", "Rejected", "Accepted"),
    round_s=120.0,
    risk="It does not charge for cards until it is let in again.",
    outcomes=(
        Outcome(
            sign="obeys",
            seen="It asks again after the interval it was told.",
            means="It keeps the standard's waiting rules; the backend held it up.",
            code="BOOT-PENDING",
        ),
        Outcome(
            sign="hurries",
            seen="It asks again before the interval is over.",
            means="It does not read the interval: a backend may block it for asking too often.",
            code="BOOT-PENDING",
        ),
        Outcome(sign="gives-up", seen="It never asks again.", means="After a refusal it needs a restart."),
    ),
)

REDIAL_RHYTHM = Experiment(
    experiment_id="redial-rhythm",
    title="Turn it away and see when it returns",
    does="The endpoint refuses its next dial-ins, then cuts the connection once, and measures how long it stays away "
    "each time.",
    separates=("SLOW-RETURN", "ZOMBIE-SESSION", "OLD-PROFILE"),
    rounds=("refused", "cut"),
    round_s=1200.0,
    risk="The charger is without a backend meanwhile.",
    outcomes=(
        Outcome(
            sign="slow",
            seen="It returns, but only after minutes.",
            means="That is its own timer: wait, and tell the backend's operator.",
            code="SLOW-RETURN",
        ),
        Outcome(
            sign="soon",
            seen="It returns within a minute each time.",
            means="It redials well: a backend that did not see it held its old connection.",
            code="ZOMBIE-SESSION",
        ),
        Outcome(
            sign="elsewhere",
            seen="It does not return.",
            means="It dials another address: look for a second profile.",
            code="OLD-PROFILE",
        ),
    ),
)

HOLD = Experiment(
    experiment_id="hold",
    title="Hold the line for ten minutes",
    does="The endpoint sends nothing but what it must, and watches whether, when and how the charger leaves.",
    separates=("OLD-PROFILE", "PING-MISMATCH", "WIFI"),
    rounds=("idle",),
    round_s=600.0,
    outcomes=(
        Outcome(
            sign="leaves",
            seen="It says goodbye and is gone for a while.",
            means="It goes to another address meanwhile: look for a second profile, or its vendor's cloud.",
            code="OLD-PROFILE",
        ),
        Outcome(
            sign="regular",
            seen="It vanishes after the same time again and again.",
            means="Something between you counts the seconds of silence.",
            code="PING-MISMATCH",
        ),
        Outcome(
            sign="irregular",
            seen="It vanishes after different times.",
            means="The link itself is weak.",
            code="WIFI",
        ),
        Outcome(sign="stays", seen="It stays.", means="The line holds here; the trouble is on the way to the backend."),
    ),
)

EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.experiment_id: experiment
    for experiment in (
        CERTIFICATE_PERSONALITY,
        PLAIN_INSTEAD_OF_TLS,
        PING_RHYTHM,
        ANSWER_DELAY,
        EARLY_COMMAND,
        NONSENSE_IDENTITY,
        BIG_ANSWER,
        WAITING_ROOM,
        REDIAL_RHYTHM,
        HOLD,
    )
}
"""All experiments by id."""

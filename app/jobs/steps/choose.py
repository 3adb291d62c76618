"""Is the new backend well spelled, and does it take this identity? Asked from the laptop, as if we were the charger."""

from __future__ import annotations

from app.diagnosis.settings import password
from app.diagnosis.thresholds import standard
from app.errors import StepBlocked
from app.jobs.checking import ask
from app.jobs.stepping import StepRun
from app.jobs.verdicts import Answer
from app.model.backend import JoinRule, check, dialled_url
from app.model.job import Strength
from app.model.secret import Secret

LEAST_HEX = 16
"""A text of so many bytes in hexadecimal digits is a key, not a word (SEC16 A00.FR.205)."""


async def run(step: StepRun) -> None:
    """Check what was typed, then dial the backend."""
    backend = step.backend
    problems = check(backend.url, backend.identity, profile=backend.security_profile, secret=backend.secret)
    blocking = [problem.message for problem in problems if problem.blocks]
    if blocking:
        raise StepBlocked(" ".join(blocking), "Correct the backend under “Choose”.")
    step.note(f"The new backend is {backend.url}, the identity “{backend.identity}”.", detail=backend.full_url)
    for problem in problems:
        step.note(problem.message, strength=Strength.OPEN)
    for finding in password(_size(backend.secret), standard()):
        step.found(finding)
    habit = step.profile.url if step.profile is not None else None
    rule = habit.join if habit is not None else JoinRule.APPEND_IF_MISSING
    # Where the identity must stand in the address it is put there: that is what the charger will dial.
    url = backend.full_url if rule is JoinRule.AS_IS else dialled_url(backend.url, backend.identity, rule)
    step.progress(f"Dialling {backend.host} as the charger would", patience_s=15)
    version = step.speaks
    answer = await ask(url, identity=backend.identity, secret=backend.secret, version=version)
    _tell(step, answer, url, backend.identity)


def _size(secret: Secret) -> int:
    """Return how many bytes a password has: of a key in hexadecimal digits, those it stands for (SEC16 §7.2)."""
    text = secret.reveal()
    try:
        return len(bytes.fromhex(text)) if len(text) >= 2 * LEAST_HEX else len(text.encode())
    except ValueError:
        return len(text.encode())


def _tell(step: StepRun, answer: Answer, url: str, identity: str) -> None:
    evidence = "\n".join(part for part in (url, *answer.lines) if part)
    facts = {"backend_check": {"verdict": answer.verdict, "text": answer.text}}
    strength = Strength.PROVED if answer.is_good else Strength.OPEN
    step.note(answer.text, detail=evidence, strength=strength, facts=facts)
    for finding in answer.findings(url, identity):
        step.found(finding)

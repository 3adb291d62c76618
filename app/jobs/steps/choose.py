"""Is the new backend well spelled, and does it take this identity? Asked from the laptop, as if we were the charger."""

from __future__ import annotations

from app.errors import StepBlocked
from app.jobs.checking import ask
from app.jobs.stepping import StepRun
from app.jobs.verdicts import Answer
from app.model.backend import JoinRule, check, dialled_url
from app.model.job import Strength


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
    habit = step.profile.url if step.profile is not None else None
    rule = habit.join if habit is not None else JoinRule.APPEND_IF_MISSING
    url = dialled_url(backend.url, backend.identity, rule)
    step.progress(f"Dialling {backend.host} as the charger would", patience_s=15)
    answer = await ask(url, identity=backend.identity, secret=backend.secret)
    _tell(step, answer, url, backend.identity)


def _tell(step: StepRun, answer: Answer, url: str, identity: str) -> None:
    evidence = "\n".join(part for part in (url, *answer.lines) if part)
    facts = {"backend_check": {"verdict": answer.verdict, "text": answer.text}}
    strength = Strength.PROVED if answer.is_good else Strength.OPEN
    step.note(answer.text, detail=evidence, strength=strength, facts=facts)
    for finding in answer.findings(url, identity):
        step.found(finding)

"""What has to be typed at a charger that can't be pointed elsewhere from here: for the step a job stands at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.jobs.stepping import backend_entry
from app.model.backend import Backend, SecurityProfile
from app.model.guidance import Guidance
from app.model.job import Job, Step, StepKind, StepState
from app.model.secret import Secret
from app.model.typed import guidance_for

if TYPE_CHECKING:
    from app.workbench import Workbench


def is_by_hand(job: Job, step: Step) -> bool:
    """Say whether a step stands because somebody has to type an address at the charger."""
    return step.state is StepState.NEEDS_INPUT and job.facts.get("by_hand", {}).get("step") == step.kind.value


def to_type(job: Job, step: Step) -> Backend | None:
    """Return what has to be typed in this step, if anything; without the password."""
    if not is_by_hand(job, step):
        return None
    typed = job.facts["by_hand"]
    backend = Backend(url=str(typed["url"]), identity=str(typed["identity"]))
    real = job.backend
    if real is None or step.kind is not StepKind.SWITCH:
        return backend
    return Backend(url=backend.url, identity=backend.identity, security_profile=real.security_profile, name=real.name)


def guidance_of(bench: Workbench, job: Job, step: Step) -> Guidance | None:
    """Return what has to be typed in this step, field by field, with the password from the vault."""
    typed = to_type(job, step)
    if typed is None:
        return None
    secret = bench.vault.get(backend_entry(job.id)) or Secret("")
    return guidance_for(bench.registry.profiles.get(job.profile_id), _with_secret(job, step, typed, secret))


def _with_secret(job: Job, step: Step, typed: Backend, secret: Secret) -> Backend:
    """Add the password; to our own endpoint only where the real backend gets it in clear as well."""
    real = job.backend
    if real is None or not secret:
        return typed
    profile = real.security_profile
    if step.kind is not StepKind.SWITCH:
        if profile is not SecurityProfile.BASIC or real.is_tls:
            return typed
        profile = SecurityProfile.BASIC
    return Backend(url=typed.url, identity=typed.identity, security_profile=profile, secret=secret, name=typed.name)

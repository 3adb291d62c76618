"""What has to be typed at a charger that can't be pointed elsewhere from here: for the step a job stands at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.jobs.stepping import backend_entry
from app.model.backend import Backend, JoinRule, SecurityProfile
from app.model.guidance import Guidance, Line, render
from app.model.job import Job, Step, StepKind, StepState
from app.model.profile import Profile
from app.model.secret import Secret
from ui.i18n import translate

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


def guidance_for(profile: Profile | None, backend: Backend, *, root_pem: str = "") -> Guidance:
    """Return a guided family's fields; for any other: address, identity, password, and both in one line."""
    if profile is not None and profile.guide is not None:
        return render(profile, backend, root_pem=root_pem)
    known = render(profile, backend) if profile is not None else None
    lines = [*(known.lines if known is not None else (_line(translate("Address"), "url", backend.url),))]
    if profile is None or profile.url is None or profile.url.join is not JoinRule.AS_IS:
        lines.append(_line(translate("Identity"), "identity", backend.identity))
        note = translate("Where there is one field only.")
        lines.append(_line(translate("Both in one line"), "url", backend.full_url, note=note))
    if backend.secret:
        lines.append(_line(translate("Password"), "secret", backend.secret.reveal(), is_secret=True))
    return Guidance(
        profile_id=profile.id if profile else "",
        family=profile.family if profile else "",
        steps=known.steps if known else (),
        lines=tuple(lines),
        patience_s=known.patience_s if known else 0.0,
        dials=known.dials if known else backend.full_url,
        is_certain=known is not None and known.is_certain,
        notes=known.notes if known else (),
        problems=known.problems if known else (),
    )


def _line(label: str, holds: str, text: str, *, note: str = "", is_secret: bool = False) -> Line:
    return Line(label=label, holds=holds, text=text, note=note, is_secret=is_secret)

"""What the form for the new backend starts with: the imported list, else what the charger was told before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.model.address import OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.job import Job
from app.model.secret import Secret
from app.model.unit import Unit
from app.settings import Listed
from ui.models.sitelist import matches

if TYPE_CHECKING:
    from app.workbench import Workbench


def proposed(bench: Workbench, job: Job) -> Backend:
    """Return what is most likely wanted; fields nobody knows are empty."""
    unit = bench.finder.units.get(job.unit_id)
    identity = job.backend_before.identity if job.backend_before is not None else ""
    if unit is None:
        return Backend(url="", identity=identity)
    return proposed_for(bench, unit, identity=identity)


def proposed_for(bench: Workbench, unit: Unit, *, identity: str = "") -> Backend:
    """Return what is most likely wanted for a charger; ``identity`` is what it told a job, if it did."""
    listed = listed_for(bench.settings.listed, unit)
    if listed is None:
        return Backend(url="", identity=identity or _identity(unit))
    secret = bench.vault.get(f"identity/{listed.identity}") if listed.identity else None
    return Backend(
        url=listed.backend,
        identity=listed.identity or identity or _identity(unit),
        security_profile=_profile(bench, listed.backend, secret),
        secret=secret or Secret(""),
    )


def listed_for(listed: tuple[Listed, ...], unit: Unit) -> Listed | None:
    """Return the newest line of the imported lists that speaks of this charger; a serial number counts more."""
    found = [item for item in reversed(listed) if matches(item, unit)]
    return next((item for item in found if item.serial), found[0] if found else None)


def _profile(bench: Workbench, url: str, secret: Secret | None) -> SecurityProfile:
    """Return the preset's security profile, raised where the list gives a password for it."""
    preset = next((item for item in bench.settings.presets if item.url == url), None)
    known = SecurityProfile(preset.security_profile) if preset is not None else SecurityProfile.NONE
    if known is not SecurityProfile.NONE or not secret:
        return known
    return SecurityProfile.TLS_BASIC if url.startswith("wss:") else SecurityProfile.BASIC


def _identity(unit: Unit) -> str:
    dialled = next((way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress)), "")
    return (unit.backend.identity if unit.backend else "") or dialled or unit.identity.serial

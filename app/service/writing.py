"""Write a site file from what the app knows, for the small box that bridges for good."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import DiskFull, StoreError
from app.model.backend import SAFE_IDENTITY
from app.model.secret import Secret
from app.service.site import BackendPlan, BoxPlan, RelayPlan, SitePlan, UnitPlan

FOLDER_MODE, SECRET_MODE = 0o700, 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFiles:
    """What belongs together: the file, the certificates beside it, and the secrets it points to (name → what for)."""

    text: str
    certificates: dict[str, str]
    secrets: dict[str, Secret]


def files_of(plan: SitePlan) -> SiteFiles:
    """Write a plan as a site file. The text holds no secret: it names a file for each."""
    import tomli_w

    certificates: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    document: dict[str, Any] = {
        "site": {"name": plan.name, "address": plan.address, "keep_days": plan.keep_days},
        "status": {"host": plan.status_host, "port": plan.status_port},
        "backend": {one.name: _backend(one, certificates) for one in plan.backends},
    }
    standin = {
        "dns": plan.standin.dns,
        "name_sets": list(plan.standin.name_sets),
        "forward_to": plan.standin.forward_to,
        "ntp": plan.standin.ntp,
        "web": plan.standin.web,
    }
    document["standin"] = {key: value for key, value in standin.items() if value}
    if plan.boxes:
        document["site"]["juicenet_ports"] = list(plan.juicenet_ports)
    if plan.relays:
        document["site"]["relay_port"] = plan.relay_port
    units = [("box", _box(box, certificates, secrets)) for box in plan.boxes]
    units += [("relay", _relay(relay, certificates, secrets)) for relay in plan.relays]
    # the library would put short units into one line
    written = [f"[[{kind}]]\n{tomli_w.dumps(unit)}" for kind, unit in units]
    top = "# Written by Rehome; docs/bridge.md lists all keys.\n\n" + tomli_w.dumps(document)
    text = "\n".join([top, *written])
    return SiteFiles(text=text, certificates=certificates, secrets=secrets)


def save(plan: SitePlan, folder: Path, *, with_secrets: bool) -> tuple[Path, ...]:
    """Write all files into a folder; returns them, the site file first. Raises StoreError, DiskFull.

    Without ``with_secrets`` each secret's file is left for a person to make; one that is there already stays as it is.
    """
    files = files_of(plan)
    wanted = {"site.toml": files.text, **files.certificates}
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            made.append(_written(folder / name, text, 0o644))
        if with_secrets:
            for name, secret in files.secrets.items():
                (folder / name).parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
                made.append(_written(folder / name, secret.reveal(), SECRET_MODE))
    except OSError as error:
        import errno

        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(
            f"{folder} can't be written: {error.strerror}.", "Choose another folder, and export again."
        ) from error
    return tuple(made)


def _written(path: Path, text: str, mode: int) -> Path:
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _backend(plan: BackendPlan, certificates: dict[str, str]) -> dict[str, Any]:
    names = [f"{plan.name}-root{number}.pem" for number in range(1, len(plan.roots) + 1)]
    certificates |= dict(zip(names, plan.roots, strict=True))
    written = {"url": plan.url, "version": plan.version, "security_profile": int(plan.security_profile)}
    return written | ({"roots": names} if names else {})


def _unit(plan: UnitPlan, certificates: dict[str, str], secrets: dict[str, Secret]) -> dict[str, Any]:
    written: dict[str, Any] = {"identity": plan.identity, "backend": plan.backend}
    if plan.secret:
        written["password"] = _secret(f"{_file_name(plan.identity)}.password", plan.secret, secrets)
    if plan.is_hex:
        written["password_is_hex"] = True
    if plan.chain:
        written["certificate"] = f"{_file_name(plan.identity)}.pem"
        certificates[written["certificate"]] = plan.chain
    if plan.key:
        written["key"] = _secret(f"{_file_name(plan.identity)}.key", plan.key, secrets)
    return written


def _box(plan: BoxPlan, certificates: dict[str, str], secrets: dict[str, Secret]) -> dict[str, Any]:
    written = {"id": plan.box_id, **_unit(plan, certificates, secrets), "circuit_a": plan.circuit_a}
    written["start"] = plan.start.value
    more = {"id_tag": plan.id_tag, "revive_from_zero": plan.is_revived, "ignore_known_limits": plan.lifts_known}
    return written | {key: value for key, value in more.items() if value}


def _relay(plan: RelayPlan, certificates: dict[str, str], secrets: dict[str, Secret]) -> dict[str, Any]:
    written = {**_unit(plan, certificates, secrets), "unit_identity": plan.unit_identity, "adds_boot": plan.adds_boot}
    if plan.unit_secret:
        written["unit_password"] = _secret(f"{_file_name(plan.identity)}.unit-password", plan.unit_secret, secrets)
    if plan.watches_only:
        written["watches_only"] = True
    more = {"without": list(plan.without), "vendor": plan.vendor, "model": plan.model}
    return written | {key: value for key, value in more.items() if value}


def _file_name(identity: str) -> str:
    """Return an identity as a file's name: a charger says its own, and must not choose where a secret is written."""
    if SAFE_IDENTITY.match(identity):
        return identity
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in identity)[:40]
    return f"{plain}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def _secret(name: str, secret: Secret, secrets: dict[str, Secret]) -> str:
    place = f"secrets/{name}"
    secrets[place] = secret
    return f"file:{place}"

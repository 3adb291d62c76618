"""What people chose to bridge in the window, and the site's plan that follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bridge.station import Start
from app.errors import DamagedFile, StoreError
from app.model.backend import SecurityProfile
from app.model.bridge import UnitKind
from app.model.coding import decode, encode
from app.model.frame import ListenState
from app.model.juicebox import Adoption
from app.model.secret import Secret
from app.service.site import BackendPlan, BoxPlan, RelayPlan, SitePlan
from app.settings import Preset, write_whole
from app.storage.vault import Vault

OURS = ""
"""The name of our own endpoint among the backends."""
OURS_IN_FILE = "rehome"
SIZE_LIMIT = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One unit to bridge. ``unit``: a JuiceBox's serial, or the identity an OCPP unit says.

    Its passwords are in the vault (``password_name``, ``unit_password_name``, ``key_name``), never here.
    """

    kind: UnitKind
    unit: str
    identity: str
    backend: str = OURS
    """A preset's name, or ``OURS``."""
    version: str = "1.6"
    security_profile: SecurityProfile = SecurityProfile.NONE
    is_hex: bool = False
    """The password is 32 to 40 hexadecimal digits that stand for bytes."""
    chain: str = ""
    """Security profile 3: the client certificate, PEM."""
    start: Start = Start.REMOTE
    id_tag: str = ""
    adds_boot: bool = True
    watches_only: bool = False
    without: tuple[str, ...] = ()
    vendor: str = ""
    model: str = ""

    @property
    def password_name(self) -> str:
        """Return where the vault has the password for the backend."""
        return f"bridge/{self.identity}"

    @property
    def unit_password_name(self) -> str:
        """Return where the vault has the password an OCPP unit must show; none = whoever says its name is let in."""
        return f"bridge/unit/{self.unit}"

    @property
    def key_name(self) -> str:
        """Return where the vault has the private key of ``chain``."""
        return f"bridge/key/{self.identity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a plan is made of besides the choices. ``root``: our own root certificate, PEM, where TLS is answered."""

    site: str
    address: str
    folder: Path
    ours: ListenState
    root: str
    presets: Sequence[Preset]
    adoptions: Mapping[str, Adoption]
    vault: Vault


def plan_of(choices: Iterable[Choice], grounds: Grounds) -> SitePlan:
    """Make a plan. What is wrong with it is told by ``reading.problems_of``; a preset that is gone has no URL."""
    backends: dict[tuple[str, str, SecurityProfile], BackendPlan] = {}
    boxes: list[BoxPlan] = []
    relays: list[RelayPlan] = []
    for choice in choices:
        key = (choice.backend, choice.version, choice.security_profile)
        if key not in backends:
            backends[key] = _backend(choice, grounds, {one.name for one in backends.values()})
        if choice.kind is UnitKind.BOX:
            boxes.append(_box(choice, backends[key].name, grounds))
        else:
            relays.append(_relay(choice, backends[key].name, grounds))
    return SitePlan(
        name=grounds.site,
        address=grounds.address,
        folder=grounds.folder,
        backends=tuple(backends.values()),
        boxes=tuple(boxes),
        relays=tuple(relays),
    )


def _backend(choice: Choice, grounds: Grounds, taken: set[str]) -> BackendPlan:
    profile = choice.security_profile
    roots: tuple[str, ...] = ()
    if choice.backend == OURS:
        url = grounds.ours.url if profile < SecurityProfile.TLS_BASIC else grounds.ours.secure_url
        roots = (grounds.root,) if url.startswith("wss:") and grounds.root else ()
    else:
        url = next((preset.url for preset in grounds.presets if preset.name == choice.backend), "")
    name = plain_name(choice.backend or OURS_IN_FILE)
    if name in taken:
        name = f"{name}-{choice.version.replace('.', '')}-{int(profile)}"
    return BackendPlan(name=name, url=url, version=choice.version, security_profile=profile, roots=roots)


def plain_name(text: str) -> str:
    """Return a name that is a bare key of TOML and a file's name."""
    made = "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in text.lower())
    return made.strip("-")[:40] or "backend"


def _box(choice: Choice, backend: str, grounds: Grounds) -> BoxPlan:
    adoption = grounds.adoptions.get(choice.unit)
    return BoxPlan(
        identity=choice.identity,
        backend=backend,
        secret=_secret(grounds.vault, choice.password_name),
        is_hex=choice.is_hex,
        chain=choice.chain,
        key=_secret(grounds.vault, choice.key_name),
        box_id=choice.unit,
        circuit_a=adoption.circuit_a if adoption is not None else 0.0,
        start=choice.start,
        id_tag=choice.id_tag,
        is_revived=adoption is not None and adoption.is_revived,
        lifts_known=adoption is not None and adoption.lifts_known,
    )


def _relay(choice: Choice, backend: str, grounds: Grounds) -> RelayPlan:
    return RelayPlan(
        identity=choice.identity,
        backend=backend,
        secret=_secret(grounds.vault, choice.password_name),
        is_hex=choice.is_hex,
        chain=choice.chain,
        key=_secret(grounds.vault, choice.key_name),
        unit_identity=choice.unit,
        unit_secret=_secret(grounds.vault, choice.unit_password_name),
        adds_boot=choice.adds_boot,
        watches_only=choice.watches_only,
        without=choice.without,
        vendor=choice.vendor,
        model=choice.model,
    )


def _secret(vault: Vault, name: str) -> Secret:
    return vault.get(name) or Secret("")


# On disk


def load(path: Path) -> tuple[Choice, ...]:
    """Read the choices; a missing file holds none. Raises StoreError, DamagedFile; the file stays as it is."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror}.", "Check its rights.") from error
    try:
        return tuple(decode(Choice, item) for item in json.loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedFile(
            f"{path.name} is damaged: what was to be bridged is not known.", "Take it away and choose again."
        ) from error


def save(path: Path, choices: Sequence[Choice]) -> None:
    """Write the choices whole or not at all. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps([encode(choice) for choice in choices], indent=1))
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror}. Nothing was changed.", "Make room on the disk."
        ) from error

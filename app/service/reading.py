"""Read a bridge's site file (TOML), strictly: everything that is wrong with it is told at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.bridge.corrections import UNAVOIDABLE, catalogue
from app.bridge.station import Start
from app.errors import SiteError, ValueRejected
from app.model.backend import SAFE_IDENTITY, SecurityProfile
from app.model.secret import Secret
from app.service.secrets import SecretProblem, secret_from
from app.service.site import JUICENET_PORTS, BackendPlan, BoxPlan, RelayPlan, SitePlan, StandPlan
from app.service.tables import Table
from app.standin import names

if TYPE_CHECKING:
    from app.service.writing import SiteFiles

SIZE_LIMIT = 1_000_000
"""Bytes; five thousand units fit."""
UNITS = 2000
"""Units of one bridge."""
VERSIONS = ("1.6", "2.0.1")
TAG_LIMIT = {"1.6": 20, "2.0.1": 36}
"""Characters of an id token: CiString20Type (1.6 §7.13), identifierString[36] (2.0.1 part 2, IdTokenType)."""
IDENTITY_LIMIT = 48
BOX_ID = re.compile(r"[0-9A-Za-z]{6,40}\Z")
LEAST_A, MOST_A = 6.0, 80.0
"""IEC 61851-1 annex A: the currents a control pilot can tell."""


def load(path: Path, *, environment: Mapping[str, str] | None = None) -> SitePlan:
    """Read a site file. Raises SiteError with all problems; nothing is started or written."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise SiteError(f"{path.name} is longer than {SIZE_LIMIT // 1000} kB.", "Split the site.")
        document = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise SiteError(f"{path.name} can't be read: {error.strerror}.", "Check the file's name and rights.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SiteError(f"{path.name} is not TOML: {error}.", "Correct the line it names.") from error
    return parse(document, name=path.name, folder=path.parent, environment=environment)


def parse(
    document: Mapping[str, Any], *, name: str, folder: Path, environment: Mapping[str, str] | None = None
) -> SitePlan:
    """Read a document; files it names are looked for in ``folder``. Raises SiteError."""
    reader = _Reader(folder, os.environ if environment is None else environment)
    plan = reader.site(Table(document, "", reader.problems))
    if reader.problems:
        count = len(reader.problems)
        raise SiteError(
            f"{name} has {count} problem{'s' if count > 1 else ''}: {'; '.join(reader.problems[:20])}.",
            "Correct the file and try again; docs/bridge.md lists all keys. What runs goes on as it was.",
            problems=tuple(reader.problems),
        )
    return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """What is wrong with a plan: where (``box[2].id_tag``, counted from 1; empty = the whole), and what."""

    place: str
    text: str

    @property
    def key(self) -> str:
        """Return the field's name in the site file."""
        return self.place.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def problems_of(plan: SitePlan) -> tuple[PlanProblem, ...]:
    """Name what is wrong with a plan that was not read from a file, by the same rules."""
    from app.service.writing import files_of

    files = files_of(plan)
    reader = _Held(files)
    reader.site(Table(tomllib.loads(files.text), "", reader.problems))
    return tuple(_problem(text) for text in reader.problems)


def _problem(text: str) -> PlanProblem:
    place, mark, rest = text.partition(": ")
    return PlanProblem(place=place, text=rest) if mark and " " not in place else PlanProblem(place="", text=text)


class _Reader:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._folder = folder
        self._environment = environment

    def site(self, top: Table) -> SitePlan:
        site = top.table("site")
        backends = tuple(self._backend(key, table) for key, table in top.named("backend").items())
        known = {backend.name: backend for backend in backends}
        boxes = tuple(self._box(table, known) for table in top.tables("box"))
        relays = tuple(self._relay(table, known) for table in top.tables("relay"))
        status = top.table("status")
        plan = SitePlan(
            name=site.text("name", "Site", longest=80),
            address=site.address("address"),
            folder=self._folder / site.text("folder", "state"),
            keep_days=site.whole("keep_days", 1, 3650, 30),
            juicenet_ports=site.ports("juicenet_ports", JUICENET_PORTS),
            relay_port=site.whole("relay_port", 1, 65535, 9000),
            status_host=status.address("host", "127.0.0.1"),
            status_port=status.whole("port", 1, 65535, 9180),
            backends=backends,
            boxes=boxes,
            relays=relays,
            standin=self._standin(top.table("standin")),
        )
        for table in (site, status, top):
            table.done()
        self._check_whole(plan)
        return plan

    def _backend(self, name: str, table: Table) -> BackendPlan:
        profile = SecurityProfile(table.whole("security_profile", 0, 3, 0))
        url = table.text("url")
        self._check_url(table, url, profile)
        backend = BackendPlan(
            name=name,
            url=url,
            version=table.one_of("version", VERSIONS, "1.6"),
            security_profile=profile,
            roots=tuple(self._pem(table, "roots", entry) for entry in table.texts("roots")),
        )
        table.done()
        return backend

    def _box(self, table: Table, backends: Mapping[str, BackendPlan]) -> BoxPlan:
        unit = self._unit(table, backends)
        start = Start(table.one_of("start", [one.value for one in Start], "remote"))
        version = backends[unit["backend"]].version if unit["backend"] in backends else "2.0.1"
        tag = table.text("id_tag", "", longest=TAG_LIMIT[version])
        if start is not Start.REMOTE and not tag:
            table.problem("id_tag", f"is needed where start is “{start.value}”")
        box_id = table.text("id")
        if box_id and not BOX_ID.match(box_id):
            table.problem("id", f"“{box_id}” is not a JuiceBox's serial number")
        plan = BoxPlan(
            **unit,
            box_id=box_id,
            circuit_a=table.number("circuit_a", LEAST_A, MOST_A),
            start=start,
            id_tag=tag,
            is_revived=table.flag("revive_from_zero", False),
            lifts_known=table.flag("ignore_known_limits", False),
        )
        table.done()
        return plan

    def _relay(self, table: Table, backends: Mapping[str, BackendPlan]) -> RelayPlan:
        unit = self._unit(table, backends)
        plan = RelayPlan(
            **unit,
            unit_identity=table.text("unit_identity", unit["identity"], longest=IDENTITY_LIMIT),
            unit_secret=self._secret(table, "unit_password"),
            adds_boot=table.flag("adds_boot", True),
            watches_only=table.flag("watches_only", False),
            without=table.texts("without"),
            vendor=table.text("vendor", "", longest=20),
            model=table.text("model", "", longest=20),
        )
        for code in plan.without:
            if code not in catalogue() or code in UNAVOIDABLE:
                table.problem("without", f"“{code}” is no correction that can be forbidden")
        table.done()
        return plan

    def _unit(self, table: Table, backends: Mapping[str, BackendPlan]) -> dict[str, Any]:
        identity = table.text("identity", longest=IDENTITY_LIMIT)
        if identity and not SAFE_IDENTITY.match(identity):
            table.problem("identity", f"“{identity}” has characters that backends refuse; use A-Z a-z 0-9 - _ .")
        name = table.text("backend", next(iter(backends), ""))
        backend = backends.get(name)
        if backend is None:
            table.problem("backend", f"there is no [backend.{name}]")
        secret = self._secret(table, "password")
        chain = self._pem(table, "certificate", table.text("certificate", ""))
        key = self._secret(table, "key")
        if backend is not None:
            self._check_proof(table, backend.security_profile, secret, chain, key)
        is_hex = table.flag("password_is_hex", False)
        return {
            "identity": identity,
            "backend": name,
            "secret": secret,
            "is_hex": is_hex,
            "chain": chain,
            "key": key,
        }

    def _standin(self, table: Table) -> StandPlan:
        plan = StandPlan(
            dns=table.flag("dns", False),
            name_sets=table.texts("name_sets"),
            forward_to=table.address("forward_to", ""),
            ntp=table.flag("ntp", False),
            web=table.flag("web", False),
        )
        try:
            if plan.dns:
                names.read().choice(plan.name_sets, forward_to=plan.forward_to)
        except ValueRejected as error:
            table.problem("name_sets", f"{error.message} {error.advice}")
        table.done()
        return plan

    # Checks

    def _check_whole(self, plan: SitePlan) -> None:
        units = (*plan.boxes, *plan.relays)
        if not units:
            self.problems.append("there is no [[box]] and no [[relay]]: nothing to bridge")
        if len(units) > UNITS:
            self.problems.append(f"there are {len(units)} units; one bridge serves {UNITS}")
        self._check_single("identity", (f"{unit.identity} at {unit.backend}" for unit in units))
        self._check_single("box id", (box.box_id for box in plan.boxes))
        self._check_single("unit_identity", (relay.unit_identity for relay in plan.relays))

    def _check_single(self, what: str, values: Iterable[str]) -> None:
        for value, count in Counter(values).items():
            if count > 1 and value:
                self.problems.append(f"the {what} {value} stands there {count} times")

    def _check_url(self, table: Table, url: str, profile: SecurityProfile) -> None:
        if not url:
            return
        try:
            parts = urlsplit(url)
            has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            table.problem("url", f"“{url}” is not a URL")
            return
        if parts.scheme not in ("ws", "wss") or not has_host:
            table.problem("url", "must begin with ws:// or wss:// and name a host")
        elif "@" in parts.netloc or parts.query or parts.fragment:
            table.problem("url", "must hold no login, no ? and no #")
        elif profile >= SecurityProfile.TLS_BASIC and parts.scheme != "wss":
            table.problem("url", f"security profile {profile} needs wss://")
        elif profile is SecurityProfile.BASIC and parts.scheme == "wss":
            table.problem("security_profile", "wss:// with a password is profile 2")

    def _check_proof(self, table: Table, profile: SecurityProfile, secret: Secret, chain: str, key: Secret) -> None:
        if profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC) and not secret:
            table.problem("password", f"is needed for security profile {profile}")
        if profile is SecurityProfile.TLS_CLIENT and not (chain and key):
            table.problem("certificate", "and key are needed for security profile 3")

    # Files

    def _secret(self, table: Table, key: str) -> Secret:
        place = table.text(key, "")
        if not place:
            return Secret("")
        try:
            return secret_from(place, self._folder, self._environment)
        except SecretProblem as problem:
            table.problem(key, str(problem))
            return Secret("")

    def _pem(self, table: Table, key: str, name: str) -> str:
        if not name:
            return ""
        path = self._folder / name
        try:
            text = path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            table.problem(key, f"{name} can't be read: {getattr(error, 'strerror', None) or 'it is not PEM'}")
            return ""
        if "-----BEGIN CERTIFICATE-----" not in text:
            table.problem(key, f"{name} holds no certificate (PEM)")
        return text


class _Held(_Reader):
    """Reads what is not on disk: secrets and certificates come with the text."""

    def __init__(self, files: SiteFiles) -> None:
        super().__init__(Path(), {})
        self._files = files

    def _secret(self, table: Table, key: str) -> Secret:
        return self._files.secrets.get(table.text(key, "").removeprefix("file:"), Secret(""))

    def _pem(self, table: Table, key: str, name: str) -> str:
        text = self._files.certificates.get(name, "")
        if name and "-----BEGIN CERTIFICATE-----" not in text:
            table.problem(key, "is no certificate (PEM)")
        return text

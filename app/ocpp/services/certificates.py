"""Certificates in a charger: list, install, delete, sign; and the way to security profile 3."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from app.errors import AppError, BadCertificate, NotSupported, Refused
from app.feed import Feed
from app.model.frame import Certificate
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint
from app.ocpp.server import OcppServer
from app.ocpp.services.certcheck import (
    CHAIN_LIMIT,
    MAX_INSTALLED,
    SETTINGS2,
    SETTINGS16,
    CertificateId,
    Doubt,
    Store,
    doubts,
    store_of,
)
from app.trust.describe import common_name, describe

log = logging.getLogger(__name__)

BACKEND_ROOT = "CSMSRootCertificate"
"""The root a charger checks its backend with, as 2.x calls it; 1.6 says CentralSystemRootCertificate."""
KINDS16 = ("CentralSystemRootCertificate", "ManufacturerRootCertificate")
STATION = "ChargingStationCertificate"
MAX_SIGNINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A certificate a charger says it holds. ``certificate`` where it is one we know."""

    kind: str
    id: CertificateId
    children: tuple[CertificateId, ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What came of installing or deleting. ``is_seen``: the list read afterwards agrees; ``None`` = can't be read."""

    status: str
    is_seen: bool | None
    text: str
    doubts: tuple[Doubt, ...] = ()

    @property
    def is_done(self) -> bool:
        """Say whether it is so, as far as can be seen."""
        return self.status == "Accepted" and self.is_seen is not False


async def installed(endpoint: Endpoint, known: Sequence[Certificate] = ()) -> tuple[Installed, ...]:
    """List what a charger holds. ``known`` certificates are recognised. Raises NotSupported, Refused, LinkError."""
    found: list[Installed] = []
    for request in [{"certificateType": kind} for kind in KINDS16] if endpoint.version == "1.6" else [{}]:
        answer = await endpoint.call("GetInstalledCertificateIds", dict(request))
        found += _installed(answer, request.get("certificateType", ""), known)
    return tuple(found[:MAX_INSTALLED])


def _installed(answer: Mapping[str, Any], kind: str, known: Sequence[Certificate]) -> list[Installed]:
    items = answer.get("certificateHashDataChain") or answer.get("certificateHashData") or ()
    found = []
    for item in items[:MAX_INSTALLED] if isinstance(items, list) else ():
        told = item if isinstance(item, Mapping) else {}
        identity = CertificateId.read(told.get("certificateHashData", told))
        children = told.get("childCertificateHashData")
        if identity is None:
            continue
        read = [CertificateId.read(child) for child in (children[:4] if isinstance(children, list) else ())]
        found.append(
            Installed(
                kind=kind or v16.text(told.get("certificateType"), 40),
                id=identity,
                children=tuple(child for child in read if child is not None),
                certificate=next((item for item in known if identity.means(item.pem)), None),
            )
        )
    return found


async def look_at_store(endpoint: Endpoint) -> Store:
    """Read what can be known of a charger's certificate store before anything is sent. Raises LinkError."""
    try:
        keys = SETTINGS16 if endpoint.version == "1.6" else SETTINGS2
        settings = {item.key: item.value for item in await endpoint.get_settings(keys)}
    except Refused:
        settings = {}
    try:
        there = tuple(item.id for item in await installed(endpoint))
    except Refused:
        there = ()
    return store_of(settings, there)


async def install_root(endpoint: Endpoint, pem: str, *, kind: str = BACKEND_ROOT, in_spite: bool = False) -> Change:
    """Check a root, send it, read back. ``in_spite``: send it although something speaks against it.

    Raises BadCertificate with the reason where it must not be sent; NotSupported, Refused, LinkError.
    """
    found = doubts(pem, await look_at_store(endpoint), datetime.now(UTC))
    stop = next((doubt for doubt in found if doubt.is_stop), None)
    if stop is not None and not in_spite:
        raise BadCertificate(stop.text, stop.remedy)
    wire_kind = "CentralSystemRootCertificate" if endpoint.version == "1.6" and kind == BACKEND_ROOT else kind
    answer = await endpoint.call("InstallCertificate", {"certificateType": wire_kind, "certificate": pem})
    status = v16.text(answer.get("status"), 20)
    is_seen = await _is_there(endpoint, lambda item: item.means(pem)) if status == "Accepted" else None
    return Change(status=status, is_seen=is_seen, text=_install_words(status, is_seen, found), doubts=found)


def _install_words(status: str, is_seen: bool | None, found: tuple[Doubt, ...]) -> str:
    if status == "Accepted":
        return {
            True: "Installed; the charger lists it.",
            False: "The charger says Accepted, but does not list it.",
            None: "The charger says Accepted; whether it is there can't be read.",
        }[is_seen]
    why = " ".join(doubt.text for doubt in found)
    if status == "Rejected":
        return f"The charger does not take it. {why or 'It gives no reason; its store may be full.'}"
    return f"The charger could not install it ({status or 'no status'}). {why}".strip()


async def delete(endpoint: Endpoint, which: CertificateId) -> Change:
    """Delete a certificate and read back. Raises NotSupported, Refused, LinkError."""
    answer = await endpoint.call("DeleteCertificate", {"certificateHashData": which.payload})
    status = v16.text(answer.get("status"), 20)
    is_there = await _is_there(endpoint, lambda item: item == which) if status == "Accepted" else None
    words = {
        "Accepted": "Deleted." if not is_there else "The charger says Accepted, but still lists it.",
        "NotFound": "The charger has no such certificate.",
        "Failed": "The charger keeps it: the certificate it serves itself with can't be deleted.",
    }
    text = words.get(status, f"The charger answers {status or 'nothing'}.")
    return Change(status=status, is_seen=None if is_there is None else not is_there, text=text)


async def _is_there(endpoint: Endpoint, is_it: Callable[[CertificateId], bool]) -> bool | None:
    try:
        return any(is_it(item.id) for item in await installed(endpoint))
    except AppError:
        return None


# Signing ----------------------------------------------------------------------------------------------------------


class Issuer(Protocol):
    """Our own CA (``trust.authority.Authority``)."""

    @property
    def root(self) -> Certificate:
        """Return the root."""
        ...

    def issue(self, csr_pem: str) -> str:
        """Issue a certificate chain for a signing request. Raises BadCertificate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """One signing request of a charger and what came of it. ``status`` is its answer to CertificateSigned."""

    identity: str
    kind: str
    at: datetime
    status: str
    text: str
    certificate: Certificate | None = None


@dataclass(slots=True)
class CertificateDesk:
    """Answers SignCertificate with certificates of our CA. ``attach`` it to a server; ``signings`` tells each one."""

    server: OcppServer
    issuer: Callable[[], Issuer]
    signings: Feed[Signing] = field(default_factory=Feed)
    recent: deque[Signing] = field(default_factory=lambda: deque(maxlen=MAX_SIGNINGS))

    def attach(self) -> None:
        """Answer from now on."""
        self.server.repliers["SignCertificate"] = self._asked

    def _asked(self, endpoint: Endpoint, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        csr = payload.get("csr")
        kind = v16.text(payload.get("certificateType"), 40) or STATION
        if not isinstance(csr, str) or not csr or kind not in (STATION, "V2GCertificate"):
            return {"status": "Rejected"}
        self.server.scope.isolated(f"sign for {endpoint.connection}", self._sign(endpoint, csr, kind))
        return {"status": "Accepted"}

    async def _sign(self, endpoint: Endpoint, csr: str, kind: str) -> None:
        try:
            issuer = await asyncio.to_thread(self.issuer)
            chain = await asyncio.to_thread(issuer.issue, csr)
            status, text = await _send_chain(endpoint, chain, kind)
            self._tell(endpoint, kind, status, text + _name_note(chain, endpoint.identity), describe(chain))
        except AppError as error:
            self._tell(endpoint, kind, "", f"{error.message} {error.advice}", None)

    def _tell(self, endpoint: Endpoint, kind: str, status: str, text: str, certificate: Certificate | None) -> None:
        signing = Signing(
            identity=endpoint.identity,
            kind=kind,
            at=datetime.now(UTC),
            status=status,
            text=text,
            certificate=certificate,
        )
        self.recent.append(signing)
        self.signings.publish(signing)


def _name_note(chain: str, identity: str) -> str:
    """Say where a certificate names somebody else than the identity that asked."""
    name = common_name(chain)
    return (
        "" if name == identity else f" It stands for “{name[:80]}”, while the charger calls itself “{identity[:80]}”."
    )


async def _send_chain(endpoint: Endpoint, chain: str, kind: str) -> tuple[str, str]:
    payload = {"certificateChain": chain}
    if len(chain) > CHAIN_LIMIT:
        raise BadCertificate(f"The chain has {len(chain):,} characters.", f"CertificateSigned takes {CHAIN_LIMIT:,}.")
    if endpoint.version != "1.6":
        payload["certificateType"] = kind
    answer = await endpoint.call("CertificateSigned", payload)
    status = v16.text(answer.get("status"), 20)
    words = {
        "Accepted": "The charger took its new certificate.",
        "Rejected": "The charger refuses its new certificate: does it trust our root?",
    }
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")


# Profile 3 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a hand-over and how it ended."""

    name: str
    is_done: bool
    text: str


Told = Callable[[Stage], None]
Step = Callable[[Endpoint, "CertificateDesk", float], Awaitable[tuple[bool, str]]]


async def hand_over(
    endpoint: Endpoint,
    desk: CertificateDesk,
    *,
    wait_s: float = 120.0,
    raises_profile: bool = False,
    tell: Told = lambda _: None,
) -> tuple[Stage, ...]:
    """Give a charger what profile 3 needs, in the order that can be undone longest (SEC16 A05, commissioning part 5).

    Our root first, then a certificate of its own; the profile only with ``raises_profile``, since there is no way back
    over OCPP (SEC16 A00.FR.005). Stops at the first step that fails. Raises LinkError.
    """
    done: list[Stage] = []
    steps: list[tuple[str, Step]] = [
        ("Install our root", _step_root),
        ("Have it ask for a certificate", _step_sign),
    ]
    if raises_profile:
        steps.append(("Raise the security profile", _step_profile))
    for name, step in steps:
        try:
            is_done, text = await step(endpoint, desk, wait_s)
        except (Refused, BadCertificate) as error:
            is_done, text = False, f"{error.message} {error.advice}"
        done.append(Stage(name=name, is_done=is_done, text=text))
        tell(done[-1])
        if not is_done:
            break
    return tuple(done)


async def _step_root(endpoint: Endpoint, desk: CertificateDesk, _: float) -> tuple[bool, str]:
    issuer = await asyncio.to_thread(desk.issuer)
    change = await install_root(endpoint, issuer.root.pem)
    return change.is_done, change.text


async def _step_sign(endpoint: Endpoint, desk: CertificateDesk, wait_s: float) -> tuple[bool, str]:
    with desk.signings.subscribe() as signings:
        status = await ask_for_request(endpoint)
        if status != "Accepted":
            raise NotSupported(f"The charger can't be asked for a signing request ({status}).", "Use its own menu.")
        try:
            async with asyncio.timeout(wait_s):
                async for signing in signings:
                    if signing.identity == endpoint.identity:
                        return signing.status == "Accepted", signing.text
        except TimeoutError:
            pass
    return False, f"It sent no signing request within {wait_s:.0f} s."


async def ask_for_request(endpoint: Endpoint) -> str:
    """Have a charger send SignCertificate; return the status of its answer."""
    if endpoint.version == "1.6":
        request = {"requestedMessage": "SignChargePointCertificate"}
        return v16.text((await endpoint.call("ExtendedTriggerMessage", request)).get("status"), 20)
    request = {"requestedMessage": "SignChargingStationCertificate"}
    return v16.text((await endpoint.call("TriggerMessage", request)).get("status"), 20)


async def _step_profile(endpoint: Endpoint, _: CertificateDesk, __: float) -> tuple[bool, str]:
    if endpoint.version != "1.6":
        return False, "In OCPP 2.x the profile belongs to a network profile: use the safe repointing."
    status = await endpoint.set_setting("SecurityProfile", "3")
    return status in ("Accepted", "RebootRequired"), f"The charger answers {status}; it dials again with TLS."

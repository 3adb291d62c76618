"""Certificates (OCPP 2.0.1 part 2, A02, M03 to M05): told, installed, deleted, asked for. All by throw-away ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.acceptance.cases201.asking import case201
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should

NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nUmVob21lIGFzaw==\n-----END CERTIFICATE-----\n"
ROOTS = ("ManufacturerRootCertificate", "CSMSRootCertificate")
"""Where a throw-away root is tried; the first hangs on no connection."""
RATCHET = "SecurityCtrlr.AdditionalRootCertificateCheck"
STATION = "ChargingStationCertificate"
FIELDS = frozenset({"hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber"})
"""CertificateHashDataType."""


def throw_away_root() -> str:
    """Return a root certificate nobody has the key of, PEM, in force for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehome throw-away root")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def listed(read: Exchange) -> list[dict[str, object]]:
    """Return the hash data of the certificates that are told."""
    chains = read.get("certificateHashDataChain")
    found = [item.get("certificateHashData") for item in chains or () if isinstance(item, dict)]
    return [item for item in found if isinstance(item, dict)]


def judge_installed(take: Take) -> Iterator[Check]:
    """Look at the status, and at the hashes."""
    for read in take.asked("GetInstalledCertificateIds"):
        is_good = read.status in ("Accepted", "NotFound")
        yield must(
            "GetInstalledCertificateIds is answered Accepted or NotFound (M03)", is_good, read.status, *read.seqs
        )
        if read.status == "Accepted":
            bare = [item for item in listed(read) if not set(item) >= FIELDS]
            yield must("with complete hashes", bool(listed(read)) and not bare, f"{len(listed(read))}", *read.seqs)


@case201(
    "A201-CERT-01",
    "The installed certificates are told",
    "OCPP 2.0.1 M03",
    judge=judge_installed,
    budget_s=30,
)
async def installed(stage: Stage) -> None:
    """Ask for the hashes of all certificates it has."""
    await stage.offered("GetInstalledCertificateIds")


def judge_garbage(take: Take) -> Iterator[Check]:
    """Look at the status of a certificate that is none."""
    for install in take.asked("InstallCertificate"):
        is_refused = install.answer is not None and install.status != "Accepted"
        yield must("A certificate that is none is not Accepted (M05)", is_refused, install.status, *install.seqs)
        is_named = install.status in ("Rejected", "Failed")
        yield should("but Rejected or Failed", is_named, install.status, *install.seqs)


@case201(
    "A201-CERT-02",
    "A certificate that is none is not installed",
    "OCPP 2.0.1 M05",
    judge=judge_garbage,
    budget_s=30,
)
async def garbage(stage: Stage) -> None:
    """Send InstallCertificate with a PEM that holds no certificate."""
    await stage.offered("InstallCertificate", {"certificateType": ROOTS[0], "certificate": NO_CERTIFICATE})


def judge_round_trip(take: Take) -> Iterator[Check]:
    """Compare the lists before the installation, after it, and after the deletion."""
    installs = take.asked("InstallCertificate")
    seqs = [seq for install in installs for seq in install.seqs]
    words = ", ".join(install.status for install in installs)
    is_taken = any(install.status == "Accepted" for install in installs)
    yield must("InstallCertificate of a root is accepted (M05)", is_taken, words, *seqs)
    reads = take.asked("GetInstalledCertificateIds")
    if not is_taken or len(reads) < 2:
        return
    counts = [len(listed(read)) for read in reads]
    evidence = [seq for read in reads for seq in read.seqs]
    yield must("It is listed then (M03)", counts[1] == counts[0] + 1, f"{counts[0]} → {counts[1]}", *evidence)
    for delete in take.asked("DeleteCertificate")[:1]:
        yield must("DeleteCertificate is accepted (M04)", delete.status == "Accepted", delete.status, *delete.seqs)
    if len(counts) > 2:
        yield must("and it is gone", counts[2] == counts[0], f"{counts[1]} → {counts[2]}", *evidence)


@case201(
    "A201-CERT-03",
    "A root certificate is installed, listed and deleted",
    "OCPP 2.0.1 M03, M04, M05",
    judge=judge_round_trip,
    budget_s=120,
)
async def round_trip(stage: Stage) -> None:
    """Install a throw-away root, look for it, delete it, look again."""
    before = await stage.offered("GetInstalledCertificateIds")
    pem = throw_away_root()
    serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
    stage.undo("no throw-away root", lambda: _forgotten(stage, serial))
    # A second root of the central system would replace the first where the station checks that (M05).
    kinds = ROOTS[:1] if stage.facts.is_on(RATCHET) else ROOTS
    for kind in kinds:
        if (
            await stage.offered("InstallCertificate", {"certificateType": kind, "certificate": pem})
        ).status == "Accepted":
            break
    else:
        return
    after = await stage.call("GetInstalledCertificateIds")
    for item in [item for item in listed(after) if item not in listed(before)][:1]:
        await stage.call("DeleteCertificate", {"certificateHashData": item})
        await stage.call("GetInstalledCertificateIds")


async def _forgotten(stage: Stage, serial: int) -> str:
    for item in listed(await stage.call("GetInstalledCertificateIds")):
        if str(item.get("serialNumber", "")).lower().lstrip("0") == f"{serial:x}":
            reply = await stage.call("DeleteCertificate", {"certificateHashData": item})
            return "" if reply.status == "Accepted" else f"DeleteCertificate said {reply.status}"
    return ""


def judge_stranger(take: Take) -> Iterator[Check]:
    """Look at the status for a certificate that is not there."""
    for delete in take.asked("DeleteCertificate"):
        is_refused = delete.answer is not None and delete.status != "Accepted"
        yield must("A certificate it has not is not deleted (M04)", is_refused, delete.status, *delete.seqs)
        yield should("but NotFound", delete.status == "NotFound", delete.status, *delete.seqs)


@case201(
    "A201-CERT-04",
    "A certificate it has not can't be deleted",
    "OCPP 2.0.1 M04",
    judge=judge_stranger,
    budget_s=30,
)
async def stranger(stage: Stage) -> None:
    """Send DeleteCertificate for hashes that fit nothing."""
    nothing = {"hashAlgorithm": "SHA256", "issuerNameHash": "0" * 64, "issuerKeyHash": "0" * 64, "serialNumber": "41a0"}
    await stage.offered("DeleteCertificate", {"certificateHashData": nothing})


def judge_request(take: Take) -> Iterator[Check]:
    """Look for the request, and that a false answer to it is refused."""
    for trigger in take.asked("TriggerMessage"):
        yield must("The trigger is accepted (A02)", trigger.status == "Accepted", trigger.status, *trigger.seqs)
        if trigger.status != "Accepted":
            return
        came = take.after(trigger).heard("SignCertificate")
        yield must("SignCertificate comes", bool(came), f"{len(came)} came", *map(seq_of, came))
        for request in came[:1]:
            text = request.text("csr")
            yield must("with a request in PEM", "BEGIN CERTIFICATE REQUEST" in text, text[:40], request.seq)
            yield must("whose signature fits its key", _is_sound(text), "", request.seq)
    for signed in take.asked("CertificateSigned"):
        is_refused = signed.answer is not None and signed.status != "Accepted"
        yield must("A certificate that is none is not taken (A02)", is_refused, signed.status, *signed.seqs)
        events = take.after(signed).heard("SecurityEventNotification")
        is_told = any(event.text("type") == "InvalidChargingStationCertificate" for event in events)
        text = "and told as InvalidChargingStationCertificate"
        yield should(text, is_told, ", ".join(event.text("type") for event in events), *map(seq_of, events))


def _is_sound(pem: str) -> bool:
    try:
        return x509.load_pem_x509_csr(pem.encode()).is_signature_valid
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        return False


@case201(
    "A201-CERT-05",
    "It asks for a new certificate when told to, and takes no false one",
    "OCPP 2.0.1 A02, F06",
    judge=judge_request,
    budget_s=120,
)
async def request(stage: Stage) -> None:
    """Trigger SignChargingStationCertificate, look at the request, answer it with what is no certificate."""
    stage.reply("SignCertificate", {"status": "Accepted"})
    reply = await stage.offered("TriggerMessage", {"requestedMessage": f"Sign{STATION}"})
    if reply.status == "Rejected" and stage.facts.security_profile < 3:
        raise NotApplicable("The station rejects it: without security profile 3 it may need no certificate.")
    if reply.status != "Accepted" or await stage.heard("SignCertificate", within_s=60) is None:
        return
    payload = {"certificateChain": NO_CERTIFICATE, "certificateType": STATION}
    if (await stage.call("CertificateSigned", payload)).status != "Accepted":
        await stage.heard("SecurityEventNotification", within_s=10)

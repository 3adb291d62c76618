"""The security extension (SEC16): profile, certificates, events, signed updates, the security log."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.alike import security
from app.acceptance.case import case
from app.acceptance.cases16.asking import has_security
from app.acceptance.cases16.configuration import entries
from app.acceptance.cases16.restart import restarted
from app.acceptance.facts import Facts, can_write
from app.acceptance.stage import NotApplicable, Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should

NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nUmVob21lIGFzaw==\n-----END CERTIFICATE-----\n"
ROOT = "CentralSystemRootCertificate"


def judge_profile(take: Take) -> Iterator[Check]:
    """Compare the claimed profile with the connection."""
    for read in take.asked("GetConfiguration")[:1]:
        claimed = str(entries(read).get("SecurityProfile", {}).get("value", ""))
        yield from security.judge_profile(take, read, claimed, "SEC16 A00")


@case(
    "A16-SEC-01",
    "The security profile is as the connection shows it",
    "SEC16 A00, §7.2 (SecurityProfile)",
    judge=judge_profile,
    budget_s=15,
    needs=[has_security],
)
async def profile(stage: Stage) -> None:
    """Read SecurityProfile and compare it with how the unit dialled."""
    security.mark_handshake(stage)
    await stage.call("GetConfiguration", {"key": ["SecurityProfile"]})


def judge_ratchet(take: Take) -> Iterator[Check]:
    """Look at the status of a lower profile."""
    for write in take.asked("ChangeConfiguration")[:1]:
        yield must(
            "A lower security profile is Rejected (SEC16 A05)", write.status == "Rejected", write.status, *write.seqs
        )


def is_raised(facts: Facts) -> str:
    """Need a profile that could be lowered."""
    return "" if facts.security_profile > 0 else "It is on security profile 0: there is no lower one."


@case(
    "A16-SEC-02",
    "The security profile can't be lowered",
    "SEC16 A05, A00.FR.005",
    judge=judge_ratchet,
    budget_s=30,
    needs=[has_security, can_write("SecurityProfile"), is_raised],
)
async def ratchet(stage: Stage) -> None:
    """Try to set SecurityProfile one lower."""
    await stage.set("SecurityProfile", str(stage.facts.security_profile - 1))


def judge_event(take: Take) -> Iterator[Check]:
    """Look for a security event after the restart."""
    yield from (
        must("Reset is accepted", item.status == "Accepted", item.status, *item.seqs) for item in take.asked("Reset")
    )
    yield from security.judge_events(take.heard("SecurityEventNotification"), "SEC16 A04")


@case(
    "A16-SEC-03",
    "A restart is told as a security event",
    "SEC16 A04, list of security events",
    judge=judge_event,
    budget_s=200,
    idle=True,
    needs=[has_security],
)
async def event(stage: Stage) -> None:
    """Reset it softly and wait for SecurityEventNotification."""
    since = stage.last_seq
    if await restarted(stage, "Soft"):
        await stage.heard("SecurityEventNotification", within_s=20, since=since)


def judge_bad_update(take: Take) -> Iterator[Check]:
    """Look at the status of an update with a certificate that is none."""
    for update in take.asked("SignedUpdateFirmware"):
        yield must("SignedUpdateFirmware is answered", update.answer is not None, update.status, *update.seqs)
        told = [m.text("status") for m in take.heard("SignedFirmwareStatusNotification")]
        is_refused = (
            update.status in ("InvalidCertificate", "Rejected", "RevokedCertificate") or "InvalidSignature" in told
        )
        yield must("An update with a false certificate is refused (SEC16 L01)", is_refused, update.status, *update.seqs)
        yield should("as InvalidCertificate", update.status == "InvalidCertificate", update.status, *update.seqs)


@case(
    "A16-SEC-04",
    "An update with a false certificate is refused",
    "SEC16 L01",
    judge=judge_bad_update,
    budget_s=60,
    idle=True,
    needs=[has_security],
)
async def bad_update(stage: Stage) -> None:
    """Offer a signed update from an address that does not exist, with a certificate that is none."""
    firmware = {
        "location": "http://127.0.0.1:9/rehome-no-firmware",
        "retrieveDateTime": "2000-01-01T00:00:00.000Z",
        "signingCertificate": NO_CERTIFICATE,
        "signature": "UmVob21l",
    }
    reply = await stage.offered("SignedUpdateFirmware", {"requestId": 41_010, "firmware": firmware, "retries": 0})
    if reply.status == "Accepted":
        await stage.heard("SignedFirmwareStatusNotification", within_s=20)


# Certificates -------------------------------------------------------------------------------------------------------


def _listed(read: Exchange) -> list[dict[str, object]]:
    found = read.get("certificateHashData")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def judge_installed(take: Take) -> Iterator[Check]:
    """Look at the status, and at the hashes."""
    for read in take.asked("GetInstalledCertificateIds"):
        yield must(
            "GetInstalledCertificateIds is answered Accepted or NotFound (SEC16 M03)",
            read.status in ("Accepted", "NotFound"),
            read.status,
            *read.seqs,
        )
        if read.status == "Accepted":
            fields = {"hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber"}
            bare = [item for item in _listed(read) if not fields <= set(item)]
            yield must("with complete hashes", bool(_listed(read)) and not bare, f"{len(_listed(read))}", *read.seqs)


@case(
    "A16-CERT-01",
    "The installed root certificates are told",
    "SEC16 M03",
    judge=judge_installed,
    budget_s=20,
    needs=[has_security],
)
async def installed(stage: Stage) -> None:
    """Ask for the hashes of its CentralSystemRootCertificates."""
    await stage.offered("GetInstalledCertificateIds", {"certificateType": ROOT})


def judge_garbage(take: Take) -> Iterator[Check]:
    """Look at the status of a certificate that is none."""
    for install in take.asked("InstallCertificate"):
        yield must(
            "A certificate that is none is not Accepted (SEC16 M05)",
            install.status != "Accepted" and install.answer is not None,
            install.status,
            *install.seqs,
        )
        yield should("but Rejected or Failed", install.status in ("Rejected", "Failed"), install.status, *install.seqs)


@case(
    "A16-CERT-02",
    "A certificate that is none is not installed",
    "SEC16 M05",
    judge=judge_garbage,
    budget_s=30,
    needs=[has_security],
)
async def garbage(stage: Stage) -> None:
    """Send InstallCertificate with a PEM that holds no certificate."""
    await stage.offered(
        "InstallCertificate", {"certificateType": "ManufacturerRootCertificate", "certificate": NO_CERTIFICATE}
    )


def judge_round_trip(take: Take) -> Iterator[Check]:
    """Compare the lists before the installation, after it, and after the deletion."""
    for install in take.asked("InstallCertificate")[:1]:
        yield must(
            "InstallCertificate is accepted (SEC16 M05)", install.status == "Accepted", install.status, *install.seqs
        )
    reads = take.asked("GetInstalledCertificateIds")
    deletes = take.asked("DeleteCertificate")
    if len(reads) < 2 or not deletes:
        return
    counts = [len(_listed(read)) for read in reads]
    seqs = [seq for read in reads for seq in read.seqs]
    yield must("It is listed then", counts[1] == counts[0] + 1, f"{counts[0]} → {counts[1]}", *seqs)
    yield must(
        "DeleteCertificate is accepted (SEC16 M04)",
        deletes[0].status == "Accepted",
        deletes[0].status,
        *deletes[0].seqs,
    )
    if len(counts) > 2:
        yield must("and it is gone", counts[2] == counts[0], f"{counts[1]} → {counts[2]}", *seqs)


def has_no_root_ratchet(facts: Facts) -> str:
    """Need a store where one more root replaces nothing (SEC16 M05, AdditionalRootCertificateCheck)."""
    if facts.is_on("AdditionalRootCertificateCheck"):
        return "AdditionalRootCertificateCheck is on: a new root would replace the present one."
    return ""


@case(
    "A16-CERT-03",
    "A root certificate is installed, listed and deleted",
    "SEC16 M03, M04, M05",
    judge=judge_round_trip,
    budget_s=90,
    needs=[has_security, has_no_root_ratchet],
)
async def round_trip(stage: Stage) -> None:
    """Install this computer's own root, look for it, delete it, look again."""
    pem = stage.root_pem()
    if not pem:
        raise NotApplicable("This computer has no certificate authority here.")
    before = await stage.offered("GetInstalledCertificateIds", {"certificateType": ROOT})
    install = await stage.call("InstallCertificate", {"certificateType": ROOT, "certificate": pem})
    if install.status != "Accepted":
        return
    after = await stage.call("GetInstalledCertificateIds", {"certificateType": ROOT})
    new = [item for item in _listed(after) if item not in _listed(before)]
    for item in new[:1]:
        await stage.call("DeleteCertificate", {"certificateHashData": item})
        await stage.call("GetInstalledCertificateIds", {"certificateType": ROOT})


def judge_request(take: Take) -> Iterator[Check]:
    """Look for a certificate signing request."""
    for trigger in take.asked("ExtendedTriggerMessage"):
        yield must("ExtendedTriggerMessage is accepted", trigger.status == "Accepted", trigger.status, *trigger.seqs)
        if trigger.status != "Accepted":
            return
        came = take.after(trigger).heard("SignCertificate")
        yield must("SignCertificate comes (SEC16 A02)", bool(came), "", *map(seq_of, came))
        for request in came[:1]:
            is_pem = "BEGIN CERTIFICATE REQUEST" in request.text("csr")
            yield must("with a request in PEM", is_pem, request.text("csr")[:40], request.seq)


@case(
    "A16-CERT-04",
    "It asks for a new certificate when told to",
    "SEC16 A02",
    judge=judge_request,
    budget_s=90,
    needs=[has_security],
)
async def request(stage: Stage) -> None:
    """Trigger SignChargePointCertificate, and look at the request. No certificate is sent."""
    stage.reply("SignCertificate", {"status": "Rejected"})  # else this program would sign it
    reply = await stage.offered("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    if reply.status == "Accepted":
        await stage.heard("SignCertificate", within_s=60)

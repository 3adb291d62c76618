"""What the statuses of file transfers mean, in words, and which of them end one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FIRMWARE = {
    "Idle": "It has nothing to do.",
    "DownloadScheduled": "It will fetch the image later, at the time it was given.",
    "Downloading": "It is fetching the image.",
    "DownloadPaused": "It stopped fetching for now, usually because somebody is charging.",
    "Downloaded": "It has the whole image.",
    "DownloadFailed": "It could not fetch the image.",
    "SignatureVerified": "It checked the signature and trusts it.",
    "InvalidSignature": "It does not trust the signature. For a test image this is the right answer.",
    "InstallScheduled": "It will install later, usually when nobody is charging.",
    "Installing": "It is installing.",
    "InstallRebooting": "It restarts to finish.",
    "Installed": "It runs the new firmware.",
    "InstallationFailed": "It could not install the image. For a test image this is the right answer.",
    "InstallVerificationFailed": "The image is not what it should be. For a test image this is the right answer.",
}
"""FirmwareStatus: OCPP 1.6 §7.25, SEC16 SignedFirmwareStatusNotification, P2-201 FirmwareStatusEnumType."""

LOGS = {
    "Idle": "It has nothing to do.",
    "Uploading": "It is sending the file.",
    "Uploaded": "It sent the whole file.",
    "UploadFailed": "It could not send the file.",
    "UploadFailure": "It could not send the file.",
    "BadMessage": "It did not understand where to send the file.",
    "NotSupportedOperation": "It can't send files this way; try the other one.",
    "PermissionDenied": "It was not allowed to deliver the file.",
    "AcceptedCanceled": "It gave up this one for a newer one.",
}
"""DiagnosticsStatus: OCPP 1.6 §7.24; UploadLogStatusEnumType: SEC16, P2-201."""

BAD = frozenset(
    {
        "DownloadFailed", "InvalidSignature", "InstallationFailed", "InstallVerificationFailed",
        "UploadFailed", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied", "AcceptedCanceled",
    }
)  # fmt: skip
GOOD = frozenset({"Installed", "Uploaded"})

_ORDER = ("Downloading", "Downloaded", "Installing", "Installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSeen:
    """One status as it was told."""

    status: str
    at: datetime

    @property
    def meaning(self) -> str:
        """Say what it means."""
        return FIRMWARE.get(self.status) or LOGS.get(self.status) or "The standard does not know this status."


def firmware_oddities(statuses: tuple[StatusSeen, ...], *, fetched: int, size: int) -> tuple[str, ...]:
    """Say what does not fit together in a firmware update. Bytes: what was fetched from us, and the image's size."""
    told = [seen.status for seen in statuses]
    odd = []
    if "Installed" in told and fetched < size:
        odd.append(f"It says Installed, but fetched {fetched:,} of {size:,} bytes.")
    if "Downloaded" in told and fetched < size:
        odd.append(f"It says Downloaded, but fetched {fetched:,} of {size:,} bytes.")
    places = [_ORDER.index(status) for status in told if status in _ORDER]
    if places != sorted(places):
        odd.append(f"The statuses come in an odd order: {', '.join(told)}.")
    if "Installed" in told and "Installing" not in told:
        odd.append("It never said Installing (OCPP 1.6 §4.5 and use case L01 want every step told).")
    odd += [f"“{status[:40]}” is no status of the standard." for status in told if status not in FIRMWARE]
    return tuple(odd)

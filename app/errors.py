"""The exception tree. Every leaf says what happened and what the technician can do next.

    AppError
    ├── LinkError        NotReachable · TimedOut · LinkLost · TlsRejected
    ├── ProtocolError    Garbled · Unexpected
    ├── Refused          AuthFailed · NotSupported · Busy · ValueRejected
    ├── ProfileError
    ├── SiteError
    ├── JobError         StepBlocked · VerifyFailed
    ├── ServerError      PortInUse · BadCertificate (KeyMissing)
    ├── LabelError       UnreadablePhoto · TooMuchText
    └── StoreError       NewerFile · DamagedFile · DiskFull

Foreign exceptions are translated once, at the edge, with ``from``. Anything outside this tree is a bug.
"""

from __future__ import annotations


class AppError(Exception):
    """Something a technician can understand: ``message`` says what happened, ``advice`` what to do next."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __reduce__(self) -> tuple[type[AppError], tuple[str, str]]:
        return type(self), (self.message, self.advice)


class LinkError(AppError):
    """The channel to a charger failed."""


class NotReachable(LinkError):
    """Nothing answers at the address."""


class TimedOut(LinkError):
    """The charger was silent until the deadline."""


class LinkLost(LinkError):
    """The channel closed under us, or is used after it was closed."""


class TlsRejected(LinkError):
    """One side refused the other's certificate or protocol version."""


class ProtocolError(AppError):
    """The charger spoke, but not what its protocol allows."""


class Garbled(ProtocolError):
    """Bytes that are not a message of the protocol."""


class Unexpected(ProtocolError):
    """A well-formed message that does not belong here."""


class Refused(AppError):
    """The charger understood and said no."""


class AuthFailed(Refused):
    """Password or user name is missing or wrong."""


class LoginWall(AuthFailed):
    """Something wants a login before it says who it is: it may be anything, a router as well as a charger."""


class NotSupported(Refused):
    """The charger does not offer this function."""


class Busy(Refused):
    """The charger can't do this now (session running, other client)."""


class ValueRejected(Refused):
    """The charger does not take this value."""


class ProfileError(AppError):
    """A profile file is malformed or claims something without evidence."""


class SiteError(AppError):
    """A bridge's site file is malformed, or asks for what can't be. ``problems`` lists everything that was found."""

    def __init__(self, message: str, advice: str, *, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, advice)
        self.problems = problems


class JobError(AppError):
    """A job can't go on."""


class StepBlocked(JobError):
    """A step needs something first: a person, a unit that returns, a choice."""


class VerifyFailed(JobError):
    """What was read back is not what was written."""


class ServerError(AppError):
    """Our own endpoint can't do what was asked."""


class PortInUse(ServerError):
    """Another program listens there. ``owner`` names it when the system tells, ``suggestion`` is a free port."""

    def __init__(self, message: str, advice: str, *, port: int = 0, owner: str = "", suggestion: int = 0) -> None:
        super().__init__(message, advice)
        self.port = port
        self.owner = owner
        self.suggestion = suggestion


class BadCertificate(ServerError):
    """A certificate or key can't be used."""


class KeyMissing(BadCertificate):
    """A certificate came without its key."""


class LabelError(AppError):
    """A label can't be read or drawn."""


class UnreadablePhoto(LabelError):
    """A photo is damaged, of an unknown kind, or too large."""


class TooMuchText(LabelError):
    """A text does not fit into a code, or can't stand in one."""


class StoreError(AppError):
    """The database or a file can't be read or written."""


class NewerFile(StoreError):
    """The file was written by a newer Rehome. It was not touched."""


class DamagedFile(StoreError):
    """The file is not a healthy database. It was not touched."""


class DiskFull(StoreError):
    """There is no room to write; nothing half-written remains."""

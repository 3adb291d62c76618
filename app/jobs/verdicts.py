"""What the answer of a backend to a charger's dialling means, by the failure catalogue. Pure."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.exceptions import NegotiationError
from websockets.http11 import Response

from app.diagnosis import decode
from app.diagnosis.catalogue import catalogue
from app.diagnosis.naming import found
from app.model.experiment import EXPERIMENTS
from app.model.finding import Finding, Severity
from app.model.secret import Secret

EXPIRED, NOT_YET = 10, 9
WRONG_NAME, WRONG_ADDRESS = 62, 64
"""X509_V_ERR_* of OpenSSL (x509_vfy.h)."""
SHOWN = 300
"""Characters of an answer that are kept of each line."""
BODY = 2_000

_MIDDLEBOXES = ("nginx", "cloudflare", "cloudfront", "varnish", "akamai", "haproxy", "awselb", "envoy", "traefik")
_TELLING = frozenset({"server", "sec-websocket-protocol", "www-authenticate", "location", "via"})
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF", "RECORD_LAYER_FAILURE", "PACKET_LENGTH")
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA")
_DOUBLE = ("already", "exists", "duplicate")
"""In the reason of a close: an old connection of this identity is open (lorenzodonini/ocpp-go ws/server.go)."""
_CHANGING = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the backend did. ``verdict``: accepted, refused, unreachable, odd. ``code`` names a catalogued failure.

    ``compared`` says what two more questions found where one answer has two causes; ``others`` are findings beside
    the verdict.
    """

    verdict: str
    text: str
    code: str = ""
    case: str = "backend"
    lines: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    experiment: str = ""
    compared: str = ""
    others: tuple[Finding, ...] = ()
    offered: str = "ocpp1.6"
    """The subprotocol it was asked with."""

    @property
    def is_good(self) -> bool:
        """Say whether it took the identity."""
        return self.verdict == "accepted"

    def findings(self, url: str, identity: str) -> tuple[Finding, ...]:
        """Return what it proves, in the words for the backend's side."""
        if not self.code:
            return self.others
        proofs = [("dialled", url), *(("answer", line) for line in self.lines)]
        if self.compared:
            proofs.append(("compared", self.compared))
        main = found(
            self.code,
            Severity.WARNING,
            *proofs,
            case=self.case if self.case in catalogue()[self.code].cases else "",
            experiment=EXPERIMENTS.get(self.experiment),
            alike=self.alike,
            identity=identity,
            url=url,
            answer=self.lines[0] if self.lines else "nothing",
            compared=self.compared or "Nothing more was asked.",
            offered=self.offered,
        )
        return (main, *self.others)


@dataclass(frozen=True, slots=True)
class Reply:
    """What makes two answers equal or different, with everything left out that names the question."""

    status: int
    server: str
    kind: str
    body: str

    @property
    def words(self) -> str:
        """Say what it answered."""
        if not self.status:
            return "it hung up without an answer"
        return f"HTTP {self.status}, {self.kind or 'without a kind'}, {len(self.body)} characters"

    @classmethod
    def of(cls, response: Response | None, *asked: str) -> Reply:
        """Reduce an answer; ``asked`` are the texts of the question that it may repeat."""
        if response is None:
            return cls(0, "", "", "")
        body = (response.body or b"")[:BODY].decode("utf-8", "replace")
        for text in sorted(asked, key=len, reverse=True):
            body = body.replace(text, "") if text else body
        headers = response.headers
        kind = headers.get("Content-Type", "").partition(";")[0]
        return cls(response.status_code, headers.get("Server", ""), kind, _CHANGING.sub("0", body).strip())


def told_apart(first: Answer, strange_identity: Reply, strange_path: Reply) -> Answer:
    """Decide what a 404 means: equal answers to a nonsense identity and a nonsense path = the path is wrong."""
    if strange_identity == strange_path:
        return Answer(
            verdict=first.verdict,
            text="The path of the backend's address is wrong, or it tells nobody which identities it knows (HTTP 404).",
            code="URL-COMPOSE",
            lines=first.lines,
            alike=("ID-UNKNOWN",),
            compared="An identity nobody has and a path nobody has got the same answer.",
        )
    return Answer(
        verdict=first.verdict,
        text="The backend does not know this identity (HTTP 404); the path is right.",
        code="ID-UNKNOWN",
        case="",
        lines=first.lines,
        compared="A path nobody has got another answer, so the path is right.",
    )


def judged(
    response: Response | None,
    subprotocol: str | None,
    failure: Exception | None,
    secret: Secret,
    offered: str = "ocpp1.6",
) -> Answer:
    """Name what an answer to an upgrade request means; ``offered`` is the subprotocol that was asked for."""
    if response is None:
        text = "The backend hung up without a word. Does it want wss:// there?"
        return Answer(verdict="odd", text=text, code="SCHEME-PORT", lines=error_lines(failure))
    lines = _response_lines(response, secret)
    status = response.status_code
    if status == 101 and isinstance(failure, NegotiationError):
        text = f"The backend took the connection and agreed on something else than {offered}."
        return Answer(verdict="refused", text=text, code="SUBPROTO-NONE", lines=lines)
    if status == 101 and failure is not None:
        return Answer(verdict="odd", text="The backend's upgrade answer is broken.", code="PROXY-CDN", lines=lines)
    if status == 101 and not subprotocol:
        text = f"The backend took the connection but did not agree on {offered}: chargers are told to hang up then."
        return Answer(verdict="refused", text=text, code="SUBPROTO-NONE", lines=lines)
    meaning = decode.http(status)
    if status == 101:
        return Answer(verdict="accepted", text=meaning.text, lines=lines)
    text, code = meaning.text, meaning.code
    if is_middlebox(response) and status in (400, 403, 426):
        text, code = "A proxy in front of the backend did not pass the WebSocket on.", "PROXY-CDN"
    alike = ("SUBPROTO-NONE", "AUTH-401") if code == "ID-SPELLING" else ()
    text = f"{text.removesuffix('.')} (HTTP {status})."
    return Answer(verdict="refused", text=text, code=code, lines=lines, alike=alike)


def hung_up(code: int, reason: str, lines: Sequence[str], secret: Secret) -> Answer:
    """Name a backend that took the connection and closed it at once."""
    meaning = decode.tables()["close"].get(str(code))
    told = secret.redact(f"closed with {decode.close(code)} {reason}".strip())[:SHOWN]
    text = f"The backend took the connection and hung up at once ({decode.close(code)})."
    is_double = any(word in reason.lower() for word in _DOUBLE)
    finding = "ZOMBIE-SESSION" if is_double else (meaning.code if meaning is not None else "") or "SUBPROTO-NONE"
    alike = () if finding == "ZOMBIE-SESSION" else ("ID-UNKNOWN", "AUTH-401")
    return Answer(verdict="refused", text=text, code=finding, lines=(told, *lines), alike=alike)


def tls_failure(error: ssl.SSLError) -> Answer:
    """Name why TLS with the backend failed."""
    lines = (str(error)[:SHOWN],)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(error, lines)
    told = (error.reason or str(error)).upper().replace(" ", "_")
    if any(word in told for word in _NO_TLS):
        text = "The backend does not speak TLS there: ws:// instead of wss://?"
        return Answer(verdict="odd", text=text, code="SCHEME-PORT", lines=lines)
    if any(word in told for word in _WANTS_CERTIFICATE):
        text = "The backend wants a client certificate (security profile 3)."
        return Answer(verdict="refused", text=text, code="AUTH-401", lines=lines)
    if "UNRECOGNIZED_NAME" in told:
        text = "The backend does not know the name in the address."
        return Answer(verdict="refused", text=text, code="TLS-NAME", lines=lines)
    text = "Backend and this computer found no TLS version or cipher in common."
    return Answer(verdict="refused", text=text, code="TLS-SUITE", lines=lines)


def _distrusted(error: ssl.SSLCertVerificationError, lines: tuple[str, ...]) -> Answer:
    if error.verify_code in (WRONG_NAME, WRONG_ADDRESS):
        text = f"The backend's certificate is for another name: {error.verify_message}"
        return Answer(verdict="refused", text=text, code="TLS-NAME", lines=lines)
    if error.verify_code in (EXPIRED, NOT_YET):
        text = f"The backend's certificate is not valid today: {error.verify_message}"
        return Answer(verdict="refused", text=text, code="TLS-TRUST", case="expired", lines=lines)
    text = f"This computer does not trust the backend's certificate: {error.verify_message}"
    return Answer(verdict="refused", text=text, code="TLS-TRUST", lines=lines)


def ipv6_only(host: str, addresses: Sequence[str]) -> Finding:
    """Name a backend that many chargers can't find although this computer can."""
    return found("DNS-FAIL", Severity.INFO, ("addresses", ", ".join(addresses[:4])), case="ipv6", host=host)


def is_middlebox(response: Response) -> bool:
    """Say whether a proxy or content network answered."""
    server = f"{response.headers.get('Server', '')} {response.headers.get('Via', '')}".lower()
    return any(name in server for name in _MIDDLEBOXES)


def error_lines(failure: BaseException | None) -> tuple[str, ...]:
    """Put an error into a line of evidence."""
    return (f"{type(failure).__name__}: {failure}"[:SHOWN],) if failure is not None else ()


def _response_lines(response: Response, secret: Secret) -> tuple[str, ...]:
    head = f"HTTP {response.status_code} {response.reason_phrase}"
    shown = [f"{name}: {value}" for name, value in response.headers.raw_items() if name.lower() in _TELLING]
    body = (response.body or b"")[:200].decode("utf-8", "replace").strip()
    return tuple(secret.redact(line)[:SHOWN] for line in (head, *shown, body) if line)

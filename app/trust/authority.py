"""Our own certificate authority: made on first use, its key kept by this computer and never handed out."""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from app.errors import BadCertificate
from app.model.frame import Certificate
from app.model.secret import Secret
from app.trust import describe, making
from app.trust.keeping import encryption, write_private

PASSPHRASE = "trust/authority"
"""Name in the vault: what the key file is encrypted with, where the system has a keyring."""
LEAVES = 256
"""Server certificates kept ready; the longest unused goes."""
EXPORTS = ("pem", "der", "cer")
_LEAST_RSA, _LEAST_EC = 2048, 224
"""SEC16 A00.FR.502 and .503."""
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


class Keep(Protocol):
    """The vault, as far as it is needed here."""

    @property
    def is_persistent(self) -> bool:
        """Say whether a secret is still there after a restart."""
        ...

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        ...

    def set(self, name: str, secret: Secret) -> None:
        """Keep a secret."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPapers:
    """A client certificate with its key, to be put into a charger (or a test client)."""

    certificate: Certificate
    chain_pem: str
    key_pem: Secret


class Authority:
    """Root and intermediate. The root's key stays in ``folder``, readable by its owner alone.

    Where the system has a keyring, the file is encrypted and the keyring holds the passphrase (a key itself is too long
    for the Windows one). There is no way to write the keys anywhere else.
    """

    def __init__(self, keep: Keep, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._keep = keep
        self._folder = folder
        self._now = now
        self._making = threading.Lock()
        self._made: tuple[making.Signed, making.Signed] | None = None
        self._leaf_keys: dict[str, making.Key] = {}
        self._leaves: OrderedDict[tuple[str, tuple[str, ...]], x509.Certificate] = OrderedDict()

    @classmethod
    def open(cls, keep: Keep, folder: Path) -> Authority:
        """Return the authority of a folder; it is read, or made, when it is first needed."""
        return cls(keep, folder)

    def prepare(self) -> None:
        """Read or make everything that takes time. Raises BadCertificate where the kept key can't be used."""
        self._signers()
        for kind in ("rsa", "ec"):
            self._leaf_key(kind)

    @property
    def root(self) -> Certificate:
        """Return the root, which units must trust. Raises BadCertificate."""
        return describe.described(self._signers()[0][0])

    @property
    def intermediate(self) -> Certificate:
        """Return the CA between root and leaves. Raises BadCertificate."""
        return describe.described(self._signers()[1][0])

    def now(self) -> datetime:
        """Tell the time by which certificates are made."""
        return self._now()

    @property
    def place(self) -> str:
        """Say in words where the key is kept."""
        where = self._folder / "authority.pem"
        if self._keep.is_persistent:
            return f"{where}, encrypted; this computer's keyring holds the passphrase"
        return f"{where}, readable by you alone"

    def export(self, kind: str) -> bytes:
        """Return the root's certificate as ``pem``, ``der`` or ``cer`` (DER by another name). Raises BadCertificate."""
        if kind not in EXPORTS:
            raise BadCertificate(f"“{kind}” is no form of a certificate.", "Use pem, der or cer.")
        form = serialization.Encoding.PEM if kind == "pem" else serialization.Encoding.DER
        return self._signers()[0][0].public_bytes(form)

    def leaf(self, personality: str, names: tuple[str, ...]) -> tuple[str, str]:
        """Return a server's chain and key as PEM for names; the first becomes the common name. Raises BadCertificate.

        Made anew when the names change or the end of its life is near.
        """
        kind = "ec" if personality == "ec" else "rsa"
        _, issuer = self._signers()
        certificate = self._leaf(personality, kind, names, issuer)
        chain = [certificate] if personality in ("short", "rogue") else [certificate, issuer[0]]
        return "".join(_pem(item) for item in chain), _key_pem(self._leaf_key(kind))

    def issue(self, csr_pem: str, *, days: int = making.LEAF_DAYS, identity: str = "") -> str:
        """Sign a charger's request and return its certificate with the intermediate as PEM.

        ``identity``: refuse a request whose common name is another. Raises BadCertificate.
        """
        request = _request(csr_pem)
        common = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if identity and (not common or common[0].value != identity):
            raise BadCertificate(
                f"The request is for “{str(common[0].value) if common else ''}”, not for “{identity}”.",
                "SEC16 A02 wants the charger's identity as common name.",
            )
        _, issuer = self._signers()
        until = min(self._now() + timedelta(days=days), issuer[0].not_valid_after_utc)
        signed = making.client(request, issuer, since=self._now() - making.BACKDATED, until=until)
        return _pem(signed) + _pem(issuer[0])

    def client(self, identity: str) -> ClientPapers:
        """Make a key and a client certificate for a charger that can't make its own. Raises BadCertificate."""
        key = making.ec_key()
        chain = self.issue(_pem(making.request(identity, key)))
        return ClientPapers(certificate=describe.describe(chain), chain_pem=chain, key_pem=Secret(_key_pem(key)))

    def has_issued(self, certificate: bytes | str) -> bool:
        """Say whether a certificate was signed by our root or intermediate."""
        return any(describe.is_issued_by(certificate, _pem(signer[0])) for signer in self._signers())

    def trusted_pem(self) -> str:
        """Return root and intermediate, for checking client certificates."""
        return "".join(_pem(signer[0]) for signer in self._signers())

    def lock(self) -> Secret:
        """Return what keys on disk are encrypted with; empty where no keyring keeps it beyond the program."""
        known = self._keep.get(PASSPHRASE)
        if known is None and self._is_kept():
            self._keep.set(PASSPHRASE, Secret(secrets.token_urlsafe(32)))
            known = self._keep.get(PASSPHRASE)
        return known if known is not None and self._is_kept() else Secret("")  # the keyring may just have failed

    # Inside -------------------------------------------------------------------------------------------------------

    def _leaf(self, personality: str, kind: str, names: tuple[str, ...], issuer: making.Signed) -> x509.Certificate:
        place = (personality, names)
        known = self._leaves.get(place)
        if known is not None and known.not_valid_after_utc - self._now() > making.RENEW:
            self._leaves.move_to_end(place)
            return known
        is_timeless = personality == "timeless"
        made = making.server(
            names,
            self._leaf_key(kind),
            None if personality == "rogue" else issuer,
            since=making.EPOCH if is_timeless else self._now() - making.BACKDATED,
            until=issuer[0].not_valid_after_utc if is_timeless else self._now() + timedelta(days=making.LEAF_DAYS),
            has_alternatives=personality != "cn",
            common=making.ORGANISATION if personality == "san" else "",
        )
        self._leaves[place] = made
        if len(self._leaves) > LEAVES:
            self._leaves.popitem(last=False)
        return made

    def _leaf_key(self, kind: str) -> making.Key:
        with self._making:  # two at once would make two keys, and a certificate for the one that is thrown away
            if kind not in self._leaf_keys:
                self._leaf_keys[kind] = making.ec_key() if kind == "ec" else making.rsa_key()
            return self._leaf_keys[kind]

    def _signers(self) -> tuple[making.Signed, making.Signed]:
        with self._making:  # the desk may prepare in a thread
            if self._made is None:
                self._made = self._read() or self._make()
            return self._made

    def _make(self) -> tuple[making.Signed, making.Signed]:
        root = making.root(self._now())
        made = (root, making.intermediate(self._now(), root))
        lock = self.lock()
        text = "".join(_key_pem(signer[1], lock) + _pem(signer[0]) for signer in made)
        try:
            write_private(self._folder / "authority.pem", text)
        except OSError as error:
            raise BadCertificate(
                f"Our own certificate authority can't be kept: {error.strerror or error}.",
                f"Check room and rights of {self._folder}.",
            ) from error
        return made

    def _is_kept(self) -> bool:
        return self._keep.is_persistent

    def _read(self) -> tuple[making.Signed, making.Signed] | None:
        path = self._folder / "authority.pem"
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        passphrase = self._keep.get(PASSPHRASE) if b"ENCRYPTED" in text else None
        if b"ENCRYPTED" in text and not passphrase:
            raise BadCertificate(
                "The key of our own certificate authority is locked: the keyring does not tell its passphrase.",
                f"Unlock this computer's keyring, or move {path} away: a new authority is made, and chargers must be "
                "given its root again.",
            )
        try:
            return _signers_of(text, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _unreadable(path, "it is damaged, or the passphrase is another") from error


def _signers_of(text: bytes, passphrase: Secret | None) -> tuple[making.Signed, making.Signed]:
    parts = [match[0] for match in _PEM.finditer(text)]
    if len(parts) != 4:
        raise ValueError("not two keys and two certificates")
    password = passphrase.reveal().encode() if passphrase else None
    keys = [serialization.load_pem_private_key(parts[at], password) for at in (0, 2)]
    certificates = [x509.load_pem_x509_certificate(parts[at]) for at in (1, 3)]
    signers = []
    for certificate, key in zip(certificates, keys, strict=True):
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise TypeError("another kind of key")
        if key.public_key() != certificate.public_key():
            raise ValueError("key and certificate do not belong together")
        signers.append((certificate, key))
    return signers[0], signers[1]


def _request(csr_pem: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(csr_pem[:65_536].encode())
        is_signed = request.is_signature_valid
        public = request.public_key()
        request.subject.rfc4514_string()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadCertificate("This is no certificate signing request.", "Send it as PEM (PKCS#10).") from error
    if not is_signed:
        raise BadCertificate("The request's signature is wrong.", "Have the charger make a new request.")
    size = getattr(public, "key_size", 0)
    least = _LEAST_RSA if isinstance(public, rsa.RSAPublicKey) else _LEAST_EC
    if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or size < least:
        raise BadCertificate(
            f"The request's key is too weak or of another kind ({size} bits).",
            "SEC16 A00.FR.502 and .503 want RSA from 2048 bits or an elliptic curve from 224.",
        )
    return request


def _unreadable(path: Path, why: str) -> BadCertificate:
    return BadCertificate(
        f"Our own certificate authority can't be read: {why}.",
        f"Put {path} back from a copy, or move it away: a new authority is made, and chargers must be given its root.",
    )


def _pem(item: x509.Certificate | x509.CertificateSigningRequest) -> str:
    return item.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: making.Key, lock: Secret | None = None) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption(lock)).decode()

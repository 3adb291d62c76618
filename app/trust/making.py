"""Make keys and sign certificates. Pure but for randomness; who keeps what is the authority's business."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Signed = tuple[x509.Certificate, Key]

ORGANISATION = "Rehome"
RSA_BITS = 2048
"""The least SEC16 A00.FR.502 allows, and the most that small controllers verify quickly."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Our own CA is valid since then: a charger without a clock must not fail for it (failures 7)."""
CA_DAYS = 7300
LEAF_DAYS = 397
"""What browsers and public CAs allow at most."""
RENEW = timedelta(days=30)
"""How long before its end a server certificate is made anew."""
BACKDATED = timedelta(days=2)
"""Clocks of units run late."""
CN_LIMIT = 64
"""RFC 5280 appendix A.1, ub-common-name."""
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?\Z")


def rsa_key() -> rsa.RSAPrivateKey:
    """Make an RSA key; takes some hundredths of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Make a key on P-256, the curve every TLS stack with elliptic curves has."""
    return ec.generate_private_key(ec.SECP256R1())


def is_host(text: str) -> bool:
    """Say whether a text can stand in a certificate as a host: a name or an address."""
    return bool(_HOST.match(text)) or _address(text) is not None


def root(now: datetime) -> Signed:
    """Make a root: its own issuer."""
    key = rsa_key()
    name = _name(f"Rehome local root {now:%Y-%m-%d}")
    builder = _builder(name, name, key, EPOCH, now + timedelta(days=CA_DAYS))
    return _ca(builder, None).sign(key, hashes.SHA256()), key


def intermediate(now: datetime, issuer: Signed) -> Signed:
    """Make a CA below the root, as backends have one; leaving it out of the chain is a fault of its own."""
    key = rsa_key()
    until = min(now + timedelta(days=CA_DAYS), issuer[0].not_valid_after_utc)
    builder = _builder(_name("Rehome local issuer"), issuer[0].subject, key, EPOCH, until)
    signed = _ca(builder, 0).add_extension(_authority(issuer), critical=False)
    return signed.sign(issuer[1], hashes.SHA256()), key


def server(
    names: Sequence[str],
    key: Key,
    issuer: Signed | None,
    *,
    since: datetime,
    until: datetime,
    has_alternatives: bool,
    common: str = "",
) -> x509.Certificate:
    """Sign a server certificate for names; the first is its common name, where no other is given.

    Without issuer it signs itself. ``has_alternatives`` false leaves subjectAltName out, as certificates of old did.
    """
    subject = _name(common or names[0])
    builder = _builder(subject, issuer[0].subject if issuer else subject, key, since, until)
    builder = _leaf_uses(builder, key, ExtendedKeyUsageOID.SERVER_AUTH)
    if has_alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
    if issuer:
        builder = builder.add_extension(_authority(issuer), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def client(
    request: x509.CertificateSigningRequest, issuer: Signed, *, since: datetime, until: datetime
) -> x509.Certificate:
    """Sign a charger's request: its name and key, for use as TLS client; what else it asks for is left out."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(issuer[0].subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(request.public_key()), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return builder.add_extension(_authority(issuer), critical=False).sign(issuer[1], hashes.SHA256())


def request(identity: str, key: Key) -> x509.CertificateSigningRequest:
    """Write a request for a client certificate, as a charger does (SEC16 A02: CN = its identity)."""
    return x509.CertificateSigningRequestBuilder().subject_name(_name(identity)).sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _ca(builder: x509.CertificateBuilder, path_length: int | None) -> x509.CertificateBuilder:
    uses = _key_usage(key_cert_sign=True, crl_sign=True)
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        uses, critical=True
    )


def _leaf_uses(builder: x509.CertificateBuilder, key: Key, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(key.public_key()), critical=True)
    return builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)


def _usage(public: object) -> x509.KeyUsage:
    """RSA keys also decipher: the suites without (EC)DHE need that."""
    return _key_usage(digital_signature=True, key_encipherment=isinstance(public, rsa.RSAPublicKey))


def _key_usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names.split()})


def _authority(issuer: Signed) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())


def _name(common: str) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        x509.NameAttribute(NameOID.COMMON_NAME, common[:CN_LIMIT] or ORGANISATION),
    ]
    return x509.Name(parts)


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    """Name hosts and addresses; the first also as a host where it is an address.

    Mbed TLS 2.28, the stack of many small controllers, compares an address with dNSName entries alone (measured).
    """
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        address = _address(name)
        if address is not None:
            found.append(x509.IPAddress(address))
        if address is None or name == names[0]:
            found.append(x509.DNSName(name.rstrip(".")))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return None

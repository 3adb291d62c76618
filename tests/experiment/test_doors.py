"""Which certificate a unit takes: units whose TLS is sick in one way each are told apart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import websockets
from cryptography import x509
from cryptography.x509.oid import NameOID
from websockets.typing import Subprotocol

from app import programs
from app.experiment.values import Tempo
from app.trust.wardrobe import Wardrobe
from tests.catalogue.kit import Rig
from tests.catalogue.peers import tls_last_words
from tests.experiment.lab import Lab, Unit, healthy, lab, living
from tests.ocpp.endpoint_kit import HOST

NAME = "rehome.local"
OCPP = [Subprotocol("ocpp1.6")]


class SecureUnit(Unit):
    """A unit that dials wss://, and looks at our certificate in its own way before it says a word."""

    def __init__(
        self, lab: Lab, context: ssl.SSLContext, *, accepts: Callable[[x509.Certificate], bool] = lambda _: True
    ) -> None:
        super().__init__(lab, healthy, ssl=context)
        self.context = context
        self.accepts = accepts

    async def _visit(self) -> None:
        if not await self._looks():
            return
        url = f"wss://{NAME}:{self.lab.site.port}/{self.identity}"
        async with websockets.connect(
            url, host=HOST, ssl=self.context, compression=None, subprotocols=OCPP, close_timeout=1
        ) as link:
            self.link = link
            await self.life(self)

    async def _looks(self) -> bool:
        """Dial, look at the certificate, and hang up where it does not please."""
        reader, writer = await asyncio.open_connection(HOST, self.lab.site.port, ssl=self.context, server_hostname=NAME)
        shown = writer.get_extra_info("ssl_object").getpeercert(True)
        pleases = self.accepts(x509.load_der_x509_certificate(shown))
        if pleases:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.read()
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
        return pleases


def blind() -> ssl.SSLContext:
    """The TLS of a unit that leaves the judgement of the certificate to its own program."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


async def certificates(wardrobe: Wardrobe, sign: str, make: Callable[[Lab], SecureUnit]) -> Any:
    async with lab(wardrobe) as place, living(make(place), connects=False):
        return await place.ends(sign, "certificate-personality", remote=f"{HOST}:1")


def marks(result: Any) -> dict[str, str]:
    return {item.setting: item.mark for item in result.rounds}


async def test_a_unit_without_our_root_refuses_all(wardrobe: Wardrobe) -> None:
    result = await certificates(wardrobe, "none", lambda place: SecureUnit(place, ssl.create_default_context()))
    assert set(marks(result).values()) == {"refused"}
    assert result.finding.code == "TLS-TRUST"


async def test_a_unit_with_our_root_alone_needs_the_whole_chain(wardrobe: Wardrobe) -> None:
    result = await certificates(wardrobe, "chain", lambda place: SecureUnit(place, place.trusting()))
    assert marks(result).pop("short") == "refused"
    assert result.subject.identity == "CP-1"


async def test_a_unit_that_knows_the_intermediate_too_takes_all(wardrobe: Wardrobe) -> None:
    def knowing(place: Lab) -> SecureUnit:
        context = place.trusting()
        context.load_verify_locations(cadata=wardrobe.authority.trusted_pem())
        return SecureUnit(place, context)

    await certificates(wardrobe, "all", knowing)


async def test_a_unit_that_reads_the_common_name_only(wardrobe: Wardrobe) -> None:
    def named(certificate: x509.Certificate) -> bool:
        return common_name(certificate) == NAME

    await certificates(wardrobe, "cn", lambda place: SecureUnit(place, blind(), accepts=named))


async def test_a_unit_that_knows_rsa_only(wardrobe: Wardrobe) -> None:
    def old(place: Lab) -> SecureUnit:
        context = place.trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        return SecureUnit(place, context)

    result = await certificates(wardrobe, "suite", old)
    assert marks(result)["ec"] == "refused"
    assert "EC key" in result.finding.details["refused"]


async def test_a_unit_that_lives_in_1970(wardrobe: Wardrobe) -> None:
    then = datetime(1970, 1, 2, tzinfo=UTC)

    def valid(certificate: x509.Certificate) -> bool:
        return certificate.not_valid_before_utc <= then <= certificate.not_valid_after_utc

    result = await certificates(wardrobe, "expired", lambda place: SecureUnit(place, blind(), accepts=valid))
    assert marks(result)["timeless"] == "taken"


async def test_a_unit_that_says_that_our_certificate_has_expired(wardrobe: Wardrobe) -> None:
    class Complaining(Unit):
        async def _visit(self) -> None:
            await tls_last_words(Rig(self.lab.site, wardrobe), 45)

    async with lab(wardrobe) as place, living(Complaining(place, healthy), connects=False):
        result = await place.ends("expired", "certificate-personality", remote=HOST)
    assert result.finding is not None
    assert result.finding.details["case"] == "tls"


async def test_a_unit_that_comes_without_tls_looks_at_no_certificate(wardrobe: Wardrobe) -> None:
    async with lab(wardrobe) as place, living(Unit(place, healthy)):
        result = await place.run("certificate-personality")
    assert result.sign == ""
    assert "ws://" in result.why


async def test_openssl_is_asked_too(wardrobe: Wardrobe) -> None:
    """A foreign client that trusts nobody: ``openssl s_client`` in a loop."""

    class Foreign(Unit):
        async def _visit(self) -> None:
            place = f"{HOST}:{self.lab.site.port}"
            command = ("openssl", "s_client", "-connect", place, "-servername", NAME, "-verify_return_error", "-brief")
            assert (await programs.run(*command, timeout_s=10)).code != 0

    async with lab(wardrobe) as place, living(Foreign(place, healthy), connects=False):
        await place.ends("none", "certificate-personality", remote=HOST)


# Without TLS --------------------------------------------------------------------------------------------------------


class Visiting(SecureUnit):
    """A unit that is set to ws:// once, and to wss:// again after its Boot."""

    async def _visit(self) -> None:
        if self.boot_status:
            await super()._visit()
            return
        async with websockets.connect(f"{self.lab.site.url}{self.identity}", subprotocols=OCPP) as link:
            self.link = link
            await self.boot()


async def test_a_unit_whose_clock_was_all_that_was_wrong(wardrobe: Wardrobe) -> None:
    async with lab(wardrobe) as place, living(Visiting(place, place.trusting()), connects=False):
        result = await place.ends("works-then", "plain-instead-of-tls")
    assert [item.mark for item in result.rounds] == ["plain", "taken"]


async def test_a_unit_that_fails_still_once_its_clock_is_right(wardrobe: Wardrobe) -> None:
    async with lab(wardrobe) as place, living(Visiting(place, ssl.create_default_context()), connects=False):
        await place.ends("fails-still", "plain-instead-of-tls")


async def test_a_unit_that_never_comes_without_tls(wardrobe: Wardrobe) -> None:
    async with lab(wardrobe, tempo=Tempo(pace=0.001, least_s=0.3)) as place:
        result = await place.ends("never-plain", "plain-instead-of-tls")
    assert [item.state.value for item in result.rounds] == ["done", "skipped"]

"""Which certificate a unit takes: units whose TLS is sick in one way each are told apart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from app.trust.wardrobe import Wardrobe
from tests.experiment.lab import Lab, Unit, healthy, lab, living
from tests.ocpp.endpoint_kit import HOST

NAME = "rehome.local"


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
        import websockets

        async with websockets.connect(
            url,
            host=HOST,
            ssl=self.context,
            compression=None,
            subprotocols=["ocpp1.6"],
            close_timeout=1,  # type: ignore[list-item]
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


async def test_a_unit_without_our_root_refuses_all(wardrobe: Wardrobe) -> None:
    result = await certificates(wardrobe, "none", lambda place: SecureUnit(place, ssl.create_default_context()))
    assert [item.mark for item in result.rounds] == ["refused"] * 6
    assert result.finding.code == "TLS-TRUST"


async def test_a_unit_with_our_root_takes_all(wardrobe: Wardrobe) -> None:
    await certificates(wardrobe, "chain", lambda place: SecureUnit(place, place.trusting()))

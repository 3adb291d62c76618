"""The DNS responder, asked over real sockets."""

from __future__ import annotations

from dnslib import DNSRecord

from app.model.garage import Stand
from tests.standin.kit import HOST, ask, desk


async def test_a_juicebox_gets_our_address_and_no_directory() -> None:
    async with desk() as garage:
        garage.choose(["juicebox-enel-us"])
        state = await garage.start(Stand.DNS, port=0)
        reply = await ask(state.port, DNSRecord.question("JBV1.Emotorwerks.com").pack())
        assert reply is not None
        found = DNSRecord.parse(reply)
        assert str(found.q.qname) == "JBV1.Emotorwerks.com."
        assert [str(item.rdata) for item in found.rr] == [HOST]
        reply = await ask(state.port, DNSRecord.question("directory-api.emotorwerks.com").pack())
        assert reply is not None
        assert DNSRecord.parse(reply).header.rcode == 3
        first, second = garage.log
        assert (first.client, first.name, first.kind, first.answer) == (HOST, "jbv1.emotorwerks.com", "A", HOST)
        assert "JuiceNet" in first.knows
        assert second.answer == "no such name"

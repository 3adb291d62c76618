"""The DNS responder, asked over real sockets by clients that are not ours."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from dnslib import EDNS0, QTYPE, RR, A, DNSHeader, DNSQuestion, DNSRecord

from app.errors import ServerError, ValueRejected
from app.model.garage import Asked, Stand
from app.standin import dns, forwarding, names
from app.standin.dns import DnsStand
from app.standin.forwarding import Forwarder
from tests.standin.kit import HOST, Loopback, Peer, ask, desk, peer

BOX = "jbv1.emotorwerks.com"


async def asked(port: int, name: str, kind: str = "A", **more: object) -> DNSRecord:
    reply = await ask(port, DNSRecord.question(name, kind).pack(), **more)  # type: ignore[arg-type]
    assert reply is not None
    return DNSRecord.parse(reply)


def addresses(record: DNSRecord) -> list[str]:
    return [str(item.rdata) for item in record.rr]


async def test_a_juicebox_gets_our_address_and_no_directory() -> None:
    async with desk() as garage:
        garage.choose(["juicebox-enel-us"])
        state = await garage.start(Stand.DNS, port=0)
        found = await asked(state.port, "JBV1.Emotorwerks.com")
        assert str(found.q.qname) == "JBV1.Emotorwerks.com."  # the client's own spelling
        assert addresses(found) == [HOST]
        assert (await asked(state.port, "directory-api.emotorwerks.com")).header.rcode == 3
        first, second = garage.log
        assert (first.client, first.name, first.kind, first.answer) == (HOST, BOX, "A", HOST)
        assert "JuiceNet" in first.knows
        assert second.answer == "no such name"
        assert garage.states[Stand.DNS].asked == 2


@pytest.mark.parametrize("kind", ["AAAA", "HTTPS", "TXT", "MX"])
async def test_an_answered_name_has_nothing_but_an_ipv4_address(kind: str) -> None:
    async with desk() as garage:
        garage.choose(["juicebox-voltie"])
        state = await garage.start(Stand.DNS, port=0)
        found = await asked(state.port, "dummy.voltie.us", kind)
        assert (found.header.rcode, found.rr, found.auth) == (0, [], [])


async def test_other_names_are_refused_and_tell_whom_a_charger_dials() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        assert (await asked(state.port, "EU.EVERON.IO")).header.rcode == 5
        assert (await asked(state.port, "old-cloud.example")).header.rcode == 5
        assert [item.knows for item in garage.log] == ["EVBox Everon", ""]


async def test_a_choice_counts_while_it_runs() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        assert (await asked(state.port, "csms.old-cloud.example")).header.rcode == 5
        garage.choose(names=["*.old-cloud.example"], refused=["update.old-cloud.example"])
        assert addresses(await asked(state.port, "csms.OLD-cloud.example")) == [HOST]
        assert (await asked(state.port, "update.old-cloud.example")).header.rcode == 3
        assert (await asked(state.port, "old-cloud.example")).header.rcode == 5  # the pattern is for what is below


async def test_edns_is_answered_and_unknown_versions_refused() -> None:
    async with desk() as garage:
        garage.choose(["juicebox-enel-us"])
        state = await garage.start(Stand.DNS, port=0)
        query = DNSRecord.question(BOX)
        query.add_ar(EDNS0(udp_len=4096))
        found = DNSRecord.parse(await ask(state.port, query.pack()) or b"")
        assert addresses(found) == [HOST]
        assert [item.rtype for item in found.ar] == [QTYPE.OPT]
        query = DNSRecord.question(BOX)
        query.add_ar(EDNS0(version=7))
        found = DNSRecord.parse(await ask(state.port, query.pack()) or b"")
        assert (found.header.rcode, found.ar[0].ttl >> 24) == (0, 1)  # BADVERS = 16


async def test_tcp_answers_several_questions_on_one_connection() -> None:
    async with desk() as garage:
        garage.choose(["juicebox-enel-us"])
        state = await garage.start(Stand.DNS, port=0)
        reader, writer = await asyncio.open_connection(HOST, state.port)
        both = [DNSRecord.question(BOX).pack(), DNSRecord.question("x.example").pack()]
        stream = b"".join(struct.pack("!H", len(item)) + item for item in both)
        writer.write(stream[:5])  # cut in the middle of a length
        await writer.drain()
        writer.write(stream[5:])
        found = []
        for _ in both:
            size = struct.unpack("!H", await reader.readexactly(2))[0]
            found.append(DNSRecord.parse(await reader.readexactly(size)))
        assert [item.header.rcode for item in found] == [0, 5]
        writer.close()
        await writer.wait_closed()


async def test_tcp_nonsense_is_hung_up_on_and_clients_are_bounded() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        reader, writer = await asyncio.open_connection(HOST, state.port)
        writer.write(b"\xff\xff" + bytes(50))
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        many = [await asyncio.open_connection(HOST, state.port) for _ in range(dns.TCP_CLIENTS + 1)]
        last = many[-1][0]
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await last.read() == b""
        for _, each in many:
            each.transport.abort()


async def test_a_silent_tcp_client_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, unit_s: float) -> None:
    monkeypatch.setattr(dns, "TCP_IDLE_S", unit_s)
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        reader, writer = await asyncio.open_connection(HOST, state.port)
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_strangers_get_no_answer_but_a_refusal() -> None:
    async with desk(Loopback(near=lambda host: host == HOST)) as garage:
        garage.choose(["juicebox-enel-us"], forward_to="127.0.0.9")
        state = await garage.start(Stand.DNS, port=0)
        assert (await asked(state.port, BOX, source="127.0.0.5")).header.rcode == 5
        assert (await asked(state.port, "x.example", source="127.0.0.5")).header.rcode == 5
        assert garage.log[-1].answer == "refused: not on this network"
        with socket.socket() as far:
            far.settimeout(5)
            far.bind(("127.0.0.5", 0))
            await asyncio.to_thread(far.connect, (HOST, state.port))
            with suppress(ConnectionResetError):
                assert await asyncio.to_thread(far.recv, 1) == b""


async def test_an_answer_is_no_question(unit_s: float) -> None:
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        reply = DNSRecord(DNSHeader(qr=1), q=DNSQuestion(BOX)).pack()
        assert await ask(state.port, reply, timeout_s=2 * unit_s) is None
        assert not garage.log


async def test_a_flood_is_cut_and_counted() -> None:
    async with stand() as (service, heard):
        query = DNSRecord.question(BOX).pack()
        sent: list[bytes] = []
        for _ in range(5 * int(dns.RATE)):
            service.heard(query, "127.0.0.7", sent.append, over_tcp=False)
        assert len(sent) == len(heard) <= dns.RATE + 20
        assert service.rates.dropped == 5 * dns.RATE - len(sent)
        service.heard(query, "127.0.0.8", sent.append, over_tcp=False)  # others have their own share
        assert heard[-1].client == "127.0.0.8"


# Forwarding


@asynccontextmanager
async def stand(
    port: int = 53,
    forward_to: str = "",
    *,
    is_near: Callable[[str], bool] = lambda _: True,
    forwarder: Forwarder | None = None,
) -> AsyncIterator[tuple[DnsStand, list[Asked]]]:
    heard: list[Asked] = []
    service = DnsStand(
        choice=names.read().choice(["juicebox-enel-us"], forward_to=forward_to),
        is_near=is_near,
        tell=heard.append,
        knows=lambda _: "",
        now=lambda: datetime.now(UTC),
        forwarder=forwarder or Forwarder(port=port),
    )
    await service.open(HOST, 0)
    try:
        yield service, heard
    finally:
        await service.close()


def resolved(data: bytes, address: str = "203.0.113.7") -> DNSRecord:
    query = DNSRecord.parse(data)
    reply = query.reply()
    reply.add_answer(RR(query.q.qname, QTYPE.A, ttl=5, rdata=A(address)))
    return reply


async def test_other_names_are_asked_of_the_resolver_under_other_numbers_and_ports() -> None:
    async with peer(lambda data: [resolved(data).pack()]) as (resolver, port), stand(port, HOST) as (service, heard):
        query = DNSRecord.question("firmware.example")
        for _ in range(8):
            reply = await ask(service.port, query.pack())
            assert reply is not None
            found = DNSRecord.parse(reply)
            assert (found.header.id, addresses(found)) == (query.header.id, ["203.0.113.7"])
        assert addresses(await asked(service.port, BOX)) == [HOST]
    numbers = {struct.unpack_from("!H", data)[0] for data, _ in resolver.heard}
    ports = {sender[1] for _, sender in resolver.heard}
    assert len(resolver.heard) == 8
    assert len(numbers) > 5
    assert len(ports) > 5
    assert heard[0].answer == "203.0.113.7 from 127.0.0.1"


async def test_guessed_answers_are_not_believed() -> None:
    def answers(data: bytes) -> list[bytes]:
        wrong_id, wrong_name, no_answer = resolved(data, "6.6.6.6"), resolved(data, "6.6.6.6"), DNSRecord.parse(data)
        wrong_id.header.id ^= 1
        wrong_name.questions = [DNSQuestion("evil.example")]
        return [wrong_id.pack(), wrong_name.pack(), no_answer.pack(), b"", b"\0" * 11, resolved(data).pack()]

    async with peer(answers) as (_, port), stand(port, HOST) as (service, _):
        assert addresses(await asked(service.port, "Firmware.example")) == ["203.0.113.7"]


async def test_a_silent_resolver_is_said_so(monkeypatch: pytest.MonkeyPatch, unit_s: float) -> None:
    monkeypatch.setattr(forwarding, "TRIES_S", (unit_s, unit_s))
    async with peer(lambda _: []) as (resolver, port), stand(port, HOST) as (service, heard):
        assert (await asked(service.port, "firmware.example")).header.rcode == 2
        assert len(resolver.heard) == 2
        assert heard[0].answer == "127.0.0.1 did not answer"


async def test_it_never_asks_itself() -> None:
    forwarder = Forwarder()
    async with stand(forwarder=forwarder) as (service, heard):
        forwarder.port = service.port
        service.choice = names.read().choice(forward_to=HOST)
        assert (await asked(service.port, "firmware.example")).header.rcode == 5
        assert len(heard) == 1


async def test_a_flood_of_strangers_leaves_ours_alone() -> None:
    async with stand(is_near=lambda host: host == HOST) as (service, heard):
        query, sent = DNSRecord.question(BOX).pack(), []
        for number in range(20_000):
            service.heard(query, f"10.9.{number % 200}.{number % 250}", sent.append, over_tcp=False)
        assert len(sent) < 100
        assert addresses(await asked(service.port, BOX)) == [HOST]
        assert heard[-1].client == HOST


async def test_waiting_questions_are_bounded() -> None:
    async with peer(lambda _: []) as (resolver, port), stand(port, HOST) as (service, heard):
        sent: list[bytes] = []
        for number in range(forwarding.PENDING_OF_ONE + 5):
            query = DNSRecord.question(f"n{number}.example").pack()
            service.heard(query, "127.0.0.7", sent.append, over_tcp=False)
            await asyncio.sleep(0)
        assert len(sent) == 5
        assert {DNSRecord.parse(item).header.rcode for item in sent} == {2}
        assert heard[0].answer == "too many questions wait for the resolver"
        service.heard(DNSRecord.question("x.example").pack(), "127.0.0.8", sent.append, over_tcp=False)
        assert len(sent) == 5  # another client still waits its turn
        assert isinstance(resolver, Peer)


async def test_an_answer_too_long_for_udp_is_cut_for_tcp() -> None:
    def long_answer(data: bytes) -> list[bytes]:
        reply = resolved(data)
        for _ in range(60):
            reply.add_answer(RR(reply.q.qname, QTYPE.A, ttl=5, rdata=A("203.0.113.8")))
        return [reply.pack()]

    async with peer(long_answer) as (_, port), stand(port, HOST) as (service, _):
        found = await asked(service.port, "big.example")
        assert (found.header.tc, found.rr) == (1, [])


async def test_a_tcp_question_goes_on_over_tcp() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        reply = resolved(await reader.readexactly(size)).pack()
        writer.write(struct.pack("!H", len(reply)) + reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server, stand(server.sockets[0].getsockname()[1], HOST) as (service, _):
        reader, writer = await asyncio.open_connection(HOST, service.port)
        query = DNSRecord.question("big.example").pack()
        writer.write(struct.pack("!H", len(query)) + query)
        async with asyncio.timeout(5):
            size = struct.unpack("!H", await reader.readexactly(2))[0]
            assert addresses(DNSRecord.parse(await reader.readexactly(size))) == ["203.0.113.7"]
        writer.close()
        await writer.wait_closed()


# What can't be


async def test_a_taken_port_and_a_strange_address_are_explained() -> None:
    async with desk() as garage, desk() as other:
        state = await garage.start(Stand.DNS, port=0)
        with pytest.raises(ServerError, match=f"Port {state.port} is already used") as caught:
            await other.start(Stand.DNS, port=state.port)
        assert "recipes" in caught.value.advice
        assert other.states[Stand.DNS].trouble
        assert not other.states[Stand.DNS].is_on
        with pytest.raises(ServerError, match="no adapter"):
            await other.start(Stand.DNS, host="192.0.2.1", port=0)


async def test_stopping_frees_the_port_and_is_idempotent() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        assert await garage.start(Stand.DNS, port=0) == state
        await garage.stop(Stand.DNS)
        await garage.stop(Stand.DNS)
        assert not garage.states[Stand.DNS].is_on
        again = await garage.start(Stand.DNS, port=state.port)
        assert again.port == state.port


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sets": ["nobody"]}, "no set"),
        ({"names": ["*.com"]}, "top-level"),
        ({"names": ["a b.example"]}, "not a host name"),
        ({"names": [""]}, "not a host name"),
        ({"names": ["x" * 64 + ".example"]}, "not a host name"),
        ({"names": ["x'; rm -rf /"]}, "not a host name"),
        ({"refused": ["a..b"]}, "not a host name"),
        ({"forward_to": "resolver.example"}, "not an address"),
        ({"forward_to": "224.0.0.251"}, "can't be a resolver"),
        ({"names": [f"n{number}.example" for number in range(501)]}, "More than 500"),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused(given: dict[str, object], words: str) -> None:
    async with desk() as garage:
        garage.choose(["juicebox-voltie"])
        with pytest.raises(ValueRejected, match=words):
            garage.choose(**given)  # type: ignore[arg-type]
        assert [item.id for item in garage.choice.sets] == ["juicebox-voltie"]

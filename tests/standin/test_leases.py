"""DHCP messages and leases, message by message (RFC 2131)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Garbled
from app.standin import dhcpwire, leases
from app.standin.dhcpwire import DNS, LEASE, MASK, NOBODY, NTP, REQUESTED, ROUTER, SERVER, Kind, Message
from app.standin.leases import LeaseBook

OURS = ipaddress.IPv4Address("10.77.0.1")


def message(kind: Kind, number: int = 1, **options: object) -> Message:
    fields = {key: options.pop(key) for key in ("client", "relay") if key in options}
    given = {int(key[1:]): ipaddress.IPv4Address(str(value)).packed for key, value in options.items()}
    return Message(kind=kind, xid=7, mac=f"02:00:00:00:00:{number:02x}", options=given, **fields)  # type: ignore[arg-type]


@pytest.fixture
def book() -> LeaseBook:
    return LeaseBook("10.77.0.1/24")


def taken(book: LeaseBook, number: int = 1, now_s: float = 0) -> ipaddress.IPv4Address:
    offer = book.answer(message(Kind.DISCOVER, number), now_s)
    assert offer is not None
    ack = book.answer(message(Kind.REQUEST, number, o50=offer.yours, o54=OURS), now_s)
    assert ack is not None
    assert (ack.kind, ack.yours) == (Kind.ACK, offer.yours)
    return ack.yours


def test_a_client_gets_an_address_and_us_for_everything(book: LeaseBook) -> None:
    offer = book.answer(message(Kind.DISCOVER), 0)
    assert offer is not None
    assert offer.kind is Kind.OFFER
    assert offer.yours in book.network
    assert offer.yours != OURS
    assert {offer.address(option) for option in (ROUTER, DNS, NTP, SERVER)} == {OURS}
    assert offer.address(MASK) == ipaddress.IPv4Address("255.255.255.0")
    assert int.from_bytes(offer.options[LEASE]) == leases.LEASE_S


def test_the_same_client_keeps_its_address_and_two_never_share_one(book: LeaseBook) -> None:
    first, second = taken(book, 1), taken(book, 2)
    assert first != second
    assert taken(book, 1, now_s=300) == first
    assert book.taken(300) == {"02:00:00:00:00:01": str(first), "02:00:00:00:00:02": str(second)}


def test_what_is_taken_or_not_ours_is_refused(book: LeaseBook) -> None:
    address = taken(book, 1)
    for wanted in (address, "10.77.0.1", "192.168.1.7"):
        reply = book.answer(message(Kind.REQUEST, 2, o50=wanted), 0)
        assert reply is not None
        assert (reply.kind, reply.yours, reply.is_broadcast) == (Kind.NAK, NOBODY, True)


def test_a_lease_is_renewed_runs_out_and_is_given_back(book: LeaseBook) -> None:
    address = taken(book, 1)
    renewed = book.answer(message(Kind.REQUEST, 1, client=address), 500)
    assert renewed is not None
    assert (renewed.kind, renewed.yours) == (Kind.ACK, address)
    assert book.taken(500 + leases.LEASE_S - 1)
    assert not book.taken(500 + leases.LEASE_S)
    again = taken(book, 1, 600)
    assert book.answer(message(Kind.RELEASE, 1, client=again), 600) is None
    assert not book.taken(600)


def test_an_address_that_is_in_use_rests(book: LeaseBook) -> None:
    address = taken(book, 1)
    assert book.answer(message(Kind.DECLINE, 1, o50=address, o54=OURS), 0) is None
    assert taken(book, 1) != address


def test_another_servers_offer_frees_ours_and_relayed_questions_are_not_ours(book: LeaseBook) -> None:
    assert book.answer(message(Kind.DISCOVER, 1), 0) is not None
    assert book.answer(message(Kind.REQUEST, 1, o50="10.77.0.99", o54="10.77.0.99"), 0) is None
    assert book.answer(message(Kind.DISCOVER, 1, relay=ipaddress.IPv4Address("10.9.9.9")), 0) is None


def test_the_pool_is_small_and_ends() -> None:
    book = LeaseBook("10.77.0.1/29")
    assert [str(ip) for ip in book.pool] == [f"10.77.0.{number}" for number in range(2, 7)]
    for number in range(5):
        taken(book, number)
    assert book.answer(message(Kind.DISCOVER, 9), 0) is None
    assert book.answer(message(Kind.DISCOVER, 9), leases.LEASE_S) is not None
    assert len(LeaseBook("10.0.0.1/8").pool) == leases.POOL


def test_an_address_given_by_hand_only_asks(book: LeaseBook) -> None:
    reply = book.answer(message(Kind.INFORM, 1, client=ipaddress.IPv4Address("10.77.0.50")), 0)
    assert reply is not None
    assert (reply.kind, reply.yours, LEASE in reply.options) == (Kind.ACK, NOBODY, False)


def test_messages_survive_the_wire() -> None:
    sent = message(Kind.REQUEST, 3, o50="10.77.0.9", o54=OURS)
    data = dhcpwire.write(sent)
    assert len(data) >= 300
    found = dhcpwire.read(data)
    assert (found.kind, found.mac, found.xid, found.address(REQUESTED)) == (Kind.REQUEST, sent.mac, 7, sent.address(50))


@given(st.binary(max_size=1600))
def test_any_bytes_are_survived(data: bytes) -> None:
    with pytest.raises(Garbled):
        dhcpwire.read(data)


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_any_options_are_survived(tail: bytes, cut: int) -> None:
    data = (dhcpwire.write(message(Kind.DISCOVER))[:240] + tail)[:cut]
    book = LeaseBook("10.77.0.1/24")
    try:
        found = dhcpwire.read(data)
    except Garbled:
        return
    reply = book.answer(found, 0)
    if reply is not None:
        assert dhcpwire.read(dhcpwire.write(reply)).mac == found.mac

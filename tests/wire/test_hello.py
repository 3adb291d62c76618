"""ClientHellos and alerts as bytes: what real stacks send, how they may be cut, and what a hostile one makes of them."""

from __future__ import annotations

import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Garbled
from app.model.frame import Hello
from app.ocpp.hello import HELLO_LIMIT, is_ssl2, read_alert, read_hello, sent_messages


def hello_of(**options: object) -> bytes:
    """Let the library's client write a ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        if name == "alpn":
            context.set_alpn_protocols(value)  # type: ignore[arg-type]
        elif name == "ciphers":
            context.set_ciphers(str(value))
        elif name == "maximum":
            context.maximum_version = value  # type: ignore[assignment]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=str(options.get("name", "csms.example"))).do_handshake()
    return outgoing.read()


def recut(hello: bytes, size: int) -> bytes:
    """Cut the handshake message into records of ``size`` bytes."""
    body = hello[5:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)


def test_a_modern_hello_is_read():
    read = read_hello(hello_of(alpn=["http/1.1", "ocpp"], name="garage.example"))
    assert read is not None
    assert read.versions[:2] == ("TLS 1.3", "TLS 1.2")
    assert read.server_name == "garage.example"
    assert read.alpn == ("http/1.1", "ocpp")
    assert "TLS_AES_256_GCM_SHA384" in read.suites
    assert "x25519" in read.groups
    assert "ecdsa_secp256r1_sha256" in read.signatures
    assert read.raw.startswith(b"\x16\x03")


def test_an_older_hello_names_every_version_it_stands_for():
    read = read_hello(hello_of(maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-RSA-AES128-GCM-SHA256"))
    assert read is not None
    assert read.versions[0] == "TLS 1.2"
    assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" in read.suites
    assert not any(suite.startswith("TLS_AES") for suite in read.suites)


def test_a_hello_without_extensions_is_read():
    body = bytes.fromhex("0301" + "00" * 32 + "00" + "0004002f000a" + "0100")
    message = b"\1" + len(body).to_bytes(3, "big") + body
    read = read_hello(b"\x16\x03\x01" + struct.pack("!H", len(message)) + message)
    assert read is not None
    assert read.versions == ("TLS 1.0",)
    assert read.suites == ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA")
    assert (read.server_name, read.groups, read.alpn) == ("", (), ())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 50, 10_000])
def test_a_hello_in_many_records_is_the_same(size: int):
    whole = hello_of()
    cut = recut(whole, size)
    read, plain = read_hello(cut), read_hello(whole)
    assert read is not None
    assert plain is not None
    assert (read.suites, read.versions, read.server_name) == (plain.suites, plain.versions, plain.server_name)


def test_a_hello_that_is_not_whole_yet_is_waited_for():
    whole = recut(hello_of(), 60)
    assert all(read_hello(whole[:end]) is None for end in range(len(whole)))
    assert read_hello(whole) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x07\x01\x00\x05\x01\x00\x00\x00\x00",
        b"\x16\x03\x01\xff\xff\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\x00\x01\x01" * (HELLO_LIMIT // 6 + 1),
    ],
)
def test_what_can_not_become_a_hello_is_refused(data: bytes):
    with pytest.raises(Garbled):
        read_hello(data)


def test_a_broken_extension_does_not_hide_the_rest():
    whole = hello_of(name="csms.example")
    name = b"\x00\x0f\x00\x00\x0ccsms.example"
    assert name in whole
    broken = whole.replace(name, b"\xff\xff" + name[2:])
    read = read_hello(broken)
    assert read is not None
    assert read.server_name == ""
    assert read.suites


@given(st.binary(max_size=400))
def test_any_bytes_behind_a_record_head_do_no_harm(data: bytes):
    for head in (b"\x16\x03\x01", b""):
        try:
            read = read_hello(head + data)
        except Garbled:
            continue
        assert read is None or isinstance(read, Hello)


@given(st.data())
def test_a_hello_with_any_byte_changed_does_no_harm(data: st.DataObject):
    whole = bytearray(hello_of())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(5, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = read_hello(bytes(whole))
    except Garbled:
        return
    assert read is None or all(name.isprintable() for name in (read.server_name, *read.alpn))


@given(st.binary(max_size=200))
def test_alerts_and_flights_of_any_bytes_do_no_harm(data: bytes):
    read_alert(data)
    is_ssl2(data)
    try:
        sent_messages(data)
    except Garbled:
        return


def test_alerts_are_read():
    alert = read_alert(b"\x15\x03\x03\x00\x02\x02\x30")
    assert alert is not None
    assert (alert.number, alert.name, alert.is_fatal) == (48, "unknown_ca", True)
    assert read_alert(b"\x15\x03\x03\x00\x20" + bytes(32)) is None
    assert read_alert(b"GET /") is None


def test_ssl_2_is_recognised():
    assert is_ssl2(bytes.fromhex("802e010002"))
    assert not is_ssl2(b"\x16\x03\x01\x00\x05")

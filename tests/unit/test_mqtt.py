"""The MQTT client against real mosquitto (where it is installed), our small broker, and peers that are none."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AuthFailed, Garbled, LinkLost, NotReachable, NotSupported, ProtocolError, TimedOut
from app.links.link import Credentials
from app.links.mqtt import PACKET_LIMIT, MqttTcp
from app.links.mqttframes import Kind, connect, fits, message, packet, publish, split, subscribe
from app.model.address import NetAddress
from app.model.secret import Secret
from app.programs import run
from app.scope import Scope
from app.sim.broker import Broker
from tests.drivers.rigs import peer
from tests.ports import free_port

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/usr/bin:/bin")
LOGIN = Credentials(user="tech", password=Secret("brok-er-word"))


@asynccontextmanager
async def mosquitto(tmp_path, *, with_login: bool = False) -> AsyncIterator[NetAddress]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", "persistence false", "user root"]
    if with_login:
        words = tmp_path / "words"
        made = await run("mosquitto_passwd", "-c", "-b", str(words), LOGIN.user, LOGIN.password.reveal(), timeout_s=10)
        assert made.code == 0
        lines += ["allow_anonymous false", f"password_file {words}"]
    else:
        lines += ["allow_anonymous true"]
    file = tmp_path / "mosquitto.conf"
    file.write_text("\n".join(lines) + "\n")
    running = await asyncio.create_subprocess_exec(
        MOSQUITTO, "-c", str(file), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert running.stderr is not None
    try:
        async with asyncio.timeout(10):
            while b"running" not in await running.stderr.readline():
                assert running.returncode is None
        yield NetAddress(host="127.0.0.1", port=port, scheme="mqtt")
    finally:
        running.terminate()
        await running.communicate()


@asynccontextmanager
async def ours(_tmp_path, *, with_login: bool = False) -> AsyncIterator[NetAddress]:
    login = (LOGIN.user, LOGIN.password.reveal()) if with_login else ("", "")
    async with Broker(login=login) as broker:
        yield broker.address


BROKERS = pytest.mark.parametrize("broker", [mosquitto, ours])


@BROKERS
async def test_messages_go_out_and_come_in_with_any_broker(broker, tmp_path):
    async with broker(tmp_path) as address:
        one, other = await MqttTcp.open(address), await MqttTcp.open(address)
        await one.subscribe("rehome/+/e2m/#")
        for number in range(50):
            await other.publish(f"rehome/a/e2m/{number}", f"ä€ {number}" + "x" * 20_000)
        await other.publish("rehome/a/m2e/x", "not for us")
        found = [await one.receive(timeout_s=5) for _ in range(50)]
        assert [topic for topic, _ in found] == [f"rehome/a/e2m/{number}" for number in range(50)]
        assert found[0][1].startswith("ä€ 0")
        with pytest.raises(TimedOut):
            await one.receive(timeout_s=0.05)
        await one.close()
        await one.close()
        await other.close()


@BROKERS
async def test_a_client_hears_itself_while_it_waits_for_an_acknowledgement(broker, tmp_path):
    async with broker(tmp_path) as address:
        link = await MqttTcp.open(address)
        await link.subscribe("a/#")
        for number in range(20):
            await link.publish("a/b", str(number))
        assert [(await link.receive(timeout_s=5))[1] for _ in range(20)] == [str(number) for number in range(20)]
        await link.close()


@BROKERS
async def test_login_is_wanted_wrong_and_right(broker, tmp_path):
    async with broker(tmp_path, with_login=True) as address:
        for login in (None, Credentials(user="tech", password=Secret("wrong"))):
            with pytest.raises(AuthFailed) as caught:
                await MqttTcp.open(address, credentials=login)
            assert "broker" in caught.value.advice
        link = await MqttTcp.open(address, credentials=LOGIN)
        await link.close()


async def heard_by_mosquitto(port: int, topic: str, say: Callable[[], Awaitable[object]]) -> str:
    """What mosquitto_sub prints: said again until it has heard it, for it does not tell when it listens."""
    command = ("mosquitto_sub", "-p", str(port), "-t", topic, "-q", "1", "-C", "1", "-W", "5")
    listener = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told = asyncio.ensure_future(listener.communicate())
    while not told.done():
        await say()
        await asyncio.wait([told], timeout=0.05)
    return told.result()[0].decode()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
async def test_the_tools_of_mosquitto_understand_us(tmp_path):
    async with mosquitto(tmp_path) as address:
        link = await MqttTcp.open(address)
        await link.subscribe("from/tool")
        told = ("-p", str(address.port), "-t", "from/tool", "-m", "hello", "-q", "1")
        assert (await run("mosquitto_pub", *told, timeout_s=5)).code == 0
        assert await link.receive(timeout_s=5) == ("from/tool", "hello")
        said = await heard_by_mosquitto(address.port, "to/tool", lambda: link.publish("to/tool", "world"))
        assert said == "world\n"
        await link.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
async def test_the_tools_of_mosquitto_understand_our_small_broker():
    async with Broker() as broker:
        told = ("mosquitto_pub", "-p", str(broker.port), "-t", "x/y", "-m", "both", "-q", "1")
        assert await heard_by_mosquitto(broker.port, "x/+", lambda: run(*told, timeout_s=5)) == "both\n"


async def test_a_lost_broker_and_a_refused_topic_are_told():
    async with Broker() as broker:
        link = await MqttTcp.open(broker.address)
        broker.refuses.add("secret/#")
        with pytest.raises(NotSupported, match="secret/#"):
            await link.subscribe("secret/#")
        broker.drop_all()
        with pytest.raises(LinkLost):
            await link.receive(timeout_s=5)
        with pytest.raises(LinkLost):
            await link.publish("a", "b")
        await link.close()
    with pytest.raises(NotReachable):
        await MqttTcp.open(broker.address)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00", b"\x20\x03\x00\x00\x00", b"\xff" * 50]
)
async def test_what_is_no_broker_is_told(answer):
    async with peer(answer) as address:
        with pytest.raises((ProtocolError, NotReachable)) as caught:
            await MqttTcp.open(address)
        assert caught.value.advice


@pytest.mark.parametrize(
    "sent",
    [
        packet(Kind.PUBLISH, b"\x00\x05ab"),
        packet(Kind.PUBLISH, b"\x00\x01a\xff\xfe"),
        packet(Kind.PUBLISH, b"\x00\x01\xff"),
        packet(Kind.PUBLISH, b"\x00\x01a\x00\x01x", flags=0b0110),
        b"\x30\xff\xff\xff\x7f",
        b"\x30\xff\xff\xff\xff\xff",
    ],
)
async def test_hostile_messages_are_garbled_and_bounded(sent):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(200)
        writer.write(packet(Kind.CONNACK, b"\x00\x00") + sent)
        await reader.read()
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    link = await MqttTcp.open(address)
    with pytest.raises(Garbled):
        await link.receive(timeout_s=5)
    await link.close()
    await asyncio.wait_for(ended.wait(), 5)
    server.close()
    await server.wait_closed()


async def test_long_messages_nobody_reads_are_not_kept_without_end():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(200)
        writer.write(packet(Kind.CONNACK, b"\x00\x00"))
        await reader.read(200)
        writer.write(packet(Kind.PUBLISH, b"\x00\x01a" + b"x" * (PACKET_LIMIT - 10)) * 20)
        with suppress(ConnectionError):
            await reader.read()
        writer.transport.abort()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = await MqttTcp.open(NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))
    with pytest.raises(Garbled, match="floods"):
        await link.subscribe("a")
    await link.close()
    await asyncio.wait_for(ended.wait(), 5)
    server.close()
    await server.wait_closed()


async def test_waiting_long_pings_the_broker(monkeypatch):
    monkeypatch.setattr("app.links.mqtt.PING_S", 0.05)
    async with Broker() as broker, Scope("test") as scope:
        link = await MqttTcp.open(broker.address)
        await link.subscribe("late")

        async def late() -> None:
            await asyncio.sleep(0.2)
            broker.spread("late", b"now")

        scope.isolated("late", late())
        assert await link.receive(timeout_s=5) == ("late", "now")
        await link.close()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_packet_a_wait_or_garbled(raw):
    try:
        found, rest = split(raw, PACKET_LIMIT)
    except Garbled:
        return
    assert found is None or len(rest) < len(raw)


@given(st.text(max_size=40), st.binary(max_size=400), st.integers(0, 65535))
def test_what_is_published_is_read_again(topic, payload, number):
    found, rest = split(publish(topic, payload, number=number) + b"more", PACKET_LIMIT)
    assert found is not None
    told = message(found)
    assert (told.topic, told.payload, told.number, rest) == (topic, payload, number, b"more")


def test_frames_are_those_of_the_standard():
    assert connect("a", keep_alive_s=60) == bytes.fromhex("100d00044d5154540402003c000161")
    assert subscribe("a/b", number=10) == bytes.fromhex("8208000a0003612f6201")  # MQTT 3.1.1 figure 3.23, one filter
    assert fits("sport/tennis/#", "sport/tennis/player1/ranking")
    assert fits("sport/+", "sport/")
    assert not fits("sport/+", "sport")

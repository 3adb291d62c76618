"""What goes over any of the four kinds of links can be written down without secrets, and played back."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Garbled, LinkLost, NotReachable, TimedOut, Unexpected
from app.links import recording
from app.links.link import Credentials, HttpManner, LineLink
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.links.redaction import Redactor
from app.links.replay import ReplayLinks, load
from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.secret import MASK, Secret
from tests.conftest import TIME_UNIT_S
from tests.unit.test_links import pty, tcp_server, udp_echo, web_server

WHERE = NetAddress(host="recorded")


def lines_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def line_from(link: LineLink) -> bytes:
    heard = b""
    while not heard.endswith(b"\r"):
        heard += await link.read(timeout_s=1)
    return heard


async def test_http_is_recorded_and_replayed(tmp_path: Path):
    answers = iter(["one", "two", "three"])

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            stream = web.WebSocketResponse()
            await stream.prepare(request)
            await stream.send_str('{"state":3}')
            return stream
        if request.method == "POST":
            return web.json_response({"msg": "done", "ocpp_authkey": "secret12"})
        return web.Response(text=next(answers), headers={"Set-Cookie": "session=abc"})

    file = tmp_path / "http.jsonl"
    with Recorder(file) as recorder:
        async with web_server(serve) as address:
            link = await RealLinks(recorder=recorder).http(
                address, credentials=Credentials(user="admin", password=Secret("hunter2"))
            )
            for _ in range(2):
                await link.request("GET", "/n", headers={"Authorization": "Basic Zm9vOmh1bnRlcjI="})
            await link.request("POST", "/config", json={"ocpp_authkey": "secret12", "text": "see hunter2"})
            assert [text async for text in link.websocket("/ws")] == ['{"state":3}']
            await link.close()
    written = file.read_text(encoding="utf-8")
    for secret in ("hunter2", "secret12", "Zm9vOmh1bnRlcjI=", "session=abc"):
        assert secret not in written
    replayed = await ReplayLinks.of(file).http(WHERE)
    assert [(await replayed.request("GET", "/n")).body for _ in range(3)] == [b"one", b"two", b"two"]
    assert (await replayed.request("POST", "/config", json={})).json()["msg"] == "done"
    assert await anext(replayed.websocket("/ws")) == '{"state":3}'
    with pytest.raises(Unexpected):
        await replayed.request("GET", "/never")
    await replayed.close()
    with pytest.raises(LinkLost):
        await replayed.request("GET", "/n")


async def test_a_failure_is_recorded_and_replayed_as_itself(tmp_path: Path, free_port: int):
    file = tmp_path / "fail.jsonl"
    with Recorder(file) as recorder:
        link = await RealLinks(recorder=recorder).http(NetAddress(host="127.0.0.1", port=free_port))
        with pytest.raises(NotReachable):
            await link.request("GET", "/")
        await link.close()
    replayed = await ReplayLinks.of(file).http(WHERE)
    with pytest.raises(NotReachable):
        await replayed.request("GET", "/")


async def test_tcp_is_recorded_and_replayed(tmp_path: Path):
    async def echo(reader: object, writer: object) -> None:
        while data := await reader.read(100):  # type: ignore[attr-defined]
            writer.write(data.upper())  # type: ignore[attr-defined]

    file = tmp_path / "tcp.jsonl"
    with Recorder(file) as recorder:
        async with tcp_server(echo) as address:
            link = await RealLinks(recorder=recorder).tcp(address)
            for word in (b"first", b"\xff\xfe second"):
                await link.write(word)
                await link.read(timeout_s=1)
            await link.close()
    replayed = await ReplayLinks.of(file).tcp(WHERE)
    with pytest.raises(TimedOut):
        await replayed.read(timeout_s=TIME_UNIT_S)
    await replayed.write(b"\xff\xfe second")
    assert await replayed.read(timeout_s=1) == b"\xff\xfe SECOND"
    await replayed.write(b"first")
    assert await replayed.read(timeout_s=1) == b"FIRST"
    with pytest.raises(Unexpected):
        await replayed.write(b"third")
    await replayed.close()
    with pytest.raises(LinkLost):
        await replayed.write(b"first")


async def test_udp_is_recorded_and_replayed(tmp_path: Path):
    file = tmp_path / "udp.jsonl"
    with Recorder(file) as recorder:
        async with udp_echo() as address:
            link = await RealLinks(recorder=recorder).udp(address)
            await link.send(b"ping")
            await link.receive(timeout_s=1)
            await link.close()
    replayed = await ReplayLinks.of(file).udp(WHERE)
    await replayed.send(b"ping")
    assert await replayed.receive(timeout_s=1) == b"PING"
    await replayed.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
async def test_serial_is_recorded_and_replayed(tmp_path: Path):
    file = tmp_path / "serial.jsonl"
    with Recorder(file) as recorder:
        async with pty() as (master, _, name):
            link = await RealLinks(recorder=recorder).serial(SerialAddress(port=name))
            await link.write(b"$GV^35\r")
            os.write(master, b"$OK 8.2.3 5.2.1^2F\r")
            await line_from(link)
            await link.close()
    replayed = await ReplayLinks.of(file).serial(SerialAddress(port="recorded"))
    await replayed.write(b"$GV^35\r")
    assert await line_from(replayed) == b"$OK 8.2.3 5.2.1^2F\r"
    await replayed.close()


async def test_json_on_a_stream_is_replayed_however_it_was_spaced(tmp_path: Path):
    async def echo(reader: object, writer: object) -> None:
        while data := await reader.read(100):  # type: ignore[attr-defined]
            writer.write(data)  # type: ignore[attr-defined]

    file = tmp_path / "json.jsonl"
    with Recorder(file) as recorder:
        async with tcp_server(echo) as address:
            link = await RealLinks(recorder=recorder).tcp(address)
            await link.write(b'{"a": 1, "pass": "hunter2"}')
            await link.read(timeout_s=1)
            await link.close()
    assert "hunter2" not in file.read_text(encoding="utf-8")
    replayed = await ReplayLinks.of(file).tcp(WHERE)
    await replayed.write(b'{"a":1,"pass":"another"}')
    assert json.loads(await replayed.read(timeout_s=1)) == {"a": 1, "pass": MASK}
    await replayed.close()


async def test_what_was_not_recorded_is_not_there(tmp_path: Path):
    links = ReplayLinks([])
    for opening in (links.http(WHERE), links.tcp(WHERE), links.udp(WHERE), links.serial(SerialAddress(port="x"))):
        with pytest.raises(NotReachable):
            await opening
    with pytest.raises(LinkLost):
        links.ocpp(OcppAddress(identity="x"))
    assert links.credentials(WHERE) is not None, "a replayed charger takes any login"


@pytest.mark.parametrize("text", ["{", "[]", '{"at":1}', "\x00"])
def test_a_damaged_recording_is_refused_naming_the_line(tmp_path: Path, text: str):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"link":"tcp x #1","direction":"in","text":"ok"}\n' + text + "\n", encoding="utf-8")
    with pytest.raises(Garbled, match="line 2"):
        load(file)


def test_a_recording_stops_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "SIZE_LIMIT", 2000)
    with Recorder(tmp_path / "big.jsonl") as recorder:
        for _ in range(100):
            recorder.note("tcp x #1", "in", b"x" * 500)
    assert (tmp_path / "big.jsonl").stat().st_size < 4000
    assert lines_of(tmp_path / "big.jsonl")[-1]["text"] == "size limit"


def test_secrets_are_masked_by_name_and_learnt():
    redactor = Redactor()
    shown = redactor.value(
        {
            "mqtt_pass": "mqtt-secret",
            "wizard_passed": True,
            "pass": "_DUMMY_PASSWORD",
            "list": [{"key": "AuthorizationKey", "value": "0badcafe"}, {"key": "Other", "value": "plain"}],
            "text": "the key is mqtt-secret",
        }
    )
    assert shown["mqtt_pass"] == MASK
    assert shown["wizard_passed"] is True
    assert shown["pass"] == "_DUMMY_PASSWORD"
    assert shown["list"] == [{"key": "AuthorizationKey", "value": MASK}, {"key": "Other", "value": "plain"}]
    assert shown["text"] == f"the key is {MASK}"
    assert redactor.text("later: 0badcafe") == f"later: {MASK}"


def test_a_hidden_secret_is_found_in_every_spelling():
    redactor = Redactor()
    secret = Secret('pä"ss wörd')
    redactor.hide(secret)
    for spelling in secret.spellings():
        assert spelling not in redactor.text(f"before {spelling} after")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_redaction_keeps_the_shape_of_what_is_no_secret(value: object):
    shown = Redactor().value(value)
    assert type(shown) is type(value)
    if isinstance(value, dict):
        assert set(shown) == set(value)


async def test_a_talk_with_secrets_of_its_own_is_recorded_and_replayed(tmp_path: Path):
    async def talk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(json.dumps({"type": "welcome", "odd": json.loads(message.data)["odd"]}))
        return socket

    manner, file = HttpManner(secret_keys=frozenset({"odd"})), tmp_path / "talk.jsonl"
    async with web_server(talk) as address:
        with Recorder(file) as recorder:
            link = await RealLinks(recorder=recorder).http(address, manner=manner)
            channel = await link.channel("/ws")
            await channel.send('{"type": "hello", "odd": "my-own-secret"}')
            assert "my-own-secret" in await channel.receive(timeout_s=2)
            await channel.close()
            await link.close()
    assert "my-own-secret" not in file.read_text()
    replayed = await (await ReplayLinks.of(file).http(WHERE, manner=manner)).channel("/ws")
    await replayed.send('{"type": "hello", "odd": "another-one"}')
    assert json.loads(await replayed.receive(timeout_s=1)) == {"type": "welcome", "odd": MASK}
    with pytest.raises(Unexpected):
        await replayed.send('{"type": "goodbye"}')

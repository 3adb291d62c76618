from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.model.address import BleAddress, NetAddress, OcppAddress, SerialAddress
from app.model.backend import Backend
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Boot, Handshake, Hello, Knock, TlsSession
from app.model.proof import STAGES, Known, LampState, Stage, chain, diagnosis, host_of, knocks_of, stage_of
from app.model.reading import StateChange
from app.model.unit import LinkState, SourceKind, Unit, Way

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def way(address, source=SourceKind.MDNS, *, is_present=True):
    return Way(driver_id="d", address=address, source=source, seen_at=NOW, is_present=is_present)


LAN = way(NetAddress(host="192.168.1.20"))
DIAL = way(OcppAddress(identity="CP1"), SourceKind.DIAL_IN)
CABLE = way(SerialAddress(port="/dev/ttyUSB0"), SourceKind.SERIAL)
DEAD = Backend(url="wss://dead.example/ocpp", identity="CP1")
SHAKE = Handshake(
    raw=b"",
    request_line="GET /CP1 HTTP/1.1",
    path="/CP1",
    headers=(("Host", "10.0.0.9:8180"),),
    identity="CP1",
    subprotocols=("ocpp1.6",),
    chosen_subprotocol="ocpp1.6",
    remote="192.168.1.20:50123",
    at=NOW,
)


def states(known):
    return {lamp.stage: lamp.state for lamp in chain(known)}


def unit(*ways, backend=None):
    return Unit(unit_id="u", ways=ways, backend=backend)


def knock(verdict, *, remote="192.168.1.20:5000", identity=""):
    return Knock(
        seq=1, at=NOW, remote=remote, verdict=verdict, text="text", first_bytes=b"\x16\x03\x01", identity=identity
    )


def test_the_chain_has_every_stage_once_in_order():
    assert tuple(lamp.stage for lamp in chain(Known(unit=unit()))) == STAGES


def test_nothing_known_lights_nothing():
    assert set(states(Known(unit=unit())).values()) == {LampState.NOT_ASKED}


def test_an_orphan_is_red_at_the_websocket_and_grey_right_of_it():
    known = Known(
        unit=unit(LAN, backend=DEAD),
        is_answering=True,
        says=LinkState(is_enabled=True, is_connected=False),
        statuses=(StateChange(unit_id="u", connector=1, state="Available", at=NOW),),
    )
    lamps = chain(known)
    first = diagnosis(lamps)
    assert first is not None
    assert first.stage is Stage.WEBSOCKET
    assert "wss://dead.example/ocpp" in first.evidence[0].text
    assert {lamp.state for lamp in lamps[STAGES.index(Stage.WEBSOCKET) + 1 :]} == {LampState.NOT_ASKED}
    assert states(known)[Stage.IP] is LampState.PROVED


def test_a_claimed_connection_is_no_proof():
    known = Known(unit=unit(LAN, backend=DEAD), is_answering=True, says=LinkState(is_enabled=True, is_connected=True))
    assert states(known)[Stage.WEBSOCKET] is LampState.NOT_ASKED


def test_a_charger_on_our_endpoint_is_proved_to_the_charge():
    known = Known(
        unit=unit(DIAL),
        handshake=SHAKE,
        is_connected=True,
        boot=Boot(vendor="V", model="M", at=NOW),
        statuses=(StateChange(unit_id="u", connector=1, state="Charging", at=NOW),),
        is_charging=True,
        charged_wh=412.0,
    )
    result = states(known)
    assert diagnosis(chain(known)) is None
    assert result[Stage.DNS] is LampState.NOT_NEEDED
    assert result[Stage.TLS] is LampState.NOT_NEEDED
    for stage in (Stage.POWER, Stage.LINK, Stage.IP, Stage.TCP, Stage.HTTP, Stage.WEBSOCKET, Stage.BOOT, Stage.CHARGE):
        assert result[stage] is LampState.PROVED, stage
    assert "0.41 kWh" in chain(known)[-1].text


def test_an_open_socket_overrules_an_older_complaint():
    finding = Finding(code="TLS-TRUST", severity=Severity.FAULT, evidence=(Evidence(label="alert", text="48"),))
    known = Known(unit=unit(DIAL), handshake=SHAKE, is_connected=True, findings=(finding,))
    assert states(known)[Stage.TLS] is LampState.ATTENTION
    assert states(known)[Stage.WEBSOCKET] is LampState.PROVED


def test_a_finding_makes_its_lamp_red():
    finding = Finding(code="DNS-FAIL", severity=Severity.FAULT, evidence=(Evidence(label="query", text="NXDOMAIN"),))
    first = diagnosis(chain(Known(unit=unit(LAN, backend=DEAD), is_answering=True, findings=(finding,))))
    assert first is not None
    assert first.stage is Stage.DNS
    assert first.evidence[-1].text == "NXDOMAIN"


@pytest.mark.parametrize("source", SourceKind)
def test_every_source_is_named_as_evidence_of_power(source):
    power = chain(Known(unit=unit(way(NetAddress(host="192.168.1.20"), source))))[0]
    assert power.state is LampState.PROVED
    assert power.evidence[0].label


def test_a_charger_heard_over_bluetooth_is_not_told_to_have_lost_its_network():
    air = way(BleAddress(device="AA:BB:CC:DD:EE:FF"), SourceKind.BLUETOOTH)
    link = next(lamp for lamp in chain(Known(unit=unit(air))) if lamp.stage is Stage.LINK)
    assert link.state is LampState.NOT_ASKED
    assert "Bluetooth" in link.text


def test_a_vanished_charger_is_red_at_the_link():
    gone = unit(way(NetAddress(host="192.168.1.20"), is_present=False))
    first = diagnosis(chain(Known(unit=gone)))
    assert first is not None
    assert first.stage is Stage.LINK


def test_a_charger_on_the_cable_alone_asks_nothing_of_its_network():
    result = states(Known(unit=unit(CABLE), is_answering=True))
    assert result[Stage.POWER] is LampState.PROVED
    assert result[Stage.LINK] is LampState.NOT_ASKED


@pytest.mark.parametrize(
    ("verdict", "stage"),
    [
        ("tls", Stage.TLS),
        ("tls-failed", Stage.TLS),
        ("version", Stage.WEBSOCKET),
        ("soap", Stage.HTTP),
        ("garbage", Stage.HTTP),
        ("refused", Stage.WEBSOCKET),
    ],
)
def test_a_knock_names_the_stage_that_failed(verdict, stage):
    first = diagnosis(chain(Known(unit=unit(LAN), is_answering=True, knocks=(knock(verdict),))))
    assert first is not None
    assert first.stage is stage


def test_a_handshake_over_tls_proves_tls():
    session = TlsSession(version="TLS 1.2", suite="AES128-SHA", personality="auto", hello=Hello())
    lamps = chain(Known(unit=unit(DIAL), handshake=replace(SHAKE, tls=session), is_connected=True))
    lamp = next(lamp for lamp in lamps if lamp.stage is Stage.TLS)
    assert lamp.state is LampState.PROVED
    assert "AES128-SHA" in lamp.evidence[0].text


def test_a_self_given_address_asks_for_attention():
    lonely = unit(way(NetAddress(host="169.254.3.4")))
    assert states(Known(unit=lonely, is_answering=True))[Stage.IP] is LampState.ATTENTION


def test_a_faulted_connector_is_red_at_the_status():
    bad = StateChange(unit_id="u", connector=2, state="Faulted", error="GroundFailure", at=NOW)
    first = diagnosis(chain(Known(unit=unit(DIAL), handshake=SHAKE, is_connected=True, statuses=(bad,))))
    assert first is not None
    assert first.stage is Stage.STATUS
    assert "GroundFailure" in first.evidence[0].text


def test_a_silent_interface_is_red_at_the_link_with_the_reason():
    first = diagnosis(chain(Known(unit=unit(LAN), trouble="192.168.1.20 did not answer within 5 s.")))
    assert first is not None
    assert first.stage is Stage.LINK
    assert "did not answer" in first.text


def test_knocks_belong_to_identity_or_address_but_never_to_all_of_this_computer():
    charger = unit(DIAL, way(NetAddress(host="127.0.0.1")), LAN)
    mine = knock("tls")
    named = knock("accepted", remote="127.0.0.1:9", identity="CP1")
    other = knock("tls", remote="127.0.0.1:9")
    stranger = knock("accepted", identity="CP2")
    assert knocks_of(charger, [mine, named, other, stranger]) == (mine, named)


def test_a_remote_text_is_taken_apart():
    assert host_of("192.168.1.20:5000") == "192.168.1.20"
    assert host_of("[fe80::1]:5000") == "fe80::1"
    assert host_of("fe80::1") == "fe80::1"


def test_an_unknown_code_lights_no_lamp():
    assert stage_of("SOMETHING") is None


def test_what_works_here_is_amber_at_most():
    finding = Finding(code="BOOT-SCHEMA", severity=Severity.FAULT)
    boot = Boot(vendor="V", model="M", at=NOW)
    known = Known(
        unit=unit(DIAL), handshake=SHAKE, is_connected=True, boot=boot, findings=(finding,), titles={"BOOT-SCHEMA": "T"}
    )
    lamp = chain(known)[STAGES.index(Stage.BOOT)]
    assert (lamp.state, lamp.text) == (LampState.ATTENTION, "T")


def test_a_finished_job_lights_what_nothing_newer_is_known_of():
    proof = (Evidence(label="job", text="“CP1” dialled this computer.", at=NOW),)
    moved = Backend(url="ws://csms.example/ocpp", identity="CP1")
    known = Known(unit=unit(LAN, backend=moved), is_answering=True, earlier={Stage.WEBSOCKET: proof, Stage.BOOT: proof})
    result = states(known)
    assert result[Stage.BOOT] is LampState.PROVED
    assert result[Stage.HTTP] is LampState.PROVED
    assert result[Stage.TLS] is LampState.NOT_NEEDED


def test_a_lost_connection_is_newer_than_a_finished_job():
    proof = (Evidence(label="job", text="It dialled."),)
    known = Known(
        unit=unit(LAN, backend=DEAD),
        is_answering=True,
        says=LinkState(is_enabled=True, is_connected=False),
        earlier={Stage.WEBSOCKET: proof},
    )
    assert states(known)[Stage.WEBSOCKET] is LampState.FAULT

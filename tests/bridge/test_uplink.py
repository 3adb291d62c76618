"""A bridged 1.6 charge point over real sockets, against our own central system."""

from __future__ import annotations

from app.bridge.station import Start
from app.model.bridge import LineState
from tests.acceptance.kit import central
from tests.bridge.lines import living


async def test_it_boots_tells_its_states_and_sells_one_session():
    async with central() as server, living(server.state.url) as unit:
        endpoint = await server.arrival("BOX-1", timeout_s=5)
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        await unit.until(lambda: {0, 1} <= set(endpoint.statuses))
        assert endpoint.statuses[1].state == "Available"
        assert unit.outlet.allowed_a == 0
        unit.plug_in()
        await unit.until(lambda: endpoint.statuses[1].state == "Preparing")
        answer = await endpoint.call("RemoteStartTransaction", {"idTag": "DRIVER"}, timeout_s=5)
        assert answer["status"] == "Accepted"
        await unit.until(lambda: endpoint.statuses[1].state == "Charging")
        session = unit.kept.sessions.running()
        assert session is not None
        await unit.until(lambda: unit.kept.sessions.running().transaction_id)
        assert unit.outlet.allowed_a == 32.0
        unit.unplug()
        await unit.until(lambda: not unit.outbox.messages)
        await unit.until(lambda: endpoint.statuses[1].state == "Available")
        delivered = unit.outbox.delivered
    assert [message.action for message in delivered] == ["StartTransaction", "StopTransaction"]
    assert delivered[1].payload["meterStop"] == int(unit.outlet.exact_wh)
    assert delivered[1].payload["reason"] == "EVDisconnected"
    assert unit.uplink.line is LineState.OFF


async def test_a_session_that_happened_while_the_backend_was_away_is_told_afterwards():
    async with central() as server, living(server.state.url, start=Start.FREE) as unit:
        endpoint = await server.arrival("BOX-1", timeout_s=5)
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        server.manner("BOX-1").refuses_upgrade = 503
        await endpoint.close()
        await unit.until(lambda: unit.uplink.line is LineState.DIALLING)
        unit.plug_in()
        await unit.until(lambda: unit.uplink.trouble.startswith("The backend is overloaded or closed (503)"))
        unit.unplug()
        assert [message.action for message in unit.outbox.messages] == ["StartTransaction", "StopTransaction"]
        server.manner("BOX-1").refuses_upgrade = 0
        await unit.until(lambda: not unit.outbox.messages)
    start, stop = unit.outbox.delivered
    assert start.payload["idTag"] == "BOXTAG"
    assert stop.payload["meterStop"] >= start.payload["meterStart"]


async def test_a_refusal_is_shown_in_words_and_dialled_again():
    async with central() as server:
        server.manner("BOX-1").refuses_upgrade = 401
        async with living(server.state.url) as unit:
            await unit.until(lambda: unit.uplink.trouble)
            status = unit.uplink.status
            assert status.trouble == "The backend refuses the password of BOX-1 (401)."
            assert status.line is LineState.DIALLING
            assert status.state == "Available"
            assert status.ceiling_a == 32.0
            assert "Set the same password" in unit.uplink.advice
            server.manner("BOX-1").refuses_upgrade = 0
            await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
            assert not unit.uplink.status.trouble


async def test_a_reset_boots_anew_and_the_ended_session_is_delivered():
    async with central() as server, living(server.state.url) as unit:
        endpoint = await server.arrival("BOX-1", timeout_s=5)
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        unit.plug_in()
        await endpoint.call("RemoteStartTransaction", {"idTag": "DRIVER"}, timeout_s=5)
        await unit.until(lambda: unit.outbox.delivered)
        assert (await endpoint.call("Reset", {"type": "Soft"}, timeout_s=5))["status"] == "Accepted"
        await unit.until(lambda: unit.uplink.dials == 2 and len(unit.outbox.delivered) == 2)
        boots = [text for direction, text in unit.texts if '"BootNotification"' in text]
    assert len(boots) == 2
    assert unit.outbox.delivered[1].payload["reason"] == "SoftReset"

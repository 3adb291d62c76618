"""Services asked of charge points built on mobilityhouse/ocpp, which checks every message of ours by its own rules."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

from app.model.card import Card, Mode
from app.ocpp.endpoint import Endpoint
from app.ocpp.services import certificates, limits, locallist, messages, reservations, transfer
from app.ocpp.services.schedule import Period, Profile
from tests.services.kit import Bench, bench

NOW = datetime.now(UTC)
LOG = b"log line\n" * 500


def put(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, data=LOG, method="PUT"), timeout=5).close()


class Old(ChargePoint16):  # type: ignore[misc]
    """A 1.6 charge point."""

    version = 0
    work: asyncio.Task[None] | None = None

    @on("GetLocalListVersion")
    def list_version(self, **_: Any) -> Any:
        return result16.GetLocalListVersion(list_version=self.version)

    @on("SendLocalList")
    def send_list(self, list_version: int, update_type: str, **_: Any) -> Any:
        self.version = list_version
        return result16.SendLocalList(status="Accepted")

    @on("GetConfiguration")
    def configuration(self, key: list[str] | None = None, **_: Any) -> Any:
        return result16.GetConfiguration(configuration_key=[], unknown_key=key or [])

    @on("ClearCache")
    def clear_cache(self, **_: Any) -> Any:
        return result16.ClearCache(status="Accepted")

    @on("ReserveNow")
    def reserve(self, **_: Any) -> Any:
        return result16.ReserveNow(status="Accepted")

    @on("SetChargingProfile")
    def limit(self, **_: Any) -> Any:
        return result16.SetChargingProfile(status="Accepted")

    @on("GetCompositeSchedule")
    def schedule(self, connector_id: int, duration: int, **_: Any) -> Any:
        period = {"startPeriod": 0, "limit": 10.0}
        return result16.GetCompositeSchedule(
            status="Accepted",
            connector_id=connector_id,
            schedule_start=datetime.now(UTC).isoformat(),
            charging_schedule={
                "duration": duration,
                "charging_rate_unit": "A",
                "charging_schedule_period": [period],
            },
        )

    @on("GetDiagnostics")
    def diagnostics(self, location: str, **_: Any) -> Any:
        self.work = asyncio.create_task(self.deliver(location))
        return result16.GetDiagnostics(file_name="old.log")

    async def deliver(self, location: str) -> None:
        await asyncio.to_thread(put, f"{location}old.log")
        await self.call(call16.DiagnosticsStatusNotification(status="Uploaded"))


class New(ChargePoint201):  # type: ignore[misc]
    """A 2.0.1 charging station."""

    root = ""
    work: asyncio.Task[Any] | None = None

    @on("InstallCertificate")
    def install(self, certificate_type: str, certificate: str, **_: Any) -> Any:
        self.root = certificate
        return result201.InstallCertificate(status="Accepted")

    @on("GetInstalledCertificateIds")
    def ids(self, **_: Any) -> Any:
        return result201.GetInstalledCertificateIds(status="NotFound")

    @on("GetVariables")
    def variables(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        rows = [{**item, "attribute_status": "UnknownVariable"} for item in get_variable_data]
        return result201.GetVariables(get_variable_result=rows)

    @on("TriggerMessage")
    def trigger(self, requested_message: str, **_: Any) -> Any:
        assert requested_message == "SignChargingStationCertificate"
        self.work = asyncio.create_task(self.call(call201.SignCertificate(csr=request_of("CP-2"))))
        return result201.TriggerMessage(status="Accepted")

    @on("CertificateSigned")
    def signed(self, certificate_chain: str, **_: Any) -> Any:
        return result201.CertificateSigned(status="Accepted")

    @on("SetDisplayMessage")
    def show(self, message: dict[str, Any], **_: Any) -> Any:
        return result201.SetDisplayMessage(status="NotSupportedState")

    @on("ReserveNow")
    def reserve(self, **_: Any) -> Any:
        return result201.ReserveNow(status="Occupied")


def request_of(name: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@asynccontextmanager
async def dialled(
    here: Bench, kind: Any, identity: str, protocol: str, boot: Any
) -> AsyncIterator[tuple[Any, Endpoint]]:
    async with websockets.connect(f"{here.site.url}{identity}", subprotocols=[protocol], compression=None) as link:  # type: ignore[list-item]
        point = kind(identity, link, response_timeout=5)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read(point))
            try:
                assert (await point.call(boot)).status == "Accepted"
                yield point, here.endpoint(identity)
            finally:
                reading.cancel()


async def _read(point: Any) -> None:
    with suppress(websockets.ConnectionClosed):
        await point.start()


async def test_a_1_6_charge_point_of_another_house_is_served(tmp_path: Path) -> None:
    boot = call16.BootNotification(charge_point_model="Wall", charge_point_vendor="Other")
    async with bench(tmp_path) as here, dialled(here, Old, "CP-1", "ocpp1.6", boot) as (point, endpoint):
        cards = here.desk.cards
        cards.put([Card(uid="04A2B3C4", expires_at=NOW + timedelta(days=9), group="G")], NOW)
        cards.choose(Mode.LIST)
        assert (await point.call(call16.Authorize(id_tag="c4b3a204"))).id_tag_info["status"] == "Accepted"
        assert (await point.call(call16.Authorize(id_tag="nobody"))).id_tag_info["status"] == "Invalid"
        assert (await locallist.send_list(endpoint, cards.cards, cards.shelf)).is_done
        assert (await locallist.clear_cache(endpoint))[0] == "Accepted"
        until = NOW + timedelta(hours=1)
        assert (await reservations.reserve(endpoint, 1, "04A2B3C4", until)).status == "Accepted"
        limit = Profile(profile_id=1, connector=1, stack_level=0, purpose="TxDefaultProfile", kind="Absolute",
                        unit="A", periods=(Period(start_s=0, limit=10),), start_at=NOW - timedelta(minutes=1))  # fmt: skip
        assert (await limits.set_limit(endpoint, limit))[0] == "Accepted"
        assert not (await limits.judge(endpoint, [limit], 1)).disagreements
        outcome = await transfer.fetch_diagnostics(endpoint, here.desk.site(endpoint))
        assert outcome.is_done
        assert outcome.received[0].path.read_bytes() == LOG


async def test_a_2_0_1_station_of_another_house_is_served(tmp_path: Path) -> None:
    boot = call201.BootNotification(charging_station={"model": "Post", "vendorName": "Other"}, reason="PowerUp")
    async with bench(tmp_path) as here, dialled(here, New, "CP-2", "ocpp2.0.1", boot) as (point, endpoint):
        token = {"id_token": "04A2B3C4", "type": "ISO14443"}
        assert (await point.call(call201.Authorize(id_token=token))).id_token_info["status"] == "Accepted"
        steps = await certificates.hand_over(endpoint, here.desk.certificates, wait_s=5)
        assert [step.is_done for step in steps] == [False]
        assert "does not list it" in steps[0].text
        assert point.root == here.authority.root.pem
        with here.desk.certificates.signings.subscribe() as signings:
            assert await certificates.ask_for_request(endpoint) == "Accepted"
            async with asyncio.timeout(5):
                assert (await anext(aiter(signings))).status == "Accepted"
        _, status, words = await messages.show(endpoint, "Hello", state="Idle")
        assert (status, "state" in words) == ("NotSupportedState", True)
        assert (await reservations.reserve(endpoint, 1, "X", NOW + timedelta(hours=1))).status == "Occupied"
        event = {"type": "StartupOfTheDevice", "timestamp": NOW.isoformat()}
        await point.call(call201.SecurityEventNotification(**event))
        assert [item.subject for item in here.desk.collected.of("CP-2")] == ["StartupOfTheDevice"]

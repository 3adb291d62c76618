"""Certificates: what is checked before one is sent, and what real answers of chargers are taken for."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadCertificate
from app.ocpp.services import certificates
from app.ocpp.services.certcheck import CertificateId, Store, doubts, store_of
from app.trust import describe
from tests.services.kit import Bench, bench, settings16

NOW = datetime.now(UTC)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


def openssl(*arguments: str, folder: Path) -> str:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


class CertificateStore:
    """A charger's certificate store, by the book."""

    def __init__(self, *, answer: str = "Accepted", forgets: bool = False) -> None:
        self.pems: list[str] = []
        self.answer, self.forgets = answer, forgets

    def install(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.answer == "Accepted" and not self.forgets:
            self.pems.append(request["certificate"])
        return {"status": self.answer}

    def ids16(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self.pems or request["certificateType"] != "CentralSystemRootCertificate":
            return {"status": "NotFound"}
        return {"status": "Accepted", "certificateHashData": [CertificateId.of(pem).payload for pem in self.pems]}

    def ids2(self, _: dict[str, Any]) -> dict[str, Any]:
        if not self.pems:
            return {"status": "NotFound"}
        rows = [
            {"certificateType": "CSMSRootCertificate", "certificateHashData": CertificateId.of(pem).payload}
            for pem in self.pems
        ]
        return {"status": "Accepted", "certificateHashDataChain": rows}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = CertificateId.read(request["certificateHashData"])
        assert wanted is not None
        left = [pem for pem in self.pems if not wanted.means(pem)]
        if len(left) == len(self.pems):
            return {"status": "NotFound"}
        self.pems = left
        return {"status": "Accepted"}

    def answers(self, version: str, **settings: str) -> dict[str, Any]:
        return {
            "InstallCertificate": self.install,
            "GetInstalledCertificateIds": self.ids16 if version == "1.6" else self.ids2,
            "DeleteCertificate": self.delete,
            "GetConfiguration": settings16(**settings),
        }


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_our_root_is_installed_seen_and_deleted(tmp_path: Path, version: str) -> None:
    store = CertificateStore()
    async with bench(tmp_path) as here, here.peer(version, **store.answers(version)):
        root = here.authority.root
        change = await certificates.install_root(here.endpoint(), root.pem)
        assert (change.is_done, change.is_seen) == (True, True)
        (found,) = await certificates.installed(here.endpoint(), [root])
        assert found.certificate == root
        gone = await certificates.delete(here.endpoint(), found.id)
        assert (gone.is_done, gone.is_seen) == (True, True)
        assert await certificates.installed(here.endpoint()) == ()
        assert (await certificates.delete(here.endpoint(), found.id)).status == "NotFound"


@needs_openssl
async def test_ids_agree_with_openssl(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        (tmp_path / "root.pem").write_text(here.authority.root.pem)
        text = openssl("ocsp", "-issuer", "root.pem", "-sha256", "-cert", "root.pem", "-req_text", folder=tmp_path)
        ours = CertificateId.of(here.authority.root.pem)
        for part in (ours.name_hash, ours.key_hash, ours.serial):
            assert part.lower().lstrip("0") in text.lower()


async def test_a_leaf_and_an_intermediate_are_not_sent_as_roots(tmp_path: Path) -> None:
    store = CertificateStore()
    async with bench(tmp_path) as here, here.peer("1.6", **store.answers("1.6")) as peer:
        chain, _ = here.authority.leaf("rsa", ("charger.example",))
        with pytest.raises(BadCertificate, match="no CA"):
            await certificates.install_root(here.endpoint(), chain)
        with pytest.raises(BadCertificate, match="intermediate"):
            await certificates.install_root(here.endpoint(), here.authority.intermediate.pem)
        assert not peer.sent("InstallCertificate")


async def test_a_full_store_is_foreseen(tmp_path: Path) -> None:
    store = CertificateStore()
    store.pems = [here_root(tmp_path / "other")]
    async with bench(tmp_path) as here, here.peer("1.6", **store.answers("1.6", CertificateStoreMaxLength="1")) as peer:
        with pytest.raises(BadCertificate, match="places"):
            await certificates.install_root(here.endpoint(), here.authority.root.pem)
        assert not peer.sent("InstallCertificate")


def here_root(folder: Path) -> str:
    from app.storage.vault import MemoryVault
    from app.trust.authority import Authority

    return Authority.open(MemoryVault(), folder).root.pem


async def test_the_root_ratchet_explains_a_refusal(tmp_path: Path) -> None:
    store = CertificateStore(answer="Rejected")
    store.pems = [here_root(tmp_path / "other")]
    settings = {"AdditionalRootCertificateCheck": "true"}
    async with bench(tmp_path) as here, here.peer("1.6", **store.answers("1.6", **settings)):
        change = await certificates.install_root(here.endpoint(), here.authority.root.pem)
        assert not change.is_done
        assert "signed by the one it has" in change.text


async def test_accepted_but_not_there_is_caught(tmp_path: Path) -> None:
    store = CertificateStore(forgets=True)
    async with bench(tmp_path) as here, here.peer("2.0.1", **store.answers("2.0.1")):
        change = await certificates.install_root(here.endpoint(), here.authority.root.pem)
        assert (change.status, change.is_done) == ("Accepted", False)


def test_an_expired_root_and_one_of_tomorrow_are_stopped(tmp_path: Path) -> None:
    pem = here_root(tmp_path)
    shown = describe.describe(pem)
    assert shown.not_after is not None
    assert shown.not_before is not None
    assert any(item.is_stop for item in doubts(pem, Store(), shown.not_after + timedelta(days=1)))
    assert any("clock" in item.remedy for item in doubts(pem, Store(), shown.not_before - timedelta(days=1)))
    soon = doubts(pem, Store(), shown.not_after - timedelta(days=10))
    assert soon
    assert not any(item.is_stop for item in soon)
    assert doubts(pem, Store(), NOW) == ()


def test_the_store_is_read_from_the_keys_of_both_versions() -> None:
    old = store_of({"AdditionalRootCertificateCheck": "True", "CertificateStoreMaxLength": "4"}, ())
    new = store_of({"SecurityCtrlr.AdditionalRootCertificateCheck": "true"}, ())
    assert (old.is_chained, old.slots, new.is_chained, new.slots) == (True, 4, True, None)
    assert store_of({"CertificateStoreMaxLength": "many"}, ()).slots is None


# Signing


async def request_of(folder: Path, name: str) -> str:
    await asyncio.to_thread(
        lambda: openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "cp.key", "-out", "cp.csr", "-subj", f"/CN={name}/O=Acme", folder=folder,
        )
    )  # fmt: skip
    return (folder / "cp.csr").read_text()


async def signing(here: Bench) -> certificates.Signing:
    with here.desk.certificates.signings.subscribe() as signings:
        async with asyncio.timeout(5):
            return await anext(aiter(signings))


@needs_openssl
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_request_made_by_openssl_comes_back_signed_and_verifies(tmp_path: Path, version: str) -> None:
    csr = await request_of(tmp_path, "CP-1")
    async with bench(tmp_path) as here, here.peer(version, CertificateSigned={"status": "Accepted"}) as peer:
        waiting = asyncio.create_task(signing(here))
        await asyncio.sleep(0)
        assert (await peer.ask("SignCertificate", {"csr": csr}))["status"] == "Accepted"
        done = await waiting
        assert (done.status, done.identity) == ("Accepted", "CP-1")
        chain = peer.sent("CertificateSigned")[0]["certificateChain"]
        (tmp_path / "root.pem").write_text(here.authority.root.pem)
        (tmp_path / "chain.pem").write_text(chain)
        said = openssl("verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "chain.pem", folder=tmp_path)
        assert "OK" in said


async def test_a_request_that_is_none_is_told_and_answered_validly(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer("1.6") as peer:
        waiting = asyncio.create_task(signing(here))
        await asyncio.sleep(0)
        assert (await peer.ask("SignCertificate", {"csr": "nonsense"}))["status"] == "Accepted"
        assert (await waiting).status == ""
        assert not peer.sent("CertificateSigned")
        assert (await peer.ask("SignCertificate", {"csr": ""}))["status"] == "Rejected"


@needs_openssl
async def test_the_hand_over_to_profile_3_goes_step_by_step(tmp_path: Path) -> None:
    csr = await request_of(tmp_path, "another")
    store = CertificateStore()
    async with bench(tmp_path) as here:
        async with here.peer("1.6", **store.answers("1.6"), CertificateSigned={"status": "Accepted"}) as peer:
            signing_now: list[asyncio.Task[Any]] = []

            def trigger(_: dict[str, Any]) -> dict[str, Any]:
                signing_now.append(asyncio.create_task(peer.ask("SignCertificate", {"csr": csr})))
                return {"status": "Accepted"}

            peer.answers["ExtendedTriggerMessage"] = trigger
            peer.answers["ChangeConfiguration"] = {"status": "RebootRequired"}
            steps = await certificates.hand_over(here.endpoint(), here.desk.certificates, wait_s=5, raises_profile=True)
            await asyncio.gather(*signing_now)
        assert [step.is_done for step in steps] == [True, True, True]
        assert "stands for “another”" in steps[1].text
        order = [name for name, _ in peer.commands if name not in ("GetConfiguration", "GetInstalledCertificateIds")]
        assert order == ["InstallCertificate", "ExtendedTriggerMessage", "CertificateSigned", "ChangeConfiguration"]


async def test_the_profile_is_never_raised_when_a_step_before_it_failed(tmp_path: Path) -> None:
    store = CertificateStore(answer="Rejected")
    async with bench(tmp_path) as here, here.peer("1.6", **store.answers("1.6")) as peer:
        steps = await certificates.hand_over(here.endpoint(), here.desk.certificates, raises_profile=True)
        assert [step.is_done for step in steps] == [False]
        assert not peer.sent("ChangeConfiguration")

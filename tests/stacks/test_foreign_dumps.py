"""Configurations as programs that other people wrote sent them, recorded from the wire."""

from __future__ import annotations

from pathlib import Path

from app import resources
from app.diagnosis import dump, explained, wishes
from app.diagnosis.explained import Origin, Report
from app.diagnosis.wishes import Verdict
from app.driver.registry import load_profiles

DUMPS = Path(__file__).parent / "dumps"
PROFILES = load_profiles(resources.texts("profiles", ".toml"))


def explained_file(name: str) -> Report:
    return explained.explain(dump.read((DUMPS / name).read_bytes()), PROFILES)


def test_microocpp_is_recognised_and_nothing_of_it_is_unknown() -> None:
    """MicroOcppSimulator 2cb07cd with MicroOcpp 4b89f46: its answer to GetConfiguration."""
    told = explained_file("microocpp-4b89f46-1.6.json")
    assert told.recognition.stack is not None
    assert told.recognition.stack.id == "microocpp"
    assert told.is_whole
    assert [item.key for item in told.settings if item.origin is Origin.UNKNOWN] == []
    assert {item.key: item.holds for item in told.settings if item.holds} == {
        "Cst_BackendUrl": "url",
        "Cst_ChargeBoxId": "identity",
    }
    assert [item.key for item in told.missing] == ["ConnectorPhaseRotation"], "it really does not have it"


def test_microocpps_behaviour_offline_is_told() -> None:
    at = dump.read((DUMPS / "microocpp-4b89f46-1.6.json").read_bytes())
    verdicts = {
        item.id: wishes.judge(at, wishes.question("offline"), item).verdict
        for item in wishes.question("offline").options
    }
    assert verdicts == {"everyone": Verdict.DIFFERS, "known": Verdict.FITS, "nobody": Verdict.DIFFERS}


def test_microocpp_on_2x_is_known_by_a_variable_of_its_own() -> None:
    """Its report names no SecurityCtrlr: there is no way to move it over OCPP 2.0.1."""
    told = explained_file("microocpp-4b89f46-2.0.1.log")
    assert told.version == "2.x"
    assert told.recognition.stack is not None
    assert told.recognition.stack.id == "microocpp"
    assert not [item for item in told.settings if item.holds]
    assert told.address_words.endswith("This configuration shows none of these keys.")
    assert [item.key for item in told.settings if item.origin is Origin.UNKNOWN] == [
        "AlignedDataCtrlr.AlignedDataMeasurands"
    ]


def test_a_log_that_its_program_cut_is_read_as_far_as_it_goes() -> None:
    """MicroOcpp's own log ends long frames in the middle."""
    told = explained_file("microocpp-4b89f46-2.0.1-cut.log")
    assert told.is_cut
    assert len(told.settings) > 10
    assert told.recognition.stack is not None

"""Which stack a dump comes from: the vendor key table as data, proof, ties, and what nobody knows."""

from __future__ import annotations

import pytest

from app import resources
from app.diagnosis import stacks
from app.diagnosis.stacks import Offered, is_read_singly, recognise
from app.driver.registry import load_profiles
from app.errors import ProfileError
from app.model.profile import Grade

PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}
ADDRESS_KEYS = {key.key for profile in PROFILES.values() for key in profile.backend_keys}

TABLE = {
    1: ("BackOffice-URL-wired",),
    2: ("BackOffice-Path-wired",),
    3: ("BackOffice-URL-APN",),
    4: ("BackOffice-Path-APN",),
    5: ("BackOfficeNetworkProfile1",),
    6: (
        "AlfenStation.BackOffice-URL-wired",
        "AlfenStation.BackOffice-Path-wired",
        "AlfenStation.BackOffice-URL-APN",
        "AlfenStation.BackOffice-Path-APN",
    ),
    7: ("Identity", "PW-SetChargerPassword", "Station-MaxCurrent"),
    8: ("PlugAndChargeIdentifier",),
    9: ("evb_ServerURL",),
    10: ("evb_UseBackend",),
    11: ("evb_SerialAsConnectorId", "evb_ConnectorList"),
    12: ("evb_APNName", "evb_APNUser", "evb_APNPass"),
    13: ("evb_SupportedMeasurands", "evb_AutoStart"),
    14: ("NetworkConnectionProfile1", "NetworkConnectionProfile2"),
    15: ("NetworkConfigurationPriority",),
    16: ("NetworkProfileConnectionTimeoutSec",),
    17: ("OCPPEndPoint",),
    18: ("CentralSystemURI", "ChargePointId"),
    19: ("CentralSystemURL", "OcppProtocol"),
    20: ("Cst_BackendUrl",),
    21: ("Cst_ChargeBoxId",),
    22: ("Cst_ReconnectInterval", "Cst_StaleTimeout"),
    23: (
        "Cst_FreeVendActive",
        "Cst_FreeVendIdTag",
        "Cst_PreBootTransactions",
        "Cst_SilentOfflineTransactions",
        "Cst_AuthorizationTimeout",
    ),
    24: ("SecurityCtrlr.CsmsUrl", "SecurityCtrlr.Identity"),
    25: ("ChargePointId",),
    26: ("CentralSystemAddress",),
    27: ("ACPhaseSwitchingSupported",),
    28: ("MinChargingCurrent", "RequestedCurrent"),
    29: ("AccessPointName",),
}
"""The keys of chargers-commercial 3.1 by row; 30 (Bender) is read from the unit."""
NOT_OVER_OCPP = [
    "abb",
    "autel",
    "delta",
    "easee",
    "schneider",
    "siemens",
    "tritium",
    "wallbox",
    "zaptec",
    "kempower",
    "btc-power",
    "chargepoint",
    "go-e",
]


def by_id(stack_id: str) -> stacks.Stack:
    return next(stack for stack in stacks.stacks() if stack.id == stack_id)


@pytest.mark.parametrize("row", TABLE)
def test_every_row_of_the_table_is_explained(row: int) -> None:
    explained = {key.key for stack in stacks.stacks() for key in stack.keys}
    for key in TABLE[row]:
        assert key in explained | ADDRESS_KEYS, key


def test_a_key_is_described_in_one_place_only() -> None:
    for stack in stacks.stacks():
        own = PROFILES[stack.profile].backend_keys if stack.profile else ()
        assert not {key.key for key in stack.keys} & {key.key for key in own}, stack.id


def test_a_stack_leads_to_a_profile_that_exists() -> None:
    assert {stack.profile for stack in stacks.stacks() if stack.profile} <= PROFILES.keys()


def test_every_fact_names_its_source() -> None:
    for stack in stacks.stacks():
        for fact in (stack.address, *stack.marks, *stack.keys, *([stack.reading] if stack.reading else [])):
            assert fact.evidence.source


@pytest.mark.parametrize("stack_id", NOT_OVER_OCPP)
def test_where_no_key_is_known_this_is_said_and_not_dressed_up(stack_id: str) -> None:
    stack = by_id(stack_id)
    assert stack.address.offered in (Offered.NOT_FOUND, Offered.NONE)
    assert "over OCPP" in stack.address.text
    assert stack_id == "go-e" or stack.address.evidence.grade is Grade.UNVERIFIED


def test_bender_sends_one_to_the_page_of_the_unit() -> None:
    assert by_id("bender").address.offered is Offered.ELSEWHERE
    assert "/doc/doc_1" in by_id("bender").address.text


@pytest.mark.parametrize(
    ("keys", "stack_id"),
    [
        (("HeartbeatInterval", "BackOffice-URL-wired"), "alfen"),
        (("AlfenStation.AuthorizationMethod",), "alfen"),
        (("evb_AutoStart",), "evbox"),
        (("NetworkConnectionProfile1", "NetworkConfigurationPriority"), "amina"),
        (("OCPPEndPoint",), "evnex"),
        (("CentralSystemURI", "ChargePointId"), "everest"),
        (("InternalCtrlr.NetworkConnectionProfiles",), "everest"),
        (("CentralSystemURL", "OcppProtocol", "ChargePointId"), "openocpp"),
        (("Cst_BackendUrl",), "microocpp"),
        (("SecurityCtrlr.CsmsUrl",), "microocpp"),
        (("ACPhaseSwitchingSupported",), "charge-amps"),
        (("MinChargingCurrent", "RequestedCurrent"), "go-e"),
        (("AccessPointName", "LateOccupied", "PushMeterConfiguration"), "abl"),
        (("CentralSystemAddress",), "sap-simulator"),
        (("RCMBDelta",), "bender"),
    ],
)
def test_a_stack_is_recognised_by_its_own_keys(keys: tuple[str, ...], stack_id: str) -> None:
    found = recognise(keys)
    assert found.stack is not None
    assert found.stack.id == stack_id
    assert set(found.candidates[0].proofs) <= set(keys)
    assert found.candidates[0].proofs


def test_keys_of_everybody_prove_nothing() -> None:
    assert recognise(("HeartbeatInterval", "AuthorizationKey", "SecurityCtrlr.Identity")).candidates == ()
    assert recognise(()).stack is None


def test_a_tie_is_said_to_be_one() -> None:
    found = recognise(("ChargePointId",))
    assert found.stack is None
    assert found.is_tie
    assert {item.stack.id for item in found.candidates} >= {"everest", "openocpp", "ocpp15"}


def test_one_weak_key_is_not_enough() -> None:
    assert recognise(("AccessPointName",)).stack is None


def test_the_vendor_of_its_boot_names_a_stack_without_keys() -> None:
    found = recognise(("HeartbeatInterval",), vendor="Chargedot")
    assert found.stack is not None
    assert found.stack.id == "abb"
    assert found.candidates[0].says_vendor


def test_two_stacks_in_one_dump_are_no_certainty() -> None:
    assert recognise(("evb_ServerURL", "Cst_BackendUrl")).stack is None


def test_abb_is_asked_key_by_key() -> None:
    assert is_read_singly("ABB")
    assert not is_read_singly("Acme")


GOOD = """
id = "x"
name = "X"
[address]
offered = "keys"
text = "t"
source = "s"
grade = "source"
[[marks]]
key = "K"
weight = 3
source = "s"
grade = "source"
"""


def test_a_well_formed_file_is_read() -> None:
    assert stacks.parse("x", GOOD).marks[0].weight == 3


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace('id = "x"', 'id = "y"'),
        GOOD.replace("weight = 3", "weight = 9"),
        GOOD.replace('grade = "source"', 'grade = "sure"', 1),
        GOOD.replace('source = "s"', 'source = ""', 1),
        GOOD.replace('offered = "keys"', 'offered = "maybe"'),
        GOOD + 'extra = "1"\n',
        GOOD + '[[keys]]\nkey = "A"\nlabel = "l"\nmeaning = "m"\naccess = "rwx"\nsource = "s"\ngrade = "source"\n',
        GOOD + '[[marks]]\nkey = "K"\nweight = 1\nsource = "s"\ngrade = "source"\n',
        GOOD.partition("[[marks]]")[0],
        'vendor_like = "("' + GOOD,
        "= broken",
    ],
)
def test_a_file_that_breaks_the_rules_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="stacks/x"):
        stacks.parse("x", text)

"""What is written to a unit to repoint it over OCPP: the exact strings, in order, by what it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import resources
from app.driver.registry import load_profiles
from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, JoinRule, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.setting import Setting
from app.ocpp import repoint
from app.ocpp.repoint import Target

PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}
NEW = Backend(url="ws://csms.example:9000/ocpp/site", identity="CP-1")


def target(profile: str, *, readonly: tuple[str, ...] = (), path: str = "", host: str = "", **values: str) -> Target:
    """Describe a unit of a family by what it reports (``-`` in key names is written ``__``)."""
    family: Profile = PROFILES[profile]
    keys = {key.replace("__", "-"): value for key, value in values.items()}
    settings = {key: Setting(key=key, value=value, is_readonly=key in readonly) for key, value in keys.items()}
    return Target(settings=settings, keys=family.backend_keys, identity="CP-1", habit=family.url, path=path, host=host)


def written(unit: Target, backend: Backend = NEW) -> list[tuple[str, str]]:
    return [(change.key, change.after) for change in repoint.plan(unit, backend)]


def test_alfen_has_host_and_path_apart():
    unit = target("ocpp-alfen", BackOffice__URL__wired="ws://old.example/", BackOffice__Path__wired="old/path")
    assert written(unit) == [
        ("BackOffice-Path-wired", "ocpp/site"),
        ("BackOffice-URL-wired", "ws://csms.example:9000/"),
    ]
    present = repoint.read(unit)
    assert present is not None
    assert present.url == "ws://old.example/old/path"


def test_alfen_on_the_mobile_network_keeps_its_wired_address():
    unit = target(
        "ocpp-alfen",
        BackOffice__URL__wired="",
        BackOffice__Path__wired="",
        BackOffice__URL__APN="old.example:80",
        BackOffice__Path__APN="/old",
    )
    assert written(unit) == [("BackOffice-Path-APN", "/ocpp/site"), ("BackOffice-URL-APN", "csms.example:9000")]


def test_alfen_firmware_6_keeps_the_rest_of_its_network_profile():
    text = "ocppVersion{OCPP16}ocppCsmsUrl{%s}messageTimeout{10}securityProfile{%d}ocppInterface{Wired0}"
    unit = target("ocpp-alfen", BackOfficeNetworkProfile1=text % ("ws://old.example", 0))
    assert written(unit) == [("BackOfficeNetworkProfile1", text % (NEW.url, 0))]
    present = repoint.read(unit)
    assert present is not None
    assert present.url == "ws://old.example"


def test_evbox_gets_its_slash_and_its_switches():
    unit = target(
        "ocpp-evbox",
        evb_ServerURL="wss://EU.EVERON.IO/",
        evb_UseBackend="false",
        evb_SerialAsConnectorId="true",
        evb_ConnectorList="true",
    )
    changes = repoint.plan(unit, NEW)
    assert {(change.key, change.after) for change in changes[:-1]} == {
        ("evb_UseBackend", "true"),
        ("evb_SerialAsConnectorId", "false"),
        ("evb_ConnectorList", "false"),
    }
    assert (changes[-1].key, changes[-1].after) == ("evb_ServerURL", NEW.url + "/")


def test_evbox_back_at_its_makers_host_has_its_flags_set():
    unit = target(
        "ocpp-evbox", evb_ServerURL="ws://old.example/", evb_SerialAsConnectorId="false", evb_ConnectorList="false"
    )
    home = replace(NEW, url="wss://EU.everon.io", security_profile=SecurityProfile.NONE)
    assert written(unit, home) == [
        ("evb_SerialAsConnectorId", "true"),
        ("evb_ConnectorList", "true"),
        ("evb_ServerURL", "wss://EU.everon.io/"),
    ]


def test_evbox_holds_254_characters():
    unit = target("ocpp-evbox", evb_ServerURL="ws://old/")
    with pytest.raises(ValueRejected, match="254"):
        repoint.plan(unit, replace(NEW, url="ws://csms.example/" + "x" * 250))


def test_amina_writes_the_free_slot_and_then_the_order():
    unit = target(
        "ocpp-amina",
        NetworkConnectionProfile1="ws://old.example",
        NetworkConnectionProfile2="",
        NetworkConfigurationPriority="NetworkConnectionProfile1,NetworkConnectionProfile2",
    )
    assert written(unit) == [
        ("NetworkConnectionProfile2", NEW.url),
        ("NetworkConfigurationPriority", "NetworkConnectionProfile2,NetworkConnectionProfile1"),
    ]


def test_microocpp_gets_hex_identity_and_address_in_this_order():
    unit = target("ocpp-microocpp", Cst_BackendUrl="ws://old", Cst_ChargeBoxId="CP-1", AuthorizationKey="")
    wanted = replace(NEW, identity="CP-2", security_profile=SecurityProfile.BASIC, secret=Secret("secret12"))
    changes = repoint.plan(unit, wanted)
    assert [(change.key, change.after) for change in changes] == [
        ("AuthorizationKey", "7365637265743132"),
        ("Cst_ChargeBoxId", "CP-2"),
        ("Cst_BackendUrl", NEW.url),
    ]
    assert changes[0].is_secret
    assert changes[-1].needs_restart


def test_openocpp_takes_its_password_as_text():
    unit = target("ocpp-openocpp", CentralSystemURL="ws://old", BasicAuthPassword="")
    wanted = replace(NEW, security_profile=SecurityProfile.BASIC, secret=Secret("sixteen-letters!"))
    assert written(unit, wanted)[0] == ("BasicAuthPassword", "sixteen-letters!")


def test_an_unknown_family_is_moved_by_the_key_that_holds_an_address():
    unit = target("ocpp-generic", VendorServer="wss://old.example/x", Name="ws", Docs="ws://docs", readonly=("Docs",))
    assert written(unit) == [("VendorServer", NEW.url)]


def test_nothing_is_written_that_the_unit_did_not_report():
    unit = target("ocpp-microocpp", HeartbeatInterval="300")
    assert not repoint.can_repoint(unit)
    assert repoint.read(unit) is None
    with pytest.raises(NotSupported):
        repoint.plan(unit, NEW)


def test_a_read_only_address_is_no_offer():
    unit = target("ocpp-everest", CentralSystemURI="ws://old", ChargePointId="CP-1", readonly=("CentralSystemURI",))
    assert not repoint.can_repoint(unit)
    with pytest.raises(NotSupported):
        repoint.plan(unit, NEW)


def test_an_identity_that_cannot_change_is_refused_with_the_way_out():
    unit = target("ocpp-everest", CentralSystemURI="ws://old", ChargePointId="CP-1", readonly=("ChargePointId",))
    with pytest.raises(ValueRejected) as refusal:
        repoint.plan(unit, replace(NEW, identity="CP-2"))
    assert "CP-1" in refusal.value.advice


def test_a_password_without_a_key_for_it_is_refused():
    unit = target("ocpp-evnex", OCPPEndPoint="ws://old")
    with pytest.raises(ValueRejected):
        repoint.plan(unit, replace(NEW, security_profile=SecurityProfile.BASIC, secret=Secret("x" * 16)))


def test_a_password_longer_than_the_key_is_refused():
    with pytest.raises(ValueRejected, match="21 bytes"):
        repoint.stored_secret(Secret("x" * 21), "hex")


def test_a_password_that_is_a_key_already_stays_as_it_is():
    assert repoint.stored_secret(Secret("00112233445566778899aabbccddeeff"), "hex").startswith("0011")


def test_the_security_profile_only_goes_up_and_is_a_door():
    unit = target("ocpp-generic", Url="ws://old", SecurityProfile="0", AuthorizationKey="")
    wanted = replace(NEW, security_profile=SecurityProfile.BASIC, secret=Secret("x" * 16))
    changes = repoint.plan(unit, wanted)
    assert [change.key for change in changes] == ["AuthorizationKey", "SecurityProfile", "Url"]
    assert changes[1].is_one_way
    with pytest.raises(ValueRejected):
        repoint.plan(target("ocpp-generic", Url="ws://old", SecurityProfile="2"), NEW)


@pytest.mark.parametrize(
    ("stored", "dialled", "rule", "after"),
    [
        ("ws://us:1/base", "/base/CP-1", JoinRule.APPEND_IF_MISSING, NEW.url),
        ("ws://us:1/base/CP-1", "/base/CP-1", JoinRule.AS_IS, NEW.url + "/CP-1"),
        ("ws://us:1/base/", "/base//CP-1", JoinRule.APPEND, NEW.url),
        ("ws://us:1/base/", "/base/CP-1", JoinRule.APPEND_IF_MISSING, NEW.url),
    ],
)
def test_the_way_of_joining_is_read_from_what_it_really_dialled(stored: str, dialled: str, rule: JoinRule, after: str):
    unit = target("ocpp-generic", Server=stored, path=dialled, host="us:1")
    assert repoint.join_rule(unit, stored) is rule
    assert written(unit) == [("Server", after)]


def test_of_two_addresses_the_one_that_leads_here_is_changed():
    unit = target("ocpp-generic", First="ws://elsewhere/x", Second="ws://us:1/base", path="/base/CP-1", host="us:1")
    assert written(unit) == [("Second", NEW.url)]

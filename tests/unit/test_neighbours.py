"""The system's table of neighbours, as each system prints it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.discovery.neighbours import makers, parse_bsd, parse_proc, parse_windows
from app.driver.registry import load_profiles

PROC = """IP address       HW type     Flags       HW address            Mask     Device
192.168.1.43     0x1         0x2         24:0a:c4:11:a7:d4     *        eth0
192.168.1.77     0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.1      0x1         0x6         3c:a6:2f:00:01:02     *        eth0
"""
WINDOWS = """
Interface: 192.168.1.20 --- 0xb
  Internet Address      Physical Address      Type
  192.168.1.1           3c-a6-2f-00-01-02     dynamic
  192.168.1.43          24-0a-c4-11-a7-d4     dynamic
  192.168.1.255         ff-ff-ff-ff-ff-ff     static
  224.0.0.22            01-00-5e-00-00-16     static
"""
GERMAN = """
Schnittstelle: 192.168.1.20 --- 0xb
  Internetadresse       Physische Adresse     Typ
  192.168.1.43          24-0a-c4-11-a7-d4     dynamisch
"""
MAC = """? (192.168.1.1) at 3c:a6:2f:0:1:2 on en0 ifscope [ethernet]
? (192.168.1.43) at 24:a:c4:11:a7:d4 on en0 ifscope [ethernet]
? (192.168.1.77) at (incomplete) on en0 ifscope [ethernet]
? (224.0.0.251) at 1:0:5e:0:0:fb on en0 ifscope permanent [ethernet]
"""
BOTH = {"192.168.1.43": "24:0A:C4:11:A7:D4", "192.168.1.1": "3C:A6:2F:00:01:02"}


def test_each_system_is_understood_and_what_answered_nothing_is_left_out() -> None:
    assert parse_proc(PROC) == BOTH
    assert parse_windows(WINDOWS) == BOTH
    assert parse_windows(GERMAN) == {"192.168.1.43": BOTH["192.168.1.43"]}
    assert parse_bsd(MAC) == BOTH


@given(st.text(alphabet="0123456789abcdef.:-() x\n", max_size=400))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    for parse in (parse_proc, parse_windows, parse_bsd):
        parse(text)


def test_an_address_hints_at_the_makers_its_block_was_given_to() -> None:
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    assert makers(profiles, "7C:BA:C0:12:34:56") == ("EVBox",)
    assert makers(profiles, "98:fc:84:1a:00:01") == ("go-e",)
    assert makers(profiles, "98:FC:84:2A:00:01") == ()
    assert makers(profiles, "") == ()

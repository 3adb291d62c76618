"""``rehome standin`` as a program of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from app.__main__ import main


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["standin", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_sets_privileges_and_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "juicebox-voltie" in {item["id"] for item in printed(capsys, "names")}
    assert {item["stand"] for item in printed(capsys, "privileges")} == {"dns", "ntp", "dhcp", "web"}
    (found,) = printed(capsys, "recipes", "--set", "juicebox-voltie", "--host", "192.168.1.20", "--only", "openwrt")
    assert "/dummy.voltie.us/192.168.1.20" in found["text"]


def test_what_can_not_be_is_said_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["standin", "recipes"]) == 1
    assert "Choose a ready set" in capsys.readouterr().err
    assert main(["standin", "recipes", "--set", "ntp", "--host", "192.0.2.1", "--only", "nobodys"]) == 1
    assert "openwrt" in capsys.readouterr().err
    assert main(["standin", "dns", "--host", "192.0.2.77"]) == 1
    assert "no adapter with the IPv4 address 192.0.2.77" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["standin"])


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "app", "standin", "--json", *words, "--host", "127.0.0.1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text, process.communicate(timeout=5)[1]
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_dns_runs_until_ctrl_c_and_prints_who_asks() -> None:
    with running("dns", "--set", "juicebox-enel-us", "--port", "0") as process:
        state = line(process)["state"]
        question = DNSRecord.question("jbv1.emotorwerks.com")
        assert DNSRecord.parse(question.send("127.0.0.1", state["port"], timeout=5)).rr
        asked = line(process)["asked"]
        assert (asked["client"], asked["name"], asked["answer"]) == ("127.0.0.1", "jbv1.emotorwerks.com", "127.0.0.1")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def test_web_brings_the_endpoint_along() -> None:
    with running("web", "--port", "0", "--secure-port", "0", "--seconds", "0.1") as process:
        assert line(process)["event"] == "listening"
        assert line(process)["state"]["secure_port"]
        assert process.wait(timeout=10) == 0

"""Findings from the network between charger and laptop, and from the laptop itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.diagnosis.naming import found
from app.diagnosis.thresholds import Thresholds
from app.model.finding import Finding, Severity
from app.model.observation import AdapterGone, SelfTested, SignalSeen


def at_signal(seen: SignalSeen, limits: Thresholds) -> Iterator[Finding]:
    """Judge the strength and channel of a charger's Wi-Fi (commissioning part 2)."""
    network = f"“{seen.ssid}”" if seen.ssid else "its Wi-Fi"
    if -150 < seen.rssi_dbm < limits.radio_good_dbm:
        yield found(
            "WIFI",
            Severity.WARNING if seen.rssi_dbm < limits.radio_bad_dbm else Severity.INFO,
            ("signal", f"{seen.rssi_dbm:.0f} dBm"),
            at=seen.at,
            rssi=f"{seen.rssi_dbm:.0f}",
            network=network,
        )
    if limits.radio_last_channel < seen.channel <= 14:
        channel = str(seen.channel)
        yield found(
            "WIFI", Severity.INFO, ("channel", channel), at=seen.at, case="channel", network=network, channel=channel
        )


def at_self_test(seen: SelfTested) -> Iterator[Finding]:
    """Judge whether we reach our own port over an adapter's address."""
    if seen.problem:
        yield found(
            "LAPTOP-WALL",
            Severity.FAULT,
            (f"dialling {seen.address}", seen.problem),
            at=seen.at,
            case="" if seen.advice else "unexplained",
            address=seen.address,
            problem=seen.problem,
            advice=seen.advice,
        )


def at_adapter(seen: AdapterGone) -> Iterator[Finding]:
    """Judge an adapter that lost its address; only in the middle of the work it is worth a word."""
    if seen.was_busy:
        proof = (seen.name or "adapter", f"{seen.address} is gone")
        name = seen.name or "in use"
        yield found("AP-DROP", Severity.WARNING, proof, at=seen.at, name=name, address=seen.address)

"""The bridge's metrics as OpenMetrics text (prometheus.io, OpenMetrics 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from app.model.bridge import BridgeStatus, LineState, UnitStatus

__all__ = ["CONTENT_TYPE_LATEST", "exposed"]

JOULES_PER_WH = 3600.0
"""OpenMetrics wants base units."""

LABELS = ("identity", "unit", "backend")


def exposed(status: BridgeStatus, now: datetime) -> bytes:
    """Write one scrape; it ends with ``# EOF``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(status, now))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


class _Collector:
    def __init__(self, status: BridgeStatus, now: datetime) -> None:
        self._status = status
        self._now = now

    def collect(self) -> Iterable[Metric]:
        status = self._status
        started = GaugeMetricFamily("rehome_bridge_start_time_seconds", "When the bridge was started, Unix time")
        started.add_metric((), status.started_at.timestamp())
        yield started
        for family, value in self._gauges():
            for unit in status.units:
                if (number := value(unit)) is not None:
                    family.add_metric(_labels(unit), number)
            yield family
        yield self._counter(
            "rehome_bridge_delivered_messages",
            "Transaction messages the backend has answered",
            lambda unit: unit.delivered,
        )
        yield self._counter(
            "rehome_bridge_energy_joules", "The unit's energy register",
            lambda unit: None if unit.register_wh is None else unit.register_wh * JOULES_PER_WH,
        )  # fmt: skip
        yield self._counter(
            "rehome_bridge_unmetered_joules", "Energy in no backend's books: outside of sessions, or of refused ones",
            lambda unit: None if unit.unmetered_wh is None else unit.unmetered_wh * JOULES_PER_WH,
        )  # fmt: skip
        corrections = CounterMetricFamily(
            "rehome_bridge_corrections", "What the bridge changed in a unit's words", labels=(*LABELS, "code")
        )
        lines = StateSetMetricFamily("rehome_bridge_line", "The line to the backend", labels=LABELS)
        for unit in status.units:
            for correction in unit.corrections:
                corrections.add_metric((*_labels(unit), correction.code), correction.count)
            lines.add_metric(_labels(unit), {state.value: state is unit.line for state in LineState})
        yield corrections
        yield lines

    def _counter(self, name: str, text: str, value: Callable[[UnitStatus], float | None]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=LABELS)
        for unit in self._status.units:
            if (number := value(unit)) is not None:
                family.add_metric(_labels(unit), number)
        return family

    def _gauges(self) -> Iterable[tuple[GaugeMetricFamily, Callable[[UnitStatus], float | None]]]:
        def gauge(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"rehome_bridge_{name}", text, labels=LABELS)

        now = self._now
        yield gauge("unit_present", "1 while the unit itself is heard"), lambda unit: float(unit.is_present)
        yield gauge("power_watts", "Present power"), lambda unit: unit.power_w
        yield gauge("limit_amperes", "What the unit may draw now"), lambda unit: unit.limit_a
        yield gauge("ceiling_amperes", "What it may draw at most"), lambda unit: unit.ceiling_a
        yield gauge("session_active", "1 while a session runs"), lambda unit: float(_is_charging(unit))
        yield gauge("queued_messages", "Messages that wait for the backend"), lambda unit: float(unit.queued)
        yield (
            gauge("oldest_queued_seconds", "How long the oldest of them has waited"),
            lambda unit: max(0.0, (now - unit.oldest_queued_at).total_seconds()) if unit.oldest_queued_at else 0.0,
        )


def _is_charging(unit: UnitStatus) -> bool:
    return unit.session is not None and unit.session.ended_at is None


def _labels(unit: UnitStatus) -> tuple[str, str, str]:
    return unit.identity, unit.unit, unit.backend

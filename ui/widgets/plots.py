"""Live curves of one charger: a panel per quantity, one time axis. Imports pyqtgraph: load it when first shown."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QGraphicsView, QLabel, QScrollArea, QStyleOptionGraphicsItem, QVBoxLayout, QWidget

from app.model.reading import Measurand, Reading, StateChange
from ui.models.plain import visible
from ui.models.series import CurveKey, Series, SeriesStore
from ui.theme import SPACE_4, SPACE_8, theme
from ui.widgets.timeline import StateTimeline

AXIS_WIDTH = 58
PANEL_HEIGHT = 100
FOLLOW_MARGIN = 0.02

CURVE_COLOURS = {
    False: ("#0b6b83", "#b45309", "#6d28d9", "#15803d", "#be185d", "#57534e"),
    True: ("#4fc0d9", "#f59e0b", "#b794f6", "#6ee7a0", "#f28ab8", "#b8b2ac"),
}
"""By whether the look is dark. Curves have colours of their own: those of the theme mean something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One panel: its title, the unit shown, how a stored value becomes a shown one, how many decimals."""

    title: str
    unit: str
    measurands: tuple[Measurand, ...]
    scale: float = 1.0
    decimals: int = 1
    least_span: float = 1.0
    """The smallest range of the axis in shown units: noise must not look like a storm."""


QUANTITIES = (
    Quantity(title="Power", unit="kW", measurands=(Measurand.POWER,), scale=0.001, decimals=2, least_span=0.5),
    Quantity(title="Current", unit="A", measurands=(Measurand.CURRENT, Measurand.CURRENT_OFFERED), least_span=2.0),
    Quantity(title="Voltage", unit="V", measurands=(Measurand.VOLTAGE,), least_span=10.0),
    Quantity(title="Energy", unit="kWh", measurands=(Measurand.ENERGY,), scale=0.001, decimals=3, least_span=0.01),
    Quantity(title="Temperature", unit="°C", measurands=(Measurand.TEMPERATURE,), least_span=5.0),
    Quantity(title="Signal", unit="dBm", measurands=(Measurand.SIGNAL,), decimals=0, least_span=10.0),
    Quantity(title="State of charge", unit="%", measurands=(Measurand.SOC,), decimals=0, least_span=5.0),
    Quantity(title="Frequency", unit="Hz", measurands=(Measurand.FREQUENCY,), decimals=2, least_span=0.2),
)


def curve_name(key: CurveKey, *, has_connectors: bool) -> str:
    """Name a curve inside its panel."""
    parts = [f"#{key.connector}" if has_connectors else "", visible(key.phase, 12)]
    if key.measurand is Measurand.CURRENT_OFFERED:
        parts.append("offered")
    return " ".join(part for part in parts if part) or "total"


class CachedAxis(pg.AxisItem):  # type: ignore[misc]
    """A value axis that is drawn once per change: replaying pyqtgraph's picture costs 4 ms in every frame."""

    picture: object

    def __init__(self) -> None:
        super().__init__(orientation="left")
        self._drawn = QPixmap()
        self._drawn_for = (0.0, QRectF())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:  # noqa: ARG002
        """Draw ticks, values and grid lines."""
        ratio = painter.device().devicePixelRatioF()
        rect = self.boundingRect()
        if self.picture is None or (ratio, rect) != self._drawn_for:
            self._redraw(rect, ratio)
            self.picture = True
        painter.drawPixmap(rect.topLeft(), self._drawn)

    def _redraw(self, rect: QRectF, ratio: float) -> None:
        self._drawn_for = (ratio, rect)
        self._drawn = QPixmap(math.ceil(rect.width() * ratio), math.ceil(rect.height() * ratio))
        self._drawn.setDevicePixelRatio(ratio)
        self._drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._drawn)
        painter.translate(-rect.topLeft())
        specs = self.generateDrawSpecs(painter)
        if specs:
            self.drawPicture(painter, *specs)
        painter.end()


class Panel(QFrame):
    """One quantity: a line of values above, the curves below."""

    spanned = Signal(float, float)
    """The technician moved or zoomed to this span (seconds since 1970)."""
    pointed = Signal(float)
    """The mouse is at this time."""

    def __init__(self, quantity: Quantity, parent: QWidget) -> None:
        super().__init__(parent)
        self.quantity = quantity
        self.curves: dict[CurveKey, pg.PlotDataItem] = {}
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumHeight(PANEL_HEIGHT)
        self.values = QLabel(self)
        self.values.setTextFormat(Qt.TextFormat.RichText)
        self.values.setContentsMargins(AXIS_WIDTH, 0, 0, 0)
        self.plot = pg.PlotWidget(self, axisItems={"left": CachedAxis()}, background=None)
        self.plot.setAccessibleName(f"{quantity.title} in {quantity.unit} over time")
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        # Left to itself the view paints twice a frame: once for the data, once for the range.
        self.plot.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self._item = self.plot.getPlotItem()
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._dress_plot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, SPACE_4)
        layout.setSpacing(0)
        layout.addWidget(self.values)
        layout.addWidget(self.plot, 1)

    def _dress_plot(self) -> None:
        item = self._item
        item.hideButtons()
        for name in ("bottom", "top", "right"):
            item.hideAxis(name)
            item.getAxis(name).unlinkFromView()
        item.setMenuEnabled(False)
        item.getAxis("left").setWidth(AXIS_WIDTH)
        item.getAxis("left").enableAutoSIPrefix(False)
        item.setContentsMargins(0, 0, 0, 0)
        item.layout.setContentsMargins(0, 2, 1, 0)
        view = item.getViewBox()
        view.setMouseEnabled(x=True, y=False)
        view.disableAutoRange()
        view.sigRangeChangedManually.connect(self._moved)
        self._cursor.hide()
        item.addItem(self._cursor, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._pointed)
        self.restyle()

    def restyle(self) -> None:
        """Take the colours of the look in force."""
        look = theme().tokens
        self.plot.setBackground(look.color("surface"))
        self.plot.resetCachedContent()
        axis = self._item.getAxis("left")
        axis.setPen(pg.mkPen(look.border_strong, width=1))
        axis.setTextPen(pg.mkPen(look.text2))
        axis.setStyle(tickLength=-4, tickTextOffset=4, maxTickLevel=0)
        self._item.showGrid(x=False, y=True, alpha=0.2)
        self._cursor.setPen(pg.mkPen(look.text2, width=1, style=Qt.PenStyle.DashLine))
        for place, curve in enumerate(self.curves.values()):
            curve.setPen(pg.mkPen(self.colour(place), width=1))
        self.plot.viewport().update()

    def colour(self, place: int) -> str:
        """Return the colour of the n-th curve."""
        colours = CURVE_COLOURS[theme().tokens.is_dark]
        return colours[place % len(colours)]

    def take(self, key: CurveKey, series: Series) -> None:
        """Draw a series anew; make its curve if it is the first time."""
        curve = self.curves.get(key)
        if curve is None:
            pen = pg.mkPen(self.colour(len(self.curves)), width=1)
            curve = pg.PlotDataItem(pen=pen, antialias=False, connect="finite")
            curve.setClipToView(True)
            self.curves[key] = curve
            self._item.addItem(curve)
        is_dense = len(series) > max(200, self.plot.width())
        if curve.opts["autoDownsample"] != is_dense:
            curve.setDownsampling(auto=is_dense, method="peak")
        curve.setData(series.x, series.y * self.quantity.scale, skipFiniteCheck=False)

    def show_span(self, since: float, until: float, store: SeriesStore) -> None:
        """Show a span of time and fit the value axis to what is in it."""
        view = self._item.getViewBox()
        view.setXRange(since, until, padding=0)
        self.plot.viewport().update()
        spans = [store.series[key].span(since, until) for key in self.curves]
        found = [span for span in spans if span is not None]
        if not found:
            return
        scale = self.quantity.scale
        low, high = min(low for low, _ in found) * scale, max(high for _, high in found) * scale
        self._fit(low, high)

    def _fit(self, low: float, high: float) -> None:
        span = max(high - low, self.quantity.least_span)
        middle = (low + high) / 2
        want_low, want_high = middle - span * 0.6, middle + span * 0.6
        if low >= 0 > want_low:
            want_low, want_high = -span * 0.05, want_high - want_low
        view = self._item.getViewBox()
        have_low, have_high = view.viewRange()[1]
        is_outside = low < have_low or high > have_high
        is_loose = (have_high - have_low) > 2 * (want_high - want_low)
        if is_outside or is_loose:
            view.setYRange(want_low, want_high, padding=0)

    def show_values(self, store: SeriesStore, moment: float | None) -> None:
        """Write the values at a time (``None`` = the newest) above the curves."""
        has_connectors = len({key.connector for key in self.curves}) > 1
        words = [f"<b>{self.quantity.title}</b> ({self.quantity.unit})"]
        for place, key in enumerate(self.curves):
            series = store.series[key]
            value = series.at(moment) if moment is not None else (series.last or (0.0, math.nan))[1]
            name = html.escape(curve_name(key, has_connectors=has_connectors))
            words.append(f"<span style='color:{self.colour(place)}'>■</span> {name} <b>{self._number(value)}</b>")
        self.values.setText("&nbsp;&nbsp; ".join(words))

    def _number(self, value: float | None) -> str:
        if value is None or math.isnan(value):
            return "–"
        return f"{value * self.quantity.scale:.{self.quantity.decimals}f}"

    def show_cursor(self, moment: float | None) -> None:
        """Show the vertical line at a time, or hide it."""
        self.plot.viewport().update()
        if moment is None:
            self._cursor.hide()
            return
        self._cursor.setPos(moment)
        self._cursor.show()

    def _moved(self, *_: object) -> None:
        since, until = self._item.getViewBox().viewRange()[0]
        self.spanned.emit(since, until)

    def _pointed(self, spot: QPointF) -> None:
        self.pointed.emit(float(self._item.getViewBox().mapSceneToView(spot).x()))


class Plots(QWidget):
    """All panels of a charger and the state strip. Feed it with ``add``, then call ``draw`` ten times a second."""

    followed = Signal(bool)
    """Following the newest readings began or ended (the technician moved away from them)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.store = SeriesStore()
        self.panels: dict[str, Panel] = {}
        self.hidden: set[str] = set()
        self.timeline = StateTimeline(self, margin=AXIS_WIDTH)
        self.window_s = 300.0
        self.is_following = True
        self.is_paused = False
        self._moment: float | None = None
        self._drawn_until = 0.0
        self._values_at = 0.0
        self._column = QVBoxLayout()
        self._column.setContentsMargins(0, 0, SPACE_8, 0)
        self._column.setSpacing(0)
        inner = QWidget(self)
        inner.setProperty("role", "scroll")
        inner.setLayout(self._column)
        area = QScrollArea(self)
        area.setAccessibleName(self.tr("Curves"))
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._bar = area.verticalScrollBar()
        self._bar.rangeChanged.connect(self._align)
        area.viewport().setAutoFillBackground(False)
        self._strip = strip = QVBoxLayout()
        strip.setContentsMargins(0, 0, SPACE_8, 0)
        strip.addWidget(self.timeline)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(area, 1)
        layout.addLayout(strip)
        theme().changed.connect(self._restyle)

    @property
    def titles(self) -> list[str]:
        """Return the titles of all quantities that have readings."""
        return list(self.panels)

    def add(self, samples: Iterable[Reading | StateChange]) -> bool:
        """Take readings and states; say whether a new quantity appeared."""
        samples = list(samples)
        is_new = self.store.add(item for item in samples if isinstance(item, Reading))
        self.timeline.add(item for item in samples if isinstance(item, StateChange))
        count = len(self.panels)
        if is_new:
            self._make_panels()
        return len(self.panels) != count

    def show_quantity(self, title: str, *, is_shown: bool) -> None:
        """Show or hide a panel."""
        (self.hidden.discard if is_shown else self.hidden.add)(title)
        self._arrange()
        self._drawn_until = 0.0

    def follow(self, *, is_on: bool) -> None:
        """Keep the newest reading at the right edge, or stay where it is."""
        if self.is_following != is_on:
            self.is_following = is_on
            self.followed.emit(is_on)
        self._drawn_until = 0.0

    def show_window(self, seconds: float) -> None:
        """Show this much time and follow."""
        self.window_s = seconds
        self.follow(is_on=True)

    def zoom(self, factor: float) -> None:
        """Widen (above 1) or narrow the span shown around its middle, or its right edge while following."""
        since, until = self.span()
        if self.is_following:
            self.window_s = min(86_400.0, max(10.0, self.window_s * factor))
            self._drawn_until = 0.0
            return
        middle, half = (since + until) / 2, (until - since) / 2 * factor
        self._show_span(middle - half, middle + half)

    def span(self) -> tuple[float, float]:
        """Return the span of time that is to be shown."""
        if not self.is_following and self.panels:
            since, until = next(iter(self.panels.values())).plot.getPlotItem().getViewBox().viewRange()[0]
            return float(since), float(until)
        until = max((series.last[0] for series in self.store.series.values() if series.last), default=0.0)
        until = until or datetime.now(UTC).timestamp()
        return until - self.window_s * (1 - FOLLOW_MARGIN), until + self.window_s * FOLLOW_MARGIN

    def draw(self) -> None:
        """Bring what changed onto the screen; cheap when nothing did."""
        if self.is_paused:
            return
        is_changed = False
        for panel in self.panels.values():
            if panel.quantity.title in self.hidden:
                continue
            for key, series in self._of(panel.quantity):
                if series.is_dirty or key not in panel.curves:
                    panel.take(key, series)
                    series.is_dirty = False
                    is_changed = True
        since, until = self.span()
        if (self.is_following and until != self._drawn_until) or is_changed:
            self._show_span(since, until)

    def _show_span(self, since: float, until: float) -> None:
        self._drawn_until = until
        for panel in self.panels.values():
            if panel.quantity.title not in self.hidden:
                panel.show_span(since, until, self.store)
        self.timeline.show_span(since, until)
        now = datetime.now(UTC).timestamp()
        if now - self._values_at > 0.25:
            self._show_values()

    def _show_values(self) -> None:
        self._values_at = datetime.now(UTC).timestamp()
        for panel in self.panels.values():
            if panel.quantity.title not in self.hidden:
                panel.show_values(self.store, self._moment)

    def _of(self, quantity: Quantity) -> list[tuple[CurveKey, Series]]:
        return [(key, series) for key, series in self.store.series.items() if key.measurand in quantity.measurands]

    def _make_panels(self) -> None:
        for quantity in QUANTITIES:
            if quantity.title in self.panels or not self._of(quantity):
                continue
            panel = Panel(quantity, self)
            panel.spanned.connect(self._moved)
            panel.pointed.connect(self._pointed)
            self.panels[quantity.title] = panel
        order = [quantity.title for quantity in QUANTITIES]
        self.panels = dict(sorted(self.panels.items(), key=lambda item: order.index(item[0])))
        self._arrange()

    def _arrange(self) -> None:
        for panel in self.panels.values():
            self._column.removeWidget(panel)
        shown = [panel for title, panel in self.panels.items() if title not in self.hidden]
        for panel in self.panels.values():
            panel.setVisible(panel in shown)
        for panel in shown:
            self._column.addWidget(panel, 1)

    def _moved(self, since: float, until: float) -> None:
        self.follow(is_on=False)
        self._show_span(since, until)

    def _pointed(self, moment: float) -> None:
        since, until = self.span()
        self._moment = moment if since <= moment <= until else None
        for panel in self.panels.values():
            panel.show_cursor(self._moment)
        self._show_values()

    def _restyle(self) -> None:
        for panel in self.panels.values():
            panel.restyle()
        self._show_values()

    def _align(self, _: int, maximum: int) -> None:
        """Keep the time axis below the curves: a scroll bar takes their room, not its."""
        taken = self._bar.sizeHint().width() if maximum > 0 else 0
        self._strip.setContentsMargins(0, 0, SPACE_8 + taken, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew at the new size."""
        super().resizeEvent(event)
        self._drawn_until = 0.0

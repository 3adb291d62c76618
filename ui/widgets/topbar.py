"""The bar at the top: the site's name, the network adapter in use, the endpoint's lamp, and the search's lamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ui import icons
from ui.i18n import translate
from ui.models.plain import tooltip
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role

if TYPE_CHECKING:
    from app.model.frame import Adapter, ListenState, SourceState

SOURCE_ICONS = {
    "mdns": "radar",
    "broadcast": "radio",
    "serial": "usb",
    "bluetooth": "bluetooth",
    "dial-in": "radio-tower",
}
SOURCE_WORDS = {
    "mdns": "Network search",
    "broadcast": "Question to everybody",
    "serial": "Serial ports",
    "bluetooth": "Bluetooth search",
    "dial-in": "Dial-in",
}
SOURCE_SHORT = {
    "mdns": "Network",
    "broadcast": "Call",
    "serial": "Serial",
    "bluetooth": "Bluetooth",
    "dial-in": "Dial-in",
}
"""In the order in which the lamps stand, whoever speaks first."""
TROUBLE_ICONS = {"limited": "triangle-alert", "failed": "octagon-x"}
HEALTH_TONES = {"off": "idle", "starting": "working", "working": "good", "limited": "attention", "failed": "fault"}
HEALTH_WORDS = {
    "off": "Off",
    "starting": "Starting",
    "working": "Working",
    "limited": "Limited",
    "failed": "Not working",
}

BARE_PX, LAMP_PX = 680, 100
"""What the bar needs without lamps, and for one lamp with its word: where that is not there, lamps show icons alone."""

SITE_PX, ADAPTER_PX = 160, 280


def _tip(*lines: str) -> str:
    return tooltip("\n".join(line for line in lines if line))


class TopBar(QFrame):
    """Shows what it is told and says what was chosen; decides nothing."""

    site_renamed = Signal(str)
    adapter_chosen = Signal(str)
    """The address, or an empty text for the best adapter."""
    endpoint_clicked = Signal()
    source_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "band")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._is_narrow = False
        self.setAccessibleName(translate("Site and network"))
        self.site = QLineEdit(self)
        self.adapter = QComboBox(self)
        self.endpoint = QPushButton(self)
        self._sources: dict[str, QToolButton] = {}
        self._row = QHBoxLayout()
        self._build_site()
        self._build_network()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_12)
        layout.addWidget(self.site, 4)
        layout.addStretch(1)
        layout.addLayout(self._row)
        layout.addWidget(self._picture("ethernet-port"))
        layout.addWidget(self.adapter)
        layout.addWidget(self.endpoint)
        self._row.setSpacing(SPACE_4)

    def _picture(self, name: str) -> QLabel:
        label = QLabel(self)
        icons.dress(label, name, "text2", 16)
        return label

    def _build_site(self) -> None:
        set_role(self.site, "inline")
        self.site.setAccessibleName(translate("Site name"))
        self.site.setMaxLength(80)
        self.site.setMinimumWidth(SITE_PX)
        self.site.setMaximumWidth(360)
        self.site.editingFinished.connect(self._renamed)
        self.show_site("")

    def _build_network(self) -> None:
        self.adapter.setAccessibleName(translate("Network adapter"))
        self.adapter.setToolTip(translate("The network adapter, and its address, that chargers reach this computer at"))
        self.adapter.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.adapter.setMaximumWidth(ADAPTER_PX)
        self.adapter.activated.connect(self._chosen)
        self.adapter.setEnabled(False)
        self.endpoint.setObjectName("endpoint-lamp")
        self.endpoint.setToolTip(translate("Our OCPP endpoint: where chargers dial in"))
        self.endpoint.clicked.connect(self.endpoint_clicked)
        self._lamp("idle", "circle-dashed", translate("Endpoint is starting"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave words to the tool tips where the window is narrow."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        is_narrow = self.width() < BARE_PX + LAMP_PX * len(self._sources)
        if is_narrow == self._is_narrow:
            return
        self._is_narrow = is_narrow
        self.adapter.setMaximumWidth(120 if is_narrow else ADAPTER_PX)
        self.site.setMinimumWidth(80 if is_narrow else SITE_PX)
        for button in self._sources.values():
            button.setToolButtonStyle(self._source_style)
            icons.dress(button, str(button.property("icon_name")), str(button.property("icon_tone")))

    @property
    def _source_style(self) -> Qt.ToolButtonStyle:
        styles = Qt.ToolButtonStyle
        return styles.ToolButtonIconOnly if self._is_narrow else styles.ToolButtonTextBesideIcon

    def show_site(self, name: str) -> None:
        """Show the site's name, unless it is being edited."""
        hint = translate("The name of this site; it stands in every report")
        self.site.setToolTip(_tip(name, hint))
        if not self.site.hasFocus():
            self.site.setText(name)
            self.site.setCursorPosition(0)

    def show_adapters(self, adapters: Iterable[Adapter], chosen: str, best: str) -> None:
        """Show the adapters to choose from; ``chosen`` is an address or empty, ``best`` what empty means now."""
        blocker = QSignalBlocker(self.adapter)
        wanted = [(translate("Automatic · {address}").format(address=best), "")]
        wanted += [(adapter.title, adapter.address) for adapter in adapters]
        if chosen and chosen not in [address for _, address in wanted]:
            wanted.append((translate("{address} (not connected)").format(address=chosen), chosen))
        shown = [(self.adapter.itemText(i), self.adapter.itemData(i)) for i in range(self.adapter.count())]
        if shown != wanted:
            self.adapter.clear()
            for text, address in wanted:
                self.adapter.addItem(text, address)
        self.adapter.setCurrentIndex(max(0, self.adapter.findData(chosen)))
        self.adapter.setEnabled(True)
        blocker.unblock()

    def show_endpoint(self, state: ListenState) -> None:
        """Show whether and where the endpoint listens."""
        if state.is_listening:
            count = state.connections
            words = translate("{count} connected").format(count=count) if count else translate("listening")
            self._lamp("good", "radio-tower", f"{state.host}:{state.port} · {words}")
        elif state.trouble:
            self._lamp("fault", "octagon-x", translate("Endpoint can't listen"))
            self.endpoint.setToolTip(_tip(state.trouble, state.advice))
        else:
            self._lamp("idle", "circle-slash", translate("Endpoint is off"))

    def _lamp(self, tone: str, icon_name: str, text: str) -> None:
        self.endpoint.setText(text)
        icons.dress(self.endpoint, icon_name, tone)
        set_look(self.endpoint, tone=tone)
        self.endpoint.setAccessibleName(translate("Endpoint: {text}").format(text=text))

    def show_sources(self, states: Mapping[str, SourceState]) -> None:
        """Show a lamp for each discovery source."""
        for name, state in states.items():
            button = self._sources.get(name) or self._source_button(name)
            kind = name.partition(":")[0]
            health = state.health.value
            picture = TROUBLE_ICONS.get(health) or SOURCE_ICONS.get(kind, "radar")
            button.setText(translate(SOURCE_SHORT.get(kind, name)))
            icons.dress(button, picture, HEALTH_TONES[health])
            title = translate(SOURCE_WORDS.get(kind, name))
            word = translate(HEALTH_WORDS[health])
            button.setAccessibleName(f"{title}: {word}")
            button.setToolTip(_tip(f"{title}: {word}", state.text, state.advice))
        self._fit()

    def source_button(self, name: str) -> QToolButton | None:
        """Return a source's lamp."""
        return self._sources.get(name)

    def _source_button(self, name: str) -> QToolButton:
        button = QToolButton(self)
        set_role(button, "quiet")
        button.setToolButtonStyle(self._source_style)
        button.setObjectName(f"source-{name}")
        button.clicked.connect(self._source_clicked)
        self._sources[name] = button
        names = sorted(self._sources, key=_place)
        self._row.insertWidget(names.index(name), button)
        stops: list[QWidget] = [self.site, *(self._sources[one] for one in names), self.adapter, self.endpoint]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)
        return button

    def _source_clicked(self) -> None:
        self.source_clicked.emit(self.sender().objectName().removeprefix("source-"))

    def _renamed(self) -> None:
        self.site_renamed.emit(self.site.text().strip())

    def _chosen(self, index: int) -> None:
        self.adapter_chosen.emit(str(self.adapter.itemData(index) or ""))


def _place(source: str) -> int:
    """Return where a source's lamp stands; a source of a name of its own stands last."""
    kinds = list(SOURCE_SHORT)
    kind = source.partition(":")[0]
    return kinds.index(kind) if kind in kinds else len(kinds)

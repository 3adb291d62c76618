"""The library as a list: one row per product family, filtered by words, way, verdict and vendor."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.model.profile import Approach, Grade, Profile, Verdict
from app.report.family import APPROACHES
from app.triage.judging import HEADLINES
from ui.i18n import worded

SUBTITLE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
ICON_ROLE = int(Qt.ItemDataRole.UserRole) + 2
BADGE_ROLE = int(Qt.ItemDataRole.UserRole) + 3
"""A pair: word and tone."""
PROFILE_ROLE = int(Qt.ItemDataRole.UserRole) + 4

GRADES = {
    Grade.PROVED: ("Proved", "good", "Seen by us on real units."),
    Grade.SOURCE: ("From source", "accent", "Read in firmware source or a vendor document."),
    Grade.REPORTED: ("Reported", "attention", "Told by users; not seen by us."),
    Grade.UNVERIFIED: ("Unverified", "idle", "General knowledge; never the ground for a write."),
}
"""Word, tone and meaning of each evidence grade, in English."""


APPROACH_LOOKS = {
    Approach.DIRECT: ("accent", "plug-zap"),
    Approach.OCPP: ("accent", "arrow-left-right"),
    Approach.GUIDED: ("attention", "hand"),
    Approach.BRIDGE: ("attention", "route"),
    Approach.DIAGNOSE: ("idle", "eye"),
    Approach.NONE: ("idle", "circle-help"),
}
"""Tone and icon of each way."""

VERDICT_LOOKS = {
    Verdict.NOW: ("good", "circle-check"),
    Verdict.AFTER: ("attention", "clock"),
    Verdict.BRIDGE: ("attention", "route"),
    Verdict.SIM: ("attention", "signal"),
    Verdict.BOARD: ("attention", "cpu"),
    Verdict.NOT_HERE: ("fault", "octagon-x"),
    Verdict.UNKNOWN: ("idle", "circle-dashed"),
}
"""Tone and icon of each general verdict."""


def approached(approach: Approach) -> tuple[str, str, str, str]:
    """Return word, tone, icon and meaning of a way, as shown."""
    word, meaning = APPROACHES[approach]
    tone, icon_name = APPROACH_LOOKS[approach]
    return worded(word), tone, icon_name, worded(meaning)


def judged(verdict: Verdict) -> tuple[str, str, str]:
    """Return word, tone and icon of a general verdict, as shown."""
    return worded(HEADLINES[verdict]), *VERDICT_LOOKS[verdict]


def graded(grade: Grade) -> tuple[str, str, str]:
    """Return word, tone and meaning of an evidence grade, as shown."""
    word, tone, meaning = GRADES[grade]
    return worded(word), tone, worded(meaning)


_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Families(QAbstractListModel):
    """Profiles, sorted by vendor and family, those of no vendor last; ``search`` keeps what fits words and filter."""

    def __init__(self, profiles: Iterable[Profile], parent: QObject) -> None:
        super().__init__(parent)
        self._all = sorted(profiles, key=lambda item: (not item.vendor, item.vendor.lower(), item.family.lower()))
        self._texts = {profile.id: _searchable(profile) for profile in self._all}
        self._shown = list(self._all)

    @property
    def total(self) -> int:
        """Count the families without the filter."""
        return len(self._all)

    @property
    def vendors(self) -> list[str]:
        """List all vendors by name."""
        return list(dict.fromkeys(profile.vendor for profile in self._all if profile.vendor))

    def search(
        self, text: str, *, approach: Approach | None = None, verdict: Verdict | None = None, vendor: str = ""
    ) -> None:
        """Show the families in whose facts every word occurs; ``None`` and empty texts filter nothing."""
        words = text.lower().split()
        self.beginResetModel()
        self._shown = [
            profile
            for profile in self._all
            if all(word in self._texts[profile.id] for word in words)
            and approach in (None, profile.approach)
            and (verdict is None or (profile.outlook is not None and profile.outlook.verdict is verdict))
            and vendor in ("", profile.vendor)
        ]
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Count the families shown."""
        return 0 if parent.isValid() else len(self._shown)

    def row_of(self, profile_id: str) -> int:
        """Return the row of a family, or -1."""
        return next((row for row, profile in enumerate(self._shown) if profile.id == profile_id), -1)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a family's text, subtitle, icon, badge or profile."""
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        profile = self._shown[index.row()]
        word, tone, _, _ = approached(profile.approach)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (profile.family, below(profile), word) if part)
        values: dict[int, object] = {
            int(Qt.ItemDataRole.DisplayRole): profile.family,
            int(Qt.ItemDataRole.ToolTipRole): profile.summary,
            SUBTITLE_ROLE: below(profile),
            ICON_ROLE: profile.picture,
            BADGE_ROLE: (word, tone),
            PROFILE_ROLE: profile,
        }
        return values.get(int(role))


def below(profile: Profile) -> str:
    """Return what stands under a family's name: its vendor, or its models where the name says the vendor already."""
    if profile.vendor and profile.vendor.casefold() not in profile.family.casefold():
        return profile.vendor
    return ", ".join(profile.models[:3]) or profile.vendor


def is_typeable(profile: Profile) -> bool:
    """Say whether anything is known to be typed into one: not where it is only read, or no way was ever found."""
    return profile.guide is not None or profile.approach not in (Approach.BRIDGE, Approach.DIAGNOSE, Approach.NONE)


def _searchable(profile: Profile) -> str:
    rules, guide = profile.match, profile.guide
    parts = [profile.id, profile.family, profile.vendor, profile.driver, profile.summary, *profile.instructions]
    parts += [*profile.models, *rules.mdns_types, *rules.usb_ids, rules.boot_vendor_like, rules.boot_model_like]
    parts += [rules.serial_like, rules.ssid_like, rules.ble_name_like, *rules.access_point_hosts]
    parts += [quirk.text for quirk in profile.quirks] + [door.text for door in profile.one_way_doors]
    parts += [key.key for key in profile.backend_keys] + [rule.needs for rule in profile.firmware]
    if guide is not None:
        parts += [guide.tool, guide.place, guide.default_address, *(field.label for field in guide.fields)]
    if profile.outlook is not None:
        parts += [profile.outlook.reason, *profile.outlook.needs]
    parts.append(APPROACHES[profile.approach][0])
    return "\n".join(parts).lower()

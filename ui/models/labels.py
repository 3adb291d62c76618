"""What a scanned label means, in the technician's words: one card for each charger a photo or a reader named."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from app.labels.label import Kind, Label, parse
from app.labels.layouts import retyped
from app.labels.lookalike import compared
from app.labels.matching import Likeness, Match, Target, Verdict, match
from app.labels.reading import Code
from app.model.unit import Unit
from app.settings import Listed
from ui.i18n import worded
from ui.models.plain import counted, visible

SHOWN = 60
"""Characters of a name on a card."""

TYPED = "typed"
"""The symbology of what came over the keyboard."""

CARDS = 12
"""Cards shown of one photo."""


class Choice(Enum):
    """What can be done next, as buttons."""

    OPEN = "open"
    REHOME = "rehome"
    SHOW = "show"
    ADD = "add"
    CORRECT = "correct"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One button: what it does, its words, and to which charger."""

    choice: Choice
    text: str
    target: Target | None = None
    is_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One result. ``tone`` is that of a chip; ``pairs`` are spellings to show one below the other."""

    match: Match
    tone: str
    word: str
    title: str
    text: str
    pairs: tuple[Likeness, ...] = ()
    actions: tuple[Action, ...] = ()

    @property
    def unit_id(self) -> str:
        """Return the charger to select on the page: the one that was found for sure."""
        targets = self.match.targets if self.match.verdict is Verdict.EXACT else ()
        return next((item.unit.unit_id for item in targets if item.unit is not None), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that came of one scan: the cards, and the texts of codes that mean nothing beside them."""

    cards: tuple[Card, ...]
    others: tuple[Label, ...] = ()


def judged(codes: Iterable[Code], listed: Sequence[Listed], units: Iterable[Unit]) -> Outcome:
    """Match every code of a scan, and make one card of those that name the same charger."""
    units = tuple(units)
    notes: dict[int, str] = {}
    matches = []
    for code in codes:
        found = match(parse(code.text, is_article=code.is_article), listed, units)
        if code.symbology == TYPED and found.verdict is Verdict.UNKNOWN:
            found, note = _meant(found, code.text, listed, units)
            notes[id(found)] = note
        matches.append(found)
    matches.sort(key=lambda item: (_ORDER.index(item.verdict), -len(item.label.secrets), -len(item.label.names)))
    firsts = {_who(item): item for item in reversed(matches)}
    chosen = [item for item in matches if firsts[_who(item)] is item]
    sure = [item for item in chosen if item.verdict in _ORDER[:3]]
    rest = [item.label for item in chosen if item.verdict not in _ORDER[:3]] if sure else []
    cards = (card(item, notes.get(id(item), "")) for item in (sure or chosen)[:CARDS])
    return Outcome(cards=tuple(cards), others=tuple(rest[:CARDS]))


def _meant(found: Match, text: str, listed: Sequence[Listed], units: Sequence[Unit]) -> tuple[Match, str]:
    """Try whether a reader set to an American keyboard meant something the site knows; return it with a remark."""
    for layout, meant in retyped(text):
        other = match(parse(meant), listed, units)
        if other.verdict in _ORDER[:3]:
            said = worded(
                "The reader is set to an American keyboard and this computer to a {layout} one: “{arrived}” arrived."
                " The reader's manual says how to set its country.",
                layout=worded(layout),
                arrived=visible(found.label.shown, SHOWN),
            )
            return other, said
    return found, ""


_ORDER = (Verdict.TWICE, Verdict.ALIKE, Verdict.EXACT, Verdict.UNKNOWN, Verdict.NAMELESS)


def _who(found: Match) -> tuple[object, ...]:
    """Name the chargers a match means, so that two codes of one label become one card."""
    whom = tuple(
        (
            item.row.serial if item.row else "",
            item.row.identity if item.row else "",
            item.unit.unit_id if item.unit else "",
        )
        for item in found.targets
    )
    return (found.verdict, whom or found.name or found.label.shown)


def card(found: Match, note: str = "") -> Card:
    """Put a match into words; ``note`` comes before them."""
    made = _card(found)
    return replace(made, text=f"{note} {made.text}") if note else made


def _card(found: Match) -> Card:
    match found.verdict:
        case Verdict.EXACT:
            return _exact(found, found.targets[0])
        case Verdict.ALIKE:
            return _alike(found, found.alike[0])
        case Verdict.TWICE:
            return _twice(found)
        case Verdict.UNKNOWN:
            return _unknown(found)
        case Verdict.NAMELESS:
            return _nameless(found)


def _exact(found: Match, target: Target) -> Card:
    row, title = target.row, visible(target.title, SHOWN)
    if target.unit is None:
        word, heading = worded("On the list"), worded("{name} is on the list", name=title)
        text = worded("It was not found on the network yet. Connect it, or let it dial in.")
        actions: tuple[Action, ...] = (_copy(found),)
    else:
        word, heading = worded("Found"), worded("This is {name}", name=title)
        text = _of_list(row)
        actions = (
            Action(choice=Choice.OPEN, text=worded("Open"), target=target),
            Action(choice=Choice.REHOME, text=worded("Rehome…"), target=target, is_first=True),
        )
    if found.alike:
        text += " " + worded("Beware: another one here is easily mixed up with it.")
    return Card(match=found, tone="good", word=word, title=heading, text=text, pairs=found.alike[:3], actions=actions)


def _copy(found: Match) -> Action:
    if not found.name:
        return Action(choice=Choice.COPY, text=worded("Copy the text"))
    return Action(choice=Choice.COPY, text=worded("Copy {name}", name=visible(found.name, 24)))


def _of_list(row: Listed | None) -> str:
    if row is None:
        return worded("It is not on the site's list.")
    said = row.identity or row.serial
    if row.backend:
        return worded("On the list as {name}, for {url}.", name=visible(said, SHOWN), url=visible(row.backend, SHOWN))
    return worded("On the list as {name}.", name=visible(said, SHOWN))


def _alike(found: Match, likeness: Likeness) -> Card:
    target = likeness.target
    actions = []
    if target.unit is not None:
        show = worded("Show {name}", name=visible(target.title, 24))
        actions.append(Action(choice=Choice.SHOW, text=show, target=target))
    if to_list(found) is not None:
        actions.append(Action(choice=Choice.ADD, text=worded("Another charger: add it")))
    if target.row is not None and likeness.stands in (target.row.serial, target.row.identity):
        actions.insert(0, Action(choice=Choice.CORRECT, text=worded("Same charger: correct the list"), target=target))
    stop = worded("Compare both letter by letter with the label. Nothing was chosen, nothing was changed.")
    return Card(
        match=found,
        tone="attention",
        word=worded("Stop"),
        title=worded("It only looks like {name}", name=visible(likeness.stands, SHOWN)),
        text=f"{_of_list(target.row)} {stop}",
        pairs=found.alike[:3],
        actions=tuple(actions),
    )


def _twice(found: Match) -> Card:
    shown = [item for item in found.targets if item.unit is not None][:4]
    return Card(
        match=found,
        tone="fault",
        word=worded("Stop"),
        title=worded("More than one goes by this"),
        text=worded(
            "The label fits: {names}. Find out which one hangs here before anything is written.", names=_names(found)
        ),
        actions=(
            *(
                Action(choice=Choice.SHOW, text=worded("Show {name}", name=visible(item.title, 24)), target=item)
                for item in shown
            ),
            _copy(found),
        ),
    )


def _names(found: Match) -> str:
    names = [visible(item.title, 30) for item in found.targets[:6]]
    more = len(found.targets) - len(names)
    return ", ".join(names) + (", " + counted(more, worded("one more"), worded("{count} more")) if more else "")


def _unknown(found: Match) -> Card:
    label = found.label
    add = Action(choice=Choice.ADD, text=worded("Add to the site's list"), is_first=True)
    what = worded("No line of the list and no charger found so far goes by “{name}”.", name=visible(found.name, SHOWN))
    if label.kind is Kind.WIFI:
        what = worded(
            "It is a label for the network “{name}”, and no charger here has that name.",
            name=visible(label.ssid, SHOWN),
        )
    return Card(
        match=found,
        tone="idle",
        word=worded("Unknown"),
        title=worded("Not on this site"),
        text=what,
        actions=(add, _copy(found)) if to_list(found) is not None else (_copy(found),),
    )


def _nameless(found: Match) -> Card:
    if found.label.kind is Kind.ARTICLE:
        text = worded("It is an article number: all units of the model have the same. Look for “S/N” or “Serial”.")
    else:
        text = worded("There is no serial number, MAC address or identity in it.")
    actions = (_copy(found),) if found.label.shown else ()
    return Card(
        match=found,
        tone="idle",
        word=worded("No charger"),
        title=worded("This names no charger"),
        text=text,
        actions=actions,
    )


def to_list(found: Match) -> Listed | None:
    """Return the line a label would make on the list; ``None`` where it has neither serial number nor identity."""
    label = found.label
    if label.serial or label.identity:
        return Listed(serial=label.serial, identity=label.identity)
    if label.kind is Kind.PLAIN and label.candidates:
        return Listed(serial=label.candidates[0])
    return None


def corrected(likeness: Likeness) -> Listed | None:
    """Return a line of the list with the label's spelling in place of its own."""
    row = likeness.target.row
    if row is None:
        return None
    serial = likeness.scanned if row.serial == likeness.stands else row.serial
    identity = likeness.scanned if row.identity == likeness.stands else row.identity
    return Listed(serial=serial, identity=identity, backend=row.backend)


def differences(pair: Likeness) -> str:
    """Say in words in what two spellings differ, such as “O” (capital letter) and “0” (digit)."""
    said = [
        worded("{one} on the label, {other} here", one=_spelled(part.one), other=_spelled(part.other))
        for part in compared(pair.scanned, pair.stands)
        if part.differs
    ]
    return "; ".join(dict.fromkeys(said[:3]))


def _spelled(text: str) -> str:
    if not text:
        return worded("nothing")
    if len(text) > 1:
        return f"“{visible(text, 12)}”"
    kind = {"Lu": worded("capital letter"), "Ll": worded("small letter"), "Nd": worded("digit")}.get(
        unicodedata.category(text)
    )
    script = unicodedata.name(text, "").partition(" ")[0].capitalize()
    if kind and script in ("Cyrillic", "Greek", "Fullwidth"):
        kind = f"{script} {kind}"
    return f"“{visible(text)}” ({kind})" if kind else f"“{visible(text)}”"

"""Identities that a person takes for one another: O and 0, I and 1, rn and m, Cyrillic А and Latin A, dash or none."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass

from app.diagnosis.history import folded as folded_apart

_STROKES = str.maketrans("5s8b2z6g|", "ssbbzzgg1")
"""Digits and letters that are mixed up in handwriting, on worn labels and in small print; 0/O and 1/I/l stand in
ID-SPELLING's own table (connection-failures 26)."""

_FOREIGN = str.maketrans(
    "авекмнорстухіјѕёԁԛԝαβεζηικμνορτυχ",
    "abekmhopctyxijsedqwabezhikmvoptux",
)
"""Small Cyrillic and Greek letters whose capitals or small forms look Latin (Unicode Technical Standard 39)."""

_PAIRS = (("rn", "m"), ("vv", "w"))
"""Small letters that run together in print."""

LONGEST = 300
"""Characters that are compared; the longest identity is 48 (OCPP 2.0.1 part 2, IdentifierString)."""


def folded(text: str) -> str:
    """Fold a text so that texts which look alike are equal; blanks, dashes and what can't be seen fall away."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    for pair, single in _PAIRS:
        text = text.replace(pair, single)
    small = unicodedata.normalize("NFKD", text.casefold()).translate(_FOREIGN)
    apart = folded_apart(small).translate(_STROKES)
    return "".join(char for char in apart if char.isalnum())


def is_alike(one: str, other: str) -> bool:
    """Say whether two different texts look alike. Texts of fewer than three letters and digits never do."""
    return one != other and len(folded(one)) >= 3 and folded(one) == folded(other)


@dataclass(frozen=True, slots=True)
class Part:
    """What stands in the same place of two texts; one side may be empty."""

    one: str
    other: str

    @property
    def differs(self) -> bool:
        """Say whether the two sides are not the same."""
        return self.one != self.other


def compared(one: str, other: str) -> tuple[Part, ...]:
    """Cut two texts into parts that agree and parts that do not: to show them one below the other."""
    one, other = one[:LONGEST], other[:LONGEST]
    steps = difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return tuple(Part(one[begin:end], other[start:stop]) for _, begin, end, start, stop in steps)

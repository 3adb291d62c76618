"""Barcode readers type as if the keyboard were an American one; on a German or French one other letters arrive.

The keys are those of the systems' own layouts (XKB ``us``, ``de``, ``fr``): the same key, the other engraving.
"""

from __future__ import annotations

GERMAN = str.maketrans(
    """"§&/()=ß?zZüÜ+*öÖäÄ°#'yY;:-_""",
    """@#^&*()-_yY[{]};:'"~\\|zZ<>/?""",
)
"""What arrives from an American reader on a German keyboard, to what stands on the label; dead keys are left out."""

FRENCH = str.maketrans(
    """&1é2"3'4(5-6è7_8ç9à0)°aAzZ$£qQmMù%²*µwW,?;.:/!§""",
    """1!2@3#4$5%6^7&8*9(0)-_qQwW]}aA;:'"`\\|zZmM,<.>/?""",
)
"""The same on a French one, where digits need Shift."""

LAYOUTS = {"German": GERMAN, "French": FRENCH}


def retyped(text: str) -> tuple[tuple[str, str], ...]:
    """Return what an American reader meant, for each keyboard on which it would have typed this: name and text."""
    meant = ((name, text.translate(layout)) for name, layout in LAYOUTS.items())
    return tuple((name, other) for name, other in meant if other != text)

"""One family's facts on paper: HTML or PDF."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.driver.registry import Driver
from app.errors import StoreError
from app.model.profile import Profile
from app.report.family import APPROACHES, GRADES, parts, verdict
from app.report.files import write_pdf
from app.report.text import rendered


def html(profile: Profile, driver: Driver) -> str:
    """Return one self-contained document, plain enough for Qt too."""
    return rendered(
        "family.html",
        profile=profile,
        approach=APPROACHES[profile.approach],
        verdict=verdict(profile),
        parts=parts(profile, driver),
        grades=GRADES,
    )


async def save(profile: Profile, driver: Driver, path: Path) -> None:
    """Write the sheet as HTML, or as a PDF where the file's name ends so. Raises StoreError."""
    text = html(profile, driver)
    try:
        if path.suffix.lower() == ".pdf":
            await write_pdf(text, path, profile.family)
        else:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror or error}.", "Choose another place."
        ) from error

"""No announced, advertised or dialled name takes long to compare with the patterns of all profiles and stacks."""

from __future__ import annotations

import re
import time
from dataclasses import fields

from app import resources
from app.diagnosis.stacks import stacks
from app.driver.registry import load_profiles
from app.model.profile import Match

PROFILES = load_profiles(resources.texts("profiles", ".toml"))
RULES = [field.name for field in fields(Match) if field.name.endswith("_like")]
PATTERNS = {getattr(profile.match, rule) for profile in PROFILES for rule in RULES} | {
    stack.vendor_like for stack in stacks()
}
LONGEST = 255
"""A DNS name (RFC 1035 §2.3.4); everything else a charger says of itself is cut shorter before."""


def test_hostile_names_are_compared_quickly() -> None:
    words = {word for pattern in PATTERNS for word in re.findall(r"[A-Za-z0-9_ -]+", pattern)} | set("a1-_ é!")
    names = {(word * LONGEST)[: LONGEST - 1] + tail for word in words for tail in ("", "!", "\n")}
    began_s = time.process_time()
    for pattern in PATTERNS:
        for name in names:
            re.search(pattern, name, re.IGNORECASE)
    assert time.process_time() - began_s < 0.0005 * len(PATTERNS) * len(names)

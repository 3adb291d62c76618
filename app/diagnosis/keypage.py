"""The vendor key table as a page of documentation: ``python -m app.diagnosis.keypage > docs/vendor-keys.md``."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator

from app import resources
from app.diagnosis.stacks import Offered, Stack, stacks
from app.model.profile import BackendKey, Evidence
from app.model.profile_reading import parse

_ACCESS = {"r": "read", "w": "write", "rw": "read, write", "any": ""}


def page() -> str:
    """Return the page."""
    held = _held()
    lines = [*_head()]
    for stack in sorted(stacks(), key=lambda stack: (stack.address.offered is Offered.NOT_FOUND, stack.name.lower())):
        lines += _entry(stack, held.get(stack.profile, ()))
    return "\n".join(lines).rstrip() + "\n"


def _held() -> dict[str, tuple[BackendKey, ...]]:
    wanted = {stack.profile for stack in stacks() if stack.profile}
    texts = {name: text for name, text in resources.texts("profiles", ".toml").items() if name in wanted}
    profiles = [parse(tomllib.loads(text), origin=f"profiles/{name}.toml") for name, text in texts.items()]
    return {profile.id: profile.backend_keys for profile in profiles}


def _head() -> Iterator[str]:
    yield "# Vendor keys"
    yield ""
    yield "Settings over OCPP by which a make is recognised, and those that hold its backend address. This page is"
    yield "made from `resources/stacks` and `resources/profiles` by"
    yield "`python -m app.diagnosis.keypage > docs/vendor-keys.md`; a test keeps it fresh. Grades: *source* read in a"
    yield "source or vendor document, *reported* told by users, *unverified* nobody has shown it. The standard's keys"
    yield "stand in `resources/checks/ocpp16-keys.toml` and `ocpp2-standard.toml`."
    yield ""


def _entry(stack: Stack, held: tuple[BackendKey, ...]) -> Iterator[str]:
    yield f"## {stack.name}"
    yield ""
    yield f"{stack.address.text} {_source(stack.address.evidence)}"
    if stack.reading is not None:
        yield f"{stack.reading.text} {_source(stack.reading.evidence)}"
    yield ""
    marks = [f"`{mark.text}{'*' if mark.is_prefix else ''}` ({mark.weight})" for mark in stack.marks]
    marks += [f"the vendor in its Boot (`{stack.vendor_like}`)"] if stack.vendor_like else []
    yield f"Recognised by (weight of proof): {', '.join(marks)}."
    yield ""
    rows = [*map(_held_row, held), *(_own_row(stack))]
    if rows:
        yield "| key | what it is | access | source |"
        yield "| --- | --- | --- | --- |"
        yield from rows
        yield ""


def _held_row(key: BackendKey) -> str:
    what = f"**{key.holds}**" + (f": {key.note}" if key.note else "")
    return f"| `{key.key}` | {_cell(what)} |  | {_cell(_source(key.evidence))} |"


def _own_row(stack: Stack) -> Iterator[str]:
    for key in stack.keys:
        what = f"{key.label}. {key.meaning}" + (f" *{key.danger}*" if key.danger else "")
        yield f"| `{key.key}` | {_cell(what)} | {_ACCESS[key.access]} | {_cell(_source(key.evidence))} |"


def _source(evidence: Evidence) -> str:
    return f"({evidence.grade.value}: {evidence.source})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # a text stream, also when redirected
    sys.stdout.write(page())

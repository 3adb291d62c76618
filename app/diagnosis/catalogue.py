"""The failure catalogue: what each finding code means, in the technician's words.

The texts are data (``resources/failures/<CODE>.toml``), strictly read. They are plain text: nothing in them, and
nothing a charger says, is ever markup.
"""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app import resources
from app.errors import ProfileError
from app.model.experiment import EXPERIMENTS, Experiment
from app.model.finding import Finding

MAX_DETAIL = 240
"""Longest text of a charger that is put into an explanation."""

NOTES = "_notes"
"""The file that explains the short notes on frames."""

FORMER = {
    "BACKEND-LOGIN": "AUTH-401",
    "BACKEND-UNKNOWN": "ID-UNKNOWN",
    "BACKEND-SPELLING": "ID-SPELLING",
    "BACKEND-VERSION": "SUBPROTO-NONE",
    "BACKEND-PROXY": "PROXY-CDN",
    "BACKEND-BUSY": "ZOMBIE-SESSION",
    "BACKEND-DNS": "DNS-FAIL",
    "BACKEND-SCHEME": "SCHEME-PORT",
    "BACKEND-TLS": "TLS-TRUST",
}
"""Codes in jobs of version 0.1.0, which had names of its own for the backend's side (decision 0016)."""

Translate = Callable[[str], str]

_PLACE = re.compile(r"\{([a-z_]+)\}")
_CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*\Z")
_TEXTS = ("title", "symptom", "cause", "remedy", "vendor")
_TO = ("vendor", "operator", "site")
_SEEN = frozenset("TPLH")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureText:
    """The explanation of a finding. ``vendor`` is a text to send on, to whom ``to`` says."""

    code: str
    title: str
    symptom: str
    cause: str
    remedy: str
    vendor: str = ""
    to: str = "vendor"
    """Whom that text is for: the charger's ``vendor``, the backend's ``operator``, or who runs the ``site``."""
    details: tuple[str, ...] = ()
    """Names of the placeholders its texts may use."""
    sources: tuple[str, ...] = ()
    rank: int = 0
    """Its place among the forty of connection-failures; 0 = one of ours."""
    seen: str = ""
    """Where it shows: T our endpoint, P the check of the backend, L read from the charger, H asked of a person."""
    cases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Texts that differ where the code shows itself in another way (``Finding.details["case"]``)."""
    is_known: bool = field(default=True)


@functools.cache
def catalogue() -> Mapping[str, FailureText]:
    """Return all explanations by code. Raises ProfileError where a file breaks the rules."""
    documents = resources.texts("failures", ".toml")
    return {code: parse(code, text) for code, text in documents.items() if not code.startswith("_")}


@functools.cache
def notes() -> Mapping[str, str]:
    """Return what the short notes on frames mean, by note (without its trailing number)."""
    text = resources.texts("failures", ".toml").get(NOTES, "")
    return {key: str(value) for key, value in tomllib.loads(text).items()}


def explain(finding: Finding, translate: Translate = str) -> FailureText:
    """Return the explanation with the finding's details filled in; a code without a text explains itself by name.

    ``translate`` gets each text before its placeholders are filled.
    """
    former = FORMER.get(finding.code)
    if former is not None:
        finding = replace(finding, code=former, details={**finding.details, "case": "backend"})
    text = catalogue().get(finding.code)
    if text is None:
        return FailureText(
            code=finding.code, title=finding.code, symptom="", cause="", remedy="Look at the evidence.", is_known=False
        )
    return filled(told_for(text, finding.details.get("case", "")), finding.details, translate)


def told_for(text: FailureText, case: str) -> FailureText:
    """Return the texts of a case; an unknown case is told by the general ones."""
    texts = {**{name: getattr(text, name) for name in (*_TEXTS, "to")}, **text.cases.get(case, {})}
    return replace(
        text,
        title=texts["title"],
        symptom=texts["symptom"],
        cause=texts["cause"],
        remedy=texts["remedy"],
        vendor=texts["vendor"],
        to=texts["to"],
    )


def experiment_of(finding: Finding) -> Experiment | None:
    """Return the experiment that tells this finding from those that look alike; ``None`` where none is needed."""
    return EXPERIMENTS.get(finding.details.get("experiment", ""))


def look_alikes(finding: Finding, translate: Translate = str) -> tuple[str, ...]:
    """Return the titles of what this finding might be as well."""
    codes = [code for code in finding.details.get("alike", "").split(",") if code in catalogue()]
    return tuple(filled(catalogue()[code], finding.details, translate).title for code in codes)


def explain_note(note: str) -> str:
    """Put a frame's short note (``ID-AS-NUMBER``, ``ELEMENTS-5``) into words."""
    known = notes()
    if note in known:
        return known[note]
    stem, _, number = note.rpartition("-")
    return known[stem].replace("{n}", number) if stem in known and number.isdigit() else note


def filled(text: FailureText, details: Mapping[str, str], translate: Translate = str) -> FailureText:
    """Put details into the placeholders; what is missing reads “unknown”."""

    def put(template: str) -> str:
        words = translate(template) if template else ""
        return _PLACE.sub(lambda match: harmless(details.get(match[1], "")) or "unknown", words)

    return replace(
        text,
        title=put(text.title),
        symptom=put(text.symptom),
        cause=put(text.cause),
        remedy=put(text.remedy),
        vendor=put(text.vendor),
    )


def harmless(text: str) -> str:
    """Return a charger's text without control and direction characters, cut to ``MAX_DETAIL``."""
    kept = "".join(char if unicodedata.category(char)[0] != "C" else "·" for char in text[: MAX_DETAIL + 1])
    return kept if len(kept) <= MAX_DETAIL else kept[: MAX_DETAIL - 1] + "…"


def parse(code: str, text: str) -> FailureText:
    """Read one file. Raises ProfileError on a wrong name, an unknown or missing key, or an undeclared placeholder."""
    if not _CODE.match(code):
        raise _bad(code, "the file name is no finding code")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(code, str(error)) from error
    values: dict[str, Any] = {name: _text(code, document, name, required=name != "vendor") for name in _TEXTS}
    values["to"] = _addressee(code, document)
    for name in ("details", "sources"):
        values[name] = _list(code, document, name)
    if not values["sources"]:
        raise _bad(code, "it names no source")
    values |= _place(code, document)
    values["cases"] = {case: _case(code, case, table) for case, table in _tables(code, document).items()}
    if document:
        raise _bad(code, f"unknown key “{sorted(document)[0]}”")
    told = [values[name] for name in _TEXTS] + [text for case in values["cases"].values() for text in case.values()]
    used = {match for text in told for match in _PLACE.findall(text)}
    if used - set(values["details"]):
        raise _bad(code, f"the placeholder “{sorted(used - set(values['details']))[0]}” is not declared in details")
    return FailureText(code=code, **values)


def _place(code: str, document: dict[str, Any]) -> dict[str, Any]:
    rank, seen = document.pop("rank", 0), document.pop("seen", "")
    if not isinstance(rank, int) or not 0 <= rank <= 40:
        raise _bad(code, "“rank” must be a number from 1 to 40")
    if not isinstance(seen, str) or set(seen) - _SEEN:
        raise _bad(code, "“seen” may hold the letters T, P, L and H only")
    return {"rank": rank, "seen": seen}


def _addressee(code: str, document: dict[str, Any]) -> str:
    to = document.pop("to", "vendor")
    if to not in _TO:
        raise _bad(code, "“to” must be vendor, operator or site")
    return str(to)


def _tables(code: str, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tables = document.pop("case", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise _bad(code, "“case” must hold tables")
    return tables


def _case(code: str, case: str, table: dict[str, Any]) -> dict[str, str]:
    texts = {name: _text(code, table, name, required=True) for name in _TEXTS if name in table}
    if "to" in table:
        texts["to"] = _addressee(code, table)
    if table or not texts:
        raise _bad(
            code, f"the case “{case}” holds " + (f"the unknown key “{sorted(table)[0]}”" if table else "nothing")
        )
    return texts


def _text(code: str, document: dict[str, Any], name: str, *, required: bool) -> str:
    value = document.pop(name, "")
    if not isinstance(value, str) or (required and not value.strip()):
        raise _bad(code, f"“{name}” is missing or no text")
    if "<" in value:
        raise _bad(code, f"“{name}” contains markup")
    return value.strip()


def _list(code: str, document: dict[str, Any], name: str) -> tuple[str, ...]:
    value = document.pop(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise _bad(code, f"“{name}” must be a list of texts")
    return tuple(value)


def _bad(code: str, what: str) -> ProfileError:
    return ProfileError(f"failures/{code}.toml: {what}", "Correct the file.")

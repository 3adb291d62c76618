"""The failure catalogue as a page of documentation: ``python -m app.diagnosis.handbook > docs/failures.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from app.diagnosis import decode
from app.diagnosis.catalogue import FailureText, catalogue, told_for
from app.diagnosis.others import others
from app.model.experiment import EXPERIMENTS, Experiment

_SEEN = {"T": "our endpoint", "P": "the check of a backend", "L": "what the charger shows", "H": "a question to you"}
_TO = {"vendor": "the charger's vendor", "operator": "the backend's operator", "site": "who runs the site's network"}
_TABLES = {
    "http": "HTTP answers to a WebSocket attempt",
    "close": "WebSocket close codes",
    "alert": "TLS alerts",
    "first": "First bytes on our port",
}
_PLACE = re.compile(r"\{([a-z_]+)\}")


def page() -> str:
    """Return the page."""
    texts = sorted(catalogue().values(), key=lambda text: (text.rank or 99, text.code))
    return "\n".join([*_head(texts), *(line for text in texts for line in _entry(text)), *_tail()]).rstrip() + "\n"


def _head(texts: list[FailureText]) -> Iterator[str]:
    yield "# Failures"
    yield ""
    yield "Why a charger does not reach its backend, by name. This page is made from `resources/failures` by"
    yield "`python -m app.diagnosis.handbook > docs/failures.md`; a test keeps it fresh. ‹Such words›"
    yield "are filled in from the evidence. The first forty are those of `connection-failures`; the others are ours."
    yield ""
    yield "| | code | what it says | seen by |"
    yield "| --- | --- | --- | --- |"
    for text in texts:
        seen = ", ".join(_SEEN[letter] for letter in text.seen)
        yield f"| {text.rank or ''} | [`{text.code}`](#{text.code.lower()}) | {text.title} | {seen} |"
    yield ""


def _entry(text: FailureText) -> Iterator[str]:
    yield f"## {text.code}"
    yield ""
    yield from _told(text)
    for case in text.cases:
        yield f"### {text.code}: {case}"
        yield ""
        yield from _told(told_for(text, case))
    experiments = [item.title for item in EXPERIMENTS.values() if text.code in item.separates]
    if experiments:
        yield f"Experiments that help: {', '.join(experiments)}."
        yield ""
    yield f"Sources: {'; '.join(text.sources)}."
    yield ""


def _told(text: FailureText) -> Iterator[str]:
    yield f"**{_shown(text.title)}**"
    yield ""
    yield f"- Seen: {_shown(text.symptom)}"
    yield f"- Why: {_shown(text.cause)}"
    yield f"- What to do: {_shown(text.remedy)}"
    if text.vendor:
        yield f"- To send to {_TO[text.to]}: “{_shown(text.vendor)}”"
    yield ""


def _tail() -> Iterator[str]:
    yield "# Experiments"
    yield ""
    for experiment in EXPERIMENTS.values():
        yield from _experiment(experiment)
    yield "# Decode tables"
    yield ""
    for name, title in _TABLES.items():
        yield f"## {title}"
        yield ""
        yield "| | means | points at |"
        yield "| --- | --- | --- |"
        for key, meaning in decode.tables()[name].items():
            yield f"| {key} | {meaning.text} | {f'`{meaning.code}`' if meaning.code else ''} |"
        yield ""
    yield "# Other backends"
    yield ""
    yield "How each would take what a charger shows, as its public sources say (`resources/others`)."
    yield ""
    for other in others():
        yield f"## {other.name}"
        yield ""
        yield f"Takes {', '.join(f'`{version}`' for version in other.versions)}. Read in: {'; '.join(other.sources)}."
        yield ""
        for name, rule in other.rules.items():
            yield f"- `{name}`, {rule.verdict.value}: {_shown(rule.text)} ({rule.source})"
        yield ""


def _experiment(experiment: Experiment) -> Iterator[str]:
    yield f"## {experiment.title}"
    yield ""
    yield f"{experiment.does}" + (f" Beware: {experiment.risk}" if experiment.risk else "")
    yield ""
    yield "| what is seen | what it means | proves |"
    yield "| --- | --- | --- |"
    for outcome in experiment.outcomes:
        yield f"| {outcome.seen} | {outcome.means} | {f'`{outcome.code}`' if outcome.code else ''} |"
    yield ""


def _shown(template: str) -> str:
    return _PLACE.sub(lambda match: f"‹{match[1].replace('_', ' ')}›", template)


if __name__ == "__main__":
    sys.stdout.write(page())

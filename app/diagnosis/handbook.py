"""The failure catalogue as a page of documentation: ``python -m app.diagnosis.handbook > docs/failures.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import asdict

from app.diagnosis import decode
from app.diagnosis.catalogue import FailureText, catalogue, told_for
from app.diagnosis.others import others
from app.diagnosis.thresholds import standard
from app.diagnosis.wishes import Option, questions
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


def phrases() -> Iterator[str]:
    """List every text of the catalogue, experiments and wishes once, for translators; placeholders as they are."""
    told = [text for entry in catalogue().values() for text in _phrases_of(entry)]
    told += [text for item in EXPERIMENTS.values() for text in (item.title, item.does, item.risk)]
    told += [text for item in EXPERIMENTS.values() for end in item.outcomes for text in (end.seen, end.means)]
    told += [text for item in questions() for text in (item.title, item.help)]
    told += [text for item in questions() for option in item.options for text in _option_phrases(option)]
    yield from dict.fromkeys(text for text in told if text)


def _option_phrases(option: Option) -> Iterator[str]:
    yield option.title
    yield from (need.why for need in option.needs)


def _phrases_of(entry: FailureText) -> Iterator[str]:
    for case in ("", *entry.cases):
        text = told_for(entry, case)
        yield from (text.title, text.symptom, text.cause, text.remedy, text.vendor)


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
    yield from _limits()
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


def _limits() -> Iterator[str]:
    yield "# Thresholds"
    yield ""
    yield "From which value on something is worth a word: `resources/checks/thresholds.toml`, with its sources. A file"
    yield "`thresholds.toml` of the same form in Rehome's data folder sets any of them anew."
    yield ""
    yield "| table | key | value |"
    yield "| --- | --- | --- |"
    for name, value in asdict(standard()).items():
        table, _, key = name.partition("_")
        yield f"| `{table}` | `{key}` | {value:g} |"
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
    if sys.argv[1:] == ["phrases"]:
        sys.stdout.writelines(f'QT_TRANSLATE_NOOP("models", {phrase!r})\n' for phrase in phrases())
    else:
        sys.stdout.write(page())

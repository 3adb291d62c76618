"""A run as JUnit XML, the form that every build server reads."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from app.model.acceptance import CaseResult, RunResult, Verdict

_FAILED = (Verdict.FAIL, Verdict.PARTIAL)
_SKIPPED = (Verdict.NOT_APPLICABLE, Verdict.NOT_ASKED)


def junit(run: RunResult) -> str:
    """Return the XML: FAIL and PARTIAL are failures (with their type), NOT APPLICABLE and NOT ASKED are skipped."""
    suites = Xml.Element("testsuites", name="Rehome acceptance")
    ended = run.ended_at or run.started_at
    suite = Xml.SubElement(
        suites,
        "testsuite",
        name=_clean(f"{run.suite_title} {run.identity}"),
        tests=str(len(run.results)),
        failures=str(sum(result.verdict in _FAILED for result in run.results)),
        errors="0",
        skipped=str(sum(result.verdict in _SKIPPED for result in run.results)),
        time=f"{(ended - run.started_at).total_seconds():.3f}",
        timestamp=run.started_at.isoformat(timespec="seconds"),
    )
    _properties(suite, run)
    for result in run.results:
        _case(suite, run, result)
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _properties(suite: Xml.Element, run: RunResult) -> None:
    listed = Xml.SubElement(suite, "properties")
    told = {"run": run.id, "ocpp": run.version, "verdict": run.verdict.value, "stopped": run.stopped, **run.unit}
    for name, value in told.items():
        if value:
            Xml.SubElement(listed, "property", name=_clean(name), value=_clean(value))


def _case(suite: Xml.Element, run: RunResult, result: CaseResult) -> None:
    element = Xml.SubElement(
        suite,
        "testcase",
        classname=f"rehome.acceptance.ocpp{run.version.replace('.', '')}.{result.case_id.split('-')[1]}",
        name=_clean(f"{result.case_id} {result.title}"),
        time=f"{result.took_s:.3f}",
    )
    unmet = [check for check in result.checks if not check.is_met]
    if result.verdict in _FAILED:
        first = unmet[0].sentence if unmet else result.reason
        failure = Xml.SubElement(element, "failure", type=result.verdict.value, message=_clean(first))
        failure.text = _clean("\n".join(f"{check.sentence} {_frames(check.seqs)}" for check in unmet))
    elif result.verdict in _SKIPPED:
        Xml.SubElement(element, "skipped", message=_clean(f"{result.verdict.value}: {result.reason}"))
    lines = [f"{result.verdict.value} ({result.clause})"]
    lines += [f"{'+' if check.is_met else '-'} {check.sentence} {_frames(check.seqs)}" for check in result.checks]
    lines += [f"not put back: {text}" for text in result.unrestored]
    Xml.SubElement(element, "system-out").text = _clean("\n".join(lines))


def _frames(seqs: tuple[int, ...]) -> str:
    return f"[frames {', '.join(map(str, seqs[:20]))}]" if seqs else ""


def _clean(text: str) -> str:
    """Drop what XML 1.0 §2.2 can't hold: a charger may put control characters into any text."""
    return "".join(
        char
        if char in "\t\n" or 0x20 <= ord(char) < 0xD800 or 0xE000 <= ord(char) <= 0xFFFD or ord(char) > 0xFFFF
        else "\ufffd"
        for char in text
    )

"""Write a report as HTML (for a browser, or plain enough for Qt's text documents) and as JSON."""

from __future__ import annotations

import base64
import functools
import re
from datetime import datetime
from typing import Any

import orjson

from app import resources
from app.model.coding import encode
from app.report.build import Report
from app.report.chart import WIDTH, chart

SCHEMA_ID = "https://rehome.invalid/schema/report-1.json"
"""Names the published schema ``resources/report/report.schema.json``; nothing is ever fetched from it."""

PRINT_SCALE = 3.0
"""Qt turns an SVG image into pixels: three times the size keeps it sharp on paper."""

_BREAKS = re.compile(r"([,/?&=}\]:_.-])")

PRINT_WIDTH = 660
"""CSS pixels an A4 page with 16 mm margins is wide."""


def html(report: Report, *, for_print: bool = False) -> str:
    """Return one self-contained HTML document; nothing a charger said in it is ever markup."""
    from markupsafe import Markup

    name = "print.html" if for_print else "report.html"
    drawn = chart(report.curves, scale=PRINT_SCALE if for_print else 1.0)
    image = f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}" if drawn else ""
    template = _environment().get_template(name)
    # Our own drawing is the only markup that goes in: it escapes every text it contains.
    own = {"chart": Markup(drawn), "chart_image": image, "chart_width": min(WIDTH, PRINT_WIDTH)}
    return str(template.render(report=report, **own))


def rendered(name: str, **values: Any) -> str:
    """Return another document of the same kind, by its template's name."""
    return str(_environment().get_template(name).render(**values))


def json_text(report: Report) -> str:
    """Return the report as JSON by the published schema."""
    document = {"schema": SCHEMA_ID, **_plain(encode(report))}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def schema() -> dict[str, Any]:
    """Return the published JSON schema."""
    found: dict[str, Any] = orjson.loads(resources.path("report", "report.schema.json").read_bytes())
    return found


def _plain(value: Any) -> Any:
    """Drop the class names of the encoding."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "$"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


@functools.cache
def _environment() -> Any:
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        loader=DictLoader(resources.texts("report", ".j2")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = _when
    environment.filters["clock"] = _clock
    environment.filters["visible"] = _visible
    environment.filters["breakable"] = _breakable
    return environment


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else ""


def _clock(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at is not None else ""


def _visible(text: str) -> str:
    """Show control and direction characters instead of obeying them."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in str(text))


def _breakable(text: str) -> str:
    """Let a long text without blanks be broken: Qt's text documents break lines only where they may."""
    return _BREAKS.sub("\\1\u200b", _visible(text))

"""Payloads drawn from the standard's own schemas: those that obey, and those that don't."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TIMES = st.sampled_from(
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00.000+01:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1970-01-01T00:00:00Z",
        "2026-11-23",
        "yesterday",
        "",
    ]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def obeying(schema: dict[str, Any], root: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Draw what a schema of the ``ocpp`` package allows."""
    root = root or schema
    if "$ref" in schema:
        return obeying(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(schema, root)
        case "array":
            least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
            return st.lists(obeying(schema["items"], root), min_size=least, max_size=max(least, most))
        case "string" if schema.get("format") == "date-time":
            return TIMES
        case "string":
            return st.text(max_size=min(schema.get("maxLength", 60), 60))
        case "integer":
            return st.integers(-2, 3) | st.sampled_from([60, 600, 86_400, 2**31, 2**63, 10**30, -(10**18)])
        case "number":
            return st.integers(-3, 64) | st.sampled_from([0.1, 6.5, 1e9, 1e300])
        case "boolean":
            return st.booleans()
    return JUNK


def _object(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    needed = set(schema.get("required", ()))
    fields = {name: obeying(part, root) for name, part in schema.get("properties", {}).items()}
    must = {name: made for name, made in fields.items() if name in needed}
    may = {name: made for name, made in fields.items() if name not in needed}
    return st.fixed_dictionaries(must, optional=may)


@st.composite
def broken(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Draw a payload and spoil it: a field gone, one too many, one of a wrong kind."""
    payload = dict(draw(obeying(schema)))
    for _ in range(draw(st.integers(1, 2))):
        names = [*payload, "surplus"]
        name = draw(st.sampled_from(names))
        if draw(st.booleans()) and name in payload:
            del payload[name]
        else:
            payload[name] = draw(JUNK)
    return payload

"""No configuration, however odd, breaks reading, explaining, recognising or judging it."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.diagnosis import dump, explained, wishes
from app.diagnosis.keys import keys2, keys16
from app.errors import Garbled

NAMES = sorted([*keys16(), *keys2(), "evb_ServerURL", "Cst_FreeVendActive", "key", "value", "component", "variable"])
WORDS = st.sampled_from(NAMES) | st.text(max_size=20)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=30
)
ENTRIES = st.lists(
    st.fixed_dictionaries({"key": WORDS}, optional={"value": LEAVES, "readonly": st.booleans() | WORDS}), max_size=20
)


def judged(data: str | bytes) -> None:
    try:
        told = dump.read(data)
    except Garbled:
        return
    report = explained.explain(told, vendor="ABB")
    assert len(report.settings) == len(told.entries)
    assert report.address_words
    for question in wishes.questions():
        for option in question.options:
            answer = wishes.judge(told, question, option)
            assert {change.key for change in answer.changes} <= told.values.keys()


@given(st.binary(max_size=400))
def test_bytes_harm_nothing(data: bytes) -> None:
    judged(data)


@given(st.text(max_size=400))
def test_texts_harm_nothing(text: str) -> None:
    judged(text)


@given(TREES)
def test_trees_of_json_harm_nothing(tree: Any) -> None:
    judged(json.dumps(tree))


@given(ENTRIES)
def test_settings_of_any_kind_are_judged(entries: list[dict[str, Any]]) -> None:
    judged(json.dumps({"configurationKey": entries}))


@given(st.lists(st.tuples(WORDS, WORDS), max_size=20))
def test_tables_and_lines_harm_nothing(rows: list[tuple[str, str]]) -> None:
    judged("key;value\n" + "\n".join(f"{key};{value}" for key, value in rows))
    judged("\n".join(f"{key} = {value}" for key, value in rows))


def test_lines_of_blanks_are_read_in_time_that_grows_with_their_length_alone() -> None:
    text = "\n".join(f"key{number}=x{' ' * 10_000}x" for number in range(100))
    began_s = time.process_time()
    assert len(dump.read(text).entries) == 100
    assert time.process_time() - began_s < 5, "a second for each two lines it was, when blanks were looked for twice"

"""Rules a linter cannot see, each tried on a violation before it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for name in ("app", "ui") for path in (ROOT / name).rglob("*.py"))

LONGEST_FILE = 500
LONGEST_FUNCTION = 50


def names_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)


def loose_tasks(node: ast.AST) -> bool:
    return bool({"create_task", "ensure_future", "run_coroutine_threadsafe"} & set(names_in(node)))


def nested_loops(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    is_exec = isinstance(called, ast.Attribute) and called.attr in {"exec", "exec_"}
    return is_exec or "processEvents" in set(names_in(node))


def swallowed_bugs(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        passes_on = isinstance(last, ast.Raise) and last.exc is None
        return (node.type is None or is_broad(node.type)) and not passes_on
    if isinstance(node, ast.Call) and "suppress" in set(names_in(node.func)):
        return any(is_broad(argument) for argument in node.args)
    return False


def is_broad(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return any({"Exception", "BaseException"} & set(names_in(part)) for part in parts)


def long_functions(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION


Rule = Callable[[ast.AST], bool]


def breaches(rule: Rule, text: str) -> list[int]:
    return [getattr(node, "lineno", 0) for node in ast.walk(ast.parse(text)) if rule(node)]


def everywhere(rule: Rule, *, below: str = "", except_in: frozenset[str] = frozenset()) -> list[str]:
    found = []
    for path in SOURCES:
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(below) and place not in except_in:
            found += [f"{place}:{line}" for line in breaches(rule, path.read_text(encoding="utf-8"))]
    return found


def test_tasks_are_started_by_their_owners_only() -> None:
    assert not everywhere(loose_tasks, except_in=frozenset({"app/scope.py", "ui/tasks.py"}))


def test_the_window_never_spins_a_loop_of_its_own() -> None:
    assert not everywhere(nested_loops, below="ui/")


def test_unknown_exceptions_are_caught_at_the_doors_only() -> None:
    assert not everywhere(swallowed_bugs, except_in=frozenset({"app/scope.py", "ui/doors.py"}))


def test_functions_fit_on_a_screen() -> None:
    assert not everywhere(long_functions)


def test_files_have_one_subject() -> None:
    long = [path.relative_to(ROOT).as_posix() for path in SOURCES if len(lines_of(path)) > LONGEST_FILE]
    assert not long


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (loose_tasks, "asyncio.create_task(go())"),
        (loose_tasks, "group.create_task(go())"),
        (loose_tasks, "from asyncio import ensure_future"),
        (loose_tasks, "start = loop.create_task"),
        (loose_tasks, "asyncio.run_coroutine_threadsafe(go(), loop)"),
        (nested_loops, "dialog.exec()"),
        (nested_loops, "QMenu(self).exec_(point)"),
        (nested_loops, "QApplication.processEvents()"),
        (swallowed_bugs, "try: go()\nexcept: pass"),
        (swallowed_bugs, "try: go()\nexcept Exception as error: print(error)"),
        (swallowed_bugs, "try: go()\nexcept (ValueError, BaseException): pass"),
        (swallowed_bugs, "try: go()\nexcept builtins.Exception: raise KeyError from None"),
        (swallowed_bugs, "with contextlib.suppress(Exception): go()"),
        (long_functions, "def go():\n" + "    pass\n" * LONGEST_FUNCTION),
        (long_functions, "async def go():\n" + "    pass\n" * LONGEST_FUNCTION),
    ],
)
def test_each_rule_sees_its_violation(rule: Rule, text: str) -> None:
    assert breaches(rule, text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (loose_tasks, "scope.isolated('probe', go())"),
        (nested_loops, "dialog.open()"),
        (nested_loops, "exec('1')"),
        (swallowed_bugs, "try: go()\nexcept OSError: pass"),
        (swallowed_bugs, "try: go()\nexcept BaseException:\n    undo()\n    raise"),
        (swallowed_bugs, "with contextlib.suppress(OSError): go()"),
        (long_functions, "def go():\n" + "    pass\n" * (LONGEST_FUNCTION - 1)),
    ],
)
def test_no_rule_sees_one_where_there_is_none(rule: Rule, text: str) -> None:
    assert not breaches(rule, text)


def test_the_rules_look_at_real_files() -> None:
    assert ROOT / "app" / "scope.py" in SOURCES
    assert ROOT / "ui" / "tasks.py" in SOURCES

"""A pytest plugin: ``-p tests.noting --note-failed FILE`` writes the node ids of the tests that failed, as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--note-failed", metavar="FILE", help="write the ids of the tests that failed to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Take notes, in the process that hears of all tests alone."""
    file = config.getoption("--note-failed")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Notes(Path(file)))


class Notes:
    """What failed so far, each test once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._failed: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, also one before or after the test itself; pytest-xdist puts “@group” behind an id."""
        if report.failed:
            self._failed[re.sub(r"@[^]@]*$", "", report.nodeid)] = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be read at all."""
        if report.failed:
            self._failed[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        self._file.write_text(json.dumps(list(self._failed)), encoding="utf-8")

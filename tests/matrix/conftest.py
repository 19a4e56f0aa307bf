"""What was not done, and why, is printed after the run."""

from __future__ import annotations

import pytest

from tests.matrix.limits import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    if any("test_matrix.py::test_equal" in report.nodeid for report in ran):
        terminalreporter.section("what clients and servers cannot do, with denyproxy and without")
        terminalreporter.write_line(table())

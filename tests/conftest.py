"""What every test may use, and DENYPROXY_REQUIRE_ALL=1: a test that is skipped has failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.backends import ROOT, ministack, seaweedfs

__all__ = ["ministack", "seaweedfs"]

REQUIRE_ALL = os.environ.get("DENYPROXY_REQUIRE_ALL") == "1"

os.environ.setdefault("DENYPROXY_MINISTACK_VENV", str(ROOT / ".venv-ministack"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole file."""
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and DENYPROXY_REQUIRE_ALL is set: {reason}"

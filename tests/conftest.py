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
    """Where all is required, turn skips into failures that keep the reason."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and DENYPROXY_REQUIRE_ALL is set: {reason}"
    return report

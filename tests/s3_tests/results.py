"""Results of a run of tests, and what two runs differ in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

Results = Mapping[str, str]
"""Test -> passed, failed, error or skipped; "exit status" -> the number, where tests were not told apart."""

EXIT_STATUS = "exit status"


def of_run(report: Path, status: int) -> Results:
    """From a JUnit report, as pytest and others write it, or else from the exit status alone."""
    if not report.is_file():
        return {EXIT_STATUS: str(status)}
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        outcome = next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed")
        # A test whose teardown fails is there twice.
        found[name] = outcome if found.get(name) in (None, "passed") else found[name]
    return found


def differences(direct: Results, through: Results) -> Mapping[str, str]:
    """Test that did not end alike -> a line that says how it ended."""
    return {
        name: f"{name}: {direct.get(name, 'not run')} direct, {through.get(name, 'not run')} through denyproxy"
        for name in sorted({*direct, *through})
        if direct.get(name) != through.get(name)
    }


def any_passed(results: Results) -> bool:
    """If nothing did, it proves nothing that nothing differs."""
    return results.get(EXIT_STATUS) == "0" or "passed" in results.values()


def counts(results: Results) -> str:
    """Such as `12 passed, 1 failure`."""
    if EXIT_STATUS in results:
        return f"{EXIT_STATUS} {results[EXIT_STATUS]}"
    outcomes = list(results.values())
    return ", ".join(f"{outcomes.count(one)} {one}" for one in sorted(set(outcomes))) or "no tests"

"""Records by id."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from denyproxy.denylog.lookup import look_up
from denyproxy.explain.record import ShedRecord
from tests.explain.test_explainer import EXPLAINER, READ_ONLY, call, head, policies, world


def line(identity: str, target: str = "/b/k") -> str:
    found = EXPLAINER(call(head("PUT", target), id=identity), world(policies(READ_ONLY)))
    assert found is not None
    return found.record.to_json()


def test_the_last_record_of_each_id(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join((line("A"), line("B"), line("A", "/b/later"), "")))
    found = look_up(log, ["A"])
    assert set(found.records) == {"A"}
    assert found.records["A"].key == "later"
    assert found.problems == []


def test_an_id_in_another_member_is_not_the_records(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line("B", "/b/A"))
    assert look_up(log, ["A"]).records == {}


def test_lines_that_are_no_records_are_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"other text\nA broken\n{line('A')}\n")
    found = look_up(log, ["A"])
    assert set(found.records) == {"A"}
    (problem,) = found.problems
    assert problem.startswith("line 2: not a denial record")


def test_an_id_that_was_shed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    shed = ShedRecord(time=datetime(2026, 5, 1, tzinfo=UTC), count=2, ids=("B", "C"))
    log.write_text(f"{line('A')}\n{shed.to_json()}\n")
    found = look_up(log, ["A", "C"])
    assert (set(found.records), found.shed, found.problems) == ({"A"}, {"C"}, [])


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        look_up(tmp_path / "none", ["A"])

"""The shipped schemas are current, and what is written meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

import denyproxy
from denyproxy.explain.explainer import Explainer
from denyproxy.explain.record import ShedRecord
from denyproxy.explain.scenario import Scenario
from denyproxy.explain.schemas import schemas
from denyproxy.service_model import s3_operations
from tests.explain.test_scenarios import SCENARIOS

SHIPPED = Path(denyproxy.__file__).parent / "schema"


@pytest.mark.parametrize("name", ["explanation.schema.json", "record.schema.json"])
def test_the_shipped_file_is_current(name: str) -> None:
    assert json.loads((SHIPPED / name).read_text()) == json.loads(schemas()[name])


@pytest.mark.parametrize("name", SCENARIOS)
def test_explanations_and_records_meet_their_schemas(name: str) -> None:
    scenario = Scenario.validate_document(SCENARIOS[name])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    explained = Explainer(s3_operations())(scenario.denied_call(now), scenario.snapshot())
    assert explained is not None
    explanation, record = json.loads(explained.explanation.to_json()), json.loads(explained.record.to_json())
    jsonschema.validate(explanation, json.loads(schemas()["explanation.schema.json"]))
    jsonschema.validate(record, json.loads(schemas()["record.schema.json"]))
    assert explanation["schema"] == record["schema"] == 1
    assert record["call"]["mode"] == "scenario"


def test_the_line_for_what_was_shed_meets_the_schema_of_the_log() -> None:
    line = json.loads(ShedRecord(time=datetime(2026, 1, 1, tzinfo=UTC), count=1, ids=("A",)).to_json())
    jsonschema.validate(line, json.loads(schemas()["record.schema.json"]))
    assert line == {"schema": 1, "kind": "shed", "time": "2026-01-01T00:00:00Z", "count": 1, "ids": ["A"]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**line, "kind": "other"}, json.loads(schemas()["record.schema.json"]))

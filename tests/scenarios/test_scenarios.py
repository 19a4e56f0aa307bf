"""The scenarios beside this file are in the public scenario format."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from jsonschema import Draft202012Validator, FormatChecker

SCENARIOS = sorted(Path(__file__).parent.glob("*.json"))
PATCHABLE = [path for path in SCENARIOS if "allowed_if" in json.loads(path.read_bytes())]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(files("denyproxy").joinpath("schema/scenario.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_all_forty_are_here() -> None:
    assert len(SCENARIOS) == 40


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_is_in_the_public_format(path: Path, validator: Draft202012Validator) -> None:
    scenario = json.loads(path.read_bytes())
    assert [error.message for error in validator.iter_errors(scenario)] == []
    assert scenario["id"] == path.stem


@pytest.mark.parametrize("path", PATCHABLE, ids=lambda path: path.stem)
def test_allowed_if_patches_what_is_there(path: Path, validator: Draft202012Validator) -> None:
    scenario = json.loads(path.read_bytes())
    patched = jsonpatch.apply_patch(scenario, scenario["allowed_if"]["patch"])
    assert patched != scenario
    assert [error.message for error in validator.iter_errors(patched)] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"requests": {}}, "'requests' was unexpected"),
        ({"response": {"code": "AccessDenied"}}, "'status' is a required property"),
        ({"policies": {"bucket_policy": {"Version": "2012-10-17"}}}, "'Statement' is a required property"),
    ],
)
def test_schema_refuses_what_is_no_scenario(
    change: dict[str, Any], message: str, validator: Draft202012Validator
) -> None:
    scenario = json.loads(SCENARIOS[0].read_bytes()) | change
    assert any(message in error.message for error in validator.iter_errors(scenario))

"""The established cause of real 403 cases, and that the documented remedy is one."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from denyproxy.explain.explainer import Explainer
from denyproxy.explain.model import Explanation
from denyproxy.explain.scenario import Scenario
from denyproxy.service_model import s3_operations

FILES = sorted((Path(__file__).parent.parent / "scenarios").glob("*.json"))
SCENARIOS = {path.stem: json.loads(path.read_text()) for path in FILES}
COMPARED = ("layer", "effect", "action", "resource", "policy", "statement", "element")
RULED = {"mpu-03"}
"""Decided by a rule on which AWS's pages disagree (ForAllValues with a negated operator and no values)."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def explain(document: dict[str, Any]) -> Explanation:
    scenario = Scenario.validate_document(document)
    explained = Explainer(s3_operations())(scenario.denied_call(NOW), scenario.snapshot())
    assert explained is not None
    return explained.explanation


def acceptable(expect: dict[str, Any]) -> list[dict[str, Any]]:
    first = {name: expect[name] for name in COMPARED if name in expect}
    return [first, *({**first, **other} for other in expect.get("accept_also", []))]


def agrees(explanation: Explanation, expect: dict[str, Any]) -> bool:
    if explanation.cause is None:
        return False
    cause = explanation.cause.model_dump()
    return any(all(cause[name] == value for name, value in option.items()) for option in acceptable(expect))


def test_there_are_forty_scenarios() -> None:
    assert len(SCENARIOS) >= 40


@pytest.mark.parametrize("name", SCENARIOS)
def test_cause(name: str) -> None:
    document = SCENARIOS[name]
    explanation = explain(document)
    assert explanation.cause is not None, explanation.summary
    cause = explanation.cause.model_dump()
    expected = {field: document["expect"][field] for field in COMPARED if field in document["expect"]}
    assert agrees(explanation, document["expect"]), {field: (cause[field], expected[field]) for field in expected}
    assert explanation.certain or name in RULED


def asked(document: dict[str, Any]) -> dict[str, Any]:
    """The scenario as a question: would this be allowed, at the time of the answer?"""
    question = copy.deepcopy(document)
    response = question.pop("response", {})
    if "time" in response:
        question["response"] = {"status": 403, "time": response["time"]}
    return question


@pytest.mark.parametrize("name", [name for name, document in SCENARIOS.items() if "allowed_if" in document])
def test_the_established_remedy_allows(name: str) -> None:
    document = copy.deepcopy(SCENARIOS[name])
    assert explain(document).cause is not None
    patched = jsonpatch.apply_patch(document, document["allowed_if"]["patch"])
    after = explain(asked(patched))
    assert [item.decision for item in after.authorization] == ["allowed"] * len(after.authorization)
    assert after.cause is None, after.summary
    if "response" not in asked(patched):
        assert after.verdict == "allowed", after.summary


@pytest.mark.parametrize("name", SCENARIOS)
def test_expectations_do_not_influence_the_explanation(name: str) -> None:
    document = copy.deepcopy(SCENARIOS[name])
    with_expectations = explain(document)
    for member in ("expect", "allowed_if", "title", "source"):
        document.pop(member, None)
    assert explain(document) == with_expectations

"""docs/explanation.md says all of the public format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from denyproxy.explain.model import AuthorizationResult, Candidate, Cause, Explanation, Fix, NearMiss, Verdict

TEXT = (Path(__file__).parents[2] / "docs" / "explanation.md").read_text()
MODELS = (Explanation, Cause, Candidate, NearMiss, Fix, AuthorizationResult)
MEMBERS = sorted({field.alias or name for model in MODELS for name, field in model.model_fields.items()})


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT or f'"{name}"' in TEXT


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_documented(verdict: Verdict) -> None:
    assert f"| `{verdict.value}` |" in TEXT


def test_both_elements_of_customer_provided_keys_are_documented() -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith("|") and "`sse-c-blocked`" in line]
    assert "`setting:BlockedEncryptionTypes`" in row
    assert "`header:NAME` (of the customer-provided key" in row


def test_the_example_is_json_of_this_format() -> None:
    example = json.loads(re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)[1])  # type: ignore[index]
    Explanation.model_validate({**example, "upstream": {"status": 403}})

"""Sessions for directory buckets: which mode an operation needs, and what S3 tries where none is asked for.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.explain.test_scenarios import explain
from tests.explain.test_scenarios_found import SCENARIOS


def asked(operation: str, condition: dict[str, Any]) -> dict[str, Any]:
    """A call on a directory bucket for which the caller's only policy allows sessions on a condition."""
    document = copy.deepcopy(SCENARIOS["dir-d02"])
    query, key = ({"session": ""}, None) if operation == "CreateSession" else ({}, "k")
    method = {"PutObject": "PUT", "HeadObject": "HEAD", "DeleteObject": "DELETE"}.get(operation, "GET")
    document["request"] |= {"operation": operation, "method": method, "key": key, "query": query, "headers": {}}
    document["policies"]["identity"][0]["document"]["Statement"][0]["Condition"] = condition
    return document


def mode(*values: str) -> dict[str, Any]:
    return {"StringEquals": {"s3express:SessionMode": list(values)}}


@pytest.mark.parametrize("operation", ["CreateSession", "GetObject", "HeadObject"])
@pytest.mark.parametrize("value", ["ReadOnly", "ReadWrite"])
def test_either_mode_is_enough(operation: str, value: str) -> None:
    """S3 tries ReadWrite and then ReadOnly, and reading is possible in both: policies do not explain the denial."""
    explanation = explain(asked(operation, mode(value)))
    assert (explanation.verdict, explanation.cause) == ("unexplained", None)


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject"])
def test_what_writes_needs_a_session_for_writing(operation: str) -> None:
    explanation = explain(asked(operation, mode("ReadOnly")))
    assert explanation.cause is not None
    assert (explanation.cause.element, explanation.certain) == ("condition:s3express:SessionMode", True)
    assert explain(asked(operation, mode("ReadWrite"))).verdict == "unexplained"


def test_no_mode_is_blamed_where_both_are_denied() -> None:
    elsewhere = {"StringEquals": {"aws:PrincipalTag/team": "x"}}
    for operation in ("CreateSession", "GetObject"):
        explanation = explain(asked(operation, elsewhere))
        assert explanation.cause is not None
        assert (explanation.cause.element, explanation.certain) == ("condition:aws:PrincipalTag/team", True)

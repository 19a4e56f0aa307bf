"""The conditions of a statement that nearly allowed, for the statement that takes its place."""

from __future__ import annotations

from typing import Any

from denyproxy.explain.findings import Finding
from denyproxy.explain.remedies.places import written
from denyproxy.explain.remedies.turning import conditions
from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.truth import Truth
from denyproxy.s3.condition_keys import keys_of_action

_DATES = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")
_PINNED_BY = {"IpAddress": "IpAddress", "NotIpAddress": "IpAddress", "Bool": "Bool"}
"""Operator -> the one that says `exactly this value`; StringEquals for all others."""


def carried_conditions(finding: Finding) -> tuple[dict[str, dict[str, Any]], bool]:
    """The conditions that hold, as they are; those that do not, for the value that the request has. And whether
    nothing that limits the statement was lost.

    Of a statement that was about something else altogether, nothing is carried over."""
    evidence = finding.evidence
    if evidence is None or len({item.part for item in evidence.failing}) != 1:
        return {}, True
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    unsupported = keys_of_action(finding.authorization.requirement.action.lower()).unsupported
    as_written = written(finding).get("Condition")
    block = as_written if isinstance(as_written, dict) else {}
    kept: dict[str, dict[str, Any]] = {}
    complete = True
    for condition, tested in conditions(evidence):
        key = condition.lower_key
        if tested.truth is Truth.YES:
            kept.setdefault(condition.operator_text, {})[condition.key] = block[condition.operator_text][condition.key]
        elif key not in unsupported and f"{key.partition('/')[0]}/*" not in unsupported:
            pinned = _pinned(condition, context)
            if pinned is None:
                complete = False
            else:
                kept.setdefault(pinned[0], {})[condition.key] = pinned[1]
    return kept, complete


def _pinned(condition: Condition, context: RequestContext) -> tuple[str, str] | None:
    """Operator and value that hold for this request alone. None: there is no such condition."""
    values = context.lookup(condition.lower_key)
    if values is None:
        return "Null", "true"
    if not isinstance(values, tuple) or len(values) != 1 or condition.lower_key in _DATES or condition.name is None:
        return None
    return _PINNED_BY.get(condition.name.stem, "StringEquals"), values[0]

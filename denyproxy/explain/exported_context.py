"""Condition keys that an export would not derive as the call did, which it therefore has to state: what only a live
call knows, and what went with the signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from denyproxy.explain.case import Case
from denyproxy.explain.evidence import Evidence
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.context import Contexts
from denyproxy.s3.operation import identify_call
from denyproxy.s3.request import Role

Document = dict[str, Any]


def values_state(values: tuple[str, ...]) -> str | list[str]:
    """The values of a condition key; a single one stands by itself."""
    return values[0] if len(values) == 1 else list(values)


def stated_context(outline: Document, case: Case) -> Document:
    """State every condition key that a policy asks for and the scenario would come to another value of."""
    scenario = Scenario.validate_document(outline)
    received, snapshot = case.call.received, scenario.snapshot(case.evidence.policies())
    copy = scenario.denied_call(received)
    if case.call.response is not None:
        # The outline is a question; the answer tells the time.
        copy = replace(copy, received=received)
    request, caller = identify_call(copy, snapshot, table=case.operations), identify_caller(copy, snapshot)
    keys = _keys_asked_for(case.evidence)
    contexts = Contexts(request, caller, copy, snapshot, frozenset(keys))
    stated: Document = {}
    of_kms: Document = {}
    unknown: dict[str, None] = dict.fromkeys(outline.get("unknown", ()))
    for authorization in case.evidence.authorizations:
        known = authorization.evaluation.request.context
        derived = contexts.of(authorization.requirement)
        kms = authorization.requirement.role is Role.KMS
        for key in keys:
            value = known.lookup(key)
            if value == derived.lookup(key):
                continue
            if value is UNKNOWN:
                unknown[key] = None
            elif not kms:
                stated.setdefault(key, None if value is None else values_state(value))
            elif value is not None:
                of_kms.setdefault(key, value[0])
    document = {**outline, "request": {**outline["request"], "context": {**outline["request"]["context"], **stated}}}
    if of_kms:
        state = outline["resource_state"]
        context = {**of_kms, **state["kms"].get("context", {})}
        document["resource_state"] = {**state, "kms": {**state["kms"], "context": context}}
    return document | ({"unknown": list(unknown)} if unknown else {})


def _keys_asked_for(evidence: Evidence) -> tuple[str, ...]:
    """The condition keys (lower case) of all conditions and variables that bear on the call."""
    return tuple(dict.fromkeys(key for policy in evidence.policies() for key in policy.keys))

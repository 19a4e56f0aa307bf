"""An evaluation beside an earlier one of the same request: what has not changed is not asked again."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from denyproxy.iam.document import PolicyList
from denyproxy.iam.evaluation import evaluate
from denyproxy.iam.layers import AuthorizationRequest, Grant, PolicySet, ResourceLayer
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth
from tests.iam.build import OBJECT, USER, YES, context, policies
from tests.reference.case import compiled
from tests.reference.generate import generate

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
TO_ALL = {**ALLOW, "Principal": "*"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
BUCKET_DENY = {**DENY, "Principal": "*"}
REQUEST = AuthorizationRequest(USER, "s3:GetObject", OBJECT, context())
LAYER = ResourceLayer("bucket-policy", policies(TO_ALL), OBJECT)


def everything() -> PolicySet:
    """A PolicySet in which each layer has a policy of its own."""
    return PolicySet(
        YES,
        identity=policies(ALLOW),
        boundary=policies(ALLOW),
        session=policies(ALLOW),
        scp=(policies(ALLOW), policies(ALLOW)),
        rcp=(policies(TO_ALL), policies(TO_ALL)),
        vpc_endpoint=policies(TO_ALL),
        resource=(LAYER,),
    )


DENIED = policies(DENY)
CHANGES: dict[str, dict[str, Any]] = {
    "identity": {"identity": DENIED},
    "permissions-boundary": {"boundary": DENIED},
    "session-policy": {"session": DENIED},
    "scp": {"scp": (policies(ALLOW), DENIED)},
    "rcp": {"rcp": (policies(BUCKET_DENY), policies(TO_ALL))},
    "vpc-endpoint-policy": {"vpc_endpoint": policies(BUCKET_DENY)},
    "bucket-policy": {"resource": (replace(LAYER, policies=policies(BUCKET_DENY)),)},
}


@pytest.mark.parametrize("layer", CHANGES)
def test_a_layer_that_changed_is_asked_again(layer: str) -> None:
    before = evaluate(REQUEST, everything())
    after = evaluate(REQUEST, replace(everything(), **CHANGES[layer]), before)
    assert [str(decision) for decision in before.possible] == ["allowed"]
    assert [str(decision) for decision in after.possible] == ["explicit-deny"]
    assert [objection.layer for objection in after.objections if objection.blocks == "explicit"] == [layer]


@pytest.mark.parametrize(
    "changed",
    [
        replace(LAYER, resource="arn:aws:s3:::other/k", policies=policies({**BUCKET_DENY, "Resource": OBJECT})),
        replace(LAYER, deny_only=True),
        replace(LAYER, other_grant=Grant(account=Truth.UNKNOWN)),
        replace(LAYER, policies=PolicyList(LAYER.policies.policies, complete=False)),
        replace(LAYER, policies=PolicyList((*LAYER.policies.policies, *policies(BUCKET_DENY).policies))),
        replace(LAYER, policies=PolicyList()),
    ],
    ids=["resource", "deny-only", "other-grant", "incomplete", "one-more", "none"],
)
def test_a_resource_layer_that_differs_in_anything_is_asked_again(changed: ResourceLayer) -> None:
    policy_set = replace(everything(), identity=policies(), resource=(LAYER,))
    before, other = evaluate(REQUEST, policy_set), replace(policy_set, resource=(changed,))
    assert evaluate(REQUEST, other, before) == evaluate(REQUEST, other)
    narrow = replace(LAYER, policies=policies({**TO_ALL, "Resource": OBJECT}))
    elsewhere = replace(narrow, resource="arn:aws:s3:::other/k")
    known = evaluate(REQUEST, replace(policy_set, resource=(narrow,)))
    assert [str(one) for one in known.possible] == ["allowed"]
    moved = evaluate(REQUEST, replace(policy_set, resource=(elsewhere,)), known)
    assert [str(one) for one in moved.possible] == ["implicit-deny"]


def test_layers_that_are_the_same_are_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Statement] = []
    applies = Statement.applies

    def counted(self: Statement, *arguments: Any) -> Truth:
        asked.append(self)
        return applies(self, *arguments)

    policy_set = everything()
    before = evaluate(REQUEST, policy_set)
    monkeypatch.setattr(Statement, "applies", counted)
    changed = replace(policy_set, identity=policies(ALLOW))
    after = evaluate(REQUEST, changed, before)
    assert asked == list(changed.identity.policies[0].statements)
    assert after.said.boundary is before.said.boundary
    assert after.said.session is before.said.session
    assert after.said.vpc_endpoint is before.said.vpc_endpoint
    assert all(
        one is two for one, two in zip(after.said.scp + after.said.rcp, before.said.scp + before.said.rcp, strict=True)
    )
    assert after.said.resource[0] is before.said.resource[0]
    asked.clear()
    copied = replace(policy_set, identity=PolicyList(policy_set.identity.policies, complete=True))
    assert evaluate(REQUEST, copied, before).said.identity is before.said.identity
    assert asked == []


def test_nothing_that_is_remembered_makes_a_difference() -> None:
    for seed in range(150):
        rng = Random(seed)
        request, policy_set = compiled(generate(rng))
        _, other = compiled(generate(rng))
        before = evaluate(request, policy_set)
        for name in ("identity", "boundary", "session", "vpc_endpoint", "scp", "rcp", "resource"):
            changed = replace(policy_set, **{name: getattr(other, name)})
            assert evaluate(request, changed, before) == evaluate(request, changed), (seed, name)
        assert evaluate(request, policy_set, before) == before


def test_the_statements_of_each_layer() -> None:
    policy_set = everything()
    assert policy_set.boundary is not None
    assert policy_set.session is not None
    assert policy_set.vpc_endpoint is not None
    lists: dict[str, list[PolicyList]] = {
        "identity": [policy_set.identity],
        "permissions-boundary": [policy_set.boundary],
        "session-policy": [policy_set.session],
        "scp": [*(policy_set.scp or ())],
        "rcp": [*(policy_set.rcp or ())],
        "vpc-endpoint-policy": [policy_set.vpc_endpoint],
        "bucket-policy": [LAYER.policies],
    }
    evaluation = evaluate(REQUEST, policy_set)
    every: list[int] = []
    for name, written in lists.items():
        expected = [id(policy) for one in written for policy in one.policies]
        assert [id(policy) for policy, _, _ in evaluation.statements(name)] == expected
        assert [truth for _, _, truth in evaluation.statements(name)] == [YES] * len(expected)
        every += expected
    assert evaluation.statements("kms-key-policy") == ()
    assert sorted(id(policy) for policy, _, _ in evaluation.all_statements()) == sorted(every)


def test_an_objection_that_hangs_on_the_account_has_no_level() -> None:
    unsure = replace(everything(), same_account=Truth.UNKNOWN, identity=policies(), scp=(policies(ALLOW),))
    objections = evaluate(REQUEST, unsure).objections
    assert [(one.layer, one.truth, one.level) for one in objections] == [("identity", Truth.UNKNOWN, None)]

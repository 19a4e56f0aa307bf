"""What is allowed by a rule on which AWS's own pages disagree is allowed, and not for certain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.iam.doubt import doubts_of_allowed
from denyproxy.iam.evaluation import evaluate
from denyproxy.iam.layers import AuthorizationRequest, PolicySet, ResourceLayer
from denyproxy.iam.mismatch import Doubt
from tests.iam.build import NO, OBJECT, USER, YES, context, policies

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
REQUEST = AuthorizationRequest(USER, "s3:GetObject", OBJECT, context({"k": "v"}))
PLAIN = PolicySet(YES, identity=policies(ALLOW), scp=(policies(ALLOW), policies(ALLOW)))


def doubts(policy_set: PolicySet) -> tuple[str, tuple[Doubt, ...]]:
    evaluation = evaluate(REQUEST, policy_set)
    return str(evaluation.decision), doubts_of_allowed(evaluation)


@pytest.mark.parametrize(
    "narrow",
    [
        {**ALLOW, "Resource": OBJECT},
        {**ALLOW, "Condition": {"StringEquals": {"k": "v"}}},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ],
)
def test_a_level_of_scps_that_allows_narrowly(narrow: dict[str, Any]) -> None:
    assert doubts(replace(PLAIN, scp=(policies(ALLOW), policies(narrow)))) == ("allowed", (Doubt.NARROW_SCP_ALLOW,))
    # It does not matter beside a plain one, nor where it is no SCP, nor in what denies.
    assert doubts(replace(PLAIN, scp=(policies(ALLOW), policies(narrow, ALLOW)))) == ("allowed", ())
    assert doubts(replace(PLAIN, identity=policies(narrow))) == ("allowed", ())
    elsewhere = {**ALLOW, "Effect": "Deny", "Resource": "arn:aws:s3:::other/*"}
    assert doubts(replace(PLAIN, scp=(policies(ALLOW, elsewhere), policies(ALLOW)))) == ("allowed", ())


def test_what_is_denied_is_not_allowed_in_doubt() -> None:
    narrow = {**ALLOW, "Resource": OBJECT}
    assert doubts(replace(PLAIN, scp=(policies(narrow),), identity=policies())) == ("implicit-deny", ())


def test_a_wildcard_that_runs_over_a_colon() -> None:
    assert doubts(replace(PLAIN, identity=policies({**ALLOW, "Resource": "arn:aws:s3:*/*"}))) == (
        "allowed",
        (Doubt.WILDCARD_CROSSES_COLON,),
    )


def test_a_bucket_policy_that_allows_all_but_some() -> None:
    listed = {"AWS": "arn:aws:iam::999999999999:root"}
    statement = {"Effect": "Allow", "NotPrincipal": listed, "Action": "*", "Resource": "*"}
    layer = ResourceLayer("bucket-policy", policies(statement), OBJECT)
    across = replace(PLAIN, same_account=NO, resource=(layer,))
    assert doubts(across) == ("allowed", (Doubt.NOT_PRINCIPAL_ALLOW,))
    assert doubts(replace(across, same_account=YES)) == ("allowed", ())

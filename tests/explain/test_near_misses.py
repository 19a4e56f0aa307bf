"""What is left unexamined could not have been among the nearest statements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denyproxy.explain.near_misses import NearMisses
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.layers import AuthorizationRequest
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth

ALICE = Principal(PrincipalType.USER, "arn:aws:iam::111122223333:user/alice", "111122223333")
CONTEXT = RequestContext({"s3:prefix": ("home/",)}, unknown=frozenset({"aws:sourcevpce"}))
REQUEST = AuthorizationRequest(ALICE, "s3:GetObject", "arn:aws:s3:::b/k", CONTEXT)

STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
        "Action": st.sampled_from(["s3:GetObject", "s3:Get*", "s3:PutObject", "sqs:*", "*", "s3:getobjects"]),
        "Resource": st.sampled_from(
            ["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/x/*", "arn:aws:s3:::c/${aws:username}/*"]
        ),
        "Principal": st.sampled_from(["*", {"AWS": "111122223333"}, {"AWS": "arn:aws:iam::444455556666:user/bob"}]),
    },
    optional={
        "Condition": st.sampled_from(
            [
                {"StringEquals": {"s3:prefix": "x"}},
                {"StringEquals": {"s3:prefix": "home/", "aws:SourceVpce": "vpce-1"}},
                {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
                {"StringEquals": {"s3:prefix": "x"}, "Bool": {"aws:SecureTransport": "true"}},
                {"Bool": {"aws:PrincipalIsAWSService": "true"}},
            ]
        )
    },
)


def policies(statements: list[dict[str, Any]]) -> PolicyList:
    return PolicyList((Policy.parse({"Version": "2012-10-17", "Statement": statements}, name="p"),))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(STATEMENTS, min_size=1, max_size=12), st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"])
)
def test_the_nearest_are_the_nearest_of_all(statements: list[dict[str, Any]], action: str) -> None:
    request, written = replace(REQUEST, action=action), policies(statements)
    everything = [miss.statement.label for miss in NearMisses(request, written).take()]
    misses = NearMisses(request, written)
    assert [miss.statement.label for miss in misses.take(3)] == everything[:3]
    doubtful = {miss.statement.label for miss in misses.take() if miss.truth is Truth.UNKNOWN}
    assert {miss.statement.label for miss in NearMisses(request, written).doubtful()} == doubtful


@settings(deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=6), st.integers(1, 4))
def test_no_statement_that_misses_by_less_is_passed_over(statements: list[dict[str, Any]], failing: int) -> None:
    written = policies(statements)
    misses = NearMisses(REQUEST, written)
    if any(len(miss.failing) < failing for miss in misses.take()):
        assert misses.fail_at_least < failing


@pytest.mark.parametrize("count", [10, 200])
def test_what_is_far_off_is_not_examined(count: int) -> None:
    near = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/x", "Principal": "*"}
    far = {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:::q", "Principal": "*"}
    found = NearMisses(REQUEST, policies([far] * count + [near] * 3)).take(3)
    assert [miss.statement.index for miss in found] == [count, count + 1, count + 2]


def test_a_statement_for_services_is_not_the_one_that_was_meant_for_others() -> None:
    written = [
        {"Sid": "Services", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}},
        {"Sid": "Own", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1", "aws:ResourceOrgID": "o-1"}}},
    ]
    each = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    nearest = NearMisses(REQUEST, policies([each | statement for statement in written])).take()
    assert [miss.statement.label for miss in nearest] == ["Own", "Services"]


@pytest.mark.parametrize(
    ("farther", "nearer"),
    [
        ({"Resource": "arn:aws:s3:::other/*"}, {"Resource": "arn:aws:s3:::b"}),
        ({"Resource": "arn:aws:s3:::other/*"}, {"Resource": ["arn:aws:s3:::other/*", "arn:aws:s3:::b/public/*"]}),
        ({"Resource": "arn:aws:s3:::b-2/*"}, {"Resource": "arn:aws:s3:::b/public/*"}),
        ({"Resource": "arn:aws:s3:::b/public/*"}, {"Resource": "arn:aws:s3:::b/K"}),
        ({"Resource": "arn:aws:s3:::other/*"}, {"Action": "s3:HeadObject"}),
        ({"Action": "s3:PutObject"}, {"Action": "s3:HeadObject"}),
        ({"Action": "s3:PutObject"}, {"Resource": "arn:aws:s3:::other/*"}),
        ({"Principal": {"AWS": "444455556666"}}, {"Action": "s3:PutObject"}),
        ({"Resource": "arn:aws:s3:::b"}, {"Condition": {"StringEquals": {"s3:prefix": "x"}}}),
    ],
)
def test_of_those_that_miss_alike_the_least_far_off_was_meant(farther: dict[str, Any], nearer: dict[str, Any]) -> None:
    every = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    nearest = NearMisses(REQUEST, policies([every | farther, every | nearer])).take()
    assert [miss.statement.index for miss in nearest] == [1, 0]


def test_an_access_point_is_told_from_another() -> None:
    points = "arn:aws:s3:us-east-1:111122223333:accesspoint"
    written = [f"{points}/other/object/k", f"{points}/mine/object/public/*"]
    every = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    request = replace(REQUEST, resource=f"{points}/mine/object/k")
    nearest = NearMisses(request, policies([every | {"Resource": each} for each in written])).take()
    assert [miss.statement.index for miss in nearest] == [1, 0]

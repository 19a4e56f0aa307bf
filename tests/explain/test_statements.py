"""Statements as JSON: an Allow of exactly one thing, a Deny less exactly one thing, by an independent evaluator."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from denyproxy.explain.remedies.statements import Json, Scope, allow, deny_less, merged, pattern
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.layers import AuthorizationRequest
from denyproxy.iam.principal import Principal, PrincipalType
from tests.reference.evaluator import ways

BUCKET = "arn:aws:s3:::b"
KEY = "arn:aws:s3:::b/home/k"
ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::444455556666:user/bob"
SPARED: Json = {"ArnNotEquals": {"aws:PrincipalArn": ALICE}}

ACTIONS = ("s3:GetObject", "s3:GetObjectAcl", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutBucketPolicy")
RESOURCES = (BUCKET, KEY, KEY + "2", "arn:aws:s3:::b/home/", "arn:aws:s3:::b/other", "arn:aws:s3:::b2/home/k")
ACTION_ELEMENTS: tuple[Json, ...] = (
    {"Action": "*"},
    {"Action": "s3:*"},
    {"Action": "s3:Get*"},
    {"Action": ["s3:GetObject", "s3:PutObject"]},
    {"Action": "s3:getobject"},
    {"Action": ["s3:*Object", "s3:ListBucket"]},
    {"NotAction": "s3:ListBucket"},
    {"NotAction": ["s3:Put*", "s3:List*"]},
)
RESOURCE_ELEMENTS: tuple[Json, ...] = (
    {"Resource": "*"},
    {"Resource": KEY},
    {"Resource": [KEY, BUCKET]},
    {"Resource": [BUCKET, BUCKET + "/*"]},
    {"Resource": BUCKET + "/*"},
    {"Resource": BUCKET + "*"},
    {"NotResource": "arn:aws:s3:::b/other"},
    {"NotResource": [BUCKET, "arn:aws:s3:::b/other*"]},
)
INEXACT_RESOURCES: tuple[Json, ...] = ({"Resource": "arn:aws:s3:::b/home/*"}, {"Resource": "arn:aws:s3:::*/k"})
CONDITIONS: tuple[Json, ...] = (
    {},
    {"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
    {"Condition": {"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:1:t"}}},
    {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": BOB}}},
)
PRINCIPALS: tuple[Json, ...] = ({"Principal": "*"}, {"NotPrincipal": {"AWS": BOB}})


def denies(statements: tuple[Json, ...], who: str, action: str, resource: str) -> bool:
    account = who.split(":")[4]
    context = RequestContext({"aws:principalarn": (who,), "aws:requestedregion": ("us-east-1",)})
    request = AuthorizationRequest(Principal(PrincipalType.USER, who, account), action, resource, context)
    if not statements:
        return False
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": list(statements)}
    return bool(ways(PolicyList((Policy("p", document),)), "Deny", request))


def cases() -> list[tuple[Json, str, str]]:
    rng = Random(1)
    found = []
    for actions in ACTION_ELEMENTS:
        for resources in RESOURCE_ELEMENTS:
            statement = {"Sid": "S", "Effect": "Deny", **rng.choice(PRINCIPALS), **actions, **resources}
            statement |= rng.choice(CONDITIONS)
            for action in ACTIONS:
                for resource in (BUCKET, KEY):
                    if denies((statement,), ALICE, action, resource):
                        found.append((statement, action, resource))
    return found


CASES = cases()
SAME_BUCKET = [resource for resource in RESOURCES if "b2" not in resource]


def test_there_are_many_cases() -> None:
    assert len(CASES) > 200


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_deny_less_one_thing_denies_everything_else(number: int) -> None:
    statement, action, resource = CASES[number]
    scope = Scope((action,), (resource,), others=SPARED, literal=(resource,))
    lessened = deny_less(statement, scope, BUCKET)
    assert not lessened.instead
    for who in (ALICE, BOB):
        for name in ACTIONS:
            for place in SAME_BUCKET:
                spared = (who, name, place) == (ALICE, action, resource)
                before = denies((statement,), who, name, place)
                assert denies(lessened.statements, who, name, place) is (before and not spared), (who, name, place)


@pytest.mark.parametrize("resources", INEXACT_RESOURCES)
@pytest.mark.parametrize("actions", ACTION_ELEMENTS)
def test_where_no_statement_can_say_it_no_other_action_and_nobody_else_is_spared(
    actions: Json, resources: Json
) -> None:
    statement = {"Effect": "Deny", "Principal": "*", **actions, **resources}
    if not denies((statement,), ALICE, "s3:GetObject", KEY):
        return
    lessened = deny_less(statement, Scope(("s3:GetObject",), (KEY,), others=SPARED, literal=(KEY,)), BUCKET)
    assert lessened.instead == (resources["Resource"],)
    assert not lessened.exact
    assert not denies(lessened.statements, ALICE, "s3:GetObject", KEY)
    for name in ACTIONS:
        for place in RESOURCES:
            assert denies(lessened.statements, BOB, name, place) is denies((statement,), BOB, name, place)
            if name != "s3:GetObject":
                assert denies(lessened.statements, ALICE, name, place) is denies((statement,), ALICE, name, place)


@pytest.mark.parametrize("actions", ACTION_ELEMENTS)
def test_an_identity_based_deny_knows_no_bounds_of_a_bucket(actions: Json) -> None:
    statement = {"Effect": "Deny", **actions, "Resource": "*"}
    if not denies((statement,), ALICE, "s3:GetObject", KEY):
        return
    lessened = deny_less(statement, Scope(("s3:GetObject",), (KEY,), literal=(KEY,)), None)
    assert not lessened.instead
    for name in ACTIONS:
        for place in RESOURCES:
            spared = (name, place) == ("s3:GetObject", KEY)
            expected = denies((statement,), ALICE, name, place) and not spared
            assert denies(lessened.statements, ALICE, name, place) is expected


def test_nothing_is_left_of_a_deny_of_exactly_that() -> None:
    statement = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": KEY}
    assert deny_less(statement, Scope(("s3:GetObject",), (KEY,), literal=(KEY,)), None).statements == ()


@pytest.mark.parametrize(
    ("sid", "expected"),
    [
        ("S", ["S", "S2", "S4"]),
        ("Not in the office", ["Not in the office", "Notintheoffice2", "Notintheoffice3"]),
        (None, [None, None, None]),
    ],
)
def test_the_statement_that_stays_keeps_its_sid_and_the_new_ones_get_others(
    sid: str | None, expected: list[str | None]
) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    statement |= {} if sid is None else {"Sid": sid}
    scope = Scope(("s3:GetObject",), (KEY,), others=SPARED, literal=(KEY,))
    lessened = deny_less(statement, scope, BUCKET, {"S", "S3"})
    assert [item.get("Sid") for item in lessened.statements] == expected


def test_for_everyone_else_the_statement_stays_as_it_was() -> None:
    statement = {"Sid": "S", "Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": BUCKET + "/*"}
    scope = Scope(("s3:GetObject",), (KEY,), others=SPARED, literal=(KEY,))
    assert deny_less(statement, scope, BUCKET).statements[0] == {**statement, "Condition": SPARED}


@pytest.mark.parametrize(
    ("actions", "left", "named"),
    [
        (["s3:DeleteBucket*", "s3:PutBucketPolicy"], ["s3:PutBucketPolicy", "s3:DeleteBucket?*"], ()),
        (["s3:DeleteBucket", "s3:PutBucketPolicy"], "s3:PutBucketPolicy", ()),
        (
            ["s3:DeleteBuck*"],
            ["s3:DeleteBucketMetadataTableConfiguration", "s3:DeleteBucketPolicy", "s3:DeleteBucketWebsite"],
            ("s3:DeleteBuck*",),
        ),
    ],
)
def test_patterns_of_actions_stay_patterns_where_they_can(
    actions: list[str], left: Any, named: tuple[str, ...]
) -> None:
    statement = {"Effect": "Deny", "Action": actions, "Resource": BUCKET}
    lessened = deny_less(statement, Scope(("s3:DeleteBucket",), (BUCKET,), literal=(BUCKET,)), None)
    assert [item["Action"] for item in lessened.statements] == [left]
    assert lessened.named == named
    assert lessened.exact is not bool(named)


@pytest.mark.parametrize("key", ["aws:PrincipalArn", "AWS:principalarn"])
def test_who_was_spared_before_is_spared_still(key: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": BUCKET + "/*",
        "Condition": {"ArnNotEquals": {key: BOB}},
    }
    scope = Scope(("s3:GetObject",), (KEY,), others=SPARED, literal=(KEY,))
    lessened = deny_less(statement, scope, BUCKET)
    assert lessened.statements[0]["Condition"] == {"ArnNotEquals": {key: [BOB, ALICE]}}
    assert not any(denies(lessened.statements, BOB, "s3:GetObject", place) for place in (KEY, KEY + "2"))


def test_a_deny_of_unsigned_requests_alone_has_nobody_else_to_deny() -> None:
    null = {"Null": {"aws:PrincipalArn": "true"}}
    statement = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": null}
    others = {"Null": {"aws:PrincipalArn": "false"}}
    lessened = deny_less(statement, Scope(("s3:GetObject",), (KEY,), others=others, literal=(KEY,)), None)
    assert lessened.statements == ({"Effect": "Deny", "Action": "s3:GetObject", "NotResource": KEY, "Condition": null},)


def test_a_deny_of_one_services_actions_denies_no_others() -> None:
    statement = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:*"}
    scope = Scope(("s3:GetObject",), (KEY,), literal=(KEY,))
    (left,) = deny_less(statement, scope, None).statements
    assert "NotAction" not in left
    assert "s3:PutObject" in left["Action"]
    on_s3 = deny_less({**statement, "Resource": "arn:aws:s3:::*"}, scope, None)
    assert [item.get("NotAction") for item in on_s3.statements] == ["s3:GetObject"]


def test_a_deny_less_a_request_with_certain_fields() -> None:
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": ALICE},
        "Action": "s3:ListBucket",
        "Resource": BUCKET,
        "Condition": {"StringNotEquals": {"s3:prefix": "a/"}},
    }
    unless = ({"StringNotEquals": {"s3:prefix": "b/"}},)
    scope = Scope(("s3:ListBucket",), (BUCKET,), literal=(BUCKET,), unless=unless)
    (left,) = deny_less(statement, scope, BUCKET).statements
    assert left["Condition"] == {"StringNotEquals": {"s3:prefix": ["a/", "b/"]}}


def test_an_allow_says_nothing_more() -> None:
    scope = Scope(("s3:GetObject",), (KEY,), {"AWS": ALICE}, only={"Bool": {"aws:SecureTransport": "true"}})
    assert allow(scope, {"StringEquals": {"s3:prefix": "x"}}) == {
        "Effect": "Allow",
        "Principal": {"AWS": ALICE},
        "Action": "s3:GetObject",
        "Resource": KEY,
        "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"s3:prefix": "x"}},
    }


@pytest.mark.parametrize(
    ("resource", "substitutes", "expected"),
    [
        (KEY, True, (KEY, True)),
        ("arn:aws:s3:::b/a*b?c", True, ("arn:aws:s3:::b/a${*}b${?}c", True)),
        ("arn:aws:s3:::b/a*b", False, ("arn:aws:s3:::b/a*b", False)),
        ("arn:aws:s3:::b/${x}", True, ("arn:aws:s3:::b/${$}{x}", True)),
        ("arn:aws:s3:::b/${x}", False, ("arn:aws:s3:::b/${x}", True)),
        ("arn:aws:s3:::*", True, ("*", True)),
    ],
)
def test_a_pattern_for_one_resource(resource: str, substitutes: bool, expected: tuple[str, bool]) -> None:
    assert pattern(resource, substitutes=substitutes) == expected


def test_merged_conditions_keep_both_keys_of_one_operator() -> None:
    one, other = {"StringEquals": {"a": "1"}}, {"StringEquals": {"a": "2", "b": "3"}}
    assert merged(one, other) == {"StringEquals": {"a": "1", "b": "3"}}

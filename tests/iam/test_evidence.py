"""What examination says about each element: truth, expected, actual, and the reason for a miss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.mismatch import Doubt, Mismatch
from denyproxy.iam.principal import ANONYMOUS, Principal
from denyproxy.iam.truth import Truth
from tests.iam.build import (
    BUCKET,
    FEDERATED,
    NEW,
    NO,
    OBJECT,
    OLD,
    OURS,
    ROLE_ARN,
    ROOT_ARN,
    SERVICE,
    SESSION,
    SESSION_ARN,
    SOMEBODY,
    THEIRS,
    UNSURE,
    USER,
    USER_ARN,
    YES,
    allow,
    context,
    deny,
    examined,
    policy,
    request,
)


def only(part: str, written: dict[str, Any], version: str | None = NEW, **asked: Any) -> ElementEvidence:
    """The evidence on the one element that stands in a part of a statement."""
    evidence = examined(written, request(**asked), version=version)
    (found,) = (element for element in evidence.elements if element.part == part)
    return found


def action(patterns: Any, asked: str = "s3:GetObject", **names: str) -> ElementEvidence:
    return examined(allow(patterns), request(action=asked), api_names=names).elements[0]


def resource(patterns: Any, asked: str, version: str | None = NEW, keys: RequestContext | None = None) -> Any:
    return only("resource", allow(resource=patterns), version, resource=asked, keys=keys)


def principal(entries: Any, caller: Principal = USER) -> ElementEvidence:
    return only("principal", allow(Principal={"AWS": entries}), principal=caller)


def condition(
    operator: str, values: Any, keys: RequestContext, key: str = "Key", version: str | None = NEW
) -> ElementEvidence:
    return only("condition", allow(Condition={operator: {key: values}}), version, keys=keys)


# Statements


def test_every_element_is_examined_though_the_first_fails() -> None:
    written = policy(
        deny(
            "s3:PutObject",
            "arn:aws:s3:::other/*",
            Principal={"AWS": ROLE_ARN},
            Condition={"StringEquals": {"a": "1"}, "Null": {"b": "true"}},
        )
    )
    evidence = examine(written, written.statements[0], request())
    assert [(one.element, one.truth) for one in evidence.elements] == [
        ("action", NO),
        ("resource", NO),
        ("principal", NO),
        ("condition:a", NO),
        ("condition:b", YES),
    ]
    assert evidence.truth is NO
    assert evidence.policy is written
    assert evidence.statement is written.statements[0]
    assert [one.element for one in evidence.failing] == ["action", "resource", "principal", "condition:a"]


def test_a_statement_that_matches_says_what_matched() -> None:
    written = allow(["s3:List*", "s3:Get*"], ["arn:aws:s3:::a", "arn:aws:s3:::b/*"])
    evidence = examined(written, request())
    assert evidence.truth is YES
    assert evidence.failing == ()
    assert [(one.expected, one.actual, one.reason) for one in evidence.elements] == [
        ("s3:Get*", "s3:GetObject", None),
        ("arn:aws:s3:::b/*", OBJECT, None),
    ]


def test_an_unknown_element_leaves_the_statement_open() -> None:
    evidence = examined(allow(Condition={"StringEquals": {"k": "v"}}), request(keys=context({}, "k")))
    assert evidence.truth is UNSURE
    assert evidence.failing == ()


def test_another_resource_can_be_examined() -> None:
    evidence = examined(allow(resource=BUCKET), request(), BUCKET)
    assert evidence.elements[1].actual == BUCKET
    assert evidence.truth is YES


def test_a_statement_without_resource_has_no_evidence_on_it() -> None:
    written = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    evidence = examined(written, request(action="sts:AssumeRole"))
    assert [one.element for one in evidence.elements] == ["action", "principal"]


# Action


@pytest.mark.parametrize(
    ("patterns", "asked", "reason", "expected"),
    [
        (["s3:PutObject", "s3:ListBucket"], "s3:GetObject", Mismatch.ACTION_NOT_LISTED, "s3:PutObject, s3:ListBucket"),
        (["s3:PutObject", "GetObject"], "s3:GetObject", Mismatch.ACTION_WITHOUT_SERVICE, "GetObject"),
        (["s3:PutObject", "s3:"], "s3:GetObject", Mismatch.PREFIX_LACKS_WILDCARD, "s3:"),
        ("s3:GetObject", "s3:GetObjectVersion", Mismatch.ACTION_NOT_LISTED, "s3:GetObject"),
        ("get*", "s3:GetObject", Mismatch.ACTION_WITHOUT_SERVICE, "get*"),
        ("PutObject", "s3:GetObject", Mismatch.ACTION_NOT_LISTED, "PutObject"),
        ("iam:GetObject", "s3:GetObject", Mismatch.ACTION_NOT_LISTED, "iam:GetObject"),
    ],
)
def test_actions(patterns: Any, asked: str, reason: Mismatch, expected: str) -> None:
    found = action(patterns, asked)
    assert (found.truth, found.reason, found.expected, found.actual) == (NO, reason, expected, asked)


def test_names_that_are_no_actions_are_told_by_the_caller() -> None:
    names = {"s3:listobjectsv2": "s3:ListBucket"}
    patterns = ["s3:GetObject", "s3:ListObjectsV2"]
    found = action(patterns, "s3:ListBucket", **names)
    assert (found.reason, found.expected) == (Mismatch.API_NAME_INSTEAD_OF_ACTION, "s3:ListObjectsV2")
    assert action(patterns, "s3:PutObject", **names).reason is Mismatch.ACTION_NOT_LISTED
    assert action(patterns, "s3:ListBucket").reason is Mismatch.ACTION_NOT_LISTED


def test_not_action() -> None:
    written = {"Effect": "Deny", "NotAction": ["iam:*", "s3:Get*"], "Resource": "*"}
    spared = only("action", written)
    assert (spared.truth, spared.expected, spared.reason) == (NO, "s3:Get*", Mismatch.ACTION_EXCLUDED)
    caught = only("action", written, action="s3:PutObject")
    assert (caught.truth, caught.expected, caught.reason) == (YES, "iam:*, s3:Get*", None)
    assert caught.element == "action"
    assert caught.negated


# Resource


@pytest.mark.parametrize(
    ("pattern", "asked", "reason"),
    [
        ("arn:aws:s3:::b/", "arn:aws:s3:::b", Mismatch.TRAILING_SLASH),
        ("arn:aws:s3:::b/k", "arn:aws:s3:::b/k/", Mismatch.TRAILING_SLASH),
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/k", Mismatch.CASE_DIFFERS),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/k", Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT),
        ("arn:aws:s3:::b-*", "arn:aws:s3:::c/k", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b?", "arn:aws:s3:::bx/k", Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET),
        ("arn:aws:s3:::b/data/*", "arn:aws:s3:::b", Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET),
        (
            "arn:aws:s3:eu-west-1:1:accesspoint/a/object/*",
            "arn:aws:s3:eu-west-1:1:accesspoint/a",
            Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET,
        ),
        ("arn:aws:s3:::b/*/data/*", "arn:aws:s3:::b/data/x", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b*/data/*", "arn:aws:s3:::b/raw/x", Mismatch.RESOURCE_NOT_LISTED),
        (
            "arn:aws:s3:eu-west-1:1:accesspoint/a",
            "arn:aws:s3:eu-west-1:1:accesspoint/a/object/k",
            Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT,
        ),
        ("arn:aws:s3:::b*/data/*", "arn:aws:s3:::bucket", Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET),
        ("arn:aws:s3:::*/data/*", "arn:aws:s3:::bucket/other/x", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b/data/*", "arn:aws:s3:::b/data", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b:data/*", "arn:aws:s3:::b/data/x", Mismatch.COLON_FOR_SLASH),
        (
            "arn:aws:s3:eu-west-1:1:accesspoint/a/in/*",
            "arn:aws:s3:eu-west-1:1:accesspoint/a/object/in/k",
            Mismatch.OBJECT_SEGMENT_MISSING,
        ),
        (
            "arn:aws:s3:eu-west-1:1:accesspoint/a/object/in/*",
            "arn:aws:s3:eu-west-1:1:accesspoint/a/object/k",
            Mismatch.RESOURCE_NOT_LISTED,
        ),
        ("arn:aws-cn:s3:::b/*", "arn:aws:s3:::b/k", Mismatch.OTHER_PARTITION),
        (
            "arn:aws:kms:us-east-1:111122223333:key/a",
            "arn:aws:kms:eu-west-1:111122223333:key/a",
            Mismatch.OTHER_REGION,
        ),
        (
            "arn:aws:kms:us-east-1:111122223333:key/*",
            "arn:aws:kms:us-east-1:444455556666:key/a",
            Mismatch.OTHER_ACCOUNT,
        ),
        ("arn:aws:s3:::b/data", "arn:aws:s3:::b/data/x", Mismatch.PREFIX_LACKS_WILDCARD),
        ("arn:aws:s3:::b/", "arn:aws:s3:::b/k", Mismatch.PREFIX_LACKS_WILDCARD),
        ("arn:aws:s3:::dev-", "arn:aws:s3:::dev-b/k", Mismatch.PREFIX_LACKS_WILDCARD),
        ("arn:aws:s3:::dev", "arn:aws:s3:::dev-b", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::dev", "arn:aws:s3:::dev-b/k", Mismatch.RESOURCE_NOT_LISTED),
        (
            "arn:aws:s3:eu-west-1:1:accesspoint/a",
            "arn:aws:s3:eu-west-1:1:accesspoint/ab/object/k",
            Mismatch.RESOURCE_NOT_LISTED,
        ),
        ("arn:aws:s3:::b/log-", "arn:aws:s3:::b/log-1", Mismatch.PREFIX_LACKS_WILDCARD),
        ("arn:aws:s3:::b/data", "arn:aws:s3:::b/database/x", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b", "arn:aws:s3:::b-2/k", Mismatch.RESOURCE_NOT_LISTED),
        ("b/*", "arn:aws:s3:::b/k", Mismatch.NOT_AN_ARN),
        ("arn:aws:s3:::other/*", "arn:aws:s3:::b/k", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b/*", "arn:aws:s3:eu-west-1:1:accesspoint/a/object/k", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:s3:::b", "*", Mismatch.RESOURCE_NOT_LISTED),
        ("arn:aws:sns:::b", "arn:aws:s3:::b", Mismatch.RESOURCE_NOT_LISTED),
    ],
)
def test_resources(pattern: str, asked: str, reason: Mismatch) -> None:
    found = resource(["arn:aws:s3:::unrelated/x", pattern], asked)
    specific = reason is not Mismatch.RESOURCE_NOT_LISTED
    expected = pattern if specific else f"arn:aws:s3:::unrelated/x, {pattern}"
    assert (found.element, found.truth, found.reason, found.expected) == ("resource", NO, reason, expected)
    assert found.actual == asked


def test_not_resource() -> None:
    written = {"Effect": "Deny", "Action": "*", "NotResource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]}
    spared = only("resource", written)
    assert (spared.truth, spared.expected, spared.reason) == (NO, "arn:aws:s3:::b/*", Mismatch.RESOURCE_EXCLUDED)
    caught = only("resource", written, resource="arn:aws:s3:::c/k")
    assert (caught.truth, caught.reason) == (YES, None)
    assert caught.expected == "arn:aws:s3:::a/*, arn:aws:s3:::b/*"
    assert caught.negated


TAGGED = "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"
BLUE = "arn:aws:s3:::b/blue/x"


@pytest.mark.parametrize(
    ("version", "keys", "element", "truth", "reason", "key"),
    [
        (NEW, context({"aws:PrincipalTag/team": "blue"}), "resource", YES, None, None),
        (
            NEW,
            context({"aws:PrincipalTag/team": "red"}),
            "variable:aws:PrincipalTag/team",
            NO,
            Mismatch.VALUE_DIFFERS,
            "aws:PrincipalTag/team",
        ),
        (
            NEW,
            context(),
            "variable:aws:PrincipalTag/team",
            NO,
            Mismatch.VARIABLE_UNRESOLVED,
            "aws:PrincipalTag/team",
        ),
        (
            NEW,
            context({}, "aws:PrincipalTag/team"),
            "resource",
            UNSURE,
            Mismatch.KEY_UNKNOWN,
            "aws:PrincipalTag/team",
        ),
        (OLD, context({"aws:PrincipalTag/team": "blue"}), "version", NO, Mismatch.VARIABLE_LITERAL, None),
        (None, context({"aws:PrincipalTag/team": "blue"}), "version", NO, Mismatch.VARIABLE_LITERAL, None),
        (None, context({}, "aws:PrincipalTag/team"), "version", NO, Mismatch.VARIABLE_LITERAL, None),
        (None, context({"aws:PrincipalTag/team": "red"}), "resource", NO, Mismatch.RESOURCE_NOT_LISTED, None),
    ],
)
def test_variables_in_resources(
    version: str | None, keys: RequestContext, element: str, truth: Truth, reason: Mismatch | None, key: str | None
) -> None:
    found = resource(TAGGED, BLUE, version, keys)
    assert (found.element, found.truth, found.reason, found.key) == (element, truth, reason, key)
    assert (found.expected, found.actual, found.part) == (TAGGED, BLUE, "resource")


@pytest.mark.parametrize("version", [NEW, OLD, None])
def test_without_variables_the_version_does_not_matter(version: str | None) -> None:
    found = resource("arn:aws:s3:::b", OBJECT, version)
    assert (found.element, found.reason) == ("resource", Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT)


def test_the_variable_to_blame_is_the_one_whose_value_misses() -> None:
    pattern = "arn:aws:s3:::b/${a}/${b}/x"
    keys = context({"a": "1", "b": "2"})
    assert resource(pattern, "arn:aws:s3:::b/1/3/x", keys=keys).element == "variable:b"
    assert resource(pattern, "arn:aws:s3:::b/3/2/x", keys=keys).element == "variable:a"
    neither = resource(pattern, "arn:aws:s3:::b/3/3/y", keys=keys)
    assert (neither.element, neither.reason) == ("resource", Mismatch.RESOURCE_NOT_LISTED)


def test_an_unknown_variable_is_not_to_blame_for_a_pattern_that_cannot_match() -> None:
    found = resource(TAGGED, "arn:aws:s3:::c/blue/x", keys=context({}, "aws:PrincipalTag/team"))
    assert (found.element, found.truth, found.reason) == ("resource", NO, Mismatch.RESOURCE_NOT_LISTED)


def test_a_variable_without_a_value_is_not_to_blame_for_a_pattern_that_matches_with_none() -> None:
    found = resource(TAGGED, "arn:aws:s3:::b", keys=context())
    assert (found.element, found.reason) == ("resource", Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET)
    assert resource("arn:aws:s3:::b/${a}/${b}/x", "arn:aws:s3:::b/1/2/x", keys=context()).element == "variable:a"
    either = resource("arn:aws:s3:::b/${a}/${b}/x", "arn:aws:s3:::b/1/2/x", keys=context({"a": "2"}))
    assert (either.element, either.reason) == ("resource", Mismatch.RESOURCE_NOT_LISTED)


@pytest.mark.parametrize(
    ("patterns", "asked", "reason", "expected"),
    [
        (["arn:aws:s3:::b", "arn:aws:s3:::b/home/*"], "arn:aws:s3:::b/k", Mismatch.RESOURCE_NOT_LISTED, None),
        (["arn:aws:s3:::b", "arn:aws:s3:::b/home"], "arn:aws:s3:::b/home/k", Mismatch.PREFIX_LACKS_WILDCARD, 1),
        (["arn:aws:s3:::b", "arn:aws:s3:::b/"], "arn:aws:s3:::b/k", Mismatch.PREFIX_LACKS_WILDCARD, 1),
        (["arn:aws:s3:::b", "arn:aws:s3:::c/*"], "arn:aws:s3:::b/k", Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT, 0),
        (["arn:aws:s3:::b", "arn:aws:s3:::b"], "arn:aws:s3:::b/k", Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT, 0),
    ],
)
def test_what_another_pattern_goes_on_from_was_not_meant_to_reach_further(
    patterns: list[str], asked: str, reason: Mismatch, expected: int | None
) -> None:
    found = resource(patterns, asked)
    assert (found.reason, found.expected) == (reason, ", ".join(patterns) if expected is None else patterns[expected])


def test_the_folders_on_the_way_are_listed_for_themselves() -> None:
    on_the_way = condition("StringLike", ["", "home/", "home/ann/*"], context({"key": "home/bob/"}))
    assert on_the_way.reason is Mismatch.VALUE_DIFFERS
    assert (
        condition("StringLike", ["", "home/"], context({"key": "home/bob/"})).reason is Mismatch.PREFIX_LACKS_WILDCARD
    )


@pytest.mark.parametrize(
    ("pattern", "asked", "flags"),
    [
        ("*", OBJECT, ()),
        ("arn:aws:s3:::b/*", OBJECT, ()),
        ("arn:aws:s3:::*", OBJECT, ()),
        ("arn:aws:s3:*:*:*", OBJECT, ()),
        ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/alice", ()),
        ("arn:aws:s3:*", OBJECT, (Doubt.WILDCARD_CROSSES_COLON,)),
        ("arn:aws:s3*b/k", OBJECT, (Doubt.WILDCARD_IN_SERVICE,)),
        ("arn:aws:s?:::b/k", OBJECT, (Doubt.WILDCARD_IN_SERVICE,)),
        ("arn:aws:*", OBJECT, (Doubt.WILDCARD_IN_SERVICE,)),
        ("arn:*", OBJECT, (Doubt.WILDCARD_CROSSES_COLON,)),
        ("arn:aws:s3:::b?k", OBJECT, ()),
        ("*", "*", ()),
    ],
)
def test_matches_that_aws_pages_disagree_on_are_flagged(pattern: str, asked: str, flags: tuple[Doubt, ...]) -> None:
    found = resource(pattern, asked, keys=context({"aws:username": "alice"}))
    assert (found.truth, found.flags) == (YES, flags)


# Principal


OTHER_SESSION = replace(SESSION, issuer=None, arn=SESSION_ARN.replace("reader", "writer"))


@pytest.mark.parametrize(
    ("entry", "caller", "reason"),
    [
        ("AIDACKCEVSQ6C2EXAMPLE", USER, Mismatch.DELETED_PRINCIPAL),
        (f"arn:aws:iam::{OURS}:user/*", USER, Mismatch.WILDCARD_IN_PRINCIPAL),
        (f"arn:aws:iam::{OURS}:group/team", USER, Mismatch.GROUP_AS_PRINCIPAL),
        (f"arn:aws:sts::{OURS}:assumed-role/reader", SESSION, Mismatch.ROLE_NOT_SESSION),
        ("alice", USER, Mismatch.PRINCIPAL_NOT_LISTED),
        (SESSION_ARN.replace("s1", "s2"), SESSION, Mismatch.SESSION_NAME_DIFFERS),
        (SESSION_ARN.replace("reader", "writer"), SESSION, Mismatch.PRINCIPAL_NOT_LISTED),
        (ROLE_ARN.replace("team/", ""), SESSION, Mismatch.PATH_DIFFERS),
        (ROLE_ARN.replace("reader", "writer"), SESSION, Mismatch.PRINCIPAL_NOT_LISTED),
        (USER_ARN.replace("alice", "Alice"), USER, Mismatch.CASE_DIFFERS),
        (USER_ARN.replace("user/", "user/team/"), USER, Mismatch.PATH_DIFFERS),
        (USER_ARN.replace(OURS, THEIRS), USER, Mismatch.OTHER_ACCOUNT),
        (USER_ARN.replace("arn:aws:", "arn:aws-cn:"), USER, Mismatch.OTHER_PARTITION),
        (USER_ARN.replace("alice", "bob"), USER, Mismatch.PRINCIPAL_NOT_LISTED),
        (ROOT_ARN.replace(OURS, THEIRS), USER, Mismatch.OTHER_ACCOUNT),
        (ROOT_ARN.replace("arn:aws:", "arn:aws-cn:"), USER, Mismatch.OTHER_PARTITION),
        (ROLE_ARN, USER, Mismatch.PRINCIPAL_NOT_LISTED),
        (USER_ARN, SESSION, Mismatch.PRINCIPAL_NOT_LISTED),
        (USER_ARN, ANONYMOUS, Mismatch.PRINCIPAL_NOT_LISTED),
        (OURS, ANONYMOUS, Mismatch.PRINCIPAL_NOT_LISTED),
        (OURS, SERVICE, Mismatch.PRINCIPAL_NOT_LISTED),
        (
            ROLE_ARN,
            replace(SESSION, issuer=None, arn=SESSION_ARN.replace("reader", "x")),
            Mismatch.PRINCIPAL_NOT_LISTED,
        ),
    ],
)
def test_principals(entry: str, caller: Principal, reason: Mismatch) -> None:
    other = f"arn:aws:iam::{OURS}:user/somebody"
    found = principal([other, entry], caller)
    specific = reason is not Mismatch.PRINCIPAL_NOT_LISTED
    assert (found.element, found.truth, found.reason) == ("principal", NO, reason)
    assert found.expected == (entry if specific else f"{other}, {entry}")
    assert found.actual == ("anonymous" if caller is ANONYMOUS else caller.arn)


def test_another_account_is_the_least_telling_of_reasons() -> None:
    found = principal([THEIRS, "AIDACKCEVSQ6C2EXAMPLE"])
    assert (found.expected, found.reason) == ("AIDACKCEVSQ6C2EXAMPLE", Mismatch.DELETED_PRINCIPAL)
    assert principal([THEIRS, USER_ARN.replace("alice", "bob")]).reason is Mismatch.OTHER_ACCOUNT


def test_a_service_is_an_entry_like_others() -> None:
    found = only("principal", allow(Principal={"Service": "cloudtrail.amazonaws.com"}), principal=SERVICE)
    assert (found.truth, found.expected, found.reason) == (
        NO,
        "cloudtrail.amazonaws.com",
        Mismatch.PRINCIPAL_NOT_LISTED,
    )


def test_a_principal_that_matches() -> None:
    found = principal(USER_ARN)
    assert (found.truth, found.expected, found.actual, found.reason, found.flags) == (YES, USER_ARN, USER_ARN, None, ())


def test_a_star_under_aws_for_anonymous_callers_is_flagged() -> None:
    assert principal("*", ANONYMOUS).flags == (Doubt.ANONYMOUS_AWS_STAR,)
    assert principal("*", USER).flags == ()
    assert only("principal", allow(Principal="*"), principal=ANONYMOUS).flags == ()


LISTED = [ROLE_ARN, SESSION_ARN, ROOT_ARN]


@pytest.mark.parametrize(
    ("listed", "caller", "truth", "reason"),
    [
        (LISTED, SESSION, NO, Mismatch.PRINCIPAL_EXCLUDED),
        (LISTED, replace(SESSION, bounded=YES), YES, Mismatch.PERMISSIONS_BOUNDARY),
        (LISTED, replace(SESSION, bounded=UNSURE), UNSURE, Mismatch.PERMISSIONS_BOUNDARY),
        ([ROLE_ARN, ROOT_ARN], SESSION, YES, Mismatch.ROLE_NOT_SESSION),
        ([ROLE_ARN, SESSION_ARN.replace("s1", "s2"), ROOT_ARN], SESSION, YES, Mismatch.SESSION_NAME_DIFFERS),
        ([ROLE_ARN, SESSION_ARN], SESSION, YES, Mismatch.ACCOUNT_NOT_LISTED),
        ([USER_ARN], USER, YES, Mismatch.ACCOUNT_NOT_LISTED),
        ([ROOT_ARN], USER, YES, Mismatch.PRINCIPAL_NOT_LISTED),
        ([ROOT_ARN], SOMEBODY, UNSURE, Mismatch.PRINCIPAL_NOT_LISTED),
    ],
)
def test_not_principal(listed: list[str], caller: Principal, truth: Truth, reason: Mismatch) -> None:
    found = only("principal", deny(NotPrincipal={"AWS": listed}), principal=caller)
    assert (found.element, found.truth, found.reason) == ("notprincipal", truth, reason)
    assert found.expected == ", ".join(listed)
    assert found.negated
    assert found.flags == ()


def test_not_principal_with_allow_is_flagged() -> None:
    found = only("principal", allow(NotPrincipal={"AWS": THEIRS}))
    assert (found.truth, found.flags) == (YES, (Doubt.NOT_PRINCIPAL_ALLOW,))


# Condition

V = context({"key": "value"})


@pytest.mark.parametrize(
    ("operator", "values", "actual", "reason", "expected"),
    [
        ("StringEquals", ["a", "b"], "value", Mismatch.VALUE_DIFFERS, "a, b"),
        ("StringEquals", ["a", "Value"], "value", Mismatch.CASE_DIFFERS, "Value"),
        ("StringEquals", ["a", "v*"], "value", Mismatch.WILDCARD_IN_EXACT_OPERATOR, "v*"),
        ("StringEquals", ["a", "value/"], "value", Mismatch.TRAILING_SLASH, "value/"),
        ("StringEquals", ["a", "value"], "value/", Mismatch.TRAILING_SLASH, "value"),
        ("StringEquals", "", "value", Mismatch.VALUE_DIFFERS, ""),
        ("StringEqualsIgnoreCase", ["a", "V*"], "value", Mismatch.WILDCARD_IN_EXACT_OPERATOR, "V*"),
        ("StringEqualsIgnoreCase", "a", "value", Mismatch.VALUE_DIFFERS, "a"),
        ("StringLike", ["a", "V*"], "value", Mismatch.CASE_DIFFERS, "V*"),
        ("StringLike", ["a", "home/*/"], "home/x", Mismatch.TRAILING_SLASH, "home/*/"),
        ("StringLike", ["a", "home/"], "home/x", Mismatch.PREFIX_LACKS_WILDCARD, "home/"),
        ("StringLike", ["a", ""], "value", Mismatch.VALUE_DIFFERS, "a, "),
        ("ArnLike", ["arn:*"], "arn:aws:iam::1:user/x", Mismatch.NOT_AN_ARN, "arn:*"),
        ("ArnLike", "arn:aws:iam::1:User/x", "arn:aws:iam::1:user/x", Mismatch.CASE_DIFFERS, "arn:aws:iam::1:User/x"),
        (
            "ArnEquals",
            "arn:aws:iam::2:user/x",
            "arn:aws:iam::1:user/x",
            Mismatch.OTHER_ACCOUNT,
            "arn:aws:iam::2:user/x",
        ),
        (
            "ArnEquals",
            "arn:aws-cn:iam::1:user/x",
            "arn:aws:iam::1:user/x",
            Mismatch.OTHER_PARTITION,
            "arn:aws-cn:iam::1:user/x",
        ),
        ("ArnEquals", "arn:aws:s3:::c", "arn:aws:s3:::b", Mismatch.VALUE_DIFFERS, "arn:aws:s3:::c"),
        ("NumericLessThan", "10", "11", Mismatch.VALUE_DIFFERS, "10"),
        ("NumericLessThan", "ten", "11", Mismatch.VALUE_UNREADABLE, "ten"),
        ("IpAddress", ["10.0.0.0/40", "10.0.0.0/8"], "11.0.0.1", Mismatch.VALUE_UNREADABLE, "10.0.0.0/40"),
        ("Bool", "false", "true", Mismatch.VALUE_DIFFERS, "false"),
        ("ForAnyValue:StringEquals", "a", "value", Mismatch.VALUE_DIFFERS, "a"),
    ],
)
def test_values(operator: str, values: Any, actual: str, reason: Mismatch, expected: str) -> None:
    found = condition(operator, values, context({"key": actual}))
    assert (found.element, found.truth, found.reason, found.expected) == ("condition:Key", NO, reason, expected)
    assert (found.actual, found.operator, found.key, found.part) == (actual, operator, "Key", "condition")


@pytest.mark.parametrize(
    ("operator", "values", "keys", "truth", "reason", "actual"),
    [
        ("StringEquals", "value", V, YES, None, "value"),
        ("StringEquals", "value", context(), NO, Mismatch.KEY_ABSENT, None),
        ("StringNotEquals", "value", context(), YES, Mismatch.KEY_ABSENT, None),
        ("StringEqualsIfExists", "value", context(), YES, Mismatch.KEY_ABSENT, None),
        ("StringNotEquals", "value", V, NO, Mismatch.VALUE_EXCLUDED, "value"),
        ("StringNotEquals", "Value", V, YES, Mismatch.CASE_DIFFERS, "value"),
        ("StringNotEquals", "other", V, YES, Mismatch.VALUE_DIFFERS, "value"),
        ("StringEquals", "value", context({}, "key"), UNSURE, Mismatch.KEY_UNKNOWN, None),
        ("StringLikeIfExists", "*", context({}, "key"), YES, None, None),
        ("StringEquals", [], context({}, "key"), NO, Mismatch.VALUE_DIFFERS, None),
        ("IpAddress", "x", context({}, "key"), NO, Mismatch.VALUE_UNREADABLE, None),
        ("ForAnyValue:StringNotLike", "*", context({}, "key"), NO, Mismatch.VALUE_EXCLUDED, None),
        ("ForAnyValue:StringEquals", "a", context({"key": []}), NO, Mismatch.VALUE_DIFFERS, ""),
        ("StringEquals", "value", context({"key": ["a", "b"]}), UNSURE, Mismatch.SEVERAL_VALUES, "a, b"),
        ("ForAllValues:StringEquals", "a", context({"key": ["a", "b"]}), NO, Mismatch.VALUE_DIFFERS, "a, b"),
        ("ForAllValues:StringEquals", ["a", "b"], context({"key": ["a", "b"]}), YES, None, "a, b"),
        ("ForAllValues:StringEquals", "a", context({"key": []}), YES, None, ""),
        ("Null", "true", context(), YES, None, None),
        ("Null", "true", V, NO, Mismatch.KEY_PRESENT, "value"),
        ("Null", "false", V, YES, None, "value"),
        ("Null", "false", context(), NO, Mismatch.KEY_ABSENT, None),
        ("Null", "false", context({}, "key"), UNSURE, Mismatch.KEY_UNKNOWN, None),
        ("Matches", "v", V, UNSURE, Mismatch.UNKNOWN_OPERATOR, "value"),
        ("Matches", "v", context(), UNSURE, Mismatch.UNKNOWN_OPERATOR, None),
    ],
)
def test_conditions(
    operator: str, values: Any, keys: RequestContext, truth: Truth, reason: Mismatch | None, actual: str | None
) -> None:
    found = condition(operator, values, keys)
    assert (found.element, found.truth, found.reason, found.actual) == ("condition:Key", truth, reason, actual)


@pytest.mark.parametrize(
    ("operator", "value", "actual", "reason"),
    [
        ("StringNotEqualsIgnoreCase", "v*", "value", Mismatch.WILDCARD_IN_EXACT_OPERATOR),
        ("StringNotLike", "V*", "value", Mismatch.CASE_DIFFERS),
        ("ArnNotEquals", "arn:aws:sns:x:2:t", "arn:aws:sns:x:1:t", Mismatch.OTHER_ACCOUNT),
        ("ArnNotLike", "arn:aws:sns:x:2:*", "arn:aws:sns:x:1:t", Mismatch.OTHER_ACCOUNT),
        ("NotIpAddress", "10.0.0.0/99", "10.0.0.1", Mismatch.VALUE_UNREADABLE),
        ("NumericNotEquals", "1", "2", Mismatch.VALUE_DIFFERS),
    ],
)
def test_a_negated_condition_that_is_met_says_why(operator: str, value: str, actual: str, reason: Mismatch) -> None:
    found = condition(operator, value, context({"key": actual}))
    assert (found.truth, found.reason, found.expected, found.actual) == (YES, reason, value, actual)


def test_a_value_that_is_known_roughly() -> None:
    keys = RequestContext({"key": ("100",)}, margin={"key": 10.0})
    found = condition("NumericGreaterThan", "95", keys)
    assert (found.truth, found.reason, found.actual) == (UNSURE, Mismatch.VALUE_UNCERTAIN, "100")
    assert condition("NumericGreaterThan", "110", keys).reason is Mismatch.VALUE_DIFFERS


def test_negation_is_marked() -> None:
    assert condition("StringNotEquals", "a", V).negated
    assert not condition("StringEquals", "a", V).negated
    assert not condition("Null", "true", V).negated


@pytest.mark.parametrize(
    ("operator", "value", "keys", "element", "truth", "reason", "key"),
    [
        ("StringLike", "home/${u}/*", {"u": "a"}, "condition:Key", YES, None, "Key"),
        ("StringLike", "home/${u}/*", {"u": "b"}, "condition:Key", NO, Mismatch.VALUE_DIFFERS, "Key"),
        ("StringLike", "home/${u}/*", {}, "variable:u", NO, Mismatch.VARIABLE_UNRESOLVED, "u"),
        ("StringNotLike", "home/${u}/*", {}, "condition:Key", YES, Mismatch.VARIABLE_UNRESOLVED, "u"),
        ("StringNotLike", "home/${u}/*", {"u": "b"}, "condition:Key", YES, Mismatch.VALUE_DIFFERS, "Key"),
        ("StringNotLike", "home/${u}/*", {"u": "a"}, "condition:Key", NO, Mismatch.VALUE_EXCLUDED, "Key"),
        ("StringLike", "home/${unknown}/*", {}, "condition:Key", UNSURE, Mismatch.KEY_UNKNOWN, "unknown"),
        ("StringLike", "else/${unknown}/*", {}, "condition:Key", NO, Mismatch.VALUE_DIFFERS, "Key"),
        ("StringLike", "else/${u}/*", {"u": "a"}, "condition:Key", NO, Mismatch.VALUE_DIFFERS, "Key"),
    ],
)
def test_variables_in_values(
    operator: str,
    value: str,
    keys: dict[str, str],
    element: str,
    truth: Truth,
    reason: Mismatch | None,
    key: str,
) -> None:
    found = condition(operator, value, context({"key": "home/a/x", **keys}, "unknown"))
    assert (found.element, found.truth, found.reason, found.key) == (element, truth, reason, key)
    assert found.expected == value


@pytest.mark.parametrize(
    ("operator", "element", "truth"),
    [
        ("StringEquals", "version", NO),
        ("StringLike", "version", NO),
        ("StringNotEquals", "condition:Key", YES),
    ],
)
def test_variables_in_values_of_old_versions(operator: str, element: str, truth: Truth) -> None:
    keys = context({"key": "alice", "u": "alice"})
    found = condition(operator, "${u}", keys, version=OLD)
    assert (found.element, found.truth, found.reason) == (element, truth, Mismatch.VARIABLE_LITERAL)
    other = condition("StringEquals", "${u}", context({"key": "bob", "u": "alice"}), version=OLD)
    assert (other.element, other.reason) == ("condition:Key", Mismatch.VALUE_DIFFERS)
    number = condition("NumericEquals", "${u}", context({"key": "1", "u": "1"}), version=OLD)
    assert (number.element, number.reason) == ("condition:Key", Mismatch.VALUE_UNREADABLE)


def test_an_arn_with_a_variable_in_an_old_version() -> None:
    keys = context({"key": USER_ARN, "u": "alice"})
    found = condition("ArnLike", f"arn:aws:iam::{OURS}:user/${{u}}", keys, version=None)
    assert (found.element, found.reason) == ("version", Mismatch.VARIABLE_LITERAL)
    # As ARNs these would not match in either version: a star keeps to its segment.
    for version in (NEW, OLD):
        other = condition("ArnLike", "arn:*:user/${u}", keys, version=version)
        assert (other.element, other.truth, other.reason) == ("condition:Key", NO, Mismatch.NOT_AN_ARN)


@pytest.mark.parametrize(
    ("operator", "values", "keys", "flags"),
    [
        ("StringEquals", "value", V, ()),
        ("Matches", "value", V, (Doubt.UNKNOWN_OPERATOR,)),
        ("IpAddress", "10.0.0.0/33", V, (Doubt.UNREADABLE_VALUE,)),
        ("Null", "yes", V, (Doubt.UNREADABLE_VALUE,)),
        ("ArnLike", "arn:aws:*", V, (Doubt.UNREADABLE_VALUE,)),
        ("Bool", "${b}", context({"key": "true", "b": "true"}), (Doubt.BOOL_VARIABLE,)),
        ("Bool", ["${b}", "false"], context({"key": "true", "b": "true"}), (Doubt.BOOL_VARIABLE,)),
        ("Bool", "true", context({"key": "true"}), ()),
        ("StringEquals", "${b}", context({"key": "true", "b": "true"}), ()),
        ("ForAllValues:StringNotLike", "a", context(), (Doubt.NEGATED_FOR_ALL_ABSENT,)),
        ("ForAllValues:StringNotLike", "a", context({"key": []}), (Doubt.NEGATED_FOR_ALL_ABSENT,)),
        ("ForAllValues:StringNotLike", "a", V, ()),
        ("ForAllValues:StringLike", "a", context(), ()),
        ("StringEquals", "a", context({"key": ["a", "b"]}), (Doubt.SEVERAL_VALUES,)),
        ("ForAnyValue:StringEquals", "a", context({"key": ["a", "b"]}), ()),
        ("StringEquals", "a", context({}, "key"), ()),
    ],
)
def test_results_that_are_less_than_certain_are_flagged(
    operator: str, values: Any, keys: RequestContext, flags: tuple[Doubt, ...]
) -> None:
    assert condition(operator, values, keys).flags == flags


def test_federated_callers_are_named_by_their_arn() -> None:
    assert principal(USER_ARN, FEDERATED).truth is YES

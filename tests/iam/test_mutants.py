"""What mutation testing found that no other test did."""

from __future__ import annotations

import pytest

from denyproxy.iam.condition import unreadable
from denyproxy.iam.evaluation import PolicySet, ResourceLayer, evaluate
from denyproxy.iam.principal import Principal
from tests.iam.build import (
    NEW,
    NO,
    OBJECT,
    OLD,
    OURS,
    ROLE_ARN,
    SERVICE,
    SESSION,
    SOMEBODY,
    THEIRS,
    UNSURE,
    USER,
    USER_ARN,
    YES,
    allow,
    condition,
    context,
    deny,
    matches,
    policies,
    request,
    statement,
)


def test_every_layer_knows_its_name() -> None:
    everything = policies(allow("*"))
    resource = ResourceLayer("bucket-policy", everything)
    layers = evaluate(request(), PolicySet(YES, everything, scp=(everything,), resource=(resource,))).layers
    assert {name: layer.layer for name, layer in layers.items()} == {
        "scp": "scp",
        "rcp": "rcp",
        "vpc-endpoint-policy": "vpc-endpoint-policy",
        "bucket-policy": "bucket-policy",
        "identity": "identity",
        "permissions-boundary": "permissions-boundary",
        "session-policy": "session-policy",
    }


def test_statements_of_resource_control_policies_are_evidence() -> None:
    account, root = policies(deny(Principal="*")), policies(deny(resource="arn:aws:s3:::other/*", Principal="*"))
    layer = evaluate(request(), PolicySet(YES, rcp=(root, account))).layers["rcp"]
    assert [(policy, truth) for policy, _, truth in layer.statements] == [
        (root.policies[0], NO),
        (account.policies[0], YES),
    ]


def test_statements_of_a_layer_that_may_not_apply_are_evidence() -> None:
    layer = evaluate(request(SOMEBODY), PolicySet(YES, policies(deny()))).layers["identity"]
    assert [truth for _, _, truth in layer.statements] == [YES]
    assert layer.deny is UNSURE


def test_statements_of_a_bucket_policy_that_do_not_match_are_evidence() -> None:
    elsewhere = policies(allow(resource="arn:aws:s3:::other/*", Principal="*"))
    evaluation = evaluate(request(), PolicySet(YES, resource=(ResourceLayer("bucket-policy", elsewhere),)))
    (evidence,) = evaluation.layers["bucket-policy"].statements
    assert evidence == (elsewhere.policies[0], elsewhere.policies[0].statements[0], NO)


def test_base64_with_foreign_characters_is_unreadable() -> None:
    """An unreadable value matches nothing, though a lenient reader would see the same bytes."""
    assert condition("BinaryEquals", "k", "QUI=").test(context({"k": "QUI="})) is YES
    assert condition("BinaryEquals", "k", "QU!I=").test(context({"k": "QUI="})) is NO
    assert condition("BinaryEquals", "k", "QUI=").test(context({"k": "QU!I="})) is NO


@pytest.mark.parametrize(
    ("principal", "truth"), [(USER, YES), (Principal(USER.type, USER_ARN + "x", USER.account), NO), (SERVICE, NO)]
)
def test_a_statement_matches_whom_it_names(principal: Principal, truth: int) -> None:
    written = statement(allow(Principal={"AWS": [USER_ARN, THEIRS]}))
    assert matches(written, request(principal), OBJECT) is truth


def test_only_the_unreadable_values_of_null_are_unreadable() -> None:
    assert unreadable(condition("Null", "k", ["true", "soon"])) == ("soon",)


@pytest.mark.parametrize(
    ("principal", "named"),
    [(SESSION, SESSION.arn), (SESSION, ROLE_ARN), (SESSION, OURS), (USER, USER_ARN), (USER, OURS)],
)
def test_a_bucket_policy_allows_in_whatever_way_it_grants(principal: Principal, named: str) -> None:
    layer = ResourceLayer("bucket-policy", policies(allow(Principal={"AWS": named})))
    assert evaluate(request(principal), PolicySet(YES, resource=(layer,))).layers["bucket-policy"].allow is YES


def test_without_organization_service_control_policies_allow() -> None:
    assert evaluate(request(), PolicySet(YES)).layers["scp"].allow is YES


def test_only_the_newer_version_substitutes() -> None:
    assert statement(allow(), NEW).substitutes is True
    assert statement(allow(), OLD).substitutes is False
    assert statement(allow(), None).substitutes is False


@pytest.mark.parametrize("first", ["${aws:FederatedProvider}", "${aws:username}"])
@pytest.mark.parametrize("second", ["${aws:FederatedProvider}", "${aws:username}"])
def test_a_variable_without_value_spoils_its_own_pattern_only(first: str, second: str) -> None:
    keys = context({"aws:username": "alice", "k": "alice"})
    truth = YES if "${aws:username}" in (first, second) else NO
    resources = [f"arn:aws:s3:::b/{name}" for name in (first, second)]
    assert condition("StringEquals", "k", [first, second]).test(keys) is truth
    assert matches(statement(allow(resource=resources)), request(keys=keys), "arn:aws:s3:::b/alice") is truth


def test_an_unknown_key_may_be_an_empty_set() -> None:
    """`*` matches every value, and IfExists covers the absent key, but of an empty set no value matches."""
    assert condition("ForAnyValue:StringLikeIfExists", "aws:TagKeys", "*").test(context({}, "aws:TagKeys")) is UNSURE


def test_null_has_no_patterns() -> None:
    assert condition("Null", "k", "true").templates == ()


@pytest.mark.parametrize(
    ("element", "of_s3"),
    [
        ({"Action": "s3:GetObject"}, True),
        ({"Action": "S3:Get*"}, True),
        ({"Action": "*"}, True),
        ({"Action": ["kms:Decrypt", "s3:List*"]}, True),
        ({"Action": "kms:Decrypt"}, False),
        ({"Action": ["kms:*", "sts:AssumeRole"]}, False),
        ({"Action": "s3-object-lambda:GetObject"}, False),
        ({"NotAction": "kms:Decrypt"}, True),
    ],
)
def test_a_statement_speaks_of_a_service(element: dict[str, object], of_s3: bool) -> None:
    spoken = statement({"Effect": "Allow", "Resource": "*", **element}, NEW)
    assert spoken.is_of_service("s3:GetObject") is of_s3
    assert spoken.is_of_service("S3:PutObject") is of_s3


def test_a_statement_in_another_place_is_the_same_but_for_its_place() -> None:
    named, nameless = statement(allow() | {"Sid": "Mine"}, NEW), statement(allow(), NEW)
    for original, label in ((named, "Mine"), (nameless, "Statement[3]")):
        moved = original.moved(3, "/Statement/3")
        assert (moved.index, moved.place, moved.label) == (3, "/Statement/3", label)
        assert (original.index, original.actions) == (0, moved.actions)


def test_the_keys_of_a_statement_are_those_of_its_conditions_and_variables() -> None:
    written = allow(resource="arn:aws:s3:::b/${aws:UserName}/*")
    written |= {"Condition": {"StringLike": {"s3:Prefix": "${aws:PrincipalTag/Team}"}}}
    assert set(statement(written, NEW).keys) == {"s3:prefix", "aws:username", "aws:principaltag/team"}

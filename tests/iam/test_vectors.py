"""The test vectors of AWS's documented rules, as literal results: operators, then whole decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.iam.evaluation import Decision, Grant, PolicySet, ResourceLayer, decide, evaluate
from denyproxy.iam.principal import ANONYMOUS, Principal
from denyproxy.iam.truth import Truth
from tests.iam.build import (
    BUCKET,
    FEDERATED,
    NO,
    OLD,
    ROLE_ARN,
    ROOT_ARN,
    SESSION,
    SESSION_ARN,
    USER,
    USER_ARN,
    YES,
    allow,
    condition,
    context,
    deny,
    policies,
    request,
)

MFA = "aws:MultiFactorAuthPresent"
SSE = "s3:x-amz-server-side-encryption"
TAG_KEYS = "s3:RequestObjectTagKeys"


@pytest.mark.parametrize(
    ("operator", "key", "values", "actual", "holds"),
    [
        pytest.param("StringEquals", "s3:prefix", "", "", True, id="1"),
        pytest.param("StringEquals", "s3:prefix", "", None, False, id="2"),
        pytest.param("Null", "s3:prefix", "true", None, True, id="3-absent"),
        pytest.param("Null", "s3:prefix", "true", "", False, id="3-empty"),
        pytest.param("StringNotEquals", "s3:x-amz-acl", "private", None, True, id="4"),
        pytest.param("StringNotEqualsIfExists", "x", "private", None, True, id="5"),
        pytest.param("StringEqualsIfExists", "x", "private", None, True, id="6"),
        pytest.param("StringNotEquals", "k", ["a", "b"], "c", True, id="7-c"),
        pytest.param("StringNotEquals", "k", ["a", "b"], "a", False, id="7-a"),
        pytest.param("StringLike", "s3:prefix", "home/*", "home/", True, id="8-slash"),
        pytest.param("StringLike", "s3:prefix", "home/*", "home", False, id="8-none"),
        pytest.param("Bool", "aws:SecureTransport", "false", "true", False, id="9-https"),
        pytest.param("Bool", "aws:SecureTransport", "false", "false", True, id="9-http"),
        pytest.param("Bool", MFA, "false", None, False, id="10"),
        pytest.param("BoolIfExists", MFA, "false", None, True, id="11"),
        pytest.param("IpAddress", "aws:SourceIp", "10.0.0.0/8", None, False, id="12"),
        pytest.param("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", None, True, id="13"),
        pytest.param("IpAddress", "aws:SourceIp", "203.0.113.7", "203.0.113.7", True, id="14"),
        pytest.param("IpAddress", "aws:SourceIp", "203.0.113.0/24", "2001:db8::1", False, id="15"),
        pytest.param("NumericLessThan", "s3:TlsVersion", "1.2", "1.3", False, id="16-1.3"),
        pytest.param("NumericLessThan", "s3:TlsVersion", "1.2", "1.1", True, id="16-1.1"),
        pytest.param("NumericGreaterThan", "s3:signatureAge", "600000", "599999", False, id="17-younger"),
        pytest.param("NumericGreaterThan", "s3:signatureAge", "600000", "600001", True, id="17-older"),
        pytest.param("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", "1767225601", True, id="18"),
        pytest.param(
            "ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/dev-*", "arn:aws:iam::1:role/dev-x", True, id="19"
        ),
        pytest.param("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a/b", True, id="20"),
        pytest.param(
            "ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/dev-*", "arn:aws:iam::1:role/dev-x", True, id="21"
        ),
        pytest.param("ArnLike", "aws:PrincipalArn", "arn:aws:*", "arn:aws:iam::1:user/x", False, id="22"),
        pytest.param("StringEquals", SSE, "aws:kms", None, False, id="23"),
        pytest.param("ForAllValues:StringEquals", TAG_KEYS, ["a"], None, True, id="24"),
        pytest.param("ForAnyValue:StringEquals", TAG_KEYS, ["a"], None, False, id="25"),
        pytest.param("ForAllValues:StringEquals", TAG_KEYS, ["a"], ["a", "b"], False, id="26"),
        pytest.param("ForAnyValue:StringNotEquals", TAG_KEYS, ["a"], ["a", "b"], True, id="27"),
        pytest.param("StringLike", "s3:x-amz-copy-source", "src/public/*", "src/public/x", True, id="28"),
        pytest.param("StringEquals", "aws:principaltag/team", "x", "x", True, id="29"),
        pytest.param("StringEquals", "S3:versionid", "abc", "abc", True, id="30"),
        pytest.param("StringEquals", "k", "${aws:username}", "alice", False, id="31"),
        pytest.param("StringNotEquals", "k", "${aws:username}", "alice", True, id="32"),
        pytest.param("StringLike", "s3:prefix", "home/${aws:username, 'anon'}/*", "home/anon/x", True, id="33"),
        pytest.param("StringLike", "k", "${*}x", "*x", True, id="34-star"),
        pytest.param("StringLike", "k", "${*}x", "ax", False, id="34-a"),
    ],
)
def test_conditions(operator: str, key: str, values: Any, actual: Any, holds: bool) -> None:
    keys = context() if actual is None else context({key: actual})
    assert condition(operator, key, values).test(keys) is Truth.of(holds)


@pytest.mark.parametrize("version", [OLD, None])
def test_35_a_variable_of_an_old_version_is_text(version: str | None) -> None:
    one = condition("StringEquals", "k", "${aws:username}", version)
    assert one.test(context({"k": "${aws:username}", "aws:username": "alice"})) is YES


def test_29_and_30_key_names_in_another_case() -> None:
    assert condition("StringEquals", "aws:principaltag/team", "x").test(context({"aws:PrincipalTag/Team": "x"})) is YES
    assert condition("StringEquals", "s3:VersionId", "abc").test(context({"s3:versionid": "abc"})) is YES


def bucket(*statements: dict[str, Any], **more: Any) -> ResourceLayer:
    return ResourceLayer("bucket-policy", policies(*statements), **more)


def to(*principals: str, **more: Any) -> dict[str, Any]:
    return allow(Principal={"AWS": list(principals)}, **more)


OWN = PolicySet(same_account=YES, resource=(bucket(),))
CROSS = PolicySet(same_account=NO, resource=(bucket(),))
NOT_THIS = policies(allow("s3:ListBucket"))
PUBLIC = bucket(allow(Principal="*"))
ALLOWS = policies(allow())
NOBODY = policies()

ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("principal", "policy_set", "decision", "layers"),
    [
        pytest.param(USER, replace(OWN, resource=(bucket(to(USER_ARN)),)), ALLOWED, [], id="40"),
        pytest.param(USER, replace(OWN, resource=(bucket(to(ROOT_ARN)),)), IMPLICIT, ["identity"], id="41"),
        pytest.param(USER, replace(OWN, boundary=NOT_THIS, resource=(bucket(to(USER_ARN)),)), ALLOWED, [], id="42"),
        pytest.param(
            SESSION,
            replace(OWN, boundary=NOT_THIS, resource=(bucket(to(ROLE_ARN)),)),
            IMPLICIT,
            ["permissions-boundary"],
            id="43",
        ),
        pytest.param(
            SESSION,
            replace(OWN, session=NOT_THIS, resource=(bucket(to(ROLE_ARN)),)),
            IMPLICIT,
            ["session-policy"],
            id="44",
        ),
        pytest.param(
            SESSION, replace(OWN, session=NOT_THIS, resource=(bucket(to(SESSION_ARN)),)), ALLOWED, [], id="45"
        ),
        pytest.param(
            USER, replace(OWN, identity=ALLOWS, scp=(policies(allow("*")), NOT_THIS)), IMPLICIT, ["scp"], id="46"
        ),
        pytest.param(USER, replace(CROSS, resource=(PUBLIC,)), IMPLICIT, ["identity"], id="47"),
        pytest.param(USER, replace(CROSS, identity=ALLOWS), IMPLICIT, ["bucket-policy"], id="48"),
        pytest.param(USER, replace(CROSS, identity=ALLOWS, resource=(bucket(to(ROOT_ARN)),)), ALLOWED, [], id="49"),
        pytest.param(ANONYMOUS, replace(CROSS, resource=(PUBLIC,)), ALLOWED, [], id="51"),
        pytest.param(USER, replace(OWN, identity=ALLOWS, scp=None), ALLOWED, [], id="52"),
        pytest.param(
            USER,
            replace(CROSS, identity=ALLOWS, rcp=(policies(deny(Principal="*")),), resource=(PUBLIC,)),
            EXPLICIT,
            ["rcp"],
            id="53",
        ),
        pytest.param(FEDERATED, replace(OWN, identity=ALLOWS), IMPLICIT, ["session-policy"], id="62"),
        pytest.param(
            replace(SESSION, bounded=YES),
            replace(
                OWN,
                identity=ALLOWS,
                boundary=ALLOWS,
                resource=(bucket(deny(NotPrincipal={"AWS": [ROLE_ARN, ROOT_ARN]})),),
            ),
            EXPLICIT,
            ["bucket-policy"],
            id="63",
        ),
        pytest.param(
            replace(SESSION, bounded=YES),
            replace(
                OWN,
                identity=ALLOWS,
                boundary=ALLOWS,
                resource=(bucket(deny(NotPrincipal={"AWS": [SESSION_ARN, ROLE_ARN, ROOT_ARN]})),),
            ),
            EXPLICIT,
            ["bucket-policy"],
            id="63-listed-in-full",
        ),
        # 65: the object is another account's, so only its ACL could grant.
        pytest.param(
            USER,
            replace(CROSS, identity=ALLOWS, resource=(replace(PUBLIC, deny_only=True),)),
            IMPLICIT,
            ["bucket-policy"],
            id="65",
        ),
        pytest.param(
            USER,
            replace(
                CROSS, identity=ALLOWS, resource=(replace(PUBLIC, deny_only=True, other_grant=Grant(account=YES)),)
            ),
            ALLOWED,
            [],
            id="65-with-an-acl",
        ),
        # 50: RestrictPublicBuckets takes what the policy grants to foreign callers away.
        pytest.param(
            USER,
            replace(
                CROSS,
                identity=ALLOWS,
                resource=(bucket(to(ROOT_ARN), allow(Principal="*"), deny_only=True),),
            ),
            IMPLICIT,
            ["bucket-policy"],
            id="50",
        ),
    ],
)
def test_decisions(principal: Principal, policy_set: PolicySet, decision: Decision, layers: list[str]) -> None:
    asked = request(principal)
    evaluation = evaluate(asked, policy_set)
    assert evaluation.decision is decision
    assert decide(asked, policy_set) == {decision}
    of_that_kind = [one for one in evaluation.objections if one.blocks == decision.value.removesuffix("-deny")]
    assert [one.layer for one in of_that_kind] == layers
    assert all(one.truth is YES for one in of_that_kind)


@pytest.mark.parametrize(
    ("identity", "resource_policy", "action", "resource", "keys", "decision"),
    [
        # 54: listing needs the bucket's own ARN
        pytest.param([allow("s3:*", "arn:aws:s3:::b/*")], [], "s3:ListBucket", BUCKET, {}, IMPLICIT, id="54"),
        pytest.param([allow("s3:*", BUCKET)], [], "s3:ListBucket", BUCKET, {}, ALLOWED, id="54-bucket"),
        # 55, 56: the read of a missing key is allowed; whether S3 says 404 is listing's decision
        pytest.param([allow("s3:GetObject")], [], "s3:ListBucket", BUCKET, {"s3:prefix": "k"}, IMPLICIT, id="55"),
        pytest.param(
            [allow(["s3:GetObject", "s3:ListBucket"])],
            [],
            "s3:ListBucket",
            BUCKET,
            {"s3:prefix": "k"},
            ALLOWED,
            id="56",
        ),
        pytest.param([allow("s3:GetObject")], [], "s3:GetObjectVersion", "arn:aws:s3:::b/k", {}, IMPLICIT, id="57"),
        pytest.param([allow("s3:GetObjectVersion")], [], "s3:GetObject", "arn:aws:s3:::b/k", {}, IMPLICIT, id="58"),
        pytest.param(
            [allow("s3:*"), deny("s3:DeleteObjectVersion")],
            [],
            "s3:DeleteObjectVersion",
            "arn:aws:s3:::b/k",
            {},
            EXPLICIT,
            id="59",
        ),
        pytest.param(
            [allow("s3:*")],
            [deny("s3:PutObject", Principal="*", Condition={"StringNotEquals": {SSE: "aws:kms"}})],
            "s3:PutObject",
            "arn:aws:s3:::b/k",
            {},
            EXPLICIT,
            id="60",
        ),
        pytest.param(
            [allow("s3:*")],
            [deny("s3:*", Principal="*", Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})],
            "s3:GetObject",
            "arn:aws:s3:::b/k",
            {"aws:SourceVpce": "vpce-1"},
            EXPLICIT,
            id="61",
        ),
        pytest.param(
            [allow("s3:*", ["arn:aws:s3:::b", "arn:aws:s3:::b/*"])],
            [],
            "s3:GetObject",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/a/object/k",
            {},
            IMPLICIT,
            id="64",
        ),
    ],
)
def test_decisions_on_s3_requests(
    identity: list[dict[str, Any]],
    resource_policy: list[dict[str, Any]],
    action: str,
    resource: str,
    keys: dict[str, str],
    decision: Decision,
) -> None:
    policy_set = replace(OWN, identity=policies(*identity), resource=(bucket(*resource_policy),))
    assert evaluate(request(USER, action, resource, context(keys)), policy_set).decision is decision

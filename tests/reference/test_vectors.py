"""The reference evaluator against literal results from AWS's rules, so that it is no mere second guess."""

from __future__ import annotations

from typing import Any

import pytest

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest, Decision, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
from denyproxy.iam.truth import Truth
from tests.reference.evaluator import decide, possible
from tests.reference.operators import condition_holds

OURS, THEIRS = "111122223333", "444455556666"
ROOT = f"arn:aws:iam::{OURS}:root"
USER_ARN = f"arn:aws:iam::{OURS}:user/alice"
ROLE_ARN = f"arn:aws:iam::{OURS}:role/team/reader"
SESSION_ARN = f"arn:aws:sts::{OURS}:assumed-role/reader/s1"
FEDERATED_ARN = f"arn:aws:sts::{OURS}:federated-user/bob"

USER = Principal(PrincipalType.USER, USER_ARN, OURS)
BOUNDED_USER = Principal(PrincipalType.USER, USER_ARN, OURS, bounded=Truth.YES)
SESSION = Principal(PrincipalType.ROLE_SESSION, SESSION_ARN, OURS, ROLE_ARN)
BOUNDED_SESSION = Principal(PrincipalType.ROLE_SESSION, SESSION_ARN, OURS, ROLE_ARN, bounded=Truth.YES)
FEDERATED = Principal(PrincipalType.FEDERATED, FEDERATED_ARN, OURS, USER_ARN)
ACCOUNT_ROOT = Principal(PrincipalType.ROOT, ROOT, OURS)
SERVICE = Principal(PrincipalType.SERVICE, "logging.s3.amazonaws.com")
SERVICE_LINKED = Principal(
    PrincipalType.ROLE_SESSION,
    f"arn:aws:sts::{OURS}:assumed-role/AWSServiceRoleForX/s",
    OURS,
    f"arn:aws:iam::{OURS}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
)

KEY = "k"
NEW = "2012-10-17"


@pytest.mark.parametrize(
    ("operator", "written", "actual", "holds"),
    [
        pytest.param("StringEquals", "", ("",), True, id="1"),
        pytest.param("StringEquals", "", None, False, id="2"),
        pytest.param("Null", "true", None, True, id="3-absent"),
        pytest.param("Null", "true", ("",), False, id="3-empty"),
        pytest.param("Null", False, ("",), True, id="3-unquoted"),
        pytest.param("StringNotEquals", "private", None, True, id="4"),
        pytest.param("StringNotEqualsIfExists", "private", None, True, id="5"),
        pytest.param("StringEqualsIfExists", "private", None, True, id="6"),
        pytest.param("StringEqualsIfExists", "private", ("public-read",), False, id="6-present"),
        pytest.param("StringNotEquals", ["a", "b"], ("c",), True, id="7-c"),
        pytest.param("StringNotEquals", ["a", "b"], ("a",), False, id="7-a"),
        pytest.param("StringLike", "home/*", ("home/",), True, id="8-slash"),
        pytest.param("StringLike", "home/*", ("home",), False, id="8-no-slash"),
        pytest.param("Bool", "false", ("true",), False, id="9-https"),
        pytest.param("Bool", "false", ("false",), True, id="9-http"),
        pytest.param("Bool", "false", None, False, id="10"),
        pytest.param("BoolIfExists", "false", None, True, id="11"),
        pytest.param("IpAddress", "10.0.0.0/8", None, False, id="12"),
        pytest.param("NotIpAddress", "203.0.113.0/24", None, True, id="13"),
        pytest.param("IpAddress", "203.0.113.7", ("203.0.113.7",), True, id="14"),
        pytest.param("IpAddress", "203.0.113.7", ("203.0.113.8",), False, id="14-other"),
        pytest.param("IpAddress", "203.0.113.0/24", ("2001:db8::1",), False, id="15"),
        pytest.param("NotIpAddress", "203.0.113.0/24", ("2001:db8::1",), True, id="15-not"),
        pytest.param("IpAddress", "2001:db8::/32", ("2001:db8::1",), True, id="15-v6"),
        pytest.param("NumericLessThan", "1.2", ("1.3",), False, id="16-1.3"),
        pytest.param("NumericLessThan", 1.2, ("1.1",), True, id="16-1.1"),
        pytest.param("NumericGreaterThan", "600000", ("599999",), False, id="17-below"),
        pytest.param("NumericGreaterThan", 600000, ("600001",), True, id="17-above"),
        pytest.param("NumericGreaterThan", "600000", ("600000",), False, id="17-equal"),
        pytest.param("NumericGreaterThanEquals", "600000", ("600000",), True, id="17-or-equal"),
        pytest.param("NumericLessThanEquals", "10", ("10.0",), True, id="17-decimal"),
        pytest.param("NumericNotEquals", "10", None, True, id="17-absent"),
        pytest.param("NumericEquals", "ten", ("10",), False, id="17-unparsable"),
        pytest.param("DateGreaterThan", "2026-01-01T00:00:00Z", ("1767225601",), True, id="18"),
        pytest.param("DateGreaterThan", "2026-01-01T00:00:00Z", ("1767225600",), False, id="18-equal"),
        pytest.param("DateEquals", "2026-01-01", ("2026-01-01T01:00:00+01:00",), True, id="18-date-only"),
        pytest.param("ArnLike", "arn:aws:iam::*:role/dev-*", ("arn:aws:iam::1:role/dev-x",), True, id="19"),
        pytest.param("ArnLike", "arn:aws:iam::*:role/*", ("arn:aws:iam::1:role/a/b",), True, id="20"),
        pytest.param("ArnEquals", "arn:aws:iam::*:role/*", ("arn:aws:iam::1:role/a/b",), True, id="21"),
        pytest.param("ArnNotEquals", "arn:aws:iam::*:role/*", ("arn:aws:iam::1:role/a/b",), False, id="21-not"),
        pytest.param("ArnLike", "arn:aws:iam:*:role/x", ("arn:aws:iam::1:role/x",), False, id="21-no-colons-crossed"),
        pytest.param("ArnLike", "arn:aws:*", ("arn:aws:iam::1:user/x",), False, id="22"),
        pytest.param("StringEquals", "aws:kms", None, False, id="23"),
        pytest.param("ForAllValues:StringEquals", ["a"], None, True, id="24"),
        pytest.param("ForAllValues:StringEquals", ["a"], (), True, id="24-empty"),
        pytest.param("ForAnyValue:StringEquals", ["a"], None, False, id="25"),
        pytest.param("ForAnyValue:StringNotEquals", ["a"], None, False, id="25-not"),
        pytest.param("ForAnyValue:StringEquals", ["a"], (), False, id="25-empty"),
        pytest.param("ForAllValues:StringEquals", ["a"], ("a", "b"), False, id="26"),
        pytest.param("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True, id="26-both"),
        pytest.param("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True, id="27"),
        pytest.param("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False, id="27-neither"),
        pytest.param("ForAllValues:StringNotLike", ["a*"], None, True, id="conflict-5"),
        pytest.param("StringLike", "src/public/*", ("src/public/x",), True, id="28"),
        pytest.param("StringEquals", [], ("a",), False, id="no-value"),
        pytest.param("StringNotEquals", [], ("a",), True, id="no-value-not"),
        pytest.param("BinaryEquals", "QUI=", ("QUI=",), True, id="binary"),
        pytest.param("BinaryEquals", "QUI=", ("QUM=",), False, id="binary-other"),
        pytest.param("StringEquals", "A", ("a",), False, id="case"),
        pytest.param("StringEqualsIgnoreCase", "A", ("a",), True, id="case-ignored"),
        pytest.param("StringEquals", "a*", ("ab",), False, id="no-wildcard"),
        pytest.param("StringLike", "a?c", ("abc",), True, id="one"),
        pytest.param("StringLike", "a?c", ("ac",), False, id="not-none"),
    ],
)
def test_operators(operator: str, written: Any, actual: tuple[str, ...] | None, holds: bool) -> None:
    context = RequestContext({} if actual is None else {KEY: actual})
    assert condition_holds(operator, KEY, written, NEW, context) is holds


@pytest.mark.parametrize(
    ("operator", "key", "written", "version", "present", "holds"),
    [
        pytest.param("StringEquals", "aws:principaltag/team", "x", NEW, {"aws:principaltag/team": "x"}, True, id="29"),
        pytest.param("StringEquals", "s3:VersionId", "abc", NEW, {"s3:versionid": "abc"}, True, id="30"),
        pytest.param("StringEquals", "k", "${aws:username}", NEW, {"k": "alice"}, False, id="31"),
        pytest.param("StringNotEquals", "k", "${aws:username}", NEW, {"k": "alice"}, True, id="32"),
        pytest.param("StringLike", "k", "home/${aws:username, 'anon'}/*", NEW, {"k": "home/anon/x"}, True, id="33"),
        pytest.param("StringLike", "k", "${*}x", NEW, {"k": "*x"}, True, id="34-star"),
        pytest.param("StringLike", "k", "${*}x", NEW, {"k": "ax"}, False, id="34-a"),
        pytest.param("StringEquals", "k", "${$}{${?}", NEW, {"k": "${?"}, True, id="34-dollar"),
        pytest.param("StringEquals", "k", "${aws:username}", "2008-10-17", {"k": "${aws:username}"}, True, id="35"),
        pytest.param("StringLike", "k", "${a}", NEW, {"k": "bob", "a": "*"}, False, id="substituted-star"),
        pytest.param("StringLike", "k", "${A}/?", NEW, {"k": "*/x", "a": "*"}, True, id="substituted-literally"),
        pytest.param("ArnLike", "k", "arn:aws:s3:::${a}", NEW, {"k": "arn:aws:s3:::b", "a": "b"}, True, id="arn"),
    ],
)  # fmt: skip
def test_variables(operator: str, key: str, written: str, version: str, present: dict[str, str], holds: bool) -> None:
    context = RequestContext({name: (value,) for name, value in present.items()})
    assert condition_holds(operator, key, written, version, context) is holds


def statement(effect: str = "Allow", **members: Any) -> dict[str, Any]:
    resource = {} if "NotResource" in members else {"Resource": "*"}
    action = {} if "NotAction" in members else {"Action": "*"}
    return {"Effect": effect, **action, **resource, **members}


def policy(*statements: dict[str, Any], version: str | None = NEW) -> Policy:
    return Policy("p", {"Statement": list(statements)} | ({"Version": version} if version else {}))


def policies(*statements: dict[str, Any]) -> PolicyList:
    return PolicyList((policy(*statements),) if statements else ())


def bucket(*statements: dict[str, Any], **members: Any) -> ResourceLayer:
    return ResourceLayer("bucket-policy", policies(*statements), **members)


def to(arn: str, effect: str = "Allow", **members: Any) -> dict[str, Any]:
    return statement(effect, Principal={"AWS": arn}, **members)


def decision(
    principal: Principal,
    *,
    same: bool = True,
    action: str = "s3:GetObject",
    resource: str = "arn:aws:s3:::b/key",
    context: dict[str, tuple[str, ...]] | None = None,
    bucket_policy: ResourceLayer | None = None,
    layers: tuple[ResourceLayer, ...] = (),
    **members: Any,
) -> Decision:
    request = AuthorizationRequest(principal, action, resource, RequestContext(context or {}))
    resource_layers = layers or (bucket_policy or bucket(),)
    return decide(request, PolicySet(Truth.of(same), resource=resource_layers, **members))


ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
ALL = policies(statement())
NOTHING = policies(statement(Action="sqs:*"))


@pytest.mark.parametrize(
    ("principal", "arn", "worth_boundary", "worth_session", "worth_identity"),
    [
        pytest.param(USER, USER_ARN, True, True, True, id="user"),
        pytest.param(FEDERATED, USER_ARN, False, False, True, id="user-of-federated"),
        pytest.param(SESSION, ROLE_ARN, False, False, True, id="role"),
        pytest.param(SESSION, SESSION_ARN, True, True, True, id="session"),
        pytest.param(FEDERATED, FEDERATED_ARN, True, True, True, id="federated"),
        pytest.param(USER, "*", True, True, True, id="everyone-user"),
        pytest.param(SESSION, "*", True, True, True, id="everyone-session"),
        pytest.param(USER, OURS, False, False, False, id="account-id"),
        pytest.param(SESSION, ROOT, False, False, False, id="account-root"),
        pytest.param(USER, f"arn:aws-cn:iam::{OURS}:root", False, False, False, id="other-partition"),
        pytest.param(USER, THEIRS, False, False, False, id="other-account"),
    ],
)
def test_worth_of_a_resource_policy_allow(
    principal: Principal, arn: str, worth_boundary: bool, worth_session: bool, worth_identity: bool
) -> None:
    """Each column: the Allow overcomes an implicit denial of that layer. Vectors 40 to 45 are among these."""
    grant = bucket(to(arn))
    session = policies(statement()) if principal is FEDERATED else None
    wanted = {True: ALLOWED, False: IMPLICIT}
    assert decision(principal, bucket_policy=grant, session=session) is wanted[worth_identity]
    assert decision(principal, bucket_policy=grant, session=session, boundary=NOTHING) is wanted[worth_boundary]
    assert decision(principal, bucket_policy=grant, session=NOTHING) is wanted[worth_session]
    assert decision(principal, bucket_policy=grant, session=session, identity=ALL) is ALLOWED
    assert decision(principal, bucket_policy=grant, session=session, scp=(NOTHING,)) is IMPLICIT
    for layer in ("boundary", "session", "identity"):
        deny: dict[str, Any] = {layer: policies(statement(), statement("Deny"))}
        assert decision(principal, bucket_policy=grant, **deny) is EXPLICIT


@pytest.mark.parametrize(
    ("result", "principal", "facts"),
    [
        pytest.param(ALLOWED, USER, {"bucket_policy": bucket(to(USER_ARN))}, id="40"),
        pytest.param(IMPLICIT, USER, {"bucket_policy": bucket(to(ROOT))}, id="41"),
        pytest.param(ALLOWED, BOUNDED_USER, {"bucket_policy": bucket(to(USER_ARN)), "boundary": NOTHING}, id="42"),
        pytest.param(IMPLICIT, SESSION, {"bucket_policy": bucket(to(ROLE_ARN)), "boundary": NOTHING}, id="43"),
        pytest.param(IMPLICIT, SESSION, {"bucket_policy": bucket(to(ROLE_ARN)), "session": NOTHING}, id="44"),
        pytest.param(ALLOWED, SESSION, {"bucket_policy": bucket(to(SESSION_ARN)), "session": NOTHING}, id="45"),
        pytest.param(IMPLICIT, USER, {"identity": ALL, "scp": (ALL, NOTHING, ALL)}, id="46"),
        pytest.param(ALLOWED, USER, {"identity": ALL, "scp": (ALL, ALL, ALL)}, id="46-all-levels"),
        pytest.param(IMPLICIT, USER, {"same": False, "bucket_policy": bucket(to("*"))}, id="47"),
        pytest.param(IMPLICIT, USER, {"same": False, "identity": ALL}, id="48"),
        pytest.param(ALLOWED, USER, {"same": False, "identity": ALL, "bucket_policy": bucket(to(ROOT))}, id="49"),
        pytest.param(ALLOWED, ANONYMOUS, {"same": False, "bucket_policy": bucket(to("*"))}, id="51"),
        pytest.param(IMPLICIT, ANONYMOUS, {"same": False, "bucket_policy": bucket(to(OURS))}, id="51-account-only"),
        pytest.param(ALLOWED, USER, {"identity": ALL, "scp": None}, id="52"),
        pytest.param(
            EXPLICIT,
            USER,
            {"same": False, "identity": ALL, "bucket_policy": bucket(to("*")), "rcp": (policies(to("*", "Deny")),)},
            id="53",
        ),
        pytest.param(
            ALLOWED,
            USER,
            {"same": False, "identity": ALL, "bucket_policy": bucket(to("*")), "rcp": (policies(), policies())},
            id="53-rcp-full-access-is-implied",
        ),
        pytest.param(
            IMPLICIT,
            USER,
            {
                "identity": policies(statement(Action="s3:*", Resource="arn:aws:s3:::b/*")),
                "action": "s3:ListBucket",
                "resource": "arn:aws:s3:::b",
            },
            id="54",
        ),
        pytest.param(ALLOWED, USER, {"identity": policies(statement(Action="s3:getobject"))}, id="55"),
        pytest.param(
            IMPLICIT,
            USER,
            {
                "identity": policies(statement(Action="s3:GetObject")),
                "action": "s3:ListBucket",
                "resource": "arn:aws:s3:::b",
            },
            id="55-list",
        ),
        pytest.param(
            IMPLICIT,
            USER,
            {"identity": policies(statement(Action="s3:GetObject")), "action": "s3:GetObjectVersion"},
            id="57",
        ),
        pytest.param(IMPLICIT, USER, {"identity": policies(statement(Action="s3:GetObjectVersion"))}, id="58"),
        pytest.param(
            EXPLICIT,
            USER,
            {
                "identity": policies(statement(), statement("Deny", Action="s3:DeleteObjectVersion")),
                "action": "s3:DeleteObjectVersion",
            },
            id="59",
        ),
        pytest.param(
            EXPLICIT,
            USER,
            {
                "identity": ALL,
                "action": "s3:PutObject",
                "bucket_policy": bucket(
                    to("*", "Deny", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}})
                ),
            },
            id="60",
        ),
        pytest.param(
            EXPLICIT,
            USER,
            {
                "identity": ALL,
                "bucket_policy": bucket(
                    to("*", "Deny", Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
                ),
            },
            id="61",
        ),
        pytest.param(IMPLICIT, FEDERATED, {"identity": ALL}, id="62"),
        pytest.param(ALLOWED, FEDERATED, {"identity": ALL, "session": ALL}, id="62-with-session-policy"),
        pytest.param(ALLOWED, FEDERATED, {"bucket_policy": bucket(to(FEDERATED_ARN))}, id="62-named"),
        pytest.param(
            IMPLICIT,
            FEDERATED,
            {"same": False, "identity": ALL, "bucket_policy": bucket(to(FEDERATED_ARN))},
            id="62-named-from-another-account",
        ),
        pytest.param(
            EXPLICIT,
            BOUNDED_SESSION,
            {
                "identity": ALL,
                "boundary": ALL,
                "bucket_policy": bucket(statement("Deny", NotPrincipal={"AWS": [ROLE_ARN, SESSION_ARN, ROOT]})),
            },
            id="63",
        ),
        pytest.param(
            ALLOWED,
            SESSION,
            {
                "identity": ALL,
                "bucket_policy": bucket(statement("Deny", NotPrincipal={"AWS": [ROLE_ARN, SESSION_ARN, ROOT]})),
            },
            id="63-without-boundary",
        ),
        pytest.param(
            EXPLICIT,
            USER,
            {"identity": ALL, "bucket_policy": bucket(statement("Deny", NotPrincipal={"AWS": THEIRS}))},
            id="63-not-listed",
        ),
        pytest.param(
            IMPLICIT,
            USER,
            {
                "identity": policies(statement(Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/*"])),
                "resource": f"arn:aws:s3:eu-west-1:{OURS}:accesspoint/ap/object/key",
            },
            id="64",
        ),
        pytest.param(
            IMPLICIT,
            USER,
            {"same": False, "identity": ALL, "bucket_policy": bucket(to(USER_ARN), deny_only=True)},
            id="65",
        ),
        pytest.param(
            ALLOWED,
            USER,
            {
                "same": False,
                "identity": ALL,
                "bucket_policy": bucket(to(USER_ARN), deny_only=True, other_grant=Grant(account=Truth.YES)),
            },
            id="65-object-acl",
        ),
        pytest.param(
            EXPLICIT,
            USER,
            {
                "identity": ALL,
                "bucket_policy": bucket(to(USER_ARN, "Deny"), deny_only=True, other_grant=Grant(direct=Truth.YES)),
            },
            id="65-deny",
        ),
        pytest.param(ALLOWED, ACCOUNT_ROOT, {}, id="root"),
        pytest.param(EXPLICIT, ACCOUNT_ROOT, {"scp": (ALL, policies(statement("Deny")))}, id="root-scp"),
        pytest.param(IMPLICIT, ACCOUNT_ROOT, {"vpc_endpoint": NOTHING}, id="root-endpoint"),
        pytest.param(IMPLICIT, ACCOUNT_ROOT, {"same": False}, id="root-foreign"),
        pytest.param(IMPLICIT, ACCOUNT_ROOT, {"resource_must_delegate": True}, id="root-locked-out-of-key"),
        pytest.param(
            ALLOWED,
            ACCOUNT_ROOT,
            {"resource_must_delegate": True, "bucket_policy": bucket(to(OURS))},
            id="root-key-delegates",
        ),
        pytest.param(IMPLICIT, USER, {"identity": ALL, "resource_must_delegate": True}, id="key-silent"),
        pytest.param(
            ALLOWED,
            USER,
            {"identity": ALL, "resource_must_delegate": True, "bucket_policy": bucket(to(ROOT))},
            id="key-delegates",
        ),
        pytest.param(
            IMPLICIT, USER, {"resource_must_delegate": True, "bucket_policy": bucket(to(ROOT))}, id="key-only-delegates"
        ),
        pytest.param(
            ALLOWED, USER, {"resource_must_delegate": True, "bucket_policy": bucket(to(USER_ARN))}, id="key-names-user"
        ),
        pytest.param(
            ALLOWED,
            SERVICE,
            {"same": False, "bucket_policy": bucket(statement(Principal={"Service": "logging.s3.amazonaws.com"}))},
            id="service",
        ),
        pytest.param(
            IMPLICIT,
            SERVICE,
            {"same": False, "bucket_policy": bucket(statement(Principal={"Service": "cloudtrail.amazonaws.com"}))},
            id="other-service",
        ),
        pytest.param(
            ALLOWED,
            SERVICE_LINKED,
            {
                "identity": ALL,
                "scp": (NOTHING, policies(statement("Deny"))),
                "rcp": (policies(to("*", "Deny")),),
                "boundary": NOTHING,
            },
            id="service-linked-role",
        ),
        pytest.param(IMPLICIT, USER, {"identity": ALL, "vpc_endpoint": policies(to(THEIRS))}, id="endpoint-of-others"),
        pytest.param(ALLOWED, USER, {"identity": ALL, "vpc_endpoint": policies(to(OURS))}, id="endpoint-of-ours"),
        pytest.param(
            IMPLICIT, USER, {"layers": (bucket(to(USER_ARN)), bucket())}, id="access-point-alone-is-not-enough"
        ),
        pytest.param(ALLOWED, USER, {"layers": (bucket(to(USER_ARN)), bucket(to("*")))}, id="access-point-and-bucket"),
        pytest.param(
            EXPLICIT,
            USER,
            {"identity": ALL, "layers": (bucket(to(USER_ARN)), bucket(to("*", "Deny")))},
            id="access-point-bucket-denies",
        ),
        pytest.param(
            ALLOWED,
            USER,
            {"bucket_policy": bucket(to("*", Resource="arn:aws:s3:::other/*"), resource="arn:aws:s3:::other/key")},
            id="own-resource-of-layer",
        ),
        pytest.param(
            ALLOWED,
            ANONYMOUS,
            {"same": False, "bucket_policy": bucket(statement(NotPrincipal={"AWS": ROOT}))},
            id="allow-notprincipal-grants-anonymous",
        ),
        pytest.param(
            ALLOWED,
            USER,
            {"identity": policies(statement(NotResource="arn:aws:s3:::b/*")), "resource": "*"},
            id="notresource-account-level",
        ),
        pytest.param(
            EXPLICIT,
            USER,
            {"identity": policies(statement(), statement("Deny", NotAction="s3:List*"))},
            id="notaction-deny",
        ),
        pytest.param(
            IMPLICIT,
            USER,
            {"identity": policies(statement(Resource="arn:aws:s3:::b/${aws:username}/*"))},
            id="resource-variable-without-value",
        ),
        pytest.param(
            ALLOWED,
            USER,
            {
                "identity": policies(statement(Resource="arn:aws:s3:::b/${aws:username}")),
                "context": {"aws:username": ("key",)},
            },
            id="resource-variable",
        ),
        pytest.param(IMPLICIT, USER, {"identity": policies(statement(Resource="arn:aws:s3:::B/*"))}, id="case"),
    ],
)
def test_decisions(result: Decision, principal: Principal, facts: dict[str, Any]) -> None:
    assert decision(principal, **facts) is result


def test_variables_are_literal_without_a_version() -> None:
    old = PolicyList((policy(statement(Resource="arn:aws:s3:::b/${aws:username}"), version=None),))
    assert decision(USER, identity=old, context={"aws:username": ("key",)}) is IMPLICIT
    assert decision(USER, identity=old, resource="arn:aws:s3:::b/${aws:username}") is ALLOWED


def test_possible_collects_the_decisions_of_all_completions() -> None:
    request = AuthorizationRequest(USER, "s3:GetObject", "arn:aws:s3:::b/key", RequestContext())
    sets = [PolicySet(Truth.YES, identity=identity) for identity in (ALL, NOTHING, policies(statement("Deny")))]
    assert possible((request, policies) for policies in sets[:2]) == {ALLOWED, IMPLICIT}
    assert possible((request, policies) for policies in sets) == {ALLOWED, IMPLICIT, EXPLICIT}

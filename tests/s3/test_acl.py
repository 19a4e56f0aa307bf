"""ACL grants: actions, grantees, groups; and requests that carry a public ACL.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

import pytest

from denyproxy.iam.layers import Grant
from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.acl import grant_by_acl, requests_public_acl
from denyproxy.s3.request import S3Request
from denyproxy.s3.snapshot import AclGrant

YES, NO, MAYBE = Truth.YES, Truth.NO, Truth.UNKNOWN
ALICE = Principal(PrincipalType.USER, "arn:aws:iam::111122223333:user/alice", "111122223333")
CANONICAL = "c" * 64

TABLE = {
    "READ": {
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "s3:GetObject",
        "s3:GetObjectVersion",
    },
    "WRITE": {"s3:PutObject"},
    "READ_ACP": {"s3:GetBucketAcl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
    "WRITE_ACP": {"s3:PutBucketAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
}
NOT_GRANTABLE = {"s3:GetObjectTagging", "s3:GetObjectAttributes", "s3:PutObjectTagging", "s3:PutObjectRetention"}
ALL = set().union(*TABLE.values()) | NOT_GRANTABLE


@pytest.mark.parametrize("permission", TABLE)
@pytest.mark.parametrize("action", sorted(ALL))
def test_a_permission_grants_its_actions_and_no_other(permission: str, action: str) -> None:
    grants = (AclGrant("111122223333", permission),)
    granted = grant_by_acl(action, grants, ALICE, UNKNOWN)
    assert granted == Grant(account=Truth.of(action in TABLE[permission]))


@pytest.mark.parametrize("action", sorted(ALL))
def test_full_control_grants_all_that_an_acl_can(action: str) -> None:
    granted = grant_by_acl(action, (AclGrant("111122223333", "FULL_CONTROL"),), ALICE, UNKNOWN)
    assert granted.account is Truth.of(action not in NOT_GRANTABLE)


@pytest.mark.parametrize(
    ("grantee", "principal", "expected"),
    [
        ("AllUsers", ALICE, Grant(direct=YES)),
        ("AllUsers", ANONYMOUS, Grant(direct=YES)),
        ("AuthenticatedUsers", ALICE, Grant(direct=YES)),
        ("AuthenticatedUsers", ANONYMOUS, Grant()),
        ("LogDelivery", ALICE, Grant()),
        ("444455556666", ALICE, Grant()),
        (CANONICAL, ALICE, Grant(account=YES)),
        ("d" * 64, ALICE, Grant()),
        (CANONICAL, ANONYMOUS, Grant()),
    ],
)
def test_grantees(grantee: str, principal: Principal, expected: Grant) -> None:
    assert grant_by_acl("s3:GetObject", (AclGrant(grantee, "READ"),), principal, CANONICAL) == expected


def test_a_canonical_id_that_nobody_knows_may_be_the_callers() -> None:
    granted = grant_by_acl("s3:GetObject", (AclGrant(CANONICAL, "READ"),), ALICE, UNKNOWN)
    assert granted == Grant(account=MAYBE)


def test_ignored_public_grants_leave_the_others() -> None:
    grants = (AclGrant("AllUsers", "READ"), AclGrant("111122223333", "READ"))
    assert grant_by_acl("s3:GetObject", grants, ALICE, UNKNOWN, ignore_public=True) == Grant(account=YES)
    assert grant_by_acl("s3:GetObject", grants, ANONYMOUS, UNKNOWN, ignore_public=True) == Grant()


def test_an_acl_that_is_not_known_may_grant_but_only_what_acls_can() -> None:
    assert grant_by_acl("s3:GetObject", UNKNOWN, ALICE, CANONICAL).direct is MAYBE
    assert grant_by_acl("s3:GetObjectTagging", UNKNOWN, ALICE, CANONICAL) == Grant()


def document(uri: str) -> bytes:
    return (
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><AccessControlList><Grant><Grantee>'
        f"<URI>{uri}</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
    ).encode()


ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.mark.parametrize(
    ("operation", "headers", "body", "expected"),
    [
        ("PutObject", {"x-amz-acl": "public-read"}, None, YES),
        ("PutObject", {"x-amz-acl": "public-read-write"}, None, YES),
        ("PutObject", {"x-amz-acl": "authenticated-read"}, None, YES),
        ("PutObject", {"x-amz-acl": "bucket-owner-full-control"}, None, NO),
        ("PutObject", {"x-amz-acl": "private"}, None, NO),
        ("PutObject", {}, None, NO),
        ("PutObject", {"x-amz-grant-read": f'uri="{ALL_USERS}"'}, None, YES),
        ("PutObject", {"x-amz-grant-read": 'id="abc"'}, None, NO),
        ("PutObjectAcl", {}, document(ALL_USERS), YES),
        ("PutObjectAcl", {}, document("http://acs.amazonaws.com/groups/s3/LogDelivery"), NO),
        ("PutBucketAcl", {}, None, MAYBE),
        ("PutBucketAcl", {"x-amz-acl": "private"}, None, NO),
        ("PutBucketAcl", {"x-amz-grant-read": 'id="abc"'}, None, NO),
        ("PutBucketAcl", {}, b"<not xml", NO),
    ],
)
def test_requests_with_a_public_acl(
    operation: str, headers: dict[str, str], body: bytes | None, expected: Truth
) -> None:
    request = S3Request(operation, "PUT", bucket="b", key="k", headers=headers, body=body)
    assert requests_public_acl(request) is expected

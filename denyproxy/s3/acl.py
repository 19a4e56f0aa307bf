"""Access control lists: what a grant is worth as an action, and whom it reaches.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from denyproxy.iam.layers import Grant
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.request import S3Request
from denyproxy.s3.snapshot import AclGrant
from denyproxy.s3.xml import descendants, parse_xml

PUBLIC_GROUPS = frozenset({"AllUsers", "AuthenticatedUsers"})

BUCKET_PERMISSIONS: Mapping[str, str] = {
    "s3:listbucket": "READ",
    "s3:listbucketversions": "READ",
    "s3:listbucketmultipartuploads": "READ",
    "s3:putobject": "WRITE",
    "s3:getbucketacl": "READ_ACP",
    "s3:putbucketacl": "WRITE_ACP",
}
"""Action (lower case) -> the permission in the bucket's ACL that grants it."""

OBJECT_PERMISSIONS: Mapping[str, str] = {
    "s3:getobject": "READ",
    "s3:getobjectversion": "READ",
    "s3:getobjectacl": "READ_ACP",
    "s3:getobjectversionacl": "READ_ACP",
    "s3:putobjectacl": "WRITE_ACP",
    "s3:putobjectversionacl": "WRITE_ACP",
}
"""Action (lower case) -> the permission in the object's ACL that grants it. Anything else no ACL can grant."""

_CANNED_PUBLIC = frozenset({"public-read", "public-read-write", "authenticated-read"})
_GRANT_HEADERS = (
    "x-amz-grant-read",
    "x-amz-grant-write",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-grant-full-control",
)


def needed_permission(action: str) -> str | None:
    """The ACL permission that would grant an action, or None: no ACL can."""
    action = action.lower()
    return BUCKET_PERMISSIONS.get(action) or OBJECT_PERMISSIONS.get(action)


def grant_by_acl(
    action: str,
    grants: Iterable[AclGrant] | Unknown,
    principal: Principal,
    canonical_id: str | Unknown,
    *,
    ignore_public: bool = False,
) -> Grant:
    """What an ACL's grants are worth to a principal for an action.

    A grant to a group counts like `Principal: "*"`, one to an account like naming the account: its users and roles
    still need their identity policy. `canonical_id` is that of the principal's account."""
    permission = needed_permission(action)
    if permission is None:
        return Grant()
    if grants is UNKNOWN:
        return Grant(direct=Truth.UNKNOWN, issuer=Truth.NO, account=Truth.UNKNOWN)
    direct = account = Truth.NO
    for grant in grants:
        if grant.permission not in (permission, "FULL_CONTROL"):
            continue
        if grant.grantee in PUBLIC_GROUPS:
            if not ignore_public and (grant.grantee == "AllUsers" or principal.type is not PrincipalType.ANONYMOUS):
                direct = Truth.YES
        elif principal.account is not None:
            account = max(account, _is_account(grant.grantee, principal.account, canonical_id))
    return Grant(direct=direct, account=account)


def _is_account(grantee: str, account: str, canonical_id: str | Unknown) -> Truth:
    if grantee == account:
        return Truth.YES
    if len(grantee) == 12 and grantee.isdigit():
        return Truth.NO
    if canonical_id is UNKNOWN:
        return Truth.UNKNOWN
    return Truth.of(grantee == canonical_id)


def requests_public_acl(request: S3Request) -> Truth:
    """Does the request carry an ACL (canned, grant headers or body) that grants to AllUsers or AuthenticatedUsers?"""
    canned = request.header("x-amz-acl")
    if canned is not None and canned.strip().lower() in _CANNED_PUBLIC:
        return Truth.YES
    for name in _GRANT_HEADERS:
        value = request.header(name)
        if value is not None and _names_public_group(value):
            return Truth.YES
    if request.operation in ("PutBucketAcl", "PutObjectAcl") and canned is None:
        if any(request.header(name) is not None for name in _GRANT_HEADERS):
            return Truth.NO
        if request.body is None:
            return Truth.UNKNOWN
        return Truth.of(_names_public_group(_uris(request.body)))
    return Truth.NO


def _names_public_group(text: str) -> bool:
    return "groups/global/AllUsers" in text or "groups/global/AuthenticatedUsers" in text


def _uris(body: bytes) -> str:
    """The text of all URI elements of an AccessControlPolicy document; of one that is not XML, nothing."""
    return " ".join(element.text or "" for element in descendants(parse_xml(body), "URI"))

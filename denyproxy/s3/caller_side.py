"""The side of the caller: whose policies count for whom S3 saw."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.s3.snapshot import PolicySnapshot, PrincipalFacts

_NOBODY = PrincipalFacts("", identity=PolicyList(), boundary=None, session=None, tags={})
_CLOUDFRONT = "cloudfront"
"""Account in the ARN of an origin access identity. Only the resource's side is asked for it.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html"""
_ALL = Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, name="CloudFront")
_OWN_IDENTITY = replace(_NOBODY, identity=PolicyList((_ALL,)))
_NO_IDENTITY = frozenset({PrincipalType.ANONYMOUS, PrincipalType.SERVICE, PrincipalType.ROOT})


class CallerSide(NamedTuple):
    """The policies on the caller's side, as a PolicySet begins."""

    identity: PolicyList
    boundary: PolicyList | None
    session: PolicyList | None
    scp: tuple[PolicyList, ...] | None


def caller_side(principal: Principal, snapshot: PolicySnapshot) -> CallerSide:
    """What bears on a caller from its own side."""
    if principal.account == _CLOUDFRONT:
        facts = _OWN_IDENTITY
    elif principal.type in _NO_IDENTITY:
        facts = _NOBODY
    elif principal.type is PrincipalType.UNKNOWN:
        facts = PrincipalFacts("")
    else:
        arn = principal.arn if principal.type is PrincipalType.USER else principal.issuer or principal.arn
        facts = snapshot.principal(arn or "")
    scp = snapshot.account(principal.account).scp if is_of_account(principal) else None
    return CallerSide(facts.identity, facts.boundary, facts.session, scp)


def is_of_account(principal: Principal) -> bool:
    """Is there an account of a customer behind a caller? Not behind nobody, a service of AWS, or CloudFront."""
    outside = principal.type in (PrincipalType.ANONYMOUS, PrincipalType.SERVICE)
    return not outside and principal.account != _CLOUDFRONT


def uses_kms(principal: Principal) -> bool:
    """Can a key's policy allow it anything? KMS knows no unsigned requests, nor CloudFront's origin access identities.

    https://repost.aws/knowledge-center/s3-website-cloudfront-error-403"""
    return principal.type is not PrincipalType.ANONYMOUS and principal.account != _CLOUDFRONT

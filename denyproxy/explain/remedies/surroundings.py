"""Condition keys that are no header fields or query parameters: who can give them another value. One row a key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from denyproxy.explain.addresses import is_source
from denyproxy.explain.prose.request_remedies import ACCESS_POINT, ATTESTED, SOURCE_IDENTITY
from denyproxy.explain.remedies.part import Owner
from denyproxy.iam.context import RequestContext


@dataclass(frozen=True, slots=True)
class Surrounding:
    """How a key comes to another value."""

    owner: Owner = "caller"
    within_reach: bool = True
    """Can whoever is denied be expected to do so? Otherwise a change of the policy is proposed as well."""
    excepts: bool = False
    """Does a Deny with other conditions only make an exception of it? Then it is out of reach there."""
    values: tuple[str, ...] = ()
    """Values that it can have, where no policy names one."""
    only: frozenset[str] | None = None
    """The only values that it can be told to have."""
    start: str = ""
    """How all its values begin."""
    can_be: Callable[[str, RequestContext], bool] | None = None
    """Can a request have this value, judged by the context that this one has?"""
    operations: frozenset[str] = frozenset()
    """The only operations of which it depends on the request; empty: all."""
    also: Mapping[str, str | None] = field(default_factory=dict)
    """Keys (lower case) that change along with it."""
    equal: tuple[str, ...] = ()
    """Keys (lower case) that then have the same value."""
    open: str = ""
    """What has to be so for it to help, and nobody here knows."""
    attests: bool = False
    """It states a fact, which is not to be stated for the sake of a request."""


_THROUGH_ENDPOINT: Mapping[str, str | None] = {"aws:sourceip": None}
WITHOUT_ENDPOINT: Mapping[str, str | None] = {
    "aws:sourcevpce": None,
    "aws:sourcevpc": None,
    "aws:vpcsourceip": None,
}
"""Keys (lower case) that only a request through a VPC endpoint has."""
OF_CREDENTIALS = frozenset(
    {"aws:multifactorauthpresent", "aws:multifactorauthage", "aws:tokenissuetime", "ec2:roledelivery"}
)
"""Keys (lower case) that the caller's credentials bring with them, whoever sends the request."""
_OUT_OF_REACH = Surrounding(within_reach=False)
_TAGS_OF_RESOURCE = Surrounding("bucket owner", within_reach=False, open=ATTESTED, attests=True)
_ACCESS_POINT = Surrounding(open=ACCESS_POINT)
_OF_MACHINES = ("ec2:SourceInstanceARN", "ec2:RoleDelivery", "lambda:SourceFunctionArn")
"""Keys of requests with the credentials that AWS gives to an instance or a function, which nobody gets with MFA."""


def _is_of_a_person(value: str, context: RequestContext) -> bool:
    return not any(isinstance(context.lookup(key), tuple) for key in _OF_MACHINES)


_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "ap-northeast-1")
_CREATED_IN = Surrounding(
    values=_REGIONS,
    operations=frozenset({"CreateBucket"}),
    equal=("aws:requestedregion", "s3:locationconstraint"),
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html: us-east-1 is no valid value.
_CONSTRAINED_TO = replace(_CREATED_IN, can_be=lambda value, _: value != "us-east-1")
# What a header says of a new object is in the body here.
_RETAINS = frozenset({"PutObjectRetention"})
_MODES = ("GOVERNANCE", "COMPLIANCE")


def _is_of_role(value: str, context: RequestContext) -> bool:
    """Whoever assumes a role sets it, and nobody else has one."""
    return context.lookup("aws:principaltype") == ("AssumedRole",)


SURROUNDINGS: Mapping[str, Surrounding] = {
    "aws:securetransport": Surrounding(values=("true",), only=frozenset({"true"})),
    "s3:tlsversion": Surrounding(values=("1.2", "1.3"), only=frozenset({"1.2", "1.3"})),
    "aws:multifactorauthpresent": Surrounding(values=("true",), only=frozenset({"true"}), can_be=_is_of_a_person),
    "aws:multifactorauthage": Surrounding(values=("0",), can_be=_is_of_a_person),
    "aws:tokenissuetime": Surrounding(),
    "aws:calledvia": Surrounding(excepts=True, also={"aws:viaawsservice": "true"}),
    "aws:sourceidentity": Surrounding(within_reach=False, values=("?",), can_be=_is_of_role, open=SOURCE_IDENTITY),
    "ec2:roledelivery": Surrounding(values=("2.0",), only=frozenset({"2.0"})),
    "aws:sourcevpce": Surrounding(start="vpce-", also=_THROUGH_ENDPOINT),
    "aws:sourcevpc": Surrounding(start="vpc-", also=_THROUGH_ENDPOINT),
    "aws:vpcsourceip": _OUT_OF_REACH,
    "aws:sourceip": Surrounding(within_reach=False, can_be=is_source),
    "s3:authtype": Surrounding(values=("REST-HEADER", "REST-QUERY-STRING")),
    "s3:signatureversion": Surrounding(values=("AWS4-HMAC-SHA256",)),
    "s3:signatureage": Surrounding(values=("0",)),
    "s3:x-amz-content-sha256": Surrounding(values=("STREAMING-AWS4-HMAC-SHA256-PAYLOAD",)),
    "s3:dataaccesspointarn": _ACCESS_POINT,
    "s3:dataaccesspointaccount": _ACCESS_POINT,
    "s3:accesspointnetworkorigin": _ACCESS_POINT,
    "aws:requestedregion": _CREATED_IN,
    "s3:locationconstraint": _CONSTRAINED_TO,
    "s3:object-lock-mode": Surrounding(values=_MODES, only=frozenset(_MODES), operations=_RETAINS),
    "s3:object-lock-remaining-retention-days": Surrounding(operations=_RETAINS),
    "aws:principaltag": Surrounding("identity admin", within_reach=False, open=ATTESTED, attests=True),
    "s3:existingobjecttag": _TAGS_OF_RESOURCE,
    "s3:buckettag": _TAGS_OF_RESOURCE,
    "aws:resourcetag": _TAGS_OF_RESOURCE,
}
"""Condition key, or its family (lower case) -> how it changes."""


def can_be(row: Surrounding, value: str | None, context: RequestContext) -> bool:
    """Can it be told to have this value?"""
    if row.only is not None and value not in row.only:
        return False
    if not (value or "").startswith(row.start):
        return False
    return row.can_be is None or value is None or row.can_be(value, context)


def surrounding(key: str) -> Surrounding | None:
    """The row of a key (lower case)."""
    return SURROUNDINGS.get(key) or SURROUNDINGS.get(key.partition("/")[0])

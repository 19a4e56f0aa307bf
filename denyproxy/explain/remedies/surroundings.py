"""Condition keys that are not fields of the request: who can give them another value. One row a key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from denyproxy.explain.remedies.part import Owner


@dataclass(frozen=True, slots=True)
class Surrounding:
    """How a key comes to another value."""

    owner: Owner = "caller"
    within_reach: bool = True
    """Can whoever is denied be expected to do so? Otherwise a change of the policy is proposed as well."""
    values: tuple[str, ...] = ()
    """Values that it can have, where no policy names one."""
    also: Mapping[str, str | None] = field(default_factory=dict)
    """Keys (lower case) that change along with it."""


_THROUGH_ENDPOINT: Mapping[str, str | None] = {"aws:sourceip": None}
_OUT_OF_REACH = Surrounding(within_reach=False)
_TAGS_OF_RESOURCE = Surrounding("bucket owner", within_reach=False)

SURROUNDINGS: Mapping[str, Surrounding] = {
    "aws:securetransport": Surrounding(values=("true",)),
    "s3:tlsversion": Surrounding(values=("1.3",)),
    "aws:multifactorauthpresent": Surrounding(values=("true",)),
    "aws:multifactorauthage": Surrounding(values=("0",)),
    "aws:tokenissuetime": Surrounding(),
    "aws:sourcevpce": Surrounding(also=_THROUGH_ENDPOINT),
    "aws:sourcevpc": Surrounding(also=_THROUGH_ENDPOINT),
    "aws:vpcsourceip": _OUT_OF_REACH,
    "aws:sourceip": _OUT_OF_REACH,
    "s3:authtype": Surrounding(values=("REST-HEADER", "REST-QUERY-STRING")),
    "s3:signatureversion": Surrounding(values=("AWS4-HMAC-SHA256",)),
    "s3:signatureage": Surrounding(values=("0",)),
    "s3:x-amz-content-sha256": Surrounding(values=("STREAMING-AWS4-HMAC-SHA256-PAYLOAD",)),
    "s3:dataaccesspointarn": Surrounding(),
    "s3:dataaccesspointaccount": Surrounding(),
    "s3:accesspointnetworkorigin": Surrounding(),
    "aws:principaltag": Surrounding("identity admin", within_reach=False),
    "s3:existingobjecttag": _TAGS_OF_RESOURCE,
    "s3:buckettag": _TAGS_OF_RESOURCE,
    "aws:resourcetag": _TAGS_OF_RESOURCE,
}
"""Condition key, or its family (lower case) -> how it changes."""


def surrounding(key: str) -> Surrounding | None:
    """The row of a key (lower case)."""
    return SURROUNDINGS.get(key) or SURROUNDINGS.get(key.partition("/")[0])

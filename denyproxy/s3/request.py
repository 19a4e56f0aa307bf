"""The values of the S3 package: what a call asked for, who asked, and what therefore had to be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from denyproxy.iam.principal import Principal
from denyproxy.iam.truth import Truth
from denyproxy.s3.arn import Arn


class KnownBy(StrEnum):
    """How the principal became known."""

    ACCESS_KEYS = "access-keys"
    SETTINGS = "settings"
    IAM = "iam"
    UPSTREAM_MESSAGE = "upstream-message"
    PROXY_CREDENTIALS = "proxy-credentials"
    DECLARED = "declared"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom S3 saw."""

    principal: Principal
    known_by: KnownBy
    access_key_id: str | None = None
    auth_type: str | None = None
    """REST-HEADER, REST-QUERY-STRING or POST, as in s3:authType; None: not signed."""
    signature_version: str | None = None
    """AWS4-HMAC-SHA256, AWS4-ECDSA-P256-SHA256 or AWS, as in s3:signatureversion; None: not signed."""
    temporary: Truth = Truth.UNKNOWN
    """Temporary credentials (a session token was sent, or the key id starts with ASIA)?"""


@dataclass(frozen=True, slots=True)
class CopySource:
    """A parsed x-amz-copy-source."""

    bucket: str
    """Bucket name, or the ARN of an access point."""
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class S3Request:
    """A call in S3's own terms, decoded."""

    operation: str | None
    """Name in botocore's S3 model, or PostObject, OptionsPreflight, WebsiteEndpointGet; None: not recognised."""
    method: str
    bucket: str | None = None
    """Bucket name; of the access point's underlying bucket, if one was used and the snapshot knows it."""
    key: str | None = None
    access_point: str | None = None
    """ARN of the access point through which the request came."""
    region: str | None = None
    """Of the endpoint or the credential scope."""
    partition: str = "aws"
    endpoint: str = "rest"
    """Kind of host: rest, website, access-point, object-lambda, express, express-control, control or outposts."""
    global_endpoint: bool = False
    """The host names no region (s3.amazonaws.com, s3-accelerate): the bucket's own region may differ."""
    alias: str | None = None
    """Access point alias whose ARN is not known."""
    vpc_endpoint: str | None = None
    """Id of the VPC endpoint that the host names."""
    query: tuple[tuple[str, str], ...] = ()
    """Decoded, in order; signing parameters included."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case name -> value; x-amz-* that a presigned URL carries in its query included."""
    copy_source: CopySource | None = None
    body: bytes | None = None
    """None: not kept."""
    time: datetime | None = None
    """Aware UTC: when S3 evaluated it."""
    signed_time: datetime | None = None
    """Aware UTC: X-Amz-Date or Date."""
    signed_headers: frozenset[str] | None = None
    """Lower-case names in SigV4's SignedHeaders; None: not signed with SigV4, or not known."""
    sent_headers: frozenset[str] = frozenset()
    """Lower-case names of the header fields on the wire (`headers` also has those of a presigned query)."""

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter (exact case), or None: not sent."""
        for parameter, value in self.query:
            if parameter == name:
                return value
        return None

    def header(self, name: str) -> str | None:
        """The value of a header field (any case), or None: not sent."""
        return self.headers.get(name.lower())


class Role(StrEnum):
    """What a missing permission does."""

    GATE = "gate"
    GATE_PER_KEY = "gate_per_key"
    KMS = "kms"
    FILTER = "filter"
    DENY_ONLY = "deny_only"


class Requirement(NamedTuple):
    """One action on one resource that an operation needs."""

    action: str
    resource: str
    """ARN. Through an access point: the access point's ARN."""
    role: Role = Role.GATE
    needed: Truth = Truth.YES
    """UNKNOWN: whether S3 asks for it depends on facts that are not known (is the object encrypted with KMS?)."""
    bucket: str | None = None
    """Name of the bucket concerned, for bucket and object resources."""
    key: str | None = None
    version_id: str | None = None
    via_access_point: str | None = None
    """ARN of the access point, if this requirement is authorized on one."""
    bucket_resource: str | None = None
    """With via_access_point: the bucket's or object's own ARN, under which the bucket policy is evaluated."""
    source: bool = False
    """Concerns the source of a copy."""
    kms_key: str | None = None
    conflict: str | None = None
    """Sources disagree on whether it is needed: say "likely", not "certain"."""
    caller_only: bool = False
    """Across accounts only the caller's own side has to allow it; a Deny counts on both."""
    facts: tuple[str, ...] = ()
    """The facts that would tell whether it is needed, where that is UNKNOWN; empty: they have no name."""


def is_on_unknown(requirement: Requirement) -> bool:
    """Is it not known which resource it is on (a KMS key, an access point)? Its ARN then says no more than the kind."""
    arn = Arn.parse(requirement.resource)
    return arn is not None and arn.account == "*"

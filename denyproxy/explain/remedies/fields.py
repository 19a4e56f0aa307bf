"""Condition keys that are fields of the request, which the caller sets. One row a key.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from denyproxy.iam.literals import read_number
from denyproxy.s3.request import S3Request
from denyproxy.sigv4.wire import utc_text

_NEW_OBJECT = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload", "PostObject"})
_ACL = _NEW_OBJECT | {"PutObjectAcl", "PutBucketAcl", "CreateBucket"}
_LISTINGS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})


@dataclass(frozen=True, slots=True)
class Field:
    """A header field or a query parameter behind a condition key."""

    name: str
    operations: frozenset[str]
    """Operations that take it; empty: all."""
    values: tuple[str, ...] = ()
    """Common values, where no policy names one."""
    query: bool = False
    removable: bool = True
    """Does the request still ask for the same without it?"""
    only: frozenset[str] | None = None
    """The only values that leave the request what it is; of what it does not do without, one that has no other."""
    taken: frozenset[str] | None = None
    """The only values that S3 takes; None: any."""
    partner: str = ""
    """The header that S3 takes only together with it."""
    written: Callable[[str, S3Request], str | None] | None = None
    """The field, for a value of the key that is drawn from it; None: there is none. Only where it is sent already."""


def _in_days(days: str, request: S3Request) -> str | None:
    """The date after so many days."""
    number = read_number(days)
    if number is None or not 0 < number < _LONGEST or request.time is None:
        return None
    return utc_text(request.time.replace(microsecond=0) + timedelta(days=float(number)))


_LONGEST = 36_500
"""Days. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html"""

_CANNED = frozenset(
    {
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    }
)
_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "GLACIER_IR",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "SNOW",
        "EXPRESS_ONEZONE",
    }
)
_LOCK_MODE, _LOCK_UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"

FIELDS: Mapping[str, Field] = {
    "s3:x-amz-acl": Field("x-amz-acl", _ACL, ("bucket-owner-full-control", "private"), taken=_CANNED),
    **{
        f"s3:{name}": Field(name, _ACL)
        for name in (
            "x-amz-grant-read",
            "x-amz-grant-write",
            "x-amz-grant-read-acp",
            "x-amz-grant-write-acp",
            "x-amz-grant-full-control",
        )
    },
    "s3:x-amz-server-side-encryption": Field(
        "x-amz-server-side-encryption",
        _NEW_OBJECT,
        ("AES256", "aws:kms"),
        taken=frozenset({"AES256", "aws:kms", "aws:kms:dsse"}),
    ),
    "s3:x-amz-server-side-encryption-aws-kms-key-id": Field("x-amz-server-side-encryption-aws-kms-key-id", _NEW_OBJECT),
    "s3:x-amz-server-side-encryption-customer-algorithm": Field(
        "x-amz-server-side-encryption-customer-algorithm", _NEW_OBJECT | {"UploadPart"}, only=frozenset()
    ),
    "s3:x-amz-storage-class": Field("x-amz-storage-class", _NEW_OBJECT, ("STANDARD",), taken=_CLASSES),
    "s3:x-amz-website-redirect-location": Field("x-amz-website-redirect-location", _NEW_OBJECT, only=frozenset()),
    "s3:x-amz-object-ownership": Field(
        "x-amz-object-ownership",
        frozenset({"CreateBucket"}),
        ("BucketOwnerEnforced",),
        taken=frozenset({"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"}),
    ),
    "s3:x-amz-metadata-directive": Field(
        "x-amz-metadata-directive",
        frozenset({"CopyObject", "CreateMultipartUpload"}),
        ("COPY", "REPLACE"),
        taken=frozenset({"COPY", "REPLACE"}),
    ),
    "s3:object-lock-mode": Field(
        _LOCK_MODE, _NEW_OBJECT, taken=frozenset({"GOVERNANCE", "COMPLIANCE"}), partner=_LOCK_UNTIL
    ),
    "s3:object-lock-remaining-retention-days": Field(
        _LOCK_UNTIL, _NEW_OBJECT, removable=False, written=_in_days, partner=_LOCK_MODE
    ),
    "s3:object-lock-legal-hold": Field("x-amz-object-lock-legal-hold", _NEW_OBJECT, taken=frozenset({"ON", "OFF"})),
    "s3:if-none-match": Field("if-none-match", frozenset({"PutObject", "CompleteMultipartUpload"}), ("*",)),
    "aws:referer": Field("referer", frozenset()),
    "s3express:sessionmode": Field(
        "x-amz-create-session-mode",
        frozenset({"CreateSession"}),
        removable=False,
        taken=frozenset({"ReadOnly", "ReadWrite"}),
    ),
    # Another prefix asks for other keys; an empty one for the same as none.
    "s3:prefix": Field("prefix", _LISTINGS, ("",), query=True, removable=False, only=frozenset({""})),
    "s3:delimiter": Field("delimiter", _LISTINGS, ("/",), query=True, removable=False),
    "s3:max-keys": Field("max-keys", _LISTINGS, query=True),
}
"""Condition key (lower case) -> the field."""

REQUEST_TAG = "s3:requestobjecttag/"
TAG_KEYS = "s3:requestobjecttagkeys"
TAGGING = Field("x-amz-tagging", _NEW_OBJECT)


def field_of(key: str, operation: str | None) -> Field | None:
    """The field behind a condition key (lower case), if the operation takes it."""
    found = TAGGING if key.startswith(REQUEST_TAG) else FIELDS.get(key)
    takes = found is not None and (not found.operations or operation in found.operations)
    return found if takes else None

"""What each S3 operation has to be allowed: actions, on what, and when. Data only.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from denyproxy.s3.request import Role
from denyproxy.s3.scene import (
    When,
    always,
    body_has,
    both,
    either,
    header,
    header_is,
    no,
    perhaps,
    query,
    source_has_tags,
    source_has_version,
    unversioned_bucket,
)


class Target(Enum):
    """On what an action is authorized."""

    SERVICE = auto()
    """`*`"""
    ALL_BUCKETS = auto()
    """`arn:aws:s3:::*`, the resource of s3:ListAllMyBuckets."""
    BUCKET = auto()
    OBJECT = auto()
    SOURCE = auto()
    """The object that is copied."""
    LISTED_OBJECTS = auto()
    """The objects of a DeleteObjects body that are named without a version,"""
    LISTED_VERSIONS = auto()
    """with a version,"""
    LISTED = auto()
    """and all of them."""
    OBJECT_KEY = auto()
    """The KMS key of the stored object,"""
    NEW_KEY = auto()
    """the one under which a new object is to be encrypted,"""
    UPLOAD_KEY = auto()
    """of a multipart upload,"""
    SOURCE_KEY = auto()
    """of the object that is copied,"""
    BODY_KEY = auto()
    """and the one that the request's body names."""
    TABLE_BUCKET = auto()
    """S3 Tables: the bucket of the metadata tables."""
    BODY_ROLE = auto()
    """The IAM role that the request's body names."""


@dataclass(frozen=True, slots=True)
class Row:
    """One action that an operation needs."""

    action: str
    target: Target
    when: When = always
    role: Role = Role.GATE
    conflict: str | None = None
    """Where AWS's own pages disagree: how."""
    caller_only: bool = False
    """Across accounts only the caller's own side has to allow it; a Deny counts on both."""


_VERSION = query("versionId")
_ACL_HEADERS = (
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
)
_HARMLESS_ACL = header_is("x-amz-acl", "private", "bucket-owner-full-control")
_BYPASS = header_is("x-amz-bypass-governance-retention", "true")
_REPLACES_TAGS = header_is("x-amz-tagging-directive", "REPLACE")
_COPIES_TAGS = both(source_has_tags, no(_REPLACES_TAGS))
_LOCKS_NEW_BUCKET = header_is("x-amz-bucket-object-lock-enabled", "true")
_DOCUMENTED_ELSEWHERE = "the S3 User Guide and the API reference name different KMS actions for parts"


def _by_version(action: str, version_action: str, conflict: str | None = None) -> tuple[Row, ...]:
    return (
        Row(action, Target.OBJECT, no(_VERSION), conflict=conflict),
        Row(version_action, Target.OBJECT, _VERSION, conflict=conflict),
    )


def _kms(action: str, target: Target, conflict: str | None = None, when: When = always) -> Row:
    return Row(action, target, when, Role.KMS, conflict)


_PUT = Row("s3:PutObject", Target.OBJECT)
_NEW_OBJECT = (
    Row(
        "s3:PutObjectAcl",
        Target.OBJECT,
        # A write with one of these two was seen to succeed without the permission: never a sure cause.
        either(both(header("x-amz-acl"), no(_HARMLESS_ACL)), perhaps(header("x-amz-acl")), header(*_ACL_HEADERS)),
        # AWS's example policies for uploads from other accounts grant s3:PutObject alone, with a condition on the ACL.
        caller_only=True,
    ),
    Row("s3:PutObjectTagging", Target.OBJECT, either(header("x-amz-tagging"), _COPIES_TAGS)),
    Row(
        "s3:PutObjectRetention",
        Target.OBJECT,
        either(
            header("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"),
            perhaps(
                header(
                    "x-amz-object-lock-event-hold",
                    "x-amz-object-lock-event-hold-duration-days",
                    "x-amz-object-lock-event-hold-duration-years",
                )
            ),
        ),
    ),
    Row("s3:PutObjectLegalHold", Target.OBJECT, header("x-amz-object-lock-legal-hold")),
    _kms("kms:GenerateDataKey", Target.NEW_KEY),
)
_COMPARES_ETAG = Row("s3:GetObject", Target.OBJECT, header("if-match"))
_READ_SOURCE = (
    Row("s3:GetObject", Target.SOURCE, no(source_has_version)),
    Row("s3:GetObjectVersion", Target.SOURCE, source_has_version),
    _kms("kms:Decrypt", Target.SOURCE_KEY),
)
_PART_KEY = (
    _kms("kms:GenerateDataKey", Target.UPLOAD_KEY, _DOCUMENTED_ELSEWHERE),
    _kms("kms:Decrypt", Target.UPLOAD_KEY, _DOCUMENTED_ELSEWHERE),
)
_READ = _by_version("s3:GetObject", "s3:GetObjectVersion")
_HEADERS_SHOWN = (
    Row("s3:GetObjectTagging", Target.OBJECT, no(_VERSION), Role.FILTER),
    Row("s3:GetObjectVersionTagging", Target.OBJECT, _VERSION, Role.FILTER),
    Row("s3:GetObjectRetention", Target.OBJECT, role=Role.FILTER),
    Row("s3:GetObjectLegalHold", Target.OBJECT, role=Role.FILTER),
)
_LIST = (
    Row("s3:ListBucket", Target.BUCKET),
    Row("s3:GetObjectAcl", Target.OBJECT, query("fetch-owner"), Role.FILTER),
)
_TABLES = tuple(
    Row(f"s3tables:{name}", Target.TABLE_BUCKET)
    for name in ("CreateTableBucket", "CreateNamespace", "CreateTable", "GetTable", "PutTablePolicy")
)
_ENCRYPTED_TABLES = (
    *_TABLES,
    Row("s3tables:PutTableEncryption", Target.TABLE_BUCKET),
    _kms("kms:DescribeKey", Target.BODY_KEY),
)

_ON_BUCKET = {
    "CreateBucketMetadataTableConfiguration": "CreateBucketMetadataTableConfiguration",
    "DeleteBucket": "DeleteBucket",
    "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetadataTableConfiguration": "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketWebsite": "DeleteBucketWebsite",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAbac": "GetBucketAbac",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketLogging": "GetBucketLogging",
    "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "GetBucketMetadataTableConfiguration": "GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
    "GetBucketNotification": "GetBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketPolicyStatus": "GetBucketPolicyStatus",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "GetBucketTagging": "GetBucketTagging",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketWebsite": "GetBucketWebsite",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketAbac": "PutBucketAbac",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketAcl": "PutBucketAcl",
    "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketLogging": "PutBucketLogging",
    "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
    "PutBucketNotification": "PutBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "PutBucketPolicy": "PutBucketPolicy",
    "PutBucketRequestPayment": "PutBucketRequestPayment",
    "PutBucketTagging": "PutBucketTagging",
    "PutBucketVersioning": "PutBucketVersioning",
    "PutBucketWebsite": "PutBucketWebsite",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UpdateBucketMetadataJournalTableConfiguration": "UpdateBucketMetadataJournalTableConfiguration",
}
"""Operations that need one action on the bucket."""

_ON_OBJECT = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "GetObjectLegalHold": "GetObjectLegalHold",
    "GetObjectRetention": "GetObjectRetention",
    "GetObjectTorrent": "GetObject",
    "PutObjectLegalHold": "PutObjectLegalHold",
    "RestoreObject": "RestoreObject",
    "WebsiteEndpointGet": "GetObject",
}
"""Operations that need one action on the object, whatever its version."""

_BY_VERSION = {
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "GetObjectAnnotation": ("GetObjectAnnotation", "GetObjectVersionAnnotation"),
    "GetObjectTagging": ("GetObjectTagging", "GetObjectVersionTagging"),
    "ListObjectAnnotations": ("ListObjectAnnotations", "ListObjectVersionAnnotations"),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
    "PutObjectAnnotation": ("PutObjectAnnotation", "PutObjectVersionAnnotation"),
    "PutObjectTagging": ("PutObjectTagging", "PutObjectVersionTagging"),
}
"""Operations that need one action on the object, another with versionId."""

OPERATIONS: Mapping[str, tuple[Row, ...]] = {
    **{name: (Row(f"s3:{action}", Target.BUCKET),) for name, action in _ON_BUCKET.items()},
    **{name: (Row(f"s3:{action}", Target.OBJECT),) for name, action in _ON_OBJECT.items()},
    **{name: _by_version(f"s3:{plain}", f"s3:{version}") for name, (plain, version) in _BY_VERSION.items()},
    "CompleteMultipartUpload": (
        _PUT,
        _kms("kms:Decrypt", Target.UPLOAD_KEY, "the API reference asks for it only with additional checksums"),
        _COMPARES_ETAG,
    ),
    "CopyObject": (
        *_READ_SOURCE,
        Row("s3:GetObjectTagging", Target.SOURCE, both(_COPIES_TAGS, no(source_has_version))),
        Row("s3:GetObjectVersionTagging", Target.SOURCE, both(_COPIES_TAGS, source_has_version)),
        Row("s3:GetObjectAnnotation", Target.SOURCE, perhaps(header_is("x-amz-object-annotation-directive", "COPY"))),
        _PUT,
        *_NEW_OBJECT,
        _COMPARES_ETAG,
    ),
    "CreateBucket": (
        Row("s3:CreateBucket", Target.BUCKET),
        Row(
            "s3:PutBucketAcl",
            Target.BUCKET,
            either(
                both(header("x-amz-acl"), no(header_is("x-amz-acl", "private"))),
                header(*_ACL_HEADERS, "x-amz-grant-write"),
            ),
        ),
        Row("s3:PutBucketObjectLockConfiguration", Target.BUCKET, _LOCKS_NEW_BUCKET),
        Row("s3:PutBucketVersioning", Target.BUCKET, _LOCKS_NEW_BUCKET),
        Row("s3:PutBucketOwnershipControls", Target.BUCKET, header("x-amz-object-ownership")),
        Row("s3:TagResource", Target.BUCKET, perhaps(body_has("Tag"))),
    ),
    "CreateBucketMetadataConfiguration": (
        Row("s3:CreateBucketMetadataTableConfiguration", Target.BUCKET),
        *_ENCRYPTED_TABLES,
    ),
    "CreateBucketMetadataTableConfiguration": (
        Row("s3:CreateBucketMetadataTableConfiguration", Target.BUCKET),
        *_TABLES[1:],
    ),
    "CreateMultipartUpload": (_PUT, *_NEW_OBJECT, _kms("kms:Decrypt", Target.NEW_KEY)),
    "CreateSession": (
        Row("s3express:CreateSession", Target.BUCKET),
        _kms("kms:GenerateDataKey", Target.NEW_KEY),
        _kms("kms:Decrypt", Target.NEW_KEY),
    ),
    "DeleteObject": (
        *_by_version("s3:DeleteObject", "s3:DeleteObjectVersion"),
        Row("s3:DeleteObjectVersion", Target.OBJECT, both(no(_VERSION), unversioned_bucket), Role.DENY_ONLY),
        Row("s3:BypassGovernanceRetention", Target.OBJECT, _BYPASS),
        Row("s3:GetObject", Target.OBJECT, both(header("if-match"), no(header_is("if-match", "*")))),
    ),
    "DeleteObjectAnnotation": (
        *_by_version("s3:DeleteObjectAnnotation", "s3:DeleteObjectVersionAnnotation"),
        Row("s3:BypassGovernanceRetention", Target.OBJECT, perhaps(_BYPASS)),
    ),
    "DeleteObjects": (
        Row("s3:DeleteObject", Target.LISTED_OBJECTS, role=Role.GATE_PER_KEY),
        Row("s3:DeleteObjectVersion", Target.LISTED_VERSIONS, role=Role.GATE_PER_KEY),
        Row("s3:BypassGovernanceRetention", Target.LISTED, _BYPASS, Role.GATE_PER_KEY),
    ),
    "GetObject": (*_READ, _kms("kms:Decrypt", Target.OBJECT_KEY), *_HEADERS_SHOWN),
    "GetObjectAttributes": (
        *_READ,
        *_by_version(
            "s3:GetObjectAttributes",
            "s3:GetObjectVersionAttributes",
            "only the API reference asks for it, not the guide",
        ),
        _kms("kms:Decrypt", Target.OBJECT_KEY),
    ),
    "HeadObject": (
        *_READ,
        _kms("kms:Decrypt", Target.OBJECT_KEY, "documented for reads of the content only"),
        *_HEADERS_SHOWN,
    ),
    "ListBuckets": (Row("s3:ListAllMyBuckets", Target.ALL_BUCKETS),),
    "ListDirectoryBuckets": (Row("s3express:ListAllMyDirectoryBuckets", Target.SERVICE),),
    "ListObjects": _LIST,
    "ListObjectsV2": _LIST,
    "ListParts": (Row("s3:ListMultipartUploadParts", Target.OBJECT), _kms("kms:Decrypt", Target.UPLOAD_KEY)),
    "OptionsPreflight": (),
    "PostObject": (_PUT, *_NEW_OBJECT),
    "PutBucketReplication": (
        Row("s3:PutReplicationConfiguration", Target.BUCKET),
        Row("iam:PassRole", Target.BODY_ROLE, conflict="the S3 User Guide does not list it"),
    ),
    "PutObject": (_PUT, *_NEW_OBJECT, _COMPARES_ETAG),
    "PutObjectRetention": (
        Row("s3:PutObjectRetention", Target.OBJECT),
        Row("s3:BypassGovernanceRetention", Target.OBJECT, _BYPASS),
    ),
    "RenameObject": (Row("s3express:CreateSession", Target.BUCKET),),
    "SelectObjectContent": (Row("s3:GetObject", Target.OBJECT), _kms("kms:Decrypt", Target.OBJECT_KEY)),
    "UpdateBucketMetadataAnnotationTableConfiguration": (
        Row("s3:UpdateBucketMetadataAnnotationTableConfiguration", Target.BUCKET),
        Row("iam:PassRole", Target.BODY_ROLE, body_has("Role")),
    ),
    "UpdateBucketMetadataInventoryTableConfiguration": (
        Row("s3:UpdateBucketMetadataInventoryTableConfiguration", Target.BUCKET),
        *_ENCRYPTED_TABLES,
    ),
    "UpdateObjectEncryption": (
        Row("s3:UpdateObjectEncryption", Target.OBJECT),
        Row("s3:PutObject", Target.OBJECT, conflict="the API reference does not list it"),
        *(
            _kms(f"kms:{name}", Target.BODY_KEY)
            for name in ("Encrypt", "Decrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
        ),
        Row("organizations:DescribeAccount", Target.SERVICE, perhaps(body_has("KMSKeyArn"))),
    ),
    "UploadPart": (_PUT, *_PART_KEY),
    "UploadPartCopy": (*_READ_SOURCE, _PUT, *_PART_KEY),
    "WriteGetObjectResponse": (Row("s3-object-lambda:WriteGetObjectResponse", Target.SERVICE),),
}
"""Operation -> rows, in the order in which they are checked as far as it is known: a copy reads before it writes."""

DIRECTORY_BUCKET_OPERATIONS: Mapping[str, str] = {
    "CreateBucket": "s3express:CreateBucket",
    "DeleteBucket": "s3express:DeleteBucket",
    "DeleteBucketEncryption": "s3express:PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "s3express:PutLifecycleConfiguration",
    "DeleteBucketPolicy": "s3express:DeleteBucketPolicy",
    "GetBucketEncryption": "s3express:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3express:GetLifecycleConfiguration",
    "GetBucketPolicy": "s3express:GetBucketPolicy",
    "PutBucketEncryption": "s3express:PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "s3express:PutLifecycleConfiguration",
    "PutBucketPolicy": "s3express:PutBucketPolicy",
}
"""Bucket-level operations on directory buckets; all others are authorized by s3express:CreateSession.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-security-iam.html"""

"""The condition keys of Amazon S3: which actions support each, and how its value arises. One row a key.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3express.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from denyproxy.s3 import condition_values as value
from denyproxy.s3 import tag_values as tags
from denyproxy.s3.view import Family, Value, View


class Header(str):
    """The key is the header field of this name as sent, or absent."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A condition key of Amazon S3."""

    name: str
    """Lower case."""
    actions: frozenset[str] | None
    """Actions (lower case, without their service) that support it; None: all of its service but `excepted`."""
    derive: Callable[[View], Value] | Header
    excepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KeyFamily:
    """Condition keys with a member after the slash."""

    name: str
    """Lower case, `s3:requestobjecttag`."""
    actions: frozenset[str] | None
    derive: Callable[[View], Family]
    excepted: frozenset[str] = frozenset()


def _actions(names: str) -> frozenset[str]:
    return frozenset(names.lower().split())


_LISTS = _actions("ListBucket ListBucketVersions")
_WRITES = _actions("BypassGovernanceRetention PutObject")
_ACLS = _WRITES | _actions("CreateBucket PutBucketAcl PutObjectAcl PutObjectVersionAcl")
_ENCRYPTS = _WRITES | _actions("ReplicateObject UpdateObjectEncryption")
_ANNOTATION_LISTS = _actions("ListObjectAnnotations ListObjectVersionAnnotations")
_ANNOTATION_WRITES = _actions(
    "DeleteObjectAnnotation DeleteObjectVersionAnnotation PutObjectAnnotation PutObjectVersionAnnotation"
)
_TAGS = _WRITES | _actions("PutObjectTagging PutObjectVersionTagging")
_EXISTING_TAGS = (
    _ANNOTATION_LISTS
    | _ANNOTATION_WRITES
    | _actions(
        "DeleteObjectTagging DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAnnotation GetObjectAttributes"
        " GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAttributes"
        " GetObjectVersionTagging PutObjectAcl PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging"
        " UpdateObjectEncryption"
    )
)
_VERSIONS = _actions(
    "DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObjectVersion GetObjectVersionAcl"
    " GetObjectVersionAnnotation GetObjectVersionAttributes GetObjectVersionTagging GetObjectVersionTorrent"
    " ListObjectVersionAnnotations PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging"
)
_GRANTED_ACCESS = _actions(
    "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject GetObjectAcl GetObjectVersion GetObjectVersionAcl"
    " ListBucket ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts PutObject PutObjectAcl"
    " PutObjectVersionAcl"
)
_REQUEST_TAGS = _actions(
    "CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation CreateAccessPoint CreateBucket CreateJob"
    " CreateStorageLensGroup PutJobTagging PutStorageLensConfiguration PutStorageLensConfigurationTagging TagResource"
)
_NOT_DELIVERY = _actions("AllowVendedLogDeliveryForResource PutAccessPointPublicAccessBlock")
_NOT_SIGNED = _NOT_DELIVERY | _actions("InitiateReplication")
_NOT_HASHED = _NOT_SIGNED | _actions(
    "CreateMultiRegionAccessPoint DeleteMultiRegionAccessPoint DescribeMultiRegionAccessPointOperation"
    " GetBucketObjectLockConfiguration GetMultiRegionAccessPoint GetMultiRegionAccessPointPolicy"
    " GetMultiRegionAccessPointPolicyStatus GetMultiRegionAccessPointRoutes ListMultiRegionAccessPoints"
    " PutBucketObjectLockConfiguration PutMultiRegionAccessPointPolicy SubmitMultiRegionAccessPointRoutes"
)
KEYS: tuple[Key, ...] = (
    Key("s3:prefix", _LISTS, value.prefix),
    Key("s3:delimiter", _LISTS, value.delimiter),
    Key("s3:max-keys", _LISTS, value.max_keys),
    Key("s3:versionid", _VERSIONS, value.version_id),
    Key("s3:annotation-prefix", _ANNOTATION_LISTS, value.parameter("annotation-prefix")),
    Key("s3:max-annotation-results", _ANNOTATION_LISTS, value.parameter("max-annotation-results")),
    Key("s3:x-amz-acl", _ACLS | _actions("CreateAccessPoint"), Header("x-amz-acl")),
    *(
        Key(f"s3:{name}", _ACLS, Header(name))
        for name in (
            "x-amz-grant-read",
            "x-amz-grant-write",
            "x-amz-grant-read-acp",
            "x-amz-grant-write-acp",
            "x-amz-grant-full-control",
        )
    ),
    Key("s3:x-amz-copy-source", _WRITES, value.copy_source),
    Key("s3:x-amz-metadata-directive", _WRITES, Header("x-amz-metadata-directive")),
    Key("s3:x-amz-server-side-encryption", _ENCRYPTS, value.encryption),
    Key("s3:x-amz-server-side-encryption-aws-kms-key-id", _ENCRYPTS, value.kms_key_id),
    Key(
        "s3:x-amz-server-side-encryption-customer-algorithm",
        _WRITES | _actions("ReplicateObject"),
        Header("x-amz-server-side-encryption-customer-algorithm"),
    ),
    Key(
        "s3:x-amz-storage-class",
        _WRITES | _actions("PutObjectAcl PutObjectVersionAcl"),
        Header("x-amz-storage-class"),
    ),
    Key("s3:x-amz-website-redirect-location", _WRITES, Header("x-amz-website-redirect-location")),
    Key("s3:x-amz-object-ownership", _actions("CreateBucket"), Header("x-amz-object-ownership")),
    Key("s3:x-amz-bucket-namespace", _actions("CreateBucket"), Header("x-amz-bucket-namespace")),
    Key("s3:x-amz-content-sha256", None, Header("x-amz-content-sha256"), _NOT_HASHED),
    Key("s3:if-match", _actions("DeleteObject PutObject"), Header("if-match")),
    Key("s3:if-none-match", _actions("PutObject"), Header("if-none-match")),
    Key("s3:x-amz-object-annotation-directive", _actions("PutObject"), Header("x-amz-object-annotation-directive")),
    Key("s3:x-amz-object-if-match", _ANNOTATION_WRITES, Header("x-amz-object-if-match")),
    Key("s3:object-lock-mode", _actions("PutObject PutObjectRetention"), value.lock_mode),
    Key("s3:object-lock-legal-hold", _actions("PutObject PutObjectLegalHold"), value.legal_hold),
    Key("s3:object-lock-retain-until-date", _actions("PutObject PutObjectRetention"), value.retain_until),
    Key("s3:object-lock-remaining-retention-days", _actions("PutObject PutObjectRetention"), value.remaining_days),
    Key(
        "s3:object-lock-event-hold",
        _actions("PutObject PutObjectRetention ReplicateObject"),
        Header("x-amz-object-lock-event-hold"),
    ),
    Key(
        "s3:object-lock-event-hold-duration-days",
        _actions("PutObject PutObjectRetention ReplicateObject"),
        value.hold_days,
    ),
    Key("s3:requestobjecttagkeys", _TAGS, tags.request_object_tag_keys),
    Key("s3:objectcreationoperation", _actions("PutObject"), value.creates_object),
    Key("s3:locationconstraint", _actions("CreateAccessPoint CreateBucket"), value.location_constraint),
    Key("s3:inventoryaccessibleoptionalfields", _actions("PutInventoryConfiguration"), value.inventory_fields),
    Key("s3:signatureversion", None, value.signature_version, _NOT_SIGNED),
    Key("s3:authtype", None, value.auth_type, _NOT_SIGNED),
    Key("s3:signatureage", None, value.signature_age, _NOT_SIGNED),
    Key("s3:tlsversion", None, value.tls_version, _NOT_SIGNED),
    Key("s3:resourceaccount", None, value.resource_account, _NOT_DELIVERY),
    Key("s3:dataaccesspointarn", None, value.access_point_arn),
    Key("s3:dataaccesspointaccount", None, value.access_point_account),
    Key("s3:accesspointnetworkorigin", None, value.access_point_origin),
    Key("s3:accessgrantsinstancearn", _GRANTED_ACCESS, value.access_grants_instance),
    Key("s3:accessgrantscope", _actions("CreateAccessGrant DeleteAccessGrant GetAccessGrant"), value.unsaid),
    Key(
        "s3:accessgrantslocationscope",
        _actions(
            "CreateAccessGrantsLocation DeleteAccessGrantsLocation GetAccessGrantsLocation UpdateAccessGrantsLocation"
        ),
        value.unsaid,
    ),
    Key("s3:requestjoboperation", _actions("CreateJob"), value.unsaid),
    Key("s3:requestjobpriority", _actions("CreateJob UpdateJobPriority"), value.unsaid),
    *(
        Key(name, _actions("DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus"), value.unsaid)
        for name in ("s3:existingjoboperation", "s3:existingjobpriority")
    ),
    Key("s3:jobsuspendedcause", _actions("UpdateJobStatus"), value.unsaid),
    Key("s3:isreplicationpauserequest", _actions("PutReplicationConfiguration"), value.absent),
    Key("s3:destinationregion", _actions("PauseReplication"), value.unsaid),
    *(
        Key(name, _actions("AllowVendedLogDeliveryForResource"), value.unsaid)
        for name in ("s3:deliverysourcearn", "s3:logtype", "s3:resourcearnbeingauthorized")
    ),
    Key("aws:tagkeys", _REQUEST_TAGS | _actions("UntagResource"), tags.tag_keys),
)

EXPRESS_KEYS: tuple[Key, ...] = (
    Key("s3express:sessionmode", _actions("CreateSession"), value.session_mode),
    Key("s3express:authtype", None, value.of_session(value.auth_type)),
    Key("s3express:signatureversion", None, value.of_session(value.signature_version)),
    Key("s3express:signatureage", None, value.of_session(value.signature_age)),
    Key("s3express:tlsversion", None, value.of_session(value.tls_version)),
    Key("s3express:x-amz-content-sha256", None, value.of_session(value.payload_hash)),
    Key("s3express:resourceaccount", None, value.resource_account),
)
"""Those of directory buckets, as far as they follow from a call."""

FAMILIES: tuple[KeyFamily, ...] = (
    KeyFamily("s3:requestobjecttag", _TAGS, tags.request_object_tags),
    KeyFamily("s3:existingobjecttag", _EXISTING_TAGS, tags.existing_object_tags),
    KeyFamily("s3:buckettag", None, tags.bucket_tags),
    KeyFamily("s3:accesspointtag", None, tags.access_point_tags),
    KeyFamily("aws:requesttag", _REQUEST_TAGS, tags.request_tags),
    KeyFamily("aws:resourcetag", None, tags.resource_tags),
)


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key that is more than a header field."""

    name: str
    derive: Callable[[View], Value]


@dataclass(frozen=True, slots=True)
class ActionKeys:
    """The keys that bear on one action, and those that cannot."""

    keys: tuple[DerivedKey, ...]
    headers: Mapping[str, str]
    """Header field (lower case) -> the key that it is."""
    families: tuple[KeyFamily, ...]
    unsupported: frozenset[str]
    others: frozenset[str]
    """`unsupported`, and the keys of `headers`."""


def is_never_set(action: str, key: str) -> bool:
    """Is it a condition key of S3's own that requests for an action cannot have?"""
    unsupported = keys_of_action(action.lower()).unsupported
    name, key = key.lower().partition("/")[0], key.lower()
    return key.startswith("s3:") and (key in unsupported or f"{name}/*" in unsupported)


@cache
def keys_of_action(action: str) -> ActionKeys:
    """The keys of an action (lower case, with its service prefix). Actions of other services have none of these."""
    service, _, name = action.partition(":")

    def supports(key: Key | KeyFamily) -> bool:
        own = service == ("s3express" if key.name.startswith("s3express:") else "s3")
        return own and name not in key.excepted and (key.actions is None or name in key.actions)

    known = (*KEYS, *EXPRESS_KEYS)
    unsupported = {key.name for key in known if not supports(key)}
    unsupported.update(f"{family.name}/*" for family in FAMILIES if not supports(family))
    if service != "s3":
        unsupported = {name for name in unsupported if not name.startswith("aws:")}
    supported = [key for key in known if supports(key)]
    headers = {str(key.derive): key.name for key in supported if isinstance(key.derive, Header)}
    return ActionKeys(
        tuple(DerivedKey(key.name, key.derive) for key in supported if not isinstance(key.derive, Header)),
        headers,
        tuple(family for family in FAMILIES if supports(family)),
        frozenset(unsupported),
        frozenset(unsupported.union(headers.values())),
    )

"""The condition keys of Amazon S3: which actions support each, and how its value arises. One row a key.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.arn import Arn
from denyproxy.s3.view import Family, Value, View, one
from denyproxy.s3.xml import child_text, descendant_text, descendants
from denyproxy.sigv4.credential import SIGV2, SIGV4
from denyproxy.sigv4.wire import parse_query

SIGNATURE_AGE_MARGIN = 15_000.0
"""Milliseconds by which S3's own measure may differ from ours: clock skew and transit."""
RETENTION_DAYS_MARGIN = 1.0
"""Days: how S3 rounds is not documented."""


@dataclass(frozen=True, slots=True)
class Key:
    """A condition key of Amazon S3."""

    name: str
    """Lower case."""
    actions: frozenset[str] | None
    """Actions (lower case, without `s3:`) that support it; None: all but `excepted`."""
    derive: Callable[[View], Value]
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
_LISTING_OPERATIONS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})
_CREATES_OBJECT = {
    "PutObject": "true",
    "PostObject": "true",
    "CopyObject": "true",
    "CompleteMultipartUpload": "true",
    "CreateMultipartUpload": "false",
    "UploadPart": "false",
    "UploadPartCopy": "false",
}


def _header(name: str) -> Callable[[View], Value]:
    return lambda view: one(view.request.header(name))


def _parameter(name: str) -> Callable[[View], Value]:
    return lambda view: one(view.request.parameter(name))


def _unsaid(view: View) -> Value:
    return view.unsaid


def _absent(_: View) -> Value:
    return None


def _prefix(view: View) -> Value:
    if view.requirement.key is not None:
        # S3 asks for ListBucket to decide on 404 or 403 for a missing key: the prefix is then the key.
        return (view.requirement.key,)
    return one(view.request.parameter("prefix")) if view.request.operation in _LISTING_OPERATIONS else None


def _delimiter(view: View) -> Value:
    return one(view.request.parameter("delimiter")) if view.request.operation in _LISTING_OPERATIONS else None


def _max_keys(view: View) -> Value:
    said = view.request.parameter("max-keys") if view.request.operation in _LISTING_OPERATIONS else None
    # Whether S3 fills in its default is documented both ways.
    return UNKNOWN if said is None else (said,)


def _copy_source(view: View) -> Value:
    source = view.request.copy_source
    if source is None:
        return one(view.request.header("x-amz-copy-source") and UNKNOWN)
    return UNKNOWN if source.version_id is not None else (f"{source.bucket}/{source.key}",)


def _kms_key_id(view: View) -> Value:
    named = view.request.header("x-amz-server-side-encryption-aws-kms-key-id")
    if named is None or (named.startswith("arn:") and ":key/" in named):
        return one(named)
    account, region = view.caller.principal.account, view.request.region
    if "alias/" in named or account is None or region is None:
        return UNKNOWN
    return (str(Arn(view.request.partition, "kms", region, account, f"key/{named}")),)


def _creates_object(view: View) -> Value:
    return one(_CREATES_OBJECT.get(view.request.operation or "", UNKNOWN))


def _lock(header: str, operation: str, element: str) -> Callable[[View], Value]:
    def derive(view: View) -> Value:
        if view.request.operation != operation:
            return one(view.request.header(header))
        return one(descendant_text(view.body, element)) if view.body_is_known else UNKNOWN

    return derive


_lock_mode = _lock("x-amz-object-lock-mode", "PutObjectRetention", "Mode")
_legal_hold = _lock("x-amz-object-lock-legal-hold", "PutObjectLegalHold", "Status")
_retain_until = _lock("x-amz-object-lock-retain-until-date", "PutObjectRetention", "RetainUntilDate")


def _remaining_days(view: View) -> Value:
    until = _retain_until(view)
    if until is None or until is UNKNOWN:
        return until
    try:
        date = datetime.fromisoformat(re.sub("Z$", "+00:00", until[0].strip()))
    except ValueError:
        return UNKNOWN
    if view.request.time is None:
        return UNKNOWN
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return (f"{(date - view.request.time).total_seconds() / 86400:.6f}",)


def _hold_days(view: View) -> Value:
    days = view.request.header("x-amz-object-lock-event-hold-duration-days")
    years = view.request.header("x-amz-object-lock-event-hold-duration-years")
    return one(days) if days is not None or years is None else UNKNOWN


def _request_tags(view: View) -> list[tuple[str, str]] | Unknown:
    """The object tags that the request carries."""
    header = view.request.header("x-amz-tagging")
    if header is not None:
        return list(parse_query(header))
    if view.request.operation == "PutObjectTagging":
        return _body_tags(view) if view.body_is_known else UNKNOWN
    # Whether tags that a copy takes along count as the request's is not documented.
    copies = view.request.operation == "CopyObject" and "tagging" in view.requirement.action.lower()
    form = view.request.operation == "PostObject" and view.request.key is None
    return UNKNOWN if copies or form else []


def _body_tags(view: View) -> list[tuple[str, str]]:
    return [(child_text(tag, "Key") or "", child_text(tag, "Value") or "") for tag in descendants(view.body, "Tag")]


def _family_of(tags: list[tuple[str, str]] | Unknown) -> Family:
    if tags is UNKNOWN:
        return UNKNOWN
    family: dict[str, Value] = {}
    for key, value in tags:
        name = key.lower()
        # Object tag keys differ by case, condition keys do not: two such tags are one ambiguous key.
        family[name] = UNKNOWN if name in family else (value,)
    return family


def _request_tag_keys(view: View) -> Value:
    tags = _request_tags(view)
    if tags is UNKNOWN:
        return UNKNOWN
    return tuple(key for key, _ in tags) or None


def _bucket_request_tags(view: View) -> list[tuple[str, str]] | Unknown | None:
    if view.request.operation != "CreateBucket":
        return view.unsaid
    return _body_tags(view) if view.body_is_known else UNKNOWN


def _aws_request_tags(view: View) -> Family:
    tags = _bucket_request_tags(view)
    return {} if tags is None else _family_of(tags)


def _aws_tag_keys(view: View) -> Value:
    tags = _bucket_request_tags(view)
    if tags is None or tags is UNKNOWN:
        return tags
    return tuple(key for key, _ in tags) or None


def _existing_tags(view: View) -> Family:
    requirement = view.requirement
    if requirement.bucket is None or requirement.key is None:
        return {} if view.closed else UNKNOWN
    facts = view.snapshot.object(requirement.bucket, requirement.key)
    if facts is None:
        return {}
    if facts.tags is UNKNOWN or (requirement.version_id is not None and not view.closed):
        return UNKNOWN
    if facts.tags and requirement.action.endswith("Attributes"):
        return UNKNOWN  # Listed for these actions, but no one saw S3 evaluate it.
    return _family_of(list(facts.tags.items()))


def _bucket_tags(view: View) -> Family:
    """Tags of the bucket, which count only where attribute-based access control is enabled for it."""
    if view.requirement.bucket is None or view.requirement.action == "s3:CreateBucket":
        return {}
    facts = view.snapshot.bucket(view.requirement.bucket)
    if facts.abac is False:
        return {}
    return UNKNOWN if facts.abac is UNKNOWN or facts.tags is UNKNOWN else _family_of(list(facts.tags.items()))


def _resource_tags(view: View) -> Family:
    through = view.requirement.via_access_point is not None and not view.closed
    return UNKNOWN if through else _bucket_tags(view)


def _access_point_tags(view: View) -> Family:
    return UNKNOWN if view.requirement.via_access_point is not None and not view.closed else {}


def _location(view: View) -> Value:
    if view.request.operation != "CreateBucket":
        return view.unsaid
    # Without a constraint the bucket goes to us-east-1; whether the key then has that value is not documented.
    return one(descendant_text(view.body, "LocationConstraint") or UNKNOWN)


def _inventory_fields(view: View) -> Value:
    if view.request.operation != "PutBucketInventoryConfiguration":
        return None
    if not view.body_is_known:
        return UNKNOWN
    return tuple((field.text or "").strip() for field in descendants(view.body, "Field")) or None


def _signed(view: View) -> bool:
    return view.caller.principal.type is not PrincipalType.ANONYMOUS


def _signature_version(view: View) -> Value:
    if not _signed(view):
        return None
    if view.caller.signature_version in (SIGV4, SIGV2):
        return one(view.caller.signature_version)
    return (SIGV4,) if view.closed and view.caller.signature_version is None else UNKNOWN


def _auth_type(view: View) -> Value:
    if not _signed(view):
        return None
    return one(view.caller.auth_type or ("REST-HEADER" if view.closed else UNKNOWN))


def _signature_age(view: View) -> Value:
    if not _signed(view):
        return None
    if view.caller.signature_version == SIGV2:
        return ("0",)
    signed, time = view.request.signed_time, view.request.time
    if signed is None or time is None:
        return UNKNOWN
    return (str(max(0, round((time - signed).total_seconds() * 1000))),)


def _tls_version(view: View) -> Value:
    return None if view.call.secure is False else view.unsaid


def _resource_account(view: View) -> Value:
    return one(view.resource_account)


def _point_arn(view: View) -> Value:
    arn = view.requirement.via_access_point
    return one(UNKNOWN if arn is not None and "*" in arn else arn)


def _point_account(view: View) -> Value:
    arn = Arn.parse(view.requirement.via_access_point or "")
    if arn is None:
        return None
    return one(arn.account if arn.account.isdigit() else UNKNOWN)


def _point_origin(view: View) -> Value:
    if view.requirement.via_access_point is None:
        return None
    point = view.access_point
    if point is None or point.vpc is UNKNOWN:
        return UNKNOWN
    return ("Internet" if point.vpc is None else "VPC",)


def _granted_access(view: View) -> Value:
    return None if view.caller.temporary is Truth.NO else view.unsaid


KEYS: tuple[Key, ...] = (
    Key("s3:prefix", _LISTS, _prefix),
    Key("s3:delimiter", _LISTS, _delimiter),
    Key("s3:max-keys", _LISTS, _max_keys),
    Key("s3:versionid", _VERSIONS, lambda view: one(view.requirement.version_id)),
    Key("s3:annotation-prefix", _ANNOTATION_LISTS, _parameter("annotation-prefix")),
    Key("s3:max-annotation-results", _ANNOTATION_LISTS, _parameter("max-annotation-results")),
    Key("s3:x-amz-acl", _ACLS | _actions("CreateAccessPoint"), _header("x-amz-acl")),
    *(
        Key(f"s3:{name}", _ACLS, _header(name))
        for name in (
            "x-amz-grant-read",
            "x-amz-grant-write",
            "x-amz-grant-read-acp",
            "x-amz-grant-write-acp",
            "x-amz-grant-full-control",
        )
    ),
    Key("s3:x-amz-copy-source", _WRITES, _copy_source),
    Key("s3:x-amz-metadata-directive", _WRITES, _header("x-amz-metadata-directive")),
    Key("s3:x-amz-server-side-encryption", _ENCRYPTS, _header("x-amz-server-side-encryption")),
    Key("s3:x-amz-server-side-encryption-aws-kms-key-id", _ENCRYPTS, _kms_key_id),
    Key(
        "s3:x-amz-server-side-encryption-customer-algorithm",
        _WRITES | _actions("ReplicateObject"),
        _header("x-amz-server-side-encryption-customer-algorithm"),
    ),
    Key(
        "s3:x-amz-storage-class",
        _WRITES | _actions("PutObjectAcl PutObjectVersionAcl"),
        _header("x-amz-storage-class"),
    ),
    Key("s3:x-amz-website-redirect-location", _WRITES, _header("x-amz-website-redirect-location")),
    Key("s3:x-amz-object-ownership", _actions("CreateBucket"), _header("x-amz-object-ownership")),
    Key("s3:x-amz-bucket-namespace", _actions("CreateBucket"), _header("x-amz-bucket-namespace")),
    Key("s3:x-amz-content-sha256", None, _header("x-amz-content-sha256"), _NOT_HASHED),
    Key("s3:if-match", _actions("DeleteObject PutObject"), _header("if-match")),
    Key("s3:if-none-match", _actions("PutObject"), _header("if-none-match")),
    Key("s3:x-amz-object-annotation-directive", _actions("PutObject"), _header("x-amz-object-annotation-directive")),
    Key("s3:x-amz-object-if-match", _ANNOTATION_WRITES, _header("x-amz-object-if-match")),
    Key("s3:object-lock-mode", _actions("PutObject PutObjectRetention"), _lock_mode),
    Key("s3:object-lock-legal-hold", _actions("PutObject PutObjectLegalHold"), _legal_hold),
    Key("s3:object-lock-retain-until-date", _actions("PutObject PutObjectRetention"), _retain_until),
    Key("s3:object-lock-remaining-retention-days", _actions("PutObject PutObjectRetention"), _remaining_days),
    Key(
        "s3:object-lock-event-hold",
        _actions("PutObject PutObjectRetention ReplicateObject"),
        _header("x-amz-object-lock-event-hold"),
    ),
    Key(
        "s3:object-lock-event-hold-duration-days",
        _actions("PutObject PutObjectRetention ReplicateObject"),
        _hold_days,
    ),
    Key("s3:requestobjecttagkeys", _TAGS, _request_tag_keys),
    Key("s3:objectcreationoperation", _actions("PutObject"), _creates_object),
    Key("s3:locationconstraint", _actions("CreateAccessPoint CreateBucket"), _location),
    Key("s3:inventoryaccessibleoptionalfields", _actions("PutInventoryConfiguration"), _inventory_fields),
    Key("s3:signatureversion", None, _signature_version, _NOT_SIGNED),
    Key("s3:authtype", None, _auth_type, _NOT_SIGNED),
    Key("s3:signatureage", None, _signature_age, _NOT_SIGNED),
    Key("s3:tlsversion", None, _tls_version, _NOT_SIGNED),
    Key("s3:resourceaccount", None, _resource_account, _NOT_DELIVERY),
    Key("s3:dataaccesspointarn", None, _point_arn),
    Key("s3:dataaccesspointaccount", None, _point_account),
    Key("s3:accesspointnetworkorigin", None, _point_origin),
    Key("s3:accessgrantsinstancearn", _GRANTED_ACCESS, _granted_access),
    Key("s3:accessgrantscope", _actions("CreateAccessGrant DeleteAccessGrant GetAccessGrant"), _unsaid),
    Key(
        "s3:accessgrantslocationscope",
        _actions(
            "CreateAccessGrantsLocation DeleteAccessGrantsLocation GetAccessGrantsLocation UpdateAccessGrantsLocation"
        ),
        _unsaid,
    ),
    Key("s3:requestjoboperation", _actions("CreateJob"), _unsaid),
    Key("s3:requestjobpriority", _actions("CreateJob UpdateJobPriority"), _unsaid),
    *(
        Key(name, _actions("DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus"), _unsaid)
        for name in ("s3:existingjoboperation", "s3:existingjobpriority")
    ),
    Key("s3:jobsuspendedcause", _actions("UpdateJobStatus"), _unsaid),
    Key("s3:isreplicationpauserequest", _actions("PutReplicationConfiguration"), _absent),
    Key("s3:destinationregion", _actions("PauseReplication"), _unsaid),
    *(
        Key(name, _actions("AllowVendedLogDeliveryForResource"), _unsaid)
        for name in ("s3:deliverysourcearn", "s3:logtype", "s3:resourcearnbeingauthorized")
    ),
    Key("aws:tagkeys", _REQUEST_TAGS | _actions("UntagResource"), _aws_tag_keys),
)

FAMILIES: tuple[KeyFamily, ...] = (
    KeyFamily("s3:requestobjecttag", _TAGS, lambda view: _family_of(_request_tags(view))),
    KeyFamily("s3:existingobjecttag", _EXISTING_TAGS, _existing_tags),
    KeyFamily("s3:buckettag", None, _bucket_tags),
    KeyFamily("s3:accesspointtag", None, _access_point_tags),
    KeyFamily("aws:requesttag", _REQUEST_TAGS, _aws_request_tags),
    KeyFamily("aws:resourcetag", None, _resource_tags),
)


@dataclass(frozen=True, slots=True)
class ActionKeys:
    """The keys that bear on one action, and those that cannot."""

    keys: tuple[Key, ...]
    families: tuple[KeyFamily, ...]
    unsupported: frozenset[str]


@cache
def keys_of_action(action: str) -> ActionKeys:
    """The keys of an action (lower case, with its service prefix). Actions of other services have none of these."""
    service, _, name = action.partition(":")

    def supports(key: Key | KeyFamily) -> bool:
        return service == "s3" and name not in key.excepted and (key.actions is None or name in key.actions)

    unsupported = {key.name for key in KEYS if not supports(key)}
    unsupported.update(f"{family.name}/*" for family in FAMILIES if not supports(family))
    if service != "s3":
        unsupported = {name for name in unsupported if name.startswith("s3:")}
    return ActionKeys(
        tuple(key for key in KEYS if supports(key)),
        tuple(family for family in FAMILIES if supports(family)),
        frozenset(unsupported),
    )

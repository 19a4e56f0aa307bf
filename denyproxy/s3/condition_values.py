"""How the value of each S3 condition key arises from a call. One function a key, or a maker of such functions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.arn import Arn
from denyproxy.s3.view import Value, View, one
from denyproxy.s3.xml import descendant_text, descendants
from denyproxy.sigv4.credential import SIGV2, SIGV4

SIGNATURE_AGE_MARGIN = 15_000.0
"""Milliseconds by which S3's own measure may differ from ours: clock skew and transit."""
RETENTION_DAYS_MARGIN = 1.0
"""Days: how S3 rounds is not documented."""

_LISTINGS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})
_CREATES_OBJECT = {
    "PutObject": "true",
    "PostObject": "true",
    "CopyObject": "true",
    "CompleteMultipartUpload": "true",
    "CreateMultipartUpload": "false",
    "UploadPart": "false",
    "UploadPartCopy": "false",
}


def parameter(name: str) -> Callable[[View], Value]:
    """The query parameter, decoded, or absent."""
    return lambda view: one(view.request.parameter(name))


def unsaid(view: View) -> Value:
    """Nothing here tells."""
    return view.unsaid


def absent(_: View) -> Value:
    """Never on a request of a customer."""
    return None


def prefix(view: View) -> Value:
    """Of a listing. For a missing key S3 asks for s3:ListBucket with the key as prefix; HeadBucket sends none."""
    if view.requirement.key is not None:
        return (view.requirement.key,)
    return one(view.request.parameter("prefix")) if view.request.operation in _LISTINGS else None


def delimiter(view: View) -> Value:
    """Of a listing."""
    return one(view.request.parameter("delimiter")) if view.request.operation in _LISTINGS else None


def max_keys(view: View) -> Value:
    """Of a listing. Whether S3 fills in its default where none is sent is documented both ways."""
    if view.request.operation is None:
        return view.unsaid
    said = view.request.parameter("max-keys") if view.request.operation in _LISTINGS else None
    return UNKNOWN if said is None else (said,)


def version_id(view: View) -> Value:
    """Of the object concerned: from the query, the copy source, or a DeleteObjects body."""
    return one(view.requirement.version_id)


def copy_source(view: View) -> Value:
    """`bucket/key`, decoded, without a leading slash. Whether a version belongs to it is not documented."""
    source = view.request.copy_source
    if source is None:
        return None if view.request.header("x-amz-copy-source") is None else UNKNOWN
    return UNKNOWN if source.version_id is not None else (f"{source.bucket}/{source.key}",)


def encryption(view: View) -> Value:
    """As asked for by the header; the bucket's default does not count. UpdateObjectEncryption asks in its body."""
    if view.request.operation == "UpdateObjectEncryption":
        return UNKNOWN
    return one(view.request.header("x-amz-server-side-encryption"))


def kms_key_id(view: View) -> Value:
    """The key's ARN. S3 completes a bare key id with the caller's account; what it does with an alias is not known."""
    if view.request.operation == "UpdateObjectEncryption":
        return UNKNOWN
    named = view.request.header("x-amz-server-side-encryption-aws-kms-key-id")
    if named is None or (named.startswith("arn:") and ":key/" in named):
        return one(named)
    account, region = view.caller.principal.account, view.request.region
    if "alias/" in named or account is None or region is None:
        return UNKNOWN
    return (str(Arn(view.request.partition, "kms", region, account, f"key/{named}")),)


def creates_object(view: View) -> Value:
    """Does this very request create the object? Parts do not."""
    operation = view.request.operation
    return view.unsaid if operation is None else one(_CREATES_OBJECT.get(operation, UNKNOWN))


def _lock(field: str, operation: str, element: str) -> Callable[[View], Value]:
    def derive(view: View) -> Value:
        if view.request.operation != operation:
            return one(view.request.header(field))
        return one(descendant_text(view.body, element)) if view.body_is_known else UNKNOWN

    return derive


lock_mode = _lock("x-amz-object-lock-mode", "PutObjectRetention", "Mode")
legal_hold = _lock("x-amz-object-lock-legal-hold", "PutObjectLegalHold", "Status")
retain_until = _lock("x-amz-object-lock-retain-until-date", "PutObjectRetention", "RetainUntilDate")


def remaining_days(view: View) -> Value:
    """Days, with fractions, until the retain-until date."""
    until = retain_until(view)
    if until is None or until is UNKNOWN:
        return until
    try:
        date = datetime.fromisoformat(until[0].strip())
    except ValueError:
        return UNKNOWN
    if view.request.time is None:
        return UNKNOWN
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    days = f"{(date - view.request.time).total_seconds() / 86400:.6f}"
    return (days.rstrip("0").rstrip("."),)


def hold_days(view: View) -> Value:
    """How S3 turns years into days is not documented."""
    days = view.request.header("x-amz-object-lock-event-hold-duration-days")
    years = view.request.header("x-amz-object-lock-event-hold-duration-years")
    return one(days) if days is not None or years is None else UNKNOWN


def location_constraint(view: View) -> Value:
    """Without one the bucket goes to us-east-1; whether the key then has that value is not documented."""
    if view.request.operation != "CreateBucket":
        return view.unsaid
    return one(descendant_text(view.body, "LocationConstraint") or UNKNOWN)


def inventory_fields(view: View) -> Value:
    """The optional fields of an inventory configuration."""
    if view.request.operation != "PutBucketInventoryConfiguration":
        return None
    if not view.body_is_known:
        return UNKNOWN
    return tuple((field.text or "").strip() for field in descendants(view.body, "Field")) or None


def _signed(view: View) -> bool:
    return view.caller.principal.type is not PrincipalType.ANONYMOUS


def signature_version(view: View) -> Value:
    """AWS4-HMAC-SHA256 or AWS; the value of SigV4A is not documented. A scenario's calls are signed with SigV4."""
    if not _signed(view):
        return None
    version = view.caller.signature_version
    if version in (SIGV4, SIGV2):
        return one(version)
    return (SIGV4,) if view.closed and version is None else UNKNOWN


def auth_type(view: View) -> Value:
    """REST-HEADER, REST-QUERY-STRING or POST."""
    return one(view.caller.auth_type or ("REST-HEADER" if view.closed else UNKNOWN)) if _signed(view) else None


def signature_age(view: View) -> Value:
    """Milliseconds since signing; always 0 for Signature Version 2."""
    if not _signed(view):
        return None
    return age_of_signature(view.caller.signature_version, view.request.signed_time, view.request.time)


def age_of_signature(version: str | None, signed: datetime | None, time: datetime | None) -> Value:
    """The same of a signing time and the time of evaluation."""
    if version == SIGV2:
        return ("0",)
    if signed is None or time is None:
        return UNKNOWN
    return (str(max(0, round((time - signed).total_seconds() * 1000))),)


def tls_version(view: View) -> Value:
    """Of the connection that reaches S3."""
    return None if view.call.secure is False else view.unsaid


def resource_account(view: View) -> Value:
    """The account that owns the bucket."""
    return one(view.resource_account)


def access_point_arn(view: View) -> Value:
    """The access point that the request came through; UNKNOWN for an alias that nobody here can resolve."""
    arn = view.requirement.via_access_point
    return one(UNKNOWN if arn is not None and "*" in arn else arn)


def access_point_account(view: View) -> Value:
    """The account that owns it."""
    arn = Arn.parse(view.requirement.via_access_point or "")
    return None if arn is None else one(arn.account if arn.account.isdigit() else UNKNOWN)


def access_point_origin(view: View) -> Value:
    """Internet or VPC."""
    if view.requirement.via_access_point is None:
        return None
    point = view.access_point
    if point is None or point.vpc is UNKNOWN:
        return UNKNOWN
    return ("Internet" if point.vpc is None else "VPC",)


SESSION_MODE = "s3express:sessionmode"
SESSION_MODES = ("ReadWrite", "ReadOnly")
"""Where no mode is asked for, S3 tries the one and then the other."""
_WITHIN_READ_ONLY = frozenset(
    {
        "GetObject",
        "GetObjectAttributes",
        "HeadBucket",
        "HeadObject",
        "ListMultipartUploads",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
    }
)


def session_mode(view: View) -> Value:
    """Of a session for a directory bucket: the one that is asked for, or that the operation has to be in. UNKNOWN:
    either will do.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html"""
    if view.request.operation == "CreateSession":
        return one(view.request.header("x-amz-create-session-mode") or UNKNOWN)
    reads = view.requirement.source or view.request.operation in _WITHIN_READ_ONLY
    return UNKNOWN if reads else (SESSION_MODES[0],)


def of_session(derive: Callable[[View], Value]) -> Callable[[View], Value]:
    """The same, where the request creates the session; otherwise an earlier one did, which is not at hand."""

    def derived(view: View) -> Value:
        by_session = view.requirement.action == "s3express:CreateSession"
        return UNKNOWN if by_session and view.request.operation != "CreateSession" else derive(view)

    return derived


def payload_hash(view: View) -> Value:
    """As the header says it."""
    return one(view.request.header("x-amz-content-sha256"))


def access_grants_instance(view: View) -> Value:
    """In credentials that S3 Access Grants vended, which are temporary."""
    return None if view.caller.temporary is Truth.NO else view.unsaid

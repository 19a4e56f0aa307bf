"""S3's own reasons for a 403 that are no policy's: state of the object, the bucket or the request.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
Each gate is a row of `GATES`; it says whether it refuses, without a look at what S3 answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.acl import requests_public_acl
from denyproxy.s3.open_facts import REQUEST_BODY
from denyproxy.s3.public_access import document_is_public, effective, known
from denyproxy.s3.request import Caller, S3Request
from denyproxy.s3.snapshot import AccessPointFacts, BlockPublicAccess, ObjectFacts, PolicySnapshot
from denyproxy.s3.xml import descendant_text, parse_xml
from denyproxy.sigv4.credential import SIGV2
from denyproxy.sigv4.wire import parse_date, utc_text

MAX_CLOCK_SKEW = timedelta(minutes=15)

_ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_READS_OBJECT = frozenset({"GetObject", "SelectObjectContent", "GetObjectTorrent"})
_READS_WITH_KEY = frozenset({"GetObject", "HeadObject", "GetObjectAttributes"})
_COPIES = frozenset({"CopyObject", "UploadPartCopy"})
_MAY_CARRY_ACL = frozenset(
    {"PutBucketAcl", "PutObjectAcl", "PutObject", "PostObject", "CopyObject", "CreateMultipartUpload"}
)
_OWNER_ONLY = frozenset({"CreateBucket", "ListBuckets"})


class Refusal(NamedTuple):
    """S3 refuses for a reason of its own. `truth` YES: whatever the unknowns are."""

    layer: str
    element: str
    truth: Truth
    expected: str | None = None
    actual: str | None = None
    facts: tuple[str, ...] = ()
    """The facts that are missing, where truth is UNKNOWN."""


Gate = Callable[[S3Request, Caller, PolicySnapshot], Iterator[Refusal]]


def refusals(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> tuple[Refusal, ...]:
    """All refusals that hold or may hold, in the order in which S3 checks."""
    found: list[Refusal] = []
    for gate, operations in GATES:
        if operations is None or request.operation in operations:
            found += [refusal for refusal in gate(request, caller, snapshot) if refusal.truth is not Truth.NO]
    return tuple(found)


def block_public_access(
    bucket: str | None, access_point: AccessPointFacts | None, snapshot: PolicySnapshot
) -> tuple[BlockPublicAccess, ...]:
    """The places whose settings bear on a bucket: its account, itself, the access point used."""
    places: list[BlockPublicAccess] = []
    if bucket is not None:
        facts = snapshot.bucket(bucket)
        places += [snapshot.account(facts.account).block_public_access, facts.block_public_access]
    if access_point is not None:
        places.append(access_point.block_public_access)
    return tuple(places)


def open_settings(
    setting: str, bucket: str | None, access_point: AccessPointFacts | None, snapshot: PolicySnapshot
) -> tuple[str, ...]:
    """The places of which it would have to be known whether they have a setting on."""
    places = block_public_access(bucket, access_point, snapshot)
    if effective(setting, places) is not Truth.UNKNOWN:
        return ()
    owner = snapshot.bucket(bucket or "").account
    account = f"the account of bucket {bucket}" if owner is UNKNOWN else f"account {owner}"
    names = (*(() if bucket is None else (account, f"bucket {bucket}")), "the access point")
    return tuple(
        f"Block Public Access settings of {name}"
        for name, place in zip(names, places, strict=False)
        if effective(setting, (place,)) is Truth.UNKNOWN
    )


def clock_skew(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """S3 accepts a signing time at most 15 minutes from its own; of a presigned URL, at most as much ahead of it."""
    if request.time is None or request.signed_time is None:
        return
    ahead = request.signed_time - request.time
    if caller.auth_type == "REST-HEADER":
        refused = abs(ahead) > MAX_CLOCK_SKEW
    else:
        refused = request.parameter("X-Amz-Date") is not None and ahead > MAX_CLOCK_SKEW
    if refused:
        yield Refusal("clock-skew", "date", Truth.YES, utc_text(request.time), utc_text(request.signed_time))


def presigned_expired(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """A presigned URL lives from X-Amz-Date for X-Amz-Expires seconds; with Signature Version 2 until Expires."""
    lifetime, until = request.parameter("X-Amz-Expires"), request.parameter("Expires")
    if request.time is None:
        return
    if lifetime is not None and lifetime.isdigit() and request.signed_time is not None:
        name, expiry = "X-Amz-Expires", request.signed_time + timedelta(seconds=min(int(lifetime), 604800))
    elif caller.signature_version == SIGV2 and until is not None and until.isdigit() and len(until) <= 10:
        name, expiry = "Expires", datetime.fromtimestamp(int(until), UTC)
    else:
        return
    if request.time > expiry:
        yield Refusal("presigned-expired", f"query:{name}", Truth.YES, utc_text(expiry), utc_text(request.time))


def headers_not_signed(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """Every x-amz-* header of a request signed with SigV4 must be among its SignedHeaders."""
    if request.signed_headers is None:
        return
    unsigned = [name for name in sorted(request.sent_headers - request.signed_headers) if name.startswith("x-amz-")]
    signed = ";".join(sorted(request.signed_headers)) if unsigned else ""
    for name in unsigned:
        yield Refusal("headers-not-signed", f"header:{name}", Truth.YES, signed, ", ".join(unsigned))


def expected_bucket_owner(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """x-amz-expected-bucket-owner must be the account that owns the bucket."""
    pairs = [("x-amz-expected-bucket-owner", request.bucket)]
    if request.copy_source is not None:
        pairs.append(("x-amz-source-expected-bucket-owner", request.copy_source.bucket))
    for header, bucket in pairs:
        expected = request.header(header)
        if expected is None or bucket is None:
            continue
        owner = snapshot.bucket(bucket).account
        if owner is UNKNOWN:
            fact = f"owner of bucket {bucket}"
            yield Refusal("expected-bucket-owner", f"header:{header}", Truth.UNKNOWN, None, expected, (fact,))
        elif owner != expected.strip():
            yield Refusal("expected-bucket-owner", f"header:{header}", Truth.YES, owner, expected)


def requester_pays(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """Others than the owner's account must say that they pay; anonymous callers never can."""
    if request.operation in _OWNER_ONLY:
        return
    anonymous = caller.principal.type is PrincipalType.ANONYMOUS
    said = request.header("x-amz-request-payer") or request.parameter("x-amz-request-payer")
    if said == "requester" and not anonymous:
        return
    buckets = [request.bucket]
    if request.copy_source is not None:
        buckets.append(request.copy_source.bucket)
    for bucket in buckets:
        if bucket is None:
            continue
        facts = snapshot.bucket(bucket)
        pays = Truth.UNKNOWN if facts.request_payer is UNKNOWN else Truth.of(facts.request_payer == "Requester")
        truth = min(pays, ~same_account(caller, facts.account))
        missing = () if truth is not Truth.UNKNOWN else (f"request payment of bucket {bucket}",)
        yield Refusal("requester-pays", "header:x-amz-request-payer", truth, "requester", said, missing)
        if truth is Truth.YES:
            return


def same_account(caller: Caller, owner: str | Unknown) -> Truth:
    """Does the caller belong to the account `owner`? Anonymous callers belong to none."""
    principal = caller.principal
    if principal.type in (PrincipalType.ANONYMOUS, PrincipalType.SERVICE):
        return Truth.NO
    if principal.account is None or owner is UNKNOWN:
        return Truth.UNKNOWN
    return Truth.of(principal.account == owner)


def public_acl_blocked(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """BlockPublicAcls refuses requests that carry a public ACL."""
    public = requests_public_acl(request)
    access_point = snapshot.access_points.get(request.access_point or "")
    blocked = effective("BlockPublicAcls", block_public_access(request.bucket, access_point, snapshot))
    missing = open_settings("BlockPublicAcls", request.bucket, access_point, snapshot)
    missing += (REQUEST_BODY,) if public is Truth.UNKNOWN and request.body is None else ()
    actual = request.header("x-amz-acl") or "a public ACL"
    yield _setting("BlockPublicAcls", min(public, blocked), actual, missing)


def public_policy_blocked(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """BlockPublicPolicy refuses to store a public bucket policy."""
    public = Truth.UNKNOWN if request.body is None else document_is_public(request.body)
    blocked = effective("BlockPublicPolicy", block_public_access(request.bucket, None, snapshot))
    missing = open_settings("BlockPublicPolicy", request.bucket, None, snapshot)
    missing += (REQUEST_BODY,) if request.body is None else ()
    yield _setting("BlockPublicPolicy", min(public, blocked), "a public policy", missing)


def _setting(name: str, truth: Truth, actual: str, missing: tuple[str, ...]) -> Refusal:
    facts = missing if truth is Truth.UNKNOWN else ()
    return Refusal("block-public-access", f"setting:{name}", truth, None, actual, facts)


def sse_c_blocked(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """BlockedEncryptionTypes may refuse uploads with customer-provided keys (the default since April 2026)."""
    name = "x-amz-server-side-encryption-customer-algorithm"
    if request.header(name) is None or request.method not in ("PUT", "POST") or request.bucket is None:
        return
    blocked = snapshot.bucket(request.bucket).blocked_encryption_types
    truth = Truth.UNKNOWN if blocked is UNKNOWN else Truth.of("SSE-C" in blocked)
    missing = (f"blocked encryption types of bucket {request.bucket}",) if truth is Truth.UNKNOWN else ()
    yield Refusal("sse-c-blocked", "setting:BlockedEncryptionTypes", truth, None, request.header(name), missing)


def wrong_sse_c_key(request: S3Request, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """A read with another customer-provided key than the object's. S3 does not keep the key, so that no fact shows it.

    Not among `GATES`: nothing but an answer without a reason hints at it."""
    if request.operation not in _READS_WITH_KEY or request.bucket is None or request.key is None:
        return
    if request.header("x-amz-server-side-encryption-customer-algorithm") is None:
        return
    facts = snapshot.object(request.bucket, request.key)
    if facts is None or facts.sse is UNKNOWN or facts.sse is None:
        element = "header:x-amz-server-side-encryption-customer-key"
        yield Refusal("sse-c-blocked", element, Truth.UNKNOWN, facts=("customer-provided key of the object",))


def archived_object(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """An archived object must be restored before it is read or copied."""
    facts: ObjectFacts | None = None
    if request.operation in _READS_OBJECT and request.bucket is not None and request.key is not None:
        facts = snapshot.object(request.bucket, request.key)
    elif request.operation in _COPIES and request.copy_source is not None:
        facts = snapshot.object(request.copy_source.bucket, request.copy_source.key)
    if facts is None:
        return
    if facts.storage_class is UNKNOWN:
        yield Refusal("archived-object", "state:storage-class", Truth.UNKNOWN, facts=("storage class of the object",))
    elif facts.storage_class in _ARCHIVED_CLASSES:
        truth = ~known(facts.restored)
        yield Refusal("archived-object", "state:storage-class", truth, "a restored copy", facts.storage_class)


def object_lock(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """A version under retention or legal hold cannot be deleted; GOVERNANCE yields to the bypass header."""
    if request.parameter("versionId") is None or request.bucket is None or request.key is None:
        return
    facts = snapshot.object(request.bucket, request.key)
    if facts is None:
        return
    hold = known(facts.legal_hold)
    missing = ("legal hold of the object version",) if hold is Truth.UNKNOWN else ()
    yield Refusal("object-lock", "state:legal-hold", hold, "OFF", "ON" if hold is Truth.YES else None, missing)
    retention = _retention(request, facts)
    if retention is not None and not (facts.lock_mode == "GOVERNANCE" and _bypasses(request)):
        yield retention


def shortened_retention(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """A running retention can be made longer, not shorter or weaker; GOVERNANCE yields to the bypass header.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes"""
    if request.bucket is None or request.key is None:
        return
    facts = snapshot.object(request.bucket, request.key)
    retention = _retention(request, facts) if facts is not None else None
    if facts is None or retention is None or (facts.lock_mode == "GOVERNANCE" and _bypasses(request)):
        return
    wanted = parse_xml(request.body)
    until, mode = parse_date(descendant_text(wanted, "RetainUntilDate")), descendant_text(wanted, "Mode") or None
    if wanted is None or not isinstance(facts.retain_until, datetime):
        weaker = Truth.UNKNOWN
    elif until is None or until < facts.retain_until:
        weaker = Truth.YES
    elif mode == facts.lock_mode:
        weaker = Truth.NO
    else:
        weaker = Truth.YES if facts.lock_mode == "COMPLIANCE" else Truth.UNKNOWN
    yield retention._replace(truth=min(retention.truth, weaker))


def _bypasses(request: S3Request) -> bool:
    return (request.header("x-amz-bypass-governance-retention") or "").lower() == "true"


def _retention(request: S3Request, facts: ObjectFacts) -> Refusal | None:
    """The retention of a version as a refusal; its truth is whether it still runs. None: it has none."""
    if facts.lock_mode is UNKNOWN or facts.retain_until is UNKNOWN:
        return Refusal("object-lock", "state:retention", Truth.UNKNOWN, facts=("retention of the object version",))
    if facts.lock_mode is None:
        return None
    until = facts.retain_until
    active = Truth.UNKNOWN if until is None or request.time is None else Truth.of(until > request.time)
    actual = f"{facts.lock_mode} until {utc_text(until)}" if until else facts.lock_mode
    return Refusal("object-lock", "state:retention", active, None, actual)


def mfa_delete(request: S3Request, caller: Caller, snapshot: PolicySnapshot) -> Iterator[Refusal]:
    """With MFA delete, only the root user with x-amz-mfa deletes versions or changes versioning."""
    if request.operation == "DeleteObject" and request.parameter("versionId") is None:
        return
    if request.bucket is None:
        return
    if request.header("x-amz-mfa") is not None and caller.principal.type is PrincipalType.ROOT:
        return
    truth = known(snapshot.bucket(request.bucket).mfa_delete)
    missing = (f"MFA delete of bucket {request.bucket}",) if truth is Truth.UNKNOWN else ()
    yield Refusal("mfa-delete", "header:x-amz-mfa", truth, None, request.header("x-amz-mfa") and "sent", missing)


GATES: tuple[tuple[Gate, frozenset[str] | None], ...] = (
    (clock_skew, None),
    (presigned_expired, None),
    (headers_not_signed, None),
    (expected_bucket_owner, None),
    (requester_pays, None),
    (public_acl_blocked, _MAY_CARRY_ACL),
    (public_policy_blocked, frozenset({"PutBucketPolicy"})),
    (sse_c_blocked, None),
    (archived_object, _READS_OBJECT | _COPIES),
    (object_lock, frozenset({"DeleteObject"})),
    (shortened_retention, frozenset({"PutObjectRetention"})),
    (mfa_delete, frozenset({"DeleteObject", "PutBucketVersioning"})),
)
"""In the order of S3's own checks, as far as it is known: request, bucket, object; with the operations of which each
looks at the request (None: all)."""

REQUEST_GATES = frozenset({"clock-skew", "presigned-expired", "headers-not-signed"})
"""Layers that S3 checks before any policy."""
STATE_GATES = frozenset({"archived-object", "object-lock", "mfa-delete"})
"""Layers that S3 checks after the policies: an answer of theirs proves that the policies allowed."""

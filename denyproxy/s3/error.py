"""What kind of 403 is this? S3's codes and messages, sorted into the families that have a cause of their own.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from denyproxy.exchange import RequestHead
from denyproxy.s3.denial_message import DenialMessage, parse_denial_message
from denyproxy.s3.error_document import S3Error, errors_in_success, parse_error
from denyproxy.s3.request import Caller, S3Request
from denyproxy.sigv4.canonical import canonical_request, first_difference
from denyproxy.sigv4.credential import SIGV4, SIGV4A, parse_credential
from denyproxy.sigv4.wire import parse_date, utc_text

__all__ = [
    "DenialMessage",
    "Family",
    "Kind",
    "S3Error",
    "errors_in_success",
    "kind_of_403",
    "parse_denial_message",
    "parse_error",
]


class Family(StrEnum):
    """Families of 403. All but POLICY and PLAIN are layers of their own, under this name."""

    POLICY = "policy"
    """The message names a policy layer."""
    PLAIN = "plain"
    """S3 does not say: policies, or a state of its own."""
    SIGNATURE_MISMATCH = "signature-mismatch"
    UNKNOWN_ACCESS_KEY = "unknown-access-key"
    CLOCK_SKEW = "clock-skew"
    PRESIGNED_EXPIRED = "presigned-expired"
    HEADERS_NOT_SIGNED = "headers-not-signed"
    ARCHIVED_OBJECT = "archived-object"
    OBJECT_LOCK = "object-lock"
    MFA_DELETE = "mfa-delete"
    SSE_C_BLOCKED = "sse-c-blocked"
    POST_POLICY = "post-policy"
    CORS = "cors"
    ACCOUNT_PROBLEM = "account-problem"
    BLOCK_PUBLIC_ACCESS = "block-public-access"


@dataclass(frozen=True, slots=True)
class Kind:
    """What S3 says of its own 403."""

    family: Family
    element: str | None = None
    expected: str | None = None
    actual: str | None = None

    @property
    def layer(self) -> str | None:
        """The layer that denies, where it is not a policy's; None: the policies have to be asked."""
        return None if self.family in (Family.POLICY, Family.PLAIN) else self.family.value


@dataclass(frozen=True, slots=True)
class _Case:
    error: S3Error
    request: S3Request
    caller: Caller
    head: RequestHead | None
    as_signed: bool


def kind_of_403(
    error: S3Error, request: S3Request, caller: Caller, head: RequestHead | None = None, *, as_signed: bool = True
) -> Kind:
    """The family of an error, with what S3 and the request tell of it. Never raises.

    `head` is the request as the client sent it: with it, a SignatureDoesNotMatch names the line that differs.
    `as_signed`: False where the client may have sent another path than it signed; then the secret is not blamed."""
    case = _Case(error, request, caller, head, as_signed)
    for code, message, kind, details in _RULES:
        if error.code == code and (message is None or (error.message or "").startswith(message)):
            return kind if details is None else details(case, kind)
    return Kind(Family.PLAIN)


def _by_message(case: _Case, kind: Kind) -> Kind:
    denial = parse_denial_message(case.error.message)
    if denial is None:
        return Kind(Family.PLAIN)
    if denial.setting is not None:
        return Kind(Family.BLOCK_PUBLIC_ACCESS, f"setting:{denial.setting}")
    if denial.blocks_sse_c:
        return Kind(Family.SSE_C_BLOCKED, "setting:BlockedEncryptionTypes")
    return kind


def _difference(case: _Case, kind: Kind) -> Kind:
    """The line of the canonical request in which S3's differs from what the client sent; if none, a signed header that
    was not sent; else the secret."""
    theirs, head = case.error.canonical_request, case.head
    if theirs is None or head is None:
        return kind
    credential = parse_credential(head)
    if credential.algorithm not in (SIGV4, SIGV4A) or credential.signed_headers is None:
        return kind
    sent = canonical_request(head, credential)
    difference = first_difference(sent, theirs)
    if difference is None:
        # Both sides take it for empty, and what was signed had a value.
        absent = {*credential.signed_headers} - {"host", *(name.lower() for name, _ in head.headers)}
        if absent:
            return replace(kind, element=f"header:{min(absent)}")
        # Where the client does not state its payload's hash, it may have signed another one.
        unknown = sent.endswith("\n") or not case.as_signed
        return kind if unknown else replace(kind, element="secret")
    element, ours, seen = difference
    return replace(kind, element=element, expected=ours, actual=seen)


def _missing_parameter(case: _Case, kind: Kind) -> Kind:
    names = ("Signature", "Expires", "AWSAccessKeyId")
    missing = next((name for name in names if case.request.parameter(name) is None), None)
    return kind if missing is None else replace(kind, element=f"query:{missing}")


def _access_key(case: _Case, kind: Kind) -> Kind:
    return replace(kind, actual=case.error.elements.get("AWSAccessKeyId") or case.caller.access_key_id)


def _skew(case: _Case, kind: Kind) -> Kind:
    server = parse_date(case.error.elements.get("ServerTime")) or case.request.time
    client = parse_date(case.error.elements.get("RequestTime")) or case.request.signed_time
    if server is None or client is None:
        return kind
    return replace(kind, expected=utc_text(server), actual=utc_text(client))


def _expiry(case: _Case, kind: Kind) -> Kind:
    version2 = case.request.parameter("Expires") is not None and case.request.parameter("X-Amz-Expires") is None
    if version2:
        kind = replace(kind, element="query:Expires")
    server = parse_date(case.error.elements.get("ServerTime")) or case.request.time
    expires = parse_date(case.error.elements.get("Expires")) or _end_of_life(case.request)
    if server is None or expires is None:
        return kind
    return replace(kind, expected=utc_text(expires), actual=utc_text(server))


def _end_of_life(request: S3Request) -> datetime | None:
    lifetime, expires = request.parameter("X-Amz-Expires"), request.parameter("Expires")
    try:
        if lifetime is not None and request.signed_time is not None:
            return request.signed_time + timedelta(seconds=int(lifetime))
        return datetime.fromtimestamp(int(expires), UTC) if expires is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def _unsigned(case: _Case, kind: Kind) -> Kind:
    named, signed = case.error.elements.get("HeadersNotSigned"), case.request.signed_headers
    if named is not None:
        headers = tuple(name.lower() for name in re.split(r"[,;\s]+", named) if name)
    else:
        unsigned = case.request.sent_headers - (_ALWAYS_SIGNED if signed is None else signed)
        headers = tuple(sorted(name for name in unsigned if name.startswith("x-amz-")))
    if not headers or (signed is None and named is None and len(headers) > 1):
        return kind
    expected = None if signed is None else ";".join(sorted(signed))
    return replace(kind, element=f"header:{headers[0]}", expected=expected, actual=", ".join(headers))


_ALWAYS_SIGNED = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})
"""By every client, where it is not known what was signed."""


def _storage_class(case: _Case, kind: Kind) -> Kind:
    elements = case.error.elements
    wanted = TO_RESTORE if case.request.operation == "RestoreObject" else None
    return replace(kind, expected=wanted, actual=elements.get("StorageClass") or elements.get("AccessTier"))


TO_RESTORE = "an archived object"
"""What a restore is refused for want of."""


def _named(case: _Case, kind: Kind) -> Kind:
    return replace(kind, element=case.error.code, actual=case.error.message)


def _condition(case: _Case, kind: Kind) -> Kind:
    said = (case.error.message or "").removeprefix(_POST_POLICY).strip()
    return replace(kind, element=said or None)


_POST_POLICY = "Invalid according to Policy:"
_NO_SECRET_KEY = (
    "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret"
)
_Details = Callable[[_Case, Kind], Kind]
_SIGNATURE = Kind(Family.SIGNATURE_MISMATCH)
_ARCHIVED = Kind(Family.ARCHIVED_OBJECT, "state:storage-class")

_RULES: tuple[tuple[str, str | None, Kind, _Details | None], ...] = (
    ("SignatureDoesNotMatch", None, _SIGNATURE, _difference),
    ("MissingAuthenticationToken", None, replace(_SIGNATURE, element="header:authorization"), None),
    *(
        (code, None, Kind(Family.UNKNOWN_ACCESS_KEY, element), _access_key)
        for code, element in (
            ("InvalidAccessKeyId", "access-key-id"),
            ("InvalidSecurity", "access-key-id"),
            ("InvalidToken", "header:x-amz-security-token"),
            ("InvalidTokenId", "header:x-amz-security-token"),
            ("ExpiredToken", "header:x-amz-security-token"),
        )
    ),
    ("RequestTimeTooSkewed", None, Kind(Family.CLOCK_SKEW, "date"), _skew),
    ("InvalidObjectState", None, _ARCHIVED, _storage_class),
    ("ObjectNotInActiveTierError", None, _ARCHIVED, _storage_class),
    ("AccessForbidden", None, Kind(Family.CORS), _named),
    *(
        (code, None, Kind(Family.ACCOUNT_PROBLEM), _named)
        for code in (
            "AccountProblem",
            "AllAccessDisabled",
            "CrossLocationLoggingProhibited",
            "CrossLocationLoggingProhibitted",
            "InvalidPayer",
            "InvalidRegion",
            "LambdaPermissionError",
            "NotSignedUp",
            "StsNotAuthorizedError",
            "UnauthorizedAccessError",
            "UnexpectedIPError",
        )
    ),
    ("AccessDenied", "Request has expired", Kind(Family.PRESIGNED_EXPIRED, "query:X-Amz-Expires"), _expiry),
    (
        "AccessDenied",
        "There were headers present in the request which were not signed",
        Kind(Family.HEADERS_NOT_SIGNED),
        _unsigned,
    ),
    ("AccessDenied", "Query-string authentication requires the Signature", _SIGNATURE, _missing_parameter),
    ("AccessDenied", "Request is not yet valid", Kind(Family.CLOCK_SKEW, "date", actual="X-Amz-Date"), _skew),
    ("AccessDenied", "AWS authentication requires a valid Date", Kind(Family.CLOCK_SKEW, "date"), None),
    ("AccessDenied", _POST_POLICY, Kind(Family.POST_POLICY), _condition),
    (
        "AccessDenied",
        _NO_SECRET_KEY,
        Kind(Family.SSE_C_BLOCKED, "header:x-amz-server-side-encryption-customer-key"),
        None,
    ),
    ("AccessDenied", "Access Denied because object protected by object lock", Kind(Family.OBJECT_LOCK), None),
    ("AccessDenied", "Mfa Authentication must be used", Kind(Family.MFA_DELETE, "header:x-amz-mfa"), None),
    ("AccessDenied", None, Kind(Family.POLICY), _by_message),
)
"""Code, start of the message, kind, and what completes it. The first that fits counts."""

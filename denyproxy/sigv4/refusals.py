"""What S3 says to a request whose signature it does not accept.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from denyproxy.sigv4.credentials import Credentials

TWO_SIGNATURES = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
MALFORMED = "The authorization header is malformed; it needs Credential, SignedHeaders and Signature."
OTHER_DATE = (
    'The authorization header is malformed; Invalid credential date "{}". '
    'This date is not the same as X-Amz-Date: "{}".'
)
TOO_LONG = (
    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 "
    "seconds"
)
NO_PAYLOAD = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
)
AMBIGUOUS = (
    "This URL has a parameter whose name is written in more than one way, or that could stand for another one: "
    "denyproxy does not sign it again. This is denyproxy's own refusal."
)
EXPRESS = "S3 Express session credentials (directory buckets)"
NOT_HERE = (
    "denyproxy's resign mode cannot sign again what is signed with {}. Use its forward mode (HTTP_PROXY and an http:// "
    "endpoint) or passthrough, where nothing is signed again. This is denyproxy's own refusal."
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not accepted, as S3 says it."""

    status: int
    code: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()
    """Further elements of the error document."""


def not_signed_again(what: str) -> Refusal:
    """What only the other modes can relay."""
    return Refusal(501, "NotImplemented", NOT_HERE.format(what))


def unknown_key(key_id: str) -> Refusal:
    """There is no such key."""
    return Refusal(
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        (("AWSAccessKeyId", key_id),),
    )


def skewed(signed_at: datetime, now: datetime) -> Refusal:
    """The clock that signed is off by more than 15 minutes."""
    return Refusal(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        (
            ("RequestTime", signed_at.strftime("%Y%m%dT%H%M%SZ")),
            ("ServerTime", now.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ("MaxAllowedSkewMilliseconds", "900000"),
        ),
    )


def expired(expiry: datetime, now: datetime, more: tuple[tuple[str, str], ...] = ()) -> Refusal:
    """A URL is too old."""
    moments = (("Expires", expiry.strftime("%Y-%m-%dT%H:%M:%SZ")), ("ServerTime", now.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return Refusal(403, "AccessDenied", "Request has expired", (*more, *moments))


def bad_query(message: str) -> Refusal:
    """The parameters of a presigned URL are malformed."""
    return Refusal(400, "AuthorizationQueryParametersError", message)


def mismatch(credentials: Credentials, given: str, text: str, canonical: str | None = None) -> Refusal:
    """The signature is another one: with what should have been signed, so that it can be compared."""
    fields = [
        ("AWSAccessKeyId", credentials.access_key_id),
        ("StringToSign", text),
        ("SignatureProvided", given),
        ("StringToSignBytes", _hex(text)),
    ]
    if canonical is not None:
        fields += [("CanonicalRequest", canonical), ("CanonicalRequestBytes", _hex(canonical))]
    return Refusal(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        tuple(fields),
    )


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").hex(" ")

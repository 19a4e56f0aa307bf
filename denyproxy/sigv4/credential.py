"""What a request is signed with, read off its head. Neither signature nor token nor secret is kept.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html (Signature Version 2)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from denyproxy.exchange import RequestHead
from denyproxy.remembered import Remembered
from denyproxy.sigv4.wire import first_parameter, parse_date, parse_query, split_target

SIGV4 = "AWS4-HMAC-SHA256"
SIGV4A = "AWS4-ECDSA-P256-SHA256"
SIGV2 = "AWS"
_ALGORITHMS = (SIGV4, SIGV4A)


class CredentialKind(StrEnum):
    """Where the signature stands."""

    HEADER = "header"
    QUERY = "query"
    POST = "post"
    ANONYMOUS = "anonymous"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request is signed with."""

    kind: CredentialKind
    access_key_id: str | None = None
    algorithm: str | None = None
    """AWS4-HMAC-SHA256, AWS4-ECDSA-P256-SHA256, or AWS for Signature Version 2."""
    region: str | None = None
    """Of the credential scope; None for versions without one."""
    service: str | None = None
    signed_headers: tuple[str, ...] | None = None
    """Lower case, as listed. None: this version has no such list."""
    signed_at: datetime | None = None
    """Aware UTC."""
    expires_seconds: int | None = None
    """Lifetime of a presigned URL (X-Amz-Expires)."""
    expires_at: datetime | None = None
    """Aware UTC: end of a presigned URL's life."""
    has_session_token: bool = False
    problem: str | None = None
    """For MALFORMED: what is wrong."""


ANONYMOUS = Credential(CredentialKind.ANONYMOUS)


def parse_credential(head: RequestHead) -> Credential:
    """The credential of a request head; ANONYMOUS if it is not signed, MALFORMED with the problem if it is badly."""
    authorization = head.header("authorization")
    if authorization is not None:
        return _from_header(authorization.strip(), head)
    parameters = parse_query(split_target(head)[2])
    if first_parameter(parameters, "X-Amz-Algorithm") is not None or first_parameter(parameters, "X-Amz-Signature"):
        return _from_query(parameters)
    if any(name in ("AWSAccessKeyId", "Signature") for name, _ in parameters):
        return _from_sigv2_query(parameters)
    return ANONYMOUS


def credential_of_form(fields: Mapping[str, str]) -> Credential:
    """The credential of a POST upload, from its form fields (lower-case names).

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html"""
    token = "x-amz-security-token" in fields
    if "x-amz-credential" in fields:
        scope = _scope(fields["x-amz-credential"])
        algorithm = fields.get("x-amz-algorithm", SIGV4)
        if scope is None:
            return _malformed("x-amz-credential is not AKID/date/region/service/aws4_request", algorithm)
        key, region, service = scope
        signed_at = parse_date(fields.get("x-amz-date"))
        return Credential(
            CredentialKind.POST, key, algorithm, region, service, signed_at=signed_at, has_session_token=token
        )
    if "awsaccesskeyid" in fields:
        return Credential(CredentialKind.POST, fields["awsaccesskeyid"], SIGV2, has_session_token=token)
    return ANONYMOUS


def _malformed(problem: str, algorithm: str | None = None) -> Credential:
    return Credential(CredentialKind.MALFORMED, algorithm=algorithm, problem=problem)


def _from_header(authorization: str, head: RequestHead) -> Credential:
    algorithm, _, rest = authorization.partition(" ")
    token = head.header("x-amz-security-token") is not None or head.header("x-amz-s3session-token") is not None
    signed_at = parse_date(head.header("x-amz-date")) or parse_date(head.header("date"))
    if algorithm == SIGV2:
        key, colon, _ = rest.strip().partition(":")
        if not colon or not key:
            return _malformed("the Authorization header is not `AWS AKID:signature`", SIGV2)
        return Credential(CredentialKind.HEADER, key, SIGV2, signed_at=signed_at, has_session_token=token)
    if algorithm not in _ALGORITHMS:
        return _malformed("the Authorization header names no algorithm that S3 knows")
    start, mark, signature = authorization.rpartition("Signature=")
    separate = mark and signature.isalnum() and start.rstrip(" ").endswith(",")
    scope, listed = _beginnings[start] if separate else _scope_and_names(authorization)
    if scope is None:
        return _malformed("Credential is not AKID/date/region/service/aws4_request", algorithm)
    if listed is None:
        return _malformed("SignedHeaders is missing", algorithm)
    key, region, service = scope
    return Credential(
        CredentialKind.HEADER,
        key,
        algorithm,
        region,
        service,
        signed_headers=listed,
        signed_at=signed_at,
        has_session_token=token,
    )


def _scope_and_names(text: str) -> tuple[tuple[str, str | None, str] | None, tuple[str, ...] | None]:
    """Of an Authorization field of Version 4; None: malformed, or missing.

    Laxer than `sigv4.scope`: who explains has to read what who verifies may refuse."""
    algorithm, _, rest = text.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    listed = fields.get("SignedHeaders")
    return _scope(fields.get("Credential", ""), algorithm), _names(listed) if listed else None


_beginnings = Remembered(_scope_and_names, size=512)
"""Of what comes before a signature: it repeats from request to request."""


def _from_query(parameters: Sequence[tuple[str, str]]) -> Credential:
    algorithm = first_parameter(parameters, "X-Amz-Algorithm") or SIGV4
    if algorithm not in _ALGORITHMS:
        return _malformed("X-Amz-Algorithm names no algorithm that S3 knows")
    signed_at = parse_date(first_parameter(parameters, "X-Amz-Date"))
    seconds = _seconds(first_parameter(parameters, "X-Amz-Expires"))
    headers = first_parameter(parameters, "X-Amz-SignedHeaders")
    common = Credential(
        CredentialKind.QUERY,
        algorithm=algorithm,
        signed_headers=None if headers is None else _names(headers),
        signed_at=signed_at,
        expires_seconds=seconds,
        expires_at=None if signed_at is None or seconds is None else _after(signed_at, seconds),
        has_session_token=first_parameter(parameters, "X-Amz-Security-Token") is not None,
    )
    credential = first_parameter(parameters, "X-Amz-Credential")
    if credential is None:
        return common
    scope = _scope(credential, algorithm)
    if scope is None:
        return _malformed("X-Amz-Credential is not AKID/date/region/service/aws4_request", algorithm)
    key, region, service = scope
    return replace(common, access_key_id=key, region=region, service=service)


def _from_sigv2_query(parameters: Sequence[tuple[str, str]]) -> Credential:
    values = dict(reversed(parameters))
    key = values.get("AWSAccessKeyId")
    if not key or "Signature" not in values or "Expires" not in values:
        return _malformed("Signature, Expires and AWSAccessKeyId belong together", SIGV2)
    seconds = _seconds(values["Expires"])
    return Credential(
        CredentialKind.QUERY,
        key,
        SIGV2,
        expires_at=None if seconds is None else _after(datetime(1970, 1, 1, tzinfo=UTC), seconds),
        has_session_token=first_parameter(parameters, "x-amz-security-token") is not None,
    )


def _scope(text: str, algorithm: str = SIGV4) -> tuple[str, str | None, str] | None:
    """Access key id (which may itself contain slashes), region and service; SigV4A scopes have no region."""
    parts = text.split("/")
    if algorithm == SIGV4A:
        if len(parts) < 4 or parts[-1] != "aws4_request":
            return None
        key, region, service = "/".join(parts[:-3]), None, parts[-2]
    else:
        if len(parts) < 5 or parts[-1] != "aws4_request":
            return None
        key, region, service = "/".join(parts[:-4]), parts[-3], parts[-2]
    return (key, region, service) if key else None


_NAME = re.compile(r"[^\s=]+")
"""Of a header field. With an equals sign it is a signature that a missing comma put there."""


def _names(text: str) -> tuple[str, ...]:
    names = (name.strip().lower() for name in text.split(";"))
    return tuple(name for name in names if _NAME.fullmatch(name))


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,12}", text) else None


def _after(start: datetime, seconds: int) -> datetime | None:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None

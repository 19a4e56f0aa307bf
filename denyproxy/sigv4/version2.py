"""Signature Version 2, as boto3 and s3cmd still presign with.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.canonical import UNSIGNED_PAYLOAD
from denyproxy.sigv4.fields import fields_of
from denyproxy.sigv4.refusals import AMBIGUOUS, Refusal, expired, mismatch, skewed, unknown_key
from denyproxy.sigv4.verified import MAX_SKEW, Lookup, Verified, equal, token_refusal
from denyproxy.sigv4.wire import first_parameter, parse_date

_IN_RESOURCE = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)
"""Query parameters that are part of the resource."""
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def verify_version2(
    head: RequestHead, parameters: Sequence[tuple[str, str]], lookup: Lookup, now: datetime, bucket: str | None
) -> Verified | Refusal:
    """Verify a request that is signed with Version 2, in its Authorization field or its URL. `now`: aware UTC.
    `bucket`: if the Host names it."""
    authorization = head.header("authorization")
    expires: str | None = None
    if authorization is not None:
        key_id, _, given = authorization.strip().partition(" ")[2].strip().partition(":")
        signed_at = parse_date(head.header("x-amz-date")) or parse_date(head.header("date"))
        if not key_id or not given:
            return Refusal(
                400, "InvalidArgument", "Authorization header is invalid -- one and only one ' ' (space) required"
            )
        if signed_at is None:
            return Refusal(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    else:
        values = dict(reversed(parameters))
        key_id, given, expires = (values.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))
        if not key_id or not given or not expires:
            return Refusal(
                403,
                "AccessDenied",
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
            )
        if not re.fullmatch(r"[0-9]{1,11}", expires):
            return Refusal(403, "AccessDenied", "Invalid date (should be seconds since epoch): " + expires[:32])
        if _ambiguous(fields_of(head.headers).by_name(), parameters):
            return Refusal(400, "InvalidArgument", AMBIGUOUS)
        signed_at = None
    credentials = lookup(key_id)
    if credentials is None:
        return unknown_key(key_id)
    if signed_at is not None and abs(now - signed_at) > MAX_SKEW:
        return skewed(signed_at, now)
    if expires is not None and now.timestamp() > int(expires):
        return expired(datetime.fromtimestamp(int(expires), UTC), now)
    token = head.header("x-amz-security-token") or first_parameter(parameters, "x-amz-security-token")
    refusal = token_refusal(credentials, token)
    if refusal is not None:
        return refusal
    texts = _candidates(head, parameters, expires, bucket)
    if any(equal(given, _signature(credentials.secret_access_key, text)) for text in texts):
        return Verified(credentials, UNSIGNED_PAYLOAD)
    return mismatch(credentials, given, texts[0])


def _signature(secret: str, text: str) -> str:
    """Base64 of the HMAC-SHA1."""
    digest = hmac.digest(secret.encode("utf-8", "surrogateescape"), text.encode("utf-8", "surrogateescape"), "sha1")
    return base64.b64encode(digest).decode()


def _ambiguous(headers: Mapping[str, str], parameters: Sequence[tuple[str, str]]) -> bool:
    """Could a URL with these parameters have been signed with others? `headers`: by lower-case name.

    In a string to sign `name:value` are lines: a line break or a colon in a name, or a letter that is another one in
    lower case, makes one of two. And a header field that says something else would be joined with the parameter."""
    sent: dict[str, str] = {}
    for name, value in parameters:
        lower = name.lower()
        if lower.startswith("x-amz-"):
            if _FIELD.fullmatch(name) is None or _CONTROL.search(value) is not None:
                return True
            _add(sent, lower, value)
    return any(headers.get(name, value) != value for name, value in sent.items())


def _candidates(
    head: RequestHead, parameters: Sequence[tuple[str, str]], expires: str | None, bucket: str | None
) -> list[str]:
    """Strings to sign that a client may have signed, the regular one first.

    `expires`: of a URL. `bucket`: where the Host names it. Of a bucket's own resource botocore signs `/b/` for `/b`."""
    headers: dict[str, str] = {}
    for name, value in head.headers:
        _add(headers, name.lower(), " ".join(value.split()))
    in_query: dict[str, str] = {}
    if expires is not None:
        for name, value in parameters:
            if name.lower().startswith("x-amz-"):
                _add(in_query, name.lower(), value)
    amz = {name: value for name, value in headers.items() if name.startswith("x-amz-")} | in_query
    date = expires if expires is not None else "" if "x-amz-date" in headers else headers.get("date", "")
    start = "\n".join((head.method, headers.get("content-md5", ""), headers.get("content-type", ""), date, ""))
    start += "".join(f"{name}:{amz[name]}\n" for name in sorted(amz))
    query = _resource_query(head.query_string, parameters)
    path = head.path if bucket is None else f"/{bucket}{head.path}"
    paths = [path]
    if path.count("/") == 1 and len(path) > 1:
        paths.append(path + "/")
    return [start + spelled + query for spelled in paths]


def _add(values: dict[str, str], name: str, value: str) -> None:
    values[name] = f"{values[name]},{value}" if name in values else value


def _resource_query(raw: str, parameters: Sequence[tuple[str, str]]) -> str:
    bare = {part for part in raw.split("&") if "=" not in part}
    named = sorted((name, value) for name, value in parameters if name in _IN_RESOURCE)
    parts = [name if name in bare and not value else f"{name}={value}" for name, value in named]
    return "?" + "&".join(parts) if parts else ""

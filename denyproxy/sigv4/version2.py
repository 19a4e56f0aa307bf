"""Signature Version 2, as boto3 and s3cmd still presign with.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence

from denyproxy.exchange import RequestHead

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


def signature2(secret: str, text: str) -> str:
    """Base64 of the HMAC-SHA1."""
    digest = hmac.digest(secret.encode("utf-8", "surrogateescape"), text.encode("utf-8", "surrogateescape"), "sha1")
    return base64.b64encode(digest).decode()


_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def ambiguous(headers: Mapping[str, str], parameters: Sequence[tuple[str, str]]) -> bool:
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


def candidates(
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

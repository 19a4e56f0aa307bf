"""Signature Version 2, as boto3 and s3cmd still presign with.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

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


def candidates(
    head: RequestHead, parameters: Sequence[tuple[str, str]], expires: str | None, bucket: str | None
) -> list[str]:
    """Strings to sign that a client may have signed, the regular one first.

    `expires`: of a URL. `bucket`: where the Host names it. Of a bucket's own resource botocore signs `/b/` for `/b`."""
    headers: dict[str, str] = {}
    for name, value in head.headers:
        lower, text = name.lower(), " ".join(value.split())
        headers[lower] = f"{headers[lower]},{text}" if lower in headers else text
    amz = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    if expires is not None:
        amz |= {name.lower(): value for name, value in parameters if name.lower().startswith("x-amz-")}
    date = expires if expires is not None else "" if "x-amz-date" in headers else headers.get("date", "")
    start = "\n".join((head.method, headers.get("content-md5", ""), headers.get("content-type", ""), date, ""))
    start += "".join(f"{name}:{amz[name]}\n" for name in sorted(amz))
    query = _resource_query(head.query_string, parameters)
    path = head.path if bucket is None else f"/{bucket}{head.path}"
    paths = [path]
    if path.count("/") == 1 and len(path) > 1:
        paths.append(path + "/")
    return [start + spelled + query for spelled in paths]


def _resource_query(raw: str, parameters: Sequence[tuple[str, str]]) -> str:
    bare = {part for part in raw.split("&") if "=" not in part}
    named = sorted((name, value) for name, value in parameters if name in _IN_RESOURCE)
    parts = [name if name in bare and not value else f"{name}={value}" for name, value in named]
    return "?" + "&".join(parts) if parts else ""

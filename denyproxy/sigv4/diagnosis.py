"""Which line of a request was changed after it was signed: found by undoing what is known to happen on the way.

An answer is established, not guessed: with the line put back the signature is the right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.canonical import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD
from denyproxy.sigv4.credential import parse_credential
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.verified import Verified

_MOST = 64
"""Alterations that are tried."""
_LONGEST = 8 * 1024
"""Characters of a head that is looked at: each alteration is verified as a whole."""
_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
_REWRITTEN = {
    "accept-encoding": ("identity", "gzip", "gzip, deflate", "gzip,deflate", "*", ""),
    "connection": ("keep-alive", "Keep-Alive", "close", ""),
    "content-type": ("", "application/octet-stream", "binary/octet-stream", "application/xml"),
    "content-length": ("0", ""),
    "expect": ("100-continue", ""),
    "transfer-encoding": ("chunked", ""),
}
"""Header fields that proxies and HTTP libraries change -> what they were."""


def changed_line(
    head: RequestHead, credentials: Credentials, now: datetime, bucket_in_host: str | None = None
) -> str | None:
    """`method`, `path`, `payload`, `query:NAME` or `header:NAME` that is not what was signed; None: not known.

    For a request whose signature does not match. A wrong secret looks like any other change that is not known, and of
    a long head none is."""
    if len(head.target) + sum(len(name) + len(value) for name, value in head.headers) > _LONGEST:
        return None
    signed = parse_credential(head).signed_headers or ()
    sent = {name.lower() for name, _ in head.headers}
    missing = next((name for name in signed if name not in sent), None)
    for element, altered in islice(_alterations(head, signed, bucket_in_host), _MOST):
        if isinstance(verify(altered, lambda _: credentials, now, bucket_in_host), Verified):
            return element
    return f"header:{missing}" if missing is not None else None


def _alterations(head: RequestHead, signed: tuple[str, ...], bucket: str | None) -> Iterator[tuple[str, RequestHead]]:
    for host in _hosts(head, bucket):
        yield "header:host", _with(head, "host", host)
    for method in _METHODS:
        yield "method", replace(head, method=method)
    for name in signed:
        for value in _REWRITTEN.get(name, ()):
            yield f"header:{name}", _with(head, name, value)
    for payload in (UNSIGNED_PAYLOAD, EMPTY_PAYLOAD):
        yield "payload", _with(head, "x-amz-content-sha256", payload)
    for path in _paths(head.path):
        yield "path", replace(head, target=path + head.target[len(head.path) :])
    parts = head.query_string.split("&")
    for number, part in enumerate(parts):
        if not part.lower().startswith("x-amz-"):
            rest = "&".join(parts[:number] + parts[number + 1 :])
            yield f"query:{part.partition('=')[0]}", replace(head, target=f"{head.path}?{rest}" if rest else head.path)


def _with(head: RequestHead, name: str, value: str) -> RequestHead:
    return replace(head, headers=(*(field for field in head.headers if field[0].lower() != name), (name, value)))


def _hosts(head: RequestHead, bucket: str | None) -> Iterator[str]:
    """Names under which the client may know S3: without the port, AWS's own, this machine's."""
    host = head.header("host") or ""
    name, _, port = host.partition(":")
    region = parse_credential(head).region or "us-east-1"
    first = bucket or head.path.split("/")[1]
    names = [name, f"s3.{region}.amazonaws.com", "s3.amazonaws.com", "localhost", "127.0.0.1"]
    names += [f"{first}.s3.{region}.amazonaws.com", f"{first}.s3.amazonaws.com"]
    for other in names:
        for spelled in (other, f"{other}:{port}") if port else (other, f"{other}:80", f"{other}:443"):
            if spelled != host:
                yield spelled


def _paths(path: str) -> Iterator[str]:
    """Spellings that HTTP libraries make one of: encoded once more or once less, with or without a last slash."""
    yield path.replace("%", "%25")
    yield path.replace("%25", "%")
    yield path[:-1] if path.endswith("/") else path + "/"
    yield re.sub(r"/{2,}", "/", path)

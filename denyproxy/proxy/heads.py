"""Heads between bytes and values: header fields keep order, case and bytes; hop-by-hop ones stay behind.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from denyproxy.exchange import Headers, RequestHead, ResponseHead
from denyproxy.sigv4.credential import parse_credential

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

OWN_PREFIX = "x-deny-"
"""Only denyproxy speaks under this name."""

_NEVER_NOMINATED = frozenset({"host", "content-length", "expect", "authorization"})
"""End-to-end whatever Connection says: without them the request would be another one."""


class MalformedHead(ValueError):
    """A head that cannot be written without changing what it says."""


def decode_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header fields off the wire; bytes that are not UTF-8 survive as surrogates."""
    return tuple(
        [(name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in raw]
    )


def relayed_request(head: RequestHead) -> RequestHead:
    """A client's request as it travels on. Hop-by-hop fields that it signed go too, or S3 would find them missing."""
    chunked = "chunked" in (head.header("Transfer-Encoding") or "").lower()
    signed = parse_credential(head).signed_headers if head.header("Connection") is not None else None
    return RequestHead(head.method, head.target, relayed_headers(head.headers, chunked=chunked, signed=signed or ()))


def relayed_headers(headers: Headers, *, chunked: bool, signed: Collection[str] = ()) -> Headers:
    """The fields that travel on. A body that is chunked is chunked again, so Transfer-Encoding keeps its place.

    `signed`: fields (lower case) that are kept though they are hop-by-hop."""
    dropped = _dropped(headers).difference(signed)
    relayed = []
    for name, value in headers:
        lower = name.lower()
        if lower in dropped and not (chunked and lower == "transfer-encoding"):
            continue
        if lower.startswith(OWN_PREFIX):
            continue
        relayed.append((name, value))
    return tuple(relayed)


def _dropped(headers: Headers) -> frozenset[str]:
    nominated = [value for name, value in headers if name.lower() == "connection"]
    if not nominated:
        return HOP_BY_HOP
    names = {name.strip().lower() for value in nominated for name in value.split(",")}
    return HOP_BY_HOP | (names - _NEVER_NOMINATED)


def replace_header(headers: Headers, name: str, value: str) -> Headers:
    """The same fields with every field of that name (any case) set to a value, in place."""
    wanted = name.lower()
    return tuple((field, value if field.lower() == wanted else old) for field, old in headers)


def serialize_request(head: RequestHead) -> bytes:
    """Request line and header fields as bytes. Raises MalformedHead where a line break would forge a field."""
    return _serialize(f"{head.method} {head.target} HTTP/1.1", head.headers)


def serialize_response(head: ResponseHead) -> bytes:
    """Status line and header fields as bytes. Raises MalformedHead where a line break would forge a field."""
    return _serialize(f"HTTP/1.1 {head.status} {head.reason}", head.headers)


def _serialize(first: str, headers: Headers) -> bytes:
    lines = [first, *[f"{name}: {value}" for name, value in headers], "\r\n"]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise MalformedHead("a line break inside a header field")
    return text.encode("utf-8", "surrogateescape")

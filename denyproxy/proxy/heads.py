"""Heads between bytes and values: header fields keep order, case and bytes; hop-by-hop ones stay behind.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from denyproxy.exchange import Headers, RequestHead
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


RawHeaders = Sequence[tuple[bytes, bytes]]
"""Header fields off the wire."""


def decode_headers(raw: RawHeaders) -> Headers:
    """All of them as text; bytes that are not UTF-8 survive as surrogates."""
    return tuple([(_text(name), _text(value)) for name, value in raw])


def relayed_request(method: str, target: str, raw: RawHeaders, *, chunked: bool) -> RequestHead:
    """A client's request as it travels on. Hop-by-hop fields that it signed go too, or S3 would find them missing."""
    head = RequestHead(method, target, relayed_headers(raw, chunked=chunked))
    if len(head.headers) == len(raw):
        return head
    left = {_text(name).lower() for name, _ in raw}.difference(name.lower() for name, _ in head.headers)
    credential = f"{head.header('Authorization') or ''} {target}".lower()
    if not any(name in credential for name in left):
        return head
    signed = parse_credential(RequestHead(method, target, decode_headers(raw))).signed_headers or ()
    return replace(head, headers=relayed_headers(raw, chunked=chunked, signed=frozenset(signed)))


def relayed_headers(raw: RawHeaders, *, chunked: bool, signed: frozenset[str] = frozenset()) -> Headers:
    """The fields that travel on, as text. A chunked body is chunked again, so Transfer-Encoding keeps its place.

    `signed`: fields (lower case) that are kept though they are hop-by-hop."""
    fields = tuple([(text, str(value, "utf-8", "surrogateescape")) for name, value in raw if (text := _RELAYED[name])])
    left = len(raw) - len(fields)
    if not left or (left == 1 and _KEEP_ALIVE in raw):
        return fields
    nominated = b",".join([value for name, value in raw if name.lower() == b"connection"]).lower()
    if not (chunked or signed) and nominated in (b"", b"keep-alive", b"close"):
        return fields
    names = {_text(name.strip()) for name in nominated.split(b",")}
    dropped = (HOP_BY_HOP | (names - _NEVER_NOMINATED)) - signed - ({"transfer-encoding"} if chunked else set())
    return tuple(
        [
            (name, value)
            for name, value in decode_headers(raw)
            if (lower := name.lower()) not in dropped and not lower.startswith(OWN_PREFIX)
        ]
    )


def _text(raw: bytes) -> str:
    return str(raw, "utf-8", "surrogateescape")


class _Relayed(dict[bytes, str]):
    """Field name off the wire -> as text, or empty if it stays behind. Names repeat: they are kept, up to a bound."""

    def __missing__(self, name: bytes) -> str:
        text = _text(name)
        lower = text.lower()
        relayed = "" if lower in HOP_BY_HOP or lower.startswith(OWN_PREFIX) else text
        if len(self) < 1024 and len(name) < 64:
            self[name] = relayed
        return relayed


_RELAYED = _Relayed()
_KEEP_ALIVE = (b"Connection", b"keep-alive")


def serialize_request(head: RequestHead) -> bytes:
    """Request line and header fields as bytes. Raises MalformedHead where a line break would forge a field."""
    lines = [f"{head.method} {head.target} HTTP/1.1", *[f"{name}: {value}" for name, value in head.headers], "\r\n"]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise MalformedHead("a line break inside a header field")
    return text.encode("utf-8", "surrogateescape")

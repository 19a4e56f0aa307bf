"""Which header fields travel on, and heads between bytes and text: order, case and bytes are kept.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

from denyproxy.exchange import HOP_BY_HOP, Headers, RequestHead
from denyproxy.remembered import Remembered
from denyproxy.sigv4.credential import parse_credential

FieldLines = Sequence[bytes]
"""Header fields as they are on the wire, without line ends."""

_HOP_BY_HOP = frozenset(name.encode() for name in HOP_BY_HOP)
"""Fields that stay behind."""

OWN_PREFIX = "x-deny-"
"""Only denyproxy speaks under this name."""

_NEVER_NOMINATED = frozenset(
    {"", "close", "keep-alive", "host", "content-length", "transfer-encoding", "expect", "authorization"}
)
"""End-to-end whatever Connection says: without them the message would be another one."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class NotHTTP(Exception):
    """A message that cannot be read, or in more than one way."""


class Role(IntEnum):
    """What a header field means to a relay. Nothing, for most: that one is false."""

    RELAYED = 0
    DROPPED = 1
    CONNECTION = 2
    TRANSFER_ENCODING = 3
    CONTENT_LENGTH = 4
    HOST = 5
    EXPECT = 6
    MALFORMED = 7


_ROLES = {
    b"connection": Role.CONNECTION,
    b"transfer-encoding": Role.TRANSFER_ENCODING,
    b"content-length": Role.CONTENT_LENGTH,
    b"host": Role.HOST,
    b"expect": Role.EXPECT,
}


def _role(start: bytes) -> Role:
    name = start[:-1]
    if _TOKEN.fullmatch(name) is None:
        return Role.MALFORMED
    lower = name.lower()
    if lower in _HOP_BY_HOP or lower.startswith(OWN_PREFIX.encode()):
        return _ROLES.get(lower, Role.DROPPED)
    return _ROLES.get(lower, Role.RELAYED)


roles = Remembered(_role)
"""Field name as on the wire, colon included -> its role. A line without a colon has no such start: malformed."""


def name_of(line: bytes) -> bytes:
    """The name of a field line, in lower case."""
    return line[: line.find(b":")].lower()


def value_of(line: bytes) -> bytes:
    """The value of a field line."""
    return line[line.find(b":") + 1 :].strip(b" \t")


def without_nominated(relayed: Sequence[bytes], options: set[str]) -> list[bytes]:
    """The field lines that travel on where Connection names some that do not."""
    nominated = {option.encode("utf-8", "surrogateescape") for option in options - _NEVER_NOMINATED}
    return [line for line in relayed if name_of(line) not in nominated]


def with_signed(method: str, target: str, fields: FieldLines, relayed: FieldLines) -> FieldLines:
    """Hop-by-hop fields that a client signed travel on too, or S3 would find them missing."""
    left = {name_of(line) for line in fields}.difference(name_of(line) for line in relayed)
    authorization = next((value_of(line) for line in fields if name_of(line) == b"authorization"), b"")
    credential = authorization.lower() + target.lower().encode("utf-8", "surrogateescape")
    if not any(name in credential for name in left):
        return relayed
    signed = parse_credential(RequestHead(method, target, header_fields(fields))).signed_headers or ()
    kept = {name.encode("utf-8", "surrogateescape") for name in signed} | {name_of(line) for line in relayed}
    own = OWN_PREFIX.encode()
    return [line for line in fields if (name := name_of(line)) in kept and not name.startswith(own)]


def header_fields(lines: FieldLines) -> Headers:
    """Field lines as names and values; bytes that are not UTF-8 survive as surrogates."""
    pairs = [line.decode("utf-8", "surrogateescape").partition(":") for line in lines]
    return tuple([(name, value.strip(" \t")) for name, _, value in pairs])


def field_lines(headers: Headers) -> FieldLines:
    """The reverse of `header_fields`."""
    return [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in headers]


def request_line(method: str, target: str) -> bytes:
    """The first line of a request's head."""
    return f"{method} {target} HTTP/1.1".encode("utf-8", "surrogateescape")


def write_head(first: bytes, lines: Sequence[bytes]) -> bytes:
    """First line, fields and the empty line. Raises ValueError where a line break would forge a field."""
    head = b"\r\n".join((first, *lines, b"\r\n"))
    breaks = len(lines) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise ValueError("a line break inside a header field")
    return head


def unbroken(line: bytes) -> bytes:
    """A line. Raises ValueError if it is more than one."""
    if b"\n" in line or b"\r" in line:
        raise ValueError("a line break inside a header field")
    return line

"""HTTP/1.1 responses off the wire, without I/O: heads whose fields stay bytes, and bodies in their three framings.

https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from denyproxy.exchange import Headers
from denyproxy.proxy.heads import HOP_BY_HOP, OWN_PREFIX

FieldLines = Sequence[bytes]
"""Header fields as they were on the wire, without line ends."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: ([^\x00]*))?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_LONGEST_CHUNK_LINE = 4096
_LONGEST_TRAILER = 64 * 1024

_RELAYED, _DROPPED, _CONNECTION, _TRANSFER_ENCODING, _CONTENT_LENGTH = range(5)  # _RELAYED is false: the common one
_ROLES = {b"connection": _CONNECTION, b"transfer-encoding": _TRANSFER_ENCODING, b"content-length": _CONTENT_LENGTH}


class NotHTTP(Exception):
    """What came is no response, or one whose end cannot be told."""


class ReceivedHead:
    """Status line and header fields of a response, and what they say of its body."""

    __slots__ = ("chunked", "fields", "keep_alive", "length", "reason", "relayed", "status")

    def __init__(self, status: int, reason: bytes, fields: list[bytes]) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        """All header fields."""
        self.relayed = fields
        """Those that travel on; Transfer-Encoding too, since a chunked body is chunked again."""
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = True


class _Roles(dict[bytes, int]):
    """Field name off the wire -> what it means to a relay. Names repeat: they are kept, up to a bound."""

    def __missing__(self, name: bytes) -> int:
        if _TOKEN.fullmatch(name) is None:
            raise NotHTTP("a malformed header field")
        lower = name.lower()
        text = lower.decode("ascii")
        role = _ROLES.get(lower)
        if role is None:
            role = _DROPPED if text in HOP_BY_HOP or text.startswith(OWN_PREFIX) else _RELAYED
        if len(self) < 1024 and len(name) < 64:
            self[name] = role
        return role


class _StatusLines(dict[bytes, tuple[bool, int, bytes]]):
    """Status line -> whether it is HTTP/1.1, the status, the reason. They repeat: they are kept, up to a bound."""

    def __missing__(self, line: bytes) -> tuple[bool, int, bytes]:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise NotHTTP("no status line")
        parsed = (match[1] == b"1", int(match[2]), match[3] or b"")
        if len(self) < 256 and len(line) < 64:
            self[line] = parsed
        return parsed


_roles = _Roles()
_status_lines = _StatusLines()


def parse_response_head(head: bytes) -> ReceivedHead:
    """A head without the empty line at its end. Raises NotHTTP."""
    lines = head.split(b"\r\n")
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise NotHTTP("a control character in a head")
    persistent, status, reason = _status_lines[lines[0]]
    del lines[0]
    parsed = ReceivedHead(status, reason, lines)
    options = b""
    for role, line in [(role, line) for line in lines if (role := _roles[line[: line.find(b":")]])]:
        if role == _CONTENT_LENGTH:
            length = _value(line)
            if not length.isdigit() or parsed.length not in (None, int(length)):
                raise NotHTTP("a Content-Length that is no number, or two of them")
            parsed.length = int(length)
        elif role == _TRANSFER_ENCODING:
            if parsed.chunked or _value(line).lower() != b"chunked":
                raise NotHTTP("a Transfer-Encoding other than chunked")
            parsed.chunked = True
        else:
            if parsed.relayed is lines:
                parsed.relayed = lines.copy()
            parsed.relayed.remove(line)
            if role == _CONNECTION:
                options += b"," + _value(line).lower()
    if parsed.chunked and parsed.length is not None:
        raise NotHTTP("both Content-Length and Transfer-Encoding")
    if not persistent or options not in (b"", b",keep-alive"):
        _heed(parsed, {option.strip() for option in options.split(b",")}, persistent)
    return parsed


def serialize_response(status: int, reason: bytes, fields: FieldLines) -> bytes:
    """A head, the empty line at its end included. Raises ValueError where a line break would forge a field."""
    head = b"\r\n".join((b"HTTP/1.1 %d %b" % (status, reason), *fields, b"\r\n"))
    if head.count(b"\n") != len(fields) + 2 or head.count(b"\r") != len(fields) + 2:
        raise ValueError("a line break inside a header field")
    return head


def header_fields(lines: FieldLines) -> Headers:
    """Field lines as names and values; bytes that are not UTF-8 survive as surrogates."""
    pairs = (str(line, "utf-8", "surrogateescape").partition(":") for line in lines)
    return tuple([(name, value.strip(" \t")) for name, _, value in pairs])


def field_lines(headers: Headers) -> FieldLines:
    """The reverse of `header_fields`."""
    return [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in headers]


def _heed(head: ReceivedHead, options: set[bytes], by_default: bool) -> None:
    """What a Connection field asks for."""
    head.keep_alive = b"close" not in options and (by_default or b"keep-alive" in options)
    nominated = options - {b"", b"close", b"keep-alive", b"content-length", b"transfer-encoding"}
    if nominated:
        head.relayed = [line for line in head.relayed if line[: line.find(b":")].lower() not in nominated]


def _value(line: bytes) -> bytes:
    return line[line.find(b":") + 1 :].strip(b" \t")


class Framing(Protocol):
    """Where a body ends."""

    ended: bool

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """Pieces of the body, without its framing, and what came after its end. Raises NotHTTP."""

    def close(self) -> bool:
        """The connection has ended: is the body complete?"""


class Sized:
    """A body of known length; zero: none."""

    __slots__ = ("_left", "ended")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """See `Framing`."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return (data,), b""
        if size == self._left:
            self._left, self.ended = 0, True
            return (data,), b""
        piece, rest = data[: self._left], data[self._left :]
        self._left, self.ended = 0, True
        return (piece,) if piece else (), rest

    def close(self) -> bool:
        """See `Framing`."""
        return self.ended


class UntilClose:
    """A body that ends with its connection."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """See `Framing`."""
        return (data,) if data else (), b""

    def close(self) -> bool:
        """See `Framing`."""
        self.ended = True
        return True


class Chunked:
    """A body in chunks. Extensions and trailers are dropped."""

    __slots__ = ("_held", "_left", "_trailer", "ended")

    def __init__(self) -> None:
        self._held = b""
        """The start of a line that is not here as a whole."""
        self._left = -1
        """Of the chunk under way, the CRLF after it included; -1: its size comes next."""
        self._trailer = -1
        """Bytes of the trailer so far; -1: it has not begun."""
        self.ended = False

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """See `Framing`."""
        pieces: list[bytes] = []
        if self._held:
            data, self._held = self._held + data, b""
        at = 0
        while at < len(data) and not self.ended:
            if self._left > 2:
                piece = data[at : at + self._left - 2]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return pieces, b""
            line, at = data[at:end], end + 2
            if self._left == 2:
                if line:
                    raise NotHTTP("a chunk longer than its size")
                self._left = -1
            elif self._trailer >= 0:
                self._trailer += len(line)
                self.ended = not line
                if self._trailer > _LONGEST_TRAILER:
                    raise NotHTTP("too long a trailer")
            else:
                size = _CHUNK_LINE.fullmatch(line)
                if size is None:
                    raise NotHTTP("a malformed chunk size")
                self._left = int(size[1], 16) + 2
                if self._left == 2:
                    self._left, self._trailer = -1, 0
        return pieces, data[at:]

    def _hold(self, line: bytes) -> None:
        if len(line) > (1 if self._left == 2 else _LONGEST_CHUNK_LINE):
            raise NotHTTP("too long a line in a chunked body")
        self._held = line

    def close(self) -> bool:
        """See `Framing`."""
        return self.ended


def framing(head: ReceivedHead, *, bodiless: bool) -> Framing:
    """How the body of a response is framed. `bodiless`: it answers a HEAD."""
    if bodiless or head.status in (204, 304):
        return Sized(0)
    if head.length is not None:
        return Sized(head.length)
    return Chunked() if head.chunked else UntilClose()

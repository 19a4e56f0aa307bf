"""HTTP/1.1 heads off the wire, without I/O, and without leniency: what can be read in two ways is refused.

Header fields stay bytes. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from typing import NamedTuple

from denyproxy.exchange import RequestHead
from denyproxy.proxy.heads import (
    FieldLines,
    Role,
    header_fields,
    roles,
    value_of,
    whole_head,
    with_signed,
    without_nominated,
    write_head,
)
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import by_name

_LENGTH = re.compile(rb"[0-9]{1,18}")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (.*))?")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")


class NotHTTP(Exception):
    """A message that cannot be read, or in more than one way."""


class _Names(NamedTuple):
    """What the names of header fields say."""

    special: tuple[tuple[int, Role], ...]
    """The fields that mean something to a relay: their places."""
    relayed: tuple[int, ...]
    """The places of those that travel on, as far as names tell."""
    text: tuple[str, ...]
    lower: tuple[str, ...]


def _read_names(starts: tuple[bytes, ...]) -> _Names:
    special = tuple((place, role) for place, start in enumerate(starts) if (role := roles[start]))
    text = tuple(start[:-1].decode("utf-8", "surrogateescape") for start in starts)
    stay_behind = (Role.CONNECTION, Role.DROPPED)
    relayed = tuple(place for place, start in enumerate(starts) if roles[start] not in stay_behind)
    return _Names(special, relayed, text, tuple(name.lower() for name in text))


_names = Remembered(_read_names, size=1024)
"""Of field names as on the wire, colons included."""


class _Received:
    """The header fields of a message, and what they say of its body and its connection."""

    __slots__ = ("_starts", "chunked", "expects_continue", "fields", "hosts", "keep_alive", "length", "relayed")

    def __init__(self, fields: list[bytes], http11: bool) -> None:
        self.fields: FieldLines = fields
        """All of them."""
        self.relayed: FieldLines = fields
        """Those that travel on."""
        self.length: int | None = None
        """Of the body, if there is a Content-Length."""
        self.chunked = False
        self.keep_alive = http11
        self.hosts = 0
        self.expects_continue = False
        """Other expectations travel on like any field: S3 ignores them. HTTP/1.0 has none."""
        self._starts = tuple([line[: line.find(b":") + 1] for line in fields])
        names = _names[self._starts]
        if len(names.relayed) != len(fields):
            self.relayed = [fields[place] for place in names.relayed]
        if names.special:
            self._heed([(role, fields[place]) for place, role in names.special], http11)

    def _heed(self, special: list[tuple[Role, bytes]], http11: bool) -> None:
        options = b""
        for role, line in special:
            if role is Role.CONTENT_LENGTH:
                length = value_of(line)
                if self.length is not None or _LENGTH.fullmatch(length) is None:
                    raise NotHTTP("a Content-Length that is no number, or two of them")
                self.length = int(length)
            elif role is Role.HOST:
                self.hosts += 1
            elif role is Role.TRANSFER_ENCODING:
                if self.chunked or value_of(line).lower() != b"chunked":
                    raise NotHTTP("a Transfer-Encoding other than chunked")
                self.chunked = True
            elif role is Role.EXPECT:
                self.expects_continue = http11 and value_of(line).lower() == b"100-continue"
            elif role is Role.MALFORMED:
                raise NotHTTP("a malformed header field")
            elif role is Role.CONNECTION:
                options += b"," + value_of(line).lower()
        if self.chunked and (self.length is not None or not http11):
            raise NotHTTP("both Content-Length and Transfer-Encoding, or chunks in HTTP/1.0")
        if options and options != b",keep-alive":
            named = {option.strip() for option in options.split(b",")}
            self.relayed = without_nominated(self.relayed, named)
            self.keep_alive = b"close" not in named and (http11 or b"keep-alive" in named)
        elif options:
            self.keep_alive = True


class ReceivedResponse(_Received):
    """The head of a response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: bytes, fields: list[bytes], http11: bool) -> None:
        super().__init__(fields, http11)
        self.status = status
        self.reason = reason


class ReceivedRequest(_Received):
    """The head of a request."""

    __slots__ = ("_head", "http11", "method", "target")

    def __init__(self, method: str, target: str, fields: list[bytes], http11: bool) -> None:
        super().__init__(fields, http11)
        self.method = method
        self.target = target
        self.http11 = http11
        self._head: RequestHead | None = None
        if len(self.relayed) != len(fields):
            self.relayed = with_signed(method, target, fields, self.relayed)

    @property
    def head(self) -> RequestHead:
        """As text, with the fields that travel on."""
        if self._head is None:
            self._head = RequestHead(self.method, self.target, header_fields(self.relayed))
        return self._head

    def named(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """The names of the fields that travel on, and their values by name (lower case), repeated ones with commas
        between them."""
        lines, starts = self.relayed, self._starts
        if lines is not self.fields:
            starts = tuple([line[: line.find(b":") + 1] for line in lines])
        names = _names[starts]
        text = b"\n".join(lines).decode("utf-8", "surrogateescape").split("\n") if lines else []
        sent = [line[len(name) + 1 :].strip(" \t") for name, line in zip(names.text, text, strict=True)]
        return names.text, by_name(names.lower, sent)

    def write(self) -> bytes:
        """As it travels on."""
        first = f"{self.method} {self.target} HTTP/1.1".encode("utf-8", "surrogateescape")
        return b"\r\n".join((first, *self.relayed, b"\r\n"))


def _status_line(line: bytes) -> tuple[bool, int, bytes]:
    """Whether it is HTTP/1.1, the status, the reason."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise NotHTTP("no status line")
    return match[1] == b"1", int(match[2]), match[3] or b""


_status_lines = Remembered(_status_line)


def parse_response(head: bytes) -> ReceivedResponse:
    """A head without the empty line at its end. Raises NotHTTP."""
    lines = _lines(head)
    http11, status, reason = _status_lines[lines.pop(0)]
    return ReceivedResponse(status, reason, lines, http11)


def parse_request(head: bytes) -> ReceivedRequest:
    """A head without the empty line at its end. Raises NotHTTP."""
    lines = _lines(head)
    match = _REQUEST_LINE.fullmatch(lines.pop(0))
    if match is None:
        raise NotHTTP("no request line")
    method, target, minor = match.groups()
    return ReceivedRequest(method.decode(), target.decode("utf-8", "surrogateescape"), lines, minor == b"1")


def _lines(head: bytes) -> list[bytes]:
    lines = head.split(b"\r\n")
    if len(head) - len(head.translate(None, b"\r\n\0")) != 2 * (len(lines) - 1):
        raise NotHTTP("a control character in a head")
    return lines


def has_bare_line_feed(start: bytes) -> bool:
    """Does the last line that has ended, of a head that is not here as a whole, end by LF alone?"""
    end = start.rfind(b"\n")
    return end >= 0 and start[end - 1 : end] != b"\r"


class SignedRequest:
    """The head of a received request, signed again. Its fields that stay are sent as they came."""

    __slots__ = ("_head", "_lines", "chunked", "expects_continue", "method", "target")

    def __init__(self, received: ReceivedRequest, target: str, lines: FieldLines) -> None:
        self.method = received.method
        self.target = target
        self.chunked = received.chunked
        self.expects_continue = received.expects_continue
        self._lines = lines
        self._head: RequestHead | None = None

    @property
    def head(self) -> RequestHead:
        """As text."""
        if self._head is None:
            self._head = RequestHead(self.method, self.target, header_fields(self._lines))
        return self._head

    def write(self) -> bytes:
        """As it is sent. Raises ValueError where a line break would forge a field."""
        first = f"{self.method} {self.target} HTTP/1.1".encode("utf-8", "surrogateescape")
        return write_head(first, self._lines)


def write_request(head: RequestHead) -> bytes:
    """A head that we made. Raises ValueError where a line break would forge a field."""
    text = "\r\n".join((f"{head.method} {head.target} HTTP/1.1", *map(": ".join, head.headers), "\r\n"))
    return whole_head(text.encode("utf-8", "surrogateescape"), len(head.headers))

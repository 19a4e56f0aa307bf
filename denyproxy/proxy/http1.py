"""HTTP/1.1 heads off the wire, without I/O, and without leniency: what can be read in two ways is refused.

Header fields stay bytes. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from denyproxy.exchange import RequestHead
from denyproxy.picking import Pick, picker
from denyproxy.proxy.heads import (
    FieldLines,
    Role,
    field_lines,
    header_fields,
    request_line,
    roles,
    value_of,
    with_signed,
    without_nominated,
    write_head,
)
from denyproxy.remembered import Remembered
from denyproxy.sigv4.fields import Fields, Names

_KEPT_NAMES = 1024
"""Bytes of names that are kept."""
_LONGEST_LENGTH = 18
"""Digits."""
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (.*))?")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")


class NotHTTP(Exception):
    """A message that cannot be read, or in more than one way."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of a message's header fields, in their order, and what they say."""

    starts: tuple[bytes, ...]
    """As on the wire, colons included."""
    hosts: int
    length: int | None
    """The place of Content-Length."""
    coding: int | None
    """Of Transfer-Encoding."""
    expect: int | None
    """Of the last Expect."""
    connection: tuple[int, ...]
    """The places of Connection."""
    says_nothing: bool
    """Are there none of these?"""
    relayed: Pick | None
    """Those that travel on, as far as names tell; None: all do."""
    text: Names
    values: tuple[slice, ...]
    """Of the lines."""
    short: bool
    """Are they short enough to be kept for the next message?"""

    def are_those_of(self, fields: Sequence[bytes]) -> bool:
        """Have field lines these names?"""
        starts = self.starts
        return len(fields) == len(starts) and all(map(bytes.startswith, fields, starts))


def _read_names(starts: tuple[bytes, ...]) -> FieldNames:
    kinds = [roles[start] for start in starts]
    if Role.MALFORMED in kinds:
        raise NotHTTP("a malformed header field")
    if kinds.count(Role.CONTENT_LENGTH) > 1 or kinds.count(Role.TRANSFER_ENCODING) > 1:
        raise NotHTTP("two Content-Lengths, or two Transfer-Encodings")
    places = {role: place for place, role in enumerate(kinds)}
    relayed = [place for place, role in enumerate(kinds) if role not in _STAY_BEHIND]
    return FieldNames(
        starts,
        kinds.count(Role.HOST),
        places.get(Role.CONTENT_LENGTH),
        places.get(Role.TRANSFER_ENCODING),
        places.get(Role.EXPECT),
        tuple(place for place, role in enumerate(kinds) if role is Role.CONNECTION),
        _SAY_NOTHING.issuperset(kinds),
        picker(relayed) if len(relayed) < len(starts) else None,
        Names(tuple(start[:-1].decode("ascii") for start in starts)),
        tuple(slice(len(start), None) for start in starts),
        sum(map(len, starts)) <= _KEPT_NAMES,
    )


_SAY_NOTHING = frozenset({Role.RELAYED, Role.DROPPED, Role.HOST})
_STAY_BEHIND = (Role.CONNECTION, Role.DROPPED)
_names = Remembered(_read_names, size=_KEPT_NAMES)


def _names_of(fields: Sequence[bytes]) -> FieldNames:
    return _names[tuple([line[: line.find(b":") + 1] for line in fields])]


class _Received:
    """The header fields of a message, and what they say of its body and its connection."""

    __slots__ = ("chunked", "expects_continue", "fields", "hosts", "keep_alive", "length", "names", "relayed")

    def __init__(self, fields: list[bytes], http11: bool, expected: FieldNames | None) -> None:
        """`expected`: the names that the fields have, perhaps: those of the message before."""
        if expected is None or not expected.are_those_of(fields):
            expected = _names_of(fields)
        self.names = expected
        self.fields: FieldLines = fields
        """All of them."""
        relayed = expected.relayed
        self.relayed: FieldLines = fields if relayed is None else relayed(fields)
        """Those that travel on."""
        self.length: int | None = None
        """Of the body, if there is a Content-Length."""
        self.chunked = False
        self.keep_alive = http11
        self.hosts = expected.hosts
        self.expects_continue = False
        """Other expectations travel on like any field: S3 ignores them. HTTP/1.0 has none."""
        if not expected.says_nothing:
            self._heed(expected, http11)

    def _heed(self, names: FieldNames, http11: bool) -> None:
        fields = self.fields
        if names.length is not None:
            value = value_of(fields[names.length])
            if not value.isdigit() or len(value) > _LONGEST_LENGTH:
                raise NotHTTP("a Content-Length that is no number")
            self.length = int(value)
        if names.coding is not None:
            if value_of(fields[names.coding]).lower() != b"chunked":
                raise NotHTTP("a Transfer-Encoding other than chunked")
            if self.length is not None or not http11:
                raise NotHTTP("both Content-Length and Transfer-Encoding, or chunks in HTTP/1.0")
            self.chunked = True
        if names.expect is not None:
            self.expects_continue = http11 and value_of(fields[names.expect]).lower() == b"100-continue"
        if not names.connection:
            return
        options = b",".join([value_of(fields[place]) for place in names.connection]).lower()
        if options == b"keep-alive":
            self.keep_alive = True
        else:
            named = {option.strip() for option in options.split(b",")}
            self.relayed = without_nominated(self.relayed, named)
            self.keep_alive = b"close" not in named and (http11 or b"keep-alive" in named)


class ReceivedResponse(_Received):
    """The head of a response."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: bytes, fields: list[bytes], http11: bool, expected: FieldNames | None = None
    ) -> None:
        super().__init__(fields, http11, expected)
        self.status = status
        self.reason = reason


class ReceivedRequest(_Received):
    """The head of a request."""

    __slots__ = ("_head", "http11", "line", "method", "target")

    def __init__(
        self,
        method: str,
        target: str,
        fields: list[bytes],
        http11: bool,
        expected: FieldNames | None = None,
        line: bytes | None = None,
    ) -> None:
        """`line`: the request line, as it was received."""
        super().__init__(fields, http11, expected)
        self.line = line if http11 and line is not None else request_line(method, target)
        """The request line as it is sent."""
        self.method = method
        self.target = target
        self.http11 = http11
        self._head: RequestHead | None = None
        if self.relayed is not fields:
            self.relayed = with_signed(method, target, fields, self.relayed)

    @property
    def head(self) -> RequestHead:
        """As text, with the fields that travel on."""
        if self._head is None:
            self._head = RequestHead(self.method, self.target, header_fields(self.relayed))
        return self._head

    def named(self) -> Fields:
        """The fields that travel on, by name."""
        lines, names = self.relayed, self.names
        if lines is not self.fields:
            names = _names_of(lines)
        # Without fields there is one text, and no value.
        text = b"\n".join(lines).decode("utf-8", "surrogateescape").split("\n")
        return names.text.fields([line[value].strip(" \t") for line, value in zip(text, names.values, strict=False)])

    def write(self) -> bytes:
        """As it travels on."""
        return b"\r\n".join((self.line, *self.relayed, b"\r\n"))


def _status_line(line: bytes) -> tuple[bool, int, bytes]:
    """Whether it is HTTP/1.1, the status, the reason."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise NotHTTP("no status line")
    return match[1] == b"1", int(match[2]), match[3] or b""


_status_lines = Remembered(_status_line)


def parse_response(head: bytes, expected: FieldNames | None = None) -> ReceivedResponse:
    """A head without the empty line at its end. `expected`: names that its fields may well have. Raises NotHTTP."""
    lines = _lines(head)
    http11, status, reason = _status_lines[lines.pop(0)]
    return ReceivedResponse(status, reason, lines, http11, expected)


def parse_request(head: bytes, expected: FieldNames | None = None) -> ReceivedRequest:
    """A head without the empty line at its end. `expected`: names that its fields may well have. Raises NotHTTP."""
    lines = _lines(head)
    line = lines.pop(0)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise NotHTTP("no request line")
    method, target, minor = match.groups()
    path = target.decode("utf-8", "surrogateescape")
    return ReceivedRequest(method.decode(), path, lines, minor == b"1", expected, line)


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
    """The head of a received request, signed again and written."""

    __slots__ = ("_written", "chunked", "expects_continue", "method", "target")

    def __init__(self, received: ReceivedRequest, target: str, written: bytes) -> None:
        self.method = received.method
        self.target = target
        self.chunked = received.chunked
        self.expects_continue = received.expects_continue
        self._written = written

    @property
    def head(self) -> RequestHead:
        """As text."""
        return RequestHead(self.method, self.target, header_fields(self._written.split(b"\r\n")[1:-2]))

    def write(self) -> bytes:
        """As it is sent."""
        return self._written


def write_request(head: RequestHead) -> bytes:
    """A head that we made. Raises ValueError where a line break would forge a field."""
    return write_head(request_line(head.method, head.target), field_lines(head.headers))

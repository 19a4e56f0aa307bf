"""HTTP/1.1 heads off the wire, without I/O, and without leniency: what can be read in two ways is refused.

Header fields stay bytes. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from denyproxy.exchange import RequestHead
from denyproxy.proxy.field_names import KEPT_NAMES, LONGEST_LENGTH, FieldNames, read_names, starts_of
from denyproxy.proxy.heads import (
    FieldLines,
    NotHTTP,
    field_lines,
    header_fields,
    request_line,
    with_signed,
    without_nominated,
    write_head,
)
from denyproxy.remembered import Remembered
from denyproxy.sigv4.fields import Fields, fields_of

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (.*))?")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_PLAIN_STATUS_LINE = r"HTTP/1\.1 ([1-9][0-9][0-9]) (.*)"
_PLAIN_REQUEST_LINE = r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) (HTTP/1\.1)"
"""The last group ends with the line."""
_names_in_requests = Remembered(read_names, size=KEPT_NAMES)
_names_in_responses = Remembered(read_names, size=KEPT_NAMES)


def _values(fields: Sequence[bytes]) -> tuple[str, ...]:
    return tuple([value for _, value in header_fields(fields)])


def _lower(value: str) -> str:
    """Of ASCII alone: there are letters elsewhere whose lower case is ASCII."""
    if value.isascii():
        return value.lower()
    return value.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


class _Received:
    """A message's head: its header fields, and what they say of its body and its connection."""

    __slots__ = (
        "_altered",
        "_match",
        "_received",
        "_travels",
        "_values",
        "chunked",
        "expects_continue",
        "http11",
        "keep_alive",
        "length",
        "names",
    )

    def __init__(
        self,
        received: bytes,
        names: FieldNames,
        match: re.Match[str] | None,
        travels: bytes = b"",
        values: Sequence[str] = (),
        http11: bool = True,
    ) -> None:
        """`received`: without the empty line at its end. `match`: of the pattern of a plain head; if it is none, then
        `travels` is the same without what stays behind, and `values` are those of all fields."""
        self._received = received
        self._match = match
        self._travels = travels
        self._values = values
        self._altered = False
        """Is it not by their names alone that fields travel or stay?"""
        self.names = names
        self.http11 = http11
        self.length: int | None = None
        """Of the body, if there is a Content-Length."""
        self.chunked = False
        self.keep_alive = http11
        self.expects_continue = False
        """Other expectations travel on like any field: S3 ignores them. HTTP/1.0 has none."""
        if names.says_nothing:
            return
        if match is None:
            self._heed(names, values)
        else:
            if names.length is not None:
                self.length = int(match[names.first + names.length])
            self.chunked = names.coding is not None
            self.expects_continue = names.expect is not None

    @property
    def plain(self) -> bool:
        """Is each field a line `Name: value`, in ASCII?"""
        return self._match is not None

    @property
    def values(self) -> Sequence[str]:
        """Of all fields, without white space around them; bytes that are not UTF-8 survive as surrogates."""
        return self._values if self._match is None else self._match.groups()[self.names.first - 1 :]

    @property
    def fields(self) -> FieldLines:
        """All header fields."""
        return self._received.split(b"\r\n")[1:]

    @property
    def relayed(self) -> FieldLines:
        """Those that travel on."""
        return self._travelling().split(b"\r\n")[1:]

    @relayed.setter
    def relayed(self, fields: FieldLines) -> None:
        self._travels = b"\r\n".join((self._travelling().partition(b"\r\n")[0], *fields))
        self._altered = True

    def _travelling(self) -> bytes:
        """All that travels on."""
        if not self._travels and self._match is not None:
            self._travels = self.names.travelling(self._received, self._match)
        return self._travels

    def _heed(self, names: FieldNames, values: Sequence[str]) -> None:
        if names.length is not None:
            value = values[names.length]
            if not (value.isdigit() and value.isascii()) or len(value) > LONGEST_LENGTH:
                raise NotHTTP("a Content-Length that is no number")
            self.length = int(value)
        if names.coding is not None:
            if _lower(values[names.coding]) != "chunked":
                raise NotHTTP("a Transfer-Encoding other than chunked")
            if self.length is not None or not self.http11:
                raise NotHTTP("both Content-Length and Transfer-Encoding, or chunks in HTTP/1.0")
            self.chunked = True
        if names.expect is not None:
            self.expects_continue = self.http11 and _lower(values[names.expect]) == "100-continue"
        if not names.connection:
            return
        options = _lower(",".join([values[place] for place in names.connection]))
        if options == "keep-alive":
            self.keep_alive = True
        else:
            named = {option.strip(" \t") for option in options.split(",")}
            self.relayed = without_nominated(self.relayed, named)
            self.keep_alive = "close" not in named and (self.http11 or "keep-alive" in named)

    def write(self) -> bytes:
        """As it travels on."""
        return self._travelling() + b"\r\n\r\n"


class ReceivedResponse(_Received):
    """The head of a response."""

    __slots__ = ("status",)

    def __init__(
        self,
        status: int,
        received: bytes,
        names: FieldNames,
        match: re.Match[str] | None,
        travels: bytes = b"",
        values: Sequence[str] = (),
        http11: bool = True,
    ) -> None:
        self.status = status
        super().__init__(received, names, match, travels, values, http11)

    @property
    def reason(self) -> bytes:
        """The reason phrase."""
        return _status_lines[self._received.partition(b"\r\n")[0]][2]


class ReceivedRequest(_Received):
    """The head of a request."""

    __slots__ = ("_head", "method", "target")

    def __init__(
        self,
        method: str,
        target: str,
        received: bytes,
        names: FieldNames,
        match: re.Match[str] | None,
        travels: bytes = b"",
        values: Sequence[str] = (),
        http11: bool = True,
    ) -> None:
        self.method = method
        self.target = target
        self._head: RequestHead | None = None
        super().__init__(received, names, match, travels, values, http11)
        if self._altered or (names.dropped and names.mentions_dropped(received)):
            self.relayed = with_signed(method, target, self.fields, self.relayed)

    @property
    def head(self) -> RequestHead:
        """As text, with the fields that travel on."""
        if self._head is None:
            self._head = RequestHead(self.method, self.target, header_fields(self.relayed))
        return self._head

    def named(self) -> Fields:
        """The fields that travel on, by name."""
        if self._altered:
            return fields_of(self.head.headers)
        names, values = self.names, self.values
        return names.text.fields(names.kept(values) if names.dropped else values)


def _status_line(line: bytes) -> tuple[bool, int, bytes]:
    """Whether it is HTTP/1.1, the status, the reason."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise NotHTTP("no status line")
    return match[1] == b"1", int(match[2]), match[3] or b""


_status_lines = Remembered(_status_line)


def parse_response(head: bytes, expected: FieldNames | None = None) -> ReceivedResponse:
    """A head without the empty line at its end. `expected`: names that its fields may well have. Raises NotHTTP."""
    if expected is not None and (match := expected.match(head)) is not None:
        return ReceivedResponse(int(match[1]), head, expected, match)
    line, *fields = _lines(head)
    http11, number, reason = _status_lines[line]
    names = _names_in_responses[starts_of(fields)]
    names.note(_PLAIN_STATUS_LINE)
    travels = b"\r\n".join((b"HTTP/1.1 %d %b" % (number, reason), *names.kept(fields)))
    return ReceivedResponse(number, head, names, None, travels, _values(fields), http11)


def parse_request(head: bytes, expected: FieldNames | None = None) -> ReceivedRequest:
    """A head without the empty line at its end. `expected`: names that its fields may well have. Raises NotHTTP."""
    if expected is not None and (match := expected.match(head)) is not None:
        return ReceivedRequest(match[1], match[2], head, expected, match)
    line, *fields = _lines(head)
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise NotHTTP("no request line")
    method, target = (part.decode("utf-8", "surrogateescape") for part in found.groups()[:2])
    names = _names_in_requests[starts_of(fields)]
    names.note(_PLAIN_REQUEST_LINE)
    travels = b"\r\n".join((request_line(method, target), *names.kept(fields)))
    return ReceivedRequest(method, target, head, names, None, travels, _values(fields), found[3] == b"1")


def _lines(head: bytes) -> list[bytes]:
    lines = head.split(b"\r\n")
    if len(head) - len(head.translate(None, b"\r\n\0")) != 2 * (len(lines) - 1):
        raise NotHTTP("a control character in a head")
    return lines


def has_bare_line_feed(start: bytes) -> bool:
    """Does the last line that has ended, of a head that is not here as a whole, end by LF alone?"""
    end = start.rfind(b"\n")
    return end >= 0 and start[end - 1 : end] != b"\r"


@dataclass(frozen=True, slots=True)
class MadeResponse:
    """The head of a response that is not as it was received."""

    status: int
    reason: bytes
    relayed: FieldLines

    def write(self) -> bytes:
        """As it is sent. Raises ValueError where a line break would forge a field."""
        return write_head(b"HTTP/1.1 %d %b" % (self.status, self.reason), self.relayed)


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

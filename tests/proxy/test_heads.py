"""Heads as bytes."""

from __future__ import annotations

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.errors import UpstreamUnreachable, error_response
from denyproxy.proxy.heads import field_lines, header_fields, unbroken, write_head
from denyproxy.proxy.http1 import write_request


@pytest.mark.parametrize("value", ["a\rX: y", "a\nX: y", "a\r\nX: y", "a\r", "\n"])
@pytest.mark.parametrize("place", ["name", "value", "reason"])
def test_no_line_break_is_written(value: str, place: str) -> None:
    """wire.md 24: it would forge a field, or a response."""
    name = value if place == "name" else "A"
    lines = field_lines(((name, value if place == "value" else "1"),))
    with pytest.raises(ValueError, match="line break"):
        write_head(b"HTTP/1.1 200 " + (value.encode() if place == "reason" else b"OK"), lines)


def test_a_line_is_one_line() -> None:
    assert unbroken(b"Host: a") == b"Host: a"
    for text in (b"Host: a\nX: y", b"Host: a\rX: y"):
        with pytest.raises(ValueError, match="line break"):
            unbroken(text)


def test_all_bytes_survive() -> None:
    """wire.md 20: decoding and writing are inverse, whatever the bytes are."""
    value = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100)) + "é€😀".encode()
    headers = header_fields([b"x-amz-meta-a:" + value])
    assert field_lines(headers) == [b"x-amz-meta-a: " + value]
    assert write_request(RequestHead("GET", "/", headers)) == (
        b"GET / HTTP/1.1\r\nx-amz-meta-a: " + value + b"\r\n\r\n"
    )


def test_error_documents_are_xml_whatever_they_quote() -> None:
    """A key may hold anything."""
    error = UpstreamUnreachable("a < b & c \x00\udcff")
    _, body = error_response(error, request_id="R1", resource="/b/<&>\x01")
    assert b"<Message>a &lt; b &amp; c ??</Message><Resource>/b/&lt;&amp;&gt;?</Resource>" in body

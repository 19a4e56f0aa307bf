"""HTTP/1.1 without I/O: heads and framings, well-formed, cut anywhere, and malformed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.proxy.field_names import FieldNames, read_names
from denyproxy.proxy.framing import Chunked, Framing, Sized, UntilClose
from denyproxy.proxy.heads import NotHTTP, header_fields
from denyproxy.proxy.http1 import ReceivedRequest, ReceivedResponse, parse_request, parse_response


@pytest.fixture(autouse=True)
def client() -> None:
    """No upstream client here."""


def feed(framing: Framing, pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The body and what came after it."""
    body, rest = b"", b""
    for piece in pieces:
        if framing.ended:
            rest += piece
            continue
        got, after = framing.feed(piece)
        body += b"".join(got)
        rest += after
    return body, rest


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_a_response_head() -> None:
    head = parse_response(b'HTTP/1.1 200 OK\r\nETag:  "a" \r\nContent-Length: 5\r\nx-amz-meta-a: caf\xe9')
    assert (head.status, head.reason, head.length, head.chunked, head.keep_alive) == (200, b"OK", 5, False, True)
    assert list(head.relayed) == [b'ETag:  "a" ', b"Content-Length: 5", b"x-amz-meta-a: caf\xe9"]


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close", False),
        (b"HTTP/1.0 200 OK\r\nConnection: \xe2\x84\xaaeep-alive", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close, \xe9\xc3\xa9", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, CLOSE", False),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 204 ", True),
        (b"HTTP/1.1 204", True),
    ],
)
def test_whether_a_connection_goes_on(head: bytes, keep_alive: bool) -> None:
    assert parse_response(head).keep_alive is keep_alive


def test_fields_that_stay_behind() -> None:
    """RFC 9110, 7.6.1: hop-by-hop fields, and those that Connection names."""
    head = parse_response(
        b"HTTP/1.1 200 OK\r\nA: 1\r\nconnection: x-b, Content-Length\r\nX-B: 2\r\nKeep-Alive: 5\r\nTE: x\r\n"
        b"Upgrade: h2c\r\nTrailer: A\r\nProxy-Authenticate: x\r\nX-Deny-Explanation: x\r\nContent-Length: 0\r\nA: 3"
    )
    assert list(head.relayed) == [b"A: 1", b"Content-Length: 0", b"A: 3"]


def test_several_connection_fields_count_together() -> None:
    head = parse_response(b"HTTP/1.1 200 OK\r\nConnection: x-b\r\nA: 1\r\nX-B: 2\r\nX-C: 3\r\nConnection: close, X-C")
    assert list(head.relayed) == [b"A: 1"]
    assert not head.keep_alive


@pytest.mark.parametrize(("version", "expects"), [(b"1.1", True), (b"1.0", False)])
def test_only_clients_of_http_1_1_can_wait_for_100(version: bytes, expects: bool) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1"""
    head = parse_request(b"PUT /k HTTP/" + version + b"\r\nHost: h\r\nExpect: 100-Continue")
    assert head.expects_continue is expects


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200 OK\r\nA",
        b"HTTP/1.1 200 OK\r\nfoobar\r\nA: 1",
        b"HTTP/1.1 200 OK\r\nHostx",
        b"HTTP/1.1 200 OK\r\nA : 1",
        b"HTTP/1.1 200 OK\r\n: 1",
        b"HTTP/1.1 200 OK\r\n A: 1",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded",
        b"HTTP/1.1 200 OK\r\nA: 1\nB: 2",
        b"HTTP/1.1 200 OK\nA: 1",
        b"HTTP/1.1 200 OK\r\nA: 1\rB: 2",
        b"HTTP/1.1 200 OK\r\nA: \x00",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chun\xe2\x84\xaaed",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 05",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xc2\xb2",
        b"HTTP/1.1 200 OK\r\nContent-Length:",
    ],
)
def test_heads_that_can_be_read_in_two_ways(head: bytes) -> None:
    """RFC 9112, 11: response splitting and request smuggling live on leniency."""
    with pytest.raises(NotHTTP):
        parse_response(head)
    with pytest.raises(NotHTTP):
        parse_request(
            head.replace(b"HTTP/1.1 200 OK", b"GET / HTTP/1.1").replace(b"HTTP/1.0 200 OK", b"GET / HTTP/1.0")
        )


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / http/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"G(T / HTTP/1.1",
    ],
)
def test_request_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(NotHTTP):
        parse_request(line + b"\r\nHost: h")


def test_a_request_is_written_as_it_was_read() -> None:
    """wire.md 4 and 20: order, case, spaces and bytes."""
    head = (
        b"PUT /b//k%2F?x=%27+~\xc3\xa9 HTTP/1.1\r\n"
        b"HOST: h:1\r\nx-amz-meta-a:  caf\xe9\r\nAuthorization: A B=c\r\nContent-Length: 3"
    )
    request = parse_request(head)
    assert request.write() == head + b"\r\n\r\n"
    assert (request.names.hosts, request.length, request.keep_alive) == (1, 3, True)


CHUNKS = b"3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: 1\r\n\r\n"


@given(st.lists(st.integers(0, len(CHUNKS) + 4), max_size=12))
def test_chunks_cut_anywhere(places: list[int]) -> None:
    """The same body and the same rest, wherever the network cuts."""
    framing = Chunked()
    assert feed(framing, cut(CHUNKS + b"next", places)) == (b"abc0123456789abcdef", b"next")
    assert framing.ended


@given(st.binary(max_size=30), st.integers(0, 30), st.lists(st.integers(0, 30), max_size=5))
def test_sized_bodies_cut_anywhere(data: bytes, length: int, places: list[int]) -> None:
    framing = Sized(length)
    assert feed(framing, cut(data, places)) == (data[:length], data[length:])
    assert framing.ended is (len(data) >= length)
    assert framing.close() is framing.ended


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\nabc",
        b"1" * 16 + b"\r\n",
        b"1;" + b"x" * 5000,
        b"0\r\n" + b"a: b\r\n" * 20_000,
    ],
)
def test_malformed_chunks(data: bytes) -> None:
    with pytest.raises(NotHTTP):
        Chunked().feed(data)


def test_how_a_body_ends_with_its_connection() -> None:
    assert UntilClose().close()
    assert not Chunked().close()
    assert not Sized(1).close()


NAMES = st.sampled_from([b"a", b"A", b"x-amz-meta-%", b"X-Amz-Date", b"te"])
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\0"))


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=5))
def test_a_head_as_text_is_what_was_sent(fields: list[tuple[bytes, bytes]]) -> None:
    """Whatever was sent under the same names before."""
    lines = [name + b":" + value for name, value in fields]
    found = parse_request(b"\r\n".join((b"GET / HTTP/1.1", *lines)))
    assert found.head.headers == header_fields([line for line in lines if not line.startswith(b"te:")])


def test_equal_names_say_nothing_of_the_values() -> None:
    for length in (5, 7, 5):
        assert parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d" % length).length == length
    with pytest.raises(NotHTTP):
        parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: x")
    with pytest.raises(NotHTTP):
        parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5")


def often(head: bytes, parse: Callable[[bytes], ReceivedRequest | ReceivedResponse] = parse_request) -> FieldNames:
    """The names of a head that has been seen often enough to be read by a pattern."""
    for _ in range(16):
        names = parse(head).names
    assert names.pattern is not None
    return names


ORDINARY = {b"transfer-encoding": b" chunked", b"connection": b" keep-alive", b"expect": b" 100-continue"}
CASES = st.sampled_from(
    [
        b"a",
        b"A",
        b"ab",
        b"Content-Length",
        b"content-length",
        b"Host",
        b"te",
        b"Transfer-Encoding",
        b"Connection",
        b"Expect",
    ]
)
SAID = st.sampled_from(
    [
        b" 1",
        b"1",
        b" close",
        b" keep-alive",
        b"a: 1",
        b"",
        b" ",
        b" x",
        b"  x",
        b" x ",
        b" x\t",
        b" x y",
        b" x  y",
        b" \xc3\xa9",
        b" \xff",
    ]
)
FIELDS = st.lists(st.tuples(CASES, SAID), max_size=4)
HEADS = st.tuples(st.lists(CASES, max_size=4), FIELDS) | FIELDS.map(lambda same: ([name for name, _ in same], same))


@given(HEADS, st.sampled_from([b"GET / HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET / HTTP/1.0"]))
def test_the_names_of_the_head_before_change_nothing(
    heads: tuple[list[bytes], list[tuple[bytes, bytes]]], line: bytes
) -> None:
    """Heads whose names were seen before are read by a pattern; what is found is what looking them up finds."""
    before, fields = heads
    head = b"\r\n".join((line, *map(b":".join, fields)))

    def found(expected: FieldNames | None) -> object:
        try:
            read = parse_request(head, expected)
        except NotHTTP as error:
            return str(error)
        said = read.method, read.target, read.http11, read.length, read.names.hosts, read.keep_alive
        written = list(read.fields), list(read.relayed), read.write()
        return said, read.head, read.names.starts, read.named(), list(read.values), written

    try:
        expected = often(
            b"\r\n".join((b"GET / HTTP/1.1", *[name + b":" + ORDINARY.get(name.lower(), b" 1") for name in before]))
        )
    except NotHTTP:
        return
    assert found(expected) == found(None)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_fields_that_stay_behind_of_heads_seen_often(place: int) -> None:
    lines = [b"ETag: 1", b"Server: x"]
    lines.insert(place, b"Connection: keep-alive")
    head = b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"Keep-Alive: 5"))
    read = parse_response(head, often(head, parse_response))
    assert read.write() == b"HTTP/1.1 200 OK\r\nETag: 1\r\nServer: x\r\n\r\n"
    assert (list(read.relayed), list(read.fields)) == ([b"ETag: 1", b"Server: x"], [*lines, b"Keep-Alive: 5"])
    assert (read.status, read.reason) == (200, b"OK")


@pytest.mark.parametrize("said", [b" x ", b" x\t", b"  x", b"x", b" \xc3\xa9", b" \xff", b"", b" "])
def test_values_of_heads_seen_often(said: bytes) -> None:
    names = often(b"GET / HTTP/1.1\r\nA: 1\r\nB: 2")
    read = parse_request(b"GET / HTTP/1.1\r\nA:%b\r\nB: 2" % said, names)
    assert read.named().by_name() == {"a": said.strip(b" \t").decode("utf-8", "surrogateescape"), "b": "2"}
    assert read.write() == b"GET / HTTP/1.1\r\nA:%b\r\nB: 2\r\n\r\n" % said


@pytest.mark.parametrize(
    ("field", "framing"),
    [
        (b"Transfer-Encoding: chunked", (None, True, True, False)),
        (b"Transfer-Encoding: Chunked", (None, True, True, False)),
        (b"Expect: 100-continue", (None, False, True, True)),
        (b"Expect: 100-Continue", (None, False, True, True)),
        (b"Expect: 200-ok", (None, False, True, False)),
        (b"Content-Length: 18", (18, False, True, False)),
        (b"Connection: Keep-Alive", (None, False, True, False)),
        (b"Connection: close", (None, False, False, False)),
        (b"Connection: close, TE", (None, False, False, False)),
    ],
)
def test_what_frames_a_head_seen_often(field: bytes, framing: tuple[int | None, bool, bool, bool]) -> None:
    name = field.partition(b":")[0]
    common = {b"Transfer-Encoding": b"chunked", b"Expect": b"100-continue", b"Connection": b"keep-alive"}.get(
        name, b"1"
    )
    names = often(b"PUT / HTTP/1.1\r\nHost: a\r\n%b: %b" % (name, common))
    read = parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\n" + field, names)
    assert (read.length, read.chunked, read.keep_alive, read.expects_continue) == framing


@pytest.mark.parametrize(
    "field",
    [
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: 5a",
        b"Content-Length: +5",
        b"Content-Length: 1234567890123456789",
        b"A: x\rB: y",
        b"A: x\nB: y",
        b"A: x\0",
    ],
)
def test_what_no_head_may_say_none_seen_often_may(field: bytes) -> None:
    name = field.partition(b":")[0]
    names = often(b"PUT / HTTP/1.1\r\nHost: a\r\n%b: %b" % (name, b"chunked" if name[:1] == b"T" else b"1"))
    with pytest.raises(NotHTTP):
        parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\n" + field, names)


def test_two_ways_to_frame_a_body_are_never_ordinary() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
    names = read_names((b"Host:", b"Content-Length:", b"Transfer-Encoding:"))
    for _ in range(20):
        names.note("(.*) (.*) (HTTP/1.1)")
        with pytest.raises(NotHTTP):
            parse_request(head, names)


def test_names_that_are_not_short_are_not_kept() -> None:
    """Who makes up long names cannot fill the memory with patterns."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x" * 2000 + b": 1"
    for _ in range(20):
        names = parse_request(head).names
    assert names.pattern is None


def test_names_that_begin_alike_are_not_taken_for_each_other() -> None:
    expected = often(b"PUT / HTTP/1.1\r\nHost: a\r\nX: 1")
    head = parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nXY: 1", expected)
    assert head.head.headers == (("Host", "a"), ("XY", "1"))
    assert parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5", expected).length == 5
    with pytest.raises(NotHTTP):
        parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nX : 1", expected)
    with pytest.raises(NotHTTP):
        parse_request(b"PUT / HTTP/1.1\r\nHost: a\r\nX", expected)


@pytest.mark.parametrize("line", [b"PUT /k HTTP/1.1", b"PUT /k HTTP/1.0"])
def test_requests_go_on_in_http_1_1(line: bytes) -> None:
    assert parse_request(line + b"\r\nHost: a").write() == b"PUT /k HTTP/1.1\r\nHost: a\r\n\r\n"

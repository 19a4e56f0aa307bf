"""Errors behind the white space of a 200: found as they come, explained, and nothing held back for it."""

from __future__ import annotations

import asyncio

import pytest

from denyproxy.exchange import Answer
from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.http1 import parse_request
from denyproxy.proxy.late_errors import Watch, begins_error, may_end_in_error
from tests.proxy.wire import BrokenTransfer, Explained, Wire, answering, relaying, upstream

COPY = b"PUT /b/k HTTP/1.1\r\nHost: h\r\nX-Amz-Copy-Source: /a/k\r\nContent-Length: 0\r\n\r\n"
PART = b"PUT /b/k?partNumber=1&uploadId=u HTTP/1.1\r\nHost: h\r\nx-amz-copy-source: /a/k\r\nContent-Length: 0\r\n\r\n"
COMPLETE = b"POST /b/k?uploadId=u HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
ERROR = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
RESULT = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
SAYS = Answer((("X-Deny-Explanation", "because"), ("X-Deny-Explanation-Id", "I1")), b"<Error>because</Error>")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)


@pytest.mark.parametrize(
    ("request_head", "status", "expected"),
    [
        (COPY, 200, True),
        (PART, 200, True),
        (COMPLETE, 200, True),
        (b"POST /b/k?x-id=CompleteMultipartUpload&uploadId=u HTTP/1.1\r\nHost: h\r\n\r\n", 200, True),
        (COPY, 404, False),
        (COMPLETE, 403, False),
        (COPY.replace(b"PUT", b"HEAD"), 200, False),
        (COPY.replace(b"X-Amz-Copy-Source:", b"X-Amz-Copy-Source-Range:"), 200, False),
        (b"PUT /b/k HTTP/1.1\r\nHost: h\r\n\r\n", 200, False),
        (b"PUT /b/k?partNumber=1&uploadId=u HTTP/1.1\r\nHost: h\r\n\r\n", 200, False),
        (b"GET /b/k?uploadId=u HTTP/1.1\r\nHost: h\r\n\r\n", 200, False),
        (b"POST /b/k?uploads HTTP/1.1\r\nHost: h\r\n\r\n", 200, False),
        (b"POST /b/uploadId?select&select-type=2 HTTP/1.1\r\nHost: h\r\n\r\n", 200, False),
    ],
)
def test_which_responses_may_end_in_an_error(request_head: bytes, status: int, expected: bool) -> None:
    assert may_end_in_error(parse_request(request_head.removesuffix(b"\r\n\r\n")), status) is expected


@pytest.mark.parametrize(
    ("lead", "document"),
    [
        (b"", ERROR),
        (b" \n\t\r\n" * 3, ERROR),
        (DECLARATION + b"\n", ERROR),
        (b"  \n" + DECLARATION + b"\n  \n", ERROR),
        (b"\xef\xbb\xbf" + DECLARATION, ERROR),
        (b" ", ERROR.replace(b"<Error>", b'<Error xmlns="urn:x">')),
    ],
)
def test_an_error_is_found_wherever_its_bytes_are_split(lead: bytes, document: bytes) -> None:
    body = lead + document
    for size in range(1, len(body) + 1):
        watch = Watch(1000)
        out = b"".join(watch.feed(body[at : at + size]) for at in range(0, len(body), size))
        assert (out, watch.begun, watch.rest()) == (lead, True, document)
    assert begins_error(body)


@pytest.mark.parametrize(
    "body",
    [
        RESULT,
        b"  " + DECLARATION + RESULT,
        b" <Errors><Error/></Errors>",
        b"<ErrorDocument>" + ERROR,
        b"<?xml " + b"x" * 300 + ERROR,
        b"<?xml <Error>",
        b"text " + ERROR,
        b"<Erro" + ERROR,
        b"",
    ],
)
def test_anything_else_goes_through_whole(body: bytes) -> None:
    for size in range(1, len(body) + 1):
        watch = Watch(1000)
        out = b"".join(watch.feed(body[at : at + size]) for at in range(0, len(body), size))
        assert not watch.begun
        assert out + watch.rest() == body
    assert not begins_error(body)


def test_white_space_goes_out_as_it_comes() -> None:
    watch = Watch(1000)
    assert [watch.feed(piece) for piece in (b" ", b"\n\n", DECLARATION, b" ", b"\t")] == [
        b" ",
        b"\n\n",
        DECLARATION,
        b" ",
        b"\t",
    ]
    assert not watch.held


def test_nothing_is_held_beyond_the_bound() -> None:
    watch = Watch(100)
    assert watch.feed(b"  <Error>") == b"  "
    assert watch.feed(b"x" * 93) == b""
    assert watch.feed(b"y") == b"<Error>" + b"x" * 93 + b"y"
    assert watch.feed(ERROR) == ERROR


async def _drip(wire: Wire, seen: asyncio.Queue[bytes], pieces: list[bytes], end: bytes) -> None:
    """Send each piece when the one before it has come out at the other side."""
    for piece in pieces:
        await wire.send(piece)
        await seen.get()
    await wire.send(end)


@pytest.mark.parametrize("request_head", [COPY, PART, COMPLETE])
async def test_slow_white_space_is_relayed_at_once_and_the_chunked_error_extended(request_head: bytes) -> None:
    """What S3 does for minutes: every piece is at the client before the next one is sent."""
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    lead = [DECLARATION, b" ", b"\n", b"  "]

    async def script(wire: Wire) -> None:
        await wire.message()
        pieces = [CHUNKED, *map(chunk, lead)]
        await _drip(wire, seen, pieces, chunk(ERROR[:9]) + chunk(ERROR[9:]) + b"0\r\n\r\n")

    async with (
        upstream(script) as port,
        relaying(port, explained=Explained(SAYS)) as proxy,
        proxy.connect() as client,
    ):
        await client.send(request_head)
        head = await client.head()
        seen.put_nowait(b"head")
        for piece in lead:
            assert await client.exactly(len(chunk(piece))) == chunk(piece)
            seen.put_nowait(piece)
        body = await client.chunks()
        (call,) = proxy.explained.calls
        assert proxy.relay.counters.denials == 1
    assert (head.status, head.get(b"x-deny-explanation")) == (200, None)
    assert body == b"<Error>because</Error>"
    assert call.response_body == ERROR
    assert call.response is not None
    assert call.response.status == 200


async def test_a_sized_error_after_the_head_is_explained_and_left_as_it_is() -> None:
    """Its length has been told; the log has the explanation."""
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    body = b"  \n" + ERROR

    async def script(wire: Wire) -> None:
        await wire.message()
        await _drip(wire, seen, [sized(body), b"  ", b"\n"], ERROR)

    async with (
        upstream(script) as port,
        relaying(port, explained=Explained(SAYS)) as proxy,
        proxy.connect() as client,
    ):
        await client.send(COPY)
        head = await client.head()
        seen.put_nowait(b"")
        for piece in (b"  ", b"\n"):
            assert await client.exactly(len(piece)) == piece
            seen.put_nowait(piece)
        assert await client.exactly(len(ERROR)) == ERROR
        assert [call.response_body for call in proxy.explained.calls] == [ERROR]
    assert head.get(b"content-length") == str(len(body)).encode()


@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_an_error_that_comes_with_its_head_gets_header_and_message(framing: str) -> None:
    """Servers that keep nothing alive: the head has not gone out, so it is explained like a 403."""
    body = DECLARATION + b"\n" + ERROR
    response = sized(body) + body if framing == "sized" else CHUNKED + chunk(body) + b"0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(COPY)
        assert [call.response_body for call in proxy.explained.calls] == [body]
    assert (answer.status, answer.body) == (200, b"<Error>because</Error>")
    assert answer.get(b"x-deny-explanation") == b"because"
    assert answer.get(b"content-length") == (b"22" if framing == "sized" else None)


@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_a_body_split_at_every_byte_is_relayed_whole(framing: str) -> None:
    """Wherever the segments end, and whether the head goes out before the error or with it."""
    body = b" \n" + DECLARATION + b" " + ERROR
    explained = Explained(None)
    for at in range(len(body)):
        halves = (body[:at], body[at:])
        pieces = [chunk(half) for half in halves if half] if framing == "chunked" else list(halves)
        first = (CHUNKED if framing == "chunked" else sized(body)) + b"".join(pieces[:-1])
        last = pieces[-1] + (b"0\r\n\r\n" if framing == "chunked" else b"")

        async def script(wire: Wire, first: bytes = first, last: bytes = last) -> None:
            await wire.message()
            await wire.send(first)
            await wire.delivered()
            await wire.send(last)

        async with upstream(script) as port, relaying(port, explained=explained) as proxy:
            answer = await proxy.ask(COMPLETE)
        assert (answer.status, answer.body) == (200, body)
    assert len(explained.calls) == len(body)


@pytest.mark.parametrize("body", [RESULT, b"  " + RESULT, b" \n", b"", b"  <Errors/>"])
async def test_a_success_is_not_explained(body: bytes) -> None:
    response = CHUNKED + (chunk(body) if body else b"") + b"0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(COPY)
        assert not proxy.explained.calls
    assert (answer.body, answer.get(b"x-deny-explanation-id")) == (body, None)


@pytest.mark.parametrize("lead", [b"", b"  "])
async def test_an_error_beyond_the_bound_is_relayed_untouched(lead: bytes) -> None:
    body = lead + ERROR.replace(b"</Message>", b"x" * 5000 + b"</Message>")
    options = RelayOptions(error_body_bytes=1000)
    response = CHUNKED + b"".join(chunk(body[at : at + 300]) for at in range(0, len(body), 300)) + b"0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port, options=options) as proxy:
        answer = await proxy.ask(COPY)
        assert not proxy.explained.calls
    assert (answer.body, answer.get(b"x-deny-explanation-id")) == (body, None)


@pytest.mark.parametrize(
    "request_head",
    [b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"],
)
async def test_an_object_that_looks_like_an_error_is_none(request_head: bytes) -> None:
    async with upstream(answering(sized(ERROR) + ERROR)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(request_head)
        assert not proxy.explained.calls
    assert answer.body == ERROR


async def test_another_status_is_not_touched() -> None:
    missing = ERROR.replace(b"AccessDenied", b"NoSuchKey")
    response = sized(missing).replace(b"200 OK", b"404 Not Found") + missing
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(COPY)
        assert not proxy.explained.calls
    assert (answer.status, answer.body) == (404, missing)


async def test_an_error_that_breaks_off_is_delivered_as_far_as_it_came() -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        await wire.message()
        await _drip(wire, seen, [CHUNKED + chunk(b" ")], chunk(ERROR[:20]))
        await wire.delivered()

    async with (
        upstream(script) as port,
        relaying(port, explained=Explained(SAYS)) as proxy,
        proxy.connect() as client,
    ):
        await client.send(COPY)
        await client.head()
        assert await client.exactly(len(chunk(b" "))) == chunk(b" ")
        seen.put_nowait(b"")
        assert await client.exactly(len(chunk(ERROR[:20]))) == chunk(ERROR[:20])
        with pytest.raises(BrokenTransfer):
            await client.chunks()
        assert not proxy.explained.calls


async def test_an_explanation_that_fails_leaves_the_error_alone() -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        await wire.message()
        await _drip(wire, seen, [CHUNKED + chunk(b" ")], chunk(ERROR) + b"0\r\n\r\n")

    explained = Explained(fails=ValueError("no"))
    async with upstream(script) as port, relaying(port, explained=explained) as proxy, proxy.connect() as client:
        await client.send(COMPLETE)
        await client.head()
        assert await client.exactly(len(chunk(b" "))) == chunk(b" ")
        seen.put_nowait(b"")
        assert await client.chunks() == ERROR
        assert len(explained.calls) == 1

"""What comes out is what went in: targets, header fields, bodies, framing."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.wire import EMPTY, OK, Message, Wire, answering, relaying, upstream

ODD_TARGETS = [
    "/bucket//key",
    "//bucket/key",
    "/bucket/a/../b",
    "/bucket/./a",
    "/bucket/a%2Fb",
    "/bucket/a%2fb",
    "/bucket/%E2%82%AC",
    "/bucket/%e2%82%ac",
    "/bucket/a+b",
    "/bucket/a%20b",
    "/bucket/a%2Bb",
    "/bucket/it%27s",
    "/bucket/it's",
    "/bucket/~(a)*!",
    "/bucket/key?",
    "/bucket/?list-type=2&prefix=a%2Fb&delimiter=/",
    "/bucket?acl",
    "/bucket?acl=",
    "/bucket/key?versionId=null&versionId=2",
    "/bucket/key?a=b?c=d",
    "/bucket/k%C3%A9?response-content-type=a%3Bb",
    "/bucket/key#fragment",
    "/bucket/key?x#y",
    "/bucket/%00",
    "/",
    "/?",
]


@pytest.mark.parametrize("target", ODD_TARGETS)
async def test_targets_are_byte_identical(target: str) -> None:
    """wire.md 4 and 18: no path is normalised, decoded or encoded anew."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
    assert seen[0].first_line == b"GET %s HTTP/1.1" % target.encode()


@pytest.mark.parametrize("target", ["/bucket/é€😀".encode(), b"/bucket/caf\xe9"])
async def test_a_target_that_is_not_ascii_is_relayed(target: bytes, client: str) -> None:
    """wire.md 20: HTTP allows none, but what S3 makes of it is S3's to say; aiohttp's own client cannot send all."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target)
    if client == "pool":
        assert seen[0].first_line == b"GET %s HTTP/1.1" % target
    else:
        assert answer.status in (200, 400)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60), max_size=1))
async def test_any_visible_ascii_target_is_byte_identical(paths: list[str]) -> None:
    """wire.md 4 and 18, generated."""
    target = "/" + "".join(paths)
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
    assert seen[0].first_line == b"GET %s HTTP/1.1" % target.encode()


REQUEST_FIELDS = [
    (b"x-amz-date", b"20260101T000000Z"),
    (b"Host", b"photos.example.com:9000"),
    (b"X-AMZ-Content-SHA256", b"UNSIGNED-PAYLOAD"),
    (b"User-Agent", b""),
    (b"accept-encoding", b"identity"),
    (b"x-amz-meta-a", b"1"),
    (b"X-Amz-Meta-A", b"2"),
    (b"x-amz-meta-a", b"1"),
    (b"authorization", b"AWS4-HMAC-SHA256 Credential=A/b/c/s3/aws4_request,SignedHeaders=host;x-amz-date,Signature=0"),
    (b"x-amz-meta-spaces", b"a   b\tc"),
    (b"Cookie", b"a=b;  c=d"),
    (b"If-None-Match", b'"x"'),
]


async def test_request_fields_keep_order_case_and_values() -> None:
    """wire.md 21: nothing is added, dropped, sorted, merged or renamed; Host is kept where it stands."""
    seen: list[Message] = []
    lines = b"".join(b"%s: %s\r\n" % field for field in REQUEST_FIELDS)
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"GET /bucket/key HTTP/1.1\r\n" + lines + b"\r\n")
    assert seen[0].fields == REQUEST_FIELDS


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"])
async def test_a_request_without_a_body_gets_no_framing(method: str) -> None:
    """wire.md 12 and 21: no Content-Length, Content-Type or Transfer-Encoding of ours."""
    seen: list[Message] = []
    async with upstream(answering(EMPTY, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"%s /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n" % method.encode(), bodiless=True)
    assert seen[0].fields == [(b"Host", b"h")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_content_length_zero_is_relayed(method: str) -> None:
    """wire.md 12: Content-Length: 0 on PUT and POST, and accepted on GET and HEAD."""
    seen: list[Message] = []
    async with upstream(answering(EMPTY, seen)) as port, relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"%s /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % method.encode())
            assert (await wire.message(bodiless=True)).status == 200
    assert [message.fields for message in seen] == [[(b"Host", b"h"), (b"Content-Length", b"0")]] * 2


async def test_a_body_keeps_its_content_length() -> None:
    """wire.md 21: a body of known length is not chunked."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"PUT /b/k HTTP/1.1\r\ncontent-length: 5\r\nHost: h\r\n\r\nhello")
    assert seen[0].fields == [(b"content-length", b"5"), (b"Host", b"h")]
    assert seen[0].body == b"hello"


async def test_a_get_may_have_a_body() -> None:
    """wire.md 12: what a client sends is relayed, whatever the method."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    assert seen[0].body == b"hello"


SIGNED_CHUNKS = (
    b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n"
    b"0;chunk-signature=" + b"b" * 64 + b"\r\n"
    b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:" + b"c" * 64 + b"\r\n\r\n"
)


async def test_aws_chunked_inside_http_chunked() -> None:
    """wire.md 10, 11 and 21: the inner framing, its signatures and trailers are content, byte for byte."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\n"
            b"content-encoding: gzip,aws-chunked\r\nTransfer-Encoding: chunked\r\n"
            b"x-amz-trailer: x-amz-checksum-crc32\r\n\r\n"
        )
        for start in range(0, len(SIGNED_CHUNKS), 37):
            piece = SIGNED_CHUNKS[start : start + 37]
            await wire.send(b"%X;ext=1\r\n%s\r\n" % (len(piece), piece))
        await wire.send(b"0\r\n\r\n")
        assert (await wire.message()).body == b"ok"
    assert seen[0].body == SIGNED_CHUNKS
    assert seen[0].fields == [
        (b"Host", b"h"),
        (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        (b"content-encoding", b"gzip,aws-chunked"),
        (b"Transfer-Encoding", b"chunked"),
        (b"x-amz-trailer", b"x-amz-checksum-crc32"),
    ]


async def test_aws_chunked_with_a_content_length() -> None:
    """wire.md 10: the sentinel hash, the decoded length and every chunk signature are kept."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n"
            b"x-amz-decoded-content-length: 5\r\nContent-Length: %d\r\n\r\n%s" % (len(SIGNED_CHUNKS), SIGNED_CHUNKS)
        )
    assert seen[0].body == SIGNED_CHUNKS
    assert seen[0].get(b"x-amz-decoded-content-length") == b"5"


@pytest.mark.parametrize("body", [gzip.compress(b"hello" * 100), b"not gzip at all"], ids=["gzip", "no gzip"])
async def test_gzip_is_content(body: bytes) -> None:
    """wire.md 17: neither direction decompresses, and bad gzip is nobody's business here."""
    seen: list[Message] = []
    response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
    assert seen[0].body == body
    assert answer.body == body
    assert answer.fields == [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"%d" % len(body))]


RESPONSE_FIELDS = [
    (b"x-amz-id-2", b"abc="),
    (b"ETag", b'"d41d8cd98f00b204e9800998ecf8427e"'),
    (b"x-amz-meta-a", b"2"),
    (b"X-Amz-Meta-B", b"1"),
    (b"x-amz-meta-a", b"1"),
    (b"Set-Cookie", b"a=b; Path=/"),
    (b"content-length", b"2"),
    (b"Server", b""),
    (b"x-amz-meta-spaces", b"a   b"),
]


async def test_response_fields_keep_order_case_and_values() -> None:
    """wire.md 21: no Date, Server or Content-Type of ours; repeated fields stay apart."""
    lines = b"".join(b"%s: %s\r\n" % field for field in RESPONSE_FIELDS)
    async with (
        upstream(answering(b"HTTP/1.1 206 Some Content\r\n" + lines + b"\r\nok")) as port,
        relaying(port) as proxy,
    ):
        answer = await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.first_line == b"HTTP/1.1 206 Some Content"
    assert answer.fields == RESPONSE_FIELDS


async def test_cookies_of_one_client_do_not_reach_another() -> None:
    """wire.md 21: the upstream client keeps none."""
    seen: list[Message] = []
    response = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        for _ in range(2):
            await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
    assert [message.get(b"cookie") for message in seen] == [None, None]


async def test_hop_by_hop_fields_stay_behind() -> None:
    """wire.md 1 and 21: those of HTTP and those that Connection names; Host and Content-Length cannot be named away."""
    seen: list[Message] = []
    response = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n"
        b"Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    )
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(
            b"GET /b/k HTTP/1.1\r\nHost: h\r\nConnection: x-mine, host ,content-length\r\nX-Mine: 1\r\n"
            b"TE: trailers\r\nKeep-Alive: 300\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
    assert seen[0].fields == [(b"Host", b"h"), (b"Content-Length", b"0")]
    assert answer.fields == [(b"Content-Length", b"0")]


async def test_signed_hop_by_hop_fields_go_along() -> None:
    """wire.md 1: some clients sign Connection; without it the signature would not match."""
    seen: list[Message] = []
    authorization = (
        b"AWS4-HMAC-SHA256 Credential=A/20260101/r/s3/aws4_request,SignedHeaders=connection;host,Signature=0"
    )
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        await proxy.ask(
            b"GET /b/k HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nTE: trailers\r\nauthorization: %s\r\n\r\n"
            % authorization
        )
    assert seen[0].fields == [(b"Host", b"h"), (b"Connection", b"keep-alive"), (b"authorization", authorization)]


async def test_an_upgrade_is_not_relayed_and_the_connection_goes_on() -> None:
    """S3 has no other protocol to offer."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"GET /b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert (await wire.message()).body == b"ok"
    assert [message.fields for message in seen] == [[(b"Host", b"h")]] * 2


async def test_a_request_without_a_host_is_refused() -> None:
    """HTTP/1.0 allows it; a signature without Host is none."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b HTTP/1.0\r\n\r\n")
    assert answer.status == 400
    assert b"Host" in answer.body


async def test_a_slow_reader_holds_the_upstream_back() -> None:
    """Backpressure: the relay holds a bounded piece of a body, however long the body is."""
    size = 256 << 20
    sent = received = ahead = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            await wire.send(bytes(1 << 20))
            sent += 1 << 20

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
        await wire.head()
        while received < 32 << 20:
            received += len(await wire.some())
            for _ in range(20):  # everybody else may go on meanwhile
                await asyncio.sleep(0)
            ahead = max(ahead, sent - received)
    assert 0 < ahead < 24 << 20


async def test_a_slow_upstream_holds_the_client_back() -> None:
    """The same for uploads."""
    size = 256 << 20
    sent = received = ahead = 0
    done = asyncio.Event()

    async def script(wire: Wire) -> None:
        nonlocal received, ahead
        await wire.head()
        while received < 32 << 20:
            received += len(await wire.some())
            for _ in range(20):
                await asyncio.sleep(0)
            ahead = max(ahead, sent - received)
        done.set()
        await asyncio.Event().wait()

    async def send(wire: Wire) -> None:
        nonlocal sent
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            await wire.send(bytes(1 << 20))
            sent += 1 << 20

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        sending = asyncio.create_task(send(wire))
        await done.wait()
        sending.cancel()
        wire.reset()
    assert 0 < ahead < 24 << 20


async def test_a_chunked_response_is_chunked_again() -> None:
    """wire.md 21: Transfer-Encoding is this connection's own, at its place; the content is the same."""
    response = (
        b"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n\r\n"
        b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nX-Trailer: gone\r\n\r\n"
    )
    async with upstream(answering(response)) as port, relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = await wire.message()
            assert answer.body == b"abcd"
            assert answer.fields == [(b"A", b"1"), (b"Transfer-Encoding", b"chunked"), (b"B", b"2")]


async def test_a_response_that_ends_with_its_connection_is_chunked() -> None:
    """Only so can the client tell its end from a break."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.0 200 OK\r\nA: 1\r\n\r\nhello")
        await wire.close()

    async with upstream(script) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.body == b"hello"
    assert answer.fields == [(b"A", b"1"), (b"Transfer-Encoding", b"chunked")]


async def test_an_http_1_0_client_gets_no_chunks() -> None:
    """A client of HTTP/1.0 reads to the end of the connection."""
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"GET /b HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
        head = await wire.head()
        assert head.fields == [(b"Connection", b"close")]
        assert await wire.ended() == b"abc"


async def test_head_keeps_the_length_of_what_get_would_send() -> None:
    """wire.md 25: and the connection goes on after it."""
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\nETag: x\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"HEAD /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = await wire.message(bodiless=True)
            assert answer.fields == [(b"Content-Length", b"1073741824"), (b"ETag", b"x")]


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5", [(b"ETag", b"x"), (b"Content-Length", b"5")]),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x", [(b"ETag", b"x")]),
        (b"HTTP/1.1 204 No Content\r\nx-amz-version-id: v", [(b"x-amz-version-id", b"v")]),
    ],
)
async def test_statuses_without_a_body(head: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    """wire.md 25: nothing follows the head, and the connection goes on."""
    async with upstream(answering(head + b"\r\n\r\n")) as port, relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"DELETE /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await wire.message(bodiless=True)).fields == fields


async def test_redirects_are_relayed_not_followed() -> None:
    """wire.md 21 and 27."""
    seen: list[Message] = []
    response = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/b/k\r\nx-amz-bucket-region: eu-west-1\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (answer.status, answer.get(b"location")) == (307, b"http://127.0.0.1:1/b/k")
    assert len(seen) == 1


async def test_utf_8_and_other_bytes_of_fields_survive() -> None:
    """wire.md 20: UTF-8 both ways; a response's other bytes as well."""
    seen: list[Message] = []
    value = "é€😀".encode()
    response = b"HTTP/1.1 200 OK\r\nx-amz-meta-a: %s\r\nx-amz-meta-b: caf\xe9\r\nContent-Length: 0\r\n\r\n" % value
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: %s\r\n\r\n" % value)
    assert seen[0].get(b"x-amz-meta-a") == value
    assert (answer.get(b"x-amz-meta-a"), answer.get(b"x-amz-meta-b")) == (value, b"caf\xe9")


async def test_fields_that_cannot_be_relayed_are_refused(client: str) -> None:
    """wire.md 20: a dropped byte would be a SignatureDoesNotMatch that nobody understands."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: caf\xe9\r\n\r\n")
    if client == "pool":
        assert seen[0].get(b"x-amz-meta-a") == b"caf\xe9"
        return
    assert answer.status == 400
    assert b"<Code>InvalidRequest</Code>" in answer.body
    assert b"x-amz-meta-a" in answer.body
    assert not seen


async def test_long_targets_and_fields() -> None:
    """wire.md 19: presigned URLs with session tokens and metadata go beyond 8190 bytes."""
    seen: list[Message] = []
    target = b"/b/k?X-Amz-Security-Token=" + b"t" * 40_000
    response = b"HTTP/1.1 200 OK\r\nx-amz-meta-long: %s\r\nContent-Length: 0\r\n\r\n" % (b"r" * 20_000)
    async with upstream(answering(response, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET %s HTTP/1.1\r\nHost: h\r\nx-amz-meta-long: %s\r\n\r\n" % (target, b"v" * 20_000))
    assert seen[0].first_line == b"GET %s HTTP/1.1" % target
    assert seen[0].get(b"x-amz-meta-long") == b"v" * 20_000
    assert answer.get(b"x-amz-meta-long") == b"r" * 20_000


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%s HTTP/1.1\r\nHost: h\r\n" % (b"a" * 140_000),
        b"GET / HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: %s\r\n" % (b"a" * 140_000),
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * 300,
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"GET / HTTP/1.1\r\n",
        b"nonsense\r\n",
    ],
)
async def test_heads_beyond_the_bounds_are_refused_in_s3s_form(head: bytes) -> None:
    """wire.md 19: bounded; and the refusal is one that an SDK shows."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(head + b"\r\n")
        answer = await wire.message()
    assert answer.status == 400
    assert answer.get(b"content-type") == b"application/xml"
    assert b"<Code>InvalidRequest</Code>" in answer.body


async def test_own_fields_of_an_upstream_are_dropped() -> None:
    """design.md 7: only denyproxy speaks under X-Deny-."""
    response = b"HTTP/1.1 200 OK\r\nX-Deny-Explanation: trust me\r\nx-deny-other: x\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.fields == [(b"Content-Length", b"0")]


async def test_pipelined_requests_are_answered_in_order() -> None:
    """One connection, several requests at once."""

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.message()
            path = request.first_line.split(b" ")[1]
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"".join(b"GET /b/%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(50)))
        assert [(await wire.message()).body for _ in range(50)] == [b"/b/%d" % n for n in range(50)]

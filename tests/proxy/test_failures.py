"""What goes wrong in the middle: lost upstreams, stale connections, stalls, lost clients, faults of our own."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.modes import Passthrough
from denyproxy.proxy.reply import Reply
from denyproxy.proxy.server import ServerOptions
from denyproxy.proxy.upstream import Origin, UpstreamOptions, UpstreamRequest
from tests.proxy.wire import (
    OK,
    BrokenTransfer,
    Message,
    Wire,
    answering,
    relaying,
    upstream,
)

GET = b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"
MiB = 1 << 20


@pytest.mark.parametrize(
    "request_",
    [
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_an_error_of_our_own_ends_a_connection_that_is_not_clean(request_: bytes) -> None:
    """wire.md 14 and 23: bytes unread, or a 100 that never came."""
    async with upstream(answering(OK)) as port:
        pass
    async with relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(request_)
        answer = await wire.message()
    assert (answer.status, answer.get(b"connection")) == (502, b"close")


async def test_an_error_of_our_own_leaves_a_clean_connection_open() -> None:
    """The client may go on."""
    async with upstream(answering(OK)) as port:
        pass
    async with relaying(port) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(GET)
            assert (await wire.message()).status == 502


async def test_a_fault_of_our_own_is_a_500_in_s3s_form(caplog: pytest.LogCaptureFixture) -> None:
    """Not aiohttp's page, and without the exception's words."""

    class Faulty(Passthrough):
        async def prepare(self, *_: object) -> UpstreamRequest:
            raise RuntimeError("PLANTED5ECRET")

    async with relaying([Faulty(Origin("http", "127.0.0.1", 1))]) as proxy:
        answer = await proxy.ask(GET)
    assert answer.status == 500
    assert b"<Code>InternalError</Code>" in answer.body
    assert "RuntimeError" in caplog.text
    assert "PLANTED5ECRET" not in caplog.text


async def test_a_fault_of_our_own_after_the_100_is_a_500_too() -> None:
    """Nothing of a final response has been written yet."""

    class Faulty(Passthrough):
        async def prepare(self, _: object, body: RequestBody | None) -> UpstreamRequest:
            assert body is not None
            await body.read()
            raise RuntimeError

    async with relaying([Faulty(Origin("http", "127.0.0.1", 1))]) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await wire.head()).status == 100
        await wire.send(b"hello")
        answer = await wire.message()
    assert (answer.status, answer.get(b"connection")) == (500, b"close")


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
    ],
)
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_an_upstream_lost_in_a_body_is_a_broken_transfer(start: bytes, ending: str) -> None:
    """Never a short success."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(start)
        await wire.delivered()
        if ending == "reset":
            wire.reset()

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(GET)
        assert (await wire.head()).status == 200
        with pytest.raises((BrokenTransfer, ConnectionError)):
            await (wire.chunks() if b"chunked" in start else wire.exactly(1_000_000))
        assert proxy.relay.counters.broken == 1


async def test_a_broken_transfer_to_an_http_1_0_client_is_a_reset() -> None:
    """Such a client takes a mere end for success."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"GET /b/k HTTP/1.0\r\nHost: h\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await wire.ended()


async def test_a_body_without_a_length_that_is_reset_is_broken() -> None:
    """The end of the connection would be its end; a reset is none."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await wire.delivered()
        wire.reset()

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(GET)
        assert (await wire.head()).status == 200
        with pytest.raises((BrokenTransfer, ConnectionError)):
            await wire.chunks()


async def test_a_fault_of_our_own_in_a_body_is_a_broken_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no way back to a 500 once a response has begun."""

    async def finish(reply: Reply, data: bytes = b"") -> bool:
        reply.write(data)
        raise ValueError("a fault")

    monkeypatch.setattr(Reply, "finish", finish)
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"GET /b/k HTTP/1.0\r\nHost: h\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await wire.ended()


async def test_an_error_document_that_breaks_off_is_a_broken_transfer() -> None:
    """Also while the proxy reads it to explain it."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\n<Error>")

    async with upstream(script) as port, relaying(port) as proxy:
        with pytest.raises((BrokenTransfer, ConnectionError)):
            await proxy.ask(GET)


async def test_an_unreachable_upstream_is_a_502_that_names_it() -> None:
    """In S3's form, so that the SDK shows it."""
    async with upstream(answering(OK)) as port:
        pass
    async with relaying(port) as proxy:
        answer = await proxy.ask(GET)
        head = await proxy.ask(GET.replace(b"GET", b"HEAD"), bodiless=True)
    assert answer.status == 502
    assert answer.get(b"content-type") == b"application/xml"
    assert b"<Code>BadGateway</Code>" in answer.body
    assert b"http://127.0.0.1:%d" % port in answer.body
    assert b"<Resource>/b/k</Resource>" in answer.body
    assert answer.get(b"server") is None
    assert b"<RequestId>%s</RequestId>" % (answer.get(b"x-amz-request-id") or b"none") in answer.body
    assert head.status == 502
    assert not any(name.lower().startswith(b"x-deny") for name, _ in answer.fields)


async def test_an_unknown_host_is_a_502() -> None:
    """The name does not resolve."""
    async with relaying([Passthrough(Origin("http", "no-such-host.invalid", 80))]) as proxy:
        answer = await proxy.ask(GET)
    assert answer.status == 502
    assert b"http://no-such-host.invalid:80" in answer.body


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"])
async def test_a_host_that_can_be_none_is_a_400(host: str) -> None:
    """A label of 64 characters, and one of none."""
    async with relaying([Passthrough(Origin("http", host, 80))]) as proxy:
        assert (await proxy.ask(GET)).status == 400


async def test_an_upstream_that_hangs_up_without_an_answer_is_a_502() -> None:
    """Nothing came: the client may try again."""

    async def script(wire: Wire) -> None:
        await wire.message()

    async with upstream(script) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"POST /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.status == 502


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nno-colon\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    ],
    ids=["no colon", "two lengths", "bare LF"],
)
@pytest.mark.parametrize("client", ["pool"], indirect=True)  # the reference mends the last
async def test_a_response_head_that_is_none_is_a_502(response: bytes) -> None:
    """At once: the upstream keeps its connection open, and waits."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(response)
        await wire.ended()

    async with upstream(script) as port, relaying(port) as proxy:
        assert (await proxy.ask(GET)).status == 502


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nfoobar\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\nhello",
        b"GET /b/k HTTP/1.1\nHost: h\n\n",
        b"\r\nGET /b/k HTTP/1.1\r\nHost: h\r\nx: y\n",
    ],
    ids=["no colon", "two lengths", "bare LF", "one bare LF"],
)
async def test_a_request_head_that_is_none_is_a_400(request_: bytes) -> None:
    """At once, and nothing of it goes on."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        assert (await proxy.ask(request_)).status == 400
    assert not seen


async def test_a_head_that_comes_in_pieces_may_be_cut_inside_a_line_end() -> None:
    """CR and LF in two reads are a line end all the same."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        for piece in (b"GET /b/k HTTP/1.1\r", b"\nHost: h\r\n", b"\r", b"\n"):
            await wire.send(piece)
            await wire.delivered()
            await asyncio.sleep(0.01)
        assert (await wire.message()).body == b"ok"


async def test_an_upstream_that_does_not_speak_http_is_a_502() -> None:
    """Not a traceback, and not its bytes."""
    async with upstream(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as port, relaying(port) as proxy:
        answer = await proxy.ask(GET)
    assert answer.status == 502
    assert b"OpenSSH" not in answer.body


async def test_a_forged_response_field_is_a_502() -> None:
    """wire.md 24: a bare line break inside a value must not become another field."""
    response = b"HTTP/1.1 200 OK\r\nx-amz-meta-a: a\rX-Forged: 1\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port) as proxy:
        answer = await proxy.ask(GET)
    assert answer.status == 502
    assert answer.get(b"x-forged") is None


async def test_a_silent_upstream_is_a_504() -> None:
    """A stall is bounded."""

    async def script(wire: Wire) -> None:
        await wire.ended()

    session = UpstreamOptions(idle_seconds=0.05)
    async with upstream(script) as port, relaying(port, session=session) as proxy:
        answer = await proxy.ask(GET)
        upload = await proxy.ask(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    assert (answer.status, upload.status) == (504, 504)
    assert b"<Code>GatewayTimeout</Code>" in answer.body


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 300\r\n\r\n<Error>",
    ],
    ids=["success", "refusal"],
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "partial"])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["", "expect"])
async def test_a_stall_after_a_head_that_came_before_the_end_of_the_upload_has_an_end(
    start: bytes, whole: bool, expect: bytes
) -> None:
    """Whatever comes of the upload; of one that is to go on, once it has ended."""
    whole = whole or b" 200 " in start

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(start)
        await wire.ended()

    session = UpstreamOptions(idle_seconds=0.2)
    async with upstream(script) as port, relaying(port, session=session) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\n%bContent-Length: 10\r\n\r\nhello" % expect)
        if b" 200 " in start:
            await wire.head()
        if whole:
            await wire.send(b"world")
        with contextlib.suppress(ConnectionError):
            await wire.ended()
        assert proxy.relay.counters.broken == 1


@pytest.mark.parametrize("client", ["pool"], indirect=True)  # the reference has no such patience
async def test_an_upload_that_goes_on_after_the_head_may_take_its_time() -> None:
    """The upstream owes nothing until it has all of it."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await wire.exactly(10)
        await wire.send(b"ok")

    session = UpstreamOptions(idle_seconds=0.1)
    async with upstream(script) as port, relaying(port, session=session) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
        await wire.head()
        await asyncio.sleep(0.4)  # four times as long as the upstream may be silent
        await wire.send(b"helloworld")
        assert await wire.exactly(2) == b"ok"


async def test_an_upstream_that_takes_no_more_of_an_upload_is_a_504() -> None:
    """Backpressure has an end."""

    async def script(wire: Wire) -> None:
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    session = UpstreamOptions(idle_seconds=0.05)
    async with upstream(script) as port, relaying(port, session=session) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * MiB))
        sending = asyncio.create_task(wire.send(bytes(64 * MiB)))
        answer = await wire.message()
        assert answer.status == 504
        await sending


async def test_a_client_that_stalls_in_its_body_is_told() -> None:
    """As S3 does: RequestTimeout."""
    options = RelayOptions(client_idle_seconds=0.05)
    async with upstream(answering(OK)) as port, relaying(port, options=options) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
        answer = await wire.message()
    assert answer.status == 400
    assert b"<Code>RequestTimeout</Code>" in answer.body


async def test_a_malformed_body_is_a_400() -> None:
    """Chunks that are none."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnot-hex\r\n")
        answer = await wire.message()
    assert answer.status == 400


@pytest.mark.parametrize(
    ("request_", "retried"),
    [
        (b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n", True),
        (b'GET /b/k HTTP/1.1\r\nHost: h\r\nIf-None-Match: "x"\r\n\r\n', True),
        (b"PUT /b HTTP/1.1\r\nHost: h\r\n\r\n", True),
        (b"DELETE /b/k HTTP/1.1\r\nHost: h\r\n\r\n", True),
        (b"DELETE /b/k HTTP/1.1\r\nHost: h\r\nIf-Match: *\r\n\r\n", False),
        (b"DELETE /b/k HTTP/1.1\r\nHost: h\r\nx-amz-if-match-size: 1\r\n\r\n", False),
        (b"PUT /b/k HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\nContent-Length: 0\r\n\r\n", False),
        (b"PUT /b/k HTTP/1.1\r\nHost: h\r\nx-amz-copy-source-if-unmodified-since: x\r\n\r\n", False),
        (b"POST /b/k?uploads HTTP/1.1\r\nHost: h\r\n\r\n", False),
        (b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", False),
    ],
)
async def test_a_stale_connection_is_retried_only_where_that_is_safe(request_: bytes, retried: bool) -> None:
    """wire.md 22: no body byte was consumed, and never a conditional write."""
    connections = 0
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await wire.message()
            await wire.send(OK)
        seen.append((await wire.head()).first_line)
        if connections == 1:
            wire.reset()
        else:
            await wire.send(OK)

    async with upstream(script) as port, relaying(port) as proxy:
        assert (await proxy.ask(GET)).status == 200
        answer = await proxy.ask(request_)
    assert answer.status == (200 if retried else 502)
    assert len(seen) == (2 if retried else 1)


async def test_an_upload_that_is_refused_early_on_a_kept_connection_is_not_sent_twice() -> None:
    """wire.md 22: Expect or not, a body that was begun is never sent again."""
    session = UpstreamOptions(continue_seconds=3600)
    heads: list[Message] = []

    async def script(wire: Wire) -> None:
        heads.append(await wire.head())
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.exactly(2)
        wire.reset()

    async with upstream(script) as port, relaying(port, session=session) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        await wire.head()
        await wire.send(b"he")
        assert (await wire.message()).status == 502
    assert len(heads) == 1


async def test_a_lost_client_ends_the_upstreams_work() -> None:
    """No transfer goes on for nobody."""
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nhello")
        try:
            while True:
                await wire.send(bytes(MiB))
        except ConnectionError:
            ended.set()

    async with upstream(script) as port, relaying(port) as proxy:
        async with proxy.connect() as wire:
            await wire.send(GET)
            await wire.head()
            wire.reset()
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_client_lost_before_the_answer_ends_the_request() -> None:
    """The upstream's connection goes with it."""
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        arrived.set()
        await wire.ended()
        ended.set()

    async with upstream(script) as port, relaying(port) as proxy:
        async with proxy.connect() as wire:
            await wire.send(GET)
            await arrived.wait()
        await asyncio.wait_for(ended.wait(), 20)
        assert proxy.relay.counters.in_flight == 0


async def test_more_requests_than_allowed_are_told_to_slow_down() -> None:
    """Bounded; SDKs retry a 503 SlowDown."""
    go, waiting = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        waiting.set()
        await go.wait()
        await wire.send(OK)

    async with upstream(script) as port, relaying(port, options=RelayOptions(connections=1)) as proxy:
        first = asyncio.create_task(proxy.ask(GET))
        await waiting.wait()
        second = await proxy.ask(GET)
        go.set()
        assert (await first).status == 200
    assert second.status == 503
    assert b"<Code>SlowDown</Code>" in second.body


async def test_a_slow_header_writer_is_cut_off() -> None:
    """A connection without a whole head is not kept for ever."""
    server = ServerOptions(head_seconds=0.1)
    async with upstream(answering(OK)) as port, relaying(port, server=server) as proxy, proxy.connect() as wire:
        await wire.send(b"GET /b/k HTTP/1.1\r\nHost:")
        assert await wire.ended() == b""


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Not of requests that fail, nor of heads that cannot be parsed."""
    caplog.set_level(logging.DEBUG)
    secret = b"PLANTED5ECRET"
    async with upstream(answering(OK)) as port:
        pass
    requests = [
        b"GET /b/k?X-Amz-Signature=%s&X-Amz-Security-Token=%s HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n\r\n"
        % (secret, secret, secret),
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nAuthorization: %s %s\r\n\r\n" % (secret, b"a" * 40_000),
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nAuthorization: %s\xe9\r\n\r\n" % secret,
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nx-amz-security-token: %s\x01\r\n\r\n" % secret,
        b"%s\r\n\r\n" % secret,
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % secret,
    ]
    async with relaying(port) as proxy:
        for request in requests:
            assert (await proxy.ask(request)).status in (400, 502)
    assert caplog.text
    assert secret.decode() not in caplog.text

"""Expect: 100-continue, which boto3 and awscli send with every upload."""

from __future__ import annotations

import asyncio

import pytest

from denyproxy.proxy.upstream import UpstreamOptions
from tests.proxy.wire import ACCESS_DENIED, FORBIDDEN, OK, Message, Wire, answering, relaying, upstream

PUT = b"PUT /b/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FOREVER = UpstreamOptions(continue_seconds=3600)


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue"])
async def test_the_100_comes_when_the_upstream_is_ready(expect: bytes) -> None:
    """wire.md 13 and 15: the upstream's own 100 opens the way; nobody waits a second for it."""
    seen: list[Message] = []

    async def script(wire: Wire) -> None:
        head = await wire.head()
        await wire.send(CONTINUE)
        head.body = await wire.exactly(5)
        seen.append(head)
        await wire.send(OK)

    async with upstream(script) as port, relaying(port, session=FOREVER) as proxy, proxy.connect() as wire:
        await wire.send(PUT.replace(b"100-continue", expect))
        assert (await wire.head()).first_line == b"HTTP/1.1 100 Continue"
        await wire.send(b"hello")
        answer = await wire.message()
    assert answer.fields == [(b"Content-Length", b"2")]
    assert seen[0].body == b"hello"
    assert seen[0].get(b"expect") == expect


async def test_a_chunked_upload_with_expect() -> None:
    """wire.md 11 and 13."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(CONTINUE)
        body = await wire.chunks()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async with upstream(script) as port, relaying(port, session=FOREVER) as proxy, proxy.connect() as wire:
        await wire.send(PUT.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"))
        await wire.head()
        await wire.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert (await wire.message()).body == b"hello"


async def test_the_connection_goes_on_after_a_100() -> None:
    """wire.md 14: with the 100 sent, nothing is poisoned."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.head()
            await wire.send(CONTINUE)
            await wire.exactly(5)
            await wire.send(OK)

    async with upstream(script) as port, relaying(port, session=FOREVER) as proxy, proxy.connect() as wire:
        for _ in range(3):
            await wire.send(PUT)
            await wire.head()
            await wire.send(b"hello")
            assert (await wire.message()).get(b"connection") is None


async def test_a_denied_upload_sends_no_body() -> None:
    """wire.md 14 and 15: the final reply comes without a 100, and ends the connection."""
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(FORBIDDEN)
        bodies.put_nowait(await wire.ended())

    async with upstream(script) as port, relaying(port, session=FOREVER) as proxy:
        async with proxy.connect() as wire:
            await wire.send(PUT)
            answer = await wire.message()
            assert answer.status == 403
            assert answer.body == ACCESS_DENIED
            assert answer.get(b"connection") == b"close"
            assert await wire.ended() == b""
        assert proxy.explained.calls[0].body is None
        assert await bodies.get() == b""


async def test_a_client_that_does_not_wait_gets_its_answer_and_then_the_end() -> None:
    """wire.md 14: the body arrives though no 100 was sent; it is read and dropped, and nothing more is served."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(FORBIDDEN)
        await wire.ended()

    async with upstream(script) as port, relaying(port, session=FOREVER) as proxy, proxy.connect() as wire:
        await wire.send(PUT + b"hello" + b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await wire.message()
        assert (answer.status, answer.get(b"connection")) == (403, b"close")
        assert await wire.ended() == b""


async def test_an_upstream_that_ignores_expect_does_not_hang_anybody() -> None:
    """wire.md 16: after a while the 100 is sent anyway."""
    session = UpstreamOptions(continue_seconds=0.01)
    async with upstream(answering(OK)) as port, relaying(port, session=session) as proxy, proxy.connect() as wire:
        await wire.send(PUT)
        assert (await wire.head()).first_line == b"HTTP/1.1 100 Continue"
        await wire.send(b"hello")
        assert (await wire.message()).body == b"ok"


async def test_an_empty_body_is_owed_no_wait() -> None:
    """wire.md 12 to 14: the 100 is sent, since there is nothing to protect, and the connection goes on."""
    request = PUT.replace(b"Content-Length: 5", b"Content-Length: 0")
    async with upstream(answering(OK)) as port, relaying(port, session=FOREVER) as proxy, proxy.connect() as wire:
        for _ in range(2):
            await wire.send(request)
            assert (await wire.head()).first_line == b"HTTP/1.1 100 Continue"
            assert (await wire.message()).fields == [(b"Content-Length", b"2")]


async def test_an_error_of_our_own_instead_of_the_100_ends_the_connection() -> None:
    """wire.md 14: also where no upstream was reached."""
    async with upstream(answering(OK)) as port:
        pass
    async with relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(PUT)
        answer = await wire.message()
    assert (answer.status, answer.get(b"connection")) == (502, b"close")


@pytest.mark.parametrize("expectation", [b"miracles", b"200", b""])
async def test_other_expectations_are_left_to_the_upstream(expectation: bytes) -> None:
    """S3 ignores them; no 100 is sent and none is waited for."""
    seen: list[Message] = []
    request = PUT.replace(b"Expect: 100-continue", b"Expect: " + expectation) + b"hello"
    async with upstream(answering(OK, seen)) as port, relaying(port, session=FOREVER) as proxy:
        answer = await proxy.ask(request)
    assert answer.status == 200
    assert (seen[0].get(b"expect"), seen[0].body) == (expectation, b"hello")


async def test_an_http_1_0_client_gets_no_100() -> None:
    """RFC 9110, 10.1.1: it would take it for the answer."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(PUT.replace(b"HTTP/1.1", b"HTTP/1.0") + b"hello")
        assert (await wire.message()).status == 200


async def test_an_http_1_0_client_gets_no_100_for_no_body() -> None:
    """Nor where there is nothing to wait for."""
    async with upstream(answering(OK)) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(PUT.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b": 5", b": 0"))
        assert (await wire.message()).status == 200

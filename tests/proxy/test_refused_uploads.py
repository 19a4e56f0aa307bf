"""Uploads that are refused before they are through."""

from __future__ import annotations

import asyncio

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.errors import UpstreamUnreachable
from denyproxy.proxy.upstream import Origin, UpstreamOptions, UpstreamRequest
from tests.proxy.streams import OnlyRead
from tests.proxy.wire import (
    ACCESS_DENIED,
    FORBIDDEN,
    UPSTREAMS,
    Wire,
    relaying,
    upstream,
    upstream_client,
)

GET = b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"
MiB = 1 << 20


@pytest.mark.parametrize("ending", ["reads on", "closes", "half-closes", "resets"])
async def test_an_early_403_is_delivered(ending: str) -> None:
    """wire.md 23: the client sends on while the refusal is there already; it gets to read it."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.exactly(100_000)
        await wire.send(FORBIDDEN)
        if ending == "half-closes":
            wire.writer.write_eof()
        if ending == "resets":
            await wire.delivered()
            wire.reset()
        elif ending != "closes":
            await wire.ended()

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * MiB))
        # A client of the simple kind: the whole body first, then the answer.
        for _ in range(64):
            await wire.send(bytes(MiB))
        answer = await wire.message()
    assert (answer.status, answer.body) == (403, ACCESS_DENIED)
    assert answer.get(b"connection") == b"close"


async def test_an_early_403_ends_the_transfer_to_the_upstream() -> None:
    """wire.md 15 and 23: what is refused is not sent on."""
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.exactly(1000)
        await wire.send(FORBIDDEN)
        received.put_nowait(await wire.ended())

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * MiB) + bytes(1000))
        assert (await wire.message()).status == 403
        assert await received.get() == b""
        await wire.send(bytes(MiB))


async def test_what_is_refused_is_not_sent_on_while_the_refusal_is_still_coming() -> None:
    """wire.md 23: not even where the refusal takes its time."""
    more_sent = asyncio.Event()
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.exactly(1000)
        await wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nhello")
        await more_sent.wait()
        await wire.send(b"world")
        received.put_nowait(await wire.ended())

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * MiB) + bytes(1000))
        head = await wire.head()
        assert (head.status, head.get(b"connection")) == (404, b"close")
        assert await wire.exactly(5) == b"hello"
        await wire.send(bytes(MiB))
        more_sent.set()
        assert await wire.exactly(5) == b"world"
        assert await received.get() == b""


async def test_the_head_goes_ahead_of_the_body() -> None:
    """wire.md 15: an upstream can refuse before the client has sent the first byte."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(FORBIDDEN)
        await wire.ended()

    async with upstream(script) as port, relaying(port) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        assert (await wire.message()).status == 403


async def test_nobody_reads_the_body_once_the_response_is_closed() -> None:
    """Two readers of one stream would end the connection; what is left is the server's, to read and drop."""

    class Stream(OnlyRead):
        def __init__(self) -> None:
            self.readers = 0
            self.begun = asyncio.Event()
            self.complete = False

        async def read(self) -> bytes:
            self.readers += 1
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)
                self.readers -= 1
            return b""

    async def script(wire: Wire) -> None:
        await wire.head()
        await stream.begun.wait()
        await wire.send(FORBIDDEN if answers else b"nonsense\r\n\r\n")
        await wire.ended()

    head = RequestHead("PUT", "/b/k", (("Host", "h"), ("Content-Length", "5")))
    for answers in (True, False):
        stream = Stream()
        async with upstream(script) as port:
            client = UPSTREAMS[upstream_client.get()](UpstreamOptions())
            request = UpstreamRequest(Origin("http", "127.0.0.1", port), head, RequestBody(stream))
            if answers:
                await (await client.send(request)).close()
            else:
                with pytest.raises(UpstreamUnreachable):
                    await client.send(request)
            assert stream.readers == 0
            await client.close()

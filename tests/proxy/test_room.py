"""A bound on connections to the upstream: room is made again however an exchange ends, and awaited only so long."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.upstream import Origin, UpstreamOptions, UpstreamRequest
from tests.proxy.streams import OnlyRead
from tests.proxy.wire import FORBIDDEN, OK, PATIENCE, UPSTREAMS, Wire, relaying, upstream

GET = b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"


class Endless(OnlyRead):
    """A request body of which nothing more comes."""

    complete = False

    def __init__(self) -> None:
        self._pieces = [b"hello"]

    async def read(self) -> bytes:
        if not self._pieces:
            await asyncio.Event().wait()
        return self._pieces.pop()


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_client_lost_while_its_refused_upload_is_ended_makes_room(client: str, turns: int) -> None:
    """Whatever the ending is in the middle of."""

    async def script(wire: Wire) -> None:
        head = await wire.head()
        await wire.send(FORBIDDEN if head.first_line.startswith(b"PUT") else OK)
        await wire.ended()

    async with upstream(script) as port:
        sender = UPSTREAMS[client](UpstreamOptions(connections=1, connect_seconds=10))
        origin = Origin("http", "127.0.0.1", port)
        put = RequestHead("PUT", "/b/k", (("Host", "h"), ("Content-Length", "100")))
        refused = await sender.send(UpstreamRequest(origin, put, RequestBody(Endless())))
        ending = asyncio.create_task(refused.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ending
        get = RequestHead("GET", "/b/k", (("Host", "h"),))
        answer = await asyncio.wait_for(sender.send(UpstreamRequest(origin, get)), PATIENCE)
        assert answer.head.status == 200
        await answer.close()
        await sender.close()


async def test_a_wait_for_room_has_an_end(client: str) -> None:
    """SDKs wait and try again."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        begun.set()
        await go.wait()
        await wire.send(OK)

    session = UpstreamOptions(connections=1, connect_seconds=0.05)
    async with upstream(script) as port, relaying(port, session=session) as proxy:
        first = asyncio.create_task(proxy.ask(GET))
        await begun.wait()
        second = await proxy.ask(GET)
        go.set()
        assert (await first).status == 200
        assert (await proxy.ask(GET)).status == 200
    if client == "pool":
        assert (second.status, b"<Code>SlowDown</Code>" in second.body) == (503, True)
    else:
        assert second.status == 504

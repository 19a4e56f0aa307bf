"""What an upstream sends on a connection that is kept, and idle, is nobody's answer."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.upstream import Origin, UpstreamOptions, UpstreamRequest
from tests.proxy.wire import OK, PATIENCE, UPSTREAMS, Script, Wire, upstream

STRAY = {
    "408": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "forged": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    "bytes": b"x",
    "end": b"",
}


POST = RequestHead("POST", "/b/k?uploads", (("Host", "h"), ("Content-Length", "0")))


def once(answer: bytes, wires: list[Wire]) -> Script:
    """One answer on each connection, which is kept open."""

    async def script(wire: Wire) -> None:
        wires.append(wire)
        await wire.message()
        await wire.send(answer)
        await wire.ended()

    return script


@pytest.mark.parametrize("client", ["pool"], indirect=True)
@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unread"])
async def test_what_comes_unasked_is_not_the_next_answer(client: str, stray: bytes, seen: bool) -> None:
    """Whether the event loop has seen it yet or not. A POST, which is never sent twice, goes to a new connection."""
    wires: list[Wire] = []
    async with upstream(once(OK, wires)) as port:
        sender = UPSTREAMS[client](UpstreamOptions(keepalive_seconds=60))
        request = UpstreamRequest(Origin("http", "127.0.0.1", port), POST)
        first = await sender.send(request)
        assert await first.body.read() == b"ok"
        await first.close()
        await asyncio.sleep(0.15)  # idle for so long
        with socket.socket(fileno=os.dup(wires[0].writer.get_extra_info("socket").fileno())) as sock:
            if stray:
                sock.send(stray)
            else:
                sock.shutdown(socket.SHUT_WR)
        if seen:
            await asyncio.sleep(0.05)
        second = await asyncio.wait_for(sender.send(request), PATIENCE) if seen else await sender.send(request)
        assert second.head.status == 200
        assert await second.body.read() == b"ok"
        assert len(wires) == 2
        await second.close()
        await sender.close()


CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def test_a_connection_that_the_upstream_will_not_keep_is_not_used_again(client: str) -> None:
    """Not even while the upstream has not closed it yet: a POST, which is never sent twice, would be lost."""
    wires: list[Wire] = []
    async with upstream(once(CLOSING, wires)) as port:
        sender = UPSTREAMS[client](UpstreamOptions(keepalive_seconds=60))
        for _ in range(2):
            answer = await sender.send(UpstreamRequest(Origin("http", "127.0.0.1", port), POST))
            assert await answer.body.read() == b"ok"
            await answer.close()
        assert len(wires) == 2
        await sender.close()


@pytest.mark.parametrize("client", ["pool"], indirect=True)
async def test_a_connection_is_free_once_its_response_is_here(client: str) -> None:
    """Whether its client has taken that or not; and closing the response later does not touch the next exchange."""
    wires: list[Wire] = []

    async def script(wire: Wire) -> None:
        wires.append(wire)
        while True:
            await wire.message()
            await wire.send(OK)

    async with upstream(script) as port:
        sender = UPSTREAMS[client](UpstreamOptions(keepalive_seconds=60))
        request = UpstreamRequest(Origin("http", "127.0.0.1", port), RequestHead("GET", "/b/k", (("Host", "h"),)))
        first = await sender.send(request)
        second = await sender.send(request)
        await first.close()
        third = await sender.send(request)
        assert [await each.body.read() for each in (first, second, third)] == [b"ok", b"ok", b"ok"]
        assert len(wires) == 1
        for each in (second, third):
            await each.close()
        await sender.close()

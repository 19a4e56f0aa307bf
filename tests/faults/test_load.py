"""What must hold of the relay under load: mutated requests, many connections, an upstream that restarts."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.server import ServerOptions
from denyproxy.proxy.upstream import UpstreamOptions
from tests.faults.harness import (
    check,
    content,
    get,
    mutated,
    outcome,
    store,
    under_fire,
    until,
)
from tests.proxy.wire import BrokenTransfer, Wire, relaying

SEED = 20261124


@pytest.mark.slow
async def test_ten_thousand_mutated_requests() -> None:
    """Each is answered or its connection closed; a normal request is served between and after them, unaltered."""
    random_ = random.Random(SEED)
    hurried = ServerOptions(head_seconds=0.5, idle_seconds=2, linger_seconds=0.2, keepalive_seconds=0.5)
    options = RelayOptions(client_idle_seconds=0.5)
    session = UpstreamOptions(idle_seconds=1, keepalive_seconds=0.2, continue_seconds=0.1)

    async def fire(burst: bytes) -> None:
        async with proxy.connect() as wire:
            with contextlib.suppress(ConnectionError):
                await wire.send(burst)
                await wire.ended()

    async with under_fire(server=hurried, options=options, session=session) as proxy:
        for _ in range(25):
            bursts = [mutated(random_) + b"".join(mutated(random_) for _ in range(number % 2)) for number in range(268)]
            await asyncio.gather(*(fire(burst) for burst in bursts))
            async with proxy.connect() as wire:
                await check(wire, 1000)
        # The others were no requests, or came after one that ended its connection.
        assert proxy.relay.counters.requests > 2000


@pytest.mark.slow
async def test_five_hundred_parallel_connections() -> None:
    """All of them served, each with its own bytes."""

    async def one(number: int) -> None:
        async with proxy.connect() as wire:
            for _ in range(3):
                await check(wire, 10_000 + number)

    async with under_fire() as proxy:
        await asyncio.gather(*(one(number) for number in range(500)))


@pytest.mark.slow
async def test_five_hundred_connections_that_do_nothing_hinder_nobody() -> None:
    """Half of them in the middle of a head."""
    async with under_fire(server=ServerOptions(connections=300)) as proxy, contextlib.AsyncExitStack() as stack:
        for number in range(500):
            wire = await stack.enter_async_context(proxy.connect())
            if number % 2:
                await wire.send(b"GET /b/10 HT")
            async with proxy.connect() as good:
                await check(good, 10)
        assert len(proxy.server.connections) <= 301


@pytest.mark.slow
async def test_an_upstream_that_restarts_under_load() -> None:
    """Errors and broken transfers while it is away, never wrong bytes; afterwards all is well."""
    failed = served = 0
    stop = False
    wires: list[Wire] = []

    async def remembered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        wires.append(wire)
        with contextlib.suppress(BrokenTransfer, ConnectionError, RuntimeError):  # uvloop's, of a closed transport
            await store(wire)
        with contextlib.suppress(ConnectionError):
            await wire.close()

    async def load() -> None:
        nonlocal failed, served
        while not stop:
            async with proxy.connect() as wire:
                while not stop:
                    await wire.send(get(50_000))
                    answer = await outcome(wire)
                    if answer is None or answer.status != 200:
                        failed += 1
                        break
                    assert answer.body == content(50_000)
                    served += 1

    server = await asyncio.start_server(remembered, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with relaying(port, session=UpstreamOptions(keepalive_seconds=0.5)) as proxy:
        loading = [asyncio.create_task(load()) for _ in range(20)]
        for _ in range(5):
            goal = served + 100
            await until(lambda goal=goal: served > goal, "requests are served")  # type: ignore[misc]
            server.close()
            for wire in list(wires):
                wire.reset()
            wires.clear()
            goal = failed + 5
            await until(lambda goal=goal: failed > goal, "requests fail")  # type: ignore[misc]
            server = await asyncio.start_server(remembered, "127.0.0.1", port)
        goal = served + 100
        await until(lambda: served > goal, "requests are served")
        stop = True
        await asyncio.gather(*loading)
        assert proxy.relay.counters.in_flight == 0
    server.close()
    for wire in wires:
        await wire.close()

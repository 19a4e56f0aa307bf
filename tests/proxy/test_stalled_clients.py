"""Clients that stop reading when all that is left of a response waits in denyproxy's own buffer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from denyproxy.proxy.client import ClientConnection
from denyproxy.proxy.server import RelayServer, ServerOptions
from tests.proxy.wire import EMPTY, PATIENCE, Proxy, Script, Wire, relaying, upstream

KiB = 1 << 10
PIECE = bytes(64 * KiB)
DOWNLOAD = b"GET /b/k HTTP/%b\r\nHost: h\r\n%b\r\n"
SMALL = b"GET /b/small HTTP/1.1\r\nHost: h\r\n\r\n"


def held(connection: ClientConnection) -> int:
    """Bytes that wait for a client."""
    assert connection.transport is not None
    return connection.transport.get_write_buffer_size()


def until_held(server: Callable[[], RelayServer]) -> Script:
    """An upstream whose response ends once a part of it waits in denyproxy for a client that does not read."""

    async def script(wire: Wire) -> None:
        before = {each for each in server().connections if held(each)}
        if b"small" in (await wire.message()).first_line:
            await wire.send(EMPTY)
            return
        await wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not any(held(each) for each in server().connections if each not in before):
            await wire.send(PIECE)
            await asyncio.sleep(0.001)

    return script


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing sets an Event
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def stalling(options: ServerOptions) -> AsyncIterator[Proxy]:
    proxies: list[Proxy] = []
    async with upstream(until_held(lambda: proxies[0].server)) as port, relaying(port, server=options) as proxy:
        proxies.append(proxy)
        yield proxy


async def stall(proxy: Proxy, wire: Wire, request: bytes = DOWNLOAD % (b"1.1", b"")) -> None:
    """Ask and do not read, until the answer has been given as far as the relay is concerned."""
    before = sum(map(bool, map(held, proxy.server.connections)))
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await wire.send(request)
    await until(
        lambda: proxy.relay.counters.in_flight == 0 and sum(map(bool, map(held, proxy.server.connections))) > before
    )


def read_on(wire: Wire) -> None:
    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "request_",
    [DOWNLOAD % (b"1.1", b""), DOWNLOAD % (b"1.1", b"Connection: close\r\n"), DOWNLOAD % (b"1.0", b"")],
    ids=["kept", "closed", "1.0"],
)
async def test_a_client_that_stops_reading_at_the_end_is_cut_off(request_: bytes) -> None:
    """And sees a broken transfer."""
    options = ServerOptions(idle_seconds=0.3, keepalive_seconds=0.1, head_seconds=0.1)
    async with stalling(options) as proxy, proxy.connect() as wire:
        await stall(proxy, wire, request_)
        await until(lambda: not proxy.server.connections)
        read_on(wire)
        with pytest.raises(ConnectionResetError):
            await wire.ended()


async def test_a_client_that_reads_the_end_slowly_is_not_cut_off() -> None:
    """Though it takes longer than it may pause."""
    loop = asyncio.get_running_loop()
    options = ServerOptions(idle_seconds=0.6, keepalive_seconds=0.1)
    async with stalling(options) as proxy, proxy.connect() as wire:
        await stall(proxy, wire, DOWNLOAD % (b"1.1", b"Connection: close\r\n"))
        read_on(wire)
        began, got = loop.time(), b""
        while piece := await asyncio.wait_for(wire.reader.read(128 * KiB), PATIENCE):
            got = (got + piece)[-5:]
            await asyncio.sleep(0.05)
        assert loop.time() - began > 0.6
        assert got == b"0\r\n\r\n"


async def test_clients_that_stopped_reading_make_room_for_others() -> None:
    """Rather than that these are turned away."""
    options = ServerOptions(connections=2, idle_seconds=60, keepalive_seconds=0.2)
    async with stalling(options) as proxy, proxy.connect() as one, proxy.connect() as other:
        await stall(proxy, one)
        await stall(proxy, other, DOWNLOAD % (b"1.1", b"Connection: close\r\n"))

        async def served() -> bool:
            async with proxy.connect() as wire:
                await wire.send(SMALL)
                return (await wire.message()).status == 200

        async with asyncio.timeout(PATIENCE):
            while not await served():  # noqa: ASYNC110 - nothing sets an Event
                await asyncio.sleep(0.02)
        assert await served()
        await until(lambda: len(proxy.server.connections) <= 2)


async def test_clients_that_are_only_slow_make_no_room() -> None:
    """One that has taken something just now is not broken off for a newer one."""
    options = ServerOptions(connections=1, idle_seconds=60)
    async with stalling(options) as proxy, proxy.connect() as wire:
        await stall(proxy, wire, DOWNLOAD % (b"1.1", b"Connection: close\r\n"))
        async with proxy.connect() as newer:
            assert (await newer.message()).status == 503
        read_on(wire)
        assert (await wire.ended()).endswith(b"0\r\n\r\n")


async def test_a_shutdown_waits_for_the_end_to_be_taken() -> None:
    """It has been answered; that is not enough."""
    async with stalling(ServerOptions()) as proxy, proxy.connect() as wire:
        await stall(proxy, wire)
        ending = asyncio.create_task(proxy.server.shutdown(PATIENCE))
        await asyncio.sleep(0)
        read_on(wire)
        assert (await wire.ended()).endswith(b"0\r\n\r\n")
        await asyncio.wait_for(ending, PATIENCE)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_shutdown_breaks_off_what_is_not_taken_in_time(version: bytes) -> None:
    """Over HTTP/1.0 a mere end would be a short success."""
    async with stalling(ServerOptions()) as proxy, proxy.connect() as wire:
        await stall(proxy, wire, DOWNLOAD % (version, b""))
        await proxy.server.shutdown(0.05)
        read_on(wire)
        with pytest.raises(ConnectionResetError):
            await wire.ended()

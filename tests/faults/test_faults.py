"""Resets, truncation, half-close, garbage, floods and stalls, at each phase of an exchange and from either side."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import pytest

from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.server import ServerOptions
from denyproxy.proxy.upstream import UpstreamOptions
from tests.faults.harness import KiB, MiB, check, content, get, outcome, put, store, under_fire, until
from tests.proxy.wire import BrokenTransfer, Wire

ENDINGS = ["reset", "close", "half-close"]
EXPECTING = b"Expect: 100-continue\r\n"


def end(wire: Wire, how: str) -> None:
    if how == "reset":
        wire.reset()
    elif how == "close":
        wire.writer.close()
    else:
        wire.writer.write_eof()


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /b/1000 HT",
        b"GET /b/1000 HTTP/1.1\r\nHost: h\r\n",
        put(content(1000))[:-900],
        put(content(MiB))[:-1],
        put(b"", fields=EXPECTING).replace(b": 0", b": 1000"),
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r",
        get(8 * MiB),
        get(10) * 200,
        get(10) + put(content(1000))[:-1],
    ],
    ids=["nothing", "line", "head", "body", "last-byte", "expect", "chunks", "download", "pipelined", "second"],
)
async def test_a_client_ends_at_any_phase(sent: bytes, how: str) -> None:
    """Nothing of it is left, and others are served."""
    async with under_fire() as proxy:
        for _ in range(3):
            async with proxy.connect() as wire:
                await wire.send(sent)
                with contextlib.suppress(BrokenTransfer, ConnectionError, OSError):
                    end(wire, how)
                    await wire.ended()


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize(
    ("takes", "answers", "told"),
    [
        (0, b"", 502),
        (10, b"", 502),
        (None, b"", 502),
        (None, b"HTTP/1.1 2", 502),
        (None, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", 502),
        (None, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", None),
        (None, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", None),
        (None, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", None),
        (None, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n<Error>", None),
    ],
)
@pytest.mark.parametrize("request_", [get(10), put(content(MiB))], ids=["get", "put"])
async def test_an_upstream_ends_at_any_phase(
    client: str, request_: bytes, takes: int | None, answers: bytes, told: int | None, how: str
) -> None:
    """An error in S3's form before the response has begun, a broken transfer after it; never a short success."""

    async def script(wire: Wire) -> None:
        if takes is None:
            await wire.message()
        elif takes:
            await wire.exactly(takes)
        if answers:
            await wire.send(answers)
            await wire.delivered()
        end(wire, how)

    async with under_fire(script) as proxy, proxy.connect() as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(request_)
        answer = await outcome(wire)
        if client == "session" and answer is not None and answer.status == 200:
            # The reference tries again on any connection that is lost, if it has read nothing of the body.
            assert told == 502
            assert (answer.body, answer.get(b"x-sha256")) in (
                (content(10), hashlib.sha256(b"").hexdigest().encode()),
                (b"", hashlib.sha256(content(MiB)).hexdigest().encode()),
            )
            return
        assert (answer.status if answer is not None else None) == told
        if answer is not None:
            assert b"<Error><Code>BadGateway</Code>" in answer.body


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * (300 * KiB) + b"\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(11),
)
async def test_garbage_of_an_upstream_is_a_502(answer: bytes) -> None:
    """And does not reach the client."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(answer)
        await wire.ended()

    async with under_fire(script) as proxy, proxy.connect() as wire:
        await wire.send(get(10))
        told = await wire.message()
        assert (told.status, b"<Code>BadGateway</Code>" in told.body) == (502, True)
        assert not told.get(b"x-a")


async def test_more_than_a_response_is_not_taken_for_the_next_one() -> None:
    """An upstream that sends a second response unasked: the connection is given up."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await wire.delivered()
        await wire.ended()

    async with under_fire(script) as proxy, proxy.connect() as wire:
        await wire.send(get(2))
        first = await outcome(wire)
        assert first is None or first.body == b"ok"
        if first is not None:
            await check(wire, 1000)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x00\x00\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /b/k\r\n\r\n",
        b"GET /b/k HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET  /b/k HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /b/k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /b/k HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET /b/k HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /b/k HTTP/1.1\r\nHost: h\r\n" + b"x-a: b\r\n" * 10_000 + b"\r\n",
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nx-a: " + b"a" * (4 * MiB),
        b"GET /b/" + b"k" * MiB + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"a" * MiB,
    ],
    ids=range(16),
)
async def test_garbage_and_floods_of_a_client_are_a_400(sent: bytes) -> None:
    """In S3's form, bounded, and never relayed."""
    async with under_fire() as proxy, proxy.connect() as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(sent)
        told = await wire.message()
        assert (told.status, b"<Error><Code>InvalidRequest</Code>" in told.body) == (400, True)
        assert told.get(b"connection") == b"close"


@pytest.mark.parametrize(
    "chunks",
    [b"xyz\r\nhello\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloworld\r\n", b"f" * 5000, b"0\r\n" + b"a: b\r\n" * 20_000],
)
async def test_garbage_inside_a_chunked_upload_is_a_400(chunks: bytes) -> None:
    """The upstream does not get a whole request."""
    async with under_fire() as proxy, proxy.connect() as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert (await wire.message()).status == 400


async def test_a_slow_loris_is_cut_off_however_busy_it_looks() -> None:
    """A head has to be there in time as a whole: a byte now and then does not help. Others are served meanwhile."""
    server = ServerOptions(head_seconds=0.3)

    async def creep(wire: Wire) -> None:
        with contextlib.suppress(ConnectionError):
            for byte in b"GET /b/10 HTTP/1.1\r\nHost: h\r\nx-a: " + b"a" * 100_000:
                await wire.send(bytes([byte]))
                await asyncio.sleep(0.01)

    async with under_fire(server=server) as proxy, contextlib.AsyncExitStack() as stack:
        creeping = []
        for _ in range(20):
            wire = await stack.enter_async_context(proxy.connect())
            creeping.append((wire, asyncio.create_task(creep(wire))))
        async with proxy.connect() as good:
            await check(good)
        for wire, task in creeping:
            with contextlib.suppress(ConnectionError):
                assert await wire.ended() == b""
            await asyncio.wait_for(task, 20)


async def test_a_client_that_stops_reading_is_cut_off_and_costs_little() -> None:
    """The upstream has to wait for it, and is let go in the end."""
    sent = 0
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
        try:
            while True:
                await wire.send(bytes(MiB))
                sent += MiB
        except ConnectionError:
            ended.set()
            raise

    async with under_fire(script, server=ServerOptions(idle_seconds=0.3)) as proxy, proxy.connect() as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(get(1))
        await asyncio.wait_for(ended.wait(), 20)
        assert sent < 64 * MiB
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            await wire.ended()


async def test_a_client_that_reads_slowly_is_not_cut_off() -> None:
    """For far longer than it may pause: each look finds that it took something."""
    size = 24 * MiB
    loop = asyncio.get_running_loop()
    async with under_fire(server=ServerOptions(idle_seconds=0.6)) as proxy, proxy.connect() as wire:
        await wire.send(get(size))
        await wire.head()
        began, received = loop.time(), bytearray()
        while len(received) < size:
            received += await asyncio.wait_for(wire.reader.read(512 * KiB), 20)
            await asyncio.sleep(0.03)
        assert loop.time() - began > 1.2
        assert received == content(size)


async def test_a_stall_of_the_upstream_is_a_504_before_the_response() -> None:
    """In S3's form."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 ")
        await wire.ended()

    session = UpstreamOptions(idle_seconds=0.2, keepalive_seconds=0.2)
    async with under_fire(script, session=session) as proxy, proxy.connect() as wire:
        await wire.send(get(1))
        answer = await wire.message()
        assert (answer.status, b"<Error><Code>GatewayTimeout</Code>" in answer.body) == (504, True)


async def test_a_stall_of_the_upstream_inside_a_body_is_a_broken_transfer() -> None:
    """There is no other way to tell."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await wire.ended()

    session = UpstreamOptions(idle_seconds=0.2, keepalive_seconds=0.2)
    async with under_fire(script, session=session) as proxy, proxy.connect() as wire:
        await wire.send(get(10))
        assert await outcome(wire) is None


async def test_a_stall_of_the_client_inside_a_body_is_told() -> None:
    """And the upstream is let go."""
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        with contextlib.suppress(BrokenTransfer, ConnectionError):
            await wire.exactly(1000)
        ended.set()

    async with under_fire(script, options=RelayOptions(client_idle_seconds=0.2)) as proxy, proxy.connect() as wire:
        await wire.send(put(content(1000))[:-500])
        answer = await wire.message()
        assert (answer.status, b"<Code>RequestTimeout</Code>" in answer.body) == (400, True)
        await asyncio.wait_for(ended.wait(), 20)


async def test_an_upstream_that_reads_slowly_holds_back_its_client() -> None:
    """What a client has sent and the upstream has not taken is bounded by buffers, not by the object."""
    go = asyncio.Event()
    size = 256 * MiB

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await go.wait()

    async with under_fire(script) as proxy, proxy.connect() as wire:
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        taken, data = 0, bytes(MiB)
        with contextlib.suppress(TimeoutError):
            while taken < size:
                async with asyncio.timeout(1):
                    await wire.send(data)
                taken += MiB
        assert taken < 64 * MiB
        go.set()


async def test_connections_above_the_bound_push_out_idle_ones() -> None:
    """That which is idle for longest goes first; one that is under way never does."""
    async with (
        under_fire(server=ServerOptions(connections=3)) as proxy,
        proxy.connect() as busy,
        proxy.connect() as old,
    ):
        await busy.send(put(content(1000))[:-1])
        await until(lambda: proxy.relay.counters.in_flight == 1, "the upload is under way")
        await check(old, 10)
        async with proxy.connect() as young:
            await check(young, 10)
            async with proxy.connect() as newest:
                await check(newest, 10)
                assert await old.ended() == b""
                await check(young, 10)
                assert len(proxy.server.connections) == 3
        await busy.send(content(1000)[-1:])
        assert (await busy.message()).status == 200


async def test_connections_above_the_bound_are_told_to_slow_down() -> None:
    """Where none is idle."""
    server = ServerOptions(connections=2)
    async with under_fire(server=server) as proxy, proxy.connect() as one, proxy.connect() as other:
        for wire in (one, other):
            await wire.send(put(content(1000))[:-1])
        await until(lambda: proxy.relay.counters.in_flight == 2, "both are under way")
        async with proxy.connect() as third:
            await third.send(get(10))
            answer = await third.message()
            assert (answer.status, answer.get(b"connection")) == (503, b"close")
            assert b"<Code>SlowDown</Code>" in answer.body
        for wire in (one, other):
            await wire.send(content(1000)[-1:])
            assert (await wire.message()).status == 200
            await wire.close()


async def test_requests_sent_ahead_are_bounded_and_answered_in_order() -> None:
    """A client that sends ten thousand at once is made to wait, and gets each answer."""
    async with under_fire() as proxy, proxy.connect() as wire:
        sending = asyncio.create_task(wire.send(b"".join(get(size % 50) for size in range(2000))))
        for size in range(2000):
            assert (await wire.message()).body == content(size % 50)
        await sending


async def test_an_upstream_that_is_gone_and_comes_back() -> None:
    """Kept connections that died meanwhile cost nobody an error who may be tried again."""

    async def script(wire: Wire) -> None:
        with contextlib.suppress(BrokenTransfer, TimeoutError):
            await asyncio.wait_for(store(wire), 0.2)

    async with under_fire(script, session=UpstreamOptions(keepalive_seconds=1)) as proxy, proxy.connect() as wire:
        await check(wire, 100)
        await asyncio.sleep(0.3)
        await check(wire, 100)

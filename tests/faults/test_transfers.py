"""Large transfers whose ends are not equally fast, or are lost in the middle: what arrives is what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import pytest

from tests.faults.harness import MiB, check, content, get, put, store, under_fire, until
from tests.proxy.wire import Wire

SIZE = 32 * MiB


def pause(wire: Wire) -> None:
    """Read no more of a connection, so that the other end has to wait."""
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]


def go_on(wire: Wire) -> None:
    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]


async def test_a_client_that_pauses_gets_its_own_bytes_while_others_are_served() -> None:
    """What waits for it is not overwritten by what is read for the others."""
    async with under_fire() as proxy, proxy.connect() as slow, proxy.connect() as other:
        await slow.send(get(SIZE))
        assert (await slow.head()).status == 200
        start = await slow.exactly(5 * MiB)
        for _ in range(3):
            pause(slow)
            await until(lambda: any(each.full for each in proxy.server.connections), "the client is waited for")
            await check(other, 3 * MiB)
            go_on(slow)
            start += await slow.exactly(5 * MiB)
        rest = await slow.exactly(SIZE - len(start))
        assert hashlib.sha256(start + rest).digest() == hashlib.sha256(content(SIZE)).digest()


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_upstream_that_pauses_gets_an_upload_as_it_was_sent(chunked: bool) -> None:
    body = content(SIZE)
    head = put(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % SIZE)
    if chunked:
        head = put(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (MiB, body[at : at + MiB]) for at in range(0, SIZE, MiB)) + b"0\r\n\r\n"
    sent = asyncio.Event()

    async def script(wire: Wire) -> None:
        pause(wire)
        await until(lambda: proxy.relay.counters.in_flight == 1, "the upload has begun")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sent.wait(), 0.2)
        go_on(wire)
        await store(wire)

    async with under_fire(script) as proxy, proxy.connect() as wire:
        await wire.send(head)
        await wire.send(body)
        sent.set()
        answer = await wire.message()
        assert (answer.status, answer.get(b"x-sha256")) == (200, hashlib.sha256(content(SIZE)).hexdigest().encode())


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_an_upstream_lost_in_the_middle_is_a_broken_transfer_of_the_right_bytes(how: str) -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        await wire.send(content(SIZE // 2))
        await wire.delivered()
        if how == "reset":
            wire.reset()

    async with under_fire(script) as proxy, proxy.connect() as wire:
        await wire.send(get(SIZE))
        assert (await wire.head()).status == 200
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while data := await wire.some():
                received += data
            pytest.fail("the end of the connection looks like the end of the body")
        assert content(SIZE // 2).startswith(bytes(received))
        assert proxy.relay.counters.broken == 1


@pytest.mark.parametrize("what", ["download", "upload"])
async def test_a_client_lost_in_the_middle_costs_the_others_nothing(what: str) -> None:
    async with under_fire() as proxy, proxy.connect() as lost, proxy.connect() as other:
        if what == "download":
            await lost.send(get(SIZE))
            await lost.head()
            await lost.exactly(MiB)
            pause(lost)
            await until(lambda: any(each.full for each in proxy.server.connections), "the client is waited for")
        else:
            await lost.send(put(content(SIZE))[: SIZE // 2])
        lost.reset()
        await check(other, 3 * MiB)
        await until(lambda: proxy.relay.counters.in_flight == 0, "the transfer is given up")


async def test_an_upload_that_is_answered_in_the_middle() -> None:
    """The client gets the answer, and sends no more."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.exactly(MiB)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nwhy")
        await wire.ended()

    async with under_fire(script) as proxy, proxy.connect() as wire:
        sending = asyncio.create_task(wire.send(put(content(SIZE))))
        answer = await wire.message()
        assert (answer.status, answer.body) == (400, b"why")
        sending.cancel()
        await asyncio.wait((sending,))

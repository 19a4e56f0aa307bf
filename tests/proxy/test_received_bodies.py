"""Bodies as they come: held for a slow reader, or poured straight into a sink."""

from __future__ import annotations

import asyncio

import pytest

from denyproxy.proxy.framing import Data, Sized, UntilClose
from denyproxy.proxy.received import HIGH_WATER, ReceivedBody
from denyproxy.proxy.upstream import UpstreamLost


@pytest.fixture(autouse=True)
def client() -> None:
    """No upstream client here."""


class Connection:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def take_away(self) -> None:
        self.calls.append("take away")


async def test_a_body_holds_its_sender_back_and_lets_it_go_on() -> None:
    connection = Connection()
    body = ReceivedBody(Sized(3 * HIGH_WATER), connection, asyncio.get_running_loop())
    body.feed(bytes(HIGH_WATER))
    assert connection.calls == []
    body.feed(bytes(1))
    body.feed(bytes(1))
    assert connection.calls == ["pause"]
    assert len(await body.read()) == HIGH_WATER + 2
    assert connection.calls == ["pause", "resume"]


async def test_what_came_before_a_failure_is_read_first() -> None:
    body = ReceivedBody(Sized(10), Connection(), asyncio.get_running_loop())
    body.feed(b"abc")
    body.fail(ConnectionResetError("gone"))
    assert await body.read() == b"abc"
    with pytest.raises(ConnectionResetError):
        await body.read()


async def test_a_reader_is_woken() -> None:
    body = ReceivedBody(UntilClose(), Connection(), asyncio.get_running_loop())
    reading = asyncio.create_task(body.read())
    await asyncio.sleep(0)
    body.feed(b"abc")
    assert await reading == b"abc"
    reading = asyncio.create_task(body.read())
    await asyncio.sleep(0)
    assert body.close(ConnectionResetError())
    assert await reading == b""
    assert body.ended


class Client:
    """A sink of which the test says whether it is full, and how it fails."""

    def __init__(self) -> None:
        self.taken: list[Data] = []
        self.error: Exception | None = None
        self.holding = False
        self.holds_from = 1 << 20
        self.room = asyncio.Event()
        self.room.set()

    @property
    def holds(self) -> bool:
        return self.holding or self.full

    @property
    def full(self) -> bool:
        return not self.room.is_set()

    def write(self, data: Data) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(data)
        self.holding = len(self.taken) >= self.holds_from

    async def drain(self) -> None:
        await self.room.wait()


async def test_a_body_is_poured_as_it_comes() -> None:
    """Also what had come before, and without a turn of the loop in between."""
    body, client = ReceivedBody(Sized(9), Connection(), asyncio.get_running_loop()), Client()
    body.feed(b"abc")
    pouring = asyncio.create_task(body.pour(client))
    await asyncio.sleep(0)
    body.feed(b"def")
    assert client.taken == [b"abc", b"def"]
    body.feed(b"ghi")
    await pouring
    assert client.taken == [b"abc", b"def", b"ghi"]
    assert body.ended


async def test_what_a_sink_still_needs_is_not_read_over() -> None:
    """Only of one read: what comes then is copied."""
    connection, client = Connection(), Client()
    body = ReceivedBody(Sized(9), connection, asyncio.get_running_loop())
    memory = bytearray(b"abc")
    pouring = asyncio.create_task(body.pour(client))
    await asyncio.sleep(0)
    assert body.poured
    body.feed(memoryview(memory))
    assert connection.calls == []
    client.holds_from = 2
    body.feed(memoryview(memory))
    assert connection.calls == ["take away"]
    body.feed(memoryview(memory))
    await pouring
    assert connection.calls == ["take away"]
    memory[:] = b"xyz"
    assert client.taken[-1] == b"abc"
    assert not body.poured


async def test_a_full_sink_holds_the_sender_back_and_gets_all_in_order() -> None:
    connection, client = Connection(), Client()
    body = ReceivedBody(Sized(2 * HIGH_WATER + 2), connection, asyncio.get_running_loop())
    pouring = asyncio.create_task(body.pour(client))
    await asyncio.sleep(0)
    client.room.clear()
    body.feed(b"a" * HIGH_WATER)
    assert connection.calls == []
    body.feed(b"b")
    await asyncio.sleep(0)
    assert connection.calls == ["pause"]
    assert client.taken == []
    client.room.set()
    body.feed(b"c")
    await asyncio.sleep(0)
    assert b"".join(client.taken) == b"a" * HIGH_WATER + b"bc"
    assert connection.calls == ["pause", "resume"]
    body.feed(b"d" * HIGH_WATER)
    await pouring
    assert client.taken[-1] == b"d" * HIGH_WATER


@pytest.mark.parametrize("last", [b"", b"def"], ids=["in the middle", "at the end"])
async def test_what_a_sink_fails_with_is_for_who_pours(last: bytes) -> None:
    body, client = ReceivedBody(Sized(3 + len(last or b"more")), Connection(), asyncio.get_running_loop()), Client()
    pouring = asyncio.create_task(body.pour(client))
    await asyncio.sleep(0)
    client.error = ConnectionResetError("the client has gone")
    body.feed(b"abc" + last)
    with pytest.raises(ConnectionResetError):
        await pouring


async def test_a_body_that_breaks_off_while_it_is_poured() -> None:
    body, client = ReceivedBody(Sized(9), Connection(), asyncio.get_running_loop()), Client()
    pouring = asyncio.create_task(body.pour(client))
    await asyncio.sleep(0)
    body.feed(b"abc")
    body.fail(UpstreamLost("gone"))
    with pytest.raises(UpstreamLost):
        await pouring
    assert client.taken == [b"abc"]

"""Message bodies off the wire, without I/O: held for a reader, or poured into a sink."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from denyproxy.proxy.framing import Data, Framing

HIGH_WATER = 256 * 1024
"""Bytes of a body held for a slow reader before the sender has to wait."""


class Sink(Protocol):
    """Where a body goes."""

    @property
    def full(self) -> bool:
        """Does it take no more for now?"""

    @property
    def holds(self) -> bool:
        """Does it still need something of what it took?"""

    def write(self, data: Data) -> None:
        """Take a piece. Raises ConnectionError."""

    async def drain(self) -> None:
        """Wait until it takes more. Raises ConnectionError."""


class Flow(Protocol):
    """The connection that a body comes from."""

    def pause_reading(self) -> None:
        """Enough for now."""

    def resume_reading(self) -> None:
        """Go on."""

    def take_away(self) -> None:
        """What was fed last is still needed: the next must not be read into the same memory."""


class WholeBody:
    """A body that came with its head, as many small ones do: a `ReceivedBody` without its price."""

    __slots__ = ("_data",)

    complete = True
    poured = False

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def ended(self) -> bool:
        """Has it been read?"""
        return not self._data

    def feed(self, data: Data) -> Data:
        """All that comes now comes after its end."""
        return data

    def close(self, error: Exception) -> bool:
        """It does not depend on its connection any more."""
        return True

    def fail(self, error: Exception) -> None:
        """It cannot."""

    def ready(self) -> bytes:
        """All of it, once."""
        data, self._data = self._data, b""
        return data

    async def read(self) -> bytes:
        """All of it, then nothing."""
        return self.ready()

    async def pour(self, sink: Sink) -> None:
        """Give it to a sink."""
        if self._data:
            await sink.drain()
            sink.write(self.ready())


class ReceivedBody:
    """A body as it comes: fed by its connection, read by one reader."""

    __slots__ = ("_error", "_flow", "_framing", "_loop", "_paused", "_pieces", "_reader", "_sink", "_size", "complete")

    def __init__(self, framing: Framing, flow: Flow, loop: asyncio.AbstractEventLoop) -> None:
        self._framing = framing
        self._flow = flow
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        """Takes what comes straight away."""
        self.complete = framing.ended
        """Has it been received as a whole?"""

    @property
    def poured(self) -> bool:
        """Does what comes go straight into a sink? Then views may be fed."""
        return self._sink is not None

    @property
    def ended(self) -> bool:
        """Has it been read as a whole?"""
        return self.complete and not self._pieces

    def feed(self, data: Data) -> Data:
        """Bytes off the wire; what came after the end. Raises NotHTTP."""
        pieces, rest = self._framing.feed(data)
        self.complete = self._framing.ended
        sink = self._sink
        if sink is not None and pieces and not (self._pieces or sink.full):
            self._give(sink, pieces)
        else:
            self._hold(pieces)
        return rest

    def _give(self, sink: Sink, pieces: Sequence[Data]) -> None:
        try:
            if sink.holds:
                sink.write(b"".join(pieces))
            else:
                sink.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                if sink.holds:
                    self._flow.take_away()
        except Exception as error:
            self._error = error
        if self.complete or self._error is not None or sink.full:
            self._wake()

    def _hold(self, pieces: Sequence[Data]) -> None:
        for piece in pieces:
            self._pieces.append(bytes(piece))
            self._size += len(piece)
        if self._size > HIGH_WATER and not self._paused and not self.complete:
            self._paused = True
            self._flow.pause_reading()
        self._wake()

    def close(self, error: Exception) -> bool:
        """The connection has ended: was that the body's end? Otherwise the reader gets the error."""
        if not self.complete:
            self.complete = self._error is None and self._framing.close()
            if not self.complete:
                self._error = self._error or error
            self._wake()
        return self.complete

    def fail(self, error: Exception) -> None:
        """It will not come to its end."""
        if not self.complete and self._error is None:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def ready(self) -> bytes:
        """What is here already; may be empty."""
        pieces = self._pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._flow.resume_reading()
        return data

    async def read(self) -> bytes:
        """The next bytes as they come; empty at the end. Raises what the body failed with."""
        while not self._pieces and not self.complete:
            await self._more()
        return self.ready()

    async def pour(self, sink: Sink) -> None:
        """Give a sink the rest, each piece as it comes; the reader is woken only if the sink is full, and at the end.

        Raises what the body failed with, or the sink."""
        self._sink = sink
        try:
            while self._error is not None or not self.ended:
                if not self._pieces:
                    await self._more()
                await sink.drain()
                if self._pieces:
                    sink.write(self.ready())
        finally:
            self._sink = None

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._reader = self._loop.create_future()
        await self._reader

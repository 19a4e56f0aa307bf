"""One connection to an upstream, and the exchanges that it carries, one after another."""

from __future__ import annotations

import asyncio
import select
from typing import cast

from denyproxy.proxy.http1 import Framing, NotHTTP, ReceivedHead, framing, parse_response_head
from denyproxy.proxy.upstream import UpstreamLost, UpstreamOptions

_HIGH_WATER = 256 * 1024
"""Bytes of a body held for a slow client before the upstream has to wait."""


class UpstreamConnection(asyncio.Protocol):
    """A connection and the exchange that it is in."""

    __slots__ = (
        "_bodiless",
        "_continue",
        "_drain",
        "_error",
        "_framing",
        "_head",
        "_loop",
        "_options",
        "_paused",
        "_pieces",
        "_poll",
        "_reader",
        "_size",
        "active",
        "answered",
        "idle_since",
        "message",
        "quiet_since",
        "transport",
        "writing_paused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, options: UpstreamOptions) -> None:
        self._loop = loop
        self._options = options
        self._poll: select.poll | None = None
        self._drain: asyncio.Future[None] | None = None
        self._paused = False
        self.transport: asyncio.Transport | None = None
        self.writing_paused = False
        self.idle_since = 0.0
        self.begin(bodiless=False)
        self.active = False
        """Is an exchange going on?"""

    def begin(self, *, bodiless: bool) -> None:
        """Start an exchange. `bodiless`: whatever its head says, the response has no body (HEAD)."""
        self._bodiless = bodiless
        self._head = b""
        self._framing: Framing | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._continue: asyncio.Future[None] | None = None
        self.message: asyncio.Future[ReceivedHead] = self._loop.create_future()
        """The head of the final response."""
        self.active = True
        self.answered = False
        """Has anything come of this exchange's response?"""
        self.quiet_since: float | None = None
        """Since when the upstream owes something (loop time); None: it is not its turn."""

    def end(self) -> None:
        """End an exchange; what comes after it is not asked for."""
        self.active = False
        self.quiet_since = None
        self.idle_since = self._loop.time()

    # What goes out.

    def write(self, data: bytes) -> None:
        """Send bytes, or as much of them as the buffers hold."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        transport.write(data)

    async def drain(self) -> None:
        """Wait until the upstream takes more."""
        if self.writing_paused:
            self.quiet_since = self._loop.time()
            self._drain = self._loop.create_future()
            await self._drain
            self.quiet_since = None

    async def let_in(self) -> None:
        """Read what has come before more is written.

        A server that refuses an upload and closes resets the connection; the next write would then end it, and with
        it the refusal that waits unread in the socket."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        if self._poll.poll(0):
            for _ in range(2):  # the loop polls in the first turn, and reads in the second
                await asyncio.sleep(0)

    async def continued(self) -> None:
        """Wait for 100 Continue, a final response or the end, at most as long as the options say."""
        self._continue = self._loop.create_future()
        await asyncio.wait(
            (self._continue, self.message),
            timeout=self._options.continue_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        self._continue = None

    def sent(self) -> None:
        """The request is on its way as a whole: it is the upstream's turn."""
        if not self.message.done():
            self.quiet_since = self._loop.time()

    # What comes in.

    @property
    def complete(self) -> bool:
        """Has the response been received as a whole?"""
        return self._framing is not None and self._framing.ended

    @property
    def ended(self) -> bool:
        """Has it been read as a whole?"""
        return not self._pieces and self._framing is not None and self._framing.ended

    def ready(self) -> bytes:
        """What has come of the body; may be empty."""
        pieces = self._pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if self.transport is not None:
                self.transport.resume_reading()
                self.quiet_since = self._loop.time()
        return data

    async def read(self) -> bytes:
        """The next bytes of the body; empty at the end. Raises UpstreamLost."""
        while not self._pieces and not self.complete:
            if self._error is not None:
                raise self._error
            self._reader = self._loop.create_future()
            await self._reader
        return self.ready()

    def fail(self, error: Exception) -> None:
        """End the connection; whoever waits for it learns why."""
        if not self.message.done():
            self.message.set_exception(error)
            self.message.exception()  # perhaps nobody waits any more
        elif self._error is None:
            self._error = UpstreamLost(type(error).__name__)
        self._wake()
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the upstream."""
        if not self.active:
            self.abort()
            return
        self.answered = True
        if self.quiet_since is not None:
            self.quiet_since = self._loop.time()
        try:
            if self._framing is not None or (data := self._head_received(data)):
                self._body_received(data)
        except NotHTTP as error:
            self.fail(error)

    def _head_received(self, data: bytes) -> bytes:
        """Look for the head; what comes after it."""
        data = self._head + data if self._head else data
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > self._options.head_bytes:
                    raise NotHTTP("too long a head")
                self._head = data
                return b""
            head = parse_response_head(data[:end])
            data = data[end + 4 :]
            if head.status >= 200:
                break
            if head.status == 101:
                raise NotHTTP("an upgrade that nobody asked for")
            if head.status == 100 and self._continue is not None and not self._continue.done():
                self._continue.set_result(None)
        self._head = b""
        self._framing = framing(head, bodiless=self._bodiless)
        if self._framing.ended:
            self.quiet_since = None
        if not self.message.done():
            self.message.set_result(head)
        if self._framing.ended and data:
            raise NotHTTP("more than a response")
        return data

    def _body_received(self, data: bytes) -> None:
        assert self._framing is not None
        pieces, rest = self._framing.feed(data)
        for piece in pieces:
            self._pieces.append(piece)
            self._size += len(piece)
        if rest:
            self.fail(NotHTTP("more than a response"))
        if self._framing.ended:
            self.quiet_since = None
        elif self._size > _HIGH_WATER and not self._paused:
            self._paused = True
            self.quiet_since = None
            assert self.transport is not None
            self.transport.pause_reading()
        self._wake()

    def pause_writing(self) -> None:
        """The upstream is slow."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """It has taken what there was."""
        self.writing_paused = False
        self._drained(None)

    def _drained(self, error: Exception | None) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            if error is None:
                drain.set_result(None)
            else:
                drain.set_exception(error)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of the connection ends a body without a length, unless it was a reset."""
        self.transport = None
        error = exc if isinstance(exc, Exception) else ConnectionResetError()
        self._drained(error)
        if exc is None and self._framing is not None and self._framing.close():
            self._wake()
        elif not self.complete:
            self.fail(error)

"""One connection to an upstream, and the exchanges that it carries, one after another."""

from __future__ import annotations

import asyncio
import select
from typing import cast

from denyproxy.proxy.field_names import FieldNames
from denyproxy.proxy.framing import BODILESS, Chunked, Data, Framing, Sized, UntilClose
from denyproxy.proxy.heads import NotHTTP
from denyproxy.proxy.http1 import ReceivedResponse, has_bare_line_feed, parse_response
from denyproxy.proxy.received import HIGH_WATER, ReceivedBody, WholeBody
from denyproxy.proxy.scratch import Scratch
from denyproxy.proxy.sockets import settle
from denyproxy.proxy.upstream import UpstreamLost, UpstreamOptions

_START = b"HTTP/1."
_FRESH_SECONDS = 0.1
"""An upstream does not end a connection, or complain of its silence, so soon: it need not be looked at once more."""


class UpstreamConnection(asyncio.BufferedProtocol):
    """A connection and the exchange that it is in."""

    __slots__ = (
        "_bodiless",
        "_continue",
        "_drain",
        "_expected",
        "_head",
        "_loop",
        "_options",
        "_poll",
        "_reading_paused",
        "_scratch",
        "_sending",
        "active",
        "answered",
        "body",
        "idle_since",
        "message",
        "quiet_since",
        "transport",
        "writing_paused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, options: UpstreamOptions, scratch: Scratch) -> None:
        self._loop = loop
        self._options = options
        self._scratch = scratch
        self._poll: select.poll | None = None
        self._drain: asyncio.Future[None] | None = None
        self._expected: FieldNames | None = None
        """The names of the last response's fields: the next one's are mostly the same."""
        self.transport: asyncio.Transport | None = None
        self.writing_paused = False
        self.idle_since = 0.0
        self.begin(bodiless=False, sent=False)
        self.active = False
        """Is an exchange going on?"""

    def begin(self, *, bodiless: bool, sent: bool) -> None:
        """Start an exchange. `bodiless`: whatever its head says, the response has no body (HEAD). `sent`: does nothing
        come after what is written first?"""
        self._bodiless = bodiless
        self._reading_paused = False
        self._sending = not sent
        """Is more of the request to come?"""
        self._head = b""
        self._continue: asyncio.Future[None] | None = None
        self.message: asyncio.Future[ReceivedResponse] = self._loop.create_future()
        """The head of the final response."""
        self.body: ReceivedBody | WholeBody | None = None
        self.active = True
        self.answered = False
        """Has anything come of this exchange's response?"""
        self.quiet_since: float | None = self._loop.time() if sent else None
        """Since when the upstream owes something (loop time); None: it is not its turn."""

    def end(self) -> None:
        """End an exchange; what comes after it is not asked for."""
        self.active = False
        self.quiet_since = None
        self.idle_since = self._loop.time()

    # What goes out.

    def write(self, data: Data) -> None:
        """Send bytes, or as much of them as the buffers hold."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        transport.write(data)

    async def drain(self) -> None:
        """Wait until the upstream takes more."""
        if self.writing_paused:
            drain = self._drain = self._loop.create_future()
            self._take_turns()
            await drain
            self._take_turns()

    async def let_in(self) -> None:
        """Read what has come before more is written.

        A server that refuses an upload and closes resets the connection; the next write would then end it, and with
        it the refusal that waits unread in the socket."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError
        if self.unread:
            for _ in range(2):  # the loop polls in the first turn, and reads in the second
                await asyncio.sleep(0)

    @property
    def holds(self) -> bool:
        """Does anything wait for the upstream here?"""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    @property
    def unread(self) -> bool:
        """Is there anything in the socket, if only the end?"""
        transport = self.transport
        if transport is None or transport.is_closing():
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def good(self, now: float) -> bool:
        """Is it good for another exchange? Not if anything has come unasked: it would be taken for the answer."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        return now - self.idle_since < _FRESH_SECONDS or not self.unread

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
        """Nothing more of the request will come: it is the upstream's turn."""
        self._sending = False
        self._take_turns()

    def _take_turns(self) -> None:
        """Whose turn is it? The upstream's, if it takes no more of the request, or owes the rest of its response."""
        received = self.body is not None and self.body.complete
        its = not self._sending or self._drain is not None
        owing = self.active and its and not (self._reading_paused or received)
        self.quiet_since = self._loop.time() if owing else None

    # What comes in.

    def fail(self, error: Exception) -> None:
        """End the connection; whoever waits for it learns why."""
        if not self.message.done():
            self.message.set_exception(error)
            self.message.exception()  # perhaps nobody waits any more
        elif self.body is not None:
            self.body.fail(UpstreamLost(type(error).__name__))
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def pause_reading(self) -> None:
        """The client is slow, so the upstream owes it nothing."""
        self._reading_paused = True
        self.quiet_since = None
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """The client has taken what there was."""
        self._reading_paused = False
        self._take_turns()
        if self.transport is not None:
            self.transport.resume_reading()

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes from the upstream go."""
        return self._scratch.view

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        if not self.active:
            self.abort()
            return
        self.answered = True
        view, body = self._scratch.view[:nbytes], self.body
        try:
            data: Data
            if body is None:
                data = self._head_received(bytes(view))
                body = self.body
            else:
                data = view if body.poured else bytes(view)
            if body is not None:
                if data and body.feed(data):
                    raise NotHTTP("more than a response")
                if body.complete:
                    self.quiet_since = None
            if self.quiet_since is not None:
                self.quiet_since = self._loop.time()
        except NotHTTP as error:
            self.fail(error)

    def _head_received(self, data: bytes) -> bytes:
        """Look for the head; what comes after it."""
        data = self._head + data if self._head else data
        while True:
            end = data.find(b"\r\n\r\n")
            if (len(data) if end < 0 else end) > self._options.head_bytes:
                raise NotHTTP("too long a head")
            if end < 0:
                if not data.startswith(_START[: len(data)]):
                    raise NotHTTP("no status line")
                if has_bare_line_feed(data):
                    raise NotHTTP("a line that ends by LF alone")
                self._head = data
                return b""
            head, data = parse_response(data[:end], self._expected), data[end + 4 :]
            if head.names is not self._expected:
                self._expected = head.names if head.names.short else None
            if head.status >= 200:
                break
            if head.status == 101:
                raise NotHTTP("an upgrade that nobody asked for")
            if head.status == 100 and self._continue is not None and not self._continue.done():
                self._continue.set_result(None)
        if self._bodiless or head.status in BODILESS:
            self.body = WholeBody(b"")
        elif head.length == len(data):
            self.body, data = WholeBody(data), b""
        else:
            self.body = ReceivedBody(_framing(head), self, self._loop)
        if not self.message.done():
            self.message.set_result(head)
        if self._sending and head.status >= 300:
            self.sent()  # the relay sends no more of what is refused
        return data

    def take_away(self) -> None:
        """What was read last is still needed."""
        self._scratch.take_away()

    def pause_writing(self) -> None:
        """The upstream is slow."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """It has taken what there was."""
        self.writing_paused = False
        self._drained(None)

    def _drained(self, error: Exception | None) -> None:
        drain, self._drain = self._drain, None
        settle(drain, error)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of the connection ends a body without a length, unless it was a reset."""
        self.transport = None
        error = exc if isinstance(exc, Exception) else ConnectionResetError()
        self._drained(error)
        if exc is not None or self.body is None:
            self.fail(error)
        else:
            self.body.close(UpstreamLost("the end of the connection"))


def _framing(head: ReceivedResponse) -> Framing:
    if head.length is not None:
        return Sized(head.length)
    return Chunked() if head.chunked else UntilClose()

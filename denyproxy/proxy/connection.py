"""One connection to an upstream: one exchange after another, parsed by aiohttp's own HTTP parser."""

from __future__ import annotations

import asyncio
import select

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser, RawResponseMessage
from aiohttp.streams import StreamReader

from denyproxy.proxy.upstream import UpstreamLost, UpstreamOptions

_READ_BYTES = 128 * 1024
"""Of a body, held for a slow client before the upstream is told to wait; the parser allows twice that."""


class NotHTTP(Exception):
    """What came is no response."""


class UpstreamConnection(BaseProtocol):
    """A connection and the exchange that it is in."""

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_continue",
        "_options",
        "_payload",
        "_poll",
        "active",
        "answered",
        "idle_since",
        "message",
        "quiet_since",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, options: UpstreamOptions) -> None:
        super().__init__(loop)
        self._options = options
        self._bodiless = False
        self._chunked = False
        self.message: asyncio.Future[tuple[RawResponseMessage, StreamReader]] = loop.create_future()
        """The final response's head, and its body as it comes."""
        self._continue: asyncio.Future[None] | None = None
        self._payload: StreamReader | None = None
        self._poll: select.poll | None = None
        self.active = False
        """Is an exchange going on?"""
        self.answered = False
        """Has anything come of this exchange's response?"""
        self.idle_since = 0.0
        self.quiet_since: float | None = None
        """Since when the upstream owes something (loop time); None: it is not its turn."""

    def begin(self, *, bodiless: bool) -> None:
        """Start an exchange. `bodiless`: whatever its head says, the response has no body (HEAD)."""
        if self._parser is None or bodiless is not self._bodiless:
            options = self._options
            self._bodiless = bodiless
            self._parser = HttpResponseParser(
                self,
                self._loop,
                _READ_BYTES,
                payload_exception=UpstreamLost,
                response_with_body=not bodiless,
                read_until_eof=True,
                auto_decompress=False,
                max_line_size=options.line_bytes,
                max_field_size=options.field_bytes,
                max_headers=options.fields,
            )
        self.message = self._loop.create_future()
        self._payload = None
        self._chunked = False
        self.active = True
        self.answered = False
        self.quiet_since = None

    def end(self) -> None:
        """End an exchange; what comes after it is not asked for."""
        self.active = False
        if self._chunked:
            self._parser = None  # it would take a trailer for the next response's first field
        self._continue = self._payload = None
        self.quiet_since = None
        self.idle_since = self._loop.time()

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
            await self._drain_helper()
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

    @property
    def has_message(self) -> bool:
        """Is the response's head here, or will it never come?"""
        return self.message.done()

    def sent(self) -> None:
        """The request is on its way as a whole: it is the upstream's turn."""
        if not self.has_message:
            self.quiet_since = self._loop.time()

    def fail(self, error: Exception) -> None:
        """End the connection; whoever waits for it learns why."""
        if not self.message.done():
            self.message.set_exception(error)
            self.message.exception()  # perhaps nobody waits any more
        elif self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(
                error if isinstance(error, UpstreamLost) else UpstreamLost(type(error).__name__)
            )
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes from the upstream; none: the parser goes on with what it holds."""
        if not self.active:
            if data:
                self.abort()
            return
        if data:
            self.answered = True
            if self.quiet_since is not None:
                self.quiet_since = self._loop.time()
        assert self._parser is not None
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception as error:
            self.fail(NotHTTP(type(error).__name__))
            return
        for message, payload in messages:
            if upgraded or message.code == 101:
                self.fail(NotHTTP("an upgrade that nobody asked for"))
            elif message.code < 200:
                if self._continue is not None and message.code == 100 and not self._continue.done():
                    self._continue.set_result(None)
            elif self.message.done():
                self.fail(NotHTTP("a second response"))
            else:
                self._payload = payload
                self._chunked = bool(message.chunked)
                self.message.set_result((message, payload))
        if self._payload is not None and self._payload.is_eof():
            self.quiet_since = None

    def pause_reading(self) -> None:
        """The client is slow: nothing is owed to it."""
        self.quiet_since = None
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """The client has taken what there was."""
        paused = self._reading_paused
        super().resume_reading(resume_parser)
        if paused and not self._reading_paused and self._payload is not None and not self._payload.is_eof():
            self.quiet_since = self._loop.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of the connection ends a body without a length, unless it was a reset."""
        super().connection_lost(exc or ConnectionResetError())
        error = exc if isinstance(exc, Exception) else ConnectionResetError()
        if exc is None and self._payload is not None and not self._payload.is_eof():
            assert self._parser is not None
            try:
                self._parser.feed_eof()
            except Exception as unfinished:
                error = unfinished
        self.fail(error)
        self._parser = None

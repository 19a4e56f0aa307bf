"""The listening side of one client: requests off its connection one after another, responses back onto it."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from denyproxy.proxy.field_names import FieldNames
from denyproxy.proxy.framing import Chunked, Sized
from denyproxy.proxy.heads import NotHTTP
from denyproxy.proxy.http1 import ReceivedRequest, has_bare_line_feed, parse_request
from denyproxy.proxy.outgoing import Outgoing
from denyproxy.proxy.received import ReceivedBody, WholeBody
from denyproxy.proxy.sockets import reset

_HELD_BYTES = 64 * 1024
"""Of requests that a client sends before the one under way is answered."""


class Handler(Protocol):
    """What answers requests."""

    async def handle(self, request: ClientRequest) -> bool:
        """Answer a request: may the connection go on?"""

    async def refuse(self, connection: ClientConnection) -> None:
        """Answer what is no request."""

    async def turn_away(self, connection: ClientConnection) -> None:
        """Answer a client for which there is no room."""


class Listener(Protocol):
    """What a connection knows of its server."""

    head_bytes: int
    """Longest head of a request."""
    fields: int
    """Most header fields."""

    @property
    def relay(self) -> Handler:
        """Where requests go."""

    def opened(self, connection: ClientConnection) -> None:
        """A client has come."""

    def closed(self, connection: ClientConnection) -> None:
        """It has gone."""


class ClientRequest:
    """A request and the connection that it came on."""

    __slots__ = ("body", "connection", "head")

    def __init__(
        self, connection: ClientConnection, head: ReceivedRequest, body: ReceivedBody | WholeBody | None
    ) -> None:
        self.connection = connection
        self.head = head
        self.body = body
        """None: it has none."""


class ClientConnection(Outgoing, asyncio.Protocol):
    """A client's connection."""

    __slots__ = (
        "_body",
        "_broken",
        "_dropping",
        "_excess",
        "_expected",
        "_held",
        "_next",
        "_paused",
        "_server",
        "_task",
        "_waiting",
        "closing",
        "idle_since",
        "lingering_since",
        "remote",
    )

    def __init__(self, server: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._server = server
        self._held = b""
        """What has come and not been looked at."""
        self._body: ReceivedBody | WholeBody | None = None
        """Of the request under way, while it comes."""
        self._next: ClientRequest | None = None
        self._broken = False
        self._waiting: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = False
        self._dropping = False
        self._excess = False
        self._expected: FieldNames | None = None
        """The names of the last request's fields: the next one's are mostly the same."""
        self.remote: str | None = None
        """The client's address."""
        self.closing = False
        """Is the connection to end once what is under way is answered?"""
        self.idle_since: float | None = loop.time()
        """Since when a request head is awaited (loop time); None: one is being answered."""
        self.lingering_since: float | None = None
        """Since when what a client still sends is dropped."""

    # For the relay.

    def half_close(self) -> None:
        """The client sees the end at once; what it still sends is read and dropped: no RST destroys the answer."""
        transport = self.transport
        if transport is not None and transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()

    def break_off(self) -> None:
        """End the connection so that the client sees a broken transfer, never a short success."""
        if self.transport is not None:
            reset(self.transport)

    def abort(self) -> None:
        """End the connection at once; break it off if a response is under way, or has not been taken as a whole."""
        transport = self.transport
        if transport is None:
            return
        ended = self.lingering_since is not None or transport.is_closing()
        if (self.idle_since is None and not ended) or not self.taken:
            reset(transport)
        else:
            transport.abort()

    def close(self) -> None:
        """End the connection once what is under way is answered; at once if nothing is."""
        self.closing = True
        if self.idle_since is not None and self.transport is not None:
            self.transport.close()

    # For the server.

    @property
    def idle(self) -> bool:
        """Is nothing under way, not even a request head?"""
        return self.idle_since is not None and not self._held

    def turn_away(self) -> None:
        """There is no room for this client."""
        self._excess = self._broken = True
        self.idle_since = None
        self._wake()

    # Requests, one after another.

    async def _run(self) -> None:
        relay = self._server.relay
        try:
            goes_on = True
            while goes_on:
                if self._next is None and not self._broken:
                    self._waiting = self._loop.create_future()
                    await self._waiting
                request, self._next = self._next, None
                self.written = self.answered = False
                if request is None:
                    await (relay.turn_away(self) if self._excess else relay.refuse(self))
                    goes_on = False
                else:
                    goes_on = await relay.handle(request) and not self.closing
                self.answered = True
                if goes_on:
                    self._await_next()
            await self._linger()
        finally:
            self.answered = True
            if self.transport is not None:
                self.transport.close()

    def _await_next(self) -> None:
        self._body = None
        self.idle_since = self._loop.time()
        if self._paused:
            self.resume_reading()
        if self._held:
            self._received()

    async def _linger(self) -> None:
        """Read and drop what the client still sends: closing would reset the connection before it reads the answer."""
        if self.transport is None or not (self._broken or (self._body is not None and not self._body.complete)):
            return
        self._dropping = True
        self._held = b""
        self.lingering_since = self._loop.time()
        self.half_close()
        if self._body is not None:
            self._body.ready()
        self.resume_reading()
        self._waiting = self._loop.create_future()
        await self._waiting

    def _received(self) -> None:
        """Look for the next request in what has come."""
        data = self._held.lstrip(b"\r\n") if self._held[0] in b"\r\n" else self._held
        end = data.find(b"\r\n\r\n")
        try:
            if (len(data) if end < 0 else end) > self._server.head_bytes:
                raise NotHTTP("too long a head")
            if end < 0:
                if has_bare_line_feed(data):
                    raise NotHTTP("a line that ends by LF alone")
                self._held = data
                return
            head, self._held = parse_request(data[:end], self._expected), data[end + 4 :]
            names = head.names
            if names is not self._expected:
                if len(names.starts) > self._server.fields or names.hosts > 1:
                    raise NotHTTP("too many header fields")
                self._expected = names if names.short else None
            if head.chunked or head.length:
                self._body = self._body_of(head)
            self._next = ClientRequest(self, head, self._body)
        except NotHTTP:
            self._broken = True
        self.idle_since = None
        self._wake()

    def _body_of(self, head: ReceivedRequest) -> ReceivedBody | WholeBody:
        start, length = self._held, head.length
        if length is not None and len(start) >= length:
            self._held = start[length:]
            return WholeBody(start[:length])
        body = ReceivedBody(Chunked() if length is None else Sized(length), self, self._loop)
        self._held = bytes(body.feed(start)) if start else b""
        return body

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._opened(cast(asyncio.Transport, transport))
        peer = transport.get_extra_info("peername")
        self.remote = str(peer[0]) if isinstance(peer, tuple) else None
        self._task = self._loop.create_task(self._run())
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        body = self._body
        if body is not None and not body.complete and not self._broken:
            try:
                data = bytes(body.feed(data))
            except NotHTTP as error:
                body.fail(error)
                self._broken = True
            if self._dropping:
                body.ready()
                if body.complete:
                    self._wake()
            elif self._broken or not data:
                return
        if self._dropping:
            return
        if self.idle_since is None:
            self._held += data
            if len(self._held) > _HELD_BYTES:
                self.pause_reading()
            return
        begun = bool(self._held)
        self._held = self._held + data if begun else data
        self._received()
        if not begun and self._held and self.idle_since is not None:
            self.idle_since = self._loop.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone: nobody needs what is under way."""
        self.transport = None
        self._server.closed(self)
        self._drained(ConnectionResetError())
        if self._task is not None:
            self._task.cancel()

    def pause_reading(self) -> None:
        """The client is faster than the upstream."""
        if self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def take_away(self) -> None:
        """Nothing is read into memory that is read into again."""

    def resume_reading(self) -> None:
        """Let it send."""
        if self.transport is not None and self._paused:
            self._paused = False
            self.transport.resume_reading()

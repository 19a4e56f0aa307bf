"""The upstream client: connections kept per origin, and one exchange with each at a time.

Nothing is added to a request and nothing mended: head and body go out as they are.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict

from denyproxy.exchange import RequestHead
from denyproxy.proxy.connection import UpstreamConnection
from denyproxy.proxy.errors import Busy, CannotRelay, ProxyError, UpstreamTimeout, UpstreamUnreachable
from denyproxy.proxy.framing import chunk
from denyproxy.proxy.heads import NotHTTP
from denyproxy.proxy.http1 import ReceivedResponse, write_request
from denyproxy.proxy.received import WholeBody
from denyproxy.proxy.scratch import Scratch
from denyproxy.proxy.uploads import upload_to
from denyproxy.proxy.upstream import Origin, ResponseBody, UpstreamOptions, UpstreamRequest, may_retry


class PooledResponse:
    """A response of a pooled connection."""

    __slots__ = ("_connection", "_keep_alive", "_origin", "_pool", "_upload", "body", "head")

    def __init__(
        self,
        pool: PoolUpstream,
        origin: Origin,
        connection: UpstreamConnection,
        head: ReceivedResponse,
        upload: asyncio.Task[bool] | None,
        sent: bool,
    ) -> None:
        """`upload`: what sends the request's body, if it was not sent with the head. `sent`: is there nothing left?"""
        assert connection.body is not None
        self.head = head
        self.body: ResponseBody = connection.body
        self._pool = pool
        self._origin = origin
        self._upload = upload
        self._keep_alive = head.keep_alive and (sent or upload is not None)
        self._connection: UpstreamConnection | None = connection
        """None: it has been given back, since nothing more comes for this exchange."""
        if sent and self._keep_alive and isinstance(connection.body, WholeBody):
            pool.keep(origin, connection)
            self._connection = None

    async def close(self) -> None:
        """Release or end the connection; the request body is at rest afterwards."""
        connection, self._connection = self._connection, None
        upload = self._upload
        try:
            if connection is None:
                return
            if self._keep_alive and self.body.ended and (upload is None or (upload.done() and upload.result())):
                self._pool.keep(self._origin, connection)
            else:
                await self._pool.discard(connection, upload)
        finally:
            self._pool.leave()


class PoolUpstream:
    """An `Upstream` on connections of its own. Create it inside a running loop."""

    def __init__(self, options: UpstreamOptions) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._idle: defaultdict[Origin, list[UpstreamConnection]] = defaultdict(list)
        self._busy: set[UpstreamConnection] = set()
        self._room = asyncio.Semaphore(options.connections) if options.connections else None
        self._tls = options.tls
        self._scratch = Scratch()
        self._sweep_seconds = min(1.0, options.idle_seconds / 4, options.keepalive_seconds / 4)
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    async def send(self, request: UpstreamRequest) -> PooledResponse:
        """Send a request; see `Upstream.send`."""
        if self._room is not None:
            await self._enter(self._room)
        try:
            while True:
                connection = self._kept(request.origin)
                fresh = connection is None
                if connection is None:
                    connection = await self._connect(request.origin)
                try:
                    return await self._exchange(connection, request)
                except ConnectionError:
                    if fresh or connection.answered or not may_retry(request):
                        raise
        except BaseException as error:
            self.leave()
            if request.body is not None and request.body.error is not None:
                raise request.body.error from error
            translated = _translate(error, request.origin)
            if translated is None:
                raise
            raise translated from error

    async def _exchange(self, connection: UpstreamConnection, request: UpstreamRequest) -> PooledResponse:
        body = request.body
        upload: asyncio.Task[bool] | None = None
        self._busy.add(connection)
        head = request.head
        try:
            data = write_request(head) if isinstance(head, RequestHead) else head.write()
            sent = body is None
            if body is not None and not request.expects_continue and (at_once := body.whole()) is not None:
                data += _in_chunks(at_once) if request.chunked else at_once
                sent = True
            connection.begin(bodiless=head.method == "HEAD", sent=sent)
            connection.write(data)
            if body is not None and not sent:
                if request.expects_continue:
                    await connection.continued()
                if connection.message.done():
                    connection.sent()
                else:
                    upload = self._loop.create_task(upload_to(connection, body, chunked=request.chunked))
            answer = await connection.message
        except BaseException:
            await self.discard(connection, upload)
            raise
        return PooledResponse(self, request.origin, connection, answer, upload, sent)

    def _kept(self, origin: Origin) -> UpstreamConnection | None:
        """An idle connection that is still good, the latest used first."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.good(self._loop.time()):
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> UpstreamConnection:
        if origin.secure and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self._loop, self._options, self._scratch),
                    origin.host,
                    origin.port,
                    ssl=self._tls if origin.secure else None,
                )
        except ssl.SSLError as error:
            reason = f"denyproxy could not set up TLS with the upstream {origin}: {error}"
            raise UpstreamUnreachable(reason) from error
        except TimeoutError as error:
            raise UpstreamTimeout(f"denyproxy could not connect to the upstream {origin} in time.") from error
        except UnicodeError as error:
            raise CannotRelay(f"denyproxy cannot connect to {origin}: that is no host name.") from error
        except OSError as error:
            reason = f"denyproxy could not reach the upstream {origin}: {error.strerror or error}."
            raise UpstreamUnreachable(reason) from error
        return connection

    def keep(self, origin: Origin, connection: UpstreamConnection) -> None:
        """An exchange is over, and its connection good for another."""
        self._busy.discard(connection)
        connection.end()
        self._idle[origin].append(connection)

    async def discard(self, connection: UpstreamConnection, upload: asyncio.Task[bool] | None) -> None:
        """End an exchange and its connection; nobody reads the request body afterwards."""
        self._busy.discard(connection)
        connection.end()
        connection.abort()
        if upload is not None:
            upload.cancel()
            await asyncio.wait((upload,))

    async def _enter(self, room: asyncio.Semaphore) -> None:
        """Wait for room, as long as for a connection. Raises Busy."""
        if not room.locked():
            await room.acquire()  # at once, without the price of a timeout
            return
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                await room.acquire()
        except TimeoutError:
            raise Busy("denyproxy has as many connections to S3 as it may have; please try again.") from None

    def leave(self) -> None:
        """Make room for another exchange."""
        if self._room is not None:
            self._room.release()

    def _sweep(self) -> None:
        """End what the upstream keeps waiting, and what nobody has used for long."""
        now = self._loop.time()
        for connection in list(self._busy):
            if connection.quiet_since is not None and now - connection.quiet_since > self._options.idle_seconds:
                connection.fail(TimeoutError())
        for origin, idle in list(self._idle.items()):
            while idle and now - idle[0].idle_since > self._options.keepalive_seconds:
                idle.pop(0).abort()
            if not idle:
                del self._idle[origin]
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    async def close(self) -> None:
        """End all connections."""
        self._sweeper.cancel()
        for connection in (*self._busy, *(connection for idle in self._idle.values() for connection in idle)):
            connection.abort()
        self._idle.clear()


def _in_chunks(body: bytes) -> bytes:
    return chunk(body) + chunk(b"") if body else chunk(b"")


def _translate(error: BaseException, origin: Origin) -> ProxyError | None:
    match error:
        case TimeoutError():
            return UpstreamTimeout(f"The upstream {origin} did not answer in time.")
        case OSError():
            return UpstreamUnreachable(f"The upstream {origin} closed the connection without an answer.")
        case NotHTTP():
            return UpstreamUnreachable(f"The upstream {origin} did not answer in HTTP that denyproxy understands.")
    return None

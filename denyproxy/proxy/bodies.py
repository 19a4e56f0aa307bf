"""The client's body on its way upstream, and the few small bodies of which a copy is kept.

Authorization depends on them: the keys of DeleteObjects, a bucket policy, ACL XML, tags, a POST form's fields.
What is kept is decided from the head alone and bounded; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from denyproxy.proxy.errors import CannotRelay, ClientStalled, ProxyError
from denyproxy.proxy.framing import Data
from denyproxy.proxy.http1 import ReceivedRequest
from denyproxy.proxy.received import Sink

_KEPT_SUBRESOURCES = {
    "POST": frozenset({"delete"}),
    "PUT": frozenset(
        {"acl", "legal-hold", "object-lock", "ownershipControls", "policy", "publicAccessBlock", "retention", "tagging"}
    ),
}
"""Method -> subresources whose request body decides which actions and condition keys apply."""

_CREATE_BUCKET_BYTES = 8 * 1024
"""A CreateBucketConfiguration is smaller; a longer body of `PUT /name` is an object's."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a body to keep. `prefix`: the first bytes are of use without the rest (a POST form)."""

    limit: int = 0
    prefix: bool = False


def what_to_keep(head: ReceivedRequest, limit: int) -> Keep:
    """Decide from the head whether a copy of the body is kept, at most `limit` bytes."""
    subresources = _KEPT_SUBRESOURCES.get(head.method)
    if subresources is None:
        return Keep()
    path, _, query = head.target.partition("?")
    names = {parameter.partition("=")[0] for parameter in query.split("&")} if query else set()
    if names & subresources:
        return Keep(limit)
    if head.method == "POST":
        form = (head.head.header("Content-Type") or "").lower().startswith("multipart/form-data")
        return Keep(limit, prefix=True) if form else Keep()
    if not query and "/" not in path.strip("/"):
        return Keep(min(limit, _CREATE_BUCKET_BYTES))
    return Keep()


class ByteStream(Protocol):
    """A body as it comes off a connection."""

    @property
    def complete(self) -> bool:
        """Has the last byte been received?"""

    def ready(self) -> bytes:
        """What is here already; may be empty."""

    async def read(self) -> bytes:
        """The next bytes, as many as are there; empty at the end."""

    async def pour(self, sink: Sink) -> None:
        """Give a sink the rest, each piece as it comes."""


class Rewriting(Protocol):
    """Makes another body of one."""

    def feed(self, data: bytes) -> bytes:
        """What goes out for what has come; may be empty. Raises ProxyError."""

    def finish(self) -> bytes:
        """The rest, at the end of the body. Raises ProxyError if that came too soon, or the body is a wrong one."""


class RequestBody:
    """The client's body, read once, when the upstream is ready for it.

    `on_start` is called before the first byte is read: that is the moment to send `100 Continue`.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        keep: Keep = Keep(),
        idle_seconds: float | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        self._stream = stream
        self._keep = keep
        self._kept: list[bytes] | None = [] if keep.limit else None
        self._kept_bytes = 0
        self._idle_seconds = idle_seconds
        self._on_start = on_start
        self._rewriting: Rewriting | None = None
        self._ahead = b""
        self._closed = False
        self.started = False
        """Has the upstream asked for it?"""
        self.error: ProxyError | None = None
        """Why it could not be read to its end, if the client is to blame."""

    async def ahead(self, enough: Callable[[bytes], bool], limit: int) -> bytes:
        """The start of the body, for `read` to come upon again: until it is `enough`, over the limit, or all there is.

        Raises ProxyError if the client fails."""
        start = b""
        while not enough(start) and len(start) <= limit and (data := await self._receive()):
            start += data
        self._ahead = start
        return start

    def rewrite(self, rewriting: Rewriting) -> None:
        """Send another body than the client's. Call it before the first byte is read."""
        self._rewriting = rewriting

    def whole(self) -> bytes | None:
        """All of it, if it is here and goes out as it came: then that is how it is read."""
        if self._closed or self.started or self._rewriting is not None or not self._stream.complete:
            return None
        self._start()
        data = self._stream.ready()
        if self._kept is not None:
            self._tee(data)
        return data

    async def read(self) -> bytes:
        """The next bytes; empty at the end. Raises ProxyError if the client fails, EOFError once closed."""
        if self._rewriting is None:
            return await self._receive()
        try:
            while data := await self._receive():
                if rewritten := self._rewriting.feed(data):
                    return rewritten
            rewriting, self._rewriting = self._rewriting, None
            return rewriting.finish()
        except ProxyError as error:
            self.error = error
            raise

    async def pour(self, sink: Sink) -> None:
        """Give a sink all of it, each piece as it comes. Raises what `read` does, and what the sink does."""
        if self._rewriting is not None or self._kept is not None or self._ahead:
            while data := await self.read():
                await sink.drain()
                sink.write(data)
                if sink.full:
                    await sink.drain()
            return
        if self._closed:
            raise EOFError("the response is already there")
        if not self.started:
            self._start()
        with self._blamed():
            async with asyncio.timeout(self._idle_seconds) as limit:
                await self._stream.pour(_Watched(self, sink, limit, self._idle_seconds))

    async def _receive(self) -> bytes:
        if self._closed:
            raise EOFError("the response is already there")
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        if not self.started:
            self._start()
        with self._blamed():
            async with asyncio.timeout(self._idle_seconds):
                data = await self._stream.read()
        if self._closed:
            raise EOFError("the response is already there")
        if self._kept is not None:
            self._tee(data)
        return data

    @contextlib.contextmanager
    def _blamed(self) -> Iterator[None]:
        """The client is to blame for what is raised, unless a connection was lost or the body closed."""
        try:
            yield
        except TimeoutError:
            self.error = ClientStalled("The request body did not arrive: the client sent nothing for too long.")
            raise self.error from None
        except (ConnectionError, EOFError):
            raise
        except Exception as exception:
            self.error = CannotRelay(f"The request body is malformed ({type(exception).__name__}).")
            raise self.error from None

    def _start(self) -> None:
        self.started = True
        if self._on_start is not None:
            self._on_start()

    def _tee(self, data: bytes) -> None:
        assert self._kept is not None
        room = self._keep.limit - self._kept_bytes
        if len(data) > room:
            if not self._keep.prefix:
                self._kept = None
                return
            data = data[:room]
        if data:
            self._kept.append(data)
            self._kept_bytes += len(data)

    @property
    def complete(self) -> bool:
        """Has the client's last byte arrived?"""
        return self._stream.complete

    @property
    def awaits_continue(self) -> bool:
        """Is the client still owed a 100?"""
        return self._on_start is not None and not self.started

    @property
    def kept(self) -> bytes | None:
        """The copy; None: none was wanted, it grew past the bound, or it did not arrive as a whole."""
        if self._kept is None or not (self._keep.prefix or self.complete):
            return None
        return b"".join(self._kept)

    @property
    def closed(self) -> bool:
        """Is no more of it to be read?"""
        return self._closed

    def close(self) -> None:
        """Read no more: the upstream has answered without it."""
        self._closed = True


class _Watched:
    """A sink of a client's body that gives the client only so long for each piece."""

    __slots__ = ("_body", "_limit", "_loop", "_seconds", "_sink")

    def __init__(self, body: RequestBody, sink: Sink, limit: asyncio.Timeout, seconds: float | None) -> None:
        self._body = body
        self._sink = sink
        self._limit = limit
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()

    @property
    def full(self) -> bool:
        """See `Sink`."""
        return self._sink.full

    @property
    def holds(self) -> bool:
        """See `Sink`."""
        return self._sink.holds

    def write(self, data: Data) -> None:
        """See `Sink`. Raises EOFError once the body is closed."""
        if self._body.closed:
            raise EOFError("the response is already there")
        self._sink.write(data)
        self._await_client()

    async def drain(self) -> None:
        """See `Sink`: the client is not kept to its time meanwhile."""
        self._limit.reschedule(None)
        await self._sink.drain()
        self._await_client()

    def _await_client(self) -> None:
        if self._seconds is not None and not self._limit.expired():
            self._limit.reschedule(self._loop.time() + self._seconds)

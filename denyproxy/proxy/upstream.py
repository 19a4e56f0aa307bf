"""What the handler asks of an upstream client: send a head and a body, give back a head and a stream."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from denyproxy.exchange import RequestHead, Resigned
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.http1 import ReceivedRequest, ReceivedResponse, SignedRequest
from denyproxy.proxy.received import Sink


class Origin(NamedTuple):
    """Where a request goes: scheme (http or https), host and port. `kind`: aws, minio, ceph or other."""

    scheme: str
    host: str
    port: int
    kind: str = "other"

    @property
    def secure(self) -> bool:
        """Is the connection TLS?"""
        return self.scheme == "https"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """Bounds of an upstream client. Times in seconds, sizes in bytes."""

    connect_seconds: float = 10.0
    idle_seconds: float = 300.0
    """Longest silence of the upstream: before the response, inside a body, or without taking more of an upload."""
    keepalive_seconds: float = 4.0
    """Shorter than common servers' own, so that a kept connection is rarely a stale one."""
    continue_seconds: float = 1.0
    """How long to wait for `100 Continue` before the body is sent anyway."""
    connections: int = 0
    """0: as many as there are requests."""
    head_bytes: int = 256 * 1024
    """Longest head of a response."""
    tls: ssl.SSLContext | None = None
    """Whom to trust; None: as the system does."""


@dataclass(slots=True)  # one is made for every request, and a frozen one costs more
class UpstreamRequest:
    """A request ready to be sent. The head is written as it is: framing, Host and Expect included."""

    origin: Origin
    head: RequestHead | ReceivedRequest | SignedRequest
    """The client's own, or one that we made."""
    body: RequestBody | None = None
    """None: the request has none."""

    @property
    def resigned(self) -> Resigned | None:
        """Whose credentials signed it instead of the client's; None: nobody's."""
        return None

    @property
    def chunked(self) -> bool:
        """Does the body go out in chunks?"""
        head = self.head
        return head.header("Transfer-Encoding") is not None if isinstance(head, RequestHead) else head.chunked

    @property
    def expects_continue(self) -> bool:
        """Is the upstream asked for 100 Continue?"""
        head = self.head
        if isinstance(head, RequestHead):
            return (head.header("Expect") or "").lower() == "100-continue"
        return head.expects_continue

    @property
    def text(self) -> RequestHead:
        """The head as text."""
        return self.head if isinstance(self.head, RequestHead) else self.head.head


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}


def may_retry(request: UpstreamRequest) -> bool:
    """After a stale connection: nothing of the body was consumed, and doing it twice is doing it once."""
    if request.body is not None and request.body.started:
        return False
    if request.head.method not in _IDEMPOTENT:
        return False
    return request.head.method in _SAFE or not any(
        "if-" in name.lower() and ("match" in name.lower() or "modified" in name.lower())
        for name, _ in request.text.headers
    )


class ResponseBody(Protocol):
    """A body as it comes, without its framing, else never decoded."""

    @property
    def ended(self) -> bool:
        """Has all of it been read?"""

    def ready(self) -> bytes:
        """What is here already; may be empty."""

    async def read(self) -> bytes:
        """The next bytes as they come; empty at the end.

        Raises UpstreamLost if the body breaks off or nothing comes for too long."""

    async def pour(self, sink: Sink) -> None:
        """Give a sink the rest, each piece as it comes. Raises what `read` does, and what the sink does."""
        while not self.ended and (data := await self.read()):
            sink.write(data)
            await sink.drain()


class UpstreamResponse(Protocol):
    """A final response whose body has not been read yet."""

    @property
    def head(self) -> ReceivedResponse:
        """Status line and header fields as received."""

    @property
    def body(self) -> ResponseBody:
        """The body, if there is one."""

    async def close(self) -> None:
        """Give the connection back if the exchange is complete, else end it; then nobody reads the request body."""


class Upstream(Protocol):
    """A client that speaks to any origin and keeps connections."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and wait for the final response's head.

        The body is read only once the connection is there and, if the head has an Expect, once the upstream said
        100 or was silent for a second. Raises UpstreamUnreachable, UpstreamTimeout, CannotRelay, or the body's own
        ProxyError."""

    async def close(self) -> None:
        """End all connections."""


Send = Callable[[UpstreamRequest], Awaitable[UpstreamResponse]]
"""`Upstream.send`."""


class UpstreamLost(Exception):
    """A response body broke off, or stopped coming."""

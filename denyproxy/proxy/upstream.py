"""What the handler asks of an upstream client: send a head and a body, give back a head and a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from denyproxy.exchange import RequestHead, ResponseHead
from denyproxy.proxy.bodies import RequestBody


@dataclass(frozen=True, slots=True)
class Origin:
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
class UpstreamRequest:
    """A request ready to be sent. The head is written as it is: framing, Host and Expect included."""

    origin: Origin
    head: RequestHead
    body: RequestBody | None = None
    """None: the request has none."""


class UpstreamResponse(Protocol):
    """A final response whose body has not been read yet."""

    @property
    def head(self) -> ResponseHead:
        """Status line and all header fields as received."""

    @property
    def chunked(self) -> bool:
        """Was the body sent in chunks?"""

    def ready(self) -> bytes:
        """What has come of the body already; may be empty."""

    async def read(self) -> bytes:
        """The next bytes of the body as they come, never decoded; empty at the end.

        Raises UpstreamLost if the body breaks off or nothing comes for too long."""

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


class UpstreamLost(Exception):
    """A response body broke off, or stopped coming."""

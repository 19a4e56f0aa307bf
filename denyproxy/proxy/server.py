"""The listening side: a connection for each client, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from denyproxy.proxy.client import ClientConnection, ClientRequest
from denyproxy.proxy.handler import Relay

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Bounds of the listening side. Sizes in bytes, times in seconds."""

    head_bytes: int = 128 * 1024
    """Longest head of a request."""
    fields: int = 256
    """Most header fields of a request."""
    keepalive_seconds: float = 75.0
    """How long a connection may be idle, and how long a client has for a request head."""
    idle_seconds: float = 120.0
    """How long a client may take nothing of a response."""
    linger_seconds: float = 30.0
    """How long the rest of a refused upload is read and dropped, so that the client gets to read the refusal."""


class RelayServer:
    """The protocol factory of `loop.create_server`: a connection for each client. Create it inside a running loop."""

    def __init__(self, relay: Relay, options: ServerOptions = ServerOptions()) -> None:
        self.serve: Callable[[ClientRequest], asyncio.Future[bool]]
        self.relay = relay
        self.head_bytes = options.head_bytes
        self.fields = options.fields
        self._options = options
        self._loop = asyncio.get_running_loop()
        self.connections: set[ClientConnection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        shortest = min(options.keepalive_seconds, options.idle_seconds, options.linger_seconds)
        self._sweep_seconds = min(1.0, shortest / 4)
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    def __call__(self) -> ClientConnection:
        """A connection."""
        return ClientConnection(self, self._loop)

    def opened(self, connection: ClientConnection) -> None:
        """A client has come."""
        self.connections.add(connection)
        self._empty.clear()

    def closed(self, connection: ClientConnection) -> None:
        """It has gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def _sweep(self) -> None:
        """End the connections of clients that take too long."""
        now, options = self._loop.time(), self._options
        for connection in list(self.connections):
            if _past(connection.idle_since, now, options.keepalive_seconds):
                connection.close()
            elif _past(connection.lingering_since, now, options.linger_seconds):
                connection.abort()
            elif _past(connection.stalled_since, now, options.idle_seconds):
                log.info("a client took nothing of its response for too long")
                connection.break_off()
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    def pre_shutdown(self) -> None:
        """End the connections that are idle, and the others once they have been answered."""
        for connection in list(self.connections):
            connection.close()

    async def shutdown(self, seconds: float | None = None) -> None:
        """End all connections: what is under way has so long."""
        self.pre_shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds or 0.0):
                await self._empty.wait()
        for connection in list(self.connections):
            connection.abort()
        await self._empty.wait()
        self._sweeper.cancel()


def _past(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since > seconds

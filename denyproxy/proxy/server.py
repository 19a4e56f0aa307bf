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

_TURNED_AWAY = 100
"""Connections above the bound that are told so; further ones are just closed."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Bounds of the listening side. Sizes in bytes, times in seconds."""

    head_bytes: int = 128 * 1024
    """Longest head of a request."""
    fields: int = 256
    """Most header fields of a request."""
    connections: int = 2000
    """Open ones. For one more, that which is idle for longest is closed, or one whose client stopped reading; is none,
    it is turned away."""
    keepalive_seconds: float = 75.0
    """How long a connection may be idle."""
    head_seconds: float = 30.0
    """How long a client has for a request head, from its first byte."""
    idle_seconds: float = 120.0
    """How long a client may take nothing of a response, also of its end."""
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
        self.connections: dict[ClientConnection, None] = {}
        """Open ones, the oldest first: loops' clocks are too coarse to tell who was idle first."""
        self._empty = asyncio.Event()
        self._empty.set()
        shortest = min(options.keepalive_seconds, options.head_seconds, options.idle_seconds, options.linger_seconds)
        self._sweep_seconds = min(1.0, shortest / 4)
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    def __call__(self) -> ClientConnection:
        """A connection."""
        return ClientConnection(self, self._loop)

    def opened(self, connection: ClientConnection) -> None:
        """A client has come."""
        self._empty.clear()
        self.connections[connection] = None
        excess = len(self.connections) - self._options.connections
        if excess > 0 and not self._evict(connection):
            if excess > _TURNED_AWAY:
                connection.abort()
            else:
                connection.turn_away()

    def _evict(self, newest: ClientConnection) -> bool:
        """End the connection that is idle for longest, or else one whose client has stopped to take its response."""
        now = self._loop.time()
        others = [each for each in self.connections if each is not newest]
        idle = [each for each in others if each.idle and not each.closing]
        for each in sorted(idle, key=lambda each: each.idle_since or 0.0):
            if each.taken:  # else it would be there for longer
                each.close()
                return True
        stalled = [each for each in others if each.gives_way(now, 2 * self._sweep_seconds)]
        if stalled:
            min(stalled, key=lambda each: each.stalled_since or 0.0).break_off()
            return True
        return False

    def closed(self, connection: ClientConnection) -> None:
        """It has gone."""
        self.connections.pop(connection, None)
        if not self.connections:
            self._empty.set()

    def _sweep(self) -> None:
        """End the connections of clients that take too long."""
        now, options = self._loop.time(), self._options
        for connection in list(self.connections):
            awaited = options.keepalive_seconds if connection.idle else options.head_seconds
            connection.look(now)
            if _past(connection.stalled_since, now, options.idle_seconds):
                log.info("a client took nothing of its response for too long")
                connection.break_off()
            elif _past(connection.lingering_since, now, options.linger_seconds):
                connection.abort()
            elif _past(connection.idle_since, now, awaited):
                connection.close()
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    def pre_shutdown(self) -> None:
        """End the connections that are idle, and the others once they have been answered."""
        for connection in list(self.connections):
            connection.close()

    async def shutdown(self, seconds: float | None = None) -> None:
        """End all connections: what is under way, or has not been taken by its client, has so long."""
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

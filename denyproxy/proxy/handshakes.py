"""TLS handshakes of clients: as many as there may be connections, and bounded in time.

asyncio's own TLS servers tell nobody of a connection before its handshake has succeeded.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import cast

from denyproxy.proxy.server import RelayServer


class TlsServer:
    """The protocol factory of `loop.create_server` for clients that speak TLS. Create it inside a running loop."""

    def __init__(self, server: RelayServer, context: ssl.SSLContext, *, most: int, seconds: float) -> None:
        """`most`: handshakes at once; for one more, the oldest is ended."""
        self.server = server
        self.context = context
        self.seconds = seconds
        self.loop = asyncio.get_running_loop()
        self.handshakes: dict[Handshake, None] = {}
        """Those under way, the oldest first."""
        self._most = most

    def __call__(self) -> Handshake:
        """A connection."""
        return Handshake(self)

    def begun(self, handshake: Handshake) -> None:
        """A client has come."""
        self.handshakes[handshake] = None
        if len(self.handshakes) > self._most:
            next(iter(self.handshakes)).abort()

    def ended(self, handshake: Handshake) -> None:
        """Its handshake has succeeded or failed."""
        self.handshakes.pop(handshake, None)

    def close(self) -> None:
        """End those that are under way."""
        for handshake in list(self.handshakes):
            handshake.abort()


class Handshake(asyncio.Protocol):
    """A client's connection until its handshake is over.

    It is plain for asyncio only until it is there: then its socket is handed to a connection that speaks TLS."""

    __slots__ = ("_server", "_task")

    def __init__(self, server: TlsServer) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        plain = cast(asyncio.Transport, transport)
        try:
            sock = socket.socket(fileno=os.dup(plain.get_extra_info("socket").fileno()))
        except OSError:  # no descriptor left
            return
        finally:
            plain.abort()  # nothing has been read
        self._task = self._server.loop.create_task(self._shake(sock))
        self._task.add_done_callback(lambda task: sock.close() if task.cancelled() else None)
        self._server.begun(self)

    async def _shake(self, sock: socket.socket) -> None:
        server = self._server
        try:
            await server.loop.connect_accepted_socket(
                server.server, sock, ssl=server.context, ssl_handshake_timeout=server.seconds
            )
        except OSError:  # it failed, or took too long
            sock.close()
        finally:
            server.ended(self)

    def abort(self) -> None:
        """End it at once."""
        self._server.ended(self)
        if self._task is not None:
            self._task.cancel()

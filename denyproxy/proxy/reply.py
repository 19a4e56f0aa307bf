"""Writing a response to the client: the head as bytes of our own making, the body framed for this connection."""

from __future__ import annotations

import socket
import struct

from aiohttp import web
from aiohttp.http import HttpVersion11

from denyproxy.proxy.http1 import FieldLines, serialize_response

_BODILESS = frozenset({204, 304})
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, no time: closing sends RST, so that no client takes the end of the connection for the end of a body."""


class Sent(web.StreamResponse):
    """Tells aiohttp that the response has been written, and whether the connection goes on."""

    def __init__(self, keep_alive: bool) -> None:
        super().__init__()
        self._goes_on = keep_alive

    @property
    def keep_alive(self) -> bool:
        """May another request follow?"""
        return self._goes_on

    async def prepare(self, request: web.BaseRequest) -> None:
        """Everything is on its way."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything is on its way."""


_GOES_ON = Sent(keep_alive=True)
_ENDS = Sent(keep_alive=False)


class Reply:
    """One response on a client's connection."""

    def __init__(
        self,
        request: web.BaseRequest,
        status: int,
        reason: bytes,
        fields: FieldLines,
        *,
        keep_alive: bool,
        sized: bool = True,
        chunked: bool = False,
    ) -> None:
        """`fields` has the end-to-end fields only, plus Transfer-Encoding where the body came in chunks (`chunked`).

        `sized`: it has a Content-Length."""
        self._writer = request.writer
        self._request = request
        self.bodiless = request.method == "HEAD" or status in _BODILESS or status < 200
        self._chunk = False
        added: list[bytes] = []
        if not (sized or self.bodiless):
            if request.version >= HttpVersion11:
                self._chunk = True
                if not chunked:
                    added.append(b"Transfer-Encoding: chunked")
            else:
                keep_alive = False
        if not keep_alive:
            added.append(b"Connection: close")
        elif request.version < HttpVersion11:
            added.append(b"Connection: keep-alive")
        if added:
            fields = (*fields, *added)
        if chunked and not self._chunk:
            fields = [line for line in fields if not line.lower().startswith(b"transfer-encoding:")]
        self._head: bytes | None = serialize_response(status, reason, fields)
        self._keep_alive = keep_alive

    async def write(self, data: bytes) -> None:
        """Write a piece of the body, after the head if that is still to be written. Waits for a slow client."""
        if self._head is None:
            await self._writer.write(data)
            return
        head, self._head = self._head, None
        if not self._chunk:
            await self._writer.write(head + data)
            return
        await self._writer.write(head)
        self._writer.enable_chunking()
        if data:
            await self._writer.write(data)

    async def finish(self) -> Sent:
        """End the body."""
        if self._head is not None:
            await self.write(b"")
        if self._chunk:
            await self._writer.write_eof()
        elif self._request.protocol.writing_paused:
            await self._writer.drain()
        if self._keep_alive:
            return _GOES_ON
        self._half_close()
        return _ENDS

    def _half_close(self) -> None:
        """The client sees the end at once; what it still sends is read and dropped: no RST destroys the answer."""
        transport = self._request.transport
        if transport is not None and transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()


def break_off(request: web.BaseRequest) -> Sent:
    """End the connection so that the client sees a broken transfer, never a short success."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return _ENDS

"""Writing a response to the client: its head as it was received, its body framed for this connection."""

from __future__ import annotations

from denyproxy.proxy.client import ClientRequest
from denyproxy.proxy.framing import BODILESS, Data, chunk
from denyproxy.proxy.heads import FieldLines, name_of
from denyproxy.proxy.http1 import MadeResponse, ReceivedResponse


class Reply:
    """One response on a client's connection."""

    __slots__ = ("_chunk", "_connection", "_head", "_keep_alive", "bodiless")

    def __init__(
        self,
        request: ClientRequest,
        head: ReceivedResponse | MadeResponse,
        keep_alive: bool,
        framed: ReceivedResponse | None = None,
    ) -> None:
        """`framed`: whose body it is; None: our own, with a Content-Length. Raises ValueError where a line break would
        forge a field."""
        self._connection = request.connection
        status, http11 = head.status, request.head.http11
        sized = framed is None or framed.length is not None
        self.bodiless = request.head.method == "HEAD" or status in BODILESS
        self._chunk = http11 and not (sized or self.bodiless)
        self._keep_alive = keep_alive and (sized or self.bodiless or self._chunk)
        if http11 and self._keep_alive and not self._chunk:
            self._head = head.write()
        else:
            fields = self._for_this_connection(head.relayed, framed is not None and framed.chunked, http11)
            self._head = MadeResponse(status, head.reason, fields).write()

    def _for_this_connection(self, fields: FieldLines, chunked: bool, http11: bool) -> FieldLines:
        if chunked and not http11:
            fields = [line for line in fields if name_of(line) != b"transfer-encoding"]
        elif self._chunk and not chunked:
            fields = (*fields, b"Transfer-Encoding: chunked")
        if not self._keep_alive:
            return (*fields, b"Connection: close")
        return fields if http11 else (*fields, b"Connection: keep-alive")

    @property
    def full(self) -> bool:
        """Is the client slow?"""
        return self._connection.full

    @property
    def holds(self) -> bool:
        """Does something wait for it here?"""
        return self._connection.holds

    def write(self, data: Data) -> None:
        """Write a piece of the body, after the head if that is still to be written."""
        if self._chunk and data:
            data = chunk(data)
        if self._head:
            data, self._head = self._head + data, b""
        self._connection.write(data)

    async def drain(self) -> None:
        """Wait for a slow client."""
        if self._connection.full:
            await self._connection.drain()

    async def finish(self, data: bytes = b"") -> bool:
        """Write the rest of the body, and its end: may the connection go on?"""
        if self._chunk:
            data = (chunk(data) if data else b"") + chunk(b"")
        connection = self._connection
        if self._head or data:
            connection.write(self._head + data)
        if connection.full:
            await connection.drain()
        if not self._keep_alive:
            connection.half_close()
        return self._keep_alive

"""A request body on its way into a connection to an upstream."""

from __future__ import annotations

from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.connection import UpstreamConnection
from denyproxy.proxy.framing import Data, chunk


class _Upload:
    """The connection as a sink of a body."""

    __slots__ = ("_chunked", "_connection")

    def __init__(self, connection: UpstreamConnection, *, chunked: bool) -> None:
        self._connection = connection
        self._chunked = chunked

    @property
    def full(self) -> bool:
        """Is the upstream slow, or has it sent something that is to be read first?"""
        return self._connection.writing_paused or self._connection.unread

    @property
    def holds(self) -> bool:
        """Does something wait for it here?"""
        return self._connection.holds

    def write(self, data: Data) -> None:
        """Send a piece."""
        self._connection.write(chunk(data) if self._chunked else data)

    async def drain(self) -> None:
        """Wait until the upstream takes more, and read what has come of it."""
        await self._connection.drain()
        await self._connection.let_in()


async def upload_to(connection: UpstreamConnection, body: RequestBody, *, chunked: bool) -> bool:
    """Send a body. False: not all of it, so the connection is of no more use."""
    try:
        await body.pour(_Upload(connection, chunked=chunked))
        if chunked:
            connection.write(chunk(b""))
    except EOFError:
        connection.sent()
        return False  # answered without it
    except Exception as error:
        connection.fail(error)
        return False
    connection.sent()
    return True

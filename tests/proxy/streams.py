"""What the streams of request bodies that tests make up have in common."""

from __future__ import annotations

from denyproxy.proxy.bodies import ByteStream
from denyproxy.proxy.received import Sink


class OnlyRead:
    """A stream that is poured as it is read, and never here as a whole."""

    def ready(self) -> bytes:
        return b""

    async def pour(self: ByteStream, sink: Sink) -> None:
        while data := await self.read():
            sink.write(data)
            await sink.drain()

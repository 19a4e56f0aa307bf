"""HTTP as bytes: a client that writes them itself, and an upstream that is scripted to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from denyproxy.exchange import Answer, DeniedCall
from denyproxy.proxy.handler import Relay, RelayOptions
from denyproxy.proxy.modes import Passthrough, UpstreamMode
from denyproxy.proxy.pool import PoolUpstream
from denyproxy.proxy.server import RelayServer, ServerOptions
from denyproxy.proxy.upstream import Origin, Upstream, UpstreamOptions
from tests.proxy.session import SessionUpstream

PATIENCE = 20.0
"""Seconds after which a test that waits has failed; no test depends on how long anything takes."""

UPSTREAMS: dict[str, Callable[[UpstreamOptions], Upstream]] = {"pool": PoolUpstream, "session": SessionUpstream}
"""The product's upstream client, and the one on aiohttp's ClientSession that it is held against."""

upstream_client: ContextVar[str] = ContextVar("upstream_client", default="pool")
"""Which of them `relaying` uses."""

Fields = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Message:
    """A head, and the body if it was read."""

    first_line: bytes
    fields: Fields
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.first_line.split(b" ")[1])

    def all(self, name: bytes) -> list[bytes]:
        return [value for field_name, value in self.fields if field_name.lower() == name.lower()]

    def get(self, name: bytes) -> bytes | None:
        return next(iter(self.all(name)), None)


class BrokenTransfer(Exception):
    """The connection ended before the message did."""


@dataclass(slots=True)
class Wire:
    """One connection, seen from either end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():  # which uvloop tells by a RuntimeError
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Message:
        try:
            raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenTransfer(repr(error)) from None
        first, *lines = raw[:-4].split(b"\r\n")
        fields = [(name, value.strip(b" ")) for name, _, value in (line.partition(b":") for line in lines)]
        return Message(first, fields)

    async def exactly(self, size: int) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenTransfer(repr(error)) from None

    async def some(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(65536), PATIENCE)

    async def chunks(self) -> bytes:
        """The content of a chunked body."""
        body = b""
        while True:
            try:
                line = await asyncio.wait_for(self.reader.readuntil(b"\r\n"), PATIENCE)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise BrokenTransfer(repr(error)) from None
            size = int(line.split(b";")[0], 16)
            piece = await self.exactly(size + 2)
            if size == 0:
                return body
            body += piece[:-2]

    async def message(self, *, bodiless: bool = False) -> Message:
        """A head with the body that its framing promises."""
        message = await self.head()
        if bodiless:
            return message
        if b"chunked" in (message.get(b"transfer-encoding") or b""):
            message.body = await self.chunks()
        else:
            message.body = await self.exactly(int(message.get(b"content-length") or 0))
        return message

    async def ended(self) -> bytes:
        """Everything up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def delivered(self) -> None:
        """Wait until the peer's machine has all that was sent: a reset cannot overtake it any more."""
        sock = self.writer.get_extra_info("socket")
        while int.from_bytes(  # noqa: ASYNC110 - the kernel sets no Event
            fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder
        ):
            await asyncio.sleep(0)

    def reset(self) -> None:
        """End the connection with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


Script = Callable[[Wire], Awaitable[None]]


@contextlib.asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[int]:
    """A server that runs the script on every connection; gives its port. What the script raises fails the test."""
    failures: list[BaseException] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        wire = Wire(reader, writer)
        try:
            await script(wire)
        except (BrokenTransfer, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failures:
        raise failures[0]


@dataclass(slots=True)
class Explained:
    """A stand-in for the cold path: remembers the calls, gives one answer to all."""

    answer: Answer | None = field(default_factory=Answer)
    fails: BaseException | None = None
    calls: list[DeniedCall] = field(default_factory=list)

    def __call__(self, call: DeniedCall) -> Answer | None:
        self.calls.append(call)
        if self.fails is not None:
            raise self.fails
        return self.answer


@dataclass(slots=True)
class Proxy:
    """A running relay."""

    port: int
    relay: Relay
    server: RelayServer
    explained: Explained

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        wire = Wire(reader, writer)
        try:
            yield wire
        finally:
            await wire.close()

    async def ask(self, request: bytes, *, bodiless: bool = False) -> Message:
        """Send one request on a connection of its own."""
        async with self.connect() as wire:
            await wire.send(request)
            return await wire.message(bodiless=bodiless)


@contextlib.asynccontextmanager
async def relaying(
    modes: Sequence[UpstreamMode] | int,
    *,
    explained: Explained | None = None,
    options: RelayOptions | None = None,
    session: UpstreamOptions | None = None,
    server: ServerOptions | None = None,
) -> AsyncIterator[Proxy]:
    """A relay on loopback: to a port there, by passthrough, or with modes of its own."""
    if isinstance(modes, int):
        modes = [Passthrough(Origin("http", "127.0.0.1", modes))]
    explained = explained or Explained()
    client = UPSTREAMS[upstream_client.get()](session or UpstreamOptions())
    relay = Relay(modes, client, explained, options=options or RelayOptions())
    protocol = RelayServer(relay, server or ServerOptions())
    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield Proxy(listening.sockets[0].getsockname()[1], relay, protocol, explained)
    finally:
        listening.close()
        protocol.pre_shutdown()
        await protocol.shutdown(0.1)
        await client.close()


def answering(response: bytes, requests: list[Message] | None = None) -> Script:
    """A script: read whole requests, and answer each with the same bytes."""

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.message()
            if requests is not None:
                requests.append(request)
            await wire.send(response)

    return script


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ACCESS_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % len(ACCESS_DENIED)
) + ACCESS_DENIED

"""TLS handshakes: bounded in number and time, and over when they have failed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import trustme

from denyproxy.proxy.handler import Relay
from denyproxy.proxy.handshakes import TlsServer
from denyproxy.proxy.modes import Passthrough
from denyproxy.proxy.pool import PoolUpstream
from denyproxy.proxy.server import RelayServer, ServerOptions
from denyproxy.proxy.upstream import Origin, UpstreamOptions
from tests.proxy.test_stalled_clients import until
from tests.proxy.wire import OK, PATIENCE, Explained, Wire, answering, upstream

GET = b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(autouse=True)
def client() -> None:
    """The upstream client does not matter here."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@dataclass(slots=True)
class Listening:
    """A relay that speaks TLS."""

    port: int
    tls: TlsServer
    server: RelayServer
    trust: ssl.SSLContext

    @contextlib.asynccontextmanager
    async def connect(self, *, tls: bool = True) -> AsyncIterator[Wire]:
        context = self.trust if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        wire = Wire(reader, writer)
        try:
            yield wire
        finally:
            await wire.close()


@contextlib.asynccontextmanager
async def listening(authority: trustme.CA, *, most: int = 100, seconds: float = 60.0) -> AsyncIterator[Listening]:
    serving, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(trust)
    async with upstream(answering(OK)) as port:
        sender = PoolUpstream(UpstreamOptions())
        relay = Relay([Passthrough(Origin("http", "127.0.0.1", port))], sender, Explained())
        server = RelayServer(relay, ServerOptions())
        tls = TlsServer(server, serving, most=most, seconds=seconds)
        accepting = await asyncio.get_running_loop().create_server(tls, "127.0.0.1", 0)
        try:
            yield Listening(accepting.sockets[0].getsockname()[1], tls, server, trust)
        finally:
            accepting.close()
            tls.close()
            await server.shutdown(0.1)
            await sender.close()


async def test_requests_and_their_end(authority: trustme.CA) -> None:
    """One after another, and the connection is closed after the last."""
    async with listening(authority) as proxy, proxy.connect() as wire:
        for _ in range(3):
            await wire.send(GET)
            assert (await wire.message()).body == b"ok"
        assert ([each.remote for each in proxy.server.connections], len(proxy.tls.handshakes)) == (["127.0.0.1"], 0)
        await wire.send(CLOSING)
        assert (await wire.message()).body == b"ok"
        assert await wire.ended() == b""


async def test_a_request_that_comes_with_the_end_of_the_handshake(authority: trustme.CA) -> None:
    """In the same segment: it is not lost."""
    async with listening(authority) as proxy:
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = proxy.trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await asyncio.wait_for(reader.read(65536), PATIENCE))
            tls.write(GET)
            writer.write(outgoing.read())
            answer = b""
            while not answer.endswith(b"ok"):
                incoming.write(await asyncio.wait_for(reader.read(65536), PATIENCE))
                with contextlib.suppress(ssl.SSLWantReadError):
                    answer += tls.read()
            writer.close()
            await writer.wait_closed()


async def test_clients_that_begin_no_handshake_are_bounded(authority: trustme.CA) -> None:
    """The oldest makes room for the newest, and who speaks TLS is served."""
    async with listening(authority, most=3) as proxy, contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(proxy.connect(tls=False)) for _ in range(10)]
        for wire in silent[:7]:
            assert await wire.ended() == b""
        assert len(proxy.tls.handshakes) == 3
        async with proxy.connect() as wire:
            await wire.send(GET)
            assert (await wire.message()).body == b"ok"


async def test_a_handshake_that_does_not_end_is_ended(authority: trustme.CA) -> None:
    """After a while."""
    async with listening(authority, seconds=0.2) as proxy, proxy.connect(tls=False) as wire:
        await wire.send(b"\x16\x03\x01")
        with contextlib.suppress(ConnectionError):
            assert await wire.ended() == b""
        await until(lambda: not proxy.tls.handshakes)


async def test_a_handshake_that_fails_makes_room(authority: trustme.CA) -> None:
    """At once: by garbage, by a client that goes, or by one that trusts nobody."""
    async with listening(authority) as proxy:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b""):
            async with proxy.connect(tls=False) as wire:
                await wire.send(sent)
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", proxy.port, ssl=ssl.create_default_context())
        await until(lambda: not proxy.tls.handshakes)
        assert not proxy.server.connections

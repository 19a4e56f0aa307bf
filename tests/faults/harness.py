"""A relay under fire: an upstream whose bodies prove themselves, and a look at what is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.server import ServerOptions
from denyproxy.proxy.upstream import UpstreamOptions
from tests.proxy.wire import PATIENCE, Message, Proxy, Wire, relaying, upstream

KiB, MiB = 1 << 10, 1 << 20

_PATTERN = hashlib.sha512(b"denyproxy").digest() * (KiB + 1)


def content(size: int, offset: int = 0) -> bytes:
    """Bytes in which nothing can be lost, doubled or moved unseen."""
    blocks = range(offset // len(_PATTERN), (offset + size) // len(_PATTERN) + 1)
    data = b"".join(number.to_bytes(8, "big") + _PATTERN[8:] for number in blocks)
    start = offset - blocks[0] * len(_PATTERN)
    return data[start : start + size]


def get(size: int, *, fields: bytes = b"") -> bytes:
    return b"GET /b/%d HTTP/1.1\r\nHost: h\r\n%b\r\n" % (size, fields)


def put(body: bytes, *, fields: bytes = b"") -> bytes:
    return b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n" % (len(body), fields) + body


DENIED = b"GET /b/denied HTTP/1.1\r\nHost: h\r\n\r\n"

GOOD = [
    get(10),
    get(1000, fields=b"Range: bytes=0-9\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x\r\n"),
    put(content(500)),
    put(content(50), fields=b"Expect: 100-continue\r\n"),
    b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    b"POST /b?delete HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n<Delete/>",
    DENIED,
]
PARTS = [
    b"\r\n", b"\r", b"\n", b"\0", b" ", b":", b"\xff", b"\xe9", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: host\r\n", b"Expect: 100-continue\r\n",
    b"Host: other\r\n", b"HTTP/1.0", b"../", b"%00", b"?", b"#", b"\r\n\r\n", b"0\r\n\r\n", b"x" * 5000,
]  # fmt: skip


def mutated(random_: random.Random) -> bytes:
    """A request with some damage."""
    data = bytearray(random_.choice(GOOD))
    for _ in range(random_.choice((0, 1, 1, 2, 3, 5))):
        at = random_.randrange(len(data))
        match random_.randrange(6):
            case 0:
                data[at] = random_.randrange(256)
            case 1:
                data[at:at] = random_.choice(PARTS)
            case 2:
                del data[at : at + random_.randrange(1, 20)]
            case 3:
                data[at : at + 1] = random_.choice(PARTS)
            case 4:
                end = at + random_.randrange(1, 60)
                data[at:at] = data[at:end]
            case 5:
                data = data[:at] + bytearray(random_.choice(GOOD))
        if not data:
            return b"\r\n"
    return bytes(data)


async def store(wire: Wire) -> None:
    """An S3 of a sort: GET /b/N answers N bytes of content, PUT the SHA-256 of what came, /denied a 403."""
    while True:
        request = await wire.head()
        method, target, _ = request.first_line.split(b" ")
        if request.get(b"expect"):
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.get(b"transfer-encoding"):
            body = await wire.chunks()
        else:
            body = await wire.exactly(int(request.get(b"content-length") or 0))
        if target.endswith(b"/denied"):
            error = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            await wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(error), error))
            continue
        name = target.rpartition(b"/")[2]
        size = int(name) if method in (b"GET", b"HEAD") and name.isdigit() else 0
        digest = hashlib.sha256(body).hexdigest().encode()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nx-sha256: %b\r\n\r\n" % (size, digest))
        if method == b"GET":
            for offset in range(0, size, MiB):
                await wire.send(content(min(MiB, size - offset), offset))


async def check(wire: Wire, size: int = 100_000) -> None:
    """A download and an upload, neither altered."""
    await wire.send(get(size))
    assert hashlib.sha256((await wire.message()).body).digest() == hashlib.sha256(content(size)).digest()
    await wire.send(put(content(size)))
    answer = await wire.message()
    assert (answer.status, answer.get(b"x-sha256")) == (200, hashlib.sha256(content(size)).hexdigest().encode())


async def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for something that no event tells."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - nothing sets an Event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


def descriptors(pid: int | str = "self") -> int:
    """Open file descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int | str = "self") -> int:
    """Memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.asynccontextmanager
async def under_fire(
    script: Callable[[Wire], object] | None = None,
    *,
    options: RelayOptions | None = None,
    session: UpstreamOptions | None = None,
    server: ServerOptions | None = None,
) -> AsyncIterator[Proxy]:
    """A relay in front of `store`, or of a script for the first connection and `store` for the others.

    At the end it still serves, nothing is in flight, and no task, connection or descriptor is left."""
    first = script

    async def serve(wire: Wire) -> None:
        nonlocal first
        once, first = first, None
        await (once(wire) if once is not None else store(wire))  # type: ignore[misc]

    session = session or UpstreamOptions(keepalive_seconds=0.2)
    async with upstream(serve) as port, relaying(port, options=options, session=session, server=server) as proxy:
        before = descriptors()
        tasks = asyncio.all_tasks()
        yield proxy
        first = None
        async with proxy.connect() as wire:
            await check(wire)
        await until(lambda: not proxy.server.connections, "all client connections are closed")
        await until(lambda: proxy.relay.counters.in_flight == 0, "nothing is in flight")
        await until(lambda: not asyncio.all_tasks() - tasks, "all tasks have ended")
        await until(lambda: descriptors() <= before, "all descriptors are closed")


async def outcome(wire: Wire) -> Message | None:
    """What a client sees: a whole message, or None for a connection that ends or a transfer that breaks."""
    try:
        return await wire.message()
    except Exception as error:
        if isinstance(error, TimeoutError | AssertionError):
            raise
        return None

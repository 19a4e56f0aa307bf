"""A TCP tap in front of an S3 server or of denyproxy: it keeps what the client is answered, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.framing import CHUNKED, UNTIL_CLOSE, Framing
from tests.transparency.wire import Answer, answer

_ABSOLUTE = re.compile(rb"^([A-Z]+) http://[^/ ]*")


@dataclass(slots=True)
class _Request:
    method: str
    target: str
    host: str


@dataclass(slots=True)
class Tap:
    """Where clients connect. `port` of `upstream` may change between two runs; so the address stays the same."""

    port: int = 0
    upstream: int = 0
    origin_form: bool = True
    """Rewrite absolute-form targets, as a server wants them: then the tap is a proxy that only resolves names."""
    answers: list[Answer] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def take(self) -> list[Answer]:
        """What was answered since the last call, sorted: programs send some requests at once."""
        taken = list(self.answers)
        self.answers.clear()  # open connections keep their answers here too
        return sorted(taken, key=lambda it: (it.request, it.status, repr(it.body)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: deque[_Request] = deque()
        await relay(
            self.upstream,
            (reader, writer),
            Framing(_Requests(requests, self.origin_form)),
            Framing(_Responses(requests, self.answers)),
        )


class _Requests:
    def __init__(self, requests: deque[_Request], origin_form: bool) -> None:
        self._requests = requests
        self._origin_form = origin_form

    def head(self, raw: bytes) -> tuple[bytes, int]:
        method, target, fields = _head(raw)
        target = re.sub(r"^http://[^/]*", "", target)
        self._requests.append(_Request(method, target, _get(fields, "host")))
        return _ABSOLUTE.sub(rb"\1 ", raw) if self._origin_form else raw, _length(fields, 0)

    def body(self, data: bytes) -> None:
        pass

    def end(self) -> None:
        pass


class _Responses:
    def __init__(self, requests: deque[_Request], answers: list[Answer]) -> None:
        self._requests = requests
        self._answers = answers
        self._body = bytearray()
        self._interim = False

    def head(self, raw: bytes) -> tuple[bytes, int]:
        _, status, fields = _head(raw)
        code, _, self._reason = status.partition(" ")
        self._status, self._fields = int(code), fields
        self._interim = self._status < 200
        bodiless = self._interim or self._status in (204, 304) or self._requests[0].method == "HEAD"
        return raw, 0 if bodiless else _length(fields, UNTIL_CLOSE)

    def body(self, data: bytes) -> None:
        self._body += data

    def end(self) -> None:
        if self._interim:
            return
        request = self._requests.popleft()
        url = f"http://{request.host}{request.target}"
        self._answers.append(answer(request.method, url, self._status, self._reason, self._fields, bytes(self._body)))
        self._body.clear()


def _head(raw: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    """First word of the first line, the rest without the version, fields."""
    first, *lines = raw.decode("utf-8", "surrogateescape").split("\r\n")[:-2]
    word, _, rest = first.partition(" ")
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return word, rest.removesuffix(" HTTP/1.1"), fields


def _get(fields: list[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in fields if name.lower() == wanted), "")


def _length(fields: list[tuple[str, str]], otherwise: int) -> int:
    if "chunked" in _get(fields, "transfer-encoding").lower():
        return CHUNKED
    length = _get(fields, "content-length")
    return int(length) if length else otherwise


async def relay(
    port: int,
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    to_server: Framing | None = None,
    to_client: Framing | None = None,
) -> None:
    """Connect a client to a loopback port until either side ends."""
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: Framing | None) -> None:
        while data := await reader.read(1 << 18):
            writer.write(framing.feed(data) if framing is not None else data)
            await writer.drain()
        if framing is not None:
            framing.close()

    pumps = [
        asyncio.ensure_future(pump(client[0], server_writer, to_server)),
        asyncio.ensure_future(pump(server_reader, client[1], to_client)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for writer in (server_writer, client[1]):
            writer.close()
        for one in pumps:
            one.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


class Loop:
    """An event loop in a thread, for taps and TLS."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        async def settle() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @contextlib.contextmanager
    def tap(self) -> Iterator[Tap]:
        tap = Tap()
        server = self.run(asyncio.start_server(tap.serve, "127.0.0.1", 0))
        tap.port = server.sockets[0].getsockname()[1]
        try:
            yield tap
        finally:
            server.close()

    @contextlib.contextmanager
    def tls(self, context: ssl.SSLContext, port: int) -> Iterator[int]:
        """TLS in front of a plain port; gives the port of its own."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await relay(port, (reader, writer))

        server = self.run(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

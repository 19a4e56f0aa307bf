"""An `Upstream` on aiohttp's ClientSession, all that it mends switched off: the reference for the product's own."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterable
from typing import Any

import aiohttp
from aiohttp import ClientRequest, ClientResponse, hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.payload import Payload
from multidict import CIMultiDict
from yarl import URL

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.errors import CannotRelay, ProxyError, UpstreamTimeout, UpstreamUnreachable
from denyproxy.proxy.heads import NotHTTP
from denyproxy.proxy.http1 import parse_response
from denyproxy.proxy.upstream import ResponseBody, UpstreamLost, UpstreamOptions, UpstreamRequest, may_retry


class _Outgoing(Payload):
    """A request as an aiohttp payload: the one way past ClientSession, which would merge and reorder its fields.

    Writes the head before it asks for the first byte of the body."""

    def __init__(self, head: RequestHead, body: RequestBody | None, stall_seconds: float) -> None:
        super().__init__(body)
        self.head = head
        self.body = body
        self._stall_seconds = stall_seconds
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        assert self.body is not None
        self._at_rest.clear()
        try:
            writer.send_headers()
            incoming = _Incoming(writer)
            while data := await self.body.read():
                await incoming.let_in()
                async with asyncio.timeout(self._stall_seconds):
                    await writer.write(data)
        finally:
            self._at_rest.set()

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a streamed body has no text")

    async def at_rest(self) -> None:
        """Wait until nobody reads the client's body on behalf of this request."""
        await self._at_rest.wait()


class _Incoming:
    """Has the upstream sent something already?

    A server that refuses an upload and closes resets the connection; asyncio's next write would then end it, and with
    it the refusal that waits unread in the socket. So what is there is read before more is written."""

    def __init__(self, writer: AbstractStreamWriter) -> None:
        transport: asyncio.Transport | None = getattr(writer, "transport", None)
        self._poll = select.poll()
        self._transport = transport
        if transport is not None and not transport.is_closing():
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    async def let_in(self) -> None:
        """Give the loop a turn to read, if there is something to read."""
        if self._transport is not None and not self._transport.is_closing() and self._poll.poll(0):
            for _ in range(2):  # the loop polls in the first turn, and reads in the second
                await asyncio.sleep(0)


class _VerbatimRequest(ClientRequest):
    """A request whose header fields are written as given: order, case, Host and framing included."""

    continue_seconds = 1.0

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        self._skip_auto_headers = CIMultiDict({hdrs.CONTENT_TYPE: None})

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """`body` is an _Outgoing, also where there is no body."""
        self.headers = CIMultiDict(body.head.headers)
        self._body = body if body.body is not None else None
        self.chunked = True if hdrs.TRANSFER_ENCODING in self.headers else None

    def update_transfer_encoding(self) -> None:
        """The field is there already."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Wait for 100 Continue only so long: a server that ignores Expect waits for the body."""
        if self._continue is not None:
            try:
                writer.send_headers()
                await writer.drain()
                await asyncio.wait((self._continue,), timeout=self.continue_seconds)
            except BaseException:
                conn.close()
                raise
            self._continue = None
        await super().write_bytes(writer, conn, content_length)


class SessionResponse(ResponseBody):
    """A response of a ClientSession."""

    def __init__(self, response: ClientResponse, outgoing: _Outgoing) -> None:
        self._response = response
        self._outgoing = outgoing
        self._protocol = response.connection.protocol if response.connection is not None else None
        lines = [b"%b: %b" % field for field in response.raw_headers]
        reason = (response.reason or "").encode("utf-8", "surrogateescape")
        self.head = parse_response(b"\r\n".join([b"HTTP/1.1 %d %b" % (response.status, reason), *lines]))
        self._delimited = self.head.chunked or self.head.length is not None

    @property
    def body(self) -> SessionResponse:
        """It is its own body."""
        return self

    @property
    def ended(self) -> bool:
        """Has all of the body been read?"""
        return self._delimited and self._response.content.at_eof()

    def ready(self) -> bytes:
        """What is here already."""
        content = self._response.content
        return b"" if content.exception() is not None else content.read_nowait()

    async def read(self) -> bytes:
        """The next bytes of the body; empty at the end."""
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise UpstreamLost(type(error).__name__) from error
        if not data and not self._delimited and self._protocol is not None:
            # The end of the connection is the end of such a body, unless it was a reset.
            ended_by = self._protocol.exception()
            if ended_by is not None and not isinstance(ended_by, aiohttp.ServerDisconnectedError):
                raise UpstreamLost(type(ended_by).__name__)
        return data

    async def close(self) -> None:
        """Release or end the connection, then wait until the request body is at rest."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
        await self._outgoing.at_rest()


class SessionUpstream:
    """An `Upstream` on aiohttp's ClientSession. Create it inside a running loop."""

    def __init__(self, options: UpstreamOptions) -> None:
        self._options = options
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=options.connections,
                keepalive_timeout=options.keepalive_seconds,
                ssl=options.tls if options.tls is not None else True,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=options.connect_seconds,
                sock_connect=options.connect_seconds,
                sock_read=options.idle_seconds,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=type("_Request", (_VerbatimRequest,), {"continue_seconds": options.continue_seconds}),
            auto_decompress=False,
            trust_env=False,
            requote_redirect_url=False,
            max_line_size=options.head_bytes,
            max_field_size=options.head_bytes,
            max_headers=1000,
        )
        # aiohttp would also retry conditional writes.
        self._session._retry_connection = False

    async def send(self, request: UpstreamRequest) -> SessionResponse:
        """Send a request; see `Upstream.send`."""
        _check_relayable(request.text)
        outgoing = _Outgoing(request.text, request.body, self._options.idle_seconds)
        try:
            try:
                response = await self._attempt(request, outgoing)
            except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not may_retry(request):
                    raise
                response = await self._attempt(request, outgoing)
            return SessionResponse(response, outgoing)
        except BaseException as error:
            await outgoing.at_rest()
            if request.body is not None and request.body.error is not None:
                raise request.body.error from error
            translated = _translate(error, request)
            if translated is None:
                raise
            raise translated from error

    async def _attempt(self, request: UpstreamRequest, outgoing: _Outgoing) -> ClientResponse:
        origin, head = request.origin, request.text
        # The whole target goes in as the path, so that neither `?` alone nor `#` is lost.
        url = URL.build(scheme=origin.scheme, host=origin.host, port=origin.port, path=head.target, encoded=True)
        return await self._session.request(head.method, url, data=outgoing, allow_redirects=False)

    async def close(self) -> None:
        """End all connections, also those of uploads that an upstream does not take."""
        assert self._session.connector is not None
        for protocol in list(self._session.connector._acquired):
            protocol.abort()
        await self._session.close()


def _check_relayable(head: RequestHead) -> None:
    """aiohttp's writer drops bytes that are not UTF-8 without a word, so they are refused here."""
    if not _is_text(head.target):
        raise CannotRelay("The request target has bytes that are not UTF-8, which denyproxy cannot pass on.")
    for name, value in head.headers:
        if not (_is_text(name) and _is_text(value)):
            raise CannotRelay(f"Header field {name!a} has bytes that are not UTF-8, which denyproxy cannot pass on.")


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _translate(error: BaseException, request: UpstreamRequest) -> ProxyError | None:
    origin = request.origin
    match error:
        case aiohttp.ServerTimeoutError() if isinstance(error, aiohttp.ConnectionTimeoutError):
            return UpstreamTimeout(f"denyproxy could not connect to the upstream {origin} in time.")
        case TimeoutError():
            return UpstreamTimeout(f"The upstream {origin} did not answer in time.")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return UpstreamUnreachable(f"denyproxy could not set up TLS with the upstream {origin}: {error}")
        case aiohttp.ClientConnectorError():
            return UpstreamUnreachable(f"denyproxy could not reach the upstream {origin}: {error.os_error.strerror}.")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return UpstreamUnreachable(f"The upstream {origin} closed the connection without an answer.")
        case aiohttp.ClientResponseError() | NotHTTP():
            return UpstreamUnreachable(f"The upstream {origin} did not answer in HTTP that denyproxy understands.")
        case aiohttp.ClientError():
            return UpstreamUnreachable(f"The exchange with the upstream {origin} failed ({type(error).__name__}).")
        case ValueError():
            return CannotRelay("The request has header fields that denyproxy cannot pass on.")
    return None

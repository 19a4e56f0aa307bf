"""The listening side: aiohttp's low-level server, with S3-style errors for requests that it cannot parse."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from denyproxy.proxy.denials import new_id
from denyproxy.proxy.errors import CannotRelay, error_response
from denyproxy.proxy.handler import Relay, trace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Bounds of the listening side. Sizes in bytes, times in seconds."""

    line_bytes: int = 64 * 1024
    field_bytes: int = 32 * 1024
    fields: int = 256
    keepalive_seconds: float = 75.0
    """Also the time that a client has for its first request head."""
    linger_seconds: float = 30.0
    """How long the rest of a refused upload is read and dropped, so that the client gets to read the refusal."""


class _Connection(RequestHandler):
    """A client's connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """An S3-style error. aiohttp's own would log and send back pieces of what the client sent."""
        log.info("a request could not be parsed (%s)", trace(exc) if exc is not None else status)
        if request.writer.output_size > 0:
            raise ConnectionError("a response has begun")
        error = CannotRelay("denyproxy could not parse this request: it is malformed, or its head is too large.")
        head, body = error_response(error, request_id=new_id(), resource="")
        response = web.Response(status=head.status, body=body, headers=head.headers)
        response.force_close()
        return response


class RelayServer(web.Server):
    """Makes a connection for each client; hand it to `loop.create_server`, or to aiohttp's ServerRunner."""

    def __init__(self, relay: Relay, options: ServerOptions = ServerOptions()) -> None:
        super().__init__(
            relay.handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=options.line_bytes,
            max_field_size=options.field_bytes,
            max_headers=options.fields,
            keepalive_timeout=options.keepalive_seconds,
            lingering_time=options.linger_seconds,
        )

    def __call__(self) -> RequestHandler:
        """A connection, as asyncio's protocol factory."""
        return _Connection(self, loop=self._loop, **self._kwargs)

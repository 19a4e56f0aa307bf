"""The relay's straight line: head, mode, upstream, denial or not, bytes back."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import hdrs, web

from denyproxy.exchange import Answer, Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.proxy.bodies import RequestBody, what_to_keep
from denyproxy.proxy.denials import (
    Answering,
    apply_answer,
    carries_denials,
    is_denial,
    may_carry_denials,
    new_id,
    read_bounded,
)
from denyproxy.proxy.errors import Busy, CannotRelay, InternalError, ProxyError, UpstreamUnreachable, error_response
from denyproxy.proxy.heads import decode_headers, relayed_request
from denyproxy.proxy.http1 import FieldLines, ReceivedHead, field_lines, header_fields
from denyproxy.proxy.modes import UpstreamMode, choose, origin_form
from denyproxy.proxy.reply import Reply, Sent, break_off
from denyproxy.proxy.upstream import Upstream, UpstreamLost, UpstreamRequest, UpstreamResponse

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Bounds of the relay. Sizes in bytes, times in seconds."""

    request_body_bytes: int = 256 * 1024
    """Longest request body of which a copy is kept: DeleteObjects of a thousand keys."""
    error_body_bytes: int = 64 * 1024
    delete_result_bytes: int = 1024 * 1024
    header_bytes: int = 1024
    """Longest value of a header field that is added."""
    client_idle_seconds: float = 120.0
    connections: int = 1000


@dataclass(slots=True)
class Counters:
    """What has happened since the start."""

    requests: int = 0
    denials: int = 0
    errors: int = 0
    """Responses that denyproxy made itself."""
    broken: int = 0
    """Transfers that the upstream broke off."""
    in_flight: int = 0


class Relay:
    """Handles one request after another; holds no state of any of them."""

    def __init__(
        self,
        modes: Sequence[UpstreamMode],
        upstream: Upstream,
        answer: Answering,
        *,
        options: RelayOptions = RelayOptions(),
        declared: Declared = Declared(),  # noqa: B008 - frozen
    ) -> None:
        self._modes = modes
        self._upstream = upstream
        self._answer = answer
        self._options = options
        self._declared = declared
        self.counters = Counters()
        self.closing = False
        """Set while draining: every response ends its connection."""
        self.idle = asyncio.Event()
        """Is nothing in flight?"""
        self.idle.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Relay one request; the callable for `web.Server`."""
        self.counters.requests += 1
        self.counters.in_flight += 1
        self.idle.clear()
        try:
            return await self._relay(request)
        except ProxyError as error:
            return await self._reply_with(request, error)
        except UpstreamLost as error:
            log.warning("the upstream broke off in the middle of a response (%s)", error)
            self.counters.broken += 1
            return break_off(request)
        except ConnectionError:
            return break_off(request)
        except Exception as exception:
            log.error("relaying failed: %s", trace(exception))
            if request.writer.output_size:
                return break_off(request)
            return await self._reply_with(request, InternalError("denyproxy failed to relay this request."))
        finally:
            self.counters.in_flight -= 1
            if not self.counters.in_flight:
                self.idle.set()

    async def _relay(self, request: web.BaseRequest) -> Sent:
        if self.counters.in_flight > self._options.connections:
            raise Busy("denyproxy relays as many requests as it may at once; please try again.")
        if hdrs.HOST not in request.headers:
            raise CannotRelay("The request has no Host header, so S3 cannot tell what it was signed for.")
        chunked = "chunked" in request.headers.get(hdrs.TRANSFER_ENCODING, "").lower()
        head = relayed_request(request.method, request.raw_path, request.raw_headers, chunked=chunked)
        mode = choose(self._modes, head)
        body = None
        if request.body_exists or hdrs.EXPECT in request.headers:
            body = await self._body(request, head)
        outgoing = await mode.prepare(head, body)
        response = await self._upstream.send(outgoing)
        try:
            if body is not None and not body.complete and response.head.status >= 300:
                body.close()
            return await self._respond(request, mode, outgoing, response)
        finally:
            await response.close()

    async def _body(self, request: web.BaseRequest, head: RequestHead) -> RequestBody | None:
        expect = request.headers.get(hdrs.EXPECT)
        if expect is not None and expect.lower() != "100-continue":
            raise CannotRelay("S3 knows no expectation but 100-continue.", status=417, code="ExpectationFailed")

        async def send_continue() -> None:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

        if not request.body_exists:
            if expect is not None:
                await send_continue()
            return None
        return RequestBody(
            request.content,
            keep=what_to_keep(head, self._options.request_body_bytes),
            idle_seconds=self._options.client_idle_seconds,
            on_start=send_continue if expect is not None else None,
        )

    async def _respond(
        self, request: web.BaseRequest, mode: UpstreamMode, outgoing: UpstreamRequest, response: UpstreamResponse
    ) -> Sent:
        seen = response.head
        fields: FieldLines = seen.relayed
        start = b""
        denied = is_denial(seen.status)
        if denied or (request.method == "POST" and may_carry_denials(outgoing.head, seen.status)):
            limit = self._options.error_body_bytes if denied else self._options.delete_result_bytes
            start, whole = (b"", True) if request.method == "HEAD" else await read_bounded(response, limit)
            if denied or (whole and carries_denials(start)):
                call = self._denied_call(request, mode, outgoing, seen, start if whole else None)
                replaceable = start if whole and request.method != "HEAD" else None
                fields, changed = self._explain(call, fields, replaceable)
                start = start if changed is None else changed
        try:
            keep_alive = self._goes_on(request, outgoing.body)
            reply = Reply(
                request,
                seen.status,
                seen.reason,
                fields,
                keep_alive=keep_alive,
                sized=seen.length is not None,
                chunked=seen.chunked,
            )
        except ValueError as error:
            raise UpstreamUnreachable(f"The upstream {outgoing.origin} sent a response with {error}.") from None
        if not reply.bodiless:
            await reply.write(start or response.ready())
            while not response.ended and (data := await response.read()):
                await reply.write(data)
        return await reply.finish()

    def _denied_call(
        self,
        request: web.BaseRequest,
        mode: UpstreamMode,
        outgoing: UpstreamRequest,
        response: ReceivedHead,
        response_body: bytes | None,
    ) -> DeniedCall:
        reason = response.reason.decode("utf-8", "surrogateescape")
        return DeniedCall(
            id=new_id(),
            request=RequestHead(request.method, origin_form(request.raw_path), decode_headers(request.raw_headers)),
            upstream_request=outgoing.head,
            response=ResponseHead(response.status, reason, header_fields(response.fields)),
            received=datetime.now(UTC),
            body=outgoing.body.kept if outgoing.body is not None else None,
            response_body=response_body,
            secure=outgoing.origin.secure,
            client_address=request.remote,
            mode=mode.name,
            upstream_kind=outgoing.origin.kind,
            declared=self._declared,
        )

    def _explain(self, call: DeniedCall, fields: FieldLines, body: bytes | None) -> tuple[FieldLines, bytes | None]:
        """Header fields and body that go out: explained; untouched if none was denied; with the id if that fails."""
        bound = self._options.header_bytes
        try:
            answer = self._answer(call)
            if answer is None:
                return fields, body
            changed = apply_answer(answer, call.id, fields, body, header_bytes=bound)
        except Exception as exception:
            log.error("explaining %s failed: %s", call.id, trace(exception))
            changed = apply_answer(Answer(), call.id, fields, body, header_bytes=bound)
        self.counters.denials += 1
        return changed

    def _goes_on(self, request: web.BaseRequest, body: RequestBody | None) -> bool:
        """May the connection be kept? Not with unread bytes in it, nor after a final reply that no 100 came before:
        botocore would take the rest of this exchange for the next one."""
        if self.closing or not request.keep_alive:
            return False
        return body is None or (body.complete and not body.awaits_continue)

    async def _reply_with(self, request: web.BaseRequest, error: ProxyError) -> Sent:
        """Answer with an error of our own."""
        self.counters.errors += 1
        level = logging.WARNING if error.status >= 500 else logging.INFO
        log.log(level, "%d %s: %s", error.status, error.code, error.message)
        resource = origin_form(request.raw_path).partition("?")[0]
        head, body = error_response(error, request_id=new_id(), resource=resource)
        unread = request.body_exists and not request.content.is_eof()
        expecting = request.headers.get("Expect") is not None
        keep_alive = self._goes_on(request, None) and not unread and not expecting
        reply = Reply(request, head.status, head.reason.encode(), field_lines(head.headers), keep_alive=keep_alive)
        try:
            await reply.write(b"" if reply.bodiless else body)
            return await reply.finish()
        except ConnectionError:
            return break_off(request)


def trace(exception: BaseException) -> str:
    """Where an exception came from, without its message: that may quote what a client sent."""
    frames = traceback.extract_tb(exception.__traceback__)
    return f"{type(exception).__name__} at " + " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-4:])

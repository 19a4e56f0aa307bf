"""The relay's straight line: head, mode, upstream, denial or not, bytes back."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from denyproxy.exchange import Answer, Declared, DeniedCall
from denyproxy.proxy.bodies import RequestBody, what_to_keep
from denyproxy.proxy.client import ClientConnection, ClientRequest
from denyproxy.proxy.denials import (
    Answering,
    apply_answer,
    carries_denials,
    denied_call,
    is_denial,
    may_carry_denials,
    new_id,
    read_bounded,
    refused_call,
)
from denyproxy.proxy.errors import Busy, CannotRelay, InternalError, ProxyError, Refused, error_response
from denyproxy.proxy.heads import FieldLines, field_lines
from denyproxy.proxy.http1 import MadeResponse, ReceivedResponse, parse_request
from denyproxy.proxy.late_errors import WatchedBody, begins_error, may_end_in_error
from denyproxy.proxy.modes import UpstreamMode, choose, origin_form
from denyproxy.proxy.reply import Reply
from denyproxy.proxy.upstream import ResponseBody, Upstream, UpstreamLost, UpstreamRequest, UpstreamResponse

log = logging.getLogger(__name__)

_FAIL_INSIDE = frozenset({"POST", "PUT"})
"""Methods of the calls whose success may carry denials in its body."""


_UNREAD = parse_request(b"GET / HTTP/1.1")
"""In the place of what was not read."""


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
        self._idle: asyncio.Event | None = None

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        if self.counters.in_flight:
            self._idle = asyncio.Event()
            await self._idle.wait()

    async def handle(self, request: ClientRequest) -> bool:
        """Relay one request: may its connection go on?"""
        counters = self.counters
        counters.requests += 1
        counters.in_flight += 1
        try:
            return await self._relay(request)
        except ProxyError as error:
            return await self._reply_with(request, error)
        except UpstreamLost as error:
            log.warning("the upstream broke off in the middle of a response (%s)", error)
            counters.broken += 1
        except ConnectionError:
            pass
        except Exception as exception:
            log.error("relaying failed: %s", trace(exception))
            if not request.connection.written:
                return await self._reply_with(request, InternalError("denyproxy failed to relay this request."))
        finally:
            counters.in_flight -= 1
            if self._idle is not None and not counters.in_flight:
                self._idle.set()
        request.connection.break_off()
        return False

    async def refuse(self, connection: ClientConnection) -> None:
        """Answer what is no request, or one that can be read in two ways."""
        log.info("a request could not be parsed")
        request = ClientRequest(connection, _UNREAD, None)
        message = "denyproxy could not parse this request: it is malformed, or its head is too large."
        await self._reply_with(request, CannotRelay(message), keep_alive=False)

    async def turn_away(self, connection: ClientConnection) -> None:
        """Answer a client for which there is no room."""
        request = ClientRequest(connection, _UNREAD, None)
        message = "denyproxy has as many connections as it may have; please try again."
        await self._reply_with(request, Busy(message), keep_alive=False)

    async def _relay(self, request: ClientRequest) -> bool:
        head = request.head
        if self.counters.in_flight > self._options.connections:
            raise Busy("denyproxy relays as many requests as it may at once; please try again.")
        if not head.names.hosts and head.method != "CONNECT":  # which many clients send without
            raise CannotRelay("The request has no Host header, so S3 cannot tell what it was signed for.")
        mode = choose(self._modes, head)
        body = None
        if request.body is not None or head.expects_continue:
            body = self._body(request)
        outgoing = await mode.prepare(head, body)
        response = await self._upstream.send(outgoing)
        start = b""
        if response.head.status in mode.reroutes:
            outgoing, response, start = await self._rerouted(mode, outgoing, response)
        try:
            if body is not None and not body.complete and response.head.status >= 300:
                body.close()
            return await self._respond(request, mode, outgoing, response, start)
        finally:
            await response.close()

    async def _rerouted(
        self, mode: UpstreamMode, outgoing: UpstreamRequest, response: UpstreamResponse
    ) -> tuple[UpstreamRequest, UpstreamResponse, bytes]:
        """Go where the upstream sends a request: what was sent last, its response, and what was read of the body."""
        while response.head.status in mode.reroutes:
            try:
                start, _ = await read_bounded(response.body, self._options.error_body_bytes)
                again = await mode.reroute(outgoing, response.head, start)
            except BaseException:
                await response.close()
                raise
            if again is None:
                return outgoing, response, start
            await response.close()
            outgoing = again
            response = await self._upstream.send(outgoing)
        return outgoing, response, b""

    def _body(self, request: ClientRequest) -> RequestBody | None:
        def send_continue() -> None:
            request.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.connection.written = False  # nothing of the final response

        if request.body is None:
            send_continue()
            return None
        return RequestBody(
            request.body,
            keep=what_to_keep(request.head, self._options.request_body_bytes),
            idle_seconds=self._options.client_idle_seconds,
            on_start=send_continue if request.head.expects_continue else None,
        )

    async def _respond(
        self,
        request: ClientRequest,
        mode: UpstreamMode,
        outgoing: UpstreamRequest,
        response: UpstreamResponse,
        start: bytes = b"",
    ) -> bool:
        """`start`: what has been read of the body."""
        seen = response.head
        head: ReceivedResponse | MadeResponse = seen
        body: ResponseBody = response.body
        if is_denial(seen.status) or request.head.method in _FAIL_INSIDE:
            head, start, body = await self._looked_into(request, mode, outgoing, response, start)
        reply = Reply(request, head, self._goes_on(request, outgoing.body), seen)
        if reply.bodiless:
            return await reply.finish()
        start = start or body.ready()
        if body.ended:
            return await reply.finish(start)
        reply.write(start)
        await body.pour(reply)
        return await reply.finish()

    async def _looked_into(
        self,
        request: ClientRequest,
        mode: UpstreamMode,
        outgoing: UpstreamRequest,
        response: UpstreamResponse,
        start: bytes,
    ) -> tuple[ReceivedResponse | MadeResponse, bytes, ResponseBody]:
        """Head, start and rest of a response that may be a denial, or carry some."""
        seen = response.head
        head: ReceivedResponse | MadeResponse = seen
        body = response.body
        bodiless = request.head.method == "HEAD"
        denied = is_denial(seen.status)
        late = may_end_in_error(request.head, seen.status)
        if late:
            start = body.ready()
        at_once = late and begins_error(start)
        if denied or at_once or (request.head.method == "POST" and may_carry_denials(outgoing.text, seen.status)):
            limit = self._options.error_body_bytes if denied or late else self._options.delete_result_bytes
            start, whole = (b"", True) if bodiless else await read_bounded(body, limit, start)
            if denied or (whole and carries_denials(start)):
                call = denied_call(request, mode, outgoing, seen, start if whole else None, self._declared)
                fields, changed = self._explain(call, seen.relayed, start if whole and not bodiless else None)
                head = MadeResponse(seen.status, seen.reason, fields)
                start = start if changed is None else changed
        elif late:

            def explain(document: bytes) -> bytes:
                call = denied_call(request, mode, outgoing, seen, document, self._declared)
                _, changed = self._explain(call, (), document if seen.length is None else None)
                return document if changed is None else changed

            body = WatchedBody(body, self._options.error_body_bytes, explain)
            start = body.feed(start)
        return head, start, body

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

    def _goes_on(self, request: ClientRequest, body: RequestBody | None) -> bool:
        """May the connection be kept? Not with unread bytes in it, nor after a final reply that no 100 came before:
        botocore would take the rest of this exchange for the next one."""
        if self.closing or not request.head.keep_alive:
            return False
        return body is None or (body.complete and not body.awaits_continue)

    async def _reply_with(self, request: ClientRequest, error: ProxyError, *, keep_alive: bool = True) -> bool:
        """Answer with an error of our own."""
        self.counters.errors += 1
        level = logging.WARNING if error.status >= 500 else logging.INFO
        log.log(level, "%d %s: %s", error.status, error.code, error.message)
        resource = origin_form(request.head.target).partition("?")[0]
        head, body = error_response(error, request_id=new_id(), resource=resource)
        fields = field_lines(head.headers)
        if isinstance(error, Refused) and error.status == 403:
            fields, explained = self._explain(refused_call(request, error, head, body, self._declared), fields, body)
            body = explained or body
        unread = request.body is not None and not request.body.complete
        keep_alive = keep_alive and self._goes_on(request, None) and not unread and not request.head.expects_continue
        made = MadeResponse(head.status, head.reason.encode(), fields)
        reply = Reply(request, made, keep_alive)
        try:
            return await reply.finish(b"" if reply.bodiless else body)
        except ConnectionError:
            request.connection.break_off()
            return False


def trace(exception: BaseException) -> str:
    """Where an exception came from, without its message: that may quote what a client sent."""
    frames = traceback.extract_tb(exception.__traceback__)
    return f"{type(exception).__name__} at " + " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-4:])

"""From a denied exchange to a DeniedCall, and from an Answer to the response that goes out."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from denyproxy.exchange import Answer, Declared, DeniedCall, OwnRefusal, RequestHead, ResponseHead
from denyproxy.proxy.client import ClientRequest
from denyproxy.proxy.errors import Refused
from denyproxy.proxy.heads import OWN_PREFIX, FieldLines, field_lines, header_fields, name_of
from denyproxy.proxy.http1 import ReceivedResponse
from denyproxy.proxy.modes import UpstreamMode, origin_form
from denyproxy.proxy.upstream import ResponseBody, UpstreamRequest

ID_HEADER = "X-Deny-Explanation-Id"

Answering = Callable[[DeniedCall], Answer | None]
"""What `app` hands in: synchronous; may raise. None: nothing was denied after all."""

_BASE32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def new_id() -> str:
    """16 characters that sort by time: 48 bits of milliseconds and 32 random ones, in Crockford's base 32."""
    raw = int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(4)
    return base64.b32encode(raw).translate(_BASE32).decode()


def denied_call(
    request: ClientRequest,
    mode: UpstreamMode,
    outgoing: UpstreamRequest,
    response: ReceivedResponse,
    response_body: bytes | None,
    declared: Declared,
) -> DeniedCall:
    """What there is to explain. `response_body`: None if it is not here as a whole."""
    head = request.head
    reason = response.reason.decode("utf-8", "surrogateescape")
    return DeniedCall(
        id=new_id(),
        request=RequestHead(head.method, origin_form(head.target), header_fields(head.fields)),
        upstream_request=outgoing.text,
        response=ResponseHead(response.status, reason, header_fields(response.fields)),
        received=datetime.now(UTC),
        body=outgoing.body.kept if outgoing.body is not None else None,
        response_body=response_body,
        secure=outgoing.origin.secure,
        client_address=request.connection.remote,
        mode=mode.name,
        resigned=outgoing.resigned,
        upstream_kind=outgoing.origin.kind,
        declared=declared,
    )


def refused_call(
    request: ClientRequest, error: Refused, head: ResponseHead, body: bytes, declared: Declared
) -> DeniedCall:
    """A call that denyproxy refuses itself, with this response."""
    target = origin_form(request.head.target)
    sent = RequestHead(request.head.method, target, header_fields(request.head.fields))
    return DeniedCall(
        id=new_id(),
        request=sent,
        upstream_request=sent,
        response=head,
        received=datetime.now(UTC),
        body=error.body,
        response_body=body,
        client_address=request.connection.remote,
        mode="resign",
        refusal=OwnRefusal(error.element),
        declared=declared,
    )


def is_denial(status: int) -> bool:
    """Does the status say so?"""
    return status == 403


def may_carry_denials(request: RequestHead, status: int) -> bool:
    """A 200 of DeleteObjects names the keys that were denied in its body."""
    return (
        status == 200
        and request.method == "POST"
        and any(parameter.partition("=")[0] == "delete" for parameter in request.query_string.split("&"))
    )


def carries_denials(body: bytes) -> bool:
    """Does a DeleteResult have an Error, or is the document one?"""
    return b"<Error" in body


async def read_bounded(body: ResponseBody, limit: int, start: bytes = b"") -> tuple[bytes, bool]:
    """The first bytes of a body, and whether they are all of it. `start`: what has been read of it."""
    pieces, size = [start], len(start)
    while size <= limit and (data := await body.read()):
        pieces.append(data)
        size += len(data)
    return b"".join(pieces), size <= limit


def apply_answer(
    answer: Answer, call_id: str, fields: FieldLines, body: bytes | None, *, header_bytes: int
) -> tuple[FieldLines, bytes | None]:
    """Header fields and body that go out. `body` None: not here as a whole (or HEAD), so it cannot be replaced.

    An added field that is not one bounded line of printable ASCII under our own name is left out."""
    added = tuple(field for field in answer.headers if _is_safe(field, header_bytes))
    if not any(name.lower() == ID_HEADER.lower() for name, _ in added):
        added = (*added, (ID_HEADER, call_id))
    fields = (*fields, *field_lines(added))
    if body is not None and answer.body is not None:
        body = answer.body
        length = b"Content-Length: %d" % len(body)
        fields = [length if name_of(line) == b"content-length" else line for line in fields]
    return fields, body


def _is_safe(field: tuple[str, str], header_bytes: int) -> bool:
    name, value = field
    return (
        name.lower().startswith(OWN_PREFIX)
        and name.replace("-", "").isalnum()
        and name.isascii()
        and value.isascii()
        and value.isprintable()
        and len(value) <= header_bytes
    )

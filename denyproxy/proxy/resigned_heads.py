"""Heads for another upstream: signed again, or as they are but for their Host."""

from __future__ import annotations

from datetime import datetime

from denyproxy.exchange import HOP_BY_HOP, Headers, RequestHead
from denyproxy.proxy.aws_hosts import LONGEST_HOST
from denyproxy.proxy.endpoints import Endpoint
from denyproxy.proxy.heads import field_lines, request_line, unbroken, write_head
from denyproxy.proxy.http1 import ReceivedRequest, SignedRequest
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import request_start
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.fields import Fields
from denyproxy.sigv4.signing import SignedFields, SignedHead, sign, sign_fields
from denyproxy.sigv4.verified import Verified


def signed_again(
    request: ReceivedRequest,
    fields: Fields | None,
    verified: Verified,
    credentials: Credentials,
    target: str,
    endpoint: Endpoint,
    now: datetime,
) -> tuple[RequestHead | SignedRequest, SignedFields | SignedHead]:
    """The head signed again for an endpoint, and what the signatures of chunks go on from.

    `fields`: None if it was not signed in an Authorization field of Version 4. `target`: at the endpoint."""
    host = endpoint.host
    if fields is None:
        made = sign(
            request.head,
            credentials,
            region=endpoint.region,
            service=endpoint.service,
            now=now,
            payload=verified.payload,
            path_as_sent=verified.path_as_sent,
            target=target,
            host=host,
        )
        return made.head, made
    method, start, own_host = request.method, verified.start, _host_values[host]
    if target != request.target:
        unbroken(target.encode("utf-8", "surrogateescape"))
        start = request_start(method, target, path_as_sent=verified.path_as_sent)
    signed = sign_fields(start, fields, credentials, endpoint.region, endpoint.service, now, verified.payload, host)
    lines = signed.whole() if request.plain else None
    if lines is not None:
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n\r\n".encode("utf-8", "surrogateescape")
    else:
        kept = list(signed.plan.kept(request.relayed))
        for place in signed.plan.hosts:
            kept[place] = kept[place][: len("Host:")] + own_host
        head = write_head(request_line(method, target), (*kept, *field_lines(signed.added)))
    return SignedRequest(request, target, head), signed


def headers_for(host: str, headers: Headers) -> Headers:
    """Header fields for the upstream: its Host, in the place of the client's, and none of one connection alone."""
    return tuple([(name, host if kind else value) for name, value in headers if (kind := _kinds[name]) is not None])


def _is_host(name: str) -> bool | None:
    """None: the field stays behind."""
    lower = name.lower()
    return None if lower in HOP_BY_HOP else lower == "host"


_kinds = Remembered(_is_host)


def _host_value(host: str) -> bytes:
    return unbroken(b" " + host.encode())


_host_values = Remembered(_host_value, size=LONGEST_HOST + len(":65535"))

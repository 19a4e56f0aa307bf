"""Heads for another upstream: signed again, or as they are but for their Host."""

from __future__ import annotations

from datetime import datetime

from denyproxy.exchange import HOP_BY_HOP, Headers, RequestHead
from denyproxy.proxy.aws_hosts import LONGEST_HOST
from denyproxy.proxy.endpoints import Endpoint
from denyproxy.proxy.heads import request_line, unbroken
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
    host, region, service = endpoint.host, endpoint.region, endpoint.service
    payload, as_sent = verified.payload, verified.path_as_sent
    if fields is None:
        made = sign(
            request.head,
            credentials,
            region=region,
            service=service,
            now=now,
            payload=payload,
            path_as_sent=as_sent,
            target=target,
            host=host,
        )
        return made.head, made
    method, line, start = request.method, request.line, verified.start
    if target != request.target:
        line = unbroken(request_line(method, target))
        start = request_start(method, target, path_as_sent=as_sent)
    signed = sign_fields(start, fields, credentials, region, service, now, payload, host)
    lines = list(signed.plan.kept(request.relayed))
    for place in signed.plan.hosts:
        lines[place] = lines[place][: len("Host:")] + _host_values[host]
    head = b"\r\n".join((line, *lines, signed.write(), b"\r\n"))
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

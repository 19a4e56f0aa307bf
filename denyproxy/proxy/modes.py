"""Upstream modes: how a client's request becomes the one that S3 sees, chosen by the shape of the request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.errors import CannotRelay, HostNotAllowed
from denyproxy.proxy.hosts import AllowedHosts, is_aws_s3, place
from denyproxy.proxy.http1 import ReceivedRequest, ReceivedResponse
from denyproxy.proxy.upstream import Origin, UpstreamRequest

_ABSOLUTE = re.compile(r"(?i)(https?)://([^/?#]*)(.*)", re.DOTALL)

_NO_TUNNEL = (
    "denyproxy does not tunnel HTTPS (CONNECT), since it could not see the request. Give the client an http:// "
    "endpoint (with HTTP_PROXY set to denyproxy, which speaks TLS to S3), or set endpoint_url to denyproxy."
)


class UpstreamMode(Protocol):
    """One way to reach S3."""

    name: str
    reroutes: frozenset[int] = frozenset()
    """Statuses of responses on which `reroute` is asked."""

    def accepts(self, request: ReceivedRequest) -> bool:
        """Is a request of this shape (target as sent: origin-form or absolute-form) this mode's?"""

    async def prepare(self, request: ReceivedRequest, body: RequestBody | None) -> UpstreamRequest:
        """The request to send, from the client's with its hop-by-hop fields removed.

        Raises ProxyError where it must not or cannot be sent."""

    async def reroute(
        self, outgoing: UpstreamRequest, response: ReceivedResponse, error: bytes
    ) -> UpstreamRequest | None:
        """What to send instead, where the upstream answers that it belongs elsewhere. `error`: start of the body."""
        return None


class Passthrough(UpstreamMode):
    """One upstream that accepts any Host: Host and every signed byte are kept."""

    name = "passthrough"

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def accepts(self, request: ReceivedRequest) -> bool:
        """Every origin-form request."""
        return request.target.startswith("/")

    async def prepare(self, request: ReceivedRequest, body: RequestBody | None) -> UpstreamRequest:
        """The same request, sent to the upstream."""
        return UpstreamRequest(self.origin, request, body)


class Forward(UpstreamMode):
    """A plain-HTTP forward proxy: the client signs for the real host, denyproxy speaks TLS to it."""

    name = "forward"

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed

    def accepts(self, request: ReceivedRequest) -> bool:
        """Every absolute-form request, and an origin-form one whose Host is allowed."""
        if _ABSOLUTE.match(request.target):
            return True
        try:
            return place(request.head.header("Host") or "") in self._allowed
        except ValueError:
            return False

    async def prepare(self, request: ReceivedRequest, body: RequestBody | None) -> UpstreamRequest:
        """The same request in origin-form, sent with TLS to the host that it names."""
        head = request.head
        host_field = head.header("Host") or ""
        try:
            where = place(host_field)
            absolute = _ABSOLUTE.fullmatch(head.target)
            if absolute is not None:
                named = place(absolute[2])
                if host_field and named != where:
                    raise ValueError("the target and the Host header name different hosts")
                where = named
                head = replace(head, target=origin_form(head.target))
        except ValueError as error:
            raise CannotRelay(f"denyproxy cannot forward this request: {error}.") from None
        if where not in self._allowed:
            raise HostNotAllowed(
                f"denyproxy does not forward to {_show(where)}: it is not in forward.allowed_hosts. "
                "This is denyproxy's own refusal, not a denial by S3."
            )
        host, port = where
        return UpstreamRequest(Origin("https", host, port or 443, "aws" if is_aws_s3(host) else "other"), head, body)


def choose(modes: Sequence[UpstreamMode], request: ReceivedRequest) -> UpstreamMode:
    """The first mode that accepts the request. Raises ProxyError saying what to do if there is none."""
    if request.method == "CONNECT":
        raise CannotRelay(
            _NO_TUNNEL,
            status=405,
            code="MethodNotAllowed",
            reason="denyproxy does not tunnel HTTPS: use an http:// endpoint",
        )
    for mode in modes:
        if mode.accepts(request):
            return mode
    if request.target == "*":
        raise CannotRelay("S3 has no resource `*`.")
    if not request.target.startswith("/"):
        raise CannotRelay(
            "denyproxy got a request in proxy form (HTTP_PROXY points at it), but its forward mode is off: "
            "enable forward, or set endpoint_url to denyproxy instead."
        )
    raise HostNotAllowed(
        "denyproxy has no upstream for this host: set upstream.url, or add the host to forward.allowed_hosts. "
        "This is denyproxy's own refusal, not a denial by S3."
    )


def origin_form(target: str) -> str:
    """Path and query of a request target, raw; of an absolute-form one without its scheme and authority."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target
    return absolute[3] if absolute[3].startswith("/") else "/" + absolute[3]


def guess_kind(host: str) -> str:
    """Whose dialect a host speaks, as far as its name tells: aws, minio, ceph or other."""
    host = host.lower()
    if is_aws_s3(host):
        return "aws"
    if "minio" in host:
        return "minio"
    if any(word in host for word in ("ceph", "radosgw", "rgw")):
        return "ceph"
    return "other"


def _show(where: tuple[str, int | None]) -> str:
    host, port = where
    return host if port is None else f"{host}:{port}"

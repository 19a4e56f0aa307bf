"""Where in S3 a request goes that is signed again: the bucket it addresses, and the host that serves it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
Paths stay raw: nothing is decoded but the bucket's name, and nothing normalised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from denyproxy.proxy.aws_hosts import aws_hosts
from denyproxy.proxy.upstream import Origin
from denyproxy.remembered import Remembered

DEFAULT_REGION = "us-east-1"
LONGEST_BUCKET = 255
"""Characters of a name that is remembered: the ARN of an access point is shorter."""

_ARN_IN_PATH = re.compile(
    r"/(?P<arn>arn(?::|%3A)(?:[^/?:%]*(?::|%3A)){4}(?:outpost(?:/|%2F|:|%3A)[^/?%:]+(?:/|%2F|:|%3A))?"
    r"accesspoint(?:/|%2F|:|%3A)[^/?%]+)(?:/.*)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host that serves a bucket, and how requests to it are signed."""

    origin: Origin
    host: str
    """The Host field."""
    prefix: str
    """Of the path: `/bucket`, encoded; empty: the host names the bucket, or there is none."""
    region: str
    service: str = "s3"


Endpoints = Callable[[str | None, str], Endpoint]
"""From bucket (name, alias or ARN of an access point; None: none) and region. Raises ProxyError."""


@dataclass(slots=True)  # one is made for every request, and a frozen one costs more
class Addressed:
    """What a request is addressed to."""

    bucket: str | None
    """Name, or ARN of an access point."""
    segment: str
    """The bucket as it stands in the path, `/bucket`; empty: it does not."""
    rest: str
    """Raw path below the bucket, and the query."""

    def at(self, endpoint: Endpoint) -> str:
        """The request target at an endpoint. One that was path-style and stays so is not touched."""
        prefix = (self.segment or endpoint.prefix) if endpoint.prefix else ""
        if prefix and not self.segment and (self.rest == "/" or self.rest.startswith("/?")):
            return prefix + self.rest[1:]
        return prefix + self.rest if prefix or self.rest.startswith("/") else "/" + self.rest


def bucket_in_host(host: str, base_domains: Sequence[str]) -> str | None:
    """The bucket that a host (in lower case, without port) names.

    `base_domains` are in lower case. The longest counts; a host that is one of them names no bucket."""
    longest = 0
    for domain in base_domains:
        size = len(domain)
        if size > longest and host.endswith(domain) and host[-size - 1 : -size] in (".", ""):
            longest = size
    if 0 < longest < len(host):
        return host[: -longest - 1]
    named = aws_hosts[host] if not longest and ".s3" in host else None
    return named.bucket if named is not None else None


def addressed(target: str, in_host: str | None) -> Addressed:
    """The address in a raw target in origin-form. `in_host`: the bucket, if the Host names it."""
    if in_host is not None:
        return Addressed(in_host, "", target)
    end = target.find("/", 1)
    segment = target if end < 0 else target[:end]
    bucket = _buckets[segment]
    if bucket is not None:
        return Addressed(bucket, segment, target[len(segment) :])
    segment = segment.partition("?")[0]
    if (found := _ARN_IN_PATH.fullmatch(target.partition("?")[0])) is not None:
        segment = "/" + found["arn"]
    if len(segment) < 2:
        return Addressed(None, "", target)
    return Addressed(unquote(segment[1:]), segment, target[len(segment) :])


def _bucket(segment: str) -> str | None:
    """The bucket that the first part of a path names; None: if any, not this part alone does."""
    if len(segment) < 2 or "?" in segment or segment[:4].lower() == "/arn":
        return None
    return unquote(segment[1:])


_buckets = Remembered(_bucket)


def one_server(origin: Origin) -> Endpoints:
    """A server that is not AWS: everything goes to it, in path style."""
    default = 443 if origin.secure else 80
    name = f"[{origin.host}]" if ":" in origin.host else origin.host
    host = name if origin.port == default else f"{name}:{origin.port}"

    def endpoint(bucket: str | None, region: str) -> Endpoint:
        return Endpoint(origin, host, "" if bucket is None else "/" + quote(bucket, safe="~"), region)

    return kept(endpoint, 4096)


def kept(endpoints: Endpoints, entries: int) -> Endpoints:
    """The same, each asked for once; what is longer than the name of a bucket is not kept."""
    remembered = lru_cache(maxsize=entries)(endpoints)

    def endpoint(bucket: str | None, region: str) -> Endpoint:
        if bucket is not None and len(bucket) > LONGEST_BUCKET:
            return endpoints(bucket, region)
        return remembered(bucket, region)

    return endpoint


class Regions(dict[str | None, str]):
    """Regions of buckets (None: of what concerns none) as far as they have been learnt; the oldest are forgotten past
    a bound."""

    def __init__(self, limit: int = 10_000) -> None:
        super().__init__()
        self._limit = limit

    def learn(self, bucket: str | None, region: str) -> None:
        """S3 has told where a bucket is."""
        if bucket is not None and len(bucket) > LONGEST_BUCKET:
            return
        self.pop(bucket, None)
        self[bucket] = region
        if len(self) > self._limit:
            del self[next(iter(self))]

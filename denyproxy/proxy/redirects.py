"""Where S3 sends a request that came to the wrong region.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from denyproxy.proxy.aws_hosts import REGION, aws_hosts
from denyproxy.proxy.heads import name_of, value_of
from denyproxy.proxy.http1 import ReceivedResponse

STATUSES = frozenset({301, 302, 307, 308, 400})
"""Of responses that may send a request elsewhere. 400 is AuthorizationHeaderMalformed, which names the region."""

_REGION = re.compile(r"[A-Za-z0-9-]{1,40}")
_WRONG_REGION = re.compile(rb"<Code>AuthorizationHeaderMalformed</Code>")
_REGION_ELEMENT = re.compile(rb"<Region>([A-Za-z0-9-]{1,40})</Region>")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to."""

    region: str | None = None
    origin: tuple[str, str, int] | None = None
    """Scheme, host and port of a Location."""


def redirect_of(response: ReceivedResponse, error: bytes) -> Redirect:
    """What a response says of the right place. `error`: the start of its body."""
    region = _field(response, b"x-amz-bucket-region")
    if region is not None and not _REGION.fullmatch(region):
        region = None
    if response.status == 400:
        if error and not _WRONG_REGION.search(error):
            return Redirect()
        found = _REGION_ELEMENT.search(error)
        return Redirect(region or (found[1].decode() if found is not None else None))
    location = _field(response, b"location")
    if location is None:
        return Redirect(region)
    try:
        url = urlsplit(location)
        if not url.hostname:
            return Redirect(region)
        origin = (url.scheme, url.hostname, url.port or (443 if url.scheme == "https" else 80))
    except ValueError:
        return Redirect(region)
    if region is None and (named := aws_hosts[url.hostname]) is not None:
        region = named.region
    return Redirect(region, origin)


def bucket_region(response: ReceivedResponse) -> str | None:
    """The region that a response names, whatever its status."""
    region = _field(response, b"x-amz-bucket-region")
    return region if region is not None and REGION.fullmatch(region) else None


def _field(response: ReceivedResponse, name: bytes) -> str | None:
    return next((str(value_of(line), "latin-1") for line in response.fields if name_of(line) == name), None)

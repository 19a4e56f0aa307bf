"""Names of S3 itself, read from their right end: which bucket and which region one names.

https://docs.aws.amazon.com/general/latest/gr/s3.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from denyproxy.proxy.hosts import is_aws_s3
from denyproxy.remembered import Remembered

LONGEST_HOST = 255
"""Characters of a name in DNS."""

REGION = re.compile(r"[a-z]{2,20}(?:-[a-z]{1,20}){1,4}-\d{1,2}")

_HOST = re.compile(
    r"(?:(?P<left>.+)\.)?"
    r"(?P<service>s3(?:-(?:external-1|(?:accelerate|accesspoint|control|object-lambda|outposts|website)(?:-fips)?|fips))?)"
    rf"(?:-(?P<in_label>{REGION.pattern}))?(?:\.dualstack)?(?:\.(?P<own_label>{REGION.pattern}))?(?P<private>\.vpce)?"
    r"(?:\.(?!s3)[a-z][a-z0-9-]*)+"  # so that the service's is the last label that begins with s3
)
_OF_BUCKETS = frozenset({"s3", "s3-accelerate", "s3-external-1", "s3-fips"})
_PRIVATE = re.compile(r"(?:(?P<bucket>.+)\.)?bucket\.vpce-[0-9a-z-]+")


class AwsHost(NamedTuple):
    """A name of S3, in lower case."""

    name: str
    bucket: str | None = None
    """The bucket that it names."""
    region: str | None = None
    of_buckets: bool = False
    """Buckets are addressed at it, by name or by path. Access points and the other services have hosts of their own."""
    region_at: tuple[int, int] | None = None
    """Where its region stands, if the same bucket has a name in each region."""

    def within(self, region: str) -> str:
        """The name in another region, for hosts that have one."""
        if self.region_at is None:
            return self.name
        start, end = self.region_at
        return self.name[:start] + region + self.name[end:]


def _read(name: str) -> AwsHost | None:
    if len(name) > LONGEST_HOST or not is_aws_s3(name):
        return None
    found = _HOST.fullmatch(name)
    if found is None:
        return AwsHost(name)
    group = "own_label" if found["own_label"] is not None else "in_label"
    region, bucket = found[group], found["left"]
    of_buckets = found["service"] in _OF_BUCKETS
    if found["private"] is not None:
        private = _PRIVATE.fullmatch(bucket or "")
        of_buckets, bucket = of_buckets and private is not None, private["bucket"] if private is not None else None
    if not of_buckets:
        return AwsHost(name, region=region)
    movable = region is not None and found["private"] is None
    return AwsHost(name, bucket, region, True, found.span(group) if movable else None)


aws_hosts = Remembered(_read, size=LONGEST_HOST)
"""A host (lower case, without port) -> what it names; None: it is not S3's."""

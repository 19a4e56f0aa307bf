"""Amazon Resource Names of S3's resources, and the partitions in which they live.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from typing import NamedTuple

DNS_SUFFIXES: tuple[tuple[str, str], ...] = (
    ("amazonaws.com.cn", "aws-cn"),
    ("amazonaws.com", "aws"),
    ("amazonaws.eu", "aws-eusc"),
    ("c2s.ic.gov", "aws-iso"),
    ("sc2s.sgov.gov", "aws-iso-b"),
    ("cloud.adc-e.uk", "aws-iso-e"),
    ("csp.hci.ic.gov", "aws-iso-f"),
)
"""DNS suffix -> partition. `aws` and `aws-us-gov` share one; the region tells them apart."""

_REGION_PREFIXES: tuple[tuple[str, str], ...] = (
    ("us-gov-", "aws-us-gov"),
    ("cn-", "aws-cn"),
    ("eusc-", "aws-eusc"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
)


def partition_of_region(region: str | None) -> str:
    """The partition of a region; `aws` where it is not known."""
    for prefix, partition in _REGION_PREFIXES:
        if region is not None and region.startswith(prefix):
            return partition
    return "aws"


def dns_suffix(partition: str) -> str:
    """The DNS suffix of a partition's endpoints."""
    return next((suffix for suffix, name in DNS_SUFFIXES if name == partition), "amazonaws.com")


class Arn(NamedTuple):
    """An ARN in its six parts."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn | None:
        """None: not an ARN."""
        parts = text.split(":", 5)
        return cls(*parts[1:]) if len(parts) == 6 and parts[0] == "arn" else None

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def bucket_arn(partition: str, bucket: str) -> str:
    """ARN of a general purpose bucket."""
    return f"arn:{partition}:s3:::{bucket}"


def object_arn(partition: str, bucket: str, key: str) -> str:
    """ARN of an object; the key literally, not encoded."""
    return f"arn:{partition}:s3:::{bucket}/{key}"


def access_point_arn(partition: str, region: str | None, account: str, name: str) -> str:
    """ARN of an access point (or, without a region, of a Multi-Region Access Point)."""
    return f"arn:{partition}:s3:{region or ''}:{account}:accesspoint/{name}"


def access_point_object_arn(access_point: str, key: str) -> str:
    """ARN of an object reached through an access point."""
    return f"{access_point}/object/{key}"


def container(arn: str) -> str:
    """ARN of the bucket or access point of an object, or of what is one itself."""
    return arn.partition("/object/" if is_of_access_point(arn) else "/")[0]


def objects_of(container: str) -> str:
    """The pattern of all objects of a bucket or an access point."""
    return f"{container}/object/*" if is_of_access_point(container) else f"{container}/*"


def is_of_access_point(arn: str) -> bool:
    """Is it the ARN of an access point, or of an object reached through one?"""
    return ":accesspoint/" in arn

"""From host and path to bucket and key: path style, virtual-hosted style, access points, website endpoints.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
https://docs.aws.amazon.com/general/latest/gr/s3.html (endpoints)
Nothing is normalised: `//`, dots and encoded slashes are parts of keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from denyproxy.s3.arn import DNS_SUFFIXES, access_point_arn, partition_of_region
from denyproxy.sigv4.wire import percent_decode

_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d+")
_SERVICE = re.compile(
    r"(?P<name>s3|s3-accelerate|s3-website|s3-accesspoint|s3-control|s3-object-lambda|s3-outposts|s3-external-1|"
    r"s3express-control|s3express-(?P<zone>[a-z0-9]+-az\d+)|s3-global)"
    r"(?:-fips)?(?:-(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+))?"
)
_ENDPOINTS = {
    "s3-website": "website",
    "s3-accesspoint": "access-point",
    "s3-control": "control",
    "s3-object-lambda": "object-lambda",
    "s3-outposts": "outposts",
    "s3express-control": "express-control",
}
_NAME_AND_ACCOUNT = re.compile(r"(?P<name>.+)-(?P<account>\d{12})")
_VPC_ENDPOINT = re.compile(
    r"(?:(?P<left>.+)\.)?(?P<kind>bucket|accesspoint|control)\.(?P<id>vpce-[0-9a-z]+)-[0-9a-z-]+"
)
_ARN_IN_PATH = re.compile(
    r"(?P<arn>arn:(?P<partition>[^/:]*):(?P<service>s3[a-z-]*):(?P<region>[^/:]*):[^/:]*:"
    r"(?:outpost/[^/]+/)?accesspoint[/:][^/]+)(?P<key>/.*)?",
    re.DOTALL,
)
_LOCAL = "localhost"


class Address(NamedTuple):
    """Where a request is addressed to."""

    bucket: str | None = None
    """Bucket name or alias; None: the service itself, or an access point."""
    key: str | None = None
    """Decoded; None: the bucket itself."""
    endpoint: str = "rest"
    region: str | None = None
    partition: str | None = None
    """None: the host does not tell."""
    global_endpoint: bool = False
    access_point: str | None = None
    """ARN."""
    alias: str | None = None
    """Name in the host of a Multi-Region Access Point, `alias.mrap`."""
    vpc_endpoint: str | None = None


def parse_address(host: str, path: str, base_domains: Sequence[str] = ()) -> Address:
    """The address in a Host field (or authority) and a raw path.

    `base_domains` are the names under which a server that is not AWS serves virtual-hosted buckets: the longest counts,
    and a host that is one of them names no bucket."""
    name = _without_port(host)
    domains = [domain.lower().strip(".") for domain in base_domains] + [_LOCAL]
    above = [domain for domain in domains if name == domain or name.endswith("." + domain)]
    if above:
        below = name[: -len(max(above, key=len)) - 1]
        return Address(bucket=below, key=_key(path)) if below else _path_style(Address(), path)
    address, left = _aws_host(name)
    if address.endpoint in ("access-point", "object-lambda", "outposts"):
        return _through_access_point(address, left)._replace(key=_key(path))
    if left is not None and address.endpoint != "control":
        return address._replace(bucket=left, key=_key(path))
    return _path_style(address, path)


def _without_port(host: str) -> str:
    """The host name in lower case."""
    host = host.strip().lower()
    return host if host.startswith("[") else host.partition(":")[0].rstrip(".")


def _aws_host(name: str) -> tuple[Address, str | None]:
    """What an AWS host tells, and the labels left of the service's; ordinary address for any other host."""
    found = next((row for row in DNS_SUFFIXES if name.endswith("." + row[0])), None)
    if found is None:
        return Address(), None
    suffix, partition = found
    labels = name[: -len(suffix) - 1].split(".")
    private = labels[-1] == "vpce"
    if private:
        labels.pop()
    region = labels.pop() if len(labels) > 1 and _REGION.fullmatch(labels[-1]) else None
    if len(labels) > 1 and labels[-1] == "dualstack":
        labels.pop()
    service = _SERVICE.fullmatch(labels[-1])
    if service is None:
        return Address(), None
    labels.pop()
    region = region or service["region"] or ("us-east-1" if service["name"] == "s3-external-1" else None)
    endpoint = "express" if service["zone"] else _ENDPOINTS.get(service["name"], "rest")
    if partition == "aws":
        partition = partition_of_region(region)
    address = Address(endpoint=endpoint, region=region, partition=partition, global_endpoint=region is None)
    left = ".".join(labels) or None
    if service["name"] == "s3-global" and left is not None and left.endswith(".accesspoint"):
        return address._replace(endpoint="access-point"), left.removesuffix(".accesspoint")
    return _by_vpc_endpoint(address, left) if private else (address, left)


def _by_vpc_endpoint(address: Address, left: str | None) -> tuple[Address, str | None]:
    """Hosts of interface endpoints, `[bucket.]bucket.vpce-ID-x.s3.REGION.vpce.amazonaws.com`."""
    found = _VPC_ENDPOINT.fullmatch(left or "")
    if found is None:
        return address, None
    address = address._replace(vpc_endpoint=found["id"])
    if found["kind"] == "accesspoint":
        return address._replace(endpoint="access-point"), found["left"]
    return address._replace(endpoint="control") if found["kind"] == "control" else address, found["left"]


def _through_access_point(address: Address, left: str | None) -> Address:
    label = (left or "").partition(".")[0] if address.endpoint == "outposts" else left or ""
    if label.endswith(".mrap"):
        return address._replace(alias=label)
    found = _NAME_AND_ACCOUNT.fullmatch(label)
    if found is None:
        return address._replace(alias=label or None)
    partition = address.partition or "aws"
    if address.endpoint == "object-lambda":
        arn = f"arn:{partition}:s3-object-lambda:{address.region or ''}:{found['account']}:accesspoint/{found['name']}"
    else:
        arn = access_point_arn(partition, address.region, found["account"], found["name"])
    return address._replace(access_point=arn)


def _path_style(address: Address, path: str) -> Address:
    raw = path.removeprefix("/")
    first, _, rest = raw.partition("/")
    if not first:
        return address
    bucket = percent_decode(first)
    written, encoded = _ARN_IN_PATH.fullmatch(raw), _ARN_IN_PATH.fullmatch(bucket)
    if written is not None:
        return _of_arn(address, written)._replace(key=_key(written["key"] or ""))
    if encoded is not None:
        return _of_arn(address, encoded)._replace(key=_key(rest))
    return address._replace(bucket=bucket, key=percent_decode(rest) or None)


def _of_arn(address: Address, found: re.Match[str]) -> Address:
    """An access point's ARN where a bucket's name is expected, as SDKs and scenarios write it."""
    kind = {"s3-object-lambda": "object-lambda", "s3-outposts": "outposts"}.get(found["service"], "access-point")
    region = found["region"] or address.region
    return address._replace(endpoint=kind, access_point=found["arn"], region=region, partition=found["partition"])


def _key(path: str) -> str | None:
    """The decoded key of a raw path below a bucket, or None: the bucket itself."""
    return percent_decode(path.removeprefix("/")) or None

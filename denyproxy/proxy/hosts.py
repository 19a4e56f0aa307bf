"""Which hosts the forward mode may talk to: S3's own names in every AWS partition, or a configured list.

An open forward proxy would reach whatever its host can reach.
https://docs.aws.amazon.com/general/latest/gr/s3.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

AWS = "aws"
"""The word in a list of hosts that stands for S3 in all AWS partitions."""

_DNS_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
)
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-\d+"
_S3_HOST = re.compile(
    r"(?:[a-z0-9_.-]+\.)?"  # bucket, access point, or VPC endpoint
    r"s3(?:express)?(?:-[a-z0-9-]+)?"  # s3, s3-fips, s3-accelerate, s3-accesspoint, s3-eu-west-1, s3express-use1-az4
    rf"(?:\.dualstack)?(?:\.{_REGION})?(?:\.vpce)?"
    rf"\.(?:{'|'.join(re.escape(suffix) for suffix in _DNS_SUFFIXES)})"
)


def is_aws_s3(host: str) -> bool:
    """Is it a name of S3 (host without port, any case)?"""
    return _S3_HOST.fullmatch(host.lower()) is not None


def split_authority(authority: str) -> tuple[str, int | None]:
    """Host without brackets, and port or None. Raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?#@\[\]]+))(?::(\d{1,5}))?", authority)
    if match is None:
        raise ValueError(f"{authority!a} is not a host with an optional port")
    port = int(match[3]) if match[3] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{port} is not a port")
    return match[1] or match[2], port


def place(authority: str) -> tuple[str, int | None]:
    """Host in lower case and port; the default port of plain HTTP or of TLS is None. Raises ValueError."""
    host, port = split_authority(authority)
    return host.lower(), None if port in (80, 443) else port


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """A list of hosts: `aws`; `name`, on the default ports; `name:port`; `*.name` and `*.name:port`, all below."""

    aws: bool
    names: frozenset[tuple[str, int | None]]

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowedHosts:
        """Raises ValueError naming the entry that is no host."""
        aws, names = False, set()
        for entry in entries:
            if entry == AWS:
                aws = True
            else:
                names.add(place(entry))
        return cls(aws, frozenset(names))

    def __contains__(self, place: tuple[str, int | None]) -> bool:
        """Is (host, port) allowed? Port None: the scheme's default."""
        host, port = place
        host = host.lower()
        if self.aws and port is None and is_aws_s3(host):
            return True
        labels = host.split(".")
        return (host, port) in self.names or any(
            ("*." + ".".join(labels[i:]), port) in self.names for i in range(1, len(labels))
        )

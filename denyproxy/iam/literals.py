"""Values of condition keys, read from text: numbers, dates, booleans, bytes, IP addresses and blocks.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})([eE][+-]?\d{1,3})?", re.ASCII)


def read_number(text: str) -> Decimal | None:
    """An integer or decimal number."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_DATE = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_date(text: str) -> Decimal | None:
    """Seconds since 1970 from an ISO 8601 date (W3C profile; UTC if no zone is given) or a number of seconds."""
    seconds = read_number(text)
    if seconds is not None:
        return seconds
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(zone)
        )
    except ValueError:
        return None
    # The difference is taken in whole seconds: as a float it would be inexact.
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    return whole + Decimal(f"0.{fraction or 0}")


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def read_bool(text: str) -> str | None:
    """`true` or `false`, in any case."""
    folded = text.lower()
    return folded if folded in ("true", "false") else None


def read_binary(text: str) -> bytes | None:
    """The bytes behind base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


Address = tuple[int, int]
"""IP version, address."""
Network = tuple[int, int, int]
"""IP version, first address without its host bits, number of host bits."""


def read_address(text: str) -> Address | None:
    """An IPv4 or IPv6 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


_PREFIX_LENGTH = re.compile(r"\d{1,3}", re.ASCII)


def read_network(text: str) -> Network | None:
    """An address or CIDR block, IPv4 or IPv6. A bare address is a block of one."""
    _, slash, length = text.partition("/")
    if slash and not _PREFIX_LENGTH.fullmatch(length):
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    host_bits = network.max_prefixlen - network.prefixlen
    return network.version, int(network.network_address) >> host_bits, host_bits


def is_within(address: Address, network: Network) -> bool:
    """Does an address lie in a block of the same family?"""
    return address[0] == network[0] and address[1] >> network[2] == network[1]

"""Addresses and networks that conditions name: which of them can a request come from?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from denyproxy.iam.context import RequestContext
from denyproxy.iam.literals import is_within, read_address, read_network

_IPV4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")
_IPV6 = ("fc00::/7", "::1/128", "fe80::/10")
_PRIVATE = tuple(block for block in map(read_network, (*_IPV4, *_IPV6)) if block is not None)
"""RFC 1918, loopback, link-local; of IPv6 unique local, loopback, link-local."""


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A network that a condition names; None: the operators for addresses cannot read it."""
    return ipaddress.ip_network(text, strict=False) if read_network(text) is not None else None


def is_everything(text: str) -> bool:
    """Does the network hold every address (of its version)?"""
    network = _network(text)
    return network is not None and network.prefixlen == 0


def is_private(text: str) -> bool:
    """Does a network, or an address, hold only what no request over the internet comes from?"""
    network = _network(text)
    if network is None:
        return False
    first, last = (read_address(str(address)) for address in (network[0], network[-1]))
    return any(first and last and is_within(first, block) and is_within(last, block) for block in _PRIVATE)


def is_source(text: str, context: RequestContext) -> bool:
    """Can aws:SourceIp be this address? It is the public one, but where private ones are seen even now.
    https://repost.aws/knowledge-center/iam-restrict-access-policy"""
    return read_address(text) is not None and (not is_private(text) or sees_private(context))


def sees_private(context: RequestContext) -> bool:
    """Did this request come from a private address? Then whoever checks it is no service on the internet."""
    values = context.lookup("aws:sourceip")
    return isinstance(values, tuple) and any(map(is_private, values))


def addresses_by(text: str) -> Iterator[str]:
    """The first address of a network, and those next to it on either side."""
    network = _network(text)
    if network is None:
        return
    yield str(network[0])
    for neighbour in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= neighbour < 1 << network.max_prefixlen:
            yield str(type(network[0])(neighbour))

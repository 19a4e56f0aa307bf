"""S3 Block Public Access: the effective setting, and S3's definition of a public policy.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any

from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.snapshot import BlockPublicAccess

SETTINGS = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


def known(fact: bool | Unknown) -> Truth:
    """A fact as a truth value."""
    return Truth.UNKNOWN if fact is UNKNOWN else Truth.of(fact)


def effective(setting: str, places: Iterable[BlockPublicAccess]) -> Truth:
    """One of the four settings over account, bucket and access point: the most restrictive counts."""
    return max((known(getattr(place, SETTINGS[setting])) for place in places), default=Truth.NO)


_FIXED_VALUE_KEYS = frozenset(
    {
        "aws:principalorgid",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceowner",
        "aws:sourceaccount",
        "s3:dataaccesspointaccount",
    }
)
_INCONCLUSIVE_KEYS = frozenset({"aws:principalarn", "aws:principalaccount", "aws:principalorgpaths"})
_POSITIVE = frozenset({"stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike"})


def document_is_public(document: Mapping[str, Any] | str | bytes, *, access_point: bool = False) -> Truth:
    """Is a bucket (or access point) policy public? One Allow not pinned to fixed values makes it so; a Deny never.

    UNKNOWN where AWS's list of keys leaves it open, or the document cannot be read."""
    if isinstance(document, str | bytes):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return Truth.UNKNOWN
    if not isinstance(document, Mapping):
        return Truth.UNKNOWN
    statements = document.get("Statement", ())
    if isinstance(statements, Mapping):
        statements = (statements,)
    if not isinstance(statements, list | tuple):
        return Truth.UNKNOWN
    return max((_statement_is_public(item, access_point) for item in statements), default=Truth.NO)


def _statement_is_public(statement: Any, access_point: bool) -> Truth:
    if not isinstance(statement, Mapping):
        return Truth.UNKNOWN
    if statement.get("Effect") != "Allow":
        return Truth.NO
    if "NotPrincipal" not in statement and _principal_is_fixed(statement.get("Principal")):
        return Truth.NO
    conditions = statement.get("Condition") or {}
    if not isinstance(conditions, Mapping):
        return Truth.UNKNOWN
    pinned = Truth.NO
    for operator, block in conditions.items():
        if isinstance(block, Mapping):
            for key, values in block.items():
                pinned = max(pinned, _pins(operator.lower(), key.lower(), _strings(values), access_point))
    return ~pinned


def _principal_is_fixed(principal: Any) -> bool:
    """Names only accounts, users, roles or services: no wildcard, no variable."""
    entries = principal.values() if isinstance(principal, Mapping) else (principal,)
    values = [value for entry in entries for value in _strings(entry)]
    return bool(values) and all(_is_fixed(value) for value in values)


def _pins(operator: str, key: str, values: tuple[str, ...], access_point: bool) -> Truth:
    if not values:
        return Truth.NO
    if key == "aws:sourceip":
        return Truth.of(operator == "ipaddress" and all(_is_narrow_range(value) for value in values))
    if operator not in _POSITIVE:
        return Truth.NO
    if key == "aws:userid":
        return Truth.of(all(_is_fixed(value.partition(":")[0]) and "${" not in value for value in values))
    if key == "s3:dataaccesspointarn":
        return Truth.of(all(_is_fixed_access_point(value, access_point) for value in values))
    if key in _FIXED_VALUE_KEYS:
        return Truth.of(all(_is_fixed(value) for value in values))
    if key in _INCONCLUSIVE_KEYS and all(_is_fixed(value) for value in values):
        return Truth.UNKNOWN
    return Truth.NO


def _is_fixed(value: str) -> bool:
    return bool(value) and not any(mark in value for mark in ("*", "?", "${"))


def _is_fixed_access_point(value: str, access_point: bool) -> bool:
    """In a bucket policy the access point's name may be a wildcard as long as its account is fixed."""
    if access_point:
        return _is_fixed(value)
    segments = value.split(":", 5)
    return len(segments) == 6 and _is_fixed(segments[4]) and "${" not in value


def _is_narrow_range(value: str) -> bool:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= (8 if network.version == 4 else 32)


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(item for item in value if isinstance(item, str))
    return ()

"""Patterns, variables and condition operators of the reference evaluator, for fully known facts.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any

from denyproxy.iam.context import RequestContext

Pattern = list[tuple[str, bool]]
"""(character, is it literal?): `*` and `?` that are not literal are wildcards."""

VARIABLE = re.compile(r"\$\{([^}]*)\}")
WITH_DEFAULT = re.compile(r"\s*(.+?)\s*,\s*'(.*)'\s*")


def items(value: Any) -> list[Any]:
    """A scalar stands for a list of one."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Numbers and booleans may be unquoted in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def expand(written: str, version: str, context: RequestContext) -> Pattern | None:
    """The pattern with its variables replaced by literal text; None: a variable has no value."""
    pattern: Pattern = []
    end = 0
    for variable in VARIABLE.finditer(written) if version == "2012-10-17" else ():
        pattern += [(character, False) for character in written[end : variable.start()]]
        end = variable.end()
        name, default = variable[1], None
        if with_default := WITH_DEFAULT.fullmatch(name):
            name, default = with_default.groups()
        values = (name,) if name in ("*", "?", "$") else context.present.get(name.lower())
        value = values[0] if values is not None and len(values) == 1 else default
        if value is None:
            return None
        pattern += [(character, True) for character in value]
    return pattern + [(character, False) for character in written[end:]]


def glob(pattern: Pattern, actual: str) -> bool:
    """Keeps the set of places in `actual` that the pattern so far may have reached."""
    reached = {0}
    for character, literal in pattern:
        if character == "*" and not literal:
            reached = {later for place in reached for later in range(place, len(actual) + 1)}
        elif character == "?" and not literal:
            reached = {place + 1 for place in reached if place < len(actual)}
        else:
            reached = {place + 1 for place in reached if actual[place : place + 1] == character}
    return len(actual) in reached


def segments(pattern: Pattern) -> list[Pattern]:
    """The six segments of an ARN; the last may contain colons. Fewer, if it is none."""
    parts: list[Pattern] = [[]]
    for character, literal in pattern:
        if character == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append((character, literal))
    return parts


def plain(pattern: Pattern) -> str:
    """A pattern in which wildcards mean themselves."""
    return "".join(character for character, _ in pattern)


def arn_like(pattern: Pattern, actual: str) -> bool:
    wanted, found = segments(pattern), actual.split(":", 5)
    return len(wanted) == len(found) == 6 and all(map(glob, wanted, found))


def moment(written: str) -> Decimal:
    """Epoch seconds, of epoch seconds or ISO 8601."""
    if re.fullmatch(r"-?\d+(\.\d+)?", written):
        return Decimal(written)
    when = datetime.fromisoformat(written)
    return Decimal(str((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()))


def in_network(pattern: Pattern, actual: str) -> bool:
    network, address = ip_network(plain(pattern)), ip_address(actual)
    return network.version == address.version and address in network


def compared(read: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Callable[[Pattern, str], bool]:
    """An operator on values of another type than text. Request value on the left, policy value on the right."""
    return lambda pattern, actual: holds(read(actual), read(plain(pattern)))


def orders(name: str, read: Callable[[str], Any]) -> dict[str, Callable[[Pattern, str], bool]]:
    return {
        f"{name}Equals": compared(read, lambda actual, wanted: actual == wanted),
        f"{name}LessThan": compared(read, lambda actual, wanted: actual < wanted),
        f"{name}LessThanEquals": compared(read, lambda actual, wanted: actual <= wanted),
        f"{name}GreaterThan": compared(read, lambda actual, wanted: actual > wanted),
        f"{name}GreaterThanEquals": compared(read, lambda actual, wanted: actual >= wanted),
    }


OPERATORS: dict[str, Callable[[Pattern, str], bool]] = {
    "StringEquals": lambda pattern, actual: plain(pattern) == actual,
    "StringEqualsIgnoreCase": lambda pattern, actual: plain(pattern).lower() == actual.lower(),
    "StringLike": glob,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "IpAddress": in_network,
    "Bool": compared(str.lower, lambda actual, wanted: actual == wanted and wanted in ("true", "false")),
    "BinaryEquals": compared(lambda value: base64.b64decode(value, validate=True), lambda a, b: a == b),
    **orders("Numeric", Decimal),
    **orders("Date", moment),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
WITH_VARIABLES = ("String", "Arn")


def condition_holds(operator: str, key: str, written: Any, version: str, context: RequestContext) -> bool:
    """One operator on one key."""
    quantifier, _, name = operator.rpartition(":")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    values, wanted = context.present.get(key.lower()), [text(value) for value in items(written)]
    if name == "Null":
        return text(values is None) in [value.lower() for value in wanted]
    if values is None and if_exists:
        return True
    matches, negated = OPERATORS[NEGATED.get(name, name)], name in NEGATED
    variables = version if name.startswith(WITH_VARIABLES) else ""
    patterns = [pattern for value in wanted if (pattern := expand(value, variables, context)) is not None]

    def matches_one(pattern: Pattern, actual: str) -> bool:
        try:
            return matches(pattern, actual)
        except (ValueError, ArithmeticError):
            return False  # a value that is no number, date, address ... matches nothing

    def holds(actual: str) -> bool:
        return any(matches_one(pattern, actual) for pattern in patterns) is not negated

    if quantifier:
        return {"ForAllValues": all, "ForAnyValue": any}[quantifier](map(holds, values or ()))
    if values is None:
        return negated
    (actual,) = values
    return holds(actual)

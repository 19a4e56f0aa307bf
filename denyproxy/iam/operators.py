"""The condition operators, one row each.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import TypeVar

from denyproxy.iam.literals import is_within, read_address, read_binary, read_bool, read_date, read_network, read_number
from denyproxy.iam.truth import Truth
from denyproxy.iam.wildcard import Predicate, Tokens, any_arn, any_glob, arn_segments, literal, may_match, nothing

_V = TypeVar("_V")
_P = TypeVar("_P")


Around = Callable[[str, float], Truth]
"""Does a request value match, that may be off by so much?"""


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator without its prefixes and suffixes."""

    name: str
    any_of: Callable[[Iterable[Tokens]], Predicate]
    """Compile policy values: does a request value match one of them? Values that cannot be read match nothing."""
    readable: Callable[[str], bool]
    """Can this policy value be read at all?"""
    may: Callable[[Tokens, str], bool] = may_match
    """Can a policy value with unknown variables in it match this request value?"""
    negated: bool = False
    """True where no policy value matches, and where the key is absent."""
    globs: bool = False
    """Are `*` and `?` wildcards in policy values?"""
    substitutes: bool = False
    """Are variables replaced in policy values?"""
    doubtful_variables: bool = False
    """AWS's pages disagree on whether variables are replaced here."""
    any_around: Callable[[Iterable[Tokens]], Around] | None = None
    """As `any_of`, for a request value that is known to within a margin; None: only whole values are compared."""


def _texts(patterns: Iterable[Tokens]) -> list[str]:
    return [text for text in map(literal, patterns) if text is not None]


def _any_folded(patterns: Iterable[Tokens]) -> Predicate:
    wanted = frozenset(text.casefold() for text in _texts(patterns))
    return (lambda value: value.casefold() in wanted) if wanted else nothing


def _may_folded(tokens: Tokens, value: str) -> bool:
    folded = tuple(token.casefold() if isinstance(token, str) else token for token in tokens)
    return may_match(folded, value.casefold())


def _may_arn(tokens: Tokens, value: str) -> bool:
    return may_match(tokens, value, arn=True)


def _always(text: str) -> bool:
    return True


def _is_arn_pattern(text: str) -> bool:
    return arn_segments((text,)) is not None


def _typed(
    read: Callable[[str], _V | None], operand_of: Callable[[str], _P | None], holds: Callable[[_V, _P], bool]
) -> Callable[[Iterable[Tokens]], Predicate]:
    """Request values and policy values are read as some type, then compared."""

    def any_of(patterns: Iterable[Tokens]) -> Predicate:
        operands = tuple(operand for operand in map(operand_of, _texts(patterns)) if operand is not None)
        if not operands:
            return nothing

        def matches(text: str) -> bool:
            value = read(text)
            if value is not None:
                for operand in operands:
                    if holds(value, operand):
                        return True
            return False

        return matches

    return any_of


def _string(name: str, *, negated: bool = False, globs: bool = False) -> Operator:
    return Operator(name, any_glob, _always, negated=negated, globs=globs, substitutes=True)


def _folded(name: str, *, negated: bool = False) -> Operator:
    return Operator(name, _any_folded, _always, _may_folded, negated=negated, substitutes=True)


def _arn(name: str, *, negated: bool = False) -> Operator:
    return Operator(name, any_arn, _is_arn_pattern, _may_arn, negated=negated, globs=True, substitutes=True)


def _read(
    name: str,
    read: Callable[[str], _V | None],
    operand_of: Callable[[str], _P | None],
    holds: Callable[[_V, _P], bool],
    *,
    negated: bool = False,
) -> Operator:
    readable = _readable(operand_of)
    return Operator(name, _typed(read, operand_of, holds), readable, negated=negated)


def _readable(operand_of: Callable[[str], _P | None]) -> Callable[[str], bool]:
    return lambda text: operand_of(text) is not None


Quantity = Callable[[str], Decimal | None]


def _around(read: Quantity, holds: Callable[[Decimal, Decimal], bool]) -> Callable[[Iterable[Tokens]], Around]:
    def any_around(patterns: Iterable[Tokens]) -> Around:
        operands = tuple(operand for operand in map(read, _texts(patterns)) if operand is not None)

        def matches(text: str, margin: float) -> Truth:
            value = read(text)
            if value is None:
                return Truth.NO
            low, high = value - Decimal(margin), value + Decimal(margin)
            result = Truth.NO
            for operand in operands:
                least, most = holds(low, operand), holds(high, operand)
                turns = low < high and low <= operand <= high if holds is eq else least is not most
                result = max(result, Truth.UNKNOWN if turns else Truth.of(least))
            return result

        return matches

    return any_around


def _ordered(prefix: str, read: Quantity) -> Sequence[Operator]:
    rows = (
        _read(f"{prefix}Equals", read, read, eq),
        _read(f"{prefix}NotEquals", read, read, eq, negated=True),
        _read(f"{prefix}LessThan", read, read, lt),
        _read(f"{prefix}LessThanEquals", read, read, le),
        _read(f"{prefix}GreaterThan", read, read, gt),
        _read(f"{prefix}GreaterThanEquals", read, read, ge),
    )
    comparisons = (eq, eq, lt, le, gt, ge)
    return [replace(row, any_around=_around(read, holds)) for row, holds in zip(rows, comparisons, strict=True)]


def _may_bool(tokens: Tokens, value: str) -> bool:
    return read_bool(value) is not None and _may_folded(tokens, value)


_ROWS = (
    _string("StringEquals"),
    _string("StringNotEquals", negated=True),
    _folded("StringEqualsIgnoreCase"),
    _folded("StringNotEqualsIgnoreCase", negated=True),
    _string("StringLike", globs=True),
    _string("StringNotLike", globs=True, negated=True),
    *_ordered("Numeric", read_number),
    *_ordered("Date", read_date),
    Operator(
        "Bool",
        _typed(read_bool, read_bool, eq),
        _readable(read_bool),
        _may_bool,
        substitutes=True,
        doubtful_variables=True,
    ),
    _read("BinaryEquals", read_binary, read_binary, eq),
    _read("IpAddress", read_address, read_network, is_within),
    _read("NotIpAddress", read_address, read_network, is_within, negated=True),
    _arn("ArnEquals"),
    _arn("ArnLike"),
    _arn("ArnNotEquals", negated=True),
    _arn("ArnNotLike", negated=True),
)

OPERATORS = {row.name: row for row in _ROWS}
"""Name -> row. `Null` is none of them: it compares no values."""

NULL = "Null"


@dataclass(frozen=True, slots=True)
class OperatorName:
    """The name of an operator in a policy, taken apart: `ForAnyValue:StringLikeIfExists`."""

    stem: str
    """A key of OPERATORS, or `Null`."""
    every: bool = False
    """ForAllValues."""
    some: bool = False
    """ForAnyValue."""
    if_exists: bool = False


def operator_name(text: str) -> OperatorName | None:
    """Take the name of an operator apart, or None: there is no such operator."""
    qualifier, colon, rest = text.rpartition(":")
    if colon and qualifier not in ("ForAllValues", "ForAnyValue"):
        return None
    if rest == NULL:
        return None if colon else OperatorName(NULL)
    stem = rest.removesuffix("IfExists")
    if stem not in OPERATORS:
        return None
    return OperatorName(stem, qualifier == "ForAllValues", qualifier == "ForAnyValue", stem != rest)

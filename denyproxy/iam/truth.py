"""Kleene's three-valued logic, and the marker for facts that are not known."""

from __future__ import annotations

from enum import Enum, IntEnum


class Truth(IntEnum):
    """NO < UNKNOWN < YES: "and" is min, "or" is max."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    def __invert__(self) -> Truth:
        return _NEGATED[self]

    @classmethod
    def of(cls, value: bool) -> Truth:
        """YES or NO."""
        return cls.YES if value else cls.NO


_NEGATED = (Truth.YES, Truth.UNKNOWN, Truth.NO)


class Unknown(Enum):
    """A fact that is not known, in contrast to None: known to be none."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("an unknown fact is neither true nor false; compare it with `is UNKNOWN`")


UNKNOWN = Unknown.UNKNOWN

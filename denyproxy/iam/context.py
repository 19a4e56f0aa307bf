"""The request context: condition keys, each present, absent or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from denyproxy.iam.truth import UNKNOWN, Unknown

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Condition key -> values. Key names are lower case here: IAM compares them without regard to case.

    A key of `present` has those values (an empty tuple is an empty multivalued key). A key that `unknown` names, or
    whose family (`aws:principaltag/*`) it names, is a fact that nobody here knows. Any other key is absent, or
    unknown where `open_world` says that what is not stated is not known.
    """

    present: Mapping[str, Values] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    """Known to be absent, families included; matters only in an open world."""
    open_world: bool = False
    margin: Mapping[str, float] = field(default_factory=dict)
    """Key -> how far its true value may be from the one present, in the key's unit: a comparison that the margin can
    turn is unknown, and so is the text."""

    def is_rough(self, key: str) -> bool:
        """May the value of a key (lower case) be another than the one present?"""
        return bool(self.margin.get(key))

    def lookup(self, key: str) -> Values | Unknown | None:
        """The values of a key (any case), UNKNOWN, or None: absent."""
        key = key.lower()
        values = self.present.get(key)
        return values if values is not None else self.of_missing(key)

    def of_missing(self, key: str) -> Unknown | None:
        """Of a key (lower case) that is not present: UNKNOWN, or None: absent."""
        if key in self.unknown:
            return UNKNOWN
        if key in self.absent:
            return None
        family, slash, _ = key.partition("/")
        if slash:
            if family + "/*" in self.unknown:
                return UNKNOWN
            if family + "/*" in self.absent:
                return None
        return UNKNOWN if self.open_world else None

    def with_values(self, values: Mapping[str, str | None]) -> RequestContext:
        """The same, were these keys (lower case) to have these values; None: absent."""
        present = {key: value for key, value in self.present.items() if key not in values}
        present |= {key: (value,) for key, value in values.items() if value is not None}
        gone = frozenset(key for key, value in values.items() if value is None)
        return replace(
            self,
            present=present,
            unknown=self.unknown - values.keys(),
            absent=(self.absent | gone) - (values.keys() - gone),
            margin={key: width for key, width in self.margin.items() if key not in values},
        )

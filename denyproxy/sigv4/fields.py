"""Header fields as signatures see them: one value for each name, found by its place.

What follows from the names alone is worked out once, since requests repeat them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from denyproxy.exchange import Headers
from denyproxy.picking import picker
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import collapsed

_SAID = ("host", "authorization", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-security-token")


class Names:
    """The names of header fields."""

    __slots__ = ("_every", "places", "said", "written")

    def __init__(self, written: tuple[str, ...]) -> None:
        self.written = written
        lower = [name.lower() for name in written]
        self.places: Mapping[str, int] = {name: place for place, name in enumerate(dict.fromkeys(lower))}
        """Lower-case name -> where its value is."""
        self.said = picker([self.places.get(name, -1) for name in _SAID])
        self._every = [self.places[name] for name in lower]

    def fields(self, sent: Sequence[str]) -> Fields:
        """These names with their values, as sent: those of repeated names get commas between them."""
        if len(self.places) == len(sent):
            return Fields(self, sent, self.said((*sent, None)))
        values: list[list[str]] = [[] for _ in self.places]
        for place, value in zip(self._every, sent, strict=True):
            values[place].append(value)
        joined = [",".join(parts) for parts in values]
        return Fields(self, joined, self.said((*joined, None)))


class Fields(NamedTuple):
    """Header fields, each name once."""

    names: Names
    values: Sequence[str]
    said: Sequence[str | None]
    """The values of Host, Authorization, X-Amz-Date, Date, X-Amz-Content-SHA256 and X-Amz-Security-Token; None: it is
    not there."""

    def get(self, name: str) -> str | None:
        """The value of a field (lower case), if it is there."""
        place = self.names.places.get(name)
        return None if place is None else self.values[place]

    def by_name(self) -> dict[str, str]:
        """Lower-case name -> value."""
        return dict(zip(self.names.places, self.values, strict=True))


_names = Remembered(Names, size=1024)


def fields_of(headers: Headers) -> Fields:
    """The fields of a head."""
    return _names[tuple([name for name, _ in headers])].fields([value for _, value in headers])


class Covered:
    """The header fields that a signature covers."""

    __slots__ = ("_form", "_pick", "listed")

    def __init__(self, signed: Sequence[str], places: Mapping[str, int]) -> None:
        """`signed`: their lower-case names, sorted. `places`: of the fields that are there."""
        lines = [f"{name.replace('%', '%%')}:{'%s' if name in places else ''}\n" for name in signed]
        self.listed = ";".join(signed)
        """SignedHeaders."""
        self._form = f"{''.join(lines)}\n{self.listed.replace('%', '%%')}\n"
        self._pick = picker([places[name] for name in signed if name in places])

    def lines(self, values: Sequence[str]) -> str:
        """What the canonical request says of them: their lines, an empty one, and their names."""
        found = self._pick(values)
        text = self._form % found
        if " " not in text and "\t" not in text:
            return text
        return self._form % tuple([collapsed(value) for value in found])

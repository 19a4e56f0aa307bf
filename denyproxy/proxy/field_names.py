"""The names of a message's header fields, and what they say: worked out once, since messages repeat them.

A head whose names were seen often is read by one pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from denyproxy.picking import Pick, picker
from denyproxy.proxy.heads import NotHTTP, Role, roles
from denyproxy.sigv4.fields import Names

KEPT_NAMES = 1024
"""Bytes of names that are kept."""
_OFTEN = 16
"""As many heads with the same names are worth a pattern, which takes longer to compile than they to read."""
LONGEST_LENGTH = 18
"""Digits of a Content-Length."""
_PLAIN_VALUE = r" (?![ \t])(.*)(?<![ \t])"
"""With one space before it and none after."""
_FRAMING = {
    Role.CONTENT_LENGTH: rf" ([0-9]{{1,{LONGEST_LENGTH}}})",
    Role.TRANSFER_ENCODING: r" ((?i:chunked))",
    Role.EXPECT: r" ((?i:100-continue))",
    Role.CONNECTION: r" ((?i:keep-alive))",
}
"""What these say in plain heads."""


@dataclass(slots=True)
class FieldNames:
    """The names of a message's header fields, in their order, and what they say."""

    starts: tuple[bytes, ...]
    """As on the wire, colons included."""
    hosts: int
    length: int | None
    """The place of Content-Length."""
    coding: int | None
    """Of Transfer-Encoding."""
    expect: int | None
    """Of the last Expect."""
    connection: tuple[int, ...]
    """The places of Connection."""
    says_nothing: bool
    """Are there none of these?"""
    dropped: tuple[int, ...]
    """The places of those that stay behind, as far as names tell."""
    kept: Pick
    """The others."""
    text: Names
    """Of the others."""
    short: bool
    """Are they short enough to be kept for the next message?"""
    seen: int = 0
    """Messages that had these names, until there is a pattern."""
    pattern: re.Pattern[str] | None = None
    """What a plain head with these names matches as a whole: its groups are parts of the first line, then values."""
    first: int = 0
    """The group of the first value."""

    def match(self, head: bytes) -> re.Match[str] | None:
        """Is it a plain head with these names? ASCII, in lines that end by CRLF, of HTTP/1.1; each value has one space
        before it, and those that frame the message are the common ones: its connection goes on."""
        if self.pattern is None or not head.isascii() or head.count(13) != len(self.starts) or 0 in head:
            return None
        return self.pattern.fullmatch(head.decode("ascii"))

    def travelling(self, head: bytes, match: re.Match[str]) -> bytes:
        """A plain head without the fields that stay behind."""
        kept, start, first = b"", 0, self.first
        for place in self.dropped:
            kept += head[start : match.end(first + place - 1)]
            start = match.end(first + place)
        return kept + head[start:] if start else head

    def mentions_dropped(self, head: bytes) -> bool:
        """Does a head name a field that stays behind somewhere else too, perhaps among those that are signed?"""
        lower = head.lower()
        names = [self.starts[place][:-1].lower() for place in self.dropped]
        return any(lower.count(name) > names.count(name) for name in names)

    def note(self, first_line: str) -> None:
        """A message had these names. `first_line`: the pattern of its first line."""
        self.seen += 1
        if self.seen == _OFTEN and (self.length is None or self.coding is None):
            lines = (
                re.escape(start.decode("ascii")) + _FRAMING.get(roles[start], _PLAIN_VALUE) for start in self.starts
            )
            self.pattern = re.compile("\r\n".join((first_line, *lines)))
            self.first = self.pattern.groups - len(self.starts) + 1


def read_names(starts: tuple[bytes, ...]) -> FieldNames:
    """What names say. Raises NotHTTP."""
    kinds = [roles[start] for start in starts]
    if Role.MALFORMED in kinds:
        raise NotHTTP("a malformed header field")
    if kinds.count(Role.CONTENT_LENGTH) > 1 or kinds.count(Role.TRANSFER_ENCODING) > 1:
        raise NotHTTP("two Content-Lengths, or two Transfer-Encodings")
    places = {role: place for place, role in enumerate(kinds)}
    kept = [place for place, role in enumerate(kinds) if role not in _STAY_BEHIND]
    return FieldNames(
        starts,
        kinds.count(Role.HOST),
        places.get(Role.CONTENT_LENGTH),
        places.get(Role.TRANSFER_ENCODING),
        places.get(Role.EXPECT),
        tuple(place for place, role in enumerate(kinds) if role is Role.CONNECTION),
        _SAY_NOTHING.issuperset(kinds),
        tuple(sorted(set(range(len(starts))).difference(kept))),
        picker(kept),
        Names(tuple(starts[place][:-1].decode("ascii") for place in kept)),
        sum(map(len, starts)) <= KEPT_NAMES,
    )


_SAY_NOTHING = frozenset({Role.RELAYED, Role.DROPPED, Role.HOST})
_STAY_BEHIND = (Role.CONNECTION, Role.DROPPED)


def starts_of(fields: Sequence[bytes]) -> tuple[bytes, ...]:
    """The names of field lines as on the wire, colons included."""
    return tuple([line[: line.find(b":") + 1] for line in fields])

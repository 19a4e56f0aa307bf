"""Glob matching as IAM does it: `*` is any run of characters, `?` any one; in ARN comparison, segment by segment.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
No match costs more than length of pattern x length of text, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum

Predicate = Callable[[str], bool]


class Wild(Enum):
    """What in a pattern is not literal text."""

    RUN = "*"
    ONE = "?"
    ANYTHING = "${}"
    """The value of a variable that is not known: any run of characters, separators of ARN segments included."""


Tokens = tuple[str | Wild, ...]
"""A pattern, taken apart: literal text (wildcard characters in it are literal) and wildcards."""

_WILD = {"*": Wild.RUN, "?": Wild.ONE}
SEPARATORS = 5
"""An ARN has six segments; the last may contain colons."""


def tokens_of(pattern: str) -> Tokens:
    """Take a pattern apart: `a*b` -> ("a", RUN, "b")."""
    if "*" not in pattern and "?" not in pattern:
        return (pattern,) if pattern else ()
    tokens: list[str | Wild] = []
    start = 0
    for position, character in enumerate(pattern):
        if character in _WILD:
            if position > start:
                tokens.append(pattern[start:position])
            tokens.append(_WILD[character])
            start = position + 1
    if start < len(pattern):
        tokens.append(pattern[start:])
    return tuple(tokens)


def literal(tokens: Tokens) -> str | None:
    """The text of a pattern without wildcards, or None."""
    if len(tokens) == 1:
        return tokens[0] if isinstance(tokens[0], str) else None
    texts: list[str] = []
    for token in tokens:
        if not isinstance(token, str):
            return None
        texts.append(token)
    return "".join(texts)


def is_everything(tokens: Tokens) -> bool:
    """Does it match any text (`*`, `**`)?"""
    return bool(tokens) and all(token is Wild.RUN for token in tokens)


def everything(text: str) -> bool:
    """The predicate of `*`."""
    return True


def nothing(text: str) -> bool:
    """The predicate of no pattern at all."""
    return False


def any_glob(patterns: Iterable[Tokens]) -> Predicate:
    """Does a text match one of these patterns as a whole? Literals cost one look-up, prefixes one comparison."""
    literals: set[str] = set()
    prefixes: list[str] = []
    others: list[Predicate] = []
    for tokens in patterns:
        if is_everything(tokens):
            return everything
        text = literal(tokens)
        if text is not None:
            literals.add(text)
            continue
        prefix = literal(tokens[:-1]) if tokens[-1] is Wild.RUN else None
        if prefix is not None:
            prefixes.append(prefix)
        else:
            others.append(_glob(tokens))
    return _either(literals, tuple(prefixes), others)


def _either(literals: set[str], prefixes: tuple[str, ...], others: list[Predicate]) -> Predicate:
    if others:
        simple = _either(literals, prefixes, [])
        alternatives = tuple(others) if simple is nothing else (simple, *others)
        if len(alternatives) == 1:
            return alternatives[0]

        def alternative(text: str) -> bool:
            for matches in alternatives:  # noqa: SIM110 a loop, since any() of a generator costs twice as much
                if matches(text):
                    return True
            return False

        return alternative
    if literals and prefixes:
        return lambda text: text in literals or text.startswith(prefixes)
    if prefixes:
        return lambda text: text.startswith(prefixes)
    if not literals:
        return nothing
    if len(literals) == 1:
        only = literals.pop()
        return lambda text: text == only
    return frozenset(literals).__contains__


def glob(pattern: str, text: str) -> bool:
    """Does the text match the pattern as a whole?"""
    return any_glob((tokens_of(pattern),))(text)


def matches_tokens(tokens: Tokens, text: str) -> bool:
    """As `any_glob` of a single pattern, for one that is not worth compiling."""
    whole = literal(tokens)
    if whole is not None:
        return text == whole
    prefix = literal(tokens[:-1]) if tokens[-1] is Wild.RUN else None
    return text.startswith(prefix) if prefix is not None else _glob(tokens)(text)


class _Piece:
    """A part of a pattern between two `*`, with one `?` at least: literals at offsets."""

    __slots__ = ("length", "parts")

    def __init__(self, tokens: Sequence[str | Wild]) -> None:
        parts: list[tuple[int, str]] = []
        length = 0
        for token in tokens:
            if isinstance(token, str):
                parts.append((length, token))
                length += len(token)
            else:
                length += 1
        self.length = length
        self.parts = tuple(parts)

    def at(self, text: str, position: int) -> bool:
        """Does it match at this position, the text being long enough?"""
        for offset, part in self.parts:  # noqa: SIM110 a loop, since all() of a generator costs twice as much
            if not text.startswith(part, position + offset):
                return False
        return True

    def find(self, text: str, start: int, end: int) -> int:
        """The first position from `start` where it matches and ends by `end`, or -1."""
        last = end - self.length
        if not self.parts:
            return start if start <= last else -1
        offset, anchor = self.parts[0]
        position = text.find(anchor, start + offset, end) - offset
        while start <= position <= last:
            if self.at(text, position):
                return position
            position = text.find(anchor, position + offset + 1, end) - offset
        return -1


def _glob(tokens: Tokens) -> Predicate:
    """Head and tail are anchored; what is between is found leftmost, which is enough: no backtracking."""
    groups: list[list[str | Wild]] = [[]]
    for token in tokens:
        if token is Wild.RUN:
            groups.append([])
        else:
            groups[-1].append(token)
    head = _Piece(groups[0])
    if len(groups) == 1:
        return lambda text: len(text) == head.length and head.at(text, 0)
    tail = _Piece(groups[-1])
    middle = [_Piece(group) for group in groups[1:-1] if group]
    shortest = head.length + tail.length
    # Most texts differ at the very beginning, or at the end.
    start, end_text = _leading(tokens), _leading(tokens[::-1])

    def matches(text: str) -> bool:
        if not text.startswith(start) or not text.endswith(end_text):
            return False
        end = len(text) - tail.length
        if len(text) < shortest or not head.at(text, 0) or not tail.at(text, end):
            return False
        position = head.length
        for piece in middle:
            found = piece.find(text, position, end)
            if found < 0:
                return False
            position = found + piece.length
        return True

    return matches


def _leading(tokens: Tokens) -> str:
    return tokens[0] if tokens and isinstance(tokens[0], str) else ""


def arn_segments(tokens: Tokens) -> tuple[Tokens, ...] | None:
    """A pattern cut at its first five colons, or None: it has fewer than six segments."""
    segments: list[list[str | Wild]] = [[]]
    for token in tokens:
        if isinstance(token, str):
            first, *rest = token.split(":", SEPARATORS + 1 - len(segments))
            if first:
                segments[-1].append(first)
            segments.extend([text] if text else [] for text in rest)
        else:
            segments[-1].append(token)
    return tuple(tuple(segment) for segment in segments) if len(segments) == SEPARATORS + 1 else None


def any_arn(patterns: Iterable[Tokens]) -> Predicate:
    """Does an ARN match one of these patterns, each of the six segments by itself? Others never match."""
    rows: list[tuple[tuple[int, Predicate], ...]] = []
    for tokens in patterns:
        segments = arn_segments(tokens)
        if segments is not None:
            checks = ((index, any_glob((segment,))) for index, segment in enumerate(segments))
            # The last segments tell most patterns apart.
            rows.append(tuple((index, check) for index, check in reversed(list(checks)) if check is not everything))
    if not rows:
        return nothing

    def matches(text: str) -> bool:
        parts = text.split(":", SEPARATORS)
        if len(parts) <= SEPARATORS:
            return False
        for row in rows:
            for index, check in row:
                if not check(parts[index]):
                    break
            else:
                return True
        return False

    return matches


def may_match(tokens: Tokens, text: str, *, arn: bool = False) -> bool:
    """Can the pattern match for some text in place of each ANYTHING? With `arn`, `*` and `?` keep to their segment."""
    if not text.startswith(_leading(tokens)) or not text.endswith(_leading(tokens[::-1])):
        return False
    size = len(text)
    separators: list[int] = []
    if arn:
        separators = [position for position, character in enumerate(text) if character == ":"][:SEPARATORS]
        if len(separators) < SEPARATORS:
            return False
    positions = {0}
    for token in tokens:
        if isinstance(token, str):
            positions = {position + len(token) for position in positions if text.startswith(token, position)}
            if not positions:
                return False
        elif token is Wild.ONE:
            positions = {position + 1 for position in positions if position < size and position not in separators}
        elif positions:
            reached: set[int] = set()
            for position in sorted(positions):
                if position not in reached:
                    barriers = separators if token is Wild.RUN else ()
                    end = next((barrier for barrier in barriers if barrier >= position), size)
                    reached.update(range(position, end + 1))
            positions = reached
    return size in positions

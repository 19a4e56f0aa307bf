"""What is worked out of short texts that repeat, such as the names of header fields."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import TypeVar

K = TypeVar("K", str, bytes, tuple[str, ...], tuple[bytes, ...], tuple[tuple[str, ...], str])
V = TypeVar("V")


class Remembered(dict[K, V]):
    """`remembered[key]` is `work(key)`, kept in the place of the oldest: whoever makes up keys cannot make it grow."""

    def __init__(self, work: Callable[[K], V], *, entries: int = 1024, size: int = 64) -> None:
        """`size`: of the largest key that is kept, in characters or bytes."""
        super().__init__()
        self._work: Callable[[K], V] = work
        self._entries = entries
        self._size = size

    def __missing__(self, key: K) -> V:
        value = self._work(key)
        if _size(key) <= self._size:
            if len(self) >= self._entries:
                del self[next(iter(self))]
            self[key] = value
        return value


def _size(key: Sized) -> int:
    return sum(map(_size, key)) if isinstance(key, tuple) else len(key)

"""Where message bodies end, without I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from denyproxy.proxy.heads import NotHTTP

BODILESS = frozenset({204, 304})
"""Statuses of responses that have no body, whatever their head says."""

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_LONGEST_CHUNK_LINE = 4096
_LONGEST_TRAILER = 64 * 1024


Data = bytes | memoryview
"""Off the wire. A view is good only until the next read."""


class Framing(Protocol):
    """Where a body ends."""

    ended: bool

    def feed(self, data: Data) -> tuple[Sequence[Data], Data]:
        """Pieces of the body, without its framing, and what came after its end. Raises NotHTTP."""

    def close(self) -> bool:
        """The connection has ended: is the body complete?"""


class Sized:
    """A body of known length; zero: none."""

    __slots__ = ("_left", "ended")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length

    def feed(self, data: Data) -> tuple[Sequence[Data], Data]:
        """See `Framing`."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return (data,), b""
        left, self._left, self.ended = self._left, 0, True
        return ((data,), b"") if size == left else ((data[:left],), data[left:])

    def close(self) -> bool:
        """See `Framing`."""
        return self.ended


class UntilClose:
    """A body that ends with its connection."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False

    def feed(self, data: Data) -> tuple[Sequence[Data], Data]:
        """See `Framing`."""
        return (data,), b""

    def close(self) -> bool:
        """See `Framing`."""
        self.ended = True
        return True


class Chunked:
    """A body in chunks. Extensions and trailers are dropped."""

    __slots__ = ("_held", "_left", "_trailer", "ended")

    def __init__(self) -> None:
        self._held = b""
        """The start of a line that is not here as a whole."""
        self._left = -1
        """Of the chunk under way, the CRLF after it included; -1: its size comes next."""
        self._trailer = -1
        """Bytes of the trailer so far; -1: it has not begun."""
        self.ended = False

    def feed(self, data: Data) -> tuple[Sequence[Data], Data]:
        """See `Framing`."""
        pieces: list[bytes] = []
        data = self._held + data if self._held else bytes(data)
        self._held = b""
        at = 0
        while at < len(data) and not self.ended:
            if self._left > 2:
                piece = data[at : at + self._left - 2]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return pieces, b""
            self._line(data[at:end])
            at = end + 2
        return pieces, data[at:]

    def _line(self, line: bytes) -> None:
        if self._left == 2:
            if line:
                raise NotHTTP("a chunk longer than its size")
            self._left = -1
        elif self._trailer >= 0:
            self._trailer += len(line)
            self.ended = not line
            if self._trailer > _LONGEST_TRAILER:
                raise NotHTTP("too long a trailer")
        else:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise NotHTTP("a malformed chunk size")
            self._left = int(size[1], 16) + 2
            if self._left == 2:
                self._left, self._trailer = -1, 0

    def _hold(self, line: bytes) -> None:
        if len(line) > (1 if self._left == 2 else _LONGEST_CHUNK_LINE):
            raise NotHTTP("too long a line in a chunked body")
        self._held = line

    def close(self) -> bool:
        """See `Framing`."""
        return self.ended


def chunk(data: Data) -> bytes:
    """A piece of a body as a chunk; of nothing: the end of a chunked body."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))

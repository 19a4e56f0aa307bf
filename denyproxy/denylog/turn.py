"""Whose turn it is to write to a log that several processes share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """One writer at a time, by a lock on an open file that the processes inherit; the end of a process gives it up.

    A pipe takes no more than PIPE_BUF bytes (4096) at once, and a full disk only a part of a line: without turns,
    another process could write in between."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of an empty temporary file, opened once for all processes."""
        self._descriptor = descriptor

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Wait for it, and keep it. Gives whether the last writer left the start of a line behind."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            torn = os.pread(self._descriptor, 1, 0) == b"1"
            os.pwrite(self._descriptor, b"1", 0)
            yield torn
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def done(self) -> None:
        """The line is there as a whole."""
        os.pwrite(self._descriptor, b"0", 0)

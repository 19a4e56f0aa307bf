"""Lines on their way to stdout or a file, through a bounded queue and a thread of their own.

A slow or full disk never holds up the relay: what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from contextlib import AbstractContextManager
from io import RawIOBase
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

_STDOUT = "-"


class Writing(Protocol):
    """See `denyproxy.denylog.turn.Turn`."""

    def take(self) -> AbstractContextManager[bool]:
        """Wait for the turn. Gives whether the last writer left the start of a line behind."""

    def done(self) -> None:
        """The line is there as a whole."""


class DenyLog:
    """An append-only log of lines, written whole and in order. One thread writes; any may put."""

    def __init__(self, destination: str = _STDOUT, *, capacity: int = 10_000, turn: Writing | None = None) -> None:
        """`destination`: `-` for stdout, or a file's path. `capacity`: lines that may wait. `turn`: of several
        processes that write to it."""
        self._turn = turn
        self._path = None if destination == _STDOUT else Path(destination)
        self._lines: queue.Queue[bytes | None] = queue.Queue(capacity)
        self._reopen = threading.Event()
        self._thread: threading.Thread | None = None
        self._torn = False
        self._overflowed = 0
        self._failed = 0
        self.written = 0

    @property
    def dropped(self) -> int:
        """Lines lost to a full queue or a failing disk."""
        return self._overflowed + self._failed

    def start(self) -> None:
        """Open the destination and start writing. Raises OSError if it cannot be opened."""
        stream = self._open()
        self._thread = threading.Thread(target=self._write_all, args=(stream,), name="denylog", daemon=True)
        self._thread.start()

    def put(self, line: bytes | str) -> None:
        """Queue a line (without its line break); never waits, never raises."""
        data = line.encode("utf-8", "replace") if isinstance(line, str) else line
        try:
            self._lines.put_nowait(data.replace(b"\n", b" ") + b"\n")
        except queue.Full:
            self._overflowed += 1
            _report(self._overflowed, "cannot keep up")

    def reopen(self) -> None:
        """Open the file anew before the next line: after a rotation."""
        self._reopen.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Write what waits, for at most `timeout` seconds, and end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._lines.put(None, timeout=timeout)
        except queue.Full:
            log.error("the denial log could not be flushed: %d records are lost", self._lines.qsize())
        else:
            thread.join(timeout)
        if self.dropped:
            log.error("the denial log lost %d records", self.dropped)

    def _open(self) -> RawIOBase:
        if self._path is None:
            raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
            assert isinstance(raw, RawIOBase)
            return raw
        return self._path.open("ab", buffering=0)

    def _write_all(self, stream: RawIOBase) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if self._reopen.is_set():
                    self._reopen.clear()
                    stream = self._reopened(stream)
                self._write_in_turn(stream, line)
            except (OSError, ValueError) as error:
                self._failed += 1
                _report(self._failed, f"cannot be written ({type(error).__name__}: {error})")
            else:
                self.written += 1
        if self._path is not None:
            stream.close()

    def _write_in_turn(self, stream: RawIOBase, line: bytes) -> None:
        if self._turn is None:
            self._write(stream, line)
            return
        with self._turn.take() as torn:
            self._torn = torn
            self._write(stream, line)
            self._turn.done()

    def _write(self, stream: RawIOBase, line: bytes) -> None:
        """A line that was cut short by a full disk is ended before the next one begins."""
        rest = memoryview(b"\n" + line if self._torn else line)
        while rest:
            written = stream.write(rest) or 0
            rest = rest[written:]
            self._torn = bool(rest)

    def _reopened(self, stream: RawIOBase) -> RawIOBase:
        if self._path is None:
            return stream
        fresh = self._open()
        stream.close()
        self._torn = False
        return fresh


def _report(count: int, what: str) -> None:
    """At the first, the second, the fourth ...: a storm does not flood the other log."""
    if count & (count - 1) == 0:
        log.warning("the denial log %s: %d records dropped so far", what, count)

"""Lines on their way to stdout or a file, through a bounded queue and a thread of their own.

A slow or full disk never holds up the relay: what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

_STDOUT = "-"


class DenyLog:
    """An append-only log. `destination`: `-` for stdout, or a file's path; `capacity`: lines that may wait."""

    def __init__(self, destination: str = _STDOUT, *, capacity: int = 10_000) -> None:
        self._path = None if destination == _STDOUT else Path(destination)
        self._lines: queue.Queue[bytes | None] = queue.Queue(capacity)
        self._reopen = threading.Event()
        self._thread: threading.Thread | None = None
        self.written = 0
        self.dropped = 0
        """Lines lost to a full queue or a failing disk."""

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
            self._drop()

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
            log.error("the denial log could not be flushed: %d lines are lost", self._lines.qsize())
            return
        thread.join(timeout)
        if self.dropped:
            log.error("the denial log lost %d lines", self.dropped)

    def _drop(self) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:
            log.warning("the denial log cannot keep up: %d lines dropped so far", self.dropped)

    def _open(self) -> BinaryIO:
        if self._path is None:
            return sys.stdout.buffer
        return self._path.open("ab", buffering=0)

    def _write_all(self, stream: BinaryIO) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if self._reopen.is_set():
                    self._reopen.clear()
                    stream = self._reopened(stream)
                stream.write(line)
                if self._path is None:
                    stream.flush()
            except (OSError, ValueError):
                self._drop()
            else:
                self.written += 1
        if self._path is not None:
            stream.close()

    def _reopened(self, stream: BinaryIO) -> BinaryIO:
        if self._path is None:
            return stream
        fresh = self._open()
        stream.close()
        return fresh

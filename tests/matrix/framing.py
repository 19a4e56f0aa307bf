"""Splits one direction of an HTTP/1.1 connection into its messages, as the bytes pass by."""

from __future__ import annotations

from typing import Protocol

CHUNKED = -1
UNTIL_CLOSE = -2


class Sink(Protocol):
    """Who hears of the messages."""

    def head(self, raw: bytes) -> tuple[bytes, int]:
        """A head, blank line included; gives what to pass on instead, and the body's length, CHUNKED or UNTIL_CLOSE."""

    def body(self, data: bytes) -> None:
        """Some of the body, without chunk framing."""

    def end(self) -> None:
        """The message is whole."""


class Framing:
    """`feed` gives back what is to be passed on."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._length = 0  # of the body: what is left, CHUNKED or UNTIL_CLOSE
        self._chunk = 0  # bytes left of a chunk with the CRLF after it
        self._in_head = True
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        out: list[bytes] = []
        while self._buffer and (passed := self._step()) is not None:
            out.append(passed)
        return b"".join(out)

    def close(self) -> None:
        if self._length == UNTIL_CLOSE:
            self._end()

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        return None if end < 0 else self._take(end + 2)

    def _end(self) -> None:
        self._in_head, self._in_trailer, self._length = True, False, 0
        self._sink.end()

    def _step(self) -> bytes | None:
        """Consume something; None: more is needed."""
        if self._in_head:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            raw, self._length = self._sink.head(self._take(end + 4))
            self._in_head = False
            if self._length == 0:
                self._end()
            return raw
        if self._length == CHUNKED:
            return self._chunked()
        data = self._take(len(self._buffer) if self._length == UNTIL_CLOSE else self._length)
        self._sink.body(data)
        if self._length != UNTIL_CLOSE:
            self._length -= len(data)
            if not self._length:
                self._end()
        return data

    def _chunked(self) -> bytes | None:
        if self._chunk:
            data = self._take(self._chunk)
            content = max(0, min(len(data), self._chunk - 2))
            self._sink.body(data[:content])
            self._chunk -= len(data)
            return data
        line = self._line()
        if line is None:
            return None
        if self._in_trailer:
            if line == b"\r\n":
                self._end()
            return line
        size = int(line.partition(b";")[0], 16)
        self._chunk = size + 2 if size else 0
        self._in_trailer = not size
        return line

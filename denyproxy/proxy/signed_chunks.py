"""Bodies in signed chunks on their way: what is wrong with one is told in S3's words."""

from __future__ import annotations

from denyproxy.proxy.errors import Refused
from denyproxy.sigv4.chunked import ChunkError, Rechunker


class SignedChunks:
    """A body in signed chunks, signed again: see `Rewriting`."""

    def __init__(self, rechunker: Rechunker) -> None:
        self._rechunker = rechunker

    def feed(self, data: bytes) -> bytes:
        """See `Rewriting`."""
        try:
            return self._rechunker.feed(data)
        except ChunkError as error:
            raise _refused(error) from None

    def finish(self) -> bytes:
        """See `Rewriting`."""
        try:
            return self._rechunker.finish()
        except ChunkError as error:
            raise _refused(error) from None


def _refused(error: ChunkError) -> Refused:
    mismatch = error.code == "SignatureDoesNotMatch"
    return Refused(error.message, status=403 if mismatch else 400, code=error.code, element="payload")

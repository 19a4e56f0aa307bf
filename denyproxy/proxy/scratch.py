"""Memory to read into."""

from __future__ import annotations

_BYTES = 512 * 1024


class Scratch:
    """What the connections of a loop read into, one after another, so that nothing large has to be allocated.

    It holds what was read last; who needs that for longer copies it, or takes it away."""

    __slots__ = ("view",)

    def __init__(self) -> None:
        self.take_away()

    def take_away(self) -> None:
        """Read the next into other memory."""
        self.view = memoryview(bytearray(_BYTES))

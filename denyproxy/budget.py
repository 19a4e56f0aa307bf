"""How much of its time the relay may give to explaining."""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW = 0.1
"""Seconds over which the share is kept."""
_RECOVERY = 0.1
_BUSY = 0.9
"""Share of the time from which on a thread has none to spare."""
_LATE = 0.02
"""Seconds that it may come too late."""


class Budget:
    """A share of the time, kept over a sliding window: all of it, unless the relay has none to spare.

    Every tick without time to spare halves the share, down to `floor`; every other one gives some of it back."""

    def __init__(self, floor: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`floor`: the least share. `clock`: seconds."""
        self._floor = floor
        self._clock = clock
        self._at = clock()
        self._credit = WINDOW
        self.share = 1.0

    def may_spend(self) -> bool:
        """Is there time for another explanation?"""
        now = self._clock()
        self._credit = min(WINDOW * self.share, self._credit + (now - self._at) * self.share)
        self._at = now
        return self._credit > 0

    def spend(self, seconds: float) -> None:
        """Count what an explanation took."""
        self._credit -= seconds

    def tick(self, *, saturated: bool) -> None:
        """Adapt the share. `saturated`: the relay had no time to spare since the last tick."""
        self.share = max(self._floor, self.share / 2) if saturated else min(1.0, self.share + _RECOVERY)


class Load:
    """Has a thread time to spare? From the CPU time it took, and from how late it came to what it wanted to do."""

    def __init__(
        self, cpu: Callable[[], float] = time.thread_time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu = cpu
        self._clock = clock
        self._spent = cpu()
        self._at = clock()

    def saturated(self, pause: float, spared: float) -> bool:
        """Since the last call, after which it wanted to be asked again in `pause` seconds. `spared`: seconds of CPU
        that it took for what could have waited."""
        now, spent = self._clock(), self._cpu()
        elapsed, busy = now - self._at, spent - self._spent
        self._at, self._spent = now, spent
        late = elapsed - pause - spared
        return late > _LATE or busy - spared > _BUSY * (elapsed - spared)

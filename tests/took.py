"""Processor time of a piece of work, for limits that what is quadratic misses by far."""

from __future__ import annotations

import time
from collections.abc import Callable


def took(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start

"""How fast is this machine now? A rate beside that of a fixed piece of plain Python is a figure to compare."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

STEPS = 50_000
"""Of one run of `calibration`."""
ROUNDS = 7


def calibration() -> int:
    """A fixed piece of plain Python: dictionary look-ups, string comparisons, calls."""
    table = {f"key{number}": f"value{number}" for number in range(100)}

    def step(key: str) -> bool:
        value = table.get(key)
        return value is not None and value.startswith("value9")

    keys = [f"key{number}" for number in range(200)]
    return sum(step(key) for _ in range(250) for key in keys)


def seconds(run: Callable[[], object]) -> float:
    """Seconds of CPU that one run takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def rate(run: Callable[[], object], units: int) -> float:
    """Units per second; the median of some rounds."""
    run()
    gc.collect()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return units / statistics.median(times)


def rate_and_ratio(run: Callable[[], object], units: int) -> tuple[float, float]:
    """Units per second, and that beside the calibration's steps per second.

    Each round stands beside a calibration of its own, so that what else the machine does bears on both."""
    run()
    gc.collect()
    rounds = [(units / seconds(run), STEPS / seconds(calibration)) for _ in range(ROUNDS)]
    return statistics.median(found for found, _ in rounds), statistics.median(found / own for found, own in rounds)

"""CPU time, memory and cores of a process and all its descendants (Linux, /proc)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for thread in _threads(pid):
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                yield from tree(int(child))


def _threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def pin(pid: int, cores: set[int]) -> None:
    """Keep all threads to these cores."""
    for process in tree(pid):
        for thread in _threads(process):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, cores)


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    total = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory(pid: int, field: str) -> int:
    """VmRSS or VmHWM in bytes, summed up."""
    total = 0
    for process in tree(pid):
        found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total


def forget_peak(pid: int) -> None:
    """Begin VmHWM anew."""
    for process in tree(pid):
        Path(f"/proc/{process}/clear_refs").write_text("5")

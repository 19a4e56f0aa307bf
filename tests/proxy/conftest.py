"""Every test of the relay runs on asyncio's own loop and on uvloop, which `denyproxy serve` uses where it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name of a loop -> what makes it."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

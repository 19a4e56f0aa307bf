"""Every test of the relay runs on both event loops, and with the product's upstream client and its reference."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from tests.proxy.wire import UPSTREAMS, upstream_client


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name of a loop -> what makes it."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=UPSTREAMS, autouse=True)
def client(request: pytest.FixtureRequest) -> Iterator[str]:
    """The upstream client of a test."""
    token = upstream_client.set(request.param)
    yield request.param
    upstream_client.reset(token)

"""Every fault on both event loops, and with the product's upstream client and its reference."""

from __future__ import annotations

from tests.proxy.conftest import client, pytest_asyncio_loop_factories

__all__ = ["client", "pytest_asyncio_loop_factories"]

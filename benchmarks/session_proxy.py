"""denyproxy with the reference upstream client of the tests: python -m benchmarks.session_proxy serve ..."""

from __future__ import annotations

from denyproxy import app, cli
from tests.proxy.session import SessionUpstream

if __name__ == "__main__":
    app.PoolUpstream = SessionUpstream  # type: ignore[assignment,misc]
    cli.main()

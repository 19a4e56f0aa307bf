"""denyproxy that explains nothing: python -m benchmarks.silent_proxy serve ..."""

from __future__ import annotations

from collections.abc import Generator

from denyproxy import app, cli
from denyproxy.exchange import Answer, DeniedCall
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.wiring import ColdPath


class Silent(ColdPath):
    """Answers every denial with its id."""

    def at_once(self, call: DeniedCall, snapshot: PolicySnapshot) -> tuple[Answer, str | None] | None:
        """The id alone."""
        return Answer(), "{}"

    def in_slices(self, call: DeniedCall, snapshot: PolicySnapshot) -> Generator[None, None, str | None]:
        """No record."""
        yield
        return None


if __name__ == "__main__":
    app.ColdPath = Silent  # type: ignore[misc]
    cli.main()

"""denyproxy in front of a server, as anyone would run it: a process of its own with a configuration file."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from denyproxy.demo.leash import free_port, leashed


@dataclass(frozen=True, slots=True)
class Front:
    """A running denyproxy."""

    endpoint: str
    config: Path
    log: Path
    """The denial log: one JSON record per line."""

    def record(self, explanation_id: str, within: float = 10.0) -> dict[str, Any] | None:
        """The denial record of an X-Deny-Explanation-Id; None: not written within so many seconds."""
        deadline = time.monotonic() + within
        while True:
            with contextlib.suppress(FileNotFoundError):
                for line in self.log.read_text().splitlines():
                    record: dict[str, Any] = json.loads(line)
                    if record["id"] == explanation_id:
                        return record
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)


@contextlib.contextmanager
def running(directory: Path, upstream: str | None, policies: Path | None, *settings: str) -> Iterator[Front]:
    """Run `denyproxy serve` on free loopback ports, its files in `directory`, until the block ends.

    `upstream`: of the passthrough mode. `settings`: further lines of the configuration. Raises ServerFailed.
    """
    endpoint, console = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    front = Front(f"http://{endpoint}", directory / "denyproxy.toml", directory / "denials.jsonl")
    front.config.write_text(
        f"listen = {json.dumps(endpoint)}\n"
        + (f"upstream.url = {json.dumps(upstream)}\n" if upstream else "")
        + 'upstream.kind = "aws"  # the server plays AWS\n'
        + "".join(f"{line}\n" for line in settings)
        + (f"policies.directory = {json.dumps(str(policies))}\n" if policies else "")
        + f"log.destination = {json.dumps(str(front.log))}\n"
        f"console.listen = {json.dumps(console)}\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("DENYPROXY_")}
    command = [sys.executable, "-m", "denyproxy", "serve", "--config", str(front.config)]
    log = directory / "denyproxy.log"
    with leashed("denyproxy", command, env=env, log=log, ready_url=f"http://{console}/healthz"):
        yield front

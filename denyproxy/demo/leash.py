"""Servers that never outlive us, however we end.

The server runs as a child of this file (`python leash.py COMMAND...`), in a process group of its own.
That process reads a pipe whose other end only we hold: end of file means that we stopped, or were killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 3.0
"""What a server gets to end by itself, before its process group is killed."""


class ServerFailed(Exception):
    """A server ended, or did not become ready in time; the message ends with its last lines."""


@contextlib.contextmanager
def leashed(
    name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, ready_url: str, ready_within: float = 60.0
) -> Iterator[None]:
    """Run a server until the block ends, which starts when `ready_url` answers (any HTTP status).

    Output goes to `log`. Raises ServerFailed if it ends first, or is not ready within `ready_within` seconds.
    """
    with log.open("wb") as output:
        leash = subprocess.Popen(
            [sys.executable, "-I", __file__, *command],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(name, leash, log, ready_url, ready_within)
        yield
    finally:
        assert leash.stdin is not None
        leash.stdin.close()
        leash.wait()


def free_port() -> int:
    """A loopback TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(name: str, leash: subprocess.Popen[bytes], log: Path, url: str, within: float) -> None:
    deadline = time.monotonic() + within
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if leash.poll() is not None:
            raise ServerFailed(f"{name} ended. Its last lines:\n{_tail(log)}")
        with contextlib.suppress(OSError):
            try:
                direct.open(url, timeout=1).close()
            except urllib.error.HTTPError as answer:
                answer.close()
            return
        time.sleep(0.05)
    raise ServerFailed(f"{name} did not answer at {url} within {within:g} s. Its last lines:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def hold(command: Sequence[str]) -> None:
    """Run a command until it ends or standard input does, then kill the process group, this process included."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        while os.read(0, 4096):
            pass
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    child.wait()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    hold(sys.argv[1:])

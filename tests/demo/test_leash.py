"""A leashed server ends with the block, and with the process that holds it, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from denyproxy.demo.leash import ServerFailed, free_port, leashed

SERVER = """
import http.server, os, pathlib, signal, subprocess, sys
if sys.argv[3:] == ["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[2]).write_text(f"{os.getpid()} {grandchild.pid}")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler).serve_forever()
"""
"""It leaves a child behind; a stubborn one does not end when asked to."""

HOLDER = """
import os, pathlib, signal, sys, time
from denyproxy.demo.leash import leashed
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
port, pids, log, server = sys.argv[1:]
with leashed("server", [sys.executable, "-c", server, port, pids], env=os.environ, log=pathlib.Path(log),
             ready_url=f"http://127.0.0.1:{port}/"):
    print("ready", flush=True)
    time.sleep(600)
"""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _pids(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.parametrize("manner", ["obedient", "stubborn"])
def test_the_server_and_its_children_end_with_the_block(manner: str, tmp_path: Path) -> None:
    port, pids = free_port(), tmp_path / "pids"
    command = [sys.executable, "-c", SERVER, str(port), str(pids), manner]
    with leashed("server", command, env=os.environ, log=tmp_path / "log", ready_url=f"http://127.0.0.1:{port}/"):
        running = _pids(pids)
        assert [_is_running(pid) for pid in running] == [True, True]
    assert _until(lambda: not any(map(_is_running, running)))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda ending: ending.name)
def test_the_server_and_its_children_end_with_their_holder(ending: signal.Signals, tmp_path: Path) -> None:
    port, pids = free_port(), tmp_path / "pids"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(port), str(pids), str(tmp_path / "log"), SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == b"ready\n"
        running = _pids(pids)
        holder.send_signal(ending)
    assert _until(lambda: not any(map(_is_running, running)))


def test_a_server_that_ends_at_once_shows_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('port is taken')"]
    never = leashed("a server", command, env=os.environ, log=tmp_path / "log", ready_url="http://127.0.0.1:1/")
    with pytest.raises(ServerFailed, match=r"(?s)^a server ended.*port is taken$"), never:
        pass


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(600)"]
    url = f"http://127.0.0.1:{free_port()}/"
    never = leashed("a server", command, env=os.environ, log=tmp_path / "log", ready_url=url, ready_within=0.5)
    with pytest.raises(ServerFailed, match="did not answer"), never:
        pass

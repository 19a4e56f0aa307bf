"""The denial log: whole lines in order, and never in the way."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from denyproxy.denylog import DenyLog


def test_lines_in_order(tmp_path: Path) -> None:
    """One record per line; what was there stays."""
    path = tmp_path / "denials.jsonl"
    path.write_bytes(b"old\n")
    log = DenyLog(str(path))
    log.start()
    for number in range(1000):
        log.put(f'{{"id":{number}}}')
    log.put(b"bytes")
    log.stop()
    assert path.read_text().splitlines() == ["old", *(f'{{"id":{n}}}' for n in range(1000)), "bytes"]
    assert (log.written, log.dropped) == (1001, 0)


def test_a_record_is_one_line(tmp_path: Path) -> None:
    """Whatever is put."""
    path = tmp_path / "denials.jsonl"
    log = DenyLog(str(path))
    log.start()
    log.put("a\nb\r\nc")
    log.put("lone surrogate \udcff")
    log.stop()
    assert path.read_bytes() == b"a b\r c\nlone surrogate ?\n"


def test_stdout() -> None:
    """`-`, as one line per record and nothing else."""
    program = (
        "from denyproxy.denylog import DenyLog; log = DenyLog('-'); log.start(); log.put('a'); log.put('b'); log.stop()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"a\nb\n", b"")


def test_a_destination_that_cannot_be_opened(tmp_path: Path) -> None:
    """Told at the start, not lost on the way."""
    with pytest.raises(OSError, match="No such file"):
        DenyLog(str(tmp_path / "none" / "denials.jsonl")).start()


def test_a_full_disk_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """/dev/full fails every write with ENOSPC."""
    log = DenyLog("/dev/full")
    log.start()
    for _ in range(5):
        log.put("x")
    log.stop()
    assert (log.written, log.dropped) == (0, 5)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 3  # 1, 2, 4
    assert "No space left" in warnings[0]
    assert "lost 5 records" in caplog.text


def test_a_slow_disk_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that nobody reads takes 64 KiB; the queue takes its bound; the rest is dropped and counted."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = DenyLog(str(path), capacity=10)
    log.start()
    line = "x" * 65536
    for _ in range(1000):
        log.put(line)  # returns, or the test hangs
    dropped = log.dropped
    assert dropped >= 1000 - 10 - 2
    assert "cannot keep up" in caplog.text
    os.set_blocking(reader, True)
    received = bytearray()

    def drain() -> None:
        while data := os.read(reader, 65536):
            received.extend(data)

    draining = threading.Thread(target=drain)
    draining.start()
    log.stop(timeout=60)
    draining.join(60)
    os.close(reader)
    assert bytes(received) == (line.encode() + b"\n") * (1000 - dropped)
    assert log.written == 1000 - dropped


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A disk that fills up in the middle of a record."""
    path = tmp_path / "denials.jsonl"
    program = (
        "import resource, signal, sys\n"
        "from denyproxy.denylog import DenyLog\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = DenyLog(sys.argv[1])\n"
        "log.start()\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))\n"
        "log.put('first')\n"
        "while not log.dropped: pass\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "log.put('second')\n"
        "log.stop()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    assert path.read_bytes() == b"firs\nsecond\n"


def test_rotation(tmp_path: Path) -> None:
    """After `reopen` the next line goes to a fresh file of the same name."""
    path, rotated = tmp_path / "denials.jsonl", tmp_path / "denials.1"
    log = DenyLog(str(path))
    log.start()
    log.put("a")
    while not log.written:
        pass
    path.rename(rotated)
    log.reopen()
    log.put("b")
    log.stop()
    assert (rotated.read_bytes(), path.read_bytes()) == (b"a\n", b"b\n")


def test_stop_without_start() -> None:
    """A start that failed elsewhere is cleaned up."""
    DenyLog("/nonexistent/x").stop()

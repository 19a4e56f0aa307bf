"""How much resident memory do large transfers take, above that of an idle proxy?

The upstream is `python -m benchmarks.memory`: it answers GET /bytes/N with N bytes, and reads any upload, those to
/slow slowly.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import processes
from benchmarks.peers import PROXIES, Running, Unavailable, started
from benchmarks.thresholds import Table

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
PARALLEL = 16
SLOW_SECONDS = 2.0


def _serve(connection: socket.socket) -> None:
    buffer = bytearray(MiB)
    received = b""
    with connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            while b"\r\n\r\n" not in received:
                data = connection.recv(64 * KiB)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            if head.startswith(b"GET"):
                size = int(head.split()[1].rpartition(b"/")[2])
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                while size:
                    sent = min(size, MiB)
                    connection.sendall(memoryview(buffer)[:sent])
                    size -= sent
                continue
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            left = int(length[1]) - len(received) if length else 0
            received = b""
            slow = b"/slow" in head.split(b"\r\n")[0]
            while left:
                count = connection.recv_into(buffer, min(left, 64 * KiB if slow else MiB))
                if not count:
                    return
                left -= count
                time.sleep(0.02 if slow else 0)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def serve(port: int) -> None:
    """The upstream, for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=256) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _connect(target: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", target.port))


def _get(target: Running, size: int) -> None:
    with _connect(target) as connection:
        connection.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % size)
        buffer, total = bytearray(MiB), 0
        while count := connection.recv_into(buffer):
            total += count
    if total <= size:
        raise Unavailable(f"{target.name} sent {total} of {size} bytes")


def _head_of_put(size: int, path: bytes = b"/put") -> bytes:
    return b"PUT %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (path, size)


def _put(target: Running, size: int) -> None:
    with _connect(target) as connection:
        connection.sendall(_head_of_put(size))
        piece = bytes(MiB)
        for _ in range(size // MiB):
            connection.sendall(piece)
        answer = connection.recv(64)
    if b" 200" not in answer:
        raise Unavailable(f"{target.name} answered {answer!r}")


def _in_parallel(transfer: Callable[[Running, int], None]) -> Callable[[Running], None]:
    def run(target: Running) -> None:
        threads = [threading.Thread(target=transfer, args=(target, 64 * MiB)) for _ in range(PARALLEL)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def _slow_reader(target: Running) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KiB)
        connection.connect(("127.0.0.1", target.port))
        connection.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % GiB)
        end = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < end:
            connection.recv(16 * KiB)
            time.sleep(0.02)


def _slow_upstream(target: Running) -> None:
    with _connect(target) as connection:
        connection.sendall(_head_of_put(GiB, b"/slow"))
        connection.settimeout(0.2)
        end = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                connection.send(bytes(MiB))


TRANSFERS: dict[str, Callable[[Running], None]] = {
    "get": lambda target: _get(target, GiB),
    "put": lambda target: _put(target, GiB),
    "gets": _in_parallel(_get),
    "puts": _in_parallel(_put),
    "reader": _slow_reader,
    "upstream": _slow_upstream,
}
HEADINGS = ("GET 1 GiB", "PUT 1 GiB", "GET 16x64", "PUT 16x64", "slow read", "slow up")


def measure(names: Sequence[str]) -> Table:
    """Print the figures of each proxy; gives MiB above idle."""
    rows: Table = {}
    print("\nmemory: MiB resident when idle, and MiB above that at the peak of a transfer")
    print(f"  {'':20}{'idle':>8}" + "".join(f"{heading:>11}" for heading in HEADINGS), flush=True)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)

        def sink(port: int, url: str, home: Path) -> list[str]:
            return [sys.executable, "-m", "benchmarks.memory", str(port)]

        origin = stack.enter_context(started("sink", sink, "", directory))
        for proxy in names:
            if proxy in ("mitmproxy", "denyproxy-2"):
                continue
            try:
                with started(f"{proxy}-memory", PROXIES[proxy], origin.url, directory) as target:
                    rows[proxy] = _figures(proxy, target)
            except (Unavailable, OSError) as failure:
                print(f"  {proxy:20}{failure}")
    return rows


def _figures(proxy: str, target: Running) -> dict[str, list[float]]:
    for _ in range(200):
        _get(target, KiB)
    for _ in range(4):
        _get(target, 256 * KiB)
        _put(target, MiB)
    idle = processes.memory(target.pid, "VmRSS")
    print(f"  {proxy:20}{idle / MiB:8.0f}", end="", flush=True)
    row = {}
    for name, transfer in TRANSFERS.items():
        processes.forget_peak(target.pid)
        transfer(target)
        above = (processes.memory(target.pid, "VmHWM") - idle) / MiB
        print(f"{above:11.1f}", end="", flush=True)
        row[name] = [above]
    print(flush=True)
    return row


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""What does the relay cost? Memory of large transfers, and the rate of small requests beside the direct one.

    python -m benchmarks.bench_relay [--gib N] [--rounds N]

Everything runs on loopback: a small upstream, `denyproxy serve` and the load, one process each. Rates depend on the
machine and on who else uses it: direct and proxied rounds alternate, and their ratio is the figure to compare.
Ends with status 1 if a transfer takes more than 100 MiB of resident memory above idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
LIMIT = 100 * MiB
CONNECTIONS = 32
ROUND_SECONDS = 2.0
SMALL = b"GET /bucket/small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Upstream(asyncio.Protocol):
    """An S3 of two objects: /small of 1 KiB, and anything else of the size that its query names; takes any upload."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a head."""
        self.transport = cast(asyncio.Transport, transport)
        self.head = b""
        self.expected = 0
        self.writable = asyncio.Event()
        self.writable.set()
        self.sending: asyncio.Task[None] | None = None

    def pause_writing(self) -> None:
        """The reader is slow."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The reader goes on."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """A head, or a piece of an upload."""
        if self.expected:
            self.expected -= len(data)
            if not self.expected:
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        self.head += data
        while (end := self.head.find(b"\r\n\r\n")) >= 0:
            head, rest = self.head[:end], self.head[end + 4 :]
            self.head = b""
            if head.startswith(b"PUT"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                self.expected = int(length[1]) if length else 0
                if rest:
                    self.data_received(rest)
                return
            self.head = rest
            size = re.search(rb"\?(\d+) HTTP", head)
            if size is None:
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + bytes(KiB))
            else:
                self.sending = asyncio.create_task(self.send(int(size[1])))

    async def send(self, size: int) -> None:
        """A large object, with regard for a slow reader."""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = bytes(256 * KiB)
        for _ in range(size // len(piece)):
            await self.writable.wait()
            self.transport.write(piece)


async def serve_upstream() -> None:
    """Serve for ever, after one line with the port."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def process(*arguments: str, until: str) -> Iterator[tuple[int, int]]:
    """Run Python with these arguments; gives its process id and the port that a line with `until` names."""
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            found = re.search(until, line)
            if found:
                yield child.pid, int(found[1])
                break
        else:
            raise RuntimeError(f"{arguments} ended before it listened")
    finally:
        child.terminate()
        child.wait(30)


def memory(pid: int, field: str) -> int:
    """VmRSS or VmHWM in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * KiB


def forget_peak(pid: int) -> None:
    """Begin VmHWM anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def get(port: int, size: int) -> None:
    """Download, and count."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /bucket/large?%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % size)
    await reader.readuntil(b"\r\n\r\n")
    while size:
        size -= len(await reader.read(min(size, MiB)))
    writer.close()


async def put(port: int, size: int) -> None:
    """Upload."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PUT /bucket/large HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % size)
    piece = bytes(256 * KiB)
    for _ in range(size // len(piece)):
        writer.write(piece)
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    writer.close()


class Asker(asyncio.Protocol):
    """Asks for the small object again and again on one connection."""

    def __init__(self) -> None:
        self.answers = 0
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(SMALL)

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is whole."""
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end >= 0 and len(self.received) >= end + 4 + KiB:
            self.answers += 1
            self.received = b""
            self.transport.write(SMALL)


@contextlib.asynccontextmanager
async def asking(port: int, connections: int) -> AsyncIterator[list[Asker]]:
    """Askers at work."""
    loop = asyncio.get_running_loop()
    askers = [(await loop.create_connection(Asker, "127.0.0.1", port))[1] for _ in range(connections)]
    try:
        yield askers
    finally:
        for asker in askers:
            asker.transport.abort()


async def rate(port: int, pid: int) -> tuple[float, float]:
    """Small requests per second, and CPU seconds of a process for each."""
    async with asking(port, CONNECTIONS) as askers:
        await asyncio.sleep(0.2)
        before, cpu, start = sum(asker.answers for asker in askers), cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(ROUND_SECONDS)
        count = sum(asker.answers for asker in askers) - before
        return count / (time.perf_counter() - start), (cpu_seconds(pid) - cpu) / max(count, 1)


async def measure(upstream: int, proxy: int, pid: int, *, size: int, rounds: int) -> bool:
    """Print all figures. True: memory stayed within its limit."""
    for _ in range(200):
        await get(proxy, 256 * KiB)
    idle = memory(pid, "VmRSS")
    print(f"idle: {idle / MiB:.0f} MiB resident")
    within = True
    for name, transfer in (("GET", get), ("PUT", put)):
        forget_peak(pid)
        start = time.perf_counter()
        await transfer(proxy, size)
        proxied = time.perf_counter() - start
        above = memory(pid, "VmHWM") - idle
        start = time.perf_counter()
        await transfer(upstream, size)
        direct = time.perf_counter() - start
        within = within and above < LIMIT
        print(
            f"{name} of {size / GiB:g} GiB: {above / MiB:+.1f} MiB above idle, "
            f"{size / MiB / proxied:.0f} MiB/s, direct {size / MiB / direct:.0f} MiB/s, ratio {direct / proxied:.2f}"
        )
    pairs = []
    for _ in range(rounds):
        direct_rate, _ = await rate(upstream, pid)
        proxied_rate, cpu = await rate(proxy, pid)
        pairs.append((proxied_rate / direct_rate, proxied_rate, direct_rate, cpu * 1e6))
    ratio, proxied, direct, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"GET of 1 KiB, {CONNECTIONS} connections, medians of {rounds}: {proxied:.0f}/s through the proxy, "
        f"{direct:.0f}/s direct, ratio {ratio:.3f}, {cpu:.0f} us of CPU for each"
    )
    return within


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the large transfers")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of small requests")
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.upstream:
        asyncio.run(serve_upstream())
        return
    with (
        process("-m", "benchmarks.bench_relay", "--upstream", until=r"^(\d+)$") as (_, upstream),
        process(
            *("-m", "denyproxy", "serve", "--upstream", f"http://127.0.0.1:{upstream}", "--listen", "127.0.0.1:0"),
            until=r"listens on 127\.0\.0\.1:(\d+)",
        ) as (pid, proxy),
    ):
        size = int(arguments.gib * GiB) // (256 * KiB) * (256 * KiB)
        within = asyncio.run(measure(upstream, proxy, pid, size=size, rounds=arguments.rounds))
    if not within:
        print(f"more than {LIMIT // MiB} MiB above idle")
        sys.exit(1)


if __name__ == "__main__":
    main()

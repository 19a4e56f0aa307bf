"""Load for `bench_relay`: wrk for small objects, blocking sockets in a process of their own for large ones.

python -m benchmarks.load '{"url": ..., "method": ..., "size": ..., "connections": ..., "seconds" or "count": ...}'
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.peers import ACCESS_KEY, ROOT, SECRET_KEY, Unavailable, program

PIECE = 1 << 20

_LUA = """
wrk.method = "{method}"
{headers}
{body}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\n@ %d %d %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Job:
    """Requests for one URL on some connections, for so many seconds or so many requests."""

    url: str
    method: str
    size: int
    """Of the object, in bytes."""
    connections: int
    seconds: int = 0
    count: int = 0
    bare: bool = False
    """Without the header fields of an SDK."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a load saw."""

    requests: int
    seconds: float
    p50_us: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests per second that went well."""
        return max(self.requests - self.errors, 0) / self.seconds if self.seconds else 0.0


def headers(job: Job) -> dict[str, str]:
    """Those of an SDK: signed, with the hash of the payload, if it is small."""
    if job.bare:
        return {"Host": urlsplit(job.url).netloc}
    upload = job.size if job.method == "PUT" else 0
    payload = hashlib.sha256(bytes(upload)).hexdigest() if upload <= PIECE else "UNSIGNED-PAYLOAD"
    request = AWSRequest(job.method, job.url, headers={"X-Amz-Content-SHA256": payload})
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1")
    signer.payload = lambda _: payload  # type: ignore[method-assign]
    signer.add_auth(request)
    return {"Host": urlsplit(job.url).netloc, "User-Agent": "Boto3/1.43", **dict(request.headers.items())}


def run(job: Job, cores: Iterable[int], directory: Path) -> Figures:
    """Run it, in a process that keeps to these cores."""
    if job.seconds:
        try:
            return _wrk(job, set(cores), directory)
        except Unavailable:
            pass
    argv = [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(job))]
    return Figures(**json.loads(_output(argv, set(cores))))


def _output(argv: list[str], cores: set[int]) -> str:
    done = subprocess.run(
        argv, cwd=ROOT, text=True, capture_output=True, check=False, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.stderr.strip()}")
    return done.stdout


def _wrk(job: Job, cores: set[int], directory: Path) -> Figures:
    script = directory / "load.lua"
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers(job).items())
    body = f'wrk.body = string.rep("\\0", {job.size})' if job.method == "PUT" else ""
    script.write_text(_LUA.format(method=job.method, headers=lines, body=body))
    options = ["-t1", f"-c{job.connections}", f"-d{job.seconds}s", "--timeout", "30s", "-s", str(script)]
    found = re.search(r"^@ (\d+) (\d+) ([\d.]+) (\d+)$", _output([program("wrk"), *options, job.url], cores), re.M)
    assert found, "wrk printed no summary"
    return Figures(int(found[1]), int(found[2]) / 1e6, float(found[3]), int(found[4]))


class _Connection:
    """One client connection, used again and again."""

    def __init__(self, job: Job) -> None:
        parts = urlsplit(job.url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upload = job.size if job.method == "PUT" else 0
        fields = {**headers(job), **({"Content-Length": str(job.size)} if self._upload else {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._head = f"{job.method} {parts.path} HTTP/1.1\r\n{lines}\r\n".encode()
        self._piece = memoryview(bytearray(PIECE))

    def exchange(self) -> bool:
        """One request. True: it was answered with 2xx."""
        self._socket.sendall(self._head)
        left = self._upload
        while left:
            sent = min(left, PIECE)
            self._socket.sendall(self._piece[:sent])
            left -= sent
        head = b""
        while b"\r\n\r\n" not in head:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError(f"closed after {head!r}")
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        left = (int(length[1]) if length else 0) - len(rest)
        while left:
            received = self._socket.recv_into(self._piece[: min(left, PIECE)])
            if not received:
                raise ConnectionError("closed inside a body")
            left -= received
        return head[9:10] == b"2"


def own(job: Job) -> Figures:
    """The job in threads of this process."""
    end = time.monotonic() + job.seconds if job.seconds else float("inf")
    left = [job.count or sys.maxsize]
    times: list[float] = []
    errors = [0]

    def work() -> None:
        connection = _Connection(job)
        while left[0] > 0 and time.monotonic() < end:
            left[0] -= 1
            start = time.perf_counter()
            errors[0] += not connection.exchange()
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(job.connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Figures(len(times), time.perf_counter() - start, statistics.median(times) * 1e6, errors[0])


if __name__ == "__main__":
    print(json.dumps(asdict(own(Job(**json.loads(sys.argv[1]))))))

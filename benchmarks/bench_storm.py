"""A storm of 403s: does the relay go on, and how many of them are explained?

    python -m benchmarks.bench_storm [--seconds N] [--rounds N]

An nginx answers every request with S3's AccessDenied. In front of it stand denyproxy, with the policies of
config/policies, and denyproxy that explains nothing; wrk asks both in turn on 32 connections, as fast as it can, for
keys that are all distinct and for one key alone, and then for either at a pace. The ratio is that of the rates of 403s
in a round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import peers, processes
from benchmarks.peers import ROOT, Running, Unavailable, program, started
from denyproxy.demo.leash import free_port

CONNECTIONS = 32
QUEUE = 1000
"""Denials that may wait; what waits is explained before the next load."""
BUCKET = "amzn-s3-demo-bucket"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
PACES = ((250, True), (500, True), (1000, True), (1500, True), (2000, False), (3000, False))
"""Denials a second, and whether they are distinct."""

_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            default_type application/xml;
            add_header x-amz-request-id $request_id always;
            return 403 '<?xml version="1.0" encoding="UTF-8"?>\\n{error}';
        }}
    }}
"""

_ERROR = (
    "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
    "<RequestId>$request_id</RequestId><HostId>h</HostId></Error>"
)

_LUA = """
local number = 0
local date = os.date("!%Y%m%dT%H%M%SZ")
local authorization = "AWS4-HMAC-SHA256 Credential={key}/" .. date:sub(1, 8) .. "/us-east-1/s3/aws4_request, " ..
  "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" .. string.rep("ab", 32)
local headers = {{
  ["Host"] = "s3.us-east-1.amazonaws.com", ["User-Agent"] = "Boto3/1.43.0", ["X-Amz-Date"] = date,
  ["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD", ["Authorization"] = authorization, ["Accept-Encoding"] = "identity",
}}
request = function()
  number = number + {step}
  return wrk.format("GET", "/{bucket}/private/" .. number .. ".parquet", headers)
end
{pace}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\n@ %d %d %f\\n", summary.requests, summary.duration, latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Storm:
    """What one load saw."""

    rate: float
    p99_ms: float
    at_once: float
    """Share of the denials that were explained in the response."""
    deferred: int
    shed: int
    remembered: int


def _upstream(port: int, url: str, home: Path) -> list[str]:
    return peers.nginx(home, _UPSTREAM.format(port=port, error=_ERROR), 1)


def _denyproxy(module: str, console: int, port: int, url: str, home: Path) -> list[str]:
    options = ["--listen", f"127.0.0.1:{port}", "--log", str(home / "log"), "--policies", str(ROOT / "config/policies")]
    environment = [f"DENYPROXY_CONSOLE__LISTEN=127.0.0.1:{console}", f"DENYPROXY_EXPLAIN__QUEUE={QUEUE}"]
    return ["env", *environment, sys.executable, "-m", module, "serve", "--upstream", url, *options]


def explanations(console: int) -> dict[str, int]:
    """The counters."""
    with urllib.request.urlopen(f"http://127.0.0.1:{console}/healthz", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)["explanations"]
        return found


def wait_until_idle(console: int) -> None:
    """Until nothing waits to be explained: that would be work beside the next load."""
    while explanations(console)["waiting"]:
        time.sleep(0.2)


def storm(
    target: Running, console: int, seconds: int, core: int, directory: Path, *, distinct: bool, pace: int
) -> Storm:
    """Ask for keys, as fast as it goes or at a pace (per second)."""
    delay = f"delay = function() return {1000 * CONNECTIONS / pace} end" if pace else ""
    script = directory / "storm.lua"
    script.write_text(_LUA.format(key=ACCESS_KEY, step=int(distinct), bucket=BUCKET, pace=delay))
    before = explanations(console)
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), target.url]
    output = subprocess.run(
        [program("wrk"), *options],
        text=True,
        capture_output=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ).stdout
    found = re.search(r"^@ (\d+) (\d+) ([\d.]+)$", output, re.M)
    assert found, output
    count, took = int(found[1]), int(found[2]) / 1e6
    after = explanations(console)
    wait_until_idle(console)
    changes = {name: after[name] - before[name] for name in before}
    denied = max(1, changes["at_once"] + changes["deferred"])
    return Storm(
        count / took,
        float(found[3]) / 1000,
        changes["at_once"] / denied,
        changes["deferred"],
        changes["shed"],
        changes["remembered"],
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    every = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3 = stack.enter_context(started("s3", _upstream, "", directory))
        consoles = free_port(), free_port()
        off = stack.enter_context(
            started("off", partial(_denyproxy, "benchmarks.silent_proxy", consoles[0]), s3.url, directory)
        )
        on = stack.enter_context(started("on", partial(_denyproxy, "denyproxy", consoles[1]), s3.url, directory))
        processes.pin(s3.pid, {every[0]})
        for proxy in (off, on):
            processes.pin(proxy.pid, {every[-1]})
        load = partial(storm, seconds=arguments.seconds, core=every[0], directory=directory)
        for name, distinct in (("distinct keys", True), ("equal denials", False)):
            rounds = [
                (load(off, consoles[0], distinct=distinct, pace=0), load(on, consoles[1], distinct=distinct, pace=0))
                for _ in range(arguments.rounds)
            ]
            ratio = statistics.median(found.rate / own.rate for own, found in rounds)
            own, found = rounds[-1]
            print(
                f"{name:<16} relay alone {own.rate:>6,.0f} /s, explaining {found.rate:>6,.0f} /s, ratio {ratio:.2f}; "
                f"at once {found.rate * found.at_once:>6,.0f} /s, deferred {found.deferred:,}, shed {found.shed:,}, "
                f"remembered {found.remembered:,}, p99 {own.p99_ms:.1f} and {found.p99_ms:.1f} ms",
                flush=True,
            )
        for pace, distinct in PACES:
            found = load(on, consoles[1], distinct=distinct, pace=pace)
            kind = "distinct" if distinct else "equal"
            print(
                f"{kind:<8} at a pace of {pace:>5} /s: {found.rate:>6,.0f} /s, {found.at_once:.1%} explained at once, "
                f"p99 {found.p99_ms:.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    try:
        main()
    except Unavailable as missing:
        print(f"not measured: {missing}")

"""What must hold of the program under load: policies that change, a full disk, workers that die, and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.test_serve import Served, serving
from tests.app.test_workers import health, workers
from tests.faults.harness import (
    DENIED,
    KiB,
    MiB,
    check,
    content,
    descriptors,
    get,
    mutated,
    put,
    resident,
    store,
    until,
)
from tests.proxy.wire import PATIENCE, BrokenTransfer, upstream

ROOT = Path(__file__).parent.parent.parent
SOAK_SECONDS = float(os.environ.get("DENYPROXY_SOAK_SECONDS", "15"))
SEED = 20261124
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@only_linux
@pytest.mark.parametrize("count", ["1", "2"])
async def test_a_full_disk_drops_records_and_nothing_else(count: str) -> None:
    """The relay goes on, explains, and counts what the log lost."""
    async with upstream(store) as port:
        arguments = ("--upstream", f"http://127.0.0.1:{port}", "--log", "/dev/full", "--console", "127.0.0.1:0")
        async with serving("--workers", count, *arguments) as served:
            for _ in range(20):
                async with served.connect() as wire:
                    await wire.send(DENIED)
                    answer = await wire.message()
                    assert (answer.status, bool(answer.get(b"x-deny-explanation"))) == (403, True)
                    await check(wire, 100)

            told = await told_when(served, lambda told: told["log"]["dropped"] == 20)
            assert told["log"] == {"written": 0, "dropped": 20}
            served.process.terminate()
            status, _, err = await served.ended()
    assert (status, b"Traceback" in err) == (0, False)
    assert b"the denial log cannot be written (OSError: [Errno 28]" in err


async def _load(served: Served, stop: asyncio.Event, *, requests: list[int], broken: list[int]) -> None:
    """Downloads, uploads and denials until told to stop; a connection that breaks is opened again."""
    number = 0
    while not stop.is_set():
        try:
            async with served.connect() as wire:
                while not stop.is_set():
                    number += 1
                    await check(wire, 1000 * (number % 50))
                    await wire.send(DENIED)
                    answer = await wire.message()
                    assert (answer.status, bool(answer.get(b"x-deny-explanation-id"))) == (403, True)
                    requests[0] += 3
        except (BrokenTransfer, ConnectionError):
            broken[0] += 1


@only_linux
@pytest.mark.slow
async def test_policies_that_change_under_load(tmp_path: Path) -> None:
    """No request fails, whatever is read meanwhile: good policies, broken ones, none."""
    policies = tmp_path / "policies"
    shutil.copytree(ROOT / "config" / "policies", policies)
    requests, broken, stop = [0], [0], asyncio.Event()
    async with (
        upstream(store) as port,
        serving(
            "--upstream", f"http://127.0.0.1:{port}", "--policies", str(policies), "--log", str(tmp_path / "log")
        ) as served,
    ):
        reading = asyncio.create_task(_drain_stderr(served))
        loading = [asyncio.create_task(_load(served, stop, requests=requests, broken=broken)) for _ in range(8)]
        bucket = next((policies / "buckets").iterdir())
        good = bucket.read_text()
        for number in range(20):
            bucket.write_text((good, "{", "", good)[number % 4])
            served.process.send_signal(signal.SIGHUP)
            goal = requests[0] + 30
            await until(lambda goal=goal: requests[0] > goal, "requests are served")  # type: ignore[misc]
        stop.set()
        await asyncio.gather(*loading)
        served.process.terminate()
        assert await asyncio.wait_for(served.process.wait(), 30) == 0
        err = await reading
    assert broken == [0]
    assert b"Traceback" not in err


@only_linux
@pytest.mark.slow
async def test_workers_that_are_killed_under_load(tmp_path: Path) -> None:
    """Their own connections break; nothing is altered, every line of the log is whole, and the service stays."""
    log = tmp_path / "log"
    requests, broken, stop = [0], [0], asyncio.Event()
    async with (
        upstream(store) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}", "--log", str(log)) as served,
    ):
        reading = asyncio.create_task(_drain_stderr(served))
        loading = [asyncio.create_task(_load(served, stop, requests=requests, broken=broken)) for _ in range(16)]
        for _ in range(3):
            goal = requests[0] + 100
            await until(lambda goal=goal: requests[0] > goal, "requests are served")  # type: ignore[misc]
            victim = max(workers(served))
            os.kill(victim, signal.SIGKILL)
            await until(lambda victim=victim: len(workers(served) - {victim}) == 2, "it is replaced")  # type: ignore[misc]
        goal = requests[0] + 100
        await until(lambda: requests[0] > goal, "requests are served")
        stop.set()
        await asyncio.gather(*loading)
        served.process.terminate()
        assert await asyncio.wait_for(served.process.wait(), 30) == 0
        err = await reading
    assert err.count(b"another takes its place") == 3
    lines = log.read_text().splitlines()
    damaged = [line for line in lines if not _is_record(line)]
    assert len(lines) > 100
    assert len(damaged) <= 3  # a worker dies in the middle of a line; the next one begins its own


async def told_when(served: Served, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the console tells once it tells that."""
    async with asyncio.timeout(PATIENCE):
        while not condition(told := await health(served)):  # noqa: ASYNC110 - nothing sets an Event
            await asyncio.sleep(0.05)
    return told


def _is_record(line: str) -> bool:
    try:
        return bool(json.loads(line)["id"])
    except ValueError:
        return False


async def _drain_stderr(served: Served) -> bytes:
    assert served.process.stderr is not None
    return await served.process.stderr.read()


@only_linux
@pytest.mark.slow
@pytest.mark.parametrize("count", ["1", "2"])
async def test_soak(tmp_path: Path, count: str) -> None:
    """Load and faults of all sorts for a while (DENYPROXY_SOAK_SECONDS): memory and descriptors come to rest."""
    random_ = random.Random(SEED)
    requests, broken, stop = [0], [0], asyncio.Event()

    async def annoy() -> None:
        while not stop.is_set():
            with contextlib.suppress(ConnectionError, BrokenTransfer, TimeoutError):
                async with served.connect() as wire:
                    await wire.send(
                        random_.choice((mutated(random_), put(content(MiB))[: 100 * KiB], get(4 * MiB), b"GET / HT"))
                    )
                    async with asyncio.timeout(0.05):
                        await wire.reader.read(64 * KiB)
                    if random_.random() < 0.5:
                        wire.reset()

    def measure() -> tuple[int, int]:
        pids = workers(served) if count != "1" else {served.process.pid}
        return sum(resident(pid) for pid in pids), sum(descriptors(pid) for pid in pids)

    config = tmp_path / "denyproxy.toml"
    log = tmp_path / "log"
    async with upstream(store) as port:
        config.write_text(
            f'upstream.url = "http://127.0.0.1:{port}"\nlog.destination = "{log}"\n'
            f'policies.directory = "{ROOT / "config" / "policies"}"\n'
            "timeouts = {keepalive = 2, request_head = 1, client_idle = 2, upstream_idle = 5, linger = 1}\n"
        )
        async with serving("--config", str(config), "--workers", count, "--console", "127.0.0.1:0") as served:
            reading = asyncio.create_task(_drain_stderr(served))
            _, quiet = measure()
            seen: list[int] = []
            loading = [asyncio.create_task(_load(served, stop, requests=requests, broken=broken)) for _ in range(8)] + [
                asyncio.create_task(annoy()) for _ in range(8)
            ]
            for _ in range(10):
                await asyncio.sleep(SOAK_SECONDS / 20)
                seen.append(measure()[0] // MiB)
            warm, _ = measure()
            for _ in range(10):
                await asyncio.sleep(SOAK_SECONDS / 20)
                seen.append(measure()[0] // MiB)
            stop.set()
            await asyncio.gather(*loading)
            told = await told_when(served, lambda told: told["counters"]["in_flight"] == 0)
            await until(lambda: measure()[1] <= quiet + 4 * int(count), "descriptors are closed")
            after, _ = measure()
            served.process.terminate()
            assert await asyncio.wait_for(served.process.wait(), 30) == 0
            err = await reading
    print(f"{requests[0]} requests; MiB resident: {seen}, in the end {after // MiB}")
    assert after - warm < 64 * MiB * int(count), seen  # buffers of large transfers come and go in steps
    assert broken == [0]
    assert requests[0] > 100
    assert told["log"]["dropped"] == 0
    assert b"Traceback" not in err
    assert b"relaying failed" not in err
    assert all(_is_record(line) for line in log.read_text().splitlines())

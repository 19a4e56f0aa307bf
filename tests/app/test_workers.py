"""`denyproxy serve --workers N`: processes that share a port, a log and a parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from denyproxy.denylog import DenyLog
from denyproxy.denylog.turn import Turn
from denyproxy.settings import Settings
from denyproxy.supervisor import merged
from denyproxy.worker import Orders
from denyproxy.worker_process import WorkerProcess
from tests.app.test_serve import GET, Served, run_denyproxy, serving
from tests.proxy.wire import FORBIDDEN, OK, PATIENCE, Wire, answering, upstream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares a port among processes")


def workers(served: Served) -> set[int]:
    """The process ids of the parent's children."""
    pid = served.process.pid
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - the system sets no Event
            await asyncio.sleep(0.02)


def gone(pids: set[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def opened(pid: int) -> set[str]:
    """Paths that a process has open."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(each.readlink()))
    return found


async def ask(served: Served) -> int:
    async with served.connect() as wire:
        await wire.send(GET)
        return (await wire.message()).status


async def health(served: Served) -> dict[str, Any]:
    found = re.search(r"console: http://127\.0\.0\.1:(\d+)/healthz", served.start)
    assert found
    reader, writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
    console = Wire(reader, writer)
    await console.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    told = json.loads((await console.message()).body)
    await console.close()
    assert isinstance(told, dict)
    return told


async def test_workers_share_port_log_and_console(tmp_path: Path) -> None:
    """Every denial of either is one line of the one log, and counted in the one console."""
    log = tmp_path / "denials.jsonl"
    async with upstream(answering(FORBIDDEN)) as port:
        arguments = ("--upstream", f"http://127.0.0.1:{port}", "--log", str(log), "--console", "127.0.0.1:0")
        async with serving("--workers", "2", *arguments) as served:
            assert len(workers(served)) == 2
            assert await asyncio.gather(*(ask(served) for _ in range(40))) == [403] * 40
            told = await health(served)
            served.process.terminate()
            status, _, err = await served.ended()
    assert (told["workers"], told["counters"]["denials"], told["counters"]["requests"]) == (2, 40, 40)
    assert len({json.loads(line)["id"] for line in log.read_text().splitlines()}) == 40
    assert (status, b"Traceback" in err) == (0, False)


async def test_each_worker_gets_clients() -> None:
    """Of 64 connections, either gets some: the chance that none falls on one of them is 2 in 2**64."""
    holding = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        await holding.wait()
        await wire.send(OK)

    async with (
        upstream(script) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}", "--console", "127.0.0.1:0") as served,
    ):
        asking = [asyncio.create_task(ask(served)) for _ in range(64)]

        async def all_in_flight() -> bool:
            return bool((await health(served))["counters"]["in_flight"] == 64)

        await until(all_in_flight)
        (victim, _) = workers(served)
        os.kill(victim, signal.SIGKILL)
        holding.set()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
    answered = sum(outcome == 200 for outcome in outcomes)
    assert 0 < answered < 64


async def test_a_worker_that_is_killed_is_replaced() -> None:
    """The others go on meanwhile."""
    async with (
        upstream(answering(OK)) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}") as served,
    ):
        before = workers(served)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)

        async def replaced() -> bool:
            return len(workers(served) - {victim}) == 2

        await until(replaced)
        assert await ask(served) == 200
        served.process.terminate()
        status, _, err = await served.ended()
    assert status == 0
    assert b"worker %d ended by signal 9 (SIGKILL); another takes its place" % victim in err


async def test_the_console_answers_while_a_worker_is_replaced() -> None:
    """By those that listen."""
    arguments = ("--workers", "2", "--upstream", "http://127.0.0.1:9", "--console", "127.0.0.1:0")
    async with serving(*arguments) as served:
        before = workers(served)
        os.kill(min(before), signal.SIGKILL)
        seen: list[int] = []

        async def replaced() -> bool:
            seen.append((await health(served))["workers"])
            return seen[-1] == 2 and 1 in seen

        await until(replaced)


async def test_an_answer_that_came_too_late_is_not_the_next_ones() -> None:
    """Workers that were asked, and could not answer in time."""
    async with (
        upstream(answering(OK)) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}", "--console", "127.0.0.1:0") as served,
    ):
        for pid in workers(served):
            os.kill(pid, signal.SIGSTOP)
        assert (await health(served))["workers"] == 0
        for pid in workers(served):
            os.kill(pid, signal.SIGCONT)
        assert [await ask(served) for _ in range(5)] == [200] * 5
        assert (await health(served))["counters"]["requests"] == 5


async def test_a_worker_that_starts_is_told_later_to_read_everything_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it listens; until then the signal would be lost."""
    settings = Settings.model_validate({"listen": "127.0.0.1:0", "upstream": {"url": "http://127.0.0.1:9"}})
    sent: list[int] = []
    with tempfile.TemporaryFile() as turns:
        worker = await WorkerProcess.start(Orders(settings, turns.fileno()))

        def send(number: int) -> None:
            sent.append(number)
            worker.process.send_signal(number)

        try:
            with monkeypatch.context() as patch:
                patch.setattr(worker, "signal", send)
                worker.reload()
                assert sent == []
                assert await worker.listens()
                assert sent == [signal.SIGHUP]
            assert await worker.status()
        finally:
            worker.signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.ended(), PATIENCE) == 0


async def test_workers_that_always_die_are_given_up() -> None:
    """With a message that says so, not with a loop that never ends."""
    async with serving("--workers", "2", "--upstream", "http://127.0.0.1:9") as served:

        async def given_up() -> bool:
            if served.process.returncode is not None:
                return True
            with contextlib.suppress(OSError):  # gone meanwhile
                for pid in workers(served):
                    os.kill(pid, signal.SIGKILL)
            return False

        await until(given_up)
        status, _, err = await served.ended()
    assert status == 1
    assert b"denyproxy: 5 workers in a row ended as soon as they were started, the last by signal 9" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_all_workers(number: signal.Signals) -> None:
    """Transfers in either end well, whoever ends first; nobody new gets in."""
    go, started = asyncio.Event(), 0

    async def script(wire: Wire) -> None:
        nonlocal started
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        started += 1
        await go.wait()
        await wire.send(b"world")

    async with (
        upstream(script) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}") as served,
    ):
        asking = [asyncio.create_task(ask(served)) for _ in range(16)]

        async def all_started() -> bool:
            return started == 16

        await until(all_started)
        served.process.send_signal(number)

        async def refused() -> bool:
            try:
                async with served.connect():
                    return False
            except ConnectionError:
                return True

        await until(refused)
        go.set()
        assert await asyncio.gather(*asking) == [200] * 16
        status, _, err = await served.ended()
    assert (status, b"Traceback" in err) == (0, False)


async def test_a_second_signal_ends_all_at_once() -> None:
    """Whatever is under way."""
    arrived = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        arrived.set()
        await wire.ended()

    async with (
        upstream(script) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}") as served,
        served.connect() as wire,
    ):
        await wire.send(GET)
        await arrived.wait()
        pids = workers(served)
        served.process.terminate()
        assert served.process.stderr is not None
        await asyncio.wait_for(served.process.stderr.readuntil(b"stopping"), PATIENCE)
        served.process.terminate()
        status, _, _ = await served.ended()

        async def all_gone() -> bool:
            return gone(pids)

        await until(all_gone)
    assert status == -signal.SIGTERM


async def test_workers_end_with_their_parent() -> None:
    """Also one that is killed and can tell them nothing."""
    async with serving("--workers", "2", "--upstream", "http://127.0.0.1:9") as served:
        pids = workers(served)
        served.process.kill()

        async def all_gone() -> bool:
            return gone(pids)

        await until(all_gone)


async def test_sighup_reaches_all_workers(tmp_path: Path) -> None:
    """The log goes on in a fresh file, whoever writes."""
    log, rotated = tmp_path / "denials.jsonl", tmp_path / "denials.1"
    async with (
        upstream(answering(FORBIDDEN)) as port,
        serving("--workers", "2", "--upstream", f"http://127.0.0.1:{port}", "--log", str(log)) as served,
    ):
        await asyncio.gather(*(ask(served) for _ in range(32)))
        log.rename(rotated)
        served.process.send_signal(signal.SIGHUP)

        async def reopened() -> bool:
            await ask(served)
            each_has = [opened(pid) for pid in workers(served)]
            return all(str(log) in has and str(rotated) not in has for has in each_has)

        await until(reopened)
        served.process.terminate()
        await served.ended()
    assert all(json.loads(line)["id"] for path in (log, rotated) for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--log", "/none/log"), "log.destination: /none/log cannot be written"),
        (("--listen", "192.0.2.1:1"), "listen: cannot listen on 192.0.2.1:1"),
        (("--ca-file", "/none.pem"), "upstream.ca_file: /none.pem cannot be used"),
        (("--console", "192.0.2.1:1"), "console.listen: cannot listen on 192.0.2.1:1"),
        (("--workers", "0"), "--workers: input should be greater than or equal to 1"),
    ],
)
async def test_what_keeps_workers_from_starting_is_told_once(arguments: tuple[str, ...], expected: str) -> None:
    """Not by each of them."""
    process = await run_denyproxy(
        "serve", "--workers", "2", "--listen", "127.0.0.1:0", "--upstream", "http://a", *arguments
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert err.decode().count(expected) == 1
    assert b"Traceback" not in err


async def test_a_port_that_other_workers_have_is_in_use() -> None:
    """SO_REUSEPORT alone would share it with them in silence."""
    async with serving("--workers", "2", "--upstream", "http://127.0.0.1:9") as served:
        for count in ("1", "2"):
            process = await run_denyproxy(
                "serve", "--workers", count, "--listen", f"127.0.0.1:{served.port}", "--upstream", "http://a"
            )
            _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
            assert process.returncode == 2
            assert b"listen: cannot listen on 127.0.0.1:%d" % served.port in err


def test_what_workers_tell_is_added_up() -> None:
    """But not the policies, of which each has the same."""
    one = {"policies": {"revision": "a", "problems": 2}, "counters": {"requests": 3}, "log": {"dropped": 1}}
    other = {"policies": {"revision": "a", "problems": 2}, "counters": {"requests": 4}, "log": {"dropped": 0}}
    behind = {"policies": {"revision": "b", "problems": 1}, "counters": {"requests": 1}, "log": {"dropped": 0}}
    assert merged([one, other]) == {
        "policies": {"revision": "a", "problems": 2},
        "counters": {"requests": 7},
        "log": {"dropped": 1},
    }
    assert merged([one, behind])["policies"] == {"revision": ["a", "b"], "problems": 2}


def test_lines_longer_than_a_pipe_takes_at_once_stay_whole() -> None:
    """PIPE_BUF is 4096 bytes; these are 20,000."""
    program = (
        "import os, sys\n"
        "from denyproxy.denylog import DenyLog\n"
        "from denyproxy.denylog.turn import Turn\n"
        "log = DenyLog(turn=Turn(int(sys.argv[1])))\n"
        "log.start()\n"
        "for _ in range(200): log.put(sys.argv[2] * 20_000)\n"
        "log.stop(60)\n"
    )
    with tempfile.TemporaryFile() as turns:
        read, write = os.pipe()
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(turns.fileno()), letter], pass_fds=(turns.fileno(),), stdout=write
            )
            for letter in "abc"
        ]
        os.close(write)
        with open(read, "rb") as pipe:  # noqa: PTH123 - it has no path
            lines = pipe.read().splitlines()
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert sorted(lines) == [letter * 20_000 for letter in (b"a", b"b", b"c") for _ in range(200)]


def test_a_line_that_a_dead_worker_left_unfinished_is_ended(tmp_path: Path) -> None:
    """The next worker's line does not become a part of it."""
    path = tmp_path / "log"
    path.write_bytes(b'{"id": "torn')
    with tempfile.TemporaryFile() as turns:
        with Turn(turns.fileno()).take() as torn:
            assert not torn
        log = DenyLog(str(path), turn=Turn(turns.fileno()))
        log.start()
        log.put("whole")
        log.put("another")
        log.stop()
    assert path.read_bytes() == b'{"id": "torn\nwhole\nanother\n'

"""`denyproxy serve` as a process: what it prints, what it answers, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from denyproxy.app import App
from denyproxy.proxy.server import RelayServer
from denyproxy.settings import Settings
from denyproxy.wiring import ColdPath, NoPolicies
from tests.proxy.test_stalled_clients import held, until, until_held
from tests.proxy.wire import FORBIDDEN, OK, PATIENCE, Wire, answering, upstream

GET = b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("DENYPROXY_")}


@dataclass(slots=True)
class Served:
    """A running `denyproxy serve`."""

    process: asyncio.subprocess.Process
    start: str
    """What it said until it listened; the last line says so."""
    port: int

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        wire = Wire(reader, writer)
        try:
            yield wire
        finally:
            await wire.close()

    async def ended(self) -> tuple[int, bytes, bytes]:
        """Exit status, the rest of stdout, the rest of stderr."""
        out, err = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        return self.process.returncode or 0, out, err


async def run_denyproxy(*arguments: str, environment: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "denyproxy",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT | (environment or {}),
    )


@contextlib.asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[Served]:
    process = await run_denyproxy("serve", "--listen", "127.0.0.1:0", *arguments)
    assert process.stderr is not None
    try:
        lines: list[str] = []
        while not lines or "denyproxy listens on" not in lines[-1]:
            line = await asyncio.wait_for(process.stderr.readline(), PATIENCE)
            assert line, "\n".join(lines)
            lines.append(line.decode())
        found = re.search(r"listens on 127\.0\.0\.1:(\d+)", lines[-1])
        assert found
        yield Served(process, "".join(lines), int(found[1]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_first_line_says_all_that_is_needed(tmp_path: Path) -> None:
    """Where it listens, the upstream, the policies, and what to set as endpoint_url."""
    arguments = ("--upstream", "http://127.0.0.1:9000", "--policies", str(tmp_path), "--forward")
    async with serving(*arguments) as served:
        assert f"127.0.0.1:{served.port}; upstream http://127.0.0.1:9000, forwarding to aws" in served.start
        assert f"policies: {tmp_path}" in served.start
        assert f"endpoint_url=http://127.0.0.1:{served.port}" in served.start
        assert f"HTTP_PROXY=http://127.0.0.1:{served.port}" in served.start


async def test_a_denial_ends_up_in_response_and_log(tmp_path: Path) -> None:
    """The whole of it, in one process: relay, explanation, header, message, record."""
    log = tmp_path / "denials.jsonl"
    async with upstream(answering(FORBIDDEN)) as port:
        arguments = ("--upstream", f"http://127.0.0.1:{port}", "--policies", str(tmp_path), "--log", str(log))
        async with serving(*arguments) as served:
            async with served.connect() as wire:
                await wire.send(GET)
                answer = await wire.message()
            served.process.terminate()
            status, _, err = await served.ended()
    call_id = answer.get(b"x-deny-explanation-id")
    assert answer.status == 403
    assert call_id is not None
    assert answer.get(b"x-deny-explanation")
    assert b"<Code>AccessDenied</Code><Message>Access Denied" in answer.body
    (record,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert record["id"] == call_id.decode()
    assert (status, b"Traceback" in err) == (0, False)


async def test_records_go_to_stdout_by_default() -> None:
    """Nothing but records does."""
    async with upstream(answering(FORBIDDEN)) as port, serving("--upstream", f"http://127.0.0.1:{port}") as served:
        async with served.connect() as wire:
            await wire.send(GET)
            answer = await wire.message()
        served.process.terminate()
        _, out, _ = await served.ended()
    (record,) = [json.loads(line) for line in out.splitlines()]
    assert record["id"].encode() == answer.get(b"x-deny-explanation-id")


async def test_a_policy_directory_that_goes_away_lets_traffic_through(tmp_path: Path) -> None:
    """And says so, in the log and in the header."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(OK)
        await wire.message()
        await wire.send(FORBIDDEN)

    missing = tmp_path / "missing"
    missing.mkdir()
    async with (
        upstream(script) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", "--policies", str(missing)) as served,
        served.connect() as wire,
    ):
        missing.rmdir()
        served.process.send_signal(signal.SIGHUP)
        assert served.process.stderr is not None
        said = await asyncio.wait_for(served.process.stderr.readline(), PATIENCE)
        while b"cannot be read" not in said:
            said = await asyncio.wait_for(served.process.stderr.readline(), PATIENCE)
        await wire.send(GET)
        assert (await wire.message()).body == b"ok"
        await wire.send(GET)
        answer = await wire.message()
    assert answer.status == 403
    assert b"polic" in (answer.get(b"x-deny-explanation") or b"")
    assert str(missing).encode() in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_what_is_under_way(number: signal.Signals) -> None:
    """A download and an upload go on to their ends; nobody new gets in; then the process ends well."""
    half = asyncio.Event()
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        request = await wire.head()
        if request.first_line.startswith(b"PUT"):
            assert await wire.exactly(10) == b"helloworld"
            await wire.send(OK)
            return
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        half.set()
        await go.wait()
        await wire.send(b"world")

    async with upstream(script) as port, serving("--upstream", f"http://127.0.0.1:{port}") as served:
        async with served.connect() as download, served.connect() as upload:
            await download.send(GET)
            await upload.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
            await half.wait()
            await download.head()
            assert await download.exactly(5) == b"hello"
            served.process.send_signal(number)
            while True:  # until it has stopped listening
                try:
                    async with served.connect():
                        pass
                except ConnectionRefusedError:
                    break
                except ConnectionError:
                    continue
            await upload.send(b"world")
            answer = await upload.message()
            assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
            go.set()
            assert await download.exactly(5) == b"world"
        status, _, err = await served.ended()
    assert (status, b"Traceback" in err) == (0, False)


@pytest.mark.parametrize(
    ("version", "framing"), [(b"1.1", b"Content-Length: 10"), (b"1.0", b"Content-Length: 10"), (b"1.0", b"x-a: b")]
)
async def test_the_drain_has_a_limit(tmp_path: Path, version: bytes, framing: bytes) -> None:
    """A transfer that does not end is cut off, and seen as broken: a mere end could be a short success."""
    config = tmp_path / "denyproxy.toml"

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\nhello" % framing)
        await wire.ended()

    async with upstream(script) as port:
        config.write_text(f'upstream.url = "http://127.0.0.1:{port}"\ntimeouts.drain = 0.1\n')
        async with serving("--config", str(config)) as served, served.connect() as wire:
            await wire.send(GET.replace(b"1.1", version))
            await wire.head()
            served.process.terminate()
            with pytest.raises(ConnectionResetError):
                await wire.ended()
            status, _, err = await served.ended()
    assert status == 0
    assert b"cut off" in err


async def test_the_drain_waits_until_clients_have_taken_the_end(tmp_path: Path) -> None:
    """What waits for them in denyproxy has been answered, but not delivered."""
    settings = Settings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "upstream": {"url": "http://127.0.0.1:9"},
            "log": {"destination": str(tmp_path / "l")},
        }
    )
    app = App(settings, ColdPath(settings), NoPolicies())

    def server() -> RelayServer:
        assert app._server is not None
        return app._server

    async with upstream(until_held(server)) as port:
        app._settings = settings.model_copy(
            update={"upstream": settings.upstream.model_copy(update={"url": f"http://127.0.0.1:{port}"})}
        )
        async with app:
            reader, writer = await asyncio.open_connection("127.0.0.1", app.address.port)
            wire = Wire(reader, writer)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(GET)
            await until(lambda: app.status()["counters"]["requests"] == 1 and not app.status()["counters"]["in_flight"])
            assert any(map(held, server().connections))

            async def read_late() -> bytes:
                await asyncio.sleep(1.5)
                writer.transport.resume_reading()  # type: ignore[attr-defined]
                return await wire.ended()

            reading = asyncio.create_task(read_late())
        assert (await reading).endswith(b"0\r\n\r\n")
        await wire.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells whether a signal would end a process")
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_sighup_during_the_start_ends_nothing(workers: str) -> None:
    """Not even several; they come before there is anything to read again."""
    arguments = ("--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--workers", workers)
    process = await run_denyproxy("serve", *arguments)
    assert process.stderr is not None
    said = asyncio.create_task(process.stderr.readuntil(b"listens on"))
    sent = 0
    while not said.done():
        if _heeds_hangup(process.pid):
            process.send_signal(signal.SIGHUP)
            sent += 1
        await asyncio.sleep(0.02)
    assert b"listens on" in await said
    assert sent
    process.terminate()
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


def _heeds_hangup(pid: int) -> bool:
    """Is SIGHUP ignored or caught?"""
    status = Path(f"/proc/{pid}/status").read_text()
    bit = 1 << (signal.SIGHUP - 1)
    return any(int(mask, 16) & bit for mask in re.findall(r"Sig(?:Ign|Cgt):\s*([0-9a-f]+)", status))


async def test_rotation_on_sighup(tmp_path: Path) -> None:
    """The denial log goes on in a fresh file."""
    log, rotated = tmp_path / "denials.jsonl", tmp_path / "denials.1"
    async with (
        upstream(answering(FORBIDDEN)) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", "--log", str(log)) as served,
        served.connect() as wire,
    ):
        while not (log.exists() and log.stat().st_size):
            await wire.send(GET)
            await wire.message()
        log.rename(rotated)
        served.process.send_signal(signal.SIGHUP)
        while not log.exists():
            await wire.send(GET)
            await wire.message()
        served.process.terminate()
        await served.ended()
    for path in (rotated, log):
        assert all(json.loads(line)["id"] for line in path.read_text().splitlines())
    assert rotated.stat().st_size


async def test_the_console(tmp_path: Path) -> None:
    """GET /healthz: what the container's health check asks, and what has passed through."""
    async with upstream(answering(FORBIDDEN)) as port:
        arguments = ("--upstream", f"http://127.0.0.1:{port}", "--policies", str(tmp_path), "--console", "127.0.0.1:0")
        async with serving(*arguments) as served:
            found = re.search(r"console: http://127\.0\.0\.1:(\d+)/healthz", served.start)
            assert found
            async with served.connect() as wire:
                await wire.send(GET)
                await wire.message()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
            console = Wire(reader, writer)
            await console.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            health = json.loads((await console.message()).body)
            await console.close()
    assert health["version"]
    assert health["uptime_seconds"] >= 0
    assert health["policies"].keys() == {"revision", "problems"}
    assert (health["counters"]["requests"], health["counters"]["denials"]) == (1, 1)
    assert health["log"]["dropped"] == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "upstream.url (--upstream)"),
        (("--upstream", "nope"), "--upstream: 'nope' is not an http:// or https:// URL"),
        (("--upstream", "http://a", "--disclosure", "some"), "--disclosure: input should be 'full'"),
        (("--upstream", "http://a", "--listen", "9090"), "--listen: '9090' is not HOST:PORT"),
        (("--upstream", "http://a", "--listen", "192.0.2.1:1"), "listen: cannot listen on 192.0.2.1:1"),
        (("--upstream", "http://a", "--ca-file", "/none.pem"), "upstream.ca_file: /none.pem cannot be used"),
        (("--upstream", "http://a", "--log", "/none/log"), "log.destination: /none/log cannot be written"),
        (
            ("--upstream", "http://a", "--policies", "/none"),
            "policies.directory (--policies): /none cannot be read: no such file or directory; give a policy directory",
        ),
        (("--upstream", "http://a", "--policies", "/dev/null"), "/dev/null cannot be read: not a directory"),
        (
            ("--upstream", "https://s3.amazonaws.com"),
            "upstream.url: https://s3.amazonaws.com is AWS, which answers SignatureDoesNotMatch",
        ),
        (("--forward", "--allow-host", "http://a"), "forward.allowed_hosts: 'http://a' is not a host"),
        (("--config", "/none.toml"), "/none.toml: cannot be read"),
        (("--no-such-option",), "No such option"),
    ],
)
async def test_bad_settings_exit_2_and_name_the_key(arguments: tuple[str, ...], expected: str) -> None:
    """No traceback, no pydantic."""
    process = await run_denyproxy("serve", *arguments)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert expected in err.decode()
    assert b"Traceback" not in err
    assert b"pydantic" not in err
    assert out == b""


async def test_a_port_in_use_is_told() -> None:
    """By the key that names it."""
    async with upstream(answering(OK)) as port:
        process = await run_denyproxy("serve", "--upstream", "http://a", "--listen", f"127.0.0.1:{port}")
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert f"listen: cannot listen on 127.0.0.1:{port}".encode() in err


async def test_help_lists_the_commands_and_loads_none() -> None:
    """`denyproxy --help` answers at once."""
    program = (
        "import sys, contextlib\n"
        "from denyproxy.cli import app\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        "heavy = {'aiohttp', 'botocore', 'pydantic', 'denyproxy.app', 'rich.console'} & set(sys.modules)\n"
        "print('loaded:', sorted(heavy))\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert b"serve" in out
    assert b"explain" in out
    assert b"demo" in out
    assert b"loaded: []" in out


async def test_help_of_serve_names_every_option() -> None:
    """With the key of the configuration file that it sets."""
    process = await run_denyproxy("serve", "--help")
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    for word in (b"--upstream URL", b"--policies DIR", b"--listen HOST:PORT", b"--config FILE", b"--forward"):
        assert word in out
    assert b"(upstream.url)" in out
    assert b"DENYPROXY_UPSTREAM__URL" in out

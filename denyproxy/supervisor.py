"""Several worker processes on one port: a parent that starts them, replaces those that die, and ends with them.

Each worker is a denyproxy of its own, with its own policies and connections. The kernel shares the clients out among
them (SO_REUSEPORT, https://man7.org/linux/man-pages/man7/socket.7.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from denyproxy import __version__
from denyproxy.app import Running, address_of, start_console
from denyproxy.settings import Address, ConsoleSettings, Settings, SettingsError
from denyproxy.stderr import log_to_stderr
from denyproxy.worker import Orders
from denyproxy.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_STEADY_SECONDS = 10.0
"""A worker that lives for less has failed at once."""
_MOST_FAILURES = 5
"""As many in a row, and no other is started."""
_FIRST_WAIT = 0.1
"""Before a worker that failed at once is replaced, in seconds; doubled each time."""
_GRACE_SECONDS = 10.0
"""What workers get to end beyond the drain limit."""


class WorkersFailed(Exception):
    """Workers end as soon as they are started."""


def supervise(settings: Settings, ready: Callable[[Running], None]) -> None:
    """Run until SIGTERM or SIGINT, then drain. `ready` is called once all workers listen. Raises SettingsError."""
    if not sys.platform.startswith("linux"):
        raise SettingsError(
            f"workers: only Linux shares a port among processes, and this is {sys.platform}; set workers = 1"
        )
    log_to_stderr()
    try:
        asyncio.run(_run(settings, ready))
    except WorkersFailed as error:
        raise SystemExit(f"denyproxy: {error}") from None


async def _run(settings: Settings, ready: Callable[[Running], None]) -> None:
    with tempfile.TemporaryFile() as turns, _reserved(settings.listen) as address:
        given = dict(settings) | {"listen": address, "console": ConsoleSettings()}
        orders = Orders(Settings.model_construct(**given), turns.fileno())
        await Supervisor(orders, settings).run(ready)


class Supervisor:
    """The parent of the workers."""

    def __init__(self, orders: Orders, settings: Settings) -> None:
        """`settings`: with the console, which is the parent's."""
        self._orders = orders
        self._settings = settings
        self._workers: set[WorkerProcess] = set()
        self._listening = 0
        self._all_listen = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures = 0
        self._console: web.AppRunner | None = None
        self._started = time.monotonic()

    @property
    def address(self) -> Address:
        """Where all workers listen."""
        return self._orders.settings.listen

    @property
    def console_address(self) -> Address | None:
        """Where the console listens."""
        return address_of(self._console)

    async def run(self, ready: Callable[[Running], None]) -> None:
        """Keep the workers going until told to stop. Raises SettingsError, WorkersFailed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tending = [loop.create_task(self._tend()) for _ in range(self._settings.workers)]
        all_listen = loop.create_task(self._all_listen.wait())
        try:
            await _first_of(*tending, all_listen)
            if self._all_listen.is_set() and not self._stopping.is_set():
                if self._settings.console.listen is not None:
                    self._console = await start_console(self.status, self._settings.console.listen)
                ready(self)
            await _first_of(*tending)
        finally:
            all_listen.cancel()
            await self._end(tending)

    async def _tend(self) -> None:
        """One worker after another, until told to stop."""
        began = False
        while not self._stopping.is_set():
            started = time.monotonic()
            worker = await WorkerProcess.start(self._orders)
            self._workers.add(worker)
            if self._stopping.is_set():
                worker.signal(signal.SIGTERM)
            try:
                if await worker.listens() and not began:
                    began = True
                    self._listening += 1
                    if self._listening == self._settings.workers:
                        self._all_listen.set()
            except SettingsError as error:
                if not began:
                    raise
                log.error("a worker could not start: %s", error)
            finally:
                status = await worker.ended()
                self._workers.discard(worker)
            if self._stopping.is_set():
                return
            if not began:
                raise WorkersFailed(f"a worker ended before it listened ({_how(status)})")
            await self._replace(worker, status, time.monotonic() - started)

    async def _replace(self, worker: WorkerProcess, status: int, lived: float) -> None:
        """Wait before the next one. Raises WorkersFailed once that makes no sense."""
        self._failures = self._failures + 1 if lived < _STEADY_SECONDS else 0
        pid, how = worker.process.pid, _how(status)
        if self._failures >= _MOST_FAILURES:
            raise WorkersFailed(
                f"{self._failures} workers in a row ended as soon as they were started, the last by {how}; giving up"
            )
        seconds = _FIRST_WAIT * 2**self._failures if self._failures else 0.0
        log.warning("worker %d ended by %s; another takes its place in %.1f s", pid, how, seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _stop(self, number: int) -> None:
        if self._stopping.is_set():
            self._pass_on(signal.SIGKILL)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._stopping.set()
        self._pass_on(signal.SIGTERM)

    def _reload(self) -> None:
        for worker in self._workers:
            worker.reload()

    def _pass_on(self, number: int) -> None:
        for worker in self._workers:
            worker.signal(number)

    async def _end(self, tending: list[asyncio.Task[None]]) -> None:
        """End what is left of the workers, and with them."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._pass_on(signal.SIGTERM)
        await asyncio.wait(tending, timeout=self._settings.timeouts.drain + _GRACE_SECONDS)
        self._pass_on(signal.SIGKILL)
        await asyncio.wait(tending)
        for task in tending:
            if not task.cancelled():
                task.exception()
        if self._console is not None:
            await self._console.cleanup()

    async def status(self) -> dict[str, Any]:
        """What the console tells: of all workers together."""
        told = [status for status in await asyncio.gather(*(worker.status() for worker in self._workers)) if status]
        return {
            **merged(told),
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "workers": len(told),
        }


def merged(told: Sequence[Mapping[str, Any]], number: Callable[[Iterable[float]], float] = sum) -> dict[str, Any]:
    """What several workers tell, as one: counts are added, but of the policies they all have the same."""
    return {name: _merge(name, [each[name] for each in told if name in each], number) for name in _names(told)}


def _merge(name: str, values: list[Any], number: Callable[[Iterable[float]], float]) -> Any:
    if all(isinstance(value, Mapping) for value in values):
        return merged(values, max if name == "policies" else number)
    if all(isinstance(value, int | float) for value in values):
        return number(values)
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else different


def _names(told: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in told for name in each))


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    """Wait for the first of them to end; raises what it raises."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _how(status: int) -> str:
    return f"signal {-status} ({signal.Signals(-status).name})" if status < 0 else f"exit status {status}"


@contextlib.contextmanager
def _reserved(address: Address) -> Iterator[Address]:
    """The address with its port, which nobody else has and our workers may share. Raises SettingsError."""
    with contextlib.ExitStack() as held:
        port = address.port
        try:
            for family, host in _hosts(address):
                # Without SO_REUSEPORT: another denyproxy on this port is an error too.
                with socket.socket(family) as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    _bind(trial, host, port)
                sock = held.enter_context(socket.socket(family))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                _bind(sock, host, port)
                port = sock.getsockname()[1]
        except OSError as error:
            raise SettingsError(f"listen: cannot listen on {address}: {error.strerror or error}") from None
        yield Address(host=address.host, port=port)


def _hosts(address: Address) -> Iterable[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found)


def _bind(sock: socket.socket, host: str, port: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, port))

"""The composition root: settings become objects, objects become running servers. Nobody else knows everybody."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

from aiohttp import web

from denyproxy import __version__
from denyproxy.console.health import Status, console
from denyproxy.denylog import DenyLog, Writing
from denyproxy.policies import PolicySource
from denyproxy.proxy.handler import Relay
from denyproxy.proxy.handshakes import TlsServer
from denyproxy.proxy.pool import PoolUpstream
from denyproxy.proxy.server import RelayServer
from denyproxy.settings import Address, MiB, Settings, SettingsError
from denyproxy.stderr import log_to_stderr
from denyproxy.wiring import (
    ColdPath,
    answering,
    client_keys,
    declared,
    listener_tls,
    load_certificate,
    modes,
    policy_source,
    relay_options,
    server_options,
    signers,
    upstream_options,
)

log = logging.getLogger(__name__)

_GC_THRESHOLD = 20_000
"""Objects between two walks of the cyclic garbage collector: a relayed request leaves none for it to find."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_CUT_OFF_SECONDS = 1.0
"""What a connection gets to end, also after the drain limit."""


class App:
    """A running denyproxy: `async with App(settings, cold_path, policies) as app: ...`."""

    def __init__(
        self, settings: Settings, cold: ColdPath, policies: PolicySource, *, turn: Writing | None = None
    ) -> None:
        """`turn`: to write to the log, where other processes do so too."""
        self._settings = settings
        self._policies = policies
        self._denylog = DenyLog(settings.log.destination, capacity=settings.log.queue, turn=turn)
        self._keys = client_keys(settings)
        self._signers = signers(settings)
        self._answering = answering(settings, cold, lambda: policies.snapshot, self._denylog.put)
        self._upstream: PoolUpstream | None = None
        self._relay: Relay | None = None
        self._server: RelayServer | None = None
        self._tls: ssl.SSLContext | None = None
        self._handshakes: TlsServer | None = None
        self._listening: asyncio.Server | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._console: web.AppRunner | None = None
        self._started = time.monotonic()

    async def __aenter__(self) -> App:
        settings = self._settings
        try:
            self._start_log()
            await self._policies.start()
            self._signers.start()
            self._answering.start()
            self._upstream = PoolUpstream(upstream_options(settings))
            self._relay = Relay(
                modes(settings, self._keys, self._signers, self._upstream.send),
                self._upstream,
                self._answering,
                options=relay_options(settings),
                declared=declared(settings),
            )
            self._server = RelayServer(self._relay, server_options(settings))
            self._tls = listener_tls(settings)
            if self._tls is not None:
                most, seconds = settings.limits.client_connections, settings.timeouts.request_head
                self._handshakes = TlsServer(self._server, self._tls, most=most, seconds=seconds)
            self._listening = await _listen(self._handshakes or self._server, settings)
            if settings.console.listen is not None:
                self._console = await start_console(self._asked, settings.console.listen)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop(await self._drain())

    @property
    def address(self) -> Address:
        """Where the relay listens."""
        assert self._listening is not None
        host, port = self._listening.sockets[0].getsockname()[:2]
        return Address(host=host, port=port)

    @property
    def console_address(self) -> Address | None:
        """Where the console listens."""
        return address_of(self._console)

    def status(self) -> dict[str, Any]:
        """What the console tells."""
        assert self._relay is not None
        snapshot = self._policies.snapshot
        return {
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "policies": {"revision": snapshot.revision, "problems": len(snapshot.problems)},
            "counters": asdict(self._relay.counters),
            "explanations": self._answering.status(),
            "log": {"written": self._denylog.written, "dropped": self._denylog.dropped},
        }

    async def _asked(self) -> dict[str, Any]:
        return self.status()

    def reload(self) -> None:
        """Open the log anew, after a rotation; read certificate, the clients' keys and policies again."""
        self._denylog.reopen()
        try:
            keys = client_keys(self._settings)
            self._keys.clear()
            self._keys.update(keys)
        except SettingsError as error:
            log.error("%s; the last keys stay in use", error)
        if self._tls is not None:
            try:
                load_certificate(self._tls, self._settings)
            except SettingsError as error:
                log.error("%s; the last one stays in use", error)
        self._reloading = asyncio.get_running_loop().create_task(self._policies.reload())

    def _start_log(self) -> None:
        try:
            self._denylog.start()
        except OSError as error:
            raise SettingsError(
                f"log.destination: {self._settings.log.destination} cannot be written: {error.strerror}"
            ) from None

    async def _drain(self) -> float:
        """Take no new connections; let what is under way end, up to a limit. What is left of that, in seconds."""
        assert self._listening is not None
        assert self._relay is not None
        self._listening.close()
        self._relay.closing = True
        seconds, began = self._settings.timeouts.drain, time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await self._relay.idle()
        except TimeoutError:
            log.warning("%d transfers were cut off after the drain limit", self._relay.counters.in_flight)
        return seconds - (time.monotonic() - began)

    async def _stop(self, seconds: float = 0.0) -> None:
        """`seconds`: for what has been answered, and not taken by its client yet."""
        if self._listening is not None:
            self._listening.close()
        if self._handshakes is not None:
            self._handshakes.close()
        if self._server is not None:
            await self._server.shutdown(max(seconds, _CUT_OFF_SECONDS))
        if self._console is not None:
            await self._console.cleanup()
        if self._upstream is not None:
            await self._upstream.close()
        self._signers.stop()
        if self._reloading is not None:
            await asyncio.wait((self._reloading,))
        await self._policies.stop()
        await self._answering.stop()
        await asyncio.to_thread(self._denylog.stop)


class Running(Protocol):
    """What is known of a denyproxy that runs: one process, or several."""

    @property
    def address(self) -> Address:
        """Where the relay listens."""

    @property
    def console_address(self) -> Address | None:
        """Where the console listens."""


async def serve(settings: Settings, ready: Callable[[App], None], turn: Writing | None = None) -> None:
    """Run until SIGTERM or SIGINT, then drain. `ready` is called once everything listens. Raises SettingsError."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reload = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    async with App(settings, ColdPath(settings), policy_source(settings), turn=turn) as app:
        loop.add_signal_handler(signal.SIGHUP, app.reload)
        if reload.is_set():  # a part of what is to be read again may have been read before
            app.reload()
        ready(app)
        await stop.wait()
        log.info("stopping, once the transfers under way have ended; signal again to end at once")
        # A second signal ends the process by its default action.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run(settings: Settings, ready: Callable[[App], None] = lambda app: None, turn: Writing | None = None) -> None:
    """`serve` in a loop of its own, uvloop's where there is one."""
    log_to_stderr()
    _tune_memory()
    _allow_open_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, ready, turn))


def _allow_open_files() -> None:
    """As many as the system lets the process have: each connection is one."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tune_memory() -> None:
    """Leave alone what was there at the start, and keep the memory of one read for the next."""
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 50, 100)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; it would map and unmap each large read
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 4 * MiB)
        mallopt(_M_TRIM_THRESHOLD, 4 * MiB)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _listen(factory: RelayServer | TlsServer, settings: Settings) -> asyncio.Server:
    address = settings.listen
    try:
        return await asyncio.get_running_loop().create_server(
            factory,
            address.host,
            address.port,
            backlog=1024,
            reuse_port=True if settings.workers > 1 else None,
        )
    except OSError as error:
        raise SettingsError(f"listen: cannot listen on {address}: {error.strerror or error}") from None


async def start_console(status: Status, address: Address) -> web.AppRunner:
    """The second listener. Raises SettingsError."""
    runner = web.AppRunner(console(status), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        raise SettingsError(f"console.listen: cannot listen on {address}: {error.strerror or error}") from None
    return runner


def address_of(runner: web.AppRunner | None) -> Address | None:
    """Where the console listens, if there is one."""
    if runner is None:
        return None
    host, port = runner.addresses[0][:2]
    return Address(host=host, port=port)

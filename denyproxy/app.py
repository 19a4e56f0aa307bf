"""The composition root: settings become objects, objects become running servers. Nobody else knows everybody."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from denyproxy import __version__
from denyproxy.console.health import console
from denyproxy.denylog import DenyLog
from denyproxy.exchange import Answer, Declared, DeniedCall
from denyproxy.proxy.handler import Relay, RelayOptions
from denyproxy.proxy.hosts import AllowedHosts
from denyproxy.proxy.modes import Forward, Passthrough, UpstreamMode, guess_kind
from denyproxy.proxy.server import RelayServer, ServerOptions
from denyproxy.proxy.session import SessionOptions, SessionUpstream
from denyproxy.proxy.upstream import Origin
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.settings import Address, Settings, SettingsError

log = logging.getLogger(__name__)

_CUT_OFF_SECONDS = 1.0
"""What a connection gets to end after the drain limit."""

Explainer = Callable[[DeniedCall, PolicySnapshot], tuple[Answer, str | None]]
"""The cold path: what goes to the client, and the denial record as JSON. None: nothing was denied after all."""


class Policies(Protocol):
    """Where snapshots come from."""

    @property
    def snapshot(self) -> PolicySnapshot:
        """The current one."""

    async def start(self) -> None:
        """Load, and keep watching."""

    async def stop(self) -> None:
        """Watch no more."""


class NoPolicies:
    """A source for which nothing is known."""

    snapshot = PolicySnapshot(revision="none")

    async def start(self) -> None:
        """There is nothing to load."""

    async def stop(self) -> None:
        """There is nothing to watch."""


class App:
    """A running denyproxy: `async with App(settings, explainer, policies) as app: ...`."""

    def __init__(self, settings: Settings, explainer: Explainer, policies: Policies) -> None:
        self._settings = settings
        self._explainer = explainer
        self._policies = policies
        self._denylog = DenyLog(settings.log.destination, capacity=settings.log.queue)
        self._upstream: SessionUpstream | None = None
        self._relay: Relay | None = None
        self._runner: web.ServerRunner | None = None
        self._console: web.AppRunner | None = None
        self._started = time.monotonic()

    async def __aenter__(self) -> App:
        settings = self._settings
        try:
            self._denylog.start()
            await self._policies.start()
            self._upstream = SessionUpstream(_session_options(settings))
            self._relay = Relay(
                modes(settings),
                self._upstream,
                self.answer,
                options=_relay_options(settings),
                declared=declared(settings),
            )
            self._runner = web.ServerRunner(
                RelayServer(self._relay, _server_options(settings)), shutdown_timeout=_CUT_OFF_SECONDS
            )
            await self._runner.setup()
            await _listen(self._runner, settings.listen, "listen")
            if settings.console.listen is not None:
                self._console = web.AppRunner(console(self.status), access_log=None)
                await self._console.setup()
                await _listen(self._console, settings.console.listen, "console.listen")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drain()
        await self._stop()

    @property
    def address(self) -> Address:
        """Where the relay listens."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return Address(host=host, port=port)

    @property
    def console_address(self) -> Address | None:
        """Where the console listens."""
        if self._console is None:
            return None
        host, port = self._console.addresses[0][:2]
        return Address(host=host, port=port)

    def answer(self, call: DeniedCall) -> Answer:
        """Explain a denial, put its record on the log, and give back what the client gets."""
        answer, record = self._explainer(call, self._policies.snapshot)
        if record is not None:
            self._denylog.put(record)
        return answer

    def status(self) -> dict[str, Any]:
        """What the console tells."""
        assert self._relay is not None
        snapshot = self._policies.snapshot
        return {
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "policies": {"revision": snapshot.revision, "problems": len(snapshot.problems)},
            "counters": asdict(self._relay.counters),
            "log": {"written": self._denylog.written, "dropped": self._denylog.dropped},
        }

    def reopen_log(self) -> None:
        """After a rotation."""
        self._denylog.reopen()

    async def _drain(self) -> None:
        """Take no new connections; let what is under way end, up to a limit."""
        assert self._runner is not None
        assert self._relay is not None
        for site in list(self._runner.sites):
            await site.stop()
        self._relay.closing = True
        try:
            async with asyncio.timeout(self._settings.timeouts.drain):
                await self._relay.idle.wait()
        except TimeoutError:
            log.warning("%d transfers were cut off after the drain limit", self._relay.counters.in_flight)

    async def _stop(self) -> None:
        for runner in (self._runner, self._console):
            if runner is not None:
                await runner.cleanup()
        if self._upstream is not None:
            await self._upstream.close()
        await self._policies.stop()
        await asyncio.to_thread(self._denylog.stop)


async def serve(settings: Settings, ready: Callable[[App], None] = lambda app: None) -> None:
    """Run until SIGTERM or SIGINT, then drain. `ready` is called once everything listens. Raises SettingsError."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with App(settings, explainer(settings), policies(settings)) as app:
        loop.add_signal_handler(signal.SIGHUP, app.reopen_log)
        ready(app)
        await stop.wait()
        log.info("stopping: %s", "waiting for transfers under way; once more to end at once")
        # A second signal ends the process by its default action.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run(settings: Settings, ready: Callable[[App], None] = lambda app: None) -> None:
    """`serve` in a loop of its own, uvloop's where there is one."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, ready))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def policies(settings: Settings) -> Policies:
    """The source of snapshots that the settings name."""
    if settings.policies.directory is None:
        return NoPolicies()
    from denyproxy.policies import DirectorySource

    return DirectorySource(settings.policies.directory)


def explainer(settings: Settings) -> Explainer:
    """The cold path with the settings of its delivery."""
    from denyproxy.explain.explainer import Explainer as Explain
    from denyproxy.explain.presentation import Disclosure, Presentation, present
    from denyproxy.service_model import s3_operations

    explain = Explain(s3_operations(), settings.base_domains)
    presentation = Presentation(
        disclosure=Disclosure(settings.disclosure),
        loopback=settings.listen.loopback,
        append_message=settings.response.message == "append",
        header_bytes=settings.response.header_bytes,
    )

    def answer(call: DeniedCall, snapshot: PolicySnapshot) -> tuple[Answer, str | None]:
        explained = explain(call, snapshot)
        if explained is None:
            return Answer(), None
        delivered = present(
            explained.explanation,
            own_account=explained.own_account,
            presentation=presentation,
            method=call.request.method,
            body=call.response_body,
        )
        return delivered, explained.record.to_json()

    return answer


def modes(settings: Settings) -> list[UpstreamMode]:
    """The modes that are on; the first that accepts a request has it."""
    found: list[UpstreamMode] = []
    if settings.forward.enabled:
        found.append(Forward(AllowedHosts.parse(settings.forward.allowed_hosts)))
    if settings.upstream.url is not None:
        parts = urlsplit(settings.upstream.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found.append(Passthrough(Origin(parts.scheme, host, port, settings.upstream.kind or guess_kind(host))))
    return found


def declared(settings: Settings) -> Declared:
    """The operator's facts about every request."""
    context: dict[str, tuple[str, ...] | None] = {
        key: (value,) if isinstance(value, str) else value for key, value in settings.declared.context.items()
    }
    context.update(dict.fromkeys(settings.declared.absent))
    return Declared(context=context)


def trust(settings: Settings) -> ssl.SSLContext | None:
    """Whom to trust as an upstream; None: as the system does. Raises SettingsError."""
    if settings.upstream.ca_file is None and settings.upstream.verify:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.upstream.ca_file)
    except OSError as error:
        raise SettingsError(f"upstream.ca_file: {settings.upstream.ca_file} cannot be used: {error}") from None
    if not settings.upstream.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _session_options(settings: Settings) -> SessionOptions:
    limits, timeouts = settings.limits, settings.timeouts
    return SessionOptions(
        connect_seconds=timeouts.connect,
        idle_seconds=timeouts.upstream_idle,
        keepalive_seconds=timeouts.upstream_keepalive,
        connections=limits.upstream_connections,
        line_bytes=limits.request_line,
        field_bytes=limits.header_field,
        fields=limits.header_fields,
        tls=trust(settings),
    )


def _relay_options(settings: Settings) -> RelayOptions:
    limits = settings.limits
    return RelayOptions(
        request_body_bytes=limits.request_body,
        error_body_bytes=limits.error_body,
        delete_result_bytes=limits.delete_result,
        header_bytes=settings.response.header_bytes,
        client_idle_seconds=settings.timeouts.client_idle,
        connections=limits.connections,
    )


def _server_options(settings: Settings) -> ServerOptions:
    limits, timeouts = settings.limits, settings.timeouts
    return ServerOptions(
        line_bytes=limits.request_line,
        field_bytes=limits.header_field,
        fields=limits.header_fields,
        keepalive_seconds=timeouts.keepalive,
        linger_seconds=timeouts.linger,
    )


async def _listen(runner: web.BaseRunner, address: Address, key: str) -> None:
    try:
        await web.TCPSite(runner, address.host, address.port, backlog=1024).start()
    except OSError as error:
        raise SettingsError(f"{key}: cannot listen on {address}: {error.strerror or error}") from None

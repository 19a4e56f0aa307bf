"""What goes out to a client, and whether it takes that."""

from __future__ import annotations

import asyncio

from denyproxy.proxy.framing import Data
from denyproxy.proxy.received import HIGH_WATER
from denyproxy.proxy.sockets import settle, speaks_tls, unacknowledged, write_at_once


class Outgoing:
    """The writing side of a client's connection."""

    __slots__ = (
        "_drain",
        "_loop",
        "_tls",
        "_untaken",
        "answered",
        "holds",
        "stalled_since",
        "transport",
        "written",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._drain: asyncio.Future[None] | None = None
        self._tls = False
        self._untaken = 0
        """Bytes that the client had not taken when that was looked at last."""
        self.transport: asyncio.Transport | None = None
        self.written = False
        """Has anything been sent of the response under way?"""
        self.answered = False
        """Is nothing under way, and a part of the last response perhaps still on its way?"""
        self.holds = False
        """Does anything wait for the client here? Over TLS: much?"""
        self.stalled_since: float | None = None
        """Since when the client has taken nothing of a response that waits for it, as seen when that was looked at."""

    def _opened(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._tls = speaks_tls(transport)
        write_at_once(transport, HIGH_WATER)

    def write(self, data: Data) -> None:
        """Send bytes, or as much of them as the buffers hold. Raises ConnectionResetError."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        self.written = True
        transport.write(bytes(data) if self._tls else data)

    @property
    def full(self) -> bool:
        """Is what waits for the client here as much as may?"""
        if not self.holds or self.transport is None:
            return self.holds
        return self.transport.get_write_buffer_size() > HIGH_WATER

    async def drain(self) -> None:
        """Wait until the client takes more. Raises ConnectionResetError."""
        if self.full:
            if self.transport is None:
                raise ConnectionResetError
            self._drain = self._loop.create_future()
            await self._drain

    def look(self, now: float) -> None:
        """Has the client taken anything since the last look? Then it has not stalled."""
        if not (self.full or self.answered):
            self.stalled_since = None
            return
        untaken = self._waits_for_client()
        if untaken != self._untaken or self.stalled_since is None:
            self.stalled_since = now
        self._untaken = untaken
        if not untaken:
            self.answered = False
            self.stalled_since = None

    @property
    def taken(self) -> bool:
        """Does the rest of the last response wait for the client in the kernel, if at all?"""
        transport = self.transport
        if transport is None:
            return True
        # Over TLS, the transport does not tell all that it holds: only what the client has acknowledged is out.
        unseen = self._tls and unacknowledged(transport)
        return not (transport.get_write_buffer_size() or unseen)

    def gives_way(self, now: float, seconds: float) -> bool:
        """Has the client everything but the rest of a response, and taken nothing of that for so long?"""
        return self.answered and self.stalled_since is not None and now - self.stalled_since > seconds

    def _waits_for_client(self) -> int:
        """Bytes that it has not taken, here and in the kernel."""
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size() + unacknowledged(transport)

    # The event loop's side.

    def pause_writing(self) -> None:
        """The client has not taken all."""
        self.holds = True

    def resume_writing(self) -> None:
        """It has taken what there was."""
        self.holds = False
        self.stalled_since = None
        self._drained(None)

    def _drained(self, error: Exception | None) -> None:
        drain, self._drain = self._drain, None
        settle(drain, error)

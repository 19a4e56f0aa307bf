"""A worker process, as its supervisor sees it: started, asked, told, and seen to its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from typing import Any

from denyproxy.settings import SettingsError
from denyproxy.worker import STATUS, Orders

_ANSWER_SECONDS = 2.0
"""How long the console waits for a worker."""
_LONGEST_LINE = 1 << 20


class WorkerProcess:
    """A worker process and the socket to it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()
        self._asked = 0
        self._reloads = False
        """Has it been told to read everything again before it listened?"""
        self.listening = False

    @classmethod
    async def start(cls, orders: Orders) -> WorkerProcess:
        """A process that sets up its listener."""
        ours, theirs = socket.socketpair()
        with theirs:
            program = (
                "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
                f"sys.path[:] = {sys.path!r}; from denyproxy.worker import main; sys.exit(main({theirs.fileno()}))"
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                program,
                pass_fds=(theirs.fileno(), orders.turn),
                process_group=0,  # a terminal's SIGINT is the parent's to pass on
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        writer.write(orders.write())
        return cls(process, reader, writer)

    async def listens(self) -> bool:
        """Wait until it does; False: it has ended. Raises SettingsError, with its words."""
        news = await self._news()
        if "error" in news:
            raise SettingsError(news["error"])
        self.listening = "ready" in news
        if self.listening and self._reloads:
            self.signal(signal.SIGHUP)
        return self.listening

    async def status(self) -> dict[str, Any] | None:
        """What it has to tell; None: it does not answer, or does not listen yet."""
        if not self.listening:
            return None
        async with self._asking:
            self._asked += 1
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    self._writer.write(b"%b %d\n" % (STATUS, self._asked))
                    while (news := await self._news()) and news["number"] != self._asked:
                        pass  # what came too late for whoever asked
            except TimeoutError:
                return None
        return news.get("status")

    def reload(self) -> None:
        """Have it read everything again: at once, or as soon as it listens."""
        if self.listening:
            self.signal(signal.SIGHUP)
        else:
            self._reloads = True

    async def _news(self) -> dict[str, Any]:
        """A line; empty once it has ended."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return {}
        news = json.loads(line) if line else {}
        assert isinstance(news, dict)
        return news

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end: the exit status, negative for a signal."""
        try:
            return await self.process.wait()
        finally:
            self._writer.close()

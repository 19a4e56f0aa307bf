"""A policy source: a snapshot that is always there, kept fresh in the background and swapped whole."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import watchfiles

from denyproxy.policies.directory import (
    Fingerprint,
    LoadedFile,
    fingerprint,
    load_files,
    moment,
    one_line,
    read_directory,
    snapshot_of,
)
from denyproxy.s3.snapshot import PolicyProblem, PolicySnapshot

logger = logging.getLogger(__name__)
# It announces every burst of changes at INFO; the line about the reload says more.
logging.getLogger("watchfiles").setLevel(logging.WARNING)

_QUIET_MS = 100
"""A burst of changes ends when nothing changed for so long: an editor's truncate and write are one reload."""


class PolicySource(Protocol):
    """Where snapshots come from."""

    @property
    def snapshot(self) -> PolicySnapshot:
        """The last good one; before the first, one in which everything is unknown. Never blocks."""

    async def start(self) -> None:
        """Load, and begin to keep fresh. A source that cannot load yet says so in its snapshot's problems."""

    async def reload(self) -> None:
        """Look whether anything changed."""

    async def stop(self) -> None:
        """End the background work."""


def now_utc() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """While a snapshot is built, and set aside by gc.freeze, the cyclic garbage collector stays away: its walk over
    all objects would hold up every thread for longer than any request should wait. Reference counting goes on."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class DirectorySource:
    """A policy directory (docs/policy-directory.md), read again whenever something in it changes.

    What was good stays: a file that breaks keeps its last good content, a directory that vanishes keeps the last
    snapshot, and both are named in the snapshot's problems."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = now_utc,
        on_change: Callable[[PolicySnapshot], None] | None = None,
        poll: float = 5.0,
    ) -> None:
        """`clock` gives aware UTC; `on_change` is called on the event loop after each swap.

        `poll`: seconds between looks for what no notification tells: a directory or link that was replaced, a network
        file system."""
        self.path = path
        self._clock = clock
        self._on_change = on_change
        self._poll = poll
        self._snapshot = self._read_snapshot = PolicySnapshot(
            problems=(PolicyProblem(str(path), "", "has not been read yet, so that every policy is unknown"),)
        )
        self._files: Mapping[str, LoadedFile] = {}
        self._fingerprint: Fingerprint | None = None
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> PolicySnapshot:
        """The last good snapshot."""
        return self._snapshot

    async def start(self) -> None:
        """Load the directory and watch it. That it cannot be read is a problem in the snapshot, not an error."""
        self._stopping.clear()
        await self.reload()
        self._watching = asyncio.create_task(self._watch(), name=f"watch {self.path}")

    async def stop(self) -> None:
        """End the watching; the snapshot stays."""
        self._stopping.set()
        if self._watching is not None:
            await self._watching
            self._watching = None

    async def reload(self) -> None:
        """Read what changed, and swap the snapshot if that makes a difference."""
        async with self._reloading:
            with _no_garbage_collection():
                await self._reload()

    async def _reload(self) -> None:
        try:
            # In a thread: the pure work is long, and the event loop gets its turn every 5 ms.
            self._files, self._fingerprint, snapshot = await asyncio.to_thread(self._load)
            self._read_snapshot = snapshot
        except OSError as error:
            self._fingerprint = None
            snapshot = self._kept(f"cannot be read ({error.strerror or error})")
        except Exception:
            logger.exception("policies of %s not loaded", self.path)
            snapshot = self._kept("could not be loaded, by a fault in denyproxy (the log has it)")
        last = self._snapshot
        if (last.revision, last.problems, last.loaded is None) != (
            snapshot.revision,
            snapshot.problems,
            snapshot.loaded is None,
        ):
            self._swap(snapshot)
            gc.freeze()

    def _load(self) -> tuple[Mapping[str, LoadedFile], Fingerprint | None, PolicySnapshot]:
        before, now = fingerprint(self.path), self._clock()
        files = load_files(read_directory(self.path), now, self._files)
        return files, before, snapshot_of(files, now)

    def _kept(self, what: str) -> PolicySnapshot:
        """The last snapshot that was read, with the problem that it is not today's."""
        last = self._read_snapshot
        if last.loaded is None:
            message = f"{what}, so that every policy is unknown; give a readable policy directory"
            return replace(last, problems=(PolicyProblem(str(self.path), "", message),))
        message = f"{what}; the policies as of {moment(last.loaded)} stay in use"
        return replace(last, problems=(*last.problems, PolicyProblem(str(self.path), "", message)))

    def _swap(self, snapshot: PolicySnapshot) -> None:
        last, self._snapshot = self._snapshot, snapshot
        for problem in snapshot.problems:
            if problem not in last.problems:
                logger.warning("%s", one_line(problem))
        logger.info(
            "policies of %s: revision %s, %d principals, %d buckets, %d problems",
            self.path,
            snapshot.revision or "none",
            len(snapshot.principals),
            len(snapshot.buckets),
            len(snapshot.problems),
        )
        if self._on_change is not None:
            try:
                self._on_change(snapshot)
            except Exception:
                logger.exception("policies of %s changed, but what follows from it failed", self.path)

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._follow_notifications()
            except (OSError, RuntimeError) as error:
                # The directory is not there, or the system has no notifications left to give: look from time to time.
                logger.debug("no notifications for %s: %s", self.path, error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._poll)
                await self._reload_if_changed()

    async def _follow_notifications(self) -> None:
        """Until stopped, or until another directory stands in this one's place."""
        watched = self._identity
        changes = watchfiles.awatch(
            self.path,
            watch_filter=None,
            step=_QUIET_MS,
            rust_timeout=int(self._poll * 1000),
            yield_on_timeout=True,
            stop_event=self._stopping,
        )
        async for changed in changes:
            if changed:
                await self.reload()
            else:
                await self._reload_if_changed()
            if self._identity != watched:
                return

    @property
    def _identity(self) -> object:
        return self._fingerprint and self._fingerprint[0]

    async def _reload_if_changed(self) -> None:
        if await asyncio.to_thread(fingerprint, self.path) != self._fingerprint:
            await self.reload()

"""What a denied caller gets at once, and what is left for later: explaining never holds up the relay."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from denyproxy.budget import Budget, Load
from denyproxy.exchange import Answer, DeniedCall
from denyproxy.explain.record import ShedRecord
from denyproxy.s3.snapshot import PolicySnapshot

log = logging.getLogger(__name__)

_PAUSE = 0.05
"""Seconds between two looks at the load."""
_SLICE = 0.002
"""Seconds of CPU after which what can wait makes way for the relay."""
_FAREWELL = 2.0
"""Seconds of CPU that what still waits gets at the end."""
_MOST_IDS = 500
"""Of one line for denials that were shed."""
_OVERHEAD = 4096
"""Bytes that a waiting denial takes beside its bodies, roughly."""


class Explaining(Protocol):
    """The cold path, as it is asked here."""

    @property
    def remembered(self) -> int:
        """Denials that were like one before."""

    def may_be_denied(self, call: DeniedCall) -> bool:
        """Is there anything to explain, at first glance?"""

    def at_once(self, call: DeniedCall, snapshot: PolicySnapshot) -> tuple[Answer, str | None] | None:
        """The answer and the record as JSON. No record: it takes longer, and is to be made `in_slices`. None: nothing
        was denied after all."""

    def in_slices(self, call: DeniedCall, snapshot: PolicySnapshot) -> Generator[None, None, str | None]:
        """The record as JSON, made in pieces; None: nothing was denied after all."""


@dataclass(slots=True)
class Counts:
    """Denials since the start."""

    at_once: int = 0
    """Explained in the response."""
    deferred: int = 0
    """Answered with the id alone, or in part; the record follows."""
    later: int = 0
    """Of those: explained in the log."""
    shed: int = 0
    """Of those: named in the log, never explained."""
    failed: int = 0
    """Explaining them raised an error."""


class Answering:
    """The relay's way to an answer, within a budget of time.

    Past the budget a denial gets its id alone and waits, in a bounded queue, to be explained in the log when there is
    time; what finds the queue full is named there as shed. For the event loop's thread alone."""

    def __init__(
        self,
        cold: Explaining,
        snapshot: Callable[[], PolicySnapshot],
        put: Callable[[str], None],
        *,
        budget: Budget,
        queue: int,
        queue_bytes: int,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`put` takes the lines of the log. `queue`: denials that may wait, with `queue_bytes` in all. `cpu`: seconds
        that the thread was busy."""
        self._cold = cold
        self._snapshot = snapshot
        self._put = put
        self._budget = budget
        self._queue = queue
        self._queue_bytes = queue_bytes
        self._cpu = cpu
        self._waiting: deque[tuple[DeniedCall, PolicySnapshot]] = deque()
        self._waiting_bytes = 0
        self._wanted = asyncio.Event()
        """Something waits."""
        self._busy = asyncio.Event()
        """Denials have come since the last look at the load."""
        self._begun: tuple[DeniedCall, Generator[None, None, str | None]] | None = None
        self._shed: list[str] = []
        self._spared = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.counts = Counts()

    def __call__(self, call: DeniedCall) -> Answer | None:
        """What is changed in the response. None: nothing in it was denied. May raise what explaining raises."""
        snapshot = self._snapshot()
        self._busy.set()
        if not self._budget.may_spend():
            if not self._cold.may_be_denied(call):
                return None
            self._defer(call, snapshot)
            return Answer()
        started = self._cpu()
        try:
            told = self._cold.at_once(call, snapshot)
        except Exception:
            self.counts.failed += 1
            raise
        finally:
            self._budget.spend(self._cpu() - started)
        if told is None:
            return None
        answer, record = told
        if record is None:
            self._defer(call, snapshot)
        else:
            self.counts.at_once += 1
            self._put(record)
        return answer

    def start(self) -> None:
        """Begin to explain what waits. Needs a running event loop."""
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._catch_up())]

    async def stop(self) -> None:
        """Explain what still waits, for a bounded time; name the rest."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        end = self._cpu() + _FAREWELL
        while self._cpu() < end and self.go_on():
            pass
        left = [call for call, _ in (*((self._begun,) if self._begun is not None else ()), *self._waiting)]
        self._begun = None
        self._waiting.clear()
        self._drop(*left)
        self._name_shed()

    def status(self) -> dict[str, Any]:
        """For the console."""
        counts = {**asdict(self.counts), "remembered": self._cold.remembered}
        return {**counts, "waiting": len(self._waiting), "share": round(self._budget.share, 2)}

    def go_on(self) -> bool:
        """A slice of work on what waits. False: nothing does."""
        begun = self._begun
        if begun is None:
            if not self._waiting:
                return False
            call, snapshot = self._waiting.popleft()
            self._waiting_bytes -= _size(call)
            begun = self._begun = call, self._cold.in_slices(call, snapshot)
        started = self._cpu()
        try:
            while self._cpu() < started + _SLICE:
                next(begun[1])
        except StopIteration as end:
            self._begun = None
            if end.value is not None:
                self.counts.later += 1
                self._put(end.value)
        except Exception as error:
            self._begun = None
            self.counts.failed += 1
            log.error("explaining %s failed: %s", begun[0].id, type(error).__name__)
            self._drop(begun[0])
        finally:
            spent = self._cpu() - started
            self._budget.spend(spent)
            self._spared += spent
        return True

    def _defer(self, call: DeniedCall, snapshot: PolicySnapshot) -> None:
        self.counts.deferred += 1
        size = _size(call)
        if len(self._waiting) >= self._queue or self._waiting_bytes + size > self._queue_bytes:
            self._drop(call)
            return
        self._waiting.append((call, snapshot))
        self._waiting_bytes += size
        self._wanted.set()

    def _drop(self, *calls: DeniedCall) -> None:
        self.counts.shed += len(calls)
        self._shed += [call.id for call in calls]
        self._busy.set()
        if len(self._shed) >= _MOST_IDS:
            self._name_shed()

    def _name_shed(self) -> None:
        while self._shed:
            ids, self._shed = tuple(self._shed[:_MOST_IDS]), self._shed[_MOST_IDS:]
            self._put(ShedRecord(time=datetime.now(UTC), count=len(ids), ids=ids).to_json())

    async def _watch(self) -> None:
        """Adapt the budget to the load, as long as there are denials."""
        while await self._busy.wait():
            load = Load(self._cpu)
            self._spared = 0.0
            while self._busy.is_set() or self._wanted.is_set() or self._budget.share < 1.0:
                self._busy.clear()
                await asyncio.sleep(_PAUSE)
                self._budget.tick(saturated=load.saturated(_PAUSE, self._spared))
                self._spared = 0.0
                self._name_shed()

    async def _catch_up(self) -> None:
        """Explain what waits, a little at a time."""
        while True:
            await self._wanted.wait()
            if not self._budget.may_spend():
                await asyncio.sleep(_PAUSE)
            elif self.go_on():
                await asyncio.sleep(0)
            else:
                self._wanted.clear()


def _size(call: DeniedCall) -> int:
    return _OVERHEAD + len(call.body or b"") + len(call.response_body or b"")

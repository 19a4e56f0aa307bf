"""What a storm of denials gets: explained at once, later, or shed; each is counted and has its line in the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from denyproxy.answering import Answering
from denyproxy.budget import Budget
from denyproxy.exchange import Answer, DeniedCall
from denyproxy.loading import load
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.wiring import ColdPath
from tests.app.test_budget import Clock
from tests.explain.test_explainer import READ_ONLY, call, delete_result, head, policies, world

COST = 0.01
SNAPSHOT = PolicySnapshot(revision="1")


class Cold:
    """Explains in ten milliseconds of a clock that stands still otherwise."""

    remembered = 0

    def __init__(self, cpu: Clock, clock: Clock) -> None:
        self.clocks = (cpu, clock)
        self.in_parts: set[str] = set()
        self.broken: set[str] = set()

    def may_be_denied(self, denied: DeniedCall) -> bool:
        return denied.response is not None and denied.response.status == 403

    def _work(self, denied: DeniedCall) -> str:
        for clock in self.clocks:
            clock.now += COST
        if denied.id in self.broken:
            raise RuntimeError(denied.id)
        return json.dumps({"id": denied.id})

    def at_once(self, denied: DeniedCall, snapshot: PolicySnapshot) -> tuple[Answer, str | None] | None:
        record = self._work(denied)
        return Answer((("X-Deny-Explanation", "why"),)), None if denied.id in self.in_parts else record

    def in_slices(self, denied: DeniedCall, snapshot: PolicySnapshot) -> Generator[None, None, str | None]:
        assert snapshot is SNAPSHOT
        for _ in range(3):
            yield
        return self._work(denied)


class Storm:
    def __init__(self, share: float = 0.2, queue: int = 100, queue_bytes: int = 1 << 20) -> None:
        self.clock, self.cpu = Clock(), Clock()
        self.cold = Cold(self.cpu, self.clock)
        self.budget = Budget(share, self.clock)
        self.lines: list[dict[str, Any]] = []
        self.answering = Answering(
            self.cold,
            lambda: SNAPSHOT,
            lambda line: self.lines.append(json.loads(line)),
            budget=self.budget,
            queue=queue,
            queue_bytes=queue_bytes,
            cpu=self.cpu,
        )

    def saturate(self) -> None:
        """From now on the relay has no time to spare, and the budget is used up."""
        for _ in range(10):
            self.budget.tick(saturated=True)
        self.budget.spend(1.0)

    def ids(self) -> list[str]:
        return [line["id"] for line in self.lines if "id" in line]

    def shed(self) -> list[str]:
        return [identity for line in self.lines if line.get("kind") == "shed" for identity in line["ids"]]


def denial(number: int, **more: Any) -> DeniedCall:
    return call(id=f"ID{number}", **more)


def test_without_a_storm_all_is_explained_at_once() -> None:
    storm = Storm()
    for number in range(50):
        answer = storm.answering(denial(number))
        assert answer is not None
        assert answer.headers
        storm.clock.now += 0.001
    assert storm.ids() == [f"ID{number}" for number in range(50)]
    assert (storm.answering.counts.at_once, storm.answering.counts.deferred) == (50, 0)


def test_past_the_budget_the_id_alone_and_the_record_later() -> None:
    storm = Storm()
    storm.saturate()
    assert [storm.answering(denial(number)) for number in range(3)] == [Answer(), Answer(), Answer()]
    assert storm.lines == []
    while storm.answering.go_on():
        pass
    assert storm.ids() == ["ID0", "ID1", "ID2"]
    counts = storm.answering.counts
    assert (counts.at_once, counts.deferred, counts.later, counts.shed) == (0, 3, 3, 0)


def test_a_storm_gets_its_share_and_no_more() -> None:
    storm = Storm(share=0.2, queue=0)
    storm.saturate()
    start = storm.clock.now
    while storm.clock.now < start + 100:
        storm.answering(denial(1))
        storm.clock.now += 0.0005
    assert storm.answering.counts.at_once * COST == pytest.approx(0.2 * 100, rel=0.1)


def test_what_finds_the_queue_full_is_shed_and_named() -> None:
    storm = Storm(queue=2)
    storm.saturate()
    for number in range(5):
        assert storm.answering(denial(number)) == Answer()
    asyncio.run(storm.answering.stop())
    assert storm.ids() == ["ID0", "ID1"]
    assert storm.shed() == ["ID2", "ID3", "ID4"]
    assert [line["count"] for line in storm.lines if "count" in line] == [3]
    assert storm.answering.status()["waiting"] == 0


def test_bodies_that_wait_are_bounded_in_all() -> None:
    storm = Storm(queue_bytes=100_000)
    storm.saturate()
    for number in range(5):
        storm.answering(denial(number, body=bytes(40_000)))
    assert storm.answering.counts.shed == 3


def test_many_that_were_shed_take_several_lines() -> None:
    storm = Storm(queue=0)
    storm.saturate()
    for number in range(1201):
        storm.answering(denial(number))
    asyncio.run(storm.answering.stop())
    assert [line["count"] for line in storm.lines] == [500, 500, 201]
    assert len(set(storm.shed())) == 1201


def test_at_the_end_what_waits_is_explained_for_a_while_and_then_named() -> None:
    storm = Storm(queue=1000)
    storm.saturate()
    for number in range(500):
        storm.answering(denial(number))
    asyncio.run(storm.answering.stop())
    explained, shed = storm.ids(), storm.shed()
    assert len(explained) == pytest.approx(200, abs=5)
    assert sorted(explained + shed) == sorted(f"ID{number}" for number in range(500))


def test_a_success_that_denies_nothing_is_left_alone_past_the_budget_too() -> None:
    storm = Storm()
    storm.saturate()
    assert storm.answering(denial(1, status=200)) is None
    assert storm.answering.counts.deferred == 0


def test_an_explanation_in_part_has_its_record_later() -> None:
    storm = Storm()
    storm.cold.in_parts = {"ID1"}
    answer = storm.answering(denial(1))
    assert answer is not None
    assert answer.headers == (("X-Deny-Explanation", "why"),)
    assert storm.ids() == []
    assert storm.answering.go_on()
    assert storm.ids() == ["ID1"]


def test_what_cannot_be_explained_later_is_named() -> None:
    storm = Storm()
    storm.saturate()
    storm.cold.broken = {"ID0"}
    for number in range(2):
        storm.answering(denial(number))
    asyncio.run(storm.answering.stop())
    assert (storm.ids(), storm.shed()) == (["ID1"], ["ID0"])
    assert storm.answering.counts.failed == 1


def test_an_error_at_once_is_the_relays_to_answer() -> None:
    storm = Storm()
    storm.cold.broken = {"ID0"}
    with pytest.raises(RuntimeError):
        storm.answering(denial(0))
    assert storm.answering.counts.failed == 1


async def test_what_waits_is_explained_in_the_background() -> None:
    """By real clocks: the tasks start, find time to spare, and end."""
    lines: list[dict[str, Any]] = []
    settings = load({"upstream": {"url": "http://127.0.0.1:9000"}})
    snapshot = world(policies(READ_ONLY))
    budget = Budget(0.2)
    answering = Answering(
        ColdPath(settings),
        lambda: snapshot,
        lambda line: lines.append(json.loads(line)),
        budget=budget,
        queue=100,
        queue_bytes=1 << 20,
    )
    budget.spend(0.2)
    for number in range(20):
        assert answering(call(head("PUT", f"/b/{number}"), id=f"ID{number}")) == Answer()
    answering.start()
    async with asyncio.timeout(30):
        while answering.counts.later < 20:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
    await answering.stop()
    assert [line["key"] for line in lines] == [str(number) for number in range(20)]
    assert {line["verdict"] for line in lines} == {"implicit-deny"}


def deletion(count: int) -> DeniedCall:
    """DeleteObjects, of which every key was denied."""
    keys = [f"key{number}" for number in range(count)]
    body = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    return call(
        head("POST", "/b?delete"),
        status=200,
        response_body=delete_result(*keys),
        body=f"<Delete>{body}</Delete>".encode(),
    )


def test_a_thousand_denied_keys_have_their_header_at_once_and_their_record_in_slices() -> None:
    denied = deletion(1000)
    cold = ColdPath(load({"upstream": {"url": "http://127.0.0.1:9000"}}))
    snapshot = world(policies(READ_ONLY))
    told = cold.at_once(denied, snapshot)
    assert told is not None
    answer, record = told
    assert record is None
    steps = cold.in_slices(denied, snapshot)
    slices = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            whole = json.loads(end.value)
            break
        slices += 1
    assert slices == 1000
    assert any("1000 key(s) of this request were denied, all for this reason" in note for note in whole["notes"])
    # The header is the same as that of the whole.
    text = dict(answer.headers)["X-Deny-Explanation"]
    assert text.startswith(whole["summary"][:200])
    assert whole["fixes"][0]["summary"][:80] in text


def test_what_waits_is_told_from_one_that_was_like_it() -> None:
    cold, other = (ColdPath(load({"upstream": {"url": "http://127.0.0.1:9000"}})) for _ in range(2))
    snapshot = world(policies(READ_ONLY), objects={})
    for name in ("in/part-1", "in/part-2"):
        assert cold.at_once(call(head("PUT", f"/b/{name}")), snapshot) is not None
    waited = call(head("PUT", "/b/in/part-3"), id="ID3")
    with pytest.raises(StopIteration) as end:
        next(cold.in_slices(waited, snapshot))
    told = other.at_once(waited, snapshot)
    assert told is not None
    assert end.value.value == told[1]
    next(cold.in_slices(waited, replace(snapshot, revision="r2")))


def test_twenty_denied_keys_have_all_at_once() -> None:
    denied = deletion(20)
    cold = ColdPath(load({"upstream": {"url": "http://127.0.0.1:9000"}}))
    told = cold.at_once(replace(denied, id="ID1"), world(policies(READ_ONLY)))
    assert told is not None
    assert told[1] is not None
    assert json.loads(told[1])["id"] == "ID1"


async def test_the_share_recovers_after_a_storm_and_nothing_is_looked_at_without_denials() -> None:
    looks = 0

    def cpu() -> float:
        nonlocal looks
        looks += 1
        return 0.0

    budget = Budget(0.2)
    cold = Cold(Clock(), Clock())
    answering = Answering(cold, lambda: SNAPSHOT, lambda _: None, budget=budget, queue=1, queue_bytes=1 << 20, cpu=cpu)
    for _ in range(5):
        budget.tick(saturated=True)
    answering.start()
    for _ in range(10):
        await asyncio.sleep(0)
    assert looks == 0
    answering(denial(1))
    async with asyncio.timeout(30):
        while budget.share < 1.0:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
    await answering.stop()

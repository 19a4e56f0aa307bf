"""The budget of time, by a clock that tells what the test wants."""

from __future__ import annotations

import pytest

from denyproxy.budget import WINDOW, Budget, Load


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def explained_in(budget: Budget, clock: Clock, seconds: float, cost: float, gap: float) -> float:
    """Seconds spent on explanations of a cost, if a denial arrives after every gap."""
    spent, end = 0.0, clock.now + seconds
    while clock.now < end:
        if budget.may_spend():
            clock.now += cost
            budget.spend(cost)
            spent += cost
        clock.now += gap
    return spent


def test_all_of_the_time_while_there_is_time_to_spare() -> None:
    clock = Clock()
    budget = Budget(0.2, clock)
    assert explained_in(budget, clock, 10.0, cost=0.003, gap=0.001) == pytest.approx(7.5, rel=0.01)


def test_a_share_of_the_time_while_there_is_none() -> None:
    clock = Clock()
    budget = Budget(0.2, clock)
    for _ in range(10):
        budget.tick(saturated=True)
    assert budget.share == 0.2
    assert explained_in(budget, clock, 10.0, cost=0.002, gap=0.0002) == pytest.approx(2.0, rel=0.1)


def test_idle_time_is_not_saved_up() -> None:
    clock = Clock()
    budget = Budget(0.5, clock)
    budget.tick(saturated=True)
    clock.now += 3600
    assert explained_in(budget, clock, 0.2, cost=0.001, gap=0.0001) <= WINDOW + 0.1


def test_the_share_halves_and_recovers() -> None:
    budget = Budget(0.2, Clock())
    shares = []
    for saturated in (True, True, True, False, False):
        budget.tick(saturated=saturated)
        shares.append(budget.share)
    assert shares == pytest.approx([0.5, 0.25, 0.2, 0.3, 0.4])
    for _ in range(20):
        budget.tick(saturated=False)
    assert budget.share == 1.0


@pytest.mark.parametrize(
    ("elapsed", "busy", "spared", "saturated"),
    [
        (0.05, 0.01, 0.0, False),
        (0.05, 0.048, 0.0, True),
        # What could have waited does not count.
        (0.06, 0.05, 0.04, False),
        # Late though not busy: something else has the core.
        (0.12, 0.02, 0.0, True),
    ],
)
def test_a_thread_without_time_to_spare(elapsed: float, busy: float, spared: float, saturated: bool) -> None:
    clock, cpu = Clock(), Clock()
    load = Load(cpu, clock)
    clock.now += elapsed
    cpu.now += busy
    assert load.saturated(0.05, spared) is saturated

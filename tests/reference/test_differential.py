"""Product and reference decide alike. `make differential` does the same on many more cases."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings

from tests.reference.case import Case, minimised
from tests.reference.differential import CHECKS, LEAST_SHARE, Counts, counted, disagreements, known_fails, shares
from tests.reference.generate import cases

BLOCKS, CASES = 10, 500


@pytest.mark.parametrize("block", range(BLOCKS))
def test_product_and_reference_agree(block: int) -> None:
    for seed in range(block * CASES, (block + 1) * CASES):
        for name, case in disagreements(seed):
            raise AssertionError(f"{name}, seed {seed}:\n{json.dumps(minimised(case, CHECKS[name]), indent=1)}")


def test_no_decision_and_no_deciding_layer_is_rare() -> None:
    counts: Counts = sum(map(counted, range(3 * CASES)), Counter())
    assert not {name: share for name, share in shares(counts, 3 * CASES).items() if share <= LEAST_SHARE}


@settings(max_examples=50, deadline=None)
@given(cases)
def test_product_and_reference_agree_on_cases_that_hypothesis_draws(case: Case) -> None:
    assert not known_fails(case)

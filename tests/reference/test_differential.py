"""Product and reference decide alike. `make differential` does the same on many more cases."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given, settings

from tests.reference.case import Case, minimised
from tests.reference.differential import CHECKS, LEAST_SHARE, Counts, compare, known_fails, shares
from tests.reference.generate import cases

CASES = 5_000


def test_product_and_reference_agree() -> None:
    counts: Counts = Counter()
    for seed in range(CASES):
        counted, disagreements = compare(seed)
        counts += counted
        for name, case in disagreements:
            raise AssertionError(f"{name}, seed {seed}:\n{json.dumps(minimised(case, CHECKS[name]), indent=1)}")
    rare = {name: share for name, share in shares(counts, CASES).items() if share <= LEAST_SHARE}
    assert not rare, "the generator hardly ever asks about these"


@settings(max_examples=50, deadline=None)
@given(cases)
def test_product_and_reference_agree_on_cases_that_hypothesis_draws(case: Case) -> None:
    assert not known_fails(case)

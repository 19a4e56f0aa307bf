from __future__ import annotations

import pytest

from denyproxy.iam.context import RequestContext, Values
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES

CLOSED = RequestContext(
    {"aws:username": ("alice",), "aws:principaltag/team": ("blue",), "s3:requestobjecttagkeys": ()},
    frozenset({"aws:sourceip", "aws:principaltag/*"}),
)
OPEN = RequestContext(
    {"aws:username": ("alice",)},
    frozenset({"aws:sourceip"}),
    frozenset({"s3:prefix", "aws:requesttag/*", "aws:sourceip"}),
    open_world=True,
)


@pytest.mark.parametrize(
    ("world", "key", "found"),
    [
        (CLOSED, "aws:UserName", ("alice",)),
        (CLOSED, "aws:PrincipalTag/Team", ("blue",)),
        (CLOSED, "aws:PrincipalTag/other", UNKNOWN),
        (CLOSED, "aws:PrincipalTag", None),
        (CLOSED, "aws:SourceIp", UNKNOWN),
        (CLOSED, "aws:RequestTag/x", None),
        (CLOSED, "s3:prefix", None),
        (CLOSED, "s3:RequestObjectTagKeys", ()),
        (OPEN, "aws:username", ("alice",)),
        (OPEN, "aws:sourceip", UNKNOWN),
        (OPEN, "s3:Prefix", None),
        (OPEN, "aws:RequestTag/x", None),
        (OPEN, "aws:PrincipalTag/x", UNKNOWN),
        (OPEN, "s3:max-keys", UNKNOWN),
    ],
)
def test_a_key_is_present_absent_or_unknown(world: RequestContext, key: str, found: Values | Unknown | None) -> None:
    assert world.lookup(key) == found


def test_an_unknown_fact_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNKNOWN)


def test_truth_is_ordered_and_negation_swaps_its_ends() -> None:
    assert NO < UNSURE < YES
    assert [~truth for truth in (NO, UNSURE, YES)] == [YES, UNSURE, NO]
    assert (Truth.of(True), Truth.of(False)) == (YES, NO)
    assert min(YES, UNSURE) is UNSURE
    assert max(NO, UNSURE) is UNSURE

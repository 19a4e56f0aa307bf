"""From settings to what explains."""

from __future__ import annotations

import json

import pytest

from denyproxy.loading import load
from denyproxy.wiring import ColdPath
from tests.explain.test_explainer import READ_ONLY, call, head, policies, world


@pytest.mark.parametrize("kept", [True, False])
def test_records_carry_their_scenario_where_it_is_wanted(kept: bool) -> None:
    settings = load({"upstream": {"url": "http://127.0.0.1:9000"}, "log": {"scenario": kept}})
    answered = ColdPath(settings).at_once(call(head("PUT")), world(policies(READ_ONLY)))
    assert answered is not None
    assert answered[1] is not None
    record = json.loads(answered[1])
    assert (record["scenario"] is not None) is kept
    if kept:
        assert record["scenario"]["policies"]["identity"][0]["document"]["Statement"] == [READ_ONLY]

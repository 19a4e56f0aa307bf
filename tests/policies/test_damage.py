"""Damage: whatever happens to a file, nothing raises, and what it no longer tells is unknown rather than none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denyproxy.iam.document import PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.policies.directory import Content, build_snapshot, one_line, read_directory
from denyproxy.s3.snapshot import PolicySnapshot
from tests.policies.build import NOW

EXAMPLE = Path(__file__).parents[2] / "config" / "policies"
Step = str | int

WRONG = 7
"""Of the wrong type wherever the type matters."""


@cache
def example() -> dict[str, bytes]:
    return {name: content for name, content in read_directory(EXAMPLE).items() if isinstance(content, bytes)}


@cache
def original() -> PolicySnapshot:
    return build_snapshot(example(), NOW)


def places(value: Any, place: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    yield place
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        yield from places(member, (*place, step))


def put(value: Any, place: tuple[Step, ...], new: Any) -> Any:
    """A copy of a JSON value with another value at a place."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = put(value[place[0]], place[1:], new)
    return copy


def damaged(name: str, content: bytes) -> PolicySnapshot:
    files: dict[str, Content] = {**example(), name: content}
    return build_snapshot(files, NOW)


def claims_more(mutated: Any, known: Any) -> bool:
    """Does it claim anything that the original does not tell?"""
    if mutated is UNKNOWN or mutated == known:
        return False
    if isinstance(mutated, PolicyList):
        told = known.policies if isinstance(known, PolicyList) else ()
        return mutated.complete or any(policy not in told for policy in mutated.policies)
    if is_dataclass(mutated):
        return any(claims_more(getattr(mutated, field.name), getattr(known, field.name)) for field in fields(mutated))
    if isinstance(mutated, Mapping):
        return any(key not in known or claims_more(value, known[key]) for key, value in mutated.items())
    if isinstance(mutated, tuple):
        if all(part == PolicyList(complete=False) for part in mutated):
            return False  # unknown levels of an organization; no aliases, which says nothing
        longer = not isinstance(known, tuple) or len(mutated) != len(known)
        return longer or any(claims_more(*pair) for pair in zip(mutated, known, strict=True))
    return True


def facts(snapshot: PolicySnapshot) -> dict[str, Any]:
    names = ("access_keys", "principals", "accounts", "buckets", "access_points", "vpc_endpoints", "kms_keys")
    return {name: getattr(snapshot, name) for name in names}


def test_the_law_would_notice_a_false_claim() -> None:
    assert claims_more(PolicyList(), original().bucket("amzn-s3-demo-bucket").policy)
    assert claims_more({"a": PolicyList()}, {"a": PolicyList(complete=False)})
    assert not claims_more(PolicyList(complete=False), original().bucket("amzn-s3-demo-bucket").policy)


@pytest.mark.parametrize("name", sorted(example()))
def test_a_value_of_the_wrong_type_makes_unknown_and_is_reported(name: str) -> None:
    value = json.loads(example()[name])
    known = facts(original())
    for place in places(value):
        if "Condition" in place:
            continue  # a number is a legitimate value there
        made = damaged(name, json.dumps(put(value, place, WRONG)).encode())
        told = facts(made)
        assert not claims_more(told, known), place
        assert made.problems or told == known, place
        assert {problem.file for problem in made.problems} <= {name}


@pytest.mark.parametrize("name", sorted(example()))
def test_a_file_cut_off_anywhere_tells_nothing_false(name: str) -> None:
    content = example()[name].rstrip()
    for length in range(1, len(content), 97):
        made = damaged(name, content[:length])
        assert not claims_more(facts(made), facts(original()))
        (problem,) = made.problems
        assert problem.file == name
        assert problem.place.startswith("line ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_json_raises(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(example())))
    value = json.loads(example()[name])
    place = data.draw(st.sampled_from(list(places(value))))
    made = damaged(name, json.dumps(put(value, place, data.draw(JSON))).encode())
    for problem in made.problems:
        line = one_line(problem)
        assert line.isascii()
        assert line.isprintable()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(example())))
    content = bytearray(example()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    damaged(name, bytes(content))


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=12), content=st.binary(max_size=40))
def test_no_name_raises(name: str, content: bytes) -> None:
    made = build_snapshot({name: content, f"buckets/{name}.json": content}, NOW)
    assert [one_line(problem) for problem in made.problems]

"""JSON patches: what a draft has become is what its patch makes of the original, by another library's reading."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.explain.patches import Draft, PatchError, apply_patch, pointer

DOCUMENT: dict[str, Any] = {
    "request": {"headers": {"a/b": "1", "m~n": "2"}, "key": None},
    "policies": {"identity": [{"name": "p", "document": {"Statement": [{"Sid": "A"}, {"Sid": "B"}]}}]},
}
NAMES = st.sampled_from(["headers", "a/b", "m~n", "x", "", "key"])
VALUES = st.sampled_from(["v", None, {"n": 1}, ["l"]])
STATEMENTS = ("policies", "identity", 0, "document", "Statement")


def edit(draft: Draft, kind: str, name: str, value: Any) -> None:
    if kind == "put":
        draft.put(value, "request", "headers", name)
    elif kind == "deep":
        draft.put(value, "new", name, "deeper")
    elif kind == "append":
        draft.append(value, *STATEMENTS)
    elif kind == "replace" and draft.get(*STATEMENTS):
        draft.put(value, *STATEMENTS, 0)
    elif kind == "remove" and name in (draft.get("request", "headers") or {}):
        draft.remove("request", "headers", name)
    elif kind == "later" and draft.get(*STATEMENTS):
        draft.in_the_end(lambda later: later.remove(*STATEMENTS, 0) if later.get(*STATEMENTS) else None, *STATEMENTS, 0)


KINDS = st.sampled_from(["put", "deep", "append", "replace", "remove", "later"])


@given(st.lists(st.tuples(KINDS, NAMES, VALUES), max_size=8))
def test_the_patch_leads_from_the_original_to_the_draft(edits: list[tuple[str, str, Any]]) -> None:
    before = copy.deepcopy(DOCUMENT)
    draft = Draft(DOCUMENT)
    for kind, name, value in edits:
        if kind == "deep" and not isinstance(draft.get("new", name), dict | None):
            continue
        edit(draft, kind, name, value)
    draft.finish()
    assert before == DOCUMENT
    assert jsonpatch.apply_patch(copy.deepcopy(DOCUMENT), copy.deepcopy(list(draft.patch))) == draft.document
    assert apply_patch(DOCUMENT, draft.patch) == draft.document


def test_a_pointer_escapes_slash_and_tilde() -> None:
    assert pointer("request", "headers", "a/b", "m~n", 0) == "/request/headers/a~1b/m~0n/0"


def test_objects_on_the_way_are_made() -> None:
    draft = Draft({"policies": {}})
    draft.put(False, "policies", "block_public_access", "BlockPublicPolicy")
    (operation,) = draft.patch
    assert operation == {"op": "add", "path": "/policies/block_public_access", "value": {"BlockPublicPolicy": False}}


def test_what_is_there_already_needs_no_operation() -> None:
    draft = Draft(DOCUMENT)
    draft.put("1", "request", "headers", "a/b")
    assert draft.patch == ()


def test_what_a_patch_leaves_alone_is_shared() -> None:
    draft = Draft(DOCUMENT)
    draft.put("v", "request", "headers", "x")
    assert draft.document["policies"] is DOCUMENT["policies"]


def test_what_was_put_off_goes_last_and_the_last_of_a_list_first() -> None:
    draft = Draft({"list": ["a", "b", "c"]})
    for index in (0, 2):
        draft.in_the_end(lambda later, index=index: later.remove("list", index), "list", index)  # type: ignore[misc]
    draft.put("B", "list", 1)
    draft.finish()
    assert draft.document == {"list": ["B"]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "replace", "path": "/request/none", "value": 1},
        {"op": "remove", "path": "/policies/identity/1"},
        {"op": "add", "path": "/policies/identity/2", "value": 1},
        {"op": "remove", "path": "/policies/identity/-"},
        {"op": "add", "path": "/policies/identity/x", "value": 1},
        {"op": "add", "path": "/request/key/x", "value": 1},
    ],
)
def test_a_path_that_does_not_fit(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError, match=operation["path"].split("/")[-1]):
        apply_patch(DOCUMENT, (operation,))
    with pytest.raises((jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError)):
        jsonpatch.apply_patch(copy.deepcopy(DOCUMENT), [operation])

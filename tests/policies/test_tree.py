"""Reading JSON: whatever is wrong is named with its place, and nothing raises."""

from __future__ import annotations

import codecs

import pytest

from denyproxy.iam.parsing import PolicyError
from denyproxy.policies.tree import Documents, Node, Report, join, parse
from tests.policies.build import BROKEN, document


def read(content: bytes) -> tuple[Node | None, list[tuple[str, str]]]:
    report = Report("f.json", "mend it", Documents())
    root = parse(content, report)
    return root, [(problem.place, problem.message) for problem in report.problems]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"a": 1,b}', "line 1, column 9"),
        (b'{\n  "a": 1\n  "b": 2\n}', "line 3, column 3"),
        (b"{} {}", "line 1, column 4"),
        (b'{"a": "\xff"}', "line 1"),
        (b'{\n"a": 1,\n"b": "\xe9"}', "line 3"),
        (b'{"a": NaN}', ""),
        (b'{"a": -Infinity}', ""),
        (b'{"a": ' + b"1" * 5000 + b"}", ""),
        (b"[" * 100_000, ""),
        (b'{"a": {"b": [0, {"c": 1, "d": 2, "c": 3}]}}', "a.b[1].c"),
        (b'{"a b": 1, "a b": 2}', '["a b"]'),
    ],
)
def test_what_is_not_json_is_named_with_its_place_and_a_remedy(content: bytes, place: str) -> None:
    root, problems = read(content)
    assert root is None
    assert [found for found, _ in problems] == [place]
    assert problems[0][1].endswith("; mend it")


def test_a_member_that_stands_twice_is_ambiguous() -> None:
    _, problems = read(b'{"Policy": null, "Policy": {}}')
    assert problems[0][0] == "Policy"
    assert "twice" in problems[0][1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_that_shells_write(encoding: str) -> None:
    root, problems = read('{"name": "é"}'.encode(encoding))
    assert problems == []
    assert root is not None
    assert root.value == {"name": "é"}


@pytest.mark.parametrize("content", [b"", b"\n \t", b"null", codecs.BOM_UTF8])
def test_nothing_is_null(content: bytes) -> None:
    root, problems = read(content)
    assert problems == []
    assert root is not None
    assert root.value is None


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        (("UserDetailList", 2, "Tags"), "UserDetailList[2].Tags"),
        (("AKIA", "x y"), 'AKIA["x y"]'),
        (("a\nb",), '["a\\nb"]'),
        (("é",), '["\\u00e9"]'),
        ((0,), "[0]"),
    ],
)
def test_places_are_one_line_of_ascii(steps: tuple[str | int, ...], place: str) -> None:
    assert join("", *steps) == place


def test_a_problem_is_reported_once_however_often_it_is_met() -> None:
    report = Report("f.json", "mend it", Documents())
    node = Node([1], "a", report)
    node.member("x")
    node.member("y")
    assert len(report.problems) == 1


def test_identical_documents_under_one_name_are_compiled_once() -> None:
    documents = Documents()
    first = documents.compile(document(), name="p")
    assert documents.compile(document(), name="p") is first
    other = documents.compile(document(), name="q")
    assert (other.name, other.document) == ("q", first.document)
    assert documents.compile(document("Else"), name="p") != first


def test_a_broken_document_is_broken_for_everyone() -> None:
    documents = Documents()
    for _ in range(2):
        with pytest.raises(PolicyError) as raised:
            documents.compile(BROKEN, name="p")
        assert raised.value.place == "Statement[1].Effect"


def test_a_document_nested_too_deeply_is_broken() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"Statement": deep}
    with pytest.raises(PolicyError):
        Documents().compile(deep, name="p")
    # Taken apart by hand: the garbage collector would recurse just as deeply.
    while deep:
        deep = deep.pop("Statement")  # type: ignore[assignment]

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.iam.wildcard import (
    Wild,
    any_arn,
    any_glob,
    arn_segments,
    glob,
    is_everything,
    literal,
    matches_tokens,
    may_match,
    tokens_of,
)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a/b:c", True),
        ("**", "", True),
        ("?", "", False),
        ("?", "a", True),
        ("?", "ab", False),
        ("a", "a", True),
        ("a", "A", False),
        ("a*", "a", True),
        ("a*", "ab/c", True),
        ("a*", "ba", False),
        ("*a", "ba", True),
        ("*a", "ab", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a?*", "a", False),
        ("a?*", "ab", True),
        ("*?", "", False),
        ("*?", "x", True),
        ("*b?d*", "abxxd", False),
        ("*b?d*", "xbcd", True),
        ("*?b*", "b", False),
        ("*?b*", "bb", True),
        ("*??*", "a", False),
        ("*??*", "ab", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*ab*ab", "ab", False),
        ("*ab*ab", "abab", True),
        ("a*?b*", "abxb", True),
        ("a*?b*", "ab", False),
        ("*a?c*", "axxaxc", True),
        ("*a?c*", "aabc", True),
        ("*?a?c*", "xaxxaxc", True),
        ("*?a?c*", "xaaxc", True),
        ("*??a?c", "xxaxcxxaxc", True),
        ("*ab*ba*", "aba", False),
        ("*ab*ba*", "abba", True),
        ("*a*?*b", "ab", False),
        ("home/*", "home/", True),
        ("home/*", "home", False),
        ("arn:aws:s3:::bucket*", "arn:aws:s3:::bucket2/key", True),
        ("arn:aws:s3:::b*", "arn:aws:s3:::b/x:y", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("line\n*", "line\nbreak\n", True),
    ],
)
def test_a_glob_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert glob(pattern, text) is matches
    assert may_match(tokens_of(pattern), text) is matches
    assert matches_tokens(tokens_of(pattern), text) is matches


@pytest.mark.parametrize(
    ("pattern", "tokens"),
    [
        ("", ()),
        ("ab", ("ab",)),
        ("a*b?", ("a", Wild.RUN, "b", Wild.ONE)),
        ("**", (Wild.RUN, Wild.RUN)),
    ],
)
def test_a_pattern_is_taken_apart(pattern: str, tokens: tuple[str | Wild, ...]) -> None:
    assert tokens_of(pattern) == tokens


def test_literal_is_the_text_of_a_pattern_without_wildcards() -> None:
    assert literal(("a*", "b")) == "a*b"
    assert literal(("a",)) == "a"
    assert literal(()) == ""
    assert literal(("a", Wild.ONE)) is None
    assert literal((Wild.RUN,)) is None


def test_only_stars_match_everything() -> None:
    assert is_everything((Wild.RUN, Wild.RUN))
    assert not is_everything(())
    assert not is_everything((Wild.ONE,))
    assert not is_everything(("*",))


@pytest.mark.parametrize(
    ("patterns", "hits", "misses"),
    [
        ([], [], ["", "a"]),
        (["a", "b"], ["a", "b"], ["c", ""]),
        (["a*", "b*"], ["ax", "b"], ["c"]),
        (["a", "b*"], ["a", "bx"], ["ax"]),
        (["a", "b*", "*c*d"], ["a", "bx", "acd"], ["ax", "dc"]),
        (["*c*d", "e?"], ["acd", "ex"], ["e"]),
        (["a", "*"], ["a", "zzz", ""], []),
    ],
)
def test_one_of_several_globs_is_enough(patterns: list[str], hits: list[str], misses: list[str]) -> None:
    matches = any_glob(tokens_of(pattern) for pattern in patterns)
    assert [text for text in hits + misses if matches(text)] == hits


def test_literal_wildcard_characters_in_tokens_stay_literal() -> None:
    tokens = ("home/*/", Wild.RUN)
    assert any_glob((tokens,))("home/*/x")
    assert not any_glob((tokens,))("home/alice/x")


alphabet = st.text(alphabet="ab/:*?", max_size=8)


@given(alphabet, st.text(alphabet="ab/:", max_size=12))
def test_globs_agree_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    expected = re.fullmatch(expression, text, re.DOTALL) is not None
    assert glob(pattern, text) is expected
    assert may_match(tokens_of(pattern), text) is expected


@given(st.text(alphabet="a:*?", max_size=12), st.text(alphabet="a:", max_size=12))
def test_arn_patterns_agree_with_a_regular_expression_for_each_segment(pattern: str, text: str) -> None:
    def parts(whole: str) -> list[str]:
        return whole.split(":", 5)

    translated = [
        "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in part)
        for part in parts(pattern)
    ]
    expected = len(parts(pattern)) == len(parts(text)) == 6 and all(
        re.fullmatch(expression, part) for expression, part in zip(translated, parts(text), strict=True)
    )
    assert any_arn((tokens_of(pattern),))(text) is expected
    assert may_match(tokens_of(pattern), text, arn=True) is (expected and text.count(":") >= 5)


class Counted(str):
    """Text that counts how many of its characters are looked at, at most."""

    looked_at = 0

    def find(self, part: str, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        found = super().find(part, start, len(self) if end is None else end)
        self.looked_at += len(part) + (len(self) if found < 0 else found) - start
        return found

    def startswith(self, part: str, start: int = 0) -> bool:  # type: ignore[override]
        self.looked_at += len(part)
        return super().startswith(part, start)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "*a?*a?*a?*a?*b", "a*" * 200 + "b", "*a?" * 100 + "b", "*?" * 300])
@pytest.mark.parametrize("last", ["", "c", "b"])
def test_a_match_costs_at_most_pattern_times_text(pattern: str, last: str) -> None:
    text = Counted("a" * (1024 - len(last)) + last)
    glob(pattern, text)
    assert text.looked_at <= len(pattern) * len(text)
    text.looked_at = 0
    may_match(tokens_of(pattern), text)
    assert text.looked_at <= len(pattern) * (len(text) + 1)


@pytest.mark.parametrize(
    ("pattern", "segments"),
    [
        ("arn:aws:s3:::b", (("arn",), ("aws",), ("s3",), (), (), ("b",))),
        ("arn:aws:iam::1:role/a:b*", (("arn",), ("aws",), ("iam",), (), ("1",), ("role/a:b", Wild.RUN))),
        ("arn:*:s3:::?", (("arn",), (Wild.RUN,), ("s3",), (), (), (Wild.ONE,))),
        ("a:b:c:d:e:f:g:h", (("a",), ("b",), ("c",), ("d",), ("e",), ("f:g:h",))),
        ("arn:aws:*", None),
        ("*", None),
        ("", None),
    ],
)
def test_an_arn_pattern_is_cut_at_its_first_five_colons(
    pattern: str, segments: tuple[tuple[str | Wild, ...], ...] | None
) -> None:
    assert arn_segments(tokens_of(pattern)) == segments


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("arn:aws:iam::*:role/dev-*", "arn:aws:iam::1:role/dev-x", True),
        ("arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a/b", True),
        ("arn:aws:iam::*:role/*", "arn:aws:iam::1:user/a", False),
        ("arn:aws:*:x", "arn:aws:s3:::x", False),
        ("arn:aws:*", "arn:aws:iam::1:user/x", False),
        ("arn:*:*:*:*:*", "arn:aws:iam::1:user/x", True),
        ("arn:aws:iam::1:*", "arn:aws:iam::1:log-group:x", True),
        ("arn:aws:s3:::b", "not an arn", False),
        ("arn:*:b", "arn:a:b:c:d:b", False),
        ("arn:*:*:*:*:*", "arn:aws:s3::b", False),
    ],
)
def test_arns_match_segment_by_segment(pattern: str, text: str, matches: bool) -> None:
    assert any_arn((tokens_of(pattern),))(text) is matches


def test_one_of_several_arns_is_enough() -> None:
    matches = any_arn(map(tokens_of, ("bad", "arn:aws:s3:::a", "arn:aws:s3:::b*")))
    assert matches("arn:aws:s3:::a")
    assert matches("arn:aws:s3:::bc")
    assert not matches("arn:aws:s3:::c")


@pytest.mark.parametrize(
    ("tokens", "text", "arn", "may"),
    [
        ((Wild.ANYTHING,), "", False, True),
        (("home/", Wild.ANYTHING, "/x"), "home/a/b/x", False, True),
        (("home/", Wild.ANYTHING, "/x"), "home/x", False, False),
        ((Wild.ANYTHING,), "arn:aws:iam::1:user/x", True, True),
        ((Wild.ANYTHING,), "no arn", True, False),
        (("arn:aws:iam::", Wild.ANYTHING, ":role/x"), "arn:aws:iam::1:role/x", True, True),
        (("arn:aws:iam::", Wild.ANYTHING), "arn:aws:iam::1:role/x", True, True),
        (("arn:aws:", Wild.RUN, Wild.ANYTHING, "x"), "arn:aws:iam::1:role/x", True, True),
        (("arn:", Wild.RUN, ":role/", Wild.ANYTHING), "arn:aws:iam::1:role/x", True, False),
        (("arn:aws:s3::", Wild.ONE, Wild.ANYTHING, "b"), "arn:aws:s3:::b", True, False),
    ],
)
def test_an_unknown_part_stands_for_any_text_separators_included(
    tokens: tuple[str | Wild, ...], text: str, arn: bool, may: bool
) -> None:
    assert may_match(tokens, text, arn=arn) is may

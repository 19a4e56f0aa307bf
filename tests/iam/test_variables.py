from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.iam.context import RequestContext
from denyproxy.iam.truth import Truth
from denyproxy.iam.variables import (
    Variable,
    fixed,
    resource_template,
    substitute,
    template_of,
    value_of,
    variables_of,
)
from denyproxy.iam.wildcard import Wild, matches_tokens
from tests.iam.build import NEW, NO, OLD, UNSURE, YES, allow, condition, context, matches, request, statement

USERNAME = Variable("aws:username")


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("${aws:username}", (USERNAME,)),
        ("home/${aws:username}/*", ("home/", USERNAME, "/", Wild.RUN)),
        ("${ aws:username }", (USERNAME,)),
        ("${aws:username, 'anon'}", (Variable("aws:username", "anon"),)),
        ("${aws:username,'a, b}'}", (Variable("aws:username", "a, b}"),)),
        ("${aws:username, ''}", (Variable("aws:username", ""),)),
        ("${aws:PrincipalTag/cost center}", (Variable("aws:PrincipalTag/cost center"),)),
        ("${*}x${?}y${$}{z}", ("*", "x", "?", "y", "$", "{z}")),
        ("${a}${b}", (Variable("a"), Variable("b"))),
        ("${aws:username", ("${aws:username",)),
        ("${}", ("${}",)),
        ("${aws:username, anon}", ("${aws:username, anon}",)),
        ("$aws:username", ("$aws:username",)),
    ],
)
def test_a_pattern_is_taken_apart_at_its_variables(text: str, template: tuple[object, ...]) -> None:
    assert template_of(text) == template


def test_wildcards_are_text_where_the_operator_has_none() -> None:
    assert template_of("a*${k}?", globs=False) == ("a*", Variable("k"), "?")
    assert template_of("${k}", globs=False) == (Variable("k"),)
    assert template_of("", globs=False) == ()


def test_variables_are_text_in_old_versions_though_wildcards_are_not() -> None:
    assert template_of("a/${k}/*", substitutes=False) == ("a/${k}/", Wild.RUN)
    assert template_of("${*}", substitutes=False) == ("${", Wild.RUN, "}")


def test_variables_count_after_the_fifth_colon_of_a_resource() -> None:
    assert resource_template("arn:aws:s3:::b/${k}", substitutes=True) == ("arn:aws:s3:::b/", Variable("k"))
    assert resource_template("arn:aws:s3:::${k}", substitutes=True) == ("arn:aws:s3:::", Variable("k"))
    assert resource_template("arn:aws:s3::${k}:b", substitutes=True) == ("arn:aws:s3::${k}:b",)
    assert resource_template("${k}", substitutes=True) == ("${k}",)


def test_a_pattern_without_variables_is_fixed() -> None:
    assert fixed(("a", Wild.RUN)) == ("a", Wild.RUN)
    assert fixed(()) == ()
    assert fixed(("a", USERNAME)) is None
    assert variables_of(("a", USERNAME, Wild.RUN, Variable("k"))) == (USERNAME, Variable("k"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (Variable("AWS:UserName"), "alice"),
        (Variable("aws:PrincipalTag/Team"), "blue"),
        (Variable("empty"), ""),
        (Variable("empty", "default"), ""),
        (Variable("absent"), None),
        (Variable("absent", "default"), "default"),
        (Variable("several"), None),
        (Variable("several", "default"), "default"),
        (Variable("none"), None),
        (Variable("unknown"), Wild.ANYTHING),
        (Variable("unknown", "default"), Wild.ANYTHING),
    ],
)
def test_a_variable_is_replaced_by_the_one_value_of_its_key(variable: Variable, value: str | Wild | None) -> None:
    keys = context(
        {"aws:username": "alice", "aws:principaltag/team": "blue", "empty": "", "several": ["a", "b"], "none": []},
        "unknown",
    )
    assert value_of(variable, keys) == value


def test_substitution_needs_every_variable() -> None:
    keys = context({"a": "1"}, "u")
    assert substitute(("x", Variable("a"), Wild.RUN), keys) == ("x", "1", Wild.RUN)
    assert substitute((Variable("a"), Variable("b")), keys) is None
    assert substitute((Variable("u"), Variable("a")), keys) == (Wild.ANYTHING, "1")


@given(st.text(alphabet="*?ab${}/", max_size=6), st.text(alphabet="*?ab${}/", max_size=6))
def test_substituted_text_is_never_a_wildcard(value: str, text: str) -> None:
    tokens = substitute(template_of("x${k}"), context({"k": value}))
    assert tokens is not None
    assert matches_tokens(tokens, "x" + text) is (text == value)
    like = condition("StringLike", "key", "x${k}")
    assert like.test(context({"k": value, "key": "x" + text})) is Truth.of(text == value)


@pytest.mark.parametrize(
    ("resource", "version", "truth"),
    [
        ("arn:aws:s3:::b/alice/k", NEW, YES),
        ("arn:aws:s3:::b/bob/k", NEW, NO),
        ("arn:aws:s3:::b/alice/k", OLD, NO),
        ("arn:aws:s3:::b/alice/k", None, NO),
        ("arn:aws:s3:::b/${aws:username}/k", OLD, YES),
        ("arn:aws:s3:::b/${aws:username}/k", None, YES),
        ("arn:aws:s3:::b/${aws:username}/k", NEW, NO),
    ],
)
def test_variables_in_resources(resource: str, version: str | None, truth: Truth) -> None:
    asked = request(resource=resource, keys=context({"aws:username": "alice"}))
    written = statement(allow(resource="arn:aws:s3:::b/${aws:username}/*"), version)
    assert matches(written, asked) is truth


@pytest.mark.parametrize(
    ("element", "keys", "truth"),
    [
        ("Resource", context(), NO),
        ("NotResource", context(), YES),
        ("Resource", context({}, "aws:username"), UNSURE),
        ("NotResource", context({}, "aws:username"), UNSURE),
        ("Resource", context({"aws:username": "a"}), YES),
        ("NotResource", context({"aws:username": "a"}), NO),
        ("Resource", context({"aws:username": "b"}), NO),
        ("NotResource", context({"aws:username": "b"}), YES),
    ],
)
def test_a_resource_with_a_variable_that_cannot_be_resolved_never_matches(
    element: str, keys: object, truth: Truth
) -> None:
    written = {"Effect": "Allow", "Action": "*", element: ["arn:aws:s3:::other", "arn:aws:s3:::b/${aws:username}/*"]}
    asked = request(resource="arn:aws:s3:::b/a/k", keys=keys)  # type: ignore[arg-type]
    assert matches(statement(written), asked) is truth


def test_an_unknown_variable_that_cannot_make_the_pattern_match_is_a_miss() -> None:
    written = statement(allow(resource="arn:aws:s3:::b/${aws:username}/*"))
    assert matches(written, request(resource="arn:aws:s3:::c/a/k", keys=context({}, "aws:username"))) is NO


def test_a_resource_that_misses_settles_it_whatever_the_conditions_are() -> None:
    maybe = {"StringEquals": {"k": "v"}}
    keys = context({"aws:username": "a"}, "k")
    for element, pattern in (("Resource", "arn:aws:s3:::c/${aws:username}"), ("NotResource", "arn:aws:s3:::b/${*}k*")):
        written = {"Effect": "Allow", "Action": "*", element: pattern}
        missed = matches(statement({**written, "Condition": maybe}), request(resource="arn:aws:s3:::b/*k", keys=keys))
        assert missed is NO
    spared = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/${aws:username}", "Condition": maybe}
    assert matches(statement(spared), request(resource="arn:aws:s3:::b/a", keys=keys)) is NO
    assert matches(statement(spared), request(resource="arn:aws:s3:::b/b", keys=keys)) is UNSURE


def test_another_pattern_settles_a_match_whatever_the_unknown_variable_is() -> None:
    written = statement(allow(resource=["arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/*"]))
    assert matches(written, request(keys=context({}, "aws:username"))) is YES
    everything = statement(allow(resource=["arn:aws:s3:::b/${aws:username}", "*"]))
    assert matches(everything, request(keys=context({}, "aws:username"))) is YES


def test_a_variable_whose_value_is_known_to_within_a_margin_may_be_any_text() -> None:
    """`${aws:EpochTime}` of a clock that may be off: no pattern with it is certain to match, or not to."""
    keys = RequestContext({"aws:epochtime": ("100",), "key": ("101",)}, margin={"aws:epochtime": 5.0})
    exact = RequestContext({"aws:epochtime": ("100",), "key": ("101",)}, margin={"aws:epochtime": 0.0})
    found = condition("StringEquals", "Key", "${aws:EpochTime}", NEW)
    assert (found.test(keys), found.test(exact)) == (UNSURE, NO)
    assert value_of(Variable("aws:EpochTime"), keys) is Wild.ANYTHING

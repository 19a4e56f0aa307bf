"""Every operator with its key present, absent, unknown, empty and multivalued, and what it reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from denyproxy.iam.context import RequestContext
from denyproxy.iam.literals import read_address, read_binary, read_bool, read_date, read_network, read_number
from denyproxy.iam.operators import OPERATORS, OperatorName, operator_name
from denyproxy.iam.truth import Truth
from tests.iam.build import NEW, NO, OLD, UNSURE, YES, condition, context

ARN = "arn:aws:iam::1:role/dev-x"

# operator, policy value, a request value that it matches, one that it does not
ROWS = [
    ("StringEquals", "a", "a", "A"),
    ("StringEqualsIgnoreCase", "aSS", "ASS", "b"),
    ("StringLike", "a*", "ab", "ba"),
    ("NumericEquals", "10", "10.0", "11"),
    ("NumericLessThan", "10", "9.5", "10"),
    ("NumericLessThanEquals", "10", "10", "10.1"),
    ("NumericGreaterThan", "10", "11", "10"),
    ("NumericGreaterThanEquals", "10", "10", "9"),
    ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", "1767225601"),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "1767225601", "1767225600"),
    ("DateGreaterThanEquals", "2026-01-01", "1767225600", "1767225599"),
    ("Bool", "true", "TRUE", "false"),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "YmluYXJ5"),
    ("IpAddress", "203.0.113.0/24", "203.0.113.7", "203.0.114.7"),
    ("ArnEquals", "arn:aws:iam::*:role/dev-*", ARN, "arn:aws:iam::1:role/prod"),
    ("ArnLike", "arn:aws:iam::*:role/dev-*", ARN, "arn:aws:iam::1:role/prod"),
]
NEGATED = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
    "IpAddress": "NotIpAddress",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
}
POSITIVE = [pytest.param(*row, id=row[0]) for row in ROWS]
NEGATIVE = [pytest.param(NEGATED[row[0]], *row[1:], id=NEGATED[row[0]]) for row in ROWS if row[0] in NEGATED]
BOTH = [pytest.param(*row, False, id=row[0]) for row in ROWS] + [
    pytest.param(NEGATED[row[0]], *row[1:], True, id=NEGATED[row[0]]) for row in ROWS if row[0] in NEGATED
]


def holds(operator: str, values: Any, keys: RequestContext, version: str | None = NEW) -> Truth:
    return condition(operator, "Key", values, version).test(keys)


def test_the_table_has_every_operator() -> None:
    assert set(OPERATORS) == {row[0] for row in ROWS} | set(NEGATED.values())


@pytest.mark.parametrize(("operator", "value", "hit", "miss"), POSITIVE)
def test_a_positive_operator(operator: str, value: str, hit: str, miss: str) -> None:
    assert holds(operator, value, context({"key": hit})) is YES
    assert holds(operator, value, context({"key": miss})) is NO
    assert holds(operator, value, context()) is NO
    assert holds(operator, value, context({}, "key")) is UNSURE
    assert holds(operator, value, context({"key": []})) is NO
    assert holds(operator, [], context({"key": hit})) is NO
    assert holds(operator, [], context({}, "key")) is NO


@pytest.mark.parametrize(("operator", "value", "hit", "miss"), NEGATIVE)
def test_a_negated_operator(operator: str, value: str, hit: str, miss: str) -> None:
    assert holds(operator, value, context({"key": hit})) is NO
    assert holds(operator, value, context({"key": miss})) is YES
    assert holds(operator, value, context()) is YES
    assert holds(operator, value, context({}, "key")) is UNSURE
    assert holds(operator, value, context({"key": []})) is YES
    assert holds(operator, [], context({"key": hit})) is YES
    assert holds(operator, [], context({}, "key")) is YES


@pytest.mark.parametrize(("operator", "value", "hit", "miss", "negated"), BOTH)
def test_several_values_of_the_policy_are_alternatives(
    operator: str, value: str, hit: str, miss: str, negated: bool
) -> None:
    for values in ([value, "~"], ["~", value]):
        assert holds(operator, values, context({"key": hit})) is Truth.of(not negated)
        assert holds(operator, values, context({"key": miss})) is Truth.of(negated)


@pytest.mark.parametrize(("operator", "value", "hit", "miss", "negated"), BOTH)
def test_if_exists(operator: str, value: str, hit: str, miss: str, negated: bool) -> None:
    name = operator + "IfExists"
    assert holds(name, value, context()) is YES
    assert holds(name, value, context({"key": hit})) is Truth.of(not negated)
    assert holds(name, value, context({"key": miss})) is Truth.of(negated)
    assert holds(name, value, context({}, "key")) is UNSURE
    assert holds(name, [], context({}, "key")) is (YES if negated else UNSURE)
    # Whether an empty set counts as absent is not documented; it matters to positive operators alone.
    assert holds(name, value, context({"key": []})) is (YES if negated else UNSURE)


@pytest.mark.parametrize(("operator", "value", "hit", "miss", "negated"), BOTH)
def test_for_all_values(operator: str, value: str, hit: str, miss: str, negated: bool) -> None:
    name = "ForAllValues:" + operator
    good, bad = (miss, hit) if negated else (hit, miss)
    assert holds(name, value, context()) is YES
    assert holds(name, value, context({"key": []})) is YES
    assert holds(name, value, context({"key": good})) is YES
    assert holds(name, value, context({"key": [good, good]})) is YES
    assert holds(name, value, context({"key": [good, bad]})) is NO
    assert holds(name, value, context({"key": bad})) is NO
    assert holds(name, value, context({}, "key")) is UNSURE
    assert holds(name + "IfExists", value, context()) is YES
    assert holds(name, [], context({}, "key")) is (YES if negated else UNSURE)


@pytest.mark.parametrize(("operator", "value", "hit", "miss", "negated"), BOTH)
def test_for_any_value(operator: str, value: str, hit: str, miss: str, negated: bool) -> None:
    name = "ForAnyValue:" + operator
    good, bad = (miss, hit) if negated else (hit, miss)
    assert holds(name, value, context()) is NO
    assert holds(name, value, context({"key": []})) is NO
    assert holds(name, value, context({"key": good})) is YES
    assert holds(name, value, context({"key": [bad, good]})) is YES
    assert holds(name, value, context({"key": [bad, bad]})) is NO
    assert holds(name, value, context({}, "key")) is UNSURE
    assert holds(name + "IfExists", value, context()) is YES
    assert holds(name, [], context({}, "key")) is (UNSURE if negated else NO)


@pytest.mark.parametrize(("operator", "value", "hit", "miss", "negated"), BOTH)
def test_several_values_without_a_set_operator_are_inconclusive(
    operator: str, value: str, hit: str, miss: str, negated: bool
) -> None:
    assert holds(operator, value, context({"key": [hit, hit]})) is UNSURE
    assert holds(operator, value, context({"key": [hit, miss]})) is UNSURE


@pytest.mark.parametrize(
    ("values", "absent", "present", "unknown", "empty_set"),
    [
        ("true", YES, NO, UNSURE, UNSURE),
        ("false", NO, YES, UNSURE, UNSURE),
        (True, YES, NO, UNSURE, UNSURE),
        ("True", YES, NO, UNSURE, UNSURE),
        (["true", "false"], YES, YES, YES, YES),
        ([], NO, NO, NO, NO),
        ("yes", NO, NO, NO, NO),
    ],
)
def test_null(values: Any, absent: Truth, present: Truth, unknown: Truth, empty_set: Truth) -> None:
    assert holds("Null", values, context()) is absent
    assert holds("Null", values, context({"key": "x"})) is present
    assert holds("Null", values, context({"key": ""})) is present
    assert holds("Null", values, context({"key": ["a", "b"]})) is present
    assert holds("Null", values, context({}, "key")) is unknown
    assert holds("Null", values, context({"key": []})) is empty_set


@pytest.mark.parametrize(
    ("operator", "absent", "unknown"),
    [
        ("StringLike", NO, UNSURE),
        ("StringNotLike", YES, UNSURE),
        ("StringLikeIfExists", YES, YES),
        ("ForAllValues:StringLike", YES, YES),
        ("ForAnyValue:StringLike", NO, UNSURE),
        ("ForAllValues:StringNotLike", YES, UNSURE),
        ("ForAnyValue:StringNotLike", NO, NO),
        # Whether an empty set counts as absent is not documented.
        ("ForAnyValue:StringLikeIfExists", YES, UNSURE),
    ],
)
def test_an_unknown_key_is_certain_where_its_value_cannot_matter(operator: str, absent: Truth, unknown: Truth) -> None:
    assert holds(operator, "*", context()) is absent
    assert holds(operator, "*", context({}, "key")) is unknown


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "ten"),
        ("NumericEquals", "1_0"),
        ("NumericLessThan", "NaN"),
        ("NumericLessThan", "Infinity"),
        ("DateLessThan", "tomorrow"),
        ("DateLessThan", "2026-13-01"),
        ("Bool", "yes"),
        ("BinaryEquals", "not base64!"),
        ("IpAddress", "10.0.0.0/33"),
        ("IpAddress", "10.0.0.0/255.0.0.0"),
        ("IpAddress", "10.0.0"),
        ("IpAddress", "${aws:SourceIp}"),
        ("ArnLike", "arn:aws:*"),
        ("ArnLike", "*"),
        ("ArnEquals", "role/x"),
    ],
)
def test_a_policy_value_that_cannot_be_read_matches_nothing(operator: str, value: str) -> None:
    for actual in (value, "10", "10.0.0.1", "true", ARN):
        assert holds(operator, value, context({"key": actual})) is NO
    assert holds(operator, value, context({}, "key")) is NO
    if operator in NEGATED:
        assert holds(NEGATED[operator], value, context({"key": value})) is YES
        assert holds(NEGATED[operator], value, context({}, "key")) is YES


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "1"),
        ("DateEquals", "2026-01-01"),
        ("Bool", "true"),
        ("BinaryEquals", "QQ=="),
        ("IpAddress", "0.0.0.0/0"),
        ("ArnEquals", "arn:*:*:*:*:*"),
    ],
)
def test_a_request_value_that_cannot_be_read_matches_nothing(operator: str, value: str) -> None:
    assert holds(operator, value, context({"key": "~"})) is NO
    if operator in NEGATED:
        assert holds(NEGATED[operator], value, context({"key": "~"})) is YES


@pytest.mark.parametrize(
    "operator",
    [
        "StringMatches",
        "stringequals",
        "IfExists",
        "",
        "NullIfExists",
        "ForAnyValue:Null",
        "ForAllValues:Nonsense",
        "ForSomeValues:StringEquals",
        ":StringEquals",
        "ForAllValues:ForAnyValue:StringEquals",
    ],
)
def test_an_operator_that_does_not_exist_leaves_the_condition_open(operator: str) -> None:
    assert operator_name(operator) is None
    for keys in (context(), context({"key": "a"}), context({}, "key")):
        assert holds(operator, "a", keys) is UNSURE


def test_operator_names_are_taken_apart() -> None:
    assert operator_name("StringEquals") == OperatorName("StringEquals")
    assert operator_name("ForAllValues:StringLikeIfExists") == OperatorName("StringLike", every=True, if_exists=True)
    assert operator_name("ForAnyValue:ArnLike") == OperatorName("ArnLike", some=True)
    assert operator_name("Null") == OperatorName("Null")


def test_exact_operators_take_wildcards_as_text() -> None:
    assert holds("StringEquals", "a*", context({"key": "ab"})) is NO
    assert holds("StringEquals", "a*", context({"key": "a*"})) is YES
    assert holds("StringEqualsIgnoreCase", "a?", context({"key": "ab"})) is NO


def test_key_names_are_compared_without_regard_to_case() -> None:
    keys = context({"aws:principaltag/team": "x"})
    assert condition("StringEquals", "aws:PrincipalTag/Team", "x").test(keys) is YES


@pytest.mark.parametrize(
    ("operator", "value", "actual", "truth"),
    [
        ("StringEquals", "${u}", "alice", YES),
        ("StringEquals", "${u}", "bob", NO),
        ("StringEquals", "${absent}", "alice", NO),
        ("StringNotEquals", "${absent}", "alice", YES),
        ("StringNotEquals", "${u}", "alice", NO),
        ("StringEqualsIgnoreCase", "${u}X", "ALICEx", YES),
        ("StringEqualsIgnoreCase", "${unknown}X", "ALICEx", UNSURE),
        ("StringEqualsIgnoreCase", "${unknown}X", "alice", NO),
        ("StringLike", "home/${u}/*", "home/alice/x", YES),
        ("StringLike", "home/${unknown}/*", "home/alice/x", UNSURE),
        ("StringLike", "home/${unknown}/*", "homes", NO),
        ("StringNotLike", "home/${unknown}/*", "home/alice/x", UNSURE),
        ("StringNotLike", "home/${unknown}/*", "homes", YES),
        ("StringLike", ["home/${unknown}/*", "home/*"], "home/alice/x", YES),
        ("StringLike", ["home/${unknown}/*", "home/${u}/x"], "home/alice/x", YES),
        ("StringLike", "${star}", "anything", NO),
        ("StringLike", "${star}", "*", YES),
        ("ArnEquals", "arn:aws:iam::1:user/${u}", "arn:aws:iam::1:user/alice", YES),
        ("ArnLike", "${arn}", "arn:aws:iam::1:user/alice", YES),
        ("ArnLike", "${unknown}", "arn:aws:iam::1:user/alice", UNSURE),
        ("ArnLike", "arn:*:${unknown}", "arn:aws:iam::1:user/alice", UNSURE),
        ("ArnLike", "arn:*:user/${unknown}", "arn:aws:iam::1:user/alice", NO),
        ("ArnNotLike", "arn:aws:iam::2:user/${unknown}", "arn:aws:iam::1:user/alice", YES),
        ("Bool", "${yes}", "true", YES),
        ("Bool", "${yes}", "false", NO),
        ("Bool", "${unknown}", "true", UNSURE),
        ("Bool", "${unknown}", "maybe", NO),
        ("NumericEquals", "${ten}", "10", NO),
        ("NumericNotEquals", "${ten}", "10", YES),
        ("IpAddress", "${ip}", "10.0.0.1", NO),
        ("DateEquals", "${ten}", "10", NO),
        ("BinaryEquals", "${ten}", "10", NO),
    ],
)
def test_variables_in_values(operator: str, value: Any, actual: str, truth: Truth) -> None:
    keys = context(
        {
            "key": actual,
            "u": "alice",
            "star": "*",
            "arn": "arn:aws:iam::1:user/alice",
            "yes": "TRUE",
            "ten": "10",
            "ip": "10.0.0.1",
        },
        "unknown",
    )
    assert holds(operator, value, keys) is truth


def test_variables_with_sets_of_values() -> None:
    keys = context({"key": ["a", "alice"], "u": "alice"}, "unknown")
    assert holds("ForAllValues:StringEquals", ["a", "${u}"], keys) is YES
    assert holds("ForAllValues:StringEquals", ["a", "${unknown}"], keys) is UNSURE
    assert holds("ForAllValues:StringEquals", ["b${unknown}"], keys) is NO
    assert holds("ForAllValues:StringEquals", ["a${unknown}", "${u}"], keys) is UNSURE
    assert holds("ForAnyValue:StringEquals", ["${unknown}"], keys) is UNSURE
    assert holds("ForAnyValue:StringEquals", ["${unknown}", "${u}"], keys) is YES
    assert holds("ForAnyValue:StringEquals", ["b${unknown}"], keys) is NO


def test_variables_of_old_versions_are_text() -> None:
    assert holds("StringEquals", "${aws:username}", context({"key": "${aws:username}"}), OLD) is YES
    assert holds("StringEquals", "${aws:username}", context({"key": "a", "aws:username": "a"}), OLD) is NO
    assert holds("StringLike", "${*}x", context({"key": "${1}x"}), None) is YES


@pytest.mark.parametrize("value", [10, 10.0, "10", "+10", "10.", "1e1"])
def test_numbers_may_stand_unquoted(value: object) -> None:
    assert holds("NumericEquals", value, context({"key": "10"})) is YES


@pytest.mark.parametrize("value", [True, "true", "TRUE"])
def test_booleans_may_stand_unquoted(value: object) -> None:
    assert holds("Bool", value, context({"key": "true"})) is YES


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", Decimal(0)),
        ("-1.50", Decimal("-1.5")),
        (".5", Decimal("0.5")),
        ("", None),
        (".", None),
        ("٣", None),
        ("0x10", None),
        (" 1", None),
        ("9" * 65, None),
    ],
)
def test_reading_numbers(text: str, number: Decimal | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02", 86400),
        ("1970-02", 31 * 86400),
        ("1969-12-31T23:59:59Z", -1),
        ("2026-01-02T03:04:05Z", 1767323045),
        ("2026-01-02T03:04Z", 1767323040),
        ("2026-01-02T03:04:05+01:00", 1767319445),
        ("2026-01-02T03:04:05-0130", 1767328445),
        ("2026-01-02T03:04:05", 1767323045),
        ("1767323045", 1767323045),
        ("2026", 2026),
        ("1970-01-01T00:00:00.25Z", Decimal("0.25")),
        ("1969-12-31T23:59:59.75Z", Decimal("-0.25")),
        ("0000-01-01", None),
        ("2026-02-30", None),
        ("2026-01-01T24:00:00Z", None),
        ("2026-01-01T00:00:00+99:00", None),
        ("2026-01-01 00:00:00", None),
        ("20260101", 20260101),
        ("Thu, 01 Jan 2026", None),
    ],
)
def test_reading_dates(text: str, seconds: int | Decimal | None) -> None:
    assert read_date(text) == seconds


def test_reading_booleans_and_bytes() -> None:
    assert [read_bool(text) for text in ("true", "FALSE", "1", "")] == ["true", "false", None, None]
    assert [read_binary(text) for text in ("", "QQ==", "QQ", "Q!Q==", "é")] == [b"", b"A", None, None, None]


@pytest.mark.parametrize(
    ("policy_value", "address", "within"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.0/24", "2001:db8::1", False),
        ("203.0.113.77/24", "203.0.113.1", True),
        ("0.0.0.0/0", "255.255.255.255", True),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "::1", True),
        ("::/0", "1.2.3.4", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::1", "2001:0db8:0:0:0:0:0:1", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("10.0.0.0/8", "10.0.0.0/8", False),
    ],
)
def test_addresses(policy_value: str, address: str, within: bool) -> None:
    assert holds("IpAddress", policy_value, context({"key": address})) is Truth.of(within)
    assert holds("NotIpAddress", policy_value, context({"key": address})) is Truth.of(not within)


def test_reading_addresses() -> None:
    assert read_address("10.0.0.1") == (4, 0x0A000001)
    assert read_address("::1") == (6, 1)
    assert read_address("10.0.0") is None
    assert read_network("10.1.2.3/8") == (4, 10, 24)
    assert read_network("::1") == (6, 1, 0)
    assert read_network("10.0.0.0/") is None


@pytest.mark.parametrize(
    ("operator", "values", "actual", "truth"),
    [
        ("NumericLessThan", "100", "89", YES),
        ("NumericLessThan", "100", "90", UNSURE),
        ("NumericLessThan", "100", "110", NO),
        ("NumericLessThanEquals", "100", "90", YES),
        ("NumericLessThanEquals", "100", "110", UNSURE),
        ("NumericGreaterThan", "100", "110", UNSURE),
        ("NumericGreaterThan", "100", "111", YES),
        ("NumericGreaterThan", "100", "90", NO),
        ("NumericGreaterThanEquals", "100", "110", YES),
        ("NumericGreaterThanEquals", "100", "90", UNSURE),
        ("NumericEquals", "100", "100", UNSURE),
        ("NumericEquals", "100", "110", UNSURE),
        ("NumericEquals", "100", "90", UNSURE),
        ("NumericEquals", "100", "111", NO),
        ("NumericNotEquals", "100", "100", UNSURE),
        ("NumericNotEquals", "100", "111", YES),
        ("NumericEquals", ["x", "100"], "105", UNSURE),
        ("NumericLessThan", ["100", "200"], "105", YES),
        ("NumericLessThan", "100", "x", NO),
        ("NumericLessThan", [], "1", NO),
        ("DateGreaterThan", "1970-01-01T00:01:40Z", "105", UNSURE),
        ("DateGreaterThan", "1970-01-01T00:01:40Z", "111", YES),
        ("StringEquals", "100", "105", UNSURE),
        ("StringNotEquals", "100", "105", UNSURE),
        ("StringLike", "10?", "105", UNSURE),
        ("StringLike", "*", "105", YES),
        ("ForAllValues:StringEquals", "100", "105", UNSURE),
        ("StringEqualsIfExists", "105", "105", UNSURE),
        ("BinaryEquals", "!", "105", NO),
        ("Null", "true", "105", NO),
        ("Null", "false", "105", YES),
        ("ForAnyValue:NumericLessThan", "100", "105", UNSURE),
    ],
)
def test_a_comparison_that_the_margin_of_a_value_can_turn_is_unknown(
    operator: str, values: Any, actual: str, truth: Truth
) -> None:
    assert holds(operator, values, RequestContext({"key": (actual,)}, margin={"key": 10.0})) is truth


def test_without_a_margin_a_comparison_is_exact() -> None:
    assert holds("NumericEquals", "100", RequestContext({"key": ("100",)}, margin={"key": 0.0})) is YES
    assert holds("NumericEquals", "100", RequestContext({"key": ("100",)}, margin={"other": 10.0})) is YES
    assert holds("NumericLessThan", "100", RequestContext({"key": ("99",)}, margin={"other": 10.0})) is YES

"""What a condition says about a request, and why it is not met."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from denyproxy.iam.blame import Match, is_literal_for_its_version, match_template
from denyproxy.iam.condition import Condition, unreadable
from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import (
    ARN_RULES,
    EXACT_RULES,
    FOLDED_RULES,
    GLOB_RULES,
    Doubt,
    Mismatch,
    Near,
    Rule,
    near_by,
    nearest,
)
from denyproxy.iam.operators import NULL
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.iam.variables import Template, fixed
from denyproxy.iam.wildcard import Predicate, nothing

if TYPE_CHECKING:
    from denyproxy.iam.statement import Statement

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES

_RULES: Mapping[str, tuple[Rule, ...]] = {
    "StringEquals": EXACT_RULES,
    "StringNotEquals": EXACT_RULES,
    "StringEqualsIgnoreCase": FOLDED_RULES,
    "StringNotEqualsIgnoreCase": FOLDED_RULES,
    "StringLike": GLOB_RULES,
    "StringNotLike": GLOB_RULES,
    "ArnEquals": ARN_RULES,
    "ArnLike": ARN_RULES,
    "ArnNotEquals": ARN_RULES,
    "ArnNotLike": ARN_RULES,
}


class ConditionWording:
    """The values of a condition one by one. Made when its statement is first examined."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.element = f"condition:{condition.key}"
        self.all_values = ", ".join(condition.values)
        self.unreadable = unreadable(condition)
        operator, name = condition.operator, condition.name
        static = [tokens for tokens in map(fixed, condition.templates) if tokens is not None]
        self.matches: Predicate = nothing if operator is None else operator.any_of(static)
        """The test of the values without variables."""
        doubts: list[Doubt] = []
        if name is None:
            doubts.append(Doubt.UNKNOWN_OPERATOR)
        elif self.unreadable:
            doubts.append(Doubt.UNREADABLE_VALUE)
        if operator is not None and operator.doubtful_variables and len(static) < len(condition.templates):
            doubts.append(Doubt.BOOL_VARIABLE)
        self.doubts = tuple(doubts)
        """Whatever the request is."""

    @cached_property
    def near(self) -> Near:
        """By which a value is nearly met."""
        operator = self.condition.operator
        return near_by(self.condition.values, () if operator is None else _RULES.get(operator.name, ()))


def examine_condition(wording: ConditionWording, context: RequestContext, statement: Statement) -> ElementEvidence:
    """One line of a Condition block against a context."""
    condition = wording.condition
    truth = condition.test(context)
    found = context.lookup(condition.lower_key)
    element, expected = wording.element, wording.all_values
    key: str | None = condition.key
    reason = _reason(condition, truth, found, context)
    if reason is Mismatch.VALUE_DIFFERS and isinstance(found, tuple):
        element, expected, reason, key = _value_miss(wording, truth, found, context, statement)
    return ElementEvidence(
        element,
        truth,
        expected,
        ", ".join(found) if isinstance(found, tuple) else None,
        reason,
        operator=condition.operator_text,
        flags=_doubts(wording, found),
        part="condition",
        key=key,
        negated=condition.negated,
        values=condition.values if expected is wording.all_values else (expected,),
    )


def _reason(
    condition: Condition, truth: Truth, found: tuple[str, ...] | Unknown | None, context: RequestContext
) -> Mismatch | None:
    """Why it is not met; VALUE_DIFFERS: it is the values that have to be looked at."""
    name = condition.name
    if name is None:
        return Mismatch.UNKNOWN_OPERATOR
    if found is None:
        return None if name.stem == NULL and truth is YES else Mismatch.KEY_ABSENT
    if found is UNKNOWN:
        return _reason_of_unknown_key(condition, truth)
    if condition.operator is None:
        return Mismatch.KEY_PRESENT if truth is NO else None
    if len(found) > 1 and not name.every and not name.some:
        return Mismatch.SEVERAL_VALUES
    if truth is UNSURE and condition.lower_key in context.margin:
        return Mismatch.VALUE_UNCERTAIN
    if condition.negated and truth is NO:
        return Mismatch.VALUE_EXCLUDED
    return None if truth is YES and not condition.negated else Mismatch.VALUE_DIFFERS


def _reason_of_unknown_key(condition: Condition, truth: Truth) -> Mismatch | None:
    """A key that is not known can settle a condition all the same: by values that match nothing, or everything."""
    if truth is not NO:
        return Mismatch.KEY_UNKNOWN if truth is UNSURE else None
    if condition.negated:
        return Mismatch.VALUE_EXCLUDED
    return Mismatch.VALUE_UNREADABLE if unreadable(condition) else Mismatch.VALUE_DIFFERS


def _value_miss(
    wording: ConditionWording, truth: Truth, found: tuple[str, ...], context: RequestContext, statement: Statement
) -> tuple[str, str, Mismatch | None, str | None]:
    """Why no policy value matches the values of the request: element, expected, reason, key."""
    condition = wording.condition
    missing = [value for value in found if not wording.matches(value)]
    for value in missing:
        for text, template in zip(condition.values, condition.templates, strict=True):
            match = _condition_match(text, template, value, context, condition, statement)
            if match is not None:
                element = match.element if match.element is not None and truth is NO else wording.element
                return element, text, match.reason, match.key
    for value in missing:
        near = nearest(wording.near, value)
        if near is not None:
            return wording.element, *near, condition.key
    if wording.unreadable:
        return wording.element, wording.unreadable[0], Mismatch.VALUE_UNREADABLE, condition.key
    return wording.element, wording.all_values, Mismatch.VALUE_DIFFERS, condition.key


def _condition_match(
    text: str, template: Template, value: str, context: RequestContext, condition: Condition, statement: Statement
) -> Match | None:
    """How a variable in a policy value is to blame, if one is."""
    operator = condition.operator
    assert operator is not None
    arn = operator.name.startswith("Arn")
    if fixed(template) is None:
        match = match_template(template, value, context, arn=arn)
        # A variable that has its value, or its default, is not to blame: two values differ, as in any condition.
        return None if match.reason in (None, Mismatch.VALUE_DIFFERS, Mismatch.KEY_ABSENT) else match
    if statement.substitutes or not operator.substitutes:
        return None
    if is_literal_for_its_version(text, value, context, globs=operator.globs, arn=arn):
        return Match(NO, "version", Mismatch.VARIABLE_LITERAL, condition.key)
    return None


def _doubts(wording: ConditionWording, found: tuple[str, ...] | Unknown | None) -> tuple[Doubt, ...]:
    name, operator = wording.condition.name, wording.condition.operator
    if name is None or operator is None:
        return wording.doubts
    if name.every and operator.negated and not isinstance(found, Unknown) and not found:
        return (*wording.doubts, Doubt.NEGATED_FOR_ALL_ABSENT)
    if isinstance(found, tuple) and len(found) > 1 and not (name.every or name.some):
        return (*wording.doubts, Doubt.SEVERAL_VALUES)
    return wording.doubts

"""What a condition says about a request, and why it is not met."""

from __future__ import annotations

from denyproxy.iam.blame import Match, is_literal_for_its_version, match_template
from denyproxy.iam.condition import Condition, unreadable
from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import (
    Doubt,
    Mismatch,
    nearest,
)
from denyproxy.iam.operators import NULL
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.iam.variables import Template, fixed, variables_of
from denyproxy.iam.wording import ConditionWording

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


def examine_condition(wording: ConditionWording, context: RequestContext, *, substitutes: bool) -> ElementEvidence:
    """One line of a Condition block against a context."""
    condition = wording.condition
    truth = condition.test(context)
    found = context.lookup(condition.lower_key)
    element, expected = wording.element, wording.all_values
    key: str | None = condition.key
    reason = _reason(condition, truth, found, context)
    if reason is Mismatch.VALUE_DIFFERS and isinstance(found, tuple):
        element, expected, reason, key = _value_miss(wording, truth, found, context, substitutes=substitutes)
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
        variables=_values_of(condition, context) if substitutes and reason is Mismatch.VALUE_DIFFERS else (),
    )


def _values_of(condition: Condition, context: RequestContext) -> tuple[tuple[str, str], ...]:
    """The variables in the policy values that the request gives a value."""
    keys = dict.fromkeys(variable.key for template in condition.templates for variable in variables_of(template))
    found = [(key, context.lookup(key)) for key in keys]
    return tuple((key, values[0]) for key, values in found if isinstance(values, tuple) and len(values) == 1)


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
    wording: ConditionWording, truth: Truth, found: tuple[str, ...], context: RequestContext, *, substitutes: bool
) -> tuple[str, str, Mismatch | None, str | None]:
    """Why no policy value matches the values of the request: element, expected, reason, key."""
    condition = wording.condition
    missing = [value for value in found if not wording.matches(value)]
    for value in missing:
        for text, template in zip(condition.values, condition.templates, strict=True):
            match = _condition_match(text, template, value, context, condition, substitutes=substitutes)
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
    text: str, template: Template, value: str, context: RequestContext, condition: Condition, *, substitutes: bool
) -> Match | None:
    """How a variable in a policy value is to blame, if one is."""
    operator = condition.operator
    assert operator is not None
    arn = operator.name.startswith("Arn")
    if fixed(template) is None:
        match = match_template(template, value, context, arn=arn)
        # A variable that has its value, or its default, is not to blame: two values differ, as in any condition.
        return None if match.reason in (None, Mismatch.VALUE_DIFFERS, Mismatch.KEY_ABSENT) else match
    if substitutes or not operator.substitutes:
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

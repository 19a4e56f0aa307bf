"""What a condition says about a request, and why it is not met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from denyproxy.iam.blame import Match, is_literal_for_its_version, match_template
from denyproxy.iam.condition import Condition, unreadable
from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import ARN_RULES, EXACT_RULES, FOLDED_RULES, GLOB_RULES, Doubt, Mismatch, Rule, nearest
from denyproxy.iam.operators import NULL
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.iam.variables import Template, fixed

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


def examine_condition(condition: Condition, context: RequestContext, statement: Statement) -> ElementEvidence:
    """One line of a Condition block against a context."""
    truth = condition.test(context)
    found = context.lookup(condition.key)
    actual = None if found is None or found is UNKNOWN else ", ".join(found)
    evidence = ElementEvidence(
        f"condition:{condition.key}",
        truth,
        ", ".join(condition.values),
        actual,
        operator=condition.operator_text,
        flags=_condition_doubts(condition, context),
        part="condition",
        key=condition.key,
        negated=condition.negated,
    )
    name = condition.name
    if name is None:
        return replace(evidence, reason=Mismatch.UNKNOWN_OPERATOR)
    if found is None:
        met = name.stem == NULL and truth is YES
        return evidence if met else replace(evidence, reason=Mismatch.KEY_ABSENT)
    if found is UNKNOWN:
        return replace(evidence, reason=_reason_of_unknown_key(condition, truth))
    if condition.operator is None:
        return replace(evidence, reason=Mismatch.KEY_PRESENT if truth is NO else None)
    if len(found) > 1 and not name.every and not name.some:
        return replace(evidence, reason=Mismatch.SEVERAL_VALUES)
    if truth is UNSURE and condition.lower_key in context.margin:
        return replace(evidence, reason=Mismatch.VALUE_UNCERTAIN)
    if condition.negated and truth is NO:
        return replace(evidence, reason=Mismatch.VALUE_EXCLUDED)
    if truth is YES and not condition.negated:
        return evidence
    return _value_miss(evidence, condition, found, context, statement)


def _reason_of_unknown_key(condition: Condition, truth: Truth) -> Mismatch | None:
    """A key that is not known can settle a condition all the same: by values that match nothing, or everything."""
    if truth is not NO:
        return Mismatch.KEY_UNKNOWN if truth is UNSURE else None
    if condition.negated:
        return Mismatch.VALUE_EXCLUDED
    return Mismatch.VALUE_UNREADABLE if unreadable(condition) else Mismatch.VALUE_DIFFERS


def _value_miss(
    evidence: ElementEvidence,
    condition: Condition,
    found: tuple[str, ...],
    context: RequestContext,
    statement: Statement,
) -> ElementEvidence:
    """Why no policy value matches the values of the request."""
    operator = condition.operator
    assert operator is not None
    failing = evidence.truth is NO
    evidence = replace(evidence, reason=Mismatch.VALUE_DIFFERS)
    matches = operator.any_of([tokens for tokens in map(fixed, condition.templates) if tokens is not None])
    missing = [value for value in found if not matches(value)]
    for value in missing:
        for text, template in zip(condition.values, condition.templates, strict=True):
            match = _condition_match(text, template, value, context, condition, statement)
            if match is not None:
                element = match.element if match.element is not None and failing else evidence.element
                return replace(evidence, element=element, expected=text, reason=match.reason, key=match.key)
    for value in missing:
        near = nearest(condition.values, value, _RULES.get(operator.name, ()))
        if near is not None:
            return replace(evidence, expected=near[0], reason=near[1])
    bad = unreadable(condition)
    return replace(evidence, expected=bad[0], reason=Mismatch.VALUE_UNREADABLE) if bad else evidence


def _condition_match(
    text: str, template: Template, value: str, context: RequestContext, condition: Condition, statement: Statement
) -> Match | None:
    """How a variable in a policy value is to blame, if one is."""
    operator = condition.operator
    assert operator is not None
    arn = operator.name.startswith("Arn")
    if fixed(template) is None:
        match = match_template(template, value, context, arn=arn)
        # A variable that has its value is not to blame: two values differ, as in any condition.
        return None if match.reason in (None, Mismatch.VALUE_DIFFERS) else match
    if statement.substitutes or not operator.substitutes:
        return None
    if is_literal_for_its_version(text, value, context, globs=operator.globs, arn=arn):
        return Match(NO, "version", Mismatch.VARIABLE_LITERAL, condition.key)
    return None


def _condition_doubts(condition: Condition, context: RequestContext) -> tuple[Doubt, ...]:
    name, operator = condition.name, condition.operator
    if name is None:
        return (Doubt.UNKNOWN_OPERATOR,)
    doubts: list[Doubt] = []
    if unreadable(condition):
        doubts.append(Doubt.UNREADABLE_VALUE)
    found = context.lookup(condition.key)
    if operator is not None:
        if operator.doubtful_variables and any(fixed(template) is None for template in condition.templates):
            doubts.append(Doubt.BOOL_VARIABLE)
        if name.every and operator.negated and (found is None or found == ()):
            doubts.append(Doubt.NEGATED_FOR_ALL_ABSENT)
        if found is not UNKNOWN and found is not None and len(found) > 1 and not (name.every or name.some):
            doubts.append(Doubt.SEVERAL_VALUES)
    return tuple(doubts)

"""One line of a Condition block: an operator, a key and its values.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
"""

from __future__ import annotations

from collections.abc import Callable

from denyproxy.iam.context import RequestContext, Values
from denyproxy.iam.literals import read_bool
from denyproxy.iam.operators import OPERATORS, Around, Operator, OperatorName, operator_name
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.iam.variables import Template, fixed, substitute, template_of
from denyproxy.iam.wildcard import Predicate, Wild, everything, nothing

Test = Callable[[RequestContext], Truth]

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


class Condition:
    """A compiled condition. Never changed after."""

    __slots__ = ("key", "lower_key", "name", "operator", "operator_text", "templates", "test", "values")

    def __init__(self, operator_text: str, key: str, values: tuple[str, ...], *, substitutes: bool) -> None:
        self.operator_text = operator_text
        """As written, `ForAnyValue:StringLike`."""
        self.key = key
        """As written."""
        self.lower_key = key.lower()
        self.values = values
        """As written; numbers and booleans as their JSON text."""
        self.name: OperatorName | None = operator_name(operator_text)
        """None: there is no such operator."""
        self.operator: Operator | None = OPERATORS.get(self.name.stem) if self.name is not None else None
        """None also for Null."""
        operator = self.operator
        self.templates: tuple[Template, ...] = ()
        if operator is not None:
            self.templates = tuple(
                template_of(value, globs=operator.globs, substitutes=substitutes and operator.substitutes)
                for value in values
            )
        self.test: Test = self._compile()
        """The truth of the condition in a context."""

    @property
    def negated(self) -> bool:
        """Is it true where no value matches?"""
        return self.operator is not None and self.operator.negated

    def _compile(self) -> Test:
        if self.name is None:
            return lambda context: UNSURE
        if self.operator is None:
            return _null(self.lower_key, self.values)
        return _comparison(self.lower_key, self.name, self.operator, self.templates)


def _null(key: str, values: tuple[str, ...]) -> Test:
    """Null: is the key absent (`true`), is it present (`false`)?"""
    wanted = {read_bool(value) for value in values}
    if_absent, if_present = Truth.of("true" in wanted), Truth.of("false" in wanted)
    otherwise = if_absent if if_absent is if_present else UNSURE

    def test(context: RequestContext) -> Truth:
        found = context.lookup(key)
        if found is None:
            return if_absent
        # Whether AWS takes an empty set of values for an absent key is not documented.
        return if_present if found is not UNKNOWN and found else otherwise

    return test


ValueTest = Callable[[str, RequestContext], Truth]
"""Does one request value satisfy the operator, given all the policy's values?"""


def _value_test(key: str, operator: Operator, templates: tuple[Template, ...], matches: Predicate) -> ValueTest:
    """`matches`: the predicate of the values without variables."""
    static = [tokens for tokens in map(fixed, templates) if tokens is not None]
    dynamic = tuple(template for template in templates if fixed(template) is None)
    hit, miss = (NO, YES) if operator.negated else (YES, NO)
    if operator.any_around is not None:
        return _rough_test(key, operator, matches, operator.any_around(static))
    if not dynamic:
        return lambda value, context: hit if matches(value) else miss

    def test(value: str, context: RequestContext) -> Truth:
        if matches(value):
            return hit
        result = miss
        for template in dynamic:
            tokens = substitute(template, context)
            if tokens is None:
                continue
            if Wild.ANYTHING in tokens:
                if operator.may(tokens, value):
                    result = UNSURE
            elif operator.any_of((tokens,))(value):
                return hit
        return result

    return test


def _rough_test(key: str, operator: Operator, matches: Predicate, around: Around) -> ValueTest:
    """For quantities, of which the context may know no more than a range."""
    hit, miss = (NO, YES) if operator.negated else (YES, NO)

    def test(value: str, context: RequestContext) -> Truth:
        margin = context.margin.get(key) if context.margin else None
        if margin is None:
            return hit if matches(value) else miss
        truth = around(value, margin)
        return ~truth if operator.negated else truth

    return test


def _outcomes(operator: Operator, templates: tuple[Template, ...], matches: Predicate) -> tuple[Truth, ...]:
    """What the operator can come to for some value or other of a key that is present."""
    if matches is everything:
        outcomes: tuple[Truth, ...] = (YES,)
    elif matches is nothing and all(fixed(template) is not None for template in templates):
        outcomes = (NO,)
    else:
        outcomes = (NO, YES)
    return tuple(~outcome for outcome in outcomes) if operator.negated else outcomes


def _comparison(key: str, name: OperatorName, operator: Operator, templates: tuple[Template, ...]) -> Test:
    matches = operator.any_of([tokens for tokens in map(fixed, templates) if tokens is not None])
    of_value = _value_test(key, operator, templates, matches)
    if_absent = _if_absent(name, operator)
    if_empty = _if_empty(name, operator, if_absent)
    if_present = set(_outcomes(operator, templates, matches))
    if_rough = next(iter(if_present)) if len(if_present) == 1 else UNSURE
    outcomes = {if_absent, *if_present}
    if name.every or name.some:
        outcomes.add(if_empty)
    if_unknown = outcomes.pop() if len(outcomes) == 1 else UNSURE
    of_several = _every(of_value) if name.every else _some(of_value) if name.some else _undefined

    def test(context: RequestContext) -> Truth:
        values = context.present.get(key)
        if values is None:
            return if_absent if context.of_missing(key) is None else if_unknown
        if operator.any_around is None and values and context.is_rough(key):
            return if_rough
        if len(values) == 1:
            return of_value(values[0], context)
        return of_several(values, context) if values else if_empty

    if operator.any_around is not None or any(fixed(template) is None for template in templates):
        return test
    hit, miss = (NO, YES) if operator.negated else (YES, NO)

    def test_of_one(context: RequestContext) -> Truth:
        # The common cases, with fewer calls.
        values = context.present.get(key)
        if values is None:
            return if_absent if context.of_missing(key) is None else if_unknown
        if len(values) == 1 and not context.margin.get(key):
            return hit if matches(values[0]) else miss
        return test(context)

    return test_of_one


def _if_absent(name: OperatorName, operator: Operator) -> Truth:
    if name.if_exists or name.every:
        return YES
    return Truth.of(operator.negated and not name.some)


def _if_empty(name: OperatorName, operator: Operator, if_absent: Truth) -> Truth:
    """A key that is present without a value. AWS does not say whether it counts as absent where that matters."""
    if name.every:
        return YES
    without_match = Truth.of(operator.negated and not name.some)
    return if_absent if if_absent is without_match else UNSURE


SetTest = Callable[[Values, RequestContext], Truth]


def _undefined(values: Values, context: RequestContext) -> Truth:
    """Several values without a set operator: AWS does not define the result."""
    return UNSURE


def _every(of_value: ValueTest) -> SetTest:
    def test(values: Values, context: RequestContext) -> Truth:
        result = YES
        for value in values:
            truth = of_value(value, context)
            if truth is NO:
                return NO
            if truth is UNSURE:
                result = UNSURE
        return result

    return test


def _some(of_value: ValueTest) -> SetTest:
    def test(values: Values, context: RequestContext) -> Truth:
        result = NO
        for value in values:
            truth = of_value(value, context)
            if truth is YES:
                return YES
            if truth is UNSURE:
                result = UNSURE
        return result

    return test


def unreadable(condition: Condition) -> tuple[str, ...]:
    """The values that the operator cannot read, as written: they match nothing."""
    operator = condition.operator
    if operator is None:
        is_null = condition.name is not None
        return tuple(value for value in condition.values if is_null and read_bool(value) is None)
    return tuple(
        value
        for value, template in zip(condition.values, condition.templates, strict=True)
        if fixed(template) is not None and not operator.readable(value)
    )

"""What each element of a statement says about a request, and why those that miss do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from denyproxy.iam.condition import Condition, unreadable
from denyproxy.iam.context import RequestContext
from denyproxy.iam.mismatch import (
    ARN_RULES,
    EXACT_RULES,
    FOLDED_RULES,
    GLOB_RULES,
    RESOURCE_RULES,
    Doubt,
    Mismatch,
    Rule,
    action_rules,
    nearest,
    principal_mismatch,
)
from denyproxy.iam.operators import NULL
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.iam.variables import Template, Variable, fixed, substitute, template_of, value_of, variables_of
from denyproxy.iam.wildcard import SEPARATORS, Tokens, Wild, any_arn, any_glob, may_match, tokens_of

if TYPE_CHECKING:
    from denyproxy.iam.document import Policy
    from denyproxy.iam.layers import AuthorizationRequest
    from denyproxy.iam.statement import Statement

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


@dataclass(frozen=True, slots=True)
class ElementEvidence:
    """One element of a statement against a request."""

    element: str
    """action, resource, principal, notprincipal, condition:KEY; where a variable is the reason for a miss, `version`
    (it would match were the Version 2012-10-17) or variable:KEY. NotAction is `action`, NotResource `resource`."""
    truth: Truth
    expected: str
    """The pattern that matches, or that nearly does; all of them, where none is nearer than the others. As written."""
    actual: str | None
    """What the request has; None: nothing, or it is not known."""
    reason: Mismatch | None = None
    """Why expected and actual do not match. Present also where a negated operator or an absent key makes it YES."""
    operator: str | None = None
    """Of conditions, as written."""
    flags: tuple[Doubt, ...] = ()
    """Why the result is less than certain."""
    part: str = ""
    """action, resource, principal or condition: where it stands, whatever `element` says."""
    key: str | None = None
    """The condition key concerned, as written; of a variable, the variable's."""
    negated: bool = False
    """NotAction, NotResource, NotPrincipal, or a negated operator."""


@dataclass(frozen=True, slots=True)
class StatementEvidence:
    """All elements of a statement against a request: action, resource, principal, then conditions as written."""

    policy: Policy
    statement: Statement
    truth: Truth
    elements: tuple[ElementEvidence, ...]

    @property
    def failing(self) -> tuple[ElementEvidence, ...]:
        """The elements that do not match."""
        return tuple(element for element in self.elements if element.truth is NO)


def doubts_in_scp(statement: Statement) -> tuple[Doubt, ...]:
    """What is less than certain about a statement because it stands in an SCP."""
    plain = not statement.conditions and statement.resources == ("*",) and not statement.not_action
    return () if statement.effect == "Deny" or plain else (Doubt.NARROW_SCP_ALLOW,)


def examine(
    statement: Statement, request: AuthorizationRequest, resource: str | None, api_names: Mapping[str, str]
) -> StatementEvidence:
    """Evaluate every element of a statement."""
    elements = [_action(statement, request.action, api_names)]
    if statement.resources is not None:
        elements.append(_resource(statement, request.resource if resource is None else resource, request.context))
    if statement.principal is not None:
        elements.append(_principal(statement, request.principal))
    elements.extend(_condition(condition, request.context, statement) for condition in statement.conditions)
    truth = min(element.truth for element in elements)
    return StatementEvidence(statement.policy, statement, truth, tuple(elements))


def _all(patterns: Iterable[str]) -> str:
    return ", ".join(patterns)


def _action(statement: Statement, action: str, api_names: Mapping[str, str]) -> ElementEvidence:
    lower = action.lower()
    covering = next((text for text in statement.actions if any_glob((tokens_of(text.lower()),))(lower)), None)
    truth = Truth.of((covering is None) is statement.not_action)
    expected, reason = covering or _all(statement.actions), None
    if statement.not_action:
        reason = Mismatch.ACTION_EXCLUDED if covering else None
    elif covering is None:
        reason = Mismatch.ACTION_NOT_LISTED
        near = nearest(statement.actions, action, action_rules(api_names))
        if near is not None:
            expected, reason = near
    return ElementEvidence("action", truth, expected, action, reason, part="action", negated=statement.not_action)


@dataclass(frozen=True, slots=True)
class _Match:
    """How one pattern with its variables relates to a text."""

    truth: Truth
    element: str | None = None
    """`version` or `variable:KEY`, if a variable is to blame."""
    reason: Mismatch | None = None
    key: str | None = None


def _match(template: Template, text: str, context: RequestContext, *, arn: bool) -> _Match:
    tokens = substitute(template, context)
    matches = any_arn if arn else any_glob
    if tokens is not None and Wild.ANYTHING in tokens:
        unknown = next(item for item in variables_of(template) if value_of(item, context) is Wild.ANYTHING)
        if may_match(tokens, text, arn=arn):
            return _Match(UNSURE, None, Mismatch.KEY_UNKNOWN, unknown.key)
        return _Match(NO)
    if tokens is not None and matches((tokens,))(text):
        return _Match(YES)
    variables = variables_of(template)
    for variable in variables:
        if value_of(variable, context) is None:
            return _Match(NO, f"variable:{variable.key}", Mismatch.VARIABLE_UNRESOLVED, variable.key)
    for variable in variables:
        if may_match(_freed(template, variable, context), text, arn=arn):
            return _Match(NO, f"variable:{variable.key}", Mismatch.VALUE_DIFFERS, variable.key)
    return _Match(NO)


def _freed(template: Template, variable: Variable, context: RequestContext) -> Tokens:
    """The pattern with one of its variables, all of which can be resolved, standing for anything."""
    return tuple(
        Wild.ANYTHING if part is variable else value_of(part, context) or "" if isinstance(part, Variable) else part
        for part in template
    )


def _is_literal_for_its_version(
    text: str, actual: str, context: RequestContext, *, globs: bool, separators: int = 0, arn: bool = False
) -> bool:
    """Would the pattern match if its variables were replaced?"""
    template = template_of(text, globs=globs, separators=separators)
    if fixed(template) is not None:
        return False
    return _match(template, actual, context, arn=arn).truth is not NO


def _resource(statement: Statement, resource: str, context: RequestContext) -> ElementEvidence:
    assert statement.resources is not None
    patterns = list(zip(statement.resources, statement.resource_templates, strict=True))
    matches = [(text, _match(template, resource, context, arn=False)) for text, template in patterns]
    best_text, best = max(matches, key=lambda item: item[1].truth)
    flags = _resource_doubts(best_text, resource) if best.truth is not NO else ()
    negated = statement.not_resource
    truth = ~best.truth if negated else best.truth
    evidence = ElementEvidence(
        "resource", truth, best_text, resource, best.reason, flags=flags, part="resource", key=best.key, negated=negated
    )
    if best.truth is YES:
        return replace(evidence, reason=Mismatch.RESOURCE_EXCLUDED) if negated else evidence
    if best.truth is UNSURE:
        return evidence
    return _resource_miss(replace(evidence, expected=_all(statement.resources)), statement, matches, context)


def _resource_miss(
    evidence: ElementEvidence, statement: Statement, matches: list[tuple[str, _Match]], context: RequestContext
) -> ElementEvidence:
    resource = evidence.actual or ""
    if evidence.negated:
        return evidence
    if not statement.substitutes:
        for text, _ in matches:
            if _is_literal_for_its_version(text, resource, context, globs=True, separators=SEPARATORS):
                return replace(evidence, element="version", expected=text, reason=Mismatch.VARIABLE_LITERAL)
    for text, match in matches:
        if match.element is not None:
            return replace(evidence, element=match.element, expected=text, reason=match.reason, key=match.key)
    near = nearest((text for text, _ in matches), resource, RESOURCE_RULES)
    if near is None:
        return replace(evidence, reason=Mismatch.RESOURCE_NOT_LISTED)
    return replace(evidence, expected=near[0], reason=near[1])


def _resource_doubts(pattern: str, resource: str) -> tuple[Doubt, ...]:
    """Does a match depend on a wildcard that runs over the colons between the segments of an ARN?"""
    if pattern == "*" or not resource.startswith("arn:"):
        return ()
    parts = pattern.split(":", SEPARATORS)
    if len(parts) > 2 and ("*" in parts[2] or "?" in parts[2]):
        return (Doubt.WILDCARD_IN_SERVICE,)
    # Variables count as text here: what they hold is after the fifth colon.
    mine, theirs = parts[:SEPARATORS], resource.split(":", SEPARATORS)[:SEPARATORS]
    aligned = len(parts) > SEPARATORS and any_arn((tokens_of(":".join((*mine, "*"))),))(":".join((*theirs, "")))
    return () if aligned else (Doubt.WILDCARD_CROSSES_COLON,)


def _actual_principal(principal: Principal) -> str | None:
    return "anonymous" if principal.type is PrincipalType.ANONYMOUS else principal.arn


def _principal(statement: Statement, principal: Principal) -> ElementEvidence:
    element = statement.principal
    assert element is not None
    negated = statement.not_principal
    truth = statement.names(principal).truth
    evidence = ElementEvidence(
        "notprincipal" if negated else "principal",
        truth,
        _all(entry.text for entry in element.entries),
        _actual_principal(principal),
        part="principal",
        negated=negated,
    )
    if negated:
        flags = (Doubt.NOT_PRINCIPAL_ALLOW,) if statement.effect == "Allow" else ()
        return replace(evidence, reason=_not_principal_reason(statement, principal, truth), flags=flags)
    if truth is not NO:
        doubtful = principal.type is PrincipalType.ANONYMOUS and not any(entry.bare for entry in element.entries)
        return replace(evidence, flags=(Doubt.ANONYMOUS_AWS_STAR,) if doubtful else ())
    misses = [(principal_mismatch(entry, principal), entry.text) for entry in element.entries]
    telling = [miss for miss in misses if miss[0] is not Mismatch.PRINCIPAL_NOT_LISTED]
    order = list(Mismatch)
    if not telling:
        return replace(evidence, reason=Mismatch.PRINCIPAL_NOT_LISTED)
    # Another account is the least telling of reasons: a policy often lists several.
    reason, text = min(telling, key=lambda miss: (miss[0] is Mismatch.OTHER_ACCOUNT, order.index(miss[0])))
    return replace(evidence, expected=text, reason=reason)


def _not_principal_reason(statement: Statement, principal: Principal, truth: Truth) -> Mismatch | None:
    element = statement.principal
    assert element is not None
    listed = element.lists(principal)
    if truth is NO:
        return Mismatch.PRINCIPAL_EXCLUDED
    if listed is YES:
        return Mismatch.PERMISSIONS_BOUNDARY
    naming = element.names(principal)
    if principal.type is PrincipalType.ROLE_SESSION and naming.issuer is not NO and naming.direct is NO:
        reasons = {principal_mismatch(entry, principal) for entry in element.entries}
        differs = Mismatch.SESSION_NAME_DIFFERS
        return differs if differs in reasons else Mismatch.ROLE_NOT_SESSION
    if naming.account is NO and max(naming.direct, naming.issuer) is not NO:
        return Mismatch.ACCOUNT_NOT_LISTED
    return Mismatch.PRINCIPAL_NOT_LISTED


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


def _condition(condition: Condition, context: RequestContext, statement: Statement) -> ElementEvidence:
    truth = condition.test(context)
    found = context.lookup(condition.key)
    actual = None if found is None or found is UNKNOWN else _all(found)
    evidence = ElementEvidence(
        f"condition:{condition.key}",
        truth,
        _all(condition.values),
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
) -> _Match | None:
    """How a variable in a policy value is to blame, if one is."""
    operator = condition.operator
    assert operator is not None
    arn = operator.name.startswith("Arn")
    if fixed(template) is None:
        match = _match(template, value, context, arn=arn)
        # A variable that has its value is not to blame: two values differ, as in any condition.
        return None if match.reason in (None, Mismatch.VALUE_DIFFERS) else match
    if statement.substitutes or not operator.substitutes:
        return None
    if _is_literal_for_its_version(text, value, context, globs=operator.globs, arn=arn):
        return _Match(NO, "version", Mismatch.VARIABLE_LITERAL, condition.key)
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

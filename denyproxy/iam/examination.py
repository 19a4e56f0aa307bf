"""Examine a statement: every element of it, and why those that miss do."""

from __future__ import annotations

from collections.abc import Mapping

from denyproxy.iam.blame import Match, is_literal_for_its_version
from denyproxy.iam.condition_examination import examine_condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.layers import AuthorizationRequest
from denyproxy.iam.mismatch import Doubt, Mismatch, nearest, principal_mismatch
from denyproxy.iam.principal import Principal, PrincipalElement, PrincipalType
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth
from denyproxy.iam.wildcard import SEPARATORS
from denyproxy.iam.wording import ResourcePattern

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES
_NO_NAMES: Mapping[str, str] = {}
_ORDER = {reason: order for order, reason in enumerate(Mismatch)}


def examine(
    policy: Policy,
    statement: Statement,
    request: AuthorizationRequest,
    resource: str | None = None,
    *,
    api_names: Mapping[str, str] = _NO_NAMES,
) -> StatementEvidence:
    """Evaluate every element of a statement of a policy, and say why those that do not match do not.

    `resource` stands in for the request's own. `api_names`: names that are no actions but taken for some (lower case)
    -> the action that is meant."""
    wording, context = statement.wording, request.context
    elements = [_action(statement, request.action, api_names)]
    if statement.resources is not None:
        elements.append(_resource(statement, request.resource if resource is None else resource, context))
    if statement.principal is not None:
        elements.append(_principal(statement, request.principal))
    for item in wording.conditions:
        elements.append(examine_condition(item, context, substitutes=statement.substitutes))
    truth = min([element.truth for element in elements])
    failing = tuple([element for element in elements if element.truth is NO]) if truth is NO else ()
    return StatementEvidence(policy, statement, truth, tuple(elements), failing)


def _action(statement: Statement, action: str, api_names: Mapping[str, str]) -> ElementEvidence:
    wording, negated = statement.wording, statement.not_action
    lower = action.lower()
    covering = wording.covering(lower)
    truth = YES if (covering is None) is negated else NO
    expected, reason = covering or wording.all_actions, None
    if negated:
        reason = Mismatch.ACTION_EXCLUDED if covering else None
    elif covering is None:
        near = _api_name(statement, lower, api_names) or nearest(wording.near_actions, action)
        expected, reason = near or (expected, Mismatch.ACTION_NOT_LISTED)
    return ElementEvidence("action", truth, expected, action, reason, part="action", negated=negated)


def _api_name(statement: Statement, action: str, api_names: Mapping[str, str]) -> tuple[str, Mismatch] | None:
    for text, lower in statement.wording.lower_actions:
        if lower in api_names and api_names[lower].lower() == action:
            return text, Mismatch.API_NAME_INSTEAD_OF_ACTION
    return None


def _resource(statement: Statement, resource: str, context: RequestContext) -> ElementEvidence:
    wording, negated = statement.wording, statement.not_resource
    matches = [(pattern, pattern.match(resource, context)) for pattern in wording.resources]
    best_pattern, best = matches[0]
    for pattern, match in matches:
        if match.truth > best.truth:
            best_pattern, best = pattern, match
    truth = ~best.truth if negated else best.truth
    element, expected, reason, key = "resource", best_pattern.text, best.reason, best.key
    flags: tuple[Doubt, ...] = ()
    if best.truth is not NO:
        flags = best_pattern.doubts(resource)
        reason = Mismatch.RESOURCE_EXCLUDED if negated and best.truth is YES else reason
    elif negated:
        expected = wording.all_resources
        unresolved = (match for _, match in matches if match.reason is Mismatch.VARIABLE_UNRESOLVED)
        blamed = next(unresolved, best)
        reason, key = blamed.reason, blamed.key
    else:
        element, expected, reason, key = _resource_miss(statement, resource, matches, context, best)
    return ElementEvidence(
        element,
        truth,
        expected,
        resource,
        reason,
        flags=flags,
        part="resource",
        key=key,
        negated=negated,
        put_in=_put_in(key, context) if reason is Mismatch.VALUE_DIFFERS else None,
    )


def _put_in(key: str | None, context: RequestContext) -> str | None:
    values = context.lookup(key) if key is not None else None
    return values[0] if isinstance(values, tuple) and len(values) == 1 else None


def _resource_miss(
    statement: Statement,
    resource: str,
    matches: list[tuple[ResourcePattern, Match]],
    context: RequestContext,
    best: Match,
) -> tuple[str, str, Mismatch | None, str | None]:
    """Element, what it expects, the reason, and the key of a variable that is to blame."""
    if not statement.substitutes:
        for pattern, _ in matches:
            if is_literal_for_its_version(pattern.text, resource, context, globs=True, separators=SEPARATORS):
                return "version", pattern.text, Mismatch.VARIABLE_LITERAL, best.key
    for pattern, match in matches:
        if match.element is not None:
            return match.element, pattern.text, match.reason, match.key
    near = nearest(statement.wording.near_resources, resource)
    expected, reason = near or (statement.wording.all_resources, Mismatch.RESOURCE_NOT_LISTED)
    return "resource", expected, reason, best.key


def _actual_principal(principal: Principal) -> str | None:
    return "anonymous" if principal.type is PrincipalType.ANONYMOUS else principal.arn


def _principal(statement: Statement, principal: Principal) -> ElementEvidence:
    element, negated = statement.principal, statement.not_principal
    assert element is not None
    truth = statement.names(principal).truth
    expected: str = statement.wording.all_principals
    reason: Mismatch | None = None
    flags: tuple[Doubt, ...] = ()
    if negated:
        reason = _not_principal_reason(statement, principal, truth)
        flags = (Doubt.NOT_PRINCIPAL_ALLOW,) if statement.effect == "Allow" else ()
    elif truth is NO:
        reason, expected = _principal_miss(element, principal) or (Mismatch.PRINCIPAL_NOT_LISTED, expected)
    elif principal.type is PrincipalType.ANONYMOUS and not any(entry.bare for entry in element.entries):
        flags = (Doubt.ANONYMOUS_AWS_STAR,)
    return ElementEvidence(
        "notprincipal" if negated else "principal",
        truth,
        expected,
        _actual_principal(principal),
        reason,
        flags=flags,
        part="principal",
        negated=negated,
    )


def _principal_miss(element: PrincipalElement, principal: Principal) -> tuple[Mismatch, str] | None:
    """Why the entry that is nearest does not name the caller, and the entry; None: none is near."""
    misses = [(principal_mismatch(entry, principal), entry.text) for entry in element.entries]
    telling = [miss for miss in misses if miss[0] is not Mismatch.PRINCIPAL_NOT_LISTED]
    # Another account is the least telling of reasons: a policy often lists several.
    return min(telling, key=lambda miss: (miss[0] is Mismatch.OTHER_ACCOUNT, _ORDER[miss[0]]), default=None)


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

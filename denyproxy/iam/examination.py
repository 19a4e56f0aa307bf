"""Examine a statement: every element of it, and why those that miss do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from denyproxy.iam.blame import Match, is_literal_for_its_version, match_template
from denyproxy.iam.condition_examination import examine_condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.mismatch import RESOURCE_RULES, Doubt, Mismatch, action_rules, nearest, principal_mismatch
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from denyproxy.iam.wildcard import SEPARATORS, any_arn, any_glob, tokens_of

if TYPE_CHECKING:
    from denyproxy.iam.layers import AuthorizationRequest
    from denyproxy.iam.statement import Statement

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


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
    elements.extend(examine_condition(condition, request.context, statement) for condition in statement.conditions)
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


def _resource(statement: Statement, resource: str, context: RequestContext) -> ElementEvidence:
    assert statement.resources is not None
    patterns = list(zip(statement.resources, statement.resource_templates, strict=True))
    matches = [(text, match_template(template, resource, context, arn=False)) for text, template in patterns]
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
    evidence: ElementEvidence, statement: Statement, matches: list[tuple[str, Match]], context: RequestContext
) -> ElementEvidence:
    resource = evidence.actual or ""
    if evidence.negated:
        return evidence
    if not statement.substitutes:
        for text, _ in matches:
            if is_literal_for_its_version(text, resource, context, globs=True, separators=SEPARATORS):
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

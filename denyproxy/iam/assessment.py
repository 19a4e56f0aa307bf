"""What each layer says on a request, and which layers apply to whom.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import NamedTuple

from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.layers import AuthorizationRequest, PolicySet, ResourceLayer
from denyproxy.iam.principal import PrincipalType, is_service_linked
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES

Triples = tuple[tuple[Policy, Statement, Truth], ...]


class Said(NamedTuple):
    """What the policies of one layer, or of one level of it, say."""

    deny: Truth
    allow: Truth
    statements: Triples = ()


class Granted(NamedTuple):
    """What a resource-based layer says: see Grant."""

    deny: Truth
    direct: Truth
    issuer: Truth
    account: Truth
    statements: Triples = ()


_NOTHING_TO_SAY = Said(NO, YES)
_NOTHING_ALLOWED = Said(NO, NO)
_DENIED = Said(YES, NO)
_DENIED_BY_RESOURCE = Granted(YES, NO, NO, NO)

Judge = Callable[[PolicyList, str, AuthorizationRequest], Said]
ResourceJudge = Callable[[ResourceLayer, str, AuthorizationRequest], Granted]


class Assessment(NamedTuple):
    """What every layer says, the layers that do not apply included (they have nothing to say)."""

    scp: tuple[Said, ...]
    """By level."""
    rcp: tuple[Said, ...]
    vpc_endpoint: Said
    resource: tuple[Granted, ...]
    identity: Said
    boundary: Said
    session: Said


OUTSIDERS = (PrincipalType.ANONYMOUS, PrincipalType.SERVICE)
"""Callers without policies of their own."""


def _weakened(said: Said) -> Said:
    """Of a layer that may not apply."""
    return Said(min(said.deny, UNSURE), max(said.allow, UNSURE), said.statements)


def assess(request: AuthorizationRequest, policies: PolicySet, ask: Judge, ask_resource: ResourceJudge) -> Assessment:
    """Ask every layer that applies to this kind of principal: by `judge` and `judge_resource`, or `hear` and so on."""
    principal = request.principal
    kind = principal.type
    action = request.action.lower()
    resource = tuple([ask_resource(layer, action, request) for layer in policies.resource])
    endpoint = policies.vpc_endpoint
    vpc_endpoint = _NOTHING_TO_SAY if endpoint is None else ask(endpoint, action, request)
    rcp = tuple([ask(level, action, request) for level in policies.rcp or ()])
    if kind in OUTSIDERS:
        nothing = _NOTHING_TO_SAY
        return Assessment((), rcp, vpc_endpoint, resource, nothing, nothing, nothing)
    scp = tuple([ask(level, action, request) for level in policies.scp or ()])
    boundary = session = _NOTHING_TO_SAY
    if policies.boundary is not None and kind is not PrincipalType.ROOT:
        boundary = ask(policies.boundary, action, request)
    if policies.session is not None:
        session = ask(policies.session, action, request)
    elif kind is PrincipalType.FEDERATED:
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
        session = _NOTHING_ALLOWED
    identity = _NOTHING_TO_SAY if kind is PrincipalType.ROOT else ask(policies.identity, action, request)
    if kind is PrincipalType.UNKNOWN:
        scp, identity = tuple(map(_weakened, scp)), _weakened(identity)
        boundary, session = _weakened(boundary), _weakened(session)
    linked = is_service_linked(principal)
    if linked is YES:
        scp, rcp, boundary = (), (), _NOTHING_TO_SAY
    elif linked is UNSURE:
        scp, rcp, boundary = tuple(map(_weakened, scp)), tuple(map(_weakened, rcp)), _weakened(boundary)
    return Assessment(scp, rcp, vpc_endpoint, resource, identity, boundary, session)


def remembering(policies: PolicySet, said: Assessment) -> tuple[Judge, ResourceJudge]:
    """`hear` and `hear_resource` that know what these policies said on the very request, and ask only the others.

    Not for callers for whom layers may not apply: what they said counts for less there."""
    lists: list[tuple[PolicyList | None, Said]] = [
        (policies.identity, said.identity),
        (policies.vpc_endpoint, said.vpc_endpoint),
        (policies.boundary, said.boundary),
        (policies.session, said.session),
        *zip(policies.scp or (), said.scp, strict=False),
        *zip(policies.rcp or (), said.rcp, strict=False),
    ]
    known = [(listed, heard) for listed, heard in lists if listed is not None and heard is not _NOTHING_TO_SAY]

    def again(asked: PolicyList, action: str, request: AuthorizationRequest) -> Said:
        for listed, heard in known:
            if _same(listed, asked):
                return heard
        return hear(asked, action, request)

    def resource_again(asked: ResourceLayer, action: str, request: AuthorizationRequest) -> Granted:
        for layer, heard in zip(policies.resource, said.resource, strict=True):
            if (
                _same(layer.policies, asked.policies)
                and layer.resource == asked.resource
                and layer.deny_only is asked.deny_only
                and layer.other_grant == asked.other_grant
            ):
                return heard
        return hear_resource(asked, action, request)

    return again, resource_again


def _same(one: PolicyList, other: PolicyList) -> bool:
    """Are they the very same policies?"""
    if one is other:
        return True
    mine, theirs = one.policies, other.policies
    return one.complete is other.complete and len(mine) == len(theirs) and all(map(is_, mine, theirs))


# One layer, for the decision alone


def judge(policies: PolicyList, action: str, request: AuthorizationRequest) -> Said:
    """No further than the decision needs. `action` is in lower case."""
    deny = allow = NO if policies.complete else UNSURE
    resource, context, principal = request.resource, request.context, request.principal
    for policy in policies.policies:
        relevant = policy.relevant(action)
        for statement in relevant.denies:
            truth = statement.matches_relevant(principal, resource, context)
            if truth > deny:
                deny = truth
                if truth is YES:
                    return _DENIED
        if allow is YES:
            continue
        for statement in relevant.allows:
            truth = statement.matches_relevant(principal, resource, context)
            if truth > allow:
                allow = truth
                if truth is YES:
                    break
    return Said(deny, allow)


def judge_resource(layer: ResourceLayer, action: str, request: AuthorizationRequest) -> Granted:
    """As `judge`, for a resource-based layer."""
    deny, direct, issuer, account = _start(layer)
    resource = request.resource if layer.resource is None else layer.resource
    context, principal = request.context, request.principal
    for policy in layer.policies.policies:
        relevant = policy.relevant(action)
        for statement in relevant.denies:
            truth = statement.matches_relevant(principal, resource, context)
            if truth > deny:
                deny = truth
                if truth is YES:
                    return _DENIED_BY_RESOURCE
        if layer.deny_only or direct is YES:
            continue
        for statement in relevant.allows:
            truth = statement.applies(resource, context)
            if truth is not NO:
                naming = statement.names(principal)
                direct = max(direct, min(truth, naming.direct))
                issuer = max(issuer, min(truth, naming.issuer))
                account = max(account, min(truth, naming.account))
                if direct is YES:
                    break
    return Granted(deny, direct, issuer, account)


def _start(layer: ResourceLayer) -> tuple[Truth, Truth, Truth, Truth]:
    """What is denied and granted before any statement is read."""
    other = layer.other_grant
    if layer.policies.complete:
        return NO, other.direct, other.issuer, other.account
    if layer.deny_only:
        return UNSURE, other.direct, other.issuer, other.account
    return UNSURE, max(other.direct, UNSURE), max(other.issuer, UNSURE), max(other.account, UNSURE)


# One layer, with the evidence


def hear(policies: PolicyList, action: str, request: AuthorizationRequest) -> Said:
    """Every statement that concerns the action."""
    deny = allow = NO if policies.complete else UNSURE
    resource, context, principal = request.resource, request.context, request.principal
    statements: list[tuple[Policy, Statement, Truth]] = []
    for policy in policies.policies:
        for statement in policy.relevant(action).all:
            truth = statement.applies(resource, context)
            if truth is not NO and statement.principal is not None:
                truth = min(truth, statement.names(principal).truth)
            statements.append((policy, statement, truth))
            if statement.effect == "Deny":
                if truth > deny:
                    deny = truth
            elif truth > allow:
                allow = truth
    return Said(deny, allow, tuple(statements))


def hear_resource(layer: ResourceLayer, action: str, request: AuthorizationRequest) -> Granted:
    """As `hear`, for a resource-based layer."""
    deny, direct, issuer, account = _start(layer)
    resource = request.resource if layer.resource is None else layer.resource
    context, principal = request.context, request.principal
    statements: list[tuple[Policy, Statement, Truth]] = []
    for policy in layer.policies.policies:
        for statement in policy.relevant(action).all:
            truth = statement.applies(resource, context)
            if truth is NO:
                statements.append((policy, statement, truth))
                continue
            naming = statement.names(principal)
            matched = min(truth, naming.truth)
            statements.append((policy, statement, matched))
            if statement.effect == "Deny":
                deny = max(deny, matched)
            elif not layer.deny_only:
                direct = max(direct, min(truth, naming.direct))
                issuer = max(issuer, min(truth, naming.issuer))
                account = max(account, min(truth, naming.account))
    return Granted(deny, direct, issuer, account, tuple(statements))

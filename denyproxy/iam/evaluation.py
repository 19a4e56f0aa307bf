"""From statements to a decision, layer by layer, with the evidence.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from denyproxy.iam.assessment import (
    OUTSIDERS,
    Assessment,
    Granted,
    Judge,
    ResourceJudge,
    Said,
    Triples,
    assess,
    hear,
    hear_resource,
    judge,
    judge_resource,
    remembering,
)
from denyproxy.iam.document import Policy
from denyproxy.iam.layers import (
    AuthorizationRequest,
    Blocks,
    Decision,
    Grant,
    Layer,
    LayerEvaluation,
    Objection,
    PolicySet,
    ResourceLayer,
)
from denyproxy.iam.principal import is_service_linked
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth

__all__ = [
    "AuthorizationRequest",
    "Blocks",
    "Decision",
    "Evaluation",
    "Grant",
    "Layer",
    "LayerEvaluation",
    "Objection",
    "PolicySet",
    "ResourceLayer",
    "decide",
    "evaluate",
]

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evidence for one authorization request."""

    request: AuthorizationRequest
    possible: frozenset[Decision]
    """A sound superset of the decisions still possible given the unknowns; a singleton is a certainty."""
    objections: tuple[Objection, ...]
    """Every layer that denies or may deny: explicit ones first, then implicit, each in the order
    scp, rcp, vpc-endpoint-policy, resource layers, identity, permissions-boundary, session-policy."""
    policies: PolicySet = field(repr=False)
    said: Assessment = field(repr=False)

    @property
    def layers(self) -> Mapping[str, LayerEvaluation]:
        """What each layer says. Put together when it is asked for."""
        return _layers(self.policies, self.said)

    def statements(self, layer: str) -> Triples:
        """The statements of a layer that concern the action, in document order, each with whether it matches."""
        said = self.said
        match layer:
            case "identity":
                return said.identity.statements
            case "scp" | "rcp":
                return _statements(said.scp if layer == "scp" else said.rcp)
            case "vpc-endpoint-policy":
                return said.vpc_endpoint.statements
            case "permissions-boundary":
                return said.boundary.statements
            case "session-policy":
                return said.session.statements
        asked = zip(self.policies.resource, said.resource, strict=True)
        return next((granted.statements for one, granted in asked if one.layer == layer), ())

    def all_statements(self) -> Iterator[tuple[Policy, Statement, Truth]]:
        """Those of all layers."""
        said = self.said
        for layer in (*said.scp, *said.rcp, said.vpc_endpoint, said.identity, said.boundary, said.session):
            yield from layer.statements
        for granted in said.resource:
            yield from granted.statements

    @property
    def decision(self) -> Decision | None:
        """The decision, or None if the unknowns leave more than one."""
        return next(iter(self.possible)) if len(self.possible) == 1 else None


def decide(request: AuthorizationRequest, policies: PolicySet) -> frozenset[Decision]:
    """The decisions that are possible, without the evidence."""
    if is_service_linked(request.principal) is UNSURE:
        # Layers may turn out not to apply, so that a Deny in one does not settle the rest.
        said = assess(request, policies, hear, hear_resource)
    else:
        said = assess(request, policies, judge, judge_resource)
    return _possible(request, policies, said, _side(said.resource))


def evaluate(request: AuthorizationRequest, policies: PolicySet, before: Evaluation | None = None) -> Evaluation:
    """The decisions that are possible, and what each layer has to do with it.

    `before`: an evaluation of the same request; layers that have the same policies still need not be asked again."""
    ask: Judge = hear
    ask_resource: ResourceJudge = hear_resource
    if before is not None and is_service_linked(request.principal) is not UNSURE:
        ask, ask_resource = remembering(before.policies, before.said)
    said = assess(request, policies, ask, ask_resource)
    side = _side(said.resource)
    objections = (*_explicit(policies, said), *_implicit(request, policies, said, side))
    return Evaluation(request, _possible(request, policies, said, side), objections, policies, said)


# All layers together


class _Side(NamedTuple):
    """The resource's side as a whole: all its layers have to grant."""

    direct: Truth
    issuer: Truth
    """Or better."""
    any: Truth
    """Of whatever kind."""


_NO_SIDE = _Side(NO, NO, NO)


def _side(granted: tuple[Granted, ...]) -> _Side:
    if len(granted) == 1:
        _, direct, issuer, account, _ = granted[0]
        issuer = max(direct, issuer)
        return _Side(direct, issuer, max(issuer, account))
    if not granted:
        return _NO_SIDE
    return _Side(
        min(one.direct for one in granted),
        min(max(one.direct, one.issuer) for one in granted),
        min(max(one.direct, one.issuer, one.account) for one in granted),
    )


_POSSIBLE = {
    (deny, allow): frozenset(
        decision
        for decision, possible in (
            (Decision.EXPLICIT_DENY, deny is not NO),
            (Decision.ALLOWED, deny is not YES and allow is not NO),
            (Decision.IMPLICIT_DENY, deny is not YES and allow is not YES),
        )
        if possible
    )
    for deny in Truth
    for allow in Truth
}


def _denied(said: Assessment) -> Truth:
    deny = max(said.vpc_endpoint.deny, said.identity.deny, said.boundary.deny, said.session.deny)
    for layers in (said.scp, said.rcp, said.resource):
        for one in layers:
            if one[0] > deny:
                deny = one[0]
    return deny


def _allowed(said: Assessment, side: _Side, *, own: bool, delegated: bool) -> Truth:
    """Is it allowed, explicit denies aside? `own`: caller and resource belong to one account."""
    identity = said.identity.allow
    caller = min(said.boundary.allow, said.session.allow)
    if own:
        if delegated:
            identity = min(identity, side.any)
        allow = max(side.direct, min(max(identity, side.issuer), caller))
    else:
        allow = min(identity, caller, side.any)
    allow = min(allow, said.vpc_endpoint.allow)
    for level in said.scp:
        if level.allow < allow:
            allow = level.allow
    return allow


def _cases(request: AuthorizationRequest, policies: PolicySet) -> tuple[bool, ...]:
    """Of one account or not; both, if that is not known. An outsider has no account, and so never the owner's."""
    same = policies.same_account
    if same is NO or request.principal.type in OUTSIDERS:
        return (False,)
    return (True,) if same is YES else (True, False)


def _possible(request: AuthorizationRequest, policies: PolicySet, said: Assessment, side: _Side) -> frozenset[Decision]:
    deny = _denied(said)
    if deny is YES:
        return _POSSIBLE[YES, NO]
    delegated = policies.resource_must_delegate
    first, *others = _cases(request, policies)
    result = _POSSIBLE[deny, _allowed(said, side, own=first, delegated=delegated)]
    for own in others:
        result |= _POSSIBLE[deny, _allowed(said, side, own=own, delegated=delegated)]
    return result


# Who stands in the way


def _explicit(policies: PolicySet, said: Assessment) -> Iterator[Objection]:
    resource = [(layer.layer, granted[0]) for layer, granted in zip(policies.resource, said.resource, strict=True)]
    for layer, truth in (
        ("scp", _deny_of(said.scp)),
        ("rcp", _deny_of(said.rcp)),
        ("vpc-endpoint-policy", said.vpc_endpoint.deny),
        *resource,
        ("identity", said.identity.deny),
        ("permissions-boundary", said.boundary.deny),
        ("session-policy", said.session.deny),
    ):
        if truth is not NO:
            yield Objection(layer, Blocks.EXPLICIT, truth)


def _deny_of(levels: Iterable[Said]) -> Truth:
    deny = NO
    for level in levels:
        if level[0] > deny:
            deny = level[0]
    return deny


def _implicit(request: AuthorizationRequest, policies: PolicySet, said: Assessment, side: _Side) -> Iterator[Objection]:
    own, *other = _cases(request, policies)
    rows = _standing(policies, said, side, own=own)
    if other:
        both = zip(rows, _standing(policies, said, side, own=other[0]), strict=True)
        rows = [one if one[2] is two[2] else (one[0], one[1], UNSURE) for one, two in both]
    for layer, level, allow in rows:
        if allow is not YES:
            yield Objection(layer, Blocks.IMPLICIT, ~allow, level)


def _standing(policies: PolicySet, said: Assessment, side: _Side, *, own: bool) -> list[tuple[str, int | None, Truth]]:
    """Every layer, with whether it grants the Allow that is needed whatever the others say."""
    needed = not own or policies.resource_must_delegate
    rows: list[tuple[str, int | None, Truth]] = [("scp", level, one.allow) for level, one in enumerate(said.scp)]
    rows.append(("vpc-endpoint-policy", None, said.vpc_endpoint.allow))
    if not policies.resource:
        rows.append(("resource-policy", None, NO if needed else YES))
    for layer, one in zip(policies.resource, said.resource, strict=True):
        rows.append((layer.layer, None, max(one.direct, one.issuer, one.account) if needed else YES))
    issuer, direct = (side.issuer, side.direct) if own else (NO, NO)
    rows.append(("identity", None, max(said.identity.allow, issuer)))
    rows.append(("permissions-boundary", None, max(said.boundary.allow, direct)))
    rows.append(("session-policy", None, max(said.session.allow, direct)))
    return rows


def _layers(policies: PolicySet, said: Assessment) -> dict[str, LayerEvaluation]:
    layers = {
        "scp": _levels("scp", said.scp),
        "rcp": LayerEvaluation("rcp", _deny_of(said.rcp), YES, _statements(said.rcp)),
        "vpc-endpoint-policy": LayerEvaluation("vpc-endpoint-policy", *said.vpc_endpoint),
    }
    for layer, one in zip(policies.resource, said.resource, strict=True):
        allow = max(one.direct, one.issuer, one.account)
        grant = Grant(one.direct, one.issuer, one.account)
        layers[layer.layer] = LayerEvaluation(layer.layer, one.deny, allow, one.statements, grant)
    layers["identity"] = LayerEvaluation("identity", *said.identity)
    layers["permissions-boundary"] = LayerEvaluation("permissions-boundary", *said.boundary)
    layers["session-policy"] = LayerEvaluation("session-policy", *said.session)
    return layers


def _levels(layer: str, levels: tuple[Said, ...]) -> LayerEvaluation:
    allow = min((level.allow for level in levels), default=YES)
    return LayerEvaluation(layer, _deny_of(levels), allow, _statements(levels))


def _statements(levels: tuple[Said, ...]) -> Triples:
    return tuple(triple for level in levels for triple in level.statements)

"""One requirement of an S3 call against everything that bears on it: IAM's layers, then S3's own.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html
"""

from __future__ import annotations

from typing import NamedTuple

from denyproxy.exchange import Declared
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import PolicyList
from denyproxy.iam.evaluation import Evaluation, evaluate
from denyproxy.iam.layers import AuthorizationRequest, Decision, Grant, PolicySet, ResourceLayer
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.arn import Arn
from denyproxy.s3.bucket_side import ALL_OFF, BucketSide, Switches
from denyproxy.s3.caller_side import CallerSide, caller_side, uses_kms
from denyproxy.s3.gates import Refusal, same_account
from denyproxy.s3.open_facts import owned_thing
from denyproxy.s3.other_resources import (
    NO_BUCKET_YET,
    must_delegate,
    resource_control_policies,
    resource_layers,
    same_owner,
)
from denyproxy.s3.request import Caller, Requirement, Role
from denyproxy.s3.snapshot import AWS_MANAGED_KEY, PolicySnapshot

_ALLOWED = frozenset({Decision.ALLOWED})


class Authorization(NamedTuple):
    """What all layers say on one requirement."""

    requirement: Requirement
    policies: PolicySet
    evaluation: Evaluation
    """By IAM's rules, before S3's own layers."""
    refusals: tuple[Refusal, ...]
    """S3's own layers that take the permission away, or may."""
    possible: frozenset[Decision]
    """The decisions still possible, S3's own layers included."""
    acl_permission: str | None = None
    """The ACL permission that would grant it, where the ACL that bears on it counts and has grants (or may)."""
    acl_facts: tuple[str, ...] = ()
    """What is not known of that ACL, where it may grant."""

    def open_facts(self, layer: str) -> tuple[str, ...]:
        """The facts, besides those of its statements, on which it depends whether a layer withholds its Allow."""
        facts: dict[str, None] = {}
        for entry in self.policies.resource:
            grant, own = entry.other_grant, entry.layer == layer
            if not own and layer not in ("identity", "permissions-boundary", "session-policy"):
                continue
            if not own and not entry.policies.complete and self.policies.same_account is not Truth.NO:
                facts[entry.layer] = None  # which may grant instead
            if Truth.UNKNOWN in (grant.direct, grant.account if own else grant.issuer):
                facts |= dict.fromkeys(self.acl_facts)
        if self.policies.same_account is Truth.UNKNOWN and self.evaluation.request.principal.account is not None:
            facts[f"owner of {owned_thing(self.requirement)}"] = None
        return tuple(facts)

    @property
    def decision(self) -> Decision | None:
        """The decision, or None if the unknowns leave more than one."""
        return next(iter(self.possible)) if len(self.possible) == 1 else None

    @property
    def allowed(self) -> Truth:
        """Is it allowed?"""
        if self.possible == _ALLOWED:
            return Truth.YES
        return Truth.UNKNOWN if Decision.ALLOWED in self.possible else Truth.NO


def authorize(
    requirement: Requirement,
    context: RequestContext,
    caller: Caller,
    snapshot: PolicySnapshot,
    declared: Declared,
    before: Evaluation | None = None,
) -> Authorization:
    """Evaluate one requirement. Pure; raises nothing but on programming errors.

    `before`: how it was evaluated in the same context, maybe with other policies."""
    request = AuthorizationRequest(caller.principal, requirement.action, requirement.resource, context)
    side = caller_side(caller.principal, snapshot)
    if requirement.role is Role.KMS:
        authorization = _by_policies(requirement, _kms(side, requirement, caller, snapshot, declared), request, before)
    else:
        endpoint = vpc_endpoint_policy(context, snapshot, declared)
        if requirement.bucket is None or requirement.action.lower() in NO_BUCKET_YET:
            policies = _elsewhere(side, requirement, caller, snapshot, declared, endpoint)
            authorization = _by_policies(requirement, policies, request, before)
        else:
            bucket = BucketSide(requirement, caller, snapshot, declared, side, endpoint)
            authorization = _on_bucket(bucket, request, before)
    possible = _counted(authorization.possible, requirement)
    return authorization if possible is authorization.possible else authorization._replace(possible=possible)


def _by_policies(
    requirement: Requirement, policies: PolicySet, request: AuthorizationRequest, before: Evaluation | None
) -> Authorization:
    """By policies alone."""
    evaluation = evaluate(request, policies, before)
    return Authorization(requirement, policies, evaluation, (), evaluation.possible)


def _counted(possible: frozenset[Decision], requirement: Requirement) -> frozenset[Decision]:
    """Where only an explicit Deny matters, no Allow is needed."""
    if requirement.role is not Role.DENY_ONLY or Decision.IMPLICIT_DENY not in possible:
        return possible
    return possible - {Decision.IMPLICIT_DENY} | {Decision.ALLOWED}


def vpc_endpoint_policy(context: RequestContext, snapshot: PolicySnapshot, declared: Declared) -> PolicyList | None:
    """The policy of the VPC endpoint that the request came through; None: it came through none."""
    endpoint = context.lookup("aws:SourceVpce")
    if endpoint is UNKNOWN:
        return snapshot.vpc_endpoint
    if endpoint is None:
        return snapshot.vpc_endpoint if declared.closed else None
    return snapshot.vpc_endpoints.get(endpoint[0] if endpoint else "", snapshot.vpc_endpoint)


def _elsewhere(
    side: CallerSide,
    requirement: Requirement,
    caller: Caller,
    snapshot: PolicySnapshot,
    declared: Declared,
    endpoint: PolicyList | None,
) -> PolicySet:
    """Account-level actions, and resources that are no buckets."""
    layers = resource_layers(requirement, declared)
    return PolicySet(
        same_owner(requirement, caller, declared),
        *side,
        rcp=resource_control_policies(requirement, caller, snapshot, declared),
        vpc_endpoint=endpoint,
        resource=layers,
        resource_must_delegate=bool(layers) and must_delegate(requirement),
    )


def _kms(
    side: CallerSide, requirement: Requirement, caller: Caller, snapshot: PolicySnapshot, declared: Declared
) -> PolicySet:
    """KMS: the key policy is the mandatory authority.

    https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html"""
    key = snapshot.kms_key(requirement.kms_key)
    owner = key.account
    if owner is UNKNOWN and declared.closed and requirement.bucket is not None:
        owner = snapshot.bucket(requirement.bucket).account
    if owner is UNKNOWN and (named := Arn.parse(requirement.kms_key or "")) is not None:
        owner = named.account or UNKNOWN
    own = same_account(caller, owner)
    policies, other, rcp = key.policy, Grant(), snapshot.account(owner).rcp
    if requirement.kms_key is not None and requirement.kms_key.endswith(AWS_MANAGED_KEY) and not policies.policies:
        policies, other, rcp = PolicyList(), Grant(direct=own), None
    elif declared.closed and not policies.policies and policies.complete:
        other = Grant(account=Truth.YES)
    usable = uses_kms(caller.principal)
    layer = ResourceLayer("kms-key-policy", policies, deny_only=not usable, other_grant=other if usable else Grant())
    return PolicySet(own, *side, rcp=rcp, resource=(layer,), resource_must_delegate=True)


def _on_bucket(side: BucketSide, request: AuthorizationRequest, before: Evaluation | None) -> Authorization:
    """By policies, and by S3's rules that take grants away."""
    truths = side.taken_away()
    lenient = side.policy_set(ALL_OFF)
    evaluation = evaluate(request, lenient, before)
    possible = evaluation.possible
    refusals: list[Refusal] = []
    for name, truth in truths.items():
        strict = evaluate(request, side.policy_set(Switches(**{name: True})))
        already = {(objection.layer, objection.blocks): objection.truth for objection in evaluation.objections}
        added = max(
            (
                objection.truth
                for objection in strict.objections
                if objection.truth > already.get((objection.layer, objection.blocks), Truth.NO)
            ),
            default=Truth.NO,
        )
        possible = strict.possible if truth is Truth.YES else possible | strict.possible
        if added is not Truth.NO:
            refusals.append(side.refusal(name, min(truth, added)))
    sure = [name for name, truth in truths.items() if truth is Truth.YES]
    if len(sure) > 1:
        possible = evaluate(request, side.policy_set(Switches(**dict.fromkeys(sure, True)))).possible
    refusals.extend(side.network_origin(request.context))
    if any(refusal.layer == "access-point-policy" for refusal in refusals):
        possible = possible | {Decision.IMPLICIT_DENY}
        if any(refusal.truth is Truth.YES for refusal in refusals):
            possible = possible - {Decision.ALLOWED}
    return Authorization(
        side.requirement,
        lenient,
        evaluation,
        tuple(refusals),
        possible,
        side.permission_in_acl(),
        side.acl_facts(),
    )

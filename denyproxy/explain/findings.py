"""Every reason that denies the call, or may: drawn from the evidence, in the order in which S3 would meet them."""

from __future__ import annotations

from collections.abc import Iterator

from denyproxy.explain.finding import Finding, fact_of
from denyproxy.explain.model import EffectOfCause
from denyproxy.explain.near_misses import NearMisses, first_failing, telling_element, was_meant_for
from denyproxy.iam.document import PolicyList
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.layers import Blocks, Objection, PolicySet
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.s3.authorization import Authorization
from denyproxy.s3.gates import REQUEST_GATES, STATE_GATES, Refusal
from denyproxy.s3.request import Role

_REQUEST, _EXPLICIT, _BUCKET, _IMPLICIT, _KMS, _STATE = range(6)


def findings(authorizations: tuple[Authorization, ...], refusals: tuple[Refusal, ...]) -> tuple[Finding, ...]:
    """All reasons: definite ones first, each group in S3's order as far as it is known."""
    found = [_from_refusal(refusal, None) for refusal in refusals]
    for authorization in authorizations:
        if authorization.requirement.role is Role.FILTER or authorization.requirement.needed is Truth.NO:
            continue
        found.extend(_from_authorization(authorization))
    return tuple(sorted(found, key=lambda finding: (finding.truth is not Truth.YES, finding.stage)))


def _from_authorization(authorization: Authorization) -> Iterator[Finding]:
    needed = authorization.requirement.needed
    stage_shift = _KMS if authorization.requirement.role is Role.KMS else None
    for refusal in authorization.refusals:
        yield _from_refusal(refusal, authorization)
    for objection in authorization.evaluation.objections:
        if objection.blocks is Blocks.IMPLICIT and authorization.requirement.role is Role.DENY_ONLY:
            continue
        drawn = _explicit if objection.blocks is Blocks.EXPLICIT else _implicit
        for finding in drawn(authorization, objection):
            stage = finding.stage if stage_shift is None else stage_shift
            truth = needed if needed < finding.truth else finding.truth
            if truth is not finding.truth or stage != finding.stage:
                finding = finding._replace(truth=truth, stage=stage)
            yield _with_facts(finding, authorization.requirement.facts)


def _with_facts(finding: Finding, facts: tuple[str, ...]) -> Finding:
    """With what would tell whether the permission is needed at all."""
    if not facts or finding.unknowns == (finding.layer,):  # a layer that is not loaded is one fact
        return finding
    return finding._replace(unknowns=tuple(dict.fromkeys((*finding.unknowns, *facts))))


def _from_refusal(refusal: Refusal, authorization: Authorization | None) -> Finding:
    stage = _BUCKET
    if refusal.layer in REQUEST_GATES:
        stage = _REQUEST
    elif refusal.layer in STATE_GATES:
        stage = _STATE
    elif refusal.layer in ("acl", "access-point-policy"):
        stage = _IMPLICIT
    return Finding(
        layer=refusal.layer,
        effect="implicit" if refusal.layer in ("acl", "access-point-policy") else "not-policy",
        truth=refusal.truth,
        stage=stage,
        authorization=authorization,
        element=refusal.element,
        expected=refusal.expected,
        actual=refusal.actual,
        unknowns=refusal.facts,
    )


def layer_policies(policies: PolicySet, layer: str, level: int | None = None) -> tuple[PolicyList, str | None]:
    """The policies of a layer, and the ARN under which it is evaluated where that is not the request's."""
    match layer:
        case "identity":
            return policies.identity, None
        case "permissions-boundary":
            return policies.boundary or PolicyList(), None
        case "session-policy":
            return policies.session or PolicyList(), None
        case "vpc-endpoint-policy":
            return policies.vpc_endpoint or PolicyList(), None
        case "scp" | "rcp":
            levels = (policies.scp if layer == "scp" else policies.rcp) or ()
            chosen = levels if level is None else levels[level : level + 1]
            merged = tuple(policy for entry in chosen for policy in entry.policies)
            return PolicyList(merged, all(entry.complete for entry in chosen)), None
    for resource_layer in policies.resource:
        if resource_layer.layer == layer:
            return resource_layer.policies, resource_layer.resource
    return PolicyList(), None


def _explicit(authorization: Authorization, objection: Objection) -> Iterator[Finding]:
    """A finding for each Deny that applies or may, and one for the policies of the layer that are not known."""
    policies, resource = layer_policies(authorization.policies, objection.layer)
    request = authorization.evaluation.request
    for policy, statement, truth in authorization.evaluation.statements(objection.layer):
        if statement.effect != "Deny" or truth is Truth.NO:
            continue
        evidence = examine(policy, statement, request, resource)
        element = telling_element(evidence) if truth is Truth.YES else _first_unknown(evidence)
        yield Finding(
            layer=objection.layer,
            effect="explicit",
            truth=truth,
            stage=_EXPLICIT,
            authorization=authorization,
            policy=policy,
            evidence=evidence,
            element=element.element if element else None,
            expected=element.expected if element else None,
            actual=element.actual if element else None,
            unknowns=_unknown_facts(evidence) if truth is Truth.UNKNOWN else (),
        )
    if not policies.complete:
        yield _unknown_layer(authorization, objection, "explicit", _EXPLICIT)


def _implicit(authorization: Authorization, objection: Objection) -> Iterator[Finding]:
    """A finding for the layer that does not allow, with the statement that was meant to."""
    policies, resource = layer_policies(authorization.policies, objection.layer, objection.level)
    request = authorization.evaluation.request
    if any(entry.deny_only for entry in authorization.policies.resource if entry.layer == objection.layer):
        yield Finding(
            layer=objection.layer,
            effect="implicit",
            truth=objection.truth,
            stage=_IMPLICIT,
            authorization=authorization,
            element="principal",
            actual=request.principal.arn or "anonymous",
        )
        return
    if not policies.complete and objection.truth is Truth.UNKNOWN:
        yield _unknown_layer(authorization, objection, "implicit", _IMPLICIT)
        if not policies.policies:
            return
    layer = objection.layer
    misses = NearMisses(request, policies, resource)
    if layer == "bucket-policy" and authorization.acl_permission is not None and misses.first() is None:
        yield _acl_lacks(authorization, objection, authorization.acl_permission)
        return
    missed = _missed(authorization, objection, layer, misses, policies)
    other = _meant_on_the_bucket(authorization, misses) if layer == "identity" else None
    if other is not None:
        missed = _missed(authorization, objection, *other)._replace(stands_for=missed)
    yield missed


def _missed(
    authorization: Authorization,
    objection: Objection,
    layer: str,
    misses: NearMisses,
    policies: PolicyList | None = None,
) -> Finding:
    """That the policies of a layer do not allow, with the near misses."""
    best = misses.first()
    element = first_failing(best) if best is not None else None
    policy = best.policy if best is not None else next(iter(policies.policies if policies is not None else ()), None)
    return Finding(
        layer=layer,
        effect="implicit",
        truth=objection.truth,
        stage=_IMPLICIT,
        authorization=authorization,
        policy=policy,
        evidence=best,
        element=element.element if element else None,
        expected=element.expected if element else None,
        actual=element.actual if element else None,
        reason=str(element.reason) if element is not None and element.reason is not None else None,
        unknowns=(*_open_facts(misses), *authorization.open_facts(layer)) if objection.truth is Truth.UNKNOWN else (),
        misses=misses,
        level=objection.level,
    )


def _acl_lacks(authorization: Authorization, objection: Objection, permission: str) -> Finding:
    """No bucket policy was meant to grant it, so the ACL was: it lacks the permission, or is not known."""
    return Finding(
        layer="acl",
        effect="implicit",
        truth=objection.truth,
        stage=_IMPLICIT,
        authorization=authorization,
        element=permission,
        expected=f"{permission} granted",
        unknowns=authorization.open_facts("bucket-policy") if objection.truth is Truth.UNKNOWN else (),
    )


def _meant_on_the_bucket(authorization: Authorization, identity: NearMisses) -> tuple[str, NearMisses] | None:
    """In one account either side can grant: was it the resource's policy that was meant to, and missed by less?"""
    request = authorization.evaluation.request
    nearest = identity.first()
    if nearest is not None and not nearest.statement.is_of_service(request.action):
        nearest = None
    for layer in authorization.policies.resource:
        misses = NearMisses(request, layer.policies, layer.resource, but_for=_meant_for_others)
        if nearest is not None and misses.fail_at_least >= len(nearest.failing):
            continue
        first = misses.first()
        if first is not None and (nearest is None or len(first.failing) < len(nearest.failing)):
            return layer.layer, misses
    return None


def _meant_for_others(evidence: StatementEvidence) -> bool:
    return not was_meant_for(evidence) or _delegates(evidence)


def _delegates(evidence: StatementEvidence) -> bool:
    """Names only the account, so that the identity policy would have to allow all the same."""
    principal = next((item for item in evidence.elements if item.element == "principal"), None)
    return principal is not None and principal.expected is not None and principal.expected.endswith(":root")


def _unknown_layer(authorization: Authorization, objection: Objection, effect: EffectOfCause, stage: int) -> Finding:
    return Finding(
        layer=objection.layer,
        effect=effect,
        truth=Truth.UNKNOWN,
        stage=stage,
        authorization=authorization,
        unknowns=(objection.layer,),
        level=objection.level,
    )


def _first_unknown(evidence: StatementEvidence) -> ElementEvidence | None:
    return next((item for item in evidence.elements if item.truth is Truth.UNKNOWN), None)


def _unknown_facts(evidence: StatementEvidence) -> tuple[str, ...]:
    return tuple(_fact(item) for item in evidence.elements if item.truth is Truth.UNKNOWN)


def _fact(item: ElementEvidence) -> str:
    """What decides an element that is not known: of a NotPrincipal that lists the caller in full, the boundary."""
    return "permissions-boundary" if item.reason is Mismatch.PERMISSIONS_BOUNDARY else fact_of(item.element)


def _open_facts(misses: NearMisses) -> tuple[str, ...]:
    """Facts on which an Allow that may apply depends."""
    facts = (fact for miss in misses.doubtful() for fact in _unknown_facts(miss))
    return tuple(dict.fromkeys(facts))

"""Who signs: what a request may be allowed if it is signed, or if it is not."""

from __future__ import annotations

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.patches import Draft
from denyproxy.explain.prose.state_remedies import SIGN, SIGNER, UNSIGNED
from denyproxy.explain.remedies.part import Part
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.layers import LayerEvaluation
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth

_OF_PRINCIPALS = ("aws:principal", "aws:userid", "aws:username")
_OF_SERVICES = ("aws:principalisawsservice", "aws:principalservicename")
"""Of whoever signs, these say no more than of an unsigned request: it is no service of AWS."""


def signing(finding: Finding, case: Case) -> list[Part]:
    """For a Deny that spares some of those who sign: an unsigned request may be signed."""
    evidence = finding.evidence
    if evidence is None or case.caller.principal.type is not PrincipalType.ANONYMOUS:
        return []
    signed = _asks_who(evidence.statement) or evidence.statement.not_principal
    return [Part("caller", "the request", SIGN, open=SIGNER)] if signed else []


def signing_may_do(finding: Finding) -> bool:
    """For a missing Allow: may another policy, or this one, allow it to someone who signs? What an endpoint's policy
    lets nobody do, no identity policy adds to it."""
    if finding.layer != "vpc-endpoint-policy":
        return True
    return any(all(map(_is_of_the_caller, evidence.failing)) for evidence in finding.near_misses)


def _is_of_the_caller(tested: ElementEvidence) -> bool:
    return tested.part == "principal" or _tells_who(tested.key or "")


def unsigned(finding: Finding, case: Case) -> list[Part]:
    """Of another account, what is public for anonymous callers needs an identity policy for all others."""
    assert finding.authorization is not None
    layers = finding.authorization.evaluation.layers
    granted = layers["bucket-policy"].grant if "bucket-policy" in layers else None
    foreign = finding.authorization.policies.same_account is Truth.NO
    if finding.layer != "identity" or not foreign or granted is None or granted.direct is not Truth.YES:
        return []
    # A bucket that leaves it to its access points is only as public as their policies.
    public = all(_is_public(layers[name]) for name in ("bucket-policy", "access-point-policy") if name in layers)
    return [Part("caller", "the request", UNSIGNED, _without_credentials)] if public else []


def _is_public(layer: LayerEvaluation) -> bool:
    return any(truth is Truth.YES and _is_for_everyone(statement) for _, statement, truth in layer.statements)


def _is_for_everyone(statement: Statement) -> bool:
    element = statement.principal
    everyone = element is not None and element.everyone
    return statement.effect == "Allow" and not statement.not_principal and everyone and not _asks_who(statement)


def _asks_who(statement: Statement) -> bool:
    """Has it conditions on the caller, of which an unsigned request tells nothing?"""
    return any(_tells_who(condition.lower_key) for condition in statement.conditions)


def _tells_who(key: str) -> bool:
    return key.lower().startswith(_OF_PRINCIPALS) and not key.lower().startswith(_OF_SERVICES)


def _without_credentials(draft: Draft) -> None:
    draft.put("anonymous", "request", "principal")
    for member in ("principal_role", "principal_account"):
        if draft.get("request", member) is not None:
            draft.put(None, "request", member)

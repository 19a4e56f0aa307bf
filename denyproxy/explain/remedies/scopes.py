"""What exactly is to be let through, in the terms of the policy that has to say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.remedies.places import naming_of
from denyproxy.explain.remedies.statements import Condition, Scope, pattern, texts
from denyproxy.iam.parsing import SUBSTITUTING_VERSION
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.statement import Statement

_ARN = "aws:PrincipalArn"


def resource_of(finding: Finding) -> str:
    """The resource by the name under which the finding's layer sees it."""
    assert finding.authorization is not None
    requirement = finding.authorization.requirement
    if finding.layer == "bucket-policy" and requirement.bucket_resource is not None:
        return requirement.bucket_resource
    return requirement.resource


def container_of(finding: Finding) -> str | None:
    """The bucket or access point that all resources of a resource-based policy belong to."""
    assert finding.authorization is not None
    requirement = finding.authorization.requirement
    if finding.layer == "access-point-policy":
        return requirement.via_access_point
    if finding.layer != "bucket-policy":
        return None
    resource = resource_of(finding)
    return resource.split("/", 1)[0] if resource.startswith("arn:") else None


def scope_of(findings: Sequence[Finding], case: Case, *, own: bool = False) -> tuple[Scope, bool]:
    """The actions and resources of findings of one layer, and whether the policy can say them exactly.

    `own`: for a policy that the caller alone has."""
    finding = findings[0]
    assert finding.authorization is not None
    actions = tuple(dict.fromkeys(item.authorization.requirement.action for item in findings if item.authorization))
    resources = tuple(dict.fromkeys(map(resource_of, findings)))
    substitutes = finding.policy is None or finding.policy.version == SUBSTITUTING_VERSION
    patterns = [pattern(resource, substitutes=substitutes) for resource in resources]
    texts, literal = tuple(text for text, _ in patterns), resources
    if finding.layer == "kms-key-policy":
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html: "*" means this key.
        texts, literal = ("*",), ("*", *resources)
    exact = all(fits for _, fits in patterns) and len(actions) * len(resources) <= len(findings)
    naming = "none" if own else naming_of(finding)
    principal = case.caller.principal
    context = finding.authorization.evaluation.request.context
    found = context.lookup(_ARN)
    arn = found[0] if isinstance(found, tuple) and found else None
    only: Condition = {}
    if naming == "condition" or (naming == "element" and principal.type is PrincipalType.ROOT):
        only = {"ArnEquals": {_ARN: arn}} if arn is not None else {}
        exact = exact and arn is not None
    element = principal_element(principal) if naming == "element" else None
    if finding.layer == "vpc-endpoint-policy":
        element = "*"
    exact = exact and not (naming == "element" and principal.type is PrincipalType.ANONYMOUS)
    others = {} if naming == "none" else _everyone_but(principal, arn)
    return Scope(actions, texts, element, only, others, literal), exact


def says_only(statement: Statement, part: str, scope: Scope) -> bool:
    """Does a statement speak of nothing but the scope's action, resource or principal?"""
    if part == "action":
        taken = {action.lower() for action in scope.actions}
        return not statement.not_action and all(action.lower() in taken for action in statement.actions)
    if part == "resource":
        return not statement.not_resource and all(text in scope.resources for text in statement.resources or ("",))
    if statement.principal is None:
        return not scope.only
    names = texts(scope.principal.get("AWS")) if isinstance(scope.principal, dict) else []
    return not statement.not_principal and all(entry.text in names for entry in statement.principal.entries)


def principal_element(principal: Principal) -> Any:
    """The Principal element that names a caller: the role for its sessions, the user for a user."""
    match principal.type:
        case PrincipalType.ANONYMOUS:
            return "*"
        case PrincipalType.SERVICE:
            return {"Service": principal.arn}
        case PrincipalType.ROLE_SESSION:
            return {"AWS": principal.issuer or principal.arn}
        case _:
            return {"AWS": principal.arn}


def _everyone_but(principal: Principal, arn: str | None) -> Condition:
    """Conditions that hold for every caller but this one. aws:PrincipalArn of a session is its role."""
    match principal.type:
        case PrincipalType.ANONYMOUS:
            return {"Null": {_ARN: "false"}}
        case PrincipalType.SERVICE:
            return {"StringNotEquals": {"aws:PrincipalServiceName": principal.arn}}
        case _:
            return {} if arn is None else {"ArnNotEquals": {_ARN: arn}}

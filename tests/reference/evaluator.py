"""A second opinion: how AWS decides, for fully known facts. Slow, two-valued, and short enough to be checked by eye.

Written from AWS's documentation, not from `denyproxy.iam`, with which it shares data types only; of a policy it reads
nothing but the raw document. Where AWS leaves a result undefined (a multivalued key without a set operator) it raises.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest, Decision, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from tests.reference.operators import condition_holds, expand, glob, items


def named(element: Any, principal: Principal) -> set[str]:
    """How a Principal element names the caller, in the words of `Grant`; `*` names everyone in every way."""
    found: set[str] = set()
    for kind, values in (element if isinstance(element, Mapping) else {"AWS": element}).items():
        for value in items(values):
            if value == "*":
                found |= {"direct", "issuer", "account"}
            elif kind == "Service":
                found |= {"direct"} if principal.type is PrincipalType.SERVICE and value == principal.arn else set()
            elif kind == "AWS" and principal.account is not None and principal.arn is not None:
                root = f"arn:{principal.arn.split(':')[1]}:iam::{principal.account}:root"
                found |= {"account"} if value in (principal.account, root) else set()
                found |= {"direct"} if value == principal.arn else set()
                found |= {"issuer"} if value == principal.issuer else set()
    return found


def principal_ways(statement: Mapping[str, Any], principal: Principal) -> set[str]:
    """In which ways a statement is about the caller; none: it is not. NotPrincipal lists nobody by halves:
    a user counts as listed with its account, a session with its account and its role (or user)."""
    if "NotPrincipal" not in statement:
        return named(statement.get("Principal", "*"), principal)
    chain = {
        PrincipalType.USER: {"direct", "account"},
        PrincipalType.ROLE_SESSION: {"direct", "issuer", "account"},
        PrincipalType.FEDERATED: {"direct", "issuer", "account"},
        PrincipalType.ROOT: {"account"},
    }.get(principal.type, {"direct"})
    bounded = statement["Effect"] == "Deny" and principal.bounded is Truth.YES
    return {"direct"} if bounded or not chain <= named(statement["NotPrincipal"], principal) else set()


def statement_ways(policy: Policy, effect: str, request: AuthorizationRequest, resource: str) -> Iterator[set[str]]:
    """For each statement of a policy that applies to the request: in which ways it names the caller."""
    version = policy.document.get("Version", "2008-10-17")

    def any_action(patterns: Any) -> bool:
        return any(
            glob([(character, False) for character in pattern.lower()], request.action.lower())
            for pattern in items(patterns)
        )

    def any_resource(patterns: Any) -> bool:
        expanded = (expand(pattern, version, request.context) for pattern in items(patterns))
        return any(glob(pattern, resource) for pattern in expanded if pattern is not None)

    for statement in items(policy.document["Statement"]):
        if (
            statement["Effect"] == effect
            and (any_action(statement["Action"]) if "Action" in statement else not any_action(statement["NotAction"]))
            and (
                not any_resource(statement["NotResource"])
                if "NotResource" in statement
                else any_resource(statement["Resource"])
            )
            and all(
                condition_holds(operator, key, written, version, request.context)
                for operator, keys in statement.get("Condition", {}).items()
                for key, written in keys.items()
            )
        ):
            yield principal_ways(statement, request.principal)


def ways(layer: PolicyList, effect: str, request: AuthorizationRequest, resource: str | None = None) -> set[str]:
    """In which ways the statements of a layer that apply name the caller, all together."""
    found: set[str] = set()
    for policy in layer.policies:
        found = found.union(*statement_ways(policy, effect, request, resource or request.resource))
    return found


def granted(layer: ResourceLayer, request: AuthorizationRequest) -> set[str]:
    """What a resource-based layer grants."""
    other: Grant = layer.other_grant
    found = {way for way in ("direct", "issuer", "account") if getattr(other, way) is Truth.YES}
    return found if layer.deny_only else found | ways(layer.policies, "Allow", request, layer.resource)


def decide(request: AuthorizationRequest, policies: PolicySet) -> Decision:
    """The decision. All of the facts must be known."""
    principal = request.principal
    # Service-linked roles are subject to none of the three.
    exempt = ":role/aws-service-role/" in (principal.issuer or "")
    scp = () if exempt else policies.scp or ()
    rcp = () if exempt else policies.rcp or ()
    boundary = None if exempt else policies.boundary
    layers = [policies.identity, boundary, policies.session, policies.vpc_endpoint, *scp, *rcp]

    if any(ways(layer, "Deny", request) for layer in layers if layer is not None) or any(
        ways(layer.policies, "Deny", request, layer.resource) for layer in policies.resource
    ):
        return Decision.EXPLICIT_DENY

    def allows(layer: PolicyList | None) -> bool:
        return layer is None or bool(ways(layer, "Allow", request))

    # A session of GetFederationToken without a policy has no permissions of its own.
    powerless = principal.type is PrincipalType.FEDERATED and policies.session is None
    unlimited = allows(boundary) and allows(policies.session) and not powerless
    identity = principal.type is PrincipalType.ROOT or allows(policies.identity)
    grants = [granted(layer, request) for layer in policies.resource]
    direct = bool(grants) and all("direct" in grant for grant in grants)
    issuer = bool(grants) and all(grant & {"direct", "issuer"} for grant in grants)
    delegated = bool(grants) and all(grants)

    if principal.type in (PrincipalType.ANONYMOUS, PrincipalType.SERVICE):
        allowed = delegated
    elif policies.same_account is Truth.NO:
        allowed = delegated and identity and unlimited
    elif policies.resource_must_delegate:
        allowed = direct or ((issuer or (delegated and identity)) and unlimited)
    else:
        allowed = direct or ((issuer or identity) and unlimited)
    allowed = allowed and all(map(allows, scp)) and allows(policies.vpc_endpoint)
    return Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY


def possible(completions: Iterable[tuple[AuthorizationRequest, PolicySet]]) -> frozenset[Decision]:
    """The decisions over several ways in which unknown facts may turn out to be."""
    return frozenset(decide(request, policies) for request, policies in completions)

"""All statements of all layers as a tree, with marks: which apply, which do not and why, and which may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from denyproxy.explain.evidence import Evidence
from denyproxy.explain.near_misses import first_failing
from denyproxy.explain.prose.near_misses import near_miss_phrase
from denyproxy.iam.document import PolicyList
from denyproxy.iam.evidence import StatementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.layers import AuthorizationRequest, PolicySet
from denyproxy.iam.truth import Truth
from denyproxy.s3.actions import mistaken_for
from denyproxy.s3.authorization import Authorization
from denyproxy.s3.gates import Refusal

MARKS = {Truth.YES: "[x]", Truth.NO: "[ ]", Truth.UNKNOWN: "[?]"}
LEGEND = "[x] applies  [ ] does not apply, and the first element that fails  [?] not known, and what is missing"


@dataclass(slots=True)
class _Node:
    text: str
    children: list[_Node] = field(default_factory=list)


def trace(evidence: Evidence) -> str:
    """The tree as text."""
    authorizations = list(evidence.authorizations)
    if evidence.missing_key_authorization is not None:
        authorizations.append(evidence.missing_key_authorization)
    roots = [_authorization(item) for item in authorizations]
    if evidence.refusals:
        roots.append(_Node("S3's own checks", [_Node(_refusal(item)) for item in evidence.refusals]))
    return "\n".join((LEGEND, *(line for root in roots for line in (root.text, *_drawn(root.children)))))


def _drawn(nodes: list[_Node], indent: str = "") -> Iterator[str]:
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        yield f"{indent}{'`-- ' if last else '|-- '}{node.text}"
        yield from _drawn(node.children, indent + ("    " if last else "|   "))


def _authorization(authorization: Authorization) -> _Node:
    requirement = authorization.requirement
    decision = authorization.decision
    possible = decision.value if decision is not None else " or ".join(sorted(authorization.possible))
    node = _Node(f"{requirement.action} on {requirement.resource}: {possible}")
    request = authorization.evaluation.request
    for name, policies, resource in _layers(authorization.policies):
        node.children.append(_layer(name, policies, resource, request))
    node.children.extend(_Node(_refusal(item)) for item in authorization.refusals)
    return node


def _layers(policies: PolicySet) -> Iterator[tuple[str, PolicyList | None, str | None]]:
    """In AWS's order: (layer, its policies or None if it does not apply, the resource by its own name)."""
    for name, levels in (("scp", policies.scp), ("rcp", policies.rcp)):
        for number, level in enumerate(levels or ()):
            yield f"{name}, level {number}", level, None
        if levels is None:
            yield name, None, None
    yield "vpc-endpoint-policy", policies.vpc_endpoint, None
    for layer in policies.resource:
        yield layer.layer, layer.policies, layer.resource
    yield "identity", policies.identity, None
    yield "permissions-boundary", policies.boundary, None
    yield "session-policy", policies.session, None


def _layer(name: str, policies: PolicyList | None, resource: str | None, request: AuthorizationRequest) -> _Node:
    if policies is None:
        return _Node(f"{name}: does not apply")
    node = _Node(name if policies.policies or not policies.complete else f"{name}: no policy")
    for policy in policies.policies:
        statements = (
            examine(policy, statement, request, resource, api_names=mistaken_for(request.action))
            for statement in policy.statements
        )
        name = policy.arn if policy.arn is not None and policy.group is None else policy.name
        node.children.append(_Node(name, list(map(_statement, statements))))
    if not policies.complete:
        node.children.append(_Node(f"{MARKS[Truth.UNKNOWN]} policies that are not loaded"))
    return node


def _statement(evidence: StatementEvidence) -> _Node:
    statement = evidence.statement
    text = f"{MARKS[evidence.truth]} {statement.effect} {statement.label}"
    if evidence.truth is Truth.YES:
        return _Node(text)
    element = first_failing(evidence)
    if element is None:
        return _Node(text)
    if evidence.truth is Truth.UNKNOWN:
        return _Node(f"{text}: depends on {element.element}")
    return _Node(f"{text}: {element.element}: {near_miss_phrase(evidence, element)}")


def _refusal(refusal: Refusal) -> str:
    details = _details((("expected", refusal.expected), ("actual", refusal.actual)))
    missing = f": depends on {', '.join(refusal.facts)}" if refusal.facts else ""
    return f"{MARKS[refusal.truth]} {refusal.layer}: {refusal.element}{details}{missing}"


def _details(pairs: Iterable[tuple[str, str | None]]) -> str:
    known = [f"{name} {value}" for name, value in pairs if value is not None]
    return f" ({'; '.join(known)})" if known else ""

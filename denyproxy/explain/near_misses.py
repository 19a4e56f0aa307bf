"""The Allow that was meant to grant, or nearly did, and what kept it from it."""

from __future__ import annotations

from collections.abc import Iterator

from denyproxy.iam.document import PolicyList
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.layers import AuthorizationRequest
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.s3.actions import mistaken_for

_PREFERENCE = ("condition", "resource", "action", "principal")
"""On a tie, a statement that fails in its condition was meant more than one that fails in its action."""

_SAME_NAME = frozenset(
    {
        Mismatch.CASE_DIFFERS,
        Mismatch.OTHER_ACCOUNT,
        Mismatch.OTHER_PARTITION,
        Mismatch.DELETED_PRINCIPAL,
        Mismatch.SESSION_NAME_DIFFERS,
        Mismatch.ROLE_NOT_SESSION,
        Mismatch.WILDCARD_IN_PRINCIPAL,
    }
)
"""Reasons for which a principal that does not match was still meant."""


def ranked(request: AuthorizationRequest, policies: PolicyList, resource: str | None = None) -> list[StatementEvidence]:
    """The Allow statements of a layer that do not apply, the one that was most likely meant to grant first."""
    misses = [
        (_rank(evidence, request.action), order, evidence)
        for order, evidence in enumerate(_examined(request, policies, resource))
        if evidence.truth is not Truth.YES
    ]
    return [evidence for _, _, evidence in sorted(misses, key=lambda miss: miss[:2])]


def _examined(request: AuthorizationRequest, policies: PolicyList, resource: str | None) -> Iterator[StatementEvidence]:
    for policy in policies.policies:
        for statement in policy.statements:
            if statement.effect == "Allow":
                yield statement.examine(request, resource, api_names=mistaken_for(request.action))


def _rank(evidence: StatementEvidence, action: str) -> tuple[int, int, int]:
    parts = {element.part for element in evidence.failing}
    preference = min((_PREFERENCE.index(part) for part in parts), default=0)
    return len(parts), preference, int(not _same_service(evidence, action))


def kind_of(element: str) -> str:
    """`condition` of `condition:s3:prefix`."""
    return element.partition(":")[0]


def _same_service(evidence: StatementEvidence, action: str) -> bool:
    """Does the statement speak of the action's service at all?"""
    service = action.partition(":")[0].lower()
    services = {pattern.partition(":")[0].lower() for pattern in evidence.statement.actions}
    return evidence.statement.not_action or bool(services & {service, "*"})


def first_failing(evidence: StatementEvidence) -> ElementEvidence | None:
    """The first failing of action, resource, principal and condition; of none failing, the first unknown one."""
    failing = evidence.failing or tuple(item for item in evidence.elements if item.truth is Truth.UNKNOWN)
    return failing[0] if failing else None


def was_meant_for(evidence: StatementEvidence) -> bool:
    """Was a statement of a resource-based policy meant for this caller, judged by its Principal?"""
    principals = [item for item in evidence.failing if item.part == "principal"]
    return all(item.reason in _SAME_NAME for item in principals)


_CALLER_SAYS = ("aws:principalarn", "aws:userid", "aws:username", "aws:principaltag", "aws:principaltype")
_EXEMPTIONS = ("aws:principalisawsservice", "aws:viaawsservice", "aws:calledvia", "aws:principalservicename")


def telling_element(evidence: StatementEvidence) -> ElementEvidence | None:
    """The element of a Deny that applies which says most about why it does.

    A condition before NotPrincipal, a named principal, a named action, a named resource; among conditions one on the
    request or the network before one on who calls, and that before exemptions for AWS services."""
    conditions = [item for item in evidence.elements if item.part == "condition"]
    if conditions:
        return min(conditions, key=lambda item: _condition_rank(item.key or ""))
    elements = {item.element: item for item in evidence.elements}
    if "notprincipal" in elements:
        return elements["notprincipal"]
    named = [elements[name] for name in ("principal", "action", "resource") if _names_something(elements.get(name))]
    return named[0] if named else elements.get("action")


def _condition_rank(key: str) -> int:
    key = key.lower()
    if key.startswith(_EXEMPTIONS):
        return 2
    return int(key.startswith(_CALLER_SAYS))


def _names_something(item: ElementEvidence | None) -> bool:
    """Is the element narrower than everything?"""
    return item is not None and item.expected not in (None, "*", "s3:*", "arn:aws:s3:::*")

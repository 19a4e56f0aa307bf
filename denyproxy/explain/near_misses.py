"""The Allow that was meant to grant, or nearly did, and what kept it from it."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator

from denyproxy.explain.addresses import is_everything
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.layers import AuthorizationRequest
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.principal import named_aws
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth
from denyproxy.s3.actions import mistaken_for
from denyproxy.s3.arn import container

NO, YES = Truth.NO, Truth.YES

_PREFERENCE = {"condition": 0, "resource": 1, "action": 2, "principal": 3}
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


_JUST_ANOTHER = frozenset(
    {Mismatch.ACTION_NOT_LISTED, Mismatch.ACTION_EXCLUDED, Mismatch.RESOURCE_NOT_LISTED, Mismatch.RESOURCE_EXCLUDED}
)
"""Reasons that are no slip, so that the statement may have been meant for something else."""
_FAR = 2

Rank = tuple[int, int, int, int, int, int, int]
"""How many elements fail, how far off they are, which, whether for want of being an AWS service, in how many
conditions, whether the statement is about another service altogether, and whether it names nobody who is called as the
caller: lower is nearer."""


class NearMisses:
    """The Allow statements of a layer that do not apply, the one that was most likely meant to grant first.

    None is examined before it is asked for."""

    def __init__(
        self,
        request: AuthorizationRequest,
        policies: PolicyList,
        resource: str | None = None,
        *,
        but_for: Callable[[StatementEvidence], bool] | None = None,
    ) -> None:
        """`but_for`: those that do not count."""
        self._rows = _by_nearness(request, policies, resource)
        self._found: list[StatementEvidence] = []
        self._more = self._examined(request, resource, but_for)

    @property
    def fail_at_least(self) -> int:
        """On how many elements the first fails, or more."""
        return self._rows[0][0][0] if self._rows else 0

    def take(self, count: int | None = None) -> tuple[StatementEvidence, ...]:
        """The first so many; None: all of them."""
        while count is None or len(self._found) < count:
            miss = next(self._more, None)
            if miss is None:
                break
            self._found.append(miss)
        return tuple(self._found[:count])

    def first(self) -> StatementEvidence | None:
        """The nearest."""
        found = self._found or self.take(1)
        return found[0] if found else None

    def doubtful(self) -> Iterator[StatementEvidence]:
        """Those that may apply after all: nothing fails in them for certain, so that they come first."""
        count = 1
        while len(found := self.take(count)) == count and found[-1].truth is Truth.UNKNOWN:
            yield found[-1]
            count += 1

    def _examined(
        self,
        request: AuthorizationRequest,
        resource: str | None,
        but_for: Callable[[StatementEvidence], bool] | None,
    ) -> Iterator[StatementEvidence]:
        api_names = mistaken_for(request.action)
        waiting: list[tuple[Rank, int, StatementEvidence]] = []
        for at_least, order, policy, statement in self._rows:
            while waiting and waiting[0][:2] < (at_least, order):
                yield waiting.pop(0)[2]
            evidence = examine(policy, statement, request, resource, api_names=api_names)
            if but_for is None or not but_for(evidence):
                bisect.insort(waiting, (_rank(evidence, request.action), order, evidence))
        yield from [evidence for _, _, evidence in waiting]


def _by_nearness(
    request: AuthorizationRequest, policies: PolicyList, resource: str | None
) -> list[tuple[Rank, int, Policy, Statement]]:
    """The Allow statements that do not apply, by what can be said without examining them: the best rank that each can
    have."""
    action, place = request.action.lower(), request.resource if resource is None else resource
    context, principal = request.context, request.principal
    rows: list[tuple[Rank, int, Policy, Statement]] = []
    for policy in policies.policies:
        for statement, covers, of_service in policy.allows(action):
            truth = statement.applies(place, context)
            naming = YES if statement.principal is None else statement.names(principal).truth
            if covers and truth is YES and naming is YES:
                continue
            # What does not apply fails in the resource, or a condition, or both.
            failing, preference = _AT_LEAST[covers, truth is not NO, naming is not NO]
            apart, other_service = (0, 0) if of_service else (_FAR, 1)
            rows.append(((failing, apart, preference, 0, failing, other_service, 0), len(rows), policy, statement))
    # No two are of the same order, so that statements are never compared.
    rows.sort()
    return rows


def _rank(evidence: StatementEvidence, action: str) -> Rank:
    failing = evidence.failing
    parts = {element.part for element in failing}
    for_services = 0
    for item in failing:
        if item.key is not None and item.key.lower().startswith(_EXEMPTIONS):
            for_services = 1
    other_service = 0 if evidence.statement.is_of_service(action) else 1
    apart = sum([_apart(item, evidence.statement) for item in failing])
    if other_service:
        apart = max(apart, _FAR)
    return len(parts), apart, _preference(parts), for_services, len(failing), other_service, _nameless(failing)


def _apart(item: ElementEvidence, statement: Statement) -> int:
    """How far off is an element? A slip, or a condition that does not hold, is less so than another folder of the
    bucket, and that less than another action, bucket or caller."""
    if item.part == "principal":
        return _FAR
    if item.reason is Mismatch.RESOURCE_NOT_LISTED:
        bucket = container(item.actual or "") + "/"
        return 1 if any(pattern.text.startswith(bucket) for pattern in statement.wording.resources) else _FAR
    return _FAR if item.reason in _JUST_ANOTHER else 0


def _nameless(failing: Iterable[ElementEvidence]) -> int:
    """Of principals that do not match, one called as the caller is nearer; an account that is another has no name, and
    the policy of every key begins with its own."""
    principals = [item for item in failing if item.part == "principal"]
    return int(any(item.reason not in _SAME_NAME or named_aws(item.expected).kind == "account" for item in principals))


def _preference(parts: Iterable[str]) -> int:
    return min([_PREFERENCE[part] for part in parts], default=0)


_AT_LEAST = {
    (covered, applies, named): (
        (not covered) + (not applies) + (not named),
        _preference(
            part for part, holds in (("action", covered), ("condition", applies), ("principal", named)) if not holds
        ),
    )
    for covered in (False, True)
    for applies in (False, True)
    for named in (False, True)
}
"""Does the action match, do resource and conditions, does the principal? -> how many fail at least, and which."""


def kind_of(element: str) -> str:
    """`condition` of `condition:s3:prefix`."""
    return element.partition(":")[0]


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

    A condition before NotPrincipal, NotAction or NotResource, and those before a named principal, action, resource;
    among conditions one on the request or the network before one on who calls, that before one that holds for every
    value, and that before exemptions for AWS services."""
    conditions = [item for item in evidence.elements if item.part == "condition"]
    if conditions:
        return min(conditions, key=_condition_rank)
    elements = {item.element: item for item in evidence.elements}
    if "notprincipal" in elements:
        return elements["notprincipal"]
    found = [elements[name] for name in ("principal", "action", "resource") if name in elements]
    named = [item for item in found if _names_something(item)]
    return min(named, key=lambda item: not item.negated, default=elements.get("action"))


def _condition_rank(item: ElementEvidence) -> int:
    key = item.element.partition(":")[2].lower()
    if key.startswith(_EXEMPTIONS):
        return 3
    if not item.negated and any(_is_any(value, item.operator or "") for value in item.values):
        return 2
    return int(key.startswith(_CALLER_SAYS))


def _is_any(value: str, operator: str) -> bool:
    """Does a value of a condition match whatever the request has?"""
    if value.strip("*") == "":
        return value != "" and "Like" in operator
    return "IpAddress" in operator and is_everything(value)


def _names_something(item: ElementEvidence) -> bool:
    """Is the element narrower than everything?"""
    return item.expected not in ("*", "s3:*", "arn:aws:s3:::*")

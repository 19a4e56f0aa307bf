"""Does an Allow rest on a rule in doubt? On some, AWS's own pages disagree, or say nothing; see `Doubt`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import Evaluation, decide
from denyproxy.iam.examination import examine
from denyproxy.iam.layers import AuthorizationRequest, Decision
from denyproxy.iam.mismatch import Doubt
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth


def doubts_of_allowed(evaluation: Evaluation) -> tuple[Doubt, ...]:
    """The rules in doubt but for which a request that is allowed would not be. Empty also for one that is not."""
    if evaluation.decision is not Decision.ALLOWED:
        return ()
    sure = _Sure(evaluation.request)
    given = evaluation.policies
    policies = replace(
        given,
        identity=sure.of(given.identity),
        boundary=sure.of_optional(given.boundary),
        session=sure.of_optional(given.session),
        scp=sure.of_scps(given.scp),
        vpc_endpoint=sure.of_optional(given.vpc_endpoint),
        resource=tuple(replace(one, policies=sure.of(one.policies, one.resource)) for one in given.resource),
    )
    if not sure.doubts or decide(evaluation.request, policies) == {Decision.ALLOWED}:
        return ()
    return tuple(sure.doubts)


class _Sure:
    """Policies without the Allows that rest on a rule in doubt."""

    def __init__(self, request: AuthorizationRequest) -> None:
        self._request = request
        self.doubts: dict[Doubt, None] = {}
        """On what those rest that were left out."""

    def of(self, listing: PolicyList, resource: str | None = None, *, scp: bool = False) -> PolicyList:
        policies = []
        for policy in listing.policies:
            kept = tuple([each for each in policy.statements if self._counts(policy, each, resource, scp=scp)])
            policies.append(policy if len(kept) == len(policy.statements) else replace(policy, statements=kept))
        return replace(listing, policies=tuple(policies))

    def of_optional(self, listing: PolicyList | None) -> PolicyList | None:
        return None if listing is None else self.of(listing)

    def of_scps(self, levels: Sequence[PolicyList] | None) -> tuple[PolicyList, ...] | None:
        return None if levels is None else tuple([self.of(level, scp=True) for level in levels])

    def _counts(self, policy: Policy, statement: Statement, resource: str | None, *, scp: bool) -> bool:
        if statement.effect == "Deny":
            return True
        evidence = examine(policy, statement, self._request, resource)
        if evidence.truth is Truth.NO:
            return True
        doubts = [flag for element in evidence.elements for flag in element.flags]
        if scp and _is_narrow(statement):
            doubts.append(Doubt.NARROW_SCP_ALLOW)
        self.doubts |= dict.fromkeys(doubts)
        return not doubts


def _is_narrow(statement: Statement) -> bool:
    """Has an SCP's Allow what older text says it cannot have?"""
    return bool(statement.conditions) or statement.resources != ("*",) or statement.not_action

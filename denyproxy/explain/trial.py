"""Would the call be allowed, were a patch applied and the caller's surroundings changed?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from denyproxy.explain.case import Case
from denyproxy.explain.evidence import Needs
from denyproxy.explain.findings import findings
from denyproxy.explain.patches import Draft, Operation
from denyproxy.explain.prose.causes import possibility
from denyproxy.explain.prose.remedies import not_known
from denyproxy.explain.scenario import Scenario, ScenarioError
from denyproxy.explain.verdict import is_unloaded
from denyproxy.iam.context import RequestContext
from denyproxy.iam.truth import Truth
from denyproxy.s3.authorization import Authorization, authorize
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.gates import Refusal, refusals
from denyproxy.s3.operation import identify_call
from denyproxy.s3.snapshot import PolicySnapshot

_NAMED = 3
"""Most reasons that are told."""

Surroundings = Mapping[str, str | None]
"""Condition key (lower case) -> the value that it then has; None: absent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a trial."""

    allowed: bool
    """Every authorization request is allowed, and S3 would not answer 403 for a reason of its own."""
    blocking: tuple[str, ...] = ()
    """What still denies, or may, in sentences."""


class Trial:
    """A draft tried on a case: the call evaluated again, as a question to the scenario that the draft has become."""

    def __init__(self, case: Case, draft: Draft) -> None:
        self._case = case
        self._keeps_the_request = _keeps_the_request(draft.patch)
        self._error: str | None = None
        try:
            self._scenario = Scenario.validate_document({**draft.document, "response": None})
            self._snapshot = self._scenario.snapshot(case.evidence.policies())
        except ScenarioError as error:
            self._error = str(error)

    def outcome(self, assumed: Surroundings) -> Outcome:
        """What comes of it where the caller's surroundings are these."""
        if self._error is not None:
            return Outcome(False, (self._error,))
        if self._keeps_the_request:
            return _outcome(*_to_the_same(self._case, self._snapshot, assumed))
        return _outcome(*_to_another(self._case, self._scenario, self._snapshot, assumed))


def _keeps_the_request(patch: Iterable[Operation]) -> bool:
    return all(operation["path"].startswith("/policies/") for operation in patch)


def _assuming(context: RequestContext, assumed: Surroundings) -> RequestContext:
    return context.with_values(assumed) if assumed else context


def _gates(case: Case, snapshot: PolicySnapshot) -> tuple[Refusal, ...]:
    return () if case.call.declared.action is not None else refusals(case.request, case.caller, snapshot)


_Remaining = tuple[int, tuple[Authorization, ...], tuple[Refusal, ...]]
"""How many permissions are asked for, those that are not allowed for certain, and S3's own refusals."""


def _to_the_same(case: Case, snapshot: PolicySnapshot, assumed: Surroundings) -> _Remaining:
    """With other policies alone, what has to be allowed and in which context stays as it was."""
    evidence, declared = case.evidence, case.call.declared
    asked = [*evidence.authorizations]
    if evidence.missing_for_sure and evidence.missing_key_authorization is not None:
        asked.append(evidence.missing_key_authorization)
    remaining = []
    for authorization in asked:
        before = authorization.evaluation
        context = _assuming(before.request.context, assumed)
        again = (authorization.requirement, context, case.caller, snapshot, declared, None if assumed else before)
        authorization = authorize(*again)
        if authorization.allowed is not Truth.YES:
            remaining.append(authorization)
    return len(asked), tuple(remaining), _gates(case, snapshot)


def _to_another(case: Case, scenario: Scenario, snapshot: PolicySnapshot, assumed: Surroundings) -> _Remaining:
    call = replace(scenario.denied_call(case.call.received), received=case.call.received)
    if assumed:
        declared = call.declared
        stated = {key: None if value is None else (value,) for key, value in assumed.items()}
        others = {key: values for key, values in declared.context.items() if key.lower() not in assumed}
        unknown = declared.unknown - assumed.keys()
        call = replace(call, declared=replace(declared, context={**others, **stated}, unknown=unknown))
    request = identify_call(call, snapshot, table=case.operations)
    keys = frozenset(_keys_asked_for(snapshot))
    answers = Needs(call, request, identify_caller(call, snapshot), snapshot, keys).answers(case.keys)
    # Where the key is missing, or taken to be, listing decides between 404 and 403.
    missing = answers.missing_for_sure or case.evidence.missing_for_sure
    listing = (answers.missing_key,) if answers.missing_key is not None and missing else ()
    asked = (*answers.authorizations, *listing)
    return len(asked), tuple(item for item in asked if item.allowed is not Truth.YES), answers.refusals


def _keys_asked_for(snapshot: PolicySnapshot) -> Iterator[str]:
    """The condition keys (lower case) of all policies of a scenario."""
    principal, account = snapshot.default_principal, snapshot.default_account
    alone = (principal.identity, principal.boundary, principal.session, snapshot.vpc_endpoint)
    buckets = [facts.policy for facts in snapshot.buckets.values()]
    points = [facts.policy for facts in snapshot.access_points.values()]
    levels = (*(account.scp or ()), *(account.rcp or ()))
    for listed in (*alone, *levels, *buckets, *points, snapshot.default_kms_key.policy):
        for policy in listed.policies if listed is not None else ():
            yield from policy.keys


def _outcome(asked: int, remaining: tuple[Authorization, ...], gates: tuple[Refusal, ...]) -> Outcome:
    refused = tuple(gate for gate in gates if gate.truth is Truth.YES)
    denied = tuple(item for item in remaining if item.allowed is Truth.NO)
    if denied or refused:
        found = findings(denied, refused)
        # What is needed only perhaps still stands in the way, should it be needed.
        perhaps = [item for item in found if not is_unloaded(item)] or found
        told = [item for item in found if item.truth is Truth.YES] or perhaps
        return Outcome(False, tuple(dict.fromkeys(map(possibility, told)))[:_NAMED])
    if remaining:
        return Outcome(False, (not_known(list(_open_layers(remaining))),))
    return Outcome(asked > 0)


def _open_layers(undecided: Iterable[Authorization]) -> Iterator[str]:
    for authorization in undecided:
        yield from (objection.layer for objection in authorization.evaluation.objections)
        yield from (refusal.layer for refusal in authorization.refusals)

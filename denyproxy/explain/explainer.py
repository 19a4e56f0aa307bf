"""The straight line from a denied call to its explanation, on one screen."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from denyproxy.exchange import DeniedCall, OwnRefusal
from denyproxy.explain.assembly import DeniedKeys, call_facts, explanation_of
from denyproxy.explain.case import Case
from denyproxy.explain.evidence import MAX_KEYS, Evidence, Needs
from denyproxy.explain.export import scenario_of
from denyproxy.explain.finding import Finding
from denyproxy.explain.fixes import propose
from denyproxy.explain.model import Verdict
from denyproxy.explain.record import DenialRecord, Told
from denyproxy.explain.verdict import Judgement, Said, judge
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.error import S3Error, errors_in_success, kind_of_403, parse_denial_message, parse_error
from denyproxy.s3.gates import same_account
from denyproxy.s3.operation import OperationTable, identify_call
from denyproxy.s3.request import Caller, S3Request
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.sigv4.credential import parse_credential

MOST_KEYS = 20
"""Of the keys denied in one DeleteObjects, how many a fix deals with."""

_DENIED_IN_SUCCESS = frozenset({"AccessDenied", "InvalidObjectState", "ObjectNotInActiveTierError"})


@dataclass(frozen=True, slots=True)
class Explained(Told):
    """An explanation with all that it rests on."""

    case: Case
    """What the explanation rests on."""
    complete: bool = True
    """Were all keys looked at that were denied in one request?"""

    @property
    def record_with_scenario(self) -> DenialRecord:
        """The line for the log, with all that is needed to explain the call again."""
        return DenialRecord.of(self.explanation, self.call, scenario_of(self.case))


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains calls. Holds only what never changes: the table of operations and the settings."""

    operations: OperationTable
    base_domains: Sequence[str] = ()

    def __call__(
        self,
        call: DeniedCall,
        snapshot: PolicySnapshot,
        scenario: Mapping[str, Any] | None = None,
        *,
        most_keys: int = MAX_KEYS,
    ) -> Explained | None:
        """Why the call was denied, or would be. Pure. None: nothing in it was denied.

        `scenario`: the document that the call was read from, to which the fixes' patches then refer; None: to that
        which `scenario_of` makes of the call. `most_keys`: of those denied in one request, how many are looked at."""
        steps = self.steps(call, snapshot, scenario, most_keys=most_keys)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                explained: Explained | None = end.value
                return explained

    def steps(
        self,
        call: DeniedCall,
        snapshot: PolicySnapshot,
        scenario: Mapping[str, Any] | None = None,
        *,
        most_keys: int = MAX_KEYS,
    ) -> Generator[None, None, Explained | None]:
        """The same in pieces, for who has other things to do in between: one for each key that was denied."""
        if call.upstream_kind != "aws":
            snapshot = snapshot.outside_aws()
        credential = parse_credential(call.upstream_request)
        request = identify_call(
            call, snapshot, table=self.operations, base_domains=self.base_domains, credential=credential
        )
        errors = _errors(call, request)
        if not errors:
            return None
        whole = errors[0] if errors[0] is not None and errors[0].key is None else None
        caller = identify_caller(call, snapshot, whole, credential)
        denial = parse_denial_message(whole.message) if whole is not None else None
        needs = Needs(call, request, caller, snapshot, denial=denial)
        answers: list[_Answer] = []
        denied_keys = DeniedKeys()
        for error in errors[:most_keys]:
            evidence, judgement = _judged(call, request, caller, error, needs)
            denied_keys.add(error, judgement)
            if len(answers) < MOST_KEYS:
                answers.append((error, evidence, judgement))
            yield
        error, evidence, judgement = answers[0]
        case, all_told = _together(Case(call, request, caller, snapshot, evidence, self.operations), answers)
        fixes = propose(all_told, case, scenario, left_out=max(0, len(errors) - MOST_KEYS))
        explanation = explanation_of(call, request, caller, error, evidence, judgement, snapshot, fixes)
        explanation = denied_keys.told_by(explanation)
        own = same_account(caller, _owner(request, call, snapshot)) is Truth.YES
        authenticated = own and judgement.verdict is not Verdict.NOT_POLICY
        facts = call_facts(call, request, caller, evidence)
        return Explained(explanation, facts, authenticated, case, complete=len(errors) <= most_keys)


_Answer = tuple[S3Error | None, Evidence, Judgement]


def _together(case: Case, answers: Sequence[_Answer]) -> tuple[Case, Judgement]:
    """Several denied keys of one request as one case, as far as a fix should deal with them."""
    error, evidence, judgement = answers[0]
    if len(answers) == 1:
        return replace(case, keys=None if error is None or error.key is None else frozenset({error.key})), judgement
    keys = frozenset(error.key for error, _, _ in answers if error is not None and error.key is not None)
    authorizations = {
        (item.requirement.action, item.requirement.resource): item
        for _, found, _ in answers
        for item in found.authorizations
    }
    others = tuple(
        finding
        for _, _, other in answers[1:]
        for finding in ((other.cause,) if other.cause is not None else ()) + other.also_blocking
    )
    merged = replace(evidence, authorizations=tuple(authorizations.values()))
    return (
        replace(case, evidence=merged, keys=keys),
        replace(judgement, also_blocking=judgement.also_blocking + others),
    )


def may_be_denied(call: DeniedCall) -> bool:
    """Does the answer deny anything, at first glance?"""
    if call.response is None or call.response.status != 200:
        return True
    body = call.response_body or b""
    return any(code.encode() in body for code in _DENIED_IN_SUCCESS)


def _errors(call: DeniedCall, request: S3Request) -> tuple[S3Error | None, ...]:
    """What was denied: the call, or the keys that a successful answer names; one None for a question."""
    if call.response is None:
        return (None,)
    if call.response.status != 200:
        return (parse_error(call.response, call.response_body, call.request.method),)
    errors = errors_in_success(request.operation, call.response_body)
    return tuple(error for error in errors if error.code in _DENIED_IN_SUCCESS)[:MAX_KEYS]


def _judged(
    call: DeniedCall, request: S3Request, caller: Caller, error: S3Error | None, needs: Needs
) -> tuple[Evidence, Judgement]:
    evidence = needs.evidence(error.key if error is not None else None)
    judgement = judge(
        evidence.findings,
        _said(error, request, caller, call),
        caller_known=caller.principal.type is not PrincipalType.UNKNOWN,
        missing_key=evidence.missing_key,
        missing_for_sure=evidence.missing_for_sure,
        authorizations=evidence.authorizations,
        unseen=evidence.unseen,
    )
    return evidence, judgement


def _said(error: S3Error | None, request: S3Request, caller: Caller, call: DeniedCall) -> Said:
    if error is None:
        return Said()
    if call.refusal is not None:
        return Said(answered=True, not_policy=_own_refusal(error, request, caller, call.refusal), code=error.code)
    # An HTTP library that speaks to a proxy may collapse the dots of a path that its SDK has signed.
    kind = kind_of_403(error, request, caller, call.upstream_request, as_signed=call.mode != "forward")
    named = None
    if kind.layer is not None:
        named = Finding(
            layer=kind.layer,
            effect="not-policy",
            truth=Truth.YES,
            stage=0,
            element=kind.element,
            expected=kind.expected,
            actual=kind.actual,
        )
    return Said(
        answered=True,
        not_policy=named,
        denial=parse_denial_message(error.message) if error.message else None,
        code=error.code,
    )


def _own_refusal(error: S3Error, request: S3Request, caller: Caller, refusal: OwnRefusal) -> Finding:
    """What denyproxy found wrong before S3 saw the request: always of the signature's family."""
    kind = kind_of_403(error, request, caller)
    layer = kind.layer or "signature-mismatch"
    element = refusal.element if layer == "signature-mismatch" else kind.element
    return Finding(
        layer=layer,
        effect="not-policy",
        truth=Truth.YES,
        stage=0,
        element=element,
        expected=kind.expected,
        actual=kind.actual,
        by_proxy=True,
    )


def _owner(request: S3Request, call: DeniedCall, snapshot: PolicySnapshot) -> str | Unknown:
    if call.declared.resource_account is not None:
        return call.declared.resource_account
    return snapshot.bucket(request.bucket).account if request.bucket is not None else UNKNOWN

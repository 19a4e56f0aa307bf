"""The straight line from a denied call to its explanation, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from denyproxy.exchange import Declared, DeniedCall
from denyproxy.explain.findings import Finding, as_near_miss, findings
from denyproxy.explain.model import (
    AuthorizationResult,
    Candidate,
    Cause,
    Explanation,
    NearMiss,
    PoliciesUsed,
    PrincipalSeen,
    UpstreamAnswer,
    Verdict,
)
from denyproxy.explain.record import CallFacts, DenialRecord, kept_headers, kept_query
from denyproxy.explain.sentences import keys_denied, near_miss_sentence, notes, rank_reason, sentence, summary
from denyproxy.explain.verdict import Judgement, Said, judge
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.arn import Arn
from denyproxy.s3.authorization import Authorization, authorize
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.context import request_context
from denyproxy.s3.error import S3Error, errors_in_success, kind_of_403, parse_denial_message, parse_error
from denyproxy.s3.gates import Refusal, refusals, same_account
from denyproxy.s3.operation import OperationTable, identify_call
from denyproxy.s3.permissions import missing_key_requirement, requirements
from denyproxy.s3.request import Caller, Requirement, Role, S3Request
from denyproxy.s3.snapshot import PolicySnapshot

_READS_A_KEY = frozenset({"GetObject", "HeadObject", "GetObjectAttributes"})
"""Operations that answer 403 instead of 404 for a missing key, unless the caller may list the bucket.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""

_DENIED_IN_SUCCESS = frozenset({"AccessDenied", "InvalidObjectState", "ObjectNotInActiveTierError"})
MAX_REQUIREMENTS = 1000
"""As many as keys in one DeleteObjects."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation, with what the delivery needs to know and the public form leaves out."""

    explanation: Explanation
    call: CallFacts
    own_account: bool
    """An authenticated caller of the account that owns the bucket."""

    @property
    def record(self) -> DenialRecord:
        """The line for the log."""
        return DenialRecord.of(self.explanation, self.call)


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains calls. Holds only what never changes: the table of operations and the settings."""

    operations: OperationTable
    base_domains: Sequence[str] = ()

    def __call__(self, call: DeniedCall, snapshot: PolicySnapshot) -> Explained | None:
        """Why the call was denied, or would be. Pure. None: nothing in it was denied."""
        if call.upstream_kind != "aws":
            snapshot = snapshot.outside_aws()
        request = identify_call(call, snapshot, table=self.operations, base_domains=self.base_domains)
        caller = identify_caller(call, snapshot)
        errors = _errors(call, request)
        if not errors:
            return None
        answers = tuple(_judged(call, request, caller, error, snapshot) for error in errors)
        error, evidence, judgement = answers[0]
        explanation = _explanation(call, request, caller, error, evidence, judgement, snapshot)
        explanation = with_denied_keys(explanation, [(error, judgement) for error, _, judgement in answers])
        own = same_account(caller, _owner(request, call, snapshot)) is Truth.YES
        authenticated = own and judgement.verdict is not Verdict.NOT_POLICY
        return Explained(explanation, _call_facts(call, request, caller, evidence), authenticated)


def _errors(call: DeniedCall, request: S3Request) -> tuple[S3Error | None, ...]:
    """What was denied: the call, or the keys that a successful answer names; one None for a question."""
    if call.response is None:
        return (None,)
    if call.response.status != 200:
        return (parse_error(call.response, call.response_body, call.request.method),)
    errors = errors_in_success(request.operation, call.response_body)
    return tuple(error for error in errors if error.code in _DENIED_IN_SUCCESS)[:MAX_REQUIREMENTS]


def _judged(
    call: DeniedCall, request: S3Request, caller: Caller, error: S3Error | None, snapshot: PolicySnapshot
) -> tuple[S3Error | None, Evidence, Judgement]:
    evidence = Evidence.gather(call, request, caller, snapshot, key=error.key if error else None)
    judgement = judge(
        evidence.findings,
        _said(error, request, caller, call),
        caller_known=caller.principal.type is not PrincipalType.UNKNOWN,
        missing_key=evidence.missing_key,
        missing_for_sure=evidence.missing_for_sure,
    )
    return error, evidence, judgement


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that local evaluation says on one call, before S3's own words are weighed."""

    authorizations: tuple[Authorization, ...]
    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]
    missing_key: tuple[Finding, ...] = ()
    """What keeps S3 from answering 404, should the key be missing."""
    missing_for_sure: bool = False
    missing_key_authorization: Authorization | None = None

    @classmethod
    def gather(
        cls,
        call: DeniedCall,
        request: S3Request,
        caller: Caller,
        snapshot: PolicySnapshot,
        key: str | None = None,
    ) -> Evidence:
        """Authorize every requirement of the call (or only those on one of its keys), and ask S3's own gates."""

        def decide(requirement: Requirement) -> Authorization:
            context = request_context(requirement, request, caller, call, snapshot)
            return authorize(requirement, context, caller, snapshot, call.declared)

        needed = _requirements(call, request, caller, snapshot)
        authorizations = tuple(decide(item) for item in needed if key is None or item.key in (key, None))
        gates = () if call.declared.action is not None else refusals(request, caller, snapshot)
        listing = _listing_for_missing_key(request, snapshot, authorizations)
        authorization = decide(listing) if listing is not None else None
        return cls(
            authorizations,
            gates,
            findings(authorizations, gates),
            findings((authorization,), ()) if authorization is not None else (),
            missing_for_sure=listing is not None and _object_is_missing(request, snapshot),
            missing_key_authorization=authorization,
        )


def _requirements(
    call: DeniedCall, request: S3Request, caller: Caller, snapshot: PolicySnapshot
) -> Iterator[Requirement]:
    """What had to be allowed, filters aside; bounded, since one DeleteObjects may name a thousand keys."""
    if call.declared.action is not None:
        yield _declared_requirement(call.declared, snapshot)
        return
    for number, requirement in enumerate(requirements(request, snapshot, caller)):
        if number >= MAX_REQUIREMENTS:
            return
        if requirement.role is not Role.FILTER and requirement.needed is not Truth.NO:
            yield requirement


def _listing_for_missing_key(
    request: S3Request, snapshot: PolicySnapshot, authorizations: tuple[Authorization, ...]
) -> Requirement | None:
    """The permission to list that decides between 404 and 403, if the key may be missing and its read is allowed."""
    if request.operation not in _READS_A_KEY or request.bucket is None or request.key is None or not authorizations:
        return None
    facts = snapshot.object(request.bucket, request.key)
    exists = facts is not None and facts.exists is True
    if exists or any(item.allowed is Truth.NO for item in authorizations):
        return None
    return missing_key_requirement(request, snapshot)


def _object_is_missing(request: S3Request, snapshot: PolicySnapshot) -> bool:
    if request.bucket is None or request.key is None:
        return False
    facts = snapshot.object(request.bucket, request.key)
    return facts is None or facts.exists is False or facts.delete_marker is True


def _declared_requirement(declared: Declared, snapshot: PolicySnapshot) -> Requirement:
    """One authorization request given directly, of any service."""
    assert declared.action is not None
    resource = declared.resource or "*"
    service = declared.action.partition(":")[0].lower()
    if service == "kms":
        return Requirement(declared.action, resource, Role.KMS, kms_key=resource)
    arn = Arn.parse(resource)
    if service != "s3" or arn is None or arn.service != "s3":
        return Requirement(declared.action, resource)
    if arn.resource.startswith("accesspoint"):
        point, _, key = resource.partition("/object/")
        facts = snapshot.access_points.get(point)
        if facts is None:
            return Requirement(declared.action, resource)
        own = f"arn:{arn.partition}:s3:::{facts.bucket}" + (f"/{key}" if key else "")
        return Requirement(
            declared.action,
            resource,
            bucket=facts.bucket,
            key=key or None,
            via_access_point=point,
            bucket_resource=own,
        )
    bucket, slash, key = arn.resource.partition("/")
    return Requirement(declared.action, resource, bucket=bucket or None, key=key if slash else None)


def _said(error: S3Error | None, request: S3Request, caller: Caller, call: DeniedCall) -> Said:
    if error is None:
        return Said()
    kind = kind_of_403(error, request, caller, call.upstream_request)
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


def _owner(request: S3Request, call: DeniedCall, snapshot: PolicySnapshot) -> str | Unknown:
    if call.declared.resource_account is not None:
        return call.declared.resource_account
    return snapshot.bucket(request.bucket).account if request.bucket is not None else UNKNOWN


def _explanation(
    call: DeniedCall,
    request: S3Request,
    caller: Caller,
    error: S3Error | None,
    evidence: Evidence,
    judgement: Judgement,
    snapshot: PolicySnapshot,
) -> Explanation:
    cause = judgement.cause
    return Explanation(
        id=call.id,
        time=call.received,
        verdict=judgement.verdict,
        certain=judgement.certain,
        summary=summary(judgement, request, caller),
        operation=request.operation,
        bucket=request.bucket,
        key=request.key,
        principal=_principal(caller),
        authorization=_results(evidence, judgement),
        cause=_cause(cause) if cause is not None else None,
        candidates=tuple(_candidate(finding) for finding in judgement.candidates),
        also_blocking=tuple(_cause(finding) for finding in judgement.also_blocking),
        may_also_block=_may_also_block(evidence, judgement),
        near_misses=_near_misses(judgement),
        upstream=_upstream(call, error, judgement),
        unknowns=_unknowns(evidence, judgement),
        missing_key_possible=judgement.missing_key,
        notes=notes(judgement, request, caller, call, snapshot),
        policies=_policies(call, snapshot),
    )


def _cause(finding: Finding) -> Cause:
    return finding.as_cause(sentence(finding))


def _candidate(finding: Finding) -> Candidate:
    cause = _cause(finding)
    return Candidate(**dict(cause), unknowns=finding.unknowns, why=rank_reason(finding))


def _near_misses(judgement: Judgement) -> tuple[NearMiss, ...]:
    finding = judgement.cause
    if finding is None or finding.effect != "implicit":
        return ()
    return tuple(as_near_miss(item, finding, near_miss_sentence(item)) for item in finding.near_misses)


def _results(evidence: Evidence, judgement: Judgement) -> tuple[AuthorizationResult, ...]:
    shown = list(evidence.authorizations)
    if judgement.missing_key and evidence.missing_key_authorization is not None:
        shown.append(evidence.missing_key_authorization)
    return tuple(
        AuthorizationResult(
            action=item.requirement.action,
            resource=item.requirement.resource,
            decision=item.decision.value if item.decision is not None else None,
            possible=tuple(sorted(decision.value for decision in item.possible)),
        )
        for item in shown
    )


def _may_also_block(evidence: Evidence, judgement: Judgement) -> tuple[str, ...]:
    """Layers that are not known and may deny as well; they do not make the cause uncertain."""
    cause = judgement.cause
    layers = (item.layer for item in evidence.findings if item.truth is Truth.UNKNOWN)
    return tuple(dict.fromkeys(layer for layer in layers if cause is None or layer != cause.layer))


def _unknowns(evidence: Evidence, judgement: Judgement) -> tuple[str, ...]:
    found = evidence.findings + judgement.candidates
    return tuple(dict.fromkeys(fact for item in found if item.truth is Truth.UNKNOWN for fact in item.unknowns))


def _principal(caller: Caller) -> PrincipalSeen:
    principal: Principal = caller.principal
    return PrincipalSeen(
        arn=principal.arn,
        account=principal.account,
        type=principal.type.value,
        known_by=caller.known_by.value,
        access_key_id=caller.access_key_id,
    )


def _upstream(call: DeniedCall, error: S3Error | None, judgement: Judgement) -> UpstreamAnswer:
    if call.response is None or error is None:
        return UpstreamAnswer()
    return UpstreamAnswer(
        status=call.response.status,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
        agrees=judgement.agrees,
    )


def _policies(call: DeniedCall, snapshot: PolicySnapshot) -> PoliciesUsed:
    age = None
    if snapshot.loaded is not None:
        age = max(0, int((call.received - snapshot.loaded).total_seconds()))
    problems = tuple(f"{item.file}: {item.place}: {item.message}" for item in snapshot.problems[:10])
    return PoliciesUsed(revision=snapshot.revision, age_seconds=age, problems=problems)


def _call_facts(call: DeniedCall, request: S3Request, caller: Caller, evidence: Evidence) -> CallFacts:
    context: dict[str, tuple[str, ...]] = {}
    if evidence.authorizations:
        context = dict(evidence.authorizations[0].evaluation.request.context.present)
    source = request.copy_source
    return CallFacts(
        method=request.method,
        host=call.upstream_request.header("host"),
        region=request.region,
        client=call.client_address,
        mode=call.mode,
        upstream_kind=call.upstream_kind,
        auth_type=caller.auth_type,
        access_point=request.access_point,
        copy_source=f"{source.bucket}/{source.key}" if source is not None else None,
        query=kept_query(request.query),
        headers=kept_headers(dict(request.headers)),
        context=context,
    )


def with_denied_keys(explanation: Explanation, denied: Sequence[tuple[S3Error | None, Judgement]]) -> Explanation:
    """Keys denied inside a successful answer, grouped by cause: the first group's explanation, and a note."""
    keys = [error.key for error, _ in denied if error is not None and error.key is not None]
    if not keys:
        return explanation
    groups: dict[Cause | None, int] = {}
    for _, judgement in denied:
        shared = {"resource": None, "expected": None, "actual": None}
        cause = judgement.cause.as_cause().model_copy(update=shared) if judgement.cause else None
        groups[cause] = groups.get(cause, 0) + 1
    note = keys_denied(list(groups.items()))
    return explanation.model_copy(update={"key": keys[0], "notes": (note, *explanation.notes)})


def with_id(explained: Explained, call_id: str) -> Explained:
    """The same explanation under another call's id (equal denials in a storm share one)."""
    return replace(explained, explanation=explained.explanation.model_copy(update={"id": call_id}))

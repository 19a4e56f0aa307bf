"""The explanation in its public form, assembled from evidence and judgement."""

from __future__ import annotations

from denyproxy.exchange import DeniedCall
from denyproxy.explain.dialects import differences
from denyproxy.explain.evidence import Evidence
from denyproxy.explain.finding import Finding, as_near_miss
from denyproxy.explain.model import (
    AuthorizationResult,
    Candidate,
    Cause,
    Explanation,
    Fix,
    NearMiss,
    PoliciesUsed,
    PrincipalSeen,
    UpstreamAnswer,
)
from denyproxy.explain.prose.causes import possibility, rank_reason, sentence, summary
from denyproxy.explain.prose.near_misses import near_miss_sentence
from denyproxy.explain.prose.notes import keys_denied, notes
from denyproxy.explain.record import CallFacts, kept_headers, kept_query
from denyproxy.explain.verdict import Judgement
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.denial_message import parse_denial_message
from denyproxy.s3.error import S3Error
from denyproxy.s3.request import Caller, KnownBy, S3Request
from denyproxy.s3.snapshot import PolicySnapshot


def explanation_of(
    call: DeniedCall,
    request: S3Request,
    caller: Caller,
    error: S3Error | None,
    evidence: Evidence,
    judgement: Judgement,
    snapshot: PolicySnapshot,
    fixes: tuple[Fix, ...] = (),
) -> Explanation:
    """The explanation of one call."""
    cause = judgement.cause
    return Explanation(
        id=call.id,
        time=call.received,
        verdict=judgement.verdict,
        certain=judgement.certain,
        summary=summary(judgement, evidence, request, caller, asked=call.response is None),
        operation=request.operation,
        bucket=request.bucket,
        key=request.key,
        principal=_principal(caller),
        client=_client(call, snapshot),
        refused_by="s3" if call.refusal is None else "denyproxy",
        authorization=_results(evidence, judgement),
        cause=_cause(cause) if cause is not None else None,
        candidates=tuple(_candidate(finding) for finding in judgement.candidates),
        also_blocking=tuple(_cause(finding) for finding in judgement.also_blocking),
        may_also_block=_may_also_block(evidence, judgement),
        near_misses=_near_misses(judgement),
        fixes=fixes,
        upstream=_upstream(call, error, judgement),
        unknowns=_unknowns(evidence, judgement),
        missing_key_possible=judgement.missing_key,
        notes=notes(
            request,
            caller,
            call,
            snapshot,
            judgement,
            differences(
                call.upstream_kind,
                judgement,
                evidence.authorizations,
                anonymous=caller.principal.type is PrincipalType.ANONYMOUS,
            ),
            _named(error),
            from_elsewhere=_from_elsewhere(call, error),
        ),
        policies=policies_used(call, snapshot),
    )


def _named(error: S3Error | None) -> str | None:
    """The ARN in S3's message, where it is one of a caller."""
    denial = parse_denial_message(error.message) if error is not None else None
    named = denial.principal if denial is not None else None
    return named if named is not None and parse_principal(named).type in _OF_ACCOUNTS else None


def _from_elsewhere(call: DeniedCall, error: S3Error | None) -> bool:
    """Has the answer a body, and neither an error of S3 in it nor S3's request id beside it?"""
    if error is None or call.request.method == "HEAD" or not call.response_body:
        return False
    return error.code is None and error.request_id is None


_OF_ACCOUNTS = (PrincipalType.USER, PrincipalType.ROLE_SESSION, PrincipalType.ROOT, PrincipalType.FEDERATED)


def _cause(finding: Finding) -> Cause:
    return finding.as_cause(sentence(finding))


def _candidate(finding: Finding) -> Candidate:
    cause = finding.as_cause(possibility(finding))
    return Candidate(**vars(cause), unknowns=finding.unknowns, why=rank_reason(finding))


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


def _client(call: DeniedCall, snapshot: PolicySnapshot) -> PrincipalSeen | None:
    """Whose request was signed again with other credentials."""
    resigned = call.resigned
    if resigned is None:
        return None
    listed = snapshot.access_keys.get(resigned.client_key_id or "")
    arn = resigned.client or listed
    principal = parse_principal(arn, None, snapshot) if arn is not None else Principal(PrincipalType.UNKNOWN)
    known_by = KnownBy.SETTINGS if resigned.client else KnownBy.ACCESS_KEYS if listed else KnownBy.NONE
    return PrincipalSeen(
        arn=principal.arn,
        account=principal.account,
        type=principal.type.value,
        known_by=known_by.value,
        access_key_id=resigned.client_key_id,
    )


def _upstream(call: DeniedCall, error: S3Error | None, judgement: Judgement) -> UpstreamAnswer:
    if call.response is None or error is None or call.refusal is not None:
        return UpstreamAnswer()
    return UpstreamAnswer(
        status=call.response.status,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
        agrees=judgement.agrees,
    )


def policies_used(call: DeniedCall, snapshot: PolicySnapshot) -> PoliciesUsed:
    """The snapshot behind the explanation, at the time of the call."""
    age = None
    if snapshot.loaded is not None:
        age = max(0, int((call.received - snapshot.loaded).total_seconds()))
    problems = tuple(f"{item.file}: {item.place}: {item.message}" for item in snapshot.problems[:10])
    return PoliciesUsed(revision=snapshot.revision, age_seconds=age, problems=problems)


def call_facts(call: DeniedCall, request: S3Request, caller: Caller, evidence: Evidence) -> CallFacts:
    """The call's named facts, for the record."""
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


class DeniedKeys:
    """Keys denied inside a successful answer, counted by cause."""

    def __init__(self) -> None:
        self._groups: dict[Cause | None, int] = {}
        self._first: str | None = None

    def add(self, error: S3Error | None, judgement: Judgement) -> None:
        """Count one; what is denied as a whole is no key."""
        if error is None or error.key is None:
            return
        if self._first is None:
            self._first = error.key
        cause = None
        if judgement.cause is not None:
            shared = {"resource": None, "expected": None, "actual": None}
            cause = judgement.cause.as_cause().model_copy(update=shared)
        self._groups[cause] = self._groups.get(cause, 0) + 1

    def told_by(self, explanation: Explanation) -> Explanation:
        """The first key's explanation, with a note on all."""
        if self._first is None:
            return explanation
        note = keys_denied(list(self._groups.items()))
        return explanation.model_copy(update={"key": self._first, "notes": (note, *explanation.notes)})

"""A question about a call that nobody made: what it leaves open is what one would expect, and said in the help."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from denyproxy.exchange import DeniedCall
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.kms_keys import AWS_MANAGED_KEY
from denyproxy.s3.snapshot import BucketFacts, ObjectFacts, PolicySnapshot

_ENDPOINT = ("aws:sourcevpce", "aws:sourcevpc")


class QuestionError(ValueError):
    """A question that makes no sense; the text says why."""


def asked(request: dict[str, Any], snapshot: PolicySnapshot, now: datetime) -> tuple[DeniedCall, PolicySnapshot]:
    """The call that a request (as in a scenario) describes, and the snapshot with what a question takes for granted.

    TLS is used; unless the context says otherwise, no VPC endpoint is; the session of a role has no session policy; an
    object that is not loaded is an ordinary one. Everything else that is not loaded or given stays unknown. Raises
    QuestionError, ScenarioError."""
    principal = parse_principal(request["principal"], None, snapshot)
    if principal.type is PrincipalType.UNKNOWN:
        raise QuestionError(
            f"{request['principal']} is neither an ARN of IAM or STS, a service principal nor anonymous"
        )
    context = dict(request.get("context", {}))
    if not any(key.lower() in _ENDPOINT for key in context):
        context["aws:SourceVpce"] = None
    document = {"id": "question", "request": {**request, "context": context}, "policies": {}}
    call = Scenario.validate_document(document).denied_call(now)
    declared = replace(call.declared, closed=False, principal_account=principal.account)
    snapshot = _without_session_policy(principal.issuer or principal.arn or "", snapshot)
    bucket, key = _place(request)
    if bucket is not None and key is not None and (bucket, key) not in snapshot.objects:
        ordinary = _ordinary(snapshot.bucket(bucket))
        snapshot = replace(snapshot, objects={**snapshot.objects, (bucket, key): ordinary})
    return replace(call, declared=declared, mode="question"), snapshot


def _without_session_policy(holder: str, snapshot: PolicySnapshot) -> PolicySnapshot:
    facts = snapshot.principal(holder)
    if facts.session is None or facts.session.policies:
        return snapshot
    return replace(snapshot, principals={**snapshot.principals, holder: replace(facts, session=None)})


def _place(request: dict[str, Any]) -> tuple[str | None, str | None]:
    """Bucket and key that the question is about."""
    if "resource" not in request:
        return request.get("bucket"), request.get("key")
    bucket, slash, key = request["resource"].rpartition(":")[2].partition("/")
    return bucket, key if slash else None


def _ordinary(bucket: BucketFacts) -> ObjectFacts:
    """An object of the bucket's owner, encrypted as the bucket does by default, in S3 Standard, not locked."""
    key = bucket.default_kms_key
    return ObjectFacts(
        exists=UNKNOWN,
        sse=bucket.default_encryption,
        kms_key=AWS_MANAGED_KEY if key is None else key,
        bucket_key=bucket.bucket_key,
        tags=UNKNOWN,
        owner_account=bucket.account,
        grants=UNKNOWN,
        storage_class="STANDARD",
        restored=False,
        delete_marker=False,
        lock_mode=None,
        retain_until=None,
        legal_hold=False,
    )

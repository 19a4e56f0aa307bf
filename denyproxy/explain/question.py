"""A question about a call that nobody made: what it leaves open is what one would expect, and said in the help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from denyproxy.exchange import DeniedCall
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.principal import PrincipalType
from denyproxy.s3.arn import Arn
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.kms_keys import KMS_ALGORITHMS
from denyproxy.s3.operation import parse_copy_source
from denyproxy.s3.snapshot import AWS_MANAGED_KEY, BucketFacts, ObjectFacts, PolicySnapshot

_ENDPOINT = ("aws:sourcevpce", "aws:sourcevpc")


class QuestionError(ValueError):
    """A question that makes no sense; the text says why."""


def asked(request: dict[str, Any], snapshot: PolicySnapshot, now: datetime) -> tuple[DeniedCall, PolicySnapshot]:
    """The call that a request (as in a scenario) describes, and the snapshot with what a question takes for granted.

    TLS is used; unless the context says otherwise, no VPC endpoint is; the session of a role has no session policy; an
    object that is read or written, or copied from, is an ordinary one. Everything else that is not loaded or given
    stays unknown. Raises QuestionError, ScenarioError."""
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
    ordinary = {
        place: _ordinary(snapshot.bucket(place[0]))
        for place in _objects(request, snapshot)
        if place not in snapshot.objects
    }
    snapshot = replace(snapshot, objects={**snapshot.objects, **ordinary})
    return replace(call, declared=declared, mode="question"), snapshot


def _without_session_policy(holder: str, snapshot: PolicySnapshot) -> PolicySnapshot:
    facts = snapshot.principal(holder)
    if facts.session is None or facts.session.policies:
        return snapshot
    return replace(snapshot, principals={**snapshot.principals, holder: replace(facts, session=None)})


def _objects(request: dict[str, Any], snapshot: PolicySnapshot) -> Iterator[tuple[str, str]]:
    """Bucket and key of each object that the question is about, by the bucket's own name."""
    if "resource" in request:
        point, found, key = request["resource"].partition("/object/")
        if not found:
            arn = Arn.parse(request["resource"])
            point, found, key = ("", "", "") if arn is None or arn.account else arn.resource.partition("/")
        places = [(point, key)] if found else []
    else:
        places = [(request.get("bucket"), request.get("key"))]
        source = next((text for name, text in request["headers"].items() if name.lower() == "x-amz-copy-source"), None)
        copied = None if source is None else parse_copy_source(source)
        places += [] if copied is None else [(copied.bucket, copied.key)]
    for bucket, key in places:
        if bucket and key is not None:
            access_point = snapshot.access_points.get(bucket)
            yield (bucket if access_point is None else access_point.bucket), key


def _ordinary(bucket: BucketFacts) -> ObjectFacts:
    """An object that is there, of the bucket's owner, encrypted as the bucket does by default, in S3 Standard, without
    tags or locks, and with no ACL but the owner's."""
    key = bucket.default_kms_key
    managed = key is None and bucket.default_encryption in KMS_ALGORITHMS
    return ObjectFacts(
        exists=True,
        sse=bucket.default_encryption,
        kms_key=AWS_MANAGED_KEY if managed else key,
        bucket_key=bucket.bucket_key,
        tags={},
        owner_account=bucket.account,
        grants=(),
        storage_class="STANDARD",
        restored=False,
        delete_marker=False,
        lock_mode=None,
        retain_until=None,
        legal_hold=False,
    )

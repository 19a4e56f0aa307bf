"""Prose around the cause: remarks, what other servers do differently, and how many keys were denied why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from denyproxy.exchange import DeniedCall
from denyproxy.explain.dialects import Difference
from denyproxy.explain.model import Cause
from denyproxy.s3.request import Caller, S3Request
from denyproxy.s3.snapshot import PolicySnapshot


def notes(
    request: S3Request,
    caller: Caller,
    call: DeniedCall,
    snapshot: PolicySnapshot,
    differences: Sequence[Difference] = (),
) -> tuple[str, ...]:
    """Remarks that are not the cause but matter to the reader. `differences`: of an upstream that is not AWS."""
    remarks: list[str] = []
    if call.upstream_kind != "aws":
        remarks.append(f"By AWS's rules; the upstream is not AWS ({call.upstream_kind}) and may differ.")
        remarks.extend(_DIFFERENCES[difference] for difference in differences)
    if call.resigned is not None:
        client = call.resigned.client or call.resigned.client_key_id or "a client"
        remarks.append(
            f"denyproxy verified the signature of {client} and signed with credentials of its own: S3 saw "
            f"{caller.principal.arn or 'those'}, and all that is said here is about them."
        )
    hidden = _HIDDEN_CALLS.get(request.operation or "")
    if hidden is not None:
        remarks.append(hidden)
    if snapshot.problems:
        first = snapshot.problems[0]
        remarks.append(
            f"{len(snapshot.problems)} problem(s) in the policy directory; the first: {first.file}: {first.message}"
        )
    return tuple(remarks)


_DIFFERENCES: Mapping[Difference, str] = {
    Difference.CEPH_INNER_WILDCARD: "This rests on a pattern with a * that is not its end; Ceph RGW's * does not "
    "backtrack, so it may not match there.",
    Difference.CEPH_NEGATED_ABSENT: "This rests on a negated condition on a key that the request does not have: it "
    "matches on AWS, and does not on Ceph RGW.",
    Difference.CEPH_VARIABLES: "The bucket policy has policy variables; Ceph RGW does not replace them there.",
    Difference.CEPH_CONDITION_KEY: "The bucket policy has a condition on a global key that is not among those that "
    "Ceph RGW documents.",
    Difference.MINIO_BUCKET_POLICY: "MinIO applies bucket policies to anonymous requests only; a signed request is "
    "decided by the policies of its user and groups.",
    Difference.MINIO_CONDITION_KEY: "The statement has a condition on a global key that is not among those that "
    "MinIO documents.",
    Difference.MINIO_NO_SUCH_LAYER: "MinIO does not implement this layer (ACLs, Block Public Access, Requester Pays).",
    Difference.OTHER_NOTPRINCIPAL: "The statement has NotPrincipal: MiniStack ignores it in a Deny, and SeaweedFS "
    "refuses bucket policies that have it.",
    Difference.OTHER_VARIABLES: "The statement has policy variables; MiniStack does not replace them.",
    Difference.OTHER_UNAPPLIED_KEY: "MiniStack does not apply a Deny with a condition on aws:UserAgent, s3:authType "
    "or s3:signatureversion.",
    Difference.OTHER_CONDITIONS: "The statement has conditions; moto ignores them.",
    Difference.OTHER_NOTACTION: "SeaweedFS does not enforce a Deny with NotAction.",
    Difference.OTHER_IDENTITY_DENY: "SeaweedFS enforces a Deny of an identity-based policy only in a managed policy.",
    Difference.OTHER_IF_EXISTS: "SeaweedFS refuses bucket policies with IfExists operators.",
    Difference.OTHER_MISSING_KEY: "MiniStack says 404 of a missing key also to callers who may not list the bucket.",
}


_HIDDEN_CALLS: Mapping[str, str] = {
    "CreateMultipartUpload": "SDKs send CreateMultipartUpload for large uploads; it needs s3:PutObject.",
    "HeadObject": "SDKs send HeadObject before a download or for exists(); it needs s3:GetObject, and s3:ListBucket "
    "to tell a missing key from a forbidden one.",
    "ListMultipartUploads": "Some tools look for unfinished uploads first; that is s3:ListBucketMultipartUploads.",
}


def keys_denied(groups: Sequence[tuple[Cause | None, int]]) -> str:
    """How many keys of a DeleteObjects were denied, by cause."""
    total = sum(count for _, count in groups)
    if len(groups) == 1:
        return f"{total} key(s) of this request were denied, all for this reason."
    parts = (f"{count} by {_group(cause)}" for cause, count in groups)
    return f"{total} keys of this request were denied for {len(groups)} reasons: {'; '.join(parts)}."


def _group(cause: Cause | None) -> str:
    if cause is None:
        return "a reason that is not known"
    return " > ".join(filter(None, (cause.layer, cause.policy, cause.statement, cause.element)))

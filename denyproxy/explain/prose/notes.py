"""Prose around the cause: remarks, what other servers do differently, and how many keys were denied why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from denyproxy.exchange import DeniedCall
from denyproxy.explain.addresses import is_private, sees_private
from denyproxy.explain.dialects import Difference
from denyproxy.explain.finding import Finding, fact_of
from denyproxy.explain.model import Cause
from denyproxy.explain.prose.causes import sentence
from denyproxy.explain.prose.near_misses import role_of
from denyproxy.explain.prose.remedies import listed
from denyproxy.explain.verdict import Judgement, doubts_of_deny
from denyproxy.iam.mismatch import Doubt
from denyproxy.iam.principal import Principal
from denyproxy.iam.truth import Truth
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.caller_side import is_of_account
from denyproxy.s3.request import Caller, KnownBy, S3Request
from denyproxy.s3.snapshot import PolicySnapshot


def notes(
    request: S3Request,
    caller: Caller,
    call: DeniedCall,
    snapshot: PolicySnapshot,
    judgement: Judgement,
    differences: Sequence[Difference] = (),
    named: str | None = None,
    *,
    from_elsewhere: bool = False,
) -> tuple[str, ...]:
    """Remarks that are not the cause but matter to the reader. `differences`: of an upstream that is not AWS.
    `named`: whom S3's message names. `from_elsewhere`: the answer is not one that S3 gives."""
    remarks: list[str] = [_FROM_ELSEWHERE] if from_elsewhere else []
    if named is not None and caller.known_by is KnownBy.DECLARED and _is_another(named, caller.principal):
        remarks.append(
            f"S3 names another caller, {named}: the request was signed with other credentials than those of "
            f"{caller.principal.arn or 'the stated caller'}, and the policies of that one count."
        )
    listed = snapshot.access_keys.get(caller.access_key_id or "")
    if caller.known_by is KnownBy.UPSTREAM_MESSAGE and listed is not None:
        seen = caller.principal.arn
        if seen is not None and _is_another(seen, parse_principal(listed)):
            remarks.append(
                f"S3 names {seen}; access-keys.json is wrong about access key id {caller.access_key_id}, and says that "
                f"it is that of {listed}."
            )
    if call.upstream_kind != "aws":
        remarks.append(f"By AWS's rules; the upstream is not AWS ({call.upstream_kind}) and may differ.")
        remarks.extend(_DIFFERENCES[difference] for difference in differences)
    if call.resigned is not None:
        client = call.resigned.client or call.resigned.client_key_id or "a client"
        remarks.append(
            f"denyproxy verified the signature of {client} and signed with credentials of its own: S3 saw "
            f"{caller.principal.arn or 'those'}, and all that is said here is about them."
        )
    remarks.extend(map(_on_overtaken, judgement.overtaken[:1]))
    remarks.extend(map(_on_doubt, judgement.doubts))
    if judgement.cause is not None:
        remarks.extend(_on_cause(judgement.cause, caller))
        remarks.extend(_on_addresses(judgement.cause) if call.upstream_kind == "aws" else ())
        if judgement.cause.layer == "signature-mismatch" and judgement.cause.element is None and call.mode == "forward":
            remarks.append(_COLLAPSED)
    hidden = _HIDDEN_CALLS.get(request.operation or "")
    if hidden is not None and (judgement.cause is None or judgement.cause.effect != "not-policy"):
        remarks.append(hidden)
    if snapshot.problems:
        first = snapshot.problems[0]
        remarks.append(
            f"{len(snapshot.problems)} problem(s) in the policy directory; the first: {first.file}: {first.message}"
        )
    return tuple(remarks)


def _on_cause(cause: Finding, caller: Caller) -> Iterator[str]:
    authorization = cause.authorization
    yield from map(_on_doubt, doubts_of_deny(cause))
    if authorization is not None and authorization.requirement.conflict is not None:
        requirement = authorization.requirement
        yield f"Not certain: AWS's own pages disagree on the need for {requirement.action} ({requirement.conflict})."
    if (
        cause.effect == "implicit"
        and authorization is not None
        and authorization.policies.same_account is Truth.NO
        and is_of_account(caller.principal)
    ):
        yield "Caller and resource are of different accounts: the policies of both have to allow it."
    if fact_of(cause.element or "").lower() == _CONTEXT_ARN and _is_bucket(cause.actual):
        yield (
            "With an S3 Bucket Key, the encryption context has the ARN of the bucket in place of that of the object, "
            "so that a policy cannot tell the bucket's objects apart by it."
        )
    if cause.layer == "presigned-expired" and caller.temporary is Truth.YES:
        yield (
            "The URL ended by its own lifetime. It was signed with temporary credentials, so that it could not have "
            "outlived their session either (S3 then says ExpiredToken)."
        )


_CONTEXT_ARN = "kms:encryptioncontext:aws:s3:arn"


def _is_bucket(arn: str | None) -> bool:
    return arn is not None and "/" not in arn


def _on_addresses(cause: Finding) -> Iterator[str]:
    """Private networks where only public ones can be meant."""
    if cause.evidence is None or cause.authorization is None or fact_of(cause.element or "").lower() != "aws:sourceip":
        return
    wanting = cause.effect == "explicit"
    asked = (item for item in cause.evidence.statement.conditions if item.lower_key == "aws:sourceip")
    private = [text for item in asked if item.negated is wanting for text in item.values if is_private(text)]
    if private and not sees_private(cause.authorization.evaluation.request.context):
        yield (
            f"aws:SourceIp is the public address that a request comes from, never one of {listed(private)}: a private "
            "address is seen as aws:VpcSourceIp alone, of a request through a VPC endpoint."
        )


def _is_another(named: str, stated: Principal) -> bool:
    """Is it another principal? Of a role any session may be stated."""
    role = role_of(named)
    if stated.arn is None or role is None or ":role/" not in stated.arn:
        return named != stated.arn
    return parse_principal(named).account != stated.account or role != stated.arn.rpartition("/")[2]


def _on_overtaken(finding: Finding) -> str:
    return (
        "The policies at hand are stale or incomplete: S3 looks at this only once policies allow the request, and by "
        f"them it is denied. {sentence(finding)}"
    )


def _on_doubt(doubt: Doubt) -> str:
    return f"Not certain: AWS's own pages disagree, or do not say, {_DOUBTS[doubt]}."


_FROM_ELSEWHERE = (
    "The answer is no error of S3, and has no request id of S3: something before it (a firewall, a CDN, another proxy) "
    "may have refused the request. What is said here goes by the policies alone."
)
_COLLAPSED = (
    "Towards a proxy (HTTP_PROXY), urllib3 collapses `.` and `..` in a key after boto3 or the AWS CLI has signed it, "
    "and what arrives shows no trace of it. If the key has such segments, that is the reason, and the secret access "
    "key can be right: such a key needs an endpoint_url rather than HTTP_PROXY. denyproxy cannot tell the one from the "
    "other."
)


_DOUBTS: Mapping[Doubt, str] = {
    Doubt.WILDCARD_CROSSES_COLON: "whether a * runs over the colons of an ARN",
    Doubt.WILDCARD_IN_SERVICE: "whether the service of an action can have a wildcard",
    Doubt.ANONYMOUS_AWS_STAR: 'whether {"AWS": "*"} means anonymous callers too, as "*" does',
    Doubt.NOT_PRINCIPAL_ALLOW: "whether an Allow can have NotPrincipal",
    Doubt.NARROW_SCP_ALLOW: "whether an SCP's Allow can have conditions or resources",
    Doubt.BOOL_VARIABLE: "whether a Bool condition can have policy variables",
    Doubt.NEGATED_FOR_ALL_ABSENT: "whether ForAllValues with a negated operator holds for a key that is absent",
    Doubt.SEVERAL_VALUES: "how a key with several values compares without ForAllValues or ForAnyValue",
    Doubt.UNKNOWN_OPERATOR: "what an operator does that is not one of IAM's",
    Doubt.UNREADABLE_VALUE: "what a value does that its operator cannot read",
}


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


_LISTING = (
    "Tools list the bucket, with the key as prefix, to see whether a key exists (exists(), sync, copies of folders); "
    "that is s3:ListBucket on the bucket."
)
_HIDDEN_CALLS: Mapping[str, str] = {
    "ListObjects": _LISTING,
    "ListObjectsV2": _LISTING,
    "CreateMultipartUpload": "SDKs send CreateMultipartUpload for large uploads; it needs s3:PutObject.",
    "HeadBucket": "Tools send HeadBucket to see whether a bucket exists; it needs s3:ListBucket, with which the keys "
    "can be listed as well.",
    "HeadObject": "SDKs send HeadObject before a download or for exists(); it needs s3:GetObject (of a version "
    "s3:GetObjectVersion), and s3:ListBucket to tell a missing key from a forbidden one.",
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

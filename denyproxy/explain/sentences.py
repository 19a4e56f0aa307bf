"""All prose in one place. AWS's wording where AWS has one, so that people can search for it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from denyproxy.explain.findings import Finding
from denyproxy.explain.model import Verdict
from denyproxy.explain.near_misses import kind_of
from denyproxy.explain.verdict import Judgement
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.s3.request import Caller, S3Request

POLICY_TYPES: Mapping[str, str] = {
    "identity": "identity-based policy",
    "bucket-policy": "resource-based policy (the bucket policy)",
    "access-point-policy": "resource-based policy (the access point policy)",
    "kms-key-policy": "resource-based policy (the KMS key policy)",
    "resource-policy": "resource-based policy",
    "permissions-boundary": "permissions boundary",
    "session-policy": "session policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpc-endpoint-policy": "VPC endpoint policy",
    "acl": "access control list (ACL)",
}
"""Layer -> the policy type in AWS's messages."""

_NOT_POLICY: Mapping[str, str] = {
    "clock-skew": "The clock that signed the request differs too much from S3's; no policy was evaluated",
    "presigned-expired": "The presigned URL has expired; no policy was evaluated",
    "headers-not-signed": "There were headers present in the request which were not signed; no policy was evaluated",
    "signature-mismatch": "The request signature does not match; no policy was evaluated",
    "unknown-access-key": "The access key id is not known to S3; no policy was evaluated",
    "account-problem": "The account or the resource is disabled; no policy is the reason",
    "cors": "The bucket's CORS rules do not allow this browser request; no policy is the reason",
    "post-policy": "The form does not meet its own POST policy document; no IAM policy is the reason",
    "expected-bucket-owner": "The bucket does not belong to the account that the request expects; policies allow it",
    "requester-pays": "The bucket is Requester Pays and the request does not say that the caller pays",
    "archived-object": "The object is archived and must be restored before it can be read; policies allow the read",
    "object-lock": "The object version is protected by Object Lock; policies allow the delete",
    "mfa-delete": "The bucket has MFA delete: Mfa Authentication must be used for this request",
    "sse-c-blocked": "This bucket has blocked upload requests that specify Server Side Encryption with Customer "
    "provided keys (SSE-C)",
    "block-public-access": "S3 Block Public Access refuses it; no policy denies",
}

_SETTINGS: Mapping[str, str] = {
    "setting:BlockPublicAcls": "Public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access",
    "setting:BlockPublicPolicy": "Public policies are prevented by the BlockPublicPolicy setting in S3 Block Public "
    "Access",
    "setting:IgnorePublicAcls": "The ACL would allow it, but the IgnorePublicAcls setting in S3 Block Public Access "
    "ignores public grants",
    "setting:RestrictPublicBuckets": "The bucket policy is public, and the RestrictPublicBuckets setting in S3 Block "
    "Public Access then shuts out every caller of another account",
}


def sentence(finding: Finding) -> str:
    """One reason in one sentence, the cause first."""
    if finding.effect == "not-policy":
        return _not_policy(finding)
    assert finding.authorization is not None
    what = request_of(finding)
    if finding.effect == "explicit":
        return _explicit(finding, what)
    return _implicit(finding, what)


def request_of(finding: Finding) -> str:
    """`s3:GetObject on arn:aws:s3:::b/k`."""
    assert finding.authorization is not None
    requirement = finding.authorization.requirement
    return f"{requirement.action} on {requirement.resource}"


_BY_PROXY: Mapping[str, str] = {
    "clock-skew": "The clock that signed the request differs too much from denyproxy's",
    "presigned-expired": "The presigned URL has expired",
    "headers-not-signed": "There were headers present in the request which were not signed",
    "signature-mismatch": "The request signature does not match",
    "unknown-access-key": "The access key id is not in denyproxy's table of credentials",
    "post-policy": "The form does not meet its own POST policy document",
}
"""What denyproxy finds wrong itself, before it signs a request again."""


def _own_refusal(finding: Finding) -> str:
    text = _BY_PROXY.get(finding.layer, "The request could not be verified")
    if finding.layer == "signature-mismatch":
        details = f": its {finding.element} is not what was signed" if finding.element else _WRONG_OR_CHANGED
    elif finding.layer == "clock-skew":
        details = f": signed at {finding.actual}, received at {finding.expected}" if finding.actual else ""
    else:
        details = _DETAILS.get(finding.layer, _no_details)(finding)
    return (
        f"{text}{details}. denyproxy refused it itself: it signs for S3 only what it has verified, and did not ask S3."
    )


_WRONG_OR_CHANGED = (
    ": either the secret access key is not the one in denyproxy's table, or the request was changed on its way"
)


def _not_policy(finding: Finding) -> str:
    if finding.by_proxy:
        return _own_refusal(finding)
    text = _SETTINGS.get(finding.element or "") or _NOT_POLICY[finding.layer]
    return f"{text}{_DETAILS.get(finding.layer, _no_details)(finding)}."


def _explicit(finding: Finding, what: str) -> str:
    policy_type = POLICY_TYPES[finding.layer]
    article = "an" if policy_type[0] in "aeiou" else "a"
    if finding.evidence is None:
        return f"{what} may meet an explicit deny in {article} {policy_type} that is not loaded."
    place = _place(finding)
    why = _why_deny_applies(finding)
    return f"Explicit deny in {article} {policy_type}: {place} denies {what}{why}."


def _implicit(finding: Finding, what: str) -> str:
    if finding.layer == "acl" and finding.element != "state:object-owner":
        lacks = "does not grant" if finding.truth is Truth.YES else "is not known to grant"
        return f"The {finding.policy_name} {lacks} {finding.element}, and no bucket policy allows {what}."
    if finding.layer == "acl":
        owner = f" belongs to account {finding.actual}" if finding.actual else " may belong to another account"
        return (
            f"The object{owner}, whose ACL does not grant {what}; a bucket policy or identity policy of the "
            "bucket owner cannot grant access to an object that another account owns."
        )
    if finding.element == "condition:aws:SourceVpc" and finding.evidence is None:
        return f"The access point accepts only requests from VPC {finding.expected}; {what} came from elsewhere."
    policy_type = POLICY_TYPES[finding.layer]
    head = f"No {policy_type} allows {what}"
    if finding.evidence is None:
        if finding.unknowns:
            return f"{head}, as far as is known: policies of this layer are not loaded."
        return f"{head}{'' if finding.policy is None else f' ({finding.policy.name} has no Allow for it)'}."
    element = next((item for item in finding.evidence.elements if item.element == finding.element), None)
    miss = f": {near_miss_phrase(finding.evidence, element)}" if element is not None else ""
    return f"{head}; nearest is {_place(finding)}{miss}."


def near_miss_sentence(evidence: StatementEvidence) -> str:
    """Why one Allow does not apply, all its failing elements named."""
    phrases = "; ".join(near_miss_phrase(evidence, item) for item in evidence.failing)
    return f"Statement {evidence.statement.label} of {evidence.policy.name} does not apply: {phrases}."


def _place(finding: Finding) -> str:
    assert finding.evidence is not None
    label = finding.evidence.statement.label
    if finding.layer in ("bucket-policy", "access-point-policy", "kms-key-policy", "vpc-endpoint-policy"):
        return f"statement {label}"
    return f"statement {label} of {finding.policy_name}"


def _why_deny_applies(finding: Finding) -> str:
    element = finding.element or ""
    kind, _, key = element.partition(":")
    if kind == "condition":
        assert finding.evidence is not None
        item = next(item for item in finding.evidence.elements if item.element == element)
        actual = f"{key} is {_quoted(item.actual)}" if item.actual is not None else f"the request has no {key}"
        return f" because {actual} (its condition: {item.operator} {key} {_quoted(item.expected)})"
    if kind == "notprincipal":
        return (
            f" to everyone but the principals in its NotPrincipal ({finding.expected}), which do not name this caller"
        )
    if kind == "principal":
        return f" to {finding.expected}"
    return ""


ElementPhrase = Callable[[ElementEvidence], str]


def near_miss_phrase(evidence: StatementEvidence, item: ElementEvidence) -> str:
    """Why one element does not match, in plain words."""
    phrase = _PHRASES.get(item.reason) if item.reason is not None else None
    if phrase is not None:
        return phrase(item)
    return _DEFAULTS[kind_of(item.element)](item)


def _action(item: ElementEvidence) -> str:
    if item.negated:
        return f"its NotAction ({_short(item.expected)}) leaves out {item.actual}"
    return f"its Action ({_short(item.expected)}) does not include {item.actual}"


def _condition(item: ElementEvidence) -> str:
    written = f"{item.operator} {item.key} {_quoted(item.expected)}"
    if item.actual is None:
        return f"its condition ({written}) needs {item.key}, which this request does not have"
    return f"its condition ({written}) does not hold: {item.key} is {_quoted(item.actual)}"


_DEFAULTS: Mapping[str, ElementPhrase] = {
    "action": _action,
    "resource": lambda item: f"its Resource ({_short(item.expected)}) does not cover {item.actual}",
    "principal": lambda item: f"its Principal ({_short(item.expected)}) does not name {item.actual or 'this caller'}",
    "notprincipal": lambda item: f"its NotPrincipal ({_short(item.expected)}) names this caller",
    "condition": _condition,
    "version": lambda item: (
        f"the document has no Version 2012-10-17, so policy variables in {_short(item.expected)} are literal text"
    ),
    "variable": lambda item: f"with {item.key} substituted, {_short(item.expected)} does not cover {item.actual}",
}

_PHRASES: Mapping[Mismatch, ElementPhrase] = {
    Mismatch.API_NAME_INSTEAD_OF_ACTION: lambda item: (
        f"{item.expected} is not an IAM action; the action is {item.actual}"
    ),
    Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT: lambda item: (
        f"its Resource lists {_short(item.expected)}, the bucket; objects are {_bucket_of(item.expected)}/*"
    ),
    Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET: lambda item: (
        f"its Resource lists {_short(item.expected)}, the objects; this action is authorized on the bucket, "
        f"{item.actual}"
    ),
    Mismatch.TRAILING_SLASH: lambda item: (
        f"its {_element_name(item)} ({_short(item.expected)}) and {item.actual} differ by a trailing slash"
    ),
    Mismatch.CASE_DIFFERS: lambda item: (
        f"its {_element_name(item)} ({_short(item.expected)}) differs from {item.actual} in upper and lower case"
    ),
    Mismatch.PREFIX_LACKS_WILDCARD: lambda item: (
        f"its Resource ({_short(item.expected)}) lacks a * at its end to cover {item.actual}"
    ),
    Mismatch.VARIABLE_UNRESOLVED: lambda item: (
        f"the policy variable in {_short(item.expected)} cannot be resolved: this request has no {item.key}"
    ),
    Mismatch.OTHER_ACCOUNT: lambda item: (
        f"its {_element_name(item)} ({_short(item.expected)}) names another account than {item.actual}"
    ),
    Mismatch.OTHER_PARTITION: lambda item: (
        f"its {_element_name(item)} ({_short(item.expected)}) is of another AWS partition than {item.actual}"
    ),
    Mismatch.DELETED_PRINCIPAL: lambda item: (
        f"its Principal ({_short(item.expected)}) is the id of a principal that was deleted; one made again under "
        "the same name is another principal"
    ),
}


def _element_name(item: ElementEvidence) -> str:
    kind, _, key = item.element.partition(":")
    return key if kind in ("condition", "variable") else kind.capitalize()


def _bucket_of(expected: str | None) -> str:
    return (expected or "").split(", ")[0].rstrip("/")


def _short(text: str | None, limit: int = 200) -> str:
    text = text or ""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _quoted(value: str | None) -> str:
    return f'"{_short(value)}"'


def _no_details(finding: Finding) -> str:
    return ""


def _signature_mismatch(element: str | None) -> str:
    if element == "secret":
        return ": S3 signed the same request as the client, so the secret access key is wrong"
    return f": S3's request differs from the client's in its {element}" if element else ""


_DETAILS: Mapping[str, Callable[[Finding], str]] = {
    "clock-skew": lambda f: f": it was signed at {f.actual}, and S3's clock said {f.expected}" if f.actual else "",
    "presigned-expired": lambda f: f": it expired at {f.expected} and was used at {f.actual}" if f.actual else "",
    "headers-not-signed": lambda f: f": {_key(f)} is sent but not among the signed headers" if f.element else "",
    "signature-mismatch": lambda f: _signature_mismatch(f.element),
    "expected-bucket-owner": lambda f: f": {_key(f)} says {f.actual}, the bucket belongs to {f.expected}",
    "requester-pays": lambda f: ": x-amz-request-payer: requester is missing",
    "archived-object": lambda f: f" (storage class {f.actual})" if f.actual else "",
    "object-lock": lambda f: f" ({f.actual})" if f.actual else "",
}


def _key(finding: Finding) -> str:
    return (finding.element or "").partition(":")[2]


def _key_listed(cause: Finding) -> str | None:
    """The key for which S3 asks whether the caller may list: the request's, or that of a copy's source."""
    return cause.authorization.requirement.key if cause.authorization is not None else None


def summary(judgement: Judgement, request: S3Request, caller: Caller, *, asked: bool = False) -> str:
    """The whole answer in one sentence, the cause first. `asked`: nothing was denied, it is a question."""
    cause = judgement.cause
    if asked and cause is None and judgement.candidates:
        return _undecided(judgement)
    if judgement.verdict is Verdict.ALLOWED:
        return f"Allowed: every authorization request of {request.operation or 'the request'} is allowed."
    if judgement.missing_key and cause is not None:
        return (
            f"The key {_quoted(_key_listed(cause))} is missing, or was just deleted: reading it is allowed, but S3 "
            f"says 404 only to callers who may list the bucket. {sentence(cause)}"
        )
    if cause is not None and judgement.verdict is not Verdict.POLICIES_MISSING:
        prefix = "By elimination: " if judgement.eliminated else ""
        return prefix + sentence(cause)
    return _WITHOUT_CAUSE[judgement.verdict](judgement, caller)


def _undecided(judgement: Judgement) -> str:
    """A question that what is known does not decide."""
    facts = ", ".join(dict.fromkeys(fact for item in judgement.candidates for fact in item.unknowns))
    needed = f"; it depends on what is not known: {_short(facts)}" if facts else ""
    return f"Not known: nothing at hand denies it for certain{needed}. If denied: {sentence(judgement.candidates[0])}"


def _candidates(judgement: Judgement, caller: Caller) -> str:
    first = sentence(judgement.candidates[0])
    count = len(judgement.candidates)
    facts = ", ".join(dict.fromkeys(fact for item in judgement.candidates for fact in item.unknowns))
    needed = f" To tell, these facts are needed: {_short(facts)}." if facts else ""
    return f"One of {count} reasons; the most likely: {first}{needed}" if count > 1 else f"Probably: {first}{needed}"


def _policies_missing(judgement: Judgement, caller: Caller) -> str:
    layers = dict.fromkeys(POLICY_TYPES.get(item.layer, item.layer) for item in judgement.candidates)
    return "Nothing that is loaded denies it, so the reason lies in what is not loaded: " + ", ".join(layers) + "."


def _unknown_caller(judgement: Judgement, caller: Caller) -> str:
    key = f" {caller.access_key_id}" if caller.access_key_id else ""
    return (
        f"The caller is not known: access key id{key} is not in access-keys.json, so no identity-based policy could "
        "be evaluated; no policy at hand denies every caller."
    )


def _stale(judgement: Judgement, caller: Caller) -> str:
    return f"The policies at hand are stale or incomplete: {'; '.join(judgement.differs)}, and they do not bear it out."


def _unexplained(judgement: Judgement, caller: Caller) -> str:
    return "By all policies and facts at hand the request is allowed, and yet S3 denied it; they may be stale."


_WITHOUT_CAUSE: Mapping[Verdict, Callable[[Judgement, Caller], str]] = {
    Verdict.CANDIDATES: _candidates,
    Verdict.POLICIES_MISSING: _policies_missing,
    Verdict.UNKNOWN_CALLER: _unknown_caller,
    Verdict.STALE_POLICIES: _stale,
    Verdict.UNEXPLAINED: _unexplained,
}


def rank_reason(finding: Finding) -> str:
    """Why a candidate stands where it does."""
    facts = ", ".join(finding.unknowns)
    if finding.evidence is not None and finding.effect == "explicit":
        return f"a Deny at hand applies, depending on {facts}"
    if finding.evidence is not None and finding.truth is Truth.UNKNOWN:
        return f"an Allow at hand may not apply, depending on {facts}" if facts else "an Allow at hand may not apply"
    if finding.evidence is not None or finding.truth is Truth.YES:
        return "holds if the key is missing"
    return f"not loaded: {facts}" if facts else "cannot be excluded"

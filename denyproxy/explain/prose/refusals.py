"""Prose for what no policy decides: the words that S3 has for it, which people search for, and what is known.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.near_misses import short
from denyproxy.iam.truth import Truth
from denyproxy.s3.error import TO_RESTORE

_BEFORE_POLICIES = "; no policy was evaluated"
_NO_POLICY = "; no policy is the reason"
_TOO_LARGE = "The difference between the request time and the current time is too large"


def refusal_sentence(finding: Finding) -> str:
    """One reason that is no policy's, in one sentence."""
    if finding.by_proxy:
        return _own_refusal(finding)
    return f"{_SENTENCES[finding.layer](finding)}."


def _own_refusal(finding: Finding) -> str:
    """What denyproxy finds wrong itself, before it signs a request again."""
    said = _BY_PROXY.get(finding.layer)
    text = "The request could not be verified" if said is None else said(finding)
    return f"{text}; denyproxy refused it itself and did not ask S3, since it signs again only what it has verified."


def duration(span: timedelta) -> str:
    """`3 hours 5 minutes`: the two largest units."""
    rest, parts = round(abs(span).total_seconds()), list[str]()
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 seconds"


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def _between(finding: Finding) -> timedelta | None:
    """From the expected to the actual time."""
    expected, actual = _moment(finding.expected), _moment(finding.actual)
    return None if expected is None or actual is None else actual - expected


def _skew(finding: Finding, owner: str) -> str:
    ahead = _between(finding)
    if ahead is None:
        return ""
    way = "ahead of" if ahead > timedelta() else "behind"
    return (
        f": the clock that signed it is {duration(ahead)} {way} {owner}'s (signed at {finding.actual}, received at "
        f"{finding.expected})"
    )


def _clock_skew(finding: Finding) -> str:
    if finding.actual is None:
        return f"AWS authentication requires a valid Date or x-amz-date header{_BEFORE_POLICIES}"
    return f"{_TOO_LARGE}{_skew(finding, 'S3')}{_BEFORE_POLICIES}"


def _expiry(finding: Finding) -> str:
    late = _between(finding)
    if late is None:
        return ""
    return f": the presigned URL ended at {finding.expected}, {duration(late)} before it was used"


def _unsigned(finding: Finding) -> str:
    return f": {finding.actual or _name(finding)}" if finding.element else ""


def _signature(finding: Finding) -> str:
    if finding.element == "secret":
        return ": S3 calculated it over the very request that the client sent, so the secret access key is wrong"
    if finding.element is None:
        return ": the secret access key is wrong, or the request was changed after it was signed"
    if finding.element.startswith("header:") and finding.expected is None:
        return f": the request does not have {_name(finding)}, which its signature covers"
    return f": the request that reached S3 differs from the signed one in its {_line(finding)}"


def line_in_words(element: str) -> str:
    """`header range` of `header:range`; what a request has one of (its path) as it is."""
    kind, _, name = element.partition(":")
    return f"{_LINES.get(kind, kind)} {name}" if name else element


_LINES = {"query": "query parameter"}


def _line(finding: Finding) -> str:
    """The line of the canonical request, with both sides where they are known."""
    line = line_in_words(finding.element or "request")
    if finding.expected is None or finding.actual is None:
        return line
    return f'{line} (signed as "{short(finding.expected, 120)}", received as "{short(finding.actual, 120)}")'


def _signature_mismatch(finding: Finding) -> str:
    if finding.element == "header:authorization":
        return f"The request is not signed, and this needs a signature{_BEFORE_POLICIES}"
    if finding.element is not None and finding.element.startswith("query:") and finding.expected is None:
        return (
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters: "
            f"{_name(finding)} is missing{_BEFORE_POLICIES}"
        )
    return (
        "The request signature we calculated does not match the signature you provided"
        f"{_signature(finding)}{_BEFORE_POLICIES}"
    )


def _access_key(finding: Finding) -> str:
    key = f" {finding.actual}" if finding.actual else ""
    if finding.element == "header:x-amz-security-token":
        return f"The security token that came with access key id{key} is not valid, or no longer{_BEFORE_POLICIES}"
    hint = ""
    if finding.actual is not None and finding.actual.startswith("ASIA"):
        hint = " (it is a temporary one: is its session token sent?)"
    return (
        f"The AWS Access Key Id you provided does not exist in our records: S3 does not know{key or ' it'}{hint}"
        f"{_BEFORE_POLICIES}"
    )


def _named_by_s3(finding: Finding) -> str:
    said = ": ".join(filter(None, (finding.element, (finding.actual or "").rstrip(". "))))
    # These two are denials of other services that S3 calls, by policies that are not at hand.
    elsewhere = finding.element in ("LambdaPermissionError", "StsNotAuthorizedError")
    no_policy = "" if elsewhere else _NO_POLICY
    return f"S3 refuses it for a reason of the account or the resource{f', {said}' if said else ''}{no_policy}"


def _cors(finding: Finding) -> str:
    said = (finding.actual or "").rstrip(". ")
    head = f"{said}: the" if said else "The"
    return f"{head} bucket's CORS rules do not allow this browser request{_NO_POLICY}"


def _form(finding: Finding) -> str:
    said = f": {finding.element.rstrip('. ')}" if finding.element else ""
    return f"Invalid according to Policy{said}; it is the form's own POST policy document, no IAM policy"


def _archived(finding: Finding) -> str:
    storage = f" ({finding.actual})" if finding.actual else ""
    if finding.expected == TO_RESTORE:
        return (
            f"Restore is not allowed for the object's current storage class{storage}: the object is not archived, so "
            "that there is nothing to restore; policies allow the request"
        )
    return (
        f"The operation is not valid for the object's storage class{storage}: the object is archived and must be "
        "restored before it can be read; policies allow the read"
    )


def _object_lock(finding: Finding) -> str:
    held = ""
    if finding.element == "state:legal-hold":
        held = ": the version is under legal hold"
    elif finding.element == "state:retention":
        held = f": the version is under retention{f' ({finding.actual})' if finding.actual else ''}"
    return f"Access Denied because object protected by object lock{held}; policies allow the request"


def _expected_owner(finding: Finding) -> str:
    belongs = f", and the bucket belongs to {finding.expected}" if finding.expected else ""
    return (
        f"The bucket is not owned by the account that the request expects: {_name(finding)} says {finding.actual}"
        f"{belongs}"
    )


def _requester_pays(finding: Finding) -> str:
    sent = "lacks x-amz-request-payer: requester" if finding.actual != "requester" else "is anonymous"
    return f"The bucket is Requester Pays, and the request {sent}"


def _sse_c(finding: Finding) -> str:
    if finding.element != "setting:BlockedEncryptionTypes":
        if finding.truth is not Truth.YES:
            return (
                "The customer-provided key may be another one than the object was encrypted with, which S3 answers "
                "with 403"
            )
        return (
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret "
            f"key{_NO_POLICY}"
        )
    return (
        "This bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys "
        "(SSE-C); no policy denies"
    )


_SETTINGS: Mapping[str, str] = {
    "setting:BlockPublicAcls": "Public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access",
    "setting:BlockPublicPolicy": "Public policies are prevented by the BlockPublicPolicy setting in S3 Block Public "
    "Access",
    "setting:IgnorePublicAcls": "The ACL would allow it, but the IgnorePublicAcls setting in S3 Block Public Access "
    "ignores public grants",
    "setting:RestrictPublicBuckets": "The {policy} is public, and the RestrictPublicBuckets setting in S3 Block Public "
    "Access then shuts out everyone but AWS services and the bucket owner's account",
}

_SENTENCES: Mapping[str, Callable[[Finding], str]] = {
    "clock-skew": _clock_skew,
    "presigned-expired": lambda f: f"Request has expired{_expiry(f)}{_BEFORE_POLICIES}",
    "headers-not-signed": lambda f: (
        f"There were headers present in the request which were not signed{_unsigned(f)}{_BEFORE_POLICIES}"
    ),
    "signature-mismatch": _signature_mismatch,
    "unknown-access-key": _access_key,
    "account-problem": _named_by_s3,
    "cors": _cors,
    "post-policy": _form,
    "expected-bucket-owner": _expected_owner,
    "requester-pays": _requester_pays,
    "archived-object": _archived,
    "object-lock": _object_lock,
    "mfa-delete": lambda f: "Mfa Authentication must be used for this request: the bucket has MFA delete",
    "sse-c-blocked": _sse_c,
    "block-public-access": lambda f: _SETTINGS.get(f.element or "", "S3 Block Public Access refuses it").format(
        policy=f.actual or "bucket policy"
    ),
}

_BY_PROXY: Mapping[str, Callable[[Finding], str]] = {
    "clock-skew": lambda f: f"{_TOO_LARGE}{_skew(f, 'denyproxy')}",
    "presigned-expired": lambda f: f"Request has expired{_expiry(f)}",
    "headers-not-signed": lambda f: f"There were headers present in the request which were not signed{_unsigned(f)}",
    "signature-mismatch": lambda f: (
        "The request signature does not match: "
        + (
            f"its {line_in_words(f.element)} is not what was signed"
            if f.element
            else "either the secret access key is not the one in denyproxy's table, or the request was changed since"
        )
    ),
    "unknown-access-key": lambda f: (
        f"The access key id{f' {f.actual}' if f.actual else ''} is not in denyproxy's table of credentials"
    ),
    "post-policy": _form,
}


def _name(finding: Finding) -> str:
    """`x-amz-acl` of `header:x-amz-acl`."""
    return (finding.element or "").partition(":")[2]

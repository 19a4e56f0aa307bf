"""The prose of what helps where no policy decides: signatures, state of object and bucket, ACLs, public access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from denyproxy.explain.prose.refusals import line_in_words
from denyproxy.explain.prose.remedies import listed, shown

SIGN = "sign the request with the credentials of someone who is allowed: it was sent without any"
SIGNER = "who would sign, and whether that one is allowed, is not known"
CLOCK = "set the clock of the machine that signs (NTP): S3 accepts 15 minutes of difference"
_NEW_URL = "make a new presigned URL when it is needed, or with a"
_SESSION_ENDS = "with session credentials it ends when they do"
EXPIRED = f"{_NEW_URL} longer X-Amz-Expires (at most 604800 seconds; {_SESSION_ENDS})"
EXPIRED_V2 = f"{_NEW_URL} later Expires ({_SESSION_ENDS})"
ACCESS_KEY = "use an access key that exists and is active, of this partition, and with its session token if it has one"
KEY_IN_TABLE = (
    "use an access key of denyproxy's table, or have this one added to it (resign.credentials; `denyproxy credentials "
    "new` makes a pair)"
)
ACCOUNT_PROBLEM = "ask the owner of the account, or AWS Support, to enable it again"
_SAME_REGION = "name a target bucket for the logs that is in the Region of the bucket itself"
NAMED_BY_S3: Mapping[str, str] = {
    "CrossLocationLoggingProhibited": _SAME_REGION,
    "CrossLocationLoggingProhibitted": _SAME_REGION,
    "InvalidRegion": "opt the account in to the Region first",
    "LambdaPermissionError": "allow lambda:InvokeFunction on the function of the Object Lambda access point",
    "StsNotAuthorizedError": "let S3 Access Grants assume the IAM role of the location (in its trust policy)",
    "UnauthorizedAccessError": "in the China Regions a bucket has to have an ICP licence: ask for the ICP recordal",
    "UnexpectedIPError": "in the China Regions: send the request from an address that is expected of this caller",
}
"""S3's error code -> what helps, where it is neither the account nor its payments.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
CORS = "allow this origin, method and headers in the bucket's CORS configuration"
POST_POLICY = "send form fields that meet the form's own policy, or sign a policy that allows them"
POST_EXPIRED = "sign a new policy for the form, with a later expiration: this one has expired"
REQUESTER_PAYS = "send x-amz-request-payer: requester, and so agree to pay for the request"
REQUESTER_PAYS_PRESIGNED = (
    "sign a new URL with x-amz-request-payer=requester in its query, and so agree to pay for the request"
)
REQUESTER_PAYS_ANONYMOUS = "sign the request, and send x-amz-request-payer: requester: nobody pays for anonymous ones"
ARCHIVED = "restore the object (RestoreObject, which needs s3:RestoreObject) and read it once the copy is there"
NOT_ARCHIVED = "read the object as it is: only what is archived is restored"
LEGAL_HOLD = "lift the legal hold of the version (PutObjectLegalHold, s3:PutObjectLegalHold), if it is no longer needed"
GOVERNANCE = (
    "send x-amz-bypass-governance-retention: true, which needs s3:BypassGovernanceRetention, or wait until the "
    "retention ends"
)
MFA_DELETE = (
    "send the request as the root user of the bucket's account, with x-amz-mfa (serial number and code of its MFA "
    "device)"
)
WRONG_KEY = (
    "send the customer-provided key that the object was encrypted with: S3 does not keep it, and nobody can read the "
    "object without it"
)
PRIVATE_ACL = (
    "send a private ACL (x-amz-acl: private), or do not make this call: Block Public Access refuses a public one"
)
PUBLIC_ACL = "leave out the public ACL: Block Public Access refuses it"
PUBLIC_POLICY = (
    "put a policy that is not public: name principals, or limit them by a condition such as aws:PrincipalOrgID, to "
    "values without wildcards"
)
IGNORED_ACL = (
    "have the request signed, and grant the access to whoever signs it in the bucket policy, rather than to a public "
    "group in an ACL"
)
ENFORCE_OWNERSHIP = (
    "set Object Ownership to BucketOwnerEnforced: the bucket owner then owns all objects, and ACLs no longer count"
)
NO_ACL_TO_SET = (
    "S3 then answers this request with 400 AccessControlListNotSupported; nor is there an ACL left that has to be set"
)


def archived_source(source: str) -> str:
    """Of a copy it is the source that is archived."""
    return (
        f"restore the source object {shown(source)} (RestoreObject, s3:RestoreObject), and copy it once it is restored"
    )


def sse_c(headers: Sequence[str]) -> str:
    """Encryption with a key of one's own."""
    return f"leave out {listed(headers)}: let S3 or KMS keep the key (SSE-S3, SSE-KMS)"


def leave_out(headers: Sequence[str], action: str) -> str:
    """Headers that need a permission of their own."""
    return f"leave out {listed(headers)}: without it the request does not need {action}"


def unsigned_headers(names: Sequence[str]) -> str:
    """Headers that the signature does not cover. No request is without a Host."""
    if "host" in names:
        return "name host in the SignedHeaders of the signature, and in a presigned URL do not encode that list twice"
    it = "it" if len(names) == 1 else "them"
    return f"do not send {listed(names, 10)}, or name {it} in the SignedHeaders of the signature"


def signature(element: str | None) -> str:
    """What differs between S3's request and the client's."""
    if element == "secret":
        return "use the secret access key that belongs to the access key id"
    if element is None:
        return "sign the request as it is sent, with the secret access key that belongs to the access key id"
    return f"sign the request as it is sent: its {line_in_words(element)} is not what was signed"


def absent_header(name: str) -> str:
    """A header that the signature covers, and that was not sent."""
    return f"send {name} as it was signed, or sign the request without it"


def signature_in_table(element: str | None) -> str:
    """The same, where denyproxy verifies with a table of its own."""
    if element is None:
        return "sign the request as it is sent, with the secret access key that denyproxy's table has for the id"
    return signature(element)


def expected_owner(header: str, owner: str | None, said: str | None) -> str:
    """The header is the caller's own safeguard."""
    if owner is None:
        return f"correct {header} ({said}), or the name of the bucket"
    return f"send {header}: {owner}, if that account is the one that you mean; else the bucket is not yours"


def retention(actual: str) -> str:
    """Of a mode that does not yield."""
    return f"wait until the retention ends ({actual}): nobody can shorten COMPLIANCE mode"


LOCK_NOT_KNOWN = (
    "find out what protects the version (GetObjectRetention, GetObjectLegalHold), which is not known here: a retention "
    "ends by itself, a legal hold has to be lifted"
)


def switch_off(setting: str) -> str:
    """A guardrail that its owner may not want."""
    return f"only if the bucket is meant to be public: set {setting} to false in S3 Block Public Access"


def restricted(arn: str | None, policy: str) -> str:
    """RestrictPublicBuckets. What makes a policy public is not always a `*`, nor the statement that allows this."""
    caller = f" ({arn} in one that is to allow this request)" if arn is not None else ""
    return (
        f"in each statement of the {policy} that allows everyone, name those who are meant as its Principal "
        f"instead{caller}, so that the policy is no longer public and RestrictPublicBuckets no longer applies"
    )


def object_acl(owner: str | None, permission: str, account: str, resource: str) -> str:
    """An object of another account."""
    whose = f"the object owner, account {owner}," if owner is not None else "the account that owns the object"
    return (
        f"have {whose} grant {permission} on {shown(resource)} to account {account} in its ACL (which names accounts, "
        "not users or roles)"
    )


def from_vpc(vpc: str | None) -> str:
    """An access point of network origin VPC."""
    return f"send the request from VPC {vpc}, or through an access point of network origin Internet"


MISSING_KEY = "take the 403 for a 404, or send the right key: the key is missing, and reading what exists is allowed"
MISSING_KEY_PUBLIC = f"{MISSING_KEY}; do not make the listing of the bucket public"
STAYS_MISSING = "the key is missing, so that there is nothing to allow"
UNSIGNED = "send the request unsigned (--no-sign-request): what it asks for is public, for anonymous callers"
NOT_KNOWN_WHICH = "which resource it is, is not known"
MANAGED_KEY = (
    "encrypt the object with a customer managed key, and allow the other account in its key policy: nobody can allow "
    "another account the AWS managed key aws/s3"
)
NO_KEY = (
    "encrypt the object with SSE-S3 (AES256), or have the request signed by someone who may use the key (CloudFront: "
    "by an origin access control): no key policy lets in unsigned requests or origin access identities"
)

"""For what no policy decides: state of object, bucket and request, ACLs and Block Public Access. One row a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.findings import layer_policies
from denyproxy.explain.patches import Draft
from denyproxy.explain.prose import state_remedies as say
from denyproxy.explain.remedies.fields import FIELDS
from denyproxy.explain.remedies.grants import grants
from denyproxy.explain.remedies.part import Owner, Part
from denyproxy.explain.remedies.sending import OF_SSE_C, SSE_C, Sent, is_presigned, sending
from denyproxy.iam.principal import PrincipalType
from denyproxy.s3.acl import needed_permission
from denyproxy.s3.error import TO_RESTORE

_Remedy = Callable[[Finding, Case], list[Part]]


def state_remedies(finding: Finding, case: Case) -> list[Part]:
    """What helps against one reason of S3's own, the best first."""
    remedy = _REMEDIES.get(finding.layer)
    return remedy(finding, case) if remedy is not None else []


def _caller(words: str, edit: Callable[[Draft], None] | None = None) -> list[Part]:
    return [Part("caller", "the request", words, edit)]


def _sending(words: str, fields: Sent, case: Case) -> list[Part]:
    return [Part("caller", "the request", words, sending(fields, case.request), sends=fields)]


def _field(finding: Finding) -> str:
    return (finding.element or "").partition(":")[2]


def _in_words(text: str) -> _Remedy:
    return lambda finding, case: _caller(text)


def _unsigned_header(finding: Finding, case: Case) -> list[Part]:
    names = (finding.actual or _field(finding)).split(", ")
    words = say.unsigned_headers([name or "the header" for name in names])
    return _sending(words, dict.fromkeys(names), case) if all(names) and "host" not in names else _caller(words)


def _signature(finding: Finding, case: Case) -> list[Part]:
    name = _field(finding)
    if finding.element == f"header:{name}" and name != "authorization" and finding.expected is None:
        return _caller(say.absent_header(name))
    return _caller(say.signature_in_table(finding.element) if finding.by_proxy else say.signature(finding.element))


def _access_key(finding: Finding, case: Case) -> list[Part]:
    return _caller(say.KEY_IN_TABLE if finding.by_proxy else say.ACCESS_KEY)


_CHANGED_BY: Mapping[str, Owner] = {
    "LambdaPermissionError": "identity admin",
    "StsNotAuthorizedError": "identity admin",
    "UnauthorizedAccessError": "bucket owner",
}


def _named_by_s3(finding: Finding, case: Case) -> list[Part]:
    code = finding.element or ""
    words = say.NAMED_BY_S3.get(code, say.ACCOUNT_PROBLEM)
    return [Part(_CHANGED_BY.get(code, "caller"), "what S3 names", words)]


def _expected_owner(finding: Finding, case: Case) -> list[Part]:
    owner = finding.expected
    name = _field(finding)
    words = say.expected_owner(name, owner, finding.actual)
    return _sending(words, {name: owner}, case) if owner else _caller(words)


def _expired(finding: Finding, case: Case) -> list[Part]:
    """A URL of Signature Version 2 says when it ends, one of Version 4 how long it is good."""
    return _caller(say.EXPIRED_V2 if case.request.parameter("AWSAccessKeyId") is not None else say.EXPIRED)


def _requester_pays(finding: Finding, case: Case) -> list[Part]:
    if case.caller.principal.type is PrincipalType.ANONYMOUS:
        return _caller(say.REQUESTER_PAYS_ANONYMOUS)
    words = say.REQUESTER_PAYS_PRESIGNED if is_presigned(case.request) else say.REQUESTER_PAYS
    return _sending(words, {"x-amz-request-payer": "requester"}, case)


def _post_policy(finding: Finding, case: Case) -> list[Part]:
    return _caller(say.POST_EXPIRED if finding.element == "Policy expired." else say.POST_POLICY)


def _archived(finding: Finding, case: Case) -> list[Part]:
    source = case.request.copy_source
    if source is not None:
        return _caller(say.archived_source(f"{source.bucket}/{source.key}"))
    return _caller(say.NOT_ARCHIVED if finding.expected == TO_RESTORE else say.ARCHIVED)


def _object_lock(finding: Finding, case: Case) -> list[Part]:
    if finding.element == "state:legal-hold":
        return [Part("bucket owner", "legal hold of the object version", say.LEGAL_HOLD)]
    if not (finding.actual or "").startswith("GOVERNANCE"):
        return _caller(say.retention(finding.actual) if finding.actual else say.LOCK_NOT_KNOWN)
    return _sending(say.GOVERNANCE, {"x-amz-bypass-governance-retention": "true"}, case)


def _sse_c(finding: Finding, case: Case) -> list[Part]:
    if finding.element != "setting:BlockedEncryptionTypes":
        return _caller(say.WRONG_KEY)
    return _sending(say.sse_c(OF_SSE_C), {SSE_C: None}, case)


_PUTS_ACL = ("PutBucketAcl", "PutObjectAcl")
_ACL_HEADERS = ("x-amz-acl", *(name.removeprefix("s3:") for name in FIELDS if name.startswith("s3:x-amz-grant-")))


def _public_acl(case: Case) -> list[Part]:
    """Of a call that does nothing else, the ACL cannot be left out."""
    named = [name for name in _ACL_HEADERS if name in case.request.headers]
    canned = named == ["x-amz-acl"]
    if case.request.operation in _PUTS_ACL:
        return _sending(say.PRIVATE_ACL, {"x-amz-acl": "private"}, case) if canned else _caller(say.PRIVATE_ACL)
    return _sending(say.PUBLIC_ACL, dict.fromkeys(named), case) if named else _caller(say.PUBLIC_ACL)


def _block_public_access(finding: Finding, case: Case) -> list[Part]:
    setting, anonymous = _field(finding), case.caller.principal.type is PrincipalType.ANONYMOUS
    off = Part("bucket owner", "Block Public Access", say.switch_off(setting), _switched_off(setting), exact=False)
    match setting:
        case "BlockPublicAcls":
            return _public_acl(case)
        case "BlockPublicPolicy":
            return [*_caller(say.PUBLIC_POLICY), off]
        case "RestrictPublicBuckets" if anonymous:
            return [Part("caller", "the request", say.SIGN, open=say.SIGNER), off]
        case "RestrictPublicBuckets":
            policy, principal = finding.actual or "bucket policy", case.caller.principal
            words = say.restricted(principal.issuer or principal.arn, policy)
            return [Part("bucket owner", policy, words, exact=False)]
        case _ if not anonymous and finding.authorization is not None:
            return by_policy(finding, case)
        case _:
            return [Part("bucket owner", "bucket policy", say.IGNORED_ACL), off]


def _switched_off(setting: str) -> Callable[[Draft], None]:
    return lambda draft: draft.put(False, "policies", "block_public_access", setting)


def _acl(finding: Finding, case: Case) -> list[Part]:
    """An ACL that lacks a permission: a policy can say whom it is meant for, an ACL only accounts and groups."""
    return by_policy(finding, case) if finding.element != "state:object-owner" else _foreign_object(finding, case)


def by_policy(finding: Finding, case: Case) -> list[Part]:
    """The bucket policy in place of an ACL."""
    assert finding.authorization is not None
    policies, _ = layer_policies(finding.authorization.policies, "bucket-policy")
    policy = next(iter(policies.policies), None)
    return grants([finding._replace(layer="bucket-policy", effect="implicit", policy=policy)], case, missing_key=False)


def _foreign_object(finding: Finding, case: Case) -> list[Part]:
    """The object's owner grants in its ACL; the bucket's owner may take over all objects instead."""
    assert finding.authorization is not None
    requirement, account = finding.authorization.requirement, case.caller.principal.account
    permission = needed_permission(requirement.action)
    parts: list[Part] = []
    if permission is not None and account is not None:

        def grant(draft: Draft) -> None:
            draft.append({"grantee": account, "permission": permission}, "policies", "acl", "object_grants")

        words = say.object_acl(finding.actual, permission, account, requirement.resource)
        parts.append(Part("bucket owner", f"ACL of {requirement.resource}", words, grant, exact=False))

    def enforce(draft: Draft) -> None:
        draft.put("BucketOwnerEnforced", "policies", "object_ownership")

    where = f"Object Ownership of {requirement.bucket}"
    enforced = Part("bucket owner", where, say.ENFORCE_OWNERSHIP, enforce, exact=False)
    if _sets_acl(case):
        enforced = replace(enforced, edit=None, open=say.NO_ACL_TO_SET)
    return [*parts, enforced]


def _sets_acl(case: Case) -> bool:
    """Does the request set an ACL, which S3 refuses once ACLs are off? An upload for the bucket's owner it accepts.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html"""
    sent = (case.request.header(name) for name in _ACL_HEADERS)
    others = any(value not in (None, "bucket-owner-full-control") for value in sent)
    return others or case.request.operation in _PUTS_ACL


def _network_origin(finding: Finding, case: Case) -> list[Part]:
    return [Part("caller", "the request", say.from_vpc(finding.expected))]


_REMEDIES: Mapping[str, _Remedy] = {
    "clock-skew": _in_words(say.CLOCK),
    "presigned-expired": _expired,
    "headers-not-signed": _unsigned_header,
    "signature-mismatch": _signature,
    "unknown-access-key": _access_key,
    "account-problem": _named_by_s3,
    "cors": lambda finding, case: [Part("bucket owner", "CORS configuration", say.CORS)],
    "post-policy": _post_policy,
    "expected-bucket-owner": _expected_owner,
    "requester-pays": _requester_pays,
    "archived-object": _archived,
    "object-lock": _object_lock,
    "mfa-delete": _in_words(say.MFA_DELETE),
    "sse-c-blocked": _sse_c,
    "block-public-access": _block_public_access,
    "acl": _acl,
    "access-point-policy": _network_origin,
}

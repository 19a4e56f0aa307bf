"""For what no policy decides: state of object, bucket and request, ACLs and Block Public Access. One row a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from denyproxy.explain import remedy_sentences as say
from denyproxy.explain.case import Case
from denyproxy.explain.findings import Finding, layer_policies
from denyproxy.explain.patches import Draft
from denyproxy.explain.remedies.grants import grants
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.requests import SSE_C, set_field
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.acl import needed_permission

_Remedy = Callable[[Finding, Case], list[Part]]


def state_remedies(finding: Finding, case: Case) -> list[Part]:
    """What helps against one reason of S3's own, the best first."""
    remedy = _REMEDIES.get(finding.layer)
    return remedy(finding, case) if remedy is not None else []


def _caller(words: str, edit: Callable[[Draft], None] | None = None) -> list[Part]:
    return [Part("caller", "the request", words, edit)]


def _header(name: str, value: str | None) -> Callable[[Draft], None]:
    return lambda draft: set_field(draft, name, value)


def _field(finding: Finding) -> str:
    return (finding.element or "").partition(":")[2]


def _in_words(text: str) -> _Remedy:
    return lambda finding, case: _caller(text)


def _unsigned_header(finding: Finding, case: Case) -> list[Part]:
    name = _field(finding)
    return _caller(say.unsigned_header(name or "the header"), _header(name, None) if name else None)


def _signature(finding: Finding, case: Case) -> list[Part]:
    return _caller(say.signature_in_table(finding.element) if finding.by_proxy else say.signature(finding.element))


def _access_key(finding: Finding, case: Case) -> list[Part]:
    return _caller(say.KEY_IN_TABLE if finding.by_proxy else say.ACCESS_KEY)


def _expected_owner(finding: Finding, case: Case) -> list[Part]:
    owner = finding.expected
    name = _field(finding)
    return _caller(say.expected_owner(name, owner, finding.actual), _header(name, owner) if owner else None)


def _requester_pays(finding: Finding, case: Case) -> list[Part]:
    if case.caller.principal.type is PrincipalType.ANONYMOUS:
        return _caller(say.REQUESTER_PAYS_ANONYMOUS)
    return _caller(say.REQUESTER_PAYS, _header("x-amz-request-payer", "requester"))


def _object_lock(finding: Finding, case: Case) -> list[Part]:
    if finding.element == "state:legal-hold":
        return [Part("bucket owner", "legal hold of the object version", say.LEGAL_HOLD)]
    if not (finding.actual or "").startswith("GOVERNANCE"):
        return _caller(say.retention(finding.actual))
    return _caller(say.GOVERNANCE, _header("x-amz-bypass-governance-retention", "true"))


def _sse_c(finding: Finding, case: Case) -> list[Part]:
    return _caller(say.SSE_C, _header(SSE_C, None))


def _block_public_access(finding: Finding, case: Case) -> list[Part]:
    setting = _field(finding)
    off = Part("bucket owner", "Block Public Access", say.switch_off(setting), _switched_off(setting), exact=False)
    match setting:
        case "BlockPublicAcls":
            sent = case.request.header("x-amz-acl") is not None
            return _caller(say.PUBLIC_ACL, _header("x-amz-acl", None) if sent else None)
        case "BlockPublicPolicy":
            return [*_caller(say.PUBLIC_POLICY), off]
        case "RestrictPublicBuckets":
            return [Part("bucket owner", "bucket policy", say.restricted(case.caller.principal.account))]
        case _ if case.caller.principal.type is not PrincipalType.ANONYMOUS and finding.authorization is not None:
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
    return grants([replace(finding, layer="bucket-policy", effect="implicit", policy=policy)], case, missing_key=False)


def _foreign_object(finding: Finding, case: Case) -> list[Part]:
    """The object's owner grants in its ACL; the bucket's owner may take over all objects instead."""
    assert finding.authorization is not None
    requirement, account = finding.authorization.requirement, case.caller.principal.account
    permission = needed_permission(requirement.action)
    owner = case.snapshot.bucket(requirement.bucket or "").account
    own = account is not None and owner is not UNKNOWN and account == owner
    parts: list[Part] = []
    if permission is not None and account is not None:

        def grant(draft: Draft) -> None:
            draft.append({"grantee": account, "permission": permission}, "policies", "acl", "object_grants")

        words = say.object_acl(finding.actual, permission, account, requirement.resource, own=own)
        parts.append(Part("bucket owner", f"ACL of {requirement.resource}", words, grant))

    def enforce(draft: Draft) -> None:
        draft.put("BucketOwnerEnforced", "policies", "object_ownership")

    where = f"Object Ownership of {requirement.bucket}"
    return [*parts, Part("bucket owner", where, say.ENFORCE_OWNERSHIP, enforce, exact=False)]


def _network_origin(finding: Finding, case: Case) -> list[Part]:
    return [Part("caller", "the request", say.from_vpc(finding.expected))]


_REMEDIES: Mapping[str, _Remedy] = {
    "clock-skew": _in_words(say.CLOCK),
    "presigned-expired": _in_words(say.EXPIRED),
    "headers-not-signed": _unsigned_header,
    "signature-mismatch": _signature,
    "unknown-access-key": _access_key,
    "account-problem": _in_words(say.ACCOUNT_PROBLEM),
    "cors": lambda finding, case: [Part("bucket owner", "CORS configuration", say.CORS)],
    "post-policy": _in_words(say.POST_POLICY),
    "expected-bucket-owner": _expected_owner,
    "requester-pays": _requester_pays,
    "archived-object": _in_words(say.ARCHIVED),
    "object-lock": _object_lock,
    "mfa-delete": _in_words(say.MFA_DELETE),
    "sse-c-blocked": _sse_c,
    "block-public-access": _block_public_access,
    "acl": _acl,
    "access-point-policy": _network_origin,
}

"""Whom S3 saw: from what a call declares, what S3's message names, or what the request is signed with.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

from dataclasses import replace

from denyproxy.exchange import DeniedCall
from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
from denyproxy.iam.truth import Truth
from denyproxy.s3.arn import Arn
from denyproxy.s3.error import S3Error, parse_denial_message, parse_error
from denyproxy.s3.form import is_form, parse_form
from denyproxy.s3.request import Caller, KnownBy
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.sigv4.credential import SIGV4, Credential, CredentialKind, credential_of_form, parse_credential

_AUTH_TYPES = {
    CredentialKind.HEADER: "REST-HEADER",
    CredentialKind.QUERY: "REST-QUERY-STRING",
    CredentialKind.POST: "POST",
}
_SESSIONS = (PrincipalType.ROLE_SESSION, PrincipalType.FEDERATED)
_SIGNED = Credential(CredentialKind.HEADER, algorithm=SIGV4)
"""A scenario tells who signed, and seldom how."""


def call_credential(call: DeniedCall, credential: Credential | None = None) -> Credential:
    """What the request that S3 saw is signed with, the form of a browser-based upload included.

    `credential`: that of its head, where it has been read already."""
    credential = credential or parse_credential(call.upstream_request)
    if credential.kind is not CredentialKind.ANONYMOUS:
        return credential
    fields = parse_form(call.body, call.upstream_request.header("content-type"))
    return credential_of_form(fields) if fields is not None else credential


def identify_caller(
    call: DeniedCall, snapshot: PolicySnapshot, error: S3Error | None = None, credential: Credential | None = None
) -> Caller:
    """The caller, and how it is known. `error`, that of the whole response, and `credential`, that of the request's
    head, need not be read again where they are given.

    What is declared comes first; then S3's own message, which names whom it saw; then the access key. A request that
    is not signed is anonymous; one signed with a key that nobody knows is of an unknown principal."""
    credential = call_credential(call, credential)
    principal, known_by = _principal(call, snapshot, credential, error)
    signed = principal.type is not PrincipalType.ANONYMOUS
    if signed and call.declared.closed and credential.kind is CredentialKind.ANONYMOUS:
        credential = _SIGNED
    return Caller(
        principal=principal,
        known_by=known_by,
        access_key_id=credential.access_key_id,
        auth_type=_AUTH_TYPES.get(credential.kind) if signed else None,
        signature_version=credential.algorithm if signed else None,
        temporary=_temporary(principal, credential),
    )


def _principal(
    call: DeniedCall, snapshot: PolicySnapshot, credential: Credential, error: S3Error | None
) -> tuple[Principal, KnownBy]:
    declared = call.declared
    if declared.principal is not None:
        principal = parse_principal(declared.principal, declared.principal_role, snapshot, assume_path="/")
        account = declared.principal_account or principal.account
        return _with_facts(replace(principal, account=account), snapshot), KnownBy.DECLARED
    key = credential.access_key_id
    listed = snapshot.access_keys.get(key) if key is not None else None
    named = _named_by_s3(call, error)
    if named is not None and named != listed:
        return _found(named, snapshot), KnownBy.UPSTREAM_MESSAGE
    if call.resigned is not None and (signer := call.resigned.signer or listed) is not None:
        return _found(signer, snapshot), KnownBy.PROXY_CREDENTIALS
    if listed is not None:
        return _found(listed, snapshot), KnownBy.ACCESS_KEYS
    if credential.kind is CredentialKind.ANONYMOUS and not _signs_in_its_body(call):
        return ANONYMOUS, KnownBy.NONE
    return _with_facts(Principal(PrincipalType.UNKNOWN), snapshot), KnownBy.NONE


def _signs_in_its_body(call: DeniedCall) -> bool:
    """Is it a form whose fields, which name the signer, were not kept?"""
    return call.body is None and call.request.method == "POST" and is_form(call.request.header("content-type"))


_CALLERS_BOUND = 4096


def _found(text: str, snapshot: PolicySnapshot) -> Principal:
    """The principal of an ARN, with what the snapshot knows of it. Looked for once: a role may be one of thousands."""
    principal = snapshot.callers.get(text)
    if principal is None:
        principal = _with_facts(parse_principal(text, None, snapshot), snapshot)
        if len(snapshot.callers) >= _CALLERS_BOUND:
            snapshot.callers.clear()
        snapshot.callers[text] = principal
    return principal


def _named_by_s3(call: DeniedCall, error: S3Error | None) -> str | None:
    """The ARN in S3's message, where it is one of a caller (documents also print impossible ones)."""
    if call.response is None or not call.response_body:
        return None
    error = error or parse_error(call.response, call.response_body, call.request.method)
    denial = parse_denial_message(error.message)
    if denial is None or denial.principal is None:
        return None
    return denial.principal if _type(denial.principal) is not PrincipalType.UNKNOWN else None


def parse_principal(
    text: str, issuer: str | None = None, snapshot: PolicySnapshot | None = None, *, assume_path: str | None = None
) -> Principal:
    """A principal from its ARN, the name of a service, or `anonymous`; of type UNKNOWN if it is none of these.

    A session's ARN does not show its role's path: `issuer` tells the role, else the snapshot, if it knows a role of
    that name; else `assume_path`, if one is given."""
    if text == "anonymous":
        return ANONYMOUS
    kind = _type(text)
    arn = Arn.parse(text)
    if arn is None:
        return Principal(kind, text if kind is PrincipalType.SERVICE else None)
    if kind is PrincipalType.ROLE_SESSION:
        if issuer is None:
            issuer = text if arn.service == "iam" else _role_behind(arn, snapshot, assume_path)
        return Principal(kind, text, arn.account, issuer)
    return Principal(kind, text, arn.account, issuer if kind is PrincipalType.FEDERATED else None)


_BY_RESOURCE = {
    ("iam", "user"): PrincipalType.USER,
    ("iam", "role"): PrincipalType.ROLE_SESSION,
    ("iam", "root"): PrincipalType.ROOT,
    ("sts", "assumed-role"): PrincipalType.ROLE_SESSION,
    ("sts", "federated-user"): PrincipalType.FEDERATED,
}


def _type(text: str) -> PrincipalType:
    arn = Arn.parse(text)
    if arn is not None:
        return _BY_RESOURCE.get((arn.service, arn.resource.partition("/")[0]), PrincipalType.UNKNOWN)
    service = text.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")) and "/" not in text
    return PrincipalType.SERVICE if service else PrincipalType.UNKNOWN


def _role_behind(session: Arn, snapshot: PolicySnapshot | None, assume_path: str | None) -> str | None:
    """The role of an assumed-role ARN. Role names are unique in an account, whatever their path."""
    name = session.resource.split("/")[1] if session.resource.count("/") else ""
    prefix = f"arn:{session.partition}:iam::{session.account}:role/"
    if f"{prefix}{name}" in (snapshot.principals if snapshot is not None else ()):
        return f"{prefix}{name}"
    for arn in snapshot.principals if snapshot is not None else ():
        if arn.startswith(prefix) and arn.endswith(f"/{name}"):
            return arn
    return None if assume_path is None else f"{prefix}{assume_path.removeprefix('/')}{name}"


def _with_facts(principal: Principal, snapshot: PolicySnapshot) -> Principal:
    """Add the unique id, and whether it has a permissions boundary."""
    if principal.type is PrincipalType.UNKNOWN:
        return replace(principal, bounded=Truth.UNKNOWN)
    if principal.type not in (PrincipalType.USER, *_SESSIONS):
        return principal
    holder = principal.arn if principal.type is PrincipalType.USER else principal.issuer
    if holder is None:
        return replace(principal, bounded=Truth.UNKNOWN)
    facts = snapshot.principal(holder)
    bounded = Truth.NO
    if facts.boundary is not None:
        bounded = Truth.YES if facts.boundary.complete and facts.boundary.policies else Truth.UNKNOWN
    if facts.unique_id is principal.unique_id and bounded is principal.bounded:
        return principal
    return replace(principal, unique_id=facts.unique_id, bounded=bounded)


def _temporary(principal: Principal, credential: Credential) -> Truth:
    key = credential.access_key_id
    if principal.type is PrincipalType.ANONYMOUS:
        return Truth.NO
    if credential.has_session_token or principal.type in _SESSIONS or (key or "").startswith("ASIA"):
        return Truth.YES
    return Truth.UNKNOWN if key is None else Truth.NO

"""A denied call as a scenario document, with all that bears on it: what patches refer to, and what anyone can check.

No secret gets in: neither signature nor token nor customer key, only the header fields that authorization looks at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from denyproxy.exchange import DeniedCall
from denyproxy.explain.case import Case
from denyproxy.explain.evidence import Evidence
from denyproxy.explain.exported_context import stated_context, values_state
from denyproxy.explain.exported_state import bucket_state, grants_state, put_object
from denyproxy.explain.record import kept_headers
from denyproxy.iam.document import PolicyList
from denyproxy.iam.layers import PolicySet
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.authorization import Authorization
from denyproxy.s3.error import S3Error, errors_in_success, parse_error
from denyproxy.s3.form import is_form
from denyproxy.s3.gates import block_public_access
from denyproxy.s3.operation import POST_OBJECT
from denyproxy.s3.other_resources import RESOURCE_POLICY
from denyproxy.s3.public_access import SETTINGS, effective
from denyproxy.s3.request import Caller, Role, S3Request
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.sigv4.credential import SIGV2
from denyproxy.sigv4.wire import SECRET_FIELDS, utc_text

Document = dict[str, Any]

_OMITTED_QUERY = SECRET_FIELDS | {"awsaccesskeyid"}
"""Without its signature, a query of Signature Version 2 is none."""
_OMITTED_HEADERS = frozenset({"user-agent"})
_DOCUMENT = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{]")
"""XML or JSON; a form holds a signature, whatever its headers call it."""


def scenario_of(case: Case) -> Document | None:
    """The call as a scenario (see scenario.schema.json): explaining it gives the same cause.

    None where the format has no place for it: a caller that is not known, an operation that was not recognised, an
    access point that is not loaded, or two buckets with policies of their own (copies)."""
    document = outline_of(case)
    if document is None:
        return None
    document = stated_context(document, case)
    if case.call.response is not None:
        document["response"] = _response(case.call, case.request)
    return document


def outline_of(case: Case) -> Document | None:
    """The question alone, without the condition keys that only a live call knows; enough to change policies in."""
    return _Export(case.call, case.request, case.caller, case.snapshot, case.evidence).outline()


@dataclass(frozen=True, slots=True)
class _Export:
    call: DeniedCall
    request: S3Request
    caller: Caller
    snapshot: PolicySnapshot
    evidence: Evidence

    def outline(self) -> Document | None:
        if not self._has_a_place():
            return None
        unknown: dict[str, None] = dict.fromkeys(sorted(self.call.declared.unknown))
        policies = self._policies(unknown)
        document: Document = {"id": self.call.id, "request": self._request()}
        document["resource_state"] = self._resource_state(unknown)
        document["policies"] = policies
        if unknown:
            document["unknown"] = list(unknown)
        return document

    def _has_a_place(self) -> bool:
        declared, request = self.call.declared, self.request
        if self.caller.principal.type is PrincipalType.UNKNOWN or not self.evidence.authorizations:
            return False
        if request.operation is None and declared.action is None:
            return False
        if request.alias is not None:
            return False
        if request.access_point is not None and request.access_point not in self.snapshot.access_points:
            return False
        keys = {item.requirement.kms_key for item in self._with_role(Role.KMS)}
        return len(keys) <= 1 and (self._source_is_plain() or declared.closed)

    def _source_is_plain(self) -> bool:
        """Is the source of a copy in the same bucket, or in one that has no policies?"""
        source, request = self.request.copy_source, self.request
        if source is None or source.bucket == request.bucket:
            return True
        own, other = self.snapshot.bucket(request.bucket or ""), self.snapshot.bucket(source.bucket)
        plain = other.policy == PolicyList() and other.object_ownership == "BucketOwnerEnforced"
        return plain and other.account is not UNKNOWN and other.account == own.account

    def _with_role(self, role: Role) -> list[Authorization]:
        return [item for item in self.evidence.authorizations if item.requirement.role is role]

    def _main(self) -> Authorization:
        """The authorization whose layers stand for all: on the request's own bucket, if there is one."""
        found = self.evidence.authorizations
        own = [item for item in found if item.requirement.role is not Role.KMS and not item.requirement.source]
        return (own or list(found))[0]

    # The request

    def _request(self) -> Document:
        declared, request, principal = self.call.declared, self.request, self.caller.principal
        said: Document = {}
        if declared.action is not None:
            said |= {"action": declared.action, "resource": declared.resource}
        else:
            said |= {"operation": request.operation, "method": request.method}
        bucket = request.access_point or request.bucket
        said |= {"bucket": bucket, "key": request.key, "query": self._query(), "headers": self._headers()}
        body = self._body()
        if body is not None:
            said["body"] = body
        if request.region is not None:
            said["region"] = request.region
        said |= {
            "principal": "anonymous" if principal.type is PrincipalType.ANONYMOUS else principal.arn,
            "principal_role": principal.issuer,
            "principal_account": principal.account,
            "resource_account": self._owner(),
            "context": _context(declared.context) if declared.closed else {},
        }
        time = request.signed_time or self.call.sent
        if time is not None:
            said["time"] = utc_text(time)
        return said

    def _query(self) -> dict[str, str]:
        pairs = (pair for pair in reversed(self.request.query) if pair[0].lower() not in _OMITTED_QUERY)
        return dict(reversed(list(dict(pairs).items())))

    def _headers(self) -> dict[str, str]:
        """Those on the wire: what a presigned URL carries stands in the query, if it still is one. Of a form, which
        is not kept, the fields that mean the same."""
        kept = kept_headers(dict(self.request.headers))
        all_of_them = self.caller.signature_version == SIGV2 or self.request.operation == POST_OBJECT
        sent = kept.keys() if all_of_them else self.request.sent_headers
        return {name: value for name, value in kept.items() if name in sent and name not in _OMITTED_HEADERS}

    def _body(self) -> str | None:
        body = self.request.body
        if not body or not _DOCUMENT.match(body) or is_form(self.request.header("content-type")):
            return None
        try:
            return body.decode()
        except UnicodeDecodeError:
            return None

    def _owner(self) -> str | None:
        declared = self.call.declared.resource_account
        if declared is not None or self.request.bucket is None:
            return declared
        account = self.snapshot.bucket(self.request.bucket).account
        return None if account is UNKNOWN else account

    # The resources

    def _resource_state(self, unknown: dict[str, None]) -> Document:
        state: Document = {}
        request = self.request
        if request.bucket is not None and request.key is not None:
            put_object(state, "object", self.snapshot, (request.bucket, request.key))
        source = request.copy_source
        if source is not None:
            put_object(state, "source_object", self.snapshot, (source.bucket, source.key))
        if request.bucket is not None:
            facts = self.snapshot.bucket(request.bucket)
            if facts.request_payer is UNKNOWN:
                unknown["requester-pays"] = None
            state["bucket"] = bucket_state(facts)
        self._object_unknowns(unknown)
        kms = self._with_role(Role.KMS)
        if kms:
            account = self.snapshot.kms_key(kms[0].requirement.kms_key).account
            state["kms"] = {} if account is UNKNOWN else {"account": account}
            if self.call.declared.kms_context:
                state["kms"]["context"] = dict(self.call.declared.kms_context)
        return state

    def _object_unknowns(self, unknown: dict[str, None]) -> None:
        """The layers of S3's own for which a fact is missing, as S3's gates found."""
        gates = {item.layer for item in self.evidence.refusals if item.truth is Truth.UNKNOWN}
        unknown.update(dict.fromkeys(sorted(gates & {"archived-object", "object-lock"})))

    # The policies

    def _policies(self, unknown: dict[str, None]) -> Document:
        policies = self._main().policies
        found: Document = {"identity": _named("identity", policies.identity, unknown)}
        for member, layer, listing in (
            ("permissions_boundary", "permissions-boundary", policies.boundary),
            ("session", "session-policy", policies.session),
        ):
            if listing is not None:
                entries = _named(layer, listing, unknown)
                if member == "session" and (entries or listing.complete):
                    found[member] = entries
                elif entries:
                    found[member] = entries[0]
        for layer, levels in (("scp", policies.scp), ("rcp", policies.rcp)):
            if levels is not None:
                named = [_named(layer, level, unknown) for level in levels]
                found |= {layer: named} if any(named) else {}
        if policies.vpc_endpoint is not None:
            self._put(found, "vpc_endpoint_policy", "vpc-endpoint-policy", policies.vpc_endpoint, unknown)
        self._resource_policies(found, policies, unknown)
        if self.request.bucket is not None:
            self._access_control(found, unknown)
        return found

    def _resource_policies(self, found: Document, policies: PolicySet, unknown: dict[str, None]) -> None:
        point = self.snapshot.access_points.get(self.request.access_point or "")
        if point is not None:
            found["access_point"] = {"name": point.name, "arn": point.arn, "bucket": point.bucket, "policy": None}
        layers = [
            layer
            for item in (policies, *(item.policies for item in self._with_role(Role.KMS)[:1]))
            for layer in item.resource
        ]
        for layer in layers:
            if layer.layer == "access-point-policy" and point is not None:
                self._put(found["access_point"], "policy", layer.layer, layer.policies, unknown)
            elif layer.layer in ("bucket-policy", "kms-key-policy"):
                self._put(found, layer.layer.replace("-", "_"), layer.layer, layer.policies, unknown)
            elif layer.layer == RESOURCE_POLICY:
                unknown[layer.layer] = None

    @staticmethod
    def _put(found: Document, member: str, layer: str, listing: PolicyList, unknown: dict[str, None]) -> None:
        entries = _named(layer, listing, unknown)
        if entries:
            found[member] = entries[0]["document"]

    def _access_control(self, found: Document, unknown: dict[str, None]) -> None:
        facts = self.snapshot.bucket(self.request.bucket or "")
        point = self.snapshot.access_points.get(self.request.access_point or "")
        places = block_public_access(self.request.bucket, point, self.snapshot)
        settings = {name: effective(name, places) for name in SETTINGS}
        if Truth.UNKNOWN in settings.values():
            unknown["block-public-access"] = None
        found["block_public_access"] = {name: truth is Truth.YES for name, truth in settings.items()}
        ownership = facts.object_ownership
        stored = self.snapshot.object(facts.name, self.request.key or "")
        object_grants = () if stored is None else stored.grants
        owner = facts.account if stored is None else stored.owner_account
        if ownership is UNKNOWN or (
            ownership != "BucketOwnerEnforced" and UNKNOWN in (facts.grants, object_grants, owner)
        ):
            unknown["acl"] = None
        if ownership is not UNKNOWN:
            found["object_ownership"] = ownership
        found["acl"] = {"object_grants": grants_state(object_grants), "bucket_grants": grants_state(facts.grants)}


def _named(layer: str, listing: PolicyList, unknown: dict[str, None]) -> list[Document]:
    if not listing.complete:
        unknown[layer] = None
    return [
        {"name": policy.name, **({} if policy.arn is None else {"arn": policy.arn}), "document": policy.document}
        for policy in listing.policies
    ]


def _response(call: DeniedCall, request: S3Request) -> Document:
    response = call.response
    assert response is not None
    said: Document = {"status": response.status}
    if response.status == 200:
        said["body"] = _errors_inside(errors_in_success(request.operation, call.response_body))
    else:
        error = parse_error(response, call.response_body, call.request.method)
        said |= {"code": error.code, "message": error.message}
        details = {name: error.elements[name] for name in _TELLING if name in error.elements}
        if details:
            parts = {"Code": error.code, "Message": error.message} | details
            elements = (f"<{name}>{escape(text)}</{name}>" for name, text in parts.items() if text is not None)
            said["body"] = f"<Error>{''.join(elements)}</Error>"
    return said | {"time": utc_text(call.received)}


_TELLING = ("HeadersNotSigned", "Expires", "RequestTime", "ServerTime", "StorageClass", "AccessTier", "AWSAccessKeyId")
"""What else of an error is evidence, and no secret."""


def _errors_inside(errors: tuple[S3Error, ...]) -> str:
    """What a successful answer says was denied (its keys, or all of it), made again from the named members."""
    parts = (("Key", "key"), ("VersionId", "version_id"), ("Code", "code"), ("Message", "message"))
    entries = [
        "".join(f"<{tag}>{escape(value)}</{tag}>" for tag, name in parts if (value := getattr(error, name)) is not None)
        for error in errors
    ]
    text = "".join(f"<Error>{entry}</Error>" for entry in entries)
    return f"<DeleteResult>{text}</DeleteResult>" if any(error.key is not None for error in errors) else text


def _context(declared: Mapping[str, tuple[str, ...] | None]) -> Document:
    return {key: None if values is None else values_state(values) for key, values in declared.items()}

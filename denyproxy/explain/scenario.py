"""The scenario file: one denied call with all that is needed to explain it. See denyproxy/schema/scenario.schema.json.

A scenario is a closed world: a layer or key that is not given is absent, unless `unknown` lists it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from pydantic import BaseModel, ConfigDict, ValidationError

from denyproxy.exchange import Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.iam.document import UNKNOWN_POLICIES, Policy, PolicyError, PolicyList
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.snapshot import (
    UNKNOWN_BLOCK_PUBLIC_ACCESS,
    AccessPointFacts,
    AccountFacts,
    AclGrant,
    BlockPublicAccess,
    BucketFacts,
    KmsKeyFacts,
    ObjectFacts,
    PolicySnapshot,
    PrincipalFacts,
)


class ScenarioError(ValueError):
    """A file that is not a scenario; the text names the place and what is wrong there."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class NamedPolicy(_Model):
    """A policy document under its name."""

    name: str
    arn: str | None = None
    document: dict[str, Any]


class Raw(_Model):
    """A request as it was on the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]


class Request(_Model):
    """What was asked, by whom."""

    operation: str | None = None
    method: str | None = None
    bucket: str | None = None
    key: str | None = None
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: str | None = None
    action: str | None = None
    resource: str | None = None
    raw: Raw | None = None
    region: str | None = None
    principal: str | None = None
    principal_role: str | None = None
    principal_account: str | None = None
    resource_account: str | None = None
    context: dict[str, str | list[str] | None] = {}
    time: datetime | None = None


class Lock(_Model):
    """Object Lock of a version."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = None
    retain_until: datetime | None = None
    legal_hold: bool = False


class StoredObject(_Model):
    """Facts of a stored object."""

    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: str | None = None
    kms_key_alias: str | None = None
    bucket_key: bool = False
    tags: dict[str, str] = {}
    owner_account: str | None = None
    storage_class: str | None = None
    restored: bool = False
    delete_marker: bool = False
    lock: Lock = Lock()


class DefaultEncryption(_Model):
    """Default encryption of a bucket."""

    algorithm: str | None = None
    kms_key_id: str | None = None


class BucketState(_Model):
    """Facts of a bucket that are no policies."""

    request_payer: Literal["Requester", "BucketOwner"] = "BucketOwner"
    default_encryption: DefaultEncryption = DefaultEncryption()
    tags: dict[str, str] = {}
    abac: bool = False


class KmsState(_Model):
    """The key that the object or bucket names."""

    account: str | None = None
    context: dict[str, str] = {}


class ResourceState(_Model):
    """Facts of the resources. A member that is null differs from one that is not given."""

    object: StoredObject | None = None
    source_object: StoredObject | None = None
    bucket: BucketState = BucketState()
    kms: KmsState = KmsState()


class AccessPoint(_Model):
    """The access point through which the request came."""

    name: str
    arn: str
    bucket: str
    policy: dict[str, Any] | None = None
    resource: str | None = None


class AclEntry(_Model):
    """One grant."""

    grantee: str
    permission: Literal["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"]


class Acl(_Model):
    """Grants on the object and on the bucket."""

    object_grants: list[AclEntry] = []
    bucket_grants: list[AclEntry] = []


class BlockPublicAccessSetting(_Model):
    """The effective setting."""

    BlockPublicAcls: bool = False
    IgnorePublicAcls: bool = False
    BlockPublicPolicy: bool = False
    RestrictPublicBuckets: bool = False


class Policies(_Model):
    """All that bears on the call."""

    identity: list[NamedPolicy] = []
    bucket_policy: dict[str, Any] | None = None
    permissions_boundary: NamedPolicy | None = None
    session: list[NamedPolicy] | None = None
    scp: list[list[NamedPolicy]] | None = None
    rcp: list[list[NamedPolicy]] | None = None
    vpc_endpoint_policy: dict[str, Any] | None = None
    kms_key_policy: dict[str, Any] | None = None
    access_point: AccessPoint | None = None
    acl: Acl = Acl()
    block_public_access: BlockPublicAccessSetting = BlockPublicAccessSetting()
    object_ownership: Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] = "BucketOwnerEnforced"


class Response(_Model):
    """What S3 answered."""

    status: int
    code: str | None = None
    message: str | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    time: datetime | None = None


class Scenario(_Model):
    """One scenario. `expect` and `allowed_if` are for tests; nothing here reads them."""

    id: str = ""
    title: str = ""
    source: str = ""
    request: Request
    resource_state: ResourceState = ResourceState()
    policies: Policies
    unknown: list[str] = []
    response: Response | None = None
    expect: Any = None
    allowed_if: Any = None

    @classmethod
    def parse(cls, text: str | bytes) -> Scenario:
        """Read a scenario file. Raises ScenarioError naming the place."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ScenarioError(f"not JSON: {error}") from None
        return cls.validate_document(document)

    @classmethod
    def validate_document(cls, document: Any) -> Scenario:
        """Validate a scenario that is already JSON data. Raises ScenarioError naming the place."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            raise ScenarioError(f"{place}: {first['msg']}") from None

    def denied_call(self, now: datetime) -> DeniedCall:
        """The call. `now` is the time of evaluation where the scenario gives none."""
        request, response = self.request, self.response
        sent = _utc(request.time)
        received = _utc(response.time if response else None) or sent or now
        head = self._head()
        body = request.body.encode() if request.body is not None else None
        return DeniedCall(
            id=self.id,
            request=head,
            upstream_request=head,
            response=None if response is None else _response_head(response),
            received=received,
            body=body,
            response_body=None if response is None else _error_document(response, head.method),
            secure=True,
            mode="scenario",
            sent=sent or received,
            declared=self._declared(),
        )

    def _head(self) -> RequestHead:
        request = self.request
        if request.raw is not None:
            return RequestHead(request.raw.method, request.raw.target, tuple(request.raw.headers))
        path = "/"
        if request.bucket is not None:
            path += quote(request.bucket, safe=":")
            if request.key is not None:
                path += "/" + quote(request.key, safe="/")
        query = urlencode(request.query, quote_via=quote)
        target = f"{path}?{query}" if query else path
        host = f"s3.{request.region or 'us-east-1'}.amazonaws.com"
        headers = (("Host", host), *request.headers.items())
        return RequestHead(request.method or "GET", target, headers)

    def _declared(self) -> Declared:
        request = self.request
        context = {
            key: None if value is None else (value,) if isinstance(value, str) else tuple(value)
            for key, value in request.context.items()
        }
        return Declared(
            principal=request.principal,
            principal_role=request.principal_role,
            principal_account=request.principal_account,
            resource_account=request.resource_account,
            operation=request.operation,
            action=request.action,
            resource=request.resource,
            bucket=request.bucket,
            key=request.key,
            region=request.region,
            context=context,
            unknown=frozenset(name.lower() for name in self.unknown),
            kms_context=self.resource_state.kms.context,
            closed=True,
        )

    def snapshot(self) -> PolicySnapshot:
        """The facts, as a snapshot of a closed world. Raises ScenarioError for an invalid policy document."""
        return _Facts(self).snapshot()


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _response_head(response: Response) -> ResponseHead:
    return ResponseHead(response.status, "", tuple(response.headers.items()))


def _error_document(response: Response, method: str) -> bytes:
    if response.body is not None:
        return response.body.encode()
    if response.code is None or method == "HEAD":
        return b""
    code, message = escape(response.code), escape(response.message or "")
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


class _Facts:
    """Builds the snapshot of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.policies = scenario.policies
        self.unknown = frozenset(scenario.unknown)

    def snapshot(self) -> PolicySnapshot:
        request, state = self.scenario.request, self.scenario.resource_state
        owner: str | Unknown = request.resource_account or request.principal_account or UNKNOWN
        bucket = self._bucket(owner)
        principal = PrincipalFacts(
            "",
            identity=self._named("identity", self.policies.identity),
            boundary=self._optional("permissions-boundary", self.policies.permissions_boundary),
            session=self._session(),
            tags={},
        )
        account = AccountFacts(
            block_public_access=BlockPublicAccess(),
            organization_id=None,
            organization_path=None,
            management=False,
            scp=self._levels("scp", self.policies.scp),
            rcp=self._levels("rcp", self.policies.rcp),
        )
        key = KmsKeyFacts(
            account=state.kms.account or owner, policy=self._document("kms-key-policy", self.policies.kms_key_policy)
        )
        points: dict[str, AccessPointFacts] = {}
        if self.policies.access_point is not None:
            point = self._access_point(self.policies.access_point, owner)
            points = {point.arn: point, point.name: point}
        endpoint = self._document("vpc-endpoint-policy", self.policies.vpc_endpoint_policy)
        ordinary = self._object(StoredObject(), owner, special=False)
        return PolicySnapshot(
            revision="scenario",
            principals={},
            buckets={bucket.name: bucket},
            objects=self._objects(bucket.name, owner),
            access_points=points,
            default_principal=principal,
            default_account=account,
            default_bucket=BucketFacts(
                account=owner,
                region=request.region or UNKNOWN,
                policy=PolicyList(),
                policy_is_public=UNKNOWN,
                block_public_access=BlockPublicAccess(),
                object_ownership="BucketOwnerEnforced",
                grants=(),
                request_payer="BucketOwner",
                default_encryption=None,
                default_kms_key=None,
                bucket_key=False,
                blocked_encryption_types=(),
                versioning=None,
                mfa_delete=False,
                tags={},
                abac=False,
            ),
            default_object=ordinary,
            default_kms_key=key,
            vpc_endpoint=endpoint if endpoint.policies or not endpoint.complete else None,
        )

    def _bucket(self, owner: str | Unknown) -> BucketFacts:
        policies, state = self.policies, self.scenario.resource_state.bucket
        point = policies.access_point
        name = point.bucket if point is not None else self.scenario.request.bucket or ""
        block = UNKNOWN_BLOCK_PUBLIC_ACCESS
        if "block-public-access" not in self.unknown:
            block = BlockPublicAccess(
                policies.block_public_access.BlockPublicAcls,
                policies.block_public_access.IgnorePublicAcls,
                policies.block_public_access.BlockPublicPolicy,
                policies.block_public_access.RestrictPublicBuckets,
            )
        return BucketFacts(
            name=name,
            account=owner,
            region=self.scenario.request.region or UNKNOWN,
            policy=self._document("bucket-policy", policies.bucket_policy),
            block_public_access=block,
            object_ownership=UNKNOWN if "acl" in self.unknown else policies.object_ownership,
            grants=UNKNOWN if "acl" in self.unknown else _grants(policies.acl.bucket_grants),
            request_payer=UNKNOWN if "requester-pays" in self.unknown else state.request_payer,
            default_encryption=state.default_encryption.algorithm,
            default_kms_key=state.default_encryption.kms_key_id,
            bucket_key=False,
            blocked_encryption_types=(),
            versioning=UNKNOWN,
            mfa_delete=False,
            tags=state.tags,
            abac=state.abac,
        )

    def _objects(self, bucket: str, owner: str | Unknown) -> Mapping[tuple[str, str], ObjectFacts | None]:
        request, state = self.scenario.request, self.scenario.resource_state
        objects: dict[tuple[str, str], ObjectFacts | None] = {}
        if request.key is not None:
            if "object" in state.model_fields_set:
                stored = state.object
                objects[bucket, request.key] = None if stored is None else self._object(stored, owner, special=True)
            else:
                objects[bucket, request.key] = self._object(StoredObject(), owner, special=False)
        source = next((value for name, value in request.headers.items() if name.lower() == "x-amz-copy-source"), None)
        if source is not None and "source_object" in state.model_fields_set:
            source_bucket, source_key = _copy_source(source)
            stored = state.source_object
            objects[source_bucket, source_key] = None if stored is None else self._object(stored, owner, special=True)
        return objects

    def _object(self, stored: StoredObject, owner: str | Unknown, *, special: bool) -> ObjectFacts:
        """`special` False: nothing is known to be special about it; whether it exists is not known."""
        acl = self.policies.acl
        return ObjectFacts(
            exists=True if special else UNKNOWN,
            sse=stored.sse,
            kms_key=stored.kms_key_alias if stored.kms_key_alias == "alias/aws/s3" else stored.kms_key_id,
            bucket_key=stored.bucket_key,
            tags=stored.tags,
            owner_account=UNKNOWN if "acl" in self.unknown else stored.owner_account or owner,
            grants=UNKNOWN if "acl" in self.unknown else _grants(acl.object_grants),
            storage_class=UNKNOWN if "archived-object" in self.unknown else stored.storage_class or "STANDARD",
            restored=stored.restored,
            delete_marker=stored.delete_marker,
            lock_mode=UNKNOWN if "object-lock" in self.unknown else stored.lock.mode,
            retain_until=_utc(stored.lock.retain_until),
            legal_hold=UNKNOWN if "object-lock" in self.unknown else stored.lock.legal_hold,
        )

    def _access_point(self, point: AccessPoint, owner: str | Unknown) -> AccessPointFacts:
        account = point.arn.split(":")[4] if point.arn.count(":") >= 5 else ""
        return AccessPointFacts(
            arn=point.arn,
            name=point.name,
            bucket=point.bucket,
            account=account or (owner if isinstance(owner, str) else ""),
            policy=self._document("access-point-policy", point.policy),
            block_public_access=BlockPublicAccess(),
            vpc=None,
        )

    def _session(self) -> PolicyList | None:
        if self.policies.session is None:
            return UNKNOWN_POLICIES if "session-policy" in self.unknown else None
        return self._named("session-policy", self.policies.session)

    def _optional(self, layer: str, policy: NamedPolicy | None) -> PolicyList | None:
        if layer in self.unknown:
            return UNKNOWN_POLICIES
        return None if policy is None else PolicyList((self._parse(layer, policy),))

    def _named(self, layer: str, policies: list[NamedPolicy]) -> PolicyList:
        if layer in self.unknown:
            return UNKNOWN_POLICIES
        return PolicyList(tuple(self._parse(layer, policy) for policy in policies))

    def _levels(self, layer: str, levels: list[list[NamedPolicy]] | None) -> tuple[PolicyList, ...] | None:
        if layer in self.unknown:
            return (UNKNOWN_POLICIES,)
        if not levels:
            return None
        return tuple(PolicyList(tuple(self._parse(layer, policy) for policy in level)) for level in levels)

    def _document(self, layer: str, document: dict[str, Any] | None) -> PolicyList:
        if layer in self.unknown:
            return UNKNOWN_POLICIES
        if document is None:
            return PolicyList()
        return PolicyList((self._parse(layer, NamedPolicy(name=POLICY_NAMES[layer], document=document)),))

    def _parse(self, layer: str, policy: NamedPolicy) -> Policy:
        try:
            return Policy.parse(policy.document, name=policy.name, arn=policy.arn)
        except PolicyError as error:
            raise ScenarioError(f"policies, {layer} {policy.name!r}: {error}") from None


POLICY_NAMES = {
    "bucket-policy": "bucket policy",
    "access-point-policy": "access point policy",
    "vpc-endpoint-policy": "VPC endpoint policy",
    "kms-key-policy": "KMS key policy",
}
"""Layers whose policy has no name of its own, and what it is called."""


def _grants(entries: list[AclEntry]) -> tuple[AclGrant, ...]:
    return tuple(AclGrant(entry.grantee, entry.permission) for entry in entries)


def _copy_source(header: str) -> tuple[str, str]:
    from denyproxy.s3.operation import parse_copy_source

    source = parse_copy_source(header)
    return (source.bucket, source.key) if source is not None else ("", "")

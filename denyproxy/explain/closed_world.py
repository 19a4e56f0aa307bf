"""A scenario's facts as a snapshot of a closed world: a layer or fact that is not given is absent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from denyproxy.exchange import RequestHead
from denyproxy.explain.scenario_format import (
    AccessPoint,
    AclEntry,
    NamedPolicy,
    Policies,
    Request,
    ResourceState,
    ScenarioError,
    StoredObject,
)
from denyproxy.iam.document import UNKNOWN_POLICIES, Policy, PolicyList
from denyproxy.iam.parsing import PolicyError
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.addressing import parse_address
from denyproxy.s3.arn import Arn
from denyproxy.s3.operation import parse_copy_source
from denyproxy.s3.snapshot import (
    AWS_MANAGED_KEY,
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
from denyproxy.sigv4.wire import split_target


def in_utc(time: datetime | None) -> datetime | None:
    """A time as aware UTC; a naive one is taken for UTC."""
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class ClosedWorld:
    """Builds the snapshot of one scenario. Raises ScenarioError for an invalid policy document."""

    def __init__(
        self,
        request: Request,
        state: ResourceState,
        policies: Policies,
        unknown: Collection[str],
        compiled: Iterable[Policy] = (),
    ) -> None:
        """`compiled`: policies that need not be compiled again, nor the statements that a change left as they are."""
        self.compiled = {id(policy.document["Statement"]): policy for policy in compiled}
        self.request = request
        self.state = state
        self.policies = policies
        self.unknown = frozenset(unknown)
        self.bucket, self.key = _addressed(request)

    def snapshot(self) -> PolicySnapshot:
        """The facts of the scenario, as a snapshot."""
        request, state = self.request, self.state
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
            points = {point.arn: point, point.name: point, self.bucket or point.name: point}
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
            kms_keys=self._managed_key(key),
            default_kms_key=key,
            vpc_endpoint=endpoint if endpoint.policies or not endpoint.complete else None,
        )

    def _bucket(self, owner: str | Unknown) -> BucketFacts:
        policies, state = self.policies, self.state.bucket
        point = policies.access_point
        name = point.bucket if point is not None else self.bucket or ""
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
            region=self.request.region or UNKNOWN,
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

    def _managed_key(self, key: KmsKeyFacts) -> Mapping[str, KmsKeyFacts]:
        """The AWS managed key, where the scenario tells its ARN as well."""
        stored = (self.state.object, self.state.source_object)
        managed = (item.kms_key_id for item in stored if item is not None and item.kms_key_alias == AWS_MANAGED_KEY)
        arn = next((text for text in managed if text is not None), None)
        return {} if arn is None else {AWS_MANAGED_KEY: replace(key, arn=arn)}

    def _objects(self, bucket: str, owner: str | Unknown) -> Mapping[tuple[str, str], ObjectFacts | None]:
        request, state = self.request, self.state
        objects: dict[tuple[str, str], ObjectFacts | None] = {}
        if self.key is not None:
            if "object" in state.model_fields_set:
                stored = state.object
                objects[bucket, self.key] = None if stored is None else self._object(stored, owner, special=True)
            else:
                objects[bucket, self.key] = self._object(StoredObject(), owner, special=False)
        headers = request.headers.items() if request.raw is None else request.raw.headers
        source = next((value for name, value in headers if name.lower() == "x-amz-copy-source"), None)
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
            kms_key=stored.kms_key_alias if stored.kms_key_alias == AWS_MANAGED_KEY else stored.kms_key_id,
            bucket_key=stored.bucket_key,
            tags=stored.tags,
            owner_account=UNKNOWN if "acl" in self.unknown else stored.owner_account or owner,
            grants=UNKNOWN if "acl" in self.unknown else _grants(acl.object_grants),
            storage_class=UNKNOWN if "archived-object" in self.unknown else stored.storage_class or "STANDARD",
            restored=stored.restored,
            delete_marker=stored.delete_marker,
            lock_mode=UNKNOWN if "object-lock" in self.unknown else stored.lock.mode,
            retain_until=in_utc(stored.lock.retain_until),
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
        if policy is None:
            return UNKNOWN_POLICIES if layer in self.unknown else None
        return self._named(layer, [policy])

    def _named(self, layer: str, policies: list[NamedPolicy]) -> PolicyList:
        """A layer that is given and yet listed as unknown is known in part."""
        known = layer not in self.unknown
        return PolicyList(tuple([self._parse(layer, item.name, item.arn, item.document) for item in policies]), known)

    def _levels(self, layer: str, levels: list[list[NamedPolicy]] | None) -> tuple[PolicyList, ...] | None:
        if not levels:
            return (UNKNOWN_POLICIES,) if layer in self.unknown else None
        return tuple(self._named(layer, level) for level in levels)

    def _document(self, layer: str, document: dict[str, Any] | None) -> PolicyList:
        given = () if document is None else (self._parse(layer, POLICY_NAMES[layer], None, document),)
        return PolicyList(given, layer not in self.unknown)

    def _parse(self, layer: str, name: str, arn: str | None, document: dict[str, Any]) -> Policy:
        known = self.compiled.get(id(document.get("Statement")))
        if known is not None and known.name == name and known.arn == arn and known.document == document:
            return known
        before = (policy for policy in self.compiled.values() if policy.name == name and policy.arn == arn)
        statements = {place: item for policy in before for place, item in policy.compiled().items()}
        try:
            return Policy.parse(document, name=name, arn=arn, compiled=statements)
        except PolicyError as error:
            raise ScenarioError(f"policies, {layer} {name!r}: {error}") from None


def _addressed(request: Request) -> tuple[str | None, str | None]:
    """The bucket and the key that a request names: as such, by an ARN, or on the wire."""
    if request.raw is not None:
        host, path, _ = split_target(RequestHead(request.raw.method, request.raw.target, tuple(request.raw.headers)))
        address = parse_address(host, path)
        return address.bucket, address.key
    arn = Arn.parse(request.resource) if request.resource is not None else None
    if request.bucket is None and arn is not None and arn.service == "s3":
        bucket, _, key = arn.resource.partition("/")
        return bucket or None, key or None
    return request.bucket, request.key


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
    source = parse_copy_source(header)
    return (source.bucket, source.key) if source is not None else ("", "")

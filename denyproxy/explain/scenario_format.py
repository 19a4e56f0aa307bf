"""The members of a scenario file, as the schema has them. See denyproxy/schema/scenario.schema.json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ScenarioError(ValueError):
    """A file that is not a scenario; the text names the place and what is wrong there."""


class Model(BaseModel):
    """Members that the format does not have are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class NamedPolicy(Model):
    """A policy document under its name."""

    name: str
    arn: str | None = None
    document: dict[str, Any]


class Raw(Model):
    """A request as it was on the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]


class Request(Model):
    """What was asked, by whom."""

    operation: str | None = None
    method: str | None = None
    bucket: str | None = None
    key: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    action: str | None = None
    resource: str | None = None
    raw: Raw | None = None
    region: str | None = None
    principal: str | None = None
    principal_role: str | None = None
    principal_account: str | None = None
    resource_account: str | None = None
    context: dict[str, str | list[str] | None] = Field(default_factory=dict)
    time: datetime | None = None


class Lock(Model):
    """Object Lock of a version."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None = None
    retain_until: datetime | None = None
    legal_hold: bool = False


class StoredObject(Model):
    """Facts of a stored object."""

    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: str | None = None
    kms_key_alias: str | None = None
    bucket_key: bool = False
    tags: dict[str, str] = Field(default_factory=dict)
    owner_account: str | None = None
    storage_class: str | None = None
    restored: bool = False
    delete_marker: bool = False
    lock: Lock = Field(default_factory=Lock)


class DefaultEncryption(Model):
    """Default encryption of a bucket."""

    algorithm: str | None = None
    kms_key_id: str | None = None


class BucketState(Model):
    """Facts of a bucket that are no policies."""

    request_payer: Literal["Requester", "BucketOwner"] = "BucketOwner"
    default_encryption: DefaultEncryption = Field(default_factory=DefaultEncryption)
    tags: dict[str, str] = Field(default_factory=dict)
    abac: bool = False


class KmsState(Model):
    """The key that the object or bucket names."""

    account: str | None = None
    context: dict[str, str] = Field(default_factory=dict)


class ResourceState(Model):
    """Facts of the resources. A member that is null differs from one that is not given."""

    object: StoredObject | None = None
    source_object: StoredObject | None = None
    bucket: BucketState = Field(default_factory=BucketState)
    kms: KmsState = Field(default_factory=KmsState)


class AccessPoint(Model):
    """The access point through which the request came."""

    name: str
    arn: str
    bucket: str
    policy: dict[str, Any] | None = None
    resource: str | None = None


class AclEntry(Model):
    """One grant."""

    grantee: str
    permission: Literal["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"]


class Acl(Model):
    """Grants on the object and on the bucket."""

    object_grants: list[AclEntry] = Field(default_factory=list)
    bucket_grants: list[AclEntry] = Field(default_factory=list)


class BlockPublicAccessSetting(Model):
    """The effective setting."""

    BlockPublicAcls: bool = False
    IgnorePublicAcls: bool = False
    BlockPublicPolicy: bool = False
    RestrictPublicBuckets: bool = False


class Policies(Model):
    """All that bears on the call."""

    identity: list[NamedPolicy] = Field(default_factory=list)
    bucket_policy: dict[str, Any] | None = None
    permissions_boundary: NamedPolicy | None = None
    session: list[NamedPolicy] | None = None
    scp: list[list[NamedPolicy]] | None = None
    rcp: list[list[NamedPolicy]] | None = None
    vpc_endpoint_policy: dict[str, Any] | None = None
    kms_key_policy: dict[str, Any] | None = None
    access_point: AccessPoint | None = None
    acl: Acl = Field(default_factory=Acl)
    block_public_access: BlockPublicAccessSetting = Field(default_factory=BlockPublicAccessSetting)
    object_ownership: Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] = "BucketOwnerEnforced"


class Response(Model):
    """What S3 answered."""

    status: int
    code: str | None = None
    message: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    time: datetime | None = None

"""The parts of AWS API answers that bear on authorization, under the names that AWS gives them.

Further members are ignored; a member of the wrong type is an error.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Types_Amazon_Simple_Storage_Service.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PrincipalArn = Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:(iam|sts)::[^:]*:.+$")]


class Shape(BaseModel):
    """A structure of an AWS API."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class User(Shape):
    """IAM UserDetail."""

    Arn: PrincipalArn
    UserId: str | None = None


class Role(Shape):
    """IAM RoleDetail."""

    Arn: PrincipalArn
    RoleId: str | None = None


class Group(Shape):
    """IAM GroupDetail."""

    GroupName: str
    Arn: str | None = None


class InlinePolicy(Shape):
    """IAM PolicyDetail, without its document."""

    PolicyName: str


class AttachedPolicy(Shape):
    """IAM AttachedPolicy."""

    PolicyArn: str


class PermissionsBoundary(Shape):
    """IAM AttachedPermissionsBoundary."""

    PermissionsBoundaryArn: str


class ManagedPolicy(Shape):
    """IAM ManagedPolicyDetail, without its versions."""

    Arn: str
    PolicyName: str
    DefaultVersionId: str | None = None


class PolicyVersion(Shape):
    """IAM PolicyVersion, without its document."""

    VersionId: str | None = None
    IsDefaultVersion: bool = False


class Tag(Shape):
    """A tag, of any service."""

    Key: str
    Value: str


class PublicAccessBlockConfiguration(Shape):
    """S3 Block Public Access of an account, bucket or access point. A setting that is not there is not known."""

    BlockPublicAcls: bool | None = None
    IgnorePublicAcls: bool | None = None
    BlockPublicPolicy: bool | None = None
    RestrictPublicBuckets: bool | None = None


class PolicyStatus(Shape):
    """S3's verdict on a policy."""

    IsPublic: bool


class OwnershipControlsRule(Shape):
    """S3 Object Ownership."""

    ObjectOwnership: Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]


class OwnershipControls(Shape):
    """S3 OwnershipControls: always one rule."""

    Rules: list[OwnershipControlsRule] = Field(min_length=1, max_length=1)


class Owner(Shape):
    """Owner of a bucket or an account's buckets."""

    ID: str


class AclGrantee(Shape):
    """Of an ACL: a canonical user, or a group."""

    ID: str | None = None
    URI: str | None = None


class AclGrant(Shape):
    """One grant of an ACL."""

    Grantee: AclGrantee
    Permission: Literal["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"]


class Acl(Shape):
    """Answer of GetBucketAcl."""

    Grants: list[AclGrant]


class DefaultEncryption(Shape):
    """Default encryption of a bucket."""

    SSEAlgorithm: str
    KMSMasterKeyID: str | None = None


class BlockedEncryption(Shape):
    """Kinds of encryption that a bucket refuses; NONE: it refuses none."""

    EncryptionType: list[str]


class ServerSideEncryptionRule(Shape):
    """S3 ServerSideEncryptionRule."""

    ApplyServerSideEncryptionByDefault: DefaultEncryption | None = None
    BucketKeyEnabled: bool = False
    BlockedEncryptionTypes: BlockedEncryption | None = None


class ServerSideEncryptionConfiguration(Shape):
    """S3 ServerSideEncryptionConfiguration: always one rule."""

    Rules: list[ServerSideEncryptionRule] = Field(min_length=1, max_length=1)


class RequestPayment(Shape):
    """Answer of GetBucketRequestPayment."""

    Payer: Literal["Requester", "BucketOwner"]


class Versioning(Shape):
    """Answer of GetBucketVersioning. S3 leaves out what was never switched on."""

    Status: Literal["Enabled", "Suspended"] | None = None
    MFADelete: Literal["Enabled", "Disabled"] | None = None


class AbacStatus(Shape):
    """Answer of GetBucketAbac."""

    Status: Literal["Enabled", "Disabled"]


class ObjectLock(Shape):
    """S3 ObjectLockConfiguration."""

    ObjectLockEnabled: Literal["Enabled"] | None = None


class AccessPointVpc(Shape):
    """Of an access point whose network origin is a VPC."""

    VpcId: str


class AccessPoint(Shape):
    """Answer of s3control GetAccessPoint."""

    AccessPointArn: Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:s3:[^:]*:[^:]*:accesspoint/.+$")]
    Name: str
    Bucket: str
    Alias: str | None = None
    NetworkOrigin: Literal["Internet", "VPC"] | None = None
    VpcConfiguration: AccessPointVpc | None = None


class VpcEndpoint(Shape):
    """EC2 VpcEndpoint, without its policy."""

    VpcEndpointId: str


class KeyMetadata(Shape):
    """KMS KeyMetadata."""

    Arn: Annotated[str, StringConstraints(pattern=r"^arn:[^:]+:kms:[^:]*:[^:]*:key/.+$")]


class AliasListEntry(Shape):
    """KMS AliasListEntry."""

    AliasName: str
    TargetKeyId: str | None = None


class PolicySummary(Shape):
    """Organizations PolicySummary."""

    Id: str
    Arn: str | None = None
    Name: str | None = None
    Type: str | None = None


class Target(Shape):
    """A root, organizational unit or account of an organization."""

    Id: str


class PolicyTypeSummary(Shape):
    """Organizations PolicyTypeSummary."""

    Type: str
    Status: str | None = None

"""The members of AWS's answers in a policy directory, to tell what is misspelt from what is merely not read."""

from __future__ import annotations

from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MEMBERS: Mapping[str, frozenset[str]] = {
    "iam/": _names("UserDetailList GroupDetailList RoleDetailList Policies IsTruncated Marker NextToken"),
    "buckets/": _names(
        "Bucket Account Region LocationConstraint Policy PolicyStatus PublicAccessBlockConfiguration OwnershipControls"
        " Acl Owner Grants ServerSideEncryptionConfiguration RequestPayment Payer Versioning Status MFADelete Tags"
        " TagSet AbacStatus ObjectLock ObjectLockConfiguration"
    ),
    "accounts/": _names("Id Alias AccountAliases CanonicalUserId Owner PublicAccessBlockConfiguration Buckets Prefix"),
    "organization.json": _names("Organization Roots Policies Id ManagementAccountId MasterAccountId"),
    "access-points/": _names(
        "AccessPointArn Name Bucket Alias NetworkOrigin VpcConfiguration PublicAccessBlockConfiguration Policy"
        " PolicyStatus BucketAccountId CreationDate Endpoints DataSourceId DataSourceType"
    ),
    "vpc-endpoints/": _names("VpcEndpoints VpcEndpointId VpcId PolicyDocument ServiceName State VpcEndpointType"),
    "kms-keys/": _names("KeyMetadata Policy Aliases PolicyName"),
    "access-keys.json": frozenset(),
}
"""Kind of file -> the members at its top."""

_BOUNDARY = "PermissionsBoundary"
_TARGET = _names(
    "Id Arn Name Email Status JoinedMethod JoinedTimestamp PolicyTypes Policies Accounts OrganizationalUnits"
)

NESTED: Mapping[str, frozenset[str]] = {
    "UserDetailList": _names(
        f"Path UserName UserId Arn CreateDate UserPolicyList GroupList AttachedManagedPolicies {_BOUNDARY} Tags"
    ),
    "RoleDetailList": _names(
        "Path RoleName RoleId Arn CreateDate AssumeRolePolicyDocument InstanceProfileList RolePolicyList"
        f" AttachedManagedPolicies {_BOUNDARY} Tags RoleLastUsed"
    ),
    "GroupDetailList": _names("Path GroupName GroupId Arn CreateDate GroupPolicyList AttachedManagedPolicies"),
    "UserPolicyList": _names("PolicyName PolicyDocument"),
    "RolePolicyList": _names("PolicyName PolicyDocument"),
    "GroupPolicyList": _names("PolicyName PolicyDocument"),
    "AttachedManagedPolicies": _names("PolicyName PolicyArn"),
    "PermissionsBoundary": _names("PermissionsBoundaryType PermissionsBoundaryArn"),
    "PolicyVersionList": _names("Document VersionId IsDefaultVersion CreateDate"),
    "PublicAccessBlockConfiguration": _names(
        "BlockPublicAcls IgnorePublicAcls BlockPublicPolicy RestrictPublicBuckets"
    ),
    "Roots": _TARGET,
    "OrganizationalUnits": _TARGET,
    "Accounts": _TARGET,
    "PolicySummary": _names("Id Arn Name Description Type AwsManaged"),
    "Versioning": _names("Status MFADelete"),
    "VpcEndpoints": MEMBERS["vpc-endpoints/"],
    "VpcConfiguration": _names("VpcId"),
    "KeyMetadata": _names("AWSAccountId KeyId Arn Enabled KeyManager KeyState KeyUsage KeySpec"),
}
"""Name of a member -> the members of the object, or of the objects in the list, that it is."""

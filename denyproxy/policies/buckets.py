"""A bucket or an access point, as told by the answers of S3's Get calls, each under the name that AWS gives it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""

from __future__ import annotations

from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.policies import shapes
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tags import read_tags
from denyproxy.policies.tree import Node, told
from denyproxy.s3.snapshot import (
    UNKNOWN_BLOCK_PUBLIC_ACCESS,
    AccessPointFacts,
    AclGrant,
    BlockPublicAccess,
    BucketFacts,
)

BUCKET_REMEDY = "correct it, or write it again from the answers of `aws s3api`"
ACCESS_POINT_REMEDY = "correct it, or write it again from the answers of `aws s3control`"

_ENFORCED_BEFORE_2023 = "ObjectWriter"
"""Object Ownership of a bucket without ownership controls."""


def read_bucket(root: Node, name: str) -> FileFacts:
    """The bucket that the file is named after."""
    stated = root.member("Bucket").read(str)
    if isinstance(stated, str) and stated != name:
        root.member("Bucket").error(f"is {stated}, but the file is named after {name}, so that neither is known")
        return FileFacts()
    account = root.member("Account").read(str)
    versioning = root.member("Versioning").read(shapes.Versioning)
    encryption = root.member("ServerSideEncryptionConfiguration").read(shapes.ServerSideEncryptionConfiguration)
    facts = BucketFacts(
        name=name,
        account=account if isinstance(account, str) else UNKNOWN,
        region=_region(root),
        policy=root.member("Policy").policies("bucket policy", principal="required"),
        policy_is_public=_policy_is_public(root),
        block_public_access=block_public_access(root),
        object_ownership=told(
            root.member("OwnershipControls").read(shapes.OwnershipControls),
            _ENFORCED_BEFORE_2023,
            lambda controls: controls.Rules[0].ObjectOwnership,
        ),
        grants=_grants(root),
        request_payer=told(_request_payment(root), "BucketOwner", lambda answer: answer.Payer),
        default_encryption=told(encryption, None, _algorithm),
        default_kms_key=told(encryption, None, _kms_key),
        bucket_key=told(encryption, False, lambda configuration: configuration.Rules[0].BucketKeyEnabled),
        blocked_encryption_types=told(encryption, (), _blocked_encryption_types),
        versioning=told(versioning, None, lambda answer: answer.Status),
        mfa_delete=told(versioning, False, lambda answer: answer.MFADelete == "Enabled"),
        tags=read_tags(root.answer("Tags", "TagSet")),
        abac=told(root.member("AbacStatus").read(shapes.AbacStatus), False, lambda answer: answer.Status == "Enabled"),
        object_lock=told(
            root.answer("ObjectLock", "ObjectLockConfiguration").read(shapes.ObjectLock),
            False,
            lambda configuration: configuration.ObjectLockEnabled == "Enabled",
        ),
    )
    return FileFacts(buckets=(Entry(name, facts),))


def read_access_point(root: Node, name: str) -> FileFacts:
    """An access point, by its ARN. The file's name says nothing."""
    answer = root.read(shapes.AccessPoint)
    if not isinstance(answer, shapes.AccessPoint):
        if answer is None:
            root.error("an access point needs at least AccessPointArn, Name and Bucket")
        return FileFacts()
    facts = AccessPointFacts(
        arn=answer.AccessPointArn,
        name=answer.Name,
        bucket=answer.Bucket,
        account=answer.AccessPointArn.split(":")[4],
        alias=answer.Alias,
        policy=root.member("Policy").policies("access point policy", principal="required"),
        policy_is_public=_policy_is_public(root),
        block_public_access=block_public_access(root),
        vpc=_vpc(answer),
    )
    return FileFacts(access_points=(Entry(answer.AccessPointArn, facts),))


def block_public_access(root: Node) -> BlockPublicAccess:
    """PublicAccessBlockConfiguration; null: none of the four settings is on."""
    settings = root.member("PublicAccessBlockConfiguration").read(shapes.PublicAccessBlockConfiguration)
    if settings is None or settings is UNKNOWN:
        return BlockPublicAccess() if settings is None else UNKNOWN_BLOCK_PUBLIC_ACCESS
    return BlockPublicAccess(
        *(
            UNKNOWN if setting is None else setting
            for setting in (
                settings.BlockPublicAcls,
                settings.IgnorePublicAcls,
                settings.BlockPublicPolicy,
                settings.RestrictPublicBuckets,
            )
        )
    )


def _policy_is_public(root: Node) -> bool | Unknown:
    return told(root.member("PolicyStatus").read(shapes.PolicyStatus), False, lambda status: status.IsPublic)


def _region(root: Node) -> str | Unknown:
    region = root.member("Region").read(str)
    if isinstance(region, str):
        return region
    if "LocationConstraint" not in root:
        return UNKNOWN
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    constraint = root.member("LocationConstraint").read(str)
    return told(constraint, "us-east-1", lambda answer: "eu-west-1" if answer == "EU" else answer)


def _request_payment(root: Node) -> shapes.RequestPayment | None | Unknown:
    answer = root if "Payer" in root else root.member("RequestPayment")
    return answer.read(shapes.RequestPayment)


def _grants(root: Node) -> tuple[AclGrant, ...] | Unknown:
    node = root if "Grants" in root else root.member("Acl")
    acl = node.read(shapes.Acl)
    if acl is None or acl is UNKNOWN:
        return () if acl is None else UNKNOWN
    grants: list[AclGrant] = []
    for at, grant in enumerate(acl.Grants):
        # Of a group the last segment of its URI: http://acs.amazonaws.com/groups/global/AllUsers
        grantee = grant.Grantee.ID or (grant.Grantee.URI or "").rpartition("/")[2]
        if not grantee:
            node.report.error(f"{node.member('Grants').place}[{at}].Grantee", "needs an ID or a URI")
            return UNKNOWN
        grants.append(AclGrant(grantee, grant.Permission))
    return tuple(grants)


def _algorithm(configuration: shapes.ServerSideEncryptionConfiguration) -> str | None | Unknown:
    default = configuration.Rules[0].ApplyServerSideEncryptionByDefault
    return UNKNOWN if default is None else default.SSEAlgorithm


def _kms_key(configuration: shapes.ServerSideEncryptionConfiguration) -> str | None | Unknown:
    default = configuration.Rules[0].ApplyServerSideEncryptionByDefault
    return UNKNOWN if default is None else default.KMSMasterKeyID


def _blocked_encryption_types(configuration: shapes.ServerSideEncryptionConfiguration) -> tuple[str, ...] | Unknown:
    blocked = configuration.Rules[0].BlockedEncryptionTypes
    return UNKNOWN if blocked is None else tuple(kind for kind in blocked.EncryptionType if kind != "NONE")


def _vpc(answer: shapes.AccessPoint) -> str | None | Unknown:
    if answer.NetworkOrigin == "Internet":
        return None
    return UNKNOWN if answer.VpcConfiguration is None else answer.VpcConfiguration.VpcId

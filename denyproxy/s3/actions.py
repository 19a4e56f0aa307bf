"""The IAM actions of Amazon S3, the resource types they are authorized on, and names that are mistaken for actions.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from denyproxy.s3.permission_table import OPERATIONS, Target
from denyproxy.s3.request import Role

_BY_TYPE: Mapping[str, str] = {
    "object": """
        AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectAnnotation DeleteObjectTagging
        DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObject GetObjectAcl
        GetObjectAnnotation GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent
        GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAnnotationForReplication
        GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent
        InitiateReplication ListMultipartUploadParts ListObjectAnnotations ListObjectVersionAnnotations
        ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold
        PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging
        ReplicateDelete ReplicateObject ReplicateObjectAnnotation ReplicateTags RestoreObject UpdateObjectEncryption
        """,
    "bucket": """
        AllowVendedLogDeliveryForResource CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket
        DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration
        GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging
        GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration
        GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock
        GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
        GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration
        GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions PauseReplication
        PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl PutBucketCORS PutBucketLogging
        PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy
        PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite
        PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration
        PutLifecycleConfiguration PutMetricsConfiguration PutReplicationConfiguration
        UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration
        UpdateBucketMetadataJournalTableConfiguration
        """,
    "*": """
        CreateJob CreateStorageLensGroup GetAccessPoint GetAccountPublicAccessBlock ListAccessGrantsInstances
        ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets ListJobs ListMultiRegionAccessPoints
        ListStorageLensConfigurations ListStorageLensGroups PutAccessPointPublicAccessBlock
        PutAccountPublicAccessBlock PutStorageLensConfiguration
        """,
    "accesspoint": """
        CreateAccessPoint DeleteAccessPoint DeleteAccessPointPolicy GetAccessPointPolicy GetAccessPointPolicyStatus
        PutAccessPointPolicy
        """,
    "objectlambdaaccesspoint": """
        CreateAccessPointForObjectLambda DeleteAccessPointForObjectLambda DeleteAccessPointPolicyForObjectLambda
        GetAccessPointConfigurationForObjectLambda GetAccessPointForObjectLambda GetAccessPointPolicyForObjectLambda
        GetAccessPointPolicyStatusForObjectLambda PutAccessPointConfigurationForObjectLambda
        PutAccessPointPolicyForObjectLambda
        """,
    "multiregionaccesspoint": """
        CreateMultiRegionAccessPoint DeleteMultiRegionAccessPoint GetMultiRegionAccessPoint
        GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus GetMultiRegionAccessPointRoutes
        PutMultiRegionAccessPointPolicy SubmitMultiRegionAccessPointRoutes
        """,
    "multiregionaccesspointrequestarn": "DescribeMultiRegionAccessPointOperation",
    "job": "DeleteJobTagging DescribeJob GetJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus",
    "storagelensconfiguration": """
        DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging GetStorageLensConfiguration
        GetStorageLensConfigurationTagging GetStorageLensDashboard PutStorageLensConfigurationTagging
        """,
    "storagelensgroup": "DeleteStorageLensGroup GetStorageLensGroup UpdateStorageLensGroup",
    "accessgrantsinstance": """
        AssociateAccessGrantsIdentityCenter CreateAccessGrantsInstance DeleteAccessGrantsInstance
        DeleteAccessGrantsInstanceResourcePolicy DissociateAccessGrantsIdentityCenter GetAccessGrantsInstance
        GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy GetDataAccess ListAccessGrants
        ListAccessGrantsLocations ListCallerAccessGrants PutAccessGrantsInstanceResourcePolicy
        """,
    "accessgrantslocation": """
        CreateAccessGrantsLocation DeleteAccessGrantsLocation GetAccessGrantsLocation UpdateAccessGrantsLocation
        """,
    "accessgrant": "CreateAccessGrant DeleteAccessGrant GetAccessGrant",
    "any": "ListTagsForResource TagResource UntagResource",
}

ACTIONS: Mapping[str, str] = {f"s3:{name}": kind for kind, names in _BY_TYPE.items() for name in names.split()}
"""Every action of the `s3` prefix -> the type of resource it is authorized on: `bucket`, `object`, `*` (none), `any`
(several), or one of the types of access points, jobs, Storage Lens and Access Grants."""

_CANONICAL = {action.lower(): action for action in ACTIONS}
_OPERATIONS = {name.lower(): name for name in OPERATIONS}
_SLIPS: Mapping[str, tuple[str, ...]] = {
    "listobject": ("s3:ListBucket",),
    "listbucketobjects": ("s3:ListBucket",),
    "getobjects": ("s3:GetObject",),
    "putobjects": ("s3:PutObject",),
    "getbucket": ("s3:ListBucket",),
    # What takes a setting of a bucket away is the action that sets it.
    **{
        action.lower().replace("s3:put", "delete"): (action,)
        for action, kind in ACTIONS.items()
        if kind == "bucket" and action.startswith("s3:Put")
    },
}
"""Names of no API that stand in policies all the same."""


def resource_type(action: str) -> str | None:
    """The type of resource that an s3 action (in any case) is authorized on; None: there is no such action."""
    canonical = _CANONICAL.get(action.lower())
    return None if canonical is None else ACTIONS[canonical]


def actions_for_api_name(name: str) -> tuple[str, ...]:
    """The actions meant by the name of an API that is none: `s3:ListObjectsV2` -> `s3:ListBucket`.

    Empty for real actions, patterns and unknown names. With or without `s3:`, in any case."""
    bare = name.lower().removeprefix("s3:")
    if f"s3:{bare}" in _CANONICAL:
        return ()
    operation = _OPERATIONS.get(bare)
    if operation is None:
        return _SLIPS.get(bare, ())
    gates = [row for row in OPERATIONS[operation] if row.role in (Role.GATE, Role.GATE_PER_KEY)]
    source = [row.action for row in gates if row.target is Target.SOURCE]
    own = [row.action for row in gates if row.target is not Target.SOURCE]
    return (*source[:1], *own[:1])


@cache
def mistaken_for(action: str) -> Mapping[str, str]:
    """The names (lower case) that are no actions but are written where this one is meant, each with the action."""
    names = (f"s3:{name}" for name in (*_OPERATIONS, *_SLIPS))
    lower = action.lower()
    return {name: action for name in names if lower in map(str.lower, actions_for_api_name(name))}

"""What bears on a resource that is no bucket, object or KMS key, besides the policies on the caller's side.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
"""

from __future__ import annotations

from denyproxy.exchange import Declared
from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.layers import ResourceLayer
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.actions import resource_type
from denyproxy.s3.arn import Arn
from denyproxy.s3.gates import same_account
from denyproxy.s3.request import Caller, Requirement
from denyproxy.s3.snapshot import PolicySnapshot

NO_BUCKET_YET = frozenset({"s3:createbucket", "s3:listallmybuckets", "s3:listallmydirectorybuckets"})
"""Actions of S3 on the caller's own account, whatever bucket they name."""

_WITHOUT_POLICIES = frozenset({"*", "job", "storagelensconfiguration", "storagelensgroup"})
"""Types of S3 resources that carry no policy of their own."""

_UNDER_RCPS = frozenset(
    ["aoss", "cognito-identity", "cognito-idp", "dynamodb", "ecr", "kms", "logs", "s3", "secretsmanager", "sqs", "sts"]
)
"""Services on whose resources RCPs bear."""

RESOURCE_POLICY = "resource-policy"


def owner_of(requirement: Requirement, caller: Caller) -> str | Unknown:
    """The account that owns the resource: the caller's own for what belongs to no one resource, else its ARN's."""
    if _is_of_the_caller(requirement):
        return caller.principal.account or UNKNOWN
    arn = Arn.parse(requirement.resource)
    account = "" if arn is None else arn.account
    return account if account.isdigit() else UNKNOWN


def same_owner(requirement: Requirement, caller: Caller, declared: Declared) -> Truth:
    """Does the resource belong to the caller's account? In a closed world, unless it is declared otherwise."""
    if declared.resource_account is not None:
        return same_account(caller, declared.resource_account)
    if declared.closed and RESOURCE_POLICY not in declared.unknown:
        return Truth.YES
    if _is_of_the_caller(requirement):
        return Truth.YES
    return same_account(caller, owner_of(requirement, caller))


def resource_layers(requirement: Requirement, declared: Declared) -> tuple[ResourceLayer, ...]:
    """The resource-based policies that may bear on it, none of which anybody loads. A scenario has none."""
    if (declared.closed and RESOURCE_POLICY not in declared.unknown) or not _may_have_a_policy(requirement):
        return ()
    if _is_access_point(requirement):
        return tuple(ResourceLayer(layer, UNKNOWN_POLICIES) for layer in ("access-point-policy", "bucket-policy"))
    return (ResourceLayer(RESOURCE_POLICY, UNKNOWN_POLICIES),)


def resource_control_policies(
    requirement: Requirement, caller: Caller, snapshot: PolicySnapshot, declared: Declared
) -> tuple[PolicyList, ...] | None:
    """The RCPs of the account that owns it; None: none bear on it."""
    service = requirement.action.partition(":")[0].lower()
    if declared.closed or service not in _UNDER_RCPS or _is_of_the_caller(requirement):
        return None
    return snapshot.account(owner_of(requirement, caller)).rcp


def must_delegate(requirement: Requirement) -> bool:
    """Does the resource's own policy have to allow even within its account? A role's trust policy does."""
    return requirement.action.lower().startswith("sts:assumerole")


def _is_of_the_caller(requirement: Requirement) -> bool:
    action = requirement.action.lower()
    return action in NO_BUCKET_YET or resource_type(action) == "*"


def _may_have_a_policy(requirement: Requirement) -> bool:
    service = requirement.action.partition(":")[0].lower()
    if service == "iam":
        return False
    if service != "s3":
        return True
    return not _is_of_the_caller(requirement) and resource_type(requirement.action) not in _WITHOUT_POLICIES


def _is_access_point(requirement: Requirement) -> bool:
    arn = Arn.parse(requirement.resource)
    return arn is not None and arn.service == "s3" and arn.resource.startswith("accesspoint/")

"""Users and roles, with all that is attached to them, from GetAccountAuthorizationDetails.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from denyproxy.iam.document import UNKNOWN_POLICIES, Policy, PolicyList
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.policies import shapes
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tags import read_tags
from denyproxy.policies.tree import Node
from denyproxy.s3.snapshot import PrincipalFacts

REMEDY = "correct it, or save the output of `aws iam get-account-authorization-details` again"


def read_account_authorization_details(root: Node, name: str) -> FileFacts:
    """The principals of one account. The file's name says nothing."""
    account = _Account(complete=not _truncated(root))
    _describe_managed_policies(root.member("Policies"), account)
    _describe_groups(root.member("GroupDetailList"), account)
    principals = (
        *_users(root.member("UserDetailList"), account),
        *_roles(root.member("RoleDetailList"), account),
    )
    account.report_gaps(root)
    return FileFacts(principals=principals)


@dataclass(slots=True)
class _Account:
    """What the principals of the file refer to by name."""

    complete: bool
    """The file holds all pages of the answer."""
    managed: dict[str, Policy | Unknown] = field(default_factory=dict)
    """ARN -> default version; UNKNOWN: in the file, but unusable."""
    groups: dict[str, PolicyList] = field(default_factory=dict)
    missing_policies: dict[str, None] = field(default_factory=dict)
    missing_groups: dict[str, None] = field(default_factory=dict)

    def policy(self, arn: str) -> Policy | Unknown:
        """A managed policy by ARN; one that is not in the file is remembered as a gap."""
        if arn not in self.managed:
            self.missing_policies[arn] = None
        return self.managed.get(arn, UNKNOWN)

    def group(self, name: str) -> PolicyList:
        """What a group contributes to its users."""
        if name not in self.groups:
            self.missing_groups[name] = None
        return self.groups.get(name, UNKNOWN_POLICIES)

    def report_gaps(self, root: Node) -> None:
        """Name what is attached but not described, so that no list is silently short."""
        for place, what, missing in (
            ("Policies", "attached", self.missing_policies),
            ("GroupDetailList", "in a user's GroupList", self.missing_groups),
        ):
            if missing:
                root.report.notice(
                    place,
                    f"does not describe {_some(missing)}, though {what}: whoever has it is known in part only; "
                    "save the output of `aws iam get-account-authorization-details` without --filter",
                )


def _truncated(root: Node) -> bool:
    if root.member("IsTruncated").read(bool) is not True and not isinstance(root.member("NextToken").value, str):
        return False
    root.report.notice(
        "IsTruncated" if "IsTruncated" in root else "NextToken",
        "the file holds one page of several, so that nobody's permissions are known in full; "
        "save the output of `aws iam get-account-authorization-details` without --max-items and --no-paginate",
    )
    return True


def _describe_managed_policies(listing: Node, account: _Account) -> None:
    for node in listing.items()[0]:
        shape = node.read(shapes.ManagedPolicy)
        if isinstance(shape, shapes.ManagedPolicy):
            policy = _default_version(node, shape)
            if account.managed.setdefault(shape.Arn, policy) != policy:
                node.error(f"is a second and different {shape.Arn}, so that neither is used")
                account.managed[shape.Arn] = UNKNOWN


def _default_version(node: Node, shape: shapes.ManagedPolicy) -> Policy | Unknown:
    versions = node.member("PolicyVersionList")
    for version_node in versions.items()[0]:
        version = version_node.read(shapes.PolicyVersion)
        if not isinstance(version, shapes.PolicyVersion):
            continue
        if shape.DefaultVersionId is None:
            is_default = version.IsDefaultVersion
        else:
            is_default = version.VersionId == shape.DefaultVersionId
        if is_default:
            return _document(version_node.member("Document"), shape.PolicyName, shape.Arn)
    versions.error("does not hold the policy's default version")
    return UNKNOWN


def _document(node: Node, name: str, arn: str | None = None) -> Policy | Unknown:
    policy = node.policy(name, arn, "forbidden")
    if isinstance(policy, Policy):
        return policy
    if node.value is UNKNOWN or policy is None:
        node.error("is missing")
    return UNKNOWN


def _describe_groups(listing: Node, account: _Account) -> None:
    for node in listing.items()[0]:
        group = node.read(shapes.Group)
        if isinstance(group, shapes.Group):
            policies = _union((_inline(node, "GroupPolicyList", group.Arn), _attached(node, account)))
            if account.groups.setdefault(group.GroupName, policies) != policies:
                node.error(f"is a second and different group {group.GroupName}, so that neither is used")
                account.groups[group.GroupName] = UNKNOWN_POLICIES


def _users(listing: Node, account: _Account) -> Iterator[Entry[PrincipalFacts]]:
    for node in listing.items()[0]:
        user = node.read(shapes.User)
        if isinstance(user, shapes.User):
            layers = (_inline(node, "UserPolicyList"), _attached(node, account), _of_groups(node, account))
            facts = _principal(node, account, user.Arn, user.UserId, layers)
            # Long-term credentials carry no session policy.
            yield Entry(user.Arn, replace(facts, session=None), node.place)


def _roles(listing: Node, account: _Account) -> Iterator[Entry[PrincipalFacts]]:
    for node in listing.items()[0]:
        role = node.read(shapes.Role)
        if isinstance(role, shapes.Role):
            layers = (_inline(node, "RolePolicyList"), _attached(node, account))
            yield Entry(role.Arn, _principal(node, account, role.Arn, role.RoleId, layers), node.place)


def _principal(
    node: Node, account: _Account, arn: str, unique_id: str | None, layers: Iterable[PolicyList]
) -> PrincipalFacts:
    identity = _union((*layers, PolicyList(complete=account.complete)))
    return PrincipalFacts(arn, unique_id, identity, _boundary(node, account), tags=read_tags(node.member("Tags")))


def _inline(node: Node, name: str, group: str | None = None) -> PolicyList:
    listing = node.member(name)
    if name == "UserPolicyList" and listing.value is UNKNOWN:
        return PolicyList()  # AWS leaves this one out where it is empty
    items, complete = listing.items()
    policies: list[Policy] = []
    for item in items:
        shape = item.read(shapes.InlinePolicy)
        policy: Policy | Unknown = UNKNOWN
        if isinstance(shape, shapes.InlinePolicy):
            policy = _document(item.member("PolicyDocument"), shape.PolicyName, group)
        if policy is UNKNOWN:
            complete = False
        else:
            policies.append(policy)
    return PolicyList(tuple(policies), complete)


def _attached(node: Node, account: _Account) -> PolicyList:
    items, complete = node.member("AttachedManagedPolicies").items()
    policies: list[Policy] = []
    for item in items:
        shape = item.read(shapes.AttachedPolicy)
        policy = account.policy(shape.PolicyArn) if isinstance(shape, shapes.AttachedPolicy) else UNKNOWN
        if policy is UNKNOWN:
            complete = False
        else:
            policies.append(policy)
    return PolicyList(tuple(policies), complete)


def _of_groups(node: Node, account: _Account) -> PolicyList:
    items, complete = node.member("GroupList").items()
    names = [item.read(str) for item in items]
    groups = [account.group(name) for name in names if isinstance(name, str)]
    return _union((*groups, PolicyList(complete=complete and len(groups) == len(items))))


def _boundary(node: Node, account: _Account) -> PolicyList | None:
    boundary = node.member("PermissionsBoundary")
    if boundary.value is UNKNOWN:
        return None  # AWS leaves it out where there is none
    shape = boundary.read(shapes.PermissionsBoundary)
    if shape is None:
        return None
    policy = account.policy(shape.PermissionsBoundaryArn) if isinstance(shape, shapes.PermissionsBoundary) else UNKNOWN
    return PolicyList((policy,)) if isinstance(policy, Policy) else UNKNOWN_POLICIES


def _union(lists: Iterable[PolicyList]) -> PolicyList:
    """All policies of all lists, each once (a policy may reach a user directly and through a group)."""
    policies: list[Policy] = []
    complete = True
    for part in lists:
        policies += (policy for policy in part.policies if not any(policy is other for other in policies))
        complete = complete and part.complete
    return PolicyList(tuple(policies), complete)


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more

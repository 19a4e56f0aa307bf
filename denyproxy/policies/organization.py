"""The organization: where each account stands in it, and the SCPs and RCPs of each level down to it.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.policies import shapes
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tree import Node, PrincipalRule
from denyproxy.s3.snapshot import AccountFacts

REMEDY = "correct it, or write it again from the answers of `aws organizations`"

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"

_PRINCIPAL: Mapping[str, PrincipalRule] = {SCP: "forbidden", RCP: "required"}

_IMPLIED = "p-RCPFullAWSAccess"
"""Attached to every target and not detachable: evaluation takes it as given."""

_FULL_ACCESS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

Levels = tuple[PolicyList, ...] | None
"""The policies of one type, root first. None: the organization does not use that type."""


def read_organization(root: Node, name: str) -> FileFacts:
    """The memberships of all accounts in the tree; of an empty file, that there is no organization."""
    if root.value is None:
        return FileFacts(no_organization=True)
    description = root.member("Organization") if "Organization" in root else root
    organization = description.read(shapes.Target)
    if not isinstance(organization, shapes.Target):
        return FileFacts()
    catalog = _Catalog(root.member("Policies"))
    tree = _Tree(organization.Id, _management_account(description), catalog)
    memberships = tuple(entry for node in root.member("Roots").items()[0] for entry in tree.root(node))
    catalog.report_gaps(root.member("Policies"))
    return FileFacts(memberships=memberships)


def _management_account(description: Node) -> str | Unknown:
    for name in ("ManagementAccountId", "MasterAccountId"):
        account = description.member(name).read(str)
        if isinstance(account, str):
            return account
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class _Described:
    """A policy that targets refer to by id. Its list is empty where evaluation takes it as given."""

    type: str | None
    policies: PolicyList


class _Catalog:
    """The policies that `Policies` describes, each as DescribePolicy answers."""

    def __init__(self, listing: Node) -> None:
        full_access = listing.report.documents.compile(_FULL_ACCESS, name="FullAWSAccess")
        self._described = {_IMPLIED: _Described(RCP, PolicyList())}
        self._described["p-FullAWSAccess"] = _Described(SCP, PolicyList((full_access,)))
        self._missing: dict[str, None] = {}
        for node in listing.items()[0]:
            summary = (node.member("PolicySummary") if "PolicySummary" in node else node).read(shapes.PolicySummary)
            if isinstance(summary, shapes.PolicySummary) and summary.Id != _IMPLIED:
                self._describe(node, summary)

    def _describe(self, node: Node, summary: shapes.PolicySummary) -> None:
        rule = _PRINCIPAL.get(summary.Type or "")
        policies = node.member("Content").policies(summary.Name or summary.Id, summary.Arn, rule)
        described = _Described(summary.Type, policies if policies.policies else UNKNOWN_POLICIES)
        repeats = summary.Id in self._described and summary.Id != "p-FullAWSAccess"
        if repeats and self._described[summary.Id] != described:
            node.error(f"is a second and different {summary.Id}, so that neither is used")
            described = _Described(summary.Type, UNKNOWN_POLICIES)
        self._described[summary.Id] = described

    def attached(self, listing: Node) -> Mapping[str, PolicyList]:
        """What is attached to a target, by type, from the answers of ListPoliciesForTarget.

        A type that occurs in none of them was not asked for: where it is in use, every target has one at least."""
        if listing.value is None:
            return {SCP: PolicyList(), RCP: PolicyList()}
        items, complete = listing.items()
        attached = [self._find(item) for item in items]
        of_any_type = all(described.type is not None for described in attached)
        levels: dict[str, PolicyList] = {}
        for policy_type in (SCP, RCP):
            lists = [described.policies for described in attached if described.type == policy_type]
            policies = tuple(policy for part in lists for policy in part.policies)
            complete = bool(lists) and of_any_type and all(part.complete for part in lists)
            levels[policy_type] = PolicyList(policies, complete)
        return levels

    def _find(self, item: Node) -> _Described:
        by_id = isinstance(item.value, str)
        summary = shapes.PolicySummary(Id=item.value) if by_id else item.read(shapes.PolicySummary)
        if not isinstance(summary, shapes.PolicySummary):
            return _Described(None, UNKNOWN_POLICIES)
        found = self._described.get(summary.Id)
        if found is None:
            if summary.Type in (SCP, RCP, None):
                self._missing[summary.Id] = None
            return _Described(summary.Type, UNKNOWN_POLICIES)
        return found if found.type is not None else replace(found, type=summary.Type)

    def report_gaps(self, listing: Node) -> None:
        """Name what is attached but not described, so that no level is silently short."""
        if self._missing:
            listing.report.notice(
                listing.place,
                f"does not describe {', '.join(self._missing)}, though attached: these levels are known in part; "
                "add the answers of `aws organizations describe-policy`",
            )


@dataclass(frozen=True, slots=True)
class _Tree:
    """Walks from the roots to the accounts, gathering the levels on the way."""

    organization_id: str
    management_account: str | Unknown
    catalog: _Catalog

    def root(self, node: Node) -> Iterator[Entry[AccountFacts]]:
        """The accounts under a root. Policy types that are not enabled there have no levels at all."""
        levels: dict[str, Levels] = {SCP: (), RCP: ()}
        types = node.member("PolicyTypes").read(list[shapes.PolicyTypeSummary])
        if types is not UNKNOWN:
            enabled = {summary.Type for summary in types or () if summary.Status in ("ENABLED", None)}
            levels = {policy_type: () if policy_type in enabled else None for policy_type in levels}
        return self._unit(node, f"{self.organization_id}/", levels)

    def _unit(self, node: Node, path: str, above: Mapping[str, Levels]) -> Iterator[Entry[AccountFacts]]:
        unit = node.read(shapes.Target)
        if isinstance(unit, shapes.Target):
            path, levels = f"{path}{unit.Id}/", self._levels(node, above)
            for account in node.member("Accounts").items()[0]:
                yield from self._account(account, path, levels)
            for child in node.member("OrganizationalUnits").items()[0]:
                yield from self._unit(child, path, levels)

    def _account(self, node: Node, path: str, above: Mapping[str, Levels]) -> Iterator[Entry[AccountFacts]]:
        account = node.read(shapes.Target)
        if not isinstance(account, shapes.Target):
            return
        management, levels = self._management(account.Id), self._levels(node, above)
        if management is not False:
            # Neither kind of policy applies to the management account.
            levels = {
                kind: (UNKNOWN_POLICIES,) if level and management is UNKNOWN else None for kind, level in levels.items()
            }
        facts = AccountFacts(
            id=account.Id,
            organization_id=self.organization_id,
            organization_path=path,
            management=management,
            scp=levels[SCP],
            rcp=levels[RCP],
        )
        yield Entry(account.Id, facts, node.place)

    def _management(self, account: str) -> bool | Unknown:
        return UNKNOWN if self.management_account is UNKNOWN else account == self.management_account

    def _levels(self, node: Node, above: Mapping[str, Levels]) -> Mapping[str, Levels]:
        here = self.catalog.attached(node.member("Policies"))
        return {kind: None if levels is None else (*levels, here[kind]) for kind, levels in above.items()}

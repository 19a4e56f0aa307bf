"""The bucket's side: its policy, and S3's own layers that grant beside it or take away (ACL, ownership, public access).

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from denyproxy.exchange import Declared
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.layers import NO_GRANT, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.acl import BUCKET_PERMISSIONS, PUBLIC_GROUPS, grant_by_acl, needed_permission
from denyproxy.s3.caller_side import CallerSide
from denyproxy.s3.gates import Refusal, block_public_access, open_settings, same_account
from denyproxy.s3.open_facts import acl_facts
from denyproxy.s3.public_access import document_is_public, effective, known
from denyproxy.s3.request import Caller, Requirement
from denyproxy.s3.snapshot import AccessPointFacts, AclGrant, BucketFacts, PolicySnapshot

NOT_GRANTED_ON_FOREIGN_OBJECTS = frozenset(
    f"s3:{name}".lower()
    for name in (
        "GetObject",
        "GetObjectVersion",
        "GetObjectAttributes",
        "GetObjectVersionAttributes",
        "GetObjectAcl",
        "GetObjectVersionAcl",
        "PutObjectAcl",
        "PutObjectVersionAcl",
    )
)
"""Actions that a bucket policy cannot allow on an object that another account owns (its Deny counts all the same)."""

ROOT_KEEPS = frozenset({"s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy"})
"""Actions that a bucket policy cannot deny to the root user of the bucket's account."""


@dataclass(frozen=True, slots=True)
class Switches:
    """S3's rules that take grants away, on or off."""

    foreign_object: bool = False
    ignore_public_acls: bool = False
    restrict_public_buckets: bool = False


ALL_OFF = Switches()

_ELEMENTS = {
    "foreign_object": ("acl", "state:object-owner"),
    "ignore_public_acls": ("block-public-access", "setting:IgnorePublicAcls"),
    "restrict_public_buckets": ("block-public-access", "setting:RestrictPublicBuckets"),
}


class BucketSide:
    """What bears on a bucket, or an object in it, from its own side."""

    def __init__(
        self,
        requirement: Requirement,
        caller: Caller,
        snapshot: PolicySnapshot,
        declared: Declared,
        side: CallerSide,
        endpoint: PolicyList | None,
    ) -> None:
        assert requirement.bucket is not None
        self.requirement = requirement
        self.caller = caller
        self.snapshot = snapshot
        self.action = requirement.action.lower()
        self.facts = snapshot.bucket(requirement.bucket)
        declared_owner = None if requirement.source else declared.resource_account
        self.owner: str | Unknown = declared_owner or self.facts.account
        self.access_point = snapshot.access_points.get(requirement.via_access_point or "")
        self.side = side
        self.endpoint = endpoint
        self.rcp = snapshot.account(self.owner).rcp
        ownership = self.facts.object_ownership
        self.acls_enabled = Truth.UNKNOWN if ownership is UNKNOWN else Truth.of(ownership != "BucketOwnerEnforced")

    def taken_away(self) -> dict[str, Truth]:
        """S3's rules that take grants away, or may."""
        truths: dict[str, Truth] = {}
        if self.acls_enabled is not Truth.NO:
            truths["foreign_object"] = self._foreign_object()
            truths["ignore_public_acls"] = self._ignores_public_acls()
        truths["restrict_public_buckets"] = self._restricts()
        return {name: truth for name, truth in truths.items() if truth is not Truth.NO}

    def refusal(self, name: str, truth: Truth) -> Refusal:
        """What a rule that takes grants away amounts to."""
        layer, element = _ELEMENTS[name]
        if name == "foreign_object":
            owner = self._object_owner()
            known_owner = None if owner is UNKNOWN else owner
            missing = ("owner and ACL of the object",) if truth is Truth.UNKNOWN else ()
            permission = needed_permission(self.action)
            return Refusal(layer, element, truth, permission and f"{permission} granted", known_owner, missing)
        actual = self._public_policy() if name == "restrict_public_buckets" else None
        return Refusal(layer, element, truth, None, actual, self._open(element) if truth is Truth.UNKNOWN else ())

    def policy_set(self, switches: Switches) -> PolicySet:
        """All that bears on the requirement, with some of S3's rules on."""
        bucket = self.facts
        owner = self._object_owner() if switches.foreign_object else self.owner
        same = same_account(self.caller, owner)
        deny_only = switches.foreign_object or switches.restrict_public_buckets
        granted = self._granted_besides(switches, same)
        policy = bucket.policy
        if self.caller.principal.type is PrincipalType.ROOT and self.action in ROOT_KEEPS:
            policy = PolicyList() if same is Truth.YES else policy
        layer = ResourceLayer(
            "bucket-policy", policy, self.requirement.bucket_resource, deny_only=deny_only, other_grant=granted
        )
        layers: tuple[ResourceLayer, ...] = (layer,)
        if self.requirement.via_access_point is not None:
            point = self.access_point
            layers = (ResourceLayer("access-point-policy", point.policy if point else UNKNOWN_POLICIES), layer)
        return PolicySet(same, *self.side, rcp=self.rcp, vpc_endpoint=self.endpoint, resource=layers)

    def _granted_besides(self, switches: Switches, same: Truth) -> Grant:
        """What the resource's side grants without its policy: by ACL, or because only the caller's side is asked."""
        acl = self._acl_grant(switches)
        if not self.requirement.caller_only:
            return acl
        direct = ~same if self.caller.principal.type is PrincipalType.SERVICE else Truth.NO
        return Grant(max(acl.direct, direct), acl.issuer, max(acl.account, ~same))

    # ACLs and Object Ownership

    def _grants(self) -> tuple[AclGrant, ...] | Unknown:
        """The ACL that bears on this action: the object's, or for bucket actions and writes the bucket's."""
        if self.action in BUCKET_PERMISSIONS:
            return self.facts.grants
        if self.requirement.key is None:
            return ()
        facts = self.snapshot.object(self.facts.name, self.requirement.key)
        return () if facts is None else facts.grants

    def _acl_grant(self, switches: Switches) -> Grant:
        enabled = self.acls_enabled
        if enabled is Truth.NO or needed_permission(self.action) is None:
            return NO_GRANT
        canonical = self.snapshot.account(self.caller.principal.account).canonical_id
        grant = grant_by_acl(
            self.action,
            self._grants(),
            self.caller.principal,
            canonical,
            ignore_public=switches.ignore_public_acls,
        )
        return Grant(min(enabled, grant.direct), min(enabled, grant.issuer), min(enabled, grant.account))

    def permission_in_acl(self) -> str | None:
        """The ACL permission that would grant the action, where the ACL counts and has grants (or may)."""
        used = self.acls_enabled is not Truth.NO and self._grants() != ()
        return needed_permission(self.action) if used else None

    def acl_facts(self) -> tuple[str, ...]:
        """What is not known of ACLs and would decide."""
        account = self.caller.principal.account
        return acl_facts(self.requirement, self.snapshot, account, of_bucket=self.action in BUCKET_PERMISSIONS)

    def _object_owner(self) -> str | Unknown:
        if self.requirement.key is None:
            return self.owner
        facts = self.snapshot.object(self.facts.name, self.requirement.key)
        return self.owner if facts is None else facts.owner_account

    def _foreign_object(self) -> Truth:
        """Does another account own the object, so that the bucket policy cannot grant this action?"""
        if self.action not in NOT_GRANTED_ON_FOREIGN_OBJECTS or self.requirement.key is None:
            return Truth.NO
        if self.requirement.caller_only:  # on the object to be written, which the caller's account will own
            return Truth.NO
        owner = self._object_owner()
        unknown = owner is UNKNOWN or self.owner is UNKNOWN
        return min(self.acls_enabled, Truth.UNKNOWN if unknown else Truth.of(owner != self.owner))

    # Block Public Access

    def _effective(self, setting: str) -> Truth:
        return effective(setting, block_public_access(self.requirement.bucket, self.access_point, self.snapshot))

    def _open(self, element: str) -> tuple[str, ...]:
        """What is not known of a setting that may take a grant away, and of whom it bears on."""
        setting = element.partition(":")[2]
        missing = open_settings(setting, self.requirement.bucket, self.access_point, self.snapshot)
        if setting != "RestrictPublicBuckets":
            return missing
        if same_account(self.caller, self.owner) is Truth.UNKNOWN:
            missing += (f"owner of bucket {self.requirement.bucket}",)
        if is_public(self.facts) is Truth.UNKNOWN:
            status = f"public status of the policy of bucket {self.requirement.bucket}"
            missing += (status if self.facts.policy.complete else "bucket-policy",)
        # Where it is in force, an ACL may grant all the same.
        return missing or self.acl_facts()

    def _ignores_public_acls(self) -> Truth:
        grants = self._grants()
        public = Truth.UNKNOWN
        if grants is not UNKNOWN:
            public = Truth.of(any(grant.grantee in PUBLIC_GROUPS for grant in grants))
        return min(self.acls_enabled, public, self._effective("IgnorePublicAcls"))

    def _restricts(self) -> Truth:
        """Does RestrictPublicBuckets shut out this caller, for a policy that is public?"""
        if self.caller.principal.type is PrincipalType.SERVICE:
            return Truth.NO
        foreign = ~same_account(self.caller, self.owner)
        if foreign is Truth.NO:
            return Truth.NO
        restricted = self._effective("RestrictPublicBuckets")
        if restricted is Truth.NO:
            return Truth.NO
        return min(foreign, restricted, max(is_public(self.facts), _access_point_is_public(self.access_point)))

    def _public_policy(self) -> str:
        """The policy that is public, or sooner than the other."""
        by_point = _access_point_is_public(self.access_point) > is_public(self.facts)
        return "access point policy" if by_point else "bucket policy"

    def network_origin(self, context: RequestContext) -> Iterator[Refusal]:
        """An access point with a VPC origin refuses whatever does not come from that VPC."""
        point = self.access_point
        if point is None or point.vpc is None:
            return
        source = context.lookup("aws:SourceVpc")
        if point.vpc is UNKNOWN or source is UNKNOWN:
            missing = ("network origin of the access point" if point.vpc is UNKNOWN else "aws:SourceVpc",)
            expected = point.vpc if isinstance(point.vpc, str) else None
            yield Refusal("access-point-policy", "condition:aws:SourceVpc", Truth.UNKNOWN, expected, facts=missing)
        elif source is None or point.vpc not in source:
            actual = source[0] if source else None
            yield Refusal("access-point-policy", "condition:aws:SourceVpc", Truth.YES, point.vpc, actual)


def is_public(bucket: BucketFacts) -> Truth:
    """Is the bucket's policy public? S3's own verdict where it is loaded."""
    if bucket.policy_is_public is not UNKNOWN:
        return known(bucket.policy_is_public)
    return _list_is_public(bucket.policy, access_point=False)


def _access_point_is_public(point: AccessPointFacts | None) -> Truth:
    """An access point with a VPC origin never counts as public."""
    if point is None or isinstance(point.vpc, str):
        return Truth.NO
    if point.policy_is_public is not UNKNOWN:
        return known(point.policy_is_public)
    return _list_is_public(point.policy, access_point=True)


def _list_is_public(policies: PolicyList, *, access_point: bool) -> Truth:
    public = max(
        (document_is_public(policy.document, access_point=access_point) for policy in policies.policies),
        default=Truth.NO,
    )
    return public if policies.complete else max(public, Truth.UNKNOWN)

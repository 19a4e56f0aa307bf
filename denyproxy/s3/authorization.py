"""One requirement of an S3 call against everything that bears on it: IAM's layers, then S3's own.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from denyproxy.exchange import Declared
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import UNKNOWN_POLICIES, Policy, PolicyList
from denyproxy.iam.evaluation import decide, evaluate
from denyproxy.iam.layers import AuthorizationRequest, Decision, Evaluation, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.acl import BUCKET_PERMISSIONS, PUBLIC_GROUPS, grant_by_acl, needed_permission
from denyproxy.s3.gates import Refusal, block_public_access, same_account
from denyproxy.s3.kms_keys import AWS_MANAGED_KEY
from denyproxy.s3.open_facts import acl_facts, owned_thing
from denyproxy.s3.other_resources import (
    NO_BUCKET_YET,
    must_delegate,
    resource_control_policies,
    resource_layers,
    same_owner,
)
from denyproxy.s3.public_access import document_is_public, effective, known
from denyproxy.s3.request import Caller, Requirement, Role
from denyproxy.s3.snapshot import AccessPointFacts, AclGrant, BucketFacts, PolicySnapshot, PrincipalFacts

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

_NOBODY = PrincipalFacts("", identity=PolicyList(), boundary=None, session=None, tags={})
_CLOUDFRONT = "cloudfront"
"""Account in the ARN of an origin access identity. Only the resource's side is asked for it.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html"""
_ALL = Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, name="CloudFront")
_OWN_IDENTITY = replace(_NOBODY, identity=PolicyList((_ALL,)))
_NO_IDENTITY = frozenset({PrincipalType.ANONYMOUS, PrincipalType.SERVICE, PrincipalType.ROOT})


@dataclass(frozen=True, slots=True)
class Authorization:
    """What all layers say on one requirement."""

    requirement: Requirement
    policies: PolicySet
    evaluation: Evaluation
    """By IAM's rules, before S3's own layers."""
    refusals: tuple[Refusal, ...]
    """S3's own layers that take the permission away, or may."""
    possible: frozenset[Decision]
    """The decisions still possible, S3's own layers included."""
    acl_permission: str | None = None
    """The ACL permission that would grant it, where the ACL that bears on it counts and has grants (or may)."""
    acl_facts: tuple[str, ...] = ()
    """What is not known of that ACL, where it may grant."""

    def open_facts(self, layer: str) -> tuple[str, ...]:
        """The facts, besides those of its statements, on which it depends whether a layer withholds its Allow."""
        facts: dict[str, None] = {}
        for entry in self.policies.resource:
            grant, own = entry.other_grant, entry.layer == layer
            if not own and layer not in ("identity", "permissions-boundary", "session-policy"):
                continue
            if not own and not entry.policies.complete and self.policies.same_account is not Truth.NO:
                facts[entry.layer] = None  # which may grant instead
            if Truth.UNKNOWN in (grant.direct, grant.account if own else grant.issuer):
                facts |= dict.fromkeys(self.acl_facts)
        if self.policies.same_account is Truth.UNKNOWN and self.evaluation.request.principal.account is not None:
            facts[f"owner of {owned_thing(self.requirement)}"] = None
        return tuple(facts)

    @property
    def decision(self) -> Decision | None:
        """The decision, or None if the unknowns leave more than one."""
        return next(iter(self.possible)) if len(self.possible) == 1 else None

    @property
    def allowed(self) -> Truth:
        """Is it allowed?"""
        if self.possible == {Decision.ALLOWED}:
            return Truth.YES
        return Truth.UNKNOWN if Decision.ALLOWED in self.possible else Truth.NO


def authorize(
    requirement: Requirement,
    context: RequestContext,
    caller: Caller,
    snapshot: PolicySnapshot,
    declared: Declared,
) -> Authorization:
    """Evaluate one requirement. Pure; raises nothing but on programming errors."""
    request = AuthorizationRequest(caller.principal, requirement.action, requirement.resource, context)
    authorization = _asked(requirement, context, caller, snapshot, declared).authorize(request)
    possible = _counted(authorization.possible, requirement)
    return authorization if possible is authorization.possible else replace(authorization, possible=possible)


def is_allowed(
    requirement: Requirement,
    context: RequestContext,
    caller: Caller,
    snapshot: PolicySnapshot,
    declared: Declared,
) -> bool:
    """Is one requirement allowed, whatever the unknowns are? As `authorize` says, without the evidence."""
    request = AuthorizationRequest(caller.principal, requirement.action, requirement.resource, context)
    possible = _asked(requirement, context, caller, snapshot, declared).decide(request)
    return _counted(possible, requirement) == {Decision.ALLOWED}


def _asked(
    requirement: Requirement, context: RequestContext, caller: Caller, snapshot: PolicySnapshot, declared: Declared
) -> _Bucket | _NoBucket:
    """Who answers on a requirement."""
    side = _caller_side(caller.principal, snapshot)
    if requirement.role is Role.KMS:
        return _NoBucket(requirement, _kms(side, requirement, caller, snapshot, declared))
    endpoint = vpc_endpoint_policy(context, snapshot, declared)
    if requirement.bucket is None or requirement.action.lower() in NO_BUCKET_YET:
        return _NoBucket(requirement, _elsewhere(side, requirement, caller, snapshot, declared, endpoint))
    return _Bucket(requirement, caller, snapshot, declared, side, endpoint)


@dataclass(frozen=True, slots=True)
class _NoBucket:
    """Authorization by policies alone."""

    requirement: Requirement
    policies: PolicySet

    def authorize(self, request: AuthorizationRequest) -> Authorization:
        evaluation = evaluate(request, self.policies)
        return Authorization(self.requirement, self.policies, evaluation, (), evaluation.possible)

    def decide(self, request: AuthorizationRequest) -> frozenset[Decision]:
        return decide(request, self.policies)


def _counted(possible: frozenset[Decision], requirement: Requirement) -> frozenset[Decision]:
    """Where only an explicit Deny matters, no Allow is needed."""
    if requirement.role is not Role.DENY_ONLY or Decision.IMPLICIT_DENY not in possible:
        return possible
    return possible - {Decision.IMPLICIT_DENY} | {Decision.ALLOWED}


class _CallerSide(NamedTuple):
    """The policies on the caller's side, as a PolicySet begins."""

    identity: PolicyList
    boundary: PolicyList | None
    session: PolicyList | None
    scp: tuple[PolicyList, ...] | None


def _caller_side(principal: Principal, snapshot: PolicySnapshot) -> _CallerSide:
    if principal.account == _CLOUDFRONT:
        facts = _OWN_IDENTITY
    elif principal.type in _NO_IDENTITY:
        facts = _NOBODY
    elif principal.type is PrincipalType.UNKNOWN:
        facts = PrincipalFacts("")
    else:
        arn = principal.arn if principal.type is PrincipalType.USER else principal.issuer or principal.arn
        facts = snapshot.principal(arn or "")
    outside = principal.type in (PrincipalType.ANONYMOUS, PrincipalType.SERVICE) or principal.account == _CLOUDFRONT
    scp = None if outside else snapshot.account(principal.account).scp
    return _CallerSide(facts.identity, facts.boundary, facts.session, scp)


def vpc_endpoint_policy(context: RequestContext, snapshot: PolicySnapshot, declared: Declared) -> PolicyList | None:
    """The policy of the VPC endpoint that the request came through; None: it came through none."""
    endpoint = context.lookup("aws:SourceVpce")
    if endpoint is UNKNOWN:
        return snapshot.vpc_endpoint
    if endpoint is None:
        return snapshot.vpc_endpoint if declared.closed else None
    return snapshot.vpc_endpoints.get(endpoint[0] if endpoint else "", snapshot.vpc_endpoint)


def _elsewhere(
    side: _CallerSide,
    requirement: Requirement,
    caller: Caller,
    snapshot: PolicySnapshot,
    declared: Declared,
    endpoint: PolicyList | None,
) -> PolicySet:
    """Account-level actions, and resources that are no buckets."""
    layers = resource_layers(requirement, declared)
    return PolicySet(
        same_owner(requirement, caller, declared),
        *side,
        rcp=resource_control_policies(requirement, caller, snapshot, declared),
        vpc_endpoint=endpoint,
        resource=layers,
        resource_must_delegate=bool(layers) and must_delegate(requirement),
    )


def _kms(
    side: _CallerSide, requirement: Requirement, caller: Caller, snapshot: PolicySnapshot, declared: Declared
) -> PolicySet:
    """KMS: the key policy is the mandatory authority.

    https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html"""
    key = snapshot.kms_key(requirement.kms_key)
    owner = key.account
    if owner is UNKNOWN and declared.closed and requirement.bucket is not None:
        owner = snapshot.bucket(requirement.bucket).account
    own = same_account(caller, owner)
    policies, other, rcp = key.policy, Grant(), snapshot.account(owner).rcp
    if requirement.kms_key is not None and requirement.kms_key.endswith(AWS_MANAGED_KEY) and not policies.policies:
        policies, other, rcp = PolicyList(), Grant(direct=own), None
    elif declared.closed and not policies.policies and policies.complete:
        other = Grant(account=Truth.YES)
    layer = ResourceLayer("kms-key-policy", policies, other_grant=other)
    return PolicySet(own, *side, rcp=rcp, resource=(layer,), resource_must_delegate=True)


@dataclass(frozen=True, slots=True)
class _Switches:
    """S3's rules that take grants away, on or off."""

    foreign_object: bool = False
    ignore_public_acls: bool = False
    restrict_public_buckets: bool = False


_ELEMENTS = {
    "foreign_object": ("acl", "state:object-owner"),
    "ignore_public_acls": ("block-public-access", "setting:IgnorePublicAcls"),
    "restrict_public_buckets": ("block-public-access", "setting:RestrictPublicBuckets"),
}


class _Bucket:
    """Authorization on a bucket or an object in it."""

    def __init__(
        self,
        requirement: Requirement,
        caller: Caller,
        snapshot: PolicySnapshot,
        declared: Declared,
        side: _CallerSide,
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
        self.places = block_public_access(requirement.bucket, self.access_point, snapshot)

    def decide(self, request: AuthorizationRequest) -> frozenset[Decision]:
        """What is possible; without the evidence, where no rule of S3's own takes grants away."""
        if self._taken_away() or any(self._network_origin(request.context)):
            return self.authorize(request).possible
        return decide(request, self._policy_set(_Switches()))

    def authorize(self, request: AuthorizationRequest) -> Authorization:
        truths = self._taken_away()
        lenient = self._policy_set(_Switches())
        evaluation = evaluate(request, lenient)
        possible = evaluation.possible
        refusals: list[Refusal] = []
        for name, truth in truths.items():
            strict = evaluate(request, self._policy_set(_Switches(**{name: True})))
            before = {(objection.layer, objection.blocks): objection.truth for objection in evaluation.objections}
            added = max(
                (
                    objection.truth
                    for objection in strict.objections
                    if objection.truth > before.get((objection.layer, objection.blocks), Truth.NO)
                ),
                default=Truth.NO,
            )
            possible = strict.possible if truth is Truth.YES else possible | strict.possible
            if added is not Truth.NO:
                refusals.append(self._refusal(name, min(truth, added)))
        sure = [name for name, truth in truths.items() if truth is Truth.YES]
        if len(sure) > 1:
            possible = evaluate(request, self._policy_set(_Switches(**dict.fromkeys(sure, True)))).possible
        refusals.extend(self._network_origin(request.context))
        if any(refusal.layer == "access-point-policy" for refusal in refusals):
            possible = possible | {Decision.IMPLICIT_DENY}
            if any(refusal.truth is Truth.YES for refusal in refusals):
                possible = possible - {Decision.ALLOWED}
        return Authorization(
            self.requirement,
            lenient,
            evaluation,
            tuple(refusals),
            possible,
            self._permission_in_acl(),
            self._acl_facts(),
        )

    def _taken_away(self) -> dict[str, Truth]:
        """S3's rules that take grants away, or may."""
        truths = {
            "foreign_object": self._foreign_object(),
            "ignore_public_acls": self._ignores_public_acls(),
            "restrict_public_buckets": self._restricts(),
        }
        return {name: truth for name, truth in truths.items() if truth is not Truth.NO}

    def _refusal(self, name: str, truth: Truth) -> Refusal:
        layer, element = _ELEMENTS[name]
        if name == "foreign_object":
            owner = self._object_owner()
            known_owner = None if owner is UNKNOWN else owner
            missing = ("owner and ACL of the object",) if truth is Truth.UNKNOWN else ()
            permission = needed_permission(self.action)
            return Refusal(layer, element, truth, permission and f"{permission} granted", known_owner, missing)
        missing = ("Block Public Access settings",) if truth is Truth.UNKNOWN else ()
        return Refusal(layer, element, truth, facts=missing)

    def _policy_set(self, switches: _Switches) -> PolicySet:
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

    def _granted_besides(self, switches: _Switches, same: Truth) -> Grant:
        """What the resource's side grants without its policy: by ACL, or because only the caller's side is asked."""
        acl = self._acl_grant(switches)
        if not self.requirement.caller_only:
            return acl
        direct = ~same if self.caller.principal.type is PrincipalType.SERVICE else Truth.NO
        return Grant(max(acl.direct, direct), acl.issuer, max(acl.account, ~same))

    # ACLs and Object Ownership

    def _acls_enabled(self) -> Truth:
        ownership = self.facts.object_ownership
        return Truth.UNKNOWN if ownership is UNKNOWN else Truth.of(ownership != "BucketOwnerEnforced")

    def _grants(self) -> tuple[AclGrant, ...] | Unknown:
        """The ACL that bears on this action: the object's, or for bucket actions and writes the bucket's."""
        if self.action in BUCKET_PERMISSIONS:
            return self.facts.grants
        if self.requirement.key is None:
            return ()
        facts = self.snapshot.object(self.facts.name, self.requirement.key)
        return () if facts is None else facts.grants

    def _acl_grant(self, switches: _Switches) -> Grant:
        enabled = self._acls_enabled()
        if enabled is Truth.NO or needed_permission(self.action) is None:
            return Grant()
        canonical = self.snapshot.account(self.caller.principal.account).canonical_id
        grant = grant_by_acl(
            self.action,
            self._grants(),
            self.caller.principal,
            canonical,
            ignore_public=switches.ignore_public_acls,
        )
        return Grant(min(enabled, grant.direct), min(enabled, grant.issuer), min(enabled, grant.account))

    def _permission_in_acl(self) -> str | None:
        used = self._acls_enabled() is not Truth.NO and self._grants() != ()
        return needed_permission(self.action) if used else None

    def _acl_facts(self) -> tuple[str, ...]:
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
        return min(self._acls_enabled(), Truth.UNKNOWN if unknown else Truth.of(owner != self.owner))

    # Block Public Access

    def _ignores_public_acls(self) -> Truth:
        grants = self._grants()
        public = Truth.UNKNOWN
        if grants is not UNKNOWN:
            public = Truth.of(any(grant.grantee in PUBLIC_GROUPS for grant in grants))
        return min(self._acls_enabled(), public, effective("IgnorePublicAcls", self.places))

    def _restricts(self) -> Truth:
        """Does RestrictPublicBuckets shut out this caller, for a policy that is public?"""
        if self.caller.principal.type is PrincipalType.SERVICE:
            return Truth.NO
        foreign = ~same_account(self.caller, self.owner)
        restricted = effective("RestrictPublicBuckets", self.places)
        if foreign is Truth.NO or restricted is Truth.NO:
            return Truth.NO
        return min(foreign, restricted, max(is_public(self.facts), _access_point_is_public(self.access_point)))

    def _network_origin(self, context: RequestContext) -> Iterator[Refusal]:
        """An access point with a VPC origin refuses whatever does not come from that VPC."""
        point = self.access_point
        if point is None or point.vpc is None:
            return
        source = context.lookup("aws:SourceVpc")
        if point.vpc is UNKNOWN or source is UNKNOWN:
            missing = ("network origin of the access point" if point.vpc is UNKNOWN else "aws:SourceVpc",)
            yield Refusal("access-point-policy", "condition:aws:SourceVpc", Truth.UNKNOWN, facts=missing)
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

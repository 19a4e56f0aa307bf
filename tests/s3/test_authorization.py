"""IAM's layers and S3's own together: ownership, ACLs, Block Public Access, access points, KMS, VPC endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.exchange import Declared
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.layers import Decision
from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.authorization import Authorization, authorize
from denyproxy.s3.request import Caller, KnownBy, Requirement, Role
from denyproxy.s3.snapshot import (
    AccessPointFacts,
    AccountFacts,
    AclGrant,
    BlockPublicAccess,
    BucketFacts,
    KmsKeyFacts,
    ObjectFacts,
    PolicySnapshot,
    PrincipalFacts,
)

OWN, OTHER = "111122223333", "444455556666"
ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
OBJECT_ARN = "arn:aws:s3:::b/k"
POINT = f"arn:aws:s3:us-east-1:{OWN}:accesspoint/ap"
KEY = f"arn:aws:kms:us-east-1:{OWN}:key/1"
BUCKET = BucketFacts(
    name="b",
    account=OWN,
    policy=PolicyList(),
    policy_is_public=UNKNOWN,
    block_public_access=BlockPublicAccess(),
    object_ownership="BucketOwnerEnforced",
    grants=(),
)
STORED = ObjectFacts(exists=True, owner_account=OWN, grants=())
ACCOUNT = AccountFacts(block_public_access=BlockPublicAccess(), management=False, scp=None, rcp=None)


def policies(*statements: dict[str, Any], name: str = "p") -> PolicyList:
    return PolicyList((Policy.parse({"Version": "2012-10-17", "Statement": list(statements)}, name=name),))


def allow(action: str, resource: str = "*", principal: Any = None, effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return statement if principal is None else {**statement, "Principal": principal}


def user(account: str = OWN, kind: PrincipalType = PrincipalType.USER) -> Caller:
    name = "root" if kind is PrincipalType.ROOT else "user/u"
    return Caller(Principal(kind, f"arn:aws:iam::{account}:{name}", account), KnownBy.ACCESS_KEYS)


NOBODY = Caller(ANONYMOUS, KnownBy.NONE)


def world(
    identity: PolicyList | None = None, bucket: BucketFacts = BUCKET, stored: ObjectFacts | None = STORED, **more: Any
) -> PolicySnapshot:
    caller = PrincipalFacts("", identity=identity or PolicyList(), boundary=None, session=None, tags={})
    members: dict[str, Any] = {
        "buckets": {"b": bucket},
        "objects": {("b", "k"): stored},
        "default_principal": caller,
        "default_account": ACCOUNT,
        "vpc_endpoint": None,
    }
    return PolicySnapshot(**{**members, **more})


GET = Requirement("s3:GetObject", OBJECT_ARN, bucket="b", key="k")


def ask(
    facts: PolicySnapshot,
    who: Caller | None = None,
    requirement: Requirement = GET,
    context: dict[str, tuple[str, ...]] | None = None,
    declared: Declared | None = None,
) -> Authorization:
    given = RequestContext(present=context or {})
    return authorize(requirement, given, who or user(), facts, declared or Declared())


READS = policies(allow("s3:GetObject"))


# Accounts


def test_the_identity_policy_suffices_in_one_account() -> None:
    assert ask(world(READS)).decision is ALLOWED
    assert ask(world()).decision is IMPLICIT


def test_across_accounts_both_sides_must_allow() -> None:
    shared = replace(BUCKET, policy=policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": OTHER})))
    assert ask(world(READS, shared), user(OTHER)).decision is ALLOWED
    assert ask(world(READS), user(OTHER)).decision is IMPLICIT
    assert ask(world(None, shared), user(OTHER)).decision is IMPLICIT


def test_an_owner_that_is_not_known_leaves_both_possible() -> None:
    assert ask(world(READS, replace(BUCKET, account=UNKNOWN))).possible == {ALLOWED, IMPLICIT}


def test_the_declared_owner_counts() -> None:
    facts = world(READS, replace(BUCKET, account=UNKNOWN))
    assert ask(facts, declared=Declared(resource_account=OWN)).decision is ALLOWED
    assert ask(facts, declared=Declared(resource_account=OTHER)).decision is IMPLICIT


@pytest.mark.parametrize("action", ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"])
def test_root_can_always_manage_the_bucket_policy(action: str) -> None:
    locked = replace(BUCKET, policy=policies(allow("s3:*", "*", "*", "Deny")))
    requirement = Requirement(action, "arn:aws:s3:::b", bucket="b")
    assert ask(world(None, locked), user(kind=PrincipalType.ROOT), requirement).decision is ALLOWED
    assert ask(world(policies(allow("*")), locked), user(), requirement).decision is EXPLICIT


def test_root_of_the_account_is_bound_by_other_denies() -> None:
    locked = replace(BUCKET, policy=policies(allow("s3:*", "*", "*", "Deny")))
    assert ask(world(None, locked), user(kind=PrincipalType.ROOT)).decision is EXPLICIT


def test_creating_a_bucket_meets_no_bucket_policy() -> None:
    locked = replace(BUCKET, policy=policies(allow("s3:*", "*", "*", "Deny")))
    create = Requirement("s3:CreateBucket", "arn:aws:s3:::b", bucket="b")
    assert ask(world(policies(allow("s3:CreateBucket")), locked), requirement=create).decision is ALLOWED


# ACLs and Object Ownership


def test_acls_count_only_where_they_are_enabled() -> None:
    public = replace(STORED, grants=(AclGrant("AllUsers", "READ"),))
    assert ask(world(None, BUCKET, public), NOBODY).decision is IMPLICIT
    enabled = replace(BUCKET, object_ownership="ObjectWriter")
    assert ask(world(None, enabled, public), NOBODY).decision is ALLOWED


def test_an_acl_is_the_resource_side_across_accounts() -> None:
    enabled = replace(BUCKET, object_ownership="BucketOwnerPreferred")
    granted = replace(STORED, grants=(AclGrant(OTHER, "READ"),))
    assert ask(world(READS, enabled, granted), user(OTHER)).decision is ALLOWED
    assert ask(world(None, enabled, granted), user(OTHER)).decision is IMPLICIT


def test_a_bucket_acl_grants_listing() -> None:
    listing = Requirement("s3:ListBucket", "arn:aws:s3:::b", bucket="b")
    enabled = replace(BUCKET, object_ownership="ObjectWriter", grants=(AclGrant("AllUsers", "READ"),))
    assert ask(world(None, enabled), NOBODY, listing).decision is ALLOWED
    assert ask(world(None, enabled), NOBODY).decision is IMPLICIT


FOREIGN = replace(STORED, owner_account=OTHER, grants=(AclGrant(OTHER, "FULL_CONTROL"),))
WRITER = replace(BUCKET, object_ownership="ObjectWriter")


def refused(authorization: Authorization) -> list[tuple[str, str, Truth]]:
    return [(refusal.layer, refusal.element, refusal.truth) for refusal in authorization.refusals]


def test_the_bucket_owner_cannot_grant_reading_another_accounts_object() -> None:
    """Test vector 65 of the evaluation rules."""
    both = replace(WRITER, policy=policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": f"arn:aws:iam::{OWN}:user/u"})))
    result = ask(world(READS, both, FOREIGN))
    assert result.decision is IMPLICIT
    assert refused(result) == [("acl", "state:object-owner", Truth.YES)]


def test_the_objects_acl_can() -> None:
    granted = replace(FOREIGN, grants=(*FOREIGN.grants, AclGrant(OWN, "READ")))  # type: ignore[misc]
    result = ask(world(READS, WRITER, granted))
    assert result.decision is ALLOWED
    assert result.refusals == ()


def test_with_bucket_owner_enforced_every_object_is_the_bucket_owners() -> None:
    assert ask(world(READS, BUCKET, FOREIGN)).decision is ALLOWED


@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:GetObjectTagging", "s3:PutObject"])
def test_other_actions_on_foreign_objects_stay_the_bucket_owners(action: str) -> None:
    requirement = Requirement(action, OBJECT_ARN, bucket="b", key="k")
    assert ask(world(policies(allow(action)), WRITER, FOREIGN), requirement=requirement).decision is ALLOWED


def test_a_deny_of_the_bucket_policy_holds_on_foreign_objects() -> None:
    denying = replace(WRITER, policy=policies(allow("s3:GetObject", OBJECT_ARN, "*", "Deny")))
    assert ask(world(READS, denying, FOREIGN), user(OTHER)).decision is EXPLICIT


def test_an_owner_that_is_not_known_may_be_foreign() -> None:
    result = ask(world(READS, WRITER, replace(STORED, owner_account=UNKNOWN)))
    assert result.possible == {ALLOWED, IMPLICIT}
    assert refused(result) == [("acl", "state:object-owner", Truth.UNKNOWN)]


# Block Public Access


def test_ignored_public_acls_grant_nothing() -> None:
    public = replace(STORED, grants=(AclGrant("AllUsers", "READ"),))
    ignoring = replace(WRITER, block_public_access=BlockPublicAccess(ignore_public_acls=True))
    result = ask(world(None, ignoring, public), NOBODY)
    assert result.decision is IMPLICIT
    assert refused(result) == [("block-public-access", "setting:IgnorePublicAcls", Truth.YES)]


RESTRICTED = replace(
    BUCKET,
    policy=policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": OTHER}), allow("s3:GetObject", OBJECT_ARN, "*")),
    block_public_access=BlockPublicAccess(restrict_public_buckets=True),
)
RESTRICTS = ("block-public-access", "setting:RestrictPublicBuckets")


def test_a_public_policy_shuts_out_other_accounts_even_those_it_names() -> None:
    """Test vector 50 of the evaluation rules."""
    result = ask(world(READS, RESTRICTED), user(OTHER))
    assert ALLOWED not in result.possible
    assert refused(result) == [(*RESTRICTS, Truth.YES)]


def test_it_shuts_out_anonymous_callers() -> None:
    assert refused(ask(world(None, RESTRICTED), NOBODY)) == [(*RESTRICTS, Truth.YES)]


def test_it_leaves_the_owners_account_and_services_alone() -> None:
    assert ask(world(None, RESTRICTED)).decision is ALLOWED
    service = Caller(Principal(PrincipalType.SERVICE, "logs.amazonaws.com"), KnownBy.DECLARED)
    granting = allow("s3:GetObject", OBJECT_ARN, {"Service": "logs.amazonaws.com"})
    public = replace(RESTRICTED, policy=policies(granting, allow("s3:GetObject", OBJECT_ARN, "*")))
    assert ask(world(None, public), service).decision is ALLOWED


def test_s3s_own_verdict_on_the_policy_comes_first() -> None:
    result = ask(world(READS, replace(RESTRICTED, policy_is_public=False)), user(OTHER))
    assert result.decision is ALLOWED


def test_a_setting_that_is_not_known_leaves_both_possible() -> None:
    unknown = BlockPublicAccess(restrict_public_buckets=UNKNOWN)
    result = ask(world(READS, replace(RESTRICTED, block_public_access=unknown)), user(OTHER))
    assert result.possible == {ALLOWED, IMPLICIT}
    assert refused(result) == [(*RESTRICTS, Truth.UNKNOWN)]


# Access points


THROUGH = Requirement(
    "s3:GetObject", f"{POINT}/object/k", bucket="b", key="k", via_access_point=POINT, bucket_resource=OBJECT_ARN
)
PLAIN_POINT = AccessPointFacts(
    POINT, "ap", "b", OWN, policy=PolicyList(), block_public_access=BlockPublicAccess(), vpc=None
)


def through(
    identity: PolicyList | None, bucket: PolicyList | None = None, point: AccessPointFacts = PLAIN_POINT, **more: Any
) -> Authorization:
    facts = world(identity, replace(BUCKET, policy=bucket or PolicyList()), access_points={POINT: point})
    return ask(facts, requirement=THROUGH, **more)


def test_bucket_arns_do_not_cover_requests_through_an_access_point() -> None:
    """Test vector 64 of the evaluation rules."""
    assert through(policies(allow("s3:GetObject", OBJECT_ARN))).decision is IMPLICIT
    assert through(policies(allow("s3:GetObject", f"{POINT}/object/*"))).decision is ALLOWED


def test_both_policies_can_deny_each_under_its_own_arn() -> None:
    deny_bucket = policies(allow("s3:GetObject", OBJECT_ARN, "*", "Deny"))
    deny_point = replace(PLAIN_POINT, policy=policies(allow("s3:GetObject", f"{POINT}/object/*", "*", "Deny")))
    misplaced = policies(allow("s3:GetObject", f"{POINT}/object/*", "*", "Deny"))
    assert through(READS, deny_bucket).decision is EXPLICIT
    assert through(READS, None, deny_point).decision is EXPLICIT
    assert through(READS, misplaced).decision is ALLOWED


def test_across_accounts_both_policies_must_grant() -> None:
    granting = replace(PLAIN_POINT, policy=policies(allow("s3:GetObject", f"{POINT}/object/*", {"AWS": OTHER})))
    delegating = policies(allow("s3:GetObject", OBJECT_ARN, "*"))
    assert through(READS, delegating, granting, who=user(OTHER)).decision is ALLOWED
    assert through(READS, None, granting, who=user(OTHER)).decision is IMPLICIT
    assert through(READS, delegating, who=user(OTHER)).decision is IMPLICIT


def test_a_vpc_access_point_takes_only_its_own_vpc() -> None:
    vpc = replace(PLAIN_POINT, vpc="vpc-1")
    assert through(READS, None, vpc, context={"aws:sourcevpc": ("vpc-1",)}).decision is ALLOWED
    assert through(READS, None, vpc, context={"aws:sourcevpc": ("vpc-2",)}).decision is IMPLICIT
    elsewhere = through(READS, None, vpc)
    assert elsewhere.decision is IMPLICIT
    assert refused(elsewhere) == [("access-point-policy", "condition:aws:SourceVpc", Truth.YES)]


# KMS


DECRYPT = Requirement("kms:Decrypt", KEY, Role.KMS, bucket="b", key="k", kms_key=KEY)
DECRYPTS = policies(allow("kms:Decrypt", KEY))


def decrypt(key_policy: PolicyList, identity: PolicyList | None, who: Caller | None = None) -> Decision | None:
    key = KmsKeyFacts(KEY, OWN, key_policy)
    return ask(world(identity, kms_keys={KEY: key}), who, DECRYPT).decision


def test_an_identity_policy_counts_only_where_the_key_policy_delegates() -> None:
    delegates = policies(allow("kms:*", "*", {"AWS": f"arn:aws:iam::{OWN}:root"}))
    assert decrypt(delegates, DECRYPTS) is ALLOWED
    assert decrypt(delegates, None) is IMPLICIT
    assert decrypt(policies(allow("kms:Encrypt", "*", {"AWS": f"arn:aws:iam::{OWN}:root"})), DECRYPTS) is IMPLICIT


def test_the_key_policy_alone_suffices_in_one_account() -> None:
    assert decrypt(policies(allow("kms:Decrypt", "*", {"AWS": f"arn:aws:iam::{OWN}:user/u"})), None) is ALLOWED


def test_across_accounts_key_and_identity_policy_must_allow() -> None:
    shared = policies(allow("kms:Decrypt", "*", {"AWS": OTHER}))
    assert decrypt(shared, DECRYPTS, user(OTHER)) is ALLOWED
    assert decrypt(shared, None, user(OTHER)) is IMPLICIT


def test_the_aws_managed_key_is_for_its_own_account() -> None:
    managed = Requirement("kms:Decrypt", "alias/aws/s3", Role.KMS, bucket="b", key="k", kms_key="alias/aws/s3")
    facts = world(policies(allow("kms:*")), default_kms_key=KmsKeyFacts(account=OWN, policy=PolicyList()))
    assert ask(facts, user(OWN), managed).decision is ALLOWED
    assert ask(facts, user(OTHER), managed).decision is IMPLICIT


# VPC endpoints


def test_the_policy_of_the_endpoint_used_must_allow() -> None:
    others = policies(allow("s3:*", "arn:aws:s3:::other/*", "*"))
    facts = world(READS, vpc_endpoints={"vpce-1": others})
    assert ask(facts, context={"aws:sourcevpce": ("vpce-1",)}).decision is IMPLICIT
    assert ask(facts).decision is ALLOWED


def test_an_endpoint_that_is_not_known_may_deny() -> None:
    facts = replace(world(READS), vpc_endpoint=PolicySnapshot().vpc_endpoint)
    result = authorize(GET, RequestContext(unknown=frozenset({"aws:sourcevpce"})), user(), facts, Declared())
    assert result.possible == {ALLOWED, EXPLICIT, IMPLICIT}


# What only a Deny decides


SETS_ACL = GET._replace(action="s3:PutObjectAcl", caller_only=True)
SETTING = policies(allow("s3:PutObject*"))


def test_an_acl_header_is_a_matter_of_the_callers_side_across_accounts() -> None:
    uploads = replace(BUCKET, policy=policies(allow("s3:PutObject", OBJECT_ARN, {"AWS": OTHER})))
    assert ask(world(SETTING, uploads), user(OTHER), SETS_ACL).decision is ALLOWED
    assert ask(world(None, uploads), user(OTHER), SETS_ACL).decision is IMPLICIT
    denied = replace(BUCKET, policy=policies(allow("s3:PutObjectAcl", OBJECT_ARN, "*", effect="Deny")))
    assert ask(world(SETTING, denied), user(OTHER), SETS_ACL).decision is EXPLICIT
    service = Caller(Principal(PrincipalType.SERVICE, "logs.amazonaws.com"), KnownBy.DECLARED)
    assert ask(world(None, uploads), service, SETS_ACL).decision is ALLOWED


def test_an_acl_header_is_an_ordinary_permission_in_one_account() -> None:
    assert ask(world(), user(), SETS_ACL).decision is IMPLICIT
    assert ask(world(SETTING), user(), SETS_ACL).decision is ALLOWED


def test_who_owns_the_object_that_is_overwritten_does_not_matter_for_an_acl_header() -> None:
    shared = replace(BUCKET, object_ownership="ObjectWriter")
    foreign = replace(STORED, owner_account=OTHER)
    assert ask(world(SETTING, shared, foreign), user(), SETS_ACL).decision is ALLOWED
    assert ask(world(SETTING, shared, foreign), user(), SETS_ACL._replace(caller_only=False)).decision is IMPLICIT


def test_of_an_origin_access_identity_only_the_bucket_policy_is_asked() -> None:
    arn = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"
    oai = Caller(Principal(PrincipalType.USER, arn, "cloudfront"), KnownBy.DECLARED)
    named = replace(BUCKET, policy=policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": arn})))
    assert ask(world(None, named), oai).decision is ALLOWED
    other = replace(BUCKET, policy=policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": arn[:-1] + "2"})))
    assert ask(world(None, other), oai).decision is IMPLICIT


def test_the_policy_of_the_aws_managed_key_counts_where_it_is_loaded() -> None:
    managed = Requirement("kms:Decrypt", KEY, Role.KMS, bucket="b", key="k", kms_key="alias/aws/s3")
    own = {**allow("kms:Decrypt", "*", "*"), "Condition": {"StringEquals": {"kms:CallerAccount": OWN}}}
    facts = world(
        policies(allow("kms:*")), kms_keys={"alias/aws/s3": KmsKeyFacts(arn=KEY, account=OWN, policy=policies(own))}
    )
    assert ask(facts, user(), managed, {"kms:calleraccount": (OWN,)}).decision is ALLOWED
    assert ask(facts, user(OTHER), managed, {"kms:calleraccount": (OTHER,)}).decision is IMPLICIT


def test_a_permission_that_only_a_deny_decides_needs_no_allow() -> None:
    requirement = Requirement("s3:DeleteObjectVersion", OBJECT_ARN, Role.DENY_ONLY, bucket="b", key="k")
    assert ask(world(), requirement=requirement).decision is ALLOWED
    denied = world(policies(allow("s3:DeleteObjectVersion", "*", effect="Deny")))
    assert ask(denied, requirement=requirement).decision is EXPLICIT


# Facts that are missing


def test_of_a_caller_of_no_known_kind_nothing_is_decided() -> None:
    stranger = Caller(Principal(PrincipalType.UNKNOWN), KnownBy.NONE)
    result = ask(world(READS), stranger)
    assert result.decision is None
    assert result.possible >= {ALLOWED, IMPLICIT}


def test_an_access_point_whose_network_origin_is_not_known_may_refuse() -> None:
    result = through(READS, None, replace(PLAIN_POINT, vpc=UNKNOWN))
    assert result.possible == {ALLOWED, IMPLICIT}
    assert refused(result) == [("access-point-policy", "condition:aws:SourceVpc", Truth.UNKNOWN)]
    assert result.refusals[0].facts == ("network origin of the access point",)


SHUTTING = replace(
    PLAIN_POINT,
    policy=policies(allow("s3:GetObject", f"{POINT}/object/*", "*")),
    block_public_access=BlockPublicAccess(restrict_public_buckets=True),
)
"""An access point with a public policy, and a setting that shuts out other accounts then."""
DELEGATING = policies(allow("s3:GetObject", OBJECT_ARN, {"AWS": OTHER}))


def test_a_public_access_point_policy_shuts_out_other_accounts() -> None:
    result = through(READS, DELEGATING, SHUTTING, who=user(OTHER))
    assert ALLOWED not in result.possible
    assert refused(result) == [(*RESTRICTS, Truth.YES)]


def test_an_access_point_with_a_vpc_origin_is_never_public() -> None:
    inside = {"aws:sourcevpc": ("vpc-1",)}
    result = through(READS, DELEGATING, replace(SHUTTING, vpc="vpc-1"), who=user(OTHER), context=inside)
    assert result.decision is ALLOWED


def test_s3s_own_verdict_on_the_access_point_policy_comes_first() -> None:
    private = replace(SHUTTING, policy_is_public=False)
    assert through(READS, DELEGATING, private, who=user(OTHER)).decision is ALLOWED


def test_two_rules_that_take_grants_away_take_them_away_together() -> None:
    """The object's ACL is public and ignored; the policy is public and restricted."""
    public = replace(STORED, grants=(AclGrant("AllUsers", "READ"),))
    settings = BlockPublicAccess(ignore_public_acls=True, restrict_public_buckets=True)
    both = replace(RESTRICTED, object_ownership="ObjectWriter", block_public_access=settings)
    result = ask(world(None, both, public), NOBODY)
    assert result.decision is IMPLICIT
    ignoring = replace(both, block_public_access=replace(settings, restrict_public_buckets=False))
    assert ask(world(None, ignoring, public), NOBODY).decision is ALLOWED
    restricting = replace(both, block_public_access=replace(settings, ignore_public_acls=False))
    assert ask(world(None, restricting, public), NOBODY).decision is ALLOWED


def test_an_object_that_is_not_there_yet_is_the_bucket_owners() -> None:
    writer = replace(BUCKET, object_ownership="ObjectWriter", policy=DELEGATING)
    assert ask(world(READS, writer, None), user(OTHER)).decision is ALLOWED

"""PolicySnapshot: everything that is known about who may do what, immutable, swapped whole.

UNKNOWN means not loaded; None means known to be none. Field names follow the AWS API responses that carry the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.principal import Principal
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.arn import Arn

AWS_MANAGED_KEY = "alias/aws/s3"


@dataclass(frozen=True, slots=True)
class BlockPublicAccess:
    """The four settings of one place (account, bucket, access point), or the effective ones."""

    block_public_acls: bool | Unknown = False
    ignore_public_acls: bool | Unknown = False
    block_public_policy: bool | Unknown = False
    restrict_public_buckets: bool | Unknown = False


UNKNOWN_BLOCK_PUBLIC_ACCESS = BlockPublicAccess(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


@dataclass(frozen=True, slots=True)
class AclGrant:
    """One grant of an ACL."""

    grantee: str
    """Canonical user id, 12-digit account id, or the last segment of a group URI: AllUsers, AuthenticatedUsers,
    LogDelivery."""
    permission: str
    """READ, WRITE, READ_ACP, WRITE_ACP or FULL_CONTROL."""


@dataclass(frozen=True, slots=True)
class PrincipalFacts:
    """An IAM user or role."""

    arn: str
    unique_id: str | None = None
    identity: PolicyList = UNKNOWN_POLICIES
    """Inline, attached and (users) of all groups."""
    boundary: PolicyList | None = UNKNOWN_POLICIES
    session: PolicyList | None = UNKNOWN_POLICIES
    """Session policies. No API returns them, so only a scenario knows. None: none were passed."""
    tags: Mapping[str, str] | Unknown = UNKNOWN


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account, with its place in the organization."""

    id: str | None = None
    canonical_id: str | Unknown = UNKNOWN
    alias: str | None | Unknown = UNKNOWN
    """The account alias. None: it has none."""
    block_public_access: BlockPublicAccess = UNKNOWN_BLOCK_PUBLIC_ACCESS
    organization_id: str | None | Unknown = UNKNOWN
    """None: in no organization."""
    organization_path: str | None | Unknown = UNKNOWN
    """`o-x/r-y/ou-z/`, as in aws:PrincipalOrgPaths."""
    management: bool | Unknown = UNKNOWN
    scp: tuple[PolicyList, ...] | None = (UNKNOWN_POLICIES,)
    """Levels, root first. None: not in an organization, or the management account."""
    rcp: tuple[PolicyList, ...] | None = (UNKNOWN_POLICIES,)


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """A bucket. `policy` empty and complete: known to have none."""

    name: str = ""
    account: str | Unknown = UNKNOWN
    region: str | Unknown = UNKNOWN
    policy: PolicyList = UNKNOWN_POLICIES
    policy_is_public: bool | Unknown = UNKNOWN
    """GetBucketPolicyStatus's own verdict, where loaded."""
    block_public_access: BlockPublicAccess = UNKNOWN_BLOCK_PUBLIC_ACCESS
    """The bucket's own setting; the effective one also depends on the account's."""
    object_ownership: str | Unknown = UNKNOWN
    grants: tuple[AclGrant, ...] | Unknown = UNKNOWN
    request_payer: str | Unknown = UNKNOWN
    """Requester or BucketOwner."""
    default_encryption: str | None | Unknown = UNKNOWN
    """SSE algorithm: AES256, aws:kms, aws:kms:dsse."""
    default_kms_key: str | None | Unknown = UNKNOWN
    """Key ARN, id or alias. None with aws:kms: the AWS managed key aws/s3."""
    bucket_key: bool | Unknown = UNKNOWN
    blocked_encryption_types: tuple[str, ...] | Unknown = UNKNOWN
    """BlockedEncryptionTypes, such as SSE-C."""
    versioning: str | None | Unknown = UNKNOWN
    mfa_delete: bool | Unknown = UNKNOWN
    tags: Mapping[str, str] | Unknown = UNKNOWN
    abac: bool | Unknown = UNKNOWN
    object_lock: bool | Unknown = UNKNOWN
    """Object Lock is enabled."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """A stored object (version)."""

    exists: bool | Unknown = UNKNOWN
    sse: str | None | Unknown = UNKNOWN
    """AES256, aws:kms, aws:kms:dsse; None: not aws:kms as far as anyone said."""
    kms_key: str | None | Unknown = UNKNOWN
    """Key ARN; `alias/aws/s3` for the AWS managed key."""
    bucket_key: bool | Unknown = UNKNOWN
    tags: Mapping[str, str] | Unknown = UNKNOWN
    owner_account: str | Unknown = UNKNOWN
    grants: tuple[AclGrant, ...] | Unknown = UNKNOWN
    storage_class: str | Unknown = UNKNOWN
    restored: bool | Unknown = UNKNOWN
    delete_marker: bool | Unknown = UNKNOWN
    lock_mode: str | None | Unknown = UNKNOWN
    retain_until: datetime | None | Unknown = UNKNOWN
    legal_hold: bool | Unknown = UNKNOWN


@dataclass(frozen=True, slots=True)
class AccessPointFacts:
    """An access point. `policy` empty and complete: known to have none."""

    arn: str
    name: str
    bucket: str
    account: str
    alias: str | None = None
    policy: PolicyList = UNKNOWN_POLICIES
    policy_is_public: bool | Unknown = UNKNOWN
    block_public_access: BlockPublicAccess = UNKNOWN_BLOCK_PUBLIC_ACCESS
    vpc: str | None | Unknown = UNKNOWN
    """Id of the only VPC that may use it; None: network origin Internet."""


@dataclass(frozen=True, slots=True)
class KmsKeyFacts:
    """A KMS key."""

    arn: str | None = None
    account: str | Unknown = UNKNOWN
    policy: PolicyList = UNKNOWN_POLICIES
    aliases: tuple[str, ...] = ()
    """All of them (`alias/name`); empty: not known."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A policy file that could not be used: its name, the place in it, what is wrong, and what to do."""

    file: str
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """All that is cached, at one moment. What is not in a mapping is answered by its `default_*`.

    An open world (a live snapshot) defaults to facts that are UNKNOWN throughout; a scenario, a closed world, to
    facts that say none."""

    revision: str = ""
    loaded: datetime | None = None
    access_keys: Mapping[str, str] = field(default_factory=dict)
    """Access key id -> principal ARN."""
    principals: Mapping[str, PrincipalFacts] = field(default_factory=dict)
    """IAM user or role ARN -> facts."""
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    buckets: Mapping[str, BucketFacts] = field(default_factory=dict)
    objects: Mapping[tuple[str, str], ObjectFacts | None] = field(default_factory=dict)
    """(bucket, key) -> facts; None: there is no such key."""
    access_points: Mapping[str, AccessPointFacts] = field(default_factory=dict)
    """By ARN, and by alias."""
    vpc_endpoints: Mapping[str, PolicyList] = field(default_factory=dict)
    kms_keys: Mapping[str, KmsKeyFacts] = field(default_factory=dict)
    """By ARN, by key id and by alias (ARN or name); ids and names only where one key alone has them."""
    problems: tuple[PolicyProblem, ...] = ()
    default_principal: PrincipalFacts = PrincipalFacts("")
    default_account: AccountFacts = AccountFacts()
    default_bucket: BucketFacts = BucketFacts()
    default_object: ObjectFacts = ObjectFacts()
    default_kms_key: KmsKeyFacts = KmsKeyFacts()
    vpc_endpoint: PolicyList | None = UNKNOWN_POLICIES
    """Policy of the endpoint that a request came through, where its id is not known. None: through no endpoint."""
    organizations: bool = True
    """False: the upstream has no AWS Organizations, so SCPs and RCPs that are not loaded are not there."""
    callers: dict[str, Principal] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The principals behind ARNs that were looked for already, as `s3.caller` found them."""

    def outside_aws(self) -> PolicySnapshot:
        """The same facts about an upstream that is not AWS: no organization and no VPC endpoint that nobody loaded."""
        return replace(self, organizations=False, vpc_endpoint=None)

    def principal(self, arn: str) -> PrincipalFacts:
        """Facts of an IAM user or role."""
        return self.principals.get(arn, self.default_principal)

    def account(self, account: str | None | Unknown) -> AccountFacts:
        """Facts of an account; of one that is not known, the default."""
        facts = self.default_account
        if account is not None and account is not UNKNOWN:
            facts = self.accounts.get(account, facts)
        if self.organizations:
            return facts
        return replace(facts, scp=_if_loaded(facts.scp), rcp=_if_loaded(facts.rcp))

    def bucket(self, name: str) -> BucketFacts:
        """Facts of a bucket."""
        found = self.buckets.get(name)
        return found if found is not None else replace(self.default_bucket, name=name)

    def object(self, bucket: str, key: str) -> ObjectFacts | None:
        """Facts of an object; None: there is no such key."""
        if (bucket, key) in self.objects:
            return self.objects[bucket, key]
        return self.default_object

    def kms_key(self, key: str | None | Unknown) -> KmsKeyFacts:
        """Facts of a key by ARN, id or alias."""
        if key is None or key is UNKNOWN:
            return self.default_kms_key
        if key in self.kms_keys or self.default_kms_key.policy.policies:
            return self.kms_keys.get(key, self.default_kms_key)
        named = Arn.parse(key)
        # There is one in every account, of which nothing need be loaded.
        if named is not None and named.resource == AWS_MANAGED_KEY:
            return KmsKeyFacts(account=named.account)
        return self.default_kms_key


def _if_loaded(levels: tuple[PolicyList, ...] | None) -> tuple[PolicyList, ...] | None:
    return None if levels == (UNKNOWN_POLICIES,) else levels

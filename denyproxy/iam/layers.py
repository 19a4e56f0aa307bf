"""The values of evaluation: what is asked, what bears on it, and what each layer says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import NO_POLICIES, Policy, PolicyList
from denyproxy.iam.principal import Principal
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth

Layer = Literal[
    "identity",
    "bucket-policy",
    "access-point-policy",
    "permissions-boundary",
    "session-policy",
    "scp",
    "rcp",
    "vpc-endpoint-policy",
    "kms-key-policy",
    "resource-policy",
]
"""The names of layers. `resource-policy` is what is missing where a resource has no resource-based policy at all."""


class Decision(StrEnum):
    """The three results of evaluation."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit-deny"
    IMPLICIT_DENY = "implicit-deny"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """May this principal do this action on this resource, in this context?"""

    principal: Principal
    action: str
    """`s3:GetObject`; compared without regard to case."""
    resource: str
    context: RequestContext


class Grant(NamedTuple):
    """What the Allows on the resource's side are worth, one truth per row group of the grant matrix.

    `direct` grants alone (user ARN for that user, session ARN, federated-user ARN, `*`, aws:PrincipalArn);
    `issuer` replaces the identity policy's Allow, while boundary and session policy still have to allow (role ARN for
    its sessions, user ARN for a federated session of it); `account` only delegates (account id or root).
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html"""

    direct: Truth = Truth.NO
    issuer: Truth = Truth.NO
    account: Truth = Truth.NO


NO_GRANT = Grant()


@dataclass(frozen=True, slots=True)
class ResourceLayer:
    """One resource-based layer. All of them must grant where a resource-side grant is needed; a Deny in any one denies.

    An access point brings two (its own policy, and the bucket's under the bucket's ARN)."""

    layer: str
    """Its name in evidence, such as `bucket-policy`; distinct within a PolicySet."""
    policies: PolicyList = NO_POLICIES
    """None attached: an empty, complete list."""
    resource: str | None = None
    """Resource ARN under which this layer is evaluated, where it is not the request's."""
    deny_only: bool = False
    """Its Allows have no effect (a bucket policy on an object that another account owns): only `other_grant` grants."""
    other_grant: Grant = NO_GRANT
    """Granted on this layer by other means than a policy (ACLs); or-ed with the policy's Allows."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All that bears on one authorization request. For optional layers None means: does not apply, known."""

    same_account: Truth
    """Do caller and resource owner belong to one account?"""
    identity: PolicyList = NO_POLICIES
    boundary: PolicyList | None = None
    session: PolicyList | None = None
    """None: no session policy was passed. A federated session then has no permissions of its own."""
    scp: tuple[PolicyList, ...] | None = None
    """Organization levels of the caller's account, root first. None: no organization, or exempt."""
    rcp: tuple[PolicyList, ...] | None = None
    """Organization levels of the resource's account (customer-managed policies; RCPFullAWSAccess is implied)."""
    vpc_endpoint: PolicyList | None = None
    resource: tuple[ResourceLayer, ...] = ()
    resource_must_delegate: bool = False
    """KMS keys and role trust: an identity policy counts only if the resource's policy delegates to the account."""


class Blocks(StrEnum):
    """How a layer stands in the way."""

    EXPLICIT = "explicit"
    IMPLICIT = "implicit"


class Objection(NamedTuple):
    """A layer that denies. `truth` YES: for every value of the unknowns; UNKNOWN: for some."""

    layer: str
    blocks: Blocks
    truth: Truth
    level: int | None = None
    """For implicit objections of SCPs: the organization level (index, root first) that lacks an Allow."""


class LayerEvaluation(NamedTuple):
    """What one layer says. `allow` of a layer with nothing to say (no boundary ...) is YES; of no policy at all NO."""

    layer: str
    deny: Truth
    allow: Truth
    statements: tuple[tuple[Policy, Statement, Truth], ...] = ()
    """The statements that concern the action, in document order, each with whether it matches."""
    grant: Grant | None = None
    """For resource-based layers."""

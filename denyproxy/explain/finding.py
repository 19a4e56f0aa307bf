"""One reason that denies the call, or may: the value, and its public form."""

from __future__ import annotations

from typing import NamedTuple

from denyproxy.explain.model import Cause, EffectOfCause, Mismatch, NearMiss
from denyproxy.explain.near_misses import NearMisses, first_failing
from denyproxy.iam.document import Policy
from denyproxy.iam.evidence import StatementEvidence
from denyproxy.iam.truth import Truth
from denyproxy.s3.acl import BUCKET_PERMISSIONS
from denyproxy.s3.authorization import Authorization

MOST_NEAR_MISSES = 3
_POLICY_OF_LAYER = {
    "bucket-policy": "bucket policy",
    "vpc-endpoint-policy": "VPC endpoint policy",
    "kms-key-policy": "KMS key policy",
    "access-point-policy": "access point policy",
    "acl": "object ACL",
    "block-public-access": "Block Public Access",
}


class Finding(NamedTuple):
    """One reason. `truth` YES: it denies whatever the unknowns are; UNKNOWN: it may."""

    layer: str
    effect: EffectOfCause
    truth: Truth
    stage: int
    authorization: Authorization | None = None
    policy: Policy | None = None
    evidence: StatementEvidence | None = None
    element: str | None = None
    expected: str | None = None
    actual: str | None = None
    reason: str | None = None
    unknowns: tuple[str, ...] = ()
    """Facts that would decide it."""
    misses: NearMisses | None = None
    level: int | None = None
    by_proxy: bool = False
    """denyproxy itself refused for this reason; S3 was not asked."""
    stands_for: Finding | None = None
    """The identity policies' denial, which S3 names, where a bucket policy of the same account was meant to grant."""
    named: str | None = None
    """ARN of the policy, where S3 names one that is not loaded."""

    @property
    def near_misses(self) -> tuple[StatementEvidence, ...]:
        """The statements that were meant to grant, or nearly did, the nearest first."""
        return self.misses.take(MOST_NEAR_MISSES) if self.misses is not None else ()

    @property
    def policy_name(self) -> str | None:
        """Name of the policy, or of the layer whose policy has none of its own."""
        if self.policy is not None:
            return self.policy.name
        if self.named is not None:
            return self.named
        if self.layer == "acl" and self.authorization is not None:
            action = self.authorization.requirement.action.lower()
            return "bucket ACL" if action in BUCKET_PERMISSIONS else "object ACL"
        return _POLICY_OF_LAYER.get(self.layer)

    @property
    def statement(self) -> str | None:
        """The Sid, or Statement[0]."""
        return self.evidence.statement.label if self.evidence is not None else None

    def as_cause(self, sentence: str = "") -> Cause:
        """In the public form."""
        requirement = self.authorization.requirement if self.authorization is not None else None
        scoped = requirement is not None and self.effect != "not-policy"
        return Cause(
            layer=self.layer,
            effect=self.effect,
            action=requirement.action if scoped and requirement else None,
            resource=requirement.resource if scoped and requirement else None,
            policy=self.policy_name,
            statement=self.statement,
            element=self.element,
            expected=self.expected,
            actual=self.actual,
            sentence=sentence,
        )


def fact_of(element: str) -> str:
    """`aws:SourceVpce` of `condition:aws:SourceVpce`; other elements as they are."""
    kind, _, name = element.partition(":")
    return name if kind in ("condition", "variable") else element


def as_near_miss(evidence: StatementEvidence, finding: Finding, sentence: str) -> NearMiss:
    """A near miss in the public form."""
    element = first_failing(evidence)
    requirement = finding.authorization.requirement if finding.authorization is not None else None
    return NearMiss(
        layer=finding.layer,
        effect="implicit",
        action=requirement.action if requirement else None,
        resource=requirement.resource if requirement else None,
        policy=evidence.policy.name,
        statement=evidence.statement.label,
        element=element.element if element else None,
        expected=element.expected if element else None,
        actual=element.actual if element else None,
        sentence=sentence,
        mismatches=tuple(
            Mismatch(
                element=item.element,
                expected=item.expected,
                actual=item.actual,
                reason=None if item.reason is None else str(item.reason),
            )
            for item in evidence.failing
        ),
    )

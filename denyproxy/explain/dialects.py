"""Where S3 servers other than AWS decide by other rules, as far as that bears on what was found.

Measured on MiniStack 1.5, SeaweedFS 4 and Ceph RGW 16.2; besides:
https://docs.ceph.com/en/latest/radosgw/bucketpolicy/ (no string interpolation; condition keys)
https://github.com/minio/minio/issues/10578, issues/9530 (bucket policies are for anonymous requests)
https://min.io/docs/minio/linux/administration/identity-access-management/policy-based-access-control.html
https://min.io/docs/minio/linux/reference/s3-api-compatibility.html (operations that are not implemented)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from denyproxy.explain.finding import Finding
from denyproxy.explain.model import Verdict
from denyproxy.explain.verdict import Judgement
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.truth import Truth
from denyproxy.s3.authorization import Authorization


class Difference(Enum):
    """One rule of a server that is not AWS's."""

    CEPH_INNER_WILDCARD = auto()
    CEPH_NEGATED_ABSENT = auto()
    CEPH_VARIABLES = auto()
    CEPH_CONDITION_KEY = auto()
    MINIO_BUCKET_POLICY = auto()
    MINIO_CONDITION_KEY = auto()
    MINIO_NO_SUCH_LAYER = auto()
    OTHER_NOTPRINCIPAL = auto()
    OTHER_VARIABLES = auto()
    OTHER_UNAPPLIED_KEY = auto()
    OTHER_CONDITIONS = auto()
    OTHER_NOTACTION = auto()
    OTHER_IDENTITY_DENY = auto()
    OTHER_IF_EXISTS = auto()
    OTHER_MISSING_KEY = auto()


@dataclass(frozen=True, slots=True)
class _Bearing:
    """What a verdict rests on: a layer, and the statement in it that decides by AWS's rules."""

    layer: str
    evidence: StatementEvidence | None
    anonymous: bool
    missing_key: bool = False

    @property
    def elements(self) -> tuple[ElementEvidence, ...]:
        return self.evidence.elements if self.evidence is not None else ()

    @property
    def conditions(self) -> Iterator[ElementEvidence]:
        return (item for item in self.elements if item.part == "condition")

    @property
    def denies(self) -> bool:
        return self.evidence is not None and self.evidence.statement.effect == "Deny"

    @property
    def has_variable(self) -> bool:
        return any("${" in item.expected for item in self.elements)


def differences(
    kind: str, judgement: Judgement, authorizations: tuple[Authorization, ...], *, anonymous: bool
) -> tuple[Difference, ...]:
    """The known differences of an upstream kind that bear on a verdict. `anonymous`: the caller is nobody."""
    bearings = list(_bearings(judgement, authorizations, anonymous))
    return tuple(found for found, bears in _TABLE.get(kind, ()) if any(map(bears, bearings)))


def _bearings(judgement: Judgement, authorizations: tuple[Authorization, ...], anonymous: bool) -> Iterator[_Bearing]:
    if judgement.verdict is Verdict.UNEXPLAINED:
        for authorization in authorizations:
            yield from _allowing(authorization, anonymous)
    finding: Finding | None = judgement.cause or next(iter(judgement.candidates), None)
    if finding is not None:
        yield _Bearing(finding.layer, finding.evidence, anonymous, judgement.missing_key)


def _allowing(authorization: Authorization, anonymous: bool) -> Iterator[_Bearing]:
    """The statements by which AWS would have allowed what was denied."""
    evaluation = authorization.evaluation
    resources = {layer.layer: layer.resource for layer in authorization.policies.resource}
    for layer in evaluation.layers.values():
        for policy, statement, truth in layer.statements:
            if statement.effect == "Allow" and truth is Truth.YES:
                evidence = examine(policy, statement, evaluation.request, resources.get(layer.layer))
                yield _Bearing(layer.layer, evidence, anonymous)


def _inner_wildcard(bearing: _Bearing) -> bool:
    """Does it apply by a pattern with a * that is not its end?"""
    return any(
        item.truth is Truth.YES
        and not item.negated
        and "*" in item.expected.rstrip("*")
        and (item.part in ("action", "resource") or "Like" in (item.operator or ""))
        for item in bearing.elements
    )


def _negated_absent(bearing: _Bearing) -> bool:
    return any(
        item.truth is Truth.YES
        and item.negated
        and item.actual is None
        and not (item.operator or "").endswith("IfExists")
        for item in bearing.conditions
    )


def _in_bucket_policy(bears: Callable[[_Bearing], bool]) -> Callable[[_Bearing], bool]:
    return lambda bearing: bearing.layer == "bucket-policy" and bears(bearing)


def _key_outside(known: frozenset[str]) -> Callable[[_Bearing], bool]:
    """Is there a condition on a global key (aws:...) that is not among the known ones?"""
    return lambda bearing: any(
        (key := (item.key or "").lower()).startswith("aws:") and key not in known for item in bearing.conditions
    )


_COMMON_KEYS = frozenset(
    {
        "aws:currenttime",
        "aws:epochtime",
        "aws:principaltype",
        "aws:referer",
        "aws:securetransport",
        "aws:sourceip",
        "aws:useragent",
        "aws:username",
    }
)
_UNAPPLIED_KEYS = frozenset({"aws:useragent", "s3:authtype", "s3:signatureversion"})

_TABLE: dict[str, tuple[tuple[Difference, Callable[[_Bearing], bool]], ...]] = {
    "ceph": (
        (Difference.CEPH_INNER_WILDCARD, _inner_wildcard),
        (Difference.CEPH_NEGATED_ABSENT, _negated_absent),
        (Difference.CEPH_VARIABLES, _in_bucket_policy(lambda bearing: bearing.has_variable)),
        (Difference.CEPH_CONDITION_KEY, _in_bucket_policy(_key_outside(_COMMON_KEYS))),
    ),
    "minio": (
        (Difference.MINIO_BUCKET_POLICY, _in_bucket_policy(lambda bearing: not bearing.anonymous)),
        (Difference.MINIO_CONDITION_KEY, _key_outside(_COMMON_KEYS | {"aws:userid"})),
        (
            Difference.MINIO_NO_SUCH_LAYER,
            lambda bearing: bearing.layer in ("acl", "block-public-access", "requester-pays"),
        ),
    ),
    "other": (
        (
            Difference.OTHER_NOTPRINCIPAL,
            lambda bearing: bearing.evidence is not None and bearing.evidence.statement.not_principal,
        ),
        (Difference.OTHER_VARIABLES, lambda bearing: bearing.has_variable),
        (
            Difference.OTHER_UNAPPLIED_KEY,
            lambda bearing: (
                bearing.denies and any((item.key or "").lower() in _UNAPPLIED_KEYS for item in bearing.conditions)
            ),
        ),
        (Difference.OTHER_CONDITIONS, lambda bearing: any(bearing.conditions)),
        (
            Difference.OTHER_NOTACTION,
            lambda bearing: bearing.denies and bearing.evidence is not None and bearing.evidence.statement.not_action,
        ),
        (Difference.OTHER_IDENTITY_DENY, lambda bearing: bearing.layer == "identity" and bearing.denies),
        (
            Difference.OTHER_IF_EXISTS,
            _in_bucket_policy(
                lambda bearing: any((item.operator or "").endswith("IfExists") for item in bearing.conditions)
            ),
        ),
        (Difference.OTHER_MISSING_KEY, lambda bearing: bearing.missing_key),
    ),
}
"""Upstream kind -> its differences, each with when it bears on what a verdict rests on."""

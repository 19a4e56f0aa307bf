"""Which of several possible causes is the most likely one."""

from __future__ import annotations

from denyproxy.explain.finding import Finding
from denyproxy.iam.truth import Truth
from denyproxy.s3.request import Role

UNKNOWN_LAYERS = (
    "identity",
    "bucket-policy",
    "access-point-policy",
    "kms-key-policy",
    "resource-policy",
    "session-policy",
    "scp",
    "vpc-endpoint-policy",
    "permissions-boundary",
    "rcp",
)
"""Layers whose policies may not be loaded, the likeliest first."""
_LIKELY_EXPLICIT = frozenset({"scp", "rcp"})


def likelihood(finding: Finding) -> tuple[int, int, int]:
    """Sort key of candidates, most likely first: policies at hand before layers that are not loaded, but for the
    permission to use a KMS key that perhaps nothing is encrypted with."""
    requirement = finding.authorization.requirement if finding.authorization is not None else None
    key = requirement is not None and requirement.role is Role.KMS and requirement.needed is Truth.UNKNOWN
    if key and finding.layer in ("identity", "kms-key-policy"):
        unloaded_deny = finding.evidence is None and finding.effect == "explicit"
        return (3, int(unloaded_deny), UNKNOWN_LAYERS.index("kms-key-policy"))
    if finding.evidence is not None or (finding.effect == "implicit" and not finding.unknowns):
        if finding.truth is Truth.UNKNOWN:
            return (0 if finding.effect == "explicit" else 1, finding.stage, 0)
        return (2, finding.stage, 0)
    if finding.layer in UNKNOWN_LAYERS:
        order = UNKNOWN_LAYERS.index(finding.layer)
        expected = "explicit" if finding.layer in _LIKELY_EXPLICIT else "implicit"
        return (3 if order < 5 else 5, int(finding.effect != expected), order)
    return (4, finding.stage, 0)

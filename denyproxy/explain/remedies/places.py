"""Where the policies of a layer stand in a scenario, whose they are, and how they name a principal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.findings import layer_policies
from denyproxy.explain.patches import Draft
from denyproxy.explain.remedies.part import Owner
from denyproxy.explain.remedies.statements import Json
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy

Path = tuple[str | int, ...]
_NEEDED = ("permissions_boundary", "vpc_endpoint_policy", "kms_key_policy")
"""Policies that must not go altogether: without a boundary or an endpoint policy everything is allowed."""


@dataclass(frozen=True, slots=True)
class Place:
    """What holds of all policies of a layer."""

    owner: Owner
    naming: Literal["element", "condition", "none"]
    """How a statement singles out a principal: in Principal, by aws:PrincipalArn, or not at all."""
    member: str = ""
    """In a scenario, below `policies`."""


PLACES: Mapping[str, Place] = {
    "identity": Place("identity admin", "none"),
    # A managed policy, which may bound others too.
    "permissions-boundary": Place("identity admin", "condition"),
    "session-policy": Place("identity admin", "none"),
    "scp": Place("organization admin", "condition"),
    "rcp": Place("organization admin", "condition"),
    "bucket-policy": Place("bucket owner", "element", "bucket_policy"),
    "access-point-policy": Place("bucket owner", "element", "access_point"),
    "kms-key-policy": Place("key owner", "element", "kms_key_policy"),
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html: Principal with an ARN means root.
    "vpc-endpoint-policy": Place("network admin", "condition", "vpc_endpoint_policy"),
}


def is_aws_managed(policy: Policy | None) -> bool:
    """Is it one of AWS's own, which nobody else can change?"""
    parts = (policy.arn or "").split(":") if policy is not None else []
    return len(parts) > 4 and parts[4] == "aws"


def is_quarantine(policy: Policy | None) -> bool:
    """Is it the one that AWS attaches to users whose credentials were exposed?

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html"""
    name = (policy.arn or "").rpartition("/")[2] if policy is not None else ""
    return is_aws_managed(policy) and name.startswith("AWSCompromisedKeyQuarantine")


def is_shared(finding: Finding) -> bool:
    """Is the policy on the caller's side one that others have too: a group's, or a managed one?"""
    return finding.layer in ("identity", "session-policy") and finding.policy is not None and bool(finding.policy.arn)


def naming_of(finding: Finding) -> Literal["element", "condition", "none"]:
    """How a statement of the finding's policy singles out the caller."""
    return "condition" if is_shared(finding) else PLACES[finding.layer].naming


def is_of_source(finding: Finding, case: Case) -> bool:
    """Is it the policy of the bucket that a copy reads from? A scenario has that of the request's own bucket alone."""
    if finding.layer != "bucket-policy" or finding.authorization is None:
        return False
    requirement = finding.authorization.requirement
    return requirement.source and requirement.bucket != case.request.bucket


def document_path(finding: Finding, case: Case) -> Path | None:
    """Where the document of a finding's policy stands; where it would stand, for layers with one policy. None: in a
    list, and none of the list is meant; or not in the scenario."""
    layer, policy = finding.layer, finding.policy
    assert finding.authorization is not None
    policies = finding.authorization.policies
    match layer:
        case "permissions-boundary":
            return ("policies", "permissions_boundary", "document") if policy is not None else None
        case "bucket-policy" if is_of_source(finding, case):
            return None
        case "access-point-policy":
            return ("policies", "access_point", "policy")
        case "identity" | "session-policy":
            listed, _ = layer_policies(policies, layer)
            index = _index(policy, listed.policies)
            member = "identity" if layer == "identity" else "session"
            return None if index is None else ("policies", member, index, "document")
        case "scp" | "rcp":
            for level, listing in enumerate((policies.scp if layer == "scp" else policies.rcp) or ()):
                index = _index(policy, listing.policies)
                if index is not None and finding.level in (None, level):
                    return ("policies", layer, level, index, "document")
            return None
        case _:
            return ("policies", PLACES[layer].member) if layer in PLACES else None


def _index(policy: Policy | None, listed: tuple[Policy, ...]) -> int | None:
    return next((index for index, item in enumerate(listed) if item is policy), None)


def statement_place(draft: Draft, document: Path, statement: Mapping[str, object]) -> Path | None:
    """Where a statement stands now; earlier parts of a fix may have moved it. None: it is there no more."""
    written = draft.get(*document, "Statement")
    if written is statement:
        return (*document, "Statement")
    for index, item in enumerate(written if isinstance(written, list) else ()):
        if item is statement:
            return (*document, "Statement", index)
    return None


def replacing_statement(path: Path, statement: Json, new: tuple[Json, ...]) -> Callable[[Draft], None]:
    """Put statements in the place of one."""

    def edit(draft: Draft) -> None:
        place = statement_place(draft, path, statement)
        if place is None:
            return
        if not new:
            draft.in_the_end(lambda later: _remove(later, path, statement), *path)
        elif place == (*path, "Statement"):
            draft.put(new[0] if len(new) == 1 else list(new), *place)
        else:
            draft.put(new[0], *place)
            for item in new[1:]:
                draft.append(item, *path, "Statement")

    return edit


def _remove(draft: Draft, path: Path, statement: Json) -> None:
    """Take out a statement; with the last one the policy goes, and from a list its entry."""
    place = statement_place(draft, path, statement)
    if place is None:
        return
    last = place == (*path, "Statement") or len(draft.get(*path, "Statement")) == 1
    if not last:
        draft.remove(*place)
    elif path[1] not in _NEEDED:
        draft.remove(*(path[:-1] if path[-1] == "document" else path))


def written(finding: Finding) -> dict[str, object]:
    """The statement of a finding as it is written."""
    assert finding.evidence is not None
    found = finding.evidence.policy.document["Statement"]
    statement = found if isinstance(found, dict) else found[finding.evidence.statement.index]
    assert isinstance(statement, dict)
    return statement


def policy_in_words(finding: Finding, case: Case) -> str:
    """The policy that is to be changed, as people call it."""
    name = finding.policy.name if finding.policy is not None else None
    match finding.layer:
        case "identity":
            return _identity_policy(finding.policy) if finding.policy else "an identity-based policy"
        case "permissions-boundary":
            return f"the permissions boundary {name or ''}".rstrip()
        case "session-policy":
            return f"the session policy {name or ''}".rstrip()
        case "scp" | "rcp":
            kind = "service" if finding.layer == "scp" else "resource"
            return f"the {kind} control policy {name or ''}".rstrip()
        case "bucket-policy" if is_of_source(finding, case):
            return f"the {target(finding, case)}"
        case "bucket-policy":
            return "the bucket policy"
        case "access-point-policy":
            return "the access point policy"
        case "kms-key-policy":
            return "the KMS key policy"
        case _:
            return "the VPC endpoint policy"


def _identity_policy(policy: Policy) -> str:
    if policy.group is not None:
        return f"policy {policy.name} of group {policy.group.rpartition('/')[2]} (all its members)"
    if policy.arn is not None and not is_aws_managed(policy):
        return f"managed policy {policy.name} (all that it is attached to)"
    return f"policy {policy.name}"


def target(finding: Finding, case: Case) -> str:
    """The policy that is to be changed, as its owner finds it."""
    assert finding.authorization is not None
    requirement, policy = finding.authorization.requirement, finding.policy
    match finding.layer:
        case "bucket-policy":
            return f"bucket policy of {requirement.bucket}"
        case "access-point-policy":
            return f"policy of {requirement.via_access_point}"
        case "kms-key-policy":
            return f"key policy of {requirement.resource}"
        case "vpc-endpoint-policy":
            return f"policy of VPC endpoint {endpoint_id(finding) or ''}".rstrip()
        case "identity" | "session-policy" | "permissions-boundary":
            if policy is not None and policy.arn is not None:
                return policy.arn if policy.group is None else f"{policy.name} of {policy.group}"
            return f"{finding.policy_name or 'a policy'} of {holder(finding, case)}"
        case _:
            return (policy.arn or policy.name) if policy is not None else finding.layer


def holder(finding: Finding, case: Case) -> str | None:
    """Who has the policies of a layer: the role behind a session, or the session alone."""
    principal = case.caller.principal
    return principal.arn if finding.layer == "session-policy" else principal.issuer or principal.arn


def endpoint_id(finding: Finding) -> str | None:
    """The VPC endpoint that the request came through."""
    assert finding.authorization is not None
    return endpoint_of(finding.authorization.evaluation.request.context)


def endpoint_of(context: RequestContext) -> str | None:
    """The VPC endpoint that a request came through, if it is known to have come through one."""
    found = context.lookup("aws:SourceVpce")
    return found[0] if isinstance(found, tuple) and found else None

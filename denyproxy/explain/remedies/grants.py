"""For an implicit deny: the Allow that is missing, on this resource for this principal, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.patches import Draft
from denyproxy.explain.prose.remedies import (
    BLOCKED_POLICY,
    THROUGH_ACCESS_POINT,
    all_its_keys,
    caller_in_words,
    extend,
    grant,
    left_out,
    missing_key_grant,
    new_policy,
    other_policy,
    public_grant,
    source_condition,
    wider,
)
from denyproxy.explain.prose.state_remedies import SIGN, SIGNER
from denyproxy.explain.remedies.carried import (
    Block,
    carried_conditions,
    of_the_access_point,
    of_the_service,
    of_the_session,
)
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import (
    PLACES,
    Path,
    document_path,
    holder,
    is_aws_managed,
    is_of_source,
    is_shared,
    naming_of,
    policy_in_words,
    statement_place,
    target,
    written,
)
from denyproxy.explain.remedies.repairs import repairs
from denyproxy.explain.remedies.requests import without_headers
from denyproxy.explain.remedies.scopes import principal_element, resource_of, says_only, scope_of
from denyproxy.explain.remedies.signing import signing_may_do, unsigned
from denyproxy.explain.remedies.slips import with_wildcard
from denyproxy.explain.remedies.statements import Json, allow, merged
from denyproxy.explain.verdict import is_unloaded
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.parsing import SUBSTITUTING_VERSION
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth
from denyproxy.s3.arn import objects_of
from denyproxy.s3.gates import block_public_access
from denyproxy.s3.public_access import effective
from denyproxy.s3.request import is_on_unknown

_LISTING = ("s3:ListBucket", "s3:ListBucketVersions")
_CEILINGS = ("permissions-boundary", "session-policy", "scp", "vpc-endpoint-policy")
"""Layers whose policies grant nothing by themselves."""
NEW_POLICY = "additional-permissions"
"""What a policy is called that a fix adds."""

_LISTS: dict[str, Path] = {"identity": ("policies", "identity"), "session-policy": ("policies", "session")}


def grants(findings: Sequence[Finding], case: Case, *, missing_key: bool) -> list[Part]:
    """The ways to let findings of one action and layer through, the best first. Empty: there is no place to say it."""
    finding = findings[0]
    anonymous = case.caller.principal.type is PrincipalType.ANONYMOUS
    single = len(findings) == 1 and not anonymous
    repaired = list(repairs(finding, case)) if single else []
    if repaired and repaired[0].exact:
        return repaired
    extended = _extension(finding, case) if single else None
    added = extended or _addition(findings, case, missing_key=missing_key)
    parts = [Part("caller", "the request", SIGN, open=SIGNER)] if anonymous and signing_may_do(finding) else []
    parts += [added] if added is not None else []
    return [*parts, *repaired, *unsigned(finding, case), *without_headers(finding, case)]


def _addition(findings: Sequence[Finding], case: Case, *, missing_key: bool) -> Part | None:
    """A statement of its own."""
    finding = findings[0]
    path, listing = _place_of_addition(finding, case)
    elsewhere = is_of_source(finding, case)
    new = path is None and not elsewhere
    scope, exact = scope_of(findings, case, own=new and finding.layer in _LISTS)
    carried, principal = carried_conditions(finding), case.caller.principal
    sourced = of_the_service(finding, principal, carried.block)
    through = of_the_access_point(finding, carried.block)
    whom = caller_in_words(principal)
    if _names_accounts(finding) and principal.type is PrincipalType.ROOT:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html: the account.
        scope, exact, whom = replace(scope, only={}), False, f"account {principal.account}"
    limits = merged(merged(sourced.block, through.block), carried.block)
    statement = allow(scope, limits)
    anonymous = principal.type is PrincipalType.ANONYMOUS
    resources = list(map(resource_of, findings))
    named = naming_of(finding) != "none" and not (new and finding.layer in _LISTS)
    if path is None and listing is None and not elsewhere:
        if finding.policy is None:
            return None
        words = other_policy(policy_in_words(finding, case), "allows it too")
        return Part(PLACES[finding.layer].owner, target(finding, case), words)
    policy = new_policy(finding.layer) if new else policy_in_words(finding, case)
    words = grant(scope.actions, resources, policy, whom if named else None, carried.limits)
    words += left_out(carried.lost)
    prefix = None if missing_key else case.request.parameter("prefix")
    if prefix and all(action in _LISTING for action in scope.actions) and not _tests_prefix(limits):
        words += all_its_keys(prefix)
    if sourced.block or not sourced.complete:
        words += source_condition(sourced.block)
    if through.block:
        words += THROUGH_ACCESS_POINT
    words += _wider(finding, policy_in_words(finding, case) if new else None) if len(findings) == 1 else ""
    if missing_key:
        words = missing_key_grant(words)
    elif anonymous and finding.layer != "vpc-endpoint-policy":  # which opens a network's way, and makes nothing public
        on_object = finding.authorization is not None and finding.authorization.requirement.key is not None
        words = public_grant(words, "object" if on_object else "bucket")
    where = target(finding, case) if not new else f"{NEW_POLICY} of {holder(finding, case)}"
    exact = exact and carried.complete and sourced.complete

    def edit(draft: Draft) -> None:
        if path is not None:
            add_statement(draft, path, statement)
        elif listing is not None:
            _add_policy(draft, listing, statement)

    refused = BLOCKED_POLICY if finding.layer == "bucket-policy" and anonymous and _blocks_public(case) else ""
    return Part(PLACES[finding.layer].owner, where, words, None if elsewhere else edit, exact, open=refused)


def _tests_prefix(limits: Block) -> bool:
    return any(key.lower() == "s3:prefix" for keys in limits.values() for key in keys)


def _blocks_public(case: Case) -> bool:
    """Does Block Public Access refuse to store a public bucket policy?"""
    point = case.snapshot.access_points.get(case.request.access_point or "")
    places = block_public_access(case.request.bucket, point, case.snapshot)
    return effective("BlockPublicPolicy", places) is Truth.YES


def _place_of_addition(finding: Finding, case: Case) -> tuple[Path | None, Path | None]:
    """The document that a statement is added to; or the list that a new policy is added to, where there is no
    document, others have the same one, or it is AWS's own. Neither: there can be no other (a boundary), or the levels
    of the organization are not known."""
    path = document_path(finding, case)
    if path is not None and not is_aws_managed(finding.policy) and not is_shared(finding):
        return path, None
    listing = _LISTS.get(finding.layer)
    if finding.layer == "scp" and not is_unloaded(finding):
        listing = ("policies", "scp", finding.level or 0)
    return None, listing


def _names_accounts(finding: Finding) -> bool:
    """Does the statement that was meant to allow name a whole account?"""
    element = finding.evidence.statement.principal if finding.evidence is not None else None
    return element is not None and any(entry.kind == "account" for entry in element.entries)


def add_statement(draft: Draft, path: Path, statement: Json) -> None:
    """Add a statement to a document; where there is none, make it."""
    document = draft.get(*path)
    if document is None:
        draft.put(new_document(statement), *path)
    elif isinstance(document["Statement"], dict):
        draft.put([document["Statement"], statement], *path, "Statement")
    else:
        draft.append(statement, *path, "Statement")


def new_document(statement: Json) -> Json:
    """A policy document of one statement."""
    return {"Version": SUBSTITUTING_VERSION, "Statement": [statement]}


def _add_policy(draft: Draft, listing: Path, statement: Json) -> None:
    """To the policy that another part of the fix has added, or to a new one, by a name that is not taken."""
    known = {id(policy) for policy in draft.original(*listing) or ()}
    policies = draft.get(*listing) or ()
    for index, policy in enumerate(policies):
        if id(policy) not in known:
            add_statement(draft, (*listing, index, "document"), statement)
            return
    taken = {policy["name"] for policy in policies}
    names = (NEW_POLICY, *(f"{NEW_POLICY}-{number}" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    draft.append({"name": name, "document": new_document(statement)}, *listing)


# The statement that nearly allows, extended: only where it then says nothing more than what is missing


def _extension(finding: Finding, case: Case) -> Part | None:
    path, evidence = document_path(finding, case), finding.evidence
    if path is None or evidence is None or is_aws_managed(finding.policy) or is_shared(finding):
        return None
    if finding.authorization is not None and is_on_unknown(finding.authorization.requirement):
        return None
    if not of_the_service(finding, case.caller.principal).is_empty or not of_the_access_point(finding).is_empty:
        return None
    if of_the_session(finding):
        return None
    failing = {item.part for item in evidence.failing}
    scope, exact = scope_of([finding], case)
    others = [part for part in ("action", "resource", "principal") if part not in failing]
    if len(failing) != 1 or not exact or not all(says_only(evidence.statement, part, scope) for part in others):
        return None
    part = next(iter(failing))
    values = {"action": ("Action", scope.actions[0]), "resource": ("Resource", scope.resources[0])}
    if part == "principal":
        values["principal"] = ("Principal", principal_element(case.caller.principal).get("AWS"))
    element, value = values.get(part, ("", None))
    statement = written(finding)
    if value is None or element not in statement:
        return None
    words = extend(element, value, evidence.statement.label, policy_in_words(finding, case))
    edit = _adding(path, statement, element, value)
    return Part(PLACES[finding.layer].owner, target(finding, case), words, edit)


def _adding(path: Path, statement: Json, element: str, value: Any) -> Callable[[Draft], None]:
    def edit(draft: Draft) -> None:
        place = statement_place(draft, path, statement)
        if place is None:
            return
        member: Path = (*place, element, "AWS") if element == "Principal" else (*place, element)
        present = draft.get(*member)
        if isinstance(present, list):
            draft.append(value, *member)
        else:
            draft.put(value if present is None else [present, value], *member)

    return edit


def _wider(finding: Finding, policy: str | None) -> str:
    """What would do as well, and let through more."""
    evidence = finding.evidence
    if evidence is None or len(evidence.failing) != 1 or is_aws_managed(finding.policy):
        return ""
    if finding.layer not in _CEILINGS and not _is_confined(evidence.statement):
        return ""
    item, label = evidence.failing[0], evidence.statement.label
    assert finding.authorization is not None
    first = item.expected.split(", ")[0]
    if item.part == "action" and not item.negated:
        return wider("Action", finding.authorization.requirement.action, label, policy)
    if item.reason is Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT:
        return wider("Resource", objects_of(first), label, policy)
    if item.part == "resource" and item.reason is Mismatch.PREFIX_LACKS_WILDCARD:
        return wider("Resource", with_wildcard(item) or f"{first}*", label, policy)
    return ""


def _is_confined(statement: Statement) -> bool:
    """Does it name its buckets (keys, roles), and whom it is for? Nothing is to be added to what is for all of them."""
    heads = [text.partition("/")[0] for text in statement.resources or ("*",)]
    principal = statement.principal
    everyone = principal is not None and principal.everyone
    return not any(mark in head for head in heads for mark in "*?") and not everyone and not statement.not_principal

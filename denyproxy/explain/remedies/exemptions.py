"""For an explicit deny that the request cannot meet: the narrowest change of the denying statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.remedies import (
    as_meant,
    by_principal_arn,
    caller_in_words,
    closed_too,
    exempt,
    freed_whole,
    label,
    named_today,
    only_if_present,
    other_policy,
    quarantined,
    root_may,
    source_condition,
)
from denyproxy.explain.remedies.carried import of_the_service
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import (
    PLACES,
    Path,
    document_path,
    endpoint_of,
    is_aws_managed,
    is_of_source,
    is_quarantine,
    naming_of,
    policy_in_words,
    replacing_statement,
    target,
    written,
)
from denyproxy.explain.remedies.requests import VIA_SERVICE, is_possible, via_service
from denyproxy.explain.remedies.scopes import container_of, resource_of, says_only, scope_of
from denyproxy.explain.remedies.slips import condition_slips
from denyproxy.explain.remedies.statements import Condition, Json, and_also, deny_less, one_or_all, texts
from denyproxy.explain.remedies.surroundings import surrounding
from denyproxy.explain.remedies.turning import conditions
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.operators import NULL
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.wildcard import glob
from denyproxy.s3.arn import Arn
from denyproxy.s3.bucket_side import ROOT_KEEPS

_ARN = "aws:PrincipalArn"
_PUTS_POLICY = "s3:PutBucketPolicy"
_CREATES = "s3:ObjectCreationOperation"


def exemptions(findings: Sequence[Finding], case: Case) -> list[Part]:
    """The ways to let through what one Deny statement denies, the narrowest first."""
    finding = findings[0]
    path = document_path(finding, case)
    elsewhere = is_of_source(finding, case)
    if (path is None and not elsewhere) or finding.evidence is None:
        return []
    owner, policy = PLACES[finding.layer].owner, policy_in_words(finding, case)
    if is_aws_managed(finding.policy):
        words = quarantined(policy) if is_quarantine(finding.policy) else other_policy(policy, "does not deny it")
        return [Part(owner, target(finding, case), words)]
    scope, exact = scope_of(findings, case)
    statement = written(finding)
    if scope.principal is not None and says_only(finding.evidence.statement, "principal", scope):
        # It denies this caller and nobody else.
        scope = replace(scope, others={})
    if len(findings) == 1:
        scope = replace(scope, unless=tuple(_other_requests(finding)))
    sourced = of_the_service(finding, case.caller.principal)
    for keys in sourced.block.values():
        scope = replace(scope, unless=(*scope.unless, {"StringNotEquals": keys}))
    exact = exact and sourced.complete
    sids = {item.sid for item in finding.evidence.policy.statements if item.sid}
    lessened = deny_less(statement, scope, container_of(finding), sids)
    who = caller_in_words(case.caller.principal, unsigned="unsigned requests") if naming_of(finding) != "none" else None
    resources = list(map(resource_of, findings))
    # Of other services no list of actions is at hand.
    actions = [*scope.actions, *(text for text in lessened.named if not text.startswith("s3:"))]
    limits = dict(_limits(scope.unless))
    words = exempt(actions, lessened.instead or resources, who, label(finding), policy, limits)
    if lessened.instead:
        words += freed_whole(resources)
    words += "" if sourced.complete else source_condition({})
    words += named_today([text for text in lessened.named if text.startswith("s3:")])
    if finding.layer == "bucket-policy":
        words += _who_may_change_it(finding, case)
    narrowest = Part(
        owner,
        target(finding, case),
        words,
        replacing_statement(path, statement, lessened.statements) if path is not None else None,
        exact and lessened.exact,
    )
    if path is None:
        return [narrowest]
    return [narrowest, *_slips(finding, path, statement, case), *condition_slips(finding, case)]


def _who_may_change_it(finding: Finding, case: Case) -> str:
    """Who is shut out by a bucket policy may be shut out from the policy as well."""
    assert finding.authorization is not None
    assert finding.evidence is not None
    requirement, statement = finding.authorization.requirement, finding.evidence.statement
    if words := by_root(finding, [requirement.action], case):
        return words
    bucket, principal = container_of(finding) or "", statement.principal
    denied = any(glob(text.lower(), _PUTS_POLICY.lower()) for text in statement.actions) is not statement.not_action
    there = any(glob(text, bucket) for text in statement.resources or ()) is not statement.not_resource
    named = principal is not None and not principal.everyone
    shut = denied and there and (statement.not_principal or not named)
    return closed_too(_PUTS_POLICY, _owner(finding, case)) if shut else ""


def by_root(finding: Finding, actions: Sequence[str], case: Case) -> str:
    """A reminder of who is left where a bucket policy denies its own change."""
    denied = finding.layer == "bucket-policy" and any(action.lower() in ROOT_KEEPS for action in actions)
    return root_may(_owner(finding, case)) if denied else ""


def _owner(finding: Finding, case: Case) -> str | None:
    """The account of the bucket; None: not known."""
    assert finding.authorization is not None
    account = case.snapshot.bucket(finding.authorization.requirement.bucket or "").account
    return account if isinstance(account, str) else None


def _limits(unless: Sequence[Condition]) -> Iterator[tuple[str, str | None]]:
    """What requests that are let through have: key, and value or None for none."""
    others = {"true": "false", "false": "true"}
    for condition in unless:
        for operator, keys in condition.items():
            for key, value in keys.items():
                yield key, None if operator == NULL else others[value] if operator == "Bool" else value


def _other_requests(finding: Finding) -> Iterator[Condition]:
    """Conditions that hold for requests with other fields, where the Deny asks what the fields are not."""
    assert finding.evidence is not None
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    creates_none = context.lookup(_CREATES.lower()) == ("false",)
    if via_service(finding) is not None:
        yield {"Bool": {VIA_SERVICE: "false"}}
    for condition, _ in conditions(finding.evidence):
        endpoint = endpoint_of(context) if condition.lower_key == "aws:sourceip" else None
        if endpoint is not None and context.lookup("aws:sourceip") is None:
            yield {"StringNotEquals": {"aws:SourceVpce": endpoint}}
        asks_for_others = condition.negated or (condition.name is not None and condition.name.stem == NULL)
        row = surrounding(condition.lower_key)
        # Of surroundings, what a tag attests tells this object from others that the Deny is for; a body, the request.
        telling = row is None or row.attests or row.operations
        if not asks_for_others or not condition.lower_key.startswith("s3:") or not telling:
            continue
        values = context.lookup(condition.lower_key)
        if values is None:
            if creates_none:
                # A part of a multipart upload is a s3:PutObject too, and carries few fields.
                yield {"Bool": {_CREATES: "true"}}
                creates_none = False
            if is_possible(condition.lower_key, finding):
                yield {"Null": {condition.key: "false"}}
        elif isinstance(values, tuple) and len(values) == 1:
            yield {"StringNotEquals": {condition.key: values[0]}}


# Slips that are plain, and change more than what was asked for


def _slips(finding: Finding, path: Path, statement: Json, case: Case) -> Iterator[Part]:
    place = PLACES[finding.layer]
    policy, where = policy_in_words(finding, case), target(finding, case)
    for repaired in (_spare_by_arn(finding, statement), _principal_for_source(finding, statement, case)):
        if repaired is not None:
            new, arns = repaired
            words = as_meant(by_principal_arn(label(finding), policy, arns))
            yield Part(place.owner, where, words, replacing_statement(path, statement, (new,)), exact=False)
            return
    for key in _vacuous(finding):
        with_key = and_also(statement, {"Null": {key: "false"}})
        if with_key is None:
            continue
        words = only_if_present(key, label(finding), policy)
        yield Part(place.owner, where, words, replacing_statement(path, statement, (with_key,)), exact=False)
        return


def _spare_by_arn(finding: Finding, statement: Json) -> tuple[Json, list[str]] | None:
    """NotPrincipal names sessions, whose names change; aws:PrincipalArn names the role."""
    assert finding.evidence is not None
    spared = statement.get("NotPrincipal")
    item = next((item for item in finding.evidence.elements if item.element == "notprincipal"), None)
    if not isinstance(spared, dict) or set(spared) != {"AWS"} or item is None:
        return None
    if item.reason not in (Mismatch.SESSION_NAME_DIFFERS, Mismatch.ROLE_NOT_SESSION, Mismatch.ACCOUNT_NOT_LISTED):
        return None
    arns = list(dict.fromkeys(map(_principal_arn, texts(spared["AWS"]))))
    new: dict[str, Any] = {}
    for name, value in statement.items():
        new["Principal" if name == "NotPrincipal" else name] = "*" if name == "NotPrincipal" else value
    spared_too = and_also(new, {"ArnNotEquals": {_ARN: one_or_all(arns)}})
    return None if spared_too is None else (spared_too, arns)


def _principal_arn(text: str) -> str:
    """aws:PrincipalArn of a principal that is named by its session."""
    arn = Arn.parse(text)
    if arn is None or not arn.resource.startswith("assumed-role/"):
        return text
    role = arn.resource.split("/")[1]
    return str(arn._replace(service="iam", resource=f"role/{role}"))


def _principal_for_source(finding: Finding, statement: Json, case: Case) -> tuple[Json, list[str]] | None:
    """aws:SourceArn is there only where a service calls; people write it where they mean who calls."""
    if case.caller.principal.type is PrincipalType.SERVICE:
        return None
    block: Json = statement.get("Condition") or {}
    for operator, keys in block.items():
        if not operator.startswith(("ArnNot", "StringNot")):
            continue
        for key, values in keys.items():
            arns = [_principal_arn(text) for text in texts(values)]
            if key.lower() == "aws:sourcearn" and all(":iam::" in arn for arn in arns):
                rest = {name: text for name, text in keys.items() if name != key}
                without = {**statement, "Condition": {**block, operator: rest}}
                new = and_also(without, {operator: {_ARN: one_or_all(arns)}})
                return None if new is None else (new, arns)
    return None


def _vacuous(finding: Finding) -> Iterator[str]:
    """Keys that a ForAllValues tests though the request does not have them. What a Deny with other conditions asks not
    to be so, it makes an exception of: for a request without the key it is meant to apply."""
    assert finding.evidence is not None
    among_others = len(finding.evidence.statement.conditions) > 1
    for condition, tested in conditions(finding.evidence):
        if condition.negated and among_others:
            continue
        if condition.name is not None and condition.name.every and tested.reason is Mismatch.KEY_ABSENT:
            yield condition.key

"""The conditions of a statement that nearly allowed, for the statement that takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from denyproxy.explain.finding import Finding
from denyproxy.explain.remedies.places import endpoint_of, written
from denyproxy.explain.remedies.turning import conditions
from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from denyproxy.iam.variables import variables_of
from denyproxy.s3.condition_keys import keys_of_action
from denyproxy.s3.spelling import condition_key_problem

_DATES = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")
_PINNED_BY = {"IpAddress": "IpAddress", "NotIpAddress": "IpAddress", "Bool": "Bool"}
"""Operator -> the one that says `exactly this value`; StringEquals for all others."""


Block = dict[str, dict[str, Any]]
_NOTHING: Block = {}


@dataclass(frozen=True, slots=True)
class Carried:
    """Conditions of a new statement."""

    block: Block = field(default_factory=dict)
    limits: Mapping[str, str | None] = field(default_factory=dict)
    """Keys of those that ask for what just this request has: the value, or None for none."""
    complete: bool = True
    """Nothing that limits the statement was lost."""
    lost: tuple[Condition, ...] = ()
    """What was."""

    @property
    def is_empty(self) -> bool:
        """Is nothing carried, nor anything missing?"""
        return self.complete and not self.block


def carried_conditions(finding: Finding) -> Carried:
    """The conditions that hold, as they are; those that do not, for the value that the request has.

    Of a statement that was about something else altogether, nothing is carried over."""
    evidence = finding.evidence
    if evidence is None or len({item.part for item in evidence.failing}) != 1:
        return Carried()
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    unsupported = keys_of_action(finding.authorization.requirement.action.lower()).unsupported
    as_written = written(finding).get("Condition")
    block = as_written if isinstance(as_written, dict) else {}
    kept: Block = {}
    limits: dict[str, str | None] = {}
    lost: list[Condition] = []
    for condition, tested in conditions(evidence):
        key = condition.lower_key
        if tested.truth is Truth.YES:
            kept.setdefault(condition.operator_text, {})[condition.key] = block[condition.operator_text][condition.key]
        elif key not in unsupported and f"{key.partition('/')[0]}/*" not in unsupported:
            # What is no condition key the request cannot have, and S3 refuses to store a policy that tests it.
            pinned = _pinned(condition, context) if condition_key_problem(condition.key) is None else None
            if pinned is None:
                lost.append(condition)
            else:
                operator, key, value = pinned
                kept.setdefault(operator, {})[key] = value
                limits[key] = None if operator == "Null" else value
    for key, text in of_the_session(finding).items():
        kept.setdefault("StringEquals", {})[key] = text
        limits[key] = text
    return Carried(kept, limits, not lost, tuple(lost))


def told_apart_by(finding: Finding) -> tuple[str, ...]:
    """The policy variables by which a statement was to tell the sessions of a role apart, as far as they bear on the
    finding. What names the role cannot do so; a session policy is for one session alone."""
    evidence = finding.evidence
    assert finding.authorization is not None
    principal = finding.authorization.evaluation.request.principal
    if evidence is None or principal.type is not PrincipalType.ROLE_SESSION or finding.layer == "session-policy":
        return ()
    denies = finding.effect == "explicit"
    by_resource = denies or any(item.part == "resource" for item in evidence.failing)
    templates = list(evidence.statement.resource_templates) if by_resource else []
    for condition, tested in conditions(evidence):
        templates += condition.templates if denies or tested.truth is not Truth.YES else ()
    named = (variable.key for template in templates for variable in variables_of(template))
    # The subject at an identity provider: cognito-identity.amazonaws.com:sub.
    return tuple(dict.fromkeys(key for key in named if key.lower().startswith(_OF_SESSIONS) or key.endswith(":sub")))


def of_the_session(finding: Finding) -> dict[str, str]:
    """What this session of a role has for these variables: the role's other sessions have other values, and what is
    said in place of the variables is not for them."""
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    found = {key: context.lookup(key) for key in told_apart_by(finding)}
    return {key: values[0] for key, values in found.items() if isinstance(values, tuple) and len(values) == 1}


def _pinned(condition: Condition, context: RequestContext) -> tuple[str, str, str] | None:
    """Operator, key and value that hold for this request alone. None: there is no such condition."""
    values = context.lookup(condition.lower_key)
    if values is None:
        endpoint = endpoint_of(context) if condition.lower_key == "aws:sourceip" else None
        if endpoint is not None:
            return "StringEquals", "aws:SourceVpce", endpoint
        return "Null", condition.key, "true"
    if not isinstance(values, tuple) or len(values) != 1 or condition.lower_key in _DATES or condition.name is None:
        return None
    # Of a key that can have several values, AWS does not say what an operator without one of these means.
    each = "ForAllValues:" if condition.name.every else "ForAnyValue:" if condition.name.some else ""
    return f"{each}{_PINNED_BY.get(condition.name.stem, 'StringEquals')}", condition.key, values[0]


_OF_SESSIONS = ("aws:username", "aws:userid", "aws:principaltag/", "aws:sourceidentity", "saml:", "transfer:")
_WANTING = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")
_SOURCES = ("aws:SourceArn", "aws:SourceAccount")


def of_the_service(finding: Finding, principal: Principal, block: Block = _NOTHING) -> Carried:
    """What limits a statement to the request that a service makes for this customer: against the confused deputy.
    `block`: the conditions that it has anyway.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html"""
    assert finding.authorization is not None
    if principal.type is not PrincipalType.SERVICE or any(_asks_for(block, key) for key in _SOURCES):
        return Carried()
    context = finding.authorization.evaluation.request.context
    for key in _SOURCES:
        values = context.lookup(key)
        if isinstance(values, tuple) and len(values) == 1:
            return Carried({"StringEquals": {key: values[0]}})
    return Carried(complete=False)


def of_the_access_point(finding: Finding, block: Block = _NOTHING) -> Carried:
    """What keeps the bucket's own name shut where its policy has to let an access point through.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html"""
    assert finding.authorization is not None
    point = finding.authorization.requirement.via_access_point
    if finding.layer != "bucket-policy" or point is None or _asks_for(block, "s3:DataAccessPointArn"):
        return Carried()
    return Carried({"StringEquals": {"s3:DataAccessPointArn": point}})


def _asks_for(block: Block, key: str) -> bool:
    """Does a condition want the key to be something?"""
    wanting = (keys for operator, keys in block.items() if operator.split(":")[-1].startswith(_WANTING))
    return any(name.lower() == key.lower() for keys in wanting for name in keys)

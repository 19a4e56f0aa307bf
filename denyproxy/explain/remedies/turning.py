"""Which value of a condition key would turn a condition: of a Deny that applies, or of an Allow that does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from denyproxy.explain.addresses import addresses_by
from denyproxy.explain.finding import Finding
from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.literals import read_number
from denyproxy.iam.operators import NULL
from denyproxy.iam.truth import Truth
from denyproxy.iam.variables import substitute
from denyproxy.iam.wildcard import literal

_ALONE: Mapping[str, str | None] = {}


def conditions(evidence: StatementEvidence) -> Iterator[tuple[Condition, ElementEvidence]]:
    """The conditions of a statement, each with what it says of the request."""
    tested = (item for item in evidence.elements if item.part == "condition")
    return zip(evidence.statement.conditions, tested, strict=True)


def turning_values(
    finding: Finding,
    condition: Condition,
    others: Iterable[str] = (),
    *,
    along: Mapping[str, str | None] = _ALONE,
    absent: bool = True,
    rough: bool = False,
) -> Iterator[str | None]:
    """The values with which the condition no longer stands in the way, nor any Deny that asks for the same key, or for
    those that change `along` with it (lower case): those that policies name first, then none at all (None, if
    `absent`), then `others`. `rough`: the key stays as uncertain as it is."""
    assert finding.authorization is not None
    request = finding.authorization.evaluation.request
    wanted = Truth.NO if finding.effect == "explicit" else Truth.YES
    key = condition.lower_key
    tried: set[str | None] = set()
    candidates = [
        *_named(condition, request.context),
        *(value for other in _same_key(finding, key) for value in _named(other, request.context)),
        *((None,) if absent and request.context.lookup(key) is not None else ()),
        *others,
    ]
    for value in candidates:
        if value in tried:
            continue
        tried.add(value)
        context = request.context.with_values({**along, key: value})
        if rough:
            context = replace(context, margin=request.context.margin)
        if condition.test(context) is wanted and not _denied(finding, {key, *along}, context):
            yield value


def accepted(finding: Finding, key: str, along: Mapping[str, str], others: Iterable[str] = ()) -> Iterator[str]:
    """The values of a key that no Deny refuses, with the values of other keys `along` (all lower case): those that
    statements of the same policy name first."""
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    named = (value for other in _same_key(finding, key) for value in _named(other, context))
    for value in (*named, *others):
        changed = context.with_values({**along, key: value})
        if not _denied(finding, {key}, changed):
            yield value


def _same_key(finding: Finding, key: str) -> Iterator[Condition]:
    """What else is asked of the key by statements of the same policy."""
    assert finding.evidence is not None
    for statement in finding.evidence.policy.statements:
        yield from (condition for condition in statement.conditions if condition.lower_key == key)


def _denied(finding: Finding, keys: Collection[str], context: RequestContext) -> bool:
    """Would any Deny that asks for one of the keys apply?"""
    assert finding.authorization is not None
    evaluation = finding.authorization.evaluation
    request = evaluation.request
    return any(
        statement.effect == "Deny"
        and any(condition.lower_key in keys for condition in statement.conditions)
        and statement.matches_relevant(request.principal, request.resource, context) is Truth.YES
        for _, statement, _ in evaluation.all_statements()
    )


def _named(condition: Condition, context: RequestContext) -> Iterator[str]:
    """Values that a condition names, as a request can have them."""
    if condition.name is not None and condition.name.stem == NULL:
        return
    for template in condition.templates:
        tokens = substitute(template, context)
        value = literal(tokens) if tokens is not None else None
        if value is None:
            continue
        if condition.operator is not None and condition.operator.name.endswith("IpAddress"):
            yield from addresses_by(value)
            continue
        yield value
        number = read_number(value)
        if number is not None and condition.operator is not None and condition.operator.name.startswith("Numeric"):
            step = 1 + round(context.margin.get(condition.lower_key, 0))
            yield from (str(number - step), str(number + step))
        if value.lower() in ("true", "false"):
            yield "false" if value.lower() == "true" else "true"

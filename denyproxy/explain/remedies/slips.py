"""Conditions with a slip that is plain: a wildcard that is none, or that is missing, and names in another case."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.remedies import as_meant, correct, correct_operator
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import (
    PLACES,
    document_path,
    policy_in_words,
    replacing_statement,
    target,
    written,
)
from denyproxy.explain.remedies.statements import Json, one_or_all, texts
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth

_NAMES = frozenset({"aws:principalarn", "aws:userid", "aws:username"})
"""Keys (lower case) whose values differ by more than upper and lower case, if they are not the same.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def condition_slips(finding: Finding, case: Case) -> Iterator[Part]:
    """The correction of a condition that keeps a Deny from sparing the request, or an Allow from applying."""
    path, evidence = document_path(finding, case), finding.evidence
    if path is None or evidence is None:
        return
    of_deny, statement = finding.effect == "explicit", written(finding)
    label, policy = evidence.statement.label, policy_in_words(finding, case)
    for item in evidence.elements:
        wrong = item.negated if of_deny else item.truth is Truth.NO and not item.negated
        if item.part != "condition" or not wrong:
            continue
        found = _corrected(item, statement)
        if found is not None:
            new, operator, value = found
            words = (
                correct_operator(_key(item), item.operator or "", operator, label, policy)
                if value is None
                else correct(_key(item), item.expected, value, label, policy)
            )
            edit = replacing_statement(path, statement, (new,))
            yield Part(PLACES[finding.layer].owner, target(finding, case), as_meant(words), edit, exact=False)
            return


def _key(item: ElementEvidence) -> str:
    return item.element.partition(":")[2]


def _corrected(item: ElementEvidence, statement: Json) -> tuple[Json, str, str | None] | None:
    """The statement as it was meant, its operator, and the value that is corrected; None: it is the operator."""
    block, operator, key = statement.get("Condition") or {}, item.operator or "", _key(item)
    if not item.element.startswith("condition:") or key not in block.get(operator, {}):
        return None
    values = texts(block[operator][key])
    if item.reason is Mismatch.WILDCARD_IN_EXACT_OPERATOR:
        like = operator.replace("Equals", "Like")
        wide = any(not text.strip("*") for text in values)
        if like == operator or "IgnoreCase" in operator or key in block.get(like, {}) or wide:
            return None
        moved = {name: dict(keys) for name, keys in block.items()}
        moved.setdefault(like, {})[key] = moved[operator].pop(key)
        return {**statement, "Condition": {name: keys for name, keys in moved.items() if keys}}, like, None
    made = _VALUES.get(item.reason) if item.reason is not None else None
    value = made(item) if made is not None else None
    if value is None or item.expected not in values:
        return None
    new = one_or_all([value if text == item.expected else text for text in values])
    return {**statement, "Condition": {**block, operator: {**block[operator], key: new}}}, operator, value


def with_wildcard(item: ElementEvidence) -> str | None:
    """Where a part of a name ends: what only begins alike is not meant."""
    expected, actual = item.expected, item.actual or ""
    if expected.endswith((":", "/")):
        return f"{expected}*"
    mark = actual[len(expected) : len(expected) + 1]
    return f"{expected}{mark}*" if actual.startswith(expected) and mark in (":", "/") else None


def _in_its_case(item: ElementEvidence) -> str | None:
    """As the caller's name is written."""
    same = item.actual is not None and item.actual.lower() == item.expected.lower()
    return item.actual if same and _key(item).lower() in _NAMES else None


_VALUES: dict[Mismatch, Callable[[ElementEvidence], str | None]] = {
    Mismatch.PREFIX_LACKS_WILDCARD: with_wildcard,
    Mismatch.CASE_DIFFERS: _in_its_case,
}

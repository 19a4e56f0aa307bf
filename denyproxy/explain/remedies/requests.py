"""What the caller, or who sees to the caller's surroundings, can change so that a condition is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from denyproxy.explain.case import Case
from denyproxy.explain.findings import Finding
from denyproxy.explain.patches import Draft
from denyproxy.explain.remedies.fields import REQUEST_TAG, TAGGING, Field, field_of
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.surroundings import Surrounding, surrounding
from denyproxy.explain.remedies.turning import conditions, turning_values
from denyproxy.explain.remedy_sentences import (
    UNSIGNED,
    field_changes,
    field_pattern,
    label,
    leave_out,
    surroundings_change,
)
from denyproxy.iam.condition import Condition
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth
from denyproxy.s3.condition_keys import keys_of_action
from denyproxy.s3.request import S3Request
from denyproxy.sigv4.wire import parse_query

_SSE = "x-amz-server-side-encryption"
_SSE_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
SSE_C = "x-amz-server-side-encryption-customer-algorithm"
_OF_SSE_C = "x-amz-server-side-encryption-customer-"
_GRANTS = ("read", "write", "read-acp", "write-acp", "full-control")
_NEEDING = {
    "s3:putobjectacl": ("x-amz-acl", *(f"x-amz-grant-{name}" for name in _GRANTS)),
    "s3:putobjecttagging": ("x-amz-tagging",),
}
"""Action (lower case) -> headers on account of which a new object needs it."""


@dataclass(frozen=True, slots=True)
class Compliance:
    """How the request can meet what a statement demands."""

    part: Part
    within_reach: bool
    """Then no policy has to be weakened for it."""


@dataclass(slots=True)
class _Change:
    """What is to be done to fields and surroundings."""

    fields: dict[str, tuple[Field, str | None]] = field(default_factory=dict)
    around: list[tuple[Surrounding, Condition, str | None]] = field(default_factory=list)
    patterns: list[tuple[Field, Condition]] = field(default_factory=list)
    """Fields that a policy asks for by a pattern, so that no value can be named."""


def compliance(finding: Finding, case: Case) -> Compliance | None:
    """The change of the request for a Deny with a condition, or for an Allow that fails in conditions alone. None:
    no change of the request or its surroundings would do."""
    change = _for_deny(finding, case) if finding.effect == "explicit" else _for_allow(finding, case)
    return None if change is None else _as_part(change, finding, case)


def _for_deny(finding: Finding, case: Case) -> _Change | None:
    """One condition that no longer holds is enough: one on a field of the request rather than on its surroundings."""
    if finding.evidence is None:
        return None
    changes: list[_Change] = []
    for condition, evidence in conditions(finding.evidence):
        if evidence.truth is Truth.NO:
            continue
        change = _Change()
        if _turn(change, condition, finding, case):
            changes.append(change)
    return min(changes, key=_far, default=None)


def _far(change: _Change) -> tuple[bool, bool, bool]:
    """Sort key: what is nearest at hand first."""
    return (not change.fields, not change.patterns, not all(row.within_reach for row, _, _ in change.around))


def _for_allow(finding: Finding, case: Case) -> _Change | None:
    """All conditions have to hold that do not."""
    evidence = finding.evidence
    if evidence is None or not evidence.failing or any(item.part != "condition" for item in evidence.failing):
        return None
    change = _Change()
    for condition, tested in conditions(evidence):
        if tested.truth is Truth.NO and not _turn(change, condition, finding, case):
            return None
    return change


def _turn(change: _Change, condition: Condition, finding: Finding, case: Case) -> bool:
    """Add what turns one condition, if something does."""
    key = condition.lower_key
    if not is_possible(key, finding):
        return False
    wanted = field_of(key, case.request.operation)
    if wanted is not None:
        return _turn_field(change, wanted, condition, finding, case)
    row = surrounding(key)
    if row is None:
        return False
    for value in turning_values(finding, condition, row.values, absent=False):
        change.around.append((row, condition, value))
        return True
    return False


def is_possible(key: str, finding: Finding) -> bool:
    """Does a request for the action ever have the key?"""
    assert finding.authorization is not None
    unsupported = keys_of_action(finding.authorization.requirement.action.lower()).unsupported
    return key not in unsupported and f"{key.partition('/')[0]}/*" not in unsupported


def _turn_field(change: _Change, wanted: Field, condition: Condition, finding: Finding, case: Case) -> bool:
    values = turning_values(finding, condition, wanted.values, absent=wanted.removable)
    for value in values:
        if wanted.only is not None and value is not None and value not in wanted.only:
            continue
        if condition.lower_key.startswith(REQUEST_TAG):
            value = _with_tag(case.request, condition.key.partition("/")[2], value)
        change.fields[wanted.name] = (wanted, value)
        if wanted.name == _SSE_KEY and value is not None and case.request.header(_SSE) is None:
            change.fields[_SSE] = (Field(_SSE, wanted.operations), "aws:kms")
        return True
    if wanted.only is None and condition.values and condition.operator is not None:
        change.patterns.append((wanted, condition))
        return True
    return False


def _with_tag(request: S3Request, tag: str, value: str | None) -> str | None:
    """x-amz-tagging with one tag set, or taken out."""
    tags = dict(parse_query(request.header(TAGGING.name) or ""))
    tags.pop(tag, None)
    if value is not None:
        tags[tag] = value
    return urlencode(tags, quote_via=quote) or None


def _as_part(change: _Change, finding: Finding, case: Case) -> Compliance | None:
    if change.patterns:
        named, condition = change.patterns[0]
        words = field_pattern(named.name, condition, label(finding))
        return Compliance(Part("caller", "the request", words), within_reach=True)
    if not change.fields and not change.around:
        return None
    fields = tuple(change.fields.values())
    assumed: dict[str, str | None] = {}
    words_of = [field_changes([(field.name, value, field.query) for field, value in fields])] if fields else []
    for row, condition, value in change.around:
        assumed |= {**row.also, condition.lower_key: value}
        words_of.append(surroundings_change(condition, value, label(finding)))
    rows = [row for row, _, _ in change.around]
    owner = "caller" if fields else rows[0].owner
    part = Part(
        owner=owner,
        target="the request" if owner == "caller" else "tags",
        words=" and ".join(words_of),
        edit=_edit(fields) if fields else None,
        assumed=assumed,
    )
    return Compliance(part, all(row.within_reach for row in rows))


def unsigned(finding: Finding, case: Case) -> list[Part]:
    """Of another account, what is public for anonymous callers needs an identity policy for all others."""
    assert finding.authorization is not None
    layers = finding.authorization.evaluation.layers
    granted = layers["bucket-policy"].grant if "bucket-policy" in layers else None
    foreign = finding.authorization.policies.same_account is Truth.NO
    if finding.layer != "identity" or not foreign or granted is None or granted.direct is not Truth.YES:
        return []
    statements = layers["bucket-policy"].statements
    public = any(truth is Truth.YES and _is_public(statement) for _, statement, truth in statements)
    return [Part("caller", "the request", UNSIGNED, _without_credentials)] if public else []


def _is_public(statement: Statement) -> bool:
    element = statement.principal
    everyone = element is not None and any(entry.kind == "everyone" for entry in element.entries)
    return statement.effect == "Allow" and not statement.not_principal and everyone


def _without_credentials(draft: Draft) -> None:
    draft.put("anonymous", "request", "principal")
    for member in ("principal_role", "principal_account"):
        if draft.get("request", member) is not None:
            draft.put(None, "request", member)


def without_headers(finding: Finding, case: Case) -> list[Part]:
    """Leave out what alone makes the action needed: an ACL, tags."""
    assert finding.authorization is not None
    action = finding.authorization.requirement.action
    sent = [name for name in _NEEDING.get(action.lower(), ()) if name in case.request.sent_headers]
    if not sent or case.request.operation not in TAGGING.operations:
        return []
    edit = _edit(tuple((Field(name, TAGGING.operations), None) for name in sent))
    return [Part("caller", "the request", leave_out(sent, action), edit)]


def _edit(fields: tuple[tuple[Field, str | None], ...]) -> Callable[[Draft], None]:
    def edit(draft: Draft) -> None:
        for wanted, value in fields:
            set_field(draft, wanted.name, value, query=wanted.query)

    return edit


def set_field(draft: Draft, name: str, value: str | None, *, query: bool = False) -> None:
    """Set a header field or a query parameter of the request, or take it out (None)."""
    if draft.get("request", "raw") is not None:
        _set_raw(draft, name, value, query=query)
        return
    member = "query" if query else "headers"
    existing = draft.get("request", member) or {}
    written = next((known for known in existing if known.lower() == name.lower()), None)
    if value is not None:
        draft.put(value, "request", member, written or name)
        return
    for known in existing:
        if known == written or (name == SSE_C and known.lower().startswith(_OF_SSE_C)):
            draft.remove("request", member, known)


def _set_raw(draft: Draft, name: str, value: str | None, *, query: bool) -> None:
    if query:
        target = draft.get("request", "raw", "target")
        path, _, old = target.partition("?")
        parameters = [(known, text) for known, text in parse_query(old) if known != name]
        parameters += [] if value is None else [(name, value)]
        text = urlencode(parameters, quote_via=quote)
        draft.put(f"{path}?{text}" if text else path, "request", "raw", "target")
        return
    headers = draft.get("request", "raw", "headers")
    index = next((index for index, pair in enumerate(headers) if pair[0].lower() == name.lower()), None)
    if index is not None:
        draft.remove("request", "raw", "headers", index)
    if value is not None:
        draft.append([name, value], "request", "raw", "headers")

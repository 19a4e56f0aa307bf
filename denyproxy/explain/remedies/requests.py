"""What the caller, or who sees to the caller's surroundings, can change so that a condition is met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import quote, urlencode

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.remedies import caller_in_words
from denyproxy.explain.prose.request_remedies import CALLING_SERVICE, CONFIGURED, REPLACES_DEFAULT
from denyproxy.explain.prose.state_remedies import leave_out
from denyproxy.explain.remedies.changes import Around, Change, Compliance, as_part, in_reach
from denyproxy.explain.remedies.fields import REQUEST_TAG, TAG_KEYS, TAGGING, Field, field_of
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.sending import SSE, SSE_KEY, Sent, sending
from denyproxy.explain.remedies.surroundings import OF_CREDENTIALS, can_be, surrounding
from denyproxy.explain.remedies.turning import accepted, conditions, turning_values
from denyproxy.iam.condition import Condition
from denyproxy.iam.principal import Principal, PrincipalType, is_service_linked
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.caller_side import is_of_account
from denyproxy.s3.condition_keys import keys_of_action
from denyproxy.sigv4.wire import parse_query

_GRANTS = ("read", "write", "read-acp", "write-acp", "full-control")
_NEEDING = {
    "s3:putobjectacl": ("x-amz-acl", *(f"x-amz-grant-{name}" for name in _GRANTS)),
    "s3:putobjecttagging": ("x-amz-tagging",),
    "s3:bypassgovernanceretention": ("x-amz-bypass-governance-retention",),
}
"""Action (lower case) -> headers on account of which the request needs it."""
VIA_SERVICE = "aws:ViaAWSService"
_DELETES = frozenset({"DeleteObject", "DeleteObjects"})


def compliance(finding: Finding, case: Case) -> Compliance | None:
    """The change of the request for a Deny with a condition, or for an Allow that fails in conditions alone. None:
    no change of the request or its surroundings would do."""
    change = _for_deny(finding, case) if finding.effect == "explicit" else _for_allow(finding, case)
    complied = None if change is None else as_part(change, finding, case)
    if complied is None or complied.part.owner != "caller":
        return complied
    principal, via = case.caller.principal, via_service(finding)
    if _is_service(principal):
        return None if complied.part.assumed else _by_service(complied, caller_in_words(principal))
    if via is None or (complied.part.assumed and complied.part.assumed.keys() <= OF_CREDENTIALS):
        return complied
    return None if complied.part.assumed else _by_service(complied, via)


def _is_service(principal: Principal) -> bool:
    """Is it a service of AWS, as itself, in its service-linked role, or CloudFront by an origin access identity?"""
    as_itself = principal.type is not PrincipalType.ANONYMOUS and not is_of_account(principal)
    return as_itself or is_service_linked(principal) is Truth.YES


def via_service(finding: Finding) -> str | None:
    """The service of AWS that sends the request to S3 on the caller's behalf, along its own ways. None: none does.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html"""
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    # S3 itself asks KMS so, of a request that the caller sent.
    if finding.authorization.requirement.kms_key is not None or context.lookup(VIA_SERVICE) != ("true",):
        return None
    last = context.lookup("aws:CalledViaLast")
    return last[0] if isinstance(last, tuple) else CALLING_SERVICE


def _by_service(complied: Compliance, service: str) -> Compliance:
    """A service of AWS sends what it is made to send, and along its own ways: of that, fields may be configurable."""
    words = f"have {service} {complied.part.words}"
    part = replace(complied.part, words=words, edit=None, sends={}, open=CONFIGURED)
    return Compliance(part, within_reach=False, last=True)


def _for_deny(finding: Finding, case: Case) -> Change | None:
    """One condition that no longer holds is enough: one on a field of the request rather than on its surroundings; of
    the latter, whichever the caller can change."""
    if finding.evidence is None:
        return None
    changes: list[Change] = []
    for condition, evidence in conditions(finding.evidence):
        if evidence.truth is Truth.NO:
            continue
        change = Change()
        if _turn(change, condition, finding, case):
            changes.append(change)
    best = min(changes, key=lambda change: _far(change, finding), default=None)
    if best is not None and best.around and best.around[0].row.owner == "caller":
        others = (change for change in changes if change is not best and not (change.fields or change.patterns))
        best.instead = [around for change in others for around in change.around if around.row.owner == "caller"]
    return best


def _far(change: Change, finding: Finding) -> tuple[bool, bool, bool]:
    """Sort key: what is nearest at hand first."""
    return (not change.fields, not change.patterns, not all(in_reach(item, finding) for item in change.around))


def _for_allow(finding: Finding, case: Case) -> Change | None:
    """All conditions have to hold that do not."""
    evidence = finding.evidence
    if evidence is None or not evidence.failing or any(item.part != "condition" for item in evidence.failing):
        return None
    change = Change()
    for condition, tested in conditions(evidence):
        if tested.truth is Truth.NO and not _turn(change, condition, finding, case):
            return None
    return change


def _turn(change: Change, condition: Condition, finding: Finding, case: Case) -> bool:
    """Add what turns one condition, if something does."""
    key = condition.lower_key
    if not is_possible(key, finding):
        return False
    wanted = field_of(key, case.request.operation)
    if wanted is not None:
        return _turn_field(change, wanted, condition, finding, case)
    if key == TAG_KEYS and case.request.operation in TAGGING.operations:
        return _turn_tag_keys(change, condition, finding, case)
    row = surrounding(key)
    if row is None or (row.operations and case.request.operation not in row.operations):
        return False
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    rough = key in context.margin
    for value in turning_values(finding, condition, row.values, along=row.also, absent=False, rough=rough):
        if can_be(row, value, context):
            change.around.append(Around(row, condition, value))
            return True
    return False


def is_possible(key: str, finding: Finding) -> bool:
    """Does a request for the action ever have the key?"""
    assert finding.authorization is not None
    unsupported = keys_of_action(finding.authorization.requirement.action.lower()).unsupported
    return key not in unsupported and f"{key.partition('/')[0]}/*" not in unsupported


def _turn_field(change: Change, wanted: Field, condition: Condition, finding: Finding, case: Case) -> bool:
    if wanted.only and not wanted.removable and case.request.parameter(wanted.name):
        # What is asked for now is none of those.
        return wanted.name == "prefix" and _turn_folder(change, wanted, condition, finding, case)
    drawn = wanted.written is not None
    if drawn and case.request.header(wanted.name) is None:
        return False
    others = wanted.values or (_own_key(case) if wanted.name == SSE_KEY else ())
    turning: Iterable[str | None] = turning_values(finding, condition, others, absent=wanted.removable, rough=drawn)
    if wanted.name == SSE:
        own, turning = case.snapshot.bucket(case.request.bucket or "").default_encryption, list(turning)
        if isinstance(own, str):
            # Any other takes the place of how the bucket encrypts by default.
            turning.sort(key=lambda value: value != own)
        several = None not in turning and sum(_is_taken(wanted, value or "") for value in turning) > 1
        change.caveat = REPLACES_DEFAULT if several and own is UNKNOWN else ""
    for value in turning:
        if wanted.written is not None and value is not None:
            value = wanted.written(value, case.request)
            if value is None:
                continue
        if value is not None and not _is_taken(wanted, value):
            continue
        if condition.lower_key.startswith(REQUEST_TAG):
            value = _with_tag(_tags(change, case), condition.key.partition("/")[2], value)
        change.fields[wanted.name] = (wanted, value)
        if value is None and case.request.header(wanted.partner) is not None:
            change.fields[wanted.partner] = (Field(wanted.partner, wanted.operations), None)
        if wanted.name == SSE_KEY and value is not None and case.request.header(SSE) is None:
            change.fields[SSE] = (Field(SSE, wanted.operations), "aws:kms")
        elif wanted.name == SSE and value is not None and value.startswith("aws:kms"):
            key = _key_to_name(finding, case, value)
            change.fields |= {} if key is None else {SSE_KEY: (Field(SSE_KEY, wanted.operations), key)}
        return True
    # A listing of everything may ask for less.
    choosable = wanted.only is None or (wanted.query and not case.request.parameter(wanted.name))
    if choosable and not drawn and condition.values and _has_fitting(wanted, condition, finding):
        change.patterns.append((wanted, condition))
        return True
    return False


def _turn_folder(change: Change, wanted: Field, condition: Condition, finding: Finding, case: Case) -> bool:
    """Who lists a folder without its slash lists what else begins like it, for which the policy need not be."""
    prefix = case.request.parameter(wanted.name) or ""
    folder = f"{prefix}/"
    if prefix.endswith("/") or folder not in turning_values(finding, condition, (folder,), absent=False):
        return False
    change.folder = prefix
    change.fields[wanted.name] = (wanted, folder)
    return True


def _has_fitting(wanted: Field, condition: Condition, finding: Finding) -> bool:
    """Is there a value that S3 takes and the condition asks for, though none can be named?"""
    assert finding.authorization is not None
    if condition.operator is None:  # Null: any value will do where there is none
        context = finding.authorization.evaluation.request.context
        return condition.name is not None and context.lookup(condition.lower_key) is None
    return wanted.taken is None or any(
        value in wanted.taken for value in turning_values(finding, condition, wanted.taken, absent=False)
    )


def _is_taken(wanted: Field, value: str) -> bool:
    return all(values is None or value in values for values in (wanted.only, wanted.taken))


def _turn_tag_keys(change: Change, condition: Condition, finding: Finding, case: Case) -> bool:
    """Of the tags that are sent, those stay that the condition has nothing against."""
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    wanted = Truth.NO if finding.effect == "explicit" else Truth.YES
    sent = _tags(change, case)
    kept = [tag for tag in sent if condition.test(context.with_values({TAG_KEYS: tag[0]})) is wanted]
    without = condition.test(context.with_values({TAG_KEYS: None})) is wanted
    if len(kept) == len(sent) or not (kept or without):
        return False
    change.fields[TAGGING.name] = (TAGGING, urlencode(kept, quote_via=quote) or None)
    return True


def _key_to_name(finding: Finding, case: Case, algorithm: str) -> str | None:
    """The KMS key that goes with the algorithm: one that the policy demands, else the bucket's own, which a request
    that names the algorithm no longer has by default.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    if case.request.header(SSE_KEY) is not None:
        return None
    return next(iter(accepted(finding, f"s3:{SSE_KEY}", {f"s3:{SSE}": algorithm}, _own_key(case))), None)


def _own_key(case: Case) -> tuple[str, ...]:
    """The KMS key that the bucket has by default."""
    default = case.snapshot.bucket(case.request.bucket or "").default_kms_key
    return (default,) if isinstance(default, str) else ()


def _tags(change: Change, case: Case) -> tuple[tuple[str, str], ...]:
    """The tags that are sent, with what is changed of them already."""
    sent = case.request.header(TAGGING.name)
    return parse_query(change.fields.get(TAGGING.name, (TAGGING, sent))[1] or "")


def _with_tag(sent: Sequence[tuple[str, str]], tag: str, value: str | None) -> str | None:
    """x-amz-tagging with one tag set, or taken out."""
    tags = dict(sent)
    tags.pop(tag, None)
    if value is not None:
        tags[tag] = value
    return urlencode(tags, quote_via=quote) or None


def without_headers(finding: Finding, case: Case) -> list[Part]:
    """Leave out what alone makes the action needed: an ACL, tags, the bypass of a retention that there is not."""
    assert finding.authorization is not None
    requirement = finding.authorization.requirement
    action = requirement.action
    sent = [name for name in _NEEDING.get(action.lower(), ()) if name in case.request.sent_headers]
    if not sent or case.request.operation not in TAGGING.operations | _DELETES:
        return []
    if case.request.operation in _DELETES:
        stored = case.snapshot.object(requirement.bucket or "", requirement.key or "")
        if stored is not None and isinstance(stored.lock_mode, str):
            return []
    fields: Sent = dict.fromkeys(sent)
    edit = sending(fields, case.request)
    return [Part("caller", "the request", leave_out(sent, action), edit, sends=fields)]

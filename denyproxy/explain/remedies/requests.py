"""What the caller, or who sees to the caller's surroundings, can change so that a condition is met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.remedies import caller_in_words, label
from denyproxy.explain.prose.request_remedies import (
    CALLING_SERVICE,
    CONFIGURED,
    ENABLED,
    PATTERN,
    REPLACES_DEFAULT,
    VALUE,
    either,
    field_changes,
    field_pattern,
    of_folder,
    surroundings_change,
    with_abac,
    with_partner,
)
from denyproxy.explain.prose.state_remedies import SIGNER, leave_out
from denyproxy.explain.remedies.fields import REQUEST_TAG, TAG_KEYS, TAGGING, Field, field_of
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import endpoint_of
from denyproxy.explain.remedies.sending import OF_SSE_C, SSE, SSE_C, SSE_KEY, Sent, is_presigned, sending
from denyproxy.explain.remedies.surroundings import (
    OF_CREDENTIALS,
    WITHOUT_ENDPOINT,
    Surrounding,
    can_be,
    surrounding,
)
from denyproxy.explain.remedies.turning import accepted, conditions, turning_values
from denyproxy.iam.condition import Condition
from denyproxy.iam.principal import Principal, PrincipalType, is_service_linked
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
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


@dataclass(frozen=True, slots=True)
class Compliance:
    """How the request can meet what a statement demands."""

    part: Part
    within_reach: bool
    """Then no policy has to be weakened for it."""
    last: bool = False
    """Does it come after what policies can do? It may not be true, or not be possible."""


@dataclass(frozen=True, slots=True)
class _Around:
    """A condition key of the request's surroundings, and the value that it is to have."""

    row: Surrounding
    condition: Condition
    value: str | None


@dataclass(slots=True)
class _Change:
    """What is to be done to fields and surroundings."""

    fields: dict[str, tuple[Field, str | None]] = field(default_factory=dict)
    around: list[_Around] = field(default_factory=list)
    instead: list[_Around] = field(default_factory=list)
    """What of the surroundings would do as well."""
    caveat: str = ""
    """What the fields do besides."""
    patterns: list[tuple[Field, Condition]] = field(default_factory=list)
    """Fields that a policy asks for by a pattern, so that no value can be named."""
    folder: str | None = None
    """The prefix that was listed, where that of the folder of this name would do."""


def compliance(finding: Finding, case: Case) -> Compliance | None:
    """The change of the request for a Deny with a condition, or for an Allow that fails in conditions alone. None:
    no change of the request or its surroundings would do."""
    change = _for_deny(finding, case) if finding.effect == "explicit" else _for_allow(finding, case)
    complied = None if change is None else _as_part(change, finding, case)
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


def _for_deny(finding: Finding, case: Case) -> _Change | None:
    """One condition that no longer holds is enough: one on a field of the request rather than on its surroundings; of
    the latter, whichever the caller can change."""
    if finding.evidence is None:
        return None
    changes: list[_Change] = []
    for condition, evidence in conditions(finding.evidence):
        if evidence.truth is Truth.NO:
            continue
        change = _Change()
        if _turn(change, condition, finding, case):
            changes.append(change)
    best = min(changes, key=lambda change: _far(change, finding), default=None)
    if best is not None and best.around and best.around[0].row.owner == "caller":
        others = (change for change in changes if change is not best and not (change.fields or change.patterns))
        best.instead = [around for change in others for around in change.around if around.row.owner == "caller"]
    return best


def _far(change: _Change, finding: Finding) -> tuple[bool, bool, bool]:
    """Sort key: what is nearest at hand first."""
    return (not change.fields, not change.patterns, not all(_in_reach(item, finding) for item in change.around))


def _in_reach(item: _Around, finding: Finding) -> bool:
    evidence = finding.evidence
    among_others = finding.effect == "explicit" and evidence is not None and len(evidence.statement.conditions) > 1
    return item.row.within_reach and not (item.row.excepts and among_others)


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
            change.around.append(_Around(row, condition, value))
            return True
    return False


def is_possible(key: str, finding: Finding) -> bool:
    """Does a request for the action ever have the key?"""
    assert finding.authorization is not None
    unsupported = keys_of_action(finding.authorization.requirement.action.lower()).unsupported
    return key not in unsupported and f"{key.partition('/')[0]}/*" not in unsupported


def _turn_field(change: _Change, wanted: Field, condition: Condition, finding: Finding, case: Case) -> bool:
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


def _turn_folder(change: _Change, wanted: Field, condition: Condition, finding: Finding, case: Case) -> bool:
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


def _turn_tag_keys(change: _Change, condition: Condition, finding: Finding, case: Case) -> bool:
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


def _tags(change: _Change, case: Case) -> tuple[tuple[str, str], ...]:
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


def _as_part(change: _Change, finding: Finding, case: Case) -> Compliance | None:
    fields = {wanted.name: value for wanted, value in change.fields.values()}
    query = frozenset(wanted.name for wanted, _ in change.fields.values() if wanted.query)
    if change.patterns:
        told = [_pattern_words(named, condition, finding) for named, condition in change.patterns]
        told += [_field_words(fields, query, case)] if fields else []
        part = Part("caller", "the request", " and ".join(dict.fromkeys(told)), open=PATTERN)
        return Compliance(part, within_reach=True)
    if not change.fields and not change.around:
        return None
    assumed: dict[str, str | None] = {}
    words_of = [_field_words(fields, query, case) + change.caveat] if fields else []
    alone = _without_partner(change, case)
    words_of[:1] = [of_folder(words_of[0], change.folder)] if change.folder is not None else words_of[:1]
    words_of[:1] = [with_partner(words_of[0], alone)] if alone else words_of[:1]
    assert finding.authorization is not None
    context = finding.authorization.evaluation.request.context
    for item in change.around:
        assumed |= {**item.row.also, item.condition.lower_key: item.value}
        assumed |= dict.fromkeys(item.row.equal, item.value)
    endpoint = endpoint_of(context) if "aws:sourceip" in assumed else None
    if endpoint is not None and assumed["aws:sourceip"] is not None:
        assumed |= WITHOUT_ENDPOINT
    else:
        endpoint = None
    choices = [_around_words(item, finding, case, endpoint) for item in change.around]
    words_of += [" and ".join(choices)] if choices else []
    rows = [item.row for item in change.around]
    owner = "caller" if fields else rows[0].owner
    words = " and ".join(words_of)
    if change.instead:
        words = either([words, *(_around_words(item, finding, case, endpoint) for item in change.instead)])
    attests = any(row.attests for row in rows)
    part = Part(
        owner=owner,
        target="the request" if owner == "caller" else "tags",
        words=words,
        edit=sending(fields, case.request, query=query) if fields and not alone else None,
        exact=not attests,
        assumed=assumed,
        sends=fields,
        open=VALUE if alone else next(filter(None, (_open(item, case) for item in change.around)), ""),
    )
    reach = [change.around, *([item] for item in change.instead)]
    within_reach = any(all(_in_reach(item, finding) for item in items) for items in reach)
    # It asks for less, so that an Allow for all that was asked may be what is wanted.
    within_reach = within_reach and (change.folder is None or finding.effect == "explicit")
    return Compliance(part, within_reach, last=attests)


def _without_partner(change: _Change, case: Case) -> str | None:
    """The header that would be missing: S3 takes one of the two only with the other."""
    added = [wanted.partner for wanted, value in change.fields.values() if wanted.partner and value is not None]
    return next((partner for partner in added if case.request.header(partner) is None), None)


def _pattern_words(named: Field, condition: Condition, finding: Finding) -> str:
    tag = condition.key.partition("/")[2] if condition.lower_key.startswith(REQUEST_TAG) else ""
    name = f"the query parameter {named.name}" if named.query else named.name
    return field_pattern(name, tag, condition, label(finding), denies=finding.effect == "explicit")


def _field_words(fields: Sent, query: frozenset[str], case: Case) -> str:
    shown = {
        name: None for each in fields for name in (OF_SSE_C if each == SSE_C and fields[each] is None else (each,))
    }
    changes = [(name, fields.get(name), name in query) for name in shown]
    return field_changes(changes, presigned=is_presigned(case.request))


def _around_words(item: _Around, finding: Finding, case: Case, endpoint: str | None) -> str:
    words = surroundings_change(item.condition, item.value, label(finding), case.caller.principal.type, endpoint)
    if not _lacks_abac(item, case):
        return words
    return with_abac(words, item.condition.key.partition("/")[2], item.value, tagged=_is_tagged(item, case))


_OF_BUCKETS = ("aws:resourcetag/", "s3:buckettag/")


def _lacks_abac(item: _Around, case: Case) -> bool:
    """Is it a tag of the bucket, which S3 does not evaluate until attribute-based access control is enabled?
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html"""
    facts = case.snapshot.bucket(case.request.bucket or "")
    return item.condition.lower_key.startswith(_OF_BUCKETS) and facts.abac is False


def _is_tagged(item: _Around, case: Case) -> bool:
    tags = case.snapshot.bucket(case.request.bucket or "").tags
    wanted = item.condition.lower_key.partition("/")[2], item.value
    return not isinstance(tags, Unknown) and wanted in {(tag.lower(), value) for tag, value in tags.items()}


def _open(item: _Around, case: Case) -> str:
    """What has to be so for it to help, and nobody here knows."""
    if _lacks_abac(item, case) and _is_tagged(item, case):
        return ENABLED
    is_mfa = item.condition.lower_key.startswith("aws:multifactorauth")
    federated = case.caller.principal.type is PrincipalType.FEDERATED
    return SIGNER if is_mfa and federated else item.row.open


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

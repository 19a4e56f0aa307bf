"""What is to be changed of a request and its surroundings, put as a remedy."""

from __future__ import annotations

from dataclasses import dataclass, field

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.remedies import label
from denyproxy.explain.prose.request_remedies import (
    ENABLED,
    PATTERN,
    VALUE,
    either,
    field_changes,
    field_pattern,
    of_folder,
    surroundings_change,
    with_abac,
    with_partner,
)
from denyproxy.explain.prose.state_remedies import SIGNER
from denyproxy.explain.remedies.fields import REQUEST_TAG, Field
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import endpoint_of
from denyproxy.explain.remedies.sending import OF_SSE_C, SSE_C, Sent, is_presigned, sending
from denyproxy.explain.remedies.surroundings import WITHOUT_ENDPOINT, Surrounding
from denyproxy.iam.condition import Condition
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import Unknown

_OF_BUCKETS = ("aws:resourcetag/", "s3:buckettag/")


@dataclass(frozen=True, slots=True)
class Compliance:
    """How the request can meet what a statement demands."""

    part: Part
    within_reach: bool
    """Then no policy has to be weakened for it."""
    last: bool = False
    """Does it come after what policies can do? It may not be true, or not be possible."""


@dataclass(frozen=True, slots=True)
class Around:
    """A condition key of the request's surroundings, and the value that it is to have."""

    row: Surrounding
    condition: Condition
    value: str | None


@dataclass(slots=True)
class Change:
    """What is to be done to fields and surroundings."""

    fields: dict[str, tuple[Field, str | None]] = field(default_factory=dict)
    around: list[Around] = field(default_factory=list)
    instead: list[Around] = field(default_factory=list)
    """What of the surroundings would do as well."""
    caveat: str = ""
    """What the fields do besides."""
    patterns: list[tuple[Field, Condition]] = field(default_factory=list)
    """Fields that a policy asks for by a pattern, so that no value can be named."""
    folder: str | None = None
    """The prefix that was listed, where that of the folder of this name would do."""


def in_reach(item: Around, finding: Finding) -> bool:
    """Can the caller do it, rather than be an exception?"""
    evidence = finding.evidence
    among_others = finding.effect == "explicit" and evidence is not None and len(evidence.statement.conditions) > 1
    return item.row.within_reach and not (item.row.excepts and among_others)


def as_part(change: Change, finding: Finding, case: Case) -> Compliance | None:
    """It as a remedy. None: nothing is to be changed."""
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
    within_reach = any(all(in_reach(item, finding) for item in items) for items in reach)
    # It asks for less, so that an Allow for all that was asked may be what is wanted.
    within_reach = within_reach and (change.folder is None or finding.effect == "explicit")
    return Compliance(part, within_reach, last=attests)


def _without_partner(change: Change, case: Case) -> str | None:
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


def _around_words(item: Around, finding: Finding, case: Case, endpoint: str | None) -> str:
    words = surroundings_change(item.condition, item.value, label(finding), case.caller.principal.type, endpoint)
    if not _lacks_abac(item, case):
        return words
    return with_abac(words, item.condition.key.partition("/")[2], item.value, tagged=_is_tagged(item, case))


def _lacks_abac(item: Around, case: Case) -> bool:
    """Is it a tag of the bucket, which S3 does not evaluate until attribute-based access control is enabled?
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html"""
    facts = case.snapshot.bucket(case.request.bucket or "")
    return item.condition.lower_key.startswith(_OF_BUCKETS) and facts.abac is False


def _is_tagged(item: Around, case: Case) -> bool:
    tags = case.snapshot.bucket(case.request.bucket or "").tags
    wanted = item.condition.lower_key.partition("/")[2], item.value
    return not isinstance(tags, Unknown) and wanted in {(tag.lower(), value) for tag, value in tags.items()}


def _open(item: Around, case: Case) -> str:
    """What has to be so for it to help, and nobody here knows."""
    if _lacks_abac(item, case) and _is_tagged(item, case):
        return ENABLED
    is_mfa = item.condition.lower_key.startswith("aws:multifactorauth")
    federated = case.caller.principal.type is PrincipalType.FEDERATED
    return SIGNER if is_mfa and federated else item.row.open

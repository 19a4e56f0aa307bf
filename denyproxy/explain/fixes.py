"""Fixes: for every reason that stands in the way a part, together one change, tried before it is proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from denyproxy.explain.case import Case
from denyproxy.explain.export import outline_of
from denyproxy.explain.exported_context import stated_context
from denyproxy.explain.finding import Finding
from denyproxy.explain.model import Fix
from denyproxy.explain.patches import Draft
from denyproxy.explain.prose import remedies as say
from denyproxy.explain.prose.state_remedies import (
    MANAGED_KEY,
    MISSING_KEY,
    MISSING_KEY_PUBLIC,
    NO_KEY,
    NOT_KNOWN_WHICH,
    STAYS_MISSING,
)
from denyproxy.explain.remedies.carried import of_the_session, told_apart_by
from denyproxy.explain.remedies.exemptions import by_root, exemptions
from denyproxy.explain.remedies.grants import grants
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import PLACES
from denyproxy.explain.remedies.requests import compliance
from denyproxy.explain.remedies.signing import signing
from denyproxy.explain.remedies.states import state_remedies
from denyproxy.explain.trial import Trial
from denyproxy.explain.verdict import Judgement
from denyproxy.iam.principal import PrincipalType
from denyproxy.s3.caller_side import uses_kms
from denyproxy.s3.request import is_on_unknown
from denyproxy.s3.snapshot import AWS_MANAGED_KEY

MOST_FIXES = 3
MOST_REASONS = 10
"""Reasons that one fix deals with; a thousand keys in one request are no case for a policy of a thousand lines."""


def propose(
    judgement: Judgement, case: Case, scenario: Mapping[str, Any] | None = None, *, left_out: int = 0
) -> tuple[Fix, ...]:
    """The fixes, the best first: each deals with all reasons that are certain, or says what would still block.

    `scenario`: the document that the call was read from, to which patches then refer; None: its export. `left_out`:
    how many denied keys of the request are not in the case."""
    if judgement.cause is None:
        return ()
    if judgement.missing_key:
        case = replace(case, evidence=replace(case.evidence, missing_for_sure=True))
    groups = _grouped([judgement.cause, *judgement.also_blocking])
    options = [_options(group, judgement, case) for group in groups[:MOST_REASONS]]
    # Where another reason has no remedy, the trial says that it still blocks.
    rest = [found[0] for found in options[1:] if found]
    documents = _Documents(case, scenario)
    # Who takes the 403 as it is has nothing else to do.
    fixes = (
        _fix([first] if first.open == STAYS_MISSING else [first, *rest], case, documents)
        for first in options[0][:MOST_FIXES]
    )
    return tuple(_for_some(fix, left_out) if left_out else fix for fix in fixes)


def _for_some(fix: Fix, left_out: int) -> Fix:
    blocking = (*fix.still_blocking, say.more_keys(left_out))
    return fix.model_copy(update={"verified": False, "still_blocking": blocking})


def _grouped(found: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that one change deals with: those of one statement, or of one layer that lacks an Allow of an action."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in found:
        action = None
        if finding.authorization is not None and finding.effect == "implicit":
            action = finding.authorization.requirement.action
        place = (finding.layer, finding.effect, finding.level, id(finding.policy), finding.statement)
        element = finding.element if finding.effect == "not-policy" else None
        groups.setdefault((*place, action, element), []).append(finding)
    return list(groups.values())


def _options(group: Sequence[Finding], judgement: Judgement, case: Case) -> list[Part]:
    """The ways to deal with one group, the best first."""
    finding = group[0]
    if finding.effect == "not-policy" or finding.layer == "acl" or _is_network_origin(finding):
        return state_remedies(finding, case)
    missing_key = judgement.missing_key and finding is judgement.cause
    if missing_key and case.caller.principal.type is PrincipalType.ANONYMOUS:
        return [Part("caller", "the request", MISSING_KEY_PUBLIC, open=STAYS_MISSING)]
    if finding.layer not in PLACES:
        return []
    parts = _of_policies(group, judgement, case)
    if missing_key:
        # No Deny is to be weakened for the sake of a 404, and nobody needs to list the bucket but for it.
        as_it_is = Part("caller", "the request", MISSING_KEY, open=STAYS_MISSING)
        parts = [as_it_is, *parts] if finding.effect == "explicit" else [*parts[: MOST_FIXES - 1], as_it_is]
    if finding.authorization is not None and is_on_unknown(finding.authorization.requirement):
        # No statement can be written for it yet.
        return [replace(part, edit=None, open=NOT_KNOWN_WHICH) for part in parts]
    return parts


def _of_policies(group: Sequence[Finding], judgement: Judgement, case: Case) -> list[Part]:
    """The same, of what a policy denies or does not allow."""
    finding = group[0]
    if _is_managed_key(finding):
        return [Part("bucket owner", "encryption of the object", MANAGED_KEY)]
    if finding.layer == "kms-key-policy" and not uses_kms(case.caller.principal) and finding.effect == "implicit":
        return [Part("bucket owner", "encryption of the object", NO_KEY)]
    complied = compliance(finding, case)
    parts = [complied.part] if complied is not None else []
    if complied is not None and complied.within_reach and (finding.effect == "explicit" or not complied.part.open):
        return [_or_root(part, finding, case) for part in parts]
    if finding.effect == "explicit":
        others = [*signing(finding, case), *exemptions(group, case)]
    else:
        others = grants(group, case, missing_key=judgement.missing_key and finding is judgement.cause)
    others = [_to_all_sessions(part, finding, case) for part in others]
    if complied is not None and complied.last:
        return [*others[: MOST_FIXES - 1], complied.part]
    return [*parts, *others]


def _or_root(part: Part, finding: Finding, case: Case) -> Part:
    if finding.effect != "explicit" or finding.authorization is None:
        return part
    return replace(part, words=part.words + by_root(finding, [finding.authorization.requirement.action], case))


def _to_all_sessions(part: Part, finding: Finding, case: Case) -> Part:
    """A change that was to be for one of the sessions of a role, and is for all of them."""
    pinned = of_the_session(finding) if finding.effect == "implicit" else ()
    keys = [key for key in told_apart_by(finding) if key not in pinned]
    if not keys or part.owner == "caller" or not part.exact:
        return part
    return replace(part, words=part.words + say.for_all_sessions(keys), exact=False)


def _is_network_origin(finding: Finding) -> bool:
    """An access point that only one VPC may use."""
    return finding.layer == "access-point-policy" and finding.evidence is None and finding.element is not None


def _is_managed_key(finding: Finding) -> bool:
    if finding.layer != "kms-key-policy" or finding.authorization is None:
        return False
    return (finding.authorization.requirement.kms_key or "").endswith(AWS_MANAGED_KEY)


class _Documents:
    """What patches refer to, made at most once."""

    def __init__(self, case: Case, scenario: Mapping[str, Any] | None) -> None:
        self._case = case
        self._scenario = scenario

    @cached_property
    def outline(self) -> Mapping[str, Any] | None:
        """Enough to change policies in. None: the call has no scenario."""
        return self._scenario if self._scenario is not None else outline_of(self._case)

    @cached_property
    def whole(self) -> Mapping[str, Any] | None:
        """With the condition keys that a changed request is evaluated in."""
        if self._scenario is not None or self.outline is None:
            return self._scenario
        return stated_context(dict(self.outline), self._case)


def _needed(parts: Sequence[Part]) -> Iterator[Part]:
    """Without those that ask for no more of the request than others before them do."""
    sent: dict[str, str | None] = {}
    for part in parts:
        if not part.sends or not part.sends.items() <= sent.items():
            yield part
        sent |= part.sends


def _fix(wanted: Sequence[Part], case: Case, documents: _Documents) -> Fix:
    parts = list(_needed(wanted))
    asks_request = any(part.owner == "caller" and part.edit is not None for part in parts)
    document = documents.whole if asks_request else documents.outline
    draft = Draft(dict(document)) if document is not None else None
    assumed: dict[str, str | None] = {}
    for part in parts:
        assumed |= part.assumed
        if draft is not None and part.edit is not None:
            part.edit(draft)
    if draft is not None:
        draft.finish()
    verified = False
    blocking: tuple[str, ...] = (say.NOT_TRIED if draft is not None else say.NO_SCENARIO,)
    if draft is not None and (draft.patch or assumed):
        trial = Trial(case, draft)
        outcome = trial.outcome(assumed)
        if outcome.allowed and draft.patch and assumed:
            # Verified is a word on the patch: what it leaves to the caller's surroundings still blocks.
            outcome = trial.outcome({})
        verified, blocking = outcome.allowed, outcome.blocking
    untried = [part for part in parts if part.edit is None and not part.assumed and not part.open]
    if verified and untried:
        # Of what only S3's answer tells (a wrong key), a question knows nothing.
        verified, blocking = False, tuple(say.not_tried(part.words) for part in untried)
    open_questions = tuple(dict.fromkeys(part.open for part in parts if part.open))
    if open_questions:
        verified, blocking = False, (*open_questions, *(text for text in blocking if text != say.NOT_TRIED))
    return Fix(
        summary=say.summary_of(list(_words(parts))),
        owner=parts[0].owner,
        target=parts[0].target,
        patch=draft.patch if draft is not None else (),
        verified=verified,
        least_privilege=all(part.exact for part in parts),
        still_blocking=blocking,
    )


def _words(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    for part in parts:
        yield part.owner, part.words

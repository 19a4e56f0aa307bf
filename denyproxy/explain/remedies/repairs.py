"""Slips that are plain: correcting them in place lets through all that the statement was meant to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from denyproxy.explain.case import Case
from denyproxy.explain.finding import Finding
from denyproxy.explain.patches import Draft
from denyproxy.explain.prose.remedies import as_meant, correct, set_version
from denyproxy.explain.remedies.part import Part
from denyproxy.explain.remedies.places import (
    PLACES,
    Path,
    document_path,
    is_aws_managed,
    policy_in_words,
    statement_place,
    target,
    written,
)
from denyproxy.explain.remedies.scopes import principal_element, resource_of, says_only, scope_of
from denyproxy.explain.remedies.slips import condition_slips
from denyproxy.explain.remedies.statements import Json, texts
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.parsing import SUBSTITUTING_VERSION
from denyproxy.iam.wildcard import SEPARATORS, glob


def repairs(finding: Finding, case: Case) -> Iterator[Part]:
    """The correction of the one element that fails by a slip."""
    path, evidence = document_path(finding, case), finding.evidence
    if path is None or evidence is None or len(evidence.failing) != 1 or is_aws_managed(finding.policy):
        return
    item = evidence.failing[0]
    yield from condition_slips(finding, case)
    policy, place = policy_in_words(finding, case), PLACES[finding.layer]
    if item.reason is Mismatch.VARIABLE_LITERAL:

        def with_version(draft: Draft) -> None:
            draft.put(SUBSTITUTING_VERSION, *path, "Version")

        yield Part(place.owner, target(finding, case), set_version(policy), with_version, exact=False)
        return
    corrected = _CORRECTED.get(item.reason) if item.reason is not None else None
    new = corrected(item, finding, case) if corrected is not None else None
    element = item.part.capitalize()
    if new is None or element not in written(finding):
        return
    exact = _is_exact(finding, case, item.part, new)
    words = correct(element, item.expected, new, evidence.statement.label, policy)
    edit = replacing(path, written(finding), element, item.expected, new)
    yield Part(place.owner, target(finding, case), words if exact else as_meant(words), edit, exact)


def _is_exact(finding: Finding, case: Case, part: str, new: str) -> bool:
    """Does the corrected statement say just what is missing, and nothing else?"""
    assert finding.evidence is not None
    statement = finding.evidence.statement
    scope, exact = scope_of([finding], case)
    said = {"action": statement.actions, "resource": statement.resources or ()}.get(part, ())
    if part == "principal" and statement.principal is not None:
        said = tuple(entry.text for entry in statement.principal.entries)
    others = [other for other in ("action", "resource", "principal") if other != part]
    wanted = (*scope.actions, *scope.resources, *(texts(scope.principal.get("AWS")) if part == "principal" else ()))
    return exact and len(said) == 1 and new in wanted and all(says_only(statement, other, scope) for other in others)


_Correction = Callable[[ElementEvidence, Finding, Case], str | None]


def _fitting(new: str, finding: Finding) -> str | None:
    return new if glob(new, resource_of(finding)) else None


def _slash(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    if item.part != "resource":
        return None
    without = item.expected.removesuffix("/")
    return _fitting(without, finding) or _fitting(item.expected + "/", finding)


def _case(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    """The text before the first wildcard, as the resource writes it; a principal as the caller's name is written."""
    if item.part == "principal":
        return _principal(item, finding, case)
    if item.part != "resource" or "${" in item.expected:
        return None
    size = min((item.expected.index(mark) for mark in "*?" if mark in item.expected), default=len(item.expected))
    return _fitting(resource_of(finding)[:size] + item.expected[size:], finding)


def _colon(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    head, tail = _split(item.expected)
    return _fitting(head + tail.replace(":", "/"), finding)


def _object_segment(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    head, found, rest = item.expected.partition(":accesspoint/")
    return _fitting(f"{head}{found}{rest.replace('/', '/object/', 1)}", finding)


def _partition(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    if item.part != "resource":
        return None
    parts = item.expected.split(":")
    parts[1] = resource_of(finding).split(":")[1]
    return _fitting(":".join(parts), finding)


def _unlocated(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    head, tail = _split(item.expected)
    partition = head.split(":")[1]
    return _fitting(f"arn:{partition}:s3:::{tail}", finding)


def _split(arn: str) -> tuple[str, str]:
    parts = arn.split(":", SEPARATORS)
    return "".join(f"{part}:" for part in parts[:-1]), parts[-1]


def _action(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    return item.actual


def _principal(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    if item.part != "principal":
        return None
    element = principal_element(case.caller.principal)
    arn = element.get("AWS") if isinstance(element, dict) else None
    return arn if isinstance(arn, str) else None


def _made_again(item: ElementEvidence, finding: Finding, case: Case) -> str | None:
    """Not the session, which is all that is known of a role whose path is not: a role was meant."""
    arn = _principal(item, finding, case)
    return None if arn is None or ":assumed-role/" in arn else arn


_CORRECTED: dict[Mismatch, _Correction] = {
    Mismatch.TRAILING_SLASH: _slash,
    Mismatch.CASE_DIFFERS: _case,
    Mismatch.COLON_FOR_SLASH: _colon,
    Mismatch.LOCATED_BUCKET_ARN: _unlocated,
    Mismatch.OBJECT_SEGMENT_MISSING: _object_segment,
    Mismatch.OTHER_PARTITION: _partition,
    Mismatch.API_NAME_INSTEAD_OF_ACTION: _action,
    Mismatch.DELETED_PRINCIPAL: _made_again,
    Mismatch.SESSION_NAME_DIFFERS: _principal,
    Mismatch.ROLE_NOT_SESSION: _principal,
    Mismatch.PATH_DIFFERS: _principal,
}


def replacing(path: Path, statement: Json, element: str, old: str, new: str) -> Callable[[Draft], None]:
    """Write one value of an element instead of another."""

    def edit(draft: Draft) -> None:
        place = statement_place(draft, path, statement)
        if place is None:
            return
        member: Path = (*place, element, "AWS") if element == "Principal" else (*place, element)
        present = draft.get(*member)
        if isinstance(present, list):
            if old in present:
                draft.put(new, *member, present.index(old))
        elif present == old:
            draft.put(new, *member)

    return edit

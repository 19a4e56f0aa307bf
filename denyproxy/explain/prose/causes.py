"""The cause and the whole answer as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from denyproxy.explain.evidence import Evidence
from denyproxy.explain.finding import Finding
from denyproxy.explain.model import Verdict
from denyproxy.explain.prose.near_misses import (
    condition_written,
    near_miss_phrase,
    place,
    quoted,
    short,
    tested_key,
    wanted,
    who_has,
)
from denyproxy.explain.prose.refusals import refusal_sentence
from denyproxy.explain.verdict import Judgement
from denyproxy.iam.evidence import ElementEvidence
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.s3.request import Caller, Requirement, S3Request

POLICY_TYPES: Mapping[str, str] = {
    "identity": "identity-based policy",
    "bucket-policy": "resource-based policy (the bucket policy)",
    "access-point-policy": "resource-based policy (the access point policy)",
    "kms-key-policy": "resource-based policy (the KMS key policy)",
    "resource-policy": "resource-based policy",
    "permissions-boundary": "permissions boundary",
    "session-policy": "session policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpc-endpoint-policy": "VPC endpoint policy",
    "acl": "access control list (ACL)",
}
"""Layer -> the policy type in AWS's messages."""


def sentence(finding: Finding) -> str:
    """One reason in one sentence, the cause first."""
    if finding.effect == "not-policy":
        return refusal_sentence(finding)
    assert finding.authorization is not None
    what = request_of(finding)
    if finding.effect == "explicit":
        return _explicit(finding, what)
    return _implicit(finding, what)


def possibility(finding: Finding) -> str:
    """The same of a reason that perhaps does not hold, and says so."""
    told = sentence(finding)
    requirement = finding.authorization.requirement if finding.authorization is not None else None
    if requirement is not None and _tells_of_missing_key(requirement):
        return f"If the key {quoted(requirement.key)} is missing: {_continued(told)}"
    if finding.truth is not Truth.UNKNOWN:
        return told
    if finding.effect == "not-policy":
        return f"Possibly: {told}"
    if requirement is None or requirement.needed is not Truth.UNKNOWN:
        return told
    why = f", which depends on {', '.join(requirement.facts)}" if requirement.facts else ""
    return f"If {requirement.action} is needed{why}: {_continued(told)}"


def _tells_of_missing_key(requirement: Requirement) -> bool:
    """Is it the permission to list, for a key whose read is allowed?"""
    key = requirement.key
    return requirement.action == "s3:ListBucket" and key is not None and not requirement.resource.endswith(f"/{key}")


def request_of(finding: Finding) -> str:
    """`s3:GetObject on arn:aws:s3:::b/k`."""
    assert finding.authorization is not None
    requirement = finding.authorization.requirement
    return f"{requirement.action} on {requirement.resource}"


def _explicit(finding: Finding, what: str) -> str:
    policy_type = POLICY_TYPES[finding.layer]
    article = "an" if policy_type[0] in "aeiou" else "a"
    if finding.evidence is None:
        return f"{what} may meet an explicit deny in {article} {policy_type} that is not loaded."
    place = _place(finding)
    why = _why_deny_applies(finding)
    return f"Explicit deny in {article} {policy_type}: {place} denies {what}{why}."


def _implicit(finding: Finding, what: str) -> str:
    if finding.layer == "acl" and finding.element != "state:object-owner":
        lacks = "does not grant" if finding.truth is Truth.YES else "is not known to grant"
        return f"The {finding.policy_name} {lacks} {finding.element}, and no bucket policy allows {what}."
    if finding.layer == "acl":
        owner = f" belongs to account {finding.actual}" if finding.actual else " may belong to another account"
        return (
            f"The object{owner}, whose ACL does not grant {what}; a bucket policy or identity policy of the "
            "bucket owner cannot grant access to an object that another account owns."
        )
    if finding.element == "condition:aws:SourceVpc" and finding.evidence is None:
        if finding.expected is None:
            return f"Whether the access point accepts {what} from outside a VPC is not known."
        came = "came from elsewhere" if finding.truth is Truth.YES else "may have come from elsewhere"
        return f"The access point accepts only requests from VPC {finding.expected}; {what} {came}."
    policy_type = POLICY_TYPES[finding.layer]
    head = f"No {policy_type} allows {what}"
    if finding.evidence is None:
        if finding.element == "principal":
            whom = "unsigned requests" if finding.actual == "anonymous" else "origin access identities"
            return f"{head}: KMS does not serve {whom}, whatever the key's policy says."
        if finding.unknowns == (finding.layer,):
            return f"{head}, as far as is known: policies of this layer are not loaded."
        return f"{head}{'' if finding.policy is None else f' ({finding.policy.name} has no Allow for it)'}."
    item = _item(finding)
    miss = f": {near_miss_phrase(finding.evidence, item)}" if item is not None else ""
    return f"{head}; nearest is {_place(finding)}{miss}."


def _item(finding: Finding) -> ElementEvidence | None:
    """The element that the finding names: a key may stand under several operators."""
    same = (item for item in finding.evidence.elements if item.element == finding.element) if finding.evidence else ()
    return next((item for item in same if item.expected == finding.expected), None)


def _place(finding: Finding) -> str:
    assert finding.evidence is not None
    label = place(finding.evidence.statement.label)
    if finding.layer in ("bucket-policy", "access-point-policy", "kms-key-policy", "vpc-endpoint-policy"):
        return label
    return f"{label} of {finding.policy_name}"


def _why_deny_applies(finding: Finding) -> str:
    """Which element of the Deny says most about why it applies, in words; empty where the sentence has said it."""
    item = _item(finding)
    if item is None or finding.evidence is None:
        return ""
    if item.part == "condition":
        if item.reason is Mismatch.KEY_UNKNOWN or (item.truth is Truth.UNKNOWN and item.actual is None):
            return f" if its condition holds ({condition_written(item)}): {item.key} is not known"
        slip = f": {near_miss_phrase(finding.evidence, item)}" if item.reason in _SLIPS else ""
        if item.reason is Mismatch.WILDCARD_IN_EXACT_OPERATOR:
            return slip  # which names condition and value too
        actual = f"{tested_key(item)} is {quoted(item.actual)}"
        if item.actual is None:
            action = finding.evidence.elements[0].actual or ""
            actual = f"the request has no {item.key}{who_has(item.key or '', action)}"
        return f" because {actual} (its condition: {condition_written(item)}){slip}"
    if item.element == "notprincipal":
        if item.reason in _NOT_SPARED:
            return f": {near_miss_phrase(finding.evidence, item)}"
        return f" to everyone but the principals in its NotPrincipal ({item.expected}), which do not name this caller"
    if item.part == "principal":
        return f" to {item.expected}{_whole_account(item)}"
    if item.part == "action" and item.expected == item.actual:
        # Who reads the action's own name wants to know of the resource.
        item = next((other for other in finding.evidence.elements if other.part == "resource"), item)
    if item.negated:
        unresolved = item.reason is Mismatch.VARIABLE_UNRESOLVED
        why = f": {near_miss_phrase(finding.evidence, item)}" if unresolved else ""
        return f" because its Not{item.part.capitalize()} ({short(item.expected)}) does not list it{why}"
    if item.expected in (item.actual, "*"):
        return ""
    covers = "includes" if item.part == "action" else "covers"
    return f" because its {item.part.capitalize()} ({short(item.expected)}) {covers} it"


def _whole_account(item: ElementEvidence) -> str:
    """Of a caller who is not the root user of an account that Principal names."""
    names, parts = item.expected.split(", "), (item.actual or "").split(":")
    account = parts[4] if len(parts) > 4 else None
    meant = [name for name in names if name == account or name.endswith(f"::{account}:root")]
    if account is None or not meant or item.actual in names:
        return ""
    return f", {'which' if len(names) == 1 else f'of which {meant[0]}'} means everyone of that account"


_NOT_SPARED = frozenset(
    {
        Mismatch.ACCOUNT_NOT_LISTED,
        Mismatch.PERMISSIONS_BOUNDARY,
        Mismatch.ROLE_NOT_SESSION,
        Mismatch.SESSION_NAME_DIFFERS,
    }
)
"""Why NotPrincipal does not spare a caller whom it was plainly meant to."""

_SLIPS = frozenset(
    {
        Mismatch.CASE_DIFFERS,
        Mismatch.NOT_AN_ARN,
        Mismatch.OTHER_PARTITION,
        Mismatch.PREFIX_LACKS_WILDCARD,
        Mismatch.TRAILING_SLASH,
        Mismatch.VARIABLE_LITERAL,
        Mismatch.VARIABLE_UNRESOLVED,
        Mismatch.WILDCARD_IN_EXACT_OPERATOR,
    }
)
"""Why the value of a negated condition does not spare a request that it was perhaps meant to."""


def _key_listed(cause: Finding) -> str | None:
    """The key for which S3 asks whether the caller may list: the request's, or that of a copy's source."""
    return cause.authorization.requirement.key if cause.authorization is not None else None


def summary(
    judgement: Judgement, evidence: Evidence, request: S3Request, caller: Caller, *, asked: bool = False
) -> str:
    """The whole answer in one sentence, the cause first. `asked`: nothing was denied, it is a question."""
    cause = judgement.cause
    if asked and cause is None and judgement.candidates:
        return _undecided(judgement)
    if judgement.verdict is Verdict.ALLOWED:
        return _allowed(request, evidence)
    if judgement.missing_key and cause is not None:
        return (
            f"The key {quoted(_key_listed(cause))} is missing, or was just deleted (reading it is allowed), and S3 "
            f"says 404 only to callers who may list the bucket: {_continued(sentence(cause))}"
        )
    if cause is not None and judgement.verdict is not Verdict.POLICIES_MISSING:
        if judgement.eliminated:
            # Which statement denies, S3 does not say.
            how = "As S3 says" if judgement.agrees and cause.effect == "implicit" else "By elimination"
            return f"{how}: {sentence(cause).removesuffix('.')}{_conclusion(cause)}."
        return sentence(cause)
    if judgement.verdict is Verdict.UNEXPLAINED and not evidence.authorizations:
        return "No operation of S3 that is known here looks like this request, so that no policy was asked about it."
    return _WITHOUT_CAUSE[judgement.verdict](judgement, caller)


def _allowed(request: S3Request, evidence: Evidence) -> str:
    needed = [item.requirement for item in evidence.authorizations if item.requirement.needed is Truth.YES]
    named = " and ".join(f"{item.action} on {item.resource}" for item in needed[:2])
    more = f" and {len(needed) - 2} more" if len(needed) > 2 else ""
    what = f"{request.operation} needs " if request.operation else ""
    return f"Allowed: {what}{named}{more}{', which is allowed' if what else ''}." if named else "Allowed."


def _conclusion(cause: Finding) -> str:
    """What the 403 tells of the one fact that was not known: of a Deny the condition held, of an Allow it did not."""
    unknown = [item for item in cause.evidence.elements if item.truth is Truth.UNKNOWN] if cause.evidence else []
    if len(unknown) != 1 or unknown[0].part != "condition" or unknown[0].element != cause.element:
        return ""
    item, held = unknown[0], cause.effect == "explicit"
    if not held and len(cause.unknowns) > 1:  # any of which may be why the Allow did not count
        return ""
    if item.key != tested_key(item):
        return f", so that condition {'held' if held else 'did not hold'}"
    if not (item.operator or "").removeprefix("ForAnyValue:").startswith(("String", "Arn", "Bool", "Ip", "NotIp")):
        return f", so that condition {'held' if held else 'did not hold'}"
    within = "in " if "IpAddress" in (item.operator or "") else ""
    return f", so {item.key} was {'' if held is not item.negated else 'not '}{within}{wanted(item)}"


def _continued(text: str) -> str:
    """A sentence of ours as what follows a colon."""
    return text[:1].lower() + text[1:] if text.startswith(("No ", "Explicit ", "The ")) else text


def _undecided(judgement: Judgement) -> str:
    """A question that what is known does not decide."""
    facts = ", ".join(dict.fromkeys(fact for item in judgement.candidates for fact in item.unknowns))
    needed = f"; it depends on what is not known: {short(facts)}" if facts else ""
    return f"Not known: nothing at hand denies it for certain{needed}. If denied: {sentence(judgement.candidates[0])}"


def _candidates(judgement: Judgement, caller: Caller) -> str:
    first = possibility(judgement.candidates[0])
    count = len(judgement.candidates)
    facts = ", ".join(dict.fromkeys(fact for item in judgement.candidates for fact in item.unknowns))
    if all(item.evidence is None and item.unknowns for item in judgement.candidates) and not judgement.agrees:
        return f"S3 does not say why, and nothing that is loaded does; what would is not known here: {short(facts)}."
    needed = f" To tell, these facts are needed: {short(facts)}." if facts else ""
    return f"One of {count} reasons; the most likely: {first}{needed}" if count > 1 else f"Probably: {first}{needed}"


def _policies_missing(judgement: Judgement, caller: Caller) -> str:
    if judgement.differs:
        return f"{'; '.join(judgement.differs)}; policies of that kind are not loaded here, or not all."
    layers = dict.fromkeys(POLICY_TYPES.get(item.layer, item.layer) for item in judgement.candidates)
    return "Nothing that is loaded denies it, so the reason lies in what is not loaded: " + ", ".join(layers) + "."


def _unknown_caller(judgement: Judgement, caller: Caller) -> str:
    key = caller.access_key_id
    why = (
        "no access key id was read from the request"
        if key is None
        else f"access key id {key} is not in access-keys.json"
    )
    return (
        f"The caller is not known: {why}, so no identity-based policy could be evaluated; no policy at hand denies "
        "every caller."
    )


def _stale(judgement: Judgement, caller: Caller) -> str:
    return f"The policies at hand are stale or incomplete: {'; '.join(judgement.differs)}, and they do not bear it out."


def _unexplained(judgement: Judgement, caller: Caller) -> str:
    return "By all policies and facts at hand the request is allowed, and yet S3 denied it; they may be stale."


_WITHOUT_CAUSE: Mapping[Verdict, Callable[[Judgement, Caller], str]] = {
    Verdict.CANDIDATES: _candidates,
    Verdict.POLICIES_MISSING: _policies_missing,
    Verdict.UNKNOWN_CALLER: _unknown_caller,
    Verdict.STALE_POLICIES: _stale,
    Verdict.UNEXPLAINED: _unexplained,
}


def rank_reason(finding: Finding) -> str:
    """Why a candidate stands where it does."""
    facts = ", ".join(finding.unknowns)
    if finding.evidence is not None and finding.effect == "explicit":
        return "a Deny at hand applies, " + (f"depending on {facts}" if facts else "should S3 ask for it")
    if finding.evidence is not None and finding.truth is Truth.UNKNOWN:
        return f"an Allow at hand may not apply, depending on {facts}" if facts else "an Allow at hand may not apply"
    if finding.evidence is not None or finding.truth is Truth.YES:
        return "holds if the key is missing"
    if finding.unknowns == (finding.layer,):
        return f"not loaded: {facts}"
    return f"depends on {facts}" if facts else "cannot be excluded"

"""One verdict from all findings and from what S3 itself said.

The 403 is evidence: what would not have led to it is excluded, and what S3's message names comes first. Where the
message contradicts the snapshot, the snapshot is stale or incomplete; no culprit is invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from denyproxy.explain.finding import Finding
from denyproxy.explain.likelihood import UNKNOWN_LAYERS, likelihood
from denyproxy.explain.model import EffectOfCause, Verdict
from denyproxy.iam.document import Policy
from denyproxy.iam.doubt import doubts_of_allowed
from denyproxy.iam.mismatch import Doubt
from denyproxy.iam.truth import Truth
from denyproxy.s3.authorization import Authorization
from denyproxy.s3.denial_message import DenialMessage
from denyproxy.s3.gates import REQUEST_GATES, STATE_GATES
from denyproxy.s3.request import Role


@dataclass(frozen=True, slots=True)
class Said:
    """What S3's answer says, as evidence."""

    answered: bool = False
    """False: a question; S3 was not asked."""
    not_policy: Finding | None = None
    """The reason that is no policy's, where code or message names one."""
    denial: DenialMessage | None = None
    """The long form of the message."""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with the findings behind it."""

    verdict: Verdict
    certain: bool = False
    cause: Finding | None = None
    candidates: tuple[Finding, ...] = ()
    also_blocking: tuple[Finding, ...] = ()
    agrees: bool | None = None
    missing_key: bool = False
    eliminated: bool = False
    """The cause was found by elimination: nothing else can account for the 403."""
    differs: tuple[str, ...] = field(default=())
    """What S3's message says that the snapshot does not bear out."""
    overtaken: tuple[Finding, ...] = ()
    """What policies at hand deny, though S3's answer shows that policies let the call through."""
    doubts: tuple[Doubt, ...] = ()
    """Of what is allowed: the rules in doubt that it rests on."""


_VERDICTS = {
    "explicit": Verdict.EXPLICIT_DENY,
    "implicit": Verdict.IMPLICIT_DENY,
    "not-policy": Verdict.NOT_POLICY,
}


def judge(
    found: tuple[Finding, ...],
    said: Said,
    *,
    caller_known: bool,
    missing_key: tuple[Finding, ...] = (),
    missing_for_sure: bool = False,
    authorizations: tuple[Authorization, ...] = (),
    unseen: tuple[Finding, ...] = (),
) -> Judgement:
    """The verdict. `missing_key`: what keeps S3 from saying 404, if the key is missing and its read is allowed.
    `unseen`: what may deny as well, where S3 gives no reason at all (a HEAD)."""
    if said.not_policy is not None:
        return _not_policy(said.not_policy, found)
    consistent = tuple(finding for finding in found if _consistent(finding, said))
    if said.denial is not None and said.denial.layers:  # else it was cut off, or gives a reason that is new
        return _by_message(consistent, said.denial, missing_key)
    definite = tuple(finding for finding in consistent if finding.truth is Truth.YES)
    if definite:
        return _definite(definite)
    possible = tuple(finding for finding in consistent if finding.truth is Truth.UNKNOWN)
    possible += unseen if said.answered and said.code is None else ()
    sure_miss = tuple(finding for finding in missing_key if finding.truth is Truth.YES)
    if sure_miss and (missing_for_sure or (said.answered and not possible)):
        return replace(_definite(sure_miss), missing_key=True)
    if not said.answered and not possible:
        doubts = tuple(dict.fromkeys(doubt for item in authorizations for doubt in doubts_of_allowed(item.evaluation)))
        return Judgement(Verdict.ALLOWED, certain=not doubts, doubts=doubts)
    candidates = _each_unloaded_once(sorted(possible + (missing_key if said.answered else ()), key=likelihood))
    if not caller_known:
        return Judgement(Verdict.UNKNOWN_CALLER, candidates=candidates)
    if not candidates:
        return Judgement(Verdict.UNEXPLAINED)
    missed = any(item in missing_key for item in candidates)
    if said.answered and len(candidates) == 1 and candidates[0].evidence is not None:
        cause = candidates[0]
        return Judgement(
            _VERDICTS[cause.effect], cause=cause, candidates=candidates, missing_key=missed, eliminated=True
        )
    if all(_is_missing(finding) for finding in candidates):
        return Judgement(Verdict.POLICIES_MISSING, candidates=candidates, missing_key=missed)
    return Judgement(Verdict.CANDIDATES, candidates=candidates, missing_key=missed)


def _each_unloaded_once(candidates: list[Finding]) -> tuple[Finding, ...]:
    """A layer that is not loaded is one missing fact, however many permissions the call needs, and whichever way it
    denies: the less likely way comes last."""
    first: list[Finding] = []
    last: dict[tuple[str, str], Finding] = {}
    for item in candidates:
        if item.evidence is None and item.element is not None and any(_same_gate(item, other) for other in first):
            continue
        same = [other for other in first if is_unloaded(other) and other.layer == item.layer]
        if not is_unloaded(item) or not same:
            first.append(item)
        elif same[0].effect != item.effect:
            last.setdefault((item.layer, item.effect), item)
    return (*first, *last.values())


def _same_gate(one: Finding, other: Finding) -> bool:
    """One reason of S3's own, met by several permissions of the call."""
    return (one.layer, one.element, one.unknowns) == (other.layer, other.element, other.unknowns)


def _not_policy(said: Finding, found: tuple[Finding, ...]) -> Judgement:
    """S3 names a reason of its own; what is known locally adds the details."""
    own = next((finding for finding in found if finding.layer == said.layer and finding.truth is Truth.YES), None)
    if own is not None and (said.element is None or own.element == said.element):
        said = own._replace(by_proxy=said.by_proxy)
    others = tuple(item for item in found if item.truth is Truth.YES and item.layer != said.layer)
    if said.layer not in STATE_GATES:
        return Judgement(Verdict.NOT_POLICY, certain=True, cause=said, also_blocking=others, agrees=True)
    # KMS is asked later still.
    overtaken = (item for item in others if item.effect != "not-policy")
    before = tuple(item for item in overtaken if not _is_on_key(item))
    return Judgement(Verdict.NOT_POLICY, certain=True, cause=said, agrees=True, overtaken=before)


def _is_on_key(finding: Finding) -> bool:
    return finding.authorization is not None and finding.authorization.requirement.role is Role.KMS


def _consistent(finding: Finding, said: Said) -> bool:
    """Could this finding account for what S3 answered? S3 names some reasons by a code or message of their own."""
    if not said.answered or said.code is None:
        return True
    if finding.layer in ("archived-object", "clock-skew"):
        return said.code != "AccessDenied"
    return finding.layer not in REQUEST_GATES


def _definite(definite: tuple[Finding, ...]) -> Judgement:
    cause = definite[0]
    return Judgement(
        _VERDICTS[cause.effect],
        certain=not is_doubtful(cause),
        cause=cause,
        also_blocking=tuple(item for item in definite[1:] if not _same_place(item, cause)),
    )


def _same_place(one: Finding, other: Finding) -> bool:
    return (
        one.layer == other.layer
        and one.effect == other.effect
        and one.policy_name == other.policy_name
        and one.statement == other.statement
        and one.authorization is other.authorization
    )


def is_unloaded(finding: Finding) -> bool:
    """Does it stand for the policies of a layer that are not known?"""
    return finding.evidence is None and finding.unknowns == (finding.layer,)


def _is_missing(finding: Finding) -> bool:
    """Does it rest on nothing but what is not loaded?"""
    if finding.evidence is not None or not finding.unknowns or finding.effect == "not-policy":
        return False
    return is_unloaded(finding) or finding.layer not in UNKNOWN_LAYERS


def is_doubtful(finding: Finding) -> bool:
    """Does the finding rest on a rule on which AWS's sources disagree?"""
    conflict = finding.authorization is not None and finding.authorization.requirement.conflict is not None
    return conflict or bool(doubts_of_deny(finding))


def doubts_of_deny(finding: Finding) -> tuple[Doubt, ...]:
    """The rules in doubt by which a Deny applies."""
    if finding.effect != "explicit" or finding.evidence is None:
        return ()
    return tuple(dict.fromkeys(flag for item in finding.evidence.elements for flag in item.flags))


def _by_message(found: tuple[Finding, ...], denial: DenialMessage, missing_key: tuple[Finding, ...]) -> Judgement:
    reasons = (*found, *missing_key)
    named = (one for item in reasons for one in (item, item.stands_for) if one is not None and named_by(one, denial))
    matching = tuple(named)
    if not matching:
        # What is not loaded may hold whatever S3 names.
        effect: EffectOfCause = "explicit" if denial.effect == "explicit" else "implicit"
        unloaded = (item._replace(effect=effect) for item in reasons if is_unloaded(item))
        matching = tuple(item for item in unloaded if named_by(item, denial))
    definite = tuple(item for item in matching if item.truth is Truth.YES)
    others = tuple(item for item in found if item.truth is Truth.YES)
    listed = any(item in (one, one.stands_for) for one in missing_key for item in definite or matching)
    if definite:
        cause = definite[0]
        blocking = tuple(item for item in others if not _same_place(item, cause) and item.stands_for is not cause)
        return Judgement(
            _VERDICTS[cause.effect],
            certain=True,
            cause=cause,
            also_blocking=blocking,
            agrees=True,
            missing_key=listed,
        )
    at_hand = next((item for item in matching if item.evidence is not None or item.effect == "not-policy"), None)
    if at_hand is not None:
        if all(item is at_hand or _one_reason(item, at_hand) for item in matching):
            return Judgement(
                _VERDICTS[at_hand.effect],
                cause=at_hand,
                also_blocking=others,
                agrees=True,
                missing_key=listed,
                eliminated=True,
            )
        candidates = tuple(sorted(matching, key=likelihood))
        return Judgement(Verdict.CANDIDATES, candidates=candidates, agrees=True, missing_key=listed)
    said = (denial_in_words(denial),)
    if matching:
        matching = tuple(item._replace(named=denial.policy_arn) for item in sorted(matching, key=likelihood))
        return Judgement(
            Verdict.POLICIES_MISSING,
            cause=matching[0],
            candidates=matching,
            agrees=True,
            missing_key=listed,
            differs=said,
        )
    return Judgement(Verdict.STALE_POLICIES, also_blocking=others, agrees=False, differs=said)


def _one_reason(unloaded: Finding, cause: Finding) -> bool:
    """Is what is not loaded of a layer no other reason than that the layer does not allow? A Deny in it would be."""
    if not is_unloaded(unloaded) or unloaded.effect == "explicit":
        return False
    return (unloaded.layer, unloaded.level) == (cause.layer, cause.level)


def named_by(finding: Finding, denial: DenialMessage) -> bool:
    """Is this finding what S3's message names?"""
    if finding.layer not in denial.layers:
        return False
    if finding.layer == "block-public-access":
        return denial.effect == "not-policy" or finding.element in (
            "setting:RestrictPublicBuckets" if denial.effect == "explicit" else "setting:IgnorePublicAcls",
        )
    if denial.effect is not None and finding.effect != denial.effect and not denial.kms_catch_all:
        return False
    if finding.authorization is not None:
        requirement = finding.authorization.requirement
        if denial.action is not None and denial.action.lower() != requirement.action.lower():
            return False
        if denial.resource is not None and denial.resource != requirement.resource:
            return False
    return finding.policy is None or denial.policy_arn is None or _has_arn(finding.policy, denial.policy_arn)


def _has_arn(policy: Policy, named: str) -> bool:
    """Is a policy the one that S3 names by ARN (which inline policies do not have), as far as is known?"""
    if policy.arn is not None and policy.group is None:
        return policy.arn.startswith(named)
    # One that is given without its ARN still has its name; the ARN of an SCP or RCP ends with an id instead.
    name = named.rpartition("/")[2] if ":iam:" in named and "/" in named else ""
    return policy.name.startswith(name)


def denial_in_words(denial: DenialMessage) -> str:
    """What S3's message claims, for the note that the policies at hand do not bear it out."""
    if denial.kms_catch_all:
        return (
            "S3 says that the KMS key does not exist in this Region, or that its policy does not allow "
            f"{denial.action}, or denies it"
        )
    kind = "an explicit deny" if denial.effect == "explicit" else "a refusal"
    where = f" ({denial.policy_arn})" if denial.policy_arn else ""
    on = f" on {denial.resource}" if denial.resource else ""
    policy_type = denial.policy_type or " or ".join(denial.layers)
    if denial.effect == "implicit":
        return f"S3 says that no {policy_type} allows {denial.action}{on}"
    article = "an" if policy_type[:1] in "aeiou" else "a"
    return f"S3 names {kind} in {article} {policy_type}{where} for {denial.action}{on}"

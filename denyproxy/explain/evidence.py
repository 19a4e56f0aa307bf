"""All that local evaluation says on one call, before S3's own words are weighed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from denyproxy.exchange import Declared, DeniedCall
from denyproxy.explain.finding import Finding
from denyproxy.explain.findings import findings
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy
from denyproxy.iam.layers import PolicySet
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.iam.wildcard import glob
from denyproxy.s3.arn import Arn
from denyproxy.s3.authorization import Authorization, authorize
from denyproxy.s3.condition_values import SESSION_MODE, SESSION_MODES
from denyproxy.s3.context import Contexts
from denyproxy.s3.denial_message import DenialMessage
from denyproxy.s3.gates import Refusal, refusals, wrong_sse_c_key
from denyproxy.s3.permissions import missing_key_requirement, requirements
from denyproxy.s3.public_access import known
from denyproxy.s3.request import Caller, Requirement, Role, S3Request, is_on_unknown
from denyproxy.s3.scene import Scene
from denyproxy.s3.snapshot import PolicySnapshot

_READS_A_KEY = frozenset({"GetObject", "HeadObject", "GetObjectAttributes"})
"""Operations that answer 403 instead of 404 for a missing key, unless the caller may list the bucket.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
_READS_A_SOURCE = frozenset({"CopyObject", "UploadPartCopy"})
"""The same, of the source's key and bucket."""

MAX_KEYS = 1000
"""As many as one DeleteObjects may name."""
MAX_REQUIREMENTS = 4 * MAX_KEYS


@dataclass(frozen=True, slots=True)
class Answers:
    """What policies and S3's own gates say on a call."""

    authorizations: tuple[Authorization, ...]
    refusals: tuple[Refusal, ...]
    missing_key: Authorization | None = None
    """The permission to list, which decides between 404 and 403 should the key be missing."""
    missing_for_sure: bool = False


class Needs:
    """What a call needs, read once; to be asked for as a whole, or key by key."""

    def __init__(
        self,
        call: DeniedCall,
        request: S3Request,
        caller: Caller,
        snapshot: PolicySnapshot,
        only: Collection[str] | None = None,
        *,
        denial: DenialMessage | None = None,
    ) -> None:
        """`only`: the condition keys (lower case) that policies ask for, where the contexts serve for nothing else.
        `denial`: what S3's message says, which may name what is not known otherwise."""
        self._call = call
        self._request = request
        self._caller = caller
        self._snapshot = snapshot
        self._contexts = Contexts(request, caller, call, snapshot, only)
        self._by_key: dict[str | None, list[tuple[int, Requirement]]] = {}
        needed = tuple(_requirements(call, request, caller, snapshot))
        for order, requirement in enumerate(_as_named(needed, denial)):
            self._by_key.setdefault(requirement.key, []).append((order, requirement))
        self._refusals = () if call.declared.action is not None else refusals(request, caller, snapshot)

    def answers(self, keys: Collection[str] | None = None) -> Answers:
        """Authorize every requirement (or only those on some keys, and those on none), and ask S3's own gates."""
        authorizations = tuple(map(self._decide, self._needed(keys)))
        listing = _listing_for_missing_key(self._request, self._snapshot, authorizations)
        return Answers(
            authorizations,
            self._refusals,
            missing_key=self._decide(listing) if listing is not None else None,
            missing_for_sure=listing is not None and _exists(self._request, self._snapshot) is Truth.NO,
        )

    def evidence(self, key: str | None = None) -> Evidence:
        """The answers (or only those on one of the keys), and every reason that denies, or may."""
        answers = self.answers(None if key is None else (key,))
        asked_about_an_action = self._call.declared.action is not None
        return Evidence(
            answers.authorizations,
            answers.refusals,
            findings(answers.authorizations, answers.refusals),
            findings((answers.missing_key,), ()) if answers.missing_key is not None else (),
            answers.missing_for_sure,
            answers.missing_key,
            () if asked_about_an_action else findings((), tuple(wrong_sse_c_key(self._request, self._snapshot))),
        )

    def _needed(self, keys: Collection[str] | None) -> list[Requirement]:
        wanted = self._by_key if keys is None else (None, *dict.fromkeys(keys))
        rows = [row for key in wanted for row in self._by_key.get(key, ())]
        rows.sort(key=lambda row: row[0])
        return [requirement for _, requirement in rows]

    def _decide(self, requirement: Requirement) -> Authorization:
        context = self._contexts.of(requirement)
        if requirement.action != "s3express:CreateSession" or context.lookup(SESSION_MODE) is not UNKNOWN:
            return self._decide_in(requirement, context)
        # Allowed in either mode is enough; the one that S3 tries last is denied last.
        modes = (
            self._decide_in(requirement, context.with_values({SESSION_MODE: mode})) for mode in SESSION_MODES[::-1]
        )
        return max(modes, key=lambda each: each.allowed)

    def _decide_in(self, requirement: Requirement, context: RequestContext) -> Authorization:
        return authorize(requirement, context, self._caller, self._snapshot, self._call.declared)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that local evaluation says on one call, before S3's own words are weighed."""

    authorizations: tuple[Authorization, ...]
    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]
    missing_key: tuple[Finding, ...] = ()
    """What keeps S3 from answering 404, should the key be missing."""
    missing_for_sure: bool = False
    missing_key_authorization: Authorization | None = None
    unseen: tuple[Finding, ...] = ()
    """What may deny, and nothing but an answer without a reason hints at it."""

    def policies(self) -> Iterator[Policy]:
        """All policies that bear on the call."""
        for authorization in self.authorizations:
            yield from _all_of(authorization.policies)


def _all_of(policies: PolicySet) -> Iterator[Policy]:
    single = (policies.identity, policies.boundary, policies.session, policies.vpc_endpoint)
    resource = (layer.policies for layer in policies.resource)
    for listing in (*single, *(policies.scp or ()), *(policies.rcp or ()), *resource):
        if listing is not None:
            yield from listing.policies


def _requirements(
    call: DeniedCall, request: S3Request, caller: Caller, snapshot: PolicySnapshot
) -> Iterator[Requirement]:
    """What had to be allowed, filters aside; bounded, since one DeleteObjects may name a thousand keys."""
    if call.declared.action is not None:
        yield _declared_requirement(call.declared, snapshot)
        return
    for requirement in islice(requirements(request, snapshot, caller), MAX_REQUIREMENTS):
        if requirement.role is not Role.FILTER and requirement.needed is not Truth.NO:
            yield requirement


def _as_named(needed: tuple[Requirement, ...], denial: DenialMessage | None) -> tuple[Requirement, ...]:
    """What S3 names was needed: of the resource's side too, where it says that none there allows it, and on the
    resource that it names (a KMS key, an access point), where it is not known which it is."""
    if denial is None or denial.resource is None:
        return needed
    of_action = [item for item in needed if item.action.lower() == denial.action.lower()]
    fitting = [item for item in of_action if item.resource == denial.resource] or [
        item for item in of_action if is_on_unknown(item) and glob(item.resource, denial.resource)
    ]
    if len(fitting) != 1:
        return needed
    return tuple(_as_asked(item, denial, denial.resource) if item is fitting[0] else item for item in needed)


def _as_asked(requirement: Requirement, denial: DenialMessage, resource: str) -> Requirement:
    owner_asked = denial.effect == "implicit" and "bucket-policy" in denial.layers
    caller_only = requirement.caller_only and not owner_asked
    asked = requirement._replace(resource=resource, needed=Truth.YES, facts=(), caller_only=caller_only)
    if requirement.resource == resource:
        return asked
    if asked.role is Role.KMS:
        return asked._replace(kms_key=resource)
    if asked.via_access_point is not None:
        return asked._replace(via_access_point=resource.partition("/object/")[0])
    return asked


def _listing_for_missing_key(
    request: S3Request, snapshot: PolicySnapshot, authorizations: tuple[Authorization, ...]
) -> Requirement | None:
    """The permission to list that decides between 404 and 403, if the key may be missing and its read is allowed."""
    if _exists(request, snapshot) is Truth.YES or not authorizations:
        return None
    if any(item.allowed is Truth.NO and item.requirement.needed is Truth.YES for item in authorizations):
        return None
    return missing_key_requirement(request, snapshot)


def _exists(request: S3Request, snapshot: PolicySnapshot) -> Truth:
    """Is the object there that the call reads? YES if it reads none."""
    source = request.copy_source
    if request.operation in _READS_A_KEY and request.bucket is not None and request.key is not None:
        facts = snapshot.object(request.bucket, request.key)
        current = request.parameter("versionId") is None
    elif request.operation in _READS_A_SOURCE and source is not None:
        facts = Scene(request, snapshot).source
        current = source.version_id is None
    else:
        return Truth.YES
    if facts is None or (current and facts.delete_marker is True):
        return Truth.NO
    return known(facts.exists)


def _declared_requirement(declared: Declared, snapshot: PolicySnapshot) -> Requirement:
    """One authorization request given directly, of any service."""
    assert declared.action is not None
    resource = declared.resource or "*"
    service = declared.action.partition(":")[0].lower()
    if service == "kms":
        return Requirement(declared.action, resource, Role.KMS, kms_key=resource)
    arn = Arn.parse(resource)
    if service != "s3" or arn is None or arn.service != "s3":
        return Requirement(declared.action, resource)
    if arn.resource.startswith("accesspoint"):
        point, _, key = resource.partition("/object/")
        facts = snapshot.access_points.get(point)
        if facts is None:
            return Requirement(declared.action, resource)
        own = f"arn:{arn.partition}:s3:::{facts.bucket}" + (f"/{key}" if key else "")
        return Requirement(
            declared.action,
            resource,
            bucket=facts.bucket,
            key=key or None,
            via_access_point=point,
            bucket_resource=own,
        )
    if arn.account:  # A job, or another thing that is no bucket.
        return Requirement(declared.action, resource)
    bucket, slash, key = arn.resource.partition("/")
    return Requirement(declared.action, resource, bucket=bucket or None, key=key if slash else None)

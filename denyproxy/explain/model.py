"""The explanation: denyproxy's public, versioned output (`"schema": 1`)."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError, to_json

_SURROGATES = re.compile("[\ud800-\udfff]")


class _Public(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(StrEnum):
    """What kind of answer this is."""

    EXPLICIT_DENY = "explicit-deny"
    IMPLICIT_DENY = "implicit-deny"
    NOT_POLICY = "not-policy"
    CANDIDATES = "candidates"
    STALE_POLICIES = "stale-policies"
    POLICIES_MISSING = "policies-missing"
    UNKNOWN_CALLER = "unknown-caller"
    UNEXPLAINED = "unexplained"
    ALLOWED = "allowed"


EffectOfCause = Literal["explicit", "implicit", "not-policy"]


class Mismatch(_Public):
    """One element of a statement that kept it from matching."""

    element: str
    expected: str | None = None
    """The pattern or values as written."""
    actual: str | None = None
    reason: str | None = None


class Cause(_Public):
    """One reason why the request is denied: the layer, the policy, the statement and the element."""

    layer: str
    effect: EffectOfCause
    action: str | None = None
    resource: str | None = None
    policy: str | None = None
    """Name or ARN."""
    statement: str | None = None
    """The Sid, or Statement[0]."""
    element: str | None = None
    expected: str | None = None
    actual: str | None = None
    sentence: str = ""
    """The cause in one sentence."""


class NearMiss(Cause):
    """A statement that was meant to grant, or nearly did, and what kept it from it."""

    mismatches: tuple[Mismatch, ...] = ()


class Candidate(Cause):
    """A cause that cannot be excluded for want of facts."""

    unknowns: tuple[str, ...] = ()
    """The facts that would decide it."""
    why: str = ""
    """Why it has this rank."""


class Fix(_Public):
    """A change that would let the request through, addressed to who can make it."""

    summary: str
    owner: Literal["caller", "identity admin", "bucket owner", "key owner", "organization admin", "network admin"]
    target: str
    patch: tuple[dict[str, Any], ...] = ()
    """RFC 6902, on the scenario of this denial."""
    verified: bool = False
    """With the patch applied the request is allowed."""
    least_privilege: bool = True
    still_blocking: tuple[str, ...] = ()


class PrincipalSeen(_Public):
    """Whom S3 saw."""

    arn: str | None = None
    account: str | None = None
    type: str = "unknown"
    known_by: str = "none"
    access_key_id: str | None = None


class AuthorizationResult(_Public):
    """One authorization request of the call."""

    action: str
    resource: str
    decision: str | None = None
    """allowed, explicit-deny, implicit-deny; null while the unknowns leave more than one."""
    possible: tuple[str, ...] = ()


class UpstreamAnswer(_Public):
    """What S3 said."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    agrees: bool | None = None
    """Does S3's own message agree with the cause? null: it does not say."""


class PoliciesUsed(_Public):
    """The snapshot behind the explanation."""

    revision: str = ""
    age_seconds: int | None = None
    problems: tuple[str, ...] = ()


class Explanation(_Public):
    """Why S3 denied one call. See docs/explanation.md; the JSON schema ships as explanation.schema.json."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    id: str
    time: datetime
    verdict: Verdict
    certain: bool = False
    """This cause denies for every value of the unknowns: while it stands the request cannot succeed."""
    summary: str
    operation: str | None = None
    bucket: str | None = None
    key: str | None = None
    principal: PrincipalSeen
    client: PrincipalSeen | None = None
    """Who signed the request that denyproxy signed again with other credentials; null: S3 saw the client's own."""
    refused_by: Literal["s3", "denyproxy"] = "s3"
    """denyproxy: it could not verify the request, and did not ask S3."""
    authorization: tuple[AuthorizationResult, ...] = ()
    cause: Cause | None = None
    candidates: tuple[Candidate, ...] = ()
    also_blocking: tuple[Cause, ...] = ()
    may_also_block: tuple[str, ...] = ()
    """Layers that are not known and may deny as well."""
    near_misses: tuple[NearMiss, ...] = ()
    fixes: tuple[Fix, ...] = ()
    upstream: UpstreamAnswer
    unknowns: tuple[str, ...] = ()
    missing_key_possible: bool = False
    notes: tuple[str, ...] = ()
    policies: PoliciesUsed = PoliciesUsed()

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """One line of JSON. Bytes on the wire that are not UTF-8 stand in it as U+FFFD."""
        try:
            return self.model_dump_json(by_alias=True)
        except PydanticSerializationError:
            return to_json(_legible(self.model_dump(by_alias=True))).decode()


def _legible(value: Any) -> Any:
    """The same with U+FFFD for surrogates, which stand for bytes that are not UTF-8."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_legible(name): _legible(member) for name, member in value.items()}
    return [_legible(member) for member in value] if isinstance(value, list | tuple) else value

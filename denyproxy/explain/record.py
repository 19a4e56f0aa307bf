"""The denial record: the explanation plus the call's named facts, one JSON object per denial.

Named fields only, never raw headers: no signature, token, secret or customer key can get in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from denyproxy.explain.model import Explanation, _Public
from denyproxy.sigv4.wire import SECRET_FIELDS, SIGNING_PARAMETERS


class CallFacts(_Public):
    """What was called, as far as it is safe to keep."""

    method: str
    host: str | None = None
    region: str | None = None
    client: str | None = None
    """Address of the client as the proxy saw it."""
    mode: str
    upstream_kind: str
    auth_type: str | None = None
    """REST-HEADER, REST-QUERY-STRING or POST; null: anonymous."""
    access_point: str | None = None
    copy_source: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters but for those of the signature."""
    headers: dict[str, str] = Field(default_factory=dict)
    """The few header fields that authorization looks at."""
    context: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Condition keys of the denied authorization request, as present."""


class DenialRecord(Explanation):
    """One line of the log."""

    call: CallFacts
    scenario: dict[str, Any] | None = None
    """The denied call with all policies that bear on it (scenario.schema.json); only where `log.scenario` is set."""

    @classmethod
    def of(cls, explanation: Explanation, call: CallFacts, scenario: dict[str, Any] | None = None) -> DenialRecord:
        """The record of one denial."""
        return cls.model_construct(**vars(explanation), call=call, scenario=scenario)


@dataclass(frozen=True, slots=True)
class Told:
    """An explanation, with what its delivery needs to know."""

    explanation: Explanation
    call: CallFacts
    own_account: bool
    """An authenticated caller of the account that owns the bucket."""

    @property
    def record(self) -> DenialRecord:
        """The line for the log."""
        return DenialRecord.of(self.explanation, self.call)


class ShedRecord(_Public):
    """The line for denials that came faster than they could be explained, and whose turn never came."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["shed"] = "shed"
    time: datetime
    """When the line was written."""
    count: int
    ids: tuple[str, ...]
    """As their callers have them in X-Deny-Explanation-Id."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """One line of JSON."""
        return self.model_dump_json(by_alias=True)


KEPT_HEADERS = frozenset(
    {
        "x-amz-acl",
        "x-amz-grant-read",
        "x-amz-grant-write",
        "x-amz-grant-read-acp",
        "x-amz-grant-write-acp",
        "x-amz-grant-full-control",
        "x-amz-copy-source",
        "x-amz-metadata-directive",
        "x-amz-tagging",
        "x-amz-tagging-directive",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "x-amz-object-ownership",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-object-lock-legal-hold",
        "x-amz-bypass-governance-retention",
        "x-amz-bucket-object-lock-enabled",
        "x-amz-create-session-mode",
        "x-amz-request-payer",
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
        "x-amz-content-sha256",
        "if-match",
        "if-none-match",
        "user-agent",
    }
)
"""Header fields that condition keys or conditional permissions are read from; none of them carries a secret."""


def kept_query(query: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Query parameters without those of a signature and secrets."""
    dropped = SIGNING_PARAMETERS | SECRET_FIELDS | {"awsaccesskeyid", "expires"}
    return {name: value for name, value in query if name.lower() not in dropped}


def kept_headers(headers: dict[str, str]) -> dict[str, str]:
    """The header fields of note."""
    return {name: value for name, value in headers.items() if name in KEPT_HEADERS}

"""What the derivation of condition keys looks at, and the values it may come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from denyproxy.exchange import DeniedCall
from denyproxy.iam.context import Values
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.other_resources import owner_of
from denyproxy.s3.request import Caller, Requirement, Role, S3Request
from denyproxy.s3.snapshot import AccessPointFacts, PolicySnapshot
from denyproxy.s3.xml import parse_xml

Value = Values | Unknown | None
"""Values; UNKNOWN; None: absent."""
Family = Mapping[str, Value] | Unknown
"""Member (such as a tag key) -> value, all others absent; UNKNOWN: nothing is known of the family."""

_ACCOUNT_LEVEL = frozenset({"s3:CreateBucket", "s3:ListAllMyBuckets", "s3express:CreateBucket"})


def one(value: str | Unknown | None) -> Value:
    """A single value, unknown or absent."""
    return (value,) if isinstance(value, str) else value


@dataclass(frozen=True)
class View:
    """One requirement of a call, with all that its condition keys follow from."""

    requirement: Requirement
    request: S3Request
    caller: Caller
    call: DeniedCall
    snapshot: PolicySnapshot

    @property
    def closed(self) -> bool:
        """A closed world: what is not said is absent."""
        return self.call.declared.closed

    @property
    def unsaid(self) -> Unknown | None:
        """The value of a key that nothing here tells: absent in a closed world, unknown in an open one."""
        return None if self.closed else UNKNOWN

    @cached_property
    def declared(self) -> Mapping[str, Values | None]:
        """The declared condition keys by lower-case name."""
        return {name.lower(): values for name, values in self.call.declared.context.items()}

    @cached_property
    def body(self) -> Element | None:
        """The request's XML body; None: none, not kept, or not XML."""
        return parse_xml(self.request.body)

    @property
    def body_is_known(self) -> bool:
        """Was the body kept, and could it be read?"""
        return self.request.body is not None and (not self.request.body or self.body is not None)

    @property
    def access_point(self) -> AccessPointFacts | None:
        """The access point that this requirement is authorized on, where the snapshot has it."""
        return self.snapshot.access_points.get(self.requirement.via_access_point or "")

    @cached_property
    def resource_account(self) -> str | Unknown:
        """The account that owns the resource."""
        requirement, declared = self.requirement, self.call.declared.resource_account
        if requirement.role is Role.KMS:
            key = self.snapshot.kms_key(requirement.kms_key).account
            parts = requirement.resource.split(":")
            return parts[4] if key is UNKNOWN and len(parts) > 4 and parts[4].isdigit() else key
        if requirement.bucket is None or requirement.action in _ACCOUNT_LEVEL:
            if declared is None and not self.closed and requirement.action not in _ACCOUNT_LEVEL:
                return owner_of(requirement, self.caller)
            return declared or self.caller.principal.account or UNKNOWN
        if declared is not None and not requirement.source:
            return declared
        return self.snapshot.bucket(requirement.bucket).account

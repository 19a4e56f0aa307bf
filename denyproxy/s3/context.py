"""The request context of one requirement: every condition key present, absent or unknown.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from denyproxy.exchange import DeniedCall
from denyproxy.iam.context import RequestContext, Values
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.condition_keys import ActionKeys, keys_of_action
from denyproxy.s3.condition_values import RETENTION_DAYS_MARGIN, SIGNATURE_AGE_MARGIN
from denyproxy.s3.kms_context import CALLED_VIA, ENDPOINT_KEYS, forwarded_keys, kms_keys
from denyproxy.s3.principal_keys import (
    SERVICE_KEYS,
    SESSION_KEYS,
    principal_keys,
    principal_tags,
    service_keys,
    session_keys,
)
from denyproxy.s3.request import Caller, Requirement, Role, S3Request
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.s3.view import Family, Value, View, one

_MCP_KEYS = ("aws:calledviaawsmcp", "aws:viaawsmcpservice", "aws:ismcpserviceaction")


def request_context(
    requirement: Requirement, request: S3Request, caller: Caller, call: DeniedCall, snapshot: PolicySnapshot
) -> RequestContext:
    """The context in which S3 (or, for derived checks, KMS) authorizes one requirement of a call."""
    return Contexts(request, caller, call, snapshot).of(requirement)


class Contexts:
    """The contexts of all requirements of one call; what they have in common is derived once.

    What the call declares takes precedence over what is derived, and what it declares unknown over both."""

    def __init__(
        self,
        request: S3Request,
        caller: Caller,
        call: DeniedCall,
        snapshot: PolicySnapshot,
        only: Collection[str] | None = None,
    ) -> None:
        """`only`: the condition keys (lower case) that will be asked for; of S3's own no others are derived."""
        self._parts = (request, caller, call, snapshot)
        self._only = only
        self._families = None if only is None else {key.partition("/")[0] for key in only if "/" in key}
        self._declared: Mapping[str, Values | None] = _lower(call.declared.context)
        self._unknown: Mapping[str, Value] = dict.fromkeys(call.declared.unknown, UNKNOWN)
        self._common: _Context | None = None

    def of(self, requirement: Requirement) -> RequestContext:
        """The context of one requirement."""
        view = View(requirement, *self._parts)
        if self._common is None:
            self._common = _common(view, self._declared)
        context = self._common.copy()
        kms = requirement.role is Role.KMS
        context.put(_resource_keys(view))
        if kms:
            context.put(kms_keys(view))
        else:
            context.put(_direct_keys(view))
            context.put_all(CALLED_VIA, None)
        keys = keys_of_action(requirement.action.lower())
        context.put_headers(keys, view.request.headers)
        for key in keys.keys:
            if self._only is None or key.name in self._only:
                context.put_one(key.name, key.derive(view))
        for family in keys.families:
            if self._families is None or family.name in self._families:
                context.put_family(family.name, family.derive(view))
        if self._declared:
            context.state(self._declared)
        if kms:
            context.state(forwarded_keys(view, self._declared))
            context.state(_lower({name: (value,) for name, value in view.call.declared.kms_context.items()}))
        if self._unknown:
            context.state(self._unknown)
        return context.finish(view)


_V = TypeVar("_V")


def _lower(keys: Mapping[str, _V]) -> dict[str, _V]:
    """With the names in lower case."""
    return {name.lower(): value for name, value in keys.items()}


def _common(view: View, declared: Mapping[str, Values | None]) -> _Context:
    """What does not depend on the requirement."""
    context = _Context()
    context.put(principal_keys(view))
    context.put_all(SERVICE_KEYS, service_keys(view))
    context.put_all(SESSION_KEYS, session_keys(view))
    context.put_family("aws:principaltag", principal_tags(view))
    context.put(time_keys(view.request.time))
    context.put_all(_MCP_KEYS, None)
    _put_network_keys(context, view, declared)
    return context


class _Context:
    """A context in the making."""

    __slots__ = ("absent", "present", "unknown")

    def __init__(self) -> None:
        self.present: dict[str, Values] = {}
        self.unknown: set[str] = set()
        self.absent: set[str] = set()

    def copy(self) -> _Context:
        """To go on from."""
        other = _Context()
        other.present, other.unknown, other.absent = self.present.copy(), self.unknown.copy(), self.absent.copy()
        return other

    def put(self, keys: Mapping[str, Value]) -> None:
        """Keys in lower case that are not there yet."""
        for key, value in keys.items():
            if value is None:
                self.absent.add(key)
            elif value is UNKNOWN:
                self.unknown.add(key)
            else:
                self.present[key] = value

    def put_one(self, key: str, value: Value) -> None:
        """A key in lower case that is not there yet."""
        if value is None:
            self.absent.add(key)
        elif value is UNKNOWN:
            self.unknown.add(key)
        else:
            self.present[key] = value

    def put_all(self, keys: Iterable[str], value: Unknown | None) -> None:
        """Keys in lower case that are not there yet: all of them unknown, or all absent."""
        (self.absent if value is None else self.unknown).update(keys)

    def put_headers(self, keys: ActionKeys, headers: Mapping[str, str]) -> None:
        """The keys that are header fields as sent. Those that the action does not support are absent too."""
        sent = {keys.headers[name]: (value,) for name, value in headers.items() if name in keys.headers}
        self.present |= sent
        self.absent |= keys.others.difference(sent) if sent else keys.others

    def put_family(self, name: str, family: Family) -> None:
        """`name/member` for each member."""
        if family is UNKNOWN:
            self.unknown.add(f"{name}/*")
            return
        self.absent.add(f"{name}/*")
        if family:
            self.put({f"{name}/{member.lower()}": value for member, value in family.items()})

    def state(self, keys: Mapping[str, Value]) -> None:
        """Keys in lower case, whatever was derived for them."""
        for key in keys:
            self.present.pop(key, None)
            self.unknown.discard(key)
            self.absent.discard(key)
        self.put(keys)

    def finish(self, view: View) -> RequestContext:
        """As it is evaluated."""
        # A scenario's clocks are exact; a live call's are those of two machines.
        margin = {}
        if "s3:object-lock-remaining-retention-days" in self.present:
            margin["s3:object-lock-remaining-retention-days"] = RETENTION_DAYS_MARGIN
        if "s3:signatureage" in self.present and not view.closed:
            margin["s3:signatureage"] = SIGNATURE_AGE_MARGIN
        return RequestContext(
            present=self.present,
            unknown=frozenset(self.unknown),
            absent=frozenset(self.absent),
            open_world=not view.closed,
            margin=margin,
        )


def _resource_keys(view: View) -> Mapping[str, Value]:
    account = view.resource_account
    owner = view.snapshot.account(account)
    unknown = account is UNKNOWN and not view.closed
    return {
        "aws:resourceaccount": one(account),
        "aws:resourceorgid": UNKNOWN if unknown else one(owner.organization_id),
        "aws:resourceorgpaths": UNKNOWN if unknown else one(owner.organization_path),
    }


def time_keys(time: datetime | None) -> Mapping[str, Value]:
    """The clock, as conditions see it."""
    if time is None:
        return {"aws:currenttime": UNKNOWN, "aws:epochtime": UNKNOWN}
    return {
        "aws:currenttime": (time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),),
        "aws:epochtime": (str(int(time.timestamp())),),
    }


def _put_network_keys(context: _Context, view: View, declared: Mapping[str, Values | None]) -> None:
    """What only the network between caller and S3 knows, as far as something here tells it."""
    request = view.request
    through = request.vpc_endpoint is not None or any(declared.get(key) is not None for key in ENDPOINT_KEYS)
    elsewhere = view.call.upstream_kind != "aws" or declared.get("aws:sourceip") is not None
    direct = not through and (elsewhere or declared.get("aws:sourcevpce", ()) is None)
    context.put_all(ENDPOINT_KEYS, None if direct else view.unsaid)
    context.put({"aws:sourceip": None if through else view.unsaid})
    if request.vpc_endpoint is not None:
        context.state({"aws:sourcevpce": (request.vpc_endpoint,)})


def _direct_keys(view: View) -> Mapping[str, Value]:
    """Of a request that reaches S3 from the caller itself."""
    request, secure = view.request, view.call.secure
    transport: Value = one("true" if view.closed else UNKNOWN) if secure is None else (str(secure).lower(),)
    return {
        "aws:securetransport": transport,
        "aws:useragent": one(request.header("user-agent") or UNKNOWN),
        "aws:referer": one(request.header("referer")),
        "aws:requestedregion": _region(view),
        "aws:viaawsservice": ("false",),
        **({"iam:passedtoservice": ("s3.amazonaws.com",)} if view.requirement.action == "iam:PassRole" else {}),
    }


def _region(view: View) -> Value:
    """The region of the endpoint. The global endpoint may hand on to the bucket's own."""
    request = view.request
    if request.region is None:
        return UNKNOWN
    if request.global_endpoint and request.bucket is not None:
        region = view.snapshot.bucket(request.bucket).region
        if region is not UNKNOWN and region != request.region:
            return UNKNOWN
    return (request.region,)

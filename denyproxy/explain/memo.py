"""Denials that differ in nothing an explanation depends on: explained once, told for each of them.

Only what is plain is shared: AccessDenied for requests that are signed in a header or not at all, where no policy asks
for the time. What each denial has of its own (id, time, request id, the age of signature and policies) is its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b

from denyproxy.exchange import Declared, DeniedCall
from denyproxy.explain.assembly import policies_used
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.record import Told
from denyproxy.s3.condition_values import age_of_signature
from denyproxy.s3.context import time_keys
from denyproxy.s3.error import parse_error
from denyproxy.s3.form import is_form
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.sigv4.credential import CredentialKind, parse_credential
from denyproxy.sigv4.wire import SECRET_FIELDS

_VOLATILE = SECRET_FIELDS | {"amz-sdk-invocation-id", "amz-sdk-request", "date", "traceparent", "x-amz-date"}
"""Header fields of which only the presence matters; signature and times are looked at by themselves."""
_OF_ONE_RESPONSE = frozenset({"date", "x-amz-id-2", "x-amz-request-id"})
_OF_TIME = frozenset({"aws:currenttime", "aws:epochtime", "s3:signatureage"})
_SKEW = timedelta(minutes=10)
"""Within this no clock is to blame."""
_IDS = re.compile(rb"<(RequestId|HostId)>[^<]*</\1>")


class Memo:
    """An Explainer that remembers, for one snapshot at a time. Bounded: of more, the oldest are forgotten."""

    def __init__(self, explain: Explainer, size: int) -> None:
        self._explain = explain
        self._size = size
        self._of: tuple[PolicySnapshot, Declared] | None = None
        self._told: dict[bytes, Told] = {}
        self.hits = 0

    def __call__(self, call: DeniedCall, snapshot: PolicySnapshot, *, most_keys: int) -> Told | None:
        """As the Explainer. What is told again is a plain Told."""
        shape = shape_of(call) if self._size else None
        if shape is None:
            return self._explain(call, snapshot, most_keys=most_keys)
        if self._of is None or self._of[0] is not snapshot or self._of[1] is not call.declared:
            self._of = (snapshot, call.declared)
            self._told.clear()
        told = self._told.get(shape)
        if told is not None:
            self.hits += 1
            return told_again(told, call, snapshot)
        explained = self._explain(call, snapshot, most_keys=most_keys)
        if explained is not None and is_lasting(explained):
            if len(self._told) >= self._size:
                del self._told[next(iter(self._told))]
            self._told[shape] = Told(explained.explanation, explained.call, explained.own_account)
        return explained


def shape_of(call: DeniedCall) -> bytes | None:
    """A digest of all that the explanation depends on but for snapshot, declared facts and time. None: time matters."""
    response, head, declared = call.response, call.upstream_request, call.declared
    if response is None or response.status != 403 or call.refusal is not None:
        return None
    if call.sent is not None or declared.closed:
        return None
    credential = parse_credential(head)
    if credential.kind not in (CredentialKind.HEADER, CredentialKind.ANONYMOUS):
        return None
    signed = credential.signed_at
    if signed is not None and abs(call.received - signed) > _SKEW:
        return None
    if "xpires" in head.target or "retention" in head.target:
        return None
    parts = [call.request.method, head.method, head.target]
    for name, value in head.headers:
        lower = name.lower()
        if lower == "x-amz-copy-source" or lower.startswith("x-amz-object-lock-"):
            return None
        if lower == "content-type" and is_form(value):
            return None
        parts += (lower,) if lower in _VOLATILE else (lower, value)
    parts += (
        credential.access_key_id or "",
        credential.algorithm or "",
        credential.region or "",
        ";".join(credential.signed_headers or ("?",)),
        f"{signed is None} {credential.has_session_token} {call.secure} {call.client_address}",
        call.mode,
        repr(call.resigned),
        call.upstream_kind,
    )
    for name, value in response.headers:
        lower = name.lower()
        if lower not in _OF_ONE_RESPONSE:
            parts += (lower, value)
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    for body in (call.body, call.response_body):
        digest.update(b"-" if body is None else b"%d:" % len(body))
        digest.update(_IDS.sub(b"", body or b""))
    return digest.digest()


def is_lasting(explained: Explained) -> bool:
    """Is it the same at any other time?"""
    case, explanation = explained.case, explained.explanation
    if explanation.upstream.code not in (None, "AccessDenied"):
        return False
    if (explanation.bucket, explanation.key) in case.snapshot.objects:
        return False
    if any(name.lower() in _OF_TIME for name in case.call.declared.context):
        return False
    evidence = case.evidence
    return not any(key in _OF_TIME for policy in evidence.policies() for key in policy.keys)


def told_again(told: Told, call: DeniedCall, snapshot: PolicySnapshot) -> Told:
    """The same of another call of that shape."""
    assert call.response is not None
    error = parse_error(call.response, call.response_body, call.request.method)
    upstream = told.explanation.upstream.model_copy(update={"request_id": error.request_id})
    own = {
        "id": call.id,
        "time": call.received,
        "upstream": upstream,
        "policies": policies_used(call, snapshot),
    }
    context = {**told.call.context, **_times(call, told.call.context)}
    return Told(
        told.explanation.model_copy(update=own), told.call.model_copy(update={"context": context}), told.own_account
    )


def _times(call: DeniedCall, context: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The condition keys of time, as far as the context has them."""
    credential = parse_credential(call.upstream_request)
    age = age_of_signature(credential.algorithm, credential.signed_at, call.received)
    times = {**time_keys(call.received), "s3:signatureage": age}
    return {key: value for key, value in times.items() if key in context and isinstance(value, tuple)}

"""Facts of buckets and objects as a scenario writes them. What is not known is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.snapshot import AclGrant, BucketFacts, ObjectFacts, PolicySnapshot
from denyproxy.sigv4.wire import utc_text

Document = dict[str, Any]


def grants_state(grants: tuple[AclGrant, ...] | Unknown) -> list[Document]:
    """The grants of an ACL."""
    return [{"grantee": item.grantee, "permission": item.permission} for item in (() if grants is UNKNOWN else grants)]


def bucket_state(facts: BucketFacts) -> Document:
    """Facts of a bucket that are no policies."""
    state: Document = {}
    if isinstance(facts.request_payer, str):
        state["request_payer"] = facts.request_payer
    if isinstance(facts.default_encryption, str):
        state["default_encryption"] = {"algorithm": facts.default_encryption}
        if isinstance(facts.default_kms_key, str):
            state["default_encryption"]["kms_key_id"] = facts.default_kms_key
    if isinstance(facts.tags, Mapping) and facts.tags:
        state["tags"] = dict(facts.tags)
    if facts.abac is True:
        state["abac"] = True
    return state


def put_object(state: Document, member: str, snapshot: PolicySnapshot, place: tuple[str, str]) -> None:
    """Facts of a stored object; nothing, where none is known."""
    if place not in snapshot.objects:
        return
    facts = snapshot.objects[place]
    if facts is None:
        state[member] = None
    elif facts.exists is True:
        state[member] = _object_state(facts, snapshot)


def _object_state(facts: ObjectFacts, snapshot: PolicySnapshot) -> Document:
    state: Document = {}
    if isinstance(facts.sse, str):
        state["sse"] = facts.sse
    if isinstance(facts.kms_key, str):
        alias = facts.kms_key.startswith("alias/")
        arn = snapshot.kms_key(facts.kms_key).arn if alias else facts.kms_key
        state |= {} if arn is None else {"kms_key_id": arn}
        state |= {"kms_key_alias": facts.kms_key} if alias else {}
    if isinstance(facts.tags, Mapping) and facts.tags:
        state["tags"] = dict(facts.tags)
    for member, value in (("owner_account", facts.owner_account), ("storage_class", facts.storage_class)):
        if isinstance(value, str):
            state[member] = value
    for member, flag in (
        ("bucket_key", facts.bucket_key),
        ("restored", facts.restored),
        ("delete_marker", facts.delete_marker),
    ):
        if flag is True:
            state[member] = True
    lock: Document = {}
    if isinstance(facts.lock_mode, str):
        lock["mode"] = facts.lock_mode
    if isinstance(facts.retain_until, datetime):
        lock["retain_until"] = utc_text(facts.retain_until)
    if facts.legal_hold is True:
        lock["legal_hold"] = True
    return state | ({"lock": lock} if lock else {})

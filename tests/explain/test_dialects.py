"""Servers other than AWS: what is known to differ is said where the cause rests on it, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.s3.snapshot import PolicySnapshot
from tests.explain.test_explainer import ALICE, ALLOW_ALL, BUCKET, PLAIN, call, explain, head, policies, world

OBJECTS = "arn:aws:s3:::b/*"
DENY = {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": OBJECTS}
ALLOW = {"Sid": "Yes", "Effect": "Allow", "Action": "s3:*", "Resource": OBJECTS}
EVERYBODY = {"Principal": "*"}


def condition(operator: str, key: str, value: str) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def said(kind: str, identity: dict[str, Any], bucket: dict[str, Any] | None = None, **more: Any) -> str:
    facts = BUCKET if bucket is None else replace(BUCKET, policy=policies(bucket, name="bucket policy"))
    explanation = explain(call(upstream_kind=kind, **more), world(policies(identity), facts))
    assert explanation.notes[0].startswith("By AWS's rules")
    return " ".join(explanation.notes[1:])


@pytest.mark.parametrize(
    ("kind", "identity", "bucket", "words"),
    [
        ("ceph", {**DENY, "Resource": "arn:aws:s3:::*/k"}, None, "does not backtrack"),
        ("ceph", {**DENY, "Action": "s3:*Object"}, None, "does not backtrack"),
        ("ceph", {**ALLOW, "Resource": "arn:aws:s3:::*/k"}, None, "does not backtrack"),
        ("ceph", {**DENY, **condition("StringLike", "aws:username", "*ice")}, None, "does not backtrack"),
        ("ceph", {**DENY, **condition("StringNotEquals", "aws:Referer", "x")}, None, "negated condition"),
        ("ceph", {**ALLOW, **condition("StringNotEquals", "aws:Referer", "x")}, None, "negated condition"),
        ("ceph", ALLOW_ALL, {**DENY, **EVERYBODY, "Resource": "arn:aws:s3:::b/${aws:username}*"}, None),
        (
            "ceph",
            ALLOW_ALL,
            {**DENY, **EVERYBODY, **condition("StringEquals", "aws:username", "${aws:username}")},
            "does not replace them",
        ),
        (
            "ceph",
            ALLOW_ALL,
            {**DENY, **EVERYBODY, **condition("StringNotEquals", "aws:PrincipalArn", "x")},
            "Ceph RGW documents",
        ),
        ("minio", ALLOW_ALL, {**DENY, **EVERYBODY}, "anonymous requests only"),
        ("minio", {**ALLOW, "Action": "s3:PutObject"}, {**ALLOW, "Principal": {"AWS": ALICE}}, "anonymous"),
        ("minio", {**DENY, **condition("StringNotEquals", "aws:PrincipalArn", "x")}, None, "MinIO documents"),
        ("other", ALLOW_ALL, {**DENY, "NotPrincipal": {"AWS": "111122223333"}}, "MiniStack ignores it"),
        ("other", {**ALLOW, "Resource": "arn:aws:s3:::b/${aws:username}/*"}, None, "does not replace them"),
        ("other", {**DENY, **condition("StringLike", "s3:signatureversion", "AWS4*")}, None, "does not apply a Deny"),
        ("other", {**DENY, **condition("Bool", "aws:SecureTransport", "true")}, None, "moto ignores them"),
        (
            "other",
            {"Effect": "Deny", "NotAction": "s3:PutObject", "Resource": OBJECTS},
            None,
            "SeaweedFS does not enforce a Deny with NotAction",
        ),
        ("other", DENY, None, "only in a managed policy"),
        (
            "other",
            ALLOW_ALL,
            {**DENY, **EVERYBODY, **condition("StringEqualsIfExists", "aws:username", "alice")},
            "SeaweedFS refuses bucket policies with IfExists",
        ),
    ],
)
def test_a_difference_that_bears_on_the_cause_is_named(
    kind: str, identity: dict[str, Any], bucket: dict[str, Any] | None, words: str | None
) -> None:
    notes = said(kind, identity, bucket)
    if words is None:
        assert notes == ""
    else:
        assert words in notes


@pytest.mark.parametrize(
    ("kind", "identity", "bucket"),
    [
        ("ceph", DENY, None),
        ("ceph", {**DENY, **condition("StringEquals", "aws:username", "alice")}, None),
        ("ceph", {**DENY, **condition("StringNotEquals", "aws:username", "bob")}, None),
        ("ceph", {**DENY, **condition("StringNotEqualsIfExists", "aws:Referer", "x")}, None),
        ("ceph", {**ALLOW, "Resource": "arn:aws:s3:::*/other"}, None),
        ("ceph", ALLOW_ALL, {**DENY, **EVERYBODY, **condition("Bool", "aws:SecureTransport", "true")}),
        ("minio", DENY, None),
        ("minio", {**DENY, **condition("StringEquals", "aws:username", "alice")}, None),
        ("other", ALLOW_ALL, {**DENY, **EVERYBODY}),
        ("other", ALLOW_ALL, None),
        ("other", {**ALLOW, "Resource": "arn:aws:s3:::other/*"}, None),
        ("aws-like", DENY, None),
    ],
)
def test_nothing_is_said_where_the_server_decides_alike(
    kind: str, identity: dict[str, Any], bucket: dict[str, Any] | None
) -> None:
    assert said(kind, identity, bucket) == ""


def test_minio_applies_bucket_policies_to_anonymous_requests() -> None:
    assert said("minio", ALLOW_ALL, {**DENY, **EVERYBODY}, request=head(signed=False)) == ""


def test_ministack_never_hides_a_missing_key() -> None:
    unknown = replace(PLAIN, exists=PolicySnapshot().default_object.exists)
    facts = replace(world(policies({**ALLOW, "Action": "s3:GetObject"})), objects={("b", "k"): unknown})
    explanation = explain(call(upstream_kind="other"), facts)
    assert explanation.missing_key_possible
    assert any("MiniStack says 404" in note for note in explanation.notes)


def test_minio_has_no_acls() -> None:
    facts = replace(BUCKET, object_ownership="ObjectWriter", request_payer="Requester", account="444455556666")
    share = policies({**ALLOW, "Principal": {"AWS": ALICE}}, name="bucket policy")
    explanation = explain(call(upstream_kind="minio"), world(policies(ALLOW_ALL), replace(facts, policy=share)))
    assert explanation.cause is not None
    assert explanation.cause.layer == "requester-pays"
    assert any("does not implement" in note for note in explanation.notes)


def test_aws_has_no_dialect() -> None:
    explanation = explain(call(upstream_kind="aws"), world(policies({**DENY, "Resource": "arn:aws:s3:::*/k"}), BUCKET))
    assert explanation.notes == ()

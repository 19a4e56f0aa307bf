"""S3's own reasons for a 403 that are no policy's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.gates import refusals
from denyproxy.s3.request import Caller, CopySource, KnownBy, S3Request
from denyproxy.s3.snapshot import BlockPublicAccess, BucketFacts, ObjectFacts, PolicySnapshot

OWN, OTHER = "111122223333", "444455556666"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BUCKET = BucketFacts(
    name="b",
    account=OWN,
    block_public_access=BlockPublicAccess(),
    request_payer="BucketOwner",
    blocked_encryption_types=(),
    mfa_delete=False,
)
OBJECT = ObjectFacts(
    exists=True, storage_class="STANDARD", restored=False, lock_mode=None, retain_until=None, legal_hold=False
)
Held = list[tuple[str, str, Truth]]


def caller(account: str | None = OWN, kind: PrincipalType = PrincipalType.USER) -> Caller:
    principal = Principal(kind, f"arn:aws:iam::{account}:user/u", account) if account else ANONYMOUS
    return Caller(principal, KnownBy.ACCESS_KEYS, auth_type="REST-HEADER" if account else None)


def snapshot(bucket: BucketFacts = BUCKET, stored: ObjectFacts | None = OBJECT) -> PolicySnapshot:
    no_block = replace(PolicySnapshot().default_account, block_public_access=BlockPublicAccess())
    return PolicySnapshot(
        buckets={"b": bucket, "src": replace(bucket, name="src")},
        objects={("b", "k"): stored, ("src", "k"): stored},
        default_account=no_block,
    )


def get(**members: object) -> S3Request:
    return replace(S3Request("GetObject", "GET", bucket="b", key="k", time=NOW, signed_time=NOW), **members)  # type: ignore[arg-type]


def held(request: S3Request, who: Caller | None = None, facts: PolicySnapshot | None = None) -> Held:
    found = refusals(request, who or caller(), facts or snapshot())
    return [(refusal.layer, refusal.element, refusal.truth) for refusal in found]


def test_nothing_refuses_an_ordinary_read() -> None:
    assert held(get()) == []


@pytest.mark.parametrize(("minutes", "refused"), [(14, False), (15, False), (16, True), (-15, False), (-16, True)])
def test_the_clock_may_differ_by_fifteen_minutes(minutes: int, refused: bool) -> None:
    request = get(signed_time=NOW + timedelta(minutes=minutes))
    assert held(request) == ([("clock-skew", "date", Truth.YES)] if refused else [])


@pytest.mark.parametrize(("minutes", "refused"), [(15, False), (16, True), (-16, False)])
def test_a_presigned_url_is_not_valid_before_its_date(minutes: int, refused: bool) -> None:
    """https://github.com/minio/minio/issues/2638 has S3's answer."""
    query = (("X-Amz-Date", "20260101T120000Z"), ("X-Amz-Expires", "3600"))
    request = get(query=query, signed_time=NOW + timedelta(minutes=minutes))
    who = replace(caller(), auth_type="REST-QUERY-STRING")
    assert held(request, who) == ([("clock-skew", "date", Truth.YES)] if refused else [])


@pytest.mark.parametrize(("age", "refused"), [(59, False), (60, False), (61, True)])
def test_a_presigned_url_lives_for_its_seconds(age: int, refused: bool) -> None:
    request = get(query=(("X-Amz-Expires", "60"),), signed_time=NOW - timedelta(seconds=age))
    who = replace(caller(), auth_type="REST-QUERY-STRING")
    assert held(request, who) == ([("presigned-expired", "query:X-Amz-Expires", Truth.YES)] if refused else [])


@pytest.mark.parametrize(("left", "refused"), [(0, False), (-1, True)])
def test_a_url_of_signature_version_2_lives_until_its_expires(left: int, refused: bool) -> None:
    until = str(int(NOW.timestamp()) + left)
    request = get(query=(("AWSAccessKeyId", "AKIA"), ("Expires", until), ("Signature", "")), signed_time=None)
    who = replace(caller(), auth_type="REST-QUERY-STRING", signature_version="AWS")
    assert held(request, who) == ([("presigned-expired", "query:Expires", Truth.YES)] if refused else [])
    assert held(request) == []
    assert held(replace(request, query=(("Expires", "never"),)), who) == []


def test_an_old_presigned_url_is_not_a_skewed_clock() -> None:
    request = get(query=(("X-Amz-Expires", "604800"),), signed_time=NOW - timedelta(days=6))
    assert held(request, replace(caller(), auth_type="REST-QUERY-STRING")) == []


def test_amz_headers_must_be_signed_and_others_need_not() -> None:
    request = get(signed_headers=frozenset({"host"}), sent_headers=frozenset({"host", "x-amz-acl", "range"}))
    assert held(request) == [("headers-not-signed", "header:x-amz-acl", Truth.YES)]
    assert held(replace(request, signed_headers=frozenset({"host", "x-amz-acl"}))) == []
    assert held(replace(request, signed_headers=None)) == []


def test_the_expected_bucket_owner_must_own_the_bucket() -> None:
    element = "header:x-amz-expected-bucket-owner"
    assert held(get(headers={"x-amz-expected-bucket-owner": OWN})) == []
    wrong = get(headers={"x-amz-expected-bucket-owner": OTHER})
    assert held(wrong) == [("expected-bucket-owner", element, Truth.YES)]
    nobody_knows = snapshot(replace(BUCKET, account=UNKNOWN))
    assert ("expected-bucket-owner", element, Truth.UNKNOWN) in held(wrong, facts=nobody_knows)


def test_the_source_of_a_copy_has_an_expected_owner_of_its_own() -> None:
    copy = get(operation="CopyObject", method="PUT", copy_source=CopySource("src", "k"))
    wrong = replace(copy, headers={"x-amz-source-expected-bucket-owner": OTHER})
    assert held(wrong) == [("expected-bucket-owner", "header:x-amz-source-expected-bucket-owner", Truth.YES)]


PAYS = [("requester-pays", "header:x-amz-request-payer", Truth.YES)]


def test_others_than_the_owner_must_say_that_they_pay() -> None:
    facts = snapshot(replace(BUCKET, request_payer="Requester"))
    assert held(get(), caller(OTHER), facts) == PAYS
    assert held(get(), caller(OWN), facts) == []
    assert held(get(headers={"x-amz-request-payer": "requester"}), caller(OTHER), facts) == []
    assert held(get(query=(("x-amz-request-payer", "requester"),)), caller(OTHER), facts) == []


def test_anonymous_callers_cannot_pay() -> None:
    facts = snapshot(replace(BUCKET, request_payer="Requester"))
    assert held(get(headers={"x-amz-request-payer": "requester"}), caller(None), facts) == PAYS


def test_who_pays_may_not_be_known() -> None:
    facts = snapshot(replace(BUCKET, request_payer=UNKNOWN))
    assert held(get(), caller(OTHER), facts) == [("requester-pays", "header:x-amz-request-payer", Truth.UNKNOWN)]
    assert held(get(), caller(OWN), facts) == []


def test_a_public_acl_is_blocked() -> None:
    blocked = snapshot(replace(BUCKET, block_public_access=BlockPublicAccess(block_public_acls=True)))
    put = get(operation="PutObject", method="PUT", headers={"x-amz-acl": "public-read"})
    assert held(put, facts=blocked) == [("block-public-access", "setting:BlockPublicAcls", Truth.YES)]
    assert held(put) == []
    assert held(replace(put, headers={"x-amz-acl": "private"}), facts=blocked) == []


def test_the_accounts_setting_blocks_as_well() -> None:
    facts = snapshot()
    account = replace(facts.default_account, block_public_access=BlockPublicAccess(block_public_acls=True))
    put = get(operation="PutObject", method="PUT", headers={"x-amz-acl": "public-read"})
    found = held(put, facts=replace(facts, default_account=account))
    assert found == [("block-public-access", "setting:BlockPublicAcls", Truth.YES)]


PUBLIC = (
    b'{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}'
)
PRIVATE = PUBLIC.replace(b'"*", "Action"', b'{"AWS": "111122223333"}, "Action"')


@pytest.mark.parametrize(("body", "truth"), [(PUBLIC, Truth.YES), (PRIVATE, None), (None, Truth.UNKNOWN)])
def test_a_public_policy_is_blocked(body: bytes | None, truth: Truth | None) -> None:
    blocked = snapshot(replace(BUCKET, block_public_access=BlockPublicAccess(block_public_policy=True)))
    request = S3Request("PutBucketPolicy", "PUT", bucket="b", body=body, time=NOW)
    expected = [] if truth is None else [("block-public-access", "setting:BlockPublicPolicy", truth)]
    assert held(request, facts=blocked) == expected
    assert held(request) == []


def test_uploads_with_customer_keys_may_be_blocked() -> None:
    name = "x-amz-server-side-encryption-customer-algorithm"
    put = get(operation="PutObject", method="PUT", headers={name: "AES256"})
    blocked = snapshot(replace(BUCKET, blocked_encryption_types=("SSE-C",)))
    assert held(put, facts=blocked) == [("sse-c-blocked", "setting:BlockedEncryptionTypes", Truth.YES)]
    assert held(put) == []
    assert held(get(headers={name: "AES256"}), facts=blocked) == []


@pytest.mark.parametrize(
    ("storage_class", "restored", "truth"),
    [
        ("GLACIER", False, Truth.YES),
        ("DEEP_ARCHIVE", False, Truth.YES),
        ("GLACIER", True, None),
        ("GLACIER_IR", False, None),
        ("STANDARD_IA", False, None),
        ("GLACIER", UNKNOWN, Truth.UNKNOWN),
        (UNKNOWN, UNKNOWN, Truth.UNKNOWN),
    ],
)
def test_archived_objects_must_be_restored(storage_class: str, restored: bool, truth: Truth | None) -> None:
    facts = snapshot(stored=replace(OBJECT, storage_class=storage_class, restored=restored))
    expected = [] if truth is None else [("archived-object", "state:storage-class", truth)]
    assert held(get(), facts=facts) == expected
    copy = get(operation="CopyObject", method="PUT", copy_source=CopySource("src", "k"))
    assert held(copy, facts=facts) == expected
    assert held(get(operation="HeadObject", method="HEAD"), facts=facts) == []


def delete(**members: object) -> S3Request:
    return get(operation="DeleteObject", method="DELETE", query=(("versionId", "v"),), **members)


RETAINED = [("object-lock", "state:retention", Truth.YES)]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_retained_version_is_not_deleted(mode: str) -> None:
    locked = snapshot(stored=replace(OBJECT, lock_mode=mode, retain_until=NOW + timedelta(days=1)))
    assert held(delete(), facts=locked) == RETAINED
    bypass = delete(headers={"x-amz-bypass-governance-retention": "true"})
    assert held(bypass, facts=locked) == ([] if mode == "GOVERNANCE" else RETAINED)
    assert held(get(operation="DeleteObject", method="DELETE"), facts=locked) == []


UNTIL = NOW + timedelta(days=10)


@pytest.mark.parametrize(
    ("mode", "wanted", "days", "bypass", "truth"),
    [
        ("COMPLIANCE", "COMPLIANCE", 9, False, Truth.YES),
        ("COMPLIANCE", "COMPLIANCE", 9, True, Truth.YES),
        ("COMPLIANCE", "COMPLIANCE", 11, False, None),
        ("COMPLIANCE", "GOVERNANCE", 11, False, Truth.YES),
        ("GOVERNANCE", "GOVERNANCE", 9, False, Truth.YES),
        ("GOVERNANCE", "GOVERNANCE", 9, True, None),
        ("GOVERNANCE", "GOVERNANCE", 11, False, None),
        ("GOVERNANCE", "COMPLIANCE", 11, False, Truth.UNKNOWN),
        ("GOVERNANCE", None, None, False, Truth.YES),
    ],
)
def test_a_running_retention_can_only_be_made_longer(
    mode: str, wanted: str | None, days: int | None, bypass: bool, truth: Truth | None
) -> None:
    body = "<Retention/>"
    if days is not None:
        date = (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = f"<Retention><Mode>{wanted}</Mode><RetainUntilDate>{date}</RetainUntilDate></Retention>"
    request = get(operation="PutObjectRetention", method="PUT", body=body.encode())
    if bypass:
        request = replace(request, headers={"x-amz-bypass-governance-retention": "true"})
    locked = snapshot(stored=replace(OBJECT, lock_mode=mode, retain_until=UNTIL))
    assert held(request, facts=locked) == ([] if truth is None else [("object-lock", "state:retention", truth)])
    assert held(request, facts=snapshot()) == []
    over = snapshot(stored=replace(OBJECT, lock_mode=mode, retain_until=NOW - timedelta(days=1)))
    assert held(request, facts=over) == []


def test_what_a_new_retention_is_may_not_be_known() -> None:
    locked = snapshot(stored=replace(OBJECT, lock_mode="COMPLIANCE", retain_until=UNTIL))
    request = get(operation="PutObjectRetention", method="PUT")
    assert held(request, facts=locked) == [("object-lock", "state:retention", Truth.UNKNOWN)]
    hidden = snapshot(stored=replace(OBJECT, lock_mode=UNKNOWN, retain_until=UNKNOWN))
    assert held(request, facts=hidden) == [("object-lock", "state:retention", Truth.UNKNOWN)]
    assert held(request, facts=snapshot(stored=None)) == []


def test_retention_ends() -> None:
    locked = snapshot(stored=replace(OBJECT, lock_mode="COMPLIANCE", retain_until=NOW - timedelta(seconds=1)))
    assert held(delete(), facts=locked) == []


def test_a_legal_hold_cannot_be_bypassed() -> None:
    locked = snapshot(stored=replace(OBJECT, legal_hold=True))
    bypass = delete(headers={"x-amz-bypass-governance-retention": "true"})
    assert held(bypass, facts=locked) == [("object-lock", "state:legal-hold", Truth.YES)]


def test_mfa_delete_is_for_root_with_a_code() -> None:
    facts = snapshot(replace(BUCKET, mfa_delete=True))
    refused = [("mfa-delete", "header:x-amz-mfa", Truth.YES)]
    with_code = delete(headers={"x-amz-mfa": "serial code"})
    root = caller(OWN, PrincipalType.ROOT)
    assert held(delete(), facts=facts) == refused
    assert held(with_code, facts=facts) == refused
    assert held(delete(), root, facts) == refused
    assert held(with_code, root, facts) == []
    assert held(S3Request("PutBucketVersioning", "PUT", bucket="b", time=NOW), facts=facts) == refused

"""A call as a scenario: explained again, the export gives the same cause, and it holds no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from denyproxy.exchange import Declared, DeniedCall
from denyproxy.explain.explainer import Explained
from denyproxy.explain.export import scenario_of
from denyproxy.explain.model import Explanation
from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.snapshot import (
    AccessPointFacts,
    AccountFacts,
    BlockPublicAccess,
    KmsKeyFacts,
    ObjectFacts,
    PolicySnapshot,
    PrincipalFacts,
)
from tests.explain.remedied import SCENARIOS, SCHEMA, explained
from tests.explain.test_explainer import (
    ALICE,
    ALLOW_ALL,
    BUCKET,
    EXPLAINER,
    PLAIN,
    READ_ONLY,
    VPCE_DENY,
    call,
    head,
    policies,
    world,
)

NO_SCENARIO = {"cors-b01", "sig-f06", "ol-d01"}
"""Preflight requests, which are no operation; an Object Lambda access point, which has no place in a scenario."""
COMPARED_WITH_THE_WIRE = {"sig-b01", "sig-b02", "sig-b04", "sig-f09", "sig-f10", "sig-f11", "sig-f12", "sig-i02"}
"""Which line of a canonical request differs is not kept (they hold session tokens), nor which fields were signed."""


def exported(found: Explained) -> dict[str, Any]:
    document = scenario_of(found.case)
    assert document is not None
    document = dict(json.loads(json.dumps(document)))
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    return document


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in NO_SCENARIO])
def test_a_scenario_comes_back(name: str) -> None:
    before = explained(SCENARIOS[name])
    after = explained(exported(before)).explanation
    # The sentence quotes what is actual.
    left_out = {"actual": None, "sentence": ""}
    shown = before.explanation.cause and before.explanation.cause.model_copy(update=left_out)
    again = after.cause and after.cause.model_copy(update=left_out)
    assert again == shown or name in COMPARED_WITH_THE_WIRE
    assert (after.verdict, after.certain) == (before.explanation.verdict, before.explanation.certain)
    assert after.authorization == before.explanation.authorization
    assert after.also_blocking == before.explanation.also_blocking


def live(denied: DeniedCall, snapshot: PolicySnapshot) -> tuple[Explanation, dict[str, Any]]:
    found = EXPLAINER(denied, snapshot)
    assert found is not None
    return found.explanation, exported(found)


def same(denied: DeniedCall, snapshot: PolicySnapshot) -> dict[str, Any]:
    """The export of a live call, which has the same verdict and cause."""
    before, document = live(denied, snapshot)
    after = explained(document).explanation
    assert (after.verdict, after.certain, after.cause) == (before.verdict, before.certain, before.cause)
    assert after.authorization == before.authorization
    return document


def test_a_live_call_with_all_that_bears_on_it() -> None:
    deny = {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    bucket = replace(BUCKET, policy=policies(deny, name="bucket policy"))
    document = same(
        call(head("GET", "/b/k", ("x-amz-expected-bucket-owner", "111122223333"))), world(PolicyList(), bucket)
    )
    request = document["request"]
    assert (request["operation"], request["bucket"], request["key"]) == ("GetObject", "b", "k")
    assert (request["principal"], request["principal_account"]) == (ALICE, "111122223333")
    assert request["resource_account"] == "111122223333"
    assert request["headers"] == {"x-amz-expected-bucket-owner": "111122223333"}
    assert document["policies"]["bucket_policy"]["Statement"] == [deny]
    assert document["response"]["code"] == "AccessDenied"


def test_what_is_not_loaded_is_listed_as_unknown() -> None:
    snapshot = world(policies(ALLOW_ALL), replace(BUCKET, policy=UNKNOWN_POLICIES, object_ownership=UNKNOWN))
    snapshot = replace(
        snapshot,
        accounts={"111122223333": AccountFacts("111122223333", rcp=None)},
        principals={ALICE: PrincipalFacts(ALICE, identity=PolicyList((), complete=False), boundary=None, session=None)},
    )
    document = same(call(), snapshot)
    assert set(document["unknown"]) == {"identity", "bucket-policy", "scp", "acl", "block-public-access"}


def test_policies_of_a_layer_that_is_known_in_part_are_kept() -> None:
    partly = PolicyList(policies(READ_ONLY).policies, complete=False)
    snapshot = world(PolicyList())
    facts = replace(snapshot.principals[ALICE], identity=partly)
    document = same(call(head("PUT")), replace(snapshot, principals={ALICE: facts}))
    assert document["unknown"] == ["identity"]
    assert [policy["name"] for policy in document["policies"]["identity"]] == ["policy"]


def test_condition_keys_that_only_the_live_call_knows() -> None:
    statement = {
        **ALLOW_ALL,
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": "o-other", "aws:PrincipalTag/team": "blue"},
            "StringNotEquals": {"aws:SourceVpce": "vpce-9"},
        },
    }
    snapshot = world(policies(statement))
    facts = replace(snapshot.principals[ALICE], tags={"team": "red"})
    account = replace(snapshot.accounts["111122223333"], organization_id="o-mine")
    snapshot = replace(snapshot, principals={ALICE: facts}, accounts={"111122223333": account})
    document = same(call(), snapshot)
    assert document["request"]["context"] == {"aws:principalorgid": "o-mine", "aws:principaltag/team": "red"}


def test_condition_keys_that_nobody_knows() -> None:
    bucket = replace(BUCKET, policy=policies(VPCE_DENY, name="bucket policy"))
    snapshot = replace(world(policies(ALLOW_ALL), bucket), vpc_endpoint=None)
    document = same(call(declared=Declared()), snapshot)
    assert document["unknown"] == ["aws:sourcevpce"]


def test_headers_stay_what_condition_keys_are_derived_from() -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
    }
    bucket = replace(BUCKET, policy=policies(deny, name="bucket policy"))
    put = head("PUT", "/b/new", ("X-Amz-Server-Side-Encryption", "AES256"))
    document = same(call(put), world(policies(ALLOW_ALL), bucket))
    assert document["request"]["headers"] == {"x-amz-server-side-encryption": "AES256"}
    assert document["request"]["context"] == {}


def test_a_presigned_url_without_its_signature() -> None:
    target = (
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260501%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20260501T110000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=5ec2e7"
        "&X-Amz-Security-Token=t0ken"
    )
    denied = call(head("GET", target, signed=False), message="Request has expired")
    document = same(denied, world(policies(ALLOW_ALL)))
    assert document["request"]["query"]["X-Amz-Expires"] == "60"
    assert document["response"]["time"] == "2026-05-01T12:00:00Z"


SECRETS = ("5ec2e7", "t0ken", "k3y", "a" * 64)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/b/k", [["Authorization", "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl"]]),
        ("/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1777640400&Signature=c2lnbmF0dXJl", []),
    ],
)
def test_how_a_scenario_was_signed_stays_known_without_its_signature(target: str, headers: list[list[str]]) -> None:
    deny = {
        "Sid": "NoV2",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"s3:signatureversion": "AWS"}},
    }
    document = {
        "request": {
            "raw": {"method": "GET", "target": target, "headers": [["Host", "s3.us-east-1.amazonaws.com"], *headers]},
            "region": "us-east-1",
            "principal": ALICE,
            "principal_account": "111122223333",
            "resource_account": "111122223333",
        },
        "policies": {"bucket_policy": {"Version": "2012-10-17", "Statement": [deny]}},
        "response": {"status": 403, "code": "AccessDenied", "message": "Access Denied", "time": "2026-05-01T12:00:05Z"},
    }
    before = explained(document)
    again = exported(before)
    assert again["request"]["context"] == {"s3:signatureversion": "AWS"}
    assert explained(again).explanation.summary == before.explanation.summary


def test_no_secret_is_exported() -> None:
    request = head(
        "PUT",
        "/b/k?X-Amz-Signature=5ec2e7&Signature=5ec2e7",
        ("x-amz-security-token", "t0ken"),
        ("x-amz-server-side-encryption-customer-key", "k3y"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("Cookie", "k3y"),
    )
    _, document = live(call(request), world(PolicyList()))
    text = json.dumps(document)
    assert not any(secret in text for secret in SECRETS)
    assert document["request"]["headers"] == {"x-amz-server-side-encryption-customer-algorithm": "AES256"}


@pytest.mark.parametrize(
    ("target", "content_type"),
    [("/b", "multipart/form-data; boundary=x"), ("/b?delete", "multipart/form-data; boundary=x"), ("/b?delete", "x/y")],
)
def test_a_form_is_left_out_whatever_the_head_says(target: str, content_type: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="x-amz-signature"\r\n\r\nk3y\r\n--x--\r\n'
    request = head("POST", target, ("Content-Type", content_type))
    _, document = live(call(request, body=body), world(PolicyList()))
    assert "body" not in document["request"]


def test_an_access_point_and_its_policy() -> None:
    arn = "arn:aws:s3:us-east-1:111122223333:accesspoint/ap"
    point = AccessPointFacts(
        arn, "ap", "b", "111122223333", policy=PolicyList(), block_public_access=BlockPublicAccess()
    )
    point = replace(point, vpc=None)
    snapshot = world(policies(READ_ONLY), access_points={arn: point})
    request = replace(head(), target="/k")
    request = replace(
        request, headers=(("Host", "ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com"), *request.headers[1:])
    )
    document = same(call(request), snapshot)
    assert document["request"]["bucket"] == arn
    assert document["policies"]["access_point"] == {"name": "ap", "arn": arn, "bucket": "b", "policy": None}


def test_the_key_of_an_encrypted_object() -> None:
    arn = "arn:aws:kms:us-east-1:111122223333:key/1"
    root = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}
    key = KmsKeyFacts(arn, "111122223333", policies(root, name="KMS key policy"))
    stored = replace(PLAIN, sse="aws:kms", kms_key=arn, bucket_key=False)
    snapshot = world(policies(READ_ONLY), objects={("b", "k"): stored}, kms_keys={arn: key})
    document = same(call(), snapshot)
    assert document["resource_state"]["object"]["kms_key_id"] == arn
    assert document["resource_state"]["kms"] == {"account": "111122223333"}
    assert document["policies"]["kms_key_policy"]["Statement"] == [root]


def test_a_deleted_key() -> None:
    document = same(call(), world(policies(READ_ONLY), objects={("b", "k"): None}))
    assert document["resource_state"]["object"] is None


def test_a_locked_version() -> None:
    stored = replace(PLAIN, lock_mode="COMPLIANCE", retain_until=call().received.replace(year=2030), legal_hold=False)
    request = head("DELETE", "/b/k?versionId=v1")
    document = same(
        call(request, message="Access Denied because object protected by object lock."),
        world(policies(ALLOW_ALL), objects={("b", "k"): stored}),
    )
    assert document["resource_state"]["object"]["lock"] == {
        "mode": "COMPLIANCE",
        "retain_until": "2030-05-01T12:00:00Z",
    }


COPY = ("x-amz-copy-source", "/source/k")


@pytest.mark.parametrize(
    ("denied", "change"),
    [
        (call(), {"access_keys": {}}),
        (call(head("OPTIONS", "/b/k")), {}),
        (call(head("PUT", "/b/k", COPY)), {}),
    ],
    ids=["unknown caller", "no operation", "two buckets"],
)
def test_what_the_format_has_no_place_for(denied: DeniedCall, change: dict[str, Any]) -> None:
    found = EXPLAINER(denied, replace(world(PolicyList()), **change))
    assert found is not None
    assert scenario_of(found.case) is None


def test_a_copy_from_a_bucket_that_has_no_policies() -> None:
    snapshot = world(PolicyList(), buckets={"b": BUCKET, "source": replace(BUCKET, name="source")})
    objects = {("b", "k"): PLAIN, ("source", "k"): ObjectFacts(**{**_members(PLAIN), "tags": {"a": "1"}})}
    document = same(call(head("PUT", "/b/k", COPY)), replace(snapshot, objects=objects))
    assert document["resource_state"]["source_object"]["tags"] == {"a": "1"}


def _members(facts: ObjectFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def test_a_record_can_carry_its_scenario() -> None:
    found = EXPLAINER(call(), world(PolicyList()))
    assert found is not None
    assert json.loads(found.record.to_json())["scenario"] is None
    carried = json.loads(found.record_with_scenario.to_json())["scenario"]
    assert explained(carried).explanation.cause == found.explanation.cause

"""What bucket and access point files tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.snapshot import (
    UNKNOWN_BLOCK_PUBLIC_ACCESS,
    AclGrant,
    BlockPublicAccess,
    BucketFacts,
    PolicySnapshot,
)
from tests.policies.build import BROKEN_RESOURCE, resource_document, snapshot

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
AP = "arn:aws:s3:eu-west-1:111122223333:accesspoint/example-ap"


def load(content: Any) -> PolicySnapshot:
    return snapshot({"buckets/amzn-s3-demo-bucket.json": content})


def facts(content: Any) -> BucketFacts:
    made = load(content)
    assert made.problems == ()
    return made.buckets["amzn-s3-demo-bucket"]


def fact(name: str, content: Any) -> Any:
    return getattr(facts(content), name)


def test_what_is_not_there_is_unknown() -> None:
    assert facts({}) == BucketFacts("amzn-s3-demo-bucket")
    assert BucketFacts("b").policy == UNKNOWN_POLICIES


@pytest.mark.parametrize("empty", [b"", b"null", b" \n"])
def test_an_empty_file_or_null_says_none_of_all(empty: bytes) -> None:
    assert facts(empty) == BucketFacts(
        "amzn-s3-demo-bucket",
        policy=PolicyList(),
        policy_is_public=False,
        block_public_access=BlockPublicAccess(False, False, False, False),
        object_ownership="ObjectWriter",
        grants=(),
        request_payer="BucketOwner",
        default_encryption=None,
        default_kms_key=None,
        bucket_key=False,
        blocked_encryption_types=(),
        versioning=None,
        mfa_delete=False,
        tags={},
        abac=False,
        object_lock=False,
    )


@pytest.mark.parametrize("policy", [None, ""])
def test_no_policy(policy: Any) -> None:
    assert fact("policy", {"Policy": policy}) == PolicyList()


def test_policy_as_document_and_as_text() -> None:
    for policy in (resource_document("Here"), json.dumps(resource_document("Here"))):
        (found,) = fact("policy", {"Policy": policy}).policies
        assert (found.name, found.arn, found.document) == ("bucket policy", None, resource_document("Here"))


@pytest.mark.parametrize(
    ("member", "value", "name", "expected"),
    [
        ("Account", "111122223333", "account", "111122223333"),
        ("Account", None, "account", UNKNOWN),
        ("Region", "eu-central-1", "region", "eu-central-1"),
        ("LocationConstraint", None, "region", "us-east-1"),
        ("LocationConstraint", "EU", "region", "eu-west-1"),
        ("LocationConstraint", "eu-north-1", "region", "eu-north-1"),
        ("PolicyStatus", {"IsPublic": True}, "policy_is_public", True),
        ("PolicyStatus", {"IsPublic": False}, "policy_is_public", False),
        (
            "OwnershipControls",
            {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "object_ownership",
            "BucketOwnerEnforced",
        ),
        ("OwnershipControls", None, "object_ownership", "ObjectWriter"),
        ("RequestPayment", {"Payer": "Requester"}, "request_payer", "Requester"),
        ("Payer", "Requester", "request_payer", "Requester"),
        ("Versioning", {"Status": "Enabled"}, "versioning", "Enabled"),
        ("Versioning", {"Status": "Suspended"}, "versioning", "Suspended"),
        ("Versioning", {}, "versioning", None),
        ("Versioning", {"Status": "Enabled", "MFADelete": "Enabled"}, "mfa_delete", True),
        ("Versioning", {"Status": "Enabled", "MFADelete": "Disabled"}, "mfa_delete", False),
        ("Versioning", {"Status": "Enabled"}, "mfa_delete", False),
        ("Tags", [{"Key": "a", "Value": "b"}], "tags", {"a": "b"}),
        ("Tags", {"TagSet": [{"Key": "a", "Value": "b"}]}, "tags", {"a": "b"}),
        ("TagSet", [{"Key": "a", "Value": "b"}], "tags", {"a": "b"}),
        ("Tags", [], "tags", {}),
        ("AbacStatus", {"Status": "Enabled"}, "abac", True),
        ("AbacStatus", {"Status": "Disabled"}, "abac", False),
        ("ObjectLock", {"ObjectLockEnabled": "Enabled"}, "object_lock", True),
        ("ObjectLock", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}, "object_lock", True),
        ("ObjectLockConfiguration", {"ObjectLockEnabled": "Enabled"}, "object_lock", True),
        ("ObjectLock", None, "object_lock", False),
    ],
)
def test_member(member: str, value: Any, name: str, expected: Any) -> None:
    assert fact(name, {member: value}) == expected


def test_block_public_access_flag_by_flag() -> None:
    told = {"BlockPublicAcls": True, "RestrictPublicBuckets": False}
    assert fact("block_public_access", {"PublicAccessBlockConfiguration": told}) == BlockPublicAccess(
        block_public_acls=True,
        ignore_public_acls=UNKNOWN,
        block_public_policy=UNKNOWN,
        restrict_public_buckets=False,
    )
    other = {"IgnorePublicAcls": True, "BlockPublicPolicy": False}
    assert fact("block_public_access", {"PublicAccessBlockConfiguration": other}) == BlockPublicAccess(
        UNKNOWN, True, False, UNKNOWN
    )
    assert fact("block_public_access", {"PublicAccessBlockConfiguration": None}) == BlockPublicAccess()


def encryption(**rule: Any) -> dict[str, Any]:
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def test_default_encryption() -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    with_key = facts(
        encryption(
            ApplyServerSideEncryptionByDefault={"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            BucketKeyEnabled=True,
            BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]},
        )
    )
    assert (with_key.default_encryption, with_key.default_kms_key, with_key.bucket_key) == ("aws:kms", key, True)
    assert with_key.blocked_encryption_types == ("SSE-C",)
    plain = facts(encryption(ApplyServerSideEncryptionByDefault={"SSEAlgorithm": "AES256"}))
    assert (plain.default_encryption, plain.default_kms_key, plain.bucket_key) == ("AES256", None, False)


def test_blocked_encryption_types_that_an_older_client_did_not_write_are_unknown() -> None:
    default = {"SSEAlgorithm": "AES256"}
    assert fact("blocked_encryption_types", encryption(ApplyServerSideEncryptionByDefault=default)) is UNKNOWN
    none = encryption(BlockedEncryptionTypes={"EncryptionType": ["NONE"]})
    assert fact("blocked_encryption_types", none) == ()


def grant(permission: str, **grantee: str) -> dict[str, Any]:
    return {"Grantee": grantee, "Permission": permission}


def test_acl() -> None:
    grants = [
        grant("FULL_CONTROL", Type="CanonicalUser", ID=OWNER),
        grant("READ", Type="Group", URI="http://acs.amazonaws.com/groups/global/AllUsers"),
        grant("WRITE", Type="Group", URI="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"),
        grant("READ_ACP", Type="Group", URI="http://acs.amazonaws.com/groups/s3/LogDelivery"),
    ]
    expected = (
        AclGrant(OWNER, "FULL_CONTROL"),
        AclGrant("AllUsers", "READ"),
        AclGrant("AuthenticatedUsers", "WRITE"),
        AclGrant("LogDelivery", "READ_ACP"),
    )
    assert fact("grants", {"Acl": {"Owner": {"ID": OWNER}, "Grants": grants}}) == expected
    assert fact("grants", {"Owner": {"ID": OWNER}, "Grants": grants}) == expected
    assert fact("grants", {"Acl": None}) == ()


@pytest.mark.parametrize(
    ("content", "place", "name"),
    [
        ({"Policy": BROKEN_RESOURCE}, "Policy.Statement[1].Effect", "policy"),
        ({"Policy": "{"}, "Policy", "policy"),
        ({"Policy": 7}, "Policy", "policy"),
        ({"Policy": []}, "Policy", "policy"),
        ({"PolicyStatus": {"IsPublic": "false"}}, "PolicyStatus.IsPublic", "policy_is_public"),
        ({"PolicyStatus": {}}, "PolicyStatus.IsPublic", "policy_is_public"),
        ({"OwnershipControls": {"Rules": []}}, "OwnershipControls.Rules", "object_ownership"),
        (
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "Mine"}]}},
            "OwnershipControls.Rules[0].ObjectOwnership",
            "object_ownership",
        ),
        ({"Acl": {"Grants": [grant("READ")]}}, "Acl.Grants[0].Grantee", "grants"),
        ({"Acl": {"Grants": [grant("LOOK", ID=OWNER)]}}, "Acl.Grants[0].Permission", "grants"),
        ({"Acl": {"Owner": {"ID": OWNER}}}, "Acl.Grants", "grants"),
        ({"RequestPayment": {"Payer": "me"}}, "RequestPayment.Payer", "request_payer"),
        ({"Payer": "me"}, "Payer", "request_payer"),
        ({"Versioning": {"Status": True}}, "Versioning.Status", "versioning"),
        ({"Versioning": {"MFADelete": "On"}}, "Versioning.MFADelete", "mfa_delete"),
        ({"Tags": [{"Key": "k"}]}, "Tags[0].Value", "tags"),
        ({"AbacStatus": "Enabled"}, "AbacStatus", "abac"),
        ({"ObjectLock": {"ObjectLockEnabled": True}}, "ObjectLock.ObjectLockEnabled", "object_lock"),
        ({"ServerSideEncryptionConfiguration": {}}, "ServerSideEncryptionConfiguration.Rules", "default_encryption"),
        ({"Account": 111122223333}, "Account", "account"),
        ({"Region": 1}, "Region", "region"),
    ],
)
def test_a_broken_member_is_named_and_unknown_and_the_rest_is_used(content: Any, place: str, name: str) -> None:
    rest = {"Region": "eu-west-1"} if name != "region" else {"Account": "1"}
    made = load(content | rest)
    found = made.buckets["amzn-s3-demo-bucket"]
    assert getattr(found, name) == getattr(BucketFacts(), name)
    assert (found.region, found.account) == (rest.get("Region", UNKNOWN), rest.get("Account", UNKNOWN))
    assert [(problem.file, problem.place) for problem in made.problems] == [("buckets/amzn-s3-demo-bucket.json", place)]
    assert "aws s3api" in made.problems[0].message


def test_broken_block_public_access_is_unknown_as_a_whole() -> None:
    made = load({"PublicAccessBlockConfiguration": {"BlockPublicAcls": "yes", "IgnorePublicAcls": True}})
    assert made.buckets["amzn-s3-demo-bucket"].block_public_access == UNKNOWN_BLOCK_PUBLIC_ACCESS
    assert made.problems[0].place == "PublicAccessBlockConfiguration.BlockPublicAcls"


def test_a_file_that_is_not_json_leaves_its_bucket_unknown() -> None:
    made = load(b'{"Policy": null,\n "Region": oops}')
    assert made.buckets == {}
    assert made.bucket("amzn-s3-demo-bucket") == BucketFacts("amzn-s3-demo-bucket")
    assert made.problems[0].place == "line 2, column 12"


def test_a_file_that_is_no_object_leaves_its_bucket_unknown() -> None:
    made = load([1])
    assert made.bucket("amzn-s3-demo-bucket") == BucketFacts("amzn-s3-demo-bucket")
    assert [problem.place for problem in made.problems] == [""]


def test_a_file_named_after_another_bucket_tells_of_neither() -> None:
    made = snapshot({"buckets/one.json": {"Bucket": "two", "Policy": None}})
    assert made.buckets == {}
    assert made.problems[0].place == "Bucket"
    assert "one" in made.problems[0].message
    assert "two" in made.problems[0].message


def test_dots_in_bucket_names() -> None:
    assert set(snapshot({"buckets/my.bucket.json": {"Bucket": "my.bucket"}}).buckets) == {"my.bucket"}


def access_point(**more: Any) -> dict[str, Any]:
    answer = {
        "AccessPointArn": AP,
        "Name": "example-ap",
        "Bucket": "amzn-s3-demo-bucket",
        "Alias": "example-ap-s3alias",
    }
    return answer | more


def test_access_point_by_arn_and_alias() -> None:
    made = snapshot(
        {
            "access-points/any.json": access_point(
                NetworkOrigin="VPC",
                VpcConfiguration={"VpcId": "vpc-1a2b3c4d"},
                Policy=resource_document("Ap"),
                PolicyStatus={"IsPublic": False},
                PublicAccessBlockConfiguration=None,
            )
        }
    )
    found = made.access_points[AP]
    assert made.access_points["example-ap-s3alias"] is found
    assert (found.arn, found.name, found.bucket, found.account) == (
        AP,
        "example-ap",
        "amzn-s3-demo-bucket",
        "111122223333",
    )
    assert found.vpc == "vpc-1a2b3c4d"
    assert found.policy_is_public is False
    assert found.block_public_access == BlockPublicAccess()
    assert [policy.name for policy in found.policy.policies] == ["access point policy"]


@pytest.mark.parametrize(
    ("more", "vpc"),
    [({"NetworkOrigin": "Internet"}, None), ({"NetworkOrigin": "VPC"}, UNKNOWN), ({}, UNKNOWN)],
)
def test_network_origin(more: Any, vpc: Any) -> None:
    assert snapshot({"access-points/any.json": access_point(**more)}).access_points[AP].vpc == vpc


def test_access_point_policy_none_and_unknown() -> None:
    assert snapshot({"access-points/a.json": access_point(Policy=None)}).access_points[AP].policy == PolicyList()
    assert snapshot({"access-points/a.json": access_point()}).access_points[AP].policy == UNKNOWN_POLICIES


@pytest.mark.parametrize("content", [{}, b"", access_point(AccessPointArn="example-ap")])
def test_an_access_point_without_its_arn_is_a_problem(content: Any) -> None:
    made = snapshot({"access-points/a.json": content})
    assert made.access_points == {}
    assert made.problems


def test_resource_policies_need_a_principal() -> None:
    policy = resource_document()
    del policy["Statement"][0]["Principal"]
    assert load({"Policy": policy}).problems[0].place == "Policy.Statement[0].Principal"

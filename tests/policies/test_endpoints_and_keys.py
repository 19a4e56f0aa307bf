"""What VPC endpoint and KMS key files tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.s3.snapshot import KmsKeyFacts
from tests.policies.build import ACCOUNT, BROKEN_RESOURCE, resource_document, snapshot

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY_ID}"


def endpoint(endpoint_id: str = "vpce-1a2b3c4d", **more: Any) -> dict[str, Any]:
    return {"VpcEndpointId": endpoint_id, "VpcId": "vpc-111bbb22"} | more


def test_the_answer_of_describe_vpc_endpoints() -> None:
    both = [
        endpoint("vpce-1", PolicyDocument=json.dumps(resource_document("One"))),
        endpoint("vpce-2", PolicyDocument=resource_document("Two")),
    ]
    made = snapshot({"vpc-endpoints/all.json": {"VpcEndpoints": both}})
    assert made.problems == ()
    documents = {name: policies.policies[0].document for name, policies in made.vpc_endpoints.items()}
    assert documents == {"vpce-1": resource_document("One"), "vpce-2": resource_document("Two")}
    assert made.vpc_endpoints["vpce-1"].policies[0].name == "VPC endpoint policy"


def test_one_endpoint_alone() -> None:
    assert set(snapshot({"vpc-endpoints/a.json": endpoint()}).vpc_endpoints) == {"vpce-1a2b3c4d"}


def test_without_a_document_the_policy_is_unknown_and_null_is_the_default_policy() -> None:
    assert snapshot({"vpc-endpoints/a.json": endpoint()}).vpc_endpoints["vpce-1a2b3c4d"] == UNKNOWN_POLICIES
    default = snapshot({"vpc-endpoints/a.json": endpoint(PolicyDocument=None)}).vpc_endpoints["vpce-1a2b3c4d"]
    assert default.complete
    assert [policy.document["Statement"] for policy in default.policies] == [
        [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]
    ]


def test_a_broken_endpoint_policy_is_unknown_and_the_others_are_used() -> None:
    both = [endpoint("vpce-1", PolicyDocument=BROKEN_RESOURCE), endpoint("vpce-2", PolicyDocument=resource_document())]
    made = snapshot({"vpc-endpoints/a.json": {"VpcEndpoints": both}})
    assert made.vpc_endpoints["vpce-1"] == UNKNOWN_POLICIES
    assert made.vpc_endpoints["vpce-2"].complete
    assert [problem.place for problem in made.problems] == ["VpcEndpoints[0].PolicyDocument.Statement[1].Effect"]


@pytest.mark.parametrize(
    ("content", "place"), [({}, "VpcEndpointId"), (b"", ""), ({"VpcEndpoints": [7]}, "VpcEndpoints[0]")]
)
def test_an_endpoint_without_an_id_is_a_problem(content: Any, place: str) -> None:
    made = snapshot({"vpc-endpoints/a.json": content})
    assert made.vpc_endpoints == {}
    assert [problem.place for problem in made.problems] == [place]


def key(arn: str = KEY, *aliases: str, **more: Any) -> dict[str, Any]:
    listed = [{"AliasName": name, "TargetKeyId": arn.rpartition("/")[2]} for name in aliases]
    return {"KeyMetadata": {"Arn": arn, "KeyManager": "CUSTOMER"}, "Aliases": listed} | more


def test_a_key_by_arn_id_alias_and_alias_arn() -> None:
    made = snapshot({"kms-keys/a.json": key(KEY, "alias/backups", Policy=json.dumps(resource_document("K")))})
    assert made.problems == ()
    found = made.kms_keys[KEY]
    for name in (KEY_ID, "alias/backups", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/backups"):
        assert made.kms_keys[name] is found
    assert (found.arn, found.account, found.aliases) == (KEY, ACCOUNT, ("alias/backups",))
    assert [(policy.name, policy.document) for policy in found.policy.policies] == [
        ("KMS key policy", resource_document("K"))
    ]


def test_an_alias_of_another_key_is_not_this_keys() -> None:
    made = snapshot({"kms-keys/a.json": key(Aliases=[{"AliasName": "alias/x", "TargetKeyId": "another"}])})
    assert set(made.kms_keys) == {KEY, KEY_ID}


def test_names_that_keys_share_name_neither() -> None:
    other = KEY.replace("us-east-1", "eu-west-1")
    made = snapshot({"kms-keys/a.json": key(KEY, "alias/x"), "kms-keys/b.json": key(other, "alias/x")})
    assert made.problems == ()
    assert KEY_ID not in made.kms_keys
    assert "alias/x" not in made.kms_keys
    assert made.kms_keys[f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/x"].arn == other
    assert made.kms_key("alias/x") == KmsKeyFacts()


def test_key_policy_none_unknown_and_broken() -> None:
    assert snapshot({"kms-keys/a.json": key(Policy=None)}).kms_keys[KEY].policy == PolicyList()
    assert snapshot({"kms-keys/a.json": key()}).kms_keys[KEY].policy == UNKNOWN_POLICIES
    made = snapshot({"kms-keys/a.json": key(Policy=BROKEN_RESOURCE)})
    assert made.kms_keys[KEY].policy == UNKNOWN_POLICIES
    assert [problem.place for problem in made.problems] == ["Policy.Statement[1].Effect"]


@pytest.mark.parametrize("content", [{}, b"", {"KeyMetadata": {}}, {"KeyMetadata": {"Arn": KEY_ID}}, []])
def test_a_key_without_an_arn_is_one_problem(content: Any) -> None:
    made = snapshot({"kms-keys/a.json": content})
    assert made.kms_keys == {}
    assert len(made.problems) == 1


def test_aliases_of_which_one_is_not_legible_are_not_known() -> None:
    made = snapshot({"kms-keys/a.json": key(Aliases=[{"AliasName": "alias/x"}, {"AliasName": 7}])})
    assert made.kms_keys[KEY].aliases == ()
    assert [problem.place for problem in made.problems] == ["Aliases[1].AliasName"]

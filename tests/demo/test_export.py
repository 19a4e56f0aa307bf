"""What is exported is what the APIs said, and the policy directory understands it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from denyproxy.demo import backend, clients
from denyproxy.demo.clients import Credentials, client
from denyproxy.demo.export import Source, account, bucket_facts
from denyproxy.demo.run import export_world
from denyproxy.demo.world import BUCKETS, PARTNER, STUDIO, USERS, World, build
from denyproxy.policies import load_directory


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    boto = clients.session()
    directory = tmp_path_factory.mktemp("export")
    try:
        with backend.running(directory) as server:
            world = build(server, boto)
            export_world(world, boto, directory / "policies")
            yield world, directory / "policies"
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))


def test_the_policy_directory_is_read_without_a_problem(exported: tuple[World, Path]) -> None:
    _, directory = exported
    assert load_directory(directory).problems == ()


def test_every_key_names_its_principal(exported: tuple[World, Path]) -> None:
    world, directory = exported
    keys = json.loads((directory / "access-keys.json").read_text())
    assert keys == {who.access_key_id: who.arn for who in world.people.values()}
    assert keys[world.people["ben"].access_key_id] == f"arn:aws:iam::{STUDIO}:user/ben"
    session = world.people["nightly-backup/monday"]
    assert keys[session.access_key_id] == f"arn:aws:sts::{STUDIO}:assumed-role/nightly-backup/monday"


def test_no_secret_is_exported(exported: tuple[World, Path]) -> None:
    world, directory = exported
    written = "".join(path.read_text() for path in directory.rglob("*.json"))
    for who in (*world.people.values(), *world.roots.values()):
        assert who.secret_access_key not in written
        assert who.session_token is None or who.session_token not in written


def test_iam_is_exported_as_it_answers(exported: tuple[World, Path]) -> None:
    _, directory = exported
    details = json.loads((directory / "iam" / f"{STUDIO}.json").read_text())
    assert {user["UserName"]: user["UserPolicyList"] for user in details["UserDetailList"]} == {
        name: [{"PolicyName": policy_name, "PolicyDocument": document}]
        for name, (policy_name, document) in USERS.items()
    }
    assert sorted(role["RoleName"] for role in details["RoleDetailList"]) == ["etl", "nightly-backup"]


def test_buckets_are_exported_with_owner_and_policy(exported: tuple[World, Path]) -> None:
    _, directory = exported
    files = {path.stem: json.loads(path.read_text()) for path in (directory / "buckets").iterdir()}
    assert {name: (facts["Account"], facts["Policy"]) for name, facts in files.items()} == {
        name: (row.account, row.policy) for name, row in BUCKETS.items()
    }
    assert files["partner-data"]["Account"] == PARTNER


NOBODY = Credentials("AKIAIOSFODNN7EXAMPLE", "secret", "arn:aws:iam::111122223333:root")


@pytest.fixture
def boto() -> boto3.Session:
    return clients.session()


def test_none_is_null_and_what_is_refused_is_left_out(boto: boto3.Session) -> None:
    s3 = client(boto, "s3", "http://127.0.0.1:1", NOBODY)
    with Stubber(s3) as stub:
        stub.add_response("get_bucket_location", {"LocationConstraint": "eu-west-1"})
        stub.add_client_error("get_bucket_policy", "NoSuchBucketPolicy")
        stub.add_client_error("get_bucket_policy_status", "NoSuchBucketPolicy")
        stub.add_client_error("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        stub.add_client_error("get_bucket_ownership_controls", "AccessDenied")
        stub.add_client_error("get_bucket_acl", "AccessDenied")
        stub.add_client_error("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        stub.add_response("get_bucket_request_payment", {"Payer": "Requester"})
        stub.add_response("get_bucket_versioning", {"Status": "Enabled"})
        stub.add_client_error("get_bucket_tagging", "NoSuchTagSet")
        stub.add_client_error("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError")
        facts = bucket_facts(Source("111122223333", None, s3), "b")
        stub.assert_no_pending_responses()
    assert facts == {
        "Bucket": "b",
        "Account": "111122223333",
        "Region": "eu-west-1",
        "Policy": None,
        "PublicAccessBlockConfiguration": None,
        "ServerSideEncryptionConfiguration": None,
        "RequestPayment": {"Payer": "Requester"},
        "Versioning": {"Status": "Enabled"},
        "Tags": [],
        "ObjectLock": None,
    }


def test_an_account_file_has_alias_and_block_public_access(boto: boto3.Session) -> None:
    iam = client(boto, "iam", "http://127.0.0.1:1", NOBODY)
    s3control = client(boto, "s3control", "http://127.0.0.1:1", NOBODY)
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    with Stubber(iam) as names, Stubber(s3control) as settings:
        names.add_response("list_account_aliases", {"AccountAliases": ["studio"]})
        settings.add_response(
            "get_public_access_block", {"PublicAccessBlockConfiguration": block}, {"AccountId": "111122223333"}
        )
        facts = account(Source("111122223333", iam, None, s3control), "canonical")
    assert facts == {
        "Id": "111122223333",
        "CanonicalUserId": "canonical",
        "Alias": "studio",
        "PublicAccessBlockConfiguration": block,
    }

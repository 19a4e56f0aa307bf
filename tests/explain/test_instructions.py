"""How to make a fix: diffs that say what changes, and commands that put the patched documents in force."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from denyproxy.explain.instructions import all_instructions, instructions
from denyproxy.explain.model import Fix
from tests.explain.remedied import SCENARIOS, Document, fixes_of, patched


def fix(*patch: dict[str, Any]) -> Fix:
    return Fix(summary="Do.", owner="bucket owner", target="t", patch=patch, verified=True)


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def replaced(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def removed(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
DOCUMENT = {"Version": "2012-10-17", "Statement": [STATEMENT]}
OTHER = {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Action": "s3:*"}]}
ARN = "arn:aws:iam::111122223333:policy/managed"
POINT = "arn:aws:s3:us-east-1:111122223333:accesspoint/ap"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"

CASE: Document = {
    "request": {
        "operation": "GetObject",
        "bucket": "b",
        "key": "it's",
        "headers": {"X-Amz-Acl": "public-read"},
        "query": {},
        "principal": "arn:aws:sts::111122223333:assumed-role/app/s",
        "principal_role": "arn:aws:iam::111122223333:role/team/app",
        "principal_account": "111122223333",
        "resource_account": "111122223333",
        "context": {"aws:SourceVpce": "vpce-1"},
    },
    "resource_state": {"object": {"kms_key_id": KEY}},
    "policies": {
        "identity": [{"name": "own", "document": DOCUMENT}, {"name": "managed", "arn": ARN, "document": DOCUMENT}],
        "permissions_boundary": {"name": "edge", "document": DOCUMENT},
        "session": [{"name": "vended", "document": DOCUMENT}],
        "scp": [
            [
                {
                    "name": "Guard",
                    "arn": "arn:aws:organizations::1:policy/o-1/service_control_policy/p-9",
                    "document": DOCUMENT,
                }
            ],
            [{"name": "Plain", "document": DOCUMENT}],
        ],
        "bucket_policy": DOCUMENT,
        "vpc_endpoint_policy": DOCUMENT,
        "kms_key_policy": DOCUMENT,
        "acl": {"object_grants": []},
        "block_public_access": {"BlockPublicAcls": True},
        "object_ownership": "ObjectWriter",
    },
}


def commands(*patch: dict[str, Any], case: Document = CASE) -> list[str]:
    text = instructions(fix(*patch), case)
    return [line for line in text.splitlines() if line.startswith(("aws ", "# "))]


@pytest.mark.parametrize(
    ("patch", "words", "documents"),
    [
        (replaced("/policies/bucket_policy", OTHER), "aws s3api put-bucket-policy --bucket b --policy", OTHER),
        (removed("/policies/bucket_policy"), "aws s3api delete-bucket-policy --bucket b", None),
        (
            replaced("/policies/identity/0/document", OTHER),
            "aws iam put-role-policy --role-name app --policy-name own --policy-document",
            OTHER,
        ),
        (removed("/policies/identity/0"), "aws iam delete-role-policy --role-name app --policy-name own", None),
        (
            add("/policies/identity/-", {"name": "additional-permissions", "document": OTHER}),
            "aws iam put-role-policy --role-name app --policy-name additional-permissions --policy-document",
            OTHER,
        ),
        (
            replaced("/policies/identity/1/document", OTHER),
            f"aws iam create-policy-version --policy-arn {ARN} --set-as-default --policy-document",
            OTHER,
        ),
        (
            replaced("/policies/permissions_boundary/document", OTHER),
            "aws iam create-policy-version --policy-arn arn:aws:iam::111122223333:policy/edge --set-as-default "
            "--policy-document",
            OTHER,
        ),
        (
            replaced("/policies/session/0/document", OTHER),
            "# pass it as --policy to: aws sts assume-role ... --policy",
            OTHER,
        ),
        (
            replaced("/policies/scp/0/0/document", OTHER),
            "aws organizations update-policy --policy-id p-9 --content",
            OTHER,
        ),
        (
            replaced("/policies/scp/1/0/document", OTHER),
            "aws organizations update-policy --policy-id ID-OF-Plain --content",
            OTHER,
        ),
        (removed("/policies/scp/1/0"), "# detach Plain: nothing is left of it", None),
        (
            add("/policies/scp/1/-", {"name": "additional-permissions", "document": OTHER}),
            "aws organizations create-policy --name additional-permissions --description '' "
            "--type SERVICE_CONTROL_POLICY --content",
            OTHER,
        ),
        (
            replaced("/policies/vpc_endpoint_policy", OTHER),
            "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --policy-document",
            OTHER,
        ),
        (
            replaced("/policies/kms_key_policy", OTHER),
            f"aws kms put-key-policy --key-id {KEY} --policy-name default --policy",
            OTHER,
        ),
        (
            replaced("/policies/block_public_access/BlockPublicAcls", False),
            "aws s3api put-public-access-block --bucket b --public-access-block-configuration BlockPublicAcls=false",
            None,
        ),
        (
            replaced("/policies/object_ownership", "BucketOwnerEnforced"),
            "aws s3api put-bucket-ownership-controls --bucket b --ownership-controls "
            "'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'",
            None,
        ),
    ],
)
def test_the_command_of_each_place(patch: dict[str, Any], words: str, documents: Document | None) -> None:
    (command,) = commands(patch)
    if documents is None:
        assert command == words
    else:
        *given, last = shlex.split(command.removeprefix("# "))
        assert shlex.join(given) == shlex.join(shlex.split(words.removeprefix("# ")))
        assert json.loads(last) == documents


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (replaced("/policies/identity/0/document", OTHER), "iam put-group-policy --group-name devs --policy-name own"),
        (removed("/policies/identity/0"), "iam delete-group-policy --group-name devs --policy-name own"),
    ],
)
def test_an_inline_policy_of_a_group(patch: dict[str, Any], words: str) -> None:
    arn = "arn:aws:iam::111122223333:group/team/devs"
    policy = {"name": "own", "arn": arn, "document": DOCUMENT}
    case = {**CASE, "policies": {**CASE["policies"], "identity": [policy]}}
    (command,) = commands(patch, case=case)
    assert command.startswith(f"aws {words}")


def test_an_access_points_policy() -> None:
    point = {"name": "ap", "arn": POINT, "bucket": "b", "policy": None}
    case = {**CASE, "policies": {**CASE["policies"], "access_point": point}}
    words = "aws s3control put-access-point-policy --account-id 111122223333 --name ap --policy"
    (command,) = commands(replaced("/policies/access_point/policy", OTHER), case=case)
    assert command.startswith(words)
    given = {**case, "policies": {**case["policies"], "access_point": {**point, "policy": DOCUMENT}}}
    (command,) = commands(removed("/policies/access_point/policy"), case=given)
    assert command == "aws s3control delete-access-point-policy --account-id 111122223333 --name ap"


@pytest.mark.parametrize(
    ("grant", "option"),
    [
        ({"grantee": "111122223333", "permission": "READ"}, "--acl bucket-owner-read"),
        ({"grantee": "444455556666", "permission": "READ"}, "--grant-read id=CANONICAL-ID-OF-444455556666"),
        ({"grantee": "111122223333", "permission": "READ_ACP"}, "--grant-read-acp id=CANONICAL-ID-OF-111122223333"),
    ],
)
def test_an_acl_is_put_by_the_objects_owner(grant: dict[str, str], option: str) -> None:
    assert commands(add("/policies/acl/object_grants/-", grant)) == [
        "# by the account that owns the object",
        f"aws s3api put-object-acl --bucket b --key 'it'\"'\"'s' {option}",
    ]


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (removed("/request/headers/X-Amz-Acl"), "# aws s3api ... without --acl"),
        (replaced("/request/headers/X-Amz-Acl", "private"), "# aws s3api ... --acl private"),
        (add("/request/headers/x-amz-request-payer", "requester"), "# aws s3api ... --request-payer requester"),
        (
            add("/request/headers/x-amz-bypass-governance-retention", "true"),
            "# aws s3api ... --bypass-governance-retention",
        ),
        (add("/request/query/prefix", ""), "# aws s3api ... --prefix ''"),
        (replaced("/request/principal", "anonymous"), "# aws s3api ... --no-sign-request"),
    ],
)
def test_options_of_a_changed_request(patch: dict[str, Any], words: str) -> None:
    assert commands(patch) == [words]


def test_each_document_has_its_own_diff() -> None:
    text = instructions(fix(replaced("/policies/bucket_policy", OTHER), removed("/request/headers/X-Amz-Acl")), CASE)
    assert text.count("--- a/") == 2
    assert '-    "X-Amz-Acl": "public-read"\n' in text
    assert '-      "Action": "s3:GetObject",\n+      "Action": "s3:*",\n' in text


def test_a_diff_of_a_new_policy_has_nothing_before() -> None:
    text = instructions(fix(add("/policies/identity/-", {"name": "new", "document": OTHER})), CASE)
    assert text.startswith("--- a/identity/new\n+++ b/identity/new\n@@ -0,0 +1,")


def test_quotes_in_documents_survive_the_shell() -> None:
    odd = {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Sid": 'it\'s "odd" $HOME ü'}]}
    (command,) = commands(replaced("/policies/bucket_policy", odd))
    assert json.loads(shlex.split(command)[-1]) == odd


def test_all_fixes_with_their_standing() -> None:
    words = Fix(summary="Set the clock.", owner="caller", target="the request")
    text = all_instructions((fix(removed("/policies/bucket_policy")), words), CASE)
    assert "# Fix 1 (bucket owner; verified): Do.\n--- a/bucket_policy\n" in text
    assert text.endswith("# Fix 2 (caller; not verified): Set the clock.\n")
    assert all_instructions((), CASE) == "No fix is known.\n"


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_patch_of_a_policy_has_a_command_with_the_patched_document(name: str) -> None:
    case = SCENARIOS[name]
    for proposed in fixes_of(case):
        if not any(operation["path"].startswith("/policies/bucket_policy") for operation in proposed.patch):
            continue
        lines = instructions(proposed, case).splitlines()
        command = next(line for line in lines if "-bucket-policy" in line)
        after = patched(case, proposed)["policies"].get("bucket_policy")
        assert (
            command.startswith("aws s3api delete") if after is None else json.loads(shlex.split(command)[-1]) == after
        )

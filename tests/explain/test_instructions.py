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
            f"aws kms put-key-policy --region us-east-1 --key-id {KEY} --policy-name default --policy",
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
    command = commands(patch)[-1]
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
    words = "aws s3control put-access-point-policy --region us-east-1 --account-id 111122223333 --name ap --policy"
    (command,) = commands(replaced("/policies/access_point/policy", OTHER), case=case)
    assert command.startswith(words)
    given = {**case, "policies": {**case["policies"], "access_point": {**point, "policy": DOCUMENT}}}
    (command,) = commands(removed("/policies/access_point/policy"), case=given)
    assert command == "aws s3control delete-access-point-policy --region us-east-1 --account-id 111122223333 --name ap"


def acl_case(*grants: dict[str, str], **request: Any) -> Document:
    return {
        **CASE,
        "request": {**CASE["request"], **request},
        "resource_state": {"object": {"owner_account": "444455556666"}},
        "policies": {**CASE["policies"], "acl": {"object_grants": list(grants)}},
    }


def canonical(name: str, permission: str) -> Document:
    return {"Grantee": {"Type": "CanonicalUser", "ID": name}, "Permission": permission}


GRANT = add("/policies/acl/object_grants/-", {"grantee": "111122223333", "permission": "READ"})


def test_an_acl_is_put_whole_by_the_objects_owner() -> None:
    everyone = {"grantee": "AllUsers", "permission": "READ"}
    case = acl_case(
        {"grantee": "444455556666", "permission": "FULL_CONTROL"},
        everyone,
        {"grantee": "79a5", "permission": "READ_ACP"},
    )
    by, get, ids, put = commands(GRANT, case=case)
    place = "--bucket b --key 'it'\"'\"'s'"
    assert by == (
        "# by account 444455556666, which owns the object; all grants that this prints have to be in the command after "
        "it:"
    )
    assert get == f"aws s3api get-object-acl {place}"
    assert ids == "# the canonical id of an account: aws s3api list-buckets --query Owner.ID, with its credentials"
    assert put.startswith(f"aws s3api put-object-acl {place} --access-control-policy ")
    group = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    assert json.loads(shlex.split(put)[-1]) == {
        "Owner": {"ID": "CANONICAL-ID-OF-444455556666"},
        "Grants": [
            canonical("CANONICAL-ID-OF-444455556666", "FULL_CONTROL"),
            {"Grantee": group, "Permission": "READ"},
            canonical("79a5", "READ_ACP"),
            canonical("CANONICAL-ID-OF-111122223333", "READ"),
        ],
    }


def test_the_acl_of_a_version_is_put_on_that_version() -> None:
    lines = commands(GRANT, case=acl_case(query={"versionId": "v1"}))
    assert [" --version-id v1" in line for line in lines if line.startswith("aws")] == [True, True]


def test_of_an_acl_that_is_not_known_the_rest_is_to_be_added() -> None:
    lines = commands(GRANT, case={**acl_case(), "unknown": ["acl"]})
    assert lines[-2] == "# what the ACL grants today is not known: add it"


def test_the_version_of_a_managed_policy_may_be_one_too_many() -> None:
    first, _ = commands(replaced("/policies/identity/1/document", OTHER))
    assert (
        first
        == f"# at five versions, the most there can be, first: aws iam delete-policy-version --policy-arn {ARN} ..."
    )


def test_a_new_policy_may_replace_one_that_is_not_known() -> None:
    patch = add("/policies/identity/-", {"name": "new", "document": OTHER})
    first, _ = commands(patch, case={**CASE, "unknown": ["identity"]})
    assert first == "# one of that name would be replaced: first aws iam list-role-policies --role-name app"


def test_an_alias_is_not_the_id_of_a_key() -> None:
    case = {**CASE, "resource_state": {"object": {"kms_key_id": "alias/backups"}}}
    case["request"] = {**CASE["request"], "region": "eu-west-1"}
    first, second = commands(replaced("/policies/kms_key_policy", OTHER), case=case)
    assert first == (
        "# an alias does not do: KEY-ID is what this prints: aws kms describe-key --region eu-west-1 --key-id "
        "alias/backups --query KeyMetadata.KeyId"
    )
    assert second.startswith("aws kms put-key-policy --region eu-west-1 --key-id KEY-ID --policy-name default")


def test_an_endpoint_is_changed_in_its_region() -> None:
    case = {**CASE, "request": {**CASE["request"], "region": "eu-west-1"}}
    (command,) = commands(replaced("/policies/vpc_endpoint_policy", OTHER), case=case)
    assert command.startswith("aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-1 ")


PUBLIC = {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Principal": "*", "Resource": "arn:aws:s3:::b/*"}]}


def test_a_public_policy_comes_after_the_setting_that_refuses_it() -> None:
    blocked = {**CASE, "policies": {**CASE["policies"], "block_public_access": {"BlockPublicPolicy": True}}}
    first, _ = commands(replaced("/policies/bucket_policy", PUBLIC), case=blocked)
    assert first == "# refused while BlockPublicPolicy of S3 Block Public Access is on"
    off = replaced("/policies/block_public_access/BlockPublicPolicy", False)
    lines = [
        line for line in commands(replaced("/policies/bucket_policy", PUBLIC), off, case=blocked) if "aws s3api" in line
    ]
    assert [line.split()[2] for line in lines] == ["put-public-access-block", "put-bucket-policy"]


def test_of_sse_c_all_options_are_left_out() -> None:
    name = "x-amz-server-side-encryption-customer-algorithm"
    case = {**CASE, "request": {**CASE["request"], "headers": {name: "AES256", f"{name[:-9]}key": "k"}}}
    lines = commands(removed(f"/request/headers/{name}"), removed(f"/request/headers/{name[:-9]}key"), case=case)
    assert lines == ["# aws s3api ... without --sse-customer-algorithm, --sse-customer-key, --sse-customer-key-md5"]


def test_a_presigned_url_is_not_used_with_the_command_line() -> None:
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256"}
    case = {**CASE, "request": {**CASE["request"], "query": query}}
    assert commands(removed("/request/headers/X-Amz-Acl"), case=case) == []


def test_with_several_owners_each_change_says_in_which_account_and_what_it_replaces() -> None:
    patches = (replaced("/policies/bucket_policy", OTHER), replaced("/policies/identity/0/document", OTHER))
    case = {**CASE, "request": {**CASE["request"], "resource_account": "444455556666"}}
    lines = [line for line in instructions(fix(*patches), case, "r7").splitlines() if line.startswith("# ")]
    still = "replaces what there was at revision r7: see whether it still is so"
    assert lines == [f"# in account 444455556666; {still}", f"# in account 111122223333; {still}"]


def test_what_is_new_replaces_nothing() -> None:
    patch = add("/policies/identity/-", {"name": "new", "document": OTHER})
    assert "replaces" not in instructions(fix(patch), CASE, "r7")


def test_a_fix_of_several_owners_is_a_list() -> None:
    words = (
        "Bucket owner: allow s3:GetObject on x; and y in the bucket policy; and identity admin: allow it; and bucket "
        "owner: turn it off."
    )
    several = Fix(summary=words, owner="bucket owner", target="t", verified=True)
    assert all_instructions((several,), CASE) == (
        "# Fix 1 (verified), in parts:\n"
        "#   bucket owner: allow s3:GetObject on x; and y in the bucket policy; and turn it off.\n"
        "#   identity admin: allow it.\n"
    )


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
    more = words.model_copy(update={"least_privilege": False})
    assert (
        all_instructions((more,), CASE)
        == "# Fix 1 (caller; not verified; more than this request needs): Set the clock.\n"
    )
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


def test_a_question_about_one_action_names_the_bucket_in_its_resource() -> None:
    case = SCENARIOS["xrs-e01"]
    assert "aws s3api put-bucket-policy --bucket assets-backup " in all_instructions(fixes_of(case), case)

"""`denyproxy explain`: files, ids and questions; text, JSON, fixes, tree, scenario; exit status."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from denyproxy.cli import app
from denyproxy.explain.scenario import Scenario
from denyproxy.explain.schemas import schemas
from tests.explain.remedied import SCENARIOS, SCHEMA
from tests.explain.test_explainer import ALLOW_ALL, EXPLAINER, NOW, READ_ONLY, call, head, policies, world

FOLDER = Path(__file__).parent.parent / "scenarios"
ACCOUNT = "111122223333"


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["explain", *arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def file(name: str) -> str:
    return str(FOLDER / f"{name}.json")


# Files


def test_files_as_text() -> None:
    status, out, _ = run(file("act-02"), file("sse-01"))
    assert status == 0
    assert "Verdict    implicit-deny (certain)" in out
    assert "Verdict    explicit-deny (certain)" in out
    assert "Fix        Send x-amz-server-side-encryption: AES256. (caller, verified)" in out
    assert max(map(len, out.splitlines())) <= 80


def test_files_as_json_one_line_each() -> None:
    status, out, _ = run("--json", file("act-02"), file("kms-01"))
    assert status == 0
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["cause"]["action"] == "s3:ListBucketMultipartUploads"
    assert second["fixes"][0]["patch"][0]["path"] == "/policies/identity/0/document/Statement/-"
    jsonschema.validate(first, json.loads(schemas()["explanation.schema.json"]))


def test_standard_input() -> None:
    status, out, _ = run("-", stdin=json.dumps(SCENARIOS["tls-01"]))
    assert status == 0
    assert "https://" in out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "the document"),
        ('{"request": {}}', "policies: is missing"),
        ('{"policies": {}}', "request: is missing"),
        ('{"request": {"buckt": "b"}, "policies": {}}', "request.buckt: no such member; did you mean bucket?"),
        (
            '{"request": {}, "policies": {}, "foo": 1}',
            "foo: no such member; there are allowed_if, expect, id, policies",
        ),
        (
            '{"request": {}, "policies": {"scp": [[{"name": "n", "docment": {}}]]}}',
            "policies.scp.0.0.docment: no such member; did you mean document?",
        ),
        ('{"request": [], "policies": {}}', "request: should be an object"),
        (
            '{"request": {"operation": "GetObjekt"}, "policies": {}}',
            "request.operation: GetObjekt is no operation of Amazon S3; did you mean GetObject?",
        ),
        (
            '{"request": {"operation": "s3:GetObject"}, "policies": {}}',
            "request.operation: s3:GetObject is an action, not an API operation; give request.action",
        ),
        ('{"request": {"principal": "ann"}, "policies": {}}', "request.principal: ann is neither an ARN of IAM or STS"),
        (
            '{"request": {"principal": "arn:aws:iam::1:group/g"}, "policies": {}}',
            "request.principal: arn:aws:iam::1:group/g has an account id of 1 digits",
        ),
    ],
)
def test_a_bad_file_is_named_and_the_rest_explained(tmp_path: Path, text: str, complaint: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    status, out, err = run(str(bad), file("act-02"), str(tmp_path / "none.json"))
    assert status == 2
    assert f"denyproxy explain: {bad}: " in err
    assert complaint in err
    assert "none.json: no such file; to look up the id of a denial give --log FILE\n" in err
    assert "ListMultipartUploads" in out


def test_a_scenario_that_is_allowed_is_explained_all_the_same(tmp_path: Path) -> None:
    document = {name: SCENARIOS["xid-01"][name] for name in ("request", "policies")}
    document["request"] = {**document["request"], "principal": "anonymous", "principal_account": None}
    path = tmp_path / "question.json"
    path.write_text(json.dumps(document))
    status, out, _ = run(str(path))
    assert status == 0
    assert "Verdict    allowed (certain)" in out


def test_fixes_as_diff_and_command() -> None:
    status, out, _ = run("--fix", file("xrs-01"))
    assert status == 0
    assert "--- a/bucket_policy\n+++ b/bucket_policy\n" in out
    assert '+      "Action": "s3:GetBucketAcl",\n' in out
    command = next(line for line in out.splitlines() if line.startswith("aws "))
    words = shlex.split(command)
    assert words[:7] == ["aws", "s3api", "put-bucket-policy", "--bucket", "apiary-us-east-1-core", "--policy", words[6]]
    added = json.loads(words[6])["Statement"][-1]
    assert added == {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556666:role/bi-tool"},
        "Action": "s3:GetBucketAcl",
        "Resource": "arn:aws:s3:::apiary-us-east-1-core",
    }


def test_a_fix_without_a_patch_is_told_in_words() -> None:
    status, out, _ = run("--fix", file("sig-01"))
    assert status == 0
    assert "# Fix 1 (caller; not verified): Set the clock" in out


def test_the_tree_of_all_statements() -> None:
    status, out, _ = run("--trace", file("scp-01"))
    assert status == 0
    assert "s3:GetObject on arn:aws:s3:::root-storage/x/part-0.parquet: explicit-deny\n" in out
    assert "|-- scp, level 0\n|   |-- FullAWSAccess\n|   |   `-- [x] Allow Statement[0]\n" in out
    assert "|       `-- [x] Deny DenyAllOutsideAustralia\n" in out
    assert "`-- session-policy: does not apply\n" in out


def test_the_tree_names_the_first_element_that_fails_and_what_is_not_known(tmp_path: Path) -> None:
    document = {**SCENARIOS["net-02"], "unknown": ["aws:SourceIp", "scp"]}
    path = tmp_path / "unknown.json"
    path.write_text(json.dumps(document))
    _, out, _ = run("--trace", str(path))
    assert "[?] Deny AllowIPPrincipals: depends on condition:aws:SourceIp\n" in out
    assert "|-- scp, level 0\n|   `-- [?] policies that are not loaded\n" in out
    _, out, _ = run("--trace", file("arn-07"))
    assert "|       `-- [ ] Allow Bucket: resource: its Resource lists arn:aws:s3:::velero-bkt, the bucket" in out


def test_the_scenario_of_a_file() -> None:
    status, out, _ = run("--scenario", file("kms-01"))
    assert status == 0
    document = json.loads(out)
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    assert document["policies"]["kms_key_policy"] == SCENARIOS["kms-01"]["policies"]["kms_key_policy"]


def test_operations_that_only_the_wire_knows_are_known(tmp_path: Path) -> None:
    path = tmp_path / "post.json"
    path.write_text(json.dumps({"request": {"operation": "PostObject", "bucket": "b"}, "policies": {}}))
    assert run(str(path))[0] == 0


# The log


def record(**scenario: bool) -> tuple[str, str]:
    """(id, line of a log) of a PUT that nothing allows."""
    found = EXPLAINER(call(head("PUT"), id="01DENIED"), world(policies(READ_ONLY)))
    assert found is not None
    kept = found.record_with_scenario if scenario.get("scenario") else found.record
    return "01DENIED", kept.to_json()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    identity, line = record()
    path = tmp_path / "denials.log"
    other = line.replace(identity, "02OTHER")
    path.write_text(f"{other}\nno json 01DENIED\n{line}\n")
    return path


def test_a_past_denial_by_its_id(log: Path) -> None:
    status, out, err = run("01DENIED", "--log", str(log))
    assert status == 0
    assert "PutObject s3://b/k" in out
    assert "Fix        Allow s3:PutObject on arn:aws:s3:::b/k" in out
    assert f"{log}: line 2: not a denial record" in err


def test_an_id_that_is_not_in_the_log(log: Path) -> None:
    status, _, err = run("03NONE", "--log", str(log))
    assert status == 2
    assert "no denial has the id 03NONE" in err


@pytest.mark.parametrize("option", ["--fix", "--trace", "--scenario"])
def test_what_a_record_without_its_scenario_cannot_tell(log: Path, option: str) -> None:
    status, _, err = run("01DENIED", "--log", str(log), option)
    assert status == 2
    assert "--policies" in err


def test_a_record_with_its_scenario_tells_all(tmp_path: Path) -> None:
    path = tmp_path / "denials.log"
    path.write_text(record(scenario=True)[1] + "\n")
    status, out, _ = run("01DENIED", "--log", str(path), "--fix", "--trace")
    assert status == 0
    assert "[ ] Allow Read: action: its Action (s3:GetObject) does not include s3:PutObject" in out
    assert "aws iam put-user-policy --user-name alice --policy-name policy --policy-document " in out


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A policy directory in which all is known of one account, a user, a role and a bucket."""
    folder = tmp_path / "policies"
    for name in ("iam", "buckets", "accounts"):
        (folder / name).mkdir(parents=True)
    closed = {
        "PublicAccessBlockConfiguration": dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
    }

    def inline(*statements: Any) -> list[dict[str, Any]]:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        return [{"PolicyName": "own", "PolicyDocument": document}]

    alice: dict[str, Any] = {"UserName": "alice", "Arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "UserId": "AIDAEXAMPLE"}
    alice |= {"UserPolicyList": inline(READ_ONLY), "AttachedManagedPolicies": [], "GroupList": [], "Tags": []}
    role: dict[str, Any] = {"RoleName": "app", "Arn": f"arn:aws:iam::{ACCOUNT}:role/app", "RoleId": "AROAEXAMPLE"}
    role |= {"RolePolicyList": inline(ALLOW_ALL), "AttachedManagedPolicies": [], "Tags": []}
    details = {"UserDetailList": [alice], "RoleDetailList": [role], "GroupDetailList": [], "Policies": []}
    bucket: dict[str, Any] = {
        "Bucket": "b",
        "Account": ACCOUNT,
        "Region": "us-east-1",
        "Policy": None,
        **closed,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
        },
        "RequestPayment": {"Payer": "BucketOwner"},
        "Versioning": {},
        "Tags": [],
    }
    (folder / "iam" / "one.json").write_text(json.dumps(details))
    (folder / "buckets" / "b.json").write_text(json.dumps(bucket))
    (folder / "accounts" / f"{ACCOUNT}.json").write_text(json.dumps({"Id": ACCOUNT, **closed}))
    (folder / "organization.json").write_text("null")
    return folder


def test_a_past_denial_by_the_policies_of_today(log: Path, directory: Path) -> None:
    status, out, _ = run("01DENIED", "--log", str(log), "--policies", str(directory), "--fix")
    assert status == 0
    assert "nearest is statement Read of own" in " ".join(out.split())
    assert "--- a/identity/own\n+++ b/identity/own\n" in out


# Questions


def ask(directory: Path, *arguments: str) -> tuple[int, str, str]:
    return run("--policies", str(directory), *arguments)


ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def test_an_operation_that_is_allowed(directory: Path) -> None:
    status, out, err = ask(directory, "--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k")
    assert (status, err) == (0, "")
    assert "Allowed: GetObject needs s3:GetObject on arn:aws:s3:::b/k, which is allowed." in " ".join(out.split())


def test_an_operation_that_is_denied(directory: Path) -> None:
    status, out, _ = ask(directory, "--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--fix")
    assert status == 1
    assert "Verdict    implicit-deny (certain)" in out
    assert "aws iam put-user-policy --user-name alice --policy-name own " in out


def test_headers_and_query_count(directory: Path) -> None:
    question = ("--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k", "--json")
    status, out, _ = ask(directory, *question, "--query", "versionId=v1")
    assert status == 1
    assert json.loads(out)["cause"]["action"] == "s3:GetObjectVersion"
    status, out, _ = ask(directory, *question, "--header", "x-amz-expected-bucket-owner: 444455556666")
    assert status == 1
    assert json.loads(out)["cause"]["layer"] == "expected-bucket-owner"


def test_one_action_on_one_resource(directory: Path) -> None:
    question = ("--as", ALICE, "--action", "s3:GetObject", "--resource")
    assert ask(directory, *question, "arn:aws:s3:::b/k")[0] == 0
    status, out, _ = ask(directory, *question, "arn:aws:s3:::b", "--json")
    assert status == 1
    assert json.loads(out)["operation"] is None
    assert json.loads(out)["authorization"] == [
        {
            "action": "s3:GetObject",
            "resource": "arn:aws:s3:::b",
            "decision": "implicit-deny",
            "possible": ["implicit-deny"],
        }
    ]


def test_a_role_stands_for_a_session_without_session_policy(directory: Path) -> None:
    question = ("--operation", "PutObject", "--bucket", "b", "--key", "k")
    assert ask(directory, "--as", f"arn:aws:iam::{ACCOUNT}:role/app", *question)[0] == 0
    assert ask(directory, "--as", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1", *question)[0] == 0


def test_an_anonymous_question(directory: Path) -> None:
    status, out, _ = ask(directory, "--as", "anonymous", "--operation", "GetObject", "--bucket", "b", "--key", "k")
    assert status == 1
    assert "No resource-based policy (the bucket policy) allows s3:GetObject" in " ".join(out.split())


def test_condition_keys_that_are_not_known_are_asked_for(directory: Path) -> None:
    bucket = json.loads((directory / "buckets" / "b.json").read_text())
    bucket["Policy"] = {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "Office",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::b/*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        },
    }
    (directory / "buckets" / "b.json").write_text(json.dumps(bucket))
    question = ("--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k")
    status, out, _ = ask(directory, *question)
    assert status == 1
    assert "Not known: nothing at hand denies it for certain" in out
    assert "aws:SourceIp" in out
    assert ask(directory, *question, "--context", "aws:SourceIp=203.0.113.7")[0] == 0
    status, out, _ = ask(directory, *question, "--context", "aws:SourceIp=198.51.100.1")
    assert status == 1
    assert "statement Office denies" in " ".join(out.split())


def test_what_the_directory_does_not_tell_is_not_allowed(directory: Path) -> None:
    (directory / "organization.json").unlink()
    status, out, _ = ask(directory, "--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k")
    assert status == 1
    assert "scp" in out


def test_a_question_as_a_scenario(directory: Path) -> None:
    question = ("--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--scenario")
    status, out, _ = ask(directory, *question)
    assert status == 1
    document = json.loads(out)
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    assert "response" not in document


QUESTION = ("--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give scenario files"),
        (("--as", ALICE), "either --operation or --action"),
        (("--operation", "GetObject"), "needs --as"),
        (("--as", ALICE, "--action", "s3:GetObject"), "belong together"),
        (("--as", ALICE, "--operation", "getobject"), "did you mean GetObject?"),
        (("--as", "alice", "--operation", "ListBuckets"), "neither an ARN"),
        ((*QUESTION, "--header", "x-amz-acl"), "not NAME:VALUE"),
        ((*QUESTION, "--context", "aws:SourceIp"), "not NAME=VALUE"),
        ((*QUESTION, "x.json"), "neither files nor --log"),
        ((*QUESTION, "--json", "--fix"), "--json has the patches of all fixes in it: leave out --fix"),
        ((*QUESTION, "--json", "--trace"), "--trace is text only: leave out --json"),
        ((*QUESTION, "--json", "--scenario"), "--scenario stands alone"),
        (("--log", "denials.log"), "needs the id"),
        (("ID", "--log", "/none/denials.log"), "--log: /none/denials.log: no such file"),
    ],
)
def test_usage(directory: Path, arguments: tuple[str, ...], complaint: str) -> None:
    status, out, err = ask(directory, *arguments)
    assert (status, out) == (2, "")
    assert complaint in err


def test_a_question_needs_policies() -> None:
    status, _, err = run(*QUESTION)
    assert status == 2
    assert "--policies" in err


def test_an_unreadable_directory(tmp_path: Path) -> None:
    status, _, err = run("--policies", str(tmp_path / "none"), *QUESTION)
    assert status == 2
    assert "cannot be read" in err


def test_an_empty_directory_is_told(tmp_path: Path) -> None:
    status, _, err = run("--policies", str(tmp_path), *QUESTION)
    assert status == 1
    assert f"denyproxy explain: {tmp_path}: nothing was found; a policy directory consists of iam/, " in err


def test_help_names_every_form_and_the_exit_status() -> None:
    status, out, _ = run("--help")
    assert status == 0
    text = " ".join(out.split())
    for part in ("FILE...", "ID --log FILE", "--operation PutObject", "--resource ARN", "Exit status"):
        assert part in text


# Resources of other services, whose own policies nobody loads

APP = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
FOREIGN_QUEUE = "arn:aws:sqs:us-east-1:444455556666:q"


@pytest.fixture
def any_service(directory: Path) -> Path:
    """The directory, whose role may do everything."""
    path = directory / "iam" / "one.json"
    details = json.loads(path.read_text())
    statement = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
    details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"] = [statement]
    path.write_text(json.dumps(details))
    return directory


@pytest.mark.parametrize(
    ("action", "resource", "implicit"),
    [
        ("sqs:SendMessage", FOREIGN_QUEUE, True),
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:444455556666:table/t", True),
        ("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", False),
        ("execute-api:Invoke", "arn:aws:apigateway:us-east-1::/restapis/x", True),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/other", True),
    ],
)
def test_a_resource_policy_that_is_not_loaded_leaves_it_open(
    any_service: Path, action: str, resource: str, implicit: bool
) -> None:
    status, out, _ = ask(any_service, "--as", APP, "--action", action, "--resource", resource, "--json")
    told = json.loads(out)
    assert (status, told["verdict"], told["certain"]) == (1, "policies-missing", False)
    assert "resource-policy" in told["unknowns"]
    effects = {item["effect"] for item in told["candidates"] if item["layer"] == "resource-policy"}
    assert effects == ({"explicit", "implicit"} if implicit else {"explicit"})


def test_an_access_point_that_is_not_loaded_leaves_it_open(any_service: Path) -> None:
    point = "arn:aws:s3:us-east-1:444455556666:accesspoint/ap/object/k"
    status, out, _ = ask(any_service, "--as", APP, "--action", "s3:GetObject", "--resource", point, "--json")
    told = json.loads(out)
    assert (status, told["certain"]) == (1, False)
    assert {"access-point-policy", "bucket-policy"} <= set(told["unknowns"])


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/x", True),
        ("iam:PassRole", "arn:aws:iam::444455556666:role/x", False),
        ("s3:ListAllMyBuckets", "*", True),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::*", True),
        ("s3:DescribeJob", f"arn:aws:s3:us-east-1:{ACCOUNT}:job/1", True),
        ("s3:DescribeJob", "arn:aws:s3:us-east-1:444455556666:job/1", False),
    ],
)
def test_what_has_no_policy_of_its_own_is_decided(any_service: Path, action: str, resource: str, allowed: bool) -> None:
    status, out, _ = ask(any_service, "--as", APP, "--action", action, "--resource", resource, "--json")
    told = json.loads(out)
    assert told["certain"]
    assert (status, told["verdict"]) == ((0, "allowed") if allowed else (1, "implicit-deny"))


def test_the_account_of_the_resource_is_that_of_its_arn(any_service: Path) -> None:
    details = json.loads((any_service / "iam" / "one.json").read_text())
    deny = {"Sid": "OwnOnly", "Effect": "Deny", "Action": "*", "Resource": "*"}
    deny["Condition"] = {"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}}  # type: ignore[assignment]
    details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"].append(deny)
    (any_service / "iam" / "one.json").write_text(json.dumps(details))
    status, out, _ = ask(any_service, "--as", APP, "--action", "sqs:SendMessage", "--resource", FOREIGN_QUEUE, "--json")
    assert (status, json.loads(out)["cause"]["statement"]) == (1, "OwnOnly")


def test_a_question_of_another_service_as_a_scenario_stays_open(any_service: Path, tmp_path: Path) -> None:
    question = ("--as", APP, "--action", "sqs:SendMessage", "--resource", FOREIGN_QUEUE)
    _, out, _ = ask(any_service, *question, "--scenario")
    document = json.loads(out)
    assert "resource-policy" in document["unknown"]
    path = tmp_path / "question.json"
    path.write_text(out)
    assert json.loads(run("--json", str(path))[1])["verdict"] == "policies-missing"
    del document["unknown"]
    path.write_text(json.dumps(document))
    # A scenario is a closed world: a layer that is not given is absent.
    assert json.loads(run("--json", str(path))[1])["verdict"] == "allowed"


# What a question takes for granted of the object


def change(directory: Path, name: str, **members: Any) -> None:
    """Change members of a file; ...: leave it out."""
    path = directory / name
    document = json.loads(path.read_text()) | members
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))


@pytest.fixture
def with_access_point(directory: Path) -> Path:
    (directory / "access-points").mkdir()
    facts = {
        "Name": "ap",
        "Bucket": "b",
        "Alias": "ap-x-s3alias",
        "AccessPointArn": f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/ap",
        "NetworkOrigin": "Internet",
        "Policy": None,
    }
    (directory / "access-points" / "ap.json").write_text(json.dumps(facts))
    return directory


@pytest.mark.parametrize("bucket", [f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/ap", "ap-x-s3alias"])
def test_the_object_is_an_ordinary_one_through_an_access_point_too(with_access_point: Path, bucket: str) -> None:
    question = ("--as", f"arn:aws:iam::{ACCOUNT}:role/app", "--operation", "GetObject", "--bucket", bucket)
    status, out, _ = ask(with_access_point, *question, "--key", "k")
    assert (status, "Verdict    allowed (certain)" in out) == (0, True)


def test_an_action_through_an_access_point(with_access_point: Path) -> None:
    resource = f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/ap/object/k"
    status, _, _ = ask(
        with_access_point,
        "--as",
        f"arn:aws:iam::{ACCOUNT}:role/app",
        "--action",
        "s3:GetObject",
        "--resource",
        resource,
    )
    assert status == 0


def test_the_source_of_a_copy_is_an_ordinary_object(directory: Path) -> None:
    question = ("--as", f"arn:aws:iam::{ACCOUNT}:role/app", "--operation", "CopyObject", "--bucket", "b", "--key", "k")
    status, out, _ = ask(directory, *question, "--header", "x-amz-copy-source: b/other")
    assert (status, "Verdict    allowed (certain)" in out) == (0, True)


def test_an_ordinary_object_has_no_tags_unless_they_are_given(directory: Path) -> None:
    tagged = {"Sid": "Tagged", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    tagged |= {"Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}}  # type: ignore[dict-item]
    change(directory, "buckets/b.json", Policy={"Version": "2012-10-17", "Statement": [tagged]})
    question = ("--as", ALICE, "--operation", "GetObject", "--bucket", "b", "--key", "k")
    assert ask(directory, *question)[0] == 0
    status, out, _ = ask(directory, *question, "--context", "s3:ExistingObjectTag/class=secret", "--json")
    assert (status, json.loads(out)["cause"]["statement"]) == (1, "Tagged")


def test_what_is_not_known_of_the_bucket_is_named(directory: Path) -> None:
    change(directory, "buckets/b.json", OwnershipControls=..., ServerSideEncryptionConfiguration=...)
    question = ("--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--json")
    status, out, _ = ask(directory, *question)
    told = json.loads(out)
    assert (status, told["verdict"], told["certain"]) == (1, "candidates", False)
    first = told["candidates"][0]
    assert (first["layer"], first["action"]) == ("identity", "s3:PutObject")
    assert first["unknowns"] == ["object ownership of bucket b", "ACL of bucket b"]
    assert "default encryption of bucket b" in told["unknowns"]
    assert "object ownership of bucket b" in told["summary"]


def test_a_bucket_policy_that_is_not_loaded_is_what_an_allow_may_stand_in(directory: Path) -> None:
    change(directory, "buckets/b.json", Policy=...)
    question = ("--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--json")
    told = json.loads(ask(directory, *question)[1])
    assert [item["unknowns"] for item in told["candidates"]] == [["bucket-policy"]] * 2


def test_once_object_ownership_is_known_a_write_is_decided(directory: Path) -> None:
    change(directory, "buckets/b.json", ServerSideEncryptionConfiguration=...)
    question = ("--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--json")
    assert json.loads(ask(directory, *question)[1])["certain"]


def test_an_acl_that_is_known_and_grants_nothing_leaves_nothing_open(directory: Path) -> None:
    change(directory, "buckets/b.json", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, Grants=[])
    question = ("--as", ALICE, "--operation", "PutObject", "--bucket", "b", "--key", "k", "--json")
    assert json.loads(ask(directory, *question)[1])["certain"]


def test_a_bucket_whose_owner_is_not_known_is_named(directory: Path) -> None:
    change(directory, "buckets/b.json", Account=...)
    question = ("--as", f"arn:aws:iam::{ACCOUNT}:role/app", "--operation", "ListObjectsV2", "--bucket", "b", "--json")
    status, out, _ = ask(directory, *question)
    assert status == 1
    assert "owner of bucket b" in json.loads(out)["unknowns"]


def test_whether_versions_are_deleted_depends_on_versioning(directory: Path) -> None:
    deny = {"Sid": "Keep", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObjectVersion"}
    deny["Resource"] = "arn:aws:s3:::b/*"
    change(directory, "buckets/b.json", Policy={"Version": "2012-10-17", "Statement": [deny]}, Versioning=...)
    question = ("--as", f"arn:aws:iam::{ACCOUNT}:role/app", "--operation", "DeleteObject", "--bucket", "b")
    status, out, _ = ask(directory, *question, "--key", "k", "--json")
    assert (status, json.loads(out)["unknowns"]) == (1, ["versioning of bucket b"])


def test_the_help_says_what_a_question_takes_for_granted() -> None:
    text = " ".join(run("--help")[1].split())
    for part in ("is there", "not archived", "not locked", "no tags", "encrypted as its bucket", "owner of its bucket"):
        assert part in text


# Questions that make no sense


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--action", "s3:GetObjekt"), "--action: s3:GetObjekt is no action of Amazon S3; did you mean s3:GetObject?"),
        (("--action", "getobject"), "--action: getobject names no service; did you mean s3:GetObject?"),
        (("--action", "frobnicate"), "--action: frobnicate is not SERVICE:ACTION, such as s3:GetObject"),
        (("--action", "s3:ListObjectsV2"), "s3:ListObjectsV2 is not an IAM action but the name of an API operation"),
        (("--action", "s3:ListObjectsV2"), "which needs s3:ListBucket"),
        (("--action", "s3:Get*"), "--action: s3:Get* has a wildcard"),
    ],
)
def test_actions_that_are_none(directory: Path, arguments: tuple[str, ...], complaint: str) -> None:
    status, out, err = ask(directory, "--as", ALICE, *arguments, "--resource", "arn:aws:s3:::b/k")
    assert (status, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(
    ("resource", "complaint"),
    [
        ("b/k", "--resource: b/k is no ARN, such as arn:aws:s3:::BUCKET/KEY"),
        ("s3://b/k", "--resource: s3://b/k is no ARN; give it as arn:aws:s3:::b/k"),
        ("arn:aws:s3:::b/*", "--resource: arn:aws:s3:::b/* has a wildcard"),
        ("*", "--resource: * stands for every resource"),
        ("arn:aws:sqs:us-east-1:111122223333:q", "is a resource of sqs, but s3:GetObject is an action of Amazon S3"),
        ("arn:aws:s3:us-east-1:11112222333:accesspoint/a/object/k", "has an account id of 11 digits"),
    ],
)
def test_resources_that_are_none(directory: Path, resource: str, complaint: str) -> None:
    status, out, err = ask(directory, "--as", ALICE, "--action", "s3:GetObject", "--resource", resource)
    assert (status, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--operation", "GetObjekt"), "--operation: GetObjekt is no operation of Amazon S3; did you mean GetObject?"),
        (
            ("--operation", "s3:GetObject"),
            "--operation: s3:GetObject is that of an action, not of an API operation; ask about it with "
            "--action s3:GetObject --resource ARN",
        ),
        (("--operation", "GetObject", "--key", "k"), "--operation GetObject needs --bucket"),
        (("--operation", "GetObject", "--bucket", "b"), "--operation GetObject needs --key"),
        (
            ("--operation", "ListObjectsV2", "--bucket", "b", "--key", "docs/"),
            "--operation ListObjectsV2 takes no key; to list what begins with it, give --query prefix=docs/",
        ),
        (("--operation", "ListBuckets", "--bucket", "b"), "--operation ListBuckets takes no bucket"),
        (
            ("--operation", "CopyObject", "--bucket", "b", "--key", "k"),
            "--operation CopyObject needs its source: --header x-amz-copy-source:BUCKET/KEY",
        ),
        (
            ("--operation", "CopyObject", "--bucket", "b", "--key", "k", "--header", "x-amz-copy-source:b"),
            "--header x-amz-copy-source: b is not BUCKET/KEY",
        ),
        (("--operation", "ListObjectsV2", "--bucket", "s3://b"), "--bucket: s3://b is not a name; give --bucket b"),
        (("--operation", "GetObject", "--bucket", "b/x"), "--bucket: b/x is not a name; give --bucket b --key x"),
        (("--operation", "ListObjectsV2", "--bucket", "arn:aws:s3:::b"), "is an ARN; give the bucket's name, b"),
        ((*QUESTION[2:], "--region", "virginia"), "--region: virginia is no region, such as us-east-1"),
        (
            (*QUESTION[2:], "--context", "aws:SourceIP4=1.2.3.4"),
            "--context: aws:SourceIP4 is no condition key; did you mean aws:SourceIp?",
        ),
        (
            (*QUESTION[2:], "--context", "s3:prefixx=a"),
            "--context: s3:prefixx is no condition key; did you mean s3:prefix?",
        ),
        ((*QUESTION[2:], "--context", "s3:ExistingObjectTag=a"), "needs the tag's key: s3:ExistingObjectTag/KEY"),
    ],
)
def test_operations_that_lack_something(directory: Path, arguments: tuple[str, ...], complaint: str) -> None:
    status, out, err = ask(directory, "--as", ALICE, *arguments)
    assert (status, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(
    "key", ["aws:PrincipalTag/team=x", "aws:sourceip=1.2.3.4", "kms:EncryptionContext:a=b", "kms:ViaService=x"]
)
def test_condition_keys_that_there_are(directory: Path, key: str) -> None:
    status, _, err = ask(directory, *QUESTION, "--context", key)
    assert (status, err) == (0, "")


def test_a_condition_key_of_another_service_is_a_warning(directory: Path) -> None:
    status, _, err = ask(directory, *QUESTION, "--context", "saml:sub=x")
    assert status == 0
    assert "--context: saml:sub is not one of the keys of S3, KMS or AWS" in err


@pytest.mark.parametrize(
    ("principal", "complaint"),
    [
        ("arn:aws:iam:::user/alice", "has no account id"),
        ("arn:aws:iam::11112222333:user/alice", "has an account id of 11 digits, but an account id has 12"),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/app",
            f"is not assumed-role/ROLE/SESSION; for any session of the role give arn:aws:iam::{ACCOUNT}:role/app",
        ),
        (f"arn:aws:iam::{ACCOUNT}:group/devs", "is a group, and a group sends no requests"),
        (f"arn:aws:iam::{ACCOUNT}:user/*", "has a wildcard"),
        (f"arn:aws:iam::{ACCOUNT}:user/", "names no user"),
    ],
)
def test_callers_that_are_none(directory: Path, principal: str, complaint: str) -> None:
    status, out, err = ask(directory, "--as", principal, *QUESTION[2:])
    assert (status, out) == (2, "")
    assert f"--as: {principal} {complaint}" in err


@pytest.fixture
def with_paths(directory: Path) -> Path:
    """Whose role is below a path."""
    path = directory / "iam" / "one.json"
    path.write_text(path.read_text().replace("role/app", "role/jobs/app"))
    return directory


@pytest.mark.parametrize(
    ("principal", "complaint"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/app", f"has no role app; did you mean arn:aws:iam::{ACCOUNT}:role/jobs/app?"),
        (f"arn:aws:iam::{ACCOUNT}:user/alicia", f"has no user alicia; did you mean arn:aws:iam::{ACCOUNT}:user/alice?"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/s", "has no role nobody\n"),
    ],
)
def test_a_caller_that_a_loaded_account_does_not_have(with_paths: Path, principal: str, complaint: str) -> None:
    status, out, err = ask(with_paths, "--as", principal, *QUESTION[2:])
    assert (status, out) == (2, "")
    assert f"--as: {with_paths}/iam: account {ACCOUNT} {complaint}" in err


def test_a_session_does_not_show_the_path_of_its_role(with_paths: Path) -> None:
    assert ask(with_paths, "--as", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s", *QUESTION[2:])[0] == 0


def test_a_caller_of_an_account_that_is_not_loaded_is_merely_unknown(directory: Path) -> None:
    status, out, _ = ask(directory, "--as", "arn:aws:iam::444455556666:user/eve", *QUESTION[2:])
    assert status == 1
    assert "identity" in out


def test_a_caller_who_may_stand_in_what_is_broken_is_merely_unknown(directory: Path) -> None:
    path = directory / "iam" / "one.json"
    details = json.loads(path.read_text())
    details["UserDetailList"].append({"UserName": "eve"})
    path.write_text(json.dumps(details))
    status, _, err = ask(directory, "--as", f"arn:aws:iam::{ACCOUNT}:user/eve", *QUESTION[2:])
    assert status == 1
    assert "UserDetailList[1].Arn" in err


# What is told of past denials


def test_an_id_in_lower_case(log: Path) -> None:
    status, out, _ = run("01denied", "--log", str(log))
    assert (status, "PutObject s3://b/k" in out) == (0, True)


def test_a_past_denial_says_when_it_was_and_by_which_policies(log: Path, directory: Path) -> None:
    _, out, _ = run("01DENIED", "--log", str(log))
    assert " ".join(out.split()).startswith("Denied at 2026-05-01 12:00:00Z, id 01DENIED, ")
    assert "id 01DENIED, policy revision r1." in out
    _, out, _ = run("01DENIED", "--log", str(log), "--policies", str(directory))
    assert f"explained by today's policies ({directory})".replace(" ", "") in "".join(out.split())


def test_how_the_caller_was_known_survives_the_policies_of_today(log: Path, directory: Path) -> None:
    before = json.loads(run("01DENIED", "--log", str(log), "--json")[1])
    after = json.loads(run("01DENIED", "--log", str(log), "--json", "--policies", str(directory))[1])
    assert after["principal"] == before["principal"]
    assert after["principal"]["known_by"] == "access-keys"
    assert after["upstream"]["request_id"] == before["upstream"]["request_id"]


def test_a_fix_of_the_request_needs_no_policies(tmp_path: Path) -> None:
    document = SCENARIOS["sse-01"]
    scenario = Scenario.validate_document(document)
    found = EXPLAINER(scenario.denied_call(NOW), scenario.snapshot(), document)
    assert found is not None
    path = tmp_path / "denials.log"
    path.write_text(found.record.model_copy(update={"id": "01FIX"}).to_json() + "\n")
    status, out, err = run("01FIX", "--log", str(path), "--fix")
    assert (status, err) == (0, "")
    assert '+    "x-amz-server-side-encryption": "AES256"' in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [("explain", file("act-02")), ("policies", "config/policies")])
def test_output_that_cannot_be_written(arguments: tuple[str, ...]) -> None:
    root = Path(__file__).parents[2]
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "denyproxy", *arguments]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=root)
    assert ended.returncode == 2
    assert ended.stderr == "denyproxy: standard output cannot be written: no space left on device\n"


def test_what_others_named_does_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    document = json.loads((FOLDER / "arn-01.json").read_text())
    document["title"] = "a\x1b[2Jb"
    document["policies"]["identity"][0]["document"]["Statement"][0]["Sid"] = "Sid\x1b[31m"
    (tmp_path / "escape.json").write_text(json.dumps(document))
    status, out, _ = run("--trace", "--fix", str(tmp_path / "escape.json"))
    assert (status, "\x1b" in out) == (0, False)
    assert "a\\x1b[2Jb" in out
    assert "Sid\\x1b[31m" in out

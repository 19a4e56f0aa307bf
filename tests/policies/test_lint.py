"""What can be read and yet is hardly meant is named, with what was probably meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from denyproxy.policies.directory import read_directory
from denyproxy.policies.lint import warnings
from tests.policies.build import details, document, encoded, inline, role, user

ROOT = Path(__file__).parents[2]


def told(files: dict[str, Any]) -> list[tuple[str, str, str]]:
    made = warnings({name: encoded(content) for name, content in files.items()})
    return [(problem.file, problem.place, problem.message) for problem in made]


def of_bucket(**statement: Any) -> list[tuple[str, str]]:
    """Place and message of a bucket policy of one statement."""
    whole = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"} | statement
    whole = {name: value for name, value in whole.items() if value is not None}
    found = told({"buckets/b.json": {"Policy": {"Version": "2012-10-17", "Statement": [whole]}}})
    return [(place, message) for _, place, message in found]


def test_the_example_directory_has_none() -> None:
    assert warnings(read_directory(ROOT / "config/policies")) == ()


@pytest.mark.parametrize(
    ("name", "content", "place", "meant"),
    [
        ("buckets/b.json", {"Polciy": None}, "Polciy", "Policy"),
        ("buckets/b.json", {"Ownershipcontrols": None}, "Ownershipcontrols", "OwnershipControls"),
        (
            "buckets/b.json",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcl": True}},
            "PublicAccessBlockConfiguration.BlockPublicAcl",
            "BlockPublicAcls",
        ),
        ("iam/one.json", {"UserDetaiList": []}, "UserDetaiList", "UserDetailList"),
        (
            "iam/one.json",
            {"UserDetailList": [{"AttachedManagedPolicy": []}]},
            "UserDetailList[0].AttachedManagedPolicy",
            "AttachedManagedPolicies",
        ),
    ],
)
def test_misspelt_members(name: str, content: Any, place: str, meant: str) -> None:
    assert told({name: content}) == [(name, place, f"is no member that is read; did you mean {meant}?")]


def test_members_that_are_not_like_any_are_left_alone() -> None:
    assert told({"buckets/b.json": {"Comment": "x", "Policy": None, "CreationDate": "x", "Name": "b"}}) == []


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("s3:GetObjekt", "s3:GetObjekt is no action of Amazon S3; did you mean s3:GetObject?"),
        (
            "s3:ListObjectsV2",
            "s3:ListObjectsV2 is not an IAM action but the name of an API operation, which needs s3:ListBucket",
        ),
        ("s3:Lsit*", "s3:Lsit* matches no action of S3"),
        ("GetObject", "GetObject names no service; did you mean s3:GetObject?"),
    ],
)
def test_actions_that_are_none(action: str, message: str) -> None:
    found = of_bucket(Action=[action, "s3:Get*", "s3:*", "*", "sqs:Whatever"])
    assert found == [("Policy.Statement[0].Action", message)]


@pytest.mark.parametrize(
    ("operator", "key", "value", "place", "message"),
    [
        (
            "StringEqual",
            "aws:SourceVpce",
            "vpce-1",
            "Condition.StringEqual",
            "there is no such operator; did you mean StringEquals?",
        ),
        (
            "IpAddress",
            "aws:SourceIp",
            "203.0.113.0/33",
            'Condition.IpAddress["aws:SourceIp"]',
            "203.0.113.0/33 cannot be read as an address or range, and so matches nothing",
        ),
        (
            "DateLessThan",
            "aws:CurrentTime",
            "tomorrow",
            'Condition.DateLessThan["aws:CurrentTime"]',
            "tomorrow cannot be read as a date, and so matches nothing",
        ),
        (
            "Null",
            "aws:SourceVpce",
            "yes",
            'Condition.Null["aws:SourceVpce"]',
            "yes cannot be read as true or false, and so matches nothing",
        ),
        (
            "StringEquals",
            "aws:SourceVcpe",
            "vpce-1",
            "Condition.StringEquals",
            "aws:SourceVcpe is no condition key; did you mean aws:SourceVpce?",
        ),
    ],
)
def test_conditions_that_are_not_meant_so(operator: str, key: str, value: str, place: str, message: str) -> None:
    assert of_bucket(Condition={operator: {key: value}}) == [(f"Policy.Statement[0].{place}", message)]


@pytest.mark.parametrize("resource", ["arn:aws:s3:::other/*", "arn:aws:s3:::oth*"])
def test_a_bucket_policy_about_another_bucket(resource: str) -> None:
    message = f"{resource} is not of bucket b, whose policy this is; S3 refuses such a policy"
    found = of_bucket(Resource=[resource, "arn:aws:s3:::b", "*", "arn:aws:s3:::*"])
    assert found == [("Policy.Statement[0].Resource", message)]


def test_a_statement_without_a_resource() -> None:
    assert of_bucket(Resource=None) == [("Policy.Statement[0]", "has no Resource; AWS refuses such a statement")]


@pytest.mark.parametrize(
    ("principal", "message"),
    [
        (
            {"AWS": "arn:aws:iam::111122223333:user/*"},
            "arn:aws:iam::111122223333:user/* has a wildcard, and so names nobody; use Principal * with a condition on "
            "aws:PrincipalArn",
        ),
        ({"AWS": ["ben"]}, "ben is neither an ARN of IAM or STS, nor an account id"),
        (
            {"AWS": "arn:aws:iam::11112222333:root"},
            "arn:aws:iam::11112222333:root has an account id of 11 digits, but an account id has 12 digits",
        ),
        ({"Service": "logging.s3"}, "logging.s3 is no service principal, such as logging.s3.amazonaws.com"),
    ],
)
def test_principals_that_are_none(principal: Any, message: str) -> None:
    assert of_bucket(Principal=principal) == [("Policy.Statement[0].Principal", message)]


def test_principals_that_there_are() -> None:
    named = ["*", "111122223333", "arn:aws:iam::111122223333:root", "AIDAJQABLZS4A3QDU576Q"]
    named += ["arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"]
    assert of_bucket(Principal={"AWS": named, "Service": "cloudfront.amazonaws.com"}) == []


def test_policies_of_every_kind_are_read_and_trust_policies_are_not() -> None:
    bad = document(action="s3:GetObjekt")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}
    files = {
        "iam/one.json": details(
            UserDetailList=[user("ana", UserPolicyList=[inline("p", bad)])],
            RoleDetailList=[role("r", AssumeRolePolicyDocument=trust)],
        ),
        "organization.json": {"Policies": [{"Content": json.dumps(bad)}]},
    }
    assert [(file, place) for file, place, _ in told(files)] == [
        ("iam/one.json", "UserDetailList[0].UserPolicyList[0].PolicyDocument.Statement[0].Action"),
        ("organization.json", "Policies[0].Content.Statement[0].Action"),
    ]


def test_an_empty_file_may_be_what_a_failed_command_left() -> None:
    message = "is empty, which says that there is none of it; remove it if a command that failed left it behind"
    assert told({"buckets/b.json": b"", "organization.json": b" \n"}) == [
        ("buckets/b.json", "", message),
        ("organization.json", "", message),
    ]


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'{"Policy": 7}', b'{"Policy": "{"}', b'{"Policy": {}}'])
def test_what_is_broken_is_left_to_the_problems(content: bytes) -> None:
    assert told({"buckets/b.json": content, "other.json": b"", "buckets/sub/": b""}) == []

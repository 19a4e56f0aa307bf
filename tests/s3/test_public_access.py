"""S3's definition of a public policy, and the effective setting.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.public_access import document_is_public, effective
from denyproxy.s3.snapshot import BlockPublicAccess

YES, NO, MAYBE = Truth.YES, Truth.NO, Truth.UNKNOWN


def allow(principal: Any = "*", condition: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [{**statement, **more}]}


@pytest.mark.parametrize(
    ("document", "public"),
    [
        (allow(), YES),
        (allow({"AWS": "*"}), YES),
        (allow({"AWS": "arn:aws:iam::111122223333:root"}), NO),
        (allow({"AWS": ["111122223333", "*"]}), YES),
        (allow({"Service": "cloudtrail.amazonaws.com"}), NO),
        (allow(condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), NO),
        (allow(condition={"StringLike": {"aws:PrincipalOrgID": "o-*"}}), YES),
        (allow(condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}), NO),
        (allow(condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), YES),
        (allow(condition={"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-*"]}}), YES),
        (allow(condition={"Bool": {"aws:SecureTransport": "true"}}), YES),
        (allow(condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}), YES),
        (allow(condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}), NO),
        (allow(condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}), YES),
        (allow(condition={"IpAddress": {"aws:SourceIp": "11.0.0.0/8"}}), NO),
        (allow(condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}), YES),
        (allow(condition={"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}), NO),
        (allow(condition={"IpAddress": {"aws:SourceIp": "2000::/31"}}), YES),
        (allow(condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}), YES),
        (allow(condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}), YES),
        (allow(condition={"StringLike": {"aws:userid": "AROAEXAMPLEID:*"}}), NO),
        (allow(condition={"StringLike": {"aws:userid": "*:bob"}}), YES),
        (allow(condition={"StringEquals": {"aws:userid": "${aws:userid}"}}), YES),
        (allow(condition={"StringEquals": {"s3:DataAccessPointAccount": "111122223333"}}), NO),
        (allow(condition={"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-east-1:111122223333:*"}}), NO),
        (allow(condition={"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-east-1:*:accesspoint/x"}}), YES),
        (allow(condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/r"}}), MAYBE),
        ({**allow(), "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}, NO),
        ({"Statement": []}, NO),
        (allow(condition={"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3"}}), YES),
        (allow(condition={"StringEquals": {"aws:SourceVpc": []}}), YES),
        (allow(condition={"StringEquals": {"aws:SourceVpc": 7}}), YES),
        (allow(condition={"StringEquals": "aws:SourceVpc"}), YES),
        (allow(condition={"IpAddress": {"aws:SourceIp": "everywhere"}}), YES),
        ({"Statement": [{"Effect": "Allow", "Principal": "*", "Condition": "none"}]}, MAYBE),
        ({"Statement": allow()["Statement"][0]}, YES),
        ({"Statement": ["Allow"]}, MAYBE),
        ({"Statement": "Allow"}, MAYBE),
        ([], MAYBE),
        ("[]", MAYBE),
        ("not json", MAYBE),
        ("[" * 100_000, MAYBE),
        ({"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"}}]}, YES),
    ],
)
def test_public_policy(document: Any, public: Truth) -> None:
    assert document_is_public(document) is public


def test_one_public_statement_makes_the_policy_public_and_a_deny_does_not_save_it() -> None:
    pinned = allow({"AWS": "111122223333"})["Statement"]
    deny = [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]
    assert document_is_public({"Statement": pinned + deny}) is NO
    assert document_is_public({"Statement": pinned + allow()["Statement"] + deny}) is YES


def test_an_access_point_policy_needs_a_fixed_access_point_name() -> None:
    document = allow(condition={"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-east-1:111122223333:*"}})
    assert document_is_public(document, access_point=True) is YES


def test_text_is_read_as_json() -> None:
    assert document_is_public(json.dumps(allow())) is YES
    assert document_is_public(json.dumps(allow()).encode()) is YES


@pytest.mark.parametrize(
    ("account", "bucket", "expected"),
    [(False, False, NO), (True, False, YES), (False, True, YES), (UNKNOWN, True, YES), (UNKNOWN, False, MAYBE)],
)
def test_the_most_restrictive_setting_counts(account: Any, bucket: Any, expected: Truth) -> None:
    places = (BlockPublicAccess(block_public_acls=account), BlockPublicAccess(block_public_acls=bucket))
    assert effective("BlockPublicAcls", places) is expected
    assert effective("IgnorePublicAcls", places) is NO

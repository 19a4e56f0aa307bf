"""Signed forms: AWS's own example, botocore's forms of both versions, and the same signed again."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.post_policy import resign_policy, verify_policy
from denyproxy.sigv4.refusals import Refusal

EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OURS = Credentials("AKIAOTHER", "another", "a-token")
NOW = datetime.now(UTC)

# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
POLICY = """{ "expiration": "2015-12-30T12:00:00.000Z",\r
  "conditions": [\r
    {"bucket": "sigv4examplebucket"},\r
    ["starts-with", "$key", "user/user1/"],\r
    {"acl": "public-read"},\r
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},\r
    ["starts-with", "$Content-Type", "image/"],\r
    {"x-amz-meta-uuid": "14365123651274"},\r
    {"x-amz-server-side-encryption": "AES256"},\r
    ["starts-with", "$x-amz-meta-tag", ""],\r
\r
    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},\r
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},\r
    {"x-amz-date": "20151229T000000Z" }\r
  ]\r
}"""
FORM = {
    "policy": base64.b64encode(POLICY.encode()).decode(),
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
    "x-amz-date": "20151229T000000Z",
    "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
}
THEN = datetime(2015, 12, 29, 1, tzinfo=UTC)


def lookup(access_key_id: str) -> Credentials | None:
    return {EXAMPLE.access_key_id: EXAMPLE, OURS.access_key_id: OURS}.get(access_key_id)


def made_by_botocore(version: str) -> dict[str, str]:
    s3: Any = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=EXAMPLE.access_key_id,
        aws_secret_access_key=EXAMPLE.secret_access_key,
        config=Config(signature_version=version),
    )
    form = s3.generate_presigned_post("photos", "me/${filename}", Conditions=[["content-length-range", 0, 9]])
    return {name.lower(): value for name, value in form["fields"].items()}


def refusal(fields: dict[str, str], now: datetime = THEN) -> str:
    found = verify_policy(fields, lookup, now)
    assert isinstance(found, Refusal)
    return found.code


def test_awss_example() -> None:
    assert verify_policy(FORM, lookup, THEN) == EXAMPLE


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_botocores_forms(version: str) -> None:
    fields = made_by_botocore(version)
    assert ("x-amz-signature" in fields) is (version == "s3v4")
    assert verify_policy(fields, lookup, NOW) == EXAMPLE
    assert refusal(fields, NOW + timedelta(hours=2)) == "AccessDenied"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"policy": base64.b64encode(POLICY.replace("user1", "user2").encode()).decode()}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": "8" * 64}, "SignatureDoesNotMatch"),
        ({"x-amz-signature": "é"}, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-2/s3/aws4_request"}, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "AKIAOTHER/20151229/us-east-1/s3/aws4_request"}, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "AKIANOBODY/20151229/us-east-1/s3/aws4_request"}, "InvalidAccessKeyId"),
        ({"x-amz-credential": "AKIAIOSFODNN7EXAMPLE"}, "InvalidArgument"),
        ({"x-amz-algorithm": "none"}, "InvalidArgument"),
    ],
)
def test_forms_that_are_refused(changes: dict[str, str], code: str) -> None:
    assert refusal({**FORM, **changes}) == code


def test_an_expired_policy() -> None:
    assert verify_policy(FORM, lookup, datetime(2015, 12, 30, 12, tzinfo=UTC)) == EXAMPLE
    assert refusal(FORM, datetime(2015, 12, 30, 12, 0, 1, tzinfo=UTC)) == "AccessDenied"


@pytest.mark.parametrize("fields", [FORM, made_by_botocore("s3")])
def test_signed_again(fields: dict[str, str]) -> None:
    """Verifies under the other credentials, keeps every condition but those on the signature, and states its own."""
    again = resign_policy(fields, OURS, region="eu-west-1", service="s3", now=THEN)
    assert verify_policy(again, lookup, THEN) == OURS
    before, after = (json.loads(base64.b64decode(form["policy"])) for form in (fields, again))
    assert after["expiration"] == before["expiration"]
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIAOTHER/20151229/eu-west-1/s3/aws4_request",
        "x-amz-date": "20151229T010000Z",
        "x-amz-security-token": "a-token",
    }
    assert after["conditions"][-4:] == [{name: value} for name, value in own.items()]
    assert own.items() <= again.items()
    names = {"x-amz-credential", "x-amz-algorithm", "x-amz-date"}
    kept = [one for one in before["conditions"] if not (isinstance(one, dict) and names & one.keys())]
    assert after["conditions"][:-4] == kept


def signed_in_version_2(document: str) -> dict[str, str]:
    policy = base64.b64encode(document.encode()).decode()
    digest = hmac.digest(EXAMPLE.secret_access_key.encode(), policy.encode(), "sha1")
    key_id, signature = EXAMPLE.access_key_id, base64.b64encode(digest).decode()
    return {"policy": policy, "awsaccesskeyid": key_id, "signature": signature}


@pytest.mark.parametrize("expiration", ["5", '["x"]', "null", "{}"])
def test_an_expiration_that_is_no_date_is_refused(expiration: str) -> None:
    fields = signed_in_version_2(f'{{"expiration": {expiration}, "conditions": []}}')
    assert refusal(fields) == "InvalidPolicyDocument"


def test_a_form_needs_the_keys_session_token() -> None:
    fields = signed_in_version_2('{"expiration": "2099-01-01T00:00:00Z", "conditions": []}')
    temporary = replace(EXAMPLE, session_token="right")

    def asked(**more: str) -> object:
        found = verify_policy({**fields, **more}, lambda _: temporary, NOW)
        return found.code if isinstance(found, Refusal) else found

    assert asked() == "InvalidAccessKeyId"
    assert asked(**{"x-amz-security-token": "wrong"}) == "InvalidToken"
    assert asked(**{"x-amz-security-token": "right"}) == temporary

"""What users read: every reason has plain words of its own, and S3's own refusals are told in S3's words."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from denyproxy.explain.model import Explanation
from denyproxy.explain.prose.refusals import duration
from denyproxy.explain.text import printable
from tests.explain.remedied import SCENARIOS
from tests.explain.test_scenarios import explain

ALICE = "arn:aws:iam::111122223333:user/alice"
SESSION = "arn:aws:sts::111122223333:assumed-role/node/i-1"
FOREIGN = "arn:aws:sts::444455556666:assumed-role/node/i-1"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def statement(**elements: Any) -> dict[str, Any]:
    return {"Version": elements.pop("Version", "2012-10-17"), "Statement": [{"Sid": "S", **READ, **elements}]}


def case(principal: str = ALICE, *, method: str = "GET", operation: str = "GetObject", **more: Any) -> dict[str, Any]:
    """A denied read of s3://b/a/k.txt in account 111122223333, by alice."""
    account = principal.split(":")[4] if principal.startswith("arn:") else None
    request: dict[str, Any] = {
        "operation": operation,
        "method": method,
        "bucket": "b",
        "key": "a/k.txt",
        "query": {},
        "headers": {},
        "region": "us-east-1",
        "principal": principal,
        "principal_account": account,
        "resource_account": "111122223333",
        "context": {},
    }
    request |= more.pop("request", {})
    response = {"status": 403, "code": "AccessDenied", "message": "Access Denied"} | more.pop("response", {})
    return {
        "id": "t",
        "title": "t",
        "source": "https://example.com",
        "request": request,
        "resource_state": more.pop("resource_state", {}),
        "policies": more.pop("policies", {}),
        "response": response,
        **more,
    }


def by_identity(document: dict[str, Any], **more: Any) -> Explanation:
    return explain(case(policies={"identity": [{"name": "P", "document": document}]}, **more))


def by_bucket(document: dict[str, Any], principal: str, **policies: Any) -> Explanation:
    allowed = {"identity": [{"name": "all", "document": statement(Action="s3:*", Resource="*")}]}
    return explain(case(principal, policies=allowed | {"bucket_policy": document} | policies))


@pytest.mark.parametrize(
    ("elements", "phrase"),
    [
        ({"Action": "s3:PutObject"}, "its Action (s3:PutObject) does not include s3:GetObject"),
        ({"Action": "GetObject"}, "its Action (GetObject) lacks the service; the action is s3:GetObject"),
        ({"Action": "s3:"}, "its Action (s3:) lacks the name of an action or a * at its end"),
        ({"Action": "s3:HeadObject"}, "s3:HeadObject is not an IAM action; the action is s3:GetObject"),
        ({"Resource": "arn:aws:s3:::b"}, "its Resource lists arn:aws:s3:::b, the bucket; objects are arn:aws:s3:::b/*"),
        (
            {"Resource": "arn:aws:s3:::b:*"},
            "its Resource (arn:aws:s3:::b:*) has a colon where arn:aws:s3:::b/a/k.txt has a slash",
        ),
        (
            {"Resource": "arn:aws:s3:::b/A/*"},
            "its Resource (arn:aws:s3:::b/A/*) differs from arn:aws:s3:::b/a/k.txt in upper and lower case",
        ),
        (
            {"Resource": "arn:aws:s3:::b/a/k.txt/"},
            "its Resource (arn:aws:s3:::b/a/k.txt/) and arn:aws:s3:::b/a/k.txt differ by a trailing slash",
        ),
        (
            {"Resource": "arn:aws:s3:::b/a/"},
            "its Resource (arn:aws:s3:::b/a/) lacks a * at its end to cover arn:aws:s3:::b/a/k.txt",
        ),
        (
            {"Resource": "arn:aws:s3:eu-west-1::b/*"},
            "its Resource (arn:aws:s3:eu-west-1::b/*) has a Region or an account, which no ARN of a bucket has: it is "
            "arn:aws:s3:::b/a/k.txt",
        ),
        (
            {"Resource": "arn:aws:s3::111122223333:b/*"},
            "its Resource (arn:aws:s3::111122223333:b/*) has a Region or an account, which no ARN of a bucket has: it "
            "is arn:aws:s3:::b/a/k.txt",
        ),
        (
            {"Resource": "arn:aws-cn:s3:::b/*"},
            "its Resource (arn:aws-cn:s3:::b/*) is of another AWS partition than arn:aws:s3:::b/a/k.txt",
        ),
        ({"Resource": "b/*"}, "its Resource (b/*) is no ARN, so it cannot match arn:aws:s3:::b/a/k.txt"),
        (
            {"Resource": "arn:aws:s3:::${aws:PrincipalTag/team}/*"},
            "the policy variable in arn:aws:s3:::${aws:PrincipalTag/team}/* cannot be resolved: this request has no "
            "aws:PrincipalTag/team, which is a tag that the caller does not have",
        ),
        (
            {"Resource": "arn:aws:s3:::b/${aws:username}/*"},
            "with the caller's aws:username (alice) in its place, arn:aws:s3:::b/${aws:username}/* does not match "
            "arn:aws:s3:::b/a/k.txt",
        ),
        (
            {"Version": "2008-10-17", "Resource": "arn:aws:s3:::b/${s3:prefix, 'a'}/*"},
            "the document has no Version 2012-10-17, so policy variables in "
            "arn:aws:s3:::b/${s3:prefix, 'a'}/* are literal "
            "text",
        ),
        (
            {"Condition": {"StringEquals": {"s3:prefix": ["", "home/"]}}},
            'its condition (StringEquals s3:prefix "" or "home/") needs s3:prefix, which S3 never '
            "sets for s3:GetObject",
        ),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:t"}}},
            'its condition (ArnLike aws:SourceArn "arn:aws:sns:*:*:t") needs aws:SourceArn, which only requests by AWS '
            "services have",
        ),
        (
            {"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}},
            'its condition (StringEquals aws:SourceVpce "vpce-1") needs aws:SourceVpce, which only requests through a '
            "VPC endpoint have",
        ),
        (
            {"Condition": {"StringEquals": {"aws:SourceVPCEndpoint": "vpce-1"}}},
            'its condition (StringEquals aws:SourceVPCEndpoint "vpce-1") needs aws:SourceVPCEndpoint, which is no '
            "condition key",
        ),
        (
            {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
            'its condition (Bool aws:MultiFactorAuthPresent "true") needs aws:MultiFactorAuthPresent, which requests '
            "signed with long-term access keys never have, and those of sessions may lack",
        ),
        (
            {"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}},
            'its condition (StringEquals s3:ExistingObjectTag/team "blue") needs s3:ExistingObjectTag/team, which is a '
            "tag that the object does not have",
        ),
        (
            {"Condition": {"StringEquals": {"aws:username": "ali*"}}},
            'the wildcard in its condition (StringEquals aws:username "ali*") is literal text to StringEquals, and '
            'aws:username is "alice"; only the Like operators have wildcards',
        ),
        (
            {"Condition": {"StringEquals": {"aws:username": ["bob", "carla"]}}},
            'its condition (StringEquals aws:username "bob" or "carla") does not hold: aws:username is "alice"',
        ),
        (
            {"Condition": {"Null": {"aws:username": "true"}}},
            'its condition (Null aws:username "true") wants no aws:username, and the request has "alice"',
        ),
        (
            {"Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}},
            'its condition (DateLessThan aws:CurrentTime "tomorrow") has a value that DateLessThan cannot read, so '
            "nothing matches",
        ),
    ],
)
def test_why_a_statement_of_the_caller_does_not_allow(elements: dict[str, Any], phrase: str) -> None:
    summary = by_identity(statement(**elements)).summary
    assert summary == (
        f"No identity-based policy allows s3:GetObject on arn:aws:s3:::b/a/k.txt; nearest is "
        f"statement S of P: {phrase}."
    )


@pytest.mark.parametrize(
    ("named", "phrase"),
    [
        (
            {"AWS": "arn:aws:iam::444455556666:role/pod"},
            f"its Principal names arn:aws:iam::444455556666:role/pod, and the caller is signed in as "
            f"role node ({FOREIGN})",
        ),
        (
            {"AWS": "AROAEXAMPLEID"},
            "its Principal (AROAEXAMPLEID) is the id of a principal that existed before and was "
            "deleted; one made again "
            "under the same name is another principal",
        ),
        (
            {"AWS": "arn:aws:iam::444455556666:role/no*"},
            "its Principal (arn:aws:iam::444455556666:role/no*) has a wildcard within an ARN, which matches nobody; "
            "aws:PrincipalArn in a condition can have one",
        ),
        (
            {"AWS": "arn:aws:iam::444455556666:group/nodes"},
            "its Principal (arn:aws:iam::444455556666:group/nodes) is a group, which cannot be a "
            "principal; name its users",
        ),
        (
            {"AWS": "arn:aws:iam::444455556666:role/apps/node"},
            "its Principal (arn:aws:iam::444455556666:role/apps/node) has another path than the caller's role node",
        ),
        (
            {"AWS": "arn:aws:sts::444455556666:assumed-role/node/i-2"},
            "its Principal (arn:aws:sts::444455556666:assumed-role/node/i-2) names one session of the role, and this "
            f"session has another name ({FOREIGN})",
        ),
        ({"AWS": "777788889999"}, f"its Principal (777788889999) names another account than {FOREIGN}"),
        (
            {"Service": "lambda.amazonaws.com"},
            "its Principal names lambda.amazonaws.com acting as itself, and the caller is signed in as role node "
            f"({FOREIGN})",
        ),
    ],
)
def test_why_a_statement_of_the_bucket_does_not_name_the_caller(named: dict[str, str], phrase: str) -> None:
    explanation = by_bucket(statement(Principal=named), FOREIGN)
    assert explanation.summary == (
        "No resource-based policy (the bucket policy) allows s3:GetObject on arn:aws:s3:::b/a/k.txt; nearest is "
        f"statement S: {phrase}."
    )
    assert "Caller and resource are of different accounts: the policies of both have to allow it." in explanation.notes


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        (
            {"Principal": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}},
            " because the request has no aws:SourceVpce, which only requests through a VPC endpoint "
            "have (its condition: "
            'StringNotEquals aws:SourceVpce "vpce-1" or "vpce-2")',
        ),
        (
            {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
            " to arn:aws:iam::111122223333:root, which means everyone of that account",
        ),
        (
            {"Principal": {"AWS": ["444455556666", "111122223333"]}},
            " to 444455556666, 111122223333, of which 111122223333 means everyone of that account",
        ),
        ({"Principal": {"AWS": [SESSION, "444455556666"]}}, f" to {SESSION}, 444455556666"),
        ({"Principal": "*", "Resource": "arn:aws:s3:::b/a/*"}, " because its Resource (arn:aws:s3:::b/a/*) covers it"),
        (
            {"Principal": "*", "NotAction": "s3:PutObject", "Resource": "*"},
            " because its NotAction (s3:PutObject) does not list it",
        ),
        (
            {"Principal": "*", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/public/*"},
            " because its NotResource (arn:aws:s3:::b/public/*) does not list it",
        ),
        ({"Principal": "*", "Action": "s3:Get*", "Resource": "*"}, " because its Action (s3:Get*) includes it"),
        (
            {"NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:role/node", "111122223333"]}},
            ": its NotPrincipal (arn:aws:iam::111122223333:role/node, 111122223333) names the role, "
            "but has to name the "
            f"session as well ({SESSION})",
        ),
        (
            {
                "Principal": "*",
                "Condition": {"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/n*"}},
            },
            ": the wildcard in its condition (StringNotEquals aws:PrincipalArn "
            '"arn:aws:iam::111122223333:role/n*") is literal text to StringNotEquals, and aws:PrincipalArn is '
            '"arn:aws:iam::111122223333:role/node"; only the Like operators have wildcards',
        ),
        (
            {
                "Principal": "*",
                "Condition": {"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/Node"}},
            },
            ' because aws:PrincipalArn is "arn:aws:iam::111122223333:role/node" (its condition: StringNotEquals '
            'aws:PrincipalArn "arn:aws:iam::111122223333:role/Node"): its aws:PrincipalArn '
            "(arn:aws:iam::111122223333:role/Node) differs from arn:aws:iam::111122223333:role/node in upper and "
            "lower case",
        ),
        (
            {"Principal": "*", "Condition": {"StringNotLike": {"aws:PrincipalArn": "*/${aws:username}"}}},
            ' because aws:PrincipalArn is "arn:aws:iam::111122223333:role/node" (its condition: StringNotLike '
            'aws:PrincipalArn "*/${aws:username}"): the policy variable in */${aws:username} cannot be resolved: '
            "this request has no aws:username, which only IAM users have",
        ),
        (
            {
                "Principal": "*",
                "NotResource": ["arn:aws:s3:::b/public/*", "arn:aws:s3:::b/${aws:username}/*"],
            },
            " because its NotResource (arn:aws:s3:::b/public/*, arn:aws:s3:::b/${aws:username}/*) does not list it: "
            "the policy variable in arn:aws:s3:::b/public/*, arn:aws:s3:::b/${aws:username}/* cannot be resolved: "
            "this request has no aws:username, which only IAM users have",
        ),
    ],
)
def test_why_a_deny_applies(elements: dict[str, Any], why: str) -> None:
    deny = statement(**elements, Effect="Deny")
    if "NotAction" in elements:
        del deny["Statement"][0]["Action"]
    if "NotResource" in elements:
        del deny["Statement"][0]["Resource"]
    assert by_bucket(deny, SESSION).summary == (
        "Explicit deny in a resource-based policy (the bucket policy): statement S denies s3:GetObject on "
        f"arn:aws:s3:::b/a/k.txt{why}."
    )


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (
            {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}, "NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
            'NotIpAddress aws:SourceIp "192.0.2.0/24"',
        ),
        (
            {"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}, "StringNotEquals": {"aws:PrincipalTag/team": "a"}},
            'StringNotEquals aws:PrincipalTag/team "a"',
        ),
        (
            {"StringLike": {"aws:RequestedRegion": "*"}, "StringNotLike": {"aws:PrincipalArn": "*:role/b"}},
            'StringNotLike aws:PrincipalArn "*:role/b"',
        ),
        (
            {"StringLike": {"aws:RequestedRegion": "us-*"}, "StringNotLike": {"aws:PrincipalArn": "*:role/b"}},
            'StringLike aws:RequestedRegion "us-*"',
        ),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, 'IpAddress aws:SourceIp "0.0.0.0/0"'),
    ],
)
def test_a_condition_that_holds_for_every_value_says_least(condition: dict[str, Any], told: str) -> None:
    deny = statement(Principal="*", Effect="Deny", Condition=condition)
    identity = [{"name": "all", "document": statement(Action="s3:*", Resource="*")}]
    policies = {"bucket_policy": deny, "identity": identity}
    explanation = explain(case(SESSION, request={"context": {"aws:SourceIp": "198.51.100.1"}}, policies=policies))
    assert f"(its condition: {told})" in explanation.summary


@pytest.mark.parametrize("seen", ["198.51.100.1", "10.9.0.1"])
def test_a_private_network_is_said_to_be_no_source_on_the_internet(seen: str) -> None:
    condition = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/16", "192.0.2.0/24"]}}
    policies = {"identity": [{"name": "P", "document": statement(Condition=condition)}]}
    explanation = explain(case(request={"context": {"aws:SourceIp": seen}}, policies=policies))
    note = (
        "aws:SourceIp is the public address that a request comes from, never one of 10.0.0.0/16: a private address is "
        "seen as aws:VpcSourceIp alone, of a request through a VPC endpoint."
    )
    assert (note in explanation.notes) is (seen != "10.9.0.1")


def test_before_version_2012_a_variable_in_a_deny_is_literal_text() -> None:
    condition = {"StringNotLike": {"aws:PrincipalArn": "*${aws:PrincipalArn}"}}
    deny = statement(Principal="*", Effect="Deny", Condition=condition, Version="2008-10-17")
    assert by_bucket(deny, SESSION).summary.endswith(
        '(its condition: StringNotLike aws:PrincipalArn "*${aws:PrincipalArn}"): the document has no Version '
        "2012-10-17, so policy variables in *${aws:PrincipalArn} are literal text."
    )


def test_of_a_variable_that_is_not_known_the_condition_is_still_told_by_its_own_key() -> None:
    deny = statement(Principal="*", Effect="Deny", Condition={"StringNotLike": {"aws:PrincipalArn": "*/${aws:userid}"}})
    identity = [{"name": "all", "document": statement(Action="s3:*", Resource="*")}]
    policies = {"bucket_policy": deny, "identity": identity}
    summary = explain(case(SESSION, policies=policies, unknown=["aws:userid"])).summary
    assert 'StringNotLike aws:PrincipalArn "*/${aws:userid}"' in summary
    assert "StringNotLike aws:userid" not in summary
    assert 'aws:userid is "arn:' not in summary
    assert "aws:userid was" not in summary


def test_a_variable_that_has_its_default_is_told_so() -> None:
    document = statement(Resource="arn:aws:s3:::b/${aws:PrincipalTag/team, 'all'}/*")
    assert by_identity(document).summary.endswith(
        "this request has no aws:PrincipalTag/team, which is a tag that the caller does not have, and with the default "
        "in its place, arn:aws:s3:::b/${aws:PrincipalTag/team, 'all'}/* does not match arn:aws:s3:::b/a/k.txt."
    )


@pytest.mark.parametrize("principal", ["anonymous", "logging.s3.amazonaws.com", "arn:aws:iam::cloudfront:user/C E1"])
def test_of_a_caller_without_an_account_only_the_resource_has_to_allow(principal: str) -> None:
    document = statement(Principal="*", Resource="arn:aws:s3:::b/other/*")
    explanation = explain(case(principal, policies={"bucket_policy": document}))
    assert explanation.cause is not None
    assert explanation.cause.layer == "bucket-policy"
    assert not any("different accounts" in note for note in explanation.notes)


def test_an_operator_that_is_not_one_is_named() -> None:
    summary = by_identity(statement(Condition={"StringEquls": {"aws:username": "alice"}})).summary
    assert "its condition has an operator that is not one of IAM's (StringEquls)" in summary


def test_of_two_conditions_on_one_key_the_one_that_fails_is_told() -> None:
    conditions = {
        "ForAllValues:StringEquals": {"aws:PrincipalTag/team": "blue"},
        "Null": {"aws:PrincipalTag/team": "false"},
    }
    assert (
        'its condition (Null aws:PrincipalTag/team "false") needs'
        in by_identity(statement(Condition=conditions)).summary
    )


def test_sids_with_spaces_are_quoted_and_statements_without_one_are_counted() -> None:
    document = statement(Action="s3:PutObject")
    document["Statement"][0]["Sid"] = "Write to it"
    assert 'nearest is statement "Write to it" of P' in by_identity(document).summary
    del document["Statement"][0]["Sid"]
    assert "nearest is Statement[0] of P" in by_identity(document).summary


def test_a_cause_by_elimination_tells_what_the_403_shows() -> None:
    deny = statement(
        Effect="Deny", Principal="*", Condition={"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}
    )
    policies = {
        "identity": [{"name": "all", "document": statement(Action="s3:*", Resource="*")}],
        "bucket_policy": deny,
    }
    explanation = explain(case(policies=policies, unknown=["aws:SourceVpce"], resource_state={"object": {}}))
    assert not explanation.certain
    assert explanation.summary == (
        "By elimination: Explicit deny in a resource-based policy (the bucket policy): statement S "
        "denies s3:GetObject on "
        'arn:aws:s3:::b/a/k.txt if its condition holds (StringNotEquals aws:SourceVpce "vpce-1" or "vpce-2"): '
        'aws:SourceVpce is not known, so aws:SourceVpce was not "vpce-1" or "vpce-2".'
    )
    allow = statement(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})
    explanation = explain(
        case(
            policies={"identity": [{"name": "P", "document": allow}]},
            unknown=["aws:SourceVpce"],
            resource_state={"object": {}},
        )
    )
    assert explanation.summary.endswith(', so aws:SourceVpce was not "vpce-1".')


def test_a_rule_in_doubt_is_named() -> None:
    deny = statement(
        Effect="Deny", Principal="*", Condition={"ForAllValues:StringNotEquals": {"aws:PrincipalTag/team": "blue"}}
    )
    explanation = by_bucket(deny, ALICE)
    assert not explanation.certain
    assert explanation.notes == (
        "Not certain: AWS's own pages disagree, or do not say, whether ForAllValues with a negated "
        "operator holds for a "
        "key that is absent.",
    )


def test_a_missing_key_is_told_in_one_sentence() -> None:
    explanation = by_identity(statement(), resource_state={"object": None})
    assert explanation.summary == (
        'The key "a/k.txt" is missing, or was just deleted (reading it is allowed), and S3 says 404 '
        "only to callers who "
        "may list the bucket: no identity-based policy allows s3:ListBucket on arn:aws:s3:::b; "
        "nearest is statement S of "
        "P: its Action (s3:GetObject) does not include s3:ListBucket."
    )


@pytest.mark.parametrize(
    ("code", "message", "elements", "summary"),
    [
        (
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            {"RequestTime": "20260501T120000Z", "ServerTime": "2026-05-01T12:16:01Z"},
            "The difference between the request time and the current time is too large: the clock that signed it is 16 "
            "minutes 1 second behind S3's (signed at 2026-05-01T12:00:00Z, received at "
            "2026-05-01T12:16:01Z); no policy "
            "was evaluated.",
        ),
        (
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            {"AWSAccessKeyId": "ASIAGONE"},
            "The AWS Access Key Id you provided does not exist in our records: S3 does not know ASIAGONE (it is a "
            "temporary one: is its session token sent?); no policy was evaluated.",
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            {},
            "The request signature we calculated does not match the signature you provided: the secret access key is "
            "wrong, or the request was changed after it was signed; no policy was evaluated.",
        ),
        (
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            {"StorageClass": "GLACIER"},
            "The operation is not valid for the object's storage class (GLACIER): the object is archived and must be "
            "restored before it can be read; policies allow the read.",
        ),
        (
            "AllAccessDisabled",
            "All access to this object has been disabled",
            {},
            "S3 refuses it for a reason of the account or the resource, AllAccessDisabled: All "
            "access to this object has "
            "been disabled; no policy is the reason.",
        ),
        (
            "AccessDenied",
            "Invalid according to Policy: Policy expired.",
            {},
            "Invalid according to Policy: Policy expired; it is the form's own POST policy document, no IAM policy.",
        ),
        (
            "AccessDenied",
            "There were headers present in the request which were not signed",
            {"HeadersNotSigned": "x-amz-acl, x-amz-tagging"},
            "There were headers present in the request which were not signed: x-amz-acl, x-amz-tagging; no policy was "
            "evaluated.",
        ),
        (
            "AccessDenied",
            "Mfa Authentication must be used for this request",
            {},
            "Mfa Authentication must be used for this request: the bucket has MFA delete.",
        ),
    ],
)
def test_what_no_policy_decides_is_told_in_the_words_of_s3(
    code: str, message: str, elements: dict[str, str], summary: str
) -> None:
    body = "".join(f"<{name}>{text}</{name}>" for name, text in elements.items())
    document = f"<Error><Code>{code}</Code><Message>{message}</Message>{body}</Error>"
    explanation = explain(case(response={"code": code, "message": message, "body": document}))
    assert (explanation.verdict.value, explanation.certain) == ("not-policy", True)
    assert explanation.summary == summary


@pytest.mark.parametrize(
    ("code", "owner", "words", "certain_of_no_policy"),
    [
        ("AllAccessDisabled", "caller", "Ask the owner of the account, or AWS Support, to enable it again.", True),
        (
            "CrossLocationLoggingProhibitted",
            "caller",
            "Name a target bucket for the logs that is in the Region of the bucket itself.",
            True,
        ),
        (
            "LambdaPermissionError",
            "identity admin",
            "Allow lambda:InvokeFunction on the function of the Object Lambda access point.",
            False,
        ),
    ],
)
def test_what_helps_is_told_by_the_code_that_s3_gives(
    code: str, owner: str, words: str, certain_of_no_policy: bool
) -> None:
    allows = {"identity": [{"name": "P", "document": statement()}]}
    explanation = explain(case(response={"code": code, "message": "Refused"}, policies=allows))
    assert [(fix.owner, fix.summary) for fix in explanation.fixes] == [(owner, words)]
    assert explanation.summary.endswith("; no policy is the reason.") is certain_of_no_policy


def found(name: str) -> Explanation:
    return explain(SCENARIOS[name])


def test_a_header_that_was_signed_is_to_be_sent_and_the_host_to_be_signed() -> None:
    absent, unsigned = found("sig-i02"), found("sig-i01")
    assert "the request does not have x-amz-acl, which its signature covers; no policy" in absent.summary
    assert absent.fixes[0].summary == "Send x-amz-acl as it was signed, or sign the request without it."
    assert unsigned.fixes[0].summary.startswith("Name host in the SignedHeaders of the signature")
    assert not any("do not send host" in fix.summary.lower() for fix in unsigned.fixes)


def test_neither_folders_on_the_way_to_ones_own_nor_other_names_are_said_to_lack_a_wildcard() -> None:
    for name in ("var-i01", "arn-i01", "prn-i03"):
        explanation = found(name)
        assert "lack" not in explanation.summary
        assert not any("plainly meant" in fix.summary or "or add" in fix.summary for fix in explanation.fixes)


def test_the_values_of_variables_are_told_beside_what_they_are_compared_with() -> None:
    assert 's3:prefix is "home/John/", and aws:userid is "AROAXXT2NJT7D3SIQN7Z6:John".' in found("var-i01").summary
    assert 's3:prefix is "red/", and aws:PrincipalTag/team is "blue".' in found("var-f08").summary


def test_of_what_lies_in_a_bucket_it_is_not_said_that_it_is_the_bucket() -> None:
    assert "its Resource (arn:aws:s3:::*/public/*) does not cover" in found("arn-i02").summary


def test_who_is_left_where_a_bucket_policy_denies_its_own_change() -> None:
    (fix,) = found("net-i01").fixes
    assert "(the root user of account 111122223333 can replace the policy whatever it says)" in fix.summary


def test_an_address_is_in_a_block_or_not() -> None:
    condition = {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    deny = statement(Sid="Net", Effect="Deny", Principal="*", Condition=condition)
    admin = {"identity": [{"name": "P", "document": statement()}], "bucket_policy": deny}
    document = case(policies=admin, unknown=["aws:SourceIp"], resource_state={"object": {}})
    assert explain(document).summary.endswith('so aws:SourceIp was not in "203.0.113.0/24".')


def test_a_statement_without_a_sid_is_told_by_where_it_stands() -> None:
    assert "from the Deny of Statement[1] in the bucket policy" in found("prn-i02").fixes[0].summary


def test_of_a_request_that_is_no_operation_nothing_is_said_to_be_allowed() -> None:
    control = "111122223333.s3-control.us-east-1.amazonaws.com"
    target = "/v20180820/accessgrantsinstance/dataaccess?target=s3%3A%2F%2Fb%2Fx%2A&permission=READ"
    document = case(response={"code": "AccessDenied", "message": "You do not have READ permissions"})
    document["request"] = {
        "raw": {"method": "GET", "target": target, "headers": [["Host", control]]},
        "principal": "arn:aws:iam::111122223333:user/alice",
        "principal_account": "111122223333",
    }
    explanation = explain(document)
    assert (explanation.verdict.value, explanation.certain) == ("unexplained", False)
    assert explanation.summary == (
        "No operation of S3 that is known here looks like this request, so that no policy was asked about it."
    )


@pytest.mark.parametrize("name", ["anon-d01", "svc-d03"])
def test_only_of_a_caller_with_policies_both_sides_have_to_allow(name: str) -> None:
    assert not any("policies of both" in note for note in explain(SCENARIOS[name]).notes)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=-61), "1 minute 1 second"),
        (timedelta(hours=15, minutes=18, seconds=57), "15 hours 18 minutes"),
        (timedelta(days=2, minutes=5), "2 days"),
        (timedelta(days=1, hours=1, minutes=5), "1 day 1 hour"),
    ],
)
def test_durations(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_a_terminal_is_sent_no_control_characters_of_others() -> None:
    assert printable("a\x1b[2Jb\x9b\u202e\n") == "a\\x1b[2Jb\\x9b\\x202e\n"
    assert printable("plain, é and 日本") == "plain, é and 日本"


@pytest.mark.parametrize(
    ("stated", "named", "is_another"),
    [
        (ALICE, "arn:aws:iam::111122223333:user/bob", True),
        (ALICE, ALICE, False),
        (SESSION, "arn:aws:sts::111122223333:assumed-role/node/i-2", True),
        ("arn:aws:iam::111122223333:role/apps/node", SESSION, False),
        ("arn:aws:iam::111122223333:role/apps/pod", SESSION, True),
    ],
)
def test_other_credentials_than_those_stated_are_told(stated: str, named: str, is_another: bool) -> None:
    message = (
        f'User: {named} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/a/k.txt" because no '
        "identity-based policy allows the s3:GetObject action"
    )
    notes = explain(case(stated, response={"message": message})).notes
    assert any(note.startswith(f"S3 names another caller, {named}: ") for note in notes) is is_another


def test_whether_a_session_whose_name_is_not_known_is_meant_is_not_known() -> None:
    allow = statement(Principal={"AWS": FOREIGN})
    role = "arn:aws:iam::444455556666:role/node"
    explanation = by_bucket(allow, role)
    assert not explanation.certain
    assert explanation.candidates[0].sentence.endswith(
        f"nearest is statement S: whether its Principal ({FOREIGN}) names {role} is not known."
    )


SCP = "arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-examplepolicyid"


@pytest.mark.parametrize(
    ("layer", "reason", "summary", "policy"),
    [
        (
            "scp",
            f"with an explicit deny in a service control policy: {SCP}",
            f"S3 names an explicit deny in a service control policy ({SCP}) for s3:GetObject on "
            "arn:aws:s3:::b/a/k.txt; policies of that kind are not loaded here, or not all.",
            SCP,
        ),
        (
            "vpc-endpoint-policy",
            "because no VPC endpoint policy allows the s3:GetObject action",
            "S3 says that no VPC endpoint policy allows s3:GetObject on arn:aws:s3:::b/a/k.txt; policies of that kind "
            "are not loaded here, or not all.",
            "VPC endpoint policy",
        ),
    ],
)
def test_what_s3_says_of_policies_that_are_not_loaded_is_told(
    layer: str, reason: str, summary: str, policy: str
) -> None:
    message = f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/a/k.txt" {reason}'
    explanation = by_identity(statement(), response={"message": message}, unknown=[layer])
    assert (explanation.verdict.value, explanation.certain) == ("policies-missing", False)
    assert explanation.summary == summary
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.policy) == (layer, policy)


def test_a_trust_policy_is_the_policy_of_the_role() -> None:
    role = "arn:aws:iam::444455556666:role/x"
    message = (
        f"User: {ALICE} is not authorized to perform: sts:AssumeRole on resource: {role} because no role trust policy "
        "allows the sts:AssumeRole action"
    )
    document = case(
        response={"message": message},
        policies={"identity": [{"name": "P", "document": statement(Action="*", Resource="*")}]},
    )
    document["request"] = {
        "action": "sts:AssumeRole",
        "resource": role,
        "region": "us-east-1",
        "principal": ALICE,
        "principal_account": "111122223333",
        "resource_account": "444455556666",
    }
    explanation = explain(document)
    assert (explanation.verdict.value, explanation.certain) == ("implicit-deny", True)
    assert explanation.cause is not None
    assert explanation.cause.layer == "resource-policy"


@pytest.mark.parametrize(
    ("name", "policy", "caller"),
    [
        ("bpa-b02", "bucket policy", "arn:aws:iam::444455556666:role/partner-etl"),
        ("bpa-b04", "access point policy", "arn:aws:iam::444455556666:user/tenant2"),
    ],
)
def test_of_two_policies_the_one_that_is_public_is_named(name: str, policy: str, caller: str) -> None:
    explanation = explain(SCENARIOS[name])
    assert explanation.summary.startswith(f"The {policy} is public, and the RestrictPublicBuckets setting")
    assert explanation.fixes[0].target == policy
    assert explanation.fixes[0].summary == (
        f"In each statement of the {policy} that allows everyone, name those who are meant as its Principal instead "
        f"({caller} in one that is to allow this request), so that the policy is no longer public and "
        "RestrictPublicBuckets no longer applies."
    )
    assert not explanation.fixes[0].least_privilege


def test_where_public_access_is_restricted_an_acl_is_what_could_grant_it_all_the_same() -> None:
    explanation = explain({**SCENARIOS["bpa-f05"], "unknown": ["acl"]})
    (candidate,) = (cause for cause in explanation.candidates if cause.layer == "block-public-access")
    assert candidate.unknowns == ("object ownership of bucket my-site", "ACL of the object my-site/index.html")
    assert candidate.why == f"depends on {', '.join(candidate.unknowns)}"


def test_the_encryption_context_of_a_bucket_key_is_explained() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html"""
    assert explain(SCENARIOS["kms-f05"]).notes == (
        "With an S3 Bucket Key, the encryption context has the ARN of the bucket in place of that of the object, so "
        "that a policy cannot tell the bucket's objects apart by it.",
    )
    assert explain(SCENARIOS["kms-c01"]).notes == (), "each object has its own"


@pytest.mark.parametrize(("code", "is_told"), [("AccessDenied", True), ("RequestTimeTooSkewed", False)])
def test_what_a_tool_asks_for_unseen_is_told_where_permission_is_the_matter(code: str, is_told: bool) -> None:
    request = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2"}}
    notes = explain(case(request=request, response={"status": 403, "code": code, "message": ""})).notes
    assert any(note.startswith("Tools list the bucket") for note in notes) is is_told


def test_an_access_point_is_called_one() -> None:
    assert explain(SCENARIOS["ap-h02"]).summary.endswith(
        "its Resource lists arn:aws:s3:us-east-1:111122223333:accesspoint/ro/*, the objects; this action is authorized "
        "on the access point, arn:aws:s3:us-east-1:111122223333:accesspoint/ro."
    )


def test_a_restore_is_refused_for_what_is_not_archived() -> None:
    """https://github.com/getmoto/moto/pull/4670 has S3's answer."""
    explanation = explain(SCENARIOS["arc-h01"])
    assert explanation.summary == (
        "Restore is not allowed for the object's current storage class: the object is not archived, so that there is "
        "nothing to restore; policies allow the request."
    )
    assert explanation.fixes[0].summary == "Read the object as it is: only what is archived is restored."


@pytest.mark.parametrize(
    ("name", "line", "value"),
    [("sig-b01", "header range", "bytes=0-5242879"), ("sig-f09", "header host", "localhost:9000")],
)
def test_what_differs_from_what_was_signed_is_told_in_words(name: str, line: str, value: str) -> None:
    explanation = explain(SCENARIOS[name])
    assert f'in its {line} (signed as "{value}", received as ' in explanation.summary
    assert explanation.fixes[0].summary == f"Sign the request as it is sent: its {line} is not what was signed."


@pytest.mark.parametrize(
    ("name", "parameter"), [("exp-f01", "a longer X-Amz-Expires"), ("exp-f03", "a later Expires (")]
)
def test_a_url_is_made_anew_with_the_parameter_of_its_signature_version(name: str, parameter: str) -> None:
    assert f"or with {parameter}" in explain(SCENARIOS[name]).fixes[0].summary


def test_a_form_whose_policy_has_expired_needs_a_new_one() -> None:
    assert explain(SCENARIOS["exp-h02"]).fixes[0].summary == (
        "Sign a new policy for the form, with a later expiration: this one has expired."
    )


@pytest.mark.parametrize(
    ("sid", "told"),
    [({}, "Statement[0]"), ({"Sid": "S"}, "statement S"), ({"Sid": "No reads"}, 'statement "No reads"')],
)
def test_a_fix_tells_of_a_statement_as_the_sentence_does(sid: dict[str, str], told: str) -> None:
    deny = {**sid, "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/a/*"}
    (fix,) = by_bucket({"Version": "2012-10-17", "Statement": [deny]}, ALICE).fixes
    assert f" from the Deny of {told} in the bucket policy" in fix.summary


def test_all_headers_that_the_signature_lacks_are_named() -> None:
    assert explain(SCENARIOS["sig-b02"]).fixes[0].summary == (
        "Do not send x-amz-meta-s1 and x-amz-tagging, or name them in the SignedHeaders of the signature."
    )


def test_a_line_that_was_not_signed_is_told_in_words() -> None:
    assert (
        explain(SCENARIOS["sig-f12"]).fixes[0].summary
        == "Sign the request as it is sent: its header content-type is not what was signed."
    )


def test_an_expired_url_of_signature_version_2_is_told_its_own_parameter() -> None:
    assert explain(SCENARIOS["exp-b01"]).fixes[0].summary == (
        "Make a new presigned URL when it is needed, or with a later Expires (with session credentials it ends when "
        "they do)."
    )


def test_an_alias_is_not_the_key() -> None:
    assert explain(SCENARIOS["kms-f08"]).summary.endswith(
        "its Resource (arn:aws:kms:us-east-1:111122223333:alias/app) is an alias, and the use of a key is authorized "
        "on the key, arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab."
    )


def test_a_bucket_whose_arn_has_a_region_is_written_without() -> None:
    *_, meant = explain(SCENARIOS["arn-a03"]).fixes
    assert meant.verified
    assert meant.summary.startswith(
        "In statement BucketEvents of policy s3source write Resource arn:aws:s3:::tm-demo-bucket instead of "
        "arn:aws:s3:us-west-2:111122223333:tm-demo-bucket"
    )


def test_of_a_session_it_is_the_role_that_has_a_path() -> None:
    assert explain(SCENARIOS["ap-b03"]).summary.endswith(
        "its Principal (arn:aws:iam::444455556666:role/DataPipelineRole) has another path than the caller's role "
        "DataPipelineRole."
    )


def test_of_a_copy_the_source_is_to_be_restored() -> None:
    assert explain(SCENARIOS["arc-f01"]).fixes[0].summary == (
        "Restore the source object cold/a (RestoreObject, s3:RestoreObject), and copy it once it is restored."
    )


@pytest.mark.parametrize(("others", "is_told"), [((), True), (("arn:aws:s3:us-east-1:1:accesspoint/x",), False)])
def test_a_request_through_an_access_point_is_authorized_on_the_access_point(
    others: tuple[str, ...], is_told: bool
) -> None:
    document = copy.deepcopy(SCENARIOS["mrap-d01"])
    document["policies"]["identity"][0]["document"]["Statement"][0]["Resource"] = ["arn:aws:s3:::b-use1/*", *others]
    summary = explain(document).summary
    assert "does not cover arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap/object/a/b.txt" in summary
    told = ": what goes through an access point is authorized on the access point, not on its bucket."
    assert summary.endswith(told) is is_told

"""What the caller is told to change: only what helps, all that belongs together, and nothing that is made up."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from denyproxy.explain.model import Fix
from denyproxy.iam.truth import UNKNOWN, Unknown
from tests.explain.remedied import EXPLAINER, SCENARIOS, Document, allowed, explained, fixes_of, patched
from tests.explain.test_explainer import ALLOW_ALL, BUCKET, call, head, policies, world
from tests.explain.test_fixes import ALL, PUT, SSE, demands, document, first, identity, only_value, scenario

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = identity({**ALL, "Action": "*"})


def denied(statement: Document, context: Mapping[str, str | None] | None = None, /, **request: Any) -> Document:
    """All is allowed but for one statement of the bucket policy."""
    return scenario(
        request={"context": context or {}, **request},
        policies={"identity": EVERYTHING, "bucket_policy": document(statement)},
    )


def told(fix: Fix) -> tuple[str, bool, bool]:
    return fix.owner, fix.verified, fix.least_privilege


# Tags


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "tag-f05",
            "Only if the object truly is GuardDutyMalwareScanStatus = NO_THREATS_FOUND, have it tagged so, as "
            "statement NoReadUnlessClean demands, by whoever attests that.",
        ),
        (
            "tag-f04",
            "Only if the object truly is Project = blue, have it tagged so, as statement Project demands, by whoever "
            "attests that.",
        ),
        ("prn-f13", "Only if the caller truly is team = blue, tag it so, as statement BlueOnly demands."),
    ],
)
def test_a_tag_is_never_forged_for_the_sake_of_a_request(name: str, words: str) -> None:
    fixes = fixes_of(SCENARIOS[name])
    assert [fix.summary for fix in fixes].index(words) == len(fixes) - 1 > 0
    assert not fixes[-1].verified
    assert not fixes[-1].least_privilege
    assert fixes[-1].still_blocking == (
        "a tag attests something: whether it would be true of this one is not known here",
    )


# What cannot be left out, and what goes together


def test_a_tag_of_a_bucket_counts_only_with_abac() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html"""
    grant, enable = fixes_of(SCENARIOS["tag-f07"])
    assert told(grant) == ("identity admin", True, True)
    assert told(enable) == ("bucket owner", False, False)
    assert enable.summary == (
        "Enable ABAC for the bucket (PutBucketAbac), which is tagged Team = blue: S3 evaluates the tags of a bucket "
        "only then."
    )
    plain = "Only if the bucket truly is Team = blue, tag it so, as statement Team demands"
    enabled = SCENARIOS["tag-f07"] | {"resource_state": {"bucket": {"tags": {"Team": "red"}, "abac": True}}}
    assert fixes_of(enabled)[-1].summary == f"{plain}."
    neither = SCENARIOS["tag-f07"] | {"resource_state": {"bucket": {"tags": {"Team": "red"}, "abac": False}}}
    assert fixes_of(neither)[-1].summary == (
        f"{plain}, and enable ABAC for it (PutBucketAbac): S3 evaluates the tags of a bucket only then."
    )
    assert "which only a resource with that tag has (a bucket only once ABAC is enabled for it)" in (
        explained(neither).explanation.summary
    )


def test_a_service_that_a_perimeter_spares_is_no_way_for_everyone() -> None:
    exempt, tag = fixes_of(SCENARIOS["scp-b02"])
    assert told(exempt) == ("organization admin", True, True)
    assert exempt.summary.startswith("Exempt s3:GetObject on arn:aws:s3:::aws-codedeploy-eu-west-1/latest/install by")
    assert tag.summary.startswith("Only if the caller truly is dp:exclude:resource:s3 = true, tag it so")
    via = demands("ForAllValues:StringNotEquals", "aws:CalledVia", ["athena.amazonaws.com"])
    (fix,) = fixes_of(denied(via))
    assert fix.summary == "Have athena.amazonaws.com make the request on the caller's behalf."


def test_of_a_call_that_puts_an_acl_the_acl_is_not_left_out() -> None:
    fix = first(SCENARIOS["bpa-f03"])
    assert fix.summary == (
        "Send a private ACL (x-amz-acl: private), or do not make this call: Block Public Access refuses a public one."
    )
    assert fix.patch == ({"op": "replace", "path": "/request/headers/x-amz-acl", "value": "private"},)


def test_of_an_upload_the_grants_to_the_public_are_left_out() -> None:
    everyone = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    case = scenario(
        request={**PUT, "headers": {"x-amz-grant-read": everyone}},
        policies={
            "identity": EVERYTHING,
            "object_ownership": "ObjectWriter",
            "block_public_access": {"BlockPublicAcls": True},
        },
    )
    assert first(case).patch == ({"op": "remove", "path": "/request/headers/x-amz-grant-read"},)


SSE_C = "x-amz-server-side-encryption-customer-"


@pytest.mark.parametrize("name", ["sse-f04", "sse-f08"])
def test_of_sse_c_all_headers_are_left_out(name: str) -> None:
    headers = {
        f"{SSE_C}algorithm": "AES256",
        f"{SSE_C}key": "k",
        f"{SSE_C}key-MD5": "m",
        "x-amz-storage-class": "STANDARD",
    }
    case = {**SCENARIOS[name], "request": {**SCENARIOS[name]["request"], "headers": headers}}
    fix = first(case)
    assert f"eave out {SSE_C}algorithm, {SSE_C}key and {SSE_C}key-md5" in fix.summary
    assert patched(case, fix)["request"]["headers"] == {"x-amz-storage-class": "STANDARD"}


def test_on_the_wire_too_all_headers_of_sse_c_are_left_out() -> None:
    sent = [["Host", "s3.us-east-1.amazonaws.com"], [f"{SSE_C}algorithm", "AES256"], [f"{SSE_C}key-MD5", "m"]]
    case = denied(demands("Null", f"s3:{SSE_C}algorithm", "false"))
    kept = {
        name: case["request"][name] for name in case["request"] if name not in ("operation", "method", "bucket", "key")
    }
    case = {**case, "request": {**kept, "raw": {"method": "PUT", "target": "/b/k", "headers": sent}}}
    assert patched(case, first(case))["request"]["raw"]["headers"] == sent[:1]


def test_with_the_algorithm_goes_the_key_that_the_bucket_has_by_default() -> None:
    encryption = {"default_encryption": {"algorithm": "aws:kms", "kms_key_id": KEY}}
    case = denied(demands("StringNotEquals", f"s3:{SSE}", "aws:kms"), None, **PUT)
    case["policies"]["identity"] = identity(ALL, {"Effect": "Allow", "Action": "kms:*", "Resource": KEY})
    case["resource_state"] = {"bucket": encryption}
    assert patched(case, first(case))["request"]["headers"] == {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KEY}


def test_with_the_algorithm_goes_the_key_that_the_policy_demands() -> None:
    algorithm = demands("StringNotEquals", f"s3:{SSE}", "aws:kms")
    key = demands("StringNotEquals", f"s3:{SSE}-aws-kms-key-id", KEY, Sid="Key")
    other = "arn:aws:kms:us-east-1:111122223333:key/other"
    case = scenario(
        request=PUT,
        policies={"identity": EVERYTHING, "bucket_policy": document(algorithm, key)},
        resource_state={"bucket": {"default_encryption": {"algorithm": "aws:kms", "kms_key_id": other}}},
    )
    fix = first(case)
    assert patched(case, fix)["request"]["headers"] == {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KEY}
    assert fix.summary == f"Send {SSE}: aws:kms and send {SSE}-aws-kms-key-id: {KEY}."


@pytest.mark.parametrize(
    "demand",
    [
        demands("Null", f"s3:{SSE}", "true"),
        demands("StringNotEquals", f"s3:{SSE}", ["AES256", "aws:kms"]),
    ],
)
def test_of_several_algorithms_that_fit_the_one_that_the_bucket_has_by_default_is_sent(demand: Document) -> None:
    case = denied(demand, None, **PUT)
    case["policies"]["identity"] = identity(ALL, {"Effect": "Allow", "Action": "kms:*", "Resource": KEY})
    assert patched(case, first(case))["request"]["headers"] == {SSE: "AES256"}
    case["resource_state"] = {"bucket": {"default_encryption": {"algorithm": "aws:kms", "kms_key_id": KEY}}}
    assert patched(case, first(case))["request"]["headers"] == {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KEY}


@pytest.mark.parametrize(("default", "is_told"), [("AES256", False), (UNKNOWN, True)])
def test_that_a_header_takes_the_place_of_an_unknown_default_is_told(default: str | Unknown, is_told: bool) -> None:
    deny = {**demands("Null", f"s3:{SSE}", "true"), "Resource": "arn:aws:s3:::b/*"}
    bucket = replace(BUCKET, default_encryption=default, policy=policies(deny, name="bucket policy"))
    explained = EXPLAINER(call(head("PUT", "/b/k")), world(policies(ALLOW_ALL), bucket))
    assert explained is not None
    caveat = " (it takes the place of how the bucket encrypts by default, which is not known here)"
    assert explained.explanation.fixes[0].summary == f"Send {SSE}: AES256{caveat if is_told else ''}."


def test_a_presigned_url_is_signed_anew_with_the_parameter() -> None:
    fix = first(SCENARIOS["rp-f05"])
    assert fix.summary == (
        "Sign a new URL with x-amz-request-payer=requester in its query, and so agree to pay for the request."
    )
    assert fix.patch == ({"op": "add", "path": "/request/query/x-amz-request-payer", "value": "requester"},)


def test_a_header_that_a_policy_demands_is_signed_into_a_presigned_url() -> None:
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-SignedHeaders": "host", "X-Amz-Expires": "900"}
    fix = first(denied(demands("StringNotEquals", f"s3:{SSE}", "AES256"), None, **PUT, query=query, headers={}))
    assert fix.summary == f"Sign a new URL with {SSE}=AES256 in its query."
    assert fix.patch == ({"op": "add", "path": f"/request/query/{SSE}", "value": "AES256"},)


# Surroundings


@pytest.mark.parametrize("name", ["ap-f04", "ap-f06"])
def test_nobody_knows_whether_there_is_an_access_point_that_lets_the_caller_through(name: str) -> None:
    fix = fixes_of(SCENARIOS[name])[0]
    assert fix.summary.startswith("Send the request through an access point of account ")
    assert not fix.verified
    assert fix.still_blocking == (
        "whether there is such an access point, and whether its policy allows the caller, is not known",
    )


def test_where_an_allow_asks_for_another_access_point_the_bucket_owner_may_allow_this_one() -> None:
    _, owner = fixes_of(SCENARIOS["ap-f04"])
    assert told(owner) == ("bucket owner", True, True)


def test_through_an_endpoint_there_is_no_address() -> None:
    caller, owner = fixes_of(SCENARIOS["net-f02"])
    assert told(caller) == ("caller", True, True)
    assert caller.summary == (
        "Send the request from an address that statement FromOffice lists (203.0.113.0/24), and not through the VPC "
        "endpoint vpce-1: through one there is no aws:SourceIp."
    )
    assert told(owner) == ("identity admin", True, True)
    assert only_value(owner)["Condition"] == {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    assert " through VPC endpoint vpce-1 in policy " in owner.summary


THROUGH_ENDPOINT = {"aws:SourceIp": None, "aws:SourceVpce": "vpce-1", "aws:SourceVpc": "vpc-1"}


def test_an_exemption_for_a_request_through_an_endpoint_is_for_that_endpoint() -> None:
    case = denied(demands("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"), THROUGH_ENDPOINT)
    _, owner = fixes_of(case)
    assert told(owner) == ("bucket owner", True, True)
    assert " on arn:aws:s3:::b/k through VPC endpoint vpce-1 by user alice " in owner.summary
    elsewhere = {**case, "request": {**case["request"], "context": {**THROUGH_ENDPOINT, "aws:SourceVpce": "vpce-2"}}}
    assert allowed(patched(case, owner))
    assert not allowed(patched(elsewhere, owner))


@pytest.mark.parametrize(
    ("operator", "key", "value", "context"),
    [
        ("Bool", "aws:SecureTransport", "true", {}),
        ("Bool", "aws:MultiFactorAuthPresent", "true", {"aws:MultiFactorAuthPresent": "true"}),
        ("NumericGreaterThan", "s3:TlsVersion", "1.1", {"s3:TlsVersion": "1.2"}),
    ],
)
def test_a_deny_of_what_is_safe_asks_nothing_of_the_caller(
    operator: str, key: str, value: str, context: dict[str, str | None]
) -> None:
    fixes = fixes_of(denied(demands(operator, key, value), context))
    assert [told(fix) for fix in fixes] == [("bucket owner", True, True)]


@pytest.mark.parametrize(("operator", "value"), [("NumericLessThan", "1.2"), ("NumericLessThanEquals", "1.1")])
def test_tls_of_a_version_that_there_is(operator: str, value: str) -> None:
    (fix,) = fixes_of(denied(demands(operator, "s3:TlsVersion", value), {"s3:TlsVersion": "1.1"}))
    assert fix.summary == "Connect with TLS 1.2 or later."


def test_how_else_a_request_is_signed() -> None:
    (fix,) = fixes_of(SCENARIOS["exp-f06"])
    assert fix.summary == "Use an Authorization header instead of a presigned URL."


def test_of_two_conditions_of_a_deny_either_may_be_met() -> None:
    statement = demands("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")
    statement["Condition"] = {
        "NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "192.0.2.0/24"]},
        "StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]},
    }
    (fix,) = fixes_of(denied(statement, {"aws:SourceIp": "198.51.100.1"}))
    assert told(fix) == ("caller", True, True)
    assert fix.summary == (
        "Send the request through the VPC endpoint vpce-1 or vpce-2, or send the request from an address that "
        "statement Demand lists (203.0.113.0/24, 192.0.2.0/24): either is enough."
    )


DAYS = "s3:object-lock-remaining-retention-days"
UNTIL = "x-amz-object-lock-retain-until-date"


@pytest.mark.parametrize(
    ("operator", "limit", "sent", "instead"),
    [
        ("NumericGreaterThan", "10", "2026-08-01T00:00:00Z", "2026-05-09T12:00:00Z"),
        ("NumericGreaterThanEquals", "10.5", "2026-08-01T00:00:00Z", "2026-05-10T00:00:00Z"),
        ("NumericLessThan", "30", "2026-05-02T00:00:00Z", "2026-06-02T12:00:00Z"),
    ],
)
def test_a_retention_within_the_limit(operator: str, limit: str, sent: str, instead: str) -> None:
    headers = {UNTIL: sent, "x-amz-object-lock-mode": "GOVERNANCE"}
    put = {**PUT, "headers": headers, "time": "2026-05-01T12:00:00Z"}
    case = denied(demands(operator, DAYS, limit), **put)
    (fix,) = fixes_of(case)
    assert told(fix) == ("caller", True, True)
    assert fix.summary == f"Send {UNTIL}: {instead}."
    assert fix.patch == ({"op": "replace", "path": f"/request/headers/{UNTIL}", "value": instead},)
    assert allowed(patched(case, fix))


def test_no_retention_is_shorter_than_none() -> None:
    headers = {UNTIL: "2026-08-01T00:00:00Z", "x-amz-object-lock-mode": "GOVERNANCE"}
    put = {**PUT, "headers": headers, "time": "2026-05-01T12:00:00Z"}
    (fix,) = fixes_of(denied(demands("NumericGreaterThan", DAYS, "1"), **put))
    assert fix.owner == "bucket owner"


def test_a_page_within_the_limit() -> None:
    statement = {**demands("NumericGreaterThan", "s3:max-keys", "100"), "Resource": "arn:aws:s3:::b"}
    listing = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2", "max-keys": "1000"}}
    (fix,) = fixes_of(denied(statement, **listing))
    assert told(fix) == ("caller", True, True)
    assert fix.summary == "Send the query parameter max-keys=100."


def test_who_lists_one_folder_is_not_told_to_list_another() -> None:
    statement = {**demands("StringNotLike", "s3:prefix", ["home/*", ""]), "Resource": "arn:aws:s3:::b"}
    listing = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2", "prefix": "shared/"}}
    (owner,) = fixes_of(denied(statement, **listing))
    assert told(owner) == ("bucket owner", True, True)
    assert " on arn:aws:s3:::b with prefix shared/ by user alice " in owner.summary
    (caller,) = fixes_of(denied(statement, **{**listing, "query": {"list-type": "2"}}))
    assert caller.summary == "Send the query parameter prefix= (empty)."


def test_a_listing_of_everything_may_ask_for_less() -> None:
    fold, grant = fixes_of(SCENARIOS["pfx-f02"])
    assert told(fold) == ("caller", False, True)
    assert fold.summary == (
        "Send the query parameter prefix with a value that statement Test accepts (StringLike myprefix*)."
    )
    assert grant.owner == "bucket owner"
    statement = {**demands("StringNotLike", "s3:prefix", "home/*"), "Resource": "arn:aws:s3:::b"}
    listing = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2"}}
    (fix,) = fixes_of(denied(statement, **listing))
    assert fix.summary == (
        "Send the query parameter prefix with a value that statement Demand does not deny (it denies StringNotLike "
        "home/*)."
    )


def test_what_else_a_statement_asks_for_is_said_along_with_a_pattern() -> None:
    listing = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2"}}
    asked = {"StringLike": {"s3:prefix": "home/*"}, "StringEquals": {"s3:delimiter": "/"}}
    allow = {"Sid": "Home", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": asked}
    fix = fixes_of(scenario(request=listing, policies={"identity": identity(allow)}))[0]
    assert fix.summary == (
        "Send the query parameter prefix with a value that statement Home accepts (StringLike home/*) and send the "
        "query parameter delimiter=/."
    )


PUBLIC = {"aws:SourceIp": "198.51.100.1"}


def test_nobody_is_sent_to_an_address_that_no_request_comes_from() -> None:
    mixed = demands("NotIpAddress", "aws:SourceIp", ["10.0.0.0/8", "203.0.113.0/24"])
    assert fixes_of(denied(mixed, PUBLIC))[0].summary == (
        "Send the request from an address that statement Demand lists (203.0.113.0/24)."
    )
    for values in (["192.168.1.6/32"], ["10.0.0.0/8", "127.0.0.1", "fc00::/7"]):
        (owner,) = fixes_of(denied(demands("NotIpAddress", "aws:SourceIp", values), PUBLIC))
        assert told(owner) == ("bucket owner", True, True)
    (owner,) = fixes_of(denied(demands("IpAddress", "aws:SourceIp", "0.0.0.0/0"), PUBLIC))
    assert owner.owner == "bucket owner"


def test_where_private_addresses_are_seen_they_are_as_good_as_others() -> None:
    case = denied(demands("NotIpAddress", "aws:SourceIp", "10.1.0.0/16"), {"aws:SourceIp": "10.2.0.1"})
    assert fixes_of(case)[0].summary == "Send the request from an address that statement Demand lists (10.1.0.0/16)."


def test_outside_of_a_network_that_is_shut_out() -> None:
    caller, _ = fixes_of(denied(demands("IpAddress", "aws:SourceIp", "198.51.100.0/24"), PUBLIC))
    assert told(caller) == ("caller", True, True)
    assert caller.summary == ("Send the request from an address that statement Demand does not list (198.51.100.0/24).")


@pytest.mark.parametrize(
    ("key", "context"), [("aws:RequestedRegion", {"aws:RequestedRegion": "ap-south-1"}), ("s3:LocationConstraint", {})]
)
@pytest.mark.parametrize(
    ("operator", "value", "region"),
    [("StringNotEquals", "sa-east-1", "sa-east-1"), ("StringNotLike", "eu-*", "eu-west-1")],
)
def test_a_bucket_may_be_created_in_another_region(
    key: str, context: dict[str, str], operator: str, value: str, region: str
) -> None:
    deny = {"Sid": "Eu", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}}
    body = "<CreateBucketConfiguration><LocationConstraint>ap-south-1</LocationConstraint></CreateBucketConfiguration>"
    request = {"operation": "CreateBucket", "method": "PUT", "key": None, "region": "ap-south-1", "body": body}
    case = scenario(
        request={**request, "context": context},
        policies={"identity": EVERYTHING, "scp": [[{"name": "p", "document": document({**ALL, "Action": "*"}, deny)}]]},
    )
    (fix,) = fixes_of(case)
    assert told(fix) == ("caller", True, True)
    assert fix.summary == (
        f"Create the bucket in a region that statement Eu lets through ({operator} {value}), such as {region}."
    )


def test_us_east_1_is_no_location_constraint() -> None:
    regions = {"StringNotLike": {"s3:LocationConstraint": ["us-east-1", "us-west-2"]}}
    deny = {"Sid": "Ours", "Effect": "Deny", "Action": "s3:CreateBucket", "Resource": "*", "Condition": regions}
    case = scenario(
        request={"operation": "CreateBucket", "method": "PUT", "key": None, "region": "us-east-1"},
        policies={"identity": EVERYTHING, "scp": [[{"name": "p", "document": document({**ALL, "Action": "*"}, deny)}]]},
        response={"status": 403, "code": "AccessDenied", "message": "Access Denied"},
    )
    (fix,) = fixes_of(case)
    assert fix.summary.endswith("such as us-west-2.")


def test_a_bucket_that_is_there_stays_in_its_region() -> None:
    (fix,) = fixes_of(SCENARIOS["scp-01"])
    assert fix.owner == "organization admin"


# Who asks


def test_an_unsigned_request_may_be_signed_before_a_guardrail_is_weakened() -> None:
    sign, exempt = fixes_of(SCENARIOS["vpe-f07"])
    assert told(sign) == ("caller", False, True)
    assert sign.summary == "Sign the request with the credentials of someone who is allowed: it was sent without any."
    assert told(exempt) == ("network admin", True, False)
    assert exempt.summary.startswith("Exempt s3:GetObject on arn:aws:s3:::pub/x by unsigned requests from the Deny")


def test_whoever_is_not_named_for_lack_of_a_signature_is_told_to_sign() -> None:
    sign, off = fixes_of(SCENARIOS["bpa-f05"])
    assert told(sign) == ("caller", False, True)
    assert sign.summary == "Sign the request with the credentials of someone who is allowed: it was sent without any."
    assert told(off) == ("bucket owner", True, False)
    assert off.summary == (
        "Only if the bucket is meant to be public: set RestrictPublicBuckets to false in S3 Block Public Access."
    )
    ignored, _ = fixes_of(SCENARIOS["bpa-f01"])
    assert ignored.summary.startswith("Have the request signed, and grant the access to whoever signs it in the bucket")


@pytest.mark.parametrize("name", ["act-f15", "own-f09", "xid-a02"])
def test_a_listing_is_not_called_an_object(name: str) -> None:
    fix = fixes_of(SCENARIOS[name])[-1]
    assert fix.summary.startswith(
        ("Only if the bucket is meant to be public: allow s3:ListBucket", "Send the request unsigned")
    )
    assert "object" not in fix.summary


def test_signing_does_not_help_against_a_deny_that_asks_for_something_else() -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    request = {"principal": "anonymous", "principal_account": None}
    fixes = fixes_of(scenario(request=request, policies={"bucket_policy": document(public, deny)}))
    assert [fix.owner for fix in fixes] == ["bucket owner"]


def test_a_public_policy_cannot_be_put_while_it_is_blocked() -> None:
    case = scenario(
        request={"principal": "anonymous", "principal_account": None},
        policies={"block_public_access": {"BlockPublicPolicy": True}},
    )
    _, public = fixes_of(case)
    assert not public.verified
    assert public.still_blocking == ("Block Public Access (BlockPublicPolicy) refuses such a policy while it is on",)


# What nobody can try


def test_of_a_lock_only_what_is_known_is_said() -> None:
    (fix,) = fixes_of(SCENARIOS["lock-f09"])
    assert "COMPLIANCE" not in fix.summary
    assert fix.summary.startswith("Find out what protects the version (GetObjectRetention, GetObjectLegalHold)")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fix_that_is_not_verified_says_why(name: str) -> None:
    assert all(fix.verified or fix.still_blocking for fix in fixes_of(SCENARIOS[name]))


def test_a_call_that_no_scenario_can_hold_says_so() -> None:
    found = EXPLAINER(
        call(head("PUT", "/b/k", ("x-amz-copy-source", "/source/k"))),
        world(
            policies(ALLOW_ALL), buckets={"b": BUCKET, "source": replace(BUCKET, name="source", account="444455556666")}
        ),
    )
    assert found is not None
    assert found.explanation.fixes
    for fix in found.explanation.fixes:
        assert fix.still_blocking == ("not tried: this call cannot be written as a scenario to try it on",)


# Services


def test_a_service_is_not_sent_through_the_endpoint_of_a_customer() -> None:
    (fix,) = fixes_of(SCENARIOS["svc-d02"])
    assert told(fix) == ("bucket owner", True, True)
    assert " by cloudfront.amazonaws.com from the Deny of statement Vpce " in fix.summary


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sse-b03", "Have logging.s3.amazonaws.com send x-amz-server-side-encryption: AES256."),
        ("acl-b01", "Have delivery.logs.amazonaws.com send x-amz-acl: bucket-owner-full-control."),
    ],
)
def test_what_a_service_sends_is_not_for_a_caller_to_say(name: str, words: str) -> None:
    owner, service = fixes_of(SCENARIOS[name])
    assert told(owner) == ("bucket owner", True, True)
    assert (service.summary, service.verified, service.patch) == (words, False, ())
    assert service.still_blocking == ("whether the service can be configured to do so is not known",)


# Values that there cannot be, and what else a caller can do


def test_a_vpc_has_no_id_of_an_endpoint() -> None:
    (fix,) = fixes_of(SCENARIOS["typ-d04"])
    assert fix.summary == "Allow s3:GetObject on arn:aws:s3:::b/x from VPC vpc-1 in policy p."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("via-d01", "Have athena.amazonaws.com make the request on the caller's behalf."),
        (
            "ec2-d01",
            "Get the instance's credentials from its metadata service by IMDSv2 (with a session token).",
        ),
        ("dir-d02", "Send x-amz-create-session-mode: ReadOnly."),
    ],
)
def test_the_caller_complies_before_a_policy_is_weakened(name: str, words: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert told(fix) == ("caller", True, True)
    assert fix.summary == words


def test_a_private_address_is_one_of_a_vpc() -> None:
    caller, _ = fixes_of(SCENARIOS["net-d01"])
    assert caller.summary == (
        "Send the request through a VPC endpoint, from an address that statement VpcIp lists (10.1.0.0/16)."
    )


@pytest.mark.parametrize("name", ["ap-f02", "mrap-d02"])
def test_a_bucket_policy_speaks_of_the_bucket_and_not_of_its_access_points(name: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert fix.summary.startswith("Allow s3:GetObject on arn:aws:s3:::")
    assert fix.summary.endswith(" in the bucket policy, for requests through the access point alone.")


def test_nor_is_its_service_linked_role() -> None:
    case = denied(demands("StringNotEquals", "aws:SourceVpce", "vpce-1"))
    role = "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    session = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForConfig/AWSConfig-Delivery"
    case["request"] |= {"principal": session, "principal_role": role}
    assert [told(fix) for fix in fixes_of(case)] == [("bucket owner", True, True)]


def test_what_is_public_for_an_organization_is_not_public_for_the_unsigned() -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    case = scenario(
        request={"resource_account": "444455556666", "context": {"aws:PrincipalOrgID": "o-1"}},
        policies={"bucket_policy": document(allow)},
    )
    assert fixes_of(case)[-1].summary.startswith("Send the request unsigned ")
    case["policies"]["bucket_policy"] = document(
        {**allow, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    )
    (fix,) = fixes_of(case)
    assert told(fix) == ("identity admin", True, True)


def test_what_a_bucket_leaves_to_its_access_points_is_not_public_for_that() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html#access-points-delegating-control"""
    (fix,) = fixes_of(SCENARIOS["ap-h01"])
    assert told(fix) == ("identity admin", True, True)


def test_a_session_of_a_role_gets_mfa_with_the_role() -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html: not with a role's credentials."""
    assert fixes_of(SCENARIOS["mfa-h01"])[0].summary == (
        "Assume the role with MFA (aws sts assume-role --serial-number ... --token-code ...), which AWS does for no "
        "instance or function."
    )
    assert "aws sts get-session-token" in fixes_of(SCENARIOS["mfa-f06"])[0].summary


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ec2:SourceInstanceARN", "arn:aws:ec2:us-east-1:111122223333:instance/i-0abc"),
        ("ec2:RoleDelivery", "2.0"),
        ("lambda:SourceFunctionArn", "arn:aws:lambda:us-east-1:111122223333:function:cron"),
    ],
)
def test_a_machine_is_not_told_to_use_mfa(key: str, value: str) -> None:
    case = copy.deepcopy(SCENARIOS["mfa-h01"])
    case["request"]["context"][key] = value
    (fix,) = fixes_of(case)
    assert (fix.owner, fix.verified) == ("organization admin", True)
    assert fix.summary.startswith("Exempt s3:DeleteObject on arn:aws:s3:::cleanup/tmp/1 by role cron from the Deny of ")


def test_whoever_assumes_a_role_states_who_acts_before_a_guardrail_is_weakened() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html"""
    state, exempt = fixes_of(SCENARIOS["srcid-d01"])
    assert told(state) == ("caller", False, True)
    assert state.summary == (
        "Assume the role with the source identity of whoever acts (aws sts assume-role --source-identity ...), as "
        "statement Sid1 demands."
    )
    assert told(exempt) == ("bucket owner", True, True)
    (fix,) = fixes_of(denied(demands("Null", "aws:SourceIdentity", "true")))
    assert fix.owner == "bucket owner", "a user has none"


def test_no_retention_has_to_be_bypassed_that_there_is_not() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html"""
    grant, leave = fixes_of(SCENARIOS["lock-c02"])
    assert told(grant) == ("identity admin", True, True)
    assert told(leave) == ("caller", True, True)
    assert leave.summary == (
        "Leave out x-amz-bypass-governance-retention: without it the request does not need "
        "s3:BypassGovernanceRetention."
    )
    assert [fix.owner for fix in fixes_of(SCENARIOS["lock-b03"])] == ["identity admin"], "there is one"


def test_who_asks_whether_a_bucket_exists_needs_to_be_allowed_to_list_it() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"""
    assert explained(SCENARIOS["pfx-a02"]).explanation.notes == (
        "Tools send HeadBucket to see whether a bucket exists; it needs s3:ListBucket, with which the keys can be "
        "listed as well.",
    )


def test_a_federated_session_gets_no_mfa() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html"""
    (fix,) = fixes_of(SCENARIOS["mfa-b03"])
    assert told(fix) == ("caller", False, True)
    assert fix.summary.startswith("Sign as a user with MFA (aws sts get-session-token ")
    assert fix.summary.endswith(": GetFederationToken takes no MFA.")


@pytest.mark.parametrize("name", ["mfa-b01", "mfa-f01"])
def test_who_never_signed_in_with_mfa_is_not_told_to_do_so_again(name: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert told(fix) == ("caller", True, True)
    assert fix.summary.endswith(" --serial-number ... --token-code ...) not long before the request.")


def test_signing_does_not_make_a_caller_a_service() -> None:
    (fix,) = fixes_of(SCENARIOS["vpe-b02"])
    assert fix.owner == "network admin"
    deny = demands("BoolIfExists", "aws:PrincipalIsAWSService", "false")
    request = {"principal": "anonymous", "principal_account": None}
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    fixes = fixes_of(scenario(request=request, policies={"bucket_policy": document(public, deny)}))
    assert [fix.owner for fix in fixes] == ["bucket owner"]


def test_a_fix_that_is_not_verified_names_what_is_needed_only_perhaps() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""
    boundary = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    reads = {"Sid": "ReadOnly", "Effect": "Deny", "NotAction": ["s3:Get*", "s3:List*"], "Resource": "*"}
    boundary["Statement"].append(reads)
    case = scenario(
        request={"operation": "DeleteObject", "method": "DELETE"},
        policies={"identity": EVERYTHING, "permissions_boundary": {"name": "B", "document": boundary}},
    )
    (fix,) = fixes_of(case)
    assert not fix.verified
    assert "denies s3:DeleteObjectVersion on arn:aws:s3:::b/k" in fix.still_blocking[0]


def test_a_referer_is_sent_before_the_bucket_is_opened_to_all() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html"""
    statement = demands("StringNotLike", "aws:Referer", "https://www.example.com/*")
    (fix,) = fixes_of(denied(statement))
    assert told(fix) == ("caller", False, True)
    assert fix.summary == (
        "Send referer with a value that statement Demand does not deny (it denies StringNotLike "
        "https://www.example.com/*)."
    )


def test_nor_is_cloudfront_under_an_origin_access_identity() -> None:
    case = denied(demands("StringNotEquals", "aws:SourceVpce", "vpce-1"))
    identity_of_origin = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABC"
    case["request"] |= {"principal": identity_of_origin, "principal_account": None}
    allow = {"Effect": "Allow", "Principal": {"AWS": identity_of_origin}, "Action": "s3:*", "Resource": "*"}
    case["policies"]["bucket_policy"]["Statement"].append(allow)
    assert [fix.owner for fix in fixes_of(case)] == ["bucket owner"]


# What S3 takes


CLASS, MODE = "x-amz-storage-class", "x-amz-object-lock-mode"
DATE = "2030-01-01T00:00:00Z"


def test_no_value_that_s3_does_not_take_is_to_be_sent() -> None:
    allow = {**ALL, "Condition": {"StringEquals": {f"s3:{CLASS}": "standard_ia"}}}
    case = scenario(request={**PUT, "headers": {CLASS: "STANDARD_IA"}}, policies={"identity": identity(allow)})
    assert [fix.owner for fix in fixes_of(case)] == ["identity admin"]


def test_a_lock_mode_is_not_sent_without_the_date_that_goes_with_it() -> None:
    (fix,) = fixes_of(denied(demands("StringNotEquals", "s3:object-lock-mode", "COMPLIANCE"), None, **PUT))
    assert fix.summary == f"Send {MODE}: COMPLIANCE together with {UNTIL} (S3 takes neither alone)."
    assert not fix.verified
    assert not fix.patch
    dated = denied(demands("StringNotEquals", "s3:object-lock-mode", "COMPLIANCE"), None, **PUT, headers={UNTIL: DATE})
    assert patched(dated, first(dated))["request"]["headers"] == {UNTIL: DATE, MODE: "COMPLIANCE"}


def test_a_lock_mode_is_left_out_with_its_date() -> None:
    headers = {MODE: "GOVERNANCE", UNTIL: DATE}
    case = denied(demands("StringEquals", "s3:object-lock-mode", "GOVERNANCE"), None, **PUT, headers=headers)
    assert patched(case, first(case))["request"]["headers"] == {}


def test_a_header_that_has_to_be_there_is_sent_before_a_guardrail_is_weakened() -> None:
    encryption = {"default_encryption": {"algorithm": "aws:kms", "kms_key_id": KEY}}
    case = denied(demands("Null", f"s3:{SSE}-aws-kms-key-id", "true"), None, **PUT, headers={SSE: "aws:kms"})
    (fix,) = fixes_of(case)
    assert fix.summary == f"Send {SSE}-aws-kms-key-id, which statement Demand demands."
    assert not fix.verified
    case["resource_state"] = {"bucket": encryption}
    assert patched(case, first(case))["request"]["headers"][f"{SSE}-aws-kms-key-id"] == KEY
    (fix,) = fixes_of(denied(demands("Null", "s3:RequestObjectTag/cost", "true"), None, **PUT))
    assert fix.summary == "Send x-amz-tagging with the tag cost, which statement Demand demands."


@pytest.mark.parametrize(
    ("operator", "sent", "kept"),
    [
        ("ForAnyValue:StringNotEquals", "cost=1&owner=a%20b", {"x-amz-tagging": "cost=1"}),
        ("ForAnyValue:StringNotEquals", "owner=me", {}),
        ("ForAnyValue:StringEquals", "cost=1&owner=a%20b", {"x-amz-tagging": "owner=a%20b"}),
    ],
)
def test_tags_that_are_denied_are_left_out(operator: str, sent: str, kept: Document) -> None:
    case = denied(demands(operator, "s3:RequestObjectTagKeys", ["cost", "team"]), None, **PUT)
    case["request"]["headers"] = {"x-amz-tagging": sent}
    fix = first(case)
    assert told(fix) == ("caller", True, True)
    assert patched(case, fix)["request"]["headers"] == kept


def test_tags_that_several_conditions_ask_for_are_sent_together() -> None:
    tags = {"s3:RequestObjectTag/a": "x", "s3:RequestObjectTag/b": "y"}
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": tags}}
    request = {"operation": "PutObject", "method": "PUT", "headers": {"x-amz-tagging": "c=z"}}
    (fix,) = fixes_of(scenario(request=request, policies={"identity": [{"name": "p", "document": document(allow)}]}))
    assert told(fix) == ("caller", True, True)
    assert fix.summary == "Send x-amz-tagging: c=z&a=x&b=y."

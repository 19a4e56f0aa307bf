"""Fixes: an independent evaluator allows the call with the patch applied, and decides everything else as before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.exchange import DeniedCall
from denyproxy.explain import trial
from denyproxy.explain.evidence import Needs
from denyproxy.explain.export import scenario_of
from denyproxy.explain.model import Fix
from denyproxy.explain.presentation import Presentation, present
from denyproxy.iam.document import PolicyList
from denyproxy.s3.authorization import authorize
from denyproxy.s3.snapshot import PolicySnapshot
from tests.explain.remedied import (
    EXPLAINER,
    FORTY,
    SCENARIOS,
    Document,
    allowed,
    decided,
    explained,
    fixes_of,
    neighbours,
    patched,
)
from tests.explain.test_explainer import ALLOW_ALL, BUCKET, PLAIN, READ_ONLY, call, delete_result, head, policies, world

NO_PATCH = {
    "tls-01": "use TLS",
    "mfa-01": "sign in with MFA",
    "miss-03": "the key of a public bucket is missing",
}
"""Cases that a policy causes, and whose honest remedy is nothing that the owners of a scenario's members control."""
POLICY_CAUSED = [name for name in FORTY if SCENARIOS[name]["expect"]["effect"] != "not-policy"]
FORTY_FIXABLE = [name for name in POLICY_CAUSED if name not in NO_PATCH]


def verified(document: Document) -> list[Fix]:
    return [fix for fix in fixes_of(document) if fix.verified and fix.patch]


@pytest.mark.parametrize("name", FORTY_FIXABLE)
def test_a_fix_makes_an_independent_evaluator_allow(name: str) -> None:
    document = SCENARIOS[name]
    missing_key = explained(document).explanation.missing_key_possible
    assert not allowed(document, missing_key=missing_key)
    assert any(allowed(patched(document, fix), missing_key=missing_key) for fix in verified(document))


@pytest.mark.parametrize("name", SCENARIOS)
def test_verified_means_that_the_patched_scenario_is_allowed(name: str) -> None:
    document = SCENARIOS[name]
    for fix in verified(document):
        assert allowed(patched(document, fix)), fix.summary


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fix_that_is_not_verified_does_not_allow(name: str) -> None:
    document = SCENARIOS[name]
    for fix in fixes_of(document):
        if fix.patch and not fix.verified:
            assert not allowed(patched(document, fix)), fix.summary
            assert fix.still_blocking


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_trial_from_scratch_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = (SCENARIOS[name], {**SCENARIOS[name], "unknown": ["scp", "aws:SourceVpce"]})
    found = [fixes_of(document) for document in documents]
    monkeypatch.setattr(trial, "authorize", lambda *again: authorize(*again[:-1]))
    monkeypatch.setattr(trial, "Needs", lambda *parts: Needs(*parts[:-1]))
    assert [fixes_of(document) for document in documents] == found


def _denied_question(document: Document) -> tuple[str, str] | None:
    cause = explained(document).explanation.cause
    if cause is None or cause.action is None or cause.resource is None or cause.layer == "acl":
        return None
    return cause.action, cause.resource


@pytest.mark.parametrize("name", SCENARIOS)
def test_neighbours_are_decided_as_before(name: str) -> None:
    document = SCENARIOS[name]
    question = _denied_question(document)
    for fix in verified(document):
        if question is None or fix.owner == "caller" or not fix.least_privilege:
            continue
        for text, before, after in neighbours(document, patched(document, fix), *question, name):
            assert decided(after) is decided(before), f"{fix.summary} {text}"


ALLOWED_PATHS = {"caller": ("/request/headers", "/request/query", "/request/raw", "/request/principal")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_patch_touches_only_what_its_owner_controls(name: str) -> None:
    for fix in fixes_of(SCENARIOS[name]):
        if "; and " in fix.summary:
            continue  # several parts, of several owners
        allowed_paths = ALLOWED_PATHS.get(fix.owner, ("/policies/",))
        assert all(operation["path"].startswith(allowed_paths) for operation in fix.patch), fix


# What the fixes say, by AWS's rules


def scenario(**members: Any) -> Document:
    """A GET of b/k by user alice of the bucket's account, whom nothing allows, with members replaced."""
    request: Document = {
        "operation": "GetObject",
        "method": "GET",
        "bucket": "b",
        "key": "k",
        "region": "us-east-1",
        "principal": "arn:aws:iam::111122223333:user/alice",
        "principal_account": "111122223333",
        "resource_account": "111122223333",
    }
    request |= members.pop("request", {})
    return {"request": request, "policies": members.pop("policies", {}), **members}


def identity(*statements: Document, **more: Any) -> list[Document]:
    return [{"name": "own", "document": {"Version": "2012-10-17", "Statement": list(statements)}, **more}]


def document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ALL = {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
PUT = {"operation": "PutObject", "method": "PUT"}


def first(case: Document) -> Fix:
    """The first fix, which is verified."""
    fix = fixes_of(case)[0]
    assert fix.verified, (fix.summary, fix.still_blocking)
    assert allowed(patched(case, fix))
    return fix


def only_value(fix: Fix) -> Any:
    (operation,) = fix.patch
    return operation["value"]


def test_without_any_policy_a_new_one_with_just_what_is_missing() -> None:
    fix = first(scenario())
    assert (fix.owner, fix.least_privilege) == ("identity admin", True)
    (policy,) = only_value(fix)
    assert policy["document"] == document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"})


def test_across_accounts_both_sides() -> None:
    case = scenario(
        request={
            "principal": "arn:aws:sts::444455556666:assumed-role/app/s1",
            "principal_role": "arn:aws:iam::444455556666:role/team/app",
            "principal_account": "444455556666",
        }
    )
    fix = first(case)
    assert {operation["path"] for operation in fix.patch} == {"/policies/identity", "/policies/bucket_policy"}
    added = next(operation["value"] for operation in fix.patch if operation["path"] == "/policies/bucket_policy")
    assert added["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::444455556666:role/team/app"}
    assert fix.summary.startswith("Bucket owner: allow s3:GetObject on arn:aws:s3:::b/k to role team/app in the bucket")
    assert "identity admin: allow s3:GetObject on arn:aws:s3:::b/k in a new inline policy" in fix.summary


def test_several_layers_are_one_fix_of_several_parts() -> None:
    boundary = {"name": "edge", "document": document({"Effect": "Allow", "Action": "s3:List*", "Resource": "*"})}
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    case = scenario(policies={"permissions_boundary": boundary, "bucket_policy": document(deny)})
    (fix,) = fixes_of(case)
    assert fix.verified
    paths = [operation["path"] for operation in fix.patch]
    assert len([path for path in paths if path.startswith("/policies/bucket_policy")]) == 1
    assert "/policies/identity" in paths
    assert "/policies/permissions_boundary/document/Statement/-" in paths


SSE = "x-amz-server-side-encryption"


def demands(operator: str, key: str, value: str | list[str], **more: Any) -> Document:
    return {
        "Sid": "Demand",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {operator: {key: value}},
        **more,
    }


@pytest.mark.parametrize(
    ("statement", "headers", "expected"),
    [
        (demands("StringNotEquals", f"s3:{SSE}", "aws:kms"), {}, ("add", SSE, "aws:kms")),
        (demands("StringNotEquals", f"s3:{SSE}", "AES256"), {SSE: "aws:kms"}, ("replace", SSE, "AES256")),
        (demands("Null", f"s3:{SSE}", "true"), {}, ("add", SSE, "AES256")),
        (
            demands("StringNotLike", "s3:x-amz-acl", "bucket-owner-*"),
            {},
            ("add", "x-amz-acl", "bucket-owner-full-control"),
        ),
        (
            demands("StringEquals", "s3:x-amz-acl", "public-read"),
            {"X-Amz-Acl": "public-read"},
            ("remove", "X-Amz-Acl", None),
        ),
        (
            demands("StringNotEquals", "s3:x-amz-storage-class", "STANDARD_IA"),
            {},
            ("add", "x-amz-storage-class", "STANDARD_IA"),
        ),
        (demands("Null", "s3:if-none-match", "true"), {}, ("add", "if-none-match", "*")),
        (
            demands("StringNotEquals", "s3:RequestObjectTag/team", "blue"),
            {"x-amz-tagging": "a=1"},
            ("replace", "x-amz-tagging", "a=1&team=blue"),
        ),
    ],
)
def test_the_header_that_a_deny_demands(
    statement: Document, headers: dict[str, str], expected: tuple[str, ...]
) -> None:
    case = scenario(
        request={**PUT, "headers": headers, "query": {}},
        policies={"identity": identity(ALL), "bucket_policy": document(statement), "object_ownership": "ObjectWriter"},
    )
    (fix,) = fixes_of(case)
    assert fix.verified
    assert (fix.owner, fix.target) == ("caller", "the request")
    (operation,) = fix.patch
    kind, name, value = expected
    assert operation == {"op": kind, "path": f"/request/headers/{name}", **({} if value is None else {"value": value})}


def test_a_header_value_meets_all_denies_at_once() -> None:
    either = demands(
        "StringNotEquals", f"s3:{SSE}", "x", Condition={"StringNotEquals": {f"s3:{SSE}": ["AES256", "aws:kms"]}}
    )
    no_aes = demands("StringEquals", f"s3:{SSE}", "AES256", Sid="NoAes")
    case = scenario(request=PUT, policies={"identity": identity(ALL), "bucket_policy": document(either, no_aes)})
    (operation,) = first(case).patch
    assert operation["value"] == {SSE: "aws:kms"}


def test_a_key_id_needs_its_algorithm_too() -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1"
    statement = demands("StringNotEquals", f"s3:{SSE}-aws-kms-key-id", key)
    case = scenario(
        request={**PUT, "headers": {}},
        policies={"identity": identity({**ALL, "Action": "*"}), "bucket_policy": document(statement)},
    )
    assert {operation["path"]: operation["value"] for operation in first(case).patch} == {
        f"/request/headers/{SSE}-aws-kms-key-id": key,
        f"/request/headers/{SSE}": "aws:kms",
    }


def test_a_value_that_the_policy_knows_by_a_pattern_is_left_to_the_caller() -> None:
    statement = demands("StringNotLike", f"s3:{SSE}-aws-kms-key-id", "arn:aws:kms:*:111122223333:key/*")
    case = scenario(request=PUT, policies={"identity": identity(ALL), "bucket_policy": document(statement)})
    (fix,) = fixes_of(case)
    assert (fix.owner, fix.patch, fix.verified) == ("caller", (), False)
    assert "arn:aws:kms:*:111122223333:key/*" in fix.summary


def test_a_header_that_the_operation_does_not_take_is_not_proposed() -> None:
    statement = demands("StringNotEquals", "s3:x-amz-acl", "private")
    case = scenario(
        request={**PUT, "operation": "UploadPart", "query": {"partNumber": "1", "uploadId": "u"}},
        policies={"identity": identity(ALL), "bucket_policy": document(statement)},
    )
    fix = first(case)
    assert fix.owner == "bucket owner"
    assert fix.least_privilege


@pytest.mark.parametrize(
    ("operator", "key", "value", "context", "words"),
    [
        ("Bool", "aws:SecureTransport", "false", {"aws:SecureTransport": "false"}, "https://"),
        ("NumericLessThan", "s3:TlsVersion", "1.2", {"s3:TlsVersion": "1.1"}, "TLS 1.2"),
        ("StringNotEquals", "aws:SourceVpce", "vpce-1", {}, "VPC endpoint vpce-1"),
        ("StringNotEquals", "aws:SourceVpc", "vpc-1", {}, "VPC vpc-1"),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", "false", {}, "MFA"),
        ("NumericGreaterThan", "aws:MultiFactorAuthAge", "3600", {"aws:MultiFactorAuthAge": "7200"}, "MFA"),
        (
            "DateLessThan",
            "aws:TokenIssueTime",
            "2026-01-01T00:00:00Z",
            {"aws:TokenIssueTime": "2025-12-31T00:00:00Z"},
            "revoked",
        ),
    ],
)
def test_no_guardrail_is_weakened_where_the_request_can_comply(
    operator: str, key: str, value: str, context: dict[str, str], words: str
) -> None:
    case = scenario(
        request={"context": context},
        policies={"identity": identity(ALL), "bucket_policy": document(demands(operator, key, value))},
    )
    (fix,) = fixes_of(case)
    assert (fix.owner, fix.patch, fix.verified) == ("caller", (), True)
    assert words in fix.summary


def test_tls_alone_is_not_enough_where_more_is_missing() -> None:
    deny = demands("Bool", "aws:SecureTransport", "false")
    other = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/k"}
    case = scenario(
        request={"context": {"aws:SecureTransport": "false"}},
        policies={"identity": identity(ALL), "bucket_policy": document(deny, other)},
    )
    (fix,) = fixes_of(case)
    assert "https://" in fix.summary
    assert allowed(patched({**case, "request": {**case["request"], "context": {}}}, fix))
    assert fix.verified is allowed(patched(case, fix))
    assert not fix.verified
    assert fix.still_blocking


def test_addresses_are_perhaps_out_of_reach_so_the_policy_comes_second() -> None:
    statement = demands("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")
    case = scenario(
        request={"context": {"aws:SourceIp": "198.51.100.1"}},
        policies={"identity": identity(ALL), "bucket_policy": document(statement)},
    )
    caller, owner = fixes_of(case)
    assert (caller.owner, caller.patch, caller.verified) == ("caller", (), True)
    assert (owner.owner, owner.verified, owner.least_privilege) == ("bucket owner", True, True)


def test_an_allow_that_fails_in_a_header_asks_for_the_header() -> None:
    statement = {**ALL, "Condition": {"StringEquals": {f"s3:{SSE}": "aws:kms"}}}
    (fix,) = fixes_of(scenario(request=PUT, policies={"identity": identity(statement)}))
    assert fix.owner == "caller"
    assert only_value(fix) == {SSE: "aws:kms"}


def test_an_added_statement_keeps_the_conditions_that_hold_and_pins_those_that_do_not() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::b",
        "Condition": {"StringLike": {"s3:prefix": "home/alice/*"}, "Bool": {"aws:SecureTransport": "true"}},
    }
    case = scenario(
        request={"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2", "prefix": "home/bob/"}},
        policies={"identity": identity(statement)},
    )
    assert only_value(first(case)) == {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::b",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"s3:prefix": "home/bob/"}},
    }


@pytest.mark.parametrize(
    ("layer", "path", "owner"),
    [
        ("vpc_endpoint_policy", "/policies/vpc_endpoint_policy/Statement/-", "network admin"),
        ("scp", "/policies/scp/0/0/document/Statement/-", "organization admin"),
    ],
)
def test_layers_that_cannot_name_a_principal_do_so_by_condition(layer: str, path: str, owner: str) -> None:
    listing = {"Effect": "Allow", "Principal": "*", "Action": "s3:List*", "Resource": "*"}
    if layer == "scp":
        del listing["Principal"]
        policies: Document = {"scp": [[{"name": "Few", "document": document(listing)}]]}
    else:
        policies = {layer: document(listing)}
    case = scenario(request={"context": {"aws:SourceVpce": "vpce-1"}}, policies={"identity": identity(ALL), **policies})
    fix = first(case)
    (operation,) = fix.patch
    assert (operation["path"], fix.owner) == (path, owner)
    assert operation["value"]["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/alice"}
    }


def test_a_key_policy_speaks_of_its_own_key() -> None:
    case = SCENARIOS["kms-04"]
    assert only_value(first(case)) == {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:role/Admin"},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }


def test_a_policy_of_awss_own_is_not_edited() -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    listing = {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}
    fix = first(scenario(policies={"identity": identity(listing, arn=arn)}))
    (operation,) = fix.patch
    assert operation["path"] == "/policies/identity/-"
    assert operation["value"]["document"]["Statement"][0]["Action"] == "s3:GetObject"


def test_a_deny_of_awss_own_can_only_be_detached() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    policies = [*identity(ALL), *identity(deny, name="AWSDenyAll", arn="arn:aws:iam::aws:policy/AWSDenyAll")]
    (fix,) = fixes_of(scenario(policies={"identity": policies}))
    assert (fix.patch, fix.verified) == ((), False)
    assert "AWSDenyAll is managed by AWS" in fix.summary


def test_one_statement_that_stands_alone_becomes_a_list() -> None:
    policy = {"name": "own", "document": {"Version": "2012-10-17", "Statement": {**ALL, "Action": "s3:List*"}}}
    (operation,) = first(scenario(policies={"identity": [policy]})).patch
    assert operation["path"] == "/policies/identity/0/document/Statement"
    assert [statement["Action"] for statement in operation["value"]] == ["s3:List*", "s3:GetObject"]


def test_a_key_with_wildcards_is_matched_literally() -> None:
    fix = first(scenario(request={"key": "a*b/${x}?"}))
    statement = fix.patch[0]["value"][0]["document"]["Statement"][0]
    assert statement["Resource"] == "arn:aws:s3:::b/a${*}b/${$}{x}${?}"


def test_where_a_wildcard_cannot_be_escaped_the_fix_says_that_it_lets_through_more() -> None:
    old = {"name": "own", "document": {"Statement": [{**ALL, "Action": "s3:List*"}]}}
    fix = first(scenario(request={"key": "a*b"}, policies={"identity": [old]}))
    assert not fix.least_privilege


def test_a_raw_request_is_patched_where_it_stands() -> None:
    raw = {
        "method": "PUT",
        "target": "/b/k",
        "headers": [["Host", "s3.us-east-1.amazonaws.com"], ["X-Amz-Acl", "public-read"]],
    }
    deny = demands("StringNotEquals", "s3:x-amz-acl", "private")
    case = scenario(
        policies={"identity": identity(ALL), "bucket_policy": document(deny), "object_ownership": "ObjectWriter"}
    )
    case["request"] = {
        **{
            name: value
            for name, value in case["request"].items()
            if name not in ("operation", "method", "bucket", "key")
        },
        "raw": raw,
    }
    assert first(case).patch == (
        {"op": "remove", "path": "/request/raw/headers/1"},
        {"op": "add", "path": "/request/raw/headers/-", "value": ["x-amz-acl", "private"]},
    )


def test_a_raw_query_is_patched_in_the_target() -> None:
    statement = {**ALL, "Condition": {"StringEquals": {"s3:prefix": ""}}}
    case = scenario(policies={"identity": identity(statement)})
    target = "/b?list-type=2&delimiter=%2F"
    case["request"] = {
        **{
            name: value
            for name, value in case["request"].items()
            if name not in ("operation", "method", "bucket", "key")
        },
        "raw": {"method": "GET", "target": target, "headers": [["Host", "s3.us-east-1.amazonaws.com"]]},
    }
    (operation,) = first(case).patch
    assert operation == {"op": "replace", "path": "/request/raw/target", "value": target + "&prefix="}


def test_what_was_encrypted_with_a_key_of_ones_own_is_read_with_that_key() -> None:
    message = (
        "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
    )
    response = {"status": 403, "code": "AccessDenied", "message": message}
    case = scenario(policies={"identity": identity(ALL)}, response=response)
    case["request"]["headers"] = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    (fix,) = fixes_of(case)
    assert fix.owner == "caller"
    assert fix.summary.startswith("Send the customer-provided key that the object was encrypted with")
    assert not fix.patch
    denied = {**case, "policies": {}}
    (fix,) = fixes_of(denied)
    assert {operation["path"] for operation in fix.patch} == {"/policies/identity"}
    assert not fix.verified, "no patch says that the key is right"
    (blocking,) = fix.still_blocking
    assert blocking.startswith("not tried, as no patch can say it: send the customer-provided key")


SSE_C_READ = {"operation": "HeadObject", "method": "HEAD", "headers": {f"{SSE}-customer-algorithm": "AES256"}}


def test_of_a_head_without_a_reason_a_wrong_customer_provided_key_may_be_the_reason() -> None:
    case = scenario(request=SSE_C_READ, policies={"identity": identity(ALL)}, response={"status": 403})
    found = explained(case).explanation
    (candidate,) = found.candidates
    assert (found.verdict, found.certain) == ("candidates", False)
    assert (candidate.layer, candidate.element) == ("sse-c-blocked", f"header:{SSE}-customer-key")
    assert explained({**case, "response": None}).explanation.verdict == "allowed"
    managed = {**case, "resource_state": {"object": {"sse": "aws:kms"}}}
    plain = {**case, "request": {**case["request"], "headers": {}}}
    told = {**case, "response": {"status": 403, "code": "AccessDenied", "message": "Access Denied"}}
    told["request"] = {**case["request"], "operation": "GetObject", "method": "GET"}
    for other in (managed, plain, told):
        assert not any(item.layer == "sse-c-blocked" for item in explained(other).explanation.candidates)


def test_of_a_head_with_a_customer_provided_key_it_is_not_certain_that_the_key_is_missing() -> None:
    reader = identity({**ALL, "Action": "s3:GetObject"})
    found = explained(scenario(request=SSE_C_READ, policies={"identity": reader}, response={"status": 403})).explanation
    assert (found.verdict, found.certain, found.missing_key_possible) == ("candidates", False, True)
    assert [item.layer for item in found.candidates] == ["identity", "sse-c-blocked"]


def test_parts_of_an_upload_are_exempt_and_what_the_deny_is_for_is_not() -> None:
    after = patched(SCENARIOS["mpu-c01"], first(SCENARIOS["mpu-c01"]))
    whole = {**after, "request": {**after["request"], "operation": "PutObject", "query": {}}}
    assert not allowed(whole)


def test_a_part_that_is_denied_like_any_upload_is_exempt_with_the_whole_upload() -> None:
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"}
    part = {**PUT, "operation": "UploadPart", "query": {"partNumber": "1", "uploadId": "u"}}
    case = scenario(request=part, policies={"identity": identity(ALL), "bucket_policy": document(deny)})
    after = patched(case, first(case))
    assert allowed({**after, "request": {**after["request"], **PUT, "query": {}}})


def test_an_anonymous_caller_is_first_told_to_sign() -> None:
    case = scenario(request={"principal": "anonymous", "principal_account": None})
    sign, public = fixes_of(case)
    assert (sign.owner, sign.patch) == ("caller", ())
    assert (public.owner, public.verified, public.least_privilege) == ("bucket owner", True, False)
    assert public.summary.startswith("Only if the object is meant to be public: allow s3:GetObject on ")


def test_an_endpoint_that_is_for_other_buckets_lets_nobody_through_who_signs() -> None:
    (fix,) = fixes_of(SCENARIOS["vpe-e04"])
    assert (fix.owner, fix.verified, fix.least_privilege) == ("network admin", True, False)
    assert fix.summary.startswith("Allow s3:GetObject on arn:aws:s3:::al2023-repos-us-east-1-de612dc2/core/")
    assert fix.summary.endswith(" to everyone in the VPC endpoint policy.")


def test_an_endpoint_for_an_organization_lets_its_callers_through_who_sign() -> None:
    sign, allow = fixes_of(SCENARIOS["vpe-e02"])
    assert (sign.owner, sign.verified) == ("caller", False)
    assert (allow.owner, allow.verified) == ("network admin", True)
    assert allow.summary.startswith("Allow s3:GetObject")


@pytest.mark.parametrize("name", ["kms-e04", "kms-e05"])
def test_no_key_policy_is_opened_to_those_whom_kms_does_not_serve(name: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert (fix.owner, fix.patch, fix.verified) == ("bucket owner", (), False)
    assert fix.summary.startswith("Encrypt the object with SSE-S3")


def test_a_missing_key_of_a_public_bucket_has_no_patch() -> None:
    (fix,) = fixes_of(SCENARIOS["miss-03"])
    assert (fix.owner, fix.patch, fix.verified) == ("caller", (), False)
    assert "404" in fix.summary


def test_buckets_whose_names_begin_alike_are_not_let_in() -> None:
    (fix,) = fixes_of(SCENARIOS["arn-h03"])
    assert "app*" not in fix.summary
    assert fix.least_privilege


def test_no_deny_is_weakened_for_a_404() -> None:
    best, exempt = fixes_of(SCENARIOS["miss-h01"])
    assert (best.owner, best.patch) == ("caller", ())
    assert best.summary.startswith("Take the 403 for a 404")
    assert exempt.owner == "organization admin"


def test_a_missing_key_of_a_known_caller_grants_listing() -> None:
    fix, as_it_is = fixes_of(SCENARIOS["miss-01"])
    assert only_value(fix) == {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::my-bucket"}
    assert "404" in fix.summary
    assert (as_it_is.owner, as_it_is.verified, as_it_is.patch) == ("caller", False, ())
    assert as_it_is.summary.startswith("Take the 403 for a 404, or send the right key")


def test_a_slip_is_corrected_in_place_where_that_lets_through_nothing_else() -> None:
    statement = {"Sid": "Ls", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b/"}
    case = scenario(request={"operation": "ListObjectsV2", "key": None}, policies={"identity": identity(statement)})
    (fix,) = fixes_of(case)
    assert (fix.verified, fix.least_privilege) == (True, True)
    assert fix.patch == (
        {"op": "replace", "path": "/policies/identity/0/document/Statement/0/Resource", "value": "arn:aws:s3:::b"},
    )


def test_a_slip_that_was_meant_for_more_comes_second() -> None:
    exact, meant = fixes_of(SCENARIOS["arn-04"])
    assert (exact.least_privilege, meant.least_privilege) == (True, False)
    assert only_value(meant) == "arn:aws:s3:::odl-video-service-rc"


def test_sessions_are_spared_by_their_role() -> None:
    exact, meant = fixes_of(SCENARIOS["prn-01"])
    assert exact.least_privilege
    assert only_value(meant)["Condition"] == {
        "ArnNotEquals": {
            "aws:PrincipalArn": [
                "arn:aws:iam::111122223333:role/HR-database-access-role",
                "arn:aws:iam::111122223333:root",
            ]
        }
    }


def test_a_deny_of_this_alone_goes_with_its_policy() -> None:
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    case = scenario(policies={"identity": [{"name": "no", "document": document(deny)}, *identity(ALL)]})
    assert first(case).patch == ({"op": "remove", "path": "/policies/identity/0"},)


def test_a_boundary_never_goes_altogether() -> None:
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    boundary = {"name": "edge", "document": document(deny)}
    fix = first(scenario(policies={"identity": identity(ALL), "permissions_boundary": boundary}))
    after = patched(scenario(policies={"identity": identity(ALL), "permissions_boundary": boundary}), fix)
    arn = "arn:aws:iam::111122223333:user/alice"
    assert after["policies"]["permissions_boundary"]["document"]["Statement"] == [
        {**deny, "Condition": {"ArnNotEquals": {"aws:PrincipalArn": arn}}},
        {**deny, "Effect": "Allow", "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}},
    ]


def test_what_is_not_known_may_still_block() -> None:
    (fix,) = fixes_of(scenario(unknown=["scp", "session-policy"]))
    assert (len(fix.patch), fix.verified) == (1, False)
    assert fix.still_blocking == ("not known, and may deny as well: scp, session-policy",)


def test_a_bypass_of_retention_says_what_it_needs() -> None:
    (fix,) = fixes_of(SCENARIOS["lock-01"])
    assert (fix.owner, fix.verified) == ("caller", False)
    assert "s3:BypassGovernanceRetention" in fix.still_blocking[0]


@pytest.mark.parametrize("name", ["sig-01", "exp-01", "arc-01"])
def test_what_no_owner_of_a_member_controls_has_no_patch(name: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert (fix.owner, fix.patch, fix.verified) == ("caller", (), False)


# Live calls


def live(denied: DeniedCall, snapshot: PolicySnapshot) -> tuple[tuple[Fix, ...], Document]:
    """The fixes of a call off the wire, and the scenario that they refer to."""
    found = EXPLAINER(denied, snapshot)
    assert found is not None
    document = scenario_of(found.case)
    assert document is not None
    return found.explanation.fixes, document


def test_a_live_calls_patches_refer_to_its_export() -> None:
    fixes, exported = live(call(head("PUT")), world(policies(READ_ONLY)))
    assert fixes[0].verified
    assert allowed(patched(exported, fixes[0]))


def test_a_live_calls_headers_are_patched_in_its_export() -> None:
    deny = demands("Null", f"s3:{SSE}", "true")
    bucket = replace(BUCKET, policy=policies(deny, name="bucket policy"))
    fixes, exported = live(call(head("PUT", "/b/new")), world(policies(ALLOW_ALL), bucket))
    assert fixes[0].patch == ({"op": "add", "path": f"/request/headers/{SSE}", "value": "AES256"},)
    assert fixes[0].verified
    assert allowed(patched(exported, fixes[0]))


def test_without_an_export_there_are_words_alone() -> None:
    denied = call(head("PUT", "/b/k", ("x-amz-copy-source", "/source/k")))
    listing = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::source"}
    source = replace(BUCKET, name="source", policy=policies(listing, name="bucket policy"))
    snapshot = world(PolicyList(), buckets={"b": BUCKET, "source": source})
    found = EXPLAINER(denied, replace(snapshot, objects={("b", "k"): PLAIN, ("source", "k"): PLAIN}))
    assert found is not None
    (fix,) = found.explanation.fixes
    assert (fix.patch, fix.verified) == ((), False)
    assert fix.summary.startswith("Bucket owner: allow s3:GetObject on arn:aws:s3:::source/k to user alice")


def delete(*keys: str) -> DeniedCall:
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    body = f"<Delete>{objects}</Delete>".encode()
    return call(head("POST", "/b?delete"), status=200, response_body=delete_result(*keys), body=body)


def test_the_keys_of_one_request_are_one_statement() -> None:
    fixes, exported = live(delete("x", "y"), world(policies(READ_ONLY)))
    assert only_value(fixes[0])["Resource"] == ["arn:aws:s3:::b/x", "arn:aws:s3:::b/y"]
    assert fixes[0].verified
    assert allowed(patched(exported, fixes[0]))


def test_a_thousand_keys_are_not_a_policy() -> None:
    fixes, _ = live(delete(*(f"k{number}" for number in range(50))), world(policies(READ_ONLY)))
    assert not fixes[0].verified
    assert fixes[0].still_blocking[-1].startswith("30 more keys")
    assert len(only_value(fixes[0])["Resource"]) == 20


def test_the_header_with_its_fix_stays_within_its_bound() -> None:
    found = EXPLAINER(call(head("PUT", "/b/" + "%C3%BC" * 300)), world(policies(READ_ONLY)))
    assert found is not None
    assert found.explanation.fixes
    answer = present(
        found.explanation, own_account=True, presentation=Presentation(header_bytes=512), method="PUT", body=b""
    )
    for _, value in answer.headers:
        assert value.isascii()
        assert len(value) <= 512


def test_listing_has_to_be_allowed_in_all_layers_before_a_missing_key_is_a_404() -> None:
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    boundary = {"name": "edge", "document": document(read)}
    case = scenario(
        request={"operation": "HeadObject", "method": "HEAD"},
        policies={"identity": identity(read), "permissions_boundary": boundary},
        response={"status": 403},
    )
    fix, as_it_is = fixes_of(case)
    assert as_it_is.summary == (
        "Take the 403 for a 404, or send the right key: the key is missing, and reading what exists is allowed."
    )
    assert fix.verified
    assert {operation["path"] for operation in fix.patch} == {
        "/policies/identity/0/document/Statement/-",
        "/policies/permissions_boundary/document/Statement/-",
    }


def test_a_quarantine_is_not_to_be_got_round() -> None:
    (fix,) = fixes_of(SCENARIOS["act-e07"])
    assert (fix.owner, fix.patch, fix.verified) == ("identity admin", (), False)
    assert fix.summary.startswith("Replace the caller's access keys and see what was done with them: AWS attaches ")


def test_a_boundary_of_awss_own_can_only_be_exchanged() -> None:
    listing = {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}
    boundary = {"name": "Edge", "arn": "arn:aws:iam::aws:policy/Edge", "document": document(listing)}
    (fix,) = fixes_of(scenario(policies={"identity": identity(ALL), "permissions_boundary": boundary}))
    assert (fix.patch, fix.verified) == ((), False)
    assert fix.summary == (
        "The permissions boundary Edge is managed by AWS and cannot be changed: attach another one that allows it too."
    )


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"principal": "arn:aws:iam::444455556666:root"}, {"AWS": "arn:aws:iam::444455556666:root"}),
        (
            {
                "principal": "arn:aws:sts::444455556666:federated-user/bob",
                "principal_role": "arn:aws:iam::444455556666:user/vendor",
            },
            {"AWS": "arn:aws:sts::444455556666:federated-user/bob"},
        ),
        ({"principal": "cloudtrail.amazonaws.com"}, {"Service": "cloudtrail.amazonaws.com"}),
    ],
)
def test_how_a_bucket_policy_names_each_kind_of_caller(principal: Document, expected: Document) -> None:
    account = None if "amazonaws" in principal["principal"] else "444455556666"
    case = scenario(
        request={"principal_account": account, **principal},
        policies={"identity": identity(ALL), "session": identity(ALL)},
    )
    statement = only_value(first(case))["Statement"][0]
    assert statement["Principal"] == expected
    only_root = {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:root"}}
    assert statement.get("Condition") == (only_root if principal["principal"].endswith(":root") else None)


@pytest.mark.parametrize(
    ("principal", "condition"),
    [
        ({"principal": "anonymous", "principal_account": None}, {"Null": {"aws:PrincipalArn": "false"}}),
        (
            {"principal": "cloudtrail.amazonaws.com", "principal_account": None},
            {"StringNotEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}},
        ),
        ({}, {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/alice"}}),
    ],
)
def test_how_a_deny_spares_each_kind_of_caller(principal: Document, condition: Document) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    let = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"}
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:*",
        "Resource": "*",
    }
    public = {**let, "Principal": "*"}
    case = scenario(
        request=principal, policies={"identity": identity(ALL), "bucket_policy": document(deny, public, service)}
    )
    fix = first(case)
    assert only_value(fix)["Condition"] == condition


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("lock-f06", "Ask for a retention in GOVERNANCE mode."),
        # S3 counts the days at another moment: well within.
        ("lock-c03", "Ask for a retention of 8 days."),
    ],
)
def test_a_retention_that_a_body_asks_for_can_comply(name: str, summary: str) -> None:
    (fix,) = fixes_of(SCENARIOS[name])
    assert (fix.owner, fix.verified, fix.summary) == ("caller", True, summary)


def test_a_way_that_another_deny_closes_is_not_proposed() -> None:
    """Through an endpoint there is no aws:SourceIp, which the other statement asks for."""
    (fix,) = fixes_of(SCENARIOS["net-g01"])
    assert (fix.owner, fix.verified, fix.least_privilege) == ("bucket owner", True, True)
    assert " by user ana from the Deny of statement Vpce " in fix.summary

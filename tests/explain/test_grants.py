"""Grants: in a policy that the caller alone has, to nobody but the caller, and not by a service for others."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from denyproxy.explain.explainer import Explainer
from denyproxy.explain.model import Fix
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.layers import Decision
from denyproxy.service_model import s3_operations
from tests.explain.remedied import SCENARIOS, decided, fixes_of, patched
from tests.explain.test_fixes import ALL, document, first, identity, only_value, scenario
from tests.explain.test_scenarios import NOW

LISTING = {
    "Sid": "List",
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
}
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
GROUP = "arn:aws:iam::111122223333:group/devs"
MANAGED = "arn:aws:iam::111122223333:policy/Reading"


@pytest.mark.parametrize(
    ("arn", "where"),
    [
        (GROUP, "policy own of group devs (all its members)"),
        (MANAGED, "managed policy own (all that it is attached to)"),
    ],
)
def test_a_policy_that_others_have_too_stays_as_it_is(arn: str, where: str) -> None:
    case = scenario(policies={"identity": identity(LISTING, arn=arn)})
    fix = first(case)
    assert fix.least_privilege
    assert only_value(fix) == {"name": "additional-permissions", "document": document(READ)}
    assert fix.target == "additional-permissions of arn:aws:iam::111122223333:user/alice"
    assert fix.summary == (
        "Allow s3:GetObject on arn:aws:s3:::b/k in a new inline policy (or add s3:GetObject to the Action of statement "
        f"List in {where}, for all that it covers)."
    )


def test_a_slip_in_a_policy_of_a_group_is_corrected_for_all_its_members() -> None:
    slip = {"Sid": "Ls", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b/"}
    case = scenario(
        request={"operation": "ListObjectsV2", "key": None}, policies={"identity": identity(slip, arn=GROUP)}
    )
    own, shared = fixes_of(case)
    assert (own.verified, own.least_privilege) == (True, True)
    assert (shared.verified, shared.least_privilege) == (True, False)
    assert (
        " statement Ls of policy own of group devs (all its members) write Resource arn:aws:s3:::b " in shared.summary
    )


def test_of_a_policy_of_awss_own_nothing_is_to_be_changed() -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3Listing"
    fix = first(scenario(policies={"identity": identity(LISTING, arn=arn)}))
    assert fix.summary == "Allow s3:GetObject on arn:aws:s3:::b/k in a new inline policy."


def test_a_new_policy_takes_no_name_that_is_taken() -> None:
    taken = identity(LISTING, arn=MANAGED, name="additional-permissions")
    case = scenario(policies={"identity": [*taken, *identity(LISTING, arn=GROUP, name="additional-permissions-2")]})
    assert only_value(first(case))["name"] == "additional-permissions-3"


def test_a_boundary_that_may_bound_others_grants_to_the_caller_alone() -> None:
    boundary = {"name": "edge", "arn": "arn:aws:iam::111122223333:policy/edge", "document": document(LISTING)}
    fix = first(scenario(policies={"identity": identity(ALL), "permissions_boundary": boundary}))
    assert fix.summary.startswith(
        "Allow s3:GetObject on arn:aws:s3:::b/k to user alice in the permissions boundary edge"
    )
    assert only_value(fix) == {
        **READ,
        "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/alice"}},
    }


def test_a_service_is_let_in_for_the_source_of_the_request_alone() -> None:
    fix = first(SCENARIOS["kms-f15"])
    assert fix.least_privilege
    distribution = "arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE"
    assert only_value(fix)["Condition"] == {"StringEquals": {"aws:SourceArn": distribution}}
    assert fix.summary.endswith(f" in the KMS key policy, where aws:SourceArn is {distribution}.")


@pytest.mark.parametrize(
    ("context", "condition", "words"),
    [
        (
            {"aws:SourceAccount": "111122223333"},
            {"StringEquals": {"aws:SourceAccount": "111122223333"}},
            ", where aws:SourceAccount is 111122223333.",
        ),
        ({}, None, "(a condition on aws:SourceArn or aws:SourceAccount belongs there too, lest the service do it for "),
    ],
)
def test_a_service_whose_source_is_not_known_is_let_in_with_a_warning(
    context: dict[str, str], condition: dict[str, dict[str, str]] | None, words: str
) -> None:
    request = {"principal": "cloudtrail.amazonaws.com", "principal_account": None, "context": context}
    fix = first(scenario(request=request))
    assert only_value(fix)["Statement"][0].get("Condition") == condition
    assert words in fix.summary
    assert fix.least_privilege is (condition is not None)


def test_a_source_that_the_statement_asks_for_anyway_is_asked_for_once() -> None:
    fix = first(SCENARIOS["prn-f16"])
    distribution = "arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE"
    assert only_value(fix)["Condition"] == {"StringEquals": {"AWS:SourceArn": distribution}}
    assert fix.summary == (
        f"Allow s3:GetObject on arn:aws:s3:::site/index.html with AWS:SourceArn {distribution} to "
        "cloudfront.amazonaws.com in the bucket policy."
    )


def test_a_bucket_opened_to_an_access_point_is_not_opened_directly() -> None:
    case = SCENARIOS["ap-f02"]
    fix = first(case)
    point = "arn:aws:s3:us-east-1:111122223333:accesspoint/data-ap"
    (statement,) = patched(case, fix)["policies"]["bucket_policy"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"s3:DataAccessPointArn": point}}
    assert fix.summary.endswith(" to user bob in the bucket policy, for requests through the access point alone.")


def test_the_owner_of_an_object_grants_to_an_account_and_the_fix_says_so() -> None:
    fix = first(SCENARIOS["own-01"])
    assert not fix.least_privilege
    assert fix.summary == (
        "Have the object owner, account 444455556666, grant READ on arn:aws:s3:::deploy-bkt/builds/1.tgz to account "
        "111122223333 in its ACL (which names accounts, not users or roles)."
    )


def test_who_sets_an_acl_is_not_helped_by_switching_acls_off() -> None:
    grant, enforce = fixes_of(SCENARIOS["own-c01"])
    assert grant.verified
    assert not enforce.patch
    assert not enforce.verified
    assert enforce.still_blocking[0].startswith("S3 then answers this request with 400 AccessControlListNotSupported")
    assert fixes_of(SCENARIOS["own-01"])[1].verified, "whoever reads does not depend on ACLs"


def test_where_the_policy_names_accounts_the_account_is_named() -> None:
    fix = first(SCENARIOS["prn-f18"])
    assert " to account 127311923021 in the bucket policy" in fix.summary
    assert not fix.least_privilege
    assert only_value(fix)["Principal"] == {"AWS": "arn:aws:iam::127311923021:root"}
    assert "Condition" not in only_value(fix)


def test_a_condition_that_pins_a_grant_is_named() -> None:
    listing = {**LISTING, "Condition": {"StringLike": {"s3:prefix": "home/alice/*"}}}
    case = scenario(
        request={"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2", "prefix": "home/bob/"}},
        policies={"identity": identity(listing)},
    )
    assert first(case).summary == "Allow s3:ListBucket on arn:aws:s3:::b with prefix home/bob/ in policy own."


@pytest.mark.parametrize(
    ("resource", "is_offered"),
    [("arn:aws:s3:::b/*", True), ("arn:aws:s3:::*", False), ("*", False), ("arn:aws:s3:::b*", False)],
)
def test_a_statement_for_all_buckets_is_not_to_say_more(resource: str, is_offered: bool) -> None:
    writes = {"Sid": "W", "Effect": "Allow", "Action": "s3:PutObject", "Resource": resource}
    fix = first(scenario(policies={"identity": identity(writes)}))
    assert only_value(fix) == READ
    assert fix.summary.endswith("for all that it covers).") is is_offered


def test_a_statement_for_everyone_is_not_to_say_more() -> None:
    public = {"Sid": "P", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    request = {"operation": "PutObject", "method": "PUT", "principal_account": "444455556666"}
    request |= {"principal": "arn:aws:iam::444455556666:user/bob"}
    case = scenario(request=request, policies={"identity": identity(ALL), "bucket_policy": document(public)})
    assert first(case).summary == "Allow s3:PutObject on arn:aws:s3:::b/k to user bob in the bucket policy."


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("exp-f04", "DateLessThan aws:CurrentTime 2024-06-30T23:59:59Z"),
        ("typ-d03", "StringEquals aws:SourceVPCEndpoint vpce-1"),
        ("tag-f06", "ForAllValues:StringLike s3:RequestObjectTagKeys Owner, CreationDate"),
    ],
)
def test_a_condition_that_no_grant_can_keep_is_said_to_be_left_out(name: str, condition: str) -> None:
    fix = next(fix for fix in fixes_of(SCENARIOS[name]) if fix.owner == "identity admin")
    assert not fix.least_privilege
    assert fix.summary.endswith(f" (leaving out the condition {condition}).")


@pytest.mark.parametrize("name", ["pfx-a03", "pfx-a05", "pfx-f01", "pfx-f09"])
def test_who_may_list_a_folder_lists_it_with_its_slash(name: str) -> None:
    prefix = SCENARIOS[name]["request"]["query"]["prefix"]
    slash, *others = fixes_of(SCENARIOS[name])
    assert (slash.owner, slash.verified, slash.least_privilege) == ("caller", True, True)
    assert slash.summary == (
        f"Send the query parameter prefix={prefix}/: what is in the folder, rather than all that begins with {prefix}."
    )
    assert any(fix.verified and fix.owner != "caller" for fix in others), "all of it may be what is wanted"


def test_a_listing_that_no_slash_would_allow_is_not_told_of_one() -> None:
    listing = {**LISTING, "Condition": {"StringLike": {"s3:prefix": "home/alice/*"}}}
    request = {"operation": "ListObjectsV2", "key": None, "query": {"list-type": "2", "prefix": "home/bob"}}
    (fix,) = fixes_of(scenario(request=request, policies={"identity": identity(listing)}))
    assert fix.owner == "identity admin"


def test_what_is_made_public_by_a_listing_is_the_bucket() -> None:
    assert fixes_of(SCENARIOS["pfx-a05"])[-1].summary.startswith("Only if the bucket is meant to be public: allow ")


def test_a_listing_that_is_granted_is_of_all_keys_and_the_fix_says_so() -> None:
    words = "Allow s3:ListBucket on arn:aws:s3:::secrets in policy secrets"
    assert first(SCENARIOS["arn-f09"]).summary == (
        f"{words} (of all its keys: a condition on s3:prefix can limit it to foo/bar/)."
    )
    whole = copy.deepcopy(SCENARIOS["arn-f09"])
    del whole["request"]["query"]["prefix"]
    assert first(whole).summary == f"{words}."


@pytest.mark.parametrize(
    ("name", "limit", "condition"),
    [
        ("tag-f04", "with aws:PrincipalTag/Project blue", {"aws:PrincipalTag/Project": "blue"}),
        ("var-f06", "with aws:userid AROAEXAMPLEID:ann", {"aws:userid": "AROAEXAMPLEID:ann"}),
        ("var-f08", "with aws:PrincipalTag/team blue", {"aws:PrincipalTag/team": "blue"}),
    ],
)
def test_where_each_session_of_a_role_has_its_own_the_other_sessions_get_nothing(
    name: str, limit: str, condition: dict[str, str]
) -> None:
    case = SCENARIOS[name]
    fix = first(case)
    assert (fix.verified, fix.least_privilege) == (True, True)
    assert f" {limit} in policy " in fix.summary
    block = only_value(fix)["Condition"]["StringEquals"]
    assert {**block, **condition} == block
    other = patched(case, fix)
    other["request"]["context"] = dict.fromkeys(condition, "another")
    assert decided(other) is Decision.IMPLICIT_DENY


def test_a_user_is_alone_whatever_variables_the_statement_has() -> None:
    assert first(SCENARIOS["var-f04"]).summary.startswith("Add arn:aws:s3:::homes/alice/x to the Resource of ")


COPY = {
    "operation": "CopyObject",
    "method": "PUT",
    "headers": {"x-amz-copy-source": "src/a"},
    "principal": "arn:aws:sts::444455556666:assumed-role/cp/s",
    "principal_account": "444455556666",
}
INTO_DST = {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "s3:PutObject", "Resource": "*"}


def copied(of_source: dict[str, Any]) -> list[Fix]:
    """What helps where the policy of the bucket that a copy reads from denies it."""
    case = scenario(request=COPY, policies={"identity": identity(ALL), "bucket_policy": document(INTO_DST)})
    read = Scenario.validate_document(case)
    snapshot = read.snapshot()
    policy = PolicyList((Policy.parse(document(of_source), name="bucket policy"),))
    source = replace(snapshot.default_bucket, name="src", policy=policy)
    snapshot = replace(snapshot, buckets={**snapshot.buckets, "src": source})
    found = Explainer(s3_operations())(read.denied_call(NOW), snapshot)
    assert found is not None
    return list(found.explanation.fixes)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({**INTO_DST, "Resource": "arn:aws:s3:::src/*"}, "Allow s3:GetObject on arn:aws:s3:::src/a to role cp in the "),
        (
            {
                "Sid": "D",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::src/a",
            },
            "Exempt s3:GetObject on arn:aws:s3:::src/a by role cp from the Deny of statement D in the ",
        ),
    ],
)
def test_the_policy_of_the_bucket_that_a_copy_reads_from_is_not_that_of_the_one_it_writes_to(
    statement: dict[str, Any], words: str
) -> None:
    fix = copied(statement)[0]
    assert fix.summary.startswith(f"{words}bucket policy of src")
    assert (fix.patch, fix.verified, fix.target) == ((), False, "bucket policy of src")


def test_a_key_that_can_have_several_values_keeps_its_set_operator() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html"""
    condition = only_value(first(SCENARIOS["prn-f12"]))["Condition"]
    assert condition == {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a1/r-ab/ou-ab-22/"}}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("var-a02", "aws:username"),
        ("var-c02", "aws:username"),
        ("var-f05", "cognito-identity.amazonaws.com:sub"),
    ],
)
def test_what_was_to_be_for_one_session_of_a_role_is_not_said_to_be_for_it_alone(name: str, key: str) -> None:
    fix = first(SCENARIOS[name])
    assert fix.verified
    assert not fix.least_privilege
    assert fix.summary.endswith(f" (for all sessions of the role: {key} does not limit it).")


@pytest.mark.parametrize("name", ["var-a01", "var-a04", "scp-b02"])
def test_a_user_is_one_and_a_variable_of_the_account_is_the_same_for_all_sessions(name: str) -> None:
    fix = first(SCENARIOS[name])
    assert fix.least_privilege
    assert "sessions" not in fix.summary

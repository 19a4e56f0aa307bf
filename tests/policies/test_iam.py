"""What GetAccountAuthorizationDetails tells about users and roles."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.snapshot import PrincipalFacts
from tests.policies.build import (
    ACCOUNT,
    BROKEN,
    attached,
    details,
    document,
    group,
    inline,
    managed,
    role,
    snapshot,
    user,
)

ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
ETL = f"arn:aws:iam::{ACCOUNT}:role/etl"


def names(policies: PolicyList | None) -> list[str]:
    assert policies is not None
    return [policy.name for policy in policies.policies]


def ana(files_details: dict[str, Any]) -> PrincipalFacts:
    return snapshot({"iam/studio.json": files_details}).principals[ANA]


def test_user_has_inline_attached_and_group_policies() -> None:
    facts = ana(
        details(
            UserDetailList=[
                user(
                    "ana",
                    UserPolicyList=[inline("own")],
                    AttachedManagedPolicies=[attached("direct")],
                    GroupList=["readers", "writers"],
                )
            ],
            GroupDetailList=[
                group("readers", GroupPolicyList=[inline("group-inline")]),
                group("writers", AttachedManagedPolicies=[attached("group-managed")]),
                group("others", GroupPolicyList=[inline("not-hers")]),
            ],
            Policies=[managed("direct"), managed("group-managed"), managed("nobodys")],
        )
    )
    assert names(facts.identity) == ["own", "direct", "group-inline", "group-managed"]
    assert facts.identity.complete
    assert facts.identity.policies[1].arn == f"arn:aws:iam::{ACCOUNT}:policy/direct"
    assert facts.identity.policies[0].arn is None
    assert facts.identity.policies[2].group == f"arn:aws:iam::{ACCOUNT}:group/readers"
    assert facts.unique_id == "AIDAANA"
    assert facts.arn == ANA


def test_a_policy_that_reaches_a_user_twice_is_one_policy() -> None:
    facts = ana(
        details(
            UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")], GroupList=["g"])],
            GroupDetailList=[group("g", AttachedManagedPolicies=[attached("p")])],
            Policies=[managed("p")],
        )
    )
    assert names(facts.identity) == ["p"]


def test_group_policies_are_not_for_roles() -> None:
    told = details(
        RoleDetailList=[role("etl", RolePolicyList=[inline("own")], GroupList=["g"])],
        GroupDetailList=[group("g", GroupPolicyList=[inline("group")])],
    )
    facts = snapshot({"iam/a.json": told}).principals[ETL]
    assert names(facts.identity) == ["own"]
    assert facts.identity.complete


def test_users_have_no_session_policies_and_those_of_roles_are_unknown() -> None:
    principals = snapshot(
        {"iam/a.json": details(UserDetailList=[user("ana")], RoleDetailList=[role("etl")])}
    ).principals
    assert principals[ANA].session is None
    assert principals[ETL].session == UNKNOWN_POLICIES


def test_the_default_version_of_a_managed_policy_counts() -> None:
    told = details(
        UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])],
        Policies=[managed("p", document("Old"), document("Current"), document("Draft"), default="v2")],
    )
    assert ana(told).identity.policies[0].document == document("Current")


def test_without_a_default_version_id_the_flag_says_which_version_counts() -> None:
    policy = managed("p", document("Old"), document("Current"), default="v2")
    del policy["DefaultVersionId"]
    told = details(UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])], Policies=[policy])
    assert ana(told).identity.policies[0].document == document("Current")


def test_documents_may_be_text_and_url_encoded() -> None:
    plain = json.dumps(document("Plain"))
    encoded = quote(json.dumps(document("Encoded")))
    facts = ana(details(UserDetailList=[user("ana", UserPolicyList=[inline("a", plain), inline("b", encoded)])]))
    assert [policy.document for policy in facts.identity.policies] == [document("Plain"), document("Encoded")]


def test_a_broken_version_that_is_not_the_default_does_not_matter() -> None:
    told = details(
        UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])],
        Policies=[managed("p", BROKEN, document("Current"), default="v2")],
    )
    made = snapshot({"iam/a.json": told})
    assert made.problems == ()
    assert made.principals[ANA].identity.complete


def test_aws_leaves_out_an_empty_user_policy_list() -> None:
    bare = user("ana")
    assert "UserPolicyList" not in bare
    assert ana(details(UserDetailList=[bare])).identity == PolicyList((), complete=True)


@pytest.mark.parametrize("member", ["GroupList", "AttachedManagedPolicies"])
def test_any_other_list_that_is_not_there_is_unknown(member: str) -> None:
    bare = user("ana")
    del bare[member]
    assert not ana(details(UserDetailList=[bare])).identity.complete


@pytest.mark.parametrize("member", ["GroupList", "AttachedManagedPolicies", "UserPolicyList"])
def test_a_list_that_is_null_says_none(member: str) -> None:
    assert ana(details(UserDetailList=[user("ana", **{member: None})])).identity == PolicyList((), complete=True)


@pytest.mark.parametrize("member", ["RolePolicyList", "AttachedManagedPolicies"])
def test_a_role_list_that_is_not_there_is_unknown(member: str) -> None:
    bare = role("etl")
    del bare[member]
    assert not snapshot({"iam/a.json": details(RoleDetailList=[bare])}).principals[ETL].identity.complete


def test_an_attached_policy_that_is_not_described_leaves_the_list_incomplete_and_is_named_once() -> None:
    read_only = attached("AmazonS3ReadOnlyAccess", account="aws")
    told = details(
        UserDetailList=[user("ana", AttachedManagedPolicies=[read_only], UserPolicyList=[inline("own")]), user("ben")],
        RoleDetailList=[role("etl", AttachedManagedPolicies=[read_only])],
    )
    made = snapshot({"iam/a.json": told})
    assert names(made.principals[ANA].identity) == ["own"]
    assert not made.principals[ANA].identity.complete
    assert not made.principals[ETL].identity.complete
    assert made.principals[f"arn:aws:iam::{ACCOUNT}:user/ben"].identity.complete
    (problem,) = made.problems
    assert (problem.file, problem.place) == ("iam/a.json", "Policies")
    assert "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" in problem.message
    assert "--filter" in problem.message


def test_a_group_that_is_not_described_leaves_its_users_incomplete() -> None:
    made = snapshot({"iam/a.json": details(UserDetailList=[user("ana", GroupList=["ghosts"])])})
    assert not made.principals[ANA].identity.complete
    assert [(problem.place, "ghosts" in problem.message) for problem in made.problems] == [("GroupDetailList", True)]


def test_what_is_incomplete_of_a_group_is_incomplete_of_its_users() -> None:
    told = details(
        UserDetailList=[user("ana", GroupList=["g"])],
        GroupDetailList=[group("g", GroupPolicyList=[inline("bad", BROKEN), inline("good")])],
    )
    facts = ana(told)
    assert names(facts.identity) == ["good"]
    assert not facts.identity.complete


@pytest.mark.parametrize("truncation", [{"IsTruncated": True, "Marker": "m"}, {"NextToken": "t"}])
def test_one_page_of_several_leaves_everyone_incomplete(truncation: dict[str, Any]) -> None:
    told = details(UserDetailList=[user("ana", UserPolicyList=[inline("own")])], RoleDetailList=[role("etl")])
    made = snapshot({"iam/a.json": told | truncation})
    assert names(made.principals[ANA].identity) == ["own"]
    assert not any(facts.identity.complete for facts in made.principals.values())
    assert "page" in made.problems[0].message


def test_the_last_page_is_complete() -> None:
    assert ana(details(UserDetailList=[user("ana")], IsTruncated=False)).identity.complete


def boundary(arn: str) -> dict[str, str]:
    return {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}


def test_boundary_none_known_and_not_described() -> None:
    known = boundary(f"arn:aws:iam::{ACCOUNT}:policy/edge")
    lost = boundary(f"arn:aws:iam::{ACCOUNT}:policy/lost")
    told = details(
        UserDetailList=[
            user("free"),
            user("freed", PermissionsBoundary=None),
            user("bound", PermissionsBoundary=known),
            user("vague", PermissionsBoundary=lost),
        ],
        Policies=[managed("edge", document("Edge"))],
    )
    made = snapshot({"iam/a.json": told})
    facts = {arn.rpartition("/")[2]: principal.boundary for arn, principal in made.principals.items()}
    assert facts["free"] is None
    assert facts["freed"] is None
    assert names(facts["bound"]) == ["edge"]
    assert facts["vague"] == UNKNOWN_POLICIES
    assert f"arn:aws:iam::{ACCOUNT}:policy/lost" in made.problems[0].message


def test_a_broken_boundary_is_unknown_rather_than_none() -> None:
    told = details(
        RoleDetailList=[role("etl", PermissionsBoundary=boundary(f"arn:aws:iam::{ACCOUNT}:policy/edge"))],
        Policies=[managed("edge", BROKEN)],
    )
    assert snapshot({"iam/a.json": told}).principals[ETL].boundary == UNKNOWN_POLICIES


def test_tags() -> None:
    tagged = user("ana", Tags=[{"Key": "team", "Value": "blue"}])
    bare = user("ben")
    del bare["Tags"]
    principals = snapshot({"iam/a.json": details(UserDetailList=[tagged, bare, user("cleo")])}).principals
    assert [facts.tags for facts in principals.values()] == [{"team": "blue"}, UNKNOWN, {}]


def test_one_broken_inline_policy_costs_its_principal_its_completeness_and_nobody_else() -> None:
    told = details(
        UserDetailList=[
            user("ana", UserPolicyList=[inline("good"), inline("bad", BROKEN)]),
            user("ben", UserPolicyList=[inline("good")]),
        ]
    )
    made = snapshot({"iam/studio.json": told})
    assert names(made.principals[ANA].identity) == ["good"]
    assert not made.principals[ANA].identity.complete
    assert made.principals[f"arn:aws:iam::{ACCOUNT}:user/ben"].identity.complete
    (problem,) = made.problems
    assert problem.file == "iam/studio.json"
    assert problem.place == "UserDetailList[0].UserPolicyList[1].PolicyDocument.Statement[1].Effect"
    assert "aws iam get-account-authorization-details" in problem.message


@pytest.mark.parametrize("content", [None, "", 7, [], {"Statement": "x"}, "{"])
def test_an_inline_policy_without_a_legible_document_is_not_a_policy_of_nothing(content: Any) -> None:
    told = details(UserDetailList=[user("ana", UserPolicyList=[{"PolicyName": "p", "PolicyDocument": content}])])
    made = snapshot({"iam/a.json": told})
    assert made.principals[ANA].identity == UNKNOWN_POLICIES
    assert made.problems[0].place.startswith("UserDetailList[0].UserPolicyList[0].PolicyDocument")


def test_a_broken_managed_policy_is_named_at_its_own_place() -> None:
    told = details(
        UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])],
        Policies=[managed("p", document(), BROKEN, default="v2")],
    )
    made = snapshot({"iam/a.json": told})
    assert not made.principals[ANA].identity.complete
    (problem,) = made.problems
    assert problem.place == "Policies[0].PolicyVersionList[1].Document.Statement[1].Effect"


def test_a_managed_policy_without_its_default_version_is_unknown() -> None:
    told = details(
        UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])],
        Policies=[managed("p", document(), default="v9")],
    )
    made = snapshot({"iam/a.json": told})
    assert not made.principals[ANA].identity.complete
    assert made.problems[0].place == "Policies[0].PolicyVersionList"


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (user("ana", Arn=7), "UserDetailList[0].Arn"),
        (user("ana", Arn="ana"), "UserDetailList[0].Arn"),
        ({"UserName": "ana"}, "UserDetailList[0].Arn"),
        ("ana", "UserDetailList[0]"),
    ],
)
def test_a_user_that_cannot_be_identified_is_unknown_and_the_rest_is_used(broken: Any, place: str) -> None:
    made = snapshot({"iam/a.json": details(UserDetailList=[broken, user("ben")], RoleDetailList=[role("etl")])})
    assert set(made.principals) == {f"arn:aws:iam::{ACCOUNT}:user/ben", ETL}
    assert made.problems[0].place == place
    assert made.principal(ANA).identity == UNKNOWN_POLICIES


@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("GroupList", ["g", 7], "UserDetailList[0].GroupList[1]"),
        ("GroupList", {}, "UserDetailList[0].GroupList"),
        ("AttachedManagedPolicies", [{"PolicyName": "p"}], "UserDetailList[0].AttachedManagedPolicies[0].PolicyArn"),
        ("UserPolicyList", [{"PolicyDocument": document()}], "UserDetailList[0].UserPolicyList[0].PolicyName"),
        ("UserPolicyList", "x", "UserDetailList[0].UserPolicyList"),
    ],
)
def test_a_broken_list_is_incomplete(member: str, value: Any, place: str) -> None:
    told = details(UserDetailList=[user("ana", **{member: value})], GroupDetailList=[group("g")])
    made = snapshot({"iam/a.json": told})
    assert not made.principals[ANA].identity.complete
    assert [problem.place for problem in made.problems] == [place]


def test_a_broken_boundary_reference_is_unknown() -> None:
    made = snapshot({"iam/a.json": details(UserDetailList=[user("ana", PermissionsBoundary={"Arn": "x"})])})
    assert made.principals[ANA].boundary == UNKNOWN_POLICIES
    assert made.problems[0].place == "UserDetailList[0].PermissionsBoundary.PermissionsBoundaryArn"


def test_broken_tags_are_unknown() -> None:
    made = snapshot({"iam/a.json": details(UserDetailList=[user("ana", Tags=[{"Key": "team", "Value": 1}])])})
    assert made.principals[ANA].tags is UNKNOWN
    assert made.problems[0].place == "UserDetailList[0].Tags[0].Value"


def test_filtered_output_without_groups_and_policies() -> None:
    told = {"UserDetailList": [user("ana", GroupList=["g"]), user("ben")]}
    principals = snapshot({"iam/a.json": told}).principals
    assert not principals[ANA].identity.complete
    assert principals[f"arn:aws:iam::{ACCOUNT}:user/ben"].identity.complete


@pytest.mark.parametrize(
    ("lists", "place"),
    [
        ({"Policies": [managed("p", document("One")), managed("p", document("Two"))]}, "Policies[1]"),
        (
            {"GroupDetailList": [group("g", GroupPolicyList=[inline("a")]), group("g")], "Policies": [managed("p")]},
            "GroupDetailList[1]",
        ),
    ],
)
def test_what_is_described_twice_and_differently_is_not_known(lists: dict[str, Any], place: str) -> None:
    reader = user("ana", AttachedManagedPolicies=[attached("p")], GroupList=["g"])
    told = details(**{"UserDetailList": [reader], "GroupDetailList": [group("g")]} | lists)
    made = snapshot({"iam/a.json": told})
    assert not made.principals[ANA].identity.complete
    assert [problem.place for problem in made.problems] == [place]


def test_an_empty_file_says_that_there_is_nobody() -> None:
    made = snapshot({"iam/a.json": b"  \n"})
    assert made.principals == {}
    assert made.problems == ()


def test_a_principal_that_no_file_names_is_unknown() -> None:
    facts = snapshot({}).principal(ANA)
    assert facts.identity == UNKNOWN_POLICIES
    assert facts.boundary == UNKNOWN_POLICIES


def test_identity_policies_have_no_principal_element() -> None:
    made = snapshot(
        {"iam/a.json": details(UserDetailList=[user("ana", UserPolicyList=[inline("p", document(Principal="*"))])])}
    )
    assert made.problems[0].place == "UserDetailList[0].UserPolicyList[0].PolicyDocument.Statement[0].Principal"

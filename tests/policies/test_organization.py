"""What organization.json tells: levels of SCPs and RCPs down to each account, and aws:PrincipalOrgPaths."""

from __future__ import annotations

import json
from typing import Any

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.snapshot import AccountFacts
from tests.policies.build import ACCOUNT, BROKEN, details, document, resource_document, snapshot, user

MANAGEMENT = "123456789012"
SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
FULL = {"Id": "p-FullAWSAccess", "Name": "FullAWSAccess", "Type": SCP, "AwsManaged": True}
FULL_RCP = {"Id": "p-RCPFullAWSAccess", "Name": "RCPFullAWSAccess", "Type": RCP, "AwsManaged": True}

Json = dict[str, Any]


def policy(name: str, content: Any, policy_type: str = SCP) -> Json:
    summary = {"Id": f"p-{name}", "Arn": f"arn:aws:organizations::1:policy/{name}", "Name": name, "Type": policy_type}
    return {"PolicySummary": summary, "Content": json.dumps(content)}


def attached(name: str, policy_type: str = SCP) -> Json:
    return {"Id": f"p-{name}", "Name": name, "Type": policy_type}


def target(target_id: str, *policies: Any, **more: Any) -> Json:
    return {"Id": target_id, "Policies": list(policies)} | more


def organization(*roots: Json, policies: list[Json] | None = None, **more: Any) -> Json:
    described = {"Id": "o-exampleorgid", "MasterAccountId": MANAGEMENT}
    return {"Organization": described, "Roots": list(roots), "Policies": policies or []} | more


def account(content: Any, account_id: str = ACCOUNT) -> AccountFacts:
    made = snapshot({"organization.json": content})
    assert made.problems == ()
    return made.account(account_id)


def levels(found: tuple[PolicyList, ...] | None) -> list[tuple[list[str], bool]]:
    assert found is not None
    return [([policy.name for policy in level.policies], level.complete) for level in found]


def tree(**leaf: Any) -> Json:
    """root > Workloads > Studios > the account, with an SCP at each step but the last."""
    studio = target(ACCOUNT, FULL, FULL_RCP) | leaf
    studios = target("ou-ab12-22222222", FULL, attached("Studios"), FULL_RCP, attached("Rcp", RCP), Accounts=[studio])
    workloads = target("ou-ab12-11111111", FULL, attached("Workloads"), FULL_RCP, OrganizationalUnits=[studios])
    root = target("r-ab12", FULL, FULL_RCP, Accounts=[target(MANAGEMENT, FULL)], OrganizationalUnits=[workloads])
    policies = [
        policy("Workloads", document("W", effect="Deny")),
        policy("Studios", document("S", effect="Deny")),
        policy("Rcp", resource_document("R", effect="Deny"), RCP),
    ]
    return organization(root, policies=policies)


def test_levels_are_root_first_and_each_has_what_is_attached_there() -> None:
    facts = account(tree())
    assert levels(facts.scp) == [
        (["FullAWSAccess"], True),
        (["FullAWSAccess", "Workloads"], True),
        (["FullAWSAccess", "Studios"], True),
        (["FullAWSAccess"], True),
    ]
    assert facts.scp is not None
    assert facts.scp[1].policies[1].arn == "arn:aws:organizations::1:policy/Workloads"
    assert facts.scp[1].policies[1].document == document("W", effect="Deny")


def test_rcps_are_those_of_the_customer() -> None:
    assert levels(account(tree()).rcp) == [([], True), ([], True), (["Rcp"], True), ([], True)]


def test_place_in_the_organization() -> None:
    facts = account(tree())
    assert facts.organization_id == "o-exampleorgid"
    assert facts.organization_path == "o-exampleorgid/r-ab12/ou-ab12-11111111/ou-ab12-22222222/"
    assert facts.management is False


def test_neither_kind_applies_to_the_management_account() -> None:
    facts = account(tree(), MANAGEMENT)
    assert (facts.management, facts.scp, facts.rcp) == (True, None, None)
    assert facts.organization_path == "o-exampleorgid/r-ab12/"


def test_who_is_not_in_the_tree_is_unknown() -> None:
    assert account(tree(), "444455556666") == AccountFacts()


@pytest.mark.parametrize("name", ["MasterAccountId", "ManagementAccountId"])
def test_id_and_management_account_at_the_top(name: str) -> None:
    told = {"Id": "o-exampleorgid", name: ACCOUNT, "Roots": [target("r-ab12", Accounts=[target(ACCOUNT)])]}
    assert account(told).management is True
    assert account(told).organization_id == "o-exampleorgid"


def test_without_a_management_account_nobody_is_known_to_be_bound() -> None:
    told = tree()
    del told["Organization"]["MasterAccountId"]
    facts = account(told)
    assert facts.management is UNKNOWN
    assert facts.scp == (UNKNOWN_POLICIES,)
    assert facts.rcp == (UNKNOWN_POLICIES,)


@pytest.mark.parametrize(
    ("policies", "scp", "rcp"),
    [
        ({}, UNKNOWN_POLICIES, UNKNOWN_POLICIES),
        ({"Policies": None}, PolicyList(), PolicyList()),
        ({"Policies": []}, UNKNOWN_POLICIES, UNKNOWN_POLICIES),
        ({"Policies": [FULL_RCP]}, UNKNOWN_POLICIES, PolicyList()),
    ],
)
def test_a_level_of_which_a_type_was_not_asked_for_is_unknown(policies: Json, scp: PolicyList, rcp: PolicyList) -> None:
    leaf = {"Id": ACCOUNT} | policies
    root = target("r-ab12", FULL, FULL_RCP, Accounts=[leaf])
    facts = account(organization(root))
    assert facts.scp is not None
    assert facts.rcp is not None
    assert (facts.scp[-1], facts.rcp[-1]) == (scp, rcp)


def test_types_that_are_not_enabled_have_no_levels() -> None:
    enabled = [{"Type": SCP, "Status": "ENABLED"}, {"Type": RCP, "Status": "PENDING_DISABLE"}]
    root = target("r-ab12", FULL, PolicyTypes=enabled, Accounts=[target(ACCOUNT, FULL)])
    facts = account(organization(root))
    assert levels(facts.scp) == [(["FullAWSAccess"], True), (["FullAWSAccess"], True)]
    assert facts.rcp is None
    root["PolicyTypes"] = []
    assert (account(organization(root)).scp, account(organization(root)).rcp) == (None, None)


def test_policies_may_be_attached_by_id_and_described_flat() -> None:
    flat = {"Id": "p-x", "Name": "X", "Type": SCP, "Content": document("X")}
    root = target("r-ab12", "p-FullAWSAccess", "p-x", Accounts=[target(ACCOUNT, "p-FullAWSAccess")])
    facts = account(organization(root, policies=[flat]))
    assert levels(facts.scp)[0] == (["FullAWSAccess", "X"], True)


def test_full_aws_access_is_known_without_being_described() -> None:
    facts = account(organization(target("r-ab12", FULL, Accounts=[target(ACCOUNT, FULL)])))
    assert facts.scp is not None
    assert facts.scp[0].policies[0].document["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]


def test_an_attached_policy_that_is_not_described_leaves_its_level_incomplete_and_is_named() -> None:
    root = target("r-ab12", FULL, attached("Lost"), Accounts=[target(ACCOUNT, FULL)])
    made = snapshot({"organization.json": organization(root)})
    assert levels(made.account(ACCOUNT).scp) == [(["FullAWSAccess"], False), (["FullAWSAccess"], True)]
    (problem,) = made.problems
    assert problem.place == "Policies"
    assert "p-Lost" in problem.message
    assert "describe-policy" in problem.message


def test_an_attached_policy_of_unknown_type_may_be_of_either() -> None:
    root = target("r-ab12", FULL, FULL_RCP, "p-lost", Accounts=[target(ACCOUNT, FULL, FULL_RCP)])
    facts = snapshot({"organization.json": organization(root)}).account(ACCOUNT)
    assert levels(facts.scp) == [(["FullAWSAccess"], False), (["FullAWSAccess"], True)]
    assert levels(facts.rcp) == [([], False), ([], True)]


def test_policies_of_other_types_are_nobodys_business() -> None:
    root = target("r-ab12", FULL, FULL_RCP, attached("Tags", "TAG_POLICY"), Accounts=[target(ACCOUNT, FULL, FULL_RCP)])
    assert levels(account(organization(root)).scp) == [(["FullAWSAccess"], True), (["FullAWSAccess"], True)]


def test_a_broken_policy_leaves_the_levels_where_it_is_attached_incomplete() -> None:
    told = tree()
    told["Policies"][0]["Content"] = json.dumps(BROKEN)
    made = snapshot({"organization.json": told})
    assert [complete for _, complete in levels(made.account(ACCOUNT).scp)] == [True, False, True, True]
    assert [problem.place for problem in made.problems] == ["Policies[0].Content.Statement[1].Effect"]


def test_a_policy_described_twice_and_differently_is_not_known() -> None:
    told = tree()
    told["Policies"].append(policy("Workloads", document("Other")))
    made = snapshot({"organization.json": told})
    assert [complete for _, complete in levels(made.account(ACCOUNT).scp)] == [True, False, True, True]
    assert [problem.place for problem in made.problems] == ["Policies[3]"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"Policies": [FULL, 7]}, "Roots[0].OrganizationalUnits[0].OrganizationalUnits[0].Accounts[0].Policies[1]"),
        ({"Policies": "p-x"}, "Roots[0].OrganizationalUnits[0].OrganizationalUnits[0].Accounts[0].Policies"),
    ],
)
def test_a_broken_attachment_leaves_its_level_incomplete(change: Json, place: str) -> None:
    made = snapshot({"organization.json": tree(**change)})
    assert [complete for _, complete in levels(made.account(ACCOUNT).scp)] == [True, True, True, False]
    assert [problem.place for problem in made.problems] == [place]


def test_a_unit_without_an_id_is_named_and_its_accounts_are_unknown() -> None:
    told = tree()
    del told["Roots"][0]["OrganizationalUnits"][0]["Id"]
    made = snapshot({"organization.json": told})
    assert made.account(ACCOUNT) == AccountFacts()
    assert made.account(MANAGEMENT).management is True
    assert [problem.place for problem in made.problems] == ["Roots[0].OrganizationalUnits[0].Id"]


def test_an_account_that_stands_twice_in_the_tree_is_unknown() -> None:
    told = tree()
    told["Roots"][0]["Accounts"].append(target(ACCOUNT, FULL))
    made = snapshot({"organization.json": told})
    assert made.account(ACCOUNT).scp == (UNKNOWN_POLICIES,)
    (problem,) = made.problems
    places = {
        "Roots[0].Accounts[1]",
        "Roots[0].OrganizationalUnits[0].OrganizationalUnits[0].Accounts[0]",
    }
    assert problem.place in places
    assert (places - {problem.place}).pop() in problem.message


@pytest.mark.parametrize("content", [{}, {"Organization": {}}, {"Id": 7}, [], 7])
def test_an_organization_without_an_id_is_a_problem(content: Any) -> None:
    made = snapshot({"organization.json": content})
    assert made.accounts == {}
    assert len(made.problems) == 1


@pytest.mark.parametrize("empty", [b"", b"null"])
def test_an_empty_file_says_that_our_accounts_are_in_no_organization(empty: bytes) -> None:
    made = snapshot(
        {
            "organization.json": empty,
            "accounts/444455556666.json": {"Alias": "partner"},
            "iam/studio.json": details(UserDetailList=[user("ana")]),
        }
    )
    for account_id in (ACCOUNT, "444455556666"):
        facts = made.account(account_id)
        assert (facts.id, facts.organization_id, facts.organization_path) == (account_id, None, None)
        assert (facts.management, facts.scp, facts.rcp) == (False, None, None)
    assert made.account("444455556666").alias == "partner"
    assert made.account("999999999999") == AccountFacts()


def test_account_file_and_organization_are_joined() -> None:
    made = snapshot({"organization.json": tree(), f"accounts/{ACCOUNT}.json": {"Alias": "studio"}})
    facts = made.account(ACCOUNT)
    assert (facts.alias, facts.organization_id) == ("studio", "o-exampleorgid")
    assert made.problems == ()


@pytest.mark.parametrize(
    ("policy_type", "content"), [(SCP, resource_document("P")), (RCP, document("P"))], ids=["scp", "rcp"]
)
def test_scps_have_no_principal_and_rcps_need_one(policy_type: str, content: Json) -> None:
    made = snapshot({"organization.json": organization(policies=[policy("x", content, policy_type)])})
    assert [problem.place for problem in made.problems] == ["Policies[0].Content.Statement[0].Principal"]

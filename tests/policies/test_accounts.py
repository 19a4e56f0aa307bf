"""What account files and access-keys.json tell."""

from __future__ import annotations

from typing import Any

import pytest

from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.snapshot import UNKNOWN_BLOCK_PUBLIC_ACCESS, AccountFacts, BlockPublicAccess
from tests.policies.build import ACCOUNT, snapshot

FILE = f"accounts/{ACCOUNT}.json"
ON = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def facts(content: Any) -> AccountFacts:
    made = snapshot({FILE: content})
    assert made.problems == ()
    return made.account(ACCOUNT)


def test_all_of_it() -> None:
    told = {"Id": ACCOUNT, "Alias": "studio", "CanonicalUserId": "79a5", "PublicAccessBlockConfiguration": ON}
    assert facts(told) == AccountFacts(
        id=ACCOUNT,
        canonical_id="79a5",
        alias="studio",
        block_public_access=BlockPublicAccess(True, True, True, True),
    )


def test_nothing_of_it() -> None:
    assert facts({}) == AccountFacts(id=ACCOUNT)
    assert facts({}).block_public_access == UNKNOWN_BLOCK_PUBLIC_ACCESS


def test_an_empty_file_says_no_block_public_access_and_no_alias_but_not_no_owner() -> None:
    assert facts(b"") == AccountFacts(id=ACCOUNT, alias=None, block_public_access=BlockPublicAccess())
    assert facts(b"").canonical_id is UNKNOWN


def test_the_answers_of_list_buckets_and_list_account_aliases() -> None:
    assert facts({"Owner": {"ID": "79a5"}, "AccountAliases": ["studio"]}).canonical_id == "79a5"
    assert facts({"AccountAliases": ["studio"]}).alias == "studio"
    assert facts({"AccountAliases": []}).alias is None


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"Id": "444455556666"}, "Id"),
        ({"CanonicalUserId": 7}, "CanonicalUserId"),
        ({"AccountAliases": "studio"}, "AccountAliases"),
        ({"PublicAccessBlockConfiguration": {"BlockPublicAcls": 1}}, "PublicAccessBlockConfiguration.BlockPublicAcls"),
    ],
)
def test_broken_members(content: Any, place: str) -> None:
    made = snapshot({FILE: content})
    assert [(problem.file, problem.place) for problem in made.problems] == [(FILE, place)]
    assert made.account(ACCOUNT).canonical_id is UNKNOWN


def test_a_file_named_after_another_account_tells_of_neither() -> None:
    assert snapshot({FILE: {"Id": "444455556666", "Alias": "partner"}}).accounts == {}


def test_access_keys() -> None:
    keys = {
        "AKIAIOSFODNN7EXAMPLE": f"arn:aws:iam::{ACCOUNT}:user/team/ana",
        "ASIAIOSFODNN7EXAMPLE": f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/monday",
        "minioadmin": f"arn:aws:iam::{ACCOUNT}:root",
        "AKIACHINAEXAMPLE": f"arn:aws-cn:iam::{ACCOUNT}:user/ana",
    }
    made = snapshot({"access-keys.json": keys})
    assert made.access_keys == keys
    assert made.problems == ()


@pytest.mark.parametrize("content", [b"", b"null", {}])
def test_no_access_keys(content: Any) -> None:
    made = snapshot({"access-keys.json": content})
    assert (made.access_keys, made.problems) == ({}, ())


@pytest.mark.parametrize(
    "value", ["ana", SECRET, {"SecretAccessKey": SECRET}, [SECRET], None, 7, "arn:aws:s3:::bucket"]
)
def test_a_key_without_a_principal_is_named_and_no_secret_is_repeated(value: Any) -> None:
    good = f"arn:aws:iam::{ACCOUNT}:user/ben"
    made = snapshot({"access-keys.json": {"AKIAIOSFODNN7EXAMPLE": value, "AKIAI44QH8DHBEXAMPLE": good}})
    assert made.access_keys == {"AKIAI44QH8DHBEXAMPLE": good}
    (problem,) = made.problems
    assert problem.place == "AKIAIOSFODNN7EXAMPLE"
    assert SECRET not in str(made.problems)


@pytest.mark.parametrize("content", [[], "x", 7])
def test_access_keys_have_to_be_an_object(content: Any) -> None:
    made = snapshot({"access-keys.json": content})
    assert made.access_keys == {}
    assert len(made.problems) == 1

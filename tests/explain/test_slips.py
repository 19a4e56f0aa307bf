"""Slips in conditions and names: their repair is offered beside the narrowest change, and spares who was meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.remedied import SCENARIOS, Document, allowed, fixes_of, patched
from tests.explain.test_fixes import ALL, demands, document, identity, scenario

ROLE = "arn:aws:iam::111122223333:role/App-web"
SESSION: Document = {
    "principal": "arn:aws:sts::111122223333:assumed-role/App-web/s1",
    "principal_role": ROLE,
    "context": {"aws:userid": "AROAEXAMPLE:s1", "aws:PrincipalTag/team": "Blue"},
}
MEANT = ", which was plainly meant and lets through all that the statement says."


def spared(operator: str, key: str, value: str | list[str]) -> Document:
    policies = {"identity": identity(ALL), "bucket_policy": document(demands(operator, key, value))}
    return scenario(request=SESSION, policies=policies)


@pytest.mark.parametrize(
    ("condition", "words", "new"),
    [
        (
            ("StringNotEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/App-*"),
            "write StringNotLike instead of StringNotEquals for aws:PrincipalArn",
            {"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/App-*"}},
        ),
        (
            ("StringNotLike", "aws:userid", ["AROAEXAMPLE", "AROAOTHER:*"]),
            "write aws:userid AROAEXAMPLE:* instead of AROAEXAMPLE",
            {"StringNotLike": {"aws:userid": ["AROAEXAMPLE:*", "AROAOTHER:*"]}},
        ),
        (
            ("StringNotLike", "aws:userid", "AROAEXAMPLE:"),
            "write aws:userid AROAEXAMPLE:* instead of AROAEXAMPLE:",
            {"StringNotLike": {"aws:userid": "AROAEXAMPLE:*"}},
        ),
        (
            ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/app-web"),
            f"write aws:PrincipalArn {ROLE} instead of arn:aws:iam::111122223333:role/app-web",
            {"ArnNotEquals": {"aws:PrincipalArn": ROLE}},
        ),
    ],
)
def test_a_deny_that_was_meant_to_spare_the_caller(condition: Any, words: str, new: Document) -> None:
    case = spared(*condition)
    narrowest, repair = fixes_of(case)
    assert narrowest.least_privilege
    assert repair.summary == f"In statement Demand of the bucket policy {words}{MEANT}"
    assert (repair.owner, repair.verified, repair.least_privilege) == ("bucket owner", True, False)
    after = patched(case, repair)
    (statement,) = after["policies"]["bucket_policy"]["Statement"]
    assert statement["Condition"] == new
    other = {"principal": "arn:aws:sts::111122223333:assumed-role/else/s1", "principal_role": ROLE[:-7] + "else"}
    elsewhere = {**after["request"], **other, "context": {"aws:userid": "AROAELSE:s1"}}
    assert allowed(after)
    assert not allowed({**after, "request": elsewhere})


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringNotEquals", "aws:PrincipalArn", "*"),
        ("StringNotLike", "aws:userid", "AROAEX"),
        ("StringNotEquals", "aws:PrincipalTag/team", "blue"),
    ],
)
def test_what_may_have_been_meant_otherwise_is_no_slip(operator: str, key: str, value: str) -> None:
    assert not any("plainly meant" in fix.summary for fix in fixes_of(spared(operator, key, value)))


def test_an_allow_with_a_wildcard_that_is_none() -> None:
    statement = {**ALL, "Condition": {"StringEquals": {"aws:PrincipalArn": "*:role/App-*"}}}
    *_, repair = fixes_of(scenario(request=SESSION, policies={"identity": identity(statement)}))
    assert repair.verified
    assert repair.summary == (
        f"In statement All of policy own write StringLike instead of StringEquals for aws:PrincipalArn{MEANT}"
    )


def test_a_principal_in_another_case_is_corrected() -> None:
    case = SCENARIOS["prn-c05"]
    grant, repair = fixes_of(case)
    assert grant.least_privilege
    assert (repair.verified, repair.least_privilege) == (True, False)
    (statement,) = patched(case, repair)["policies"]["bucket_policy"]["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::444455556666:user/alice"}


def test_in_the_arn_of_an_access_point_keys_stand_after_object() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html"""
    case = SCENARIOS["ap-f11"]
    narrow, meant = fixes_of(case)
    assert narrow.least_privilege
    assert meant.verified
    assert not meant.least_privilege
    assert meant.summary.endswith(MEANT)
    (statement,) = patched(case, meant)["policies"]["access_point"]["policy"]["Statement"]
    assert statement["Resource"] == "arn:aws:s3:us-east-1:111122223333:accesspoint/data-ap/object/jane/*"

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.parsing import PolicyError
from tests.iam.build import NEW, NO, OLD, YES, allow, context, deny, matches, policy, request

GOOD = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def parse(document: Any, **more: Any) -> Policy:
    return Policy.parse(document, name="p", **more)


def error_of(document: Any, **more: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse(document, **more)
    return caught.value


def statement_error(**changes: Any) -> PolicyError:
    return error_of({"Statement": [GOOD, {**GOOD, **changes}]})


def test_a_policy_keeps_its_document_as_written() -> None:
    document = {"Version": NEW, "Id": "x", "Statement": [{**GOOD, "Sid": "One"}, GOOD]}
    parsed = Policy.parse(document, name="read", arn="arn:aws:iam::aws:policy/read")
    assert parsed.document is document
    assert (parsed.name, parsed.arn, parsed.version) == ("read", "arn:aws:iam::aws:policy/read", NEW)
    assert [(one.index, one.sid, one.label, one.effect) for one in parsed.statements] == [
        (0, "One", "One", "Allow"),
        (1, None, "Statement[1]", "Allow"),
    ]


def test_one_statement_may_stand_without_a_list() -> None:
    parsed = parse({"Statement": GOOD})
    assert [(one.place, one.label) for one in parsed.statements] == [("Statement", "Statement[0]")]
    assert parsed.version is None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Statement": [GOOD]}),
        "\n " + json.dumps({"Statement": [GOOD]}, indent=2),
        quote(json.dumps({"Statement": [GOOD]}), safe=""),
        quote("\n" + json.dumps({"Statement": [GOOD]})),
    ],
)
def test_text_may_be_json_or_url_encoded_json(text: str) -> None:
    assert parse(text).document == {"Statement": [GOOD]}


def test_percent_signs_in_json_stay() -> None:
    parsed = parse(json.dumps({"Statement": {**GOOD, "Resource": "arn:aws:s3:::b/%7B"}}))
    assert parsed.statements[0].resources == ("arn:aws:s3:::b/%7B",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{"a": 1,\nb}', "line 2, column 1"),
        ('{"Statement": NaN}', "NaN"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_text_that_is_no_json(text: str, message: str) -> None:
    error = error_of(text)
    assert error.place == ""
    assert message in str(error)


@pytest.mark.parametrize("text", ["[]", '"x"', "null", "1"])
def test_a_policy_is_an_object(text: str) -> None:
    assert "a policy is a JSON object" in str(error_of(text))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"Statement": [], "Statement": []}', "Statement"),
        ('{"Statement": [{"Effect": "Allow"}, {"Effect": "Allow", "Effect": "Deny"}]}', "Statement[1].Effect"),
        (
            '{"Statement": [{"Condition": {"StringEquals": {"k": 1, "k": 2}}}]}',
            "Statement[0].Condition.StringEquals.k",
        ),
    ],
)
def test_a_key_that_stands_twice_is_malformed(text: str, place: str) -> None:
    error = error_of(text)
    assert error.place == place
    assert "twice" in error.message


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "Statement"),
        ({"Statement": []}, "Statement"),
        ({"Statement": "x"}, "Statement"),
        ({"Statement": None}, "Statement"),
        ({"Statement": ["x"]}, "Statement[0]"),
        ({"Statement": GOOD, "Version": "2012-10-18"}, "Version"),
        ({"Statement": GOOD, "Version": None}, "Version"),
        ({"Statement": GOOD, "Id": 1}, "Id"),
        ({"Statement": GOOD, "version": NEW}, "version"),
        ({"Statement": GOOD, "Comment": "x"}, "Comment"),
    ],
)
def test_mistakes_in_a_document_are_named_with_their_place(document: Any, place: str) -> None:
    assert error_of(document).place == place


@pytest.mark.parametrize("version", [NEW, OLD])
def test_both_versions_are_known(version: str) -> None:
    assert parse({"Version": version, "Statement": GOOD}).version == version


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"Sid": 1}, "Statement[1].Sid"),
        ({"Effect": "allow"}, "Statement[1].Effect"),
        ({"Effect": None}, "Statement[1].Effect"),
        ({"effect": "Allow"}, "Statement[1].effect"),
        ({"condition": {}}, "Statement[1].condition"),
        ({"NotAction": "s3:*"}, "Statement[1].NotAction"),
        ({"NotResource": "*"}, "Statement[1].NotResource"),
        ({"Principal": "*", "NotPrincipal": "*"}, "Statement[1].NotPrincipal"),
        ({"Action": []}, "Statement[1].Action"),
        ({"Action": None}, "Statement[1].Action"),
        ({"Action": {"a": "b"}}, "Statement[1].Action"),
        ({"Action": ["s3:*", 1]}, "Statement[1].Action[1]"),
        ({"Resource": []}, "Statement[1].Resource"),
        ({"Resource": [["x"]]}, "Statement[1].Resource[0]"),
        ({"Principal": "alice"}, "Statement[1].Principal"),
        ({"Principal": ["*"]}, "Statement[1].Principal"),
        ({"Principal": {}}, "Statement[1].Principal"),
        ({"Principal": {"aws": "*"}}, "Statement[1].Principal.aws"),
        ({"Principal": {"AWS": []}}, "Statement[1].Principal.AWS"),
        ({"Principal": {"AWS": [True]}}, "Statement[1].Principal.AWS[0]"),
        ({"NotPrincipal": {"User": "x"}}, "Statement[1].NotPrincipal.User"),
        ({"Condition": []}, "Statement[1].Condition"),
        ({"Condition": None}, "Statement[1].Condition"),
        ({"Condition": {"StringEquals": "x"}}, "Statement[1].Condition.StringEquals"),
        ({"Condition": {"StringEquals": {"k": None}}}, "Statement[1].Condition.StringEquals.k"),
        ({"Condition": {"StringEquals": {"k": ["a", {}]}}}, "Statement[1].Condition.StringEquals.k[1]"),
    ],
)
def test_mistakes_in_a_statement_are_named_with_their_place(changes: dict[str, Any], place: str) -> None:
    error = statement_error(**changes)
    assert error.place == place
    assert str(error) == f"{place}: {error.message}"


@pytest.mark.parametrize(
    ("missing", "place"),
    [("Effect", "Statement[1].Effect"), ("Action", "Statement[1].Action")],
)
def test_effect_and_action_are_required(missing: str, place: str) -> None:
    written = {name: value for name, value in GOOD.items() if name != missing}
    error = error_of({"Statement": [GOOD, written]})
    assert (error.place, error.message) == (place, "is missing")


def test_a_misspelt_element_is_pointed_out() -> None:
    assert "did you mean Condition?" in statement_error(condition={}).message


def test_the_kind_of_a_wrong_value_is_named() -> None:
    kinds: list[tuple[Any, str]] = [
        (None, "null"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        ([], "a list"),
    ]
    for value, kind in kinds:
        assert kind in statement_error(Condition=value).message
    assert "an object" in statement_error(Action={}).message


def test_sids_are_unique_unless_empty() -> None:
    assert error_of({"Statement": [{**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"}]}).place == "Statement[1].Sid"
    parsed = parse({"Statement": [{**GOOD, "Sid": ""}, {**GOOD, "Sid": ""}]})
    assert [(one.sid, one.label) for one in parsed.statements] == [("", "Statement[0]"), ("", "Statement[1]")]


@pytest.mark.parametrize(
    "changes",
    [
        {"Sid": "with spaces: ok"},
        {"Condition": {}},
        {"Condition": {"StringEquals": {}}},
        {"Condition": {"StringEquals": {"k": []}}},
        {"Condition": {"NoSuchOperator": {"k": "v"}}},
        {"Condition": {"Bool": {"k": True}, "NumericEquals": {"n": [1, 2.5]}}},
        {"Action": "*"},
        {"Principal": {"AWS": "AIDACKCEVSQ6C2EXAMPLE", "Service": ["a", "b"], "CanonicalUser": "c", "Federated": "d"}},
        {"NotPrincipal": "*"},
    ],
)
def test_what_aws_stores_is_accepted(changes: dict[str, Any]) -> None:
    assert parse({"Statement": [{**GOOD, **changes}]}).statements[0].effect == "Allow"


def test_condition_values_keep_their_json_text() -> None:
    values = {"a": True, "b": 10, "c": 2.5, "d": "x", "e": [False, "y"], "f": []}
    parsed = parse({"Statement": {**GOOD, "Condition": {"StringEquals": values}}})
    assert {one.key: one.values for one in parsed.statements[0].conditions} == {
        "a": ("true",),
        "b": ("10",),
        "c": ("2.5",),
        "d": ("x",),
        "e": ("false", "y"),
        "f": (),
    }


def test_a_trust_policy_has_no_resource() -> None:
    parsed = parse({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}})
    assert parsed.statements[0].resources is None
    assert matches(parsed.statements[0], request(action="sts:AssumeRole")) is YES


def test_whether_a_principal_belongs_there_can_be_checked() -> None:
    about_someone = {"Statement": {**GOOD, "Principal": "*"}}
    assert error_of({"Statement": GOOD}, principal="required").place == "Statement.Principal"
    assert error_of(about_someone, principal="forbidden").place == "Statement.Principal"
    assert parse(about_someone, principal="required").statements
    assert parse({"Statement": GOOD}, principal="forbidden").statements


def test_policies_are_equal_by_what_they_say() -> None:
    assert policy(allow()) == policy(allow())
    assert policy(allow()) != policy(deny())
    assert PolicyList((policy(allow()),)) == PolicyList((policy(allow()),))


@pytest.mark.parametrize(
    ("patterns", "action", "concerned"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:GetObject", "S3:GETOBJECT", True),
        ("s3:Get*", "s3:GetObject", True),
        ("s3:?etObject", "s3:GetObject", True),
        ("s3:*", "s3:ListBucket", True),
        ("*", "kms:Decrypt", True),
        ("s3:*", "s3express:CreateSession", False),
        (["sqs:*", "s3:Put*"], "s3:PutObject", True),
        (["sqs:*", "s3:Put*"], "s3:GetObject", False),
    ],
)
def test_actions_are_compared_without_regard_to_case(patterns: Any, action: str, concerned: bool) -> None:
    listed = policy(allow(patterns)).statements[0]
    spared = policy({"Effect": "Allow", "NotAction": patterns, "Resource": "*"}).statements[0]
    assert (matches(listed, request(action=action)) is YES) is concerned
    assert (matches(spared, request(action=action)) is NO) is concerned


def test_the_index_holds_what_can_concern_an_action_in_document_order() -> None:
    written = policy(
        allow("s3:*"), deny("sqs:*"), deny("s3:Get*"), {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}
    )
    relevant = written.relevant("s3:getobject")
    assert [one.index for one in relevant.all] == [0, 2]
    assert [one.index for one in relevant.denies] == [2]
    assert [one.index for one in relevant.allows] == [0]
    assert [one.index for one in written.relevant("sqs:sendmessage").all] == [1, 3]
    assert written.relevant("s3:getobject") is relevant


def test_the_index_is_bounded() -> None:
    written = policy(allow("s3:*"))
    for number in range(10_000):
        assert len(written.relevant(f"s3:action{number}").all) == 1
    assert len(written._index) <= 4096


def test_a_large_policy_is_fine() -> None:
    statements = [allow("s3:GetObject", f"arn:aws:s3:::bucket-{number}/*") for number in range(200)]
    written = policy(*statements)
    assert matches(written.statements[199], request(resource="arn:aws:s3:::bucket-199/k")) is YES
    assert matches(written.statements[198], request(resource="arn:aws:s3:::bucket-199/k")) is NO


def test_a_statement_can_be_asked_about_another_resource() -> None:
    one = policy(allow(resource="arn:aws:s3:::b/*")).statements[0]
    through_access_point = request(resource="arn:aws:s3:eu-west-1:111122223333:accesspoint/a/object/k")
    assert matches(one, through_access_point) is NO
    assert matches(one, through_access_point, "arn:aws:s3:::b/k") is YES
    assert repr(one) == "<Statement Statement[0]>"


def test_conditions_are_anded() -> None:
    both = {"StringEquals": {"a": "1", "b": "2"}, "Null": {"c": "true"}}
    one = policy(allow(Condition=both)).statements[0]
    assert matches(one, request(keys=context({"a": "1", "b": "2"}))) is YES
    assert matches(one, request(keys=context({"a": "1", "b": "3"}))) is NO
    assert matches(one, request(keys=context({"a": "1", "b": "2", "c": "3"}))) is NO

"""What a Deny is narrowed by: the sentence says all that the patch frees, and policies of others stay as they are."""

from __future__ import annotations

import copy

import pytest

from denyproxy.iam.layers import Decision
from tests.explain.remedied import SCENARIOS, Document, decided, fixes_of, patched
from tests.explain.test_fixes import ALL, document, first, identity, scenario

ALICE = "arn:aws:iam::111122223333:user/alice"
SPARED = {"ArnNotEquals": {"aws:PrincipalArn": ALICE}}


def asks(case: Document, action: str, resource: str) -> Document:
    """The same caller's question about another action or resource."""
    kept = ("principal", "principal_role", "principal_account", "resource_account", "region", "bucket")
    request = {name: case["request"][name] for name in kept if name in case["request"]}
    return {"request": {**request, "action": action, "resource": resource}, "policies": case["policies"]}


def test_what_no_statement_can_leave_out_alone_is_said_to_be_freed_with_the_rest() -> None:
    fix = first(SCENARIOS["act-f03"])
    assert not fix.least_privilege
    assert fix.summary == (
        "Exempt s3:DeleteObject on arn:aws:s3:::mixed-bkt/protected/* by user cleaner from the Deny of statement "
        "KeepProtected in the bucket policy (all of it: no statement can leave out "
        "arn:aws:s3:::mixed-bkt/protected/b.txt alone)."
    )


def test_a_boundary_is_narrowed_for_one_role_and_keeps_its_patterns() -> None:
    case = SCENARIOS["bnd-f02"]
    fix = first(case)
    assert fix.summary == (
        "Exempt s3:DeleteBucket on arn:aws:s3:::prod-* by role Dev from the Deny of statement NoBucketDelete in the "
        "permissions boundary DevBoundary (all of it: no statement can leave out arn:aws:s3:::prod-bkt alone)."
    )
    before = case["policies"]["permissions_boundary"]["document"]["Statement"][1]
    _, deny, other = patched(case, fix)["policies"]["permissions_boundary"]["document"]["Statement"]
    spared = {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/Dev"}}
    assert deny == {**before, "Condition": spared}
    assert other == {**before, "Sid": "NoBucketDelete2", "Action": ["s3:PutBucketPolicy", "s3:DeleteBucket?*"]}


def test_names_in_the_place_of_a_pattern_are_owned_up_to() -> None:
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}
    fix = first(scenario(policies={"identity": identity(ALL), "bucket_policy": document(deny)}))
    assert not fix.least_privilege
    assert fix.summary == (
        "Exempt s3:GetObject on arn:aws:s3:::b/k by user alice from the Deny of statement No in the bucket policy "
        "(what else s3:Get* covers is then denied by name: actions that AWS adds later are not)."
    )


def test_of_other_services_a_pattern_is_freed_as_a_whole_and_the_sentence_says_so() -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1"
    deny = {"Sid": "No", "Effect": "Deny", "Action": "kms:Dec*", "Resource": key}
    case = scenario(policies={"identity": identity({**ALL, "Action": "*"}, deny)})
    case["request"] = {**case["request"], "action": "kms:Decrypt", "resource": key, "operation": None}
    (fix,) = fixes_of(case)
    assert fix.summary.startswith(f"Exempt kms:Decrypt and kms:Dec* on {key} from the Deny of statement No")
    assert not fix.least_privilege


def test_a_group_keeps_its_deny_for_all_other_members() -> None:
    deny = {"Sid": "No", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    group = identity(deny, name="limits", arn="arn:aws:iam::111122223333:group/devs")
    case = scenario(policies={"identity": [*identity(ALL), *group]})
    fix = first(case)
    assert fix.least_privilege
    assert fix.summary == (
        "Exempt s3:GetObject on arn:aws:s3:::b/k by user alice from the Deny of statement No in policy limits of group "
        "devs (all its members)."
    )
    assert patched(case, fix)["policies"]["identity"][1]["document"]["Statement"] == [{**deny, "Condition": SPARED}]


def test_a_condition_that_limits_the_exemption_is_named() -> None:
    (fix,) = fixes_of(SCENARIOS["pfx-f04"])
    assert " with prefix finance/ by user bob " in fix.summary


@pytest.mark.parametrize(
    ("context", "left", "words"),
    [
        (
            {"aws:SourceAccount": "111122223333"},
            {"aws:SourceAccount": "111122223333"},
            " with aws:SourceAccount 111122223333 by cloudtrail.amazonaws.com from the Deny of statement No in the "
            "bucket policy.",
        ),
        ({}, None, "(a condition on aws:SourceArn or aws:SourceAccount belongs there too, lest the service do it for "),
    ],
)
def test_a_service_is_exempt_for_the_source_of_the_request_alone(
    context: dict[str, str], left: dict[str, str] | None, words: str
) -> None:
    service = {"Service": "cloudtrail.amazonaws.com"}
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    allow = {"Effect": "Allow", "Principal": service, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    request = {"principal": "cloudtrail.amazonaws.com", "principal_account": None, "context": context}
    case = scenario(request=request, policies={"bucket_policy": document(deny, allow)})
    fix = first(case)
    assert words in fix.summary
    assert fix.least_privilege is (left is not None)
    conditions = [item.get("Condition") for item in patched(case, fix)["policies"]["bucket_policy"]["Statement"]]
    others = {"StringNotEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}}
    assert others in conditions
    assert ({"StringNotEquals": left} in conditions) is (left is not None)


def test_a_slip_in_whom_a_deny_spares_is_corrected_for_all_of_them() -> None:
    role = "arn:aws:iam::111122223333:role/app"
    other = "arn:aws:iam::111122223333:role/other"
    deny = {
        "Sid": "No",
        "Effect": "Deny",
        "NotPrincipal": {"AWS": role},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": other}},
    }
    request = {"principal": "arn:aws:sts::111122223333:assumed-role/app/s", "principal_role": role}
    case = scenario(request=request, policies={"identity": identity(ALL), "bucket_policy": document(deny)})
    _, meant = fixes_of(case)
    (statement,) = patched(case, meant)["policies"]["bucket_policy"]["Statement"]
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [other, role]}}


def test_other_requests_of_the_same_caller_stay_denied() -> None:
    deny = {
        "Sid": "No",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": "arn:aws:s3:::b/*",
    }
    case = scenario(policies={"identity": identity(ALL), "bucket_policy": document(deny)})
    after = patched(case, first(case))
    for action, resource in (("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::b/k2")):
        assert decided(asks(case, action, resource)) == decided(asks(after, action, resource)) == "explicit-deny"


def of_athena(deny: Document, **context: str) -> Document:
    """A read that Athena makes for alice."""
    via = {"aws:ViaAWSService": "true", "aws:CalledVia": "athena.amazonaws.com", **context}
    via |= {"aws:CalledViaFirst": "athena.amazonaws.com", "aws:CalledViaLast": "athena.amazonaws.com"}
    policies = {"identity": identity(ALL), "bucket_policy": document({"Effect": "Deny", "Principal": "*", **deny})}
    return scenario(request={"context": via}, policies=policies)


def test_what_a_service_sends_for_the_caller_is_not_for_the_caller_to_send_another_way() -> None:
    case = of_athena(
        {
            "Sid": "Vpce",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/k",
            "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
        }
    )
    (fix,) = fixes_of(case)
    assert (fix.owner, fix.verified, fix.least_privilege) == ("bucket owner", True, True)
    assert fix.summary == (
        "Exempt s3:GetObject on arn:aws:s3:::b/k with aws:ViaAWSService true by user alice from the Deny of statement "
        "Vpce in the bucket policy."
    )
    after = patched(case, fix)
    after["request"]["context"] = {"aws:ViaAWSService": "false"}
    assert decided(after) is Decision.EXPLICIT_DENY


def test_credentials_are_the_callers_own_whoever_sends_the_request() -> None:
    mfa = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    case = of_athena({"Sid": "Mfa", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*", "Condition": mfa})
    (fix,) = fixes_of(case)
    assert (fix.owner, fix.verified) == ("caller", True)
    assert "obtained with MFA" in fix.summary


def test_fields_of_what_a_service_sends_for_the_caller_are_the_services() -> None:
    case = of_athena(
        {
            "Sid": "Sse",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::b/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        }
    )
    case["request"] |= {"operation": "PutObject", "method": "PUT"}
    fix = fixes_of(case)[-1]
    assert fix.summary == "Have athena.amazonaws.com send x-amz-server-side-encryption: aws:kms."
    assert (fix.patch, fix.verified) == ((), False)


@pytest.mark.parametrize(
    ("tags", "limit", "condition"),
    [
        ({}, "without s3:ExistingObjectTag/status", {"Null": {"s3:ExistingObjectTag/status": "false"}}),
        (
            {"status": "PENDING"},
            "with s3:ExistingObjectTag/status PENDING",
            {"StringNotEquals": {"s3:ExistingObjectTag/status": ["DONE", "PENDING"]}},
        ),
    ],
)
def test_what_is_tagged_otherwise_stays_denied(tags: dict[str, str], limit: str, condition: Document) -> None:
    case = {**SCENARIOS["tag-a02"], "resource_state": {"object": {"tags": tags}}}
    fix = first(case)
    assert (fix.verified, fix.least_privilege) == (True, False)
    assert fix.summary.startswith(f"Exempt s3:GetObject on arn:aws:s3:::mybucket/* {limit} from the Deny of ")
    (deny,) = patched(case, fix)["policies"]["identity"][1]["document"]["Statement"]
    assert {**deny["Condition"], **condition} == deny["Condition"]
    infected = copy.deepcopy(patched(case, fix))
    infected["resource_state"]["object"]["tags"] = {"status": "INFECTED"}
    assert decided(infected) is Decision.EXPLICIT_DENY


@pytest.mark.parametrize(
    ("elements", "is_told"),
    [
        ({"Action": "s3:*"}, True),
        ({"Action": ["s3:GetObject", "s3:Put*"]}, True),
        ({"NotAction": "s3:ListBucket"}, True),
        ({"Action": "s3:GetObject"}, False),
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}, False),
        ({"Action": "s3:*", "Principal": {"AWS": ALICE}}, False),
    ],
)
def test_who_can_change_a_policy_that_shuts_everyone_out_is_told(elements: Document, is_told: bool) -> None:
    both = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Resource": both, **elements}
    case = scenario(policies={"identity": identity(ALL), "bucket_policy": document(deny)})
    told = (
        " in the bucket policy (which denies s3:PutBucketPolicy too: whom it spares, or the root user of account "
        "111122223333, can change it)"
    )
    assert (told in first(case).summary) is is_told

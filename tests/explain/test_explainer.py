"""Calls as they are on the wire, in an open world: what is not loaded is unknown, and no culprit is invented."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest

from denyproxy.exchange import Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.model import Explanation
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.s3.snapshot import (
    AccountFacts,
    BlockPublicAccess,
    BucketFacts,
    ObjectFacts,
    PolicyProblem,
    PolicySnapshot,
    PrincipalFacts,
)
from denyproxy.service_model import s3_operations

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ALICE = "arn:aws:iam::111122223333:user/alice"
EXPLAINER = Explainer(s3_operations())
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260501/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "a" * 64
)


def head(method: str = "GET", target: str = "/b/k", *extra: tuple[str, str], signed: bool = True) -> RequestHead:
    headers = [("Host", "s3.us-east-1.amazonaws.com"), ("X-Amz-Date", "20260501T120000Z"), *extra]
    return RequestHead(method, target, (*headers, ("Authorization", AUTHORIZATION)) if signed else tuple(headers))


def call(
    request: RequestHead | None = None,
    code: str | None = "AccessDenied",
    message: str = "Access Denied",
    status: int = 403,
    **more: Any,
) -> DeniedCall:
    request = request or head()
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode() if code else b""
    members: dict[str, Any] = {
        "id": "ID1",
        "request": request,
        "upstream_request": request,
        "response": ResponseHead(status),
        "received": NOW,
        "response_body": body,
        "secure": True,
        "declared": NO_ENDPOINT,
    }
    return DeniedCall(**{**members, **more})


NO_ENDPOINT = Declared(context={"aws:SourceVpce": None, "aws:SourceVpc": None, "aws:SourceIp": ("203.0.113.9",)})


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def policies(*statements: dict[str, Any], name: str = "policy") -> PolicyList:
    return PolicyList((Policy.parse(document(*statements), name=name),))


ALLOW_ALL = {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
BUCKET = BucketFacts(
    name="b",
    account="111122223333",
    region="us-east-1",
    policy=PolicyList(),
    policy_is_public=False,
    block_public_access=BlockPublicAccess(),
    object_ownership="BucketOwnerEnforced",
    grants=(),
    request_payer="BucketOwner",
    default_encryption="AES256",
    blocked_encryption_types=(),
    versioning=None,
    mfa_delete=False,
    tags={},
    abac=False,
)
PLAIN = ObjectFacts(exists=True, sse="AES256", tags={}, owner_account="111122223333", storage_class="STANDARD")


def world(identity: PolicyList, bucket: BucketFacts = BUCKET, **more: Any) -> PolicySnapshot:
    members: dict[str, Any] = {
        "revision": "r1",
        "loaded": NOW,
        "access_keys": {"AKIAEXAMPLE": ALICE},
        "principals": {ALICE: PrincipalFacts(ALICE, identity=identity, boundary=None, session=None, tags={})},
        "accounts": {
            "111122223333": AccountFacts(
                "111122223333",
                block_public_access=BlockPublicAccess(),
                organization_id=None,
                organization_path=None,
                management=False,
                scp=None,
                rcp=None,
            )
        },
        "buckets": {"b": bucket},
        "objects": {("b", "k"): PLAIN},
    }
    return PolicySnapshot(**{**members, **more})


def explain(denied: DeniedCall, snapshot: PolicySnapshot) -> Explanation:
    return explained(denied, snapshot).explanation


def explained(denied: DeniedCall, snapshot: PolicySnapshot) -> Explained:
    result = EXPLAINER(denied, snapshot)
    assert result is not None
    return result


def test_the_caller_is_known_by_the_access_key() -> None:
    principal = explain(call(), world(PolicyList())).principal
    assert (principal.arn, principal.type, principal.known_by) == (ALICE, "user", "access-keys")


def test_no_policy_at_all_is_a_certain_implicit_denial() -> None:
    explanation = explain(call(), world(PolicyList()))
    assert explanation.verdict == "implicit-deny"
    assert explanation.certain
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.policy, explanation.cause.statement) == ("identity", None, None)


def test_all_allowed_and_denied_all_the_same_is_unexplained() -> None:
    explanation = explain(call(), world(policies(ALLOW_ALL)))
    assert explanation.verdict == "unexplained"
    assert not explanation.certain
    assert explanation.cause is None


def test_what_is_allowed_by_a_rule_in_doubt_is_not_certain() -> None:
    plain = world(policies(ALLOW_ALL))
    narrow = policies({**ALLOW_ALL, "Resource": "arn:aws:s3:::b/*"}, name="scp")
    account = replace(plain.accounts["111122223333"], management=False, scp=(narrow,), organization_id="o-1")
    question = call(response=None, response_body=None)
    assert explain(question, plain).certain
    told = explain(question, replace(plain, accounts={"111122223333": account}))
    assert (told.verdict, told.certain) == ("allowed", False)
    doubt = (
        "Not certain: AWS's own pages disagree, or do not say, whether an SCP's Allow can have conditions or resources."
    )
    assert doubt in told.notes


def test_an_unknown_access_key_names_no_culprit() -> None:
    explanation = explain(call(), replace(world(PolicyList()), access_keys={}))
    assert explanation.verdict == "unknown-caller"
    assert explanation.cause is None
    assert "AKIAEXAMPLE" in explanation.summary


def test_a_deny_to_everybody_needs_no_caller() -> None:
    deny = {"Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    bucket = replace(BUCKET, policy=policies(deny, name="bucket policy"))
    explanation = explain(call(), replace(world(PolicyList(), bucket), access_keys={}))
    assert explanation.verdict == "explicit-deny"
    assert explanation.certain
    assert explanation.cause is not None
    assert explanation.cause.statement == "Nobody"


def long(reason: str, action: str = "s3:GetObject", principal: str = ALICE, resource: str = "arn:aws:s3:::b/k") -> str:
    return f'User: {principal} is not authorized to perform: {action} on resource: "{resource}" {reason}'


def test_s3s_message_makes_the_caller_known() -> None:
    message = long("because no identity-based policy allows the s3:GetObject action")
    explanation = explain(call(message=message), replace(world(PolicyList()), access_keys={}))
    assert explanation.principal.arn == ALICE
    assert explanation.principal.known_by == "upstream-message"
    assert explanation.verdict == "implicit-deny"
    assert explanation.upstream.agrees is True


def test_a_message_that_the_policies_do_not_bear_out_makes_them_stale() -> None:
    message = long("with an explicit deny in a resource-based policy")
    explanation = explain(call(message=message), world(policies(ALLOW_ALL)))
    assert explanation.verdict == "stale-policies"
    assert not explanation.certain
    assert explanation.cause is None
    assert explanation.upstream.agrees is False


PUT_FULL_CONTROL = head("PUT", "/b/k", ("x-amz-acl", "bucket-owner-full-control"))
PUT_ONLY = {"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
NO_GRANTS = {("b", "k"): replace(PLAIN, grants=())}


def test_what_the_message_names_was_needed() -> None:
    facts = world(policies(PUT_ONLY), replace(BUCKET, object_ownership="BucketOwnerPreferred"), objects=NO_GRANTS)
    message = long("because no identity-based policy allows the s3:PutObjectAcl action", "s3:PutObjectAcl")
    explanation = explain(call(PUT_FULL_CONTROL, message=message), facts)
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.action) == ("identity", "s3:PutObjectAcl")
    assert explanation.certain
    assert not explain(call(PUT_FULL_CONTROL), facts).certain


def test_a_deny_of_what_s3_may_not_ask_for_is_a_candidate_for_that_reason() -> None:
    no_acls = {"Sid": "NoAcls", "Effect": "Deny", "Action": "s3:PutObjectAcl", "Resource": "*"}
    bucket = replace(BUCKET, object_ownership="BucketOwnerPreferred")
    (candidate, *_) = explain(call(PUT_FULL_CONTROL), world(policies(ALLOW_ALL, no_acls), bucket)).candidates
    assert (candidate.statement, candidate.unknowns) == ("NoAcls", ())
    assert candidate.why == "a Deny at hand applies, should S3 ask for it"


def test_a_message_may_say_that_the_owner_of_the_bucket_was_asked_too() -> None:
    granted = policies({**PUT_ONLY, "Principal": {"AWS": ALICE}}, name="bucket policy")
    bucket = replace(BUCKET, account="444455556666", object_ownership="BucketOwnerPreferred", policy=granted)
    message = long("because no resource-based policy allows the s3:PutObjectAcl action", "s3:PutObjectAcl")
    facts = world(policies(ALLOW_ALL), bucket, objects=NO_GRANTS)
    explanation = explain(call(PUT_FULL_CONTROL, message=message), facts)
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.statement) == ("bucket-policy", "Put")
    assert explanation.certain


def test_a_message_that_names_a_layer_that_is_not_loaded() -> None:
    message = long("with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/x/p-1")
    facts = world(policies(ALLOW_ALL), accounts={"111122223333": AccountFacts("111122223333")})
    explanation = explain(call(message=message), facts)
    assert explanation.verdict == "policies-missing"
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.effect) == ("scp", "explicit")
    assert not explanation.certain


def test_the_message_picks_among_several_reasons() -> None:
    deny = {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    bucket = replace(BUCKET, policy=policies(deny, name="bucket policy"))
    message = long("because no identity-based policy allows the s3:GetObject action")
    explanation = explain(call(message=message), world(PolicyList(), bucket))
    assert explanation.cause is not None
    assert explanation.cause.layer == "identity"
    assert [cause.layer for cause in explanation.also_blocking] == ["bucket-policy"]


VPCE_DENY = {
    "Sid": "OnlyEndpoint",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
}


def test_one_deny_that_may_apply_is_the_cause_by_elimination() -> None:
    bucket = replace(BUCKET, policy=policies(VPCE_DENY, name="bucket policy"))
    facts = replace(world(policies(ALLOW_ALL), bucket), vpc_endpoint=None)
    explanation = explain(call(declared=Declared()), facts)
    assert explanation.verdict == "explicit-deny"
    assert not explanation.certain
    assert explanation.cause is not None
    assert (explanation.cause.statement, explanation.cause.element) == ("OnlyEndpoint", "condition:aws:SourceVpce")
    assert explanation.unknowns == ("aws:SourceVpce",)
    assert explanation.summary.startswith("By elimination")


def test_several_that_may_are_candidates() -> None:
    ip = {**VPCE_DENY, "Sid": "Ip", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    bucket = replace(BUCKET, policy=policies(VPCE_DENY, ip, name="bucket policy"))
    facts = replace(world(policies(ALLOW_ALL), bucket), vpc_endpoint=None)
    explanation = explain(call(declared=Declared()), facts)
    assert explanation.verdict == "candidates"
    assert explanation.cause is None
    assert [candidate.statement for candidate in explanation.candidates] == ["OnlyEndpoint", "Ip"]
    assert set(explanation.unknowns) == {"aws:SourceVpce", "aws:SourceIp"}


def test_a_bucket_that_is_not_loaded_is_missing_not_empty() -> None:
    facts = replace(world(policies(ALLOW_ALL)), buckets={})
    explanation = explain(call(), facts)
    assert explanation.verdict in ("policies-missing", "candidates")
    assert explanation.cause is None
    assert not explanation.certain
    assert "bucket-policy" in {candidate.layer for candidate in explanation.candidates}


READ_ONLY = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_key_that_may_be_read_and_not_listed_may_be_missing(method: str) -> None:
    facts = replace(
        world(policies(READ_ONLY)), objects={("b", "k"): replace(PLAIN, exists=PolicySnapshot().default_object.exists)}
    )
    denied = call(head(method), code=None if method == "HEAD" else "AccessDenied")
    explanation = explain(denied, facts)
    assert explanation.verdict == "implicit-deny"
    assert explanation.missing_key_possible
    assert explanation.cause is not None
    assert (explanation.cause.action, explanation.cause.resource) == ("s3:ListBucket", "arn:aws:s3:::b")


def test_a_key_that_exists_is_not_missing() -> None:
    explanation = explain(call(), world(policies(READ_ONLY)))
    assert explanation.verdict == "unexplained"
    assert not explanation.missing_key_possible


def test_a_write_is_never_explained_by_a_missing_key() -> None:
    put = {**READ_ONLY, "Action": "s3:PutObject"}
    explanation = explain(call(head("PUT")), world(policies(put)))
    assert not explanation.missing_key_possible


def test_codes_of_their_own_need_no_policies() -> None:
    explanation = explain(call(code="InvalidAccessKeyId", message="x"), PolicySnapshot())
    assert explanation.verdict == "not-policy"
    assert explanation.cause is not None
    assert explanation.cause.layer == "unknown-access-key"
    assert explanation.cause.action is None


DELETE_BODY = (
    b"<Delete><Object><Key>ok</Key></Object><Object><Key>no</Key></Object><Object><Key>nope</Key></Object></Delete>"
)


def delete_result(*denied: str) -> bytes:
    errors = "".join(
        f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" for key in denied
    )
    return f"<DeleteResult><Deleted><Key>ok</Key></Deleted>{errors}</DeleteResult>".encode()


def test_keys_denied_inside_a_success_are_explained_by_cause() -> None:
    delete = {**READ_ONLY, "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/ok"}
    denied = call(head("POST", "/b?delete"), status=200, response_body=delete_result("no", "nope"), body=DELETE_BODY)
    explanation = explain(denied, world(policies(delete)))
    assert explanation.operation == "DeleteObjects"
    assert explanation.key == "no"
    assert explanation.cause is not None
    assert (explanation.cause.action, explanation.cause.resource) == ("s3:DeleteObject", "arn:aws:s3:::b/no")
    assert explanation.notes[0].startswith("2 key(s) of this request were denied")


def test_a_success_without_denials_has_no_explanation() -> None:
    denied = call(head("POST", "/b?delete"), status=200, response_body=delete_result(), body=DELETE_BODY)
    assert EXPLAINER(denied, world(PolicyList())) is None


def test_problems_in_the_policy_files_are_told() -> None:
    facts = replace(world(PolicyList()), problems=(PolicyProblem("buckets/b.json", "line 3", "not JSON"),))
    explanation = explain(call(), facts)
    assert explanation.policies.problems == ("buckets/b.json: line 3: not JSON",)
    assert any("buckets/b.json" in note for note in explanation.notes)


def test_other_upstreams_are_judged_by_awss_rules_and_that_is_said() -> None:
    explanation = explain(call(upstream_kind="minio"), world(PolicyList()))
    assert explanation.notes[0].startswith("By AWS's rules")


def test_other_upstreams_have_no_organization_that_nobody_loaded() -> None:
    facts = replace(world(policies(ALLOW_ALL)), accounts={})
    layers = {candidate.layer for candidate in explain(call(upstream_kind="aws"), facts).candidates}
    assert {"scp", "rcp"} <= layers
    elsewhere = {candidate.layer for candidate in explain(call(upstream_kind="ceph"), facts).candidates}
    assert not {"scp", "rcp", "vpc-endpoint-policy"} & elsewhere


def test_no_secret_gets_into_the_record() -> None:
    secrets = {
        "X-Amz-Security-Token": "TOKEN",
        "x-amz-server-side-encryption-customer-key": "CUSTOMERKEY",
        "Cookie": "C00KIE",
    }
    target = "/b/k?X-Amz-Signature=SIGNATURE&X-Amz-Security-Token=TOKEN&Signature=SIGNATURE&versionId=v1"
    request = head("GET", target, *secrets.items())
    record = explained(call(request), world(PolicyList())).record.to_json()
    for secret in ("TOKEN", "CUSTOMERKEY", "C00KIE", "SIGNATURE", "a" * 64):
        assert secret not in record
    assert json.loads(record)["call"]["query"] == {"versionId": "v1"}


def test_own_account_needs_an_identity_that_s3_has_verified() -> None:
    assert explained(call(), world(PolicyList())).own_account
    assert not explained(call(code="SignatureDoesNotMatch", message="x"), world(PolicyList())).own_account
    assert not explained(call(head(signed=False)), world(PolicyList())).own_account
    other = replace(BUCKET, account="444455556666")
    assert not explained(call(), world(PolicyList(), other)).own_account

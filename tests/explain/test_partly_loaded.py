"""Calls against policy directories that tell only a part, as most do: what is not loaded is never argued away."""

from __future__ import annotations

from typing import Any

import pytest

from denyproxy.exchange import Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.model import Explanation
from tests.explain.test_explainer import AUTHORIZATION, call, explain, head
from tests.policies.build import ACCOUNT, BROKEN_RESOURCE, details, document, inline, snapshot, user

ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
BEN = "arn:aws:iam::444455556666:user/ben"
POINT = f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/ap"
OPEN = Declared()
ALL = document("All", "*")
READ = document("Read", Resource="arn:aws:s3:::b/*")
BUCKET: dict[str, Any] = {
    "Account": ACCOUNT,
    "Policy": None,
    "PublicAccessBlockConfiguration": None,
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "RequestPayment": {"Payer": "BucketOwner"},
}


def told(denied: DeniedCall, principal: str = ANA, **files: Any) -> Explanation:
    """`files`: `buckets__b` is buckets/b.json."""
    named = {f"{name.replace('__', '/').replace('_', '-')}.json": content for name, content in files.items()}
    return explain(denied, snapshot({"access-keys.json": {"AKIAEXAMPLE": principal}, **named}))


def ana(*policies: Any, **more: Any) -> Any:
    return details(UserDetailList=[user("ana", UserPolicyList=[inline("own", item) for item in policies], **more)])


def said(why: str, principal: str = ANA, action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k") -> Any:
    message = f'User: {principal} is not authorized to perform: {action} on resource: "{resource}" {why}'
    return {"message": message, "declared": OPEN}


def not_allowed_by(kind: str, action: str = "s3:GetObject") -> str:
    return f"because no {kind} allows the {action} action"


UNTAGGED = {"StringNotEquals": {"s3:ExistingObjectTag/clean": "yes"}}
TAGGED = document("Tagged", "s3:*", "Deny", Condition=UNTAGGED)


@pytest.mark.parametrize("groups", [[], ["gone"]])
def test_a_deny_that_is_not_loaded_is_not_eliminated(groups: list[str]) -> None:
    denied = call(**said("with an explicit deny in an identity-based policy"))
    explanation = told(denied, buckets__b=BUCKET, iam__a=ana(ALL, TAGGED, GroupList=groups))
    assert explanation.upstream.agrees
    if groups:
        assert explanation.verdict == "candidates"
        assert [item.statement for item in explanation.candidates] == ["Tagged", None]
    else:
        assert explanation.verdict == "explicit-deny"
        assert explanation.cause is not None
        assert explanation.cause.statement == "Tagged"


def test_restricted_public_access_is_not_concluded_where_a_part_of_the_bucket_policy_is_not_loaded() -> None:
    denied = call(**said("with an explicit deny in a resource-based policy", BEN))
    bucket = {"Account": ACCOUNT, "Policy": BROKEN_RESOURCE, "OwnershipControls": BUCKET["OwnershipControls"]}
    explanation = told(denied, BEN, buckets__b=bucket)
    assert explanation.verdict == "candidates"
    assert {item.layer for item in explanation.candidates} == {"bucket-policy", "block-public-access"}
    assert "S3 does not say why" not in explanation.summary


ENDPOINT = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}


def test_an_access_point_policy_that_is_not_loaded_may_be_the_one_that_does_not_allow() -> None:
    request = RequestHead(
        "GET",
        "/k",
        (("Host", f"ap-{ACCOUNT}.s3-accesspoint.us-east-1.amazonaws.com"), ("Authorization", AUTHORIZATION)),
    )
    policy = document("V", Resource="arn:aws:s3:::b/*", Principal={"AWS": BEN}, Condition=ENDPOINT)
    point = {"AccessPointArn": POINT, "Name": "ap", "Bucket": "b"}
    denied = call(request, **said(not_allowed_by("resource-based policy"), BEN, resource=f"{POINT}/object/k"))
    explanation = told(denied, BEN, buckets__b={**BUCKET, "Policy": policy}, access_points__ap=point)
    assert explanation.verdict == "candidates"
    assert [item.layer for item in explanation.candidates[:2]] == ["bucket-policy", "access-point-policy"]
    assert not any("VPC None" in item.sentence for item in explanation.candidates)


def test_the_key_is_missing_where_s3_speaks_of_the_list() -> None:
    why = not_allowed_by("identity-based policy", "s3:ListBucket")
    denied = call(**said(why, action="s3:ListBucket", resource="arn:aws:s3:::b"))
    for explanation in (told(denied, iam__a=ana(READ)), told(denied)):
        assert explanation.missing_key_possible
        assert explanation.summary.startswith('The key "k" is missing')
    other = call(**said(not_allowed_by("identity-based policy")))
    assert not told(other, iam__a=ana(document("Other", "s3:ListBucket"))).missing_key_possible


def test_a_condition_is_not_concluded_from_where_other_facts_may_be_the_reason() -> None:
    policy = document("V", Resource="arn:aws:s3:::b/*", Principal={"AWS": BEN}, Condition=ENDPOINT)
    enforced = {**BUCKET, "Policy": policy}
    with_acls = {name: value for name, value in enforced.items() if name != "OwnershipControls"}
    denied = call(**said(not_allowed_by("resource-based policy"), BEN))
    conclusion = 'so aws:SourceVpce was not "vpce-1"'
    assert conclusion in told(denied, BEN, buckets__b=enforced).summary
    explanation = told(denied, BEN, buckets__b=with_acls)
    assert explanation.cause is not None
    assert conclusion not in explanation.summary
    (near_miss,) = explanation.near_misses
    assert near_miss.sentence.startswith("Statement V of bucket policy may not apply: whether its condition")


def test_what_is_only_perhaps_so_is_told_as_such() -> None:
    explanation = told(call(declared=OPEN), iam__a=ana(document("S3", "s3:*")))
    sentences = {(item.layer, item.action): item.sentence for item in explanation.candidates}
    assert sentences["requester-pays", None].startswith("Possibly: ")
    assert sentences["identity", "kms:Decrypt"].startswith(
        "If kms:Decrypt is needed, which depends on encryption of the object b/k: no identity-based policy allows"
    )


def test_a_fix_names_what_is_only_perhaps_in_its_way_as_such() -> None:
    foreign = document(Resource="arn:aws:s3:::b/*", Principal={"AWS": ACCOUNT})
    bucket = {**BUCKET, "Account": "444455556666", "Policy": foreign}
    files: dict[str, Any] = {"iam__a": ana(document("List", "s3:ListBucket")), "buckets__b": bucket, "organization": ""}
    explanation = told(call(head()), **files)
    assert explanation.verdict == "implicit-deny"
    for blocking in explanation.fixes[0].still_blocking:
        assert "kms:Decrypt" not in blocking or blocking.startswith("If kms:Decrypt is needed")


CATCH_ALL = (
    f"User: {ANA} is not authorized to perform: kms:Decrypt on this resource because the resource does not exist in "
    "this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
)
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k1"
DEFAULT = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}
ENCRYPTED = {**BUCKET, "ServerSideEncryptionConfiguration": {"Rules": [DEFAULT]}}


def test_what_kms_does_not_tell_apart_is_told_in_its_words() -> None:
    denied = call(message=CATCH_ALL, declared=OPEN)
    explanation = told(denied, iam__a=ana(ALL))
    assert explanation.verdict == "policies-missing"
    assert explanation.summary.startswith("S3 says that the KMS key does not exist in this Region, or that its policy")


def test_a_deny_of_a_key_may_be_what_kms_does_not_tell_apart() -> None:
    deny = document("NoAna", "kms:*", "Deny", Principal={"AWS": ANA})
    key = {"KeyMetadata": {"Arn": KEY}, "Policy": deny}
    message = CATCH_ALL.replace("Decrypt", "GenerateDataKey")
    denied = call(head("PUT"), message=message, declared=OPEN)
    explanation = told(denied, iam__a=ana(ALL), buckets__b=ENCRYPTED, kms_keys__k=key)
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.statement) == ("kms-key-policy", "NoAna")


def test_the_arn_of_a_key_that_is_not_loaded_tells_its_owner() -> None:
    denied = call(head("PUT"), declared=OPEN)
    explanation = told(denied, iam__a=ana(document("S3", "s3:*")), buckets__b=ENCRYPTED)
    assert "kms-key-policy" in explanation.unknowns
    assert "owner of the KMS key" not in explanation.unknowns
    foreign = KEY.replace(ACCOUNT, "444455556666")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": foreign}}
    bucket = {**BUCKET, "ServerSideEncryptionConfiguration": {"Rules": [rule]}}
    explanation = told(denied, iam__a=ana(document("S3", "s3:*")), buckets__b=bucket)
    assert explanation.certain
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.action) == ("identity", "kms:GenerateDataKey")


def test_a_key_that_perhaps_nothing_is_encrypted_with_is_not_the_first_suspect() -> None:
    explanation = told(call(declared=OPEN), iam__a=ana(document("S3", "s3:*")))
    layers = [(item.layer, item.action) for item in explanation.candidates]
    assert layers.index(("bucket-policy", "s3:GetObject")) < layers.index(("identity", "kms:Decrypt"))


def test_the_signer_of_a_form_that_was_not_kept_is_not_anonymous() -> None:
    form = head("POST", "/b", ("Content-Type", "multipart/form-data; boundary=X"), signed=False)
    explanation = told(call(form, declared=OPEN), buckets__b=BUCKET)
    assert explanation.verdict == "unknown-caller"
    assert explanation.principal.type == "unknown"
    assert "access key id is not in" not in explanation.summary
    assert "the request's body" in explanation.unknowns
    anonymous = b'--X\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--X--\r\n'
    assert told(call(form, declared=OPEN, body=anonymous), buckets__b=BUCKET).principal.type == "anonymous"


def test_one_setting_is_one_reason_with_the_places_that_are_not_known() -> None:
    denied = call(head("POST", "/b?delete"), declared=OPEN)
    explanation = told(denied, iam__a=ana(document("List", "s3:ListBucket")))
    settings = [item for item in explanation.candidates if item.layer == "block-public-access"]
    assert [item.unknowns for item in settings] == [
        (
            "Block Public Access settings of the account of bucket b",
            "Block Public Access settings of bucket b",
            "owner of bucket b",
            "bucket-policy",
        )
    ]
    assert "the request's body" in explanation.unknowns


def test_only_the_places_whose_settings_are_not_known_are_named() -> None:
    denied = call(head("PUT", "/b/k?acl", ("x-amz-acl", "public-read")), declared=OPEN)
    bucket = {"Account": ACCOUNT, "Policy": None}
    account: dict[str, Any] = {f"accounts__{ACCOUNT}": {"PublicAccessBlockConfiguration": None}}
    explanation = told(denied, iam__a=ana(ALL), buckets__b=bucket, **account)
    settings = next(item for item in explanation.candidates if item.layer == "block-public-access")
    assert settings.unknowns == ("Block Public Access settings of bucket b",)


def test_what_s3_says_outright_is_not_told_as_found_by_elimination() -> None:
    denied = call(**said(not_allowed_by("identity-based policy")))
    explanation = told(denied, iam__a=ana(document("Put", "s3:PutObject")))
    assert explanation.summary.startswith("As S3 says: No identity-based policy allows s3:GetObject")


@pytest.mark.parametrize("why", ["", "because of a reason that is new in 2030"])
def test_a_message_that_names_no_layer_says_nothing_against_the_policies(why: str) -> None:
    explanation = told(call(**said(why)), iam__a=ana(ALL), buckets__b=BUCKET)
    assert explanation.verdict == "policies-missing"
    assert explanation.upstream.agrees is None


def test_a_stale_policy_is_told_with_the_resource_that_s3_names() -> None:
    denied = call(**said(not_allowed_by("identity-based policy"), resource="arn:aws:s3:::other/k"))
    explanation = told(denied, iam__a=ana(ALL), buckets__b=BUCKET)
    assert explanation.verdict == "stale-policies"
    assert "s3:GetObject on arn:aws:s3:::other/k" in explanation.summary


def test_the_list_is_a_suspect_only_if_the_key_is_missing() -> None:
    explanation = told(call(declared=OPEN), iam__a=ana(READ))
    first = explanation.candidates[0]
    assert first.action == "s3:ListBucket"
    assert first.sentence.startswith('If the key "k" is missing: no identity-based policy allows s3:ListBucket')
    listing = told(call(head("GET", "/b?list-type=2&prefix=k"), declared=OPEN), iam__a=ana(READ))
    assert not any("is missing" in item.sentence for item in listing.candidates)


def test_what_only_policies_that_are_missing_may_say_of_a_missing_key() -> None:
    bucket = {**BUCKET, "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
    explanation = told(call(head(signed=False), declared=OPEN), buckets__b=bucket)
    assert any(item.action == "s3:ListBucket" for item in explanation.candidates)
    assert explanation.missing_key_possible


@pytest.mark.parametrize("listed", [f"arn:aws:iam::{ACCOUNT}:user/ben", f"arn:aws:iam::{ACCOUNT}:role/etl"])
def test_a_wrong_entry_of_access_keys_is_told(listed: str) -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run"
    explanation = told(call(**said(not_allowed_by("identity-based policy"), session)), listed)
    assert explanation.principal.arn == session
    assert any("access-keys.json is wrong" in note for note in explanation.notes) == listed.endswith("ben")


def test_an_answer_that_is_not_of_s3_is_told_as_such() -> None:
    page = b"<html><body><h1>403 Forbidden</h1></body></html>"
    files: dict[str, Any] = {"iam__a": ana(ALL), "buckets__b": BUCKET}
    elsewhere = "something before it (a firewall, a CDN, another proxy) may have refused the request"
    blocked = told(call(code=None, response_body=page, declared=OPEN), **files)
    assert elsewhere in blocked.notes[0]
    of_s3 = ResponseHead(403, "", (("x-amz-request-id", "R1"),))
    for denied in (
        call(declared=OPEN),
        call(code=None, declared=OPEN),
        call(code=None, response_body=page, response=of_s3, declared=OPEN),
        call(head("HEAD"), code=None, response_body=page, declared=OPEN),
    ):
        assert elsewhere not in "".join(told(denied, **files).notes)


@pytest.mark.parametrize(("named", "verdict"), [("Hidden", "stale-policies"), ("own", "explicit-deny")])
def test_a_policy_that_s3_names_by_its_arn_is_no_policy_of_another_name(named: str, verdict: str) -> None:
    why = f"with an explicit deny in an identity-based policy: arn:aws:iam::{ACCOUNT}:policy/team/{named}"
    assert told(call(**said(why)), iam__a=ana(ALL, TAGGED), buckets__b=BUCKET).verdict == verdict


def test_whether_there_is_a_boundary_decides_what_not_principal_spares() -> None:
    statement = {"Sid": "N", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    listed = {"NotPrincipal": {"AWS": [ANA, f"arn:aws:iam::{ACCOUNT}:root"]}}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, **listed}]}
    suspect = told(call(declared=OPEN), buckets__b={**BUCKET, "Policy": policy}).candidates[0]
    assert suspect.sentence.endswith("and whether the caller has one is not known.")
    assert suspect.unknowns == ("permissions-boundary",)


def test_no_level_of_an_organization_that_is_not_loaded_is_to_be_changed() -> None:
    explanation = told(call(**said(not_allowed_by("service control policy"))), iam__a=ana(ALL), buckets__b=BUCKET)
    assert explanation.verdict == "policies-missing"
    assert not explanation.fixes


def kms_denied(where: str, why: str) -> Any:
    return {"message": f"User: {ANA} is not authorized to perform: kms:Decrypt on {where} {why}", "declared": OPEN}


NO_IDENTITY = not_allowed_by("identity-based policy", "kms:Decrypt")
OTHER_KEY = KEY.replace("k1", "k2")


def test_the_key_that_s3_names_is_known() -> None:
    identity = ana(document("S3", "s3:*"), document("K", "kms:Decrypt", Resource=KEY))
    explanation = told(call(**kms_denied(f"resource: {OTHER_KEY}", NO_IDENTITY)), iam__a=identity, buckets__b=BUCKET)
    assert explanation.verdict == "implicit-deny"
    assert explanation.cause is not None
    assert (explanation.cause.resource, explanation.cause.statement) == (OTHER_KEY, "K")
    assert explanation.fixes[0].summary == f"Add {OTHER_KEY} to the Resource of statement K in policy own."
    contradicted = told(call(**kms_denied(f"resource: {KEY}", NO_IDENTITY)), iam__a=identity, buckets__b=BUCKET)
    assert contradicted.verdict == "stale-policies"


@pytest.mark.parametrize(
    ("effect", "why"), [("Allow", NO_IDENTITY), ("Deny", "with an explicit deny in an identity-based policy")]
)
def test_no_statement_is_written_for_a_key_that_is_not_known(effect: str, why: str) -> None:
    identity = ana(
        document("S3", "s3:*"), document("K", "kms:Decrypt", effect, Resource=KEY if effect == "Allow" else "*")
    )
    denied = call(**kms_denied("the resource associated with this ciphertext", why))
    (fix,) = told(denied, iam__a=identity, buckets__b=BUCKET).fixes
    assert "${" not in fix.summary
    assert not fix.patch
    assert fix.still_blocking[0] == "which resource it is, is not known"


def test_the_access_point_that_s3_names_is_known_though_its_alias_is_not() -> None:
    request = RequestHead(
        "GET", "/k", (("Host", "ap-abc-s3alias.s3.us-east-1.amazonaws.com"), ("Authorization", AUTHORIZATION))
    )
    resource = f"{POINT}/object/k"
    denied = call(request, **said(not_allowed_by("identity-based policy"), resource=resource))
    explanation = told(denied, iam__a=ana(READ))
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.resource) == ("identity", resource)
    assert explanation.fixes[0].summary.startswith(f"Add {resource} to the Resource")


LOCKED: Any = {"message": "Access Denied because object protected by object lock.", "declared": OPEN}


@pytest.mark.parametrize(("own", "stale"), [(ALL, False), (READ, True)])
def test_an_answer_that_comes_after_policies_shows_that_those_at_hand_are_stale(own: Any, stale: bool) -> None:
    denied = call(head("DELETE", "/b/k?versionId=v1"), **LOCKED)
    explanation = told(denied, iam__a=ana(own), buckets__b=BUCKET)
    assert explanation.cause is not None
    assert explanation.cause.layer == "object-lock"
    assert any("stale" in note and "s3:DeleteObjectVersion" in note for note in explanation.notes) is stale


def test_a_role_that_is_not_loaded_was_not_meant_as_its_session() -> None:
    """A statement that lists the id of a deleted role is not to list a session of the new one instead."""
    session = "arn:aws:sts::444455556666:assumed-role/reader/s1"
    policy = document("Read", Resource="arn:aws:s3:::b/*", Principal={"AWS": "AROAEXAMPLEDELETED1"})
    denied = call(**said(not_allowed_by("resource-based policy"), session))
    explanation = told(denied, session, buckets__b={**BUCKET, "Policy": policy})
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.statement) == ("bucket-policy", "Read")
    assert [fix.summary for fix in explanation.fixes] == [
        "Allow s3:GetObject on arn:aws:s3:::b/k to role reader in the bucket policy."
    ]

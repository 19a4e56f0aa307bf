"""Condition keys of a call: present, absent or unknown, as AWS documents them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import Declared, DeniedCall, RequestHead
from denyproxy.iam.context import RequestContext
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.condition_keys import FAMILIES, KEYS
from denyproxy.s3.context import Contexts, request_context
from denyproxy.s3.operation import identify_call
from denyproxy.s3.permissions import missing_key_requirement, requirements
from denyproxy.s3.request import Requirement, Role
from denyproxy.s3.snapshot import (
    AccessPointFacts,
    AccountFacts,
    BucketFacts,
    KmsKeyFacts,
    ObjectFacts,
    PolicySnapshot,
    PrincipalFacts,
)
from denyproxy.service_model import s3_operations

ACCOUNT = "111122223333"
OWNER = "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/dev"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/alice"
KEY = f"arn:aws:kms:us-east-1:{OWNER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
POINT = f"arn:aws:s3:us-east-1:{OWNER}:accesspoint/reports"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CLOSED = Declared(principal=USER, closed=True)


def long_term(
    method: str, target: str, headers: Mapping[str, str] | None = None, key: str = "AKIAIOSFODNN7EXAMPLE"
) -> RequestHead:
    """A request signed with SigV4."""
    fields = {
        "Host": "s3.us-east-1.amazonaws.com",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260304/us-east-1/s3/aws4_request,"
        "SignedHeaders=host,Signature=0",
        "X-Amz-Date": "20260304T050602Z",
        "User-Agent": "aws-cli/2.0",
        **(headers or {}),
    }
    return RequestHead(method, target, tuple(fields.items()))


def unsigned(method: str, target: str, headers: Mapping[str, str] | None = None) -> RequestHead:
    return RequestHead(method, target, (("Host", "s3.us-east-1.amazonaws.com"), *(headers or {}).items()))


OPEN = PolicySnapshot(
    access_keys={"AKIAIOSFODNN7EXAMPLE": USER, "ASIAIOSFODNN7EXAMPLE": SESSION},
    principals={
        USER: PrincipalFacts(USER, unique_id="AIDAEXAMPLE", tags={"Team": "blue"}, boundary=None),
        ROLE: PrincipalFacts(ROLE, unique_id="AROAEXAMPLE", tags={"Team": "red"}, boundary=None),
    },
    accounts={
        ACCOUNT: AccountFacts(ACCOUNT, organization_id="o-caller", organization_path="o-caller/r-a/ou-b/"),
        OWNER: AccountFacts(OWNER, organization_id=None, organization_path=None),
    },
    buckets={"b": BucketFacts("b", account=OWNER, region="us-east-1", abac=False)},
)


def contexts(
    head: RequestHead,
    snapshot: PolicySnapshot = OPEN,
    declared: Declared | None = None,
    body: bytes | None = None,
    **call: Any,
) -> dict[str, RequestContext]:
    """Action -> its context."""
    denied = DeniedCall("1", head, head, None, NOW, body=body, declared=declared or Declared(), **call)
    request = identify_call(denied, snapshot, table=s3_operations())
    caller = identify_caller(denied, snapshot)
    return {
        item.action: request_context(item, request, caller, denied, snapshot)
        for item in requirements(request, snapshot, caller)
    }


def lookup(head: RequestHead, key: str, *, action: str | None = None, **options: Any) -> Any:
    found = contexts(head, **options)
    return (found[action] if action else next(iter(found.values()))).lookup(key)


GET = long_term("GET", "/b/k")
TEMPORARY = long_term("GET", "/b/k", {"X-Amz-Security-Token": "T"}, key="ASIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalArn", (USER,)),
        ("aws:PrincipalAccount", (ACCOUNT,)),
        ("aws:PrincipalType", ("User",)),
        ("aws:userid", ("AIDAEXAMPLE",)),
        ("aws:username", ("alice",)),
        ("aws:PrincipalTag/Team", ("blue",)),
        ("aws:PrincipalTag/other", None),
        ("aws:PrincipalOrgID", ("o-caller",)),
        ("aws:PrincipalOrgPaths", ("o-caller/r-a/ou-b/",)),
        ("aws:PrincipalIsAWSService", ("false",)),
        ("aws:PrincipalServiceName", None),
        ("aws:ViaAWSService", ("false",)),
        ("aws:CalledVia", None),
        ("aws:SourceArn", None),
        ("aws:SourceAccount", None),
        ("aws:MultiFactorAuthPresent", None),
        ("aws:TokenIssueTime", None),
        ("aws:SourceIdentity", None),
        ("lambda:SourceFunctionArn", None),
        ("aws:SourceIp", UNKNOWN),
        ("aws:SourceVpce", UNKNOWN),
        ("aws:VpcSourceIp", UNKNOWN),
        ("aws:UserAgent", ("aws-cli/2.0",)),
        ("aws:referer", None),
        ("aws:RequestedRegion", ("us-east-1",)),
        ("aws:CurrentTime", ("2026-03-04T05:06:07Z",)),
        ("aws:EpochTime", ("1772600767",)),
        ("aws:ResourceAccount", (OWNER,)),
        ("s3:ResourceAccount", (OWNER,)),
        ("aws:ResourceOrgID", None),
        ("aws:SecureTransport", UNKNOWN),
        ("s3:TlsVersion", UNKNOWN),
        ("s3:signatureversion", ("AWS4-HMAC-SHA256",)),
        ("s3:authType", ("REST-HEADER",)),
        ("s3:signatureAge", ("5000",)),
        ("s3:DataAccessPointArn", None),
        ("s3:DataAccessPointAccount", None),
        ("s3:AccessGrantsInstanceArn", None),
        ("s3:prefix", None),
        ("s3:x-amz-acl", None),
        ("s3:ExistingObjectTag/a", UNKNOWN),
        ("s3:BucketTag/a", None),
        ("aws:ResourceTag/a", None),
        ("aws:RequestTag/a", None),
        ("aws:TagKeys", None),
        ("s3:aKeyOfTheFuture", UNKNOWN),
    ],
)
def test_a_live_call_of_a_user(key: str, value: Any) -> None:
    assert lookup(GET, key) == value
    assert lookup(GET, key.upper()) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalArn", (ROLE,)),
        ("aws:PrincipalType", ("AssumedRole",)),
        ("aws:userid", ("AROAEXAMPLE:alice",)),
        ("aws:username", None),
        ("aws:PrincipalTag/Team", UNKNOWN),
        ("aws:MultiFactorAuthPresent", UNKNOWN),
        ("aws:TokenIssueTime", UNKNOWN),
        ("s3:AccessGrantsInstanceArn", UNKNOWN),
        ("aws:SourceArn", None),
    ],
)
def test_a_live_call_of_a_role_session(key: str, value: Any) -> None:
    assert lookup(TEMPORARY, key) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalAccount", ("anonymous",)),
        ("aws:PrincipalType", ("Anonymous",)),
        ("aws:userid", ("anonymous",)),
        ("aws:PrincipalArn", None),
        ("aws:PrincipalIsAWSService", None),
        ("aws:PrincipalOrgID", None),
        ("aws:PrincipalTag/a", None),
        ("aws:username", None),
        ("s3:signatureversion", None),
        ("s3:signatureAge", None),
        ("s3:authType", None),
        ("aws:MultiFactorAuthPresent", None),
        ("aws:ViaAWSService", ("false",)),
    ],
)
def test_an_anonymous_call(key: str, value: Any) -> None:
    for declared in (Declared(), Declared(principal="anonymous", closed=True)):
        assert lookup(unsigned("GET", "/b/k"), key, declared=declared) == value


@pytest.mark.parametrize(
    ("principal", "key", "value"),
    [
        (f"arn:aws:iam::{ACCOUNT}:root", "aws:PrincipalType", ("Account",)),
        (f"arn:aws:iam::{ACCOUNT}:root", "aws:userid", (ACCOUNT,)),
        (f"arn:aws:iam::{ACCOUNT}:root", "aws:username", None),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "aws:PrincipalType", ("FederatedUser",)),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "aws:userid", (f"{ACCOUNT}:bob",)),
        (
            f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "aws:PrincipalArn",
            (f"arn:aws:sts::{ACCOUNT}:federated-user/bob",),
        ),
        ("cloudtrail.amazonaws.com", "aws:PrincipalIsAWSService", ("true",)),
        ("cloudtrail.amazonaws.com", "aws:PrincipalServiceName", ("cloudtrail.amazonaws.com",)),
    ],
)
def test_other_principals(principal: str, key: str, value: Any) -> None:
    assert lookup(unsigned("GET", "/b/k"), key, declared=Declared(principal=principal, closed=True)) == value


def test_the_user_id_of_a_session_takes_role_id_and_session_name() -> None:
    stranger = Declared(principal=f"arn:aws:sts::{ACCOUNT}:assumed-role/other/s", closed=True)
    assert lookup(unsigned("GET", "/b/k"), "aws:userid", declared=stranger) is UNKNOWN
    some_session = Declared(principal=ROLE, closed=True)
    assert lookup(unsigned("GET", "/b/k"), "aws:userid", declared=some_session) is UNKNOWN
    known = Declared(principal=SESSION, principal_role=ROLE, closed=True)
    assert lookup(unsigned("GET", "/b/k"), "aws:userid", declared=known) == ("AROAEXAMPLE:alice",)


def test_a_service_may_act_for_a_resource() -> None:
    live = Declared(principal="cloudtrail.amazonaws.com")
    assert lookup(GET, "aws:SourceArn", declared=live) is UNKNOWN
    assert lookup(GET, "aws:SourceArn", declared=replace(live, closed=True)) is None


def test_a_caller_that_nobody_knows() -> None:
    head = long_term("GET", "/b/k", key="AKIAUNKNOWN")
    for key in ("aws:PrincipalArn", "aws:PrincipalAccount", "aws:username", "aws:userid", "aws:PrincipalType"):
        assert lookup(head, key) is UNKNOWN
    assert lookup(head, "aws:PrincipalTag/a") is UNKNOWN
    assert lookup(head, "aws:PrincipalOrgID") is UNKNOWN
    assert lookup(head, "aws:MultiFactorAuthPresent") is None
    assert lookup(head, "aws:PrincipalIsAWSService") == ("false",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:SecureTransport", ("true",)),
        ("aws:SourceIp", None),
        ("aws:SourceVpce", None),
        ("aws:MultiFactorAuthPresent", None),
        ("aws:PrincipalTag/a", None),
        ("s3:signatureversion", ("AWS4-HMAC-SHA256",)),
        ("s3:authType", ("REST-HEADER",)),
        ("s3:TlsVersion", None),
        ("s3:ExistingObjectTag/a", UNKNOWN),
        ("aws:UserAgent", UNKNOWN),
        ("aws:PrincipalArn", (USER,)),
        ("s3:aKeyOfTheFuture", None),
    ],
)
def test_a_closed_world(key: str, value: Any) -> None:
    assert lookup(unsigned("GET", "/b/k"), key, declared=CLOSED) == value


def test_tags_of_a_role_count_in_a_closed_world() -> None:
    declared = Declared(principal=SESSION, principal_role=ROLE, closed=True)
    assert lookup(unsigned("GET", "/b/k"), "aws:PrincipalTag/team", declared=declared) == ("red",)
    named = Declared(principal=ROLE, closed=True)
    assert lookup(unsigned("GET", "/b/k"), "aws:PrincipalTag/team", declared=named) == ("red",)


def test_what_is_declared_overrides_and_what_is_unknown_overrides_that() -> None:
    declared = Declared(
        principal=USER,
        closed=True,
        context={
            "aws:SourceIp": ("203.0.113.7",),
            "aws:SecureTransport": ("false",),
            "aws:PrincipalTag/Team": ("green",),
            "aws:UserAgent": None,
            "aws:PrincipalAccount": ("999988887777",),
        },
        unknown=frozenset({"aws:principalaccount", "aws:sourcevpce", "scp"}),
    )
    found = contexts(unsigned("GET", "/b/k"), declared=declared)["s3:GetObject"]
    assert found.lookup("aws:SourceIp") == ("203.0.113.7",)
    assert found.lookup("aws:SecureTransport") == ("false",)
    assert found.lookup("aws:PrincipalTag/team") == ("green",)
    assert found.lookup("aws:UserAgent") is None
    assert found.lookup("aws:PrincipalAccount") is UNKNOWN
    assert found.lookup("aws:SourceVpce") is UNKNOWN


@pytest.mark.parametrize(
    ("declared", "address", "endpoint"),
    [
        ({}, UNKNOWN, UNKNOWN),
        ({"aws:SourceIp": ("203.0.113.7",)}, ("203.0.113.7",), None),
        ({"aws:SourceVpce": ("vpce-1",)}, None, ("vpce-1",)),
        ({"aws:SourceVpc": ("vpc-1",)}, None, UNKNOWN),
        ({"aws:SourceVpce": None}, UNKNOWN, None),
    ],
)
def test_a_request_has_an_address_or_an_endpoint(declared: dict[str, Any], address: Any, endpoint: Any) -> None:
    found = contexts(GET, declared=Declared(context=declared))["s3:GetObject"]
    assert found.lookup("aws:SourceIp") == address
    assert found.lookup("aws:SourceVpce") == endpoint


def test_the_host_of_an_interface_endpoint_names_it() -> None:
    head = long_term("GET", "/k", {"Host": "b.bucket.vpce-0a1b2c3d-x5y6.s3.us-east-1.vpce.amazonaws.com"})
    found = contexts(head)["s3:GetObject"]
    assert found.lookup("aws:SourceVpce") == ("vpce-0a1b2c3d",)
    assert found.lookup("aws:SourceIp") is None
    assert found.lookup("aws:SourceVpc") is UNKNOWN


def test_other_servers_know_no_vpcs_and_no_sessions() -> None:
    found = contexts(TEMPORARY, upstream_kind="minio")["s3:GetObject"]
    assert found.lookup("aws:SourceVpce") is None
    assert found.lookup("aws:MultiFactorAuthPresent") is None
    assert found.lookup("aws:SourceIp") is UNKNOWN


def test_transport_is_that_of_the_connection_to_s3() -> None:
    assert lookup(GET, "aws:SecureTransport", secure=True) == ("true",)
    assert lookup(GET, "aws:SecureTransport", secure=False) == ("false",)
    assert lookup(GET, "s3:TlsVersion", secure=False) is None


def test_the_global_endpoint_may_hand_on_to_another_region() -> None:
    head = long_term("GET", "/b/k", {"Host": "s3.amazonaws.com"})
    elsewhere = replace(OPEN, buckets={"b": BucketFacts("b", account=OWNER, region="eu-west-1")})
    assert lookup(head, "aws:RequestedRegion") == ("us-east-1",)
    assert lookup(head, "aws:RequestedRegion", snapshot=elsewhere) is UNKNOWN
    assert lookup(GET, "aws:RequestedRegion", snapshot=elsewhere) == ("us-east-1",)


# Signing


def test_how_it_is_signed() -> None:
    presigned = unsigned(
        "GET",
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F1%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20260304T040607Z&X-Amz-Expires=9999&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
    )
    assert lookup(presigned, "s3:authType") == ("REST-QUERY-STRING",)
    assert lookup(presigned, "s3:signatureAge") == ("3600000",)
    assert lookup(presigned, "s3:x-amz-content-sha256") is None
    old = unsigned(
        "GET", "/b/k", {"Authorization": "AWS AKIAIOSFODNN7EXAMPLE:x", "Date": "Tue, 27 Mar 2007 19:36:42 +0000"}
    )
    assert lookup(old, "s3:signatureversion") == ("AWS",)
    assert lookup(old, "s3:signatureAge") == ("0",)
    multi_region = unsigned(
        "GET",
        "/b/k",
        {
            "Authorization": "AWS4-ECDSA-P256-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/1/s3/aws4_request,SignedHeaders=host,Signature=0"
        },
    )
    assert lookup(multi_region, "s3:signatureversion") is UNKNOWN
    assert lookup(multi_region, "s3:signatureversion", declared=CLOSED) is UNKNOWN
    assert lookup(unsigned("GET", "/b/k"), "s3:signatureversion", declared=Declared(principal=USER)) is UNKNOWN
    hashed = long_term("GET", "/b/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert lookup(hashed, "s3:x-amz-content-sha256") == ("UNSIGNED-PAYLOAD",)


def test_the_margin_of_clocks() -> None:
    assert contexts(GET)["s3:GetObject"].margin == {"s3:signatureage": 15000.0}
    assert contexts(GET, declared=CLOSED)["s3:GetObject"].margin == {}


# Which keys an action supports

SUPPORTED = json.loads((Path(__file__).parent / "data" / "documented_condition_keys.json").read_text())


def test_every_documented_key_of_s3_is_in_the_table() -> None:
    names = {name.replace("<key>", "*").replace("${TagKey}", "*").lower() for name in SUPPORTED}
    assert {key.name for key in KEYS} | {f"{family.name}/*" for family in FAMILIES} == names


@pytest.mark.parametrize("name", SUPPORTED)
def test_actions_of_a_key(name: str) -> None:
    rows: dict[str, Any] = {**{key.name: key for key in KEYS}, **{family.name: family for family in FAMILIES}}
    row = rows[name.partition("/")[0].lower()]
    documented = SUPPORTED[name]
    on_resources = {"s3:BucketTag", "s3:AccessPointTag", "s3:AccessPointNetworkOrigin", "s3:DataAccessPointArn"} | {
        "s3:DataAccessPointAccount",
        "aws:ResourceTag",
    }
    if name.partition("/")[0] in on_resources:
        assert row.actions is None  # They come with the resource, whatever the action.
    elif isinstance(documented, dict):
        assert row.actions is None
        assert row.excepted == {action.lower() for action in documented["all_except"]}
    else:
        assert row.actions == {action.lower() for action in documented}


def test_a_key_that_the_action_does_not_support_is_absent() -> None:
    head = long_term("PUT", "/b/k?prefix=x", {"x-amz-acl": "private", "x-amz-tagging": "a=b", "if-match": "e"})
    found = contexts(head)
    assert found["s3:PutObject"].lookup("s3:x-amz-acl") == ("private",)
    assert found["s3:PutObjectAcl"].lookup("s3:x-amz-acl") == ("private",)
    assert found["s3:PutObjectTagging"].lookup("s3:x-amz-acl") is None
    assert found["s3:GetObject"].lookup("s3:if-match") is None
    assert found["s3:PutObject"].lookup("s3:if-match") == ("e",)
    assert found["s3:PutObject"].lookup("s3:prefix") is None


def test_existing_tags_are_not_supplied_on_deletes() -> None:
    snapshot = replace(OPEN, objects={("b", "k"): ObjectFacts(tags={"disposable": "yes"})})
    assert lookup(long_term("DELETE", "/b/k"), "s3:ExistingObjectTag/disposable", snapshot=snapshot) is None
    assert lookup(GET, "s3:ExistingObjectTag/Disposable", snapshot=snapshot) == ("yes",)
    assert lookup(GET, "s3:ExistingObjectTag/other", snapshot=snapshot) is None
    gone = replace(OPEN, objects={("b", "k"): None})
    assert lookup(GET, "s3:ExistingObjectTag/a", snapshot=gone) is None
    versioned = long_term("GET", "/b/k?versionId=1")
    assert lookup(versioned, "s3:ExistingObjectTag/disposable", snapshot=snapshot) is UNKNOWN


# Values from the request


def test_listing() -> None:
    found = contexts(long_term("GET", "/b?list-type=2&prefix=a%2Fb+c&delimiter=/&max-keys=7"))["s3:ListBucket"]
    assert found.lookup("s3:prefix") == ("a/b c",)
    assert found.lookup("s3:delimiter") == ("/",)
    assert found.lookup("s3:max-keys") == ("7",)
    bare = contexts(long_term("GET", "/b?versions"))["s3:ListBucketVersions"]
    assert bare.lookup("s3:prefix") is None
    assert bare.lookup("s3:max-keys") is UNKNOWN
    assert lookup(long_term("GET", "/b?prefix="), "s3:prefix") == ("",)
    assert lookup(long_term("HEAD", "/b?prefix=x"), "s3:prefix") is None
    assert lookup(long_term("GET", "/b?uploads&prefix=x"), "s3:prefix") is None


def test_a_missing_key_is_the_prefix() -> None:
    head = long_term("GET", "/b/dir/k?prefix=x")
    call = DeniedCall("1", head, head, None, NOW)
    request = identify_call(call, OPEN, table=s3_operations())
    requirement = missing_key_requirement(request, OPEN)
    assert requirement is not None
    found = request_context(requirement, request, identify_caller(call, OPEN), call, OPEN)
    assert found.lookup("s3:prefix") == ("dir/k",)
    assert found.lookup("s3:delimiter") is None


HEADER_KEYS = {
    "s3:x-amz-acl": "public-read",
    "s3:x-amz-grant-read": 'id="abc"',
    "s3:x-amz-grant-full-control": 'id="abc"',
    "s3:x-amz-metadata-directive": "COPY",
    "s3:x-amz-server-side-encryption": "aws:kms",
    "s3:x-amz-server-side-encryption-customer-algorithm": "AES256",
    "s3:x-amz-storage-class": "STANDARD_IA",
    "s3:x-amz-website-redirect-location": "/x",
    "s3:if-match": '"e"',
    "s3:if-none-match": "*",
    "s3:object-lock-mode": "GOVERNANCE",
    "s3:object-lock-legal-hold": "ON",
    "s3:object-lock-retain-until-date": "2026-03-14T05:06:07Z",
    "s3:object-lock-event-hold": "ON",
    "s3:object-lock-event-hold-duration-days": "3",
}


@pytest.mark.parametrize("key", HEADER_KEYS)
def test_headers(key: str) -> None:
    name = key.removeprefix("s3:")
    name = f"x-amz-{name}" if name.startswith("object-lock") else name
    head = long_term("PUT", "/b/k", {name: HEADER_KEYS[key]})
    assert contexts(head)["s3:PutObject"].lookup(key) == (HEADER_KEYS[key],)
    assert contexts(long_term("PUT", "/b/k"))["s3:PutObject"].lookup(key) is None


def test_default_encryption_does_not_fill_in_the_header() -> None:
    snapshot = replace(OPEN, buckets={"b": BucketFacts("b", default_encryption="aws:kms", default_kms_key=KEY)})
    found = contexts(long_term("PUT", "/b/k"), snapshot)["s3:PutObject"]
    assert found.lookup("s3:x-amz-server-side-encryption") is None


@pytest.mark.parametrize(
    ("named", "value"),
    [
        (KEY, (KEY,)),
        ("1234abcd", (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd",)),
        ("alias/app", UNKNOWN),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/app", UNKNOWN),
    ],
)
def test_key_ids_are_compared_as_arns(named: str, value: Any) -> None:
    head = long_term("PUT", "/b/k", {"x-amz-server-side-encryption-aws-kms-key-id": named})
    found = contexts(head)["s3:PutObject"]
    assert found.lookup("s3:x-amz-server-side-encryption-aws-kms-key-id") == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("/src/a%20b", ("src/a b",)), ("src/a", ("src/a",)), ("src/a?versionId=1", UNKNOWN), ("src", UNKNOWN)],
)
def test_copy_source(written: str, value: Any) -> None:
    found = contexts(long_term("PUT", "/b/k", {"x-amz-copy-source": written}))
    assert found["s3:PutObject"].lookup("s3:x-amz-copy-source") == value


@pytest.mark.parametrize(
    ("method", "target", "headers", "value"),
    [
        ("PUT", "/b/k", {}, ("true",)),
        ("PUT", "/b/k", {"x-amz-copy-source": "s/k"}, ("true",)),
        ("POST", "/b/k?uploadId=u", {}, ("true",)),
        ("POST", "/b/k?uploads", {}, ("false",)),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {}, ("false",)),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "s/k"}, ("false",)),
    ],
)
def test_object_creation_operation(method: str, target: str, headers: dict[str, str], value: Any) -> None:
    found = contexts(long_term(method, target, headers))["s3:PutObject"]
    assert found.lookup("s3:ObjectCreationOperation") == value


def test_request_tags_of_a_header() -> None:
    found = contexts(long_term("PUT", "/b/k", {"x-amz-tagging": "Team=blue&a+b=c%26d&Team2="}))
    for action in ("s3:PutObject", "s3:PutObjectTagging"):
        assert found[action].lookup("s3:RequestObjectTag/team") == ("blue",)
        assert found[action].lookup("s3:RequestObjectTag/a b") == ("c&d",)
        assert found[action].lookup("s3:RequestObjectTag/team2") == ("",)
        assert found[action].lookup("s3:RequestObjectTag/none") is None
        assert found[action].lookup("s3:RequestObjectTagKeys") == ("Team", "a b", "Team2")
    bare = contexts(long_term("PUT", "/b/k"))["s3:PutObject"]
    assert bare.lookup("s3:RequestObjectTagKeys") is None
    assert bare.lookup("s3:RequestObjectTag/a") is None


def test_tags_that_differ_by_case_are_ambiguous() -> None:
    found = contexts(long_term("PUT", "/b/k", {"x-amz-tagging": "Team=a&team=b"}))["s3:PutObject"]
    assert found.lookup("s3:RequestObjectTag/Team") is UNKNOWN


TAGGING = b"<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>"


def test_request_tags_of_a_body() -> None:
    head = long_term("PUT", "/b/k?tagging", {"Content-Length": "9"})
    found = contexts(head, body=TAGGING)["s3:PutObjectTagging"]
    assert found.lookup("s3:RequestObjectTag/team") == ("blue",)
    assert found.lookup("s3:RequestObjectTagKeys") == ("team",)
    for unread in (None, b"<Tagging"):
        lost = contexts(head, body=unread)["s3:PutObjectTagging"]
        assert lost.lookup("s3:RequestObjectTag/team") is UNKNOWN
        assert lost.lookup("s3:RequestObjectTagKeys") is UNKNOWN


def test_tags_that_a_copy_takes_along_may_count() -> None:
    head = long_term("PUT", "/b/k", {"x-amz-copy-source": "s/k"})
    found = contexts(head)
    assert found["s3:PutObjectTagging"].lookup("s3:RequestObjectTag/a") is UNKNOWN
    assert found["s3:PutObject"].lookup("s3:RequestObjectTag/a") is None


def test_tags_of_a_form_that_was_not_kept_may_count() -> None:
    head = unsigned("POST", "/b", {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "9"})
    assert contexts(head)["s3:PutObject"].lookup("s3:RequestObjectTag/a") is UNKNOWN


def test_locks_of_bodies() -> None:
    retention = b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2026-03-14T05:06:07Z</RetainUntilDate></Retention>"
    head = long_term("PUT", "/b/k?retention", {"Content-Length": "9"})
    found = contexts(head, body=retention)["s3:PutObjectRetention"]
    assert found.lookup("s3:object-lock-mode") == ("COMPLIANCE",)
    assert found.lookup("s3:object-lock-retain-until-date") == ("2026-03-14T05:06:07Z",)
    assert found.lookup("s3:object-lock-remaining-retention-days") == ("10",)
    assert found.margin["s3:object-lock-remaining-retention-days"] == 1.0
    assert contexts(head)["s3:PutObjectRetention"].lookup("s3:object-lock-mode") is UNKNOWN
    hold = contexts(long_term("PUT", "/b/k?legal-hold"), body=b"<LegalHold><Status>ON</Status></LegalHold>")
    assert hold["s3:PutObjectLegalHold"].lookup("s3:object-lock-legal-hold") == ("ON",)


def test_dates_and_holds_that_cannot_be_read() -> None:
    head = long_term("PUT", "/b/k", {"x-amz-object-lock-retain-until-date": "someday"})
    assert contexts(head)["s3:PutObject"].lookup("s3:object-lock-remaining-retention-days") is UNKNOWN
    local = long_term("PUT", "/b/k", {"x-amz-object-lock-retain-until-date": "2026-03-05T05:06:07"})
    assert contexts(local)["s3:PutObject"].lookup("s3:object-lock-remaining-retention-days") == ("1",)
    abroad = long_term("PUT", "/b/k", {"x-amz-object-lock-retain-until-date": "2026-03-05T05:06:07+12:00"})
    assert contexts(abroad)["s3:PutObject"].lookup("s3:object-lock-remaining-retention-days") == ("0.5",)
    years = long_term("PUT", "/b/k", {"x-amz-object-lock-event-hold-duration-years": "1"})
    assert contexts(years)["s3:PutObject"].lookup("s3:object-lock-event-hold-duration-days") is UNKNOWN


def test_encryption_that_a_body_asks_for() -> None:
    found = contexts(long_term("PUT", "/b/k?encryption"), body=b"<ObjectEncryption/>")["s3:UpdateObjectEncryption"]
    assert found.lookup("s3:x-amz-server-side-encryption") is UNKNOWN
    assert found.lookup("s3:x-amz-server-side-encryption-aws-kms-key-id") is UNKNOWN


def test_existing_tags_of_attributes_are_not_known_to_be_evaluated() -> None:
    snapshot = replace(OPEN, objects={("b", "k"): ObjectFacts(tags={"a": "b"})})
    found = contexts(long_term("GET", "/b/k?attributes"), snapshot)
    assert found["s3:GetObject"].lookup("s3:ExistingObjectTag/a") == ("b",)
    assert found["s3:GetObjectAttributes"].lookup("s3:ExistingObjectTag/a") is UNKNOWN


def test_without_a_clock_the_time_is_not_known() -> None:
    call = DeniedCall("1", GET, GET, None, NOW)
    request = replace(identify_call(call, OPEN, table=s3_operations()), time=None, region=None)
    read = Requirement("s3:GetObject", "arn:aws:s3:::b/k", bucket="b", key="k")
    found = request_context(read, request, identify_caller(call, OPEN), call, OPEN)
    for key in ("aws:CurrentTime", "aws:EpochTime", "s3:signatureAge", "aws:RequestedRegion"):
        assert found.lookup(key) is UNKNOWN


def test_creating_a_bucket() -> None:
    body = (
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
        b"<Tags><Tag><Key>cost</Key><Value>42</Value></Tag></Tags></CreateBucketConfiguration>"
    )
    head = long_term("PUT", "/new", {"Content-Length": "9", "x-amz-object-ownership": "ObjectWriter"})
    found = contexts(head, body=body)["s3:CreateBucket"]
    assert found.lookup("s3:locationconstraint") == ("eu-west-1",)
    assert found.lookup("s3:x-amz-object-ownership") == ("ObjectWriter",)
    assert found.lookup("aws:RequestTag/cost") == ("42",)
    assert found.lookup("aws:TagKeys") == ("cost",)
    assert found.lookup("aws:ResourceAccount") == (ACCOUNT,)
    assert contexts(head)["s3:CreateBucket"].lookup("aws:RequestTag/cost") is UNKNOWN
    assert contexts(long_term("PUT", "/new"))["s3:CreateBucket"].lookup("s3:locationconstraint") is UNKNOWN


def test_inventory_fields() -> None:
    body = b"<IConfiguration><OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields></IConfiguration>"
    found = contexts(long_term("PUT", "/b?inventory&id=1", {"Content-Length": "9"}), body=body)[
        "s3:PutInventoryConfiguration"
    ]
    assert found.lookup("s3:InventoryAccessibleOptionalFields") == ("Size", "ETag")
    unread = contexts(long_term("PUT", "/b?inventory&id=1", {"Content-Length": "9"}))["s3:PutInventoryConfiguration"]
    assert unread.lookup("s3:InventoryAccessibleOptionalFields") is UNKNOWN
    deleted = contexts(long_term("DELETE", "/b?inventory&id=1"))["s3:PutInventoryConfiguration"]
    assert deleted.lookup("s3:InventoryAccessibleOptionalFields") is None


def test_versions() -> None:
    assert lookup(long_term("GET", "/b/k?versionId=null"), "s3:VersionId") == ("null",)
    assert lookup(GET, "s3:VersionId") is None
    copy = contexts(long_term("PUT", "/b/k", {"x-amz-copy-source": "s/k?versionId=7"}))
    assert copy["s3:GetObjectVersion"].lookup("s3:versionid") == ("7",)


# Facts of resources


def test_bucket_tags_need_abac() -> None:
    on = replace(OPEN, buckets={"b": BucketFacts("b", account=OWNER, tags={"env": "prod"}, abac=True)})
    assert lookup(GET, "s3:BucketTag/env", snapshot=on) == ("prod",)
    assert lookup(GET, "aws:ResourceTag/env", snapshot=on) == ("prod",)
    off = replace(OPEN, buckets={"b": BucketFacts("b", account=OWNER, tags={"env": "prod"}, abac=False)})
    assert lookup(GET, "s3:BucketTag/env", snapshot=off) is None
    unknown = replace(OPEN, buckets={"b": BucketFacts("b", account=OWNER, tags={"env": "prod"})})
    assert lookup(GET, "s3:BucketTag/env", snapshot=unknown) is UNKNOWN


def test_access_points() -> None:
    facts = AccessPointFacts(POINT, "reports", "b", OWNER, vpc=None)
    head = long_term("GET", "/k", {"Host": f"reports-{OWNER}.s3-accesspoint.us-east-1.amazonaws.com"})
    found = contexts(head, replace(OPEN, access_points={POINT: facts}))["s3:GetObject"]
    assert found.lookup("s3:DataAccessPointArn") == (POINT,)
    assert found.lookup("s3:DataAccessPointAccount") == (OWNER,)
    assert found.lookup("s3:AccessPointNetworkOrigin") == ("Internet",)
    vpc = contexts(head, replace(OPEN, access_points={POINT: replace(facts, vpc="vpc-1")}))["s3:GetObject"]
    assert vpc.lookup("s3:AccessPointNetworkOrigin") == ("VPC",)
    unknown = contexts(head)["s3:GetObject"]
    assert unknown.lookup("s3:DataAccessPointAccount") == (OWNER,)
    assert unknown.lookup("s3:AccessPointNetworkOrigin") is UNKNOWN
    assert unknown.lookup("s3:AccessPointTag/a") is UNKNOWN
    alias = contexts(long_term("GET", "/k", {"Host": "x-s3alias.s3.us-east-1.amazonaws.com"}))["s3:GetObject"]
    assert alias.lookup("s3:DataAccessPointArn") is UNKNOWN
    assert alias.lookup("s3:DataAccessPointAccount") is UNKNOWN


def test_accounts_of_both_sides_of_a_copy() -> None:
    other = BucketFacts("s", account="777788889999")
    snapshot = replace(OPEN, buckets={**OPEN.buckets, "s": other})
    found = contexts(long_term("PUT", "/b/k", {"x-amz-copy-source": "s/k"}), snapshot)
    assert found["s3:PutObject"].lookup("s3:ResourceAccount") == (OWNER,)
    assert found["s3:GetObject"].lookup("s3:ResourceAccount") == ("777788889999",)
    declared = Declared(resource_account="123412341234", closed=True, principal=USER)
    stated = contexts(long_term("PUT", "/b/k", {"x-amz-copy-source": "s/k"}), snapshot, declared)
    assert stated["s3:PutObject"].lookup("s3:ResourceAccount") == ("123412341234",)
    assert stated["s3:GetObject"].lookup("s3:ResourceAccount") == ("777788889999",)


def test_account_level_resources_are_the_callers() -> None:
    assert lookup(long_term("GET", "/"), "aws:ResourceAccount") == (ACCOUNT,)


def test_an_owner_that_is_not_known() -> None:
    head = long_term("GET", "/elsewhere/k")
    assert lookup(head, "s3:ResourceAccount") is UNKNOWN
    assert lookup(head, "aws:ResourceOrgID") is UNKNOWN
    nobody = replace(OPEN, default_account=AccountFacts(organization_id=None, organization_path=None))
    for key in ("aws:ResourceOrgID", "aws:ResourceOrgPaths"):
        assert lookup(head, key, snapshot=nobody) is UNKNOWN
        assert lookup(head, key, snapshot=nobody, declared=CLOSED) is None


# KMS


def kms(head: RequestHead, **options: Any) -> RequestContext:
    facts = ObjectFacts(sse="aws:kms", kms_key=KEY, bucket_key=options.pop("bucket_key", False))
    bucket = BucketFacts("b", account=OWNER, default_encryption="aws:kms", default_kms_key=KEY, bucket_key=True)
    snapshot = replace(
        OPEN,
        objects={("b", "k"): facts},
        buckets={"b": bucket},
        kms_keys={KEY: KmsKeyFacts(KEY, account=OWNER, aliases=("alias/app",))},
    )
    found = contexts(head, snapshot, **options)
    return found.get("kms:Decrypt") or found["kms:GenerateDataKey"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kms:ViaService", ("s3.us-east-1.amazonaws.com",)),
        ("kms:CallerAccount", (ACCOUNT,)),
        ("kms:EncryptionContext:aws:s3:arn", ("arn:aws:s3:::b/k",)),
        ("kms:EncryptionContextKeys", ("aws:s3:arn",)),
        ("kms:EncryptionAlgorithm", ("SYMMETRIC_DEFAULT",)),
        ("kms:ResourceAliases", ("alias/app",)),
        ("kms:RequestAlias", None),
        ("kms:GrantIsForAWSResource", None),
        ("aws:ViaAWSService", ("true",)),
        ("aws:CalledVia", ("s3.amazonaws.com",)),
        ("aws:CalledViaLast", ("s3.amazonaws.com",)),
        ("aws:PrincipalArn", (USER,)),
        ("aws:ResourceAccount", (OWNER,)),
        ("aws:SourceIp", UNKNOWN),
        ("aws:SecureTransport", UNKNOWN),
        ("aws:UserAgent", UNKNOWN),
        ("aws:ResourceTag/a", UNKNOWN),
        ("s3:signatureversion", None),
        ("s3:prefix", None),
    ],
)
def test_the_call_that_s3_makes_to_kms(key: str, value: Any) -> None:
    assert kms(GET).lookup(key) == value


def test_with_a_bucket_key_the_encryption_context_is_the_bucket() -> None:
    assert kms(GET, bucket_key=True).lookup("kms:EncryptionContext:aws:s3:arn") == ("arn:aws:s3:::b",)
    assert kms(GET, bucket_key=UNKNOWN).lookup("kms:EncryptionContext:aws:s3:arn") is UNKNOWN
    written = long_term("PUT", "/b/k", {"x-amz-server-side-encryption-bucket-key-enabled": "false"})
    assert kms(written).lookup("kms:EncryptionContext:aws:s3:arn") == ("arn:aws:s3:::b/k",)
    assert kms(long_term("PUT", "/b/k")).lookup("kms:EncryptionContext:aws:s3:arn") == ("arn:aws:s3:::b",)


def test_the_encryption_context_of_the_request() -> None:
    pairs = base64.b64encode(json.dumps({"Project": "x"}).encode()).decode()
    found = kms(long_term("PUT", "/b/k", {"x-amz-server-side-encryption-context": pairs}))
    assert found.lookup("kms:EncryptionContext:Project") == ("x",)
    assert found.lookup("kms:EncryptionContextKeys") == ("aws:s3:arn", "Project")
    listed = base64.b64encode(b"[1]").decode()
    odd = kms(long_term("PUT", "/b/k", {"x-amz-server-side-encryption-context": listed}))
    assert odd.lookup("kms:EncryptionContextKeys") is UNKNOWN
    broken = kms(long_term("PUT", "/b/k", {"x-amz-server-side-encryption-context": "%%"}))
    assert broken.lookup("kms:EncryptionContextKeys") is UNKNOWN


def test_the_alias_in_the_request() -> None:
    sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/app"}
    assert kms(long_term("PUT", "/b/k", sse)).lookup("kms:RequestAlias") == ("alias/app",)


def test_declared_keys_of_the_kms_call() -> None:
    declared = Declared(principal=USER, closed=True, kms_context={"kms:ViaService": "s3.eu-west-1.amazonaws.com"})
    found = kms(unsigned("GET", "/b/k"), declared=declared)
    assert found.lookup("kms:ViaService") == ("s3.eu-west-1.amazonaws.com",)
    assert found.lookup("aws:SecureTransport") == ("true",)
    assert found.lookup("aws:SourceIp") is None
    plain = replace(declared, context={"aws:SecureTransport": ("false",), "aws:RequestedRegion": ("eu-west-1",)})
    found = kms(unsigned("GET", "/b/k"), declared=plain)
    assert found.lookup("aws:SecureTransport") is UNKNOWN
    assert found.lookup("aws:RequestedRegion") == ("eu-west-1",)


def test_the_callers_address_may_not_reach_kms() -> None:
    declared = Declared(principal=USER, closed=True, context={"aws:SourceIp": ("203.0.113.7",)})
    assert kms(unsigned("GET", "/b/k"), declared=declared).lookup("aws:SourceIp") is UNKNOWN


def test_passing_a_role() -> None:
    body = b"<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role></ReplicationConfiguration>"
    found = contexts(long_term("PUT", "/b?replication"), body=body)["iam:PassRole"]
    assert found.lookup("iam:PassedToService") == ("s3.amazonaws.com",)


def test_a_question_about_one_action() -> None:
    head = unsigned("GET", "/")
    call = DeniedCall("1", head, head, None, NOW, declared=replace(CLOSED, action="s3:PutObject"))
    request = replace(identify_call(call, OPEN, table=s3_operations()), operation=None)
    caller = identify_caller(call, OPEN)
    put = Requirement("s3:PutObject", "arn:aws:s3:::b/k", bucket="b", key="k")
    assert request_context(put, request, caller, call, OPEN).lookup("s3:ObjectCreationOperation") is None
    listing = Requirement("s3:ListBucket", "arn:aws:s3:::b", bucket="b")
    assert request_context(listing, request, caller, call, OPEN).lookup("s3:max-keys") is None
    tags = Requirement("s3:TagResource", "arn:aws:s3:::b", bucket="b")
    assert request_context(tags, request, caller, call, OPEN).lookup("aws:TagKeys") is None
    assert request_context(tags, request, caller, call, OPEN).lookup("aws:RequestTag/a") is None
    job = Requirement("s3:CreateJob", "*")
    assert request_context(job, request, caller, call, OPEN).lookup("s3:RequestJobOperation") is None
    live = replace(call, declared=Declared(principal=USER))
    assert request_context(job, request, caller, live, OPEN).lookup("s3:RequestJobOperation") is UNKNOWN
    assert request_context(tags, request, caller, live, OPEN).lookup("aws:TagKeys") is UNKNOWN
    place = Requirement("s3:CreateAccessPoint", "arn:aws:s3:us-east-1:1:accesspoint/a")
    assert request_context(place, request, caller, call, OPEN).lookup("s3:locationconstraint") is None
    assert request_context(place, request, caller, live, OPEN).lookup("s3:locationconstraint") is UNKNOWN
    other = Requirement("ec2:RunInstances", "*")
    assert request_context(other, request, caller, call, OPEN).lookup("s3:signatureversion") is None


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-amz-tagging",
                "x-amz-copy-source",
                "x-amz-object-lock-retain-until-date",
                "x-amz-server-side-encryption-context",
                "x-amz-server-side-encryption-aws-kms-key-id",
                "x-amz-server-side-encryption",
                "Authorization",
                "x-amz-date",
            ]
        ),
        st.one_of(
            st.text(),
            st.just("aws:kms"),
            st.just("2026-01-01"),
            st.binary().map(lambda b: base64.b64encode(b).decode()),
        ),
    ),
    target=st.sampled_from(["/b/k", "/b", "/", "/b/k?tagging", "/b/k?retention", "/b?delete", "/b?replication"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    body=st.one_of(st.none(), st.binary(), st.just(TAGGING), st.text().map(lambda t: f"<a>{t}</a>".encode())),
    closed=st.booleans(),
)
def test_never_raises_and_says_each_key_once(
    headers: dict[str, str], target: str, method: str, body: bytes | None, closed: bool
) -> None:
    declared = Declared(closed=closed)
    for context in contexts(unsigned(method, target, headers), declared=declared, body=body).values():
        present = set(context.present)
        assert present.isdisjoint(context.unknown | context.absent)
        assert context.unknown.isdisjoint(context.absent)
        assert all(name == name.lower() for name in (*present, *context.unknown, *context.absent))
        assert context.open_world is not closed


def test_filters_have_contexts_too() -> None:
    head = GET
    call = DeniedCall("1", head, head, None, NOW)
    request = identify_call(call, OPEN, table=s3_operations())
    roles = {item.role for item in requirements(request, OPEN)}
    assert Role.FILTER in roles
    assert identify_caller(call, OPEN).temporary is Truth.NO


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("target", ["/b/k", "/b?list-type=2&prefix=a%2F", "/b/k?versionId=1"])
def test_keys_that_are_asked_for_are_the_same_alone(target: str, closed: bool) -> None:
    head = long_term("PUT" if target == "/b/k" else "GET", target)
    denied = DeniedCall("1", head, head, None, NOW, declared=Declared(closed=closed))
    request = identify_call(denied, OPEN, table=s3_operations())
    caller = identify_caller(denied, OPEN)
    asked = frozenset({"s3:prefix", "s3:x-amz-acl", "s3:existingobjecttag/team", "aws:principalarn", "s3:versionid"})
    whole, part = (Contexts(request, caller, denied, OPEN, only) for only in (None, asked))
    for requirement in requirements(request, OPEN, caller):
        of_whole, of_part = whole.of(requirement), part.of(requirement)
        assert {key: of_part.lookup(key) for key in asked} == {key: of_whole.lookup(key) for key in asked}


EXPRESS = "logs--use1-az4--x-s3"


@pytest.mark.parametrize(
    ("method", "target", "headers", "mode"),
    [
        ("GET", "?session", {"x-amz-create-session-mode": "ReadOnly"}, ("ReadOnly",)),
        ("GET", "?session", {"x-amz-create-session-mode": "ReadWrite"}, ("ReadWrite",)),
        ("GET", "?session", {}, UNKNOWN),
        ("GET", "/k", {}, UNKNOWN),
        ("HEAD", "/k", {}, UNKNOWN),
        ("GET", "?list-type=2", {}, UNKNOWN),
        ("PUT", "/k", {}, ("ReadWrite",)),
        ("DELETE", "/k", {}, ("ReadWrite",)),
        ("POST", "/k?uploads", {}, ("ReadWrite",)),
    ],
)
def test_the_mode_of_a_session_for_a_directory_bucket(
    method: str, target: str, headers: dict[str, str], mode: Any
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html: the six operations of a ReadOnly session;
    without a mode S3 tries both."""
    action = "s3express:CreateSession"
    for declared in (None, CLOSED):
        head = long_term(method, f"/{EXPRESS}{target}", headers)
        assert lookup(head, "s3express:SessionMode", action=action, declared=declared) == mode


def test_keys_of_directory_buckets_are_not_those_of_other_buckets() -> None:
    session = long_term("GET", f"/{EXPRESS}?session")
    assert lookup(session, "s3express:authType", action="s3express:CreateSession") == ("REST-HEADER",)
    assert lookup(session, "s3:authType", action="s3express:CreateSession") is None
    assert lookup(long_term("GET", "/b/k"), "s3express:authType", action="s3:GetObject") is None

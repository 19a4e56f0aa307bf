"""Whom S3 saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import Declared, DeniedCall, RequestHead, Resigned, ResponseHead
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from denyproxy.s3.caller import identify_caller, parse_principal
from denyproxy.s3.request import Caller, KnownBy
from denyproxy.s3.snapshot import PolicySnapshot, PrincipalFacts

A = "111122223333"
USER = f"arn:aws:iam::{A}:user/team/alice"
ROLE = f"arn:aws:iam::{A}:role/aws-reserved/dev"
SESSION = f"arn:aws:sts::{A}:assumed-role/dev/alice"
KEY = "AKIAIOSFODNN7EXAMPLE"
ALLOW = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
BOUNDARY = PolicyList((Policy.parse(ALLOW, name="boundary"),))
SNAPSHOT = PolicySnapshot(
    access_keys={KEY: USER, "ASIASESSION": SESSION},
    principals={
        USER: PrincipalFacts(USER, unique_id="AIDA1", boundary=None),
        ROLE: PrincipalFacts(ROLE, unique_id="AROA1", boundary=BOUNDARY),
    },
)


def signed(key: str = KEY, *extra: tuple[str, str]) -> RequestHead:
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0"
    )
    return RequestHead("GET", "/b/k", (("Host", "h"), ("Authorization", authorization), *extra))


UNSIGNED = RequestHead("GET", "/b/k", (("Host", "h"),))


def caller(head: RequestHead = UNSIGNED, declared: Declared | None = None, **options: Any) -> Caller:
    response = options.pop("response", None)
    received = datetime(2026, 1, 1, tzinfo=UTC)
    call = DeniedCall("1", head, head, response, received, declared=declared or Declared(), **options)
    return identify_caller(call, SNAPSHOT)


def test_by_access_key() -> None:
    found = caller(signed())
    assert found.principal == Principal(PrincipalType.USER, USER, A, unique_id="AIDA1", bounded=Truth.NO)
    assert (found.known_by, found.access_key_id) == (KnownBy.ACCESS_KEYS, KEY)
    assert (found.auth_type, found.signature_version) == ("REST-HEADER", "AWS4-HMAC-SHA256")
    assert found.temporary is Truth.NO


def test_a_session_has_the_role_with_its_path_as_issuer() -> None:
    found = caller(signed("ASIASESSION", ("x-amz-security-token", "T")))
    assert found.principal == Principal(
        PrincipalType.ROLE_SESSION, SESSION, A, issuer=ROLE, unique_id="AROA1", bounded=Truth.YES
    )
    assert found.temporary is Truth.YES


def test_a_session_whose_role_nobody_knows_has_no_issuer() -> None:
    principal = parse_principal(f"arn:aws:sts::{A}:assumed-role/other/s", None, SNAPSHOT)
    assert principal == Principal(PrincipalType.ROLE_SESSION, f"arn:aws:sts::{A}:assumed-role/other/s", A)


def test_a_role_without_a_path_comes_first() -> None:
    plain = f"arn:aws:iam::{A}:role/dev"
    snapshot = PolicySnapshot(principals={ROLE: PrincipalFacts(ROLE), plain: PrincipalFacts(plain)})
    assert parse_principal(SESSION, None, snapshot).issuer == plain


def test_a_caller_is_looked_for_once_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("denyproxy.s3.caller._CALLERS_BOUND", 1)
    snapshot = replace(SNAPSHOT, revision="2")
    heads = (signed(), signed(), signed("ASIASESSION", ("x-amz-security-token", "T")))
    calls = (DeniedCall("1", head, head, None, datetime(2026, 1, 1, tzinfo=UTC)) for head in heads)
    first, second, session = (identify_caller(call, snapshot).principal for call in calls)
    assert first is second
    assert list(snapshot.callers.values()) == [session]


def test_a_message_that_names_nobody() -> None:
    body = b"<Error><Code>AccessDenied</Code></Error>"
    assert caller(signed(), response=ResponseHead(403), response_body=body).known_by is KnownBy.ACCESS_KEYS


def test_a_role_name_is_not_the_end_of_another() -> None:
    principal = parse_principal(f"arn:aws:sts::{A}:assumed-role/ev/s", None, SNAPSHOT)
    assert principal.issuer is None


def test_a_key_that_nobody_knows() -> None:
    found = caller(signed("AKIAOTHER"))
    assert found.principal == Principal(PrincipalType.UNKNOWN, bounded=Truth.UNKNOWN)
    assert (found.known_by, found.access_key_id) == (KnownBy.NONE, "AKIAOTHER")


def test_unsigned_requests_are_anonymous() -> None:
    found = caller()
    assert found == Caller(Principal(PrincipalType.ANONYMOUS), KnownBy.NONE, temporary=Truth.NO)


def test_a_broken_signature_is_not_anonymous() -> None:
    head = RequestHead("GET", "/", (("Authorization", "AWS4-HMAC-SHA256 nonsense"),))
    assert caller(head).principal.type is PrincipalType.UNKNOWN


@pytest.mark.parametrize(
    ("key", "headers", "temporary"),
    [
        ("AKIAOTHER", (), Truth.NO),
        ("minio", (), Truth.NO),
        ("ASIAOTHER", (), Truth.YES),
        ("AKIAOTHER", (("x-amz-security-token", "T"),), Truth.YES),
    ],
)
def test_temporary_credentials(key: str, headers: tuple[tuple[str, str], ...], temporary: Truth) -> None:
    assert caller(signed(key, *headers)).temporary is temporary


@pytest.mark.parametrize(
    ("declared", "principal"),
    [
        (Declared(USER), Principal(PrincipalType.USER, USER, A, unique_id="AIDA1")),
        (
            Declared(f"arn:aws:sts::{A}:assumed-role/app/s"),
            Principal(
                PrincipalType.ROLE_SESSION,
                f"arn:aws:sts::{A}:assumed-role/app/s",
                A,
                f"arn:aws:iam::{A}:role/app",
                bounded=Truth.UNKNOWN,
            ),
        ),
        (
            Declared(SESSION, principal_role=ROLE),
            Principal(PrincipalType.ROLE_SESSION, SESSION, A, ROLE, "AROA1", Truth.YES),
        ),
        (Declared(ROLE), Principal(PrincipalType.ROLE_SESSION, ROLE, A, ROLE, "AROA1", Truth.YES)),
        (Declared(f"arn:aws:iam::{A}:root"), Principal(PrincipalType.ROOT, f"arn:aws:iam::{A}:root", A)),
        (
            Declared(f"arn:aws:sts::{A}:federated-user/bob", principal_role=USER),
            Principal(PrincipalType.FEDERATED, f"arn:aws:sts::{A}:federated-user/bob", A, USER, "AIDA1"),
        ),
        (Declared("cloudtrail.amazonaws.com"), Principal(PrincipalType.SERVICE, "cloudtrail.amazonaws.com")),
        (Declared("anonymous"), Principal(PrincipalType.ANONYMOUS)),
        (Declared("nonsense"), Principal(PrincipalType.UNKNOWN, bounded=Truth.UNKNOWN)),
        (
            Declared(f"arn:aws:iam::{A}:group/g"),
            Principal(PrincipalType.UNKNOWN, f"arn:aws:iam::{A}:group/g", A, bounded=Truth.UNKNOWN),
        ),
    ],
)
def test_what_is_declared_comes_first(declared: Declared, principal: Principal) -> None:
    found = caller(signed(), declared)
    assert found.principal == principal
    assert found.known_by is KnownBy.DECLARED


def test_the_declared_account_counts() -> None:
    assert caller(declared=Declared(USER, principal_account="999988887777")).principal.account == "999988887777"


def denial(principal: str) -> dict[str, Any]:
    text = f"User: {principal} is not authorized to perform: s3:GetObject"
    return {
        "response": ResponseHead(403),
        "response_body": f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>".encode(),
    }


def test_s3_names_whom_it_saw() -> None:
    for key in (KEY, "AKIAOTHER"):
        found = caller(signed(key), **denial(SESSION))
        assert found.principal.arn == SESSION
        assert found.principal.issuer == ROLE
        assert found.known_by is KnownBy.UPSTREAM_MESSAGE
    agreed = caller(signed(), **denial(USER))
    assert agreed.known_by is KnownBy.ACCESS_KEYS
    assert agreed.principal.arn == USER


def test_an_impossible_principal_in_a_message_is_ignored() -> None:
    assert caller(signed(), **denial(f"arn:aws:sts::{A}:user/alice")).principal.arn == USER


def test_with_the_proxys_own_credentials() -> None:
    own = caller(signed(), mode="resign", resigned=Resigned(client="arn:aws:iam::444455556666:user/bob"))
    assert (own.known_by, own.principal.arn) == (KnownBy.PROXY_CREDENTIALS, USER)
    told = caller(signed("AKIAOTHER"), mode="resign", resigned=Resigned(signer=SESSION))
    assert (told.known_by, told.principal.arn) == (KnownBy.PROXY_CREDENTIALS, SESSION)
    assert caller(signed("AKIAOTHER"), mode="resign", resigned=Resigned()).principal.type is PrincipalType.UNKNOWN


def test_signed_again_with_the_clients_own_credentials() -> None:
    assert caller(signed(), mode="resign").known_by is KnownBy.ACCESS_KEYS


def test_the_upstream_request_counts() -> None:
    call = DeniedCall("1", signed("AKIACLIENT"), signed(), None, datetime(2026, 1, 1, tzinfo=UTC))
    assert identify_caller(call, SNAPSHOT).principal.arn == USER


def test_presigned_and_posted() -> None:
    presigned = RequestHead("GET", f"/b/k?AWSAccessKeyId={KEY}&Signature=x&Expires=1", ())
    assert caller(presigned).auth_type == "REST-QUERY-STRING"
    form = f'--x\r\nContent-Disposition: form-data; name="AWSAccessKeyId"\r\n\r\n{KEY}\r\n--x--'.encode()
    posted = RequestHead("POST", "/b", (("Content-Type", "multipart/form-data; boundary=x"),))
    found = caller(posted, body=form)
    assert (found.principal.arn, found.auth_type, found.signature_version) == (USER, "POST", "AWS")


@given(st.text(), st.text())
def test_never_raises(principal: str, role: str) -> None:
    found = caller(signed(), Declared(principal, principal_role=role))
    assert found.known_by is KnownBy.DECLARED
    assert isinstance(parse_principal("arn:aws:" + principal, None, SNAPSHOT, assume_path="/"), Principal)

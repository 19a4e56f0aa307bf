"""Credentials as clients write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.credential import (
    ANONYMOUS,
    Credential,
    CredentialKind,
    credential_of_form,
    parse_credential,
)

KEY = "AKIAIOSFODNN7EXAMPLE"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN"
AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/eu-west-1/s3/aws4_request, "
    f"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature={SIGNATURE}"
)


def head(target: str = "/b/k", *headers: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", target, (("Host", "s3.amazonaws.com"), *headers))


def test_sigv4_header() -> None:
    credential = parse_credential(head("/b/k", ("Authorization", AUTHORIZATION), ("X-Amz-Date", "20130524T000000Z")))
    assert credential == Credential(
        kind=CredentialKind.HEADER,
        access_key_id=KEY,
        algorithm="AWS4-HMAC-SHA256",
        region="eu-west-1",
        service="s3",
        signed_headers=("host", "range", "x-amz-content-sha256", "x-amz-date"),
        signed_at=datetime(2013, 5, 24, tzinfo=UTC),
    )


def test_s3cmd_writes_no_spaces() -> None:
    written = AUTHORIZATION.replace(", ", ",")
    assert parse_credential(head("/", ("authorization", written))) == parse_credential(
        head("/", ("Authorization", AUTHORIZATION))
    )


def test_the_date_header_counts_where_x_amz_date_is_missing() -> None:
    credential = parse_credential(
        head("/", ("Authorization", AUTHORIZATION), ("Date", "Fri, 24 May 2013 00:00:00 GMT"))
    )
    assert credential.signed_at == datetime(2013, 5, 24, tzinfo=UTC)


def test_sigv4a_has_no_region_in_its_scope() -> None:
    written = f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20130524/s3/aws4_request, SignedHeaders=host, Signature=00"
    credential = parse_credential(head("/", ("Authorization", written)))
    assert (credential.algorithm, credential.access_key_id) == ("AWS4-ECDSA-P256-SHA256", KEY)
    assert (credential.region, credential.service) == (None, "s3")


def test_presigned_sigv4() -> None:
    target = (
        f"/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host%3Bx-amz-acl"
        f"&X-Amz-Security-Token={TOKEN}&X-Amz-Signature={SIGNATURE}"
    )
    credential = parse_credential(head(target))
    assert credential.kind is CredentialKind.QUERY
    assert credential.access_key_id == KEY
    assert credential.region == "us-east-1"
    assert credential.signed_headers == ("host", "x-amz-acl")
    assert credential.expires_seconds == 86400
    assert credential.expires_at == datetime(2013, 5, 25, tzinfo=UTC)
    assert credential.has_session_token
    assert TOKEN not in repr(credential)
    assert SIGNATURE not in repr(credential)


def test_a_presigned_url_without_all_it_needs_has_no_known_end() -> None:
    for query in ("X-Amz-Date=20130524T000000Z", "X-Amz-Expires=60", "X-Amz-Date=20130524T000000Z&X-Amz-Expires=-1"):
        credential = parse_credential(head(f"/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"))
        assert (credential.kind, credential.expires_at) == (CredentialKind.QUERY, None)


def test_sigv2_header() -> None:
    signed = head(
        "/", ("Authorization", f"AWS {KEY}:frJIUN8DYpKDtOLCwo//yllqDzg="), ("Date", "Tue, 27 Mar 2007 19:36:42 +0000")
    )
    credential = parse_credential(signed)
    assert (credential.kind, credential.access_key_id) == (CredentialKind.HEADER, KEY)
    assert credential.algorithm == "AWS"
    assert credential.signed_headers is None
    assert credential.signed_at == datetime(2007, 3, 27, 19, 36, 42, tzinfo=UTC)
    assert "frJIUN8DYp" not in repr(credential)


def test_presigned_sigv2() -> None:
    credential = parse_credential(head(f"/b/k?AWSAccessKeyId={KEY}&Expires=1175139620&Signature=vjbyPxybdZaNmGa"))
    assert (credential.kind, credential.algorithm, credential.access_key_id) == (CredentialKind.QUERY, "AWS", KEY)
    assert credential.expires_at == datetime(2007, 3, 29, 3, 40, 20, tzinfo=UTC)
    assert not credential.has_session_token
    temporary = f"/b/k?AWSAccessKeyId={KEY}&Expires=1&Signature=x&x-amz-security-token=T"
    assert parse_credential(head(temporary)).has_session_token


def test_a_token_header_marks_temporary_credentials() -> None:
    signed = head("/", ("Authorization", AUTHORIZATION), ("X-Amz-Security-Token", TOKEN))
    assert parse_credential(signed).has_session_token
    assert not parse_credential(head("/", ("Authorization", AUTHORIZATION))).has_session_token
    assert TOKEN not in repr(parse_credential(signed))


def test_unsigned() -> None:
    assert parse_credential(head("/b/k?versionId=1")) == ANONYMOUS


def test_absolute_form_targets_are_presigned_too() -> None:
    target = f"http://b.s3.amazonaws.com/k?AWSAccessKeyId={KEY}&Expires=1&Signature=x"
    assert parse_credential(head(target)).access_key_id == KEY


def test_access_keys_may_contain_slashes() -> None:
    written = AUTHORIZATION.replace(KEY, "team/app")
    assert parse_credential(head("/", ("Authorization", written))).access_key_id == "team/app"


@pytest.mark.parametrize(
    ("headers", "target", "problem"),
    [
        ([("Authorization", "Bearer abc")], "/", "algorithm"),
        ([("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20130524")], "/", "Credential"),
        ([("Authorization", f"AWS4-HMAC-SHA256 Credential={KEY}/1/r/s3/aws4_request")], "/", "SignedHeaders"),
        (
            [("Authorization", f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/s3/aws4_request,SignedHeaders=host")],
            "/",
            "Credential",
        ),
        ([("Authorization", "AWS AKID")], "/", "AKID:signature"),
        ([], "/?X-Amz-Algorithm=AWS4-HMAC-MD5", "X-Amz-Algorithm"),
        ([], "/?X-Amz-Signature=1&X-Amz-Credential=a/b", "X-Amz-Credential"),
        ([], f"/?AWSAccessKeyId={KEY}&Signature=x", "Expires"),
    ],
)
def test_malformed_is_a_value_that_says_what_is_wrong(
    headers: list[tuple[str, str]], target: str, problem: str
) -> None:
    credential = parse_credential(head(target, *headers))
    assert credential.kind is CredentialKind.MALFORMED
    assert problem in (credential.problem or "")
    assert credential.access_key_id is None


def test_post_form() -> None:
    fields = {
        "x-amz-credential": f"{KEY}/20130524/us-east-1/s3/aws4_request",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-date": "20130524T000000Z",
        "x-amz-signature": SIGNATURE,
    }
    credential = credential_of_form(fields)
    assert (credential.kind, credential.access_key_id, credential.region) == (CredentialKind.POST, KEY, "us-east-1")
    assert credential_of_form({"awsaccesskeyid": KEY, "signature": "x"}).algorithm == "AWS"
    assert credential_of_form({"key": "a"}) == ANONYMOUS
    assert credential_of_form({"x-amz-credential": "nonsense"}).kind is CredentialKind.MALFORMED


def test_expiry_beyond_all_dates_is_not_known() -> None:
    credential = parse_credential(head("/?AWSAccessKeyId=a&Signature=b&Expires=999999999999"))
    assert credential.expires_at is None


@given(st.text(), st.text())
def test_never_raises(authorization: str, query: str) -> None:
    assert isinstance(parse_credential(head("/?" + query, ("Authorization", authorization))), Credential)
    assert isinstance(parse_credential(head("/?" + query)), Credential)
    assert isinstance(parse_credential(head("/?X-Amz-Signature=" + query)), Credential)


BEGINNING = AUTHORIZATION.partition("Signature=")[0]


@pytest.mark.parametrize(
    ("authorization", "names"),
    [
        (BEGINNING.rstrip(", ") + " Signature=" + SIGNATURE, ("host", "range", "x-amz-content-sha256")),
        (BEGINNING.rstrip(", ") + "Signature=" + SIGNATURE, ("host", "range", "x-amz-content-sha256")),
        (BEGINNING + f"Signature={SIGNATURE}, SignedHeaders=host", ("host",)),
        (BEGINNING + "Signature=a,SignedHeaders=range", ("range",)),
    ],
)
def test_what_was_read_of_the_same_beginning_is_not_told_of_another(authorization: str, names: tuple[str, ...]) -> None:
    """A missing comma makes the signature a part of the last name; what follows the signature counts too."""
    first = parse_credential(head("/b/k", ("Authorization", AUTHORIZATION)))
    assert first.signed_headers == ("host", "range", "x-amz-content-sha256", "x-amz-date")
    assert parse_credential(head("/b/k", ("Authorization", authorization))).signed_headers == names
    assert parse_credential(head("/b/k", ("Authorization", AUTHORIZATION))) == first

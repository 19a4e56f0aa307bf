"""Who signed a request: AWS's own examples, botocore's signatures, and everything that S3 would refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from denyproxy.exchange import Headers, RequestHead
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.signing import sign
from denyproxy.sigv4.verification import _claims, verify
from denyproxy.sigv4.verified import Verified

KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
START = datetime(2013, 5, 24, tzinfo=UTC)
HOST = ("Host", "examplebucket.s3.amazonaws.com")
SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"


def lookup(key_id: str) -> Credentials | None:
    return KEY if key_id == KEY.access_key_id else None


def signed(
    method: str, target: str, names: str, signature: str, *extra: tuple[str, str], payload: str = EMPTY
) -> RequestHead:
    authorization = f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={names},Signature={signature}"
    headers = (HOST, *extra, ("x-amz-date", "20130524T000000Z"), ("x-amz-content-sha256", payload))
    return RequestHead(method, target, (*headers, ("Authorization", authorization)))


GET = signed(
    "GET",
    "/test.txt",
    "host;range;x-amz-content-sha256;x-amz-date",
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ("Range", "bytes=0-9"),
)
PUT_PAYLOAD = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
PUT = signed(
    "PUT",
    "/test%24file.text",
    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    payload=PUT_PAYLOAD,
)
PLAIN = "host;x-amz-content-sha256;x-amz-date"
LIFECYCLE = signed("GET", "/?lifecycle", PLAIN, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
LIST = signed("GET", "/?max-keys=2&prefix=J", PLAIN, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
PRESIGNED = RequestHead(
    "GET",
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + quote(SCOPE, safe="")
    + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    (HOST,),
)  # fmt: skip


@pytest.mark.parametrize("head", [GET, PUT, LIFECYCLE, LIST, PRESIGNED])
def test_the_examples_of_the_documentation(head: RequestHead) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html"""
    found = verify(head, lookup, START)
    assert isinstance(found, Verified)
    assert found.credentials is KEY
    assert found.key is not None
    assert (found.key.region, found.key.service) == ("us-east-1", "s3")
    assert found.key.scope == "20130524/us-east-1/s3/aws4_request"
    assert found.timestamp == "20130524T000000Z"
    assert found.payload == {PUT: PUT_PAYLOAD, PRESIGNED: "UNSIGNED-PAYLOAD"}.get(head, EMPTY)


def version2(method: str, path: str, date: str, signature: str, *extra: tuple[str, str]) -> RequestHead:
    fields = (("Host", "s3.amazonaws.com"), ("Date", date), *extra)
    return RequestHead(method, path, (*fields, ("Authorization", f"AWS {KEY.access_key_id}:{signature}")))


VERSION2 = [
    (
        version2(
            "GET", "/johnsmith/photos/puppy.jpg", "Tue, 27 Mar 2007 19:36:42 +0000", "bWq2s1WEIj+Ydj0vQ697zp+IXMU="
        ),
        None,
    ),
    (
        version2(
            "PUT",
            "/photos/puppy.jpg",
            "Tue, 27 Mar 2007 21:15:45 +0000",
            "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
            ("Content-Type", "image/jpeg"),
        ),
        "johnsmith",
    ),
    (
        version2(
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            "Tue, 27 Mar 2007 19:42:41 +0000",
            "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        ),
        "johnsmith",
    ),
]


@pytest.mark.parametrize(("head", "bucket"), VERSION2)
def test_the_examples_of_version_2(head: RequestHead, bucket: str | None) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html"""
    now = (
        datetime(2007, 3, 27, 19, 40, tzinfo=UTC) if head.method == "GET" else datetime(2007, 3, 27, 21, 20, tzinfo=UTC)
    )
    found = verify(head, lookup, now, bucket)
    assert isinstance(found, Verified)
    assert (found.payload, found.key) == ("UNSIGNED-PAYLOAD", None)
    assert code(verify(head, lookup, now, "another")) == "SignatureDoesNotMatch"


def code(found: Verified | Refusal) -> str:
    return found.code if isinstance(found, Refusal) else "verified"


def changed(head: RequestHead, name: str, value: str | None) -> RequestHead:
    """With one header field changed, or added, or without it."""
    kept = tuple(field for field in head.headers if field[0].lower() != name.lower())
    return replace(head, headers=kept if value is None else (*kept, (name, value)))


@pytest.mark.parametrize(
    "head",
    [
        replace(GET, method="PUT"),
        replace(GET, target="/test.txt2"),
        replace(GET, target="/test.txt?acl"),
        replace(GET, target="//test.txt"),
        changed(GET, "Host", "other.s3.amazonaws.com"),
        changed(GET, "Range", "bytes=0-99"),
        changed(GET, "Range", None),
        changed(GET, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        changed(GET, "x-amz-date", "20130524T000001Z"),
        replace(LIST, target="/?max-keys=3&prefix=J"),
        replace(PRESIGNED, method="HEAD"),
        replace(PRESIGNED, target=PRESIGNED.target.replace("86400", "86401")),
        replace(PRESIGNED, target=PRESIGNED.target + "&acl"),
        replace(PRESIGNED, target=PRESIGNED.target[:-1]),
        replace(PRESIGNED, target=PRESIGNED.target + "4"),
    ],
)
def test_what_was_changed_is_not_what_was_signed(head: RequestHead) -> None:
    found = verify(head, lookup, START)
    assert isinstance(found, Refusal)
    assert (found.status, found.code) == (403, "SignatureDoesNotMatch")
    fields = dict(found.fields)
    assert fields["AWSAccessKeyId"] == KEY.access_key_id
    assert fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n2013052")
    assert fields["CanonicalRequest"].startswith(f"{head.method}\n/")
    assert fields["StringToSignBytes"].startswith("41 57 53 34")
    assert KEY.secret_access_key not in str(found)


@pytest.mark.parametrize(
    ("head", "now", "expected"),
    [
        (GET, START + timedelta(minutes=15), "verified"),
        (GET, START + timedelta(minutes=15, seconds=1), "RequestTimeTooSkewed"),
        (GET, START - timedelta(minutes=15, seconds=1), "RequestTimeTooSkewed"),
        (PRESIGNED, START + timedelta(days=1), "verified"),
        (PRESIGNED, START + timedelta(days=1, seconds=1), "AccessDenied"),
        (PRESIGNED, START - timedelta(minutes=15, seconds=1), "AccessDenied"),
    ],
)
def test_clocks_and_lifetimes(head: RequestHead, now: datetime, expected: str) -> None:
    assert code(verify(head, lookup, now)) == expected


MESSAGES: list[tuple[RequestHead, int, str, str]] = [
    (changed(GET, "x-amz-acl", "public-read"), 403, "AccessDenied", "There were headers present in the request"),
    (changed(PRESIGNED, "x-amz-acl", "public-read"), 403, "AccessDenied", "There were headers present in the request"),
    (changed(GET, "Content-MD5", "x"), 403, "AccessDenied", "There were headers present in the request"),
    (changed(GET, "x-amz-date", None), 403, "AccessDenied", "AWS authentication requires a valid Date"),
    (changed(GET, "Authorization", "AWS4-HMAC-SHA256 x"), 400, "AuthorizationHeaderMalformed", "The authorization"),
    (changed(GET, "Authorization", "Basic eDp5"), 400, "InvalidArgument", "Unsupported Authorization Type"),
    (changed(GET, "Authorization", "AWS AKID"), 400, "InvalidArgument", "Authorization header is invalid"),
    (replace(GET, target=PRESIGNED.target), 400, "InvalidArgument", "Only one auth mechanism allowed"),
    (changed(GET, "x-amz-s3session-token", "t"), 501, "NotImplemented", "denyproxy's resign mode cannot sign again"),
    (changed(GET, "x-amz-content-sha256", "abc"), 400, "InvalidArgument", "x-amz-content-sha256 must be"),
    (RequestHead("GET", "/", (HOST,)), 403, "AccessDenied", "Access Denied"),
    (RequestHead("GET", "/?AWSAccessKeyId=A", (HOST,)), 403, "AccessDenied", "Query-string authentication requires"),
    (
        replace(PRESIGNED, target=PRESIGNED.target.replace("86400", "604801")),
        400,
        "AuthorizationQueryParametersError",
        "X-Amz-Expires must be less than a week",
    ),
    (
        replace(PRESIGNED, target=PRESIGNED.target.replace("X-Amz-Date", "X-Amz-Dat")),
        400,
        "AuthorizationQueryParametersError",
        "X-Amz-Date is missing",
    ),
    (
        changed(PUT, "x-amz-content-sha256", None),
        400,
        "InvalidRequest",
        "Missing required header for this request: x-amz-content-sha256",
    ),
    (
        changed(GET, "x-amz-date", "20130523T235959Z"),
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; Invalid credential date",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("head", "status", "expected", "message"), MESSAGES)
def test_s3s_own_words(head: RequestHead, status: int, expected: str, message: str) -> None:
    found = verify(head, lookup, START)
    assert isinstance(found, Refusal)
    assert (found.status, found.code) == (status, expected)
    assert found.message.startswith(message)


@pytest.mark.parametrize("fields", [(HOST,), ()])
def test_a_signature_that_does_not_cover_the_host_is_none(fields: Headers) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html: the host header must be signed."""
    head = replace(GET, headers=(*fields, *(field for field in GET.headers if field[0] not in ("Host", "Range"))))
    head = changed(head, "Authorization", GET.headers[-1][1].replace("host;range;", ""))
    found = verify(head, lookup, START)
    assert isinstance(found, Refusal)
    assert found.fields == (("HeadersNotSigned", "host"),)


def test_the_headers_that_are_not_signed_are_named() -> None:
    found = verify(changed(changed(GET, "x-amz-acl", "a"), "x-amz-tagging", "b"), lookup, START)
    assert isinstance(found, Refusal)
    assert found.fields == (("HeadersNotSigned", "x-amz-acl, x-amz-tagging"),)


def test_an_unknown_key() -> None:
    for head in (GET, PRESIGNED, VERSION2[0][0]):
        found = verify(head, lambda _: None, datetime(2007, 3, 27, 19, 40, tzinfo=UTC))
        assert isinstance(found, Refusal)
        assert (found.status, found.code) == (403, "InvalidAccessKeyId")
        assert found.fields == (("AWSAccessKeyId", KEY.access_key_id),)


def test_sigv4a_is_for_other_modes() -> None:
    authorization = "AWS4-ECDSA-P256-SHA256 Credential=A/20130524/s3/aws4_request,SignedHeaders=host,Signature=00"
    found = verify(changed(GET, "Authorization", authorization), lookup, START)
    assert isinstance(found, Refusal)
    assert (found.status, found.code) == (501, "NotImplemented")
    assert "forward mode" in found.message


def test_a_session_token_must_be_the_keys_own() -> None:
    assert code(verify(replace(PRESIGNED, target=PRESIGNED.target + "&X-Amz-Security-Token=t"), lookup, START)) == (
        "InvalidToken"
    )
    temporary = replace(KEY, session_token="t")
    assert code(verify(GET, lambda _: temporary, START)) == "InvalidAccessKeyId"


def test_how_s3cmd_writes_it() -> None:
    """No spaces, and other case; and runs of spaces in values count as one."""
    authorization = GET.header("Authorization") or ""
    spaced = changed(GET, "Authorization", authorization.replace(",", ",   "))
    assert code(verify(spaced, lookup, START)) == "verified"
    assert code(verify(changed(GET, "Range", "  bytes=0-9 "), lookup, START)) == "verified"


# What botocore signs is verified.

NOW = datetime.now(UTC).replace(microsecond=0)
BOTO = BotoCredentials(KEY.access_key_id, KEY.secret_access_key)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=8)
KEYS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), min_size=1, max_size=12
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["prefix", "delimiter", "versionId", "list-type", "acl", "response-content-type", "x y", "ü+"]),
    TEXT,
    max_size=3,
)
FIELDS = st.dictionaries(
    st.sampled_from(["Content-Type", "Range", "x-amz-acl", "x-amz-meta-a", "Content-MD5", "If-Match"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
    max_size=4,
)
METHODS = st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"])


def boto_signed(auth: Any, method: str, key: str, parameters: dict[str, str], fields: dict[str, str]) -> RequestHead:
    """A request as botocore puts it on the wire."""
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters.items())
    url = f"http://localhost:9000/bucket/{quote(key, safe='/-_.~')}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=dict(fields), data=b"")
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    request.context["payload_signing_enabled"] = True
    auth.add_auth(request)
    parts = urlsplit(request.url)
    headers: Headers = tuple((name, _text(value)) for name, value in request.headers.items())
    if not any(name.lower() == "host" for name, _ in headers):
        headers = (("Host", parts.netloc), *headers)
    return RequestHead(method, parts.path + (f"?{parts.query}" if parts.query else ""), headers)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


AUTHS = {
    "header": lambda: S3SigV4Auth(BOTO, "s3", "eu-west-1"),
    "query": lambda: S3SigV4QueryAuth(BOTO, "s3", "eu-west-1", expires=600),
    "version 2": lambda: HmacV1Auth(BOTO, None, None),
    "version 2 query": lambda: HmacV1QueryAuth(BOTO, expires=600),
}


@pytest.mark.parametrize("how", AUTHS)
@given(method=METHODS, key=KEYS, parameters=PARAMETERS, fields=FIELDS)
@settings(max_examples=150, deadline=None)
def test_what_botocore_signs_is_verified(
    how: str, method: str, key: str, parameters: dict[str, str], fields: dict[str, str]
) -> None:
    head = boto_signed(AUTHS[how](), method, key, parameters, fields)
    now = datetime.now(UTC)
    assert code(verify(head, lookup, now)) == "verified"
    assert code(verify(replace(head, target="/other" + head.target), lookup, now)) == "SignatureDoesNotMatch"
    wrong = Credentials(KEY.access_key_id, "another")
    assert code(verify(head, lambda _: wrong, now)) == "SignatureDoesNotMatch"


def by_botocore(auth: Any, url: str = "http://h/b/k") -> RequestHead:
    request = AWSRequest("GET", url)
    auth.add_auth(request)
    parts = urlsplit(request.url)
    headers = tuple((name, str(value)) for name, value in request.headers.items())
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return RequestHead("GET", target, (("Host", parts.netloc), *headers))


BOTO = BotoCredentials(KEY.access_key_id, KEY.secret_access_key)


def code_of(found: Verified | Refusal) -> str:
    return found.code if isinstance(found, Refusal) else "verified"


def test_two_authorization_fields_are_refused() -> None:
    head = by_botocore(S3SigV4Auth(BOTO, "s3", "us-east-1"))
    own = next(value for name, value in head.headers if name == "Authorization")
    other = own.replace(KEY.access_key_id, "AKIAOTHER")
    for first, second in ((own, own), (other, own), (own, other)):
        headers = tuple(field for field in head.headers if field[0] != "Authorization")
        twice = replace(head, headers=(*headers, ("Authorization", first), ("Authorization", second)))
        assert code_of(verify(twice, lookup, datetime.now(UTC))) == "AuthorizationHeaderMalformed"


@pytest.mark.parametrize("parameter", ["X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Signature=x", "Signature=x"])
def test_a_second_mechanism_in_the_query_is_refused_though_it_is_signed(parameter: str) -> None:
    head = by_botocore(S3SigV4Auth(BOTO, "s3", "us-east-1"), f"http://h/b/k?{parameter}")
    assert code_of(verify(head, lookup, datetime.now(UTC))) == "InvalidArgument"


@pytest.mark.parametrize("region", ["us\r\nX-Evil: 1", "evil.test", "a/b", "@evil", "", "x" * 65])
def test_a_scope_that_could_name_another_host_is_refused_though_it_is_signed(region: str) -> None:
    """A client may hold a key of denyproxy's own: it is not trusted with where requests go."""
    for auth in (S3SigV4Auth(BOTO, "s3", region), S3SigV4Auth(BOTO, region, "us-east-1")):
        found = verify(by_botocore(auth), lookup, datetime.now(UTC))
        assert code_of(found) == "AuthorizationHeaderMalformed"
    for auth in (S3SigV4QueryAuth(BOTO, "s3", region), S3SigV4QueryAuth(BOTO, region, "us-east-1")):
        found = verify(by_botocore(auth), lookup, datetime.now(UTC))
        assert code_of(found) == "AuthorizationQueryParametersError"


def test_a_plus_is_a_space_and_not_what_was_signed_as_a_plus() -> None:
    """S3 reads it as a space, so the signature of another prefix must not do."""
    head = by_botocore(S3SigV4QueryAuth(BOTO, "s3", "us-east-1", expires=60), "http://h/b?prefix=a%2Bb")
    assert code_of(verify(head, lookup, datetime.now(UTC))) == "verified"
    other = replace(head, target=head.target.replace("prefix=a%2Bb", "prefix=a+b"))
    assert code_of(verify(other, lookup, datetime.now(UTC))) == "SignatureDoesNotMatch"


def test_version_2_needs_the_keys_token_too() -> None:
    temporary = replace(KEY, session_token="right")

    def asked(token: str | None) -> str:
        boto = BotoCredentials(KEY.access_key_id, KEY.secret_access_key, token)
        return code_of(verify(by_botocore(HmacV1Auth(boto)), lambda _: temporary, datetime.now(UTC)))

    assert asked(None) == "InvalidAccessKeyId"
    assert asked("wrong") == "InvalidToken"
    assert asked("right") == "verified"


def test_digits_of_other_scripts_are_no_date() -> None:
    head = replace(
        GET,
        headers=tuple(
            (n, "\u0662\u0660\u0661\u0663\u0660\u0665\u0662\u0664T000000Z" if n == "x-amz-date" else v)
            for n, v in GET.headers
        ),
    )
    assert code_of(verify(head, lookup, START)) == "AccessDenied"


def test_neither_secret_nor_signing_key_is_shown() -> None:
    found = verify(GET, lookup, START)
    assert isinstance(found, Verified)
    assert KEY.secret_access_key not in repr(found)
    assert found.key is not None
    assert repr(found.key.derived) not in repr(found) + repr(found.key)


# What is remembered of one request says nothing of the next


def freshly_signed(*fields: tuple[str, str], at: datetime = START) -> RequestHead:
    """A request whose own fields are all signed."""
    return sign(
        RequestHead("GET", "/k", (HOST, *fields)), KEY, region="us-east-1", service="s3", now=at, payload=EMPTY
    ).head


def outcome(head: RequestHead, now: datetime = START) -> str:
    return code(verify(head, lookup, now))


def test_equal_names_with_other_values_are_another_request() -> None:
    one, other = (freshly_signed(("x-amz-meta-a", value)) for value in ("1", "2"))
    assert [outcome(one), outcome(other)] == ["verified", "verified"]
    assert [name for name, _ in one.headers] == [name for name, _ in other.headers]
    authorization = ("Authorization", other.header("authorization") or "")
    swapped = replace(one, headers=(*one.headers[:-1], authorization))
    assert outcome(swapped) == "SignatureDoesNotMatch"


def test_a_repeated_field_is_signed_with_all_of_its_values() -> None:
    head = freshly_signed(("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2"))
    assert outcome(head) == "verified"
    assert outcome(freshly_signed(("x-amz-meta-a", "1,2"))) == "verified"
    host, first, second, *rest = head.headers
    assert outcome(replace(head, headers=(host, second, first, *rest))) == "SignatureDoesNotMatch"
    assert outcome(replace(head, headers=(host, first, *rest))) == "SignatureDoesNotMatch"
    assert outcome(replace(head, headers=(host, first, second, second, *rest))) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["x-amz-meta-a", "X-AMZ-META-A", "Content-MD5"])
def test_a_field_that_must_be_signed_is_missed_after_one_that_was(name: str) -> None:
    head = freshly_signed((name, "1"))
    plain = freshly_signed()
    assert [outcome(head), outcome(plain)] == ["verified", "verified"]
    added = replace(plain, headers=(plain.headers[0], (name, "1"), *plain.headers[1:]))
    assert [field for field, _ in added.headers] == [field for field, _ in head.headers]
    found = verify(added, lookup, START)
    assert isinstance(found, Refusal)
    assert found.fields == (("HeadersNotSigned", name.lower()),)


def test_a_signed_field_that_is_missing_is_missed() -> None:
    head = freshly_signed(("Range", "bytes=0-1"))
    assert outcome(head) == "verified"
    assert outcome(replace(head, headers=(head.headers[0], *head.headers[2:]))) == "SignatureDoesNotMatch"


def test_a_request_of_another_moment_is_held_to_that_moment() -> None:
    later = START + timedelta(days=1)
    today, tomorrow = freshly_signed(), freshly_signed(at=later)
    assert [outcome(today), outcome(tomorrow, later)] == ["verified", "verified"]
    assert [outcome(today, later), outcome(tomorrow)] == ["RequestTimeTooSkewed", "RequestTimeTooSkewed"]
    moved = tuple(
        (name, today.header(name) or "" if name == "X-Amz-Date" else value) for name, value in tomorrow.headers
    )
    assert outcome(replace(tomorrow, headers=moved)) == "AuthorizationHeaderMalformed"
    second = freshly_signed(at=START + timedelta(seconds=1))
    moved = tuple((name, today.header(name) or "" if name == "X-Amz-Date" else value) for name, value in second.headers)
    assert outcome(replace(second, headers=moved)) == "SignatureDoesNotMatch"


def test_the_date_is_that_of_x_amz_date_where_there_are_two() -> None:
    """Clients behind a library that sets Date cannot help sending both."""
    head = freshly_signed()
    other = ("Date", "Thu, 01 Jan 2015 00:00:00 GMT")
    assert outcome(replace(head, headers=(other, *head.headers))) == "verified"


def test_no_signature_is_remembered() -> None:
    head = freshly_signed()
    start, _, signature = (head.header("authorization") or "").rpartition(", Signature=")
    other = start.replace(" Credential=", f" Signature={signature}, Credential=")
    assert [outcome(head), outcome(changed(head, "authorization", other))] == ["verified", "verified"]
    assert _claims
    assert not any(signature in text for _, text in _claims)


def test_without_names_of_signed_fields_it_is_malformed() -> None:
    head = freshly_signed()
    value = (head.header("authorization") or "").replace("SignedHeaders=", "Headers=")
    assert outcome(changed(head, "authorization", value)) == "AuthorizationHeaderMalformed"


@pytest.mark.parametrize(("token", "expected"), [("the token", "verified"), ("another", "InvalidToken")])
def test_the_token_of_a_url_may_be_in_a_signed_header(token: str, expected: str) -> None:
    temporary = replace(KEY, session_token="the token")
    request = AWSRequest("GET", "https://h/k", headers={"X-Amz-Security-Token": token})
    S3SigV4QueryAuth(BotoCredentials(KEY.access_key_id, KEY.secret_access_key), "s3", "us-east-1").add_auth(request)
    head = RequestHead("GET", request.url.removeprefix("https://h"), (("Host", "h"), ("x-amz-security-token", token)))
    assert "host%3Bx-amz-security-token" in head.target
    assert code(verify(head, lambda _: temporary, datetime.now(UTC))) == expected

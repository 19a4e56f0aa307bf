"""A request signed again: what changes, what does not, and that botocore calculates the same signature."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from denyproxy.exchange import Headers, RequestHead
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.signing import SigningKey, sign, signing_key
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.verified import Verified
from tests.sigv4.test_verification import FIELDS, GET, KEY, KEYS, METHODS, PARAMETERS, PRESIGNED, START

OTHER = Credentials("AKIAUPSTREAM", "upstream secret", "upstream token")
UNSIGNED = "UNSIGNED-PAYLOAD"


def again(head: RequestHead, credentials: Credentials = OTHER, payload: str = UNSIGNED) -> RequestHead:
    return sign(head, credentials, region="eu-west-1", service="s3", now=START, payload=payload).head


def test_the_key_of_the_documentation() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html: the key of its examples signs."""
    text = (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    key = signing_key(KEY, "20130524", "us-east-1", "s3")
    assert hmac.digest(key.derived, text.encode(), "sha256").hex() == (
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


@pytest.mark.parametrize("broken", ["a\r\nX-Amz-Acl: public-read", "a\n", "a\r", "\0"])
def test_a_line_break_in_what_signs_forges_no_field(broken: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Credentials(broken, "s")
    with pytest.raises(ValueError, match="line break"):
        Credentials("A", "s", broken)
    with pytest.raises(ValueError, match="line break"):
        signing_key(KEY, "20130524", broken, "s3")


def test_the_old_signature_goes_and_all_else_stays() -> None:
    fields: Headers = (*GET.headers, ("User-Agent", "x"), ("X-Amz-Meta-A", "  a  b "), ("x-amz-meta-a", "c"))
    head = RequestHead("GET", "/a//b/../%2f+'?x=%2F&list-type=2&X=+", (*fields, ("X-Amz-Security-Token", "old")))
    new = again(head)
    assert (new.method, new.target) == (head.method, head.target)
    kept = ("Host", "Range", "User-Agent", "X-Amz-Meta-A", "x-amz-meta-a")
    assert [field for field in new.headers if field[0] in kept] == [field for field in head.headers if field[0] in kept]
    assert [name for name, _ in new.headers] == [
        *kept,
        "X-Amz-Date",
        "X-Amz-Content-SHA256",
        "X-Amz-Security-Token",
        "Authorization",
    ]
    assert new.header("X-Amz-Security-Token") == "upstream token"
    assert new.header("X-Amz-Date") == "20130524T000000Z"
    assert "old" not in str(new)


def test_a_session_token_of_the_client_does_not_travel_on() -> None:
    head = RequestHead("GET", "/", (*GET.headers, ("X-Amz-Security-Token", "old")))
    assert again(head, KEY).header("X-Amz-Security-Token") is None


def test_a_url_is_signed_in_its_headers() -> None:
    more = "&x-id=GetObject&X-Amz-Security-Token=t&response-content-type=text%2Fplain&x-amz-request-payer=requester"
    head = RequestHead("GET", PRESIGNED.target + more, PRESIGNED.headers)
    new = again(head)
    assert new.target == "/test.txt?x-id=GetObject&response-content-type=text%2Fplain"
    assert new.header("x-amz-request-payer") == "requester"
    version2 = RequestHead("GET", "/b/k?AWSAccessKeyId=A&acl&Signature=a%2Bb&Expires=1141889120", (("Host", "h"),))
    assert again(version2).target == "/b/k?acl"


def test_a_parameter_of_a_url_cannot_forge_a_header_field() -> None:
    head = RequestHead("GET", PRESIGNED.target + "&x-amz-meta-a=b%0D%0AHost:%20evil", PRESIGNED.headers)
    new = again(head)
    assert new.target == "/test.txt?x-amz-meta-a=b%0D%0AHost:%20evil"
    assert not any("evil" in value for _, value in new.headers)


def test_parameters_of_a_request_that_is_not_presigned_stay() -> None:
    assert again(RequestHead("GET", "/k?Expires=1&X-Amz-Expires=5&Signature=", (("Host", "h"),))).target == (
        "/k?Expires=1&X-Amz-Expires=5&Signature="
    )


def test_s3_demands_these_to_be_signed_and_the_way_may_change_those() -> None:
    fields = (("Content-MD5", "x"), ("x-amz-acl", "private"), ("Range", "bytes=0-1"), ("Content-Type", "a/b"))
    changeable = (("User-Agent", "x"), ("Expect", "100-continue"), ("Connection", "close"), ("Accept-Encoding", "gzip"))
    authorization = again(RequestHead("PUT", "/k", (("Host", "h"), *fields, *changeable))).header("Authorization") or ""
    found = re.search(r"SignedHeaders=([^,]*)", authorization)
    assert found is not None
    assert set(found[1].split(";")) == {
        "content-md5",
        "content-type",
        "host",
        "range",
        "x-amz-acl",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    }


class _Given(S3SigV4Auth):  # type: ignore[misc] # botocore has no types
    """botocore's calculation over the header fields and the payload hash that were signed."""

    def __init__(self, names: set[str], payload: str) -> None:
        super().__init__(BotoCredentials(OTHER.access_key_id, OTHER.secret_access_key), "s3", "eu-west-1")
        self._names, self._payload = names, payload

    def headers_to_sign(self, request: Any) -> Any:
        found = super().headers_to_sign(request)
        for name in set(found.keys()) - self._names:
            del found[name]
        return found

    def payload(self, request: Any) -> str:
        return self._payload


@pytest.mark.parametrize("payload", [UNSIGNED, "a" * 64, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
@given(method=METHODS, key=KEYS, parameters=PARAMETERS, fields=FIELDS)
@settings(max_examples=100, deadline=None)
def test_botocore_calculates_the_same(
    payload: str, method: str, key: str, parameters: dict[str, str], fields: dict[str, str]
) -> None:
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters.items())
    target = f"/bucket/{quote(key, safe='/-_.~')}" + (f"?{query}" if query else "")
    signed = sign(
        RequestHead(method, target, (("Host", "localhost:9000"), *fields.items())),
        OTHER,
        region="eu-west-1",
        service="s3",
        now=START,
        payload=payload,
    )
    names = set((signed.head.header("Authorization") or "").partition("SignedHeaders=")[2].partition(",")[0].split(";"))
    request = AWSRequest(method, f"http://localhost:9000{target}", headers=dict(signed.head.headers))
    request.context["timestamp"] = signed.timestamp
    auth = _Given(names, payload)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert auth.signature(text, request) == signed.signature
    found = verify(signed.head, lambda _: OTHER, datetime(2013, 5, 24, tzinfo=UTC))
    assert isinstance(found, Verified)
    assert (found.signature, found.payload, found.key) == (signed.signature, payload, signed.key)


def test_hosts_are_replaced_where_they_stand_and_fields_of_one_connection_left() -> None:
    for host in ("one:9000", "two"):
        head = RequestHead("GET", "/b/k?x", (("A", "1"), ("HOST", "local"), ("Connection", "A"), ("TE", "trailers")))
        found = sign(head, OTHER, region="r", service="s3", now=START, payload=UNSIGNED, target="/k?x", host=host).head
        assert found.headers[:2] == (("A", "1"), ("HOST", host))
        assert found.target == "/k?x"
        assert {name.lower() for name, _ in found.headers}.isdisjoint({"connection", "te"})
        assert isinstance(verify(found, lambda _: OTHER, START), Verified)


def test_a_name_with_a_percent_sign_is_signed_as_it_is() -> None:
    head = again(RequestHead("GET", "/k", (("Host", "h"), ("x-amz-meta-%s%", "100%d"), ("X-Amz-Meta-%", "a  b"))))
    assert ";x-amz-meta-%;x-amz-meta-%s%;" in (head.header("authorization") or "")
    assert isinstance(verify(head, lambda _: OTHER, START), Verified)


def test_the_time_is_that_of_each_request() -> None:
    for seconds in (0, 0.999999, 1, 86400):
        now = START + timedelta(seconds=seconds)
        found = sign(RequestHead("GET", "/k"), KEY, region="r", service="s3", now=now, payload=UNSIGNED)
        assert found.timestamp == now.strftime("%Y%m%dT%H%M%SZ")


@given(key=st.binary(max_size=64), text=st.text(max_size=200))
def test_signatures_are_hmacs(key: bytes, text: str) -> None:
    assert (
        SigningKey(key, "20130524", "us-east-1", "s3").signature(text)
        == hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()
    )


def test_without_a_host_there_is_none_to_replace() -> None:
    head = RequestHead("GET", "/k", (("Range", "bytes=0-1"),))
    signed = sign(
        head, OTHER, region="us-east-1", service="s3", now=datetime(2013, 5, 24, tzinfo=UTC), payload=UNSIGNED, host="h"
    )
    assert [name for name, _ in signed.head.headers] == [
        "Range",
        "X-Amz-Date",
        "X-Amz-Content-SHA256",
        "X-Amz-Security-Token",
        "Authorization",
    ]

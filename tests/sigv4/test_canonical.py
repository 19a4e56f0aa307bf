"""Canonical requests, checked against botocore's own, and the line in which two differ."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.canonical import canonical_request, first_difference
from denyproxy.sigv4.credential import Credential, CredentialKind, parse_credential

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "TOKEN")
# What no HTTP client would send or sign: control characters and lone surrogates.
TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=20)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def signed(auth: type[Any], method: str, url: str, headers: dict[str, str]) -> tuple[RequestHead, str]:
    """The head that botocore would send, and the canonical request that it signed."""
    seen: list[str] = []

    class Recording(auth):  # type: ignore[misc]
        def canonical_request(self, request: AWSRequest) -> str:
            seen.append(super().canonical_request(request))
            return seen[-1]

    request = AWSRequest(method, url, headers=headers, data=b"body" if method == "PUT" else b"")
    request.context["payload_signing_enabled"] = True
    Recording(CREDENTIALS, "s3", "us-east-1").add_auth(request)
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    fields = [(name, str(value)) for name, value in request.headers.items()]
    return RequestHead(method, target, (("Host", parts.netloc), *fields)), seen[0]


@given(
    method=st.sampled_from(["GET", "PUT", "DELETE"]),
    key=TEXT,
    query=st.dictionaries(WORD.filter(lambda name: not name.lower().startswith("x-amz-")), TEXT, max_size=4),
    value=TEXT,
)
def test_as_botocore_signs_headers(method: str, key: str, query: dict[str, str], value: str) -> None:
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in query.items())
    url = f"https://bkt.s3.amazonaws.com/{quote(key, safe='/~')}" + (f"?{text}" if text else "")
    head, theirs = signed(S3SigV4Auth, method, url, {"x-amz-meta-note": f"  {value}  x "})
    assert canonical_request(head, parse_credential(head)) == theirs


@given(key=TEXT, version=TEXT)
def test_as_botocore_presigns(key: str, version: str) -> None:
    url = f"https://s3.amazonaws.com:9000/bkt/{quote(key, safe='/~')}?versionId={quote(version, safe='-_.~')}"
    head, theirs = signed(S3SigV4QueryAuth, "GET", url, {})
    credential = parse_credential(head)
    assert credential.kind is CredentialKind.QUERY
    assert canonical_request(head, credential) == theirs


def test_paths_are_not_normalised_and_encoded_once() -> None:
    head = RequestHead("GET", "/b//a/../c%2fd%20e/+/%7e", (("Host", "h"),))
    credential = Credential(CredentialKind.HEADER, "A", signed_headers=("host",))
    assert canonical_request(head, credential).split("\n")[1] == "/b//a/../c/d%20e/%2B/~"


def test_headers_are_joined_trimmed_and_collapsed() -> None:
    head = RequestHead("GET", "/", (("Host", "h"), ("X-Amz-Meta-A", " a   b "), ("x-amz-meta-a", "c")))
    credential = Credential(CredentialKind.HEADER, "A", signed_headers=("host", "x-amz-meta-a"))
    assert canonical_request(head, credential).split("\n")[3:7] == [
        "host:h",
        "x-amz-meta-a:a b,c",
        "",
        "host;x-amz-meta-a",
    ]


def test_the_hash_of_no_body_is_known() -> None:
    head = RequestHead("GET", "/", (("Host", "h"),))
    credential = Credential(CredentialKind.HEADER, "A", signed_headers=("host",))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert canonical_request(head, credential).split("\n")[-1] == empty
    put = RequestHead("PUT", "/", (("Host", "h"),))
    assert canonical_request(put, credential).split("\n")[-1] == ""


OURS = "PUT\n/b/k\nacl=&partNumber=1\nhost:h\nx-amz-date:1\n\nhost;x-amz-date\nabc"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("PUT", "POST", ("method", "PUT", "POST")),
        ("/b/k", "/b/K", ("path", "/b/k", "/b/K")),
        ("partNumber=1", "partNumber=2", ("query:partNumber", "1", "2")),
        ("acl=&partNumber=1", "acl=&partNumber=1&x-id=PutObject", ("query:x-id", "", "PutObject")),
        ("host:h\n", "host:other\n", ("header:host", "h", "other")),
        ("x-amz-date:1\n", "x-amz-date:\n", ("header:x-amz-date", "1", "")),
        ("\nhost;x-amz-date", "\nhost", ("signed-headers", "host;x-amz-date", "host")),
        ("abc", "def", ("payload", "abc", "def")),
    ],
)
def test_the_line_that_differs_is_named(old: str, new: str, expected: tuple[str, str, str]) -> None:
    assert first_difference(OURS, OURS.replace(old, new)) == expected


def test_equal_requests_do_not_differ() -> None:
    assert first_difference(OURS, OURS) is None


def test_a_payload_hash_that_we_do_not_know_is_no_difference() -> None:
    assert first_difference(OURS.removesuffix("abc"), OURS) is None


def test_secrets_are_not_shown() -> None:
    ours = OURS.replace("x-amz-date:1", "x-amz-security-token:SECRET")
    difference = first_difference(ours, ours.replace("SECRET", "OTHER"))
    assert difference == ("header:x-amz-security-token", "(not shown)", "(not shown)")


@given(st.text(), st.text())
def test_never_raises(ours: str, theirs: str) -> None:
    difference = first_difference(ours, theirs)
    assert difference is None or len(difference) == 3
    if ours == theirs:
        assert difference is None

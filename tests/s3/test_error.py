"""S3's error documents, and the family of each 403."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import RequestHead, ResponseHead
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.s3.error import Family, Kind, S3Error, errors_in_success, kind_of_403, parse_error
from denyproxy.s3.operation import identify
from denyproxy.s3.request import Caller, KnownBy
from denyproxy.service_model import s3_operations
from denyproxy.sigv4.canonical import canonical_request
from denyproxy.sigv4.credential import parse_credential

NOW = datetime(2018, 3, 29, 11, 27, 42, tzinfo=UTC)
CALLER = Caller(Principal(PrincipalType.UNKNOWN), KnownBy.NONE, access_key_id="AKIAIOSFODNN7EXAMPLE")
FORBIDDEN = ResponseHead(403, "Forbidden", (("x-amz-request-id", "HEADER-ID"), ("x-amz-id-2", "HEADER-HOST")))


def test_xml() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>say &quot;no&quot;</Message>'
        b"<RequestId>ABC</RequestId><HostId>h=</HostId><Resource>/b/k</Resource></Error>"
    )
    assert parse_error(FORBIDDEN, body, "GET") == S3Error(
        403, "AccessDenied", 'say "no"', "ABC", "h=", {"Resource": "/b/k"}
    )


def test_namespaces_byte_order_marks_and_leading_space() -> None:
    body = b'\xef\xbb\xbf\n <Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>AccessDenied</Code></Error>'
    found = parse_error(FORBIDDEN, body, "GET")
    assert (found.code, found.message, found.request_id) == ("AccessDenied", None, "HEADER-ID")


def test_head_has_headers_alone() -> None:
    expected = S3Error(403, request_id="HEADER-ID", host_id="HEADER-HOST")
    assert parse_error(FORBIDDEN, b"", "HEAD") == expected
    assert parse_error(FORBIDDEN, b"<Error><Code>AccessDenied</Code></Error>", "HEAD") == expected
    assert parse_error(FORBIDDEN, None, "GET") == expected


def test_website_html() -> None:
    body = (
        b"<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<h1>403 Forbidden</h1>\n<ul>\n"
        b"<li>Code: AccessDenied</li>\n<li>Message: Access &lt;Denied&gt;</li>\n<li>RequestId: R1</li>\n"
        b"<li>HostId: H1</li>\n</ul>\n<hr/>\n</body>\n</html>\n"
    )
    assert parse_error(FORBIDDEN, body, "GET") == S3Error(403, "AccessDenied", "Access <Denied>", "R1", "H1")


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE Error [<!ENTITY a "AccessDenied">]><Error><Code>&a;</Code></Error>',
        b'<?xml version="1.0"?><!doctype Error SYSTEM "http://h/x"><Error><Code>AccessDenied</Code></Error>',
        '<!DOCTYPE Error [<!ENTITY a "A">]><Error><Code>&a;</Code></Error>'.encode("utf-16"),
        b"<Error><Code>AccessDenied</Code>",
        b"<Error><Code>\xff</Code></Error>",
        b"<Error><Code>&#0;</Code></Error>",
        b"<Other><Code>AccessDenied</Code></Other>",
        b"Forbidden",
        b"<Error><Code>AccessDenied</Code></Error>" + b" " * 5_000_000,
    ],
)
def test_what_is_no_error_document(body: bytes) -> None:
    assert parse_error(FORBIDDEN, body, "GET").code is None


def test_signatures_are_not_kept() -> None:
    body = (
        b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId><StringToSign>SECRET1</StringToSign>"
        b"<SignatureProvided>SECRET2</SignatureProvided><StringToSignBytes>SECRET3</StringToSignBytes>"
        b"<CanonicalRequest>GET\n/\nSECRET4</CanonicalRequest><CanonicalRequestBytes>SECRET5</CanonicalRequestBytes>"
        b"<Token-0>SECRET6</Token-0></Error>"
    )
    found = parse_error(FORBIDDEN, body, "GET")
    assert found.elements == {"AWSAccessKeyId": "AKIA"}
    assert found.canonical_request == "GET\n/\nSECRET4"
    assert "SECRET" not in repr(found)


def test_denied_keys_in_a_delete_result() -> None:
    body = (
        b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>ok.txt</Key></Deleted>'
        b"<Error><Key>a &amp; b</Key><VersionId>v</VersionId><Code>AccessDenied</Code><Message>no</Message></Error>"
        b"<Error><Key>c</Key><Code>InternalError</Code></Error></DeleteResult>"
    )
    first, second = errors_in_success("DeleteObjects", body)
    assert (first.key, first.version_id, first.code, first.message) == ("a & b", "v", "AccessDenied", "no")
    assert (second.key, second.version_id, second.code) == ("c", None, "InternalError")
    assert errors_in_success("DeleteObjects", b"<DeleteResult/>") == ()


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy", "CompleteMultipartUpload"])
def test_an_error_in_place_of_a_result(operation: str) -> None:
    body = b'  \n\n <?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    (found,) = errors_in_success(operation, body)
    assert (found.code, found.key) == ("AccessDenied", None)
    assert errors_in_success(operation, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>") == ()
    assert errors_in_success(operation, None) == ()


def kind(code: str | None, message: str | None = None, *, target: str = "/b/k", **options: Any) -> Kind:
    headers = (("Host", "s3.amazonaws.com"), *options.pop("headers", ()))
    head = RequestHead(options.pop("method", "GET"), target, headers)
    request = identify(head, table=s3_operations(), time=NOW)
    error = S3Error(403, code, message, **options)
    return kind_of_403(error, request, CALLER, head)


SIGNED = (
    (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20180329/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;x-amz-date,Signature=0",
    ),
    ("X-Amz-Date", "20180329T110000Z"),
)
DENIED = 'User: arn:aws:iam::1:user/u is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" '


@pytest.mark.parametrize(
    ("code", "message", "family", "element"),
    [
        ("AccessDenied", "Access Denied", Family.PLAIN, None),
        ("AccessDenied", "Access Denied.", Family.PLAIN, None),
        ("AccessDenied", "", Family.PLAIN, None),
        ("AccessDenied", None, Family.PLAIN, None),
        (None, None, Family.PLAIN, None),
        ("SomethingNew", "x", Family.PLAIN, None),
        (
            "AccessDenied",
            DENIED + "because no identity-based policy allows the s3:PutObject action",
            Family.POLICY,
            None,
        ),
        (
            "AccessDenied",
            DENIED + "because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access.",
            Family.BLOCK_PUBLIC_ACCESS,
            "setting:BlockPublicAcls",
        ),
        (
            "AccessDenied",
            DENIED + "because this bucket has blocked upload requests that specify Server Side Encryption with Customer"
            " provided keys (SSE-C). Please specify a different server-side encryption type",
            Family.SSE_C_BLOCKED,
            "setting:BlockedEncryptionTypes",
        ),
        ("AccessDenied", "Request has expired", Family.PRESIGNED_EXPIRED, "query:X-Amz-Expires"),
        (
            "AccessDenied",
            "There were headers present in the request which were not signed",
            Family.HEADERS_NOT_SIGNED,
            None,
        ),
        (
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
            Family.SIGNATURE_MISMATCH,
            "query:Signature",
        ),
        ("AccessDenied", "Request is not yet valid", Family.CLOCK_SKEW, "date"),
        ("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", Family.CLOCK_SKEW, "date"),
        ("AccessDenied", "Invalid according to Policy: Policy expired.", Family.POST_POLICY, "Policy expired."),
        (
            "AccessDenied",
            'Invalid according to Policy: Policy Condition failed: ["eq", "$acl", "private"]',
            Family.POST_POLICY,
            'Policy Condition failed: ["eq", "$acl", "private"]',
        ),
        ("AccessDenied", "Access Denied because object protected by object lock.", Family.OBJECT_LOCK, None),
        ("AccessDenied", "Mfa Authentication must be used for this request", Family.MFA_DELETE, "header:x-amz-mfa"),
        (
            "AccessDenied",
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret"
            " key.",
            Family.SSE_C_BLOCKED,
            "header:x-amz-server-side-encryption-customer-key",
        ),
        ("InvalidAccessKeyId", "The AWS Access Key Id ...", Family.UNKNOWN_ACCESS_KEY, "access-key-id"),
        ("InvalidSecurity", "x", Family.UNKNOWN_ACCESS_KEY, "access-key-id"),
        ("MissingAuthenticationToken", "x", Family.SIGNATURE_MISMATCH, "header:authorization"),
        ("SignatureDoesNotMatch", "x", Family.SIGNATURE_MISMATCH, None),
        ("RequestTimeTooSkewed", "x", Family.CLOCK_SKEW, "date"),
        ("InvalidObjectState", "x", Family.ARCHIVED_OBJECT, "state:storage-class"),
        ("ObjectNotInActiveTierError", "x", Family.ARCHIVED_OBJECT, "state:storage-class"),
        ("AccountProblem", "x", Family.ACCOUNT_PROBLEM, "AccountProblem"),
        ("AllAccessDisabled", "x", Family.ACCOUNT_PROBLEM, "AllAccessDisabled"),
        ("NotSignedUp", "x", Family.ACCOUNT_PROBLEM, "NotSignedUp"),
        ("LambdaPermissionError", "x", Family.ACCOUNT_PROBLEM, "LambdaPermissionError"),
        ("StsNotAuthorizedError", "x", Family.ACCOUNT_PROBLEM, "StsNotAuthorizedError"),
        ("InvalidPayer", "x", Family.ACCOUNT_PROBLEM, "InvalidPayer"),
        ("CrossLocationLoggingProhibitted", "x", Family.ACCOUNT_PROBLEM, "CrossLocationLoggingProhibitted"),
        ("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", Family.CORS, "AccessForbidden"),
    ],
)
def test_families(code: str | None, message: str | None, family: Family, element: str | None) -> None:
    found = kind(code, message)
    assert (found.family, found.element) == (family, element)
    assert found.layer == (None if family in (Family.PLAIN, Family.POLICY) else family.value)


PRESIGNED = (
    "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20180329T111634Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=0"
)


def test_how_long_ago_a_presigned_url_expired() -> None:
    found = kind("AccessDenied", "Request has expired", target=PRESIGNED)
    assert (found.expected, found.actual) == ("2018-03-29T11:17:34Z", "2018-03-29T11:27:42Z")
    elements = {"Expires": "2018-03-29T11:00:00Z", "ServerTime": "2018-03-29T11:00:10Z", "X-Amz-Expires": "60"}
    told = kind("AccessDenied", "Request has expired", target=PRESIGNED, elements=elements)
    assert (told.expected, told.actual) == ("2018-03-29T11:00:00Z", "2018-03-29T11:00:10Z")
    old = kind("AccessDenied", "Request has expired", target="/b/k?AWSAccessKeyId=a&Expires=1522322802&Signature=x")
    assert (old.element, old.expected) == ("query:Expires", "2018-03-29T11:26:42Z")
    endless = kind("AccessDenied", "Request has expired", target="/b/k?AWSAccessKeyId=a&Expires=9e9&Signature=x")
    assert (endless.element, endless.expected) == ("query:Expires", None)


def test_how_far_the_clock_is_off() -> None:
    elements = {
        "RequestTime": "20140806T021706Z",
        "ServerTime": "2014-08-06T17:36:03Z",
        "MaxAllowedSkewMilliseconds": "900000",
    }
    found = kind("RequestTimeTooSkewed", elements=elements)
    assert (found.expected, found.actual) == ("2014-08-06T17:36:03Z", "2014-08-06T02:17:06Z")
    own = kind("RequestTimeTooSkewed", headers=SIGNED)
    assert (own.expected, own.actual) == ("2018-03-29T11:27:42Z", "2018-03-29T11:00:00Z")
    http_date = {"RequestTime": "Wed, 06 Aug 2014 02:17:06 GMT", "ServerTime": "2014-08-06T02:00:00Z"}
    assert kind("RequestTimeTooSkewed", elements=http_date).actual == "2014-08-06T02:17:06Z"


def test_which_headers_were_not_signed() -> None:
    message = "There were headers present in the request which were not signed"
    found = kind("AccessDenied", message, headers=(*SIGNED, ("X-Amz-Tagging", "a"), ("x-amz-acl", "private")))
    assert found.element == "header:x-amz-acl"
    assert found.actual == "x-amz-acl, x-amz-tagging"
    assert found.expected == "host;x-amz-date"
    named = kind("AccessDenied", message, elements={"HeadersNotSigned": "X-Amz-Meta-A, x-amz-acl"})
    assert named.actual == "x-amz-meta-a, x-amz-acl"
    assert named.element == "header:x-amz-meta-a"
    several = (("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-acl", "private"), ("x-amz-tagging", "a=b"))
    assert kind("AccessDenied", message, headers=several).element is None
    assert kind("AccessDenied", message, headers=several[:2]).element == "header:x-amz-acl"


def test_what_is_missing_of_a_sigv2_query() -> None:
    message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
    assert kind("AccessDenied", message, target="/b/k?Signature=x&AWSAccessKeyId=a").element == "query:Expires"


def test_the_key_and_the_storage_class_that_s3_names() -> None:
    assert kind("InvalidAccessKeyId", elements={"AWSAccessKeyId": "AKIAGONE"}).actual == "AKIAGONE"
    assert kind("InvalidAccessKeyId").actual == "AKIAIOSFODNN7EXAMPLE"
    assert kind("InvalidObjectState", elements={"StorageClass": "GLACIER"}).actual == "GLACIER"
    assert kind("InvalidObjectState", elements={"AccessTier": "ARCHIVE_ACCESS"}).actual == "ARCHIVE_ACCESS"


HEAD = RequestHead("GET", "/b/k?a=1", (("Host", "s3.amazonaws.com"), *SIGNED))
CANONICAL = canonical_request(HEAD, parse_credential(HEAD))


@pytest.mark.parametrize(
    ("old", "new", "element", "expected", "actual"),
    [
        ("", "", "secret", None, None),
        ("host:s3.amazonaws.com", "host:127.0.0.1", "header:host", "s3.amazonaws.com", "127.0.0.1"),
        ("a=1", "a=2", "query:a", "1", "2"),
        ("/b/k", "/b/other", "path", "/b/k", "/b/other"),
    ],
)
def test_a_wrong_signature_names_the_line_that_differs(
    old: str, new: str, element: str, expected: str | None, actual: str | None
) -> None:
    theirs = CANONICAL.replace(old, new) if old else CANONICAL
    found = kind("SignatureDoesNotMatch", target="/b/k?a=1", headers=SIGNED, canonical_request=theirs)
    assert (found.element, found.expected, found.actual) == (element, expected, actual)


def test_a_signed_header_that_was_not_sent_is_named_before_the_secret() -> None:
    authorization = SIGNED[0][1].replace("x-amz-date", "x-amz-acl;x-amz-date")
    headers = (("Authorization", authorization), SIGNED[1])
    head = RequestHead("GET", "/b/k", (("Host", "s3.amazonaws.com"), *headers))
    theirs = canonical_request(head, parse_credential(head))
    for canonical in (theirs, theirs.replace("x-amz-acl:\n", "")):
        found = kind("SignatureDoesNotMatch", headers=headers, canonical_request=canonical)
        assert (found.element, found.expected, found.actual) == ("header:x-amz-acl", None, None)
    elsewhere = kind("SignatureDoesNotMatch", headers=headers, canonical_request=theirs.replace("/b/k", "/b/x"))
    assert elsewhere.element == "path"


def test_without_both_canonical_requests_the_secret_is_not_blamed() -> None:
    assert kind("SignatureDoesNotMatch", headers=SIGNED).element is None
    assert kind("SignatureDoesNotMatch", canonical_request=CANONICAL).element is None
    head = RequestHead("GET", "/b/k", ())
    request = identify(head, table=s3_operations())
    error = S3Error(403, "SignatureDoesNotMatch", canonical_request=CANONICAL)
    assert kind_of_403(error, request, CALLER).element is None


@given(
    body=st.one_of(
        st.binary(), st.text().map(lambda text: f"<Error><Code>{text}</Code></Error>".encode("utf-8", "replace"))
    )
)
def test_parsing_never_raises(body: bytes) -> None:
    assert isinstance(parse_error(FORBIDDEN, body, "GET"), S3Error)
    assert isinstance(errors_in_success("DeleteObjects", body), tuple)
    assert isinstance(errors_in_success("CopyObject", body), tuple)


@given(
    code=st.sampled_from(
        ["AccessDenied", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidAccessKeyId", "InvalidObjectState"]
    ),
    message=st.one_of(
        st.none(),
        st.text(),
        st.just("Request has expired"),
        st.just("There were headers present in the request which were not signed"),
    ),
    elements=st.dictionaries(
        st.sampled_from(["Expires", "ServerTime", "RequestTime", "HeadersNotSigned", "AWSAccessKeyId"]), st.text()
    ),
    canonical=st.one_of(st.none(), st.text()),
    target=st.sampled_from([PRESIGNED, "/b/k?Expires=9999999999999", "/b/k?X-Amz-Date=x&X-Amz-Expires=-9", "/"]),
)
def test_kinds_never_raise(
    code: str, message: str | None, elements: dict[str, str], canonical: str | None, target: str
) -> None:
    found = kind(code, message, elements=elements, canonical_request=canonical, target=target, headers=SIGNED)
    assert isinstance(found, Kind)
    assert replace(found) == found

"""Every operation of botocore's model, serialised by botocore, is recognised on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.exchange import Declared, DeniedCall, RequestHead
from denyproxy.s3.operation import OperationTable, identify, identify_call, parse_copy_source
from denyproxy.s3.request import CopySource, S3Request
from denyproxy.s3.snapshot import AccessPointFacts, PolicySnapshot
from denyproxy.service_model import s3_operations
from tests.s3.aws_requests import ACCESS_KEY, minimal, operation_model, operation_names, serialised

TABLE = s3_operations()
SAME_ON_THE_WIRE = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
POINT = "arn:aws:s3:us-east-1:111122223333:accesspoint/reports"


def asked(
    method: str, target: str, headers: Mapping[str, str] | None = None, host: str = "s3.amazonaws.com"
) -> S3Request:
    fields = (("Host", host), *(headers or {}).items())
    return identify(RequestHead(method, target, fields), table=TABLE)


def test_the_model_has_more_than_a_hundred_operations() -> None:
    assert len(TABLE.operations) == len(operation_names()) >= 111


@pytest.mark.parametrize("addressing", ["path", "virtual"])
@pytest.mark.parametrize("name", operation_names())
def test_every_operation_is_recognised(name: str, addressing: str) -> None:
    head, body = serialised(name, minimal(name), addressing=addressing)
    request = identify(head, table=TABLE, body=body)
    members = operation_model(name).input_shape.members if operation_model(name).input_shape else {}
    assert request.operation == SAME_ON_THE_WIRE.get(name, name)
    assert request.bucket == ("bkt" if "Bucket" in members else None)
    assert request.key == ("dir/key.txt" if "Key" in members else None)
    assert (request.region, request.partition) == ("us-east-1", "aws")


OF_AWS_HOSTS = {"ListDirectoryBuckets", "WriteGetObjectResponse"}


@pytest.mark.parametrize("name", [name for name in operation_names() if name not in OF_AWS_HOSTS])
def test_every_operation_is_recognised_on_other_servers(name: str) -> None:
    head, body = serialised(name, minimal(name), endpoint="http://127.0.0.1:9000", region="eu-west-1")
    request = identify(head, table=TABLE, body=body)
    assert request.operation == SAME_ON_THE_WIRE.get(name, name)
    assert request.region == "eu-west-1"


@pytest.mark.parametrize(
    "key",
    ["a//b", "//a", "a/../b", "./a", "a%2Fb", "a+b", "a b", "ü/€", "a?b", "a#b", "'()*!~", "&=;,$@:", "x" * 1024, "a/"],
)
def test_odd_keys_come_through(key: str) -> None:
    for addressing in ("path", "virtual"):
        head, _ = serialised("GetObject", {"Bucket": "bkt", "Key": key, "VersionId": "a+b/c="}, addressing=addressing)
        request = identify(head, table=TABLE)
        assert (request.operation, request.bucket, request.key) == ("GetObject", "bkt", key)
        assert request.parameter("versionId") == "a+b/c="


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation"),
    [
        ("GET", "/", {}, "ListBuckets"),
        ("GET", "/b", {}, "ListObjects"),
        ("GET", "/b/", {}, "ListObjects"),
        ("GET", "/b?list-type=2", {}, "ListObjectsV2"),
        ("GET", "/b?list-type=1", {}, "ListObjects"),
        ("GET", "/b?versions&prefix=x", {}, "ListObjectVersions"),
        ("GET", "/b?uploads", {}, "ListMultipartUploads"),
        ("GET", "/b?analytics", {}, "ListBucketAnalyticsConfigurations"),
        ("GET", "/b?analytics&id=1", {}, "GetBucketAnalyticsConfiguration"),
        ("DELETE", "/b?analytics", {}, "DeleteBucketAnalyticsConfiguration"),
        ("DELETE", "/b", {}, "DeleteBucket"),
        ("HEAD", "/b", {}, "HeadBucket"),
        ("HEAD", "/b/k?versionId=1", {}, "HeadObject"),
        ("GET", "/b/k?x-id=GetObject&response-content-type=a&partNumber=1", {}, "GetObject"),
        ("GET", "/b/k?x-id=PutObject", {}, "GetObject"),
        ("GET", "/b/k?acl", {}, "GetObjectAcl"),
        ("GET", "/b/k?attributes", {}, "GetObjectAttributes"),
        ("GET", "/b/k?uploadId=1", {}, "ListParts"),
        ("PUT", "/b/k", {"x-amz-copy-source": "s/k"}, "CopyObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=2", {}, "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=2", {"X-Amz-Copy-Source": "s/k"}, "UploadPartCopy"),
        ("POST", "/b/k?uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=2", {}, "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=2", {}, "AbortMultipartUpload"),
        ("POST", "/b/k?select&select-type=2", {}, "SelectObjectContent"),
        ("POST", "/b?delete", {}, "DeleteObjects"),
        ("POST", "/b?delete", {"content-type": "multipart/form-data; boundary=x"}, "DeleteObjects"),
        ("POST", "/b", {"content-type": "multipart/form-data; boundary=x"}, "PostObject"),
        ("OPTIONS", "/b/k", {"Origin": "https://a"}, "OptionsPreflight"),
        ("POST", "/b/k", {}, None),
        ("PATCH", "/b/k", {}, None),
        ("HEAD", "/", {}, None),
        ("BREW", "*", {}, None),
    ],
)
def test_routing(method: str, target: str, headers: dict[str, str], operation: str | None) -> None:
    assert asked(method, target, headers).operation == operation


def test_hosts_that_stand_for_operations() -> None:
    assert asked("GET", "/k", host="b.s3-website-us-east-1.amazonaws.com").operation == "WebsiteEndpointGet"
    assert asked("PUT", "/k", host="b.s3-website-us-east-1.amazonaws.com").operation is None
    assert asked("GET", "/", host="s3express-control.us-east-1.amazonaws.com").operation == "ListDirectoryBuckets"
    assert asked("GET", "/b?policy", host="s3express-control.us-east-1.amazonaws.com").operation == "GetBucketPolicy"
    assert asked("GET", "/v20180820/x", host="111122223333.s3-control.us-east-1.amazonaws.com").operation is None


def test_a_newer_operation_than_the_model_has_is_not_guessed() -> None:
    table = OperationTable.from_service_model({"operations": {}, "shapes": {}})
    assert identify(RequestHead("GET", "/b/k"), table=table).operation is None


def test_plus_is_a_space_in_a_query_and_a_plus_in_a_path() -> None:
    request = asked("GET", "/b/a+b?prefix=x+y%2B&versions")
    assert request.key == "a+b"
    assert request.parameter("prefix") == "x y+"


def test_region_and_partition() -> None:
    scope = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/cn-north-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    elsewhere = asked("GET", "/b/k", {"Authorization": scope}, host="127.0.0.1:9000")
    assert (elsewhere.region, elsewhere.partition) == ("cn-north-1", "aws-cn")
    named = asked("GET", "/b/k", {"Authorization": scope}, host="s3.us-gov-west-1.amazonaws.com")
    assert (named.region, named.partition) == ("us-gov-west-1", "aws-us-gov")
    assert asked("GET", "/b/k").region == "us-east-1"
    assert asked("GET", "/b/k", host="127.0.0.1:9000").region is None


def test_presigned_parameters_count_as_headers() -> None:
    request = asked(
        "PUT",
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature=SIG&X-Amz-Security-Token=TOKEN"
        "&x-amz-acl=public-read&X-Amz-Tagging=a%3Db&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
    )
    assert request.header("x-amz-acl") == "public-read"
    assert request.header("x-amz-tagging") == "a=b"
    assert request.header("x-amz-content-sha256") is None
    assert request.header("x-amz-date") is None
    assert request.signed_time == datetime(2026, 1, 1, tzinfo=UTC)
    assert request.signed_headers == frozenset({"host"})
    assert request.sent_headers == {"host"}


def test_unsigned_query_parameters_are_no_headers() -> None:
    assert asked("PUT", "/b/k?x-amz-acl=public-read").header("x-amz-acl") is None


def test_secrets_do_not_enter_the_request() -> None:
    request = asked(
        "GET",
        "/b/k?X-Amz-Signature=SECRET&X-Amz-Security-Token=SECRET&Signature=SECRET",
        {
            "Authorization": "AWS AKID:SECRET",
            "x-amz-security-token": "SECRET",
            "x-amz-server-side-encryption-customer-key": "SECRET",
            "Cookie": "SECRET",
        },
    )
    assert "SECRET" not in repr(request)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("bkt/key", CopySource("bkt", "key")),
        ("/bkt/key", CopySource("bkt", "key")),
        ("%2Fbkt%2Fa%20b", CopySource("bkt", "a b")),
        ("bkt/a//b/../c", CopySource("bkt", "a//b/../c")),
        ("bkt//key", CopySource("bkt", "/key")),
        ("bkt/a+b", CopySource("bkt", "a+b")),
        ("bkt/k?versionId=v1%2B", CopySource("bkt", "k", "v1+")),
        ("bkt/k%3FversionId=v1", CopySource("bkt", "k?versionId=v1")),
        (f"{POINT}/object/dir/k?versionId=2", CopySource(POINT, "dir/k", "2")),
        ("arn%3Aaws%3As3%3Aus-east-1%3A111122223333%3Aaccesspoint%2Freports/object/k", CopySource(POINT, "k")),
        ("bkt", None),
        ("bkt/", None),
        ("", None),
        ("arn:aws:s3:::bkt", None),
    ],
)
def test_copy_sources(written: str, expected: CopySource | None) -> None:
    assert parse_copy_source(written) == expected


def test_botocore_copy_sources() -> None:
    source = {"Bucket": "src", "Key": "a b/ü+", "VersionId": "v/1="}
    head, _ = serialised("CopyObject", {"Bucket": "bkt", "Key": "k", "CopySource": source})
    assert identify(head, table=TABLE).copy_source == CopySource("src", "a b/ü+", "v/1=")


FACTS = AccessPointFacts(POINT, "reports", "data", "111122223333", alias="reports-abc123-s3alias")


def test_access_points_are_resolved_through_the_snapshot() -> None:
    points = {POINT: FACTS, "reports-abc123-s3alias": FACTS}
    for host, target in (
        ("reports-111122223333.s3-accesspoint.us-east-1.amazonaws.com", "/dir/k"),
        ("reports-abc123-s3alias.s3.us-east-1.amazonaws.com", "/dir/k"),
        ("s3.us-east-1.amazonaws.com", "/reports-abc123-s3alias/dir/k"),
        ("s3.us-east-1.amazonaws.com", f"/{POINT}/dir/k"),
    ):
        head = RequestHead("GET", target, (("Host", host),))
        request = identify(head, table=TABLE, access_points=points)
        assert (request.operation, request.access_point, request.bucket, request.key) == (
            "GetObject",
            POINT,
            "data",
            "dir/k",
        )
        assert request.alias is None


def test_an_alias_that_nobody_knows_stays_one() -> None:
    request = asked("GET", "/k", host="reports-abc123-s3alias.s3.us-east-1.amazonaws.com")
    assert (request.operation, request.alias, request.access_point, request.bucket) == (
        "GetObject",
        "reports-abc123-s3alias",
        None,
        None,
    )


def test_absolute_form_targets() -> None:
    request = asked("GET", "http://b.s3.eu-west-1.amazonaws.com/a//b?acl", host="proxy:3128")
    assert (request.operation, request.bucket, request.key, request.region) == (
        "GetObjectAcl",
        "b",
        "a//b",
        "eu-west-1",
    )


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="Key"\r\n\r\nuser/${filename}\r\n'
    b'--x\r\nContent-Disposition: form-data; name="acl"\r\n\r\npublic-read\r\n'
    b'--x\r\nContent-Disposition: form-data; name="tagging"\r\n\r\n'
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>\r\n"
    b'--x\r\nContent-Disposition: form-data; name="x-amz-signature"\r\n\r\nSECRET\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="C:\\dir\\cat.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--x--\r\n"
)


def test_post_forms() -> None:
    head = RequestHead("POST", "/b", (("Content-Type", "multipart/form-data; boundary=x"), ("Content-Length", "9")))
    request = identify(head, table=TABLE, body=FORM)
    assert (request.operation, request.bucket, request.key) == ("PostObject", "b", "user/cat.png")
    assert request.header("x-amz-acl") == "public-read"
    assert request.header("x-amz-tagging") == "a=b+c"
    assert "SECRET" not in repr(dict(request.headers))
    assert identify(head, table=TABLE).key is None


def test_what_is_declared_takes_precedence() -> None:
    head = RequestHead("GET", "/b/k", (("Host", "s3.us-east-1.amazonaws.com"),))
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    call = DeniedCall(
        "1",
        head,
        head,
        None,
        received=datetime(2026, 1, 2, tzinfo=UTC),
        sent=sent,
        declared=Declared(operation="GetObjectTorrent", region="eu-west-1"),
    )
    request = identify_call(call, PolicySnapshot(), table=TABLE)
    assert (request.operation, request.region, request.signed_time) == ("GetObjectTorrent", "eu-west-1", sent)
    assert request.time == call.received


def test_a_request_without_a_length_has_an_empty_body() -> None:
    assert asked("PUT", "/b").body == b""
    assert asked("PUT", "/b", {"Content-Length": "0"}).body == b""
    assert asked("PUT", "/b", {"Content-Length": "10"}).body is None
    assert asked("PUT", "/b", {"Transfer-Encoding": "chunked"}).body is None


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "X"]),
    target=st.one_of(st.text(), st.text().map("/b/".__add__), st.text().map("/b/k?".__add__)),
    headers=st.dictionaries(
        st.sampled_from(["Host", "Authorization", "x-amz-copy-source", "Content-Type", "content-length", "x-amz-date"]),
        st.one_of(st.text(), st.just("multipart/form-data; boundary=x"), st.just("s3.amazonaws.com")),
    ),
    body=st.one_of(st.none(), st.binary(), st.binary().map(FORM.__add__)),
)
def test_never_raises(method: str, target: str, headers: dict[str, str], body: bytes | None) -> None:
    request = identify(RequestHead(method, target, tuple(headers.items())), table=TABLE, body=body)
    assert isinstance(request, S3Request)

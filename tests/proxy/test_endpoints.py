"""Where in S3 a request goes: the bucket that it addresses, and the host that serves the bucket."""

from __future__ import annotations

import pytest

from denyproxy.aws_endpoints import aws_endpoints
from denyproxy.proxy.endpoints import Addressed, Regions, addressed, bucket_in_host, one_server
from denyproxy.proxy.errors import Refused
from denyproxy.proxy.upstream import Origin

DOMAINS = ("s3.example.com", "localhost")
AWS = aws_endpoints()
POINT = "arn:aws:s3:us-west-2:111122223333:accesspoint/reports"


@pytest.mark.parametrize(
    ("host", "target", "bucket", "segment", "rest"),
    [
        ("127.0.0.1", "/b/k", "b", "/b", "/k"),
        ("127.0.0.1", "/b", "b", "/b", ""),
        ("127.0.0.1", "/b/", "b", "/b", "/"),
        ("127.0.0.1", "/b?list-type=2", "b", "/b", "?list-type=2"),
        ("127.0.0.1", "/", None, "", "/"),
        ("127.0.0.1", "/?x=/b/", None, "", "/?x=/b/"),
        ("127.0.0.1", "/b//k", "b", "/b", "//k"),
        ("127.0.0.1", "/b/../k", "b", "/b", "/../k"),
        ("127.0.0.1", "/my%2Dbucket/a%2Fb", "my-bucket", "/my%2Dbucket", "/a%2Fb"),
        ("localhost", "/b/k", "b", "/b", "/k"),
        ("b.localhost", "/k", "b", "", "/k"),
        ("my.bucket.s3.example.com", "//k?acl", "my.bucket", "", "//k?acl"),
        ("evils3.example.com", "/b/k", "b", "/b", "/k"),
        ("b.s3.eu-west-1.amazonaws.com", "/k", "b", "", "/k"),
        ("127.0.0.1", f"/{POINT}/k/l", POINT, f"/{POINT}", "/k/l"),
        ("127.0.0.1", f"/{POINT.replace(':', '%3A').replace('/', '%2F')}/k", POINT, None, "/k"),
    ],
)
def test_what_a_request_is_addressed_to(
    host: str, target: str, bucket: str | None, segment: str | None, rest: str
) -> None:
    found = addressed(target, bucket_in_host(host, DOMAINS))
    assert (found.bucket, found.rest) == (bucket, rest)
    assert segment is None or found.segment == segment


@pytest.mark.parametrize(
    ("bucket", "region", "host", "prefix", "signing"),
    [
        ("b-b", "eu-west-1", "b-b.s3.eu-west-1.amazonaws.com", "", "eu-west-1"),
        (None, "us-west-2", "s3.us-west-2.amazonaws.com", "", "us-west-2"),
        ("my.bucket", "us-east-1", "s3.us-east-1.amazonaws.com", "/my.bucket", "us-east-1"),
        ("bucket", "cn-north-1", "bucket.s3.cn-north-1.amazonaws.com.cn", "", "cn-north-1"),
        ("bucket", "us-gov-west-1", "bucket.s3.us-gov-west-1.amazonaws.com", "", "us-gov-west-1"),
        ("bucket", "eusc-de-east-1", "bucket.s3.eusc-de-east-1.amazonaws.eu", "", "eusc-de-east-1"),
        ("bucket", "us-iso-east-1", "bucket.s3.us-iso-east-1.c2s.ic.gov", "", "us-iso-east-1"),
        (POINT, "us-east-1", "reports-111122223333.s3-accesspoint.us-west-2.amazonaws.com", "", "us-west-2"),
        ("reports-abc123-s3alias", "us-east-1", "reports-abc123-s3alias.s3.us-east-1.amazonaws.com", "", "us-east-1"),
    ],
)
def test_aws_serves_a_bucket_there(bucket: str | None, region: str, host: str, prefix: str, signing: str) -> None:
    endpoint = AWS(bucket, region)
    assert endpoint.origin == Origin("https", host, 443, "aws")
    assert (endpoint.host, endpoint.prefix, endpoint.region) == (host, prefix, signing)
    assert endpoint.service == "s3"


def test_dual_stack_and_fips() -> None:
    assert aws_endpoints(dualstack=True)("bucket", "us-east-1").host == "bucket.s3.dualstack.us-east-1.amazonaws.com"
    assert aws_endpoints(fips=True)("bucket", "us-east-1").host == "bucket.s3-fips.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("bucket", "what"),
    [
        ("arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap", "SigV4A"),
        ("bucket--use1-az4--x-s3", "S3 Express"),
    ],
)
def test_what_cannot_be_signed_again_is_refused_with_what_to_do(bucket: str, what: str) -> None:
    with pytest.raises(Refused) as refused:
        AWS(bucket, "us-east-1")
    assert refused.value.status == 501
    assert what in refused.value.message
    assert "forward mode" in refused.value.message


@pytest.mark.parametrize(
    ("address", "virtual", "path_style"),
    [
        (Addressed("b", "/b", "/k?x=1"), "/k?x=1", "/b/k?x=1"),
        (Addressed("b", "/b", ""), "/", "/b"),
        (Addressed("b", "/b", "/"), "/", "/b/"),
        (Addressed("b", "/b", "?acl"), "/?acl", "/b?acl"),
        (Addressed("b", "/b", "//k"), "//k", "/b//k"),
        (Addressed("b", "", "/k"), "/k", "/b/k"),
        (Addressed("b", "", "/"), "/", "/b"),
        (Addressed("b", "", "/?acl"), "/?acl", "/b?acl"),
        (Addressed("b", "", "//k"), "//k", "/b//k"),
        (Addressed(None, "", "/?x"), "/?x", "/?x"),
    ],
)
def test_targets_change_their_style_and_nothing_else(address: Addressed, virtual: str, path_style: str) -> None:
    server = one_server(Origin("http", "127.0.0.1", 9000))
    assert address.at(server(address.bucket, "us-east-1")) == path_style
    aws = AWS("b-b" if address.bucket else None, "us-east-1")
    assert address.at(aws) == virtual


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (Origin("http", "127.0.0.1", 9000), "127.0.0.1:9000"),
        (Origin("http", "minio", 80), "minio"),
        (Origin("https", "minio", 443), "minio"),
        (Origin("https", "minio", 80), "minio:80"),
        (Origin("http", "::1", 9000), "[::1]:9000"),
    ],
)
def test_the_host_of_a_server_that_is_not_aws(origin: Origin, host: str) -> None:
    endpoint = one_server(origin)("a b", "eu-west-1")
    assert (endpoint.host, endpoint.prefix, endpoint.region) == (host, "/a%20b", "eu-west-1")


def test_regions_are_kept_up_to_a_bound() -> None:
    regions = Regions(limit=2)
    for bucket in ("a", "b", "c"):
        regions.learn(bucket, f"{bucket}-west-1")
    assert [regions.get(bucket) for bucket in ("a", "b", "c")] == [None, "b-west-1", "c-west-1"]
    regions.learn("b", "eu-west-1")
    regions.learn("d", "us-east-1")
    assert regions.get("b") == "eu-west-1"

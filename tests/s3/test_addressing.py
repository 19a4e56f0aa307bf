"""Hosts and paths of every style, from AWS's endpoint pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.s3.addressing import Address, parse_address


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key", "region", "partition"),
    [
        ("s3.us-west-2.amazonaws.com", "/b/k", "b", "k", "us-west-2", "aws"),
        ("s3.amazonaws.com", "/b/k", "b", "k", None, "aws"),
        ("s3-us-west-2.amazonaws.com", "/b/k", "b", "k", "us-west-2", "aws"),
        ("s3-external-1.amazonaws.com", "/b", "b", None, "us-east-1", "aws"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "/b/k", "b", "k", "eu-west-1", "aws"),
        ("s3-fips.dualstack.us-east-2.amazonaws.com", "/b/k", "b", "k", "us-east-2", "aws"),
        ("b.s3.us-west-2.amazonaws.com", "/k", "b", "k", "us-west-2", "aws"),
        ("b.s3.amazonaws.com", "/", "b", None, None, "aws"),
        ("b.s3-us-west-2.amazonaws.com:443", "/k", "b", "k", "us-west-2", "aws"),
        ("B.S3.Amazonaws.com", "/k", "b", "k", None, "aws"),
        ("my.dotted.bucket.s3.eu-central-1.amazonaws.com", "/k", "my.dotted.bucket", "k", "eu-central-1", "aws"),
        ("us-west-2.s3.amazonaws.com", "/k", "us-west-2", "k", None, "aws"),
        ("b.s3-accelerate.amazonaws.com", "/k", "b", "k", None, "aws"),
        ("b.s3-accelerate.dualstack.amazonaws.com", "/k", "b", "k", None, "aws"),
        ("b.s3.dualstack.ap-south-1.amazonaws.com", "/k", "b", "k", "ap-south-1", "aws"),
        ("b.s3.cn-north-1.amazonaws.com.cn", "/k", "b", "k", "cn-north-1", "aws-cn"),
        ("b.s3.us-gov-west-1.amazonaws.com", "/k", "b", "k", "us-gov-west-1", "aws-us-gov"),
        ("s3-us-gov-west-1.amazonaws.com", "/b/k", "b", "k", "us-gov-west-1", "aws-us-gov"),
        ("s3-fips-us-gov-west-1.amazonaws.com", "/b/k", "b", "k", "us-gov-west-1", "aws-us-gov"),
        ("b.s3.eusc-de-east-1.amazonaws.eu", "/k", "b", "k", "eusc-de-east-1", "aws-eusc"),
        ("b.s3.us-iso-east-1.c2s.ic.gov", "/k", "b", "k", "us-iso-east-1", "aws-iso"),
        ("b.s3.us-isob-east-1.sc2s.sgov.gov", "/k", "b", "k", "us-isob-east-1", "aws-iso-b"),
    ],
)
def test_aws_hosts(host: str, path: str, bucket: str, key: str | None, region: str | None, partition: str) -> None:
    address = parse_address(host, path)
    assert (address.bucket, address.key, address.region, address.partition) == (bucket, key, region, partition)
    assert address.endpoint == "rest"
    assert address.global_endpoint == (region is None)


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        ("127.0.0.1:9000", "/b/k", "b", "k"),
        ("[::1]:9000", "/b/k", "b", "k"),
        ("localhost:9000", "/b/k", "b", "k"),
        ("minio.example.com", "/b/k", "b", "k"),
        ("b.localhost:9000", "/k", "b", "k"),
        ("my.bucket.localhost", "/k", "my.bucket", "k"),
        ("b.s3.example.com:9000", "/k", "b", "k"),
        ("s3.example.com:9000", "/b/k", "b", "k"),
        ("", "/b/k", "b", "k"),
        ("evil-amazonaws.com", "/b/k", "b", "k"),
    ],
)
def test_other_servers(host: str, path: str, bucket: str, key: str) -> None:
    address = parse_address(host, path, base_domains=["s3.example.com"])
    assert (address.bucket, address.key) == (bucket, key)
    assert address.partition is None
    assert not address.global_endpoint


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/b", None),
        ("/b/", None),
        ("/b//", "/"),
        ("/b//k", "/k"),
        ("/b/a/../k", "a/../k"),
        ("/b/./k", "./k"),
        ("/b/a%2Fk", "a/k"),
        ("/b/a%252Fk", "a%2Fk"),
        ("/b/a+b", "a+b"),
        ("/b/a%2Bb", "a+b"),
        ("/b/a%20b", "a b"),
        ("/b/a b", "a b"),
        ("/b/%C3%BC%E2%82%AC", "ü€"),
        ("/b/ü", "ü"),
        ("/b/%27%28%29", "'()"),
        ("/b/%FF", "\udcff"),
        ("/b/%zz", "%zz"),
        ("/b/k%3Fversions", "k?versions"),
        ("/b/trailing/", "trailing/"),
    ],
)
def test_keys_are_decoded_once_and_never_normalised(path: str, key: str | None) -> None:
    assert parse_address("s3.amazonaws.com", path).key == key
    assert parse_address("b.s3.amazonaws.com", path.removeprefix("/b") or "/").key == key


def test_the_service_itself() -> None:
    assert parse_address("s3.amazonaws.com", "/").bucket is None
    assert parse_address("127.0.0.1:9000", "/") == Address()


@pytest.mark.parametrize(
    ("host", "arn"),
    [
        (
            "db-ap-111122223333.s3-accesspoint.us-east-2.amazonaws.com",
            "arn:aws:s3:us-east-2:111122223333:accesspoint/db-ap",
        ),
        (
            "db-ap-111122223333.s3-accesspoint-fips.dualstack.us-gov-east-1.amazonaws.com",
            "arn:aws-us-gov:s3:us-gov-east-1:111122223333:accesspoint/db-ap",
        ),
        (
            "ap-1-111122223333.accesspoint.vpce-0a1b2c3d-x5.s3.eu-west-1.vpce.amazonaws.com",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap-1",
        ),
    ],
)
def test_access_point_hosts(host: str, arn: str) -> None:
    address = parse_address(host, "/dir/k")
    assert (address.access_point, address.bucket, address.key) == (arn, None, "dir/k")
    assert address.endpoint == "access-point"


def test_an_access_point_host_without_an_account_is_an_alias() -> None:
    address = parse_address("x-s3alias.s3-accesspoint.us-east-1.amazonaws.com", "/k")
    assert (address.alias, address.access_point, address.key) == ("x-s3alias", None, "k")


def test_object_lambda_and_multi_region_hosts() -> None:
    address = parse_address("olap-111122223333.s3-object-lambda.us-east-1.amazonaws.com", "/k")
    assert address.access_point == "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/olap"
    multi = parse_address("mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com", "/k")
    assert (multi.alias, multi.access_point, multi.endpoint) == ("mfzwi23gnjvgw.mrap", None, "access-point")


@pytest.mark.parametrize(
    "path",
    [
        "/arn:aws:s3:us-east-2:111122223333:accesspoint/db-ap/dir/k",
        "/arn%3Aaws%3As3%3Aus-east-2%3A111122223333%3Aaccesspoint%2Fdb-ap/dir/k",
        "/arn:aws:s3:us-east-2:111122223333:accesspoint%2Fdb-ap/dir/k",
    ],
)
def test_an_access_point_arn_in_place_of_the_bucket(path: str) -> None:
    address = parse_address("s3.us-east-2.amazonaws.com", path)
    assert address.access_point == "arn:aws:s3:us-east-2:111122223333:accesspoint/db-ap"
    assert (address.bucket, address.key, address.region) == (None, "dir/k", "us-east-2")


def test_vpc_endpoint_hosts() -> None:
    address = parse_address("b.bucket.vpce-0a1b2c3d-x5y6.s3.us-east-1.vpce.amazonaws.com", "/k")
    assert (address.bucket, address.key, address.vpc_endpoint) == ("b", "k", "vpce-0a1b2c3d")
    path = parse_address("bucket.vpce-0a1b2c3d-x5y6-us-east-1a.s3.us-east-1.vpce.amazonaws.com", "/b/k")
    assert (path.bucket, path.key, path.region) == ("b", "k", "us-east-1")


def test_an_arn_without_a_region_leaves_that_of_the_host() -> None:
    address = parse_address("s3.us-east-2.amazonaws.com", "/arn:aws:s3::111122223333:accesspoint/x.mrap/k")
    assert (address.access_point, address.region) == ("arn:aws:s3::111122223333:accesspoint/x.mrap", "us-east-2")


def test_a_vpc_endpoint_host_of_no_known_kind_is_path_style() -> None:
    address = parse_address("vpce-0a1b2c3d-x5y6.s3.us-east-1.vpce.amazonaws.com", "/b/k")
    assert (address.bucket, address.key, address.vpc_endpoint) == ("b", "k", None)


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("b.s3-website-us-east-1.amazonaws.com", "website"),
        ("b.s3-website.eu-central-1.amazonaws.com", "website"),
        ("111122223333.s3-control.us-east-1.amazonaws.com", "control"),
        ("s3express-control.us-west-2.amazonaws.com", "express-control"),
        ("b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com", "express"),
        ("ap-111122223333.op-01ac5d28a6a232904.s3-outposts.us-west-2.amazonaws.com", "outposts"),
    ],
)
def test_kinds_of_endpoint(host: str, endpoint: str) -> None:
    assert parse_address(host, "/k").endpoint == endpoint


@given(st.text(), st.text(), st.lists(st.text(), max_size=2))
def test_never_raises(host: str, path: str, domains: list[str]) -> None:
    assert isinstance(parse_address(host, path, domains), Address)
    assert isinstance(parse_address(host + ".amazonaws.com", "/" + path), Address)

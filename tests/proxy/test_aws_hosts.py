"""Which bucket and region a name of S3 names, whatever else is in it; and which requests mean which bucket."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.access_keys import access_key_id
from denyproxy.proxy.aws_hosts import aws_hosts
from denyproxy.proxy.endpoints import LONGEST_BUCKET, Endpoint, Regions, addressed, bucket_in_host, kept, one_server
from denyproxy.proxy.errors import CannotRelay, Refused
from denyproxy.proxy.http1 import parse_request, parse_response
from denyproxy.proxy.redirects import Redirect, redirect_of
from denyproxy.proxy.resign import Resign
from denyproxy.proxy.signers import ClientKey, OnePair, Signer
from denyproxy.proxy.upstream import Origin, UpstreamRequest, UpstreamResponse
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.signing import sign
from tests.proxy.test_endpoints import AWS
from tests.took import took

CLIENT = Credentials("AKIDCLIENT", "clientsecret")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
POINT = "n-111122223333.s3-accesspoint.eu-central-1.amazonaws.com"


@pytest.fixture(autouse=True)
def client() -> None:
    """No upstream client here."""


@pytest.mark.parametrize(
    ("host", "bucket", "region", "elsewhere"),
    [
        ("s3.amazonaws.com", None, None, "s3.amazonaws.com"),
        ("b.s3.amazonaws.com", "b", None, "b.s3.amazonaws.com"),
        ("s3-eu-west-1.amazonaws.com", None, "eu-west-1", "s3-eu-west-2.amazonaws.com"),
        (
            "logs-us-west-2.s3.us-east-1.amazonaws.com",
            "logs-us-west-2",
            "us-east-1",
            "logs-us-west-2.s3.eu-west-2.amazonaws.com",
        ),
        (
            "a.us-east-1.s3.b.s3.dualstack.us-east-1.amazonaws.com",
            "a.us-east-1.s3.b",
            "us-east-1",
            "a.us-east-1.s3.b.s3.dualstack.eu-west-2.amazonaws.com",
        ),
        ("data.eu-west-1.s3.amazonaws.com", "data.eu-west-1", None, "data.eu-west-1.s3.amazonaws.com"),
        ("b.s3.cn-north-1.amazonaws.com.cn", "b", "cn-north-1", "b.s3.eu-west-2.amazonaws.com.cn"),
        ("b.s3-accelerate.amazonaws.com", "b", None, "b.s3-accelerate.amazonaws.com"),
        (POINT, None, "eu-central-1", POINT),
        (
            "b.bucket.vpce-1a-5e.s3.us-east-1.vpce.amazonaws.com",
            "b",
            "us-east-1",
            "b.bucket.vpce-1a-5e.s3.us-east-1.vpce.amazonaws.com",
        ),
        (
            "b.s3.s3express-use1-az4.us-east-1.amazonaws.com",
            None,
            None,
            "b.s3.s3express-use1-az4.us-east-1.amazonaws.com",
        ),
    ],
)
def test_what_a_name_names(host: str, bucket: str | None, region: str | None, elsewhere: str) -> None:
    found = aws_hosts[host]
    assert found is not None
    assert (found.bucket, found.region) == (bucket, region)
    assert found.within("eu-west-2") == elsewhere


@pytest.mark.parametrize("host", ["gw.s3.example.com", "", "s3", "b" * 256 + ".s3.amazonaws.com"])
def test_what_is_no_name_of_s3(host: str) -> None:
    assert aws_hosts[host] is None


@pytest.mark.parametrize(
    ("host", "bucket", "segment"),
    [
        ("gw.s3.example.com", "bucket", "/bucket"),
        ("s3.example.com", "bucket", "/bucket"),
        ("b.gw.s3.example.com", "b", ""),
        ("b.s3.example.com", "b", ""),
        ("b.example.com", "b", ""),
        ("b.s3.example.org", "bucket", "/bucket"),
        ("b.s3.eu-west-1.amazonaws.com", "b", ""),
    ],
)
def test_the_longest_base_domain_counts(host: str, bucket: str, segment: str) -> None:
    """A host that is one itself names no bucket, and the labels of AWS mean something in AWS's names alone."""
    found = addressed("/bucket/key", bucket_in_host(host, ("example.com", "s3.example.com", "gw.s3.example.com")))
    assert (found.bucket, found.segment) == (bucket, segment)


def response(location: str) -> Redirect:
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0"
    return redirect_of(parse_response(head.encode()), b"")


def test_the_region_of_a_redirect_is_not_the_one_in_a_buckets_name() -> None:
    assert response("https://logs-us-west-2.s3.eu-central-1.amazonaws.com/k").region == "eu-central-1"
    assert response("https://logs-us-west-2.s3.amazonaws.com/k").region is None


async def never(request: UpstreamRequest) -> UpstreamResponse:
    raise AssertionError(request)


def mode() -> Resign:
    own = OnePair(Signer(Credentials("AKIDREAL", "realsecret")))
    return Resign({"AKIDCLIENT": ClientKey(CLIENT)}, own, AWS, never, clock=lambda: NOW)


async def sent(host: str, target: str, *fields: str) -> UpstreamRequest:
    lines = (f"GET {target} HTTP/1.1", f"Host: {host}", *fields)
    return await mode().prepare(parse_request("\r\n".join(lines).encode()), None)


def url(path: str, resource: str) -> str:
    """A SigV2 URL that its holder may use until 2033."""
    made = base64.b64encode(hmac.digest(b"clientsecret", f"GET\n\n\n2000000000\n{resource}".encode(), "sha1"))
    return f"{path}?AWSAccessKeyId=AKIDCLIENT&Expires=2000000000&Signature={quote(made.decode(), safe='')}"


@pytest.mark.parametrize(
    ("host", "path", "to"),
    [
        ("proxy:9090", "/shared/report.csv", "shared.s3.us-east-1.amazonaws.com"),
        ("s3.eu-west-1.amazonaws.com", "/shared/report.csv", "s3.eu-west-1.amazonaws.com"),
        ("shared.s3.eu-west-1.amazonaws.com", "/report.csv", "shared.s3.eu-west-1.amazonaws.com"),
        ("SHARED.s3.amazonaws.com:443", "/report.csv", "shared.s3.amazonaws.com"),
    ],
)
async def test_version_2_covers_the_bucket_however_it_is_addressed(host: str, path: str, to: str) -> None:
    outgoing = await sent(host, url(path, "/shared/report.csv"))
    assert outgoing.text.header("Host") == to
    assert outgoing.text.target == ("/shared/report.csv" if to.startswith("s3.") else "/report.csv")
    assert "Credential=AKIDREAL/" in (outgoing.text.header("Authorization") or "")


@pytest.mark.parametrize(
    ("host", "path", "code"),
    [
        ("payroll.s3.eu-west-1.amazonaws.com", "/shared/report.csv", "SignatureDoesNotMatch"),
        ("payroll.s3-accelerate.amazonaws.com", "/shared/report.csv", "SignatureDoesNotMatch"),
        ("payroll.s3.eu-west-1.amazonaws.com", "/report.csv", "SignatureDoesNotMatch"),
        ("payroll.localhost", "/shared/report.csv", "SignatureDoesNotMatch"),
        ("payroll.bucket.vpce-1a-5e.s3.us-east-1.vpce.amazonaws.com", "/shared/report.csv", "SignatureDoesNotMatch"),
        (POINT, "/shared/report.csv", "NotImplemented"),
        ("x.accesspoint.vpce-1a-5e.s3.us-east-1.vpce.amazonaws.com", "/shared/report.csv", "NotImplemented"),
    ],
)
async def test_the_holder_of_a_version_2_url_cannot_choose_another_bucket(host: str, path: str, code: str) -> None:
    """Version 2 does not cover the Host, but the bucket that it names is part of the resource."""
    with pytest.raises(Refused) as refused:
        await sent(host, url(path, "/shared/report.csv"))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("logs-us-west-2.s3.us-east-1.amazonaws.com", "us-east-1"),
        ("data.eu-west-1.prod.s3.us-east-2.amazonaws.com", "us-east-2"),
        (POINT, "eu-central-1"),
    ],
)
async def test_the_host_that_a_client_signed_is_where_its_request_goes(host: str, region: str) -> None:
    """Also where a bucket's name has a region in it, or the scope names another region than the host."""
    plain = RequestHead("GET", "/k", (("Host", host),))
    head = sign(plain, CLIENT, region="eu-west-1", service="s3", now=NOW, payload="UNSIGNED-PAYLOAD").head
    outgoing = await sent(host, "/k", *(f"{name}: {value}" for name, value in head.headers if name != "Host"))
    assert outgoing.origin == Origin("https", host, 443, "aws")
    assert outgoing.text.header("Host") == host
    assert f"/{region}/s3/" in (outgoing.text.header("Authorization") or "")


async def test_a_host_that_is_no_name_is_refused() -> None:
    with pytest.raises(CannotRelay, match="255"):
        await sent("a" * 256, "/b/k")


LONG_HOST = "s3" + "-aa" * 30_000 + ".amazonaws.com"


def test_long_requests_are_read_in_time_that_grows_with_their_length_alone() -> None:
    """Each took many seconds: 100 kB of the first 16, of the second 60."""
    keys = parse_request(b"GET /b/k HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"AWS4-" * 20_000)
    assert took(lambda: access_key_id(keys)) < 1
    assert took(lambda: bucket_in_host(LONG_HOST, ("localhost",))) < 1
    assert took(lambda: response(f"https://{LONG_HOST}/")) < 1
    point = "/arn:aws:s3:us-east-1:1" + ":accesspoint:x" * 8_000 + "%"
    assert took(lambda: addressed(point, None)) < 1


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("Authorization: AWS4-HMAC-SHA256 Credential=AK/2", "AK"),
        ("authorization:AWS4-HMAC-SHA256  Credential=AK/2", "AK"),
        ("AUTHORIZATION: AWS AK:sig", "AK"),
        ("Authorization: Bearer AWS4-HMAC-SHA256 Credential=AK/2", None),
        ("Authorization: AWS4-" + "A" * 65 + " Credential=AK/2", None),
    ],
)
def test_keys_at_a_glance(line: str, key: str | None) -> None:
    assert access_key_id(parse_request(f"GET /b/k HTTP/1.1\r\nHost: x\r\n{line}".encode())) == key


def test_what_is_longer_than_a_bucket_is_not_kept() -> None:
    asked: list[str | None] = []

    def endpoint(bucket: str | None, region: str) -> Endpoint:
        asked.append(bucket)
        return Endpoint(Origin("http", "h", 80), "h", "", region)

    endpoints, longest, longer = kept(endpoint, 10), "b" * LONGEST_BUCKET, "b" * (LONGEST_BUCKET + 1)
    for bucket in (None, longest, longer, None, longest, longer):
        endpoints(bucket, "us-east-1")
    assert asked == [None, longest, longer, longer]
    regions = Regions()
    regions.learn(longest, "eu-west-1")
    regions.learn(longer, "eu-west-1")
    assert (regions.get(longest), regions.get(longer)) == ("eu-west-1", None)


def test_long_names_are_served_all_the_same() -> None:
    for endpoints in (AWS, one_server(Origin("http", "h", 80))):
        assert endpoints("b" * 300, "us-east-1").prefix == "/" + "b" * 300

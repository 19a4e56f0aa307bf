"""The forward mode: plain HTTP from the client, TLS to the upstream, and only to hosts that are allowed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import trustme
from aiohttp import web
from botocore.config import Config

from denyproxy.exchange import RequestHead
from denyproxy.proxy.hosts import AllowedHosts
from denyproxy.proxy.modes import Forward, Passthrough, UpstreamMode, guess_kind
from denyproxy.proxy.upstream import Origin, UpstreamOptions
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.verified import Verified
from tests.proxy.wire import FORBIDDEN, OK, Message, Proxy, answering, relaying, upstream


@dataclass(slots=True)
class TlsServer:
    """An S3 of sorts behind TLS, with a certificate of a test CA."""

    trust: ssl.SSLContext
    port: int = 0
    seen: list[tuple[str, str, list[tuple[str, str]]]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if request.headers.get("Expect"):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        self.seen.append((request.method, request.raw_path, headers))
        await request.read()
        return web.Response(status=403 if "denied" in request.raw_path else 200)


@asynccontextmanager
async def tls_server() -> AsyncIterator[TlsServer]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    certificate.configure_cert(serving)
    authority.configure_trust(trusting)
    server = TlsServer(trusting)
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site: Any = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving)
        await site.start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def forwarding(
    allowed: Sequence[str], *also: UpstreamMode, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    modes = [Forward(AllowedHosts.parse(allowed)), *also]
    async with relaying(modes, session=UpstreamOptions(tls=trust)) as proxy:
        yield proxy


@pytest.mark.parametrize("form", ["absolute", "origin"])
async def test_tls_to_the_host_that_the_client_signed_for(form: str) -> None:
    """wire.md, forward: absolute-form, or origin-form with an allowed Host; Host and target are kept."""
    async with tls_server() as server, forwarding([f"localhost:{server.port}"], trust=server.trust) as proxy:
        host = f"localhost:{server.port}"
        target = "/bucket//a%2fb?x-id=PutObject"
        await proxy.ask(
            f"PUT {'http://' + host if form == 'absolute' else ''}{target} HTTP/1.1\r\nhost: {host}\r\n"
            "Proxy-Connection: keep-alive\r\nContent-Length: 5\r\n\r\nhello".encode()
        )
    assert server.seen == [("PUT", target, [("host", host), ("Content-Length", "5")])]


async def put_with_boto3(key: str) -> tuple[str, str, list[tuple[str, str]]]:
    """What the upstream saw of an upload through the proxy."""
    async with tls_server() as server, forwarding([f"localhost:{server.port}"], trust=server.trust) as proxy:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://localhost:{server.port}",
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(
                proxies={"http": f"http://127.0.0.1:{proxy.port}"},
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )
        try:
            await asyncio.to_thread(client.put_object, Bucket="bucket", Key=key, Body=b"hello")
        finally:
            client.close()
    ((method, target, headers),) = server.seen
    assert dict(headers)["Host"] == f"localhost:{server.port}"
    return method, target, headers


async def test_boto3_with_a_proxy_and_a_plain_endpoint() -> None:
    """wire.md, forward: no secret is needed, and the upstream sees the host that was signed."""
    method, target, headers = await put_with_boto3("a b//c+d")
    assert (method, target) == ("PUT", "/bucket/a%20b//c%2Bd")
    assert "host;" in dict(headers)["Authorization"]


async def test_urllib3_collapses_dots_that_boto3_signed() -> None:
    """wire.md, 5: the key that arrives is another one, and only the one that was signed has the right signature.

    The secret is right all the same: so the explanation of a mismatch must not say that it is wrong."""
    method, target, headers = await put_with_boto3("a/../b")
    assert (method, target) == ("PUT", "/bucket/b")
    signer, now = Credentials("AKIAIOSFODNN7EXAMPLE", "secret"), datetime.now(UTC)
    arrived = verify(RequestHead(method, target, tuple(headers)), lambda _: signer, now)
    assert isinstance(arrived, Refusal)
    assert arrived.code == "SignatureDoesNotMatch"
    assert isinstance(verify(RequestHead(method, "/bucket/a/../b", tuple(headers)), lambda _: signer, now), Verified)


async def test_a_denial_over_tls_was_secure() -> None:
    """aws:SecureTransport is about the connection that S3 saw."""
    async with tls_server() as server, forwarding([f"localhost:{server.port}"], trust=server.trust) as proxy:
        host = f"localhost:{server.port}"
        answer = await proxy.ask(f"GET http://{host}/b/denied HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        (call,) = proxy.explained.calls
    assert answer.status == 403
    assert (call.secure, call.mode) == (True, "forward")


@pytest.mark.parametrize(
    ("absolute", "target"), [("http://{}", "/"), ("http://{}?list-type=2", "/?list-type=2"), ("HTTP://{}/b?", "/b?")]
)
async def test_targets_without_a_path(absolute: str, target: str) -> None:
    """RFC 9112, section 3.2.1: an empty path is sent as a slash."""
    async with tls_server() as server, forwarding([f"localhost:{server.port}"], trust=server.trust) as proxy:
        host = f"localhost:{server.port}"
        await proxy.ask(f"GET {absolute.format(host)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert server.seen[0][1] == target


async def test_an_untrusted_certificate_is_a_502() -> None:
    """TLS is checked, against the system's authorities if no others are named."""
    async with tls_server() as server, forwarding([f"localhost:{server.port}"]) as proxy:
        answer = await proxy.ask(
            f"GET http://localhost:{server.port}/ HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()
        )
    assert answer.status == 502
    assert b"TLS" in answer.body
    assert not server.seen


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "localhost:9000",
        "example.com",
        "s3.amazonaws.com.evil.example",
        "ec2.us-east-1.amazonaws.com",
        "evil-s3.amazonaws.com",
        "s3-evil-1234.us-east-1.elb.amazonaws.com",
        "s3.amazonaws.com:22",
        "[::1]",
    ],
)
async def test_other_hosts_are_refused(host: str) -> None:
    """wire.md, forward: an open proxy is a hole; and the refusal is ours, not a denial of S3."""
    async with forwarding(["aws"]) as proxy:
        answer = await proxy.ask(f"GET http://{host}/b/k HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert not proxy.explained.calls
    assert answer.status == 403
    assert answer.get(b"content-type") == b"application/xml"
    assert b"<Code>DenyproxyHostNotAllowed</Code>" in answer.body
    assert b"not a denial by S3" in answer.body
    assert answer.get(b"x-deny-explanation-id") is None


@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://s3.amazonaws.com/b HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"GET http://user@s3.amazonaws.com/b HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\r\n",
    ],
)
async def test_targets_that_name_two_hosts_are_refused(request_: bytes) -> None:
    """What is checked is where it goes."""
    async with forwarding(["aws"]) as proxy:
        assert (await proxy.ask(request_)).status == 400


@pytest.mark.parametrize("entry", ["no-such-host.invalid:443", "No-Such-Host.invalid", "*.invalid:443"])
@pytest.mark.parametrize("port", ["", ":443"])
async def test_the_default_port_of_tls_may_be_spelt_out(entry: str, port: str) -> None:
    """In the list of hosts and in the request: either is let through, and then cannot be found."""
    host = f"no-such-host.invalid{port}"
    async with forwarding([entry]) as proxy:
        answer = await proxy.ask(f"GET http://{host}/b/k HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.status == 502


@pytest.mark.parametrize("rest", [b" HTTP/1.1\r\nHost: s3.amazonaws.com:443", b" HTTP/1.0"], ids=["", "without Host"])
async def test_connect_says_what_to_do_instead(rest: bytes) -> None:
    """wire.md, forward: also in the reason, which is all that most clients show of a refused tunnel. Python's
    http.client, and so boto3, sends no Host."""
    async with forwarding(["aws"]) as proxy:
        answer = await proxy.ask(b"CONNECT s3.amazonaws.com:443%b\r\n\r\n" % rest)
    assert answer.status == 405
    assert b"http:// endpoint" in answer.first_line
    assert b"http:// endpoint" in answer.body


async def test_a_proxy_request_without_the_mode_says_how_to_enable_it() -> None:
    """HTTP_PROXY points at a passthrough proxy."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, relaying(port) as proxy:
        answer = await proxy.ask(b"GET http://s3.amazonaws.com/b HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\r\n")
        star = await proxy.ask(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.status == 400
    assert b"enable forward" in answer.body
    assert star.status == 400
    assert not seen


async def test_both_modes_on_one_port() -> None:
    """Chosen by the shape of the request: an allowed Host goes out by TLS, any other to the upstream."""
    seen: list[Message] = []
    async with upstream(answering(OK, seen)) as port, tls_server() as server:
        passthrough = Passthrough(Origin("http", "127.0.0.1", port))
        async with forwarding([f"localhost:{server.port}"], passthrough, trust=server.trust) as proxy:
            await proxy.ask(b"GET /one HTTP/1.1\r\nHost: photos.example.com\r\n\r\n")
            await proxy.ask(f"GET /two HTTP/1.1\r\nHost: LOCALHOST:{server.port}\r\n\r\n".encode())
    assert [message.first_line for message in seen] == [b"GET /one HTTP/1.1"]
    assert [target for _, target, _ in server.seen] == ["/two"]


async def test_forward_alone_has_no_upstream_for_other_hosts() -> None:
    """Origin-form with a Host that is not allowed."""
    async with forwarding(["aws"]) as proxy:
        answer = await proxy.ask(b"GET /b HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert answer.status == 403
    assert b"upstream.url" in answer.body


async def test_a_denial_says_how_it_was_reached() -> None:
    """The explanation needs TLS, mode and dialect; the target is in origin-form."""

    class Pretending(Forward):
        async def prepare(self, *arguments: Any) -> Any:
            request = await super().prepare(*arguments)
            assert request.origin == Origin("https", "b.s3.eu-west-1.amazonaws.com", 443, "aws")
            return type(request)(Origin("http", "127.0.0.1", port, "aws"), request.head, request.body)

    async with upstream(answering(FORBIDDEN)) as port, relaying([Pretending(AllowedHosts.parse(["aws"]))]) as proxy:
        await proxy.ask(
            b"GET http://b.s3.eu-west-1.amazonaws.com/k?acl HTTP/1.1\r\nHost: b.s3.eu-west-1.amazonaws.com\r\n\r\n"
        )
        (call,) = proxy.explained.calls
    assert (call.mode, call.upstream_kind) == ("forward", "aws")
    assert call.request.target == call.upstream_request.target == "/k?acl"


@pytest.mark.parametrize(
    "host",
    [
        "s3.amazonaws.com",
        "bucket.s3.amazonaws.com",
        "my.dotted.bucket.s3.eu-west-1.amazonaws.com",
        "s3.us-gov-west-1.amazonaws.com",
        "b.s3.cn-north-1.amazonaws.com.cn",
        "s3.dualstack.us-east-1.amazonaws.com",
        "s3-fips.us-east-1.amazonaws.com",
        "b.s3-fips.dualstack.us-east-1.amazonaws.com",
        "s3-eu-west-1.amazonaws.com",
        "b.s3-accelerate.amazonaws.com",
        "b.s3-accelerate.dualstack.amazonaws.com",
        "ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com",
        "bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
        "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
        "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com",
        "b.s3-website-us-east-1.amazonaws.com",
        "b.s3-website.eu-central-1.amazonaws.com",
        "123456789012.s3-control.us-east-1.amazonaws.com",
        "s3.us-iso-east-1.c2s.ic.gov",
        "S3.Amazonaws.COM",
    ],
)
def test_names_of_s3(host: str) -> None:
    """https://docs.aws.amazon.com/general/latest/gr/s3.html"""
    assert (host, None) in AllowedHosts.parse(["aws"])
    assert guess_kind(host) == "aws"


@pytest.mark.parametrize(
    ("entries", "place", "allowed"),
    [
        (["minio.example.com"], ("minio.example.com", None), True),
        (["minio.example.com"], ("MINIO.example.com", None), True),
        (["minio.example.com"], ("minio.example.com", 9000), False),
        (["minio.example.com:9000"], ("minio.example.com", 9000), True),
        (["*.example.com"], ("a.b.example.com", None), True),
        (["*.example.com"], ("example.com", None), False),
        (["*.example.com"], ("badexample.com", None), False),
        (["*.example.com:9000"], ("a.example.com", 9000), True),
        (["[::1]:9000"], ("::1", 9000), True),
        (["aws"], ("s3.amazonaws.com", 8080), False),
        ([], ("s3.amazonaws.com", None), False),
    ],
)
def test_lists_of_hosts(entries: list[str], place: tuple[str, int | None], allowed: bool) -> None:
    """`name`, `name:port`, `*.name` and `*.name:port`."""
    assert (place in AllowedHosts.parse(entries)) is allowed


@pytest.mark.parametrize("entry", ["http://example.com", "example.com/path", "a b", "", "h:99999", "user@h"])
def test_what_is_no_host(entry: str) -> None:
    """Named in the error."""
    with pytest.raises(ValueError, match="not a"):
        AllowedHosts.parse([entry])


@pytest.mark.parametrize(
    ("host", "kind"),
    [("minio.svc.local", "minio"), ("rgw.example.com", "ceph"), ("127.0.0.1", "other"), ("ec2.amazonaws.com", "other")],
)
def test_guessed_kinds(host: str, kind: str) -> None:
    """As far as a name tells."""
    assert guess_kind(host) == kind

"""The resign mode on the wire: what is verified is signed again, and what is not never reaches the upstream."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from denyproxy.exchange import Answer, Resigned
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.endpoints import Endpoint, one_server
from denyproxy.proxy.errors import NoCredentials, Refused
from denyproxy.proxy.http1 import SignedRequest, parse_request
from denyproxy.proxy.modes import Passthrough, UpstreamMode
from denyproxy.proxy.received import WholeBody
from denyproxy.proxy.resign import Resign, ResignedRequest, ResignOptions
from denyproxy.proxy.signers import ClientKey, OnePair, SameKeys, Signer, Signers
from denyproxy.proxy.upstream import Origin, UpstreamRequest, UpstreamResponse
from denyproxy.sigv4.credentials import Credentials
from tests.proxy.wire import (
    EMPTY,
    FORBIDDEN,
    OK,
    BrokenTransfer,
    Message,
    Proxy,
    Script,
    Wire,
    answering,
    relaying,
    upstream,
)

LOCAL = Credentials("DENYLOCAL", "local secret")
UPSTREAM = Credentials("AKIAUPSTREAM", "upstream secret", "upstream token")
BEN = "arn:aws:iam::111122223333:user/ben"
ROLE = "arn:aws:sts::111122223333:assumed-role/up/i-1"
TABLE = {LOCAL.access_key_id: ClientKey(LOCAL, BEN)}
OWN: Signers = OnePair(Signer(UPSTREAM, ROLE))
ELSEWHERE = b"HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Resigning:
    """A relay in resign mode, and the requests that came to each region's upstream."""

    proxy: Proxy
    received: Mapping[str, list[Message]]

    @property
    def only(self) -> Message:
        (found,) = (message for messages in self.received.values() for message in messages)
        return found


@dataclass(slots=True)
class Late:
    """`Upstream.send` of a client that is made after the mode."""

    send: Callable[[UpstreamRequest], Awaitable[UpstreamResponse]] | None = None

    async def __call__(self, request: UpstreamRequest) -> UpstreamResponse:
        assert self.send is not None
        return await self.send(request)


@dataclass(slots=True)
class Regions:
    """Endpoints on loopback, one for each region."""

    ports: dict[str, int] = field(default_factory=dict)

    def __call__(self, bucket: str | None, region: str) -> Endpoint:
        host = f"{bucket}.s3.{region}.amazonaws.com" if bucket else f"s3.{region}.amazonaws.com"
        return Endpoint(Origin("http", "127.0.0.1", self.ports[region], "aws"), host, "", region)


@contextlib.asynccontextmanager
async def resigning(
    scripts: Mapping[str, bytes | Callable[[list[Message]], Script]] | None = None,
    *,
    signers: Signers = OWN,
    aws: bool = True,
    passthrough: bytes | None = None,
) -> AsyncIterator[Resigning]:
    """`scripts`: region -> the answer to everything, or a script."""
    regions, send = Regions(), Late()
    received: dict[str, list[Message]] = {}
    async with contextlib.AsyncExitStack() as stack:
        for region, script in (scripts or {"us-east-1": OK}).items():
            received[region] = []
            made = answering(script, received[region]) if isinstance(script, bytes) else script(received[region])
            regions.ports[region] = await stack.enter_async_context(upstream(made))
        modes: list[UpstreamMode] = []
        if passthrough is not None:
            received["passthrough"] = []
            port = await stack.enter_async_context(upstream(answering(passthrough, received["passthrough"])))
            modes.append(Passthrough(Origin("http", "127.0.0.1", port)))
        options = ResignOptions(aws=aws)
        modes.insert(0, Resign(TABLE, signers, regions, send, options=options, otherwise=modes[0] if modes else None))
        proxy = await stack.enter_async_context(relaying(modes))
        send.send = proxy.relay._upstream.send
        yield Resigning(proxy, received)


def boto(credentials: Credentials) -> BotoCredentials:
    return BotoCredentials(credentials.access_key_id, credentials.secret_access_key)


def ask(
    method: str = "GET",
    target: str = "/bucket/k",
    body: bytes = b"",
    *,
    credentials: Credentials = LOCAL,
    presigned: bool = False,
    region: str = "us-east-1",
    age: timedelta = timedelta(),
    after: Mapping[str, str] | None = None,
    **headers: str,
) -> bytes:
    """A request as botocore signs it. `after`: header fields added once it is signed."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, f"http://127.0.0.1:9090{target}", headers=fields, data=b"" if presigned else body)
    kind = S3SigV4QueryAuth if presigned else S3SigV4Auth
    signer = kind(boto(credentials), "s3", region)
    with _clock(datetime.now(UTC) - age):
        signer.add_auth(request)
    assert request.url is not None
    text = {"Host": "127.0.0.1:9090"}
    text |= {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    text |= after or {}
    if body or method in ("PUT", "POST"):
        text["Content-Length"] = str(len(body))
    lines = [f"{name}: {value}" for name, value in text.items()]
    first = f"{method} {request.url.removeprefix('http://127.0.0.1:9090')} HTTP/1.1"
    return "\r\n".join((first, *lines, "", "")).encode() + body


@contextlib.contextmanager
def _clock(now: datetime) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda *_: now.replace(tzinfo=None), raising=False)
        patch.setattr("botocore.compat.get_current_datetime", lambda *_: now.replace(tzinfo=None), raising=False)
        yield


class _Given(S3SigV4Auth):  # type: ignore[misc] # botocore has no types
    """botocore's calculation over what was signed."""

    def __init__(self, credentials: Credentials, region: str, names: list[str]) -> None:
        super().__init__(boto(credentials), "s3", region)
        self._names = names

    def headers_to_sign(self, request: Any) -> Any:
        found = super().headers_to_sign(request)
        for name in set(found.keys()) - set(self._names):
            del found[name]
        return found

    def payload(self, request: Any) -> Any:
        return request.headers["X-Amz-Content-SHA256"]


def assert_signed(message: Message, credentials: Credentials = UPSTREAM, region: str = "us-east-1") -> None:
    """botocore, with the secret, calculates the signature that the upstream was given."""
    headers = {name.decode(): value.decode() for name, value in message.fields}
    pattern = r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/s3/aws4_request, SignedHeaders=(.+), Signature=(.+)"
    found = re.fullmatch(pattern, headers["Authorization"])
    assert found is not None
    assert (found[1], found[2]) == (credentials.access_key_id, region)
    method, target, _ = message.first_line.decode().split(" ")
    request = AWSRequest(method, f"http://{headers['Host']}{target}", headers=headers)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = _Given(credentials, region, found[3].split(";"))
    assert auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) == found[4]
    assert {name.lower() for name in headers if name.lower().startswith("x-amz-")} <= set(found[3].split(";"))


def error(message: Message) -> dict[str, str]:
    return {element.tag: element.text or "" for element in ElementTree.fromstring(message.body)}


@pytest.mark.parametrize("presigned", [False, True])
async def test_what_is_verified_is_signed_again(presigned: bool) -> None:
    async with resigning() as there:
        answer = await there.proxy.ask(
            ask("GET", "/bucket/a//b%2Fc?list-type=2&x=", presigned=presigned, Range="bytes=0-1")
        )
        assert (answer.status, answer.body) == (200, b"ok")
        seen = there.only
        assert seen.first_line == b"GET /a//b%2Fc?list-type=2&x= HTTP/1.1"
        assert seen.all(b"host") == [b"bucket.s3.us-east-1.amazonaws.com"]
        assert seen.get(b"range") == b"bytes=0-1"
        assert seen.all(b"x-amz-security-token") == [b"upstream token"]
        assert b"DENYLOCAL" not in b"".join(value for _, value in seen.fields)
        assert_signed(seen)


@pytest.mark.parametrize("presigned", [False, True])
async def test_bodies_stream_with_the_hash_that_was_signed(presigned: bool) -> None:
    async with resigning({"us-east-1": OK}, aws=False) as there:
        await there.proxy.ask(ask("PUT", "/bucket/k", b"content" * 1000, presigned=presigned))
        assert there.only.body == b"content" * 1000
        assert_signed(there.only)
        unsigned = there.only.get(b"x-amz-content-sha256") == b"UNSIGNED-PAYLOAD"
        assert unsigned is presigned


async def test_hop_by_hop_fields_that_were_signed_stay_behind() -> None:
    async with resigning() as there:
        answer = await there.proxy.ask(ask(Connection="keep-alive", TE="trailers", User_Agent="test"))
        assert answer.status == 200
        assert there.only.get(b"te") is None
        assert there.only.get(b"user-agent") == b"test"


async def test_with_the_clients_own_credentials() -> None:
    async with resigning(signers=SameKeys()) as there:
        await there.proxy.ask(ask())
        assert_signed(there.only, LOCAL)


REFUSED = {
    "wrong secret": (ask(credentials=Credentials("DENYLOCAL", "wrong")), "SignatureDoesNotMatch"),
    "unknown key": (ask(credentials=Credentials("AKIAOTHER", "s")), "InvalidAccessKeyId"),
    "changed": (ask().replace(b"/bucket/k ", b"/bucket/l "), "SignatureDoesNotMatch"),
    "another host": (ask().replace(b"Host: 127.0.0.1:9090", b"Host: localhost:9090"), "SignatureDoesNotMatch"),
    "another method": (ask().replace(b"GET ", b"DELETE ", 1), "SignatureDoesNotMatch"),
    "unsigned header": (ask(after={"x-amz-acl": "public-read"}), "AccessDenied"),
    "expired": (ask(presigned=True, age=timedelta(hours=2)), "AccessDenied"),
    "skewed": (ask(age=timedelta(minutes=20)), "RequestTimeTooSkewed"),
}

ELEMENTS = {"another host": "header:host", "another method": "method"}
"""What is established; the others have no one line, or it is not known."""


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_verified_never_reaches_the_upstream(name: str) -> None:
    request, code = REFUSED[name]
    async with resigning() as there:
        there.proxy.explained.answer = Answer((("X-Deny-Explanation", "why"),))
        answer = await there.proxy.ask(request)
        assert answer.status == 403
        assert error(answer)["Code"] == code
        assert answer.get(b"x-deny-explanation") == b"why"
        assert there.received == {"us-east-1": []}
        (call,) = there.proxy.explained.calls
        assert call.refusal is not None
        assert call.refusal.element == ELEMENTS.get(name)
        assert call.mode == "resign"
        assert call.resigned is None
        assert call.response_body == answer.body
        assert there.proxy.relay.counters.denials == 1


async def test_the_refusal_of_a_head_has_no_body() -> None:
    async with resigning() as there:
        answer = await there.proxy.ask(ask("HEAD", credentials=Credentials("DENYLOCAL", "wrong")), bodiless=True)
        assert answer.status == 403
        assert answer.get(b"x-deny-explanation-id")


async def test_a_refused_upload_is_not_invited() -> None:
    """Without a 100, and so on a connection that ends: else botocore would take what follows for the next answer."""
    request = ask(
        "PUT", "/bucket/k", b"x" * 100, credentials=Credentials("DENYLOCAL", "wrong"), after={"Expect": "100-continue"}
    )
    async with resigning() as there, there.proxy.connect() as wire:
        await wire.send(request[:-100])
        answer = await wire.message()
        assert answer.status == 403
        assert answer.get(b"connection") == b"close"


async def test_what_cannot_be_signed_again_is_told_where_it_can_go() -> None:
    async with resigning() as there:
        answer = await there.proxy.ask(ask(after={"x-amz-s3session-token": "t"}))
        assert answer.status == 501
        assert "forward mode" in error(answer)["Message"]
        assert there.proxy.explained.calls == []


async def test_what_is_not_signed_travels_on_unsigned() -> None:
    async with resigning() as there:
        answer = await there.proxy.ask(b"GET /bucket/k HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n")
        assert answer.status == 200
        assert there.only.get(b"authorization") is None
        assert there.only.get(b"host") == b"bucket.s3.us-east-1.amazonaws.com"


async def test_one_port_serves_both_modes() -> None:
    """A key of the table is signed again; everything else is relayed untouched."""
    async with resigning(passthrough=OK) as there:
        other, unsigned = ask(credentials=Credentials("AKIAOTHER", "s")), b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n"
        for request in (other, unsigned, ask()):
            assert (await there.proxy.ask(request)).status == 200
        untouched = [message.first_line for message in there.received["passthrough"]]
        assert untouched == [b"GET /bucket/k HTTP/1.1", b"GET /b/k HTTP/1.1"]
        assert b"AKIAOTHER" in (there.received["passthrough"][0].get(b"authorization") or b"")
        assert_signed(there.received["us-east-1"][0])


def upload(credentials: Credentials, *, secret: str | None = None, fill: int = 0, parts: bool = True) -> bytes:
    """A browser's, signed with Version 2."""
    policy = base64.b64encode(b'{"expiration": "2100-01-01T00:00:00Z", "conditions": [{"bucket": "bucket"}]}')
    key = (secret or credentials.secret_access_key).encode()
    signature = base64.b64encode(hmac.digest(key, policy, "sha1"))
    fields = {"key": b"k" * (fill or 1), "AWSAccessKeyId": credentials.access_key_id.encode(), "policy": policy}
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
        for name, value in {**fields, "signature": signature, "file": b"content"}.items()
        if parts
    )
    body += b"--x--\r\n"
    kind = b"multipart/form-data; boundary=x"
    fields_ = b"Host: 127.0.0.1:9090\r\nContent-Type: %b\r\nContent-Length: %d" % (kind, len(body))
    return b"POST /bucket HTTP/1.1\r\n%b\r\n\r\n%b" % (fields_, body)


FOREIGN = {
    "another key": upload(Credentials("AKIAOTHER", "s")),
    "too much before the file": upload(LOCAL, fill=70_000),
    "no parts": upload(LOCAL, parts=False),
}


async def test_a_form_of_a_known_key_is_signed_again_beside_passthrough() -> None:
    """Its key is in its body alone."""
    async with resigning({"us-east-1": EMPTY}, passthrough=EMPTY) as there:
        assert (await there.proxy.ask(upload(LOCAL))).status == 200
        assert there.received["passthrough"] == []
        body = there.received["us-east-1"][-1].body
        assert b"AKIAUPSTREAM/" in body
        assert b"DENYLOCAL" not in body


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_form_of_others_is_relayed_untouched_beside_passthrough(name: str) -> None:
    async with resigning(passthrough=EMPTY) as there:
        assert (await there.proxy.ask(FOREIGN[name])).status == 200
        (seen,) = there.received["passthrough"]
        head, _, body = FOREIGN[name].partition(b"\r\n\r\n")
        assert (seen.body, seen.get(b"host")) == (body, b"127.0.0.1:9090")
        assert seen.first_line == head.partition(b"\r\n")[0]
        assert there.received["us-east-1"] == []


async def test_a_form_with_a_wrong_signature_of_a_known_key_is_refused_beside_passthrough() -> None:
    async with resigning(passthrough=EMPTY) as there:
        answer = await there.proxy.ask(upload(LOCAL, secret="wrong"))
        assert (answer.status, error(answer)["Code"]) == (403, "SignatureDoesNotMatch")
        assert there.received == {"us-east-1": [], "passthrough": []}


async def test_a_wrong_secret_is_not_a_reason_for_passthrough() -> None:
    async with resigning(passthrough=OK) as there:
        answer = await there.proxy.ask(ask(credentials=Credentials("DENYLOCAL", "wrong")))
        assert answer.status == 403
        assert there.received["passthrough"] == []


async def test_a_denial_names_whom_s3_saw_and_whom_it_was_for() -> None:
    async with resigning({"us-east-1": FORBIDDEN}) as there:
        assert (await there.proxy.ask(ask())).status == 403
        (call,) = there.proxy.explained.calls
        assert call.resigned == Resigned(ROLE, BEN, "DENYLOCAL")
        assert call.refusal is None
        assert (call.request.target, call.upstream_request.target) == ("/bucket/k", "/k")
        assert call.upstream_request.header("Host") == "bucket.s3.us-east-1.amazonaws.com"
        assert call.upstream_kind == "aws"


async def test_a_denial_of_the_clients_own_credentials() -> None:
    async with resigning({"us-east-1": FORBIDDEN}, signers=SameKeys()) as there:
        await there.proxy.ask(ask())
        assert there.proxy.explained.calls[0].resigned is None


class NoneYet(SameKeys):
    def signer(self, client: ClientKey) -> Signer:
        raise NoCredentials("denyproxy has no credentials for the upstream: they are still being loaded.")


async def test_without_credentials_there_is_an_error_that_sdks_retry() -> None:
    async with resigning(signers=NoneYet()) as there:
        answer = await there.proxy.ask(ask())
        assert (answer.status, error(answer)["Code"]) == (503, "ServiceUnavailable")
        assert there.received == {"us-east-1": []}


# Regions


async def test_a_region_is_learnt_from_a_redirect_and_kept() -> None:
    async with resigning({"us-east-1": ELSEWHERE, "eu-west-1": OK}) as there:
        for _ in range(2):
            answer = await there.proxy.ask(ask())
            assert answer.status == 200
            assert answer.get(b"location") is None
        assert len(there.received["us-east-1"]) == 1
        assert len(there.received["eu-west-1"]) == 2
        for seen in there.received["eu-west-1"]:
            assert seen.get(b"host") == b"bucket.s3.eu-west-1.amazonaws.com"
            assert_signed(seen, region="eu-west-1")


def malformed(region: str) -> bytes:
    body = (
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The region is wrong</Message>"
        f"<Region>{region}</Region></Error>"
    ).encode()
    return b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


LOCATION = b"https://bucket.s3.eu-west-1.amazonaws.com/k"
REDIRECTS = {
    "the error document": malformed("eu-west-1"),
    "a location": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % LOCATION,
    "the header of a 400": ELSEWHERE.replace(b"301 Moved Permanently", b"400 Bad Request"),
}


@pytest.mark.parametrize("name", REDIRECTS)
async def test_s3_tells_the_region_in_other_ways_too(name: str) -> None:
    async with resigning({"us-east-1": REDIRECTS[name], "eu-west-1": OK}) as there:
        assert (await there.proxy.ask(ask())).status == 200
        assert_signed(there.received["eu-west-1"][0], region="eu-west-1")


async def test_another_400_is_relayed_as_it_is() -> None:
    body = b"<Error><Code>InvalidArgument</Code></Error>" + b" " * 100_000
    fields = b"Content-Length: %d\r\nx-amz-bucket-region: eu-west-1\r\n" % len(body)
    refusal = b"HTTP/1.1 400 Bad Request\r\n%b\r\n%b" % (fields, body)
    async with resigning({"us-east-1": refusal}) as there:
        answer = await there.proxy.ask(ask())
        assert (answer.status, answer.body) == (400, body)
        assert len(there.received["us-east-1"]) == 1


async def test_the_region_that_the_client_signed_for_comes_first() -> None:
    async with resigning({"us-east-1": OK, "eu-west-1": OK}) as there:
        await there.proxy.ask(ask(region="eu-west-1"))
        assert_signed(there.only, region="eu-west-1")


async def test_before_an_upload_the_bucket_is_asked_where_it_is() -> None:
    """With a HEAD, signed, once; the body then goes to the right place and nowhere else."""
    here = ELSEWHERE.replace(b"301 Moved Permanently", b"200 OK")
    async with resigning({"us-east-1": ELSEWHERE, "eu-west-1": here}) as there:
        for _ in range(2):
            assert (await there.proxy.ask(ask("PUT", "/bucket/k", b"content"))).status == 200
        (asked,) = there.received["us-east-1"]
        assert asked.first_line == b"HEAD / HTTP/1.1"
        assert_signed(asked)
        assert [message.body for message in there.received["eu-west-1"]] == [b"content"] * 2


async def test_a_bucket_to_be_made_is_not_asked_for() -> None:
    async with resigning() as there:
        await there.proxy.ask(ask("PUT", "/bucket", b"<CreateBucketConfiguration/>"))
        assert there.only.first_line == b"PUT / HTTP/1.1"


async def test_a_bucket_that_moved_while_a_body_was_on_its_way() -> None:
    """The body cannot be sent twice: the client is asked to, and its next attempt goes to the right place."""
    async with resigning({"us-east-1": ELSEWHERE, "eu-west-1": OK}, aws=False) as there:
        answer = await there.proxy.ask(ask("PUT", "/bucket/k", b"content"))
        assert (answer.status, error(answer)["Code"]) == (503, "ServiceUnavailable")
        assert "eu-west-1" in error(answer)["Message"]
        assert (await there.proxy.ask(ask("PUT", "/bucket/k", b"content"))).status == 200
        assert there.received["eu-west-1"][0].body == b"content"


async def test_redirects_do_not_go_on_for_ever() -> None:
    back = ELSEWHERE.replace(b"eu-west-1", b"us-east-1")
    async with resigning({"us-east-1": ELSEWHERE, "eu-west-1": back}) as there:
        answer = await there.proxy.ask(ask())
        assert answer.status == 502
        assert sum(len(seen) for seen in there.received.values()) <= 4


async def test_the_client_never_sees_a_redirect_around_the_proxy() -> None:
    away = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://192.0.2.1:9000/bucket/k\r\nContent-Length: 0\r\n\r\n"
    async with resigning({"us-east-1": away}) as there:
        answer = await there.proxy.ask(ask())
        assert answer.status == 502
        assert answer.get(b"location") is None


# Bodies in signed chunks

CONTENT = b"x" * 1000


def chunk_upload(*, broken: bool = False) -> bytes:
    """An upload in two chunks, signed by hand; `broken`: the second one's data is not what was signed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""
    now = datetime.now(UTC)
    when, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/us-east-1/s3/aws4_request"
    key = b"AWS4" + LOCAL.secret_access_key.encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    canonical = (
        f"PUT\n/bucket/k\n\nhost:h\nx-amz-content-sha256:{payload}\nx-amz-date:{when}\n"
        f"x-amz-decoded-content-length:2000\n\n"
        f"host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length\n{payload}"
    )
    text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = seed = hmac.digest(key, text.encode(), "sha256").hex()
    body = b""
    empty = hashlib.sha256().hexdigest()
    for data in (CONTENT, CONTENT, b""):
        digest = hashlib.sha256(data).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{when}\n{scope}\n{signature}\n{empty}\n{digest}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        body += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(data), signature.encode(), data)
    if broken:
        at = body.rindex(CONTENT)
        body = body[:at] + b"y" + body[at + 1 :]
    names = "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length"
    credential = f"AWS4-HMAC-SHA256 Credential={LOCAL.access_key_id}/{scope}"
    return (
        f"PUT /bucket/k HTTP/1.1\r\nHost: h\r\nx-amz-date: {when}\r\nx-amz-content-sha256: {payload}\r\n"
        f"x-amz-decoded-content-length: 2000\r\nContent-Encoding: aws-chunked\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: {credential}, SignedHeaders={names}, Signature={seed}\r\n\r\n"
    ).encode() + body


async def test_every_chunk_is_signed_again_in_the_same_width() -> None:
    async with resigning(aws=False) as there:
        upload = chunk_upload()
        assert (await there.proxy.ask(upload)).status == 200
        sent, seen = upload.partition(b"\r\n\r\n")[2], there.only.body
        assert len(seen) == len(sent)
        signatures = re.findall(rb"chunk-signature=([0-9a-f]{64})", seen)
        assert len(signatures) == 3
        assert not set(signatures) & set(re.findall(rb"chunk-signature=([0-9a-f]{64})", sent))
        assert re.sub(rb"=[0-9a-f]{64}", b"", seen) == re.sub(rb"=[0-9a-f]{64}", b"", sent)
        assert there.only.get(b"content-encoding") == b"aws-chunked"
        assert_signed(there.only)


async def test_a_chunk_that_is_not_what_was_signed_breaks_the_upload() -> None:
    """The upstream never gets all of it; the client gets S3's refusal, explained."""
    broken: list[Message] = []

    def script(received: list[Message]) -> Script:
        async def receive(wire: Wire) -> None:
            head = await wire.head()
            with pytest.raises(BrokenTransfer):
                await wire.exactly(int(head.get(b"content-length") or 0))
            broken.append(head)

        return receive

    async with resigning({"us-east-1": script}, aws=False) as there:
        answer = await there.proxy.ask(chunk_upload(broken=True))
        assert (answer.status, error(answer)["Code"]) == (403, "SignatureDoesNotMatch")
        (call,) = there.proxy.explained.calls
        assert call.refusal is not None
        assert call.refusal.element == "payload"
    assert len(broken) <= 1


# Addressed to a name of AWS's own


async def test_a_client_that_names_a_host_of_aws_means_that_host() -> None:
    mode = Resign(TABLE, OWN, Regions(), Late())
    head = ask("GET", "/key", region="eu-central-1").replace(
        b"Host: 127.0.0.1:9090", b"Host: reports-111122223333.s3-accesspoint.eu-central-1.amazonaws.com"
    )
    with pytest.raises(Refused, match="signature"):
        await mode.prepare(parse_request(head[:-4]), None)
    request = AWSRequest("GET", "http://reports-111122223333.s3-accesspoint.eu-central-1.amazonaws.com/key", data=b"")
    S3SigV4Auth(boto(LOCAL), "s3", "eu-central-1").add_auth(request)
    fields = [f"{name}: {value}" for name, value in request.headers.items()]
    name = "reports-111122223333.s3-accesspoint.eu-central-1.amazonaws.com"
    raw = "\r\n".join(("GET /key HTTP/1.1", f"Host: {name}", *fields)).encode()
    outgoing = await mode.prepare(parse_request(raw), None)
    assert isinstance(outgoing, ResignedRequest)
    assert outgoing.origin == Origin("https", name, 443, "aws")
    assert outgoing.text.target == "/key"
    assert "AKIAUPSTREAM" in (outgoing.text.header("Authorization") or "")
    assert "/eu-central-1/s3/" in (outgoing.text.header("Authorization") or "")


async def test_each_host_names_its_own_bucket_however_often_it_is_asked() -> None:
    options = ResignOptions(aws=False, base_domains=("localhost",))
    server = one_server(Origin("http", "127.0.0.1", 9000))
    mode = Resign(TABLE, OWN, server, Late(), options=options)
    for host, target in (("a.localhost:90", "/a/k"), ("b.localhost", "/b/k"), ("localhost", "/k"), ("c", "/k")) * 2:
        request = AWSRequest("GET", f"http://{host}/k", data=b"")
        S3SigV4Auth(boto(LOCAL), "s3", "us-east-1").add_auth(request)
        fields = [f"{name}: {value}" for name, value in request.headers.items()]
        raw = "\r\n".join(("GET /k HTTP/1.1", f"Host: {host}", *fields)).encode()
        outgoing = await mode.prepare(parse_request(raw), None)
        assert outgoing.text.target == target
        assert outgoing.text.header("Host") == "127.0.0.1:9000"


@pytest.mark.parametrize("target", ["/bucket/a%2Fb", "/bucket/a%2fb", "/bucket/a/b", "/bucket/a?list-type=2&x=%2F"])
async def test_what_goes_to_the_same_path_is_signed_as_the_client_spelled_it(target: str) -> None:
    """botocore signs a path as it is spelled, and servers other than AWS may verify it so."""
    server = one_server(Origin("http", "127.0.0.1", 9000))
    mode = Resign(TABLE, OWN, server, Late(), options=ResignOptions(aws=False))
    outgoing = await mode.prepare(parse_request(ask("GET", target).removesuffix(b"\r\n\r\n")), None)
    assert isinstance(outgoing, ResignedRequest)
    assert outgoing.text.target == target
    fields = [(name.encode(), value.encode()) for name, value in outgoing.text.headers]
    assert_signed(Message(f"GET {target} HTTP/1.1".encode(), fields))


@pytest.mark.parametrize(("host", "prefix"), [("h\r\nA: 1", ""), ("h\n", ""), ("h", "/b\r\nA: 1"), ("h", "/b\r")])
async def test_nor_does_one_in_an_endpoint(host: str, prefix: str) -> None:
    endpoint = Endpoint(Origin("http", "127.0.0.1", 9000), host, prefix, "us-east-1")
    options = ResignOptions(aws=False, base_domains=("0.0.1",))  # the bucket is in the host, and moves to the path
    mode = Resign(TABLE, OWN, lambda *_: endpoint, Late(), options=options)
    with pytest.raises(ValueError, match="line break"):
        await mode.prepare(parse_request(ask("GET", "/k").removesuffix(b"\r\n\r\n")), None)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("A:  x",),
        ("A:x",),
        ("A: x  y",),
        ("A: caf\u00e9",),
        ("A%s: %d",),
        ("A: 1", "a: 2"),
        ("Connection: keep-alive",),
        ("TE: trailers", "A: 1"),
        ("Connection: A", "A: 1"),
    ],
)
async def test_heads_seen_often_are_written_like_any_other(lines: Sequence[str]) -> None:
    server = one_server(Origin("http", "127.0.0.1", 9000))
    now = datetime.now(UTC)
    mode = Resign(TABLE, OWN, server, Late(), options=ResignOptions(aws=False), clock=lambda: now)
    raw = ask("GET").removesuffix(b"\r\n\r\n") + "".join(f"\r\n{line}" for line in lines).encode()
    names_of = [line.partition(":")[0] for line in lines]
    plain = ask("GET").removesuffix(b"\r\n\r\n") + "".join(f"\r\n{name}: 1" for name in names_of).encode()
    for _ in range(16):
        names = parse_request(plain).names
    written = []
    for expected in (None, names):
        outgoing = await mode.prepare(parse_request(raw, expected), None)
        assert isinstance(outgoing.head, SignedRequest)
        written.append(outgoing.head.write())
    assert written[0] == written[1]
    stay = ("Connection", "TE") if lines[:1] != ("Connection: A",) else ("Connection", "TE", "A")
    for line in lines:
        assert (f"\r\n{line}\r\n".encode() in written[0]) is not line.startswith(stay), line


async def test_the_region_of_a_host_of_aws_is_not_asked_for() -> None:
    """Its name tells."""
    name = "bucket.s3.eu-central-1.amazonaws.com"
    request = AWSRequest("PUT", f"http://{name}/key", data=b"x")
    S3SigV4Auth(boto(LOCAL), "s3", "us-east-1").add_auth(request)
    fields = [f"{name}: {value}" for name, value in request.headers.items()]
    raw = "\r\n".join(("PUT /key HTTP/1.1", f"Host: {name}", *fields, "Content-Length: 1")).encode()
    asked = Late()  # sends nothing
    outgoing = await Resign(TABLE, OWN, Regions(), asked).prepare(parse_request(raw), RequestBody(WholeBody(b"x")))
    assert outgoing.origin == Origin("https", name, 443, "aws")

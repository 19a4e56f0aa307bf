"""A real SDK through the relay, to an upstream that looks like S3 from where boto3 stands."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError

from denyproxy.exchange import Answer
from tests.proxy.wire import ACCESS_DENIED, Explained, Proxy, relaying

MiB = 1 << 20
BODY = bytes(range(256)) * (64 * MiB // 256)


@dataclass(slots=True)
class Store:
    """Objects by raw target; keys with `denied` are refused, before or after their body."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bodies_of_denied: list[int] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        target = request.raw_path.partition("?")[0]
        if request.headers.get("Expect") and not target.endswith("denied"):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "denied" in target:
            if "late" in target:
                self.bodies_of_denied.append(len(await _content(request)))
            return web.Response(status=403, body=ACCESS_DENIED, headers={"Content-Type": "application/xml"})
        if request.method == "PUT":
            self.objects[target] = await _content(request)
            return web.Response(headers={"ETag": f'"{hashlib.md5(self.objects[target]).hexdigest()}"'})
        if target not in self.objects:
            return web.Response(status=404)
        response = web.StreamResponse(headers={"Content-Length": str(len(self.objects[target]))})
        await response.prepare(request)
        if request.method == "GET":
            await response.write(self.objects[target])
        return response


async def _content(request: web.BaseRequest) -> bytes:
    return b"".join([piece async for piece in request.content.iter_any()])


@asynccontextmanager
async def shop(answer: Answer | None = None) -> AsyncIterator[tuple[Store, Proxy, Any]]:
    """A store, a relay in front of it, and a boto3 client that talks to the relay on one connection."""
    store = Store()
    serving = web.Server(store.handle, auto_decompress=False)
    server = await asyncio.get_running_loop().create_server(serving, "127.0.0.1", 0)
    try:
        async with relaying(server.sockets[0].getsockname()[1], explained=Explained(answer or Answer())) as proxy:
            client = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{proxy.port}",
                region_name="us-east-1",
                aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
                aws_secret_access_key="secret",
                config=Config(
                    max_pool_connections=1, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
                ),
            )
            try:
                yield store, proxy, client
            finally:
                client.close()
    finally:
        server.close()
        await serving.shutdown(0.1)


async def _do(call: Callable[..., Any], **parameters: Any) -> Any:
    return await asyncio.to_thread(call, **parameters)


async def test_64_mib_both_ways() -> None:
    """Byte for byte, in one piece."""
    async with shop() as (store, _, s3):
        await _do(s3.put_object, Bucket="b", Key="k", Body=BODY)
        assert store.objects == {"/b/k": BODY}
        response = await _do(s3.get_object, Bucket="b", Key="k")
        content = await asyncio.to_thread(response["Body"].read)
    assert content == BODY
    assert response["ContentLength"] == len(BODY)


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a//b", "/b/a//b"),
        ("../up", "/b/../up"),
        ("a/./b", "/b/a/./b"),
        ("100%2F", "/b/100%252F"),
        ("a+b c", "/b/a%2Bb%20c"),
        ("ü€😀", "/b/%C3%BC%E2%82%AC%F0%9F%98%80"),
        ("it's(1)*!", "/b/it%27s%281%29%2A%21"),
        ("~.-_", "/b/~.-_"),
    ],
)
async def test_odd_keys(key: str, target: str) -> None:
    """wire.md 4: the key arrives as boto3 encoded it."""
    async with shop() as (store, _, s3):
        await _do(s3.put_object, Bucket="b", Key=key, Body=b"x")
        assert list(store.objects) == [target]
        assert (await _do(s3.head_object, Bucket="b", Key=key))["ContentLength"] == 1


async def test_an_empty_object() -> None:
    """wire.md 12."""
    async with shop() as (store, _, s3):
        await _do(s3.put_object, Bucket="b", Key="k", Body=b"")
        assert store.objects == {"/b/k": b""}
        assert (await _do(s3.get_object, Bucket="b", Key="k"))["ContentLength"] == 0


async def test_a_denied_upload_leaves_the_client_sound() -> None:
    """wire.md 13 to 15: no body is sent, and botocore's next request on its only connection is a good one."""
    async with shop() as (store, _, s3):
        for _ in range(3):
            with pytest.raises(ClientError) as caught:
                await _do(s3.put_object, Bucket="b", Key="denied", Body=BODY)
            assert caught.value.response["Error"]["Code"] == "AccessDenied"
            await _do(s3.put_object, Bucket="b", Key="fine", Body=b"fine")
        assert store.objects == {"/b/fine": b"fine"}


async def test_an_upload_denied_after_its_body_leaves_the_client_sound() -> None:
    """The upstream reads it all, then says no."""
    async with shop() as (store, _, s3):
        for _ in range(2):
            with pytest.raises(ClientError):
                await _do(s3.put_object, Bucket="b", Key="denied-late", Body=b"x" * MiB)
            await _do(s3.put_object, Bucket="b", Key="fine", Body=b"fine")
        assert store.bodies_of_denied == [MiB, MiB]


async def test_the_explanation_shows_in_the_exception() -> None:
    """What the user of an SDK sees: str(exception), and the header in its metadata."""
    body = ACCESS_DENIED.replace(b"Access Denied", b"Access Denied. No statement allows s3:GetObject.")
    answer = Answer((("X-Deny-Explanation", "No statement allows s3:GetObject."),), body)
    async with shop(answer) as (_, proxy, s3):
        with pytest.raises(ClientError) as get:
            await _do(s3.get_object, Bucket="b", Key="denied")
        with pytest.raises(ClientError) as head:
            await _do(s3.head_object, Bucket="b", Key="denied")
        assert len(proxy.explained.calls) == 2
    assert "No statement allows s3:GetObject." in str(get.value)
    for caught in (get, head):
        headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-deny-explanation"] == "No statement allows s3:GetObject."


async def test_an_explanation_of_full_length_does_not_hurt_boto3() -> None:
    """wire.md 24: the bound on the header is one that boto3 bears."""
    answer = Answer((("X-Deny-Explanation", "x" * 1024),))
    async with shop(answer) as (_, _, s3):
        with pytest.raises(ClientError) as caught:
            await _do(s3.get_object, Bucket="b", Key="denied")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-deny-explanation"] == "x" * 1024

"""Signed forms on their way: verified from the start of their body, and signed again in it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from datetime import UTC, datetime

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.errors import CannotRelay, Refused
from denyproxy.proxy.forms import SignedForm, UnreadableForm, signed_form
from denyproxy.sigv4.credentials import Credentials
from tests.proxy.streams import OnlyRead

CLIENT = Credentials("AKIACLIENT", "secret")
OURS = Credentials("AKIAOURS", "another")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
POLICY = base64.b64encode(
    json.dumps({"expiration": "2026-11-24T01:00:00Z", "conditions": [{"bucket": "b"}, {"key": "k"}]}).encode()
)
SIGNATURE = base64.b64encode(hmac.digest(b"secret", POLICY, "sha1"))


@pytest.fixture(autouse=True)
def client() -> None:
    """No upstream client here."""


class Stream(OnlyRead):
    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    @property
    def complete(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        return self._pieces.pop(0) if self._pieces else b""


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name, more, value)


FILE = part(b"file", b'\x00\r\n--y\r\nname="file"', b'; filename="a.txt"\r\nContent-Type: text/plain') + b"--x--\r\n"


def form(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join(part(name, value) for name, value in fields) + FILE


FIELDS = ((b"key", b"k"), (b"AWSAccessKeyId", b"AKIACLIENT"), (b"policy", POLICY), (b"signature", SIGNATURE))


async def received(data: bytes, size: int = 7) -> tuple[SignedForm | None, RequestBody, RequestHead]:
    headers = (("Content-Type", 'multipart/form-data; boundary="x"'), ("Content-Length", str(len(data))))
    head = RequestHead("POST", "/b", headers)
    body = RequestBody(Stream(data, size))
    found = await signed_form(head, body, lambda key: CLIENT if key == "AKIACLIENT" else None, NOW)
    return found, body, head


async def everything(body: RequestBody) -> bytes:
    data = b""
    while piece := await body.read():
        data += piece
    return data


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
async def test_a_form_that_is_not_signed_again_is_not_changed(size: int) -> None:
    found, body, _ = await received(form(*FIELDS), size)
    assert found is not None
    assert found.credentials == CLIENT
    assert await everything(body) == form(*FIELDS)


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
async def test_a_form_signed_again(size: int) -> None:
    """The other fields and the file are the same, the signature is ours, and Content-Length tells the truth."""
    found, body, head = await received(form(*FIELDS), size)
    assert found is not None
    outgoing = found.resign(head, OURS, region="us-east-1", service="s3", now=NOW)
    data = await everything(body)
    assert outgoing.header("Content-Length") == str(len(data))
    assert data.endswith(part(b"key", b"k") + FILE)
    assert b'name="x-amz-credential"\r\n\r\nAKIAOURS/20261124/us-east-1/s3/aws4_request\r\n' in data
    assert b"AKIACLIENT" not in data
    assert SIGNATURE not in data
    again = RequestBody(Stream(data, 50))
    assert await signed_form(outgoing, again, lambda key: OURS if key == "AKIAOURS" else None, NOW) is not None


async def test_a_form_without_a_policy_is_not_signed() -> None:
    found, body, _ = await received(form((b"key", b"k")))
    assert found is None
    assert await everything(body) == form((b"key", b"k"))


async def test_a_wrong_signature_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        await received(form(*FIELDS[:3], (b"signature", b"wrong")))
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "data", [part(b"key", b"k") + b"--x--\r\n", part(b"key", b"k" * 70_000) + FILE, b"nonsense", b""]
)
async def test_forms_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(CannotRelay) as caught:
        await received(data, 1000)
    assert caught.value.code == "MalformedPOSTRequest"


async def test_the_field_that_counts_is_the_first() -> None:
    """A second policy after the signed one must not be the one that S3 looks at: all of them are replaced."""
    found, body, head = await received(form(*FIELDS, (b"Policy", b"e30=")))
    assert found is not None
    found.resign(head, OURS, region="us-east-1", service="s3", now=NOW)
    assert (await everything(body)).lower().count(b'name="policy"') == 1


class Pieces(Stream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)


async def test_a_form_in_single_bytes_is_not_searched_anew_for_each() -> None:
    fields = b'--x\r\nname="a"\r\n\r\n\r\n' * 990
    body = RequestBody(Pieces(fields, *[b"a"] * 30_000))
    head = RequestHead("POST", "/b", (("Content-Type", 'multipart/form-data; boundary="x"'),))
    start = time.process_time()
    with pytest.raises(UnreadableForm):
        await signed_form(head, body, lambda _: CLIENT, NOW)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("size", [1, 100_000])
async def test_the_number_of_parts_before_the_file_is_bounded(size: int) -> None:
    """The file's own counts."""
    fill = [(b"a", b"")] * (1000 - len(FIELDS))
    found, _, _ = await received(form(*FIELDS, *fill[:-1]), size)
    assert found is not None
    with pytest.raises(UnreadableForm):
        await received(form(*FIELDS, *fill), size)

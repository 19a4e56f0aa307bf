"""Which request bodies are kept."""

from __future__ import annotations

import asyncio

import pytest

from denyproxy.proxy.bodies import Keep, RequestBody, what_to_keep
from denyproxy.proxy.framing import Sized
from denyproxy.proxy.http1 import parse_request
from denyproxy.proxy.received import ReceivedBody
from tests.proxy.streams import OnlyRead

LIMIT = 100_000
FORM = b"Content-Type: multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("method", "target", "fields", "expected"),
    [
        ("POST", "/b?delete", [], Keep(LIMIT)),
        ("POST", "/?x-id=DeleteObjects&delete=", [], Keep(LIMIT)),
        ("PUT", "/b?policy", [], Keep(LIMIT)),
        ("PUT", "/b?acl", [], Keep(LIMIT)),
        ("PUT", "/b/k?acl&versionId=1", [], Keep(LIMIT)),
        ("PUT", "/b/k?tagging", [], Keep(LIMIT)),
        ("PUT", "/b?publicAccessBlock", [], Keep(LIMIT)),
        ("PUT", "/b/k?retention", [], Keep(LIMIT)),
        ("PUT", "/b/k?legal-hold", [], Keep(LIMIT)),
        ("PUT", "/b?object-lock", [], Keep(LIMIT)),
        ("PUT", "/b?ownershipControls", [], Keep(LIMIT)),
        ("POST", "/b", [FORM], Keep(LIMIT, prefix=True)),
        ("PUT", "/b", [], Keep(8192)),
        ("PUT", "/b/", [], Keep(8192)),
        ("PUT", "/", [], Keep(8192)),
        ("PUT", "/b/k", [], Keep()),
        ("PUT", "/b/k?partNumber=1&uploadId=policy", [], Keep()),
        ("PUT", "/b/policy", [], Keep()),
        ("PUT", "/b?versioning", [], Keep()),
        ("POST", "/b/k?uploadId=x", [], Keep()),
        ("POST", "/b/k?select", [], Keep()),
        ("GET", "/b?policy", [], Keep()),
        ("DELETE", "/b?policy", [], Keep()),
    ],
)
def test_what_is_kept(method: str, target: str, fields: list[bytes], expected: Keep) -> None:
    """Decided from the head: the bodies that authorization depends on, and no object's."""
    assert (
        what_to_keep(parse_request(b"\r\n".join((f"{method} {target} HTTP/1.1".encode(), *fields))), LIMIT) == expected
    )


class Pieces(OnlyRead):
    """A stream of these pieces; with `rest`, more would follow."""

    def __init__(self, *pieces: bytes, rest: bool = False) -> None:
        self._pieces = list(pieces)
        self._rest = rest

    def ready(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    @property
    def complete(self) -> bool:
        return not self._pieces and not self._rest


@pytest.mark.parametrize(
    ("pieces", "rest", "keep", "kept"),
    [
        ([b"hello", b"world"], False, Keep(10), b"helloworld"),
        ([b"hello", b"worlds"], False, Keep(10), None),
        ([b"hello", b"world", b"!"], False, Keep(10), None),
        ([b"hello", b"world"], True, Keep(10), None),
        ([b"hello", b"world!"], False, Keep(8, prefix=True), b"hellowor"),
        ([b"hello", b"world!", b"more"], False, Keep(8, prefix=True), b"hellowor"),
        ([b"hello"], True, Keep(8, prefix=True), b"hello"),
        ([b"hello"], False, Keep(), None),
    ],
)
async def test_the_copy(pieces: list[bytes], rest: bool, keep: Keep, kept: bytes | None) -> None:
    """All or nothing, but for a form, whose fields come first; the stream itself is not changed."""
    body = RequestBody(Pieces(*pieces, rest=rest), keep=keep)
    read = []
    while data := await body.read():
        read.append(data)
    assert body.kept == kept
    assert read == pieces


class Connection:
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def take_away(self) -> None:
        pass


async def test_a_body_that_is_here_is_read_at_once() -> None:
    """Only then, and only once; and the copy is made as ever."""
    stream = ReceivedBody(Sized(10), Connection(), asyncio.get_running_loop())
    body = RequestBody(stream, keep=Keep(10))
    stream.feed(b"hello")
    assert body.whole() is None
    assert not body.started
    stream.feed(b"world")
    assert body.whole() == b"helloworld"
    assert body.started
    assert body.kept == b"helloworld"
    assert body.whole() is None


class Same:
    """What goes out is what has come."""

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


@pytest.mark.parametrize("why", ["closed", "rewritten"])
async def test_a_body_that_does_not_go_out_as_it_came_is_not_read_at_once(why: str) -> None:
    stream = ReceivedBody(Sized(5), Connection(), asyncio.get_running_loop())
    stream.feed(b"hello")
    body = RequestBody(stream)
    if why == "closed":
        body.close()
    else:
        body.rewrite(Same())
    assert body.whole() is None
    assert not body.started


async def test_a_closed_body_is_not_begun() -> None:
    """wire.md 15: no 100 goes out once the response is there."""
    began = False

    def begin() -> None:
        nonlocal began
        began = True

    body = RequestBody(Pieces(b"hello"), on_start=begin)
    body.close()
    with pytest.raises(EOFError):
        await body.read()
    assert not began
    assert body.awaits_continue

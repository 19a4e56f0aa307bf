"""What happens to a 403, and only to a 403."""

from __future__ import annotations

import gzip
import logging
from datetime import UTC, datetime, timedelta

import pytest

from denyproxy.exchange import Answer
from denyproxy.proxy.denials import new_id
from denyproxy.proxy.handler import RelayOptions
from tests.proxy.wire import ACCESS_DENIED, FORBIDDEN, OK, Explained, Message, answering, relaying, upstream

GET = b"GET /b/k?versionId=1 HTTP/1.1\r\nHost: h\r\nx-amz-date: d\r\n\r\n"
SAYS = Answer((("X-Deny-Explanation", "because"), ("X-Deny-Explanation-Id", "I1")), b"<Error>because</Error>")


async def test_a_403_gets_header_and_message() -> None:
    """design.md 5: the body is replaced, its length set, all else kept in place."""
    explained = Explained(SAYS)
    async with upstream(answering(FORBIDDEN)) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(GET)
    assert answer.first_line == b"HTTP/1.1 403 Forbidden"
    assert answer.fields == [
        (b"Content-Type", b"application/xml"),
        (b"Content-Length", b"22"),
        (b"X-Deny-Explanation", b"because"),
        (b"X-Deny-Explanation-Id", b"I1"),
    ]
    assert answer.body == b"<Error>because</Error>"


async def test_the_call_is_what_was_on_the_wire() -> None:
    """Everything that an explanation may use."""
    async with upstream(answering(FORBIDDEN)) as port, relaying(port) as proxy:
        before = datetime.now(UTC)
        answer = await proxy.ask(GET.replace(b"Host: h", b"Host: h\r\nConnection: keep-alive"))
        (call,) = proxy.explained.calls
    assert (call.request.method, call.request.target) == ("GET", "/b/k?versionId=1")
    assert call.request.headers == (("Host", "h"), ("Connection", "keep-alive"), ("x-amz-date", "d"))
    assert call.upstream_request.headers == (("Host", "h"), ("x-amz-date", "d"))
    assert call.response is not None
    assert (call.response.status, call.response.reason) == (403, "Forbidden")
    assert call.response.header("content-length") == str(len(ACCESS_DENIED))
    assert call.response_body == ACCESS_DENIED
    assert call.body is None
    assert before <= call.received <= datetime.now(UTC)
    assert call.received.utcoffset() == timedelta(0)
    assert (call.secure, call.client_address) == (False, "127.0.0.1")
    assert (call.mode, call.upstream_kind) == ("passthrough", "other")
    assert answer.get(b"x-deny-explanation-id") == call.id.encode()


@pytest.mark.parametrize(
    "status", [b"200 OK", b"301 Moved", b"400 Bad Request", b"401 No", b"404 Not Found", b"503 Slow"]
)
async def test_other_statuses_are_not_touched(status: bytes) -> None:
    """A success costs nothing, and another error is not a denial."""
    response = FORBIDDEN.replace(b"403 Forbidden", status)
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(GET)
        assert not proxy.explained.calls
    assert answer.body == ACCESS_DENIED
    assert answer.get(b"x-deny-explanation") is None


async def test_head_gets_the_header_alone() -> None:
    """wire.md 25: no body, and the length that GET would have."""
    response = FORBIDDEN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        async with proxy.connect() as wire:
            for _ in range(2):
                await wire.send(GET.replace(b"GET", b"HEAD"))
                answer = await wire.message(bodiless=True)
                assert answer.get(b"content-length") == str(len(ACCESS_DENIED)).encode()
                assert answer.get(b"x-deny-explanation") == b"because"
        assert [call.response_body for call in proxy.explained.calls] == [b"", b""]


async def test_a_chunked_403_stays_chunked() -> None:
    """MinIO and others send their errors in chunks."""
    response = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    response %= (len(ACCESS_DENIED), ACCESS_DENIED)
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(GET)
        assert proxy.explained.calls[0].response_body == ACCESS_DENIED
    assert answer.body == b"<Error>because</Error>"
    assert answer.get(b"content-length") is None


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_403_beyond_the_bound_keeps_its_body(chunked: bool) -> None:
    """Headers alone; nothing of it is lost, however it is framed."""
    body = bytes(range(256)) * 1000
    head = b"HTTP/1.1 403 Forbidden\r\n"
    if chunked:
        response = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        response = head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(GET)
        assert proxy.explained.calls[0].response_body is None
    assert answer.body == body
    assert answer.get(b"x-deny-explanation") == b"because"


async def test_an_answer_without_a_body_leaves_the_bytes_alone() -> None:
    """Anything but XML, a compressed body: the callable says so by giving none."""
    body = gzip.compress(b"<Error/>")
    response = b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    explained = Explained(Answer(SAYS.headers))
    async with upstream(answering(response)) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(GET)
    assert (answer.body, answer.get(b"content-length")) == (body, str(len(body)).encode())


async def test_a_failing_explanation_changes_nothing_but_the_id(caplog: pytest.LogCaptureFixture) -> None:
    """design.md 7: explaining never breaks a response; and what the exception says may be secret."""
    caplog.set_level(logging.DEBUG)
    explained = Explained(fails=ValueError("PLANTED5ECRET"))
    async with upstream(answering(FORBIDDEN)) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(GET)
    assert (answer.status, answer.body) == (403, ACCESS_DENIED)
    assert answer.get(b"x-deny-explanation-id") == explained.calls[0].id.encode()
    assert answer.get(b"x-deny-explanation") is None
    assert explained.calls[0].id in caplog.text
    assert "ValueError" in caplog.text
    assert "PLANTED5ECRET" not in caplog.text


@pytest.mark.parametrize(
    "field",
    [
        ("X-Deny-Explanation", "two\r\nX-Forged: lines"),
        ("X-Deny-Explanation", "two\nlines"),
        ("X-Deny-Explanation", "caf\u00e9"),
        ("X-Deny-Explanation", "nul\x00"),
        ("X-Deny-Explanation", "a" * 1025),
        ("X-Deny-\r\nForged", "x"),
        ("X-Deny-Forged: y", "x"),
        ("Set-Cookie", "x"),
    ],
)
async def test_an_unsafe_header_is_left_out(field: tuple[str, str]) -> None:
    """wire.md 24: a newline would turn the 403 into a 500 or forge a field; a long value kills boto3."""
    explained = Explained(Answer((field,)))
    async with upstream(answering(FORBIDDEN)) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(GET)
    assert (answer.status, answer.body) == (403, ACCESS_DENIED)
    assert [name for name, _ in answer.fields] == [b"Content-Type", b"Content-Length", b"X-Deny-Explanation-Id"]


async def test_own_fields_of_an_upstream_are_replaced_by_ours() -> None:
    """design.md 7: an upstream cannot speak in our name, in a denial least of all."""
    response = FORBIDDEN.replace(b"Content-Type", b"X-Deny-Explanation: lies\r\nContent-Type")
    async with upstream(answering(response)) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(GET)
    assert answer.all(b"x-deny-explanation") == [b"because"]


DELETED = b'<?xml version="1.0"?><DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>'
PARTLY = DELETED.replace(
    b"</DeleteResult>", b"<Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
)
KEYS = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"


def _deletion(target: bytes = b"/b?delete") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (target, len(KEYS), KEYS)


def _result(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("target", [b"/b?delete", b"/b/?delete=", b"/?x-id=DeleteObjects&delete"])
async def test_denials_inside_a_200_of_delete_objects(target: bytes) -> None:
    """design.md 1: keys that were denied one by one; the header is added, the result stays as it is."""
    explained = Explained(Answer(SAYS.headers))
    async with upstream(answering(_result(PARTLY))) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(_deletion(target))
    (call,) = explained.calls
    assert (call.body, call.response_body) == (KEYS, PARTLY)
    assert (answer.status, answer.body) == (200, PARTLY)
    assert answer.get(b"x-deny-explanation") == b"because"


async def test_a_delete_objects_without_denials_is_not_explained() -> None:
    """A success is not touched."""
    async with upstream(answering(_result(DELETED))) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(_deletion())
        assert not proxy.explained.calls
    assert (answer.body, answer.fields) == (DELETED, [(b"Content-Length", str(len(DELETED)).encode())])


async def test_errors_that_are_no_denials_change_nothing() -> None:
    """The callable says that nothing was denied: no header, not counted."""
    explained = Explained(None)
    body = PARTLY.replace(b"AccessDenied", b"InternalError")
    async with upstream(answering(_result(body))) as port, relaying(port, explained=explained) as proxy:
        answer = await proxy.ask(_deletion())
        assert len(explained.calls) == 1
        assert proxy.relay.counters.denials == 0
    assert (answer.body, answer.fields) == (body, [(b"Content-Length", str(len(body)).encode())])


async def test_a_result_beyond_the_bound_is_relayed_untouched() -> None:
    """Bounded; nothing of it is lost."""
    body = PARTLY.replace(b"</DeleteResult>", b" " * 5000 + b"</DeleteResult>")
    options = RelayOptions(delete_result_bytes=1000)
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    async with upstream(answering(response)) as port, relaying(port, options=options) as proxy:
        answer = await proxy.ask(_deletion())
        assert not proxy.explained.calls
    assert answer.body == body


async def test_the_body_of_another_post_is_not_searched() -> None:
    """An object may well say <Error>."""
    async with upstream(answering(_result(PARTLY))) as port, relaying(port, explained=Explained(SAYS)) as proxy:
        answer = await proxy.ask(_deletion(b"/b/delete?uploadId=delete"))
        assert not proxy.explained.calls
    assert answer.body == PARTLY


async def test_small_bodies_that_matter_are_kept_and_relayed() -> None:
    """A copy on the side: the upstream gets every byte, also of one that is too large to keep."""
    seen: list[Message] = []
    policy = b'{"Statement":[]}'
    options = RelayOptions(request_body_bytes=64)
    request = b"PUT /b?policy HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s"
    async with upstream(answering(FORBIDDEN, seen)) as port, relaying(port, options=options) as proxy:
        for body in (policy, policy * 10):
            await proxy.ask(request % (len(body), body))
        kept = [call.body for call in proxy.explained.calls]
    assert kept == [policy, None]
    assert [message.body for message in seen] == [policy, policy * 10]


async def test_counters() -> None:
    """What the console tells."""
    async with upstream(answering(FORBIDDEN)) as port, relaying(port) as proxy:
        await proxy.ask(GET)
        await proxy.ask(b"GET / HTTP/1.1\r\n\r\n")
        counters = proxy.relay.counters
    assert (counters.requests, counters.denials, counters.errors, counters.in_flight) == (2, 1, 1, 0)


async def test_a_success_needs_no_explainer() -> None:
    """The hot path never calls the cold one."""
    async with upstream(answering(OK)) as port, relaying(port, explained=Explained(fails=AssertionError())) as proxy:
        assert (await proxy.ask(GET)).body == b"ok"
        assert not proxy.explained.calls


def test_ids_are_short_unique_and_sort_by_time() -> None:
    """One token that can be searched for."""
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(one) == 16 and one.isascii() and one.isalnum() for one in ids)
    assert [one[:9] for one in ids] == sorted(one[:9] for one in ids)

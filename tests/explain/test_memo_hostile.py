"""Denials made up to be told something wrong: what is remembered is what explaining afresh says, or is not told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from denyproxy.exchange import DeniedCall, RequestHead, ResponseHead
from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import AccessPointFacts, ObjectFacts, PolicySnapshot
from tests.explain.test_explainer import ALLOW_ALL, NOW, READ_ONLY, call, head, policies, world
from tests.explain.test_memo import WORLD, afresh, memory

LAMBDA = "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/ol"
POINT = "arn:aws:s3:us-east-1:111122223333:accesspoint/ap9"
RETENTION = b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-05-01T12:02:00Z</RetainUntilDate></Retention>"


def put(key: str, *fields: tuple[str, str]) -> DeniedCall:
    return call(head("PUT", f"/b/{key}", *fields))


def listing(prefix: str) -> DeniedCall:
    return call(head("GET", f"/b?list-type=2&prefix={prefix}"))


def headed(target: str) -> DeniedCall:
    return replace(call(head("HEAD", target)), response_body=b"")


def later(denied: DeniedCall, seconds: int) -> DeniedCall:
    return replace(denied, received=denied.received + timedelta(seconds=seconds))


def lists(condition: dict[str, Any], effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:ListBucket", "Resource": "*", "Condition": condition}


def folded(prefix: str) -> dict[str, Any]:
    return {"StringEqualsIgnoreCase": {"s3:prefix": prefix}}


def to_lambda(name: str) -> DeniedCall:
    request = head("DELETE", f"/in/{name}?versionId=1")
    host = "ol-111122223333.s3-object-lambda.us-east-1.amazonaws.com"
    fields = tuple((field, host if field == "Host" else value) for field, value in request.headers)
    return call(RequestHead("DELETE", request.target, fields))


def signed_headers(names: str) -> DeniedCall:
    denied = headed("/b/k")
    fields = tuple(
        (field, value.replace("SignedHeaders=host;x-amz-date", f"SignedHeaders={names}"))
        for field, value in denied.upstream_request.headers
    )
    request = RequestHead("HEAD", "/b/k", fields)
    return replace(denied, request=request, upstream_request=request)


def with_retention(seconds: int) -> DeniedCall:
    request = head("PUT", "/b/k9?retenti%6Fn", ("Content-Length", str(len(RETENTION))))
    return later(call(request, body=RETENTION), seconds)


def answered(request_id: str, body: str | None = None) -> DeniedCall:
    denied = replace(put("k"), response=ResponseHead(403, "", (("x-amz-request-id", request_id),)))
    if body is None:
        return denied
    text = f"<Error><Code>AccessDenied</Code><Message>Access Denied</Message>{body}</Error>"
    return replace(denied, response_body=text.encode())


def point() -> PolicySnapshot:
    policy = policies({**READ_ONLY, "Principal": "*", "Resource": f"{POINT}/object/*"}, name="ap")
    facts = AccessPointFacts(POINT, "ap9", "b", "111122223333", policy_is_public=False, vpc=None, policy=policy)
    return world(policies(READ_ONLY), access_points={POINT: facts}, objects={})


def through_lambda() -> PolicySnapshot:
    facts = AccessPointFacts(LAMBDA, "ol", "b", "111122223333", policy=PolicyList(), policy_is_public=False, vpc=None)
    locked = ObjectFacts(exists=True, lock_mode="COMPLIANCE", retain_until=NOW + timedelta(days=3), legal_hold=True)
    allowed = {**READ_ONLY, "Action": "s3-object-lambda:*", "Resource": "*"}
    return world(policies(allowed), access_points={LAMBDA: facts}, objects={("b", "in/k9"): locked})


def upload(prefix: str) -> PolicySnapshot:
    granted = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::b/{prefix}"}
    return world(policies(granted), objects={})


def cases() -> Iterator[tuple[str, PolicySnapshot, Sequence[DeniedCall]]]:
    names = ("abcdefg-1/", "abcdefg-2/", "strasse-7/")
    yield (
        "a Deny of ß",
        world(policies(ALLOW_ALL, lists(folded("straße-7/"), "Deny")), objects={}),
        [*map(listing, names)],
    )
    yield "an Allow of ß", world(policies(lists(folded("straße-7/"))), objects={}), [*map(listing, names)]
    sharp = [listing(f"stra%C3%9F{name}/") for name in ("e11", "e12", "e17")]
    yield "ß beside the name", world(policies(lists(folded("strasse17/"))), objects={}), sharp
    yield "Kelvin", upload("x/k17"), [put(f"x/%E2%84%AA{name}") for name in ("11", "12", "17")]
    yield "a long s", upload("x/\u017f7"), [put(f"x/{name}") for name in ("a1", "b2", "s7")]
    for encoded in ("X-Amz-Exp%69res", "x-amz-Exp%69res", "Exp%69res"):
        asked = headed(f"/b/k?{encoded}=60")
        yield f"time in {encoded}", WORLD, [asked, later(asked, 100)]
    yield "retention", WORLD, [with_retention(0), with_retention(200)]
    yield (
        "an access point in the path",
        point(),
        [call(head("GET", f"/{POINT[:-3]}{name}")) for name in ("xx1", "xx2", "xx3", "ap9")],
    )
    yield (
        "an encoded one",
        point(),
        [call(head("GET", f"/{POINT[:-3].replace(':', '%3A')}{name}")) for name in ("xx1", "xx2", "xx3", "ap9")],
    )
    yield "a locked object", through_lambda(), [*map(to_lambda, ("k1", "k2", "k3", "k9"))]
    pad = "p" * (154 - len("arn:aws:s3:::b/"))
    yield "a fix that is cut", WORLD, [put(f"{pad}/{name}") for name in ("aaaa1111111", "aaab2222222", "zzzz3333333")]
    pad = "p" * 194
    home = world(policies(lists({"StringEquals": {"s3:prefix": "home"}})), objects={})
    yield (
        "a cause that is cut",
        home,
        [listing(f"{pad}/{name}") for name in ("aaaa1111111", "aaab2222222", "zzzz3333333")],
    )
    marks = ("%00id", "x/%00id/y", "in/-9007199254740993", "0001-01-01T00:00:00.000001Z", "%00request%20id")
    for mark in marks:
        yield f"a mark as key: {mark}", WORLD, [put(mark)] * 3
    for value in ("-9007199254740993", "0001-01-01T00:00:00.000001Z", "\0id", "x -9007199254740993 y"):
        yield f"a mark as field: {value!r}", WORLD, [put("k", ("User-Agent", value))] * 3
        yield f"a mark as Referer: {value!r}", WORLD, [put("x/a", ("Referer", value))] * 3
    yield "a mark as prefix", home, [listing("%00s3:signatureage")] * 3
    yield "no signed headers", WORLD, [signed_headers("?"), signed_headers("=="), signed_headers("?")]
    yield "a request id that is no text", WORLD, [answered("R1"), answered("\udcff"), answered("R2")]
    page = replace(answered("R1"), response_body=b"<html>Forbidden</html>")
    yield "an answer of S3, and one that is not", WORLD, [replace(page, response=ResponseHead(403)), page, page]
    for body in (
        "<RequestId>\x01</RequestId>",
        "<RequestId>a\r\nb</RequestId>",
        "<RequestId>R1</RequestId><RequestId>R2</RequestId>",
        "<HostId>R1</HostId><RequestId>R4</RequestId>",
    ):
        yield f"ids like {body!r}", WORLD, [answered("R1", "<RequestId>R1</RequestId>"), answered("R2", body)] * 2
    big = "/".join(["a1"] * 2000)
    yield "many names", WORLD, [put(f"{big}/{name}") for name in ("a1", "a1", "a2", "a3", "a3")]


CASES = list(cases())


@pytest.mark.parametrize(("snapshot", "denied"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_told_is_what_a_fresh_explanation_says(snapshot: PolicySnapshot, denied: Sequence[DeniedCall]) -> None:
    memo = memory()
    for number, each in enumerate(denied):
        one = replace(each, id=f"ID{number}")
        assert memo(one, snapshot, most_keys=20) == afresh(one, snapshot), number


def test_long_records_are_not_kept() -> None:
    memo = memory()
    for _ in range(3):
        memo(put("k", ("User-Agent", "x" * 20_000)), WORLD, most_keys=20)
    assert memo.hits == 0
    for _ in range(3):
        memo(put("k", ("User-Agent", "x" * 1000)), WORLD, most_keys=20)
    assert memo.hits == 2
